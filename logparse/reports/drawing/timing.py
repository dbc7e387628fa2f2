"""Epochs and updates in, two figures out: how long epochs took, and how long a step took."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from logparse.reading.records import Floats
from logparse.reports import words
from logparse.reports.columns import Picked, facts
from logparse.reports.drawing import traces as parts
from logparse.reports.drawing.axes import Align, Axis, axis, time_unit
from logparse.reports.drawing.frame import count, figure_of, run_of, which
from logparse.reports.drawing.series import POINTS, drawn
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.drawing.thinning import Points, thin
from logparse.reports.drawing.traces import Trace
from logparse.reports.palette import COLORS, Theme

if TYPE_CHECKING:
    from logparse.analysis import Analysis

BARS = 300
"""Epochs drawn as bars at most; of more, the slowest of each stretch."""


def times(analysis: Analysis, *, run: int | None = None, theme: Theme = "light") -> Sheet:
    """How long each epoch took, split into first step, training, validation and what is unknown.

    Args:
        analysis: the analysis.
        run: number of the run; by default the one with most updates.
        theme: ``light`` or ``dark``.

    Raises:
        UsageError: there is no such run.
    """
    run = run_of(analysis, run)
    color = COLORS[theme]
    epochs = facts(analysis).run(run)
    seconds = epochs["seconds"]
    bars = _slowest(seconds)
    unit, scale = time_unit(float(np.nanmax(np.append(seconds, 0.0))))
    number = epochs["epoch"][bars]
    stretch = -(-len(seconds) // BARS)
    # Of a stretch of epochs one is drawn, over the width of all.
    x = number if stretch == 1 else np.arange(len(bars)) * stretch + (stretch + 1) / 2
    traces: list[Trace] = []
    for label, values in _split(epochs).items():
        y = values[bars]
        if not y.any():
            continue
        traces.append(
            {
                "type": "bar",
                "name": label,
                "x": x,
                "y": y / scale,
                "width": stretch * (0.85 if len(bars) < 60 else 1),
                "customdata": [
                    [f"{epoch:.0f}", words.duration(s)]
                    for epoch, s in zip(number.tolist(), y.tolist(), strict=True)
                ],
                "hovertemplate": f"epoch %{{customdata[0]}}, {label}: %{{customdata[1]}}"
                "<extra></extra>",
                "marker": {
                    "color": color[_PARTS[label]],
                    "pattern": {
                        "shape": "/" if label in _HATCHED else "",
                        "fgcolor": color[_PARTS[label]],
                        "bgcolor": color["grid"],
                        "size": 6,
                    },
                    "line": {"width": 0},
                },
            }
        )
    low, high = epochs["seconds_low"][bars], epochs["seconds_high"][bars]
    if traces and np.isfinite(low).any() and len(bars) <= 60:
        total = seconds[bars]
        traces[-1]["error_y"] = {
            "array": np.nan_to_num(high - total) / scale,
            "arrayminus": np.nan_to_num(total - low) / scale,
            "symmetric": False,
            "color": color["text"],
            "thickness": 1,
            "width": 3,
        }
    note = ""
    if len(bars) < len(seconds):
        note = f"{len(seconds):,} epochs: of each {stretch} the slowest is drawn"
    figure = figure_of(
        traces,
        title="Time of each epoch" + which(analysis, run),
        note=note,
        x="epoch",
        y=f"time ({unit})",
        theme=theme,
    )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(rangemode="tozero")
    if 0 < len(x) <= 20:
        figure.update_xaxes(tickmode="array", tickvals=x, ticktext=[f"{e:.0f}" for e in x])
    return figure


def steps(
    analysis: Analysis,
    *,
    run: int | None = None,
    align: Align = "epoch",
    theme: Theme = "light",
    points: int = POINTS,
) -> Sheet:
    """Time a step takes over the run, between updates and in each epoch, and where it changed.

    Args:
        analysis: the analysis.
        run: number of the run; by default the one with most updates.
        align: what the horizontal axis counts.
        theme: ``light`` or ``dark``.
        points: points of the line, about.

    Raises:
        UsageError: there is no such run, or the log does not tell the time.
    """
    run = run_of(analysis, run)
    color = COLORS[theme]
    place = axis(analysis, run, align)
    stretches = drawn(analysis, points).step_times.get(run)
    epochs = facts(analysis).run(run)
    number, step = epochs["epoch"], epochs["step_seconds"]
    there = np.isfinite(step)
    known = step[there] if there.any() or stretches is None else stretches.sample
    usual = float(np.median(known)) if len(known) else 1.0
    scale, unit = (1e3, "ms") if usual < 1 else (1.0, "s")
    traces: list[Trace] = []
    edges = None
    if stretches is not None:
        scaled = _scaled(stretches, scale)
        edges = parts.fence([scaled], [step * scale])
        stairs = parts.Stairs.of(scaled)
        traces += stairs.traces(place, "stretches of the epoch", f"%{{y:.4~g}} {unit}", color)
        if edges:
            traces += parts.beyond(place, [scaled], edges, color)
    if there.any():
        traces.append(_step_levels(place, number[there], step[there] * scale, color))
    traces += _changes(analysis, run, place, number, step * scale, color)
    note = count(stretches) if stretches else ""
    figure = figure_of(
        traces,
        title="Time a step" + which(analysis, run),
        note=note,
        x=place.title,
        y=f"time a step ({unit})",
        theme=theme,
        edges=edges,
        place=place,
    )
    if not edges:
        figure.update_yaxes(rangemode="tozero")
    return figure


_PARTS = {
    "first step": "first step",
    "training": "training",
    "validation": "check",
    "gap before the epoch": "gap",
    "not told apart": "unknown",
}
"""Colours of the parts of an epoch's time."""

_HATCHED = {"not told apart"}


def _split(epochs: Picked) -> dict[str, Floats]:
    """Seconds of each part of each epoch; what the log does not tell apart is a part of its own."""
    seconds = epochs["seconds"]
    first = np.nan_to_num(epochs["first_step_seconds"])
    check = np.nan_to_num(epochs["validation_seconds"])
    gap = epochs["began"] - np.append(np.nan, epochs["ended"])[:-1]
    rest = np.maximum(np.nan_to_num(seconds) - first - check, 0)
    told = (first > 0) | (check > 0) | np.isfinite(epochs["step_seconds"])
    return {
        "first step": first,
        "training": np.where(told, rest, 0),
        "validation": check,
        "gap before the epoch": np.maximum(np.nan_to_num(gap), 0),
        "not told apart": np.where(told, 0, rest),
    }


def _slowest(seconds: Floats) -> np.ndarray:
    """Epochs to draw: all, or of many the slowest of each stretch."""
    n = len(seconds)
    if n <= BARS:
        return np.arange(n)
    stretch = -(-n // BARS)
    known = np.nan_to_num(seconds, nan=-1.0)
    return np.array([at + int(np.argmax(known[at : at + stretch])) for at in range(0, n, stretch)])


def _scaled(points: Points, scale: float) -> Points:
    """Step times in another unit."""
    times = {key: points[key] * scale for key in ("y", "low", "high")}
    return replace(
        points,
        columns=points.columns | times,
        sample=points.sample * scale,
        low=points.low * scale,
        high=points.high * scale,
    )


def _step_levels(place: Axis, number: Floats, y: Floats, color: dict[str, str]) -> Trace:
    """The usual step time of each epoch, as a stair."""
    keep = thin(y, parts.FEW_POINTS)
    # Epochs that tell no step time leave a gap; those that were thinned out leave none.
    breaks = np.cumsum(np.diff(number, prepend=number[0]) > 1).astype(float)[keep]
    number, y = number[keep], y[keep]
    done = place.done[np.searchsorted(place.epochs, number)]
    y, number, breaks = (np.repeat(column, 2) for column in (y, number, breaks))
    x = place.at(number, parts.alternating(np.zeros(len(done)), done))
    x, y, number = parts.broken([x, y, number], breaks)
    return {
        "type": "scatter",
        "name": "each epoch, without its first step",
        "mode": "lines",
        "x": x,
        "y": y,
        "customdata": number,
        "hovertemplate": "epoch %{customdata:.0f}: %{y:.4~g}<extra></extra>",
        "line": {"color": color["level"], "width": 3},
    }


def _changes(
    analysis: Analysis, run: int, place: Axis, number: Floats, y: Floats, color: dict[str, str]
) -> list[Trace]:
    """A mark for each finding about time that names an epoch."""
    rows = [
        row
        for row in facts(analysis).findings
        if row["run"] == run and row["code"].startswith("LP2") and row["epoch"] is not None
    ]
    values = dict(zip(number.tolist(), y.tolist(), strict=True))
    found = [
        (row["code"], row["epoch"], value, row["message"])
        for row in rows
        if np.isfinite(value := values.get(row["epoch"], np.nan))
    ]
    traces = parts.marks(place, found, color)
    for trace in traces:
        trace["name"] = "findings about time"
    return traces
