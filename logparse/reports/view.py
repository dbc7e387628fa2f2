"""Analysis in, what a person reads out: paragraphs, findings, tables, notes; no layout yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from logparse.findings.registry import RULES, Rule
from logparse.reading.event_names import FILE_KIND
from logparse.reports import words
from logparse.reports.columns import facts
from logparse.reports.epochs import (
    SEVERITIES,
    Column,
    Table,
    epochs_table,
    runs_table,
    tags_table,
)
from logparse.reports.safe import shorten, visible

if TYPE_CHECKING:
    from logparse.analysis import Analysis

LAWS = {
    "mean": (
        "Each number on a progress line is the average over all batches since its epoch began, "
        "not the value at that moment. While the network improves, the average runs behind it."
    ),
    "mean+blend": (
        "Each number on a progress line is the average over all batches since its epoch began, "
        "not the value at that moment; the last line counts the epoch's average once more. "
        "While the network improves, the average runs behind it."
    ),
    "mean of means": (
        "Each number on a progress line is an average of averages, a fault of this Keras. It "
        "runs far behind the network, and the last line of an epoch is not the epoch's average."
    ),
    "mean of means, true end": (
        "Until the last line of an epoch each number is an average of averages, a fault of this "
        "Keras, and runs far behind the network. The last line then jumps to the true average."
    ),
    "cumulative": "The numbers are ratios of counts since the epoch began, and are left as shown.",
    "as is": "The numbers are measured values, not averages, and are left as shown.",
    "last only": (
        "The log holds one line an epoch. Its numbers are averages over the whole epoch, taken "
        "while the network was changing."
    ),
}
"""What a law means to someone who has never heard of a running mean."""

EVENT_LAWS = {
    "mean": (
        "Each batch_ value is the average over all batches since its epoch began, not the value "
        "of that batch. While the network improves, the average runs behind it."
    ),
    "last only": (
        "The events hold one value an epoch and metric: averages over the whole epoch, taken "
        "while the network was changing."
    ),
    "as is": "They are not in the structure of Keras, so each value is shown as it was written.",
}
"""The same where TensorBoard events were read."""

UNDECIDED = (
    "Which kind of average the numbers are could not be decided from this log, so nothing was "
    "rebuilt from them."
)

IN_PART = (
    "Each number on a progress line is an average over the batches since its epoch began; which "
    "kind of average the last line of an epoch is could not be decided from this log. What is "
    "rebuilt here is the same for each kind that is possible."
)
"""Under no law, but with levels: the laws that are left agree on them."""

NOT_JUDGED = "Not judged"
"""Name of the notes about rules that the log has too little for."""

EXCERPT = 60
"""Characters of a name or text from the log that one line of a report shows."""


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one rule, the worst first."""

    code: str
    severity: str
    title: str
    advice: str
    rows: list[dict[str, Any]]
    many: bool
    """The log holds several runs, so each place names its run."""
    unit: str = "line"
    """What the column ``line`` counts."""
    rule: Rule | None = None
    """How it is computed, and when it is wrong."""

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, i: int) -> str:
        """``run 1, epoch 2, acc, line 15``, as far as known."""
        row = self.rows[i]
        where = []
        if self.many and row["run"] is not None:
            where.append(f"run {row['run']}")
        if row["epoch"] is not None:
            where.append(f"epoch {row['epoch']}")
        if row["metric"] is not None:
            where.append(shorten(row["metric"], EXCERPT))
        if row["line"] is not None:
            where.append(f"{self.unit} {row['line']:,}")
        return ", ".join(where) or "whole log"

    def message(self, i: int) -> str:
        """What was found."""
        return visible(self.rows[i]["message"])

    def arithmetic(self, i: int) -> str:
        """The numbers of the verdict: value, baseline, threshold, n."""
        row = self.rows[i]
        numbers = [
            f"{key} {words.number(row[key])}"
            for key in ("value", "baseline", "threshold")
            if row[key] is not None
        ]
        if row["n"] is not None:
            numbers.append(f"n {row['n']:,}")
        return f"({', '.join(numbers)})" if numbers else ""

    def others(self, start: int) -> str:
        """Where the findings from ``start`` on are, in short: ``epochs 2, 3 (loss)``."""
        rows = self.rows[start:]
        by: dict[tuple[int | None, str | None], set[int]] = {}
        for row in rows:
            key = (row["run"] if self.many else None, row["metric"])
            by.setdefault(key, set()).add(row["epoch"] or 0)
        parts = [_epochs_of(run, metric, epochs) for (run, metric), epochs in by.items()]
        if len(parts) > 4:
            parts = [*parts[:3], f"{words.count(len(rows), 'place')} in all"]
        return words.listing(parts)


def _epochs_of(run: int | None, metric: str | None, epochs: set[int]) -> str:
    numbers = sorted(epochs - {0})
    parts = [f"run {run}"] if run is not None else []
    if numbers:
        parts.append(f"epoch{'s' if len(numbers) > 1 else ''} {words.spans(numbers)}")
    if metric is not None:
        parts.append(f"({shorten(metric, EXCERPT)})" if parts else shorten(metric, EXCERPT))
    return " ".join(parts) or "the whole log"


class View(NamedTuple):
    """One log as a person reads it. All text is safe to print."""

    name: str
    verdict: list[str]
    groups: list[Group]
    notes: list[tuple[str, str]]


def view(analysis: Analysis, *, full: bool) -> View:
    """What to say about an analysis; ``full`` for every reject and reason."""
    groups = _groups(analysis)
    runs = analysis.runs.rows(named=True)
    return View(
        name=visible(analysis.source.name),
        verdict=_verdict(analysis, runs, groups),
        groups=groups,
        notes=_notes(analysis, runs, full=full),
    )


def tables(analysis: Analysis, limit: int | None) -> list[Table]:
    """Runs, where there are several, and epochs; ``limit`` rows of each, None for all."""
    found = [runs_table(analysis, limit)] if analysis.runs.height > 1 else []
    if analysis.tags.height and not analysis.epochs.height:
        found.append(tags_table(analysis, limit))
    return [*found, epochs_table(analysis, limit)] if analysis.epochs.height else found


def _verdict(analysis: Analysis, runs: list[dict[str, Any]], groups: list[Group]) -> list[str]:
    if not runs:
        return ["No training was found in this log."]
    first = _one_run(analysis, runs[0]) if len(runs) == 1 else _many_runs(analysis, runs)
    keras = list(dict.fromkeys(visible(run["keras"]) for run in runs if run["keras"]))
    if keras:
        names = [name if name.startswith("TF") else f"Keras {name}" for name in keras[:3]]
        first += f" Printed by {words.listing(names)}."
    meanings = dict.fromkeys(_meaning(analysis, run) for run in runs)
    return [first, " ".join(meanings), _found(groups)]


def _meaning(analysis: Analysis, run: dict[str, Any]) -> str:
    """What the numbers of a run are."""
    if law := run["law"]:
        known = LAWS | EVENT_LAWS if analysis.source.unit == "scalar" else LAWS
        return known.get(law, visible(law))
    levels = analysis.metrics.filter(run=run["run"])["end"]
    return IN_PART if levels.count() else UNDECIDED


def _one_run(analysis: Analysis, run: dict[str, Any]) -> str:
    epochs = run["epochs"]
    if not epochs and analysis.tags.height:
        scalars = words.count(analysis.source.lines, "scalar")
        return f"{scalars} under {words.count(analysis.tags.height, 'name')}."
    if run["of"] and run["of"] > epochs:
        text = f"One training run: {epochs:,} of {run['of']:,} announced epochs"
        text += f", each{_steps(run)}" if _steps(run) else ""
    else:
        text = f"One training run: {words.count(epochs, 'epoch')}{_steps(run)}"
    text += _duration(analysis)
    table = facts(analysis).epochs
    labels = set(table.list("label"))
    if epochs > 1 and len(labels) == 1 and (label := labels.pop()):
        text += f", each printed as Epoch {visible(label)}"
    cut = [i for i, complete in enumerate(table.list("complete")) if not complete]
    if not cut:
        return f"{text}, all complete."
    if len(cut) > 1:
        return f"{text}. {words.count(len(cut), 'epoch')} of them are not complete."
    number, steps, of = (table.list(name)[cut[0]] for name in ("epoch", "steps", "of"))
    done = f"{steps:,} of {of:,} steps" if of else words.count(steps, "step")
    return f"{text}. Epoch {number} is not complete: the log shows {done} of it."


def _steps(run: dict[str, Any]) -> str:
    steps, batch = run["steps_per_epoch"], run["batch_size"]
    if not steps:
        return ""
    # A bar that counts samples without a known batch size: its counter is all there is.
    counted = "sample" if steps == run["samples"] and not batch else "step"
    text = f" of {words.count(steps, counted)}"
    return f"{text} ({batch:,} samples a step)" if batch else text


def _many_runs(analysis: Analysis, runs: list[dict[str, Any]]) -> str:
    text = f"{len(runs):,} training runs, {words.count(analysis.epochs.height, 'epoch')} in all"
    text += _duration(analysis)
    cut = facts(analysis).epochs.list("complete").count(False)
    are = "is" if cut == 1 else "are"
    return f"{text}, all complete." if not cut else f"{text}; {cut:,} {are} not complete."


def _duration(analysis: Analysis) -> str:
    epochs = facts(analysis).epochs
    if not len(epochs) or not epochs.there("seconds").all():
        return ""
    names = ("seconds", "seconds_low", "seconds_high")
    total, low, high = (float(np.nansum(epochs.floats(name))) for name in names)
    exact = f" ({total:,.0f} s)" if total >= 60 else ""
    return f", {words.duration(total, low, high)}{exact}"


def _found(groups: list[Group]) -> str:
    counts = dict.fromkeys(SEVERITIES, 0)
    for group in groups:
        counts[group.severity] += len(group)
    names = {"error": "error", "warning": "warning", "info": "note"}
    parts = [words.count(counts[s], names[s]) for s in SEVERITIES if counts[s]]
    return f"Found: {words.listing(parts)}." if parts else "Nothing unusual was found."


def _groups(analysis: Analysis) -> list[Group]:
    rank = {severity: i for i, severity in enumerate(SEVERITIES)}
    by_code: dict[str, list[dict[str, Any]]] = {}
    for row in facts(analysis).findings:
        by_code.setdefault(row["code"], []).append(row)
    groups = []
    for code, rows in by_code.items():
        # Stable: the rule's own order stays among equals.
        rows.sort(key=lambda row: rank[row["severity"]])
        groups.append(
            Group(
                code=visible(code),
                severity=rows[0]["severity"],
                title=RULES[code].name if code in RULES else "",
                advice=visible(rows[0]["advice"]),
                rows=rows,
                many=analysis.runs.height > 1,
                unit=analysis.source.unit,
                rule=RULES.get(code),
            )
        )
    # Findings come worst first, then by place in the log: so do their groups.
    return sorted(groups, key=lambda group: rank[group.severity])


def _notes(analysis: Analysis, runs: list[dict[str, Any]], *, full: bool) -> list[tuple[str, str]]:
    source = analysis.source
    notes = []
    if kinds := _kinds(analysis):
        notes.append(("Messages", kinds))
    if analysis.layers.height:
        notes.append(("Model", _model(analysis)))
    notes += _unjudged(analysis)
    notes += _rejects(analysis, full=full)
    if source.not_kept:
        kinds = ", ".join(f"{n:,} {visible(kind)}" for kind, n in source.not_kept.items())
        notes.append(("Counted", f"{kinds}: too many to keep one by one"))
    if source.damage:
        notes.append(("Damage", visible(source.damage)))
    notes.append(("Bytes", _account(analysis)))
    notes.append(("Read as", f"{visible(source.reader)}: {visible(source.reader_reason)}"))
    reasons = dict.fromkeys((run["law"], run["law_reason"]) for run in runs)
    for law, reason in list(reasons)[: None if full else 2]:
        notes.append(
            ("Averages", f"{visible(law or 'undecided')}: {visible(reason or 'no reason')}")
        )
    return notes


def _unjudged(analysis: Analysis) -> list[tuple[str, str]]:
    """Rules that have too little in some run, and what they lack."""
    by: dict[str, dict[str, None]] = {}
    silent = analysis.unjudged
    for code, reason in zip(silent["code"].to_list(), silent["reason"].to_list(), strict=True):
        by.setdefault(reason, {})[code] = None
    texts = [f"{', '.join(codes)}: {reason}" for reason, codes in by.items()]
    return [(NOT_JUDGED, visible(text)) for text in texts]


def _kinds(analysis: Analysis) -> str:
    # Which event files there are is said as what was read.
    kinds = [kind for kind in analysis.messages["kind"].to_list() if kind != FILE_KIND]
    counts = Counter(kinds).most_common()
    return ", ".join(f"{n:,} {visible(kind)}" for kind, n in counts)


def _model(analysis: Analysis) -> str:
    layers = analysis.layers
    models = layers["model"].n_unique()
    text = f"{words.count(layers.height, 'layer')}"
    if models > 1:
        return f"{words.count(models, 'summary', 'summaries')}, {text} in all"
    if layers["parameters"].null_count() < layers.height:
        text += f", {int(layers['parameters'].sum()):,} parameters"
    return text


def _rejects(analysis: Analysis, *, full: bool) -> list[tuple[str, str]]:
    rejects = analysis.rejects
    shown = rejects.head(rejects.height if full else 2).rows(named=True)
    notes = [
        (
            "Not read",
            f"{_place(row)}, {visible(row['kind'])}: {shorten(row['excerpt'], EXCERPT)}",
        )
        for row in shown
    ]
    if rejects.height > len(shown):
        hidden = words.count(rejects.height - len(shown), "more place")
        notes.append(("Not read", f"{hidden}; --full lists them"))
    return notes


def _place(reject: dict[str, Any]) -> str:
    if reject["line"] is not None:
        return f"line {reject['line']:,}"
    return f"{shorten(reject['file'] or '', EXCERPT)} byte {reject['start']:,}"


def _account(analysis: Analysis) -> str:
    source = analysis.source
    size = source.size
    ignored = sum(source.ignored.values())
    names = sorted(source.ignored.items(), key=lambda item: -item[1])
    rules = ", ".join(f"{visible(name)} {n:,}" for name, n in names if n)
    parts = [f"read {words.share(source.read, size)}"]
    parts.append(f"ignored {words.share(ignored, size)}" + (f" ({rules})" if rules else ""))
    parts += [f"rejected {source.rejected:,}", f"pending {source.pending:,}"]
    total = words.count(size, "byte")
    return f"{', '.join(parts)} = {total} in {words.count(source.lines, source.unit)}"


def account_table(analysis: Analysis) -> Table:
    """Where each byte of the log went."""
    source = analysis.source
    ignored = sorted(source.ignored.items(), key=lambda item: -item[1])
    rows = [("read", source.read)]
    rows += [(f"ignored: {visible(name)}", size) for name, size in ignored if size]
    rows += [("rejected", source.rejected), ("pending", source.pending), ("in all", source.size)]
    return Table(
        "Where each byte went",
        [
            Column("Bytes", [name for name, _ in rows], left=True),
            Column("Number", [f"{size:,}" for _, size in rows]),
            Column("Share", [words.share(size, source.size) for _, size in rows]),
        ],
    )
