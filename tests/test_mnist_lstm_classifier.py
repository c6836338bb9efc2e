"""The classifier: its graph, a full run from the command line, and everything the run leaves."""

import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import (
    CLASSIFIER,
    SMALL,
    events,
    only_run,
    restored,
    run,
    settings,
    tensorboard,
)
from readme import edited
from test_edits import CLASSIFIERS

WATCHED = [*range(0, 800, 100), 781]
ITER = r"Iter (\d+), Minibatch Loss= (\d+\.\d{6}), Training Accuracy= ([01]\.\d{5})"
PICTURES = "mistakes", "rows", "inside", "gradient"


# ---- the graph -----------------------------------------------------------------------------------


def few_test_images(net, count):
    """The feed of the first test images."""
    test = net.mnist.test
    return {net.x: test.images[:count].reshape(-1, net.n_step, 28), net.y: test.labels[:count]}


def test_dynamic_and_static_rnn_give_the_same_numbers_from_the_same_weights(load, small):
    """One loop, or 28 cells in a row: the same network, forwards and backwards."""
    import tensorflow.compat.v1 as tf

    found = []
    for kind in [], ["--static-rnn"]:
        net = load(CLASSIFIER, *SMALL, "--data", small, "--training-iters", 0, *kind)
        with net.graph.as_default(), restored(net) as sess:
            gradients = tf.gradients(net.cost, tf.trainable_variables())
            found.append(sess.run([net.pred, net.cost, *gradients], few_test_images(net, 100)))
    for dynamic, static in zip(*found):
        np.testing.assert_allclose(dynamic, static, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("edit", "batch_size"),
    [("nothing", 128), ("nothing", 33), ("nothing", 1), ("weight decay", 33)],
)
def test_compiled_or_not_a_step_is_the_same(edit, batch_size, load, small, tmp_path):
    """XLA, each half of the batch by itself, and the plain graph: the same new weights."""
    script = edited(CLASSIFIER, CLASSIFIERS[edit][0], tmp_path)
    found = []
    for xla in "auto", "off":
        options = ("--data", small, "--n-hidden", 16, "--lr", 0.01, "--training-iters", 0)
        net = load(script, *options, "--batch-size", batch_size, "--xla", xla)
        with restored(net) as sess:
            variables = net.graph.get_collection("trainable_variables")
            before = sess.run(variables)
            sess.run(net.optimizer, few_test_images(net, batch_size))
            found.append(sess.run(variables))
    for old, auto, off in zip(before, *found):
        np.testing.assert_allclose(auto, off, atol=2e-4)
        assert np.abs(auto - old).max() > 5e-3, "Adam's first step is lr"


def test_only_some_weights_are_trained_where_an_edit_says_so(load, small, tmp_path):
    """`minimize(compiled(cost), global_step, [w, b])`: the cell stays as it is."""
    script = edited(CLASSIFIER, CLASSIFIERS["only some weights"][0], tmp_path)
    net = load(script, "--data", small, "--n-hidden", 8, "--training-iters", 0)
    with restored(net) as sess:
        kernel = net.graph.get_tensor_by_name("rnn/basic_lstm_cell/kernel:0")
        before = sess.run([kernel, net.w])
        sess.run(net.optimizer, few_test_images(net, 32))
        after = sess.run([kernel, net.w])
    assert (before[0] == after[0]).all() and (before[1] != after[1]).any()


def test_cosine_decay_takes_the_learning_rate_to_zero(load, small):
    import tensorflow.compat.v1 as tf

    options = ("--training-iters", 1280, "--lr", 0.008, "--lr-decay", "cosine", "--data", small)
    net = load(CLASSIFIER, *SMALL, *options)
    with net.graph.as_default(), tf.Session() as sess:
        rates = [sess.run(net.lr, {net.global_step: step}) for step in (0, 5, 10)]
    np.testing.assert_allclose(rates, [0.008, 0.004, 0], atol=1e-9)


# ---- a full run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The classifier's full run with the article's settings, as a user starts it."""
    logdir = tmp_path_factory.mktemp("trained")
    result = run(CLASSIFIER, "--logdir", logdir)
    assert result.status == 0, result.stderr
    lines, errors = result.stdout.splitlines(), result.stderr.splitlines()
    return SimpleNamespace(lines=lines, errors=errors, logdir=logdir, dir=only_run(logdir))


def test_a_run_prints_the_articles_lines_and_learns_to_read(trained):
    """100,000 images, 128 a step: 781 steps, every tenth printed, then the test."""
    steps = [re.fullmatch(ITER, line) for line in trained.lines[:78]]
    assert [int(step[1]) for step in steps] == list(range(1280, 100000, 1280))
    assert float(steps[0][2]) > 1.5 and float(steps[77][2]) < 0.3
    assert trained.lines[78] == "Optimization Finished!"
    for line, name in zip(trained.lines[79:81], ("Accuracy", r"Accuracy \(all 10000 images\)")):
        assert float(re.fullmatch(rf"Testing {name}: ([01]\.\d{{6}})", line)[1]) >= 0.95
    assert trained.lines[81:] == [
        f"This run is in {trained.dir}",
        f"To look at it: {sys.executable} -m tensorboard.main --logdir {trained.logdir}",
    ]
    for line in trained.errors:  # what TensorFlow's C++ says before Python has a say
        assert "cuda" in line.lower() or "before absl::InitializeLog()" in line, line


def test_a_run_leaves_its_folder(trained):
    assert re.fullmatch(r"\d{8}-\d{6}", trained.dir.name) and trained.dir.parent.name == "mnist"
    parts = "index", "data-00000-of-00001"
    assert {path.name for path in trained.dir.iterdir()} == {
        *(f"model.ckpt-{step}.{part}" for step in (700, 781) for part in parts),
        *(f"{name}.png" for name in PICTURES),
        *("checkpoint", "run.json", "tfevents.test", "train", "validation"),
    }


def test_tensorboard_gets_curves_histograms_settings_pictures_and_the_graph(trained):
    train, validation = events(trained.dir / "train"), events(trained.dir / "validation")
    assert validation.Tags()["scalars"] == ["accuracy", "loss"]
    assert set(train.Tags()["scalars"]) == {"accuracy", "loss", "gradient_at_row_1"}
    printed = [re.fullmatch(ITER, line) for line in trained.lines[:78]]
    for tag, group in (("loss", 2), ("accuracy", 3)):
        curve = train.Scalars(tag)
        assert [point.step for point in curve] == list(range(10, 790, 10))
        values = [float(line[group]) for line in printed]
        np.testing.assert_allclose([point.value for point in curve], values, atol=1e-5)
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
    assert len(top) <= 17, "the graph's top level reads like the network"


def test_tensorboards_server_shows_the_run(trained):
    """`tensorboard --logdir logs`, asked over HTTP for what its tabs show."""
    with tensorboard(trained.logdir) as ask:
        images = ask("plugin/images/tags", *PICTURES)
        assert all(name in images for name in PICTURES)
        for curve in ("train", "validation"):
            assert f"mnist/{trained.dir.name}/{curve}" in ask("plugin/scalars/tags")
        assert "rnn/basic_lstm_cell/kernel" in ask("plugin/histograms/tags")
        assert f"mnist/{trained.dir.name}/train" in ask("plugin/graphs/info")


FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_it_reads_clothes_from_the_files_as_they_are_published(load):
    out = load(CLASSIFIER, "--data", FASHION).out
    assert float(re.search(r"\(all 10000 images\): (\S+)", out)[1]) >= 0.8


def test_the_same_seed_is_the_same_run_bit_for_bit_and_another_is_another(load, small):
    """The lines, the weights, Adam's moments."""
    import tensorflow.compat.v1 as tf

    seen = []
    for seed in 0, 0, 1:
        options = ("--n-hidden", 16, "--training-iters", 2560, "--data", small, "--seed", seed)
        net = load(CLASSIFIER, *options)
        reader = tf.train.load_checkpoint(net.run_dir)
        names = reader.get_variable_to_shape_map()
        assert len(names) == 4 * 3 + 3, "weights with two moments, two powers, the step"
        lines = net.out.splitlines()[:2]
        seen.append((lines, [reader.get_tensor(name).tobytes() for name in sorted(names)]))
    assert seen[0] == seen[1]
    assert seen[2][0] != seen[0][0] and seen[2][1] != seen[0][1]


# ---- the pictures --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tested(load, trained, tmp_path_factory):
    """The trained network's names, in a copy of its folder."""
    folder = tmp_path_factory.mktemp("tested") / "mnist" / "run"
    return load(CLASSIFIER, "--restore", shutil.copytree(trained.dir, folder))


def test_the_mistakes_are_the_mistakes(tested, mnist):
    """Each picture is a test digit that the network reads otherwise, with what it is."""
    figure = tested.picture_of_mistakes(tested.predictions)
    wrong = np.flatnonzero(tested.predictions != mnist.y_test)
    assert figure.get_suptitle() == f"{len(wrong)} of 10000 test images are misread"
    for axes, i in zip(figure.axes, wrong[:18], strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), mnist.x_test[i])
        assert axes.get_xlabel() == f"{mnist.y_test[i]}, not {tested.predictions[i]}"


def test_the_state_after_each_row_is_read_by_a_probe_that_never_saw_the_image(tested, mnist):
    """By the normal equations here: fitted to images 0 to 1999, tested on 2000 to 3999."""
    with restored(tested) as sess:
        curve, chance = tested.picture_of_rows(sess).axes[0].lines
        feeds = [{tested.x: mnist.x_train[i : i + 1000] / 255} for i in range(0, 4000, 1000)]
        states = np.concatenate([sess.run("outputs:0", feed) for feed in feeds], 1)
    known = curve.get_ydata()
    assert len(known) == 28 and known[0] < 0.2 < known[9] < known[27] and known[27] > 0.9
    assert set(chance.get_ydata()) == {0.1}
    for row in 9, 19, 27:
        state = np.hstack([states[row], np.ones((4000, 1))]).astype(np.float64)
        wanted = np.eye(10)[mnist.y_train[:2000]]
        squares = state[:2000].T @ state[:2000] + 1e-6 * np.eye(129)
        probe = np.linalg.solve(squares, state[:2000].T @ wanted)
        right = (state[2000:] @ probe).argmax(1) == mnist.y_train[2000:4000]
        assert known[row] == pytest.approx(right.mean(), abs=0.003), row


def test_the_gradient_is_that_of_the_cost(tested):
    """Of a few rows, against the differences that a nudge of the row makes."""
    feed = few_test_images(tested, 1)
    slope = np.zeros((28, 28))
    with restored(tested) as sess:
        gradient = sess.run(tested.gradient_by_row, feed)
        for place in [(row, column) for row in (5, 15, 27) for column in range(28)]:
            costs = []
            for nudge in 1e-2, -1e-2:
                nudged = feed[tested.x].copy()
                nudged[0][place] += nudge
                costs.append(np.float64(sess.run(tested.cost, {**feed, tested.x: nudged})))
            slope[place] = (costs[0] - costs[1]) / 2e-2
    norm = np.linalg.norm(slope, axis=1)
    np.testing.assert_allclose(gradient[[5, 15]], norm[[5, 15]] / norm[27], rtol=0.05)


def test_a_plain_rnn_has_the_same_axes_and_one_equation(load, tested, small):
    """So that two runs can be laid side by side; the last row is 1 in each."""
    options = (*SMALL, "--data", small, "--training-iters", 12800, "--cell", "rnn")
    rnn = load(CLASSIFIER, *options)
    one, other = (net.picture_of_gradients(s).axes[0] for net, s in ((tested, 781), (rnn, 100)))
    assert one.get_ylim() == other.get_ylim() and one.get_yscale() == "log"
    assert one.get_xlim() == other.get_xlim()
    labels = [line.get_label() for line in one.lines]
    assert labels == [f"after {step} steps" for step in (781, 400, 100, 0)]
    for line, step in zip(other.lines, (100, 0)):
        np.testing.assert_array_equal(line.get_ydata(), rnn.gradient_history[step])
        assert line.get_ydata()[-1] == 1 and len(line.get_ydata()) == 28
    with rnn.graph.as_default(), restored(rnn) as sess:
        (panel,) = (axes for axes in rnn.picture_of_inside(sess).axes if axes.get_title())
        outputs = sess.run("outputs:0", few_test_images(rnn, 1))[:, 0]
    shown = np.sort(panel.images[0].get_array())
    np.testing.assert_allclose(shown, np.sort(outputs), atol=1e-5)


def test_blank_rows_stand_below_each_image(load, small):
    net = load(CLASSIFIER, *SMALL, "--data", small, "--training-iters", 0, "--blank-rows", 5)
    assert net.x.shape.as_list() == [None, 33, 28]
    for images in (net.mnist.train.next_batch(9, 1)[0], net.mnist.test.images[:9]):
        images = images.reshape(9, 33, 28)
        assert images[:, :28].any((1, 2)).all() and not images[:, 28:].any()


def test_the_forget_bias_is_what_the_cell_adds(load, small):
    """The equations give its outputs with that bias, and with no other: inside.png is drawn."""
    net = load(CLASSIFIER, *SMALL, "--data", small, "--training-iters", 0, "--forget-bias", 3)
    assert "left out" not in net.out
    feed = few_test_images(net, 20)
    with restored(net) as sess:
        outputs = sess.run("outputs:0", feed)
        weights = sess.run(net.graph.get_collection("trainable_variables", "rnn"))
    i, f, o, g, c, s = net.inside(feed[net.x][3], *weights)
    np.testing.assert_allclose(s, outputs[:, 3], atol=1e-5)
    assert f[0].mean() == pytest.approx(1 / (1 + np.exp(-3)), abs=0.02), "a blank row: σ(3)"
