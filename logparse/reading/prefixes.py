"""Text before a progress line -> whose line it is, and when it was written.

Containers, logging and job launchers put a timestamp or the worker's name before each line. The
first is a clock, the second keeps two workers' lines apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from logparse.reading.records import Floats, Ints

Span = tuple[int, int]

CHANNEL = re.compile(
    rb"\s*(?:\[(\d{1,6}),(\d{1,9})\]<std(?:out|err)>:?"  # mpirun, horovodrun
    rb"|\((?:[^()\n]{1,80} )?(?:[^()\s]{1,80} )?pid=(\d{1,9})[^()\n]{0,80}\)"  # Ray
    rb"|\[?[Rr]ank[ =:]?(\d{1,9})\]?:"
    rb"|[A-Za-z0-9][A-Za-z0-9_.-]{0,60} +\| )"  # docker compose
)
CLOCK = re.compile(
    rb"(?<!\d)(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?!\d)"
)


@dataclass(slots=True)
class Prefix:
    """What stands before a line: spans of its timestamp's digits, and its worker's mark."""

    clock: tuple[Span, ...] = ()
    """Year, month, day, hour, minute, second and, if printed, the decimals."""
    channel: bytes = b""
    """The mark with digits as 0: two workers of one launcher differ in ``numbers`` only."""
    numbers: tuple[Span, ...] = ()
    shown: str = ""
    """The mark as printed."""
    end: int = 0
    """Where the part that was understood ends."""


def read_prefix(text: bytes, end: int) -> Prefix:
    """The worker's mark at the start of a stretch and the timestamp before ``end``."""
    prefix = Prefix()
    if mark := CHANNEL.match(text, 0, end):
        prefix.channel = re.sub(rb"\d", b"0", mark[0].strip())
        prefix.numbers = tuple(mark.span(i) for i in range(1, 5) if mark[i])
        if not prefix.numbers:
            prefix.numbers = tuple(m.span() for m in re.finditer(rb"\d{1,9}", mark[0]))
        prefix.shown = mark[0].strip().decode("utf-8", "replace")
        prefix.end = mark.end()
    if clock := CLOCK.search(text, 0, end):
        prefix.clock = tuple(clock.span(i) for i in range(1, 8) if clock[i])
        prefix.end = clock.end()
    return prefix


class Channels:
    """Numbers for the marks met: 0 for lines without one, 1, 2, ... in order of appearance."""

    def __init__(self) -> None:
        self.names: list[str | None] = [None]
        self._ids: dict[tuple[bytes, tuple[int, ...]], int] = {}

    def one(self, prefix: Prefix, text: bytes) -> int:
        """Number of the mark in ``prefix``, found in ``text``; -1 where there is none."""
        if not prefix.channel:
            return -1
        numbers = tuple(int(text[a:b]) for a, b in prefix.numbers)
        return self._number(prefix, numbers, prefix.shown)

    def many(self, prefix: Prefix, numbers: list[Ints], size: int) -> Ints:
        """The same for rows of one shape, from the numbers in their marks."""
        if not prefix.channel:
            return np.full(size, -1, np.int64)
        if not numbers:
            return np.full(size, self._number(prefix, (), prefix.shown))
        rows = np.stack(numbers, axis=1)
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        ids = [self._number(prefix, tuple(map(int, row)), None) for row in unique]
        return np.array(ids, np.int64)[inverse.ravel()]

    def _number(self, prefix: Prefix, numbers: tuple[int, ...], shown: str | None) -> int:
        key = (prefix.channel, numbers)
        if key not in self._ids:
            if shown is None:
                shown = prefix.shown
                for span, number in zip(prefix.numbers[::-1], numbers[::-1], strict=True):
                    shown = _replace(shown, prefix, span, number)
            self._ids[key] = len(self.names)
            self.names.append(shown)
        return self._ids[key]


def _replace(shown: str, prefix: Prefix, span: Span, number: int) -> str:
    """``shown`` with the digits at ``span`` replaced by ``number``."""
    lead = prefix.end - len(shown.encode()) if not prefix.clock else 0
    start, end = span[0] - lead, span[1] - lead
    return shown[:start] + str(number).rjust(end - start, "0") + shown[end:]


def seconds(parts: list[Ints], decimals: int) -> Floats:
    """Seconds since 1970 of the timestamp's parts, read as UTC.

    Days by Howard Hinnant's ``days_from_civil``; impossible dates give what the formula gives.
    """
    year, month, day, hour, minute, second = parts[:6]
    shifted = year - (month <= 2)
    century = shifted // 400
    of_era = shifted - century * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days = century * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    whole: Floats = (days * 86400 + hour * 3600 + minute * 60 + second).astype(np.float64)
    if len(parts) > 6:
        whole += parts[6] / 10.0**decimals
    return whole
