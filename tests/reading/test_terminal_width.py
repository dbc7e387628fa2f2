"""Lines that a terminal broke at its width are read as if they were whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from logparse.reading.wrapped import PIECES, width
from tests.checks import Reading, read, some_cuts

LOG = "".join(
    f"Epoch {epoch}/3\n"
    + "".join(
        f"{step:2}/12 [{'=' * step}>{'.' * (29 - step)}] - ETA: {12 - step}s"
        f" - loss: 0.{9000 - step} - accuracy: 0.{5000 + 31 * step}"
        f" - top_k_categorical_accuracy: 0.{7000 + step}\n"
        for step in range(1, 12)
    )
    + f"12/12 [{'=' * 30}] - 12s 1s/step - loss: 0.8900 - accuracy: 0.5300"
    " - top_k_categorical_accuracy: 0.7012 - val_loss: 0.8000 - val_accuracy: 0.6000\n"
    f"Epoch 0000{epoch}: val_loss did not improve from 0.70000\n"
    for epoch in (1, 2, 3)
)


def broken(text: str, at: int, end: str = "\n") -> bytes:
    """The text as copied from a terminal ``at`` characters wide."""
    lines = (line[i : i + at] for line in text.splitlines() for i in range(0, len(line) or 1, at))
    return "".join(line + end for line in lines).encode()


def plain(data: bytes) -> list[tuple[object, ...]]:
    """All that the updates show, without their places."""
    return shown(read(data))


def shown(found: Reading) -> list[tuple[object, ...]]:
    return [(r.step, r.of, r.form, r.last, r.times, r.metrics) for r in found.rows]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("at", [40, 61, 80, 97, 100, 121])
def test_broken_lines_show_what_whole_ones_do(at: int, end: str) -> None:
    data = broken(LOG, at, end)
    assert width(data) == at
    found = read(data)
    assert shown(found) == plain(LOG.encode())
    assert not found.rejects
    assert [event.kind for event in found.events] == ["header", "checkpoint"] * 3
    lines = data.split(b"\n")
    assert all(lines[r.line - 1].lstrip().startswith(b"%d/12 " % r.step) for r in found.rows)


def test_a_number_cut_in_two_is_one() -> None:
    at = LOG.splitlines()[1].index("accuracy: 0.") + len("accuracy: 0.50")
    assert read(broken(LOG, at)).rows[0].values["accuracy"] == 0.5031


def test_any_blocks_give_the_same() -> None:
    rng = random.Random(7)
    for at in (64, 80):
        data = broken(LOG, at, "\r\n")
        want = plain(data)
        for _ in range(60):
            cuts = some_cuts(rng, len(data))
            found = read(data, cuts)
            assert not found.rejects
            assert shown(found) == want


def test_whole_lines_are_left_alone(sample_logs: Path) -> None:
    logs = [path.read_bytes() for path in sorted(sample_logs.rglob("*.log"))]
    assert [width(data) for data in [*logs, LOG.encode(), b"", b"\n"]] == [None] * (len(logs) + 3)


@pytest.mark.parametrize("at", [60, 80])
def test_bundled_logs_survive_being_broken(sample_logs: Path, at: int) -> None:
    tried = 0
    for path in sorted(sample_logs.rglob("*.log")):
        text = path.read_bytes().decode()
        if not {"\b", "\r", "\x1b"} & set(text) and max(map(len, text.splitlines())) > at:
            data = broken(text, at)
            if width(data):
                tried += 1
                assert plain(data) == plain(text.encode()), path
    assert tried > 3


def test_a_line_of_too_many_pieces_costs_no_other() -> None:
    long = "1/9 [>.....] - ETA: 9s - loss: 0.5" + " - m: 0.5000" * 10 * PIECES
    found = read(broken(LOG, 60) + broken(long, 60) + broken(LOG, 60))
    want = plain(LOG.encode())
    assert shown(found)[: len(want)] == shown(found)[-len(want) :] == want
    (cut,) = found.rows[len(want) : -len(want)]
    assert cut.values == {"loss": 0.5, "m": 0.5}
