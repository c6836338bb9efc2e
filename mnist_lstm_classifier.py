"""MNIST, read row by row by an LSTM: the article's 用 LSTM 实现分类任务.

An image is a sequence (一张图片就是一个完整的序列): its 28 rows of pixels are the inputs x_t of
28 time steps, and the output of the last step says which digit it is.

    python mnist_lstm_classifier.py      train on 100,000 images, test on 10,000
    tensorboard --logdir logs            look at what happened
"""

import argparse
import os
import signal
import sys
import time
import warnings

# ---- settings: the article's, each an option -----------------------------------------------------

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(
    description="Train an LSTM to read MNIST digits row by row, then test it.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
old = sys.version_info < (3, 8)  # a Python of TensorFlow 1.x, where XLA is no gain
option = parser.add_argument
option("--training-iters", type=int, default=100000, help="images to train on")
option("--batch-size", type=int, default=128, help="images in a training step")
option("--lr", type=float, default=0.001, help="learning rate of Adam")
option("--lr-decay", choices=["none", "cosine"], default="none", help="how lr falls over the run")
option("--n-hidden", type=int, default=128, help="size of the cell's output and state")
option("--display-step", type=int, default=10, help="steps from one printed line to the next")
option("--rnn", choices=["dynamic", "static"], default="dynamic", help="dynamic_rnn or static_rnn")
option("--cell", choices=["lstm", "rnn"], default="lstm", help="BasicLSTMCell or BasicRNNCell")
option("--xla", choices=["on", "off"], default="off" if old else "on", help="compile the training")
option("--seed", type=int, default=0, help="the same seed: the same weights and batches")
option("--data", default=os.path.join(here, "data", "mnist.npz"), help="MNIST as an .npz file")
option("--logdir", default=os.path.join(here, "logs"), help="where the run's folder is made")
option("--restore", metavar="CKPT", help="start from these saved weights (a run's model.ckpt)")
args = parser.parse_args()
if not 1 <= args.batch_size <= 10000 or not 1 <= args.n_hidden <= 10000:
    parser.error("--batch-size and --n-hidden take a number from 1 to 10000")
if args.display_step < 1 or not 0 < args.lr < float("inf"):
    parser.error("--display-step and --lr take a number above 0")
if args.training_iters < 0 or not 0 <= args.seed < 2**32:
    parser.error("--training-iters and --seed take a number from 0 up, a seed to 2**32 - 1")

lr, training_iters = args.lr, args.training_iters
batch_size, display_step = args.batch_size, args.display_step
n_input, n_step = 28, 28  # x_t is a row of 28 pixels; 28 rows are 28 time steps
n_hidden, n_classes = args.n_hidden, 10

# ---- TensorFlow 1.x, as TensorFlow 2 still has it ------------------------------------------------

signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C: there is nothing to keep yet
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # BasicLSTMCell is in Keras 2 (tf_keras), not in Keras 3
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # 1, and every start announces it
warnings.simplefilter("ignore")  # what is deprecated is the subject here

import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib.figure import Figure
from tqdm import tqdm

sys.stdout.reconfigure(line_buffering=True)  # a line at a time, also into a pipe
tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()
tf.set_random_seed(args.seed)
np.random.seed(args.seed)


def one_line(kind, error, traceback):
    """Tell what a user can mend (a full disk, a missing file) in one line, without a traceback."""
    if not issubclass(kind, (OSError, tf.errors.OpError)):
        return sys.__excepthook__(kind, error, traceback)
    message = str(error).split("\n\t [[")[0].splitlines()[-1]  # TensorFlow tells of its ops too
    sys.exit(f"{parser.prog}: error: {message}")


sys.excepthook = one_line

# ---- data ----------------------------------------------------------------------------------------


def scale(images):
    """Pixels 0 to 255, uint8, become 0 to 1, float32."""
    return images.astype(np.float32) / 255


def batches(images, labels):
    """Yield batches for ever: images (batch, 28, 28) from 0 to 1, one-hot labels (batch, 10).

    Each epoch has a new order and every image once; the batch that crosses its end is filled from
    the next one.
    """
    order = np.array([], int)
    while True:
        while len(order) < batch_size:
            order = np.append(order, np.random.permutation(len(images)))
        batch, order = order[:batch_size], order[batch_size:]
        yield scale(images[batch]), labels[batch]


try:
    if os.path.exists(args.data) or args.data != parser.get_default("data"):
        with np.load(args.data) as npz:
            x_train, y_train, x_test, y_test = (
                npz[name] for name in ("x_train", "y_train", "x_test", "y_test")
            )
    else:  # this script, copied alone, downloads MNIST, as input_data.read_data_sets did
        (x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()
    n, m = len(x_train), len(x_test)  # 60000, 10000
    shapes = [array.shape for array in (x_train, y_train, x_test, y_test)]
    if shapes != [(n, n_step, n_input), (n,), (m, n_step, n_input), (m,)] or n <= 5000 or m == 0:
        raise ValueError(f"the arrays have the shapes {shapes}")
    one_hot = np.eye(n_classes, dtype=np.float32)
    y_train, y_test = one_hot[y_train], one_hot[y_test]
except Exception as error:
    raise OSError(f"no MNIST in {args.data} ({error}): name the file with --data") from None
train_batches = batches(x_train[5000:], y_train[5000:])
x_validation, y_validation = scale(x_train[:1000]), y_train[:1000]  # all 5,000 take long
x_test = scale(x_test)

# ---- the network ---------------------------------------------------------------------------------

with tf.name_scope("input"):
    x = tf.placeholder(tf.float32, [None, n_step, n_input], name="x")
    y = tf.placeholder(tf.float32, [None, n_classes], name="y")
with tf.name_scope("output_layer") as output_layer:
    w = tf.Variable(tf.random_normal([n_hidden, n_classes]), name="w")
    b = tf.Variable(tf.random_normal([n_classes]), name="b")


def RNN(x):
    """Return the logits (batch, n_classes) of images x (batch, n_step, n_input).

    Called again, it returns those of other images by the same weights.
    """
    if args.cell == "lstm":
        cell, scope = tf.nn.rnn_cell.BasicLSTMCell(n_hidden), "LSTM"
    else:
        cell, scope = tf.nn.rnn_cell.BasicRNNCell(n_hidden), "RNN"

    if args.rnn == "static":  # n_step copies of the cell in the graph, one after the other
        # outputs: a list of n_step tensors (batch, n_hidden)
        x = tf.unstack(x, n_step, 1, name="input/rows")
        outputs, states = tf.nn.static_rnn(cell, x, dtype=tf.float32, scope=scope)
    else:  # one cell, and a loop in the graph
        # outputs: (batch, n_step, n_hidden)
        with tf.variable_scope("", reuse=tf.AUTO_REUSE):
            outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, scope=scope)
        outputs = tf.transpose(outputs, [1, 0, 2], name=f"{scope}/outputs")

    with tf.name_scope(output_layer):
        return tf.matmul(outputs[-1], w) + b  # only the last time step has seen every row


pred = RNN(x)

with tf.name_scope("cost"):
    cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))

with tf.name_scope("train"):
    steps = training_iters // batch_size
    global_step = tf.Variable(0, trainable=False, name="global_step")
    if args.lr_decay == "cosine":
        lr = tf.train.cosine_decay(lr, global_step, steps)
    optimizer = tf.train.AdamOptimizer(lr)
    if args.xla == "off" or args.rnn == "static":
        batch_pred = pred
        optimizer = optimizer.minimize(cost, global_step)
    else:
        # XLA makes one piece of machine code of a pass forwards and back; each half of the batch
        # has its own, so that two cores work. The halves' gradients add up to the batch's.
        def there_and_back(x, y):
            pred = RNN(x)
            losses = tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y)
            return [pred, *tf.gradients(losses / batch_size, tf.trainable_variables())]

        half = batch_size // 2
        pred_1, *gradients_1 = tf.xla.experimental.compile(there_and_back, [x[:half], y[:half]])
        pred_2, *gradients_2 = tf.xla.experimental.compile(there_and_back, [x[half:], y[half:]])
        batch_pred = tf.concat([pred_1, pred_2], 0)
        gradients = [g_1 + g_2 for g_1, g_2 in zip(gradients_1, gradients_2)]
        optimizer = optimizer.apply_gradients(zip(gradients, tf.trainable_variables()), global_step)

with tf.name_scope("test"):
    answer = tf.argmax(pred, 1)
    correct_pred = tf.equal(answer, tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_pred, tf.float32))

tf.summary.scalar("accuracy", accuracy)
tf.summary.scalar("loss", cost)
summaries = tf.summary.merge_all()
histograms = tf.summary.merge(
    [tf.summary.histogram(f"weights/{v.op.name}", v) for v in tf.trainable_variables()]
)
settings = tf.summary.text("settings", tf.constant([[k, str(v)] for k, v in vars(args).items()]))

# ---- training ------------------------------------------------------------------------------------

with tf.Session() as sess:
    saver = tf.train.Saver(name="train/save")
    sess.run(tf.global_variables_initializer())
    if args.restore:
        try:
            saver.restore(sess, args.restore)
        except (ValueError, tf.errors.OpError):
            raise OSError(f"no checkpoint of such a network: --restore {args.restore}") from None
        sess.run(global_step.initializer)

    while True:
        run_dir = os.path.join(args.logdir, "mnist", time.strftime("%Y%m%d-%H%M%S"))
        try:
            os.makedirs(run_dir)
            break
        except FileExistsError:  # another run has this second: take the next
            time.sleep(0.1)
    train_writer = tf.summary.FileWriter(os.path.join(run_dir, "train"), sess.graph, flush_secs=5)
    validation_writer = tf.summary.FileWriter(os.path.join(run_dir, "validation"), flush_secs=5)
    train_writer.add_summary(sess.run(settings), 0)

    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))  # Ctrl-C: finish this step
    for step in tqdm(range(1, steps + 1), unit="step", file=sys.stdout, disable=None):
        batch_x, batch_y = next(train_batches)
        _, logits = sess.run([optimizer, batch_pred], feed_dict={x: batch_x, y: batch_y})
        if step % display_step == 0:
            # fed with the step's own logits: no second forward pass
            feed_dict = {pred: logits, y: batch_y}
            acc, loss, s = sess.run([accuracy, cost, summaries], feed_dict=feed_dict)
            train_writer.add_summary(s, step)
            line = f"Iter {step * batch_size}, Minibatch Loss= {loss:.6f}, "
            tqdm.write(line + f"Training Accuracy= {acc:.5f}")
        if step % 100 == 0:
            train_writer.add_summary(sess.run(histograms), step)
            s = sess.run(summaries, feed_dict={x: x_validation, y: y_validation})
            validation_writer.add_summary(s, step)
        if stopped:
            break
    print("Optimization stopped by Ctrl-C." if stopped else "Optimization Finished!")
    saver.save(sess, os.path.join(run_dir, "model.ckpt"))

    # ---- test ------------------------------------------------------------------------------------

    acc = sess.run(accuracy, feed_dict={x: x_test[:128], y: y_test[:128]})
    print(f"Testing Accuracy: {acc:.6f}")

    parts = range(0, len(x_test), 1000)  # all 10,000 at once would take a gigabyte
    read = np.concatenate([sess.run(answer, feed_dict={x: x_test[i : i + 1000]}) for i in parts])
    truth = y_test.argmax(1)
    wrong = np.flatnonzero(read != truth)
    print(f"Testing Accuracy (all {m} images): {1 - len(wrong) / m:.6f}")

    figure = Figure(figsize=(8, 6))
    figure.suptitle(f"{len(wrong)} of {m} test digits are misread: the first of them")
    axes = figure.add_axes([0, 0, 1, 0.93])
    axes.axis("off")
    page = np.zeros((5 * 40, 8 * 40))  # five rows of eight digits
    for place, i in enumerate(wrong[:40]):
        top, left = place // 8 * 40 + 10, place % 8 * 40 + 6
        page[top : top + 28, left : left + 28] = x_test[i]
        axes.text(left + 14, top - 2, f"{truth[i]} read as {read[i]}", ha="center", fontsize=9)
    axes.imshow(page, cmap="gray_r", vmin=0, vmax=1)
    figure.savefig(os.path.join(run_dir, "mistakes.png"))
    picture = tf.image.decode_png(tf.io.read_file(os.path.join(run_dir, "mistakes.png")))
    train_writer.add_summary(sess.run(tf.summary.image("mistakes", [picture], 1)), steps)
    train_writer.close()
    validation_writer.close()

print(f"This run is in {run_dir}")
print(f"To look at it: {sys.executable} -m tensorboard.main --logdir {args.logdir}")
if stopped:
    sys.exit(130)
