"""What the README says is so: commands run, links lead somewhere, figures were measured."""

import json
import re

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT, events, run, settings, tensorboard

README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = ROOT / "logs" / "reference"
RESULTS = (ROOT / "tests" / "benchmark" / "results.md").read_text()
CLAIMS = json.loads((ROOT / "tests" / "benchmark" / "claims.json").read_text())
PRINTED = "".join(path.read_text() for path in sorted(REFERENCE.glob("*/printed.txt")))
FEW = {CLASSIFIER: ("--training-iters", 128), REGRESSION: ("--iterations", 2)}

ROWS = [line.split("|")[1:-1] for line in README.splitlines() if line.startswith("| ")]
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = sorted({text.strip() for language, text in FENCED if not language})


# ---- words ---------------------------------------------------------------------------------------


def test_every_link_leads_to_a_file_or_a_heading():
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 20
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        else:
            assert (ROOT / link).is_file(), link


def test_every_name_of_the_reading_guide_is_in_the_script_that_the_row_names():
    code = {
        "classifier": CLASSIFIER.read_text(encoding="utf-8"),
        "regression": REGRESSION.read_text(encoding="utf-8"),
    }
    code.update({"分类": code["classifier"], "回归": code["regression"]})
    guide = [cells[1] for cells in ROWS if len(cells) == 3 and cells[0].startswith(" **")]
    assert len(guide) == 2 * 9, "the article's headings, in both languages"
    for row in guide:
        script = code[re.search(r"[(（](\w+)[)）] *$", row)[1]]
        for name in re.findall(r"`([^`]+)`", row):
            assert re.search(rf"(?<![\w]){re.escape(name)}(?!\w)", script), (row, name)


def test_both_halves_say_the_same():
    """The same names in the guide, the same options to try, the same error texts."""
    english, chinese = README.split("\n# RNN，")
    tables = [
        [re.findall(r"`[^`]+`", row.split("|")[2]) for row in half.splitlines() if "| **" in row]
        for half in (english, chinese)
    ]
    assert tables[0] == tables[1] != []
    options = [re.findall(r"^\| `(--[^|]+)` \|", half, re.MULTILINE) for half in (english, chinese)]
    assert options[0] == options[1] != []
    for error in ("contrib'", "examples'", "Keras 3", "'placeholder'", "distribution found"):
        assert re.search(rf"^### .*{error}", english, re.MULTILINE), "a heading"
        assert error in chinese


# ---- figures -------------------------------------------------------------------------------------


def test_what_the_scripts_print_is_what_the_reference_runs_printed():
    shown = [line for language, text in FENCED if language == "text" for line in text.splitlines()]
    assert len(shown) > 12
    for line in shown:
        assert line == "..." or line in PRINTED.splitlines(), line


FIGURE = r"(?<![\d.])[01]\.\d{3,}(?![\d.])"


def test_every_figure_was_measured():
    """Whole figures: 0.960 is not found in 0.9601."""
    measured = set(re.findall(FIGURE, PRINTED + RESULTS))
    measured |= {f"{run['accuracy']:.4f}" for runs in CLAIMS.values() for run in runs}
    measured |= {"0.992188"}  # the article's own
    figures = re.findall(FIGURE, README)
    assert len(figures) > 20
    assert not set(figures) - measured


def worst_to_best(name):
    accuracies = [run["accuracy"] for run in CLAIMS[name]] if name in CLAIMS else []
    return f"{min(accuracies):.4f}–{max(accuracies):.4f}" if accuracies else ""


def test_the_table_of_the_claims_is_what_was_measured():
    rows = [cells for cells in ROWS if len(cells) == 4 and "–" in "".join(cells)]
    assert len(rows) == 2 * 4, "in both languages"
    names = ["LSTM", "LSTM, forget bias 3", "LSTM, forget bias 0", "plain RNN"]
    for cells, name in zip(rows, names * 2):
        cell, *bias = name.split(", ")
        for told, wait in zip(cells[1:], ("", "wait 28", "wait 72")):
            assert told.strip() == worst_to_best(", ".join(filter(None, [cell, wait, *bias])))
    for network in ("LSTM, 99 %", "LSTM"):
        low, high = worst_to_best(network).split("–")
        assert f"{low} to {high}" in README and f"{low} 到 {high}" in README


def test_the_benchmarks_table_is_what_the_benchmark_printed():
    table = [line for line in README.splitlines() if re.match(r"\| [^|]+\| \d+\.\d \|", line)]
    assert len(table) == 6
    for line in table:
        assert line in RESULTS.splitlines(), line


# ---- the reference runs --------------------------------------------------------------------------


def test_the_reference_runs_are_whole_and_small():
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert not [path for path in files if "ckpt" in path.name or path.name == "checkpoint"]
    assert sum(path.stat().st_size for path in files) < 4e6
    for name in ("mnist_lstm", "mnist_rnn"):
        train, validation = (events(REFERENCE / name / part) for part in ("train", "validation"))
        assert [point.step for point in train.Scalars("loss")] == list(range(10, 790, 10))
        watched = [*range(100, 800, 100), 781]
        assert [point.step for point in validation.Scalars("loss")] == watched
        for picture in ("mistakes", "rows", "inside", "gradient"):
            (image,) = train.Images(picture)
            png = (REFERENCE / name / f"{picture}.png").read_bytes()
            assert image.encoded_image_string == png
    for network in ("lstm", "feedforward"):
        curve = events(REFERENCE / "sin_cos" / network).Scalars("cost")
        assert [point.step for point in curve] == list(range(200))


@pytest.fixture(scope="module")
def defaults(load):
    """Each script's settings where no option is given, but for the length of the run."""
    return {script: settings(load(script, *few).run_dir) for script, few in FEW.items()}


@pytest.mark.parametrize("name", ["mnist_lstm", "mnist_rnn", "sin_cos"])
def test_the_reference_runs_had_the_default_settings_of_today(name, defaults):
    script = REGRESSION if name == "sin_cos" else CLASSIFIER
    wanted, told = dict(defaults[script]), settings(REFERENCE / name)
    if name == "mnist_rnn":
        wanted["cell"] = "rnn"
        del wanted["forget_bias"]
    if name == "sin_cos":
        wanted["network"] = "both"
    assert told.pop("training_iters", 100000) == 100000 and told.pop("iterations", 200) == 200
    assert told == {
        key: wanted[key] for key in wanted if key not in ("training_iters", "iterations")
    }


def test_the_reference_run_prints_what_its_curve_says():
    printed = (REFERENCE / "mnist_lstm" / "printed.txt").read_text()
    losses = [float(loss) for loss in re.findall(r"Loss= (\S+),", printed)]
    curve = events(REFERENCE / "mnist_lstm" / "train").Scalars("loss")
    np.testing.assert_allclose([point.value for point in curve], losses, atol=1e-5)


# ---- commands ------------------------------------------------------------------------------------


def test_every_command_is_known_here():
    """.ci/run runs those that install (the benchmark: test_benchmark.py), the others run below."""
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        for file in re.findall(r"[\w/.-]+\.(?:txt|py)\b", command):
            assert (ROOT / file).is_file(), file
    assert sum("-m venv" in command for command in COMMANDS) == 4


@pytest.mark.quick
@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith(".venv/bin/python ")])
def test_a_command_that_runs_a_script(command, tmp_path):
    _, script, *options = command.split()
    few = FEW[ROOT / script]
    result = run(ROOT / script, *options, *few, "--logdir", tmp_path)
    assert result.status == 0, result.stderr


def trials():
    """The options in the tables, each with the script in whose table it stands."""
    script = None
    for cells in ROWS:
        if len(cells) == 2:
            heading = re.fullmatch(r" `(\w+\.py)` ", cells[0])
            script = ROOT / heading[1] if heading else script
            for options in re.findall(r"`(--[^`]+)`", cells[0]) if script else ():
                yield script, options


@pytest.mark.parametrize(("script", "options"), sorted(set(trials())))
def test_the_options_to_try(script, options, load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = FEW[script]
    if "<run>" in options:
        options = options.replace("logs/mnist/<run>", load(script, *few).run_dir)
    names = load(script, *options.split(), *few)
    assert names.stop.status == 0
    assert names.last_step <= 1 if script == CLASSIFIER else names.costs
    for saved in re.findall(r"--save (\S+)", options):
        assert (tmp_path / saved).stat().st_size > 1000


@pytest.mark.parametrize("script", [CLASSIFIER, REGRESSION])
def test_help_has_groups_defaults_and_an_example_that_runs(script, load, tmp_path, monkeypatch):
    told = run(script, "--help").stdout
    for group in ("the article's settings:", "to compare with:", "files:"):
        assert group in told
    assert "(default: 100000)" in told or "(default: 200)" in told
    example = re.search(rf"^example: python {script.name} (.*)$", told, re.MULTILINE)[1]
    monkeypatch.chdir(tmp_path)
    load(script, *example.split(), *FEW[script])


@pytest.mark.quick
def test_tensorboard_on_the_logs_of_a_fresh_clone_shows_the_reference_runs():
    (command,) = (c for c in COMMANDS if "tensorboard" in c)
    assert command == ".venv/bin/tensorboard --logdir logs"
    parts = "mnist_lstm/train", "mnist_rnn/validation", "sin_cos/lstm", "sin_cos/feedforward"
    wanted = [f"reference/{part}" for part in parts]
    with tensorboard("logs", cwd=ROOT) as ask:
        runs = ask("runs", *wanted)
    assert all(name in runs for name in wanted), runs
