"""Every table of a comparison: its columns, their type, unit, meaning, and when they are null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logparse.tables import TABLES, Column, types_of

if TYPE_CHECKING:
    import polars as pl


def _c(name: str, kind: str, meaning: str, unit: str = "", null: str = "") -> Column:
    return Column(name, kind, meaning, unit, null)


_SIDE = _c("side", "int", "number of the side, from 1: the baseline")
_LOG = _c("log", "str", "name of the log")
_RUN = _c("run", "int", "number of the run in its log, from 1")
_EPOCH = _c("epoch", "int", "number of the epoch in its run, from 1")
_NO_INTERVAL = "fewer than three steady epochs, and not several runs"

RAW_EPOCHS: tuple[Column, ...] = (
    _LOG,
    _RUN,
    _EPOCH,
    _c("steps", "int", "steps done"),
    _c("of", "int", "steps of a whole epoch", null="length unknown"),
    _c("complete", "bool", "its last line is in the log"),
    _c("seconds", "float", "duration, validation included", "s", "no time shown"),
    _c("seconds_low", "float", "lower bound from rounding", "s", "no time shown"),
    _c("seconds_high", "float", "upper bound from rounding", "s", "no bound from above"),
    _c("step_seconds", "float", "time a training step after the first", "s", "no time shown"),
)
"""What is kept of an epoch to compare it, also in a baseline file."""

RAW_METRICS: tuple[Column, ...] = (
    _LOG,
    _RUN,
    _EPOCH,
    _c("metric", "str", "name as printed"),
    _c(
        "value",
        "float",
        "value of the epoch: as printed, or rebuilt where that is wrong",
        null="printed as nan or inf",
    ),
    _c("rebuilt", "bool", "the printed value is wrong, this is the rebuilt mean of the epoch"),
)
"""What is kept of a metric to compare it, also in a baseline file."""

COMPARISON: dict[str, tuple[Column, ...]] = {
    "sides": (
        _SIDE,
        _c("name", "str", "what was given: a file, a folder, a glob, a baseline file"),
        _c("logs", "int", "logs read"),
        _c("runs", "int", "training runs with at least one steady epoch"),
        _c("epochs", "int", "steady epochs, those of all runs together"),
        _c("warmup", "int", "warm-up epochs left out, of the run with the most"),
        _c("steps", "int", "steps of an epoch", null="unknown"),
        _c("epoch_seconds", "float", "steady time of an epoch", "s", "no time shown"),
        _c("epoch_low", "float", "95 % lower bound", "s", _NO_INTERVAL),
        _c("epoch_high", "float", "95 % upper bound", "s", _NO_INTERVAL),
        _c("step_seconds", "float", "epoch_seconds over steps", "s", "no time or no steps shown"),
        _c(
            "train_step_seconds",
            "float",
            "median time of a training step, without first step and validation",
            "s",
            "not shown",
        ),
        _c("first_seconds", "float", "time of the first epoch", "s", "not in the logs"),
        _c(
            "overhead_seconds",
            "float",
            "first_seconds minus epoch_seconds: what the warm-up costs",
            "s",
            "no first epoch, or only that",
        ),
        _c("overhead_low", "float", "lower bound", "s", "not known"),
        _c("overhead_high", "float", "upper bound", "s", "not known"),
        _c("slow_epochs", "int", "single slow epochs left out (LP201)"),
        _c("slow_seconds", "float", "time lost in them", "s"),
    ),
    "ratios": (
        _SIDE,
        _c("quantity", "str", "what is compared: the time of an epoch or of a step"),
        _c("ratio", "float", "time of this side over that of the baseline: 1.27 is 27 % slower"),
        _c("low", "float", "95 % lower bound", null="one side has no interval"),
        _c("high", "float", "95 % upper bound", null="one side has no interval"),
        _c("verdict", "str", "slower, faster, same (to within 5 %) or unsure"),
        _c("limit", "float", "ratio above which this side counts as slower"),
        _c(
            "slower_share",
            "float",
            "chance that one of its epochs (runs, in a group) takes longer than one of the "
            "baseline, ties counted half: Vargha and Delaney's A",
        ),
        _c(
            "hedges_g",
            "float",
            "difference of the means in pooled standard deviations: Hedges' g",
            null="fewer than two values a side, or no spread",
        ),
        _c("n_baseline", "int", "steady epochs of the baseline, or its runs where it has several"),
        _c("n", "int", "steady epochs of this side, or its runs where it has several"),
        _c(
            "more",
            "int",
            "about how many more of them on each side would settle an unsure verdict",
            null="settled, or more would not settle it",
        ),
    ),
    "totals": (
        _SIDE,
        _c("epochs", "int", "epochs counted"),
        _c("seconds", "float", "time they take", "s"),
        _c("low", "float", "lower bound", "s", _NO_INTERVAL),
        _c("high", "float", "upper bound", "s", _NO_INTERVAL),
        _c("measured", "bool", "added up from the logs; else warm-up plus steady epochs"),
    ),
    "overtakes": (
        _SIDE,
        _c("other", "int", "number of the side that it is faster than in the long run"),
        _c("epoch", "int", "epoch at whose end it is ahead in total time, and stays so"),
        _c("low", "int", "earliest such epoch within the 95 % bounds", null=_NO_INTERVAL),
        _c("high", "int", "latest such epoch within the bounds", null="perhaps never"),
    ),
    "metrics": (
        _c("metric", "str", "name as printed"),
        _c("at", "str", "what is equal on all sides: epoch, step or time"),
        _c("place", "float", "the epoch, total steps or seconds up to which each side is read"),
        _SIDE,
        _c("epoch", "int", "last epoch finished by then, the earliest of its runs"),
        _c("value", "float", "value of that epoch, the mean over runs", null="nan or inf"),
        _c("low", "float", "95 % lower bound of the mean over runs", null="one run"),
        _c("high", "float", "95 % upper bound of the mean over runs", null="one run"),
        _c("runs", "int", "runs behind it"),
        _c("rebuilt", "bool", "the printed value is wrong, this is the rebuilt mean of the epoch"),
    ),
    "epochs": (
        _SIDE,
        *RAW_EPOCHS,
        _c("use", "str", "steady, warm-up, slow, other length, cut short or no time"),
        _c("total_steps", "int", "steps done since the log's first epoch of the run"),
        _c("total_seconds", "float", "seconds of all epochs up to here", "s", "a time is unknown"),
    ),
    "curves": (_SIDE, *RAW_METRICS),
    "notes": (
        _c("side", "int", "number of the side", null="about all"),
        _c("text", "str", "what to know when reading the numbers"),
    ),
    "findings": (
        _SIDE,
        *(column for column in TABLES["findings"]),
    ),
}
"""Tables of a comparison by name."""


def table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A table of a comparison from its rows; a column that a row lacks is null."""
    return from_rows(COMPARISON[name], rows)


def from_rows(columns: tuple[Column, ...], rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A table of these columns from its rows.

    Raises:
        TypeError: a value is not of its column's type.
    """
    import polars as pl

    return pl.DataFrame(
        [
            pl.Series(name, [row.get(name) for row in rows], dtype=kind)
            for name, kind in types_of(columns).items()
        ]
    )
