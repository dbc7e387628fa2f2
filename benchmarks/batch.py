"""Makes logs of about 200 KB in real forms and times ``logparse report`` over all of them.

    python benchmarks/batch.py [--logs 2000] [--kilobytes 200] [--jobs 2] [--broken]

Prints logs a second, processor time a log and what each stage has of it, the sizes of the index and
of the largest page, and how much faster a second report is. ``--broken`` breaks 50 of 1,000 logs in
the ways of the tests, and compares the others with single analyses.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import text

LENGTHS = (2000, 400, 150, 60)
"""Steps of an epoch; a log of 200 KB holds one long epoch or many short ones."""


def make_logs(folder: Path, count: int, kilobytes: float) -> None:
    """Logs of every form and length of epoch, each with values of its own."""
    forms = list(text.FORMS)
    for i in range(count):
        text.STEPS = LENGTHS[i // len(forms) % len(LENGTHS)]
        rng = np.random.default_rng(i)
        out, size, epoch = [], 0, 0
        form = forms[i % len(forms)]
        steps = np.arange(1, text.STEPS + 1)
        while size < kilobytes * 1000:
            epoch += 1
            level = 2 / np.sqrt(epoch) + 0.3
            loss = np.cumsum(level + rng.normal(0, 0.3, text.STEPS)) / steps
            acc = np.cumsum(np.clip(rng.normal(0.5, 0.1, text.STEPS), 0, 1)) / steps
            out.append("".join(text._epoch(form, epoch, loss, acc, level)).encode())
            size += len(out[-1])
        path = folder / f"group{i % 40:02}" / f"run{i:05}" / "train.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(out)[: int(kilobytes * 1000)])
        os.utime(path, (1e9, 1e9))


def used() -> float:
    """Processor seconds of the processes that ended so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def command(tree: Path, out: Path, jobs: int) -> tuple[float, float, int]:
    """Wall and processor seconds of a whole report, and its exit code."""
    args = ["report", str(tree), "-o", str(out), "--jobs", str(jobs), "-q"]
    start, before = time.perf_counter(), used()
    code = subprocess.run(
        [sys.executable, "-m", "logparse", *args], stdout=subprocess.DEVNULL, check=False
    ).returncode
    return time.perf_counter() - start, used() - before, code


def stages(tree: Path, out: Path) -> dict[str, float]:
    """Processor seconds of each stage, from a report made in one process."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    from logparse.batch.executors import workers
    from logparse.batch.run import report

    before = time.process_time()
    with workers(1) as found:
        parts = report(str(tree), str(out), found).stages
    whole = time.process_time() - before
    return parts | {"write, index and data set": whole - sum(parts.values())}


def speed(folder: Path, logs: int, kilobytes: float, jobs: int) -> None:
    """Time a first and a second report."""
    make_logs(folder / "tree", logs, kilobytes)
    seconds, cpu, code = command(folder / "tree", folder / "out", jobs)
    pages = sorted(path.stat().st_size for path in (folder / "out" / "runs").iterdir())
    print(f"{logs:,} logs of {kilobytes:.0f} KB with {jobs} processes, exit code {code}")
    print(f"  {logs / seconds:.1f} a second; {1000 * cpu / logs:.1f} ms of processor time a log")
    print(f"  index {(folder / 'out' / 'index.html').stat().st_size / 1e6:.2f} MB")
    print(f"  pages {pages[len(pages) // 2] / 1e3:.0f} KB, the largest {pages[-1] / 1e3:.0f} KB")
    again, cpu_again, _ = command(folder / "tree", folder / "out", jobs)
    print(
        f"  again: {again:.2f} s, {seconds / again:.0f} x faster ({cpu / cpu_again:.0f} x in cpu)"
    )
    some = folder / "some"
    for path in sorted((folder / "tree").rglob("*.log"))[: min(logs, 120)]:
        (some / path.parent.name).mkdir(parents=True)
        shutil.copy(path, some / path.parent.name)
    parts = stages(some, folder / "some-out")
    for name, part in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"  {100 * part / sum(parts.values()):5.1f} %  {name}")


def broken(folder: Path, jobs: int) -> None:
    """1,000 logs, 50 broken: the others are as single analyses say."""
    import polars as pl

    import logparse
    from logparse.reports.export import safe_cells
    from tests.batch.help import BROKEN, TABLES, data

    tree, out = folder / "tree", folder / "out"
    make_logs(tree, 950, 20)
    good = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.log"))
    log = (tree / good[0]).read_bytes()
    ways = list(BROKEN.items())
    for i in range(50):
        name, breaks = ways[i % len(ways)]
        (tree / f"broken{i:02}").mkdir()
        (tree / f"broken{i:02}" / name).write_bytes(breaks(log))
    _, _, code = command(tree, out, jobs)
    tables = data(out)
    by_log = {name: tables[name].partition_by("log", as_dict=True) for name in TABLES[1:]}
    same = 0
    for name in good:
        single = logparse.analyze(tree / name)
        same += all(
            safe_cells(single.table(table)).equals(rows[name,].drop("log"))
            if (name,) in (rows := by_log[table])
            else single.table(table).height == 0
            for table in TABLES[1:]
        )
    failed = tables["logs"].filter(pl.col("status") == "failed")
    explained = failed.height - failed["reason"].null_count()
    print(f"1,000 logs, 50 broken: {same} equal to single runs, {explained} explained, exit {code}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--logs", type=int, default=2000)
    options.add_argument("--kilobytes", type=float, default=200)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--broken", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.broken:
            broken(Path(folder), given.jobs)
        else:
            speed(Path(folder), given.logs, given.kilobytes, given.jobs)


if __name__ == "__main__":
    main()
