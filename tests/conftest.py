"""What the tests share: run a script as a user does, or inside the test; read what it left."""

import gc
import io
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import urllib.request
import warnings
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # as in the scripts, for the tests that import TensorFlow
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
os.environ.pop("PYTHONUNBUFFERED", None)  # a pipe is a pipe
os.environ["MPLBACKEND"] = "agg"  # no window, unless a test asks for one

ROOT = Path(__file__).resolve().parent.parent
CLASSIFIER = ROOT / "mnist_lstm_classifier.py"
REGRESSION = ROOT / "sin_cos_regression.py"
SMALL = ("--n-hidden", "8", "--xla", "off")  # quick, where the network does not matter


def start(script, *options, python=sys.executable, **keywords):
    """Start a script in the background, its stdout and stderr kept apart, as text."""
    command = [*([str(python)] if isinstance(python, (str, Path)) else python), str(script)]
    command += map(str, options)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes, **keywords)


def finish(process):
    """Wait for a started script; return its status, stdout and stderr."""
    stdout, stderr = process.communicate(timeout=580)
    return SimpleNamespace(status=process.returncode, stdout=stdout, stderr=stderr)


def run(script, *options, **keywords):
    """Run a script to its end; return its status, stdout and stderr."""
    return finish(start(script, *options, **keywords))


def refused(load, script, capsys, *options):
    """Run a script inside the test; return the sentence with which it refuses: status 2, usage."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        load(script, *options)
    assert ended.value.code == 2
    usage, sentence = capsys.readouterr().err.split(f"{script.name}: error: ")
    assert usage.startswith(f"usage: {script.name}")
    assert sentence.count("\n") == 1 and "Traceback" not in usage
    return sentence


def only_run(logdir):
    """Return the folder of the one run under a log folder."""
    (run_dir,) = Path(logdir).glob("*/*")
    return run_dir


def events(folder):
    """Read an event file with TensorBoard's own reader, nothing left out."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = {"scalars": 0, "images": 0, "tensors": 0, "histograms": 0, "graph": 0}
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def settings(run_dir):
    """The options of a run, {name: value}, as TensorBoard's HParams tab has them."""
    from tensorboard.plugins.hparams import metadata

    told = events(run_dir).SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    options = metadata.parse_session_start_info_plugin_data(told).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in options.items()}


@contextmanager
def tensorboard(logdir, *options, **keywords):
    """TensorBoard's own server on a log folder: a function that asks it for what is at a path."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logdir]
    command += ["--port", "0", *options]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **keywords)
    try:
        address = next(filter(None, (re.search(r"http://\S+", line) for line in server.stderr)))[0]
        threading.Thread(target=server.stderr.read, daemon=True).start()

        def ask(path, *until):
            """Ask until the answer holds all these words: it serves at once and reads meanwhile."""
            for _ in range(600):
                with urllib.request.urlopen(f"{address}data/{path}", timeout=60) as answer:
                    told = answer.read().decode()
                if all(word in told for word in until):
                    break
                threading.Event().wait(0.1)
            return told

        yield ask
    finally:
        server.kill()
        server.wait()


@contextmanager
def as_it_was():
    """Put back afterwards what a script sets in its process."""
    import matplotlib.pyplot as plt

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), plt.rc_context():
        try:
            yield patch
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            gc.unfreeze()
            plt.close("all")


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    """Run a script inside the test; return its names (x, pred, cost, ...), graph and output."""
    import tensorflow.compat.v1 as tf

    def load(script, *options):
        logdir = tmp_path_factory.mktemp("loaded")
        gc.collect()  # the names of the run before: more than a hundred megabytes
        with as_it_was() as patch:
            patch.setattr(sys, "argv", [str(script), "--logdir", str(logdir), *map(str, options)])
            with redirect_stdout(io.StringIO()) as output:
                names = runpy.run_path(str(script), run_name="__main__")
        return SimpleNamespace(graph=tf.get_default_graph(), out=output.getvalue(), **names)

    return load


def restored(net):
    """A session on the graph of a script's names, with the weights that its run left."""
    import tensorflow.compat.v1 as tf

    with net.graph.as_default():
        sess = tf.Session(graph=net.graph)
        saver = tf.train.Saver(tf.global_variables())
        saver.restore(sess, tf.train.latest_checkpoint(net.run_dir))
    return sess


@pytest.fixture
def started(tmp_path):
    """Start a script, and go on once it has printed its first line of training."""

    def started(script, *options):
        process = start(script, *options, "--logdir", tmp_path / "logs")
        assert any(re.match("Iter|cost", line) for line in process.stdout), process.stderr.read()
        return process

    return started


@pytest.fixture(scope="session")
def mnist():
    """The four arrays of data/mnist.npz."""
    with np.load(ROOT / "data" / "mnist.npz") as npz:
        return SimpleNamespace(**npz)


@pytest.fixture(scope="session")
def small(mnist, tmp_path_factory):
    """A part of MNIST as an .npz: 3,000 images to train and validate with, 500 to test with."""
    file = tmp_path_factory.mktemp("data") / "small.npz"
    parts = {"x_train": 3000, "y_train": 3000, "x_test": 500, "y_test": 500}
    np.savez(file, **{name: getattr(mnist, name)[:count] for name, count in parts.items()})
    return file
