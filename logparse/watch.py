"""Growing logs in, lines of what is new out: epochs, findings, what happens to the files."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from logparse.analysis import Analysis, options_of
from logparse.errors import LogparseError, SourceError, UsageError
from logparse.hook import Runner
from logparse.live import Live
from logparse.pipeline import Options
from logparse.reading.event_names import events_in, is_event_file
from logparse.reading.follow import Follower, News
from logparse.reading.paths import is_text
from logparse.reading.records import Chunk
from logparse.reports import words
from logparse.reports.safe import visible
from logparse.reports.watched import Row, Screen, epoch_text, progress, status

INTERVAL = 0.5
"""Seconds between two looks at the files."""

LOOK = 1.0
"""Least seconds between two analyses of a log that grows."""

COST = 10
"""Times that an analysis took which must pass before the next."""

QUIET = 2.0
"""Seconds without news after which a training whose last epoch is done has ended."""

ONCE = ("LP0", "LP101", "LP103", "LP104", "LP105", "LP106")
"""Findings that explain how to read the log: said once for a metric, not in every epoch."""

EARLY_STOP = "early stopping"
"""Kind of the message that ends a training before its last epoch."""


class Source(Protocol):
    """A log that grows."""

    @property
    def size(self) -> int:
        """Bytes read so far."""
        ...

    def poll(self) -> Iterator[bytes | News]:
        """What is new; empty if nothing is."""
        ...

    def analysis(self) -> Analysis | None:
        """What it says so far."""
        ...


class TextSource:
    """A file in text: every byte is read once.

    Args:
        path: the file.
        options: as of ``analyze``.
        title: what it is called, if not by its path.
        chunks: as of ``Live``.
    """

    def __init__(
        self,
        path: str,
        options: Options,
        title: str | None = None,
        chunks: Callable[[], Iterator[Chunk]] | None = None,
    ) -> None:
        self._follower = Follower(path)
        self._live = Live(title or printable(path), options, chunks)

    @property
    def size(self) -> int:
        """Bytes read so far."""
        return self._follower.size

    def poll(self) -> Iterator[bytes | News]:
        """Read on."""
        for item in self._follower.poll():
            if isinstance(item, bytes):
                self._live.feed(item)
            yield item

    def analysis(self) -> Analysis | None:
        """What was read so far."""
        return self._live.analysis()


class AnySource:
    """What is not there yet: a file in text, or the event files of a run."""

    def __init__(self, path: str, options: Options) -> None:
        self._path, self._options = path, options
        self._source: Source | None = None

    @property
    def size(self) -> int:
        """Bytes read so far."""
        return self._source.size if self._source else 0

    def poll(self) -> Iterator[bytes | News]:
        """Read on, once it is there."""
        if self._source is None and os.path.lexists(self._path):
            self._source = source_of(self._path, self._options)
            yield News("appeared", "is there now")
        if self._source:
            yield from self._source.poll()

    def analysis(self) -> Analysis | None:
        """What was read so far."""
        return self._source.analysis() if self._source else None


def source_of(path: str, options: Options) -> Source:
    """What reads a log that grows."""
    if not os.path.lexists(path):
        return AnySource(path, options)
    if os.path.isdir(path) or (is_event_file(path) and not is_text(path)):
        from logparse.live_events import LiveEvents

        return LiveEvents(path, options)
    return TextSource(path, options)


def printable(path: str) -> str:
    """A path as it is shown."""
    return visible(os.fsencode(path).decode("utf-8", "backslashreplace"))


@dataclass(slots=True)
class Watched:
    """One log under watch, and what was said of it."""

    path: str
    source: Source
    name: str
    epochs: set[tuple[int, int]] = field(default_factory=set)
    findings: set[tuple[Any, ...]] = field(default_factory=set)
    news_at: float = 0.0
    """When bytes came last."""
    due: float = 0.0
    """When it may be analysed next."""
    dirty: bool = False
    begun: bool = False
    stalled: bool = False
    ended: bool = False
    finished: bool = False
    """Its last epoch is done, as far as the log tells."""
    between: bool = False
    """An epoch is done, and nothing tells how many are to come."""
    patience: float = QUIET
    status: str = ""
    measured: list[tuple[float, float]] = field(default_factory=list)
    """Time and epochs done, as seen here: the speed of a log that shows no times."""


class Watch:
    """Follows several logs.

    Args:
        paths: files in text, event files, or folders of them.
        options: of ``analyze``.
        screen: where lines go.
        stall: seconds without news after which it warns; 0 for never.
        runner: is started for each finding and each stall.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        paths: Sequence[str],
        options: dict[str, Any],
        screen: Screen,
        *,
        stall: float = 0.0,
        runner: Runner | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.screen, self.stall, self.runner, self.clock = screen, stall, runner, clock
        self.failed: list[str] = []
        self._names = short_names(paths)
        self.logs = [self._watched(path, options) for path in dict.fromkeys(paths)]

    def _watched(self, path: str, options: dict[str, Any]) -> Watched:
        if os.path.isdir(path) and not events_in(path):
            raise UsageError(f"{path}: a folder without event files; name the logs in it")
        source = source_of(path, options_of(**options))
        return Watched(path, source, self._names[path], news_at=self.clock())

    def look(self) -> None:
        """One look at all logs."""
        for log in list(self.logs):
            try:
                self._look_at(log)
            except LogparseError as error:
                self.logs.remove(log)
                self.failed.append(str(error))
                sys.stderr.write(f"logparse: {visible(str(error))}\n")
        self.screen.status(log.status for log in self.logs if log.status)

    def _look_at(self, log: Watched) -> None:
        for item in log.source.poll():
            if isinstance(item, News):
                self.screen.say(f"{log.name}: {item.text}")
                continue
            if log.stalled:
                quiet = words.duration(round(self.clock() - log.news_at))
                self.screen.say(f"{log.name}: goes on after {quiet} without news")
            log.news_at, log.dirty, log.stalled, log.ended = self.clock(), True, False, False
        now = self.clock()
        if log.dirty and now >= log.due:
            analysis = log.source.analysis()
            cost = self.clock() - now
            log.dirty, log.due = False, now + max(LOOK, COST * cost)
            if analysis is not None:
                self._tell(log, analysis)
        elif not log.dirty:
            self._quiet(log, now - log.news_at)

    def _quiet(self, log: Watched, seconds: float) -> None:
        """Nothing came for so many seconds: it has ended, or stalls."""
        if log.finished and not log.ended and seconds >= log.patience:
            log.ended = True
            self.screen.say(f"{log.name}: the training has ended")
        if self.stall and not log.ended and not log.stalled and seconds >= self.stall:
            log.stalled = True
            text = f"no news for {words.duration(round(seconds))}"
            log.ended = log.between
            then = "its last epoch is done, so this is taken for the end"
            then = then if log.ended else "is the training still running?"
            self.screen.say(f"{log.name}: {text}; {then}")
            self._run(log, {"code": "stall", "severity": "warning", "message": text})

    def _tell(self, log: Watched, analysis: Analysis) -> None:
        """Say what is new in an analysis."""
        epochs = analysis.epochs.rows(named=True)
        fresh = [e for e in epochs if e["complete"] and (e["run"], e["epoch"]) not in log.epochs]
        log.epochs.update((e["run"], e["epoch"]) for e in fresh)
        if not log.begun and len(fresh) > 1:
            self.screen.say(f"{log.name}: {len(fresh):,} epochs are there already; the last one:")
            del fresh[:-1]
        log.begun = True
        of = {run["run"]: run["of"] for run in analysis.runs.rows(named=True)}
        many = analysis.runs.height > 1
        for epoch in fresh:
            self.screen.say(f"{log.name}: {epoch_text(analysis, epoch, of, many=many)}")
        for row in analysis.findings.rows(named=True):
            self._finding(log, row, epochs)
        if epochs:
            last = epochs[-1]
            now = self.clock()
            log.measured.append((now, progress(last)))
            del log.measured[1:-20]
            log.status = f"{log.name}  {status(analysis, last, of, log.measured)}"
            self._judge_end(log, analysis, last, of[last["run"]])

    def _finding(self, log: Watched, row: Row, epochs: list[Row]) -> None:
        """Say a finding once; what may only be there because the epoch is not over, later."""
        place = None if row["code"].startswith(ONCE) else row["epoch"]
        key = (row["code"], row["run"], place, row["metric"])
        last = epochs[-1] if epochs else None
        if row["code"] == "LP002" or key in log.findings:
            return
        open_ = (last["run"], last["epoch"]) if last and not last["complete"] else None
        if (row["run"], row["epoch"]) == open_ and not row["code"].startswith("LP3"):
            return
        log.findings.add(key)
        where = f"epoch {row['epoch']}: " if row["epoch"] is not None else ""
        text = visible(row["message"])
        self.screen.say(f"{log.name}: {row['severity']} {row['code']}: {where}{text}")
        self._run(log, row)

    def _run(self, log: Watched, facts: Row) -> None:
        if self.runner:
            problem = self.runner.start({"log": log.path} | facts)
            if problem:
                sys.stderr.write(f"logparse: {visible(problem)}\n")

    def _judge_end(self, log: Watched, analysis: Analysis, last: Row, of: int | None) -> None:
        """Whether the log says that its last epoch is done."""
        messages = analysis.messages
        stopped = messages.height and messages["kind"][-1] == EARLY_STOP
        log.finished = bool(last["complete"] and (stopped or (of and last["epoch"] >= of)))
        log.between = bool(last["complete"] and not of)
        # An outer loop announces one epoch each time: the next one may be about to begin.
        alone = of == 1 and not stopped
        log.patience = max(QUIET, 10.0, 3 * (last["seconds"] or 0.0)) if alone else QUIET

    @property
    def over(self) -> bool:
        """Every log has ended."""
        return bool(self.logs) and all(log.ended for log in self.logs)


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """What to call each file: its own name, if no other has the same, else its path."""
    last = {path: os.path.basename(os.path.abspath(path)) for path in paths}
    known = Counter(last.values())
    return {path: printable(name if known[name] == 1 else path) for path, name in last.items()}


def check_sources(paths: Sequence[str]) -> None:
    """Refuse what cannot be followed.

    Raises:
        SourceError: standard input or a URL.
    """
    for path in paths:
        if path == "-" or "://" in path:
            raise SourceError(f"{path}: only files on disk can be followed")
