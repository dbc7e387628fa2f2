"""Every table of an analysis: its columns, their type, unit, meaning, and when they are null."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import polars as pl


Columns = dict[str, list[Any]]


class Column(NamedTuple):
    """One column: its name, kind, meaning and, if it can be null, when.

    ``kind`` is one of ``int``, ``float``, ``bool``, ``str``. ``unit`` is empty for a pure number.
    """

    name: str
    kind: str
    meaning: str
    unit: str = ""
    null: str = ""


def _c(name: str, kind: str, meaning: str, unit: str = "", null: str = "") -> Column:
    return Column(name, kind, meaning, unit, null)


_RUN = _c("run", "int", "number of the run in the log, from 1")
_RUN_OR_NONE = _c("run", "int", "number of the run, from 1", null="before the first run")
_EPOCH = _c("epoch", "int", "number of the epoch, from 1, counting on through outer loops")
_EPOCH_OR_NONE = _c("epoch", "int", "number of the epoch, from 1", null="about the whole run")
_METRIC = _c("metric", "str", "name as printed")
_LINE = _c("line", "int", "line of the log, from 1")

TABLES: dict[str, tuple[Column, ...]] = {
    "runs": (
        _RUN,
        _c("reader", "str", "reader that read it"),
        _c("keras", "str", "Keras versions that the text allows", null="nothing narrows it"),
        _c("law", "str", "law of the shown averages", null="undecided"),
        _c("law_reason", "str", "what in the log decides the law"),
        _c("channel", "str", "prefix that marks this worker's lines", null="lines carry none"),
        _c("epochs", "int", "epochs with at least one update or a last line"),
        _c("of", "int", "epochs announced", null="no header"),
        _c("steps_per_epoch", "int", "steps of a whole epoch", null="unknown or changing"),
        _c("batch_size", "int", "samples in a batch", null="unknown"),
        _c("samples", "int", "training samples", null="unknown"),
        _c("first_line", "int", "first line of the run"),
        _c("last_line", "int", "last line of the run"),
        _c("started", "float", "first timestamp, seconds since 1970 UTC", "s", "no clock"),
    ),
    "updates": (
        _RUN,
        _EPOCH,
        _c("step", "int", "batches done when this was shown"),
        _c("of", "int", "steps of the epoch", null="length unknown"),
        _c("samples", "int", "samples done, as shown", null="the bar counts steps"),
        _c("final", "bool", "last line of the epoch"),
        _c("elapsed", "float", "when it was drawn, since the epoch began", "s", "no time shown"),
        _c("elapsed_low", "float", "lower bound of that", "s", "no time shown"),
        _c("elapsed_high", "float", "upper bound of that", "s", "no bound from above"),
        _LINE,
        _c("byte", "int", "offset of its first byte"),
    ),
    "epochs": (
        _RUN,
        _EPOCH,
        _c("label", "str", "epoch as printed, like 1/3", null="no header"),
        _c("steps", "int", "steps done"),
        _c("of", "int", "steps of a whole epoch", null="length unknown"),
        _c("updates", "int", "updates shown, the last line included"),
        _c("complete", "bool", "its last line is in the log"),
        _c("seconds", "float", "duration, validation included", "s", "no time shown"),
        _c("seconds_low", "float", "lower bound", "s", "no time shown"),
        _c("seconds_high", "float", "upper bound", "s", "no bound from above"),
        _c("step_seconds", "float", "time a step after the first", "s", "no time shown"),
        _c(
            "late_step_seconds",
            "float",
            "time a step over the second half of the epoch",
            "s",
            "not shown",
        ),
        _c("first_step_seconds", "float", "time of the first step", "s", "not shown"),
        _c(
            "validation_seconds",
            "float",
            "time from the last batch to the last line",
            "s",
            "no validation, or not shown",
        ),
        _c("began", "float", "timestamp of its header, seconds since 1970 UTC", "s", "no clock"),
        _c("ended", "float", "timestamp of its last line, seconds since 1970 UTC", "s", "no clock"),
        _c("first_line", "int", "first line"),
        _c("last_line", "int", "last line"),
    ),
    "metrics": (
        _RUN,
        _EPOCH,
        _METRIC,
        _c("shown", "float", "value on the last line", null="epoch has no last line"),
        _c("before", "float", "last value shown before the last line", null="only a last line"),
        _c("mean", "float", "true mean of the epoch", null="cannot be told"),
        _c("mean_low", "float", "lower bound of mean", null="cannot be told"),
        _c("mean_high", "float", "upper bound of mean", null="cannot be told"),
        _c("first", "float", "first value shown in the epoch", null="only a last line"),
        _c("first_step", "int", "step of that value", null="only a last line"),
        _c(
            "start",
            "float",
            "level of the batch values where the epoch starts",
            null="too few updates",
        ),
        _c("start_low", "float", "95 % lower bound of start", null="too few updates"),
        _c("start_high", "float", "95 % upper bound of start", null="too few updates"),
        _c(
            "end", "float", "level of the batch values where the epoch ends", null="too few updates"
        ),
        _c("end_low", "float", "95 % lower bound of end", null="too few updates"),
        _c("end_high", "float", "95 % upper bound of end", null="too few updates"),
        _c(
            "noise",
            "float",
            "standard deviation of one batch about the level",
            null="too few updates",
        ),
        _c(
            "freedom",
            "float",
            "degrees of freedom of the bands of start and end (Student's distribution)",
            null="too few updates",
        ),
    ),
    "batches": (
        _RUN,
        _EPOCH,
        _METRIC,
        _c("first_step", "int", "first batch of the interval"),
        _c("step", "int", "last batch of the interval"),
        _c(
            "value",
            "float",
            "mean of the batches first_step..step, exact inverse",
            null="the law allows no inverse",
        ),
        _c(
            "low",
            "float",
            "hard lower bound of value, from rounding alone",
            null="the law allows no inverse",
        ),
        _c(
            "high",
            "float",
            "hard upper bound of value, from rounding alone",
            null="the law allows no inverse",
        ),
        _c("estimate", "float", "smoothed mean of the batches", null="too few updates"),
        _c("estimate_low", "float", "95 % lower bound of the true mean", null="too few updates"),
        _c("estimate_high", "float", "95 % upper bound of the true mean", null="too few updates"),
    ),
    "findings": (
        _c("code", "str", "rule that fired, like LP201"),
        _c("severity", "str", "info, warning or error"),
        _RUN_OR_NONE,
        _EPOCH_OR_NONE,
        _c("metric", "str", "metric concerned", null="none in particular"),
        _c("line", "int", "line to look at", null="the whole log"),
        _c("message", "str", "what was found, in plain words"),
        _c("value", "float", "the number judged", null="not a number"),
        _c("baseline", "float", "what it is compared with", null="nothing to compare"),
        _c("threshold", "float", "where the rule fires", null="fires always"),
        _c("n", "int", "observations behind the judgement", null="not counted"),
        _c("advice", "str", "what to do next"),
    ),
    "unjudged": (
        _c("code", "str", "rule that says nothing about the run"),
        _RUN,
        _c("reason", "str", "what it lacks"),
    ),
    "messages": (
        _RUN_OR_NONE,
        _c("epoch", "int", "epoch it was printed in", null="before the first epoch"),
        _c("kind", "str", "what printed it, like checkpoint"),
        _LINE,
        _c("text", "str", "text as printed"),
    ),
    "rejects": (
        _c("line", "int", "line of the log, from 1", null="a record of an event file"),
        _c("file", "str", "file of the run that it is in", null="the log is one file"),
        _c("start", "int", "offset of its first byte, in that file"),
        _c("end", "int", "offset after its last byte"),
        _c("kind", "str", "why it could not be read"),
        _c("excerpt", "str", "its beginning"),
    ),
    "tags": (
        _c("part", "str", "train or validation", null="the run has no such parts"),
        _c("tag", "str", "name of the scalar, as written"),
        _c("n", "int", "values"),
        _c("first_step", "int", "step of the first value"),
        _c("last_step", "int", "step of the last value"),
        _c("first", "float", "first value", null="not finite"),
        _c("last", "float", "last value", null="not finite"),
        _c("least", "float", "least finite value", null="none is finite"),
        _c("greatest", "float", "greatest finite value", null="none is finite"),
        _c("not_finite", "int", "values that are nan or infinite"),
        _c("started", "float", "wall time of the first value, seconds since 1970 UTC", "s"),
        _c("ended", "float", "wall time of the last value", "s"),
    ),
    "scalars": (
        _c("file", "str", "event file, below the folder of the run"),
        _c("part", "str", "train, validation or empty"),
        _c("segment", "int", "number of the file among those of its part; see --restarts"),
        _c("order", "int", "place among the scalars of its file, from 0"),
        _c("byte", "int", "offset of its record in the file"),
        _c("wall_time", "float", "when it was written, seconds since 1970 UTC", "s"),
        _c("step", "int", "step as written; no key: a later fit may count from 1 again"),
        _c("tag", "str", "name as written"),
        _c("value", "float", "value, exactly; float32 widened"),
        _c("dtype", "str", "type of the number in the file"),
    ),
    "agreement": (
        _RUN,
        _EPOCH,
        _c("metric", "str", "metric compared", null="the steps of the epoch are"),
        _c("text_low", "float", "lower bound of its mean over the epoch, as the text has it"),
        _c("text_high", "float", "upper bound"),
        _c("events_low", "float", "lower bound of the same, as the events have it"),
        _c("events_high", "float", "upper bound"),
        _c("agrees", "bool", "one value can be both"),
    ),
    "step_times": (
        _RUN,
        _EPOCH,
        _c("n", "int", "intervals between updates whose time is known"),
        _c("median", "float", "median time a step", "s"),
        _c("low", "float", "a tenth of the steps took less", "s"),
        _c("high", "float", "a tenth of the steps took more", "s"),
        _c("slow", "int", "steps that took far longer than the median"),
        _c("slow_median", "float", "median time of those", "s", "there are none"),
        _c("between", "int", "steps between the median and those"),
        _c("period", "int", "every so many steps one is slow; 0: at no regular distance"),
    ),
    "layers": (
        _c("model", "int", "number of the summary in the log, from 1"),
        _c("layer", "str", "name"),
        _c("type", "str", "class"),
        _c("shape", "str", "output shape as printed", null="not printed"),
        _c("parameters", "int", "number of parameters", null="not printed"),
        _c("trainable", "bool", "whether its parameters train", null="not printed"),
        _LINE,
    ),
    "models": (
        _c("model", "int", "number of the summary in the log, from 1"),
        _c("name", "str", "name of the model", null="not printed"),
        _c("total", "int", "parameters; in Keras 3 with the optimizer's", null="not printed"),
        _c("trainable", "int", "parameters that training changes", null="not printed"),
        _c("non_trainable", "int", "parameters that it does not", null="not printed"),
        _c("optimizer", "int", "parameters of the optimizer", null="not printed"),
        _LINE,
    ),
}
"""Tables by name. ``updates`` has one more float column for each metric, as shown.

``tags`` and ``scalars`` are of TensorBoard events, in which lines are scalars of the training
files, counted; ``agreement`` compares a text with the events of the same run.
"""


LARGE = ("updates", "batches", "scalars")
"""Tables that are made and written only when asked for."""


def types_of(columns: tuple[Column, ...]) -> dict[str, Any]:
    """Polars types of columns, by name."""
    import polars as pl

    types = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "str": pl.String}
    return {column.name: types[column.kind] for column in columns}


def schema(name: str) -> dict[str, Any]:
    """Polars types of a table's fixed columns, by column name."""
    return types_of(TABLES[name])


def empty(name: str) -> Columns:
    """Lists without a row for the fixed columns of a table."""
    return {column.name: [] for column in TABLES[name]}


def frame(name: str, columns: dict[str, Any]) -> pl.DataFrame:
    """A table from its columns (lists or numpy arrays), types and order as documented.

    In numpy arrays of floats nan and inf stand for null. Columns beyond the fixed ones (the
    metrics of ``updates``, as polars series) follow as they are.

    Raises:
        KeyError: a documented column is missing.
    """
    import polars as pl

    fixed = _schema(name)
    if columns.keys() == fixed.keys() and not any(map(len, columns.values())):
        return _nothing(name)
    series = [_series(key, columns[key], kind) for key, kind in fixed.items()]
    series += [values.alias(key) for key, values in columns.items() if key not in fixed]
    return pl.DataFrame(series)


_schema = cache(schema)


@cache
def _nothing(name: str) -> pl.DataFrame:
    """A table without rows; frames are not changed in place, so one serves for all logs."""
    import polars as pl

    return pl.DataFrame(schema=schema(name))


def _series(name: str, values: Any, kind: Any) -> pl.Series:
    import numpy as np
    import polars as pl

    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        finite = np.isfinite(values)
        if finite.all():
            series = pl.Series(name, values)
        else:
            series = pl.Series(name, np.where(finite, values, np.nan), nan_to_null=True)
        return series if series.dtype == kind else series.cast(kind)
    return pl.Series(name, values, dtype=kind)
