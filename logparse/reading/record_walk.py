"""A buffer and a place in it in, the records that lie one behind the other from there out.

Lengths of records repeat: a period of them is learned and the headers are then checked as
columns; and a file is compared with one that was read before, since those of a folder are alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logparse.reading import crc32c
from logparse.reading.crc32c import HEADER
from logparse.reading.records import Ints

HEADER_BYTES = HEADER.size
FRAME_BYTES = HEADER_BYTES + 4
"""Bytes of a record beyond its payload."""

RECORD_BYTES = 64 << 20
"""A longer payload is stepped over: no event of a training is near it, and lengths lie."""

_PROBE = 24
_PROBE_MOST = 2048
_PERIOD_MOST = 512
_CYCLES_FIRST = 1 << 12
_CYCLES_MOST = 1 << 16


def join(parts: list[Ints]) -> Ints:
    """Numbers, part after part."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


class Walked:
    """A buffer that begins with a file's first record, and its records up to where one is bad."""

    def __init__(self, buffer: bytes, starts: Ints, lengths: Ints) -> None:
        self.starts, self.lengths = starts, lengths
        self._ends = starts + lengths + FRAME_BYTES
        self._headers = _gather(buffer, starts)

    def same_in(self, buffer: bytes) -> int:
        """How many records of another buffer have the same headers at the same places."""
        count = int(np.searchsorted(self._ends, len(buffer), side="right"))
        found, known = _gather(buffer, self.starts[:count]), self._headers[:count]
        if found.tobytes() == known.tobytes():
            return count
        differ = found.view(np.uint8) != known.view(np.uint8)
        return int(differ.argmax()) // HEADER_BYTES


def _gather(buffer: bytes, starts: Ints) -> NDArray[np.void]:
    """The headers at these places, of which each is within the buffer."""
    if not len(starts):
        return np.empty(0, f"V{HEADER_BYTES}")
    size = len(buffer) - HEADER_BYTES + 1
    headers: NDArray[np.void] = np.ndarray((size,), f"V{HEADER_BYTES}", buffer, 0, (1,))[starts]
    return headers


def walk(buffer: bytes, at: int, like: Walked | None = None) -> tuple[Ints, Ints, int, bool]:
    """Records from ``at`` on: starts, lengths, the first byte after them.

    Last comes whether the buffer ended the walk; else the header there is not valid. ``like`` is
    where records are expected, if ``at`` is the beginning of a file.
    """
    starts: list[Ints] = []
    lengths: list[Ints] = []
    if like is not None and (count := like.same_in(buffer)):
        # All of them are given as they are, so that files that are alike share them.
        whole = count == len(like.starts)
        starts.append(like.starts if whole else like.starts[:count])
        lengths.append(like.lengths if whole else like.lengths[:count])
        at = int(starts[0][-1] + lengths[0][-1]) + FRAME_BYTES
    budget = _PROBE
    while True:
        sizes, end, sound = _step(buffer, at, budget)
        if sizes:
            taken = np.array(sizes, np.int64)
            steps = np.cumsum(taken + FRAME_BYTES)
            starts.append(at + steps - steps[0])
            starts[-1][1:] = at + steps[:-1]
            lengths.append(taken)
        at = end
        if len(sizes) < budget:
            return join(starts), join(lengths), at, sound
        cycle = _cycle(taken)
        if cycle is None:
            budget = min(2 * budget, _PROBE_MOST)
            continue
        budget = _PROBE
        at = _stride(buffer, at, cycle, starts, lengths)


def _step(buffer: bytes, at: int, budget: int) -> tuple[list[int], int, bool]:
    """Up to ``budget`` records one by one: lengths, the place after them, header there sound."""
    sizes: list[int] = []
    size = len(buffer)
    known: dict[int, int] = {}
    unpack = HEADER.unpack_from
    while len(sizes) < budget and at + HEADER_BYTES <= size:
        length, check = unpack(buffer, at)
        if known.get(length) != check:
            if length > RECORD_BYTES or crc32c.header_crc(length) != check:
                return sizes, at, False
            known[length] = check
        if at + FRAME_BYTES + length > size:
            break
        sizes.append(length)
        at += FRAME_BYTES + length
    return sizes, at, True


def _cycle(sizes: Ints) -> Ints | None:
    """The shortest run of lengths that the end of ``sizes`` repeats three times."""
    n = len(sizes)
    for period in np.flatnonzero(sizes[-2::-1] == sizes[-1])[:_PERIOD_MOST] + 1:
        if 3 * period > n:
            return None
        tail = sizes[n - 3 * period :].reshape(3, period)
        if (tail == tail[2]).all():
            cycle: Ints = tail[2]
            return cycle
    return None


def _stride(buffer: bytes, at: int, cycle: Ints, starts: list[Ints], lengths: list[Ints]) -> int:
    """Whole cycles from ``at`` on, their headers checked as columns; gives the place after them."""
    steps = cycle + FRAME_BYTES
    width = int(steps.sum())
    places = np.cumsum(steps) - steps
    most = _CYCLES_FIRST
    while count := min(most, (len(buffer) - at) // width):
        good = count
        for place, length in zip(places.tolist(), cycle.tolist(), strict=True):
            sizes = np.ndarray((good,), "<u8", buffer, at + place, (width,))
            checks = np.ndarray((good,), "<u4", buffer, at + place + 8, (width,))
            same = sizes == np.uint64(length)
            same &= checks == np.uint32(crc32c.header_crc(length))
            if not same.all():
                good = int(same.argmin())
                if not good:
                    break
        if good:
            first = at + np.arange(good, dtype=np.int64) * width
            starts.append((first[:, None] + places).ravel())
            lengths.append(np.broadcast_to(cycle, (good, len(cycle))).ravel())
            at += good * width
        if good < count:
            break
        most = _CYCLES_MOST
    return at
