"""Analysis in, plotly figures out: curves, times, steps, and runs compared.

The report, the app and notebooks show the same figures. Long series are thinned to what a screen
can show, and the figure says so; values far beyond the others are marked at the edge of the axis.
All text from a log is made safe for plotly's own markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from logparse.errors import UsageError
from logparse.reading.records import Floats
from logparse.reports import curves as parts
from logparse.reports import safe, words
from logparse.reports.axes import ALIGNMENTS, Align, Axis, alignments, axis, time_unit
from logparse.reports.curves import Trace
from logparse.reports.palette import COLORS, DASHES, RUNS, Theme, template
from logparse.reports.series import BINS, Drawn, Metric, Series, drawn, metrics_of
from logparse.reports.thinning import Points, thin

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

    from logparse.analysis import Analysis

__all__ = [
    "ALIGNMENTS", "Align", "Metric", "Theme",
    "alignments", "compared", "curves", "metrics_of", "steps", "times",
]  # fmt: skip

MARKED_EPOCHS = 40
"""Lines between epochs that a figure shows at most; of more epochs every 2nd, 5th, 10th ..."""

BARS = 300
"""Epochs drawn as bars at most; of more, the slowest of each stretch."""


def curves(
    analysis: Analysis,
    metric: str,
    *,
    run: int | None = None,
    align: Align = "epoch",
    theme: Theme = "light",
) -> go.Figure:
    """One metric of one run: as shown, as rebuilt with its 95 % band, and its validation.

    Args:
        analysis: the analysis.
        metric: its name as printed; with ``loss``, ``val_loss`` is drawn as well.
        run: number of the run; by default the one with most updates.
        align: what the horizontal axis counts.
        theme: ``light`` or ``dark``.

    Returns:
        A figure with the traces (as far as the log has them): shown values; the mean of the
        batches between two shown values and its 95 % band; the level of the network at both ends
        of each epoch; validation; a mark for each finding about the metric, at the jumps LP101
        (averaging), LP102 (real) and LP103 (undecided); values beyond the axis, counted.

    Raises:
        UsageError: there is no such metric or run, or the log does not tell the time.
    """
    run = _run(analysis, run)
    known = analysis.metrics["metric"].unique(maintain_order=True).to_list()
    if metric not in known:
        raise UsageError(f"no metric {metric!r} in {analysis.source.name}")
    place = axis(analysis, run, align)
    found = drawn(analysis)
    series = found.series.get((run, metric))
    color = COLORS[theme]
    rows = _rows(analysis, run, metric)
    val = _rows(analysis, run, f"val_{metric}")
    traces: list[Trace] = []
    if series and series.rebuilt:
        traces += parts.rebuilt(place, series.rebuilt, color)
    name = safe.figure(metric)
    if series and series.shown:
        traces.append(parts.line(place, series.shown, "shown by Keras", color["shown"]))
    traces += parts.level(place, rows, color)
    traces += parts.validation(place, val, f"val_{name}", color)
    edges = _edges(series, rows, val)
    if edges:
        traces += parts.beyond(place, series, edges, color)
    if series:
        bottom = float(np.nanmin(np.append(series.shown.sample, np.inf))) if series.shown else 0.0
        traces += parts.not_finite(
            place, series.shown, bottom if np.isfinite(bottom) else 0.0, color
        )
    traces += parts.marks(place, _marked(analysis, run, metric), color)
    return _figure(
        traces,
        title=name + _which(analysis, run),
        note=_thinned(found, series),
        x=place.title,
        y=name,
        theme=theme,
        edges=edges,
        place=place,
    )


def times(analysis: Analysis, *, run: int | None = None, theme: Theme = "light") -> go.Figure:
    """How long each epoch took, split into first step, training, validation and what is unknown.

    Args:
        analysis: the analysis.
        run: number of the run; by default the one with most updates.
        theme: ``light`` or ``dark``.

    Raises:
        UsageError: there is no such run.
    """
    run = _run(analysis, run)
    color = COLORS[theme]
    epochs = analysis.epochs.filter(analysis.epochs["run"] == run)
    seconds = _column(epochs, "seconds")
    bars = _slowest(seconds)
    unit, scale = time_unit(float(np.nanmax(np.append(seconds, 0.0))))
    x = _column(epochs, "epoch")[bars]
    traces: list[Trace] = []
    for label, values in _split(epochs).items():
        y = values[bars]
        if not np.nansum(y) > 0:
            continue
        traces.append(
            {
                "type": "bar",
                "name": label,
                "x": x,
                "y": y / scale,
                "customdata": [words.duration(s) for s in y.tolist()],
                "hovertemplate": f"epoch %{{x}}, {label}: %{{customdata}}<extra></extra>",
                "marker": {
                    "color": color[_PARTS[label]],
                    "pattern": {"shape": "/" if label in _HATCHED else ""},
                    "line": {"width": 0},
                },
            }
        )
    low, high = _column(epochs, "seconds_low")[bars], _column(epochs, "seconds_high")[bars]
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
    note = "" if traces else "the log shows no times"
    if len(bars) < len(seconds):
        note = f"{len(seconds):,} epochs; of each {-(-len(seconds) // BARS)} the slowest is drawn"
    figure = _figure(
        traces,
        title="Time of each epoch" + _which(analysis, run),
        note=note,
        x="epoch",
        y=f"time ({unit})",
        theme=theme,
    )
    figure.update_layout(barmode="stack", bargap=0.15 if len(bars) < 60 else 0)
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
) -> go.Figure:
    """Time a step takes over the run, between updates and in each epoch, and where it changed.

    Args:
        analysis: the analysis.
        run: number of the run; by default the one with most updates.
        align: what the horizontal axis counts.
        theme: ``light`` or ``dark``.

    Raises:
        UsageError: there is no such run, or the log does not tell the time.
    """
    run = _run(analysis, run)
    color = COLORS[theme]
    place = axis(analysis, run, align)
    found = drawn(analysis)
    points = found.clock.get(run)
    epochs = analysis.epochs.filter(analysis.epochs["run"] == run)
    number, step = _column(epochs, "epoch"), _column(epochs, "step_seconds")
    usual = np.median(step[np.isfinite(step)]) if np.isfinite(step).any() else 1.0
    scale, unit = (1e3, "ms") if usual < 1 else (1.0, "s")
    traces: list[Trace] = []
    edges = None
    if points is not None and np.isfinite(points["y"]).any():
        scaled = _scaled(points, scale)
        edges = parts.fence([scaled], [step * scale])
        one = parts.line(place, scaled, "between two updates", color["rebuilt"])
        traces.append(one | {"line": {"color": color["rebuilt"], "width": 1}})
        if edges:
            traces += parts.beyond(place, Series(scaled, None, np.zeros(0)), edges, color)
    there = np.isfinite(step)
    if there.any():
        traces.append(_step_levels(place, number[there], step[there] * scale, color))
    traces += _changes(analysis, run, place, number, step * scale, color)
    note = _count(points) if points else ("" if traces else "the log shows no times")
    figure = _figure(
        traces,
        title="Time a step" + _which(analysis, run),
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
            rows = _rows(analysis, run, metric)
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
                place, _rows(analysis, run, f"val_{metric}"), f"val_{safe.figure(metric)}",
                {"validation": look["color"]},
            )  # fmt: skip
            group = f"{len(traces)}" if not traces else traces[-1]["legendgroup"]
            traces += [one | {"legendgroup": group, "showlegend": False} for one in val]
    if not traces:
        raise UsageError(f"no run has the metric {metric!r}")
    if any(trace["line"].get("dash") == "dot" for trace in traces):
        notes.append("dotted with squares: validation")
    return _figure(
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
        epoch, y = _column(rows, "epoch"), _column(rows, "shown")
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


def _run(analysis: Analysis, run: int | None) -> int:
    """The run asked for, or the one with most updates."""
    epochs = analysis.epochs
    if run is not None:
        if run not in epochs["run"]:
            raise UsageError(f"no run {run} with an epoch in {analysis.source.name}")
        return run
    if not epochs.height:
        raise UsageError(f"no epoch in {analysis.source.name}")
    sums = epochs.select("run", "updates").group_by("run", maintain_order=True).sum()
    return int(sums["run"][int(sums["updates"].arg_max() or 0)])


def _rows(analysis: Analysis, run: int, metric: str) -> pl.DataFrame:
    table: pl.DataFrame = analysis.metrics
    return table.filter((table["run"] == run) & (table["metric"] == metric))


def _column(table: pl.DataFrame, name: str) -> Floats:
    """A column as numbers, nan for null; nan throughout where the table lacks it."""
    if name not in table.columns:
        return np.full(table.height, np.nan)
    return table[name].cast(float).to_numpy()


def _which(analysis: Analysis, run: int) -> str:
    return f" (run {run} of {analysis.runs.height})" if analysis.runs.height > 1 else ""


def _count(points: Points) -> str:
    if len(points) >= points.total:
        return ""
    return f"{len(points):,} of {points.total:,} points drawn; the extremes are among them"


def _thinned(found: Drawn, series: Series | None) -> str:
    """What of a series is not drawn, in words."""
    notes = []
    if series and series.shown:
        notes.append(_count(series.shown))
    if series and series.rebuilt and found.passed_over:
        notes.append("rebuilt values are means over several updates")
    return "; ".join(note for note in notes if note)


def _edges(series: Series | None, rows: pl.DataFrame, val: pl.DataFrame) -> parts.Fence | None:
    points = [p for p in (series.shown, series.rebuilt) if p] if series else []
    numbers = [_column(rows, "start"), _column(rows, "end"), _column(val, "shown")]
    if not points:
        numbers.append(_column(rows, "shown"))
    return parts.fence(points, numbers)


def _marked(analysis: Analysis, run: int, metric: str) -> list[tuple[str, int, float, str]]:
    """Findings about a metric: code, epoch, value there, and what to say."""
    from logparse.findings.jumps import all_jumps
    from logparse.findings.registry import Tables

    findings = analysis.findings
    findings = findings.filter(
        ((findings["run"] == run) & (findings["metric"] == metric)).fill_null(False)
    )
    codes = set(findings["code"].to_list())
    found: list[tuple[str, int, float, str]] = []
    verdicts = {"averaging": "LP101", "real": "LP102", "undecided": "LP103"}
    if codes & set(verdicts.values()):
        tables = Tables(**{name: analysis.table(name) for name in Tables.__dataclass_fields__})
        for group in all_jumps(tables):
            for jump in group:
                code = verdicts.get(jump.verdict, "")
                if (jump.run, jump.metric) == (run, metric) and code in codes:
                    text = (
                        f"before epoch {jump.epoch}: from {words.shown(jump.shown)} "
                        f"to {words.shown(jump.first)}"
                    )
                    found.append((code, jump.epoch, jump.first, text))
    rows = _rows(analysis, run, metric)
    values = dict(zip(rows["epoch"].to_list(), rows["shown"].to_list(), strict=True))
    for row in findings.rows(named=True):
        value = values.get(row["epoch"])
        if row["code"] not in verdicts.values() and row["epoch"] and value is not None:
            found.append((row["code"], row["epoch"], value, row["message"]))
    return found


_PARTS = {
    "first step": "first step",
    "training": "training",
    "validation": "check",
    "gap before the epoch": "gap",
    "not told apart": "unknown",
}
"""Colours of the parts of an epoch's time."""

_HATCHED = {"not told apart"}


def _split(epochs: pl.DataFrame) -> dict[str, Floats]:
    """Seconds of each part of each epoch; what the log does not tell apart is a part of its own."""
    seconds = _column(epochs, "seconds")
    first = np.nan_to_num(_column(epochs, "first_step_seconds"))
    check = np.nan_to_num(_column(epochs, "validation_seconds"))
    gap = np.nan_to_num(_column(epochs, "gap_seconds"))
    rest = np.maximum(np.nan_to_num(seconds) - first - check, 0)
    told = (first > 0) | (check > 0) | np.isfinite(_column(epochs, "step_seconds"))
    return {
        "first step": first,
        "training": np.where(told, rest, 0),
        "validation": check,
        "gap before the epoch": gap,
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
    return replace(
        points,
        columns=points.columns | {"y": points["y"] * scale},
        sample=points.sample * scale,
        low=points.low * scale,
        high=points.high * scale,
    )


def _step_levels(place: Axis, number: Floats, y: Floats, color: dict[str, str]) -> Trace:
    """The usual step time of each epoch, as a stair."""
    keep = thin(y, parts.FEW_POINTS)
    number, y = number[keep], y[keep]
    done = place.done[np.searchsorted(place.epochs, number)]
    x = place.at(np.repeat(number, 2), np.stack([np.zeros(len(done)), done], axis=1).ravel())
    return {
        "type": "scatter",
        "name": "each epoch, without its first step",
        "mode": "lines",
        "x": x,
        "y": np.repeat(y, 2),
        "customdata": np.repeat(number, 2),
        "hovertemplate": "epoch %{customdata:.0f}: %{y:.4~g}<extra></extra>",
        "line": {"color": color["level"], "width": 3},
    }


def _changes(
    analysis: Analysis, run: int, place: Axis, number: Floats, y: Floats, color: dict[str, str]
) -> list[Trace]:
    """A mark for each finding about time that names an epoch."""
    findings = analysis.findings
    rows = findings.filter(
        (findings["run"] == run).fill_null(False)
        & findings["code"].str.starts_with("LP2")
        & findings["epoch"].is_not_null()
    ).rows(named=True)
    values = dict(zip(number.tolist(), y.tolist(), strict=True))
    found = [
        (row["code"], row["epoch"], values.get(row["epoch"], np.nan), row["message"])
        for row in rows
    ]
    traces = parts.marks(place, found, color)
    for trace in traces:
        trace["name"] = "findings about time"
    return traces


def _longest(analyses: Sequence[Analysis]) -> float:
    sums = [
        analysis.epochs.select("run", "seconds").group_by("run").sum()["seconds"].max()
        for analysis in analyses
        if analysis.epochs.height
    ]
    return max((float(s) for s in sums if s is not None), default=0.0)


def _figure(
    traces: list[Trace],
    *,
    title: str,
    note: str,
    x: str,
    y: str,
    theme: Theme,
    edges: parts.Fence | None = None,
    place: Axis | None = None,
) -> go.Figure:
    import plotly.graph_objects as go

    color = COLORS[theme]
    figure = go.Figure(
        data=traces,
        layout={
            "template": template(theme),
            "title": {
                "text": title,
                "subtitle": {"text": note, "font": {"size": 12, "color": color["muted"]}},
            },
            "xaxis": {"title": {"text": x}},
            "yaxis": {"title": {"text": y}},
            "hovermode": "closest",
            "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
            "margin": {"l": 64, "r": 24, "t": 64, "b": 64},
        },
    )
    if edges:
        figure.update_yaxes(range=[edges.low, edges.high])
    if place is not None:
        _epoch_lines(figure, place, color)
    return figure


def _epoch_lines(figure: go.Figure, place: Axis, color: dict[str, str]) -> None:
    """Lines between epochs, of many every 2nd, 5th, 10th ..."""
    starts = place.starts[1:]
    every = next(
        k * 10**power
        for power in range(9)
        for k in (1, 2, 5)
        if len(starts) <= MARKED_EPOCHS * k * 10**power
    )
    for at in starts[every - 1 :: every]:
        x = str(at) if place.align == "wall" else float(at)
        figure.add_shape(
            type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", layer="below",
            line={"color": color["mark"], "width": 1, "dash": "dot"},
        )  # fmt: skip
    if place.align == "epoch":
        figure.update_xaxes(showgrid=False)
