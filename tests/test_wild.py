"""All logs from the wild against their hand-counted expectations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import logparse
from tests.checks import read, tables

NUMBERS = [*range(1, 38), 41, 53, 57, 60, 64, 69, 72]
FILES = [f"{number:03d}.log" for number in NUMBERS]

PRINTED: dict[str, list[list[int]]] = {
    # The expectation lists epochs 1 to 30; the log prints Epoch 13/100, then Epoch 33/100: lines
    # in the middle were lost before it was posted.
    "032.log": [[*range(1, 14), *range(33, 50)]],
}
"""Epoch numbers of each run where the expectation does not say what the log prints."""


@pytest.fixture(scope="session")
def wild(shared_logs: Path) -> Path:
    return shared_logs / "wild"


@pytest.fixture(scope="session")
def expectations(wild: Path) -> dict[str, dict[str, Any]]:
    lines = (wild / "index.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["file"]: entry["expect"] for entry in map(json.loads, lines)}


def test_every_log_is_listed_here(expectations: dict[str, dict[str, Any]]) -> None:
    assert sorted(expectations) == FILES


@pytest.mark.parametrize("file", FILES)
def test_expectation(file: str, wild: Path, expectations: dict[str, dict[str, Any]]) -> None:
    data, expect = (wild / file).read_bytes(), expectations[file]
    found = tables(data)
    updates, epochs, messages = found["updates"], found["epochs"], found["messages"]
    metrics = updates.columns[len(logparse.tables.TABLES["updates"]) :]
    finals = [
        {name: row[name] for name in metrics if row[name] is not None}
        for row in updates.filter("final").sort("byte").iter_rows(named=True)
    ]
    got = {
        "n_runs": found["runs"].height,
        "runs": epochs.group_by("run", maintain_order=True).all()["epoch"].to_list(),
        "n_epochs_started": epochs.height,
        "n_epochs_finished": int(epochs["complete"].sum()),
        "unfinished_epochs": int((~epochs["complete"]).sum()),
        "final": finals,
        "n_intermediate_updates": int((~updates["final"]).sum()),
        "n_eval_or_predict_or_other_bars": sum(
            kind in ("evaluation", "other bar") for kind in messages["kind"]
        ),
    }
    epochs_of = PRINTED.get(file) or [run["epochs"] for run in expect["runs"]]
    assert got == expect | {"runs": epochs_of}
    # Without a header the log does not say how many there were to be.
    announced = [run["of"] if b"Epoch " in data else None for run in expect["runs"]]
    assert found["runs"]["of"].to_list() == announced


def test_032_prints_what_the_test_says(wild: Path) -> None:
    headers = [e.data for e in read((wild / "032.log").read_bytes()).events if e.kind == "header"]
    assert [data["epoch"] for data in headers] == PRINTED["032.log"][0]
    assert {data["epochs"] for data in headers} == {100}
