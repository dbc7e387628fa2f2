"""Scores in, a table for a terminal, JSON, or a page with figures out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from logparse.replay.scoring import Part, Score
from logparse.reports.layout import wrap
from logparse.reports.safe import visible
from logparse.reports.terminal import WIDTH
from logparse.reports.words import share

SCHEMA_VERSION = "1.0"
"""Of the JSON. 1.0: the first."""

HEAD = ("run", "from", "law", "bounds", "band", "means", "times", "step", "waits", "findings")

LEGEND = (
    'law: of the averages, as found; "left open" if the log does not tell. bounds, band, means, '
    "times: how many of the true values of batch intervals, epochs and durations lie within what "
    "logparse says; a band should hold 95 %. step: error of the time a step. waits: true share of "
    "the time that training waited for input. findings: those found; missing ones were expected, "
    "unexpected ones not, wrong ones the truth denies."
)


def text(scores: Sequence[Score]) -> str:
    """A table, a line for each source of each run, and what its columns mean."""
    rows = [HEAD, *(cells_of(score) for score in scores)]
    widths = [max(len(row[i]) for row in rows) for i in range(1, len(HEAD) - 1)]
    lines = _lines(HEAD, widths)[:1]
    for row, before in zip(rows[1:], rows, strict=False):
        lines += [row[0]] if row[0] != before[0] else []
        lines += _lines(row, widths)
    good = sum(score.good for score in scores)
    said = f"{good} of {len(scores)} readings as they should be."
    return "\n".join([*lines, "", said, *wrap(LEGEND, WIDTH)])


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The cells of a row but the first, indented; the last one below where there is no room."""
    cells = [cell.ljust(width) for cell, width in zip(row[1:], widths, strict=False)]
    line = "  ".join(["", *cells, row[-1]]).rstrip()
    if len(line) <= WIDTH:
        return [line]
    return ["  ".join(["", *cells]).rstrip(), *wrap(row[-1], WIDTH, indent=" " * 10)]


def document(scores: Sequence[Score]) -> str:
    """The scores as JSON."""
    body: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    body["scores"] = [score.to_dict() for score in scores]
    return json.dumps(body, indent=2, allow_nan=False) + "\n"


def cells_of(score: Score) -> tuple[str, ...]:
    """The cells of a score, below ``HEAD``."""
    if score.error is not None:
        return (visible(score.run), score.source, *[""] * 7, visible(score.error))
    return (
        visible(score.run),
        score.source,
        score.law or "left open",
        _part(score.bounds),
        _part(score.band),
        _part(score.means),
        _part(score.durations),
        "" if score.step_error is None else f"{100 * score.step_error:.1f} %",
        "" if score.wait is None else f"{100 * score.wait:.0f} %",
        _findings(score),
    )


def _part(part: Part) -> str:
    return share(part.inside, part.of) if part.of else ""


def _findings(score: Score) -> str:
    """``LP101, LP202 (missing LP401)``, with whatever else is wrong."""
    wrong = score.jumps.of - score.jumps.inside
    notes = [] if score.law in (score.true_law, None) else [f"the law is {score.true_law}"]
    notes += [f"missing {', '.join(score.missing)}"] if score.missing else []
    notes += [f"unexpected {', '.join(score.unexpected)}"] if score.unexpected else []
    notes += [f"wrong on {wrong} of {score.jumps.of} jumps"] if wrong else []
    found = ", ".join(score.found) or "none"
    return f"{found} ({'; '.join(notes)})" if notes else found
