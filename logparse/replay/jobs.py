"""Names of scenarios in, jobs out: what to train with which settings, and what that takes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logparse.errors import UsageError
from logparse.findings.wording import long_duration
from logparse.options import hint
from logparse.replay.scenario import SCALES
from logparse.replay.scenarios import NAMES, scenario
from logparse.reports.words import count, listing

SPARE = 200_000_000
"""Bytes of disk that a run leaves free."""

MEMORY_SHARE = 0.5
"""Of the memory that is free at the start, a run may plan with this share."""

MOST = 1_000_000_000
"""Largest number that a setting may be changed to."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training: a variant of a scenario at a scale.

    ``changed`` names the settings that are not those of the scale.
    """

    name: str
    scenario: str
    variant: str
    scale: str
    settings: dict[str, Any]
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What jobs will take: bytes of disk, bytes of data in memory at most, seconds.

    The seconds are those on two CPU cores; None where settings are not those of the scale.
    """

    disk: int
    memory: int
    seconds: float | None


def jobs_of(
    words: Iterable[str],
    scale: str,
    *,
    seed: int = 1,
    weights: str | None = None,
    changes: Mapping[str, float] | None = None,
) -> list[Job]:
    """Jobs for words like ``pipelines`` (all its variants), ``pipelines/cache-file`` or ``all``.

    ``changes`` replaces settings that are numbers, in each job that has them.

    Raises:
        UsageError: there is no such scenario, variant, scale or setting.
    """
    if scale not in SCALES:
        raise UsageError(f"no scale {scale!r}; there are {', '.join(SCALES)}")
    changes = changes or {}
    found: dict[str, Job] = {}
    known: set[str] = set()
    for word in words:
        name, _, variant = word.partition("/")
        for one in NAMES if word == "all" else (name,):
            if one not in NAMES:
                raise UsageError(f"no scenario {one!r}{hint(one, NAMES)}")
            chosen = scenario(one)
            if variant and variant not in chosen.variants:
                meant = hint(variant, chosen.variants)
                raise UsageError(f"{one} has no variant {variant!r}{meant}")
            for each in [variant] if variant else chosen.variants:
                settings = chosen.settings(each, scale)
                numbers = {key for key, value in settings.items() if type(value) in (int, float)}
                known |= numbers
                changed = tuple(sorted(numbers & changes.keys()))
                settings |= {key: _like(settings[key], key, changes[key]) for key in changed}
                settings |= {"seed": seed, "weights": weights}
                job = Job(f"{one}-{each}", one, each, scale, settings, changed)
                found[job.name] = job
    for key in changes.keys() - known:
        raise UsageError(f"none of these has a setting {key!r}{hint(key, sorted(known))}")
    return list(found.values())


def _like(value: float, key: str, new: float) -> float:
    """A number for a setting, whole where the scale's is.

    Raises:
        UsageError: it is not.
    """
    if isinstance(value, int):
        if not (1 <= new <= MOST and new == int(new)):
            raise UsageError(f"{key} must be a whole number from 1 to {MOST:,}, not {new:g}")
        return int(new)
    if not 0 <= new <= MOST:
        raise UsageError(f"{key} must be a number from 0 to {MOST:,}, not {new:g}")
    return float(new)


def estimate(jobs: Iterable[Job], root: Path) -> Estimate:
    """What jobs will take below ``root``; images that are there already count nothing."""
    disk = memory = 0
    seconds: float | None = 0.0
    images = set()
    for job in jobs:
        chosen = scenario(job.scenario)
        need = chosen.need(job.settings)
        disk += need.disk
        memory = max(memory, need.memory)
        seconds = None if job.changed or seconds is None else seconds + chosen.seconds[job.scale]
        if need.images is not None and not need.images.folder(root / "images").is_dir():
            images.add(need.images)
    disk += sum(one.bytes for one in images)
    if seconds is not None:
        seconds += sum(one.seconds for one in images)
    return Estimate(disk, memory, seconds)


def affordable(
    jobs: Iterable[Job], folder: Path, memory: int | None
) -> tuple[list[Job], dict[str, str]]:
    """The jobs whose data fits into memory, and why others do not, by name.

    Raises:
        UsageError: the disk is too small for those that fit.
    """
    limit = memory if memory is not None else int(MEMORY_SHARE * free_memory())
    fit, refused = [], {}
    for job in jobs:
        need = scenario(job.scenario).need(job.settings).memory
        if need > limit:
            refused[job.name] = (
                f"refused: it keeps {amount(need)} in memory and may take {amount(limit)}; take "
                f"{_cheaper(job, limit)}a smaller --scale, or allow more with --memory"
            )
        else:
            fit.append(job)
    disk, free = estimate(fit, folder).disk, shutil.disk_usage(folder).free
    if disk + SPARE > free:
        raise UsageError(
            f"{folder}: this needs {amount(disk)} of disk and {amount(free)} are free; name "
            "another folder or a smaller --scale"
        )
    return fit, refused


def _cheaper(job: Job, limit: int) -> str:
    """The variants that would fit, each with a comma."""
    chosen = scenario(job.scenario)
    fit = [
        f"{job.scenario}/{name}"
        for name in chosen.variants
        if chosen.need({**job.settings, **chosen.variants[name].settings}).memory <= limit
    ]
    return "".join(f"{name}, " for name in fit)


def announcement(jobs: list[Job], folder: Path) -> str:
    """What jobs will take, in a line."""
    need = estimate(jobs, folder)
    parts = [
        "time unknown with other settings"
        if need.seconds is None
        else f"about {long_duration(need.seconds)} on two CPU cores",
        f"{amount(need.disk)} of disk ({amount(shutil.disk_usage(folder).free)} free)",
    ]
    parts += [f"{amount(need.memory)} of data in memory"] if need.memory else []
    return f"{count(len(jobs), 'training')}: {listing(parts)}"


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
