"""Archives: members as bounded streams, what is skipped is named, and no header is believed."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from source_help import (
    LOG,
    MEMBERS,
    exhaust,
    failure,
    make_tar,
    make_zip,
    put,
    read,
    read_all,
    read_one,
    zstd,
)

from logparse import limits
from logparse.errors import LimitError, SourceError
from logparse.reading.source import Skipped, Source, open_sources


@pytest.mark.parametrize("method", [0, 8, 12])
def test_zip_members(tmp_path: Path, method: int) -> None:
    assert read_all(make_zip(tmp_path, MEMBERS, method)) == (MEMBERS, [])


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_members(tmp_path: Path, mode: str) -> None:
    assert read_all(make_tar(tmp_path, MEMBERS, mode)) == (MEMBERS, [])


def test_tar_zst_members(tmp_path: Path) -> None:
    plain = Path(make_tar(tmp_path, MEMBERS)).read_bytes()
    assert read_all(put(tmp_path, zstd(plain))) == (MEMBERS, [])


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_tar_dialects(tmp_path: Path, form: int) -> None:
    names = ["short.log", f"{'d' * 90}/{'f' * 60}.log", f"{'e' * 60}/é{'x' * 30}.log"]
    if form != tarfile.USTAR_FORMAT:
        names.append(f"{'d' * 90}/{'f' * 300}.log")
    path = str(tmp_path / "x.tar")
    with tarfile.open(path, "w", format=form) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(LOG)
            archive.addfile(info, io.BytesIO(LOG))
    assert read_all(path) == (dict.fromkeys(names, LOG), [])


def test_members_need_not_be_read_to_the_end(tmp_path: Path) -> None:
    for path in (make_zip(tmp_path, MEMBERS), make_tar(tmp_path, MEMBERS, "w:gz")):
        names = [source.name for source in open_sources(path)]
        assert names == [f"{path}::{name}" for name in MEMBERS]
        next(next(open_sources(path)).blocks())


def test_one_member_by_name(tmp_path: Path) -> None:
    for path in (make_zip(tmp_path, MEMBERS), make_tar(tmp_path, MEMBERS, "w:gz")):
        data, source = read_one(f"{path}::run2/train.log")
        assert data == LOG[:100]
        assert (source.name, source.path) == (f"{path}::run2/train.log", path)
        assert failure(f"{path}::run3/train.log").endswith(
            "logs.zip: holds no run3/train.log; did you mean run2/train.log?"
            if path.endswith("zip")
            else "logs.tar: holds no run3/train.log; did you mean run2/train.log?"
        )


def test_a_member_of_a_plain_file(tmp_path: Path) -> None:
    for packed in (LOG, gzip.compress(LOG)):
        spec = put(tmp_path, packed) + "::x.log"
        assert failure(spec).endswith("train.log: not an archive, so it holds no x.log")


def test_a_file_whose_name_looks_like_a_member(tmp_path: Path) -> None:
    assert read_one(put(tmp_path, LOG, "a::b.log"))[0] == LOG


def test_what_is_skipped_is_named(tmp_path: Path) -> None:
    inner = Path(make_zip(tmp_path, {"a": LOG})).read_bytes()
    members = {
        "a.log": LOG,
        "packed.log.gz": gzip.compress(LOG),
        "inner.zip": inner,
        "twice.gz": gzip.compress(gzip.compress(LOG)),
        ".hidden": LOG,
        "__MACOSX/._a.log": LOG,
        "odd\x1b[2J.log": LOG,
    }
    good = {"a.log": LOG, "packed.log.gz": LOG, "odd\\x1b[2J.log": LOG}
    skipped = [
        Skipped(
            "inner.zip", "an archive inside a packed file or archive; unpack the outer one first"
        ),
        Skipped("twice.gz", "packed twice (gzip inside); unpack the outer one first"),
        Skipped(".hidden", "hidden"),
        Skipped("__MACOSX/._a.log", "hidden"),
    ]
    tar = make_tar(tmp_path, members)
    assert read_all(tar) == (good, skipped)
    with tarfile.open(tar, "a") as archive:
        for name, kind in (
            ("link", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("pipe", tarfile.FIFOTYPE),
            ("folder", tarfile.DIRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a.log"
            archive.addfile(info)
        info = tarfile.TarInfo("last.log")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    special = [Skipped(name, "a link or special file") for name in ("link", "hard", "pipe")]
    assert read_all(tar) == (good | {"last.log": b"abc"}, skipped + special)
    assert failure(f"{tar}::link") == "a link or special file"
    assert read_one(f"{tar}::.hidden")[0] == LOG  # named by the user, so wanted
    assert read_all(make_zip(tmp_path, members)) == (good, skipped)


def test_zip_links_encrypted_and_unknown_methods(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "a.log")
        archive.writestr("secret.log", LOG)
        archive.writestr("odd.log", LOG)
    data = bytearray(path.read_bytes())
    entries = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[entries[1] + 8] |= 1
    data[entries[2] + 10] = 97
    message = failure(put(tmp_path, bytes(data)))
    assert message == "no member can be read; skipped link (a link or special file) and 2 more"
    sources = open_sources(put(tmp_path, bytes(data)))
    with pytest.raises(SourceError):
        next(sources)
    assert sources.skipped[1:] == [
        Skipped("secret.log", "encrypted; unpack it first"),
        Skipped("odd.log", "packed by method 97, which logparse does not read"),
    ]


def test_zip_headers_that_lie(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"a.log": LOG})
    honest = Path(path).read_bytes()
    entry = honest.index(b"PK\x01\x02")

    def lie(at: int, value: int) -> tuple[bytes, Source]:
        data = bytearray(honest)
        data[entry + at : entry + at + 4] = value.to_bytes(4, "little")
        return read_one(put(tmp_path, bytes(data), "lie.zip"))

    data, source = lie(24, 5)
    assert (data, source.damage) == (LOG, f"the archive says 5 bytes, but it holds {len(LOG):,}")
    data, source = lie(16, zlib.crc32(LOG) ^ 1)
    assert data == LOG
    assert source.damage == "its checksum in the archive does not fit: the archive is damaged"
    data, source = lie(20, 40)
    assert LOG.startswith(data)
    assert "ends too early" in str(source.damage)
    with pytest.raises(SourceError, match=r"a\.log \(its data are not where the archive says"):
        lie(42, 3)


def test_zip_that_is_cut_or_has_a_huge_list(tmp_path: Path) -> None:
    whole = Path(make_zip(tmp_path, MEMBERS)).read_bytes()
    assert failure(put(tmp_path, whole[:-30])) == (
        "its list of members, at the end of a zip, cannot be read: "
        "the archive is cut or damaged; get it again"
    )
    names = {f"{i:05}{'x' * 200}": b"" for i in range(5000)}
    message = failure(make_zip(tmp_path, names, 0))
    assert "list of members is longer than 1 MiB" in message


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_MEMBERS", 2)
    for path in (make_zip(tmp_path, MEMBERS), make_tar(tmp_path, MEMBERS)):
        assert failure(path) == f"more than 2 members; name one as {path}::MEMBER"
        assert read_one(f"{path}::empty.log")[0] == b""


def test_a_bomb_in_an_archive(tmp_path: Path) -> None:
    zeros = bytes(2 * limits.COMPRESSION_FLOOR)
    path = make_zip(tmp_path, {"bomb": zeros, "good.log": LOG})
    sources = open_sources(path)
    with pytest.raises(LimitError, match="::bomb: unpacks to more than 200 times its size"):
        read(next(sources))
    with pytest.raises(LimitError, match="the archive unpacks to more than 200 times its size"):
        next(sources)
    assert read_one(f"{path}::good.log")[0] == LOG
    assert "unpacks to more than 200 times" in failure(make_tar(tmp_path, {"b": zeros}, "w:gz"))


def test_members_that_overlap(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(40_000)
    zeros = bytes(limits.COMPRESSION_FLOOR // 2)
    honest = Path(make_zip(tmp_path, {"a.log": zeros + noise})).read_bytes()
    first, end = honest.index(b"PK\x01\x02"), honest.rindex(b"PK\x05\x06")
    entry, tail = honest[first:end], bytearray(honest[end:])
    tail[8:12] = struct.pack("<HH", 20, 20)
    tail[12:16] = struct.pack("<I", 20 * len(entry))
    spec = put(tmp_path, honest[:first] + 20 * entry + tail)
    with pytest.raises(LimitError, match="the archive unpacks to more than 200 times its size"):
        exhaust(open_sources(spec))


def test_the_sum_of_all_members_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_BYTES", 3 * len(LOG))
    members = {f"{i}.log": LOG for i in range(4)}
    for path in (make_zip(tmp_path, members), make_tar(tmp_path, members, "w:gz")):
        assert "the archive unpacks to more than" in failure(path)


def test_a_cut_tar(tmp_path: Path) -> None:
    path = Path(make_tar(tmp_path, {"a.log": LOG, "b.log": LOG}))
    whole = path.read_bytes()
    second = whole.index(b"b.log")
    sources = open_sources(put(tmp_path, whole[: second + 512 + 100]))
    assert read(next(sources)) == LOG
    last = next(sources)
    assert read(last) == LOG[:100]
    assert (
        last.damage == f"the archive was cut: {len(LOG) - 100:,} bytes of this member are missing"
    )
    with pytest.raises(SourceError, match=r"the archive ends inside b\.log: it was cut"):
        next(sources)
    assert "a header in the tar archive cannot be read" in failure(
        put(tmp_path, whole[: second + 9])
    )
    damaged = bytearray(whole)
    damaged[second] ^= 1
    assert "a header in the tar archive cannot be read" in failure(put(tmp_path, bytes(damaged)))
    packed = gzip.compress(whole)
    assert "the file was cut; what follows is lost" in failure(put(tmp_path, packed[:-12]))


def test_tar_headers_that_lie(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge.log")
    info.size = 1 << 60
    assert "ends inside huge.log" in failure(put(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + LOG))
    info.type = b"L"
    assert "longer than 1 MiB" in failure(put(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + LOG))
    info.type, info.size = b"x", 512
    member = tarfile.TarInfo("a.log").tobuf()
    for records in (b"99 path=b\n", b"path=b\n", b"9" * 512, b"5 \xff=", b"0 path=b\n"):
        header = info.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0")
        name = "b\\n" if records.startswith(b"99 ") else "a.log"
        assert read_all(put(tmp_path, header + member)) == ({name: b""}, [])
