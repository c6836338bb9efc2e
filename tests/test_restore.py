"""A run that was killed goes on in its folder as if nothing had been, bit for bit."""

import json
import re
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import CLASSIFIER, SMALL, events, only_run, refused, start, tensorboard
from readme import EDITS, edited

# 250 steps of a small network, whose learning rate is another one at every step
OPTIONS = ("--training-iters", 250 * 32, "--batch-size", 32, "--n-hidden", 16, "--display-step", 25)
OPTIONS += ("--lr-decay", "cosine", "--lr", 0.005)
OFF = ("--xla", "off")  # where it need not be the same to the last bit
CURVES = [(part, tag) for part in ("train", "validation") for tag in ("accuracy", "loss")]
CURVES.append(("train", "gradient_at_row_1"))


def finished(load, *options, **how):
    """Run to the end; return the names, the lines of training and test, and all that was saved."""
    net = load(CLASSIFIER, *options, **how)
    net.dir = Path(net.run_dir)
    net.lines = [line for line in net.out.splitlines() if re.match("Iter|Testing", line)]
    saved = tf.train.load_checkpoint(net.run_dir)  # weights, Adam's moments, the step
    net.saved = {name: saved.get_tensor(name) for name in saved.get_variable_to_shape_map()}
    return net


def left_by_kills(folder):
    """When step N is to be saved, N/mnist/run of the folder gets what a kill would leave."""

    def save(saver, sess, path, step, save=tf.train.Saver.save, **details):
        copy = shutil.copytree(Path(path).parent, folder / f"{step}/mnist/run")
        (copy / f"model.ckpt-{step}.data-00000-of-00001").touch()  # a part of the checkpoint
        return save(saver, sess, path, step, **details)

    return patch.object(tf.train.Saver, "save", save)


@pytest.fixture(scope="module")
def whole(load, small, tmp_path_factory):
    """The run that nothing happened to, and what kills would have left."""
    kills = tmp_path_factory.mktemp("kills")
    with left_by_kills(kills):
        net = finished(load, *OPTIONS, "--data", small, drawn=True)
    net.kills = kills
    return net


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole.dir, tmp_path / "copy/mnist/run")


def steps(run_dir):
    return sorted(int(path.stem.rpartition("-")[2]) for path in run_dir.glob("model.ckpt-*.index"))


def contents(folder, names="*"):
    return {path: path.read_bytes() for path in folder.rglob(names) if path.is_file()}


def curves(folder):
    """The curves of a run, [(step, value), ...] each, by TensorBoard's Python reader."""
    read = {part: events(folder / part) for part in ("train", "validation")}
    return [[(point.step, point.value) for point in read[part].Scalars(t)] for part, t in CURVES]


def assert_nothing_happened(resumed, whole):
    """The same weights and moments to the last bit, the same lines, one whole curve of a kind."""
    np.testing.assert_equal(resumed.saved, whole.saved)
    assert resumed.lines == whole.lines[-len(resumed.lines) :]
    assert curves(resumed.dir) == curves(whole.dir)
    assert steps(resumed.dir) == steps(whole.dir) == [200, 250], "two checkpoints are kept"
    assert (resumed.dir / "run.json").read_text() == (whole.dir / "run.json").read_text()


def test_a_killed_run_goes_on_in_its_folder(whole, load, small, tmp_path):
    """Killed after step 225; before it saved step 100 and 200, which are in the curves already."""
    process = start(CLASSIFIER, *OPTIONS, "--data", small, "--logdir", tmp_path, until="Iter 7200,")
    process.kill()
    process.communicate()
    at_100, at_200 = (whole.kills / f"{step}/mnist/run" for step in (100, 200))
    for run_dir, saved in (at_100, 0), (at_200, 100), (only_run(tmp_path), 200):
        assert steps(run_dir)[-1] == saved
        assert events(run_dir / "validation").Scalars("loss")[-1].step == min(saved + 100, 200)
        resumed = finished(load, "--restore", run_dir)
        assert resumed.dir == run_dir and resumed.lines[0].startswith(f"Iter {(saved + 25) * 32},")
        assert_nothing_happened(resumed, whole)
    for load_fast in "true", "false":  # TensorBoard reads by its data server, or by Python
        ask = tensorboard(run_dir, load_fast=load_fast)
        for (part, tag), curve in zip(CURVES, curves(whole.dir)):
            points = json.loads(ask(f"plugin/scalars/scalars?run={part}&tag={tag}", ", 250, "))
            assert [(step, value) for _, step, value in points] == curve


def test_a_finished_run_is_drawn_anew_and_goes_on_with_typed_options(whole, copy, load, tmp_path):
    """And keeps these options; if they make it longer, its learning rate is the longer run's."""
    pictures = contents(copy, "*.png")
    for path in pictures:
        path.unlink()
    again = finished(load, "--restore", copy, drawn=True)
    assert again.lines == whole.lines[-2:] and len(pictures) == 4, "it is tested"
    assert contents(copy, "*.png") == pictures, "gradient.png, too, has its earlier lines"
    assert_nothing_happened(again, whole)
    # step 251 is Adam's
    at_251 = finished(load, "--restore", copy, "--training-iters", 251 * 32, *OFF).saved
    rate = 0.005 * (1 + np.cos(np.pi * 250 / 251)) / 2
    rate *= np.sqrt(1 - 0.999**251) / (1 - 0.9**251)
    for name in [name for name in whole.saved if f"{name}/Adam" in whole.saved]:
        m, v = (np.float64(at_251[f"{name}/{moment}"]) for moment in ("Adam", "Adam_1"))
        expected = whole.saved[name] - rate * m / (np.sqrt(v) + 1e-8)
        np.testing.assert_allclose(at_251[name], expected, atol=1e-8)
        assert (at_251[name] != whole.saved[name]).any(), "the shorter run's rate had come to 0"
    with left_by_kills(tmp_path):
        finished(load, "--restore", copy, "--training-iters", 350 * 32, *OFF)
    killed = tmp_path / "300/mnist/run"
    longer = finished(load, "--restore", killed)  # without a word
    assert longer.lines[0].startswith(f"Iter {275 * 32},") and len(longer.lines) == 4 + 2
    assert steps(killed) == [300, 350]
    assert f"--logdir {killed.parent.parent}\n" in longer.out, "the folder's own place"


def test_what_cannot_be_restored_is_told_in_one_sentence(copy, load, small, tmp_path, capsys):
    """What is at fault, by name; and the folder is as it was."""

    def assert_refused(word, *options, folder=copy, script=CLASSIFIER):
        before = contents(folder)
        line = refused(load, script, capsys, "--restore", folder, *OFF, *options)
        assert "--restore" in line and word in line, line
        assert contents(folder) == before

    assert_refused("output_layer/w is [16, 10], in this network [8, 10]", "--n-hidden", 8)
    assert_refused("basic_rnn_cell", "--cell", "rnn")
    narrow = edited(CLASSIFIER, EDITS["14 columns of 56 rows"][1], tmp_path)
    assert_refused("kernel is [44, 64], in this network [30, 64]", script=narrow)
    plus = edited(CLASSIFIER, [("pred = RNN(x)", "pred = RNN(x) + tf.Variable(0.0)")], tmp_path)
    options = ("--training-iters", 0, *SMALL, "--data", small)
    more = Path(load(plus, *options, "--logdir", tmp_path / "plus").run_dir)
    assert_refused("its Variable is [], in this network there is none", folder=more)
    assert_refused("[ ] * ?", folder=shutil.copytree(copy, tmp_path / "a[1]"))
    for notes in "[1]", "{", '{"options": {"lr": 1}}':
        (tmp_path / "run.json").write_text(notes)
        assert_refused("run.json", folder=tmp_path)
    data_file = copy / "model.ckpt-250.data-00000-of-00001"
    data_file.write_bytes(data_file.read_bytes().replace(b"\0", b"\1", 1))
    assert_refused("hecksum")
    (copy / "checkpoint").unlink()
    assert_refused("no checkpoint")
