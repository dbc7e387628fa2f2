"""How often the interval of ``logparse compare`` holds the truth, on made series of epoch times.

    python -m benchmarks.compare [--repeat 4000]

Prints the table of docs/compare.md: for each kind of noise, number of epochs and rounding the
percent of comparisons of two equal pipelines whose 95 % interval holds 1 (coverage), the percent
that call one slower (false alarms of ``--fail-if-slower 0%``; with 5 % they are fewer still), the
half width of the interval, and how often a pipeline that is 10 % slower is found out.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from logparse.comparison.intervals import mean_of_epochs, mean_of_runs, ratio

Floats = NDArray[np.float64]

NOISES = ("independent", "AR(1) 0.5", "heavy tails")
EPOCHS = (3, 4, 5, 8, 12, 20, 50, 100, 300)
LEVEL = 20.0
"""Seconds an epoch, times up to 1.25 either way, so that no rounding is special."""


def noise(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Floats:
    """Noise of variance 1: [..., epochs]."""
    x = rng.standard_normal(shape)
    if kind == "heavy tails":
        return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))
    if kind == "AR(1) 0.5":
        for i in range(1, shape[-1]):
            x[..., i] = 0.5 * x[..., i - 1] + np.sqrt(0.75) * x[..., i]
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


def judged(
    rng: np.random.Generator, kind: str, n: int, spread: float, unit: float, repeat: int
) -> tuple[float, float, float, float]:
    """Percent held, percent falsely slower, median half width in percent, percent found."""
    half = np.full(n, 0.5 * unit)
    held = slower = found = 0
    widths = []
    for _ in range(repeat):
        base, side = made_series(rng, kind, (2, n), spread=spread, unit=unit)
        means = mean_of_epochs(base, half), mean_of_epochs(side, half)
        equal = ratio(means[1], means[0])
        held += equal.low <= 1 <= equal.high
        slower += equal.low > 1
        widths.append(np.sqrt(equal.high / equal.low) - 1)
        found += equal.low * 1.1 > 1
    return (
        100 * held / repeat,
        100 * slower / repeat,
        100 * float(np.median(widths)),
        100 * found / repeat,
    )


def judged_groups(
    rng: np.random.Generator, runs: int, repeat: int
) -> tuple[float, float, float, float]:
    """The same for groups of runs of 10 epochs: runs differ by 3 %, epochs of a run by 2 %."""
    held = slower = found = 0
    widths = []
    exact = np.zeros(10)
    for _ in range(repeat):
        levels = LEVEL * (1 + 0.03 * rng.standard_normal((2, runs, 1)))
        times = levels * (1 + 0.02 * noise(rng, "AR(1) 0.5", (2, runs, 10)))
        sides = [mean_of_runs([mean_of_epochs(run, exact) for run in side]) for side in times]
        equal = ratio(sides[1], sides[0])
        held += equal.low <= 1 <= equal.high
        slower += equal.low > 1
        widths.append(np.sqrt(equal.high / equal.low) - 1)
        found += equal.low * 1.1 > 1
    return (
        100 * held / repeat,
        100 * slower / repeat,
        100 * float(np.median(widths)),
        100 * found / repeat,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=4000)
    repeat = parser.parse_args().repeat
    rng = np.random.default_rng(20)
    print("| noise | printed | epochs a side | held | falsely slower | half width | 10 % found |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for kind in NOISES:
        for spread, unit in ((0.05, 0.0), (0.05, 1.0), (0.01, 1.0)):
            printed = f"{100 * spread:.0f} %, " + ("whole seconds" if unit else "exact")
            for n in EPOCHS:
                row = judged(rng, kind, n, spread, unit, repeat)
                print(f"| {kind} | {printed} | {n} | {_cells(row)} |", flush=True)
    for runs in (2, 3, 5, 10):
        row = judged_groups(rng, runs, repeat)
        print(f"| groups | 2 %, runs 3 %, exact | {runs} runs | {_cells(row)} |", flush=True)


def _cells(row: tuple[float, float, float, float]) -> str:
    held, slower, width, found = row
    return f"{held:.1f} | {slower:.1f} | ±{width:.1f} % | {found:.0f}"


if __name__ == "__main__":
    main()
