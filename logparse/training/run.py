"""What ``runs`` keeps and gives: a run, its open epoch, batches of closed epochs, messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from logparse.reading.records import Event, Floats, Ints
from logparse.training.epochs import Epochs


@dataclass(slots=True)
class Run:
    """What is known of one run.

    ``of`` are the epochs announced; ``counts`` is what its bars count: ``samples``, ``steps`` or
    ``unknown``.
    ``number`` is 0 until the whole log is read: runs are numbered by their first lines.
    """

    number: int
    channel: int
    of: int | None
    first_line: int
    last_line: int
    first_byte: int
    """Where it begins: what tells it from all other runs."""
    epochs: int = 0
    number_of_last: int = 0
    batch_size: int | None = None
    counts: str | None = None
    unknown_length: bool = False
    """The bars of its first epoch show no target: Keras did not know the number of steps."""
    samples: int | None = None
    steps_per_epoch: int | None = None
    steps_change: bool = False
    started: float | None = None
    headed: bool = False
    """Its epochs have headers."""
    label: tuple[int, int] | None = None
    """The last header."""
    total: int = 0
    """Target of its bars in their own unit."""
    train_on: Event | None = None
    form: int | None = None
    """Form of the last line of its latest epoch."""


@dataclass(slots=True)
class OpenEpoch:
    """An epoch that may still get rows."""

    run: Run
    number: int
    label: str | None
    line: int
    last_line: int
    began: float | None = None
    """Timestamp of its header."""
    told: dict[str, Any] = field(default_factory=dict)
    """What its header says."""
    rows: list[tuple[int, int]] = field(default_factory=list)
    """Numbers of its rows in the buffer of its channel: from, to."""
    steps: int = 0
    total: int = 0
    finished: bool = False
    closed: int = 0
    """Offset in the log at which it was closed: what stands there could not go on with it."""


@dataclass(slots=True)
class Batch:
    """Closed epochs of one run, with their places in the log."""

    run: Run
    epochs: Epochs
    labels: list[str | None]
    first_line: list[int]
    last_line: list[int]
    line: Ints
    byte: Ints
    began: Floats
    """Timestamps of their headers, nan without one."""


@dataclass(slots=True)
class Message:
    """A line of the table ``messages``."""

    run: Run | None
    epoch: int | None
    kind: str
    line: int
    text: str
    byte: int
    data: dict[str, object] = field(default_factory=dict)
