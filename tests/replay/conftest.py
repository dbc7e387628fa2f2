"""Trainings that all tests of replay share: one process, smoke scale, every scenario."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import pytest

from logparse.replay.trainer import Outcome, run

RUNS = (
    "epoch-jump/ordinary",
    "epoch-jump/sorted",
    "epoch-jump/memorisable",
    "first-epoch/slow-storage",
    "pipelines/imagedatagenerator",
    "pipelines/cache-memory",
    "pipelines/cache-file",
    "augmentation/transform",
    "augmentation/plain",
    "finetune/recomputed",
    "finetune/features",
    "clean",
)
"""Every scenario; not every variant, since they differ in little at this scale."""

LEGACY = ("epoch-jump/ordinary", "clean")
"""Those that are trained with tf-keras, too."""


class Replays(NamedTuple):
    """What was trained, where, and what was said of it."""

    root: Path
    outcome: Outcome
    said: list[str]


def _train(tmp: Path, words: tuple[str, ...], keras: str, seed: int = 1) -> Replays:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed (it lacks on this Python)")
    said: list[str] = []
    outcome = run(words, tmp, device="cpu", keras=keras, seed=seed, say=said.append)
    return Replays(tmp, outcome, said)


@pytest.fixture(scope="session")
def replays(tmp_path_factory: pytest.TempPathFactory) -> Replays:
    """Every scenario with Keras 3."""
    return _train(tmp_path_factory.mktemp("replays"), RUNS, "keras")


@pytest.fixture(scope="session")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Replays:
    """A few with tf-keras, from another seed."""
    return _train(tmp_path_factory.mktemp("legacy"), LEGACY, "tf-keras", 2)
