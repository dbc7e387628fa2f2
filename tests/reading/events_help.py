"""Event files made by hand, and the plain loop that every fast path is held to."""

from __future__ import annotations

import math
import struct
from typing import Any

import google_crc32c

from logparse.reading.event_pb import Event

Row = tuple[int, bytes, int, str, bytes, int]
"""Offset of the record, bits of the wall time, step, tag, bits of the value, dtype."""


def masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(payload: bytes) -> bytes:
    head = struct.pack("<Q", len(payload))
    return head + masked(head) + payload + masked(payload)


def version(wall_time: float = 1.7e9) -> bytes:
    return framed(Event(wall_time=wall_time, file_version="brain.Event:2").SerializeToString())


def simple(wall_time: float, step: int, tag: str, value: float, plugin: str = "") -> bytes:
    event = Event(wall_time=wall_time, step=step)
    item = event.summary.value.add(tag=tag, simple_value=value)
    if plugin:
        item.metadata.plugin_data.plugin_name = plugin
    return framed(event.SerializeToString())


def tensor(wall_time: float, step: int, tag: str, value: float, plugin: str = "scalars") -> bytes:
    """As tf.summary writes a float."""
    return raw_tensor(wall_time, step, tag, 1, struct.pack("<f", value), plugin)


def raw_tensor(
    wall_time: float, step: int, tag: str, dtype: int, content: bytes, plugin: str = "scalars"
) -> bytes:
    event = Event(wall_time=wall_time, step=step)
    item = event.summary.value.add(tag=tag)
    if plugin:
        item.metadata.plugin_data.plugin_name = plugin
    item.tensor.dtype = dtype
    item.tensor.tensor_shape.SetInParent()
    item.tensor.tensor_content = content
    return framed(event.SerializeToString())


def records_of(data: bytes) -> list[tuple[int, bytes]]:
    """Offsets and payloads of an undamaged file."""
    found, at = [], 0
    while at + 12 <= len(data):
        length = struct.unpack_from("<Q", data, at)[0]
        if at + 16 + length > len(data):
            break
        found.append((at, data[at + 12 : at + 12 + length]))
        at += 16 + length
    return found


_FORMATS = {1: "<f", 2: "<d", 3: "<i", 4: "<B", 5: "<h", 6: "<b", 9: "<q", 17: "<H", 19: "<e"}
_FORMATS |= {22: "<I", 23: "<Q", 10: "<B", 14: "<H"}
_FIELDS = {1: "float_val", 2: "double_val", 9: "int64_val", 10: "bool_val", 14: "half_val"}
_FIELDS |= {19: "half_val", 22: "uint32_val", 23: "uint64_val"}


def number_of(value: Any) -> tuple[float, int] | None:
    """The scalar of a Summary.Value by plain struct, None if it is none."""
    if value.WhichOneof("what") == "simple_value":
        return value.simple_value, 1
    if value.WhichOneof("what") != "tensor":
        return None
    tensor = value.tensor
    kind = tensor.dtype
    if kind not in _FORMATS or tensor.tensor_shape.dim or tensor.tensor_shape.unknown_rank:
        return None
    if tensor.tensor_content:
        if len(tensor.tensor_content) != struct.calcsize(_FORMATS[kind]):
            return None
        (number,) = struct.unpack(_FORMATS[kind], tensor.tensor_content)
    else:
        values = getattr(tensor, _FIELDS.get(kind, "int_val"))
        number = values[0] if len(values) else 0
        if kind in (14, 19):
            number &= 0xFFFF
            if kind == 19:
                (number,) = struct.unpack("<e", struct.pack("<H", number))
        elif kind in (3, 4, 5, 6, 17):
            size = struct.calcsize(_FORMATS[kind])
            low = (int(number) & (2 ** (8 * size) - 1)).to_bytes(size, "little")
            (number,) = struct.unpack(_FORMATS[kind], low)
    if kind == 14:
        (number,) = struct.unpack("<f", struct.pack("<I", int(number) << 16))
    if kind == 10:
        number = number != 0
    return float(number), kind


def plain_loop(data: bytes) -> list[Row]:
    """All scalars of an undamaged file, one record after the other."""
    rows: list[Row] = []
    plugins: dict[str, str] = {}
    for at, payload in records_of(data):
        event = Event.FromString(payload)
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name
            if plugin:
                plugins.setdefault(value.tag, plugin)
        for value in event.summary.value:
            number = number_of(value)
            other = plugins.get(value.tag, "") not in ("", "scalars")
            if number is None or (other and value.WhichOneof("what") == "tensor"):
                continue
            wall = struct.pack("<d", event.wall_time)
            rows.append((at, wall, event.step, value.tag, bits(number[0]), number[1]))
    return rows


def bits(number: float) -> bytes:
    """A float's bits; any NaN is one, since widening need not keep its payload."""
    return b"nan" if math.isnan(number) else struct.pack("<d", number)


def rows_of(scalars: Any, tags: list[str]) -> list[Row]:
    """Rows of a reader's block in the form of ``plain_loop``."""
    return [
        (byte, struct.pack("<d", wall), step, tags[tag], bits(value), dtype)
        for byte, wall, step, tag, value, dtype in zip(
            scalars.byte.tolist(),
            scalars.wall_time.tolist(),
            scalars.step.tolist(),
            scalars.tag.tolist(),
            scalars.value.tolist(),
            scalars.dtype.tolist(),
            strict=True,
        )
    ]
