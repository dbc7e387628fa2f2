"""A file a fit of one epoch: an outer loop where it goes on, else trainings of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_keras_events import Writer

import logparse

ONE_PROCESS = ("1.host.a.77.0.v2", "2.host.a.77.2.v2", "3.host.a.77.4.v2")


def run_of(folder: Path, names: tuple[str, ...], *, validate: bool, again: bool) -> Path:
    """Fits of one epoch; with ``again`` each trains a new network, whose optimizer counts anew."""
    for index, name in enumerate(names):
        writer = Writer(6, validate=validate)
        writer.clock += 100 * index
        writer.iterations = 0 if again else 6 * index
        writer.epoch(1)
        writer.put(folder, index)
        for part in ("train", "validation"):
            path = folder / part / f"events.out.tfevents.{index}.v2"
            path.rename(path.with_name(f"events.out.tfevents.{name}"))
    return folder


@pytest.mark.parametrize(
    ("names", "validate", "again", "runs"),
    [
        (ONE_PROCESS, False, False, 1),
        (ONE_PROCESS, True, False, 1),
        (ONE_PROCESS, True, True, 3),
        (("1.host.77.0.v2", "2.host.78.0.v2", "3.host.79.0.v2"), False, False, 3),
        (("1.host.77.0.v2", "2.host.78.0.v2", "3.host.79.0.v2"), True, False, 1),
        (("1.host.77.0.v2", "2.other.77.2.v2", "3.host.77.4.v2"), False, False, 3),
        (("1.host.77.0.v2", "2.host.77.1.v2", "3.host.78.0.v2"), False, False, 2),
        (("1.host", "2.host", "3.host"), False, False, 3),
    ],
)
def test_an_outer_loop_is_one_run(
    tmp_path: Path, names: tuple[str, ...], validate: bool, again: bool, runs: int
) -> None:
    found = logparse.analyze(run_of(tmp_path, names, validate=validate, again=again))
    assert found.runs.height == runs
    assert found.epochs["steps"].to_list() == [6, 6, 6]
    if runs == 1:
        assert found.epochs["epoch"].to_list() == [1, 2, 3]
    assert logparse.analyze(tmp_path, restarts="segment").runs.height == 3


def test_the_last_epoch_of_a_loop_may_be_under_way(tmp_path: Path) -> None:
    run_of(tmp_path, ONE_PROCESS, validate=False, again=False)
    last = tmp_path / "train" / f"events.out.tfevents.{ONE_PROCESS[2]}"
    last.write_bytes(last.read_bytes()[:-250])
    epochs = logparse.analyze(tmp_path).epochs
    assert epochs.select("run", "epoch", "complete").rows() == [
        (1, 1, True),
        (1, 2, True),
        (1, 3, False),
    ]


def test_fits_of_several_epochs_are_runs_of_their_own(tmp_path: Path) -> None:
    for index in range(2):
        writer = Writer(6)
        writer.clock += 100 * index
        writer.iterations = 12 * index
        writer.epoch(1)
        writer.epoch(2)
        writer.put(tmp_path, index)
    assert logparse.analyze(tmp_path).runs.height == 2
