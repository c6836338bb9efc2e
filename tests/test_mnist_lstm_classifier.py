"""The classifier: its graph, a full run from the command line, and everything the run leaves."""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import (
    CLASSIFIER,
    ROOT,
    SMALL,
    events,
    finish,
    only_run,
    pixels,
    restored,
    run,
    settings,
    start,
    tensorboard,
)

WATCHED = [*range(100, 800, 100), 781]
CHECKPOINT = "index", "data-00000-of-00001"
ITER = r"Iter (\d+), Minibatch Loss= (\d+\.\d{6}), Training Accuracy= ([01]\.\d{5})"


# ---- the graph -----------------------------------------------------------------------------------


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
    variables = {
        v.op.name: v.shape.as_list() for v in net.graph.get_collection("trainable_variables")
    }
    assert variables == {
        "output_layer/w": [128, 10],
        "output_layer/b": [10],
        "rnn/basic_lstm_cell/kernel": [28 + 128, 4 * 128],  # [x_t, s_(t-1)] times i, g, f, o
        "rnn/basic_lstm_cell/bias": [4 * 128],
    }


def few_test_images(net, count):
    """The feed of the first test images."""
    test = net.mnist.test
    return {net.x: test.images[:count].reshape(-1, net.n_step, 28), net.y: test.labels[:count]}


def test_dynamic_and_static_rnn_give_the_same_numbers_from_the_same_weights(load, trained):
    """One loop, or 28 cells in a row: the same network, forwards and backwards."""
    import tensorflow.compat.v1 as tf

    found = []
    for kind in ("dynamic", "static"):
        net = load(CLASSIFIER, "--training-iters", 0, "--rnn", kind)
        with net.graph.as_default():
            gradients = tf.gradients(net.cost, tf.trainable_variables())
        with restored(net, trained.checkpoint) as sess:
            found.append(sess.run([net.pred, net.cost, *gradients], few_test_images(net, 100)))
    for dynamic, static in zip(*found):
        np.testing.assert_allclose(dynamic, static, rtol=1e-4, atol=1e-5)


def new_weights(net, count):
    """The weights after one training step on the first test images."""
    with restored(net) as sess:
        sess.run(net.optimizer, few_test_images(net, count))
        return sess.run(net.graph.get_collection("trainable_variables"))


@pytest.mark.parametrize("batch_size", [128, 33, 1])
def test_compiled_or_not_a_step_is_the_same(load, batch_size):
    """XLA, each half of the batch by itself, and the plain graph: the same new weights."""
    found = []
    for xla in ("on", "off"):
        net = load(CLASSIFIER, "--training-iters", 0, "--batch-size", batch_size, "--xla", xla)
        compiled = any("_xla_compile_id" in op.node_def.attr for op in net.graph.get_operations())
        assert compiled == (xla == "on")
        found.append(new_weights(net, batch_size))
    for on, off in zip(*found):
        np.testing.assert_allclose(on, off, atol=2e-5)


def test_the_loss_in_the_listing_is_the_one_that_is_learned(load, tmp_path):
    """Who edits cost_of changes what is trained, compiled or not."""
    script = shutil.copy(CLASSIFIER, tmp_path)
    text = CLASSIFIER.read_text(encoding="utf-8")
    cost = "tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y)"
    assert text.count(cost) == 1, "the loss stands once"
    edited = text.replace(cost, "tf.reduce_sum(tf.square(pred - y), 1)")
    options = ("--training-iters", 0, "--n-hidden", 8, "--data", ROOT / "data" / "mnist.npz")
    found = {}
    for xla in ("on", "off"):
        before = new_weights(load(CLASSIFIER, *options, "--xla", xla), 128)
        (tmp_path / "mnist_lstm_classifier.py").write_text(edited, encoding="utf-8")
        found[xla] = new_weights(load(script, *options, "--xla", xla), 128)
        assert max(np.abs(a - b).max() for a, b in zip(before, found[xla])) > 5e-4
    for on, off in zip(found["on"], found["off"]):
        np.testing.assert_allclose(on, off, atol=2e-5)


def test_xla_auto_compiles_where_it_can(load):
    """Not 28 cells in a row; what ran is among the run's settings."""
    dynamic, static = (
        load(CLASSIFIER, "--training-iters", 0, "--n-hidden", 8, "--rnn", kind)
        for kind in ("dynamic", "static")
    )
    assert settings(dynamic.run_dir)["xla"] == "on" and settings(static.run_dir)["xla"] == "off"


def test_cosine_decay_takes_the_learning_rate_to_zero(load):
    import tensorflow.compat.v1 as tf

    options = ("--training-iters", 1280, "--lr", 0.008, "--lr-decay", "cosine")
    net = load(CLASSIFIER, *SMALL, *options)
    with net.graph.as_default(), tf.Session() as sess:
        rate = net.learning_rate(net.lr, net.global_step, net.last_step)
        rates = [sess.run(rate, {net.global_step: step}) for step in (0, 5, 10)]
    np.testing.assert_allclose(rates, [0.008, 0.004, 0], atol=1e-9)


def test_a_mistake_in_the_graph_is_shown_whole(tmp_path):
    """A learner who edits the script sees the traceback of what went wrong."""
    text = CLASSIFIER.read_text(encoding="utf-8")
    line = "batch_x = batch_x.reshape(batch_size, n_step, n_input)"
    assert text.count(line) == 1
    script = tmp_path / "mnist_lstm_classifier.py"
    script.write_text(text.replace(line, f"{line}; batch_y = batch_y[:-1]"), encoding="utf-8")
    result = run(script, "--data", ROOT / "data" / "mnist.npz", "--training-iters", 1280)
    assert result.status == 1 and "Traceback" in result.stderr
    assert "InvalidArgumentError" in result.stderr and "sess.run(optimizer" in result.stderr


# ---- a full run ----------------------------------------------------------------------------------


def test_a_run_prints_the_articles_lines(trained):
    """100,000 images, 128 a step: 781 steps, every tenth printed, then the test."""
    steps = [re.fullmatch(ITER, line) for line in trained.lines[:78]]
    assert [int(step[1]) for step in steps] == list(range(1280, 100000, 1280))
    assert trained.lines[78] == "Optimization Finished!"
    assert re.fullmatch(r"Testing Accuracy: [01]\.\d{6}", trained.lines[79])
    assert re.fullmatch(r"Testing Accuracy \(all 10000 images\): [01]\.\d{6}", trained.lines[80])
    assert trained.lines[81:] == [
        f"This run is in {trained.dir}",
        f"To look at it: {sys.executable} -m tensorboard.main --logdir {trained.logdir}",
    ]


def test_the_classifier_learns_to_read(trained):
    first, last = (float(re.fullmatch(ITER, trained.lines[i])[2]) for i in (0, 77))
    assert first > 1.5 and last < 0.3
    assert float(trained.lines[79].split()[-1]) >= 0.95
    assert float(trained.lines[80].split()[-1]) >= 0.95


def test_nothing_else_is_printed(trained):
    """But what TensorFlow's C++ says of CUDA during its import, before Python has a say."""
    for line in trained.stderr.splitlines():
        assert "cuda" in line.lower() or "before absl::InitializeLog()" in line, line


def test_a_run_leaves_its_folder(trained):
    assert re.fullmatch(r"\d{8}-\d{6}", trained.dir.name) and trained.dir.parent.name == "mnist"
    names = {path.name for path in trained.dir.iterdir()}
    assert {name for name in names if not name.startswith("events")} == {
        "checkpoint",
        "gradient.png",
        "inside.png",
        "mistakes.png",
        *(f"model.ckpt-{step}.{part}" for step in (700, 781) for part in CHECKPOINT),
        "options.json",
        "rows.png",
        "train",
        "validation",
    }


def test_the_curves_are_what_was_printed(trained):
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


def test_tensorboard_gets_the_histograms_and_the_settings(trained):
    train = events(trained.dir / "train")
    kernel, bias = (f"weights/rnn/basic_lstm_cell/{name}" for name in ("kernel", "bias"))
    assert {kernel, bias} <= set(train.Tags()["histograms"])
    assert [moment.step for moment in train.Histograms(kernel)] == WATCHED

    (tested,) = events(trained.dir).Scalars("test_accuracy")
    assert f"{tested.value:.6f}" == trained.lines[80].split()[-1] and tested.step == 781

    told = settings(trained.dir)
    assert told["lr"] == 0.001 and told["training_iters"] == 100000 and told["forget_bias"] == 1
    assert not {"data", "logdir", "restore"} & told.keys(), "no paths"


PICTURES = {"mistakes": (660, 520), "rows": (660, 760), "inside": (660, 1300)}
PICTURES["gradient"] = (660, 480)


@pytest.mark.parametrize("name", PICTURES)
def test_each_picture_is_in_the_folder_and_in_tensorboard(trained, name):
    png = (trained.dir / f"{name}.png").read_bytes()
    (picture,) = events(trained.dir / "train").Images(name)
    assert picture.step == 781 and (picture.width, picture.height) == PICTURES[name]
    assert picture.encoded_image_string == png
    assert pixels(png).shape[:2] == PICTURES[name][::-1]


def test_the_graphs_top_level_reads_like_the_network(trained):
    import tensorflow.compat.v1 as tf

    graph = tf.GraphDef.FromString(events(trained.dir / "train").Graph().SerializeToString())
    top = {node.name.split("/")[0] for node in graph.node}
    network = {"input", "rnn", "output_layer", "cost", "train", "test"}
    assert network <= top <= network | {"global_step", "accuracy", "loss", "Merge", "init"}


def test_tensorboards_server_shows_the_run(trained):
    """`tensorboard --logdir logs`, asked over HTTP for what its tabs show."""
    with tensorboard(trained.logdir) as ask:
        images = ask("plugin/images/tags", *PICTURES)
        assert all(name in images for name in PICTURES)
        for curve in ("train", "validation"):
            assert f"mnist/{trained.dir.name}/{curve}" in ask("plugin/scalars/tags")
        assert "rnn/basic_lstm_cell/kernel" in ask("plugin/histograms/tags")
        assert f"mnist/{trained.dir.name}/train" in ask("plugin/graphs/info")


# ---- the pictures --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tested(load, trained):
    """The names of a run that only tests the trained network."""
    return load(CLASSIFIER, "--training-iters", 0, "--restore", trained.dir)


def test_the_mistakes_are_the_mistakes(tested, mnist):
    """Each picture is a test digit that the network reads otherwise, with what it is."""
    figure = tested.pictures["mistakes"]
    wrong = np.flatnonzero(tested.answers != mnist.y_test)
    assert figure.get_suptitle() == f"{len(wrong)} of 10000 test digits are misread"
    assert len(figure.axes) == 3
    for axes, some in zip(figure.axes, wrong[:18].reshape(3, 6)):
        shown = axes.images[0].get_array() * 255
        np.testing.assert_allclose(shown, np.hstack(mnist.x_test[some]), atol=1e-4)
        titles = [f"{mnist.y_test[i]}, not {tested.answers[i]}" for i in some]
        assert [label.get_text() for label in axes.get_xticklabels()] == titles


def test_nothing_misread_is_told_so(tested):
    digits = tested.mnist.test.digits
    figure = tested.picture_of_mistakes(tested.mnist.test.images, digits, digits)
    assert figure.get_suptitle() == "0 of 10000 test digits are misread" and not figure.axes


def test_the_probes_are_the_least_squares_fit(tested):
    """After every row: as NumPy's own least squares have it, on all states at once."""
    fit, test = tested.mnist.validation, tested.mnist.test
    with restored(tested) as sess:
        known, logits = tested.rows_read(sess, tested.mnist, tested.x, tested.outputs)
        states = [
            np.concatenate(list(tested.in_parts(sess, tested.outputs, tested.x, *images)), 1)
            for images in ((fit,), (test, 2000))
        ]
        w, b = sess.run([tested.w, tested.b])
    np.testing.assert_allclose(logits, states[1] @ w + b, atol=1e-5)
    for row in (9, 19, 27):
        ours, theirs = (np.hstack([s[row], np.ones((len(s[row]), 1))]) for s in states)
        weights = np.linalg.lstsq(ours, fit.labels, rcond=None)[0]
        accuracy = np.mean((theirs @ weights).argmax(1) == test.digits[:2000])
        assert known[row] == pytest.approx(accuracy, abs=0.003), row


def test_the_picture_of_rows_shows_what_was_measured(tested):
    with restored(tested) as sess:
        known, logits = tested.rows_read(sess, tested.mnist, tested.x, tested.outputs)
    figure = tested.pictures["rows"]
    *left, right = figure.axes
    probe, output_layer, chance = right.lines
    np.testing.assert_array_equal(probe.get_ydata(), known)
    by_row = (logits.argmax(2) == tested.mnist.test.digits[:2000]).mean(1)
    np.testing.assert_array_equal(output_layer.get_ydata(), by_row)
    assert list(probe.get_xdata()) == list(range(1, 29)) and chance.get_ydata()[0] == 0.1
    assert by_row[-1] == pytest.approx(
        np.mean(tested.answers[:2000] == tested.mnist.test.digits[:2000])
    )
    for axes in left:
        probability = np.asarray(axes.images[0].get_array())[:, 28::4]
        np.testing.assert_allclose(probability.sum(1), 1, atol=1e-5)


def test_every_picture_of_the_gradient_has_the_same_axes(load, tested):
    """So that two runs can be laid side by side; the last row is 1 in each."""
    rnn = load(CLASSIFIER, "--training-iters", 12800, "--cell", "rnn")
    (one,), (other,) = (net.pictures["gradient"].axes for net in (tested, rnn))
    assert one.get_ylim() == other.get_ylim() and one.get_yscale() == "log"
    assert one.get_xlim() == other.get_xlim()
    assert [line.get_label() for line in other.lines] == ["rnn, untrained", "rnn after 100 steps"]
    for line, step in zip(other.lines, (0, 100)):
        np.testing.assert_array_equal(line.get_ydata(), rnn.gradients[step])
        assert line.get_ydata()[-1] == 1 and len(line.get_ydata()) == 28


def test_the_gradient_is_that_of_the_cost(tested):
    """Of a few rows, against the differences that a nudge of the row makes."""
    feed = few_test_images(tested, 1)
    images = feed[tested.x]
    nudges = [(row, column) for row in (5, 15, 27) for column in range(28)]
    slope = np.zeros((28, 28))
    with restored(tested) as sess:
        for place in nudges:
            costs = []
            for sign in (1, -1):
                nudged = images.copy()
                nudged[0][place] += sign * 1e-2
                costs.append(np.float64(sess.run(tested.cost, {**feed, tested.x: nudged})))
            slope[place] = (costs[0] - costs[1]) / 2e-2
        one = tested.DataSet(tested.mnist.test.pixels[:1], tested.mnist.test.digits[:1])
        save_and_measure = tested.prepare_measuring(
            sess,
            tested.run_dir,
            None,
            tested.summaries,
            tested.cost,
            tested.x,
            tested.y,
            SimpleNamespace(validation=one),
        )
        (gradient,) = save_and_measure().values()
    norm = np.linalg.norm(slope, axis=1)
    np.testing.assert_allclose(gradient[[5, 15]], norm[[5, 15]] / norm[27], rtol=0.05)


def test_a_plain_rnn_has_one_equation_and_one_panel(load):
    net = load(CLASSIFIER, "--training-iters", 1280, "--cell", "rnn")
    (panel,) = (axes for axes in net.pictures["inside"].axes if axes.get_title())
    with restored(net) as sess:
        feed = few_test_images(net, 1)
        kernel, bias = sess.run(net.graph.get_collection("trainable_variables", "rnn"))
        outputs = sess.run(net.outputs, feed)[:, 0]
    (s,) = net.inside(feed[net.x][0], kernel, bias)
    np.testing.assert_allclose(s, outputs, atol=1e-5)
    np.testing.assert_array_equal(panel.images[0].get_array(), s[:, s[-1].argsort()])


def test_the_last_time_step_is_the_most_reliable(trained, tested):
    """最后一个时间步结果最可靠: the output layer learned to read it, and it has seen every row."""
    with restored(tested) as sess:
        _, logits = tested.rows_read(sess, tested.mnist, tested.x, tested.outputs)
    by_row = (logits.argmax(2) == tested.mnist.test.digits[:2000]).mean(1)
    assert by_row[-1] >= by_row.max() - 0.005


def test_waiting_puts_blank_rows_below_each_image(load):
    net = load(CLASSIFIER, *SMALL, "--training-iters", 0, "--wait", 5)
    assert net.x.shape.as_list() == [None, 33, 28]
    for images in (net.mnist.train.next_batch(9, 1)[0], net.mnist.test.images[:9]):
        images = images.reshape(9, 33, 28)
        assert images[:, :28].any((1, 2)).all() and not images[:, 28:].any()


def test_the_forget_bias_is_what_the_cell_adds(load):
    """The same weights forget more with less of it: c_t of a blank image shrinks by σ(bias)."""
    net = load(CLASSIFIER, *SMALL, "--training-iters", 0, "--forget-bias", 3)
    kernel = np.zeros((28 + 1, 4))
    ones = np.ones((1, 1))
    c = net.six_equations(np.zeros((1, 28)), ones, ones, kernel, np.zeros(4), 3)[4]
    assert c.item() == pytest.approx(1 / (1 + np.exp(-3)))
    feed = few_test_images(net, 20)
    with restored(net) as sess:
        outputs = sess.run(net.outputs, feed)
        kernel, bias = sess.run(net.graph.get_collection("trainable_variables", "rnn"))
    s = net.inside(feed[net.x][3], kernel, bias)[5]
    np.testing.assert_allclose(s, outputs[:, 3], atol=1e-5)


# ---- other runs ----------------------------------------------------------------------------------


def test_three_runs_of_one_seed_are_the_same_bit_for_bit_and_another_is_another(trained, tmp_path):
    """The lines, the weights, Adam's moments."""
    import tensorflow.compat.v1 as tf

    seen = []
    for number, seed in enumerate((0, 0, 0, 1)):
        options = ("--training-iters", 2560, "--seed", seed, "--logdir", tmp_path / str(number))
        process = start(CLASSIFIER, *options)
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[2] == "Optimization Finished!\n", "and the network is saved"
        process.kill()
        process.communicate()
        reader = tf.train.load_checkpoint(str(only_run(tmp_path / str(number))))
        names = reader.get_variable_to_shape_map()
        assert len(names) == 4 * 3 + 3, "weights with two moments, two powers, the step"
        values = [reader.get_tensor(name).tobytes() for name in sorted(names)]
        seen.append((lines[:2], values))
    assert seen[0] == seen[1] == seen[2]
    assert [line.rstrip() for line in seen[0][0]] == trained.lines[:2]
    assert seen[3][0] != seen[0][0] and seen[3][1] != seen[0][1]


def test_two_runs_of_the_same_second_have_a_folder_each(load, tmp_path, monkeypatch):
    net = load(CLASSIFIER, *SMALL, "--training-iters", 0)
    net.args.logdir = str(tmp_path)
    seconds = iter(["20261124-120000", "20261124-120000", "20261124-120000", "20261124-120001"])
    monkeypatch.setattr(time, "strftime", lambda _: next(seconds))
    with net.graph.as_default():
        first, second = net.new_run_dir(), net.new_run_dir()
    assert [os.path.basename(run_dir)[-1] for run_dir in (first, second)] == ["0", "1"]


@pytest.mark.parametrize("options", [("--cell", "rnn"), ("--rnn", "static")])
def test_the_other_cell_and_the_other_loop_train_too(options, tmp_path):
    result = run(CLASSIFIER, *options, "--training-iters", 3840, "--logdir", tmp_path)
    losses = [float(re.fullmatch(ITER, line)[2]) for line in result.stdout.splitlines()[:3]]
    assert losses[2] < losses[0]


def test_a_terminal_gets_a_progress_bar_and_a_pipe_does_not(tmp_path, trained):
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    assert not any("%|" in line for line in trained.lines)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # a usual terminal
    few = (*SMALL, "--training-iters", "2560")
    command = [sys.executable, CLASSIFIER, *few, "--logdir", tmp_path]
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.DEVNULL) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                seen += os.read(master, 4096)
            except OSError:  # the end, on Linux
                break
    os.close(master)
    assert process.returncode == 0
    assert b"100%|" in seen and b"20/20" in seen
    assert re.search(ITER.encode() + rb"\r?\n", seen), "the lines stand above the bar"


def test_a_script_copied_alone_runs_from_any_folder(tmp_path):
    """With data named by --data; its logs stand beside it, wherever it was started."""
    alone, elsewhere = tmp_path / "alone", tmp_path / "elsewhere"
    alone.mkdir()
    elsewhere.mkdir()
    script = shutil.copy(CLASSIFIER, alone)
    data = ROOT / "data" / "mnist.npz"
    result = run(script, *SMALL, "--training-iters", 1280, "--data", data, cwd=elsewhere)
    assert result.status == 0, result.stderr
    assert only_run(alone / "logs") and not list(elsewhere.iterdir())


def test_a_script_copied_alone_downloads_mnist_as_keras_does(load, tmp_path, monkeypatch):
    """No network here: what Keras would return is put in its place."""
    import tensorflow.compat.v1 as tf

    images, labels = np.full((5100, 28, 28), 51, np.uint8), np.full(5100, 7, np.uint8)
    load_data = lambda: ((images, labels), (images[:10], labels[:10]))  # noqa: E731
    monkeypatch.setattr(tf.keras.datasets.mnist, "load_data", load_data)
    net = load(shutil.copy(CLASSIFIER, tmp_path), *SMALL, "--training-iters", 0)
    assert net.mnist.test.images.shape == (10, 784) and np.allclose(net.mnist.test.images, 0.2)


# ---- Ctrl-C --------------------------------------------------------------------------------------


def test_ctrl_c_in_training_keeps_what_there_is(tmp_path):
    process = start(CLASSIFIER, "--logdir", tmp_path)
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 130
    assert "Traceback" not in result.stderr
    assert "Optimization stopped" in result.stdout
    assert "Testing Accuracy (all 10000 images)" in result.stdout
    printed = [line for line in [*lines, *result.stdout.splitlines()] if line.startswith("Iter")]
    run_dir = only_run(tmp_path)
    assert len(events(run_dir / "train").Scalars("loss")) == len(printed) < 78
    assert (run_dir / "mistakes.png").exists()
    tested = ("--restore", run_dir, "--training-iters", 0)
    again = run(CLASSIFIER, *tested, "--logdir", tmp_path / "again")
    assert again.stdout.splitlines()[1:3] == result.stdout.splitlines()[-4:-2]


def test_ctrl_c_before_training_ends_at_once(tmp_path):
    """While TensorFlow is being imported: Python tells of each module once it is there."""
    python = [sys.executable, "-X", "importtime"]
    process = start(CLASSIFIER, "--logdir", tmp_path, python=python)
    next(line for line in process.stderr if "tensorflow." in line)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 130
    assert "Traceback" not in result.stderr and not list(tmp_path.iterdir())
