"""``logparse compare``: sides in, how their runs differ in time and metrics out."""

from __future__ import annotations

import argparse
import math
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from logparse.commands.common import (
    FINE,
    FOUND,
    SOME,
    choice_option,
    count,
    given_reading,
    one_line,
    reading_options,
    report_options,
    say,
    writing_options,
)
from logparse.options import Arguments, Command, Parser

if TYPE_CHECKING:
    from logparse.comparison.compare import Comparison

FORMATS = ("text", "json", "csv", "md", "junit", "github", "sarif")
"""Formats of a comparison, of those of a report."""


def _options(parser: Parser) -> None:
    parser.option(
        "--fail-if-slower",
        metavar="PERCENT",
        type=percent,
        help="Exit with 1 if a side is surely slower than the baseline by more, like 5%%.",
    )
    parser.option(
        "--epochs",
        metavar="N",
        type=count,
        help="Compare the total time of N epochs; by default the most that a side has.",
    )
    choice_option(
        parser, "--by", ("epoch", "step"), "What is judged where epochs differ in length."
    )
    report_options(parser, FORMATS)
    parser.option("--full", action="store_true", help="Hide nothing in text.")
    reading_options(parser)
    choice_option(parser, "--color", ("auto", "always", "never"), "Colours in text.")
    writing_options(parser)


COMMAND = Command(
    "Compare runs: which is faster, how sure, and what each reaches.",
    "logparse compare old.log new.log --fail-if-slower 5%",
    Arguments(
        "SIDE...",
        "First the baseline. A log, folder, quoted glob or baseline file.",
        least=2,
    ),
    _options,
)


def run(given: Namespace) -> int:
    """Compare the sides with the first."""
    from logparse.comparison.compare import compare
    from logparse.files import write_atomic
    from logparse.reports.output import STDOUT, targets
    from logparse.reports.progress import progress

    asked = targets(given.output, given.format, FORMATS)
    with ExitStack() as stack:
        files = [
            None
            if target.path == STDOUT
            else stack.enter_context(write_atomic(target.path, force=given.force))
            for target in asked
        ]
        with progress(", ".join(given.arguments), quiet=given.quiet):
            found = compare(
                *given.arguments,
                limit=given.fail_if_slower,
                epochs=given.epochs,
                by=given.by,
                **given_reading(given),
            )
        for target, file in zip(asked, files, strict=True):
            for piece in _pieces(found, target.format, given, terminal=file is None):
                if file is None:
                    sys.stdout.write(piece)
                else:
                    file.write(piece.encode())
    for failure in found.failures:
        say(one_line(failure.error, failure.name))
    if found.failures:
        return SOME
    return FOUND if given.fail_if_slower is not None and found.slower else FINE


def _pieces(found: Comparison, form: str, given: Namespace, *, terminal: bool) -> Iterator[str]:
    """The report in one of ``FORMATS``."""
    from logparse.reports.ci import make_ci_report
    from logparse.reports.comparison import markdown_report, text_report
    from logparse.reports.comparison_json import csv_report, json_report
    from logparse.reports.terminal import Page, page

    forms: dict[str, Callable[[], Iterator[str]]] = {
        "json": lambda: json_report(found),
        "csv": lambda: csv_report(found),
        "md": lambda: markdown_report(found),
        "text": lambda: text_report(
            found,
            page(sys.stdout, color=given.color, full=given.full) if terminal else Page(),
        ),
    }
    return forms[form]() if form in forms else make_ci_report(form).comparison(found)


def percent(text: str) -> float:
    """``5%`` as 0.05, as the value of an option."""
    number = text.strip().removesuffix("%").strip()
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (text.strip().endswith("%") and 0 <= value <= 1000 and len(number) < 20):
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage like 5%")
    return value / 100
