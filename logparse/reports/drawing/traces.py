"""One metric of one run in, the traces of its curve out, with the marks on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.reports import safe, words
from logparse.reports.columns import Picked
from logparse.reports.drawing.axes import Axis
from logparse.reports.drawing.thinning import TAIL, Points, pieces, thin

FEW_EPOCHS = 100
"""Epochs up to which lines are broken between them."""

MARKED = 40
"""Epochs up to which each has its markers and error bars: more would hide the lines."""

FEW_POINTS = 400
"""Points up to which a rebuilt value is drawn over the whole interval that it is the mean of."""

SPARSE = 5
"""Points of an epoch up to which each has its marker."""

DENSE = 0.55
"""Opacity of a line of many points, which covers what is behind it."""

FENCE = 2.0
"""Values further from where most lie than this many times their range are marked at the edge."""

Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fence:
    """Where the vertical axis ends; values beyond are marked at its edge."""

    low: float
    high: float


FAR = 0.005
"""Share of the values that may lie beyond the axis; of more, none does."""


def fence(parts: list[Points], numbers: list[Floats]) -> Fence | None:
    """Fences where a few values are so far off that they would flatten the rest; else None.

    Most values are those from the 2nd to the 98th hundredth.
    """
    values = np.concatenate([part.sample for part in parts] + numbers)
    values = values[np.isfinite(values)]
    if len(values) < 5:
        return None
    values.sort()
    # As np.quantile does, which takes many times longer to begin.
    low, high = np.interp(
        np.array([0.02, 0.98]) * (len(values) - 1), np.arange(len(values)), values
    )
    width = max(high - low, 1e-9 * max(abs(low), abs(high)), 1e-300)
    least = float(min([values[0], *(part.low[0] for part in parts if len(part.low))]))
    most = float(max([values[-1], *(part.high[-1] for part in parts if len(part.high))]))
    below, above = float(low - FENCE * width), float(high + FENCE * width)
    # Single values may be off in a short series, too.
    few = [max(2, min(FAR * part.total, TAIL - 1)) for part in parts]
    far = [part.beyond(below, above) for part in parts]
    if any(one[0] > n for one, n in zip(far, few, strict=True)):
        below = least
    if any(one[1] > n for one, n in zip(far, few, strict=True)):
        above = most
    if least >= below and most <= above:
        return None
    pad = 0.06 * width
    return Fence(below if least < below else least - pad, above if most > above else most + pad)


def broken(columns: list[Any], breaks: Floats) -> list[Any]:
    """The columns, of floats or dates, with a gap (nan) wherever ``breaks`` changes."""
    cuts = np.flatnonzero(breaks[1:] != breaks[:-1]) + 1
    if not len(cuts):
        return columns
    gaps = cuts + np.arange(len(cuts))
    rows = np.ones(len(breaks) + len(cuts), np.int64)
    rows[gaps] = 0
    rows = np.cumsum(rows) - 1
    return [_with_gaps(column, rows, gaps) for column in columns]


def _with_gaps(column: Any, rows: Ints, gaps: Ints) -> Any:
    column = column[rows]
    column[gaps] = np.datetime64("NaT") if column.dtype.kind == "M" else np.nan
    return column


def alternating(first: Floats, second: Floats) -> Floats:
    """One of the first, one of the second, and so on."""
    out = np.empty(2 * len(first))
    out[::2], out[1::2] = first, second
    return out


def line(axis: Axis, points: Points, label: str, color: str) -> Trace:
    """A line through the points, broken between epochs where there are few of them."""
    epoch, step, y = points["epoch"], points["step"], points["y"]
    x, places = axis.at(epoch, step), _places(epoch, step)
    epochs = int(np.count_nonzero(epoch[1:] != epoch[:-1])) + 1
    alone = epochs == len(epoch)
    if not alone and len(axis.epochs) <= FEW_EPOCHS:
        x, y, places = broken([x, y, places], epoch)
    # A line through two or three places of an epoch may be too short to see.
    sparse = len(y) <= SPARSE * epochs and epochs <= FEW_EPOCHS
    mode = "lines+markers" if sparse else "lines"
    return {
        "type": "scatter",
        "name": label,
        "mode": mode,
        "x": x,
        "y": y,
        "customdata": places,
        "hovertemplate": _hover(label),
        "line": {"color": color, "width": 2 if len(epoch) <= FEW_POINTS else 1.5},
        "marker": {"color": color, "size": 6},
    }


def _places(*columns: Floats) -> np.ndarray:
    """[n, k] epoch, step and what else the hover text says of each point."""
    out = np.empty((len(columns[0]), len(columns)), np.float32)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out


def _hover(label: str, value: str = "%{y:.5~g}") -> str:
    place = "epoch %{customdata[0]:.0f}, batch %{customdata[1]:,.0f}"
    return f"{label} {value}<br>{place}<extra></extra>"


def rebuilt(axis: Axis, points: Points, color: dict[str, str]) -> list[Trace]:
    """The batch values with their 95 % band; with the hard bounds where nothing was smoothed."""
    return Stairs.of(points).traces(axis, "batches, rebuilt", "%{y:.5~g}", color)


@dataclass(frozen=True, slots=True)
class Stairs:
    """Values that hold for stretches of steps, with their bounds. [n] each."""

    epoch: Floats
    first: Floats
    """Steps done where the stretch begins."""
    step: Floats
    """Steps done where it ends."""
    y: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, points: Points) -> Stairs:
        """Those whose columns have the names of the fields."""
        return cls(*(points[name] for name in cls.__slots__))

    def traces(self, axis: Axis, label: str, value: str, color: dict[str, str]) -> list[Trace]:
        """A band and a line; ``value`` is the template of the value in the hover text."""
        order = np.lexsort((self.step, self.epoch))
        epoch, first, step = self.epoch[order], self.first[order], self.step[order]
        y, low, high = self.y[order], self.low[order], self.high[order]
        few = len(y) <= FEW_POINTS
        if few:
            step = alternating(first, step)
            epoch, y, low, high = (np.repeat(column, 2) for column in (epoch, y, low, high))
        x = axis.at(epoch, step)
        breaks = epoch if len(axis.epochs) <= FEW_EPOCHS else np.zeros(len(epoch))
        band_x, band_y = _band(x, low, high, breaks)
        x, y, places = broken([x, y, _places(epoch, step)], breaks)
        band: Trace = {
            "type": "scatter",
            "name": f"{label}: bounds",
            "mode": "lines",
            "x": band_x,
            "y": band_y,
            "fill": "toself",
            "fillcolor": color["band"],
            "line": {"width": 0},
            "hoverinfo": "skip",
            "legendgroup": label,
            "showlegend": False,
        }
        line: Trace = {
            "type": "scatter",
            "name": label,
            "legendgroup": label,
            "mode": "lines",
            "x": x,
            "y": y,
            "customdata": places,
            "hovertemplate": _hover(label, value),
            "line": {"color": color["rebuilt"], "width": 1},
            "opacity": 1 if few else DENSE,
        }
        return [band, line]


def _band(x: Any, low: Floats, high: Floats, breaks: Floats) -> tuple[Any, Floats]:
    """The outline of a band, one closed piece for each stretch of equal ``breaks``."""
    xs: list[Any] = []
    ys: list[Any] = []
    gap = np.array([np.datetime64("NaT") if x.dtype.kind == "M" else np.nan], x.dtype)
    known = np.isfinite(low) & np.isfinite(high)
    for part in pieces(np.where(known, breaks, -1)):
        if known[part.start]:
            xs += [x[part], x[part][::-1], gap]
            ys += [high[part], low[part][::-1], [np.nan]]
    if not xs:
        return x[:0], high[:0]
    return np.concatenate(xs[:-1]), np.concatenate(ys[:-1])


def level(axis: Axis, rows: Picked, color: dict[str, str]) -> list[Trace]:
    """Where the network stood at both ends of each epoch, with error bars of 95 %."""
    rows = rows.take(np.isfinite(rows["end"]) & (rows["end_high"] > rows["end_low"]))
    if not len(rows):
        return []
    rows = rows.take(thin(rows["end"], FEW_POINTS))
    epoch = rows["epoch"]
    done = axis.done[np.searchsorted(axis.epochs, epoch)]
    step = alternating(np.zeros(len(done)), done)
    y, low, high = (
        alternating(rows[f"start{part}"], rows[f"end{part}"]) for part in ("", "_low", "_high")
    )
    both = np.repeat(epoch, 2)
    x = axis.at(both, step)
    few = len(axis.epochs) <= MARKED
    breaks = both if len(axis.epochs) <= FEW_EPOCHS else np.zeros(len(both))
    places = _places(both, step, low, high)
    x, y, low, high, places = broken([x, y, low, high, places], breaks)
    label = "where the network stood"
    trace: Trace = {
        "type": "scatter",
        "name": label,
        "mode": "lines+markers" if few else "lines",
        "x": x,
        "y": y,
        "customdata": places,
        "hovertemplate": _hover(
            label, "%{y:.4~g}, 95 % sure: %{customdata[2]:.4~g} to %{customdata[3]:.4~g}"
        ),
        # Only the ends are known: between them the line just leads the eye.
        "line": {"color": color["level"], "width": 2, "dash": "dash" if few else "solid"},
        "marker": {"color": color["level"], "size": 7},
    }
    if few:
        bars = {"array": high - y, "arrayminus": y - low, "symmetric": False}
        trace["error_y"] = bars | {"color": color["level"], "thickness": 1.5, "width": 5}
    return [trace]


def validation(axis: Axis, rows: Picked, label: str, color: dict[str, str]) -> list[Trace]:
    """Validation values at the ends of their epochs."""
    rows = rows.take(rows.there("shown"))
    if not len(rows):
        return []
    rows = rows.take(thin(rows["shown"], FEW_POINTS))
    epoch = rows["epoch"]
    done = axis.done[np.searchsorted(axis.epochs, epoch)]
    return [
        {
            "type": "scatter",
            "name": "validation, as shown",
            "mode": "lines+markers" if len(epoch) <= MARKED else "lines",
            "x": axis.at(epoch, done),
            "y": rows["shown"],
            "customdata": _places(epoch, done),
            "hovertemplate": _hover(label),
            "line": {"color": color["validation"], "width": 1.5, "dash": "dot"},
            "marker": {"color": color["validation"], "size": 8, "symbol": "square"},
        }
    ]


def beyond(axis: Axis, points: list[Points], edges: Fence, color: dict[str, str]) -> list[Trace]:
    """Marks at the edge of the axis for values beyond it, with their number in the legend."""
    traces = []
    for side, edge, symbol in (
        ("above", edges.high, "triangle-up"),
        ("below", edges.low, "triangle-down"),
    ):
        n = sum(one.beyond(edges.low, edges.high)[side == "above"] for one in points)
        if not n:
            continue
        xs, values = [], []
        for one in points:
            far = one["y"] > edge if side == "above" else one["y"] < edge
            xs.append(axis.at(one["epoch"][far], one["step"][far]))
            values.append(one["y"][far])
        x = np.concatenate(xs)
        traces.append(
            {
                "type": "scatter",
                "name": f"{words.count(n, 'value')} {side} the axis",
                "mode": "markers",
                "x": x,
                "y": np.full(len(x), edge),
                "customdata": np.concatenate(values),
                "hovertemplate": f"%{{customdata:.5~g}}, {side} the axis<extra></extra>",
                "marker": {"symbol": symbol, "size": 10, "color": color["verdict"]},
                "cliponaxis": False,
            }
        )
    return traces


def not_finite(axis: Axis, points: Points, y: float, color: dict[str, str]) -> list[Trace]:
    """Crosses where a number is nan or infinite."""
    strange = ~np.isfinite(points["y"])
    epoch, step = points["epoch"][strange], points["step"][strange]
    return [
        {
            "type": "scatter",
            "name": f"{words.count(points.not_finite, 'value')} not finite",
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
                "y": np.array([row[2] for row in rows], float),
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
