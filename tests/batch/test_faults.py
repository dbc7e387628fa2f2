"""A killed report or a full disk leaves whole files, and the next run completes them."""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from logparse import files
from logparse.errors import LogparseError
from tests.batch.help import REAL, contents, make_tree, run

SMALL = (REAL[0], REAL[1], REAL[5])
KILLS = int(os.environ.get("LOGPARSE_KILLS", "6"))
"""Processes killed at a random instant; 200 before a release."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sample_logs: Path) -> Path:
    """An old tree with its report, a new tree with its report."""
    folder = tmp_path_factory.mktemp("made")
    make_tree(folder / "old", sample_logs, SMALL)
    run(folder / "old", folder / "old-out")
    make_tree(folder / "new", sample_logs, (*SMALL[1:], REAL[6]))
    shutil.copy(folder / "new" / REAL[6], folder / "new" / SMALL[1])
    run(folder / "new", folder / "new-out")
    return folder


def whole(path: str, data: bytes, made: Path) -> bool:
    """Whether a file is one that a finished report wrote."""
    return any(
        (made / out / path).is_file() and (made / out / path).read_bytes() == data
        for out in ("old-out", "new-out")
    )


def replace_tree(place: Path, made: Path) -> None:
    """Let the tree be the new one, under the name of the old: the index names it."""
    shutil.rmtree(place)
    shutil.copytree(made / "new", place)


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A report of the old tree that is to be brought up to the new one."""
    shutil.copytree(made / "old-out", tmp_path / "out")
    return tmp_path


def check(place: Path, made: Path) -> None:
    """Nothing is half, and the next run gives what an undisturbed one gives."""
    for name, data in contents(place / "out").items():
        hidden = name.rpartition("/")[2].startswith(".logparse-")
        assert hidden or name == "index.html" or whole(name, data, made), name
        if name == "index.html":
            assert data.rstrip().endswith(b"</html>")
    run(made / "new", place / "out")
    assert contents(place / "out") == contents(made / "new-out")


def test_a_full_disk_at_every_flush(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, at, count = os.fsync, 0, 0

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    reached = 0
    while True:
        at, count = at + 1, 0
        place = tmp_path / str(at)
        shutil.copytree(made / "old-out", place / "out")
        reason = ""
        try:
            run(made / "new", place / "out")
        except LogparseError as error:
            reason = str(error)
        if not reason:
            break
        assert re.search("no space left on device; free some space", reason)
        at, before = 0, at
        check(place, made)
        at, reached = before, reached + 1
    assert reached > 10  # each file and each folder that is written


def test_a_full_disk_for_the_notes(
    place: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    from logparse.batch import state

    class Full(sqlite3.Connection):
        def executemany(self, *args: Any) -> Any:
            raise sqlite3.OperationalError("database or disk is full")

    real = sqlite3.connect
    monkeypatch.setattr(
        state.sqlite3, "connect", lambda *args, **given: real(*args, factory=Full, **given)
    )
    with pytest.raises(LogparseError, match="disk is full; free some space"):
        run(made / "new", place / "out")
    monkeypatch.undo()
    check(place, made)


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "logparse", *args]


def killed(args: list[str], after: float) -> bool:
    """Run a command and kill it after so many seconds; False if it was done by then."""
    child = subprocess.Popen(
        args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        child.wait(after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        return True
    assert child.returncode == 0
    return False


def test_a_report_killed_at_any_instant(made: Path, tmp_path: Path) -> None:
    report = command("report", str(made / "new"), "--jobs", "1", "-q", "-o")
    start = time.monotonic()
    assert not killed([*report, str(tmp_path / "first")], 120)
    takes = time.monotonic() - start
    chance, hits = random.Random(0), 0
    for i in range(KILLS):
        shutil.copytree(made / "old-out", tmp_path / str(i) / "out")
        hits += killed([*report, str(tmp_path / str(i) / "out")], chance.random() * takes)
        check(tmp_path / str(i), made)
        shutil.rmtree(tmp_path / str(i))
    assert hits > 0


def test_an_export_killed_at_any_instant(made: Path, tmp_path: Path) -> None:
    target, old = tmp_path / "b.csv", b"an older file\n"
    args = ["export", str(made / "new" / REAL[1]), "--table", "batches", "--force", "-o"]
    start = time.monotonic()
    assert not killed(command(*args, str(tmp_path / "whole.csv")), 120)
    takes = time.monotonic() - start
    new = (tmp_path / "whole.csv").read_bytes()
    chance = random.Random(1)
    for _ in range(KILLS):
        target.write_bytes(old)
        killed(command(*args, str(target)), chance.random() * takes)
        assert target.read_bytes() in (old, new)
    assert not killed(command(*args, str(target)), 120)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.csv", "whole.csv"]
    assert target.read_bytes() == new


def test_eight_reports_to_one_folder(made: Path, tmp_path: Path) -> None:
    report = command("report", str(made / "new"), "--jobs", "1", "-q", "-o", str(tmp_path / "out"))
    children = [
        subprocess.Popen(report, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    told = [child.communicate()[1] for child in children]
    codes = [child.returncode for child in children]
    assert set(codes) <= {0, 3}
    assert 0 in codes
    for code, text in zip(codes, told, strict=True):
        assert ("another logparse is writing there" in text) == (code == 3), text
    assert contents(tmp_path / "out") == contents(made / "new-out")
