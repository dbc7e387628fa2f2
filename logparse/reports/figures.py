"""Analysis in, plotly figures out: curves, times, steps, and runs compared.

The report, the app and notebooks show the same figures. Long series are thinned to what a screen
can show, and the figure says so; values far beyond the others are marked at the edge of the axis.
All text from a log is made safe for plotly's own markup.
"""

from __future__ import annotations

from logparse.reports.drawing.axes import ALIGNMENTS, Align, alignments
from logparse.reports.drawing.overlay import compared
from logparse.reports.drawing.series import Metric, metrics_of
from logparse.reports.drawing.single import curves
from logparse.reports.drawing.timing import steps, times
from logparse.reports.palette import Theme

__all__ = [
    "ALIGNMENTS", "Align", "Metric", "Theme",
    "alignments", "compared", "curves", "metrics_of", "steps", "times",
]  # fmt: skip
