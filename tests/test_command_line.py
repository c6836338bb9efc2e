"""What a user types, and what surrounds a run: a fault is told in one sentence, nothing is made."""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import (
    CLASSIFIER,
    REGRESSION,
    ROOT,
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
        --restore none      --restore a[1]
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
    result = run(script, "--lr", 0)
    assert result.status == 2 and result.stderr.endswith("--lr takes a positive number\n")


def test_a_cost_that_is_not_finite_ends_the_run_with_one_sentence(small, tmp_path):
    """What it had learned before is kept."""
    options = (*SMALL, "--lr", 1e38, "--training-iters", 64000, "--data", small)
    result = run(CLASSIFIER, *options, "--logdir", tmp_path)
    assert result.status == 1
    assert result.stderr.splitlines()[-1] == "At step 100 the cost is nan. A smaller --lr may help."
    assert "Traceback" not in result.stderr
    assert (only_run(tmp_path) / "model.ckpt-0.index").exists()


def test_a_mistake_in_an_edit_is_shown_whole(small, tmp_path):
    """A learner sees the traceback, with the number of the line."""
    text = CLASSIFIER.read_text(encoding="utf-8")
    line = "batch_x = batch_x.reshape(batch_size, n_step, n_input)"
    assert text.count(line) == 1
    script = tmp_path / CLASSIFIER.name
    script.write_text(text.replace(line, f"{line}; batch_y = batch_y[:-1]"), encoding="utf-8")
    result = run(script, *FEW[CLASSIFIER], "--data", small)
    assert result.status == 1 and "Traceback" in result.stderr
    assert "InvalidArgumentError" in result.stderr and "sess.run(optimizer" in result.stderr


# ---- how a run is ended --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_regression_ends_after_its_step(name, started):
    process = started(REGRESSION, "--iterations", 100000)
    process.send_signal(getattr(signal, name))
    result = process.finish()
    assert result.status == 128 + getattr(signal, name) and "Traceback" not in result.stderr
    run_dir = only_run(process.logdir)
    assert "2000 steps more" in result.stdout and (run_dir / "fit.png").exists()
    assert events(run_dir / "lstm").Scalars("cost") and list(run_dir.glob("model.ckpt*.index"))


def test_a_second_signal_ends_it_at_once(started, small):
    """While the network is tested and drawn: no more is printed or made."""
    process = started(CLASSIFIER, *SMALL, "--training-iters", 10**9, "--data", small)
    process.send_signal(signal.SIGTERM)
    assert any(line.startswith("Optimization Stopped") for line in process.stdout)
    process.send_signal(signal.SIGINT)
    result = process.finish()
    assert result.status == -signal.SIGINT and "This run is in" not in result.stdout


def test_ctrl_c_before_training_ends_at_once_without_a_traceback(tmp_path):
    """While TensorFlow is being imported: Python tells of each module once it is there."""
    process = start(CLASSIFIER, "--logdir", tmp_path, python=[sys.executable, "-X", "importtime"])
    assert any("tensorflow." in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == -signal.SIGINT  # 130 in a shell
    assert "Traceback" not in result.stderr and not list(tmp_path.iterdir())


def test_a_mistake_in_the_loop_leaves_the_signals_as_they_were(load, small, tmp_path):
    """In a notebook, the stop button would otherwise be dead from then on."""
    text = CLASSIFIER.read_text(encoding="utf-8").replace("% display_step == 0", "% None")
    (tmp_path / CLASSIFIER.name).write_text(text, encoding="utf-8")
    after = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            signal, "signal", lambda *pair, set=signal.signal: after.append(pair) or set(*pair)
        )
        with pytest.raises(TypeError) as error:
            load(tmp_path / CLASSIFIER.name, *FEW[CLASSIFIER], "--data", small)
    assert "training_steps" not in str(error.traceback[-1])
    assert [handler for _, handler in after[-4:-2]] == [signal.SIG_DFL, signal.SIG_DFL]


# ---- what surrounds it ---------------------------------------------------------------------------


def test_each_line_appears_when_it_is_printed_also_in_a_pipe(started, small):
    """`python mnist_lstm_classifier.py | tee log`: the first line comes long before the end."""
    process = started(CLASSIFIER, *SMALL, "--training-iters", 10**9, "--data", small)
    process.kill()
    assert process.finish().status == -signal.SIGKILL


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


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_other_peoples_surroundings(script, tmp_path, small):
    """A matplotlibrc, an ASCII stdout, a notebook's MPLBACKEND, a path with a ~ and Chinese in it.

    The pictures are what they are without all that, and the command for TensorBoard can be pasted.
    """
    rc = "savefig.bbox: tight\ntext.usetex: True\naxes.facecolor: black\nfont.size: 3\n"
    (tmp_path / "matplotlibrc").write_text(rc)
    odd = {"MATPLOTLIBRC": tmp_path, "PYTHONIOENCODING": "ascii", "HOME": tmp_path}
    odd = {**os.environ, **{name: str(value) for name, value in odd.items()}}
    odd["MPLBACKEND"] = "module://a_notebooks_own"
    odd["TF_CPP_MIN_LOG_LEVEL"] = "0"
    odd.pop("PYTHONUTF8", None)
    options = (*FEW[script], *(("--data", small) if script == CLASSIFIER else ()))
    results = [
        run(script, *options, "--logdir=~/it's 日志", env=odd),
        run(script, *options, "--logdir", tmp_path / "plain"),
    ]
    assert [result.status for result in results] == [0, 0], results[0].stderr
    assert r"\u65e5" in results[0].stdout
    for a in only_run(tmp_path / "it's 日志").glob("*.png"):
        b = only_run(tmp_path / "plain") / a.name
        assert a.read_bytes() == b.read_bytes(), a.name
    chatter = "oneDNN|rebuild TensorFlow|MLIR"  # log level 0 stays the user's
    assert re.search(chatter, results[0].stderr) and not re.search(chatter, results[1].stderr)
    last = run(script, *options, "--logdir", tmp_path / "it's 日志").stdout.splitlines()[-1]
    words = ["bash", "-c", f'printf "%s\\n" {last[len("To look at it: ") :]}']
    assert subprocess.run(words, capture_output=True, text=True).stdout.splitlines() == [
        *(sys.executable, "-m", "tensorboard.main", "--logdir", str(tmp_path / "it's 日志"))
    ]


def test_two_runs_of_the_same_second_have_a_folder_each(load, small, tmp_path, monkeypatch):
    import time

    monkeypatch.setattr(time, "strftime", lambda _: "20261124-120000")
    for script, options in FEW.items():
        options = (*options, *(("--data", small) if script == CLASSIFIER else ()))
        names = [
            os.path.basename(load(script, *options, "--logdir", tmp_path).run_dir) for _ in "ab"
        ]
        assert names == ["20261124-120000", "20261124-120000+"]


def test_a_script_without_network_or_data_says_so(tmp_path, load, capsys, monkeypatch):
    """Copied alone, it downloads as Keras does; that may fail."""
    import tensorflow.compat.v1 as tf

    def fails():
        raise OSError("URL fetch failure")

    monkeypatch.setattr(tf.keras.datasets.mnist, "load_data", fails)
    sentence = refused(load, Path(shutil.copy(CLASSIFIER, tmp_path)), capsys)
    assert (
        "--data" in sentence
        and "URL fetch failure" in sentence
        and not (tmp_path / "logs").exists()
    )


def test_both_scripts_have_the_same_set_up():
    """It stands twice, so that each script can be read, copied and run alone."""
    blocks = []
    for script in CLASSIFIER, REGRESSION:
        text = script.read_text(encoding="utf-8")
        block = text.split("# ==== TensorFlow 1.x")[1].split("\n# ====")[0]
        blocks.append(re.sub(r"^(import|from) .*\n", "", block, flags=re.MULTILINE))
    assert blocks[0] == blocks[1] and "set_random_seed" in blocks[0]
    assert not (ROOT / "common.py").exists()
