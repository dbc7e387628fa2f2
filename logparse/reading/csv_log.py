r"""Bytes of a Keras CSVLogger file in, one update an epoch and its epoch number out.

The file (keras-team/keras 1.x to 3.15.1): a header ``epoch`` and the metrics, one row an epoch,
``epoch`` from 0, any separator of one character, ``\r\n`` at the end of each row. A number is
``str()`` of it, so it has every digit that tells it from its neighbours; ``NA`` stands for a metric
that an epoch did not have, nothing for None. ``append=True`` goes on below the rows of earlier
runs; old versions repeat the header there.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np

from logparse.limits import LINE_BYTES, METRIC_NAMES, REJECT_EXCERPT, ROW_METRICS
from logparse.reading.records import Account, Chunk, Event, Form, Reject, Updates

SEPARATORS = b",;\t|"
"""Separators that are recognised."""

MAX_DECIMALS = 17
"""Most decimals told of a number: a double has no more in [1, 10)."""

_HEAD_BYTES = 1 << 16  # judged by score: some hundred rows

_BOM = b"\xef\xbb\xbf"
_HEADER = re.compile(rb'\s{0,64}(?:epoch|"epoch")\s{0,64}(?P<separator>[' + SEPARATORS + rb"])")
_EPOCH = re.compile(rb"[0-9]{1,9}")
_NUMBER = re.compile(
    rb"[+-]?(?:nan|inf|[0-9]{1,40}(?:\.(?P<fraction>[0-9]{0,40}))?(?:[eE](?P<exponent>[+-]?[0-9]{1,3}))?)"
)
_ABSENT = (b"", b"NA")


@dataclass(slots=True)
class _Rows:
    """Rows of one chunk, column by column, until they become arrays."""

    byte: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    decimals: dict[str, list[int]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, byte: int, line: int, values: dict[str, float], decimals: int) -> None:
        n = len(self.byte)
        self.byte.append(byte)
        self.line.append(line)
        for name in values.keys() - self.values.keys():
            self.values[name] = [math.nan] * n
            self.decimals[name] = [0] * n
        for name, column in self.values.items():
            column.append(values.get(name, math.nan))
            self.decimals[name].append(decimals if name in values else 0)

    def chunk(self, order: dict[str, int]) -> Chunk:
        n = len(self.byte)
        names = sorted(self.values, key=order.__getitem__)
        absent = [np.full(n, np.nan) for _ in range(7)]
        updates = Updates(
            byte=np.array(self.byte, np.int64),
            line=np.array(self.line, np.int64),
            step=np.zeros(n, np.int64),
            of=np.zeros(n, np.int64),
            form=np.full(n, Form.EVENTS, np.int8),
            channel=np.zeros(n, np.int32),
            last=np.ones(n, np.bool_),
            ended=np.ones(n, np.bool_),
            eta=absent[0],
            elapsed=absent[1],
            per_step=absent[2],
            per_step_unit=absent[3],
            per_epoch=absent[4],
            per_epoch_unit=absent[5],
            clock=absent[6],
            values={name: np.array(self.values[name], np.float64) for name in names},
            decimals={name: np.array(self.decimals[name], np.int8) for name in names},
            order=dict(order),
        )
        return Chunk(updates, self.events, self.rejects)


class CsvLogReader:
    """Reads a CSVLogger file in any pieces.

    Each row gives a ``header`` event (data ``epoch`` from 1, ``epochs`` None; text the number as
    printed) and one update after it, the last of its epoch, without step, target and time.

    A row is read when its line break is there. The last row of a file without one is pending, also
    after ``finish``: nothing tells a whole number from one that was cut. A quoted value that holds
    a line break (only a user's text could) is read as two bad rows.

    Attributes:
        account: Where each byte fed so far went.
    """

    name = "csv"

    def __init__(self, _head: bytes = b"") -> None:
        self.account = Account()
        self._parts: list[bytes] = []  # of the line that is not complete
        self._start = 0  # offset of that line
        self._line = 1
        self._length = 0  # of that line, where it is beyond the limit
        self._long = False  # that line is beyond the limit and already counted as rejected
        self._separator = b""
        self._columns: list[str] | None = None
        self._names: dict[str, int] = {}

    @staticmethod
    def score(head: bytes) -> tuple[float, str]:
        """How surely these first bytes of a file are a CSVLogger's, from 0 to 1, and why."""
        if b"epoch" not in head:
            return 0.0, "no header with a column epoch"
        reader = CsvLogReader()
        chunk = reader.feed(head[:_HEAD_BYTES])
        if reader._columns is None:
            return 0.0, "no header with a column epoch"
        rows, bad = len(chunk.updates), len(chunk.rejects)
        columns = len(reader._columns)
        if not rows:
            return (0.0 if bad else 0.6), f"header epoch and {columns} metrics, no row that fits it"
        reason = f"header epoch and {columns} metrics, {rows} of {rows + bad} rows fit it"
        return 0.95 * rows / (rows + bad), reason

    def feed(self, block: bytes) -> Chunk:
        """Takes the next bytes and gives what they complete."""
        rows = _Rows()
        first, newline, rest = block.partition(b"\n")
        self._extend(first)
        if newline:
            self._end_line(rows, newline)
            *lines, tail = rest.split(b"\n")
            for line in lines:
                self._extend(line)
                self._end_line(rows, newline)
            self._extend(tail)
        return rows.chunk(self._names)

    def finish(self) -> Chunk:
        """No more bytes: a last row is read if half of its line break is there."""
        rows = _Rows()
        if self._long or (self._parts and self._parts[-1].endswith(b"\r")):
            self._end_line(rows, b"")
        return rows.chunk(self._names)

    def _extend(self, part: bytes) -> None:
        """Adds bytes to the incomplete line; they are pending, or rejected beyond the limit."""
        if not part:
            return
        if self._long:
            self.account.rejected += len(part)
            self._length += len(part)
            return
        self._parts.append(part)
        self.account.pending += len(part)
        if self.account.pending > LINE_BYTES:
            self._long = True
            self._length = self.account.pending
            self.account.rejected += self.account.pending
            self.account.pending = 0
            self._parts = [b"".join(self._parts)[:REJECT_EXCERPT]]

    def _end_line(self, rows: _Rows, newline: bytes) -> None:
        line = b"".join(self._parts)
        start, number = self._start, self._line
        length = self._length if self._long else len(line)
        if self._long:
            self.account.rejected += len(newline)
            self._reject(rows, start, start + length + len(newline), "line too long", line)
        else:
            self.account.pending = 0
            self._read_line(rows, line, len(newline))
        self._parts, self._long = [], False
        self._start = start + length + len(newline)
        self._line = number + 1

    def _reject(self, rows: _Rows, start: int, end: int, kind: str, text: bytes) -> None:
        excerpt = text[:REJECT_EXCERPT].decode("utf-8", "backslashreplace")
        rows.rejects.append(Reject(self._line, start, end, kind, excerpt))

    def _read_line(self, rows: _Rows, line: bytes, newline: int) -> None:
        """Reads one complete line and accounts for its bytes and its line break."""
        size = len(line) + newline
        start = self._start
        if start == 0 and line.startswith(_BOM):
            self.account.ignored["byte order mark"] += len(_BOM)
            line, start, size = line[len(_BOM) :], len(_BOM), size - len(_BOM)
        line = line.rstrip(b"\r")
        if not line.strip():
            self.account.ignored["blank line"] += size
            return
        header = _HEADER.match(line)
        if header is not None:
            problem = self._read_header(line, header["separator"])
            bad = 0
        else:
            problem, bad = self._read_row(rows, line, start)
        if problem:
            self.account.rejected += size
            self._reject(rows, start, start + size, problem, line)
        else:
            self.account.rejected += bad
            self.account.read += size - bad

    def _read_header(self, line: bytes, separator: bytes) -> str:
        """Takes the columns' names; what is wrong with them, or nothing."""
        self._columns = None
        cells = _split(line, separator)
        if cells is None:
            return "quotes do not close"
        names = [text.strip().decode("utf-8", "backslashreplace") for _, _, text in cells[1:]]
        if not all(names) or len(set(names)) < len(names):
            return "header names no metric, or one twice"
        if len(names) > ROW_METRICS or len(self._names.keys() | names) > METRIC_NAMES:
            return "too many metrics"
        for name in names:
            self._names.setdefault(name, len(self._names))
        self._columns, self._separator = names, separator
        return ""

    def _read_row(self, rows: _Rows, line: bytes, start: int) -> tuple[str, int]:
        """Reads one row.

        Returns:
            What is wrong with the row as a whole, or nothing; and the bytes of single values that
            cannot be read, which are rejected one by one.
        """
        if self._columns is None:
            return "row without a header", 0
        cells = _split(line, self._separator)
        if cells is None:
            return "quotes do not close", 0
        if len(cells) != len(self._columns) + 1:
            return "wrong number of fields", 0
        low, high, epoch = cells[0]
        epoch = epoch.strip()
        if _EPOCH.fullmatch(epoch) is None:
            return "epoch is not a whole number", 0
        values: dict[str, float] = {}
        decimals = 1
        bad = 0
        # Where nothing can be read, the update is the separator after the epoch's number.
        first = high
        for name, (begin, end, text) in zip(self._columns, cells[1:], strict=True):
            text = text.strip()
            if text in _ABSENT:
                continue
            number = _number(text)
            if number is None:
                self._reject(rows, start + begin, start + end, "value is not a number", text)
                bad += end - begin
                continue
            if not values:
                first = begin
            values[name] = number[0]
            decimals = max(decimals, number[1])
        label, line_number = epoch.decode("ascii"), self._line
        data = {"epoch": int(epoch) + 1, "epochs": None}
        rows.events.append(
            Event(start + low, start + high, line_number, "header", label, data=data)
        )
        # str() drops zeros at the end: a short number beside long ones is as exact as they are.
        rows.add(start + first, line_number, values, min(decimals, MAX_DECIMALS))
        return "", bad


def _number(text: bytes) -> tuple[float, int] | None:
    """A number and its decimals, 0 for none; None if it is no number, or beyond a double."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    value = float(text)
    if math.isinf(value) and b"inf" not in text:
        return None
    return value, len(match["fraction"] or b"") - int(match["exponent"] or 0)


def _split(line: bytes, separator: bytes) -> list[tuple[int, int, bytes]] | None:
    """Fields of a row: start, end and text, without quotes. None if the quotes do not close."""
    fields: list[tuple[int, int, bytes]] = []
    at = 0
    if b'"' not in line:
        for text in line.split(separator):
            fields.append((at, at + len(text), text))
            at += len(text) + 1
        return fields
    while True:
        quoted = line.startswith(b'"', at)
        end = _closing(line, at) if quoted else line.find(separator, at)
        if end < 0:
            if quoted:
                return None
            end = len(line)
        text = line[at + 1 : end - 1].replace(b'""', b'"') if quoted else line[at:end]
        fields.append((at, end, text))
        if end == len(line):
            return fields
        if line[end : end + 1] != separator:
            return None
        at = end + 1


def _closing(line: bytes, at: int) -> int:
    """Offset after the quote that closes the one at ``at``, -1 if there is none."""
    end = line.find(b'"', at + 1)
    while end >= 0 and line.startswith(b'""', end):
        end = line.find(b'"', end + 2)
    return end + 1 if end >= 0 else -1
