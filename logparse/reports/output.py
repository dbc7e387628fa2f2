"""Formats and file names in, open outputs out: the registry of reports and where each one goes."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol, Self, TextIO

from logparse.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis, Failure

FORMATS = {
    "text": ".txt", "json": ".json", "ndjson": ".ndjson", "csv": ".csv", "md": ".md",
    "html": ".html", "junit": ".xml", "github": "", "sarif": ".sarif",
}  # fmt: skip
"""Formats of a report and the suffix that asks for each; empty if only ``--format`` does."""

CI_FORMATS = ("junit", "github", "sarif")
"""Those of them that are for CI; a comparison has them, too."""

EXPORTS = ("csv", "tsv", "parquet", "json", "ndjson")
"""Forms of an exported table, each its own suffix."""

STDOUT = "-"


class Report(Protocol):
    """Pieces of text of one form, log by log."""

    def start(self) -> Iterator[str]:
        """What comes before the first log."""
        ...

    def log(self, analysis: Analysis) -> Iterator[str]:
        """One log."""
        ...

    def failure(self, failure: Failure) -> Iterator[str]:
        """A log that could not be read."""
        ...

    def end(self) -> Iterator[str]:
        """What comes after the last log."""
        ...


class Target(NamedTuple):
    """A format and the file it goes to; ``-`` is stdout."""

    path: str
    format: str


def targets(
    outputs: Sequence[str], format: str | None, forms: Collection[str] = tuple(FORMATS)
) -> list[Target]:
    """Where to write what: each file's format by its suffix, unless one is given.

    Args:
        outputs: files; ``-`` is stdout.
        format: the format that is asked for.
        forms: those of ``FORMATS`` there are.

    Raises:
        UsageError: a suffix that names no format, or a file given twice.
    """
    if format is not None and format not in forms:
        raise UsageError(f"no format {format!r}; choose from {', '.join(forms)}")
    if len(set(outputs)) < len(outputs):
        raise UsageError("the same output is given twice with -o")
    if not outputs and format == "html" and sys.stdout.isatty():
        raise UsageError("html is a page for a browser; give a file with -o FILE.html")
    if not outputs:
        return [Target(STDOUT, format or "text")]
    return [Target(path, _format_of(path, format, list(forms))) for path in outputs]


def table_target(output: str, format: str | None) -> Target:
    """Where ``export`` writes and in which of ``EXPORTS``.

    Raises:
        UsageError: a suffix that names no form, stdout without a form, or Parquet to a terminal.
    """
    if output == STDOUT and format is None:
        raise UsageError(f"-o - needs --format, one of {', '.join(EXPORTS)}")
    target = Target(output, _format_of(output, format, EXPORTS))
    if target == Target(STDOUT, "parquet") and sys.stdout.isatty():
        raise UsageError("parquet is not text; give a file with -o FILE")
    return target


def _format_of(path: str, format: str | None, forms: Sequence[str]) -> str:
    if path == STDOUT:
        return format or forms[0]
    suffix = Path(path).suffix.lower()
    by_suffix = {FORMATS.get(form, f".{form}"): form for form in forms}
    by_suffix |= {".jsonl": "ndjson"} if "ndjson" in forms else {}
    by_suffix.pop("", None)
    found = by_suffix.get(suffix)
    if found is not None:
        return found
    if format is not None:
        return format
    raise UsageError(
        f"cannot tell the format of {path!r} from its name; "
        f"end it in {', '.join(by_suffix)} or give --format"
    )


def make_report(format: str, stream: TextIO | None, *, color: str, full: bool) -> Report:
    """A report of one of ``FORMATS``; ``stream`` is the terminal it may go to, None for a file."""
    if format == "json":
        from logparse.reports.json import JsonReport

        return JsonReport(full=full)
    if format == "ndjson":
        from logparse.reports.json import NdjsonReport

        return NdjsonReport(full=full)
    if format == "csv":
        from logparse.reports.export import CsvReport

        return CsvReport()
    if format == "html":
        from logparse.reports.html import HtmlReport

        return HtmlReport(full=full)
    if format in CI_FORMATS:
        from logparse.reports.ci import make_ci_report

        return make_ci_report(format)
    if format == "md":
        from logparse.reports.markdown import MarkdownReport

        return MarkdownReport(full=full)
    from logparse.reports.terminal import Page, TextReport, page

    return TextReport(page(stream, color=color, full=full) if stream else Page())


class _Files:
    """A block that closes files: whole where it ends without an error, or not at all."""

    _stack: ExitStack

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)


class Outputs(_Files):
    """Every report of one command, written side by side as the logs come.

    A file appears whole when the block ends without an error, or not at all.

    Raises:
        LogparseError: a file exists and ``force`` is not set, or cannot be written.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        color: str = "auto",
        full: bool = False,
        force: bool = False,
    ) -> None:
        self._targets = targets
        self._color, self._full, self._force = color, full, force
        self._stack = ExitStack()
        self._reports: list[tuple[Report, IO[bytes] | None]] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for target in self._targets:
                file = None
                if target.path != STDOUT:
                    from logparse.files import write_atomic

                    file = stack.enter_context(write_atomic(target.path, force=self._force))
                stream = sys.stdout if file is None else None
                report = make_report(target.format, stream, color=self._color, full=self._full)
                self._reports.append((report, file))
            self._stack = stack.pop_all()
        return self

    def start(self) -> None:
        """Write what comes before the first log."""
        for report, file in self._reports:
            _write(report.start(), file)

    def log(self, analysis: Analysis) -> None:
        """Write one log."""
        for report, file in self._reports:
            _write(report.log(analysis), file)

    def failure(self, failure: Failure) -> None:
        """Write that a log could not be read."""
        for report, file in self._reports:
            _write(report.failure(failure), file)

    def end(self) -> None:
        """Write what comes after the last log."""
        for report, file in self._reports:
            _write(report.end(), file)
        sys.stdout.flush()


class TableOutput(_Files):
    """One table to a file, whole or not at all, or to stdout.

    Raises:
        LogparseError: the file exists and ``force`` is not set, or cannot be written.
    """

    def __init__(self, target: Target, *, force: bool) -> None:
        self._target = target
        self._force = force
        self._stack = ExitStack()
        self._file: IO[bytes] = sys.stdout.buffer

    def __enter__(self) -> Self:
        if self._target.path != STDOUT:
            from logparse.files import write_atomic

            file = write_atomic(self._target.path, force=self._force)
            self._file = self._stack.enter_context(file)
        return self

    def write(self, table: pl.DataFrame | Iterable[pl.DataFrame]) -> None:
        """Write the table, or its parts one after the other."""
        from logparse.reports.export import write_table

        write_table(table, self._file, self._target.format)
        self._file.flush()


def _write(pieces: Iterator[str], file: IO[bytes] | None) -> None:
    for piece in pieces:
        if file is None:
            sys.stdout.write(piece)
        else:
            file.write(piece.encode())
