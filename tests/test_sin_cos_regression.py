"""The regression: batches that go on, a state that is handed over, a window that keeps its size."""

import re
import shutil
import time
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import pyvirtualdisplay
from conftest import REGRESSION, cost_curves, events, finish, only_run, settings, start
from network import restored
from PIL import Image, ImageGrab
from tensorflow.compat.v1 import Operation, Session
from Xlib.display import Display
from Xlib.protocol.event import ClientMessage

COST = r"cost:  (\d\.\d+(?:e-\d+)?)"
BOTH = COST + r"  feedforward:  (\d\.\d+)"
STEP = 1 / (10 * np.pi)  # from one x to the next
COLOURS = (213, 94, 0), (0, 114, 178)  # cos x, the LSTM


@pytest.fixture(scope="module")
def both(load):
    """Both networks, and what went in and came out in training and after it."""
    trained, frozen, sess_run = [], [], Session.run

    def record(sess, fetches, feed_dict=None):
        values = sess_run(sess, fetches, feed_dict)
        if feed_dict and isinstance(fetches, list):
            runs = trained if isinstance(fetches[0], Operation) else frozen
            runs.append((feed_dict, values))
        return values

    with patch.object(Session, "run", record):
        net = load(REGRESSION, "--network", "both")
    net.trained, net.frozen = trained, frozen
    return net


def test_the_lstm_follows_the_cosine_and_the_ordinary_network_cannot(both, load):
    """Each sin x has two cos x of opposite sign: the best answer is 0, its error mean(cos² x)."""
    seeds = [both, *(load(REGRESSION, "--network", "both", "--seed", n) for n in range(1, 5))]
    lstm, feedforward = np.array([cost_curves(net.run_dir) for net in seeds]).swapaxes(0, 1)
    assert lstm.shape == feedforward.shape == (5, 200)
    assert all(len({*costs}) == 5 for costs in lstm.T), "another seed is another run"
    last = lstm[:, -20:].mean(1)
    assert np.median(last) <= 0.02 and last.max() <= 0.05
    assert lstm[:, 0].min() > 0.3, "at first it fits badly"
    assert feedforward.min() >= 0.45 and feedforward[:, -20:].mean() < 0.55


def test_the_state_carried_over_makes_the_first_steps_right(both):
    """With an empty memory the network cannot know, at its first steps, where the sine is going."""
    errors = []
    sinx, cosx, _ = both.get_batch()
    with restored(both) as sess:
        for memory in np.zeros((2, 50, 16)), both.state:
            pred = sess.run(both.pred, {both.X: sinx, both.rnn.cell_init_state: tuple(memory)})
            errors.append(np.square(pred.reshape(50, 20) - cosx[..., 0])[:, :3].mean())
    assert errors[0] > 5 * errors[1]


def test_a_run_prints_the_articles_lines_the_same_ones_for_the_same_seed(both, load):
    """`cost: ` every 20 iterations, and at the end that of 2,000 further steps."""
    lines = both.out.splitlines()
    told = [re.fullmatch(BOTH, line).groups() for line in lines[1:11]]
    assert re.fullmatch(r"2000 steps more, weights frozen, " + BOTH, lines[11])
    for name, of_one in zip(("lstm", "feedforward"), zip(*told)):
        net = load(REGRESSION, "--iterations", 41, "--network", name)
        first, *costs, more, run_is_in, command = net.out.splitlines()
        assert first == "No window here: the picture will be fit.png in the run's folder"
        assert [re.fullmatch(COST, line)[1] for line in costs] == [*of_one[:3]]
        assert re.fullmatch(r"2000 steps more, weights frozen, " + COST, more)
        assert run_is_in == f"This run is in {net.run_dir}" and command.startswith("To look at it:")
        curve = cost_curves(net.run_dir)
        np.testing.assert_array_equal(curve, cost_curves(both.run_dir)[:, :41], "both, in any case")
    assert float(told[0][0]) > float(told[1][0]) > float(told[2][0])


def test_row_i_of_a_batch_and_its_state_go_on_from_row_i_of_the_last_one(both):
    """In training and through 2,000 steps more. A line has the cost after its step, not before."""
    lstm, feedforward = both.trained[::2], both.trained[1::2]
    lines, more = both.frozen[:10], both.frozen[10:]
    assert all(one is other for (one, _), (other, _) in zip(lstm, feedforward)), "the same feed"
    state = None
    for number, (feed, values) in enumerate([*lstm, *more]):
        assert feed.get(both.rnn.cell_init_state) is state
        x = (np.arange(50 * 20).reshape(50, 20, 1) + number * 20) * STEP
        np.testing.assert_allclose([feed[both.X], feed[both.Y]], [np.sin(x), np.cos(x)], atol=1e-9)
        state = values[1 if number < 200 else 0]
    assert len(lstm) == 200 and len(more) == 100
    curve = cost_curves(both.run_dir)
    np.testing.assert_array_equal(curve, [[v[-1] for _, v in runs] for runs in (lstm, feedforward)])
    after = np.transpose([values for _, values in lines])
    assert (after[:, :3] < curve[:, [0, 20, 40]]).all(), "a step later"
    told = [float(cost) for cost in re.search(r"2000 .*" + BOTH, both.out).groups()]
    np.testing.assert_allclose(told, np.mean([values[1:] for _, values in more], 0), rtol=1e-5)


def test_a_run_leaves_the_graph_the_settings_the_picture_and_the_animation(load, tmp_path):
    """The animation has a frame for each iteration; FILE.GIF is one, too."""
    options = ("--iterations", 5, "--save", tmp_path / "FIT.GIF")
    net = load(REGRESSION, "--network", "both", *options, drawn=True)
    assert settings(net.run_dir)["time_steps"] == 20
    left, fit = events(f"{net.run_dir}/lstm"), Path(net.run_dir, "fit.png")
    assert [picture.encoded_image_string for picture in left.Images("fit")] == [fit.read_bytes()]
    top = {node.name.split("/")[0] for node in left.Graph().node}
    assert {"input", "rnn", "output_layer", "feedforward", "cost", "train"} <= top
    with Image.open(fit) as image, Image.open(tmp_path / "FIT.GIF") as gif:
        assert image.size == (704, 352)
        assert gif.n_frames == 5, "Pillow would keep one of two that are the same"


def test_the_picture_says_what_it_shows(both):
    told = "200 iterations, lstm cost {:.3f}, feedforward cost {:.3f}"
    title = told.format(*cost_curves(both.run_dir)[:, -1])
    told = [(a.get_title(), a.get_xlabel(), a.get_ylabel()) for a in (both.left, both.right)]
    assert told == [(title, "x", "cosx"), ("one sin x, two cos x", "sinx", "cosx")]
    x = np.arange(200 * 20)[-20 - 314 :] * STEP
    np.testing.assert_allclose(both.lines_over_x["cosx"].get_data(), [x, np.cos(x)])
    for name, outputs in ("lstm", both.outputs), ("feedforward", both.feedforward_outputs):
        curve, orbit = both.lines_over_x[name], both.lines_over_sinx[name]
        np.testing.assert_array_equal(curve.get_ydata()[-20:], outputs.flatten()[:20])
        np.testing.assert_allclose(orbit.get_xdata(), np.sin(x))
        np.testing.assert_array_equal(orbit.get_ydata(), curve.get_ydata())
        assert orbit.get_markevery() == [len(x) - 1], "the newest point is marked"
    assert len({line.get_linestyle() for line in both.lines_over_x.values()}) == 3
    assert len(both.figure.findobj()) < 300, "lines are made once, not two a frame"


@pytest.fixture
def screen():
    """A screen that nobody sees: the environment in which a program opens its window there."""
    if not shutil.which("Xvfb"):
        pytest.skip("needs Xvfb (Debian: apt-get install xvfb)")
    with pyvirtualdisplay.Display(size=(900, 600), extra_args=["-noreset"]) as server:
        yield {**server.env(), "MPLBACKEND": "tkagg"}


def look(screen, process, before=None):
    """Return what is on the screen, once there are lines in two colours, other ones than before."""
    while process.poll() is None:
        picture = np.array(ImageGrab.grab(xdisplay=screen["DISPLAY"]), int)
        drawn = min((np.abs(picture - rgb) < 60).all(2).sum() for rgb in COLOURS) > 100
        if drawn and not np.array_equal(picture, before):
            return picture
        time.sleep(0.1)
    raise AssertionError(process.stderr.read())


def close(screen):
    """Close the one window on the screen as its cross in the corner does."""
    with closing(Display(screen["DISPLAY"])) as display:
        windows = display.screen().root.query_tree().children
        (window,) = (window for window in windows if window.get_wm_protocols())
        delete, protocols = map(display.intern_atom, ("WM_DELETE_WINDOW", "WM_PROTOCOLS"))
        data = (32, [delete, 0, 0, 0, 0])
        window.send_event(ClientMessage(window=window, client_type=protocols, data=data))
        display.sync()


@pytest.mark.parametrize("status", [0, 130, 143])
def test_a_window_stays_until_it_is_closed_and_ends_the_run(status, screen, tmp_path):
    """Closed at the end: 0; while it trains and is drawn anew: 130, as by Ctrl-C; SIGTERM: 143."""
    gif, iterations = tmp_path / "fit.gif", 10**9 if status else 2
    options = ("--iterations", iterations, "--save", gif, "--logdir", tmp_path)
    process = start(REGRESSION, *options, env=screen, until="cost" if status else "To look at it")
    first = look(screen, process)
    if status:
        assert any(line.startswith("cost") for line in process.stdout), "20 iterations later"
        look(screen, process, before=first)
    assert process.poll() is None
    process.terminate() if status == 143 else close(screen)
    result = finish(process)
    assert result.status == status and "Traceback" not in result.err
    assert ("2000 steps more" in result.out) == (status > 0), "at the end it was read above"
    run_dir = only_run(tmp_path)
    with Image.open(gif) as animation:
        assert animation.n_frames == cost_curves(run_dir).shape[1] > 1
    assert (run_dir / "fit.png").exists() and (run_dir / "model.ckpt.index").exists()
