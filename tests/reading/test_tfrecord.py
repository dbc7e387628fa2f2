from __future__ import annotations

import random
import struct
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from events_help import framed, masked, records_of
from hypothesis import given
from hypothesis import strategies as st

from logparse.reading import crc32c, tfrecord
from logparse.reading.record_walk import RECORD_BYTES, Walked
from logparse.reading.tfrecord import (
    BAD_CHECKSUM,
    BAD_LENGTH,
    MISSING,
    TOO_LONG,
    ZEROS,
    Damage,
    Framer,
    intact,
    records_inside,
)

Found = tuple[list[tuple[int, bytes]], list[tuple[int, int, str]], int]


def read(data: bytes, cuts: list[int] | None = None) -> Found:
    """Records, damage and pending bytes; checks that every byte is accounted for."""
    framer = Framer()
    records: list[tuple[int, bytes]] = []
    damage: list[Damage] = []
    edges = [0, *sorted(cuts or []), len(data)]
    steps = [framer.feed(data[a:b]) for a, b in pairwise(edges)]
    for frames in [*steps, framer.finish()]:
        for start, length in zip(frames.starts.tolist(), frames.lengths.tolist(), strict=True):
            body = frames.buffer[start + 12 : start + 12 + length]
            records.append((frames.base + start, body))
        damage += frames.damage
    spans = [(d.start, d.end, d.kind) for d in damage]
    size = sum(16 + len(body) for _, body in records) + sum(b - a for a, b, _ in spans)
    assert size + framer.pending == len(data)
    for part in damage:
        assert part.excerpt == data[part.start : min(part.end, part.start + 200)]
    return records, spans, framer.pending


def file_of(sizes: list[int], seed: int = 0) -> bytes:
    make = random.Random(seed)
    return b"".join(framed(make.randbytes(size)) for size in sizes)


@given(
    st.lists(st.integers(0, 40), max_size=60), st.lists(st.integers(0, 40), max_size=9), st.data()
)
def test_another_file_changes_nothing(
    sizes: list[int], end: list[int], data: st.DataObject
) -> None:
    """Records are looked for where they lay in another file, which may be alike or not."""
    other = file_of(sizes)
    found = Framer().feed(other)
    like = Walked(other, found.starts, found.lengths)
    keep = data.draw(st.integers(0, len(sizes)))
    file = bytearray(file_of(sizes[:keep] + end, seed=1))
    for _ in range(data.draw(st.integers(0, 2)) if file else 0):
        file[data.draw(st.integers(0, len(file) - 1))] ^= 1
    alone, led = Framer(), Framer()
    frames = [(framer.feed(bytes(file), x), framer) for framer, x in ((alone, None), (led, like))]
    seen = [
        (f.starts.tolist(), f.lengths.tolist(), f.damage, f.pending, framer.finish().damage)
        for f, framer in frames
    ]
    assert seen[0] == seen[1]


def test_crc_of_known_bytes() -> None:
    assert crc32c.crc(b"123456789") == 0xE3069283
    assert crc32c.crc(bytes(32)) == 0x8A9136AA
    assert crc32c.mask(crc32c.crc(b"123456789")).to_bytes(4, "little") == masked(b"123456789")


@given(st.binary(min_size=1, max_size=80), st.data())
def test_crc_is_its_constant_and_a_table_entry_a_byte(data: bytes, draw: st.DataObject) -> None:
    places = draw.draw(st.sets(st.integers(0, len(data) - 1)))
    bare = bytearray(data)
    total = 0
    for place in places:
        total ^= int(crc32c.table(len(data) - 1 - place)[data[place]])
        bare[place] = 0
    assert crc32c.crc(bytes(bare)) ^ total == crc32c.crc(data)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_header_crcs_of_arrays(lengths: list[int]) -> None:
    found = crc32c.header_crcs(np.array(lengths, np.uint32))
    assert found.tolist() == [crc32c.header_crc(length) for length in lengths]
    masks = crc32c.unmask_all(found)
    assert crc32c.mask_all(masks).tolist() == found.tolist()


cycles = st.lists(st.integers(0, 300), min_size=1, max_size=6)


@given(st.lists(st.tuples(cycles, st.integers(1, 120)), max_size=4), st.data())
def test_records_do_not_depend_on_the_cuts(
    parts: list[tuple[list[int], int]], draw: st.DataObject
) -> None:
    data = file_of([size for cycle, times in parts for size in cycle * times])
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=30))
    assert read(data, cuts) == (records_of(data), [], 0)


def test_every_truncation_point_is_a_prefix_and_a_pending_rest() -> None:
    data = file_of([20, 0, 70, 20, 256, 300])
    whole = records_of(data)
    for end in range(len(data) + 1):
        kept = [(at, body) for at, body in whole if at + 16 + len(body) <= end]
        rest = end - sum(16 + len(body) for _, body in kept)
        assert read(data[:end]) == (kept, [], rest)


def test_one_byte_at_a_time() -> None:
    data = file_of([20, 40, 20, 40, 7])
    assert read(data, list(range(len(data)))) == (records_of(data), [], 0)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def test_a_bad_payload_costs_nothing_here() -> None:
    data = flipped(file_of([50] * 9), 3 * 66 + 20)
    assert [at for at, _ in read(data)[0]] == [66 * i for i in range(9)]


@pytest.mark.parametrize("at", range(12))
def test_a_bad_header_costs_its_record(at: int) -> None:
    data = flipped(file_of([50] * 9), 3 * 66 + at)
    records, damage, pending = read(data)
    assert [at for at, _ in records] == [66 * i for i in range(9) if i != 3]
    assert (damage, pending) == ([(3 * 66, 4 * 66, BAD_LENGTH)], 0)


def test_a_length_never_seen_before_is_found_after_damage() -> None:
    first, second = file_of([50] * 9), file_of([1234, 77], seed=1)
    records, damage, _ = read(first + b"\x07garbage" * 9 + second)
    start = len(first) + 72
    assert [at for at, _ in records] == [*range(0, 594, 66), start, start + 1250]
    assert damage == [(594, start, BAD_LENGTH)]


def test_zeros_are_named() -> None:
    data = file_of([50] * 3)
    hole = data + bytes(5000) + data
    assert read(hole)[1] == [(198, 5198, ZEROS)]
    assert len(read(hole)[0]) == 6
    assert read(data + bytes(70_000))[1:] == ([(198, 70_198, ZEROS)], 0)
    # Fewer bytes than a header may still become one.
    assert read(data + bytes(8))[1:] == ([], 8)


@pytest.mark.parametrize("length", [RECORD_BYTES + 1, 2**32, 2**60, 2**64 - 1])
def test_a_hostile_length_with_a_valid_checksum(length: int) -> None:
    head = struct.pack("<Q", length)
    good = file_of([50] * 3)
    bad = head + masked(head) + b"x" * 100
    tracemalloc.start()
    records, damage, pending = read(good + bad + good)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(records) == 6
    assert (damage, pending) == ([(198, 198 + 112, TOO_LONG)], 0)
    assert peak < 5_000_000


def test_a_length_beyond_the_end_of_the_file_waits() -> None:
    head = struct.pack("<Q", 1000)
    data = file_of([50] * 3) + head + masked(head) + bytes(500)
    assert len(read(data)[0]) == 3
    assert read(data)[1:] == ([], 512)


def test_bytes_missing_in_a_long_record_cost_only_that_record() -> None:
    short, long = file_of([50] * 20), framed(b"g" * 100_000)
    cut = short + long[:1000] + long[1100:] + short
    assert read(cut)[1] == [(len(short), len(short) + len(long) - 100, BAD_CHECKSUM)]
    assert len(read(cut)[0]) == 40
    # The same when the file ends before the length does.
    cut = short + long[:1000] + short
    assert read(cut)[1:] == ([(len(short), len(short) + 1000, MISSING)], 0)
    assert len(read(cut)[0]) == 40


def test_whole_records_inside_the_length_of_a_damaged_one() -> None:
    """Missing bytes that are just as many as the records that then lie within the length."""
    inner = file_of([50] * 10)
    long = framed(b"g" * 5000)
    data = long[:100] + long[100 + len(inner) :] + inner
    assert [at for at, _ in read(data + inner)[0]][:2] == [0, len(long)]
    start = len(long) - len(inner)
    assert records_inside(data, 0, 5000) == [(start + 66 * i, 50) for i in range(10)]
    assert records_inside(data + b"x", 0, 5001) == []
    assert records_inside(long, 0, 5000) == []


@pytest.mark.parametrize("end", [b"", file_of([50] * 3)])
def test_headers_in_each_other_are_not_checked_again_and_again(
    end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = 0
    crc = crc32c.crc

    def counted(data: bytes) -> int:
        nonlocal checked
        checked += len(data)
        return crc(data)

    monkeypatch.setattr(tfrecord, "RECORD_BYTES", 100_000)
    head = struct.pack("<Q", 50_000)
    data = (head + masked(head)) * 50_000
    monkeypatch.setattr(crc32c, "crc", counted)
    read(data + end)
    assert checked < 30 * len(data)


@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["zeros", "garbage", "missing", "extra", "again"]),
    size=st.integers(1, 3000),
    cuts=st.lists(st.floats(0, 1), max_size=12),
)
def test_damage_costs_only_the_records_it_touches(
    seed: int, kind: str, size: int, cuts: list[float]
) -> None:
    make = random.Random(seed)
    data = file_of([make.choice([40, 41, 52, 900]) for _ in range(60)], seed)
    at = make.randrange(len(data))
    size = min(size, len(data) - at)
    new = {
        "zeros": bytes(size),
        "garbage": make.randbytes(size),
        "missing": b"",
        "extra": make.randbytes(size) + data[at : at + size],
        "again": data[at : at + size] * 2,
    }[kind]
    damaged = data[:at] + new + data[at + size :]
    found = read(damaged)
    edges = [int(cut * len(damaged)) for cut in cuts]
    assert read(damaged, edges) == found
    good = [body for _, body in found[0]]
    for start, body in found[0]:
        if not intact(damaged, start, len(body)):
            inside = records_inside(damaged, start, len(body))
            good += [damaged[at + 12 : at + 12 + size] for at, size in inside]
    untouched = [
        body
        for start, body in records_of(data)
        if start + 16 + len(body) <= at or start >= at + size
    ]
    missing = [body for body in untouched if body not in good]
    assert missing == []


def test_a_block_of_64_kib_costs_only_what_it_covers() -> None:
    data = file_of([52, 56] * 3000)
    for new in (bytes(1 << 16), random.Random(1).randbytes(1 << 16), b""):
        records, damage, pending = read(data[:100_000] + new + data[165_536:])
        assert len(records) >= 6000 - (1 << 16) / 68 - 3
        assert len(damage) == 1
        assert pending == 0
