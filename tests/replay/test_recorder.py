"""BatchRecorder: the truth of every batch, and a training that does not notice it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from logparse.errors import UsageError
from logparse.replay import BatchRecorder

pytest.importorskip("tensorflow", reason="TensorFlow is not installed (it lacks on this Python)")
pytestmark = pytest.mark.xdist_group("recorder")

TRAIN = Path(__file__).with_name("train_recorded.py")

KINDS = ("plain", "jit", "several steps", "two outputs", "eager", "unknown length", "auc")


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each kind of model, trained twice from one seed: without and with a recorder."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    subprocess.run([sys.executable, str(TRAIN), request.param, str(folder), *KINDS], check=True)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_same_to_the_bit(trained: Path, kind: str) -> None:
    runs = json.loads((trained / f"{kind}.json").read_text())
    without, recorded = runs["without"], runs["with"]
    assert recorded["logs"] == without["logs"]
    assert recorded["history"] == without["history"]
    assert recorded["weights"] == without["weights"]
    assert runs["left"] == []  # nothing of the recorder stays on the model


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_what_the_means_are_made_of(trained: Path, kind: str) -> None:
    runs = json.loads((trained / f"{kind}.json").read_text())
    truth = pl.read_parquet(trained / f"{kind}.parquet")
    assert truth.group_by("epoch", maintain_order=True).len().rows() == [(1, 16), (2, 16)]
    assert truth["size"].to_list() == ([32] * 15 + [20]) * 2
    for epoch in (1, 2):
        part = truth.filter(pl.col("epoch") == epoch)
        # Keras 3 does not weight the losses of single outputs by the size of the batch.
        plain = {"a_loss", "b_loss"} if trained.name.startswith("keras") else set()
        for name in set(truth.columns) - {"epoch", "step", "size", "start", "end", "wait", "auc"}:
            weights = None if name in plain else part["size"]
            mean = np.average(part[name], weights=weights)
            assert mean == pytest.approx(runs["with"]["history"][name][epoch - 1], rel=2e-6)


def test_batches_are_those_of_a_model_that_looks_at_each_alone(trained: Path) -> None:
    """Recomputed from the weights before each batch, with none of the code of fit."""
    runs = json.loads((trained / "plain.json").read_text())
    truth = pl.read_parquet(trained / "plain.parquet")
    assert truth["loss"].to_list() == pytest.approx(runs["alone"]["loss"], rel=1e-5)
    assert truth["accuracy"].to_list() == pytest.approx(runs["alone"]["accuracy"])


def test_auc_is_of_the_batch_alone(trained: Path) -> None:
    runs = json.loads((trained / "auc.json").read_text())
    truth = pl.read_parquet(trained / "auc.parquet")
    assert truth["auc"].to_list() == pytest.approx(runs["alone"]["auc"], abs=1e-6)


def test_waiting_and_computing_add_up(trained: Path) -> None:
    for kind in KINDS:
        truth = pl.read_parquet(trained / f"{kind}.parquet")
        assert (truth["wait"] > 0).all()
        assert (truth["end"] - truth["start"] > truth["wait"]).all()
        assert (truth["start"][1:] >= truth["end"][:-1]).all()


def test_waiting_is_seen(trained: Path) -> None:
    """A generator that sleeps 0.1 s a batch: training waits for it, and computes less."""
    truth = pl.read_parquet(trained / "slow.parquet")[1:]
    assert truth["wait"].sum() / (truth["end"] - truth["start"]).sum() > 0.5


def test_epochs_count_on_through_fits(trained: Path) -> None:
    truth = pl.read_parquet(trained / "outer.parquet")
    assert truth["epoch"].unique().sort().to_list() == [1, 2, 3]
    runs = json.loads((trained / "outer.json").read_text())
    assert len(set(runs["graphs"])) == 1  # the first fit builds the step for all of them


def test_batches_are_measured_in_whatever_form_they_come(trained: Path) -> None:
    sizes = json.loads((trained / "forms.json").read_text())
    assert sizes == {
        "two inputs": [200, 200, 100],
        "generator": [5, 3, 9],
        "one replica": [200, 200, 100],
    }


def test_a_train_step_of_ones_own_is_timed_alone(trained: Path) -> None:
    runs = json.loads((trained / "own step.json").read_text())
    assert runs["columns"] == ["epoch", "step", "size", "start", "end", "wait"]
    assert len(runs["warnings"]) == 1
    assert "could not measure loss and metrics" in runs["warnings"][0]


def test_a_name_that_is_no_parquet_is_refused() -> None:
    with pytest.raises(UsageError, match=r"give the file a name that ends in \.parquet"):
        BatchRecorder("truth.csv")
