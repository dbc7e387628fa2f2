"""A side in, a baseline file out, and back: what later logs are compared with."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

from logparse.comparison.sides import Side
from logparse.comparison.tables import RAW_EPOCHS, RAW_METRICS, from_rows
from logparse.errors import UsageError
from logparse.tables import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

BASELINE_VERSION = "1.0"
"""Version of the baseline file. History:

1.0  first form.

A new column raises the second number; a removed or changed one raises the first.
"""

MARK = "logparse_baseline"
"""First key of a baseline file, which holds its version: how the file is recognised."""

MOST_BYTES = 256 << 20
"""Larger files are no baseline: a million epochs take half of this."""


def baseline_text(side: Side) -> Iterator[str]:
    """The baseline file of a side, as pieces of JSON: every epoch and metric, a row a line."""
    from logparse.reports.json import dump, rows

    yield f'{{"{MARK}": {dump(BASELINE_VERSION)},\n"name": {dump(side.name)}'
    yield f',\n"notes": {dump(side.notes)}'
    for name, table in (("epochs", side.epochs), ("metrics", side.metrics)):
        yield f',\n"{name}": ['
        between = "\n"
        for row in rows(table):
            yield between + dump(row)
            between = ",\n"
        yield "\n]"
    yield "}\n"


def load_baseline(path: str) -> Side | None:
    """The side that a baseline file holds; None if the file is none.

    Raises:
        UsageError: it is a baseline file, but damaged or of another version.
    """
    text = _text(path)
    if text is None:
        return None
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: a damaged baseline file: {error}") from error
    version = held.get(MARK)
    if not isinstance(version, str) or version.partition(".")[0] != "1":
        raise UsageError(
            f"{path}: a baseline file of version {version!r}; this logparse reads "
            f"{BASELINE_VERSION}: save it again"
        )
    try:
        side = Side(
            name=_checked(held["name"], str),
            epochs=from_rows(RAW_EPOCHS, _rows(held["epochs"], RAW_EPOCHS)),
            metrics=from_rows(RAW_METRICS, _rows(held["metrics"], RAW_METRICS)),
            notes=[_checked(note, str) for note in _checked(held["notes"], list)],
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{path}: a damaged baseline file: {error}; save it again") from error
    if not side.epochs.height:
        raise UsageError(f"{path}: a baseline file without an epoch")
    return side


def _text(path: str) -> str | None:
    """The text of a file that begins like a baseline file."""
    if not os.path.isfile(path) or os.path.getsize(path) > MOST_BYTES:
        return None
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            if not head.startswith(f'{{"{MARK}"'.encode()):
                return None
            return (head + file.read(MOST_BYTES)).decode("utf-8", errors="replace")
    except OSError:
        return None  # reading it as a log says what is wrong


def _rows(rows: Any, columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """The rows of a table, their values of the columns' types.

    Raises:
        TypeError: a value is not.
        KeyError: a column is missing.
    """
    kinds: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "str": str}
    for row in _checked(rows, list):
        for column in columns:
            value = _checked(row, dict)[column.name]
            if value is None and column.null:
                continue
            if value is None or isinstance(value, bool) != (column.kind == "bool"):
                raise TypeError(f"{column.name} is {value!r}")
            if isinstance(value, float) and not math.isfinite(value):
                raise TypeError(f"{column.name} is {value!r}")
            _checked(value, kinds[column.kind])
    return list(rows)


def _checked(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.40} is of a wrong type")
    return value
