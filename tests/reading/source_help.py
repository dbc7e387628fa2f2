"""What the tests of sources share: logs, ways to pack them, ways to read them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logparse.errors import SourceError
from logparse.reading.source import Skipped, Source, open_sources

LINE = "8/8 [==============================] - ETA: 0s - loss: 1.1396 - acc: 0.3500\n"
HEAVY = "\x1b[1m 2/32\x1b[0m \x1b[32m━\x1b[0m\x1b[37m━━━━\x1b[0m \x1b[1m2s\x1b[0m 73ms/step\n"
LOG = ("Epoch 1/3\n" + LINE * 40).encode()


def noisy(size: int) -> bytes:
    """A long log that packs about as well as real ones."""
    draw = random.Random(1)
    lines = []
    while size > 0:
        line = f"{draw.randrange(999):3}/999 [====>....] - ETA: 9s - loss: {draw.random():.4f}\n"
        lines.append(line)
        size -= len(line)
    return "".join(lines).encode()


def zstd(data: bytes) -> bytes:
    return pytest.importorskip("zstandard").ZstdCompressor(write_checksum=True).compress(data)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstandard": zstd,
}


def put(folder: Path, data: bytes, name: str = "train.log") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def read(source: Source) -> bytes:
    data = b"".join(source.blocks())
    assert source.size == len(data) + source.bom
    return data


def read_one(spec: str, **options: object) -> tuple[bytes, Source]:
    (source,) = [
        (read(source), source)
        for source in open_sources(spec, **options)  # type: ignore[arg-type]
    ]
    return source


def read_all(spec: str) -> tuple[dict[str, bytes], list[Skipped]]:
    sources = open_sources(spec)
    found = {source.name.removeprefix(spec + "::"): read(source) for source in sources}
    return found, sources.skipped


def exhaust(sources: Iterator[Source]) -> None:
    for source in sources:
        read(source)


def failure(spec: str, *, stdin: io.BytesIO | None = None) -> str:
    with pytest.raises(SourceError) as caught:
        exhaust(open_sources(spec, stdin=stdin))
    message = str(caught.value)
    assert message.isprintable()
    return message.removeprefix(spec).removeprefix(": ")


def make_zip(folder: Path, members: dict[str, bytes], method: int = 8) -> str:
    path = str(folder / "logs.zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def make_tar(folder: Path, members: dict[str, bytes], mode: str = "w") -> str:
    path = str(folder / "logs.tar")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MEMBERS = {"run1/train.log": LOG, "run2/train.log": LOG[:100], "empty.log": b""}
