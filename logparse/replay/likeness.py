"""A log in; its network rebuilt and timed here without any input, and the log's distance from it.

This is the experiment that LP401 names. A step of the log is computing and waiting for input; a
step here is computing alone. On the machine of the log the difference is the waiting; on another
one it is also the difference of the machines, which the result says.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.errors import LogparseError, UsageError
from logparse.replay.network import CannotRebuildError, Network, rebuild
from logparse.replay.process import NO_GPU, Say, environment, need_tensorflow

if TYPE_CHECKING:
    from logparse.analysis import Analysis

DEFAULT_BATCH = 32
"""Keras's own, where a log does not tell its batch size."""

MANY = 10
"""Steps from which the quickest and the slowest tenth are left out of what is told."""

ALIKE = 1.3
"""Ratio of times up to which they are taken for the same."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A log, and what computing alone would take.

    Attributes:
        log: its name.
        steps: steps of an epoch; samples, where the bar counts those.
        counts: ``steps`` or ``samples``.
        batch: samples in a step, rebuilt.
        network: what was rebuilt.
        device: where it was timed.
        step_seconds: of training a batch here, each repetition.
        forward_seconds: of one batch forward.
        epoch_here: seconds of an epoch's computing here, validation included if the log has it.
        epoch_log: median of the log's epochs after the first, seconds.
        step_log: the log's time a step of ``batch`` samples, None if it does not tell.
        guesses: what the log does not tell, as sentences.
    """

    log: str
    steps: int
    counts: str
    batch: int
    network: Network
    device: str
    step_seconds: tuple[float, ...]
    forward_seconds: float
    epoch_here: float
    epoch_log: float | None
    step_log: float | None
    guesses: list[str] = field(default_factory=list)

    @property
    def step_here(self) -> float:
        """Median seconds of training a batch here."""
        return float(np.median(self.step_seconds))

    @property
    def ratio(self) -> float | None:
        """Seconds of the log for each second of computing here."""
        if self.step_log is not None:
            return self.step_log / self.step_here
        return None if self.epoch_log is None else self.epoch_log / self.epoch_here

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"step_here": self.step_here, "ratio": self.ratio}


def like(
    log: str | os.PathLike[str],
    *,
    batch_size: int | None = None,
    device: str = "auto",
    keras: str = "keras",
    seconds: float = 10.0,
    say: Say = lambda text: None,
) -> Likeness:
    """Rebuild the network of a log, and time it on data held in memory.

    Args:
        log: a log with a ``model.summary()`` of a sequential network.
        batch_size: samples in a batch, where the log does not tell; 32 by default.
        device: ``auto``, ``cpu`` or ``gpu``.
        keras: ``keras`` (3) or ``tf-keras``.
        seconds: how long to repeat the step.
        say: gets a line about what goes on.

    Raises:
        LogparseError: the log cannot be read, or its network cannot be rebuilt.
        UsageError: there is no TensorFlow, or no GPU where one was asked for.
    """
    from logparse.analysis import analyze

    need_tensorflow()
    analysis = analyze(log, sha256=False)
    try:
        network = _network(analysis)
        run = _run(analysis)
        guesses = list(network.guesses)
        batch = _batch(run, batch_size, guesses)
        say(f"timing {_size(network)}: seconds, or minutes for a large one")
        found = _measured(network, batch, device, keras, seconds)
    except CannotRebuildError as error:
        raise CannotRebuildError(
            f"{os.fspath(log)}: the network cannot be rebuilt: {error}"
        ) from error
    steps, counts = int(run["steps"]), str(run["counts"])
    train = steps / batch if counts == "samples" else steps
    step_here, forward = float(np.median(found["steps"])), float(found["forward"])
    validation = _validation(analysis, batch)
    here = train * step_here + validation * forward
    return Likeness(
        log=os.fspath(log),
        steps=steps,
        counts=counts,
        batch=batch,
        network=network,
        device=found["device"],
        step_seconds=tuple(found["steps"]),
        forward_seconds=forward,
        epoch_here=here,
        epoch_log=run["epoch"],
        step_log=None if run["step"] is None else run["step"] * (steps / train),
        guesses=guesses,
    )


def _network(analysis: Analysis) -> Network:
    """The network of the last summary: the one that was trained."""
    layers = analysis.layers
    if layers.is_empty():
        raise CannotRebuildError("there is no model.summary() in the log")
    last = int(layers["model"].to_list()[-1])
    models = {row["model"]: row for row in analysis.table("models").iter_rows(named=True)}
    rows = [row for row in layers.iter_rows(named=True) if row["model"] == last]
    return rebuild(rows, models.get(last, {}).get("trainable"))


def _run(analysis: Analysis) -> dict[str, Any]:
    """What the longest run of a log says of its steps.

    Raises:
        LogparseError: it has no complete epoch.
    """
    rows = sorted(analysis.runs.iter_rows(named=True), key=lambda row: row["epochs"])
    epochs = analysis.epochs
    if rows:
        epochs = epochs.filter((epochs["run"] == rows[-1]["run"]) & epochs["complete"])
    if not rows or epochs.is_empty():
        raise LogparseError(f"{analysis.source.name}: no epoch is complete in it")
    run = rows[-1]
    later = epochs[1:] if epochs.height > 1 else epochs
    steps = run["steps_per_epoch"] or int(epochs["steps"].to_list()[-1])
    counts = "samples" if run["samples"] == steps else "steps"
    return {
        "steps": steps,
        "counts": counts,
        "batch": run["batch_size"],
        "epoch": later["seconds"].median(),
        "step": later["step_seconds"].median(),
    }


def _batch(run: dict[str, Any], asked: int | None, guesses: list[str]) -> int:
    if asked is not None:
        return asked
    if run["batch"] is not None:
        return int(run["batch"])
    guesses.append(f"the log does not tell its batch size; {DEFAULT_BATCH} is Keras's own")
    return DEFAULT_BATCH


def _validation(analysis: Analysis, batch: int) -> float:
    """Batches of validation in an epoch, where the log tells."""
    for row in analysis.messages.iter_rows(named=True):
        if found := re.search(r"validate (?:on|for) (\d{1,9}) (samples|steps)", row["text"]):
            return int(found[1]) / (batch if found[2] == "samples" else 1)
    return 0.0


def _measured(
    network: Network, batch: int, device: str, keras: str, seconds: float
) -> dict[str, Any]:
    """Have a process build and time the network.

    Raises:
        CannotRebuildError: it cannot be built.
        UsageError: there is no GPU, and one was asked for.
        LogparseError: the process failed.
    """
    order = {
        "device": device,
        "keras": keras,
        "network": asdict(network),
        "batch": batch,
        "seconds": seconds,
    }
    done = subprocess.run(
        [sys.executable, "-m", "logparse.replay.measure"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        env=environment(device, keras),
        check=False,
    )
    if not done.stdout:
        last = "".join(done.stderr.strip().splitlines()[-1:])[:300]
        how = "perhaps for want of memory" if done.returncode < 0 else last
        raise LogparseError(f"the process that times the network ended: {how}")
    found: dict[str, Any] = json.loads(done.stdout)
    if found["device"] is None:
        raise UsageError(NO_GPU)
    if "cannot" in found:
        raise CannotRebuildError(found["cannot"])
    return found


def text(found: Likeness) -> str:
    """What was found, for a terminal."""
    from logparse.reports.layout import wrap
    from logparse.reports.safe import visible
    from logparse.reports.terminal import WIDTH

    shape = " x ".join(map(str, found.network.shape))
    paragraphs = [
        f"{found.log}: {_size(found.network)} on inputs of {shape}, {found.batch} samples a step.",
        f"Computing alone, data in memory, on {found.device}: {_time(found.step_here)} a step "
        f"({_spread(found.step_seconds)}), {_time(found.epoch_here)} an epoch of {found.steps:,} "
        f"{found.counts}.",
        _compared(found),
        *(f"Guessed: {guess}." for guess in found.guesses),
    ]
    return "\n".join(line for one in paragraphs for line in wrap(visible(one), WIDTH))


def _size(network: Network) -> str:
    total = sum(layer.parameters or 0 for layer in network.layers)
    return f"{len(network.layers)} layers with {total:,} parameters"


def _spread(seconds: Sequence[float]) -> str:
    """Between which times steps lie: of many, most, since a pause of one says nothing of others."""
    if len(seconds) < MANY:
        return f"{_time(min(seconds))} to {_time(max(seconds))} in {len(seconds)} steps"
    low, high = np.quantile(seconds, [0.1, 0.9])
    return f"{_time(low)} to {_time(high)} in eight of ten of {len(seconds):,} steps"


def _compared(found: Likeness) -> str:
    if found.ratio is None:
        return "The log shows no times to compare with."
    log = (
        f"{_time(found.step_log)} a step"
        if found.step_log is not None
        else f"{_time(found.epoch_log or 0.0)} an epoch"
    )
    start = f"The log took {log}, {_times(found.ratio)} times as long. "
    if found.ratio < 1 / ALIKE:
        return start + (
            "It ran on a machine that computes faster than this one, or in larger batches: of its "
            "input nothing can be said."
        )
    if found.ratio < ALIKE:
        return start + (
            "If this is the machine of the log, its steps were computing: a faster input would "
            "gain next to nothing."
        )
    share = 100 * (1 - 1 / found.ratio)
    part = "a step" if found.step_log is not None else "an epoch"
    return start + (
        f"If this is the machine of the log, {share:.0f} % of {part} was not computing the "
        "network: waiting for input, first of all, or for other work that the machine had. On "
        "another machine, one that computes that much faster would explain it, too: run this there."
    )


def _times(ratio: float) -> str:
    return f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}"


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"
