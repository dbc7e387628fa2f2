"""A replayed run in, figures out: what was shown, what logparse makes of it, and the truth."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from logparse.errors import LogparseError, UsageError
from logparse.reading.records import Floats
from logparse.replay.truth import metrics_of, number_of_epochs, read_truth
from logparse.reports.drawing import single
from logparse.reports.drawing.axes import axis
from logparse.reports.drawing.frame import run_of
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.drawing.traces import Trace
from logparse.reports.palette import COLORS, Theme

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

    from logparse.analysis import Analysis

POINTS = 1500
"""Batches drawn one by one at most; of more, means of as many as it takes."""

WIDTH, HEIGHT = 900, 420
"""Pixels of a picture, before it is drawn twice as fine."""


def truth_figure(
    folder: str | os.PathLike[str], metric: str = "loss", *, theme: Theme = "light"
) -> go.Figure:
    """One metric of one run: shown, rebuilt with its 95 % band, and true.

    Args:
        folder: a folder that ``run`` made.
        metric: a loss or metric that was recorded.
        theme: ``light`` or ``dark``.

    Raises:
        SourceError: the folder holds no finished run.
        UsageError: the metric was not recorded.
    """
    from logparse.analysis import analyze

    path = Path(folder)
    meta, truth = read_truth(path)
    known = metrics_of(truth)
    if metric not in known:
        raise UsageError(f"{path}: no {metric!r} was recorded; there are {', '.join(known)}")
    sheet = truth_sheet(analyze(path / "train.log", sha256=False), truth, metric, theme=theme)
    title = f"{metric}: {meta['scenario']}/{meta['variant']}, {meta['scale']}"
    sheet.layout["title"]["text"] = title
    return sheet.figure()


def picture(figure: go.Figure) -> bytes:
    """A figure as PNG.

    Raises:
        LogparseError: kaleido is not installed, or finds no Chrome or Chromium.
    """
    if importlib.util.find_spec("kaleido") is None:
        raise LogparseError("pictures need kaleido: pip install 'logparse[replay]'")
    try:
        return bytes(figure.to_image("png", width=WIDTH, height=HEIGHT, scale=2))
    except (RuntimeError, ValueError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LogparseError(
            f"no picture could be drawn: {reason}; a page (.html) needs no browser to be made"
        ) from error


def truth_sheet(
    analysis: Analysis, truth: pl.DataFrame, metric: str, *, theme: Theme = "light"
) -> Sheet:
    """The curve of one metric as any report draws it, over its true batches."""
    sheet = single.curves(analysis, metric, points=POINTS, theme=theme)
    run = run_of(analysis, None)
    # Of each batch: run, epoch of the analysis, steps done in the middle of it.
    numbers = {i: key for key, i in number_of_epochs(analysis).items() if key[0] == run}
    part = truth.filter(truth["epoch"].is_in(list(numbers)))
    epochs = np.array([numbers[i][1] for i in part["epoch"].to_list()], float)
    place = axis(analysis, run, "epoch")
    x, y, size = _thinned(
        np.asarray(place.at(epochs, part["step"].to_numpy() - 0.5), float),
        part[metric].to_numpy(),
    )
    label = "true batches" if size == 1 else f"true, means of {size} batches"
    dots: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": x,
        "y": y,
        "hovertemplate": f"{label} %{{y:.5~g}}<extra></extra>",
        "marker": {"size": 4, "color": COLORS[theme]["unknown"]},
    }
    sheet.data.insert(0, dots)
    fence = sheet.layout["yaxis"].get("range")
    if fence:
        sheet.layout["yaxis"]["range"] = [min(fence[0], y.min()), max(fence[1], y.max())]
    return sheet


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats, int]:
    """Means of groups of neighbouring batches, and how many are in one."""
    size = max(-(-len(y) // POINTS), 1)
    whole = len(y) // size * size
    means = [np.asarray(v[:whole].reshape(-1, size).mean(1), np.float64) for v in (x, y)]
    return means[0], means[1], size


PARTS = {
    "before the first step": "gap",
    "first step": "first step",
    "computing": "training",
    "waiting": "shown",
    "rest": "unknown",
}
"""Where an epoch's time goes, and the colour of each."""


def time_figure(folders: Sequence[str | os.PathLike[str]], *, theme: Theme = "light") -> go.Figure:
    """True seconds of every epoch of several runs, split into where they went.

    Args:
        folders: folders that ``run`` made.
        theme: ``light`` or ``dark``.

    Raises:
        SourceError: a folder holds no finished run.
    """
    return time_sheet(folders, theme=theme).figure()


def time_sheet(folders: Sequence[str | os.PathLike[str]], *, theme: Theme = "light") -> Sheet:
    """As ``time_figure``, as plain values."""
    names: list[str] = []
    labels: list[str] = []
    parts: dict[str, list[float]] = {part: [] for part in PARTS}
    for folder in map(Path, folders):
        meta, truth = read_truth(folder)
        for epoch in meta["epochs"]:
            rows = truth.filter(truth["epoch"] == epoch["epoch"])
            took = (rows["end"] - rows["start"]).to_numpy()
            waited = rows["wait"].to_numpy()
            names.append(meta["variant"])
            labels.append(str(epoch["epoch"]))
            # Here the data starts anew: its threads, a shuffle buffer, a first peek.
            before = float(rows["start"][0]) - epoch["begin"]
            parts["before the first step"].append(before)
            parts["first step"].append(float(took[0]))
            parts["waiting"].append(float(waited[1:].sum()))
            parts["computing"].append(float((took - waited)[1:].sum()))
            rest = epoch["end"] - epoch["begin"] - before - took.sum()
            parts["rest"].append(rest)
    bars: list[Trace] = [
        {
            "type": "bar",
            "name": part,
            "x": [names, labels] if len(folders) > 1 else labels,
            "y": parts[part],
            "marker": {"color": COLORS[theme][color]},
        }
        for part, color in PARTS.items()
    ]
    what = meta["scenario"] if len(folders) > 1 else f"{meta['scenario']}/{meta['variant']}"
    return Sheet(
        bars,
        {
            "barmode": "stack",
            "title": {"text": f"{what}, {meta['scale']}: seconds an epoch, as measured"},
            "xaxis": {
                "title": {"text": "epoch"},
                "type": "multicategory" if len(folders) > 1 else "category",
            },
            "yaxis": {"title": {"text": "seconds"}},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
            "margin": {"l": 64, "r": 24, "t": 90, "b": 64},
        },
        theme,
    )
