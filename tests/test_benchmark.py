"""The benchmark starts, and prints its table; how long anything takes is not tested."""

import subprocess
import sys

from conftest import ROOT


def test_the_benchmark_prints_its_table():
    command = [sys.executable, ROOT / "tests" / "benchmark" / "benchmark.py", "--rounds", "1"]
    result = subprocess.run(
        [*command, "--training-iters", "3840"], capture_output=True, text=True, check=True
    )
    rows = {
        cells[1].strip(): [float(cell) for cell in cells[2:-1]]
        for cells in (line.split("|") for line in result.stdout.splitlines())
        if len(cells) == 9 and cells[2].strip()[0].isdigit()
    }
    assert {"this script", "this script, --xla off", "Keras 3 LSTM on TensorFlow"} <= rows.keys()
    assert rows["this script"][1] == 1, "the ratio to itself"
    for row in rows.values():
        assert all(number > 0 for number in row) and row[-1] < 1
    for left_out in ("PyTorch nn.LSTM", "Keras 3 LSTM on JAX", "this script, TensorFlow 1.15"):
        assert (left_out in rows) != (f"not installed, so left out: {left_out}" in result.stdout)
