"""The regression: batches that go on, a state that is handed over, a window that keeps its size."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import REGRESSION, events, finish, only_run, restored, settings, start
from PIL import Image, ImageGrab

COST = r"cost:  (\d\.\d+(?:e-\d+)?)"
BOTH = COST + r"  feedforward:  (\d\.\d+)"
STEP = 1 / (10 * np.pi)  # from one x to the next


# ---- what it learns ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def five_seeds(load):
    """`--network both` with seeds 0 to 4: the names of each run, and its costs by network."""
    runs = [load(REGRESSION, "--network", "both", "--seed", seed) for seed in range(5)]
    for net in runs:
        net.curve = {}
        for name in "lstm", "feedforward":
            points = events(f"{net.run_dir}/{name}").Scalars("cost")
            assert [point.step for point in points] == list(range(200))
            net.curve[name] = np.array([point.value for point in points])
    return runs


@pytest.fixture(scope="module")
def trained(five_seeds):
    """The first of them, and a session with its weights."""
    net = five_seeds[0]
    with closing(restored(net)) as net.sess:
        yield net


def test_row_i_of_a_batch_starts_where_row_i_of_the_last_one_ended(trained):
    (sin1, cos1, x1), (sin2, cos2, x2) = trained.get_batch(), trained.get_batch()
    assert sin1.shape == cos1.shape == (50, 20, 1) and x1.shape == (50, 20)
    assert x1[0, 0] == pytest.approx((200 + 100) * 20 * STEP), "200 trained, 2,000 more steps"
    np.testing.assert_allclose(np.diff(x1), STEP)
    np.testing.assert_allclose(x2[:, 0], x1[:, -1] + STEP)
    np.testing.assert_array_equal(sin2[..., 0], np.sin(x2))
    np.testing.assert_array_equal(cos2[..., 0], np.cos(x2))


def test_the_lstm_follows_the_cosine(five_seeds):
    last = [net.curve["lstm"][-20:].mean() for net in five_seeds]
    assert np.median(last) <= 0.02 and max(last) <= 0.05
    assert min(net.curve["lstm"][0] for net in five_seeds) > 0.3, "at first it fits badly"


def test_the_ordinary_network_cannot(five_seeds):
    """Each sin x has two cos x of opposite sign: the best answer is 0, its error mean(cos² x)."""
    curves = np.array([net.curve["feedforward"] for net in five_seeds])
    assert curves.min() >= 0.45 and curves[:, -20:].mean() < 0.55


def test_the_state_carried_over_makes_the_first_steps_right(trained):
    """With an empty memory the network cannot know, at its first steps, where the sine is going."""
    sinx, cosx, _ = trained.get_batch()
    state = trained.state
    for _ in range(2):  # the batches of another test may stand between
        feed = {trained.X: sinx, trained.rnn.cell_init_state: state}
        state = trained.sess.run(trained.rnn.final_state, feed)
        sinx, cosx, _ = trained.get_batch()
    error = {}
    for memory, before in ("carried", state), ("empty", np.zeros((2, 50, 16))):
        feed = {trained.X: sinx, trained.rnn.cell_init_state: tuple(before)}
        pred = trained.sess.run(trained.pred, feed)
        error[memory] = np.square(pred.reshape(50, 20) - cosx[..., 0])[:, :3].mean()
    assert error["empty"] > 5 * error["carried"]


# ---- what a run prints and leaves ----------------------------------------------------------------


@pytest.fixture(scope="module")
def both(load, tmp_path_factory):
    """A short run of both networks with no display, and its animation."""
    gif = tmp_path_factory.mktemp("gif") / "FIT.GIF"
    net = load(REGRESSION, "--network", "both", "--iterations", 41, "--save", gif)
    net.gif, net.dir = gif, Path(net.run_dir)
    return net


def test_a_run_prints_the_articles_lines(both, load):
    """`cost: ` every 20 iterations, and at the end that of 2,000 further steps."""
    for net, pattern in (both, BOTH), (load(REGRESSION, "--iterations", 41), COST):
        lines = net.out.splitlines()
        assert lines[0] == "No window here: the picture will be fit.png in the run's folder"
        costs = [float(re.fullmatch(pattern, line)[1]) for line in lines[1:4]]
        assert costs == sorted(costs, reverse=True)
        assert re.fullmatch(r"2000 steps more, weights frozen, " + pattern, lines[4])
        assert lines[5] == f"This run is in {net.run_dir}"
        assert lines[6].startswith("To look at it: ") and len(lines) == 7


def test_what_is_run_in_the_loop_and_what_is_told_of_it(load, monkeypatch):
    """The curve: the cost that a step was trained on; the line: the cost after that step.

    And 2,000 steps more: batch by batch, the state handed on, nothing trained.
    """
    import tensorflow.compat.v1 as tf

    trained, untrained, sess_run = [], [], tf.Session.run

    def record(sess, fetches, feed_dict=None):
        values = sess_run(sess, fetches, feed_dict)
        if feed_dict and isinstance(fetches, list):
            runs = trained if isinstance(fetches[0], tf.Operation) else untrained
            runs.append((feed_dict, values))
        return values

    monkeypatch.setattr(tf.Session, "run", record)
    net = load(REGRESSION, "--network", "feedforward", "--iterations", 41)
    curve = [point.value for point in events(f"{net.run_dir}/feedforward").Scalars("cost")]
    np.testing.assert_array_equal(curve, [values[-1] for _, values in trained[1::2]])
    lines, more = untrained[:3], untrained[3:]
    assert ([v[1] for _, v in lines] < np.array(curve)[[0, 20, 40]]).all(), "a step later"

    state = trained[-2][1][1]
    for number, (feed, values) in enumerate(more, 41):
        assert feed[net.rnn.cell_init_state] is state
        np.testing.assert_allclose(
            feed[net.X][0, :, 0], np.sin(np.arange(20) * STEP + number * 20 * STEP)
        )
        state = values[0]
    assert len(more) == 100
    told = re.search(r"2000 .*" + COST, net.out)[1]
    assert float(told) == pytest.approx(np.mean([values[-1] for _, values in more]), rel=1e-5)


def test_tensorboard_gets_curves_the_graph_the_settings_and_the_picture(both):
    """Both curves are called `cost`; and both are there, whichever was printed and drawn."""
    for name in ("lstm", "feedforward"):
        assert events(both.dir / name).Tags()["scalars"] == ["cost"]
        assert [point.step for point in events(both.dir / name).Scalars("cost")] == list(range(41))
    first = events(both.dir / "lstm")
    assert settings(both.dir)["time_steps"] == 20
    (picture,) = first.Images("fit")
    assert picture.encoded_image_string == (both.dir / "fit.png").read_bytes()
    with Image.open(both.dir / "fit.png") as image:
        assert image.size == (704, 352)
    top = {node.name.split("/")[0] for node in first.Graph().node}
    assert {"input", "rnn", "output_layer", "feedforward", "cost", "train"} <= top


def test_the_picture_says_what_it_shows(trained):
    """Titles, labels, the two dots, the newest points."""
    costs = [events(f"{trained.run_dir}/{n}").Scalars("cost")[-1].value for n in trained.NETWORKS]
    told = "200 iterations, lstm cost {:.3f}, feedforward cost {:.3f}"
    assert trained.course.get_title() == told.format(*costs)
    assert trained.plane.get_title() == "one sin x, two cos x"
    labels = [(a.get_xlabel(), a.get_ylabel()) for a in (trained.course, trained.plane)]
    assert labels == [("x", "cosx"), ("sinx", "cosx")]
    x = np.arange(200 * 20)[-20 - 314 :] * STEP
    np.testing.assert_allclose(trained.curves["cosx"].get_xdata(), x)
    np.testing.assert_allclose(trained.curves["cosx"].get_ydata(), np.cos(x))
    made = {"lstm": trained.outputs, "feedforward": trained.feedforward_outputs}
    for name, outputs in made.items():
        curve, orbit = trained.curves[name], trained.orbits[name]
        np.testing.assert_array_equal(curve.get_ydata()[-20:], outputs.flatten()[:20])
        np.testing.assert_allclose(orbit.get_xdata(), np.sin(x))
        np.testing.assert_array_equal(orbit.get_ydata(), curve.get_ydata())
        assert orbit.get_markevery() == [len(x) - 1], "the newest point is marked"
    assert len({line.get_linestyle() for line in trained.curves.values()}) == 3
    assert len(trained.figure.findobj()) < 300, "lines are made once, not two a frame"


def test_the_animation_has_a_frame_for_each_iteration(both):
    with Image.open(both.gif) as gif:
        assert gif.n_frames == 41
        gif.seek(40)
        frame = np.array(gif.convert("RGB")).astype(int)
    for colour in (213, 94, 0), (0, 114, 178), (0, 158, 115):
        assert (np.abs(frame - colour) < 30).all(2).sum() > 50, "its lines in their colours"


def test_the_same_seed_gives_the_same_run(load):
    runs = [load(REGRESSION, "--iterations", 21, "--seed", seed).out for seed in (3, 3, 4)]
    costs = [re.findall(COST, out) for out in runs]
    assert costs[0] == costs[1] != costs[2] and len(costs[0]) == 3


# ---- the window ----------------------------------------------------------------------------------


@pytest.fixture
def screen():
    """A screen that nobody sees: the environment in which a program opens its window there."""
    if not shutil.which("Xvfb"):
        pytest.skip("needs Xvfb (Debian: apt-get install xvfb)")
    read, write = os.pipe()
    options = ["-noreset", "-screen", "0", "1280x900x24", "-displayfd", str(write)]
    server = subprocess.Popen(["Xvfb", *options], pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with open(read) as pipe:
        display = f":{pipe.readline().strip()}"
    yield {**os.environ, "DISPLAY": display, "MPLBACKEND": "tkagg"}
    server.terminate()
    server.wait()


def look(screen, process, *colours):
    """Return what is on the screen once there are lines of these colours, (height, width, 3)."""
    while process.poll() is None:
        picture = np.array(ImageGrab.grab(xdisplay=screen["DISPLAY"])).astype(int)
        if all((np.abs(picture - rgb) < 60).all(2).sum() > 100 for rgb in colours):
            return picture
    raise AssertionError(process.stderr.read())


def close(screen):
    """Close the one window on the screen as its cross in the corner does."""
    from Xlib.display import Display
    from Xlib.protocol.event import ClientMessage

    display = Display(screen["DISPLAY"])
    (window,) = (
        inner
        for window in display.screen().root.query_tree().children
        for inner in (window, *window.query_tree().children)
        if inner.get_wm_protocols()
    )
    delete, protocols = (display.intern_atom(n) for n in ("WM_DELETE_WINDOW", "WM_PROTOCOLS"))
    data = (32, [delete, 0, 0, 0, 0])
    window.send_event(ClientMessage(window=window, client_type=protocols, data=data))
    display.sync()
    display.close()


COLOURS = (213, 94, 0), (0, 114, 178)  # the cosine's, and the LSTM's


def test_the_window_is_drawn_anew_and_stays_until_it_is_closed(screen, tmp_path):
    process = start(REGRESSION, "--iterations", 30, "--logdir", tmp_path, env=screen)
    first = look(screen, process, *COLOURS)
    assert any(line.startswith("To look at it") for line in process.stdout), "the run is over"
    assert (look(screen, process, *COLOURS) != first).any() and process.poll() is None
    close(screen)
    result = finish(process)
    assert result.status == 0 and "Traceback" not in result.stderr


@pytest.mark.parametrize("end", ["closed", "Ctrl-C"])
def test_a_window_that_is_closed_ends_the_run_as_ctrl_c_does(end, screen, tmp_path):
    gif = tmp_path / "fit.gif"
    process = start(REGRESSION, "--save", gif, "--logdir", tmp_path, env=screen)
    look(screen, process, *COLOURS)
    close(screen) if end == "closed" else process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 130 and "Traceback" not in result.stderr
    assert "2000 steps more" in result.stdout
    run_dir = only_run(tmp_path)
    done = len(events(run_dir / "lstm").Scalars("cost"))
    assert 0 < done < 200
    with Image.open(gif) as animation:
        assert animation.n_frames == done
    assert (run_dir / "fit.png").exists() and (run_dir / "model.ckpt.index").exists()
