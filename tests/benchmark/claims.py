"""Train what the README's claims need, with seeds 0 to 4, and store every figure in claims.json.

    .venv/bin/python tests/benchmark/claims.py
    .venv/bin/python tests/benchmark/claims.py --choose

The first takes most of an hour. Figures that contradict what the README says (CLAIMS, below) are
printed and not stored. --only names one network, and leaves the figures of the others as they are.
The second shows how the setting for 99 % was chosen: by the validation images, which are neither
trained on nor tested on.
"""

import argparse
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

HERE = Path(__file__).resolve().parent
from machine import date_and_processor
from network import restored
from readme import EDITS, edited

CLASSIFIER = HERE.parents[1] / "mnist_lstm_classifier.py"
REGRESSION = HERE.parents[1] / "sin_cos_regression.py"
STORED = HERE / "claims.json"
NETWORKS = {
    "LSTM": "",
    "plain RNN": "--cell rnn",
    "LSTM, 28 blank rows": "--blank-rows 28",
    "plain RNN, 28 blank rows": "--blank-rows 28 --cell rnn",
    "LSTM, 28 blank rows, forget bias 0": "--blank-rows 28 --forget-bias 0",
    "LSTM, 72 blank rows": "--blank-rows 72",
    "LSTM, 72 blank rows, forget bias 3": "--blank-rows 72 --forget-bias 3",
    "plain RNN, 72 blank rows": "--blank-rows 72 --cell rnn",
    "LSTM, clothes": "--data /usr/share/datasets/fashion-mnist",  # data/README.md: where from
    "LSTM, 99 %": "--training-iters 300000 --lr 0.008 --lr-decay cosine",
}
REGRESSIONS = {
    "regression": "",
    "regression, 5 steps": "--time-steps 5",
    "regression, 5 steps, 800 iterations": "--time-steps 5 --iterations 800",
    "regression, 2 units": "--cell-size 2",
}
# What the README says of these networks, and a function that is true where the stored figures
# agree; `accuracy`, `row_1`, ... below tell a figure of each seed.
CLAIMS = {
    "The state knows more with every row, and the probe is as good as the network": lambda: all(
        (np.maximum.accumulate(known) - known).max() <= 0.02
        and known[0] < 0.2 < 0.6 < known[9]
        and abs(known[-1] - validation) <= 0.02
        for name in DEFAULTS
        for known, validation in zip(probe(name), of(name, "validation"))
    ),
    "Half of the digits are known after 7 rows, four fifths after 14": lambda: all(
        0.5 < known[6] < 0.6 and known[13] > 0.8 for known in probe("LSTM")
    ),
    "With nothing to wait for, both learn": lambda: (
        min(accuracy("LSTM")) > 0.95 and min(accuracy("plain RNN")) > 0.93
    ),
    "and both gradients reach the first row": lambda: (
        min(*row_1("LSTM"), *row_1("plain RNN")) > 0.5
    ),
    "Before training the LSTM's gradient fades faster": lambda: (
        max(row_1("LSTM", "0")) < 0.02 < min(row_1("plain RNN", "0"))
    ),
    "Over 100 steps, too, but with a forget bias of 3 it does not fade": lambda: (
        max(row_1("LSTM, 72 blank rows", "0")) < 1e-5 < min(row_1("plain RNN, 72 blank rows", "0"))
        and min(row_1("LSTM, 72 blank rows, forget bias 3", "0")) > 1
    ),
    "With 28 rows to wait, the worst LSTM is better than the best plain RNN": lambda: (
        min(accuracy("LSTM, 28 blank rows")) > max(accuracy("plain RNN, 28 blank rows"))
    ),
    "An LSTM that begins by forgetting fails with four seeds of five": lambda: (
        sorted(accuracy("LSTM, 28 blank rows, forget bias 0"))[3]
        < 0.2
        < max(accuracy("LSTM, 28 blank rows, forget bias 0"))
        < min(accuracy("LSTM, 28 blank rows"))
    ),
    "With 72 rows to wait, the plain RNN learns next to nothing": lambda: (
        max(accuracy("plain RNN, 72 blank rows")) < 0.3
    ),
    "and it is in training that its gradient is lost": lambda: (
        max(row_1("plain RNN, 72 blank rows")) < 0.02
        and all(np.less(row_1("plain RNN, 72 blank rows"), row_1("plain RNN, 72 blank rows", "0")))
    ),
    "Over 100 steps the gradient of those that learn is large, of the others tiny": lambda: all(
        (right > 0.7) == (gradient > 0.3) == (gradient > 3e-5)
        for name in NETWORKS
        if "72 blank rows" in name
        for right, gradient in zip(accuracy(name), row_1(name))
    ),
    "and less than 3e-07 in the LSTMs that fail": lambda: all(
        right > 0.7 or gradient < 3e-7
        for right, gradient in zip(accuracy("LSTM, 72 blank rows"), row_1("LSTM, 72 blank rows"))
    ),
    "An LSTM that begins by remembering learns it": lambda: (
        min(accuracy("LSTM, 72 blank rows, forget bias 3")) > 0.88
        and min(row_1("LSTM, 72 blank rows, forget bias 3")) > 1
    ),
    "with a forget bias of 1, most fail": lambda: sorted(accuracy("LSTM, 72 blank rows"))[2] < 0.2,
    "The first 128 test images are easier than the rest": lambda: all(
        np.greater(of("LSTM", "first_128"), accuracy("LSTM"))
    ),
    "It reads clothes, worse than digits": lambda: 0.8 < min(accuracy("LSTM, clothes")) < 0.9,
    "Another setting comes to 99 %": lambda: min(accuracy("LSTM, 99 %")) > 0.989,
    "Five steps are a short training, not a short memory": lambda: (
        min(cost("regression, 5 steps")) > max(cost("regression"))
        and max(cost("regression, 5 steps, 800 iterations")) < min(cost("regression, 5 steps"))
    ),
    "Two units are enough with three seeds of five": lambda: (
        sorted(cost("regression, 2 units"))[2] < 0.1 < 0.4 < sorted(cost("regression, 2 units"))[3]
    ),
    "The ordinary network stays at the mean of cos² x, a half": lambda: (
        max(abs(value - 0.5) for value in of("regression", "feedforward")) < 0.01
    ),
}
DEFAULTS = "LSTM", "plain RNN"
MNIST = str(HERE.parents[1] / "data" / "mnist.npz")
CHOICE = [(images, lr) for images in (300000, 400000) for lr in (0.004, 0.006, 0.008, 0.012)]


def of(name, figure):
    """Return a figure of a network with each seed."""
    return [run[figure] for run in stored[name]]


def accuracy(name):
    return of(name, "accuracy")


def cost(name):
    return of(name, "lstm")


def probe(name):
    return np.array(of(name, "probe"))


def row_1(name, step=None):
    """Return how much the cost depends on row 1, after these steps or after training."""
    return [run["gradient"][step or max(run["gradient"], key=int)][0] for run in stored[name]]


def factors(*names):
    """Return by what the gradient of a new network is multiplied at a step back, of each seed."""
    return [
        run["gradient"]["0"][0] ** (1 / (len(run["gradient"]["0"]) - 1))
        for name in names
        for run in stored[name]
    ]


def contradicted():
    """Return the claims that the stored figures contradict; those of missing ones are left out."""
    false = []
    for claim, holds in CLAIMS.items():
        try:
            if not holds():
                false.append(claim)
        except KeyError:
            pass  # not measured yet
    return false


def ranges():
    """Return what the README may quote, "0.95–0.97": the lowest and highest of five runs each."""
    columns = [
        of(name, figure)
        for name in stored.keys() - {"measured"}
        for figure in ("accuracy", "first_128", "lstm", "feedforward")
        if figure in stored[name][0]
    ]
    columns += probe("LSTM").T.tolist()
    results = (HERE / "results.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \|((?: [01]\.\d\d){5}) \|", results, re.MULTILINE)
    columns += [[float(value) for value in row.split()] for row in rows]  # handwriting.py
    columns.append(factors("LSTM", "LSTM, 72 blank rows"))
    columns.append(factors("plain RNN", "plain RNN, 72 blank rows"))
    columns.append(factors("LSTM, 72 blank rows, forget bias 3"))
    found = {f"{min(column):.2f}–{max(column):.2f}" for column in columns}
    return found | {
        f"{min(values):.2g}–{max(values):.2g}"
        for name in stored.keys() - {"measured"}
        if "gradient" in stored[name][0]
        for values in (row_1(name, "0"), row_1(name))
    }


def figures(script, options):
    """Run the classifier, or an edited copy; return what it measured, rounded for JSON.

    accuracy: on all test images, first_128: on the first 128; gradient: {steps: by row};
    probe: accuracy of a probe after each row; validation: accuracy on the 5,000 validation images.
    """
    with tempfile.TemporaryDirectory() as logdir:
        sys.argv = [script, "--data", MNIST, "--logdir", logdir, *options]
        net = SimpleNamespace(**runpy.run_path(script, run_name="__main__"))
        with restored(net):
            probe_accuracy = net.plot_probe_accuracy().axes[0].lines[0].get_ydata()
            validation = net.run_in_batches(net.pred, net.mnist.validation, 5000)
    validated = validation.argmax(1) == net.mnist.validation.classes
    right = net.predictions == net.mnist.test.classes
    return {
        "accuracy": round(float(right.mean()), 6),
        "validation": round(float(validated.mean()), 4),
        "first_128": round(float(right[:128].mean()), 6),
        "probe": [round(float(value), 4) for value in probe_accuracy],
        "gradient": {
            int(step): [float(f"{value:.3g}") for value in gradient]
            for step, gradient in net.gradient_history.items()
            if step in (0, 100, 400, max(net.gradient_history))
        },
    }


def costs(script, options):
    """Run the regression, or an edited copy; return what the 2,000 further steps cost."""
    with tempfile.TemporaryDirectory() as logdir:
        command = [sys.executable, script, "--network", "both", "--logdir", logdir, *options]
        environment = {**os.environ, "MPLBACKEND": "agg"}
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    more = re.search(r"^2000 steps .*cost:  (\S+)  feedforward:  (\S+)", told.stdout, re.MULTILINE)
    return {"lstm": float(more[1]), "feedforward": float(more[2])}


def measured(script, options, seeds):
    """Yield the figures of a classifier with each seed, from a process of its own."""
    for seed in range(seeds):
        command = [sys.executable, __file__, "--run", str(script), *options.split()]
        command += ["--seed", str(seed)]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        yield json.loads(told.splitlines()[-1])


def train(name):
    """Return the figures of a network with seeds 0 to 4."""
    if name in NETWORKS:
        return list(measured(CLASSIFIER, NETWORKS[name], 5))
    if name in REGRESSIONS:
        options = REGRESSIONS[name].split()
        return [costs(REGRESSION, [*options, "--seed", str(seed)]) for seed in range(5)]
    script, pairs = EDITS[name]
    with tempfile.TemporaryDirectory() as folder:
        copy = edited(HERE.parents[1] / script, pairs, folder)
        if script == CLASSIFIER.name:
            return list(measured(copy, "", 5))
        return [costs(copy, ["--seed", str(seed)]) for seed in range(5)]


def tables():
    """Return a line of Markdown for each network: its accuracy, or cost, with each seed."""
    lines = ["| network | options | accuracy on all 10,000, seeds 0 to 4 |", "|---|---|---|"]
    regression = [
        "",
        "| network | options | cost of 2,000 further steps, seeds 0 to 4 |",
        "|---|---|---|",
    ]
    options = {**NETWORKS, **REGRESSIONS, **dict.fromkeys(EDITS, "an edit of the README")}
    for name, typed in options.items():
        for figure in "accuracy", "lstm", "feedforward":
            if name in stored and figure in stored[name][0]:
                values = " ".join(f"{value:.4f}" for value in of(name, figure))
                known = {"accuracy": name}.get(figure, f"{name}: {figure}")
                line = f"| {known} | `{typed or 'none'}` | {values} |"
                (lines if figure == "accuracy" else regression).append(line)
    return "\n".join(lines + regression)


def choose():
    """Print the validation accuracy of each setting of CHOICE, a line of Markdown each."""
    print("| images | lr | accuracy on 5,000 validation images, seeds 0 to 2 |")
    print("|---|---|---|")
    for images, lr in CHOICE:
        options = f"--training-iters {images} --lr {lr} --lr-decay cosine"
        accuracies = " ".join(
            f"{run['validation']:.4f}" for run in measured(CLASSIFIER, options, 3)
        )
        print(f"| {images:,} | {lr} | {accuracies} |", flush=True)


stored = json.loads(STORED.read_text()) if STORED.exists() else {}
if __name__ == "__main__" and sys.argv[1:2] == ["--run"]:
    print(json.dumps(figures(sys.argv[2], sys.argv[3:])))
elif __name__ == "__main__":
    both = [*NETWORKS, *REGRESSIONS, *EDITS]
    parser = argparse.ArgumentParser(description="Measure what the README claims.")
    parser.add_argument("--only", choices=both, metavar="NAME", help="train this network alone")
    parser.add_argument("--choose", action="store_true", help="choose the 99 %% setting")
    args = parser.parse_args()
    if args.choose:
        sys.exit(choose())
    for name in [args.only] if args.only else both:
        before = dict(stored)
        stored[name] = train(name)
        print(name, *(run.get("accuracy", run.get("lstm")) for run in stored[name]), flush=True)
        false = contradicted()
        if false:
            print("Not stored. The README says otherwise:", *false, sep="\n  ")
            stored = before
        else:
            stored["measured"] = date_and_processor()
            STORED.write_text(json.dumps(stored) + "\n")
    print(tables())
