"""``logparse analyze``: logs in, a report on each out."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from logparse.commands.common import (
    FAIL_ON,
    FINE,
    FOUND,
    NOTHING,
    SOME,
    choice_option,
    codes_options,
    events_option,
    given_analysis,
    one_line,
    reading_options,
    report_options,
    say,
    tripping,
    writing_options,
)
from logparse.options import Arguments, Command, Parser

if TYPE_CHECKING:
    from logparse.reports.output import Outputs


def _options(parser: Parser) -> None:
    from logparse.reports.output import FORMATS

    report_options(parser, FORMATS)
    parser.option(
        "--full",
        action="store_true",
        help="Hide nothing in text; updates and batches, too, in JSON.",
    )
    choice_option(parser, "--fail-on", FAIL_ON, "Exit with 1 on a finding this severe.")
    parser.option("--exit-zero", action="store_true", help="Exit with 0 whatever the findings are.")
    codes_options(parser)
    events_option(parser)
    reading_options(parser)
    choice_option(parser, "--color", ("auto", "always", "never"), "Colours in text.")
    writing_options(parser)


COMMAND = Command(
    "Report on one or more logs.",
    "logparse train.log -o report.json -o -",
    Arguments("PATH...", "Logs to read; - is standard input.", least=1),
    _options,
)


def run(given: Namespace) -> int:
    """Report on one or more logs."""
    from logparse.reports.output import Outputs, targets

    options = given_analysis(given)
    if given.events:
        options["events"] = given.events
    asked = targets(given.output, given.format)
    options["sha256"] = any(target.format in ("json", "ndjson") for target in asked)
    outputs = Outputs(asked, color=given.color, full=given.full, force=given.force)
    with outputs:
        code = _report(given.arguments, outputs, options, fail_on=given.fail_on, quiet=given.quiet)
    return FINE if given.exit_zero and code == FOUND else code


def _report(
    paths: list[str], outputs: Outputs, options: dict[str, Any], *, fail_on: str, quiet: bool
) -> int:
    """Read each log, write each report as it comes; the exit code."""
    from logparse.analysis import Failure, analyze_many
    from logparse.reports.progress import progress

    if "-" in paths and sys.stdin.isatty() and not quiet:
        say("logparse: reading what you type; end with Ctrl-D\n")
    results = iter(analyze_many(paths, **options))
    severe = set(tripping(fail_on))
    done = failed = 0
    skipped: list[str] = []
    found = False
    outputs.start()
    name = paths[0]
    while True:
        with progress(f"{name} (log {done + failed + 1})", quiet=quiet):
            result = next(results, None)
        if result is None:
            break
        if isinstance(result, Failure):
            outputs.failure(result)
            if result.skipped:
                skipped.append(str(result.error))
                continue
            failed += 1
            say(one_line(result.error, result.name))
        else:
            done += 1
            outputs.log(result)
            found = found or not severe.isdisjoint(result.findings["severity"])
    outputs.end()
    _say_skipped(skipped, done + failed)
    if not done:
        raise SystemExit(NOTHING)  # out of the block of outputs, so that they leave no file
    return SOME if failed else FOUND if found else FINE


def _say_skipped(reasons: list[str], others: int) -> None:
    """Name what was passed over: all of it where nothing else was there, else a few."""
    if not reasons:
        return
    from logparse.reports.safe import visible

    shown = reasons if not others else reasons[:3]
    for reason in shown[:20]:
        say(f"logparse: passed over {visible(reason)}\n")
    if len(reasons) > len(shown[:20]):
        say(f"logparse: passed over {len(reasons) - len(shown[:20]):,} more\n")
