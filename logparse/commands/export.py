"""``logparse export``: a log in, one of its tables as a file out."""

from __future__ import annotations

from argparse import Namespace

from logparse.commands.common import FINE, given_reading, reading_options, writing_options
from logparse.errors import UsageError
from logparse.options import Arguments, Command, Parser, hint


def _options(parser: Parser) -> None:
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
    reading_options(parser)
    writing_options(parser)


COMMAND = Command(
    "Write one table of a log to a file.",
    "logparse export train.log --table batches -o batches.parquet",
    Arguments("PATH", "Log to read; - is standard input.", least=1, most=1),
    _options,
)


def run(given: Namespace) -> int:
    """Write one table of a log to a file."""
    from logparse.analysis import analyze
    from logparse.reports.output import TableOutput, table_target
    from logparse.reports.progress import progress
    from logparse.tables import TABLES

    target = table_target(given.output, given.format)
    if given.table not in TABLES:
        raise UsageError(f"no table {given.table!r}{hint(given.table, TABLES)}")
    (path,) = given.arguments
    with TableOutput(target, force=given.force) as out, progress(path, quiet=given.quiet):
        analysis = analyze(path, sha256=False, **given_reading(given))
        out.write(analysis.in_parts(given.table))
    return FINE
