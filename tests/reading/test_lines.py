"""Blocks in, stretches between separators out, with true offsets and line numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.limits import LINE_BYTES
from logparse.reading.lines import Splitter, translate

Stretch = tuple[int, bytes, int, bool]


def split(data: bytes, cuts: list[int]) -> tuple[list[Stretch], int, list[tuple[int, int, int]]]:
    """(offset, text, line, ended) of every stretch, bytes of separators, and lines too long."""
    splitter = Splitter()
    found: list[Stretch] = []
    separators = 0
    overlong = []
    for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
        parts = [splitter.feed(data[a:b])]
        if b == len(data) and a == ([0, *cuts][-1]):
            parts.append(splitter.finish())
        for part in parts:
            separators += part.separators
            overlong += part.overlong
            found += [
                (place, part.text[start:end], line, ended)
                for place, start, end, line, ended in zip(
                    part.places.tolist(),
                    part.starts.tolist(),
                    part.ends.tolist(),
                    part.lines.tolist(),
                    part.ended.tolist(),
                    strict=True,
                )
            ]
    return found, separators, overlong


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"", []),
        (b"a", [(0, b"a", 1, False)]),
        (b"a\nb\n", [(0, b"a", 1, True), (2, b"b", 2, True)]),
        (b"a\r\nb", [(0, b"a", 1, True), (3, b"b", 2, False)]),
        (b"a\rb\n", [(0, b"a", 1, False), (2, b"b", 1, True)]),
        (b"\b\b\ra\b\b\rb\n\nc", [(3, b"a", 1, False), (7, b"b", 1, True), (10, b"c", 3, False)]),
        (b"a\tb\0c\fd", [(0, b"a\tb", 1, False), (4, b"c", 1, False), (6, b"d", 1, False)]),
        (b"a^H^Mb^[", [(0, b"a", 1, False), (5, b"b^[", 1, False)]),
        (b"a#010#015b#012", [(0, b"a", 1, False), (9, b"b", 1, True)]),
        (rb"a\u0008\u000Db\u000a", [(0, b"a", 1, False), (13, b"b", 1, True)]),
        (rb'a\b\b\r1/2\n"', [(0, b"a", 1, False), (7, b"1/2", 1, True), (12, b'"', 1, False)]),
        (b'a\r\\n"b', [(0, b"a", 1, True), (4, b'"b', 1, False)]),
        (b"a\r#012b\r#01", [(0, b"a", 1, True), (6, b"b", 1, False), (8, b"#01", 1, False)]),
        # Without a sign of JSON these are letters: a Windows path.
        (rb"C:\bin\run\new", [(0, rb"C:\bin\run\new", 1, False)]),
        (b"a#01b^Ac", [(0, b"a#01b^Ac", 1, False)]),
        # The arrow of a bar in the source of a web page.
        (b"1/9 [=&gt;..]&gt;\n", [(0, b"1/9 [====>..]&gt;", 1, True)]),
    ],
)
def test_stretches(data: bytes, want: list[Stretch]) -> None:
    for cuts in ([], *([cut] for cut in range(1, len(data)))):
        assert split(data, cuts)[0] == want, cuts


@given(st.binary(max_size=300))
def test_translation_keeps_the_length(data: bytes) -> None:
    once = translate(data)
    assert len(once) == len(data)
    assert translate(once) == once


PIECES = [b"^H", b"^", b"H", b"#010", b"#01", b"0", b"\\b", b"\\r", b"\\n", b'"',
          b"\\u0008", b"\\u00", b"08", b"\\u001b", b" 12/", b"\r",
          b"\n", b"\b", b"\0", b"\v", b"ab"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25), st.randoms(use_true_random=False))
def test_any_cuts(parts: list[bytes], rng: random.Random) -> None:
    data = b"".join(parts)
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(5))
    found, separators, overlong = split(data, [])
    assert split(data, cuts) == (found, separators, overlong)
    assert separators + sum(len(text) for _, text, _, _ in found) == len(data)
    plain = translate(data)
    for offset, text, line, _ in found:
        assert plain[offset : offset + len(text)] == text
        assert line == 1 + plain[:offset].count(b"\n")


@pytest.mark.parametrize("size", [LINE_BYTES, LINE_BYTES + 1, 3 * LINE_BYTES + 5])
@pytest.mark.parametrize("end", [b"\n", b"\r", b""])
def test_lines_too_long(size: int, end: bytes) -> None:
    data = b"a\n" + b"x" * size + end + b"b\n" * bool(end)
    short = size <= LINE_BYTES
    for cuts in ([], [2 + LINE_BYTES], [*range(1000, len(data), LINE_BYTES // 3)]):
        found, separators, overlong = split(data, cuts)
        assert overlong == ([] if short else [(2, 2, 2 + size)])
        total = separators + sum(len(text) for _, text, _, _ in found)
        assert total + sum(stop - start for _, start, stop in overlong) == len(data)
        ends = [(line, text) for _, text, line, _ in found if len(text) < 9]
        assert ends == [(1, b"a"), *([(3 if end == b"\n" else 2, b"b")] if end else [])]
