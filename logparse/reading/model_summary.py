"""Lines of text in, the layers and parameter counts of every ``model.summary()`` among them out.

Forms, from the sources of keras-team/keras 1.2.2 to 3.15.1 and keras 2.6 to 2.15:

- Keras 1.x, 2.x and tf.keras up to 2.6: columns of fixed width, ``____`` between rows, text that is
  too long cut off, further connections on lines of their own.
- Keras 2.7 to 2.15: a space before each line, blank lines between rows, text that is too long goes
  on below, ``|`` before nested layers and ``|¯¯¯|`` around them, ``Trainable`` if asked for.
- Keras 3: a box of ``┃`` and ``│``, text that is too long goes on below, ``├──┼──┤`` between rows.
  Where the output cannot hold these characters the box is of ``|`` and ``-``, or all ``?``. Words
  too long for their cell end in ``…``; a count so cut is not read.

The header line says where each column starts, so a prefix of constant width on every line does
no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

LAYERS_KEPT = 100_000
"""Layers kept of one log; a summary printed in a loop must not fill the memory."""

SUMMARIES_KEPT = 10_000
"""Summaries kept of one log, for the same reason."""

_CELL_CHARS = 4096  # a layer's name, type and shape; more is no summary
_BLANKS = 3  # blank lines in a row; Keras prints one

_MODEL = re.compile(r'Model: "(?P<name>[^"]{0,300})"\s*$')
_HEADER = re.compile(
    r"Layer \(type\)\s{1,400}(?P<bar>[^\sA-Za-z0-9]{1,3}\s{1,400})?Output [Ss]hape\s"
)
_TITLES = re.compile(r"Layer \(type\)|Output [Ss]hape|Param #|Connected to|Trainable")
_COUNT = r"[0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,18}"
# A count, or "0 (unused)"; also where a narrow column breaks it: "2086148" and "0", "0 (unus".
_PARAMETERS = re.compile(rf"(?P<n>{_COUNT})(?:\s?\([a-z]{{0,8}}\)?)?")
_PARAMETERS_GO_ON = re.compile(r"[0-9,]{1,18}(?:\s?\([a-z]{0,8}\)?)?|\(?[a-z]{0,8}\)")
_TOTAL = re.compile(
    rf"(?:^|[^\w-])(?P<what>Total|Trainable|Non-trainable|Optimizer) params: (?P<n>{_COUNT})"
    r"(?: \([0-9]{1,9}\.[0-9]{2} (?:Byte|[KMGTP]?B)\))?\s*$"
)
_RULE = frozenset("_=¯-+|?─━═│┃├┼┤┏┳┓┡╇┩└┴┘ \t")
# The rest of "name (Type)": of the name, then perhaps the type; or of the type alone.
_NAME_GOES_ON = re.compile(r"[|\s]*[^\s()|]*(?:\s?\([^\s()]*\)?|\))?[|\s]*")


@dataclass(slots=True)
class Summary:
    """One ``model.summary()``: where it stands and the counts below its table.

    A count is None where it was not printed. In Keras 3 ``total`` includes the optimizer's.
    """

    model: int
    """Number of the summary in the log, from 1, as in the table ``layers``."""
    name: str | None
    line: int
    byte: int
    end: int
    total: int | None = None
    trainable: int | None = None
    non_trainable: int | None = None
    optimizer: int | None = None


class _State(Enum):
    IDLE = auto()
    LEAD = auto()  # the model's name or a rule was read, the header may follow
    ROWS = auto()
    TOTALS = auto()


class _Row:
    """Cells of one layer, which may take several lines."""

    __slots__ = (
        "line",
        "name",
        "name_cut",
        "parameters",
        "parameters_open",
        "shape",
        "trainable",
    )

    def __init__(self, line: int) -> None:
        self.line = line
        self.name: list[str] = []
        self.shape: list[str] = []
        self.parameters = self.trainable = ""
        self.name_cut = self.parameters_open = False  # the last line filled its cell

    def name_open(self) -> bool:
        return self.name_cut and not self.name[-1].endswith(")")

    def shape_open(self) -> bool:
        shape = "".join(self.shape)
        return sum(map(shape.count, "([{")) > sum(map(shape.count, ")]}"))

    def size(self) -> int:
        return sum(map(len, self.name)) + sum(map(len, self.shape)) + len(self.parameters)


class SummaryReader:
    """Reads summaries line by line; bounded memory; anything unexpected ends a summary.

    Attributes:
        layers: Columns of the table ``layers``.
        summaries: One entry a summary, in order.
        dropped: Layers and summaries beyond the limits above, not kept.
    """

    def __init__(self) -> None:
        self.layers: dict[str, list[Any]] = {
            key: []
            for key in ("model", "layer", "type", "shape", "parameters", "trainable", "line")
        }
        self.summaries: list[Summary] = []
        self.dropped = 0
        self._state = _State.IDLE
        self._models = 0
        self._name: str | None = None
        self._summary: Summary | None = None
        self._row: _Row | None = None
        self._titles: list[str] = []
        self._starts: list[int] = []
        self._before = ""  # the character before the first column
        self._bar = 0  # width of the character between the columns, 0 where there is none
        self._blanks = 0

    @property
    def open(self) -> bool:
        """Whether the next line may belong to a summary that has begun."""
        return self._state is not _State.IDLE

    def feed(self, text: str, line: int, byte: int, end: int) -> bool:
        """Takes one line without its line break and without ANSI codes.

        Args:
            text: The line. Spaces at its start count: columns are found by position.
            line: Its number, from 1.
            byte: Offset of its first byte.
            end: Offset after its last byte.

        Returns:
            Whether the line is part of a summary. If not, an open summary has ended.
        """
        taken = self._take(text, line, byte, end)
        if taken and self._summary is not None:
            self._summary.end = end
        return taken

    def finish(self) -> None:
        """Ends an open summary: no line follows."""
        self._close()

    def _take(self, text: str, line: int, byte: int, end: int) -> bool:
        total = _TOTAL.search(text) if "params: " in text else None
        if self._state is _State.ROWS:
            if total is None and self._take_row(text, line):
                return True
            self._flush()
        if total is not None and self._take_total(total, line, byte, end):
            return True
        if self._state is _State.TOTALS and _is_underscores(text):
            self._summary_end(end)
            self._close()
            return True
        if self._state is not _State.LEAD:
            self._close()
        return self._take_lead(text, line, byte, end)

    def _take_lead(self, text: str, line: int, byte: int, end: int) -> bool:
        """A line that begins a summary, or goes on with its beginning."""
        if (model := _MODEL.search(text)) is not None:
            self._name = model["name"]
            self._state = _State.LEAD
            return True
        if (header := _HEADER.search(text)) is not None and self._columns(text, header):
            self._begin(line, byte, end)
            self._state = _State.ROWS
            return True
        if _is_underscores(text) or (self._state is _State.LEAD and _is_box(text)):
            self._state = _State.LEAD
            return True
        self._close()
        return False

    def _begin(self, line: int, byte: int, end: int) -> None:
        self._models += 1
        self._summary = Summary(self._models, self._name, line, byte, end)
        if len(self.summaries) < SUMMARIES_KEPT:
            self.summaries.append(self._summary)
        else:
            self.dropped += 1
        self._name = None
        self._blanks = 0

    def _summary_end(self, end: int) -> None:
        if self._summary is not None:
            self._summary.end = end

    def _close(self) -> None:
        self._flush()
        self._state = _State.IDLE
        self._summary = None
        self._name = None

    def _columns(self, text: str, header: re.Match[str]) -> bool:
        """Where the columns start, from the header line. False if it is no header of Keras."""
        titles = list(_TITLES.finditer(text, header.start()))
        names = [title[0].capitalize() for title in titles]
        if names[:3] != ["Layer (type)", "Output shape", "Param #"]:
            return False
        if header["bar"] is None:
            self._bar = 0
            self._starts = [title.start() for title in titles]
            self._before = text[max(0, header.start() - 1) : header.start()]
        else:
            bar = header["bar"].strip()
            self._bar = len(bar)
            at = text.find(bar, max(0, header.start() - 1 - len(bar)))
            self._starts = []
            while at >= 0:
                self._starts.append(at)
                at = text.find(bar, at + len(bar))
            if len(self._starts) != len(titles) + 1:
                return False
        self._titles = names
        return True

    def _take_row(self, text: str, line: int) -> bool:
        body = text[max(0, self._starts[0] - 1) :]
        if not body.strip() or (not self._bar and not body.strip(" |")):
            self._flush()
            self._blanks += 1
            return self._blanks <= _BLANKS
        self._blanks = 0
        if _is_rule(body):
            self._flush()
            return True
        cells = self._boxed(text) if self._bar else self._plain(text)
        if cells is None:
            return False
        return self._take_boxed(cells, line) if self._bar else self._take_plain(cells, line)

    def _boxed(self, text: str) -> list[str] | None:
        """Cells between bars, None unless a bar stands at each of their places."""
        bar = text[self._starts[0] : self._starts[0] + self._bar]
        if not bar or any(c.isalnum() or c.isspace() for c in bar):
            return None
        if not all(text.startswith(bar, at) for at in self._starts):
            return None
        inner = zip(self._starts, self._starts[1:], strict=False)
        return [text[low + self._bar : high] for low, high in inner]

    def _plain(self, text: str) -> list[str] | None:
        """Cells from the columns' starts, None if a text runs across one."""
        first = self._starts[0]
        if text[max(0, first - 1) : first] not in (
            "",
            self._before,
            self._before.replace(" ", "|"),
        ):
            return None
        if any(text[at - 1 : at] not in ("", " ", "|") for at in self._starts[1:]):
            return None
        ends = [*self._starts[1:], len(text)]
        return [text[low:high] for low, high in zip(self._starts, ends, strict=True)]

    def _take_boxed(self, cells: list[str], line: int) -> bool:
        if self._row is None:
            self._row = _Row(line)
        row = self._row
        for parts, cell in zip((row.name, row.shape), cells, strict=False):
            if part := cell.strip():
                # Lines are broken at spaces; a word longer than its cell ends in an ellipsis.
                parts.append(part + " ")
        row.parameters += cells[2].strip()
        row.trainable += self._trainable(cells)
        return row.size() <= _CELL_CHARS

    def _take_plain(self, cells: list[str], line: int) -> bool:
        """A line without bars: a layer, or what did not fit into the line above.

        Text goes on below only in Keras 2.7 and later, where a space stands before each line, and
        only from a cell that is full up to the gap of one to three spaces before the next column.
        """
        name, shape, parameters = (cell.strip(" |") for cell in cells[:3])
        row = self._row
        goes_on = row is not None and (
            not name or (row.name_open() and _NAME_GOES_ON.fullmatch(cells[0]) is not None)
        )
        if row is not None and goes_on:
            if parameters and not (
                row.parameters_open and _PARAMETERS_GO_ON.fullmatch(parameters) is not None
            ):
                return False
            if shape and not row.shape_open():
                return False
            if name:
                row.name.append(cells[0].strip("|").rstrip())
            row.shape.append(cells[1].rstrip(" |"))
            row.parameters += parameters
        else:
            if not name or name[0] == "(" or _PARAMETERS.fullmatch(parameters) is None:
                return False
            self._flush()
            row = self._row = _Row(line)
            row.name, row.shape = [cells[0].rstrip(" |")], [cells[1].rstrip(" |")]
            row.parameters, row.trainable = parameters, self._trainable(cells)
        wraps = self._before == " "
        row.name_cut = wraps and len(cells[0]) - len(cells[0].rstrip()) <= 3
        row.parameters_open = (
            wraps and len(cells) > 3 and len(cells[2]) - len(cells[2].rstrip()) <= 3
        )
        return row.size() <= _CELL_CHARS

    def _trainable(self, cells: list[str]) -> str:
        if "Trainable" not in self._titles:
            return ""
        return cells[self._titles.index("Trainable")].strip(" |")

    def _flush(self) -> None:
        """Keeps the layer whose lines have all been read."""
        row, self._row = self._row, None
        if row is None or self._summary is None:
            return
        name, paren, kind = "".join(row.name).lstrip(" |└?").rstrip(" |").rpartition("(")
        if not paren:
            name, kind = kind, ""
        name = name.strip()
        if not name:
            return
        if len(self.layers["line"]) >= LAYERS_KEPT:
            self.dropped += 1
            return
        count = _PARAMETERS.fullmatch(row.parameters)
        values = (
            self._summary.model,
            name,
            kind.rstrip(") "),
            re.sub(r",\s*(?=[^\s)\]}])", ", ", "".join(row.shape).strip()) or None,
            int(count["n"].replace(",", "")) if count else None,
            {"Y": True, "N": False}.get(row.trainable),
            row.line,
        )
        for column, value in zip(self.layers.values(), values, strict=True):
            column.append(value)

    def _take_total(self, total: re.Match[str], line: int, byte: int, end: int) -> bool:
        """A count below the table. ``Total params`` alone begins a summary: its table is lost."""
        key = total["what"].lower().replace("-", "_")
        if key == "total" and (self._summary is None or self._summary.total is not None):
            name = self._name
            self._close()
            self._name = name
            self._begin(line, byte, end)
        if self._summary is None or getattr(self._summary, key) is not None:
            return False
        setattr(self._summary, key, int(total["n"].replace(",", "")))
        self._state = _State.TOTALS
        return True


def _is_underscores(text: str) -> bool:
    """Whether the line ends in the rule that Keras 1 and 2 print around a summary."""
    return text.rstrip().endswith("_" * 20)


def _is_box(text: str) -> bool:
    """Whether the line ends in the upper side of a box."""
    words = text.split()
    return bool(words) and len(words[-1]) >= 20 and _is_rule(words[-1])


def _is_rule(body: str) -> bool:
    """Whether a line only parts rows: at least three line characters, and nothing but them."""
    return (
        len(body) <= _CELL_CHARS
        and len(body.split()) <= 8
        and set(body) <= _RULE
        and any(c * 3 in body for c in "_=¯-?─━═")
    )
