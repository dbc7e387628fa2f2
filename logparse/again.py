"""The closed epochs of a log, kept or read again -> its tables ``updates`` and ``batches``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.pipeline import LOT_EPOCHS, Options, first_clock_laws
from logparse.reading.records import Chunk
from logparse.reading.source import Upload, open_sources
from logparse.stream import Recognised, TextLog
from logparse.tables import TABLES, empty, frame
from logparse.training import clock, rebuild
from logparse.training.clock_bounds import Laws
from logparse.training.epochs import Epochs, joined, null_zero
from logparse.training.laws import Law
from logparse.training.run import Batch
from logparse.training.runs import Runs

if TYPE_CHECKING:
    import polars as pl

KEPT_ROWS = 250_000
"""Updates kept in memory for the full tables; a longer log is read again when they are asked."""


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
        clocks: dict[int, int] = {}
        for batch in self._batches():
            if name == "updates":
                yield self._updates(batch, clocks)
            else:
                yield self._rebuilt(self.numbers[batch.run.first_byte], batch.epochs)

    def side_by_side(self, most: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Parts of ``updates``, and of ``batches`` as ``most`` updates an epoch would show them.

        One reading of the log gives both. An epoch of more updates has longer intervals between
        those that are looked at: their values are means over more batches. The parts of
        ``batches`` come later than those of ``updates`` and are larger; between them they are
        empty.
        """
        clocks: dict[int, int] = {}
        waiting: dict[int, list[Epochs]] = {}
        nothing = frame("batches", empty("batches"))
        for batch in self._batches():
            run = self.numbers[batch.run.first_byte]
            lot = waiting.setdefault(run, [])
            lot.append(batch.epochs.thinned(most))
            updates = self._updates(batch, clocks)
            if sum(map(len, lot)) < LOT_EPOCHS:
                yield updates, nothing
            else:
                yield updates, self._rebuilt(run, joined(waiting.pop(run)))
        for run, lot in waiting.items():
            yield frame("updates", empty("updates")), self._rebuilt(run, joined(lot))

    def _updates(self, batch: Batch, clocks: dict[int, int]) -> pl.DataFrame:
        """Updates as shown; ``clocks`` keeps each run's laws of the clock from part to part."""
        run = self.numbers[batch.run.first_byte]
        laws = clock.clock_laws(batch.epochs, clocks.get(run, first_clock_laws(batch.run)))
        clocks[run] = int(laws[-1])
        return frame("updates", _updates(batch, run, laws))

    def _rebuilt(self, run: int, epochs: Epochs) -> pl.DataFrame:
        """The batch values behind the updates of some epochs."""
        import polars as pl

        law = self.laws[run]
        names = sorted(epochs.values, key=lambda name: self.order[name])
        epochs = replace(epochs, values={name: epochs.values[name] for name in names})
        other = int(bool(law.first) and epochs.epoch[0] == 1)
        parts = ((epochs.part(0, other), law.first), (epochs.part(other, len(epochs)), law.inverse))
        return pl.concat(_inverted(part, run, law, name) for part, name in parts if len(part))

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


def _inverted(epochs: Epochs, run: int, law: Law, inverse: str | None) -> pl.DataFrame:
    """Rows of ``batches``: epochs of one run, inverted by one law."""
    found = rebuild.batches(
        epochs,
        inverse,
        batch_size=law.batch_size,
        last_size=law.last_size,
        late_end=law.late_end,
        unknown_length=law.unknown_length,
    )
    return frame("batches", {"run": np.full(len(found["metric"]), run)} | found)


def _updates(batch: Batch, run: int, laws: Laws) -> dict[str, Any]:
    import polars as pl

    epochs = batch.epochs
    sizes = np.diff(epochs.starts)
    times = clock.elapsed(epochs, laws)
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
    for name, values in epochs.values.items():
        # A printed nan stays nan; a metric that is not on the line is null.
        absent = pl.Series(epochs.decimals[name] == 0)
        columns[_column(name)] = pl.Series(values).set(absent, None)
    return columns


def _column(metric: str) -> str:
    """Name of a metric's column in ``updates``: its own, unless a fixed column has it."""
    fixed = {column.name for column in TABLES["updates"]}
    return f"metric {metric}" if metric in fixed else metric
