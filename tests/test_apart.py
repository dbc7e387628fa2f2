"""Items made by a copy of the process: the same items, in order, with the same errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from polars.testing import assert_frame_equal

import logparse
from logparse import apart as copies
from logparse import stream
from logparse.apart import apart
from logparse.errors import SourceError
from logparse.reading.records import nans, no_updates
from logparse.tables import TABLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux only")


@pytest.fixture
def none_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The copies that a test makes are gone after it, and waited for."""
    copied: list[int] = []
    fork = os.fork

    def noted() -> int:
        child = fork()
        copied.append(child)
        return child

    monkeypatch.setattr(os, "fork", noted)
    yield
    assert copied
    for child in copied:
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


@pytest.mark.usefixtures("none_is_left")
def test_all_items_in_order() -> None:
    arrays = [np.arange(size) for size in (0, 1, 1000, 1_000_000)]
    here = os.getpid()
    for (pid, got), array in zip(
        apart((os.getpid(), array) for array in arrays), arrays, strict=True
    ):
        assert pid != here
        assert np.array_equal(got, array)
        got += 1  # what comes may be worked on in place
    assert list(apart(iter(()))) == []


@pytest.mark.usefixtures("none_is_left")
def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise SourceError("the disk is gone")

    source = apart(items())
    assert [next(source), next(source)] == [1, 2]
    with pytest.raises(SourceError, match="the disk is gone"):
        next(source)


@pytest.mark.usefixtures("none_is_left")
def test_a_copy_that_dies_is_an_error() -> None:
    def items() -> Iterator[int]:
        yield 1
        os.kill(os.getpid(), 9)

    source = apart(items())
    assert next(source) == 1
    with pytest.raises(SourceError, match="ended before its time"):
        next(source)


@pytest.mark.usefixtures("none_is_left")
def test_closing_ends_the_copy() -> None:
    source = apart(np.zeros(1_000_000) for _ in range(1000))
    next(source)
    source.close()  # type: ignore[attr-defined]


def test_threads_of_others_forbid_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "listdir", lambda _: ["1", "2"])
    assert not copies.possible()


def test_columns_without_a_number_are_sent_as_a_length() -> None:
    updates = no_updates()
    updates.eta, updates.clock = nans(1000), np.arange(1000.0)
    state = updates.__getstate__()
    assert state["eta"] == 1000
    (got,) = apart(iter([updates]))
    assert np.isnan(got.eta).all()
    assert len(got.eta) == 1000
    assert got.clock.tolist() == updates.clock.tolist()


@pytest.mark.parametrize("log", ["keras-3.12.0/multi.log", "tf-2.3.4/messages.log"])
def test_a_log_read_by_a_copy_is_the_same(
    log: str, sample_logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    here = logparse.analyze(sample_logs / log)
    monkeypatch.setattr(stream, "APART_BYTES", 1)
    monkeypatch.setattr(stream, "possible", lambda: True)
    monkeypatch.setattr(stream, "apart", lambda items: used.append(1) or apart(items))
    there = logparse.analyze(sample_logs / log)
    assert used
    assert there.source == here.source
    for table in TABLES:
        assert_frame_equal(there.table(table), here.table(table), check_exact=True)


def test_the_command_reads_a_large_log_in_two_processes(tmp_path: Path, sample_logs: Path) -> None:
    """The same JSON, hash included, whether a second core is there or not."""
    log = tmp_path / "train.log"
    text = (sample_logs / "keras-2.2.4/fit.log").read_bytes()
    log.write_bytes(text + (b"x" * 99_999 + b"\n") * (stream.APART_BYTES // 100_000 + 1))
    found = []
    for cores in ("{0, 1}", "{0}"):
        program = f"""
import os
os.sched_getaffinity = lambda _: {cores}
fork = os.fork
os.fork = lambda: print("copied", file=sys.stderr) or fork()
import sys
from logparse.cli import main
sys.argv[1:] = ["analyze", {str(log)!r}, "--format", "json"]
main()
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        assert (b"copied" in done.stderr) == (cores != "{0}")
        found.append(done.stdout)
    assert found[0] == found[1]
