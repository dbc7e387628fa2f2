"""One stretch of bytes -> the progress lines, messages and rejects in it, and where each byte went.

This is the slow path: it reads a stretch by the grammar, without looking at any other stretch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from logparse.limits import ROW_METRICS
from logparse.reading import keras_bar, keras_text
from logparse.reading.keras_bar import CONTROL, SUSPECT, Line
from logparse.reading.prefixes import Prefix, read_prefix
from logparse.reading.shapes import Span

PROGRESS = re.compile(rb"\d/(?:\d|Unknown)|\ds - |ETA: ")
"""What every progress line contains."""

CUT_LINE = "cut line"
"""Kind of reject: a piece of a progress line that was cut, or that another text cut in two."""

TOO_MANY = "too many metrics"
"""Kind of reject: metrics beyond ``limits.METRIC_NAMES`` or ``limits.ROW_METRICS``."""

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
    """What stands in one stretch.

    ``lines`` and ``prefix`` have offsets in ``text``, which is the stretch without colour codes,
    and ``at`` gives the raw offset of each; ``found`` and ``rejects`` have raw offsets.
    """

    text: bytes
    at: list[int] | range
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
    parsed = Parsed(text, at, read_prefix(text, end), lines)
    known = parsed.prefix.end
    parsed.ignored["colour codes"] += at[0]
    parsed.ignored["prefix"] += at[known] - at[0]
    edges = [known] + [edge for line in lines for edge in (line.start, line.end)] + [len(text)]
    before: list[Line | None] = [None, *lines]
    for start, stop, line in zip(edges[::2], edges[1::2], before, strict=True):
        _between(text, at, start, stop, parsed, cut=cut and stop == len(text), after=line)
    parsed.read += sum(at[line.end] - at[line.start] for line in lines)
    return parsed


def _strip(raw: bytes) -> tuple[bytes, list[int] | range]:
    """``raw`` without colour codes, and the raw offset of each of its bytes and of its end."""
    codes = list(CONTROL.finditer(raw)) if b"[" in raw or b"\n" in raw else []
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
    after: Line | None,
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
            start, after = base + found.end, None
            data = {name: _text(value) for name, value in found.data.items()}
            parsed.found.append(Found(at[first], at[start], found.kind, data))
            parsed.read += at[start] - at[first]
    if cut and start < stop and text[start:stop].strip():
        parsed.pending += at[stop] - at[start]
    else:
        _remains(text, at, start, stop, parsed, after=after)


def _remains(
    text: bytes, at: list[int] | range, start: int, stop: int, parsed: Parsed, *, after: Line | None
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
        full = after is not None and len(after.metrics) >= ROW_METRICS
        parsed.rejects.append((at[start], at[stop], TOO_MANY if full else CUT_LINE))
    else:
        parsed.ignored["other output"] += size


def _complete(found: keras_text.Found, piece: bytes) -> bool:
    """Whether a message at the very end of a cut log cannot go on."""
    return found.kind in _FIXED_ENDINGS or piece.endswith(b".")


def _text(value: object) -> object:
    if isinstance(value, str):
        return value.encode("latin-1", "replace").decode("utf-8", "replace")
    return value


def raw_offsets(parsed: Parsed) -> bool:
    """Turn the offsets of ``lines`` and ``prefix`` into raw ones.

    Returns:
        False if a field has a colour code inside: then the raw bytes do not spell it.
    """
    at = parsed.at
    if isinstance(at, range):
        return True
    whole = True

    def raw(span: Span) -> Span:
        # A span ends after its last byte: what follows may be a colour code.
        nonlocal whole
        start, end = at[span[0]], at[span[1] - 1] + 1
        whole = whole and end - start == span[1] - span[0]
        return start, end

    for line in parsed.lines:
        _shift(line, raw)
        line.start, line.end = at[line.start], at[line.end]
        line.pairs = [(at[start], at[end]) for start, end in line.pairs]
    prefix = parsed.prefix
    prefix.clock = tuple(map(raw, prefix.clock))
    prefix.numbers = tuple(map(raw, prefix.numbers))
    return whole


def _shift(line: Line, raw: Callable[[Span], Span]) -> None:
    for name in ("step", "of", "bar", "elapsed", "per_step", "per_epoch"):
        span = getattr(line, name)
        if span:
            setattr(line, name, raw(span))
    line.eta = tuple(map(raw, line.eta))
    line.names = [raw(span) for span in line.names]
    for _, number in line.metrics:
        if not number.word:
            number.whole = raw(number.whole)
            number.fraction = raw(number.fraction) if number.fraction else None
            number.exponent = raw(number.exponent) if number.exponent else None
