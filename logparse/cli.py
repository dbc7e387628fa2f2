"""The command line: the words after ``logparse`` in, one command run, its exit code out."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from logparse.commands import NAMES, commands, module
from logparse.commands.common import CLOSED, FINE, INTERRUPTED, NOTHING, one_line, say
from logparse.errors import LogparseError, UsageError
from logparse.options import SHOW, before_dashes, command_parser, parse, top_parser


def with_command(args: Sequence[str]) -> list[str]:
    """The arguments with ``analyze`` put in where no command is named, ``--debug`` at the front.

    >>> with_command(["train.log", "--full"])
    ['analyze', 'train.log', '--full']
    """
    end = len(before_dashes(args))
    debug = ["--debug"] if "--debug" in args[:end] else []
    rest = [arg for i, arg in enumerate(args) if not (i < end and arg == "--debug")]
    if rest and rest[0] not in (*NAMES, "-h", "--help", "--version"):
        rest.insert(0, "analyze")
    return debug + rest


def _run(args: Sequence[str]) -> int:
    """Run the command that the arguments name; its exit code."""
    if not args:
        raise UsageError("give a log or a command; see logparse --help")
    try:
        if args[0] in NAMES:
            return _command(args[0], args[1:])
        top_parser(commands()).parse_args(args[:1])
    except SystemExit as end:  # of the help, too
        return int(end.code or FINE)
    from importlib.metadata import version

    print(f"logparse {version('logparse')}")
    return FINE


def _command(name: str, args: Sequence[str]) -> int:
    """Run a command with what is given, then what is set; its exit code."""
    from logparse.settings import blame, settings_of, settings_with

    command = module(name)
    known = command_parser(name, command.COMMAND)
    options = before_dashes(args)
    if SHOW in options:
        from logparse.commands.settings import show

        return show(settings_with(name, known, options))
    # Help must be there also for those who cannot get their settings right.
    used = {} if {"-h", "--help"} & set(args) else settings_of(name, known)
    given = parse(name, command.COMMAND, args, {key: one.value for key, one in used.items()})
    try:
        return command.run(given)
    except UsageError as error:
        raise UsageError(blame(str(error), used)) from error


def _exit_code(args: Sequence[str], *, debug: bool) -> int:
    """Each way a command can end has its exit code; one line, no traceback unless ``debug``."""
    try:
        code = _run(args)
        sys.stdout.flush()
    except OSError as error:
        # Only standard output raises these: Python flushes it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED
        say(f"logparse: cannot write the result: {error.strerror}\n")
        return NOTHING
    except KeyboardInterrupt:
        say("logparse: interrupted\n")
        return INTERRUPTED
    except LogparseError as error:
        if debug:
            raise
        say(one_line(error))
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        say(one_line(LogparseError(f"a fault of logparse itself: {error!r}")))
        say("  Run it again with --debug, and please report what that shows.\n")
        return NOTHING
    return code


def main() -> NoReturn:
    """Run the command line.

    Raises:
        SystemExit: always, with the exit code.
    """
    # One command lives shortly and makes few cycles: looking for them costs 4 % of its time.
    gc.set_threshold(200_000, 50, 100)
    for stream in (sys.stdout, sys.stderr):
        # A path or a log may hold what the terminal cannot show; that must not end the report.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # No matrix here is large: the threads of numpy's OpenBLAS only take time to start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    args = with_command(sys.argv[1:])
    debug = args[:1] == ["--debug"]
    raise SystemExit(_exit_code(args[debug:], debug=debug))
