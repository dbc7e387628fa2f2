from __future__ import annotations

import math
import random
import struct
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from events_help import (
    Row,
    framed,
    masked,
    plain_loop,
    raw_tensor,
    rows_of,
    simple,
    tensor,
    version,
)
from hypothesis import given
from hypothesis import strategies as st

from logparse.reading import event_shapes, event_tags, event_values
from logparse.reading.event_pb import Event
from logparse.reading.event_shapes import Shapes
from logparse.reading.tfevents import (
    BAD_TENSOR,
    NOT_AN_EVENT,
    TOO_MANY_TAGS,
    EventsReader,
    take_together,
)
from logparse.reading.tfrecord import BAD_CHECKSUM, TOO_LONG


def read(
    data: bytes, cuts: list[int] | None = None, shapes: Shapes | None = None
) -> tuple[list[Row], EventsReader]:
    """All rows of a file, fed in pieces; checks that every byte is accounted for."""
    reader = EventsReader(shapes)
    edges = [0, *sorted(cuts or []), len(data)]
    blocks = [reader.feed(data[a:b]) for a, b in pairwise(edges)]
    blocks.append(reader.finish())
    assert reader.account.size == len(data)
    count = 0
    for block in blocks:
        assert block.first == count
        count += len(block)
    return [row for block in blocks for row in rows_of(block, reader.tags)], reader


def test_real_files_bit_for_bit(shared_logs: Path) -> None:
    files = sorted(shared_logs.rglob("*tfevents*"))
    assert len(files) > 20
    shapes = Shapes()
    for file in files:
        data = file.read_bytes()
        want = plain_loop(data)
        assert read(data)[0] == want
        assert read(data, shapes=shapes)[0] == want
        assert read(data, cuts=list(range(0, len(data), 997)))[0] == want


# ------------------------------------------------------------- every encoding, against the loop


def _field(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= 2**64 - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def _sub(number: int, data: bytes) -> bytes:
    return _field(number, 2) + _varint(len(data)) + data


Write = Callable[[random.Random, float, int, str], bytes]


def _wall(wall: float) -> bytes:
    return b"\x09" + struct.pack("<d", wall)


def _step(step: int) -> bytes:
    return _field(2, 0) + _varint(step) if step else b""


def _float(make: random.Random) -> bytes:
    special = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-45, 3.4e38]
    value = make.choice(special) if make.random() < 0.1 else make.uniform(-9, 9)
    return struct.pack("<f", value)


def by_hand(body: Callable[[random.Random, str], bytes], *, end: bytes = b"") -> Write:
    """An event whose summary holds what ``body`` gives; ``end`` follows the summary."""

    def write(make: random.Random, wall: float, step: int, tag: str) -> bytes:
        return framed(_wall(wall) + _step(step) + _sub(5, body(make, tag)) + end)

    return write


def _name(tag: str) -> bytes:
    return _sub(1, tag.encode())


_SCALARS = _sub(9, _sub(1, _sub(1, b"scalars")))
_SHAPELESS = _field(1, 0) + b"\x01"
_RANK0 = _SHAPELESS + _sub(2, b"")


def _content(dtype: int, size: int) -> Write:
    def body(make: random.Random, tag: str) -> bytes:
        parts = _field(1, 0) + _varint(dtype) + _sub(2, b"") + _sub(4, make.randbytes(size))
        return _sub(1, _name(tag) + _sub(8, parts) + _SCALARS)

    return by_hand(body)


def _numbers(dtype: int, number: int, *, packed: bool = True, count: int = 1) -> Write:
    """A tensor with its value as a varint in a repeated field."""

    def body(make: random.Random, tag: str) -> bytes:
        values = [_varint(make.randrange(-(2**31), 2**31)) for _ in range(count)]
        field = (
            _sub(number, b"".join(values))
            if packed
            else b"".join(_field(number, 0) + value for value in values)
        )
        return _sub(1, _name(tag) + _sub(8, _field(1, 0) + _varint(dtype) + field) + _SCALARS)

    return by_hand(body)


def _simple(make: random.Random) -> bytes:
    return _field(2, 5) + _float(make)


ENCODINGS: dict[str, Write] = {
    "simple value": by_hand(lambda m, t: _sub(1, _name(t) + _simple(m))),
    "simple value before the tag": by_hand(lambda m, t: _sub(1, _simple(m) + _name(t))),
    "simple value twice": by_hand(lambda m, t: _sub(1, _name(t) + _simple(m) + _simple(m))),
    "tensor": by_hand(
        lambda m, t: _sub(1, _name(t) + _sub(8, _RANK0 + _sub(4, _float(m))) + _SCALARS)
    ),
    "metadata first": by_hand(
        lambda m, t: _sub(1, _name(t) + _SCALARS + _sub(8, _RANK0 + _sub(4, _float(m))))
    ),
    "no metadata": by_hand(lambda m, t: _sub(1, _name(t) + _sub(8, _RANK0 + _sub(4, _float(m))))),
    "no shape": by_hand(lambda m, t: _sub(1, _name(t) + _sub(8, _SHAPELESS + _sub(4, _float(m))))),
    "float_val": by_hand(lambda m, t: _sub(1, _name(t) + _sub(8, _RANK0 + _sub(5, _float(m))))),
    "float_val unpacked": by_hand(
        lambda m, t: _sub(1, _name(t) + _sub(8, _RANK0 + _field(5, 5) + _float(m)))
    ),
    "two float_val": by_hand(
        lambda m, t: _sub(1, _name(t) + _sub(8, _RANK0 + _sub(5, _float(m) + _float(m))))
    ),
    "no value at all": by_hand(lambda m, t: _sub(1, _name(t) + _sub(8, _RANK0))),
    "content and float_val": by_hand(
        lambda m, t: _sub(
            1, _name(t) + _sub(8, _RANK0 + _sub(5, _float(m)) + _sub(4, _float(m)))
        )
    ),
    "double_val": by_hand(
        lambda m, t: _sub(
            1, _name(t) + _sub(8, b"\x08\x02" + _sub(6, struct.pack("<d", m.gauss(0, 1))))
        )
    ),
    "simple value, then tensor": by_hand(
        lambda m, t: _sub(1, _name(t) + _simple(m) + _sub(8, _RANK0 + _sub(4, _float(m))))
    ),
    "tensor in two parts": by_hand(
        lambda m, t: _sub(1, _name(t) + _sub(8, _RANK0) + _sub(8, _sub(4, _float(m))))
    ),
    "two values": by_hand(
        lambda m, t: _sub(1, _name(t) + _simple(m)) + _sub(1, _name("other") + _simple(m))
    ),
    "wall time again at the end": by_hand(
        lambda m, t: _sub(1, _name(t) + _simple(m)), end=_wall(12.5)
    ),
    "step again at the end": by_hand(lambda m, t: _sub(1, _name(t) + _simple(m)), end=_step(77)),
    "unknown fields": by_hand(
        lambda m, t: _sub(1, _name(t) + _simple(m) + _sub(99, b"x")), end=_sub(11, b"yz")
    ),
    "a group": by_hand(lambda m, t: _sub(1, _name(t) + _simple(m)), end=b"\x5b\x5c"),
    "rank 1": by_hand(
        lambda m, t: _sub(
            1,
            _name(t) + _sub(8, _SHAPELESS + _sub(2, _sub(2, b"\x08\x01")) + _sub(4, _float(m))),
        )
    ),
    "text": by_hand(lambda m, t: _sub(1, _name(t) + _sub(8, b"\x08\x07" + _sub(8, b"hello")))),
    "int_val": _numbers(3, 7),
    "int_val unpacked": _numbers(3, 7, packed=False),
    "two int_val": _numbers(3, 7, count=2),
    "int64_val": _numbers(9, 10),
    "uint8 as int_val": _numbers(4, 7),
    "bool_val": _numbers(10, 11),
    "half_val": _numbers(19, 13),
    "bfloat16 as half_val": _numbers(14, 13),
    "uint64_val": _numbers(23, 17),
} | {
    f"content of {event_values.DTYPES[dtype][0]}": _content(dtype, size)
    for dtype, size in {
        1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 9: 8, 10: 1, 14: 2, 17: 2, 19: 2, 22: 4, 23: 8
    }.items()
}  # fmt: skip


def many(write: Write, seed: int, count: int = 40, step: int = 0, tags: int = 2) -> bytes:
    make = random.Random(seed)
    names = [f"tag {number}" for number in range(tags)]
    return b"".join(
        write(make, 1.7e9 + make.random(), step + index, names[index % tags])
        for index in range(count)
    )


@pytest.mark.parametrize("name", ENCODINGS)
def test_each_encoding_is_read_as_protobuf_reads_it(name: str) -> None:
    data = many(ENCODINGS[name], 1, step=100)
    want = plain_loop(data)
    rows, reader = read(data)
    assert rows == want
    assert len(want) == 0 if name in ("rank 1", "text") else len(want) >= 40
    assert not reader.reject_counts


def test_the_usual_encodings_are_decoded_by_shape() -> None:
    for name in ("simple value", "tensor", "metadata first", "float_val", "content of int64"):
        shapes = Shapes()
        read(many(ENCODINGS[name], 1, step=1), shapes=shapes)
        assert len(shapes) == 2, name


@given(
    parts=st.lists(
        st.tuples(
            st.sampled_from(sorted(ENCODINGS)),
            st.sampled_from([0, 1, 120, 16_370, 2**31, 2**62, -3, -(2**63)]),
            st.integers(1, 5),
            st.integers(1, 60),
        ),
        min_size=1,
        max_size=5,
    ),
    seed=st.integers(0, 1000),
    mixed=st.booleans(),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
def test_any_mixture_of_encodings_is_read_as_protobuf_reads_it(
    parts: list[tuple[str, int, int, int]], seed: int, mixed: bool, cuts: list[float]
) -> None:
    records = [
        framed(payload)
        for name, step, tags, count in parts
        for _, payload in _records(many(ENCODINGS[name], seed, count, step, tags))
    ]
    if mixed:
        random.Random(seed).shuffle(records)
    data = b"".join(records)
    want = plain_loop(data)
    assert read(data, [int(cut * len(data)) for cut in cuts])[0] == want
    shapes = Shapes()
    read(data[: len(data) // 2], shapes=shapes)
    assert read(data, shapes=shapes)[0] == want


def _records(data: bytes) -> list[tuple[int, bytes]]:
    from events_help import records_of

    return records_of(data)


def test_a_damaged_first_record_does_not_hide_its_shape() -> None:
    shapes = Shapes()
    read(many(ENCODINGS["tensor"], 2, 60, 1, 1), shapes=shapes)
    fresh = b"".join(tensor(1.0 + i, 1 + i, "tag 9", i) for i in range(60))
    broken = bytearray(fresh)
    broken[broken.index(b"tag 9")] ^= 1
    assert len(read(bytes(broken), shapes=shapes)[0]) == 59
    assert len(read(fresh, shapes=shapes)[0]) == 60
    assert len(shapes) == 2


def test_many_tags_of_one_length() -> None:
    data = many(ENCODINGS["tensor"], 1, count=3000, tags=90)
    shapes = Shapes()
    assert read(data, shapes=shapes)[0] == plain_loop(data)
    assert len(shapes) > 90


def test_a_probe_keeps_a_lookalike_from_being_decoded() -> None:
    """Bytes that stand where a shape has its value, but mean something else."""
    good = many(ENCODINGS["simple value"], 1, step=1, tags=1)
    data = good + many(ENCODINGS["simple value twice"], 1, step=1, tags=1) + good
    assert read(data)[0] == plain_loop(data)


# ------------------------------------------------------------- plugins and other kinds


def test_the_plugin_on_the_first_event_counts_for_the_tag() -> None:
    events = [tensor(1.0, 0, "a", 0.5), tensor(1.0, 0, "h", 0.5, plugin="histograms")]
    events += [tensor(2.0 + i, i, tag, i, plugin="") for i in range(40) for tag in "ah"]
    data = b"".join(events)
    rows, reader = read(data)
    assert rows == plain_loop(data)
    assert [row[3] for row in rows] == ["a"] * 41
    assert reader.kinds == {"histograms": 41}
    size = sum(len(event) for event in events[1::2])
    assert reader.account.ignored == {"histograms": size}
    for cut in range(0, len(data), 61):
        assert read(data, [cut])[0] == rows


def test_a_simple_value_is_a_scalar_whatever_its_plugin() -> None:
    data = b"".join(simple(1.0, i, "a", i, plugin="other") for i in range(40))
    assert len(read(data)[0]) == 40


def test_other_kinds_are_counted_by_name() -> None:
    image = Event(wall_time=1.0)
    image.summary.value.add(tag="i").image.height = 3
    text = Event(wall_time=1.0)
    value = text.summary.value.add(tag="t")
    value.tensor.dtype = 7
    value.metadata.plugin_data.plugin_name = "text\x1b[2J"
    session = Event(wall_time=1.0)
    session.session_log.status = 1
    events = [image, text, session, Event(wall_time=1.0, graph_def=b"g"), Event(wall_time=1.0)]
    data = version() + b"".join(framed(event.SerializeToString()) for event in events)
    rows, reader = read(data)
    assert rows == []
    assert reader.kinds == {
        "file_version": 1,
        "image": 1,
        "text\\x1b[2J": 1,
        "session_log": 1,
        "graph_def": 1,
        "empty event": 1,
    }
    assert reader.account.ignored.total() == len(data)
    assert reader.records == 6


def test_kinds_are_bounded() -> None:
    data = b"".join(tensor(1.0, i, f"t{i}", 0.0, plugin=f"p{i}" * 90) for i in range(1000))
    reader = read(data)[1]
    assert len(reader.kinds) <= 201
    assert reader.kinds.total() == 1000
    assert max(map(len, reader.kinds)) <= 80


# ------------------------------------------------------------- damage and hostile input


def sample(count: int = 24) -> bytes:
    make = random.Random(5)
    return version() + b"".join(
        tensor(1.7e9 + i, 118 + i // 2, ("batch_loss", "batch_mae")[i % 2], make.random())
        for i in range(count)
    )


def test_every_truncation_point() -> None:
    data = sample()
    whole = read(data)[0]
    shapes = Shapes()
    for end in range(len(data) + 1):
        rows, reader = read(data[:end], shapes=shapes)
        assert rows == whole[: len(rows)]
        assert not reader.rejects
        assert reader.account.pending < 70
        done = {at for at, payload in _records(data) if at + 16 + len(payload) <= end}
        assert len(rows) == sum(row[0] in done for row in whole)


@pytest.mark.parametrize("warm", [True, False], ids=["shapes known", "shapes new"])
def test_every_bit_flip_costs_one_record_and_shows_nothing_wrong(
    warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sample(12 if warm else 20)
    whole = read(data)[0]
    monkeypatch.setattr(event_shapes, "_GROUP_LEAST", 2)
    shapes = Shapes()
    read(data, shapes=shapes)
    assert len(shapes) == 2
    for bit in range(0, 8 * len(data), 1 if warm else 13):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        rows, reader = read(bytes(broken), shapes=shapes if warm else None)
        lost = [row for row in whole if row not in rows]
        assert [row for row in whole if row in rows] == rows
        assert len(lost) <= 1
        assert len(reader.rejects) == 1
        reject = reader.rejects[0]
        assert reject.start <= bit // 8 < reject.end
        assert all(reject.start <= row[0] < reject.end for row in lost)


def test_a_constant_byte_that_the_checksum_cannot_see_is_still_compared() -> None:
    """A record whose checksum is that of the shape with its own values, but whose tag differs."""
    data = sample(40)
    at = 40 + 68 * 20
    record = bytearray(data[at : at + 68])
    assert b"batch_loss" in record
    record[record.index(b"batch_loss")] ^= 1
    broken = data[:at] + bytes(record) + data[at + 68 :]
    rows, reader = read(broken)
    assert reader.reject_counts == {BAD_CHECKSUM: 1}
    assert len(rows) == 39


def test_records_inside_the_length_of_a_damaged_one_are_read() -> None:
    graph = framed(Event(wall_time=1.0, graph_def=bytes(range(256)) * 90).SerializeToString())
    scalars = sample(200)[40:]
    rows, reader = read(version() + graph[:500] + graph[500 + len(scalars) :] + scalars + sample())
    assert len(rows) == 224
    assert reader.reject_counts == {BAD_CHECKSUM: 1}
    assert reader.rejects[0].end == 40 + len(graph) - len(scalars)


def test_rejects_are_in_order() -> None:
    data = bytearray(sample(60))
    for at in (100, 1000, 1500, 2000, 2500):
        data[at] ^= 1
    for at in (40 + 68 * 10 + 67 * 10, 40 + 68 * 5 + 67 * 5):
        data[at] ^= 1
    starts = [reject.start for reject in read(bytes(data))[1].rejects]
    assert len(starts) == 7
    assert starts == sorted(starts)
    assert [r.start for r in read(bytes(data), cuts=[700, 1700])[1].rejects] == starts


def test_not_an_event() -> None:
    data = version() + framed(b"\xff" * 30) + sample(4)
    rows, reader = read(data)
    assert reader.reject_counts == {NOT_AN_EVENT: 1}
    assert len(rows) == 4


def test_a_tensor_that_contradicts_itself() -> None:
    data = b"".join(raw_tensor(1.0, i, "a", 1, b"\0" * 5) for i in range(20))
    rows, reader = read(data)
    assert rows == []
    assert reader.reject_counts == {BAD_TENSOR: 20}
    assert reader.account.rejected == len(data)


def test_deep_nesting_is_refused() -> None:
    data = b""
    for _ in range(5000):
        data = b"\x5b" + data + b"\x5c"
    rows, reader = read(framed(data) + sample(4))
    assert reader.reject_counts == {NOT_AN_EVENT: 1}
    assert len(rows) == 4


def test_a_hostile_length_with_a_valid_checksum_costs_little_memory() -> None:
    head = struct.pack("<Q", 2**60)
    data = sample() + head + masked(head) + sample()
    tracemalloc.start()
    rows, reader = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reader.reject_counts == {TOO_LONG: 1}
    assert len(rows) == 48
    assert peak < 50_000_000


def test_too_many_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_tags, "TAGS_MOST", 100)
    data = b"".join(tensor(1.0, i, f"tag {i:03}", i) for i in range(150)) * 2
    rows, reader = read(data)
    assert len({row[3] for row in rows}) == 100
    assert len(rows) == 200
    assert reader.reject_counts == {TOO_MANY_TAGS: 100}
    assert len(reader.tags) == 100


def test_tags_are_bounded_by_their_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_tags, "TAG_CHARACTERS", 1000)
    data = b"".join(simple(1.0, i, f"{i:0400}", i) for i in range(30))
    rows, reader = read(data)
    assert len(rows) == 2
    assert reader.reject_counts == {TOO_MANY_TAGS: 28}


def test_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_shapes, "SHAPES_MOST", 5)
    data = many(ENCODINGS["tensor"], 1, count=600, tags=20)
    shapes = Shapes()
    assert read(data, shapes=shapes)[0] == plain_loop(data)
    assert len(shapes) == 5


def test_strange_names_come_through_as_they_are() -> None:
    names = ["../../etc/passwd", "a\x1b[2Jb", "nul\0", "‮left", "=cmd()", "x" * 5000, ""]
    data = b"".join(tensor(1.0, i, name, i) for i in range(20) for name in names)
    assert read(data)[0] == plain_loop(data)


def big(name: str) -> bytes:
    event = Event(wall_time=3.0, step=9)
    event.summary.value.add(tag="before", simple_value=1.5)
    value = event.summary.value.add(tag="big")
    if name == "image":
        value.image.encoded_image_string = bytes(2 << 20)
    else:
        value.tensor.dtype = 2
        value.tensor.tensor_shape.dim.add(size=1 << 18)
        value.tensor.tensor_content = bytes(2 << 20)
        value.metadata.plugin_data.plugin_name = "histograms"
    event.summary.value.add(tag="after", simple_value=2.5)
    return framed(event.SerializeToString())


def test_a_large_event_is_taken_apart() -> None:
    data = (
        big("image")
        + big("tensor")
        + framed(Event(wall_time=1.0, graph_def=bytes(3 << 20)).SerializeToString())
    )
    rows, reader = read(data, cuts=[1 << 20, 3 << 20])
    assert rows == plain_loop(data)
    assert [(row[2], row[3]) for row in rows] == [(9, "before"), (9, "after")] * 2
    assert reader.kinds == {"image": 1, "histograms": 1, "graph_def": 1}


@pytest.mark.parametrize(
    "body",
    [
        _sub(5, b"\x0a\x00" * (1 << 20)),
        _sub(5, b"\x10\x00" * (1 << 20)),
        _sub(5, b"") * (1 << 20),
        b"\x60\x00" * (1 << 20),
        _sub(5, _sub(1, b"\x60\x00" * (1 << 20))),
        _sub(5, b"\x0a\x00" * 120_000),
        b"\xff" * (1 << 21),
    ],
)
def test_millions_of_tiny_fields_are_refused(body: bytes) -> None:
    rows, reader = read(framed(_wall(1.0) + body) + sample(4))
    assert reader.reject_counts == {NOT_AN_EVENT: 1}
    assert len(rows) == 4


def test_rejects_are_bounded() -> None:
    data = b"".join(raw_tensor(1.0, i, "a", 1, b"\0" * 5) for i in range(1500))
    reader = read(data)[1]
    assert len(reader.rejects) == 1000
    assert reader.reject_counts.total() == 1500
    assert all(len(reject.excerpt) <= 400 for reject in reader.rejects)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes(data: bytes, inside: bool) -> None:
    read(framed(data) if inside else data)


# ------------------------------------------------------------- the rest


def test_a_million_bytes_of_one_layout_with_damage() -> None:
    """Layouts that come often use larger tables; they must find the same."""
    make = random.Random(3)
    tags = ("batch_loss", "batch_mean")
    records = [tensor(1.7e9 + i / 7, i // 2, tags[i % 2], make.random()) for i in range(1 << 17)]
    good = EventsReader()
    rows = [row for block in _blocks(records) for row in rows_of(good.feed(block), good.tags)]
    hurt = set(make.sample(range(1 << 16, 1 << 17), 200))
    for index in hurt:
        record = bytearray(records[index])
        record[make.randrange(12, len(record))] ^= 1 << make.randrange(8)
        records[index] = bytes(record)
    bad = EventsReader()
    left = [row for block in _blocks(records) for row in rows_of(bad.feed(block), bad.tags)]
    assert bad.reject_counts == {BAD_CHECKSUM: 200}
    assert left == [row for index, row in enumerate(rows) if index not in hurt]


def _blocks(records: list[bytes]) -> list[bytes]:
    return [b"".join(records[at : at + 20_000]) for at in range(0, len(records), 20_000)]


def test_files_together_are_as_each_alone() -> None:
    files = [sample(), b"", sample(50)[:-7], version(), b"garbage" * 30, sample(9)]
    alone = [read(data) for data in files]
    shapes = Shapes()
    readers = [EventsReader(shapes) for _ in files]
    found = [
        (reader, frames)
        for reader, data in zip(readers, files, strict=True)
        for frames in (reader.framer.feed(data), reader.framer.finish())
    ]
    blocks = take_together(found)
    for number, (rows, reader) in enumerate(alone):
        fed, finished = blocks[2 * number : 2 * number + 2]
        assert rows_of(fed, shapes.tags.names) + rows_of(finished, shapes.tags.names) == rows
        other = readers[number]
        assert (other.account, other.rejects) == (reader.account, reader.rejects)
        assert (other.kinds, other.records) == (reader.kinds, reader.records)


@pytest.mark.parametrize(
    ("head", "low", "high"),
    [
        (sample(), 1, 1),
        (tensor(1.0, 1, "a", 1.0), 0.8, 0.8),
        (b"junk before" + sample(), 0.6, 0.6),
        (b"Epoch 1/2\n" * 50, 0, 0),
        (b"", 0, 0),
        (b"\x1f\x8b\x08" + bytes(100), 0, 0),
        (bytes(5000), 0, 0),
    ],
)
def test_score(head: bytes, low: float, high: float) -> None:
    score, reason = EventsReader.score(head)
    assert low <= score <= high
    assert reason


def test_memory_does_not_grow_with_the_file() -> None:
    block = b"".join(tensor(1.7e9 + i, 20_000 + i, "loss", i) for i in range(4000))
    reader: Any = EventsReader()
    for _ in range(3):
        reader.feed(block)
    tracemalloc.start()
    for _ in range(10):
        reader.feed(block)
    few = tracemalloc.get_traced_memory()[1]
    for _ in range(40):
        reader.feed(block)
    assert tracemalloc.get_traced_memory()[1] < few + 100_000
    tracemalloc.stop()
