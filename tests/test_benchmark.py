"""The benchmark starts, and prints its tables; how long anything takes is not tested."""

import subprocess
import sys

import pytest
from conftest import ROOT

OURS = "this script"
KERAS = "Keras 3 LSTM on TensorFlow"


@pytest.mark.parametrize(
    ("table", "there", "perhaps"),
    [
        ("article", {OURS, f"{OURS}, --xla off", KERAS}, {f"{OURS}, TensorFlow 1.15"}),
        ("99", {OURS, KERAS}, {"PyTorch nn.LSTM", "Keras 3 LSTM on JAX"}),
        ("regression", {OURS}, {"the article's listing, TensorFlow 1.15"}),
    ],
)
def test_the_benchmark_prints_its_tables(table, there, perhaps):
    """Who is not installed is named."""
    command = [sys.executable, ROOT / "tests" / "benchmark" / "benchmark.py", "--only", table]
    command += ["--rounds", "1", "--steps", "30"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    rows = {
        cells[1].strip(): [float(cell) for cell in cells[2:-1] if cell.strip()]
        for cells in (line.split("|") for line in result.stdout.splitlines())
        if len(cells) == 9 and cells[2].strip()[0].isdigit()
    }
    assert there <= rows.keys()
    assert rows[OURS][1] == 1, "the ratio to itself"
    for row in rows.values():
        assert all(number > 0 for number in row)
        assert len(row) == (4 if table == "regression" else 6)
    for left_out in perhaps:
        assert (left_out in rows) != (f"not installed, so left out: {left_out}" in result.stdout)
