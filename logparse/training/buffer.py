"""Updates of one channel, chunk by chunk -> any of them by number, as long as it is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from logparse.reading.records import Updates


class Buffer:
    """Rows numbered from 0 through the whole log; what came in one chunk stays in one piece.

    Attributes:
        count: rows that came so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._parts: list[tuple[int, Updates]] = []

    def add(self, updates: Updates) -> None:
        """Rows that follow."""
        if len(updates):
            self._parts.append((self.count, updates))
            self.count += len(updates)

    def place(self, row: int) -> tuple[Updates, int]:
        """The piece that holds a row, and its index there."""
        for start, part in reversed(self._parts):
            if row >= start:
                return part, row - start
        raise IndexError(row)

    def together(self, one: int, other: int) -> bool:
        """Whether two rows came in one piece."""
        return self.place(one)[0] is self.place(other)[0]

    def rows(self, spans: Sequence[tuple[int, int]]) -> Updates:
        """The rows of some spans, in order; without copying where they are one stretch."""
        pieces = [piece for span in spans for piece in self._pieces(*span)]
        part, at, _ = pieces[0]
        if all(piece[0] is part for piece in pieces):
            if sum(b - a for _, a, b in pieces) == pieces[-1][2] - at:
                return part.part(at, pieces[-1][2])
            return part.take(np.concatenate([np.arange(a, b) for _, a, b in pieces]))
        # All at once: one by one, an epoch of many pieces would be copied as many times.
        first, *others = (part.part(at, stop) for part, at, stop in pieces)
        out = first.joined(*others)
        # Metrics in the order in which these rows show them, as in one piece.
        return out.part(0, len(out))

    def forget(self, needed: Sequence[tuple[int, int]]) -> None:
        """Let go of the pieces that hold none of these rows."""
        self._parts = [
            (start, part)
            for start, part in self._parts
            if any(a < start + len(part) and start < b for a, b in needed)
        ]

    def _pieces(self, begin: int, end: int) -> list[tuple[Updates, int, int]]:
        return [
            (part, max(begin - start, 0), min(end - start, len(part)))
            for start, part in self._parts
            if begin < start + len(part) and start < end
        ]
