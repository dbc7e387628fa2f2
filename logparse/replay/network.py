"""The table ``layers`` of a log in; the same sequential network out, as layers to build.

A summary prints of a layer its class, output shape and number of parameters. For most classes that
determines the rest: a dense layer's units are its output's last number, a convolution's kernel
follows from its parameters, its stride from the sizes before and after. What a summary does not
tell (activations, dropout rates) costs no time and is filled in. Whether the guess is right shows
when the network is built: every layer must have as many parameters as in the log.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from logparse.errors import LogparseError

Shape = tuple[int | None, ...]

OLD_NAMES = {"Convolution1D": "Conv1D", "Convolution2D": "Conv2D"}
"""What layers were called in Keras 1."""

COLOURS = (3, 1, 4, 2)
"""Channels that an input may have, the likely ones first, where no input layer tells."""

MOST_VALUES = 500_000_000
"""Parameters from which a network is not rebuilt: nobody's summary by hand is longer."""


class CannotRebuildError(LogparseError):
    """A summary that does not determine a sequential network."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer to build: its class in Keras, its arguments, and what the log says of it."""

    name: str
    kind: str
    options: dict[str, Any]
    parameters: int | None
    trainable: bool | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A sequential network.

    Attributes:
        shape: of one sample at its input, channels last.
        layers: in order.
        outputs: numbers that it gives for a sample.
        guesses: what the log does not tell, as sentences.
    """

    shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    outputs: int
    guesses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Row:
    """A row of the table, and the shapes before and after it, without the batch."""

    name: str
    kind: str
    before: Shape
    after: Shape
    parameters: int

    def fail(self, why: str) -> CannotRebuildError:
        return CannotRebuildError(f"layer {self.name} ({self.kind}): {why}")


def rebuild(rows: Sequence[dict[str, Any]], trainable: int | None) -> Network:
    """The network of one summary.

    Args:
        rows: rows of ``layers``, of one model.
        trainable: parameters that train, where the summary says so.

    Raises:
        CannotRebuildError: a layer has several inputs, or a class that a summary says too little
            of.
    """
    guesses: list[str] = []
    rows = [row | {"type": _kind(row)} for row in rows]
    shapes = [_shape(row) for row in rows]
    first_channels = _channels_first(rows, shapes)
    if first_channels:
        shapes = [_channels_last(shape) for shape in shapes]
        guesses.append("the log has channels first; rebuilt with channels last, the same work")
    shape: Shape
    if rows and rows[0]["type"] == "InputLayer":
        shape, rows, shapes = shapes[0], rows[1:], shapes[1:]
    elif rows:
        shape = _input_shape(rows[0], shapes[0])
        guesses.append(f"no input layer is printed; an input of {_text(shape)} fits the first one")
    if not rows:
        raise CannotRebuildError("the log holds no model.summary() with layers")
    if None in shape:
        raise CannotRebuildError(f"its input has no fixed shape: {_text(shape)}")
    layers = []
    for row, before, after in zip(rows, [shape, *shapes], shapes, strict=False):
        one = _Row(row["layer"], row["type"], before, after, row["parameters"] or 0)
        layers.append(Layer(one.name, one.kind, _BUILD[one.kind](one), row["parameters"]))
    layers = _frozen(layers, rows, trainable, guesses)
    whole = tuple(int(n) for n in shape if n is not None)
    return Network(whole, tuple(layers), int(shapes[-1][-1] or 1), guesses)


def _kind(row: dict[str, Any]) -> str:
    """The class of a layer, also where the summary cut its name.

    Raises:
        CannotRebuildError: the class is none that can be rebuilt.
    """
    kind = OLD_NAMES.get(row["type"], row["type"])
    found = [known for known in (*_BUILD, "InputLayer") if known == kind]
    found = found or [known for known in _BUILD if len(kind) > 5 and known.startswith(kind)]
    found = found or [new for old, new in OLD_NAMES.items() if len(kind) > 9 and old[:-1] == kind]
    if len(found) != 1:
        raise CannotRebuildError(
            f"layer {row['layer']} is a {row['type']}, of which a summary says too little"
        )
    return found[0]


def _shape(row: dict[str, Any]) -> Shape:
    """Output shape without the batch.

    Raises:
        CannotRebuildError: it is not printed, or there are several.
    """
    text = row["shape"] or ""
    if not re.fullmatch(r"[\[(]*\s*(?:None|\d+|\?)(?:\s*,\s*(?:None|\d+|\?)?)*\s*[)\]]*", text):
        raise CannotRebuildError(f"layer {row['layer']} has the output shape {text or 'unknown'}")
    numbers = re.findall(r"None|\d{1,9}|\?", text)
    return tuple(int(n) if n.isdigit() else None for n in numbers[1:])


def _channels_first(rows: Sequence[dict[str, Any]], shapes: list[Shape]) -> bool:
    """Whether images have their channels before their sides, as Theano had it."""
    for row, shape in zip(rows, shapes, strict=True):
        if len(shape) == 3 and row["type"] in ("Conv2D", "InputLayer"):
            first, second, last = shape
            return None not in shape and second == last and first != last
    return False


def _channels_last(shape: Shape) -> Shape:
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def _input_shape(row: dict[str, Any], after: Shape) -> Shape:
    """Shape of the input before a first layer, from its parameters.

    Raises:
        CannotRebuildError: they do not tell.
    """
    units, parameters = after[-1] or 0, row["parameters"] or 0
    if row["type"] == "Dense" and units and parameters % units == 0:
        return (*after[:-1], parameters // units - 1)
    if row["type"] == "Conv2D" and units:
        for channels in COLOURS:
            side = math.isqrt(max(parameters // units - 1, 0) // channels)
            if side and (side * side * channels + 1) * units == parameters:
                # Without padding a kernel of k takes k - 1 off each side: round sizes decide.
                bigger = tuple(n + side - 1 if n else None for n in after[:-1])
                padded = any((n or 0) % 8 == 0 for n in after[:-1])
                return (*(after[:-1] if padded else bigger), channels)
    if row["type"] == "Embedding":
        return after[:-1]
    raise CannotRebuildError(
        f"the summary names no input, and its first layer {row['layer']} does not tell it"
    )


def _dense(row: _Row) -> dict[str, Any]:
    units, inputs = row.after[-1] or 0, row.before[-1] or 0
    return {"units": units, "use_bias": row.parameters == (inputs + 1) * units}


def _conv2d(row: _Row) -> dict[str, Any]:
    filters, channels = row.after[-1] or 0, row.before[-1] or 0
    if not filters or not channels:
        raise row.fail("its channels are not known")
    for bias in (1, 0):
        square = (row.parameters / filters - bias) / channels
        side = round(math.sqrt(max(square, 0)))
        if side and (side * side * channels + bias) * filters == row.parameters:
            fit = _stride(row, side)
            return {"filters": filters, "kernel_size": side, "use_bias": bool(bias)} | fit
    raise row.fail(f"no square kernel has {row.parameters:,} parameters")


def _conv1d(row: _Row) -> dict[str, Any]:
    filters, channels = row.after[-1] or 0, row.before[-1] or 0
    for bias in (1, 0):
        side = (row.parameters // max(filters, 1) - bias) // max(channels, 1)
        if side and (side * channels + bias) * filters == row.parameters:
            fit = _stride(row, side)
            return {"filters": filters, "kernel_size": side, "use_bias": bool(bias)} | fit
    raise row.fail(f"no kernel has {row.parameters:,} parameters")


def _stride(row: _Row, size: int) -> dict[str, Any]:
    """Stride and padding that lead from the sizes before to those after."""
    pairs = list(zip(row.before[:-1], row.after[:-1], strict=True))
    for stride in range(1, 9):
        for padding in ("same", "valid"):
            least = size if padding == "valid" else 1
            if all(b is not None and a == (b - least) // stride + 1 for b, a in pairs):
                return {"strides": stride, "padding": padding}
    raise row.fail(f"no stride leads from {_text(row.before)} to {_text(row.after)}")


def _pool(row: _Row) -> dict[str, Any]:
    before, after = row.before[0] or 0, row.after[0] or 0
    size = before // after if after else 0
    for pool, padding in ((size, "valid"), (size + 1, "same"), (size, "same")):
        length = -(-before // pool) if padding == "same" and pool else before // max(pool, 1)
        if pool and length == after:
            return {"pool_size": pool, "padding": padding}
    raise row.fail(f"no pool leads from {_text(row.before)} to {_text(row.after)}")


def _pad(row: _Row) -> dict[str, Any]:
    more = [(a or 0) - (b or 0) for b, a in zip(row.before[:-1], row.after[:-1], strict=True)]
    return {"padding": tuple((n // 2, n - n // 2) for n in more)}


def _recurrent(row: _Row) -> dict[str, Any]:
    return {"units": row.after[-1], "return_sequences": len(row.after) == len(row.before)}


def _embedding(row: _Row) -> dict[str, Any]:
    width = row.after[-1] or 1
    return {"input_dim": row.parameters // width, "output_dim": width}


def _upsampling(row: _Row) -> dict[str, Any]:
    return {"size": (row.after[0] or 0) // max(row.before[0] or 1, 1)}


def _same(row: _Row) -> dict[str, Any]:
    if row.before != row.after:
        raise row.fail(f"its input {_text(row.before)} is not its output {_text(row.after)}")
    return {}


_BUILD: dict[str, Callable[[_Row], dict[str, Any]]] = {
    "Dense": _dense,
    "Conv1D": _conv1d,
    "Conv2D": _conv2d,
    "MaxPooling1D": _pool,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling1D": lambda row: {},
    "GlobalAveragePooling2D": lambda row: {},
    "GlobalMaxPooling1D": lambda row: {},
    "GlobalMaxPooling2D": lambda row: {},
    "Flatten": lambda row: {},
    "Reshape": lambda row: {"target_shape": row.after},
    "ZeroPadding2D": _pad,
    "UpSampling2D": _upsampling,
    "Embedding": _embedding,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "SimpleRNN": _recurrent,
    "BatchNormalization": _same,
    "LayerNormalization": _same,
    "Activation": lambda row: _same(row) | {"activation": "relu"},
    "ReLU": _same,
    "LeakyReLU": _same,
    "Dropout": lambda row: _same(row) | {"rate": 0.5},
    "SpatialDropout1D": lambda row: _same(row) | {"rate": 0.5},
    "SpatialDropout2D": lambda row: _same(row) | {"rate": 0.5},
}
"""Layers that a summary determines, and their arguments."""


def _frozen(
    layers: list[Layer], rows: Sequence[dict[str, Any]], trainable: int | None, guesses: list[str]
) -> list[Layer]:
    """The same layers with what trains: as printed, or the last ones that make up the total."""
    said = [row["trainable"] for row in rows]
    if any(one is not None for one in said):
        return [_with(layer, one is not False) for layer, one in zip(layers, said, strict=True)]
    most = [_most_trainable(layer) for layer in layers]
    if trainable is None or trainable == sum(most):
        return [_with(layer, True) for layer in layers]
    for at in range(len(layers)):
        if sum(most[at:]) == trainable:
            guesses.append(f"{trainable:,} parameters train: the layers from {layers[at].name} on")
            return [_with(layer, i >= at) for i, layer in enumerate(layers)]
    guesses.append("which layers train is not printed; all of them do here")
    return [_with(layer, True) for layer in layers]


def _most_trainable(layer: Layer) -> int:
    """Parameters that can train: of batch normalisation the running half cannot."""
    return (layer.parameters or 0) // (2 if layer.kind == "BatchNormalization" else 1)


def _with(layer: Layer, trainable: bool) -> Layer:
    return Layer(layer.name, layer.kind, layer.options, layer.parameters, trainable)


def _text(shape: Shape) -> str:
    return " x ".join("?" if n is None else str(n) for n in shape)
