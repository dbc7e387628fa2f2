from __future__ import annotations

import json
import unicodedata
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from logparse.reports.json import JsonReport, NdjsonReport, document
from logparse.reports.schema import SCHEMA_VERSION, result_schema
from logparse.tables import LARGE, TABLES


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found = result_schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def valid(document: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(document)


def test_the_document_holds_the_tables_as_they_are(seed: Any, schema: dict[str, Any]) -> None:
    found = strict(document(seed, full=True))
    valid(found, schema)
    (log,) = found["logs"]
    for name in TABLES:
        assert log[name] == seed.table(name).rows(named=True)
    assert log["bytes"] == {
        "size": 1000,
        "read": 900,
        "ignored": {"blank": 30, "prose": 70},
        "rejected": 0,
        "pending": 0,
    }
    assert (found["schema_version"], found["failures"]) == (SCHEMA_VERSION, [])
    assert (log["path"], log["sha256"], log["reader"]) == ("train.log", "0" * 64, "keras")


def test_large_tables_come_only_when_asked_for(seed: Any, schema: dict[str, Any]) -> None:
    found = strict(document(seed, full=False))
    valid(found, schema)
    assert set(TABLES) - set(found["logs"][0]) == set(LARGE)


def test_what_is_not_finite_is_null_and_named(make: Any, schema: dict[str, Any]) -> None:
    rows = make.seed | {
        "metrics": [
            make.metric(1, "loss", float("nan"), mean=float("inf")),
            make.metric(2, "loss", None),
            make.metric(3, "loss", float("-inf")),
        ],
        "updates": [
            {"run": 1, "epoch": 1, "step": 1, "final": False, "line": 1, "byte": 0}
            | {"loss": float("nan")}
        ],
    }
    found = strict(document(make.analysis(rows), full=True))
    valid(found, schema)
    log = found["logs"][0]
    first, second, third = log["metrics"]
    assert (first["shown"], first["mean"]) == (None, None)
    assert first["not_finite"] == {"shown": "nan", "mean": "inf", "mean_low": "nan"} | {
        "mean_high": "nan"
    }
    assert second["shown"] is None
    assert "not_finite" not in second
    assert third["not_finite"]["shown"] == "-inf"
    assert log["updates"][0]["loss"] is None
    assert log["updates"][0]["not_finite"] == {"loss": "nan"}


def test_numbers_keep_their_shortest_form(make: Any) -> None:
    rows = make.seed | {"metrics": [make.metric(1, "loss", 0.1)]}
    assert '"shown": 0.1,' in document(make.analysis(rows), full=False)


def test_several_logs_are_one_document_or_a_line_each(seed: Any, schema: dict[str, Any]) -> None:
    failure: Any = SimpleNamespace(name="bad\x1b.log", error=ValueError("bad\x1b.log: empty"))
    whole, lined = JsonReport(full=False), NdjsonReport(full=False)
    texts = []
    for report in (whole, lined):
        pieces = [*report.start(), *report.log(seed), *report.failure(failure)]
        texts.append("".join([*pieces, *report.log(seed), *report.end()]))
    found = strict(texts[0])
    valid(found, schema)
    assert len(found["logs"]) == 2
    assert found["failures"] == [{"path": "bad\x1b.log", "error": "bad\x1b.log: empty"}]
    assert "\x1b" not in texts[0]
    lines = [strict(line) for line in texts[1].splitlines()]
    assert [line.pop("schema_version") for line in lines] == [SCHEMA_VERSION] * 3
    assert lines == [found["logs"][0], found["failures"][0], found["logs"][1]]


def test_no_log_is_a_document_too(schema: dict[str, Any]) -> None:
    report = JsonReport(full=False)
    valid(strict("".join([*report.start(), *report.end()])), schema)


def test_hostile_text_stays_what_it_is_and_does_nothing(
    poisoned: Any, schema: dict[str, Any]
) -> None:
    text = document(poisoned, full=True)
    found = strict(text)
    valid(found, schema)
    (log,) = found["logs"]
    assert log["path"] == poisoned.source.name
    for name in TABLES:
        assert log[name] == poisoned.table(name).rows(named=True)
    assert not {unicodedata.category(char) for char in text.replace("\n", "")} & {"Cc", "Cf", "Cs"}


def test_the_schema_knows_every_column_and_refuses_another(
    seed: Any, schema: dict[str, Any]
) -> None:
    for name, columns in TABLES.items():
        assert schema["$defs"][name]["required"] == [column.name for column in columns]
    found = strict(document(seed, full=True))
    found["logs"][0]["epochs"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        valid(found, schema)


@pytest.mark.parametrize("column", ["run", "complete"])
def test_the_schema_refuses_null_where_a_column_has_none(
    seed: Any, schema: dict[str, Any], column: str
) -> None:
    found = strict(document(seed, full=True))
    found["logs"][0]["epochs"][0][column] = None
    with pytest.raises(jsonschema.ValidationError):
        valid(found, schema)
