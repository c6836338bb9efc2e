"""--read: a picture of a digit, however it was made, is brought into the form that MNIST has."""

import re

import numpy as np
import pytest
from conftest import CLASSIFIER, SMALL, events, refused
from handwriting import page_with, spoilt
from network import restored
from PIL import Image, ImageOps
from readme import EDITS, edited


@pytest.fixture(scope="module")
def net(load, mnist, tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("pages"), np.random.RandomState(0)
    pages = [folder / f"{i}.png" for i in range(30)]
    for i, page in enumerate(pages):
        page_with(mnist.x_test[10 + i], i % 3, random).save(page)  # 8 is a 5 in two pieces
    options = ("--n-hidden", 32, "--lr", 0.01, "--batch-size", 64, "--training-iters", 16000)
    return load(CLASSIFIER, *options, "--xla", "off", "--read", *pages, drawn=True)


def test_pages_are_read_as_well_as_the_images_themselves_and_look_like_them(net, mnist):
    """Bright on black, 28 by 28, 20 pixels long, the centre of mass in the middle."""
    answers = re.findall(r"(?m)^(\d+)\.png: (\d+) \([01]\.\d\d\)$", net.out)
    assert [int(number) for number, _ in answers] == list(range(30)), "in their order"
    themselves = sum(net.predictions[10:40] == mnist.y_test[10:40])
    right = sum(int(answer) == digit for (_, answer), digit in zip(answers, mnist.y_test[10:]))
    assert themselves >= 27 and right >= themselves - 2
    assert events(f"{net.run_dir}/train").Images("read")
    with Image.open(f"{net.run_dir}/read.png") as picture:
        assert picture.height == 100 * (1 + 17), "the first ten"
    digits = np.array([digit for _, digit in net.handwriting], float)
    assert np.abs(digits - mnist.x_test[10:40]).mean() < 12, "that of two digits is 40"
    for digit in digits:
        middle = [np.average(range(28), weights=digit.sum(axis)) for axis in (0, 1)]
        np.testing.assert_allclose(middle, [14, 14], atol=0.75)


def test_colour_transparency_and_a_turned_camera(net, mnist, tmp_path):
    """The same digit from a JPEG that EXIF turns, a blue pen, transparent paper, pure black."""
    page = page_with(mnist.x_test[1], 1, np.random.RandomState(0)).convert("L")
    black, white = (Image.new("L", page.size, value) for value in (0, 255))
    turned = Image.Exif()
    turned[0x0112] = 6
    page.save(tmp_path / "plain.png")
    page.rotate(90, expand=True).save(tmp_path / "turned.jpg", exif=turned, quality=95)
    page.convert("1").save(tmp_path / "bits.png")
    Image.merge("RGB", [page, page, white]).save(tmp_path / "blue.png")
    Image.merge("RGBA", [black] * 3 + [ImageOps.invert(page)]).save(tmp_path / "clear.png")
    _, wanted = net.read_picture(tmp_path / "plain.png")
    for file in tmp_path.iterdir():
        _, digit = net.read_picture(file)
        assert np.abs(digit.astype(float) - wanted).mean() < 8, file


AROUND = "frame of one pixel", "speck", "strip of desk", "punched hole", "ruled", "pencil"
AROUND += "screenshot with round corners", "16-bit PNG", "16-bit TIFF", "1 % of the page"


@pytest.mark.parametrize("kind", AROUND)
def test_what_surrounds_the_digit_is_not_read(kind, net, mnist, tmp_path):
    """It looks like the image that it was made from; the box of all ink would be another one."""
    for seed in range(3):
        image, random = mnist.x_test[seed], np.random.RandomState(seed)
        _, digit = net.read_picture(spoilt(kind, image, image, random, tmp_path))
        assert np.abs(digit - image.astype(float)).mean() < 20, "that of two digits is 40"


def test_what_is_no_digit_is_told_before_training(net, load, mnist, capsys, tmp_path):
    """One sentence: the file, what was found, what is wanted."""
    Image.new("L", (400, 300), 255).save(tmp_path / "white.png")
    (tmp_path / "text.png").write_text("hello")
    for name, why in ("text", "cannot identify"), ("white", "no ink"), ("none", "No such file"):
        sentence = refused(load, CLASSIFIER, capsys, *SMALL, "--read", tmp_path / f"{name}.png")
        assert re.search(rf"--read.*{name}\.png.*{why}.*one digit on blank paper", sentence)
    for seed in range(5):
        pair = (*mnist.x_test[[seed, seed + 5]], np.random.RandomState(seed), tmp_path)
        with pytest.raises(ValueError, match="pieces of ink: 2"):
            net.read_picture(spoilt("two digits", *pair))


@pytest.mark.parametrize(
    "change", [lambda x: x / 80 - 0.4, lambda x: x // 16, lambda x: np.uint16(x) * 257, np.invert]
)
def test_a_digit_gets_the_range_of_the_training_images(change, net, mnist, load, tmp_path):
    """Standardised, 0 to 16, 16 bits, white paper: what the network sees is what it has seen."""
    arrays = {name: array[:300] for name, array in vars(mnist).items()}
    arrays.update(x_train=change(arrays["x_train"]), x_test=change(arrays["x_test"]))
    np.savez(tmp_path / "data.npz", **arrays)
    other = load(CLASSIFIER, *SMALL, "--data", tmp_path / "data.npz", "--training-iters", 0)
    restored(other)
    with other.graph.as_default():
        expected = other.run_in_batches(other.tf.nn.softmax(other.pred), other.mnist.test, 300)
        found = other.probabilities_of(mnist.x_test[:300])
    atol = 0.05 if arrays["x_test"].max() == 15 else 1e-3  # 0 to 15 is rougher than 0 to 255
    np.testing.assert_allclose(found, expected, atol=atol)


def test_an_edited_network_and_a_restored_one_read_too(net, load, small, tmp_path):
    script = edited(CLASSIFIER, EDITS["14 columns of 56 rows"][1], tmp_path)
    run_dir = load(script, *SMALL, "--data", small, "--training-iters", 0).run_dir
    read = load(script, "--restore", run_dir, "--read", *net.args.read[:2]).out
    assert len(re.findall(r"(?m)^[01]\.png: \d \(", read)) == 2 and "Iter" not in read
