"""What figures are drawn from is what the tables ``updates`` and ``batches`` say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import logparse
from logparse.again import Part
from logparse.tables import TABLES, frame

SAMPLES = Path(__file__).parents[1] / "sample_logs"
FIXED = {column.name for column in TABLES["updates"]}


def analyses() -> list[tuple[str, dict[str, str]]]:
    found = [(str(path.relative_to(SAMPLES)), {}) for path in sorted(SAMPLES.rglob("*.log"))]
    both = {"events": str(SAMPLES / "keras-3.12.0/tensorboard")}
    return [*found, ("tensorboard/two_fits", {}), ("keras-3.12.0/tensorboard.log", both)]


@pytest.mark.parametrize(("log", "options"), analyses(), ids=str)
def test_the_parts_of_a_log_are_its_tables(log: str, options: dict[str, str]) -> None:
    analysis = logparse.analyze(SAMPLES / log, **options)
    parts = list(analysis.parts(10**9))
    updates = analysis.updates
    for run in {part.run for part in parts}:
        rows = updates.filter(pl.col("run") == run)
        seen = [part.seen for part in parts if part.run == run and part.seen]
        assert np.concatenate([s.epoch for s in seen]).tolist() == rows["epoch"].to_list()
        assert np.concatenate([s.step for s in seen]).tolist() == rows["step"].to_list()
        elapsed = np.concatenate([s.times.elapsed for s in seen])
        assert np.array_equal(elapsed, rows["elapsed"].to_numpy(), equal_nan=True)
        for column in set(updates.columns) - FIXED:
            shown = [s.shown[column][1] for s in seen if column in s.shown]
            values = rows[column].drop_nulls().to_numpy()
            assert np.array_equal(np.concatenate([*shown, []]), values, equal_nan=True)
    check_batches(analysis, parts)


def check_batches(analysis: logparse.Analysis, parts: list[Part]) -> None:
    found = []
    for part in parts:
        for name, columns in part.batches.items():
            n = len(columns["step"])
            known = {"run": np.full(n, part.run), "metric": [name] * n} | columns
            found.append(frame("batches", {key: known[key] for key in analysis.batches.columns}))
    keys = ["run", "metric", "epoch", "step", "first_step"]
    want = analysis.batches.sort(keys, maintain_order=True)
    if not found:
        assert want.height == 0
        return
    assert_frame_equal(pl.concat(found).sort(keys, maintain_order=True), want, check_exact=True)


@pytest.mark.parametrize("log", ["keras-2.2.4/fit.log", "keras-3.15.1/fit.log"])
def test_of_long_epochs_updates_are_passed_over_evenly(log: str) -> None:
    analysis = logparse.analyze(SAMPLES / log)
    most = 10
    parts = [part for part in analysis.parts(most) if part.batches]
    whole = analysis.batches.filter(pl.col("metric") == "loss")
    assert (whole.group_by("epoch").len()["len"] > 2 * most).all()
    columns = parts[0].batches["loss"]
    length = columns["step"] - columns["first_step"] + 1
    for epoch in analysis.epochs["epoch"].to_list():
        rows = columns["epoch"] == epoch
        assert rows.sum() <= most
        every = whole.filter(pl.col("epoch") == epoch)
        assert length[rows].sum() == every["step"].max()
        assert length[rows].max() <= 3 * length[rows].min()
        # Means over more of the same batches; the last batch is smaller than the others.
        rows[np.flatnonzero(rows)[-1]] = False
        every = every.filter(pl.col("step") <= columns["step"][rows].max())
        sums = (every["step"] - every["first_step"] + 1) * every["value"]
        assert (length[rows] * columns["value"][rows]).sum() == pytest.approx(sums.sum(), rel=1e-9)
