"""Event files read as they grow say what reading them at their end says."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

import logparse
from logparse import live_events
from logparse.analysis import Analysis
from logparse.errors import SourceError
from logparse.live_events import LiveEvents
from logparse.pipeline import Options
from logparse.reading.follow import News
from tests.reading.events_help import simple, version
from tests.test_watch import watch

TABLES = ("runs", "epochs", "metrics", "findings", "rejects", "tags", "scalars", "updates")


def same(found: Analysis | None, whole: Analysis) -> None:
    """They hold the same, but for the names of files that were renamed."""
    assert found is not None
    for name in TABLES:
        assert_frame_equal(found.table(name), whole.table(name), abs_tol=1e-12)
    assert found.source.read == whole.source.read
    assert found.source.size == whole.source.size


class Writer:
    """Writes real event files piece by piece, and does to them what happens to files."""

    def __init__(self, source: Path, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.left = {
            str(path.relative_to(source)): path.read_bytes()
            for path in sorted(source.rglob("*tfevents*"))
        }

    def append(self) -> None:
        """A piece of the file that is first by name: a later one is a later fit's."""
        name = next(iter(self.left))
        if self.chance.random() < 0.3:
            name = self.chance.choice(list(self.left))
        size = self.chance.choice((1, 40, 700, 5000))
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(self.left[name][:size])
        self.left[name] = self.left[name][size:]
        if not self.left[name]:
            del self.left[name]

    def replace(self) -> None:
        """As rsync does: a copy that goes on takes the place of a file."""
        path = self.chance.choice(sorted(self.folder.rglob("*tfevents*")))
        shutil.copy(path, path.parent / f".{path.name}.new")
        os.replace(path.parent / f".{path.name}.new", path)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_or_doubled(
    sample_logs: Path, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    writer = Writer(sample_logs / "tensorboard" / "two_fits", folder, seed)
    monkeypatch.setattr(live_events, "BLOCKS_KEPT", 5)
    if seed % 2:  # nothing is kept: files are read again for each analysis
        monkeypatch.setattr(live_events, "SCALARS_KEPT", 50)
    live = LiveEvents(str(folder), Options())
    read = 0
    while writer.left:
        writer.append()
        if writer.chance.random() < 0.05:
            read += sum(len(item) for item in live.poll() if isinstance(item, bytes))
            writer.replace()
        if writer.chance.random() < 0.2:
            read += sum(len(item) for item in live.poll() if isinstance(item, bytes))
        if writer.chance.random() < 0.05:
            live.analysis()  # looking changes nothing
    read += sum(len(item) for item in live.poll() if isinstance(item, bytes))
    same(live.analysis(), logparse.analyze(folder))
    assert read == live.size == sum(p.stat().st_size for p in folder.rglob("*tfevents*"))
    assert list(live.poll()) == []


def test_half_a_record_waits(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    whole = version() + b"".join(simple(1.7e9 + i, i, "loss/train", float(i)) for i in range(9))
    path.write_bytes(whole[:-11])
    live = LiveEvents(str(path), Options())
    list(live.poll())
    found = live.analysis()
    assert found is not None
    assert found.source.pending == len(simple(1.7e9, 8, "loss/train", 8.0)) - 11
    assert found.scalars.height == 8
    path.write_bytes(whole)
    assert [item for item in live.poll() if isinstance(item, bytes)] == [whole[-11:]]
    same(live.analysis(), logparse.analyze(path))


def test_what_happens_to_files_is_named(tmp_path: Path) -> None:
    def scalars(first: int) -> bytes:
        records = (simple(1.7e9 + i, i, "x", float(i)) for i in range(first, first + 5))
        return version(1.7e9 + first) + b"".join(records)

    first, second = tmp_path / "events.out.tfevents.1", tmp_path / "train" / "events.out.tfevents.2"
    live = LiveEvents(str(tmp_path), Options())

    def news() -> list[tuple[str, str]]:
        return [(item.kind, item.text) for item in live.poll() if isinstance(item, News)]

    def values() -> list[float]:
        found = live.analysis()
        assert found is not None
        return sorted(found.scalars["value"].to_list())

    assert news() == []
    assert live.analysis() is None
    first.write_bytes(scalars(0))
    assert news() == []
    second.parent.mkdir()
    second.write_bytes(scalars(100))
    assert news() == [("new file", "goes on in a new file: train/events.out.tfevents.2")]
    assert values() == [0.0, 1, 2, 3, 4, 100, 101, 102, 103, 104]

    first.rename(tmp_path / "old.tfevents")
    assert news() == [
        ("renamed", "events.out.tfevents.1 was renamed; waiting for another of its name")
    ]
    assert values() == [0.0, 1, 2, 3, 4, 100, 101, 102, 103, 104]
    with (tmp_path / "old.tfevents").open("ab") as file:
        file.write(simple(1.8e9, 9, "x", 5.0))
    assert news() == []
    assert values() == [0.0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104]

    second.write_bytes(scalars(200))  # a training that begins anew under the same name
    assert [kind for kind, _ in news()] == ["truncated"]
    assert values() == [0.0, 1, 2, 3, 4, 5, *range(100, 105), *range(200, 205)]

    shutil.rmtree(second.parent)
    assert news() == [
        ("deleted", "train/events.out.tfevents.2 was deleted; waiting for another of its name")
    ]
    assert news() == []
    second.parent.mkdir()
    second.write_bytes(scalars(300))
    assert [kind for kind, _ in news()] == ["replaced"]
    assert values()[-10:] == [*range(200, 205), *range(300, 305)]


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tfevents.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(40))
    with pytest.raises(SourceError, match="compressed"):
        list(LiveEvents(str(tmp_path), Options()).poll())


def test_watch_reads_each_byte_once_and_waits_for_a_folder(
    sample_logs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    watching, told, clock = watch([folder])
    watching.look()
    assert told.lines == []
    writer = Writer(sample_logs / "tensorboard" / "two_fits", folder, 0)
    while writer.left:
        for _ in range(4):
            if writer.left:
                writer.append()
        clock.now += 30
        watching.look()
    assert told.lines[0] == "run: is there now"
    done = [line.partition(" done")[0] for line in told.lines if " done" in line]
    whole = logparse.analyze(folder)
    assert len(done) == whole.epochs.height
    assert watching.logs[0].source.size == whole.source.size
    new = [line.rpartition("new file: ")[2] for line in told.lines if "new file: " in line]
    assert new
    assert set(new) < {p.relative_to(folder).as_posix() for p in folder.rglob("*tfevents*")}
    assert len(set(new)) == len(new)


def test_events_end_when_nothing_comes(sample_logs: Path, tmp_path: Path) -> None:
    """They do not say how many epochs are to come."""
    shutil.copytree(sample_logs / "tensorboard" / "two_fits", tmp_path / "run")
    watching, told, clock = watch([tmp_path / "run"], stall=600.0)
    watching.look()
    clock.now += 599
    watching.look()
    assert not watching.over
    clock.now += 2
    watching.look()
    assert watching.over
    assert told.lines[-1] == (
        "run: no news for 10 min 01 s; its last epoch is done, so this is taken for the end"
    )
