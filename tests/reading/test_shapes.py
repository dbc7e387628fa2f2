"""Stretches of one shape: which rows are of it, and what their digits spell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reading.shapes import PAD, WIDTH, Rows, Shape, groups


def rows_of(texts: list[bytes]) -> Rows:
    """Texts of one length, one after the other in a buffer."""
    length = len(texts[0])
    buffer = np.frombuffer(b"".join(texts) + PAD, np.uint8)
    return Rows.gather(buffer, np.arange(len(texts)) * length, length)


TEXT = b"  12/60 [=>..] - ETA: 3s - loss: 0.1234 acc"
DIGITS = [(i, i + 1) for i in range(len(TEXT)) if 48 <= TEXT[i] <= 57]
BARS = [(9, 13)]
SHAPE = Shape(TEXT, DIGITS, BARS)


def matches(text: bytes) -> bool:
    """What ``Shape.match`` must say, byte by byte."""
    digits, bars = ({i for a, b in spans for i in range(a, b)} for spans in (DIGITS, BARS))
    return all(
        (byte in b"0123456789") if i in digits else (byte in b"=>.") if i in bars else byte == own
        for i, (byte, own) in enumerate(zip(text, TEXT, strict=True))
    )


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_match_of_every_byte_at_every_place(place: int) -> None:
    texts = [TEXT[:place] + bytes([byte]) + TEXT[place + 1 :] for byte in range(256)]
    assert SHAPE.match(rows_of(texts)).tolist() == [matches(text) for text in texts]


@given(st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=8))
def test_match_of_any_word(words: list[bytes]) -> None:
    """No combination of bytes in one word hides a wrong one, in digits, bars or text."""
    shapes = [Shape(b"=" * 8, [], [(0, 8)]), Shape(b"0" * 8, [(0, 8)], []), Shape(words[0], [], [])]
    want = [
        [set(word) <= set(b"=>.") for word in words],
        [word.isdigit() for word in words],
        [word == words[0] for word in words],
    ]
    assert [shape.match(rows_of(words)).tolist() for shape in shapes] == want


@given(st.integers(1, 18), st.integers(0, 30), st.data())
def test_integers(size: int, start: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, 10**size - 1), min_size=1, max_size=5))
    junk = data.draw(st.binary(min_size=40, max_size=40))
    texts = [junk[:start] + b"%0*d" % (size, n) + junk[start:] for n in numbers]
    assert rows_of(texts).integers((start, start + size)).tolist() == numbers


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 64, 511, WIDTH])
def test_rows_of_any_length(length: int) -> None:
    texts = [bytes([65 + i]) * length for i in range(5)]
    rows = rows_of(texts)
    assert [row[:length].tobytes() for row in rows.rows] == texts
    assert Shape(texts[2], [], []).match(rows).tolist() == [False, False, True, False, False]
    assert rows.take(np.array([2, 0])).rows[:, 0].tolist() == [67, 65]


@given(st.lists(st.integers(48, 57), min_size=10, max_size=10), st.text("=>.", max_size=4))
def test_lines_of_one_shape_have_one_signature(digits: list[int], bar: str) -> None:
    """Digits and the filling of the bar do not matter behind the counter."""
    other = bytearray(TEXT)
    for (place, _), digit in zip(DIGITS[4:], digits, strict=False):
        other[place] = digit
    other[9 : 9 + len(bar)] = bar.encode()
    one, two = rows_of([TEXT, bytes(other)]).signatures().tolist()
    assert one == two


def test_what_follows_a_row_does_not_count() -> None:
    buffer = np.frombuffer(b"12/60 [=>.]A!12/60 [=>.]zz" + PAD, np.uint8)
    rows = Rows.gather(buffer, np.array([0, 13]), 11)
    assert len(set(rows.signatures().tolist())) == 1
    assert Shape(b"12/60 [=>.]", [(0, 2)], []).match(rows).all()


@given(st.lists(st.integers(0, 3), min_size=1))
def test_groups(keys: list[int]) -> None:
    found = [group.tolist() for group in groups(np.array(keys, np.uint16))]
    want = [[i for i, key in enumerate(keys) if key == one] for one in sorted(set(keys))]
    assert found == want
