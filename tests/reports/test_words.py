from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reports import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0, "0 s"),
        (0.0000167, "16.7 µs"),
        (0.031, "31 ms"),
        (12.3456, "12.3 s"),
        (59.4, "59.4 s"),
        (60.0, "1 min 00 s"),
        (3599.7, "1 h 00 min"),
        (7140.0, "1 h 59 min"),
        (10798.0, "3 h 00 min"),
        (200000.0, "2 d 08 h"),
    ],
)
def test_durations_read_as_a_person_says_them(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ((12.0, 12.0, 13.0), "12 s"),
        ((12.3456, 12.3, 12.4), "12.3 s"),
        ((0.5, 0.0, 1.0), "< 1 s"),
        ((0.0314, 0.031, 0.032), "31 ms"),
        ((12.3456, 12.0, math.inf), "12.3 s"),
    ],
)
def test_bounds_decide_the_decimals(bounds: tuple[float, float, float], text: str) -> None:
    assert words.duration(*bounds) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.9421, 0.93, 0.9542, "0.942 ±0.012"),
        (0.2151, 0.185, 0.245, "0.22 ±0.03"),
        (0.94, 0.90, 0.941, "0.90 to 0.94"),
        (12345.0, 12000.0, 12700.0, "12300 ±400"),
        (1.2e-7, 1.1e-7, 1.3e-7, "(1.20 ±0.10)e-07"),
        (0.5, 0.5, 0.5, "0.5"),
        (None, None, None, "-"),
        (math.nan, 0.0, 1.0, "nan"),
        (0.5, None, None, "about 0.5"),
        (-0.2, -0.25, -0.15, "-0.20 ±0.05"),
    ],
)
def test_an_estimate_has_the_digits_that_carry(
    value: float | None, low: float | None, high: float | None, text: str
) -> None:
    assert words.estimate(value, low, high) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e3), st.floats(-0.1, 0.1))
def test_an_estimate_loses_at_most_a_tenth_of_its_width(
    value: float, half: float, skew: float
) -> None:
    text = words.estimate(value, value - half * (1 - skew), value + half * (1 + skew))
    if "±" not in text or "e" in text:
        return
    shown = float(text.split(" ±")[0])
    assert abs(shown - value) <= 0.5 * half + 1e-9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.8918, "0.8918"),
        (0.001, "1.0000e-03"),
        (0.0, "0.0000e+00"),
        (-5.0, "-5.0000"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (1e300, "1.0000e+300"),
    ],
)
def test_shown_values_read_as_keras_prints_them(value: float | None, text: str) -> None:
    assert words.shown(value) == text


def test_counts_and_lists() -> None:
    assert words.count(1, "epoch") == "1 epoch"
    assert words.count(1218, "update") == "1,218 updates"
    assert words.count(2, "summary", "summaries") == "2 summaries"
    assert words.listing([]) == ""
    assert words.listing(["a"]) == "a"
    assert words.listing(["a", "b", "c"]) == "a, b and c"
    assert words.spans([2, 3, 5, 6, 7, 9]) == "2, 3, 5-7, 9"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "100 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 10**9, "0.1 %"),
        (10**9 - 1, 10**9, "99.9 %"),
        (1, 2, "50.0 %"),
    ],
)
def test_a_share_is_all_or_nothing_only_if_it_is(part: int, whole: int, text: str) -> None:
    assert words.share(part, whole) == text
