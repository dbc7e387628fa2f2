"""One metric of one run in, the traces of its curve out, with the marks on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.reading.records import Floats
from logparse.reports import safe
from logparse.reports.axes import Axis
from logparse.reports.series import Series
from logparse.reports.thinning import TAIL, Points, pieces, thin

if TYPE_CHECKING:
    import polars as pl

FEW_EPOCHS = 100
"""Epochs up to which lines are broken between them."""

FEW_POINTS = 400
"""Points up to which a rebuilt value is drawn over the whole interval that it is the mean of."""

FENCE = 2.0
"""Values further from where most lie than this many times their range are marked at the edge."""

Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fence:
    """Where the vertical axis ends; values beyond are marked at its edge."""

    low: float
    high: float


def fence(parts: list[Points], numbers: list[Floats]) -> Fence | None:
    """Fences where some values are so far off that they would flatten the rest; else None.

    Most values are those from the 2nd to the 98th hundredth.
    """
    values = np.concatenate([part.sample for part in parts] + numbers)
    values = values[np.isfinite(values)]
    if len(values) < 5:
        return None
    low, high = np.quantile(values, [0.02, 0.98])
    width = max(high - low, 1e-9 * max(abs(low), abs(high)), 1e-300)
    far = Fence(float(low - FENCE * width), float(high + FENCE * width))
    every = [values, *(part.low for part in parts), *(part.high for part in parts)]
    least = min(float(part.min()) for part in every if len(part))
    most = max(float(part.max()) for part in every if len(part))
    if least >= far.low and most <= far.high:
        return None
    pad = 0.06 * width
    return Fence(
        max(far.low, least - pad) if least < far.low else least - pad,
        min(far.high, most + pad) if most > far.high else most + pad,
    )


def broken(x: Any, columns: list[Floats], breaks: Floats) -> tuple[Any, list[Floats]]:
    """The columns with a gap (nan) wherever ``breaks`` changes."""
    cuts = np.flatnonzero(np.diff(breaks)) + 1
    if not len(cuts):
        return x, columns
    gap = np.datetime64("NaT") if x.dtype.kind == "M" else np.nan
    return np.insert(x, cuts, gap), [np.insert(c.astype(float), cuts, np.nan) for c in columns]


def line(axis: Axis, points: Points, label: str, color: str, **style: Any) -> Trace:
    """A line through the points, broken between epochs where there are few of them."""
    epoch, step, y = points["epoch"], points["step"], points["y"]
    x = axis.at(epoch, step)
    alone = len(np.unique(epoch)) == len(epoch)
    if not alone and len(axis.epochs) <= FEW_EPOCHS:
        x, (y, epoch, step) = broken(x, [y, epoch, step], epoch)
    mode = "lines+markers" if alone and len(epoch) <= FEW_EPOCHS else "lines"
    return {
        "type": "scatter",
        "name": label,
        "mode": mode,
        "x": x,
        "y": y,
        "customdata": _places(epoch, step),
        "hovertemplate": _hover(label),
        "line": {"color": color, "width": 2} | style.get("line", {}),
        "marker": {"color": color, "size": 6},
    }


def _places(epoch: Floats, step: Floats) -> np.ndarray:
    return np.stack([epoch, step], axis=1).astype(np.float32)


def _hover(label: str, value: str = "%{y:.5~g}") -> str:
    place = "epoch %{customdata[0]:.0f}, batch %{customdata[1]:,.0f}"
    return f"{label} {value}<br>{place}<extra></extra>"


def rebuilt(axis: Axis, points: Points, color: dict[str, str]) -> list[Trace]:
    """The batch values with their 95 % band; the band's hard bounds where nothing was smoothed."""
    order = np.lexsort((points["step"], points["epoch"]))
    columns = {name: points[name][order] for name in ("epoch", "first_step", "step", "y")}
    known = np.isfinite(points["estimate"][order])
    low = np.where(known, points["estimate_low"][order], points["low"][order])
    high = np.where(known, points["estimate_high"][order], points["high"][order])
    epoch, step, y = columns["epoch"], columns["step"], columns["y"]
    if len(y) <= FEW_POINTS:
        ends = np.stack([columns["first_step"] - 1, step], axis=1).ravel()
        epoch, y, low, high = (np.repeat(c, 2) for c in (epoch, y, low, high))
        step = ends
    x = axis.at(epoch, step)
    breaks = epoch if len(axis.epochs) <= FEW_EPOCHS else np.zeros(len(epoch))
    band_x, band_y = _band(x, low, high, breaks)
    line_x, (y, epoch, step) = broken(x, [y, epoch, step], breaks)
    label = "rebuilt batches"
    return [
        {
            "type": "scatter",
            "name": "95 % band",
            "mode": "lines",
            "x": band_x,
            "y": band_y,
            "fill": "toself",
            "fillcolor": color["band"],
            "line": {"width": 0},
            "hoverinfo": "skip",
            "legendgroup": label,
            "showlegend": False,
        },
        {
            "type": "scatter",
            "name": label,
            "legendgroup": label,
            "mode": "lines",
            "x": line_x,
            "y": y,
            "customdata": _places(epoch, step),
            "hovertemplate": _hover(label),
            "line": {"color": color["rebuilt"], "width": 1},
        },
    ]


def _band(x: Any, low: Floats, high: Floats, breaks: Floats) -> tuple[Any, Floats]:
    """The outline of a band, one closed piece for each stretch of equal ``breaks``."""
    xs: list[Any] = []
    ys: list[Any] = []
    gap = np.array([np.datetime64("NaT") if x.dtype.kind == "M" else np.nan], x.dtype)
    for part in pieces(breaks):
        xs += [x[part], x[part][::-1], gap]
        ys += [high[part], low[part][::-1], [np.nan]]
    return np.concatenate(xs[:-1]), np.concatenate(ys[:-1])


def level(axis: Axis, rows: pl.DataFrame, color: dict[str, str]) -> list[Trace]:
    """Where the network stood at both ends of each epoch, with error bars of 95 %."""
    rows = rows.filter(rows["end"].is_not_null() & (rows["end_high"] > rows["end_low"]))
    if not rows.height:
        return []
    rows = rows[thin(rows["end"].to_numpy(), FEW_POINTS).tolist()]
    epoch = rows["epoch"].to_numpy().astype(float)
    done = axis.done[np.searchsorted(axis.epochs, epoch)]
    step = np.stack([np.zeros(len(done)), done], axis=1).ravel()
    y, low, high = (
        np.stack([rows[f"start{part}"].cast(float), rows[f"end{part}"].cast(float)], axis=1).ravel()
        for part in ("", "_low", "_high")
    )
    both = np.repeat(epoch, 2)
    x = axis.at(both, step)
    breaks = both if len(axis.epochs) <= FEW_EPOCHS else np.zeros(len(both))
    x, (y, low, high, both, step) = broken(x, [y, low, high, both, step], breaks)
    label = "level of the network"
    trace: Trace = {
        "type": "scatter",
        "name": label,
        "mode": "lines",
        "x": x,
        "y": y,
        "customdata": np.stack([both, step, low, high], axis=1).astype(np.float32),
        "hovertemplate": _hover(
            label, "%{y:.4~g}, 95 % sure: %{customdata[2]:.4~g} to %{customdata[3]:.4~g}"
        ),
        "line": {"color": color["level"], "width": 3},
    }
    if len(axis.epochs) <= FEW_EPOCHS:
        bars = {"array": high - y, "arrayminus": y - low, "symmetric": False}
        trace["error_y"] = bars | {"color": color["level"], "thickness": 1.5, "width": 5}
    return [trace]


def validation(axis: Axis, rows: pl.DataFrame, label: str, color: dict[str, str]) -> list[Trace]:
    """Validation values at the ends of their epochs."""
    rows = rows.filter(rows["shown"].is_not_null())
    if not rows.height:
        return []
    y = rows["shown"].to_numpy()
    keep = thin(y, FEW_POINTS)
    epoch = rows["epoch"].to_numpy().astype(float)[keep]
    done = axis.done[np.searchsorted(axis.epochs, epoch)]
    return [
        {
            "type": "scatter",
            "name": "validation, as shown",
            "mode": "lines+markers" if len(epoch) <= FEW_EPOCHS else "lines",
            "x": axis.at(epoch, done),
            "y": y[keep],
            "customdata": _places(epoch, done),
            "hovertemplate": _hover(label),
            "line": {"color": color["validation"], "width": 1.5, "dash": "dot"},
            "marker": {"color": color["validation"], "size": 8, "symbol": "square"},
        }
    ]


def beyond(axis: Axis, series: Series | None, edges: Fence, color: dict[str, str]) -> list[Trace]:
    """Marks at the edge of the axis for values beyond it."""
    traces = []
    points = [p for p in (series.shown, series.rebuilt) if p] if series else []
    for side, edge, symbol in (
        ("above", edges.high, "triangle-up"),
        ("below", edges.low, "triangle-down"),
    ):
        xs, texts, n, capped = [], [], 0, False
        for one in points:
            count = one.beyond(edges.low, edges.high)[side == "above"]
            n += count
            capped |= count == TAIL
            far = one["y"] > edge if side == "above" else one["y"] < edge
            xs.append(axis.at(one["epoch"][far], one["step"][far]))
            texts += [f"{value:.5g}" for value in one["y"][far].tolist()]
        if n:
            x = np.concatenate(xs)
            traces.append(
                {
                    "type": "scatter",
                    "name": f"{n:,}{' or more' if capped else ''} {side} the axis",
                    "mode": "markers",
                    "x": x,
                    "y": np.full(len(x), edge),
                    "customdata": texts,
                    "hovertemplate": f"%{{customdata}}, {side} the axis<extra></extra>",
                    "marker": {"symbol": symbol, "size": 9, "color": color["verdict"]},
                    "cliponaxis": False,
                }
            )
    return traces


def not_finite(axis: Axis, points: Points | None, y: float, color: dict[str, str]) -> list[Trace]:
    """Crosses where a number is nan or infinite."""
    if points is None or not points.not_finite:
        return []
    strange = ~np.isfinite(points["y"])
    epoch, step = points["epoch"][strange], points["step"][strange]
    return [
        {
            "type": "scatter",
            "name": f"{points.not_finite:,} not finite",
            "mode": "markers",
            "x": axis.at(epoch, step),
            "y": np.full(len(epoch), y),
            "customdata": [str(value) for value in points["y"][strange].tolist()],
            "hovertemplate": "%{customdata}<extra></extra>",
            "marker": {"symbol": "x", "size": 8, "color": color["verdict"]},
        }
    ]


VERDICTS = {
    "LP101": ("jump made by averaging", "circle-open"),
    "LP102": ("real jump", "star"),
    "LP103": ("jump, cause undecided", "diamond-open"),
}
"""Marks at the boundaries of epochs, by rule."""

OTHER = ("other findings", "triangle-down-open")


def marks(
    axis: Axis, found: list[tuple[str, int, float, str]], color: dict[str, str]
) -> list[Trace]:
    """Marks of findings: code, epoch, value and what to say of each."""
    by: dict[tuple[str, str], list[tuple[str, int, float, str]]] = {}
    for one in found:
        by.setdefault(VERDICTS.get(one[0], OTHER), []).append(one)
    traces = []
    for (label, symbol), rows in by.items():
        epoch = np.array([row[1] for row in rows], float)
        code = rows[0][0]
        traces.append(
            {
                "type": "scatter",
                "name": f"{code}: {label}" if code in VERDICTS else label,
                "mode": "markers",
                "x": axis.at(epoch, np.zeros(len(epoch))),
                "y": [row[2] for row in rows],
                "customdata": [[row[0], safe.figure(row[3], 400)] for row in rows],
                "hovertemplate": "%{customdata[0]} %{customdata[1]}<extra></extra>",
                "marker": {
                    "symbol": symbol,
                    "size": 13,
                    "color": color["verdict"],
                    "line": {"width": 2, "color": color["verdict"]},
                },
            }
        )
    return traces
