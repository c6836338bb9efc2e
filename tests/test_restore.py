"""Nothing is lost: a run that was killed goes on as if it had not been, bit for bit."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, events, only_run, refused, run, start

# 250 steps of a small network, whose learning rate is another one at every step
OPTIONS = ("--training-iters", 250 * 32, "--batch-size", 32, "--n-hidden", 16, "--display-step", 5)
OPTIONS += ("--lr-decay", "cosine", "--lr", 0.005)


def variables(run_dir):
    """Everything in a run's newest checkpoint, {name: array}: weights, Adam's moments, the step."""
    import tensorflow.compat.v1 as tf

    reader = tf.train.load_checkpoint(str(run_dir))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def left_by(run_dir, stdout, stderr):
    """What a run printed, its folder, its newest checkpoint's variables."""
    lines = [line for line in stdout.splitlines() if re.match("Iter|Testing", line)]
    return SimpleNamespace(lines=lines, dir=run_dir, variables=variables(run_dir), stderr=stderr)


def trained(logdir, *options):
    """A run of the classifier, in a process of its own."""
    result = run(CLASSIFIER, *OPTIONS, *options, "--logdir", logdir)
    assert result.status == 0, result.stderr
    return left_by(only_run(logdir), result.stdout, result.stderr)


@pytest.fixture
def go_on(load, capsys):
    """A run of the classifier that goes on from another one, inside the test, which is quicker."""

    def go_on(*options):
        capsys.readouterr()
        run_dir = Path(load(CLASSIFIER, *OPTIONS, *options).run_dir)
        return left_by(run_dir, *capsys.readouterr())

    return go_on


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nothing happened to."""
    return trained(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of its folder, to be damaged."""
    return shutil.copytree(whole.dir, tmp_path / "copy")


def assert_the_same(resumed, whole):
    assert resumed.variables.keys() == whole.variables.keys()
    for name, value in whole.variables.items():
        np.testing.assert_array_equal(resumed.variables[name], value, err_msg=name)
    assert resumed.lines == whole.lines[-len(resumed.lines) :]


def killed(logdir, line):
    """Start the run, and kill it once it has printed this line."""
    process = start(CLASSIFIER, *OPTIONS, "--logdir", logdir)
    next(told for told in process.stdout if told.startswith(line))
    process.kill()
    process.communicate()
    return only_run(logdir)


def losses(folder):
    """The curve of a run: {step: loss}; empty if it was killed before the first point was there."""
    curve = events(folder)
    there = "loss" in curve.Tags()["scalars"]
    return {point.step: point.value for point in curve.Scalars("loss")} if there else {}


@pytest.mark.parametrize("step", [5, 150, 245])
def test_killed_at_a_step(step, whole, tmp_path):
    run_dir = killed(tmp_path / "killed", f"Iter {step * 32},")
    resumed = trained(tmp_path / "resumed", "--restore", run_dir)
    assert_the_same(resumed, whole)
    saved = step // 100 * 100
    assert resumed.lines[0].startswith(f"Iter {(saved + 5) * 32},"), "from the newest checkpoint on"
    for part in ("train", "validation"):
        before, after, expected = (losses(r / part) for r in (run_dir, resumed.dir, whole.dir))
        assert min(after) > saved and {**before, **after} == expected, "nor is the curve broken"


DIE_BETWEEN = """
import os, runpy, sys
import tensorflow.compat.v1 as tf

def die(saver, path):
    if path.endswith("-200"):
        os.remove(path + ".index")
        os.kill(os.getpid(), 9)
    record(saver, path)

record = tf.train.Saver._RecordLastCheckpoint
tf.train.Saver._RecordLastCheckpoint = die
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_killed_between_the_two_renames(whole, tmp_path):
    """Of checkpoint 200 there is the data, but no index: checkpoint 100 is whole."""
    command = [sys.executable, "-c", DIE_BETWEEN, CLASSIFIER, *OPTIONS, "--logdir", tmp_path / "k"]
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
    died = subprocess.run([str(word) for word in command], env=environment, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    run_dir = only_run(tmp_path / "k")
    assert (run_dir / "model.ckpt-200.data-00000-of-00001").exists()
    resumed = trained(tmp_path / "resumed", "--restore", run_dir)
    assert_the_same(resumed, whole)
    assert resumed.lines[0].startswith(f"Iter {105 * 32},")


def test_where_both_runs_have_a_step_they_have_the_same_value(whole, go_on):
    resumed = go_on("--restore", whole.dir / "model.ckpt-200")
    for part, tags in (
        ("train", ["accuracy", "loss", "gradient_at_row_1"]),
        ("validation", ["accuracy", "loss"]),
    ):
        before, after = (events(r.dir / part) for r in (whole, resumed))
        for tag in tags:
            expected = {p.step: p.value for p in before.Scalars(tag) if p.step > 200}
            assert {p.step: p.value for p in after.Scalars(tag)} == expected != {}
    assert (resumed.dir / "gradient.png").exists()


def test_a_finished_run_goes_on_if_more_images_are_asked_for(go_on):
    """With a rate that does not fall, exactly as a longer run would have."""
    steady = ("--lr-decay", "none")
    longer = ("--training-iters", 300 * 32)
    short = go_on(*steady)
    resumed = go_on(*steady, *longer, "--restore", short.dir)
    assert_the_same(resumed, go_on(*steady, *longer))
    assert len(resumed.lines) == 50 / 5 + 2


def test_with_cosine_decay_it_goes_on_by_the_longer_runs_rate(whole, go_on):
    """Step 251 is Adam's, by that rate; the shorter run's own had come to 0."""
    longer = go_on("--training-iters", 251 * 32, "--restore", whole.dir)
    at_251 = {name: np.float64(value) for name, value in longer.variables.items()}
    rate = 0.005 * (1 + np.cos(np.pi * 250 / 251)) / 2
    rate *= np.sqrt(1 - 0.999**251) / (1 - 0.9**251)
    for name, before in whole.variables.items():
        if f"{name}/Adam" in whole.variables:
            m, v = at_251[f"{name}/Adam"], at_251[f"{name}/Adam_1"]
            expected = before - rate * m / (np.sqrt(v) + 1e-8)
            np.testing.assert_allclose(at_251[name], expected, atol=1e-8)
            assert (at_251[name] != before).any()


def test_a_run_that_has_done_its_images_is_only_tested(whole, go_on):
    for images in (250 * 32, 0):
        resumed = go_on("--restore", whole.dir, "--training-iters", images)
        assert resumed.lines == whole.lines[-2:]


def test_the_newest_checkpoint_is_damaged(copy, whole, load, go_on):
    """A single flipped bit: the run's folder goes on from the one before, by name it is told."""
    data = copy / "model.ckpt-250.data-00000-of-00001"
    damaged = bytearray(data.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    data.write_bytes(damaged)
    resumed = go_on("--restore", copy)
    assert_the_same(resumed, whole)
    assert re.search(r"model.ckpt-250' is damaged.*going on from .*model.ckpt-200'", resumed.stderr)
    line = refused(load, CLASSIFIER, *OPTIONS, "--restore", copy / "model.ckpt-250")
    assert "model.ckpt-250" in line and "damaged" in line


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_truncated_checkpoint(part, copy, load):
    file = copy / f"model.ckpt-250.{part}"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    line = refused(load, CLASSIFIER, *OPTIONS, "--restore", copy / "model.ckpt-250")
    assert "model.ckpt-250" in line and "damaged" in line


def test_options_that_matter_and_differ_are_named(whole, go_on):
    told = "The run that goes on had "
    assert told not in go_on("--restore", whole.dir).stderr
    other = ("--seed", 3, "--lr", 0.004, "--restore", whole.dir)
    (line,) = (line for line in go_on(*other).stderr.splitlines() if told in line)
    assert line == f"{told}--seed 0, --lr 0.005."


def test_a_run_whose_notes_are_damaged_can_be_restored(copy, whole, load, go_on):
    """The options are only compared; without the list of checkpoints one has to be named."""
    (copy / "options.json").write_text("[1]")
    restored = go_on("--restore", copy, "--training-iters", 0)
    assert restored.lines == whole.lines[-2:]
    (copy / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-200"')  # all that it needs
    assert go_on("--restore", copy).lines == whole.lines[-10 - 2 :]
    for damaged in (b'model_checkpoint_path: "\xff"', b"", b'model_checkpoint_path: "m"'):
        (copy / "checkpoint").write_bytes(damaged)
        line = refused(load, CLASSIFIER, *OPTIONS, "--restore", copy)
        assert "no checkpoint" in line and str(copy) in line


def test_the_weights_fit_a_longer_wait(whole, go_on):
    options = ("--wait", 3, "--training-iters", 0, "--restore", whole.dir)
    assert "--wait 0" in go_on(*options).stderr


def test_what_cannot_be_restored_is_told_in_one_line(whole, load, tmp_path):
    """What it is, and for another network what differs; no folder is made."""
    (tmp_path / "empty").mkdir()
    other_script = Path(load(REGRESSION, "--iterations", 1).run_dir)
    for options, *words in (
        (("--restore", ""), "no checkpoint", "--restore"),
        (("--restore", tmp_path / "none"), "no checkpoint", "none"),
        (("--restore", tmp_path / "empty"), "no checkpoint", "empty"),
        (("--restore", whole.dir / "model.ckpt-250.index"), "no checkpoint", "-<step>"),
        (("--restore", other_script / "model.ckpt"), "another network"),
        (("--restore", shutil.copytree(whole.dir, tmp_path / "a[1]")), "a[1]", "rename"),
        (("--restore", whole.dir, "--n-hidden", 8), "another network", "16", "8"),
        (("--restore", whole.dir, "--cell", "rnn"), "another network", "basic_rnn_cell"),
    ):
        line = refused(load, CLASSIFIER, *OPTIONS, *options, "--logdir", tmp_path / "logs")
        assert all(word in line for word in words), line
    assert not (tmp_path / "logs").exists()
