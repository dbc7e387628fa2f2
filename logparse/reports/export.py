"""One table in, a file of it out: CSV, TSV, Parquet, JSON, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
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


def write_table(table: pl.DataFrame, file: IO[bytes], form: str) -> None:
    """Write a table in one of ``output.EXPORTS``.

    CSV, TSV and Parquet hold the text of a log as text cells (``safe.cell``): Parquet, too, is
    opened in spreadsheets, or turned into what they open. CSV is empty for null and has ``NaN`` for
    a shown nan. JSON is an array of the objects of the JSON report.
    """
    if form == "parquet":
        safe_cells(table).write_parquet(file)
    elif form in ("csv", "tsv"):
        separator = "," if form == "csv" else "\t"
        safe_cells(table).write_csv(file, separator=separator)
    else:
        for piece in _json_pieces(table, lines=form == "ndjson"):
            file.write(piece.encode())


def _json_pieces(table: pl.DataFrame, *, lines: bool) -> Iterator[str]:
    from logparse.reports.json import dump, rows

    if lines:
        yield from (dump(row) + "\n" for row in rows(table))
        return
    between = "[\n"
    for row in rows(table):
        yield between + dump(row)
        between = ",\n"
    yield "\n]\n" if table.height else "[]\n"


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
