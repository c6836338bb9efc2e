"""What the README says is so: commands run, links lead somewhere, figures were measured."""

import re

import claims
import numpy as np
import pytest
from conftest import CLASSIFIER, REGRESSION, SMALL, run, tensorboard
from readme import EDITS, HALVES, README, ROOT, edits

REFERENCE = ROOT / "logs" / "reference"
RESULTS = (ROOT / "tests" / "benchmark" / "results.md").read_text(encoding="utf-8")
PRINTED = "".join(path.read_text() for path in sorted(REFERENCE.glob("*/printed.txt")))
FEW = {CLASSIFIER: ("--training-iters", 128), REGRESSION: ("--iterations", 2)}
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = sorted({text.strip() for language, text in FENCED if not language})

pytestmark = pytest.mark.quick


def test_every_link_leads_to_a_file_or_a_heading():
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
    links = re.findall(r'\]\(([^)]+)\)|href="([^"]+)"', README)
    assert len(links) > 40
    for link in map("".join, links):
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif not link.startswith("https://"):
            assert (ROOT / link).is_file(), link


def test_both_halves_have_the_same_figures_names_links_and_edits():
    """And neither is longer than 190 lines."""
    names = r"`[ -~]+?`|<code>[ -~]+?</code>"
    for what in r"\d\.\d+(?:–\d\.\d+)?", names, r"\]\(([^#)][^)]*)\)", r"^\*\*(?!E)|^## |^- \*\*":
        english, chinese = (re.findall(what, half, re.MULTILINE) for half in HALVES)
        assert sorted(english) == sorted(chinese) and english, what
    assert edits(HALVES[0]) == edits(HALVES[1]) and len(EDITS) == 6
    assert max(half.count("\n") for half in HALVES) <= 190


def test_every_name_of_the_reading_guide_is_in_its_script():
    rows = re.findall(r"^\| \*\*.*?\|(.*)\|(.*)\|$", README, re.MULTILINE)
    assert len(rows) == 2 * 8
    for names, shown in rows:
        regression = "regression" in names or "回归" in names
        code = (REGRESSION if regression else CLASSIFIER).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b{name}\b", code), name
        assert shown.strip()


def test_what_the_scripts_print_is_what_the_reference_runs_printed():
    shown = [line for language, text in FENCED if language == "text" for line in text.splitlines()]
    assert len(shown) > 10
    for line in shown:
        assert line == "..." or line in PRINTED.splitlines(), line


def test_every_range_is_the_lowest_and_the_highest_of_five_runs():
    """With two digits; and what is stored contradicts nothing that the page says."""
    names = claims.stored.keys() - {"measured"}
    assert names == {*claims.NETWORKS, *claims.REGRESSIONS, *EDITS}
    assert len(claims.CLAIMS) > 15 and claims.contradicted() == []
    columns = [
        claims.of(name, figure)
        for name in names
        for figure in ("accuracy", "first_128", "lstm", "feedforward")
        if figure in claims.stored[name][0]
    ]
    columns += claims.probe("LSTM").T.tolist()
    read = re.findall(r"^\| [0-4] \|((?: [01]\.\d{3} \|){7})", RESULTS, re.MULTILINE)
    assert len(read) == 5, "handwriting.py's table"
    columns += np.array([row.split("|")[:-1] for row in read], float).T.tolist()
    measured = {f"{min(column):.2f}–{max(column):.2f}" for column in columns}
    ranges = re.findall(r"\d\.\d+–\d\.\d+", README)
    assert len(ranges) > 2 * 20
    for told in ranges:
        assert told in measured, told


@pytest.mark.parametrize("script", FEW)
def test_commands_and_options_run_and_help_has_groups_defaults_and_an_example(
    script, load, small, tmp_path, monkeypatch
):
    """.ci/run runs the two commands that install; TensorBoard, below."""
    assert len(COMMANDS) == 4 and sum("-m venv" in command for command in COMMANDS) == 2
    monkeypatch.chdir(tmp_path)
    told = run(script, "--help").stdout
    for group in ("the article's settings:", "to compare with:", "files:", "(default: "):
        assert group in told
    table = README.split(f"| `{script.name}` |")[1].split("\n\n")[0].split("`sin_cos_regress")[0]
    options = re.findall(r"^\| `(--[^`]+)`", table, re.MULTILINE)
    options += re.findall(rf"^example: python {script.name} (.*)$", told, re.MULTILINE)
    options += re.findall(
        rf"^.venv/bin/python {script.name} (.*)$", "\n".join(COMMANDS), re.MULTILINE
    )
    assert len(options) >= 3
    few = (*FEW[script], *SMALL) if script == CLASSIFIER else FEW[script]
    for typed in options:
        if "RUN" not in typed:  # test_restore.py
            load(
                script, *typed.replace("DATA", str(small)).split(), *few, rendered="--save" in typed
            )


def test_tensorboard_on_the_logs_of_a_fresh_clone_shows_the_reference_runs():
    assert ".venv/bin/tensorboard --logdir logs" in COMMANDS
    names = ["1-lstm/train", "2-rnn/train", "3-blank-72-lstm/train", "4-blank-72-rnn/train"]
    with tensorboard("logs", cwd=ROOT) as ask:
        ask("runs", *(f"reference/{name}" for name in [*names, "5-sin-cos/lstm"]))
