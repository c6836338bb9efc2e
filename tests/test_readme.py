"""What the README says is so: commands run, links lead somewhere, figures were measured."""

import re

import claims
import pytest
from conftest import CLASSIFIER, REGRESSION, SMALL, run, tensorboard
from readme import EDITS, HALVES, README, ROOT, edits

FEW = {CLASSIFIER: (*SMALL, "--training-iters", 128), REGRESSION: ("--iterations", 2)}
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


def test_both_halves_say_the_same_and_name_what_is_in_the_scripts():
    """The same figures, names, links and edits; and neither is longer than 200 lines."""
    names = r"`[ -~]+?`|<code>[ -~]+?</code>"
    for what in r"\d\.\d+(?:–\d\.\d+)?", names, r"\]\(([^#)][^)]*)\)", r"^\*\*(?!E)|^## |^- \*\*":
        english, chinese = (re.findall(what, half, re.MULTILINE) for half in HALVES)
        assert sorted(english) == sorted(chinese) and english, what
    assert edits(HALVES[0]) == edits(HALVES[1]) and len(EDITS) == 6
    assert max(half.count("\n") for half in HALVES) <= 200
    rows = re.findall(r"^\| \*\*.*?\|(.*)\|(.*)\|$", README, re.MULTILINE)
    assert len(rows) == 2 * 8
    for names, shown in rows:
        regression = "regression" in names or "回归" in names
        code = (REGRESSION if regression else CLASSIFIER).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b{name}\b", code), name
        assert shown.strip()


def test_the_figures_are_those_of_the_reference_runs_and_the_ranges_those_of_five_runs():
    """And what is stored contradicts nothing that the page says."""
    printed = "".join(path.read_text() for path in ROOT.glob("logs/reference/*/printed.txt"))
    shown = "".join(text for language, text in FENCED if language == "text").splitlines()
    assert len(shown) > 10 and {*shown} <= {"...", *printed.splitlines()}
    assert claims.stored.keys() == {"measured", *claims.NETWORKS, *claims.REGRESSIONS, *EDITS}
    assert len(claims.CLAIMS) > 15 and claims.contradicted() == []
    ranges = re.findall(r"\d\.\d+–\d\.\d+", README)
    assert len(ranges) > 2 * 20 and {*ranges} <= claims.ranges()


@pytest.mark.parametrize("script", FEW)
def test_commands_and_options_run_and_help_is_complete(script, load, small, tmp_path, monkeypatch):
    """.ci/run runs the two commands that install; TensorBoard, below."""
    assert len(COMMANDS) == 4 and sum("-m venv" in command for command in COMMANDS) == 2
    monkeypatch.chdir(tmp_path)
    told = run(script, "--help").out
    for group in ("the article's settings:", "to compare with:", "files:", "(default: "):
        assert group in told
    table = README.split(f"| `{script.name}` |")[1].split("\n\n")[0].split("`sin_cos_regress")[0]
    options = re.findall(r"^\| `(--[^`]+)`", table, re.MULTILINE)
    options += re.findall(rf"python {script.name} (.*)", "\n".join([told, *COMMANDS]))
    assert len(options) >= 3
    for typed in options:
        if "RUN" not in typed:  # test_restore.py
            words = typed.replace("DATA", str(small)).split()
            load(script, *words, *FEW[script], drawn="--save" in typed)


def test_tensorboard_on_the_logs_of_a_fresh_clone_shows_the_reference_runs():
    assert ".venv/bin/tensorboard --logdir logs" in COMMANDS
    runs = "1-lstm/train 2-rnn/train 3-blank-72-lstm/train 4-blank-72-rnn/train 5-sin-cos/lstm"
    tensorboard(ROOT / "logs")("runs", *(f"reference/{run}" for run in runs.split()))
