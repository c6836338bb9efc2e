"""The scripts run wherever TensorFlow does: notebooks, `uv run`, other versions."""

import re
import sys

import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT

STOP_BUTTON = """
import _thread, threading
over = threading.Event()
def stop_button():
    while not over.wait(5):
        _thread.interrupt_main()
threading.Thread(target=stop_button, daemon=True).start()
"""


def requirements(file):
    return re.findall(r"(?m)^[^#\n-].*", (ROOT / file).read_text())


@pytest.mark.quick
def test_uv_is_told_the_same_as_pip_and_the_lowest_allowed_versions_are_tested():
    """PEP 723: the comment that begins each script, read as the PEP says."""
    for script in CLASSIFIER, REGRESSION:
        text = script.read_text(encoding="utf-8")
        block = re.match(r"# /// script\n((?:#(?: .*)?\n)+)# ///\n", text)[1]
        metadata = re.sub("(?m)^# ?", "", block)
        dependencies = metadata.partition("dependencies = [")[2].partition("]")[0]
        assert re.findall('"(.+?)"', dependencies) == requirements("requirements.txt")
        assert re.search(r'(?m)^requires-python = ">=3.9,<3.14"$', metadata)
    allowed = dict(re.split("[><]=?|,", line)[:2] for line in requirements("requirements.txt"))
    tested = dict(line.split("==") for line in requirements("tests/requirements-lowest.txt"))
    assert allowed.keys() == tested.keys()
    newest = int(allowed.pop("setuptools")) - 1  # that TensorBoard can do with
    assert tested.pop("setuptools").startswith(f"{newest}.")
    for name, version in tested.items():
        assert re.match(rf"{re.escape(allowed[name])}(\.|$)", version), name


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_a_notebook_runs_a_script_twice_and_lives_on(script, small, tmp_path, monkeypatch):
    """`%run`, in the kernel's own process, and `!python`, which inherits its MPLBACKEND."""
    monkeypatch.delenv("MPLBACKEND")  # the kernel's own
    nbformat, nbclient = (pytest.importorskip(name) for name in ("nbformat", "nbclient"))
    count, few, options = "--iterations", 21, ""
    if script == CLASSIFIER:
        count, few, options = "--training-iters", 1280, f"--n-hidden 8 --xla off --data '{small}'"
    words = f"'{script}' {options} --logdir '{tmp_path}' {count}"
    sources = [
        *[f"%run {words} {few}"] * 2,
        f"{STOP_BUTTON}%run {words} {10**9}",
        f"over.set()\n%run '{script}' --lr 0",
        "import matplotlib.pyplot as plt; plt.close('all'); plt.plot([1]); plt.show(); print(42)",
        f"!{sys.executable} {words} {few}",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[2].metadata["tags"] = ["raises-exception"]  # and no other cell may fail
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=280, kernel_name="python3").execute()
    printed = ["".join(o.text for o in cell.outputs if "text" in o) for cell in notebook.cells]
    # whole lines: a shell's cell has TensorFlow's own messages too, and the bar's \r
    ours = re.compile(r"(?<![^\r\n])(?:Iter|cost:|Testing|2000 steps) [^\r\n]+")
    lines = [ours.findall(text) for text in printed]
    assert len(lines[0]) == 3 and lines[0] == lines[1] == lines[5], "the same seed: the same lines"
    outputs = [str(cell.outputs) for cell in notebook.cells]
    assert "KeyboardInterrupt" in outputs[2] or len(lines[2]) >= 2, "the stop button"
    assert "--lr takes a positive number" in outputs[3]
    assert printed[4].split() == ["42"] and outputs[4].count("'image/png'") == 1
