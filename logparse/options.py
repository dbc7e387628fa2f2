"""The words after ``logparse`` in, the options and arguments of a command out, or its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from logparse.errors import UsageError

SUMMARY = """\
What a Keras training log really says.
`logparse train.log` is `logparse analyze train.log`."""

EXIT_CODES = {
    0: "fine",
    1: "a finding at or above --fail-on",
    2: "wrong usage",
    3: "nothing could be read",
    4: "some of several logs could not be read",
    130: "interrupted",
    141: "output closed",
}

WIDTH = 80
"""Columns of the help."""


class Parser(argparse.ArgumentParser):
    """A parser that raises ``UsageError`` and knows its options.

    Attributes:
        options: every option that ``option`` added.
    """

    def __init__(self, prog: str, usage: str, description: str) -> None:
        super().__init__(
            prog=prog,
            usage=f"{prog} {usage}",
            description=description,
            formatter_class=_Help,
            add_help=False,
            allow_abbrev=False,
        )
        self.options: list[argparse.Action] = []

    def add_options(self, add: Callable[[Parser], None]) -> None:
        """The section of options in the help: those that ``add`` adds, and ``--help``."""
        self._section = self.add_argument_group("Options")
        add(self)
        self.option("-h", "--help", action="help", help="Show this and exit.")

    def option(self, *names: str, **settings: Any) -> None:
        """Add an option, as ``add_argument`` does."""
        self.options.append(self._section.add_argument(*names, **settings))

    def print_help(self, file: Any = None) -> None:
        """Print the help; unlike in ``argparse`` a closed output is an error."""
        print(self.format_help(), end="", file=file)

    def known(self) -> list[str]:
        """The names of all options."""
        return [name for option in self.options for name in option.option_strings]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{message}; see {self.prog} --help")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=WIDTH)

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, prefix or "Usage: ")


class Arguments(NamedTuple):
    """What a command takes beside options: the name, its help, the fewest and the most."""

    metavar: str = ""
    help: str = ""
    least: int = 0
    most: int | None = None

    def usage(self) -> str:
        """The name, in brackets if none need be given."""
        return self.metavar if self.least or not self.metavar else f"[{self.metavar}]"


class Command(NamedTuple):
    """What the help says of a command, what it takes, and what adds its options to a parser."""

    summary: str
    example: str
    arguments: Arguments = Arguments(most=0)
    add_options: Callable[[Parser], None] = lambda parser: None


def parse(name: str, args: Sequence[str]) -> argparse.Namespace:
    """The options of a command and, as ``arguments``, what else is given.

    Options may stand before, between and after arguments; all that follows ``--`` is arguments.

    Raises:
        UsageError: an option that the command does not know, a value that it does not take, too
            few arguments or too many.
        SystemExit: the help was asked for, and is printed.
    """
    parser = command_parser(name)
    end = args.index("--") if "--" in args else len(args)
    given, rest = parser.parse_known_args(args[:end])
    for word in rest:
        if word.startswith("-") and word != "-":
            if meant := nearest(word.partition("=")[0], parser.known()):
                raise UsageError(f"no option {word}; did you mean {meant}?")
            parser.error(f"no option {word}")
    wanted = COMMANDS[name].arguments
    given.arguments = [*rest, *args[end + 1 :]]
    if len(given.arguments) < wanted.least:
        parser.error(f"{wanted.metavar.rstrip('.')} is missing")
    if wanted.most is not None and len(given.arguments) > wanted.most:
        parser.error(f"too many words: {' '.join(given.arguments[wanted.most :])}")
    return given


def command_parser(name: str) -> Parser:
    """The parser of a command's options, with the command's help."""
    command = COMMANDS[name]
    wanted = command.arguments
    parser = Parser(
        f"logparse {name}",
        f"[OPTIONS] {wanted.usage()}".rstrip(),
        f"{command.summary}\n\nExample: {command.example}",
    )
    if wanted.metavar:
        parser.add_argument_group("Arguments", f"{wanted.metavar}  {wanted.help}")
    parser.add_options(command.add_options)
    return parser


def top_parser() -> Parser:
    """The parser of what stands before any command, with the help of logparse as a whole."""
    parser = Parser("logparse", "[OPTIONS] COMMAND ...", SUMMARY)
    parser.add_options(_top_options)
    commands = {name: command.summary for name, command in COMMANDS.items()}
    for title, rows in (("Commands", commands), ("Exit codes", EXIT_CODES)):
        parser.add_argument_group(title, "\n".join(f"{key:<9}{row}" for key, row in rows.items()))
    return parser


def _top_options(parser: Parser) -> None:
    parser.option("--version", action="store_true", help="Show the version.")
    parser.option(
        "--debug", action="store_true", help="Show the traceback of an error; goes anywhere."
    )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that was probably meant."""
    import difflib

    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def _analyze(parser: Parser) -> None:
    from logparse.reports.output import FORMATS

    parser.option(
        "--format",
        choices=FORMATS,
        metavar="|".join(FORMATS),
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
    parser.option(
        "--full",
        action="store_true",
        help="Hide nothing in text; updates and batches, too, in JSON.",
    )
    _choice(parser, "--fail-on", FAIL_ON, "Exit with 1 on a finding this severe.")
    parser.option("--exit-zero", action="store_true", help="Exit with 0 whatever the findings are.")
    parser.option(
        "--select",
        metavar="CODES",
        action="append",
        help="Only these findings, like LP1,LP201; can be given again.",
    )
    parser.option(
        "--ignore", metavar="CODES", action="append", help="Not these findings; can be given again."
    )
    _reading(parser)
    _choice(parser, "--color", ("auto", "always", "never"), "Colours in text.")
    _writing(parser)


def _export(parser: Parser) -> None:
    from logparse.reports.output import EXPORTS
    from logparse.tables import TABLES

    parser.option(
        "--table", metavar="TABLE", required=True, help=f"One of {', '.join(TABLES)}. Required."
    )
    parser.option(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="File to write, form by suffix; - is standard output. Required.",
    )
    parser.option(
        "--format",
        choices=EXPORTS,
        metavar="|".join(EXPORTS),
        help="Form, if the suffix of -o does not tell.",
    )
    _reading(parser)
    _writing(parser)


def _explain(parser: Parser) -> None:
    parser.option("--all", action="store_true", help="Every code there is.")


def _reading(parser: Parser) -> None:
    parser.option("--reader", metavar="NAME", help="Read as this; see formats.")
    parser.option("--law", metavar="LAW", help="How Keras averaged, if you know better.")
    parser.option("--keras", metavar="VERSION", help="Keras version that wrote the log.")
    parser.option(
        "--batch-size", metavar="N", type=_count, help="Samples in a batch, if you know it."
    )


def _writing(parser: Parser) -> None:
    parser.option("--force", action="store_true", help="Replace files that exist.")
    parser.option("-q", "--quiet", action="store_true", help="Only errors on the error stream.")


def _choice(parser: Parser, name: str, choices: tuple[str, ...], text: str) -> None:
    """An option whose first choice is the default."""
    parser.option(
        name,
        choices=choices,
        default=choices[0],
        metavar="|".join(choices),
        help=f"{text} Default: {choices[0]}.",
    )


def _count(text: str) -> int:
    if len(text) > 9 or not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 999999999")
    return int(text)


FAIL_ON = ("never", "info", "warning", "error")
"""What ``--fail-on`` takes: never, or the severities of findings, the worst last."""

COMMANDS = {
    "analyze": Command(
        "Report on one or more logs.",
        "logparse train.log -o report.json -o -",
        Arguments("PATH...", "Logs to read; - is standard input.", least=1),
        _analyze,
    ),
    "export": Command(
        "Write one table of a log to a file.",
        "logparse export train.log --table batches -o batches.parquet",
        Arguments("PATH", "Log to read; - is standard input.", least=1, most=1),
        _export,
    ),
    "explain": Command(
        "Say what a finding means, when it is wrong and what to do.",
        "logparse explain LP101",
        Arguments("CODE...", "Codes of findings, like LP201."),
        _explain,
    ),
    "formats": Command(
        "List the readers; with a log, how well each one fits it and why.",
        "logparse formats train.log",
        Arguments("PATH", "Log to score; - is standard input.", most=1),
    ),
    "schema": Command(
        "Print the JSON Schema of the JSON report.",
        "logparse schema > logparse.schema.json",
    ),
}
"""What logparse can do, by name."""
