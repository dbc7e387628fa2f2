"""Epoch times -> which epochs count as warm-up, steady and slow."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from logparse.comparison.steady import runs_of, warm_up
from logparse.comparison.tables import RAW_EPOCHS, from_rows


def raw(seconds: list[float | None], **changes: Any) -> pl.DataFrame:
    rows = []
    for i, time in enumerate(seconds, start=1):
        row = {"log": "a.log", "run": 1, "epoch": i, "steps": 9, "of": 9, "complete": True}
        row |= {"seconds": time, "seconds_low": time, "seconds_high": time}
        rows.append(row | {name: values[i - 1] for name, values in changes.items()})
    return from_rows(RAW_EPOCHS, rows)


def test_the_first_epoch_is_warm_up_wherever_another_follows() -> None:
    runs, uses = runs_of(raw([42.0, 14.0, 14.0, 14.0]))
    assert uses == ["warm-up", "steady", "steady", "steady"]
    assert (runs[0].warmup, runs[0].alone) == (1, False)


def test_the_only_epoch_counts() -> None:
    runs, uses = runs_of(raw([22.0]))
    assert uses == ["steady"]
    assert runs[0].alone


def test_a_longer_warm_up_ends_where_epochs_reach_the_second_half() -> None:
    assert warm_up(np.array([30.0, 20, 15, 10, 10.1, 9.9, 10, 10, 10, 10.1]), np.zeros(10),
                   first=True) == 3  # fmt: skip


def test_a_longer_warm_up_ends_at_the_middle() -> None:
    assert warm_up(np.repeat([40.0, 10.0], [12, 8]), np.zeros(20), first=True) == 10


def test_noise_is_no_longer_warm_up() -> None:
    rng = np.random.default_rng(1)
    series = rng.normal(10, 0.5, (400, 30))
    longer = sum(warm_up(x, np.zeros(30), first=True) > 1 for x in series)
    assert longer <= 8


def test_rounding_is_no_longer_warm_up() -> None:
    assert warm_up(np.array([12.0, 11, 10, 10, 10, 10, 10, 10, 10, 10]), np.full(10, 0.5),
                   first=True) == 1  # fmt: skip


def test_a_log_without_its_beginning_has_no_first_epoch() -> None:
    runs, uses = runs_of(raw([14.0, 14.0, 14.0], complete=[False, True, True]))
    assert uses == ["cut short", "steady", "steady"]
    assert not runs[0].first


def test_a_single_slow_epoch_is_left_out() -> None:
    _, uses = runs_of(raw([30.0, 10, 10.1, 9.9, 10, 30, 10.1, 10]))
    assert uses[5] == "slow"
    assert uses.count("steady") == 6


def test_stalls_on_a_beat_belong_to_the_pipeline() -> None:
    times: list[float | None] = [10.0 + 0.01 * (i % 3) for i in range(31)]
    for i in range(5, 31, 5):
        times[i] = 20.0
    _, uses = runs_of(raw(times))
    assert uses == ["warm-up"] + ["steady"] * 30


def test_epochs_of_another_length_and_without_a_time_are_named() -> None:
    _, uses = runs_of(raw([9.0, 9.0, 5.0, None, 9.0], of=[9, 9, 5, 9, 9]))
    assert uses == ["warm-up", "steady", "other length", "no time", "steady"]


@pytest.mark.parametrize("columns", [{"run": [1, 1, 2, 2]}, {"log": ["a", "a", "b", "b"]}])
def test_each_run_has_its_own_warm_up(columns: dict[str, list[Any]]) -> None:
    runs, uses = runs_of(raw([20.0, 10, 20, 10], **columns))
    assert uses == ["warm-up", "steady"] * 2
    assert len(runs) == 2


def test_an_epoch_of_no_time_has_none() -> None:
    assert runs_of(raw([0.0, 0.0])) == ([], ["no time", "no time"])


def test_no_epochs_are_no_runs() -> None:
    assert runs_of(raw([])) == ([], [])
    assert runs_of(raw([None, None])) == ([], ["no time", "no time"])
