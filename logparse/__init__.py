"""The public names of logparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logparse.analysis import Analysis, Failure, analyze, analyze_many
    from logparse.errors import LogparseError

__all__ = ["Analysis", "Failure", "LogparseError", "__version__", "analyze", "analyze_many"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # numpy and polars are imported when a log is analysed, not for `logparse --help`.
    if name == "LogparseError":
        from logparse.errors import LogparseError

        return LogparseError
    if name in __all__:
        from logparse import analysis

        return getattr(analysis, name)
    raise AttributeError(f"module 'logparse' has no attribute {name!r}")
