"""The code in, the pages of docs/reference/ and the part of README.md that must fit it out.

``python docs/generate.py`` writes them; a test fails while they differ.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

import logparse
from logparse.batch.dataset import DATASET
from logparse.commands import commands
from logparse.comparison.tables import COMPARISON
from logparse.findings import registry
from logparse.options import EXIT_CODES, SUMMARY, Parser, command_parser, top_parser
from logparse.reports.comparison_json import (
    BASELINE_VERSION,
    COMPARISON_VERSION,
    baseline_schema,
    comparison_schema,
)
from logparse.reports.safe import markdown
from logparse.reports.schema import SCHEMA_VERSION, result_schema
from logparse.settings import keys, variable
from logparse.tables import TABLES, Column

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
README = ROOT / "README.md"

STORY = "sample_logs/seeds/003_outer_loop.log"
MARKS = ("<!-- finding: written by docs/generate.py -->\n", "<!-- end of finding -->\n")

NOTE = "<!-- Written by docs/generate.py; do not edit. -->\n\n"
TABLE = "| | |\n| --- | --- |\n"

TYPES = {"int": "integer", "float": "number", "bool": "true or false", "str": "text"}

TABLE_TEXTS = {
    "runs": "One row a training run: one `fit`, or an outer loop of one-epoch fits.",
    "updates": "One row a display of the bar. Each metric is one more column, as shown.",
    "epochs": "One row an epoch.",
    "metrics": "One row an epoch and metric.",
    "batches": "One row a shown interval and metric: what the batches in it did.",
    "findings": "One row a rule that fired.",
    "unjudged": "One row a rule and run that the log has too little for: silence is no verdict.",
    "messages": "One row a message that a callback or Keras printed.",
    "rejects": "One row a piece of input that looked like data and could not be read.",
    "agreement": "One row an epoch and metric that both a text and its events hold.",
    "tags": "One row a scalar of TensorBoard events, by its name.",
    "scalars": "One row a value of TensorBoard events, as it was written.",
    "step_times": "One row for some epochs of each run: how long single steps took, where the "
    "log tells.",
    "layers": "One row a layer of a printed `model.summary()`.",
    "models": "One row a printed `model.summary()`: the counts below its layers.",
}


def commands_page() -> str:
    """Every command with its arguments and options."""
    text = f"# Commands\n\n{NOTE}{SUMMARY}\n\n{TABLE}{_options(top_parser(commands()))}\n"
    text += "| exit code | |\n| --- | --- |\n"
    text += "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    for name, command in commands().items():
        text += f"\n## {name}\n\n{command.summary}\n\n    {command.example}\n\n{TABLE}"
        if command.arguments.metavar:
            text += f"| `{command.arguments.usage()}` | {markdown(command.arguments.help)} |\n"
        text += _options(command_parser(name, command))
    return text


def _options(parser: Parser) -> str:
    rows = []
    for option in parser.options:
        names = ", ".join(f"`{name}`" for name in option.option_strings)
        names += f" {markdown(str(option.metavar))}" if option.metavar else ""
        rows.append(f"| {names} | {markdown(option.help or '')} |\n")
    return "".join(rows)


def tables_page() -> str:
    """Every table and column."""
    text = (
        f"# Tables\n\n{NOTE}"
        "The same tables are attributes of `logparse.analyze(path)`, keys of the JSON report and "
        "choices of `logparse export --table`.\n"
    )
    for name, columns in TABLES.items():
        text += f"\n## {name}\n\n{TABLE_TEXTS[name]}\n\n"
        text += "| column | type | unit | meaning | null when |\n| --- | --- | --- | --- | --- |\n"
        text += "".join(map(_column_row, columns))
    return text


COMPARISON_TEXTS = {
    "sides": "One row a side: how long its epochs take.",
    "ratios": (
        "One row a side but the first: its time against the baseline's. Where their epochs have "
        "different numbers of steps, one row for the epoch and one for the step."
    ),
    "totals": "One row a side: the time of that many epochs.",
    "overtakes": "One row for each two sides of which one is faster in the long run.",
    "metrics": "One row a metric, kind of equality and side.",
    "epochs": "One row an epoch: what was read, and what it counts as.",
    "curves": "One row an epoch and metric.",
    "notes": "One row for each thing to know when reading the numbers.",
    "findings": "One row for each LP501 and LP502; columns as in [tables](tables.md#findings).",
}


def comparison_page() -> str:
    """Every table of a comparison and its columns."""
    text = (
        f"# Tables of a comparison\n\n{NOTE}"
        "They are attributes of `logparse.compare(a, b)` and keys of `logparse compare --format "
        f"json` ([schema](logparse-comparison-{COMPARISON_VERSION}.schema.json)).\n"
    )
    for name, columns in COMPARISON.items():
        text += f"\n## {name}\n\n{COMPARISON_TEXTS[name]}\n\n"
        text += "| column | type | unit | meaning | null when |\n| --- | --- | --- | --- | --- |\n"
        text += "".join(map(_column_row, columns))
    return text


def _column_row(column: Column) -> str:
    cells = (TYPES[column.kind], column.unit, markdown(column.meaning), markdown(column.null))
    return f"| `{column.name}` | {' | '.join(cell or ' ' for cell in cells)} |\n"


DATASET_TEXTS = {"logs": "One row a log, also those that were not read."}


def dataset_page() -> str:
    """Every table of the data set of ``logparse report``."""
    text = (
        f"# Data set\n\n{NOTE}"
        "What `logparse report` writes to the folder `data`; [how to ask it](../batch.md). "
        "A column is there in every file, also where all of it is null.\n"
    )
    for name, columns in DATASET.items():
        text += f"\n## {name}\n\n{DATASET_TEXTS.get(name) or TABLE_TEXTS[name]}\n\n"
        text += "| column | type | unit | meaning | null when |\n| --- | --- | --- | --- | --- |\n"
        text += "".join(map(_column_row, columns))
    return text


def findings_page() -> str:
    """Every rule, as ``logparse explain`` tells it."""
    text = f"# Findings\n\n{NOTE}`logparse explain CODE` prints the same.\n"
    for code, rule in sorted(registry.load().items()):
        text += f"\n## {code} {rule.name}\n\nSeverity: {rule.severity}. {rule.summary}\n\n"
        text += f"How it is computed: {rule.computed}\n\nWhen it is wrong: {rule.wrong_when}\n\n"
        text += f"What to do: {rule.advice}\n\n"
        if settable := registry.thresholds_text(rule):
            text += f"What can be set: {settable}\n\n"
        text += f"Source: {rule.source}\n"
    return text


def readme() -> str:
    """README.md with what logparse says of its first two lines."""
    analysis = logparse.analyze(ROOT / STORY)
    rows = analysis.findings.rows(named=True)
    (found,) = [row for row in rows if row["epoch"] == 2 and row["metric"] == "acc"]
    lines = textwrap.wrap(markdown(found["message"]), 98)
    text = README.read_text(encoding="utf-8")
    head, _, rest = text.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    quote = "".join(f"> {line}\n" for line in lines)
    return f"{head}{MARKS[0]}\n{quote}\n{MARKS[1]}{tail}"


def settings_page() -> str:
    """Every setting, its variable, and the commands that have it."""
    rows: dict[str, tuple[argparse.Action, list[str]]] = {}
    for name, command in commands().items():
        for key, option in keys(command_parser(name, command)).items():
            rows.setdefault(key, (option, []))[1].append(name)
    text = f"# Settings\n\n{NOTE}[How to set them](../settings.md).\n\n"
    text += "| setting | variable | values | commands | |\n| --- | --- | --- | --- | --- |\n"
    for key, (option, names) in sorted(rows.items()):
        values = "true, false" if option.nargs == 0 else str(option.metavar or "")
        cells = (f"`{variable(key)}`", markdown(values), ", ".join(names))
        text += f"| `{key}` | {' | '.join(cells)} | {markdown(option.help or '')} |\n"
    return text


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2) + "\n"


def pages() -> dict[str, str]:
    """File names in docs/reference/ and their text."""
    return {
        "commands.md": commands_page(),
        "tables.md": tables_page(),
        "dataset.md": dataset_page(),
        "findings.md": findings_page(),
        "comparison.md": comparison_page(),
        "settings.md": settings_page(),
        f"logparse-{SCHEMA_VERSION}.schema.json": _json(result_schema()),
        f"logparse-comparison-{COMPARISON_VERSION}.schema.json": _json(comparison_schema()),
        f"logparse-baseline-{BASELINE_VERSION}.schema.json": _json(baseline_schema()),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")
