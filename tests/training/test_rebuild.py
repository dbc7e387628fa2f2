"""Epoch values and batch values: hard bounds hold, wrong lines are put right, oddities survive."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import made_epochs, training

import logparse
from logparse.reading.records import EXPONENT, WHOLE, Form
from logparse.training.batch_values import batches
from logparse.training.laws import BLEND, DOUBLE, DOUBLE_TRUE, LAST_ONLY, MEAN
from logparse.training.pool import Remembered
from logparse.training.rebuild import METRIC_COLUMNS, metric_columns, summarise
from logparse.training.series import half_units


def test_half_units() -> None:
    values = np.array([0.1234, 12.0, 9.9999e-4, 1.0000e-03, 0.0, 5.0, 1.5])
    places = np.array([4, 2, EXPONENT, EXPONENT, EXPONENT, WHOLE, -24], np.int8)
    expected = [5e-5, 5e-3, 5e-9, 5e-8, 0.0, 0.0, 2.0**-24]
    np.testing.assert_allclose(half_units(values, places), expected, rtol=1e-12)


@pytest.mark.parametrize("law", [MEAN, BLEND, DOUBLE, DOUBLE_TRUE])
@given(data=st.data())
def test_hard_bounds_always_hold(law: str, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 10_000))
    steps = data.draw(st.integers(1, 60))
    decimals = data.draw(st.integers(2, 5))
    short = data.draw(st.sampled_from([1.0, 0.5, 1 / 32])) if law in (MEAN, BLEND) else 1.0
    rng = np.random.default_rng(seed)
    values = training(rng, 2, steps)
    sizes = np.ones(steps)
    sizes[-1] = short
    pick = np.flatnonzero(rng.random(steps) < data.draw(st.sampled_from([0.2, 0.7, 1.1]))) + 1
    made = made_epochs(
        {"loss": values}, law, pick=pick[pick < steps], decimals=decimals, sizes=sizes,
        form=Form.BAR_STEP,
    )  # fmt: skip
    table = batches(made, law, smooth=False)
    for epoch, first, last, low, high, value in zip(
        *(table[key] for key in ("epoch", "first_step", "step", "low", "high", "value")),
        strict=True,
    ):
        part = slice(first - 1, last)
        weighted = np.average(values[epoch - 1, part], weights=sizes[part])
        if np.isfinite(value):
            assert low - 1e-9 <= weighted <= high + 1e-9
            assert low <= value <= high
    if law in (MEAN, BLEND):
        assert np.isfinite(table["value"]).all()


def test_counted_samples_make_the_short_batch_exact() -> None:
    sizes = np.ones(20)
    sizes[-1] = 13 / 32
    values = training(np.random.default_rng(1), 2, 20)
    made = made_epochs({"loss": values}, MEAN, form=Form.BAR, sizes=sizes, samples=True)
    table = batches(made, MEAN)
    np.testing.assert_allclose(table["value"], values.ravel(), atol=0.01)
    assert (table["high"] - table["low"]).max() < 0.02


def test_whole_counts_make_accuracies_exact() -> None:
    accuracy = np.random.default_rng(2).binomial(32, 0.7, (3, 50)) / 32
    made = made_epochs({"accuracy": accuracy}, MEAN, form=Form.BAR_STEP)
    table = batches(made, MEAN, batch_size=32, last_size=32)
    np.testing.assert_allclose(table["value"], accuracy.ravel(), atol=1e-12)
    np.testing.assert_allclose(table["estimate"], accuracy.ravel(), atol=1e-5)
    odd = made_epochs({"accuracy": accuracy + 0.003}, MEAN, form=Form.BAR_STEP)
    kept = batches(odd, MEAN, batch_size=32, last_size=32)
    np.testing.assert_allclose(kept["value"], accuracy.ravel() + 0.003, atol=0.01)


@pytest.mark.parametrize("law", [DOUBLE, DOUBLE_TRUE])
def test_whole_counts_under_averages_of_averages(law: str) -> None:
    accuracy = np.random.default_rng(2).binomial(32, 0.7, (4, 50)) / 32
    made = made_epochs({"accuracy": accuracy}, law)
    table = batches(made, law, batch_size=32)
    found = table["value"].reshape(4, 50)
    # A count of k 32 samples is known to 32 k^2 half units.
    np.testing.assert_allclose(found[:, :17], accuracy[:, :17], atol=1e-9)
    assert np.abs(found[:, 18:49] - accuracy[:, 18:49]).max() > 0.01
    width = (table["estimate_high"] - table["estimate_low"]).reshape(4, 50)
    assert width[:, :17].max() < 1e-3
    # Other numbers in an epoch, and steps that are not shown.
    accuracy[1] += 0.003
    made = made_epochs({"accuracy": accuracy}, law, pick=np.r_[1:9, 10:50])
    found = batches(made, law, batch_size=32)["value"].reshape(4, 49)
    np.testing.assert_allclose(found[0, :8], accuracy[0, :8], atol=1e-9)
    np.testing.assert_allclose(found[1, :8], accuracy[1, :8], atol=0.02)
    assert np.abs(found[1, :8] * 32 - np.rint(found[1, :8] * 32)).max() > 0.05
    late = batches(
        made_epochs({"accuracy": accuracy}, law, pick=np.arange(2, 50)), law, batch_size=32
    )
    assert np.isfinite(late["estimate"]).all()


@pytest.mark.parametrize(("law", "error"), [(DOUBLE, 0.004), (DOUBLE_TRUE, 1e-4), (MEAN, 1e-4)])
def test_epoch_mean_is_recovered(law: str, error: float) -> None:
    values = training(np.random.default_rng(3), 4, 200)
    made = made_epochs({"loss": values}, law, repeat_last=True)
    table = metric_columns([summarise(made, (law,))], (law,))
    truth = values.mean(1)
    np.testing.assert_allclose(table["mean"], truth, atol=error)
    assert (np.abs(table["mean"] - truth) <= table["mean_high"] - table["mean"] + 1e-9).all()
    if law == DOUBLE:
        assert np.abs(table["shown"] - truth).max() > 0.02


def test_levels_lie_at_the_ends() -> None:
    k = np.arange(300)
    values = np.random.default_rng(4).normal(0, 0.05, (6, 300)) + 2 - k / 300
    table = metric_columns([summarise(made_epochs({"loss": values}, MEAN), (MEAN,))], (MEAN,))
    assert ((table["start_low"] < 2) & (table["start_high"] > 2)).sum() >= 5
    assert ((table["end_low"] < 1) & (table["end_high"] > 1)).sum() >= 5
    assert ((table["noise"] > 0.04) & (table["noise"] < 0.08)).all()


def test_several_readings_keep_only_what_they_share() -> None:
    values = training(np.random.default_rng(5), 2, 50)
    part = summarise(made_epochs({"loss": values}, MEAN), (MEAN, DOUBLE, DOUBLE_TRUE))
    single = metric_columns([part], (DOUBLE,))
    several = metric_columns([part], (MEAN, DOUBLE))
    np.testing.assert_array_equal(several["shown"], single["shown"])
    assert np.isnan(several["mean"]).all()
    assert (several["mean_low"] <= single["mean_low"]).all()
    assert (several["mean_high"] >= single["mean_high"]).all()


def test_epochs_tell_of_each_other_and_of_no_other_metric() -> None:
    values = training(np.random.default_rng(6), 7, 45)
    values[3] = 1.0
    both = made_epochs({"loss": values, "accuracy": values / 3}, DOUBLE)
    alone = made_epochs({"loss": values}, DOUBLE)
    together = metric_columns([summarise(both, (DOUBLE,))], (DOUBLE,))
    apart = metric_columns([summarise(alone, (DOUBLE,))], (DOUBLE,))
    mine = np.array(together["metric"]) == "loss"
    for key in ("epoch", *METRIC_COLUMNS):
        np.testing.assert_allclose(together[key][mine], apart[key], rtol=1e-9, err_msg=key)


def test_a_lot_of_one_epoch_learns_from_those_before() -> None:
    values = training(np.random.default_rng(7), 13, 12)
    noise: dict[str, list[float]] = {"remembered": [], "alone": []}
    freedom = {}
    memory: dict[str, Remembered] = {}
    for name, found in noise.items():
        for i in range(13):
            one = made_epochs({"loss": values[[i]]}, MEAN)
            one.epoch[:] = i + 1
            known = memory if name == "remembered" else None
            part = metric_columns([summarise(one, (MEAN,), so_far=known)], (MEAN,))
            found.append(float(part["noise"][0]))
        freedom[name] = part["freedom"][0]
    assert np.std(noise["remembered"][4:]) < 0.5 * np.std(noise["alone"][4:])
    assert freedom["remembered"] > 2 * freedom["alone"]


@pytest.mark.parametrize("law", [MEAN, BLEND, DOUBLE, DOUBLE_TRUE, LAST_ONLY])
@pytest.mark.parametrize(
    "values",
    [
        np.full((2, 30), 0.7),
        np.zeros((2, 30)),
        np.array([[1.5]]),
        np.array([[1.5, 1.2]]),
        np.full((1, 8), np.nan),
        np.array([[1.0, np.inf, 2.0, 3.0]]),
        np.array([[1.0, 0.5, np.nan, 3.0, 1.0]]),
        np.full((1, 20), 1e30),
        np.linspace(5, 1, 40)[None],
    ],
    ids=["constant", "zero", "one", "two", "nan", "inf", "poisoned", "huge", "noise-free"],
)
def test_odd_epochs_break_nothing(values: np.ndarray, law: str) -> None:
    with np.errstate(invalid="ignore", over="ignore"):
        made = made_epochs({"loss": values}, law)
    summary = summarise(made, (law,))
    table = metric_columns([summary], (law,))
    assert len(table["shown"]) == len(made)
    found = batches(made, law)
    finite = np.isfinite(found["value"])
    assert (found["low"][finite] <= found["value"][finite]).all()
    assert (found["value"][finite] <= found["high"][finite]).all()
    known = np.isfinite(found["estimate"])
    assert (found["estimate_low"][known] <= found["estimate_high"][known]).all()


def test_cumulative_metrics_are_never_inverted() -> None:
    values = training(np.random.default_rng(7), 2, 30)
    made = made_epochs({"auc": values, "val_loss": values, "loss": values}, MEAN)
    assert set(batches(made, MEAN)["metric"]) == {"loss"}
    table = metric_columns([summarise(made, (MEAN,))], (MEAN,))
    auc = np.array(table["metric"]) == "auc"
    np.testing.assert_array_equal(table["mean"][auc], table["shown"][auc])
    assert np.isnan(table["end"][auc]).all()


def truth_of(log: Path) -> tuple[dict[tuple[int, str], np.ndarray], dict[tuple[int, str], float]]:
    """True batch values and true epoch values of a real log, by epoch from 1 and metric."""
    lists: dict[tuple[int, str], list[float]] = {}
    ends: dict[tuple[int, str], float] = {}
    number = 0
    for line in Path(str(log).replace(".log", ".truth.jsonl")).read_text().splitlines():
        row = json.loads(line)
        if row.get("ev") == "epoch_begin":
            number += 1
        for name, value in row.get("value", {}).items():
            lists.setdefault((number, name), []).append(value)
        for name, value in row.get("logs", {}).items():
            ends[number, name] = value
    return {key: np.array(values, float) for key, values in lists.items()}, ends


@pytest.mark.parametrize("kind", ["fit.tty", "throttled.pipe", "multi.pipe", "outer.pipe"])
@pytest.mark.parametrize(
    "version",
    ["keras-1.2.2", "keras-2.2.4", "keras-2.3.1", "keras-3.0.5", "keras-3.12.0", "keras-3.15.1",
     "tf-2.0.4", "tf-2.3.4", "tf-2.15.1"],
)  # fmt: skip
def test_real_logs_lie_within_hard_bounds(shared_logs: Path, version: str, kind: str) -> None:
    log = shared_logs / "eras" / version / f"{kind}.log"
    analysis = logparse.analyze(str(log))
    values, ends = truth_of(log)
    covered = []
    for row in analysis.batches.iter_rows(named=True):
        part = values.get((row["epoch"], row["metric"]))
        if part is None or row["value"] is None:
            continue
        true = part[row["first_step"] - 1 : row["step"]].mean()
        assert row["low"] <= true <= row["high"], row
        covered.append(row["estimate_low"] <= true <= row["estimate_high"])
    assert np.mean(covered) >= 0.9
    for row in analysis.metrics.filter(pl.col("mean").is_not_null()).iter_rows(named=True):
        true = ends.get((row["epoch"], row["metric"]))
        if true is not None and row["metric"].endswith("loss"):
            assert row["mean"] == pytest.approx(true, rel=0.005, abs=1e-4), row
