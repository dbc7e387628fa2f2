"""Numbers in, words out: durations, counts and values as a person reads them, with their unit."""

from __future__ import annotations

import math


def count(n: int, noun: str, plural: str = "") -> str:
    """``1 epoch``, ``1,218 updates``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listing(items: list[str]) -> str:
    """``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def spans(numbers: list[int]) -> str:
    """Sorted numbers with runs joined: ``2, 3, 5-8``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(
        str(low) if low == high else f"{low}, {high}" if high == low + 1 else f"{low}-{high}"
        for low, high in parts
    )


def shown(value: float | None) -> str:
    """A value as Keras prints it, so that it can be found in the log by eye; ``-`` for none."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) >= 1e15:
        return f"{value:.4e}"
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def decimals(error: float) -> int:
    """Decimals worth writing for a value known to +-``error``: two digits of it below 2, or one.

    Negative where the error is tens or more.
    """
    power = math.floor(math.log10(error))
    return -power + (1 if error / 10.0**power < 2 else 0)


def estimate(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its bounds, digits as far as they carry: ``0.942 ±0.012``.

    ``0.93 to 0.99`` where the value is far from the middle; ``-`` where it is unknown.
    """
    if value is None or not math.isfinite(value):
        return "-" if value is None else str(value)
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return f"about {value:.3g}"
    half = (high - low) / 2
    # Below the sixth digit of the value the bounds say nothing a person needs.
    if half <= abs(value) * 5e-6 or half == 0:
        return f"{value:.6g}"
    places = decimals(half)
    if places > 6 or places < -3:
        power = math.floor(math.log10(max(abs(value), half)))
        digits = max(places + power, 0)
        scale = 10.0**power
        return f"({value / scale:.{digits}f} ±{half / scale:.{digits}f})e{power:+03d}"
    if abs((low + high) / 2 - value) > 0.15 * half:
        return f"{_fixed(low, places)} to {_fixed(high, places)}"
    return f"{_fixed(value, places)} ±{_fixed(half, places)}"


def _fixed(value: float, places: int) -> str:
    return f"{round(value, places):.{max(places, 0)}f}"


def duration(seconds: float | None, low: float | None = None, high: float | None = None) -> str:
    """A time span: ``31 ms``, ``12.3 s``, ``3 min 25 s``, ``2 h 59 min``; ``-`` for none.

    Bounds, where given, decide how many decimals of a second are written.
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 60:
        return _short(seconds, low, high)
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02d} h"


def _short(seconds: float, low: float | None, high: float | None) -> str:
    if abs(seconds) >= 1 or not seconds:
        unit, scale = "s", 1.0
    else:
        unit, scale = ("ms", 1e-3) if abs(seconds) >= 1e-3 else ("µs", 1e-6)
    value = seconds / scale
    places = 2 - math.floor(math.log10(abs(value))) if value else 0
    if low is not None and high is not None and math.isfinite(high - low) and high > low:
        if low <= 0:
            return f"< {_short(high, None, None)}"
        places = min(places, math.floor(-math.log10((high - low) / scale)))
    text = _fixed(value, max(places, 0))
    # Nothing says how sure it is: zeros would claim digits that were never printed.
    if low is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {unit}"


def share(part: float, whole: float) -> str:
    """``99.1 %``: never 100 % or 0 % unless all or nothing."""
    if whole <= 0 or part == whole:
        return "100 %" if part == whole else "0 %"
    if part == 0:
        return "0 %"
    percent = 100 * part / whole
    return f"{min(max(percent, 0.1), 99.9):.1f} %"


def number(value: float) -> str:
    """A plain number with four significant digits, all of them if it is whole or large."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:.4g}"
