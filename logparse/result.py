"""What was read of one log, and its tables -> the object that users, reports and the app hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from logparse.again import Again, Part
from logparse.errors import UsageError
from logparse.reading.detect import EVENTS
from logparse.tables import LARGE, TABLES, empty, frame

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    import polars as pl

    from logparse.findings.registry import Tables
    from logparse.together import Together


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What was read: its name, size, reader, and where each byte went."""

    name: str
    size: int
    sha256: str | None
    reader: str
    reader_reason: str
    read: int
    ignored: dict[str, int]
    rejected: int
    pending: int
    lines: int
    damage: str | None = None
    """What was wrong with a packed file; what came before is good."""
    not_kept: dict[str, int] = field(default_factory=dict)
    """Rejects and messages beyond what is kept one by one, by kind."""

    @property
    def unit(self) -> str:
        """What ``lines`` and the columns ``line`` count: lines of text, or scalars of events."""
        return "scalar" if self.reader == EVENTS else "line"


class Analysis:
    """Everything known about one log, as the tables of ``logparse.tables``.

    Attributes:
        source: what was read and where each byte went.
        runs, epochs, metrics, findings, messages, rejects, layers, models, tags,
            agreement: polars frames.
    """

    def __init__(
        self, source: SourceInfo, tables: dict[str, pl.DataFrame], again: Again | Together
    ) -> None:
        self.source = source
        self._tables = tables
        self._again = again
        self._judged: Tables | None = None

    runs = property(lambda self: self._tables["runs"])
    epochs = property(lambda self: self._tables["epochs"])
    metrics = property(lambda self: self._tables["metrics"])
    findings = property(lambda self: self._tables["findings"])
    unjudged = property(lambda self: self._tables["unjudged"])
    messages = property(lambda self: self._tables["messages"])
    rejects = property(lambda self: self._tables["rejects"])
    step_times = property(lambda self: self._tables["step_times"])
    layers = property(lambda self: self._tables["layers"])
    models = property(lambda self: self._tables["models"])
    tags = property(lambda self: self._tables["tags"])
    agreement = property(lambda self: self._tables["agreement"])

    @property
    def judged(self) -> Tables:
        """The tables that the rules read; what they worked out of them is kept with it."""
        from logparse.findings.registry import Tables

        if self._judged is None:
            names = Tables.__dataclass_fields__
            self._judged = Tables(**{name: self._tables[name] for name in names})
        return self._judged

    @property
    def updates(self) -> pl.DataFrame:
        """Every update as shown, made when first asked for."""
        return self.table("updates")

    @property
    def batches(self) -> pl.DataFrame:
        """The batch values behind the updates, made when first asked for."""
        return self.table("batches")

    @property
    def scalars(self) -> pl.DataFrame:
        """Every scalar of TensorBoard events, made when first asked for."""
        return self.table("scalars")

    def table(self, name: str) -> pl.DataFrame:
        """One of the tables, by name.

        Raises:
            UsageError: there is no such table.
        """
        if name not in TABLES:
            raise UsageError(f"no table is called {name!r}; there are {', '.join(TABLES)}")
        if name not in self._tables:
            import polars as pl

            self._tables[name] = pl.concat(self.in_parts(name))
        return self._tables[name]

    def in_parts(self, name: str) -> Iterator[pl.DataFrame]:
        """One of the tables in parts, one at least; a large one is not kept in memory.

        Raises:
            UsageError: there is no such table.
        """
        if name in self._tables or name not in LARGE:
            yield self.table(name)
            return
        parts = self._again.frames(name)
        first = next(parts, None)
        yield frame(name, empty(name)) if first is None else first
        yield from parts

    def parts(self, most: int) -> Iterator[Part]:
        """What was shown and the batches behind it in parts, from one reading of the log.

        Args:
            most: updates of an epoch that batches are rebuilt from; of more, some are passed over
                and the intervals between the others are longer.
        """
        return self._again.parts(most)

    def release(self) -> None:
        """Forget the large tables; they are made again when they are asked for."""
        for name in LARGE:
            self._tables.pop(name, None)

    def to_pandas(self, name: str) -> pd.DataFrame:
        """One of the tables as a pandas frame; needs the extra ``logparse[pandas]``."""
        return self.table(name).to_pandas()

    def to_json(self, *, full: bool = False) -> str:
        """The JSON report, with ``updates`` and ``batches`` if ``full``."""
        from logparse.reports.json import document

        return document(self, full=full)

    def to_html(
        self, path: str | os.PathLike[str], *, full: bool = False, force: bool = False
    ) -> None:
        """Write the HTML report: one file that needs neither logparse nor a connection.

        Args:
            path: the file; it appears whole or not at all.
            full: with every row of every table.
            force: replace a file that exists.

        Raises:
            LogparseError: the file exists and ``force`` is not given, or it cannot be written.
        """
        from logparse.files import write_atomic
        from logparse.reports.html import page

        with write_atomic(path, force=force) as file:
            file.write(page(self, full=full).encode())

    def _repr_html_(self) -> str:
        """What a notebook shows: verdict, findings and the table of epochs."""
        from logparse.reports.html import summary

        return summary(self)

    def plot(
        self, kind: Literal["curves", "times", "steps"] = "curves", **options: Any
    ) -> go.Figure:
        """A plotly figure of this log; see ``logparse.reports.figures`` for the options of each.

        Args:
            kind: ``curves`` of one metric, ``times`` of the epochs, or ``steps``: time a step.
            options: as of the function of that name; ``curves`` draws the first metric by default.

        Raises:
            UsageError: there is no such figure, or the log has nothing to show in it.
        """
        from logparse.reports import figures

        if kind == "curves":
            names = [metric.name for metric in figures.metrics_of(self)]
            if not names:
                raise UsageError(f"no metric in {self.source.name}")
            return figures.curves(self, options.pop("metric", names[0]), **options)
        if kind not in ("times", "steps"):
            raise UsageError(f"no figure {kind!r}; there are curves, times and steps")
        return (figures.times if kind == "times" else figures.steps)(self, **options)

    def __repr__(self) -> str:
        return (
            f"<Analysis of {self.source.name}: {self.runs.height} runs, "
            f"{self.epochs.height} epochs, {self.findings.height} findings>"
        )
