"""Every scenario, trained for real: its folder is whole, and logparse keeps to the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import logparse
from logparse.errors import UsageError
from logparse.replay import all_scenarios
from logparse.replay.claims import borne_out
from logparse.replay.figures import time_figure, truth_figure
from logparse.replay.scoring import Score, judge, score
from logparse.replay.truth import read_truth
from tests.replay.conftest import LEGACY, RUNS, Replays

pytestmark = pytest.mark.xdist_group("replay")


@pytest.fixture(scope="module")
def scores(replays: Replays, legacy: Replays) -> list[Score]:
    return score(replays.root) + score(legacy.root)


def test_every_scenario_is_trained(replays: Replays, legacy: Replays) -> None:
    assert replays.outcome.failed == {}
    assert legacy.outcome.failed == {}
    assert {name.partition("/")[0] for name in RUNS} == {one.name for one in all_scenarios()}
    assert len(replays.outcome.made) == len(RUNS)
    assert len(legacy.outcome.made) == len(LEGACY)


def test_a_folder_holds_all_and_nothing_else(replays: Replays) -> None:
    for folder in replays.outcome.made:
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["events", "history.csv", "meta.json", "train.log", "truth.parquet"]
    assert not list(replays.root.glob("*.partial"))


def test_the_law_is_found_and_every_truth_is_within_its_bounds(scores: list[Score]) -> None:
    for one in scores:
        assert one.error is None, one
        assert one.law in (one.true_law, None), one
        assert one.bounds.inside == one.bounds.of, one
        assert one.means.inside == one.means.of, one
        # Laws between which it stays open may agree on the means: these are then held to the truth.
        assert one.means.of > 0 or one.law is None, one
    # A log of a few short epochs may not tell; most must.
    assert sum(one.law is not None for one in scores) >= 0.8 * len(scores)


def test_bands_hold_what_they_promise(scores: list[Score]) -> None:
    for source in ("log", "events"):
        inside = sum(one.band.inside for one in scores if one.source == source)
        of = sum(one.band.of for one in scores if one.source == source)
        assert of > 300
        assert inside / of > 0.93


def test_expected_findings_are_found_in_the_log(scores: list[Score]) -> None:
    missing = {one.run: one.missing for one in scores if one.source == "log" and one.missing}
    assert missing == {}


def test_a_jump_is_explained_as_it_was_made(scores: list[Score]) -> None:
    logs = [one for one in scores if one.source == "log"]
    ordinary = [one.found for one in logs if one.run == "epoch-jump-ordinary"]
    assert ["LP102" in found for found in ordinary] == [False, False]
    assert ["LP102" in one.found for one in logs if one.run == "epoch-jump-memorisable"] == [True]


def test_nothing_is_found_in_a_clean_training(scores: list[Score]) -> None:
    """Seed 1 with Keras 3 and seed 2 with tf-keras; one more in test_trainer."""
    clean = [one.found for one in scores if one.run == "clean-clean"]
    assert clean == [()] * 4


def test_truth_adds_up_to_what_keras_kept(replays: Replays, legacy: Replays) -> None:
    for folder in [*replays.outcome.made, *legacy.outcome.made]:
        meta, truth = read_truth(folder)
        for epoch in meta["epochs"]:
            part = truth.filter(pl.col("epoch") == epoch["epoch"])
            assert part["step"].to_list() == list(range(1, part.height + 1))
            assert (part["end"] - part["start"] >= part["wait"]).all()
            assert epoch["begin"] <= part["start"][0] <= part["end"][-1] <= epoch["end"]
            for name in ("loss", "accuracy"):
                mean = np.average(part[name], weights=part["size"])
                assert mean == pytest.approx(epoch["logs"][name], rel=2e-6, abs=1e-7)


def test_the_log_is_what_keras_printed(replays: Replays) -> None:
    for folder in replays.outcome.made:
        analysis = logparse.analyze(folder / "train.log")
        meta, _ = read_truth(folder)
        shown = analysis.metrics.filter(pl.col("metric") == "loss")["shown"].to_list()
        kept = [epoch["logs"]["loss"] for epoch in meta["epochs"]]
        assert shown == [float(f"{loss:.4f}" if loss > 1e-3 else f"{loss:.4e}") for loss in kept]
        assert analysis.source.rejected == 0


def test_history_is_one_row_an_epoch_also_of_an_outer_loop(replays: Replays) -> None:
    for folder in replays.outcome.made:
        meta, _ = read_truth(folder)
        history = pl.read_csv(folder / "history.csv")
        losses = [epoch["logs"]["loss"] for epoch in meta["epochs"]]
        assert history["loss"].to_list() == pytest.approx(losses)


def test_facts_tell_why_a_cache_is_larger_than_its_images(replays: Replays) -> None:
    facts = read_truth(replays.root / "pipelines-cache-file")[0]["facts"]
    pixels = 240 * 48 * 48 * 3 * 4
    assert facts["decoded_bytes"] == pixels
    assert pixels < facts["cache_file_bytes"] < 1.1 * pixels
    assert facts["cache_to_jpeg"] == facts["cache_file_bytes"] / facts["jpeg_bytes"]


def test_a_wrong_law_or_value_does_not_pass(replays: Replays) -> None:
    """The score must see what it is there to see."""
    folder = replays.root / "epoch-jump-ordinary"
    meta, truth = read_truth(folder)
    good = logparse.analyze(folder / "train.log")
    assert judge("x", "log", good, meta, truth).good
    wrong = logparse.analyze(folder / "train.log", law="mean of means")
    scored = judge("x", "log", wrong, meta, truth)
    assert scored.law != scored.true_law
    # Where not every step is shown, a mean of means has few bounds; its epoch means are wrong.
    assert scored.means.inside < scored.means.of
    moved = truth.with_columns(pl.col("loss") + 0.5)
    scored = judge("x", "log", good, meta, moved)
    assert scored.bounds.inside < 0.6 * scored.bounds.of  # accuracy is as it was
    assert scored.means.inside == scored.means.of // 2
    assert not scored.good


def test_with_other_settings_nothing_is_expected(replays: Replays) -> None:
    folder = replays.root / "epoch-jump-memorisable"
    meta, truth = read_truth(folder)
    analysis = logparse.analyze(folder / "train.log")
    assert judge("x", "log", analysis, meta, truth).expected == ("LP102",)
    other = meta | {"variant": "ordinary"}  # which forbids nothing of this, and must show LP101
    assert not judge("x", "log", analysis, other, truth).good
    assert judge("x", "log", analysis, other | {"changed": ["rate"]}, truth).good


@pytest.mark.parametrize(
    ("slow", "pause", "codes"),
    [(1.0, 0.0, set()), (4.0, 0.0, {"LP401", "LP404"}), (1.0, 2.0, {"LP207"})],
)
def test_what_the_truth_says_of_times_is_no_error(
    slow: float, pause: float, codes: set[str]
) -> None:
    """Three epochs of ten steps of 0.1 s: every fifth as long as ``slow``, ``pause`` s before."""
    steps, epochs, clock = [], [], 0.0
    for epoch in (1, 2, 3):
        begin = clock
        clock += pause
        for step in range(10):
            clock += 0.1 * (slow if step % 5 == 4 else 1.0)
            steps.append({"epoch": epoch, "end": clock})
        epochs.append({"epoch": epoch, "begin": begin, "end": clock})
    assert borne_out({"epochs": epochs}, pl.DataFrame(steps)) == codes


def test_figures_show_what_was_true(replays: Replays) -> None:
    folder = replays.root / "epoch-jump-ordinary"
    _, truth = read_truth(folder)
    drawn = {trace.name: trace for trace in truth_figure(folder, "accuracy").data}
    assert {"true batches", "batches, rebuilt", "shown by Keras"} <= set(drawn)
    assert list(drawn["true batches"].y) == truth["accuracy"].to_list()
    # In the middle of each batch, on an axis that counts epochs of 100 steps.
    assert list(drawn["true batches"].x[98:102]) == pytest.approx([0.985, 0.995, 1.005, 1.015])
    shown = drawn["shown by Keras"].y
    assert shown[-1] == logparse.analyze(folder / "train.log").updates["accuracy"][-1]
    with pytest.raises(UsageError, match="no 'x' was recorded; there are loss, accuracy"):
        truth_figure(folder, "x")


def test_times_add_up_to_the_epochs(replays: Replays) -> None:
    folders = [replays.root / f"pipelines-{name}" for name in ("cache-file", "cache-memory")]
    figure = time_figure(folders)
    spent = np.sum([trace.y for trace in figure.data], axis=0)
    epochs = [epoch for folder in folders for epoch in read_truth(folder)[0]["epochs"]]
    assert spent == pytest.approx([epoch["end"] - epoch["begin"] for epoch in epochs])


def test_meta_says_how_it_was_made(replays: Replays) -> None:
    meta = json.loads((replays.root / "clean-clean" / "meta.json").read_text())
    assert meta["scenario"] == "clean"
    assert meta["scale"] == "smoke"
    assert meta["settings"]["seed"] == 1
    assert set(meta["versions"]) == {"logparse", "python", "tensorflow", "keras", "numpy"}
    assert meta["device"].startswith("CPU")


def test_images_are_made_once_for_runs_that_share_them(replays: Replays) -> None:
    folders = [path for path in Path(replays.root, "images").iterdir() if path.is_dir()]
    names = [path.name.split("-")[0] for path in folders]
    assert len(names) == len(set(names))  # one of each count and size
