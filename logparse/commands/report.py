"""``logparse report``: a tree of logs in, a folder of pages, an index and a data set out."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING

from logparse.commands.common import (
    FAIL_ON,
    FINE,
    FOUND,
    NOTHING,
    SOME,
    choice_option,
    codes_options,
    count,
    given_analysis,
    reading_options,
    say,
    tripping,
    writing_options,
)
from logparse.errors import UsageError
from logparse.options import Arguments, Command, Parser

if TYPE_CHECKING:
    from logparse.batch.run import Summary

SHOWN = 10
"""Failures named on the error stream; the index has all."""


def _options(parser: Parser) -> None:
    parser.option(
        "-o", "--output", metavar="DIR", required=True, help="Folder to write to. Required."
    )
    parser.option(
        "--jobs", metavar="N", type=count, help="Processes to use. Default: one a processor."
    )
    parser.option(
        "--scheduler", metavar="ADDRESS", help="Work on a Dask cluster, like tcp://HOST:8786."
    )
    parser.option("--strict", action="store_true", help="Stop at the first log that fails.")
    choice_option(parser, "--fail-on", FAIL_ON, "Exit with 1 on a finding this severe.")
    codes_options(parser)
    reading_options(parser)
    writing_options(parser)


COMMAND = Command(
    "Report on all logs of a tree: an index, pages, a data set.",
    "logparse report runs -o report",
    Arguments("TREE", "Folder, glob or URL (s3, gs, http ...) with the logs.", least=1, most=1),
    _options,
)


def run(given: Namespace) -> int:
    """Report on all logs below a folder or URL."""
    # One log is small: polars's threads only take time to start. Set before it is imported.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    # The threads of a lot take turns: one heap serves them all, in half the memory (glibc).
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    from logparse.batch.executors import workers
    from logparse.batch.run import report

    if given.jobs and given.scheduler:
        raise UsageError("--jobs counts processes here and --scheduler names those elsewhere")
    options = given_analysis(given)
    (tree,) = given.arguments
    with workers(given.jobs, given.scheduler) as found:
        summary = report(
            tree,
            given.output,
            found,
            options=options,
            strict=given.strict,
            force=given.force,
            quiet=given.quiet,
        )
    _say_failures(summary)
    print("\n".join(_lines(summary)))
    if not summary.read:
        return NOTHING
    severe = any(summary.worst.get(severity) for severity in tripping(given.fail_on))
    return SOME if summary.failed else FOUND if severe else FINE


def _say_failures(summary: Summary) -> None:
    from logparse.reports.safe import visible

    for name, reason in summary.failures[:SHOWN]:
        say(f"logparse: {visible(f'{name}: {reason}')}\n")
    if len(summary.failures) > SHOWN:
        say(f"logparse: {len(summary.failures) - SHOWN:,} more; the index names them\n")


def _lines(summary: Summary) -> list[str]:
    """What was done and where it is."""
    from logparse.reports import words
    from logparse.reports.safe import visible

    parts = [f"{words.count(summary.read, 'log')} read"]
    if summary.failed:
        parts.append(f"{summary.failed:,} failed")
    if summary.skipped:
        parts.append(f"{words.count(summary.skipped, 'file')} passed over as no training log")
    told = [f"{', '.join(parts)}: {_now(summary)}."]
    kinds = {"error": "an error", "warning": "a warning", "info": "a note", "": "nothing found"}
    worst = [f"{summary.worst[key]:,} with {kinds[key]}" for key in kinds if key in summary.worst]
    if worst:
        told.append(f"Worst finding of each log: {words.listing(worst)}.")
    return [*told, f"Open {visible(summary.index)}"]


def _now(summary: Summary) -> str:
    from logparse.reports import words

    told = f"{words.count(summary.new, 'file')} read now, the rest is as it was"
    if summary.removed:
        told += f", {summary.removed:,} removed since"
    return told
