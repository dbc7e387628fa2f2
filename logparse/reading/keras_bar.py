"""One stretch of text -> the progress line in it: every form Keras printed, as spans of fields.

This file is the only definition of the progress line. ``shapes`` learns from its spans where the
fields of a form lie and then decodes all lines of that form together; a test holds it to this.

Forms, by era (from the tagged sources of keras-team/keras, tf.keras and tf_keras)::

    192/500 [====>....] - ETA: 0s - loss: 1.1380               0.1 to 2.0.8
    64/500 [==>....] - ETA: 2:15:00 - loss: 1.0396             2.0.9 on
    500/500 [====] - 1s 2ms/sample - loss: 1.1396              TF 1.15 to 2.1
    59/Unknown - 1s 3ms/step - loss: 0.9230                    tf.keras, length unknown
    61/61 ━━━━━━━━━━━━━━━━━━━━ 4s 58ms/step - accuracy: 0.5551 Keras 3; the time left has no label
    0s - loss: 0.3490  |   - 1s - loss: 0.3490                 verbose=2 up to 2.3.1
    14/14 - 0s - loss: 0.6261 - 130ms/epoch - 9ms/step         verbose=2 of tf.keras
    32/32 - 3s - 106ms/step - accuracy: 0.3125                 verbose=2 of Keras 3
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field

from logparse.limits import ROW_METRICS
from logparse.reading.records import EXPONENT, WHOLE, Form

Span = tuple[int, int]

UNITS = {b"s": 1.0, b"ms": 1e-3, b"us": 1e-6}

_UNIT_TIME = rb"(?P<{0}>\d{{1,15}})(?P<{0}_unit>us|ms|s)"


def _unit_time(name: str) -> bytes:
    return _UNIT_TIME.replace(b"{0}", name.encode()).replace(b"{{", b"{").replace(b"}}", b"}")


_PER = _unit_time("per_step") + rb"/(?:step|sample)s?(?![A-Za-z])"

COUNT = re.compile(rb"(?P<step>\d{1,15})/(?P<of>\d{1,15}|Unknown)(?= )")
BAR = re.compile(rb" {1,2}\[(?P<bar>[=>.]{1,400})\]")
# Keras 3; a stream that cannot hold the bar's character shows ?, other bytes or nothing.
HEAVY = re.compile(
    rb" (?:(?:[\x80-\xff]|\?|\\u2501){1,400} )? ?(?P<heavy>\d{1,9}(?::\d\d){0,2}(?:s|(?<=:\d\d)))"
    rb"(?: (?P<per>" + _PER + rb"))"
)
ETA = re.compile(rb" - ETA: (?P<eta>\d{1,15}s|\d{1,9}(?::\d\d){1,2})(?![\d:])")
ELAPSED = re.compile(rb" - (?P<elapsed>\d{1,15})s(?: " + _PER + rb")?(?=\s| - |$)")
QUIET = re.compile(rb" - (?P<elapsed>\d{1,15})s(?: (?P<dash>- )?" + _PER + rb")?(?=\s| - |$)")
QUIET_BARE = re.compile(rb"(?:^|(?<=[\s>:\]]))(?:- )?(?P<elapsed>\d{1,15})s(?= - [^\s:]+: [-\dni])")
TAIL = re.compile(rb" - " + _unit_time("per_epoch") + rb"/epoch - " + _PER)
NAME = re.compile(
    rb" - (?:(?P<plain>[^\s:]{1,200})|(?P<words>[^\s:]{1,200}(?: [^\s:-]\S{0,99}){1,4})): "
)

_END = rb"(?= - |\s*$)"
_WHOLE = re.compile(
    rb"(?P<sign>-?)(?:(?P<word>nan|inf)"
    rb"|(?P<int>\d{1,40})(?:\.(?P<frac>\d{1,40}))?(?:[eE](?P<exp>[+-]?\d{1,3}))?)" + _END
)
# What Keras prints when something is glued to it: four decimals, or %.4e.
_PRINTED = re.compile(
    rb"(?P<sign>-?)(?:(?P<word>nan|inf)|(?P<int>\d{1,40})\.(?P<frac>\d{4})(?:e(?P<exp>[+-]\d\d))?)"
)

SUSPECT = re.compile(
    rb"\d/(?:\d{1,15}|Unknown) {1,2}(?:\[[=>.]|\xe2\x94\x81)| - ETA: \d"
    rb"|\d[mu]?s/(?:step|sample|epoch)| - (?:val_)?loss: ?[-\dni]"
)
"""Text that looks like a piece of a progress line."""

CONTROL = re.compile(rb"(?:\x1b|\^\[|#033|\\u001b|\\x1b|\\033)\[[0-9;]*[A-Za-z]|\r?\n")
"""What a terminal added: a colour or cursor code, also in the notations of pagers, syslog and JSON,
or the break where its window ended (``wrapped``)."""


@dataclass(slots=True)
class Number:
    """A number as printed: spans of its digits, or the word ``nan`` or ``inf``."""

    negative: bool
    word: bytes
    whole: Span
    fraction: Span | None
    exponent: Span | None
    """Digits of the exponent, without its sign."""
    exponent_negative: bool

    def decimals(self) -> int:
        """What ``Updates.decimals`` holds for it."""
        if self.word:
            return 4
        if self.exponent is not None:
            return int(EXPONENT)
        return WHOLE if self.fraction is None else min(self.fraction[1] - self.fraction[0], 99)


@dataclass(slots=True)
class Line:
    """One progress line in a stretch of text; spans are offsets in that text."""

    start: int
    end: int
    form: Form
    last: bool
    step: Span | None = None
    of: Span | None = None
    bar: Span | None = None
    eta: tuple[Span, ...] = ()
    """Digits of hours, minutes and seconds, or fewer: the last is seconds."""
    elapsed: Span | None = None
    per_step: Span | None = None
    per_step_unit: float = 0.0
    per_epoch: Span | None = None
    per_epoch_unit: float = 0.0
    metrics: list[tuple[str, Number]] = field(default_factory=list)
    names: list[Span] = field(default_factory=list)
    """Where the metrics' names stand."""
    pairs: list[Span] = field(default_factory=list)
    """Where each of the metrics stands, its `` - `` and its number included."""


def parse(text: bytes, *, ended: bool = True, whole: Container[str] = ()) -> list[Line]:
    """Progress lines in a stretch of text without line breaks and colour codes, in order.

    Several stand in one stretch where a copy lost its backspaces. ``ended`` is false for the end
    of a log that may have been cut there: a number or a time that could go on is then left out,
    so that nothing is shown that was not printed, except a metric of ``whole``: those are known
    to be far from where Keras turns to ``%.4e``.
    """
    lines: list[Line] = []
    at = 0
    while True:
        line = _glued(text, at, ended, whole) if at else None
        if line is None:
            line = _search(text, at, ended, whole)
        if line is None:
            break
        lines.append(line)
        at = line.end
    if not lines and (bare := QUIET_BARE.search(text)):
        line = Line(bare.start(), bare.end(), Form.QUIET, last=True, elapsed=bare.span("elapsed"))
        _metrics(text, line, ended, whole)
        if line.metrics:
            lines.append(line)
    return lines


def _glued(text: bytes, at: int, ended: bool, whole: Container[str]) -> Line | None:
    """A line that starts right where the last one ended, its blanks apart."""
    while at < len(text) and text[at] == 32:
        at += 1
    count = COUNT.match(text, at)
    return _line(text, count, ended, whole) if count else None


def _search(text: bytes, at: int, ended: bool, whole: Container[str]) -> Line | None:
    for count in COUNT.finditer(text, at):
        before = text[: count.start()][-6:]
        if before[-1:].isdigit() or before.endswith((b".", b"/", b"Epoch ")):
            continue
        line = _line(text, count, ended, whole)
        if line is not None:
            return line
    return None


def _line(text: bytes, count: re.Match[bytes], ended: bool, whole: Container[str]) -> Line | None:
    """The line whose count was found, or None where no bar or time follows the count."""
    at = count.end()
    line = Line(count.start(), at, Form.BAR, last=False, step=count.span("step"))
    known = text[count.start("of")] != 85  # U of Unknown
    line.of = count.span("of") if known else None
    if bar := BAR.match(text, at):
        line.bar, line.end = bar.span("bar"), bar.end()
        _bar_time(text, line, ended)
    elif heavy := HEAVY.match(text, at):
        line.form, line.end = Form.HEAVY, heavy.end()
        line.per_step, line.per_step_unit = heavy.span("per_step"), UNITS[heavy["per_step_unit"]]
        parts = _digits(heavy["heavy"], heavy.start("heavy"))
        if known:
            line.eta = parts
        else:
            line.elapsed = parts[-1]
    elif quiet := QUIET.match(text, at):
        if quiet.end() == len(text) and not ended:
            return None
        line.elapsed, line.end = quiet.span("elapsed"), quiet.end()
        line.last = known
        line.form = Form.QUIET_COUNT if known else Form.BAR_STEP
        if quiet["per_step"]:
            line.per_step = quiet.span("per_step")
            line.per_step_unit = UNITS[quiet["per_step_unit"]]
            line.form = Form.QUIET_STEP if quiet["dash"] else Form.BAR_STEP
    else:
        return None
    _metrics(text, line, ended, whole)
    return line


def _bar_time(text: bytes, line: Line, ended: bool) -> None:
    """Time left or elapsed after a ``[===>...]`` bar."""
    if (eta := ETA.match(text, line.end)) and (
        ended or eta.end() < len(text) or eta["eta"][-1] == 115
    ):
        line.eta, line.end = _digits(eta["eta"], eta.start("eta")), eta.end()
        line.form = Form.BAR
    elif (done := ELAPSED.match(text, line.end)) and (ended or done.end() < len(text)):
        line.last = True
        line.elapsed, line.end = done.span("elapsed"), done.end()
        if done["per_step"]:
            line.per_step, line.per_step_unit = done.span("per_step"), UNITS[done["per_step_unit"]]
            sample = text[done.end("per_step_unit") : done.end("per_step_unit") + 3] == b"/sa"
            line.form = Form.BAR_SAMPLE if sample else Form.BAR_STEP


def _digits(clock: bytes, at: int) -> tuple[Span, ...]:
    """Spans of the numbers in ``12s``, ``2:15`` or ``1:02:15``."""
    return tuple((at + m.start(), at + m.end()) for m in re.finditer(rb"\d+", clock))


def _metrics(text: bytes, line: Line, ended: bool, whole: Container[str]) -> None:
    """The `` - name: number`` pairs that follow, and verbose=2's times at the end."""
    while len(line.metrics) < ROW_METRICS:
        name = NAME.match(text, line.end)
        if name is None:
            break
        kind = "plain" if name["plain"] is not None else "words"
        label = name[kind].decode("utf-8", "replace")
        number, end = _number(
            text, name.end(), ended, printed_only=kind == "words", far=label in whole
        )
        if number is None:
            break
        line.metrics.append((label, number))
        line.names.append(name.span(kind))
        line.pairs.append((name.start(), end))
        line.end = end
    tail = TAIL.match(text, line.end)
    if tail and line.form in (Form.QUIET, Form.QUIET_COUNT) and (ended or tail.end() < len(text)):
        line.form, line.end = Form.QUIET_EPOCH, tail.end()
        line.per_epoch, line.per_epoch_unit = tail.span("per_epoch"), UNITS[tail["per_epoch_unit"]]
        line.per_step, line.per_step_unit = tail.span("per_step"), UNITS[tail["per_step_unit"]]


def _number(
    text: bytes, at: int, ended: bool, *, printed_only: bool, far: bool
) -> tuple[Number | None, int]:
    """The number that starts at ``at`` and where it ends; None where there is none."""
    found = None if printed_only else _WHOLE.match(text, at)
    if found is None:
        found = _PRINTED.match(text, at)
    if found is None or (not ended and found.end() == len(text) and _may_go_on(found, far)):
        return None, at
    exponent = None
    if found["exp"]:
        signed = found["exp"][:1] in b"+-"
        exponent = (found.start("exp") + signed, found.end("exp"))
    number = Number(
        negative=bool(found["sign"]),
        word=found["word"] or b"",
        whole=found.span("int"),
        fraction=found.span("frac") if found["frac"] else None,
        exponent=exponent,
        exponent_negative=bool(found["exp"]) and found["exp"][:1] == b"-",
    )
    return number, found.end()


def _may_go_on(number: re.Match[bytes], far: bool) -> bool:
    """Whether a number at the end of a cut text could have been longer.

    Complete are ``nan``, ``inf``, ``8.8428e-04`` and four decimals, unless those could be the
    mantissa of a ``%.4e``: one digit other than 0 before the point. ``far`` rules that out.
    """
    if number["word"]:
        return False
    if number["exp"]:
        return len(number["exp"].lstrip(b"+-")) < 2
    mantissa = len(number["int"]) == 1 and number["int"] != b"0"
    return number["frac"] is None or len(number["frac"]) != 4 or (mantissa and not far)
