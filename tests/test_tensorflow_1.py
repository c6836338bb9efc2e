"""Today's TensorFlow computes what 1.15 did, from the same files, weights and batches."""

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


def tensorflow_1(script, *options):
    """Run a script on TensorFlow 1.15, as `load` runs it on today's; return what it prints."""
    result = run(script, *options, python=(TF1,))
    assert result.status == 0, result.stderr
    return SimpleNamespace(out=result.stdout)


def runs(script, *options, by, folder):
    """Run a script on two TensorFlows, the second from the weights that the first has drawn."""
    weights = str(folder / "weights")
    method = f"restore if os.path.exists({weights + '.index'!r}) else tf.train.Saver().save"
    begin = f"sess.run(init); (tf.train.Saver().{method})(sess, {weights!r})"
    text = script.read_text(encoding="utf-8")
    assert text.count("sess.run(init)\n") == 1
    copy = folder / script.name
    copy.write_text(text.replace("sess.run(init)", begin), encoding="utf-8")
    for name, tensorflow in zip(("first", "second"), by):
        yield tensorflow(copy, *options, "--logdir", folder / name).out, only_run(folder / name)


def test_the_classifiers_first_50_losses_agree_and_each_goes_on_with_the_others(
    load, small, tmp_path
):
    """--restore: the same predictions, whoever trained, and a run that goes on where it was."""
    options = ("--data", small, "--n-hidden", 32, "--lr", 0.005, "--display-step", 1)
    options += ("--training-iters", 6400)
    both = list(runs(CLASSIFIER, *options, by=(load, tensorflow_1), folder=tmp_path))
    losses = [np.array(re.findall(r"Loss= (\S+),", printed), float) for printed, _ in both]
    assert len(losses[0]) == 50 and losses[0][49] < losses[0][0] / 2, "it has learned"
    np.testing.assert_allclose(*losses, atol=1e-4)
    for (printed, run_dir), other in zip(both, (tensorflow_1, load)):
        tested = other(CLASSIFIER, "--restore", run_dir).out
        accuracies = re.findall("Testing Accuracy.*", tested)
        assert len(accuracies) == 2 and accuracies == re.findall("Testing Accuracy.*", printed)


def test_the_regressions_first_50_costs_agree_and_what_follows_2000_steps_on(load, tmp_path):
    options = ("--iterations", 50, "--network", "both")
    both = list(runs(REGRESSION, *options, by=(tensorflow_1, load), folder=tmp_path))
    for network in "lstm", "feedforward":
        points = [events(run_dir / network).Scalars("cost") for _, run_dir in both]
        costs = [[point.value for point in curve] for curve in points]
        assert len(costs[0]) == 50
        np.testing.assert_allclose(*costs, atol=1e-4)
    lines = [re.search("(?m)^2000 steps more.*", printed)[0] for printed, _ in both]
    told = [np.array(re.findall(r"\d\.\d+(?:e-\d+)?", line), float) for line in lines]
    assert len(told[0]) == 2
    np.testing.assert_allclose(*told, atol=1e-4)
