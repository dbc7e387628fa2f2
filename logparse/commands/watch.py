"""``logparse watch``: growing logs in, what is new in them out."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError, Namespace

from logparse.commands.common import (
    FINE,
    NOTHING,
    SOME,
    codes_options,
    given_analysis,
    reading_options,
)
from logparse.options import Arguments, Command, Parser


def _duration(text: str) -> float:
    from logparse.reading.follow import duration

    try:
        return duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _options(parser: Parser) -> None:
    parser.option(
        "--stall",
        metavar="TIME",
        type=_duration,
        default="10m",
        help="Warn after so long without news, like 90s, 10m, 2h; 0 for never. Default: 10m.",
    )
    parser.option(
        "--exec",
        dest="command",
        metavar="COMMAND",
        help="Start this on each finding and stall; LOGPARSE_CODE, LOGPARSE_MESSAGE ... tell it.",
    )
    parser.option("--until-end", action="store_true", help="End when the trainings have ended.")
    codes_options(parser)
    reading_options(parser)


COMMAND = Command(
    "Follow logs that grow: epochs, findings, time left.",
    "logparse watch train.log --stall 10m --until-end",
    Arguments("PATH...", "Logs to follow; they need not be there yet.", least=1),
    _options,
)


def run(given: Namespace) -> int:
    """Follow logs until Ctrl-C, or until the trainings have ended."""
    from logparse.hook import Runner
    from logparse.reports.watched import Screen
    from logparse.watch import INTERVAL, Watch, check_sources

    check_sources(given.arguments)
    options = given_analysis(given)
    runner = Runner(given.command) if given.command else None
    watch = Watch(given.arguments, options, Screen(sys.stdout), stall=given.stall, runner=runner)
    try:
        while watch.logs and not (given.until_end and watch.over):
            watch.look()
            time.sleep(INTERVAL)
    finally:
        if runner:
            runner.finish()
    if not watch.logs:
        return NOTHING
    return SOME if watch.failed else FINE
