"""A log in, a picture of what ``logparse`` shows of it on a terminal out (SVG).

``python docs/picture.py sample_logs/NAME docs/NAME.svg``
"""

from __future__ import annotations

import io
import re
import sys

from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.text import Text

import logparse
from logparse.reports.terminal import Page, TextReport

COLUMNS = 80


def picture(path: str) -> str:
    """The report on the log at ``path`` as SVG, with no font from elsewhere."""
    page = Page(columns=COLUMNS, fit=True, colour=True, full=False)
    text = "".join(TextReport(page).log(logparse.analyze(path)))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), legacy_windows=False)
    console.print(Text("$ ", style="dim") + Text(f"logparse {path}", style="bold"))
    console.print(Text.from_ansi(text), highlight=False)
    form = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="logparse", code_format=form)
    # Fonts differ in what they hold; any that has every character's width the same will do.
    svg = re.sub(r"font-family: Fira Code, ?monospace", "font-family: monospace", svg)
    return "".join(line.rstrip() + "\n" for line in svg.splitlines())


if __name__ == "__main__":
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(picture(sys.argv[1]))
