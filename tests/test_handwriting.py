"""--read: a picture of a digit, however it was made, is brought into the form that MNIST has."""

import re
import sys

import numpy as np
import pytest
from conftest import CLASSIFIER, ROOT, SMALL, events, refused
from PIL import Image
from readme import edited
from test_edits import SIX

sys.path.insert(0, str(ROOT / "tests" / "benchmark"))
from handwriting import page_with


@pytest.fixture(scope="module")
def pages(mnist, tmp_path_factory):
    """Thirty test digits as thirty pages: (files, the digits)."""
    folder, random = tmp_path_factory.mktemp("pages"), np.random.RandomState(0)
    files = [folder / f"{i}.png" for i in range(30)]
    for number, file in enumerate(files):
        page_with(mnist.x_test[number], number % 3, random).save(file)
    return files, mnist.y_test[:30]


def test_pages_are_read_as_well_as_the_images_themselves(pages, load, mnist):
    files, digits = pages
    options = ("--n-hidden", 64, "--lr", 0.01, "--training-iters", 32000, "--xla", "off")
    net = load(CLASSIFIER, *options, "--read", *files)
    answers = re.findall(r"^(\d+)\.png: (\d+) \(([01]\.\d\d)\)$", net.out, re.MULTILINE)
    assert [int(number) for number, _, _ in answers] == list(range(30)), "in their order"
    right = np.array([int(digit) for _, digit, _ in answers]) == digits
    themselves = net.predictions[:30] == digits
    assert themselves.sum() >= 27 and right.sum() >= themselves.sum() - 2
    assert events(f"{net.run_dir}/train").Images("read")
    with Image.open(f"{net.run_dir}/read.png") as picture:
        assert picture.height == 100 * (1 + 17), "the first ten"


def test_a_digit_is_put_into_28_by_28_as_in_mnist(pages, load, mnist):
    """Bright on black, 20 pixels long, its centre of mass in the middle: near the image itself."""
    net = load(CLASSIFIER, *SMALL, "--training-iters", 0)
    differences = []
    for file, image in zip(pages[0], mnist.x_test):
        _, digit = net.read_picture(file)
        differences.append(np.abs(digit.astype(float) - image).mean())
        weights = digit / digit.sum()
        middle = weights.sum(1) @ np.arange(28), weights.sum(0) @ np.arange(28)
        np.testing.assert_allclose(middle, [14, 14], atol=0.75)
    assert np.mean(differences) < 12, "that of two digits is 40"


def test_colour_transparency_and_a_turned_camera(pages, load, mnist, tmp_path):
    """The same digit from a JPEG that EXIF turns, a blue pen, transparent paper, pure black."""
    net = load(CLASSIFIER, *SMALL, "--training-iters", 0)
    page = page_with(mnist.x_test[1], 1, np.random.RandomState(3)).convert("L")
    _, wanted = net.read_picture(save(page, tmp_path / "plain.png"))
    turned = Image.Exif()
    turned[0x0112] = 6
    blue = Image.merge("RGB", [page, page, Image.new("L", page.size, 255)])
    clear = Image.merge("RGBA", [Image.new("L", page.size)] * 3 + [page.point(lambda v: 255 - v)])
    for file in (
        save(page.rotate(90, expand=True), tmp_path / "turned.jpg", exif=turned, quality=95),
        save(blue, tmp_path / "blue.png"),
        save(clear, tmp_path / "clear.png"),
        save(page.convert("1"), tmp_path / "bits.png"),
    ):
        _, digit = net.read_picture(file)
        assert np.abs(digit.astype(float) - wanted).mean() < 8, file


def save(picture, file, **keywords):
    picture.save(file, **keywords)
    return file


def test_what_is_no_digit_is_told_before_training(load, capsys, tmp_path):
    white = save(Image.new("L", (400, 300), 255), tmp_path / "white.png")
    (tmp_path / "text.png").write_text("hello")
    for name, why in ("text", "cannot identify"), ("white", "no ink"), ("none", "No such file"):
        logdir = tmp_path / "logs"
        options = ("--read", tmp_path / f"{name}.png", "--logdir", logdir)
        sentence = refused(load, CLASSIFIER, capsys, *SMALL, *options)
        assert "--read" in sentence and f"{name}.png" in sentence and why in sentence
        assert not logdir.exists()
    assert white.exists()


def test_an_edited_network_and_a_restored_one_read_too(pages, load, small, tmp_path):
    script = edited(CLASSIFIER, SIX["14 columns of 56 rows"], tmp_path)
    net = load(script, *SMALL, "--data", small, "--training-iters", 1280)
    read = load(script, "--restore", net.run_dir, "--read", *pages[0][:2]).out
    assert len(re.findall(r"^[01]\.png: \d \(", read, re.MULTILINE)) == 2 and "Iter" not in read
