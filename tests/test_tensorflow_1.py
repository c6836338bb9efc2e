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


def on_both(logdir, script, *options):
    """Run a script on today's TensorFlow and on TensorFlow 1.15; return both results."""
    results = []
    for name, python in ("today", {}), ("tf1", {"python": TF1}):
        result = run(script, *options, "--logdir", logdir / name, **python)
        assert result.status == 0, result.stderr
        results.append(
            SimpleNamespace(lines=result.stdout.splitlines(), dir=only_run(logdir / name))
        )
    return results


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    """50 steps of the classifier on each TensorFlow, from the weights that today's drew."""
    logdir = tmp_path_factory.mktemp("classifiers")
    assert run(CLASSIFIER, "--training-iters", 0, "--logdir", logdir / "new").status == 0
    new = ("--restore", only_run(logdir / "new"))
    return on_both(logdir, CLASSIFIER, *new, "--training-iters", 6400, "--display-step", 1)


@pytest.fixture(scope="module")
def regressions(tmp_path_factory):
    """50 iterations of the regression, likewise, but from weights that TensorFlow 1.15 drew."""
    logdir = tmp_path_factory.mktemp("regressions")
    zero = ("--iterations", 0, "--network", "both")
    assert run(REGRESSION, *zero, "--logdir", logdir / "new", python=TF1).status == 0
    new = ("--restore", only_run(logdir / "new"))
    return on_both(logdir, REGRESSION, *new, "--iterations", 50, "--network", "both")


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


def test_each_reads_the_others_checkpoint_to_the_last_image(classifiers, tmp_path):
    for number, trained in enumerate(classifiers):
        options = ("--restore", trained.dir, "--training-iters", 0)
        for tested in on_both(tmp_path / str(number), CLASSIFIER, *options):
            assert tested.lines[1:3] == trained.lines[51:53]


def test_each_goes_on_with_the_others_sequence(regressions, tmp_path):
    """2,000 steps of a restored network, from an empty memory."""
    for number, trained in enumerate(regressions):
        options = ("--restore", trained.dir, "--iterations", 0, "--network", "both")
        told = [
            [float(cost) for cost in re.findall(r"\d\.\d+(?:e-\d+)?", result.lines[1])]
            for result in on_both(tmp_path / str(number), REGRESSION, *options)
        ]
        assert len(told[0]) == 2
        np.testing.assert_allclose(*told, atol=1e-5)
