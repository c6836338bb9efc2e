"""The README, and the six edits that it shows, as pairs of (lines, other lines) of a listing."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HALVES = README.split("\n# 在今天的")  # English, Chinese


def edits(half):
    """Return [(script's name, [(lines, other lines), ...]), ...] of the half's blocks of `diff`."""
    found = []
    for block in re.findall(r"^```diff\n(.*?)^```", half, re.MULTILINE | re.DOTALL):
        hunks = [hunk.splitlines() for hunk in block.strip("\n").split("\n\n")]
        sides = [
            [[line[1:] for line in hunk if line[0] != sign] for sign in "+-"] for hunk in hunks
        ]
        pairs = [tuple("\n".join(lines) for lines in side) for side in sides]
        regression = "cosx" in block
        script = "sin_cos_regression.py" if regression else "mnist_lstm_classifier.py"
        found.append((script, pairs))
    return found


NAMES = "GRU", "two layers", "dropout", "another loss", "14 columns of 56 rows", "another function"
EDITS = dict(zip(NAMES, edits(HALVES[0])))


def edited(script, pairs, folder):
    """Write a copy of a script in whose listing lines are changed; return its path."""
    head, mark, listing = Path(script).read_text(encoding="utf-8").partition("# ==== the article's")
    for before, after in pairs:
        assert listing.count(before) == 1, before
        listing = listing.replace(before, after)
    copy = Path(folder) / Path(script).name
    copy.write_text(head + mark + listing, encoding="utf-8")
    return copy
