"""Time to read TensorBoard scalars into a dataframe: logparse and its peers on files made here.

    python benchmarks/events.py [--peers PYTHON] [--scalars N] [--repeat K] [--out FILE.json]

Every reader runs in a process of its own on a warm cache; imports and the start of the process
are not counted, nor what a reader imports late: each reads a file of 100 scalars first. The start
of tensorboard-data-server (some milliseconds) is counted. ``--peers`` names a
Python that has tensorboard, tensorboard-data-server, tbparse and polars; without it the peers are
left out. Peak memory is that of the whole process, its server included. logparse checks the CRC
of every record; tensorboard-data-server does not unless told to.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# ---------------------------------------------------------------- readers: path -> rows


def read_limit(path: str) -> int:
    import numpy as np

    for file in event_files(path):
        with open(file, "rb") as stream:
            view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            np.frombuffer(view, np.uint8).sum()
    return 0


def read_logparse(path: str) -> int:
    from logparse.reading.event_frame import scalars_frame
    from logparse.reading.event_runs import open_folder

    return scalars_frame(open_folder(path)).height


def read_protobuf(path: str, *, check: bool = False) -> int:
    import google_crc32c
    import numpy as np
    import polars as pl

    try:
        from tensorboard.compat.proto.event_pb2 import Event
    except ImportError:
        from logparse.reading.event_pb import Event
    rows = []
    for file in event_files(path):
        data = Path(file).read_bytes()
        at = 0
        while at + 16 <= len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            payload = data[at + 12 : at + 12 + length]
            if check:
                crc = google_crc32c.value(payload)
                masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
                assert masked == struct.unpack_from("<I", data, at + 12 + length)[0]
            event = Event.FromString(payload)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    number = value.simple_value
                else:
                    number = float(np.frombuffer(value.tensor.tensor_content, "<f4")[0])
                rows.append((event.wall_time, event.step, value.tag, number))
            at += 16 + length
    frame = pl.DataFrame(rows, ["wall_time", "step", "tag", "value"], orient="row")
    return frame.height


def read_protobuf_crc(path: str) -> int:
    return read_protobuf(path, check=True)


def read_tbparse(path: str) -> int:
    from tbparse import SummaryReader

    kinds = {"scalars", "tensors"}
    reader = SummaryReader(path, event_types=kinds, extra_columns={"dir_name", "wall_time"})
    return len(reader.scalars) + len(reader.tensors)


def read_accumulator(path: str) -> int:
    import pandas as pd
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    rows = []
    for folder in sorted({os.path.dirname(file) for file in event_files(path)}):
        source = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0})
        source.Reload()
        for tag in source.Tags()["scalars"]:
            rows += [(tag, e.wall_time, e.step, e.value) for e in source.Scalars(tag)]
        for tag in source.Tags()["tensors"]:
            rows += [
                (tag, e.wall_time, e.step, float(tensor_util.make_ndarray(e.tensor_proto)))
                for e in source.Tensors(tag)
            ]
    return len(pd.DataFrame(rows, columns=["tag", "wall_time", "step", "value"]))


def read_data_server(path: str) -> int:
    """All scalars through gRPC, from the start of the server on, once it has them all."""
    import tensorboard_data_server

    with tempfile.TemporaryDirectory() as folder:
        port = Path(folder, "port")
        options = ["--reload", "once", "--port", "0", "--port-file", str(port)]
        options += ["--samples-per-plugin", "scalars=all", "--die-after-stdin"]
        command = [tensorboard_data_server.server_binary(), "--logdir", path, *options]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as server:
            try:
                while not (port.exists() and port.read_text().endswith("\n")):
                    time.sleep(0.001)
                rows = _ask_data_server(int(port.read_text()))
                server_peak.append(peak_mb(str(server.pid)))
            finally:
                server.kill()
    return rows


server_peak: list[float] = []


def peak_mb(process: str) -> float:
    """Peak memory of a process; its rusage would count the process that started it too."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _ask_data_server(port: int) -> int:
    import grpc
    import polars as pl
    from tensorboard.data.proto import data_provider_pb2 as pb
    from tensorboard.data.proto import data_provider_pb2_grpc as service

    options = [("grpc.max_receive_message_length", 1 << 30)]
    channel = grpc.insecure_channel(f"localhost:{port}", options=options)
    stub = service.TensorBoardDataProviderStub(channel)
    tags_wanted, last_step = (int(os.environ[f"BENCHMARK_{x}"]) for x in ("TAGS", "STEPS"))
    ask = pb.ListScalarsRequest(experiment_id="x", plugin_filter={"plugin_name": "scalars"})
    while True:
        listed = stub.ListScalars(ask, wait_for_ready=True).runs
        last = [tag.metadata.max_step for run in listed for tag in run.tags]
        if len(last) == tags_wanted and min(last) == last_step:
            break
        time.sleep(0.002)
    want = pb.ReadScalarsRequest(experiment_id="x", plugin_filter={"plugin_name": "scalars"})
    want.downsample.num_points = 1 << 30
    frames = []
    for run in stub.ReadScalars(want).runs:
        for tag in run.tags:
            data = tag.data
            columns = {"step": data.step, "wall_time": data.wall_time, "value": data.value}
            frame = pl.DataFrame({name: list(column) for name, column in columns.items()})
            frames.append(frame.with_columns(run=pl.lit(run.run_name), tag=pl.lit(tag.tag_name)))
    return pl.concat(frames).height


READERS: dict[str, Callable[[str], int]] = {
    "mmap and sum": read_limit,
    "logparse": read_logparse,
    "protobuf loop": read_protobuf,
    "protobuf loop with crc": read_protobuf_crc,
    "tensorboard-data-server": read_data_server,
    "tbparse": read_tbparse,
    "EventAccumulator": read_accumulator,
}
_PEERS = ("tensorboard-data-server", "tbparse", "EventAccumulator")
_IMPORTS = {
    "logparse": "polars, logparse.reading.event_frame",
    "tensorboard-data-server": (
        "tensorboard_data_server, grpc, polars, tensorboard.data.proto.data_provider_pb2_grpc"
    ),
    "tbparse": "tbparse",
    "EventAccumulator": "pandas, tensorboard.backend.event_processing.event_accumulator",
}


def event_files(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    return sorted(str(file) for file in Path(path).rglob("*tfevents*"))


# ---------------------------------------------------------------- files


def framed(payload: bytes) -> bytes:
    from logparse.reading.crc32c import crc, mask

    head = struct.pack("<Q", len(payload))
    parts = (head, struct.pack("<I", mask(crc(head))), payload)
    return b"".join((*parts, struct.pack("<I", mask(crc(payload)))))


def records(count: int, *, simple: bool, seed: int) -> Iterator[bytes]:
    """``count`` scalars as Keras writes them: two tags a step, as tensors or simple values."""
    import random

    from logparse.reading.event_pb import Event

    random_ = random.Random(seed)
    wall = 1.75e9 + seed
    yield framed(Event(wall_time=wall, file_version="brain.Event:2").SerializeToString())
    for index in range(count):
        wall += 0.005 + 0.001 * random_.random()
        event = Event(wall_time=wall, step=index // 2 + 1)
        value = event.summary.value.add(tag=("batch_accuracy", "batch_loss")[index % 2])
        if simple:
            value.simple_value = random_.random()
        else:
            value.tensor.dtype = 1
            value.tensor.tensor_shape.SetInParent()
            value.tensor.tensor_content = struct.pack("<f", random_.random())
            value.metadata.plugin_data.plugin_name = "scalars"
        yield framed(event.SerializeToString())


def write(path: Path, count: int, *, simple: bool, seed: int = 0) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(records(count, simple=simple, seed=seed)))


# ---------------------------------------------------------------- one process a reading


def one(reader: str, path: str) -> None:
    """Read once in this process and print what it cost as JSON."""
    for module in _IMPORTS.get(reader, "polars, numpy, google_crc32c").split(", "):
        __import__(module)
    warm_up(reader)
    server = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = server.ru_utime + server.ru_stime
    wall, cpu = time.perf_counter(), time.process_time()
    rows = READERS[reader](path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    server = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {
        "wall": wall,
        "cpu": cpu + server.ru_utime + server.ru_stime - before,
        "peak_mb": peak_mb("self") + sum(server_peak),
        "rows": rows,
    }
    print(json.dumps(cost))


def warm_up(reader: str) -> None:
    """Read a small file, so that what is imported at the first reading is not counted."""
    size = {"BENCHMARK_TAGS": "2", "BENCHMARK_STEPS": "50"}
    wanted = {name: os.environ[name] for name in size}
    os.environ.update(size)
    READERS[reader](os.environ["BENCHMARK_SMALL"])
    os.environ.update(wanted)
    server_peak.clear()


def measure(
    reader: str, path: str, python: str, size: dict[str, int], small: Path
) -> dict[str, float]:
    environment = {f"BENCHMARK_{key.upper()}": str(value) for key, value in size.items()}
    environment["BENCHMARK_SMALL"] = str(small)
    return run([python, __file__, "--one", reader, path], os.environ | environment)


def run(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-1500:], file=sys.stderr)
        return {"wall": float("nan"), "cpu": float("nan"), "peak_mb": float("nan"), "rows": -1}
    cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", metavar="PYTHON", help="Python that has the peers")
    parser.add_argument("--scalars", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="the fastest reading counts")
    parser.add_argument("--only", action="append", choices=READERS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("READER", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(*options.one)
        return
    results = []
    with tempfile.TemporaryDirectory() as folder:
        sets = write_sets(Path(folder), options.scalars)
        small = Path(folder, "small")
        write(small / "events.out.tfevents.1.host", 100, simple=False)
        for name, (path, size) in sets.items():
            print(f"\n{name}: {size['rows']:,} scalars, {size['bytes'] / 1e6:.0f} MB")
            for reader in options.only or READERS:
                python = options.peers if reader in _PEERS else sys.executable
                if python is None:
                    print(f"  {reader:26} not measured: no --peers")
                    continue
                repeat = 1 if reader in ("tbparse", "EventAccumulator") else options.repeat
                costs = [measure(reader, str(path), python, size, small) for _ in range(repeat)]
                best = min(costs, key=lambda cost: cost["wall"])
                best["peak_mb"] = max(cost["peak_mb"] for cost in costs)
                results.append({"files": name, "reader": reader, **best})
                print(
                    f"  {reader:26} wall {best['wall']:8.3f} s  cpu {best['cpu']:8.3f} s"
                    f"  peak {best['peak_mb']:6.0f} MB  rows {best['rows']:,.0f}"
                )
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


def write_sets(folder: Path, scalars: int) -> dict[str, tuple[Path, dict[str, int]]]:
    sets = {}
    for name, simple in (("one file of tensors", False), ("one file of simple values", True)):
        path = folder / name.replace(" ", "_")
        write(path / "events.out.tfevents.1.host", scalars, simple=simple)
        sets[name] = (path, {"rows": scalars, "tags": 2, "steps": scalars // 2})
    path = folder / "runs"
    for number in range(200):
        file = path / f"run{number:03}" / f"events.out.tfevents.{number}.host"
        write(file, scalars // 200, simple=False, seed=number)
    size = {"rows": scalars // 200 * 200, "tags": 400, "steps": scalars // 400}
    sets["200 runs"] = (path, size)
    for path, size in sets.values():
        size["bytes"] = sum(os.path.getsize(file) for file in event_files(str(path)))
    return sets


if __name__ == "__main__":
    main()
