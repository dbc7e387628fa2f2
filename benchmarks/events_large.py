"""Memory and time for an event file that fits into no memory: made here, read, and removed.

    python -m benchmarks.events_large [--gigabytes 5] [--folder DIR]

The file is one long training as Keras writes it: epochs of 35,000 batches, two metrics a batch,
the end of each epoch with its values. It is read by ``logparse analyze`` and, block by block, by
``event_runs.stream_scalars``. Peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from logparse.reading import crc32c
from logparse.reading.event_pb import Event

STEPS = 35_000
"""Batches of an epoch."""

METRICS = ("accuracy", "loss")
TIMES = slice(1, 9)
"""Bytes of an event that hold its wall time, of a record those 12 further on."""


def framed(payload: bytes) -> bytes:
    """One record."""
    head = struct.pack("<Q", len(payload))
    parts = (head, struct.pack("<I", crc32c.header_crc(len(payload))), payload)
    return b"".join((*parts, struct.pack("<I", crc32c.mask(crc32c.crc(payload)))))


def event(wall_time: float, step: int, tag: str, value: float) -> bytes:
    """A scalar as Keras writes it."""
    made = Event(wall_time=wall_time, step=step)
    item = made.summary.value.add(tag=tag)
    item.tensor.dtype = 1
    item.tensor.tensor_shape.SetInParent()
    item.tensor.tensor_content = struct.pack("<f", value)
    item.metadata.plugin_data.plugin_name = "scalars"
    return bytes(made.SerializeToString())


def batches(tag: str, steps: NDArray[np.int64], wall: NDArray[np.float64]) -> NDArray[np.uint8]:
    """[n, bytes] records of one metric whose steps need equally many bytes.

    One is made by protobuf; in the others time, step, value and checksum are replaced.
    """
    rng = np.random.default_rng(int(steps[0]))
    value = (1 + 0.1 * rng.standard_normal(len(steps))).astype("<f4")
    payload = event(1.0, int(steps[0]), tag, 1.0)
    size = len(varint(int(steps[0])))
    rows = np.tile(np.frombuffer(framed(payload), np.uint8), (len(steps), 1))
    body = rows[:, 12:-4]
    place = payload.index(struct.pack("<f", 1.0), 10)
    body[:, TIMES] = wall.view(np.uint8).reshape(-1, 8)
    body[:, place : place + 4] = value.view(np.uint8).reshape(-1, 4)
    for digit in range(size):
        more = 0x80 if digit < size - 1 else 0
        body[:, 10 + digit] = (steps >> (7 * digit)) & 0x7F | more
    whole = np.full(len(steps), crc32c.crc(bytes(len(payload))), np.uint32)
    for at in range(len(payload)):
        whole ^= crc32c.table(len(payload) - 1 - at)[body[:, at]]
    rows[:, -4:] = crc32c.mask_all(whole).view(np.uint8).reshape(-1, 4)
    return rows


def varint(number: int) -> bytes:
    """A step as protobuf writes it."""
    return bytes(Event(step=number).SerializeToString())[1:]


def epochs(size: int) -> Iterator[bytes]:
    """Records of epoch after epoch until there are ``size`` bytes."""
    wall, step, epoch, written = 1.75e9, 0, 0, 0
    yield framed(Event(wall_time=wall, file_version="brain.Event:2").SerializeToString())
    while written < size:
        steps = np.arange(step + 1, step + STEPS + 1, dtype=np.int64)
        times = wall + 0.005 * np.arange(1, STEPS + 1)
        parts = []
        edges = [0, *(np.searchsorted(steps, [1 << 7, 1 << 14, 1 << 21, 1 << 28])), STEPS]
        for first, last in pairwise(edges):
            if last > first:
                part = slice(first, last)
                made = [batches(f"batch_{name}", steps[part], times[part]) for name in METRICS]
                parts.append(np.concatenate(made, axis=1).tobytes())
        wall, step = float(times[-1]) + 0.5, step + STEPS
        ends = [framed(event(wall, epoch, f"epoch_{name}", 1.0)) for name in METRICS]
        block = b"".join([*parts, *ends])
        written, epoch = written + len(block), epoch + 1
        yield block


def stream(path: str) -> None:
    """Read all scalars block by block in this process and print what it cost as JSON."""
    from logparse.reading.event_runs import find_files, group_runs, stream_scalars
    from logparse.reading.tfevents import EventsReader

    files, own_name = find_files(path)
    rows, total = 0, 0.0
    for segments in group_runs(files, own_name).values():
        for segment in segments:
            for block in stream_scalars(segment, EventsReader()):
                rows, total = rows + len(block), total + float(block.value.sum())
    print(json.dumps({"rows": rows, "sum": total}))


def measured(name: str, command: list[str]) -> str:
    """Run a command, print what it cost; gives its output."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    print(
        f"  {name:24} wall {wall:7.1f} s  cpu {used.ru_utime + used.ru_stime:7.1f} s"
        f"  peak {used.ru_maxrss / 1024:5.0f} MB  exit code {process.returncode}"
    )
    return output


def main() -> None:
    """Write the file, read it in each way, remove it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--folder", type=Path, help="where there is room for the file")
    parser.add_argument("--stream", metavar="PATH", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stream:
        stream(options.stream)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "train", "events.out.tfevents.1750000000.host.1.0.v2")
        path.parent.mkdir()
        with path.open("wb") as file:
            for block in epochs(int(options.gigabytes * 1e9)):
                file.write(block)
        print(f"{path.stat().st_size / 1e9:.2f} GB of events")
        python = [sys.executable, "-m"]
        print(" ", measured("streamed", [*python, "benchmarks.events_large", "--stream", folder]))
        command = [*python, "logparse", "analyze", folder, "--format", "json"]
        found = json.loads(measured("logparse analyze", command))
        epochs_found = found["logs"][0]["epochs"]
        print(f"    {len(epochs_found):,} epochs, the last of {epochs_found[-1]['steps']:,} steps")


if __name__ == "__main__":
    main()
