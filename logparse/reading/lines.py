"""Blocks of bytes -> stretches of text between line breaks and backspaces, with their offsets.

Keras redraws its line with carriage returns and backspaces. A backspace moves the cursor and
deletes nothing, so each of these bytes only separates. Pagers, syslog and JSON write them in
other notations, and web pages the arrow of a bar; they are turned into the real bytes at equal
length: offsets stay true.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from logparse.limits import LINE_BYTES
from logparse.reading.records import Ints
from logparse.reading.shapes import PAD
from logparse.reading.wrapped import begins

if TYPE_CHECKING:
    from logparse.reading.strides import Spans

    Find = Callable[[bytes, int], Spans | None]

_ESCAPED_BREAK = b"\v"
"""Stands for a line break in another notation: the file itself goes on in the same line."""

# Each alternative looks ahead only, so that a cut between two blocks changes nothing.
_ESCAPES = re.compile(
    rb"\\u00(?:08|0[dD]|0[aA])|\\b(?=\\[bru]|\")|\\r(?=\\u001b|\\n|\"| *\d+/)|\\n(?=\")"
)
_MEANS = {b"8": b"\b", b"b": b"\b", b"d": b"\r", b"r": b"\r", b"a": b"\v", b"n": b"\v"}
_ESCAPE_BYTES = 8
"""Bytes of any escape, with what must follow it."""
_SKIP_TAIL = 16
"""Bytes kept of a line that is being skipped, so that an escape across two blocks is seen."""


def translate(text: bytes) -> bytes:
    """Other notations of backspace, carriage return, line break and arrow as such, same length."""
    if b"^" in text:
        text = text.replace(b"^H", b"\b\b").replace(b"^M", b"\r\r")
    if b"#" in text and b"#01" in text:
        text = text.replace(b"#010", b"\b" * 4).replace(b"#015", b"\r" * 4)
        text = text.replace(b"#012", _ESCAPED_BREAK * 4)
    if b"\\" in text and _ESCAPES.search(text):
        text = _ESCAPES.sub(lambda m: _MEANS[m[0][-1:].lower()] * len(m[0]), text)
    if b"&" in text and b"&gt;." in text:
        text = text.replace(b"&gt;.", b"===>.")
    return text


@dataclass(slots=True)
class Stretches:
    """Stretches of one block, in file order; offsets are into ``text``.

    Attributes:
        text: the bytes, without those of ``spans``, followed by ``shapes.PAD``.
        buffer: the same as an array.
        starts: [n] where each stretch begins.
        ends: [n] where it ends.
        places: [n] the offset in the log of its first byte.
        lines: [n] its line, from 1.
        ended: [n] a line break follows.
        separators: bytes of line breaks, carriage returns and backspaces.
        cut: the last stretch is the end of the log, without a line break after it.
        overlong: (line, start, end) of lines beyond ``LINE_BYTES``, as offsets in the log.
        whole: all of the block's text.
        spans: stretches of ``whole`` that were told as rows of one shape.
    """

    text: bytes
    buffer: NDArray[np.uint8]
    starts: Ints
    ends: Ints
    places: Ints
    lines: Ints
    ended: NDArray[np.bool_]
    separators: int
    cut: bool
    overlong: list[tuple[int, int, int]]
    whole: NDArray[np.uint8]
    spans: Spans | None


class _Rest:
    """What spans leave of a text, put together, and where each piece of it stood."""

    def __init__(self, text: bytes, size: int, spans: Spans | None) -> None:
        self.text, self.size, self.separators = text, size, 0
        # Of each piece: where it begins here, and bytes and line breaks of the spans before it.
        self.begins = self.moved = self.breaks = np.zeros(1, np.int64)
        if not spans:
            return
        starts = np.concatenate([[0], spans.end])
        sizes = np.append(spans.at, size) - starts
        edges = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
        self.text = b"".join((*(text[a:b] for a, b in edges), PAD))
        self.begins = np.cumsum(sizes) - sizes
        self.moved = starts - self.begins
        self.breaks = np.concatenate([[0], np.cumsum(spans.breaks())])
        self.separators = spans.separators()
        self.size = int(sizes.sum())

    def piece(self, at: Ints) -> Ints:
        """Which piece holds each offset."""
        return np.searchsorted(self.begins, at, "right") - 1


class Splitter:
    """Cuts a log into stretches, block by block; any way to cut the log gives the same ones.

    Args:
        find: finds spans in a text of some size, see ``strides.Finder.find``.
        width: characters after which a terminal broke the lines, see ``wrapped``; then a stretch
            may hold such breaks.
    """

    def __init__(self, find: Find | None = None, width: int | None = None) -> None:
        self._find = None if width else find
        self._width = width
        self._carry = b""
        self._base = 0
        self._line = 1
        self._skipping: int | None = None
        self._scratch = np.empty((2, 0), np.bool_)

    @property
    def lines(self) -> int:
        """Lines begun so far; the last may be empty."""
        return self._line

    def feed(self, block: bytes) -> Stretches:
        """Stretches that are complete once ``block`` has come."""
        return self._split(block, last=False)

    def finish(self) -> Stretches:
        """The rest: what the log ended with."""
        return self._split(b"", last=True)

    def _split(self, block: bytes, *, last: bool) -> Stretches:
        whole = translate(b"".join((self._carry, block, PAD)))
        size = len(whole) - len(PAD)
        find = None if last or self._skipping is not None else self._find
        spans = find(whole, size) if find else None
        rest = _Rest(whole, size, spans)
        text, size = rest.text, rest.size
        buffer = np.frombuffer(text, np.uint8)
        starts, ends = self._edges(buffer[:size], tabs=b"\t" in text)
        breaks = _breaks_after(text, buffer[:size], starts, ends)
        done, goes_on = size, False
        if self._width and len(starts):
            first, goes_on = begins(text, size, starts, ends, self._width)
            within = np.add.reduceat(breaks[1:], np.flatnonzero(first))
            breaks = np.append(breaks[:1], within)
            starts, ends = starts[first], ends[np.append(first[1:], True)]
        open_ = goes_on or (len(ends) and not self._complete(text, size, int(ends[-1])))
        if open_ and not last:
            late = 2 if _may_become_break(text, size, starts, ends) else 1
            done = int(starts[-late])
            starts, ends = starts[:-late], ends[:-late]
        # Line breaks before each stretch, and at last before ``done``.
        passed = self._line + np.concatenate([[0], np.cumsum(breaks[: len(starts) + 1])])
        cut = bool(last and len(ends) and ends[-1] == size)
        if spans:
            spans.place = self._base + spans.at
            before = np.searchsorted(starts, rest.begins[1:])
            spans.line = passed[before + 1] + rest.breaks[:-1]
        piece = rest.piece(starts)
        result = Stretches(
            text=text,
            buffer=buffer,
            starts=starts,
            ends=ends,
            places=self._base + starts + rest.moved[piece],
            lines=passed[1 : len(starts) + 1] + rest.breaks[piece],
            ended=_ended(buffer, ends),
            separators=done - int((ends - starts).sum()) + rest.separators,
            cut=cut,
            overlong=[],
            whole=np.frombuffer(whole, np.uint8),
            spans=spans,
        )
        self._take_overlong(result)
        self._line = int(passed[-1] + rest.breaks[-1])
        self._base += int(rest.moved[-1])
        self._keep(text, size, done)
        return result

    def _take_overlong(self, part: Stretches) -> None:
        """Move lines that are too long from the stretches to ``overlong``."""
        long = (part.ends - part.starts) > LINE_BYTES
        if self._skipping is not None and len(long):
            long[0] = True
        for i in np.flatnonzero(long).tolist():
            begin = place = int(part.places[i])
            if self._skipping is not None and i == 0:
                begin, self._skipping = self._skipping, None
            end = place + int(part.ends[i] - part.starts[i])
            part.overlong.append((int(part.lines[i]), begin, end))
        if part.overlong:
            part.cut = part.cut and not long[-1]
            for name in ("starts", "ends", "places", "lines", "ended"):
                setattr(part, name, getattr(part, name)[~long])

    @staticmethod
    def _complete(text: bytes, size: int, end: int) -> bool:
        """Whether a stretch that ends there is over and what follows it is known."""
        return end + 1 < size or (end < size and text[end] == 10)

    def _keep(self, text: bytes, size: int, done: int) -> None:
        """Carry on what is not done with; of a line beyond all measure only the tail."""
        if size - done > LINE_BYTES or (self._skipping is not None and done < size):
            if self._skipping is None:
                self._skipping = self._base + done
            done = max(done, size - _SKIP_TAIL)
        self._carry = text[done:size]
        self._base += done

    def _edges(self, buffer: NDArray[np.uint8], *, tabs: bool) -> tuple[Ints, Ints]:
        """Starts and ends of the stretches: what lies between separators."""
        size = len(buffer)
        if size == 0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if self._scratch.shape[1] < size:
            self._scratch = np.empty((2, size), np.bool_)
        gap, edge = self._scratch[0, :size], self._scratch[1, :size]
        np.less(buffer, 14, out=gap)
        if tabs:
            np.not_equal(buffer, 9, out=edge)
            np.logical_and(gap, edge, out=gap)
        np.not_equal(gap[1:], gap[:-1], out=edge[1:])
        edge[0] = not gap[0]
        edges = np.flatnonzero(edge)
        if not gap[-1]:
            edges = np.append(edges, size)
        return edges[::2], edges[1::2]


def _may_become_break(text: bytes, size: int, starts: Ints, ends: Ints) -> bool:
    """Whether the last stretch may begin the escape of a line break, behind a carriage return."""
    at = int(starts[-1])
    after_return = len(ends) > 1 and int(ends[-2]) + 1 == at and text[at - 1] == 13
    return after_return and size - at < _ESCAPE_BYTES and text[at] in b"\\#"


def _ended(buffer: NDArray[np.uint8], ends: Ints) -> NDArray[np.bool_]:
    """[n] whether a line break follows each stretch."""
    at_end = buffer[ends]
    ended: NDArray[np.bool_] = (at_end == 10) | (at_end == 11)
    returns = np.flatnonzero(at_end == 13)
    if len(returns):
        after = buffer[ends[returns] + 1]
        ended[returns] = (after == 10) | (after == 11)
    return ended


def _breaks_after(text: bytes, buffer: NDArray[np.uint8], starts: Ints, ends: Ints) -> Ints:
    """[n + 1] line breaks in the gap before the first stretch and in the gap after each."""
    if not len(starts):
        return np.array([text.count(b"\n")])
    stops = np.append(starts[1:], len(buffer))
    if (stops - ends).max() <= 2:
        bytes_ = np.frombuffer(text, np.uint8)
        after = (bytes_[ends] == 10).astype(np.int64)
        wide = np.flatnonzero(stops - ends == 2)
        after[wide] += bytes_[ends[wide] + 1] == 10
        # A stretch at the very end has no gap: what lies behind it is padding.
        after[-1] *= int(ends[-1] < stops[-1])
    else:
        at = _places(text, buffer)
        after = np.searchsorted(at, stops) - np.searchsorted(at, ends)
    return np.concatenate([[text.count(b"\n", 0, int(starts[0]))], after])


def _places(text: bytes, buffer: NDArray[np.uint8]) -> Ints:
    """Where the line breaks are."""
    if text.count(b"\n") > len(text) // 1024:
        return np.flatnonzero(buffer == 10)
    # Few, as where Keras redraws its line: looking for each is quicker than at every byte.
    found = []
    at = text.find(b"\n")
    while at >= 0:
        found.append(at)
        at = text.find(b"\n", at + 1)
    return np.array(found, np.int64)
