"""What a user can get wrong, or find wrong, is told in one line, with a status and no traceback."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import CLASSIFIER, ROOT, run, start, told_in_one_line


@pytest.mark.parametrize(
    "options",
    [
        ("--batch-size", "0"),
        ("--batch-size", "many"),
        ("--n-hidden", "0"),
        ("--display-step", "0"),
        ("--training-iters", "-1"),
        ("--lr", "0"),
        ("--lr", "nan"),
        ("--seed", "-1"),
        ("--seed", str(2**32)),
        ("--cell", "gru"),
        ("--rnn", "both"),
        ("--lr-decay", "linear"),
        ("--epochs", "3"),
    ],
)
def test_a_bad_option_is_told_with_the_usage_and_one_sentence(options, tmp_path):
    result = run(CLASSIFIER, *options, "--logdir", tmp_path)
    assert result.status == 2 and result.stdout == ""
    assert result.stderr.startswith("usage: mnist_lstm_classifier.py")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("mnist_lstm_classifier.py: error: ") and options[0] in last
    assert not list(tmp_path.iterdir())


IMAGES, LABELS = np.zeros((5001, 28, 28), np.uint8), np.zeros(5001, np.uint8)
GOOD = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:9], "y_test": LABELS[:9]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"x_train": IMAGES.reshape(-1, 784)},
        {"y_train": LABELS[:5000]},
        {"x_train": IMAGES[:5000], "y_train": LABELS[:5000]},  # nothing left to train on
        {"x_test": IMAGES[:0], "y_test": LABELS[:0]},
        {"y_test": LABELS[:9] + 10},  # no such class
        {"y_test": None},
    ],
    ids=["flat", "few-labels", "few-images", "no-test", "label-10", "no-labels"],
)
def test_data_of_the_wrong_shape(wrong, tmp_path):
    arrays = {name: array for name, array in {**GOOD, **wrong}.items() if array is not None}
    np.savez(tmp_path / "wrong.npz", **arrays)
    result = run(CLASSIFIER, "--data", tmp_path / "wrong.npz", "--logdir", tmp_path / "logs")
    told_in_one_line(result, "wrong.npz", "--data")
    assert not (tmp_path / "logs").exists()


def test_data_of_the_right_shape_run_however_few(tmp_path):
    """The counterpart of the test above: the same file, nothing wrong with it."""
    np.savez(tmp_path / "right.npz", **GOOD)
    options = ("--training-iters", 3840, "--lr", 0.1, "--logdir", tmp_path)
    result = run(CLASSIFIER, "--data", tmp_path / "right.npz", *options)
    assert result.status == 0 and "Testing Accuracy (all 9 images): 1.000000" in result.stdout


def test_data_missing_or_truncated(tmp_path):
    told_in_one_line(run(CLASSIFIER, "--data", tmp_path / "no.npz"), "no.npz", "--data")
    whole = (ROOT / "data" / "mnist.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    told_in_one_line(run(CLASSIFIER, "--data", tmp_path / "half.npz"), "half.npz", "--data")


def test_a_script_copied_alone_without_network(tmp_path):
    """Keras' own download fails: a line says so, and what to do."""
    script = shutil.copy(CLASSIFIER, tmp_path)
    closed = {"https_proxy": "http://127.0.0.1:9", "HOME": str(tmp_path)}
    result = run(script, env={**os.environ, **closed})
    told_in_one_line(result, "--data")


def test_a_log_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    told_in_one_line(run(CLASSIFIER, "--logdir", tmp_path / "file"), "Not a directory", "file")


def test_a_full_disk(tmp_path):
    """A limit on the size of a file stands for it: the checkpoint cannot be written."""
    limited = ["bash", "-c", 'ulimit -f 100; exec "$@"', "bash", sys.executable, CLASSIFIER]
    result = subprocess.run(
        [*limited, "--training-iters", "1280", "--logdir", tmp_path], capture_output=True, text=True
    )
    result.status = result.returncode
    told_in_one_line(result, "model.ckpt", "File too large")


def test_a_reader_of_the_lines_that_leaves(tmp_path):
    """`python mnist_lstm_classifier.py | head -1`"""
    process = start(CLASSIFIER, "--logdir", tmp_path)
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(60) == 1 and "Traceback" not in stderr
    assert "Broken pipe" in stderr.splitlines()[-1]
