"""Runs in, one figure with a metric of all of them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from logparse.errors import UsageError
from logparse.reading.records import Floats
from logparse.reports import safe, words
from logparse.reports.drawing import traces as parts
from logparse.reports.drawing.axes import ALIGNMENTS, Align, Axis, axis
from logparse.reports.drawing.frame import column, figure_of, rows_of
from logparse.reports.drawing.series import BINS, Series, drawn
from logparse.reports.drawing.traces import Trace
from logparse.reports.palette import DASHES, RUNS, Theme

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

    from logparse.analysis import Analysis


def compared(
    analyses: Sequence[Analysis],
    metric: str,
    *,
    align: Align = "epoch",
    smoothing: int | None = None,
    names: Sequence[str] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """One metric of many runs in one picture: batch values as rebuilt, and validation.

    Args:
        analyses: the analyses; each run of each is one line.
        metric: its name as printed.
        align: what the horizontal axis counts; ``step``, ``epoch`` and ``relative`` begin
            at 0 for every run.
        smoothing: batches that are averaged at each place; by default a 50th of the longest run, 1
            or 0 for none.
        names: what to call each analysis; by default the names of the logs.
        theme: ``light`` or ``dark``.

    Raises:
        UsageError: no run has the metric, or a log does not tell the time.
    """
    titles = list(names) if names is not None else [a.source.name for a in analyses]
    longest = _longest(analyses)
    traces: list[Trace] = []
    title, notes = ALIGNMENTS.get(align, align), []
    for analysis, called in zip(analyses, titles, strict=True):
        for run in analysis.epochs["run"].unique(maintain_order=True).to_list():
            series = drawn(analysis).series.get((run, metric))
            rows = rows_of(analysis, run, metric)
            if series is None and not rows["shown"].count():
                continue
            place = axis(analysis, run, align, longest)
            title = place.title
            i = len({trace["legendgroup"] for trace in traces})
            look = {
                "color": RUNS[theme][i % len(RUNS[theme])],
                "dash": DASHES[i // len(RUNS[theme]) % len(DASHES)],
            }
            name = safe.figure(called, 40) + (f", run {run}" if analysis.runs.height > 1 else "")
            traces += _run_lines(place, series, rows, smoothing, name, look)
            val = parts.validation(
                place, rows_of(analysis, run, f"val_{metric}"), f"val_{safe.figure(metric)}",
                {"validation": look["color"]},
            )  # fmt: skip
            group = f"{len(traces)}" if not traces else traces[-1]["legendgroup"]
            traces += [one | {"legendgroup": group, "showlegend": False} for one in val]
    if not traces:
        raise UsageError(f"no run has the metric {metric!r}")
    if any(trace["line"].get("dash") == "dot" for trace in traces):
        notes.append("dotted with squares: validation")
    return figure_of(
        traces,
        title=f"{safe.figure(metric)} of {words.count(len(analyses), 'log')}",
        note="; ".join(notes),
        x=title,
        y=safe.figure(metric),
        theme=theme,
    )


def _run_lines(
    place: Axis,
    series: Series | None,
    rows: pl.DataFrame,
    smoothing: int | None,
    name: str,
    look: dict[str, str],
) -> list[Trace]:
    """A run's batch values, averaged; as shown where nothing was rebuilt."""
    batches = float(place.done.sum())
    window = max(1, round(batches / 50)) if smoothing is None else smoothing
    if series is not None and series.rebuilt is not None:
        epoch, step, y = _averaged(place, series, window)
    elif series is not None and series.shown is not None:
        epoch, step, y = (series.shown[key] for key in ("epoch", "step", "y"))
        name += " (as shown)"
    else:
        rows = rows.filter(rows["shown"].is_not_null())
        epoch, y = column(rows, "epoch"), column(rows, "shown")
        step = place.done[np.searchsorted(place.epochs, epoch)]
        name += " (as shown)"
    trace = {
        "type": "scatter",
        "name": name,
        "legendgroup": name,
        "mode": "lines",
        "x": place.at(epoch, step),
        "y": y,
        "customdata": np.stack([epoch, step], axis=1).astype(np.float32),
        "hovertemplate": f"{name} %{{y:.5~g}}<br>epoch %{{customdata[0]:.0f}}, "
        "batch %{customdata[1]:,.0f}<extra></extra>",
        "line": {"width": 2} | look,
    }
    return [trace]


def _averaged(place: Axis, series: Series, window: int) -> tuple[Floats, Floats, Floats]:
    """Epoch, step and mean of about ``window`` batches about it."""
    assert series.rebuilt is not None
    total = float(place.done.sum())
    bins = round(window * BINS / max(total, 1))
    if window <= 1 or not np.isfinite(series.mean).any():
        return series.rebuilt["epoch"], series.rebuilt["step"], series.rebuilt["y"]
    known = np.flatnonzero(np.isfinite(series.mean))
    kernel = np.ones(min(max(bins, 1), len(known)))
    inside = np.ones(len(known))
    y = np.convolve(series.mean[known], kernel, "same") / np.convolve(inside, kernel, "same")
    middle = (known + 0.5) * total / BINS
    begins = np.cumsum(place.done) - place.done
    i = np.searchsorted(begins, middle, side="right") - 1
    return place.epochs[i], middle - begins[i], y


def _longest(analyses: Sequence[Analysis]) -> float:
    sums = [
        analysis.epochs.select("run", "seconds").group_by("run").sum()["seconds"].max()
        for analysis in analyses
        if analysis.epochs.height
    ]
    return max((float(s) for s in sums if s is not None), default=0.0)
