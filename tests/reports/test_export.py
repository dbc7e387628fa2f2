from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from logparse.errors import SourceError
from logparse.reports.export import CsvReport, safe_cells, write_table
from logparse.tables import TABLES


def written(table: pl.DataFrame, form: str) -> bytes:
    file = io.BytesIO()
    write_table(table, file, form)
    return file.getvalue()


@pytest.mark.parametrize("name", TABLES)
def test_parquet_gives_back_the_table(seed: Any, name: str) -> None:
    table = seed.table(name)
    assert pl.read_parquet(io.BytesIO(written(table, "parquet"))).equals(safe_cells(table))


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_csv_gives_back_the_numbers_to_the_last_digit(seed: Any, form: str) -> None:
    table = seed.table("metrics")
    separator = "," if form == "csv" else "\t"
    found = pl.read_csv(written(table, form), separator=separator, schema=table.schema)
    assert found.equals(table)


def test_csv_tells_nan_from_nothing(make: Any) -> None:
    rows = {"metrics": [make.metric(1, "loss", float("nan")), make.metric(2, "loss", None)]}
    text = written(make.analysis(rows).table("metrics"), "csv").decode()
    assert [row["shown"] for row in csv.DictReader(io.StringIO(text))] == ["NaN", ""]


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_is_the_rows_of_the_report(seed: Any, form: str) -> None:
    text = written(seed.table("epochs"), form).decode()
    rows = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    assert rows == seed.table("epochs").rows(named=True)
    assert json.loads(written(seed.table("layers"), "json")) == []
    assert written(seed.table("layers"), "ndjson") == b""


def test_no_text_cell_or_heading_computes(poisoned: Any) -> None:
    for name in TABLES:
        table = poisoned.table(name)
        rows = list(csv.reader(io.StringIO(written(table, "csv").decode(), newline="")))
        assert len(rows) == table.height + 1
        texts = {i for i, kind in enumerate(table.dtypes) if kind == pl.String}
        for row in rows:
            assert len(row) == table.width
            for i, text in enumerate(row):
                assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in text)
                if i in texts or row is rows[0]:
                    assert text.lstrip()[:1] not in tuple("=+-@＝＋－＠")


def test_no_text_of_a_parquet_file_computes(poisoned: Any) -> None:
    for name in TABLES:
        found = pl.read_parquet(io.BytesIO(written(poisoned.table(name), "parquet")))
        assert found.dtypes == poisoned.table(name).dtypes
        texts = [text for column in found.select(pl.col(pl.String)) for text in column if text]
        for text in (*texts, *found.columns):
            assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in text)
            assert text.lstrip()[:1] not in tuple("=+-@＝＋－＠")


def test_numbers_stay_numbers() -> None:
    table = pl.DataFrame({"value": [-0.12, math.inf, -1e-7], "text": ["-0.12", "a", None]})
    found = safe_cells(table)
    assert found["value"].equals(table["value"])
    assert found["text"].to_list() == ["'-0.12", "a", None]


def test_names_that_look_alike_stay_apart() -> None:
    table = pl.DataFrame({"a\x1b": [1], "a\\x1b": [2]})
    assert safe_cells(table).row(0) == (1, 2)


def test_the_csv_report_is_the_epochs_of_all_logs(seed: Any) -> None:
    report = CsvReport()
    text = "".join([*report.start(), *report.log(seed), *report.log(seed), *report.end()])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["path"], row["epoch"]) for row in rows] == [
        ("train.log", str(i)) for i in (1, 2, 3, 1, 2, 3)
    ]


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "json", "ndjson"])
def test_a_table_in_parts_is_the_same_file(seed: Any, form: str) -> None:
    table = seed.table("updates")
    parts = [table[:1], table[1:1], table[1:]]
    file = io.BytesIO()
    write_table(iter(parts), file, form)
    if form == "parquet":
        assert pl.read_parquet(file.getvalue()).equals(safe_cells(table))
    else:
        assert file.getvalue() == written(table, form)


def test_what_fails_between_two_parts_is_raised_as_it_is(seed: Any) -> None:
    def parts() -> Iterator[pl.DataFrame]:
        yield seed.table("updates")
        yield seed.table("updates")
        raise SourceError("the disk is gone")

    with pytest.raises(SourceError, match="the disk is gone"):
        write_table(parts(), io.BytesIO(), "parquet")
