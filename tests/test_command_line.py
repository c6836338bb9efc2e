"""What a user types, and what surrounds a run: a fault is told in one sentence, nothing is made."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, SMALL, events, finish, only_run, refused, run, start

BAD_OPTIONS = {
    CLASSIFIER: """--batch-size 0 --batch-size many --n-hidden 0 --display-step 0 --lr 0 --lr nan
        --lr inf --training-iters -1 --seed -1 --seed 4294967296 --cell gru --xla on
        --blank-rows 1.5 --lr-decay linear --epochs 3 --logdir a[1] --logdir /dev/null/x
        --data none.npz --restore none --restore a[1] --read none.png""",
    REGRESSION: """--batch-size 0 --time-steps 0 --cell-size 0 --iterations 0 --lr -1 --lr inf
        --pause nan --seed -1 --seed 4294967296 --network gru --save fit.png --save none/fit.gif
        --save folder.gif --logdir a[1] --logdir /dev/null/x""",
}
FOREVER = ("--training-iters", 10**9)
SHOWS_IMPORTS = (sys.executable, "-X", "importtime")
IN_A_TERMINAL = (sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) > 0)")
IN_A_TERMINAL += ("sh", "-c", 'stty rows 24 cols 80; exec "$0" "$@"', sys.executable)
each = pytest.mark.parametrize("script", BAD_OPTIONS)


@pytest.fixture
def few(small, tmp_path):
    few = (*SMALL, "--data", small, "--training-iters", 1280, "--logdir", tmp_path)
    return {CLASSIFIER: few, REGRESSION: ("--iterations", 2, "--logdir", tmp_path)}


@each
def test_a_bad_option_is_told_in_one_sentence(script, few, load, tmp_path, capsys, monkeypatch):
    """The sentence names the option at fault; in most cases TensorFlow is not even imported."""
    (tmp_path / "张三" / "folder.gif").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "张三")
    words = BAD_OPTIONS[script].split()
    for option, value in zip(words[::2], words[1::2]):
        assert option in refused(load, script, capsys, *few[script], option, value)
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")  # C:\Users\张三: TensorFlow's FileWriter knows ASCII alone
        assert "--logdir C:" in refused(load, script, capsys, "--logdir", "logs")
    result = run(script, "--lr", 0, python=SHOWS_IMPORTS)
    assert result.status == 2 and "--lr takes a positive number" in result.err
    assert "tensorflow" not in result.err, "it is not imported"
    assert os.listdir() == ["folder.gif"] and os.listdir("..") == ["张三"], "nothing is made"


def test_a_cost_that_is_not_finite_ends_the_run_but_keeps_the_network(few, load, tmp_path):
    with pytest.raises(SystemExit, match=r"At step 100 the cost is nan\. A smaller --lr may help"):
        load(CLASSIFIER, *few[CLASSIFIER], *FOREVER, "--lr", 1e38)
    assert (only_run(tmp_path) / "model.ckpt-0.index").exists()
    with pytest.raises(SystemExit, match=r"At iteration 1 a cost is not finite"):
        load(REGRESSION, "--lr", 1e38)


def test_a_script_copied_alone_downloads_mnist_as_keras_does(load, tmp_path, capsys, monkeypatch):
    alone = Path(shutil.copy(CLASSIFIER, tmp_path))
    images, labels = np.full((50, 28, 28), 51, np.uint8), np.full(50, 7, np.uint8)
    some = ((images, labels), (images[:10], labels[:10]))
    download = Mock(side_effect=[OSError("URL fetch failure"), some])  # no network here
    monkeypatch.setattr("tensorflow.compat.v1.keras.datasets.mnist.load_data", download)
    assert re.search("--data.*URL fetch failure", refused(load, alone, capsys))
    assert os.listdir(tmp_path) == [alone.name]
    net = load(alone, *SMALL, "--training-iters", 0)
    assert net.mnist.test.images.shape == (10, 784) and abs(net.mnist.test.images - 0.2).max() < 0.1
    assert net.parser.get_default("logdir") == str(tmp_path / "logs")


def test_ctrl_c_ends_at_once_before_training_and_in_training_keeps_what_there_is(few, tmp_path):
    """The step ends; everything is saved, tested and drawn. The regression: with its window."""
    process = start(CLASSIFIER, "--logdir", tmp_path, python=SHOWS_IMPORTS)
    assert any("tensorflow." in line for line in process.stderr)  # it is being imported
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == -signal.SIGINT  # 130 in a shell
    assert "Traceback" not in result.err and not os.listdir(tmp_path)

    process = start(CLASSIFIER, *few[CLASSIFIER], *FOREVER, until="Iter")
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 128 + signal.SIGINT and "Traceback" not in result.err
    assert "Optimization Stopped!" in result.out and "(all 500 images)" in result.out
    run_dir = only_run(tmp_path)
    last = events(run_dir / "validation").Scalars("loss")[-1].step
    assert (run_dir / f"model.ckpt-{last}.index").exists() and (run_dir / "rows.png").exists()


@each
def test_other_peoples_surroundings_change_no_picture(script, load, tmp_path, few):
    """A matplotlibrc, an ASCII terminal, a notebook's MPLBACKEND, a path with ~ and Chinese."""
    rc = "savefig.bbox: tight\ntext.usetex: True\naxes.facecolor: black\nfont.size: 3"
    (tmp_path / "matplotlibrc").write_text(rc)
    odd = dict(os.environ, HOME=str(tmp_path), MATPLOTLIBRC=str(tmp_path), PYTHONIOENCODING="ascii")
    odd.update(MPLBACKEND="module://a_notebooks_own", TF_CPP_MIN_LOG_LEVEL="0")
    result = run(script, *few[script], "--logdir=~/it's 日志", python=IN_A_TERMINAL, env=odd)
    assert result.status == 0 and r"\u65e5" in result.out, result.out
    assert re.search("oneDNN|rebuild TensorFlow", result.out), "log level 0 stays the user's"
    line, last = ("Iter", "10/10") if script == CLASSIFIER else ("cost", "2/2")
    assert re.search(rf"(?m)^{line}.*\d$", result.out), "lines"
    assert re.search(rf"100%\|.*{last}", result.out), "and a progress bar below them"
    net = load(script, *few[script], "--logdir", tmp_path / "it's plain", drawn=True)
    pictures = [*Path(net.run_dir).glob("*.png")]
    assert len(pictures) == (4 if script == CLASSIFIER else 1)
    for picture in pictures:
        odd_one = only_run(tmp_path / "it's 日志") / picture.name
        assert picture.read_bytes() == odd_one.read_bytes(), picture.name
    pasted = f'printf "%s\\n" {net.out.rpartition("To look at it: ")[2]}'
    words = subprocess.check_output(["bash", "-c", pasted], text=True).splitlines()
    assert words == [sys.executable, "-m", "tensorboard.main", "--logdir", f"{tmp_path}/it's plain"]
