"""Words and columns in, lines of a given width out, with colours where the reader has them."""

from __future__ import annotations

from collections.abc import Iterator

from logparse.reports.epochs import Column, Table
from logparse.reports.safe import narrow, width

GAP = "  "

STYLES = {
    "head": "1",
    "error": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "rebuilt": "36",
    "flag": "33",
    "dim": "2",
}
"""Select Graphic Rendition codes; every style also reads well without its colour."""


def paint(text: str, style: str, colour: bool) -> str:
    """The text in a style of ``STYLES``; unchanged without colour or style."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colour and style and text else text


def wrap(
    text: str, columns: int, *, indent: str = "", first: str | None = None, cut: bool = False
) -> list[str]:
    """The text in lines of at most ``columns``, broken at spaces.

    Args:
        text: visible text.
        columns: width of the page.
        indent: before each line.
        first: before the first line instead.
        cut: break a word that is longer than a line; else it sticks out.
    """
    first = indent if first is None else first
    if len(first) + len(text) <= columns and narrow(text):
        return [first + text]
    measure = len if narrow(text) else width
    lines: list[str] = []
    words: list[str] = []
    lead, used = first, width(first)
    for word in text.split():
        wide = measure(word)
        if words and used + wide > columns:
            lines.append(lead + " ".join(words))
            words, lead, used = [], indent, len(indent)
        while cut and used + wide > columns:
            end = _fit(word, columns - used)
            lines.append(lead + word[:end])
            word, lead, used = word[end:], indent, len(indent)
            wide = measure(word)
        words.append(word)
        used += wide + 1
    return [*lines, lead + " ".join(words)]


def _fit(text: str, columns: int) -> int:
    """Characters of the text that fit, at least one, so that wrapping ends."""
    if narrow(text):
        return max(columns, 1)
    used = 0
    for i, char in enumerate(text):
        used += width(char)
        if used > columns:
            return max(i, 1)
    return len(text)


def table_lines(
    table: Table, columns: int | None, colour: bool, most: int | None = None
) -> Iterator[str]:
    """The table as aligned text, split into blocks of columns where it is wider than the page.

    Args:
        table: the table.
        columns: width of the page, None for any.
        colour: paint it.
        most: blocks to show; what is left out is named in a last line.
    """
    found = blocks(table, columns)
    for i, block in enumerate(found[:most]):
        if i:
            yield ""
        yield from _block(table, block, colour)
    hidden = [column.group or column.head for block in found[most:] for column in block]
    if most is not None and hidden:
        keys = {column.head for column in table.columns[: table.keys]}
        names = [name for name in dict.fromkeys(hidden) if name not in keys]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield paint(f"... {', '.join(names[:3])}{more} hidden; --full shows all", "dim", colour)


def blocks(table: Table, columns: int | None) -> list[list[Column]]:
    """The columns in blocks that fit the page, the key columns first in each."""
    keys = table.columns[: table.keys]
    start = sum(_wide(column) + len(GAP) for column in keys)
    block, used = list(keys), start
    found = [block]
    for group in _groups(table.columns[table.keys :]):
        need = sum(_wide(column) + len(GAP) for column in group)
        if columns is not None and len(block) > len(keys) and used + need - len(GAP) > columns:
            block, used = list(keys), start
            found.append(block)
        block += group
        used += need
    return found


def _groups(columns: list[Column]) -> list[list[Column]]:
    """Columns that stand under one heading stay together."""
    groups: list[list[Column]] = []
    for column in columns:
        if column.group and groups and groups[-1][0].group == column.group:
            groups[-1].append(column)
        else:
            groups.append([column])
    return groups


def _wide(column: Column) -> int:
    head = width(column.head)
    return max(head, max(map(width, column.cells), default=0))


def _block(table: Table, columns: list[Column], colour: bool) -> Iterator[str]:
    widths = [_wide(column) for column in columns]
    groups = _groups(columns)
    if any(column.group for column in columns):
        line, at = "", 0
        for group in groups:
            span = sum(widths[at : at + len(group)]) + len(GAP) * (len(group) - 1)
            # A name wider than its columns is set on the columns' width: widen the last one.
            if width(group[0].group) > span:
                widths[at + len(group) - 1] += width(group[0].group) - span
                span = width(group[0].group)
            line += GAP * bool(at) + _pad(group[0].group, span, left=False)
            at += len(group)
        yield paint(line.rstrip(), "head", colour)
    heads = [_pad(c.head, w, c.left) for c, w in zip(columns, widths, strict=True)]
    yield paint(GAP.join(heads).rstrip(), "head", colour)
    gaps = dict(table.gaps)
    padded = [
        [paint(_pad(cell, w, c.left), c.style, colour) for cell in c.cells]
        for c, w in zip(columns, widths, strict=True)
    ]
    height = len(columns[0].cells)
    for i, cells in enumerate(zip(*padded, strict=True)):
        if i in gaps:
            yield paint(gaps[i], "dim", colour)
        yield GAP.join(cells).rstrip()
    if height in gaps:
        yield paint(gaps[height], "dim", colour)


def _pad(text: str, columns: int, left: bool) -> str:
    space = " " * (columns - width(text))
    return text + space if left else space + text
