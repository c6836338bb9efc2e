"""What stands in an edited listing is what trains and is drawn; compiled or not, it learns."""

import re
import signal
import traceback
from pathlib import Path
from unittest.mock import patch

import pytest
from conftest import CLASSIFIER, REGRESSION, SMALL
from readme import EDITS, edited

COST = "tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))"
IN_PLACE = "cost = cost_of(pred, y)"
DECAY = " + 1e-4 * sum(tf.nn.l2_loss(v) for v in tf.trainable_variables())"
DECAYED = (COST, COST + DECAY)
LAST = "outputs[-1], w)"
DENSE = (LAST, "tf.layers.dense(outputs[-1], n_hidden), w)")
NORMALIZED = (LAST, "tf.layers.batch_normalization(outputs[-1], training=True), w)")
ADAM = "AdamOptimizer(lr).minimize(compiled(cost), global_step)"
MOMENTUM = (ADAM, "MomentumOptimizer(10 * lr, 0.9).minimize(compiled(cost), global_step)")
PLAIN = (ADAM, "AdamOptimizer(lr).minimize(cost)")
TWO_WAYS = """outputs, states = tf.nn.bidirectional_dynamic_rnn(
            cell, tf.nn.rnn_cell.GRUCell(n_hidden), x, dtype=tf.float32)
        outputs = outputs[0] + outputs[1]"""
BOTH = ("outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)", TWO_WAYS)
MORE = ("n_classes = mnist.n_classes", "n_classes = mnist.n_classes + 1")
HISTOGRAM = ("return tf.matmul", 'tf.summary.histogram("seen", outputs)\n        return tf.matmul')
CLASSIFIERS = {  # an edit: the pictures that are left out, whether it can be compiled, the lines
    "two layers": ("inside", True, EDITS["two layers"][1]),
    "GRU": ("inside", True, EDITS["GRU"][1]),
    "dropout": ("", True, EDITS["dropout"][1]),
    "another loss": ("", True, EDITS["another loss"][1]),
    "14 columns of 56 rows": ("", True, EDITS["14 columns of 56 rows"][1]),
    "another forget bias, weight decay": ("inside", True, [("args.forget_bias", "3.0"), DECAYED]),
    "a dense layer and another optimizer": ("", True, [DENSE, MOMENTUM]),
    "both directions, one class more, a histogram": ("inside", True, [BOTH, MORE, HISTOGRAM]),
    "a summed loss": ("", False, [(COST, COST.replace("mean", "sum"))]),
    "a Keras layer": ("", False, [(LAST, "tf.keras.layers.Dense(n_hidden)(outputs[-1]), w)")]),
    "a variable inside RNN": ("", False, [(LAST, f"{LAST} + tf.Variable(tf.zeros([n_classes]))")]),
    "batch normalization": ("", False, [NORMALIZED]),
    "from the bottom up": ("inside", False, [("pred = RNN(x)", "pred = RNN(tf.reverse(x, [1]))")]),
    "another loss in place": ("", False, [(IN_PLACE, "cost = tf.reduce_mean((pred - y) ** 2)")]),
    "weight decay in place": ("", False, [(IN_PLACE, IN_PLACE + DECAY)]),
    "a larger cost": ("", False, [(ADAM, ADAM.replace("(cost)", "(cost + tf.nn.l2_loss(w))"))]),
    "tf.Print": ("", False, [(LAST, "tf.Print(outputs[-1], [0.0], first_n=1), w)")]),
    "the article's lines": ("rows inside", False, [(', name="outputs")', ")"), PLAIN]),
}
CELL = "cell = tf.nn.rnn_cell.BasicLSTMCell(CELL_SIZE)"
STACK = f"cell = tf.nn.rnn_cell.MultiRNNCell([{CELL[7:]}, {CELL[7:]}])"
RETURN = "return sinx[:, :, np.newaxis], cosx[:, :, np.newaxis], x"
TWO_SINES = "return np.stack([sinx, np.sin(2 * x)], 2), cosx[:, :, np.newaxis], x"
TWO_COSINES = "return sinx[:, :, np.newaxis], np.stack([cosx, np.cos(2 * x)], 2), x"
REGRESSIONS = {
    "another function": EDITS["another function"][1],
    "GRU": [(CELL, "cell = tf.nn.rnn_cell.GRUCell(CELL_SIZE)")],
    "two layers": [(CELL, STACK)],
    "two inputs": [("INPUT_SIZE = 1", "INPUT_SIZE = 2"), (RETURN, TWO_SINES)],
    "two outputs": [("OUTPUT_SIZE = 1", "OUTPUT_SIZE = 2"), (RETURN, TWO_COSINES)],
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_edit_of_the_classifier(name, load, small, tmp_path):
    left_out, can_be_compiled, pairs = CLASSIFIERS[name]
    script = edited(CLASSIFIER, pairs, tmp_path)
    options = ("--n-hidden", 32, "--lr", 0.01, "--batch-size", 64, "--training-iters", 64 * 60)
    accuracies, kept = [], []
    for xla in "auto", "off":
        figures = "made" if xla == "auto" else None
        net = load(script, "--data", small, *options, "--xla", xla, figures=figures)
        accuracies.append(float(re.search(r"\(all 500 images\): (\S+)", net.out)[1]))
        pictures = {path.stem for path in Path(net.run_dir).glob("*.png")}
        assert pictures == {"mistakes", "gradient", "rows", "inside"} - set(left_out.split())
        assert re.findall(r"(?m)^(\w+)\.png is left out: .+", net.out) == left_out.split()
        told = "The training is not compiled: " in net.out
        asked = xla == "auto" and name != "the article's lines"
        assert told == (asked and not can_be_compiled)
        compiled = any("_xla_compile_id" in op.node_def.attr for op in net.graph.get_operations())
        assert compiled == (xla == "auto" and can_be_compiled)
        kept.append([len(net.graph.get_collection(key)) for key in ("variables", "summaries")])
    assert kept[0] == kept[1], "nothing of the compiled copies is saved or drawn"
    auto, off = accuracies
    assert off > 0.3, "it has learned"
    assert auto == pytest.approx(off, abs=0.1 if name == "dropout" else 0.02)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_an_edit_of_the_regression(name, load, tmp_path):
    net = load(edited(REGRESSION, REGRESSIONS[name], tmp_path), "--iterations", 61)
    costs = [float(cost) for cost in re.findall(r"cost:  (\S+)", net.out)]
    assert len(costs) == 4 + 1 and costs[3] < 0.5 * costs[0], "it has learned"
    assert costs[4] < 0.7 * costs[0], "and goes on"
    a_circle = name != "another function"
    assert net.plane.get_title() == ("one sin x, two cos x" if a_circle else "")
    (low, high), cosx = net.course.get_ylim(), net.seen[2]
    assert low < cosx.min() and cosx.max() < high, "all of it can be seen"
    assert (Path(net.run_dir) / "fit.png").exists()


def test_a_mistake_in_an_edit_is_shown_whole_and_the_signals_are_put_back(load, small, tmp_path):
    """A learner sees the line; in a notebook, the stop button would otherwise be dead."""
    edit = [("batch_x.reshape(batch_size, n_step, n_input)", "batch_x.reshape(-1, 1, 1)")]
    fault = pytest.raises(ValueError, match="Cannot feed value of shape")
    with patch("signal.signal", wraps=signal.signal) as set_handler, fault as error:
        load(edited(CLASSIFIER, edit, tmp_path), *SMALL, "--data", small)
    assert "sess.run(optimizer" in "".join(traceback.format_tb(error.tb))
    assert [call[0][1] for call in set_handler.call_args_list[-2:]] == [signal.SIG_DFL] * 2
