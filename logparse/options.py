"""The words after a command in, its options and arguments out, or its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
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

SHOW = "--show-settings"
"""Option of every command that shows its settings in place of running it."""


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
        """The section of options in the help: those that ``add`` adds, and those of all."""
        self._section = self.add_argument_group("Options")
        add(self)
        self.option(SHOW, action="store_true", help="Show each setting, where it is set, and exit.")
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


def before_dashes(args: Sequence[str]) -> Sequence[str]:
    """What stands before ``--``: options and arguments; all that follows it is arguments."""
    return args[: list(args).index("--")] if "--" in args else args


def parse(
    name: str, command: Command, args: Sequence[str], defaults: Mapping[str, Any] | None = None
) -> argparse.Namespace:
    """The options of a command and, as ``arguments``, what else is given.

    Options may stand before, between and after arguments; all that follows ``--`` is arguments.
    ``defaults`` are the values of options that are not given, by ``dest``.

    Raises:
        UsageError: an option that the command does not know, a value that it does not take, too
            few arguments or too many.
        SystemExit: the help was asked for, and is printed.
    """
    parser = command_parser(name, command)
    end = len(before_dashes(args))
    for option in parser.options:
        if defaults and option.dest in defaults:
            option.default = argparse.SUPPRESS  # then it is there only if it was given
    given, rest = parser.parse_known_args(args[:end])
    for dest, value in (defaults or {}).items():
        if not hasattr(given, dest):
            setattr(given, dest, value)
    for word in rest:
        if word.startswith("-") and word != "-":
            if meant := nearest(word.partition("=")[0], parser.known()):
                raise UsageError(f"no option {word}; did you mean {meant}?")
            parser.error(f"no option {word}")
    wanted = command.arguments
    given.arguments = [*rest, *args[end + 1 :]]
    if len(given.arguments) < wanted.least:
        parser.error(f"{wanted.metavar.rstrip('.')} is missing")
    if wanted.most is not None and len(given.arguments) > wanted.most:
        parser.error(f"too many words: {' '.join(given.arguments[wanted.most :])}")
    return given


def command_parser(name: str, command: Command) -> Parser:
    """The parser of a command's options, with the command's help."""
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


def top_parser(commands: dict[str, Command]) -> Parser:
    """The parser of what stands before any command, with the help of logparse as a whole."""
    parser = Parser("logparse", "[OPTIONS] COMMAND ...", SUMMARY)
    parser.add_options(_top_options)
    rows = {name: command.summary for name, command in commands.items()}
    for title, entries in (("Commands", rows), ("Exit codes", EXIT_CODES)):
        parser.add_argument_group(
            title, "\n".join(f"{key:<9}{row}" for key, row in entries.items())
        )
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


def hint(word: str, known: Iterable[str]) -> str:
    """What may follow "there is no such thing": the one that was meant, or all there are."""
    known = list(known)
    meant = nearest(word, known)
    return f"; did you mean {meant}?" if meant else f"; there are {', '.join(known)}"
