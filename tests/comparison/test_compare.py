"""Logs of known times and metrics -> the tables of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest

import logparse
from logparse.comparison.timing import ahead_from
from logparse.errors import LogparseError, SourceError, UsageError
from logparse.findings.comparison import short_names
from logparse.reports.comparison_json import baseline_schema, comparison_schema
from tests.comparison.logs import made_log, write_log

ERAS = ("keras-1.2.2", "keras-2.2.4", "keras-2.3.1", "keras-3.0.5", "keras-3.12.0", "keras-3.15.1",
        "tf-2.0.4", "tf-2.3.4", "tf-2.15.1")  # fmt: skip
MINUTE = 60


def rows(table: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return table.select(columns).rows()


def near(expected: Any) -> Any:
    """The same to a part in a thousand: printed times are rounded."""
    return pytest.approx(expected, rel=1e-3)


@pytest.fixture
def pipelines(tmp_path: Path) -> list[Path]:
    """Seed 001: ImageDataGenerator, tf.data, tf.data with cache."""
    times = {"generator": [58] * 5, "tfdata": [23] * 5, "cached": [42, 14, 14, 14, 14]}
    return [
        write_log(tmp_path / f"{name}.log", [MINUTE * t for t in minutes])
        for name, minutes in times.items()
    ]


def test_seed_001_is_2_5_and_4_1_times_as_fast(sample_logs: Path) -> None:
    names = ("image_data_generator", "tf_data", "tf_data_file_cache")
    found = logparse.compare(*(sample_logs / "seeds" / f"001_{name}.log" for name in names))
    assert found.ratios["verdict"].to_list() == ["faster", "faster"]
    assert (1 / found.ratios["ratio"]).to_list() == pytest.approx([2.52, 4.14], abs=0.005)
    assert rows(found.overtakes, "side", "other", "epoch", "low", "high") == [
        (2, 1, 1, 1, 1),
        (3, 1, 1, 1, 1),
        (3, 2, 4, 4, 4),
    ]
    assert found.totals["seconds"].to_list() == near([290 * MINUTE, 115 * MINUTE, 98 * MINUTE])
    assert rows(found.totals, "epochs", "measured") == [(5, True)] * 3
    assert found.sides["overhead_seconds"].to_list() == near([0, 0, 28 * MINUTE])
    assert not found.slower
    text = str(found)
    assert "2.52 times as fast as A" in text
    assert "4.14 times as fast as A" in text
    assert "C starts slower than B and is ahead of it in total time from the end of epoch" in text


def test_seed_002_is_27_percent_slower_and_one_epoch_a_side_cannot_settle_it(
    sample_logs: Path,
) -> None:
    names = ("generator", "without_apply_transform")
    logs = [sample_logs / "seeds" / f"002_{name}.log" for name in names]
    found = logparse.compare(*logs, limit=0.05)
    # Times that this Keras truncates: 22 s is 22 to 23, so 28.5 over 22.5.
    assert found.ratios["ratio"][0] == pytest.approx(28.5 / 22.5)
    assert found.ratios["low"][0] is None
    (finding,) = found.findings.rows(named=True)
    assert finding["code"] == "LP502"
    assert "27 % slower" in finding["message"]
    assert (
        "one epoch on its side and one epoch on the baseline's cannot settle it"
        in (finding["message"])
    )
    assert not found.slower


def test_slower_for_sure_is_lp501_with_its_arithmetic(tmp_path: Path) -> None:
    a = write_log(tmp_path / "a.log", [30, 20, 21, 20, 21, 20, 21])
    b = write_log(tmp_path / "b.log", [30, 28, 29, 28, 29, 28, 29])
    found = logparse.compare(a, b, limit=0.05)
    assert found.slower
    (finding,) = found.findings.rows(named=True)
    assert (finding["code"], finding["severity"], finding["side"]) == ("LP501", "warning", 2)
    assert finding["value"] == pytest.approx(57 / 41, rel=0.01)
    assert (finding["baseline"], finding["threshold"], finding["n"]) == (1.0, 1.05, 6)
    assert "40 % slower" in finding["message"]
    assert not logparse.compare(b, a, limit=0.05).slower
    assert not logparse.compare(a, b, limit=0.5).slower


def test_equal_pipelines_are_the_same_or_not_settled(tmp_path: Path) -> None:
    a = write_log(tmp_path / "a.log", [300, 200, 201, 199, 200, 201, 199, 200])
    b = write_log(tmp_path / "b.log", [320, 200, 199, 201, 200, 199, 201, 200])
    found = logparse.compare(a, b)
    assert rows(found.ratios, "verdict", "more") == [("same", None)]
    assert found.findings.height == 0
    noisy = write_log(tmp_path / "c.log", [320, 200, 240, 190, 230, 180, 210, 260])
    unsure = logparse.compare(a, noisy)
    assert unsure.ratios["verdict"].to_list() == ["unsure"]
    assert unsure.ratios["more"][0] > 0
    assert "more epochs on each side would settle it" in unsure.findings["advice"][0]


@pytest.mark.parametrize("epochs", [4, 40])
def test_totals_of_more_epochs_than_a_log_has_are_computed(
    pipelines: list[Path], epochs: int
) -> None:
    found = logparse.compare(*pipelines, epochs=epochs)
    expected = [58 * epochs, 23 * epochs, 42 + 14 * (epochs - 1)]
    assert found.totals["seconds"].to_list() == near([MINUTE * t for t in expected])
    assert found.totals["measured"].to_list() == [epochs == 4] * 3


@pytest.mark.parametrize(
    ("fast", "slow", "rates", "epoch"),
    [
        ([42.0], [23.0], (14.0, 23.0), 4),
        ([42.0], [58.0], (14.0, 58.0), 1),
        ([], [], (1.0, 2.0), 1),
        ([30.0], [10.0], (10.0, 20.0), 4),  # 30 40 50 60 against 10 30 50 70: a tie is not ahead
        ([5.0, 50.0], [10.0], (9.0, 10.0), 38),
        ([10.0], [10.0], (10.0, 10.0), None),
    ],
)
def test_the_epoch_from_which_one_leads(
    fast: list[float], slow: list[float], rates: tuple[float, float], epoch: int | None
) -> None:
    assert ahead_from(np.array(fast), np.array(slow), *rates) == epoch
    if epoch:
        ends = [
            np.cumsum([*part, *[rate] * (60 - len(part))])
            for part, rate in ((fast, rates[0]), (slow, rates[1]))
        ]
        assert (ends[0] < ends[1])[epoch - 1 :].all()
        assert epoch == 1 or ends[0][epoch - 2] >= ends[1][epoch - 2]


def test_metrics_at_equal_epoch_step_and_time(tmp_path: Path) -> None:
    a = write_log(tmp_path / "a.log", [20, 10, 10, 10], steps=100, losses=[0.9, 0.8, 0.7, 0.6])
    b = write_log(tmp_path / "b.log", [40, 30, 30], steps=50, losses=[0.5, 0.4, 0.3])
    found = logparse.compare(a, b).metrics
    assert rows(found, "at", "place", "side", "epoch", "value") == [
        ("epoch", 3.0, 1, 3, 0.7),
        ("epoch", 3.0, 2, 3, 0.3),
        ("step", 150.0, 1, 1, 0.9),
        ("step", 150.0, 2, 3, 0.3),
        ("time", pytest.approx(50, abs=1), 1, 4, 0.6),
        ("time", pytest.approx(50, abs=1), 2, 1, 0.5),
    ]


def test_wrong_printed_means_are_replaced_by_the_rebuilt_ones(sample_logs: Path) -> None:
    # Keras 3.0.5 prints means of means on its last lines.
    log = sample_logs / "keras-3.0.5" / "outer.log"
    found = logparse.compare(log, logparse.analyze(log))
    analysis = logparse.analyze(log)
    last = analysis.metrics.filter(epoch=analysis.epochs["epoch"].max(), metric="loss")
    value = found.metrics.filter(metric="loss", at="epoch", side=1)
    assert value["rebuilt"].item()
    assert value["value"].item() == last["mean"].item() != last["shown"].item()


def test_a_group_is_judged_by_the_differences_between_its_runs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for side, levels in (("base", (100, 120, 140)), ("new", (105, 125, 146))):
        (tmp_path / side).mkdir()
        for seed, level in enumerate(levels):
            times = [2 * level, *np.round(rng.normal(level, 1, 30))]
            losses = [1 / (i + 1) + seed / 100 for i in range(31)]
            write_log(tmp_path / side / f"{seed}.log", times, losses=losses)
    single = logparse.compare(tmp_path / "base/0.log", tmp_path / "new/0.log")
    assert single.ratios["verdict"].to_list() == ["slower"]
    group = logparse.compare(tmp_path / "base", str(tmp_path / "new" / "*.log"))
    assert group.ratios["verdict"].to_list() == ["unsure"]
    assert group.ratios["n"].to_list() == [3]
    assert group.sides["runs"].to_list() == [3, 3]
    middle = group.metrics.filter(at="epoch", side=1)
    assert middle["low"].item() < middle["value"].item() < middle["high"].item()
    assert middle["runs"].item() == 3


def test_slowfirst_does_not_count_its_warm_up(shared_logs: Path) -> None:
    logs = [shared_logs / "eras" / era / "slowfirst.pipe.log" for era in ERAS]
    for one in logs[1:]:
        found = logparse.compare(logs[0], one)
        uses = found.epochs.filter(side=2)["use"].to_list()
        assert uses == ["warm-up", *["steady"] * 4, "slow", *["steady"] * 2], one


@pytest.mark.parametrize("kind", ["fit", "throttled", "messages", "quiet", "multi"])
def test_real_logs_of_one_kind_compare(shared_logs: Path, kind: str) -> None:
    logs = [shared_logs / "eras" / era / f"{kind}.pipe.log" for era in ERAS]
    found = logparse.compare(*(log for log in logs if log.exists()))
    assert found.sides.height >= 8
    assert found.ratios.height == found.sides.height - 1
    assert found.metrics.height > 0
    jsonschema.Draft202012Validator(comparison_schema()).validate(json.loads(found.to_json()))


def test_a_baseline_file_compares_like_its_logs(pipelines: list[Path], tmp_path: Path) -> None:
    from logparse.comparison.baseline import baseline_text
    from logparse.comparison.sides import side_of

    text = "".join(baseline_text(side_of(pipelines[0])))
    jsonschema.Draft202012Validator(baseline_schema()).validate(json.loads(text))
    saved = tmp_path / "perf.json"
    saved.write_text(text)
    assert logparse.compare(saved, pipelines[2]).to_json() == (
        logparse.compare(pipelines[0], pipelines[2]).to_json()
    )


def test_a_damaged_baseline_file_is_one_sentence(pipelines: list[Path], tmp_path: Path) -> None:
    from logparse.comparison.baseline import baseline_text
    from logparse.comparison.sides import side_of

    text = "".join(baseline_text(side_of(pipelines[0])))
    bad = tmp_path / "perf.json"
    for wrong in (
        text[:-40],
        text.replace('"1.0"', '"2.0"', 1),
        text.replace("3480.0", '"3480.0"', 1),
        text.replace('"complete": true', '"complete": 1', 1),
        text.replace('"epochs": [', '"epochs": [7,', 1),
        text.replace('"run": 1', '"run": 1e400', 1),
        text.replace('"seconds": ', '"seconds": NaN, "was": ', 1),
        text.replace('"seconds": ', '"seconds": 1e400, "was": ', 1),
        text.replace('"run": 1', f'"run": {10**30}', 1),
        text.replace('"notes": []', '"notes": {}', 1),
    ):
        assert wrong != text
        bad.write_text(wrong)
        with pytest.raises(UsageError, match=r"perf\.json: a (damaged )?baseline file"):
            logparse.compare(bad, pipelines[0])


def test_what_cannot_be_compared_is_one_sentence(pipelines: list[Path], tmp_path: Path) -> None:
    prose = tmp_path / "prose.txt"
    prose.write_text("no training here\n")
    for sides, error in (
        ([pipelines[0]], UsageError),
        ([pipelines[0], []], UsageError),
        ([pipelines[0], prose], LogparseError),
        ([pipelines[0], tmp_path / "none.log"], SourceError),
        ([[pipelines[0], pipelines[0]], pipelines[1]], UsageError),
    ):
        with pytest.raises(error):
            logparse.compare(*sides)
    for wrong in ({"limit": -1}, {"epochs": 0}, {"by": "hour"}):
        with pytest.raises(UsageError):
            logparse.compare(*pipelines, **wrong)


def test_a_broken_log_in_a_group_is_named_and_stops_nothing(tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    write_log(group / "a.log", [10, 10, 10])
    (group / "b.log.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    found = logparse.compare(group, group / "a.log")
    assert [failure.name for failure in found.failures] == [str(group / "b.log.gz")]
    assert any("b.log.gz" in text for text in found.notes["text"])


def test_logs_without_times_compare_their_metrics(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("epoch,loss,lr\n0,0.9,0.1\n1,0.5,0.1\n")
    (tmp_path / "b.csv").write_text("epoch,loss,lr\n0,0.8,0.1\n1,nan,0.1\n")
    found = logparse.compare(tmp_path / "a.csv", tmp_path / "b.csv")
    assert found.ratios.height == 0
    assert rows(found.metrics, "metric", "at", "value") == [
        ("loss", "epoch", 0.5),
        ("loss", "epoch", None),
        ("loss", "step", 0.5),
        ("loss", "step", None),
    ]
    assert "only the metrics are compared" in str(found)


def test_many_epochs_of_a_resumed_log_without_its_beginning(tmp_path: Path) -> None:
    whole = made_log([100, *[50] * 9])
    (tmp_path / "cut.log").write_text(whole[whole.index("Epoch 3") + 12 :])
    (tmp_path / "whole.log").write_text(whole)
    found = logparse.compare(tmp_path / "whole.log", tmp_path / "cut.log")
    assert found.ratios["verdict"].to_list() == ["same"]


def test_steps_are_compared_where_epochs_differ_in_length(tmp_path: Path) -> None:
    a = write_log(tmp_path / "a.log", [100] * 6, steps=100)
    b = write_log(tmp_path / "b.log", [100] * 6, steps=50)
    found = logparse.compare(a, b)
    assert rows(found.ratios, "quantity", "ratio") == [
        ("epoch", pytest.approx(1.0)),
        ("step", pytest.approx(2.0)),
    ]
    assert found.findings.height == 0
    assert logparse.compare(a, b, by="step").slower
    assert any("different numbers of steps" in text for text in found.notes["text"])


def test_a_drifting_run_is_said_to_have_no_steady_state(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", list(np.linspace(100, 200, 30)))
    flat = write_log(tmp_path / "b.log", [100] * 30)
    notes = logparse.compare(flat, log).notes
    assert any("no steady state" in text for text in notes.filter(side=2)["text"])


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["runs/a/t.log", "runs/b/t.log"], ["a/t.log", "b/t.log"]),
        (["runs/t.log", "runs/t.log"], ["t.log", "t.log"]),
        (["/x/a.log", "b.log"], ["/x/a.log", "b.log"]),
        (["x/y", "x/y/z.log"], ["y", "y/z.log"]),
        (["", "a"], ["", "a"]),
    ],
)
def test_findings_leave_out_the_folders_that_all_sides_share(
    names: list[str], short: list[str]
) -> None:
    assert short_names(names) == short


def test_a_log_on_two_sides_is_pointed_out(pipelines: list[Path]) -> None:
    found = logparse.compare(pipelines[0], pipelines[1:], pipelines[:2])
    assert any("is that meant?" in text for text in found.notes["text"])
