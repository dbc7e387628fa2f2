from __future__ import annotations

import numpy as np
import pytest

from logparse.reports.drawing.step_times import SURE, step_times


def updates(
    seconds: list[float], steps: int, half: float, epochs: int = 2
) -> dict[str, np.ndarray]:
    """Updates of every step, ``seconds`` each in turn through the epoch, known to +-``half``."""
    a_step = np.repeat(seconds, steps // len(seconds))
    elapsed = np.tile(np.cumsum(a_step), epochs)
    return {
        "epoch": np.repeat(np.arange(1.0, epochs + 1), steps),
        "step": np.tile(np.arange(1.0, steps + 1), epochs),
        "elapsed": elapsed,
        "elapsed_low": elapsed - half,
        "elapsed_high": elapsed + half,
    }


def last(columns: dict[str, np.ndarray]) -> np.ndarray:
    return columns["step"] == columns["step"].max()


def test_stretches_cover_the_epoch_but_its_first_step_and_last_line() -> None:
    columns = updates([0.1], 161, 0.0)
    found = step_times(columns, last(columns))
    assert found["epoch"].tolist() == [1.0] * 16 + [2.0] * 16
    assert found["first"][0] == 1
    assert found["step"][15] == 160
    assert found["first"][1:16].tolist() == found["step"][:15].tolist()
    assert found["y"] == pytest.approx(0.1)
    assert found["low"] == pytest.approx(found["high"])


def test_a_change_within_the_epoch_is_seen() -> None:
    columns = updates([0.1, 0.3], 320, 0.001)
    found = step_times(columns, last(columns))
    assert found["y"][0] == pytest.approx(0.1)
    assert found["y"][15] == pytest.approx(0.3)


@pytest.mark.parametrize("half", [0.0, 0.1, 0.5, 2.0, 100.0])
def test_the_truth_is_inside_the_bounds_and_stretches_are_as_long_as_the_clock_is_coarse(
    half: float,
) -> None:
    columns = updates([0.1], 400, half)
    found = step_times(columns, last(columns))
    assert (found["low"] <= 0.1 + 1e-9).all()
    assert (found["high"] >= 0.1 - 1e-9).all()
    n = len(found["y"]) // 2
    assert n in (1, 2, 4, 8, 16)
    if n > 1:
        assert np.median(found["high"] - found["low"]) <= 2 * SURE * 0.1
    # Twice as many would have been too uncertain.
    if n < 16:
        assert 2 * half / (400 / (2 * n)) > SURE * 0.1


def test_where_the_log_tells_no_time_there_is_nothing() -> None:
    columns = updates([0.1], 20, 0.0)
    columns["elapsed"] = np.full(40, np.nan)
    assert len(step_times(columns, last(columns))["y"]) == 0


def test_no_bound_from_above_leaves_the_bounds_open() -> None:
    columns = updates([0.1], 20, 0.0)
    columns["elapsed_high"] = np.full(40, np.nan)
    found = step_times(columns, last(columns))
    assert len(found["y"]) == 2
    assert np.isnan(found["high"]).all()
    assert found["y"] == pytest.approx(0.1)
