"""Files in, their analyses out, made by a thread that tells how far it is and can be stopped."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace

from logparse.analysis import Analysis, Failure, analyze_many
from logparse.app.store import File, Key
from logparse.errors import LogparseError, NotALogError
from logparse.reports.safe import shorten

Results = list[Analysis | Failure]

NAME = 80
"""Characters of a name beside the progress bar."""


class CancelledError(Exception):
    """The visitor does not want it any more."""


@dataclass(slots=True)
class Job:
    """One piece of work; all attributes may be read while it runs.

    Attributes:
        total: files to read.
        results: what came of each file so far.
        name: the log that is read now.
        read: bytes of it read.
        size: its size, if known.
    """

    files: list[tuple[Key, File]]
    results: dict[Key, Results] = field(default_factory=dict)
    name: str = ""
    read: int = 0
    size: int | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _done: threading.Event = field(default_factory=threading.Event)

    @property
    def total(self) -> int:
        """Files to read."""
        return len(self.files)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="logparse-app", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; whether all is done."""
        return self._done.wait(seconds)

    def cancel(self) -> None:
        """Stop at the next block; what is done stays."""
        self._stop.set()

    def share(self) -> float:
        """How much is done, 0 to 1: files, and of the current one bytes."""
        part = min(self.read / self.size, 1.0) if self.size else 0.0
        return min((len(self.results) + part) / max(self.total, 1), 1.0)

    def said(self) -> str:
        """What it works on, in words."""
        text = f"Reading {shorten(self.name, NAME)}"
        if self.read:
            text += f", {self.read / 1e6:,.0f} MB"
            text += f" of {self.size / 1e6:,.0f} MB" if self.size else ""
        return f"{text} (file {len(self.results) + 1} of {self.total})" if self.total > 1 else text

    def _run(self) -> None:
        try:
            for key, file in self.files:
                self.results[key] = self._one(key, file)
        except CancelledError:
            pass
        finally:
            self._done.set()

    def _one(self, key: Key, file: File) -> Results:
        self.name, self.read, self.size = file.name, 0, None
        options = dict(key[2])
        try:
            found = analyze_many([file.spec], progress=self._progress, **options)
            return [_passed_over(one) if file.among else one for one in found]
        except CancelledError:
            raise
        except LogparseError as error:  # an option that makes no sense for this file
            return [Failure(file.name, error)]
        except Exception:
            # One log must not end the visit; what happened is for the one who runs the app.
            logging.getLogger(__name__).exception("a log could not be read")
            return [Failure(file.name, LogparseError("a fault of logparse itself"))]

    def _progress(self, name: str, read: int, size: int | None) -> None:
        self.name, self.read, self.size = name, read, size
        if self._stop.is_set():
            raise CancelledError


def _passed_over(result: Analysis | Failure) -> Analysis | Failure:
    """Of an uploaded folder what is no log is passed over, as it is in a folder on disk."""
    if isinstance(result, Failure) and isinstance(result.error, NotALogError):
        return replace(result, skipped=True)
    return result
