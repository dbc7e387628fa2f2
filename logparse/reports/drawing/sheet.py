"""A figure as plain values: what plotly's script draws, made without checking each of them.

``plotly.graph_objects`` looks at every value of a figure, which takes longer than all else that a
page needs; ``figure`` hands over to it where a user works on with the figure.
"""

from __future__ import annotations

import binascii
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from logparse.reports.palette import Theme, template
from logparse.reports.safe import in_script

if TYPE_CHECKING:
    import plotly.graph_objects as go

Json = dict[str, Any]


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
        that is not finite is null; in an array it is bytes, and a gap in the line. The JSON may
        stand in a script of a page, see ``safe.in_script``.
        """
        arrays: list[str] = []
        parts = {"data": self.data, "layout": self.layout}
        try:
            outline = _outline(parts, arrays)
        except ValueError:  # JSON has no word for nan
            arrays.clear()
            outline = _outline(_finite(parts), arrays)
        # What is not numbers is little; only that is encoded and searched for markup.
        texts = _NUMBERED.split(in_script(outline))
        found = [""] * (len(texts) + len(arrays))
        found[::2], found[1::2] = texts, arrays
        return "".join(found)


_NUMBERED = re.compile(r'(?<="bdata":")\d+')
"""Numbers of arrays in an outline. No text is like that: its quotes are escaped."""


def _outline(value: Any, arrays: list[str]) -> str:
    """JSON that has the number of each array in place of its bytes, which go into ``arrays``."""

    def plain(value: Any) -> Any:
        """What is numpy's, as JSON."""
        if not isinstance(value, np.ndarray):
            return value.item()
        if value.dtype.kind not in "fiub":
            return value.tolist()
        value = _single(value)
        arrays.append(binascii.b2a_base64(value, newline=False).decode())
        shape = {"shape": ", ".join(map(str, value.shape))} if value.ndim > 1 else {}
        return {"dtype": f"f{value.itemsize}", "bdata": str(len(arrays) - 1)} | shape

    with np.errstate(over="raise"):
        return json.dumps(value, default=plain, allow_nan=False, separators=(",", ":"))


def _single(array: NDArray[Any]) -> NDArray[Any]:
    """Numbers as plotly's script reads them; double where single precision would overflow."""
    try:
        return np.ascontiguousarray(array, np.float32)
    except FloatingPointError:
        return np.ascontiguousarray(array, np.float64)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, np.floating):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
