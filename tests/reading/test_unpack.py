"""Packed files: told by their bytes, bounded, and of a damaged one all that can be read."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import struct
from pathlib import Path

import pytest
from source_help import (
    LOG,
    PACK,
    failure,
    make_zip,
    noisy,
    put,
    read_one,
    zstd,
)

from logparse import limits
from logparse.errors import LimitError, SourceError
from logparse.reading.source import open_sources


@pytest.mark.parametrize("form", PACK)
def test_packed_files_go_by_their_bytes(tmp_path: Path, form: str) -> None:
    data, source = read_one(put(tmp_path, PACK[form](LOG), "no-suffix"), sha256=True)
    assert data == LOG
    assert source.damage is None
    assert source.sha256 == hashlib.sha256(LOG).hexdigest()


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz", "zstandard"])
def test_streams_that_follow_one_another(tmp_path: Path, form: str) -> None:
    pack = PACK[form]
    packed = pack(LOG) + pack(b"") + pack(b"second\n") + bytes(512)
    data, source = read_one(put(tmp_path, packed))
    assert data == LOG + b"second\n"
    assert source.damage is None


def test_zstandard_skippable_frame(tmp_path: Path) -> None:
    frame = struct.pack("<II", 0x184D2A50, 3) + b"abc"
    assert read_one(put(tmp_path, frame + zstd(LOG)))[0] == LOG


@pytest.mark.parametrize("form", PACK)
def test_a_cut_packed_file_gives_what_was_readable(tmp_path: Path, form: str) -> None:
    whole = noisy(2_000_000 if form == "bzip2" else 300_000)  # bzip2's blocks are of 900 kB
    packed = PACK[form](whole)
    data, source = read_one(put(tmp_path, packed[: len(packed) * 3 // 4]))
    assert whole.startswith(data)
    assert len(data) > len(whole) // 3
    assert source.damage == (
        f"the {form} data ends too early, after {len(data):,} bytes of text: the file was cut"
    )


@pytest.mark.parametrize("form", PACK)
def test_a_cut_anywhere_is_a_prefix_or_a_clear_error(tmp_path: Path, form: str) -> None:
    packed = PACK[form](LOG)
    for cut in range(20, len(packed)):
        spec = put(tmp_path, packed[:cut])
        try:
            data, source = read_one(spec)
        except SourceError as error:
            assert "nothing in it can be read" in str(error)  # noqa: PT017
        else:
            assert LOG.startswith(data)
            assert source.damage or data == LOG


@pytest.mark.parametrize("form", ["gzip", "xz", "zstandard"])
def test_damage_in_the_middle(tmp_path: Path, form: str) -> None:
    whole = noisy(500_000)
    packed = bytearray(PACK[form](whole))
    packed[len(packed) // 2] ^= 0xFF
    data, source = read_one(put(tmp_path, bytes(packed)))
    assert source.damage
    assert data[:100_000] == whole[:100_000]


def test_a_wrong_checksum_costs_no_text(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(LOG))
    packed[-8] ^= 1
    data, source = read_one(put(tmp_path, bytes(packed)))
    assert data == LOG
    assert source.damage == (
        f"the gzip data cannot be decoded after {len(LOG):,} bytes of text: the file is damaged"
    )


def test_something_after_the_packed_data(tmp_path: Path) -> None:
    data, source = read_one(put(tmp_path, gzip.compress(LOG) + b"tail" * 10))
    assert data == LOG
    assert source.damage == (
        f"the gzip data ends after {len(LOG):,} bytes of text, and something else follows it"
    )


def test_packed_twice_is_refused(tmp_path: Path) -> None:
    spec = put(tmp_path, gzip.compress(bz2.compress(LOG)))
    assert failure(spec) == "packed twice (bzip2 inside); unpack the outer one first"
    spec = put(tmp_path, gzip.compress(Path(make_zip(tmp_path, {"a": LOG})).read_bytes()))
    assert failure(spec) == (
        "an archive inside a packed file or archive; unpack the outer one first"
    )


@pytest.mark.parametrize("form", PACK)
def test_bombs_are_refused_while_reading(tmp_path: Path, form: str) -> None:
    spec = put(tmp_path, PACK[form](bytes(limits.COMPRESSION_FLOOR + (8 << 20))))
    blocks = []
    with pytest.raises(LimitError, match="unpacks to more than 200 times its size"):
        blocks.extend(next(open_sources(spec)).blocks())
    assert sum(map(len, blocks)) <= limits.COMPRESSION_FLOOR


def test_a_decoder_that_wants_too_much_memory(tmp_path: Path) -> None:
    spec = put(tmp_path, PACK["xz"](LOG))
    assert read_one(spec)[0] == LOG
    encoder = lzma.LZMACompressor(
        lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]
    )
    packed = bytearray(encoder.compress(LOG) + encoder.flush())
    packed[1:5] = (1 << 30).to_bytes(4, "little")  # the header says what the decoder must hold
    assert failure(put(tmp_path, bytes(packed))) == (
        "the lzma data needs more than 128 MiB of memory to decode; nothing in it can be read"
    )
