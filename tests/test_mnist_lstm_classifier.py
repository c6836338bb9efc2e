"""The classifier: its graph, a full run from the command line, and everything the run leaves."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSIFIER, SMALL, events, run, settings, tensorboard
from network import restored
from readme import edited
from test_edits import DECAYED

WATCHED = [*range(0, 800, 100), 781]
ITER = r"Iter (\d+), Minibatch Loss= (\d+\.\d{6}), Training Accuracy= ([01]\.\d{5})"
PICTURES = "mistakes", "rows", "inside", "gradient"
SOME = "compiled(cost), global_step)", "compiled(cost), global_step, [w, b])"
FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist


@pytest.mark.parametrize(("edit", "batch_size"), [([], 1), ([DECAYED], 33), ([SOME], 33)])
def test_compiled_or_not_or_static_it_is_the_same(edit, batch_size, load, small, tmp_path):
    """pred, cost, gradients, and Adam's first step: it is lr, or 0 for weights left out."""
    script, found = edited(CLASSIFIER, edit, tmp_path), []
    options = ("--data", small, "--n-hidden", 16, "--lr", 0.01, "--training-iters", 0)
    for kind in [(), ("--xla", "off"), ("--static-rnn",)][: 2 if edit else 3]:
        net = load(script, *options, *kind)
        given = net.feed(net.mnist.test, slice(batch_size))
        with net.graph.as_default(), restored(net) as sess:
            weights = net.tf.trainable_variables()
            gradients = net.tf.gradients(net.cost, weights)
            before, *numbers = sess.run([weights, net.pred, net.cost, *gradients], given)
            sess.run(net.optimizer, given)
            found.append((numbers, sess.run(weights)))
    for numbers, after in found:
        for one, other in zip(numbers, found[0][0]):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        for weight, old, new, other in zip(weights, before, after, found[0][1]):
            np.testing.assert_allclose(new, other, atol=2e-4)
            left_out = edit == [SOME] and weight not in (net.w, net.b)
            assert (new == old).all() if left_out else np.abs(new - old).max() > 5e-3


def test_cosine_decay_blank_rows_and_the_forget_bias_are_what_they_are_called(load, small):
    options = ("--training-iters", 1280, "--lr", 0.008, "--lr-decay", "cosine", "--data", small)
    net = load(CLASSIFIER, *SMALL, *options, "--blank-rows", 5, "--forget-bias", 3)
    with restored(net) as sess:
        rates = []
        for step in 0, 5, 10:
            net.global_step.load(step, sess)
            rates.append(sess.run(net.lr))
        weights = sess.run(net.graph.get_collection("trainable_variables", "rnn"))
    np.testing.assert_allclose(rates, [0.008, 0.004, 0], atol=1e-9)
    assert net.x.shape.as_list() == [None, 33, 28]
    for images in net.mnist.train.next_batch(9, 1)[0], net.mnist.test.images[:9]:
        images = images.reshape(9, 33, 28)
        assert images[:, :28].any((1, 2)).all() and not images[:, 28:].any(), "below the image"
    _, f, *_ = net.inside(net.mnist.test.images[3].reshape(33, 28), *weights)
    assert f[0].mean() == pytest.approx(1 / (1 + np.exp(-3)), abs=0.02), "a blank row: σ(3)"
    assert "inside.png is left out" not in net.out, "the equations are the cell's: it has that bias"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The classifier's full run with the article's settings, as a user starts it."""
    logdir = tmp_path_factory.mktemp("trained")
    result = run(CLASSIFIER, "--logdir", logdir, env={**os.environ, "XLA_FLAGS": ""})
    assert result.status == 0, result.err
    result.lines, (result.dir,) = result.out.splitlines(), logdir.glob("*/*")
    result.iters = [re.fullmatch(ITER, line).groups() for line in result.lines[:78]]
    return result


def test_a_run_prints_the_articles_lines_learns_to_read_and_leaves_its_folder(trained):
    """100,000 images, 128 a step: 781 steps, every tenth printed, then the test."""
    assert [int(images) for images, _, _ in trained.iters] == list(range(1280, 100000, 1280))
    assert float(trained.iters[0][1]) > 1.5 and float(trained.iters[77][1]) < 0.3
    assert trained.lines[78] == "Optimization Finished!"
    for line, name in zip(trained.lines[79:81], ("Accuracy", r"Accuracy \(all 10000 images\)")):
        assert float(re.fullmatch(rf"Testing {name}: ([01]\.\d{{6}})", line)[1]) >= 0.95
    command = f"{sys.executable} -m tensorboard.main --logdir {trained.dir.parents[1]}"
    assert trained.lines[81:] == [f"This run is in {trained.dir}", f"To look at it: {command}"]
    for line in trained.err.splitlines():  # what TensorFlow's C++ says before Python has a say
        assert "cuda" in line.lower() or "before absl::InitializeLog()" in line, line
    assert re.fullmatch(r"\d{8}-\d{6}", trained.dir.name) and trained.dir.parent.name == "mnist"
    files = ["checkpoint", "run.json", "tfevents.test", "train", "validation"]
    files += [f"model.ckpt-{n}.{of}" for n in (700, 781) for of in ("data-00000-of-00001", "index")]
    assert sorted(os.listdir(trained.dir)) == sorted(files + [f"{name}.png" for name in PICTURES])


def test_tensorboard_gets_curves_histograms_settings_pictures_and_the_graph(trained):
    train, validation = events(trained.dir / "train"), events(trained.dir / "validation")
    assert validation.Tags()["scalars"] == ["accuracy", "loss"]
    assert set(train.Tags()["scalars"]) == {"accuracy", "loss", "gradient_at_row_1"}
    for tag, group in (("loss", 1), ("accuracy", 2)):
        steps, values = zip(*((point.step, point.value) for point in train.Scalars(tag)))
        assert steps == tuple(range(10, 790, 10))
        np.testing.assert_allclose(values, [float(i[group]) for i in trained.iters], atol=1e-5)
        assert [point.step for point in validation.Scalars(tag)] == WATCHED
    for name in "kernel", "bias":
        weights = train.Histograms(f"weights/rnn/basic_lstm_cell/{name}")
        assert [moment.step for moment in weights] == WATCHED
    (tested,) = events(trained.dir).Scalars("test_accuracy")
    assert f"{tested.value:.6f}" == trained.lines[80].split()[-1] and tested.step == 781
    told = settings(trained.dir)
    assert told["lr"] == 0.001 and told["training_iters"] == 100000 and told["forget_bias"] == 1
    assert not {"data", "logdir", "restore", "read"} & told.keys(), "no paths"
    for name in PICTURES:
        (picture,) = train.Images(name)
        png = (trained.dir / f"{name}.png").read_bytes()
        assert picture.step == 781 and picture.encoded_image_string == png
    top = {node.name.split("/")[0] for node in train.Graph().node}
    assert {"input", "rnn", "outputs", "output_layer", "cost", "train", "test"} <= top
    cell = [node.op for node in train.Graph().node if "rnn/while/basic_lstm_cell" in node.name]
    assert [cell.count(op) for op in ("MatMul", "Sigmoid", "Tanh")] == [1, 3, 2], "six equations"
    assert not train.Graph().library.function, "TensorBoard would draw them at the side"
    tensorboard(trained.dir)("plugin/images/tags", *PICTURES)  # its own server has them


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_it_reads_clothes_from_the_files_as_they_are_published(load):
    options = ("--n-hidden", 32, "--batch-size", 64, "--lr", 0.01, "--training-iters", 12800)
    out = load(CLASSIFIER, "--data", FASHION, *options, "--xla", "off").out
    assert float(re.search(r"\(all 10000 images\): (\S+)", out)[1]) >= 0.7


def test_the_same_seed_is_the_same_run_bit_for_bit_and_another_is_another(load, small):
    """The lines, the weights, Adam's moments."""
    lines, saved = [], []
    for seed in 0, 0, 1:
        net = load(CLASSIFIER, *SMALL, "--training-iters", 2560, "--data", small, "--seed", seed)
        lines.append(net.out.splitlines()[:2])
        reader = net.tf.train.load_checkpoint(net.run_dir)
        names = sorted(reader.get_variable_to_shape_map())
        saved.append([reader.get_tensor(name).tobytes() for name in names])
    assert len(names) == 4 * 3 + 3, "weights with two moments, two powers, the step"
    assert lines[0] == lines[1] != lines[2] and not {*lines[0]} & {*lines[2]}
    assert saved[0] == saved[1] != saved[2]


@pytest.fixture(scope="module")
def tested(load, trained, tmp_path_factory):
    """The trained network's names, in a copy of its folder, and a session with its weights."""
    copy = shutil.copytree(trained.dir, tmp_path_factory.mktemp("tested") / "mnist" / "run")
    net = load(CLASSIFIER, "--restore", copy, "--xla", "off")
    net.sess = restored(net)
    return net


def test_what_the_curves_and_histograms_hold_at_the_end(trained, tested):
    """The validation images, not the test's; the first time step; the weights themselves."""
    train, validation = events(trained.dir / "train"), events(trained.dir / "validation")
    given = tested.feed(tested.mnist.validation, slice(1000))
    for tag, tensor in ("loss", tested.cost), ("accuracy", tested.accuracy):
        value = tested.sess.run(tensor, given)
        assert validation.Scalars(tag)[-1].value == pytest.approx(value, rel=1e-4)
    (gradient,) = train.Scalars("gradient_at_row_1")[-1:]
    assert gradient.value == pytest.approx(tested.gradient_history[781][0])
    for variable in tested.graph.get_collection("trainable_variables"):
        value = tested.sess.run(variable)
        drawn = train.Histograms(f"weights/{variable.op.name}")[-1].histogram_value
        found = drawn.min, drawn.max, drawn.num, drawn.sum
        np.testing.assert_allclose(found, [value.min(), value.max(), value.size, value.sum()], 1e-3)


def test_the_mistakes_are_the_mistakes(tested, mnist):
    """Each picture is a test digit that the network reads otherwise, with what it is."""
    figure = tested.plot_misclassified()
    wrong = np.flatnonzero(tested.predictions != mnist.y_test)
    assert tested.test_acc == pytest.approx(1 - (wrong < 128).sum() / 128), "of the first 128"
    assert figure.get_suptitle() == f"{len(wrong)} of 10000 test images are misread"
    for axes, i in zip(figure.axes, wrong[:18], strict=True):
        np.testing.assert_allclose(axes.images[0].get_array() * 255, mnist.x_test[i], 1e-6)
        assert axes.get_xlabel() == f"{mnist.y_test[i]}, not {tested.predictions[i]}"


def test_the_state_after_each_row_is_read_by_a_probe_that_never_saw_the_image(tested, mnist):
    """By the pseudo-inverse here: fitted to images 0 to 1999, tested on 2000 to 3999."""
    with tested.graph.as_default():
        curve, chance = tested.plot_probe_accuracy().axes[0].lines
    probe_accuracy = curve.get_ydata()
    assert probe_accuracy[0] < 0.2 < probe_accuracy[9] < 0.9 < probe_accuracy[27]
    assert len(probe_accuracy) == 28 and set(chance.get_ydata()) == {0.1}
    states = tested.sess.run("outputs:0", {tested.x: mnist.x_train[:4000] / 255})
    for row in 9, 19, 27:
        state = np.insert(np.float64(states[row]), 0, 1, axis=1)  # 1: for a bias
        probe = np.linalg.pinv(state[:2000]) @ np.eye(10)[mnist.y_train[:2000]]
        right = (state[2000:] @ probe).argmax(1) == mnist.y_train[2000:4000]
        assert probe_accuracy[row] == pytest.approx(right.mean(), abs=0.003), row


def test_the_gradient_is_that_of_the_cost(tested):
    """Of a few rows, against the differences that a nudge of each pixel makes."""
    (image,), label = tested.feed(tested.mnist.test, slice(1)).values()
    norms = []
    for row in 5, 15, 27:
        nudges = np.zeros((28, 28, 28))
        nudges[range(28), row, range(28)] = 1e-2
        fed = [{tested.x: [image + nudge], tested.y: label} for nudge in (*nudges, *-nudges)]
        costs = [tested.sess.run(tested.cost, feed) for feed in fed]
        norms.append(np.linalg.norm(np.subtract(costs[:28], costs[28:])))
    gradient = tested.sess.run(tested.gradient_by_time_step, {tested.x: [image], tested.y: label})
    np.testing.assert_allclose(gradient[[5, 15]], np.divide(norms[:2], norms[2]), rtol=0.05)


def test_a_plain_rnn_has_the_same_axes_and_one_equation(load, tested, small):
    """So that two runs can be laid side by side; the last row is 1 in each."""
    options = ("--data", small, "--training-iters", 3200, "--batch-size", 32, "--cell", "rnn")
    rnn = load(CLASSIFIER, *SMALL, *options)
    for net, steps in (tested, (781, 400, 100, 0)), (rnn, (100, 0)):
        axes = net.plot_gradients().axes[0]
        assert axes.get_ylim() == (1e-6, 100) and axes.get_yscale() == "log"
        for line, step in zip(axes.lines, steps, strict=True):
            assert line.get_label() == f"after {step} training steps"
            np.testing.assert_array_equal(line.get_xdata(), range(1, 29))
            np.testing.assert_array_equal(line.get_ydata(), net.gradient_history[step])
            assert line.get_ydata()[-1] == 1
    with rnn.graph.as_default(), restored(rnn) as sess:
        (panel,) = (axes for axes in rnn.plot_inside().axes if axes.get_title())
        outputs = sess.run("outputs:0", rnn.feed(rnn.mnist.test, slice(1)))[:, 0]
    np.testing.assert_allclose(np.sort(panel.images[0].get_array()), np.sort(outputs), atol=1e-5)
