"""``replay like``: a log's network timed here, without its input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logparse.errors import LogparseError
from logparse.replay import like
from logparse.replay.likeness import ALIKE, text
from logparse.replay.network import CannotRebuildError
from tests.replay.conftest import Replays

pytestmark = pytest.mark.xdist_group("replay")

LOG = Path(__file__).resolve().parents[2] / "sample_logs" / "keras-3.15.1" / "fit.log"


def test_a_log_that_waited_is_told_from_computing() -> None:
    """The real training slept 50 ms in each step of a network of 276 parameters."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    found = like(LOG, device="cpu", seconds=0.5)
    assert found.batch == 32
    assert found.counts == "steps"
    assert sum(layer.parameters or 0 for layer in found.network.layers) == 276
    assert found.step_here == pytest.approx(
        sorted(found.step_seconds)[len(found.step_seconds) // 2], rel=0.2
    )
    assert found.step_log is not None
    assert found.ratio == found.step_log / found.step_here
    said = " ".join(text(found).split())
    waited = "of a step was not computing the network" in said
    assert waited == (found.ratio >= ALIKE)  # whether it is depends on how busy this machine is
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_network_of_a_replay_is_found_in_its_log(replays: Replays) -> None:
    found = like(replays.root / "augmentation-plain" / "train.log", device="cpu", seconds=0.2)
    assert found.network.shape == (32, 32, 3)
    assert [layer.kind for layer in found.network.layers].count("Conv2D") == 4


def test_a_log_without_a_summary_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("Epoch 1/1\n10/10 [====] - 1s - loss: 0.5\n")
    with pytest.raises(CannotRebuildError, match=r"there is no model\.summary\(\) in the log"):
        like(log)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogparseError):
        like(tmp_path / "absent.log")
