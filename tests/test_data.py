"""The data are MNIST, all of it and nothing else; other people's data are taken or refused."""

import gzip
import hashlib
import re
import struct
from unittest.mock import patch

import numpy as np
import pytest
from conftest import CLASSIFIER, SMALL, refused

pytestmark = pytest.mark.quick

ARRAYS = "x_train", "y_train", "x_test", "y_test"
FILES = {  # the SHA-256 of those that LeCun, Cortes and Burges published
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def idx(array):
    """An array as an IDX file has it: 0, 0, 8 (bytes), the number of axes, their lengths, ..."""
    return struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def net(load):
    return load(CLASSIFIER, *SMALL, "--training-iters", 0)


def test_the_published_images_are_kept_apart_and_keep_their_labels(net, mnist):
    """The first 5,000 training images validate, the other 55,000 are trained on."""
    for name, digest in zip(ARRAYS, FILES.values()):
        assert hashlib.sha256(idx(getattr(mnist, name))).hexdigest() == digest
    for data, x, y in (
        (net.mnist.validation, mnist.x_train[:5000], mnist.y_train[:5000]),
        (net.mnist.train, mnist.x_train[5000:], mnist.y_train[5000:]),
        (net.mnist.test, mnist.x_test, mnist.y_test),
    ):
        np.testing.assert_array_equal(data.images, x.reshape(-1, 784) / np.float32(255))
        np.testing.assert_array_equal(data.labels, np.eye(10)[y])


def test_the_training_is_fed_these_batches(net, load, small):
    """Step 1, 2, ... in turn, and nothing else: after `init`, the only operation that is run."""
    session, options = net.tf.Session, ("--training-iters", 300, "--batch-size", 100)
    with patch.object(session, "run", autospec=True, side_effect=session.run) as run:
        train = load(CLASSIFIER, *SMALL, "--data", small, *options).mnist.train
    calls = [call for call in run.call_args_list if isinstance(call[0][1], net.tf.Operation)]
    fed = [[array.tobytes() for array in call[1]["feed_dict"].values()] for call in calls[1:]]
    batches = [train.next_batch(100, step) for step in (1, 2, 3)]
    assert fed == [[array.tobytes() for array in batch] for batch in batches]


def test_no_image_comes_twice_in_an_epoch_and_a_step_always_has_the_same_batch(net):
    pixels = np.repeat(np.arange(250, dtype=np.uint8), 784).reshape(250, 28, 28)
    data = net.DataSet(pixels, np.arange(250), 1, 250)

    def numbers(batch_size, step):
        images, labels = data.next_batch(batch_size, step)
        np.testing.assert_array_equal(images[:, 0], labels.argmax(1), "with its label")
        return labels.argmax(1).tolist()

    batches = [numbers(100, step) for step in range(1, 30)]  # the third has images of two epochs
    drawn = np.concatenate(batches).tolist()
    first, second = drawn[:250], drawn[250:500]
    assert sorted(first) == sorted(second) == list(range(250))
    assert first != second and first != list(range(250)), "shuffled anew"
    assert set(np.bincount(numbers(750, 1))) == {3}, "three epochs in a batch"
    for step in (29, 3, 14, 3):  # a run that goes on there sees what it would have seen
        assert numbers(100, step) == batches[step - 1]


@pytest.fixture(scope="module")
def arrays(mnist):
    """300 images to train and validate with, 60 to test with: {name: array}."""
    return {name: getattr(mnist, name)[: 300 if "train" in name else 60] for name in ARRAYS}


@pytest.fixture
def folder(arrays, tmp_path):
    def folder(name, rename):  # makes one with the four IDX files
        (tmp_path / name).mkdir()
        for file, array in zip(map(rename, FILES), arrays.values()):
            (tmp_path / name / file).parent.mkdir(exist_ok=True)
            content = gzip.compress(idx(array)) if file.endswith(".gz") else idx(array)
            (tmp_path / name / file).write_bytes(content)
        return tmp_path / name

    return folder


@pytest.fixture
def npz(arrays, tmp_path):
    def npz(x=np.array, y=np.array, **others):  # x, y change all images, all labels; None: without
        changed = {k: {"x": x, "y": y}[k[0]](array) for k, array in arrays.items()}
        kept = {k: array for k, array in {**changed, **others}.items() if array is not None}
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.npz"
        np.savez(file, **kept)
        return file

    return npz


def test_every_form_of_the_same_images_is_the_same_data(net, npz, folder, arrays):
    expected = net.read_data_sets(folder("idx", str))
    for form in (
        folder("gz", "{}.gz".format),
        folder("emnist", lambda file: f"emnist-digits-{file.replace('t10k', 'test')}.gz"),
        folder("dots", lambda file: file.replace("-idx", ".idx")),
        folder("kaggle", lambda file: "{0}/{0}".format(file.replace("-idx", ".idx"))),
        *(
            npz(class_names=np.array(["zero", None])),
            npz(x=lambda x: x.reshape(-1, 784)),
            npz(x=lambda x: x[..., np.newaxis]),
        ),
        *(npz(x=lambda x: x / 255), npz(x=np.float64), npz(x=np.int64)),
        *(npz(y=np.float32), npz(y=lambda y: y[:, np.newaxis]), npz(y=lambda y: np.eye(10)[y])),
    ):
        found = net.read_data_sets(form)
        for part in "train", "validation", "test":
            for what in "images", "labels":
                one, other = (getattr(getattr(data, part), what) for data in (found, expected))
                np.testing.assert_array_equal(one, other, err_msg=str(form))
    for change in lambda x: x / 255 * 1.02, lambda x: x / 80 - 0.4:  # resized; standardised
        images = net.read_data_sets(npz(x=change)).validation.images
        wanted = change(arrays["x_train"][:30]).reshape(30, 784)
        np.testing.assert_array_equal(images, wanted.astype(np.float32), "taken as they are")


def test_more_classes_and_as_few_as_ten_images(load, npz, arrays):
    """Too few images to fit a probe: that picture is left out."""
    few = {name: array[:10] for name, array in arrays.items()}
    data = npz(**{**few, "y_train": few["y_train"] + np.uint8(40)})
    net = load(CLASSIFIER, *SMALL, "--data", data, "--training-iters", 1280)
    assert net.n_classes == 50 and net.pred.shape.as_list() == [None, 50]
    assert len(net.mnist.train.classes) == 9 and len(net.mnist.validation.classes) == 1
    assert "(all 10 images)" in net.out and "rows.png is left out" in net.out


def test_what_cannot_be_read_is_told_in_one_sentence(net, npz, folder, arrays, capsys):
    """What was found, and what is wanted."""

    def assert_refused(data, *words):
        sentence = refused(lambda *_: net.read_data_sets(str(data)), CLASSIFIER, capsys)
        for word in ("--data takes an .npz of x_train", str(data), *words):
            assert word in sentence, (word, sentence)
        assert not re.search("reshape|context|buffer|zero-size", sentence), sentence

    x, y = arrays["x_train"], arrays["y_train"]
    assert_refused(npz(y_test=None), "y_test is not a file in the archive")
    assert_refused(npz(x_train=x[:, :20]), "(300, 20, 28)")
    assert_refused(npz(x_train=x.astype(str)), "<U3")
    assert_refused(npz(x_train=np.array([None] * 300)), "Object arrays")
    assert_refused(npz(x_train=x[:9], y_train=y[:9]), "9 images, where 10 are the least")
    assert_refused(npz(x_test=x[:0], y_test=y[:0]), "0 images, where 1 are the least")
    assert_refused(npz(y_train=y[:299]), "(299,)")
    wrong = y + 0.5, np.where(y == 3, np.nan, y), y - 5.0, y * 1e9, y.astype(str), np.ones((300, 3))
    for labels in wrong:
        assert_refused(npz(y_train=labels), "whole number from 0 to 1000", "(300")
    assert_refused(npz(x_test=arrays["x_test"] / 255), "divided by 255, test pixels by 1")
    wider = folder("wider", str)
    file = wider / "t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes().replace(b"\0\0\10", b"\0\0\11", 1))
    assert_refused(wider, file.name, "does not consist of bytes")
    for pixel in np.nan, np.inf:
        assert_refused(npz(x_train=np.where(x == 255, pixel, x)), "not finite")
    file = npz()
    for content in file.read_bytes()[:100000], b"hello world":
        file.write_bytes(content)
        assert_refused(file, "not a zip file")
    file.unlink()
    assert_refused(file, "No such file")
    np.save(file.with_suffix(".npy"), x)
    assert_refused(file.with_suffix(".npy"), "not a zip file")
    images = folder("gz", "{}.gz".format)
    for name in reversed(list(FILES)):
        file = images / f"{name}.gz"
        file.write_bytes(file.read_bytes()[:-20])
        assert_refused(images, name, "broken")
        file.unlink()
        assert_refused(images, name, "0 files")
