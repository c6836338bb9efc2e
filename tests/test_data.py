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
def classifier(load):
    """The classifier's names, untrained; 5,500 images a batch: ten batches are an epoch."""
    return load(CLASSIFIER, "--training-iters", 0, "--batch-size", 5500)


def digests(images):
    return sorted(hashlib.md5(image.tobytes()).digest() for image in images)


def test_training_validation_and_test_images_are_kept_apart(classifier, mnist):
    """The first 5,000 training images validate; an epoch is the other 55,000, each once."""
    epoch = np.concatenate([next(classifier.train_batches)[0] for _ in range(10)])
    scaled = mnist.x_train.astype(np.float32) / 255
    assert digests(epoch) == digests(scaled[5000:])
    np.testing.assert_array_equal(classifier.x_validation, scaled[:1000])
    np.testing.assert_array_equal(classifier.x_test, mnist.x_test.astype(np.float32) / 255)


def test_each_image_keeps_its_label(classifier, mnist):
    label_of = dict(zip(map(bytes, mnist.x_train), mnist.y_train))
    images, labels = next(classifier.train_batches)
    pixels = np.rint(images * 255).astype(np.uint8)
    assert [label_of[bytes(image)] for image in pixels] == labels.argmax(1).tolist()
    assert classifier.y_test.argmax(1).tolist() == mnist.y_test.tolist()


def test_pixels_lie_between_0_and_1_and_labels_are_one_hot(classifier):
    images, labels = next(classifier.train_batches)
    assert images.shape == (5500, 28, 28) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1
    assert labels.shape == (5500, 10) and set(labels.ravel()) == {0, 1}
    assert (labels.sum(1) == 1).all()


def test_no_image_comes_twice_in_an_epoch_and_a_batch_may_cross_its_end(load):
    """250 images, 100 a batch: the third batch has the last 50 of one epoch and 50 of the next."""
    batches = load(CLASSIFIER, "--training-iters", 0, "--batch-size", 100).batches
    numbers = np.arange(250)
    stream = batches(numbers, numbers)
    drawn = np.concatenate([next(stream)[1] for _ in range(5)])
    first, second = drawn[:250], drawn[250:]
    assert sorted(first) == sorted(second) == list(range(250))
    assert list(first) != list(second), "each epoch is shuffled anew"
    assert list(first) != list(range(250))


def test_a_batch_may_be_larger_than_an_epoch(load):
    batches = load(CLASSIFIER, "--training-iters", 0, "--batch-size", 100).batches
    images, labels = next(batches(np.arange(30), np.arange(30)))
    assert sorted(np.bincount(labels)) == [3] * 20 + [4] * 10, "three epochs and a third"
    np.testing.assert_array_equal(np.rint(images * 255), labels)
