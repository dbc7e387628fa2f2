"""Real Keras trainings that show what logparse explains, with the truth of every batch beside."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logparse.replay.jobs import estimate, jobs_of
    from logparse.replay.likeness import Likeness, like
    from logparse.replay.recorder import BatchRecorder
    from logparse.replay.scenarios import all_scenarios
    from logparse.replay.scoring import Score, score
    from logparse.replay.trainer import run

_PLACES = {
    "BatchRecorder": "recorder",
    "Likeness": "likeness",
    "Score": "scoring",
    "all_scenarios": "scenarios",
    "estimate": "jobs",
    "jobs_of": "jobs",
    "like": "likeness",
    "run": "trainer",
    "score": "scoring",
}

__all__ = [
    "BatchRecorder",
    "Likeness",
    "Score",
    "all_scenarios",
    "estimate",
    "jobs_of",
    "like",
    "run",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'logparse.replay' has no attribute {name!r}")
    return getattr(import_module(f"logparse.replay.{_PLACES[name]}"), name)
