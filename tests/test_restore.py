"""A run that was killed goes on in its folder as if nothing had been, bit for bit."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import CLASSIFIER, events, only_run, refused, start, tensorboard

# 250 steps of a small network, whose learning rate is another one at every step
OPTIONS = ("--training-iters", 250 * 32, "--batch-size", 32, "--n-hidden", 16, "--display-step", 5)
OPTIONS += ("--lr-decay", "cosine", "--lr", 0.005)
CURVES = {"train": ["accuracy", "loss", "gradient_at_row_1"], "validation": ["accuracy", "loss"]}


def variables(run_dir):
    """Everything in a run's newest checkpoint, {name: array}: weights, Adam's moments, the step."""
    import tensorflow.compat.v1 as tf

    reader = tf.train.load_checkpoint(str(run_dir))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def steps(run_dir):
    """The steps of the checkpoints in a folder."""
    return sorted(int(path.stem.rpartition("-")[2]) for path in run_dir.glob("model.ckpt-*.index"))


@pytest.fixture(scope="module")
def finished(load):
    """Run the classifier to its end: its lines of training and test, folder and variables."""

    def finished(*options):
        net = load(CLASSIFIER, *options)
        lines = [line for line in net.out.splitlines() if re.match("Iter|Testing", line)]
        run_dir = Path(net.run_dir)
        return SimpleNamespace(lines=lines, dir=run_dir, variables=variables(run_dir), out=net.out)

    return finished


@pytest.fixture(scope="module")
def whole(finished, small):
    """The run that nothing happened to."""
    return finished(*OPTIONS, "--data", small)


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of its folder."""
    return shutil.copytree(whole.dir, tmp_path / "copy" / "mnist" / "run")


def killed(line, *options):
    """Kill a run once it has printed this line."""
    process = start(CLASSIFIER, *options)
    assert any(told.startswith(line) for told in process.stdout), process.stderr.read()
    process.kill()
    process.communicate()


def curves(folder):
    """The curves of a run, by TensorBoard's Python reader: {(part, tag): [(step, value), ...]}."""
    found = {}
    for part, tags in CURVES.items():
        there = events(folder / part)
        for tag in tags:
            found[part, tag] = [(point.step, point.value) for point in there.Scalars(tag)]
    return found


def served_curves(folder, load_fast):
    """The same, as TensorBoard's server answers; load_fast: by its data server, or by Python."""
    found = {}
    with tensorboard(folder, f"--load_fast={load_fast}") as ask:
        for part, tags in CURVES.items():
            for tag in tags:
                query = f"plugin/scalars/scalars?run={part}&tag={tag}"
                points = json.loads(ask(query, ", 250, "))
                found[part, tag] = [(step, value) for _, step, value in points]
    return found


def assert_nothing_happened(resumed, whole):
    """The same weights and moments to the last bit, the same lines, one whole curve of a kind."""
    assert resumed.variables.keys() == whole.variables.keys()
    for name, value in whole.variables.items():
        np.testing.assert_array_equal(resumed.variables[name], value, err_msg=name)
    assert resumed.lines == whole.lines[-len(resumed.lines) :]
    assert curves(resumed.dir) == curves(whole.dir)
    assert steps(resumed.dir) == steps(whole.dir) == [200, 250], "two checkpoints are kept"
    notes = [json.loads((r.dir / "run.json").read_text()) for r in (resumed, whole)]
    assert notes[0] == notes[1], "the options, and what gradient.png shows"


@pytest.mark.parametrize("step", [5, 245])
def test_killed_at_a_step(step, whole, finished, small, tmp_path):
    killed(f"Iter {step * 32},", *OPTIONS, "--data", small, "--logdir", tmp_path)
    run_dir = only_run(tmp_path)
    resumed = finished("--restore", run_dir)
    assert resumed.dir == run_dir, "it goes on in the same folder"
    assert resumed.lines[0].startswith(f"Iter {(step // 100 * 100 + 5) * 32},")
    assert_nothing_happened(resumed, whole)


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


def test_killed_while_it_saved(whole, finished, small, tmp_path):
    """Step 200 is in the curves already, and of its checkpoint there is a half: 100 is whole."""
    command = [sys.executable, "-c", DIE_BETWEEN, CLASSIFIER, *OPTIONS]
    command += ["--data", small, "--logdir", tmp_path]
    died = subprocess.run([str(word) for word in command], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    run_dir = only_run(tmp_path)
    assert (run_dir / "model.ckpt-200.data-00000-of-00001").exists() and steps(run_dir) == [0, 100]
    assert events(run_dir / "validation").Scalars("loss")[-1].step == 200
    resumed = finished("--restore", run_dir)
    assert resumed.lines[0].startswith(f"Iter {105 * 32},")
    assert_nothing_happened(resumed, whole)
    for load_fast in "true", "false":
        assert served_curves(run_dir, load_fast) == curves(whole.dir)


def test_options_that_are_typed_win_and_are_kept(copy, finished):
    """A finished run goes on for longer, is killed, and goes on again without a word."""
    killed(f"Iter {255 * 32},", "--restore", copy, "--training-iters", 350 * 32)
    resumed = finished("--restore", copy)
    assert resumed.lines[0].startswith(f"Iter {255 * 32},") and len(resumed.lines) == 20 + 2
    assert steps(copy) == [300, 350]
    assert f"--logdir {copy.parent.parent}\n" in resumed.out, "the folder's own place"


def test_with_cosine_decay_it_goes_on_by_the_longer_runs_rate(whole, copy, finished):
    """Step 251 is Adam's, by that rate; the shorter run's own had come to 0."""
    longer = finished("--restore", copy, "--training-iters", 251 * 32)
    at_251 = {name: np.float64(value) for name, value in longer.variables.items()}
    rate = 0.005 * (1 + np.cos(np.pi * 250 / 251)) / 2
    rate *= np.sqrt(1 - 0.999**251) / (1 - 0.9**251)
    for name, before in whole.variables.items():
        if f"{name}/Adam" in whole.variables:
            m, v = at_251[f"{name}/Adam"], at_251[f"{name}/Adam_1"]
            expected = before - rate * m / (np.sqrt(v) + 1e-8)
            np.testing.assert_allclose(at_251[name], expected, atol=1e-8)
            assert (at_251[name] != before).any()


def test_a_finished_run_is_tested_and_drawn_anew(whole, copy, finished):
    """gradient.png keeps its earlier lines, and nothing is measured twice."""
    pictures = {path: path.read_bytes() for path in copy.glob("*.png")}
    for path in pictures:
        path.unlink()
    again = finished("--restore", copy)
    assert again.lines == whole.lines[-2:] and len(pictures) == 4
    assert {path: path.read_bytes() for path in copy.glob("*.png")} == pictures
    assert_nothing_happened(again, whole)


def test_what_cannot_be_restored_is_told_in_one_sentence(copy, load, tmp_path, capsys):
    """What is at fault, by name; and the folder is as it was."""
    data_file = copy / "model.ckpt-250.data-00000-of-00001"
    damaged = bytearray(data_file.read_bytes())
    damaged[len(damaged) // 2] ^= 1

    def assert_refused(word, folder=copy, options=()):
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        line = refused(load, CLASSIFIER, capsys, "--restore", folder, *options)
        assert "--restore" in line and word in line, line
        assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert_refused("lhs shape", options=("--n-hidden", 8))
    assert_refused("basic_rnn_cell", options=("--cell", "rnn"))
    assert_refused("[ ] * ?", folder=shutil.copytree(copy, tmp_path / "a[1]"))
    assert_refused("run.json", folder=tmp_path)
    for notes in "[1]", "{", '{"options": {"lr": 1}}':
        (tmp_path / "run.json").write_text(notes)
        assert_refused("run.json", folder=tmp_path)
    data_file.write_bytes(damaged)
    assert_refused("hecksum")
    (copy / "checkpoint").unlink()
    assert_refused("no checkpoint")
