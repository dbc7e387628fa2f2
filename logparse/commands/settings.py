"""``logparse settings``: the value of every setting out, and where it is set."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from logparse.commands.common import FINE
from logparse.options import Arguments, Command, Parser


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
    from logparse.settings import all_settings, find_file, unknown_variables

    file = find_file()
    print(f"Settings file: {visible(file.path) if file else 'none found'}")
    rows: dict[tuple[str, str, str], list[str]] = {}
    for command, setting in all_settings():
        if setting.source or given.all:
            key = (setting.key, _shown(setting.value), setting.source or "default")
            rows.setdefault(key, []).append(command)
    ordered = sorted(rows.items(), key=lambda item: (item[0][2] == "default", item[0]))
    cells = [["setting", "value", "set in", "used by"]]
    cells += [[*map(visible, row), ", ".join(names)] for row, names in ordered]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells if rows else ():
        print("  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip())
    if not rows:
        print("Every setting is at its default; --all shows them.")
    for text in unknown_variables():
        print(f"Not a setting: {visible(text)}")
    return FINE


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
