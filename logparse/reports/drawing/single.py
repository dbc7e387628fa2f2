"""One metric of one run in, its figure out: shown, rebuilt, level, validation, marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from logparse.errors import UsageError
from logparse.findings.jumps import Jump, all_jumps
from logparse.reports import safe, words
from logparse.reports.columns import Picked, facts
from logparse.reports.drawing import traces as parts
from logparse.reports.drawing.axes import Align, axis
from logparse.reports.drawing.frame import count, figure_of, run_of, which
from logparse.reports.drawing.series import POINTS, Drawn, Series, drawn
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.drawing.traces import Trace
from logparse.reports.palette import COLORS, Theme

if TYPE_CHECKING:
    from logparse.analysis import Analysis


def curves(
    analysis: Analysis,
    metric: str,
    *,
    run: int | None = None,
    align: Align = "epoch",
    theme: Theme = "light",
    points: int = POINTS,
) -> Sheet:
    """One metric of one run: as shown, as rebuilt with its 95 % band, and its validation.

    Args:
        analysis: the analysis.
        metric: its name as printed; with ``loss``, ``val_loss`` is drawn as well.
        run: number of the run; by default the one with most updates.
        align: what the horizontal axis counts.
        theme: ``light`` or ``dark``.
        points: points a line at most, about; fewer make a smaller figure.

    Returns:
        A figure with the traces (as far as the log has them): shown values; the mean of the
        batches between two shown values and its 95 % band; the level of the network at both ends
        of each epoch; validation; a mark for each finding about the metric, at the jumps LP101
        (averaging), LP102 (real) and LP103 (undecided); values beyond the axis, counted.

    Raises:
        UsageError: there is no such metric or run, or the log does not tell the time.
    """
    run = run_of(analysis, run)
    known = facts(analysis)
    if metric not in known.names:
        raise UsageError(f"no metric {metric!r} in {analysis.source.name}")
    place = axis(analysis, run, align)
    found = drawn(analysis, points)
    series = found.series.get((run, metric))
    if series and points < found.most:
        series = series.thinned(points)
    color = COLORS[theme]
    rows, val = known.metric(run, metric), known.metric(run, f"val_{metric}")
    traces: list[Trace] = []
    if series and series.rebuilt:
        traces += parts.rebuilt(place, series.rebuilt, color)
    name = safe.figure(metric)
    if series and series.shown:
        traces.append(parts.line(place, series.shown, "shown by Keras", color["shown"]))
    traces += parts.level(place, rows, color)
    traces += parts.validation(place, val, f"val_{name}", color)
    edges = _edges(series, rows, val)
    if edges and series:
        lines = [p for p in (series.shown, series.rebuilt) if p]
        traces += parts.beyond(place, lines, edges, color)
    strange, low = series.shown if series else None, 0.0
    if strange and strange.not_finite:
        low = float(strange.sample.min()) if len(strange.sample) else 0.0
        traces += parts.not_finite(place, strange, low, color)
    traces += parts.marks(place, _marked(analysis, run, metric), color)
    figure = figure_of(
        traces,
        title=name + which(analysis, run),
        note=_thinned(found, series),
        x=place.title,
        y=name,
        theme=theme,
        edges=edges,
        place=place,
    )
    level = _constant(traces)
    if level:
        # Left alone, the axis would reach from 1 below to 1 above, whatever the unit.
        figure.update_yaxes(range=sorted((0.0, 2 * level)))
    if strange and not len(strange.sample):
        # The crosses stand for no value.
        figure.update_yaxes(showticklabels=False, showgrid=False)
    return figure


def _constant(traces: list[Trace]) -> float | None:
    """The one value that is drawn, if there is no other."""
    y = np.concatenate([trace["y"] for trace in traces]) if traces else np.zeros(0)
    y = y[np.isfinite(y)]
    return float(y[0]) if len(y) and y.min() == y.max() else None


def _thinned(found: Drawn, series: Series | None) -> str:
    """What of a series is not drawn, in words."""
    notes = []
    if series and series.shown:
        notes.append(count(series.shown))
    if series and series.rebuilt and found.passed_over:
        notes.append("rebuilt values are means over several updates")
    return "; ".join(note for note in notes if note)


def _edges(series: Series | None, rows: Picked, val: Picked) -> parts.Fence | None:
    points = [p for p in (series.shown, series.rebuilt) if p] if series else []
    numbers = [rows["start"], rows["end"], val["shown"]]
    if not points:
        numbers.append(rows["shown"])
    return parts.fence(points, numbers)


def _marked(analysis: Analysis, run: int, metric: str) -> list[tuple[str, int, float, str]]:
    """Findings about a metric: code, epoch, value there, and what to say."""
    known = facts(analysis)
    findings = [row for row in known.findings if (row["run"], row["metric"]) == (run, metric)]
    codes = {row["code"] for row in findings}
    found: list[tuple[str, int, float, str]] = []
    verdicts = {"averaging": "LP101", "real": "LP102", "undecided": "LP103"}
    if codes & set(verdicts.values()):
        for jump in _jumps(analysis, run, metric):
            code = verdicts.get(jump.verdict, "")
            if code in codes:
                text = (
                    f"before epoch {jump.epoch}: from {words.shown(jump.shown)} "
                    f"to {words.shown(jump.first)}"
                )
                found.append((code, jump.epoch, jump.first, text))
    rows = known.metric(run, metric)
    values = dict(zip(rows.list("epoch"), rows.list("shown"), strict=True))
    for row in findings:
        value = values.get(row["epoch"])
        if row["code"] not in verdicts.values() and row["epoch"] and value is not None:
            found.append((row["code"], row["epoch"], value, row["message"]))
    return found


def _jumps(analysis: Analysis, run: int, metric: str) -> list[Jump]:
    """What the rules say of every boundary of a metric."""
    of_metrics = (found for found in all_jumps(analysis.judged) if found)
    return next((f for f in of_metrics if (f[0].run, f[0].metric) == (run, metric)), [])
