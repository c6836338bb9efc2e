"""--read: a picture of a digit, however it was made, is brought into the form that MNIST has."""

import re

import numpy as np
import pytest
from conftest import CLASSIFIER, SMALL, events, refused
from handwriting import page_with
from PIL import Image, ImageOps
from readme import EDITS, edited


@pytest.fixture(scope="module")
def net(load, mnist, tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("pages"), np.random.RandomState(0)
    pages = [folder / f"{i}.png" for i in range(30)]
    for i, page in enumerate(pages):
        page_with(mnist.x_test[i], i % 3, random).save(page)
    options = ("--n-hidden", 32, "--lr", 0.01, "--batch-size", 64, "--training-iters", 16000)
    return load(CLASSIFIER, *options, "--xla", "off", "--read", *pages, figures="saved")


def test_pages_are_read_as_well_as_the_images_themselves_and_look_like_them(net, mnist):
    """Bright on black, 28 by 28, 20 pixels long, the centre of mass in the middle."""
    answers = re.findall(r"(?m)^(\d+)\.png: (\d+) \([01]\.\d\d\)$", net.out)
    assert [int(number) for number, _ in answers] == list(range(30)), "in their order"
    themselves = sum(net.predictions[:30] == mnist.y_test[:30])
    right = sum(int(answer) == digit for (_, answer), digit in zip(answers, mnist.y_test))
    assert themselves >= 27 and right >= themselves - 2
    assert events(f"{net.run_dir}/train").Images("read")
    with Image.open(f"{net.run_dir}/read.png") as picture:
        assert picture.height == 100 * (1 + 17), "the first ten"
    digits = np.array([digit for _, digit in net.handwriting], float)
    assert np.abs(digits - mnist.x_test[:30]).mean() < 12, "that of two digits is 40"
    for digit in digits:
        middle = [np.average(range(28), weights=digit.sum(axis)) for axis in (0, 1)]
        np.testing.assert_allclose(middle, [14, 14], atol=0.75)


def test_colour_transparency_and_a_turned_camera(net, mnist, tmp_path):
    """The same digit from a JPEG that EXIF turns, a blue pen, transparent paper, pure black."""
    page = page_with(mnist.x_test[1], 1, np.random.RandomState(3)).convert("L")
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


def test_what_is_no_digit_is_told_before_training(load, capsys, tmp_path):
    Image.new("L", (400, 300), 255).save(tmp_path / "white.png")
    (tmp_path / "text.png").write_text("hello")
    for name, why in ("text", "cannot identify"), ("white", "no ink"), ("none", "No such file"):
        options = ("--read", tmp_path / f"{name}.png", "--logdir", tmp_path / "logs")
        sentence = refused(load, CLASSIFIER, capsys, *SMALL, *options)
        assert re.search(rf"--read.*{name}\.png.*{why}", sentence)
        assert not (tmp_path / "logs").exists()


def test_an_edited_network_and_a_restored_one_read_too(net, load, small, tmp_path):
    script = edited(CLASSIFIER, EDITS["14 columns of 56 rows"][1], tmp_path)
    run_dir = load(script, *SMALL, "--data", small, "--training-iters", 0).run_dir
    read = load(script, "--restore", run_dir, "--read", *net.args.read[:2]).out
    assert len(re.findall(r"(?m)^[01]\.png: \d \(", read)) == 2 and "Iter" not in read
