"""Text between progress lines in, what ``fit`` and its callbacks printed there out.

Wordings are those of keras-team/keras 1.x, 2.x and 3.x, tf.keras and TensorFlow. The kinds:

| kind | text | who prints it | data |
|---|---|---|---|
| header | ``Epoch 1/3`` | fit; TF >= 1.15 and Keras 3 only if epochs > 1 | epoch, epochs |
| train on | ``Train on 9 samples, validate on 2 samples``, ``Train for 9 steps`` | fit of Keras <= 2.3.1, TF 1.x to 2.1 | samples, steps, validation_samples, validation_steps |
| checkpoint | ``Epoch 00001: val_loss improved from inf to 0.1, saving model to P`` and its four sisters | ModelCheckpoint | epoch, action, monitor, best, value, path |
| plateau | ``Epoch 4: ReduceLROnPlateau reducing learning rate to 0.01.`` | ReduceLROnPlateau; 1.x without its name | epoch, rate |
| schedule | ``Epoch 4: LearningRateScheduler setting learning rate to 0.01.`` | LearningRateScheduler; ``reducing`` up to Keras 2.2 | epoch, rate |
| early stopping | ``Epoch 00049: early stopping`` | EarlyStopping | epoch |
| restored weights | ``Restoring model weights from the end of the best epoch: 8.`` | EarlyStopping; number from 2.8 | best_epoch |
| terminated | ``Batch 1: Invalid loss, terminating training`` | TerminateOnNaN | batch |
| metric missing | ``Can save best model only with val_acc available, skipping.`` and the like | callbacks that watch a metric | monitor |
| slow callback | ``Callback method `on_train_batch_end` is slow compared to the batch time (...)`` | callback list | method, batch_seconds, callback_seconds |
| out of data | ``Your input ran out of data; interrupting training.`` | fit of TF >= 1.14, Keras 3 | |
| epoch overflow | ``Epoch comprised more than `samples_per_epoch` samples`` | fit_generator of Keras 0.x, 1.x | |
| cache not filled | ``The calling iterator did not fully read the dataset being cached.`` | tf.data | |
| shuffle buffer | ``Filling up shuffle buffer (this may take a while): 143 of 1000`` | tf.data | filled, size |
| retracing | ``5 out of the last 5 calls to <f> triggered tf.function retracing.`` | tf.function | calls |
| out of memory | ``OOM when allocating tensor``, ``ResourceExhaustedError: ...``, ... | TensorFlow, XLA, CUDA | |
| interrupted | ``KeyboardInterrupt`` | Python | |
| exception | ``ValueError: ...`` at the start of a line | Python: last line of a traceback | name |

``epoch`` is the number as printed (zero-based in Keras 1.x checkpoints). A field that the text does
not hold is None. Not in the table, so foreign text: a user's own prints, also those that resemble
Keras (``Epoch 00001: saving optimizaer to P``, ``starting epoch 1/3``, ``Epoch 5/10 done``).
"""  # noqa: E501 - a row of a table is one line

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One message in a segment: ``text[start:end]``, its kind and its parsed fields."""

    kind: str
    start: int
    end: int
    data: Data = field(default_factory=dict)


KINDS = (
    "header",
    "train on",
    "checkpoint",
    "plateau",
    "schedule",
    "early stopping",
    "restored weights",
    "terminated",
    "metric missing",
    "slow callback",
    "out of data",
    "epoch overflow",
    "cache not filled",
    "shuffle buffer",
    "retracing",
    "out of memory",
    "interrupted",
    "exception",
)
"""Every kind that ``find`` can give."""

# Each message starts with, or holds, one of these. Every alternative begins with one plain
# character, mostly a capital letter: the search then skips to such characters, 1 us a line.
_STARTS = (
    r"Epoch |Train on |Train for |Batch [0-9]|Restoring model |Early stopping |"
    r"Learning rate red|Learning Rate Pl|Reduce LR on|Can save best|Callback method|"
    r"Callbacks method|Method |Your input |Your dataset |The calling it|Filling up sh|"
    r"Shuffle buffer|Tracing is exp|OOM when |Allocator \(|CUDA_ERROR_OUT|CUDA out of|"
    r"RESOURCE_EXH|ResourceEx"
)
_EXCEPTIONS = r"Error|Exception|KeyboardInterrupt"
_SUMMARY = (
    r'Model: "|Layer \(type\)|Total params|Trainable params|Non-trainable params|'
    r"Optimizer params|_____"
)

INTEREST: re.Pattern[bytes] = re.compile("|".join((_STARTS, _EXCEPTIONS, _SUMMARY)).encode())
"""A line that this does not match holds nothing that ``find`` knows and opens no model summary.

Lines inside an open summary need not match: give them to ``SummaryReader`` while it is ``open``.
"""

_START = re.compile(_STARTS)

_N = r"[0-9]{1,18}(?![0-9])"
_EPOCH = r"Epoch (?P<epoch>[0-9]{1,9}): "
_RATE = (
    r"(?:tf\.Tensor\()?(?P<rate>-?(?:inf|nan|[0-9]{1,40}(?:\.[0-9]{1,40})?(?:e[+-]?[0-9]{1,3})?))"
    r"(?:, shape=\(\), dtype=[a-z0-9]{1,12}\))?\.(?![0-9])"
)
# %0.5f of the largest double has 309 digits before the point.
_SCORE = r"(?:-?(?:inf|nan|[0-9]{1,309}\.[0-9]{5})|None)"
# Messages end with their line, but a lost line break glues the next one on.
_NEXT = r"(?!\s?Epoch [0-9]{1,9}(?:: |/[0-9]))"
_PATH = rf"(?P<path>(?:{_NEXT}.){{1,4096}})"
_TAIL = rf"(?:{_NEXT}.){{0,600}}"
# What a source line quoted by a Python warning has instead of a name: %s, {}, quotes.
_NAME = r"(?P<monitor>[^%{}'\":]{1,100}?)"

# Keras prints a header alone on its line. What may follow when that was lost or wrapped: the next
# message, TensorFlow's log on the other stream, another worker's mark, a quote or tag of a copy.
_HEADER = re.compile(
    r"Epoch (?P<epoch>[1-9][0-9]{0,8})/(?P<epochs>[1-9][0-9]{0,8}?)"
    r"(?=\s*(?:\Z|Epoch [0-9]|WARNING:|INFO:|20[0-9]{2}-[0-9]{2}-[0-9]{2}[ T]"
    r"|\[[0-9]{1,9},[0-9]{1,9}\]<std|[\"'`\\<]))"
)
_TRAIN = re.compile(
    rf"Train (?:on|for) (?P<n>{_N}|None|Unknown) (?P<unit>samples|steps)"
    rf"(?:, validate (?:on|for) (?P<v>{_N}|None|Unknown) (?P<vunit>samples|steps))?"
)


def _int(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _float(text: str | None) -> float | None:
    return None if text is None or text == "None" else float(text)


def _fields(match: re.Match[str]) -> Data:
    """Named groups of a match: numbers where the name says so, else text."""
    data: Data = {}
    for name, text in match.groupdict().items():
        if name in ("epoch", "epochs", "best_epoch", "batch", "filled", "size"):
            data[name] = _int(text)
        elif name in ("rate", "best", "value", "batch_seconds", "callback_seconds"):
            data[name] = _float(text)
        else:
            data[name] = text.rstrip() if text is not None else None
    return data


def _train_on(match: re.Match[str]) -> Data:
    data: Data = dict.fromkeys(("samples", "steps", "validation_samples", "validation_steps"))
    data[match["unit"]] = _int(match["n"])
    if match["vunit"]:
        data["validation_" + match["vunit"]] = _int(match["v"])
    return data


def _checkpoint(action: str) -> Callable[[re.Match[str]], Data]:
    def build(match: re.Match[str]) -> Data:
        keys = ("epoch", "action", "monitor", "best", "value", "path")
        return dict.fromkeys(keys) | {"action": action} | _fields(match)

    return build


_Reader = tuple[str, re.Pattern[str], Callable[[re.Match[str]], Data]]


def _r(kind: str, pattern: str, build: Callable[[re.Match[str]], Data] = _fields) -> _Reader:
    return kind, re.compile(pattern), build


# Text that begins with the key is read by the first of these that matches there.
_READERS: dict[str, tuple[_Reader, ...]] = {
    "Epo": (
        ("header", _HEADER, _fields),
        _r("early stopping", _EPOCH + r"early stopping"),
        _r("schedule", _EPOCH + r"LearningRateScheduler (?:setting|reducing) (?:[\w.-]{1,100} )?"
           r"learning rate to " + _RATE),
        _r("plateau", _EPOCH + r"(?:ReduceLROnPlateau )?reducing (?:[\w.-]{1,100} )?"
           r"learning rate to " + _RATE),
        _r("checkpoint", _EPOCH + r"finished saving model to " + _PATH, _checkpoint("finished")),
        _r("checkpoint", _EPOCH + r"saving model to " + _PATH, _checkpoint("saving")),
        _r("checkpoint", _EPOCH + _NAME + rf" improved from (?P<best>{_SCORE}) to "
           rf"(?P<value>{_SCORE}),\s{{1,4}}saving model to " + _PATH, _checkpoint("improved")),
        _r("checkpoint", _EPOCH + _NAME + rf" did not improve(?: from (?P<best>{_SCORE}))?",
           _checkpoint("did not improve")),
        _r("epoch overflow", r"Epoch comprised more than `" + _TAIL),
    ),
    "Tra": (
        ("train on", _TRAIN, _train_on),
    ),
    "Bat": (_r("terminated", r"Batch (?P<batch>[0-9]{1,18}): Invalid loss, terminating training"),),
    "Res": (
        _r("restored weights", r"Restoring model weights from the end of the best epoch"
           r"(?:: (?P<best_epoch>[0-9]{1,9})(?![0-9]))?\.?"),
        _r("out of memory", r"Resource[Ee]xhausted" + _TAIL),
    ),
    "Ear": (
        _r("metric missing", r"Early stopping conditioned on metric `(?P<monitor>[^`%{}]{1,100})` "
           r"which is not available" + _TAIL),
        _r("metric missing", r"Early stopping requires " + _NAME + r" available!"),
    ),
    "Lea": (
        _r("metric missing", r"Learning rate reduction is conditioned on metric "
           r"`(?P<monitor>[^`%{}]{1,100})` which is not available" + _TAIL),
        _r("metric missing", r"Learning Rate Plateau Reducing requires " + _NAME + r" available!"),
    ),
    "Red": (
        _r("metric missing", r"Reduce LR on plateau conditioned on metric "
           r"`(?P<monitor>[^`%{}]{1,100})` which is not available" + _TAIL),
    ),
    "Can": (
        _r("metric missing", r"Can save best model only with " + _NAME + r" available(?:, skipping"
           r"(?: save at (?:batch|epoch) [0-9]{1,18})?)?\.?"),
    ),
    "Cal": (
        _r("slow callback", r"Callbacks? method `(?P<method>\w{1,100})` is slow compared to the "
           r"batch time \(batch time: (?P<batch_seconds>[0-9]{1,18}\.[0-9]{4})s vs `\w{1,100}` "
           r"time: (?P<callback_seconds>[0-9]{1,18}\.[0-9]{4})s\)(?:\. Check your callbacks\.)?"),
    ),
    "Met": (
        _r("slow callback", r"Method \(?(?P<method>\w{1,100})(?:\(\)|\)) is slow compared to the "
           r"batch update \((?P<callback_seconds>[0-9]{1,18}\.[0-9]{6})\)"
           r"(?:\. Check your callbacks\.)?", lambda m: {"batch_seconds": None} | _fields(m)),
    ),
    "You": (
        _r("out of data", r"Your (?:input|dataset(?: iterator)?) ran out of data" + _TAIL),
    ),
    "The": (
        _r("cache not filled", r"The calling iterator did not fully read the dataset being cached"
           + _TAIL),
    ),
    "Fil": (
        _r("shuffle buffer", r"Filling up shuffle buffer \(this may take a while\): "
           rf"(?P<filled>{_N}) of (?P<size>{_N})"),
    ),
    "Shu": (
        _r("shuffle buffer", r"Shuffle buffer filled\.?", lambda _: {"filled": None, "size": None}),
    ),
    "OOM": (_r("out of memory", r"OOM when allocating" + _TAIL),),
    "All": (_r("out of memory", r"Allocator \(\w{1,60}\) ran out of memory" + _TAIL),),
    "CUD": (_r("out of memory", r"CUDA(?:_ERROR_OUT_OF_MEMORY| out of memory)" + _TAIL),),
    "RES": (_r("out of memory", r"RESOURCE_EXHAUSTED" + _TAIL),),
}  # fmt: skip

# The number before is 1 to 6 digits; the name of the function is at most a few hundred characters.
_RETRACING = re.compile(
    r"(?P<calls>[0-9]{1,6}) out of the last [0-9]{1,6} calls to .{1,500}? triggered tf\.function "
    r"retracing\. Tracing is expensive" + _TAIL
)
_RETRACING_BEFORE = 640

# A metric printed by a user has the same form ("MeanSquaredError: 0.25"); a lone number is no text
# of an exception. A worker's mark may come before it.
_EXCEPTION = re.compile(
    r"\s{0,16}(?:\[[^\]]{1,40}\](?:<std(?:out|err)>)?:?\s?)?"
    r"(?P<name>(?:[A-Za-z_][A-Za-z0-9_]{0,80}\.){0,12}"
    r"(?:[A-Z][A-Za-z0-9_]{0,80}(?:Error|Exception)|KeyboardInterrupt))"
    r"(?!:\s*[-+]?[0-9.]+\s*\Z)(?::\s" + _TAIL + r"|:?\s*\Z)"
)
_MEMORY = re.compile(
    r"\bMemoryError|OutOfMemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|OOM when"
    r"|CUDA_ERROR_OUT_OF_MEMORY|out of memory"
)


def find(text: str) -> list[Found]:
    """All messages in one segment of text, in order and disjoint.

    Args:
        text: A segment without line breaks, backspaces and ANSI codes. Anything may stand before
            and after a message. What no span covers is foreign text.

    Returns:
        The messages found, in order; an empty list for foreign text. Never raises.
    """
    found: list[Found] = []
    at = 0
    first = _exception(text)
    if first is not None:
        found.append(first)
        at = first.end
    while (start := _START.search(text, at)) is not None:
        before = found[-1].end if found else 0
        hit = _read(text, start.start(), before)
        if hit is None:
            at = start.start() + 1
        else:
            found.append(hit)
            at = hit.end
    return found


def _read(text: str, start: int, before: int) -> Found | None:
    """The message at ``start``; ``before`` is where the last one ended, 0 if there was none."""
    key = text[start : start + 3]
    if key == "Tra" and text.startswith("Tracing", start):
        return _retracing(text, start, before)
    for kind, pattern, build in _READERS[key]:
        match = pattern.match(text, start)
        if match is None:
            continue
        if kind == "header" and not _is_header(match, text, before):
            return None
        return Found(kind, start, start + len(match[0].rstrip()), build(match))
    return None


def _is_header(match: re.Match[str], text: str, before: int) -> bool:
    """Whether ``Epoch i/n`` is Keras's: possible numbers, and no sentence that leads up to it."""
    if int(match["epoch"]) > int(match["epochs"]):
        return False
    lead = text[max(before, match.start() - 64) : match.start()]
    words = lead.rstrip()
    # "starting Epoch 1/3" is a user's; "nanEpoch 1/3" is glued to a value; a prefix ends otherwise.
    return not (words and len(words) < len(lead) and "a" <= words[-1] <= "z")


def _retracing(text: str, at: int, before: int) -> Found | None:
    """tf.function's warning, known by the middle of its text."""
    middle = text.rfind(" out of the last ", max(before, at - _RETRACING_BEFORE), at)
    start = middle
    while start > before and middle - start < 6 and text[start - 1] in "0123456789":
        start -= 1
    match = _RETRACING.match(text, start) if middle >= 0 else None
    if match is None:
        return None
    return Found("retracing", start, start + len(match[0].rstrip()), {"calls": int(match["calls"])})


def _exception(text: str) -> Found | None:
    """The last line of a traceback, when the segment begins with one."""
    match = _EXCEPTION.match(text)
    if match is None:
        return None
    name = match["name"]
    end = len(match[0].rstrip())
    if name.endswith("KeyboardInterrupt"):
        return Found("interrupted", match.start("name"), end)
    if _MEMORY.search(text, match.start("name"), end):
        return Found("out of memory", match.start("name"), end)
    return Found("exception", match.start("name"), end, {"name": name})
