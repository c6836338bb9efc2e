"""What the tests share: run a script as a user does, read what it left behind."""

import io
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # as in the scripts, for the tests that import TensorFlow
os.environ["MPLBACKEND"] = "agg"  # no window, unless a test asks for one

ROOT = Path(__file__).resolve().parent.parent
CLASSIFIER = ROOT / "mnist_lstm_classifier.py"
REGRESSION = ROOT / "sin_cos_regression.py"


def start(script, *options, python=sys.executable, **keywords):
    """Start a script in the background, its stdout and stderr kept apart, as text."""
    command = [str(python), str(script), *map(str, options)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes, **keywords)


def finish(process):
    """Wait for a started script; return its status, stdout and stderr."""
    stdout, stderr = process.communicate(timeout=280)
    return SimpleNamespace(status=process.returncode, stdout=stdout, stderr=stderr)


def run(script, *options, **keywords):
    """Run a script to its end; return its status, stdout and stderr."""
    return finish(start(script, *options, **keywords))


def told_in_one_line(result, *words):
    """Status 1 and one line that starts with the script's name and holds these words."""
    assert result.status == 1
    assert "Traceback" not in result.stderr
    (line,) = (line for line in result.stderr.splitlines() if "error:" in line)
    assert re.match(r"\w+\.py: error: ", line)
    assert result.stderr.splitlines()[-1] == line
    for word in words:
        assert word in line, line
    return True


def only_run(logdir):
    """Return the folder of the one run under a log folder."""
    (run_dir,) = Path(logdir).glob("*/*")
    return run_dir


def events(folder):
    """Read an event file with TensorBoard's own reader, nothing left out."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = {"scalars": 0, "images": 0, "tensors": 0, "histograms": 0, "graph": 0}
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def settings(folder):
    """The settings of a run, {name: value} as text, from its event files in a folder."""
    (text,) = events(folder).Tensors("settings")
    cells = [cell.decode() for cell in text.tensor_proto.string_val]
    return dict(zip(cells[::2], cells[1::2]))


@contextmanager
def tensorboard(logdir, **keywords):
    """TensorBoard's own server on a log folder: a function that asks it for what is at a path."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logdir, "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **keywords)
    try:
        address = next(filter(None, (re.search(r"http://\S+", line) for line in server.stderr)))[0]
        threading.Thread(target=server.stderr.read, daemon=True).start()

        def ask(path, *until):
            """Ask until the answer holds all these words: it serves at once and reads meanwhile."""
            for _ in range(60):
                with urllib.request.urlopen(f"{address}data/{path}", timeout=60) as answer:
                    told = answer.read().decode()
                if all(word in told for word in until):
                    break
                threading.Event().wait(0.5)
            return told

        yield ask
    finally:
        server.kill()
        server.wait()


def pixels(png):
    """The pixels of a PNG, given as bytes: (height, width, 4)."""
    return np.array(Image.open(io.BytesIO(png)))


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    """Run a script inside the test and return its names: graph, x, pred, cost, ..."""
    import tensorflow.compat.v1 as tf

    def load(script, *options):
        logdir = tmp_path_factory.mktemp("loaded")
        handler = signal.getsignal(signal.SIGINT)
        with pytest.MonkeyPatch.context() as patch, tf.Graph().as_default() as graph:
            patch.setattr(sys, "argv", [str(script), "--logdir", str(logdir), *map(str, options)])
            patch.setattr(sys, "excepthook", sys.excepthook)  # put back afterwards
            names = runpy.run_path(str(script), run_name="__main__")
        signal.signal(signal.SIGINT, handler)
        return SimpleNamespace(graph=graph, **names)

    return load


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The classifier's full run with the article's settings, as a user starts it."""
    logdir = tmp_path_factory.mktemp("trained")
    result = run(CLASSIFIER, "--logdir", logdir)
    assert result.status == 0, result.stderr
    return SimpleNamespace(
        lines=result.stdout.splitlines(), stderr=result.stderr, logdir=logdir, dir=only_run(logdir)
    )


@pytest.fixture(scope="session")
def mnist():
    """The four arrays of data/mnist.npz."""
    with np.load(ROOT / "data" / "mnist.npz") as npz:
        return SimpleNamespace(**npz)
