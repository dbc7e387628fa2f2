"""``logparse formats``: the readers out, or how well each fits a log."""

from __future__ import annotations

from argparse import Namespace

from logparse.commands.common import FINE
from logparse.options import Arguments, Command

COMMAND = Command(
    "List the readers; with a log, how well each one fits it and why.",
    "logparse formats train.log",
    Arguments("PATH", "Log to score; - is standard input.", most=1),
)


def run(given: Namespace) -> int:
    """List the readers, or how well each fits a log."""
    from logparse.reports.formats import readers_lines, scores_lines

    for line in scores_lines(*given.arguments) if given.arguments else readers_lines():
        print(line)
    return FINE
