"""The head of a log -> the width at which a terminal broke its lines, and which pieces are one.

What is copied from a terminal is broken where the window ended: within a name, or within a number,
which then reads like a shorter one.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from logparse.reading import keras_bar
from logparse.reading.records import Ints
from logparse.reading.stretch import PROGRESS

NARROWEST = 40
"""Characters that a terminal has in a line, at least."""

PIECES = 64
"""Breaks within a line, at most."""

_TRIED = 256
"""Lines of the head that are tried."""

_OWN = re.compile(rb"\s*(?:\d{1,15}/(?:\d{1,15}|Unknown) |Epoch \d|Train (?:on|for) )")
"""How a line of its own begins."""

_FURTHER = bytes(range(0x80, 0xC0))
"""Bytes of a character but its first."""

_BREAK = re.compile(rb"\r?\n")


@lru_cache(1)  # it is asked for twice: when the reader is chosen, and by the reader
def width(head: bytes) -> int | None:
    """Characters after which lines were broken; None if they were not.

    No line is longer, and most progress lines as long as that are whole only together with what
    follows them.

    Args:
        head: the beginning of a log.
    """
    if b"\b" in head:
        return None  # who keeps the backspaces keeps lines whole
    lines = head.replace(b"\r\n", b"\n").split(b"\n")[:-1]
    sizes = list(map(len, b"\n".join(lines).translate(None, _FURTHER).split(b"\n")))
    most = max(sizes)
    if most < NARROWEST:
        return None
    full = [i for i, size in enumerate(sizes) if size == most and PROGRESS.search(lines[i])]
    ends = np.cumsum([len(line) + 1 for line in lines]) - 1
    starts = ends - [len(line) for line in lines]
    first, _ = begins(b"\n".join(lines), int(ends[-1]), starts, ends, most)
    stops = np.append(np.flatnonzero(first), len(lines))
    good = 0
    for i in full[:_TRIED]:
        whole = b"".join(lines[i : stops[np.searchsorted(stops, i, "right")]]).rstrip()
        if len(whole) > len(lines[i]) and (found := keras_bar.parse(whole)):
            good += found[-1].start < len(lines[i]) < found[-1].end == len(whole)
    return most if 2 * good > min(len(full), _TRIED) else None


def begins(
    text: bytes, size: int, starts: Ints, ends: Ints, full: int
) -> tuple[NDArray[np.bool_], bool]:
    """Which stretches begin a line of the log, and whether the last one may still go on.

    Args:
        text: what holds them.
        size: bytes of it that count.
        starts: [n] where each begins.
        ends: [n] where it ends.
        full: characters of a line that was broken.

    Returns:
        [n] where it is False, the stretch goes on with the one before it.
    """
    first = np.ones(len(starts) + 1, np.bool_)
    lengths = ends - starts
    pieces = 0
    # A character has up to four bytes.
    for i in np.flatnonzero((lengths >= full) & (lengths <= 4 * full)).tolist():
        start, end = int(starts[i]), int(ends[i])
        if first[i]:
            pieces = 0 if PROGRESS.search(text, start, end) else PIECES
        if pieces < PIECES and len(text[start:end].translate(None, _FURTHER)) == full:
            after = int(starts[i + 1]) if i + 1 < len(starts) else size
            broken = _BREAK.fullmatch(text, end, after) is not None
            first[i + 1] = not broken or (after < size and _OWN.match(text, after))
            pieces += 1
    return first[:-1], not first[-1]
