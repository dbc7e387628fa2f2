"""Comparison in, JSON or a CSV table out; and the JSON Schemas of a comparison and a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from logparse.comparison.baseline import BASELINE_VERSION, MARK
from logparse.comparison.tables import COMPARISON, RAW_EPOCHS, RAW_METRICS
from logparse.reports.json import dump, rows
from logparse.reports.schema import object_schema, row_schema

if TYPE_CHECKING:
    from logparse.comparison.compare import Comparison

COMPARISON_VERSION = "1.0"
"""Version of the JSON of a comparison. History:

1.0  first form.

A new column or key raises the second number; a removed or changed one raises the first.
"""

_TEXT = {"type": "string"}


def document(comparison: Comparison) -> str:
    """The comparison as one JSON document."""
    return "".join(json_report(comparison))


def json_report(comparison: Comparison) -> Iterator[str]:
    """The comparison as pieces of a JSON document, a row a line."""
    from importlib.metadata import version

    tool = {"name": "logparse", "version": version("logparse")}
    yield f'{{"comparison_version": {dump(COMPARISON_VERSION)},\n"tool": {dump(tool)}'
    for name in COMPARISON:
        yield f",\n{dump(name)}: ["
        between = "\n"
        for row in rows(comparison.table(name)):
            yield between + dump(row)
            between = ",\n"
        yield "\n]"
    failures = [{"path": one.name, "error": str(one.error)} for one in comparison.failures]
    yield f',\n"failures": {dump(failures)}}}\n'


def csv_report(comparison: Comparison) -> Iterator[str]:
    """One row a side: its times, and how they compare with the baseline's."""
    import polars as pl

    from logparse.reports.export import safe_cells

    ratios = comparison.ratios.filter(pl.col("quantity") == "epoch").drop("quantity")
    table = comparison.sides.join(ratios, on="side", how="left", maintain_order="left")
    yield safe_cells(table).write_csv()


def comparison_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``logparse compare --format json``."""
    failure = object_schema({"path": _TEXT, "error": _TEXT})
    top = object_schema(
        {
            "comparison_version": {"const": COMPARISON_VERSION},
            "tool": object_schema({"name": {"const": "logparse"}, "version": _TEXT}),
            **{name: _array(name) for name in COMPARISON},
            "failures": {"type": "array", "items": failure},
        }
    )
    return _schema("logparse comparison", top, COMPARISON)


def baseline_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a baseline file."""
    tables = {"epochs": RAW_EPOCHS, "metrics": RAW_METRICS}
    top = object_schema(
        {
            MARK: {"const": BASELINE_VERSION},
            "name": _TEXT,
            "notes": {"type": "array", "items": _TEXT},
            **{name: _array(name) for name in tables},
        }
    )
    return _schema("logparse baseline", top, tables)


def _array(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}


def _schema(title: str, top: dict[str, Any], tables: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **top,
        "$defs": {name: row_schema(name, columns) for name, columns in tables.items()},
    }
