"""What is known of all logs -> the index page, those that need attention first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib import resources
from typing import Any, NamedTuple

from logparse.batch.folder import PAGES
from logparse.batch.work import Entry
from logparse.findings import registry
from logparse.reports import words
from logparse.reports.safe import csp_hash, visible

SEVERITIES = {"error": "error", "warning": "warning", "info": "note"}
"""Severities, the worst first, and the word for each."""

SKIPPED_SHOWN = 300
"""Files that are no logs, named on the page; the data set has all."""

_METRICS = 3
"""Columns of metrics: those that most logs have."""

_RARE = 0.1
"""Share of the logs below which a metric gets no column."""


class Row(NamedTuple):
    """A log as the page shows it."""

    state: str
    """``x`` not read, ``e`` error, ``w`` warning, ``i`` note, ``o`` nothing found."""
    log: str
    page: str
    word: str
    codes: list[str]
    reason: str
    cells: list[str]
    values: list[float | None]
    """What the columns are sorted by: epochs, seconds, seconds a step, metrics."""


def index_page(entries: list[Entry], tree: str) -> str:
    """The page; it loads nothing and works from a disk."""
    import jinja2

    style, behaviour = _asset("index.css"), _asset("index.js")
    read = [entry for entry in entries if entry["status"] == "read"]
    skipped = sorted((e["log"], e["reason"]) for e in entries if e["status"] == "skipped")
    metrics = _common_metrics(read)
    shown = [_row(entry, metrics) for entry in entries if entry["status"] != "skipped"]
    rows = [row for _, row in sorted(shown, key=lambda pair: pair[0])]
    states = Counter(row.state for row in rows)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("index.html")).render(
        tree=visible(tree),
        style=style,
        behaviour=behaviour,
        style_hash=csp_hash(style),
        behaviour_hash=csp_hash(behaviour),
        heads=["Epochs", "Time", "A step", *map(visible, metrics)],
        rows=rows,
        values=[row.values for row in rows],
        chips=[(key, name, states[key]) for key, name in _CHIPS if states[key]],
        rules=_rules(read),
        names=_rule_names(),
        folder=PAGES,
        sentence=_sentence(states, len(skipped)),
        skipped=skipped[:SKIPPED_SHOWN],
        more=len(skipped) - len(skipped[:SKIPPED_SHOWN]),
    )


_CHIPS = (
    ("x", "not read"),
    ("e", "error"),
    ("w", "warning"),
    ("i", "note"),
    ("o", "nothing found"),
)


def _row(entry: Entry, metrics: list[str]) -> tuple[Any, Row]:
    """A log's row, after what it is sorted by: what needs attention comes first."""
    log = visible(entry["log"])
    if entry["status"] == "failed":
        row = Row("x", log, "", "not read", [], visible(entry["reason"]), [], [])
        return (0, log), row
    counts = dict.fromkeys(SEVERITIES, 0)
    for _, severity, n in entry["found"]:
        counts[severity] += n
    worst = next((severity for severity in SEVERITIES if counts[severity]), None)
    order = list(SEVERITIES)
    found = sorted(entry["found"], key=lambda item: (order.index(item[1]), item[0]))
    row = Row(
        worst[0] if worst else "o",
        log,
        entry["page"],
        SEVERITIES[worst] if worst else "",
        [f"{code} {n}×" if n > 1 else code for code, _, n in found],
        visible(entry["reason"] or ""),
        _cells(entry, metrics),
        [
            entry["epochs"],
            entry["seconds"],
            entry["step_seconds"],
            *(entry["metrics"].get(name) for name in metrics),
        ],
    )
    return (1, *(-n for n in counts.values()), log), row


def _cells(entry: Entry, metrics: list[str]) -> list[str]:
    epochs, of = entry["epochs"], entry["of"]
    text = f"{epochs:,}/{of:,}" if of and of != epochs and entry["runs"] == 1 else f"{epochs:,}"
    values = (entry["metrics"].get(name) for name in metrics)
    return [
        text,
        words.duration(entry["seconds"]),
        words.duration(entry["step_seconds"]),
        *("-" if value is None else words.number(value) for value in values),
    ]


def _common_metrics(read: list[Entry]) -> list[str]:
    """Metrics that get a column, in the order in which logs show them."""
    counts = Counter(name for entry in read for name in entry["metrics"])
    least = max(_RARE * len(read), 1)
    known = [name for name, n in counts.most_common(_METRICS) if n >= least]
    return sorted(known, key=lambda name: (name.startswith("val_"), name != "loss", name))


def _rules(read: list[Entry]) -> list[tuple[str, str, str, int]]:
    """Of each rule that fired its code, severity, name and in how many logs; the worst first."""
    counts: Counter[str] = Counter()
    severity: dict[str, str] = {}
    for entry in read:
        for code, found, _ in entry["found"]:
            counts[code] += 1
            severity.setdefault(code, found)
    order, names = list(SEVERITIES), _rule_names()
    codes = sorted(counts, key=lambda code: (order.index(severity[code]), -counts[code], code))
    return [(code, SEVERITIES[severity[code]], names.get(code, ""), counts[code]) for code in codes]


def _rule_names() -> dict[str, str]:
    return {code: rule.name for code, rule in sorted(registry.load().items())}


def _sentence(states: Counter[str], skipped: int) -> str:
    read = sum(n for state, n in states.items() if state != "x")
    parts = [f"{words.count(read, 'log')} read"]
    if states["x"]:
        parts.append(f"{words.count(states['x'], 'log')} could not be read")
    if skipped:
        parts.append(f"{words.count(skipped, 'file')} passed over as no training log")
    return words.listing(parts)


def _asset(name: str) -> str:
    return resources.files("logparse.batch").joinpath("assets", name).read_text("utf-8")


def worst_first(entries: Iterable[Entry]) -> list[Row]:
    """The rows of the page alone, for the terminal."""
    shown = [_row(entry, []) for entry in entries if entry["status"] != "skipped"]
    return [row for _, row in sorted(shown, key=lambda pair: pair[0])]
