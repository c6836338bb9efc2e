"""Make logs/reference anew: run each script as told below, and keep what it left and printed.

    .venv/bin/python tests/benchmark/reference.py

So that a clone stays small, checkpoints are left out, pictures have 256 colours, only the first
classifier has its graph and all its pictures as files, and the animation every third frame.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tensorflow.compat.v1 as tf
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "logs" / "reference"
RUNS = {
    "1-lstm": "mnist_lstm_classifier.py",
    "2-rnn": "mnist_lstm_classifier.py --cell rnn",
    "3-blank-72-lstm": "mnist_lstm_classifier.py --blank-rows 72 --forget-bias 3",
    "4-blank-72-rnn": "mnist_lstm_classifier.py --blank-rows 72 --cell rnn",
    "5-sin-cos": "sin_cos_regression.py --network both --save sin_cos.gif",
}
# the run's folder, and so its name in TensorBoard, is otherwise the date and the time
RUN = """
import runpy, sys, time
name, *sys.argv = sys.argv[1:]
time.strftime = lambda _: name
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def in_few_colours(png):
    """Return a PNG, as bytes, with 256 colours."""
    few = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=0).save(few, "PNG")
    return few.getvalue()


def make_events_small(file, with_graph):
    """Write an event file anew: its pictures in few colours, its graph only if asked for."""
    events = [tf.Event.FromString(record) for record in tf.python_io.tf_record_iterator(str(file))]
    with tf.python_io.TFRecordWriter(str(file)) as writer:
        for event in events:
            for value in event.summary.value:
                if value.HasField("image"):
                    png = value.image.encoded_image_string
                    value.image.encoded_image_string = in_few_colours(png)
            if with_graph or not (event.HasField("graph_def") or event.HasField("meta_graph_def")):
                writer.write(event.SerializeToString())


def make_animation_small(file):
    """Keep every third frame of a GIF, and the last one's 64 colours."""
    with Image.open(file) as gif:
        frames = []
        for number in [*range(0, gif.n_frames - 1, 3), gif.n_frames - 1]:
            gif.seek(number)
            frames.append(gif.convert("RGB"))
    palette = frames[-1].quantize(64)
    first, *others = (frame.quantize(palette=palette, dither=0) for frame in frames)
    first.save(file, save_all=True, append_images=others, duration=250, loop=0, optimize=True)


def make(name, command):
    """Run a script in a folder of its own; keep what is worth keeping."""
    script, *options = command.split()
    whole = name in ("1-lstm", "5-sin-cos")
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", RUN, name, str(ROOT / script), *options, "--logdir", folder]
        told = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        (run_dir,) = Path(folder).glob(f"*/{name}")
        for file in [*run_dir.glob("*ckpt*"), *run_dir.glob("checkpoint"), *run_dir.glob("*.json")]:
            file.unlink()
        for file in run_dir.rglob("*tfevents*"):
            make_events_small(file, with_graph=whole)
        for file in run_dir.glob("*.png"):
            if whole or file.stem in ("gradient", "rows"):
                file.write_bytes(in_few_colours(file.read_bytes()))
            else:
                file.unlink()
        for file in Path(folder).glob("*.gif"):
            make_animation_small(shutil.move(file, run_dir / file.name))
        of_this_machine = r"^(?:This run is in|To look at it:|No window here).*\n"
        printed = re.sub(of_this_machine, "", told.stdout, flags=re.MULTILINE)
        (run_dir / "printed.txt").write_text(printed)
        shutil.rmtree(REFERENCE / name, ignore_errors=True)
        shutil.copytree(run_dir, REFERENCE / name)


if __name__ == "__main__":
    for name, command in RUNS.items():
        make(name, command)
