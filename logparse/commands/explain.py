"""``logparse explain``: codes of findings in, what they mean out."""

from __future__ import annotations

from argparse import Namespace

from logparse.commands.common import FINE
from logparse.errors import UsageError
from logparse.options import Arguments, Command, Parser, hint


def _options(parser: Parser) -> None:
    parser.option("--all", action="store_true", help="Every code there is.")


COMMAND = Command(
    "Say what a finding means, when it is wrong and what to do.",
    "logparse explain LP101",
    Arguments("CODE...", "Codes of findings, like LP201."),
    _options,
)


def run(given: Namespace) -> int:
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
            raise UsageError(f"no finding has the code {code}{hint(code, known)}")
    text = "\n\n".join(registry.explain(code).rstrip() for code in asked)
    for line in text.splitlines():
        print("\n".join(wrap(line, WIDTH)))
    return FINE
