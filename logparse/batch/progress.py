"""Logs done so far in, a line on the error stream out: how many, how fast, how long still."""

from __future__ import annotations

import sys
import time

from logparse.reports import words

WAIT = 1.0
"""Seconds before anything is said."""

TICK = 0.2
"""Seconds between two updates of the line."""

FIXED = 50_000
"""Bytes whose reading takes as long as what every log costs, whatever its size."""


class Progress:
    """A line that is redrawn while logs are read; nothing where stderr is no terminal.

    Args:
        total: logs to read.
        size: their bytes.
        quiet: say nothing.
    """

    def __init__(self, total: int, size: int, *, quiet: bool = False) -> None:
        self._total, self._work = total, size + FIXED * total
        self._drawn = quiet or not sys.stderr.isatty()
        self._silent = self._drawn
        self._start = time.monotonic()
        self._last = self._start + WAIT - TICK
        self._count = self._failed = 0
        self._worked = 0

    def done(self, size: int, failed: int) -> None:
        """Count one more file, and the logs in it that failed."""
        self._count += 1
        self._failed += failed
        self._worked += size + FIXED
        now = time.monotonic()
        if not self._silent and now - self._last >= TICK:
            self._last = now
            sys.stderr.write(f"\r\x1b[K{self.text(now - self._start)}")
            sys.stderr.flush()
            self._drawn = True

    def text(self, seconds: float) -> str:
        """What the line says after so many seconds."""
        rate = self._count / max(seconds, 1e-9)
        text = f"{self._count:,} of {self._total:,} logs, {rate:,.0f} a second"
        if self._worked:
            left = seconds * max(self._work - self._worked, 0) / self._worked
            text += f", {words.duration(round(left))} left"
        return text + (f", {self._failed:,} failed" if self._failed else "")

    def end(self) -> None:
        """Wipe the line."""
        if not self._silent and self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
