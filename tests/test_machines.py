"""The scripts run wherever TensorFlow does: notebooks, Windows' paths, `uv run`, other versions."""

import os
import re
import sys

import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT, run

FEW = {CLASSIFIER: ("--training-iters", 1280, "--n-hidden", 8), REGRESSION: ("--iterations", 21)}


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
    assert re.findall(r'^    "(.+)",$', metadata, re.MULTILINE) == requirements("requirements.txt")
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
def test_a_notebook_runs_a_script_twice_and_lives_on(script, tmp_path, monkeypatch):
    """`%run`, in the kernel's own process: its print, its plots, their style are as they were."""
    monkeypatch.delenv("MPLBACKEND")  # the kernel's own
    nbformat, nbclient = (pytest.importorskip(name) for name in ("nbformat", "nbclient"))
    words = " ".join(map(str, [f"'{script}'", *FEW[script], "--logdir", f"'{tmp_path}'"]))
    interrupt = (
        "import _thread, threading\n"
        "over = threading.Event()\n"
        "def stop_button():\n"
        "    while not over.wait(8):\n"
        "        _thread.interrupt_main()\n"
        "threading.Thread(target=stop_button, daemon=True).start()"
    )
    long = "--training-iters 1000000000" if script == CLASSIFIER else "--iterations 1000000000"
    interrupted = "over.set(); import matplotlib.pyplot as plt; plt.close('all')"  # its figure
    alive = "plt.plot([1, 2]); plt.show(); print(len(plt.gcf().axes))"
    cells = [
        f"%run {words}",
        f"%run {words}",
        f"{interrupt}\n%run {words} {long}",
        f"{interrupted}\n%run '{script}' --logdir /dev/null",
        f"%run '{script}' --lr 0",
        f"{alive}; print(plt.rcParams['font.size'], end='.')",
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
    assert len(lines[0]) == 3 and lines[0] == lines[1] == lines[6], "the same seed: the same lines"
    assert "KeyboardInterrupt" in str(notebook.cells[2].outputs), "the stop button"
    assert "Not a directory" in str(notebook.cells[3].outputs)
    assert "--lr takes a number" in str(notebook.cells[4].outputs)
    assert printed[5].split() == ["0", "10.0."], "a new figure after plt.show, the usual size"
    shown = [
        output for output in notebook.cells[5].outputs if "image/png" in output.get("data", {})
    ]
    assert len(shown) == 1
    assert len(list(tmp_path.glob("*/*/*.png"))) == 3 * (4 if script == CLASSIFIER else 1)


# ---- Windows -------------------------------------------------------------------------------------

AS_WINDOWS = """
import os, runpy, sys
import argparse, shlex, shutil, subprocess, threading  # as they are here
os.name = "nt"
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_a_log_folder_that_tensorflow_cannot_take_on_windows(script, tmp_path):
    r"""C:\Users\张三: its FileWriter knows ASCII alone, and a relative path is made whole first."""
    home = tmp_path / "张三"
    home.mkdir()
    for logdir in (home / "logs", "logs"):
        result = run("-c", AS_WINDOWS, script, "--logdir", logdir, cwd=home)
        assert result.status == 2
        assert result.stderr.splitlines()[-1].endswith(r"--logdir C:\logs")
        assert not list(home.iterdir())


def test_a_tcl_that_is_broken_is_no_window_and_no_traceback(tmp_path):
    """As with a Tcl that Python cannot find: "Can't find a usable init.tcl"."""
    (tmp_path / "sitecustomize.py").write_text(
        "import tkinter\n"
        "def broken(*args, **kwargs):\n"
        '    raise tkinter.TclError("Can\'t find a usable init.tcl")\n'
        "tkinter.Tk = broken\n"
    )
    broken = {**os.environ, "PYTHONPATH": str(tmp_path), "MPLBACKEND": "tkagg", "DISPLAY": ":0"}
    result = run(REGRESSION, "--iterations", 2, "--logdir", tmp_path / "logs", env=broken)
    assert result.status == 0 and "Traceback" not in result.stderr
    assert "No window here" in result.stdout
