"""Logs of averages of averages with their truth in, how close an epoch's mean can come out.

Run: python -m benchmarks.means [FOLDER], FOLDER holding KIND.MODE.log and .truth.jsonl of Keras 3.0
to 3.10. Only values count that are printed more than 2 % off. One row a kind; Markdown.

"Digits" is the half width that the last two lines of the epoch leave, where they are one step apart
and right to half a unit: K h. "Oracle" is the posterior mean that knows the batch noise, the size
of the last batch and the best of four drifts, and sees every line. "Whole counts" of an accuracy
are the numbers of right answers in the epoch that all its lines allow, where every one is shown and
a batch has 32 samples: the spread of what fits the text is theirs.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import logparse
from benchmarks.truth import DEFAULT, truth
from logparse.training.estimate import observed
from logparse.training.laws import DOUBLE
from logparse.training.moves import moves
from logparse.training.series import shown
from logparse.training.smoother import forward, wide
from tests.made import made_epochs

Array = NDArray[np.float64]
FAR = 0.02
NEAR = 0.002
HALF = 0.5e-4
"""Half a unit of four decimals."""
DRIFTS = np.array([0.0, 0.02, 0.1, 0.3])
"""Of a level in a step, in standard deviations of a batch."""
MOST = 40
"""Separate ranges of a sum that are kept apart."""


@dataclass(frozen=True, slots=True)
class Value:
    """One epoch value; errors are relative."""

    printed: float
    recovered: float
    oracle: float
    digits: float
    counts: int | None
    """Whole counts that fit all lines."""


def oracle(steps: Array, lines: Array, batches: Array) -> float:
    """The mean of an epoch from its lines, by one who knows how its batches scatter.

    Args:
        steps: [m] shown before the last line.
        lines: [m + 1] as printed, the last line among them.
        batches: [K, 2] size in full batches and true value of each.
    """
    sizes, values = batches.T
    epochs = made_epochs(
        {"x": values[None]}, DOUBLE, pick=steps.astype(np.int64), sizes=sizes, repeat_last=True
    )
    epochs.values["x"] = lines
    x, _ = observed(shown(epochs, "x", last_weight=float(sizes[-1])), DOUBLE, most=len(lines))
    k = np.arange(len(values))
    around = values - np.polyval(np.polyfit(k, values, 2), k)
    noise = float(around @ around) / (len(values) - 3)
    columns = wide(x, moves(x, np.zeros(1, np.bool_)), len(DRIFTS))
    found = forward(columns, np.full((4, 1), noise), noise * DRIFTS[:, None] ** 2)
    best = int(found.loglik[:, 0].argmax())
    return float(found.last[1][best, 0] / x.t[-1, 0] + x.centre[0])


def counts(lines: Array, last: float, sizes: NDArray[np.int64]) -> list[int]:
    """Right answers of an epoch that all its lines allow.

    Every sum of whole counts is followed, with all averages of averages that it may have led to.

    Args:
        lines: [K] shown at each step.
        last: of the last line.
        sizes: [K] samples of each batch.
    """
    seen = np.cumsum(sizes).tolist()
    ranges: dict[int, list[tuple[float, float]]] = {0: [(0.0, 0.0)]}
    for j, (line, size) in enumerate(zip(lines.tolist(), sizes.tolist(), strict=True)):
        low, high = (j + 1) * (line - HALF), (j + 1) * (line + HALF)
        slack = 1e-6 * high
        reached = defaultdict(list)
        for total, parts in ranges.items():
            for right in range(total, total + size + 1):
                mean = right / seen[j]
                kept = [(max(a + mean, low - slack), min(b + mean, high + slack)) for a, b in parts]
                reached[right] += [part for part in kept if part[0] <= part[1]]
        ranges = {right: _joined(parts) for right, parts in reached.items() if parts}
    k = len(lines) + 1
    return [
        right
        for right, parts in ranges.items()
        if any(
            a <= k * (last + HALF) - right / seen[-1] and b >= k * (last - HALF) - right / seen[-1]
            for a, b in parts
        )
    ]


def _joined(parts: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Ranges that overlap as one; all as one where they are too many."""
    parts.sort()
    out = parts[:1]
    for low, high in parts[1:]:
        if low <= out[-1][1]:
            out[-1] = out[-1][0], max(high, out[-1][1])
        else:
            out.append((low, high))
    return out if len(out) <= MOST else [(out[0][0], out[-1][1])]


def values(log: Path) -> list[Value]:
    """The epoch values of a log that are printed far off."""
    analysis = logparse.analyze(log)
    batches, ends = truth(log)
    order = {epoch: i + 1 for i, epoch in enumerate(sorted(set(analysis.epochs["epoch"])))}
    lines: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for update in analysis.updates.iter_rows(named=True):
        lines[order[update["epoch"]]].append(update)
    out = []
    for found in analysis.metrics.iter_rows(named=True):
        epoch, metric = order[found["epoch"]], found["metric"]
        true = ends.get((epoch, metric))
        if not true or (epoch, metric) not in batches or found["mean"] is None:
            continue
        if abs(found["shown"] / true - 1) < FAR:
            continue
        batch = batches[epoch, metric].copy()
        sizes = batch[:, 0].astype(np.int64)
        batch[:, 0] /= batch[0, 0]
        if metric == "loss":
            batch[:, 0] = 1.0  # Keras 3.0 does not weight it
        told = [line for line in lines[epoch] if line[metric] is not None]
        shown_at = np.array([line["step"] for line in told if not line["final"]], float)
        numbers = np.array([line[metric] for line in told])
        fit = None
        if "acc" in metric and len(shown_at) == len(batch) and sizes[0] == 32:
            fit = len(counts(numbers[:-1], float(numbers[-1]), sizes))
        best = oracle(shown_at, numbers, batch)
        out.append(
            Value(
                found["shown"] / true - 1,
                found["mean"] / true - 1,
                best / true - 1,
                len(batch) * HALF / abs(true) if len(batch) - 1 in shown_at else np.nan,
                fit,
            )
        )
    return out


def line(name: str, of: list[Value]) -> str:
    """One row of the table."""

    def column(which: str) -> Array:
        return np.abs([getattr(value, which) for value in of])

    def root(which: str) -> str:
        return f"{100 * np.sqrt(np.mean(column(which) ** 2)):.2f} %"

    def within(which: str) -> str:
        return f"{int((column(which) <= NEAR).sum())}"

    left = column("digits")[np.isfinite(column("digits"))]
    fits = [value.counts for value in of if value.counts is not None]
    cells = [
        name,
        str(len(of)),
        root("printed"),
        root("recovered"),
        f"{100 * column('recovered').max():.2f} %",
        root("oracle"),
        within("recovered"),
        within("oracle"),
        f"{100 * np.median(left):.2f} %" if len(left) else "",
        f"{min(fits)} to {max(fits)}" if fits else "",
    ]
    return "| " + " | ".join(cells) + " |"


def main(folder: Path) -> None:
    """Print the table."""
    kinds: dict[str, list[Value]] = defaultdict(list)
    for log in sorted(folder.glob("*.log")):
        if (found := values(log)) and not log.name.startswith("unknown"):
            kinds[log.name.split(".")[0]] += found
    if not kinds:
        sys.exit(f"no logs with truth in {folder}")
    print(
        "| log | values | printed off | recovered off | at most | oracle off | recovered within "
        "0.2 % | oracle within | digits | whole counts |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for name, of in sorted(kinds.items()):
        print(line(name, of))
    print(line("all", [value for of in kinds.values() for value in of]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT / "keras-3.0.5")
