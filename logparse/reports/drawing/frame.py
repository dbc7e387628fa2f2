"""Traces in, a plotly figure out: titles, axes, lines between epochs; and what all figures ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logparse.errors import UsageError
from logparse.reports.columns import facts
from logparse.reports.drawing.axes import Axis
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.drawing.thinning import Points
from logparse.reports.drawing.traces import Fence, Trace
from logparse.reports.palette import COLORS, Theme

if TYPE_CHECKING:
    from logparse.analysis import Analysis

WHOLE_TICKS = 15
"""Epochs up to which each has its tick."""

MARKED_EPOCHS = 40
"""Lines between epochs that a figure shows at most; of more epochs every 2nd, 5th, 10th ..."""


def run_of(analysis: Analysis, run: int | None) -> int:
    """The run asked for, or the one with most updates."""
    known = facts(analysis)
    if run is not None:
        if run not in known.runs:
            raise UsageError(f"no run {run} with an epoch in {analysis.source.name}")
        return run
    if not known.runs:
        raise UsageError(f"no epoch in {analysis.source.name}")
    return max(known.runs, key=lambda run: known.run(run)["updates"].sum())


def which(analysis: Analysis, run: int) -> str:
    """Which of several runs it is, for a title."""
    return f" (run {run} of {analysis.runs.height})" if analysis.runs.height > 1 else ""


def count(points: Points) -> str:
    """How many points are drawn, where that is not all."""
    if len(points) >= points.total:
        return ""
    return f"{len(points):,} of {points.total:,} points drawn; the extremes are among them"


def figure_of(
    traces: list[Trace],
    *,
    title: str,
    note: str,
    x: str,
    y: str,
    theme: Theme,
    edges: Fence | None = None,
    place: Axis | None = None,
) -> Sheet:
    """The figure of some traces.

    Args:
        traces: what is drawn.
        title: its title.
        note: what is not drawn, under the title.
        x: what the horizontal axis counts, with its unit.
        y: the same of the vertical axis.
        theme: ``light`` or ``dark``.
        edges: where the vertical axis ends; by default it holds everything.
        place: the run whose epochs are marked off.
    """
    color = COLORS[theme]
    x_axis: dict[str, Any] = {"title": {"text": x}}
    y_axis: dict[str, Any] = {"title": {"text": y}}
    layout: dict[str, Any] = {
        "title": {
            "text": title,
            "subtitle": {"text": note, "font": {"size": 12, "color": color["muted"]}},
        },
        "xaxis": x_axis,
        "yaxis": y_axis,
        "hovermode": "closest",
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
        "margin": {"l": 64, "r": 24, "t": 64, "b": 64},
    }
    if not traces:
        x_axis |= {"showticklabels": False, "showgrid": False}
        y_axis |= {"showticklabels": False, "showgrid": False}
        layout["annotations"] = [_nothing(color)]
    if edges:
        y_axis["range"] = [edges.low, edges.high]
    if place is not None:
        layout["shapes"] = _epoch_lines(place, color)
        if place.align == "epoch":
            x_axis["showgrid"] = False
            if len(place.epochs) <= WHOLE_TICKS:
                x_axis["dtick"] = 1
    return Sheet(traces, layout, theme)


def _nothing(color: dict[str, str]) -> dict[str, Any]:
    return {
        "text": "the log does not tell",
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "font": {"size": 16, "color": color["muted"]},
    }


def _epoch_lines(place: Axis, color: dict[str, str]) -> list[dict[str, Any]]:
    """Lines between epochs, of many every 2nd, 5th, 10th ..."""
    starts = place.starts[1:]
    every = next(
        k * 10**power
        for power in range(9)
        for k in (1, 2, 5)
        if len(starts) <= MARKED_EPOCHS * k * 10**power
    )
    shapes = []
    for start in starts[every - 1 :: every]:
        at = str(start) if place.align == "wall" else float(start)
        shapes.append(
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "layer": "below",
                "line": {"color": color["mark"], "width": 1, "dash": "dot"},
            }
        )
    return shapes
