"""Closed epochs of one channel and their rows -> batches: columns, in steps, of one run each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import TIMES, Form, Ints, Updates
from logparse.training import clock_events
from logparse.training.buffer import Buffer
from logparse.training.epochs import Epochs, Written
from logparse.training.run import Batch, OpenEpoch, Run


def batches(buffer: Buffer, epochs: Sequence[OpenEpoch]) -> Iterator[Batch]:
    """The epochs in order, as many in a batch as are of one run and need no copy."""
    at = 0
    while at < len(epochs):
        begin = epochs[at].rows[0][0]
        stop = at + 1
        while (
            stop < len(epochs)
            and epochs[stop].run is epochs[at].run
            and buffer.together(begin, epochs[stop].rows[-1][1] - 1)
        ):
            stop += 1
        yield _batch(buffer, epochs[at:stop])
        at = stop


def _batch(buffer: Buffer, epochs: Sequence[OpenEpoch]) -> Batch:
    """Closed epochs of one run as columns."""
    run = epochs[0].run
    part = buffer.rows([span for epoch in epochs for span in epoch.rows])
    sizes = np.array([sum(b - a for a, b in epoch.rows) for epoch in epochs])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    final = np.zeros(len(part), np.bool_)
    finished = np.array([epoch.finished for epoch in epochs])
    final[starts[1:][finished] - 1] = True
    _settle_form(run, part, final, sizes)
    heavy = final & (part.form == Form.HEAVY)
    # On Keras 3's last line the time is the elapsed one, elsewhere the time left.
    if heavy.any():
        elapsed, part.eta = part.elapsed.copy(), part.eta.copy()
        elapsed[heavy], part.eta[heavy] = part.eta[heavy], np.nan
        part.elapsed = elapsed
    if run.counts is None:
        settle_units(run, part, int(starts[1]), epochs[0].total)
    total = np.array([epoch.total for epoch in epochs], np.int64)
    size = run.batch_size if run.counts == "samples" and run.batch_size else 1
    seen, quiet = part.step, part.form >= Form.QUIET
    if quiet.any():
        seen = np.where(quiet, np.repeat(total, sizes), seen)
    of = -(-total // size)
    _steps_per_epoch(run, of)
    if run.started is None and len(clock := part.clock[~np.isnan(part.clock)]):
        run.started = float(clock[0])
    columns = Epochs(
        starts=starts.astype(np.int64),
        epoch=np.array([epoch.number for epoch in epochs], np.int64),
        of=of,
        total=total,
        complete=finished,
        step=-(-seen // size) if size > 1 else seen,
        seen=seen,
        final=final,
        form=part.form,
        values=part.values,
        decimals=part.decimals,
        **{name: getattr(part, name) for name in TIMES},
        written=_written(epochs),
    )
    began = np.array([e.began for e in epochs], np.float64)
    return Batch(
        run,
        columns,
        [e.label for e in epochs],
        [e.line for e in epochs],
        [e.last_line for e in epochs],
        part.line,
        part.byte,
        clock_events.began(columns) if columns.written else began,
    )


def _written(epochs: Sequence[OpenEpoch]) -> Written | None:
    """What the headers of event files say."""
    told = [epoch.told for epoch in epochs]
    if "batch_values" not in told[0]:
        return None
    return Written(
        after=np.array([one.get("after") for one in told], np.float64),
        first=np.array([one.get("first", False) for one in told], np.bool_),
        evaluated=np.array([one.get("evaluated") for one in told], np.float64),
        batch_values=frozenset(name for one in told for name in one.get("batch_values", ())),
    )


def _settle_form(run: Run, part: Updates, final: NDArray[np.bool_], sizes: Ints) -> None:
    """Give lines with a time left the form of their epoch's last line: alone they show none."""
    open_form = (part.form == Form.BAR) & ~part.last
    last = np.cumsum(sizes) - 1
    own = np.where(final[last], part.form[last], -1)
    # An epoch without a last line is like the one before it, or of the later, wider era.
    before = np.maximum.accumulate(np.where(own >= 0, np.arange(len(own)), -1))
    known = np.where(before >= 0, own[before], run.form or Form.BAR_STEP)
    np.copyto(part.form, np.repeat(known.astype(np.int8), sizes), where=open_form)
    # Also where only last lines were shown: the next batch of epochs may need it.
    run.form = int(known[-1])


def _steps_per_epoch(run: Run, of: Ints) -> None:
    known = of[of > 0]
    if not len(known) or run.steps_change:
        return
    run.steps_change = bool((known != (run.steps_per_epoch or known[0])).any())
    run.steps_per_epoch = None if run.steps_change else int(known[0])


def settle_units(run: Run, rows: Updates, first: int, total: int) -> None:
    """Whether the run's bars count samples or steps, and its batch size.

    Judged by its first epoch, the rows before ``first`` with the target ``total``, and by
    ``Train on N samples``. Without that line, bars of Keras up to 2.3.1 count samples where all
    counts are multiples of a batch.
    """
    told = run.train_on.data if run.train_on else {}
    form = rows.form[:first]
    run.unknown_length = bool((rows.of[:first] == 0)[~rows.last[:first]].any())
    shown = np.sort(rows.step[:first][~rows.last[:first] & (rows.step[:first] > 0)])
    counts = shown[np.diff(shown, prepend=0) > 0]
    counts = counts[counts < rows.of[:first].max(initial=0)]
    unit = int(np.gcd.reduce(counts)) if len(counts) else 0
    # The first update of an epoch is always drawn, so its count is one batch; where the head of
    # the epoch is missing, two counts as close as the common divisor are one batch apart.
    near = len(counts) > 2 and unit == np.diff(counts).min()
    sure = len(counts) > 1 and unit > 1 and (counts[0] == unit or near)
    run.samples = told.get("samples")
    by_steps = np.isin(form, (Form.HEAVY, Form.QUIET_STEP)).any() or told.get("steps")
    if by_steps or (len(counts) and (form == Form.EVENTS).all()):
        run.counts = "steps"
    elif (form == Form.BAR_SAMPLE).any() or (run.samples and total == run.samples):
        run.counts = "samples"
    elif not len(counts) and not (form >= Form.QUIET).any():
        run.counts = "unknown"
    elif _waits_at_end(rows, first) or not sure:
        run.counts = "steps"
    else:
        run.counts = "samples"
    if run.counts == "samples":
        run.batch_size = run.batch_size or (unit if sure else None)
        run.samples = run.samples or total or None


def _waits_at_end(rows: Updates, first: int) -> bool:
    """Whether an update with a time left stands at N/N: TF 2.2 and later, which count steps."""
    return bool(((rows.step == rows.of) & ~np.isnan(rows.eta) & ~rows.last)[:first].any())
