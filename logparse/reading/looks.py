"""One progress line in, the template of all lines that look like it out.

A look is learned by the grammar once in a process: the logs of one program look alike.
"""

from __future__ import annotations

import re

from logparse.reading.bar_columns import Template, fits
from logparse.reading.keras_bar import CONTROL
from logparse.reading.shapes import Shape, Span
from logparse.reading.stretch import parse_stretch, raw_offsets

KEPT = 1024
"""Looks remembered before all are forgotten."""

_CODED = re.compile(rb"(?:\\[ux0]|#0)[0-9A-Fa-f]{2,4}")
"""Characters in the notations of JSON and syslog: their digits are no numbers."""

_ALIKE = bytes.maketrans(b"123456789=>", b"000000000..")
"""Bytes that may differ in lines of one look: digits, and the filling of a bar."""

_known: dict[bytes, list[Template]] = {}
"""Templates by the line that they were learned from, seen through ``_ALIKE``."""


def template_of(raw: bytes) -> Template | None:
    """The template of a stretch that holds one progress line and nothing else of interest."""
    look = raw.translate(_ALIKE)
    for template in _known.get(look, ()):
        if template.shape.fixes(raw):
            return template
    found = _learn(raw)
    if found is not None:
        if len(_known) >= KEPT:
            _known.clear()
        _known.setdefault(look, []).append(found)
    return found


def _learn(raw: bytes) -> Template | None:
    """The template, found by the grammar."""
    parsed = parse_stretch(raw)
    if not parsed.plain or len(parsed.lines) != 1 or not fits(parsed.lines[0]):
        return None
    if not raw_offsets(parsed):
        return None
    line = parsed.lines[0]
    fixed = [code.span() for code in _CODED.finditer(raw)] + line.names
    fixed += [code.span() for code in CONTROL.finditer(raw)]
    bars = [line.bar] if line.bar else []
    shape = Shape(raw, _digit_spans(raw, fixed), bars)
    ignored = {rule: size for rule, size in parsed.ignored.items() if size}
    return Template(shape, line, parsed.prefix, parsed.read, ignored)


def _digit_spans(raw: bytes, fixed: list[Span]) -> list[Span]:
    """Digits that may differ within a shape: all but those of names and colour codes."""
    spans: list[Span] = []
    at = 0
    for start, end in [*sorted(fixed), (len(raw), len(raw))]:
        spans.extend((i, i + 1) for i in range(at, start) if 48 <= raw[i] <= 57)
        at = max(at, end)
    return spans
