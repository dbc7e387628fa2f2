"""Analysis in, text for a terminal or a pipe out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TextIO

from logparse.reports.layout import blocks, paint, table_lines, wrap
from logparse.reports.view import NOT_JUDGED, Group, View, tables, view

if TYPE_CHECKING:
    from logparse.analysis import Analysis, Failure

WIDTH = 80
"""Columns of text that no terminal shows."""

WIDEST = 100
"""Prose is harder to read in longer lines than these."""

LINES = 42
"""A short report is about this long: what a screen holds."""

ROWS = (3, 12)
"""Fewest and most rows of a table in a short report."""

BLOCKS = 2
"""Blocks of columns of a table in a short report."""

FINDING_LINES = 12
"""Lines for findings even where there is no room: what does not fit gets a line a rule."""

PLACES = 4
"""Findings of one rule in a short report."""


class Page(NamedTuple):
    """How text is laid out.

    ``fit``: tables are split to the width (a terminal wraps badly); else they are left whole.
    """

    columns: int = WIDTH
    fit: bool = False
    colour: bool = False
    full: bool = True

    def prose(self, text: str, indent: str = "", first: str | None = None) -> list[str]:
        """A paragraph in lines."""
        columns = min(self.columns, WIDEST)
        return wrap(text, columns, indent=indent, first=first, cut=self.fit)


def page(stream: TextIO, *, color: str = "auto", full: bool = False) -> Page:
    """The page that a stream is: short, coloured and fitted on a terminal, else plain and whole.

    ``COLUMNS``, ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb`` are obeyed; ``color`` ``always``
    or ``never`` wins over them.
    """
    terminal = stream.isatty()
    columns = shutil.get_terminal_size((WIDTH, 24)).columns if terminal else _columns()
    return Page(
        columns=max(columns, 40),
        fit=terminal,
        colour=_colour(color, terminal),
        full=full or not terminal,
    )


def _columns() -> int:
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 6 else WIDTH


def _colour(color: str, terminal: bool) -> bool:
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


class TextReport:
    """One log after the other as text."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._first = True

    def start(self) -> Iterator[str]:
        """Nothing comes before the first log."""
        yield from ()

    def log(self, analysis: Analysis) -> Iterator[str]:
        """The report on one log."""
        if not self._first:
            yield "\n"
        self._first = False
        for line in lines(analysis, self.page):
            yield line + "\n"

    def failure(self, failure: Failure) -> Iterator[str]:
        """A log that could not be read has its line on the error stream."""
        yield from ()

    def end(self) -> Iterator[str]:
        """Nothing comes after the last log."""
        yield from ()


def lines(analysis: Analysis, page: Page) -> Iterator[str]:
    """The lines of a report, without line ends."""
    shown = view(analysis, full=page.full)
    verdict = [paint(shown.name, "head", page.colour)]
    for paragraph in shown.verdict:
        verdict += page.prose(paragraph)
    notes = list(_notes(shown, page))
    room = LINES - len(verdict) - len(notes)
    tables = 0 if page.full else sum(1 for _ in _tables(analysis, page, 0))
    findings = list(_findings(shown.groups, page, max(room - tables, FINDING_LINES)))
    yield from verdict
    yield from findings
    yield from _tables(analysis, page, room - len(findings))
    yield from notes


def _findings(groups: list[Group], page: Page, room: int) -> Iterator[str]:
    """The findings; on a short page in about ``room`` lines."""
    counts = [len(group) for group in groups] if page.full else _counts(groups, page, room)
    for i, (group, n) in enumerate(zip(groups, counts, strict=True)):
        if page.full or i == 0:
            yield ""
        yield from _group(group, page, n)


def _counts(groups: list[Group], page: Page, room: int) -> list[int]:
    """How many findings of each rule to show: first one of each, then more, while there is room.

    0 leaves a rule its name and places.
    """
    counts = [0] * len(groups)
    room -= len(groups)
    for n in range(PLACES):
        for i, group in enumerate(groups):
            if n < len(group) and counts[i] == n:
                need = len(_place(group, n, page)) + (len(_advice(group, page)) if n == 0 else 0)
                # The worst finding is always told.
                if need <= room or (n == 0 and i == 0):
                    counts[i] += 1
                    room -= need
    return counts


def _tables(analysis: Analysis, page: Page, room: int) -> Iterator[str]:
    """The tables; on a short page at most ``BLOCKS`` blocks of each, with rows to fill it."""
    columns = page.columns if page.fit else None
    found = tables(analysis, None if page.full else ROWS[1])
    if not page.full:
        parts = sum(min(len(blocks(table, columns)), BLOCKS) for table in found) or 1
        legends = sum(len(page.prose(" ".join(table.legend))) for table in found)
        # A block has two lines of heading, one that says what is hidden, and a blank one.
        rows = (room - legends) // parts - 4
        found = tables(analysis, min(max(rows, ROWS[0]), ROWS[1]))
    for table in found:
        yield ""
        yield from table_lines(table, columns, page.colour, None if page.full else BLOCKS)
        for line in page.prose(" ".join(table.legend)) if table.legend else ():
            yield paint(line, "dim", page.colour)


def _brief(notes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Notes with the rules not judged on one line, without what they lack."""
    codes = [text.partition(":")[0] for name, text in notes if name == NOT_JUDGED]
    rest = [note for note in notes if note[0] != NOT_JUDGED]
    named = ", ".join(sorted(", ".join(codes).split(", ")))
    return [*rest, (NOT_JUDGED, f"{named}; --full says why")] if codes else rest


def _notes(shown: View, page: Page) -> Iterator[str]:
    yield ""
    notes = shown.notes if page.full else _brief(shown.notes)
    label = max(len(name) for name, _ in notes) + 2
    for name, text in notes:
        head, *rest = page.prose(text, indent=" " * label, first=name.ljust(label))
        yield paint(name.ljust(label), "head", page.colour) + head[label:]
        yield from rest


def _group(group: Group, page: Page, n: int) -> Iterator[str]:
    """The first ``n`` findings of one rule, and where the others are."""
    name = f"{group.code} {group.severity}"
    painted = paint(name, group.severity, page.colour)
    if n == 0:
        head = f"{name}  {group.title}".rstrip()
        first, *rest = page.prose(f"{head}: {group.others(0)}; --full says more", "  ", "")
        yield first.replace(name, painted, 1)
        yield from rest
        return
    yield f"{painted}  {group.title}".rstrip()
    for i in range(n):
        yield from _place(group, i, page)
    if n < len(group):
        yield from page.prose(f"Also {group.others(n)}; --full says more.", "    ", "  ")
    yield from _advice(group, page)


def _place(group: Group, i: int, page: Page) -> list[str]:
    """One finding; a short page leaves its bare numbers out, the message tells them in words."""
    where = f"{group.where(i)}:"
    text = f"{where} {group.message(i)}"
    if page.full:
        text = f"{text} {group.arithmetic(i)}".rstrip()
    first, *rest = page.prose(text, "    ", "  ")
    return [first.replace(where, paint(where, "head", page.colour), 1), *rest]


def _advice(group: Group, page: Page) -> list[str]:
    return page.prose(f"Advice: {group.advice}", "    ", "  ") if group.advice else []
