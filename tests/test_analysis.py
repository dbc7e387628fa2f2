"""``analyze`` on what it was not made for, and on real logs that came another way."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import random
import re
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import logparse
from logparse import limits
from logparse.errors import LogparseError, NotALogError
from logparse.reading.source import Upload
from logparse.tables import TABLES
from tests import fuzz
from tests.checks import read

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))
BAR = b"1/3 [=>.] - ETA: 1s - loss: 0.5000\n"
JUNK = {
    "empty": b"",
    "one byte": b"x",
    "one line break": b"\n",
    "blanks": b" \t\r\n" * 50,
    "binary": random.Random(1).randbytes(20_000),
    "a JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01" + random.Random(2).randbytes(5000),
    "NULs": bytes(10_000),
    "3 MB without a line break": b"x" * 3_000_000,
    "100,000 backspaces": b"\b" * 100_000,
    "100,000 carriage returns": b"\r" * 100_000,
    "100,000 different lines": b"".join(b"%d %x\n" % (i, i * i) for i in range(100_000)),
    "Latin-1": "Épreuve d'été à Nîmes\n".encode("latin-1") * 50,
    "UTF-16 of something else": ("something else\n" * 50).encode("utf-16"),
    "half a UTF-16 character": b"\xff\xfea",
    "a GAN's print": b"epoch 3 step 12/100 d_loss: 0.5000 g_loss: 1.2000\n" * 50,
    "colour codes": b"\x1b[1m\x1b[0m" * 1000,
    "begun colour codes": b"\x1b[" * 5000,
    "slashes": b"1/" * 20_000,
    "brackets": b"1/1 [" * 5000,
    "dashes": b" - " * 20_000,
    "colons": b"a: " * 20_000,
    "100,000 digits": b"9" * 100_000,
}


def account(found: logparse.Analysis, size: int) -> None:
    source = found.source
    total = source.read + sum(source.ignored.values()) + source.rejected + source.pending
    assert total == source.size == size


def analyze(data: bytes) -> logparse.Analysis:
    """Analysed, accounted for, and each report can be made."""
    found = logparse.analyze(io.BytesIO(data))
    account(found, len(data))
    json.loads(found.to_json(full=True), parse_constant=lambda word: pytest.fail(word))
    return found


@pytest.mark.parametrize("name", JUNK)
def test_not_a_log(name: str) -> None:
    """One clear line, whatever it is."""
    with pytest.raises(NotALogError) as error:
        logparse.analyze(io.BytesIO(JUNK[name]))
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 500
    assert error.value.exit_code == 3


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_broke(path: Path) -> None:
    for target in ("analyze", "keras", "csv"):
        for seed in range(4):
            assert fuzz.broken(target, path.read_bytes(), str(seed)) is None


def test_what_it_looks_like_is_said() -> None:
    with pytest.raises(LogparseError, match="JPEG"):
        logparse.analyze(io.BytesIO(JUNK["a JPEG"]))
    with pytest.raises(LogparseError, match="empty"):
        logparse.analyze(io.BytesIO(b""))


@pytest.mark.parametrize("name", [name for name in JUNK if "UTF-16" not in name])
def test_junk_around_a_log(name: str, sample_logs: Path) -> None:
    """What a log holds is found between anything else, and its values are the same."""
    log = (sample_logs / "tf-2.15.1/quiet.log").read_bytes()
    data = JUNK[name].replace(b"\xff\xd8", b"\xff\xff") + b"\n" + log + b"\n" + JUNK[name]
    found = logparse.analyze(io.BytesIO(b"\n" + data), reader="keras")
    account(found, len(data) + 1)
    plain = analyze(log)
    columns = ["epoch", "step", "final", "loss", "val_loss"]
    want = plain.updates.select(columns)
    assert_frame_equal(found.updates.filter(pl.col("val_loss").is_not_null())[columns], want)


def test_numbers_of_100_000_digits() -> None:
    """Never an exception of int(); the line is not read, or what is left of it is rejected."""
    digits = b"9" * 100_000
    lines = [
        digits + b"/3 [=>.] - ETA: 1s - loss: 0.5000\n",
        b"1/" + digits + b" [=>.] - ETA: 1s - loss: 0.5000\n",
        b"1/3 [=>.] - ETA: " + digits + b"s - loss: 0.5000\n",
        b"1/3 [=>.] - ETA: 1s - loss: " + digits + b"\n",
        b"1/3 [=>.] - ETA: 1s - loss: 0." + digits + b"\n",
        b"1/3 [=>.] - ETA: 1s - loss: 1e" + digits + b"\n",
        b"Epoch " + digits + b"/3\n",
        digits + b"-01-01 10:00:00 1/3 [=>.] - ETA: 1s - loss: 0.5000\n",
    ]
    found = analyze(b"Epoch 1/2\n" + BAR + b"".join(lines) + BAR.replace(b"1/3", b"2/3"))
    assert set(found.updates["loss"].drop_nulls()) <= {0.5, 0.9999}
    assert found.runs["of"].to_list()[0] == 2


@pytest.mark.parametrize("number", ["1e400", "-1e400", "nan", "-inf", "1e-400"])
def test_odd_numbers(number: str) -> None:
    found = analyze(f"Epoch 1/1\n1/2 [=>.] - ETA: 1s - loss: {number} - acc: 0.5000\n".encode())
    assert found.updates.select("step", "acc").rows() == [(1, 0.5)]
    assert repr(found.updates["loss"][0]) == repr(float(number))


@pytest.mark.parametrize("number", ["٣", "1_000", "0x1", "", "abc"])
def test_what_is_no_number_is_rejected(number: str) -> None:
    rest = f" - loss: {number} - acc: 0.5000"
    found = analyze(f"Epoch 1/1\n1/2 [=>.] - ETA: 1s{rest}\n".encode())
    assert found.rejects.select("line", "kind", "excerpt").rows() == [(2, "cut line", rest)]


def test_5000_metric_names() -> None:
    data = b"Epoch 1/9\n" + b"".join(
        b"%d/9999 [=>.] - ETA: 1s - loss: 0.5000 - m%d: 0.2500\n" % (i, i) for i in range(1, 5000)
    )
    found = analyze(data)
    assert found.updates.height == 4999
    assert found.updates["loss"].to_list() == [0.5] * 4999
    assert found.metrics["metric"].to_list() == ["loss"] + [
        f"m{i}" for i in range(1, limits.METRIC_NAMES)
    ]
    rejected = 5000 - limits.METRIC_NAMES
    assert found.rejects["kind"].to_list() == ["too many metrics"] * limits.REJECTS_KEPT
    assert found.source.not_kept == {"too many metrics": rejected - limits.REJECTS_KEPT}


def test_a_line_of_2000_metrics() -> None:
    pairs = b"".join(b" - m%d: 0.2500" % i for i in range(2000))
    found = analyze(b"Epoch 1/1\n" + b"1/3 [=>.] - ETA: 1s" + pairs + b"\n")
    assert found.updates["m0"].to_list() == [0.25]
    assert found.metrics["metric"].to_list() == [f"m{i}" for i in range(limits.ROW_METRICS)]
    assert found.rejects["kind"].to_list() == ["too many metrics"]


def test_headers_alone() -> None:
    found = analyze(b"".join(b"Epoch %d/500\n" % i for i in range(1, 501)))
    assert (found.runs.height, found.epochs.height, found.updates.height) == (1, 500, 0)
    assert not found.epochs["complete"].any()


def test_evaluate_bars_alone() -> None:
    found = analyze(b"7/7 [==============================] - 0s 3ms/step - loss: 0.5000\n" * 3)
    assert found.updates["loss"].to_list() == [0.5] * 3


def test_names_cannot_reach_the_columns_of_a_table() -> None:
    data = b"Epoch 1/1\n1/3 [=>.] - ETA: 1s - step: 7.5000 - run: 8.5000 - loss: 0.5000\n"
    updates = analyze(data).updates
    assert updates.select("run", "step", "metric step", "metric run").row(0) == (1, 1, 7.5, 8.5)


# A real log that came another way: the same updates.

SOURCES = ("keras-1.2.2/outer", "keras-2.3.1/slowfirst", "tf-2.3.4/messages", "keras-3.15.1/fit")


def values_of(data: bytes) -> list[tuple[object, ...]]:
    return [(r.step, r.of, r.form, r.last, r.times[:-1], r.metrics) for r in read(data).rows]


NOTATIONS = {
    "pager": (b"^H", b"^M", b"^[", b"\n"),
    "syslog": (b"#010", b"#015", b"#033", b"#012"),
    "syslog, a line each": (b"#010", b"#015", b"#033", b"\n"),
    "JSON": (b"\\b", b"\\r", b"\\u001b", b"\\n"),
    "JSON, escapes in hex": (b"\\u0008", b"\\u000d", b"\\u001b", b"\\u000a"),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("notation", NOTATIONS)
def test_notations(notation: str, source: str, sample_logs: Path) -> None:
    data = (sample_logs / f"{source}.log").read_bytes()
    back, cr, escape, newline = NOTATIONS[notation]
    lines = []
    for line in data.splitlines(keepends=True):
        text = line.replace(b"\b", back).replace(b"\r", cr).replace(b"\x1b", escape)
        if notation.startswith("JSON"):
            text = b'{"log":"' + text.replace(b"\n", newline) + b'","stream":"stdout"}\n'
        lines.append(text if notation.startswith("JSON") else text.replace(b"\n", newline))
    assert values_of(b"".join(lines)) == values_of(data)


def test_a_json_string_of_a_bar_that_cannot_be_ascii(sample_logs: Path) -> None:
    data = (sample_logs / "keras-3.15.1/fit.log").read_bytes()
    lines = [json.dumps({"log": line}) for line in data.decode().splitlines(keepends=True)]
    assert values_of("\n".join(lines).encode()) == values_of(data)


@pytest.mark.parametrize("source", SOURCES)
def test_windows_line_ends(source: str, sample_logs: Path) -> None:
    data = (sample_logs / f"{source}.log").read_bytes()
    assert values_of(data.replace(b"\n", b"\r\n")) == values_of(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_encodings(encoding: str, sample_logs: Path) -> None:
    data = (sample_logs / "tf-2.15.1/resume.log").read_bytes()
    found = logparse.analyze(io.BytesIO(data.decode().encode(encoding)))
    want = logparse.analyze(io.BytesIO(data))
    assert_frame_equal(found.updates.drop("byte"), want.updates.drop("byte"))


def test_keras_3_without_colour(sample_logs: Path) -> None:
    data = (sample_logs / "keras-3.15.1/fit.log").read_bytes()
    want = values_of(data)
    grey = re.sub(rb"\x1b\[[0-9;]*m", b"", data)
    for bar in (b"?", b"", b"\\u2501", b"\x83"):
        assert values_of(grey.replace("━".encode(), bar)) == want


PREFIXES = {
    "docker": "{:%Y-%m-%dT%H:%M:%S.%f}123Z ",
    "kubernetes": "{:%Y-%m-%dT%H:%M:%S.%f}123Z stdout F ",
    "logging": "{:%Y-%m-%d %H:%M:%S},{:%f}  ",
}


@pytest.mark.parametrize("source", SOURCES[1:3])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_timestamps(prefix: str, source: str, sample_logs: Path) -> None:
    """A prefix on each line is a clock; the lines behind it are the same."""
    data = (sample_logs / f"{source}.log").read_bytes()
    lines = [part for part in re.split(rb"[\r\n\b]+", data) if part.strip()]
    start = datetime.datetime(2024, 5, 1, 10, 0, 0, 250_000)
    clocks = [start + datetime.timedelta(seconds=0.5 * i) for i in range(len(lines))]
    stamped = [
        PREFIXES[prefix].format(clock, clock).encode()[:200] + line
        for clock, line in zip(clocks, lines, strict=True)
    ]
    found = read(b"\n".join(stamped) + b"\n")
    assert [(r.step, r.of, r.metrics) for r in found.rows] == [
        (r.step, r.of, r.metrics) for r in read(data).rows
    ]
    seconds = [clock.replace(tzinfo=datetime.UTC).timestamp() for clock in clocks]
    got = [float.fromhex(row.times[-1]) for row in found.rows]
    want = [seconds[row.line - 1] for row in found.rows]
    assert got == pytest.approx(want, abs=1e-6)
    runs = analyze(b"\n".join(stamped) + b"\n").runs
    assert runs["started"].to_list() == pytest.approx([want[0]], abs=1e-6)


@pytest.mark.parametrize("mark", ["[1,{}]<stdout>:", "(train pid=70{}) ", "worker-{}  | "])
def test_two_ranks(mark: str, sample_logs: Path) -> None:
    """Two workers' lines in turn give two runs, each like the log alone."""
    data = (sample_logs / "keras-2.3.1/slowfirst.log").read_bytes()
    lines = [part for part in re.split(rb"[\r\n\b]+", data) if part.strip()]
    other = [re.sub(rb"loss: \d", b"loss: 7", line) for line in lines]
    mixed = b"".join(
        mark.format(rank).encode() + line + b"\n"
        for pair in zip(lines, other, strict=True)
        for rank, line in enumerate(pair)
    )
    found, alone = analyze(mixed), analyze(data)
    assert found.runs["channel"].to_list() == [mark.format(rank).strip() for rank in (0, 1)]
    plain = ["epoch", "step", "of", "final", "acc" if "acc" in alone.updates else "accuracy"]
    for run in (1, 2):
        assert_frame_equal(found.updates.filter(run=run)[plain], alone.updates[plain])
    assert (found.updates.filter(run=2)["loss"].drop_nans() >= 7).all()


def test_many_runs_stay_apart(sample_logs: Path) -> None:
    """Logs one after the other: as many runs as there are logs, the same values."""
    paths = [sample_logs / f"{source}.log" for source in SOURCES]
    logs = [path.read_bytes() for path in paths]
    values = [row for log in logs for row in values_of(log)]
    assert values_of(b"\n".join(logs)) == values


def test_uploads_are_analysed_as_files_are(
    sample_logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logparse.again.KEPT_ROWS", 10)  # so the large tables read it again
    path = sample_logs / "keras-3.12.0" / "multi.log"
    (found,) = logparse.analyze_many([Upload("multi.log", path.read_bytes())])
    assert isinstance(found, logparse.Analysis)
    expected = logparse.analyze(path)
    for name in TABLES:
        assert_frame_equal(found.table(name), expected.table(name))
    assert found.source == dataclasses.replace(expected.source, name="multi.log")


@pytest.mark.parametrize("log", ["keras-1.2.2/outer.log", "keras-3.0.5/outer.log"])
def test_batches_do_not_depend_on_the_lots_they_are_rebuilt_in(
    log: str, sample_logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = logparse.analyze(sample_logs / log).batches
    monkeypatch.setattr("logparse.again.LOT_ROWS", 1)
    monkeypatch.setattr("logparse.again.KEPT_ROWS", 1)
    monkeypatch.setattr(limits, "BLOCK_BYTES", 4096)
    alone = logparse.analyze(sample_logs / log)
    parts = list(alone._again.frames("batches"))
    assert len(parts) > 1
    assert_frame_equal(pl.concat(parts), together, check_exact=True)


def test_what_is_no_log_fails_under_its_name() -> None:
    (found,) = logparse.analyze_many([Upload("notes.txt", b"milk, eggs")])
    assert isinstance(found, logparse.Failure)
    assert (found.name, str(found.error)[:10]) == ("notes.txt", "notes.txt:")


def test_progress_is_told_and_can_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    class StopError(Exception):
        pass

    monkeypatch.setattr(limits, "BLOCK_BYTES", 70_000)
    data = b"Epoch 1/1\n" + BAR * 10_000
    told: list[tuple[str, int, int | None]] = []

    def progress(name: str, read: int, size: int | None) -> None:
        told.append((name, read, size))
        if read > 210_000:
            raise StopError

    with pytest.raises(StopError):
        list(logparse.analyze_many([Upload("a.log", data)], progress=progress))
    assert told == [("a.log", read, len(data)) for read in range(70_000, 280_001, 70_000)]
