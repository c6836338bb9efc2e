"""The classifier: its graph, a full run from the command line, and everything the run leaves."""

import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSIFIER, SMALL, events, only_run, restored, run, settings, tensorboard
from PIL import Image
from test_edits import CLASSIFIERS, edited

WATCHED = [*range(0, 800, 100), 781]
ITER = r"Iter (\d+), Minibatch Loss= (\d+\.\d{6}), Training Accuracy= ([01]\.\d{5})"
PICTURES = {"mistakes": (660, 520), "rows": (660, 480), "inside": (660, 1300)}
PICTURES["gradient"] = (660, 480)


# ---- the graph -----------------------------------------------------------------------------------


def few_test_images(net, count):
    """The feed of the first test images."""
    test = net.mnist.test
    return {net.x: test.images[:count].reshape(-1, net.n_step, 28), net.y: test.labels[:count]}


def test_the_graph_has_the_articles_shapes_and_names(load):
    net = load(CLASSIFIER, "--training-iters", 0)
    shapes = {name: getattr(net, name).shape.as_list() for name in ("x", "y", "w", "b", "pred")}
    assert shapes == {
        "x": [None, 28, 28],
        "y": [None, 10],
        "w": [128, 10],
        "b": [10],
        "pred": [None, 10],
    }
    variables = net.graph.get_collection("trainable_variables")
    assert {v.op.name: v.shape.as_list() for v in variables} == {
        "output_layer/w": [128, 10],
        "output_layer/b": [10],
        "rnn/basic_lstm_cell/kernel": [28 + 128, 4 * 128],  # [x_t, s_(t-1)] times i, g, f, o
        "rnn/basic_lstm_cell/bias": [4 * 128],
    }


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


DETERMINISTIC = "nothing", "two layers", "GRU", "another loss", "weight decay", "a dense layer"


@pytest.mark.parametrize(
    ("edit", "batch_size"),
    [(edit, 33) for edit in DETERMINISTIC] + [("nothing", 128), ("nothing", 1)],
)
def test_compiled_or_not_a_step_is_the_same(edit, batch_size, load, small, tmp_path):
    """XLA, each half of the batch by itself, and the plain graph: the same new weights."""
    script = edited(CLASSIFIER, CLASSIFIERS[edit][0], tmp_path)
    found = []
    for xla in "auto", "off":
        options = ("--data", small, "--n-hidden", 16, "--lr", 0.01, "--training-iters", 0)
        net = load(script, *options, "--batch-size", batch_size, "--xla", xla)
        compiled = any("_xla_compile_id" in op.node_def.attr for op in net.graph.get_operations())
        assert compiled == (xla == "auto")
        with restored(net) as sess:
            variables = net.graph.get_collection("trainable_variables")
            before = sess.run(variables)
            sess.run(net.optimizer, few_test_images(net, batch_size))
            found.append(sess.run(variables))
    for old, auto, off in zip(before, *found):
        np.testing.assert_allclose(auto, off, atol=2e-4)
        assert np.abs(auto - old).max() > 5e-3, "Adam's first step is lr"


def test_cosine_decay_takes_the_learning_rate_to_zero(load, small):
    import tensorflow.compat.v1 as tf

    options = ("--training-iters", 1280, "--lr", 0.008, "--lr-decay", "cosine", "--data", small)
    net = load(CLASSIFIER, *SMALL, *options)
    with net.graph.as_default(), tf.Session() as sess:
        rates = [sess.run(net.lr, {net.global_step: step}) for step in (0, 5, 10)]
    np.testing.assert_allclose(rates, [0.008, 0.004, 0], atol=1e-9)


# ---- a full run ----------------------------------------------------------------------------------


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
    for line in trained.stderr.splitlines():  # what TensorFlow's C++ says before Python has a say
        assert "cuda" in line.lower() or "before absl::InitializeLog()" in line, line


def test_a_run_leaves_its_folder(trained):
    assert re.fullmatch(r"\d{8}-\d{6}", trained.dir.name) and trained.dir.parent.name == "mnist"
    parts = "index", "data-00000-of-00001"
    assert {path.name for path in trained.dir.iterdir()} == {
        *(f"model.ckpt-{step}.{part}" for step in (700, 781) for part in parts),
        *(f"{name}.png" for name in PICTURES),
        *("checkpoint", "run.json", "tfevents.test", "train", "validation"),
    }


def test_tensorboard_gets_curves_histograms_settings_and_pictures(trained):
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
    assert validation.Scalars("accuracy")[-1].value > 0.9
    for name in "kernel", "bias":
        weights = train.Histograms(f"weights/rnn/basic_lstm_cell/{name}")
        assert [moment.step for moment in weights] == WATCHED
    (tested,) = events(trained.dir).Scalars("test_accuracy")
    assert f"{tested.value:.6f}" == trained.lines[80].split()[-1] and tested.step == 781
    told = settings(trained.dir)
    assert told["lr"] == 0.001 and told["training_iters"] == 100000 and told["forget_bias"] == 1
    assert not {"data", "logdir", "restore"} & told.keys(), "no paths"
    for name, size in PICTURES.items():
        (picture,) = train.Images(name)
        file = trained.dir / f"{name}.png"
        assert picture.step == 781 and picture.encoded_image_string == file.read_bytes()
        with Image.open(file) as image:
            assert image.size == size


def test_tensorboards_server_shows_the_run(trained):
    """`tensorboard --logdir logs`, asked over HTTP for what its tabs show."""
    with tensorboard(trained.logdir) as ask:
        images = ask("plugin/images/tags", *PICTURES)
        assert all(name in images for name in PICTURES)
        for curve in ("train", "validation"):
            assert f"mnist/{trained.dir.name}/{curve}" in ask("plugin/scalars/tags")
        assert "rnn/basic_lstm_cell/kernel" in ask("plugin/histograms/tags")
        assert f"mnist/{trained.dir.name}/train" in ask("plugin/graphs/info")


def test_the_graphs_top_level_reads_like_the_network(trained):
    top = {node.name.split("/")[0] for node in events(trained.dir / "train").Graph().node}
    network = {"input", "rnn", "outputs", "output_layer", "cost", "train", "test"}
    curves = {
        "accuracy",
        "loss",
        "weights",
        "gradient_by_row",
        "gradient_at_row_1",
        "Merge",
        "Merge_1",
    }
    assert network <= top <= network | curves | {"global_step", "init", "save"}


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
    assert len(figure.axes) == 3
    for axes, some in zip(figure.axes, wrong[:18].reshape(3, 6)):
        np.testing.assert_array_equal(axes.images[0].get_array(), np.hstack(mnist.x_test[some]))
        titles = [f"{mnist.y_test[i]}, not {tested.predictions[i]}" for i in some]
        assert [label.get_text() for label in axes.get_xticklabels()] == titles
    nothing = tested.picture_of_mistakes(tested.mnist.test.digits)
    assert nothing.get_suptitle() == "0 of 10000 test images are misread" and not nothing.axes


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


def test_every_picture_of_the_gradient_has_the_same_axes(load, tested, small):
    """So that two runs can be laid side by side; the last row is 1 in each."""
    options = (*SMALL, "--data", small, "--training-iters", 12800, "--cell", "rnn")
    rnn = load(CLASSIFIER, *options)
    one, other = (
        net.picture_of_gradients(step).axes[0] for net, step in ((tested, 781), (rnn, 100))
    )
    assert one.get_ylim() == other.get_ylim() and one.get_yscale() == "log"
    assert one.get_xlim() == other.get_xlim()
    labels = [line.get_label() for line in one.lines]
    assert labels == [f"after {step} steps" for step in (781, 400, 100, 0)]
    for line, step in zip(other.lines, (100, 0)):
        np.testing.assert_array_equal(line.get_ydata(), rnn.gradient_history[step])
        assert line.get_ydata()[-1] == 1 and len(line.get_ydata()) == 28


def test_a_plain_rnn_has_one_equation_and_one_panel(load, small):
    net = load(CLASSIFIER, *SMALL, "--data", small, "--training-iters", 1280, "--cell", "rnn")
    with net.graph.as_default(), restored(net) as sess:
        (panel,) = (axes for axes in net.picture_of_inside(sess).axes if axes.get_title())
        outputs = sess.run("outputs:0", few_test_images(net, 1))[:, 0]
    shown = np.sort(panel.images[0].get_array())
    np.testing.assert_allclose(shown, np.sort(outputs), atol=1e-5)


def test_blank_rows_stand_below_each_image(load, small):
    net = load(CLASSIFIER, *SMALL, "--data", small, "--training-iters", 0, "--blank-rows", 5)
    assert net.x.shape.as_list() == [None, 33, 28]
    for images in (net.mnist.train.next_batch(9, 1)[0], net.mnist.test.images[:9]):
        images = images.reshape(9, 33, 28)
        assert images[:, :28].any((1, 2)).all() and not images[:, 28:].any()


def test_the_forget_bias_is_what_the_cell_adds(load, small):
    """The same weights forget more with less of it: c_t of a blank image shrinks by σ(bias)."""
    net = load(CLASSIFIER, *SMALL, "--data", small, "--training-iters", 0, "--forget-bias", 3)
    kernel, ones = np.zeros((28 + 1, 4)), np.ones((1, 1))
    c = net.six_equations(np.zeros((1, 28)), ones, ones, kernel, np.zeros(4), 3)[4]
    assert c.item() == pytest.approx(1 / (1 + np.exp(-3)))
    feed = few_test_images(net, 20)
    with restored(net) as sess:
        outputs = sess.run("outputs:0", feed)
        weights = sess.run(net.graph.get_collection("trainable_variables", "rnn"))
    np.testing.assert_allclose(net.inside(feed[net.x][3], *weights)[5], outputs[:, 3], atol=1e-5)


# ---- other runs ----------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_run_bit_for_bit_and_another_is_another(trained, tmp_path):
    """The lines, the weights, Adam's moments."""
    import tensorflow.compat.v1 as tf

    seen = []
    for number, seed in enumerate((0, 0, 1)):
        options = ("--training-iters", 2560, "--seed", seed, "--logdir", tmp_path / str(number))
        lines = run(CLASSIFIER, *options).stdout.splitlines()[:2]
        reader = tf.train.load_checkpoint(str(only_run(tmp_path / str(number))))
        names = reader.get_variable_to_shape_map()
        assert len(names) == 4 * 3 + 3, "weights with two moments, two powers, the step"
        seen.append((lines, [reader.get_tensor(name).tobytes() for name in sorted(names)]))
    assert seen[0] == seen[1] and seen[0][0] == trained.lines[:2]
    assert seen[2][0] != seen[0][0] and seen[2][1] != seen[0][1]


def test_a_script_copied_alone_downloads_mnist_and_logs_beside_itself(load, tmp_path, monkeypatch):
    """No network here: what Keras would return is put in its place. A link finds the data."""
    import tensorflow.compat.v1 as tf

    images, labels = np.full((50, 28, 28), 51, np.uint8), np.full(50, 7, np.uint8)
    load_data = lambda: ((images, labels), (images[:10], labels[:10]))  # noqa: E731
    monkeypatch.setattr(tf.keras.datasets.mnist, "load_data", load_data)
    net = load(shutil.copy(CLASSIFIER, tmp_path), *SMALL, "--training-iters", 0)
    assert net.mnist.test.images.shape == (10, 784) and np.allclose(net.mnist.test.images, 0.2)
    assert net.parser.get_default("logdir") == str(tmp_path / "logs")
    (tmp_path / "read.py").symlink_to(CLASSIFIER)
    net = load(tmp_path / "read.py", *SMALL, "--training-iters", 0)
    assert len(net.mnist.test.digits) == 10000


FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_it_reads_clothes_from_the_files_as_they_are_published(tmp_path):
    result = run(CLASSIFIER, "--data", FASHION, "--logdir", tmp_path)
    assert result.status == 0, result.stderr
    assert float(re.search(r"\(all 10000 images\): (\S+)", result.stdout)[1]) >= 0.8


def test_ctrl_c_in_training_keeps_what_there_is(started, small, tmp_path):
    """The step ends, everything is saved, tested and drawn; the status is 130."""
    process = started(CLASSIFIER, *SMALL, "--training-iters", 10**9, "--data", small)
    process.send_signal(signal.SIGINT)
    result = process.finish()
    assert result.status == 130 and "Traceback" not in result.stderr
    assert "Optimization Stopped!" in result.stdout and "(all 500 images)" in result.stdout
    run_dir = only_run(process.logdir)
    last = events(run_dir / "validation").Scalars("loss")[-1].step
    assert (run_dir / f"model.ckpt-{last}.index").exists() and (run_dir / "rows.png").exists()
