"""Runs in, one figure with a metric of all of them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from logparse.errors import UsageError
from logparse.reading.records import Floats
from logparse.reports import safe, words
from logparse.reports.columns import Picked, facts
from logparse.reports.drawing import traces as parts
from logparse.reports.drawing.axes import Align, Axis, axis
from logparse.reports.drawing.frame import figure_of
from logparse.reports.drawing.series import BINS, Series, drawn
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.drawing.traces import Trace
from logparse.reports.palette import DASHES, RUNS, Theme

if TYPE_CHECKING:
    from logparse.analysis import Analysis

AS_SHOWN = " (as shown)"
"""What is added to the name of a line of which nothing was rebuilt."""

NAME = 40
"""Characters of a log's name in the legend: the last ones tell most."""


def compared(
    analyses: Sequence[Analysis],
    metric: str,
    *,
    align: Align = "epoch",
    smoothing: int | None = None,
    names: Sequence[str] | None = None,
    theme: Theme = "light",
) -> Sheet:
    """One metric of many runs in one picture: batch values as rebuilt, and validation.

    Args:
        analyses: the analyses; each run of each is one line.
        metric: its name as printed.
        align: what the horizontal axis counts; ``step``, ``epoch`` and ``relative`` begin
            at 0 for every run.
        smoothing: batches that are averaged at each place; by default a 30th of a run, 1 for none.
        names: what to call each analysis; by default where the names of the logs differ.
        theme: ``light`` or ``dark``.

    Raises:
        UsageError: no run has the metric, or a log does not tell the time.
    """
    called = list(names) if names is not None else _short([a.source.name for a in analyses])
    longest = _longest(analyses)
    lines: list[list[Trace]] = []
    title = ""
    for analysis, name in zip(analyses, called, strict=True):
        known = facts(analysis)
        for run in known.runs:
            series = drawn(analysis).series.get((run, metric))
            rows = known.metric(run, metric)
            if series is None and not rows.there("shown").any():
                continue
            place = axis(analysis, run, align, longest)
            title = place.title
            color = RUNS[theme][len(lines) % len(RUNS[theme])]
            dash = DASHES[len(lines) // len(RUNS[theme]) % len(DASHES)]
            label = safe.figure(name if len(name) <= NAME else f"...{name[3 - NAME :]}", NAME)
            if analysis.runs.height > 1:
                label += f", run {run}"
            line = _line(place, series, rows, smoothing, label)
            line["line"] = {"width": 2, "color": color, "dash": dash}
            line["marker"] = {"color": color}
            val = known.metric(run, f"val_{metric}")
            points = parts.validation(
                place, val, f"{label}, val_{safe.figure(metric)}", {"validation": color}
            )
            group = f"line {len(lines)}"
            lines.append(
                [line | {"legendgroup": group}]
                + [one | {"legendgroup": group, "showlegend": False} for one in points]
            )
    if not lines:
        raise UsageError(f"no run has the metric {metric!r}")
    return figure_of(
        [trace for line in lines for trace in line],
        title=f"{safe.figure(metric)} of {words.count(len(analyses), 'log')}",
        note=_note(lines, smoothing),
        x=title,
        y=safe.figure(metric),
        theme=theme,
    )


def _note(lines: list[list[Trace]], smoothing: int | None) -> str:
    window = "a 30th of the run" if smoothing is None else f"{smoothing:,} batches"
    averaged = any(not line[0]["name"].endswith(AS_SHOWN) for line in lines)
    notes = [f"lines: mean over {window}"] if averaged and smoothing not in (0, 1) else []
    if any(len(line) > 1 for line in lines):
        notes.append("squares: validation")
    return "; ".join(notes)


def _short(names: list[str]) -> list[str]:
    """Names of logs from where they differ: without the folders that all are in."""
    parts = [name.split("/") for name in names]
    same = 0
    while all(len(part) > same + 1 for part in parts) and len({p[same] for p in parts}) == 1:
        same += 1
    return ["/".join(part[same:]) for part in parts]


def _line(
    place: Axis, series: Series | None, rows: Picked, smoothing: int | None, name: str
) -> Trace:
    """A run's batch values, averaged; as shown where nothing was rebuilt."""
    window = round(float(place.done.sum()) / 30) if smoothing is None else smoothing
    if series is not None and series.rebuilt is not None:
        epoch, step, y = _averaged(place, series, window)
    else:
        name += AS_SHOWN
        if series is not None and series.shown is not None:
            epoch, step, y = (series.shown[key] for key in ("epoch", "step", "y"))
        else:
            rows = rows.take(rows.there("shown"))
            epoch, y = rows["epoch"], rows["shown"]
            step = place.done[np.searchsorted(place.epochs, epoch)]
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines+markers" if len(y) <= parts.FEW_EPOCHS else "lines",
        "x": place.at(epoch, step),
        "y": y,
        "customdata": np.stack([epoch, step], axis=1).astype(np.float32),
        "hovertemplate": f"{name} %{{y:.5~g}}<br>epoch %{{customdata[0]:.0f}}, "
        "batch %{customdata[1]:,.0f}<extra></extra>",
    }


def _averaged(place: Axis, series: Series, window: int) -> tuple[Floats, Floats, Floats]:
    """Epoch, step and mean of about ``window`` batches about it."""
    assert series.rebuilt is not None
    total = float(place.done.sum())
    known = np.flatnonzero(series.lengths > 0)
    if window <= 1 or not len(known):
        return series.rebuilt["epoch"], series.rebuilt["step"], series.rebuilt["y"]
    kernel = np.ones(min(max(round(window * BINS / max(total, 1)), 1), BINS))
    sums, lengths = (np.convolve(x, kernel, "same") for x in (series.sums, series.lengths))
    y = sums[known] / lengths[known]
    middle = (known + 0.5) * total / BINS
    begins = np.cumsum(place.done) - place.done
    i = np.searchsorted(begins, middle, side="right") - 1
    return place.epochs[i], middle - begins[i], y


def _longest(analyses: Sequence[Analysis]) -> float:
    """Seconds of the longest run, as far as they are known."""
    tables = [facts(analysis) for analysis in analyses]
    sums = [float(np.nansum(known.run(run)["seconds"])) for known in tables for run in known.runs]
    return max(sums, default=0.0)
