from __future__ import annotations

import gzip
import io
import random
import struct
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from events_help import plain_loop, simple, tensor, version

from logparse.errors import NotALogError, SourceError
from logparse.reading.event_frame import scalars_frame
from logparse.reading.event_runs import EventFile, group_runs, open_folder, read_runs
from logparse.reading.tfrecord import BAD_CHECKSUM


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def fit(start: float, steps: range, tag: str = "batch_loss") -> bytes:
    return version(float(int(start))) + b"".join(
        tensor(start + 0.1 * (i + 1), step, tag, step / 8) for i, step in enumerate(steps)
    )


def test_runs_of_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "a/train/events.out.tfevents.20.h.1.2.v2", fit(20.7, range(1, 4)))
    put(tmp_path, "a/train/events.out.tfevents.20.h.1.0.v2", fit(10.2, range(1, 6)))
    put(tmp_path, "a/train/events.out.tfevents.20.h.profile-empty", version())
    put(tmp_path, "a/validation/x.tfevents", fit(10.9, range(1), "epoch_loss"))
    put(tmp_path, "a/validation/y.tfevents", fit(21.9, range(1), "epoch_loss"))
    put(tmp_path, "b/deep/run.tfevents.renamed", fit(1.0, range(2)))
    put(tmp_path, "b/notes.txt", b"no events")
    runs = open_folder(tmp_path)
    assert [run.name for run in runs] == ["a", "b/deep"]
    places = [(s.file.name.rsplit("/", 2)[1:], s.part, s.number) for s in runs[0].segments]
    assert places == [
        (["train", "events.out.tfevents.20.h.1.0.v2"], "train", 1),
        (["validation", "x.tfevents"], "validation", 1),
        (["train", "events.out.tfevents.20.h.1.2.v2"], "train", 2),
        (["validation", "y.tfevents"], "validation", 2),
    ]
    frame = runs[0].frame()
    assert frame["step"].to_list() == [1, 2, 3, 4, 5, 0, 1, 2, 3, 0]
    assert frame["segment"].to_list() == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert frame["file"].to_list() == [0, 0, 0, 0, 0, 1, 2, 2, 2, 3]
    assert frame["order"].to_list() == [0, 1, 2, 3, 4, 0, 0, 1, 2, 0]
    assert set(frame["dtype"]) == {"float32"}
    assert runs[0].segments[0].kinds == {"file_version": 1}
    both = scalars_frame(runs)
    assert both["run"].to_list() == ["a"] * 10 + ["b/deep"] * 2
    assert both.filter(both["run"] == "a").drop("run").equals(frame.drop("run"))


def test_restarts(tmp_path: Path) -> None:
    put(tmp_path, "1.tfevents", fit(10.0, range(1, 6)))
    data = fit(20.0, range(3, 5)) + fit(21.0, [9, 3, 3, 4], "other")  # type: ignore[arg-type]
    put(tmp_path, "2.tfevents", data)
    (run,) = open_folder(tmp_path)

    def rows(restarts: str) -> list[tuple[str, int, int]]:
        frame = run.frame(restarts=restarts)  # type: ignore[arg-type]
        return list(frame.select("tag", "segment", "step").iter_rows())

    loss = [("batch_loss", 1, step) for step in range(1, 6)]
    again = [("batch_loss", 2, 3), ("batch_loss", 2, 4)]
    assert rows("keep") == [*loss, *again, *(("other", 2, step) for step in (9, 3, 3, 4))]
    assert rows("segment") == [
        *loss,
        *again,
        ("other", 1, 9),
        ("other", 2, 3),
        ("other", 3, 3),
        ("other", 3, 4),
    ]
    assert rows("preempt") == [*loss[:2], *again, ("other", 2, 3), ("other", 2, 4)]


def test_files_within_a_second_are_ordered_by_their_first_value(tmp_path: Path) -> None:
    put(tmp_path, "b.tfevents", fit(5.1, range(2)))
    put(tmp_path, "a.tfevents", fit(5.6, range(2)))
    put(tmp_path, "c.tfevents", version(5.0))
    put(tmp_path, "0.tfevents", b"")
    (run,) = open_folder(tmp_path)
    assert [s.file.name for s in run.segments] == [
        "c.tfevents",
        "b.tfevents",
        "a.tfevents",
        "0.tfevents",
    ]


def test_a_single_file_and_a_part_alone(tmp_path: Path) -> None:
    path = put(tmp_path, "run/validation/x.tfevents", fit(1.0, range(3)))
    for given in (path, path.parent):
        (run,) = open_folder(given)
        assert [(s.part, s.number) for s in run.segments] == [("validation", 1)]
        assert run.frame().height == 3


def test_nothing_to_read(tmp_path: Path) -> None:
    put(tmp_path, "log.txt", b"")
    with pytest.raises(NotALogError):
        open_folder(tmp_path)
    with pytest.raises(SourceError):
        open_folder(tmp_path / "absent")
    assert scalars_frame([]).height == 0


def test_damage_stays_in_its_file(tmp_path: Path) -> None:
    data = bytearray(fit(1.0, range(30)))
    data[200] ^= 1
    put(tmp_path, "a.tfevents", bytes(data))
    put(tmp_path, "b.tfevents", fit(2.0, range(30))[:-5])
    (run,) = open_folder(tmp_path)
    assert [s.reject_counts for s in run.segments] == [{BAD_CHECKSUM: 1}, {}]
    assert [s.account.size for s in run.segments] == [len(data), len(data) - 5]
    assert run.segments[1].account.pending == 63
    assert run.frame().height == 29 + 29


def test_large_and_small_files_together(tmp_path: Path) -> None:
    make = random.Random(1)
    data = {}
    for number, count in enumerate([3, 60_000, 500, 40_000, 0, 7]):
        body = b"".join(
            simple(1e9 + number, i, make.choice("ab"), make.random()) for i in range(count)
        )
        data[f"{number}.tfevents"] = version(1e9) + body
        put(tmp_path, f"{number}.tfevents", data[f"{number}.tfevents"])
    frame = open_folder(tmp_path)[0].frame()
    want = [row for name in sorted(data) for row in plain_loop(data[name])]
    columns = frame.select("byte", "step", "tag", "value").iter_rows()
    assert list(columns) == [(r[0], r[2], r[3], struct.unpack("<d", r[4])[0]) for r in want]


def test_a_compressed_file(tmp_path: Path) -> None:
    data = fit(1.0, range(500))
    put(tmp_path, "a.tfevents.gz", gzip.compress(data))
    put(tmp_path, "b.tfevents.gz", gzip.compress(data)[:-2000])
    (run,) = open_folder(tmp_path)
    assert run.frame().filter(pl.col("file") == 0)["step"].to_list() == list(range(500))
    assert run.segments[0].damage is None
    assert "cut" in (run.segments[1].damage or "")
    assert 0 < run.segments[1].account.read < len(data)


def test_a_remote_folder(tmp_path: Path) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("runs/a/train/x.tfevents", "runs/a/notes.txt", "runs/b/y.tfevents"):
        memory.pipe(f"/{name}", fit(1.0, range(5)))
    runs = open_folder("memory://runs")
    assert [(run.name, run.frame().height) for run in runs] == [("a", 5), ("b", 5)]
    (run,) = open_folder("memory://runs/b/y.tfevents")
    assert run.frame().height == 5
    with pytest.raises(SourceError, match="nothing is there"):
        open_folder("memory://nothing")


def test_files_from_anywhere() -> None:

    def unreadable() -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    files = [EventFile("x/tfevents", lambda: io.BytesIO(fit(1.0, range(4))))]
    assert read_runs(files)[0].frame().height == 4
    assert list(group_runs(files)) == ["x"]
    with pytest.raises(SourceError, match="Permission denied"):
        read_runs([EventFile("tfevents", unreadable)])


def test_the_benchmark_runs() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "events.py"
    command = [sys.executable, str(script), "--scalars", "2000", "--repeat", "1"]
    command += ["--only", "logparse", "--only", "protobuf loop"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[-1] for line in done.stdout.splitlines() if "wall" in line] == [
        "2,000"
    ] * 6
