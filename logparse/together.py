"""The analyses of a text and of the events of the same run -> one analysis, and where they differ.

The text leads: its runs, epochs, messages and numbers as shown. The events give what they know
better: batch values and levels in float32, wall times. Where the two contradict each other, the
text's own is kept and the table ``agreement`` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from logparse.again import Part
from logparse.tables import empty, frame
from logparse.training.laws import DOUBLE
from logparse.training.rebuild import Columns

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis, SourceInfo

LEVELS = ("start", "start_low", "start_high", "end", "end_low", "end_high", "noise")
MEANS = ("mean", "mean_low", "mean_high")
TIMES = ("seconds", "seconds_low", "seconds_high")
RATES = (
    "step_seconds", "late_step_seconds", "first_step_seconds", "validation_seconds",
    "began", "ended", "of",
)  # fmt: skip
KEY = ["run", "epoch"]

_SURE = 2.5
"""Widths of the 95 % band that a mean must be off: five deviations. Other bounds are hard."""


class Together:
    """What makes the large tables of both; in place of ``again.Again``."""

    def __init__(self, text: Analysis, events: Analysis, places: pl.DataFrame) -> None:
        """``places`` has the columns run, epoch of the text beside run_events, epoch_events."""
        self._text, self._events = text, events
        self._places = places
        self._finer: pl.DataFrame | None = None

    def frames(self, name: str) -> Iterator[pl.DataFrame]:
        """One of the large tables, in parts."""
        if name == "scalars":
            yield self._events.scalars
        elif name == "updates":
            yield self._text.updates
        else:
            yield self._left(self._text.batches)
            yield self._right(self._events.batches)

    def parts(self, most: int) -> Iterator[Part]:
        """As ``Again.parts``: what the text shows, the batches of both."""
        finer = {(row[2], row[3]): (row[0], row[1]) for row in self._where_finer().rows()}
        known = set(finer.values())
        for part in self._text.parts(most):
            gone = [epoch for run, epoch in known if run == part.run]
            yield replace(part, batches=_taken(part.batches, gone, keep=False))
        for part in self._events.parts(most):
            places: dict[int, dict[int, int]] = {}
            for (run, epoch), (to_run, to_epoch) in finer.items():
                if run == part.run:
                    places.setdefault(to_run, {})[epoch] = to_epoch
            for run, epochs in places.items():
                yield Part(run, batches=_moved(part.batches, epochs))

    def _where_finer(self) -> pl.DataFrame:
        """Places of epochs and metrics of which the events show more values than the text."""
        import polars as pl

        if self._finer is None:
            rows = self._places.join(
                self._events.epochs.select(run_events="run", epoch_events="epoch", more="updates"),
                on=["run_events", "epoch_events"],
            )
            rows = rows.join(self._text.epochs.select(*KEY, "updates"), on=KEY)
            self._finer = rows.filter(pl.col("more") > pl.col("updates")).select(
                *KEY, "run_events", "epoch_events"
            )
        return self._finer

    def _left(self, batches: pl.DataFrame) -> pl.DataFrame:
        return batches.join(self._where_finer(), on=KEY, how="anti", maintain_order="left")

    def _right(self, batches: pl.DataFrame) -> pl.DataFrame:
        return _renumbered(batches, self._where_finer())


def _taken(batches: dict[str, Columns], epochs: Iterable[int], *, keep: bool) -> dict[str, Columns]:
    """Rows of some epochs, or all but those."""
    if not batches:
        return batches
    chosen = np.array(list(epochs), np.int64)
    rows = {
        name: np.isin(columns["epoch"], chosen, invert=not keep)
        for name, columns in batches.items()
    }
    return {
        name: {key: column[rows[name]] for key, column in columns.items()}
        for name, columns in batches.items()
    }


def _moved(batches: dict[str, Columns], epochs: dict[int, int]) -> dict[str, Columns]:
    """Rows of some epochs, under other numbers, in their order."""
    found = _taken(batches, epochs, keep=True)
    for columns in found.values():
        columns["epoch"] = np.array([epochs[epoch] for epoch in columns["epoch"].tolist()], int)
    return found


def together(
    text: Analysis, events: Analysis
) -> tuple[SourceInfo, dict[str, pl.DataFrame], Together]:
    """One analysis from two: what was read, its small tables but the findings, and the large ones.

    Args:
        text: of the log that ``fit`` printed.
        events: of the TensorBoard events of the same run.
    """
    import polars as pl

    places = _places(text.epochs, events.epochs)
    theirs = _renumbered(events.metrics, places)
    agreement = _agreement(text, theirs, _renumbered(events.epochs, places))
    good = agreement.filter(pl.col("agrees")).select(*KEY, "metric")
    if 2 * good.height < agreement.height:
        places = places.clear()  # hardly of one training: nothing is taken from the events
        theirs = theirs.clear()
    tables = {
        "runs": text.runs.with_columns(reader=pl.lit(f"{text.source.reader} + tfevents")),
        "epochs": _epochs(text.epochs, _renumbered(events.epochs, places)),
        "metrics": _metrics(text.metrics, theirs, good),
        "messages": pl.concat([text.messages, _messages(text, events)]),
        "rejects": pl.concat([text.rejects, events.rejects]),
        "step_times": _step_times(text.step_times, _renumbered(events.step_times, places)),
        "layers": text.layers,
        "models": text.models,
        "tags": events.tags,
        "agreement": agreement,
    }
    return _source(text.source, events.source), tables, Together(text, events, places)


def _step_times(text: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Those of the events, whose clock is the finer; those of the text in other epochs."""
    import polars as pl

    rest = text.join(events, on=KEY, how="anti", maintain_order="left")
    return pl.concat([events.select(text.columns), rest]).sort(KEY)


def _places(text: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Which epoch of the events is which of the text: by position, else by number in its run."""
    import polars as pl

    theirs = events.select(run_events="run", epoch_events="epoch")
    ours = text.select(KEY)
    if ours.height == theirs.height:
        # An outer loop of fits is one run in a text, and many in events.
        return pl.concat([ours, theirs], how="horizontal")
    same = theirs.with_columns(run=pl.col("run_events"), epoch=pl.col("epoch_events"))
    return ours.join(same, on=KEY, maintain_order="left")


def _renumbered(table: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Rows of a table of the events, under the numbers of the text."""
    columns = table.columns
    moved = table.rename({"run": "run_events", "epoch": "epoch_events"})
    keys = ["run_events", "epoch_events"]
    return moved.join(places, on=keys, maintain_order="left").select(columns)


def _agreement(text: Analysis, metrics: pl.DataFrame, epochs: pl.DataFrame) -> pl.DataFrame:
    """The table ``agreement``: epoch means that both know, and the steps of each epoch."""
    import polars as pl

    laws = text.runs.select("run", "law")
    half = (pl.col("mean_high") - pl.col("mean_low")) / 2
    room = pl.when(pl.col("law") == DOUBLE).then(half * (_SURE - 1)).otherwise(0.0)
    ours = text.metrics.join(laws, on="run", maintain_order="left").select(
        *KEY, "metric", text_low=pl.col("mean_low") - room, text_high=pl.col("mean_high") + room
    )
    known = metrics.select(*KEY, "metric", events_low="mean_low", events_high="mean_high")
    both = ours.join(known, on=[*KEY, "metric"], maintain_order="left")
    steps = text.epochs.select(
        *KEY,
        metric=pl.lit(None, pl.String),
        text_low=pl.col("of").cast(pl.Float64),
        text_high=pl.col("of").cast(pl.Float64),
    ).join(
        epochs.select(
            *KEY,
            events_low=pl.col("of").cast(pl.Float64),
            events_high=pl.col("of").cast(pl.Float64),
        ),
        on=KEY,
        maintain_order="left",
    )
    rows = pl.concat([both, steps]).drop_nulls(["text_low", "text_high", "events_low"])
    apart = (pl.col("text_low") > pl.col("events_high")) | (
        pl.col("events_low") > pl.col("text_high")
    )
    rows = rows.with_columns(agrees=~apart).sort(KEY, maintain_order=True)
    columns = {name: rows[name] for name in empty("agreement")}
    return frame("agreement", columns)


def _epochs(text: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Epochs of the text with the times of the events, where those are known better."""
    import polars as pl

    known = events.select(*KEY, *(pl.col(name).alias(f"{name}_") for name in (*TIMES, *RATES)))
    rows = text.join(known, on=KEY, how="left", maintain_order="left")
    width = pl.col("seconds_high") - pl.col("seconds_low")
    theirs = pl.col("seconds_high_") - pl.col("seconds_low_")
    better = (theirs < width) | width.is_null() & theirs.is_not_null()
    rows = rows.with_columns(
        *(
            pl.when(better).then(pl.col(f"{name}_")).otherwise(pl.col(name)).alias(name)
            for name in TIMES
        ),
        *(
            pl.coalesce(*((name, f"{name}_") if name == "of" else (f"{name}_", name))).alias(name)
            for name in RATES
        ),
    )
    return rows.select(text.columns)


def _metrics(text: pl.DataFrame, events: pl.DataFrame, good: pl.DataFrame) -> pl.DataFrame:
    """Metrics of the text, as the events know them where they agree; then what they alone hold."""
    import polars as pl

    keys = [*KEY, "metric"]
    names = (*MEANS, *LEVELS)
    known = events.join(good, on=keys).select(
        *keys, *(pl.col(name).alias(f"{name}_") for name in names)
    )
    rows = text.join(known, on=keys, how="left", maintain_order="left")
    narrow = (pl.col("mean_high_") - pl.col("mean_low_")) < (
        pl.col("mean_high") - pl.col("mean_low")
    )
    finer = {"mean": narrow.fill_null(value=False), "level": pl.col("end_").is_not_null()}
    rows = rows.with_columns(
        pl.when(finer["mean" if name in MEANS else "level"])
        .then(pl.col(f"{name}_"))
        .otherwise(pl.col(name))
        .alias(name)
        for name in names
    ).select(text.columns)
    alone = events.join(text.select(keys), on=keys, how="anti", maintain_order="left")
    return pl.concat([rows, alone]).sort(KEY, maintain_order=True)


def _messages(text: Analysis, events: Analysis) -> pl.DataFrame:
    """Messages about the event files: they belong to no line of the text, so to its last."""
    import polars as pl

    last = max(text.source.lines, 1)
    none = pl.lit(None, pl.Int64)
    said: pl.DataFrame = events.messages
    return said.with_columns(run=none, epoch=none, line=pl.lit(last, pl.Int64))


def _source(text: SourceInfo, events: SourceInfo) -> SourceInfo:
    """What was read of both: bytes are added up, lines are those of the text."""
    ignored = dict(text.ignored)
    for rule, size in events.ignored.items():
        ignored[rule] = ignored.get(rule, 0) + size
    not_kept = dict(text.not_kept)
    for kind, count in events.not_kept.items():
        not_kept[kind] = not_kept.get(kind, 0) + count
    hashes = f"{text.sha256}{events.sha256}".encode()
    return replace(
        text,
        name=f"{text.name} + {events.name}",
        size=text.size + events.size,
        sha256=hashlib.sha256(hashes).hexdigest() if text.sha256 else None,
        reader=f"{text.reader} + {events.reader}",
        reader_reason=f"{text.reader_reason}; {events.reader_reason}",
        read=text.read + events.read,
        ignored=ignored,
        rejected=text.rejected + events.rejected,
        pending=text.pending + events.pending,
        damage="; ".join(filter(None, (text.damage, events.damage))) or None,
        not_kept=not_kept,
    )
