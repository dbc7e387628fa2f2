"""Made step times with a known answer -> what of them is kept."""

from __future__ import annotations

import io

import numpy as np
import pytest

import logparse
from logparse.reading.records import Floats
from logparse.training import step_times as training_step_times
from logparse.training.clock_bounds import ANY_LAW
from logparse.training.epochs import Epochs, joined
from logparse.training.step_times import KEPT, StepSample, StepTimes, step_times
from tests.training.test_clock import made


def epochs_of(*durations: Floats, stamped: bool = True) -> Epochs:
    """Epochs whose batches took these times, each stamped when it ended."""
    rows: list[dict[str, float]] = []
    starts = [0]
    now = 1.7e9 + 0.123
    for seconds in durations:
        for step, took in enumerate(seconds, 1):
            now += took
            rows.append({"step": step, "clock": now if stamped else np.nan})
        starts.append(len(rows))
    return made(rows, starts, [len(seconds) for seconds in durations])


def flat(n: int, noise: float = 0.05, seed: int = 0) -> Floats:
    return np.asarray(0.1 * (1 + noise * np.random.default_rng(seed).standard_normal(n)))


def looked(seconds: Floats) -> StepTimes:
    (found,) = step_times(epochs_of(seconds), ANY_LAW)
    assert found is not None
    return found


def test_flat_steps() -> None:
    found = looked(flat(200))
    assert (found.epoch, found.n, found.slow, found.period) == (1, 196, 0, 0)
    assert found.median == pytest.approx(0.1, rel=0.02)
    assert 0.09 < found.low < found.median < found.high < 0.11


def test_every_fourth_step_slow() -> None:
    seconds = flat(200)
    seconds[1::4] *= 4
    found = looked(seconds)
    assert (found.period, found.slow) == (4, 49)
    assert found.slow_median == pytest.approx(0.4, rel=0.05)


def test_slow_steps_in_no_step_with_anything() -> None:
    random = np.random.default_rng(3)
    seconds = flat(300)
    seconds[random.random(300) < 0.2] *= 5
    found = looked(seconds)
    assert 40 < found.slow < 80
    assert (found.period, found.between) == (0, 0)


def test_a_long_tail_is_not_two_kinds() -> None:
    seconds = np.random.default_rng(5).lognormal(-2.3, 0.8, 400)
    found = looked(seconds)
    assert found.slow == 0 or found.between > 0.2 * found.slow


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_flat_steps_are_seldom_called_slow(noise: float) -> None:
    found = [looked(flat(200, noise, seed)) for seed in range(200)]
    assert sum(one.slow > 0.05 * one.n or one.period > 0 for one in found) <= 2


def test_too_few_or_unknown_steps_tell_nothing() -> None:
    assert step_times(epochs_of(flat(40)), ANY_LAW) == [None]
    assert step_times(epochs_of(flat(200), stamped=False), ANY_LAW) == [None]


def test_the_same_epochs_however_a_run_comes() -> None:
    parts = [epochs_of(flat(50, seed=i)) for i in range(70)]
    for i, part in enumerate(parts):
        part.epoch[:] = i + 1
    whole = StepSample()
    whole.look(joined(parts), ANY_LAW)
    pieces = StepSample()
    for part in parts:
        pieces.look(part, ANY_LAW)
    assert pieces.found == whole.found
    assert [place for place, _ in whole.found] == list(range(0, 70, 8))
    assert len(whole.found) <= KEPT


def test_few_epochs_are_looked_at_also_where_none_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def nothing(epochs: Epochs, laws: int) -> list[None]:
        tried.extend(epochs.epoch.tolist())
        return [None] * len(epochs)

    monkeypatch.setattr(training_step_times, "step_times", nothing)
    sample, part = StepSample(), epochs_of(flat(50))
    for _ in range(1000):
        sample.look(part, ANY_LAW)
    assert KEPT < len(tried) <= KEPT * (1 + np.log2(1000 / KEPT) / 2) + KEPT
    assert sample.found == []


def test_times_left_of_long_steps_tell_them_too() -> None:
    lines = ["Epoch 1/2"]
    now = 0.0
    for step in range(1, 200):
        now += 40.0 if step % 4 else 160.0
        left = int(now / step * (200 - step))
        bar = ("=" * (step * 30 // 200)).ljust(30, ".")
        lines.append(f"{step:3d}/200 [{bar}] - ETA: {left}s - loss: 1.0000 - acc: 0.5000")
    # A last line without a time a step is of Keras up to 2.0.8: that settles the clock.
    lines.append(f"200/200 [{'=' * 30}] - {int(now) + 160}s - loss: 1.0000 - acc: 0.5000")
    times = logparse.analyze(io.BytesIO("\n".join(lines).encode())).step_times
    (row,) = times.iter_rows(named=True)
    assert (row["epoch"], row["period"], row["slow_median"]) == (1, 4, pytest.approx(160, rel=0.1))
