"""The listings are made to be edited: what stands there then is what trains and is drawn.

Each edit is run to its end on a small part of MNIST, compiled and not: it learns as well both ways.
The first ones are those of the README.
"""

import re
import signal
import traceback
from pathlib import Path

import pytest
from conftest import CLASSIFIER, REGRESSION
from readme import EDITS, edited

CELL = "cell = tf.nn.rnn_cell.BasicLSTMCell(n_hidden, args.forget_bias)"
DYNAMIC = "outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)"
LAST = "tf.matmul(outputs[-1], w)"
COST = "tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))"
MINIMIZE = "tf.train.AdamOptimizer(lr).minimize(compiled(cost), global_step)"
DECAY = " + 1e-4 * sum(tf.nn.l2_loss(v) for v in tf.trainable_variables())"


SIX = {name: pairs for name, (_, pairs) in EDITS.items()}
CLASSIFIERS = {  # an edit, the pictures that are left out, and whether it can be compiled
    "nothing": ([], [], True),
    "two layers": (SIX["two layers"], ["inside"], True),
    "GRU": (SIX["GRU"], ["inside"], True),
    "dropout": (SIX["dropout"], [], True),
    "another loss": (SIX["another loss"], [], True),
    "14 columns of 56 rows": (SIX["14 columns of 56 rows"], [], True),
    "a summed loss": ([(COST, COST.replace("mean", "sum"))], [], False),
    "another forget bias": ([(CELL, CELL.replace("args.forget_bias", "3.0"))], ["inside"], True),
    "a dense layer": (
        [(LAST, "tf.matmul(tf.layers.dense(outputs[-1], n_hidden), w)")],
        [],
        True,
    ),
    "a Keras layer": (
        [(LAST, "tf.matmul(tf.keras.layers.Dense(n_hidden)(outputs[-1]), w)")],
        [],
        False,
    ),
    "a variable inside RNN": ([(LAST, f"{LAST} + tf.Variable(tf.zeros([n_classes]))")], [], False),
    "batch normalization": (
        [(LAST, "tf.matmul(tf.layers.batch_normalization(outputs[-1], training=True), w)")],
        [],
        False,
    ),
    "weight decay": ([(COST, COST + DECAY)], [], True),
    "weight decay elsewhere": (
        [("cost = cost_of(pred, y)", "cost = cost_of(pred, y)" + DECAY.replace("1e-4", "1.0"))],
        [],
        False,
    ),
    "another optimizer": (
        [(MINIMIZE, MINIMIZE.replace("AdamOptimizer(lr)", "MomentumOptimizer(10 * lr, 0.9)"))],
        [],
        True,
    ),
    "only some weights": ([(MINIMIZE, MINIMIZE.replace("step)", "step, [w, b])"))], [], True),
    "the article's optimizer": (
        [(MINIMIZE, "tf.train.AdamOptimizer(lr).minimize(cost)")],
        [],
        False,
    ),
    "the article's outputs": ([(', name="outputs")', ")")], ["rows", "inside"], True),
    "both directions": (
        [
            (
                DYNAMIC,
                "outputs, states = tf.nn.bidirectional_dynamic_rnn(cell, "
                "tf.nn.rnn_cell.GRUCell(n_hidden), x, dtype=tf.float32)\n"
                "        outputs = outputs[0] + outputs[1]",
            )
        ],
        ["inside"],
        True,
    ),
    "one class more": (
        [("n_classes = mnist.n_classes", "n_classes = mnist.n_classes + 1")],
        [],
        True,
    ),
}
SILENT = "the article's optimizer"  # it does not ask for the compiled gradients
CELL_ = "cell = tf.nn.rnn_cell.BasicLSTMCell(CELL_SIZE)"
RETURN = "return sinx[:, :, np.newaxis], cosx[:, :, np.newaxis], x"
REGRESSIONS = {
    "another function": SIX["another function"],
    "GRU": [(CELL_, "cell = tf.nn.rnn_cell.GRUCell(CELL_SIZE)")],
    "two layers": [
        (CELL_, f"cell = tf.nn.rnn_cell.MultiRNNCell([{CELL_[7:]}, {CELL_[7:]}])"),
    ],
    "two inputs": [
        ("INPUT_SIZE = 1", "INPUT_SIZE = 2"),
        (RETURN, "return np.stack([sinx, np.sin(2 * x)], 2), cosx[:, :, np.newaxis], x"),
    ],
    "two outputs": [
        ("OUTPUT_SIZE = 1", "OUTPUT_SIZE = 2"),
        (RETURN, "return sinx[:, :, np.newaxis], np.stack([cosx, np.cos(2 * x)], 2), x"),
    ],
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_edit_of_the_classifier(name, load, small, tmp_path):
    edit, left_out, can_be_compiled = CLASSIFIERS[name]
    script = edited(CLASSIFIER, edit, tmp_path)
    options = ("--data", small, "--n-hidden", 32, "--lr", 0.01, "--training-iters", 128 * 60)
    accuracies = []
    for xla in "auto", "off":
        net = load(script, *options, "--xla", xla)
        accuracies.append(float(re.search(r"\(all 500 images\): (\S+)", net.out)[1]))
        pictures = {path.stem for path in Path(net.run_dir).glob("*.png")}
        assert pictures == {"mistakes", "gradient", "rows", "inside"} - set(left_out)
        assert re.findall(r"^(\w+)\.png is left out: .+", net.out, re.MULTILINE) == left_out
        told = "The training is not compiled: " in net.out
        assert told == (xla == "auto" and not can_be_compiled and name != SILENT)
        compiled = any("_xla_compile_id" in op.node_def.attr for op in net.graph.get_operations())
        assert compiled == (xla == "auto" and can_be_compiled)
    auto, off = accuracies
    assert off > 0.3 or name in ("weight decay elsewhere", "only some weights"), "it has learned"
    assert auto == pytest.approx(off, abs=0.1 if name == "dropout" else 0.02)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_an_edit_of_the_regression(name, load, tmp_path):
    net = load(edited(REGRESSION, REGRESSIONS[name], tmp_path), "--iterations", 61)
    costs = [float(cost) for cost in re.findall(r"cost:  (\S+)", net.out)]
    assert len(costs) == 4 + 1 and costs[3] < 0.5 * costs[0], "it has learned"
    assert costs[4] < 0.7 * costs[0], "and goes on"
    cosx = net.seen[2]
    a_circle = name != "another function"
    assert net.plane.get_title() == ("one sin x, two cos x" if a_circle else "")
    low, high = net.course.get_ylim()
    assert low < cosx.min() and cosx.max() < high, "all of it can be seen"
    assert (Path(net.run_dir) / "fit.png").exists()


def test_a_mistake_in_an_edit_is_shown_whole_and_leaves_the_signals_as_they_were(
    load, small, tmp_path
):
    """A learner sees the line; in a notebook, the stop button would otherwise be dead."""
    edit = [("batch_x.reshape(batch_size, n_step, n_input)", "batch_x.reshape(-1, 1, 1)")]
    script = edited(CLASSIFIER, edit, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        calls, set_signal = [], signal.signal
        record = lambda *pair: calls.append(pair) or set_signal(*pair)  # noqa: E731
        patch.setattr(signal, "signal", record)
        with pytest.raises(ValueError, match="Cannot feed value of shape") as error:
            load(script, "--xla", "off", "--n-hidden", 8, "--data", small)
    assert "sess.run(optimizer" in "".join(traceback.format_tb(error.tb))
    # the script's last two calls; then come two of the test's own
    assert [handler for _, handler in calls[-4:-2]] == [signal.SIG_DFL, signal.SIG_DFL]
