"""Items made ahead by a thread: the same items, in order, with the same errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from logparse.ahead import ahead


def test_all_items_in_order() -> None:
    assert list(ahead(iter(range(1000)))) == list(range(1000))
    assert list(ahead(iter(()))) == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk is gone")

    source = ahead(items())
    assert [next(source), next(source)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(source)


def test_little_is_made_ahead() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    source = ahead(items())
    assert next(source) == 0
    source.close()
    for thread in threading.enumerate():
        if thread.name == "logparse-reading":
            thread.join(5)
    assert len(made) <= 5
