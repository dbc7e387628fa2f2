"""Tables to findings about the reading itself: LP001 to LP003, LP005, LP007."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from logparse.findings.registry import Finding, Tables, rows_of, rule
from logparse.limits import REJECTS_KEPT


def _s(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


@rule(
    "LP001",
    "lines not understood",
    severity="warning",
    summary=(
        "Some text looks like a piece of Keras output, such as a progress line that was cut, and "
        "could not be read. Everything else was read; the numbers in those pieces are missing."
    ),
    computed=(
        "Text is rejected when it contains a counter with the beginning of a bar, a time left, a "
        "time a step or a loss, but not a whole progress line. Each piece is in the table "
        "`rejects` with its line, offsets and kind. Fires when there is at least one."
    ),
    wrong_when=(
        "A program prints its own bar that resembles the one of Keras: then nothing is missing."
    ),
    advice=(
        "Look at the lines named. If they are whole progress lines, please report the form as an "
        "issue: `logparse export LOG --table rejects -o rejects.csv`."
    ),
    source="keras-team/keras, Progbar of 0.1 to 3.15: every form it prints is known.",
)
def lines_not_understood(tables: Tables) -> Iterable[Finding]:
    """One finding, however many pieces there are."""
    if tables.rejects.is_empty():
        return
    rejects = tables.rejects.filter(pl.col("line").is_not_null())
    if rejects.is_empty():
        return
    kinds = rejects.group_by("kind").len().sort("len", descending=True)
    named = ", ".join(f"{_s(n, kind)}" for kind, n in kinds.iter_rows())
    lines = rejects["line"].unique().sort()
    where = ", ".join(map(str, lines.head(5).to_list())) + (", ..." if len(lines) > 5 else "")
    yield Finding(
        "LP001",
        "warning",
        f"{_s(rejects.height, 'piece')} of text on {_s(len(lines), 'line')} "
        f"({where}) could not be read: {named}. The rest of the log is not affected.",
        "Look at these lines; `logparse export LOG --table rejects` lists them all.",
        line=int(lines[0]),
        value=float(rejects.height),
        threshold=1.0,
        n=rejects.height,
    )


@rule(
    "LP002",
    "log ends inside an epoch",
    severity="warning",
    summary=(
        "The last epoch of a run has no end: the training was stopped, is still running, or the "
        "log was cut. Its numbers are running averages of an unfinished epoch."
    ),
    computed=(
        "The last epoch of the run is not complete. An epoch is complete when its last line, the "
        "one with the elapsed time, is in the log; of TensorBoard events, its `epoch_` values."
    ),
    wrong_when=(
        "A copy of a Keras 3 log lost its very last line break: its last two lines then look alike."
    ),
    advice="If the training should have ended, look for an error where the log ends.",
    source="keras-team/keras, Progbar.update: only the last line of an epoch shows elapsed time.",
)
def ends_inside_an_epoch(tables: Tables) -> Iterable[Finding]:
    """One finding for each run that ends so."""
    last: dict[int, tuple[int, int, bool]] = {}
    for i, (run, epoch, complete) in enumerate(rows_of(tables.epochs, "run", "epoch", "complete")):
        last[run] = max(last.get(run, (0, 0, True)), (epoch, i, complete))
    for at in (i for _, (_, i, complete) in sorted(last.items()) if complete is False):
        row = tables.epochs.row(at, named=True)
        of = f" of {row['of']:,}" if row["of"] else ""
        other = row["label"] and row["label"] != str(row["epoch"])
        label = f" (Epoch {row['label']})" if other else ""
        done = f"after step {row['steps']:,}{of}" if row["steps"] else "before its first update"
        yield Finding(
            "LP002",
            "warning",
            f"Epoch {row['epoch']}{label} is not complete: the log ends {done}. "
            "What it shows are averages of an unfinished epoch.",
            "If the training should have ended, look for an error where the log ends; "
            "if it still runs, read the log again later.",
            run=row["run"],
            epoch=row["epoch"],
            line=row["last_line"],
            value=float(row["steps"]),
            baseline=float(row["of"]) if row["of"] else None,
        )


@rule(
    "LP003",
    "interleaved workers",
    severity="info",
    summary=(
        "The log holds the output of several workers that trained at the same time. Each is "
        "followed on its own, as a run of its own."
    ),
    computed=(
        "Lines carry the marks of two workers or more, such as [1,0]<stdout>:, and both trained; "
        "or two runs overlap: one begins before the other ends."
    ),
    wrong_when="Two separate trainings were written into one file at the same time on purpose.",
    advice=(
        "Let one worker print only (`verbose=1 if rank == 0 else 0`): the metrics of the others "
        "are those of their share of the data."
    ),
    source="horovod/horovod issues 1142 and 2500; keras-team/keras Progbar has no lock.",
)
def interleaved_workers(tables: Tables) -> Iterable[Finding]:
    """One finding that counts the workers."""
    if tables.runs.height < 2:
        return
    runs = tables.runs.sort("first_line")
    before = pl.col("last_line").cum_max().shift(1)
    overlapping = runs.filter(pl.col("first_line") < before)
    marks = [mark for mark in runs["channel"].unique(maintain_order=True).to_list() if mark]
    if overlapping.is_empty() and len(marks) < 2:
        return
    named = f", marked {', '.join(marks[:4])}{', ...' if len(marks) > 4 else ''}" if marks else ""
    count = len(marks) if marks else overlapping.height + 1
    yield Finding(
        "LP003",
        "info",
        f"{_s(count, 'worker')} wrote into this log at the same time{named}. "
        "Each is shown as a run of its own.",
        "Let only one worker print: verbose=1 if rank == 0 else 0.",
        line=int(runs["first_line"][1]),
        value=float(count),
        threshold=2.0,
        n=runs.height,
    )


@rule(
    "LP005",
    "damaged records",
    severity="warning",
    summary=(
        "Some records of a TensorBoard event file do not fit their checksums, or are no events. "
        "They were left out; every other record was read, also those behind them."
    ),
    computed=(
        "Each record has a checksum of its length and one of its content, and both are checked. A "
        "damaged content costs that record; a damaged length costs what follows up to the next "
        "header whose checksum fits. Each place is in the table `rejects` with its file, offsets "
        "and kind. Fires when there is at least one. A last record that is not complete yet is no "
        "damage: it is a message, and its bytes are pending."
    ),
    wrong_when=(
        "The file was written by two processes at once: then what is left out may be whole in one "
        "of them. Damage that leaves no trace, such as a whole block of records that is missing, "
        "is not seen."
    ),
    advice=(
        "Copy the file again if it was copied; if the original is damaged, look at the disk. "
        "`logparse export PATH --table rejects -o rejects.csv` lists the places."
    ),
    source="TFRecord format, tensorflow/core/lib/io/record_writer.h; CRC-32C of both parts.",
)
def damaged_records(tables: Tables) -> Iterable[Finding]:
    """One finding, however many places there are."""
    if tables.rejects.is_empty():
        return
    rejects = tables.rejects.filter(pl.col("line").is_null())
    if rejects.is_empty():
        return
    kinds = rejects.group_by("kind", maintain_order=True).len().sort("len", descending=True)
    named = ", ".join(f"{kind} ({n:,})" for kind, n in kinds.iter_rows())
    first = rejects.row(0, named=True)
    lost = int((rejects["end"] - rejects["start"]).sum())
    all_kept = rejects.height < REJECTS_KEPT
    size = f"{_s(lost, 'byte')} in all" if all_kept else f"the first of them {_s(lost, 'byte')}"
    rest = (
        "All other records were read."
        if all_kept
        else "No more places are kept; the account of the bytes holds them all."
    )
    files = rejects["file"].n_unique()
    where = f"{first['file']}, byte {first['start']:,}" if first["file"] else "a file"
    yield Finding(
        "LP005",
        "warning",
        f"{'' if all_kept else 'At least '}{_s(rejects.height, 'place')} in "
        f"{_s(files, 'event file')} {'is' if rejects.height == 1 else 'are'} damaged and left "
        f"out, {size}: {named}. The first is at {where}. {rest}",
        "Copy the file again if it was copied; `logparse export PATH --table rejects` lists the "
        "places.",
        value=float(lost),
        threshold=1.0,
        n=rejects.height,
    )


@rule(
    "LP007",
    "text and events disagree",
    severity="error",
    summary=(
        "A text and TensorBoard events were given together, and what the one says contradicts the "
        "other: a metric's mean over an epoch, or the number of its steps. They may be of two "
        "trainings, or one of them was changed."
    ),
    computed=(
        "Epochs are matched by their place where both have the same number of them, else by their "
        "number. Each metric's mean over an epoch is known from the text and from the events "
        "within bounds: hard ones, or five deviations where the text's law hides the mean. Where "
        "no value fits both, they disagree. The table `agreement` has all of them. One finding a "
        "metric; an error where most of what can be compared disagrees, else a warning."
    ),
    wrong_when=(
        "The law of the text was forced to the wrong one, or the epochs of the two are not matched "
        "rightly, as where the text holds only the end of the training."
    ),
    advice="See that both are of the same training; if they are, trust the events.",
    source="keras-team/keras, TensorBoard callback: it writes the logs that History holds.",
)
def text_and_events_disagree(tables: Tables) -> Iterable[Finding]:
    """One finding a metric, and one for the steps."""
    if tables.agreement is None or tables.agreement.is_empty():
        return
    bad = tables.agreement.filter(~pl.col("agrees"))
    most = 2 * bad.height > tables.agreement.height
    for (metric,), rows in bad.group_by("metric", maintain_order=True):
        first = rows.row(0, named=True)
        text = (first["text_low"] + first["text_high"]) / 2
        events = (first["events_low"] + first["events_high"]) / 2
        same = tables.agreement.filter(pl.col("metric").eq_missing(metric))
        what = f"the mean of {metric}" if metric else "the number of steps"
        share = f"in {rows.height:,} of {_s(same.height, 'epoch')}"
        yield Finding(
            "LP007",
            "error" if most else "warning",
            f"Text and events disagree on {what} {share}, as in epoch {first['epoch']}: "
            f"{text:.6g} in the text, {events:.6g} in the events, further apart than rounding "
            f"allows.{' Most numbers differ: they are hardly of one training.' if most else ''}",
            "See that both are of the same training; if they are, trust the events.",
            run=first["run"],
            epoch=first["epoch"],
            metric=str(metric) if metric else None,
            value=text,
            baseline=events,
            n=rows.height,
        )
