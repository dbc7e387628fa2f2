"""Working together gives what working alone gives, bit for bit, and no failure spreads."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import logparse
from logparse.lockstep import aside, run_in_step, share, shared
from logparse.reports.html import page

TABLES = ("runs", "epochs", "metrics", "step_times", "findings", "updates", "batches")


def test_alike_steps_are_done_as_one() -> None:
    seen: list[list[int]] = []

    def merge(given: list[int]) -> list[int]:
        seen.append(sorted(given))
        return [n * n for n in given]

    def work(n: int) -> int:
        assert shared()
        first = share(merge, n % 2, n)
        return first + share(merge, "all", n) if n < 4 else first

    assert run_in_step(work, range(6)) == [0, 2, 8, 18, 16, 25]
    assert sorted(seen) == [[0, 1, 2, 3], [0, 2, 4], [1, 3, 5]]
    assert not shared()


def test_those_who_are_behind_catch_up() -> None:
    seen: list[int] = []

    def merge(given: list[int]) -> list[int]:
        seen.append(len(given))
        return given

    def work(n: int) -> None:
        for _ in range(n + 1):
            share(merge, "first", n)
        share(merge, "then", n)

    run_in_step(work, range(4))
    assert seen == [4, 3, 2, 1, 4]


def test_one_that_fails_is_its_own_result() -> None:
    def work(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return int(share(lambda given: given, None, n))

    found = run_in_step(work, range(4))
    assert [found[0], found[1], found[3]] == [0, 1, 3]
    assert isinstance(found[2], ValueError)


def test_a_step_that_fails_fails_those_that_share_it() -> None:
    def broken(given: list[Any]) -> list[Any]:
        raise ZeroDivisionError

    def work(n: int) -> int:
        return int(share(broken, None, n)) if n < 2 else n

    found = run_in_step(work, range(3))
    assert [type(one) for one in found] == [ZeroDivisionError, ZeroDivisionError, int]


def test_alone_nothing_is_shared() -> None:
    assert run_in_step(lambda n: (n, shared()), [7]) == [(7, False)]
    assert run_in_step(lambda n: n, []) == []


@pytest.fixture(scope="module")
def logs(sample_logs: Path) -> list[Path]:
    """Logs of every law, with one epoch and with many, with nan and without times."""
    return sorted(sample_logs.rglob("*.log"))


def test_logs_analysed_together_are_the_same_bit_for_bit(logs: list[Path]) -> None:
    def tables(log: Path) -> dict[str, Any]:
        found = logparse.analyze(log)
        return {name: found.table(name) for name in TABLES}

    alone = [tables(log) for log in logs]
    for log, one, other in zip(logs, alone, run_in_step(tables, logs), strict=True):
        assert not isinstance(other, Exception), (log, other)
        for name in TABLES:
            assert other[name].equals(one[name]), (log, name)


def test_pages_made_together_are_the_same_to_the_byte(logs: list[Path]) -> None:
    def made(log: Path) -> str:
        return page(logparse.analyze(log), script="plotly.min.js")

    assert run_in_step(made, logs) == [made(log) for log in logs]


def test_the_bits_of_numbers_are_the_same(logs: list[Path]) -> None:
    # ``equals`` holds 0.0 and -0.0 for the same; the bytes do not.
    def numbers(log: Path) -> bytes:
        metrics = logparse.analyze(log).metrics
        return np.nan_to_num(metrics.select("end", "noise", "mean").to_numpy(), nan=9e99).tobytes()

    assert run_in_step(numbers, logs) == [numbers(log) for log in logs]


def test_one_works_at_a_time_but_all_wait_together() -> None:
    working: list[int] = []
    meet = threading.Barrier(3, timeout=10)

    def work(n: int) -> int:
        working.append(n)
        time.sleep(0.01)
        assert working == [n]
        working.remove(n)
        with aside():
            return meet.wait()

    assert sorted(run_in_step(work, range(3))) == [0, 1, 2]
    with aside():
        pass  # alone there is nobody to wait for
