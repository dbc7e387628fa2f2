"""Jobs in, a process with TensorFlow that does them, and what it tells of each out."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from logparse.errors import LogparseError, UsageError
from logparse.findings.wording import long_duration
from logparse.replay.jobs import Job

DEVICES = ("auto", "cpu", "gpu")
KERAS = ("keras", "tf-keras")

FULL = 1_000_000
"""Bytes of disk below which nothing more can be written."""

NO_GPU = (
    "TensorFlow sees no GPU here: use --device cpu, or see that nvidia-smi shows one and "
    "logparse[replay-gpu] is installed"
)

Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What became of the jobs: folders made, folders kept from before, and failures by name."""

    made: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def train(
    jobs: Sequence[Job],
    folder: Path,
    *,
    device: str,
    keras: str,
    lock: IO[bytes],
    outcome: Outcome,
    say: Say,
) -> int:
    """Have a process do jobs; how many of them it did or failed at.

    Args:
        jobs: at least one.
        folder: where their folders go.
        device: one of ``DEVICES``.
        keras: one of ``KERAS``.
        lock: stays locked for as long as the process lives.
        outcome: what becomes of the jobs is added to it.
        say: gets lines about what goes on.

    Raises:
        UsageError: there is no GPU, and one was asked for.
        LogparseError: the process could not even begin.
    """
    order = {"root": str(folder.resolve()), "device": device, "keras": keras}
    news = _News(folder, outcome, say)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-m", "logparse.replay.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(device, keras),
            text=True,
            pass_fds=(lock.fileno(),) if os.name == "posix" else (),
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                json.dump(order | {"jobs": [asdict(job) for job in jobs]}, process.stdin)
            for line in process.stdout:
                news.take(json.loads(line))
        except BaseException:
            process.terminate()
            raise
        process.wait()
        if news.current is not None:  # it ended in the middle of a job
            outcome.failed[news.current] = _ended(process.returncode, folder, news.current)
            return news.count + 1
        if not news.count:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise LogparseError(f"replay: TensorFlow does not start: {''.join(last)[:300]}")
    return news.count


def _ended(code: int, folder: Path, name: str) -> str:
    """Why a process ended in the middle of a job, and what to do."""
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    full = shutil.disk_usage(folder).free < FULL
    why = "the disk is full" if full else "perhaps for want of memory"
    return (
        f"its process ended {how}, {why}; what it wrote is in {folder / name}.partial. "
        "--resume does it again"
    )


class _News:
    """What the process that trains tells."""

    def __init__(self, folder: Path, outcome: Outcome, say: Say) -> None:
        self.folder, self.outcome, self.say = folder, outcome, say
        self.current: str | None = None
        self.count = 0

    def take(self, news: dict[str, Any]) -> None:
        """One piece of news.

        Raises:
            UsageError: there is no GPU.
        """
        if "device" in news:
            if news["device"] is None:
                raise UsageError(NO_GPU)
            self.say(f"device: {news['device']}")
        elif "job" in news:
            self.current = news["job"]
            self.say(f"{self.current}: begins")
        elif "progress" in news:
            self.say(f"{self.current}: {news['progress']}")
        elif "failed" in news:
            assert self.current is not None
            self.outcome.failed[self.current] = news["failed"]
            self.current, self.count = None, self.count + 1
        else:
            self.outcome.made.append(self.folder / news["done"])
            self.say(f"{self.current}: done in {long_duration(news['seconds'])}")
            self.current, self.count = None, self.count + 1


def need_tensorflow() -> None:
    """Before anything is begun.

    Raises:
        UsageError: TensorFlow is not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise UsageError(
            "replay needs TensorFlow: pip install 'logparse[replay]' (on Python 3.11 to 3.13)"
        )


def environment(device: str, keras: str) -> dict[str, str]:
    """Environment of a process with TensorFlow."""
    # Of a GPU's memory TensorFlow takes all at once, unless told to take what it needs.
    env = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} | os.environ
    env |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
    env |= {"TF_USE_LEGACY_KERAS": "1"} if keras == "tf-keras" else {"KERAS_BACKEND": "tensorflow"}
    return env | ({"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {})
