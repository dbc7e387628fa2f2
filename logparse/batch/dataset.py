"""What is known of all logs -> the Parquet data set: a folder a table, a file a part."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from logparse.batch.folder import DATA, Folder
from logparse.batch.state import State
from logparse.batch.work import TABLES as PACKED
from logparse.batch.work import Entry, unpack
from logparse.tables import TABLES, Column

if TYPE_CHECKING:
    import polars as pl

LOGS_IN_PART = 4096
"""Logs in one file of a table, about: it is made in memory, and made anew if one log changes."""

_LOG = Column("log", "str", "path of the log below the tree, with the member of an archive")

LOGS = (
    _LOG,
    Column("status", "str", "read, failed, or skipped: no training log"),
    Column("reason", "str", "why it could not be read, or what was damaged in it", null="all well"),
    Column("page", "str", "file name of its page in the folder runs", null="not read"),
    Column("reader", "str", "reader that read it", null="not read"),
    Column("sha256", "str", "hash of its content, unpacked", null="not read"),
    Column("bytes", "int", "size, unpacked", null="not read"),
    Column("lines", "int", "lines", null="not read"),
    Column("read", "int", "bytes read as data", null="not read"),
    Column("ignored", "int", "bytes ignored by a named rule", null="not read"),
    Column("rejected", "int", "bytes that looked like data and could not be read", null="not read"),
    Column("pending", "int", "bytes of a line that was not finished", null="not read"),
)

DATASET: dict[str, tuple[Column, ...]] = {
    "logs": LOGS,
    **{name: (_LOG, *TABLES[name]) for name in PACKED},
}
"""Tables of the data set and their columns; ``log`` joins them."""


def write_dataset(folder: Folder, state: State, *, everything: bool) -> None:
    """Bring the data set up to date: the parts whose logs changed, or all.

    Logs are spread over parts by the first digits of a digest of their names, so that a part
    never grows beyond memory and a change touches one part.
    """
    files = len(state.files())
    digits = 0
    while files > LOGS_IN_PART * 16**digits and digits < 2:
        digits += 1
    prefixes = [f"{i:0{digits}x}" if digits else "" for i in range(16**digits)]
    stale = {part[:digits] for part in state.stale()}
    names = {p: f"part-{p}.parquet" if p else "all.parquet" for p in prefixes}
    there = {table: folder.parts(table) for table in DATASET}
    for prefix, name in names.items():
        whole = all(name in there[table] for table in DATASET)
        if everything or prefix in stale or not whole:
            for table, frame in _frames(state, prefix).items():
                folder.write(_parquet(frame), DATA, table, name)
    for table, found in there.items():
        for name in found - set(names.values()):
            folder.remove_part(table, name)


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer)
    return buffer.getvalue()


def _frames(state: State, prefix: str) -> dict[str, pl.DataFrame]:
    import polars as pl

    from logparse.reports.export import safe_cells

    entries: list[Entry] = []
    pieces: dict[str, list[pl.DataFrame]] = {table: [] for table in PACKED}
    for entry, packed in state.tables(prefix):
        entries.append(entry)
        if packed:
            for table, data in zip(PACKED, unpack(packed), strict=True):
                pieces[table].append(pl.read_ipc_stream(data))
    frames = {"logs": _empty("logs") if not entries else _logs(entries)}
    for table, parts in pieces.items():
        frames[table] = pl.concat(parts) if parts else _empty(table)
    return {
        name: safe_cells(frame).sort("log", maintain_order=True) for name, frame in frames.items()
    }


def _logs(entries: list[Entry]) -> pl.DataFrame:
    import polars as pl

    columns: dict[str, Any] = {c.name: [entry.get(c.name) for entry in entries] for c in LOGS}
    return pl.DataFrame(columns, schema=_schema("logs"))


def _empty(table: str) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(schema=_schema(table))


def _schema(table: str) -> dict[str, Any]:
    import polars as pl

    types = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "str": pl.String}
    return {column.name: types[column.kind] for column in DATASET[table]}
