"""Updates and events in, runs and epochs out."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.checks import some_cuts, tables

SAMPLES = sorted((Path(__file__).parent.parent.parent / "sample_logs").rglob("*.log"))
FULL = "[" + "=" * 30 + "]"
HEAVY = "━" * 20


def old(step: int, of: int, shown: str) -> str:
    """A line of Keras 2: the last one if the counter is full."""
    if step < of:
        return f"{step}/{of} [=>............................] - ETA: 1s - {shown}\n"
    return f"{step}/{of} {FULL} - 1s 2ms/step - {shown}\n"


def new(step: int, of: int, shown: str) -> str:
    """A line of Keras 3."""
    return f"{step}/{of} {HEAVY} 1s 2ms/step - {shown}\n"


def epochs(log: str) -> list[tuple[Any, ...]]:
    """(run, epoch, label, steps, updates, complete) of every epoch; the same line by line."""
    data = log.encode()
    found = tables(data)
    ends = [m.end() for m in re.finditer(rb"\n", data)]
    for cuts in (ends, range(1, len(data), 11)):
        check_same(found, tables(data, cuts))
    return found["epochs"].select("run", "epoch", "label", "steps", "updates", "complete").rows()


def check_same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    assert one.keys() == other.keys()
    for name, table in one.items():
        # Sums over epochs are rounded differently in batches of other sizes.
        assert_frame_equal(table, other[name], rel_tol=1e-9, abs_tol=1e-9)


def kinds(log: str) -> list[tuple[Any, ...]]:
    return tables(log.encode())["messages"].select("run", "epoch", "kind", "text").rows()


def test_one_fit() -> None:
    log = "Epoch 1/2\n" + old(1, 2, "loss: 0.5000") + old(2, 2, "loss: 0.4000")
    log += "Epoch 2/2\n" + old(2, 2, "loss: 0.3000")
    assert epochs(log) == [(1, 1, "1/2", 2, 2, True), (1, 2, "2/2", 2, 1, True)]


def test_two_fits() -> None:
    fit = "Epoch 1/2\n" + old(2, 2, "loss: 0.5000") + "Epoch 2/2\n" + old(2, 2, "loss: 0.4000")
    assert [row[:3] for row in epochs(fit * 2)] == [
        (1, 1, "1/2"), (1, 2, "2/2"), (2, 1, "1/2"), (2, 2, "2/2"),
    ]  # fmt: skip


def test_an_outer_loop_of_fits_is_one_run() -> None:
    log = ("Epoch 1/1\n" + old(1, 2, "loss: 0.5000") + old(2, 2, "loss: 0.4000")) * 3
    assert epochs(log) == [(1, i, "1/1", 2, 2, True) for i in (1, 2, 3)]


def test_an_outer_loop_without_headers_is_one_run() -> None:
    """TF 2.2 on and Keras 3 print none for one epoch."""
    log = (new(1, 3, "loss: 0.9000") + new(3, 3, "loss: 0.7000") + new(3, 3, "loss: 0.6000")) * 3
    assert epochs(log) == [(1, i, None, 3, 3, True) for i in (1, 2, 3)]


def test_a_resumed_training_keeps_its_numbers() -> None:
    log = "Epoch 4/6\n" + old(2, 2, "loss: 0.5000") + "Epoch 5/6\n" + old(2, 2, "loss: 0.4000")
    assert [row[:3] for row in epochs(log)] == [(1, 4, "4/6"), (1, 5, "5/6")]


def test_epochs_may_be_missing() -> None:
    log = "".join(f"Epoch {i}/9\n" + old(2, 2, "loss: 0.5000") for i in (1, 2, 7, 8))
    assert [row[:2] for row in epochs(log)] == [(1, 1), (1, 2), (1, 7), (1, 8)]


def test_a_head_that_was_cut() -> None:
    log = old(2, 2, "loss: 0.5000") + "Epoch 53/60\n" + old(2, 2, "loss: 0.4000")
    assert epochs(log) == [(1, 52, None, 2, 1, True), (1, 53, "53/60", 2, 1, True)]


def test_headers_alone() -> None:
    assert epochs("Epoch 1/3\nEpoch 2/3\n") == [
        (1, 1, "1/3", 0, 0, False), (1, 2, "2/3", 0, 0, False),
    ]  # fmt: skip


def test_a_header_at_the_end() -> None:
    log = "Epoch 1/2\n" + old(2, 2, "loss: 0.5000") + "Epoch 2/2\n"
    assert epochs(log) == [(1, 1, "1/2", 2, 1, True), (1, 2, "2/2", 0, 0, False)]


def test_a_log_that_ends_inside_an_epoch() -> None:
    log = "Epoch 1/2\n" + old(1, 3, "loss: 0.5000") + old(2, 3, "loss: 0.4000")
    assert epochs(log) == [(1, 1, "1/2", 2, 2, False)]


def test_interrupted_and_run_again() -> None:
    log = "Epoch 1/2\n" + old(2, 3, "loss: 0.5000") + "KeyboardInterrupt\n"
    log += "Epoch 1/2\n" + old(1, 3, "loss: 0.6000") + old(3, 3, "loss: 0.4000")
    assert [(run, epoch, complete) for run, epoch, _, _, _, complete in epochs(log)] == [
        (1, 1, False), (2, 1, True),
    ]  # fmt: skip
    assert (1, 1, "interrupted", "KeyboardInterrupt") in kinds(log)


def test_evaluate_and_predict_after_a_fit() -> None:
    log = "Epoch 1/2\n" + old(2, 2, "loss: 0.5000 - val_loss: 0.6000") + "Epoch 2/2\n"
    log += old(2, 2, "loss: 0.4000 - val_loss: 0.6000") + old(7, 7, "loss: 0.7000")
    log += f"9/9 {FULL} - 0s 1ms/step\n"
    assert [row[:2] for row in epochs(log)] == [(1, 1), (1, 2)]
    assert kinds(log) == [
        (1, 2, "evaluation", "7/7 - loss: 0.7000"), (1, 2, "other bar", "9/9"),
    ]  # fmt: skip


def test_predict_bars_inside_an_epoch() -> None:
    """A callback that predicts draws a bar between the epoch's last update and its last line."""
    log = "Epoch 1/2\n" + old(1, 2, "loss: 0.5000") + f"1/9 {FULL} - ETA: 0s\n"
    log += f"9/9 {FULL} - 0s 1ms/step\n" + old(2, 2, "loss: 0.4000 - val_loss: 0.5000")
    assert epochs(log) == [(1, 1, "1/2", 2, 2, True)]
    assert [kind for _, _, kind, _ in kinds(log)] == ["other bar"]


def test_only_evaluate_bars() -> None:
    found = tables((old(7, 7, "loss: 0.7000") * 3).encode())
    assert found["updates"].height == 3
    assert found["epochs"]["complete"].all()


def test_pairs_of_keras_3() -> None:
    """Step N is shown twice: the second line is the epoch's last."""
    pair = new(3, 3, "loss: 0.5000") + new(3, 3, "loss: 0.4000 - val_loss: 0.6000")
    log = "".join(f"Epoch {i}/3\n" + new(1, 3, "loss: 0.9000") + pair for i in (1, 2, 3))
    assert epochs(log) == [(1, i, f"{i}/3", 3, 3, True) for i in (1, 2, 3)]
    finals = tables(log.encode())["updates"].filter("final")
    assert finals["loss"].to_list() == [0.4] * 3


def test_pairs_restart_at_headers() -> None:
    """One step an epoch, and the first line of the log is the second of its pair."""
    log = new(1, 1, "loss: 0.9000 - val_loss: 0.8000")
    for i in range(2, 6):
        log += f"Epoch {i}/6\n" + new(1, 1, "loss: 0.5000")
        log += new(1, 1, "loss: 0.4000 - val_loss: 0.6000")
    want = [(1, 1, None, 1, 1, True)] + [(1, i, f"{i}/6", 1, 2, True) for i in range(2, 6)]
    assert epochs(log) == want


def test_two_workers() -> None:
    """Each worker's lines are a run of their own, also where they are interleaved."""
    fit = "".join(
        f"Epoch {i}/2\n" + old(1, 3, f"loss: 0.{i}500") + old(3, 3, f"loss: 0.{i}000")
        for i in (1, 2)
    )
    lines = fit.splitlines(keepends=True)
    log = "".join(f"[1,{rank}]<stdout>:{line}" for line in lines for rank in (1, 0))
    want = [(run, i, f"{i}/2", 3, 2, True) for run in (1, 2) for i in (1, 2)]
    assert epochs(log) == want
    runs = tables(log.encode())["runs"]
    assert runs["channel"].to_list() == ["[1,1]<stdout>:", "[1,0]<stdout>:"]
    assert runs["first_line"].to_list() == [1, 2]


def test_messages_belong_to_their_epoch() -> None:
    log = "Epoch 1/2\n" + old(2, 3, "loss: 0.5000")
    log += "Epoch 00001: saving model to m.h5\n" + old(3, 3, "loss: 0.4000")
    log += "\nEpoch 00002: LearningRateScheduler setting learning rate to 0.01.\nEpoch 2/2\n"
    log += old(3, 3, "loss: 0.3000") + "Epoch 00002: early stopping\n"
    assert [(epoch, kind) for _, epoch, kind, _ in kinds(log)] == [
        (1, "checkpoint"), (2, "schedule"), (2, "early stopping"),
    ]  # fmt: skip


def test_samples_become_steps() -> None:
    log = "Train on 100 samples, validate on 20 samples\nEpoch 1/1\n"
    log += "".join(old(n, 100, "loss: 0.5000") for n in (32, 64, 96, 100))
    found = tables(log.encode())
    assert found["updates"].select("step", "of", "samples", "final").rows() == [
        (1, 4, 32, False), (2, 4, 64, False), (3, 4, 96, False), (4, 4, 100, True),
    ]  # fmt: skip
    assert found["runs"].select("batch_size", "samples", "steps_per_epoch").row(0) == (32, 100, 4)


def test_unknown_length_is_known_at_the_end() -> None:
    lines = [f"      {n}/Unknown - 0s 50ms/step - loss: 0.5000\n" for n in (1, 2, 3)]
    log = "Epoch 1/2\n" + "".join(lines) + old(3, 3, "loss: 0.4000")
    log += "Epoch 2/2\n" + old(1, 3, "loss: 0.4000") + old(3, 3, "loss: 0.3000")
    assert epochs(log) == [(1, 1, "1/2", 3, 4, True), (1, 2, "2/2", 3, 2, True)]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_samples_in_pieces(path: Path) -> None:
    data = path.read_bytes()
    rng = random.Random(5)
    check_same(tables(data), tables(data, some_cuts(rng, len(data), 12)))


def test_a_sample_line_by_line(sample_logs: Path) -> None:
    data = (sample_logs / "tf-2.3.4/messages.log").read_bytes()
    check_same(tables(data), tables(data, [m.end() for m in re.finditer(rb"[\n\r]", data)]))
