"""The data are MNIST, all of it and nothing else, and reach the network as the article says."""

import hashlib
import struct

import numpy as np
import pytest
from conftest import CLASSIFIER

pytestmark = pytest.mark.quick

# SHA-256 of the four files that LeCun, Cortes and Burges published, unpacked
DIGESTS = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_the_arrays_are_the_published_files(mnist, name):
    """An IDX file is 0, 0, 8 (bytes), the number of axes, their lengths, then the bytes."""
    array = getattr(mnist, name)
    header = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    assert hashlib.sha256(header + array.tobytes()).hexdigest() == DIGESTS[name]


@pytest.fixture(scope="module")
def epoch(load):
    """The classifier's data, and an epoch: ten batches of 5,500 images."""
    mnist = load(CLASSIFIER, "--training-iters", 0).mnist
    return mnist, [mnist.train.next_batch(5500, step) for step in range(1, 11)]


def digests(images):
    return sorted(hashlib.md5(image.tobytes()).digest() for image in images)


def test_training_validation_and_test_images_are_kept_apart(epoch, mnist):
    """The first 5,000 training images validate; an epoch is the other 55,000, each once."""
    data, batches = epoch
    scaled = mnist.x_train.reshape(-1, 784).astype(np.float32) / 255
    assert digests(np.concatenate([images for images, _ in batches])) == digests(scaled[5000:])
    np.testing.assert_array_equal(data.validation.images, scaled[:5000])
    np.testing.assert_array_equal(data.test.images * 255, mnist.x_test.reshape(-1, 784))


def test_each_image_keeps_its_label(epoch, mnist):
    data, batches = epoch
    label_of = dict(zip(map(bytes, mnist.x_train), mnist.y_train))
    for images, labels in batches:
        pixels = np.rint(images * 255).astype(np.uint8)
        assert [label_of[bytes(image)] for image in pixels] == labels.argmax(1).tolist()
    assert data.test.labels.argmax(1).tolist() == mnist.y_test.tolist()


def test_pixels_lie_between_0_and_1_and_labels_are_one_hot(epoch):
    images, labels = epoch[1][0]
    assert images.shape == (5500, 784) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1
    assert labels.shape == (5500, 10) and set(labels.ravel()) == {0, 1}
    assert (labels.sum(1) == 1).all()


def test_the_training_is_fed_these_batches(load):
    """Step 1, 2, ... in turn, and nothing else: recorded at the session."""
    import tensorflow.compat.v1 as tf

    fed, sess_run = [], tf.Session.run

    def record(sess, fetches, feed_dict=None):
        if isinstance(fetches, tf.Operation) and feed_dict:
            fed.append(list(feed_dict.values()))
        return sess_run(sess, fetches, feed_dict)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.Session, "run", record)
        train = load(CLASSIFIER, "--training-iters", 300, "--batch-size", 100).mnist.train
    assert len(fed) == 3
    for step, (images, labels) in enumerate(fed, 1):
        same_images, same_labels = train.next_batch(100, step)
        np.testing.assert_array_equal(images.reshape(100, 784), same_images)
        np.testing.assert_array_equal(labels, same_labels)


@pytest.fixture(scope="module")
def numbered(load):
    """Return batches as the numbers of their images, of a training set of so many."""
    net = load(CLASSIFIER, "--training-iters", 0)

    def numbered(count, batch_size, steps):
        images = np.tile(np.arange(count, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 28, 28))
        data = net.DataSet(images, np.zeros(count, int))
        batches = [data.next_batch(batch_size, step)[0] for step in steps]
        return [np.rint(batch[:, 0] * 255).astype(int) for batch in batches]

    return numbered


def test_no_image_comes_twice_in_an_epoch_and_a_batch_may_cross_its_end(numbered):
    """250 images, 100 a batch: the third batch has the last 50 of one epoch and 50 of the next."""
    drawn = np.concatenate(numbered(250, 100, range(1, 6)))
    first, second = drawn[:250], drawn[250:]
    assert sorted(first) == sorted(second) == list(range(250))
    assert list(first) != list(second), "each epoch is shuffled anew"
    assert list(first) != list(range(250))


def test_a_batch_may_be_larger_than_an_epoch(numbered):
    (batch,) = numbered(30, 100, [1])
    assert sorted(np.bincount(batch)) == [3] * 20 + [4] * 10, "three epochs and a third"


def test_a_step_has_the_same_batch_whenever_it_is_asked_for(numbered):
    """So that a run that goes on at step 1000 sees what it would have seen."""
    in_order = numbered(250, 100, range(1, 30))
    for step in (29, 3, 14, 3):
        np.testing.assert_array_equal(numbered(250, 100, [step])[0], in_order[step - 1])
