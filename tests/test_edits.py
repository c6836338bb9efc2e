"""The listings are made to be edited: what stands there then is what trains and is drawn.

Each edit is run to its end on a small part of MNIST, compiled and not: it learns as well both ways.
"""

import re
from pathlib import Path

import pytest
from conftest import CLASSIFIER, REGRESSION

CELL = "cell = tf.nn.rnn_cell.BasicLSTMCell(n_hidden, args.forget_bias)"
DYNAMIC = "outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)"
LAST = "tf.matmul(outputs[-1], w)"
COST = "tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))"
ALONE = "tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.BasicLSTMCell(n_hidden), output_keep_prob="

# what the edit is: (what stands there, what is put instead, ...), the pictures that are left out
CLASSIFIERS = {
    "nothing": ([], []),
    "two layers": (
        [
            CELL,
            "cells = [tf.nn.rnn_cell.BasicLSTMCell(n_hidden) for _ in range(2)]\n"
            "        cell = tf.nn.rnn_cell.MultiRNNCell(cells)",
        ],
        ["inside"],
    ),
    "GRU": ([CELL, "cell = tf.nn.rnn_cell.GRUCell(n_hidden)"], ["inside"]),
    "dropout": ([CELL, f"cell = {ALONE}0.8)"], ["inside"]),
    "another loss": ([COST, "tf.reduce_mean(tf.square(pred - y))"], []),
    "a summed loss": ([COST, COST.replace("mean", "sum")], []),
    "14 columns of 56 rows": (
        [*("n_input = 28", "n_input = 14"), "n_step = 28 ", "n_step = 56 "],
        [],
    ),
    "dropout by a placeholder": (
        [
            *('name="input/y")', 'name="input/y")\nkeep = tf.placeholder_with_default(1.0, [])'),
            *(CELL, f"cell = {ALONE}keep)"),
            "sess.run(optimizer, feed_dict={x: batch_x, y: batch_y})",
            "sess.run(optimizer, feed_dict={x: batch_x, y: batch_y, keep: 0.8})",
        ],
        [],
    ),
    "another forget bias": ([CELL, CELL.replace("args.forget_bias", "3.0")], ["inside"]),
    "a dense layer": ([LAST, "tf.matmul(tf.layers.dense(outputs[-1], n_hidden), w)"], []),
    "a Keras layer": ([LAST, "tf.matmul(tf.keras.layers.Dense(n_hidden)(outputs[-1]), w)"], []),
    "a variable inside RNN": ([LAST, f"{LAST} + tf.Variable(tf.zeros([n_classes]))"], []),
    "batch normalization": (
        [LAST, "tf.matmul(tf.layers.batch_normalization(outputs[-1], training=True), w)"],
        [],
    ),
    "a histogram inside RNN": (
        [f"return {LAST}", f'tf.summary.histogram("seen", outputs)\n        return {LAST}'],
        [],
    ),
    "weight decay": (
        [COST, f"{COST} + 1e-4 * sum(tf.nn.l2_loss(v) for v in tf.trainable_variables())"],
        [],
    ),
    "another optimizer": (
        ["tf.train.AdamOptimizer(lr)", "tf.train.MomentumOptimizer(10 * lr, 0.9)"],
        [],
    ),
    "an optimizer's line from a tutorial": (
        [
            "optimizer = adam.apply_gradients(gradients, global_step)",
            "optimizer = tf.train.MomentumOptimizer(10 * lr, 0.9).minimize(cost)",
            "optimizer = adam.minimize(cost, global_step)",
            "optimizer = tf.train.MomentumOptimizer(10 * lr, 0.9).minimize(cost)",
        ],
        [],
    ),
    "the article's own line": ([', name="outputs")', ")"], ["rows", "inside"]),
    "both directions": (
        [
            DYNAMIC,
            "outputs, states = tf.nn.bidirectional_dynamic_rnn(\n            cell, "
            "tf.nn.rnn_cell.GRUCell(n_hidden), x, dtype=tf.float32)\n"
            "        outputs = outputs[0] + outputs[1]",
        ],
        ["inside"],
    ),
    "one class more": (["n_classes = mnist.n_classes", "n_classes = mnist.n_classes + 1"], []),
}
NOT_COMPILED = "a summed loss", "a Keras layer", "a variable inside RNN", "batch normalization"
CELL_ = "cell = tf.nn.rnn_cell.BasicLSTMCell(CELL_SIZE)"
RETURN = "return sinx[:, :, np.newaxis], cosx[:, :, np.newaxis], x"
REGRESSIONS = {
    "another function": ["cosx = np.cos(x)", "cosx = 2 * np.cos(x) ** 2"],
    "GRU": [CELL_, "cell = tf.nn.rnn_cell.GRUCell(CELL_SIZE)"],
    "two layers": [
        CELL_,
        "cells = [tf.nn.rnn_cell.BasicLSTMCell(CELL_SIZE) for _ in range(2)]\n"
        "        cell = tf.nn.rnn_cell.MultiRNNCell(cells)",
    ],
    "two inputs": [
        *("INPUT_SIZE = 1", "INPUT_SIZE = 2"),
        *(RETURN, "return np.stack([sinx, np.sin(2 * x)], 2), cosx[:, :, np.newaxis], x"),
    ],
    "two outputs": [
        *("OUTPUT_SIZE = 1", "OUTPUT_SIZE = 2"),
        *(RETURN, "return sinx[:, :, np.newaxis], np.stack([cosx, np.cos(2 * x)], 2), x"),
    ],
}


def edited(script, edit, folder):
    """A copy of a script, some lines of whose listing are changed."""
    text = script.read_text(encoding="utf-8")
    head, mark, listing = text.partition("# ==== the article's listing ====")
    for before, after in zip(edit[::2], edit[1::2]):
        assert listing.count(before) == 1, before
        listing = listing.replace(before, after)
    copy = folder / script.name
    copy.write_text(head + mark + listing, encoding="utf-8")
    return copy


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_edit_of_the_classifier(name, load, small, tmp_path, capsys):
    edit, left_out = CLASSIFIERS[name]
    script = edited(CLASSIFIER, edit, tmp_path)
    options = ("--data", small, "--n-hidden", 32, "--lr", 0.01, "--training-iters", 128 * 60)
    accuracies = []
    for xla in "auto", "off":
        capsys.readouterr()
        net = load(script, *options, "--xla", xla)
        printed = capsys.readouterr().out
        right, count = re.search(r"\(all (\d+) images\): (\S+)", printed).group(2, 1)
        assert count == "500"
        accuracies.append(float(right))
        pictures = {path.stem for path in Path(net.run_dir).glob("*.png")}
        assert pictures == {"mistakes", "gradient", "rows", "inside"} - set(left_out)
        assert re.findall(r"^(\w+)\.png is left out: .+", printed, re.MULTILINE) == left_out
        told = [line for line in printed.splitlines() if "is not compiled" in line]
        assert len(told) == (xla == "auto" and name in NOT_COMPILED)
    compiled, plain = accuracies
    assert plain > 0.3, "it has learned"
    assert compiled == pytest.approx(plain, abs=0.1 if "dropout" in name else 0.02)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_an_edit_of_the_regression(name, load, tmp_path, capsys):
    net = load(edited(REGRESSION, REGRESSIONS[name], tmp_path), "--iterations", 61)
    costs = [float(cost) for cost in re.findall(r"cost:  (\S+)", capsys.readouterr().out)]
    assert len(costs) == 4 + 1 and costs[3] < 0.5 * costs[0], "it has learned"
    assert costs[4] < 0.7 * costs[0], "and goes on"
    sinx, cosx = net.seen[1:3]
    a_circle = name != "another function"
    assert net.plane.get_title() == ("one sin x, two cos x" if a_circle else "")
    low, high = net.course.get_ylim()
    assert low < cosx.min() and cosx.max() < high, "all of it can be seen"
    assert (Path(net.run_dir) / "fit.png").exists()
