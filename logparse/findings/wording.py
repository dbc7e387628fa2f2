"""Numbers in, the words that messages of findings share out."""

from __future__ import annotations

import math


def number(value: float, like: float = 0.0) -> str:
    """As Keras prints it: four decimals, fewer for large numbers, no exponent for usual sizes."""
    size = max(abs(value), abs(like))
    if size == 0:
        return "0"
    if size < 1e-3 or size >= 1e6:
        return f"{value:.3g}"
    return f"{value:.{max(0, min(4, 5 - math.floor(math.log10(size)) - 1))}f}"


def duration(seconds: float) -> str:
    """Seconds with two digits or more, and the unit."""
    if seconds < 1:
        return f"{1000 * seconds:.2g} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:,.0f} s"


def long_duration(seconds: float) -> str:
    """Seconds as minutes or hours where they are many: ``36 min``, ``20.6 h``."""
    if seconds < 600:
        return duration(seconds)
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def ratio(value: float, baseline: float) -> str:
    """``6 % longer than`` or ``2.5 times as long as``, to stand before the baseline."""
    if baseline <= 0:
        return "longer than"
    times = value / baseline
    if times >= 2:
        return f"{times:.2g} times as long as" if times < 10 else f"{times:.0f} times as long as"
    return f"{100 * abs(times - 1):.0f} % {'longer' if times >= 1 else 'shorter'} than"


def count(n: int, noun: str) -> str:
    """``1 epoch``, ``1,218 epochs``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def rounded(value: float) -> str:
    """A large count with two digits or three: ``15,000``, ``16.9 million``."""
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    digits = max(len(f"{value:.0f}") - 2, 0)
    return f"{round(value, -digits):,.0f}"
