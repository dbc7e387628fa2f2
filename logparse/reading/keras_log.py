"""Blocks of a text log -> chunks of updates, events and rejects: the reader ``keras``."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np

from logparse.limits import LINE_BYTES, REJECT_EXCERPT
from logparse.reading import keras_text, wrapped
from logparse.reading.bar_columns import (
    Columns,
    Single,
    Template,
    beyond,
    gather_updates,
    note_names,
    slow_row,
)
from logparse.reading.keras_bar import CONTROL
from logparse.reading.lines import Splitter, Stretches
from logparse.reading.looks import template_of
from logparse.reading.model_summary import SummaryReader
from logparse.reading.prefixes import CHANNEL, Channels, timestamp
from logparse.reading.records import Account, Chunk, Event, Ints, Reject
from logparse.reading.shapes import WIDTH, Rows, groups
from logparse.reading.stretch import PROGRESS, TOO_MANY, Parsed, parse_stretch
from logparse.reading.stride_columns import with_spans
from logparse.reading.strides import Finder, Spans

HEADER = re.compile(rb"Epoch ([1-9]\d{0,8})/([1-9]\d{0,8})\Z")
"""The plainest of ``keras_text``'s headers; a test holds it to the others."""
_FEW = 4
"""Stretches of one shape below which the grammar itself is quicker than columns."""
_LEARN = 32
"""Shapes learned from one group of alike stretches; the rest of it is read one by one."""
_SHAPES = 20_000
"""Shapes remembered before all are forgotten: a hostile log has a new one in every line."""
_CONVINCED = 10
"""Progress lines that settle what a log is."""
_KNOWN = ("account", "channels", "summary", "metrics", "lines")
_FAR = 0.05
"""A metric last seen above this is not about to be printed as %.4e, which starts at 0.001."""


class KerasLog:
    """Reads what ``fit`` printed, of every Keras version, block by block.

    ``feed`` gives what a block completes, ``finish`` the rest. However the log is cut into
    blocks, the updates, events and rejects are the same.

    Attributes:
        account: where each byte went; ``pending`` is what is not decided yet.
        channels: marks of workers met in prefixes, by number.
        summary: layers and totals of the model summaries met.
        metrics: names of metrics, numbered in the order in which the log first shows them.
        lines: begun so far.
    """

    name = "keras"

    def __init__(self, head: bytes = b"") -> None:
        """``head``, the beginning of the log, tells whether a terminal broke its lines."""
        self.account = Account()
        self.channels = Channels()
        self.summary = SummaryReader()
        self.metrics: dict[str, int] = {}
        self.lines = 1
        self._finder = Finder(template_of)
        self._splitter = Splitter(self._find, wrapped.width(head))
        self._templates: dict[tuple[int, int], list[Template]] = {}
        self._shapes = 0
        self._line_channel = (0, 0)
        self._latest: dict[str, float] = {}
        self._fed = 0

    @staticmethod
    def score(head: bytes) -> tuple[float, str]:
        """How sure it is that a log starting with ``head`` is one of Keras, and why."""
        lines = headers = 0
        stretches = Splitter().feed(head + b"\n\n")
        for start, end in zip(stretches.starts.tolist(), stretches.ends.tolist(), strict=True):
            raw = stretches.text[start:end]
            if PROGRESS.search(raw) or keras_text.INTEREST.search(raw):
                if template_of(raw):
                    lines += 1
                else:
                    parsed = parse_stretch(raw)
                    lines += len(parsed.lines)
                    headers += sum(found.kind == "header" for found in parsed.found)
                if lines >= _CONVINCED:
                    found = f"{_CONVINCED} progress lines of Keras in its first {end:,} bytes"
                    return 0.9, found + _joined(head)
        if lines:
            return 0.9, f"{_count(lines, 'progress line')} of Keras{_joined(head)}"
        if headers:
            return 0.6, f"{_count(headers, 'epoch header')} of Keras, no progress line yet"
        return 0.0, "no progress line of Keras"

    def __getstate__(self) -> dict[str, object]:
        """What it knows of its log, for another process; there, nothing more is read."""
        return {name: getattr(self, name) for name in _KNOWN}

    def __deepcopy__(self, memo: dict[int, Any]) -> KerasLog:
        """A reader that goes on from here by itself, unlike what another process gets."""
        other = memo[id(self)] = KerasLog.__new__(KerasLog)
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return other

    def feed(self, block: bytes) -> Chunk:
        """Updates, events and rejects that are complete once ``block`` has come."""
        self._fed += len(block)
        return self._read(self._splitter.feed(block))

    def finish(self) -> Chunk:
        """The rest, from the end of a log that may have been cut there."""
        return self._read(self._splitter.finish())

    def _find(self, text: bytes, size: int) -> Spans | None:
        # Until some metrics are known nothing would be taken.
        return self._finder.find(text, size, self.metrics) if self.metrics else None

    def _read(self, part: Stretches) -> Chunk:
        block = _Block(self, part)
        block.decode_shapes()
        block.decode_rest()
        chunk = block.chunk()
        account = self.account
        account.ignored["line breaks and backspaces"] += part.separators
        account.pending = 0
        account.pending = self._fed - account.size
        self.lines = self._splitter.lines
        for name, values in chunk.updates.values.items():
            shown = np.flatnonzero(chunk.updates.decimals[name])
            if len(shown):
                self._latest[name] = abs(float(values[shown[-1]]))
        return chunk

    def sure(self) -> set[str]:
        """Metrics far above where Keras turns to %.4e, and their validation twins."""
        far = {name for name, value in self._latest.items() if value > _FAR}
        return far | {f"val_{name}" for name in far if f"val_{name}" not in self._latest}


class _Block:
    """The stretches of one block on their way to a chunk."""

    def __init__(self, log: KerasLog, part: Stretches) -> None:
        self.log, self.part = log, part
        size = len(part.starts)
        self.columns = Columns(size)
        self.channel = np.full(size, -1, np.int64)
        self.fast = np.zeros(size, np.bool_)
        self.slow: list[Single] = []
        self.before = log._line_channel
        self.events: list[tuple[int, Event]] = []
        self.rejects: list[Reject] = []

    def decode_shapes(self) -> None:
        """Decode the stretches that are of a known shape, or of one that can be learned here."""
        lengths = self.part.ends - self.part.starts
        if self.part.cut:
            lengths[-1] = 0
        fit = np.flatnonzero((lengths >= 8) & (lengths <= WIDTH))
        if len(fit) < _FEW:
            return
        for alike in groups(lengths[fit].astype(np.uint16)):
            if len(alike) < _FEW:
                continue
            index = fit[alike]
            rows = Rows.gather(self.part.buffer, self.part.starts[index], int(lengths[index[0]]))
            signatures = rows.signatures()
            for group in groups(signatures):
                if len(group) >= _FEW:
                    part = rows if len(group) == len(rows) else rows.take(group)
                    self._decode_group(part, index[group], int(signatures[group[0]]))

    def _decode_group(self, rows: Rows, index: Ints, signature: int) -> None:
        """Rows that look alike: match the known shapes, learn new ones from what is left."""
        known = self.log._templates.setdefault((rows.length, signature), [])
        for template in known:
            rows, index = self._decode_rows(template, rows, index)
            if not len(index):
                return
        learned = 0
        while len(index) and learned < _LEARN:
            raw = rows.rows[0, : rows.length].tobytes()
            new = template_of(raw) if PROGRESS.search(raw) and not HEADER.match(raw) else None
            if new is None:
                break
            known.append(new)
            learned += 1
            rows, index = self._decode_rows(new, rows, index)
        self.log._shapes += learned
        if self.log._shapes > _SHAPES:
            self.log._templates.clear()
            self.log._shapes = 0

    def _decode_rows(self, template: Template, rows: Rows, index: Ints) -> tuple[Rows, Ints]:
        """Decode the rows of a template's shape; the others remain."""
        match = template.shape.match(rows)
        count = int(np.count_nonzero(match))
        if count == 0:
            return rows, index
        whole = count == len(index)
        hits = index if whole else index[match]
        channels = template.decode(
            rows if whole else rows.take(match), hits, self.columns, self.log.channels
        )
        self.channel[hits] = channels
        self.fast[hits] = True
        account = self.log.account
        account.read += template.read * count
        for rule, size in template.ignored.items():
            account.ignored[rule] += size * count
        rest = ~match
        return (rows, index[:0]) if whole else (rows.take(rest), index[rest])

    def decode_rest(self) -> None:
        """Read all other stretches one by one, in order."""
        part, log = self.part, self.log
        text = part.text
        last = len(part.starts) - 1
        for i in np.flatnonzero(~self.fast).tolist():
            start, place = int(part.starts[i]), int(part.places[i])
            raw = text[start : int(part.ends[i])]
            cut = part.cut and i == last
            if not cut and not log.summary.open and (header := _plain_header(raw)):
                self._header(header, i, place)
                continue
            progress = PROGRESS.search(raw)
            if not progress and self._summary(raw, i, cut=cut):
                continue
            if progress or cut or keras_text.INTEREST.search(raw) or _may_be_prefix(raw):
                parsed = parse_stretch(raw, cut=cut, whole=log.sure() if cut else ())
                self._keep(parsed, raw, i, place)
            elif raw.isspace():
                log.account.ignored["blank"] += len(raw)
            else:
                log.account.ignored["other output"] += len(raw)
        for line, start, end in part.overlong:
            excerpt = f"a line of {end - start} bytes; the limit is {LINE_BYTES}"
            self.rejects.append(Reject(line, start, end, "line too long", excerpt))
            log.account.rejected += end - start

    def _header(self, header: re.Match[bytes], i: int, place: int) -> None:
        """Take a header that stands alone on its line, as nearly all do."""
        size = header.end()
        data = {"epoch": int(header[1]), "epochs": int(header[2])}
        line, text = int(self.part.lines[i]), header[0].decode()
        self.events.append((i, Event(place, place + size, line, "header", text, 0, data)))
        self.log.account.read += size

    def _summary(self, raw: bytes, i: int, *, cut: bool) -> bool:
        """Whether a line belongs to a model summary and was taken."""
        summary = self.log.summary
        if cut or not (summary.open or keras_text.INTEREST.search(raw)):
            return False
        place = int(self.part.places[i])
        clean = CONTROL.sub(b"", raw).decode("utf-8", "replace")
        taken = summary.feed(clean, int(self.part.lines[i]), place, place + len(raw))
        if taken:
            self.log.account.read += len(raw)
        return taken

    def _keep(self, parsed: Parsed, raw: bytes, i: int, place: int) -> None:
        """Take over what the grammar found in stretch ``i``."""
        account, number = self.log.account, int(self.part.lines[i])
        account.read += parsed.read
        account.ignored.update({k: v for k, v in parsed.ignored.items() if v})
        self.channel[i] = self.log.channels.one(parsed.prefix, parsed.text)
        for line in parsed.lines:
            at = place + parsed.at[line.start]
            fields = slow_row(line, parsed.prefix, parsed.text)
            self.slow.append(Single(i, at, line, fields, parsed.at))
        stamp, stamped = timestamp(parsed.prefix, parsed.text), parsed.at[parsed.prefix.end]
        for found in parsed.found:
            text = CONTROL.sub(b"", raw[found.start : found.end]).decode("utf-8", "replace")
            event = Event(
                place + found.start,
                place + found.end,
                number,
                found.kind,
                text.strip(),
                0,
                found.data,
                stamp if found.start >= stamped else None,
            )
            self.events.append((i, event))
        for start, end, kind in parsed.rejects:
            self._reject(i, place + start, place + end, kind)

    def _reject(self, i: int, start: int, end: int, kind: str) -> None:
        """Reject a piece of stretch ``i``."""
        first = int(self.part.starts[i]) + start - int(self.part.places[i])
        size = end - start
        raw = self.part.text[first : first + min(size, REJECT_EXCERPT)]
        line, excerpt = int(self.part.lines[i]), raw.decode("utf-8", "replace")
        self.rejects.append(Reject(line, start, end, kind, excerpt))
        self.log.account.rejected += size

    def chunk(self) -> Chunk:
        """The block's updates, events and rejects in file order."""
        channel = self._channels()
        self._read_spans()
        events = [event for _, event in self.events]
        for i, event in self.events:
            event.channel = int(channel[i])
        names = self.log.metrics
        if not note_names(self.columns, self.slow, self.part, names):
            for i, start, end in beyond(self.columns, self.slow, self.part, names):
                self._reject(i, start, end, TOO_MANY)
                self.log.account.read -= end - start
        updates = gather_updates(self.columns, self.slow, self.part, channel, names)
        if spans := self.part.spans:
            channels = self._span_channels(spans, channel)
            updates = with_spans(updates, spans, self.part.whole, channels, names)
        self.rejects.sort(key=lambda reject: reject.start)
        return Chunk(updates, events, self.rejects)

    def _read_spans(self) -> None:
        """Account for the bytes of the spans."""
        account, spans = self.log.account, self.part.spans
        for stride, count in zip(spans.strides, spans.count.tolist(), strict=True) if spans else ():
            account.read += stride.template.read * count
            for rule, size in stride.template.ignored.items():
                account.ignored[rule] += size * count

    def _span_channels(self, spans: Spans, channel: Ints) -> tuple[Ints, Ints]:
        """For each span the channel of its first row, which may begin within a line, and others."""
        last = np.searchsorted(self.part.places, spans.place)
        line, number = self.before
        lines, channels = np.append(line, self.part.lines), np.append(number, channel)
        first = np.where(lines[last] == spans.line, channels[last], 0)
        return first, np.where([stride.breaks > 0 for stride in spans.strides], 0, first)

    def _channels(self) -> Ints:
        """Each stretch's channel: its own mark, else that of the line it stands in, else 0."""
        lines = self.part.lines
        self.channel = self.log.channels.settle(self.channel)
        if len(self.log.channels.names) == 1 or not len(lines):
            return np.zeros(len(lines), np.int64)
        line, channel = self.before
        fresh = np.diff(lines, prepend=line) != 0
        known = fresh | (self.channel >= 0)
        filled = np.where(self.channel >= 0, self.channel, 0)
        at = np.maximum.accumulate(np.where(known, np.arange(len(lines)), -1))
        result = np.where(at >= 0, filled[at], channel)
        self.log._line_channel = (int(lines[-1]), int(result[-1]))
        return result


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _plain_header(raw: bytes) -> re.Match[bytes] | None:
    header = HEADER.match(raw)
    return header if header and int(header[1]) <= int(header[2]) else None


def _joined(head: bytes) -> str:
    """Says that broken lines are joined, for the reason why a log is taken."""
    width = wrapped.width(head)
    return f"; lines that were broken after {width} characters are joined" if width else ""


def _may_be_prefix(raw: bytes) -> bool:
    return CHANNEL.match(raw) is not None
