"""All logs of nine Keras versions: every update, epoch and message, and the truth beside them."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import logparse
from logparse.tables import TABLES
from tests.checks import read
from tests.reading import plain

VERSIONS = (
    "keras-1.2.2", "keras-2.2.4", "keras-2.3.1", "keras-3.0.5", "keras-3.12.0", "keras-3.15.1",
    "tf-2.0.4", "tf-2.3.4", "tf-2.15.1",
)  # fmt: skip

MESSAGES = {
    "header": r"^Epoch \d+/\d+\r?$",
    "train on": r"Train (?:on|for) \d+",
    "checkpoint": r"Epoch \d+: (?:\w+ improved|\w+ did not improve|saving|finished saving)",
    "schedule": r"LearningRateScheduler \w+ ",
    "plateau": r"Epoch \d+: (?:ReduceLROnPlateau )?reducing learning rate",
    "early stopping": r"Epoch \d+: early stopping",
}
"""A plain search for each kind of message."""


@cache
def analyzed(path: Path) -> logparse.Analysis:
    # Findings about time have tests of their own.
    return logparse.analyze(io.BytesIO(path.read_bytes()), ignore=["LP2"])


@pytest.fixture(scope="session", params=VERSIONS)
def logs(request: pytest.FixtureRequest, shared_logs: Path) -> list[Path]:
    """The logs of one version."""
    found = sorted((shared_logs / "eras" / request.param).glob("*.log"))
    assert len(found) >= 13
    return found


def truth_of(path: Path) -> list[dict[str, Any]]:
    text = path.with_suffix(".truth.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        one[key] == other[key] or (one[key] != one[key] and other[key] != other[key]) for key in one
    )


def test_every_update_as_a_plain_reader_sees_it(logs: list[Path]) -> None:
    for path in logs:
        data = path.read_bytes()
        want = plain.updates(data.decode())
        found = read(data)
        assert len(found.rows) == len(want) > 0, path
        for row, (step, of, metrics) in zip(found.rows, want, strict=True):
            assert (row.step, row.of) == (step, of), (path, row)
            assert same(row.values, metrics), (path, row, metrics)


def test_the_table_holds_every_update(logs: list[Path]) -> None:
    """All of them belong to an epoch: these logs hold no evaluate() bar."""
    fixed = len(TABLES["updates"])
    for path in logs:
        want = plain.updates(path.read_text(encoding="utf-8"))
        updates = analyzed(path).updates
        done = updates["samples"].fill_null(updates["step"]).to_list()
        of = [0] * len(want) if updates["of"].null_count() else None
        assert updates.height == len(want), path
        rows = zip(updates.select(updates.columns[fixed:]).iter_rows(named=True), strict=True)
        for (row,), (_, _, metrics) in zip(rows, want, strict=True):
            assert same({k: v for k, v in row.items() if v is not None}, metrics), path
        if "quiet" not in path.name:
            assert done == [step for step, _, _ in want], path
        assert of is None or {o for _, o, _ in want} & {0}, path


def test_epochs_and_labels(logs: list[Path]) -> None:
    for path in logs:
        events = Counter(row.get("ev") for row in truth_of(path))
        found = analyzed(path)
        assert found.runs.height == 1, path
        assert found.epochs.height == events["epoch_begin"], path
        assert found.epochs["complete"].sum() == events["epoch_end"], path
        headers = plain.headers(path.read_text(encoding="utf-8"))
        labels = found.epochs["label"].drop_nulls().to_list()
        assert labels == [f"{i}/{n}" for i, n in headers], path
        first = headers[0][0] if headers else 1
        assert found.epochs["epoch"].to_list() == [*range(first, first + found.epochs.height)]
        last = found.updates.filter("final")
        assert last.height == events["epoch_end"], path


def test_last_lines_show_what_history_holds(logs: list[Path]) -> None:
    """Where the era's law makes the last line true: 4 decimals or 5 digits of the epoch's logs."""
    for path in logs:
        found = analyzed(path)
        if found.runs["law"][0] not in ("mean", "mean of means, true end", "last only"):
            continue
        if path.name == "unknown.pipe.log" and path.parent.name == "tf-2.0.4":
            continue  # its last line of epochs 2 and 3 is not the epoch's mean
        ends = [row["logs"] for row in truth_of(path) if row.get("ev") == "epoch_end"]
        finals = found.updates.filter("final")
        for row, logs_ in zip(finals.iter_rows(named=True), ends, strict=True):
            for name, value in logs_.items():
                if row.get(name) is not None and value is not None and np.isfinite(value):
                    unit = 5.1e-5 if abs(value) > 1e-3 else abs(value) * 5.1e-5
                    assert row[name] == pytest.approx(value, abs=unit), (path, name)


def test_every_message(logs: list[Path]) -> None:
    for path in logs:
        colour_free = re.sub(r"\x1b\[[0-9;]*m", "", path.read_text(encoding="utf-8"))
        text = re.sub(r"[\r\b]", "\n", colour_free)
        want = {k: len(re.findall(p, text, re.MULTILINE)) for k, p in MESSAGES.items()}
        got = Counter(event.kind for event in read(path.read_bytes()).events)
        assert got == {kind: n for kind, n in want.items() if n}, path
        layers = re.findall(r"^\W{0,3}(\w+) \((Dense|Dropout)\)", text, re.MULTILINE)
        table = analyzed(path).layers
        assert list(zip(table["layer"], table["type"], strict=True)) == layers, path


def test_account(logs: list[Path]) -> None:
    """Nothing is rejected or left: every byte is read, or ignored by a named rule."""
    for path in logs:
        found, size = analyzed(path), path.stat().st_size
        source = found.source
        assert (source.size, source.rejected, source.pending) == (size, 0, 0), path
        assert source.read + sum(source.ignored.values()) == size, path
        assert found.rejects.is_empty(), path


Interval = tuple[dict[str, Any], float, float]


def intervals(found: logparse.Analysis, path: Path) -> Iterator[Interval]:
    """Rows of ``batches`` with the true mean of their batches, plain and weighted by size."""
    truth = [row for row in truth_of(path) if row.get("ev") == "batch"]
    first = found.epochs["epoch"].min()
    lowest = min(row["epoch"] for row in truth)
    values: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]] = {}
    for epoch in {row["epoch"] for row in truth}:
        rows = sorted((r for r in truth if r["epoch"] == epoch), key=lambda r: r["step"])
        assert [row["step"] for row in rows] == [*range(1, len(rows) + 1)]
        sizes = np.array([row["size"] for row in rows], float)
        for name in rows[0]["value"]:
            column = np.array([_float(row["value"].get(name)) for row in rows])
            values[epoch - lowest + first, name] = (column, sizes)
    for row in found.batches.filter(pl.col("value").is_not_null()).iter_rows(named=True):
        if (key := (row["epoch"], row["metric"])) in values:
            column, sizes = (x[row["first_step"] - 1 : row["step"]] for x in values[key])
            yield row, float(column.mean()), float((column * sizes).sum() / sizes.sum())


def _float(value: object) -> float:
    return float("nan") if value is None else float(str(value))


def test_true_batch_values_lie_within_the_bounds(logs: list[Path]) -> None:
    """Without exception, whatever the law."""
    assert sum(map(within_bounds, logs)) > 1000


def within_bounds(path: Path) -> int:
    """The number of intervals of a log, all of which hold the truth."""
    found = analyzed(path)
    # Keras 3.0 and 3.1 average the loss over batches, whatever their size.
    plain = {"loss"} if path.parent.name == "keras-3.0.5" else set()
    seen = 0
    for row, mean, weighted in intervals(found, path):
        # The truth is rounded to six decimals.
        slack = 1e-6 + 1e-6 * abs(weighted)
        true = mean if row["metric"] in plain else weighted
        assert row["low"] - slack <= true <= row["high"] + slack, (path, row, true)
        if found.updates["samples"].null_count():
            # A bar that counts steps does not tell the short batch from the others.
            assert row["low"] - slack <= mean <= row["high"] + slack, (path, row, mean)
        seen += 1
    return seen


def test_the_first_fit_of_a_loop_under_tf_2_4(sample_logs: Path) -> None:
    log = sample_logs / "tf-2.4.4" / "outer.log"
    run = analyzed(log).runs.row(0, named=True)
    assert (run["law"], run["keras"]) == ("mean", "TF 2.4")
    assert within_bounds(log) == 186
