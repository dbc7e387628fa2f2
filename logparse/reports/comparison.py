"""Comparison in, what a person reads out: as text for a terminal or a pipe, or as markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from logparse.comparison.steady import STEADY_RULE
from logparse.findings.comparison import percent, span
from logparse.findings.registry import RULES
from logparse.reports import words
from logparse.reports.epochs import Column, Table
from logparse.reports.layout import paint, table_lines
from logparse.reports.markdown import table_markdown
from logparse.reports.safe import markdown, shorten, visible
from logparse.reports.terminal import Page

if TYPE_CHECKING:
    from logparse.comparison.compare import Comparison

Row = dict[str, Any]

METRICS = 6
"""Metrics in a short report."""

SIDES = 8
"""Sides whose overtaking is told pair by pair in a short report."""

TIMES_AS_FAST = 1.5
"""From here on ``2.5 times as fast`` reads better than percent."""


class Verdict(NamedTuple):
    """What is said of one side."""

    label: str
    name: str
    severity: str
    """Of its finding; empty if it has none."""
    code: str
    text: str
    advice: str


class View(NamedTuple):
    """A comparison as a person reads it. All text is safe to print."""

    baseline: str
    verdicts: list[Verdict]
    tables: list[Table]
    notes: list[str]


def label(number: int) -> str:
    """A for the baseline, B, C ... for the others; from 27 on S27."""
    return chr(64 + number) if number <= 26 else f"S{number}"


def view(comparison: Comparison, *, full: bool) -> View:
    """What to say of a comparison; ``full`` for every metric and pair."""
    sides = comparison.sides.rows(named=True)
    base = sides[0]
    counts = _epochs_of(base)
    verdicts = [_verdict(comparison, side, base) for side in sides[1:]]
    found = [_sides_table(comparison, sides)]
    if comparison.ratios.height:
        found.append(_ratios_table(comparison))
    if comparison.metrics.height:
        found.append(_metrics_table(comparison, sides, full=full))
    notes = _overtakes(comparison, None if full else SIDES) + _notes(comparison)
    text = f"A, the baseline: {visible(base['name'])} ({counts})"
    return View(text, verdicts, found, notes)


def text_report(comparison: Comparison, page: Page) -> Iterator[str]:
    """The comparison as lines of text."""
    for line in _lines(view(comparison, full=page.full), page):
        yield line + "\n"


def markdown_report(comparison: Comparison, *, full: bool = True) -> Iterator[str]:
    """The comparison as GitHub-flavoured markdown."""
    shown = view(comparison, full=full)
    yield f"## Comparison\n\n{markdown(shown.baseline)}\n\n"
    for one in shown.verdicts:
        code = f"**{one.code}** {one.severity}: " if one.code else ""
        yield f"- **{one.label}** {markdown(one.name)}: {code}{markdown(one.text)}"
        yield f" {markdown(one.advice)}\n" if one.advice else "\n"
    yield "\n"
    for table in shown.tables:
        yield f"### {markdown(table.title)}\n\n"
        yield from table_markdown(table)
    yield from (f"- {markdown(note)}\n" for note in shown.notes)


def _lines(shown: View, page: Page) -> Iterator[str]:
    yield from page.prose(shown.baseline, "   ", "")
    for one in shown.verdicts:
        yield ""
        yield from page.prose(f"{one.label}: {one.name}", "   ", "")
        code = f"{one.code} {one.severity}"
        text = f"{code}  {one.text}" if one.code else one.text
        for line in page.prose(text, "   "):
            yield line.replace(code, paint(code, one.severity, page.colour), 1)
        if one.advice:
            yield from page.prose(f"Advice: {one.advice}", "   ")
    for table in shown.tables:
        yield ""
        yield paint(table.title, "head", page.colour)
        yield from table_lines(table, page.columns if page.fit else None, page.colour)
        for text in table.legend:
            yield from (paint(line, "dim", page.colour) for line in page.prose(text))
    if shown.notes:
        yield ""
    for note in shown.notes:
        yield from page.prose(note, "  ", "- ")


def _verdict(comparison: Comparison, side: Row, base: Row) -> Verdict:
    number = side["side"]
    name = f"{visible(side['name'])} ({_epochs_of(side)})"
    for row in comparison.findings.rows(named=True):
        if row["side"] == number:
            severity, code = row["severity"], row["code"]
            title = RULES[code].name
            text = f"{title}. {visible(row['message'])}"
            return Verdict(label(number), name, severity, code, text, visible(row["advice"]))
    ratios = [row for row in comparison.ratios.rows(named=True) if row["side"] == number]
    if not ratios:
        text = "No time is known on both sides, so only the metrics are compared."
        return Verdict(label(number), name, "", "", text, "")
    return Verdict(label(number), name, "", "", _plain(ratios[0], side, base), "")


def _plain(row: Row, side: Row, base: Row) -> str:
    """A verdict that is no finding: faster, or the same."""
    times = (
        f"{words.duration(side['epoch_seconds'])} instead of "
        f"{words.duration(base['epoch_seconds'])} a steady epoch"
    )
    if row["limit"] > 1:
        allowed = percent(row["limit"])
        return f"Not more than {allowed} slower than A: {times} (95 % sure: {span(row)})."
    if row["verdict"] == "same":
        times = times.replace(" instead of ", " against ")
        return f"As fast as A to within 5 %: {times} (95 % sure: {span(row)})."
    speed, low, high = 1 / row["ratio"], 1 / row["high"], 1 / row["low"] if row["low"] else None
    if speed < TIMES_AS_FAST:
        return f"{percent(row['ratio'])} less time than A: {times} (95 % sure: {span(row)})."
    sure = f"{_factor(low)} to {_factor(high)}" if high else f"at least {_factor(low)}"
    return f"{_factor(speed)} times as fast as A: {times} (95 % sure: {sure} times)."


def _factor(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:,.0f}"


def _epochs_of(side: Row) -> str:
    parts = [f"{words.count(side['epochs'], 'steady epoch')}"]
    if side["runs"] > 1:
        parts[0] += f" in {side['runs']} runs"
    if side["warmup"]:
        parts.append(f"{side['warmup']} of warm-up")
    if side["slow_epochs"]:
        lost = words.duration(side["slow_seconds"])
        parts.append(f"{side['slow_epochs']} slow, {lost} lost")
    return ", ".join(parts)


def _sides_table(comparison: Comparison, sides: list[Row]) -> Table:
    totals = {row["side"]: row for row in comparison.totals.rows(named=True)}
    count = next((row["epochs"] for row in totals.values()), 0)
    columns = [
        Column("Side", [label(side["side"]) for side in sides], left=True),
        Column("An epoch", [words.duration(side["epoch_seconds"]) for side in sides]),
        Column("95 % sure to", [_margin(side) for side in sides]),
        Column("A step", [words.duration(side["step_seconds"]) for side in sides]),
        Column("Epoch 1", [words.duration(side["first_seconds"]) for side in sides]),
        Column("Warm-up costs", [words.duration(side["overhead_seconds"]) for side in sides]),
    ]
    legend = [STEADY_RULE, "A step is an epoch over its steps, validation included."]
    if totals:
        cells = [_total(totals.get(side["side"])) for side in sides]
        columns.append(Column(f"All {count:,}", cells))
        legend.append(f"All {count:,}: total time of {words.count(count, 'epoch')}.")
    if any(not row["measured"] for row in totals.values()):
        legend.append("~: computed from warm-up and steady epochs, since the log has fewer.")
    return Table("Time", columns, legend=legend)


def _total(row: Row | None) -> str:
    if row is None:
        return "-"
    return (
        words.duration(row["seconds"]) if row["measured"] else f"~{words.duration(row['seconds'])}"
    )


def _margin(side: Row) -> str:
    low, high = side["epoch_low"], side["epoch_high"]
    return "not known" if low is None else f"±{words.duration(0.5 * (high - low))}"


def _ratios_table(comparison: Comparison) -> Table:
    rows = comparison.ratios.rows(named=True)
    many = any(row["quantity"] == "step" for row in rows)
    sides = [label(row["side"]) + (f", {row['quantity']}" if many else "") for row in rows]
    intervals = ["not known" if row["low"] is None else _ends(row) for row in rows]
    columns = [
        Column("Side", sides, left=True),
        Column("Time over A's", [f"{row['ratio']:.3f}" for row in rows]),
        Column("95 % sure", intervals),
        Column("Slower in", [_pairs(row) for row in rows]),
        Column("Hedges' g", [_effect(row["hedges_g"]) for row in rows]),
        Column("Verdict", [row["verdict"] for row in rows], left=True),
    ]
    legend = ["Slower in: how often one of its epochs (or runs) takes longer than one of A's."]
    return Table("Against A", columns, legend=legend)


def _ends(row: Row) -> str:
    high = f"{row['high']:.3f}" if row["high"] is not None else "any"
    return f"{row['low']:.3f} to {high}"


def _pairs(row: Row) -> str:
    if row["low"] is None:
        return "-"
    return f"{100 * row['slower_share']:.0f} % of pairs"


def _effect(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}" if abs(value) < 100 else f"{value:+.0f}"


def _metrics_table(comparison: Comparison, sides: list[Row], *, full: bool) -> Table:
    by: dict[tuple[str, str], dict[int, Row]] = {}
    for row in comparison.metrics.rows(named=True):
        by.setdefault((row["metric"], row["at"]), {})[row["side"]] = row
    names = list(dict.fromkeys(metric for metric, _ in by))
    shown = names if full else names[:METRICS]
    lines = []
    for name in shown:
        ats = [at for at in ("epoch", "step", "time") if (name, at) in by]
        # Of equal lengths, equal steps are equal epochs: said once.
        same = {"epoch", "step"} <= set(ats) and _epochs(by[name, "epoch"]) == _epochs(
            by[name, "step"]
        )
        lines += [(name, at, by[name, at]) for at in ats if not (at == "step" and same)]
    columns = [
        Column("Metric", [shorten(name, 32) for name, _, _ in lines], left=True),
        Column("At equal", [_place(at, rows) for _, at, rows in lines], left=True),
    ]
    for side in sides:
        cells = [_reached(rows.get(side["side"])) for _, _, rows in lines]
        columns.append(Column(label(side["side"]), cells))
    legend = ["In brackets: the epoch, where it is not the same on all sides."]
    if any(row["rebuilt"] for _, _, rows in lines for row in rows.values()):
        legend.append("*: the epoch's real mean; the printed one is wrong in this Keras.")
    if len(names) > len(shown):
        legend.append(f"{words.count(len(names) - len(shown), 'more metric')}; --full shows all.")
    return Table("Metrics", columns, keys=2, legend=legend)


def _epochs(rows: dict[int, Row]) -> list[int]:
    return [row["epoch"] for row in rows.values()]


def _place(at: str, rows: dict[int, Row]) -> str:
    place = next(iter(rows.values()))["place"]
    return words.duration(place) if at == "time" else f"{at} {place:,.0f}"


def _reached(row: Row | None) -> str:
    if row is None:
        return "-"
    text = words.shown(row["value"])
    if row["low"] is not None:
        text = words.estimate(row["value"], row["low"], row["high"])
    star = "*" if row["rebuilt"] else ""
    return f"{text}{star}" if row["at"] == "epoch" else f"{text}{star} [{row['epoch']}]"


def _notes(comparison: Comparison) -> list[str]:
    """Each note once, with the sides it is about."""
    by: dict[str, list[str]] = {}
    for row in comparison.notes.rows(named=True):
        by.setdefault(row["text"], []).extend([label(row["side"])] if row["side"] else [])
    return [
        f"{words.listing(sides)}: {visible(text)}" if sides else visible(text)
        for text, sides in by.items()
    ]


def _overtakes(comparison: Comparison, limit: int | None) -> list[str]:
    """Who leads from when on, where it does not lead from the start."""
    rows = [row for row in comparison.overtakes.rows(named=True) if row["epoch"] > 1]
    texts = []
    for row in rows[:limit]:
        text = (
            f"{label(row['side'])} starts slower than {label(row['other'])} and is ahead of it "
            f"in total time from the end of epoch {row['epoch']} on"
        )
        low, high = row["low"], row["high"]
        if low is None:
            text += ", if their epochs go on like this: there are too few to be sure"
        elif (low, high) != (row["epoch"], row["epoch"]):
            text += f" (95 % sure: from epoch {low} to {high})" if high else " (or perhaps never)"
        texts.append(f"{text}.")
    return texts
