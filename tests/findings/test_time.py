"""Made epoch times with a known answer, and real logs -> findings about time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import logparse
from logparse.findings import changes
from logparse.findings.changes import find_changes
from logparse.findings.durations import period_of
from logparse.findings.outliers import find_slow
from logparse.findings.registry import Finding, Tables, find, load
from logparse.findings.unjudged import TIMED, unjudged
from logparse.reading.records import Floats
from logparse.tables import frame, schema
from tests.made import checked

CODES = ["LP201", "LP202", "LP203", "LP204", "LP205", "LP206", "LP207"]


def tables(seconds: Floats, half: float = 0.0, **columns: Floats | list[float]) -> Tables:
    """Tables of one run whose epochs took ``seconds``, known to +- ``half``."""
    n = len(seconds)
    made: dict[str, object] = {name: [None] * n for name in schema("epochs")}
    made |= {"run": [1] * n, "epoch": range(1, n + 1), "steps": [100] * n, "of": [100] * n}
    made |= {"complete": [True] * n, "first_line": range(n), "last_line": range(10, n + 10)}
    made |= {"updates": [1] * n, "seconds": seconds, **columns}
    made |= {"seconds_low": seconds - half, "seconds_high": seconds + half}
    return of_epochs(frame("epochs", made))


def of_epochs(epochs: pl.DataFrame) -> Tables:
    """Tables of one run of which only the epochs are known."""
    none = {name: pl.DataFrame(schema=schema(name)) for name in Tables.__dataclass_fields__}
    runs = pl.DataFrame({"run": [1], "reader": ["keras"]})
    return Tables(**(none | {"runs": runs, "epochs": epochs}))


def found(made: Tables) -> list[Finding]:
    return checked(made, CODES)


def named(made: Tables) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.epoch) for finding in found(made)]


def test_a_slow_epoch_in_full() -> None:
    seconds = np.array([100.0, 101, 99, 100, 102, 98, 100, 101, 150, 100])
    (finding,) = found(tables(seconds, 0.5))
    assert finding == Finding(
        code="LP201",
        severity="warning",
        message=(
            "Epoch 9 took 150 s, 50 % longer than the 100 s of the epochs it is compared with "
            "(50 s lost)."
        ),
        advice=(
            "Look at what the machine did then: other jobs, network storage, a checkpoint or a "
            "longer validation in this epoch."
        ),
        run=1,
        epoch=9,
        line=18,
        value=150.0,
        baseline=100.0,
        threshold=finding.threshold,
        n=9,
    )
    assert finding.threshold is not None
    assert 115 < finding.threshold < 135


def test_where_a_slow_epoch_lost_its_time() -> None:
    seconds = np.array([100.0, 101, 99, 100, 102, 98, 100, 101, 150, 100])
    first = np.where(seconds == 150, 51.0, 1.0)
    (finding,) = found(tables(seconds, first_step_seconds=first))
    assert finding.message.endswith("(50 s lost), almost all of it in its first step.")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"first_step_seconds": [61.0] + [1.0] * 7}, "its first step took 60 s of it"),
        (
            {"step_seconds": [1.6] + [1.0] * 7},
            "its steps were slow (59 s in all; 1.6 s each, 1 s later), not its first",
        ),
        ({"validation_seconds": [70.0] + [5.0] * 7}, "its validation took 65 s of it"),
        ({}, "the log does not tell in which part"),
    ],
)
def test_the_cause_of_a_slow_first_epoch(columns: dict[str, list[float]], words: str) -> None:
    seconds = np.array([160.0, 100, 101, 99, 100, 101, 100, 99])
    (finding,) = found(tables(seconds, **columns))
    assert (finding.code, finding.epoch, finding.n) == ("LP202", 1, 7)
    assert "Epoch 1 took 160 s, 60 % longer than the 100 s of later ones (60 s lost)" in (
        finding.message
    )
    assert words in finding.message


@pytest.mark.parametrize(("late", "words"), [(1.05, "slow at first"), (1.6, "all its steps")])
def test_a_first_epoch_that_recovers(late: float, words: str) -> None:
    seconds = np.array([160.0, 100, 101, 99, 100, 101, 100, 99])
    steps, halves = [1.6] + [1.0] * 7, [late] + [1.0] * 7
    made = tables(seconds, step_seconds=steps, late_step_seconds=halves)
    assert words in found(made)[0].message


def test_rounding_is_part_of_the_noise() -> None:
    seconds = np.array([1.0, 1, 1, 1, 1, 2, 1, 1])
    assert named(tables(seconds, 0.5)) == []
    assert named(tables(100 * seconds, 0.5)) == [("LP201", 6)]


def test_too_few_epochs_are_not_judged_and_the_reason_is_given() -> None:
    made = tables(np.array([90.0, 10, 10]))
    assert named(made) == []
    assert ("LP202", 1, "2 complete epochs after the first, 3 needed") in unjudged(made)
    assert ("LP201", 1, "2 complete epochs of the same length, 3 needed") in unjudged(made)
    assert {code for code, _, _ in unjudged(made)} >= {*TIMED, "LP207"}


def test_the_first_epoch_tells_how_much_epochs_differ_if_it_is_like_them() -> None:
    assert named(tables(np.array([100.0, 101, 160, 99]))) == [("LP201", 3)]
    assert named(tables(np.array([145.0, 101, 160, 99]))) == []


def test_of_three_epochs_one_is_slow_only_if_the_others_are_all_but_the_same() -> None:
    assert named(tables(np.array([100.0, 101, 150]))) == [("LP201", 3)]
    assert named(tables(np.array([100.0, 103, 150]))) == []
    # Whole seconds that are the same may differ by one.
    assert named(tables(np.array([10.0, 10, 16]), 0.5)) == []
    assert named(tables(np.array([100.0, 100, 160]), 0.5)) == [("LP201", 3)]


def test_an_epoch_that_another_hides_is_found() -> None:
    seconds = np.array([640.0, 104, 97, 100, 130, 300, 95, 103])
    assert named(tables(seconds)) == [("LP201", 6), ("LP202", 1)]
    # Two hide it; one of them may be as far off.
    seconds = np.append(seconds, 125.0)
    assert named(tables(seconds)) == [("LP201", 6), ("LP202", 1)]
    seconds[4] = 220
    assert named(tables(seconds)) == [("LP201", 5), ("LP201", 6), ("LP202", 1)]


def test_the_slowest_epoch_of_a_level_hides_behind_none() -> None:
    for level in ((205, 195, 190), (205, 210, 230), (150, 180, 230)):
        seconds = np.array([100.0, 101, 99, 100, 98, *level])
        assert named(tables(seconds)) == []


def test_a_change_of_level_is_no_list_of_slow_epochs() -> None:
    seconds = np.concatenate([np.full(15, 100.0), np.full(15, 130.0)]) + np.arange(30) % 3
    assert named(tables(seconds)) == [("LP203", 16)]


def test_a_slow_stretch_in_the_middle_is_two_changes_of_level() -> None:
    seconds = 100.0 + np.arange(40) % 3
    seconds[15:25] += 30
    assert named(tables(seconds)) == [("LP203", 16), ("LP203", 26)]


def test_levels_are_found_in_long_runs_at_the_right_epoch() -> None:
    random = np.random.default_rng(4)
    seconds = 100 * (1 + 0.02 * random.standard_normal(9000))
    seconds[4321:] *= 1.2
    (change,) = find_changes(seconds, np.full(9000, 0.5), 1.0)
    assert (change.kind, change.at) == ("level", 4321)


def test_a_drift_is_no_list_of_slow_epochs() -> None:
    seconds = np.linspace(100, 200, 60) + np.arange(60) % 3
    assert named(tables(seconds)) == [("LP204", None)]


def test_a_period_is_one_finding() -> None:
    seconds = 100.0 + np.arange(41) % 3
    seconds[5::5] += 60
    assert named(tables(seconds)) == [("LP205", 6)]


def test_validation_that_dominates() -> None:
    (finding,) = found(tables(np.full(4, 100.0), validation_seconds=np.full(4, 70.0)))
    assert finding.message == "Validation takes 70 s of an epoch's 100 s: 70 % of the time."


def stamped(gaps: Floats, seconds: float = 20.0) -> Tables:
    """Epochs of ``seconds`` with ``gaps`` after them, their headers stamped."""
    n = len(gaps) + 1
    began = 1.7e9 + np.concatenate([[0.0], np.cumsum(gaps + seconds)])
    return tables(np.full(n, seconds), 0.5, began=began)


def test_gaps_between_epochs() -> None:
    (finding,) = found(stamped(np.full(4, 5.25)))
    assert (finding.code, finding.n, finding.epoch) == ("LP207", 4, None)
    assert finding.message == (
        "Between epochs 5.2 s pass each time, beside the 20 s of an epoch: 21 % of the time, 21 s "
        "in all."
    )


def test_gaps_between_epochs_of_events() -> None:
    made = stamped(np.full(4, 5.25))
    ended = made.epochs["began"].cast(float) + 20.0
    tables = of_epochs(made.epochs.with_columns(ended=ended, seconds_high=pl.col("seconds") + 6))
    events = tables.runs.with_columns(reader=pl.lit("tfevents"))
    parts = {name: getattr(tables, name) for name in Tables.__dataclass_fields__}
    (finding,) = found(Tables(**(parts | {"runs": events})))
    assert finding.message.startswith("Between epochs, or in a slow first step, 5.2 s pass each")


def test_one_long_gap() -> None:
    gaps = np.full(8, 0.25)
    gaps[4] = 3600
    (finding,) = found(stamped(gaps))
    assert (finding.code, finding.epoch) == ("LP207", 5)
    assert finding.message == (
        "Between epochs 5 and 6 60 min passed, against 380 ms between others."
    )


def test_what_is_no_gap() -> None:
    assert named(stamped(np.full(2, 5.25))) == []  # too few
    assert named(stamped(np.full(6, 1.25))) == []  # the rounding of 20 s may hide it
    assert named(stamped(np.full(6, -30.25))) == []  # a clock that contradicts the bar
    coarse = stamped(np.full(6, 5.0))  # stamps of whole minutes
    epochs = coarse.epochs.with_columns(began=(pl.col("began") // 60) * 60)
    assert named(of_epochs(epochs)) == []


def test_incomplete_and_shorter_epochs_are_left_out() -> None:
    made = tables(np.array([100.0, 101, 99, 100, 102, 98, 100, 500, 900]))
    epochs = made.epochs.with_columns(
        of=pl.when(pl.col("epoch") == 8).then(7).otherwise(pl.col("of")),
        complete=pl.col("epoch") != 9,
    )
    made = of_epochs(epochs)
    assert named(made) == []


def test_an_epoch_without_an_upper_bound_is_judged() -> None:
    made = tables(np.array([100.0, 101, 99, 100, 102, 98, 160, 100]), 0.5)
    epochs = made.epochs.with_columns(seconds_high=pl.lit(None, pl.Float64))
    assert named(of_epochs(epochs)) == [("LP201", 7)]


Noise = Callable[[np.random.Generator, int], Floats]


def gaussian(random: np.random.Generator, n: int) -> Floats:
    return random.standard_normal(n)


def heavy(random: np.random.Generator, n: int) -> Floats:
    return random.standard_t(3, n) / 3**0.5


def alike(random: np.random.Generator, n: int) -> Floats:
    """Autocorrelation 0.5."""
    noise = random.standard_normal(n + 20)
    for i in range(1, n + 20):
        noise[i] = 0.5 * noise[i - 1] + 0.75**0.5 * noise[i]
    return noise[20:]


def named_slow(seconds: Floats, unit: float = 0.0) -> np.ndarray:
    """Which epochs of a run are slow; the first is not judged."""
    if unit:
        seconds = np.floor(seconds / unit) * unit + unit / 2
    half = np.full(len(seconds) - 1, unit / 2)
    tested = find_slow(seconds[1:], half, float(seconds[0]))
    slow = np.zeros(len(seconds), np.bool_)
    if tested is not None:
        slow[1:] = tested.slow
    return slow


@pytest.mark.parametrize(
    ("noise", "spread", "unit"),
    [
        (gaussian, 0.05, 0.0),
        (gaussian, 0.05, 1.0),
        (gaussian, 0.2, 0.0),
        (heavy, 0.05, 0.0),
        (heavy, 0.02, 0.0),
        (alike, 0.05, 0.0),
    ],
)
@pytest.mark.parametrize(
    ("n", "runs"), [(3, 100), (5, 800), (8, 800), (14, 500), (20, 500), (50, 300), (300, 100)]
)
def test_flat_series_raise_few_false_alarms(
    n: int, runs: int, noise: Noise, spread: float, unit: float
) -> None:
    random = np.random.default_rng(n)
    slow = changed = 0
    for _ in range(runs):
        seconds = np.maximum(10 * (1 + spread * noise(random, n)), 1.0)
        slow += bool(named_slow(seconds, unit).any())
        changed += bool(find_changes(seconds[1:], np.full(n - 1, unit / 2), 1.0))
    # 1 % is the promise; three standard errors are the luck of this many runs.
    assert max(slow, changed) <= 0.01 * runs + 3 * (0.01 * runs) ** 0.5


@pytest.mark.parametrize(
    ("n", "share"),
    [(3, 0.1), (4, 0.35), (5, 0.75), (6, 0.9), (8, 0.95), (15, 0.95), (20, 0.93), (300, 0.95)],
)
def test_an_epoch_half_as_long_again_is_found(n: int, share: float) -> None:
    random = np.random.default_rng(n)
    hits, runs = 0, 400
    for _ in range(runs):
        seconds = 100 * (1 + 0.05 * random.standard_normal(n))
        slow = int(random.integers(1, n))
        seconds[slow] = 1.5 * np.median(np.delete(seconds, slow))
        hits += bool(named_slow(seconds)[slow])
    assert hits / runs >= share


def test_levels_beside_neighbours_that_are_alike_are_found() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        seconds = 100 * (1 + 0.03 * alike(random, 100))
        seconds[60:] *= 1.25
        assert 60 in [round(c.at, -1) for c in find_changes(seconds, np.zeros(100), 1.0)]


def test_noise_free_series_are_flat() -> None:
    for n in (5, 12, 30):
        tested = find_slow(np.full(n, 7.0), np.full(n, 0.5))
        assert tested is not None
        assert not tested.slow.any()
        assert find_changes(np.full(n, 7.0), np.full(n, 0.5), 1.0) == []


def test_periods() -> None:
    slow = np.zeros(20, np.bool_)
    slow[[4, 9, 14, 19]] = True
    assert period_of(slow) == 5
    slow[14] = False
    assert period_of(slow) == 5
    slow[9] = False
    assert period_of(slow) is None


def slow_findings(path: Path) -> list[tuple[str, int | None]]:
    findings = logparse.analyze(path).findings
    rows = findings.filter(pl.col("code").str.starts_with("LP2")).sort("epoch")
    return [(code, epoch) for code, epoch in rows.select("code", "epoch").iter_rows()]


def test_slowfirst_names_the_first_and_the_stalled_sixth_epoch(shared_logs: Path) -> None:
    paths = sorted(shared_logs.glob("eras/*/slowfirst.*.log"))
    assert len(paths) >= 9
    for path in paths:
        assert slow_findings(path) == [("LP202", 1), ("LP201", 6)], path.parent.name


@pytest.mark.parametrize("kind", ["fit", "messages", "quiet", "outer", "resume"])
def test_no_false_alarm_on_real_logs(shared_logs: Path, kind: str) -> None:
    for path in sorted(shared_logs.glob(f"eras/*/{kind}.pipe.log")):
        assert slow_findings(path) == [], path


def test_the_slow_last_epoch_of_a_fine_tuning(shared_logs: Path) -> None:
    findings = logparse.analyze(shared_logs / "seeds" / "004_vgg16_finetune.log").findings
    (row,) = findings.filter(pl.col("code") == "LP201").iter_rows(named=True)
    assert (row["epoch"], row["value"], row["baseline"], row["n"]) == (20, 7856.5, 7414.5, 19)


def test_what_rounding_can_make_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """ruptures is slow to load: not where no two levels could differ enough."""
    monkeypatch.setattr(changes, "_segments", None)
    steps = np.where(np.arange(400) % 80 < 40, 100.0, 100.9)
    assert find_changes(steps, np.full(400, 0.5), 1.0) == []
    with pytest.raises(TypeError):
        find_changes(steps + 20 * (np.arange(400) > 200), np.full(400, 0.5), 1.0)


def test_a_raised_threshold_holds_for_changes_downwards_too() -> None:
    seconds = np.concatenate([np.full(15, 130.0), np.full(15, 100.0)]) + np.arange(30) % 3
    made = tables(seconds)
    raised = {name: {"LP203": {"min-ratio": number}} for name, number in (("a", 1.2), ("b", 1.4))}
    (kept,) = find(made, select=["LP203"], thresholds=raised["a"])
    assert kept.threshold == pytest.approx((kept.baseline or 0) / 1.2)
    assert find(made, select=["LP203"], thresholds=raised["b"]) == []


def test_every_threshold_defaults_to_what_its_rule_asks_for() -> None:
    defaults = {
        f"{code}.{one.name}": one.least for code, r in load().items() for one in r.thresholds
    }
    assert defaults == {
        "LP201.min-ratio": 1.05,
        "LP201.min-seconds": 1.0,
        "LP202.min-ratio": 1.5,
        "LP202.min-seconds": 2.0,
        "LP203.min-ratio": 1.05,
        "LP203.min-seconds": 1.0,
        "LP204.min-ratio": 1.05,
        "LP204.min-seconds": 1.0,
        "LP205.min-ratio": 1.05,
        "LP205.min-seconds": 1.0,
        "LP206.min-share": 0.5,
        "LP207.min-seconds": 1.0,
        "LP307.min-parameters": 1000.0,
        "LP402.min-seconds": 60.0,
        "LP404.min-ratio": 1.5,
    }
