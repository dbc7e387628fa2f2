"""Analyses made by hand, so that the reports are tested apart from the readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from logparse.again import Part, Seen
from logparse.findings.registry import Tables
from logparse.reports.columns import Columns
from logparse.tables import TABLES, frame
from logparse.training.clock import Times

HOSTILE_STRINGS = [
    "\x1b[2J\x1b[H",  # clear the screen
    "\x1b]0;owned\x07",  # set the title
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",  # a link
    "\x1b]52;c;ZXZpbA==\x07",  # write the clipboard
    "\x1bP+q544e\x1b\\",  # ask the terminal
    "\x9b31mred\x9c",  # C1: one-byte escape
    "\x90evil\x9c",
    "acc\b\b\bnan",
    "line\r\nnext",
    "form\x0cfeed\x0bvertical",
    "\x00nul",
    "\x7fdelete",
    "a\u202ecca",  # right to left override
    "\u2066isolate\u2069",
    "\u200e\u200f\u061cmarks",
    "zero\u200bwidth\ufeff",
    "line\u2028sep\u2029par",
    "tag\U000e0041\U000e007f",
    "half\ud800pair",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    " =cmd|' /C calc'!A0",
    "\uff1d1+1",
    '"quoted",and;split',
    "'apostrophe",
    "a|b",
    "`code`",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[link](javascript:alert(1))",
    "![image](http://evil.example/x.png)",
    "http://evil.example/",
    "**bold** _it_ ~~no~~ # head",
    "&lt;b&gt;",
    "{{ 7*7 }}",
    "%s%n%d{0}",
    "$(reboot) `reboot` ; rm -rf /",
    "../../etc/passwd",
    "[red]markup[/red]",
    "x" * 5000,
    "",
    " ",
    "日本語の精度",
    "e\u0301\u0301\u0301",
    "nan",
    "NaN",
    "null",
]


@dataclass(eq=False)
class FakeAnalysis:
    """The part of ``logparse.analysis.Analysis`` that reports read."""

    source: Any
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)

    def table(self, name: str) -> pl.DataFrame:
        return self.tables[name]

    def parts(self, most: int) -> Iterator[Part]:
        fixed = {column.name for column in TABLES["updates"]}
        for run, table in by_run(self.tables["updates"]):
            columns = {name: Columns(table).floats(name) for name in table.columns}
            rows = {name: np.flatnonzero(table[name].is_not_null()) for name in table.columns}
            shown = {
                name: (rows[name], column[rows[name]])
                for name, column in columns.items()
                if name not in fixed and len(rows[name])
            }
            times = Times(*(columns[name] for name in ("elapsed", "elapsed_low", "elapsed_high")))
            epoch, step = (columns[name].astype(int) for name in ("epoch", "step"))
            yield Part(run, Seen(epoch, step, columns["final"] > 0, times, shown))
        for run, table in by_run(self.tables["batches"]):
            parts = table.drop("run").partition_by("metric", as_dict=True, include_key=False)
            batches = {
                str(name): {key: Columns(part).floats(key) for key in part.columns}
                for (name,), part in parts.items()
            }
            yield Part(run, batches=batches)

    @property
    def judged(self) -> Tables:
        return Tables(**{name: self.tables[name] for name in Tables.__dataclass_fields__})

    def __getattr__(self, name: str) -> pl.DataFrame:
        try:
            return self.__dict__["tables"][name]
        except KeyError:
            raise AttributeError(name) from None


def by_run(table: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    for (run,), part in table.partition_by("run", as_dict=True).items():
        yield int(run), part


def source(**changes: Any) -> SimpleNamespace:
    """What is known of a log of 1,000 bytes."""
    values: dict[str, Any] = {
        "name": "train.log",
        "size": 1000,
        "sha256": "0" * 64,
        "reader": "keras",
        "reader_reason": "18 of 27 lines are Keras progress lines",
        "read": 900,
        "ignored": {"prose": 70, "blank": 30},
        "rejected": 0,
        "pending": 0,
        "damage": None,
        "not_kept": {},
        "lines": 27,
        "unit": "line",
    }
    return SimpleNamespace(**values | changes)


def build(rows: dict[str, list[dict[str, Any]]] | None = None, **about: Any) -> FakeAnalysis:
    """An analysis from rows by table; what a row does not say is null."""
    rows = rows or {}
    tables = {}
    for name, columns in TABLES.items():
        found = rows.get(name, [])
        names = [column.name for column in columns]
        values: dict[str, Any] = {key: [row.get(key) for row in found] for key in names}
        for key in {key for row in found for key in row} - set(names):
            values[key] = pl.Series(key, [row.get(key) for row in found], dtype=pl.Float64)
        tables[name] = frame(name, values)
    return FakeAnalysis(source(**about), tables)


RUN = {
    "run": 1,
    "reader": "keras",
    "keras": "2.0.0-2.0.8",
    "law": "mean+blend",
    "law_reason": "an ETA in plain seconds over a count of steps",
    "epochs": 3,
    "steps_per_epoch": 406,
    "first_line": 12,
    "last_line": 34,
}


def epoch(number: int, seconds: float | None, **changes: Any) -> dict[str, Any]:
    row = {
        "run": 1,
        "epoch": number,
        "label": "1/1",
        "steps": 406,
        "of": 406,
        "updates": 6,
        "complete": True,
        "seconds": seconds,
        "first_line": 12 + number * 8,
        "last_line": 18 + number * 8,
    }
    if seconds is not None:
        row |= {"seconds_low": seconds, "seconds_high": seconds + 1, "step_seconds": seconds / 406}
    return row | changes


def metric(
    number: int, name: str, shown: float | None, end: tuple[float, float] | None = None, **more: Any
) -> dict[str, Any]:
    """``end``: level and half width of its band."""
    row: dict[str, Any] = {"run": 1, "epoch": number, "metric": name, "shown": shown}
    if shown is not None:
        row |= {"mean": shown, "mean_low": shown - 5e-5, "mean_high": shown + 5e-5}
    if end is not None:
        row |= {"end": end[0], "end_low": end[0] - end[1], "end_high": end[0] + end[1]}
    return row | more


def finding(code: str = "LP101", severity: str = "info", **changes: Any) -> dict[str, Any]:
    row = {
        "code": code,
        "severity": severity,
        "run": 1,
        "epoch": 2,
        "metric": "acc",
        "line": 21,
        "message": "acc jumps from 0.8918 to 0.9424, and averaging alone explains it.",
        "value": 0.0506,
        "baseline": 0.0511,
        "threshold": 2.0,
        "n": 6,
        "advice": "Judge the network by validation data, not by this jump.",
    }
    return row | changes


SEED = {
    "runs": [RUN],
    "epochs": [epoch(1, 10798.0), epoch(2, 13127.0), epoch(3, 11147.0)],
    "metrics": [
        metric(1, "loss", 0.3539, (0.215, 0.03)),
        metric(1, "acc", 0.8918, (0.9421, 0.012)),
        metric(2, "loss", 0.2225, (0.221, 0.02)),
        metric(2, "acc", 0.9329, (0.9331, 0.0081)),
        metric(3, "loss", 0.1006, (0.095, 0.011)),
        metric(3, "acc", 0.9745, (0.9753, 0.004)),
    ],
    "findings": [
        finding(),
        finding(epoch=3, line=29),
        finding(metric="loss"),
        finding(metric="loss", epoch=3),
        finding("LP104", "warning", epoch=None, metric="loss", line=None, value=None, n=None),
    ],
}
"""The log of seed question 003, nearly."""


@pytest.fixture
def make() -> Any:
    """Builders of analyses and of their rows."""
    return SimpleNamespace(
        analysis=build,
        filled=filled,
        run=RUN,
        epoch=epoch,
        metric=metric,
        finding=finding,
        seed=SEED,
    )


@pytest.fixture
def seed() -> FakeAnalysis:
    """An analysis with runs, epochs, metrics and findings."""
    return build(SEED)


@pytest.fixture(params=HOSTILE_STRINGS, ids=lambda text: ascii(text)[1:25])
def hostile(request: pytest.FixtureRequest) -> str:
    """Text that must not do anything wherever it comes out."""
    return str(request.param)


@pytest.fixture
def poisoned(hostile: str) -> FakeAnalysis:
    """An analysis with the hostile text in every text column and every name."""
    return filled(hostile)


def filled(hostile: str) -> FakeAnalysis:
    """An analysis with one text in every text column and every name."""
    # A frame holds no half of a pair; a path may.
    path, hostile = hostile, hostile.replace("\ud800", "?")
    texts = {
        name: {column.name for column in columns if column.kind == "str"}
        for name, columns in TABLES.items()
    }
    rows: dict[str, list[dict[str, Any]]] = {
        "runs": [RUN, RUN | {"run": 2}],
        "epochs": [epoch(1, 12.0), epoch(2, None, complete=False, steps=3)],
        "updates": [
            {"run": 1, "epoch": 1, "step": 1, "final": False, "line": 1, "byte": 0, hostile: 1.5}
        ],
        "metrics": [metric(1, "m", 0.5, (0.4, 0.1)), metric(2, "m", 0.5)],
        "batches": [{"run": 1, "epoch": 1, "metric": "m", "first_step": 1, "step": 2}],
        "findings": [finding(), finding("LP2", "error")],
        "messages": [{"kind": "k", "line": 1, "text": "t"}],
        "rejects": [{"line": 1, "start": 0, "end": 4, "kind": "k", "excerpt": "e"}],
        "layers": [{"model": 1, "layer": "l", "type": "t", "line": 1}],
    }
    for name, found in rows.items():
        rows[name] = [row | dict.fromkeys(texts[name] - {"severity"}, hostile) for row in found]
    about = dict.fromkeys(("name", "reader", "reader_reason", "damage"), path)
    return build(rows, **about, ignored={path: 100}, not_kept={path: 3})
