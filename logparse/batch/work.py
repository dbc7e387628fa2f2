"""One file in, what a report says of it out: made in any process, on any machine."""

from __future__ import annotations

import hashlib
import os
import re
import time
import zlib
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logparse.batch.find import content_hash, digest
from logparse.errors import LogparseError, NotALogError, UsageError
from logparse.lockstep import run_in_step
from logparse.reading.archives import printable

if TYPE_CHECKING:
    from logparse.analysis import Analysis, Failure

Entry = dict[str, Any]
"""What the index and the table ``logs`` of the data set say of a log."""

TABLES = ("runs", "epochs", "metrics", "findings")
"""Tables of an analysis that go into the data set."""

SCRIPT = "../plotly.min.js"
"""Where a page finds the script that all pages share."""

HOME = "../index.html"
"""Where a page finds the index."""

_METRICS = 12
"""Metrics of a log that its entry holds."""

_PIECE = 4096
"""Characters of a page that are encoded together."""

_SLUG = 48
"""Characters of a log's name in the name of its page."""


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read.

    Attributes:
        path: as ``open_sources`` takes it.
        name: below the tree.
        options: of ``analyze``.
        known: the hash of its content when it was last read with these options, or None.
        code: ``code_version()`` of the process that asks.
    """

    path: str
    name: str
    options: dict[str, Any]
    known: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Log:
    """One log of a file: its status is ``read``, ``failed`` or ``skipped``.

    Attributes:
        page: file name of its page, empty for none.
        html: the page.
        worst: severity of its worst finding, empty for none.
        tables: the tables of ``TABLES``, packed.
    """

    status: str
    entry: Entry
    page: str = ""
    html: bytes = b""
    worst: str = ""
    tables: bytes | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task; ``logs`` is None if the content is the known one."""

    sha256: str
    logs: list[Log] | None
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time by stage."""


@cache
def code_version() -> str:
    """Version and digest of the code: results of another code are not taken for one's own."""
    import logparse

    root = Path(logparse.__file__).parent
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".html", ".css", ".js"):
            whole.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{version('logparse')} {whole.hexdigest()[:16]}"


def work(task: Task) -> Done:
    """Read a file, analyse each log in it and make its page.

    Raises:
        UsageError: this process runs another logparse than the one that asks.
    """
    if task.code != code_version():
        raise UsageError(
            f"a worker runs logparse {code_version()}, this is {task.code}; "
            "install the same on all machines"
        )
    start = time.monotonic()
    watch = Stopwatch()
    try:
        sha256 = content_hash(task.path)
    except (OSError, LogparseError):
        sha256 = ""  # reading it says why
    if sha256 and sha256 == task.known:
        return Done(sha256, None)
    watch.lap("hash")
    logs = list(_logs(task, watch))
    return Done(sha256, logs, time.monotonic() - start, watch.stages)


def work_all(tasks: list[Task]) -> list[Done | Exception]:
    """``work`` on several files, what their analyses have in common done as one."""
    return run_in_step(work, tasks)


class Stopwatch:
    """Processor time of this thread, by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._last = time.thread_time()

    def lap(self, stage: str) -> None:
        """Count the time since the last lap as that stage's."""
        now = time.thread_time()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._last
        self._last = now


def _logs(task: Task, watch: Stopwatch) -> Any:
    from logparse.analysis import Analysis, analyze_file

    for result in analyze_file(task.path, **task.options):
        watch.lap("analyse")
        name = _name(result, task)
        if isinstance(result, Analysis):
            yield _read(result, name, task, watch)
        else:
            yield _not_read(result, name, task)


def _name(result: Analysis | Failure, task: Task) -> str:
    """The log's name below the tree, with the member of an archive."""
    full = result.source.name if hasattr(result, "source") else result.name
    path = printable(task.path)
    if full in (path, task.path):
        return printable(task.name)
    return f"{printable(task.name)}::{full.removeprefix(path).removeprefix('::')}"


def _read(analysis: Analysis, name: str, task: Task, watch: Stopwatch) -> Log:
    from logparse.reports.html import page

    analysis.source = replace(analysis.source, name=name)
    html = _encoded(page(analysis, script=SCRIPT, home=HOME))
    watch.lap("page")
    entry = _entry(analysis) | {"file": digest(task.name)}
    severities = [severity for _, severity, _ in entry["found"]]
    log = Log(
        "read",
        entry,
        page_name(name, task.name),
        html,
        worst=next((s for s in ("error", "warning", "info") if s in severities), ""),
        tables=pack(analysis, name),
    )
    entry["page"] = log.page
    watch.lap("pack")
    return log


def _encoded(text: str) -> bytes:
    """The text as UTF-8, piece by piece: one that is plain ASCII, as most are, is just copied."""
    return b"".join(text[at : at + _PIECE].encode() for at in range(0, len(text), _PIECE))


def _entry(analysis: Analysis) -> Entry:
    from logparse.findings.registry import rows_of

    source, runs, epochs = analysis.source, analysis.runs, analysis.epochs
    found: dict[str, list[Any]] = {}
    for code, severity in rows_of(analysis.findings, "code", "severity"):
        found.setdefault(code, [code, severity, 0])[2] += 1
    seconds = epochs["seconds"]
    known = epochs.height and seconds.null_count() == 0
    started = [time for time in runs["started"].to_list() if time is not None]
    return {
        "log": source.name,
        "status": "read",
        "reason": source.damage,
        "sha256": source.sha256,
        "bytes": source.size,
        "lines": source.lines,
        "read": source.read,
        "ignored": sum(source.ignored.values()),
        "rejected": source.rejected,
        "pending": source.pending,
        "reader": source.reader,
        "keras": next((keras for keras in runs["keras"].to_list() if keras), None),
        "runs": runs.height,
        "epochs": epochs.height,
        "of": runs["of"][-1] if runs.height else None,
        "complete": bool(epochs.height and epochs["complete"][-1]),
        "seconds": float(seconds.sum()) if known else None,
        "step_seconds": epochs["step_seconds"].median(),
        "started": min(started, default=None),
        "found": list(found.values()),
        "metrics": _last_values(analysis),
    }


def _last_values(analysis: Analysis) -> dict[str, float]:
    """Of each metric the level where the last epoch ended, or what was shown there."""
    from logparse.findings.registry import rows_of

    rows = list(rows_of(analysis.metrics, "run", "epoch", "metric", "shown", "end"))
    last: dict[str, float] = {}
    if rows:
        for run, epoch, metric, shown, end in reversed(rows):
            if (run, epoch) != rows[-1][:2] or len(last) == _METRICS:
                break
            value = end if end is not None else shown
            if value is not None and value == value and abs(value) < float("inf"):
                last[metric] = value
    return dict(reversed(last.items()))


def _not_read(failure: Failure, name: str, task: Task) -> Log:
    """A file that is no log is passed over; one that claims to be a log and holds none failed."""
    broken = not failure.skipped or (
        isinstance(failure.error, NotALogError) and _claims(name) and not _is_text(task.path)
    )
    reason = str(failure.error).removeprefix(f"{failure.name}: ")
    status = "failed" if broken else "skipped"
    entry = {"log": name, "file": digest(task.name), "status": status, "reason": reason}
    return Log(status, entry)


_CLAIM = re.compile(r"\.(log|out|err)(\.\w+)?$|tfevents", re.IGNORECASE)


def _claims(name: str) -> bool:
    """Whether a name says that the file is a log."""
    return _CLAIM.search(os.path.basename(name)) is not None


def _is_text(path: str) -> bool:
    """Whether a file begins with text: then it is the log of another program."""
    from logparse.reading.paths import open_file

    try:
        with open_file(path, None) as file:
            head = file.read(4096)
    except (OSError, LogparseError):
        return False
    return bool(head.strip()) and b"\0" not in head


def page_name(name: str, file: str) -> str:
    """File name of a log's page: readable, of plain characters, and no other log's.

    Args:
        name: of the log, for people.
        file: of its file below the tree; it tells logs apart whose names look the same.
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name)[-_SLUG:].strip("-").lower() or "log"
    return f"{slug}-{digest(file + chr(0) + name)[:12]}.html"


def pack(analysis: Analysis, name: str) -> bytes:
    """The tables that go into the data set, each row with the log's name.

    Streams, not files, of Arrow: polars writes and reads those of few rows in a tenth of the time.
    """
    import io

    import polars as pl

    buffer = io.BytesIO()
    for table in TABLES:
        frame = analysis.table(table)
        label = pl.Series("log", [name], dtype=pl.String).new_from_index(0, frame.height)
        piece = io.BytesIO()
        pl.DataFrame([label, *frame.get_columns()]).write_ipc_stream(piece)
        size = piece.tell()
        buffer.write(size.to_bytes(8, "little") + piece.getvalue())
    return zlib.compress(buffer.getvalue(), 1)


def unpack(packed: bytes) -> list[bytes]:
    """The tables of ``pack`` as Arrow IPC streams, in the order of ``TABLES``."""
    data, at, found = zlib.decompress(packed), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return found
