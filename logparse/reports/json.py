"""Analysis in, JSON out: one document for all logs, or one line a log."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from logparse.reports.safe import json_text
from logparse.reports.schema import NOT_FINITE, SCHEMA_VERSION
from logparse.tables import LARGE, TABLES

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis, Failure

SLICE = 10_000
"""Rows turned into text at a time: a table of millions is never held as objects."""


def dump(value: object) -> str:
    """The value as JSON on one line, without a control or direction character."""
    return json_text(json.dumps(value, ensure_ascii=False, allow_nan=False))


def rows(table: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a table as JSON objects.

    A number that is not finite is null, and its column is named in the row's ``not_finite`` with
    ``nan``, ``inf`` or ``-inf``.
    """
    floats = [name for name, kind in table.schema.items() if kind.is_float()]
    for part in table.iter_slices(SLICE):
        strange = [
            name for name in floats if (part[name].is_nan() | part[name].is_infinite()).any()
        ]
        for row in part.iter_rows(named=True):
            for name in strange:
                value = row[name]
                if value is not None and not math.isfinite(value):
                    row.setdefault(NOT_FINITE, {})[name] = str(value)
                    row[name] = None
            yield row


def head(analysis: Analysis) -> dict[str, Any]:
    """What comes before the tables: where the log is from and where its bytes went."""
    source = analysis.source
    return {
        "path": source.name,
        "sha256": source.sha256,
        "reader": source.reader,
        "reader_reason": source.reader_reason,
        "damage": source.damage,
        "lines": source.lines,
        "not_kept": dict(sorted(source.not_kept.items())),
        "bytes": {
            "size": source.size,
            "read": source.read,
            "ignored": dict(sorted(source.ignored.items())),
            "rejected": source.rejected,
            "pending": source.pending,
        },
    }


def log_text(
    analysis: Analysis, *, full: bool, newline: str = "\n", extra: dict[str, Any] | None = None
) -> Iterator[str]:
    """One log as the pieces of a JSON object, a row a line.

    Args:
        analysis: the analysis.
        full: with the tables ``updates`` and ``batches``.
        newline: what separates rows; empty for one line.
        extra: keys to put first.
    """
    yield "{"
    first = (extra or {}) | head(analysis)
    yield f",{newline or ' '}".join(f"{dump(key)}: {dump(value)}" for key, value in first.items())
    for name in TABLES:
        if name in LARGE and not full:
            continue
        yield f",{newline or ' '}{dump(name)}: ["
        between = newline
        for row in rows(analysis.table(name)):
            yield between + dump(row)
            between = f",{newline or ' '}"
        yield f"{newline}]"
    yield "}"


def opening() -> str:
    """The start of a document, up to the first log."""
    from importlib.metadata import version

    tool = dump({"name": "logparse", "version": version("logparse")})
    return f'{{"schema_version": {dump(SCHEMA_VERSION)},\n"tool": {tool},\n"logs": ['


def closing(failures: list[dict[str, str]]) -> str:
    """The end of a document, from the last log on."""
    return f'],\n"failures": {dump(failures)}}}\n'


def document(analysis: Analysis, *, full: bool) -> str:
    """A whole document with this one log."""
    return "".join([opening(), *log_text(analysis, full=full), closing([])])


class JsonReport:
    """All logs in one document."""

    def __init__(self, *, full: bool) -> None:
        self.full = full
        self._between = ""
        self._failures: list[dict[str, str]] = []

    def start(self) -> Iterator[str]:
        """The opening."""
        yield opening()

    def log(self, analysis: Analysis) -> Iterator[str]:
        """One log."""
        yield self._between
        self._between = ",\n"
        yield from log_text(analysis, full=self.full)

    def failure(self, failure: Failure) -> Iterator[str]:
        """A log that could not be read: listed at the end."""
        self._failures.append({"path": failure.name, "error": str(failure.error)})
        yield from ()

    def end(self) -> Iterator[str]:
        """The failures and the closing."""
        yield closing(self._failures)


class NdjsonReport:
    """One line a log."""

    def __init__(self, *, full: bool) -> None:
        self.full = full

    def start(self) -> Iterator[str]:
        """Nothing comes first."""
        yield from ()

    def log(self, analysis: Analysis) -> Iterator[str]:
        """One log."""
        version = {"schema_version": SCHEMA_VERSION}
        yield from log_text(analysis, full=self.full, newline="", extra=version)
        yield "\n"

    def failure(self, failure: Failure) -> Iterator[str]:
        """A log that could not be read."""
        row = {"schema_version": SCHEMA_VERSION, "path": failure.name}
        yield dump(row | {"error": str(failure.error)}) + "\n"

    def end(self) -> Iterator[str]:
        """Nothing comes last."""
        yield from ()
