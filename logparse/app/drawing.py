"""An analysis in, the figures of ``reports.figures`` out, as Streamlit shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import streamlit as st

from logparse.reports import figures
from logparse.reports.safe import figure as for_figures

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from logparse.reports.figures import Theme

BEFORE = 2
"""Epochs in view when a place is looked at: the one before it, and itself."""

BARS = 15
"""Epochs on either side when a bar is looked at."""

SEVERITIES: dict[str, tuple[Any, str, str]] = {
    "error": ("red", ":material/error:", "error"),
    "warning": ("orange", ":material/warning:", "warning"),
    "info": ("blue", ":material/info:", "note"),
}
"""Colour, icon and word of a severity: no meaning hangs on the colour alone."""

WAIT = "Reading the log once more for its curves"
"""Said while that takes long: its first figure is made from every line."""

CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"filename": "logparse"},
}
"""Of plotly: no link to another site, only what the figures have a use for."""


def theme() -> Theme:
    """The theme that the visitor's page has."""
    return "dark" if st.context.theme.type == "dark" else "light"


def show(figure: go.Figure, *, key: str, alt: str, height: int = 460) -> None:
    """Draw a figure on the page; ``alt`` is read out in its place."""
    figure.update_layout(height=height, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
    st.plotly_chart(figure, theme=None, key=key, config=CONFIG, alt=alt)


def severity(name: str) -> None:
    """A badge: colour, icon and word."""
    color, icon, word = SEVERITIES[name]
    st.badge(word, color=color, icon=icon)


def alignment_name(align: str) -> str:
    """What to call an axis."""
    return cast("dict[str, str]", figures.ALIGNMENTS)[align]


def focus_curve(figure: go.Figure, epoch: int) -> None:
    """Look at one epoch and the one before, with the epoch marked; made for the axis of epochs."""
    low, high = max(epoch - BEFORE, 0) - 0.02, epoch + 0.02
    _mark(figure, epoch - 1, epoch, f"epoch {epoch}")
    figure.update_xaxes(range=[low, high])
    seen = [_seen(trace, low, high) for trace in figure.data]
    values = np.concatenate(seen) if seen else np.zeros(0)
    values = values[np.isfinite(values)]
    if len(values):
        pad = 0.06 * float(np.ptp(values)) or abs(float(values[0])) * 0.05 or 1.0
        figure.update_yaxes(range=[float(values.min()) - pad, float(values.max()) + pad])


def focus_bar(figure: go.Figure, epoch: int) -> None:
    """Look at the bars about one epoch, with the epoch marked."""
    _mark(figure, epoch - 0.5, epoch + 0.5, f"epoch {epoch}")
    epochs = [x for trace in figure.data for x in (trace.x if trace.x is not None else ())]
    if epochs and max(epochs) > 2 * BARS:
        low, high = max(epoch - BARS, min(epochs)), min(epoch + BARS, max(epochs))
        figure.update_xaxes(range=[low - 0.6, high + 0.6])


def _mark(figure: go.Figure, low: float, high: float, text: str) -> None:
    color = figure.layout.template.layout.font.color
    figure.add_vrect(
        x0=low,
        x1=high,
        fillcolor=color,
        opacity=0.07,
        line_width=0,
        layer="below",
        annotation_text=for_figures(text),
        annotation_position="top left",
    )


def _seen(trace: Any, low: float, high: float) -> Any:
    """Values of a trace between two places."""
    if trace.type != "scatter" or trace.x is None or trace.y is None:
        return np.zeros(0)
    x, y = np.asarray(trace.x, float), np.asarray(trace.y, float)
    return y[(x >= low) & (x <= high)]
