"""One table in, a file of it out: CSV, TSV, Parquet, JSON, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING

from logparse.reports.safe import cell

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis, Failure


def safe_cells(table: pl.DataFrame) -> pl.DataFrame:
    """The table with texts and column names that no spreadsheet computes; numbers stay."""
    import polars as pl

    for name in [name for name, kind in table.schema.items() if kind == pl.String]:
        # Most texts come often, and few must change.
        texts = table[name].drop_nulls().unique().to_list()
        changed = {word: safe for word in texts if (safe := cell(word)) != word}
        if changed:
            table = table.with_columns(table[name].replace(changed))
    # Two names that differ only in hidden characters must stay two columns.
    names = [cell(name) for name in table.columns]
    names = [
        name if names.index(name) == i else f"{name} ({i + 1})" for i, name in enumerate(names)
    ]
    return table.rename(dict(zip(table.columns, names, strict=True)))


def write_table(table: pl.DataFrame | Iterable[pl.DataFrame], file: IO[bytes], form: str) -> None:
    """Write a table, or one that comes in parts, in one of ``output.EXPORTS``.

    CSV, TSV and Parquet hold the text of a log as text cells (``safe.cell``): Parquet, too, is
    opened in spreadsheets, or turned into what they open. CSV is empty for null and has ``NaN`` for
    a shown nan. JSON is an array of the objects of the JSON report.
    """
    import polars as pl

    parts = iter([table] if isinstance(table, pl.DataFrame) else table)
    if form == "parquet":
        _write_parquet(map(safe_cells, parts), file)
    elif form in ("csv", "tsv"):
        for number, part in enumerate(map(safe_cells, parts)):
            separator = "," if form == "csv" else "\t"
            part.write_csv(file, separator=separator, include_header=number == 0)
    else:
        for piece in _json_pieces(parts, lines=form == "ndjson"):
            file.write(piece.encode())


def _write_parquet(parts: Iterator[pl.DataFrame], file: IO[bytes]) -> None:
    """Write one part whole, several as they come: never more of them than polars works on."""
    from polars.io.plugins import register_io_source

    begin = [next(parts), *islice(parts, 1)]
    if len(begin) == 1:
        begin[0].write_parquet(file)
        return
    schema = begin[0].schema
    failed: list[BaseException] = []

    def source(*_: object) -> Iterator[pl.DataFrame]:
        try:
            while begin:
                yield begin.pop(0)
            yield from parts
        except BaseException as error:  # polars raises another one in its place
            failed.append(error)
            raise

    try:
        register_io_source(source, schema=schema).sink_parquet(file)
    except Exception:
        if failed:
            raise failed[0] from None
        raise


def _json_pieces(parts: Iterator[pl.DataFrame], *, lines: bool) -> Iterator[str]:
    from logparse.reports.json import dump, rows

    every = (row for part in parts for row in rows(part))
    if lines:
        yield from (dump(row) + "\n" for row in every)
        return
    between = "[\n"
    for row in every:
        yield between + dump(row)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


class CsvReport:
    """The epochs of all logs as one CSV table, the path first."""

    def __init__(self) -> None:
        self._header = True

    def start(self) -> Iterator[str]:
        """The header comes with the first log."""
        yield from ()

    def log(self, analysis: Analysis) -> Iterator[str]:
        """One log's epochs."""
        import polars as pl

        epochs = analysis.epochs
        path = pl.Series("path", [analysis.source.name], dtype=pl.String)
        table = epochs.select(path.new_from_index(0, epochs.height), pl.all())
        yield safe_cells(table).write_csv(include_header=self._header)
        self._header = False

    def failure(self, failure: Failure) -> Iterator[str]:
        """A log that could not be read has no epochs."""
        yield from ()

    def end(self) -> Iterator[str]:
        """Nothing comes last."""
        yield from ()
