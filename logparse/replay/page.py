"""Folders of replays and their scores in, an HTML page with shown, rebuilt and true out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logparse.replay.figures import time_sheet, truth_sheet
from logparse.replay.scores import HEAD, LEGEND, cells_of
from logparse.replay.scoring import Score
from logparse.replay.truth import (
    by_epoch,
    metrics_of,
    number_of_epochs,
    read_truth,
    true_mean,
)
from logparse.reports import words
from logparse.reports.epochs import Column, Table
from logparse.reports.sections import Chart, Section

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis

HOW = (
    "Grey dots: every batch as it really was, recorded beside the log while it trained; of more "
    "than 1,500, means of neighbours. Orange: the numbers that Keras printed. Thin blue: the "
    "batches as logparse rebuilds them from these, with the band that should hold the truth in 95 "
    "of 100 cases. Dark dots: where it says the network stood at either end of each epoch."
)

TIMES = (
    "Where the time of each epoch really went, as recorded. Waiting is for input; the first step "
    "also builds the graph; the rest is validation and callbacks."
)


def page(runs: Sequence[tuple[Path, Sequence[Score]]]) -> Iterator[str]:
    """The page: each run with its score, its metrics and its times.

    Args:
        runs: folders of finished runs, each with its scores.

    Raises:
        SourceError: a file is missing or damaged.
    """
    from logparse.analysis import analyze
    from logparse.reports.html import page_with

    def logs() -> Iterator[tuple[Analysis, list[str], list[Section], Table]]:
        for folder, scores in runs:
            meta, truth = read_truth(folder)
            analysis = analyze(folder / "train.log", sha256=False)
            sections = [_curves(analysis, truth), _times(folder, meta, truth)]
            yield analysis, [_verdict(scores)], sections, _table(scores)

    return page_with(logs())


def _verdict(scores: Sequence[Score]) -> str:
    """Whether logparse is right on a run, in a sentence."""
    bad = [score.source for score in scores if not score.good]
    if bad:
        return f"Not all that logparse says of the {words.listing(bad)} is as it should be."
    return "What logparse says of this run agrees with what really happened."


def _table(scores: Sequence[Score]) -> Table:
    """The score of a run, without its name."""
    cells = zip(*(cells_of(score)[1:] for score in scores), strict=True)
    columns = [
        Column(head, list(cell), left=head in ("from", "law", "findings"))
        for head, cell in zip(HEAD[1:], cells, strict=True)
    ]
    return Table("Score", columns, legend=[LEGEND])


def _curves(analysis: Analysis, truth: pl.DataFrame) -> Section:
    held = set(analysis.metrics["metric"].to_list())
    charts = [
        Chart(
            name,
            f"Line chart of {name}: as shown, as rebuilt, and as it was. Its numbers are in the "
            "table below.",
            truth_sheet(analysis, truth, name),
            _means(analysis, truth, name),
        )
        for name in metrics_of(truth)
        if name in held
    ]
    return Section("truth", "Shown, rebuilt and true", HOW, charts)


def _means(analysis: Analysis, truth: pl.DataFrame, metric: str) -> Table:
    """Mean of each epoch: printed, by logparse, and true."""
    numbers, epochs = number_of_epochs(analysis), by_epoch(truth)
    rows = analysis.metrics.filter(analysis.metrics["metric"] == metric).rows(named=True)
    known = [(row, epochs.get(numbers[row["run"], row["epoch"]])) for row in rows]
    pairs = [(row, part) for row, part in known if part is not None]
    columns = [
        Column("Epoch", [str(row["epoch"]) for row, _ in pairs]),
        Column("printed", [words.shown(row["shown"]) for row, _ in pairs]),
        Column(
            "mean, by logparse",
            [words.estimate(row["mean"], row["mean_low"], row["mean_high"]) for row, _ in pairs],
        ),
        Column(
            "true mean", [f"{true_mean(part, metric, 1, part.height):.6g}" for _, part in pairs]
        ),
    ]
    return Table(f"{metric} of each epoch", columns)


def _times(folder: Path, meta: dict[str, Any], truth: pl.DataFrame) -> Section:
    epochs = by_epoch(truth)
    pairs = [(one, epochs[one["epoch"]]) for one in meta["epochs"] if one["epoch"] in epochs]
    columns = [
        Column("Epoch", [str(one["epoch"]) for one, _ in pairs]),
        Column("seconds", [f"{one['end'] - one['begin']:.3f}" for one, _ in pairs]),
        Column("waiting for input", [f"{part['wait'].sum():.3f}" for _, part in pairs]),
        Column("first step", [f"{part['end'][0] - part['start'][0]:.3f}" for _, part in pairs]),
    ]
    chart = Chart(
        "true time of each epoch",
        "Bar chart of the true time of each epoch. Its numbers are in the table below.",
        time_sheet([folder]),
        Table("True seconds of each epoch", columns),
    )
    return Section("true-time", "Time", TIMES, [chart])
