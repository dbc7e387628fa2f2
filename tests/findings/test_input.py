"""Made times with a known answer, and the questions' logs -> findings about the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import logparse
from logparse.findings.registry import Finding, Tables
from logparse.findings.unjudged import unjudged
from tests.made import checked, learning_tables

CODES = ["LP401", "LP402", "LP404"]


def timed(seconds: list[float], **epochs: list[float]) -> Tables:
    """One run whose epochs of 100 steps took ``seconds``."""
    n = len(seconds)
    told: dict[str, object] = {"run": [1] * n, "epoch": range(1, n + 1), "complete": [True] * n}
    told |= {"steps": [100] * n, "of": [100] * n, "first_line": range(n), "last_line": range(n)}
    told |= {"seconds": seconds, "seconds_low": seconds, "seconds_high": seconds, **epochs}
    return learning_tables({"loss": np.ones(n)}, epochs=told)


def stepped(low: float, high: float, epochs: int = 4, **columns: object) -> Tables:
    """One run whose step times are known in some of its epochs."""
    median = columns.pop("median", (low * high) ** 0.5)
    row = {"run": 1, "n": 100, "median": median, "low": low, "high": high}
    row |= {"slow": 0, "slow_median": None, "between": 0, "period": 0} | columns
    told = {key: [value] * epochs for key, value in row.items()} | {"epoch": range(1, epochs + 1)}
    return learning_tables({"loss": np.ones(epochs)}, step_times=told)


def found(tables: Tables) -> list[Finding]:
    return checked(tables, CODES)


def test_a_slow_first_step_in_every_epoch() -> None:
    tables = timed([100.0] * 5, first_step_seconds=[40.0] + [20.0] * 4, step_seconds=[0.8] * 5)
    (finding,) = found(tables)
    assert finding == Finding(
        "LP401",
        "warning",
        "Also in later epochs, when the graph is long compiled, the first step takes 20 s against "
        "800 ms of others: 20 % of an epoch passes before training goes on. That is the input "
        "starting anew: workers, a shuffle buffer, files opened again.",
        finding.advice,
        run=1,
        line=0,
        value=20.0,
        baseline=0.8,
        threshold=5.0,
        n=4,
    )
    assert "logparse replay like LOG" in finding.advice


@pytest.mark.parametrize(
    ("first", "step"),
    [
        ([40.0, 0.9, 0.9, 0.9, 0.9], 0.8),  # only the first epoch's, which LP202 explains
        ([4.0] * 5, 0.8),  # 4 % of the epoch
        ([20.0] * 5, 8.0),  # all steps are slow
        ([np.nan] * 3 + [20.0] * 2, 0.8),  # too few known
    ],
)
def test_what_is_no_slow_start(first: list[float], step: float) -> None:
    assert found(timed([100.0] * 5, first_step_seconds=first, step_seconds=[step] * 5)) == []


def network(shape: str, parameters: int, seconds: float, samples: int | None) -> Tables:
    """One run that trains one convolution."""
    tables = timed([seconds] * 3)
    layer = {"model": [1], "layer": ["c"], "type": ["Conv2D"], "shape": [shape], "line": [2]}
    layers = tables.layers.clear()
    layers = pl.concat([layers, pl.DataFrame(layer | {"parameters": [parameters]})], how="diagonal")
    one = {"model": [1], "trainable": [parameters], "non_trainable": [0], "line": [1]}
    models = pl.concat([tables.models, pl.DataFrame(one)], how="diagonal")
    runs = tables.runs.with_columns(samples=pl.lit(samples), first_line=pl.lit(5))
    parts = {name: getattr(tables, name) for name in Tables.__dataclass_fields__}
    return Tables(**(parts | {"layers": layers, "models": models, "runs": runs}))


def test_too_little_arithmetic_for_a_gpu() -> None:
    # 1,792 parameters at 224 x 224 places, three passes: 270 million a sample.
    (finding,) = found(network("(None, 224, 224, 64)", 17_920, 1000.0, 2000))
    assert finding.code == "LP401"
    assert finding.value == pytest.approx(3 * 17_920 * 224 * 224 * 2000 / 1000)
    assert "The network takes 899 million multiply-adds a sample. At 500 ms a training" in (
        finding.message
    )
    assert found(network("(None, 224, 224, 64)", 17_920, 100.0, 2000)) == []  # fast enough
    assert found(network("(None, 22, 22, 64)", 17_920, 1000.0, 2000)) == []  # a small network
    assert found(network("(None, 224, 224, 64)", 17_920, 1000.0, None)) == []  # samples unknown


def test_uneven_steps_are_suspected() -> None:
    (finding,) = found(stepped(0.1, 0.35))
    assert (finding.code, finding.severity, finding.n) == ("LP401", "info", 300)
    assert finding.message == (
        "Steps take between 100 ms and 350 ms (a tenth less, a tenth more). Computing takes the "
        "same time in each step, so something else decides: suspect the input, then other jobs on "
        "the machine."
    )
    assert found(stepped(0.1, 0.29)) == []
    assert found(stepped(0.1, 0.35, epochs=1)) == []  # the first epoch only


@pytest.mark.parametrize(
    ("low", "high", "kinds"),
    [
        (0.019, 0.165, {}),
        (0.0039, 0.0145, {}),
        (0.025, 0.105, {"median": 0.025, "slow": 29, "slow_median": 0.105, "between": 2}),
    ],
)
def test_other_jobs_on_the_machine_are_no_input(
    low: float, high: float, kinds: dict[str, float]
) -> None:
    """Steps of trainings that hardly waited for their data, on two busy cores."""
    assert found(stepped(low, high, **kinds)) == []


def test_a_period_of_slow_steps() -> None:
    (finding,) = found(stepped(0.1, 0.4, median=0.1, slow=25, slow_median=0.4, period=4))
    assert finding.code == "LP404"  # and not LP401: this explains why steps are uneven
    assert finding.message == (
        "Every 4 steps one takes 400 ms instead of 100 ms. If 4 workers load the data, one of them "
        "is slow: batches come from them in turn. Else something runs at that period."
    )


def test_two_kinds_of_steps() -> None:
    kinds = {"median": 0.1, "slow": 20, "slow_median": 0.5}
    (finding,) = found(stepped(0.1, 0.5, **kinds, between=2))
    assert finding.message == (
        "There are two kinds of steps: 20 % take 500 ms, the others 100 ms, and few are in "
        "between. Suspect samples that cost more to load or to augment, or one slow worker."
    )
    assert [f.code for f in found(stepped(0.1, 0.5, **kinds, between=12))] == ["LP401"]  # a tail
    few = {"median": 0.1, "slow": 4, "slow_median": 0.5}
    assert found(stepped(0.1, 0.2, **few)) == []  # outliers


@pytest.mark.parametrize(
    "seconds",
    [
        [500.0, 100, 100, 100, 100],  # five times: waiting for storage is likelier
        [150.0, 100, 100, 100, 100],  # not a minute
        [400.0, 100, 100, 130, 100],  # later epochs differ
        [400.0, 100, 100],  # too few
    ],
)
def test_what_is_no_cache(seconds: list[float]) -> None:
    assert found(timed(seconds, step_seconds=[seconds[0] / 100] + [1.0] * (len(seconds) - 1))) == []


def test_a_filled_cache_in_full() -> None:
    seconds = [300.0, 100, 101, 99, 100, 100]
    (finding,) = found(timed(seconds, step_seconds=[3.0] + [1.0] * 5))
    assert (finding.code, finding.epoch, finding.value, finding.baseline, finding.n) == (
        "LP402", 1, 300.0, 100.0, 6,
    )  # fmt: skip
    assert finding.message == (
        "The steps of epoch 1 were slow throughout, those of the 5 later epochs fast and alike: so "
        "it looks when a cache is filled. It cost 200 s, once. Over the 6 epochs here that pays if "
        "an epoch without the cache takes more than 133 s; with U seconds for such an epoch it "
        "pays from the first epoch above 200 / (U - 100)."
    )
    only_first = timed(seconds, first_step_seconds=[201.0] + [1.0] * 5, step_seconds=[1.0] * 6)
    assert found(only_first) == []  # the graph, not the data


def test_no_tables_no_findings() -> None:
    assert found(learning_tables({"loss": np.zeros(0)})) == []


def test_rules_without_data_say_so() -> None:
    reasons = {one.code: one.reason for one in unjudged(timed([100.0] * 3))}
    assert reasons["LP402"] == "2 complete epochs after the first, 3 needed"
    assert reasons["LP404"] == "no later epoch tells the time of 40 single steps"
    assert reasons["LP307"] == "no model.summary() in the log before the training"


def codes(path: Path) -> list[str]:
    return logparse.analyze(path, select=["LP2", "LP3", "LP4"]).findings["code"].to_list()


SEEDS = {
    "000_slow_first_epoch.log": ["LP202"],
    "001_image_data_generator.log": [],
    "001_tf_data.log": [],
    "001_tf_data_file_cache.log": ["LP202", "LP402"],
    "002_generator.log": [],
    "002_without_apply_transform.log": [],
    "002_without_matrices.log": [],
    "003_outer_loop.log": [],
    "004_vgg16_finetune.log": ["LP307", "LP401", "LP403", "LP201", "LP303"],
}


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_the_questions(sample_logs: Path, name: str) -> None:
    assert codes(sample_logs / "seeds" / name) == SEEDS[name]


def test_every_question_is_here(sample_logs: Path) -> None:
    assert {path.name for path in (sample_logs / "seeds").glob("*.log")} == set(SEEDS)


def message(sample_logs: Path, name: str, code: str) -> str:
    return str(logparse.analyze(sample_logs / "seeds" / name, select=[code]).findings["message"][0])


def test_the_first_epoch_of_question_000(sample_logs: Path) -> None:
    assert message(sample_logs, "000_slow_first_epoch.log", "LP202") == (
        "Epoch 1 took 1,856 s, 55 times as long as the 34 s of later ones (1,822 s lost): all its "
        "steps were slow (1,794 s in all; 29 s each, 530 ms later). Likely, in this order: data "
        "read over the network or from a cold disk, then held in memory by the system; data "
        "decoded or downloaded once; a cache being filled (dataset.cache())."
    )


def test_the_cache_of_question_001(sample_logs: Path) -> None:
    text = message(sample_logs, "001_tf_data_file_cache.log", "LP402")
    assert "It cost 28 min, once. Over the 5 epochs here that pays if an epoch without the" in text
    assert "above 1,680 / (U - 840)" in text
    # With the 23 min of the pipeline without a cache: above 3.1, so from epoch 4.
    without = 23 * 60
    epochs = np.arange(1, 10)
    pays = (42 * 60 + 14 * 60 * (epochs - 1) < without * epochs).tolist()
    assert int(epochs[np.argmax(pays)]) == 4 == int(1680 / (without - 840)) + 1


def test_no_finding_on_other_real_logs(shared_logs: Path) -> None:
    logs = [*shared_logs.glob("wild/*.log"), *shared_logs.glob("eras/*/*.pipe.log")]
    assert len(logs) > 120
    for log in sorted(logs):
        assert logparse.analyze(log, select=["LP4"]).findings.rows() == [], log
