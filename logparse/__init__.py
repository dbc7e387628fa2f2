"""The public names of logparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logparse.analysis import Analysis, Failure, analyze, analyze_many
    from logparse.comparison.compare import Comparison, compare
    from logparse.errors import LogparseError

__all__ = [
    "Analysis",
    "Comparison",
    "Failure",
    "LogparseError",
    "__version__",
    "analyze",
    "analyze_many",
    "compare",
]

__version__ = "0.1.0"

_HOMES = {
    "Analysis": "logparse.analysis",
    "Comparison": "logparse.comparison.compare",
    "Failure": "logparse.analysis",
    "LogparseError": "logparse.errors",
    "analyze": "logparse.analysis",
    "analyze_many": "logparse.analysis",
    "compare": "logparse.comparison.compare",
}


def __getattr__(name: str) -> Any:
    # numpy and polars are imported when a log is analysed, not for `logparse --help`.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'logparse' has no attribute {name!r}")
