"""Real TensorBoard events beside what really happened: batch values and times within bounds."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logparse
from tests.reading.events_help import simple, version

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs" / "tensorboard"

Truth = dict[tuple[int, str], tuple[list[float], list[int]]]
"""By epoch and metric: the batches' own values and their sizes."""

ROUNDED = 5e-6
"""The eras' truth was inverted from float32 means and rounded to six decimals."""


def truth_of(rows: Iterable[dict[str, Any]]) -> Truth:
    found: Truth = {}
    for row in rows:
        for name, value in row["value"].items():
            values, sizes = found.setdefault((row["epoch"] + 1, name), ([], []))
            values.append(np.nan if value is None else float(value))
            sizes.append(row["size"])
    return found


def eras(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def exact(path: Path) -> Truth:
    rows = json.loads(path.read_text(encoding="utf-8"))["truth"]
    return truth_of(
        {"epoch": r["epoch"], "size": r["n"], "value": {k: r[f"true_{k}"] for k in ("loss", "mae")}}
        for r in rows
        if r["batch"] is not None
    )


def outside(found: logparse.Analysis, truth: Truth, slack: float) -> tuple[int, list[Any]]:
    """Rows of ``batches`` that truth can judge, and those that it contradicts."""
    seen, wrong = 0, []
    for row in found.batches.iter_rows(named=True):
        values, sizes = (
            x[row["first_step"] - 1 : row["step"]] for x in truth[row["epoch"], row["metric"]]
        )
        weighted = float(np.average(values, weights=sizes))
        plain = float(np.mean(values))
        assert row["value"] is not None
        seen += 1
        # Keras 3.0 and 3.1 weigh all batches alike.
        if not any(row["low"] - slack <= x <= row["high"] + slack for x in (weighted, plain)):
            wrong.append((row, weighted))
    return seen, wrong


@pytest.mark.parametrize("name", ["keras3", "tf_keras"])
def test_true_batch_values_lie_within_the_bounds(name: str, shared_logs: Path) -> None:
    """Without slack: the truth is exact, and the last batch of 40 is not of the others' 64."""
    found = logparse.analyze(shared_logs / "tensorboard" / name)
    seen, wrong = outside(found, exact(shared_logs / "tensorboard" / f"{name}.truth.json"), 0.0)
    assert (seen, wrong) == (2 * 16 * 5, [])
    width = found.batches["high"] - found.batches["low"]
    whole = found.batches["step"] < 16
    assert float(width.filter(whole).max()) < 1e-4  # type: ignore[arg-type]
    # Of the last batch the size is not given: it may be anything, and so may the value.
    assert float(width.filter(~whole).min()) > 1.0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "rows"),
    [
        ("keras-1.2.2", 0), ("keras-2.2.4", 0), ("keras-2.3.1", 366), ("tf-2.0.4", 0),
        ("tf-2.3.4", 366), ("tf-2.15.1", 6), ("keras-3.0.5", 366), ("keras-3.12.0", 366),
        ("keras-3.15.1", 366),
    ],
)  # fmt: skip
def test_true_batch_values_of_the_eras(version: str, rows: int, shared_logs: Path) -> None:
    folder = shared_logs / "eras" / version
    found = logparse.analyze(folder / "tensorboard.pipe.events")
    told = eras(folder / "tensorboard.pipe.truth.jsonl")
    assert found.epochs["epoch"].to_list() == [1, 2, 3]
    seen, wrong = outside(found, truth_of(r for r in told if r.get("ev") == "batch"), ROUNDED)
    assert (seen, wrong) == (rows, [])
    ends = [row["logs"] for row in told if row.get("ev") == "epoch_end"]
    shown = found.metrics.pivot("metric", index="epoch", values="shown")
    for row, logs in zip(shown.iter_rows(named=True), ends, strict=True):
        for name, value in logs.items():
            # Keras 2.3.1 writes the learning rate only where a callback changes it.
            if name in row:
                assert row[name] == pytest.approx(value, rel=1e-6), (version, name)


@pytest.mark.parametrize("version", ["tf-2.3.4", "keras-3.0.5", "keras-3.12.0", "keras-3.15.1"])
def test_true_times_lie_within_the_bounds(version: str, shared_logs: Path) -> None:
    folder = shared_logs / "eras" / version
    found = logparse.analyze(folder / "tensorboard.pipe.events")
    told = eras(folder / "tensorboard.pipe.truth.jsonl")
    begins = [row["t"] for row in told if row.get("ev") == "epoch_begin"]
    ends = [row["t"] for row in told if row.get("ev") == "epoch_end"]
    jitter = 0.02
    for i, row in enumerate(found.epochs.iter_rows(named=True)):
        seconds = ends[i] - begins[i]
        assert row["seconds_low"] - jitter <= seconds <= row["seconds_high"] + jitter
        batches = [r["t"] for r in told if r.get("ev") == "batch" and r["epoch"] == i]
        step = (batches[-1] - batches[1]) / (len(batches) - 2)
        assert row["step_seconds"] == pytest.approx(step, rel=0.05)
        assert row["validation_seconds"] == pytest.approx(ends[i] - batches[-1], abs=0.05)
    assert found.epochs["first_step_seconds"][0] > 5 * found.epochs["step_seconds"][0]
    gaps = (found.epochs["began"][1:] - found.epochs["ended"][:-1]).to_list()
    assert all(0 <= gap < 0.1 for gap in gaps)


@given(
    st.lists(st.floats(width=32, min_value=-(2.0**60), max_value=2.0**60), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_float32_sums_stay_within_the_bounds(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], every: int
) -> None:
    """A running mean as Keras computes it, whatever the values; every ``every``-th is written.

    Where batches are left out they have one sign: huge ones that cancel leave no trace.
    """
    values = values if every == 1 else [abs(value) for value in values]
    total = np.float32(0.0)
    data = version()
    for step, value in enumerate(values, 1):
        total = np.float32(total + np.float32(value))
        if step % every == 0:
            data += simple(1.0 + step, step, "batch_x", float(total / np.float32(step)))
    data += simple(1e3, 0, "epoch_x", float(total / np.float32(len(values))))
    path = tmp_path_factory.mktemp("run") / "tfevents"
    path.write_bytes(data)
    for row in logparse.analyze(path).batches.iter_rows(named=True):
        mean = float(np.mean(np.array(values[row["first_step"] - 1 : row["step"]])))
        assert row["low"] <= mean <= row["high"]


def test_bounds_of_a_long_epoch_are_hard_and_narrow(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = (1 + 0.3 * rng.standard_normal(10_000)).astype(np.float32)
    total, data = np.float32(0.0), [version()]
    for step, value in enumerate(values, 1):
        total = np.float32(total + value)
        data.append(simple(1.0 + step, step, "batch_x", float(total / np.float32(step))))
    data.append(simple(1e6, 0, "epoch_x", float(total / np.float32(len(values)))))
    (tmp_path / "tfevents").write_bytes(b"".join(data))
    batches = logparse.analyze(tmp_path / "tfevents").batches[:-1]
    truth = pl.Series(values[:-1], dtype=pl.Float64)
    assert ((batches["low"] <= truth) & (truth <= batches["high"])).all()
    # 2.5 roundings of 10,000 * 2**-24.
    assert float((batches["high"] - batches["low"]).max()) < 2 * 2e-3  # type: ignore[arg-type]


@given(st.randoms(use_true_random=False))
def test_damage_never_shows_a_wrong_batch(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random
) -> None:
    """Flipped bits, cut tails, overwritten blocks: what is still shown of the first run is true.

    A fit of which no end of an epoch is left is a run of its own, whose epochs count from 1.
    """
    folder = tmp_path_factory.mktemp("run") / "fits"
    shutil.copytree(SAMPLES / "two_fits", folder)
    for path in sorted(folder.rglob("*.v2")):
        data = bytearray(path.read_bytes())
        for _ in range(rng.choice([0, 1, 1, 3])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        if rng.random() < 0.3:
            start = rng.randrange(len(data) + 1)
            end = min(len(data), start + rng.randrange(2000))
            data[start:end] = rng.randbytes(end - start)
        path.write_bytes(data)
    truth = exact(SAMPLES / "two_fits.truth.json")
    try:
        found = logparse.analyze(folder)
    except logparse.LogparseError:
        return
    closed = found.epochs.filter(pl.col("complete"))["run"].unique()
    batches = found.batches.filter((pl.col("run") == 1) & pl.col("run").is_in(closed.implode()))
    for row in batches.iter_rows(named=True):
        steps = slice(row["first_step"] - 1, row["step"])
        values, sizes = (x[steps] for x in truth[row["epoch"], row["metric"]])
        assert row["low"] <= np.average(values, weights=sizes) <= row["high"], row
