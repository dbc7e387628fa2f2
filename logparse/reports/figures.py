"""Analysis in, plotly figures out: curves, times, steps, and runs compared.

The report, the app and notebooks show the same figures. Long series are thinned to what a screen
can show, and the figure says so; values far beyond the others are marked at the edge of the axis.
All text from a log is made safe for plotly's own markup.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

from logparse.reports.columns import Metric, metrics_of
from logparse.reports.drawing import overlay, single, timing
from logparse.reports.drawing.axes import ALIGNMENTS, Align, alignments
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.palette import Theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

P = ParamSpec("P")

__all__ = [
    "ALIGNMENTS", "Align", "Metric", "Theme",
    "alignments", "compared", "curves", "metrics_of", "steps", "times",
]  # fmt: skip


def _figure(draw: Callable[P, Sheet]) -> Callable[P, go.Figure]:
    """The drawing as a plotly figure, which a user may change."""

    @wraps(draw)
    def figure(*args: P.args, **kwargs: P.kwargs) -> go.Figure:
        return draw(*args, **kwargs).figure()

    return figure


curves = _figure(single.curves)
times = _figure(timing.times)
steps = _figure(timing.steps)
compared = _figure(overlay.compared)
