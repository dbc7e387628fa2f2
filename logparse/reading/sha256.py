"""Blocks of bytes -> their SHA-256, computed on another core."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self

from logparse import limits

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


class Sha256:
    """SHA-256 of blocks, computed beside the work on them: on a second core it costs no time."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._worker: ThreadPoolExecutor | None = None
        self._last: Future[None] | None = None
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker:
            self._worker.shutdown()

    def update(self, block: bytes) -> None:
        """Adds a block; waits for the one before, so that no more than one is kept."""
        if not self._worker and (len(block) < limits.BLOCK_BYTES or not self._begun):
            self._digest.update(block)  # it may be a short log, for which no thread is needed
            self._begun = True
            return
        if self._worker is None:
            from concurrent.futures import ThreadPoolExecutor

            self._worker = ThreadPoolExecutor(1)
        self._wait()
        self._last = self._worker.submit(self._digest.update, block)

    def hexdigest(self) -> str:
        """The hash of all blocks."""
        self._wait()
        return self._digest.hexdigest()

    def _wait(self) -> None:
        if self._last:
            self._last.result()
