"""A command and facts in, a process out: the facts are its environment, never its words."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from typing import Any

from logparse.errors import UsageError
from logparse.reports.safe import visible


class Runner:
    """Starts a command for each finding; text of a log reaches it as environment only."""

    def __init__(self, command: str) -> None:
        """Split the command as a shell would; none is started.

        Raises:
            UsageError: it is empty, or a quote is open.
        """
        try:
            self._argv = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--exec {command}: {error}") from error
        if not self._argv:
            raise UsageError("--exec needs a command")
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, facts: dict[str, Any]) -> str | None:
        """Start it with ``LOGPARSE_*`` in its environment; what went wrong."""
        self._running = [child for child in self._running if child.poll() is None]
        told = {
            f"LOGPARSE_{key.upper()}": "" if value is None else visible(str(value))
            for key, value in facts.items()
        }
        try:
            child = subprocess.Popen(  # noqa: S603
                self._argv, stdin=subprocess.DEVNULL, env=os.environ | told
            )
        except OSError as error:
            return f"--exec {self._argv[0]}: {(error.strerror or str(error)).lower()}"
        self._running.append(child)
        return None

    def finish(self, seconds: float = 10.0) -> None:
        """Wait for those that still run, but not for ever."""
        end = time.monotonic() + seconds
        for child in self._running:
            try:
                child.wait(max(end - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                continue
