"""``logparse settings``, ``--show-settings``: each setting's value out, and where it is set."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from logparse.commands.common import FINE
from logparse.options import Arguments, Command, Parser

if TYPE_CHECKING:
    from logparse.settings import Setting

DEFAULT = "default"


def _options(parser: Parser) -> None:
    parser.option("--all", action="store_true", help="Also what is at its default.")


COMMAND = Command(
    "Show the settings, and where each is set.",
    "logparse settings --all",
    Arguments(most=0),
    _options,
)


def run(given: Namespace) -> int:
    """Print a line a setting: key, value, where it is set, and the commands that have it."""
    from logparse.reports.safe import visible
    from logparse.settings import all_settings, unknown_variables

    rows: dict[tuple[str, str, str], list[str]] = {}
    for command, setting in all_settings():
        if setting.source or given.all:
            rows.setdefault(_cells(setting), []).append(command)
    ordered = sorted(rows.items(), key=lambda item: (item[0][2] == DEFAULT, item[0]))
    table = [[*row, ", ".join(names)] for row, names in ordered]
    _print(table, "Every setting is at its default; --all shows them.", "used by")
    for text in unknown_variables():
        print(f"Not a setting: {visible(text)}")
    return FINE


def show(found: Iterable[Setting]) -> int:
    """Print a line a setting of one command: key, value, where it is set."""
    _print([list(_cells(setting)) for setting in found], "This command has no settings.")
    return FINE


def _print(rows: list[list[str]], otherwise: str, *further: str) -> None:
    from logparse.reports.safe import visible
    from logparse.settings import find_file

    file = find_file()
    print(f"Settings file: {visible(file.path) if file else 'none found'}")
    if not rows:
        print(otherwise)
        return
    cells = [["setting", "value", "set in", *further], *([*map(visible, row)] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip())


def _cells(setting: Setting) -> tuple[str, str, str]:
    return setting.key, _shown(setting.value), setting.source or DEFAULT


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
