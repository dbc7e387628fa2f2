"""Makes trainings with known levels and counts what the verdicts on their epoch boundaries say.

    python -m benchmarks.jumps [--seeds 4] [--epochs 20]

Each row: one law of the averages and one course of the level, over epochs of 10 to 10,000 steps,
2 to 5 printed decimals, all updates shown, or 180 of them, or ten at either end. "False" is the
share of boundaries called real (LP102) where the level goes on without a step; "found" the share
called real where it drops by three standard deviations of a batch; "undecided" and "averaging" what
is said of the same boundaries without a drop; the last columns how often the true level lies within
the 95 % band given for either end of an epoch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from logparse.findings.jumps import averages, jumps
from logparse.findings.registry import Tables
from logparse.tables import TABLES, frame
from logparse.training.laws import DOUBLE, DOUBLE_TRUE, MEAN
from logparse.training.rebuild import METRIC_COLUMNS, metric_columns, summarise
from tests.made import made_epochs

Array = NDArray[np.float64]
NOISE = 0.1
DROP = 3.0
STEPS = (10, 20, 41, 200, 2000, 10_000)
DECIMALS = (2, 3, 4, 5)

Level = Callable[[Array, np.random.Generator], Array]
"""Steps since the training began, in epochs, to the level in standard deviations of a batch."""

LEVELS: dict[str, Level] = {
    "flat": lambda x, rng: 0 * x + 20,
    "falls by 1 sd an epoch": lambda x, rng: 90 - x,
    "falls by 3 sd an epoch": lambda x, rng: 90 - 3 * x,
    "decays over 2 epochs": lambda x, rng: 20 + 20 * np.exp(-x / 2),
    "decays in epoch 1": lambda x, rng: 20 + 20 * np.exp(-x / 0.3),
    "decays as a power": lambda x, rng: 20 + 20 / np.sqrt(1 + 10 * x),
    "wanders by 0.02 sd a step": lambda x, rng: 60 + 0.02 * rng.standard_normal(len(x)).cumsum(),
}


def shown_steps(steps: int) -> Iterator[NDArray[np.int64]]:
    """Which steps of an epoch are displayed before its last line."""
    if steps <= 200:
        yield np.arange(1, steps)
    else:
        yield np.unique(np.linspace(1, steps - 1, 180).astype(np.int64))
    if steps > 20:
        yield np.r_[1:11, steps - 9 : steps]


def judged(
    values: Array, law: str, decimals: int, pick: NDArray[np.int64]
) -> tuple[list[str], pl.DataFrame]:
    """Verdict of every boundary, and the table ``metrics``."""
    epochs = made_epochs({"loss": values}, law, decimals=decimals, pick=pick)
    columns = metric_columns([summarise(epochs, (law,))], (law,))
    names = ("epoch", "metric", *METRIC_COLUMNS)
    metrics = pl.DataFrame({"run": 1} | {name: columns[name] for name in names})
    metrics = metrics.with_columns(pl.col(pl.Float64).fill_nan(None))
    numbers = pl.DataFrame(
        {"run": 1, "epoch": epochs.epoch, "updates": np.diff(epochs.starts), "of": epochs.of}
    )
    small = {
        name: frame(name, {column.name: [] for column in TABLES[name]})
        for name in Tables.__dataclass_fields__
    }
    (group,) = averages(Tables(**(small | {"metrics": metrics, "epochs": numbers})))
    return [jump.verdict for jump in jumps(group)], metrics


def row(law: str, level: Level, seeds: int, epochs: int) -> list[float]:
    """The numbers of one row of the table."""
    verdicts: dict[bool, list[str]] = {False: [], True: []}
    inside: dict[str, list[bool]] = {"end": [], "start": []}
    for seed in range(seeds):
        for steps in STEPS:
            for decimals in DECIMALS:
                for pick in shown_steps(steps):
                    rng = np.random.default_rng([seed, steps, decimals, len(pick)])
                    x = np.arange(epochs * steps) / steps
                    true = NOISE * level(x, rng).reshape(epochs, steps)
                    values = true + NOISE * rng.standard_normal(true.shape)
                    found, metrics = judged(values, law, decimals, pick)
                    verdicts[False] += found
                    for end, column in (("start", 0), ("end", -1)):
                        low, high = (
                            metrics[f"{end}_low"].to_numpy(),
                            metrics[f"{end}_high"].to_numpy(),
                        )
                        known = np.isfinite(low)
                        ok = (low <= true[:, column]) & (true[:, column] <= high)
                        inside[end] += ok[known].tolist()
                    drops = DROP * NOISE * np.arange(epochs)[:, None]
                    verdicts[True] += judged(values - drops + 100, law, decimals, pick)[0]
    quiet, dropped = verdicts[False], verdicts[True]
    return [
        float(len(quiet)),
        quiet.count("real") / len(quiet),
        quiet.count("averaging") / len(quiet),
        quiet.count("undecided") / len(quiet),
        dropped.count("real") / len(dropped),
        float(np.mean(inside["start"])),
        float(np.mean(inside["end"])),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    given = parser.parse_args()
    print(
        "| law | level | boundaries | falsely real | averaging | undecided | 3 σ found "
        "| start in band | end in band |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for law in (MEAN, DOUBLE, DOUBLE_TRUE):
        for name, level in LEVELS.items():
            n, *shares = row(law, level, given.seeds, given.epochs)
            cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
            print(f"| {law} | {name} | {n:,.0f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
