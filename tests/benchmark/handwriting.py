"""How well does --read read? 200 test digits are made into pages such as people have.

    python tests/benchmark/handwriting.py          # five trainings, about four minutes

A third of the pages is bright on dark, a third dark on bright, a third on grey, uneven, noisy
paper; some of the first two are transparent. Each is read by the script as a user types it, and
once more by copies of it that do not put the ink's centre of mass into the middle.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "mnist_lstm_classifier.py"
KINDS = "bright on dark", "dark on bright", "grey, uneven, noisy paper"
CENTRED = "(round(float(14 - left)), round(float(14 - top)))"
NOT_CENTRED = {  # by the middle of the ink's box; four pixels to the left and up of it
    "by its box": "(14 - ink.width // 2, 14 - ink.height // 2)",
    "4 pixels off": "(10 - ink.width // 2, 10 - ink.height // 2)",
}


def page_with(digit, kind, random):
    """Return a picture of 320 to 700 pixels with a digit of 90 to 300 pixels anywhere on it."""
    side = random.randint(90, 301)
    height, width = random.randint(max(320, side), 701, 2)
    left, top = random.randint(width - side + 1), random.randint(height - side + 1)
    ink = np.zeros((height, width))
    large = Image.fromarray(digit).resize((side, side), Image.BICUBIC)
    ink[top : top + side, left : left + side] = np.asarray(large) / 255
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
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


def run(*options, script=SCRIPT):
    command = [sys.executable, str(script), *map(str, options)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def answers(*options, **keywords):
    """Return what a run answers to the files of --read, in their order."""
    return np.array(re.findall(r"\.png: (\d+) \(", run(*options, **keywords)), int)


def main(folder, count=200, seeds=5):
    with np.load(ROOT / "data" / "mnist.npz") as npz:
        arrays = dict(npz)
    random = np.random.RandomState(0)
    chosen = random.permutation(10000)[:count]
    images, digits = arrays["x_test"][chosen], arrays["y_test"][chosen]
    np.savez(folder / "chosen.npz", **{**arrays, "x_test": images, "y_test": digits})
    kinds = np.arange(count) % 3
    pages = [folder / f"{i}.png" for i in range(count)]
    for page, image, kind in zip(pages, images, kinds):
        page_with(image, kind, random).save(page)
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.count(CENTRED) == 1
    copies = []
    for place in NOT_CENTRED.values():
        copies.append(folder / f"{len(copies)}.py")
        copies[-1].write_text(text.replace(CENTRED, place), encoding="utf-8")

    print(
        f"| seed | the {count} test images | their pages | {' | '.join([*KINDS, *NOT_CENTRED])} |"
    )
    print("|---" * 8 + "|")
    for seed in range(seeds):
        told = run("--seed", seed, "--data", ROOT / "data" / "mnist.npz", "--logdir", folder)
        restore = ("--restore", re.search("This run is in (.*)", told)[1])
        (themselves,) = re.findall(
            r"\(all \d+ images\): (\S+)", run(*restore, "--data", folder / "chosen.npz")
        )
        right = answers(*restore, "--read", *pages) == digits
        parts = [right[kinds == kind].mean() for kind in range(3)]
        others = [answers(*restore, "--read", *pages, script=copy) for copy in copies]
        others = [(other == digits).mean() for other in others]
        row = [float(themselves), right.mean(), *parts, *others]
        print(f"| {seed} | {' | '.join(f'{value:.3f}' for value in row)} |", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(Path(made))
