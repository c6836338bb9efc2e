# /// script
# requires-python = ">=3.9,<3.14"
# dependencies = [
#     "tensorflow>=2.16,<2.22",
#     "tf-keras>=2.16,<2.22",
#     "tensorboard>=2.16,<2.22",
#     "setuptools<82",
#     "numpy>=1.23.5,<3",
#     "matplotlib>=3.9,<4",
#     "tqdm>=4.66,<5",
# ]
# ///
"""sin x in, cos x out, by an LSTM that remembers: the article's 用 LSTM 实现回归任务.

One sin x belongs to two cos x, of opposite sign. An ordinary network sees one sin x and cannot tell
which; an LSTM has seen the ones before and knows whether the sine is rising or falling.

To read this beside the article, go to "the article's listing" and read on to the end of the file.
Above it stand the small functions that the listing calls; you can skip them.
"""

import argparse
import builtins
import contextlib
import errno
import gc
import io
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

# ==== options =====================================================================================
HERE, NAME = os.path.dirname(os.path.realpath(__file__)), os.path.basename(__file__)
parser = argparse.ArgumentParser(
    description="Train an LSTM to follow cos x from sin x, and watch it.",
    epilog="example: python %(prog)s --network both --save fit.gif",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument_group("the article's settings").add_argument
option("--iterations", type=int, default=200, metavar="N", help="training steps, a frame each")
option("--batch-size", type=int, default=50, metavar="N", help="sequences side by side in a batch")
option("--time-steps", type=int, default=20, metavar="N", help="length of a sequence")
option("--cell-size", type=int, default=16, metavar="N", help="size of the LSTM's output and state")
option("--lr", type=float, default=0.006, metavar="X", help="learning rate of Adam")
option("--pause", type=float, default=0.1, metavar="S", help="seconds between the window's frames")
option = parser.add_argument_group("to compare with").add_argument
networks = ["lstm", "feedforward", "both"]
option("--network", choices=networks, default="lstm", help="which to print and to draw")
option("--seed", type=int, default=0, metavar="N", help="the same seed: the same weights")
option = parser.add_argument_group("files").add_argument
option("--save", metavar="FILE", help="the animation as .gif, or its last frame as .png")
option("--logdir", default=os.path.join(HERE, "logs"), metavar="DIR", help="for the run's folder")
option("--restore", metavar="RUN", help="begin with the weights of a run's folder")
args = parser.parse_args()
limits = {"iterations": (0, 10**9), "batch_size": (1, 10000), "time_steps": (1, 10000)}
limits.update(cell_size=(1, 10000), lr=(1e-9, 1000), pause=(0, 3600), seed=(0, 2**32 - 1))
for name, (low, high) in limits.items():
    if not low <= getattr(args, name) <= high:
        parser.error(f"--{name.replace('_', '-')} takes a number from {low} to {high}")
in_utf_8 = args.logdir.encode("utf-8", "replace").decode()
if args.logdir != in_utf_8 or not args.logdir or "://" in args.logdir:
    parser.error("--logdir takes a path on this machine, in UTF-8")
if os.name == "nt" and not os.path.abspath(args.logdir).isascii():
    parser.error(r"--logdir must be an ASCII path on Windows, for TensorFlow: --logdir C:\logs")
if args.save is not None:
    if os.path.splitext(args.save)[1].lower() not in (".gif", ".png"):
        parser.error("--save takes the name of a .gif or a .png file")
    if args.save.lower().endswith(".gif") and args.iterations == 0:
        parser.error("--save takes a .gif of one iteration at least")
    there = os.path.exists(args.save)
    if there and not os.path.isfile(args.save):
        parser.error("--save takes a file, not something else of that name")
    try:
        open(args.save, "ab").close()
    except OSError as error:
        parser.error(f"--save takes a file that can be written: {error}")
    if not there:
        os.remove(args.save)  # that was only to see


# ==== TensorFlow 1.x, as TensorFlow 2 still has it ================================================
NOTEBOOK = hasattr(builtins, "__IPYTHON__")  # which answers signals and errors itself


def on_signals(handler):
    """Call handler on Ctrl-C, SIGTERM and SIGHUP, but on none that is ignored (as with nohup)."""
    for name in () if NOTEBOOK else ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def end_at_once(number, frame):
    os._exit(128 + number)


on_signals(end_at_once)  # there is nothing to keep yet
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # BasicLSTMCell is in Keras 2 (tf_keras), not in Keras 3
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # no messages from C++
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # off: it announces itself at every start
warnings.simplefilter("ignore")  # what is deprecated is the subject here
gc.disable()  # TensorFlow's import makes half a million objects, and all of them stay

backend = "" if NOTEBOOK else os.environ.pop("MPLBACKEND", "")  # tried when the window is due
import matplotlib.pyplot as plt
import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib.animation import PillowWriter
from tensorboard.plugins.hparams import api as hparams
from tqdm import tqdm

if backend:
    os.environ["MPLBACKEND"] = backend
gc.freeze()  # the collector need not look at them again
gc.enable()
tf.logging.set_verbosity(tf.logging.FATAL)  # what a user can mend is told by `fail`
tf.disable_v2_behavior()
tf.reset_default_graph()  # a notebook may have run a script before
tf.set_random_seed(args.seed)
config = tf.ConfigProto()
config.graph_options.rewrite_options.disable_meta_optimizer = True  # takes a second for nothing
sys.stdout = sys.stdout or io.StringIO()  # it was closed
sys.stderr = sys.stderr or io.StringIO()
if hasattr(sys.stdout, "reconfigure"):  # a line at a time, also into a pipe
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")


def print(*values, **how):
    """Print as Python does, but above the progress bar, and nothing once the terminal is gone."""
    try:
        with tqdm.external_write_mode():
            builtins.print(*values, **how)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        sys.stdout = io.StringIO()


if NOTEBOOK:
    print = builtins.print  # the notebook takes over this script's names, but not what they need


def fail(message):
    """End the script with one line: something around it (a file, the disk) is at fault."""
    sys.exit(f"{NAME}: error: {message}")


def in_words(error):
    """Return what an error says, without the many lines that TensorFlow puts around it."""
    lines = str(error).split("\n\t [[")[0].splitlines()
    return lines[-1] if lines else repr(error)


def one_line(kind, error, traceback):
    """Show an error of files (disk full, pipe closed) in one line, any other with its traceback."""
    from_no_op = getattr(error, "op", error) is None  # TensorFlow's, but not the graph's
    if not isinstance(error, OSError) and not from_no_op:
        sys.__excepthook__(kind, error, traceback)
        return
    os.write(2, f"{NAME}: error: {in_words(error)}\n".encode())
    if threading.current_thread() is not threading.main_thread():
        os._exit(1)  # the thread that writes TensorBoard's files


if not NOTEBOOK:
    sys.excepthook = one_line
    threading.excepthook = lambda told: one_line(*told[:3])


# ==== training ====================================================================================
stop = SimpleNamespace(status=0)  # the exit status, once something ends the training early


def end_after_this_step(number, frame):
    stop.status = 128 + number
    on_signals(end_at_once)  # a second Ctrl-C does not wait


def iterations():
    """Yield 0, 1, ... with a progress bar, until a signal comes or the window is closed."""
    on_signals(end_after_this_step)
    for i in tqdm(range(args.iterations), unit="step", file=sys.stdout, disable=NOTEBOOK or None):
        yield i
        if stop.status:
            return


def as_text(lstm, feedforward):
    """Return what to print: the cost of --network's network, or both, the second with its name."""
    if args.network == "both":
        return f"{lstm!s}  feedforward:  {feedforward!s}"  # !s: as print(cost) prints it
    return lstm if args.network == "lstm" else feedforward


def next_2000(start, X, Y, rnn, state):
    """Return the feed of the 2,000 steps from `start` on, as one sequence.

    state: (c, s), (batch, cell_size) each; the memory of the batch's first sequence goes on.
    """
    x = np.arange(start, start + 2000).reshape((1, 2000, 1)) / (10 * np.pi)
    feed_dict = {X: np.sin(x), Y: np.cos(x)}
    if state:
        feed_dict[rnn.cell_init_state] = tuple(part[:1] for part in state)
    return feed_dict


# ==== the run's folder ============================================================================
def new_run_dir():
    """Make and return <logdir>/sin_cos/<date>-<time>, a folder that no other run has."""
    while True:
        run_dir = os.path.join(args.logdir, "sin_cos", time.strftime("%Y%m%d-%H%M%S"))
        try:
            os.makedirs(run_dir)
            break
        except FileExistsError:  # another run has this second: take the next
            time.sleep(0.1)
        except OSError as error:
            fail(f"no folder for this run ({error}): name another with --logdir")
    told = {k: v for k, v in vars(args).items() if v is not None and k not in ("save", "logdir")}
    with tf.summary.FileWriter(run_dir) as writer:  # for TensorBoard's HParams tab
        writer.add_summary(
            hparams.hparams_pb(told, trial_id=os.path.basename(run_dir)).SerializeToString()
        )
    return run_dir


def find_checkpoint(restore):
    """Return the checkpoint that --restore names, having read it; of a folder, the one in it."""
    if restore is None:
        return None
    checkpoint = os.path.join(restore, "model.ckpt") if os.path.isdir(restore) else restore
    if not os.path.exists(f"{checkpoint}.index"):
        fail(f"{restore!r} is no checkpoint; --restore takes a run's folder, or model.ckpt in it")
    if set("[]*?") & set(checkpoint):
        fail(f"TensorFlow takes [ ] * ? in {checkpoint!r} for a pattern: rename the folder")
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        shapes = reader.get_variable_to_shape_map()
        for variable in tf.global_variables():
            name, here = variable.op.name, variable.shape.as_list()
            if shapes.get(name) != here:
                fail(f"{checkpoint!r} is of another network: {name} {shapes.get(name)}, not {here}")
            reader.get_tensor(name)  # finds every damaged bit
    except Exception as error:  # whatever the reader stumbles over
        fail(f"{checkpoint!r} is damaged: {in_words(error)}")
    return checkpoint


def restore(sess, checkpoint):
    """Take the weights and Adam's moments from a checkpoint, if there is one."""
    if checkpoint:
        tf.train.Saver().restore(sess, checkpoint)


def save(sess, run_dir):
    try:
        file = os.path.join(run_dir, "model.ckpt")
        tf.train.Saver(save_relative_paths=True).save(sess, file, write_meta_graph=False)
    except (tf.errors.OpError, ValueError, OSError) as error:  # disk full, folder gone
        fail(f"no checkpoint in {run_dir}: {in_words(error)}")


def new_writers(run_dir, graph):
    """Return a FileWriter for each network, so that both curves can have the name `cost`."""
    lstm = tf.summary.FileWriter(os.path.join(run_dir, "lstm"), graph, flush_secs=5)
    return lstm, tf.summary.FileWriter(os.path.join(run_dir, "feedforward"), flush_secs=5)


def add_to_curves(writers, i, *costs):
    for writer, cost in zip(writers, costs):
        value = tf.Summary.Value(tag="cost", simple_value=cost)
        writer.add_summary(tf.Summary(value=[value]), i)


# ==== the picture =================================================================================
RED, BLUE, GREEN, GREY = "#D55E00", "#0072B2", "#009E73", "#999999"  # Okabe and Ito's, and grey
STYLE = {"font.size": 14, "figure.raise_window": False}  # the window takes no focus
LINE_STYLES = {"lstm": {"color": BLUE, "ls": "--"}, "feedforward": {"color": GREEN, "ls": "-."}}


def new_figure():
    """Return a figure with two axes, in a window if there can be one."""
    size = {"figsize": (8.8, 4.4), "dpi": 80, "layout": "constrained"}
    size["gridspec_kw"] = {"width_ratios": [3, 2]}
    try:
        if backend:
            plt.switch_backend(backend)
        return plt.subplots(1, 2, **size)
    except Exception:  # MPLBACKEND asks for a window that cannot be had here, or Tcl is broken
        plt.switch_backend("agg")
        return plt.subplots(1, 2, **size)


@plt.rc_context(STYLE)
def new_picture(run_dir):
    """Return the picture: cos x over x on the left, over sin x on the right, and its lines."""
    figure, (course, plane) = new_figure()
    (truth,) = course.plot([], [], color=RED, label="cos x")
    course.set(xlabel="x", ylabel="cos x", ylim=(-1.3, 1.8))
    circle = np.linspace(0, 2 * np.pi, 200)
    plane.plot(np.sin(circle), np.cos(circle), color=RED)
    plane.plot([0.6, 0.6], [-0.8, 0.8], color=GREY, marker="o", mfc="k", mec="k", lw=1)
    plane.text(0.7, 0.85, "0.8")
    plane.text(0.7, -1.05, "−0.8")
    plane.set(xlabel="sin x", ylabel="cos x", xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    plane.set_title("one sin x, two cos x")
    shown = ["lstm", "feedforward"] if args.network == "both" else [args.network]
    fits = {name: course.plot([], [], label=name, **LINE_STYLES[name])[0] for name in shown}
    walks = {name: plane.plot([], [], marker="o", **LINE_STYLES[name])[0] for name in shown}
    course.legend(loc="upper left", ncol=3, fontsize=12)
    picture = SimpleNamespace(figure=figure, course=course, truth=truth, fits=fits, walks=walks)
    picture.steps = np.empty((5, 0))  # x, sin x, cos x, and what each network makes of it
    open_picture(picture, run_dir)
    return picture


def window_closed(event=None):
    stop.status = 128 + signal.SIGINT  # as Ctrl-C


def open_picture(picture, run_dir):
    """Tell where the picture can be seen; begin the film; let Ctrl-C and the window end the run."""
    canvas = picture.figure.canvas
    picture.window = canvas.required_interactive_framework is not None
    if not picture.window:
        print(f"No window here: the picture will be {os.path.join(run_dir, 'fit.png')}")
    picture.film = None
    if args.save and args.save.lower().endswith(".gif"):
        picture.film = PillowWriter(fps=10)
        picture.film.setup(picture.figure, args.save, dpi=60)
    canvas.mpl_connect("close_event", window_closed)
    picture.timer = canvas.new_timer(200)  # a window that waits is deaf to Ctrl-C: wake it
    picture.timer.add_callback(lambda: canvas.stop_event_loop() if stop.status else None)
    picture.timer.start()


@plt.rc_context(STYLE)
def add_to_picture(picture, i, x, sinx, cosx, made, *costs):
    """Append the batch's first sequence to the lines, show them, and add a frame to the film."""
    new = [x[0], *(y.reshape(-1)[: x.shape[1]] for y in (sinx, cosx, *made.values()))]
    stretch = int(10 * 10 * np.pi) + x.shape[1]  # the panel is 10 wide, a step 1 / (10 * pi)
    picture.steps = np.hstack([picture.steps, new])[:, -stretch:]
    x, sin, cos, *fits = picture.steps
    picture.truth.set_data(x, cos)
    for name, y in zip(made, fits):
        if name in picture.fits:
            picture.fits[name].set_data(x, y)
            picture.walks[name].set_data(sin, y)
            picture.walks[name].set_markevery([len(y) - 1])  # the newest point
    name = "feedforward" if args.network == "feedforward" else "lstm"
    cost = dict(zip(LINE_STYLES, costs))[name]
    picture.course.set(xlim=(x[-1] - 10, x[-1]))
    picture.course.set_title(f"{i + 1} iterations, {name} cost {cost:.3f}", fontsize=14)
    if picture.film:
        picture.film.grab_frame()
        frames = picture.film._frames  # they wait in memory: a byte a pixel is enough, not four
        frames[-1] = frames[-1].convert("RGB").quantize(64)
    if picture.window:
        try:
            plt.pause(max(args.pause, 0.001))
        except Exception:  # the window is gone
            window_closed()


@plt.rc_context(STYLE)
def save_picture(picture, run_dir, writers, i):
    """Write the last frame for the run's folder, TensorBoard and --save; close TensorBoard's."""
    ending = "stopped" if stop.status else "finished"
    title = picture.course.get_title()
    picture.course.set_title(f"{ending}: {title}" if title else "not trained", fontsize=14)
    file = os.path.join(run_dir, "fit.png")
    picture.figure.savefig(file)
    if picture.film:
        picture.film.finish()
    elif args.save:
        picture.figure.savefig(args.save)
    with open(file, "rb") as png:
        image = tf.Summary.Image(encoded_image_string=png.read())
    image.width, image.height = picture.figure.canvas.get_width_height()
    value = tf.Summary.Value(tag="fit", image=image)
    writers[0].add_summary(tf.Summary(value=[value]), i)
    for writer in writers:
        writer.close()


@plt.rc_context(STYLE)
def end(run_dir, window):
    """Say where the run is, with a command that can be pasted; a window stays until closed."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", args.logdir]
    print(f"This run is in {run_dir}")
    if os.name == "nt":
        print(f"To look at it: {subprocess.list2cmdline(command)}")
    else:
        print(f"To look at it: {' '.join(shlex.quote(word) for word in command)}")
    if stop.status:
        with contextlib.suppress(Exception):  # the window may be gone already
            plt.close()
        sys.exit(stop.status)
    if window:
        on_signals(lambda number, frame: plt.close("all"))
        plt.show()


# ==== the article's listing =======================================================================
# imports: at the top of the file
BATCH_START = 0
TIME_STEPS = args.time_steps  # 20 unless --time-steps is given; likewise below
BATCH_SIZE = args.batch_size  # 50
INPUT_SIZE = 1
OUTPUT_SIZE = 1
CELL_SIZE = args.cell_size  # 16
LR = args.lr  # 0.006


def get_batch():
    global BATCH_START, TIME_STEPS
    # one long stretch of x, cut into rows; in the next batch, row i starts where it ends here
    x = np.arange(BATCH_START, BATCH_START + BATCH_SIZE * TIME_STEPS)
    x = x.reshape((BATCH_SIZE, TIME_STEPS)) / (10 * np.pi)

    sinx = np.sin(x)
    cosx = np.cos(x)

    BATCH_START += TIME_STEPS
    # (batch, time_steps, 1) twice, and (batch, time_steps)
    return sinx[:, :, np.newaxis], cosx[:, :, np.newaxis], x


class RNN:
    def __init__(self, x):
        # x: (batch, time_steps, 1), of any number of time steps (无限向右扩展), and any batch
        cell = tf.nn.rnn_cell.BasicLSTMCell(CELL_SIZE)  # was rnn.BasicLSTMCell
        self.cell_init_state = cell.zero_state(tf.shape(x)[0], dtype=tf.float32)  # was BATCH_SIZE

        # outputs: (batch, time_steps, cell_size); final_state: c and s, (batch, cell_size) each
        outputs, self.final_state = tf.nn.dynamic_rnn(
            cell, x, initial_state=self.cell_init_state, time_major=False
        )
        with tf.name_scope("output_layer"):  # a name scope is a box in TensorBoard's Graphs tab
            outputs = tf.reshape(outputs, (-1, CELL_SIZE))
            w = tf.Variable(tf.random_normal([CELL_SIZE, OUTPUT_SIZE]), name="w")
            b = tf.Variable(tf.random_normal([OUTPUT_SIZE]), name="b")
            self.pred = tf.matmul(outputs, w) + b  # (batch * time_steps, 1)


X = tf.placeholder(tf.float32, [None, None, INPUT_SIZE], name="input/X")  # was TIME_STEPS
Y = tf.placeholder(tf.float32, [None, None, OUTPUT_SIZE], name="input/Y")
rnn = RNN(X)
pred = rnn.pred

with tf.name_scope("cost"):
    cost = tf.reduce_mean(tf.square(tf.subtract(tf.reshape(pred, [-1]), tf.reshape(Y, [-1]))))
with tf.name_scope("train"):
    optimizer = tf.train.AdamOptimizer(LR).minimize(cost)
# left out, since the article does not use them: ms_error, correct_pred, accuracy

# ---- RNN 与普通神经网络的直观区别: an ordinary network, which sees each sin x alone ----
with tf.variable_scope("feedforward"):  # the article's words swap sin and cos, its code does not
    # as many units as the LSTM's four layers have together
    hidden = tf.layers.dense(tf.reshape(X, (-1, INPUT_SIZE)), 4 * CELL_SIZE, tf.tanh)
    feedforward = tf.layers.dense(hidden, OUTPUT_SIZE)  # (batch * time_steps, 1)
    feedforward_cost = tf.reduce_mean(tf.square(feedforward - tf.reshape(Y, (-1, OUTPUT_SIZE))))
    train_feedforward = tf.train.AdamOptimizer(LR).minimize(feedforward_cost)

checkpoint = find_checkpoint(args.restore)
init = tf.global_variables_initializer()
sess = tf.Session(config=config)  # config: starts sooner
sess.run(init)
restore(sess, checkpoint)
run_dir = new_run_dir()
writers = new_writers(run_dir, sess.graph)
picture = new_picture(run_dir)  # was plt.figure, plt.ion, plt.show
state = None  # for --iterations 0
for i in iterations():  # was range(200); Ctrl-C or a closed window ends it early
    sinx, cosx, x = get_batch()
    if i == 0:
        feed_dict = {X: sinx, Y: cosx}
    else:
        feed_dict = {X: sinx, Y: cosx, rnn.cell_init_state: state}
    _, state, outputs, loss = sess.run([optimizer, rnn.final_state, pred, cost], feed_dict)
    fetches = [train_feedforward, feedforward, feedforward_cost]
    _, feedforward_outputs, feedforward_loss = sess.run(fetches, feed_dict)
    add_to_curves(writers, i, loss, feedforward_loss)
    # was plt.plot, plt.ylim, plt.xlim, plt.draw, plt.pause
    made = {"lstm": outputs, "feedforward": feedforward_outputs}
    add_to_picture(picture, i, x, sinx, cosx, made, loss, feedforward_loss)

    if i % 20 == 0:
        # computed again after the step, as in the article; the curve has it from before
        print("cost: ", as_text(*sess.run([cost, feedforward_cost], feed_dict=feed_dict)))
save(sess, run_dir)
# 2,000 more steps in one sequence, without training
feed_dict = next_2000(BATCH_START, X, Y, rnn, state)
costs = sess.run([cost, feedforward_cost], feed_dict=feed_dict)
print("2000 steps more, weights frozen, cost: ", as_text(*costs))
save_picture(picture, run_dir, writers, BATCH_START // TIME_STEPS)
end(run_dir, picture.window)
