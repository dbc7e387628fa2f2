"""A log -> its ``Analysis``: read, rebuilt, timed and judged, epoch by epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from logparse.ahead import ahead
from logparse.errors import LogparseError, NotALogError, SourceError, UsageError
from logparse.limits import REJECTS_KEPT
from logparse.reading.detect import HEAD_BYTES, SURE, Reader, guesses, not_a_log, reader_named
from logparse.reading.keras_log import KerasLog
from logparse.reading.records import Chunk, Floats, Ints, Reject
from logparse.reading.source import Source, open_sources
from logparse.tables import TABLES, frame
from logparse.training import clock, rebuild
from logparse.training.clock_bounds import ANY_LAW, ClockLaw, Laws
from logparse.training.epochs import Bools, Epochs, joined
from logparse.training.laws import EVIDENCE_EPOCHS, Law, LawEvidence
from logparse.training.runs import Batch, Run, Runs
from logparse.training.untangle import worker_name
from logparse.training.versions import SHOWN_LAWS, law_of_keras

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

KEPT_ROWS = 250_000
"""Updates kept in memory for the full tables; a longer log is read again when they are asked."""

LOT_EPOCHS = 512
"""Closed epochs that are summarised together: each lot has a fixed cost."""

LOT_ROWS = 64
"""Updates of an epoch that its summary looks at; the full tables take all."""

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What was read: its name, size, reader, and where each byte went."""

    name: str
    size: int
    sha256: str | None
    reader: str
    reader_reason: str
    read: int
    ignored: dict[str, int]
    rejected: int
    pending: int
    lines: int
    damage: str | None = None
    """What was wrong with a packed file; what came before is good."""
    not_kept: dict[str, int] = field(default_factory=dict)
    """Rejects and messages beyond what is kept one by one, by kind."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A log that could not be analysed, and why."""

    name: str
    error: LogparseError
    skipped: bool = False
    """A member of an archive that is no log, like a link: passed over on purpose."""


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
    waiting: list[Epochs] = field(default_factory=list)
    """Closed epochs not summarised yet, thinned."""

    def lot(self) -> int:
        """Epochs to summarise next: few at first, since they settle which laws are possible."""
        return LOT_EPOCHS if self.summaries else EVIDENCE_EPOCHS


class Analysis:
    """Everything known about one log, as the tables of ``logparse.tables``.

    Attributes:
        source: what was read and where each byte went.
        runs, epochs, metrics, findings, messages, rejects, layers: polars frames.
    """

    def __init__(self, source: SourceInfo, tables: dict[str, pl.DataFrame], again: _Again) -> None:
        self.source = source
        self._tables = tables
        self._again = again

    runs = property(lambda self: self._tables["runs"])
    epochs = property(lambda self: self._tables["epochs"])
    metrics = property(lambda self: self._tables["metrics"])
    findings = property(lambda self: self._tables["findings"])
    messages = property(lambda self: self._tables["messages"])
    rejects = property(lambda self: self._tables["rejects"])
    layers = property(lambda self: self._tables["layers"])

    @property
    def updates(self) -> pl.DataFrame:
        """Every update as shown, made when first asked for."""
        return self.table("updates")

    @property
    def batches(self) -> pl.DataFrame:
        """The batch values behind the updates, made when first asked for."""
        return self.table("batches")

    def table(self, name: str) -> pl.DataFrame:
        """One of the tables, by name.

        Raises:
            UsageError: there is no such table.
        """
        if name not in TABLES:
            raise UsageError(f"no table is called {name!r}; there are {', '.join(TABLES)}")
        if name not in self._tables:
            import polars as pl

            parts = list(self._again.frames(name))
            self._tables[name] = (
                pl.concat(parts, how="diagonal") if parts else frame(name, _empty(name))
            )
        return self._tables[name]

    def to_pandas(self, name: str) -> pd.DataFrame:
        """One of the tables as a pandas frame; needs the extra ``logparse[pandas]``."""
        return self.table(name).to_pandas()

    def to_json(self, *, full: bool = False) -> str:
        """The JSON report, with ``updates`` and ``batches`` if ``full``."""
        from logparse.reports.json import document

        return document(self, full=full)

    def __repr__(self) -> str:
        return (
            f"<Analysis of {self.source.name}: {self.runs.height} runs, "
            f"{self.epochs.height} epochs, {self.findings.height} findings>"
        )


def analyze(
    log: str | os.PathLike[str] | IO[bytes],
    *,
    reader: str | None = None,
    law: str | None = None,
    keras: str | None = None,
    batch_size: int | None = None,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    sha256: bool = True,
) -> Analysis:
    """Read one log and say what happened.

    Args:
        log: a path, ``-`` for standard input, ``archive.zip::member``, or a binary stream.
        reader: name of the reader, where detection is wrong.
        law: law of the averages (see ``logparse.tables``), where the log cannot tell.
        keras: version of Keras that wrote it, like ``3.10``: another way to say the law.
        batch_size: samples in a batch, where the bar counts samples and the log cannot tell.
        select: codes of findings to look for, or their beginnings; all by default.
        ignore: codes not to look for.
        sha256: also compute the hash of the log, which the JSON report states.

    Raises:
        LogparseError: it cannot be read, holds several logs, or an option makes no sense.

    Example:
        >>> analysis = analyze("sample_logs/keras-3.12.0-fit.log")
        >>> analysis.runs["law"].to_list()
        ['mean of means, true end']
    """
    options = _options(reader, law, keras, batch_size, select, ignore, sha256)
    if not isinstance(log, str | os.PathLike):
        return _analyze_stream(log, options)
    spec = os.fspath(log)
    found = list(_sources(spec, options))
    logs = [result for result in found if isinstance(result, Analysis)]
    for result in found:
        if isinstance(result, Failure) and not (result.skipped and logs):
            raise result.error
    if len(logs) > 1:
        names = ", ".join(log.source.name for log in logs[:3])
        raise UsageError(f"{spec}: holds {len(logs)} logs ({names} ...); use analyze_many")
    if not logs:
        raise SourceError(f"{spec}: no log in it")
    return logs[0]


def analyze_many(
    paths: Iterable[str | os.PathLike[str]], **options: Any
) -> Iterator[Analysis | Failure]:
    """Analyse many logs one after the other; one that fails does not stop the rest.

    Args:
        paths: files, folders, globs, archives or ``-``.
        options: as in ``analyze``.
    """
    from logparse.reading.source import expand

    given = _options(**options)
    for path in paths:
        try:
            specs = expand([os.fspath(path)])
        except LogparseError as error:
            yield Failure(os.fspath(path), error)
            continue
        many = specs != [os.fspath(path)]
        for spec in specs:
            yield from _sources(spec, given, skip_foreign=many)


def _options(
    reader: str | None = None,
    law: str | None = None,
    keras: str | None = None,
    batch_size: int | None = None,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    sha256: bool = True,
) -> Options:
    if reader is not None:
        reader_named(reader)
    if law is not None and law not in SHOWN_LAWS:
        raise UsageError(f"no law is called {law!r}; there are {', '.join(map(repr, SHOWN_LAWS))}")
    if keras is not None and law is None:
        law = law_of_keras(keras)
    if batch_size is not None and batch_size < 1:
        raise UsageError("a batch holds at least one sample")
    chosen = tuple(select) if select is not None else None
    return Options(reader, law, keras, batch_size, chosen, tuple(ignore), sha256)


def _sources(
    spec: str, options: Options, *, skip_foreign: bool = False
) -> Iterator[Analysis | Failure]:
    """Every log in one file or archive, analysed; in a folder, what is no log is skipped."""
    sources = open_sources(spec, sha256=options.sha256)
    try:
        for source in sources:
            again = _Again(options, spec if source.path else None, source.name)
            try:
                yield _analyze(source, options, again, search=not skip_foreign)
            except NotALogError as error:
                yield Failure(source.name, error, skipped=skip_foreign)
            except LogparseError as error:
                yield Failure(source.name, error)
    except LogparseError as error:
        yield Failure(spec, error)
    for member in sources.skipped:
        yield Failure(member.name, SourceError(f"{member.name}: {member.reason}"), skipped=True)


def _analyze_stream(stream: IO[bytes], options: Options) -> Analysis:
    source = next(open_sources("-", stdin=cast("BinaryIO", stream), sha256=options.sha256))
    return _analyze(source, options, _Again(options, None, source.name))


def _analyze(source: Source, options: Options, again: _Again, *, search: bool = True) -> Analysis:
    """Read one source to its end; with ``search`` also one whose beginning tells nothing."""
    blocks = source.blocks()
    head, rest = _head(blocks)
    reader, reason = _choose(head, options, search=search)
    if reader is None:
        raise not_a_log(source.name, head)
    pipeline = _Pipeline(reader, options)
    for chunk in _chunks(reader, chain([head], rest)):
        for batch in pipeline.take(chunk):
            again.keep(batch)
    for batch in pipeline.finish():
        again.keep(batch)
    if not pipeline.seen:
        raise not_a_log(source.name, head)
    account = reader.account
    ignored = dict(account.ignored) | ({"byte order mark": source.bom} if source.bom else {})
    info = SourceInfo(
        name=source.name,
        size=account.size + source.bom,
        sha256=source.sha256,
        reader=reader.name,
        reader_reason=reason,
        read=account.read,
        ignored={rule: size for rule, size in ignored.items() if size},
        rejected=account.rejected,
        pending=account.pending,
        lines=pipeline.lines,
        damage=source.damage,
        not_kept=pipeline.not_kept | pipeline.runs.dropped,
    )
    tables, laws = pipeline.tables()
    again.laws, again.order = laws, pipeline.order
    again.numbers = {run.first_byte: run.number for run in pipeline.runs.runs}
    tables["findings"] = _findings(tables, options)
    return Analysis(info, tables, again)


def _chunks(reader: Reader, blocks: Iterator[bytes]) -> Iterator[Chunk]:
    """Chunks of a log; from the second block on, a thread reads while the last one is analysed."""

    def read() -> Iterator[Chunk]:
        for block in blocks:
            yield reader.feed(block)
        yield reader.finish()

    chunks = read()
    for _ in range(2):
        first = next(chunks, None)
        if first is None:
            return
        yield first
    rest = ahead(chunks)
    for chunk in rest:
        # The tables will need it; here the import passes while the thread reads.
        import polars  # noqa: F401

        yield chunk


def _head(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Enough of the log to tell what it is, and the rest."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= HEAD_BYTES:
            break
    return head, blocks


def _choose(head: bytes, options: Options, *, search: bool) -> tuple[Reader | None, str]:
    if options.reader:
        return reader_named(options.reader), "asked for"
    best = guesses(head[:HEAD_BYTES])[0]
    if best.score >= SURE:
        return reader_named(best.reader), best.reason
    if not search:
        return None, best.reason
    # A log may begin with pages of other output: the Keras reader passes over them.
    return KerasLog(), "nothing in its beginning tells, so it was searched to its end"


class _Pipeline:
    """Blocks of one log -> batches of closed epochs, and what is kept of each."""

    def __init__(self, reader: Reader, options: Options) -> None:
        self.reader, self.options = reader, options
        self.runs = Runs(options.batch_size)
        self.parts: dict[int, _RunParts] = {}
        """What is kept of each run, by identity: numbers come at the end."""
        self.rejects: list[Reject] = []
        self.order: dict[str, int] = {}
        """Metrics, numbered as the log shows them first."""
        self.not_kept: dict[str, int] = {}
        self.seen = False

    @property
    def lines(self) -> int:
        return int(getattr(self.reader, "lines", 0))

    def finish(self) -> Iterator[Batch]:
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

        Where one lot ends depends on the epochs only, not on how the log came in blocks.
        """
        run, epochs = batch.run, batch.epochs
        parts = self.parts.get(id(run))
        if parts is None:
            parts = _RunParts(run, clock_laws=_clock_laws(run))
            self.parts[id(run)] = parts
        parts.evidence.counts_samples |= run.counts == "samples"
        parts.evidence.add(epochs)
        for label in batch.labels:
            if label:
                parts.evidence.note(f"Epoch {label}")
        parts.epochs.append(
            {
                "epoch": epochs.epoch,
                "label": batch.labels,
                "steps": epochs.step[epochs.starts[1:] - 1],
                "of": _null_zero(epochs.of),
                "updates": np.diff(epochs.starts),
                "complete": epochs.complete,
                "first_line": batch.first_line,
                "last_line": batch.last_line,
            }
        )
        parts.waiting.append(epochs.thinned(LOT_ROWS))
        while sum(map(len, parts.waiting)) >= (lot := parts.lot()):
            whole = joined(parts.waiting)
            self._summarise(parts, whole.part(0, lot))
            rest = whole.part(lot, len(whole))
            parts.waiting = [rest] if len(rest) else []

    def _summarise(self, parts: _RunParts, epochs: Epochs) -> None:
        """Keep the summary of a lot of epochs; their rows go."""
        laws = clock.clock_laws(epochs, parts.clock_laws)
        parts.clock_laws = int(laws[-1])
        possible = (self.options.law,) if self.options.law else parts.evidence.possible(epochs)
        summary = rebuild.summarise(epochs, possible)
        parts.evidence.weigh(summary.loglik)
        parts.summaries.append(summary)
        for masks, mask in zip(parts.printed, _printed(epochs, summary), strict=True):
            masks.append(mask)
        parts.times.append(clock.summarise(epochs, laws))

    def tables(self) -> tuple[dict[str, pl.DataFrame], dict[int, Law]]:
        """The small tables but ``findings``, and the law of each run."""
        messages = self.runs.messages
        for parts in self.parts.values():
            if parts.run.train_on:
                parts.evidence.note(parts.run.train_on.text)
        for message in messages:
            if id(message.run) in self.parts:
                self.parts[id(message.run)].evidence.note(message.text)
        laws = {parts.run.number: self._law(parts) for parts in self._in_order()}
        summary = getattr(self.reader, "summary", None)
        layers = summary.layers if summary else _empty("layers")
        tables = {
            "runs": frame("runs", self._runs(laws)),
            "epochs": self._epochs(),
            "metrics": self._metrics(laws),
            "messages": frame(
                "messages",
                {key: [getattr(m, key) for m in messages] for key in _empty("messages")}
                | {"run": [m.run.number if m.run else None for m in messages]},
            ),
            "rejects": frame(
                "rejects",
                {key: [getattr(r, key) for r in self.rejects] for key in _empty("rejects")},
            ),
            "layers": frame("layers", layers),
        }
        return tables, laws

    def _in_order(self) -> list[_RunParts]:
        return sorted(self.parts.values(), key=lambda parts: parts.run.number)

    def _law(self, parts: _RunParts) -> Law:
        found = parts.evidence.decide()
        if not self.options.law:
            return found
        asked = f"Keras {self.options.keras}" if self.options.keras else "this law"
        return replace(
            found,
            name=self.options.law,
            reason=f"{asked} was asked for",
            runner_up=None,
            readings=(self.options.law,),
        )

    def _runs(self, laws: dict[int, Law]) -> Columns:
        columns = _empty("runs")
        names = getattr(getattr(self.reader, "channels", None), "names", [None])
        channels = {run.channel for run in self.runs.runs}
        for run in self.runs.runs:
            law = laws.get(run.number) or Law(None, "no update is shown", readings=())
            row = {
                "run": run.number,
                "reader": self.reader.name,
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
        empty = self.runs.empty
        if empty:
            unknown = np.full(len(empty), np.nan)
            known: dict[str, Any] = {
                "run": np.array([epoch.run.number for epoch in empty]),
                "epoch": np.array([epoch.number for epoch in empty]),
                "label": [epoch.label for epoch in empty],
                "steps": np.zeros(len(empty), np.int64),
                "updates": np.zeros(len(empty), np.int64),
                "complete": np.zeros(len(empty), np.bool_),
                "first_line": [epoch.line for epoch in empty],
                "last_line": [epoch.last_line for epoch in empty],
            }
            parts.append({c.name: known.get(c.name, unknown) for c in TABLES["epochs"]})
        table = frame("epochs", _joined(_names("epochs"), parts))
        return table.sort("run", "epoch", maintain_order=True) if empty else table

    def _metrics(self, laws: dict[int, Law]) -> pl.DataFrame:
        import polars as pl

        parts = []
        for run in self._in_order():
            number = run.run.number
            found = rebuild.metric_columns(run.summaries, laws[number].readings)
            parts.append({"run": np.full(len(found["metric"]), number)} | found)
        columns = _joined(_names("metrics"), parts)
        table = frame("metrics", columns)
        # A printed nan or inf stays; what was not printed is null.
        printed = [run.printed for run in self._in_order()]
        for name, shown in zip(
            ("shown", "before", "first"), zip(*printed, strict=True), strict=False
        ):
            there = np.concatenate([mask for part in shown for mask in part] or [np.zeros(0, bool)])
            values = pl.Series(name, columns[name], dtype=pl.Float64).set(pl.Series(~there), None)
            table = table.with_columns(values)
        # In the order in which the log shows them first, however it came in blocks.
        rank = np.array([self.order[name] for name in columns["metric"]], np.int64)
        return table[np.lexsort((rank, columns["epoch"], columns["run"]))]


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


def _clock_laws(run: Run) -> int:
    """Laws of the clock that are possible before any update is seen."""
    told = run.train_on.data if run.train_on else {}
    return int(ClockLaw.BEGIN if told.get("samples") else ANY_LAW)


def _names(table: str) -> list[str]:
    return [column.name for column in TABLES[table]]


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


class _Again:
    """The closed epochs of a log, kept or read again, for the tables that are made on demand."""

    def __init__(self, options: Options, spec: str | None, name: str) -> None:
        self.laws: dict[int, Law] = {}
        self.numbers: dict[int, int] = {}
        """Numbers of the runs, by where they begin."""
        self.order: dict[str, int] = {}
        """Metrics, numbered as the log shows them first."""
        self._options, self._spec, self._name = options, spec, name
        self._kept: list[Batch] | None = []
        self._rows = 0

    def keep(self, batch: Batch) -> None:
        """Keep a batch while the log is short, or cannot be read again."""
        if self._kept is None:
            return
        self._rows += len(batch.line)
        self._kept.append(batch)
        if self._rows > KEPT_ROWS and self._spec is not None:
            self._kept = None

    def frames(self, name: str) -> Iterator[pl.DataFrame]:
        """One of the tables ``updates`` and ``batches``, in parts."""
        clocks: dict[int, int] = {}
        for batch in self._batches():
            run = self.numbers[batch.run.first_byte]
            if name == "updates":
                laws = clock.clock_laws(batch.epochs, clocks.get(run, _clock_laws(batch.run)))
                clocks[run] = int(laws[-1])
                yield frame("updates", _updates(batch, run, laws))
            else:
                law = self.laws[run]
                values = batch.epochs.values
                names = sorted(values, key=lambda name: self.order[name])
                found = rebuild.batches(
                    replace(batch.epochs, values={name: values[name] for name in names}),
                    law.inverse,
                    batch_size=law.batch_size,
                    last_size=law.last_size,
                    late_end=law.late_end,
                )
                yield frame("batches", {"run": np.full(len(found["metric"]), run)} | found)

    def _batches(self) -> Iterator[Batch]:
        if self._kept is not None:
            yield from self._kept
            return
        assert self._spec is not None
        for source in open_sources(self._spec):
            if source.name != self._name:
                continue
            blocks = source.blocks()
            head, rest = _head(blocks)
            reader, _ = _choose(head, self._options, search=True)
            assert reader is not None
            runs = Runs(self._options.batch_size)
            for chunk in _chunks(reader, chain([head], rest)):
                yield from runs.feed(chunk)
            yield from runs.finish()


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
        "of": _null_zero(np.repeat(epochs.of, sizes)),
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


def _findings(tables: dict[str, pl.DataFrame], options: Options) -> pl.DataFrame:
    from logparse.findings.registry import Tables, find

    small = Tables(**{name: tables[name] for name in Tables.__dataclass_fields__})
    found = find(small, select=options.select, ignore=options.ignore)
    return frame("findings", {key: [getattr(f, key) for f in found] for key in _empty("findings")})


def _empty(name: str) -> Columns:
    return {column.name: [] for column in TABLES[name]}


def _null_zero(values: Ints) -> Floats:
    """Counts with nan, which tables hold as null, for 0."""
    return np.where(values == 0, np.nan, values)
