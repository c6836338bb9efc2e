"""What runs is what the article describes: its six equations, in NumPy, give the same numbers."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import CLASSIFIER, REGRESSION

pytestmark = pytest.mark.quick


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(x, c, s, kernel, bias, forget_bias=1.0):
    """The article's LSTM: all outputs s_t and memories c_t, (time, batch, hidden) each.

    x: (time, batch, input); c, s: (batch, hidden), memory and state before the first step;
    kernel: (input + hidden, 4 * hidden), the article's U above its W, in the order i, g, f, o;
    bias: (4 * hidden,), which the article leaves out, as it does forget_bias: BasicLSTMCell adds
    1 inside the forget gate, so that a new network begins by remembering.
    """
    U_i, U_g, U_f, U_o = np.split(kernel[: x.shape[2]], 4, axis=1)
    W_i, W_g, W_f, W_o = np.split(kernel[x.shape[2] :], 4, axis=1)
    b_i, b_g, b_f, b_o = np.split(bias, 4)
    outputs, memories = [], []
    for x_t in x:
        i = sigmoid(x_t @ U_i + s @ W_i + b_i)  # i = σ(x_t U^i + s_(t-1) W^i)
        f = sigmoid(x_t @ U_f + s @ W_f + b_f + forget_bias)  # f = σ(x_t U^f + s_(t-1) W^f)
        o = sigmoid(x_t @ U_o + s @ W_o + b_o)  # o = σ(x_t U^o + s_(t-1) W^o)
        g = np.tanh(x_t @ U_g + s @ W_g + b_g)  # g = tanh(x_t U^g + s_(t-1) W^g)
        c = c * f + g * i  # c_t = c_(t-1) ∘ f + g ∘ i
        s = np.tanh(c) * o  # s_t = tanh(c_t) ∘ o
        outputs.append(s)
        memories.append(c)
    return np.array(outputs), np.array(memories)


def classify(images, weights, **keywords):
    """The classifier: logits (batch, 10) for images (batch, 28, 28), and all s_t and c_t."""
    kernel, bias, w, b = weights
    zero = np.zeros((len(images), len(w)))  # no memory before the first row
    outputs, memories = lstm(images.transpose(1, 0, 2), zero, zero, kernel, bias, **keywords)
    return outputs[-1] @ w + b, outputs, memories


def cross_entropy(logits, labels):
    """The mean over the batch of -log(softmax of the right class)."""
    logits = logits - logits.max(1, keepdims=True)
    return -np.mean((labels * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1))


WEIGHTS = [f"LSTM/basic_lstm_cell/{v}:0" for v in ("kernel", "bias")]
WEIGHTS += [f"output_layer/{v}:0" for v in ("w", "b")]


@pytest.fixture(scope="module")
def classifier(load):
    """The classifier, trained on 6,400 images, a session with its weights, and these in float64."""
    yield from trained(load(CLASSIFIER, "--training-iters", 6400))


@pytest.fixture(scope="module")
def regression(load):
    """The regression after 60 iterations, likewise."""
    yield from trained(load(REGRESSION, "--iterations", 60))


def trained(net):
    with tf.Session(graph=net.graph) as net.sess:
        net.saver.restore(net.sess, f"{net.run_dir}/model.ckpt")
        net.weights = [v.astype(np.float64) for v in net.sess.run(WEIGHTS)]
        yield net


# ---- the numbers ---------------------------------------------------------------------------------


def test_every_output_of_the_classifier(classifier):
    images, labels = classifier.x_test[:128], classifier.y_test[:128]
    feed = {classifier.x: images, classifier.y: labels}
    logits, outputs, _ = classify(images, classifier.weights)
    found = classifier.sess.run(
        ["LSTM/outputs:0", classifier.pred, classifier.cost, classifier.accuracy], feed
    )
    np.testing.assert_allclose(found[0], outputs, atol=1e-5)
    np.testing.assert_allclose(found[1], logits, atol=1e-5)
    assert found[2] == pytest.approx(cross_entropy(logits, labels), abs=1e-5)
    assert found[3] == pytest.approx(np.mean(logits.argmax(1) == labels.argmax(1)), abs=1e-6)


def test_every_state_of_the_classifier(classifier):
    """dynamic_rnn tells only the last c_t: so each image is read to row 1, to row 2, ... to 28."""
    images = classifier.x_test[:20]
    _, outputs, memories = classify(images, classifier.weights)
    with classifier.graph.as_default(), tf.variable_scope("", reuse=True):
        cell = tf.nn.rnn_cell.BasicLSTMCell(classifier.n_hidden)
        rows = np.repeat(np.arange(1, 29), len(images))
        _, state = tf.nn.dynamic_rnn(
            cell, classifier.x, sequence_length=rows, dtype=tf.float32, scope="LSTM"
        )
    c, s = classifier.sess.run(state, {classifier.x: np.tile(images, (28, 1, 1))})
    np.testing.assert_allclose(c, memories.reshape(c.shape), atol=1e-5)
    np.testing.assert_allclose(s, outputs.reshape(s.shape), atol=1e-5)


def test_every_output_and_state_of_the_regression(regression):
    """A batch that goes on from the last one's state, read step by step."""
    sinx, cosx, _ = regression.get_batch()
    kernel, bias, w, b = regression.weights
    c, s = (np.float64(part) for part in regression.state)
    outputs, memories = lstm(sinx.transpose(1, 0, 2), c, s, kernel, bias)
    pred = (outputs @ w + b).transpose(1, 0, 2)

    feed = {regression.X: sinx, regression.Y: cosx, regression.cell_init_state: regression.state}
    found = regression.sess.run([regression.pred["lstm"], regression.cost["lstm"]], feed)
    np.testing.assert_allclose(found[0], pred.reshape(-1, 1), atol=1e-5)
    assert found[1] == pytest.approx(np.mean((pred - cosx) ** 2), abs=1e-5)

    state = regression.state
    for t in range(20):
        feed = {regression.X: sinx[:, t : t + 1], regression.cell_init_state: state}
        state = regression.sess.run(regression.final_state, feed)
        np.testing.assert_allclose(state.c, memories[t], atol=1e-5)
        np.testing.assert_allclose(state.h, outputs[t], atol=1e-5)


def test_without_the_forget_bias_the_numbers_differ(classifier):
    """The one thing that BasicLSTMCell does and the article does not say."""
    images = classifier.x_test[:128]
    found = classifier.sess.run("LSTM/outputs:0", {classifier.x: images})
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


def test_the_gates_in_tensorboard_are_the_cells_own(classifier):
    """The script recomputes them: with them the equations lead to the cell's own s_t and c_t."""
    images = classifier.x_test[:20]
    rows = images.transpose(1, 0, 2)
    _, s, c = classify(images, classifier.weights)
    gates = [classifier.inside[f"gates/{gate}"] for gate in "ifo"]
    i, f, o = classifier.sess.run(gates, {classifier.x: images})
    kernel, bias = classifier.weights[:2]
    before = np.zeros_like(s[:1])  # no memory before the first row
    s_before, c_before = np.concatenate([before, s[:-1]]), np.concatenate([before, c[:-1]])
    n = s.shape[2]
    g = np.tanh(np.concatenate([rows, s_before], 2) @ kernel[:, n : 2 * n] + bias[n : 2 * n])
    np.testing.assert_allclose(c_before * f + g * i, c, atol=1e-5)
    np.testing.assert_allclose(np.tanh(c) * o, s, atol=1e-5)
    for gate in (i, f, o):
        assert 0 <= gate.min() < gate.max() <= 1


# ---- the gradient --------------------------------------------------------------------------------


def sample(gradient, gate, n_hidden, count=5):
    """Some of a gate's weights, the largest gradient among them: (row, column) of the kernel."""
    random = np.random.RandomState(gate)
    columns = slice(gate * n_hidden, (gate + 1) * n_hidden)
    row, column = np.unravel_index(np.abs(gradient[:, columns]).argmax(), (len(gradient), n_hidden))
    places = [(row, gate * n_hidden + column)]
    for _ in range(count - 1):
        places.append((random.randint(len(gradient)), gate * n_hidden + random.randint(n_hidden)))
    return places


def check_the_gradient(net, network_cost, feed, cost):
    """tf.gradients and Adam's first step against central differences of `cost(kernel)`."""
    with net.graph.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())  # a new Adam, but the trained weights
        for variable in tf.trainable_variables():
            variable.load(net.weights[WEIGHTS.index(variable.name)], sess)
        kernel = net.graph.get_tensor_by_name(WEIGHTS[0])
        before, slope = sess.run([kernel, tf.gradients(network_cost, kernel)[0]], feed)
        sess.run(net.optimizer, feed)
        step = sess.run(kernel) - before

    lr = net.args.lr
    n_hidden = kernel.shape[1].value // 4
    for gate in range(4):
        for place in sample(slope, gate, n_hidden):
            nudge = np.zeros(before.shape)
            nudge[place] = 1e-5
            numeric = (cost(before + nudge) - cost(before - nudge)) / 2e-5
            assert slope[place] == pytest.approx(numeric, rel=1e-3, abs=1e-7), (gate, place)
            if abs(numeric) > 1e-5:  # Adam's first step is lr against the sign of the gradient
                expected = -lr * numeric / (abs(numeric) + 1e-8 / np.sqrt(1 - 0.999))
                assert step[place] == pytest.approx(expected, rel=1e-2), (gate, place)


def test_the_classifiers_gradient_in_each_gate(classifier):
    images, labels = classifier.x_test[:128], classifier.y_test[:128]
    feed = {classifier.x: images, classifier.y: labels}

    def cost(kernel):
        logits, _, _ = classify(images, [kernel, *classifier.weights[1:]])
        return cross_entropy(logits, labels)

    check_the_gradient(classifier, classifier.cost, feed, cost)


def test_the_regressions_gradient_in_each_gate(regression):
    sinx, cosx, _ = regression.get_batch()
    feed = {regression.X: sinx, regression.Y: cosx, regression.cell_init_state: regression.state}
    _, bias, w, b = regression.weights
    c, s = (np.float64(part) for part in regression.state)

    def cost(kernel):
        outputs, _ = lstm(sinx.transpose(1, 0, 2), c, s, kernel, bias)
        return np.mean((outputs @ w + b - cosx.transpose(1, 0, 2)) ** 2)

    check_the_gradient(regression, regression.cost["lstm"], feed, cost)
