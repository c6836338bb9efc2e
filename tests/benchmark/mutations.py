"""Make one deliberate mistake after the other, and say which test catches it.

    .venv/bin/python tests/benchmark/mutations.py          # about a quarter of an hour

Each line of MISTAKES is made in a copy of this repository, in the script that has the text (it is
there once); then the tests run, those that are named first, until one fails. A mistake that passes
all tests is printed as "NOT CAUGHT", and the exit status is 1.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = "mnist_lstm_classifier.py", "sin_cos_regression.py"
MISTAKES = [  # the test file that is run first, what stands in a script, what is put instead
    ("lstm_equations", "i = sigmoid(x @ U_i + s @ W_i", "i = sigmoid(x @ U_i - s @ W_i"),
    ("lstm_equations", "U_i, U_g, U_f, U_o = ", "U_i, U_f, U_g, U_o = "),
    ("lstm_equations", "W_i, W_g, W_f, W_o = ", "W_g, W_i, W_f, W_o = "),
    ("lstm_equations", "+ b_f + forget_bias)", "+ b_f)"),
    ("lstm_equations", "g = np.tanh(", "g = sigmoid("),
    ("lstm_equations", "c = c * f + g * i", "c = c * i + g * f"),
    ("lstm_equations", "s = np.tanh(c) * o", "s = np.tanh(c) * f"),
    ("mnist_lstm_classifier", "LSTMCell(n_hidden, args.forget_bias)", "LSTMCell(n_hidden)"),
    ("lstm_equations", "return tf.matmul(outputs[-1], w)", "return tf.matmul(outputs[-2], w)"),
    ("lstm_equations", "order = values[-1, -1].argsort()", "order = values[-1, 0].argsort()"),
    ("edits", "if not np.allclose(a, b, atol=1e-4", "if not np.allclose(a, b, atol=1e4"),
    ("edits", 'node.attr.pop("_class", None)', "node.attr"),
    ("edits", "if node.name in fed:", "if 0:"),
    ("edits", "variables], upstream)", "variables])"),
    ("edits", "[None, *by_xla(upstream)]", "[None, *by_xla(2 * upstream)]"),
    ("mnist_lstm_classifier", 'graph.library.Clear()', "graph.library"),
    ("mnist_lstm_classifier", '"(_rewritten)*$", ""', '"(_rewritten)*$", "_rewritten"'),
    ("data", "range((step - 1) * batch_size, step", "range(step * batch_size, (step + 1)"),
    ("data", "RandomState([seed, epoch])", "RandomState([seed])"),
    ("data", "train = DataSet(x[n_validation:], y[n_validation:]", "train = DataSet(x, y"),
    ("data", "255 if x.min() >= 0 and x.max() > 2", "255 if x.max() > 1"),
    ("data", "y = y.argmax(1)  # was one-hot", "y = y.argmin(1)"),
    ("mnist_lstm_classifier", "(0, args.blank_rows)", "(args.blank_rows, 0)"),
    ("mnist_lstm_classifier", "validation, slice(1000)", "test, slice(1000)"),
    ("mnist_lstm_classifier", 'row_1", gradient[0]', 'row_1", gradient[1]'),
    ("mnist_lstm_classifier", '{v.op.name}", v)', '{v.op.name}", 2 * v)'),
    ("lstm_equations", '(r"$i = ', '(r"$f = '),
    ("handwriting", "piece.sum() == piece[1:-1, 1:-1].sum()", "piece.any()"),
    ("handwriting", "large_pieces > 1 or", "large_pieces > 9 or"),
    ("handwriting", "paper, ink = ink, paper", "paper, ink = paper, ink"),
    ("mnist_lstm_classifier", "gradient /= gradient[-1]", "gradient /= gradient[0]"),
    ("mnist_lstm_classifier", "labels[half:].argmax(1)", "labels[:half].argmax(1)"),
    ("mnist_lstm_classifier", "lstsq(state[:half], labels[:half]", "lstsq(state, labels"),
    ("mnist_lstm_classifier", "np.flatnonzero(predictions != l", "np.flatnonzero(predictions == l"),
    ("mnist_lstm_classifier", "cosine_decay(lr, global_step, last_step)", "cosine_decay(lr, 0, 1)"),
    ("restore", "SessionLog.START), first_step)", "SessionLog.START), first_step - 1)"),
    ("restore", "max_to_keep=2", "max_to_keep=3"),
    ("restore", "if shape != shapes.get(name):", "if 0:"),
    ("restore", "    validation_writer.flush()\n", ""),
    ("restore", 'parser.set_defaults(**saved["options"])', "saved"),
    ("restore", 'saved = {"options": options,', 'saved = {"options": {"seed": 0},'),
    ("restore", "for step in gradient_history if step > done", "for step in ()"),
    ("handwriting", "round(float(14 - column))", "round(float(12 - column))"),
    ("handwriting", "ImageChops.lighter(darker, brighter)", "brighter"),
    ("sin_cos_regression", "    if i == 0:\n        feed_dict =", "    if 1:\n        feed_dict ="),
    ("sin_cos_regression", "    state, *both = sess.run", "    _, *both = sess.run"),
    ("sin_cos_regression", "BATCH_START += TIME_STEPS", "BATCH_START += TIME_STEPS * BATCH_SIZE"),
    ("sin_cos_regression", "costs = loss, feedforward_loss", "costs = feedforward_loss, loss"),
    ("sin_cos_regression", "s = outputs[:TIME_STEPS, 0]", "s = outputs[-TIME_STEPS:, 0]"),
    ("sin_cos_regression", "tf.square(feedforward - tf", "tf.abs(feedforward - tf"),
    ("sin_cos_regression", "np.hstack([points[:, before], new])", "np.hstack([points, new])"),
]  # fmt: skip


def caught_by(copy, first):
    """Return the name of a test that fails in a copy of the repository, or None."""
    others = ["--ignore", f"tests/test_{first}.py", "-n", "2"]
    for which in [f"tests/test_{first}.py", "-n", "0"], ["tests", *others]:
        command = [sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", "-x", "-q", *which]
        told = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", told.stdout, re.MULTILINE)
        if failed:
            return failed[1]
        assert told.returncode == 0, told.stdout + told.stderr
    return None


def main(chosen):
    not_caught = 0
    for first, text, instead in MISTAKES:
        if chosen and first not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            ignored = shutil.ignore_patterns(".*", "mnist", "sin_cos")
            copy = shutil.copytree(ROOT, Path(folder) / "copy", ignore=ignored)
            codes = {name: (copy / name).read_text(encoding="utf-8") for name in SCRIPTS}
            (script,) = (name for name, code in codes.items() if code.count(text) == 1)
            mistaken = codes[script].replace(text, instead)
            (copy / script).write_text(mistaken, encoding="utf-8")
            test = caught_by(copy, first)
        not_caught += test is None
        print(f"{text.strip()!r} -> {instead.strip()!r}: {test or 'NOT CAUGHT'}", flush=True)
    sys.exit(not_caught > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
