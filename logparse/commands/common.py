"""What several commands share: options of reading and writing, the codes that are asked for."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from argparse import Namespace
from collections.abc import Collection
from typing import Any

from logparse.errors import LogparseError, UsageError
from logparse.options import Parser, hint, nearest
from logparse.reading.event_names import RESTARTS

FINE, FOUND, USAGE, NOTHING, SOME, INTERRUPTED, CLOSED = 0, 1, 2, 3, 4, 130, 141
"""Exit codes; ``options.EXIT_CODES`` says what they mean."""

FAIL_ON = ("never", "info", "warning", "error")
"""What ``--fail-on`` takes: never, or the severities of findings, the worst last."""


def events_option(parser: Parser) -> None:
    """The events beside a log."""
    parser.option(
        "--events", metavar="PATH", help="TensorBoard events of the same training, read with it."
    )


READING = ("reader", "law", "keras", "batch_size", "restarts")
"""What ``reading_options`` adds."""


def reading_options(parser: Parser) -> None:
    """Options on how to read a log."""
    parser.option("--reader", metavar="NAME", help="Read as this; see formats.")
    parser.option("--law", metavar="LAW", help="How Keras averaged, if you know better.")
    parser.option("--keras", metavar="VERSION", help="Keras version that wrote the log.")
    parser.option(
        "--batch-size", metavar="N", type=count, help="Samples in a batch, if you know it."
    )
    choice_option(
        parser, "--restarts", RESTARTS, "Events of several fits in one folder: what to keep."
    )


def report_options(parser: Parser, formats: Collection[str]) -> None:
    """Where a report goes, and its form."""
    parser.option(
        "--format",
        choices=formats,
        metavar="|".join(formats),
        help="Form of the report; text, if the suffix of -o does not tell.",
    )
    parser.option(
        "-o",
        "--output",
        metavar="FILE",
        action="append",
        default=[],
        help="Write to FILE, form by suffix; - is standard output; can be given again.",
    )


def codes_options(parser: Parser) -> None:
    """Which findings are looked for."""
    parser.option(
        "--select",
        metavar="CODES",
        action="append",
        help="Only these findings, like LP1,LP201; can be given again.",
    )
    parser.option(
        "--ignore", metavar="CODES", action="append", help="Not these findings; can be given again."
    )
    parser.option(
        "--threshold",
        metavar="CODE.NAME=NUMBER",
        action="append",
        help="Raise a threshold of a rule, as in LP201.min-ratio=1.3 (see logparse explain); "
        "can be given again.",
    )


def writing_options(parser: Parser) -> None:
    """Options on how to write."""
    parser.option("--force", action="store_true", help="Replace files that exist.")
    parser.option("-q", "--quiet", action="store_true", help="Only errors on the error stream.")


def choice_option(parser: Parser, name: str, choices: tuple[str, ...], text: str) -> None:
    """An option whose first choice is the default."""
    parser.option(
        name,
        choices=choices,
        default=choices[0],
        metavar="|".join(choices),
        help=f"{text} Default: {choices[0]}.",
    )


def count(text: str) -> int:
    """A positive whole number, as the value of an option."""
    if len(text) > 9 or not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 999999999")
    return int(text)


def given_reading(given: Namespace) -> dict[str, Any]:
    """Those options of ``reading_options`` that were given, as ``analyze`` takes them."""
    options = {name: getattr(given, name) for name in READING}
    return {name: value for name, value in options.items() if value is not None}


def given_analysis(given: Namespace) -> dict[str, Any]:
    """Those options of ``reading_options`` and ``codes_options`` that were given.

    Raises:
        UsageError: as of ``given_codes`` and ``as_thresholds``.
    """
    rules: dict[str, Any] = {
        "select": given_codes(given.select),
        "ignore": given_codes(given.ignore),
    }
    if given.threshold:
        from logparse.findings.thresholds import as_thresholds

        rules["thresholds"] = as_thresholds(given.threshold)
    return given_reading(given) | {name: value for name, value in rules.items() if value}


def tripping(fail_on: str) -> tuple[str, ...]:
    """The severities at which ``--fail-on`` makes the exit code 1."""
    return () if fail_on == "never" else FAIL_ON[FAIL_ON.index(fail_on) :]


def given_codes(given: list[str] | None) -> tuple[str, ...] | None:
    """``--select LP1,LP201 --select LP3`` as codes; None where nothing was given.

    Raises:
        UsageError: no finding has such a code or beginning.
    """
    if not given:
        return None
    from logparse.findings import registry

    codes = [code.strip().upper() for text in given for code in text.split(",") if code.strip()]
    known = sorted(registry.load())
    for code in codes:
        if not any(one.startswith(code) for one in known):
            raise UsageError(f"no finding has the code {code}{hint(code, known)}")
    return tuple(codes)


def say(text: str) -> None:
    """Write to the error stream."""
    with contextlib.suppress(OSError):  # nobody may be there to read it
        sys.stderr.write(text)
        sys.stderr.flush()


def one_line(error: LogparseError, name: str = "") -> str:
    """One line on what went wrong, one more where a command's name was mistyped."""
    from logparse.commands import NAMES
    from logparse.reports.safe import visible

    message = str(error)
    if name not in message:
        message = f"{name}: {message}"
    text = f"logparse: {visible(message)}\n"
    command = nearest(name, NAMES)
    if command and not os.path.lexists(name):
        text += f"  Or did you mean the command: logparse {command}\n"
    return text
