"""Today's TensorFlow computes what the last TensorFlow 1.x did, from the same unchanged files.

The weights go from one to the other as a checkpoint; the batches are the same, for NumPy's seeded
generator is.
"""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT, events, only_run, run

TF1 = ROOT / ".venv-tf1" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not TF1.exists(),
    reason="needs TensorFlow 1.15: python3.7 -m venv .venv-tf1 &&"
    " .venv-tf1/bin/pip install -r tests/requirements-tf1.txt",
)


def on_both(script, *options, logdir):
    """Run a script on today's TensorFlow and on TensorFlow 1.15; return both results."""
    results = []
    for name, python in ("today", {}), ("tf1", {"python": TF1}):
        result = run(script, *options, "--logdir", logdir / name, **python)
        assert result.status == 0, result.stderr
        lines = result.stdout.splitlines()
        results.append(SimpleNamespace(lines=lines, dir=only_run(logdir / name)))
    return results


def that_starts_from(script, run_dir, folder):
    """A copy of a script whose variables start with the values of a run's checkpoint."""
    import tensorflow.compat.v1 as tf

    text = script.read_text(encoding="utf-8")
    indent, line = re.search(r"^( *)(sess\.run\(init\))$", text, re.MULTILINE).groups()
    restore = f'tf.train.Saver().restore(sess, r"{tf.train.latest_checkpoint(str(run_dir))}")'
    folder.mkdir()
    copy = folder / script.name
    copy.write_text(text.replace(line, f"{line}\n{indent}{restore}"), encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    """50 steps of the classifier on each TensorFlow, from the weights that today's drew."""
    logdir = tmp_path_factory.mktemp("classifiers")
    data = ("--data", ROOT / "data" / "mnist.npz")
    assert run(CLASSIFIER, *data, "--training-iters", 0, "--logdir", logdir / "new").status == 0
    script = that_starts_from(CLASSIFIER, only_run(logdir / "new"), logdir / "script")
    options = ("--training-iters", 6400, "--display-step", 1)
    return on_both(script, *data, *options, logdir=logdir)


@pytest.fixture(scope="module")
def regressions(tmp_path_factory):
    """50 iterations of the regression, likewise, but from weights that TensorFlow 1.15 drew."""
    logdir = tmp_path_factory.mktemp("regressions")
    assert run(REGRESSION, "--iterations", 1, "--logdir", logdir / "new", python=TF1).status == 0
    script = that_starts_from(REGRESSION, only_run(logdir / "new"), logdir / "script")
    return on_both(script, "--iterations", 50, "--network", "both", logdir=logdir)


def test_the_classifiers_first_50_losses_agree(classifiers):
    losses = [
        [float(re.search(r"Loss= (\S+),", line)[1]) for line in result.lines[:50]]
        for result in classifiers
    ]
    assert losses[0][49] < losses[0][0] / 2, "it has learned"
    np.testing.assert_allclose(*losses, atol=1e-4)


@pytest.mark.parametrize("network", ["lstm", "feedforward"])
def test_the_regressions_first_50_costs_agree(regressions, network):
    costs = [
        [point.value for point in events(result.dir / network).Scalars("cost")]
        for result in regressions
    ]
    assert len(costs[0]) == 50
    np.testing.assert_allclose(*costs, atol=1e-4)


def test_and_what_follows_2000_steps_on(regressions):
    told = [
        [float(cost) for cost in re.findall(r"\d\.\d+(?:e-\d+)?", line)]
        for result in regressions
        for line in result.lines
        if line.startswith("2000")
    ]
    assert len(told) == len(told[0]) == 2
    np.testing.assert_allclose(*told, atol=1e-4)


def test_each_reads_the_others_run_to_the_last_image(classifiers):
    """--restore: the same predictions, whoever trained, and a run that goes on where it was."""
    today, tf1 = classifiers
    for trained, python in (today, {"python": TF1}), (tf1, {}):
        tested = run(CLASSIFIER, "--restore", trained.dir, **python)
        assert tested.status == 0, tested.stderr
        assert tested.stdout.splitlines()[1:3] == trained.lines[51:53]
