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
"""MNIST, read row by row by an LSTM: the article's 用 LSTM 实现分类任务.

An image is a sequence (一张图片就是一个完整的序列): each of its 28 rows of pixels is the input x_t
of one time step, and the output of the last step says which digit it is.

To read this beside the article, go to "the article's listing" and read on to the end of the file.
Above it stand the small functions that the listing calls; you can skip them.
"""

import argparse
import builtins
import contextlib
import errno
import functools
import gc
import io
import json
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
    description="Train an LSTM to read MNIST digits row by row, then test it.",
    epilog="example: python %(prog)s --cell rnn --seed 1",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument_group("the article's settings").add_argument
option("--training-iters", type=int, default=100000, metavar="N", help="images to train on, in all")
option("--batch-size", type=int, default=128, metavar="N", help="images in a training step")
option("--lr", type=float, default=0.001, metavar="X", help="learning rate of Adam")
option("--n-hidden", type=int, default=128, metavar="N", help="size of the cell's output and state")
option("--display-step", type=int, default=10, metavar="N", help="steps between printed lines")
option = parser.add_argument_group("to compare with").add_argument
option("--cell", choices=["lstm", "rnn"], default="lstm", help="BasicLSTMCell or BasicRNNCell")
option("--rnn", choices=["dynamic", "static"], default="dynamic", help="dynamic_rnn or static_rnn")
option("--wait", type=int, default=0, metavar="N", help="blank rows below each image")
option(
    "--forget-bias", type=float, metavar="X", help="added inside the forget gate, 1 if not given"
)
option("--lr-decay", choices=["none", "cosine"], default="none", help="how lr falls over the run")
option("--xla", choices=["auto", "on", "off"], default="auto", help="compile the training")
option("--seed", type=int, default=0, metavar="N", help="the same seed: the same weights, batches")
option = parser.add_argument_group("files").add_argument
option("--data", metavar="FILE", help="MNIST as .npz; None: data/mnist.npz, or a download")
option("--logdir", default=os.path.join(HERE, "logs"), metavar="DIR", help="for the run's folder")
option("--restore", metavar="RUN", help="go on from a run's folder, or a checkpoint in it")
args = parser.parse_args()
limits = {"training_iters": (0, 10**9), "batch_size": (1, 10000), "lr": (1e-9, 1000)}
limits.update(n_hidden=(1, 2000), display_step=(1, 10**9), wait=(0, 200), seed=(0, 2**32 - 1))
for name, (low, high) in limits.items():
    if not low <= getattr(args, name) <= high:
        parser.error(f"--{name.replace('_', '-')} takes a number from {low} to {high}")
if 0 < args.training_iters < args.batch_size:
    parser.error("--training-iters takes 0, or the images of at least one batch")
if args.data == "":
    parser.error("--data takes the name of a file")
if args.xla == "on" and args.rnn == "static":
    parser.error("--xla on is for --rnn dynamic: only a loop is compiled")
if args.cell == "rnn" and args.forget_bias is not None:
    parser.error("--forget-bias is for --cell lstm: a plain RNN has no gates")
in_utf_8 = args.logdir.encode("utf-8", "replace").decode()
if args.logdir != in_utf_8 or not args.logdir or "://" in args.logdir:
    parser.error("--logdir takes a path on this machine, in UTF-8")
if os.name == "nt" and not os.path.abspath(args.logdir).isascii():
    parser.error(r"--logdir must be an ASCII path on Windows, for TensorFlow: --logdir C:\logs")
if args.cell == "lstm" and args.forget_bias is None:
    args.forget_bias = 1.0
if args.cell == "lstm" and not abs(args.forget_bias) <= 100:
    parser.error("--forget-bias takes a number from -100 to 100")


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

if not NOTEBOOK:
    os.environ.pop("MPLBACKEND", None)  # no window is wanted here, nor a name that is unknown
import matplotlib
import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib.figure import Figure
from tensorboard.plugins.hparams import api as hparams
from tqdm import tqdm

gc.freeze()  # the collector need not look at them again
gc.enable()
tf.logging.set_verbosity(tf.logging.FATAL)  # what a user can mend is told by `fail`
tf.disable_v2_behavior()
tf.reset_default_graph()  # a notebook may have run a script before
tf.set_random_seed(args.seed)
config = tf.ConfigProto()
config.graph_options.rewrite_options.disable_meta_optimizer = True  # takes a second for nothing
if args.xla == "auto":  # TensorFlow 1.15 cannot tell whether it has XLA
    built = hasattr(tf.test, "is_built_with_xla") and tf.test.is_built_with_xla()
    args.xla = "on" if built and args.rnn == "dynamic" else "off"
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


# ==== data ========================================================================================
@functools.lru_cache(maxsize=2)  # a batch may cross the end of an epoch
def epoch_order(seed, epoch, n):
    """Return 0 to n - 1 in the order of this epoch."""
    return np.random.RandomState([seed, epoch]).permutation(n)


class DataSet:
    """Images (n, n_step * 28), from 0 to 1, and one-hot labels (n, 10), as input_data had them."""

    def __init__(self, pixels, digits):
        self.pixels = pixels.reshape(len(pixels), -1)
        self.black = 255 if pixels.max() > 1 else 1
        self.digits = digits
        self.labels = np.eye(10, dtype=np.float32)[digits]

    def scaled(self, pixels):
        return np.divide(pixels, self.black, dtype=np.float32)

    @property
    def images(self):
        return self.scaled(self.pixels)  # made anew each time: 8-bit pixels take less memory

    def next_batch(self, batch_size, step):
        """Return the images and labels of step 1, 2, ...; a step always has the same ones."""
        n = len(self.pixels)
        numbers = range((step - 1) * batch_size, step * batch_size)
        batch = [epoch_order(args.seed, i // n, n)[i % n] for i in numbers]
        return self.scaled(self.pixels[batch]), self.labels[batch]


def what_is_wrong(x, y, least):
    """Return what is wrong with images x and labels y, in words, or None."""
    if x.shape[1:] != (28, 28) or y.shape != x.shape[:1] or len(x) < least:
        return f"shapes {x.shape} and {y.shape}, not (n, 28, 28) and (n,), n from {least} up"
    if x.dtype.kind not in "buif" or not (x.min() >= 0 and x.max() <= 255):  # NaN is neither
        return f"pixels ({x.dtype}) that are not numbers from 0 to 255, or from 0 to 1"
    if y.dtype.kind not in "ui" or not (y.min() >= 0 and y.max() <= 9):
        return f"labels ({y.dtype}) that are not whole numbers from 0 to 9"


def read_data_sets(file, wait):
    """Return MNIST's train, validation and test, with `wait` blank rows below each image."""
    own = os.path.join(HERE, "data", "mnist.npz")
    try:
        if file is None and not os.path.exists(own):
            with contextlib.redirect_stdout(sys.stderr):  # it says that it downloads
                (x, y), (x_test, y_test) = tf.keras.datasets.mnist.load_data()
        else:
            with np.load(file or own) as npz:
                x, y, x_test, y_test = (
                    np.asarray(npz[k]) for k in ("x_train", "y_train", "x_test", "y_test")
                )
    except Exception as error:  # NumPy, zipfile and the download raise whatever they like
        fail(f"no MNIST in {file or own} ({error}): name the file with --data")
    wrong = what_is_wrong(x, y, 5001) or what_is_wrong(x_test, y_test, 1)
    if wrong:
        fail(f"no MNIST in {file or own} (it has {wrong}): name the file with --data")
    if wait:
        below = [(0, 0), (0, wait), (0, 0)]
        x, x_test = np.pad(x, below, "constant"), np.pad(x_test, below, "constant")
    train, validation = DataSet(x[5000:], y[5000:]), DataSet(x[:5000], y[:5000])
    return SimpleNamespace(train=train, validation=validation, test=DataSet(x_test, y_test))


# ==== training ====================================================================================
def learning_rate(lr, global_step, last_step):
    """Return lr, or with --lr-decay cosine a tensor that falls from lr to 0."""
    return lr if args.lr_decay == "none" else tf.train.cosine_decay(lr, global_step, last_step)


def compiled_gradients(RNN, cost_of, x, y):
    """Return [(gradient, variable), ...] as minimize(cost) finds them, but compiled by XLA.

    Each half of the batch is a program of its own, so that two cores are busy. A half counts by
    its share of the images: right for every cost that is a mean over the images.
    """
    variables = tf.trainable_variables()
    halves = []

    def gradients(x, y, share):
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):  # the same weights
            pred, _ = RNN(x)
        return tf.gradients(share * cost_of(pred, y), variables)

    for x_half, y_half in ((x[::2], y[::2]), (x[1::2], y[1::2])):
        share = tf.cast(tf.shape(x_half)[0] / tf.shape(x)[0], tf.float32)
        halves.append(tf.xla.experimental.compile(gradients, [x_half, y_half, share]))
    return [(first + second, variable) for first, second, variable in zip(*halves, variables)]


stop = SimpleNamespace(by=None, status=0)  # what ended the training early, and the exit status


def end_after_this_step(number, frame):
    stop.by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    stop.status = 128 + number
    on_signals(end_at_once)  # a second Ctrl-C does not wait


def training_steps(sess, last_step):
    """Yield the numbers of the steps to go, with a progress bar, until a signal comes."""
    done = int(sess.run(tf.train.get_global_step()))  # 0, or where the restored run stopped
    on_signals(end_after_this_step)
    bar = {"initial": done, "total": max(done, last_step), "unit": "step", "file": sys.stdout}
    for step in tqdm(range(done + 1, last_step + 1), disable=NOTEBOOK or None, **bar):
        yield step
        if stop.by:
            return


# ==== the run's folder ============================================================================
def new_run_dir():
    """Make and return <logdir>/mnist/<date>-<time>, a folder that no other run has."""
    while True:
        run_dir = os.path.join(args.logdir, "mnist", time.strftime("%Y%m%d-%H%M%S"))
        try:
            os.makedirs(run_dir)
            break
        except FileExistsError:  # another run has this second: take the next
            time.sleep(0.1)
        except OSError as error:
            fail(f"no folder for this run ({error}): name another with --logdir")
    with open(os.path.join(run_dir, "options.json"), "w") as file:
        json.dump(vars(args), file, indent=1)
    told = {k: v for k, v in vars(args).items() if v is not None and k not in ("data", "logdir")}
    with tf.summary.FileWriter(run_dir) as writer:  # for TensorBoard's HParams tab
        writer.add_summary(
            hparams.hparams_pb(told, trial_id=os.path.basename(run_dir)).SerializeToString()
        )
    return run_dir


def what_is_wrong_with(checkpoint):
    """Return what keeps a checkpoint from being restored, in words, or None."""
    if not os.path.exists(f"{checkpoint}.index"):
        return "is no checkpoint; --restore takes a folder that lists one, or model.ckpt-<step>"
    if set("[]*?") & set(checkpoint):
        return "cannot be read: TensorFlow takes [ ] * ? in a path for a pattern; rename the folder"
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        shapes = reader.get_variable_to_shape_map()
        for variable in tf.global_variables():
            there, here = shapes.get(variable.op.name), variable.shape.as_list()
            if there != here:
                return f"is of another network: {variable.op.name} is {there} there, {here} here"
            reader.get_tensor(variable.op.name)  # finds every damaged bit
    except Exception as error:  # whatever the reader stumbles over
        return f"is damaged: {in_words(error)}"


def find_checkpoint(restore):
    """Return the checkpoint that --restore names: of a run's folder, the newest good one."""
    if restore is None:
        return None
    try:
        state = tf.train.get_checkpoint_state(restore) if os.path.isdir(restore) else None
    except ValueError:  # a list that TensorFlow did not write, or not to its end
        state = None
    saved = state.all_model_checkpoint_paths if state else [restore]
    *older, newest = saved or [state.model_checkpoint_path]
    wrong = what_is_wrong_with(newest)
    if not wrong:
        return newest
    if older and not what_is_wrong_with(older[-1]):
        sys.stderr.write(f"{newest!r} {wrong}; going on from {older[-1]!r}.\n")
        return older[-1]
    fail(f"{newest!r} {wrong}")


def restore(sess, checkpoint):
    """Take all weights, Adam's moments and the number of steps done from a checkpoint, if any."""
    if checkpoint:
        tf.train.Saver().restore(sess, checkpoint)
        tell_of_other_options(os.path.join(os.path.dirname(checkpoint), "options.json"))


def tell_of_other_options(file):
    """Say which options that matter had other values in the run that goes on."""
    try:
        with open(file) as text:
            before = dict(json.load(text))
    except (OSError, ValueError, TypeError):  # moved, or damaged: then it cannot be told
        return
    names = "seed", "lr", "batch_size", "lr_decay", "wait", "forget_bias", "xla"
    other = [name for name in names if before.get(name) != vars(args)[name]]
    if other:
        had = ", ".join(f"--{name.replace('_', '-')} {before.get(name)}" for name in other)
        sys.stderr.write(f"The run that goes on had {had}.\n")


def save(saver, sess, run_dir, step):
    """Save the network beside the one saved before, never over it: a kill must not cost both."""
    try:
        saver.save(sess, os.path.join(run_dir, "model.ckpt"), step, write_meta_graph=False)
    except (tf.errors.OpError, ValueError, OSError) as error:  # disk full, folder gone
        fail(f"no checkpoint in {run_dir}: {in_words(error)}")


def what_to_measure(cost, x):
    """Return three tensors: the steps done, the gradient at each row (n_step,), a summary.

    The gradient is the mean of the images' norms, and the last row's is 1.
    """
    gradient = tf.reduce_mean(tf.norm(tf.gradients(cost, x)[0], axis=2), 0)
    gradient /= gradient[-1]
    curves = [tf.summary.histogram(f"weights/{v.op.name}", v) for v in tf.trainable_variables()]
    curves.append(tf.summary.scalar("gradient_at_row_1", gradient[0]))
    return tf.train.get_global_step(), gradient, tf.summary.merge(curves)


def prepare_measuring(sess, run_dir, train_writer, summaries, cost, x, y, mnist):
    """Return a function that saves the network, adds to the curves, and returns all gradients."""
    fetches = what_to_measure(cost, x)
    images = mnist.validation.images[:1000].reshape(-1, *x.shape.as_list()[1:])
    feed = {x: images, y: mnist.validation.labels[:1000]}
    few = {x: images[:64], y: mnist.validation.labels[:64]}  # a gradient takes longer
    writer = tf.summary.FileWriter(os.path.join(run_dir, "validation"))
    saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
    gradients = {}

    def save_and_measure(last=False):
        step, by_row, s = sess.run(fetches, few)
        if step not in gradients:
            if gradients:  # at the first call, step 0 or a point that the restored run drew
                train_writer.add_summary(s, step)
                writer.add_summary(sess.run(summaries, feed), step)
                train_writer.flush()  # before saving: who goes on from there adds what comes after
                writer.flush()
            gradients[int(step)] = by_row
            save(saver, sess, run_dir, step)
        if last:
            writer.close()
        return gradients

    return save_and_measure


# ==== the six equations ===========================================================================
def six_equations(x, c, s, kernel, bias, forget_bias):
    """Return i, f, o, g, c_t, s_t, (batch, n_hidden) each: a time step of the article's LSTM.

    x: (batch, n_input), x_t; c, s: (batch, n_hidden), c_(t-1) and s_(t-1);
    kernel: (n_input + n_hidden, 4 * n_hidden), the article's U above its W, in the order i g f o;
    bias: (4 * n_hidden,), which the article leaves out, as it does forget_bias.
    """
    U_i, U_g, U_f, U_o = np.split(kernel[: x.shape[1]], 4, axis=1)
    W_i, W_g, W_f, W_o = np.split(kernel[x.shape[1] :], 4, axis=1)
    b_i, b_g, b_f, b_o = np.split(bias, 4)
    i = sigmoid(x @ U_i + s @ W_i + b_i)
    f = sigmoid(x @ U_f + s @ W_f + b_f + forget_bias)
    o = sigmoid(x @ U_o + s @ W_o + b_o)
    g = np.tanh(x @ U_g + s @ W_g + b_g)
    c = c * f + g * i
    s = np.tanh(c) * o
    return i, f, o, g, c, s


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def inside(image, kernel, bias):
    """Return what the equations give while the cell reads an image: (equations, n_step, n_hidden).

    image: (n_step, n_input); i, f, o, g, c_t and s_t of an LSTM, s_t of a plain RNN.
    """
    c = s = np.zeros((1, len(kernel) - image.shape[1]))  # no memory before the first row
    steps = []
    for x_t in image[:, np.newaxis]:
        if args.cell == "lstm":
            i, f, o, g, c, s = six_equations(x_t, c, s, kernel, bias, args.forget_bias)
            steps.append([i, f, o, g, c, s])
        else:
            s = np.tanh(np.hstack([x_t, s]) @ kernel + bias)
            steps.append([s])
    return np.array(steps)[:, :, 0].transpose(1, 0, 2)


# ==== the test and the pictures ===================================================================
def in_parts(sess, tensor, x, data, count=None):
    """Yield a tensor's value for 1,000 images at a time, of all or the first `count`.

    10,000 at once would take a gigabyte.
    """
    pixels = data.pixels[:count]
    for part in np.split(pixels, range(1000, len(pixels), 1000)):
        yield sess.run(tensor, {x: data.scaled(part).reshape(-1, *x.shape.as_list()[1:])})


def test_all(sess, pred, x, test, run_dir):
    """Print the accuracy on all test images, and put it into TensorBoard's table of runs.

    Return the digit that the network reads in each.
    """
    answers = np.concatenate(list(in_parts(sess, pred, x, test))).argmax(1)
    accuracy = np.mean(answers == test.digits)
    print(f"Testing Accuracy (all {len(answers)} images): {accuracy:.6f}")
    value = tf.Summary.Value(tag="test_accuracy", simple_value=accuracy)
    with tf.summary.FileWriter(run_dir, filename_suffix=".test") as writer:
        writer.add_summary(tf.Summary(value=[value]), sess.run(tf.train.get_global_step()))
    return answers


def with_one(states):
    """Return states (n_step, batch, n_hidden) with a 1 behind each, for the bias."""
    return np.pad(states, [(0, 0), (0, 0), (0, 1)], "constant", constant_values=1)


def fit_probes(states, labels):
    """Return a linear probe for each row, (n_step, n_hidden + 1, 10), by least squares.

    A probe reads the digit from the state after its row. states: parts of (n_step, 1000, n_hidden),
    of which only sums over the images are kept.
    """
    squares, products = 0, 0
    for some, classes in zip(states, np.split(labels, range(1000, len(labels), 1000))):
        some = with_one(some)
        squares = squares + some.transpose(0, 2, 1) @ some
        products = products + some.transpose(0, 2, 1) @ classes
    return np.linalg.solve(squares + 1e-3 * np.eye(squares.shape[1]), products)


BLACK, ORANGE, BLUE = "#000000", "#D55E00", "#0072B2"  # Okabe and Ito's, for the colour-blind too

STYLE = {"font.size": 15, "image.cmap": "gray_r", "image.aspect": "auto"}


def new_figure(height, title):
    """Return a figure that can be read at half its size, as TensorBoard shows it."""
    figure = Figure(figsize=(6.6, height), dpi=100)
    figure.subplots_adjust(0.14, 0.7 / height, 0.97, 1 - 0.8 / height)
    figure.suptitle(title, fontsize=17, y=1 - 0.15 / height)
    return figure


def picture_of_mistakes(images, digits, answers):
    """Test digits that the network misreads, the first 18 of them."""
    wrong = np.flatnonzero(answers != digits)
    figure = new_figure(5.2, f"{len(wrong)} of {len(digits)} test digits are misread")
    for place in range(0, min(len(wrong), 18), 6):
        some = wrong[place : place + 6]
        axes = figure.add_axes([0.02, 0.67 - place / 20.5, 0.96, 0.22], yticks=[])
        axes.imshow(np.hstack(images[some]), aspect="equal")
        titles = [f"{digits[i]}, not {answers[i]}" for i in some]
        axes.set_xticks(range(14, 28 * len(some), 28), labels=titles, fontsize=14)
    return figure


def picture_of_rows(images, digits, logits, known):
    """What is known of the digit after each row.

    logits: (n_step, batch, 10), the output layer's; known: (n_step,), the probes' accuracy.
    """
    figure = new_figure(7.6, f"After the last row, {known[-1]:.0%} of the digits are known")
    grid = figure.add_gridspec(2, 3, height_ratios=[2, 3], hspace=0.4)
    right = logits.argmax(2) == digits
    some = [*np.flatnonzero(right[-1])[:2], *np.flatnonzero(~right[-1])[:1]]
    for place, i in enumerate(some):
        odds = np.exp(logits[:, i] - logits[:, i].max(1, keepdims=True))
        # 28 columns of pixels, then four for each of the ten answers
        both = np.hstack([images[i], (odds / odds.sum(1, keepdims=True)).repeat(4, 1)])
        axes = figure.add_subplot(grid[0, place], title=f"digit {digits[i]}")
        axes.imshow(both, extent=(0, 68, len(both) + 0.5, 0.5))
        axes.set_xticks([30, 42, 54, 66], labels=[0, 3, 6, 9])
        axes.set(yticks=[] if place else [10, 20], ylabel="" if place else "row")
    figure.text(0.55, 0.54, "what the output layer answers after each row", ha="center", size=13)
    axes, rows = figure.add_subplot(grid[1, :]), range(1, len(known) + 1)
    axes.plot(rows, known, "-", color=BLUE, label="a probe, fitted to this row's state")
    axes.plot(rows, right.mean(1), "--", color=ORANGE, label="output layer, fitted to the last")
    axes.axhline(0.1, linestyle=":", color=BLACK, label="chance")
    axes.set(xlabel="rows read", ylabel="test accuracy", ylim=(0, 1.5), yticks=[0, 0.5, 1])
    axes.legend(fontsize=13, loc="upper center")
    return figure


PANELS = [  # an equation, the range of its values, and colours for them
    (r"$i = \sigma(x_t U^i + s_{t-1} W^i)$", 0, 1, "gray_r"),
    (r"$f = \sigma(x_t U^f + s_{t-1} W^f)$", 0, 1, "gray_r"),
    (r"$o = \sigma(x_t U^o + s_{t-1} W^o)$", 0, 1, "gray_r"),
    (r"$g = \tanh(x_t U^g + s_{t-1} W^g)$", -1, 1, "cividis"),
    (r"$c_t = c_{t-1} \circ f + g \circ i$", -2, 2, "cividis"),
    (r"$s_t = \tanh(c_t) \circ o$", -1, 1, "cividis"),
]
PLAIN_PANELS = [(r"$s_t = \tanh(x_t U + s_{t-1} W)$", -1, 1, "cividis")]


def picture_of_inside(image, digit, values):
    """The equations at work: the rows down the page, the units side by side; see `inside`."""
    figure = new_figure(1.6 + 1.9 * len(values), f"Inside the cell while it reads this {digit}")
    shape = {"width_ratios": [4, 19, 1], "hspace": 0.35, "wspace": 0.08}
    grid = figure.subplots(len(values), 3, squeeze=False, gridspec_kw=shape)
    units = values[-1, -1].argsort()  # side by side what ends alike
    panels = PANELS if args.cell == "lstm" else PLAIN_PANELS
    for (left, middle, right), (title, low, high, cmap), s in zip(grid, panels, values):
        left.imshow(image)
        left.set(xticks=[], yticks=[], ylabel=f"{len(image)} rows")
        shown = middle.imshow(s[:, units], cmap=cmap, vmin=low, vmax=high)
        middle.set(xticks=[], yticks=[], title=title)
        figure.colorbar(shown, cax=right, ticks=[low, high])
    middle.set_xlabel(f"the cell's {len(units)} units")
    figure.subplots_adjust(right=0.9)
    return figure


def picture_of_gradients(gradients):
    """How much the cost depends on each row; the gradient's axis is the same for every run."""
    figure = new_figure(4.8, "How much the cost depends on each row")
    axes = figure.add_subplot(xlabel="row", ylabel="gradient (last row: 1)", yscale="log")
    steps = sorted({min(gradients), 100, 400, max(gradients)} & gradients.keys())
    for step, line, colour in zip(steps, (":", "-.", "--", "-"), (BLACK, BLUE, ORANGE, BLACK)):
        label = f"{args.cell} after {step} steps" if step else f"{args.cell}, untrained"
        rows = range(1, 1 + len(gradients[step]))
        axes.plot(rows, gradients[step], line, color=colour, label=label)
    axes.set(ylim=(1e-6, 100))
    axes.legend(fontsize=13, ncol=2)
    return figure


def rows_read(sess, mnist, x, outputs, count=2000):
    """Return what `count` test images show after each row.

    known: (n_step,), the accuracy of a probe fitted to the validation images' states;
    logits: (n_step, count, 10), what the output layer answers.
    """
    w, b = sess.run(tf.trainable_variables("output_layer"))
    fit = in_parts(sess, outputs, x, mnist.validation)
    probes = fit_probes(fit, mnist.validation.labels)
    answers, logits = [], []
    for states in in_parts(sess, outputs, x, mnist.test, count):
        answers.append((with_one(states) @ probes).argmax(2))
        logits.append(states @ w + b)
    right = np.concatenate(answers, 1) == mnist.test.digits[:count]
    return right.mean(1), np.concatenate(logits, 1)


@matplotlib.rc_context(STYLE)
def draw_pictures(sess, mnist, x, outputs, answers, gradients):
    """Return what the network makes of MNIST: {name: picture}."""
    kernel, bias = sess.run(tf.trainable_variables("rnn"))
    known, logits = rows_read(sess, mnist, x, outputs)
    images, digits = mnist.test.images.reshape(-1, *x.shape.as_list()[1:]), mnist.test.digits
    return {
        "mistakes": picture_of_mistakes(images[:, :28], digits, answers),
        "rows": picture_of_rows(images, digits[: logits.shape[1]], logits, known),
        "inside": picture_of_inside(images[0], digits[0], inside(images[0], kernel, bias)),
        "gradient": picture_of_gradients(gradients),
    }


@matplotlib.rc_context(STYLE)
def save_pictures(pictures, run_dir, writer, step):
    """Write pictures into the run's folder, the same bytes for TensorBoard; close its file."""
    for name, figure in pictures.items():
        file = os.path.join(run_dir, f"{name}.png")
        figure.savefig(file)
        with open(file, "rb") as png:
            image = tf.Summary.Image(encoded_image_string=png.read())
        image.width, image.height = figure.canvas.get_width_height()
        writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag=name, image=image)]), step)
    writer.close()


def end(run_dir):
    """Say where the run is, with a command to paste; after a signal, exit with its status."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", args.logdir]
    print(f"This run is in {run_dir}")
    if os.name == "nt":
        print(f"To look at it: {subprocess.list2cmdline(command)}")
    else:
        print(f"To look at it: {' '.join(shlex.quote(word) for word in command)}")
    if stop.by:
        sys.exit(stop.status)


# ==== the article's listing =======================================================================
# imports: at the top of the file; `rnn` of tensorflow.contrib is tf.nn.rnn_cell now
mnist = read_data_sets(args.data, args.wait)  # was input_data.read_data_sets("data/", one_hot=True)

lr = args.lr  # 0.001 unless --lr is given; likewise below
training_iters = args.training_iters  # 100000
batch_size = args.batch_size  # 128
display_step = args.display_step  # 10

n_input = 28  # a row of pixels is x_t, the input of a time step
n_step = 28 + args.wait  # 28 rows, 28 time steps; --wait adds blank rows, for memory to bridge
n_hidden = args.n_hidden  # 128
n_classes = 10

x = tf.placeholder(tf.float32, [None, n_step, n_input], name="input/x")
y = tf.placeholder(tf.float32, [None, n_classes], name="input/y")
with tf.name_scope("output_layer"):  # a name scope is a box in TensorBoard's Graphs tab
    w = tf.Variable(tf.random_normal([n_hidden, n_classes]), name="w")
    b = tf.Variable(tf.random_normal([n_classes]), name="b")


def RNN(x):
    # x: (batch, n_step, n_input)
    if args.cell == "lstm":
        cell = tf.nn.rnn_cell.BasicLSTMCell(n_hidden, args.forget_bias)  # 1 unless given
    else:
        cell = tf.nn.rnn_cell.BasicRNNCell(n_hidden)

    if args.rnn == "static":  # commented out in the article
        # outputs: a list of n_step tensors, (batch, n_hidden) each; states: the last step's, unused
        x = tf.unstack(x, n_step, 1)
        outputs, states = tf.nn.static_rnn(cell, x, dtype=tf.float32)
    else:
        outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)  # (batch, n_step, n_hidden)
        outputs = tf.transpose(outputs, [1, 0, 2], name="rnn/outputs")  # (n_step, batch, n_hidden)

    with tf.name_scope("output_layer/"):  # the slash: that box again, not a new one
        return tf.matmul(outputs[-1], w) + b, outputs  # was pred alone: (batch, n_classes)


def cost_of(pred, y):  # a function, because the compiled training calls it too
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))


pred, outputs = RNN(x)  # outputs: for the pictures

with tf.name_scope("cost"):
    cost = cost_of(pred, y)

with tf.name_scope("train"):
    last_step = training_iters // batch_size  # also one that ends exactly at the last image
    global_step = tf.train.create_global_step()  # counts the steps; saved with the weights
    adam = tf.train.AdamOptimizer(learning_rate(lr, global_step, last_step))  # lr, or its decay
    if args.xla == "off":  # auto is on or off by now
        optimizer = adam.minimize(cost, global_step)
    else:  # the same, but faster: the gradients of this cost, compiled
        optimizer = adam.apply_gradients(compiled_gradients(RNN, cost_of, x, y), global_step)

with tf.name_scope("test"):
    correct_pred = tf.equal(tf.argmax(pred, 1), tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_pred, tf.float32))

tf.summary.scalar("accuracy", accuracy)
tf.summary.scalar("loss", cost)
summaries = tf.summary.merge_all()
checkpoint = find_checkpoint(args.restore)  # a bad one stops the script here

with tf.Session(config=config) as sess:  # config: starts a second sooner
    run_dir = new_run_dir()  # was "logs/": a folder for each run
    train_writer = tf.summary.FileWriter(os.path.join(run_dir, "train"), sess.graph, flush_secs=5)
    init = tf.global_variables_initializer()
    sess.run(init)
    restore(sess, checkpoint)  # does nothing without --restore
    save_and_measure = prepare_measuring(sess, run_dir, train_writer, summaries, cost, x, y, mnist)
    save_and_measure()  # the network as it is now; later calls add to the curves, too
    for step in training_steps(sess, last_step):  # was step = 1, while ..., step += 1
        batch_x, batch_y = mnist.train.next_batch(batch_size, step)  # a step's own: see README
        batch_x = batch_x.reshape(batch_size, n_step, n_input)
        sess.run(optimizer, feed_dict={x: batch_x, y: batch_y})
        if step % display_step == 0:
            acc, loss, s = sess.run([accuracy, cost, summaries], feed_dict={x: batch_x, y: batch_y})
            line = f"Iter {step * batch_size}, Minibatch Loss= {loss:.6f}, "
            print(line + f"Training Accuracy= {acc:.5f}")
            train_writer.add_summary(s, global_step=step)  # s: was fetched every 100 steps
        if step % 100 == 0:
            save_and_measure()
    gradients = save_and_measure(last=True)  # {step: how much the cost depends on each row}
    print(f"Optimization stopped by {stop.by}." if stop.by else "Optimization Finished!")

    test_len = 128
    test_data = mnist.test.images[:test_len].reshape((-1, n_step, n_input))
    test_label = mnist.test.labels[:test_len]
    test_acc = sess.run(accuracy, feed_dict={x: test_data, y: test_label})
    print(f"Testing Accuracy: {test_acc:.6f}")
    answers = test_all(sess, pred, x, mnist.test, run_dir)
    pictures = draw_pictures(sess, mnist, x, outputs, answers, gradients)
    save_pictures(pictures, run_dir, train_writer, sess.run(global_step))
end(run_dir)
