"""How often the interval of ``logparse compare`` holds the truth, on made series of epoch times.

    python -m benchmarks.compare [--repeat 4000]

Prints the tables of docs/compare.md, for each kind of noise, number of steady epochs and rounding.
Warm-up and single slow epochs are left out as the command does it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from logparse.comparison.constants import MOST_MORE
from logparse.comparison.intervals import (
    Mean,
    mean_of_epochs,
    mean_of_runs,
    more_to_settle,
    ratio,
)
from logparse.comparison.steady import run_of

Floats = NDArray[np.float64]

NOISES = ("independent", "AR(1) 0.5", "AR(1) 0.8", "AR(1) 0.9", "heavy tails")
EPOCHS = (3, 4, 5, 8, 12, 20, 50, 100, 300)
RUNS = (2, 3, 5, 10)
LEVEL = 20.0
"""Seconds an epoch, times up to 1.25 either way, so that no rounding is special."""


def noise(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Floats:
    """Noise of variance 1: [..., epochs]."""
    x = rng.standard_normal(shape)
    if kind == "heavy tails":
        return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))
    if kind.startswith("AR(1)"):
        rho = float(kind.split()[1])
        for i in range(1, shape[-1]):
            x[..., i] = rho * x[..., i - 1] + np.sqrt(1 - rho**2) * x[..., i]
    return x


def made_series(
    rng: np.random.Generator, kind: str, shape: tuple[int, int], *, spread: float, unit: float
) -> Floats:
    """Epoch times of equal pipelines: [side, epochs], rounded to ``unit`` seconds if not 0."""
    level = LEVEL * np.exp(rng.uniform(-0.22, 0.22))
    times = np.maximum(level * (1 + spread * noise(rng, kind, shape)), 0.1 * level)
    if unit:
        times = np.maximum(unit * np.round(times / unit), 0.5 * unit)
    return np.asarray(times)


class Judged(NamedTuple):
    """What became of many comparisons of equal pipelines, percent."""

    held: float
    """Intervals that hold 1."""
    slower: float
    """One called slower with a limit of 0 %."""
    slower5: float
    """One called slower with a limit of 5 %."""
    width: float
    """Half width of the interval, the median."""
    found: float
    """Of pipelines 10 % slower: called slower with a limit of 0 %."""


def judged(pairs: Iterator[tuple[Mean, Mean]]) -> Judged:
    """What became of these comparisons."""
    equal = np.array([ratio(side, base)[1:] for base, side in pairs])
    low, high = equal.T
    return Judged(
        held=100 * float(np.mean((low <= 1) & (high >= 1))),
        slower=100 * float(np.mean(low > 1)),
        slower5=100 * float(np.mean(low > 1.05)),
        width=100 * float(np.median(np.sqrt(high / low) - 1)),
        found=100 * float(np.mean(1.1 * low > 1)),
    )


def single_runs(
    rng: np.random.Generator, kind: str, n: int, spread: float, unit: float, repeat: int
) -> Iterator[tuple[Mean, Mean]]:
    """One run a side: a warm-up epoch, then ``n`` epochs, judged as the command judges them."""
    half = np.full(n + 1, 0.5 * unit)
    for _ in range(repeat):
        both = made_series(rng, kind, (2, n + 1), spread=spread, unit=unit)
        both[:, 0] *= 2
        yield _mean(both[0], half), _mean(both[1], half)


def _mean(seconds: Floats, half: Floats) -> Mean:
    run = run_of("", 1, seconds, half, first=True)
    return mean_of_epochs(run.seconds[run.steady], run.half[run.steady])


def groups(rng: np.random.Generator, runs: int, repeat: int) -> Iterator[tuple[Mean, Mean]]:
    """Groups of runs of 10 epochs: runs differ by 3 %, epochs of a run by 2 %."""
    exact = np.zeros(10)
    for _ in range(repeat):
        levels = LEVEL * (1 + 0.03 * rng.standard_normal((2, runs, 1)))
        times = levels * (1 + 0.02 * noise(rng, "AR(1) 0.5", (2, runs, 10)))
        base, side = (mean_of_runs([mean_of_epochs(run, exact) for run in one]) for one in times)
        yield base, side


def asked_for(
    rng: np.random.Generator, kind: str, n: int, slower: float, repeat: int
) -> tuple[float, float]:
    """Of unsure comparisons: epochs asked for, the median, and percent settled once they came."""
    asked, settled = [], []
    for _ in range(repeat):
        base, side = LEVEL * (1 + 0.05 * noise(rng, kind, (2, n + MOST_MORE)))
        side *= slower

        def means(count: int, base: Floats = base, side: Floats = side) -> tuple[Mean, Mean]:
            exact = np.zeros(count)
            return mean_of_epochs(side[:count], exact), mean_of_epochs(base[:count], exact)

        early = means(n)
        if ratio(*early).low > 1 or (more := more_to_settle(*early, 1.0)) is None:
            continue
        later = ratio(*means(n + more))
        asked.append(more)
        settled.append(later.low > 1 or later.high < 1)
    return (float(np.median(asked)), 100 * float(np.mean(settled))) if asked else (np.nan, np.nan)


TABLES: dict[str, Callable[[Judged], str]] = {
    "Percent of comparisons of two equal pipelines whose interval holds 1:": (
        lambda row: f"{row.held:.1f}"
    ),
    "Percent of these that call one slower: `--fail-if-slower 0%` (and 5 %):": (
        lambda row: f"{row.slower:.1f} ({row.slower5:.1f})"
    ),
    "Half width of the interval in percent, the median:": lambda row: f"±{row.width:.1f}",
    "Percent of pipelines that are 10 % slower and found out by `--fail-if-slower 0%`:": (
        lambda row: f"{row.found:.0f}"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=4000)
    repeat = parser.parse_args().repeat
    rng = np.random.default_rng(20)
    rows = {
        f"{kind}, {100 * spread:.0f} %, {'whole seconds' if unit else 'exact'}": [
            judged(single_runs(rng, kind, n, spread, unit, repeat)) for n in EPOCHS
        ]
        for kind in NOISES
        for spread, unit in ((0.05, 0.0), (0.05, 1.0), (0.01, 1.0))
    }
    _print("noise, printed", list(EPOCHS), rows)
    print("Groups of runs of 10 epochs; runs differ by 3 %, epochs by 2 % with AR(1) 0.5:\n")
    _print("runs a side", list(RUNS), {"": [judged(groups(rng, n, repeat)) for n in RUNS]})
    print("Epochs that LP502 asks for, and percent of comparisons settled once they came:\n")
    print("| noise, 5 % | really slower by | with 4 epochs | with 8 | with 15 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for kind in NOISES:
        for slower in (1.05, 1.1):
            cells = [asked_for(rng, kind, n, slower, repeat // 4) for n in (4, 8, 15)]
            texts = [f"{m:.0f}, {share:.0f} %" if share == share else "-" for m, share in cells]
            print(f"| {kind} | {100 * slower - 100:.0f} % | {' | '.join(texts)} |", flush=True)


def _print(head: str, columns: list[int], rows: dict[str, list[Judged]]) -> None:
    for title, cell in TABLES.items():
        print(f"{title}\n\n| {head} | {' | '.join(map(str, columns))} |")
        print(f"| --- |{' ---: |' * len(columns)}")
        for name, row in rows.items():
            print(f"| {name} | {' | '.join(map(cell, row))} |")
        print(flush=True)


if __name__ == "__main__":
    main()
