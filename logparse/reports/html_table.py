"""A table of text in, its HTML out: cells are many, and the template engine is slow with each."""

from __future__ import annotations

import re
from itertools import groupby

from markupsafe import Markup, escape

from logparse.reports.epochs import Column, Table
from logparse.reports.safe import narrow

_MARKUP = re.compile(r"[&<>\"']")


def table_html(table: Table, id: str = "") -> Markup:
    """The table in a region that scrolls, and its legend; ``id`` is that of the table."""
    title = escape(table.title)
    head = Markup("").join(_groups(table.columns)) + Markup("<tr>{}</tr>").format(
        Markup("").join(_head(column) for column in table.columns)
    )
    legend = Markup("").join(
        Markup('<p class="note">{}</p>\n').format(text) for text in table.legend
    )
    return Markup(
        '<div class="scroll" role="region" aria-label="{}" tabindex="0">\n<table{}>\n'
        '<caption class="quiet">{}</caption>\n<thead>{}</thead>\n<tbody>\n{}\n</tbody>\n'
        "</table>\n</div>\n{}"
    ).format(title, Markup(' id="{}"').format(id) if id else "", title, head, _body(table), legend)


def _groups(columns: list[Column]) -> list[Markup]:
    """A row of headings over several columns, where there are any."""
    if not any(column.group for column in columns):
        return []
    cells = []
    for name, some in groupby(columns, key=lambda column: column.group):
        mark = Markup(' class="group"') if name else ""
        cell = Markup('<th scope="colgroup" colspan="{}"{}><bdi>{}</bdi></th>')
        cells.append(cell.format(len(list(some)), mark, name))
    return [Markup("<tr>{}</tr>\n").format(Markup("").join(cells))]


def _head(column: Column) -> Markup:
    left = Markup(' class="left"') if column.left else ""
    return Markup('<th scope="col"{}><bdi>{}</bdi></th>').format(left, column.head)


def _body(table: Table) -> Markup:
    """The rows, with what was left out between them."""
    columns = [_cells(column, name=i < table.keys) for i, column in enumerate(table.columns)]
    rows = [f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True)]
    for at, text in reversed(table.gaps):
        cell = Markup('<tr class="gap"><td colspan="{}">{}</td></tr>')
        rows.insert(at, cell.format(len(columns), text))
    return Markup("\n".join(rows))  # noqa: S704 - each cell is escaped


def _cells(column: Column, *, name: bool) -> list[str]:
    """The cells of a column, of which some name their rows."""
    whole = "".join(column.cells)
    texts = [str(escape(text)) for text in column.cells] if _MARKUP.search(whole) else column.cells
    left = ' class="left"' if column.left else ""
    if name:
        return [f'<th scope="row"{left}>{text}</th>' for text in texts]
    if narrow(whole):
        return [f"<td{left}>{text}</td>" for text in texts]
    # Text that runs from right to left must not reorder what stands beside it.
    return [f"<td{left}><bdi>{text}</bdi></td>" for text in texts]
