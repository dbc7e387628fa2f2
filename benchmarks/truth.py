"""Real logs with their true batch values in, a table of how well they are rebuilt out.

Run: python benchmarks/truth.py [FOLDER], FOLDER holding VERSION/KIND.MODE.log and .truth.jsonl.
One row a version and kind (both modes pooled), then one a kind, a law, and all; Markdown.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import logparse

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "logs" / "eras"

LATE = 300
"""Step past which a mean of means can no longer be inverted by hand."""


@dataclass
class Row:
    """Errors pooled over the logs of one row of the table."""

    laws: set[str] = field(default_factory=set)
    inside: list[bool] = field(default_factory=list)
    """Truth within the hard bounds, where there are any."""
    covered: list[bool] = field(default_factory=list)
    """Truth within the 95 % band."""
    width: list[float] = field(default_factory=list)
    """Half width of the band in standard deviations of the truth."""
    shown: list[float] = field(default_factory=list)
    """Squared errors in the same unit: the shown value taken for the batch's."""
    plain: list[float] = field(default_factory=list)
    """The exact inverse, where there is one."""
    estimate: list[float] = field(default_factory=list)
    """The smoother, at the same intervals as ``plain``."""
    late: list[tuple[float, float]] = field(default_factory=list)
    """Estimate and plain inverse past step LATE."""
    printed: list[float] = field(default_factory=list)
    """Relative error of the printed epoch value."""
    mean: list[float] = field(default_factory=list)
    """Relative error of the recovered one."""

    def line(self, name: str) -> str:
        """One row of the Markdown table."""
        late = np.sqrt(np.mean(np.array(self.late), 0)) if self.late else np.array([np.nan] * 2)
        cells = [
            name,
            ", ".join(sorted(self.laws)) if len(self.laws) < 3 else "",
            str(len(self.covered)),
            _share(self.inside),
            _share(self.covered),
            _mean(self.width),
            _root(self.shown),
            _root(self.plain),
            _root(self.estimate),
            f"{late[0]:.2g} / {late[1]:.2g}" if np.isfinite(late).all() else "",
            _percent(self.printed),
            _percent(self.mean),
        ]
        return "| " + " | ".join(cells) + " |"


def _share(found: list[bool]) -> str:
    return f"{100 * np.mean(found):.1f} %" if found else ""


def _mean(found: list[float]) -> str:
    return f"{np.mean(found):.3f}" if found else ""


def _root(squares: list[float]) -> str:
    return f"{np.sqrt(np.mean(squares)):.2g}" if squares else ""


def _percent(errors: list[float]) -> str:
    return f"{100 * np.sqrt(np.mean(np.square(errors))):.3f} %" if errors else ""


def truth(log: Path) -> tuple[dict[tuple[int, str], np.ndarray], dict[tuple[int, str], float]]:
    """True batch values (size, value) and true epoch values, by epoch from 1 and metric."""
    batches: dict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
    ends: dict[tuple[int, str], float] = {}
    epoch = 0
    with open(str(log).removesuffix(".log") + ".truth.jsonl", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            epoch += row.get("ev") == "epoch_begin"
            for name, value in row.get("value", {}).items():
                batches[epoch, name].append((row["size"], value))
            ends |= {(epoch, name): value for name, value in row.get("logs", {}).items()}
    return {key: np.array(rows, float) for key, rows in batches.items()}, ends


def measure(log: Path, rows: list[Row]) -> None:
    """Add one log to several rows."""
    analysis = logparse.analyze(str(log))
    values, ends = truth(log)
    spread = {key: max(float(np.nanstd(part[:, 1])), 1e-9) for key, part in values.items()}
    shown: dict[tuple[int, str, int], float | None] = {}
    # A resumed run counts on: its first epoch is the truth's first.
    order = {epoch: i + 1 for i, epoch in enumerate(sorted(set(analysis.epochs["epoch"])))}
    for update in analysis.updates.iter_rows(named=True):
        for key in values:
            if key[0] == order[update["epoch"]] and not update["final"]:
                shown[(*key, update["step"])] = update.get(key[1])
    for row in rows:
        row.laws |= {law or "undecided" for law in analysis.runs["law"].to_list()}
    for found in analysis.batches.iter_rows(named=True):
        key = order[found["epoch"]], found["metric"]
        if key not in values or found["estimate"] is None:
            continue
        part = values[key][found["first_step"] - 1 : found["step"]]
        true = float(np.average(part[:, 1], weights=part[:, 0]))
        if np.isfinite(true):
            _add(rows, found, true, spread[key], shown.get((*key, found["step"])))
    for found in analysis.metrics.iter_rows(named=True):
        key = order[found["epoch"]], found["metric"]
        value = ends.get(key)
        true = np.nan if value is None else value
        if key in values and true and found["mean"] is not None and np.isfinite(true):
            for row in rows:
                row.printed.append(found["shown"] / true - 1)
                row.mean.append(found["mean"] / true - 1)


def _add(
    rows: list[Row], found: dict[str, Any], true: float, unit: float, shown: float | None
) -> None:
    """Add one interval to several rows."""
    miss = ((found["estimate"] - true) / unit) ** 2
    for row in rows:
        row.covered.append(found["estimate_low"] <= true <= found["estimate_high"])
        row.width.append((found["estimate_high"] - found["estimate_low"]) / 2 / unit)
        if shown is not None and np.isfinite(shown):
            row.shown.append(((shown - true) / unit) ** 2)
        if found["value"] is not None:
            row.inside.append(found["low"] <= true <= found["high"])
            plain = ((found["value"] - true) / unit) ** 2
            row.plain.append(plain)
            row.estimate.append(miss)
            if found["step"] > LATE:
                row.late.append((miss, plain))


def main(folder: Path) -> None:
    """Print the table."""
    table: dict[str, Row] = defaultdict(Row)
    logs = sorted(folder.glob("*/*.log"))
    if not logs:
        sys.exit(f"no logs with truth in {folder}")
    for log in logs:
        version, kind = log.parent.name, log.name.split(".")[0]
        law = {"keras-3.0.5": "mean of means", "keras-3.12.0": "mean of means, true end"}
        names = (f"{version} {kind}", f"all {kind}", f"all {law.get(version, 'mean')}", "all")
        measure(log, [table[name] for name in names])
    print(
        "| log | law found | intervals | in hard bounds | in 95 % band | half width | RMSE shown "
        "| RMSE plain | RMSE estimate | past step 300: estimate / plain | printed epoch value off "
        "| recovered off |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for name in sorted(table, key=lambda name: (name.startswith("all"), name)):
        print(table[name].line(name))
    print(
        "\nWidths and RMSE in standard deviations of the epoch's batch values; plain and estimate "
        "over the intervals that have an exact inverse."
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
