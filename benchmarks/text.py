"""Makes three 200 MB logs and times logparse, a plain regex loop and ``wc -l`` on each.

    python benchmarks/text.py [--megabytes 200] [--runs 3] [--memory]

Whole processes, warm files, in turn: the ratio is that of the medians. The loop is what people
write: one compiled regular expression a line, the same columns, a polars frame at the end.
``--memory`` also reads a log of ten times the size and prints the peak of both.
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


def write_log(path: Path, form: str, megabytes: float) -> int:
    """Write a log of about that size in one of ``FORMS``; the number of updates."""
    rng = np.random.default_rng(1)
    done = updates = epoch = 0
    steps = np.arange(1, STEPS + 1)
    with path.open("wb") as log:
        while done < megabytes * 1e6:
            epoch += 1
            level = 2 / np.sqrt(epoch) + 0.3
            loss = np.cumsum(level + rng.normal(0, 0.3, STEPS)) / steps
            acc = np.cumsum(np.clip(rng.normal(0.5, 0.1, STEPS), 0, 1)) / steps
            block = "".join(_epoch(form, epoch, loss, acc, level)).encode()
            log.write(block)
            done += len(block)
            updates += STEPS + 1
    return updates


def _epoch(form: str, epoch: int, loss: np.ndarray, acc: np.ndarray, level: float) -> list[str]:
    out = [f"Epoch {epoch}/9999\n"]
    back = {"lines": "", "redrawn": "\b" * 88 + "\r", "keras3": "\b" * 75 + "\r"}[form]
    end = "\n" if form == "lines" else ""
    for k in range(1, STEPS + 1):
        left = (STEPS - k) // 20
        eta = f"{left // 60}:{left % 60:02d}" if left > 60 else f"{left}s"
        if form == "keras3":
            out.append(f"{back}{_heavy(k)} \x1b[1m{eta}\x1b[0m 50ms/step"
                       f" - accuracy: {acc[k - 1]:.4f} - loss: {loss[k - 1]:.4f}")  # fmt: skip
        else:
            out.append(f"{back}{_bar(k)} - ETA: {eta}"
                       f" - loss: {loss[k - 1]:.4f} - accuracy: {acc[k - 1]:.4f}{end}")  # fmt: skip
    metrics = f" - loss: {loss[-1]:.4f} - accuracy: {acc[-1]:.4f}"
    if form == "keras3":
        metrics = f" - accuracy: {acc[-1]:.4f} - loss: {loss[-1]:.4f}"
        out.append(f"{back}{_heavy(STEPS)} \x1b[1m101s\x1b[0m 50ms/step{metrics}")
    else:
        out.append(f"{back}{_bar(STEPS)} - 101s 50ms/step{metrics}")
    out.append(f" - val_loss: {level:.4f}\n")
    return out


def _bar(k: int) -> str:
    full = k * 30 // STEPS
    head = "" if full == 0 else "=" * (full - 1) + (">" if k < STEPS else "=")
    return f"{k:{len(str(STEPS))}d}/{STEPS} [{head}{'.' * (30 - full)}]"


def _heavy(k: int) -> str:
    full = k * 20 // STEPS
    done = f"\x1b[32m{'━' * full}\x1b[0m" if full else ""
    count = f"{k:{len(str(STEPS))}d}/{STEPS}"
    return f"\x1b[1m{count}\x1b[0m {done}\x1b[37m{'━' * (20 - full)}\x1b[0m"


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak megabytes of a whole process."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{command[0]} ended with status {status}")
    return seconds, usage.ru_maxrss / 1024


def compare(path: Path, form: str, runs: int) -> None:
    """Time the three in turn and print their medians and ratios."""
    size = path.stat().st_size / 1e6
    commands: dict[str, list[str]] = {
        "logparse analyze": [sys.executable, "-m", "logparse", "analyze", str(path)],
        "loop": [sys.executable, "-c", LOOP, str(path), form],
        "wc -l": ["wc", "-l", str(path)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    peaks = dict.fromkeys(commands, 0.0)
    for turn in range(runs + 1):
        for name, command in commands.items():
            seconds, peak = run(command)
            if turn:
                times[name].append(seconds)
                peaks[name] = max(peaks[name], peak)
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    ours = middle["logparse analyze"]
    print(f"\n{FORMS[form]}, {size:.0f} MB")
    for name in commands:
        print(
            f"  {name:17} {middle[name]:7.2f} s  {size / middle[name]:7.0f} MB/s"
            f"  peak {peaks[name]:5.0f} MB  {middle[name] / ours:6.2f} x"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--megabytes", type=float, default=200)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--forms", nargs="*", choices=list(FORMS), default=list(FORMS))
    options.add_argument("--memory", action="store_true", help="also a log of ten times the size")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.log")
        for form in given.forms:
            updates = write_log(path, form, given.megabytes)
            print(f"\n{updates:,} updates", end="")
            compare(path, form, given.runs)
        if given.memory:
            write_log(path, "lines", 10 * given.megabytes)
            command = [sys.executable, "-m", "logparse", "analyze", str(path)]
            seconds, peak = run(command)
            print(f"\n{path.stat().st_size / 1e6:.0f} MB: {seconds:.1f} s, peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
