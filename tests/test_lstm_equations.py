"""What runs is what the article describes: its six equations, in NumPy, give the same numbers."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import CLASSIFIER, REGRESSION
from network import restored

pytestmark = pytest.mark.quick

WEIGHTS = [f"rnn/basic_lstm_cell/{name}" for name in ("kernel", "bias")]
WEIGHTS += [f"output_layer/{name}" for name in ("w", "b")]


def with_session(net, answer):
    """A script's names, with a session that has the trained weights, and these in float64."""
    net.sess, net.answer = restored(net), answer
    net.variables = {v.op.name: v for v in net.graph.get_collection("variables")}
    weights = net.sess.run([net.variables[name] for name in WEIGHTS])
    net.weights = [weight.astype(np.float64) for weight in weights]
    return net


@pytest.fixture(scope="module")
def classifier(load, small):
    """The classifier, trained on 6,400 images, and 48 test images for it."""
    options = ("--data", small, "--n-hidden", 32, "--training-iters", 6400)
    net = load(CLASSIFIER, *options)
    net.given = net.feed(net.mnist.test, slice(48))
    images, labels = net.given.values()
    net.inputs = images.transpose(1, 0, 2)
    net.before = np.zeros((2, 48, net.n_hidden))  # no memory before the first row

    def answer(outputs, w, b):
        logits = outputs[-1] @ w + b
        softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return logits, -np.mean(np.log(softmax[labels == 1]))

    return with_session(net, answer)


@pytest.fixture(scope="module")
def regression(load, classifier):
    """The regression after 60 iterations, and its next batch, which goes on from the last state."""
    net = load(REGRESSION, "--iterations", 60)
    sinx, cosx, _ = net.get_batch()
    net.given = {net.X: sinx, net.Y: cosx, net.rnn.cell_init_state: net.state}
    net.inputs = sinx.transpose(1, 0, 2)
    net.before = np.float64(net.state)
    net.six_equations = classifier.six_equations

    def answer(outputs, w, b):
        pred = (outputs @ w + b).transpose(1, 0, 2)
        return pred.reshape(-1, 1), np.mean((pred - cosx) ** 2)

    return with_session(net, answer)


@pytest.fixture(scope="module", params=["classifier", "regression"])
def net(request):
    return request.getfixturevalue(request.param)


def equations(net, nudge=0, forget_bias=1.0):
    """Return all s_t and c_t, (time, batch, hidden) each, the answer and its cost."""
    kernel, bias, w, b = net.weights
    states = [net.before]  # c and s
    for x_t in net.inputs:
        states.append(net.six_equations(x_t, *states[-1], kernel + nudge, bias, forget_bias)[4:])
    memories, outputs = np.array(states[1:]).swapaxes(0, 1)
    return (outputs, memories, *net.answer(outputs, w, b))


def test_every_state_the_answer_and_its_cost(net):
    """c_t and s_t are those of the real cell, called once for each step."""
    outputs, memories, answer, cost = equations(net)
    found = net.sess.run([net.pred, net.cost], net.given)
    np.testing.assert_allclose(found[0], answer, atol=1e-5)
    assert found[1] == pytest.approx(cost, abs=1e-5)
    states = [tf.nn.rnn_cell.LSTMStateTuple(*np.float32(net.before))]
    with net.graph.as_default(), tf.variable_scope("rnn", reuse=True):
        cell = tf.nn.rnn_cell.BasicLSTMCell(outputs.shape[2])
        for x_t in np.float32(net.inputs):
            states.append(cell(tf.constant(x_t), states[-1])[1])
    found = np.swapaxes(net.sess.run(states[1:]), 0, 1)
    np.testing.assert_allclose(found, [memories, outputs], atol=1e-5)


def test_the_classifiers_outputs_and_accuracy_and_that_its_forget_bias_counts(classifier):
    """It is the one thing that BasicLSTMCell does and the article does not say."""
    wanted, _, logits, _ = equations(classifier)
    outputs, accuracy = classifier.sess.run(["outputs:0", classifier.accuracy], classifier.given)
    np.testing.assert_allclose(outputs, wanted, atol=1e-5)
    right = logits.argmax(1) == classifier.given[classifier.y].argmax(1)
    assert accuracy == pytest.approx(right.mean(), abs=1e-6)
    assert np.abs(outputs - equations(classifier, forget_bias=0.0)[0]).max() > 0.1


@pytest.mark.parametrize("f, i", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_gates_of_the_real_cell_do_what_the_article_says(f, i):
    """With f at 0 and i at 1: 完全忘记 c_(t-1)，取 g 的所有作为 c_t."""
    x, c, s, kernel = map(np.random.RandomState(0).randn, (5, 5, 5, 3 + 4), (3, 4, 4, 4 * 4))
    bias = np.repeat([100 * i - 50, 0, 100 * f - 50, 0], 4)  # leaves the other inputs no say
    with tf.Graph().as_default(), tf.Session() as sess:
        cell = tf.nn.rnn_cell.BasicLSTMCell(4)
        state = tf.nn.rnn_cell.LSTMStateTuple(*np.float32([c, s]))
        _, new = cell(tf.constant(x, tf.float32), state)
        for variable, value in zip(cell.trainable_variables, (kernel, bias)):
            variable.load(value, sess)
        found = sess.run(new.c)
    g = np.tanh(np.hstack([x, s]) @ kernel[:, 4:8])  # the candidate (候选隐藏状态)
    np.testing.assert_allclose(found, c * f + g * i, atol=1e-5)


def test_the_picture_shows_what_the_cell_does(classifier):
    """inside.png: its six panels are the equations', and its s_t the cell's own outputs."""
    image = classifier.mnist.test.images[0].reshape(28, 28)
    outputs = classifier.sess.run("outputs:0", {classifier.x: image[np.newaxis]})
    i, f, o, g, c, s = classifier.inside(image, *classifier.weights[:2])
    np.testing.assert_allclose(s, outputs[:, 0], atol=1e-5)
    np.testing.assert_allclose(c, np.vstack([0 * c[:1], c[:-1]]) * f + g * i, atol=1e-6)
    for gate, blank in (i, 0.5), (f, 0.731), (o, 0.5):  # σ(0), and σ(1) with the forget bias
        assert 0 < gate.min() < gate.max() < 1, "介于 0~1，即这两个极端之间"
        assert gate[0].mean() == pytest.approx(blank, abs=0.02), "a blank row"
    with classifier.graph.as_default():
        panels = classifier.plot_inside().axes
    panels = [axes for axes in panels if axes.get_title()]
    shown = {axes.get_title().split()[0]: axes.images[0].get_array() for axes in panels}
    names = ["$i", "$f", "$o", "$g", "$c_t", "$s_t"]
    for name, array in zip(names, (i, f, o, g, c, s)):
        np.testing.assert_allclose(np.sort(shown[name]), np.sort(array), atol=1e-6, err_msg=name)
    assert list(shown) == names and (np.diff(shown["$s_t"][-1]) >= 0).all(), "units that end alike"


def test_the_gradient_in_each_gate_and_adams_first_step(net):
    """tf.gradients, and Adam's first moment and step, against central differences of the cost."""
    kernel = net.variables[WEIGHTS[0]]
    with net.graph.as_default(), tf.Session() as sess:
        sess.run(net.init)  # a new Adam, but the trained weights
        trained = tf.train.Saver(tf.trainable_variables())
        trained.restore(sess, tf.train.latest_checkpoint(net.run_dir))
        before, slope = sess.run([kernel, tf.gradients(net.cost, kernel)[0]], net.given)
        sess.run(net.optimizer, net.given)
        step = sess.run(kernel) - before
        trained_by = 10 * sess.run(net.variables[f"{WEIGHTS[0]}/Adam"])  # a tenth of the gradient
    n_hidden = before.shape[1] // 4
    for gate in range(4):
        first, last = gate * n_hidden, (gate + 1) * n_hidden - 1
        row, column = divmod(np.abs(slope[:, first : last + 1]).argmax(), n_hidden)
        for place in (row, first + column), (0, first), (-1, last):
            nudge = np.zeros(before.shape)
            nudge[place] = 1e-5
            numeric = (equations(net, nudge)[-1] - equations(net, -nudge)[-1]) / 2e-5
            assert slope[place] == pytest.approx(numeric, rel=1e-3, abs=1e-7), (gate, place)
            assert trained_by[place] == pytest.approx(numeric, rel=1e-3, abs=1e-7), (gate, place)
            if abs(numeric) > 1e-5:  # Adam's first step is lr against the sign of the gradient
                expected = -net.args.lr * numeric / (abs(numeric) + 1e-8 / np.sqrt(1 - 0.999))
                assert step[place] == pytest.approx(expected, rel=1e-2), (gate, place)
