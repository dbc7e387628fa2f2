"""Makes trainings with known levels and counts what the verdicts on their epoch boundaries say.

    python -m benchmarks.jumps [--seeds 4] [--epochs 20]

First table: one law of the averages and one course of the level a row, over epochs of 10 to 10,000
steps, 2 to 5 printed decimals, all updates shown, or 180 of them, or ten at either end. "False" is
the share of boundaries called real (LP102) where the level goes on without a step; "found" the
share called real where it drops by three standard deviations of a batch, at every boundary;
"oracle" what the best method finds of these from the two epochs alone (``benchmarks.oracle``);
"undecided" and "averaging" what is said of the same boundaries without a drop; the last columns how
often the true level lies within the 95 % band given for either end of an epoch.

Second table: "found" and "oracle" by what is shown, for each number of decimals, over all courses.

Third table: runs of 2 to 16 epochs and three metrics, of all these courses and ways to show them.
Shares of runs with a false LP102 or a wrong LP101, without a drop; how often one drop in the middle
is found in a metric, and how often another boundary beside it is called real.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks import oracle
from logparse.findings.jumps import all_jumps
from logparse.findings.registry import Tables
from logparse.tables import TABLES, frame
from logparse.training.laws import DOUBLE, DOUBLE_TRUE, MEAN
from logparse.training.rebuild import METRIC_COLUMNS, metric_columns, summarise
from tests.made import made_epochs, shown_means

Array = NDArray[np.float64]
NOISE = 0.1
DROP = 3.0
NOTHING = 0.25
"""Share of a jump below which averaging has not made it."""
WANDERS = 0.02
STEPS = (10, 20, 41, 200, 2000, 10_000)
DECIMALS = (2, 3, 4, 5)
LENGTHS = (2, 2, 2, 4, 4, 8, 8, 16)
"""Epochs of the runs that are judged as a whole."""

Level = Callable[[Array, np.random.Generator], Array]
"""Steps since the training began, in epochs, to the level in standard deviations of a batch."""

LEVELS: dict[str, Level] = {
    "flat": lambda x, rng: 0 * x + 20,
    "falls by 1 sd an epoch": lambda x, rng: 90 - x,
    "falls by 3 sd an epoch": lambda x, rng: 90 - 3 * x,
    "decays over 2 epochs": lambda x, rng: 20 + 20 * np.exp(-x / 2),
    "decays in epoch 1": lambda x, rng: 20 + 20 * np.exp(-x / 0.3),
    "decays as a power": lambda x, rng: 20 + 20 / np.sqrt(1 + 10 * x),
    "wanders by 0.02 sd a step": lambda x, rng: 60 + WANDERS * rng.standard_normal(len(x)).cumsum(),
}


@dataclass(slots=True)
class Count:
    """What was said of some boundaries."""

    quiet: list[str] = field(default_factory=list)
    """Verdicts where the level goes on."""
    dropped: list[str] = field(default_factory=list)
    """Verdicts where it drops."""
    oracle: list[float] = field(default_factory=list)
    """What the best method finds, one number for each of ``dropped``."""
    start: list[bool] = field(default_factory=list)
    """True levels within the band."""
    end: list[bool] = field(default_factory=list)

    def add(self, other: Count) -> None:
        """Count others in."""
        for name in self.__slots__:
            getattr(self, name).extend(getattr(other, name))


def shown_steps(steps: int) -> Iterator[NDArray[np.int64]]:
    """Which steps of an epoch are displayed before its last line."""
    if steps <= 200:
        yield np.arange(1, steps)
    else:
        yield np.unique(np.linspace(1, steps - 1, 180).astype(np.int64))
    if steps > 20:
        yield np.r_[1:11, steps - 9 : steps]


def judged(
    values: dict[str, Array], law: str, decimals: int, pick: NDArray[np.int64]
) -> tuple[list[list[str]], pl.DataFrame]:
    """Verdict of every boundary of each metric of one run, and the table ``metrics``."""
    epochs = made_epochs(values, law, decimals=decimals, pick=pick)
    columns = metric_columns([summarise(epochs, (law,))], (law,))
    names = ("epoch", "metric", *METRIC_COLUMNS)
    metrics = pl.DataFrame({"run": 1} | {name: columns[name] for name in names})
    metrics = metrics.with_columns(pl.col(pl.Float64).fill_nan(None))
    numbers = pl.DataFrame({"run": 1, "epoch": epochs.epoch, "of": epochs.of})
    small = {
        name: frame(name, {column.name: [] for column in TABLES[name]})
        for name in Tables.__dataclass_fields__
    }
    told = all_jumps(Tables(**(small | {"metrics": metrics, "epochs": numbers})))
    return [[jump.verdict for jump in one] for one in told], metrics


def levels(course: str, steps: int, epochs: int, rng: np.random.Generator) -> Array:
    """[e, k] the level of every batch of a training."""
    x = np.arange(epochs * steps) / steps
    return NOISE * LEVELS[course](x, rng).reshape(epochs, steps)


def counted(
    law: str,
    course: str,
    steps: int,
    pick: NDArray[np.int64],
    decimals: int,
    seed: int,
    epochs: int,
) -> Count:
    """The boundaries of one training, without drops and with them."""
    rng = np.random.default_rng([seed, steps, decimals, len(pick)])
    true = levels(course, steps, epochs, rng)
    values = true + NOISE * rng.standard_normal(true.shape)
    out = Count()
    (out.quiet,), metrics = judged({"loss": values}, law, decimals, pick)
    for end, column in (("start", 0), ("end", -1)):
        low, high = metrics[f"{end}_low"].to_numpy(), metrics[f"{end}_high"].to_numpy()
        ok = (low <= true[:, column]) & (true[:, column] <= high)
        getattr(out, end).extend(ok[np.isfinite(low)].tolist())
    drops = DROP * NOISE * np.arange(epochs)[:, None]
    (out.dropped,), _ = judged({"loss": values - drops + 100}, law, decimals, pick)
    wanders = course.startswith("wanders")
    best = oracle.found(
        law, steps, decimals, pick,
        change=DROP, drift=WANDERS if wanders else 0.0, slope=not wanders,
    )  # fmt: skip
    out.oracle = [best] * len(out.dropped)
    return out


@dataclass(slots=True)
class Runs:
    """What was said of whole runs of several metrics, a row a run."""

    false: list[bool] = field(default_factory=list)
    """LP102 in a run without a drop."""
    wrong: list[bool] = field(default_factory=list)
    """LP101 in such a run at a jump to which averaging gives less than a quarter."""
    found: list[float] = field(default_factory=list)
    """Share of metrics in which the one drop of a run is found."""
    beside: list[bool] = field(default_factory=list)
    """LP102 at another boundary of such a run."""


def run_counted(
    law: str,
    course: str,
    steps: int,
    pick: NDArray[np.int64],
    decimals: int,
    seed: int,
    epochs: int,
    out: Runs,
) -> None:
    """One run of three metrics, half of whose noise is the same, without and with one drop."""
    rng = np.random.default_rng([seed, steps, decimals, len(pick), epochs])
    true = levels(course, steps, epochs, rng)
    common = rng.standard_normal(true.shape)
    names = ("loss", "mae", "mse")
    noise = {name: (common + rng.standard_normal(true.shape)) / 2**0.5 for name in names}
    values = {name: true + NOISE * noise[name] for name in names}
    quiet, _ = judged(values, law, decimals, pick)
    out.false.append(any("real" in one for one in quiet))
    wrong = False
    for name, one in zip(names, quiet, strict=True):
        every, last = shown_means(values[name], law)
        gives = true[:-1, -1] - last[:-1]
        share = gives / (every[1:, pick[0] - 1] - last[:-1])
        said = np.array([verdict == "averaging" for verdict in one])
        wrong |= bool((said & (share < NOTHING)).any())
    out.wrong.append(wrong)
    at = epochs // 2
    drop = DROP * NOISE * (np.arange(epochs) >= at)[:, None]
    told, _ = judged({name: one - drop + 100 for name, one in values.items()}, law, decimals, pick)
    out.found.append(float(np.mean([one[at - 1] == "real" for one in told])))
    out.beside.append(any("real" in one[: at - 1] + one[at:] for one in told))


def _share(verdicts: list[str], what: str) -> float:
    return verdicts.count(what) / len(verdicts)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    given = parser.parse_args()
    print(
        "| law | level | boundaries | falsely real | averaging | undecided | 3 σ found | oracle "
        "| start in band | end in band |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    runs: dict[tuple[str, int], Runs] = defaultdict(Runs)
    cells: dict[tuple[str, int, int, int], Count] = defaultdict(Count)
    for law in (MEAN, DOUBLE, DOUBLE_TRUE):
        for course in LEVELS:
            row = Count()
            for steps in STEPS:
                for pick in shown_steps(steps):
                    for decimals in DECIMALS:
                        for seed in range(given.seeds):
                            one = counted(law, course, steps, pick, decimals, seed, given.epochs)
                            row.add(one)
                            cells[law, steps, len(pick), decimals].add(one)
                        for seed, n in enumerate(LENGTHS):
                            case = (law, course, steps, pick, decimals, seed)
                            run_counted(*case, n, runs[law, n])
            shares = [_share(row.quiet, what) for what in ("real", "averaging", "undecided")]
            shares += [_share(row.dropped, "real")]
            shares += [float(np.mean(part)) for part in (row.oracle, row.start, row.end)]
            text = " | ".join(f"{100 * share:.1f} %" for share in shares)
            print(f"| {law} | {course} | {len(row.quiet):,} | {text} |", flush=True)
    print("\n| law | steps | shown | " + " | ".join(f"{n} decimals" for n in DECIMALS) + " |")
    print("|---|---|---|" + "---|" * len(DECIMALS))
    for law, steps, lines in dict.fromkeys(key[:3] for key in cells):
        pairs = [cells[law, steps, lines, n] for n in DECIMALS]
        text = " | ".join(
            f"{100 * _share(one.dropped, 'real'):.0f} / {100 * np.mean(one.oracle):.0f} %"
            for one in pairs
        )
        print(f"| {law} | {steps:,} | {lines + 1} | {text} |")
    print(
        "\n| law | epochs | runs | LP102, no drop | LP101, no averaging | the one drop found "
        "| LP102 beside it |"
    )
    print("|---|---|---|---|---|---|---|")
    for (law, n), of in sorted(runs.items()):
        shares = [float(np.mean(getattr(of, name))) for name in Runs.__slots__]
        text = " | ".join(f"{100 * share:.1f} %" for share in shares)
        print(f"| {law} | {n} | {len(of.false):,} | {text} |")


if __name__ == "__main__":
    main()
