"""How well does --read read? Test digits are made into pages such as people photograph.

    python tests/benchmark/handwriting.py          # five trainings, about five minutes

Of each kind there are 20 pages a seed; a page is right, refused or wrong. The last two lines are
the three kinds of clean pages once more, with the digit not put into the middle by its centre of
mass.
"""

import io
import os
import runpy
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from network import restored
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "mnist_lstm_classifier.py"
CLEAN = "bright on dark", "dark on bright", "grey, uneven, noisy paper"
CENTRED = "(round(float(14 - column)), round(float(14 - row)))"
NOT_CENTRED = {  # by the middle of the ink's box; four pixels to the left and up of it
    "clean, by the box": "(14 - ink.width // 2, 14 - ink.height // 2)",
    "clean, 4 pixels off": "(10 - ink.width // 2, 10 - ink.height // 2)",
}


def ink_on(size, digit, side, random):
    """Return ink, from 0 to 1, of a size (height, width), with a digit of this side anywhere."""
    top, left = (random.randint(length // 12, length - side - length // 12) for length in size)
    ink = np.zeros(size)
    large = Image.fromarray(digit).resize((side, side), Image.BICUBIC)
    ink[top : top + side, left : left + side] = np.asarray(large) / 255
    return ink


def page_with(digit, kind, random):
    """Return a clean page, of a kind of CLEAN, with a digit of 90 to 300 pixels."""
    side = random.randint(90, 301)
    size = tuple(random.randint(side + 120, 701, 2))
    ink = ink_on(size, digit, side, random)
    y, x = np.mgrid[-0.5 : 0.5 : size[0] * 1j, -0.5 : 0.5 : size[1] * 1j]
    slope = random.uniform(-60, 60, 2)
    paper = random.uniform(130, 200) + slope[0] * x + slope[1] * y
    darker, noise = random.uniform(0.5, 0.85), random.uniform(3, 10)
    grey = paper * (1 - darker * ink) + random.normal(0, noise, ink.shape)
    page = [255 * ink, 255 - 255 * ink, grey][kind]
    page = Image.fromarray(np.uint8(page.clip(0, 255)))
    if kind < 2 and random.rand() < 0.3:
        colour = Image.new("L", page.size, int(255 * (1 - kind)))
        page = Image.merge("LA", [colour, Image.fromarray(np.uint8(255 * ink))])
    return page


def photograph(digit, random, size=(480, 640), side=None, darker=0.75, ink_filter=None, other=None):
    """Return grey values (height, width) of a page that is lit from one side, with a digit."""
    side = side or random.randint(140, 260)
    ink = ink_on(size, digit, side, random)
    if other is not None:  # a second digit, in the other half
        halves = [ink_on((size[0], size[1] // 2), one, side, random) for one in (digit, other)]
        ink = np.hstack(halves)
    if ink_filter:
        ink = np.asarray(Image.fromarray(np.uint8(255 * ink)).filter(ink_filter)) / 255
    light = np.linspace(1, random.uniform(0.75, 1), size[1])
    return 215 * light * (1 - darker * ink) + random.normal(0, 3, size)


def spoilt(name, digit, other, random, folder):
    """Save a page of a kind of SPOILT; return its file."""
    how = {
        "pencil": {"darker": 0.3, "ink_filter": ImageFilter.MinFilter(5)},
        "thick marker": {"ink_filter": ImageFilter.MaxFilter(9)},
        "two digits": {"other": other},
        "1 % of the page": {"side": 56},
        "12 megapixels": {"size": (3000, 4000), "side": random.randint(700, 1600)},
    }
    grey = photograph(digit, random, **how.get(name, {}))
    height, width = grey.shape
    if name == "frame of one pixel":
        grey[[0, -1]] = grey[:, [0, -1]] = 40
    if name == "strip of desk":
        grey[:, -random.randint(10, 40) :] *= 0.4
    if name in ("ruled", "squared"):
        for axis in range(1 if name == "ruled" else 2):
            grey.swapaxes(0, axis)[20 :: random.randint(30, 45)] *= 0.75
    if name == "hard shadow":
        grey[:, : random.randint(60, width - 60)] *= 0.6
    if name in ("16-bit PNG", "16-bit TIFF"):
        page = Image.fromarray(np.uint16(grey.clip(0, 255) * 257))
    else:
        page = Image.fromarray(np.uint8(grey.clip(0, 255)))
    spots = {"speck": (3, random.randint(30, 450)), "punched hole": (16, random.randint(60, 420))}
    if name in spots:
        radius, y = spots[name]
        ImageDraw.Draw(page).ellipse((28 - radius, y - radius, 28 + radius, y + radius), fill=60)
    if name == "screenshot with round corners":
        window = Image.new("L", page.size)
        ImageDraw.Draw(window).rounded_rectangle((0, 0, width - 1, height - 1), 24, fill=255)
        page = Image.merge("RGBA", [page, page, page, window])
    ending = {"16-bit TIFF": "tif", "JPEG of quality 10": "jpg"}.get(name, "png")
    file = os.path.join(folder, f"page.{ending}")
    page.save(file, **({"quality": 10} if ending == "jpg" else {}))
    return file


SPOILT = "plain", "frame of one pixel", "speck", "strip of desk", "ruled", "squared", "two digits"
SPOILT += "screenshot with round corners", "punched hole", "1 % of the page", "hard shadow"
SPOILT += "16-bit PNG", "16-bit TIFF", "pencil", "thick marker", "JPEG of quality 10"
SPOILT += ("12 megapixels",)


def run(script, *options):
    """Run a script in this process; return its names, with a session that has the weights."""
    sys.argv = [str(script), *map(str, options)]
    with redirect_stdout(io.StringIO()):
        net = SimpleNamespace(**runpy.run_path(str(script), run_name="__main__"))
    restored(net)
    return net


def count(net, files, labels):
    """Return how many files are read right, refused, and wrong: (3,)."""
    digits, expected = [], []
    for file, label in zip(files, labels):
        try:
            digits.append(net.read_picture(file)[1])
            expected.append(label)
        except ValueError:
            pass
    right = 0
    if digits:
        right = (net.probabilities_of(np.array(digits)).argmax(1) == expected).sum()
    return np.array([right, len(labels) - len(digits), len(digits) - right])


def main(folder, seeds=5, pages=20):
    with np.load(ROOT / "data" / "mnist.npz") as npz:
        images, labels = npz["x_test"], npz["y_test"].astype(int)
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.count(CENTRED) == 1
    found = {name: np.zeros((seeds, 3), int) for name in (*CLEAN, *SPOILT, *NOT_CENTRED)}
    for seed in range(seeds):
        data = ("--data", ROOT / "data" / "mnist.npz", "--logdir", folder)
        net = run(SCRIPT, "--seed", seed, *data)
        random = np.random.RandomState(seed)
        clean, chosen = [], random.permutation(10000)[: 3 * pages]
        for i, name in zip(chosen, np.repeat(range(3), pages)):
            clean.append(os.path.join(folder, f"{i}.png"))
            page_with(images[i], name, random).save(clean[-1])
        for i, name in enumerate(CLEAN):
            part = slice(i * pages, (i + 1) * pages)
            found[name][seed] = count(net, clean[part], labels[chosen[part]])
        for name in SPOILT:
            for i, other in random.randint(10000, size=(pages, 2)):
                file = spoilt(name, images[i], images[other], random, folder)
                label = -1 if name == "two digits" else labels[i]  # no answer is right
                found[name][seed] += count(net, [file], [label])
        for name, place in NOT_CENTRED.items():
            copy = os.path.join(folder, "copy.py")
            Path(copy).write_text(text.replace(CENTRED, place), encoding="utf-8")
            others = run(copy, "--restore", net.run_dir, *data[:2])
            found[name][seed] = count(others, clean, labels[chosen])
    print("| pages | right, seeds 0 to 4 | right | refused | wrong |\n|---|---|---|---|---|")
    for name, of_seeds in found.items():
        each = " ".join(f"{one[0] / one.sum():.2f}" for one in of_seeds)
        shares = " | ".join(f"{share:.1%}" for share in of_seeds.sum(0) / of_seeds.sum())
        print(f"| {name} | {each} | {shares} |")
    told = sum(found[name].sum(0) for name in SPOILT)
    shares = " | ".join(f"{share:.1%}" for share in told / told.sum())
    print(f"| all from {SPOILT[0]} to {SPOILT[-1]} | | {shares} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(made)
