"""CSVLogger files of every version and shape, cut anywhere, damaged anywhere."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.limits import LINE_BYTES
from logparse.reading.csv_log import CsvLogReader
from logparse.reading.records import Account, Chunk, Form

SAMPLE = (
    b"epoch,accuracy,loss,val_accuracy,val_loss\r\n"
    b"0,0.130208333333,2.32610692581,0.154399999142,2.26858918381\r\n"
    b"1,0.5,1.5e-05,NA,nan\r\n"
    b"2,1,inf,0.2,-inf\r\n"
)
NAN, INF = math.nan, math.inf


def read(data: bytes, cuts: tuple[int, ...] = (), finish: bool = True) -> tuple[dict, Account]:
    """Everything the reader gives for some bytes, fed in pieces, as plain lists."""
    reader = CsvLogReader()
    chunks: list[Chunk] = []
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        chunks.append(reader.feed(data[at:cut]))
        at = cut
        assert reader.account.size == at
    if finish:
        chunks.append(reader.finish())
        assert reader.account.size == len(data)
    names = sorted({name for chunk in chunks for name in chunk.updates.values})
    result: dict = {key: [] for key in ("byte", "line", "events", "rejects")}
    result |= {key: {name: [] for name in names} for key in ("values", "decimals")}
    for chunk in chunks:
        n = len(chunk.updates)
        result["byte"] += chunk.updates.byte.tolist()
        result["line"] += chunk.updates.line.tolist()
        for name in names:
            result["values"][name] += chunk.updates.values.get(name, np.full(n, NAN)).tolist()
            result["decimals"][name] += chunk.updates.decimals.get(
                name, np.zeros(n, np.int8)
            ).tolist()
        result["events"] += chunk.events
        result["rejects"] += chunk.rejects
    return result, reader.account


def values(data: bytes) -> dict[str, list[float]]:
    return read(data)[0]["values"]


def same(one: object, other: object) -> bool:
    return repr(one) == repr(other)  # nan is nan


def test_a_whole_file() -> None:
    result, account = read(SAMPLE)
    assert same(
        result["values"],
        {
            "accuracy": [0.130208333333, 0.5, 1.0],
            "loss": [2.32610692581, 1.5e-05, INF],
            "val_accuracy": [0.154399999142, NAN, 0.2],
            "val_loss": [2.26858918381, NAN, -INF],
        },
    )
    # A row is as exact as its longest number; 0 only where there is none.
    assert result["decimals"] == {
        "accuracy": [12, 6, 1],
        "loss": [12, 6, 1],
        "val_accuracy": [12, 0, 1],
        "val_loss": [12, 6, 1],
    }
    assert [(e.kind, e.text, e.line, SAMPLE[e.byte : e.end], e.data) for e in result["events"]] == [
        ("header", "0", 2, b"0", {"epoch": 1, "epochs": None}),
        ("header", "1", 3, b"1", {"epoch": 2, "epochs": None}),
        ("header", "2", 4, b"2", {"epoch": 3, "epochs": None}),
    ]
    assert result["line"] == [2, 3, 4]
    assert [SAMPLE[at : at + 3] for at in result["byte"]] == [b"0.1", b"0.5", b"1,i"]
    assert result["rejects"] == []
    assert account == Account(read=len(SAMPLE))


def test_what_a_row_does_not_hold() -> None:
    updates = CsvLogReader().feed(SAMPLE).updates
    assert updates.step.tolist() == updates.of.tolist() == updates.channel.tolist() == [0, 0, 0]
    assert updates.form.tolist() == [Form.EVENTS] * 3
    assert updates.last.all()
    assert updates.ended.all()
    for times in ("eta", "elapsed", "per_step", "per_step_unit", "per_epoch", "clock"):
        assert np.isnan(getattr(updates, times)).all()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r\r\n"])
def test_separators_and_line_ends(separator: str, end: str) -> None:
    text = SAMPLE.decode().replace("\r\n", end).replace(",", separator).encode()
    assert same(values(text), values(SAMPLE))


def test_written_by_the_csv_module() -> None:
    """As CSVLogger writes: numpy and Python numbers, None, a list, a name with the separator."""
    out = io.StringIO()
    writer = csv.DictWriter(out, ["epoch", "a,b", "f32", "f64", "none", "list"])
    writer.writeheader()
    for epoch in range(5, 8):
        row = [epoch, 1e-7, np.float32(0.1), np.float64(1 / 3), None, '"[1, 2]"']
        writer.writerow(dict(zip(writer.fieldnames, row, strict=True)))
    data = out.getvalue().encode()
    result, account = read(data)
    assert result["values"] == {
        "a,b": [1e-7] * 3,
        "f32": [0.1] * 3,
        "f64": [1 / 3] * 3,
    }
    assert result["decimals"]["f32"] == [16, 16, 16]
    assert [e.data["epoch"] for e in result["events"]] == [6, 7, 8]
    assert {(r.kind, data[r.start : r.end]) for r in result["rejects"]} == {
        ("value is not a number", b'"""[1, 2]"""')
    }
    assert account.rejected == 3 * len(b'"""[1, 2]"""')


@pytest.mark.parametrize("header", [b"", b"epoch,loss\n", b"epoch;val_loss;loss\n"])
def test_appended_runs(header: bytes) -> None:
    """append=True: with a second header, without one, or with other columns."""
    second = b"3;9;0.5\n" if b";" in header else b"3,0.5\n"
    data = b"epoch,loss\n1,0.75\n2,0.625\n" + header + second
    result, account = read(data)
    assert result["values"]["loss"] == [0.75, 0.625, 0.5]
    assert [e.data["epoch"] for e in result["events"]] == [2, 3, 4]
    assert account == Account(read=len(data))


BAD = [
    (b"3,0.5,0.5", "wrong number of fields"),
    (b"garbage", "wrong number of fields"),
    (b"3,1,2,3,4,5", "wrong number of fields"),
    (b"x,1,2,3,4", "epoch is not a whole number"),
    (b"1.0,1,2,3,4", "epoch is not a whole number"),
    (b"-1,1,2,3,4", "epoch is not a whole number"),
    (b"9999999999,1,2,3,4", "epoch is not a whole number"),
    ("٣,1,2,3,4".encode(), "epoch is not a whole number"),
    (b'3,"1,2,3,4', "quotes do not close"),
    (b'3,"1"x,2,3,4', "quotes do not close"),
    (b"3,1,2,\xff\xfe\x00", "wrong number of fields"),
    (b"epoch,loss,loss", "header names no metric, or one twice"),
    (b"epoch,loss,", "header names no metric, or one twice"),
    (b"epoch," + b",".join(b"m%d" % i for i in range(513)), "too many metrics"),
    (b"9" * (LINE_BYTES + 1), "line too long"),
]


@pytest.mark.parametrize(("line", "kind"), BAD)
def test_a_bad_row_is_rejected_alone(line: bytes, kind: str) -> None:
    first = SAMPLE.index(b"\n") + 1
    second = SAMPLE.index(b"\n", first) + 1
    data = SAMPLE[:second] + line + b"\n" + SAMPLE[:first] + SAMPLE[second:]
    result, account = read(data)
    assert same(result["values"], values(SAMPLE))
    (reject,) = result["rejects"]
    assert (reject.kind, reject.line) == (kind, 3)
    assert (reject.start, reject.end) == (second, second + len(line) + 1)
    assert len(reject.excerpt) <= 800
    assert account.rejected == len(line) + 1


@pytest.mark.parametrize(
    "cell",
    [b"0.5x", b"1e9999", b"9" * 100_000, "١".encode(), b"0x10", b"1_0", b"--1", b"nane", b"\0"],
)
def test_a_bad_value_is_rejected_alone(cell: bytes) -> None:
    data = b"epoch,a,b\n0," + cell + b",0.25\n1,0.5,0.125\n"
    result, account = read(data)
    assert same(result["values"], {"a": [NAN, 0.5], "b": [0.25, 0.125]})
    assert result["decimals"] == {"a": [0, 3], "b": [2, 3]}
    (reject,) = result["rejects"]
    assert (reject.kind, data[reject.start : reject.end]) == ("value is not a number", cell)
    assert account.rejected == len(cell)


def test_rows_after_a_bad_header_have_no_names() -> None:
    result, account = read(b"epoch,a,a\n0,1,2\n")
    assert [r.kind for r in result["rejects"]] == [
        "header names no metric, or one twice",
        "row without a header",
    ]
    assert account == Account(rejected=16)


def test_ignored_bytes_have_a_rule() -> None:
    data = b"\xef\xbb\xbf" + SAMPLE.replace(b"\r\n1,", b"\r\n \r\n\r\n1,")
    result, account = read(data)
    assert same(result["values"], values(SAMPLE))
    assert account.ignored == Counter({"byte order mark": 3, "blank line": 5})


def test_the_last_row_without_its_line_break_is_pending() -> None:
    whole = SAMPLE.rstrip(b"\r\n")
    result, account = read(whole)
    assert result["values"]["loss"] == [2.32610692581, 1.5e-05]
    assert account.pending == len(b"2,1,inf,0.2,-inf")
    assert read(whole + b"\r")[0]["values"]["loss"] == [2.32610692581, 1.5e-05, INF]


def test_every_cut_gives_a_prefix() -> None:
    whole, _ = read(SAMPLE)
    for cut in range(len(SAMPLE)):
        part, _ = read(SAMPLE[:cut])
        n = len(part["byte"])
        assert part["byte"] == whole["byte"][:n]
        assert part["events"] == whole["events"][:n]
        assert part["rejects"] == []
        for name, column in part["values"].items():
            assert same(column, whole["values"][name][:n])


BITS = b'\n|\r|\r\n|,|"|epoch|\xef\xbb\xbf|NA|\0|0.5'.split(b"|")
LINES = [SAMPLE, *SAMPLE.splitlines(keepends=True), *(line for line, _ in BAD[:-1])]
PIECES = st.sampled_from([*LINES, *BITS])


@given(
    st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=12).map(b"".join),
    st.lists(st.integers(0, 400), max_size=8),
)
def test_any_bytes_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    result, account = read(data, tuple(min(cut, len(data)) for cut in cuts))
    whole, whole_account = read(data)
    assert same(result, whole)
    assert account == whole_account
    assert sum(r.end - r.start for r in result["rejects"]) == account.rejected
    for reject in result["rejects"]:
        assert 0 <= reject.start < reject.end <= len(data)


@pytest.mark.parametrize("step", [1 << 16, LINE_BYTES])
def test_a_line_without_end_takes_no_memory(step: int) -> None:
    reader = CsvLogReader()
    reader.feed(b"epoch,loss\n")
    for _ in range(0, 4 * LINE_BYTES, step):
        chunk = reader.feed(b"7" * step)
        assert chunk.rejects == []
        assert sum(map(len, reader._parts)) <= LINE_BYTES
    tail = reader.feed(b"\n1,0.5\n")
    (reject,) = tail.rejects
    assert (reject.kind, reject.line) == ("line too long", 2)
    assert (reject.start, reject.end) == (11, 11 + 4 * LINE_BYTES + 1)
    assert tail.updates.values["loss"].tolist() == [0.5]
    assert tail.updates.line.tolist() == [3]


@pytest.mark.parametrize(
    ("head", "score", "reason"),
    [
        (SAMPLE, 0.95, "header epoch and 4 metrics, 3 of 3 rows fit it"),
        (SAMPLE[:90], 0.6, "header epoch and 4 metrics, no row that fits it"),
        (b"epoch,loss\n", 0.6, "header epoch and 1 metrics, no row that fits it"),
        (b"epoch,loss\nx\n", 0.0, "header epoch and 1 metrics, no row that fits it"),
        (b"epoch,loss\n0,1\nx\n", 0.475, "header epoch and 1 metrics, 1 of 2 rows fit it"),
        (b"Epoch 1/3\n1/2 [===>...] - loss: 0.5\n", 0.0, "no header with a column epoch"),
        (b"starting epoch, now\n", 0.0, "no header with a column epoch"),
        (b"\xff\xd8\xff\xe0epoch", 0.0, "no header with a column epoch"),
        (b"", 0.0, "no header with a column epoch"),
    ],
)
def test_score(head: bytes, score: float, reason: str) -> None:
    assert CsvLogReader.score(head) == (pytest.approx(score), reason)


@pytest.mark.parametrize(
    ("row", "begins", "rejected"),
    [
        (b"0,1.5,2.5", 2, 0),
        (b"0,x,2.5", 4, 1),
        (b'0,"x, y",2.5', 9, 6),
        (b"0,NA,2.5", 5, 0),
        (b"0,x,y", 1, 2),
        (b"0,,", 1, 0),
    ],
)
def test_an_update_begins_at_the_first_value_that_is_read(
    row: bytes, begins: int, rejected: int
) -> None:
    """Or at the separator, and never inside what was rejected."""
    head = b"epoch,a,b\n"
    found, account = read(head + row + b"\n")
    assert found["byte"] == [len(head) + begins]
    assert account.rejected == rejected


def test_metrics_keep_the_order_of_the_header() -> None:
    data = b"epoch,b,a\n0,NA,1\n1,2,3\n"
    for cuts in ((), (len(b"epoch,b,a\n0,NA,1\n"),)):
        reader = CsvLogReader()
        parts = [data[a:b] for a, b in zip((0, *cuts), (*cuts, len(data)), strict=True)]
        last = [reader.feed(part) for part in parts][-1]
        assert list(last.updates.values) == list(last.updates.order) == ["b", "a"]
