"""The scripts run wherever TensorFlow does: notebooks, `uv run`, other versions."""

import re
import sys

import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT


def requirements(file):
    lines = (ROOT / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


# ---- what is to be installed ---------------------------------------------------------------------


@pytest.mark.quick
@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_uv_is_told_the_same_as_pip(script):
    """PEP 723: the comment that begins each script, read as the PEP says."""
    text = script.read_text(encoding="utf-8")
    block = re.match(r"# /// script\n((?:#(?: .*)?\n)+)# ///\n", text)[1]
    metadata = "".join(line[2:] for line in block.splitlines(keepends=True))
    dependencies = metadata.partition("dependencies = [")[2].partition("]")[0]
    assert re.findall('"(.+?)"', dependencies) == requirements("requirements.txt")
    assert re.search(r'^requires-python = ">=3.9,<3.14"$', metadata, re.MULTILINE)


@pytest.mark.quick
def test_the_lowest_versions_that_are_tested_are_the_lowest_that_are_allowed():
    """But setuptools: the newest that TensorBoard can do with."""
    allowed = dict(re.split("[><]=?|,", line)[:2] for line in requirements("requirements.txt"))
    tested = dict(line.split("==") for line in requirements("tests/requirements-lowest.txt"))
    assert allowed.keys() == tested.keys()
    assert tested.pop("setuptools").startswith(f"{int(allowed.pop('setuptools')) - 1}.")
    for name, version in tested.items():
        assert re.match(rf"{re.escape(allowed[name])}(\.|$)", version), name


# ---- notebooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_a_notebook_runs_a_script_twice_and_lives_on(script, small, tmp_path, monkeypatch):
    """`%run`, in the kernel's own process, and `!python`, which inherits its MPLBACKEND."""
    monkeypatch.delenv("MPLBACKEND")  # the kernel's own
    nbformat, nbclient = (pytest.importorskip(name) for name in ("nbformat", "nbclient"))
    options = {
        CLASSIFIER: f"--training-iters 1280 --n-hidden 8 --data '{small}'",
        REGRESSION: "--iterations 21",
    }
    words = f"'{script}' {options[script]} --logdir '{tmp_path}'"
    long = "--training-iters 1000000000" if script == CLASSIFIER else "--iterations 1000000000"
    stop_button = (
        "import _thread, threading\n"
        "over = threading.Event()\n"
        "def stop_button():\n"
        "    while not over.wait(8):\n"
        "        _thread.interrupt_main()\n"
        "threading.Thread(target=stop_button, daemon=True).start()\n"
    )
    cells = [
        f"%run {words}",
        f"%run {words}",
        f"{stop_button}%run {words} {long}",
        f"over.set()\n%run '{script}' --lr 0",
        "import matplotlib.pyplot as plt; plt.close('all'); plt.plot([1]); plt.show(); print(42)",
        f"!{sys.executable} {words}",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[2].metadata["tags"] = ["raises-exception"]  # and no other cell may fail
    nbclient.NotebookClient(notebook, timeout=280, kernel_name="python3").execute()
    printed = [
        "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")
        for cell in notebook.cells
    ]
    # whole lines: a shell's cell has TensorFlow's own messages too, and the bar's \r
    ours = re.compile(r"(?<![^\r\n])(?:Iter|cost:|Testing|2000 steps) [^\r\n]+")
    lines = [ours.findall(text) for text in printed]
    assert len(lines[0]) == 3 and lines[0] == lines[1] == lines[5], "the same seed: the same lines"
    assert "KeyboardInterrupt" in str(notebook.cells[2].outputs) or len(lines[2]) >= 2, (
        "the stop button"
    )
    assert "--lr takes a positive number" in str(notebook.cells[3].outputs)
    assert printed[4].split() == ["42"]
    shown = [
        output for output in notebook.cells[4].outputs if "image/png" in output.get("data", {})
    ]
    assert len(shown) == 1
