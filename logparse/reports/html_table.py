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
    mark = f' id="{escape(id)}"' if id else ""
    heads = "".join(_head(column) for column in table.columns)
    legend = "".join(f'<p class="note">{escape(text)}</p>\n' for text in table.legend)
    return Markup(  # noqa: S704 - each text is escaped where it is put in
        f'<div class="scroll" role="region" aria-label="{title}" tabindex="0">\n<table{mark}>\n'
        f'<caption class="quiet">{title}</caption>\n<thead>{_groups(table.columns)}'
        f"<tr>{heads}</tr></thead>\n<tbody>\n{_body(table)}\n</tbody>\n</table>\n</div>\n{legend}"
    )


def _groups(columns: list[Column]) -> str:
    """A row of headings over several columns, where there are any."""
    if not any(column.group for column in columns):
        return ""
    cells = []
    for name, some in groupby(columns, key=lambda column: column.group):
        mark = ' class="group"' if name else ""
        span = len(list(some))
        cells.append(f'<th scope="colgroup" colspan="{span}"{mark}><bdi>{escape(name)}</bdi></th>')
    return f"<tr>{''.join(cells)}</tr>\n"


def _head(column: Column) -> str:
    left = ' class="left"' if column.left else ""
    return f'<th scope="col"{left}><bdi>{escape(column.head)}</bdi></th>'


def _body(table: Table) -> str:
    """The rows, with what was left out between them."""
    columns = [_cells(column, name=i < table.keys) for i, column in enumerate(table.columns)]
    rows = [f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True)]
    for at, text in reversed(table.gaps):
        rows.insert(at, f'<tr class="gap"><td colspan="{len(columns)}">{escape(text)}</td></tr>')
    return "\n".join(rows)


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
