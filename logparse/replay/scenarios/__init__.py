"""The scenarios, one file each: a name in, its ``Scenario`` out. None imports TensorFlow."""

from __future__ import annotations

from importlib import import_module

from logparse.replay.scenario import Scenario

NAMES = ("epoch-jump", "first-epoch", "pipelines", "augmentation", "finetune", "clean")
"""All scenarios. A new one is one file here and its name in this line."""


def scenario(name: str) -> Scenario:
    """A scenario by name."""
    module = import_module(f"logparse.replay.scenarios.{name.replace('-', '_')}")
    found: Scenario = module.SCENARIO
    return found


def all_scenarios() -> list[Scenario]:
    """All scenarios."""
    return [scenario(name) for name in NAMES]
