"""Times and ``model.summary()`` -> findings about the input: LP401, LP402, LP404.

A log shows times, not causes. What these rules can prove is in their messages; what they suspect
they call so, and name the experiment that would tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import polars as pl

from logparse.findings.durations import Series, all_series
from logparse.findings.first_epoch import STORAGE, SlowFirst, slow_firsts
from logparse.findings.model import samples_of
from logparse.findings.networks import arithmetic, networks
from logparse.findings.registry import Finding, Tables, first_lines, once, rule
from logparse.findings.thresholds import min_ratio, min_seconds
from logparse.findings.wording import count, duration, long_duration, rounded
from logparse.training.step_times import FEWEST_STEPS, OUTLYING, SLOW

FEWEST_STARTS = 3
"""Later epochs whose first step is known, below which LP401 does not judge it."""

SLOW_START = 5.0
"""A slow first step of a later epoch takes this many others'."""

START_SHARE = 0.05
"""And this share of the epoch, and a second."""

HEAVY = 1e8
"""Multiply-adds a sample from which a step is mostly arithmetic."""

GPU = 2e10
"""Multiply-adds a second that any GPU of the last ten years does many times over; a processor
core does about half."""

UNEVEN = 3.0
"""Ratio of the slowest tenth of the steps to the fastest from which they are uneven."""

JITTER = 0.2
"""Seconds by which other programs alone delay steps: a step of 19 ms took 165 on two cores that
had ten times as much to do, and waited for its data 1 ms (docs/time.md)."""

WORTH = 60.0
"""Seconds lost in epoch 1 below which a cache is not worth a finding."""

ALIKE = 0.1
"""Fraction by which the epochs after a cache is filled may differ."""

SOME_SLOW = 0.05
"""Share of slow steps from which they are a kind of step and not outliers."""

HALF_SLOW = 0.45
"""Share up to which they are the exception."""

APART = 0.2
"""Steps between the two kinds, as a share of the slow ones, up to which they are two kinds."""

_VALIDATE_ON = re.compile(r"validate on ([\d,]+)")

_LIKE = (
    "To confirm: `logparse replay like LOG` times the network of its model.summary() on data held "
    "in memory; what is faster there was lost to the input"
)
_PIPELINES = "To confirm: `logparse replay run pipelines` trains with and without such a cache"
_WORKERS = (
    "To confirm: `logparse replay run augmentation` trains with one worker, with four and with "
    "prefetching"
)


@rule(
    "LP401",
    "the input may be the limit, or no GPU is used",
    severity="warning",
    summary="The times fit a training that waits for its data, or does not use its GPU.",
    computed=(
        "Three signs, each on its own. (1) In later epochs, where the graph is compiled already, "
        f"the first step takes {SLOW_START:.0f} times as long as others and "
        f"{100 * START_SHARE:.0f} % of the epoch and a second: median of {FEWEST_STARTS} epochs or "
        "more. (2) The multiply-adds of the layers in model.summary() (once forward in frozen "
        "layers and in validation, three times in trained ones) over the time of an epoch give "
        f"less than {GPU / 1e9:.0f} billion a second, for networks of {HEAVY / 1e6:.0f} million a "
        f"sample and more. (3) In epochs after the first whose single steps are known "
        f"({FEWEST_STEPS} or more), the slowest tenth takes {UNEVEN:.0f} times as long as the "
        f"fastest and {JITTER:g} s more (other jobs on a busy machine delay steps by less), and "
        "LP404 does not explain it."
    ),
    wrong_when=(
        "(1) A callback at the start of an epoch. (2) The training ran on a processor on purpose; "
        "layers whose arithmetic is not parameters times places (recurrent, attention). (3) Other "
        "jobs on the machine, samples of different length: computing then varies, too. A log "
        "proves waiting only where the same steps were once faster."
    ),
    advice=(
        "Look at the GPU's load while it trains (nvidia-smi): low means waiting. Then prefetch, "
        "decode in parallel (num_parallel_calls), cache. To prove it, train one epoch on a single "
        "batch repeated: if that is faster, the input is the limit."
    ),
    source=(
        "TensorFlow Profiler, input-pipeline analyzer; Kuchnik et al., Plumber: Diagnosing and "
        "Removing Performance Bottlenecks in ML Data Pipelines, MLSys (2022)."
    ),
)
def input_is_the_limit(tables: Tables) -> Iterator[Finding]:
    """LP401."""
    for series in all_series(tables):
        yield from _slow_starts(series)
        yield from _little_arithmetic(tables, series)
    explained = {finding.run for finding in two_kinds_of_steps(tables)}
    yield from (one for one in _uneven(tables) if one.run not in explained)


def _slow_starts(series: Series) -> Iterator[Finding]:
    later = series.after_first()
    first, step, whole = (x[later] for x in (series.first_step, series.step, series.seconds))
    known = np.isfinite(first) & np.isfinite(step)
    if known.sum() < FEWEST_STARTS:
        return
    took, usual = float(np.median(first[known])), float(np.median(step[known]))
    epoch = float(np.median(whole[known]))
    limit = max(SLOW_START * usual, START_SHARE * epoch, 1.0)
    if took <= limit:
        return
    yield Finding(
        "LP401",
        "warning",
        f"Also in later epochs, when the graph is long compiled, the first step takes "
        f"{duration(took)} against {duration(usual)} of others: {100 * took / epoch:.0f} % of an "
        "epoch passes before training goes on. That is the input starting anew: workers, a "
        "shuffle buffer, files opened again.",
        "Make the data set once and repeat it, shrink the shuffle buffer, keep workers alive. "
        + _LIKE + ".",
        run=series.run,
        line=int(series.line[0]),
        value=took,
        baseline=usual,
        threshold=limit,
        n=int(known.sum()),
    )  # fmt: skip


def _little_arithmetic(tables: Tables, series: Series) -> Iterator[Finding]:
    network = networks(tables).get(series.run)
    samples = samples_of(tables, series.run)
    if network is None or samples is None:
        return
    whole, frozen = arithmetic(network.layers), arithmetic(network.frozen())
    if whole is None or frozen is None or whole < HEAVY:
        return
    work = samples * (3 * whole - 2 * frozen) + _validated(tables, series.run) * whole
    seconds = float(np.median(series.seconds))
    rate = work / seconds if seconds > 0 else np.inf
    if rate >= GPU:
        return
    yield Finding(
        "LP401",
        "warning",
        f"The network takes {rounded(whole)} multiply-adds a sample. At "
        f"{duration(seconds / samples)} a training sample that makes {rounded(rate)} a second, "
        "about what a processor core or two do; a GPU does hundreds of times as many. So no GPU "
        "was used, or it waited for its input nearly all the time.",
        "First see that a GPU is used at all: nvidia-smi while it trains, and the list of devices "
        "that the framework sees. If it is, the input is the limit. " + _LIKE + ".",
        run=series.run,
        line=network.line,
        value=rate,
        baseline=None,
        threshold=GPU,
        n=len(series.seconds),
    )


def _validated(tables: Tables, run: int) -> int:
    """Validation samples of a run, 0 where the log does not tell."""
    rows = tables.runs.filter(pl.col("run") == run)
    told = tables.messages.filter(
        (pl.col("kind") == "train on") & (pl.col("line") <= rows["first_line"][0])
    )
    found = _VALIDATE_ON.search(told["text"][-1]) if told.height else None
    return int(found[1].replace(",", "")) if found else 0


def known_steps(tables: Tables) -> Iterator[tuple[int, pl.DataFrame]]:
    """Step times of the epochs after the first, run by run."""
    for frame in tables.step_times.partition_by("run", maintain_order=True):
        run = int(frame["run"][0])
        first = tables.epochs.filter(pl.col("run") == run)["epoch"].min()
        later = frame.filter(pl.col("epoch") != first)
        if later.height:
            yield run, later


def _uneven(tables: Tables) -> Iterator[Finding]:
    for run, steps in known_steps(tables):
        low, high = float(steps["low"].median() or 0), float(steps["high"].median() or 0)  # type: ignore[arg-type]
        limit = max(UNEVEN * low, low + JITTER)
        if low <= 0 or high < limit:
            continue
        yield Finding(
            "LP401",
            "info",
            f"Steps take between {duration(low)} and {duration(high)} (a tenth less, a tenth "
            "more). Computing takes the same time in each step, so something else decides: "
            "suspect the input, then other jobs on the machine.",
            "Look at the GPU's load while it trains; prefetch, decode in parallel. " + _LIKE + ".",
            run=run,
            line=first_lines(tables).get((run, int(steps["epoch"][0]))),
            value=high,
            baseline=low,
            threshold=limit,
            n=int(steps["n"].sum()),
        )


@rule(
    "LP402",
    "a cache was filled in epoch 1",
    severity="info",
    summary="The steps of epoch 1 were slow throughout, those of all later epochs fast and alike.",
    computed=(
        f"The slow first epoch of LP202, where its steps were slow, not its first step alone; up "
        f"to {STORAGE:.0f} times the later ones, {WORTH:.0f} s lost or more, and the later epochs "
        f"alike to {100 * ALIKE:.0f} %. With F the time of epoch 1, S that of later ones and U "
        "that of an epoch without the cache, n epochs take F + (n - 1) S against n U: the cache "
        "pays from the first n above (F - S)/(U - S). U is not in this log, so the message tells "
        "how large U must be for the epochs shown."
    ),
    wrong_when=(
        "The system keeps files in memory after their first reading without any cache in the "
        "pipeline; data were downloaded or unpacked in epoch 1. The next start of the program "
        "tells: a file cache is there already, memory is empty again."
    ),
    advice=(
        "Compare with a run without the cache: `logparse compare WITHOUT WITH` names the epoch "
        "from which it pays. A cache in memory must fit; one in a file is there for the next run."
    ),
    source="tf.data guide, Better performance with the tf.data API: dataset.cache().",
    thresholds=(min_seconds(WORTH, "seconds that filling the cache took"),),
)
def filled_cache(tables: Tables) -> Iterator[Finding]:
    """LP402."""
    for first in slow_firsts(tables):
        series = first.series
        later = series.seconds[1:]
        alike = float(np.ptp(later)) <= ALIKE * first.baseline + 2 * float(np.median(series.half))
        slow_steps = first.part in ("whole", "steps") and first.seconds < STORAGE * first.baseline
        if not (slow_steps and alike and first.lost >= WORTH):
            continue
        n = len(series.seconds)
        yield Finding(
            "LP402",
            "info",
            f"The steps of epoch {series.epoch[0]} were slow throughout, those of the "
            f"{count(n - 1, 'later epoch')} fast and alike: so it looks when a cache is filled. It "
            f"cost {long_duration(first.lost)}, once. {_pays(first, n)}",
            "`logparse compare WITHOUT WITH` with a run without the cache tells from which epoch "
            "it pays. " + _PIPELINES + ".",
            run=series.run,
            epoch=int(series.epoch[0]),
            line=int(series.line[0]),
            value=first.seconds,
            baseline=first.baseline,
            threshold=first.limit,
            n=n,
        )


def _pays(first: SlowFirst, n: int) -> str:
    """From which epoch a cache pays, as far as one log tells."""
    enough = first.baseline + first.lost / n
    return (
        f"Over the {n} epochs here that pays if an epoch without the cache takes more than "
        f"{long_duration(enough)}; with U seconds for such an epoch it pays from the first epoch "
        f"above {first.lost:,.0f} / (U - {first.baseline:,.0f})."
    )


@rule(
    "LP404",
    "one slow worker or augmentation",
    severity="info",
    summary="Some steps take far longer than the rest, in step with a period or as a second kind.",
    computed=(
        f"In epochs after the first whose single steps are known ({FEWEST_STEPS} or more; at most "
        f"16 epochs of a run are looked at). Slow steps take {SLOW} times the median and "
        f"{OUTLYING:.0f} robust standard deviations more. Fires in runs where in half of these "
        "epochs or more every so many steps one is slow (four in five of them on the beat, four in "
        f"five of the beats slow), or {100 * SOME_SLOW:.0f} to {100 * HALF_SLOW:.0f} % are slow "
        f"with at most {100 * APART:.0f} % as many in the middle third between the two kinds, "
        f"which are {JITTER:g} s apart: less is what other jobs on a busy machine do."
    ),
    wrong_when=(
        "Something else runs every so many steps: a callback that writes, a log of summaries, a "
        "metric. Batches of two sizes or lengths take two times by nature."
    ),
    advice=(
        "A period equal to the number of workers is one slow worker: batches come from them in "
        "turn. Else time the augmentation of single samples, and look for large files."
    ),
    source="keras OrderedEnqueuer and tf.data interleave hand out batches in order.",
    thresholds=(min_ratio(SLOW, "times a usual step"),),
)
def slow_kind_of_step(tables: Tables) -> Iterator[Finding]:
    """LP404."""
    yield from two_kinds_of_steps(tables)


@once
def two_kinds_of_steps(tables: Tables) -> list[Finding]:
    """LP404, also for LP401, which is silent where this explains uneven steps."""
    found = []
    for run, steps in known_steps(tables):
        share = pl.col("slow") / pl.col("n")
        beat = steps.filter(pl.col("period") > 1)
        kinds = steps.filter(
            share.is_between(SOME_SLOW, HALF_SLOW)
            & (pl.col("between") <= APART * pl.col("slow"))
            & (pl.col("slow_median") - pl.col("median") >= JITTER)
        )
        if 2 * beat.height >= steps.height:
            found.append(_periodic(tables, run, beat))
        elif 2 * kinds.height >= steps.height:
            found.append(_two_kinds(tables, run, kinds))
    return found


def _periodic(tables: Tables, run: int, steps: pl.DataFrame) -> Finding:
    period = int(steps["period"].mode().min())  # type: ignore[arg-type]
    usual, slow = float(steps["median"].median()), float(steps["slow_median"].median())  # type: ignore[arg-type]
    return Finding(
        "LP404",
        "info",
        f"Every {period} steps one takes {duration(slow)} instead of {duration(usual)}. If "
        f"{period} workers load the data, one of them is slow: batches come from them in turn. "
        "Else something runs at that period.",
        "Look for what happens every "
        f"{period} steps: the number of workers, a callback, a log of summaries. {_WORKERS}.",
        run=run,
        line=first_lines(tables).get((run, int(steps["epoch"][0]))),
        value=slow,
        baseline=usual,
        threshold=SLOW * usual,
        n=int(steps["n"].sum()),
    )


def _two_kinds(tables: Tables, run: int, steps: pl.DataFrame) -> Finding:
    usual, slow = float(steps["median"].median()), float(steps["slow_median"].median())  # type: ignore[arg-type]
    share = float(steps["slow"].sum()) / float(steps["n"].sum())
    return Finding(
        "LP404",
        "info",
        f"There are two kinds of steps: {100 * share:.0f} % take {duration(slow)}, the others "
        f"{duration(usual)}, and few are in between. Suspect samples that cost more to load or to "
        "augment, or one slow worker.",
        f"Time the augmentation of single samples and look for large files. {_WORKERS}.",
        run=run,
        line=first_lines(tables).get((run, int(steps["epoch"][0]))),
        value=slow,
        baseline=usual,
        threshold=SLOW * usual,
        n=int(steps["n"].sum()),
    )
