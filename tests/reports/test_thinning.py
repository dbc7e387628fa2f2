from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from logparse.reports.drawing.thinning import TAIL, Thinner, thin

Array = NDArray[np.float64]


def series(n: int, seed: int = 1) -> Array:
    return np.cumsum(np.random.default_rng(seed).normal(size=n))


def test_a_short_series_stays_whole() -> None:
    assert thin(series(50), 50).tolist() == list(range(50))


@given(st.integers(0, 9_999), st.integers(0, 9_999), st.integers(20, 500))
def test_the_extremes_are_kept_wherever_they_are(low: int, high: int, most: int) -> None:
    values = series(10_000)
    values[low], values[high] = -1e6, 1e6
    kept = thin(values, most)
    assert values[kept].max() == values.max()
    assert values[kept].min() == values.min()
    assert len(kept) <= most + 2
    assert (np.diff(kept) > 0).all()


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_a_lone_value_that_is_not_finite_is_kept_and_so_are_the_extremes_beside_it(
    strange: float,
) -> None:
    values = series(100_000)
    values[5000], values[5001], values[5002] = 1e6, strange, -1e6
    assert {5000, 5001, 5002} <= set(thin(values, 200).tolist())


def test_every_stretch_that_has_values_that_are_not_finite_keeps_one() -> None:
    values = series(100_000)
    values[10_000:60_000] = np.nan
    kept = thin(values, 400)
    lost = np.flatnonzero(np.isnan(values[kept]))
    assert 20 <= len(lost) <= 100
    assert np.diff(kept[lost]).max() <= 2000


@pytest.mark.parametrize("piece", [7, 1000, 100_000])
def test_thinned_piece_by_piece_the_extremes_and_counts_are_those_of_the_whole(piece: int) -> None:
    values = series(100_000)
    values[[3, 50_000, 99_999]] = [1e6, -1e6, np.nan]
    thinner = Thinner(len(values), 500)
    for at in range(0, len(values), piece):
        part = slice(at, at + piece)
        thinner.add({"y": values[part], "step": np.arange(len(values), dtype=float)[part]})
    points = thinner.points()
    assert points.total == 100_000
    assert points.not_finite == 1
    assert len(points) <= 502
    assert {3.0, 50_000.0, 99_999.0} <= set(points["step"].tolist())
    assert np.array_equal(points["y"], values[points["step"].astype(int)], equal_nan=True)
    high = float(np.sort(values[np.isfinite(values)])[-700])
    assert points.beyond(-1e9, high) == (0, 699)
    assert points.beyond(-1e5, 1e9) == (1, 0)


def test_more_values_beyond_an_axis_than_are_kept_are_counted_as_so_many() -> None:
    thinner = Thinner(5000, 100)
    thinner.add({"y": np.arange(5000.0)})
    assert thinner.points().beyond(-1, 100) == (0, TAIL)


def test_the_sample_is_spread_over_the_whole_series() -> None:
    values = np.arange(1_000_000.0)
    thinner = Thinner(len(values), 100)
    for part in np.split(values, 1000):
        thinner.add({"y": part})
    sample = thinner.points().sample
    assert 3000 <= len(sample) <= 5000
    assert np.quantile(sample, [0.1, 0.5, 0.9]) == pytest.approx([1e5, 5e5, 9e5], rel=0.01)
