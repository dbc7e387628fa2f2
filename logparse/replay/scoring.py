"""A folder of replayed trainings in; how near logparse comes to what really happened out.

Each run is analysed twice, from the text that Keras printed and from the TensorBoard events, and
both are held against the truth that was recorded beside them. Nothing here is used by the analysis.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.errors import LogparseError, SourceError
from logparse.replay.claims import CHECKED, NO_CLAIM, borne_out, jump_claims, untold
from logparse.replay.truth import by_epoch, number_of_epochs, read_truth, true_mean, waiting

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis

TOLERANCE = 0.02
"""Seconds that Keras takes between its own clock's marks and the recorder's."""

INPUT_BOUND = 0.5
"""Share of its steps' time that a training waits for input, from which input is its limit."""

SOURCES = {"log": "train.log", "events": "events"}
"""What is analysed of a run, by what a score calls it."""

ROUNDING = 2.0**-23
"""Keras sums in float32: a mean of k values may be off by about this times k, relatively."""


@dataclass(frozen=True, slots=True)
class Part:
    """How many of several values hold what was said of them."""

    inside: int
    of: int


@dataclass(frozen=True, slots=True)
class Score:
    """One reading of one run against its truth.

    Attributes:
        run, source: name of the folder, or its path; ``log`` or ``events``.
        error: why it could not be analysed; all else is then empty.
        law, true_law: of the averages: found, and that of the Keras that trained.
        bounds: true interval means within the hard bounds.
        band: true interval means within the 95 % band.
        means: true epoch means within their bounds.
        durations: true durations of epochs within their bounds.
        jumps: claims of LP101 and LP102 on a boundary that the true batch values confirm.
        duration_error: median of the relative error of an epoch's duration.
        step_error: the same of the time a step.
        wait: share of the steps' time that was waiting for input, without each run's first step.
        input_bound: whether that makes input the limit, and whether logparse says so (LP401).
        expected, found, missing, unexpected: codes of findings.
    """

    run: str
    source: str
    error: str | None = None
    law: str | None = None
    true_law: str | None = None
    bounds: Part = Part(0, 0)
    band: Part = Part(0, 0)
    means: Part = Part(0, 0)
    durations: Part = Part(0, 0)
    jumps: Part = Part(0, 0)
    duration_error: float | None = None
    step_error: float | None = None
    wait: float | None = None
    input_bound: bool | None = None
    said_input_bound: bool | None = None
    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """What must hold without exception."""
        return (self.bounds, self.means, self.durations, self.jumps)

    @property
    def good(self) -> bool:
        """Law right or left open, all bounds kept, findings as expected."""
        return (
            self.error is None
            and self.law in (self.true_law, None)
            and not self.missing
            and not self.unexpected
            and all(part.inside == part.of for part in self.parts)
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"good": self.good}


def runs_in(root: str | os.PathLike[str]) -> list[Path]:
    """Folders of finished runs: ``root`` itself, or those in it.

    Raises:
        SourceError: there is none.
    """
    folder = Path(root)
    found = [folder] if (folder / "meta.json").is_file() else []
    if folder.is_dir() and not found:
        found = sorted(path.parent for path in folder.glob("*/meta.json"))
        found = [path for path in found if path.suffix not in (".partial", ".old")]
    if not found:
        raise SourceError(f"{folder}: no finished replay in it; logparse replay run makes them")
    return found


def score(root: str | os.PathLike[str]) -> list[Score]:
    """Every run below a folder, from its log and from its events.

    Raises:
        SourceError: there is no finished run, or its files are damaged.
    """
    return [one for _, scores in scores_of([root]) for one in scores]


def scores_of(roots: Iterable[str | os.PathLike[str]]) -> list[tuple[Path, list[Score]]]:
    """Every run below some folders, with its scores: called by its path if two have one name.

    Raises:
        SourceError: in one there is no finished run, or its files are damaged.
    """
    folders = [folder for root in roots for folder in runs_in(root)]
    alone = len({folder.name for folder in folders}) == len(folders)
    return [(one, _score_run(one, one.name if alone else str(one))) for one in folders]


def _score_run(folder: Path, name: str) -> list[Score]:
    """One run, from its log and from its events.

    Raises:
        SourceError: its files are damaged.
    """
    from logparse.analysis import analyze

    meta, truth = read_truth(folder)
    scores = []
    for source, file in SOURCES.items():
        try:
            analysis = analyze(folder / file, sha256=False)
        except LogparseError as error:
            scores.append(Score(name, source, error=str(error)))
        else:
            scores.append(judge(name, source, analysis, meta, truth))
    return scores


def judge(
    run: str, source: str, analysis: Analysis, meta: dict[str, Any], truth: pl.DataFrame
) -> Score:
    """One analysis against the truth."""
    from logparse.replay.scenarios import scenario

    variant = scenario(meta["scenario"]).variants[meta["variant"]]
    as_meant = not meta.get("changed")  # with other settings other things happen
    wanted = set(variant.must(meta["scale"])) if as_meant else set()
    must = wanted - untold(analysis, meta, truth)
    found = set(analysis.findings["code"].to_list())
    laws = set(analysis.runs["law"].to_list())
    bounds, band = _intervals(analysis, truth)
    durations, duration_error, step_error = _times(analysis, meta, truth)
    wait = waiting(truth)
    jumps = Part(*jump_claims(analysis, truth))
    free = NO_CLAIM if variant.silent else {*NO_CLAIM, *CHECKED, *borne_out(meta, truth)}
    unexpected = found - wanted - set(variant.allowed) - free if as_meant else set()
    return Score(
        run,
        source,
        law=laws.pop() if len(laws) == 1 else None,
        true_law=_true_law(meta),
        bounds=bounds,
        band=band,
        means=_means(analysis, truth),
        durations=durations,
        jumps=jumps,
        duration_error=duration_error,
        step_error=step_error,
        wait=wait,
        input_bound=None if wait is None else wait > INPUT_BOUND,
        said_input_bound="LP401" in found,
        expected=tuple(sorted(must)),
        found=tuple(sorted(found)),
        missing=tuple(sorted(must - found)),
        unexpected=tuple(sorted(unexpected)),
    )


def _true_law(meta: dict[str, Any]) -> str:
    from logparse.training.versions import law_of_keras

    versions = meta["versions"]
    return law_of_keras(versions.get("keras") or versions["tf_keras"])


def _intervals(analysis: Analysis, truth: pl.DataFrame) -> tuple[Part, Part]:
    """True interval means within the hard bounds, and within the band."""
    order, epochs = number_of_epochs(analysis), by_epoch(truth)
    counts = np.zeros(4, int)
    for row in analysis.batches.iter_rows(named=True):
        part = epochs.get(order[row["run"], row["epoch"]])
        if part is None or row["metric"] not in part.columns or row["step"] > part.height:
            continue
        true = true_mean(part, row["metric"], row["first_step"], row["step"])
        if not np.isfinite(true):
            continue
        if row["value"] is not None:
            slack = ROUNDING * row["step"] * abs(true)
            inside = row["low"] - slack <= true <= row["high"] + slack
            counts[:2] += inside, 1
        if row["estimate"] is not None:
            counts[2:] += row["estimate_low"] <= true <= row["estimate_high"], 1
    return Part(int(counts[0]), int(counts[1])), Part(int(counts[2]), int(counts[3]))


def _means(analysis: Analysis, truth: pl.DataFrame) -> Part:
    """True epoch means within their bounds."""
    order, epochs = number_of_epochs(analysis), by_epoch(truth)
    inside = of = 0
    for row in analysis.metrics.iter_rows(named=True):
        part = epochs.get(order[row["run"], row["epoch"]])
        if part is None or row["metric"] not in part.columns or row["mean_low"] is None:
            continue
        true = true_mean(part, row["metric"], 1, part.height)
        slack = ROUNDING * part.height * abs(true)
        inside += row["mean_low"] - slack <= true <= row["mean_high"] + slack
        of += 1
    return Part(inside, of)


def _times(
    analysis: Analysis, meta: dict[str, Any], truth: pl.DataFrame
) -> tuple[Part, float | None, float | None]:
    """Durations of epochs within bounds, and the median relative errors of epochs and steps."""
    order, batches = number_of_epochs(analysis), by_epoch(truth)
    real = {epoch["epoch"]: epoch for epoch in meta["epochs"]}
    inside = of = 0
    durations, steps = [], []
    for row in analysis.epochs.iter_rows(named=True):
        number = order[row["run"], row["epoch"]]
        epoch, part = real.get(number), batches.get(number)
        if epoch is None or part is None or "end" not in epoch:
            continue
        true = epoch["end"] - epoch["begin"]
        if row["seconds"] is not None:
            high = np.inf if row["seconds_high"] is None else row["seconds_high"]
            inside += row["seconds_low"] - TOLERANCE <= true <= high + TOLERANCE
            of += 1
            durations.append(abs(row["seconds"] / true - 1))
        if row["step_seconds"] is not None and part.height > 1:
            true = (part["end"][-1] - part["end"][0]) / (part.height - 1)
            steps.append(abs(row["step_seconds"] / true - 1))
    return Part(inside, of), _median(durations), _median(steps)


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None
