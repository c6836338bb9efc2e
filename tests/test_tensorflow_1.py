"""Today's TensorFlow computes what 1.15 did, from the same files, weights and batches."""

import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT, events, only_run, run
from readme import edited

TF1 = ROOT / ".venv-tf1" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not TF1.exists(),
    reason="needs TensorFlow 1.15: python3.7 -m venv .venv-tf1 &&"
    " .venv-tf1/bin/pip install -r tests/requirements-tf1.txt",
)


def tensorflow_1(script, *options):
    """Run a script on TensorFlow 1.15, as `load` runs it on today's; return what it prints."""
    result = run(script, *options, python=(TF1,))
    assert result.status == 0, result.stderr
    return SimpleNamespace(out=result.stdout)


def test_the_classifiers_first_50_losses_agree_and_each_goes_on_with_the_others(
    load, small, tmp_path
):
    """1.15 trains the network that today's has made; today's tests what 1.15 has trained."""
    options = ("--data", small, "--n-hidden", 32, "--lr", 0.005, "--display-step", 1)
    made = load(CLASSIFIER, *options, "--training-iters", 0).run_dir
    copy = shutil.copytree(made, tmp_path / "mnist" / "run")
    more = ("--training-iters", 6400)
    both = [
        tensorflow_1(CLASSIFIER, "--restore", copy, *more),
        load(CLASSIFIER, "--restore", made, *more),
    ]
    losses = [np.array(re.findall(r"Loss= (\S+),", run.out), float) for run in both]
    assert len(losses[0]) == 50 and losses[0][49] < losses[0][0] / 2, "it has learned"
    np.testing.assert_allclose(*losses, atol=1e-4)
    accuracies = [
        re.findall("Testing Accuracy.*", run.out)
        for run in (both[0], load(CLASSIFIER, "--restore", copy))
    ]
    assert len(accuracies[0]) == 2 and accuracies[0] == accuracies[1]


def test_the_regressions_first_50_costs_agree_and_what_follows_2000_steps_on(load, tmp_path):
    """1.15 begins with random weights, and today's with the same ones."""
    weights = str(tmp_path / "weights")
    costs, told = [], []
    for method, tensorflow in ("save", tensorflow_1), ("restore", load):
        begin = f"sess.run(init); tf.train.Saver().{method}(sess, {weights!r})"
        script = edited(REGRESSION, [("sess.run(init)", begin)], tmp_path)
        options = ("--iterations", 50, "--network", "both", "--logdir", tmp_path / method)
        line = re.search("(?m)^2000 steps more.*", tensorflow(script, *options).out)[0]
        told.append(np.array(re.findall(r"\d\.\d+(?:e-\d+)?", line), float))
        for network in "lstm", "feedforward":
            curve = events(only_run(tmp_path / method) / network).Scalars("cost")
            costs.append([point.value for point in curve])
    assert len(costs[0]) == 50 and len(told[0]) == 2
    np.testing.assert_allclose(costs[:2], costs[2:], atol=1e-4)
    np.testing.assert_allclose(*told, atol=1e-4)
