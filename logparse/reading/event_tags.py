"""Tag names in, numbers out; and which tags of a run are scalars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logparse.reading.event_values import SCALAR_PLUGINS
from logparse.reading.records import Ints

TAGS_MOST = 100_000
"""Different tags in one folder; records of further tags are rejected, whichever come last."""

TAG_CHARACTERS = 16 << 20
"""Characters of all tags together; records of further tags are rejected."""

_NEVER = np.int64(2**62)


class Tags:
    """Names of tags and their numbers, bounded."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._room = TAG_CHARACTERS

    def number(self, name: str) -> int:
        """The number of a tag, -1 if there is no room for another."""
        known = self._numbers.get(name)
        if known is not None:
            return known
        if len(self.names) >= TAGS_MOST or len(name) > self._room:
            return -1
        self._room -= len(name)
        self._numbers[name] = len(self.names)
        self.names.append(name)
        return len(self.names) - 1


class Plugins:
    """Which plugin each tag of a run belongs to: the first that it names, from that event on.

    Many writers name it on a tag's first event only. Share one between the files of a run, in
    order of time.
    """

    def __init__(self) -> None:
        self._settled = np.zeros(0, np.bool_)
        self._other_from: Ints = np.zeros(0, np.int64)
        self._names: dict[int, str] = {}

    def name(self, tag: int) -> str:
        """The plugin of a tag that is not a scalar."""
        return self._names[tag]

    def unsettled(self, tags: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these tags have named no plugin so far."""
        self._grow(int(tags.max(initial=-1)) + 1)
        return ~self._settled[tags]

    def settle(self, first: dict[int, tuple[int, str]]) -> None:
        """Give each of these tags its plugin, from a record of this block on."""
        self._grow(max(first, default=-1) + 1)
        for tag, (record, plugin) in first.items():
            self._settled[tag] = True
            if plugin not in SCALAR_PLUGINS:
                self._other_from[tag] = record
                self._names[tag] = plugin

    def other(self, tags: NDArray[np.int32], records: Ints) -> NDArray[np.bool_] | None:
        """Which tensors of these tags, at these records of the block, are not scalars."""
        if not self._names or not len(tags):
            return None
        self._grow(int(tags.max()) + 1)
        return records >= self._other_from[tags]

    def close_block(self) -> None:
        """What was settled within this block holds from the start of the next."""
        if self._names:
            self._other_from[self._other_from != _NEVER] = -1

    def _grow(self, tags: int) -> None:
        more = tags - len(self._settled)
        if more > 0:
            more = max(more, len(self._settled))
            self._settled = np.concatenate([self._settled, np.zeros(more, np.bool_)])
            self._other_from = np.concatenate([self._other_from, np.full(more, _NEVER)])
