"""Runs of event files in, one polars frame of their scalars out."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from logparse.reading.event_names import PARTS, Restarts
from logparse.reading.event_runs import EventRun
from logparse.reading.event_values import DTYPES
from logparse.reading.tfevents import Scalars


def scalars_frame(runs: list[EventRun], *, restarts: Restarts = "keep") -> pl.DataFrame:
    """Scalars of runs of one folder as one frame, in file order.

    Columns: run, file (index in the run's ``segments``), part, segment, order (place among the
    scalars of the file), byte, wall_time, step, tag, value (float64), dtype. A step is no key: a
    tag may count from 1 again in the next file, or in the same.
    """
    files = [
        (run_index, file_index, segment, run.scalars[file_index])
        for run_index, run in enumerate(runs)
        for file_index, segment in enumerate(run.segments)
    ]
    sizes = np.array([sum(map(len, blocks)) for *_, blocks in files], np.int64)
    blocks = [block for *_, blocks in files for block in blocks]

    def repeated(numbers: list[int]) -> NDArray[np.uint32]:
        return np.repeat(np.array(numbers, np.uint32), sizes)

    order = [np.arange(size, dtype=np.uint32) for size in sizes.tolist()]
    parts = ["", *PARTS]
    codes = [DTYPES[code][0] if code in DTYPES else None for code in range(max(DTYPES) + 1)]
    whole = pl.DataFrame(
        [
            _named("run", [run.name for run in runs], repeated([file[0] for file in files])),
            pl.Series("file", repeated([file[1] for file in files])),
            _named("part", parts, repeated([parts.index(file[2].part) for file in files])),
            pl.Series("segment", repeated([file[2].number for file in files])),
            pl.Series("order", np.concatenate(order) if order else [], pl.UInt32),
            _joined(blocks, "byte", "i8"),
            _joined(blocks, "wall_time", "f8"),
            _joined(blocks, "step", "i8"),
            _named("tag", runs[0].tags if runs else [], _joined(blocks, "tag", "u4")),
            _joined(blocks, "value", "f8"),
            _named("dtype", codes, _joined(blocks, "dtype", "u1")),
        ]
    )
    return _restarted(whole, restarts)


def _joined(blocks: list[Scalars], name: str, kind: str) -> pl.Series:
    """One field of all blocks; those of a large file are not copied."""
    parts = [getattr(block, name).view(kind) for block in blocks if len(block)]
    if sum(map(len, parts)) < _LARGE_ROWS * len(parts):
        parts = [np.concatenate(parts)]
    if not parts:
        return pl.Series(name, np.empty(0, kind))
    return pl.concat([pl.Series(name, part) for part in parts])


_LARGE_ROWS = 1 << 12
"""Rows of a block, on average, from which copying costs more than a column of many pieces."""


def _named(
    name: str, names: list[str] | list[str | None], codes: pl.Series | NDArray[np.uint32]
) -> pl.Series:
    """Names for numbers, each name kept once."""
    kind = pl.Enum([text for text in names if text is not None])
    values = pl.Series(name, names, dtype=kind)
    if len(codes) and (codes == codes[0]).all():
        return values.new_from_index(int(codes[0]), len(codes))
    return values.gather(pl.Series(codes, dtype=pl.UInt32))


def _restarted(whole: pl.DataFrame, restarts: Restarts) -> pl.DataFrame:
    if restarts == "keep":
        return whole
    key = ["run", "part", "tag"]
    if restarts == "segment":
        again = (pl.col("step").diff() <= 0) | (pl.col("segment").diff() != 0)
        return whole.with_columns(
            (again.fill_null(value=False).cum_sum() + 1).over(key).cast(pl.UInt32).alias("segment")
        )
    # A row stays if no later row of its tag has the same step or an earlier one.
    later = pl.col("step").reverse().cum_min().reverse().shift(-1)
    return whole.filter((later.is_null() | (later > pl.col("step"))).over(key))
