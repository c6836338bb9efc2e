"""sin x in, cos x out, by an LSTM that remembers: the article's 用 LSTM 实现回归任务.

One sin x belongs to two cos x, of opposite sign. An ordinary network sees one sin x and cannot tell
which; an LSTM has seen the ones before and knows whether the sine is rising or falling.
"""

import argparse
import gc
import os
import signal
import sys
import time
import warnings

# ---- settings: the article's, each an option -----------------------------------------------------
here = os.path.dirname(os.path.abspath(__file__))
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
option("--network", choices=["lstm", "feedforward", "both"], default="lstm", help="which to train")
option("--seed", type=int, default=0, metavar="N", help="the same seed: the same weights")
option = parser.add_argument_group("files").add_argument
option("--save", metavar="FILE", help="the animation as .gif, or its last frame as .png")
option("--logdir", default=os.path.join(here, "logs"), metavar="DIR", help="for the run's folder")
option("--restore", metavar="CKPT", help="start from these saved weights (a run's model.ckpt)")
args = parser.parse_args()
if not all(1 <= n <= 10000 for n in (args.batch_size, args.time_steps, args.cell_size)):
    parser.error("--batch-size, --time-steps and --cell-size take a number from 1 to 10000")
if args.iterations < 0 or not 0 <= args.pause <= 3600 or not 0 <= args.seed < 2**32:
    parser.error("--iterations, --pause and --seed take a number from 0 up, a seed to 2**32 - 1")
if not 0 < args.lr < float("inf"):
    parser.error("--lr takes a number above 0")
save = args.save or ""
if save and not (save.endswith((".gif", ".png")) and os.path.isdir(os.path.dirname(save) or ".")):
    parser.error("--save takes the name of a .gif or .png file, in a folder that there is")
if save.endswith(".gif") and not args.iterations:
    parser.error("--save takes a .gif of one iteration at least")

BATCH_START = 0
TIME_STEPS, BATCH_SIZE, LR = args.time_steps, args.batch_size, args.lr
INPUT_SIZE, OUTPUT_SIZE, CELL_SIZE = 1, 1, args.cell_size

# ---- TensorFlow 1.x, as TensorFlow 2 still has it ------------------------------------------------
signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C: there is nothing to keep yet
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # BasicLSTMCell is in Keras 2 (tf_keras), not in Keras 3
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")  # else it announces them
warnings.simplefilter("ignore")  # what is deprecated is the subject here
gc.disable()  # garbage is not looked for: TensorFlow makes half a million objects that all stay

import matplotlib.pyplot as plt
import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib.animation import PillowWriter
from tqdm import tqdm

gc.freeze()  # nor at the exit, which would take a second
sys.stdout.reconfigure(line_buffering=True)  # a line at a time, also into a pipe
tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()
tf.set_random_seed(args.seed)


def one_line(kind, error, traceback):
    """Tell what a user can mend (a full disk, a missing file) in one line, without a traceback."""
    if not issubclass(kind, (OSError, tf.errors.OpError)):
        return sys.__excepthook__(kind, error, traceback)
    message = str(error).split("\n\t [[")[0].splitlines()[-1]  # TensorFlow tells of its ops too
    sys.exit(f"{parser.prog}: error: {message}")


sys.excepthook = one_line

# ---- data ----------------------------------------------------------------------------------------


def get_batch():
    """Return sin x and cos x, (batch, time_steps, 1) each, and x (batch, time_steps), in radians.

    A batch is one long walk, cut into rows. The next one starts a row later: its row i goes on
    where this one's row i ends, so that the state of row i can be handed over.
    """
    global BATCH_START
    x = np.arange(BATCH_START, BATCH_START + BATCH_SIZE * TIME_STEPS).reshape(
        (BATCH_SIZE, TIME_STEPS)
    ) / (10 * np.pi)
    BATCH_START += TIME_STEPS
    return np.sin(x)[:, :, np.newaxis], np.cos(x)[:, :, np.newaxis], x


# ---- the networks --------------------------------------------------------------------------------
with tf.name_scope("input"):
    # None: a sequence may have any length (无限向右扩展)
    X = tf.placeholder(tf.float32, [None, None, INPUT_SIZE], name="X")
    Y = tf.placeholder(tf.float32, [None, None, OUTPUT_SIZE], name="Y")


def RNN(x):
    """Return pred (batch * time_steps, 1) for x (batch, time_steps, 1), first and last state."""
    cell = tf.nn.rnn_cell.BasicLSTMCell(CELL_SIZE)
    cell_init_state = cell.zero_state(tf.shape(x)[0], dtype=tf.float32)
    # outputs: (batch, time_steps, cell_size); final_state: (c, h), each (batch, cell_size)
    outputs, final_state = tf.nn.dynamic_rnn(cell, x, initial_state=cell_init_state, scope="LSTM")
    with tf.name_scope("output_layer"):
        outputs = tf.reshape(outputs, (-1, CELL_SIZE))
        w = tf.Variable(tf.random_normal([CELL_SIZE, OUTPUT_SIZE]), name="w")
        b = tf.Variable(tf.random_normal([OUTPUT_SIZE]), name="b")
        return tf.matmul(outputs, w) + b, cell_init_state, final_state


def feedforward(x):
    """Return pred (batch * time_steps, 1): the ordinary network, each cos x from one sin x."""
    with tf.variable_scope("feedforward"):
        x = tf.reshape(x, (-1, INPUT_SIZE))
        hidden = tf.layers.dense(x, 4 * CELL_SIZE, tf.tanh)  # an LSTM too has four layers inside
        return tf.layers.dense(hidden, OUTPUT_SIZE)


pred, cell_init_state, final_state = {}, (), ()
if args.network in ("lstm", "both"):
    pred["lstm"], cell_init_state, final_state = RNN(X)
if args.network in ("feedforward", "both"):
    pred["feedforward"] = feedforward(X)

with tf.name_scope("cost"):
    cost = {
        name: tf.reduce_mean(tf.square(tf.reshape(pred[name], [-1]) - tf.reshape(Y, [-1])))
        for name in pred
    }
with tf.name_scope("train"):
    # the networks share no weight: the sum of their costs trains each as if it were alone
    optimizer = tf.train.AdamOptimizer(LR).minimize(sum(cost.values()))

settings = tf.summary.text("settings", tf.constant([[k, str(v)] for k, v in vars(args).items()]))

# ---- the picture: the course of cos x, and the plane of sin x and cos x --------------------------
try:
    figure, (course, plane) = plt.subplots(1, 2, figsize=(10, 4))
except ImportError:  # a kind of window was asked for (MPLBACKEND) that cannot be had here
    plt.switch_backend("agg")
    figure, (course, plane) = plt.subplots(1, 2, figsize=(10, 4))
plt.rcParams["figure.raise_window"] = False  # a new frame does not take the focus
window = figure.canvas.required_interactive_framework is not None
stretch = int(10 * 10 * np.pi) + TIME_STEPS  # the steps on show: the article's last 10 of x

(truth,) = course.plot([], [], "r", label="cos x")
style = {"lstm": "b--", "feedforward": "k:"}
fits = {name: course.plot([], [], style[name], label=name)[0] for name in pred}
course.set(xlabel="x", ylabel="cos x", ylim=(-1.2, 1.5))
course.legend(loc="upper left", ncol=3)

circle = np.linspace(0, 2 * np.pi, 200)
plane.plot(np.sin(circle), np.cos(circle), "r")
plane.plot([0.6, 0.6], [-0.8, 0.8], "ko:", lw=1)  # the article's two black dots
walks = {name: plane.plot([], [], style[name])[0] for name in pred}
plane.set(xlabel="sin x", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
plane.set_title("one sin x, two cos x")
figure.tight_layout()


def tell(what, costs):
    """Print a line as the article's `print('cost: ', cost)`; of two costs the second is named."""
    tqdm.write(f"{what} {'  feedforward:  '.join(map(str, costs.values()))}")


# ---- training ------------------------------------------------------------------------------------
with tf.Session() as sess:
    saver = tf.train.Saver(name="train/save")
    sess.run(tf.global_variables_initializer())
    if args.restore:
        try:
            saver.restore(sess, args.restore)
        except (ValueError, tf.errors.OpError):
            raise OSError(f"no checkpoint of such a network: --restore {args.restore}") from None

    while True:
        run_dir = os.path.join(args.logdir, "sin_cos", time.strftime("%Y%m%d-%H%M%S"))
        try:
            os.makedirs(run_dir)
            break
        except FileExistsError:  # another run has this second: take the next
            time.sleep(0.1)
    writers = {n: tf.summary.FileWriter(os.path.join(run_dir, n), flush_secs=5) for n in pred}
    train_writer = next(iter(writers.values()))  # the first has what is not a curve
    train_writer.add_graph(sess.graph)
    train_writer.add_summary(sess.run(settings), 0)

    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))  # Ctrl-C: finish this step
    figure.canvas.mpl_connect("close_event", lambda _: stopped.append(True))
    if not window:
        print(f"No window here: the picture will be {os.path.join(run_dir, 'fit.png')}")
    movie = PillowWriter(fps=10) if save.endswith(".gif") else None
    if movie:
        movie.setup(figure, save, dpi=60)

    shown = np.empty((0, 3 + len(pred)))
    state = tuple(np.zeros((2, BATCH_SIZE, CELL_SIZE))) if "lstm" in pred else ()  # no memory yet
    for i in tqdm(range(args.iterations), unit="step", file=sys.stdout, disable=None):
        sinx, cosx, x = get_batch()
        _, costs, outputs, state = sess.run(
            [optimizer, cost, pred, final_state],
            feed_dict={X: sinx, Y: cosx, cell_init_state: state},
        )
        for name in pred:
            point = tf.Summary.Value(tag="cost", simple_value=costs[name])
            writers[name].add_summary(tf.Summary(value=[point]), i)
        if i % 20 == 0:
            tell("cost: ", costs)

        # The batch's first row goes on where the last batch's did. A step has x, sin x and cos x,
        # then cos x as each network has it. The lines grow to a stretch, and no further.
        new = [x[0], sinx[0], cosx[0], *(outputs[name][:TIME_STEPS] for name in pred)]
        shown = np.vstack([shown, np.column_stack(new)])[-stretch:]
        truth.set_data(shown[:, 0], shown[:, 2])
        for column, name in enumerate(pred, 3):
            fits[name].set_data(shown[:, 0], shown[:, column])
            walks[name].set_data(shown[:, 1], shown[:, column])
        course.set(xlim=(x[0, 0] - 10, x[0, -1]), title=f"after {i + 1} iterations")
        if movie:
            movie.grab_frame()
        if window:
            plt.pause(max(args.pause, 0.001))
        if stopped:
            break
    saver.save(sess, os.path.join(run_dir, "model.ckpt"))

    # ---- the sequence goes on, 2,000 steps in one piece, nothing learned any more ----------------
    x = np.arange(BATCH_START, BATCH_START + 2000).reshape((1, 2000, 1)) / (10 * np.pi)
    first = tuple(s[:1] for s in state)  # the memory of the batch's first sequence
    costs = sess.run(cost, feed_dict={X: np.sin(x), Y: np.cos(x), cell_init_state: first})
    tell("2000 steps more, weights frozen, cost: ", costs)

    fit = os.path.join(run_dir, "fit.png")
    figure.savefig(fit)
    if movie:
        movie.finish()
    elif save:
        figure.savefig(save)
    picture = tf.image.decode_png(tf.io.read_file(fit))
    train_writer.add_summary(sess.run(tf.summary.image("fit", [picture], 1)), args.iterations)
    for writer in writers.values():
        writer.close()

print(f"This run is in {run_dir}")
print(f"To look at it: {sys.executable} -m tensorboard.main --logdir {args.logdir}")
if stopped:
    sys.exit(130)
if window:
    signal.signal(signal.SIGINT, lambda *_: plt.close())
    plt.show()  # until it is closed
