"""A log -> its ``Analysis``: read, rebuilt, timed and judged, epoch by epoch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from logparse.again import Again
from logparse.errors import LogparseError, NotALogError, SourceError, UsageError
from logparse.findings.thresholds import Thresholds, checked
from logparse.logs import Failure, Opened, open_logs, open_stream
from logparse.pipeline import Options, Pipeline
from logparse.reading.detect import EVENTS, check_name
from logparse.reading.event_names import RESTARTS, Restarts
from logparse.reading.paths import expand, is_folder
from logparse.reading.source import Upload
from logparse.result import Analysis, SourceInfo
from logparse.stream import Progress
from logparse.tables import empty, frame
from logparse.together import Together, together
from logparse.training.versions import SHOWN_LAWS, law_of_keras

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Analysis", "Failure", "SourceInfo", "analyze", "analyze_many"]


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
    restarts: Restarts = "keep",
    events: str | os.PathLike[str] | None = None,
    thresholds: Thresholds | None = None,
) -> Analysis:
    """Read one log and say what happened.

    Args:
        log: a path, ``-`` for standard input, ``archive.zip::member``, a URL, or a binary stream.
            A folder must hold one log: a text, or the TensorBoard event files of one run.
        reader: name of the reader, where detection is wrong.
        law: law of the averages (see ``logparse.tables``), where the log cannot tell.
        keras: version of Keras that wrote it, like ``3.10``: another way to say the law.
        batch_size: samples in a batch, where the bar counts samples and the log cannot tell.
        select: codes of findings to look for, or their beginnings; all by default.
        ignore: codes not to look for.
        sha256: also compute the hash of the log, which the JSON report states.
        restarts: what to do where several fits wrote events into one folder: ``keep`` all,
            ``segment`` (each file is a run of its own), or ``preempt`` (a later fit replaces the
            epochs that it does again).
        events: the TensorBoard events of the same run, where ``log`` is its text: batch values
            and times are then those of the events, and a finding says where the two disagree.
        thresholds: what is set of rules, like ``{"LP201": {"min-ratio": 1.3}}``.

    Raises:
        LogparseError: it cannot be read, holds several logs, or an option makes no sense.

    Example:
        >>> analysis = analyze("sample_logs/keras-3.12.0-fit.log")
        >>> analysis.runs["law"].to_list()
        ['mean of means, true end']
    """
    options = options_of(
        reader,
        law,
        keras,
        batch_size,
        select,
        ignore,
        sha256,
        restarts=restarts,
        thresholds=thresholds,
    )
    found = _single(log, options)
    if events is None:
        return found
    return _together(found, _single(events, replace(options, reader=None)), options)


def _single(log: str | os.PathLike[str] | IO[bytes], options: Options) -> Analysis:
    """The one log that is named.

    Raises:
        LogparseError: it cannot be read, or there are several.
    """
    if not isinstance(log, str | os.PathLike):
        first = open_stream(log, options)
        if isinstance(first, Failure):
            raise first.error
        return analysis_of_log(first, options)
    spec = os.fspath(log)
    specs = expand([spec]) if is_folder(spec) else [spec]
    many = specs != [spec]
    found = [result for one in specs for result in _sources(one, options, skip_foreign=many)]
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
        options: as in ``analyze`` (``events`` goes with one path only); and ``progress``, which
            is called with the name of a log, the bytes read so far and its size, if known. What
            it raises ends the work.
    """
    if (events := options.pop("events", None)) is not None:
        yield _with_events(list(paths), events, options)
        return
    given = options_of(**options)
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


def _with_events(
    paths: list[Any], events: str | os.PathLike[str], options: dict[str, Any]
) -> Analysis | Failure:
    if len(paths) != 1:
        raise UsageError("events are those of one training: give one log with them")
    try:
        return analyze(paths[0], events=events, **options)
    except LogparseError as error:
        return Failure(str(paths[0]), error)


def _together(text: Analysis, events: Analysis, options: Options) -> Analysis:
    """One analysis of a text and the events of the same run.

    Raises:
        UsageError: they are not a text and events.
    """
    if text.source.reader == EVENTS:
        raise UsageError(f"{text.source.name}: TensorBoard events; name the text that fit printed")
    if events.source.reader != EVENTS:
        raise UsageError(f"{events.source.name}: no TensorBoard events")
    source, tables, again = together(text, events)
    return _with_findings(source, tables, again, options)


def analyze_file(path: str, **options: Any) -> Iterator[Analysis | Failure]:
    """Analyse each log in a file found in a folder; what is no log is skipped, and says so."""
    yield from _sources(path, options_of(**options), skip_foreign=True)


def options_of(
    reader: str | None = None,
    law: str | None = None,
    keras: str | None = None,
    batch_size: int | None = None,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    sha256: bool = True,
    progress: Progress | None = None,
    restarts: Restarts = "keep",
    thresholds: Thresholds | None = None,
) -> Options:
    """The keywords of ``analyze`` as checked options.

    Raises:
        UsageError: one of them makes no sense.
    """
    if reader is not None:
        check_name(reader)
    if law is not None and law not in SHOWN_LAWS:
        raise UsageError(f"no law is called {law!r}; there are {', '.join(map(repr, SHOWN_LAWS))}")
    if keras is not None and law is None:
        law = law_of_keras(keras)
    if batch_size is not None and batch_size < 1:
        raise UsageError("a batch holds at least one sample")
    if restarts not in RESTARTS:
        raise UsageError(f"restarts is one of {', '.join(RESTARTS)}, not {restarts!r}")
    for code, numbers in (thresholds or {}).items():
        for name, number in numbers.items():
            checked(code, name, number)
    chosen = tuple(select) if select is not None else None
    return Options(
        reader,
        law,
        keras,
        batch_size,
        chosen,
        tuple(ignore),
        sha256,
        progress,
        restarts,
        thresholds,
    )


def _sources(
    spec: str | Upload, options: Options, *, skip_foreign: bool = False
) -> Iterator[Analysis | Failure]:
    """Every log in one file or archive, analysed; in a folder, what is no log is skipped."""
    for found in open_logs(spec, options, skip_foreign=skip_foreign):
        if isinstance(found, Failure):
            yield found
            continue
        try:
            yield analysis_of_log(found, options)
        except NotALogError as error:
            yield Failure(found.log.title, error, skipped=skip_foreign)
        except LogparseError as error:
            yield Failure(found.log.title, error)


def analysis_of_log(opened: Opened, options: Options) -> Analysis:
    """Read one log to its end.

    Raises:
        LogparseError: it cannot be read on, or there is nothing in it.
    """
    log, again = opened.log, opened.again
    pipeline = Pipeline(log, options)
    for chunk in log.chunks():
        for batch in pipeline.take(chunk):
            again.keep(batch)
    for batch in pipeline.finish():
        again.keep(batch)
    if not pipeline.seen and not log.plain:
        raise log.nothing()
    return analysis_of(pipeline, again)


def analysis_of(pipeline: Pipeline, again: Again) -> Analysis:
    """What a pipeline that has finished makes of its log."""
    log, options = pipeline.log, pipeline.options
    account = log.account
    not_kept = (pipeline.not_kept, log.not_kept, pipeline.runs.dropped)
    info = SourceInfo(
        name=log.title,
        size=account.size,
        sha256=log.sha256,
        reader=log.name,
        reader_reason=log.reason,
        read=account.read,
        ignored=dict(account.ignored),
        rejected=account.rejected,
        pending=account.pending,
        lines=log.lines,
        damage=log.damage,
        not_kept=dict(sum(map(Counter, not_kept), Counter[str]())),
    )
    tables, laws = pipeline.tables()
    again.laws, again.order = laws, pipeline.order
    shown = set(tables["metrics"]["metric"].to_list())
    again.metrics = sorted(shown, key=pipeline.order.__getitem__)
    again.numbers = {run.first_byte: run.number for run in pipeline.runs.runs}
    return _with_findings(info, tables, again, options)


def _with_findings(
    source: SourceInfo, tables: dict[str, pl.DataFrame], again: Again | Together, options: Options
) -> Analysis:
    """The analysis with its tables ``findings`` and ``unjudged``."""
    from logparse.findings.registry import chosen, find
    from logparse.findings.unjudged import unjudged

    made = Analysis(source, tables, again)
    select, ignore = options.select, options.ignore
    found = find(made.judged, select=select, ignore=ignore, thresholds=options.thresholds)
    silent = [one for one in unjudged(made.judged) if chosen(one.code, select, ignore)]
    tables["findings"] = frame("findings", _columns("findings", found))
    tables["unjudged"] = frame("unjudged", _columns("unjudged", silent))
    return made


def _columns(name: str, rows: Sequence[object]) -> dict[str, list[Any]]:
    return {key: [getattr(row, key) for row in rows] for key in empty(name)}
