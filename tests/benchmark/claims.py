"""Train what the README's claims need, with seeds 0 to 4, and store every figure in claims.json.

    .venv/bin/python tests/benchmark/claims.py

It takes half an hour. test_claims.py holds the stored figures to the claims; --only names one
network, and leaves the figures of the others as they are.
"""

import argparse
import json
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLASSIFIER = HERE.parents[1] / "mnist_lstm_classifier.py"
STORED = HERE / "claims.json"
NETWORKS = {
    "LSTM": "",
    "plain RNN": "--cell rnn",
    "LSTM, wait 28": "--wait 28",
    "plain RNN, wait 28": "--wait 28 --cell rnn",
    "LSTM, wait 28, forget bias 0": "--wait 28 --forget-bias 0",
    "LSTM, wait 72": "--wait 72",
    "LSTM, wait 72, forget bias 3": "--wait 72 --forget-bias 3",
    "plain RNN, wait 72": "--wait 72 --cell rnn",
    "LSTM, 99 %": "--training-iters 300000 --lr 0.006 --lr-decay cosine",
}


def figures(options):
    """Run the classifier in this process; return what it measured, rounded for JSON.

    accuracy: on all test images, first_128: on the first 128; gradient: {steps: by row};
    probe, output_layer: accuracy on 2,000 test images after each row.
    """
    import tensorflow.compat.v1 as tf

    with tempfile.TemporaryDirectory() as logdir:
        sys.argv = [str(CLASSIFIER), "--logdir", logdir, *options]
        names = runpy.run_path(str(CLASSIFIER), run_name="__main__")
        with tf.Session() as sess:
            tf.train.Saver().restore(sess, tf.train.latest_checkpoint(names["run_dir"]))
            mnist, x, outputs = names["mnist"], names["x"], names["outputs"]
            known, logits = names["rows_read"](sess, mnist, x, outputs)
    right = names["answers"] == mnist.test.digits
    by_row = (logits.argmax(2) == mnist.test.digits[: logits.shape[1]]).mean(1)
    return {
        "accuracy": round(float(right.mean()), 6),
        "first_128": round(float(right[:128].mean()), 6),
        "probe": [round(float(value), 4) for value in known],
        "output_layer": [round(float(value), 4) for value in by_row],
        "gradient": {
            int(step): [float(f"{value:.3g}") for value in gradient]
            for step, gradient in names["gradients"].items()
            if step in (0, 100, 400, max(names["gradients"]))
        },
    }


def table(stored):
    """Return a line of Markdown for each network: its accuracy with each seed."""
    lines = ["| network | options | accuracy on all 10,000, seeds 0 to 4 |", "|---|---|---|"]
    for name, options in NETWORKS.items():
        accuracies = " ".join(f"{run['accuracy']:.4f}" for run in stored[name])
        lines.append(f"| {name} | `{options or 'none'}` | {accuracies} |")
    return "\n".join(lines)


if __name__ == "__main__" and sys.argv[1:2] == ["--run"]:
    print(json.dumps(figures(sys.argv[2:])))
elif __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure what the README claims.")
    parser.add_argument("--only", choices=NETWORKS, help="train this network and no other")
    parser.add_argument("--seeds", type=int, default=5, help="0 to this, less 1 (default: 5)")
    args = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    for name in [args.only] if args.only else NETWORKS:
        stored[name] = []
        for seed in range(args.seeds):
            options = [*NETWORKS[name].split(), "--seed", str(seed)]
            command = [sys.executable, __file__, "--run", *options]
            told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            stored[name].append(json.loads(told.splitlines()[-1]))
            print(f"{name}, seed {seed}: {stored[name][-1]['accuracy']:.4f}", flush=True)
        STORED.write_text(json.dumps(stored) + "\n")
    print(table(stored))
