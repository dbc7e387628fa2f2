"""A folder of logs with the true times beside them in, how many findings of LP2 are true out.

Run: ``python -m benchmarks.slow FOLDER``. Each ``NAME.log`` has its truth in ``NAME.truth.jsonl``:
a row where an epoch began and one where it ended, each with the time ``t``. A finding about an
epoch is false if that epoch took less than ``SLOWER`` times the median of the others. Where
machines were shared while the logs were made, epochs were really slow now and then.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import logparse
from logparse.errors import NotALogError
from logparse.findings.outliers import SLOWER

TOLD = ("LP201", "LP202")
"""Findings about one epoch."""


def true_times(path: Path) -> NDArray[np.float64]:
    """Seconds that each epoch took, in order."""
    times, began = [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row.get("ev") == "epoch_begin":
            began = row["t"]
        elif row.get("ev") == "epoch_end" and began is not None:
            times.append(row["t"] - began)
    return np.array(times)


def main(folder: Path) -> None:
    """A line a finding: what it said and what was true."""
    logs: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for log in sorted(folder.rglob("*.log")):
        truth = log.with_suffix(".truth.jsonl")
        if not truth.exists():
            continue
        logs[log.name.partition(".")[0]] += 1
        try:
            analysis = logparse.analyze(log, select=["LP2"])
        except NotALogError:
            continue
        seconds = true_times(truth)
        place = {epoch: i for i, epoch in enumerate(analysis.epochs["epoch"].to_list())}
        for row in analysis.findings.iter_rows(named=True):
            name = f"{log.parent.name}/{log.name}"
            if row["code"] not in TOLD:
                said["another rule"] += 1
                print(f"{name}: {row['message']}")
                continue
            at = place[row["epoch"]]
            times = float(seconds[at] / np.median(np.delete(seconds, [0, at])))
            verdict = "true" if times >= SLOWER else "false"
            said[verdict] += 1
            print(f"{name}: {row['code']} epoch {row['epoch']}, {times:.2f} times: {verdict}")
    print(f"{dict(logs)}: {dict(said)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
