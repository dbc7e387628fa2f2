"""Trees of logs, small and real, and what a report made of them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from logparse.batch.executors import workers
from logparse.batch.run import Summary, report

TABLES = ("logs", "runs", "epochs", "metrics", "findings")

REAL = (
    "keras-1.2.2/outer.log",
    "keras-2.2.4/fit.log",
    "keras-2.3.1/slowfirst.log",
    "keras-3.0.5/outer.log",
    "keras-3.12.0/multi.log",
    "tf-2.0.4/nan.log",
    "seeds/003_outer_loop.log",
)


def make_tree(folder: Path, samples: Path, names: tuple[str, ...] = REAL) -> Path:
    """The sample logs of those names below ``folder``."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(samples / name, folder / name)
    age(folder)
    return folder


def age(folder: Path) -> None:
    """Let all files be from long ago: what was just changed is never trusted to be unchanged."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1e9, 1e9))


def run(tree: Path | str, out: Path, **given: Any) -> Summary:
    """A report made in this process."""
    jobs, scheduler = given.pop("jobs", 1), given.pop("scheduler", None)
    with workers(jobs, scheduler) as found:
        return report(str(tree), str(out), found, **given)


def data(out: Path) -> dict[str, pl.DataFrame]:
    """The data set of a report."""
    return {
        table: pl.read_parquet(str(out / "data" / table / "*.parquet")).sort(
            "log", maintain_order=True
        )
        for table in TABLES
    }


def contents(out: Path) -> dict[str, bytes]:
    """All files of a report but its notes."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".logparse" not in path.parts
    }


def _cut(data: bytes) -> bytes:
    return gzip.compress(data)[:30]


def _bomb(data: bytes) -> bytes:
    return gzip.compress(b"\0" * (40 << 20))


def _zip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.log", data)
    return buffer.getvalue()


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty.log": lambda data: b"",
    "blank.log": lambda data: b" \n\n  \n",
    "zeros.log": lambda data: bytes(9000),
    "noise.log": lambda data: bytes(i * i % 251 for i in range(9000)),
    "cut.log.gz": _cut,
    "bomb.log.gz": _bomb,
    "cut.zip": lambda data: _zip(data)[:-30],
    "bad.log.zst": lambda data: b"\x28\xb5\x2f\xfd" + data[:50],
    "bad.log.xz": lambda data: b"\xfd7zXZ\x00" + data[:50],
    "twice.log.gz": lambda data: gzip.compress(gzip.compress(data)),
}
"""Ways in which a log is broken, by the name of the file: a real log in, its broken form out."""


def make_broken(folder: Path, log: bytes) -> list[str]:
    """A file of each of ``BROKEN``, and a link to nothing; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, breaks in BROKEN.items():
        (folder / name).write_bytes(breaks(log))
    age(folder)
    return sorted(BROKEN)
