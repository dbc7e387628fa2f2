"""Analysis in, GitHub-flavoured markdown out, for issues and pull requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from logparse.reports.epochs import Table
from logparse.reports.safe import markdown
from logparse.reports.view import Group, tables, view

if TYPE_CHECKING:
    from logparse.analysis import Analysis, Failure

ROWS = 20
"""Rows of a table unless all are asked for."""

PLACES = 5
"""Findings of one rule unless all are asked for."""


class MarkdownReport:
    """One section a log."""

    def __init__(self, *, full: bool) -> None:
        self.full = full

    def start(self) -> Iterator[str]:
        """Nothing comes first."""
        yield from ()

    def log(self, analysis: Analysis) -> Iterator[str]:
        """One log: verdict, findings, tables, notes."""
        shown = view(analysis, full=self.full)
        yield f"## {markdown(shown.name)}\n\n"
        for paragraph in shown.verdict:
            yield f"{markdown(paragraph)}\n\n"
        for group in shown.groups:
            yield from _group(group, None if self.full else PLACES)
        for table in tables(analysis, None if self.full else ROWS):
            yield from table_markdown(table)
        for name, text in shown.notes:
            yield f"- {name}: {markdown(text)}\n"
        yield "\n"

    def failure(self, failure: Failure) -> Iterator[str]:
        """A log that could not be read."""
        yield f"## {markdown(failure.name)}\n\nNot read: {markdown(str(failure.error))}\n\n"

    def end(self) -> Iterator[str]:
        """Nothing comes last."""
        yield from ()


def _group(group: Group, most: int | None) -> Iterator[str]:
    title = f": {markdown(group.title)}" if group.title else ""
    yield f"**{markdown(group.code)}** {group.severity}{title}\n\n"
    end = len(group) if most is None else min(most, len(group))
    for i in range(end):
        text = f"{group.where(i)}: {group.message(i)} {group.arithmetic(i)}"
        yield f"- {markdown(text.rstrip())}\n"
    if end < len(group):
        yield f"- also {markdown(group.others(end))}\n"
    yield f"\nAdvice: {markdown(group.advice)}\n\n" if group.advice else "\n"


def table_markdown(table: Table) -> Iterator[str]:
    """A table with its legend."""
    heads = [f"{c.group} {c.head}".strip() for c in table.columns]
    yield f"| {' | '.join(map(markdown, heads))} |\n"
    yield f"|{'|'.join(' --- ' if c.left else ' ---: ' for c in table.columns)}|\n"
    gaps = dict(table.gaps)
    cells = zip(*(column.cells for column in table.columns), strict=True)
    for i, row in enumerate(cells):
        if i in gaps:
            yield _gap(gaps[i], len(table.columns))
        yield f"| {' | '.join(map(markdown, row))} |\n"
    if len(table.columns[0].cells) in gaps:
        yield _gap(gaps[len(table.columns[0].cells)], len(table.columns))
    yield "\n"
    for text in table.legend:
        yield f"{markdown(text)}  \n"
    yield "\n" if table.legend else ""


def _gap(text: str, columns: int) -> str:
    return f"| {text} |{' |' * (columns - 1)}\n"
