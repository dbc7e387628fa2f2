"""An iterator -> the same items, made by a copy of this process while they are used here.

Two threads of Python hardly read and analyse at once: between numpy's calls one holds the lock that
the other waits for. Two processes do. The copy is made by ``fork``, which costs a few milliseconds,
and only where nothing can go wrong with that; elsewhere ``ahead`` makes the items in a thread.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from itertools import accumulate
from typing import Any, NoReturn, TypeVar

import numpy as np

from logparse.errors import SourceError

Item = TypeVar("Item")

THREADS = "logparse-"
"""How the names of our own threads begin: they hold no lock that the copy needs."""

_PIPE_BYTES = 1 << 20
"""Room between the two, the most that Linux gives to every user."""

_SIZE = struct.Struct("<Q")
_ALIGNED = 64
"""Bytes of which the place of each array is a multiple, as the processor likes it."""


def possible() -> bool:
    """Whether this process can be copied: on Linux, with a second core and no thread but ours.

    Threads of libraries, as of polars at work, may hold locks that would stay shut in the copy.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return False
    others = [one for one in threading.enumerate() if one is not threading.main_thread()]
    return (
        threading.current_thread() is threading.main_thread()
        and all(one.name.startswith(THREADS) for one in others)
        and len(os.listdir("/proc/self/task")) == 1 + len(others)
    )


def apart(items: Iterator[Item]) -> Iterator[Item]:
    """The items in order, made in a copy of this process from now on; here ``items`` stays as is.

    What making one raises is raised here in its place. Closing the iterator ends the copy.
    """
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of any thread; ``possible`` has looked at them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.close(read)
        _make(items, write)
    os.close(write)
    return _received(read, child)


@dataclass(slots=True)
class _Message:
    """An item, or what making it raised."""

    item: Any = None
    error: BaseException | None = None


def _make(items: Iterator[object], write: int) -> NoReturn:
    """The life of the copy: it sends items and ends, whatever happens."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started it
        with open(write, "wb") as pipe:
            _widen(write)
            try:
                for item in items:
                    _send(pipe, _Message(item))
                _send(pipe, None)
            except BrokenPipeError:
                pass  # nobody wants them any more
            except BaseException as error:  # handed on: the user of the items must see it
                _send(pipe, _Message(error=error))
    finally:
        os._exit(0)


def _widen(pipe: int) -> None:
    import fcntl

    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return  # of too many pipes: this one stays small


def _received(read: int, child: int) -> Iterator[Item]:
    try:
        with open(read, "rb") as pipe:
            while message := _receive(pipe):
                if message.error is not None:
                    raise message.error
                yield message.item
    finally:
        os.kill(child, signal.SIGKILL)  # it is not waited for yet, so the number is still its own
        os.waitpid(child, 0)


def _send(pipe: BufferedWriter, message: _Message | None) -> None:
    """A message as its pickle and, apart from it, the bytes of its arrays; sizes before all."""
    arrays: list[pickle.PickleBuffer] = []
    text = pickle.dumps(message, 5, buffer_callback=arrays.append)
    parts: list[bytes | memoryview] = [text, *(array.raw() for array in arrays)]
    pipe.write(b"".join(map(_SIZE.pack, (len(parts), *map(len, parts)))))
    for part in parts:
        pipe.write(part)
        pipe.write(bytes(-len(part) % _ALIGNED))
    pipe.flush()


def _receive(pipe: BufferedReader) -> _Message | None:
    """The next message, None behind the last.

    Raises:
        SourceError: the copy is gone.
    """
    (count,) = _SIZE.unpack(_read(pipe, _SIZE.size))
    sizes = np.frombuffer(_read(pipe, count * _SIZE.size), "<u8").tolist()
    # All in one go: after each, this thread waits for the lock that another may hold for long.
    room = [size + -size % _ALIGNED for size in sizes]
    whole, ends = _read(pipe, sum(room)), accumulate(room)
    starts = (end - size for end, size in zip(ends, room, strict=True))
    text, *arrays = (whole[at : at + size] for at, size in zip(starts, sizes, strict=True))
    message: _Message | None = pickle.loads(text, buffers=arrays)  # noqa: S301  # from our own copy
    return message


def _read(pipe: BufferedReader, size: int) -> memoryview:
    buffer = np.empty(size, np.uint8).data
    if size and pipe.readinto(buffer) < size:
        raise SourceError("the process that read the log ended before its time")
    return buffer
