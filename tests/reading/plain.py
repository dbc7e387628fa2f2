"""A second, plain reader of well-formed Keras logs: what the real one is held to."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(
    r"^\s*(?:(\d+)/(\d+|Unknown) )?"
    r"(?:\[[=>.]+\] - (?:ETA: [\d:]+s?|\d+s(?: \d+[mu]?s/(?:step|sample))?)"
    r"|━* ?[\d:]+s? \d+[mu]?s/step"
    r"|(?:- )?\d+s(?: -)?(?: \d+[mu]?s/step)?)"
    r"((?: - [^\s:]+: [-\w.+]+)+)(?:Epoch|\s*$| - \d+[mu]?s/epoch)"
)
_METRIC = re.compile(r" - ([^\s:]+): (-?(?:nan|inf|\d+\.\d{4}(?:e[+-]\d\d)?))")

Update = tuple[int, int, dict[str, float]]


def updates(text: str) -> list[Update]:
    """(step, of, metrics) of every progress line, 0 for a count that is not printed."""
    found = []
    for piece in re.split(r"[\n\r\b]+", _COLOUR.sub("", text)):
        line = _LINE.match(piece)
        if line:
            metrics = {name: float(value) for name, value in _METRIC.findall(line[3])}
            of = int(line[2]) if line[2] and line[2] != "Unknown" else 0
            found.append((int(line[1] or 0), of, metrics))
    return found


def headers(text: str) -> list[tuple[int, int]]:
    """(i, n) of every ``Epoch i/n``."""
    pattern = re.compile(r"^Epoch (\d+)/(\d+)\r?$", re.MULTILINE)
    return [(int(i), int(n)) for i, n in pattern.findall(text)]
