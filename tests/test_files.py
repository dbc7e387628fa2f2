"""Output is whole or absent: injected faults, killed and competing processes."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from logparse.errors import LogparseError, UsageError
from logparse.files import write_atomic

OLD, NEW = b"old\n", b"new\n" * 50_000


def write(path: Path | str, data: bytes = NEW, *, force: bool = False) -> None:
    with write_atomic(path, force=force) as file:
        file.write(data)


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_writes_a_new_file(tmp_path: Path) -> None:
    write(tmp_path / "x.json")
    assert everything(tmp_path) == {"x.json": NEW}


def test_name_without_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("x.json")
    assert everything(tmp_path) == {"x.json": NEW}


def test_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write(tmp_path / "x")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_refuses_to_overwrite(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(OLD)
    with pytest.raises(UsageError, match="exists; give --force to replace it"):
        write(tmp_path / "x")
    assert everything(tmp_path) == {"x": OLD}


def test_force_replaces_and_keeps_permissions(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(OLD)
    (tmp_path / "x").chmod(0o640)
    write(tmp_path / "x", force=True)
    assert everything(tmp_path) == {"x": NEW}
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_force_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(OLD)
    (tmp_path / "x").symlink_to("target")
    with pytest.raises(UsageError, match="--force"):
        write(tmp_path / "x")
    write(tmp_path / "x", force=True)
    assert everything(tmp_path) == {"target": OLD, "x": NEW}
    assert not (tmp_path / "x").is_symlink()


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("nowhere")
    with pytest.raises(UsageError, match="--force"):
        write(tmp_path / "x")
    assert (tmp_path / "x").is_symlink()


def test_refuses_folders_devices_and_missing_folders(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name, why in (
        ("folder", "is a folder"),
        ("pipe", "not a regular file"),
        ("null", "not a regular file"),
        ("missing/x", "there is no folder"),
    ):
        with pytest.raises(UsageError, match=why):
            write(tmp_path / name, force=True)
    assert sorted(os.listdir(tmp_path)) == ["folder", "null", "pipe"]


def test_an_error_of_the_caller_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(OLD)

    def stop() -> None:
        with write_atomic(tmp_path / "x", force=True) as file:
            file.write(NEW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert everything(tmp_path) == {"x": OLD}


class Fault:
    """Fails the n-th call among the functions it wraps."""

    def __init__(self, nth: int, code: int) -> None:
        self.left = nth
        self.code = code

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise OSError(self.code, os.strerror(self.code))
            return function(*args, **kwargs)

        return wrapped


FAULTY = ("os.open", "os.fsync", "os.replace", "os.link", "os.chmod", "fcntl.flock", "os.listdir")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("force", [False, True])
def test_every_fault_leaves_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, force: bool
) -> None:
    failed = 0
    for nth in range(1, 20):
        before = {"x": OLD} if force else {}
        for path in tmp_path.iterdir():
            path.unlink()
        if force:
            (tmp_path / "x").write_bytes(OLD)
        fault = Fault(nth, code)
        message = None
        with monkeypatch.context() as patch:
            for name in FAULTY:
                module, function = name.split(".")
                patch.setattr(name, fault.wrap(getattr(sys.modules[module], function)))
            try:
                write(tmp_path / "x", force=force)
            except LogparseError as error:
                message = str(error)
        if message is None:
            assert everything(tmp_path) == {"x": NEW}
        else:
            failed += 1
            assert message.startswith(f"{tmp_path / 'x'}: cannot be written: ")
            assert os.strerror(code).lower() in message
            # the last fault is the folder's flush: the new file is there by then
            assert everything(tmp_path) in (before, {"x": NEW})
        if fault.left > 0:  # every call was made to fail once
            assert failed >= 5
            return
    pytest.fail("more system calls than expected")


FULL_DISK = """
import resource, signal, sys
import polars as pl
from logparse.errors import LogparseError
from logparse.files import write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    with write_atomic(sys.argv[1]) as file:
        if sys.argv[2] == "bytes":
            for _ in range(1000):
                file.write(b"x" * 1000)
        else:
            pl.DataFrame({"a": range(300_000)}).write_parquet(file, compression="uncompressed")
except LogparseError as error:
    print(error)
"""


@pytest.mark.parametrize("writer", ["bytes", "polars"])
def test_a_real_limit_on_size_is_one_line(tmp_path: Path, writer: str) -> None:
    target = str(tmp_path / "x.parquet")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, target, writer], capture_output=True, text=True
    )
    assert done.stdout == f"{target}: cannot be written: file too large" + (
        "; free some space or name another folder\n"
    ), done.stderr
    assert everything(tmp_path) == {}


def test_polars_can_write_to_it(tmp_path: Path) -> None:
    frame = pl.DataFrame({"step": [1, 2], "loss": [0.5, None]})
    with write_atomic(tmp_path / "x.parquet") as file:
        frame.write_parquet(file)
    assert pl.read_parquet(tmp_path / "x.parquet").equals(frame)
    assert sorted(os.listdir(tmp_path)) == ["x.parquet"]


ENDLESS = """
import sys
from logparse.files import write_atomic
print("ready", flush=True)
while True:
    with write_atomic(sys.argv[1], force=True) as file:
        for _ in range(50):
            file.write(b"new\\n" * 1000)
"""


def test_killed_processes_leave_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(OLD)
    left = 0
    for seed in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path / "x")], stdout=subprocess.PIPE
        )
        assert writer.stdout
        with writer, writer.stdout:
            writer.stdout.readline()
            time.sleep(random.Random(seed).uniform(0, 0.01))
            writer.kill()
        assert (tmp_path / "x").read_bytes() in (OLD, NEW)
        left += len(os.listdir(tmp_path)) - 1
    assert left  # some were killed in the middle, else this test shows nothing
    write(tmp_path / "y")  # another name leaves them alone
    write(tmp_path / "x", force=True)
    assert everything(tmp_path) == {"x": NEW, "y": NEW}


COMPETE = """
import sys
from logparse.errors import UsageError
from logparse.files import write_atomic
folder, mark = sys.argv[1:]
won = 0
for i in range(100):
    try:
        with write_atomic(f"{folder}/{i}") as file:
            file.write(mark.encode() * 5000)
        won += 1
    except UsageError as error:
        assert "--force" in str(error)
print(won)
"""


def test_competing_processes_give_one_winner(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", COMPETE, str(tmp_path), mark], stdout=subprocess.PIPE, text=True
        )
        for mark in "abcd"
    ]
    won = [int(writer.communicate()[0]) for writer in writers]
    assert sum(won) == 100
    written = everything(tmp_path)
    assert sorted(written, key=int) == [str(i) for i in range(100)]
    assert [
        sum(data == mark * 5000 for data in written.values()) for mark in (b"a", b"b", b"c", b"d")
    ] == won
