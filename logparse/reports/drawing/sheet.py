"""A figure as plain values: what plotly's script draws, made without checking each of them.

``plotly.graph_objects`` looks at every value of a figure, which takes longer than all else that a
page needs; ``figure`` hands over to it where a user works on with the figure.
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from logparse.reports.palette import Theme, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

Json = dict[str, Any]

_LARGEST = float(np.finfo(np.float32).max)


class Sheet:
    """Traces and layout; the methods are those of a plotly figure.

    Attributes:
        data: the traces.
        layout: the layout.
        theme: ``light`` or ``dark``.
    """

    def __init__(self, data: list[Json], layout: Json, theme: Theme = "light") -> None:
        self.data, self.layout, self.theme = data, layout, theme

    def update_layout(self, **given: Any) -> None:
        """Set entries of the layout."""
        self.layout |= given

    def update_xaxes(self, **given: Any) -> None:
        """Set entries of the horizontal axis."""
        self.layout.setdefault("xaxis", {}).update(given)

    def update_yaxes(self, **given: Any) -> None:
        """Set entries of the vertical axis."""
        self.layout.setdefault("yaxis", {}).update(given)

    def figure(self) -> go.Figure:
        """The same as a plotly figure."""
        import plotly.graph_objects as go

        return go.Figure(data=self.data, layout={"template": template(self.theme)} | self.layout)

    def text(self) -> str:
        """What plotly's script takes, as JSON, but for the template, which all figures share.

        Arrays are in single precision: seven digits are more than a screen shows. A lone number
        that is not finite is null; in an array it is bytes, and a gap in the line.
        """
        parts = {"data": self.data, "layout": self.layout}
        try:
            return _dumps(parts)
        except ValueError:  # JSON has no word for nan
            return _dumps(_finite(parts))


def _dumps(value: Any) -> str:
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """What is numpy's, as JSON."""
    return _packed(value) if isinstance(value, np.ndarray) else value.item()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, np.floating):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _packed(array: NDArray[Any]) -> Any:
    """An array as plotly's script reads it; one that holds no numbers as a list."""
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        return array.tolist()
    beyond = array.dtype.itemsize > 4 and bool((np.abs(array) > _LARGEST).any())
    array = array.astype(np.float64 if beyond else np.float32, copy=False)
    packed = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    shape = {"shape": ", ".join(map(str, array.shape))} if array.ndim > 1 else {}
    return {"dtype": f"f{array.dtype.itemsize}", "bdata": packed} | shape
