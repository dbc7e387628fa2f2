"""Fits of one epoch each in, those that are an outer loop told: its epochs are numbered on.

``for _ in range(n): model.fit(..., epochs=1)`` with a TensorBoard callback writes a file a fit, and
each calls its epoch 0. What goes on is told by the counter of the optimizer, which Keras writes
with every validation; without one by the name of the file, which has the process and a number.
"""

from __future__ import annotations

import re

from logparse.reading.keras_plan import Epoch, Fit

_NAME = re.compile(r"tfevents\.\d+\.(?P<host>.+)\.(?P<process>\d+)\.(?P<number>\d+)(\.v2)?$")


def number_on(files: list[tuple[str, list[Fit], list[list[Epoch]]]]) -> None:
    """Number the epochs of outer loops on.

    Args:
        files: the training files of a run in order of time: name, fits, and their epochs.
    """
    done = 0
    before: tuple[str, Epoch] | None = None
    for index, (name, fits, epochs) in enumerate(files):
        only = _only(fits, epochs, last=index == len(files) - 1)
        goes_on = only is not None and before is not None and _same_training(before, (name, only))
        done = done + 1 if goes_on else 0
        if only is not None:
            only.number += done
        before = (name, only) if only is not None and only.closing is not None else None


def _only(fits: list[Fit], epochs: list[list[Epoch]], *, last: bool) -> Epoch | None:
    """The epoch of a file that holds one fit of one epoch; the last may be under way."""
    if len(fits) != 1 or len(epochs[0]) != 1:
        return None
    epoch = epochs[0][0]
    return epoch if epoch.number == 1 and (epoch.closing is not None or last) else None


def _same_training(before: tuple[str, Epoch], after: tuple[str, Epoch]) -> bool:
    """Whether a fit trains the network on that the one before it left."""
    (name, epoch), (next_name, next_epoch) = before, after
    first = epoch.closing.iterations if epoch.closing else 0
    second = next_epoch.closing.iterations if next_epoch.closing else 0
    if first and second:
        return second > first and (not next_epoch.of or second - first == next_epoch.of)
    found, other = _NAME.search(name), _NAME.search(next_name)
    if not found or not other or found["host"] != other["host"]:
        return False
    return found["process"] == other["process"] and int(found["number"]) < int(other["number"])
