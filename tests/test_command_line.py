"""What a user types, and what surrounds a run: a fault is told in one sentence, nothing is made."""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import (
    CLASSIFIER,
    REGRESSION,
    SMALL,
    events,
    finish,
    only_run,
    refused,
    run,
    start,
)

FEW = {CLASSIFIER: (*SMALL, "--training-iters", "1280"), REGRESSION: ("--iterations", "2")}
BAD_OPTIONS = {
    CLASSIFIER: """
        --batch-size 0      --batch-size many    --n-hidden 0      --display-step 0
        --training-iters -1 --lr 0               --lr nan          --seed -1
        --cell gru          --xla on             --blank-rows 1.5  --lr-decay linear
        --epochs 3          --logdir a[1]        --logdir file/x   --data none.npz
        --restore none      --restore a[1]       --read none.png
    """,
    REGRESSION: """
        --batch-size 0      --time-steps 0       --cell-size 0     --iterations 0
        --lr -1             --pause nan          --network gru
        --save fit.png      --save none/fit.gif  --logdir a[1]     --logdir file/x
    """,
}


@pytest.mark.parametrize("script", BAD_OPTIONS)
def test_a_bad_option_is_told_with_the_usage_and_one_sentence(
    script, load, tmp_path, capsys, monkeypatch
):
    """The sentence names the option at fault; in most cases TensorFlow is not even imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    words = BAD_OPTIONS[script].split()
    for option, value in zip(words[::2], words[1::2]):
        assert option in refused(load, script, capsys, *FEW[script], option, value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    result = run(script, "--lr", 0, python=[sys.executable, "-X", "importtime"])
    assert result.status == 2 and "--lr takes a positive number" in result.stderr
    assert "tensorflow" not in result.stderr


def test_a_log_folder_that_tensorflow_cannot_take_on_windows(load, tmp_path, capsys, monkeypatch):
    r"""C:\Users\张三: its FileWriter knows ASCII alone, and a relative path is made whole first."""
    (tmp_path / "张三").mkdir()
    monkeypatch.chdir(tmp_path / "张三")
    for script in FEW:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "name", "nt")
            assert "on Windows in ASCII" in refused(load, script, capsys, "--logdir", "logs")
    assert not list(Path.cwd().iterdir())


def test_a_cost_that_is_not_finite_ends_the_run_with_one_sentence(small, load, tmp_path):
    """What it had learned before is kept."""
    with pytest.raises(
        SystemExit, match=r"At step 100 the cost is nan\. A smaller --lr may help\."
    ):
        load(CLASSIFIER, *SMALL, "--lr", 1e38, "--data", small, "--logdir", tmp_path)
    assert (only_run(tmp_path) / "model.ckpt-0.index").exists()


def test_two_runs_of_the_same_second_have_a_folder_each(load, small, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda _: "20261124-120000")
    for script, options in FEW.items():
        options = (*options, *(("--data", small) if script == CLASSIFIER else ()))
        runs = [load(script, *options, "--logdir", tmp_path).run_dir for _ in "ab"]
        assert [os.path.basename(run) for run in runs] == ["20261124-120000", "20261124-120000+"]


def test_a_script_copied_alone_downloads_mnist_as_keras_does(load, tmp_path, capsys, monkeypatch):
    """No network here: what Keras would return, or raise, is put in its place."""
    import tensorflow.compat.v1 as tf

    def fails():
        raise OSError("URL fetch failure")

    alone = Path(shutil.copy(CLASSIFIER, tmp_path))
    monkeypatch.setattr(tf.keras.datasets.mnist, "load_data", fails)
    sentence = refused(load, alone, capsys)
    assert "--data" in sentence and "URL fetch failure" in sentence
    assert [path.name for path in tmp_path.iterdir()] == [alone.name]

    from numpy import full, uint8

    images, labels = full((50, 28, 28), 51, uint8), full(50, 7, uint8)
    some = ((images, labels), (images[:10], labels[:10]))
    monkeypatch.setattr(tf.keras.datasets.mnist, "load_data", lambda: some)
    net = load(alone, *SMALL, "--training-iters", 0)
    assert net.mnist.test.images.shape == (10, 784) and abs(net.mnist.test.images - 0.2).max() < 0.1
    assert net.parser.get_default("logdir") == str(tmp_path / "logs")


# ---- how a run is ended --------------------------------------------------------------------------


@pytest.mark.parametrize(("script", "name"), [(CLASSIFIER, "SIGINT"), (REGRESSION, "SIGTERM")])
def test_a_signal_in_training_keeps_what_there_is(script, name, started, small, tmp_path):
    """The step ends; everything is saved, tested and drawn; the status tells of the signal."""
    options = ("--data", small, *SMALL) if script == CLASSIFIER else ("--iterations", 10**9)
    process = started(script, *options, *(["--training-iters", 10**9] * (script == CLASSIFIER)))
    process.send_signal(getattr(signal, name))
    result = finish(process)
    assert result.status == 128 + getattr(signal, name) and "Traceback" not in result.stderr
    run_dir = only_run(tmp_path / "logs")
    if script == CLASSIFIER:
        assert "Optimization Stopped!" in result.stdout and "(all 500 images)" in result.stdout
        last = events(run_dir / "validation").Scalars("loss")[-1].step
        assert (run_dir / f"model.ckpt-{last}.index").exists() and (run_dir / "rows.png").exists()
    else:
        assert "2000 steps more" in result.stdout and (run_dir / "fit.png").exists()
        assert events(run_dir / "lstm").Scalars("cost") and list(run_dir.glob("model.ckpt*.index"))


def test_a_second_signal_ends_it_at_once(started, small):
    """While the network is tested and drawn: no more is printed or made."""
    process = started(CLASSIFIER, *SMALL, "--training-iters", 10**9, "--data", small)
    process.send_signal(signal.SIGTERM)
    assert any(line.startswith("Optimization Stopped") for line in process.stdout)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == -signal.SIGINT and "This run is in" not in result.stdout


def test_ctrl_c_before_training_ends_at_once_without_a_traceback(tmp_path):
    """While TensorFlow is being imported: Python tells of each module once it is there."""
    process = start(CLASSIFIER, "--logdir", tmp_path, python=[sys.executable, "-X", "importtime"])
    assert any("tensorflow." in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == -signal.SIGINT  # 130 in a shell
    assert "Traceback" not in result.stderr and not list(tmp_path.iterdir())


# ---- what surrounds it ---------------------------------------------------------------------------


def test_a_terminal_gets_a_progress_bar_below_the_lines(tmp_path, small):
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # a usual terminal
    few = (*FEW[CLASSIFIER], "--data", str(small), "--logdir", str(tmp_path))
    command = [sys.executable, str(CLASSIFIER), *few]
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.DEVNULL) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                seen += os.read(master, 4096)
            except OSError:  # the end, on Linux
                break
    os.close(master)
    assert process.returncode == 0
    assert b"100%|" in seen and b"10/10" in seen
    assert re.search(rb"Iter 1280, Minibatch Loss= \S+, Training Accuracy= \S+\r?\n", seen)


@pytest.mark.parametrize("script", FEW)
def test_other_peoples_surroundings(script, load, tmp_path, small):
    """A matplotlibrc, an ASCII stdout, a notebook's MPLBACKEND, a path with a ~ and Chinese in it.

    The pictures are what they are without all that, and the command for TensorBoard can be pasted.
    """
    rc = "savefig.bbox: tight\ntext.usetex: True\naxes.facecolor: black\nfont.size: 3\n"
    (tmp_path / "matplotlibrc").write_text(rc)
    odd = {"MATPLOTLIBRC": tmp_path, "PYTHONIOENCODING": "ascii", "HOME": tmp_path}
    odd = {**os.environ, **{name: str(value) for name, value in odd.items()}}
    odd.update(MPLBACKEND="module://a_notebooks_own", TF_CPP_MIN_LOG_LEVEL="0")
    odd.pop("PYTHONUTF8", None)
    options = (*FEW[script], *(("--data", small) if script == CLASSIFIER else ()))
    result = run(script, *options, "--logdir=~/it's 日志", env=odd)
    assert result.status == 0 and r"\u65e5" in result.stdout, result.stderr
    assert re.search("oneDNN|rebuild TensorFlow", result.stderr), "log level 0 stays the user's"
    net = load(script, *options, "--logdir", tmp_path / "it's plain")
    pictures = list(Path(net.run_dir).glob("*.png"))
    for picture in pictures:
        odd_one = only_run(tmp_path / "it's 日志") / picture.name
        assert picture.read_bytes() == odd_one.read_bytes(), picture.name
    assert len(pictures) == (4 if script == CLASSIFIER else 1)
    command = net.out.splitlines()[-1][len("To look at it: ") :]
    words = subprocess.run(["bash", "-c", f'printf "%s\\n" {command}'], capture_output=True)
    pasted = [sys.executable, "-m", "tensorboard.main", "--logdir", str(tmp_path / "it's plain")]
    assert words.stdout.decode().splitlines() == pasted


def test_both_scripts_have_the_same_set_up():
    """It stands twice, so that each script can be read, copied and run alone."""
    blocks = []
    for script in FEW:
        text = script.read_text(encoding="utf-8")
        block = text.split("# ==== TensorFlow 1.x")[1].split("\n# ====")[0]
        blocks.append(re.sub(r"^(import|from) .*\n", "", block, flags=re.MULTILINE))
    assert blocks[0] == blocks[1] and "set_random_seed" in blocks[0]
