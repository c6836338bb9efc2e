"""The data are MNIST, all of it and nothing else; other people's data are taken or refused."""

import gzip
import hashlib
import re
import struct

import numpy as np
import pytest
from conftest import CLASSIFIER, SMALL, refused

pytestmark = pytest.mark.quick

# what the files are called, and the SHA-256 of those that LeCun, Cortes and Burges published
FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
DIGESTS = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def idx(array):
    """An array as an IDX file has it: 0, 0, 8 (bytes), the number of axes, their lengths, ..."""
    header = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def test_the_arrays_are_the_published_files(mnist):
    for name, digest in DIGESTS.items():
        assert hashlib.sha256(idx(getattr(mnist, name))).hexdigest() == digest


@pytest.fixture(scope="module")
def net(load):
    return load(CLASSIFIER, *SMALL, "--training-iters", 0)


@pytest.fixture(scope="module")
def epoch(net):
    """An epoch: ten batches of 5,500 images."""
    return [net.mnist.train.next_batch(5500, step) for step in range(1, 11)]


def test_training_validation_and_test_images_are_kept_apart(net, epoch, mnist):
    """The first 5,000 training images validate; an epoch is the other 55,000, each once."""
    scaled = mnist.x_train.reshape(-1, 784).astype(np.float32) / 255
    np.testing.assert_array_equal(net.mnist.validation.images, scaled[:5000])
    np.testing.assert_array_equal(net.mnist.test.images * 255, mnist.x_test.reshape(-1, 784))
    images = np.concatenate([images for images, _ in epoch])
    assert sorted(map(bytes, images)) == sorted(map(bytes, scaled[5000:]))


def test_each_image_keeps_its_label_which_is_one_hot(net, epoch, mnist):
    label_of = dict(zip(map(bytes, mnist.x_train), mnist.y_train))
    for images, labels in epoch:
        assert images.dtype == np.float32 and images.min() == 0 and images.max() == 1
        assert set(labels.ravel()) == {0, 1} and (labels.sum(1) == 1).all()
        pixels = np.rint(images * 255).astype(np.uint8)
        assert [label_of[bytes(image)] for image in pixels] == labels.argmax(1).tolist()
    assert net.mnist.test.labels.argmax(1).tolist() == mnist.y_test.tolist()


def test_the_training_is_fed_these_batches(load, small, monkeypatch):
    """Step 1, 2, ... in turn, and nothing else: recorded at the session."""
    import tensorflow.compat.v1 as tf

    fed, sess_run = [], tf.Session.run

    def record(sess, fetches, feed_dict=None):
        if isinstance(fetches, tf.Operation) and feed_dict:
            fed.append(list(feed_dict.values()))
        return sess_run(sess, fetches, feed_dict)

    monkeypatch.setattr(tf.Session, "run", record)
    options = (*SMALL, "--data", small, "--training-iters", 300, "--batch-size", 100)
    train = load(CLASSIFIER, *options).mnist.train
    assert len(fed) == 3
    for step, (images, labels) in enumerate(fed, 1):
        same_images, same_labels = train.next_batch(100, step)
        np.testing.assert_array_equal(images.reshape(100, 784), same_images)
        np.testing.assert_array_equal(labels, same_labels)


@pytest.fixture(scope="module")
def numbered(net):
    """Return batches as the numbers of their images, of a training set of so many."""

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
    assert list(first) != list(second) and list(first) != list(range(250)), "shuffled anew"
    (batch,) = numbered(30, 100, [1])
    assert sorted(np.bincount(batch)) == [3] * 20 + [4] * 10, "three epochs and a third"


def test_a_step_has_the_same_batch_whenever_it_is_asked_for(numbered):
    """So that a run that goes on at step 1000 sees what it would have seen."""
    in_order = numbered(250, 100, range(1, 30))
    for step in (29, 3, 14, 3):
        np.testing.assert_array_equal(numbered(250, 100, [step])[0], in_order[step - 1])


# ---- the forms in which people have such data ----------------------------------------------------


@pytest.fixture(scope="module")
def arrays(mnist):
    """300 images to train and validate with, 60 to test with: {name: array}."""
    return {name: getattr(mnist, name)[: 300 if "train" in name else 60].copy() for name in FILES}


@pytest.fixture
def folder(arrays, tmp_path):
    """Make a folder with the four IDX files."""

    def folder(name, ending="", rename=lambda name: name):
        (tmp_path / name).mkdir()
        for file, array in zip(FILES.values(), arrays.values()):
            content = gzip.compress(idx(array)) if ending == ".gz" else idx(array)
            (tmp_path / name / (rename(file) + ending)).write_bytes(content)
        return tmp_path / name

    return folder


@pytest.fixture
def npz(arrays, tmp_path):
    """Make an .npz of the four arrays; x, y change images and labels, None leaves one out."""

    def npz(name="plain", x=None, y=None, **others):
        changed = {k: ({"x": x, "y": y}[k[0]] or np.array)(array) for k, array in arrays.items()}
        changed.update(others)
        kept = {name: array for name, array in changed.items() if array is not None}
        np.savez(tmp_path / f"{name}.npz", **kept)
        return tmp_path / f"{name}.npz"

    return npz


def test_every_form_of_the_same_images_is_the_same_data(net, npz, folder):
    expected = net.read_data_sets(npz())
    emnist = lambda file: "emnist-digits-" + file.replace("t10k", "test")  # noqa: E731
    for form in (
        *(folder("idx"), folder("gz", ".gz"), folder("emnist", ".gz", emnist)),
        folder("dots", rename=lambda name: name.replace("-idx", ".idx")),
        npz("flat", x=lambda x: x.reshape(-1, 784)),
        npz("channel-last", x=lambda x: x[..., np.newaxis]),
        npz("floats", x=lambda x: x / 255),
        npz("floats to 255", x=lambda x: x.astype(np.float64)),
        npz("whole", x=lambda x: x.astype(np.int64)),
        npz("float labels", y=lambda y: y.astype(np.float32)),
        npz("a column", y=lambda y: y[:, np.newaxis]),
        npz("one-hot", y=lambda y: np.eye(10)[y]),
    ):
        data = net.read_data_sets(str(form))
        assert data.n_classes == 10
        for part in "train", "validation", "test":
            for kind in "images", "labels":
                found, wanted = (getattr(getattr(d, part), kind) for d in (data, expected))
                np.testing.assert_array_equal(found, wanted, err_msg=str(form))


def test_a_folder_prints_the_lines_of_the_npz(load, npz, folder):
    lines = []
    for data in npz(), folder("gz", ".gz"):
        out = load(CLASSIFIER, *SMALL, "--data", data, "--training-iters", 1280).out
        lines.append(re.findall("^(?:Iter|Testing).*", out, re.MULTILINE))
    assert lines[0] == lines[1] and len(lines[0]) == 3 and "(all 60 images)" in lines[0][2]


def test_values_a_little_above_1_are_taken_as_they_are(net, npz, arrays):
    """As a resize leaves them; and negative ones, of images that somebody has standardised."""
    for change in lambda x: x / 255 * 1.02, lambda x: x / 80 - 0.4:
        images = net.read_data_sets(npz(x=change)).validation.images
        wanted = change(arrays["x_train"][:30]).reshape(30, 784)
        np.testing.assert_array_equal(images, wanted.astype(np.float32))


def test_more_classes_and_as_few_as_ten_images(load, npz, arrays):
    """Too few images to fit a probe: that picture is left out."""
    few = {name: array[:10] for name, array in arrays.items()}
    data = npz(**{**few, "y_train": few["y_train"] + np.uint8(40)})
    net = load(CLASSIFIER, *SMALL, "--data", data, "--training-iters", 1280)
    assert net.n_classes == 50 and net.pred.shape.as_list() == [None, 50]
    assert len(net.mnist.train.digits) == 9 and len(net.mnist.validation.digits) == 1
    assert "(all 10 images)" in net.out and "rows.png is left out" in net.out


def test_what_cannot_be_read_is_told_in_one_sentence(net, load, npz, folder, arrays, capsys):
    """What was found, and what is wanted; nothing is made."""
    data = npz(x_test=None)
    logdir = data.parent / "logs"
    words = refused(load, CLASSIFIER, capsys, "--data", data, "--logdir", logdir)
    assert "(60,)" in words and not logdir.exists()

    def assert_refused(data, *words):
        read = lambda *_: net.read_data_sets(str(data))  # noqa: E731
        sentence = refused(read, CLASSIFIER, capsys)
        assert "--data takes an .npz of x_train" in sentence and str(data) in sentence
        for word in words:
            assert word in sentence, (word, sentence)
        assert not re.search("pickle|reshape|context|buffer", sentence), sentence

    x, y = arrays["x_train"], arrays["y_train"]
    assert_refused(npz(y_test=None), "x_train (300, 28, 28)", "x_test (60, 28, 28)")
    assert_refused(npz(x_train=x[:, :20]), "(300, 20, 28)")
    assert_refused(npz(x_train=x.astype(str)), "<U3")
    assert_refused(npz(x_train=np.array([None] * 300)), "of numbers")
    assert_refused(npz(x_train=x[:9], y_train=y[:9]), "9 and 60 images")
    assert_refused(npz(x_test=x[:0], y_test=y[:0]), "300 and 0 images")
    assert_refused(npz(y_train=y[:299]), "(299,)")
    for labels in y + 0.5, y - 5.0, np.where(y == 3, np.nan, y), y.astype(str), np.ones((300, 3)):
        assert_refused(npz(y_train=labels), "whole number", "(300")
    for pixel in np.nan, np.inf:
        assert_refused(npz(x_train=np.where(x == 255, pixel, x)), "not finite")
    one, text, half = (data.parent / name for name in ("one.npy", "text.npz", "half.npz"))
    np.save(one, x)
    assert_refused(one, "one array", "(300, 28, 28)")
    text.write_text("hello world")
    assert_refused(text, "hello")
    half.write_bytes(npz().read_bytes()[:100000])
    assert_refused(half, "PK")
    assert_refused(data.parent / "none.npz", "No such file")
    images = folder("broken", ".gz")
    for name in reversed(list(FILES.values())):
        file = images / f"{name}.gz"
        file.write_bytes(file.read_bytes()[:-20])
        assert_refused(images, name, "broken")
        file.unlink()
        assert_refused(images, name, "0 files")
