"""A replayed run in, a figure out: what was shown, what logparse makes of it, and the truth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from logparse.errors import UsageError
from logparse.reading.records import Floats
from logparse.replay.scoring import read_truth
from logparse.reports.palette import COLORS, Theme, template

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

POINTS = 1500
"""Batches drawn one by one at most; of more, means of as many as it takes."""


def truth_figure(
    folder: str | os.PathLike[str], metric: str = "loss", *, theme: Theme = "light"
) -> go.Figure:
    """One metric of one run, batch after batch: shown, rebuilt with its 95 % band, and true.

    Args:
        folder: a folder that ``run`` made.
        metric: a loss or metric that was recorded.
        theme: ``light`` or ``dark``.

    Raises:
        SourceError: the folder holds no finished run.
        UsageError: the metric was not recorded.
    """
    import plotly.graph_objects as go

    from logparse.analysis import analyze

    path = Path(folder)
    meta, truth = read_truth(path)
    known = [name for name in truth.columns if name in meta["epochs"][0].get("logs", {})]
    if metric not in known:
        raise UsageError(f"{path}: no {metric!r} was recorded; there are {', '.join(known)}")
    analysis = analyze(path / "train.log", sha256=False)
    color = COLORS[theme]
    ends = np.cumsum([0, *truth.group_by("epoch", maintain_order=True).len()["len"].to_list()])
    figure = go.Figure()
    x, y, size = _thinned(truth[metric].to_numpy())
    label = "true batches" if size == 1 else f"true, means of {size} batches"
    figure.add_scatter(
        x=x, y=y, mode="markers", name=label, marker={"size": 4, "color": color["mark"]}
    )
    rows = analysis.batches.filter(analysis.batches["metric"] == metric)
    updates = analysis.updates.filter(analysis.updates[metric].is_not_null())
    for i, part in enumerate(rows.partition_by("epoch", maintain_order=True)):
        middle = _middles(rows, ends)[rows["epoch"].to_numpy() == part["epoch"][0]]
        figure.add_scatter(
            x=[*middle, *middle[::-1]],
            y=[*part["estimate_high"], *part["estimate_low"][::-1]],
            fill="toself",
            fillcolor=color["band"],
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name="95 % band",
            legendgroup="band",
            showlegend=i == 0,
        )
    for name, table, column, key in (
        ("shown", updates, metric, "shown"),
        ("rebuilt", rows, "estimate", "rebuilt"),
    ):
        places = _places(table, ends) if name == "shown" else _middles(table, ends)
        figure.add_scatter(
            **_broken(places, table, column),
            mode="lines",
            name=name,
            line={"color": color[key], "width": 2},
        )
    for end in ends[1:-1]:
        figure.add_vline(x=int(end) + 0.5, line={"color": color["muted"], "dash": "dot"})
    figure.update_layout(
        template=template(theme),
        title=f"{meta['scenario']}/{meta['variant']}, {meta['scale']}",
        xaxis_title="batches since training began; dotted lines are ends of epochs",
        yaxis_title=metric,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        margin={"t": 90},
    )
    return figure


def _thinned(values: Floats) -> tuple[Floats, Floats, int]:
    """Places and means of groups of batches, and how many are in one."""
    size = -(-len(values) // POINTS)
    whole = len(values) // size * size
    means = np.asarray(values[:whole].reshape(-1, size).mean(1), np.float64)
    places = np.arange(len(means), dtype=np.float64) * size + (size + 1) / 2
    return np.asarray(places, np.float64), means, size


def _places(table: pl.DataFrame, ends: Floats) -> Floats:
    """Batches since training began, of updates."""
    numbers = table["epoch"].rank("dense").to_numpy().astype(int) - 1
    return np.asarray(ends[np.minimum(numbers, len(ends) - 1)] + table["step"].to_numpy())


def _middles(table: pl.DataFrame, ends: Floats) -> Floats:
    """The same of intervals: their middles."""
    half = (table["step"].to_numpy() - table["first_step"].to_numpy()) / 2
    return np.asarray(_places(table, ends) - half)


def _broken(places: Floats, table: pl.DataFrame, column: str) -> dict[str, list[float | None]]:
    """A line that is broken between epochs."""
    x: list[float | None] = []
    y: list[float | None] = []
    epoch = None
    rows = zip(places.tolist(), table[column].to_list(), table["epoch"].to_list(), strict=True)
    for place, value, number in rows:
        if epoch is not None and number != epoch:
            x.append(place)
            y.append(None)
        x.append(place)
        y.append(value)
        epoch = number
    return {"x": x, "y": y}


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
    import plotly.graph_objects as go

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
    figure = go.Figure()
    for part, color in PARTS.items():
        figure.add_bar(
            x=[names, labels], y=parts[part], name=part, marker={"color": COLORS[theme][color]}
        )
    figure.update_layout(
        barmode="stack",
        template=template(theme),
        title=f"{meta['scenario']}, {meta['scale']}: seconds an epoch, as measured",
        xaxis_title="epoch",
        yaxis_title="seconds",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        margin={"t": 90},
    )
    return figure
