"""One stretch of bytes -> the progress lines, messages and rejects in it, and where each byte went.

This is the slow path: it reads a stretch by the grammar, without looking at any other stretch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field

from logparse.reading import keras_bar, keras_text
from logparse.reading.keras_bar import CONTROL, SUSPECT, Line, Number
from logparse.reading.prefixes import Prefix, read_prefix
from logparse.reading.shapes import Span

PROGRESS = re.compile(rb"\d/(?:\d|Unknown)|\ds - |ETA: ")
"""What every progress line contains."""

CUT_LINE = "cut line"
"""Kind of reject: a piece of a progress line that was cut, or that another text cut in two."""

_FIXED_ENDINGS = {"early stopping", "terminated", "interrupted"}


@dataclass(slots=True)
class Found:
    """A message: its place in the raw stretch, its kind and parsed fields."""

    start: int
    end: int
    kind: str
    data: dict[str, object]


@dataclass(slots=True)
class Parsed:
    """What stands in one stretch; all offsets are in its raw bytes."""

    prefix: Prefix
    lines: list[Line] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    rejects: list[tuple[int, int, str]] = field(default_factory=list)
    read: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    plain: bool = True
    """Nothing but lines, prefix, blanks and text that holds nothing: alike stretches are alike."""


def parse_stretch(raw: bytes, *, cut: bool = False, whole: Container[str] = ()) -> Parsed:
    """Everything in one stretch.

    Args:
        raw: bytes without line breaks.
        cut: the log ends here without a line break: what may go on is left pending.
        whole: metrics whose number at the very end is taken as complete although cut.
    """
    text, at = _strip(raw)
    lines = keras_bar.parse(text, ended=not cut, whole=whole) if PROGRESS.search(text) else []
    end = lines[0].start if lines else len(text)
    parsed = Parsed(read_prefix(text, end))
    known = parsed.prefix.end
    parsed.ignored["colour codes"] += at[0]
    parsed.ignored["prefix"] += at[known] - at[0]
    edges = [known] + [edge for line in lines for edge in (line.start, line.end)] + [len(text)]
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        _between(text, at, start, stop, parsed, cut=cut and stop == len(text), after=start > known)
    for line in lines:
        parsed.read += at[line.end] - at[line.start]
        _shift(line, at)
    parsed.lines = lines
    _shift_prefix(parsed.prefix, at)
    return parsed


def _strip(raw: bytes) -> tuple[bytes, list[int] | range]:
    """``raw`` without colour codes, and the raw offset of each of its bytes and of its end."""
    codes = list(CONTROL.finditer(raw)) if b"[" in raw else []
    if not codes:
        return raw, range(len(raw) + 1)
    keep: list[int] = []
    last = 0
    for code in codes:
        keep.extend(range(last, code.start()))
        last = code.end()
    keep.extend(range(last, len(raw)))
    text = bytes(map(raw.__getitem__, keep))
    keep.append(len(raw))
    return text, keep


def _between(
    text: bytes,
    at: list[int] | range,
    start: int,
    stop: int,
    parsed: Parsed,
    *,
    cut: bool,
    after: bool,
) -> None:
    """What stands between progress lines: blanks, messages, remains of lines, foreign text."""
    piece = text[start:stop]
    size = at[stop] - at[start]
    if not piece.strip():
        parsed.ignored["blank"] += size
        return
    if keras_text.INTEREST.search(piece):
        parsed.plain = False
        base = start
        # Latin-1 keeps one character a byte, so that offsets hold; names are decoded after.
        for found in keras_text.find(piece.decode("latin-1")):
            if cut and found.end == len(piece) and not _complete(found, piece):
                break
            first = base + found.start
            _remains(text, at, start, first, parsed, after=after)
            start, after = base + found.end, False
            data = {name: _text(value) for name, value in found.data.items()}
            parsed.found.append(Found(at[first], at[start], found.kind, data))
            parsed.read += at[start] - at[first]
    if cut and start < stop and text[start:stop].strip():
        parsed.pending += at[stop] - at[start]
    else:
        _remains(text, at, start, stop, parsed, after=after)


def _remains(
    text: bytes, at: list[int] | range, start: int, stop: int, parsed: Parsed, *, after: bool
) -> None:
    """Text that holds no message: rejected where it looks like a piece of a line, else ignored."""
    piece = text[start:stop]
    size = at[stop] - at[start]
    if size == 0:
        return
    if not piece.strip():
        parsed.ignored["blank"] += size
    elif SUSPECT.search(piece) or (after and piece.lstrip().startswith(b"- ")):
        parsed.plain = False
        parsed.rejects.append((at[start], at[stop], CUT_LINE))
    else:
        parsed.ignored["other output"] += size


def _complete(found: keras_text.Found, piece: bytes) -> bool:
    """Whether a message at the very end of a cut log cannot go on."""
    return found.kind in _FIXED_ENDINGS or piece.endswith(b".")


def _text(value: object) -> object:
    if isinstance(value, str):
        return value.encode("latin-1", "replace").decode("utf-8", "replace")
    return value


def _shift(line: Line, at: list[int] | range) -> None:
    """Offsets of the line in the text without colour codes -> in the raw stretch."""
    if isinstance(at, range):
        return

    def span(s: Span | None) -> Span | None:
        # A span ends after its last byte: what follows may be a colour code.
        return (at[s[0]], at[s[1] - 1] + 1) if s else None

    line.step, line.of, line.bar = span(line.step), span(line.of), span(line.bar)
    line.elapsed, line.per_step = span(line.elapsed), span(line.per_step)
    line.per_epoch = span(line.per_epoch)
    line.eta = tuple((at[a], at[b - 1] + 1) for a, b in line.eta)
    line.names = [(at[a], at[b - 1] + 1) for a, b in line.names]
    line.start, line.end = at[line.start], at[line.end]
    for _, number in line.metrics:
        _shift_number(number, at)


def _shift_number(number: Number, at: list[int] | range) -> None:
    def span(s: Span) -> Span:
        return (at[s[0]], at[s[1] - 1] + 1)

    if number.word:
        return
    number.whole = span(number.whole)
    number.fraction = span(number.fraction) if number.fraction else None
    number.exponent = span(number.exponent) if number.exponent else None


def _shift_prefix(prefix: Prefix, at: list[int] | range) -> None:
    if isinstance(at, range):
        return
    prefix.clock = tuple((at[a], at[b - 1] + 1) for a, b in prefix.clock)
    prefix.numbers = tuple((at[a], at[b - 1] + 1) for a, b in prefix.numbers)
    prefix.end = at[prefix.end]
