"""What stands in an edited listing is what trains and is drawn; compiled or not, it learns."""

import re
import signal
import traceback
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, SMALL
from readme import EDITS, edited

COST = "tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))"
EACH = COST.replace("reduce_mean", "identity")  # the cost of each image
LAST = "outputs[-1], w)"
X = 'x = tf.placeholder(tf.float32, [None, n_step, n_input], name="input/x")'
Y = 'y = tf.placeholder(tf.float32, [None, n_classes], name="input/y")'
STEP = "sess.run(optimizer, feed_dict={x: batch_x, y: batch_y})"
ADAM = "AdamOptimizer(lr).minimize(compiled(cost), global_step)"
DECAYED = (ADAM, ADAM.replace("(cost)", "(cost + 1e-4 * sum(map(tf.nn.l2_loss, [w, b])))"))
MOMENTUM = (ADAM, "MomentumOptimizer(20 * lr, 0.9).minimize(compiled(cost) / 2, global_step)")
PLAIN = (ADAM, "AdamOptimizer(lr).minimize(cost)")
LOOP = "outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)"
TWO_WAYS = """outputs, states = tf.nn.bidirectional_dynamic_rnn(
            cell, tf.nn.rnn_cell.GRUCell(n_hidden), x, dtype=tf.float32)
        outputs = outputs[0] + outputs[1]"""

HISTOGRAM = ("return tf.matmul", 'tf.summary.histogram("seen", outputs)\n        return tf.matmul')
FLAG = [  # that only the training feeds
    (Y, Y + "\nis_training = tf.placeholder_with_default(False, [])"),
    (STEP, STEP.replace("batch_y", "batch_y, is_training: True")),
]
UPDATED = "with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):\n        "
MASK = f"easy = {EACH} < 0.5\n    cost = tf.reduce_mean(tf.boolean_mask({EACH}, ~easy))"
WORDS = (
    "tf.nn.embedding_lookup(tf.get_variable('E', [2, n_hidden]), tf.cast(x[:, :, 14] > 0, 'int32'))"
)
DATA = """images, labels = mnist.train.images.reshape(-1, n_step, n_input), mnist.train.labels
batches = tf.data.Dataset.from_tensor_slices((images, labels)).repeat().batch(batch_size)
x, y = tf.data.make_one_shot_iterator(batches).get_next()"""
# fmt: off
CLASSIFIERS = {  # an edit: the pictures that are left out, whether it can be compiled, the lines
    "two layers": ("inside", True, EDITS["two layers"][1]),
    "GRU": ("inside", True, EDITS["GRU"][1]),
    "dropout": ("", True, EDITS["dropout"][1]),
    "another loss": ("", True, EDITS["another loss"][1]),
    "14 columns of 56 rows": ("", True, EDITS["14 columns of 56 rows"][1]),
    "another forget bias, weight decay": ("inside", True, [("args.forget_bias", "3.0"), DECAYED]),
    "momentum, a sum over the batch": ("", True, [
        MOMENTUM, (COST, COST.replace("mean", "sum") + " / batch_size")]),
    "both directions, a histogram": ("inside", True, [(LOOP, TWO_WAYS), HISTOGRAM]),
    "a Keras layer, a variable inside RNN": ("", True, [
        (LAST, f"tf.keras.layers.Dense(n_hidden)({LAST[:-4]}), w) + tf.Variable(0.1)")]),
    "batch normalization": ("", True, [
        *FLAG, ("optimizer = tf", UPDATED + "optimizer = tf"),
        (LAST, "tf.layers.batch_normalization(outputs[-1], -1, 0.9, training=is_training), w)")]),
    "from the bottom up": ("inside", True, [("pred = RNN(x)", "pred = RNN(tf.reverse(x, [1]))")]),
    "a masked mean": ("", True, [(f"cost = {COST}", MASK)]),
    "scaled x, which the cost uses, too": ("", True, [
        (X, X + "\nx = (x - 0.13) / 0.31"), (COST, COST + " + tf.nn.l2_loss(x) * b[0]")]),
    "an embedding, with momentum": ("inside", True, [
        (LOOP, f"{LOOP}\n        outputs += {WORDS}"), MOMENTUM]),
    "tf.losses, tf.data": ("", True, [
        (COST, "tf.losses.softmax_cross_entropy(y, pred)"), (X, DATA), (Y, "")]),
    "dropout by is_training": ("", False, [
        *FLAG, (LAST, "tf.layers.dropout(outputs[-1], training=is_training), w)")]),
    "noise, which XLA draws otherwise": ("inside", False, [
        ("pred = RNN(x)", "pred = RNN(x + 0.1 * tf.random_normal(tf.shape(x)))")]),
    "tf.cond": ("", False, [(COST, f"tf.cond(b[0] > 0, lambda: 2 * {COST}, lambda: {COST})")]),
    "tf.Print": ("", False, [(LAST, "tf.Print(outputs[-1], [0.0], first_n=1), w)")]),
    "the article's lines": ("rows inside", None, [(', name="outputs")', ")"), PLAIN]),
}
# fmt: on
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
    options += ("--display-step", 1)
    losses = []
    for xla in "auto", "off":
        net = load(script, "--data", small, *options, "--xla", xla)
        losses.append([float(loss) for loss in re.findall(r"Loss= (\S+),", net.out)])
        assert float(re.search(r"\(all 500 images\): (\S+)", net.out)[1]) > 0.3, "it has learned"
        pictures = {path.stem for path in Path(net.run_dir).glob("*.png")}
        assert pictures == {"mistakes", "gradient", "rows", "inside"} - set(left_out.split())
        assert re.findall(r"(?m)^(\w+)\.png is left out: .+", net.out) == left_out.split()
        computed = name in ("scaled x, which the cost uses, too", "tf.losses, tf.data")
        assert ("x is computed, but also fed" in net.out) == computed
        not_compiled = re.findall(r"(?m)^The training is not compiled: \S+ .+", net.out)
        assert len(not_compiled) == (xla == "auto" and can_be_compiled is False)
        operations = [op.node_def.attr for op in net.graph.get_operations()]
        if xla == "off" or can_be_compiled is not False:
            compiled = any("_XlaMustCompile" in attributes for attributes in operations)
            assert compiled == (xla == "auto" and can_be_compiled is True)
    if name != "dropout":  # random numbers
        np.testing.assert_allclose(losses[0][:10], losses[1][:10], atol=2e-3)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_an_edit_of_the_regression(name, load, tmp_path):
    net = load(edited(REGRESSION, REGRESSIONS[name], tmp_path), "--iterations", 61)
    costs = [float(cost) for cost in re.findall(r"cost:  (\S+)", net.out)]
    assert len(costs) == 4 + 1 and costs[3] < 0.5 * costs[0], "it has learned"
    assert costs[4] < 0.7 * costs[0], "and goes on"
    a_circle = name != "another function"
    assert net.right.get_title() == ("one sin x, two cos x" if a_circle else "")
    (low, high), cosx = net.left.get_ylim(), net.points[2]
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
