from __future__ import annotations

import math
import random
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from events_help import framed, records_of, simple, tensor, version
from hypothesis import given
from hypothesis import strategies as st

from logparse.errors import LimitError
from logparse.reading.event_pb import Event
from logparse.reading.event_runs import EventFile, Segment, find_files, group_runs, open_folder
from logparse.reading.event_shapes import Shapes
from logparse.reading.keras_events import (
    UNPLACED,
    KerasFile,
    keras_chunks,
    keras_events,
    stream_keras,
)
from logparse.reading.records import Chunk, Form
from logparse.reading.tfevents import EventsReader

Update = tuple[int, int, int, bool, dict[str, float]]
"""Epoch, step, of, whether it is the last of its epoch, values to six digits."""


def flat(chunks: Iterable[Chunk] | None) -> list[Update]:
    """All updates under the header before them; checks what every chunk must hold."""
    assert chunks is not None
    found: list[Update] = []
    epoch = 0
    byte = -1
    for chunk in chunks:
        updates = chunk.updates
        headers = {event.byte: event for event in chunk.events if event.kind == "header"}
        assert sorted(headers) == list(headers)
        for i in range(len(updates)):
            assert updates.byte[i] > byte
            byte = int(updates.byte[i])
            assert updates.form[i] == Form.EVENTS
            assert math.isfinite(updates.clock[i])
            if byte - 12 in headers:
                epoch = headers.pop(byte - 12).data["epoch"]
            values = {
                name: round(float(column[i]), 6)
                for name, column in updates.values.items()
                if updates.decimals[name][i]
            }
            row = (int(updates.step[i]), int(updates.of[i]), bool(updates.last[i]), values)
            found.append((epoch, *row))
        assert not headers
    return found


class Writer:
    """Writes train and validation files as the TensorBoard callback of Keras does."""

    def __init__(self, steps: int, *, every: int = 1, validate: bool = True, drop: bool = False):
        self.steps, self.every, self.validate, self.drop = steps, every, validate, drop
        self.train, self.validation = version(), version()
        self.iterations = self.batches = 0
        self.clock = 1.7e9
        self.want: list[Update] = []
        """What must come out when everything can be told."""

    def tick(self) -> float:
        self.clock += 0.25
        return self.clock

    def epoch(self, number: int, *, until: int | None = None) -> None:
        """One epoch, or its first ``until`` batches."""
        make = random.Random(number)
        total = 0.0
        for step in range(1, (until or self.steps) + 1):
            self.batches += 1
            self.iterations += 1
            total += make.randrange(1, 9)
            if self.batches % self.every:
                continue
            loss, mae = total / step, total / step / 2
            self.train += tensor(self.tick(), self.batches, "batch_loss", loss)
            self.train += tensor(self.clock, self.batches, "batch_mae", mae)
            values = {"loss": round(float(np.float32(loss)), 6)}
            values["mae"] = round(float(np.float32(mae)), 6)
            of = 0 if until else self.steps
            self.want.append((number, step, of, False, values))
        if until:
            return
        last = {"loss": total / self.steps, "mae": total / self.steps / 2, "learning_rate": 0.125}
        if self.drop and self.batches % self.every:
            return
        if self.validate:
            at = self.iterations
            self.validation += tensor(self.tick(), at, "evaluation_loss_vs_iterations", 2.5)
        for name, value in last.items():
            self.train += tensor(self.tick(), number - 1, f"epoch_{name}", value)
        if self.validate:
            self.validation += tensor(self.tick(), number - 1, "epoch_loss", 2.5)
            last["val_loss"] = 2.5
        rounded = {name: round(float(np.float32(value)), 6) for name, value in last.items()}
        self.want.append((number, self.steps, self.steps, True, rounded))

    def updates(self, folder: Path) -> list[Update]:
        self.put(folder, 1)
        return flat(keras_events(open_folder(folder)[0]))

    def put(self, folder: Path, number: int) -> None:
        """Write both files and begin the next fit."""
        for part in ("train", "validation"):
            path = folder / part / f"events.out.tfevents.{number}.v2"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(getattr(self, part))
        self.train, self.validation, self.batches = version(self.clock), version(self.clock), 0


def test_every_batch_of_every_epoch(tmp_path: Path) -> None:
    writer = Writer(7)
    for number in (1, 2, 3):
        writer.epoch(number)
    assert writer.updates(tmp_path) == writer.want


def test_a_second_fit_counts_its_batches_from_one(tmp_path: Path) -> None:
    writer = Writer(5)
    for numbers in ((1, 2), (3, 4), (1,)):
        for number in numbers:
            writer.epoch(number)
        writer.put(tmp_path, len(numbers) * 10 + numbers[0])
    assert flat(keras_events(open_folder(tmp_path)[0])) == writer.want


def test_an_epoch_under_way(tmp_path: Path) -> None:
    writer = Writer(9)
    writer.epoch(1)
    writer.epoch(2, until=4)
    assert writer.updates(tmp_path) == [
        (e, s, o or (9 if e == 2 else 0), f, v) for e, s, o, f, v in writer.want
    ]
    alone = Writer(9, validate=False)
    alone.epoch(1, until=3)
    (tmp_path / "alone").mkdir()
    assert alone.updates(tmp_path / "alone") == alone.want


@pytest.mark.parametrize(("steps", "every"), [(32, 5), (7, 7), (10, 3), (6, 10), (5, 50)])
def test_update_freq_with_validation(tmp_path: Path, steps: int, every: int) -> None:
    """The optimizer's counter gives the length of an epoch."""
    writer = Writer(steps, every=every)
    for number in range(1, 15):
        writer.epoch(number)
    assert writer.updates(tmp_path) == writer.want


def test_update_freq_without_validation_needs_enough_epochs(tmp_path: Path) -> None:
    writer = Writer(32, every=5, validate=False)
    for number in range(1, 9):
        writer.epoch(number)
    assert writer.updates(tmp_path) == writer.want


def test_update_freq_with_too_few_epochs_gives_no_batches_it_cannot_place(tmp_path: Path) -> None:
    writer = Writer(32, every=5, validate=False)
    writer.epoch(1)
    writer.epoch(2)
    found = writer.updates(tmp_path)
    first = [row for row in writer.want if row[0] == 1 and not row[3]]
    assert [row[1] for row in found if row[0] == 1 and not row[3]] == [row[1] for row in first]
    assert [row[0] for row in found if row[3]] == [1, 2]
    # Where epoch 2 began is not known, so its batches have no step.
    assert not [row for row in found if row[0] == 2 and not row[3]]


def test_epoch_events_that_keras_leaves_out(tmp_path: Path) -> None:
    """Keras 3.15 with update_freq=N writes an epoch's end only at multiples of N."""
    writer = Writer(32, every=20, drop=True, validate=False)
    for number in range(1, 14):
        writer.epoch(number)
    found = writer.updates(tmp_path)
    assert [row[0] for row in found if row[3]] == [5, 10]
    assert found == writer.want


def test_without_any_epoch_event_nothing_is_placed(tmp_path: Path) -> None:
    writer = Writer(32, every=5, drop=True, validate=False)
    for number in (1, 2, 3):
        writer.epoch(number)
    assert writer.updates(tmp_path) == []
    events = [e for chunk in keras_events(open_folder(tmp_path)[0]) or () for e in chunk.events]
    assert [(event.kind, event.data) for event in events] == [(UNPLACED, {"batches": 19})]


def test_a_lost_batch_leaves_the_steps_right(tmp_path: Path) -> None:
    writer = Writer(6)
    for number in (1, 2, 3, 4):
        writer.epoch(number)
    records = writer.train.split(b"batch_loss")
    for lost in (3, 6, 7, 13):  # inside an epoch, its last batch, the first of the next
        data = bytearray(writer.train)
        at = sum(len(part) + 10 for part in records[: lost + 1]) - 5
        data[at] ^= 1
        data[data.index(b"batch_mae", at) + 2] ^= 1
        broken = Writer(6)
        broken.train, broken.validation = bytes(data), writer.validation
        folder = tmp_path / str(lost)
        folder.mkdir()
        found = broken.updates(folder)
        gone = [row for row in writer.want if row not in found]
        assert [row for row in writer.want if row in found] == found
        assert [row[3] for row in gone] == [False]


def test_a_lost_end_of_an_epoch_does_not_join_two(tmp_path: Path) -> None:
    """Damage from within the first epoch to within the second: its batches are the second's."""
    writer = Writer(6, validate=False)
    for number in (1, 2, 3):
        writer.epoch(number)
    places = [at for at, _ in records_of(writer.train)]
    data = bytearray(writer.train)
    # After the version and two batches of two metrics, up to two batches into the next epoch.
    data[places[5] : places[20]] = bytes(places[20] - places[5])
    broken = Writer(6)
    broken.train = bytes(data)
    found = broken.updates(tmp_path)
    assert [row[:3] for row in found if row[0] == 1] == [(1, 1, 6), (1, 2, 6)]
    assert found[2:] == [row for row in writer.want if row[0] > 1][2:]


def test_times(tmp_path: Path) -> None:
    writer = Writer(3)
    writer.epoch(1)
    writer.put(tmp_path, 1)
    (chunk, *_) = keras_events(open_folder(tmp_path)[0]) or ()
    assert (chunk.updates.clock - 1.7e9).tolist() == [0.25, 0.5, 0.75, 1.75]
    (header,) = chunk.events
    assert header.kind == "header"
    assert header.data == {
        "epoch": 1,
        "epochs": None,
        "after": None,
        "ended": 1.7e9 + 1.75,
        "evaluated": 1.7e9 + 1.0,
        "batch_values": [],
        "new_run": False,
        "first": True,
    }


@given(st.integers(1, 9), st.integers(1, 4), st.lists(st.integers(1, 400), max_size=20))
def test_chunks_do_not_depend_on_the_blocks(steps: int, every: int, sizes: list[int]) -> None:
    writer = Writer(steps, every=every)
    for number in (1, 2, 3):
        writer.epoch(number)
    writer.epoch(4, until=1)

    def blocks(data: bytes, shapes: Shapes, cut: bool) -> Any:
        def give() -> Any:
            reader = EventsReader(shapes)
            at = 0
            for size in sizes if cut else ():
                yield reader.feed(data[at : at + size])
                at += size
            yield reader.feed(data[at:])
            yield reader.finish()

        return give

    found = []
    for cut in (False, True):
        shapes = Shapes()
        files = [
            KerasFile(
                Segment(EventFile(part, BytesIO), part, 1, 0.0),
                blocks(getattr(writer, part), shapes, cut),
            )
            for part in ("train", "validation")
        ]
        found.append(flat(keras_chunks(files, shapes.tags.names)))
    assert found[0] == found[1]
    if every == 1:
        known = [(e, s, o or steps, f, v) for e, s, o, f, v in writer.want]
        assert found[0] == known


def test_a_stream_gives_the_same(tmp_path: Path) -> None:
    writer = Writer(400)
    for numbers in ((1, 2), (3, 4)):
        for number in numbers:
            writer.epoch(number)
        writer.put(tmp_path, numbers[0])
    files, own = find_files(str(tmp_path))
    (segments,) = group_runs(files, own).values()
    assert flat(stream_keras(segments)) == writer.want
    sizes = [segment.account.size for segment in segments]
    assert sizes == [(tmp_path / segment.file.name).stat().st_size for segment in segments]


def graph() -> bytes:
    return framed(Event(wall_time=1.0, graph_def=b"graph").SerializeToString())


def test_keras_1_writes_epochs_only(tmp_path: Path) -> None:
    data = version() + graph()
    for epoch in range(3):
        for name in ("val_loss", "loss"):
            data += simple(1.0 + epoch, epoch, name, epoch + len(name))
    (tmp_path / "x.tfevents").write_bytes(data)
    assert flat(keras_events(open_folder(tmp_path)[0])) == [
        (epoch + 1, 0, 0, True, {"val_loss": epoch + 8, "loss": epoch + 4}) for epoch in range(3)
    ]


def test_keras_2_counts_samples(tmp_path: Path) -> None:
    """2.2.3 to 2.3.1 with update_freq: the loss is the batch's own, the accuracy a running mean."""
    data, want, samples = version() + graph(), [], 0
    for epoch in (1, 2, 3):
        for step, size in enumerate((32, 32, 13), 1):
            samples += size
            data += simple(1.0, samples, "loss", step) + simple(1.0, samples, "acc", step / 8)
            want.append((epoch, step, 3, False, {"loss": float(step), "acc": step / 8}))
        for name, value in (("val_loss", 9.0), ("loss", 2.0), ("acc", 0.375)):
            data += simple(2.0, samples, name, value)
        want.append((epoch, 3, 3, True, {"val_loss": 9.0, "loss": 2.0, "acc": 0.375}))
    (tmp_path / "x.tfevents").write_bytes(data)
    chunks = list(keras_events(open_folder(tmp_path)[0]) or ())
    assert flat(chunks) == want
    headers = [event for chunk in chunks for event in chunk.events]
    assert [event.data["batch_values"] for event in headers] == [["loss"]] * 3


@pytest.mark.parametrize(
    "tags", [("train/loss", "test/acc"), ("loss", "acc"), ("Loss/train",), ("a", "val_loss")]
)
def test_what_keras_did_not_write_has_no_updates(tmp_path: Path, tags: tuple[str, ...]) -> None:
    data = version() + b"".join(simple(1.0, i, tag, i) for i in range(50) for tag in tags)
    (tmp_path / "x.tfevents").write_bytes(data)
    (run,) = open_folder(tmp_path)
    assert keras_events(run) is None
    assert run.frame().height == 50 * len(tags)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["batch_loss", "epoch_loss", "epoch_val", "evaluation_a_vs_iterations"]
            ),
            st.one_of(st.integers(-3, 12), st.sampled_from([2**31, 2**62, 2**63 - 1, -(2**63)])),
        ),
        max_size=40,
    )
)
def test_any_steps(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]) -> None:
    folder = tmp_path_factory.mktemp("run")
    data = b"".join(simple(1.0 + i, step, tag, i) for i, (tag, step) in enumerate(rows))
    (folder / "x.tfevents").write_bytes(version() + data)
    (run,) = open_folder(folder)
    assert run.frame().height == len(rows)
    found = flat(keras_events(run) or ())
    assert len([row for row in found if row[3]]) <= len(rows)
    assert all(row[1] >= 0 for row in found)


def test_too_many_fits_are_refused(tmp_path: Path) -> None:
    data = b"".join(simple(1.0, 2 - i % 2, "batch_loss", i) for i in range(5000))
    (tmp_path / "x.tfevents").write_bytes(version() + data)
    (run,) = open_folder(tmp_path)
    with pytest.raises(LimitError, match="fits"):
        keras_events(run)
