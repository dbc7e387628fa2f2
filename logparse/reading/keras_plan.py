"""Scalars of a Keras training file in, its epochs out: which batches and end values each has.

Keras counts the batches of a fit on and on (step = batches so far) and writes ``epoch_*`` after
an epoch's last ``batch_*`` (TensorBoard callback of TF 2.0 to Keras 3.15). Where every batch is
there, that gives the epochs. With ``update_freq=N`` only multiples of N are there, Keras 3.15
leaves out most ``epoch_*``, and damage leaves holes; then an end is known to lie in a range, and
all ranges together often leave one length of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import gcd, nan

import numpy as np
from numpy.typing import NDArray

from logparse.errors import LimitError
from logparse.limits import METRIC_NAMES
from logparse.reading.records import Ints
from logparse.reading.tfevents import Scalars

BATCH, EPOCH, EVALUATION = "batch_", "epoch_", "evaluation_"
ITERATIONS = "_vs_iterations"
NOT_METRICS = ("steps_per_second",)
"""Rates that Keras writes beside the metrics; they are measured, not averaged."""

EPOCHS_MOST = 200_000
"""Epochs in one file; each is kept, with its values."""

FITS_MOST = 1000
"""Passes of the batch counter in one file."""

STEPS_MOST = 1 << 53
"""Batches and epochs that a counter may stand at; more is damage."""

_LAST_ROWS = 512
"""Values of one batch that are looked at."""

OTHER_KIND, BATCH_KIND, EPOCH_KIND, EVALUATION_KIND = 0, 1, 2, 3


@dataclass(slots=True)
class Closing:
    """The end of an epoch as written: its 0-based number and values, times and place."""

    epoch: int
    values: dict[str, float] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)
    wall_time: float = nan
    byte: int = 0
    row: int = 0
    """Place of its first value among the scalars of the file."""
    iterations: int = 0
    """Batches that the optimizer had done, 0 unknown."""
    evaluated: float = nan
    """When its validation ended."""
    shown: dict[str, float] = field(default_factory=dict)
    """What the last batch before it showed."""


@dataclass(slots=True)
class Fit:
    """One pass of the batch counter through a file."""

    first: int = 0
    """Step of the first batch written."""
    last: int = 0
    written: int = 0
    """Values of batches."""
    step: int = 0
    """Largest common divisor of the steps written: update_freq, as far as can be seen."""
    closings: list[Closing] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    """For each closing: last step before it, first step after it (0 while there is none)."""
    bytes: list[tuple[int, int]] = field(default_factory=list)
    """For each closing: offset of the last batch before it, of the first after it (0 for none)."""
    first_byte: int = 0
    last_byte: int = 0
    """Offsets of the first and the last batch."""
    doubtful: list[bool] = field(default_factory=list)
    """For each closing: damage hides batches beside it; see ``note_damage``."""
    headless: bool = False
    """Damage may hide its first batches."""
    holed: bool = False
    """Damage may hide closings before the first one."""
    tailless: bool = False
    """Damage may hide a closing after the last one."""


@dataclass(slots=True)
class Epoch:
    """One epoch of a fit: batches ``start + 1`` to ``end`` of the fit's counter."""

    number: int
    """From 1."""
    start: int | None
    """None where unknown: its batches cannot be placed."""
    end: int | None
    """None where unknown or not reached."""
    of: int
    """Batches of the whole epoch, 0 unknown."""
    closing: Closing | None
    last: int = 0
    """Greatest batch that surely belongs to it."""
    dropped: bool = False
    """A later fit did it again, and only that one is wanted."""


def kinds_of(tags: list[str]) -> tuple[NDArray[np.int8], list[str]]:
    """What each tag is in Keras's naming, and the name of its metric.

    Tags beyond ``METRIC_NAMES`` metrics stay in the table of scalars only.
    """
    kinds = np.zeros(len(tags), np.int8)
    names = list(tags)
    metrics: set[str] = set()
    for index, tag in enumerate(tags):
        if tag.startswith(EVALUATION) and tag.endswith(ITERATIONS):
            kinds[index] = EVALUATION_KIND
            names[index] = tag[len(EVALUATION) : -len(ITERATIONS)]
        for kind, prefix in ((BATCH_KIND, BATCH), (EPOCH_KIND, EPOCH)):
            name = tag.removeprefix(prefix)
            if name == tag or name in NOT_METRICS:
                continue
            metrics.add(name)
            if len(metrics) <= METRIC_NAMES:
                kinds[index], names[index] = kind, name
    return kinds, names


def counts(block: Scalars, kinds: NDArray[np.int8]) -> NDArray[np.bool_]:
    """[n] whether a step can be one: of a batch from 1 on, and no larger than can be counted."""
    least: NDArray[np.bool_] = block.step >= (kinds[block.tag] == BATCH_KIND)
    return least & (block.step <= STEPS_MOST)


class TooManyError(LimitError):
    """More fits or epochs than can be told apart in bounded memory."""


def read_closings(blocks: Iterable[Scalars], tags: list[str]) -> list[Fit]:
    """One pass over a file: its fits with their closings, in memory of one entry an epoch.

    Raises:
        TooManyError: after the whole pass, so that the account of the file is complete.
    """
    rest = iter(blocks)
    try:
        return _read_closings(rest, tags)
    except TooManyError:
        for _ in rest:
            pass
        raise


def _read_closings(blocks: Iterable[Scalars], tags: list[str]) -> list[Fit]:
    kinds, names = kinds_of(tags)
    fits: list[Fit] = []
    open_closing: Closing | None = None
    shown: dict[str, float] = {}
    count = 0
    iterations, evaluated = 0, nan
    for block in blocks:
        if len(kinds) < len(tags):
            kinds, names = kinds_of(tags)
        kind = np.where(counts(block, kinds), kinds[block.tag], OTHER_KIND)
        rows = np.flatnonzero(kind)
        batch = kind[rows] == BATCH_KIND
        done = 0
        for index in [*np.flatnonzero(~batch).tolist(), len(rows)]:
            if index > done:
                open_closing = None
                _count_batches(fits, block.step[rows[done:index]], block.byte[rows[done:index]])
                tail = rows[max(done, index - _LAST_ROWS) : index]
                last = tail[block.step[tail] == block.step[tail[-1]]]
                pairs = zip(block.tag[last].tolist(), block.value[last].tolist(), strict=True)
                shown = {names[tag]: value for tag, value in pairs}
            if index == len(rows):
                break
            done = index + 1
            row = int(rows[index])
            step = int(block.step[row])
            if kind[row] == EVALUATION_KIND:
                iterations, evaluated, open_closing = step, float(block.wall_time[row]), None
                continue
            name = names[block.tag[row]]
            if open_closing is None or open_closing.epoch != step or name in open_closing.values:
                open_closing = Closing(step, byte=int(block.byte[row]), row=block.first + row)
                open_closing.iterations, open_closing.evaluated = iterations, evaluated
                open_closing.shown, shown = shown, {}
                iterations, evaluated = 0, nan
                count += 1
                if count > EPOCHS_MOST:
                    raise TooManyError(
                        f"the events have more than {EPOCHS_MOST} epochs in one file"
                    )
                fit = fits[-1] if fits else _new_fit(fits)
                fit.closings.append(open_closing)
                fit.edges.append((fit.last, 0))
                fit.bytes.append((fit.last_byte, 0))
            open_closing.values[name] = float(block.value[row])
            open_closing.dtypes[name] = int(block.dtype[row])
            open_closing.wall_time = float(block.wall_time[row])
    return fits


def _new_fit(fits: list[Fit]) -> Fit:
    if len(fits) >= FITS_MOST:
        raise TooManyError(f"the events have more than {FITS_MOST} fits in one file")
    fits.append(Fit())
    return fits[-1]


def _count_batches(fits: list[Fit], steps: Ints, places: Ints) -> None:
    """Take in the steps of batches with no closing between them, and where they are."""
    cuts = np.flatnonzero(np.diff(steps) < 0) + 1
    pairs = zip(np.split(steps, cuts), np.split(places, cuts), strict=True)
    for index, (part, place) in enumerate(pairs):
        low, high = int(part[0]), int(part[-1])
        fit = fits[-1] if fits else _new_fit(fits)
        if index or low < fit.last:
            fit = _new_fit(fits)
        if not fit.first:
            fit.first = fit.step = low
            fit.first_byte = int(place[0])
        elif low > fit.last:
            fit.step = gcd(fit.step, low - fit.last)
        fit.step = gcd(fit.step, int(np.gcd.reduce(np.diff(part))) if len(part) > 1 else 0)
        fit.last, fit.last_byte = high, int(place[-1])
        fit.written += len(part)
        if fit.edges and not fit.edges[-1][1]:
            fit.edges[-1] = (fit.edges[-1][0], low)
            fit.bytes[-1] = (fit.bytes[-1][0], int(place[0]))


def note_damage(fits: list[Fit], damage: list[tuple[int, int]]) -> None:
    """Mark what cannot be trusted since records are missing at these places of the file.

    An end of an epoch is exact only if no batch beside it can be missing.
    """
    starts = np.array(sorted(start for start, _ in damage), np.int64)

    def hidden(begin: int, end: int | None) -> bool:
        first = int(np.searchsorted(starts, begin))
        return first < len(starts) and (end is None or int(starts[first]) < end)

    before = 0
    for index, fit in enumerate(fits):
        end = fits[index + 1].first_byte if index + 1 < len(fits) else None
        fit.doubtful = [hidden(low, high or end) for low, high in fit.bytes]
        fit.headless = hidden(before, fit.first_byte)
        if fit.closings:
            fit.holed = hidden(before, fit.closings[0].byte)
        fit.tailless = hidden(fit.closings[-1].byte if fit.closings else fit.first_byte, end)
        before = fit.last_byte


def epochs_of(fit: Fit, ended: int) -> list[Epoch]:
    """The epochs of a fit. ``ended`` is where the batch counter stood before it, 0 if unknown.

    An end that the file does not settle is None, and so is the start that depends on it.
    """
    closings = fit.closings
    if not fit.last:
        return [_bare(c, closings[i - 1] if i else None) for i, c in enumerate(closings)]
    start = _start(fit, ended)
    if not closings:
        # With every batch there, the epoch is under way; else its end may have been left out.
        sure = fit.step <= 1 and not fit.tailless
        return [Epoch(1, start if sure else None, None, 0, None, fit.last)]
    numbers = [closing.epoch for closing in closings]
    if any(b - a != 1 for a, b in pairwise(numbers)):
        return _filled(fit)
    ranges = [_range(fit, index) for index in range(len(closings))]
    sparse = fit.step > 1 or fit.tailless or any(fit.doubtful)
    # Earlier epochs may have been left out, unless the first is there.
    trusted = not (sparse or fit.headless or fit.holed) or numbers[0] == 0
    length = _length(fit, start if trusted else None, ranges)
    if not trusted:
        low, high = ranges[0]
        if length is None or start is None:
            start = None
        elif not low <= start + length <= high:
            return _filled(fit)
    return _placed(fit, start, length, ranges, sparse=sparse)


def _placed(
    fit: Fit, start: int | None, length: int | None, ranges: list[tuple[int, int]], *, sparse: bool
) -> list[Epoch]:
    """Epochs whose closings are all there; ends that are not exact follow from ``length``."""
    epochs: list[Epoch] = []
    before = start
    for index, (closing, (low, high)) in enumerate(zip(fit.closings, ranges, strict=True)):
        end: int | None = low if low == high else None
        if end is None and length and start is not None:
            end = start + length * (index + 1)
            end = end if low <= end <= high else None
        if end is not None and before is not None and end < before:
            end = None  # its values came before its batches
        of = end - before if end is not None and before is not None else 0
        epochs.append(Epoch(closing.epoch + 1, before, end, of, closing, end or low))
        before = end
    number = epochs[-1].number + 1
    hidden = (fit.last - (before or 0)) // (length or 1)
    while (
        sparse
        and length
        and hidden <= _MOST_HIDDEN * fit.written
        and before is not None
        and fit.last > before + length
    ):
        epochs.append(Epoch(number, before, before + length, length, None, before + length))
        before, number = before + length, number + 1
    if fit.tailless and not length:
        before = None  # more than one epoch may follow
    if fit.last > (ranges[-1][1] if before is None else before):
        epochs.append(Epoch(number, before, None, length or 0, None, fit.last))
    return epochs


def batch_values(fits: list[Fit]) -> list[str]:
    """Metrics whose ``batch_*`` is not the running mean but the batch's own value.

    At the last batch a running mean is the epoch's value. Callbacks before TF 2.2 write the
    batch's own loss. Only epochs whose last batch is there can tell.
    """
    away: dict[str, list[bool]] = {}
    for closing in (c for fit in fits if fit.step <= 1 for c in fit.closings):
        for name in closing.shown.keys() & closing.values.keys():
            shown, value = closing.shown[name], closing.values[name]
            same = abs(shown - value) <= _CLOSE * abs(value) or shown != shown
            away.setdefault(name, []).append(not same)
    return sorted(name for name, votes in away.items() if 2 * sum(votes) > len(votes))


_CLOSE = 1e-4
"""A running mean may differ from the epoch's value by its rounding; a batch is far off."""


def _bare(closing: Closing, before: Closing | None) -> Epoch:
    """An epoch without batch events: its length only from the optimizer's counter."""
    steps = closing.iterations
    if before is not None:
        steps = steps - before.iterations if before.iterations and steps else 0
    elif closing.epoch:
        steps = 0
    return Epoch(closing.epoch + 1, None, None, max(steps, 0), closing)


def _start(fit: Fit, ended: int) -> int | None:
    """Where the counter stood before the fit: below the first batch, by less than update_freq."""
    step = max(fit.step, 1)
    low = fit.first - step
    if low <= 0:
        return 0
    if fit.headless:
        return None if ended else 0
    if low <= ended < fit.first:
        return ended
    return low if step == 1 else None


def _range(fit: Fit, index: int) -> tuple[int, int]:
    """The least and the greatest batch at which the epoch of a closing can have ended."""
    low, high = fit.edges[index]
    step = max(fit.step, 1)
    if fit.doubtful and fit.doubtful[index]:
        return low, (high - 1 if high else STEPS_MOST)
    return low, (high - 1 if high else low + step - 1)


def _length(fit: Fit, start: int | None, ranges: list[tuple[int, int]]) -> int | None:
    """Batches of an epoch, if all of the fit's epochs have one length and it can be told."""
    closings = fit.closings
    counted = [c.iterations for c in closings]
    if len(counted) > 1 and all(counted):
        lengths = {(b.iterations - a.iterations, b.epoch - a.epoch) for a, b in pairwise(closings)}
        if len(lengths) == 1 and next(iter(lengths))[1] == 1:
            return next(iter(lengths))[0]
    exact = [(c.epoch, low) for c, (low, high) in zip(closings, ranges, strict=True) if low == high]
    if start is not None:
        exact.insert(0, (closings[0].epoch - 1, start))
    if not exact:
        return None
    epoch0, end0 = exact[0]
    least, most = 1, max(ranges[-1][1], 1)
    for closing, (low, high) in zip(closings, ranges, strict=True):
        epochs = closing.epoch - epoch0
        if epochs > 0:
            least = max(least, -(-(low - end0) // epochs))
            most = min(most, (high - end0) // epochs)
    return least if least == most else None


_MOST_HIDDEN = 100
"""Epochs for one batch that is there; more is no training but a damaged counter."""


def _filled(fit: Fit) -> list[Epoch]:
    """Epochs of which some closings were left out (Keras 3.15 with update_freq=N).

    It leaves them out unless the counter stands at a multiple of N, so the closings that are
    there stand exactly at the last batch before them.
    """
    closings = {closing.epoch: closing for closing in fit.closings}
    doubtful = fit.doubtful or [False] * len(fit.closings)
    ends = {
        closing.epoch: low
        for closing, (low, _), unsure in zip(fit.closings, fit.edges, doubtful, strict=True)
        if not unsure
    }
    known = sorted(ends)
    spans = {(ends[b] - ends[a]) / (b - a) for a, b in pairwise(known)}
    size = next(iter(spans), 0.0)
    if len(spans) != 1 or size != int(size) or size < 1:
        return [Epoch(epoch + 1, None, None, 0, closings[epoch]) for epoch in sorted(closings)]
    length = int(size)
    origin = ends[known[0]] - length * (known[0] + 1)
    first = max(0, (fit.first - 1 - origin) // length)
    if (fit.last - origin) // length - first > _MOST_HIDDEN * (fit.written + len(known)):
        return [Epoch(epoch + 1, None, None, 0, closings[epoch]) for epoch in sorted(closings)]
    epochs = []
    for epoch in range(first, max(-(-(fit.last - origin) // length), known[-1] + 1)):
        start = origin + length * epoch
        end = start + length if epoch in closings or start + length <= fit.last else None
        closing = closings.get(epoch)
        epochs.append(Epoch(epoch + 1, start, end, length, closing, start + length))
    return epochs
