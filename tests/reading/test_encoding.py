"""Text in any Unicode encoding arrives as UTF-8."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import pytest
from source_help import (
    HEAVY,
    LINE,
    LOG,
    put,
    read_one,
)

from logparse import limits

TEXT = "Epoch 1/3\n" + (LINE + HEAVY) * 30 + "\U0001f600 é\n"


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_transcoding_with_a_mark(tmp_path: Path, name: str) -> None:
    written = ("\ufeff" + TEXT).encode(name)
    data, source = read_one(put(tmp_path, gzip.compress(written)), sha256=True)
    assert data.decode() == TEXT
    assert (source.encoding, source.bom) == (name, 0)
    assert source.sha256 == hashlib.sha256(written).hexdigest()


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(tmp_path: Path, name: str) -> None:
    data, source = read_one(put(tmp_path, TEXT.encode(name)))
    assert data.decode() == TEXT
    assert source.encoding == name


def test_transcoding_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK_BYTES", 7)
    assert read_one(put(tmp_path, ("\ufeff" + TEXT).encode("utf-16-le")))[0].decode() == TEXT


def test_half_a_character_at_the_end(tmp_path: Path) -> None:
    data, _ = read_one(put(tmp_path, ("\ufeff" + TEXT).encode("utf-16-le")[:-1]))
    assert data.decode() == TEXT[:-1] + "\ufffd"


def test_utf8_mark_is_counted_and_not_given(tmp_path: Path) -> None:
    data, source = read_one(put(tmp_path, b"\xef\xbb\xbf" + LOG))
    assert (data, source.bom, source.size) == (LOG, 3, len(LOG) + 3)


def test_other_bytes_pass_untouched(tmp_path: Path) -> None:
    events = struct.pack("<Q", 24) + b"\x01\x02\x03\x04" + bytes(24)
    for data in (
        LOG + b"\0" * 50 + LOG,
        "é\n".encode("latin-1") * 9,
        events * 9,
        bytes(range(256)),
    ):
        assert read_one(put(tmp_path, data))[0] == data
