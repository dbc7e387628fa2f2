"""What a scenario is: a question of a user as a real training, its variants, scales and needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logparse.replay.images import Images

if TYPE_CHECKING:
    from logparse.replay.training import Training

Settings = Mapping[str, Any]

SCALES = ("smoke", "small", "full")
"""Seconds on two cores, minutes on a CPU, the seed's own sizes for a GPU."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a run takes: bytes on disk beside its images, these, bytes of data kept in memory."""

    disk: int
    images: Images | None = None
    memory: int = 0


RECORDS = 2_000_000
"""Bytes of log, events and truth of 8,000 steps, 250 each; more goes into what is kept free."""


def held(images: Images) -> Need:
    """What a run takes that keeps its images in memory as they are."""
    return Need(RECORDS, images, images.decoded(images.side))


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train a scenario: what it changes, and which findings it must lead to.

    ``expected`` holds the codes by scale that logparse must find, ``*`` for every scale. A code
    that is neither there nor in ``allowed`` must not come up, but for what ``score`` can check
    against the truth or what claims nothing; if ``silent``, not even that.
    """

    says: str
    settings: Settings = field(default_factory=dict)
    expected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()
    silent: bool = False

    def must(self, scale: str) -> tuple[str, ...]:
        """Codes that must be found at a scale."""
        return (*self.expected.get("*", ()), *self.expected.get(scale, ()))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A question, and trainings that answer it.

    Attributes:
        seed: number of the seed question, or None.
        question: what its author asked, in a line.
        answer: what the replay shows.
        scales: settings by scale.
        seconds: what training a variant takes at a scale on two cores without a GPU: as measured,
            for ``full`` reckoned from a few steps.
        train: runs one variant, in a process that has TensorFlow.
        need: what a run with these settings takes.
    """

    name: str
    seed: str | None
    question: str
    answer: str
    variants: Mapping[str, Variant]
    scales: Mapping[str, Settings]
    seconds: Mapping[str, float]
    train: Callable[[Training], None]
    need: Callable[[Settings], Need]

    def settings(self, variant: str, scale: str) -> dict[str, Any]:
        """All settings of a run."""
        return {**self.scales[scale], **self.variants[variant].settings}
