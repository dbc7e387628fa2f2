"""Whatever happens to a file that is followed, each byte comes once, and what happened is named."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logparse.errors import SourceError
from logparse.reading.follow import Follower, News, duration


class Script:
    """A writer under orders, and a follower; what was written and what was given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.follower = Follower(str(path))
        self.written = b""
        self.given = b""
        self.news: list[str] = []
        self.count = 0

    def line(self) -> bytes:
        self.count += 1
        return f"line {self.count} {'x' * (self.count * 37 % 90)}\n".encode()

    def append(self, lines: int = 1, *, cut: int = 0) -> None:
        data = b"".join(self.line() for _ in range(lines))
        data = data[: len(data) - cut]
        with self.path.open("ab") as file:
            file.write(data)
        self.written += data

    def look(self) -> None:
        for item in self.follower.poll():
            if isinstance(item, News):
                self.news.append(item.kind)
            else:
                self.given += item

    def truncate(self) -> None:
        self.look()  # what nobody read by now is lost to everyone
        with self.path.open("r+b") as file:
            file.truncate(0)

    def rotate(self) -> None:
        for number in range(8, 0, -1):
            if Path(f"{self.path}.{number}").exists():
                os.rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")
        os.rename(self.path, f"{self.path}.1")
        self.path.touch()

    def rotate_by_copy(self) -> None:
        self.count += 1
        shutil.copy(self.path, f"{self.path}-{self.count:05}")
        with self.path.open("r+b") as file:
            file.truncate(0)

    def replace(self) -> None:
        other = self.path.with_name("other")
        data = self.line()
        other.write_bytes(data)
        os.replace(other, self.path)
        self.written += data

    def sync(self) -> None:
        """As rsync does: a copy that goes on, moved over the file."""
        other = self.path.with_name("other")
        data = self.line()
        other.write_bytes(self.path.read_bytes() + data)
        os.replace(other, self.path)
        self.written += data

    def delete(self) -> None:
        self.path.unlink()
        self.look()
        self.path.touch()

    def check(self) -> None:
        """Every line once, in order; a break may stand where the file began anew."""
        self.look()
        given = [line for line in self.given.split(b"\n") if line]
        written = [line for line in self.written.split(b"\n") if line]
        assert given == written


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    made = Script(tmp_path / "train.log")
    yield made
    made.follower.close()


def test_waits_for_a_file(script: Script) -> None:
    script.look()
    script.append(2)
    script.check()
    assert script.news == ["appeared"]


def test_appends_in_odd_pieces(script: Script) -> None:
    for cut in (0, 3, 7, 0, 1):
        script.append(3, cut=cut)
        script.look()
    assert script.given == script.written
    assert script.news == []


@pytest.mark.parametrize(
    ("action", "news"),
    [
        ("truncate", ["truncated"]),
        ("rotate", ["rotated"]),
        ("rotate_by_copy", ["copied and truncated"]),
        ("replace", ["replaced"]),
        ("sync", ["replaced by a longer copy"]),
        ("delete", ["deleted", "replaced"]),
    ],
)
@pytest.mark.parametrize("unread", [False, True])
def test_names_what_happens_and_loses_nothing(
    script: Script, action: str, news: list[str], unread: bool
) -> None:
    script.append(20)
    script.look()
    script.append(9)
    if not unread:
        script.look()
    getattr(script, action)()
    script.append(4)
    script.look()
    script.append(50)
    script.check()
    assert script.news == news


def test_a_file_that_grew_beyond_its_old_size_after_a_truncation(script: Script) -> None:
    script.append(5)
    script.truncate()
    script.append(60)
    script.check()
    assert script.news == ["truncated"]


def test_a_writer_that_goes_on_where_it_was_leaves_a_hole(script: Script) -> None:
    with script.path.open("wb", buffering=0) as file:
        file.write(b"one\n")
        script.look()
        os.truncate(script.path, 0)
        file.write(b"two\n")  # at its old place: zeros come before it
        script.look()
        file.write(b"three\n")
        script.look()
    assert script.given.split(b"\n") == [b"one", b"", b"two", b"three", b""]
    assert script.news == ["truncated"]


def test_two_rotations_between_two_looks(script: Script) -> None:
    script.append(5)
    script.look()
    for _ in range(3):
        script.append(2)
        script.rotate()
    script.append(1)
    script.check()
    assert script.given == script.written
    assert script.news == ["rotated"]


def test_what_is_written_to_a_renamed_file_is_read(script: Script) -> None:
    script.append(2)
    script.look()
    with script.path.open("ab", buffering=0) as file:
        os.rename(script.path, f"{script.path}.1")
        script.look()
        late = script.line()
        file.write(late)
        script.written += late
        script.look()
    script.append(3)
    script.check()
    assert script.news == ["renamed", "rotated"]


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_all_of_it(script: Script, seed: int) -> None:
    chance = random.Random(seed)
    script.append(3)
    script.look()
    actions = ("truncate", "rotate", "rotate_by_copy", "replace", "sync", "delete")
    for _ in range(60):
        kind = chance.random()
        if kind < 0.55:
            script.append(chance.randint(1, 4))
        elif kind < 0.75:
            script.look()
        else:
            # One change of the file between two looks; appends before and after it are not seen.
            script.look()
            script.append(chance.randint(1, 3))
            getattr(script, chance.choice(actions))()
            script.append(chance.randint(1, 3))
            script.look()
    script.check()


def test_a_writer_and_a_follower_at_once(tmp_path: Path) -> None:
    script = Script(tmp_path / "train.log")
    over = threading.Event()
    chance = random.Random(5)

    def write() -> None:
        for _ in range(120):
            script.append(chance.randint(1, 5))
            if chance.random() < 0.1:
                time.sleep(0.03)
                chance.choice((script.rotate, script.replace, script.sync))()
                time.sleep(0.03)
            time.sleep(0.001)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not over.is_set():
        script.look()
        time.sleep(0.002)
    writer.join()
    script.check()
    script.follower.close()


def test_says_what_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a regular file"):
        list(Follower(str(tmp_path)).poll())


def test_says_that_it_may_not_be_read(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **given: object) -> None:
        raise PermissionError(13, "Permission denied")

    script.append()
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(SourceError, match=r"train\.log: cannot be opened: Permission denied"):
        script.look()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("2 D", 172800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "1e9", "10 minutes", "1" * 400])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)
