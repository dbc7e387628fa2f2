"""A text and the events of the same training: one analysis, and what contradicts."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import logparse
from logparse.errors import UsageError
from tests.reading.events_help import tensor, version
from tests.test_events_truth import ROUNDED, eras, outside, truth_of

BOTH = "keras-3.12.0/tensorboard"


def test_the_text_leads_and_the_events_know_better(sample_logs: Path) -> None:
    text = logparse.analyze(sample_logs / f"{BOTH}.log")
    events = logparse.analyze(sample_logs / BOTH)
    both = logparse.analyze(sample_logs / f"{BOTH}.log", events=sample_logs / BOTH)
    assert both.source.reader == "keras + tfevents"
    assert both.source.size == text.source.size + events.source.size
    assert both.runs["law"].to_list() == ["mean of means, true end"]
    assert both.agreement.height == 3 * 5
    assert both.agreement["agrees"].all()
    assert both.findings.filter(pl.col("code") == "LP007").is_empty()
    # The learning rate is in the events alone.
    shown = both.metrics.filter(pl.col("metric") != "learning_rate")
    assert shown["shown"].to_list() == text.metrics["shown"].to_list()
    width = shown["mean_high"] - shown["mean_low"]
    assert (width < 1e-5).all()
    keys = ["epoch", "metric"]
    want = events.metrics.sort(keys).select("mean", "end", "noise")
    assert_frame_equal(both.metrics.sort(keys).select("mean", "end", "noise"), want)
    assert both.epochs["validation_seconds"].to_list() == (
        events.epochs["validation_seconds"].to_list()
    )
    assert both.scalars.height == events.scalars.height
    assert both.updates.height == text.updates.height
    document = json.loads(both.to_json(full=True))["logs"][0]
    assert document["agreement"][0]["agrees"] is True
    truth = truth_of(
        row for row in eras(sample_logs / f"{BOTH}.truth.jsonl") if row.get("ev") == "batch"
    )
    seen, wrong = outside(both, truth, ROUNDED)
    assert (seen, wrong) == (2 * 3 * 61, [])


@pytest.mark.parametrize(
    "version_",
    ["keras-1.2.2", "keras-2.2.4", "keras-2.3.1", "tf-2.0.4", "tf-2.3.4", "tf-2.15.1",
     "keras-3.0.5", "keras-3.12.0", "keras-3.15.1"],
)  # fmt: skip
def test_no_era_contradicts_itself(version_: str, shared_logs: Path) -> None:
    path = shared_logs / "eras" / version_ / "tensorboard.pipe.log"
    both = logparse.analyze(path, events=path.with_suffix(".events"))
    assert both.agreement.height >= 3 * 4
    assert both.agreement["agrees"].all(), both.agreement.filter(~pl.col("agrees"))
    assert both.batches.height > 0
    wrong = pl.col("low") > pl.col("high")
    assert both.batches.filter(wrong).is_empty()


def test_events_of_another_training(sample_logs: Path, shared_logs: Path) -> None:
    path = sample_logs / f"{BOTH}.log"
    other = shared_logs / "eras/tf-2.3.4/tensorboard.pipe.events"
    both = logparse.analyze(path, events=other)
    found = both.findings.filter(pl.col("code") == "LP007")
    assert set(found["severity"]) == {"error"}
    assert set(found["metric"]) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert "hardly of one training" in found["message"][0]
    text = logparse.analyze(path)
    assert both.metrics.equals(text.metrics)
    assert both.epochs.equals(text.epochs)
    assert both.batches.equals(text.batches)


def test_one_number_that_was_changed(tmp_path: Path) -> None:
    line = "4/4 - 1s - loss: {:.4f} - acc: {:.4f} - 1s/epoch - 9ms/step\n"
    log = "".join(f"Epoch {i}/2\n" + line.format(1 / i, 0.5) for i in (1, 2))
    (tmp_path / "train.log").write_text(log)
    data = version()
    for i in (1, 2):
        data += tensor(10.0 * i, i - 1, "epoch_loss", 1 / i)
        data += tensor(10.0 * i, i - 1, "epoch_acc", 0.5 if i == 1 else 0.6)
    (tmp_path / "tfevents.1").write_bytes(data)
    both = logparse.analyze(tmp_path / "train.log", events=tmp_path / "tfevents.1")
    (finding,) = both.findings.filter(pl.col("code") == "LP007").rows(named=True)
    assert (finding["severity"], finding["metric"], finding["epoch"]) == ("warning", "acc", 2)
    assert "0.5 in the text, 0.6 in the events" in finding["message"]
    kept = both.metrics.filter((pl.col("epoch") == 2) & (pl.col("metric") == "acc"))
    assert kept["mean"].to_list() == [0.5]


def test_what_does_not_go_together(sample_logs: Path) -> None:
    log, events = sample_logs / f"{BOTH}.log", sample_logs / BOTH
    with pytest.raises(UsageError, match="name the text"):
        logparse.analyze(events, events=events)
    with pytest.raises(UsageError, match="no TensorBoard events"):
        logparse.analyze(log, events=log)
    with pytest.raises(UsageError, match="give one log"):
        list(logparse.analyze_many([log, log], events=events))
    (failure,) = logparse.analyze_many([log], events=sample_logs / "nothing")
    assert isinstance(failure, logparse.Failure)
    (found,) = logparse.analyze_many([log], events=events)
    assert isinstance(found, logparse.Analysis)
