"""``logparse schema``: a name in, the JSON Schema of what logparse writes under it out."""

from __future__ import annotations

from argparse import Namespace

from logparse.commands.common import FINE
from logparse.errors import UsageError
from logparse.options import Arguments, Command, hint

SCHEMAS = ("report", "comparison", "baseline")
"""What has a JSON Schema: ``analyze --format json``, ``compare --format json``, baseline files."""

COMMAND = Command(
    "Print the JSON Schema of what logparse writes.",
    "logparse schema comparison > comparison.schema.json",
    Arguments("NAME", f"One of {', '.join(SCHEMAS)}; report by default.", most=1),
)


def run(given: Namespace) -> int:
    """Print the JSON Schema of the report, a comparison or a baseline file."""
    import json

    from logparse.reports.comparison_json import baseline_schema, comparison_schema
    from logparse.reports.schema import result_schema

    name = given.arguments[0] if given.arguments else SCHEMAS[0]
    if name not in SCHEMAS:
        raise UsageError(f"no schema {name!r}{hint(name, SCHEMAS)}")
    made = dict(zip(SCHEMAS, (result_schema, comparison_schema, baseline_schema), strict=True))
    print(json.dumps(made[name](), indent=2))
    return FINE
