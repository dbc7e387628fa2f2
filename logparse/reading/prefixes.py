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
    rb"\s*(?:\[\d{1,6},\d{1,9}\]<std(?:out|err)>:?"  # mpirun, horovodrun
    rb"|\((?:[^()\n]{1,80} )?pid=\d{1,9}[^()\n]{0,80}\)"  # Ray
    rb"|\[?[Rr]ank[ =:]?\d{1,9}\]?:"
    rb"|[A-Za-z0-9][A-Za-z0-9_.-]{0,60} +\| )"  # docker compose
)
_NUMBER = re.compile(rb"\d{1,9}")
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
    shown: bytes = b""
    """The mark as printed."""
    marks: tuple[Span, ...] = ()
    """``numbers`` as offsets in ``shown``."""
    end: int = 0
    """Where the part that was understood ends."""


def read_prefix(text: bytes, end: int) -> Prefix:
    """The worker's mark at the start of a stretch and the timestamp before ``end``."""
    prefix = Prefix()
    if mark := CHANNEL.match(text, 0, end):
        prefix.channel = re.sub(rb"\d", b"0", mark[0].strip())
        prefix.numbers = tuple(m.span() for m in _NUMBER.finditer(text, mark.start(), mark.end()))
        prefix.shown = mark[0].strip()
        lead = mark.end() - len(mark[0].lstrip())
        prefix.marks = tuple((start - lead, end - lead) for start, end in prefix.numbers)
        prefix.end = mark.end()
    if clock := CLOCK.search(text, 0, end):
        prefix.clock = tuple(clock.span(i) for i in range(1, 8) if clock[i])
        prefix.end = clock.end()
    return prefix


class Channels:
    """Numbers for the marks met: 0 for lines without one, 1, 2, ... in order of appearance.

    ``one`` and ``many`` give provisional numbers, since shapes are decoded out of order;
    ``settle`` gives the final ones.
    """

    def __init__(self) -> None:
        self.names: list[str | None] = [None]
        self._ids: dict[tuple[bytes, tuple[int, ...]], int] = {}
        self._shown: list[str] = []
        self._final: dict[int, int] = {}

    def one(self, prefix: Prefix, text: bytes) -> int:
        """Number of the mark in ``prefix``, found in ``text``; -1 where there is none."""
        if not prefix.channel:
            return -1
        return self._number(prefix, tuple(int(text[a:b]) for a, b in prefix.numbers))

    def many(self, prefix: Prefix, numbers: list[Ints], size: int) -> Ints:
        """The same for rows of one shape, from the numbers in their marks."""
        if not prefix.channel:
            return np.full(size, -1, np.int64)
        if not numbers:
            return np.full(size, self._number(prefix, ()))
        rows = np.stack(numbers, axis=1)
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        ids = [self._number(prefix, tuple(map(int, row))) for row in unique]
        return np.array(ids, np.int64)[inverse.ravel()]

    def settle(self, given: Ints) -> Ints:
        """Final numbers for provisional ones in file order; -1 stays."""
        if not self._shown:
            return given
        unique, first = np.unique(given, return_index=True)
        for provisional in unique[np.argsort(first)].tolist():
            if provisional >= 0 and provisional not in self._final:
                self._final[provisional] = len(self.names)
                self.names.append(self._shown[provisional])
        return np.array([self._final.get(number, -1) for number in unique.tolist()])[
            np.searchsorted(unique, given)
        ]

    def _number(self, prefix: Prefix, numbers: tuple[int, ...]) -> int:
        key = (prefix.channel, numbers)
        if key not in self._ids:
            shown = bytearray(prefix.shown)
            for (start, end), number in zip(prefix.marks, numbers, strict=True):
                shown[start:end] = b"%0*d" % (end - start, number)
            self._ids[key] = len(self._shown)
            self._shown.append(shown.decode("utf-8", "replace"))
        return self._ids[key]


def timestamp(prefix: Prefix, text: bytes) -> float | None:
    """Seconds since 1970 of the timestamp that ``prefix`` found in ``text``."""
    if not prefix.clock:
        return None
    parts = [np.array([int(text[start:end])]) for start, end in prefix.clock]
    decimals = prefix.clock[6][1] - prefix.clock[6][0] if len(parts) > 6 else 0
    return float(seconds(parts, decimals)[0])


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
