"""The scripts run wherever TensorFlow does: notebooks, `uv run`, other versions."""

import re
import sys

import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT

STOP_BUTTON = """
import _thread, builtins
def print_and_press(*values, write=print, **how):
    write(*values, **how)
    if str(values[0]).startswith(("Iter", "cost: ")):
        _thread.interrupt_main()
builtins.print = print_and_press
"""


def requirements(file):
    return re.findall(r"(?m)^[^#\n-].*", (ROOT / file).read_text())


@pytest.mark.quick
def test_uv_is_told_the_same_as_pip_and_the_lowest_allowed_versions_are_tested():
    """PEP 723: the comment that begins each script."""
    for script in CLASSIFIER, REGRESSION:
        header, end, _ = script.read_text(encoding="utf-8").partition("\n# ///\n")
        assert header.startswith("# /// script\n") and end
        assert '# requires-python = ">=3.9,<3.14"\n' in header
        dependencies = header.partition("dependencies = [")[2]
        assert re.findall('"(.+?)"', dependencies) == requirements("requirements.txt")
    allowed = dict(re.split("[><]=?|,", line)[:2] for line in requirements("requirements.txt"))
    tested = dict(line.split("==") for line in requirements("tests/requirements-lowest.txt"))
    assert allowed.keys() == tested.keys()
    newest = int(allowed.pop("setuptools")) - 1  # that TensorBoard can do with
    assert tested.pop("setuptools").startswith(f"{newest}.")
    for name, version in tested.items():
        assert re.match(rf"{re.escape(allowed[name])}(\.|$)", version), name


def test_a_notebook_runs_the_scripts_twice_and_lives_on(small, tmp_path, monkeypatch):
    """`%run`, in the kernel's own process, and `!python`, which inherits its MPLBACKEND."""
    monkeypatch.delenv("MPLBACKEND")  # the kernel's own
    nbformat, nbclient = (pytest.importorskip(name) for name in ("nbformat", "nbclient"))
    few = f"--n-hidden 8 --xla off --data '{small}'"
    mnist = f"'{CLASSIFIER}' {few} --logdir '{tmp_path}' --training-iters"
    sin_cos = f"'{REGRESSION}' --logdir '{tmp_path}' --iterations"
    sources = [
        *[f"%run {mnist} 1280"] * 2,
        *[f"%run {sin_cos} 21"] * 2,
        f"!{sys.executable} {sin_cos} 21",
        f"{STOP_BUTTON}%run {mnist} {10**9}",
        f"%run {sin_cos} {10**9}",
        f"%run {sin_cos} 0",
        "import matplotlib.pyplot as plt; plt.close('all'); plt.plot([1]); plt.show(); print(42)",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell in cells[5:7]:
        cell.metadata["tags"] = ["raises-exception"]  # and no other may fail
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=280, kernel_name="python3").execute()
    printed = ["".join(o.text for o in cell.outputs if "text" in o) for cell in notebook.cells]
    # whole lines: a shell's cell has TensorFlow's own messages too, and the bar's \r
    ours = re.compile(r"(?<![^\r\n])(?:Iter|cost:|Testing|2000 steps) [^\r\n]+")
    lines = [ours.findall(text) for text in printed]
    assert len(lines[0]) == 3 and lines[0] == lines[1], "the same seed: the same lines"
    assert len(lines[2]) == 3 and lines[2] == lines[3] == lines[4]
    assert (len(lines[5]), len(lines[6])) == (3, 2), "stopped at its first line, and tested"
    assert not any("KeyboardInterrupt" in str(cell.outputs) for cell in notebook.cells)
    assert "--iterations takes a positive number" in str(notebook.cells[7].outputs)
    assert printed[8].split() == ["42"] and str(notebook.cells[8].outputs).count("'image/png'") == 1
