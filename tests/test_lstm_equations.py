"""What runs is what the article describes: its six equations, in NumPy, give the same numbers."""

from contextlib import closing

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import CLASSIFIER, REGRESSION, restored

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def classifier(load):
    """The classifier, trained on 6,400 images, a session with its weights, and these in float64."""
    yield from with_weights(load(CLASSIFIER, "--training-iters", 6400))


@pytest.fixture(scope="module")
def regression(load):
    """The regression after 60 iterations, likewise."""
    yield from with_weights(load(REGRESSION, "--iterations", 60))


WEIGHTS = [f"rnn/basic_lstm_cell/{v}:0" for v in ("kernel", "bias")]
WEIGHTS += [f"output_layer/{v}:0" for v in ("w", "b")]


def with_weights(net):
    with closing(restored(net)) as net.sess:  # not entered: another script may be loaded meanwhile
        net.weights = [v.astype(np.float64) for v in net.sess.run(WEIGHTS)]
        yield net


@pytest.fixture(scope="module")
def lstm(classifier):
    """The script's six equations over a sequence: all s_t and c_t, (time, batch, hidden) each."""

    def lstm(x, c, s, kernel, bias, forget_bias=1.0):
        """x: (time, batch, input); c, s: (batch, hidden), before the first step."""
        outputs, memories = [], []
        for x_t in x:
            *_, c, s = classifier.six_equations(x_t, c, s, kernel, bias, forget_bias)
            outputs.append(s)
            memories.append(c)
        return np.array(outputs), np.array(memories)

    return lstm


@pytest.fixture(scope="module")
def classify(lstm):
    """The classifier by the equations: logits (batch, 10) for images, and all s_t and c_t."""

    def classify(images, weights, **keywords):
        kernel, bias, w, b = weights
        zero = np.zeros((len(images), len(w)))  # no memory before the first row
        outputs, memories = lstm(images.transpose(1, 0, 2), zero, zero, kernel, bias, **keywords)
        return outputs[-1] @ w + b, outputs, memories

    return classify


def cross_entropy(logits, labels):
    """The mean over the batch of -log(softmax of the right class)."""
    logits = logits - logits.max(1, keepdims=True)
    return -np.mean((labels * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1))


def some(classifier, count):
    """The first test images, (count, 28, 28), and their labels."""
    test = classifier.mnist.test
    return test.images[:count].reshape(-1, 28, 28), test.labels[:count]


# ---- the numbers ---------------------------------------------------------------------------------


def test_every_output_of_the_classifier(classifier, classify):
    images, labels = some(classifier, 128)
    feed = {classifier.x: images, classifier.y: labels}
    logits, outputs, _ = classify(images, classifier.weights)
    found = classifier.sess.run(
        ["outputs:0", classifier.pred, classifier.cost, classifier.accuracy], feed
    )
    np.testing.assert_allclose(found[0], outputs, atol=1e-5)
    np.testing.assert_allclose(found[1], logits, atol=1e-5)
    assert found[2] == pytest.approx(cross_entropy(logits, labels), abs=1e-5)
    assert found[3] == pytest.approx(np.mean(logits.argmax(1) == labels.argmax(1)), abs=1e-6)


def test_every_state_of_the_classifier(classifier, classify):
    """dynamic_rnn tells only the last c_t: so each image is read to row 1, to row 2, ... to 28."""
    images, _ = some(classifier, 20)
    _, outputs, memories = classify(images, classifier.weights)
    with classifier.graph.as_default(), tf.variable_scope("", reuse=True):
        cell = tf.nn.rnn_cell.BasicLSTMCell(classifier.n_hidden)
        rows = np.repeat(np.arange(1, 29), len(images))
        _, state = tf.nn.dynamic_rnn(cell, classifier.x, sequence_length=rows, dtype=tf.float32)
    c, s = classifier.sess.run(state, {classifier.x: np.tile(images, (28, 1, 1))})
    np.testing.assert_allclose(c, memories.reshape(c.shape), atol=1e-5)
    np.testing.assert_allclose(s, outputs.reshape(s.shape), atol=1e-5)


def test_every_output_and_state_of_the_regression(regression, lstm):
    """A batch that goes on from the last one's state, read step by step."""
    sinx, cosx, _ = regression.get_batch()
    kernel, bias, w, b = regression.weights
    c, s = (np.float64(part) for part in regression.state)
    outputs, memories = lstm(sinx.transpose(1, 0, 2), c, s, kernel, bias)
    pred = (outputs @ w + b).transpose(1, 0, 2)

    feed = {
        regression.X: sinx,
        regression.Y: cosx,
        regression.rnn.cell_init_state: regression.state,
    }
    found = regression.sess.run([regression.pred, regression.cost], feed)
    np.testing.assert_allclose(found[0], pred.reshape(-1, 1), atol=1e-5)
    assert found[1] == pytest.approx(np.mean((pred - cosx) ** 2), abs=1e-5)

    with regression.graph.as_default(), tf.variable_scope("", reuse=True):
        cell = tf.nn.rnn_cell.BasicLSTMCell(regression.CELL_SIZE)
        start = tf.nn.rnn_cell.LSTMStateTuple(*np.float32(regression.state))
        for t in range(20):  # to step 1, to step 2, ...: dynamic_rnn tells only the last c_t
            _, state = tf.nn.dynamic_rnn(
                cell, tf.constant(sinx[:, : t + 1], tf.float32), initial_state=start
            )
            state = regression.sess.run(state)
            np.testing.assert_allclose(state.c, memories[t], atol=1e-5)
            np.testing.assert_allclose(state.h, outputs[t], atol=1e-5)


def test_without_the_forget_bias_the_numbers_differ(classifier, classify):
    """The one thing that BasicLSTMCell does and the article does not say."""
    images, _ = some(classifier, 128)
    found = classifier.sess.run("outputs:0", {classifier.x: images})
    _, outputs, _ = classify(images, classifier.weights, forget_bias=0.0)
    assert np.abs(found - outputs).max() > 0.1


# ---- the gates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("i", "f", "then"),
    [
        (0, 0, lambda before, g: 0 * g),  # f near 0 forgets all, i near 0 lets nothing in
        (1, 0, lambda before, g: g),  # 完全忘记 c_(t-1)，取 g 的所有作为 c_t
        (0, 1, lambda before, g: before),  # keeps what it has
        (1, 1, lambda before, g: before + g),  # keeps that and takes all
    ],
)
def test_the_gates_of_the_real_cell_do_what_the_article_says(i, f, then):
    random = np.random.RandomState(0)
    x, c, s = random.randn(5, 3), random.randn(5, 4), random.randn(5, 4)
    kernel = random.randn(3 + 4, 4 * 4) / 10
    wide_open = {0: -50.0, 1: 50.0}  # a bias that leaves the other inputs no say
    bias = np.repeat([wide_open[i], 0, wide_open[f], 0], 4)
    with tf.Graph().as_default(), tf.Session() as sess:
        cell = tf.nn.rnn_cell.BasicLSTMCell(4)
        state = tf.nn.rnn_cell.LSTMStateTuple(*np.float32([c, s]))
        _, new = cell(tf.constant(x, tf.float32), state)
        for variable, value in zip(cell.trainable_variables, (kernel, bias)):
            variable.load(value, sess)
        found = sess.run(new.c)
    g = np.tanh(np.hstack([x, s]) @ kernel[:, 4:8])  # the candidate (候选隐藏状态)
    np.testing.assert_allclose(found, then(c, g), atol=1e-5)


def test_the_picture_shows_what_the_cell_does(classifier):
    """inside.png: its six panels are the equations', and its s_t the cell's own outputs."""
    image = classifier.mnist.test.images[0].reshape(28, 28)
    outputs = classifier.sess.run("outputs:0", {classifier.x: image[np.newaxis]})
    i, f, o, g, c, s = classifier.inside(image, *classifier.sess.run(WEIGHTS[:2]))
    np.testing.assert_allclose(s, outputs[:, 0], atol=1e-5)
    np.testing.assert_allclose(c, np.vstack([0 * c[:1], c[:-1]]) * f + g * i, atol=1e-6)
    for gate, blank in (i, 0.5), (f, 0.731), (o, 0.5):  # σ(0), and σ(1) with the forget bias
        assert 0 < gate.min() < gate.max() < 1, "介于 0~1，即这两个极端之间"
        assert gate[0].mean() == pytest.approx(blank, abs=0.02), "a blank row"
    with classifier.graph.as_default():
        panels = classifier.picture_of_inside(classifier.sess).axes
    shown = [axes.images[0].get_array() for axes in panels if axes.get_title()]
    for panel, array in zip(shown, (i, f, o, g, c, s)):
        np.testing.assert_allclose(np.sort(panel), np.sort(array), atol=1e-6)
    assert len(shown) == 6 and (np.diff(shown[5][-1]) >= 0).all(), "units that end alike"


# ---- the gradient --------------------------------------------------------------------------------


def check_the_gradient(net, network_cost, feed, cost):
    """tf.gradients, Adam's first moment and first step against central differences of `cost`."""
    with net.graph.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())  # a new Adam, but the trained weights
        for variable in tf.trainable_variables():
            if variable.name in WEIGHTS:
                variable.load(net.weights[WEIGHTS.index(variable.name)], sess)
        kernel = net.graph.get_tensor_by_name(WEIGHTS[0])
        moment = net.graph.get_tensor_by_name("rnn/basic_lstm_cell/kernel/Adam:0")
        before, slope = sess.run([kernel, tf.gradients(network_cost, kernel)[0]], feed)
        sess.run(net.optimizer, feed)
        step = sess.run(kernel) - before
        trained_by = sess.run(moment) / (1 - 0.9)  # Adam's first moment is a tenth of the gradient

    lr = net.args.lr
    n_hidden = kernel.shape[1].value // 4
    for gate in range(4):
        largest = np.abs(slope[:, gate * n_hidden : (gate + 1) * n_hidden]).argmax()
        largest = largest // n_hidden, gate * n_hidden + largest % n_hidden
        for place in largest, (0, gate * n_hidden), (-1, (gate + 1) * n_hidden - 1):
            nudge = np.zeros(before.shape)
            nudge[place] = 1e-5
            numeric = (cost(before + nudge) - cost(before - nudge)) / 2e-5
            assert slope[place] == pytest.approx(numeric, rel=1e-3, abs=1e-7), (gate, place)
            assert trained_by[place] == pytest.approx(numeric, rel=1e-3, abs=1e-7), (gate, place)
            if abs(numeric) > 1e-5:  # Adam's first step is lr against the sign of the gradient
                expected = -lr * numeric / (abs(numeric) + 1e-8 / np.sqrt(1 - 0.999))
                assert step[place] == pytest.approx(expected, rel=1e-2), (gate, place)


def test_the_classifiers_gradient_in_each_gate(classifier, classify):
    images, labels = some(classifier, 48)
    feed = {classifier.x: images, classifier.y: labels}

    def cost(kernel):
        logits, _, _ = classify(images, [kernel, *classifier.weights[1:]])
        return cross_entropy(logits, labels)

    check_the_gradient(classifier, classifier.cost, feed, cost)


def test_the_regressions_gradient_in_each_gate(regression, lstm):
    sinx, cosx, _ = regression.get_batch()
    feed = {
        regression.X: sinx,
        regression.Y: cosx,
        regression.rnn.cell_init_state: regression.state,
    }
    _, bias, w, b = regression.weights
    c, s = (np.float64(part) for part in regression.state)

    def cost(kernel):
        outputs, _ = lstm(sinx.transpose(1, 0, 2), c, s, kernel, bias)
        return np.mean((outputs @ w + b - cosx.transpose(1, 0, 2)) ** 2)

    check_the_gradient(regression, regression.cost, feed, cost)
