"""The event files of one run in, chunks for the analysis out; its scalars and tags as tables.

Every file is read twice: once to find the epochs and what each tag holds, once for the updates.
A short run is kept in memory in between.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from logparse.errors import NotALogError
from logparse.reading.detect import EVENTS
from logparse.reading.event_names import CUT_KIND, FILE_KIND, PARTS, Restarts
from logparse.reading.event_runs import (
    EventRun,
    Segment,
    stream_scalars,
)
from logparse.reading.event_shapes import Shapes
from logparse.reading.event_summary import TagSummary
from logparse.reading.event_tags import Plugins
from logparse.reading.keras_events import Blocks, KerasFile, keras_chunks
from logparse.reading.keras_plan import TooManyError
from logparse.reading.records import Account, Chunk, Event, Reject, no_updates
from logparse.reading.sha256 import Sha256
from logparse.reading.tfevents import EventsReader, Scalars

if TYPE_CHECKING:
    import polars as pl

SCALARS_KEPT = 1 << 19
"""Scalars of a run kept in memory between the passes over its files, 21 MB."""


class EventLog:
    """One run of event files: what ``analysis`` takes in place of a reader of text.

    Attributes:
        name: of the reader.
        reason: why it reads this log.
        lines: scalars of the run, once ``chunks`` was read.
        account: where the bytes of all files went.
        not_kept: rejects beyond those that chunks hold, by kind.
        plain: the scalars are not in the structure of Keras, so there are no updates.
        damage: what was wrong with compressed files.
        sha256: of the bytes of all files, in order of time.
    """

    name = EVENTS

    def __init__(
        self,
        title: str,
        segments: list[Segment],
        *,
        restarts: Restarts = "keep",
        sha256: bool = False,
    ) -> None:
        """Files of one run in order of time; ``title`` is what it is called."""
        self.title, self.segments = title, segments
        self.reason = f"{len(segments)} file{'s' if len(segments) > 1 else ''} of events"
        self.sha256: str | None = None
        self.plain = False
        self.tags = TagSummary()
        self._restarts: Restarts = restarts
        self._want_sha256 = sha256
        self._shapes = Shapes()
        self._plugins = {part: Plugins() for part in ("", *PARTS)}
        self._before: dict[int, Plugins] = {}
        """What was known of the tags before each segment."""
        self._kept: dict[int, list[Scalars]] = {}
        self._room = SCALARS_KEPT
        self._why = "the tags are not those of Keras, so each scalar is taken as it was written"

    @property
    def lines(self) -> int:
        """Scalars of all files."""
        return sum(segment.scalars for segment in self.segments)

    @property
    def account(self) -> Account:
        """Where the bytes of all files went."""
        total = Account()
        for segment in self.segments:
            one = segment.account
            total.read += one.read
            total.rejected += one.rejected
            total.pending += one.pending
            total.ignored.update(one.ignored)
        return total

    @property
    def damage(self) -> str | None:
        """What was wrong with compressed files."""
        found = [f"{s.file.name}: {s.damage}" for s in self.segments if s.damage]
        return "; ".join(found) or None

    @property
    def not_kept(self) -> dict[str, int]:
        """Rejects beyond those in the chunks, by kind."""
        total: Counter[str] = Counter()
        for segment in self.segments:
            total += segment.reject_counts
            total -= Counter(reject.kind for reject in segment.rejects)
        return dict(total)

    def chunks(self) -> Iterator[Chunk]:
        """Updates and headers as ``keras_events`` gives them, then what is said of the files.

        Raises:
            SourceError: a file cannot be read.
            NotALogError: there is no scalar in the files.
        """
        digest: AbstractContextManager[Any] = nullcontext()
        if self._want_sha256 and not self._before:
            digest = Sha256()
        with digest as sha:
            files = [KerasFile(segment, self._blocks(i, sha)) for i, segment in self._numbered()]
            try:
                found = keras_chunks(files, self._shapes.tags.names, restarts=self._restarts)
            except TooManyError as error:
                found, self._why = None, f"{error}, so each scalar is taken as it was written"
                for file, index in zip(files, range(len(files)), strict=True):
                    if index not in self._before:
                        for _ in file.blocks():
                            pass
            if sha:
                self.sha256 = sha.hexdigest()
        if not self.lines:
            raise self.nothing()
        self.plain = found is None
        yield from found or ()
        yield Chunk(no_updates(), self._said(), self._rejects())

    def nothing(self) -> NotALogError:
        """What to say where there is nothing to analyse."""
        kinds = Counter[str]()
        for segment in self.segments:
            kinds += segment.kinds
        held = ", ".join(f"{n:,} {kind}" for kind, n in kinds.most_common(4))
        text = "TensorBoard events, but no scalar among them" + (f" ({held})" if held else "")
        return NotALogError(f"{self.title}: {text}")

    def _numbered(self) -> Iterator[tuple[int, Segment]]:
        return enumerate(self.segments)

    def _blocks(self, index: int, sha: Sha256 | None) -> Blocks:
        """The scalars of a segment; the first time they are looked at, then kept or read again."""

        def blocks() -> Iterable[Scalars]:
            if index in self._kept:
                return self._kept[index]
            return self._again(index) if index in self._before else self._first(index, sha)

        return blocks

    def _first(self, index: int, sha: Sha256 | None) -> Iterator[Scalars]:
        segment = self.segments[index]
        plugins = self._plugins[segment.part]
        self._before[index] = copy.deepcopy(plugins)
        kept: list[Scalars] | None = []
        look = sha.update if sha else lambda block: None
        for block in self._stream(index, plugins, look=look):
            self.tags.add(segment.part, block)
            if kept is not None:
                kept.append(block)
                self._room -= len(block)
                if self._room < 0:
                    self._room += sum(map(len, kept))
                    kept = None
            yield block
        if kept is not None:
            self._kept[index] = kept

    def _again(self, index: int) -> Iterator[Scalars]:
        size = self.segments[index].account.size
        return self._stream(index, copy.deepcopy(self._before[index]), size=size)

    def _stream(
        self,
        index: int,
        plugins: Plugins,
        *,
        look: Callable[[bytes], None] = lambda block: None,
        size: int | None = None,
    ) -> Iterator[Scalars]:
        """The scalars of a segment from its file; the arguments are as of ``stream_scalars``."""
        reader = EventsReader(self._shapes, plugins)
        return stream_scalars(self.segments[index], reader, look=look, size=size)

    def _said(self) -> list[Event]:
        """What is worth a message about the files, after all updates."""
        ends = list(accumulate(s.account.size for s in self.segments if s.part != "validation"))
        end, lines = ends[-1] if ends else 0, max(self.lines, 1)
        events = []
        for segment in self.segments:
            size = segment.account.size
            text = f"{segment.file.name}: {segment.scalars:,} scalars in {size:,} bytes"
            events.append(Event(end, end, lines, FILE_KIND, text))
            if waits := segment.account.pending:
                text = (
                    f"{segment.file.name}: the file ends within a record; its first {waits:,} "
                    "bytes wait for the rest"
                )
                events.append(Event(end, end, lines, CUT_KIND, text))
        return events

    def _rejects(self) -> list[Reject]:
        return [
            replace(reject, line=None, file=segment.file.name)
            for segment in self.segments
            for reject in segment.rejects
        ]

    @property
    def plain_runs(self) -> dict[str, list[Any]] | None:
        """The table ``runs`` of scalars that Keras did not write: one run, nothing averaged."""
        if not self.plain:
            return None
        starts = [s.started for s in self.segments if s.started == s.started]
        return {
            "run": [1],
            "reader": [self.name],
            "keras": [None],
            "law": ["as is"],
            "law_reason": [self._why],
            "channel": [None],
            "epochs": [0],
            "of": [None],
            "steps_per_epoch": [None],
            "batch_size": [None],
            "samples": [None],
            "first_line": [1],
            "last_line": [max(self.lines, 1)],
            "started": [min(starts, default=None)],
        }

    def tag_rows(self) -> dict[str, Any]:
        """The table ``tags``."""
        return self.tags.columns(self._shapes.tags.names)

    def scalars(self) -> pl.DataFrame:
        """The table ``scalars``: every scalar of the run, in the order of files and records."""
        import polars as pl

        from logparse.tables import frame, schema

        read = [list(self._blocks(index, None)()) for index, _ in self._numbered()]
        run = EventRun(self.title, self.segments, read, self._shapes.tags.names)
        rows = run.frame(restarts=self._restarts)
        names = pl.Series([segment.file.name for segment in self.segments], dtype=pl.String)
        rows = rows.drop("run").with_columns(file=names.gather(rows["file"]))
        kinds = schema("scalars")
        return frame("scalars", {name: rows[name].cast(kind) for name, kind in kinds.items()})
