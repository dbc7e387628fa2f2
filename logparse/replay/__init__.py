"""Real Keras trainings that show what logparse explains, with the truth of every batch beside."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logparse.replay.recorder import BatchRecorder
    from logparse.replay.run import all_scenarios, estimate, jobs_of, run
    from logparse.replay.score import Score, score

__all__ = ["BatchRecorder", "Score", "all_scenarios", "estimate", "jobs_of", "run", "score"]

_PLACES = {"BatchRecorder": "recorder", "Score": "score", "score": "score"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'logparse.replay' has no attribute {name!r}")
    return getattr(import_module(f"logparse.replay.{_PLACES.get(name, 'run')}"), name)
