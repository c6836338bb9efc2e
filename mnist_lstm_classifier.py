# /// script
# requires-python = ">=3.9,<3.14"
# dependencies = [
#     "tensorflow>=2.16.1,<2.22", "tf-keras>=2.16.0,<2.22", "tensorboard>=2.16.2,<2.22",
#     "setuptools<82", "numpy>=1.23.5,<3", "matplotlib>=3.9.0,<4", "pillow>=10.0.0,<14",
#     "tqdm>=4.66.0,<5",
# ]
# ///
"""MNIST, read row by row by an LSTM: the article's 用 LSTM 实现分类任务.

An image is a sequence (一张图片就是一个完整的序列): each of its 28 rows of pixels is the input x_t
of one time step, and the output of the last step says which digit it is.

To read this beside the article, go to "the article's listing" and read on to the end of the file.
The functions above the listing look up x, y, pred, cost, ... and the tensor "outputs" when they
run. Change the listing, and they use your version.
"""

import argparse
import functools
import gc
import gzip
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

# ==== options =====================================================================================
HERE = os.path.dirname(os.path.realpath(__file__))


def path(text):
    return os.path.abspath(os.path.expanduser(text))


parser = argparse.ArgumentParser(
    description="Train an LSTM to read MNIST digits row by row, then test it.",
    epilog="example: python %(prog)s --cell rnn --seed 1",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
add = parser.add_argument_group("the article's settings").add_argument
add("--training-iters", type=int, default=100000, metavar="N", help="images to train on, in all")
add("--batch-size", type=int, default=128, metavar="N", help="images in a training step")
add("--lr", type=float, default=0.001, metavar="X", help="learning rate of Adam")
add("--n-hidden", type=int, default=128, metavar="N", help="size of the cell's output and state")
add("--display-step", type=int, default=10, metavar="N", help="print and log every N steps")
add = parser.add_argument_group("to compare with").add_argument
add("--cell", choices=["lstm", "rnn"], default="lstm", help="BasicLSTMCell or BasicRNNCell")
add("--static-rnn", action="store_true", help="static_rnn, not dynamic_rnn")
add("--blank-rows", type=int, default=0, metavar="N", help="blank rows below each image")
add("--forget-bias", type=float, default=1, metavar="X", help="of the LSTM's forget gate")
add("--lr-decay", choices=["none", "cosine"], default="none", help="how lr falls over the run")
add("--xla", choices=["auto", "off"], default="auto", help="auto: compile if possible")
add("--seed", type=int, default=0, metavar="N", help="seed of the weights and batches")
add = parser.add_argument_group("files").add_argument
add("--data", type=path, metavar="DATA", help=".npz or folder; None: data/mnist.npz or download")
logs = os.path.join(HERE, "logs")
add("--logdir", type=path, default=logs, metavar="DIR", help="for the runs, a folder each")
add("--restore", type=path, metavar="RUN", help="continue this run in its folder, with its options")
add("--read", type=path, nargs="+", default=[], metavar="FILE", help="pictures of digits")
args = parser.parse_args()
gradient_history = {}  # {training step: |d cost / d x_t| at each row, divided by the last row's}
if args.restore:
    try:
        saved = json.loads(Path(args.restore, "run.json").read_text())
        gradient_history = {int(step): by_row for step, by_row in saved["gradient_history"].items()}
        parser.set_defaults(**saved["options"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        parser.error(f"--restore: no run.json for this version in {args.restore}: {error!r}")
    args = parser.parse_args()  # the saved options are the defaults now, and typed ones win
    args.restore = os.path.realpath(args.restore)
    logdir, parent = os.path.split(os.path.dirname(args.restore))
    # end() prints LOGDIR of LOGDIR/mnist/DATE-TIME, or the run itself if it was moved elsewhere
    args.logdir = logdir if parent == "mnist" else args.restore
not_saved = "logdir", "restore", "read"  # they belong to this call only
# without None, which HParams refuses
options = {k: v for k, v in vars(args).items() if k not in not_saved and v is not None}
for name in "batch_size", "lr", "n_hidden", "display_step":
    if not 0 < getattr(args, name) < float("inf"):  # nan is refused, too
        parser.error(f"--{name.replace('_', '-')} takes a positive number")
if min(args.training_iters, args.blank_rows) < 0 or not 0 <= args.seed < 2**32:
    parser.error("--training-iters, --blank-rows: from 0 up; --seed: from 0 to 4294967295")
folder = args.restore or args.logdir
if set("[]*?") & set(folder) or (os.name == "nt" and not folder.isascii()):
    wanted = "one without [ ] * ?, on Windows in ASCII, as --logdir C:\\logs is"
    parser.error(f"--logdir, --restore: TensorFlow cannot use {folder}; it needs {wanted}")

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

import matplotlib.style
import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib.figure import Figure
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps
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

# ==== data ========================================================================================
FILES = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
FILES += "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def read_idx(folder, name):
    """Return the array of the IDX file NAME (or emnist-...-NAME), NAME.gz or NAME/NAME (Kaggle)."""
    files = {}  # by their usual names: t10k-images-idx3-ubyte for test-images.idx3-ubyte.gz
    paths = sorted(Path(folder).glob("*"))
    for file in [*paths, *(path / path.name for path in paths)]:
        usual = file.name.replace(".gz", "").replace(".idx", "-idx").replace("test-", "t10k-")
        if file.is_file() and usual.endswith(name):
            files.setdefault(usual, file)  # a file and its .gz are one
    if len(files) != 1:
        raise ValueError(f"{len(files)} files end in {name} or {name}.gz")
    (file,) = files.values()
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if file.suffix == ".gz" else content
        _, _, kind, n_axes = content[:4]
        dtype = {8: np.uint8}[kind]  # MNIST's files have no other kind
        shape = np.frombuffer(content, ">i4", count=n_axes, offset=4)
        return np.frombuffer(content, dtype, offset=4 + 4 * n_axes).reshape(shape)
    except Exception:
        raise ValueError(f"{file.name} is broken, or does not consist of bytes") from None


def checked(x, y, least):
    """Return pixels (n, 28, 28), the class of each, (n,), and what divides the pixels.

    x: numbers, (n, 28, 28), (n, 784) or (n, 28, 28, 1); y: numbers, (n,), (n, 1) or one-hot.
    """
    if len(x) < least:
        raise ValueError(f"{len(x)} images, where {least} are the least")
    found = f"images {x.shape} of {x.dtype}, labels {y.shape} of {y.dtype}"
    # buif: NumPy's letters for bool, unsigned, int, float
    if x.dtype.kind not in "buif" or x.shape[1:] not in ((28, 28), (784,), (28, 28, 1)):
        raise ValueError(f"{found}; images (n, 28, 28) of numbers are wanted")
    if y.ndim == 2 and y.shape[1] > 1 and set(np.unique(y)) == {0, 1} and (y.sum(1) == 1).all():
        y = y.argmax(1)  # was one-hot
    if y.size != len(x) or not set(np.unique(y)) <= set(range(1001)):
        raise ValueError(f"{found}; for each image a whole number from 0 to 1000 is wanted")
    if not np.isfinite([x.min(), x.max()]).all():
        raise ValueError("some pixels are not finite")
    # 1: standardised (some below 0), or from 0 to 1 (resizing can overshoot, but not up to 2)
    scale = 255 if x.min() >= 0 and x.max() > 2 else 1
    return x.reshape(-1, 28, 28), y.reshape(-1).astype(int), scale


@functools.lru_cache(maxsize=2)  # a batch may have images of two epochs
def epoch_order(seed, epoch, n):
    return np.random.RandomState([seed, epoch]).permutation(n)


class DataSet:
    """Has images (n, n_step * n_input), the class of each, and the same one-hot, as labels."""

    def __init__(self, pixels, classes, scale, n_classes):
        below = [(0, 0), (0, args.blank_rows), (0, 0)]
        pixels = np.pad(pixels, below, "constant").reshape(len(pixels), -1)
        self.images = np.divide(pixels, scale, dtype=np.float32)
        self.classes, self.labels = classes, np.eye(n_classes, dtype=np.float32)[classes]

    def next_batch(self, batch_size, step):
        """Return the images and labels of step 1, 2, ...; a step always has the same ones."""
        n = len(self.images)
        places = range((step - 1) * batch_size, step * batch_size)  # the epochs follow one another
        batch = [epoch_order(args.seed, p // n, n)[p % n] for p in places]
        return self.images[batch], self.labels[batch]


def read_data_sets(source):
    """Return train, validation and test, and n_classes, from a file or folder, or as downloaded."""
    bundled = os.path.join(HERE, "data", "mnist.npz")
    source = source or (bundled if os.path.exists(bundled) else None)
    try:
        if source is None:
            (x, y), (x_test, y_test) = tf.keras.datasets.mnist.load_data()
        elif os.path.isdir(source):
            x, y, x_test, y_test = (read_idx(source, name) for name in FILES)
        else:
            with np.lib.npyio.NpzFile(source) as npz:  # np.load would try other formats, too
                x, y, x_test, y_test = (npz[i] for i in ("x_train", "y_train", "x_test", "y_test"))
        (x, y, scale), (x_test, y_test, scale_test) = checked(x, y, 10), checked(x_test, y_test, 1)
        if scale != scale_test:
            raise ValueError(f"training pixels are divided by {scale}, test pixels by {scale_test}")
    except Exception as error:  # files, NumPy and the download raise many kinds
        wanted = "an .npz of x_train, y_train, x_test, y_test, or a folder with MNIST's four files"
        parser.error(f"--data takes {wanted}; {source or 'the download'}: {error}")
    n_validation = 5000 if len(x) >= 50000 else len(x) // 10
    n_classes = max(10, y.max() + 1, y_test.max() + 1)
    train = DataSet(x[n_validation:], y[n_validation:], scale, n_classes)
    validation = DataSet(x[:n_validation], y[:n_validation], scale, n_classes)
    test = DataSet(x_test, y_test, scale, n_classes)
    return SimpleNamespace(train=train, validation=validation, test=test, n_classes=n_classes)


# ==== your own handwriting ========================================================================
def read_page(file):
    """Return a page, from 0 to 1, and an image of how much each pixel differs from the paper."""
    with Image.open(file) as picture:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode[0] in "IF":  # more than 8 bits, which convert() would clip
        picture = Image.fromarray(np.uint8(np.divide(picture, np.max(picture) / 255)))
    picture = picture.convert("LA")
    picture.thumbnail((600, 600))
    page, alpha = picture.split()
    if np.mean(alpha) < 128:  # ink that is drawn on nothing
        page = alpha
    else:  # transparent parts, such as a window's corners, become paper
        page.paste(int(np.median(page)), mask=alpha.point(lambda value: 255 * (value < 128)))
    # the median of a wide square ignores thin ink: it is the paper, with light and shadow
    paper = page.resize((100, 100), Image.BOX).filter(ImageFilter.MedianFilter(41))
    # ink is darker than the darkest paper near it, or brighter than the brightest
    darkest = paper.filter(ImageFilter.MinFilter(5)).resize(page.size)
    brightest = paper.filter(ImageFilter.MaxFilter(5)).resize(page.size)
    darker, brighter = ImageChops.subtract(darkest, page), ImageChops.subtract(page, brightest)
    return np.asarray(page) / 255, ImageChops.lighter(darker, brighter)


def only_digit(ink):
    """Return the ink of the one digit, cropped; raise ValueError if there is none, or another."""
    smooth = np.asarray(ink.filter(ImageFilter.GaussianBlur(2)))  # without noise
    mask = smooth > max(8, smooth.max() / 4)
    # blur the mask and keep all above 0: it grows by `reach` pixels, and near strokes join
    reach = 0.08 * float(mask.sum()) ** 0.5
    rest = Image.fromarray(255 * np.uint8(mask)).filter(ImageFilter.BoxBlur(reach)).point(bool)
    pieces = []
    while np.any(rest):  # take out a piece
        before = np.array(rest)
        y, x = np.argwhere(before)[0]
        ImageDraw.floodfill(rest, (int(x), int(y)), 0)
        piece = mask & (before > np.array(rest))  # what the flood has just erased
        if piece.any() and piece.sum() == piece[1:-1, 1:-1].sum():  # none of it at the edge
            pieces.append(piece)
    if not pieces:
        raise ValueError("no ink was found away from the edge")
    sizes = [np.ptp(np.nonzero(piece), axis=1).max() + 1 for piece in pieces]  # longer side
    large_pieces = sum(size > max(sizes) / 2 for size in sizes)
    height, width = np.ptp(np.nonzero(pieces[np.argmax(sizes)]), axis=1) + 1
    if large_pieces > 1 or max(sizes) < 20 or width > 1.6 * height:  # 1.6: two that touch
        found = f"pieces of ink: {large_pieces}, the largest {width} x {height} pixels"
        raise ValueError(f"{found}, where the page has up to 600 x 600")
    ink = Image.fromarray(np.asarray(ink) * pieces[np.argmax(sizes)])
    return ink.crop(ink.getbbox())


def read_picture(file):
    """Return a page, from 0 to 1, and the digit on it as MNIST has it, (28, 28), from 0 to 255."""
    page, ink = read_page(file)
    ink = only_digit(ink)
    ink.thumbnail((20, 20), Image.LANCZOS)
    column = np.average(range(ink.width), weights=np.sum(ink, 0))  # of the centre of mass
    row = np.average(range(ink.height), weights=np.sum(ink, 1))
    digit = Image.new("L", (28, 28))
    digit.paste(ink, (round(float(14 - column)), round(float(14 - row))))
    digit = digit.filter(ImageFilter.GaussianBlur(0.4))  # blur, contrast: lines as thick as MNIST's
    return page, np.asarray(ImageOps.autocontrast(digit, cutoff=(0, 3)))


handwriting = []  # (page, digit) of each file of --read
for file in args.read:
    try:
        handwriting.append(read_picture(file))
    except Exception as error:  # Pillow raises many kinds
        wanted = "one digit on blank paper, with nothing else in the picture, is wanted"
        parser.error(f"--read: {file}: {error}; {wanted}")


# ==== the training, compiled by XLA ===============================================================
if tf.__version__ >= "2":  # not on TensorFlow 1.15, with which the tests compare
    tf.enable_control_flow_v2()  # a loop is one operation, which gradients_by_xla can copy
    tf.enable_resource_variables()  # else a tf.cond that you add cannot change a variable
# XLA copies fewer arrays with this flag, which TensorFlow before 2.19 does not know
if tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 19):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_copy_insertion_use_region_analysis=true")


def reason(error):
    """Return the first line of TensorFlow's message that is no heading, or the error itself."""
    headings = "Restoring from", "Graph execution error", "Detected at node", "Node: ", " "
    lines = [*str(error).splitlines(), repr(error)]
    return next(line for line in lines if line and not line.startswith(headings))


def feed(data, part):
    """Return a feed_dict of the images in this slice, reshaped as x is, and of their labels."""
    images, labels = data.images[part], data.labels[part]
    return {x: images.reshape([len(images), *x.shape.as_list()[1:]]), y: labels}


def gradients_by_xla(cost, variables):
    """Copy the cost's graph; return a function that computes gradients in the copy, by XLA."""
    graph, fed = tf.get_default_graph().as_graph_def(), (x.op.name, y.op.name)
    for node in graph.node:
        node.attr.pop("_class", None)  # may name an operation that is not copied
        if node.name in fed:
            del node.input[:]  # x and y are fed: drop what your code computes them from
    graph = tf.graph_util.extract_sub_graph(graph, [cost.op.name])
    # x, y, placeholders and variables are not copied: the copy gets them as arguments
    kinds = "Placeholder", "PlaceholderWithDefault", "VarHandleOp", "VariableV2"
    sources = {node.name for node in graph.node if node.name in fed or node.op in kinds}
    for node in [node for node in graph.node if node.name in sources]:
        graph.node.remove(node)
    used = {name if ":" in name else f"{name}:0" for node in graph.node for name in node.input}
    arguments = sorted(name for name in used if name.partition(":")[0] in sources)

    @tf.function(jit_compile=True, autograph=False)
    def gradients(upstream, *values):  # upstream: d (what is minimized) / d cost, usually 1
        inputs = dict(zip(arguments, values))
        (copied_cost,) = tf.import_graph_def(graph, inputs, [cost.name])
        return tf.gradients(copied_cost, [inputs[f"{v.op.name}:0"] for v in variables], upstream)

    # identity passes on a variable's handle; of one with use_resource=False it gives the value
    values = [tf.identity(cost.graph.get_tensor_by_name(name)) for name in arguments]
    return lambda upstream: gradients(upstream, *values)


def compiled(cost):
    """Return the cost, with gradients by XLA if they equal TensorFlow's on a first batch."""
    if args.xla == "off" or args.static_rnn or tf.__version__ < "2":
        return cost  # the unrolled static_rnn would take half a minute to compile
    try:
        with tf.name_scope("trial"), tf.Session() as sess:
            pairs = zip(tf.trainable_variables(), tf.gradients(cost, tf.trainable_variables()))
            variables, gradients = zip(*[pair for pair in pairs if pair[1] is not None])
            by_xla = gradients_by_xla(cost, variables)
            fetches = by_xla(tf.ones_like(cost)), gradients
            sess.run([v.initializer for v in tf.global_variables()])
            xla, plain = sess.run(fetches, feed(mnist.train, slice(batch_size)))
        for a, b in zip(tf.nest.flatten(xla), tf.nest.flatten(plain)):
            if not np.allclose(a, b, atol=1e-4 * np.abs(b).max() + 1e-6, equal_nan=True):
                raise ValueError("XLA's gradients differ, as with random numbers or assignments")
    except Exception as error:  # whatever an edit makes TensorFlow raise
        print("The training is not compiled:", textwrap.shorten(reason(error), 170))
        return cost

    @tf.custom_gradient
    def with_gradients(cost, *variables):
        # None for cost: otherwise TensorFlow would go on through it to the variables once more
        return cost, lambda upstream: [None, *by_xla(upstream)]

    return with_gradients(cost, *variables)


# ==== the run's folder, curves and checkpoints ====================================================
def gradient_and_histograms(cost, x):
    """Return |d cost / d x_t|, (n_step,), divided by the last time step's, and a summary."""
    with tf.name_scope("gradient"):
        (gradient,) = tf.gradients(cost, x, unconnected_gradients="zero")  # of the shape of x
        gradient = tf.reduce_mean(tf.norm(gradient, axis=2), 0)  # the mean of all images
        gradient /= gradient[-1]
    summaries = [tf.summary.histogram(f"weights/{v.op.name}", v) for v in tf.trainable_variables()]
    summaries.append(tf.summary.scalar("gradient_at_row_1", gradient[0]))
    return gradient, tf.summary.merge(summaries)


def restore(saver):
    """Restore the network of --restore; return the number of steps that it has done."""
    try:
        saver.restore(sess, tf.train.latest_checkpoint(args.restore))
        shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
        saved = tf.train.load_checkpoint(args.restore).get_variable_to_shape_map()
        for name, shape in sorted(saved.items()):  # restore ignores shapes and extra variables
            if shape != shapes.get(name):
                found = shapes.get(name, "there is none")
                raise ValueError(f"its {name} is {shape}, in this network {found}")
    except Exception as error:  # many kinds: missing, damaged, of another network
        parser.error(f"--restore: no checkpoint of this network in {args.restore}: {reason(error)}")
    checkpoints = tf.train.get_checkpoint_state(args.restore).all_model_checkpoint_paths
    saver.recover_last_checkpoints(checkpoints)  # max_to_keep counts these, too
    done = int(checkpoints[-1].rpartition("-")[2])
    for step in [step for step in gradient_history if step > done]:
        del gradient_history[step]  # the run was killed after measuring, before saving
    return done


def open_run():
    """Return the folder, new or that of --restore, a Saver, and the number of steps done."""
    saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
    if args.restore:
        return args.restore, saver, restore(saver)
    run_dir = os.path.join(args.logdir, "mnist", time.strftime("%Y%m%d-%H%M%S"))
    while os.path.exists(run_dir):
        run_dir += "+"  # another run began in the same second
    try:
        os.makedirs(run_dir)
    except OSError as error:
        parser.error(f"--logdir: {error}")
    return run_dir, saver, 0


def with_loop_bodies(graph):
    """Return the graph for TensorBoard, with the operations of a loop's body inside the loop."""
    graph = graph.as_graph_def(add_shapes=True)
    bodies = {body.signature.name: body for body in graph.library.function}
    for loop in [node for node in graph.node if node.op in ("While", "StatelessWhile")]:
        # tf.gradients has replaced the body NAME by a longer one, NAME_rewritten: draw NAME
        body = bodies[re.sub("(_rewritten)*$", "", loop.attr["body"].func.name)]
        arguments = dict(zip([argument.name for argument in body.signature.input_arg], loop.input))
        for node in body.node_def:  # its inputs are arguments of the body, or other nodes in it
            inputs = [arguments.get(i, f"{loop.name}/{i.partition(':')[0]}") for i in node.input]
            graph.node.add(name=f"{loop.name}/{node.name}", op=node.op, input=inputs)
    graph.library.Clear()  # else TensorBoard draws the bodies a second time
    return graph


def measure_and_save():
    """Add points to the curves, write them to the disk, and then save run.json and the network."""
    if step not in gradient_history:  # else measured already, in the loop or before --restore
        loss, s = sess.run([cost, summaries], feed(mnist.validation, slice(1000)))
        if not np.isfinite(loss):
            sys.exit(f"At step {step} the cost is {loss}. A smaller --lr may help.")
        validation_writer.add_summary(s, step)
        to_measure = [gradient_by_time_step, histograms]
        gradient, s = sess.run(to_measure, feed(mnist.validation, slice(64)))
        train_writer.add_summary(s, step)
        gradient_history[step] = gradient.tolist()
    train_writer.flush()
    validation_writer.flush()
    saved = {"options": options, "gradient_history": gradient_history}  # what --restore needs
    new = Path(run_dir, "run.json.new")  # an interrupted save leaves the old file whole
    new.write_text(json.dumps(saved))
    new.replace(Path(run_dir, "run.json"))
    saver.save(sess, os.path.join(run_dir, "model.ckpt"), step, write_meta_graph=False)


# ==== training ====================================================================================
signals = []  # received in training: SIGINT (Ctrl-C) or SIGTERM


def training_steps(first_step, last_step):
    """Yield the steps from the first to the last, with a progress bar, or until Ctrl-C."""
    for writer in train_writer, validation_writer:
        # START makes TensorBoard drop the steps that a killed run logged but did not save
        writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), first_step)
    for name, tensor in ("x", x), ("y", y):  # placeholders, until you edit them
        if not tensor.op.type.startswith("Placeholder"):
            print(f"{name} is computed, but also fed: the fed values replace the computed ones")
    old_handlers = {}
    for number in signal.SIGINT, signal.SIGTERM:
        old_handlers[number] = signal.signal(number, lambda number, _: signals.append(number))
    no_bar = not (sys.stdout and sys.stdout.isatty())  # only a terminal shows the bar
    how = {"initial": first_step - 1, "total": last_step, "unit": "step"}  # after --restore, too
    bar = tqdm(range(first_step, last_step + 1), file=sys.stdout, disable=no_bar, **how)
    try:
        with redirect_stdout(sys.stdout if no_bar else DummyTqdmFile(sys.stdout)):  # above the bar
            for step in bar:
                yield step
                if signals:
                    break
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)


# ==== the six equations ===========================================================================
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


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


def inside(image, kernel, bias):
    """Return the equations' values while the cell reads an image: (equations, n_step, units)."""
    units = len(kernel) - image.shape[1]
    is_lstm = len(bias) == 4 * units  # an LSTM has four layers, a plain RNN has one
    c = s = np.zeros((1, units))  # no memory before the first row
    values = []
    for x_t in image[:, np.newaxis]:
        if is_lstm:
            i, f, o, g, c, s = six_equations(x_t, c, s, kernel, bias, args.forget_bias)
            values.append([i, f, o, g, c, s])
        else:
            s = np.tanh(np.hstack([x_t, s]) @ kernel + bias)
            values.append([s])
    return np.array(values)[:, :, 0].transpose(1, 0, 2)  # without the batch axis


# ==== the test and the pictures ===================================================================
def run_in_batches(tensor, data, count, axis=0):
    """Return a tensor's values, computed for 1,000 images at a time: 10,000 take a gigabyte."""
    batches = [feed(data, slice(i, i + 1000)) for i in range(0, count, 1000)]
    return np.concatenate([sess.run(tensor, batch) for batch in batches], axis)


def evaluate():
    """Print the accuracy on all test images, and give it to TensorBoard; return the predictions."""
    labels = mnist.test.classes
    predictions = run_in_batches(pred, mnist.test, len(labels)).argmax(1)
    test_accuracy = np.mean(predictions == labels)
    print(f"Testing Accuracy (all {len(labels)} images): {test_accuracy:.6f}")
    summary = hparams.hparams_pb(options, trial_id=os.path.basename(run_dir))
    # TensorBoard's class of summaries is not TensorFlow's
    summary = tf.Summary.FromString(summary.SerializeToString())
    summary.value.add(tag="test_accuracy", simple_value=test_accuracy)
    event = tf.Event(wall_time=time.time(), step=step, summary=summary)
    # a fixed name, which --restore overwrites; TensorBoard reads all with tfevents in their name
    with tf.python_io.TFRecordWriter(os.path.join(run_dir, "tfevents.test")) as writer:
        writer.write(event.SerializeToString())
    return predictions


def new_figure(height, title):
    """Return a figure that can be read at half its size, as TensorBoard shows it."""
    figure = Figure(figsize=(6.6, height), dpi=100, constrained_layout=True)
    figure.suptitle(title, fontsize=17)
    return figure


def plot_misclassified():
    """Plot the first 18 test images that are misclassified."""
    labels = mnist.test.classes
    misclassified = np.flatnonzero(predictions != labels)
    figure = new_figure(5.2, f"{len(misclassified)} of {len(labels)} test images are misread")
    for place, i in enumerate(misclassified[:18], 1):
        axes = figure.add_subplot(3, 6, place, xticks=[], yticks=[])
        axes.imshow(mnist.test.images[i].reshape(-1, 28)[:28], cmap="gray_r")
        axes.set_xlabel(f"{labels[i]}, not {predictions[i]}")
    return figure


def plot_by_time_step(title, curves, legend_at, **settings):
    """Plot curves of a value at each time step, {label: (n_step,)}."""
    figure = new_figure(4.8, title)
    axes = figure.add_subplot(xlabel="time step", **settings)
    for line, (label, curve) in zip(("-", "--", "-.", ":"), curves.items()):
        axes.plot(range(1, n_step + 1), curve, line, label=label)
    axes.legend(loc=legend_at, fontsize=13)
    return figure


def plot_probe_accuracy():
    """Plot how often a linear probe of the state after each time step predicts the class.

    It is fitted by least squares to half of 4,000 validation images, and tested on the others.
    """
    labels = mnist.validation.labels[:4000]
    states = run_in_batches("outputs:0", mnist.validation, len(labels), axis=1)
    if states.shape[:2] != (n_step, len(labels)):
        raise ValueError("`outputs` is not (n_step, batch, n_hidden)")
    if len(labels) < 4 * states.shape[2]:
        raise ValueError("too few validation images to fit a probe")
    half, probe_accuracy = len(labels) // 2, []
    for state in states:
        state = np.pad(state, [(0, 0), (0, 1)], "constant", constant_values=1)  # 1: for a bias
        probe = np.linalg.lstsq(state[:half], labels[:half], rcond=None)[0]
        correct = (state[half:] @ probe).argmax(1) == labels[half:].argmax(1)
        probe_accuracy.append(correct.mean())
    curves = {"a probe of the state": probe_accuracy, "chance": [1 / n_classes] * n_step}
    title = f"After the last time step, a probe is right on {probe_accuracy[-1]:.0%}"
    return plot_by_time_step(title, curves, "best", ylabel="validation accuracy", ylim=(0, 1.02))


def plot_gradients():
    """Plot the gradient at each time step; its axis is the same in every run."""
    gradient = gradient_history[step]
    if not np.isfinite(gradient).all():  # after a division by 0
        raise ValueError("the gradient at the last time step is 0")
    steps = [s for s in (step, 400, 100, 0) if s in gradient_history]
    curves = {f"after {s} training steps": gradient_history[s] for s in steps}
    title = f"Time step 1 counts {gradient[0]:.2g} times as much as the last"
    settings = {"ylabel": "gradient (last: 1)", "ylim": (1e-6, 100), "yscale": "log"}
    return plot_by_time_step(title, curves, "lower right", **settings)


PANELS = [  # an equation, the values of the first and the last colour, and the colours
    (r"$i = \sigma(x_t U^i + s_{t-1} W^i)$", 0, 1, "gray_r"),
    (r"$f = \sigma(x_t U^f + s_{t-1} W^f)$", 0, 1, "gray_r"),
    (r"$o = \sigma(x_t U^o + s_{t-1} W^o)$", 0, 1, "gray_r"),
    (r"$g = \tanh(x_t U^g + s_{t-1} W^g)$", -1, 1, "cividis"),
    (r"$c_t = c_{t-1} \circ f + g \circ i$", -2, 2, "cividis"),
    (r"$s_t = \tanh(c_t) \circ o$", -1, 1, "cividis"),
]
PLAIN_PANELS = [(r"$s_t = \tanh(x_t U + s_{t-1} W)$", -1, 1, "cividis")]


def plot_inside():
    """Plot the equations at work: a test image's rows down the page, the units side by side."""
    image = mnist.test.images[0].reshape(n_step, n_input)
    weights = sess.run(tf.trainable_variables(r"rnn/\w+/(kernel|bias):"))  # a regex
    if len(weights) != 2 or len(weights[0]) != n_input + n_hidden:
        raise ValueError("the network has no single cell for x_t with a kernel and a bias")
    values = inside(image, *weights)
    outputs = sess.run("outputs:0", {x: [image]})[:, 0]
    if not np.allclose(values[-1], outputs, atol=1e-4):
        raise ValueError(f"the equations (forget bias {args.forget_bias}) do not give its outputs")
    figure = new_figure(1.6 + 1.9 * len(values), "Inside the cell while it reads an image")
    grid = figure.subplots(len(values), 2, squeeze=False, gridspec_kw={"width_ratios": [2, 11]})
    order = values[-1, -1].argsort()  # by the last s_t, so that like units are neighbours
    panels = PANELS if len(values) == 6 else PLAIN_PANELS
    for (left, right), (title, low, high, cmap), value in zip(grid, panels, values):
        left.imshow(image, cmap="gray_r", aspect="auto")
        left.set(xticks=[], yticks=[], ylabel=f"{n_step} time steps")
        shown = right.imshow(value[:, order], cmap=cmap, vmin=low, vmax=high, aspect="auto")
        right.set(xticks=[], yticks=[], title=title)
        figure.colorbar(shown, ax=right, ticks=[low, high])
    grid[-1, 1].set_xlabel(f"the cell's {len(order)} units")
    return figure


def probabilities_of(digits):
    """Return the probabilities (n, n_classes) of digits (n, 28, 28), from 0 to 255."""
    known = mnist.train.images[:1000, : 28 * 28]  # the network knows this range of pixels
    paper, ink = known.min(), known.max()
    if np.median(known) > (paper + ink) / 2:  # dark ink on bright paper
        paper, ink = ink, paper
    images = paper + (ink - paper) * digits / 255
    data = DataSet(images, np.zeros(len(digits), int), 1, n_classes)
    return run_in_batches(tf.nn.softmax(pred), data, len(digits))


def plot_handwriting():
    """Plot the first ten pages of --read, and what the network sees; print all predictions."""
    probabilities = probabilities_of(np.array([digit for _, digit in handwriting]))
    captions = [f"{p.argmax()} ({p.max():.2f})" for p in probabilities]
    for file, caption in zip(args.read, captions):
        print(f"{os.path.basename(file)}: {caption}")
    rows, no_ticks = min(len(handwriting), 10), {"xticks": [], "yticks": []}
    figure = new_figure(1 + 1.7 * rows, "What was given, and what the network sees")
    grid = figure.subplots(rows, 2, squeeze=False, subplot_kw=no_ticks)
    for (left, right), (page, digit), caption in zip(grid, handwriting, captions):
        left.imshow(page, cmap="gray", vmin=0, vmax=1)
        right.imshow(digit, cmap="gray")
        right.set_ylabel(caption, rotation=0, ha="right", va="center")
    return figure


def draw_pictures():
    """Write the pictures into the run's folder, and the same bytes for TensorBoard's Images tab."""
    names = "mistakes", "rows", "gradient", "inside", "read"
    plots = plot_misclassified, plot_probe_accuracy, plot_gradients, plot_inside, plot_handwriting
    for name, plot in zip(names, plots if args.read else plots[:4]):
        file = Path(run_dir, f"{name}.png")
        try:
            plot().savefig(file)
        except (ValueError, KeyError, IndexError, tf.errors.OpError) as error:
            print(f"{name}.png is left out: {error}")  # it does not fit this network or these data
            continue
        image = {"encoded_image_string": file.read_bytes()}
        train_writer.add_summary(tf.Summary(value=[{"tag": name, "image": image}]), step)


def end():
    """Say where the run is, with a command to paste; after a signal, exit with 128 + its number."""
    train_writer.close()
    validation_writer.close()
    words = [sys.executable, "-m", "tensorboard.main", "--logdir", args.logdir]
    posix = " ".join(map(shlex.quote, words))
    command = subprocess.list2cmdline(words) if os.name == "nt" else posix
    print(f"This run is in {run_dir}\nTo look at it: {command}")
    if signals:
        sys.exit(128 + signals[0])


# ==== the article's listing =======================================================================
# imports: at the top of the file; tensorflow.contrib.rnn is tf.nn.rnn_cell and tf.nn now
mnist = read_data_sets(args.data)  # was input_data.read_data_sets("data/", one_hot=True)

lr = args.lr  # 0.001 unless --lr is given; likewise below
training_iters = args.training_iters  # 100000
batch_size = args.batch_size  # 128
display_step = args.display_step  # 10

n_input = 28  # a row of pixels is x_t, the input of a time step
n_step = 28 + args.blank_rows  # a time step for each row
n_hidden = args.n_hidden  # 128
n_classes = mnist.n_classes  # 10

x = tf.placeholder(tf.float32, [None, n_step, n_input], name="input/x")
y = tf.placeholder(tf.float32, [None, n_classes], name="input/y")
with tf.name_scope("output_layer"):  # a name scope is a box in TensorBoard's Graphs tab
    w = tf.Variable(tf.random_normal([n_hidden, n_classes]), name="w")
    b = tf.Variable(tf.random_normal([n_classes]), name="b")


def RNN(x):
    # x: (batch, n_step, n_input)
    if args.cell == "lstm":
        cell = tf.nn.rnn_cell.BasicLSTMCell(n_hidden, args.forget_bias)  # 1 by default
    else:
        cell = tf.nn.rnn_cell.BasicRNNCell(n_hidden)

    if args.static_rnn:  # commented out in the article
        outputs, states = tf.nn.static_rnn(cell, tf.unstack(x, n_step, 1), dtype=tf.float32)
        outputs = tf.stack(outputs, 1)  # static_rnn returns a list of n_step tensors
    else:
        outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)  # (batch, n_step, n_hidden)

    outputs = tf.transpose(outputs, [1, 0, 2], name="outputs")  # (n_step, batch, n_hidden)
    with tf.name_scope("output_layer/"):  # a name that ends in a slash reopens the scope
        return tf.matmul(outputs[-1], w) + b  # (batch, n_classes)


pred = RNN(x)

with tf.name_scope("cost"):
    cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))

with tf.name_scope("train"):
    # 781; if batch_size divides training_iters, the article's < does one step fewer
    last_step = training_iters // batch_size
    global_step = tf.train.create_global_step()  # minimize counts the steps in it
    if args.lr_decay == "cosine":
        lr = tf.train.cosine_decay(lr, global_step, last_step)  # falls from lr to 0
    # compiled(cost): the same cost, gradients by XLA if possible; minimize(cost) works, too
    optimizer = tf.train.AdamOptimizer(lr).minimize(compiled(cost), global_step)

with tf.name_scope("test"):
    correct_pred = tf.equal(tf.argmax(pred, 1), tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_pred, tf.float32))

tf.summary.scalar("accuracy", accuracy)
tf.summary.scalar("loss", cost)
summaries = tf.summary.merge_all()
gradient_by_time_step, histograms = gradient_and_histograms(cost, x)  # for measure_and_save

with tf.Session() as sess:
    init = tf.global_variables_initializer()
    sess.run(init)
    run_dir, saver, step = open_run()  # step: how many are done, 0 unless --restore is given
    train_writer = tf.summary.FileWriter(os.path.join(run_dir, "train"), flush_secs=5)
    train_writer.add_graph(with_loop_bodies(sess.graph))  # was FileWriter("logs/", sess.graph)
    validation_writer = tf.summary.FileWriter(os.path.join(run_dir, "validation"), flush_secs=5)
    measure_and_save()
    for step in training_steps(step + 1, last_step):  # was while ..., and step += 1
        batch_x, batch_y = mnist.train.next_batch(batch_size, step)
        # an edit of batch_x changes the training images only: to change all images, edit RNN
        batch_x = batch_x.reshape(batch_size, n_step, n_input)
        sess.run(optimizer, feed_dict={x: batch_x, y: batch_y})
        if step % display_step == 0:
            acc, loss, s = sess.run([accuracy, cost, summaries], feed_dict={x: batch_x, y: batch_y})
            line = f"Iter {step * batch_size}, Minibatch Loss= {loss:.6f}, "
            print(line + f"Training Accuracy= {acc:.5f}")
            train_writer.add_summary(s, global_step=step)  # was every 100 steps
        if step % 100 == 0:
            measure_and_save()
    measure_and_save()
    print("Optimization Stopped!" if signals else "Optimization Finished!")

    test_len = 128
    test_data = mnist.test.images[:test_len].reshape((-1, n_step, n_input))
    test_label = mnist.test.labels[:test_len]
    test_acc = sess.run(accuracy, feed_dict={x: test_data, y: test_label})
    print(f"Testing Accuracy: {test_acc:.6f}")
    predictions = evaluate()
    draw_pictures()
end()
