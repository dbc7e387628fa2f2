"""A Keras version as a user says it -> the law of the averages that it shows."""

from __future__ import annotations

import re

from logparse.errors import UsageError
from logparse.training.laws import BLEND, DOUBLE, DOUBLE_TRUE, MEAN

SHOWN_LAWS = (MEAN, BLEND, DOUBLE, DOUBLE_TRUE)
"""The laws that a whole run can follow."""


def law_of_keras(version: str) -> str:
    """The law of the metrics shown by one version of keras, like ``3.10`` or ``2.15.1``.

    Sources: keras-team/keras 1.0 to 3.15, tf_keras 2.21. TF 2.4 is not a Keras version.

    Raises:
        UsageError: not a version, or none that was published.
    """
    found = re.fullmatch(r"(\d{1,2})\.(\d{1,3})(?:\.\d{1,3})?", version.strip())
    if not found:
        raise UsageError(f"{version!r} is not a version of Keras; write one like 3.10 or 2.15")
    number = (int(found[1]), int(found[2]))
    if number[0] > 3:
        raise UsageError(f"Keras {version} is not known; the latest known is 3.15")
    if number >= (3, 15) or (2, 4) <= number < (3, 0) or number < (2, 0):
        return MEAN
    if number < (3, 0):
        return BLEND
    return DOUBLE if number < (3, 11) else DOUBLE_TRUE
