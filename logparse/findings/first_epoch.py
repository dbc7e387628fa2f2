"""The table ``epochs`` -> LP202: a slow first epoch, and which part of it was slow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from logparse.findings.durations import Series, all_series, excess
from logparse.findings.outliers import Bools, find_slow
from logparse.findings.registry import Finding, Severity, Tables, once, rule
from logparse.findings.thresholds import min_ratio, min_seconds
from logparse.findings.wording import duration, ratio

FEWEST_AFTER_FIRST = 3
"""Later epochs, below which the first is not judged."""

FIRST_SLOWER = 1.5
"""A slow first epoch is at least this many times the later ones."""

START = 2.0
"""Every framework spends up to about this many seconds on building its graph: not reported."""

GRAPH = 300.0
"""Seconds beyond which building and compiling a graph is an unlikely cause."""

HALF = 0.5
"""A part with this share of a slow first epoch's lost time is named as its cause."""

# Student's t at 0.5 %, times sqrt(1 + 1/n): one value against n others.
_FIRST_LIMITS = (0.0, 0.0, 0.0, 11.5, 6.5, 5.0, 4.4, 4.0, 3.7, 3.5, 3.4)

STORAGE = 5.0
"""Ratio from which waiting for storage is likelier than the filling of a cache, which only adds
the writing to what every epoch does."""

_FILLING = "a cache being filled (dataset.cache())"
_COLD = "data read over the network or from a cold disk, then held in memory by the system"
_DECODING = "data decoded or downloaded once"

_CAUSES = {
    "first": (
        "its first step took {first} of it. Likely, in this order: building and compiling the "
        "graph (tf.function tracing, XLA), choosing of GPU kernels (cuDNN autotune), filling of "
        "the shuffle buffer",
        "Nothing to gain in a long run. In many short ones: keep one compiled model, give inputs "
        "of one shape (retracing), use a persistent compilation cache, or a smaller shuffle "
        "buffer.",
    ),
    "decaying": (
        "its steps were slow at first ({steps} in all) and as fast as later ones in its "
        "second half. Likely, in this order: files not yet in the page cache, buffers filling, "
        "memory growing",
        "Read the data once before training, or count from the second half on when you compare.",
    ),
    "whole": (
        "all its steps were slow ({steps} in all{rate}). Likely, in this order: {order}",
        "If a cache is being filled this is its price, paid once. Else store the data decoded and "
        "near (a local disk, not a mounted drive), or prefetch more.",
    ),
    "steps": (
        "its steps were slow ({steps} in all{rate}), not its first one alone. Likely, in this "
        "order: {order}",
        "If a cache is being filled this is its price, paid once. Else read the data once before "
        "training, or store it decoded and near (a local disk, not a mounted drive).",
    ),
    "validation": (
        "its validation took {validation} of it: building of the evaluation graph, a validation "
        "set not yet cached",
        "Nothing to gain in a long run; cache the validation set if it is read slowly.",
    ),
    "unknown": (
        "the log does not tell in which part. Likely, in this order: {unknown}",
        "Print every step (verbose=1) to see whether the first step alone is slow, or the whole "
        "epoch.",
    ),
}


def _likely(ratio_of_epochs: float, lost: float) -> dict[str, str]:
    """Causes in order of likelihood, for slow steps and where the part is not known."""
    order = [_FILLING, _COLD, _DECODING]
    graph = "building and compiling the graph in the first step"
    unknown = [graph, _FILLING, "data not yet in the page cache"]
    if ratio_of_epochs >= STORAGE:
        order = [_COLD, _DECODING, _FILLING]
    if lost > GRAPH:
        unknown = [*order[:2], graph]
    return {"order": "; ".join(order), "unknown": "; ".join(unknown)}


@rule(
    "LP202",
    "slow first epoch",
    severity="warning",
    summary=(
        "The first epoch took longer than the later ones: in its first step only, in its first "
        "half, or as a whole."
    ),
    computed=(
        f"Needs {FEWEST_AFTER_FIRST} later complete epochs of the same length; the baseline is "
        "the median of up to ten of them, slow ones (LP201) left out. The first epoch must take "
        f"at least {FIRST_SLOWER} times as long, stand out from their spread (Student's t at "
        f"0.5 %), and lose more than {START:.0f} s, with the rounding of the printed seconds "
        f"counted against it. A part of the epoch that explains {100 * HALF:.0f} % of the loss "
        "is named as its place: the first step, the other steps (decaying if those of the second "
        "half are within 20 % of later epochs'), or validation."
    ),
    wrong_when=(
        "The first epoch of a resumed or continued run does other work than those after it. Up "
        "to TF 2.1 and Keras 2.3.1 a fast first step cannot be told from a slow one in short "
        "epochs; in TF 2.2 and 2.3 the first step is not in the printed time at all."
    ),
    advice=(
        "`logparse replay run first-epoch` trains with each cause. "
        "Leave the first epoch out when you compare speeds. What to gain depends on the part that "
        "was slow: compile once, cache the data, or read it ahead."
    ),
    source=(
        "keras-team/keras#14111; warm-up as in Barrett et al., Virtual machine warmup blows hot "
        "and cold, OOPSLA (2017)."
    ),
    thresholds=(min_ratio(FIRST_SLOWER), min_seconds(START)),
)
def slow_first_epoch(tables: Tables) -> Iterator[Finding]:
    """LP202."""
    for first in slow_firsts(tables):
        series = first.series
        severity: Severity = (
            "warning" if first.lost > 0.05 * float(series.seconds.sum()) else "info"
        )
        cause, advice = first.cause()
        yield Finding(
            code="LP202",
            severity=severity,
            message=(
                f"Epoch {series.epoch[0]} took {duration(first.seconds)}, "
                f"{ratio(first.seconds, first.baseline)} the {duration(first.baseline)} of later "
                f"ones ({duration(first.lost)} lost): {cause}."
            ),
            advice=advice,
            run=series.run,
            epoch=int(series.epoch[0]),
            line=int(series.line[0]),
            value=first.seconds,
            baseline=first.baseline,
            threshold=first.limit,
            n=int(first.others.sum()),
        )


@dataclass(frozen=True, slots=True)
class SlowFirst:
    """A first epoch that took longer than the later ones."""

    series: Series
    others: Bools
    """The epochs it is compared with."""
    baseline: float
    limit: float
    part: str
    """Where the time was lost: a key of ``_CAUSES``."""
    known: dict[str, float]
    """Seconds lost in the parts that the log tells."""

    @property
    def seconds(self) -> float:
        """Its time."""
        return float(self.series.seconds[0])

    @property
    def lost(self) -> float:
        """Seconds beyond the baseline."""
        return self.seconds - self.baseline

    def cause(self) -> tuple[str, str]:
        """Where it lost its time, and what to do about it."""
        cause, advice = _CAUSES[self.part]
        shown = dict.fromkeys(("first", "steps", "validation"), "")
        shown |= {key: duration(value) for key, value in self.known.items()}
        times = self.seconds / self.baseline if self.baseline > 0 else STORAGE
        shown |= _likely(times, self.lost)
        return cause.format(rate=self._rates(), **shown), advice

    def _rates(self) -> str:
        """Time a step in the first epoch and in later ones, where both are known."""
        mine, later = float(self.series.step[0]), self.series.step[self.others]
        if not np.isfinite(mine) or not np.isfinite(later).any():
            return ""
        return f"; {duration(mine)} each, {duration(float(np.nanmedian(later)))} later"


@once
def slow_firsts(tables: Tables) -> tuple[SlowFirst, ...]:
    """The runs whose first epoch was slow."""
    found = (_slow_first(series) for series in all_series(tables))
    return tuple(one for one in found if one is not None)


def _slow_first(series: Series) -> SlowFirst | None:
    n = min(len(series.seconds) - 1, len(_FIRST_LIMITS) - 1)
    if not series.starts or n < FEWEST_AFTER_FIRST:
        return None
    others = _steady(series, n)
    later = series.seconds[others]
    seconds, baseline = float(series.seconds[0]), float(np.median(later))
    rounding = float(series.half[0] + np.median(series.half[others]))
    spread = _FIRST_LIMITS[len(later)] * float(later.std(ddof=1))
    limit = baseline + max(spread, (FIRST_SLOWER - 1) * baseline) + rounding
    if seconds <= limit or seconds - baseline + rounding < START:
        return None
    parts = excess(series, 0, others)
    known = {name: value for name, value in parts.items() if np.isfinite(value) and value > 0}
    part = _part(series, others, known, seconds - baseline)
    return SlowFirst(series, others, baseline, limit, part, known)


def _steady(series: Series, n: int) -> Bools:
    """The n epochs after the first, without slow ones if enough are left."""
    others = np.zeros(len(series.seconds), np.bool_)
    others[1 : n + 1] = True
    found = find_slow(series.seconds[1:], series.half[1:])
    if found is not None and (others[1:] & ~found.slow).sum() >= FEWEST_AFTER_FIRST:
        others[1:] &= ~found.slow
    return others


def _part(series: Series, others: Bools, known: dict[str, float], lost: float) -> str:
    """The part of a slow first epoch that explains its loss."""
    name = max(known, key=lambda key: known[key]) if known else "unknown"
    if known and known[name] < HALF * lost:
        return "unknown"
    if name != "steps" or not np.isfinite(series.late_step[0]):
        return name
    later = series.late_step[others]
    usual = later if np.isfinite(later).any() else series.step[others]
    return "decaying" if series.late_step[0] <= 1.2 * np.nanmedian(usual) else "whole"
