"""A piece of work in, a line on the error stream while it takes long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from logparse.apart import THREADS
from logparse.reports.safe import shorten

WAIT = 1.0
"""Seconds before anything is said: quick work needs no word."""

TICK = 0.5
"""Seconds between two updates of the line."""

NAME = 50
"""Characters of a name on the line."""


@contextmanager
def progress(name: str, *, quiet: bool) -> Iterator[None]:
    """Say on stderr, if it is a terminal and the block takes over a second, what it works on.

    The line is wiped when the block ends.
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    ticker = threading.Thread(
        target=_tick, args=(shorten(name, NAME), done), name=f"{THREADS}progress", daemon=True
    )
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()


def _tick(name: str, done: threading.Event) -> None:
    start = time.monotonic()
    if done.wait(WAIT):
        return
    while not done.wait(TICK):
        sys.stderr.write(f"\r\x1b[Kreading {name} ... {time.monotonic() - start:.0f} s")
        sys.stderr.flush()
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
