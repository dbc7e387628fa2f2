"""An iterator -> the same items, made by a thread a little ahead of their use."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TypeVar

Item = TypeVar("Item")

_DEPTH = 2
"""Items made ahead: enough to keep the thread busy, few enough to bound memory."""


def ahead(items: Iterator[Item], depth: int = _DEPTH) -> Iterator[Item]:
    """The items in order; what making one raises is raised here in its place.

    numpy works outside the interpreter's lock, so making and using items overlap on two cores.
    Closing the iterator early ends the thread after the item it is at.
    """
    made: SimpleQueue[tuple[Item | None, BaseException | None]] = SimpleQueue()
    room = Semaphore(depth)
    wanted = True

    def make() -> None:
        try:
            for item in items:
                made.put((item, None))
                room.acquire()
                if not wanted:
                    return
            made.put((None, None))
        except BaseException as error:  # handed on: the user of the items must see it
            made.put((None, error))

    thread = Thread(target=make, name="logparse-reading", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
            room.release()
    finally:
        wanted = False
        room.release()
