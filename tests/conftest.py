"""What the tests share: run a script as a user does, or inside the test; read what it left."""

import gc
import io
import os
import re
import runpy
import signal
import sys
import threading
import urllib.request
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

# as in the scripts, for the tests that import TensorFlow; no window; a pipe is a pipe
os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
os.environ.update(MPLBACKEND="agg", PYTHONUNBUFFERED="")
os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"  # compiles small networks sooner

ROOT = Path(__file__).resolve().parent.parent
CLASSIFIER, REGRESSION = ROOT / "mnist_lstm_classifier.py", ROOT / "sin_cos_regression.py"
SMALL = ("--n-hidden", "8", "--xla", "off")  # quick, where the network does not matter


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that both workers end at the same time."""
    longest = "edits", "mnist", "restore", "machines", "sin_cos", "command_line"
    items.sort(key=lambda item: [name not in item.path.name for name in longest])


def start(script, *options, python=(sys.executable,), until=None, **keywords):
    """Start a script in the background, perhaps until it has printed a line that begins so."""
    command = list(map(str, (*python, script, *options)))
    process = Popen(command, text=True, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, **keywords)
    if until:
        assert any(line.startswith(until) for line in process.stdout), process.stderr.read()
    return process


def finish(process):
    """Wait for a started script; return its status, stdout and stderr."""
    stdout, stderr = process.communicate(timeout=580)
    return SimpleNamespace(status=process.returncode, stdout=stdout, stderr=stderr)


def run(script, *options, **keywords):
    return finish(start(script, *options, **keywords))


def refused(load, script, capsys, *options):
    """Run a script inside the test; return the sentence with which it refuses: status 2, usage."""
    capsys.readouterr()
    with pytest.raises(SystemExit, match=r"\A2\Z"):
        load(script, *options)
    usage, sentence = capsys.readouterr().err.split(f"{script.name}: error: ")
    assert usage.startswith(f"usage: {script.name}")
    assert sentence.count("\n") == 1 and "Traceback" not in usage
    return sentence


def only_run(logdir):
    (run_dir,) = Path(logdir).glob("*/*")
    return run_dir


def events(folder):
    """Read an event file with TensorBoard's own reader, nothing left out."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = dict.fromkeys(["scalars", "images", "tensors", "histograms", "graph"], 0)
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
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logdir, "--port", "0"]

    def ask(path, *until):
        """Ask until the answer holds all these words: it serves at once and reads meanwhile."""
        for _ in range(600):
            told = urllib.request.urlopen(f"{address}data/{path}", timeout=60).read().decode()
            if all(word in told for word in until):
                return told
            threading.Event().wait(0.1)
        raise TimeoutError(told)

    with Popen([*command, *options], stderr=PIPE, text=True, **keywords) as server:
        try:
            lines = (re.search(r"http://\S+", line) for line in server.stderr)
            address = next(filter(None, lines))[0]
            threading.Thread(target=server.stderr.read, daemon=True).start()
            yield ask
        finally:
            server.kill()


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    """Run a script inside the test; return its names (x, pred, cost, ...), graph and output.

    What its pictures show is computed, but drawn only with drawn=True: it takes a second or two.
    """
    import matplotlib.pyplot as plt
    import tensorflow.compat.v1  # noqa: F401

    gc.freeze()  # once, not again and again by the scripts: the network before would stay, too

    def load(script, *options, drawn=False):
        argv = [str(script), "--logdir", str(tmp_path_factory.mktemp("loaded")), *map(str, options)]
        gc.collect()  # the names of the run before: more than a hundred megabytes
        with ExitStack() as put_back, plt.rc_context(), redirect_stdout(io.StringIO()) as told:
            for number in signal.SIGINT, signal.SIGTERM:
                put_back.callback(signal.signal, number, signal.getsignal(number))
            put_back.callback(plt.close, "all")
            patch = put_back.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(sys, "argv", argv)
            patch.setattr(gc, "freeze", lambda: None)
            if not drawn:
                undrawn = MagicMock(savefig=lambda file: Path(file).touch())
                patch.setattr("matplotlib.figure.Figure", lambda **size: undrawn)
                patch.setattr(plt.Figure, "savefig", lambda self, file: Path(file).touch())
            names = runpy.run_path(str(script), run_name="__main__")
        return SimpleNamespace(graph=names["tf"].get_default_graph(), out=told.getvalue(), **names)

    return load


def restored(net):
    """A session on the graph of a script's names, with the weights that its run left."""
    with net.graph.as_default():
        sess = net.tf.Session()
        net.tf.train.Saver().restore(sess, net.tf.train.latest_checkpoint(net.run_dir))
    return sess


@pytest.fixture(scope="session")
def mnist():
    return SimpleNamespace(**np.load(ROOT / "data" / "mnist.npz"))


@pytest.fixture(scope="session")
def small(mnist, tmp_path_factory):
    """A part of MNIST as an .npz: 3,000 images to train and validate with, 500 to test with."""
    file = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(file, **{k: v[: 3000 if "train" in k else 500] for k, v in vars(mnist).items()})
    return file
