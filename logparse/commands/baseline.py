"""``logparse baseline``: logs in, the file that later logs are compared with out."""

from __future__ import annotations

import sys
from argparse import Namespace

from logparse.commands.common import (
    FINE,
    SOME,
    given_reading,
    one_line,
    reading_options,
    say,
    writing_options,
)
from logparse.options import Arguments, Command, Parser


def _options(parser: Parser) -> None:
    parser.option(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="File to write; - is standard output. Required.",
    )
    reading_options(parser)
    writing_options(parser)


COMMAND = Command(
    "Save the times and metrics of logs, to compare later logs with.",
    "logparse baseline main/*.log -o perf.json",
    Arguments("PATH...", "Logs, folders and globs: all of them are one side.", least=1),
    _options,
)


def run(given: Namespace) -> int:
    """Save a baseline file; ``logparse compare FILE LOG`` reads it."""
    from logparse.comparison.baseline import baseline_text
    from logparse.comparison.sides import side_of
    from logparse.files import write_atomic
    from logparse.reports.progress import progress

    with progress(given.arguments[0], quiet=given.quiet):
        side = side_of(given.arguments, given_reading(given))
    if given.output == "-":
        sys.stdout.writelines(baseline_text(side))
    else:
        with write_atomic(given.output, force=given.force) as file:
            for piece in baseline_text(side):
                file.write(piece.encode())
    for failure in side.failures:
        say(one_line(failure.error, failure.name))
    return SOME if side.failures else FINE
