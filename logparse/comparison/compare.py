"""Sides in, a ``Comparison`` out: what ``logparse.compare`` and ``logparse compare`` do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from logparse.comparison.notes import notes_of
from logparse.comparison.outcomes import metric_rows, with_totals
from logparse.comparison.sides import Side, side_of
from logparse.comparison.tables import COMPARISON, table
from logparse.comparison.timing import (
    Timing,
    overtake_rows,
    ratio_rows,
    side_row,
    timing_of,
    total_rows,
)
from logparse.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

MOST_SIDES = 100
"""Each side is compared with each other one: more make no table that anyone reads."""


class Comparison:
    """Sides against the first of them, as the tables of ``logparse.comparison.tables``.

    Attributes:
        sides, ratios, totals, overtakes, metrics, epochs, curves, notes, findings: polars frames.
        slower: some side is slower than the baseline beyond the limit (LP501).
    """

    def __init__(self, tables: dict[str, pl.DataFrame], failures: Sequence[Any] = ()) -> None:
        self._tables = tables
        self.failures = list(failures)

    sides = property(lambda self: self._tables["sides"])
    ratios = property(lambda self: self._tables["ratios"])
    totals = property(lambda self: self._tables["totals"])
    overtakes = property(lambda self: self._tables["overtakes"])
    metrics = property(lambda self: self._tables["metrics"])
    epochs = property(lambda self: self._tables["epochs"])
    curves = property(lambda self: self._tables["curves"])
    notes = property(lambda self: self._tables["notes"])
    findings = property(lambda self: self._tables["findings"])

    @property
    def slower(self) -> bool:
        """Some side is slower than the baseline beyond the limit: LP501."""
        return bool((self.findings["code"] == "LP501").any())

    def table(self, name: str) -> pl.DataFrame:
        """One of the tables, by name.

        Raises:
            UsageError: there is no such table.
        """
        if name not in COMPARISON:
            raise UsageError(f"no table is called {name!r}; there are {', '.join(COMPARISON)}")
        return self._tables[name]

    def to_json(self) -> str:
        """The comparison as one JSON document."""
        from logparse.reports.comparison_json import document

        return document(self)

    def to_markdown(self) -> str:
        """The comparison as GitHub-flavoured markdown."""
        from logparse.reports.comparison import markdown_report

        return "".join(markdown_report(self))

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.to_markdown()

    def __str__(self) -> str:
        from logparse.reports.comparison import text_report
        from logparse.reports.terminal import Page

        return "".join(text_report(self, Page()))

    def __repr__(self) -> str:
        names = ", ".join(self.sides["name"].to_list()[1:4])
        return f"<Comparison of {names} with {self.sides['name'][0]}>"


def compare(
    *sides: Any,
    limit: float | None = None,
    epochs: int | None = None,
    by: str | None = None,
    **options: Any,
) -> Comparison:
    """Compare runs with those of a baseline, the first side.

    Args:
        sides: two or more of: a log, a folder or glob of logs, a baseline file, an ``Analysis``,
            or a list of these. Several runs on one side are one group.
        limit: how much slower is too slow, as a fraction (0.05 for 5 %); LP501 then fires above
            it and LP502 where it cannot be told. By default LP501 fires above 0.
        epochs: number of epochs to compare the total time of; by default the most that a side has.
        by: ``epoch`` or ``step``, what is judged where the epochs of two sides have different
            numbers of steps; by default both are shown and the epoch is judged.
        options: how to read the logs, as in ``analyze``.

    Raises:
        LogparseError: a side cannot be read, or an option makes no sense.

    Example:
        >>> found = compare("sample_logs/keras-2.3.1/slowfirst.log", "other.log", limit=0.05)
        >>> found.ratios.select("ratio", "low", "high", "verdict")
    """
    if not 2 <= len(sides) <= MOST_SIDES:
        raise UsageError(f"a comparison takes two sides or more, up to {MOST_SIDES}")
    if by not in (None, "epoch", "step"):
        raise UsageError(f"by is epoch or step, not {by!r}")
    if epochs is not None and epochs < 1:
        raise UsageError("a total is of one epoch or more")
    if limit is not None and not 0 <= limit < 100:
        raise UsageError("the limit is a fraction of the baseline's time, like 0.05 for 5 %")
    return compare_sides(
        [side_of(side, options) for side in sides], limit=limit, epochs=epochs, by=by
    )


def compare_sides(
    sides: Sequence[Side],
    *,
    limit: float | None = None,
    epochs: int | None = None,
    by: str | None = None,
) -> Comparison:
    """As ``compare``, of sides that were read."""
    from logparse.findings.comparison import comparison_findings

    timings = [timing_of(i, side) for i, side in enumerate(sides, start=1)]
    base = timings[0]
    ratios = [
        row
        for timing in timings[1:]
        for row in ratio_rows(timing, base, None if limit is None else 1 + limit)
    ]
    most = epochs or max((len(run.seconds) for t in timings for run in t.runs), default=0)
    raw = [with_totals(side.epochs) for side in sides]
    metrics = metric_rows(
        [
            (i, table, side.metrics)
            for i, (table, side) in enumerate(zip(raw, sides, strict=True), 1)
        ]
    )
    rows = {
        "sides": [side_row(side, t) for side, t in zip(sides, timings, strict=True)],
        "ratios": ratios,
        "totals": [row for t in timings for row in total_rows(t, most)] if most else [],
        "overtakes": overtake_rows(timings),
        "metrics": metrics,
    }
    tables = {name: table(name, found) for name, found in rows.items()}
    tables |= {
        "epochs": _stacked("epochs", _used(raw, timings)),
        "curves": _stacked("curves", [side.metrics for side in sides]),
        "notes": table("notes", notes_of(sides, timings)),
    }
    tables["findings"] = table("findings", comparison_findings(tables, judged=by or "epoch"))
    failures = [failure for side in sides for failure in side.failures]
    return Comparison({name: tables[name] for name in COMPARISON}, failures)


def _used(raw: list[pl.DataFrame], timings: list[Timing]) -> list[pl.DataFrame]:
    """The epochs of each side, each with what it counts as."""
    import polars as pl

    return [
        epochs.with_columns(pl.Series("use", timing.uses, dtype=pl.String))
        for epochs, timing in zip(raw, timings, strict=True)
    ]


def _stacked(name: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The tables of all sides as one, the number of the side first."""
    import polars as pl

    columns = [column.name for column in COMPARISON[name]]
    numbered = [
        part.with_columns(side=pl.lit(number, pl.Int64)).select(columns)
        for number, part in enumerate(parts, start=1)
    ]
    return pl.concat(numbered)
