"""Whatever ends a run early, what there is by then is kept; and a second time it ends at once."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import CLASSIFIER, FEW, LONG, REGRESSION, SMALL, events, finish, only_run, run, start

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
pytestmark = needs_posix


def wait_for(process, words):
    """Read what a run prints until a line has these words."""
    assert any(words in line for line in process.stdout), process.stderr.read()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_classifier_after_its_step(name, tmp_path):
    process = start(CLASSIFIER, *LONG, "--logdir", tmp_path)
    wait_for(process, "Iter 3840,")
    number = getattr(signal, name)
    process.send_signal(number)
    result = finish(process)
    assert result.status == 128 + number and "Traceback" not in result.stderr
    by = "Ctrl-C" if name == "SIGINT" else name
    assert f"Optimization stopped by {by}." in result.stdout
    assert "Testing Accuracy (all 10000 images)" in result.stdout
    run_dir = only_run(tmp_path)
    last = events(run_dir / "validation").Scalars("loss")[-1].step
    assert (run_dir / f"model.ckpt-{last}.index").exists() and (run_dir / "rows.png").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_regression_after_its_step(name, tmp_path):
    process = start(REGRESSION, "--iterations", 100000, "--logdir", tmp_path)
    wait_for(process, "cost:")
    process.send_signal(getattr(signal, name))
    result = finish(process)
    assert result.status == 128 + getattr(signal, name) and "Traceback" not in result.stderr
    assert "2000 steps more" in result.stdout and (only_run(tmp_path) / "fit.png").exists()


@pytest.mark.parametrize("moment", ["Iter 1280,", "Testing Accuracy:", "Testing Accuracy (all"])
def test_a_second_signal_ends_it_at_once(moment, tmp_path):
    """In training, in the test, while the pictures are drawn: no more is printed or made."""
    process = start(CLASSIFIER, *SMALL, "--training-iters", 2560, "--logdir", tmp_path)
    wait_for(process, moment)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status in (130, 143) and "Traceback" not in result.stderr
    assert "This run is in" not in result.stdout


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    """As under nohup."""
    ignored = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    options = (*SMALL, "--training-iters", 6400, "--logdir", tmp_path)
    process = start(CLASSIFIER, *options, preexec_fn=ignored)
    wait_for(process, "Iter 1280,")
    process.send_signal(signal.SIGHUP)
    result = finish(process)
    assert result.status == 0 and "Optimization Finished!" in result.stdout


@pytest.mark.parametrize(
    ("script", "last"), [(CLASSIFIER, "gradient.png"), (REGRESSION, "fit.png")]
)
def test_a_terminal_that_is_gone_does_not_keep_a_run_from_its_end(script, last, tmp_path):
    """Every write to it fails (EIO); the run goes on, and saves."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    more = ("--training-iters", "64000") if script == CLASSIFIER else ("--iterations", "60")
    command = [sys.executable, script, *FEW[script], *more, "--logdir", tmp_path]
    with subprocess.Popen(command, stdout=slave, stderr=slave) as process:
        os.close(slave)
        seen = b""
        while b"Loss" not in seen and b"cost" not in seen:
            seen += os.read(master, 4096)
        os.close(master)
    assert process.returncode == 0
    assert (only_run(tmp_path) / last).exists()
    assert list(only_run(tmp_path).glob("model.ckpt*.index"))


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_a_closed_output_does_not_matter(script, tmp_path):
    command = [sys.executable, script, *FEW[script], "--logdir", tmp_path]
    closed = ["bash", "-c", 'exec "$@" >&-', "bash", *command]
    result = subprocess.run(closed, capture_output=True, text=True)
    assert result.returncode == 0 and "Traceback" not in result.stderr
    run_dir = only_run(tmp_path)
    assert list(run_dir.glob("*.png"))
    closed = ["bash", "-c", 'exec "$@" 2>&-', "bash", *command]  # --restore would tell of --lr
    result = subprocess.run([*closed, "--lr", "0.1", "--restore", run_dir], capture_output=True)
    assert result.returncode == 0 and b"This run is in" in result.stdout


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_an_output_that_knows_no_chinese(script, tmp_path):
    """The path is printed as well as it can be."""
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = run(script, *FEW[script], "--logdir", tmp_path / "日志 1", env=ascii_only)
    assert result.status == 0, result.stderr
    assert "This run is in" in result.stdout and r"\u65e5" in result.stdout


def test_the_command_for_tensorboard_can_be_pasted(tmp_path):
    """Spaces, Chinese, quotation marks: the shell takes it as one path."""
    logdir = tmp_path / "it's 日志"
    result = run(CLASSIFIER, *SMALL, "--training-iters", 0, "--logdir", logdir)
    line = next(line for line in result.stdout.splitlines() if line.startswith("To look at it: "))
    words = ["bash", "-c", f'printf "%s\\n" {line[len("To look at it: ") :]}']
    assert subprocess.run(words, capture_output=True, text=True).stdout.splitlines() == [
        *(sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir))
    ]


def test_the_runs_folder_deleted_in_mid_run_is_told_in_one_line(tmp_path):
    process = start(CLASSIFIER, *SMALL, "--training-iters", 64000, "--logdir", tmp_path)
    wait_for(process, "Iter 1280,")
    shutil.rmtree(tmp_path / "mnist")
    result = finish(process)
    assert result.status == 1 and "Traceback" not in result.stderr
    assert "error: no checkpoint in" in result.stderr.splitlines()[-1]


def test_the_runs_folder_of_the_regression_deleted_in_mid_run(tmp_path):
    process = start(REGRESSION, "--iterations", 500, "--logdir", tmp_path)
    wait_for(process, "cost:")
    shutil.rmtree(tmp_path / "sin_cos")
    result = finish(process)
    assert result.status == 1 and "Traceback" not in result.stderr
    assert "error: no checkpoint in" in result.stderr.splitlines()[-1]
