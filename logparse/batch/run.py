"""A tree of logs in, a folder of reports out, brought up to date with little work."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from logparse.batch.dataset import write_dataset
from logparse.batch.executors import Workers
from logparse.batch.find import Found, digest, found_in
from logparse.batch.folder import Folder
from logparse.batch.progress import Progress
from logparse.batch.state import Known, State
from logparse.batch.work import Done, Entry, Log, Task, code_version, work_all
from logparse.errors import LogparseError, UsageError
from logparse.reading.archives import printable

TOGETHER = 24
"""Small logs that a worker reads together; more make an interruption cost more."""

SMALL = 1 << 20
"""Bytes up to which a log is small: beyond, its own size decides what it costs."""

_OURS = re.compile(r"-[0-9a-f]{12}\.html\Z")
"""How the names of pages end."""


@dataclass(slots=True)
class Summary:
    """What a report did.

    Attributes:
        index: path of the index page.
        read, failed, skipped: logs in the report by status; ``skipped`` are no training logs.
        worst: logs read, by the severity of their worst finding, empty for none.
        new: files read now; the rest was known.
        removed: files that are gone.
        failures: name and reason of each log that could not be read.
        stages: seconds of processor time of the workers by stage.
    """

    index: str = ""
    read: int = 0
    failed: int = 0
    skipped: int = 0
    worst: dict[str, int] = field(default_factory=dict)
    new: int = 0
    removed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)


class StrictError(LogparseError):
    """A log failed, and ``strict`` was asked for."""


def report(
    tree: str,
    out: str,
    workers: Workers,
    *,
    options: dict[str, Any] | None = None,
    strict: bool = False,
    force: bool = False,
    quiet: bool = True,
) -> Summary:
    """Report on all logs below ``tree`` in the folder ``out``.

    What an earlier call noted there is used: a file whose content, options and version of
    logparse are the same is not read again. A call that was interrupted is taken up where it was.

    Args:
        tree: a folder, a file, a glob or a URL.
        out: a folder; made if need be.
        workers: what reads the logs, from ``executors.workers``.
        options: of ``analyze``.
        strict: stop at the first log that cannot be read.
        force: write to a folder that holds files that logparse did not write.
        quiet: show no progress.

    Raises:
        LogparseError: nothing is there to read, or nothing can be written.
        StrictError: see ``strict``; what was read so far is kept.
    """
    options = options or {}
    found = found_in(tree, without=out)
    folder = Folder(out, force=force)
    try:
        state = State(folder.notes)
        try:
            batch = _Batch(tree, folder, state, options)
            batch.forget(found)
            batch.read(found, workers, strict=strict, quiet=quiet)
            batch.write()
            return batch.summary()
        finally:
            state.close()
    finally:
        folder.close()


class _Batch:
    """One call of ``report``."""

    def __init__(self, tree: str, folder: Folder, state: State, options: dict[str, Any]) -> None:
        self.tree, self.folder, self.state, self.options = tree, folder, state, options
        self.code = code_version()
        told = json.dumps([self.code, sorted(options.items())], default=list)
        self.key = hashlib.sha256(told.encode()).hexdigest()[:16]
        self.known = state.files()
        self.result = Summary()

    def forget(self, found: list[Found]) -> None:
        """Drop the files that are gone, and their pages."""
        gone = self.known.keys() - {file.ident for file in found}
        for ident in gone:
            self.folder.remove_pages(self.known[ident].pages)
        self.state.remove(gone)
        self.result.removed = len(gone)

    def read(self, found: list[Found], workers: Workers, *, strict: bool, quiet: bool) -> None:
        """Read what is new or changed."""
        todo = [file for file in found if not self._unchanged(file)]
        progress = Progress(len(todo), sum(file.size for file in todo), quiet=quiet)
        try:
            for file, done in self._results(todo, workers):
                failed = self._take(file, done)
                progress.done(file.size, len(failed))
                if strict and failed:
                    raise _strict(failed[0].entry)
        finally:
            progress.end()
        if strict:
            for entry in self.state.entries():
                if entry["status"] == "failed":
                    raise _strict(entry)

    def _sure(self, file: Found) -> Known | None:
        """What is known of a file, if it was read in the same way and its pages are there."""
        known = self.known.get(file.ident)
        fits = known and known.key == self.key and self.folder.pages.issuperset(known.pages)
        return known if fits else None

    def _unchanged(self, file: Found) -> bool:
        known = self._sure(file)
        return bool(known and file.stamp and known.stamp == file.stamp)

    def _results(self, todo: list[Found], workers: Workers) -> Iterator[tuple[Found, Done]]:
        """What the workers make of the files, as it comes; what fails in one is a result, too."""
        lots = _lots(todo, max(1, min(TOGETHER, len(todo) // workers.window)))
        running: dict[Future[list[Done | Exception]], list[Found]] = {}
        try:
            while True:
                for lot in islice(lots, max(workers.window - len(running), 0)):
                    running[workers.executor.submit(work_all, self._tasks(lot))] = lot
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    lot = running.pop(future)
                    if len(lot) > 1 and _is_lost(future):
                        # One of them may be at fault: each goes alone.
                        for file in lot:
                            again = workers.executor.submit(work_all, self._tasks([file]))
                            running[again] = [file]
                    else:
                        yield from zip(lot, _outcomes(future, lot), strict=True)
        finally:
            for future in running:
                future.cancel()

    def _tasks(self, files: list[Found]) -> list[Task]:
        known = [self._sure(file) for file in files]
        return [
            Task(file.path, file.name, self.options, one.sha256 if one else None, self.code)
            for file, one in zip(files, known, strict=True)
        ]

    def _take(self, file: Found, done: Done) -> list[Log]:
        """Write the pages of a file and note it; the logs in it that failed."""
        for stage, seconds in done.stages.items():
            self.result.stages[stage] = self.result.stages.get(stage, 0.0) + seconds
        if done.logs is None:
            self.state.touch(file.ident, file.stamp)
            return []
        self.result.new += 1
        old = self.known[file.ident].pages if file.ident in self.known else []
        self.folder.remove_pages(set(old) - {log.page for log in done.logs})
        for log in done.logs:
            if log.html:
                self.folder.write_page(log.page, log.html)
        failed = [log for log in done.logs if log.status == "failed"]
        # What could not be opened may be there next time, though the file itself is the same.
        self.state.put(file.ident, file.stamp if done.sha256 else "", self.key, done)
        return failed

    def write(self) -> None:
        """Write what shows all logs at once, if anything changed."""
        from logparse.batch.index import index_page
        from logparse.reports.html import script_text

        state, folder = self.state, self.folder
        # Of a run that was killed after it wrote a page and before it noted it.
        listed = {page for known in state.files().values() for page in known.pages}
        folder.remove_pages(page for page in folder.pages - listed if _OURS.search(page))
        other = state.get("written") != self._shape()
        if other or folder.missing("plotly.min.js"):
            folder.write(script_text().encode(), "plotly.min.js")
        if other or state.stale() or folder.missing("index.html"):
            folder.write(index_page(list(state.entries()), self.tree).encode(), "index.html")
        write_dataset(folder, state, everything=other)
        state.set("written", self._shape())
        state.fresh()

    def _shape(self) -> str:
        """What the index and the data set depend on beside the logs."""
        return f"{self.code} {digest(self.tree)}"

    def summary(self) -> Summary:
        """What was done, and what the report holds."""
        result = self.result
        result.index = os.path.join(self.folder.path, "index.html")
        for (status, worst), n in self.state.counts().items():
            if status == "read":
                result.read += n
                result.worst[worst] = result.worst.get(worst, 0) + n
            elif status == "failed":
                result.failed += n
            else:
                result.skipped += n
        if result.failed:
            entries = self.state.entries()
            failed = [entry for entry in entries if entry["status"] == "failed"]
            result.failures = sorted((entry["log"], entry["reason"]) for entry in failed)
        return result


def _strict(entry: Entry) -> StrictError:
    return StrictError(f"{entry['log']}: {entry['reason']} (--strict stops at it)")


def _lots(files: list[Found], most: int) -> Iterator[list[Found]]:
    """Files that one worker reads together: small ones, at most so many."""
    lot: list[Found] = []
    for file in files:
        if file.size > SMALL:
            yield [file]
            continue
        lot.append(file)
        if len(lot) == most:
            yield lot
            lot = []
    if lot:
        yield lot


def _is_lost(future: Future[Any]) -> bool:
    """Whether the worker died and its result with it."""
    return not future.cancelled() and future.exception() is not None


def _outcomes(future: Future[list[Done | Exception]], files: list[Found]) -> list[Done]:
    """What a worker made of its files; a fault of the worker is a log that failed.

    Raises:
        UsageError: the worker runs another logparse.
        LogparseError: the cluster is gone.
    """
    try:
        found = future.result()
    except CancelledError as error:
        raise LogparseError(
            "the cluster gave up the work; run the same command again to go on"
        ) from error
    except Exception as error:
        found = [error for _ in files]
    return [_outcome(one, file) for one, file in zip(found, files, strict=True)]


def _outcome(found: Done | Exception, file: Found) -> Done:
    if isinstance(found, Done):
        return found
    if isinstance(found, UsageError):
        raise found
    reason = str(found) if isinstance(found, LogparseError) else _fault(found)
    return Done("", [Log("failed", _failed(file, reason))])


def _fault(error: Exception) -> str:
    if type(error).__name__ == "KilledWorker":  # of Dask, which need not be installed
        return "the workers that read it were killed; their memory may not have sufficed"
    return f"a fault of logparse itself: {error!r}"


def _failed(file: Found, reason: str) -> Entry:
    name = printable(file.name)
    return {"log": name, "file": file.ident, "status": "failed", "reason": printable(reason)}
