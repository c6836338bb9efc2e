"""What the tests share: run a script as a user does, or inside the test; read what it left."""

import gc
import io
import os
import runpy
import sys
import time
import urllib.request
from contextlib import redirect_stdout
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from types import SimpleNamespace

import numpy as np
import pytest

# as in the scripts, for the tests that import TensorFlow; no window; a pipe is a pipe
os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
os.environ.update(MPLBACKEND="agg", PYTHONUNBUFFERED="")
os.environ.update(XLA_FLAGS="--xla_backend_optimization_level=0")  # compiles small networks sooner

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
    """Wait for a started script; return its status, output and error output."""
    out, err = process.communicate(timeout=580)
    return SimpleNamespace(status=process.returncode, out=out, err=err)


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
    from tensorboard.backend.event_processing import event_accumulator as reader

    return reader.EventAccumulator(str(folder), reader.STORE_EVERYTHING_SIZE_GUIDANCE).Reload()


def cost_curves(run_dir):
    """The two curves of a run of the regression: (2, iterations)."""
    found = [events(f"{run_dir}/{name}").Scalars("cost") for name in ("lstm", "feedforward")]
    assert [[point.step for point in curve] for curve in found] == 2 * [[*range(len(found[0]))]]
    return np.array([[point.value for point in curve] for curve in found])


def settings(run_dir):
    """The options of a run, {name: value}, as TensorBoard's HParams tab has them."""
    from tensorboard.plugins.hparams import metadata

    told = events(run_dir).SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    options = metadata.parse_session_start_info_plugin_data(told).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in options.items()}


def tensorboard(logdir, **options):
    """Start TensorBoard's own server on a log folder; return a function that asks it for a path."""
    from tensorboard.program import TensorBoard

    server = TensorBoard()
    server.configure(logdir=str(logdir), port=0, reload_interval=0, **options)  # reads once
    address = server.launch()

    def ask(path, *until):
        """Ask until the answer holds all these words: it serves at once and reads meanwhile."""
        for _ in range(600):
            told = urllib.request.urlopen(f"{address}data/{path}", timeout=60).read().decode()
            if all(word in told for word in until):
                return told
            time.sleep(0.1)
        raise TimeoutError(told)

    return ask


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    """Run a script inside the test; return its names (x, pred, cost, ...), graph and output.

    Drawing takes seconds: unless drawn=True, the figures are made, but their files are empty.
    """
    import matplotlib.pyplot as plt
    import tensorflow.compat.v1  # noqa: F401

    gc.freeze()  # once, not again and again by the scripts: the network before would stay, too

    def load(script, *options, drawn=False):
        argv = [str(script), "--logdir", str(tmp_path_factory.mktemp("loaded")), *map(str, options)]
        plt.close("all")
        gc.collect()  # the names of the run before: more than a hundred megabytes
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, plt.rc_context(), redirect_stdout(out):
            patch.setattr(sys, "argv", argv)
            patch.setattr(gc, "freeze", lambda: None)
            if not drawn:
                patch.setattr(plt.Figure, "savefig", lambda figure, file: Path(file).touch())
            names = runpy.run_path(str(script), run_name="__main__")
        return SimpleNamespace(graph=names["tf"].get_default_graph(), out=out.getvalue(), **names)

    return load


@pytest.fixture(scope="session")
def mnist():
    return SimpleNamespace(**np.load(ROOT / "data" / "mnist.npz"))


@pytest.fixture(scope="session")
def small(mnist, tmp_path_factory):
    """A part of MNIST as an .npz: 3,000 images to train and validate with, 500 to test with."""
    file = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(file, **{k: v[: 3000 if "train" in k else 500] for k, v in vars(mnist).items()})
    return file
