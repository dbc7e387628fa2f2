"""A finished run in, what really happened in it out: its batches, their means, its waiting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis


def read_truth(folder: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """``meta.json`` and ``truth.parquet`` of a run.

    Raises:
        SourceError: one of them is missing or damaged.
    """
    import polars as pl

    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        return meta, pl.read_parquet(folder / "truth.parquet")
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{folder}: its truth cannot be read: {reason}") from error


def waiting(truth: pl.DataFrame) -> float | None:
    """Share of the steps' time that was waiting for input; the first step builds the graph."""
    if truth.height < 2:
        return None
    rest = truth[1:]
    took = rest["end"].to_numpy() - rest["start"].to_numpy()
    return float(rest["wait"].to_numpy().sum() / took.sum())


def number_of_epochs(analysis: Analysis) -> dict[tuple[int, int], int]:
    """Number in the truth, from 1, of each run and epoch of an analysis."""
    pairs = analysis.epochs.select("run", "epoch").unique(maintain_order=True).rows()
    return {pair: i + 1 for i, pair in enumerate(pairs)}


def metrics_of(truth: pl.DataFrame) -> list[str]:
    """The loss and the metrics that were recorded."""
    from logparse.replay.recorder import COLUMNS

    return [name for name in truth.columns if name not in COLUMNS]


def by_epoch(truth: pl.DataFrame) -> dict[int, pl.DataFrame]:
    """The batches of each epoch of the truth."""
    return {int(key[0]): part for key, part in truth.group_by("epoch", maintain_order=True)}


def true_mean(truth: pl.DataFrame, metric: str, first: int, last: int) -> float:
    """Mean of the batches first..last, weighted by their sizes where those are known."""
    part = truth[first - 1 : last]
    sizes = part["size"].to_numpy() if part["size"].null_count() == 0 else None
    return float(np.average(part[metric].to_numpy(), weights=sizes))
