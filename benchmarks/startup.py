"""Time to start: ``logparse analyze`` on a short log beside ``import polars``, and their ratio.

    python benchmarks/startup.py [LOG] [--repeat K]

Each run is a process of its own; the two take turns, so that what else the machine does hits
both. The first run of each is not counted: it fills the disk cache and writes the bytecode, which
an installed package has. The target is a ratio of at most 2.5.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOG = Path(__file__).parents[1] / "sample_logs" / "keras-3.15.1" / "fit.log"


def seconds(args: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *args], env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise SystemExit(f"{args} ended with {done.returncode}")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", nargs="?", type=Path, default=LOG)
    parser.add_argument("--repeat", type=int, default=11)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        commands = {
            "python": ["-c", "pass"],
            "logparse --help": ["-m", "logparse", "--help"],
            "import polars": ["-c", "import polars"],
            "logparse analyze": ["-m", "logparse", "analyze", str(given.log)],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(given.repeat + 1):
            for name, args in commands.items():
                times[name].append(seconds(args, environment))
    medians = {name: statistics.median(runs[1:]) for name, runs in times.items()}
    print(f"{given.log.name}: {given.log.stat().st_size / 1000:.0f} KB, {given.repeat} runs")
    for name, runs in times.items():
        print(f"{name:<18}{medians[name]:6.3f} s  ({min(runs[1:]):.3f} to {max(runs[1:]):.3f})")
    print(f"ratio {medians['logparse analyze'] / medians['import polars']:.2f} (target 2.5)")


if __name__ == "__main__":
    main()
