"""Tables to findings about learning: LP301."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from logparse.findings.registry import Finding, Tables, rule


@rule(
    "LP301",
    "not finite",
    severity="error",
    summary=(
        "A metric became nan (not a number) or infinite. Every weight that such a loss updates "
        "is lost: nothing after it is training."
    ),
    computed=(
        "The first value shown in an epoch, or its last line, is nan or inf. Shown values are "
        "running averages, so one such batch makes all later ones of its epoch so."
    ),
    wrong_when="A metric other than the loss is undefined for some batches by design.",
    advice=(
        "Lower the learning rate, clip gradients (clipnorm=1.0), look for nan and zeros to divide "
        "by in the data. keras.callbacks.TerminateOnNaN stops such a training at once."
    ),
    source="keras-team/keras 6921; IEEE 754: a sum with one nan is nan.",
)
def not_finite(tables: Tables) -> Iterable[Finding]:
    """One finding for each run and metric: where it began."""
    odd = tables.metrics.filter(
        (~pl.col("shown").is_finite()).fill_null(False)
        | (~pl.col("first").is_finite()).fill_null(False)
    )
    lines = tables.epochs.select("run", "epoch", "first_line")
    counted = odd.group_by("run", "metric", maintain_order=True).agg(
        pl.len(), pl.col("epoch").first(), pl.col("first").first(), pl.col("shown").first()
    )
    for row in counted.join(lines, on=["run", "epoch"], how="left").iter_rows(named=True):
        at_once = row["first"] is not None and not abs(row["first"]) < float("inf")
        value = row["first"] if at_once else row["shown"]
        when = "from its first update on" if at_once else "by its end"
        more = f", and in {row['len'] - 1} later one" if row["len"] > 1 else ""
        yield Finding(
            "LP301",
            "error",
            f"{row['metric']} is {value} in epoch {row['epoch']}, {when}"
            f"{more}{'s' if row['len'] > 2 else ''}. What the network does after that is no "
            "training.",
            "Lower the learning rate, clip gradients (clipnorm=1.0), and look for nan or zeros to "
            "divide by in the data.",
            run=row["run"],
            epoch=row["epoch"],
            metric=row["metric"],
            line=row["first_line"],
            n=row["len"],
        )
