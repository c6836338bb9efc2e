"""The scripts run wherever TensorFlow does: in notebooks, by `uv run`, on TensorFlow 1.15."""

import re
import shutil
import sys

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT, SMALL, cost_curves, only_run, run
from readme import edited

TF1 = ROOT / ".venv-tf1" / "bin" / "python"  # .ci/run makes it
needs_tensorflow_1 = pytest.mark.skipif(not TF1.exists(), reason="needs TensorFlow 1.15")

STOP_BUTTON = """
import _thread, signal, threading, time
def press_stop_in_training(usual=signal.getsignal(signal.SIGINT)):
    while signal.getsignal(signal.SIGINT) is usual: time.sleep(0.1)
    time.sleep(1)
    _thread.interrupt_main()
threading.Thread(target=press_stop_in_training).start()
"""


@pytest.mark.quick
def test_what_stands_in_both_scripts_is_the_same():
    """Each can be read, copied and run alone: the comment that `uv run` reads, and the set-up."""
    texts = [script.read_text(encoding="utf-8") for script in (CLASSIFIER, REGRESSION)]
    comment = r"# /// script\n((?:#(?: .*)?\n)+)# ///\n"  # as PEP 723 says
    uv, other = (re.match(comment, text)[1] for text in texts)
    assert uv == other and re.search(r'(?m)^# requires-python = ">=3.9,<3.14"$', uv)
    dependencies = re.findall('"(.+?)"', uv.partition("dependencies = [")[2].partition("]")[0])
    assert dependencies == re.findall(r"(?m)^[^#\n].*", (ROOT / "requirements.txt").read_text())
    blocks = [re.search(r"(?s)# ==== TensorFlow 1.x(.*?)\n+# ====", text)[1] for text in texts]
    blocks = [re.sub(r"(?m)^(import|from) .*\n", "", block) for block in blocks]
    assert blocks[0] == blocks[1] and "set_random_seed" in blocks[0]


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv")
@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_uv_runs_a_script_without_our_environment(script, small, tmp_path):
    """It reads the comment at the top and installs what that lists."""
    few = {CLASSIFIER: (*SMALL, "--data", small, "--training-iters", 1280)}
    options = few.get(script, ("--iterations", 10))
    result = run(shutil.copy(script, tmp_path), *options, python=("uv", "run"))
    assert result.status == 0, result.err
    assert "Testing Accuracy" in result.out or "2000 steps more" in result.out


def test_a_notebook_runs_the_scripts_twice_and_lives_on(small, tmp_path, monkeypatch):
    """`%run`, again until the stop button is pressed, and `!python`, which inherits MPLBACKEND."""
    monkeypatch.delenv("MPLBACKEND")  # the kernel's own
    nbformat, nbclient = (pytest.importorskip(name) for name in ("nbformat", "nbclient"))
    few = f"--n-hidden 8 --xla off --data '{small}'"
    mnist = f"'{CLASSIFIER}' {few} --logdir '{tmp_path}' --training-iters"
    sin_cos = f"'{REGRESSION}' --logdir '{tmp_path}' --iterations"
    sources = [
        *(f"%run {mnist} 1280", f"%run {sin_cos} 1", f"!{sys.executable} {sin_cos} 1"),
        *(f"{STOP_BUTTON}%run {mnist} {10**9}", f"{STOP_BUTTON}%run {sin_cos} {10**9}"),
        f"%run {sin_cos} 0",
        "import matplotlib.pyplot as plt; plt.close('all'); plt.plot([1]); plt.show(); print(42)",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbclient.execute(nbformat.v4.new_notebook(cells=cells), timeout=280)  # no cell fails
    outputs = [str(cell.outputs) for cell in cells]
    printed = ["".join(o.text for o in cell.outputs if "text" in o) for cell in cells]
    # whole lines: a shell's cell has TensorFlow's own messages too, and the bar's \r
    ours = re.compile(r"(?<![^\r\n])(?:Iter|cost:|Testing|2000 steps) [^\r\n]+")
    lines = [ours.findall(text) for text in printed]
    assert len(lines[0]) == 3 and lines[0][0] == lines[3][0], "the same seed: the same lines"
    assert len(lines[1]) == 2 and lines[1] == lines[2] and lines[1][0] == lines[4][0]
    assert "Stopped" in printed[3] and not any("KeyboardInterrupt" in output for output in outputs)
    assert "--iterations takes a positive number" in outputs[5]
    assert printed[6].split() == ["42"] and outputs[6].count("'image/png'") == 1


def tensorflow_1(script, *options):
    """Run a script on TensorFlow 1.15, as `load` runs it on today's; `out` is what it prints."""
    result = run(script, *options, python=(TF1,))
    assert result.status == 0, result.err
    return result


@needs_tensorflow_1
def test_the_classifiers_first_50_losses_agree_and_each_reads_the_others(load, small, tmp_path):
    """1.15, too, trains the network that today's has made; each tests what the other trained."""
    options = ("--data", small, "--n-hidden", 32, "--lr", 0.005, "--display-step", 1)
    made = load(CLASSIFIER, *options, "--training-iters", 0).run_dir
    copy = shutil.copytree(made, tmp_path / "mnist/run")
    old = tensorflow_1(CLASSIFIER, "--restore", copy, "--training-iters", 6400).out
    new = load(CLASSIFIER, "--restore", made, "--training-iters", 6400).out
    losses = [np.array(re.findall(r"Loss= (\S+),", told), float) for told in (old, new)]
    assert len(losses[0]) == 50 and losses[0][49] < losses[0][0] / 2, "it has learned"
    np.testing.assert_allclose(*losses, atol=1e-4)
    for tensorflow, run_dir, told in (load, copy, old), (tensorflow_1, made, new):
        again, accuracies = tensorflow(CLASSIFIER, "--restore", run_dir).out, "Testing Accuracy.*"
        assert len(re.findall(accuracies, told)) == 2
        assert re.findall(accuracies, again) == re.findall(accuracies, told)


@needs_tensorflow_1
def test_the_regressions_first_50_costs_agree_and_what_follows_2000_steps_on(load, tmp_path):
    """1.15 begins with random weights, and today's with the same ones."""
    weights = str(tmp_path / "weights")
    costs, told = [], []
    for method, tensorflow in ("save", tensorflow_1), ("restore", load):
        begin = f"sess.run(init); tf.train.Saver().{method}(sess, {weights!r})"
        script = edited(REGRESSION, [("sess.run(init)", begin)], tmp_path)
        options = ("--iterations", 50, "--network", "both", "--logdir", tmp_path / method)
        line = re.search("(?m)^2000 steps more.*", tensorflow(script, *options).out)[0]
        told.append(np.array(re.findall(r"\d\.\d+(?:e-\d+)?", line), float))
        costs.append(cost_curves(only_run(tmp_path / method)))
    assert costs[0].shape == (2, 50) and len(told[0]) == 2
    np.testing.assert_allclose(*costs, atol=1e-4)
    np.testing.assert_allclose(*told, atol=1e-4)
