"""Names of scenarios in, a folder for each training out, whole or absent."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO

from logparse.errors import UsageError
from logparse.replay.jobs import Job, affordable, announcement, jobs_of
from logparse.replay.process import Outcome, Say, need_tensorflow, train

try:
    import fcntl
except ImportError:  # Windows: two runs into one folder at once are not told apart there
    fcntl = None  # type: ignore[assignment]

PATIENCE = 5.0
"""Seconds to wait for another run: the process of one that was killed takes a moment to end."""


def run(
    words: Iterable[str],
    root: str | os.PathLike[str],
    *,
    scale: str = "smoke",
    device: str = "auto",
    keras: str = "keras",
    weights: str | None = None,
    seed: int = 1,
    changes: Mapping[str, float] | None = None,
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
        changes: numbers of the scale to replace, such as ``{"epochs": 1}``.
        memory: bytes of data that may be kept in memory; half of what is free by default.
        resume: keep what is finished, and do the rest.
        force: make anew what is there; the old goes when the new is whole.
        say: gets lines about what goes on.

    Raises:
        UsageError: a name or an option makes no sense, ``root`` holds runs that nothing was said
            about, there is not enough disk, no TensorFlow, or no GPU where one was asked for.
    """
    need_tensorflow()
    jobs = jobs_of(words, scale, seed=seed, weights=weights, changes=changes)
    folder = Path(root)
    outcome = Outcome()
    with _locked(folder) as lock:
        todo = []
        for job in jobs:
            final = folder / job.name
            if not force and _kept(final, job, device, keras, resume=resume):
                outcome.kept.append(final)
            else:
                todo.append(job)
        todo, outcome.failed = affordable(todo, folder, memory)
        if todo:
            say(announcement(todo, folder))
        for job in todo:
            _set_aside(folder / job.name, say)
        # Importing TensorFlow takes longer than a training of a few seconds: those share a process.
        lots = [todo] if scale == "smoke" else [[job] for job in todo]
        do = partial(
            train, folder=folder, device=device, keras=keras, lock=lock, outcome=outcome, say=say
        )
        try:
            for lot in lots:
                while lot:
                    lot = lot[do(lot) :]
        except KeyboardInterrupt:
            say("stopped; the same command with --resume keeps what is finished and does the rest")
            raise
    return outcome


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[IO[bytes]]:
    """The folder for this run alone; also for the process that trains, should this one be killed.

    Raises:
        UsageError: it cannot be made or written, or another run holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / ".replay.lock", "wb")  # noqa: SIM115  # closed below
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{folder}: cannot write there: {reason}; name another with -o") from error
    with file:
        end = time.monotonic() + PATIENCE
        while not _lock(file):
            if time.monotonic() > end:
                raise UsageError(
                    f"{folder}: another replay is writing here; wait for it, or name another folder"
                )
            time.sleep(0.1)
        yield file


def _lock(file: IO[bytes]) -> bool:
    """Lock a file, unless another process has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _kept(final: Path, job: Job, device: str, keras: str, *, resume: bool) -> bool:
    """Whether a job is finished already and stays.

    Raises:
        UsageError: something is there, and ``resume`` is not given or would keep something else.
    """
    partial = _partial(final)
    if final.exists():
        if not resume:
            raise UsageError(
                f"{final}: exists; --resume keeps it and does the rest, --force makes it anew"
            )
        if other := _difference(final, job, device, keras):
            raise UsageError(
                f"{final}: was made with other settings ({other}); name another folder, or --force "
                "makes it anew"
            )
        return True
    if partial.exists() and not resume:
        raise UsageError(
            f"{partial}: left by a run that was stopped; --resume does it anew and keeps this "
            "beside it, --force does so without asking"
        )
    return False


def _difference(final: Path, job: Job, device: str, keras: str) -> str:
    """How a finished run was made otherwise than a job would be; empty if it was not."""
    try:
        meta = json.loads((final / "meta.json").read_text(encoding="utf-8"))
        made = meta["settings"] | {"scale": meta["scale"]}
        made["with"] = "keras" if "keras" in meta["versions"] else "tf-keras"
        made["device"] = "cpu" if meta["device"].startswith("CPU") else "gpu"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "its meta.json is damaged"
    wanted = job.settings | {"scale": job.scale, "with": keras}
    wanted["device"] = made["device"] if device == "auto" else device
    other = [key for key in {**wanted, **made} if made.get(key) != wanted.get(key)]
    if "scale" in other:
        other = ["scale"]  # the rest follows from it
    return ", ".join(f"{key} {made.get(key)}, not {wanted.get(key)}" for key in other)


def _partial(final: Path) -> Path:
    """Where a run is made until it is whole."""
    return final.with_name(final.name + ".partial")


def _set_aside(final: Path, say: Say) -> None:
    """Make room for a run: what a stopped one left gets another name."""
    partial = _partial(final)
    if partial.exists():
        aside = next(
            path
            for i in range(1, 10_000)
            if not (path := final.with_name(f"{final.name}.stopped-{i}")).exists()
        )
        os.rename(partial, aside)
        say(f"{aside}: what the stopped run left; delete it when you do not need it")
