"""Tables as documented in, the JSON Schema of the JSON report out."""

from __future__ import annotations

from typing import Any

from logparse.tables import LARGE, TABLES, Column

SCHEMA_VERSION = "1.0"
"""Version of the JSON report. History:

1.0  first form.

A new column or key raises the second number; a removed or changed one raises the first.
"""

NOT_FINITE = "not_finite"
"""Key of a row that holds the columns whose value is not a finite number, by name."""

_JSON_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}


def _column(column: Column) -> dict[str, Any]:
    kind = _JSON_TYPES[column.kind]
    meaning = f"{column.meaning} ({column.unit})" if column.unit else column.meaning
    # A float that is not finite is null too, and named in not_finite.
    nullable = column.null or column.kind == "float"
    return {
        "type": [kind, "null"] if nullable else kind,
        "description": f"{meaning}; null: {column.null}" if column.null else meaning,
    }


def row_schema(name: str, columns: tuple[Column, ...]) -> dict[str, Any]:
    """The JSON Schema of a row of a table."""
    properties = {column.name: _column(column) for column in columns}
    properties[NOT_FINITE] = {
        "type": "object",
        "description": "columns of this row that are null because they are not finite",
        "additionalProperties": {"enum": ["nan", "inf", "-inf"]},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": [column.name for column in columns],
        # The metrics of updates are columns of their own.
        "additionalProperties": {"type": ["number", "null"]} if name == "updates" else False,
    }


def object_schema(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The JSON Schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}


def _log() -> dict[str, Any]:
    account = object_schema(
        {
            "size": _COUNT,
            "read": _COUNT,
            "ignored": {"type": "object", "additionalProperties": _COUNT},
            "rejected": _COUNT,
            "pending": _COUNT,
        }
    )
    account["description"] = "read + the sum of ignored + rejected + pending = size"
    head = {
        "path": {"type": "string", "description": "as given"},
        "sha256": _TEXT_OR_NONE,
        "reader": _TEXT,
        "reader_reason": _TEXT,
        "damage": _TEXT_OR_NONE,
        "lines": _COUNT,
        "not_kept": {
            "type": "object",
            "description": "rejects and messages beyond those kept one by one, by kind",
            "additionalProperties": _COUNT,
        },
        "bytes": account,
    }
    tables = {name: {"type": "array", "items": {"$ref": f"#/$defs/{name}"}} for name in TABLES}
    return object_schema(head | tables, optional=LARGE)


def result_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``--format json``.

    A line of ``--format ndjson`` is one of ``logs`` or of ``failures``, with ``schema_version``.
    """
    failure = object_schema({"path": _TEXT, "error": _TEXT})
    top = object_schema(
        {
            "schema_version": {"const": SCHEMA_VERSION},
            "tool": object_schema({"name": {"const": "logparse"}, "version": _TEXT}),
            "logs": {"type": "array", "items": {"$ref": "#/$defs/log"}},
            "failures": {"type": "array", "items": {"$ref": "#/$defs/failure"}},
        }
    )
    definitions = {name: row_schema(name, columns) for name, columns in TABLES.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "logparse result",
        **top,
        "$defs": {"log": _log(), "failure": failure, **definitions},
    }
