"""The data are MNIST, all of it and nothing else, and reach the network as the article says."""

import gzip
import hashlib
import re
import struct

import numpy as np
import pytest
from conftest import CLASSIFIER, SMALL, refused

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


def test_the_training_is_fed_these_batches(load, small):
    """Step 1, 2, ... in turn, and nothing else: recorded at the session."""
    import tensorflow.compat.v1 as tf

    fed, sess_run = [], tf.Session.run

    def record(sess, fetches, feed_dict=None):
        if isinstance(fetches, tf.Operation) and feed_dict:
            fed.append(list(feed_dict.values()))
        return sess_run(sess, fetches, feed_dict)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.Session, "run", record)
        options = (*SMALL, "--data", small, "--training-iters", 300, "--batch-size", 100)
        train = load(CLASSIFIER, *options).mnist.train
    assert len(fed) == 3
    for step, (images, labels) in enumerate(fed, 1):
        same_images, same_labels = train.next_batch(100, step)
        np.testing.assert_array_equal(images.reshape(100, 784), same_images)
        np.testing.assert_array_equal(labels, same_labels)


@pytest.fixture(scope="module")
def numbered(load, small):
    """Return batches as the numbers of their images, of a training set of so many."""
    net = load(CLASSIFIER, *SMALL, "--data", small, "--training-iters", 0)

    def numbered(count, batch_size, steps):
        images = np.tile(np.arange(count, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 28, 28))
        data = net.DataSet(images, np.zeros(count, int), 255)
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


# ---- the forms in which people have such data ----------------------------------------------------

FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@pytest.fixture(scope="module")
def arrays(mnist):
    """300 images to train and validate with, 60 to test with: {name: array}."""
    return {name: getattr(mnist, name)[: 300 if "train" in name else 60].copy() for name in FILES}


def idx(array):
    """An array as an IDX file has it."""
    header = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def folder(path, arrays, rename=lambda name: name, ending=""):
    """A folder with the four IDX files."""
    path.mkdir()
    for name, array in arrays.items():
        content = gzip.compress(idx(array)) if ending == ".gz" else idx(array)
        (path / (rename(FILES[name]) + ending)).write_bytes(content)
    return path


def npz(path, arrays, **others):
    """An .npz of the four arrays, some of them in another form; None leaves one out."""
    changed = {**arrays, **others}
    np.savez(path, **{name: array for name, array in changed.items() if array is not None})
    return path


def in_forms(arrays, path):
    """Yield what --data may be, for the same images."""
    x, x_test = arrays["x_train"], arrays["x_test"]
    labels = arrays["y_train"], arrays["y_test"]

    def images(change):
        return {"x_train": change(x), "x_test": change(x_test)}

    def digits(change):
        return {"y_train": change(labels[0]), "y_test": change(labels[1])}

    yield folder(path / "idx", arrays)
    yield folder(path / "gz", arrays, ending=".gz")
    yield folder(path / "dots", arrays, lambda name: name.replace("-idx", ".idx"))
    emnist = {"t10k": "test"}
    yield folder(
        path / "emnist",
        arrays,
        lambda name: "emnist-digits-" + emnist.get(name[:4], name[:4]) + name[4:],
        ".gz",
    )
    for name, others in {
        "flat": images(lambda x: x.reshape(-1, 784)),
        "channel-last": images(lambda x: x[..., np.newaxis]),
        "floats": images(lambda x: x / 255),
        "floats-to-255": images(lambda x: x.astype(np.float64)),
        "whole": images(lambda x: x.astype(np.int64)),
        "float-labels": digits(lambda y: y.astype(np.float32)),
        "a-column": digits(lambda y: y[:, np.newaxis]),
        "one-hot": digits(lambda y: np.eye(10)[y]),
    }.items():
        yield npz(path / f"{name}.npz", arrays, **others)


def test_every_form_of_the_same_images_trains_the_same_network(arrays, load, tmp_path, capsys):
    def lines(data):
        capsys.readouterr()
        load(CLASSIFIER, *SMALL, "--data", data, "--training-iters", 1280, "--lr", 0.01)
        return re.findall("^(?:Iter|Testing).*", capsys.readouterr().out, re.MULTILINE)

    expected = lines(npz(tmp_path / "plain.npz", arrays))
    assert len(expected) == 3 and "(all 60 images)" in expected[2]
    for data in in_forms(arrays, tmp_path):
        assert lines(data) == expected, data


def test_values_a_little_above_1_are_taken_as_they_are(arrays, load, tmp_path):
    """As a resize leaves them; and negative ones, of images that somebody has standardised."""
    for name, change in {
        "resized": lambda x: x / 255 * 1.02,
        "standardised": lambda x: x / 80 - 0.4,
    }.items():
        x = change(arrays["x_train"].astype(np.float32))
        data = npz(tmp_path / f"{name}.npz", arrays, x_train=x)
        net = load(CLASSIFIER, *SMALL, "--data", data, "--training-iters", 0)
        np.testing.assert_array_equal(net.mnist.validation.images, x[:30].reshape(30, 784))


def test_more_classes_and_as_few_as_ten_images(arrays, load, tmp_path, capsys):
    few = {name: array[:10] for name, array in arrays.items()}
    few["y_train"] = few["y_train"] + np.uint8(40)
    net = load(
        CLASSIFIER, *SMALL, "--data", npz(tmp_path / "few.npz", few), "--training-iters", 1280
    )
    assert net.n_classes == 50 and net.pred.shape.as_list() == [None, 50]
    assert len(net.mnist.train.digits) == 9 and len(net.mnist.validation.digits) == 1
    printed = capsys.readouterr().out
    assert "(all 10 images)" in printed and "rows.png is left out" in printed


def test_what_cannot_be_read_is_told_in_one_sentence(arrays, load, tmp_path, capsys):
    """What was found, and what is wanted; nothing is made."""
    logdir = tmp_path / "logs"
    made = iter(range(100))

    def assert_refused(data, *words):
        sentence = refused(load, CLASSIFIER, capsys, *SMALL, "--data", data, "--logdir", logdir)
        assert "--data takes an .npz of x_train" in sentence and str(data) in sentence
        for word in words:
            assert word in sentence, (word, sentence)
        assert not re.search("pickle|reshape|context|buffer", sentence), sentence

    def other(**others):
        return npz(tmp_path / f"{next(made)}.npz", arrays, **others)

    x, y = arrays["x_train"], arrays["y_train"]
    assert_refused(other(y_test=None), "x_train (300, 28, 28)", "x_test (60, 28, 28)")
    assert_refused(other(x_train=x[:, :20]), "(300, 20, 28)")
    assert_refused(other(x_train=x.astype(str)), "<U3")
    assert_refused(other(x_train=np.array([None] * 300)), "not of numbers")
    assert_refused(other(x_train=x[:9], y_train=y[:9]), "9 and 60 images")
    assert_refused(other(x_test=x[:0], y_test=y[:0]), "300 and 0 images")
    assert_refused(other(y_train=y[:299]), "(299,)")
    for labels in y + 0.5, y - 5.0, np.where(y == 3, np.nan, y), y.astype(str), np.ones((300, 3)):
        assert_refused(other(y_train=labels), "whole number", "(300")
    for pixel in np.nan, np.inf:
        assert_refused(other(x_train=np.where(x == 255, pixel, x)), "not finite")
    np.save(tmp_path / "one.npy", x)
    assert_refused(tmp_path / "one.npy", "one array", "(300, 28, 28)")
    (tmp_path / "text.npz").write_text("hello world")
    assert_refused(tmp_path / "text.npz", "hello")
    (tmp_path / "half.npz").write_bytes(other().read_bytes()[:100000])
    assert_refused(tmp_path / "half.npz", "PK")
    assert_refused(tmp_path / "none.npz", "No such file")
    images = folder(tmp_path / "broken", arrays, ending=".gz")
    for name in reversed(list(FILES.values())):
        file = images / f"{name}.gz"
        file.write_bytes(file.read_bytes()[:-20])
        assert_refused(images, name, "broken")
        file.unlink()
        assert_refused(images, name, "0 files")
    assert not logdir.exists()
