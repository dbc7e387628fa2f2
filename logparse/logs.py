"""What a user named -> the logs in it, each ready to be read: a text, or the event files of a run.

A text is read as it comes. Event files are read twice, so those in an archive or a pipe are kept
until it ends; then every run among them is a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from logparse.again import Again, text_again
from logparse.errors import LogparseError, NotALogError, SourceError
from logparse.pipeline import Options
from logparse.reading.event_names import is_empty_profile
from logparse.reading.paths import MEMBER_SIGN, STDIN_NAME, is_folder
from logparse.reading.source import Source, Sources, Upload, open_sources
from logparse.stream import Log, Recognised, TextLog

if TYPE_CHECKING:
    from logparse.reading.event_log import EventLog
    from logparse.reading.event_runs import EventFile
    from logparse.reading.event_source import Spool


@dataclass(frozen=True, slots=True)
class Failure:
    """A log that could not be analysed, and why."""

    name: str
    error: LogparseError
    skipped: bool = False
    """A member of an archive that is no log, like a link: passed over on purpose."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A log to be read before the next one is asked for, and what makes its large tables."""

    log: Log
    again: Again


def open_logs(
    spec: str | Upload, options: Options, *, skip_foreign: bool = False
) -> Iterator[Opened | Failure]:
    """Every log in a file or archive, or the run of event files in a folder.

    Args:
        spec: as ``expand`` gives it, or a file in memory.
        options: how to read.
        skip_foreign: pass over what is no log without searching it to its end.
    """
    name = spec.name if isinstance(spec, Upload) else spec
    try:
        if isinstance(spec, str) and is_folder(spec):
            yield _run_in(spec, options)
            return
    except LogparseError as error:
        yield Failure(name, error)
        return
    sources = open_sources(spec, sha256=options.sha256)
    yield from _open_sources(sources, spec, options, skip_foreign=skip_foreign)
    for member in sources.skipped:
        yield Failure(member.name, SourceError(f"{member.name}: {member.reason}"), skipped=True)


def open_stream(stream: object, options: Options) -> Opened | Failure:
    """The first log in a binary stream."""
    sources = open_sources("-", stdin=cast("BinaryIO", stream), sha256=options.sha256)
    return next(_open_sources(sources, None, options))


def _open_sources(
    sources: Sources, spec: str | Upload | None, options: Options, *, skip_foreign: bool = False
) -> Iterator[Opened | Failure]:
    spool: Spool | None = None
    whole = STDIN_NAME
    try:
        for source in sources:
            whole = source.name.partition(MEMBER_SIGN)[0] if source.member else source.name
            if source.member and is_empty_profile(source.member):
                yield Failure(source.name, SourceError(f"{source.name}: no event"), skipped=True)
                continue
            try:
                found = Recognised(
                    source, options.reader, search=not skip_foreign, progress=options.progress
                )
                if not found.is_events:
                    yield Opened(TextLog(found), _again(spec, source, options))
                elif isinstance(spec, str) and source.path and not source.member:
                    yield _one_file(spec, source.name, options)
                else:
                    spool = spool or _spool(on_disk=not isinstance(spec, Upload))
                    spool.add(source.member or source.name, found.blocks)
            except NotALogError as error:
                yield Failure(source.name, error, skipped=skip_foreign)
            except LogparseError as error:
                yield Failure(source.name, error)
    except LogparseError as error:
        yield Failure(spec.name if isinstance(spec, Upload) else spec or whole, error)
    for run, files in (spool.runs() if spool else {}).items():
        inside = files[0].name if len(files) == 1 else run
        plain = inside in (".", whole)
        title = whole if plain else f"{whole}{MEMBER_SIGN}{inside}"
        try:
            yield _opened(_event_log(title, files, options), options)
        except LogparseError as error:
            yield Failure(title, error)


def _again(spec: str | Upload | None, source: Source, options: Options) -> Again:
    name = source.name
    if spec is None or (isinstance(spec, str) and not source.path):
        return Again(options)
    return Again(options, lambda: text_again(spec, name, options))


def _spool(*, on_disk: bool) -> Spool:
    from logparse.reading.event_source import Spool

    return Spool(on_disk=on_disk)


def _run_in(folder: str, options: Options) -> Opened:
    from logparse.reading.event_source import run_files

    files, own_name = run_files(folder)
    return _opened(_event_log(folder, files, options, own_name), options)


def _one_file(path: str, title: str, options: Options) -> Opened:
    from logparse.reading.event_source import one_file

    return _opened(_event_log(title, [one_file(path)], options), options)


def _event_log(
    title: str, files: list[EventFile], options: Options, own_name: str = ""
) -> EventLog:
    from logparse.reading.event_log import EventLog
    from logparse.reading.event_runs import group_runs

    segments = [s for run in group_runs(files, own_name).values() for s in run]
    return EventLog(title, segments, restarts=options.restarts, sha256=options.sha256)


def _opened(log: EventLog, options: Options) -> Opened:
    return Opened(log, Again(options, log.chunks, log.scalars))
