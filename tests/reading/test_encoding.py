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


SUMMARY = (
    'Model: "sequential"\n'
    "┏━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━┓\n"
    "┃\x1b[1m Layer (type)            \x1b[0m┃ Output Shape    ┃ Param # ┃\n"
    "┡━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━┩\n"
    + "│ dense (Dense)           │ (None, 10)      │     110 │\n"
    "├─────────────────────────┼─────────────────┼─────────┤\n" * 30
)
"""Boxes: ``─`` is U+2500, so NUL stands in both halves of a character."""


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("size", [250, 300, len(SUMMARY)])
def test_utf16_without_a_mark_that_begins_with_a_boxed_summary(
    tmp_path: Path, name: str, size: int
) -> None:
    data, source = read_one(put(tmp_path, SUMMARY[:size].encode(name)))
    assert data.decode() == SUMMARY[:size]
    assert source.encoding == name


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_damaged_utf16_without_a_mark(tmp_path: Path, name: str) -> None:
    """A NUL character, a lone surrogate and a control character among a few thousand."""
    text = TEXT[:300] + "\0" + TEXT[300:900] + "\x01" + TEXT[900:]
    written = text.encode(name) + "\ud800".encode(name, "surrogatepass") + text.encode(name)
    data, source = read_one(put(tmp_path, written))
    assert data.decode() == text + "\ufffd" + text
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
        LOG.replace(b"\n", b"\n\0"),
        b"A text that ends with a NUL.\n\0",
        struct.pack("<500h", *range(500)),
        struct.pack("<500h", *range(-250, 250)),
        struct.pack("<500I", *range(500)),
        "é\n".encode("latin-1") * 9,
        events * 9,
        bytes(range(256)),
    ):
        assert read_one(put(tmp_path, data))[0] == data
