"""What a user can get wrong, or find wrong, is told in one line, with a status and no traceback."""

import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import (
    CLASSIFIER,
    FEW,
    LONG,
    REGRESSION,
    ROOT,
    SMALL,
    finish,
    refused,
    run,
    start,
    told_in_one_line,
)

BAD_OPTIONS = {
    CLASSIFIER: """
        --batch-size 0          --batch-size many      --n-hidden 0        --display-step 0
        --training-iters -1     --training-iters 127   --lr 0              --lr nan
        --seed -1               --seed 4294967296      --cell gru          --rnn both
        --lr-decay linear       --epochs 3             --wait -1           --wait 1.5
        --forget-bias inf       --forget-bias nan      --xla maybe
    """,
    REGRESSION: """
        --batch-size 0          --time-steps 0         --cell-size 0       --iterations -1
        --lr inf                --pause -1             --pause nan         --pause 3601
        --seed -1               --network gru          --save fit.xyz      --save .gif
        --save no/folder/f.png
    """,
}
CASES = [
    (script, *pair)
    for script, text in BAD_OPTIONS.items()
    for pair in zip(*[iter(text.split())] * 2)
]
CASES += [
    (CLASSIFIER, "--forget-bias", "1", "--cell", "rnn"),
    (CLASSIFIER, "--xla", "on", "--rnn", "static"),
    (REGRESSION, "--save", "fit.gif", "--iterations", "0"),
    (REGRESSION, "--save", "folder.png"),
    (CLASSIFIER, "--data", ""),
    *(
        (script, "--logdir", path)
        for script in BAD_OPTIONS
        for path in ("", "ram://x", os.fsdecode(b"\xff"))
    ),
    (REGRESSION, "--save", "folder.png/fit.gif/x.png"),
]


@pytest.mark.parametrize(("script", "option", "value", "others"), [(*c[:3], c[3:]) for c in CASES])
def test_a_bad_option_is_told_with_the_usage_and_one_sentence(
    script, option, value, others, tmp_path
):
    """The sentence names the option at fault, and nothing is made."""
    (tmp_path / "folder.png").mkdir()
    result = run(script, "--logdir", tmp_path / "logs", option, value, *others, cwd=tmp_path)
    assert result.status == 2 and result.stdout == ""
    assert result.stderr.startswith(f"usage: {script.name}")
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"{script.name}: error: ") and option in last
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize(("value", "told"), [("0", "from 1e-09 to 1000"), ("1001", "1000")])
def test_a_bad_number_is_told_the_limits(value, told):
    assert told in run(CLASSIFIER, "--lr", value).stderr.splitlines()[-1]


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
        {"y_train": LABELS.astype(int) - 1},  # would be taken for a 9
        {"y_train": LABELS + 0.5},
        {"y_train": LABELS.astype(str)},
        {"x_train": np.where(IMAGES[..., :1] == 0, np.nan, IMAGES)},
        {"x_train": np.where(IMAGES[..., :1] == 0, np.inf, IMAGES)},
        {"x_test": IMAGES[:9] - 1.0},
        {"x_test": IMAGES[:9].astype(int) + 256},
        {"x_train": IMAGES.astype(str)},
        {"x_train": IMAGES.astype(object)},
    ],
    ids=[
        *("flat", "few-labels", "few-images", "no-test", "label-10", "no-labels", "label-minus-1"),
        *("label-half", "label-string", "nan", "inf", "negative", "256", "string", "object"),
    ],
)
def test_data_that_are_not_mnist(wrong, load, tmp_path):
    arrays = {name: array for name, array in {**GOOD, **wrong}.items() if array is not None}
    np.savez(tmp_path / "wrong.npz", **arrays)
    options = ("--data", tmp_path / "wrong.npz", "--logdir", tmp_path / "logs")
    line = refused(load, CLASSIFIER, *options)
    assert "wrong.npz" in line and "--data" in line
    assert not (tmp_path / "logs").exists()


def test_data_of_the_right_shape_run_however_few(tmp_path):
    """The counterpart of the test above: the same file, nothing wrong with it."""
    np.savez(tmp_path / "right.npz", **GOOD)
    options = ("--training-iters", 3840, "--lr", 0.1, "--logdir", tmp_path)
    result = run(CLASSIFIER, "--data", tmp_path / "right.npz", *options)
    assert result.status == 0 and "Testing Accuracy (all 9 images): 1.000000" in result.stdout


def test_data_that_are_no_arrays(tmp_path):
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as file:
        for name in GOOD:
            file.writestr(f"{name}.npy", b"hello")
    told_in_one_line(run(CLASSIFIER, "--data", tmp_path / "text.npz"), "text.npz", "--data")


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_a_kind_of_window_that_does_not_exist(script, tmp_path):
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    result = run(script, *FEW[script], "--logdir", tmp_path, env=environment)
    assert result.status == 0 and list(tmp_path.glob("*/*/*.png"))


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
    assert result.stdout == ""


def test_a_link_to_a_script_finds_the_data(tmp_path):
    (tmp_path / "read.py").symlink_to(CLASSIFIER)
    result = run(tmp_path / "read.py", *SMALL, "--training-iters", 0, "--logdir", tmp_path)
    assert result.status == 0 and "(all 10000 images)" in result.stdout


def test_a_log_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    told_in_one_line(run(CLASSIFIER, "--logdir", tmp_path / "file"), "Not a directory", "file")


def limited(script, blocks, *options):
    """Run a script that can write no file larger than so many blocks of 1 KiB: a full disk."""
    command = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash", sys.executable, str(script)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return finish(subprocess.Popen([*command, *map(str, options)], **pipes))


def test_a_full_disk_when_the_checkpoint_is_saved(tmp_path):
    result = limited(CLASSIFIER, 100, "--training-iters", 1280, "--logdir", tmp_path)
    told_in_one_line(result, "checkpoint", str(tmp_path), "File too large")


def test_a_full_disk_when_the_curves_are_written(tmp_path):
    """The thread that writes them flushes first: the checkpoint is smaller than the limit here.

    A graph of many nodes (28 cells in a row) makes the events large, a small network the
    checkpoint small.
    """
    small = ("--n-hidden", 2, "--rnn", "static", "--training-iters", 0)
    result = limited(CLASSIFIER, 64, *small, "--logdir", tmp_path)
    told_in_one_line(result, "File too large")
    assert list(tmp_path.glob("*/*/model.ckpt-0.index")), "it was not the checkpoint that failed"


def test_a_full_disk_in_the_regression(tmp_path):
    result = limited(REGRESSION, 8, "--iterations", 5, "--logdir", tmp_path)
    told_in_one_line(result, "File too large")


@pytest.mark.parametrize("most", [1, 255], ids=["0-to-1", "0-to-255"])
def test_images_of_floating_point(most, load, tmp_path):
    """Scaled already, or not: they reach the network as the 8-bit ones do."""
    random = np.random.RandomState(0)
    bytes_ = random.randint(0, 256, (5010, 28, 28)).astype(np.uint8)
    digits = random.randint(0, 10, 5010)
    floats = bytes_ / 255 * most
    seen = []
    for name, images in ("bytes", bytes_), ("floats", floats):
        test = {"x_test": images[:9], "y_test": digits[:9]}
        np.savez(tmp_path / f"{name}.npz", x_train=images, y_train=digits, **test)
        options = ("--data", tmp_path / f"{name}.npz", "--training-iters", 0)
        seen.append(load(CLASSIFIER, *options).mnist)
    for one, other in zip(vars(seen[0]).values(), vars(seen[1]).values()):
        np.testing.assert_allclose(one.images, other.images, atol=1e-6)


def test_a_reader_of_the_lines_that_leaves(tmp_path):
    """`python mnist_lstm_classifier.py | head -1`"""
    process = start(CLASSIFIER, *LONG, "--logdir", tmp_path)
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(60) == 1 and "Traceback" not in stderr
    assert "Broken pipe" in stderr.splitlines()[-1]
