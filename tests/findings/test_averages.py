"""Rules about averages on made trainings with known answers, and on the seed log."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from made import made_epochs, training

import logparse
import logparse.findings.averages
import logparse.findings.epoch_values
from logparse.findings.jumps import averages, higher_is_better, jumps
from logparse.findings.registry import RULES, Finding, Tables, explain
from logparse.tables import TABLES, frame
from logparse.training.laws import DOUBLE, DOUBLE_TRUE, MEAN
from logparse.training.rebuild import METRIC_COLUMNS, metric_columns, summarise
from logparse.training.student import Z95, normal, student


def empty(name: str) -> pl.DataFrame:
    """A documented table without rows."""
    return frame(name, {column.name: [] for column in TABLES[name]})


def tables(
    values: dict[str, np.ndarray],
    law: str,
    *,
    extra: dict[str, Sequence[float]] | None = None,
    messages: Sequence[tuple[int, str]] = (),
    **made: object,
) -> Tables:
    """The tables of one run with these batch values; ``extra`` are metrics as shown."""
    epochs = made_epochs(values, law, **made)  # type: ignore[arg-type]
    columns = metric_columns([summarise(epochs, (law,))], (law,))
    metrics = pl.DataFrame(
        {"run": np.ones(len(columns["epoch"]), np.int64)}
        | {key: columns[key] for key in ("epoch", "metric", *METRIC_COLUMNS)}
    ).with_columns(pl.col(pl.Float64).fill_nan(None))
    for name, shown in (extra or {}).items():
        rows = pl.DataFrame(
            {"run": 1, "epoch": np.arange(1, len(shown) + 1), "metric": name, "shown": shown}
        )
        metrics = pl.concat([metrics, rows], how="diagonal_relaxed")
    told = pl.DataFrame(
        {
            "run": [1] * len(messages),
            "epoch": [epoch for epoch, _ in messages],
            "kind": [kind for _, kind in messages],
            "line": [7] * len(messages),
            "text": ["as printed"] * len(messages),
        },
        schema=empty("messages").schema,
    )
    runs = pl.DataFrame({"run": [1], "law": [law]})
    none = {name: empty(name) for name in Tables.__dataclass_fields__}
    return Tables(**(none | {"runs": runs, "metrics": metrics, "messages": told}))


def found(code: str, given: Tables) -> list[Finding]:
    """What one rule says."""
    return list(RULES[code].check(given))


def test_every_rule_explains_itself() -> None:
    for code in ("LP101", "LP102", "LP103", "LP104", "LP105", "LP106"):
        text = explain(code)
        assert text.startswith(code)
        for part in ("How it is computed", "When it is wrong", "What to do", "Source"):
            assert part in text


@pytest.mark.parametrize(
    ("name", "higher"),
    [("loss", False), ("accuracy", True), ("cls_acc", True), ("mae", False), ("auc_2", True),
     ("accuracy_loss", False), ("mean_iou", True)],
)  # fmt: skip
def test_direction_of_a_metric(name: str, higher: bool) -> None:
    assert higher_is_better(name) is higher


@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
def test_no_real_jump_where_only_averaging_acts(law: str) -> None:
    judged = real = 0
    for seed in range(5):
        values = training(np.random.default_rng(seed), 60, 50)
        for group in averages(tables({"loss": values}, law)):
            verdicts = [jump.verdict for jump in jumps([group])[0]]
            judged += len(verdicts)
            real += verdicts.count("real")
    assert judged == 5 * 59
    assert real <= 0.01 * judged + 1


@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
@pytest.mark.parametrize("per_epoch", [1.0, 3.0])
def test_a_steady_slope_is_no_jump_and_its_levels_are_covered(law: str, per_epoch: float) -> None:
    epochs, steps, noise = 60, 41, 0.1
    level = 30 - noise * per_epoch * np.arange(epochs * steps).reshape(epochs, steps) / steps
    values = level + np.random.default_rng(3).normal(0, noise, level.shape)
    given = tables({"loss": values}, law)
    (group,) = averages(given)
    # One in a hundred by chance.
    assert [jump.verdict for jump in jumps([group])[0]].count("real") <= 2
    for name, column in (("start", 0), ("end", -1)):
        inside = (group[f"{name}_low"] <= level[:, column]) & (
            level[:, column] <= group[f"{name}_high"]
        )
        assert inside.mean() >= 0.85


@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
@pytest.mark.parametrize("ends_only", [False, True])
def test_real_drops_are_found(law: str, ends_only: bool) -> None:
    values = training(np.random.default_rng(9), 60, 100, drop=3.0)
    pick = np.r_[1:11, 91:100] if ends_only else np.arange(1, 100)
    (group,) = averages(tables({"loss": values}, law, pick=pick))
    verdicts = [jump.verdict for jump in jumps([group])[0]]
    assert verdicts.count("real") >= 0.9 * 59
    for jump in jumps([group])[0]:
        assert jump.size == pytest.approx(jump.first - jump.shown)
        assert jump.end + jump.end_half == pytest.approx(group["end_high"][jump.epoch - 2])
        assert jump.averaging + jump.remainder == pytest.approx(jump.start - jump.shown)
        assert jump.probability == pytest.approx(math.erfc(jump.strength / math.sqrt(2)))


def test_few_lines_weaken_the_score() -> None:
    values = training(np.random.default_rng(9), 2, 100, drop=3.0)
    (group,) = averages(tables({"loss": values}, MEAN))
    strengths = []
    for freedom in (3.0, 6.0, 20.0, 1e5, np.inf):
        # The same standard errors, of which more and more is known.
        half = student(Z95, freedom) * 0.07
        columns = {"freedom": np.full(2, freedom)} | {
            f"{at}_{side}": group[at] + sign * half
            for at in ("start", "end")
            for side, sign in (("low", -1), ("high", 1))
        }
        few = dataclasses.replace(group, columns=group.columns | columns)
        ((jump,),) = jumps([few])
        assert jump.error == pytest.approx(0.07 * math.sqrt(2))
        assert jump.half_band == pytest.approx(student(Z95, 2 * freedom) * jump.error)
        strengths.append(jump.strength)
    assert strengths == sorted(strengths)
    assert strengths[-1] == pytest.approx(abs(jump.score))
    assert strengths[-2] == pytest.approx(abs(jump.score), rel=1e-3)


def test_student_and_back() -> None:
    # Two-sided 5 % of Student's distribution with 4 degrees of freedom is 2.776.
    assert student(Z95, 4.0) == pytest.approx(2.776, abs=0.02)
    assert normal(student(2.5, 7.0), 7.0) == pytest.approx(2.5)


def test_the_more_boundaries_are_looked_at_the_clearer_a_change_must_be() -> None:
    quiet = training(np.random.default_rng(4), 30, 60)
    values = quiet.copy()
    values[15:] -= 0.185
    loss, mae = averages(tables({"loss": values, "mae": quiet}, MEAN))
    (found,), (among, _) = jumps([loss]), jumps([loss, mae])
    assert (found[0].looked_at, among[0].looked_at) == (29, 58)
    assert found[0].limit == pytest.approx(0.005 / 1.005 / 28)
    assert among[0].limit < found[0].limit
    assert among[0].limit < among[14].probability <= found[0].limit
    assert (found[14].verdict, among[14].verdict) == ("real", "none")


@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
def test_bands_are_narrow_where_no_epoch_bends_and_wide_where_one_does(law: str) -> None:
    epochs, steps, noise = 30, 200, 0.1
    u = np.arange(epochs * steps).reshape(epochs, steps) / steps
    scatter = np.random.default_rng(3).normal(0, noise, u.shape)
    straight = 30 - 3 * noise * u
    bent = straight + 0.04 * 4 * (u % 1) * (1 - u % 1)
    once = straight.copy()
    once[20] = bent[20]
    half, inside = {}, {}
    for name, level in (("straight", straight), ("bent", bent), ("once", once)):
        (group,) = averages(tables({"loss": level + scatter}, law))
        half[name] = (group["end_high"] - group["end_low"]) / 2
        inside[name] = (group["end_low"] <= level[:, -1]) & (level[:, -1] <= group["end_high"])
        assert inside[name].mean() >= 0.9
    assert half["straight"][1:].mean() < 0.85 * half["bent"][1:].mean()
    assert inside["once"][20]


@pytest.mark.parametrize("again", [False, True], ids=["shuffled anew", "the same order"])
def test_batches_that_come_again_in_every_epoch_make_no_jump(again: bool) -> None:
    inside, false = [], 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 0.1, (12, 20))
        values = 5 + (noise[:1] + rng.normal(0, 0.01, noise.shape) if again else noise)
        (group,) = averages(tables({"loss": values}, MEAN))
        false += any(jump.verdict == "real" for jump in jumps([group])[0])
        inside.append((group["start_low"] <= 5) & (group["start_high"] >= 5))
    assert false <= 1
    # Without an allowance for it, 0.80.
    assert np.mean(inside) >= 0.9


def steep() -> np.ndarray:
    """Two epochs in which the loss falls fast, without a step at the boundary."""
    k = np.arange(200).reshape(2, 100)
    level = 0.5 + 1.5 * np.exp(-k / 40)
    return level + np.random.default_rng(3).normal(0, 0.02, k.shape)


def test_a_jump_made_by_averaging_is_explained() -> None:
    given = tables({"loss": steep()}, MEAN)
    (finding,) = found("LP101", given)
    assert not found("LP102", given)
    assert not found("LP103", given)
    assert (finding.run, finding.epoch, finding.metric) == (1, 2, "loss")
    assert finding.value is not None
    assert finding.baseline is not None
    assert finding.value < -0.3
    assert finding.baseline == pytest.approx(finding.value, abs=0.05)
    for piece in ("average over all batches of epoch 1", "first batch of epoch 2 alone", "95 %"):
        assert piece in finding.message


def test_an_odd_first_batch_is_no_jump() -> None:
    values = 2 + np.random.default_rng(8).normal(0, 0.1, (4, 60))
    values[2, 0] = 2.5
    given = tables({"loss": values}, MEAN)
    for code in ("LP101", "LP102", "LP103"):
        assert not found(code, given)


def test_a_real_jump_names_the_schedule() -> None:
    values = training(np.random.default_rng(5), 2, 60, noise=0.05, drop=8.0)
    (plain,) = found("LP102", tables({"loss": values}, MEAN))
    assert "has seen the samples before" in plain.message
    (told,) = found("LP102", tables({"loss": values}, MEAN, messages=[(1, "plateau")]))
    assert "learning rate changed there (line 7)" in told.message
    (worse,) = found("LP102", tables({"accuracy": values}, MEAN))
    assert "towards worse" in worse.message


def test_too_little_is_undecided_and_says_so() -> None:
    given = tables({"loss": steep()}, MEAN, pick=np.array([1]))
    (finding,) = found("LP103", given)
    assert not found("LP101", given)
    assert "cannot be told" in finding.message or "holds too little" in finding.message


def test_many_boundaries_give_one_finding_a_metric() -> None:
    values = training(np.random.default_rng(6), 12, 60, noise=0.05, drop=8.0)
    findings = found("LP102", tables({"loss": values, "mae": values + 1}, MEAN))
    assert [finding.metric for finding in findings] == ["loss", "mae"]
    assert [finding.n for finding in findings] == [11, 11]
    assert "10 more boundaries are real" in findings[0].message


def test_wrong_epoch_values_are_named_under_the_double_law_only() -> None:
    values = training(np.random.default_rng(7), 3, 80)
    (finding,) = found("LP104", tables({"loss": values}, DOUBLE, repeat_last=True))
    assert finding.baseline == pytest.approx(values[finding.epoch - 1].mean(), abs=0.01)  # type: ignore[operator]
    assert "is not the mean of that epoch" in finding.message
    for law in (MEAN, DOUBLE_TRUE):
        assert not found("LP104", tables({"loss": values}, law, repeat_last=True))


def test_the_false_drop_of_keras_3_11() -> None:
    values = training(np.random.default_rng(8), 3, 80)
    (finding,) = found("LP105", tables({"loss": values}, DOUBLE_TRUE, repeat_last=True))
    assert "Nothing happened there" in finding.message
    assert finding.n == 3
    for law in (MEAN, DOUBLE):
        assert not found("LP105", tables({"loss": values}, law, repeat_last=True))


def test_validation_that_only_seems_better() -> None:
    k = np.arange(400).reshape(4, 100)
    loss = 2 - k / 250 + np.random.default_rng(9).normal(0, 0.02, k.shape)
    at_end = [float(row[-5:].mean()) for row in loss]
    (finding,) = found("LP106", tables({"loss": loss}, MEAN, extra={"val_loss": at_end}))
    assert finding.n == 4
    better = [value - 0.3 for value in at_end]
    assert not found("LP106", tables({"loss": loss}, MEAN, extra={"val_loss": better}))


def test_validation_looks_better_by_chance_where_epochs_are_alike() -> None:
    fired = 0
    for seed in range(15):
        rng = np.random.default_rng(seed)
        loss = 2 + rng.normal(0, 0.1, (10, 40))
        given = tables({"loss": loss}, MEAN, extra={"val_loss": 2 + rng.normal(0, 0.02, 10)})
        fired += len(found("LP106", given))
    assert fired <= 1


@pytest.mark.parametrize(
    "values",
    [np.full((3, 20), 0.5), np.array([[1.0], [0.5]]), np.full((2, 9), np.nan), np.zeros((1, 5))],
    ids=["constant", "one step", "nan", "one epoch"],
)
@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
def test_odd_runs_find_nothing_and_break_nothing(values: np.ndarray, law: str) -> None:
    given = tables({"loss": values}, law)
    for code in ("LP101", "LP102", "LP104", "LP105", "LP106"):
        assert not found(code, given)
    nothing = Tables(**{name: empty(name) for name in Tables.__dataclass_fields__})
    for code in ("LP101", "LP102", "LP103", "LP104", "LP105", "LP106"):
        assert not found(code, nothing)


def test_the_seed_question(shared_logs: Path) -> None:
    analysis = logparse.analyze(str(shared_logs / "seeds" / "003_outer_loop.log"))
    messages = analysis.findings.filter((pl.col("code") == "LP103") & (pl.col("metric") == "acc"))[
        "message"
    ].to_list()
    assert len(messages) == 1
    text = messages[0]
    for piece in (
        "0.8918 is the average over all batches of epoch 1",
        "0.9424 is the first batch of epoch 2 alone",
        "At the end of epoch 1",
        "95 % sure",
        "+0.0506",
    ):
        assert piece in text
    row = analysis.metrics.filter((pl.col("epoch") == 1) & (pl.col("metric") == "acc"))
    # The last two batches averaged 0.912 +- 0.020: rounding alone says so.
    assert row["end_low"][0] < 0.912 < row["end_high"][0]
    assert row["end_high"][0] - row["end_low"][0] < 0.2
