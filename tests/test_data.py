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


def fed(load, *options):
    """Run the classifier; return its names and the batches that its training steps were fed."""
    import tensorflow.compat.v1 as tf

    batches, run = [], tf.Session.run

    def record(sess, fetches, feed_dict=None):
        if isinstance(fetches, list) and isinstance(fetches[0], tf.Operation):
            images, labels = feed_dict.values()
            batches.append((images, labels))
            return None, np.zeros(labels.shape)  # a step without training
        return run(sess, fetches, feed_dict)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.Session, "run", record)
        return load(CLASSIFIER, *options), batches


@pytest.fixture(scope="module")
def epoch(load):
    """The classifier's names, and an epoch: ten batches of 5,500 images."""
    return fed(load, "--training-iters", 55000, "--batch-size", 5500)


def digests(images):
    return sorted(hashlib.md5(image.tobytes()).digest() for image in images)


def test_training_validation_and_test_images_are_kept_apart(epoch, mnist):
    """The first 5,000 training images validate; an epoch is the other 55,000, each once."""
    classifier, batches = epoch
    scaled = mnist.x_train.astype(np.float32) / 255
    assert digests(np.concatenate([images for images, _ in batches])) == digests(scaled[5000:])
    np.testing.assert_array_equal(classifier.x_validation, scaled[:1000])
    np.testing.assert_array_equal(classifier.x_test, mnist.x_test.astype(np.float32) / 255)


def test_each_image_keeps_its_label(epoch, mnist):
    classifier, batches = epoch
    label_of = dict(zip(map(bytes, mnist.x_train), mnist.y_train))
    for images, labels in batches:
        pixels = np.rint(images * 255).astype(np.uint8)
        assert [label_of[bytes(image)] for image in pixels] == labels.argmax(1).tolist()
    assert classifier.y_test.argmax(1).tolist() == mnist.y_test.tolist()


def test_pixels_lie_between_0_and_1_and_labels_are_one_hot(epoch):
    images, labels = epoch[1][0]
    assert images.shape == (5500, 28, 28) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1
    assert labels.shape == (5500, 10) and set(labels.ravel()) == {0, 1}
    assert (labels.sum(1) == 1).all()


def numbered(load, tmp_path, count, *options):
    """Run the classifier on `count` training images; return each batch as the images' numbers."""
    images = np.zeros((5000 + count, 28, 28), np.uint8)
    images[5000:] = np.arange(count).reshape(-1, 1, 1)  # an image's pixels are its number
    labels = np.zeros(len(images), np.uint8)
    few = {"x_test": images[:9], "y_test": labels[:9]}
    np.savez(tmp_path / "numbered.npz", x_train=images, y_train=labels, **few)
    _, batches = fed(load, "--data", tmp_path / "numbered.npz", *options)
    return [np.rint(images[:, 0, 0] * 255).astype(int) for images, _ in batches]


def test_no_image_comes_twice_in_an_epoch_and_a_batch_may_cross_its_end(load, tmp_path):
    """250 images, 100 a batch: the third batch has the last 50 of one epoch and 50 of the next."""
    options = ("--batch-size", 100, "--training-iters", 500)
    drawn = np.concatenate(numbered(load, tmp_path, 250, *options))
    first, second = drawn[:250], drawn[250:]
    assert sorted(first) == sorted(second) == list(range(250))
    assert list(first) != list(second), "each epoch is shuffled anew"
    assert list(first) != list(range(250))


def test_a_batch_may_be_larger_than_an_epoch(load, tmp_path):
    (batch,) = numbered(load, tmp_path, 30, "--batch-size", 100, "--training-iters", 100)
    assert sorted(np.bincount(batch)) == [3] * 20 + [4] * 10, "three epochs and a third"
