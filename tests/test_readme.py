"""What the README says is so: commands run, links lead somewhere, figures were measured."""

import json
import re

import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, ROOT, events, run, settings, tensorboard

README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = ROOT / "logs" / "reference"
RESULTS = (ROOT / "tests" / "benchmark" / "results.md").read_text(encoding="utf-8")
CLAIMS = json.loads((ROOT / "tests" / "benchmark" / "claims.json").read_text())
CLASSIFIERS = "1-lstm", "2-rnn", "3-blank-72-lstm", "4-blank-72-rnn"
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
        elif not link.startswith("https://"):
            assert (ROOT / link).is_file(), link


def test_every_name_of_the_reading_guide_is_in_the_script_that_the_row_names():
    code = {
        "classifier": CLASSIFIER.read_text(encoding="utf-8"),
        "regression": REGRESSION.read_text(encoding="utf-8"),
    }
    code.update({"分类": code["classifier"], "回归": code["regression"]})
    guide = [cells[1] for cells in ROWS if len(cells) == 3 and cells[0].startswith(" **")]
    sections = {
        name: re.findall(r"^# [=-]+ (.*?) [=-]+$", text, re.MULTILINE)
        for name, text in code.items()
    }
    assert len(guide) == 2 * 9, "the article's headings, in both languages"
    for row in guide:
        named = re.search(r"[(（](\w+)[)）] *$", row)[1]
        script = code[named]
        for section in re.findall(r'section "([^"]+)"|“([^”]+)”一节', row):
            assert any("".join(section) in title for title in sections[named]), row
        for name in re.findall(r"`([^`]+)`", row):
            assert re.search(rf"(?<![\w]){re.escape(name)}(?!\w)", script), (row, name)


def test_both_halves_say_the_same():
    """The same names in the guide, the same options to try, the same error texts."""
    halves = README.split("\n# 在今天的")
    for what in (
        r"^\| \*\*[^|]+\|([^|]+)\|",  # the guide's names
        r"^\| `(--[^|]+)` \|",  # the options to try
        r"^\*\*\d\..*",  # the exercises
        r"^\|(?:[^|\n]*\|){3,}",  # tables
        r"\]\(([^#)][^)]*)\)",  # links
        r"\d\.\d{3,}(?:–\d\.\d{3,})?",  # figures
    ):
        english, chinese = (re.findall(what, half, re.MULTILINE) for half in halves)
        names = [
            [sorted(re.findall(r"`[ -~]+?`", text)) for text in half] for half in (english, chinese)
        ]
        assert names[0] == names[1] and len(english) == len(chinese) > 0, what
    errors = re.findall(r"^### (?:报错|提示)：(.*)$", halves[1], re.MULTILINE)
    assert len(errors) == 10 and all(f"\n### {error}\n" in halves[0] for error in errors)
    assert halves[0].count("\n### ") == halves[1].count("\n### ")
    assert halves[0].count("\n## ") == halves[1].count("\n## ") == 9
    assert halves[0].count("<details>") == halves[1].count("<details>") == 9


def test_no_line_ends_in_mid_sentence_and_nothing_is_taken_for_a_redirection():
    for language, text in FENCED:
        assert language or not re.search("[<>]", text)
    assert not re.search(
        r"`(?:-|\.venv|uv|python|pip)[^`\n]*[<>][^`\n]*`", README.replace('"setuptools<82"', "")
    )
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    for line in prose.splitlines():
        assert not line or re.search(r"[.:?。：？|#)*>]$|^#|summary", line), line


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
    measured |= {"0.992188", "0.0078"}  # the article's own, and what one image of 128 is
    figures = re.findall(FIGURE, re.sub(r"\d\.\d{4}–\d\.\d{4}", "", README))  # see below
    assert len(figures) > 20
    assert not set(figures) - measured


def worst_to_best(values):
    return f"{min(values):.4f}–{max(values):.4f}"


def accuracy(name):
    return worst_to_best([run["accuracy"] for run in CLAIMS[name]]) if name in CLAIMS else ""


def test_the_table_of_the_third_exercise_is_what_was_measured():
    rows = [cells for cells in ROWS if len(cells) == 4 and "–" in "".join(cells)]
    assert len(rows) == 2 * 4, "in both languages"
    names = ["LSTM", "LSTM, forget bias 3", "LSTM, forget bias 0", "plain RNN"]
    for cells, name in zip(rows, names * 2):
        cell, *bias = name.split(", ")
        for told, wait in zip(cells[1:], ("", "28 blank rows", "72 blank rows")):
            assert told.strip() == accuracy(", ".join(filter(None, [cell, wait, *bias])))


def test_every_range_is_the_lowest_and_the_highest_of_five_runs():
    """In the order of the page, each by what it is of; the same in both languages."""
    probes = np.array([run["probe"] for run in CLAIMS["LSTM"]])
    regression = {name: runs for name, runs in CLAIMS.items() if name.startswith("regression")}
    cost = {name: worst_to_best([run["lstm"] for run in runs]) for name, runs in regression.items()}
    expected = [worst_to_best(probes[:, row - 1]) for row in (7, 14, 28)]
    expected += [accuracy("plain RNN"), accuracy("LSTM")]
    expected += [worst_to_best([run["first_128"] for run in CLAIMS["LSTM"]]), accuracy("LSTM")]
    expected += [cost[f"regression{more}"] for more in (", 5 steps", "")]
    expected += [cost["regression, 5 steps, 800 iterations"], cost["regression, 2 units"]]
    expected += [worst_to_best([run["feedforward"] for run in CLAIMS["regression"]])]
    expected += [accuracy("LSTM, clothes")]
    expected += [accuracy("LSTM, 99 %"), accuracy("LSTM")]
    prose = "\n".join(line for line in README.splitlines() if len(line.split("|")) != 6)
    assert re.findall(r"\d\.\d{4}–\d\.\d{4}", prose) == 2 * expected


def test_the_benchmarks_table_is_what_the_benchmark_printed():
    table = [line for line in README.splitlines() if re.match(r"\| [^|]+\| \d+\.\d \|", line)]
    assert len(table) == 2 * (6 + 4 + 2), "three tables in both languages"
    for line in table:
        assert line in RESULTS.splitlines(), line


# ---- the reference runs --------------------------------------------------------------------------


def test_the_reference_runs_are_whole_and_small():
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert not [path for path in files if "ckpt" in path.name or path.name == "checkpoint"]
    assert sum(path.stat().st_size for path in files) < 4e6
    for name in CLASSIFIERS:
        train, validation = (events(REFERENCE / name / part) for part in ("train", "validation"))
        assert [point.step for point in train.Scalars("loss")] == list(range(10, 790, 10))
        watched = [*range(0, 800, 100), 781]
        assert [point.step for point in validation.Scalars("loss")] == watched
        for picture in ("mistakes", "rows", "inside", "gradient"):
            (image,) = train.Images(picture)
            png = REFERENCE / name / f"{picture}.png"
            if name == "1-lstm" or picture in ("gradient", "rows"):
                assert image.encoded_image_string == png.read_bytes()
        (tested,) = events(REFERENCE / name).Scalars("test_accuracy")
        printed = (REFERENCE / name / "printed.txt").read_text()
        assert f"(all 10000 images): {tested.value:.6f}" in printed
    for network in ("lstm", "feedforward"):
        curve = events(REFERENCE / "5-sin-cos" / network).Scalars("cost")
        assert [point.step for point in curve] == list(range(200))


@pytest.fixture(scope="module")
def defaults(load):
    """Each script's settings where no option is given, but for the length of the run."""
    return {script: settings(load(script, *few).run_dir) for script, few in FEW.items()}


OTHERWISE = {
    "1-lstm": {},
    "2-rnn": {"cell": "rnn"},
    "3-blank-72-lstm": {"blank_rows": 72, "forget_bias": 3},
    "4-blank-72-rnn": {"cell": "rnn", "blank_rows": 72},
    "5-sin-cos": {"network": "both"},
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_the_reference_runs_had_the_default_settings_of_today(name, defaults):
    """But for what their names say."""
    script = REGRESSION if name == "5-sin-cos" else CLASSIFIER
    wanted, told = {**defaults[script], **OTHERWISE[name]}, settings(REFERENCE / name)
    wanted = {key: value for key, value in wanted.items() if value is not None}
    assert told.pop("training_iters", 100000) == 100000 and told.pop("iterations", 200) == 200
    assert told == {
        key: wanted[key] for key in wanted if key not in ("training_iters", "iterations")
    }


def test_the_reference_run_prints_what_its_curve_says():
    printed = (REFERENCE / "1-lstm" / "printed.txt").read_text()
    losses = [float(loss) for loss in re.findall(r"Loss= (\S+),", printed)]
    curve = events(REFERENCE / "1-lstm" / "train").Scalars("loss")
    np.testing.assert_allclose([point.value for point in curve], losses, atol=1e-5)


# ---- commands ------------------------------------------------------------------------------------


def test_every_command_is_known_here():
    """.ci/run runs those that install (the benchmark: test_benchmark.py), the others run below."""
    assert len(COMMANDS) == 7
    for command in COMMANDS:
        for file in re.findall(r"[\w/.-]+\.(?:txt|py)\b", command):
            assert (ROOT / file).is_file(), file
    assert sum("-m venv" in command for command in COMMANDS) == 4
    assert "uv run mnist_lstm_classifier.py" in COMMANDS  # see test_machines.py


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
    few = (*FEW[script], "--n-hidden", 8) if script == CLASSIFIER else FEW[script]
    options = options.replace("--data DATA", f"--data {ROOT / 'data' / 'mnist.npz'}")
    if "RUN" in options:
        options = re.sub(r"logs/\w+/RUN", load(script, *few).run_dir, options)
    names = load(script, *options.split(), *few)
    assert not names.signals and (names.last_step <= 1 if script == CLASSIFIER else names.costs)
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
    wanted = [f"reference/{name}/train" for name in CLASSIFIERS]
    wanted += ["reference/5-sin-cos/lstm", "reference/5-sin-cos/feedforward"]
    with tensorboard("logs", cwd=ROOT) as ask:
        runs = ask("runs", *wanted)
    assert all(name in runs for name in wanted), runs
