"""Closed epochs of one run as columns: what ``runs`` gives to all that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Floats, Ints

Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Epochs:
    """Closed epochs of one run, their rows (updates) sorted by epoch, then step.

    e epochs, n rows. Times are seconds as printed, nan where absent; see ``records.Updates``.
    """

    starts: Ints
    """[e+1] row offsets: epoch i has the rows ``starts[i]:starts[i+1]``, at least one."""
    epoch: Ints
    """[e] number of the epoch in its run, from 1."""
    of: Ints
    """[e] steps of a whole epoch, 0 where unknown."""
    total: Ints
    """[e] the same in the bar's own unit (samples or steps), 0 where unknown."""
    complete: Bools
    """[e] its last line is in the log."""
    step: Ints
    """[n] batches done."""
    seen: Ints
    """[n] samples done where the bar counts samples, else batches done."""
    final: Bools
    """[n] the last line of its epoch: at most one an epoch, its last row."""
    form: NDArray[np.int8]
    """[n] ``records.Form``."""
    eta: Floats
    elapsed: Floats
    per_step: Floats
    per_step_unit: Floats
    per_epoch: Floats
    per_epoch_unit: Floats
    clock: Floats
    values: dict[str, Floats]
    """[n] a metric: the number as shown, nan where it is not on that line or was ``nan``."""
    decimals: dict[str, NDArray[np.int8]]
    """[n] a metric: decimals printed, ``records.EXPONENT`` for %.4e, 0 where it is not there."""

    def __len__(self) -> int:
        return len(self.starts) - 1
