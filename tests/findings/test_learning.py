"""Made learning curves with a known answer, and real logs -> findings about learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import logparse
from logparse.findings.registry import Finding, Tables
from tests.made import Array, checked, learning_tables

CODES = ["LP301", "LP302", "LP303", "LP304", "LP305"]


def found(made: Tables) -> list[Finding]:
    return checked(made, CODES)


def named(made: Tables) -> list[tuple[str, str | None, int | None]]:
    return [(finding.code, finding.metric, finding.epoch) for finding in found(made)]


def falling(n: int, rate: float = 3.0) -> Array:
    """A loss from 1 to nearly 0.2."""
    return np.asarray(0.2 + 0.8 * np.exp(-rate * np.arange(n) / n))


def noisy(values: Array, noise: float, seed: int = 1) -> Array:
    return np.asarray(
        values * (1 + noise * np.random.default_rng(seed).standard_normal(len(values)))
    )


@pytest.mark.parametrize("n", [2, 4, 5, 8, 12, 30, 200])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_healthy_training_raises_nothing(n: int, noise: float) -> None:
    loss = noisy(falling(n), noise)
    val = noisy(falling(n) + 0.05, noise, seed=2)
    assert named(learning_tables({"loss": loss, "acc": 1 - loss / 2, "val_loss": val})) == []


def test_a_loss_that_rises_again_diverges() -> None:
    loss = np.array([1.0, 0.6, 0.4, 0.3, 0.3, 0.5, 0.8, 1.4, 2.9, 5.0])
    (finding,) = found(learning_tables({"loss": loss}))
    assert finding == Finding(
        "LP302",
        "warning",
        "loss was down to 0.3000 in epoch 4 and has gone up since: 2.9000 over the last three "
        "epochs. More than half of the progress is lost.",
        "Go back to the weights of epoch 4 and lower the learning rate; clip gradients "
        "(clipnorm=1.0).",
        run=1,
        epoch=4,
        metric="loss",
        line=40,
        value=2.9,
        baseline=0.3,
        threshold=finding.threshold,
        n=10,
    )


@pytest.mark.parametrize(
    "loss",
    [
        [1.0, 0.6, 0.4, 0.3, 0.3, 0.32, 0.33, 0.31, 0.34, 0.35],  # a little up, as noise does
        [1.0, 0.6, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 5.0],  # the last epoch alone
        [1.0, 0.8, 0.5, 3.0],  # too few
    ],
)
def test_what_is_no_divergence(loss: list[float]) -> None:
    assert "LP302" not in [code for code, _, _ in named(learning_tables({"loss": np.array(loss)}))]


def test_a_rising_validation_loss_is_no_divergence_but_overfitting() -> None:
    val = np.concatenate([falling(10, 5.0), np.linspace(0.22, 0.5, 15)])
    assert named(learning_tables({"loss": falling(25), "val_loss": val})) == [
        ("LP304", "val_loss", 10)
    ]


def test_overfitting_needs_a_training_loss_that_still_falls() -> None:
    val = np.concatenate([falling(10, 5.0), np.linspace(0.22, 0.9, 15)])
    loss = val - 0.05
    assert [code for code, _, _ in named(learning_tables({"loss": loss, "val_loss": val}))] == [
        "LP302"
    ]


def test_a_short_steady_climb_is_overfitting_and_a_broken_one_is_not() -> None:
    loss = falling(5)
    climb = np.array([0.79, 0.78, 0.88, 0.96, 1.05])
    broken = np.array([0.79, 0.78, 0.88, 0.80, 0.95])
    assert named(learning_tables({"loss": loss, "val_loss": climb})) == [("LP304", "val_loss", 2)]
    assert named(learning_tables({"loss": loss, "val_loss": broken})) == []


def test_a_plateau_says_where_it_begins_and_what_it_cost() -> None:
    acc = np.array([0.23, 0.36, 0.40, 0.43, 0.45, *[0.457, 0.456, 0.459, 0.457] * 3])
    (finding,) = found(learning_tables({"loss": falling(17), "val_acc": acc}, seconds=3600.0))
    assert (finding.code, finding.metric, finding.epoch, finding.n) == ("LP303", "val_acc", 6, 12)
    assert finding.message == (
        "val_acc has not moved since epoch 6: 0.4570 then, 0.4570 at the end, 0.4560 to 0.4590 in "
        "between. The 11 epochs after it took 11.0 h and brought nothing there, while loss still "
        "fell."
    )


def test_a_solved_task_is_a_plateau_and_a_slow_rise_is_not() -> None:
    solved = np.concatenate([[0.6, 0.8, 0.95], np.ones(9)])
    assert named(learning_tables({"loss": falling(12), "val_acc": solved})) == [
        ("LP303", "val_acc", 4)
    ]
    slow = 0.5 + 0.4 * np.log1p(np.arange(12)) / np.log(12)
    assert named(learning_tables({"loss": falling(12), "val_acc": slow})) == []


def test_noise_that_hides_progress_is_no_plateau() -> None:
    acc = noisy(np.full(20, 0.5), 0.1)
    assert named(learning_tables({"loss": falling(20), "val_acc": acc})) == []


def test_one_finding_for_the_plateau_of_several_metrics() -> None:
    flat = np.concatenate([falling(5, 8.0), np.full(10, 0.2)])
    made = learning_tables({"loss": falling(15), "val_loss": flat, "val_acc": 1 - flat})
    (finding,) = found(made)
    assert (finding.code, finding.epoch) == ("LP303", 4)
    assert "nor did val_acc move, while loss still fell" in finding.message


def test_a_spike_and_what_is_none() -> None:
    loss = falling(20)
    loss[12] *= 3
    assert named(learning_tables({"loss": loss})) == [("LP305", "loss", 13)]
    wide = falling(20)
    wide[12:17] *= 3  # five epochs: another level
    assert "LP305" not in [code for code, _, _ in named(learning_tables({"loss": wide}))]
    small = falling(20)
    small[12] *= 1.3
    assert named(learning_tables({"loss": small})) == []
    negative = falling(20) - 0.5  # no log scale
    assert named(learning_tables({"loss": negative})) == []


def test_higher_is_better_for_accuracies_and_other_metrics_are_left_alone() -> None:
    rate = np.concatenate([np.full(10, 1e-3), np.full(10, 1e-4)])
    assert named(learning_tables({"loss": falling(20), "lr": rate})) == []


@pytest.mark.parametrize("values", [np.full(30, np.nan), np.full(30, 0.0), np.full(30, 7.0)])
def test_odd_curves_break_nothing(values: Array) -> None:
    codes = {code for code, _, _ in named(learning_tables({"loss": values, "val_loss": values}))}
    assert codes <= {"LP301", "LP303"}


def test_no_tables_no_findings() -> None:
    assert found(learning_tables({"loss": np.zeros(0)})) == []


def real(path: Path) -> list[tuple[str, str | None, int | None]]:
    findings = logparse.analyze(path, select=["LP302", "LP303", "LP304", "LP305"]).findings
    return list(findings.select("code", "metric", "epoch").iter_rows())


def test_the_fine_tuning_question(shared_logs: Path) -> None:
    log = shared_logs / "seeds" / "004_vgg16_finetune.log"
    assert real(log) == [("LP303", "val_acc", 11)]


WILD = {
    "024.log": [("LP305", "loss", 6)],  # 0.0235, then 0.137, 0.0859, 0.0507, 0.0203
    "027.log": [("LP304", "val_loss", 2)],  # 0.1496, 0.1617, 0.1654, 0.1830 while loss falls
    "028.log": [("LP304", "val_loss", 2)],  # 0.7839, 0.8827, 0.9571, 1.0549
    "036.log": [("LP304", "val_loss", 4)],  # 0.4905 up to 0.5183 in six epochs
}
"""What an expert sees in the logs from the wild, and why."""


def test_logs_from_the_wild(shared_logs: Path) -> None:
    logs = sorted((shared_logs / "wild").glob("*.log"))
    assert {log.name: rows for log in logs if (rows := real(log))} == WILD


def test_healthy_real_trainings(shared_logs: Path) -> None:
    kinds = ("fit", "throttled", "outer", "quiet", "slowfirst", "resume", "multi", "tensorboard")
    logs = [log for kind in kinds for log in sorted(shared_logs.glob(f"eras/*/{kind}.pipe.log"))]
    assert len(logs) > 60
    for log in logs:
        assert logparse.analyze(log, select=["LP3"]).findings.rows() == [], log
