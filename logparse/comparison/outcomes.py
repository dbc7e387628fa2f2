"""Sides in, what their metrics had reached at equal epoch, equal step and equal time out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.comparison.intervals import half_of_independent
from logparse.reading.records import Floats

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]

MEASURES = {"epoch": "epoch", "step": "total_steps", "time": "total_seconds"}
"""What can be equal on all sides, and the column of the table ``epochs`` that tells it."""


def with_totals(epochs: pl.DataFrame) -> pl.DataFrame:
    """Raw epochs with the steps and seconds of their run up to their end.

    A total is null from the first epoch on whose own number is not known.
    """
    import polars as pl

    run = ("log", "run")
    totals = []
    for name, total in (("steps", "total_steps"), ("seconds", "total_seconds")):
        unknown = pl.col(name).is_null().cum_sum().over(run) > 0
        summed = pl.col(name).cum_sum().over(run)
        totals.append(pl.when(~unknown).then(summed).alias(total))
    return epochs.with_columns(totals)


def metric_rows(sides: Sequence[tuple[int, pl.DataFrame, pl.DataFrame]]) -> list[Row]:
    """Rows of the table ``metrics``: those metrics that all sides have.

    Args:
        sides: of each its number, its epochs ``with_totals`` and its metrics.
    """
    import polars as pl

    keys = ["log", "run", "epoch"]
    joined = [
        (
            number,
            metrics.join(
                epochs.filter("complete").select(*keys, "total_steps", "total_seconds"),
                on=keys,
                maintain_order="left",
            ),
        )
        for number, epochs, metrics in sides
    ]
    names = [
        name
        for name in joined[0][1]["metric"].unique(maintain_order=True).to_list()
        if all((table["metric"] == name).any() for _, table in joined)
    ]
    rows: list[Row] = []
    for name in names:
        of_metric = [(number, table.filter(pl.col("metric") == name)) for number, table in joined]
        for at, column in MEASURES.items():
            rows += _at_equal(name, at, column, of_metric)
    return rows


def _at_equal(
    name: str, at: str, column: str, sides: Sequence[tuple[int, pl.DataFrame]]
) -> list[Row]:
    """One metric on all sides, each run read up to where the shortest one ends."""
    import polars as pl

    run = ("log", "run")
    if any(table[column].null_count() for _, table in sides):
        return []
    lengths = pl.concat([table.group_by(run).agg(pl.col(column).max()) for _, table in sides])
    place = float(lengths[column].cast(float).to_numpy().min())
    rows: list[Row] = []
    for number, table in sides:
        before = table.filter(pl.col(column) <= place)
        last = before.group_by(run, maintain_order=True).last()
        if last.height < table.select(run).unique().height:
            return []  # a run had finished no epoch by then
        known = last["value"].null_count() == 0
        low, high = _interval(last["value"].to_numpy()) if known else (None, None)
        rows.append(
            {
                "metric": name,
                "at": at,
                "place": place,
                "side": number,
                "epoch": last["epoch"].min(),
                "value": last["value"].mean() if known else None,
                "low": low,
                "high": high,
                "runs": last.height,
                "rebuilt": bool(last["rebuilt"].any()),
            }
        )
    return rows


def _interval(values: Floats) -> tuple[float | None, float | None]:
    """Student's 95 % interval of the mean over runs; none of one run."""
    if len(values) < 2:
        return None, None
    with np.errstate(over="ignore"):  # a diverging loss may be as large as a float can be
        half = half_of_independent(values)
        middle = float(values.mean())
    return (middle - half, middle + half) if np.isfinite(half) else (None, None)
