"""Which reader takes a log, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from logparse.errors import UsageError
from logparse.reading.csv_log import CsvLogReader
from logparse.reading.detect import HEAD_BYTES, NAMES, SURE, guesses, not_a_log, reader_named
from logparse.reading.keras_log import KerasLog

SAMPLES = sorted((Path(__file__).parent.parent.parent / "sample_logs").rglob("*.log"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_samples_are_keras_logs(path: Path) -> None:
    best = guesses(path.read_bytes()[:HEAD_BYTES])[0]
    assert (best.reader, best.score >= SURE) == ("keras", True)
    assert "Keras" in best.reason


def test_a_csv_log() -> None:
    best = guesses(b"epoch,accuracy,loss\r\n0,0.5,1.25\r\n1,0.75,0.5\r\n")[0]
    assert (best.reader, best.score >= SURE) == ("csv", True)


@pytest.mark.parametrize("head", [b"", b"\n\n", b"\0" * 100, b"hello\n", b"a,b\n1,2\n"])
def test_nothing_is_sure(head: bytes) -> None:
    found = guesses(head)
    assert {guess.reader for guess in found} == set(NAMES)
    assert all(guess.score < SURE and guess.reason.isprintable() for guess in found)


def test_best_comes_first() -> None:
    scores = [guess.score for guess in guesses(b"Epoch 1/3\n")]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= SURE


def test_readers_by_name() -> None:
    assert isinstance(reader_named("keras", b""), KerasLog)
    assert isinstance(reader_named("csv", b""), CsvLogReader)
    with pytest.raises(UsageError, match="csv, keras"):
        reader_named("nonsense", b"")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n", "PNG"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\x7fELF\x02", "program"),
        (b"PAR1", "Parquet"),
        (b"abc\0def", "binary"),
        (b"hello\n", "not a training log"),
    ],
)
def test_what_is_not_a_log(head: bytes, words: str) -> None:
    error = not_a_log("x.log", head)
    assert words in str(error)
    assert str(error).startswith("x.log: ")
    assert error.exit_code == 3
