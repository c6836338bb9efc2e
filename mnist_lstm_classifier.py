"""MNIST, read row by row by an LSTM: the article's 用 LSTM 实现分类任务.

An image is a sequence (一张图片就是一个完整的序列): each of its 28 rows of pixels is the input x_t
of a time step, and the output of the last step says which digit it is.
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
    description="Train an LSTM to read MNIST digits row by row, then test it.",
    epilog="example: python %(prog)s --cell rnn --seed 1",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
old = sys.version_info < (3, 8)  # a Python of TensorFlow 1.x, where XLA is no gain
option = parser.add_argument_group("the article's settings").add_argument
option("--training-iters", type=int, default=100000, metavar="N", help="images to train on")
option("--batch-size", type=int, default=128, metavar="N", help="images in a training step")
option("--lr", type=float, default=0.001, metavar="X", help="learning rate of Adam")
option("--n-hidden", type=int, default=128, metavar="N", help="size of the cell's output and state")
option("--display-step", type=int, default=10, metavar="N", help="steps between printed lines")
option = parser.add_argument_group("to compare with").add_argument
option("--cell", choices=["lstm", "rnn"], default="lstm", help="BasicLSTMCell or BasicRNNCell")
option("--rnn", choices=["dynamic", "static"], default="dynamic", help="dynamic_rnn or static_rnn")
option("--lr-decay", choices=["none", "cosine"], default="none", help="how lr falls over the run")
option("--xla", choices=["on", "off"], default="off" if old else "on", help="compile the training")
option("--seed", type=int, default=0, metavar="N", help="the same seed: the same weights, batches")
option = parser.add_argument_group("files").add_argument
option("--data", default=os.path.join(here, "data", "mnist.npz"), metavar="FILE", help="MNIST")
option("--logdir", default=os.path.join(here, "logs"), metavar="DIR", help="for the run's folder")
option("--restore", metavar="CKPT", help="start from these saved weights (a run's model.ckpt)")
args = parser.parse_args()
if not all(1 <= n <= 10000 for n in (args.batch_size, args.n_hidden, args.display_step)):
    parser.error("--batch-size, --n-hidden and --display-step take a number from 1 to 10000")
if args.training_iters < 0 or not 0 <= args.seed < 2**32 or not 0 < args.lr < float("inf"):
    parser.error("--training-iters and --seed (to 2**32 - 1) take a number from 0 up, --lr above 0")
lr, training_iters, batch_size = args.lr, args.training_iters, args.batch_size
display_step, n_hidden, n_classes = args.display_step, args.n_hidden, 10
n_input, n_step = 28, 28  # x_t is a row of 28 pixels; 28 rows are 28 time steps

# ---- TensorFlow 1.x, as TensorFlow 2 still has it ------------------------------------------------
signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C: there is nothing to keep yet
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # BasicLSTMCell is in Keras 2 (tf_keras), not in Keras 3
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")  # else it announces them
warnings.simplefilter("ignore")  # what is deprecated is the subject here
gc.disable()  # garbage is not looked for: TensorFlow makes half a million objects that all stay

import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib.figure import Figure
from tqdm import tqdm

gc.freeze()  # nor at the exit, which would take a second
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
try:
    if os.path.exists(args.data) or args.data != parser.get_default("data"):
        names = "x_train", "y_train", "x_test", "y_test"
        x_train, y_train, x_test, y_test = map(np.load(args.data).__getitem__, names)
    else:  # this script, copied alone, downloads MNIST, as input_data.read_data_sets did
        (x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()
    n, m = len(x_train), len(x_test)  # 60000, 10000
    shapes = [array.shape for array in (x_train, y_train, x_test, y_test)]
    if shapes != [(n, n_step, n_input), (n,), (m, n_step, n_input), (m,)] or n <= 5000 or m == 0:
        raise ValueError(f"the arrays have the shapes {shapes}")
    y_train, y_test = (np.eye(n_classes, dtype=np.float32)[y] for y in (y_train, y_test))  # one-hot
except Exception as error:
    raise OSError(f"no MNIST in {args.data} ({error}): name the file with --data") from None
x_validation, y_validation = np.divide(x_train[:1000], 255, dtype=np.float32), y_train[:1000]
x_train, y_train, n = x_train[5000:], y_train[5000:], n - 5000
x_test = np.divide(x_test, 255, dtype=np.float32)

# ---- the network ---------------------------------------------------------------------------------
x = tf.placeholder(tf.float32, [None, n_step, n_input], name="input/x")
y = tf.placeholder(tf.float32, [None, n_classes], name="input/y")
with tf.name_scope("output_layer") as output_layer:
    w = tf.Variable(tf.random_normal([n_hidden, n_classes]), name="w")
    b = tf.Variable(tf.random_normal([n_classes]), name="b")


def RNN(x):
    """Return pred (batch, n_classes) for images x, and outputs (n_step, batch, n_hidden)."""
    cells = {"lstm": tf.nn.rnn_cell.BasicLSTMCell, "rnn": tf.nn.rnn_cell.BasicRNNCell}
    cell, scope = cells[args.cell](n_hidden), args.cell.upper()
    if args.rnn == "static":  # n_step cells in a row; outputs: a list of n_step (batch, n_hidden)
        x = tf.unstack(x, n_step, 1)
        outputs, states = tf.nn.static_rnn(cell, x, dtype=tf.float32, scope=scope)
        outputs = tf.stack(outputs, name=f"{scope}/outputs")
    else:  # one cell in a loop; outputs: (batch, n_step, n_hidden)
        with tf.variable_scope("", reuse=tf.AUTO_REUSE):  # called again: the same weights
            outputs, states = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, scope=scope)
        outputs = tf.transpose(outputs, [1, 0, 2], name=f"{scope}/outputs")
    with tf.name_scope(output_layer):
        return tf.matmul(outputs[-1], w) + b, outputs  # only the last step has seen every row


pred, outputs = RNN(x)
with tf.name_scope("cost"):
    cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))
with tf.name_scope("train"):
    steps, global_step = training_iters // batch_size, tf.Variable(0, False, name="global_step")
    lr = tf.train.cosine_decay(lr, global_step, steps) if args.lr_decay == "cosine" else lr
    optimizer = tf.train.AdamOptimizer(lr)
    if args.xla == "off" or args.rnn == "static":
        batch_pred = pred
        optimizer = optimizer.minimize(cost, global_step)
    else:
        # XLA makes one piece of machine code of a pass forwards and back; each half of the batch
        # has its own, so that two cores work. The halves' gradients add up to the batch's.
        def there_and_back(x, y):
            pred, _ = RNN(x)
            losses = tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y)
            return [pred, *tf.gradients(losses / batch_size, tf.trainable_variables())]

        half = batch_size // 2
        pred_1, *gradients_1 = tf.xla.experimental.compile(there_and_back, [x[:half], y[:half]])
        pred_2, *gradients_2 = tf.xla.experimental.compile(there_and_back, [x[half:], y[half:]])
        batch_pred = tf.concat([pred_1, pred_2], 0)
        gradients = [g_1 + g_2 for g_1, g_2 in zip(gradients_1, gradients_2)]
        optimizer = optimizer.apply_gradients(zip(gradients, tf.trainable_variables()), global_step)
with tf.name_scope("test"):
    correct_pred = tf.equal(tf.argmax(pred, 1), tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_pred, tf.float32))
tf.summary.scalar("accuracy", accuracy)
tf.summary.scalar("loss", cost)
summaries = tf.summary.merge_all()

# ---- what the article says of the inside ---------------------------------------------------------
with tf.name_scope("belief"):  # the answer, were the output layer asked after each row
    belief = tf.nn.softmax(tf.tensordot(outputs, w, 1) + b)  # (n_step, batch, n_classes)
with tf.name_scope("reach"):  # how much the cost depends on each row, row 28 being 1
    gradient = tf.reduce_mean(tf.norm(tf.gradients(cost, x)[0], axis=2), 0)  # (n_step,)
    gradient, row_10 = gradient / gradient[-1], gradient[9] / gradient[-1]
inside = {f"weights/{v.op.name}": v for v in tf.trainable_variables()}
if args.cell == "lstm":
    with tf.name_scope("gates"):  # the cell does not hand them out; the equations say what they are
        kernel, bias = tf.trainable_variables("LSTM")
        s_before = tf.pad(outputs[:-1], [[1, 0], [0, 0], [0, 0]])  # s_(t-1), at first 0
        x_and_s = tf.concat([tf.transpose(x, [1, 0, 2]), s_before], 2)
        i, g, f, o = tf.split(tf.tensordot(x_and_s, kernel, 1) + bias, 4, 2)
        gates = {"i": i, "f": f + 1, "o": o}  # 1: BasicLSTMCell's forget_bias
        inside.update({f"gates/{name}": tf.sigmoid(gate) for name, gate in gates.items()})
insides = [tf.summary.histogram(name, values) for name, values in inside.items()]
insides = tf.summary.merge([tf.summary.scalar("gradient_at_row_10", row_10), *insides])
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

    few = {x: x_validation[:64], y: y_validation[:64]}
    step, reach = 0, {0: sess.run([insides, gradient], feed_dict=few)[1]}  # the gradient's reach
    stopped, order = [], np.array([], int)
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))  # Ctrl-C: finish this step
    for step in tqdm(range(1, steps + 1), unit="step", file=sys.stdout, disable=None):
        while len(order) < batch_size:  # every epoch has its own order, and each image once
            order = np.append(order, np.random.permutation(n))
        batch, order = order[:batch_size], order[batch_size:]
        batch_x, batch_y = np.divide(x_train[batch], 255, dtype=np.float32), y_train[batch]
        _, logits = sess.run([optimizer, batch_pred], feed_dict={x: batch_x, y: batch_y})
        if step % display_step == 0:  # fed with the step's own logits: no second forward pass
            acc, loss, s = sess.run([accuracy, cost, summaries], {pred: logits, y: batch_y})
            train_writer.add_summary(s, step)
            line = f"Iter {step * batch_size}, Minibatch Loss= {loss:.6f}, "
            tqdm.write(line + f"Training Accuracy= {acc:.5f}")
        if step % 100 == 0:
            s, reach[step] = sess.run([insides, gradient], feed_dict=few)
            train_writer.add_summary(s, step)
            s = sess.run(summaries, feed_dict={x: x_validation, y: y_validation})
            validation_writer.add_summary(s, step)
        if stopped:
            break
    reach[step] = sess.run([insides, gradient], feed_dict=few)[1]
    print("Optimization stopped by Ctrl-C." if stopped else "Optimization Finished!")
    saver.save(sess, os.path.join(run_dir, "model.ckpt"))

    # ---- test ------------------------------------------------------------------------------------
    acc = sess.run(accuracy, feed_dict={x: x_test[:128], y: y_test[:128]})
    print(f"Testing Accuracy: {acc:.6f}")
    parts = np.split(x_test, range(1000, m, 1000))  # all 10,000 at once would take a gigabyte
    beliefs = np.concatenate([sess.run(belief, feed_dict={x: part}) for part in parts], 1)
    answers, truth = beliefs.argmax(2), y_test.argmax(1)  # answers: (n_step, images)
    right = answers == truth
    print(f"Testing Accuracy (all {m} images): {right[-1].mean():.6f}")

    mistakes, rows, ways = (Figure(figsize=(10, 5), dpi=80) for _ in range(3))
    titles = [f"{digit}, read as {answer}" for digit, answer in zip(truth, answers[-1])]
    wrong = np.flatnonzero(~right[-1])
    mistakes.suptitle(f"{len(wrong)} of {m} test digits are misread: the first of them")
    for place in range(0, min(len(wrong), 18), 6):
        some = wrong[place : place + 6]
        axes = mistakes.add_subplot(3, 1, place // 6 + 1, yticks=[])
        axes.imshow(np.hstack(x_test[some]), cmap="gray_r")
        axes.set_xticks(range(14, 28 * len(some), 28), [titles[i] for i in some])

    rows.suptitle("The last step is the most reliable (left: how probable 0 to 9 are, row by row)")
    for place, i in enumerate([*np.flatnonzero(right[-1])[:3], *wrong[:3]]):
        axes = rows.add_axes([0.05 + place // 3 * 0.31, 0.68 - place % 3 * 0.3, 0.25, 0.2])
        both = np.hstack([x_test[i], beliefs[:, i].repeat(4, 1)])
        axes.imshow(both, cmap="gray_r", extent=(0, 68, 28.5, 0.5))
        axes.set(title=titles[i], ylabel="row", xticks=range(30, 68, 4), xticklabels=range(10))
    axes = rows.add_axes([0.7, 0.11, 0.28, 0.77], xlabel="rows read", ylabel="test accuracy")
    axes.plot(range(1, 29), right.mean(1), "k.-")

    ways.suptitle(f"Gradient at row 10: untrained {reach[0][9]:.2g}, trained {reach[step][9]:.2g}")
    axes = ways.add_subplot(xlabel="row", ylabel="gradient, row 28 being 1", yscale="log")
    for at, line in zip(sorted({0, 100, 400, step} & reach.keys()), ("k:", "k-.", "k--", "k-")):
        axes.plot(range(1, 29), reach[at], line, label=f"{args.cell} after {at} steps")
    axes.legend()
    for name, figure in ("mistakes", mistakes), ("rows", rows), ("gradient", ways):
        figure.savefig(os.path.join(run_dir, f"{name}.png"))
        picture = tf.image.decode_png(tf.io.read_file(os.path.join(run_dir, f"{name}.png")))
        train_writer.add_summary(sess.run(tf.summary.image(name, [picture], 1)), step)
    train_writer.close()
    validation_writer.close()

print(f"This run is in {run_dir}")
print(f"To look at it: {sys.executable} -m tensorboard.main --logdir {args.logdir}")
if stopped:
    sys.exit(130)
