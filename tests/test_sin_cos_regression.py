"""The regression: batches that go on, a state that is handed over, a window that keeps its size."""

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import closing

import numpy as np
import pytest
from conftest import (
    REGRESSION,
    events,
    finish,
    only_run,
    restored,
    run,
    settings,
    start,
    told_in_one_line,
)
from PIL import Image, ImageGrab

COST = r"cost:  (\d\.\d+(?:e-\d+)?)"
BOTH = COST + r"  feedforward:  (\d\.\d+)"
STEP = 1 / (10 * np.pi)  # from one x to the next


@pytest.fixture(scope="module")
def five_seeds(load):
    """`--network both` with seeds 0 to 4: the costs, (seeds, iterations), of each network."""
    costs = {"lstm": [], "feedforward": []}
    for seed in range(5):
        net = load(REGRESSION, "--network", "both", "--seed", seed)
        for name in costs:
            curve = events(f"{net.run_dir}/{name}").Scalars("cost")
            assert [point.step for point in curve] == list(range(200))
            costs[name].append([point.value for point in curve])
    return {name: np.array(cost) for name, cost in costs.items()}


@pytest.fixture(scope="module")
def trained(load):
    """The regression's names after the article's 200 iterations, and a session with its weights."""
    net = load(REGRESSION)
    with closing(restored(net)) as net.sess:  # not entered: another run may be loaded meanwhile
        yield net


# ---- what it learns ------------------------------------------------------------------------------


def test_row_i_of_a_batch_starts_where_row_i_of_the_last_one_ended(load):
    net = load(REGRESSION, "--iterations", 0)
    (sin1, cos1, x1), (sin2, cos2, x2) = net.get_batch(), net.get_batch()
    assert sin1.shape == cos1.shape == (50, 20, 1) and x1.shape == (50, 20)
    assert x1[0, 0] == 0
    np.testing.assert_allclose(np.diff(x1), STEP)
    np.testing.assert_allclose(x2[:, 0], x1[:, -1] + STEP)
    np.testing.assert_array_equal(sin2[..., 0], np.sin(x2))
    np.testing.assert_array_equal(cos2[..., 0], np.cos(x2))


def test_the_lstm_follows_the_cosine(five_seeds):
    last = five_seeds["lstm"][:, -20:].mean(1)
    assert np.median(last) <= 0.02 and last.max() <= 0.05
    assert (five_seeds["lstm"][:, 0] > 0.3).all(), "at first it fits badly"


def test_the_ordinary_network_cannot(five_seeds):
    """Each sin x has two cos x of opposite sign: the best answer is 0, its error mean(cos² x)."""
    assert five_seeds["feedforward"].min() >= 0.45
    assert five_seeds["feedforward"][:, -20:].mean() < 0.55


def test_the_state_carried_over_makes_the_first_steps_right(trained):
    """With an empty memory the network cannot know, at its first steps, where the sine is going."""
    sinx, cosx, _ = trained.get_batch()
    feed = {trained.X: sinx, trained.Y: cosx}
    error = {}
    for memory, state in ("carried", trained.state), ("empty", np.zeros((2, 50, 16))):
        pred = trained.sess.run(trained.pred, {**feed, trained.rnn.cell_init_state: tuple(state)})
        error[memory] = np.square(pred.reshape(50, 20) - cosx[..., 0])[:, :3].mean()
    assert error["empty"] > 5 * error["carried"]


def test_a_sequence_may_have_any_length(trained):
    """2,000 steps in one call, and in 100 calls of 20 that hand the state on, are the same."""
    x = np.arange(2000).reshape((1, 2000, 1)) * STEP + 4000 * STEP
    start = tuple(s[:1] for s in trained.state)
    feed = {trained.X: np.sin(x), trained.rnn.cell_init_state: start}
    whole = trained.sess.run(trained.pred, feed)
    pieces = []
    for piece in np.split(np.sin(x), 100, axis=1):
        feed = {trained.X: piece, trained.rnn.cell_init_state: start}
        pred, start = trained.sess.run([trained.pred, trained.rnn.final_state], feed)
        pieces.append(pred)
    np.testing.assert_allclose(whole, np.concatenate(pieces), atol=1e-5)
    assert trained.costs[0] == pytest.approx(np.square(whole - np.cos(x)[0]).mean(), abs=1e-6)
    assert trained.costs[0] < 0.1, "the trained network goes on and on"


# ---- what a run prints and leaves ----------------------------------------------------------------


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A short run of both networks with no display, as a user starts it, and its folder."""
    logdir = tmp_path_factory.mktemp("both")
    gif = logdir / "fit.gif"
    options = ("--network", "both", "--iterations", 41, "--save", gif, "--logdir", logdir)
    result = run(REGRESSION, *options)
    assert result.status == 0, result.stderr
    result.logdir, result.dir, result.gif = logdir, only_run(logdir), gif
    result.lines = result.stdout.splitlines()
    return result


def test_a_run_prints_the_articles_lines(tmp_path):
    """`cost: ` every 20 iterations, and at the end that of 2,000 further steps."""
    lines = run(REGRESSION, "--iterations", 41, "--logdir", tmp_path).stdout.splitlines()
    run_dir = only_run(tmp_path)
    assert lines[0] == f"No window here: the picture will be {run_dir / 'fit.png'}"
    costs = [float(re.fullmatch(COST, line)[1]) for line in lines[1:4]]
    assert costs == sorted(costs, reverse=True)
    assert re.fullmatch(r"2000 steps more, weights frozen, " + COST, lines[4])
    assert lines[5] == f"This run is in {run_dir}"
    assert lines[6].startswith("To look at it: ") and len(lines) == 7


def test_both_networks_print_both_costs(both):
    assert all(re.fullmatch(BOTH, line) for line in both.lines[1:4])
    assert re.fullmatch(r"2000 steps more, weights frozen, " + BOTH, both.lines[4])


def test_each_network_has_a_curve_of_its_own(both):
    """Both are called `cost`; and both are there, whichever was printed and drawn."""
    for name in ("lstm", "feedforward"):
        assert events(both.dir / name).Tags()["scalars"] == ["cost"]
        assert [point.step for point in events(both.dir / name).Scalars("cost")] == list(range(41))


def test_the_curve_is_the_steps_own_and_the_line_the_articles(load, monkeypatch):
    """The curve: the cost that the step was trained on; the line: the cost after that step."""
    import tensorflow.compat.v1 as tf

    before, after, sess_run = [], [], tf.Session.run

    def record(sess, fetches, feed_dict=None):
        values = sess_run(sess, fetches, feed_dict)
        if feed_dict and isinstance(fetches, list):
            (before if len(fetches) > 2 else after).append(values[-1])
        return values

    monkeypatch.setattr(tf.Session, "run", record)
    net = load(REGRESSION, "--network", "feedforward", "--iterations", 41)
    curve = [point.value for point in events(f"{net.run_dir}/feedforward").Scalars("cost")]
    np.testing.assert_array_equal(curve, before[1::2])  # the LSTM's, the ordinary network's, ...
    assert len(after) == 3 + 1, "three lines, and the 2,000 steps"
    assert (np.array(after[:3]) < np.array(curve)[[0, 20, 40]]).all(), "a step later"


def test_the_line_is_the_cost_after_the_step(load, capsys):
    net = load(REGRESSION, "--iterations", 1)
    told = re.search(COST, capsys.readouterr().out)[1]
    net.get_batch.__globals__["BATCH_START"] = 0
    sinx, cosx, _ = net.get_batch()
    with restored(net) as sess:
        assert str(sess.run(net.cost, {net.X: sinx, net.Y: cosx})) == told
    assert events(f"{net.run_dir}/lstm").Scalars("cost")[0].value > float(told)


def test_tensorboard_gets_the_graph_the_settings_and_the_picture(both):
    first = events(both.dir / "lstm")
    assert settings(both.dir)["time_steps"] == 20
    (picture,) = first.Images("fit")
    assert picture.encoded_image_string == (both.dir / "fit.png").read_bytes()
    assert (picture.width, picture.height) == (704, 352)
    top = {node.name.split("/")[0] for node in first.Graph().node}
    assert {"input", "rnn", "output_layer", "feedforward", "cost", "train"} <= top


def test_the_picture_says_what_it_shows(load):
    """Titles, labels, the two dots, the newest points; at the end that it is finished."""
    net = load(REGRESSION, "--iterations", 30, "--network", "both")
    course, plane = net.picture.figure.axes
    cost = events(f"{net.run_dir}/lstm").Scalars("cost")[-1].value
    assert course.get_title() == f"finished: 30 iterations, lstm cost {cost:.3f}"
    assert plane.get_title() == "one sin x, two cos x"
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in (course, plane)]
    assert labels == [("x", "cos x"), ("sin x", "cos x")]
    assert [text.get_text() for text in plane.texts] == ["0.8", "−0.8"]
    x = np.arange(30 * 20)[-net.TIME_STEPS - 314 :] * STEP
    np.testing.assert_allclose(net.picture.truth.get_xdata(), x)
    np.testing.assert_allclose(net.picture.truth.get_ydata(), np.cos(x))
    for name, made in net.made.items():
        fit, walk = net.picture.fits[name], net.picture.walks[name]
        np.testing.assert_array_equal(fit.get_ydata()[-20:], made[:20, 0])
        np.testing.assert_allclose(walk.get_xdata(), np.sin(x))
        np.testing.assert_array_equal(walk.get_ydata(), fit.get_ydata())
        assert walk.get_markevery() == [len(x) - 1], "the newest point is marked"
    styles = [line.get_linestyle() for line in (net.picture.truth, *net.picture.fits.values())]
    assert len(set(styles)) == 3


def test_the_animation_has_a_frame_for_each_iteration(both):
    with Image.open(both.gif) as gif:
        assert gif.n_frames == 41
        gif.seek(40)
        frame = np.array(gif.convert("RGB")).astype(int)
    for colour in (213, 94, 0), (0, 114, 178), (0, 158, 115):
        assert (np.abs(frame - colour) < 30).all(2).sum() > 50, "its lines in their colours"


def test_the_frames_wait_in_memory_a_byte_a_pixel(load, tmp_path):
    net = load(REGRESSION, "--iterations", 3, "--save", tmp_path / "fit.gif")
    assert [frame.mode for frame in net.picture.film._frames] == ["P"] * 3


def test_the_last_frame_can_be_saved(tmp_path):
    png = tmp_path / "fit.png"
    assert (
        run(REGRESSION, "--iterations", 2, "--save", png, "--logdir", tmp_path / "logs").status == 0
    )
    assert png.read_bytes() == (only_run(tmp_path / "logs") / "fit.png").read_bytes()


def test_the_name_of_the_animation_may_be_in_capitals(tmp_path):
    gif = tmp_path / "FIT.GIF"
    options = ("--iterations", 2, "--save", gif, "--logdir", tmp_path / "logs")
    assert run(REGRESSION, *options).status == 0
    with Image.open(gif) as animation:
        assert animation.n_frames == 2


def test_the_picture_does_not_grow_with_the_run(load):
    """The article adds two lines a frame; here lines are made once and hold a stretch of x."""
    artists = []
    for iterations in (1, 400):
        net = load(REGRESSION, "--iterations", iterations, "--network", "both")
        picture = net.picture
        artists.append(len(picture.figure.findobj()))
        lines = [picture.truth, *picture.fits.values(), *picture.walks.values()]
        assert max(len(line.get_xdata()) for line in lines) <= 314 + 20
    few, many = artists
    assert many < few + 20, "ticks come and go, no more"


def test_restored_weights_go_on_from_where_they_were(both, tmp_path):
    restore = ("--restore", both.dir / "model.ckpt", "--network", "both", "--logdir", tmp_path)
    assert run(REGRESSION, *restore, "--iterations", 5).status == 0
    new, restored = (
        [point.value for point in events(run_dir / "lstm").Scalars("cost")][:5]
        for run_dir in (both.dir, only_run(tmp_path))
    )
    assert restored[4] < new[4] / 2
    only_tested = run(REGRESSION, *restore, "--iterations", 0)
    assert only_tested.status == 0 and "2000 steps more" in only_tested.stdout


def test_the_same_seed_gives_the_same_run(load):
    once, again, other = (
        load(REGRESSION, "--iterations", 21, "--seed", seed).costs[0] for seed in (3, 3, 4)
    )
    assert once == again != other


# ---- the window ----------------------------------------------------------------------------------


def test_a_window_asked_for_without_a_display_is_done_without(tmp_path):
    nowhere = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    options = ("--iterations", 2, "--pause", 60, "--logdir", tmp_path)
    result = run(REGRESSION, *options, env={**nowhere, "MPLBACKEND": "tkagg"})
    assert result.status == 0 and "No window here" in result.stdout


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


def look(screen, process):
    """Return what is on the screen once there is something, (height, width, 3)."""
    for _ in range(600):
        picture = np.array(ImageGrab.grab(xdisplay=screen["DISPLAY"]))
        if picture.any():
            return picture
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    raise AssertionError("no window within a minute")


def the_window(display):
    """The one window on a screen that can be closed."""
    (window,) = (
        inner
        for window in display.screen().root.query_tree().children
        for inner in (window, *window.query_tree().children)
        if inner.get_wm_protocols()
    )
    return window


def close(screen):
    """Close the one window on the screen as its cross in the corner does."""
    from Xlib.display import Display
    from Xlib.protocol.event import ClientMessage

    display = Display(screen["DISPLAY"])
    delete, protocols = (display.intern_atom(n) for n in ("WM_DELETE_WINDOW", "WM_PROTOCOLS"))
    window = the_window(display)
    data = (32, [delete, 0, 0, 0, 0])
    window.send_event(ClientMessage(window=window, client_type=protocols, data=data))
    display.sync()
    display.close()


def test_the_window_is_drawn_anew_frame_by_frame_and_stays_until_it_is_closed(screen, tmp_path):
    process = start(REGRESSION, "--iterations", 30, "--logdir", tmp_path, env=screen)
    first = look(screen, process)
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines[-1].startswith("To look at it"), "the run is over, the window is not"
    time.sleep(1)
    last = look(screen, process)
    assert process.poll() is None
    red, blue = (
        (np.abs(last.astype(int) - rgb) < 60).all(2) for rgb in ((213, 94, 0), (0, 114, 178))
    )
    assert red.sum() > 500 and blue.sum() > 200, "the cosine, and the LSTM's"
    assert (first != last).any()
    close(screen)
    result = finish(process)
    assert result.status == 0 and "Traceback" not in result.stderr


@pytest.mark.parametrize("end", ["closed", "Ctrl-C"])
def test_the_window_closed_in_mid_run_ends_the_run_as_ctrl_c_does(end, screen, tmp_path):
    gif = tmp_path / "fit.gif"
    process = start(REGRESSION, "--save", gif, "--logdir", tmp_path, env=screen)
    look(screen, process)
    process.stdout.readline()
    close(screen) if end == "closed" else process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 130 and "Traceback" not in result.stderr
    run_dir = only_run(tmp_path)
    done = len(events(run_dir / "lstm").Scalars("cost"))
    assert 0 < done < 200
    with Image.open(gif) as animation:
        assert animation.n_frames == done
    assert (run_dir / "fit.png").exists() and (run_dir / "model.ckpt.index").exists()


def test_ctrl_c_is_heard_in_a_long_pause(screen, tmp_path):
    """The window sleeps for an hour between two frames; Ctrl-C wakes it."""
    process = start(REGRESSION, "--pause", 3600, "--logdir", tmp_path, env=screen)
    look(screen, process)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 130 and "Traceback" not in result.stderr
    assert len(events(only_run(tmp_path) / "lstm").Scalars("cost")) == 1


def test_a_window_destroyed_by_force_is_no_traceback(screen, tmp_path):
    from Xlib.display import Display

    process = start(REGRESSION, "--pause", 30, "--logdir", tmp_path, env=screen)
    while not (np.abs(look(screen, process).astype(int) - (213, 94, 0)) < 60).all(2).any():
        time.sleep(0.5)
    time.sleep(5)  # drawn, it waits: X itself ends a program that draws into no window
    display = Display(screen["DISPLAY"])
    the_window(display).destroy()
    display.sync()
    result = finish(process)
    assert "Traceback" not in result.stderr
    if "X Error" in result.stderr:  # X was asked for that window once more, and ended the program
        assert result.status == 1
    else:
        assert result.status == 130 and (only_run(tmp_path) / "fit.png").exists()


def test_ctrl_c_closes_the_window_that_stayed(screen, tmp_path):
    process = start(REGRESSION, "--iterations", 1, "--logdir", tmp_path, env=screen)
    while not process.stdout.readline().startswith("To look at it"):
        pass
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert finish(process).status == 0


# ---- Ctrl-C without a window, and what can go wrong ----------------------------------------------


def test_ctrl_c_without_a_window_keeps_what_there_is(tmp_path):
    process = start(REGRESSION, "--iterations", 100000, "--logdir", tmp_path)
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 130 and "Traceback" not in result.stderr
    assert "2000 steps more" in result.stdout and lines[0].startswith("No window")
    assert events(only_run(tmp_path) / "lstm").Scalars("cost")


def test_the_surroundings_at_fault(tmp_path, both):
    (tmp_path / "file").touch()
    told_in_one_line(run(REGRESSION, "--logdir", tmp_path / "file"), "Not a directory")
    other = ("--restore", both.dir / "model.ckpt", "--cell-size", 8)
    told_in_one_line(run(REGRESSION, *other, "--logdir", tmp_path / "logs"), "another network")
    nothing = ("--restore", tmp_path, "--save", tmp_path / "fit.gif")
    none = run(REGRESSION, *nothing, "--logdir", tmp_path / "logs")
    told_in_one_line(none, "--restore", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["file"], "nothing is made"
