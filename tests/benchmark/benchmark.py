"""How fast are the scripts, beside what people would use instead? Three tables, anyone's machine.

    python3 -m venv .venv-benchmark
    .venv-benchmark/bin/pip install -r tests/benchmark/requirements.txt
    .venv-benchmark/bin/python tests/benchmark/benchmark.py

Every contender runs as a whole process, from its start to its end: the classifiers on the same
images, batches, network size, optimizer and number of steps, tested on all 10,000 images. They take
turns, round by round, so that a slow minute of the machine hits all of them, and the ratio is that
of a round's two times. What is not installed is left out and named.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from machine import date_and_processor

parser = argparse.ArgumentParser(
    description="Time the scripts and what people would use instead, as whole processes.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
TABLES = ["article", "99", "regression"]
parser.add_argument("--only", choices=TABLES, help="one table: the article's 781 steps, ...")
parser.add_argument("--rounds", type=int, default=5, help="runs of each, with seeds 0, 1, ...")
parser.add_argument("--steps", type=int, help="instead of 781, 2343 and 200")
args = parser.parse_args()

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TF1 = ROOT / ".venv-tf1" / "bin" / "python"
NO_WINDOW = {"MPLBACKEND": "agg"}


def classifiers(steps, lr, decay):
    """Return who trains the classifier: {name: (is it there, command, environment)}."""
    steps = args.steps or steps
    options = ["--training-iters", steps * 128, "--lr", lr, "--lr-decay", decay, "--seed"]
    script = [sys.executable, ROOT / "mnist_lstm_classifier.py"]
    other = [sys.executable, HERE / "contenders.py"]
    setting = [steps, lr, decay]
    jax = find_spec("keras") and find_spec("jax")
    found = {
        "this script": (True, [*script, *options], {}),
        "PyTorch nn.LSTM": (find_spec("torch"), [*other, "torch", *setting], {}),
        "Keras 3 LSTM on TensorFlow": (
            find_spec("keras"),
            [*other, "keras", *setting],
            {"KERAS_BACKEND": "tensorflow"},
        ),
        "Keras 3 LSTM on JAX": (jax, [*other, "keras", *setting], {"KERAS_BACKEND": "jax"}),
    }
    if decay == "none":
        found["this script, --xla off"] = (True, [*script, "--xla", "off", *options], {})
        found["this script, TensorFlow 1.15"] = (TF1.exists(), [TF1, script[1], *options], {})
    return found


def regressions():
    """Return who trains the regression, likewise.

    With no window this script does not pause; the article's listing sleeps 0.1 s at each frame.
    """
    steps = args.steps or 200
    script = [sys.executable, ROOT / "sin_cos_regression.py", "--iterations", steps, "--seed"]
    article = [TF1, HERE / "article_sin_cos.py", steps]
    in_1 = {**NO_WINDOW, "TF2_BEHAVIOR": "0"}  # who has imported TensorFlow 2 hands on a 1
    return {
        "this script": (True, script, NO_WINDOW),
        "the article's listing, TensorFlow 1.15": (TF1.exists(), article, in_1),
    }


def measure(command, environment):
    """Run it; return wall and CPU seconds, peak memory in MB, ms a step, and test accuracy.

    The last two are 0 for the regression.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    arrived = {}  # step: when its line came
    accuracy = 0
    for line in process.stdout:
        if line.startswith("Iter "):
            arrived[int(line[5:].split(",")[0]) // 128] = time.perf_counter()
        elif line.startswith("Testing Accuracy (all"):
            accuracy = float(line.split()[-1])
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status or bool(arrived) != bool(accuracy):  # who prints steps is tested, too
        sys.exit(f"benchmark.py: error: {' '.join(map(str, command))} failed")
    first, last = min(arrived, default=0), max(arrived, default=0)  # compiling is over by then
    milliseconds = 1000 * (arrived[last] - arrived[first]) / (last - first) if last > first else 0
    memory = used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return wall, used.ru_utime + used.ru_stime, memory, milliseconds, accuracy


def products_alone():
    """Return the milliseconds that a training step's matrix products take in NumPy.

    For each of 28 rows, [x_t, s_(t-1)] (128, 156) times kernel (156, 512), and for the gradients
    two products of the same size.
    """
    random = np.random.RandomState(0)
    shapes = (128, 156), (156, 512), (128, 512)
    x, kernel, slope = (random.randn(*shape).astype(np.float32) for shape in shapes)
    seconds = []
    for _ in range(100):
        start = time.perf_counter()
        for _ in range(28):
            x @ kernel, x.T @ slope, slope @ kernel.T
        seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds)


def table(contenders, with_products=False):
    """Let the contenders run in turn, and print their table, a line of Markdown each."""
    runs = {name: [] for name, (there, _, _) in contenders.items() if there}
    products = []
    for seed in range(args.rounds):
        if with_products:
            products.append(products_alone())
        for name in runs:
            _, command, environment = contenders[name]
            with tempfile.TemporaryDirectory() as logdir:
                ours = ["--logdir", logdir] if name.startswith("this script") else []
                runs[name].append(measure([*command, seed, *ours], environment))
            wall, *_, accuracy = runs[name][-1]
            print(f"seed {seed}: {name}: {wall:.1f} s, {accuracy:.4f}", file=sys.stderr)
    print("| | wall s | ratio | CPU s | peak MB | ms a step | test accuracy |")
    print("|---|---|---|---|---|---|---|")
    for name, measured in runs.items():
        wall, cpu_seconds, memory, milliseconds, accuracy = map(median, zip(*measured))
        ratio = median(run[0] / ours[0] for run, ours in zip(measured, runs["this script"]))
        learned = f"{milliseconds:.1f} | {accuracy:.4f}" if accuracy else " | "
        print(
            f"| {name} | {wall:.1f} | {ratio:.2f} | {cpu_seconds:.1f} | {memory:.0f} | {learned} |"
        )
    if with_products:
        print(f"| the products alone, in NumPy | | | | | {median(products):.1f} | |")
    for name in contenders.keys() - runs.keys():
        print(f"not installed, so left out: {name}")
    print()


print(f"{date_and_processor()}, {os.cpu_count()} cores, {platform.system()},")
print(f"Python {platform.python_version()}; medians of {args.rounds}, ratios round by round")
print()
if args.only in ("article", None):
    print("The article's setting: 781 steps of 128 images\n")
    table(classifiers(781, 0.001, "none"), with_products=True)
if args.only in ("99", None):
    print("The setting for 99 %: 2343 steps of 128 images, lr 0.008 with cosine decay\n")
    table(classifiers(2343, 0.008, "cosine"), with_products=True)
if args.only in ("regression", None):
    print("The regression: 200 iterations, no window\n")
    table(regressions())
