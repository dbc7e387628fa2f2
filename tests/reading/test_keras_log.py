"""The reader of text: any cuts, any end, any damage, fast against slow, each byte accounted for."""

from __future__ import annotations

import math
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logparse.limits import LINE_BYTES, METRIC_NAMES, ROW_METRICS
from logparse.reading import bar_columns
from logparse.reading.keras_log import KerasLog
from tests.checks import Reading, Row, difference, read, slow_path, some_cuts

CORPUS = sorted((Path(__file__).parent.parent / "corpus").glob("*.bin"))
SAMPLES = sorted((Path(__file__).parent.parent.parent / "sample_logs").rglob("*.log"))


def check(data: bytes, cuts: list[int]) -> Reading:
    """Read whole, in pieces, and by the slow path: the same."""
    whole = read(data)
    assert difference(whole, read(data, cuts)) is None
    with slow_path():
        assert difference(whole, read(data)) is None
    return whole


# Generated logs


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """As Keras prints them, and as a few other programs do."""
    value = draw(st.floats(allow_nan=False, allow_infinity=False, width=64))
    small = draw(st.floats(-10, 10))
    return draw(
        st.sampled_from(
            [f"{small:.4f}", f"{value:.4e}", f"{small:.4e}", f"{small * 1e9:.4f}", repr(small)]
            if draw(st.booleans())
            else ["nan", "inf", "-inf", "0.0000e+00", "-0.0000", "1.0000e-03", f"{int(small)}"]
        )
    )


NAMES = st.one_of(
    st.sampled_from(["loss", "acc", "val_loss", "top_5=a.1", "out-1_f1", "2/3", "précis", "損失"]),
    st.text("abz_059.=-/é", min_size=1, max_size=60).filter(lambda name: name.strip("-") != ""),
)


@st.composite
def bars(draw: st.DrawFn) -> str:
    """Lines of one training, of one era."""
    of = draw(st.sampled_from([1, 9, 10, 157, 1000, 60000, 123456789]))
    names = draw(st.lists(NAMES, max_size=6, unique=True))
    style = draw(st.integers(0, 5))
    end = draw(st.sampled_from(["\n", "\r", "\b" * 40 + "\r", "\r\n", "  \n"]))
    prefix = draw(
        st.sampled_from(["", "", "", "[1,1]<stdout>:", "2024-05-01T10:00:00.25Z ", "w_0 | ", "\t"])
    )
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        step = draw(st.integers(0, of + 2))
        width = len(str(of))
        times = (
            f"[{'=' * (step % 30)}>{'.' * (29 - step % 30)}] - ETA: {step % 99}s",
            f"[{'=' * 30}] - {step}s {step % 1000}ms/step",
            f"[{'=' * 30}] - ETA: {step % 60}:{step % 50:02d}",
            f"\x1b[1m{'━' * (step % 20)}\x1b[0m \x1b[1m{step % 70}s\x1b[0m {step % 999}ms/step",
            f"- {step % 100}s - {step % 99}ms/step",
            "?" * 20 + f" {step % 60}s 1s/step",
        )
        pairs = "".join(f" - {name}: {draw(numbers())}" for name in names)
        lines.append(f"{prefix}{step:{width}d}/{of} {times[style]}{pairs}{end}")
    return "".join(lines)


LOGS = st.lists(
    st.one_of(
        bars(),
        bars(),
        st.sampled_from(["Epoch 1/3\n", "Epoch 2/3\n", "Epoch 2: early stopping\n", "x\n", "\n"]),
        st.text(max_size=20),
    ),
    max_size=5,
).map("".join)


@given(LOGS, st.randoms(use_true_random=False))
def test_generated_logs(text: str, rng: random.Random) -> None:
    data = text.encode()
    check(data, some_cuts(rng, len(data)))


@given(st.binary(max_size=200), st.randoms(use_true_random=False))
def test_any_bytes(data: bytes, rng: random.Random) -> None:
    check(data, some_cuts(rng, len(data)))


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 10**15 - 1), st.integers(-99, 99)), min_size=6
    ),
    st.integers(1, 14),
)
def test_numbers_are_what_float_says(parts: list[tuple[int, int, int]], places: int) -> None:
    """Columns of one shape, exponents from -99 to 99: bit for bit what ``float`` reads."""
    texts = [f"{d}.{f % 10**places:0{places}d}e{x:+03d}" for d, f, x in parts]
    data = "".join(f"1/9 [=>...] - ETA: 0s - loss: {text}\n" for text in texts).encode()
    got = [row.values["loss"].hex() for row in read(data).rows]
    assert got == [float(text).hex() for text in texts]


# Real logs


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_broke(path: Path) -> None:
    data = path.read_bytes()
    rng = random.Random(path.name)
    for _ in range(8):
        check(data, some_cuts(rng, len(data)))
    read(data, reader="csv")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_samples_in_pieces(path: Path) -> None:
    data = path.read_bytes()
    rng = random.Random(7)
    for _ in range(4):
        check(data, some_cuts(rng, len(data), 12))


@pytest.mark.parametrize("name", ["keras-1.2.2/quiet", "keras-3.15.1/quiet"])
def test_one_cut_at_every_byte(name: str, sample_logs: Path) -> None:
    data = (sample_logs / f"{name}.log").read_bytes()
    whole = read(data)
    for cut in range(len(data) + 1):
        assert difference(whole, read(data, [cut])) is None, cut


def test_byte_by_byte(sample_logs: Path) -> None:
    data = (sample_logs / "keras-3.15.1/fit.log").read_bytes()[:3000]
    assert difference(read(data), read(data, range(1, len(data)))) is None


def test_all_eras_in_pieces(shared_logs: Path) -> None:
    rng = random.Random(11)
    for path in sorted((shared_logs / "eras").glob("*/*.log")):
        data = path.read_bytes()
        assert difference(read(data), read(data, some_cuts(rng, len(data), 20))) is None, path


def without_end(row: Row) -> tuple[object, ...]:
    return (row.byte, row.line, row.step, row.of, row.channel)


def is_prefix(cut: Reading, whole: Reading) -> None:
    """What a log that ends early gives: the same, but for its last line, which may lack the end."""
    n = len(cut.rows)
    assert n <= len(whole.rows)
    assert len(cut.events) <= len(whole.events)
    assert cut.rows[:-1] == whole.rows[: max(0, n - 1)]
    for row, full in zip(cut.rows[-1:], whole.rows[n - 1 :], strict=False):
        assert without_end(row) == without_end(full)
        assert set(row.metrics) <= set(full.metrics), "a number was shown that was not printed"
        for got, printed in zip(row.times, full.times, strict=True):
            assert got in ("nan", printed)
    events = len(cut.events)
    assert cut.events[:-1] == whole.events[: max(0, events - 1)]
    for event, full_event in zip(cut.events[-1:], whole.events[events - 1 :], strict=False):
        assert (event.byte, event.kind) == (full_event.byte, full_event.kind)
    assert cut.rejects == whole.rejects[: len(cut.rejects)]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_truncated(path: Path) -> None:
    """A prefix of the full result and what is pending; every 89th byte, and all of the start."""
    data = path.read_bytes()
    whole = read(data)
    for size in [*range(min(400, len(data))), *range(400, len(data), max(89, len(data) // 40))]:
        is_prefix(read(data[:size]), whole)


@pytest.mark.parametrize("line", range(0, 40, 3))
def test_truncated_at_every_byte_of_a_line(line: int, sample_logs: Path) -> None:
    data = (sample_logs / "tf-2.3.4/messages.log").read_bytes()
    whole = read(data)
    start = sum(len(part) for part in re.split(rb"(?<=\n)", data)[:line])
    for size in range(start, min(start + 120, len(data))):
        is_prefix(read(data[:size]), whole)


def lines_of(found: Reading) -> dict[int, list[tuple[object, ...]]]:
    """What stands on each line, without places."""
    by_line: dict[int, list[tuple[object, ...]]] = {}
    for row in found.rows:
        fields = (row.step, row.of, row.form, row.times, row.metrics)
        by_line.setdefault(row.line, []).append(fields)
    return by_line


@settings(max_examples=150)
@given(st.data())
def test_damage_is_local(data: st.DataObject) -> None:
    """Values on other lines do not change, whatever happens to one line."""
    path = data.draw(st.sampled_from(SAMPLES))
    lines = re.split(rb"(?<=\n)", path.read_bytes())
    at = data.draw(st.integers(0, len(lines) - 1))
    if len(lines[at]) > 20_000:
        return
    body = bytearray(lines[at].rstrip(b"\n"))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body)))
        junk = data.draw(st.binary(max_size=12)).replace(b"\n", b"").replace(b"\x0b", b"")
        body[place : place + data.draw(st.integers(0, 30))] = junk
    damaged = [*lines[:at], bytes(body).rstrip(b"\\\r^#0") + b"\n", *lines[at + 1 :]]
    before, after = lines_of(read(b"".join(lines))), lines_of(read(b"".join(damaged)))
    before.pop(at + 1, None)
    after.pop(at + 1, None)
    assert after == before


# Traps


def test_two_updates_without_a_separator() -> None:
    data = b"1/3 [=>.] - ETA: 1s - loss: 2.71312/3 [==>] - ETA: 0s - loss: 2.5000\n"
    rows = read(data).rows
    assert [(row.step, row.values) for row in rows] == [(1, {"loss": 2.7131}), (2, {"loss": 2.5})]
    assert [row.byte for row in rows] == [0, data.index(b"2/3")]
    assert [row.ended for row in rows] == [True, True]


def test_a_worker_cut_another_in_the_middle_of_a_name() -> None:
    data = b"1/3 [=>.] - ETA: 1s - loss: 2.7131 - acc1/3 [=>.] - ETA: 1s - loss: 0.5000\n"
    found = read(data)
    assert [row.values for row in found.rows] == [{"loss": 2.7131}, {"loss": 0.5}]
    assert [(r.line, r.kind, r.excerpt) for r in found.rejects] == [(1, "cut line", " - acc")]
    assert found.account.rejected == 6


def test_a_metric_name_twice_keeps_the_last() -> None:
    data = b"1/3 [=>.] - ETA: 1s - acc: 0.2500 - acc: 0.7500\n" * 6
    assert {row.values["acc"] for row in check(data, [30, 99]).rows} == {0.75}


def test_metrics_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first names of the file are kept, though their line is the longest, decoded last."""
    monkeypatch.setattr(bar_columns, "METRIC_NAMES", 3)
    line = "%d/9 [=>.] - ETA: 1s - loss: 0.5000"
    long = line + " - e: 0.1000 - a: nan"
    middle = " - \x1b[1mb\x1b[0m: 0.2500 - c: 1.0000e-04"
    short = line + middle + " - e: 0.7500 - d: inf"
    texts = [long % 1] + [short % i for i in range(2, 7)] + [long % 7, line % 8 + " - b: 3"]
    data = "\n".join(texts).encode() + b"\n"
    found = check(data, [len(texts[0]) + 30, 200, 300])
    for cuts in (range(0, len(data), 7), range(len(data))):
        assert difference(found, read(data, cuts)) is None
    assert [sorted(row.values) for row in found.rows] == [
        ["a", "e", "loss"],
        *[["e", "loss"]] * 5,
        ["a", "e", "loss"],
        ["loss"],
    ]
    assert [row.values["e"] for row in found.rows[:7]] == [0.1, *[0.75] * 5, 0.1]
    pieces = [(2 + i // 2, [middle, " - d: inf"][i % 2]) for i in range(10)] + [(8, " - b: 3")]
    assert [(r.line, r.excerpt, r.kind) for r in found.rejects] == [
        (number, piece, "too many metrics") for number, piece in pieces
    ]
    assert [data[r.start : r.end].decode() for r in found.rejects] == [p for _, p in pieces]
    assert found.account.rejected == sum(len(piece) for _, piece in pieces)


def test_the_limit_of_metrics() -> None:
    bar = "1/3 [=>.] - ETA: 1s"
    names = [f" - m{i}: 0.2500" for i in range(max(METRIC_NAMES, ROW_METRICS) + 20)]
    found = check((bar + "".join(names) + "\n").encode(), [2000])
    assert list(found.rows[0].values) == sorted(f"m{i}" for i in range(ROW_METRICS))
    assert [reject.kind for reject in found.rejects] == ["too many metrics"]
    assert found.account.rejected == len("".join(names[ROW_METRICS:]))
    found = check("".join(f"{bar}{name}\n" for name in names).encode(), [2000])
    assert [len(row.values) for row in found.rows] == [1] * METRIC_NAMES + [0] * 20
    assert [(r.line, r.kind, r.excerpt) for r in found.rejects] == [
        (METRIC_NAMES + 1 + i, "too many metrics", names[METRIC_NAMES + i]) for i in range(20)
    ]


@pytest.mark.parametrize("cut", [None, 40, 90, 150])
def test_metrics_are_ordered_as_the_file_shows_them(cut: int | None) -> None:
    """Shapes are decoded shortest first, and before all single lines."""
    long, short = " - acc: 0.5000 - loss: 0.5000", " - loss: 0.5000 - b: 0.2500"
    rest = [" - z: 1.5000 - b: 2.5000"] + [short, long] * 6 + [" - a: 0.5000"]
    data = "".join(f"{i + 1}/99 [=>.] - ETA: 1s{text}\n" for i, text in enumerate(rest)).encode()
    log = KerasLog()
    chunks = [log.feed(data[:cut]), log.feed(data[cut:] if cut else b""), log.finish()]
    updates = chunks[0].updates.joined(chunks[1].updates).joined(chunks[2].updates)
    assert list(updates.values) == ["z", "b", "loss", "acc", "a"]
    assert [list(column).index(True) for column in (updates.decimals[n] != 0 for n in "zba")] == [
        0,
        0,
        13,
    ]


def test_a_line_too_long() -> None:
    long = b"x" * (3 * LINE_BYTES)
    bar = b"1/3 [=>.] - ETA: 1s - loss: 0.5000\n"
    for cuts in ([], [LINE_BYTES + 7], [*range(100_000, len(long), 100_000)]):
        found = read(bar + long + b"\n" + bar, cuts)
        assert [row.line for row in found.rows] == [1, 3]
        reject = (2, len(bar), len(bar) + len(long), "line too long")
        assert [(r.line, r.start, r.end, r.kind) for r in found.rejects] == [reject]


def test_account_names_what_it_ignores() -> None:
    data = b"hello\n\n   \n\x1b[1m1/3\x1b[0m [=>.] - ETA: 1s - loss: 0.5000  \n"
    account = read(data).account
    assert account.ignored == {
        "other output": 5,
        "blank": 5,
        "colour codes": 4,
        "line breaks and backspaces": 4,
    }
    assert (account.read, account.rejected, account.pending) == (len(data) - 18, 0, 0)


def test_the_last_line_break_may_be_missing() -> None:
    data = b"1/3 [=>.] - ETA: 1s - loss: 0.5000 - acc: 0.2"
    found = read(data)
    assert [row.values for row in found.rows] == [{"loss": 0.5}]
    assert found.account.pending == len(b" - acc: 0.2")
    assert not found.rows[0].ended


def test_colour_codes_anywhere() -> None:
    """Also inside a number, where nobody puts them."""
    data = b"1\x1b[1m0/3\x1b[0m0 [=>.] - ETA: \x1b[2m1s - loss: 0.5\x1b[0m000\n"
    for copies in (1, 8):
        for row in check(data * copies, [5, 17]).rows:
            assert math.isfinite(sum(row.values.values()))


def test_channels_are_numbered_in_file_order() -> None:
    """Also where the fast path takes later lines before earlier ones."""
    bar = b"[1,%d]<stdout>: %d/9 [=>.] - ETA: 1s - loss: 0.5000\n"
    data = b"[1,2]<stdout>:Epoch 1/3\n" + b"".join(bar % (i % 2, i) for i in range(1, 9))
    found = check(data, [25])
    assert found.channels == [None, "[1,2]<stdout>:", "[1,1]<stdout>:", "[1,0]<stdout>:"]
    assert [row.channel for row in found.rows] == [2, 3] * 4


@pytest.mark.parametrize(
    ("marks", "names"),
    [
        ((b"w_2  | ", b"w_3  | "), ["w_2  |", "w_3  |"]),
        ((b"worker-10 | ", b"worker-11 | "), ["worker-10 |", "worker-11 |"]),
        ((b"  (pid=77) ", b"  (pid=78) "), ["(pid=77)", "(pid=78)"]),
        ((b"\x1b[36m(train pid=7)\x1b[0m ", b"\x1b[36m(train pid=8)\x1b[0m "),
         ["(train pid=7)", "(train pid=8)"]),
        ((b"Rank 0: ", b"Rank 1: "), ["Rank 0:", "Rank 1:"]),
    ],
)  # fmt: skip
def test_channel_names(marks: tuple[bytes, bytes], names: list[str]) -> None:
    bar = b"%d/9 [=>.] - ETA: 1s - loss: 0.5000\n"
    data = b"".join(marks[i % 2] + bar % (i + 1) for i in range(8))
    found = check(data, [3, 40])
    assert found.channels == [None, *names]
    assert [row.channel for row in found.rows] == [1, 2] * 4


def test_another_character_in_a_bars_place() -> None:
    """A notation's digits are not a number: what differs in them is another text."""
    line = " 2/32 " + "\\u2501" * 2 + " 1s 5ms/step - loss: 0.5000\n"
    data = (line * 6 + line.replace("2501", "2502") + line).encode()
    assert len(check(data, [50]).rows) == 7
