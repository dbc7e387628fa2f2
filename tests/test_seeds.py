"""docs/make_seeds.py -> the logs of questions that posted numbers only are what it writes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import polars as pl
import pytest

import logparse

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("make_seeds", ROOT / "docs" / "make_seeds.py")
assert SPEC is not None
assert SPEC.loader is not None
MAKE = importlib.util.module_from_spec(SPEC)

POSTED = {
    "000_slow_first_epoch.log": ([1856, 34, 34, 34, 34], "2.0.9-2.3.1"),
    "001_image_data_generator.log": ([3480] * 5, None),
    "001_tf_data.log": ([1380] * 5, None),
    "001_tf_data_file_cache.log": ([2520, 840, 840, 840, 840], None),
    "002_generator.log": ([22], "0.1-2.0.8"),
    "002_without_apply_transform.log": ([28], "0.1-2.0.8"),
    "002_without_matrices.log": ([25], "0.1-2.0.8"),
}
"""Seconds an epoch as the questions say, and what of the Keras version the lines prove."""


@pytest.fixture(scope="module")
def logs() -> dict[str, bytes]:
    import sys

    sys.modules["make_seeds"] = MAKE
    SPEC.loader.exec_module(MAKE)  # type: ignore[union-attr]
    found: dict[str, bytes] = MAKE.logs()
    return found


def test_the_logs_are_what_the_script_writes(logs: dict[str, bytes]) -> None:
    assert set(logs) == set(POSTED)
    for name, data in logs.items():
        assert (ROOT / "sample_logs" / "seeds" / name).read_bytes() == data, name


@pytest.mark.parametrize("name", sorted(POSTED))
def test_they_are_read_whole_and_show_what_was_posted(name: str) -> None:
    seconds, keras = POSTED[name]
    found = logparse.analyze(ROOT / "sample_logs" / "seeds" / name)
    assert found.source.rejected == found.source.pending == 0
    assert found.epochs["complete"].all()
    posted = pl.Series(seconds, dtype=pl.Float64)
    # The printed second, rounded or truncated; the bar of TF 2.3 begins after the first step.
    assert ((found.epochs["seconds"] - posted).abs() < 1.01).all()
    assert keras is None or str(found.runs["keras"][0]).startswith(keras)
