"""The filter and smoother against dense linear algebra, and its coverage against made truth."""

from __future__ import annotations

import numpy as np
import pytest
from made import made_epochs, training

from logparse.training import moves as moving
from logparse.training import smoother
from logparse.training.backward import backward
from logparse.training.batch_values import batches
from logparse.training.laws import BLEND, DOUBLE, DOUBLE_TRUE, MEAN
from logparse.training.moves import moves
from logparse.training.smoother import Series, forward, wide

SIGMA, Q, ROUNDING, PRIOR = 0.3, 0.01, 1e-4, 1.0


def dense(steps: list[int], y: np.ndarray, law: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Log likelihood, posterior mean and covariance of all batch values, by plain matrices."""
    k = steps[-1]
    n = np.arange(1, k + 1)
    mean = np.tril(np.ones((k, k))) / n[:, None]
    double = np.tril(np.ones((k, k))) / n[:, None] @ mean
    rows = (mean if law == MEAN else double)[np.array(steps) - 1].copy()
    if law == DOUBLE:
        rows[-1] = (k * double[-1] + mean[-1]) / (k + 1)
    if law == DOUBLE_TRUE:
        rows[-1] = mean[-1]
    prior = Q * np.minimum.outer(n, n) + SIGMA**2 * np.eye(k) + PRIOR
    cover = rows @ prior @ rows.T + ROUNDING * np.eye(len(steps))
    inverse = np.linalg.inv(cover)
    loglik = -0.5 * (y @ inverse @ y + np.linalg.slogdet(cover)[1])
    gain = prior @ rows.T @ inverse
    return loglik, gain @ y, prior - gain @ rows @ prior


def series(steps: list[int], y: np.ndarray, law: str) -> Series:
    """The same observations for the smoother, with two rows of padding."""
    t = np.array(steps, float)
    on_s, on_t = (1 / t, 0 * t) if law == MEAN else (0 * t, 1 / t)
    if law == DOUBLE:
        on_s[-1], on_t[-1] = 1 / (t[-1] * (t[-1] + 1)), 1 / (t[-1] + 1)
    if law == DOUBLE_TRUE:
        on_s[-1], on_t[-1] = 1 / t[-1], 0

    def column(a: np.ndarray, fill: float) -> np.ndarray:
        return np.append(a, [fill, fill])[:, None]

    return Series(
        t=column(t, t[-1]), y=column(y, 0), r=column(0 * t + ROUNDING, 1), loose=column(0 * t, 0),
        on_s=column(on_s, 0), on_t=column(on_t, 0), valid=column(t, 0) > 0,
        centre=np.zeros(1), scale=np.ones(1), t0=np.zeros(1),
    )  # fmt: skip


@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
@pytest.mark.parametrize(
    "steps", [[1, 2, 3, 4, 5, 6], [1, 2, 5, 9, 30], [3, 40, 41, 60], [7], [2, 50, 50]]
)
def test_equals_dense_algebra(steps: list[int], law: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoother, "DIFFUSE", PRIOR**0.5)
    y = np.random.default_rng(3).normal(0, 0.3, len(steps))
    x = series(steps, y, law)
    mv = moves(x, np.zeros(1, bool))
    sigma2, q = np.array([SIGMA**2]), np.array([Q])
    columns = wide(x, mv, 1)
    kept = forward(columns, sigma2, q, keep=True)
    sums, sums_var = backward(columns, kept, sigma2, q)
    loglik, mean, cover = dense(steps, y, law)
    assert kept.loglik[0] == pytest.approx(loglik, rel=1e-6)
    before = 0
    for i, step in enumerate(steps):
        if step > before:
            part = slice(before, step)
            assert sums[i, 0] == pytest.approx(mean[part].sum(), rel=1e-5, abs=1e-6)
            assert sums_var[i, 0] == pytest.approx(cover[part, part].sum(), rel=1e-5)
        before = step
    level, total, level_var, total_var = (a[0] for a in kept.last)
    assert total == pytest.approx(mean.sum(), rel=1e-5)
    assert total_var == pytest.approx(cover.sum(), rel=1e-4)
    assert level_var > 0
    assert np.isfinite(level)


@pytest.mark.parametrize(("start", "gap"), [(0, 65), (3, 97), (500, 65), (100, 300), (10_000, 900)])
def test_long_gaps_are_integrated_as_if_added_up(start: int, gap: int) -> None:
    a, g = np.array([float(start)]), np.array([float(gap)])
    term_by_term = moving._short_sums(a, g, np.array([gap]))[:, 0]
    integral = moving._long_sums(a, g)[:, 0]
    # The first two move the mean, so they must be exact; the others are variances, worst at 0.
    np.testing.assert_allclose(integral[:2], term_by_term[:2], rtol=1e-7)
    np.testing.assert_allclose(integral[2:], term_by_term[2:], rtol=0.03)


def test_parallel_candidates_equal_single_ones() -> None:
    x = series([1, 2, 5, 9, 30], np.random.default_rng(4).normal(0, 0.3, 5), DOUBLE)
    mv = moves(x, np.ones(1, bool))
    sigma2, q = np.array([[0.1], [0.2]]), np.array([[0.01], [0.001]])
    both = forward(wide(x, mv, 2), sigma2, q).loglik
    for i in range(2):
        assert both[i, 0] == forward(wide(x, mv, 1), sigma2[i], q[i]).loglik[0]


def interval_truth(values: np.ndarray, table: dict[str, np.ndarray]) -> np.ndarray:
    """Mean of the made batch values over every interval of a table of batches."""
    rows = zip(table["epoch"], table["first_step"], table["step"], strict=True)
    return np.array([values[e - 1, a - 1 : b].mean() for e, a, b in rows])


@pytest.mark.parametrize("law", [MEAN, BLEND, DOUBLE, DOUBLE_TRUE])
@pytest.mark.parametrize(
    ("epochs", "steps", "every", "decimals"), [(8, 60, 1, 4), (6, 400, 7, 4), (4, 300, 1, 3)]
)
def test_band_covers_made_truth(
    law: str, epochs: int, steps: int, every: int, decimals: int
) -> None:
    values = training(np.random.default_rng(11), epochs, steps)
    made = made_epochs(
        {"loss": values}, law, pick=np.arange(1, steps, every), decimals=decimals
    )  # fmt: skip
    table = batches(made, law)
    truth = interval_truth(values, table)
    assert len(truth) == len(made.step)
    inside = (table["estimate_low"] <= truth) & (truth <= table["estimate_high"])
    assert 0.90 <= inside.mean() <= 1.0
    with np.errstate(invalid="ignore"):
        hard = (table["low"] <= truth) & (truth <= table["high"])
    assert hard[np.isfinite(table["value"])].all()
    rms = np.sqrt(np.mean((table["estimate"] - truth) ** 2))
    if every == 1:
        plain = np.sqrt(np.mean((table["value"] - truth)[np.isfinite(table["value"])] ** 2))
        assert rms <= 1.05 * plain


def test_windows_of_a_long_epoch_agree_with_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from logparse.training import estimate

    values = training(np.random.default_rng(12), 1, 1500)
    made = made_epochs({"loss": values}, MEAN)
    cut = batches(made, MEAN)
    monkeypatch.setattr(estimate, "WINDOW", 10_000)
    whole = batches(made, MEAN)
    np.testing.assert_allclose(cut["estimate"], whole["estimate"], atol=2e-3)


def test_recovered_mean_of_means_past_step_300() -> None:
    values = training(np.random.default_rng(13), 3, 400)
    table = batches(made_epochs({"loss": values}, DOUBLE_TRUE), DOUBLE_TRUE)
    truth = interval_truth(values, table)
    late = (table["step"] > 300) & (table["step"] < 400)
    smooth = np.sqrt(np.mean((table["estimate"] - truth)[late] ** 2))
    plain = np.sqrt(np.mean((table["value"] - truth)[late] ** 2))
    assert smooth < plain / 10
