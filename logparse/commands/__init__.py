"""The commands of ``logparse``: a name in, its module out.

A module has ``COMMAND``, what its help says and which options it takes, and ``run``, options in and
an exit code out. What a command needs beyond that it imports in ``run``: the help must be quick.
"""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module
from typing import Protocol, cast

from logparse.options import Command

NAMES = (
    "analyze",
    "report",
    "watch",
    "compare",
    "baseline",
    "export",
    "explain",
    "formats",
    "replay",
    "schema",
    "settings",
    "completion",
    "app",
)
"""All commands, in the order of the help. A new one is one file here and its name in this line."""


class Module(Protocol):
    """What the module of a command has."""

    COMMAND: Command

    def run(self, given: Namespace) -> int:
        """Do it; the exit code."""
        ...


def module(name: str) -> Module:
    """The module of a command."""
    return cast("Module", import_module(f"logparse.commands.{name}"))


def commands() -> dict[str, Command]:
    """All commands by name."""
    return {name: module(name).COMMAND for name in NAMES}
