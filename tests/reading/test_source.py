"""Every way in gives the same bytes; every obstacle is one clear line."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_help import (
    LOG,
    MEMBERS,
    PACK,
    exhaust,
    failure,
    make_tar,
    make_zip,
    noisy,
    put,
    read,
    read_one,
    zstd,
)

from logparse import limits
from logparse.errors import LimitError, SourceError
from logparse.reading.source import Upload, expand, open_sources


def test_plain_file(tmp_path: Path) -> None:
    spec = put(tmp_path, LOG)
    data, source = read_one(spec, sha256=True)
    assert data == LOG
    assert (source.name, source.path) == (spec, spec)
    assert (source.encoding, source.bom, source.damage) == ("utf-8", 0, None)
    assert source.sha256 == hashlib.sha256(LOG).hexdigest()


@pytest.mark.parametrize("extra", [-1, 0, 1, limits.BLOCK_BYTES, 2 * limits.BLOCK_BYTES + 7])
def test_hash_of_several_blocks(tmp_path: Path, extra: int) -> None:
    data = random.Random(extra).randbytes(limits.BLOCK_BYTES + extra)
    source = read_one(put(tmp_path, data), sha256=True)[1]
    assert source.sha256 == hashlib.sha256(data).hexdigest()


def test_no_hash_of_what_was_not_read_to_the_end(tmp_path: Path) -> None:
    source = next(open_sources(put(tmp_path, noisy(3 * limits.BLOCK_BYTES)), sha256=True))
    blocks = source.blocks()
    next(blocks)
    next(blocks)
    del blocks
    assert source.sha256 is None


def test_empty_file(tmp_path: Path) -> None:
    assert read_one(put(tmp_path, b""))[0] == b""


def test_blocks_are_of_about_the_stated_size(tmp_path: Path) -> None:
    data = noisy(2 * limits.BLOCK_BYTES + 1000)
    for packed in (data, gzip.compress(data, 1), zstd(data)):
        source = next(open_sources(put(tmp_path, packed)))
        sizes = [len(block) for block in source.blocks()]
        assert sum(sizes) == len(data)
        assert sizes[:2] == [limits.BLOCK_BYTES] * 2


def test_size_is_known_before_reading_a_plain_file(tmp_path: Path) -> None:
    assert next(open_sources(put(tmp_path, LOG))).size == len(LOG)
    assert next(open_sources(put(tmp_path, gzip.compress(LOG)))).size is None


def test_a_source_outlives_its_iterator(tmp_path: Path) -> None:
    assert read(next(open_sources(put(tmp_path, LOG)))) == LOG


def test_sources_are_read_in_turn(tmp_path: Path) -> None:
    first, second = open_sources(make_tar(tmp_path, {"a.log": LOG, "b.log": LOG}))
    assert second
    with pytest.raises(RuntimeError, match="before the next one is asked for"):
        read(first)


def test_a_source_is_read_once(tmp_path: Path) -> None:
    source = next(open_sources(put(tmp_path, LOG)))
    read(source)
    with pytest.raises(RuntimeError, match="read once"):
        read(source)


@pytest.mark.parametrize("form", [None, *PACK])
def test_stdin(form: str | None) -> None:
    data, source = read_one("-", stdin=io.BytesIO(PACK[form](LOG) if form else LOG))
    assert data == LOG
    assert (source.name, source.path) == ("<stdin>", None)


def test_tar_on_stdin_and_zip_on_stdin(tmp_path: Path) -> None:
    stdin = io.BytesIO(Path(make_tar(tmp_path, {"a.log": LOG}, "w:gz")).read_bytes())
    assert [read(source) for source in open_sources("-", stdin=stdin)] == [LOG]
    stdin = io.BytesIO(Path(make_zip(tmp_path, {"a.log": LOG})).read_bytes())
    with pytest.raises(SourceError, match=r"<stdin>: a zip .* save it to a file first"):
        next(open_sources("-", stdin=stdin))


@pytest.mark.parametrize("form", [None, *PACK])
def test_upload(form: str | None) -> None:
    data, source = read_one(Upload("../a::b\n.log", PACK[form](LOG) if form else LOG))
    assert data == LOG
    assert (source.name, source.path) == (r"../a::b\n.log", None)


def test_uploaded_archives(tmp_path: Path) -> None:
    members = {"a.log": LOG, "b/c.log": LOG * 2}
    for make in (make_zip, lambda folder, members: make_tar(folder, members, "w:gz")):
        packed = Path(make(tmp_path, members)).read_bytes()
        found = {source.name: read(source) for source in open_sources(Upload("x", packed))}
        assert found == {f"x::{name}": data for name, data in members.items()}


def test_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(LOG * 20))
    writer.start()
    assert read_one(str(pipe))[0] == LOG * 20
    writer.join()


def test_ctrl_c_passes() -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(open_sources("-", stdin=Interrupted()))


def test_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    put(tmp_path, LOG)
    assert failure(str(tmp_path / "train.lgo")) == "no such file; did you mean train.log?"
    assert failure(str(tmp_path / "zzzzz")) == "no such file; check the name"
    missing = str(tmp_path / "nowhere")
    assert failure(f"{missing}/x.log") == f"no such file; nor is there a folder {missing}"


def test_folder_link_and_odd_names(tmp_path: Path) -> None:
    assert failure(str(tmp_path)) == "a folder, not a log; name the files in it"
    (tmp_path / "link").symlink_to("gone")
    assert failure(str(tmp_path / "link")) == "a link to a file that does not exist"
    assert failure("a\0b") == "a\\x00b: cannot be opened: embedded null byte"
    assert failure("\x1b[2J\udcff") == "\\x1b[2J\\udcff: no such file; check the name"


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    spec = put(tmp_path, LOG)
    monkeypatch.setattr("builtins.open", refuse)
    assert failure(spec) == "no permission to read it; ls -l shows who may, chmod changes it"


def test_a_file_that_shrinks_while_read(tmp_path: Path) -> None:
    spec = put(tmp_path, noisy(2 * limits.BLOCK_BYTES))
    blocks = next(open_sources(spec)).blocks()
    next(blocks)
    os.truncate(spec, 10)
    with pytest.raises(SourceError, match=r"became shorter while it was read .* run again"):
        list(blocks)


def test_an_error_of_the_disk_is_one_line() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    message = failure("-", stdin=Broken(LOG * 500))
    assert message == "<stdin>: cannot be read on: Input/output error"


def test_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.log", "a/2.log", "a/1.log", "a/.hidden", ".git/x", "c.txt"):
        put(tmp_path, LOG, name)
    (tmp_path / "latest").symlink_to("b.log")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "dangling").symlink_to("gone")
    put(tmp_path.parent, LOG, "outside.log")
    (tmp_path / "z").symlink_to("../outside.log")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert expand(["."]) == ["./a/1.log", "./a/2.log", "./b.log", "./c.txt", "./z"]
    assert expand(["b.log", "-", "missing.log", "x.zip::a/*"]) == [
        "b.log",
        "-",
        "missing.log",
        "x.zip::a/*",
    ]
    assert expand(["*.log", "**/*.log"]) == ["b.log", "a/1.log", "a/2.log", "b.log"]
    with pytest.raises(SourceError, match=r"^empty: no file to read in this folder$"):
        expand(["empty"])
    with pytest.raises(SourceError, match=r"^\*\.csv: no file matches$"):
        expand(["*.csv"])


MAGIC = (b"", *(pack(b"x" * 50)[:14] for pack in PACK.values()), b"PK\x03\x04", b"\xff\xfe")


@given(data=st.binary(max_size=600), magic=st.sampled_from(MAGIC))
def test_no_bytes_cause_anything_but_a_clear_error(data: bytes, magic: bytes) -> None:
    try:
        for source in open_sources("-", stdin=io.BytesIO(magic + data)):
            read(source)
    except SourceError as error:
        assert str(error).isprintable()  # noqa: PT017


@given(st.data())
def test_damaged_archives_cause_nothing_but_clear_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    kind = data.draw(st.sampled_from([make_zip, make_tar]))
    packed = bytearray(Path(kind(folder, MEMBERS)).read_bytes())
    places = st.integers(0, len(packed) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        packed[at] = value
    del packed[data.draw(places) :]
    try:
        for source in open_sources(put(folder, bytes(packed))):
            read(source)
    except SourceError as error:
        assert str(error).isprintable()  # noqa: PT017


def test_an_uploaded_archive_has_a_limit_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UPLOAD_ARCHIVE_BYTES", 2 << 20)
    path = make_zip(tmp_path, {"a.log": noisy(3 << 20)})
    exhaust(open_sources(path))
    with pytest.raises(LimitError, match="unpacks to more than 2 MiB"):
        exhaust(open_sources(Upload("a.zip", Path(path).read_bytes())))


def test_uploaded_events_never_touch_the_disk(
    sample_logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from logparse.analysis import analyze_many
    from logparse.reading import event_source

    monkeypatch.setattr(event_source, "SPOOL_BYTES", 100)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    folder = sample_logs / "keras-3.12.0" / "tensorboard"
    members = {
        str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*tfevents*"))
    }
    packed = Path(make_zip(tmp_path, members)).read_bytes()
    (found,) = analyze_many([Upload("events.zip", packed)])
    assert found.epochs.height == 3  # type: ignore[union-attr]
