"""How fast is the classifier, beside what people would use instead? One table, anyone's machine.

    python3 -m venv .venv-benchmark
    .venv-benchmark/bin/pip install -r tests/benchmark/requirements.txt
    .venv-benchmark/bin/python tests/benchmark/benchmark.py

Every contender runs as a whole process, from its start to its test on all 10,000 images, on the
same images, batches, network size, optimizer and number of steps. They take turns, round by round,
so that a slow minute of the machine hits all of them. What is not installed is left out and named.
"""

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median

parser = argparse.ArgumentParser(
    description="Time the classifier and what people would use instead, as whole processes.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
parser.add_argument("--rounds", type=int, default=5, help="runs of each, with seeds 0, 1, ...")
parser.add_argument("--training-iters", type=int, default=100000, help="images to train on")
args = parser.parse_args()

ROOT = Path(__file__).resolve().parents[2]
CLASSIFIER = [ROOT / "mnist_lstm_classifier.py", "--training-iters", args.training_iters]
CONTENDERS = Path(__file__).with_name("contenders.py")
STEPS = args.training_iters // 128
TF1 = ROOT / ".venv-tf1" / "bin" / "python"

# name: (what it needs, the command but for the seed at its end, the environment)
contenders = {
    "this script": (True, [sys.executable, *CLASSIFIER, "--seed"], {}),
    "this script, --xla off": (True, [sys.executable, *CLASSIFIER, "--xla", "off", "--seed"], {}),
    "PyTorch nn.LSTM": (find_spec("torch"), [sys.executable, CONTENDERS, "torch", STEPS], {}),
    "Keras 3 LSTM on TensorFlow": (
        find_spec("keras"),
        [sys.executable, CONTENDERS, "keras", STEPS],
        {"KERAS_BACKEND": "tensorflow"},
    ),
    "Keras 3 LSTM on JAX": (
        find_spec("keras") and find_spec("jax"),
        [sys.executable, CONTENDERS, "keras", STEPS],
        {"KERAS_BACKEND": "jax"},
    ),
    "this script, TensorFlow 1.15": (TF1.exists(), [TF1, *CLASSIFIER, "--seed"], {}),
}


def measure(command, environment):
    """Run it; return wall and CPU seconds, peak memory in MB, ms a step, and test accuracy."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    arrived = {}  # step: when its line came
    accuracy = None
    for line in process.stdout:
        if line.startswith("Iter "):
            arrived[int(line[5:].split(",")[0]) // 128] = time.perf_counter()
        elif line.startswith("Testing Accuracy (all"):
            accuracy = float(line.split()[-1])
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status or accuracy is None:
        sys.exit(f"benchmark.py: error: {' '.join(map(str, command))} failed")
    first, last = min(arrived), max(arrived)  # the first line comes after all compiling
    milliseconds = 1000 * (arrived[last] - arrived[first]) / max(last - first, 1)
    memory = used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return wall, used.ru_utime + used.ru_stime, memory, milliseconds, accuracy


runs = {name: [] for name, (there, _, _) in contenders.items() if there}
with tempfile.TemporaryDirectory() as logdir:
    for seed in range(args.rounds):
        for name in runs:
            _, command, environment = contenders[name]
            options = ["--logdir", logdir] if CLASSIFIER[0] in command else []
            wall, *_, accuracy = run = measure([*command, seed, *options], environment)
            print(f"seed {seed}: {name}: {wall:.1f} s, {accuracy:.4f}", file=sys.stderr)
            runs[name].append(run)

cpuinfo = Path("/proc/cpuinfo")  # where there is none, platform knows the processor's name
model = re.search(r"model name\s*: (.*)", cpuinfo.read_text() if cpuinfo.exists() else "")
model = model[1] if model else platform.processor() or platform.machine()
print(f"{datetime.date.today()}, {model}, {os.cpu_count()} cores, {platform.system()},")
print(f"Python {platform.python_version()}; {STEPS} steps of 128 images; medians of {args.rounds}")
print()
print("| | wall s | ratio | CPU s | peak MB | ms a step | test accuracy |")
print("|---|---|---|---|---|---|---|")
ours = median(run[0] for run in runs["this script"])
for name, measured in runs.items():
    wall, cpu_seconds, memory, milliseconds, accuracy = (
        median(column) for column in zip(*measured)
    )
    print(
        f"| {name} | {wall:.1f} | {wall / ours:.2f} | {cpu_seconds:.1f} | {memory:.0f}"
        f" | {milliseconds:.1f} | {accuracy:.4f} |"
    )
for name in contenders.keys() - runs.keys():
    print(f"not installed, so left out: {name}")
