"""Names of scenarios in, a folder for each training out, whole or absent."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from logparse.errors import LogparseError, UsageError
from logparse.options import nearest
from logparse.replay.scenario import SCALES, Scenario
from logparse.replay.scenarios import NAMES, scenario

try:
    import fcntl
except ImportError:  # Windows: two runs into one folder at once are not told apart there
    fcntl = None  # type: ignore[assignment]

DEVICES = ("auto", "cpu", "gpu")
KERAS = ("keras", "tf-keras")

SPARE = 200_000_000
"""Bytes of disk that a run leaves free."""

FULL = 1_000_000
"""Bytes of disk below which nothing more can be written."""

MEMORY_SHARE = 0.5
"""Of the memory that is free at the start, a run may plan with this share."""

NO_GPU = (
    "TensorFlow sees no GPU here: use --device cpu, or see that nvidia-smi shows one and "
    "logparse[replay-gpu] is installed"
)

PATIENCE = 5.0
"""Seconds to wait for another run: the process of one that was killed takes a moment to end."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One training: a variant of a scenario at a scale."""

    name: str
    scenario: str
    variant: str
    scale: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What jobs will take: bytes of disk, bytes of memory at most, seconds on two CPU cores."""

    disk: int
    memory: int
    seconds: float


@dataclass(slots=True)
class Outcome:
    """What became of the jobs: folders made, folders kept from before, and failures by name."""

    made: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def jobs_of(
    words: Iterable[str], scale: str, *, seed: int = 1, weights: str | None = None
) -> list[Job]:
    """Jobs for words like ``pipelines`` (all its variants), ``pipelines/cache-file`` or ``all``.

    Raises:
        UsageError: there is no such scenario, variant or scale.
    """
    if scale not in SCALES:
        raise UsageError(f"no scale {scale!r}; there are {', '.join(SCALES)}")
    found: dict[str, Job] = {}
    for word in words:
        name, _, variant = word.partition("/")
        for one in NAMES if word == "all" else (name,):
            if one not in NAMES:
                raise UsageError(f"no scenario {one!r}{_meant(one, NAMES)}")
            chosen = scenario(one)
            if variant and variant not in chosen.variants:
                meant = _meant(variant, chosen.variants)
                raise UsageError(f"{one} has no variant {variant!r}{meant}")
            for each in [variant] if variant else chosen.variants:
                settings = chosen.settings(each, scale) | {"seed": seed, "weights": weights}
                job = Job(f"{one}-{each}", one, each, scale, settings)
                found[job.name] = job
    return list(found.values())


def _meant(word: str, known: Iterable[str]) -> str:
    meant = nearest(word, known)
    return f"; did you mean {meant}?" if meant else f"; there are {', '.join(known)}"


def estimate(jobs: Iterable[Job], root: Path) -> Estimate:
    """What jobs will take below ``root``; images that are there already count nothing."""
    disk = memory = 0
    seconds = 0.0
    images = set()
    for job in jobs:
        chosen = scenario(job.scenario)
        need = chosen.need(job.settings)
        disk += need.disk
        memory = max(memory, need.memory)
        seconds += chosen.seconds[job.scale]
        if need.images is not None and not need.images.folder(root / "images").is_dir():
            images.add(need.images)
    return Estimate(disk + sum(one.bytes for one in images), memory, seconds)


def run(
    words: Iterable[str],
    root: str | os.PathLike[str],
    *,
    scale: str = "smoke",
    device: str = "auto",
    keras: str = "keras",
    weights: str | None = None,
    seed: int = 1,
    memory: int | None = None,
    resume: bool = False,
    force: bool = False,
    say: Say = lambda text: None,
) -> Outcome:
    """Train scenarios, each variant into a folder of its own below ``root``.

    A folder holds ``train.log`` (the bytes that Keras printed), ``events`` (TensorBoard's),
    ``history.csv`` (Keras's CSVLogger), ``truth.parquet`` (see ``recorder.COLUMNS``) and
    ``meta.json``. It appears when the training is done; until then it is called ``NAME.partial``.

    Args:
        words: scenarios, ``scenario/variant``, or ``all``.
        root: folder to write into; made if need be.
        scale: ``smoke``, ``small`` or ``full``.
        device: ``auto``, ``cpu`` or ``gpu``.
        keras: ``keras`` (3) or ``tf-keras``.
        weights: ``imagenet`` downloads weights for networks of keras.applications; None is random.
        seed: of images, weights and order.
        memory: bytes that a cache in memory may take; half of what is free by default.
        resume: keep what is finished, and do the rest.
        force: make anew what is there.
        say: gets lines about what goes on.

    Raises:
        UsageError: a name or an option makes no sense, ``root`` holds runs that nothing was said
            about, there is not enough disk, no TensorFlow, or no GPU where one was asked for.
    """
    need_tensorflow()
    jobs = jobs_of(words, scale, seed=seed, weights=weights)
    folder = Path(root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {(error.strerror or '').lower()}") from error
    outcome = Outcome()
    with _locked(folder) as lock:
        todo = [job for job in jobs if not _kept(job, folder, outcome, resume=resume, force=force)]
        todo = _affordable(todo, folder, memory, outcome, say)
        for job in todo:
            _clear(folder / job.name, force=force, say=say)
        # Importing TensorFlow takes longer than a training of a few seconds: those share a process.
        lots = [todo] if scale == "smoke" else [[job] for job in todo]
        for lot in lots:
            while lot:
                done = _process(lot, folder, device, keras, lock, outcome, say)
                lot = lot[done:]
    return outcome


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[IO[bytes]]:
    """The folder for this run alone; also for the process that trains, should this one be killed.

    Raises:
        UsageError: another run holds it.
    """
    with open(folder / ".replay.lock", "wb") as file:
        if fcntl is not None:
            end = time.monotonic() + PATIENCE
            while not _lock(file):
                if time.monotonic() > end:
                    raise UsageError(
                        f"{folder}: another replay is writing here; wait for it, or name another "
                        "folder"
                    )
                time.sleep(0.1)
        yield file


def _lock(file: IO[bytes]) -> bool:
    """Lock a file, unless another process has."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _kept(job: Job, folder: Path, outcome: Outcome, *, resume: bool, force: bool) -> bool:
    """Whether a job is finished already and stays.

    Raises:
        UsageError: something is there, and neither ``resume`` nor ``force`` is given.
    """
    final = folder / job.name
    partial = final.with_name(final.name + ".partial")
    if force:
        return False
    if final.exists():
        if not resume:
            raise UsageError(
                f"{final}: exists; --resume keeps it and does the rest, --force makes it anew"
            )
        if _settings(final) != job.settings | {"scale": job.scale}:
            raise UsageError(
                f"{final}: was made with other settings; name another folder, or --force makes it "
                "anew"
            )
        outcome.kept.append(final)
        return True
    if partial.exists() and not resume:
        raise UsageError(
            f"{partial}: left by a run that was stopped; --resume does it anew and keeps this "
            "beside it"
        )
    return False


def _settings(final: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        meta = json.loads((final / "meta.json").read_text())
        return {**meta["settings"], "scale": meta["scale"]}
    return None


def _affordable(
    jobs: list[Job], folder: Path, memory: int | None, outcome: Outcome, say: Say
) -> list[Job]:
    """The jobs whose cache fits into memory; the others are refused, with the reason.

    Raises:
        UsageError: the disk is too small.
    """
    limit = memory if memory is not None else int(MEMORY_SHARE * free_memory())
    fit = []
    for job in jobs:
        need = scenario(job.scenario).need(job.settings).memory
        if need > limit:
            outcome.failed[job.name] = (
                f"refused: its cache in memory needs {amount(need)} and may take {amount(limit)}; "
                f"take {job.scenario}/cache-file, a smaller --scale, or --memory"
            )
        else:
            fit.append(job)
    found = estimate(fit, folder)
    free = shutil.disk_usage(folder).free
    if found.disk + SPARE > free:
        raise UsageError(
            f"{folder}: this needs {amount(found.disk)} of disk and {amount(free)} are free; name "
            "another folder or a smaller --scale"
        )
    if fit:
        say(
            f"{len(fit)} training{'s' if len(fit) > 1 else ''}: about {duration(found.seconds)} on "
            f"two CPU cores, {amount(found.disk)} of disk ({amount(free)} free)"
        )
    return fit


def _clear(final: Path, *, force: bool, say: Say) -> None:
    """Make room for a run: an older one goes if ``force``, what a stopped one left is set aside."""
    partial = final.with_name(final.name + ".partial")
    if partial.exists():
        aside = next(
            path
            for i in range(1, 10_000)
            if not (path := final.with_name(f"{final.name}.stopped-{i}")).exists()
        )
        os.rename(partial, aside)
        say(f"{aside}: what the stopped run left; delete it when you do not need it")
    if force and final.exists():
        shutil.rmtree(final)


def _process(
    jobs: list[Job],
    folder: Path,
    device: str,
    keras: str,
    lock: IO[bytes],
    outcome: Outcome,
    say: Say,
) -> int:
    """Have a process do jobs; how many of them it did or failed at.

    Raises:
        UsageError: there is no GPU, and one was asked for.
        LogparseError: the process could not even begin.
    """
    order = {"root": str(folder.resolve()), "device": device, "keras": keras}
    with open(folder / ".replay.stderr", "w+b") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "logparse.replay.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(device, keras),
            text=True,
            pass_fds=(lock.fileno(),) if os.name == "posix" else (),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                json.dump(order | {"jobs": [asdict(job) for job in jobs]}, process.stdin)
            news = _News(folder, outcome, say)
            for line in process.stdout:
                news.take(json.loads(line))
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if news.current is not None:  # it ended in the middle of a job
            code = process.returncode
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            full = shutil.disk_usage(folder).free < FULL
            why = "the disk is full" if full else "perhaps for want of memory"
            outcome.failed[news.current] = (
                f"its process ended {how}, {why}; what it wrote is in "
                f"{folder / news.current}.partial. --resume does it again"
            )
            return news.count + 1
        if not news.count:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise LogparseError(f"replay: TensorFlow does not start: {''.join(last)[:300]}")
    (folder / ".replay.stderr").unlink()
    return news.count


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
            self.say(f"{self.current}: done in {duration(news['seconds'])}")
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
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
    env |= {"TF_USE_LEGACY_KERAS": "1"} if keras == "tf-keras" else {"KERAS_BACKEND": "tensorflow"}
    return env | ({"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {})


def free_memory() -> int:
    """Bytes of memory that a new process could take; all there is where that is not told."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 4_000_000_000


def amount(size: float) -> str:
    """Bytes in words: ``18 GB``."""
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = 0
    while size >= 1000 and power < len(units) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.{0 if size >= 10 or not power else 1}f} {units[power]}"


def duration(seconds: float) -> str:
    """Seconds in words: ``40 s``, ``5 min``, ``3 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def all_scenarios() -> list[Scenario]:
    """All scenarios."""
    return [scenario(name) for name in NAMES]
