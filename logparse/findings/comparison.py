"""The tables of a comparison -> findings: LP501 slower than the baseline, LP502 cannot be told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from logparse.comparison.constants import DRIFTING, FEWEST, INDEPENDENT, MOST_MORE, SAME
from logparse.findings.registry import rule
from logparse.reports import words

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]

rule(
    "LP501",
    "slower than the baseline",
    severity="warning",
    summary="A steady epoch takes longer than one of the baseline, for sure.",
    computed=(
        "`logparse compare` takes the mean time of the steady epochs of each side (without "
        "warm-up and single slow epochs) and the ratio of the two with a 95 % interval. The "
        "interval of a mean is Student's, averaged over how much neighbouring epochs may "
        f"resemble each other: none has a chance of {100 * INDEPENDENT:.0f} % beforehand, "
        f"correlations of 0.9 to 0.98 {100 * DRIFTING:g} %, the rest is spread evenly over smaller "
        "ones, and how well each fits the epochs is the weight. Of several runs on a side, the "
        "runs' means are the values. The relative widths of both sides add in squares; what the "
        "rounding of the printed times can do is added in full. It fires where the whole interval "
        "is above the limit: 1, or 1.05 with --fail-if-slower 5%."
    ),
    wrong_when=(
        "One run a side tells nothing of how runs of one pipeline differ among each other: "
        "another machine, its temperature, its neighbours. Times that wander slowly fool a short "
        "run. The sides trained different models, "
        "batch sizes or numbers of steps. Of two equal pipelines, up to one in 40 is called "
        "slower than 1."
    ),
    advice=(
        "Repeat both on the same machine, several runs a side in turn, and compare the groups; "
        "then look at what changed between the two pipelines."
    ),
    source=(
        "Georges, Buytaert and Eeckhout, Statistically rigorous Java performance evaluation, "
        "OOPSLA 2007; Zou and Donner, Statistics in Medicine 27 (2008); how often it errs on "
        "made series is in docs/compare.md."
    ),
)(None)

rule(
    "LP502",
    "not enough epochs to tell",
    severity="info",
    summary="The logs cannot tell whether one side is slower than the other.",
    computed=(
        "The 95 % interval of the ratio (see LP501) holds the limit, or, without one, holds 1 "
        f"and reaches beyond {100 * (SAME - 1):.0f} % to either side. Below {FEWEST} steady epochs "
        "and with one run a side there is no interval at all. The epochs or runs still needed "
        "are those that would bring the interval clear of the limit if the ratio and the spread "
        f"stayed as they are; it says so where {MOST_MORE:,} more would not do."
    ),
    wrong_when=(
        "The number that would settle it is an estimate from few epochs, easily off by a factor of "
        "two: on made series 39 to 100 % of comparisons, most often three in four, were settled "
        "once so many epochs had come."
    ),
    advice="Train more epochs on both sides, or several runs, and compare again.",
    source="Georges, Buytaert and Eeckhout, OOPSLA 2007; docs/compare.md.",
)(None)


def comparison_findings(tables: dict[str, pl.DataFrame], *, judged: str = "epoch") -> list[Row]:
    """Rows of the table ``findings`` of a comparison, sides in order.

    Args:
        tables: the other tables of the comparison.
        judged: the quantity to judge, where a side has both.
    """
    rows_of_sides = tables["sides"].rows(named=True)
    short = short_names([row["name"] for row in rows_of_sides])
    sides = {
        row["side"]: row | {"name": name} for row, name in zip(rows_of_sides, short, strict=True)
    }
    ratios: dict[int, list[Row]] = {}
    for row in tables["ratios"].rows(named=True):
        ratios.setdefault(row["side"], []).append(row)
    found: list[Row] = []
    for number in ratios:
        rows = ratios[number]
        row = next((row for row in rows if row["quantity"] == judged), rows[0])
        found += _judge(row, sides[number], sides[1])
    return found


def _judge(row: Row, side: Row, base: Row) -> Iterator[Row]:
    if row["verdict"] not in ("slower", "unsure"):
        return
    slower = row["verdict"] == "slower"
    yield {
        "side": row["side"],
        "code": "LP501" if slower else "LP502",
        "severity": "warning" if slower else "info",
        "message": _slower(row, side, base) if slower else _unsure(row, side, base),
        "value": row["ratio"],
        "baseline": 1.0,
        "threshold": row["limit"],
        "n": min(row["n"], row["n_baseline"]),
        "advice": _advice_slower(side, base) if slower else _advice_unsure(row, side, base),
    }


def _slower(row: Row, side: Row, base: Row) -> str:
    limit = row["limit"]
    text = (
        f"{side['name']} is {percent(row['ratio'])} slower than {base['name']}: "
        f"{_times(row, side)} instead of {_times(row, base)} a steady {row['quantity']} "
        f"(95 % sure: {span(row)})"
    )
    return f"{text}, and {percent(limit)} is allowed." if limit > 1 else f"{text}."


def _unsure(row: Row, side: Row, base: Row) -> str:
    ratio, unit = row["ratio"], row["quantity"]
    change = (
        "as fast as"
        if abs(ratio - 1) < 5e-4
        else (f"{percent(ratio)} {'slower' if ratio > 1 else 'faster'} than")
    )
    text = (
        f"{side['name']} looks {change} {base['name']} ({_times(row, side)} against "
        f"{_times(row, base)} {'an' if unit == 'epoch' else 'a'} {unit})"
    )
    if row["low"] is None:
        counts = f"{_count(side)} on its side and {_count(base)} on the baseline's"
        return f"{text}, but {counts} cannot settle it: nothing tells how much epochs differ."
    allowed = percent(row["limit"])
    question = f"is more than {allowed} slower" if row["limit"] > 1 else "really is"
    return f"{text}, but the logs cannot tell whether it {question}: 95 % sure is only {span(row)}."


def _advice_unsure(row: Row, side: Row, base: Row) -> str:
    grouped = max(side["runs"], base["runs"]) > 1
    unit = "run" if grouped else "epoch"
    if row["more"] is not None:
        more = words.count(row["more"], f"more {unit}", f"more {unit}s")
        return f"About {more} on each side would settle it."
    if row["low"] is None:
        return (
            f"Train at least {FEWEST + 1} epochs on each side: the first one warms up, and "
            f"{FEWEST} are the fewest that tell how much epochs differ."
        )
    return (
        f"Not even {MOST_MORE:,} more {unit}s would settle it: the two are too close to the limit "
        "for this spread, or the printed times are too coarse. Take the difference for none, or "
        "make epochs longer."
    )


def _advice_slower(side: Row, base: Row) -> str:
    if side["runs"] > 1 and base["runs"] > 1:
        return "Look at what changed between the two: the input pipeline, the model, the machine."
    return (
        "One run a side says nothing of how runs differ: repeat both on the same machine, several "
        "runs a side, and compare the groups."
    )


def _count(side: Row) -> str:
    n = side["epochs"]
    return "one epoch" if n == 1 else words.count(n, "steady epoch")


def _times(row: Row, side: Row) -> str:
    value = side["epoch_seconds"] if row["quantity"] == "epoch" else side["step_seconds"]
    return words.duration(value)


def short_names(names: list[str]) -> list[str]:
    """The names without the folders that all of them share.

    >>> short_names(["runs/a/train.log", "runs/b/train.log"])
    ['a/train.log', 'b/train.log']
    """
    parts = [name.replace(os.sep, "/").split("/") for name in names]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    return ["/".join(part[shared:]) for part in parts]


def percent(ratio: float) -> str:
    """``27 %`` for 1.27 as well as for 0.73; ``5.2 times`` is left to the reader."""
    value = 100 * abs(ratio - 1)
    return f"{value:.1f} %" if value < 9.95 else f"{value:,.0f} %"


def signed(ratio: float) -> str:
    """``+27 %`` for 1.27."""
    return f"{'-' if ratio < 1 else '+'}{percent(ratio)}"


def span(row: Row) -> str:
    """``+24 % to +30 %``, the interval of a row of ``ratios``."""
    if row["high"] is None:
        return f"{signed(row['low'])} or more"
    return f"{signed(row['low'])} to {signed(row['high'])}"
