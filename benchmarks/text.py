"""Makes three 200 MB logs and times logparse, a plain regex loop and ``wc -l`` on each.

    python benchmarks/text.py [--megabytes 200] [--runs 3] [--memory] [--cost]

Whole processes, warm files, in turn: the ratio is that of the medians. The loop is what people
write: one compiled regular expression a line, the same columns, a polars frame at the end.
``--memory`` also reads a log of ten times the size and prints the peak of both. A process that
logparse starts counts: its peak is added.

``--cost`` prints what comes on top of reading alone, which is every column of every update, in one
process with all modules loaded: ``analyze``, whose smoother makes the levels and the noise of each
epoch; and the whole table ``batches``, for which the log is read once more. And what the table of
one epoch of 1,000,000 updates takes beside one of 100,000.
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

import numpy as np

FORMS = {
    "lines": "a line an update",
    "redrawn": "backspaces and carriage returns",
    "keras3": "Keras 3 with colours",
}
PEAK = r"""
import atexit, resource, sys
def say():
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    sys.stderr.write(f"\n{sum(one.ru_maxrss for one in used)}\n")
atexit.register(say)
from logparse.cli import main
main()
"""
"""Runs the command line and prints the kilobytes it needed at most, itself and its copy."""

COST = r"""
import os, sys
from time import perf_counter
import polars
from logparse import analyze
from logparse.reading.keras_log import KerasLog
from logparse.reading.source import open_sources
from logparse.stream import chunks_of
import logparse.findings.registry, logparse.findings.unjudged
logparse.findings.registry.load()
def now():
    used = os.times()
    return perf_counter(), used.user + used.system + used.children_user + used.children_system
begin = now()
for source in open_sources(sys.argv[1]):
    updates = sum(len(chunk.updates) for chunk in chunks_of(KerasLog(), source.blocks()))
read = now()
analysis = analyze(sys.argv[1], sha256=False)
analysed = now()
rows = sum(part.height for part in analysis.in_parts("batches"))
rebuilt = now()
for a, b in ((begin, read), (read, analysed), (analysed, rebuilt)):
    print(b[0] - a[0], b[1] - a[1])
print(updates, rows)
"""
"""Prints wall and processor seconds of reading, of ``analyze``, and of the table ``batches``."""

STEPS = 2000
"""Steps an epoch: some ten minutes at the 50 ms that Keras lets pass between two updates."""

LOOP = r"""
import re, sys
import polars as pl
form = sys.argv[2]
if form == "keras3":
    line = re.compile(
        rb"\x1b\[1m *(\d+)/(\d+)\x1b\[0m [^ ]+ \x1b\[1m([\d:]+)s?\x1b\[0m (\d+)ms/step"
        rb" - accuracy: ([\d.e+-]+) - loss: ([\d.e+-]+)(?: - val_loss: ([\d.e+-]+))?")
else:
    line = re.compile(
        rb" *(\d+)/(\d+) \[[=>.]+\] - (?:ETA: ([\d:]+)s?|(\d+)s (\d+)ms/step)"
        rb" - loss: ([\d.e+-]+) - accuracy: ([\d.e+-]+)(?: - val_loss: ([\d.e+-]+))?")
cut = re.compile(rb"[\r\b\n]+")
def seconds(text):
    total = 0
    for part in text.split(b":"):
        total = total * 60 + int(part)
    return total
epoch = number = at = 0
rows = []
with open(sys.argv[1], "rb") as log:
    for text in log:
        number += 1
        if text.startswith(b"Epoch "):
            epoch += 1
        place = at
        at += len(text)
        for piece in (text,) if form == "lines" else cut.split(text):
            found = line.search(piece)
            if found:
                rows.append((epoch, number, place, *(
                    None if g is None else float(g) if b"." in g else
                    seconds(g) if b":" in g else int(g) for g in found.groups())))
frame = pl.DataFrame(rows, orient="row", infer_schema_length=None)
print(frame.shape)
"""


def write_log(path: Path, form: str, megabytes: float, steps: int = STEPS) -> int:
    """Write a log of about that size in one of ``FORMS``; the number of updates.

    Epochs have ``steps`` steps; there is one at least.
    """
    rng = np.random.default_rng(1)
    done = updates = epoch = 0
    count = np.arange(1, steps + 1)
    with path.open("wb") as log:
        while done < megabytes * 1e6 or not epoch:
            epoch += 1
            level = 2 / np.sqrt(epoch) + 0.3
            loss = np.cumsum(level + rng.normal(0, 0.3, steps)) / count
            acc = np.cumsum(np.clip(rng.normal(0.5, 0.1, steps), 0, 1)) / count
            block = "".join(_epoch(form, epoch, loss, acc, level)).encode()
            log.write(block)
            done += len(block)
            updates += steps + 1
    return updates


def _epoch(form: str, epoch: int, loss: np.ndarray, acc: np.ndarray, level: float) -> list[str]:
    out = [f"Epoch {epoch}/9999\n"]
    steps = len(loss)
    back = {"lines": "", "redrawn": "\b" * 88 + "\r", "keras3": "\b" * 75 + "\r"}[form]
    end = "\n" if form == "lines" else ""
    for k in range(1, steps + 1):
        left = (steps - k) // 20
        eta = f"{left // 60}:{left % 60:02d}" if left > 60 else f"{left}s"
        if form == "keras3":
            out.append(f"{back}{_heavy(k, steps)} \x1b[1m{eta}\x1b[0m 50ms/step"
                       f" - accuracy: {acc[k - 1]:.4f} - loss: {loss[k - 1]:.4f}")  # fmt: skip
        else:
            out.append(f"{back}{_bar(k, steps)} - ETA: {eta}"
                       f" - loss: {loss[k - 1]:.4f} - accuracy: {acc[k - 1]:.4f}{end}")  # fmt: skip
    metrics = f" - loss: {loss[-1]:.4f} - accuracy: {acc[-1]:.4f}"
    if form == "keras3":
        metrics = f" - accuracy: {acc[-1]:.4f} - loss: {loss[-1]:.4f}"
        out.append(f"{back}{_heavy(steps, steps)} \x1b[1m101s\x1b[0m 50ms/step{metrics}")
    else:
        out.append(f"{back}{_bar(steps, steps)} - 101s 50ms/step{metrics}")
    out.append(f" - val_loss: {level:.4f}\n")
    return out


def _bar(k: int, steps: int) -> str:
    full = k * 30 // steps
    head = "" if full == 0 else "=" * (full - 1) + (">" if k < steps else "=")
    return f"{k:{len(str(steps))}d}/{steps} [{head}{'.' * (30 - full)}]"


def _heavy(k: int, steps: int) -> str:
    full = k * 20 // steps
    done = f"\x1b[32m{'━' * full}\x1b[0m" if full else ""
    count = f"{k:{len(str(steps))}d}/{steps}"
    return f"\x1b[1m{count}\x1b[0m {done}\x1b[37m{'━' * (20 - full)}\x1b[0m"


def run(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall seconds of a whole process, and the peak megabytes of its largest part."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{command[0]} ended with status {status}")
    return seconds, usage.ru_maxrss / 1024


def peak(path: Path, environment: dict[str, str]) -> float:
    """Megabytes that ``analyze`` needs at most: those of the process and of one that it starts."""
    command = [sys.executable, "-c", PEAK, "analyze", str(path)]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, check=True
    )
    return float(done.stderr.split()[-1]) / 1024


def compare(path: Path, form: str, runs: int, environment: dict[str, str]) -> None:
    """Time the three in turn and print their medians and ratios."""
    size = path.stat().st_size / 1e6
    commands: dict[str, list[str]] = {
        "logparse analyze": [sys.executable, "-m", "logparse", "analyze", str(path)],
        "loop": [sys.executable, "-c", LOOP, str(path), form],
        "wc -l": ["wc", "-l", str(path)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    peaks = {"logparse analyze": peak(path, environment)}
    for turn in range(runs + 1):
        for name, command in commands.items():
            seconds, most = run(command, environment)
            peaks.setdefault(name, most)
            if turn:
                times[name].append(seconds)
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    ours = middle["logparse analyze"]
    print(f"\n{FORMS[form]}, {size:.0f} MB")
    for name in commands:
        print(
            f"  {name:17} {middle[name]:7.2f} s  {size / middle[name]:7.0f} MB/s"
            f"  peak {peaks[name]:5.0f} MB  {middle[name] / ours:6.2f} x"
        )


def cost(path: Path, environment: dict[str, str]) -> list[float]:
    """Print what ``analyze`` and the table ``batches`` take beside reading; processor seconds."""
    command = [sys.executable, "-c", COST, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    *times, (updates, rows) = (map(float, line.split()) for line in done.stdout.splitlines())
    walls, used = zip(*times, strict=True)
    print(f"\n{path.stat().st_size / 1e6:.0f} MB, {updates:,.0f} updates; seconds (of processor)")
    for name, wall, own in zip(("reading alone", "analyze", "batches"), walls, used, strict=True):
        print(f"  {name:17} {wall:7.2f} ({own:.2f})  {own / used[0]:6.2f} x")
    print(f"  {rows:,.0f} rows of batches, {rows / used[2] / 1e6:.2f} million a second")
    return list(used)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--megabytes", type=float, default=200)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--forms", nargs="*", choices=list(FORMS), default=list(FORMS))
    options.add_argument("--memory", action="store_true", help="also a log of ten times the size")
    options.add_argument("--cost", action="store_true", help="also what comes on top of reading")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.log")
        # As where it is installed: the first run of each writes the bytecode and does not count.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for form in given.forms:
            updates = write_log(path, form, given.megabytes)
            print(f"\n{updates:,} updates", end="")
            compare(path, form, given.runs, environment)
        if given.memory:
            write_log(path, "lines", 10 * given.megabytes)
            seconds, _ = run([sys.executable, "-m", "logparse", "analyze", str(path)], environment)
            most = peak(path, environment)
            print(f"\n{path.stat().st_size / 1e6:.0f} MB: {seconds:.1f} s, peak {most:.0f} MB")
        if given.cost:
            write_log(path, "lines", given.megabytes)
            cost(path, environment)
            write_log(path, "lines", 0, 100_000)
            small = cost(path, environment)
            write_log(path, "lines", 0, 1_000_000)
            large = cost(path, environment)
            growth = [after / before for before, after in zip(small, large, strict=True)]
            print("\nan epoch of 1,000,000 updates beside one of 100,000 (at most 12): ", end="")
            print(", ".join(f"{ratio:.1f} x" for ratio in growth))


if __name__ == "__main__":
    main()
