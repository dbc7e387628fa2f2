"""``logparse schema``: the JSON Schema of the JSON report out."""

from __future__ import annotations

from argparse import Namespace

from logparse.commands.common import FINE
from logparse.options import Command

COMMAND = Command(
    "Print the JSON Schema of the JSON report.",
    "logparse schema > logparse.schema.json",
)


def run(given: Namespace) -> int:
    """Print the JSON Schema of the JSON report."""
    import json

    from logparse.reports.schema import result_schema

    print(json.dumps(result_schema(), indent=2))
    return FINE
