"""Chunks of one log -> summaries of its closed epochs, and the small tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.limits import REJECTS_KEPT
from logparse.reading.records import Chunk, Floats, Reject
from logparse.stream import Log, Progress
from logparse.tables import TABLES, Columns, empty, frame
from logparse.training import clock, rebuild
from logparse.training.clock_bounds import ANY_LAW, ClockLaw
from logparse.training.epochs import Bools, Epochs, joined, null_zero
from logparse.training.laws import EVIDENCE_EPOCHS, Law, LawEvidence
from logparse.training.pool import Remembered
from logparse.training.run import Batch, Run
from logparse.training.runs import Runs
from logparse.training.step_times import StepSample
from logparse.training.untangle import worker_name

if TYPE_CHECKING:
    import polars as pl

    from logparse.findings.thresholds import Thresholds
    from logparse.reading.event_names import Restarts

LOT_EPOCHS = 512
"""Closed epochs that are summarised together: each lot has a fixed cost."""

LOT_ROWS = 64
"""Updates of an epoch that its summary looks at; the full tables take all."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a log, where it should not be found out."""

    reader: str | None = None
    law: str | None = None
    keras: str | None = None
    batch_size: int | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    sha256: bool = True
    progress: Progress | None = None
    """Called with a log's name, the bytes read and its size, if known; may raise to stop."""
    restarts: Restarts = "keep"
    """What to do with events of several fits in one folder."""
    thresholds: Thresholds | None = None
    """What is set of rules."""


@dataclass(slots=True)
class _RunParts:
    """What is kept of one run: small sums, and a row an epoch."""

    run: Run
    evidence: LawEvidence = field(default_factory=LawEvidence)
    clock_laws: int = 0
    """Laws of the clock that its epochs so far allow."""
    summaries: list[rebuild.Summary] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    printed: tuple[list[Bools], list[Bools], list[Bools]] = field(
        default_factory=lambda: ([], [], [])
    )
    """Rows of ``summaries`` whose ``shown``, ``before`` and ``first`` were printed."""
    times: list[dict[str, Floats]] = field(default_factory=list)
    """Times of the epochs, lot by lot."""
    steps: StepSample = field(default_factory=StepSample)
    known: dict[str, Remembered] = field(default_factory=dict)
    """What its epochs say of each other, by law."""
    waiting: list[Epochs] = field(default_factory=list)
    """Closed epochs not summarised yet, thinned."""

    def lot(self) -> int:
        """Epochs to summarise next: few at first, since they settle which laws are possible."""
        return LOT_EPOCHS if self.summaries else EVIDENCE_EPOCHS


class Pipeline:
    """Blocks of one log -> batches of closed epochs, and what is kept of each."""

    def __init__(self, log: Log, options: Options) -> None:
        self.log, self.options = log, options
        self.runs = Runs(options.batch_size)
        self.parts: dict[int, _RunParts] = {}
        """What is kept of each run, by where it begins: numbers come at the end."""
        self.rejects: list[Reject] = []
        self.order: dict[str, int] = {}
        """Metrics, numbered as the log shows them first."""
        self.not_kept: dict[str, int] = {}
        self.seen = False

    def finish(self) -> Iterator[Batch]:
        """The epochs still open at the end of the log, counted in."""
        for batch in self.runs.finish():
            self._batch(batch)
            yield batch
        for parts in self.parts.values():
            if parts.waiting:
                self._summarise(parts, joined(parts.waiting))

    def take(self, chunk: Chunk) -> Iterator[Batch]:
        """Epochs that a chunk closes, counted in."""
        for reject in chunk.rejects:
            if len(self.rejects) < REJECTS_KEPT:
                self.rejects.append(reject)
            else:
                self.not_kept[reject.kind] = self.not_kept.get(reject.kind, 0) + 1
        for name in chunk.updates.order or chunk.updates.values:
            self.order.setdefault(name, len(self.order))
        self.seen |= bool(len(chunk.updates)) or any(e.kind == "header" for e in chunk.events)
        for batch in self.runs.feed(chunk):
            self._batch(batch)
            yield batch

    def _batch(self, batch: Batch) -> None:
        """Look at closed epochs; of their rows a few are kept until there are enough epochs.

        Where one lot ends depends on the epochs only, not on how the log came in blocks; what
        decides over a lot is what was seen up to its end.
        """
        run, epochs = batch.run, batch.epochs
        parts = self.parts.get(run.first_byte)
        if parts is None:
            parts = _RunParts(run, clock_laws=first_clock_laws(run))
            self.parts[run.first_byte] = parts
        parts.evidence.counts_samples |= run.counts == "samples"
        parts.evidence.unknown_length |= run.unknown_length
        parts.epochs.append(
            {
                "epoch": epochs.epoch,
                "label": batch.labels,
                "steps": epochs.step[epochs.starts[1:] - 1],
                "of": null_zero(epochs.of),
                "updates": np.diff(epochs.starts),
                "complete": epochs.complete,
                "began": batch.began,
                "ended": np.where(epochs.complete, epochs.clock[epochs.starts[1:] - 1], np.nan),
                "first_line": batch.first_line,
                "last_line": batch.last_line,
            }
        )
        at = 0
        while at < len(epochs):
            stop = min(len(epochs), at + parts.lot() - sum(map(len, parts.waiting)))
            self._wait(parts, epochs.part(at, stop), batch.labels[at:stop])
            at = stop

    def _wait(self, parts: _RunParts, epochs: Epochs, labels: list[str | None]) -> None:
        """Take epochs of a lot; a lot that is full is summarised."""
        parts.evidence.add(epochs)
        for label in labels:
            if label:
                parts.evidence.note(f"Epoch {label}")
        parts.steps.look(epochs, parts.clock_laws)
        parts.waiting.append(epochs.thinned(LOT_ROWS))
        if sum(map(len, parts.waiting)) == parts.lot():
            self._summarise(parts, joined(parts.waiting))
            parts.waiting = []

    def _summarise(self, parts: _RunParts, epochs: Epochs) -> None:
        """Keep the summary of a lot of epochs; their rows go."""
        clocked = clock.clocked(epochs, parts.clock_laws, "epochs")
        parts.clock_laws = int(clocked.laws[-1])
        parts.times.append(clocked.summary)
        possible = (self.options.law,) if self.options.law else parts.evidence.possible(epochs)
        unknown = parts.run.unknown_length
        summary = rebuild.summarise(epochs, possible, unknown_length=unknown, so_far=parts.known)
        parts.evidence.weigh(summary.loglik)
        parts.summaries.append(summary)
        for masks, mask in zip(parts.printed, _printed(epochs, summary), strict=True):
            masks.append(mask)

    def tables(self) -> tuple[dict[str, pl.DataFrame], dict[int, Law]]:
        """The small tables but ``findings``, and the law of each run."""
        messages = self.runs.messages
        for parts in self.parts.values():
            if parts.run.train_on:
                parts.evidence.note(parts.run.train_on.text)
        for message in messages:
            if message.run and message.run.first_byte in self.parts:
                self.parts[message.run.first_byte].evidence.note(message.text)
        laws = {parts.run.number: self._law(parts) for parts in self._in_order()}
        summary = getattr(self.log, "summary", None)
        layers = summary.layers if summary else empty("layers")
        models = summary.summaries if summary else []
        tables = {
            "runs": frame("runs", self._runs(laws)),
            "agreement": frame("agreement", empty("agreement")),
            "tags": frame("tags", getattr(self.log, "tag_rows", lambda: empty("tags"))()),
            "epochs": self._epochs(),
            "metrics": self._metrics(laws),
            "messages": frame(
                "messages",
                {key: [getattr(m, key) for m in messages] for key in empty("messages")}
                | {"run": [m.run.number if m.run else None for m in messages]},
            ),
            "rejects": frame(
                "rejects",
                {key: [getattr(r, key) for r in self.rejects] for key in empty("rejects")},
            ),
            "step_times": frame("step_times", self._step_times()),
            "layers": frame("layers", layers),
            "models": frame(
                "models", {key: [getattr(m, key) for m in models] for key in empty("models")}
            ),
        }
        return tables, laws

    def _in_order(self) -> list[_RunParts]:
        return sorted(self.parts.values(), key=lambda parts: parts.run.number)

    def _law(self, parts: _RunParts) -> Law:
        found = replace(parts.evidence.decide(), unknown_length=parts.run.unknown_length)
        if not self.options.law:
            return found
        asked = f"Keras {self.options.keras}" if self.options.keras else "this law"
        return replace(
            found,
            name=self.options.law,
            reason=f"{asked} was asked for",
            runner_up=None,
            first=None,
            readings=(self.options.law,),
        )

    def _runs(self, laws: dict[int, Law]) -> Columns:
        plain: Columns | None = getattr(self.log, "plain_runs", None)
        if plain and not self.runs.runs:
            return plain
        columns = empty("runs")
        names = getattr(self.log, "channels", [None])
        channels = {run.channel for run in self.runs.runs}
        for run in self.runs.runs:
            law = laws.get(run.number) or Law(None, "no update is shown", readings=())
            row = {
                "run": run.number,
                "reader": self.log.name,
                "keras": law.keras,
                "law": law.name,
                "law_reason": law.reason,
                "channel": worker_name(run.channel, channels) or names[run.channel],
                "epochs": run.epochs,
                "of": run.of,
                "steps_per_epoch": run.steps_per_epoch,
                "batch_size": run.batch_size or law.batch_size,
                "samples": run.samples,
                "first_line": run.first_line,
                "last_line": run.last_line,
                "started": run.started,
            }
            for key, value in row.items():
                columns[key].append(value)
        return columns

    def _epochs(self) -> pl.DataFrame:
        parts: list[dict[str, Any]] = []
        for run in self._in_order():
            columns = _joined(run.epochs[0], run.epochs)
            columns |= {name: np.concatenate([t[name] for t in run.times]) for name in run.times[0]}
            parts.append({"run": np.full(len(columns["epoch"]), run.run.number)} | columns)
        headers = self.runs.empty
        if headers:
            unknown = np.full(len(headers), np.nan)
            known: dict[str, Any] = {
                "run": np.array([epoch.run.number for epoch in headers]),
                "epoch": np.array([epoch.number for epoch in headers]),
                "label": [epoch.label for epoch in headers],
                "steps": np.zeros(len(headers), np.int64),
                "updates": np.zeros(len(headers), np.int64),
                "complete": np.zeros(len(headers), np.bool_),
                "began": np.array([epoch.began for epoch in headers], np.float64),
                "first_line": [epoch.line for epoch in headers],
                "last_line": [epoch.last_line for epoch in headers],
            }
            parts.append({c.name: known.get(c.name, unknown) for c in TABLES["epochs"]})
        table = frame("epochs", _joined(empty("epochs"), parts))
        return table.sort("run", "epoch", maintain_order=True) if headers else table

    def _step_times(self) -> Columns:
        columns = empty("step_times")
        for parts in self._in_order():
            for _, times in parts.steps.found:
                row = {"run": parts.run.number} | times._asdict()
                for key, value in row.items():
                    columns[key].append(value)
        return columns

    def _metrics(self, laws: dict[int, Law]) -> pl.DataFrame:
        import polars as pl

        parts = []
        for run in self._in_order():
            number = run.run.number
            law = laws[number]
            found = rebuild.metric_columns(run.summaries, law.readings, law.first)
            parts.append({"run": np.full(len(found["metric"]), number)} | found)
        columns = _joined(empty("metrics"), parts)
        table = frame("metrics", columns)
        # A printed nan or inf stays; what was not printed is null.
        printed = [run.printed for run in self._in_order()]
        for name, shown in zip(
            ("shown", "before", "first"), zip(*printed, strict=True), strict=False
        ):
            there = np.concatenate([mask for part in shown for mask in part] or [np.zeros(0, bool)])
            if (there == np.isfinite(columns[name])).all():
                continue
            values = pl.Series(name, columns[name], dtype=pl.Float64).set(pl.Series(~there), None)
            table = table.with_columns(values)
        # In the order in which the log shows them first, however it came in blocks.
        rank = np.array([self.order[name] for name in columns["metric"]], np.int64)
        order = np.lexsort((rank, columns["epoch"], columns["run"]))
        return table if (np.diff(order) == 1).all() else table[order]


def _printed(epochs: Epochs, summary: rebuild.Summary) -> tuple[Bools, Bools, Bools]:
    """For the rows of a summary: whether ``shown``, ``before`` and ``first`` were printed."""
    place = np.searchsorted(epochs.epoch, summary.epoch)
    begin, end = epochs.starts[:-1][place], epochs.starts[1:][place]
    inner = end - epochs.complete[place]
    shown, before, first = np.zeros((3, len(place)), np.bool_)
    names = np.array(summary.metric, dtype=object)
    for name, decimals in epochs.decimals.items():
        here = np.flatnonzero(names == name)
        so_far = np.concatenate([[0], np.cumsum(decimals != 0)])
        shown[here] = epochs.complete[place[here]] & (decimals[end[here] - 1] != 0)
        first[here] = so_far[inner[here]] > so_far[begin[here]]
        before[here] = first[here]
    return shown, before, first


def first_clock_laws(run: Run) -> int:
    """Laws of the clock that are possible before any update is seen."""
    told = run.train_on.data if run.train_on else {}
    return int(ClockLaw.BEGIN if told.get("samples") else ANY_LAW)


def _joined(names: Iterable[str], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns, part after part: arrays where all parts are arrays, else lists."""
    columns: dict[str, Any] = {}
    for column in names:
        values = [part[column] for part in parts]
        if values and all(isinstance(value, np.ndarray) for value in values):
            columns[column] = np.concatenate(values)
        else:
            columns[column] = [item for value in values for item in value]
    return columns
