"""The closed epochs of a log, kept or read again -> its tables ``updates`` and ``batches``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from logparse.pipeline import LOT_EPOCHS, Options, first_clock_laws
from logparse.reading.records import Chunk, Floats, Ints
from logparse.reading.source import Upload, open_sources
from logparse.stream import Recognised, TextLog
from logparse.tables import TABLES, frame
from logparse.training import clock
from logparse.training.batch_values import batches, by_metric
from logparse.training.clock import Times
from logparse.training.epochs import Bools, Epochs, joined, null_zero
from logparse.training.laws import Law
from logparse.training.rebuild import Columns
from logparse.training.run import Batch
from logparse.training.runs import Runs

if TYPE_CHECKING:
    import polars as pl

KEPT_ROWS = 250_000
"""Updates kept in memory for the full tables; a longer log is read again when they are asked."""

LOT_ROWS = 125_000
"""Updates whose batches are rebuilt together: each lot has a fixed cost."""

PART_ROWS = 16_384
"""Updates that are drawn together: each part has a fixed cost."""


class Seen(NamedTuple):
    """Updates of one run as shown: n rows."""

    epoch: Ints
    step: Ints
    final: Bools
    """[n] the last line of its epoch."""
    times: Times
    """[n] each: seconds since the epoch began, with their bounds, nan where not known."""
    shown: dict[str, tuple[Ints, Floats]]
    """By metric, the rows that show it and what they show."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of one run: what was shown, or the batches behind it."""

    run: int
    seen: Seen | None = None
    batches: dict[str, Columns] = field(default_factory=dict)
    """By metric, the columns ``epoch, first_step, step, value, low, high, estimate, estimate_low,
    estimate_high`` of the table ``batches``, nan for null."""


class Again:
    """What makes the large tables of one log when they are asked for."""

    def __init__(
        self,
        options: Options,
        chunks: Callable[[], Iterator[Chunk]] | None = None,
        scalars: Callable[[], pl.DataFrame] | None = None,
    ) -> None:
        """``chunks`` reads the log again, None if that cannot be; ``scalars`` makes that table."""
        self.laws: dict[int, Law] = {}
        self.numbers: dict[int, int] = {}
        """Numbers of the runs, by where they begin."""
        self.order: dict[str, int] = {}
        """Metrics, numbered as the log shows them first."""
        self.metrics: list[str] = []
        """Those of its epochs, in that order."""
        self._options, self._chunks, self._scalars = options, chunks, scalars
        self._kept: list[Batch] | None = []
        self._rows = 0

    def copy(self) -> Again:
        """One that keeps the same batches, and goes on by itself."""
        other = Again(self._options, self._chunks, self._scalars)
        other._kept = None if self._kept is None else self._kept.copy()
        other._rows = self._rows
        return other

    def keep(self, batch: Batch) -> None:
        """Keep a batch while the log is short, or cannot be read again."""
        if self._kept is None:
            return
        self._rows += len(batch.line)
        self._kept.append(batch)
        if self._rows > KEPT_ROWS and self._chunks is not None:
            self._kept = None

    def frames(self, name: str) -> Iterator[pl.DataFrame]:
        """One of the tables ``updates``, ``batches`` and ``scalars``, in parts."""
        if name == "scalars":
            if self._scalars:
                yield self._scalars()
            return
        if name == "batches":
            yield from (self._rebuilt(run, joined(lot)) for run, lot in self._lots())
            return
        clocks: dict[int, int] = {}
        for batch in self._batches():
            yield self._updates(batch, clocks)

    def parts(self, most: int) -> Iterator[Part]:
        """What was shown, and the batches behind it as ``most`` updates an epoch would show them.

        One reading of the log gives both. An epoch of more updates has longer intervals between
        those that are looked at: their values are means over more batches. Batches come later
        than what was shown, and in larger parts: each has a fixed cost.
        """
        clocks: dict[int, int] = {}
        waiting: dict[int, tuple[list[Epochs], list[Epochs]]] = {}
        for batch in self._batches():
            run = self.numbers[batch.run.first_byte]
            clocks.setdefault(run, first_clock_laws(batch.run))
            whole, thinned = waiting.setdefault(run, ([], []))
            whole.append(batch.epochs)
            if sum(len(epochs.step) for epochs in whole) >= PART_ROWS:
                epochs = joined(whole)
                whole.clear()
                yield self._seen(run, epochs, clocks)
                thinned.append(epochs.thinned(most, even=True))
            if sum(map(len, thinned)) >= LOT_EPOCHS:
                yield Part(run, batches=self._behind(run, joined(thinned)))
                thinned.clear()
        for run, (whole, thinned) in waiting.items():
            if whole:
                epochs = joined(whole)
                yield self._seen(run, epochs, clocks)
                thinned.append(epochs.thinned(most, even=True))
            if thinned:
                yield Part(run, batches=self._behind(run, joined(thinned)))

    def _seen(self, run: int, epochs: Epochs, clocks: dict[int, int]) -> Part:
        """Updates as shown; ``clocks`` keeps each run's laws of the clock from part to part."""
        clocked = clock.clocked(epochs, clocks[run], "updates")
        clocks[run] = int(clocked.laws[-1])
        shown = {}
        for name, decimals in epochs.decimals.items():
            rows = np.flatnonzero(decimals)
            if len(rows):
                shown[name] = rows, epochs.values[name][rows]
        number = np.repeat(epochs.epoch, np.diff(epochs.starts))
        return Part(run, Seen(number, epochs.step, epochs.final, clocked.times, shown))

    def _behind(self, run: int, epochs: Epochs) -> dict[str, Columns]:
        """The batch values behind each metric of some epochs."""
        law = self.laws[run]
        found = [
            by_metric(part, name, **_known(law))
            for part, name in _by_law(self._in_order(epochs), law)
        ]
        names = dict.fromkeys(name for columns in found for name in columns)
        return {name: _chained([part[name] for part in found if name in part]) for name in names}

    def _in_order(self, epochs: Epochs) -> Epochs:
        """With the metrics as the log shows them first, however it came in blocks."""
        names = sorted(epochs.values, key=lambda name: self.order[name])
        return replace(epochs, values={name: epochs.values[name] for name in names})

    def _lots(self) -> Iterator[tuple[int, list[Epochs]]]:
        """Closed epochs of one run each and its number, as many together as follow each other."""
        lot: list[Epochs] = []
        run = rows = 0
        for batch in self._batches():
            number = self.numbers[batch.run.first_byte]
            if lot and (number != run or rows + len(batch.line) > LOT_ROWS):
                yield run, lot
                lot, rows = [], 0
            lot.append(batch.epochs)
            run, rows = number, rows + len(batch.line)
        if lot:
            yield run, lot

    def _updates(self, batch: Batch, clocks: dict[int, int]) -> pl.DataFrame:
        """Updates as shown; ``clocks`` keeps each run's laws of the clock from part to part."""
        run = self.numbers[batch.run.first_byte]
        known = clocks.get(run, first_clock_laws(batch.run))
        clocked = clock.clocked(batch.epochs, known, "updates")
        clocks[run] = int(clocked.laws[-1])
        return frame("updates", _updates(batch, run, clocked.times, self.metrics))

    def _rebuilt(self, run: int, epochs: Epochs) -> pl.DataFrame:
        """The batch values behind the updates of some epochs, as rows of the table."""
        import polars as pl

        law = self.laws[run]
        found = [
            batches(part, name, **_known(law))
            for part, name in _by_law(self._in_order(epochs), law)
        ]
        return pl.concat(
            frame("batches", {"run": np.full(len(one["metric"]), run)} | one) for one in found
        )

    def _batches(self) -> Iterator[Batch]:
        if self._kept is not None:
            yield from self._kept
            return
        assert self._chunks is not None
        runs = Runs(self._options.batch_size)
        for chunk in self._chunks():
            yield from runs.feed(chunk)
        yield from runs.finish()


def text_again(spec: str | Upload, name: str, options: Options) -> Iterator[Chunk]:
    """The chunks of one text log in a file or archive, read again."""
    for source in open_sources(spec):
        if source.name == name:
            yield from TextLog(Recognised(source, options.reader)).chunks()
            return


def _by_law(epochs: Epochs, law: Law) -> list[tuple[Epochs, str | None]]:
    """The epochs of a run with the law that inverts them: the first may have one of its own."""
    other = int(bool(law.first) and epochs.epoch[0] == 1)
    parts = ((epochs.part(0, other), law.first), (epochs.part(other, len(epochs)), law.inverse))
    return [(part, name) for part, name in parts if len(part)]


def _known(law: Law) -> dict[str, Any]:
    """What is known of a run beside its law, for ``by_metric``."""
    return {
        "batch_size": law.batch_size,
        "last_size": law.last_size,
        "late_end": law.late_end,
        "unknown_length": law.unknown_length,
    }


def _chained(parts: list[Columns]) -> Columns:
    """Columns one after the other."""
    if len(parts) == 1:
        return parts[0]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _updates(batch: Batch, run: int, times: Times, metrics: Sequence[str]) -> dict[str, Any]:
    import polars as pl

    epochs = batch.epochs
    sizes = np.diff(epochs.starts)
    counts = batch.run.counts == "samples"
    columns: dict[str, Any] = {
        "run": np.full(len(batch.line), run),
        "epoch": np.repeat(epochs.epoch, sizes),
        "step": epochs.step,
        "of": null_zero(np.repeat(epochs.of, sizes)),
        "samples": epochs.seen if counts else [None] * len(batch.line),
        "final": epochs.final,
        "elapsed": times.elapsed,
        "elapsed_low": times.low,
        "elapsed_high": times.high,
        "line": batch.line,
        "byte": batch.byte,
    }
    for name in metrics:
        if name not in epochs.values:
            columns[_column(name)] = pl.repeat(None, len(batch.line), dtype=pl.Float64, eager=True)
            continue
        # A printed nan stays nan; a metric that is not on the line is null.
        absent = pl.Series(epochs.decimals[name] == 0)
        columns[_column(name)] = pl.Series(epochs.values[name]).set(absent, None)
    return columns


def _column(metric: str) -> str:
    """Name of a metric's column in ``updates``: its own, unless a fixed column has it."""
    fixed = {column.name for column in TABLES["updates"]}
    return f"metric {metric}" if metric in fixed else metric
