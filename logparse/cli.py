"""The command line: options in, one call, one report out.

What a command needs is imported when it runs: ``logparse --help`` must be quick.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from logparse.errors import LogparseError, UsageError
from logparse.options import COMMANDS, FAIL_ON, nearest, parse, top_parser

if TYPE_CHECKING:
    from logparse.analysis import Analysis
    from logparse.reports.output import Outputs

FINE, FOUND, USAGE, NOTHING, SOME, INTERRUPTED, CLOSED = 0, 1, 2, 3, 4, 130, 141


def analyze(given: Namespace) -> int:
    """Report on one or more logs."""
    from logparse.reports.output import Outputs, targets

    options = _reading(given)
    options |= {"select": _codes(given.select), "ignore": _codes(given.ignore)}
    asked = targets(given.output, given.format)
    options["sha256"] = any(target.format in ("json", "ndjson") for target in asked)
    outputs = Outputs(asked, color=given.color, full=given.full, force=given.force)
    with outputs:
        code = _analyze(
            given.arguments, outputs, _known(options), fail_on=given.fail_on, quiet=given.quiet
        )
    return FINE if given.exit_zero and code == FOUND else code


def export(given: Namespace) -> int:
    """Write one table of a log to a file."""
    from logparse.analysis import analyze
    from logparse.reports.output import TableOutput, table_target
    from logparse.reports.progress import progress
    from logparse.tables import TABLES

    target = table_target(given.output, given.format)
    if given.table not in TABLES:
        raise UsageError(f"no table {given.table!r}{_hint(given.table, TABLES)}")
    (path,) = given.arguments
    with TableOutput(target, force=given.force) as out:
        with progress(path, quiet=given.quiet):
            frame = analyze(path, sha256=False, **_known(_reading(given))).table(given.table)
        out.write(frame)
    return FINE


def explain(given: Namespace) -> int:
    """Say what findings mean."""
    from logparse.findings import registry
    from logparse.reports.layout import wrap
    from logparse.reports.terminal import WIDTH

    known = sorted(registry.load())
    if not given.arguments and not given.all:
        raise UsageError(f"give a code or --all; the codes are {', '.join(known)}")
    asked = known if given.all else [code.upper() for code in given.arguments]
    for code in asked:
        if code not in known:
            raise UsageError(f"no finding has the code {code}{_hint(code, known)}")
    text = "\n\n".join(registry.explain(code).rstrip() for code in asked)
    for line in text.splitlines():
        print("\n".join(wrap(line, WIDTH)))
    return FINE


def formats(given: Namespace) -> int:
    """List the readers, or how well each fits a log."""
    from logparse.reports.formats import readers_lines, scores_lines

    for line in scores_lines(*given.arguments) if given.arguments else readers_lines():
        print(line)
    return FINE


def schema(given: Namespace) -> int:
    """Print the JSON Schema of the JSON report."""
    import json

    from logparse.reports.schema import result_schema

    print(json.dumps(result_schema(), indent=2))
    return FINE


RUN: dict[str, Callable[[Namespace], int]] = {
    "analyze": analyze,
    "export": export,
    "explain": explain,
    "formats": formats,
    "schema": schema,
}
"""What runs each of ``COMMANDS``; gives the exit code."""


def _analyze(
    paths: list[str], outputs: Outputs, options: dict[str, Any], *, fail_on: str, quiet: bool
) -> int:
    """Read each log, write each report as it comes; the exit code."""
    from logparse.analysis import Failure, analyze_many
    from logparse.reports.progress import progress

    if "-" in paths and sys.stdin.isatty() and not quiet:
        _say("logparse: reading what you type; end with Ctrl-D\n")
    results = iter(analyze_many(paths, **options))
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
            _say(_explain(result.error, result.name))
        else:
            done += 1
            outputs.log(result)
            found = found or _trips(result, fail_on)
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
        _say(f"logparse: passed over {visible(reason)}\n")
    if len(reasons) > len(shown[:20]):
        _say(f"logparse: passed over {len(reasons) - len(shown[:20]):,} more\n")


def _trips(analysis: Analysis, fail_on: str) -> bool:
    """Whether a finding is at least as severe as ``fail_on``."""
    if fail_on == "never":
        return False
    return bool(analysis.findings["severity"].is_in(FAIL_ON[FAIL_ON.index(fail_on) :]).any())


def _reading(given: Namespace) -> dict[str, Any]:
    return {name: getattr(given, name) for name in ("reader", "law", "keras", "batch_size")}


def _known(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _codes(given: list[str] | None) -> tuple[str, ...] | None:
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
            raise UsageError(f"no finding has the code {code}{_hint(code, known)}")
    return tuple(codes)


def _hint(word: str, known: Iterable[str]) -> str:
    known = list(known)
    meant = nearest(word, known)
    return f"; did you mean {meant}?" if meant else f"; there are {', '.join(known)}"


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody may be there to read it
        sys.stderr.write(text)
        sys.stderr.flush()


def _explain(error: LogparseError, name: str = "") -> str:
    """One line on what went wrong, one more where a command's name was mistyped."""
    from logparse.reports.safe import visible

    message = str(error)
    if name not in message:
        message = f"{name}: {message}"
    text = f"logparse: {visible(message)}\n"
    command = nearest(name, COMMANDS)
    if command and not os.path.lexists(name):
        text += f"  Or did you mean the command: logparse {command}\n"
    return text


def with_command(args: Sequence[str]) -> list[str]:
    """The arguments with ``analyze`` put in where no command is named, ``--debug`` at the front.

    >>> with_command(["train.log", "--full"])
    ['analyze', 'train.log', '--full']
    """
    end = list(args).index("--") if "--" in args else len(args)
    debug = ["--debug"] if "--debug" in args[:end] else []
    rest = [arg for i, arg in enumerate(args) if not (i < end and arg == "--debug")]
    if rest and rest[0] not in (*COMMANDS, "-h", "--help", "--version"):
        rest.insert(0, "analyze")
    return debug + rest


def _run(args: Sequence[str]) -> int:
    """Run the command that the arguments name; its exit code."""
    if not args:
        raise UsageError("give a log or a command; see logparse --help")
    try:
        if args[0] in RUN:
            return RUN[args[0]](parse(args[0], args[1:]))
        top_parser().parse_args(args[:1])
    except SystemExit as end:  # of the help, too
        return int(end.code or FINE)
    from importlib.metadata import version

    print(f"logparse {version('logparse')}")
    return FINE


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
        _say(f"logparse: cannot write the result: {error.strerror}\n")
        return NOTHING
    except KeyboardInterrupt:
        _say("logparse: interrupted\n")
        return INTERRUPTED
    except LogparseError as error:
        if debug:
            raise
        _say(_explain(error))
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        _say(_explain(LogparseError(f"a fault of logparse itself: {error!r}")))
        _say("  Run it again with --debug, and please report what that shows.\n")
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
