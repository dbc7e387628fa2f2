"""Sides at random, odd ones too -> each comparison is whole and valid, its bounds in order."""

from __future__ import annotations

import json
import random
import warnings
from typing import Any

import jsonschema
import pytest

from logparse.comparison.compare import Comparison, compare_sides
from logparse.comparison.sides import Side
from logparse.comparison.tables import RAW_EPOCHS, RAW_METRICS, from_rows
from logparse.reports.ci import make_ci_report
from logparse.reports.comparison import markdown_report, text_report
from logparse.reports.comparison_json import comparison_schema, csv_report
from logparse.reports.output import CI_FORMATS
from logparse.reports.terminal import Page

SCHEMA = jsonschema.Draft202012Validator(comparison_schema())


def a_time(rng: random.Random) -> float | None:
    odd = [None, 0.0, rng.uniform(0.1, 5), 100.0, 1e-9, 1e7]
    if rng.random() < 0.2:
        return rng.choice(odd)
    return max(100 + rng.gauss(0, rng.choice([0, 1, 30])), 0.0)


def a_side(rng: random.Random) -> Side:
    epochs: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    runs = [(f"{log}.log", run) for log in range(rng.randint(1, 3)) for run in (1, 2)]
    for log, run in rng.sample(runs, rng.randint(1, len(runs))):
        of = rng.choice([None, 10, 10, 20])
        for epoch in range(1, rng.choice([1, 2, 3, 5, 9, 25]) + 1):
            key = {"log": log, "run": run, "epoch": epoch}
            seconds = a_time(rng)
            row = key | {"steps": of or 7, "of": of, "complete": rng.random() < 0.9}
            if seconds is not None:
                high = None if rng.random() < 0.1 else seconds + rng.choice([0, 0.5, 200])
                low = max(0.0, seconds - rng.choice([0, 0.5]))
                row |= {"seconds": seconds, "seconds_low": low, "seconds_high": high}
            epochs.append(row)
            for name in ("loss", "acc")[: rng.randint(0, 2)]:
                value = rng.choice([None, 0.5, 1e300])
                metrics.append(key | {"metric": name, "value": value, "rebuilt": False})
    return Side("side", from_rows(RAW_EPOCHS, epochs), from_rows(RAW_METRICS, metrics))


def reports(found: Comparison) -> list[str]:
    made = ["".join(make_ci_report(form).comparison(found)) for form in CI_FORMATS]
    made += ["".join(text_report(found, Page())), "".join(markdown_report(found))]
    return [*made, "".join(csv_report(found))]


@pytest.mark.parametrize("seed", range(20))
def test_a_random_comparison(seed: int) -> None:
    rng = random.Random(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare_sides(
            [a_side(rng) for _ in range(rng.choice([2, 2, 3]))],
            limit=rng.choice([None, 0, 0.05]),
            epochs=rng.choice([None, 1, 50]),
            by=rng.choice([None, "step"]),
        )
        assert all("nan" not in text for text in reports(found))
    SCHEMA.validate(json.loads(found.to_json()))
    for row in found.ratios.rows(named=True):
        assert row["low"] is None or row["low"] <= row["ratio"] * (1 + 1e-9)
        assert row["high"] is None or row["ratio"] <= row["high"] * (1 + 1e-9)
    for row in found.overtakes.rows(named=True):
        assert row["low"] is None or row["low"] <= row["epoch"]
        assert row["high"] is None or row["epoch"] <= row["high"]
