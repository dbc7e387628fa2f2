from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest

from logparse.reports.terminal import Page, TextReport, page

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SHORT = Page(columns=80, fit=True, full=False)


def text(analysis: Any, page: Page) -> str:
    return "".join(TextReport(page).log(analysis))


SEED_TEXT = """\
train.log
One training run: 3 epochs of 406 steps, 9 h 45 min (35,072 s), each printed as
Epoch 1/1, all complete. Printed by Keras 2.0.0-2.0.8.
Each number on a progress line is the average over all batches since its epoch
began, not the value at that moment; the last line counts the epoch's average
once more. While the network improves, the average runs behind it.
Found: 1 warning and 4 notes.

LP104 warning
  loss: acc jumps from 0.8918 to 0.9424, and averaging alone explains it.
  Advice: Judge the network by validation data, not by this jump.
LP101 info
  epoch 2, acc, line 21: acc jumps from 0.8918 to 0.9424, and averaging alone
    explains it.
  epoch 3, acc, line 29: acc jumps from 0.8918 to 0.9424, and averaging alone
    explains it.
  epoch 2, loss, line 21: acc jumps from 0.8918 to 0.9424, and averaging alone
    explains it.
  epoch 3, loss, line 21: acc jumps from 0.8918 to 0.9424, and averaging alone
    explains it.
  Advice: Judge the network by validation data, not by this jump.

                                            loss                    acc
Epoch        Time  A step   shown  really at end   shown  really at end
   1   3 h 00 min  26.6 s  0.3539     0.21 ±0.03  0.8918   0.942 ±0.012
   2*  3 h 39 min  32.3 s  0.2225   0.221 ±0.020  0.9329   0.933 ±0.008
   3*  3 h 06 min  27.5 s  0.1006   0.095 ±0.011  0.9745   0.975 ±0.004
shown: the epoch's last line, as printed. really at end: where the network stood
when the epoch ended (95 % sure). *: see the findings.

Bytes     read 90.0 %, ignored 10.0 % (prose 70, blank 30), rejected 0, pending
          0 = 1,000 bytes in 27 lines
Read as   keras: 18 of 27 lines are Keras progress lines
Averages  mean+blend: an ETA in plain seconds over a count of steps
"""


@pytest.fixture(autouse=True)
def _no_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles are the rules' own and may change."""
    monkeypatch.setattr("logparse.reports.view.RULES", {})


def test_the_report_on_a_terminal(seed: Any) -> None:
    assert text(seed, SHORT) == SEED_TEXT


def test_a_finding_has_the_title_of_its_rule(seed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"LP101": SimpleNamespace(name="jump made by averaging")}
    monkeypatch.setattr("logparse.reports.view.RULES", rules)
    assert "\nLP101 info  jump made by averaging\n" in text(seed, SHORT)


def test_colour_adds_nothing_but_colour(seed: Any) -> None:
    coloured = text(seed, Page(columns=80, fit=True, colour=True, full=False))
    assert coloured != SEED_TEXT
    assert COLOUR.sub("", coloured) == SEED_TEXT


def test_a_pipe_gets_every_finding(seed: Any) -> None:
    out = text(seed, Page())
    assert out.count("acc jumps from") == 5
    assert "explains it. (value 0.0506, baseline 0.0511, threshold 2, n 6)" in " ".join(out.split())
    assert "hidden" not in out
    assert "\x1b" not in out


@pytest.fixture
def long(make: Any) -> Any:
    """60 epochs, 8 metrics with validation, a warning in the middle."""
    names = [f"output_{i}_accuracy" for i in range(4)]
    rows = {
        "runs": [make.run | {"epochs": 60, "keras": None}],
        "epochs": [make.epoch(i, 100.0 + i, label=f"{i}/60") for i in range(1, 61)],
        "metrics": [make.metric(i, name, 0.5, (0.4, 0.01)) for i in range(1, 61) for name in names]
        + [make.metric(i, f"val_{name}", 0.6) for i in range(1, 61) for name in names],
        "findings": [make.finding("LP201", "warning", epoch=33)]
        + [make.finding(epoch=i) for i in range(2, 61)],
    }
    return make.analysis(rows)


def test_a_long_log_is_short_on_a_terminal_and_says_what_it_hides(long: Any) -> None:
    lines = text(long, SHORT).splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("  33*") for line in lines)
    assert any(line.startswith("  60*") for line in lines)
    assert any("epochs hidden; --full shows all" in line for line in lines)
    assert any("and 1 more hidden; --full shows all" in line for line in lines) or any(
        "hidden; --full shows all" in line and "output_" in line for line in lines
    )


def test_full_on_a_terminal_shows_all_within_its_width(long: Any) -> None:
    lines = text(long, Page(columns=80, fit=True, full=True)).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("hidden" in line for line in lines)
    for name in ("output_3_accuracy", "val_output_3_accuracy"):
        assert any(name in line for line in lines)
    assert sum(bool(re.match(r" *59\*", line)) for line in lines) >= 2


def test_a_pipe_gets_each_epoch_on_one_line_with_all_its_metrics(long: Any) -> None:
    lines = text(long, Page()).splitlines()
    rows = [line for line in lines if re.match(r" *\d+[* ] ", line)]
    assert [int(re.sub(r"\*.*| .*", "", row.strip())) for row in rows] == list(range(1, 61))
    assert all(row.count("0.5000") == 4 and row.count("0.6000") == 4 for row in rows)


def test_findings_that_do_not_fit_keep_a_line(make: Any) -> None:
    found = [
        make.finding(code, epoch=epoch, message="long words " * 40)
        for code in ("LP101", "LP102", "LP103", "LP104")
        for epoch in (2, 3)
    ]
    out = text(make.analysis(make.seed | {"findings": found}), SHORT)
    assert "Also epoch 3 (acc); --full says more." in out
    assert "\nLP104 info: epochs 2, 3 (acc); --full says more\n" in out
    assert len(out.splitlines()) <= 46


def test_a_cut_epoch_is_told(make: Any) -> None:
    rows = make.seed | {
        "epochs": [make.epoch(1, 10798.0), make.epoch(2, None, complete=False, steps=12)],
        "findings": [],
    }
    out = text(make.analysis(rows), SHORT)
    assert "Epoch 2 is not complete: the log shows 12 of 406 steps of it." in (
        out.replace("\n", " ")
    )
    assert "Nothing unusual was found." in out


@pytest.mark.parametrize("levels", [True, False])
def test_an_undecided_average_is_told(make: Any, levels: bool) -> None:
    """That nothing was rebuilt is said only where nothing was."""
    metrics = [row | ({} if levels else {"end": None}) for row in make.seed["metrics"]]
    runs = [row | {"law": None} for row in make.seed["runs"]]
    rows = make.seed | {"runs": runs, "metrics": metrics, "findings": []}
    out = " ".join(text(make.analysis(rows), SHORT).split())
    assert ("so nothing was rebuilt from them" in out) != levels
    assert ("rebuilt here is the same for each kind that is possible" in out) == levels


@pytest.mark.parametrize(("half", "said"), [(0.6, True), (0.7, False)])
def test_a_level_that_may_be_anything_is_left_out(make: Any, half: float, said: bool) -> None:
    row = make.metric(1, "loss", 1.3, end=(0.4, half))
    out = text(make.analysis(make.seed | {"metrics": [row]}), SHORT)
    assert ("really at end" in out) == said


def test_no_run_is_told(make: Any) -> None:
    assert "No training was found in this log." in text(make.analysis(), SHORT)


def test_several_runs_have_a_table(make: Any) -> None:
    rows = {
        "runs": [make.run | {"run": i, "epochs": 1, "first_line": i} for i in range(1, 31)],
        "epochs": [make.epoch(1, 5.0, run=i) for i in range(1, 31)],
    }
    out = text(make.analysis(rows), SHORT)
    assert "30 training runs, 30 epochs in all, 2 min 30 s (150 s), all complete." in out
    assert "more runs; --full lists them" in out
    assert len(text(make.analysis(rows), Page()).splitlines()) > 60


def test_a_printed_mean_that_is_wrong_stands_beside_the_true_one(make: Any) -> None:
    rows = make.seed | {
        "metrics": [
            make.metric(1, "loss", 1.2305, mean=1.1166, mean_low=1.1165, mean_high=1.1167),
            make.metric(1, "acc", 0.5),
        ]
    }
    out = text(make.analysis(rows), SHORT)
    assert "1.2305  1.11660 ±0.00010" in out
    assert out.count("true mean") == 2  # the heading of loss and the legend


def test_not_finite_values_are_shown_as_printed(make: Any) -> None:
    rows = make.seed | {"metrics": [make.metric(1, "loss", float("nan"))]}
    assert re.search(r"^ +1 .* nan$", text(make.analysis(rows), SHORT), re.MULTILINE)


def test_hostile_text_never_reaches_the_terminal(poisoned: Any) -> None:
    for layout in (SHORT, Page(columns=80, fit=True, colour=True, full=True), Page()):
        out = COLOUR.sub("", text(poisoned, layout))
        bad = re.findall(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", out
        )
        assert bad == []
        out.encode()


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "color", "environment", "expected"),
    [
        (True, "auto", {}, True),
        (False, "auto", {}, False),
        (True, "never", {}, False),
        (False, "always", {"NO_COLOR": "1"}, True),
        (True, "auto", {"NO_COLOR": "1"}, False),
        (True, "auto", {"NO_COLOR": ""}, True),
        (False, "auto", {"FORCE_COLOR": "1"}, True),
        (True, "auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, "auto", {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_who_can_see_it(
    terminal: bool,
    color: str,
    environment: dict[str, str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert page(Stream(terminal), color=color).colour is expected


def test_a_pipe_is_whole_and_columns_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert page(Stream(False)) == Page(columns=120, fit=False, colour=False, full=True)
    assert page(Stream(True), color="never") == Page(120, fit=True, colour=False, full=False)
    monkeypatch.setenv("COLUMNS", "junk")
    assert page(Stream(False)).columns == 80


def test_a_failure_leaves_the_text_alone() -> None:
    assert list(TextReport(Page()).failure(SimpleNamespace(name="x", error="y"))) == []  # type: ignore[arg-type]
