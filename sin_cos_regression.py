# /// script
# requires-python = ">=3.9,<3.14"
# dependencies = [
#     "tensorflow>=2.16.1,<2.22", "tf-keras>=2.16.0,<2.22", "tensorboard>=2.16.2,<2.22",
#     "setuptools<82", "numpy>=1.23.5,<3", "matplotlib>=3.9.0,<4", "pillow>=10.0.0,<14",
#     "tqdm>=4.66.0,<5",
# ]
# ///
"""sin x in, cos x out, by an LSTM that remembers: the article's 用 LSTM 实现回归任务.

One sin x belongs to two cos x, of opposite sign. An ordinary network sees one sin x and cannot tell
which; an LSTM has seen the ones before and knows whether the sine is rising or falling.

To read this beside the article, go to "the article's listing" and read on to the end of the file.
The functions above the listing print and draw what the listing gives them. Change get_batch, the
sizes or the cell, and they follow.
"""

import argparse
import gc
import os
import shlex
import signal
import subprocess
import sys
import time
import warnings
from contextlib import redirect_stdout


# ==== options =====================================================================================
def path(text):
    return os.path.abspath(os.path.expanduser(text))


parser = argparse.ArgumentParser(
    description="Train an LSTM to follow cos x from sin x, and watch it.",
    epilog="example: python %(prog)s --network both --save fit.gif",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
add = parser.add_argument_group("the article's settings").add_argument
add("--iterations", type=int, default=200, metavar="N", help="training steps, a frame each")
add("--batch-size", type=int, default=50, metavar="N", help="sequences side by side in a batch")
add("--time-steps", type=int, default=20, metavar="N", help="length of a sequence")
add("--cell-size", type=int, default=16, metavar="N", help="size of the LSTM's output and state")
add("--lr", type=float, default=0.006, metavar="X", help="learning rate of Adam")
add("--pause", type=float, default=0.1, metavar="S", help="seconds between the window's frames")
add = parser.add_argument_group("to compare with").add_argument
NETWORKS = ["lstm", "feedforward"]  # both are always trained
add("--network", choices=[*NETWORKS, "both"], default="lstm", help="which to print and draw")
add("--seed", type=int, default=0, metavar="N", help="the same seed: the same weights")
add = parser.add_argument_group("files").add_argument
add("--save", type=path, metavar="FILE", help="the animation, as a .gif")
logs = os.path.join(os.path.dirname(os.path.realpath(__file__)), "logs")
add("--logdir", type=path, default=logs, metavar="DIR", help="for the runs, a folder each")
args = parser.parse_args()
for name in "iterations", "batch_size", "time_steps", "cell_size", "lr", "pause":
    if not 0 < getattr(args, name) < float("inf"):  # nan is refused, too
        parser.error(f"--{name.replace('_', '-')} takes a positive number")
if not 0 <= args.seed < 2**32:
    parser.error("--seed: from 0 to 4294967295")
if args.save and (not args.save.lower().endswith(".gif") or os.path.isdir(args.save)):
    parser.error("--save takes the name of a .gif file")
if args.save and not os.access(os.path.dirname(args.save), os.W_OK):
    parser.error(f"--save: cannot write into {os.path.dirname(args.save)}")
if set("[]*?") & set(args.logdir) or (os.name == "nt" and not args.logdir.isascii()):
    wanted = "one without [ ] * ?, on Windows in ASCII, as --logdir C:\\logs is"
    parser.error(f"--logdir: TensorFlow cannot use {args.logdir}; it needs {wanted}")
shown = NETWORKS if args.network == "both" else [args.network]

# ==== TensorFlow 1.x, as TensorFlow 2 still has it ================================================
if "ipykernel" not in sys.modules:  # not in a notebook
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C outside the training: no traceback
    if os.environ.get("MPLBACKEND", "").startswith("module://"):
        del os.environ["MPLBACKEND"]  # inherited from a notebook that ran this by !python
if hasattr(sys.stdout, "reconfigure"):  # a pipe has each line at once; ASCII shows 七 as \u4e03
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # BasicLSTMCell is in Keras 2 (tf_keras), not in Keras 3
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no messages from C++
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # with it the README's last digits differ
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")  # reuses the memory of earlier steps
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # takes the memory it needs, not all
warnings.simplefilter("ignore")  # this script uses deprecated functions on purpose
gc.disable()  # saves a second or two: the imports make half a million objects that stay

import matplotlib.pyplot as plt
import matplotlib.style
import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib.animation import PillowWriter
from tensorboard.plugins.hparams import api as hparams
from tqdm import tqdm
from tqdm.contrib import DummyTqdmFile

gc.freeze()  # later collections leave these objects out
gc.enable()
matplotlib.rcdefaults()  # the user's matplotlibrc could change our pictures, or break them
matplotlib.style.use(["tableau-colorblind10", {"font.size": 14, "figure.raise_window": False}])
tf.logging.set_verbosity(tf.logging.FATAL)
tf.disable_v2_behavior()
tf.reset_default_graph()  # an earlier run in the same notebook has left its graph
tf.set_random_seed(args.seed)
np.random.seed(args.seed)  # only for code that you add
# no Grappler: it saves no time, and in the classifier XLA cannot compile the loops it rewrites
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


# ==== the run's folder ============================================================================
def new_run(graph):
    """Make the run's folder; return it, and a FileWriter for the curve `cost` of each network."""
    run_dir = os.path.join(args.logdir, "sin_cos", time.strftime("%Y%m%d-%H%M%S"))
    while os.path.exists(run_dir):
        run_dir += "+"  # another run began in the same second
    try:
        os.makedirs(run_dir)
    except OSError as error:
        parser.error(f"--logdir: {error}")
    options = {name: value for name, value in vars(args).items() if name not in ("logdir", "save")}
    summary = hparams.hparams_pb(options, trial_id=os.path.basename(run_dir))
    with tf.summary.FileWriter(run_dir) as writer:
        writer.add_summary(summary.SerializeToString())
    writers = [tf.summary.FileWriter(f"{run_dir}/{name}", flush_secs=5) for name in NETWORKS]
    writers[0].add_graph(graph)
    return run_dir, writers


def add_to_curves(i, costs):
    if not np.isfinite(costs).all():
        sys.exit(f"At iteration {i} a cost is not finite. A smaller --lr may help.")
    for writer, cost in zip(writers, costs):
        writer.add_summary(tf.Summary(value=[{"tag": "cost", "simple_value": cost}]), i)


# ==== training ====================================================================================
signals = []  # received in training: SIGINT (Ctrl-C, the window closed) or SIGTERM


def iterations():
    """Yield 0, 1, ... with a progress bar, until the last, Ctrl-C, or the window is closed."""
    if not has_window:
        print("No window here: the picture will be fit.png in the run's folder")
    old_handlers = {}
    for number in signal.SIGINT, signal.SIGTERM:
        old_handlers[number] = signal.signal(number, lambda number, _: signals.append(number))
    no_bar = not (sys.stdout and sys.stdout.isatty())  # only a terminal shows the bar
    bar = tqdm(range(args.iterations), unit="step", file=sys.stdout, disable=no_bar)
    try:
        with redirect_stdout(sys.stdout if no_bar else DummyTqdmFile(sys.stdout)):  # above the bar
            for i in bar:
                yield i
                if signals:
                    break
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)


def as_text(costs):
    """Return "0.01", for example, or with --network both "0.01  feedforward:  0.5"."""
    if args.network == "both":
        return "  feedforward:  ".join(map(str, costs))
    return str(costs[NETWORKS.index(args.network)])


# ==== the picture =================================================================================
# Okabe and Ito's colours, which the colour-blind can tell apart
LINES = {"cosx": ["#D55E00", "-"], "lstm": ["#0072B2", "--"], "feedforward": ["#009E73", "-."]}
widths = {"width_ratios": [3, 2]}
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 4.4), dpi=80, gridspec_kw=widths)
figure.subplots_adjust(0.105, 0.15, 0.97, 0.9, 0.28)  # fixed, so that frames do not jump
left.set(xlabel="x", ylabel="cosx")
right.set(xlabel="sinx", ylabel="cosx", box_aspect=1)
lines_over_x, lines_over_sinx = {}, {}
for name in ["cosx", *shown]:
    colour, dashes = LINES[name]
    lines_over_x[name] = left.plot([], [], dashes, color=colour, label=name)[0]
    lines_over_sinx[name] = right.plot([], [], dashes, color=colour, marker="o")[0]
two_cosx = right.plot([0.6, 0.6], [0.8, -0.8], "ks-", lw=1)[0]  # one sin x, two cos x
left.legend(loc="upper left", ncol=3, fontsize=12)
has_window = figure.canvas.required_interactive_framework is not None  # None: draws files only
figure.canvas.mpl_connect("close_event", lambda event: signals.append(signal.SIGINT))
animation = PillowWriter(fps=10) if args.save else None
if animation:
    animation.setup(figure, args.save, dpi=60)
points = np.empty((2 + len(LINES), 0))  # rows: x, sinx, cosx, lstm, feedforward


def add_to_picture(i, costs, *new):
    """Append new values, (time_steps,) each, to the rows of `points`; show 10 units of x."""
    global points
    first_x = new[0][0]  # an edited get_batch may go back to an earlier x
    before = (first_x - 10 < points[0]) & (points[0] < first_x)  # the 10 units of x before these
    points = np.hstack([points[:, before], new])
    x, sinx, cosx = points[:3]
    for name, values in zip(LINES, points[2:]):
        if name in lines_over_x:
            lines_over_x[name].set_data(x, values)
            lines_over_sinx[name].set_data(sinx, values)
            lines_over_sinx[name].set_markevery([len(x) - 1])  # the newest point
    low, high = 1.3 * min(-1, cosx.min()), 1.3 * max(1, cosx.max())
    left.set(xlim=(x[-1] - 10, x[-1]), ylim=(low, 1.4 * high))  # 1.4: room for the legend
    widest = 1.3 * max(1, np.abs(sinx).max())
    right.set(xlim=(-widest, widest), ylim=(low, high))
    is_sin_and_cos = np.allclose([sinx, cosx], [np.sin(x), np.cos(x)])  # until you edit get_batch
    two_cosx.set_visible(is_sin_and_cos)
    right.set_title("one sin x, two cos x" if is_sin_and_cos else "")
    words = [f"{name} cost {cost:.3f}" for name, cost in zip(NETWORKS, costs) if name in shown]
    left.set_title(f"{i + 1} iterations, {', '.join(words)}", fontsize=12)
    if animation:
        animation.grab_frame()
    if has_window:
        plt.pause(args.pause)


def save_picture(step):
    """Write the last frame, also for TensorBoard, and the animation; close TensorBoard's files."""
    file = os.path.join(run_dir, "fit.png")
    figure.savefig(file)
    if animation:
        animation.finish()
    with open(file, "rb") as png:
        image = {"tag": "fit", "image": {"encoded_image_string": png.read()}}
    writers[0].add_summary(tf.Summary(value=[image]), step)
    for writer in writers:
        writer.close()


def end():
    """Say where the run is, with a command to paste; the window stays until it is closed."""
    words = [sys.executable, "-m", "tensorboard.main", "--logdir", args.logdir]
    posix = " ".join(map(shlex.quote, words))
    command = subprocess.list2cmdline(words) if os.name == "nt" else posix
    print(f"This run is in {run_dir}\nTo look at it: {command}")
    if signals:
        sys.exit(128 + signals[0])
    if has_window:
        plt.show()


# ==== the article's listing =======================================================================
# imports: at the top of the file; instead of plt.figure, plt.ion and plt.show: "the picture" above
BATCH_START = 0
TIME_STEPS = args.time_steps  # 20 unless --time-steps is given; likewise below
BATCH_SIZE = args.batch_size  # 50
INPUT_SIZE = 1
OUTPUT_SIZE = 1
CELL_SIZE = args.cell_size  # 16
LR = args.lr  # 0.006


def get_batch():
    global BATCH_START, TIME_STEPS
    # row i of the next batch continues row i of this one
    x = np.arange(BATCH_START, BATCH_START + BATCH_SIZE * TIME_STEPS)
    x = x.reshape((BATCH_SIZE, TIME_STEPS)) / (10 * np.pi)
    sinx = np.sin(x)
    cosx = np.cos(x)
    BATCH_START += TIME_STEPS
    # (batch, time_steps, 1) twice, and (batch, time_steps)
    return sinx[:, :, np.newaxis], cosx[:, :, np.newaxis], x


class RNN:
    def __init__(self, x):
        # x: (batch, time_steps, 1)
        cell = tf.nn.rnn_cell.BasicLSTMCell(CELL_SIZE)  # was rnn.BasicLSTMCell
        self.cell_init_state = cell.zero_state(BATCH_SIZE, dtype=tf.float32)
        # outputs: (batch, time_steps, cell_size); final_state: c and s, (batch, cell_size) each
        outputs, self.final_state = tf.nn.dynamic_rnn(
            cell, x, initial_state=self.cell_init_state, time_major=False
        )
        with tf.name_scope("output_layer"):  # a name scope is a box in TensorBoard's Graphs tab
            outputs = tf.reshape(outputs, (-1, CELL_SIZE))
            w = tf.Variable(tf.random_normal([CELL_SIZE, OUTPUT_SIZE]), name="w")
            b = tf.Variable(tf.random_normal([OUTPUT_SIZE]), name="b")
            self.pred = tf.matmul(outputs, w) + b  # (batch * time_steps, 1)


X = tf.placeholder(tf.float32, [None, TIME_STEPS, INPUT_SIZE], name="input/X")
Y = tf.placeholder(tf.float32, [None, TIME_STEPS, OUTPUT_SIZE], name="input/Y")
rnn = RNN(X)
pred = rnn.pred

with tf.name_scope("cost"):
    cost = tf.reduce_mean(tf.square(tf.subtract(tf.reshape(pred, [-1]), tf.reshape(Y, [-1]))))
with tf.name_scope("train"):
    optimizer = tf.train.AdamOptimizer(LR).minimize(cost)
# left out, since the article does not use them: ms_error, correct_pred, accuracy

# ---- RNN 与普通神经网络的直观区别: an ordinary network, which sees each sin x alone ----
# The article's text here goes from cos to sin; its code and this go from sin to cos.
with tf.variable_scope("feedforward"):
    # as many units as the LSTM's four layers have together
    hidden = tf.layers.dense(tf.reshape(X, (-1, INPUT_SIZE)), 4 * CELL_SIZE, tf.tanh)
    feedforward = tf.layers.dense(hidden, OUTPUT_SIZE)  # (batch * time_steps, 1)
    feedforward_cost = tf.reduce_mean(tf.square(feedforward - tf.reshape(Y, (-1, OUTPUT_SIZE))))
    train_feedforward = tf.train.AdamOptimizer(LR).minimize(feedforward_cost)

init = tf.global_variables_initializer()
sess = tf.Session()
sess.run(init)
run_dir, writers = new_run(sess.graph)
for i in iterations():  # was range(200); Ctrl-C or a closed window ends it early
    sinx, cosx, x = get_batch()
    if i == 0:
        feed_dict = {X: sinx, Y: cosx}
    else:
        feed_dict = {X: sinx, Y: cosx, rnn.cell_init_state: state}
    _, state, outputs, loss = sess.run([optimizer, rnn.final_state, pred, cost], feed_dict)
    fetches = [train_feedforward, feedforward, feedforward_cost]
    _, feedforward_outputs, feedforward_loss = sess.run(fetches, feed_dict)
    costs = loss, feedforward_loss
    add_to_curves(i, costs)
    # the first sequence of the batch; was plt.plot, plt.ylim, plt.xlim, plt.draw, plt.pause
    predictions = outputs[:TIME_STEPS, 0], feedforward_outputs[:TIME_STEPS, 0]
    add_to_picture(i, costs, x[0], sinx[0, :, 0], cosx[0, :, 0], *predictions)

    if i % 20 == 0:
        # the cost after the update, as in the article; the curve has it from before the update
        print("cost: ", as_text(sess.run([cost, feedforward_cost], feed_dict=feed_dict)))
tf.train.Saver(save_relative_paths=True).save(sess, os.path.join(run_dir, "model.ckpt"))
later = []
for _ in range(0, 2000, TIME_STEPS):  # 2,000 time steps (无限向右扩展), with fixed weights
    sinx, cosx, x = get_batch()
    feed_dict = {X: sinx, Y: cosx, rnn.cell_init_state: state}
    state, *both = sess.run([rnn.final_state, cost, feedforward_cost], feed_dict=feed_dict)
    later.append(both)
print(f"{len(later) * TIME_STEPS} steps more, weights frozen, cost: ", as_text(np.mean(later, 0)))
save_picture(i + 1)
end()
