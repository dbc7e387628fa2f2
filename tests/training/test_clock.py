"""Made and real epochs -> bounds of time that hold what really happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logparse.lockstep import run_in_step
from logparse.reading.keras_log import KerasLog
from logparse.reading.records import Floats, Form
from logparse.training.clock import Clocked, Times, clock_laws, clocked, solve
from logparse.training.clock_bounds import ANY_LAW, ClockLaw, Laws
from logparse.training.epochs import Epochs
from logparse.training.runs import Runs

NAN = float("nan")
ERAS = {
    "keras-2.0.8": (ClockLaw.BEGIN, Form.BAR),
    "keras-2.3.1": (ClockLaw.BEGIN, Form.BAR_STEP),
    "tf-2.3": (ClockLaw.LATE_BAR, Form.BAR_STEP),
    "tf-2.15": (ClockLaw.SKIP_FIRST, Form.BAR_STEP),
    "keras-3": (ClockLaw.SKIP_FIRST, Form.HEAVY),
}


def per_unit(seconds: float) -> tuple[float, float]:
    """A time a step as Progbar rounds it, and its unit."""
    unit = 1.0 if seconds >= 1 else 1e-3 if seconds >= 1e-3 else 1e-6
    return round(seconds / unit) * unit, unit


def printed(
    era: str, ends: list[Floats], wholes: list[float], *, validated: bool = False
) -> tuple[Epochs, Floats]:
    """What an era's Progbar prints for batches that end at ``ends``, and the true time of rows."""
    law, form = ERAS[era]
    rows: list[dict[str, float]] = []
    starts = [0]
    for batch_ends, whole in zip(ends, wholes, strict=True):
        total, first = len(batch_ends), batch_ends[0]
        zero = first if law == ClockLaw.LATE_BAR else 0.0

        def rate(step: int, now: float, first: float = first, zero: float = zero) -> float:
            if law == ClockLaw.SKIP_FIRST and step > 1:
                return (now - first) / (step - 1)
            return (now - zero) / step

        drawn_last = total if law == ClockLaw.BEGIN else total + 1
        for step in range(1, drawn_last):
            now = batch_ends[step - 1]
            row = {"step": step, "true": now, "form": Form.BAR if form != Form.HEAVY else form}
            row["eta"] = np.floor(rate(step, now) * (total - step))
            if form == Form.HEAVY:
                row["per"], row["unit"] = per_unit(rate(step, now))
            rows.append(row)
        last = {"step": total, "true": whole, "form": form, "final": 1.0, "val": float(validated)}
        shown = np.floor(whole) if form == Form.BAR else np.round(whole - zero)
        last["eta" if form == Form.HEAVY else "elapsed"] = shown
        if form != Form.BAR:
            last["per"], last["unit"] = per_unit(rate(total, whole))
        rows.append(last)
        starts.append(len(rows))
    epochs = made(rows, starts, [len(e) for e in ends])
    return epochs, np.array([row["true"] for row in rows])


def made(rows: list[dict[str, float]], starts: list[int], of: list[int]) -> Epochs:
    """Epochs from rows; what a row lacks is not printed."""

    def column(name: str, default: float = NAN) -> Floats:
        return np.array([row.get(name, default) for row in rows], float)

    steps = column("step", 0).astype(np.int64)
    final = column("final", 0) > 0
    ends = np.array(starts[1:]) - 1
    target = np.array(of, np.int64)
    validated = column("val", 0) > 0
    return Epochs(
        starts=np.array(starts, np.int64),
        epoch=np.arange(1, len(of) + 1),
        of=target,
        total=target,
        complete=final[ends],
        step=steps,
        seen=steps,
        final=final,
        form=column("form", Form.BAR).astype(np.int8),
        eta=column("eta"),
        elapsed=column("elapsed"),
        per_step=column("per"),
        per_step_unit=column("unit"),
        per_epoch=column("per_epoch"),
        per_epoch_unit=column("per_epoch_unit"),
        clock=column("clock"),
        values={"val_loss": np.where(validated, 1.0, NAN)},
        decimals={"val_loss": np.where(validated, 4, 0).astype(np.int8)},
    )


def elapsed(epochs: Epochs, laws: Laws | int) -> Times:
    return solve(epochs, laws)[0]


def some_run(seed: int, epochs: int = 3) -> tuple[list[Floats], list[float], bool]:
    """Batch ends and whole times: slow or fast steps, maybe a slow first one and validation."""
    random = np.random.default_rng(seed)
    total = int(random.choice([2, 3, 7, 20, 120]))
    step, first = 10 ** random.uniform(-3, 1.5), 10 ** random.uniform(-3, 1.5)
    validated = bool(random.random() < 0.5)
    ends, wholes = [], []
    for epoch in range(epochs):
        took = step * random.uniform(0.5, 1.5, total)
        took[0] += first if epoch == 0 else 0.0
        ends.append(np.cumsum(took))
        wholes.append(float(ends[-1][-1]) + (10 ** random.uniform(-1, 1.5) if validated else 0.0))
    return ends, wholes, validated


@given(era=st.sampled_from(sorted(ERAS)), seed=st.integers(0, 10**6))
def test_bounds_hold_the_true_times(era: str, seed: int) -> None:
    ends, wholes, validated = some_run(seed)
    epochs, true = printed(era, ends, wholes, validated=validated)
    laws = clock_laws(epochs)
    assert (laws & ERAS[era][0]).all()
    times = elapsed(epochs, laws)
    assert (times.low <= true + 1e-6).all()
    assert (true <= times.high + 1e-6).all()
    assert (times.low <= times.elapsed).all()
    assert (times.elapsed <= times.high).all()


@given(seed=st.integers(0, 10**6), cut=st.integers(1, 5))
def test_laws_and_times_do_not_depend_on_where_a_run_is_cut(seed: int, cut: int) -> None:
    ends, wholes, validated = some_run(seed, epochs=6)
    whole, _ = printed("tf-2.15", ends, wholes, validated=validated)
    laws = clock_laws(whole)
    head, _ = printed("tf-2.15", ends[:cut], wholes[:cut], validated=validated)
    tail, _ = printed("tf-2.15", ends[cut:], wholes[cut:], validated=validated)
    before = clock_laws(head)
    parts = np.concatenate([before, clock_laws(tail, int(before[-1]))])
    assert parts.tolist() == laws.tolist()
    joined = np.concatenate([elapsed(head, laws[:cut]).low, elapsed(tail, laws[cut:]).low])
    np.testing.assert_allclose(joined, elapsed(whole, laws).low, atol=1e-6)


def test_keras_3_line_by_line() -> None:
    steps = np.array([0.8, 0.9, 1.0, 1.1])
    epochs, _ = printed("keras-3", [steps], [1.6], validated=True)
    times, summary = solve(epochs, clock_laws(epochs))
    # 800ms/step; 100ms/step at 2, 3, 4; then 2s 267ms/step on the last line.
    np.testing.assert_allclose(times.low, [0.7995, 0.899, 0.9985, 1.098, 1.599])
    np.testing.assert_allclose(times.high, [0.8005, 0.901, 1.0015, 1.102, 1.603])
    known = {name: round(float(value[0]), 3) for name, value in summary.items()}
    assert known == {
        "seconds": 1.601,
        "seconds_low": 1.599,
        "seconds_high": 1.603,
        "step_seconds": 0.1,
        "first_step_seconds": 0.8,
        "validation_seconds": 0.501,
        "late_step_seconds": 0.1,
    }


def test_seconds_are_truncated_before_keras_2_0_9_and_rounded_since() -> None:
    forms = [Form.BAR, Form.BAR_STEP, Form.QUIET, Form.QUIET_COUNT]
    rows = [{"step": 0.0, "final": 1.0, "elapsed": 7.0, "form": form} for form in forms]
    epochs = made(rows, [0, 1, 2, 3, 4], [10] * 4)
    times = elapsed(epochs, int(ClockLaw.BEGIN))
    assert times.low.tolist() == [7.0, 6.5, 6.5, 6.5]
    assert times.high.tolist() == [8.0, 7.5, 8.0, 7.5]


def test_a_late_bar_has_no_bound_from_above() -> None:
    epochs, _ = printed("tf-2.3", [np.array([30.0, 31.0, 32.0])], [32.0])
    times = elapsed(epochs, int(ClockLaw.LATE_BAR))
    assert np.isinf(times.high).all()
    assert times.low[-1] == pytest.approx(3 * 0.6665)
    assert np.isnan(solve(epochs, int(ClockLaw.LATE_BAR))[1]["first_step_seconds"]).all()


@pytest.mark.parametrize("era", ["keras-2.0.8", "keras-2.3.1", "tf-2.15", "keras-3"])
def test_a_slow_first_step_proves_the_law(era: str) -> None:
    ends = np.concatenate([[9.0], 9.0 + 0.6 * np.arange(1, 20)])
    epochs, _ = printed(era, [ends], [float(ends[-1])])
    assert clock_laws(epochs).tolist() == [ERAS[era][0]]


def test_only_last_lines_leave_all_laws_possible() -> None:
    row = {"step": 20.0, "final": 1.0, "elapsed": 2.0, "per": 0.1, "unit": 1e-3}
    epochs = made([row | {"form": Form.BAR_STEP}], [0, 1], [20])
    assert clock_laws(epochs).tolist() == [ANY_LAW]
    assert clock_laws(epochs, int(ClockLaw.BEGIN)).tolist() == [ClockLaw.BEGIN]
    times = elapsed(epochs, int(ANY_LAW))
    assert times.low.tolist() == pytest.approx([0.0995 * 19])
    assert np.isinf(times.high).all()


@pytest.mark.parametrize("era", ["keras-2.3.1", "keras-3", "tf-2.15"])
def test_a_damaged_digit_spoils_its_own_epoch_only(era: str) -> None:
    ends = [0.5 * np.arange(1.0, 21.0)] * 3
    epochs, true = printed(era, ends, [10.0] * 3)
    laws = clock_laws(epochs)
    good = elapsed(epochs, laws)
    hit = int(epochs.starts[1]) + 9
    epochs.eta[hit] = 9_000.0
    bad = elapsed(epochs, laws)
    other = np.repeat([True, False, True], np.diff(epochs.starts))
    np.testing.assert_allclose(bad.low[other], good.low[other], atol=1e-6)
    np.testing.assert_allclose(bad.high[other], good.high[other], atol=1e-6)
    rest = ~other
    rest[hit] = False
    assert (bad.low[rest] <= true[rest] + 1e-6).all()
    assert (true[rest] <= bad.high[rest] + 1e-6).all()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_several_logs_are_timed_as_one_bit_for_bit(seed: int) -> None:
    """Of all eras, some damaged, some with stamps, some without a time."""
    random = np.random.default_rng(seed)
    logs = [made([{"step": 1.0}, {"step": 2.0}], [0, 2], [2])]
    for era in ERAS:
        ends, wholes, validated = some_run(int(random.integers(10**6)))
        epochs, true = printed(era, ends, wholes, validated=validated)
        if random.random() < 0.5:
            epochs.eta[random.integers(len(epochs.eta))] = 9_000.0
        if random.random() < 0.3:
            epochs.clock = np.floor((1.7e9 + true) * 1000) / 1000
        logs.append(epochs)

    def told(epochs: Epochs) -> Clocked:
        return clocked(epochs, int(ANY_LAW), "updates", alone=seed % 2 == 0)

    for one, other in zip(map(told, logs), run_in_step(told, logs), strict=True):
        assert isinstance(other, Clocked), other
        np.testing.assert_array_equal(one.laws, other.laws)
        np.testing.assert_array_equal(one.times, other.times)
        np.testing.assert_array_equal(list(one.summary.values()), list(other.summary.values()))


def test_timestamps_narrow_the_bounds() -> None:
    ends = [np.linspace(3.0, 60.0, 20)] * 2
    epochs, true = printed("keras-2.3.1", ends, [60.0] * 2)
    without = elapsed(epochs, int(ClockLaw.BEGIN))
    begun = 1_700_000_000.123 + 61.0 * np.repeat([0, 1], np.diff(epochs.starts))
    epochs.clock = np.floor((begun + true) * 1000) / 1000
    times = elapsed(epochs, int(ClockLaw.BEGIN))
    assert ((times.low <= true + 1e-6) & (true <= times.high + 1e-6)).all()
    width, before = times.high - times.low, without.high - without.low
    assert (width <= before + 1e-6).all()
    assert width.max() < 0.6 * before.max()


def test_stamps_that_contradict_the_bar_are_left_out() -> None:
    epochs, _ = printed("keras-2.3.1", [np.linspace(3.0, 60.0, 20)], [60.0])
    without = elapsed(epochs, int(ClockLaw.BEGIN))
    epochs.clock = 1.7e9 + 100.0 * epochs.step
    times = elapsed(epochs, int(ClockLaw.BEGIN))
    assert (times.low == without.low).all()
    assert (times.high == without.high).all()


def test_an_epoch_without_times_is_unknown() -> None:
    epochs = made([{"step": 1.0}, {"step": 2.0}], [0, 2], [2])
    times, summary = solve(epochs, int(ANY_LAW))
    assert np.isnan(np.concatenate(times)).all()
    assert np.isnan(np.concatenate(list(summary.values()))).all()


def truth(path: Path) -> list[tuple[dict[int, float], float]]:
    """End of each batch and of the epoch, in seconds since the epoch began."""
    found: list[tuple[dict[int, float], float]] = []
    begun, steps = 0.0, dict[int, float]()
    for line in path.read_text().splitlines()[1:]:
        row = json.loads(line)
        if row["ev"] == "epoch_begin":
            begun, steps = row["t"], {}
        elif row["ev"] == "batch":
            steps[row["step"]] = row["t"] - begun
        elif row["ev"] == "epoch_end":
            found.append((steps, row["t"] - begun))
    return found


def closed_epochs(path: Path) -> Iterator[Epochs]:
    """The epochs that the reader finds in a log, without the rest of the analysis."""
    reader, runs = KerasLog(), Runs()
    for chunk in (reader.feed(path.read_bytes()), reader.finish()):
        yield from (batch.epochs for batch in runs.feed(chunk))
    yield from (batch.epochs for batch in runs.finish())


STAMPING = 0.005
"""Seconds between the end of a batch and its stamp in the truth, which a callback took."""


def test_every_step_of_real_logs_lies_within_its_bounds(shared_logs: Path) -> None:
    """Without exception: a batch ended after the update before it was drawn, and before its own."""
    outside, rows = [], 0
    for path in sorted(shared_logs.glob("eras/*/*.log")):
        true = iter(truth(path.with_suffix(".truth.jsonl")))
        known = int(ANY_LAW)
        for epochs in closed_epochs(path):
            laws = clock_laws(epochs, known)
            known = int(laws[-1])
            times = elapsed(epochs, laws)
            for i in range(len(epochs)):
                steps, whole = next(true)
                before = 0.0
                for row in range(epochs.starts[i], epochs.starts[i + 1]):
                    step, final = int(epochs.step[row]), epochs.final[row]
                    time = whole if final else steps[step]
                    # Drawn before the next batch ended.
                    later = np.inf if final else steps.get(step + 1, whole)
                    low, high = times.low[row], times.high[row]
                    rows += 1
                    if not (before <= time <= high + STAMPING and low <= later):
                        outside.append((path.parent.name, path.name, i + 1, step, time))
                    before = low
                column = times.elapsed[epochs.starts[i] : epochs.starts[i + 1]]
                assert (np.diff(column[np.isfinite(column)]) >= -1e-9).all(), (path, i)
        assert next(true, None) is None, path
    assert outside == []
    assert rows > 10_000
