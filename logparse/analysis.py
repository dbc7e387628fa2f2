"""A log -> its ``Analysis``: read, rebuilt, timed and judged, epoch by epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, cast

from logparse.again import Again
from logparse.errors import LogparseError, NotALogError, SourceError, UsageError
from logparse.pipeline import Options, Pipeline
from logparse.reading.detect import not_a_log, reader_named
from logparse.reading.source import Source, Upload, open_sources
from logparse.stream import choose, chunks_of, head_of, watched
from logparse.tables import TABLES, empty, frame
from logparse.training.versions import SHOWN_LAWS, law_of_keras

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    import polars as pl


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


class Analysis:
    """Everything known about one log, as the tables of ``logparse.tables``.

    Attributes:
        source: what was read and where each byte went.
        runs, epochs, metrics, findings, messages, rejects, layers, models: polars frames.
    """

    def __init__(self, source: SourceInfo, tables: dict[str, pl.DataFrame], again: Again) -> None:
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
    models = property(lambda self: self._tables["models"])

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
                pl.concat(parts, how="diagonal") if parts else frame(name, empty(name))
            )
        return self._tables[name]

    def side_by_side(self, most: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """The tables ``updates`` and ``batches`` in parts, from one reading of the log.

        Args:
            most: updates of an epoch that batches are rebuilt from; of more, some are passed over
                and the intervals between the others are longer.
        """
        return self._again.side_by_side(most)

    def to_pandas(self, name: str) -> pd.DataFrame:
        """One of the tables as a pandas frame; needs the extra ``logparse[pandas]``."""
        return self.table(name).to_pandas()

    def to_json(self, *, full: bool = False) -> str:
        """The JSON report, with ``updates`` and ``batches`` if ``full``."""
        from logparse.reports.json import document

        return document(self, full=full)

    def plot(
        self, kind: Literal["curves", "times", "steps"] = "curves", **options: Any
    ) -> go.Figure:
        """A plotly figure of this log; see ``logparse.reports.figures`` for the options of each.

        Args:
            kind: ``curves`` of one metric, ``times`` of the epochs, or ``steps``: time a step.
            options: as of the function of that name; ``curves`` draws the first metric by default.

        Raises:
            UsageError: there is no such figure, or the log has nothing to show in it.
        """
        from logparse.reports import figures

        if kind == "curves":
            names = [metric.name for metric in figures.metrics_of(self)]
            if not names:
                raise UsageError(f"no metric in {self.source.name}")
            return figures.curves(self, options.pop("metric", names[0]), **options)
        if kind not in ("times", "steps"):
            raise UsageError(f"no figure {kind!r}; there are curves, times and steps")
        return (figures.times if kind == "times" else figures.steps)(self, **options)

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
    paths: Iterable[str | os.PathLike[str] | Upload], **options: Any
) -> Iterator[Analysis | Failure]:
    """Analyse many logs one after the other; one that fails does not stop the rest.

    Args:
        paths: files, folders, globs, archives, ``-``, or files held in memory.
        options: as in ``analyze``; and ``progress``, which is called with the name of a log, the
            bytes read so far and its size, if known. What it raises ends the work.
    """
    from logparse.reading.source import expand

    given = _options(**options)
    for path in paths:
        if isinstance(path, Upload):
            yield from _sources(path, given)
            continue
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
    progress: Callable[[str, int, int | None], None] | None = None,
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
    return Options(reader, law, keras, batch_size, chosen, tuple(ignore), sha256, progress)


def _sources(
    spec: str | Upload, options: Options, *, skip_foreign: bool = False
) -> Iterator[Analysis | Failure]:
    """Every log in one file or archive, analysed; in a folder, what is no log is skipped."""
    sources = open_sources(spec, sha256=options.sha256)
    try:
        for source in sources:
            in_memory = isinstance(spec, Upload)
            again = Again(options, spec if source.path or in_memory else None, source.name)
            try:
                yield _analyze(source, options, again, search=not skip_foreign)
            except NotALogError as error:
                yield Failure(source.name, error, skipped=skip_foreign)
            except LogparseError as error:
                yield Failure(source.name, error)
    except LogparseError as error:
        yield Failure(spec.name if isinstance(spec, Upload) else spec, error)
    for member in sources.skipped:
        yield Failure(member.name, SourceError(f"{member.name}: {member.reason}"), skipped=True)


def _analyze_stream(stream: IO[bytes], options: Options) -> Analysis:
    source = next(open_sources("-", stdin=cast("BinaryIO", stream), sha256=options.sha256))
    return _analyze(source, options, Again(options, None, source.name))


def _analyze(source: Source, options: Options, again: Again, *, search: bool = True) -> Analysis:
    """Read one source to its end; with ``search`` also one whose beginning tells nothing."""
    blocks = watched(source, options.progress)
    head, rest = head_of(blocks)
    reader, reason = choose(head, options.reader, search=search)
    if reader is None:
        raise not_a_log(source.name, head)
    pipeline = Pipeline(reader, options)
    for chunk in chunks_of(reader, chain([head], rest)):
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


def _findings(tables: dict[str, pl.DataFrame], options: Options) -> pl.DataFrame:
    from logparse.findings.registry import Tables, find

    small = Tables(**{name: tables[name] for name in Tables.__dataclass_fields__})
    found = find(small, select=options.select, ignore=options.ignore)
    return frame("findings", {key: [getattr(f, key) for f in found] for key in empty("findings")})
