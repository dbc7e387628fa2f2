"""The payload of a record in, its scalars and the kinds of everything else out, by protobuf.

This is the only definition of what a scalar is; ``event_shapes`` reproduces it faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logparse.reading import wire
from logparse.reading.event_pb import DecodeError, Event, Value
from logparse.reading.records import Floats

FLOAT, DOUBLE, HALF, BFLOAT16, BOOL = 1, 2, 19, 14, 10
DTYPES: dict[int, tuple[str, str, str]] = {
    FLOAT: ("float32", "<f4", "float_val"),
    DOUBLE: ("float64", "<f8", "double_val"),
    3: ("int32", "<i4", "int_val"),
    4: ("uint8", "u1", "int_val"),
    5: ("int16", "<i2", "int_val"),
    6: ("int8", "i1", "int_val"),
    9: ("int64", "<i8", "int64_val"),
    BOOL: ("bool", "u1", "bool_val"),
    BFLOAT16: ("bfloat16", "<u2", "half_val"),
    17: ("uint16", "<u2", "int_val"),
    HALF: ("float16", "<f2", "half_val"),
    22: ("uint32", "<u4", "uint32_val"),
    23: ("uint64", "<u8", "uint64_val"),
}
"""TensorFlow's DataType: our name, how it lies in ``tensor_content``, the field of its values."""

SCALAR_PLUGINS = ("", "scalars")

LARGE_BYTES = 1 << 20
"""Longer messages are taken apart before protobuf sees them: it needs up to 50 times their size."""

VALUES_MOST = 100_000
"""Values in one event; an event with more is rejected."""

_STRING = 7


@dataclass(slots=True)
class Scalar:
    """A number with rank 0, and what the file says about its tag.

    ``plugin`` is the value's own plugin name, often only on a tag's first event; ``simple`` says
    that it is a ``simple_value``, which is a scalar whatever the plugin.
    """

    value: float
    dtype: int
    plugin: str
    simple: bool


def widen(raw: NDArray[Any], dtype: int) -> Floats:
    """Numbers as they lie in ``tensor_content`` to float64: exact but for integers above 2**53."""
    if dtype == BFLOAT16:
        raw = (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif dtype == BOOL:
        raw = raw != 0
    with np.errstate(invalid="ignore"):  # a signalling NaN is no mistake of ours
        wide: Floats = raw.astype(np.float64)
    return wide


def read_value(value: Any) -> Scalar | str:
    """A ``Summary.Value`` as a scalar, or the name of its kind.

    A tensor follows TensorFlow's rules: no values at all mean zero, of too many the first counts.

    Raises:
        ValueError: the tensor contradicts itself.
    """
    which = value.WhichOneof("what")
    plugin = value.metadata.plugin_data.plugin_name
    if which == "simple_value":
        return Scalar(value.simple_value, FLOAT, plugin, True)
    if which != "tensor":
        return plugin or (which or "value without content").replace("histo", "histogram")
    tensor = value.tensor
    if tensor.dtype not in DTYPES or tensor.tensor_shape.dim or tensor.tensor_shape.unknown_rank:
        return plugin or ("text tensor" if tensor.dtype == _STRING else "tensor")
    _, layout, name = DTYPES[tensor.dtype]
    if tensor.tensor_content:
        if len(tensor.tensor_content) != np.dtype(layout).itemsize:
            raise ValueError("tensor content of the wrong size")
        raw = np.frombuffer(tensor.tensor_content, layout)
    else:
        values = getattr(tensor, name)
        raw = _bits(values[0] if len(values) else 0, tensor.dtype, layout)
    return Scalar(float(widen(raw, tensor.dtype)[0]), tensor.dtype, plugin, False)


def _bits(number: float, dtype: int, layout: str) -> NDArray[Any]:
    """A number of a ``*_val`` field as one element of the tensor's own type."""
    if dtype in (HALF, BFLOAT16):
        return np.array([int(number) & 0xFFFF], np.uint16).view(layout)
    kind = np.dtype(layout)
    if kind.kind in "iu":
        low = int(number) & ((1 << 8 * kind.itemsize) - 1)
        return np.array([low], f"<u{kind.itemsize}").view(kind)
    return np.array([number], kind)


@dataclass(slots=True)
class Content:
    """One value of a summary: a scalar, or the name of its kind, or None if it is faulty."""

    tag: str
    plugin: str
    what: Scalar | str | None


@dataclass(slots=True)
class Parsed:
    """One event: its time and step, what it holds, and the values if that is a summary."""

    wall_time: float
    step: int
    kind: str
    values: list[Content]


def parse(data: bytes) -> Parsed:
    """An event as protobuf reads it, in memory bounded by a few times ``LARGE_BYTES``.

    Raises:
        ValueError: protobuf refuses it, or it has too many values.
    """
    try:
        if len(data) > LARGE_BYTES:
            return _parse_large(data)
        event = Event.FromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    kind = event.WhichOneof("what") or "empty event"
    values = event.summary.value if kind == "summary" else ()
    if len(values) > VALUES_MOST:
        raise ValueError("too many values in one event")
    return Parsed(event.wall_time, event.step, kind, [_content(value) for value in values])


def _content(value: Any) -> Content:
    what: Scalar | str | None
    try:
        what = read_value(value)
    except ValueError:
        what = None
    return Content(value.tag, value.metadata.plugin_data.plugin_name, what)


_EVENT_BODY = range(3, 10)
"""Fields of an Event of which it holds one."""
_SUMMARY = 5
_VALUE_BODY = (3, 4, 5, 6, 8)
"""Fields of a Value that may be large; it holds one."""
_EVENT_NAMES = {3: "file_version", 4: "graph_def", 5: "summary", 6: "log_message"}
_EVENT_NAMES |= {7: "session_log", 8: "tagged_run_metadata", 9: "meta_graph_def"}
_VALUE_NAMES = {3: "obsolete_old_style_histogram", 4: "image", 5: "histogram", 6: "audio"}


def _parse_large(data: bytes) -> Parsed:
    """The same for a large event: its parts one by one, the largest only by name."""
    body, rest = _split(data, 0, len(data), _EVENT_BODY)
    event = Event.FromString(rest)
    kind = _EVENT_NAMES[body[-1].number] if body else "empty event"
    values: list[Content] = []
    if kind == "summary":
        parts = [part for part in body if part.number == _SUMMARY]
        found = (v for part in parts for v in wire.fields(data, part.begin, part.end))
        for index, value in enumerate(found):
            if index >= VALUES_MOST:
                raise ValueError("too many values in one event")
            if value.number == 1 and value.wire == wire.BYTES:
                values.append(_large_value(data, value))
    return Parsed(event.wall_time, event.step, kind, values)


def _large_value(data: bytes, field: wire.Field) -> Content:
    if field.end - field.begin <= LARGE_BYTES:
        return _content(Value.FromString(data[field.begin : field.end]))
    body, rest = _split(data, field.begin, field.end, _VALUE_BODY)
    value = Value.FromString(rest)
    plugin = value.metadata.plugin_data.plugin_name
    return Content(value.tag, plugin, plugin or _VALUE_NAMES.get(body[-1].number, "tensor"))


def _split(
    data: bytes, start: int, end: int, large: range | tuple[int, ...]
) -> tuple[list[wire.Field], bytes]:
    """The fields that may be large, and the bytes of all others, which are a message too."""
    body: list[wire.Field] = []
    rest = bytearray()
    for field in wire.fields(data, start, end):
        if field.number in large and field.wire == wire.BYTES:
            body.append(field)
        else:
            rest += data[field.key : field.end]
        if len(body) > VALUES_MOST or len(rest) > LARGE_BYTES:
            raise ValueError("too many fields in one message")
    return body, bytes(rest)
