"""Tables ``layers`` and ``models`` -> the network of each run: classes, frozen layers, arithmetic.

A layer's arithmetic is counted in multiply-adds a sample: each of its parameters is used once for
each place of its output, so parameters times places. That holds for dense and convolution layers
and is near enough for the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from logparse.findings.registry import Tables, once

_SIZES = re.compile(r"\d+")
_CONVOLUTION = re.compile(r"Conv", re.IGNORECASE)
_NORMALIZATION = re.compile(r"BatchNorm", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of a summary."""

    name: str
    kind: str
    shape: tuple[int, ...]
    """Output sizes of one sample; empty if unknown."""
    parameters: int
    trainable: bool | None

    @property
    def trained(self) -> int:
        """Parameters that training changes if the layer is trained.

        Of batch normalisation half: the other half are running averages.
        """
        return self.parameters // 2 if _NORMALIZATION.search(self.kind) else self.parameters

    @property
    def places(self) -> int:
        """Places of the output at which all parameters are used: 1 for a dense layer."""
        if not _CONVOLUTION.search(self.kind) or len(self.shape) < 2:
            return 1
        product = 1
        for size in self.shape:
            product *= size
        return product // self._channels()

    def _channels(self) -> int:
        """Which end of the shape holds the channels: the other sizes are alike."""
        first, *middle, last = self.shape
        if len(middle) > 0 and all(size == last for size in middle) and first != last:
            return first
        return last


@dataclass(frozen=True, slots=True)
class Network:
    """The network that a run trains, from the last summary before it."""

    layers: tuple[Layer, ...]
    trainable: int | None
    non_trainable: int | None
    line: int

    @property
    def classes(self) -> int | None:
        """Classes told apart: the width of the last layer, 2 for a single output."""
        last = self.layers[-1].shape if self.layers else ()
        return (2 if last[-1] == 1 else last[-1]) if last else None

    def frozen(self) -> tuple[Layer, ...]:
        """Layers at the network's beginning that training does not change; none if not sure.

        From the column ``Trainable`` where it was printed. Else the layers before the last ones
        whose parameters add up to exactly the trainable ones that the summary counts.
        """
        if any(layer.trainable is not None for layer in self.layers):
            return self._marked()
        if not self.trainable or not self.non_trainable:
            return ()
        left = self.trainable
        for i in range(len(self.layers) - 1, -1, -1):
            left -= self.layers[i].trained
            if left < 0:
                return ()
            if left == 0:
                rest = sum(layer.parameters for layer in self.layers[i:])
                counted = self.trainable + self.non_trainable
                before = sum(layer.parameters for layer in self.layers[:i])
                return self.layers[:i] if before > 0 and before + rest == counted else ()
        return ()

    def _marked(self) -> tuple[Layer, ...]:
        for i, layer in enumerate(self.layers):
            if layer.parameters and layer.trainable is not False:
                front = self.layers[:i]
                return front if any(one.parameters for one in front) else ()
        return ()


def arithmetic(layers: tuple[Layer, ...]) -> int | None:
    """Multiply-adds a sample; None where a nested model hides its layers."""
    total = 0
    for layer in layers:
        nested = layer.kind in ("Model", "Functional", "Sequential")
        if layer.parameters and (nested or not layer.shape):
            return None
        total += layer.parameters * layer.places
    return total


@once
def networks(tables: Tables) -> dict[int, Network]:
    """The network of each run that has a summary before it."""
    found: dict[int, Network] = {}
    if tables.models.is_empty() or tables.runs.is_empty():
        return found
    models = list(tables.models.iter_rows(named=True))
    for run, first in tables.runs.select("run", "first_line").iter_rows():
        before = [model for model in models if first is not None and model["line"] < first]
        if before:
            found[run] = _network(tables.layers, before[-1])
    return found


def _network(layers: pl.DataFrame, model: dict[str, int | None]) -> Network:
    rows = layers.filter(pl.col("model") == model["model"]).iter_rows(named=True)
    return Network(
        tuple(
            Layer(
                row["layer"],
                row["type"],
                tuple(map(int, _SIZES.findall(row["shape"] or ""))),
                row["parameters"] or 0,
                row["trainable"],
            )
            for row in rows
        ),
        model["trainable"],
        model["non_trainable"],
        int(model["line"] or 0),
    )
