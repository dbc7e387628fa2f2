"""A source and a range of lines -> those lines, as a person would see them on a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from logparse.limits import LINE_BYTES
from logparse.reading.lines import translate
from logparse.reading.source import Upload, open_sources

_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
_REDRAWS = re.compile(rb"[\b\r\v]+")


class Line(NamedTuple):
    """One line of a log.

    ``texts`` are the first and the last of what was drawn on it, one over the other; ``redraws``
    counts those in between. Texts may hold anything but colours: they are as the log has them.
    """

    number: int
    texts: list[str]
    redraws: int


def excerpt(spec: str | Upload, name: str, first: int, last: int) -> list[Line]:
    """Lines ``first`` to ``last`` (from 1, both included) of the source called ``name``.

    Nothing before or after them is kept. Fewer lines, or none, if the log ends before.

    Raises:
        SourceError: it cannot be read any more.
    """
    for source in open_sources(spec):
        if source.name == name:
            return [_line(number, raw) for number, raw in _raw_lines(source.blocks(), first, last)]
    return []


def _raw_lines(blocks: Iterable[bytes], first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """The lines wanted, without their line break, each cut at ``LINE_BYTES``."""
    number, begun = 1, b""
    for block in blocks:
        breaks = block.count(b"\n")
        if number + breaks < first:
            number += breaks
            continue
        *whole, rest = block.split(b"\n")
        for text in whole:
            if number >= first:
                yield number, (begun + text)[:LINE_BYTES]
            begun = b""
            number += 1
            if number > last:
                return
        if number >= first:
            begun = (begun + rest)[:LINE_BYTES]
    if begun:
        yield number, begun


def _line(number: int, raw: bytes) -> Line:
    drawn = [text for text in _REDRAWS.split(translate(_COLOURS.sub(b"", raw))) if text.strip()]
    ends = drawn if len(drawn) < 2 else [drawn[0], drawn[-1]]
    texts = [text.decode("utf-8", errors="replace") for text in ends]
    return Line(number, texts, len(drawn) - len(ends))
