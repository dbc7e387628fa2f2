"""TensorBoard events through the whole of ``analyze``: folders, files, archives, pipes, URLs."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import logparse
from logparse.errors import LogparseError, NotALogError, SourceError, UsageError
from logparse.reading.event_runs import open_folder
from tests.reading.events_help import framed, plain_loop, simple, tensor, version

TWO_FITS = "tensorboard/two_fits"
TABLES = ("runs", "epochs", "metrics", "updates", "batches", "tags", "findings")


def same(one: logparse.Analysis, other: logparse.Analysis) -> None:
    for name in TABLES:
        # Without its folder, a file is of no part.
        tables = (x.table(name).drop("part", strict=False) for x in (one, other))
        assert_frame_equal(*tables)


def test_a_folder_of_two_fits_is_one_run_that_goes_on(sample_logs: Path) -> None:
    found = logparse.analyze(sample_logs / TWO_FITS)
    assert found.source.reader == "tfevents"
    assert found.runs.select("law", "epochs", "steps_per_epoch").row(0) == ("mean", 5, 16)
    assert found.epochs["epoch"].to_list() == [1, 2, 3, 4, 5]
    assert found.epochs["complete"].all()
    names = {"loss", "mae", "val_loss", "val_mae", "learning_rate"}
    assert set(found.metrics["metric"]) == names
    assert found.updates.height == 5 * (16 + 1)
    source = found.source
    sizes = [path.stat().st_size for path in (sample_logs / TWO_FITS).rglob("*.v2")]
    assert source.size == sum(sizes)
    assert source.read + sum(source.ignored.values()) == source.size
    assert json.loads(found.to_json(full=True))["logs"][0]["reader"] == "tfevents"


def test_every_way_to_name_them_gives_the_same(sample_logs: Path, tmp_path: Path) -> None:
    folder = sample_logs / TWO_FITS
    want = logparse.analyze(folder)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.rglob("*.v2"):
            archive.write(path, path.relative_to(folder))
    same(logparse.analyze(tmp_path / "a.zip"), want)
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as tar:
        tar.add(folder, "deep/run")
    same(logparse.analyze(tmp_path / "b.tar.gz"), want)
    same(logparse.analyze(f"{tmp_path / 'b.tar.gz'}::deep/run"), want)
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for path in folder.rglob("*.v2"):
        memory.pipe(f"/two_fits/{path.relative_to(folder)}", path.read_bytes())
    same(logparse.analyze("memory://two_fits"), want)


def test_one_file_by_path_pipe_and_member(sample_logs: Path, tmp_path: Path) -> None:
    path = min((sample_logs / TWO_FITS / "train").iterdir())
    want = logparse.analyze(path)
    assert want.epochs["epoch"].to_list() == [1, 2, 3]
    same(logparse.analyze(io.BytesIO(path.read_bytes())), want)
    (tmp_path / "renamed.bin").write_bytes(path.read_bytes())
    same(logparse.analyze(tmp_path / "renamed.bin"), want)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "x/train/tfevents.1")
        archive.writestr("x/other.log", "Epoch 1/2\n")
    same(logparse.analyze(f"{tmp_path / 'a.zip'}::x/train/tfevents.1"), want)


def test_a_tree_of_texts_and_events(sample_logs: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_logs / TWO_FITS, tmp_path / "a")
    shutil.copytree(sample_logs / TWO_FITS, tmp_path / "deep/b")
    shutil.copy(sample_logs / "keras-3.15.1/fit.log", tmp_path / "a/train.log")
    shutil.copy(sample_logs / "keras-3.15.1/fit.log", tmp_path / "my_tfevents.log")
    (tmp_path / "a/train/events.out.tfevents.1.profile-empty").write_bytes(version())
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/events.out.tfevents.9").write_bytes(version() + simple(1.0, 1, "x", 2.0))
    found = [x for x in logparse.analyze_many([tmp_path]) if isinstance(x, logparse.Analysis)]
    names = [str(Path(one.source.name).relative_to(tmp_path)) for one in found]
    assert names == ["a", "a/train.log", "deep/b", "my_tfevents.log", "torch"]
    readers = [one.source.reader for one in found]
    assert readers == ["tfevents", "keras", "tfevents", "keras", "tfevents"]
    same(found[0], found[2])
    with pytest.raises(UsageError, match="holds 5 logs"):
        logparse.analyze(tmp_path)


def test_scalars_equal_a_plain_protobuf_loop(sample_logs: Path) -> None:
    folder = sample_logs / TWO_FITS
    table = logparse.analyze(folder).scalars
    for path in folder.rglob("*.v2"):
        part = table.filter(pl.col("file") == path.relative_to(folder).as_posix())
        got = list(
            zip(part["byte"], part["wall_time"], part["step"], part["tag"], part["value"],
                strict=True)
        )  # fmt: skip
        want = [
            (at, np.frombuffer(wall)[0], step, tag, np.frombuffer(value)[0])
            for at, wall, step, tag, value, _ in plain_loop(path.read_bytes())
        ]
        assert got == want


def test_scalars_of_any_writer(tmp_path: Path) -> None:
    data = version(5.0)
    for step in range(4):
        data += simple(10.0 + step, step, "Loss/train", 1.0 / (step + 1))
        data += tensor(10.0 + step, step, "lr", float("nan") if step == 2 else 0.5)
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(data)
    found = logparse.analyze(tmp_path)
    (run,) = found.runs.rows(named=True)
    assert (run["law"], run["epochs"], run["started"]) == ("as is", 0, 10.0)
    assert "not those of Keras" in run["law_reason"]
    rows = found.tags.rows(named=True)
    assert [(row["tag"], row["n"], row["first"], row["last"]) for row in rows] == [
        ("Loss/train", 4, 1.0, 0.25),
        ("lr", 4, 0.5, 0.5),
    ]
    assert [(row["least"], row["not_finite"]) for row in rows] == [(0.25, 0), (0.5, 1)]
    assert found.scalars.height == 8
    assert str(found.scalars["value"].to_list()[5]) == "nan"
    assert found.epochs.is_empty()
    json.loads(found.to_json(full=True))


@pytest.mark.parametrize(
    ("restarts", "runs", "epochs"),
    [
        ("keep", [1, 1, 1, 2, 2], [1, 2, 3, 2, 3]),
        ("segment", [1, 1, 1, 2, 2], [1, 2, 3, 2, 3]),
        ("preempt", [1, 1, 1], [1, 2, 3]),
    ],
)
def test_a_fit_that_repeats_epochs(
    restarts: Any, runs: list[int], epochs: list[int], tmp_path: Path
) -> None:
    for number, numbers in enumerate(((0, 1, 2), (1, 2))):
        data, step = version(100.0 * number), 0
        for epoch in numbers:
            for _ in range(3):
                step += 1
                at = 100.0 * number + step
                data += tensor(at, step, "batch_loss", 10.0 * number + epoch)
            data += tensor(at + 0.5, epoch, "epoch_loss", 10.0 * number + epoch)
        (tmp_path / f"events.out.tfevents.{number}.v2").write_bytes(data)
    found = logparse.analyze(tmp_path, restarts=restarts)
    assert found.epochs["run"].to_list() == runs
    assert found.epochs["epoch"].to_list() == epochs
    shown = found.metrics["shown"].to_list()
    assert shown[-2:] == [11.0, 12.0]
    assert found.updates.height == 4 * len(epochs)


def test_segments_are_runs_of_their_own(sample_logs: Path) -> None:
    found = logparse.analyze(sample_logs / TWO_FITS, restarts="segment")
    assert found.runs["epochs"].to_list() == [3, 2]
    assert found.epochs["epoch"].to_list() == [1, 2, 3, 4, 5]
    with pytest.raises(UsageError, match="keep, segment, preempt"):
        logparse.analyze(sample_logs / TWO_FITS, restarts="some")  # type: ignore[arg-type]


def test_what_cannot_be_analysed(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(version() + framed(b"\x10\x01"))
    with pytest.raises(NotALogError, match="no scalar among them"):
        logparse.analyze(path)
    with pytest.raises(LogparseError):
        logparse.analyze(tmp_path / "nothing")
    with pytest.raises(SourceError, match="nothing is there"):
        logparse.analyze("memory://there/is/nothing")
    with pytest.raises(SourceError, match="Protocol not known"):
        logparse.analyze("nonsense://a/b")


def test_text_needs_no_protobuf(sample_logs: Path) -> None:
    """Its import takes as long as numpy's."""
    import subprocess
    import sys

    code = f"import sys, logparse; logparse.analyze({str(sample_logs / 'keras-3.15.1/fit.log')!r})"
    code += "; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(out.stdout.split())
    assert not loaded & {"google.protobuf", "google_crc32c", "fsspec"}


def test_a_long_run_is_read_again(sample_logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want = logparse.analyze(sample_logs / TWO_FITS)
    want_tables = {name: want.table(name) for name in (*TABLES, "scalars")}
    monkeypatch.setattr("logparse.again.KEPT_ROWS", 10)
    monkeypatch.setattr("logparse.reading.event_log.SCALARS_KEPT", 10)
    again = logparse.analyze(sample_logs / TWO_FITS)
    for name, table in want_tables.items():
        assert_frame_equal(again.table(name), table)
    assert {one.name for one in open_folder(sample_logs / TWO_FITS)} == {"."}


def damaged(sample_logs: Path, tmp_path: Path) -> Path:
    """The two fits with two bits flipped in the first training file and the second cut short."""
    folder = tmp_path / "run"
    shutil.copytree(sample_logs / TWO_FITS, folder)
    first, second = sorted((folder / "train").iterdir())
    data = bytearray(first.read_bytes())
    data[5000] ^= 1
    data[9000] ^= 4
    first.write_bytes(data)
    second.write_bytes(second.read_bytes()[:-7])
    return folder


def test_damage_is_named_and_costs_no_more_than_it_touches(
    sample_logs: Path, tmp_path: Path
) -> None:
    folder = damaged(sample_logs, tmp_path)
    found = logparse.analyze(folder)
    rejects = found.rejects.rows(named=True)
    assert [(row["line"], row["kind"]) for row in rejects] == [(None, "bad record checksum")] * 2
    assert {row["file"] for row in rejects} == {
        "train/events.out.tfevents.1795304621.vm.20346.0.v2"
    }
    (finding,) = found.findings.filter(pl.col("code") == "LP005").rows(named=True)
    assert "2 places in 1 event file are damaged" in finding["message"]
    assert "bad record checksum (2)" in finding["message"]
    (cut,) = found.messages.filter(pl.col("kind") == "record not complete")["text"]
    assert "815 bytes wait for the rest" in cut
    whole = logparse.analyze(sample_logs / TWO_FITS)
    assert whole.scalars.height - found.scalars.height == 2
    source = found.source
    assert source.rejected == sum(row["end"] - row["start"] for row in rejects)
    assert source.pending == 815
    total = source.read + sum(source.ignored.values()) + source.rejected + source.pending
    assert total == source.size


def test_cut_and_damaged_share_no_word(sample_logs: Path, tmp_path: Path) -> None:
    from logparse.findings.registry import load
    from logparse.reading import tfevents, tfrecord

    folder = damaged(sample_logs, tmp_path)
    found = logparse.analyze(folder)
    (cut,) = found.messages.filter(pl.col("kind") == "record not complete")["text"]
    assert not {"damage", "corrupt", "bad"} & set(cut.split())
    kinds = {tfrecord.BAD_LENGTH, tfrecord.BAD_CHECKSUM, tfrecord.TOO_LONG, tfrecord.ZEROS}
    kinds |= {tfrecord.MISSING, tfevents.NOT_AN_EVENT, tfevents.BAD_TENSOR, tfevents.TOO_MANY_TAGS}
    texts = [*kinds, load()["LP005"].name, *found.findings["message"]]
    for text in texts:
        assert not {"cut", "truncated", "wait", "pending"} & set(text.split()), text


def test_what_the_report_says(sample_logs: Path, tmp_path: Path) -> None:
    from logparse.reports.terminal import Page, TextReport

    def report(path: Path) -> str:
        return "".join(TextReport(Page()).log(logparse.analyze(path)))

    text = report(damaged(sample_logs, tmp_path))
    assert "LP005" in text
    assert "Each batch_ value is the average" in text
    assert " scalars" in text
    assert " line " not in text.replace("last line", "")
    (tmp_path / "torch").mkdir()
    data = version() + b"".join(simple(1.0 + i, i, "Loss/train", 1 / (i + 1)) for i in range(9))
    (tmp_path / "torch/events.out.tfevents.1").write_bytes(data)
    text = report(tmp_path / "torch")
    assert "9 scalars under 1 name" in text
    assert "Loss/train" in text


def test_more_fits_than_can_be_told_apart_are_scalars_only(tmp_path: Path) -> None:
    data = b"".join(simple(1.0 + i, 2 - i % 2, "batch_loss", i) for i in range(5000))
    (tmp_path / "a.tfevents").write_bytes(version() + data)
    (tmp_path / "b.tfevents").write_bytes(version(9e9) + simple(9e9, 1, "batch_loss", 1.0))
    found = logparse.analyze(tmp_path)
    assert "more than 1000 fits" in found.runs["law_reason"][0]
    assert found.scalars.height == found.tags["n"].sum() == 5001
    assert found.source.size == sum(path.stat().st_size for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\x1b[2Jb\r\n", "\u202eevil", "=1+1", ""])
def test_hostile_names_of_tags(name: str, tmp_path: Path) -> None:
    from logparse.reports.terminal import Page, TextReport

    path = tmp_path / "tfevents"
    path.write_bytes(version() + simple(1.0, 1, name, 2.0) * 3)
    found = logparse.analyze(path)
    assert found.tags["tag"].to_list() == [name]
    text = "".join(TextReport(Page()).log(found))
    assert not {"\x1b", "\r", "\u202e"} & set(text)
    json.loads(found.to_json(full=True))


def test_a_hostile_length_is_a_reject_or_waits(tmp_path: Path) -> None:
    import struct

    from logparse.reading.crc32c import crc, mask

    head = struct.pack("<Q", 2**60)
    hostile = head + struct.pack("<I", mask(crc(head)))
    good = simple(1.0, 1, "x", 2.0)
    (tmp_path / "tfevents").write_bytes(version() + good + hostile + b"junk" * 9 + good * 2)
    found = logparse.analyze(tmp_path / "tfevents")
    assert found.scalars.height == 3
    assert found.rejects["kind"].to_list() == ["record too long"]
