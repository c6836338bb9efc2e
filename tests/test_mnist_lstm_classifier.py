"""The classifier: its graph, a full run from the command line, and everything the run leaves."""

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from conftest import (
    CLASSIFIER,
    ROOT,
    events,
    finish,
    only_run,
    pixels,
    run,
    settings,
    start,
    tensorboard,
    told_in_one_line,
)

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
        "LSTM/basic_lstm_cell/kernel": [28 + 128, 4 * 128],  # [x_t, s_(t-1)] times i, g, f, o
        "LSTM/basic_lstm_cell/bias": [4 * 128],
    }


def test_dynamic_and_static_rnn_give_the_same_numbers_from_the_same_weights(load, trained):
    """One loop, or 28 cells in a row: the same network, forwards and backwards."""
    import tensorflow.compat.v1 as tf

    found = []
    for kind in ("dynamic", "static"):
        net = load(CLASSIFIER, "--training-iters", 0, "--rnn", kind)
        with net.graph.as_default(), tf.Session() as sess:
            gradients = tf.gradients(net.cost, tf.trainable_variables())
            net.saver.restore(sess, str(trained.dir / "model.ckpt"))
            feed = {net.x: net.x_test[:100], net.y: net.y_test[:100]}
            found.append(sess.run([net.pred, net.cost, *gradients], feed))
    for dynamic, static in zip(*found):
        np.testing.assert_allclose(dynamic, static, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [128, 33, 1])
def test_compiled_or_not_a_step_is_the_same(load, batch_size):
    """XLA, each half of the batch by itself, and the plain graph: the same new weights."""
    import tensorflow.compat.v1 as tf

    found = []
    for xla in ("on", "off"):
        net = load(CLASSIFIER, "--training-iters", 0, "--batch-size", batch_size, "--xla", xla)
        compiled = any("_xla_compile_id" in op.node_def.attr for op in net.graph.get_operations())
        assert compiled == (xla == "on")
        with tf.Session(graph=net.graph) as sess:
            net.saver.restore(sess, os.path.join(net.run_dir, "model.ckpt"))
            feed = {net.x: net.x_test[:batch_size], net.y: net.y_test[:batch_size]}
            logits = sess.run([net.optimizer, net.batch_pred], feed)[1]
            weights = sess.run(net.graph.get_collection("trainable_variables"))
            loss = sess.run(net.cost, {net.pred: logits, net.y: net.y_test[:batch_size]})
        found.append([logits, loss, *weights])
    for on, off in zip(*found):
        np.testing.assert_allclose(on, off, atol=2e-5)


def test_cosine_decay_takes_the_learning_rate_to_zero(load):
    import tensorflow.compat.v1 as tf

    net = load(CLASSIFIER, "--training-iters", 1280, "--lr", 0.008, "--lr-decay", "cosine")
    with net.graph.as_default(), tf.Session() as sess:
        rates = [sess.run(net.lr, {net.global_step: step}) for step in (0, 5, 10)]
    np.testing.assert_allclose(rates, [0.008, 0.004, 0], atol=1e-9)


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
    assert {path.name for path in trained.dir.iterdir()} == {
        "checkpoint",
        "gradient.png",
        "mistakes.png",
        "model.ckpt.data-00000-of-00001",
        "model.ckpt.index",
        "model.ckpt.meta",
        "rows.png",
        "train",
        "validation",
    }


def test_the_curves_are_what_was_printed(trained):
    train, validation = events(trained.dir / "train"), events(trained.dir / "validation")
    assert validation.Tags()["scalars"] == ["accuracy", "loss"]
    assert set(train.Tags()["scalars"]) == {"accuracy", "loss", "gradient_at_row_10"}
    printed = [re.fullmatch(ITER, line) for line in trained.lines[:78]]
    for tag, group in (("loss", 2), ("accuracy", 3)):
        curve = train.Scalars(tag)
        assert [point.step for point in curve] == list(range(10, 790, 10))
        values = [float(line[group]) for line in printed]
        np.testing.assert_allclose([point.value for point in curve], values, atol=1e-5)
        assert [point.step for point in validation.Scalars(tag)] == list(range(100, 800, 100))
    assert validation.Scalars("accuracy")[-1].value > 0.9


def test_tensorboard_gets_the_histograms_and_the_settings(trained):
    train = events(trained.dir / "train")
    kernel, bias = "weights/LSTM/basic_lstm_cell/kernel", "weights/LSTM/basic_lstm_cell/bias"
    assert {kernel, bias} <= set(train.Tags()["histograms"])
    assert [moment.step for moment in train.Histograms(kernel)] == list(range(100, 800, 100))

    told = settings(trained.dir / "train")
    assert told["lr"] == "0.001" and told["training_iters"] == "100000" and told["seed"] == "0"


@pytest.mark.parametrize(("name", "dark"), [("mistakes", 0.05), ("rows", 0.03), ("gradient", 0.01)])
def test_each_picture_is_in_the_folder_and_in_tensorboard(trained, name, dark):
    file = pixels((trained.dir / f"{name}.png").read_bytes())
    (picture,) = events(trained.dir / "train").Images(f"{name}/image")
    assert picture.step == 781 and (picture.width, picture.height) == (800, 400)
    np.testing.assert_array_equal(pixels(picture.encoded_image_string), file)
    assert file.shape == (400, 800, 4)
    assert dark < (file[..., :3] < 128).mean() < 5 * dark, "black on white"


def test_the_graphs_top_level_reads_like_the_network(trained):
    import tensorflow.compat.v1 as tf

    graph = tf.GraphDef.FromString(events(trained.dir / "train").Graph().SerializeToString())
    top = {node.name.split("/")[0] for node in graph.node}
    network = {"input", "LSTM", "output_layer", "cost", "train", "test"}
    network |= {"belief", "reach", "gates"}
    summaries = {"accuracy", "loss", "gradient_at_row_10", "Merge", "Merge_1", "weights"}
    assert network <= top <= network | summaries | {"settings", "Const", "init"}


def test_tensorboards_server_shows_the_run(trained):
    """`tensorboard --logdir logs`, asked over HTTP for what its tabs show."""
    with tensorboard(trained.logdir) as ask:
        images = ask("plugin/images/tags", "gradient")
        assert all(name in images for name in ("mistakes", "rows", "gradient"))
        for curve in ("train", "validation"):
            assert f"mnist/{trained.dir.name}/{curve}" in ask("plugin/scalars/tags")
        assert "LSTM/basic_lstm_cell/kernel" in ask("plugin/histograms/tags")
        assert "gates/f" in ask("plugin/histograms/tags")
        assert "settings" in ask("plugin/text/tags")
        assert f"mnist/{trained.dir.name}/train" in ask("plugin/graphs/info")


# ---- what the article says of the inside ---------------------------------------------------------


@pytest.fixture(scope="module")
def inside(load, trained):
    """The names of a run that only tests the trained network."""
    return load(CLASSIFIER, "--training-iters", 0, "--restore", trained.dir / "model.ckpt")


def test_the_last_time_step_is_the_most_reliable(inside, trained):
    """最后一个时间步结果最可靠: it has seen every row; after ten rows it is near guessing."""
    accuracy = inside.right.mean(1)
    assert accuracy.shape == (28,)
    assert accuracy[-1] >= accuracy.max() - 0.005
    assert accuracy[-1] == pytest.approx(float(trained.lines[80].split()[-1]), abs=1e-6)
    assert accuracy[9] < 0.3


def test_the_answer_after_the_last_row_is_the_networks(inside):
    import tensorflow.compat.v1 as tf

    with tf.Session(graph=inside.graph) as sess:
        inside.saver.restore(sess, inside.args.restore)
        feed = {inside.x: inside.x_test[:100]}
        belief, pred = sess.run([inside.belief, inside.pred], feed)
    np.testing.assert_array_equal(belief[-1].argmax(1), pred.argmax(1))
    np.testing.assert_allclose(belief, inside.beliefs[:, :100], atol=1e-6)
    np.testing.assert_allclose(belief.sum(2), 1, atol=1e-5)


def test_the_lstm_opens_the_way_back_and_the_plain_rnn_stays_narrow(load):
    """梯度消失: at first the LSTM's gradient fades, too, even faster; but it learns."""
    lstm, rnn = (
        load(CLASSIFIER, "--training-iters", 12800, "--cell", cell).reach
        for cell in ("lstm", "rnn")
    )
    assert lstm[0][0] < 0.05 and rnn[0][0] < 0.2, "before training: row 1 against row 28"
    assert lstm[0][0] < rnn[0][0]
    assert lstm[100][9] >= 3 * rnn[100][9], "row 10, after 100 steps"
    assert lstm[100][27] == rnn[100][27] == 1


def test_the_gradient_at_row_10_is_a_curve(trained, inside):
    curve = events(trained.dir / "train").Scalars("gradient_at_row_10")
    assert [point.step for point in curve] == list(range(100, 800, 100))
    at_the_end = inside.reach[0][9]  # of the restored network, before any more training
    assert curve[-1].value == pytest.approx(at_the_end, rel=0.5) and at_the_end > 0.5


def test_the_gates_lie_between_0_and_1(trained):
    """介于 0~1，即这两个极端之间: in TensorBoard, over 64 digits, 28 rows and 128 units."""
    train = events(trained.dir / "train")
    for gate in "ifo":
        moments = train.Histograms(f"gates/{gate}")
        assert [moment.step for moment in moments] == list(range(100, 800, 100))
        for moment in moments:
            values = moment.histogram_value
            assert values.num == 64 * 28 * 128 and 0 <= values.min < values.max <= 1
        assert values.max - values.min > 0.6, "in use, from nearly shut to nearly open"
        mean = values.sum / values.num
        assert mean > 0.65 if gate == "f" else 0.4 < mean < 0.65, "forget_bias: σ(1) is 0.73"


def test_a_plain_rnn_has_no_gates(load):
    names = load(CLASSIFIER, "--training-iters", 0, "--cell", "rnn").inside
    assert not any(name.startswith("gates") for name in names)


# ---- other runs ----------------------------------------------------------------------------------


def test_restore_gives_the_same_test_accuracy_to_the_last_digit(trained, tmp_path):
    checkpoint = trained.dir / "model.ckpt"
    options = ("--restore", checkpoint, "--training-iters", 0, "--logdir", tmp_path)
    result = run(CLASSIFIER, *options)
    assert result.stdout.splitlines()[1:3] == trained.lines[79:81]


def test_training_goes_on_from_restored_weights(trained, tmp_path):
    checkpoint = trained.dir / "model.ckpt"
    options = ("--restore", checkpoint, "--training-iters", 1280, "--logdir", tmp_path)
    line = run(CLASSIFIER, *options).stdout.splitlines()[0]
    assert float(re.fullmatch(ITER, line)[2]) < 0.5, "not the loss of a new network"


def test_the_same_seed_gives_the_same_run_and_another_another(trained, tmp_path):
    first, other = (
        run(CLASSIFIER, "--training-iters", 2560, "--seed", seed, "--logdir", tmp_path / str(seed))
        for seed in (0, 1)
    )
    assert first.stdout.splitlines()[:2] == trained.lines[:2]
    assert other.stdout.splitlines()[:2] != trained.lines[:2]


def test_two_runs_at_once_have_a_folder_each(tmp_path):
    options = ("--training-iters", 1280, "--logdir", tmp_path)
    both = [start(CLASSIFIER, *options) for _ in range(2)]
    assert [finish(one).status for one in both] == [0, 0]
    folders = list(tmp_path.glob("mnist/*"))
    assert len(folders) == 2
    assert all((folder / "mistakes.png").exists() for folder in folders)


@pytest.mark.parametrize("options", [("--cell", "rnn"), ("--rnn", "static")])
def test_the_other_cell_and_the_other_loop_train_too(options, tmp_path):
    result = run(CLASSIFIER, *options, "--training-iters", 3840, "--logdir", tmp_path)
    losses = [float(re.fullmatch(ITER, line)[2]) for line in result.stdout.splitlines()[:3]]
    assert losses[2] < losses[0]


def test_a_terminal_gets_a_progress_bar_and_a_pipe_does_not(tmp_path, trained):
    assert not any("%|" in line for line in trained.lines)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # a usual terminal
    command = [sys.executable, CLASSIFIER, "--training-iters", "2560", "--logdir", tmp_path]
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
    result = run(script, "--training-iters", 1280, "--data", data, cwd=elsewhere)
    assert result.status == 0, result.stderr
    assert only_run(alone / "logs") and not list(elsewhere.iterdir())


def test_a_script_copied_alone_downloads_mnist_as_keras_does(load, tmp_path, monkeypatch):
    """No network here: what Keras would return is put in its place."""
    import tensorflow.compat.v1 as tf

    images, labels = np.full((5100, 28, 28), 51, np.uint8), np.full(5100, 7, np.uint8)
    load_data = lambda: ((images, labels), (images[:10], labels[:10]))  # noqa: E731
    monkeypatch.setattr(tf.keras.datasets.mnist, "load_data", load_data)
    net = load(shutil.copy(CLASSIFIER, tmp_path), "--training-iters", 0)
    assert net.x_test.shape == (10, 28, 28) and np.allclose(net.x_test, 0.2)


def test_a_checkpoint_of_another_network(trained, tmp_path):
    for options in (
        ("--restore", tmp_path / "none"),
        ("--restore", trained.dir / "model.ckpt", "--cell", "rnn"),
        ("--restore", trained.dir / "model.ckpt", "--n-hidden", 64),
    ):
        result = run(CLASSIFIER, *options, "--logdir", tmp_path / "logs")
        told_in_one_line(result, "--restore", str(options[1]))
    assert not (tmp_path / "logs").exists()


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

    again = run(
        CLASSIFIER, "--restore", run_dir / "model.ckpt", "--training-iters", 0, "--logdir", tmp_path
    )
    assert again.stdout.splitlines()[1:3] == result.stdout.splitlines()[-4:-2]


def test_ctrl_c_before_training_ends_at_once(tmp_path):
    process = start(CLASSIFIER, "--logdir", tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)  # by now TensorFlow is being imported
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 130
    assert "Traceback" not in result.stderr and not list(tmp_path.iterdir())
