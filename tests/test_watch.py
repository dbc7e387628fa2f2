"""Watching a log says what reading it at its end says, once, while it is written."""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import logparse
from logparse.analysis import Analysis
from logparse.errors import SourceError, UsageError
from logparse.hook import Runner
from logparse.live import Live
from logparse.pipeline import Options
from logparse.reading.follow import News
from logparse.reports.watched import Screen, time_left
from logparse.watch import TextSource, Watch, check_sources

TABLES = ("runs", "epochs", "metrics", "findings", "messages", "layers", "rejects")
LOGS = (
    "keras-1.2.2/outer.log",
    "keras-2.2.4/fit.log",
    "keras-3.0.5/outer.log",
    "keras-3.12.0/multi.log",
    "tf-2.0.4/nan.log",
    "tf-2.15.1/resume.log",
    "seeds/004_vgg16_finetune.log",
)


@pytest.mark.parametrize("name", LOGS)
def test_a_fed_log_is_the_log(sample_logs: Path, name: str) -> None:
    data = (sample_logs / name).read_bytes()
    whole = logparse.analyze(sample_logs / name)
    live = Live(name, Options())
    chance = random.Random(name)
    at = 0
    while at < len(data):
        piece = data[at : at + chance.randint(1, len(data) // 5)]
        live.feed(piece)
        at += len(piece)
        live.analysis()  # looking changes nothing
    found = live.analysis()
    assert isinstance(found, Analysis)
    for table in TABLES:
        assert found.table(table).equals(whole.table(table)), table
    assert found.source.read == whole.source.read


def test_a_fed_log_says_what_its_part_says(sample_logs: Path, tmp_path: Path) -> None:
    data = (sample_logs / "keras-2.2.4/fit.log").read_bytes()
    live = Live("part", Options())
    for cut in range(1000, len(data), 1777):
        live.feed(data[cut - 1777 if cut > 1000 else 0 : cut])
        (tmp_path / "part.log").write_bytes(data[: max(cut, 0)])
        part = logparse.analyze(tmp_path / "part.log")
        found = live.analysis()
        assert found is not None
        assert found.metrics.equals(part.metrics)
        assert found.findings.equals(part.findings)


class Writer:
    """Writes a real log piece by piece, and does to the file what happens to files."""

    def __init__(self, path: Path, data: bytes, seed: int) -> None:
        self.path, self.data, self.at = path, data, 0
        self.chance = random.Random(seed)
        self.path.touch()

    @property
    def done(self) -> bool:
        return self.at >= len(self.data)

    def append(self) -> None:
        piece = self.data[self.at : self.at + self.chance.choice((1, 7, 333, 2000))]
        with self.path.open("ab") as file:
            file.write(piece)
        self.at += len(piece)

    def disturb(self) -> None:
        """Rotate by rename, rotate by copy, or replace by a copy that goes on."""
        kind = self.chance.choice(("rename", "copy", "sync"))
        if kind == "rename":
            os.rename(self.path, f"{self.path}-{self.at}")
            self.path.touch()
        elif kind == "copy":
            shutil.copy(self.path, f"{self.path}-{self.at}")
            os.truncate(self.path, 0)
        else:
            shutil.copy(self.path, f"{self.path}.new")
            os.replace(f"{self.path}.new", self.path)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["keras-2.2.4/fit.log", "keras-3.12.0/multi.log"])
def test_no_update_is_lost_or_doubled(
    tmp_path: Path, sample_logs: Path, name: str, seed: int
) -> None:
    writer = Writer(tmp_path / "train.log", (sample_logs / name).read_bytes(), seed)
    source = TextSource(str(writer.path), Options())
    news = 0
    disturbed = 0
    while not writer.done:
        writer.append()
        if writer.chance.random() < 0.3:
            news += sum(isinstance(item, News) for item in source.poll())
        if writer.chance.random() < 0.1:
            news += sum(isinstance(item, News) for item in source.poll())
            writer.append()  # not read yet when it happens
            writer.disturb()
            disturbed += 1
            news += sum(isinstance(item, News) for item in source.poll())
    list(source.poll())
    found, whole = source.analysis(), logparse.analyze(sample_logs / name)
    assert found is not None
    assert found.epochs["updates"].to_list() == whole.epochs["updates"].to_list()
    for table in TABLES:
        assert found.table(table).equals(whole.table(table)), table
    assert news == disturbed


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Told(Screen):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def watch(paths: list[Path], **given: Any) -> tuple[Watch, Told, Clock]:
    clock, told = Clock(), Told()
    options = given.pop("options", {})
    return Watch([str(p) for p in paths], options, told, clock=clock, **given), told, clock


def play(data: bytes, path: Path, watching: Watch, clock: Clock, pieces: int = 30) -> None:
    """Write a log to a path, and look after each piece."""
    size = -(-len(data) // pieces)
    for at in range(0, len(data), size):
        with path.open("ab") as file:
            file.write(data[at : at + size])
        clock.now += 5.0
        watching.look()


def test_says_each_epoch_and_finding_once_as_it_comes(tmp_path: Path, sample_logs: Path) -> None:
    log = sample_logs / "keras-2.2.4/fit.log"
    watching, told, clock = watch([tmp_path / "train.log"])
    play(log.read_bytes(), tmp_path / "train.log", watching, clock)
    whole = logparse.analyze(log)
    epochs = [re.search(r"epoch (\d+)/3 done", line) for line in told.lines]
    assert [int(found[1]) for found in epochs if found] == [1, 2, 3]
    for code in set(whole.findings["code"]):
        assert sum(code in line for line in told.lines) >= 1
    assert len(set(told.lines)) == len(told.lines)
    assert not any("LP002" in line for line in told.lines)
    done = next(line for line in told.lines if "epoch 1/3" in line)
    row = whole.metrics.row(0, named=True)
    assert f"{row['metric']} {row['shown']:.4f} (really " in done


def test_several_at_once(tmp_path: Path, sample_logs: Path) -> None:
    names = ["a.log", "b.log"]
    watching, told, clock = watch([tmp_path / name for name in names])
    for name, log in zip(names, ("keras-2.2.4/fit.log", "tf-2.0.4/nan.log"), strict=True):
        play((sample_logs / log).read_bytes(), tmp_path / name, watching, clock, 10)
    assert any("a.log: epoch 3/3 done" in line for line in told.lines)
    assert any("b.log: error LP301: " in line for line in told.lines)


def test_a_log_that_is_there_already_is_said_in_short(tmp_path: Path, sample_logs: Path) -> None:
    shutil.copy(sample_logs / "keras-2.2.4/fit.log", tmp_path / "train.log")
    watching, told, _ = watch([tmp_path / "train.log"])
    watching.look()
    assert "3 epochs are there already" in told.lines[0]
    assert "epoch 3/3 done" in told.lines[1]


def test_warns_of_a_stall_once_and_says_when_it_goes_on(tmp_path: Path, sample_logs: Path) -> None:
    data = (sample_logs / "keras-2.2.4/fit.log").read_bytes()
    watching, told, clock = watch([tmp_path / "train.log"], stall=600.0)
    play(data[:5000], tmp_path / "train.log", watching, clock, 3)
    before = len(told.lines)
    for _ in range(9):
        clock.now += 100
        watching.look()
    assert [line.partition(": ")[2] for line in told.lines[before:]] == [
        "no news for 10 min 00 s; is the training still running?"
    ]
    play(data[5000:5100], tmp_path / "train.log", watching, clock, 1)
    assert "goes on after 15 min 05 s without news" in told.lines[before + 1]


def test_ends_when_the_last_epoch_is_done(tmp_path: Path, sample_logs: Path) -> None:
    data = (sample_logs / "keras-2.2.4/fit.log").read_bytes()
    watching, told, clock = watch([tmp_path / "train.log"], stall=600.0)
    play(data[:-2000], tmp_path / "train.log", watching, clock, 3)
    clock.now += 500
    watching.look()
    assert not watching.over
    play(data[-2000:], tmp_path / "train.log", watching, clock, 3)
    assert not watching.over
    clock.now += 5
    watching.look()
    assert watching.over
    clock.now += 5000
    watching.look()
    assert told.lines[-1].endswith("the training has ended")


def test_early_stopping_is_an_end(tmp_path: Path) -> None:
    lines = "".join(
        f"Epoch {i}/100\n 5/10 [====>.....] - ETA: 1s - loss: 0.50\n"
        f"10/10 [==========] - 2s 200ms/step - loss: 0.4{i} - val_loss: 0.5\n"
        for i in range(1, 5)
    )
    watching, _, clock = watch([tmp_path / "train.log"])
    play(lines.encode(), tmp_path / "train.log", watching, clock, 4)
    clock.now += 9
    watching.look()
    assert not watching.over
    play(b"Epoch 00004: early stopping\n", tmp_path / "train.log", watching, clock, 1)
    clock.now += 9
    watching.look()
    assert watching.over


def test_follows_event_files(tmp_path: Path, shared_logs: Path) -> None:
    shutil.copytree(shared_logs / "tensorboard" / "keras3", tmp_path / "run")
    (tmp_path / "late").mkdir()
    watching, told, clock = watch([tmp_path / "run"])
    watching.look()
    whole = logparse.analyze(tmp_path / "run")
    assert f"{whole.epochs.height} epochs are there already" in told.lines[0]
    event = next((tmp_path / "run").rglob("*tfevents*"))
    data = event.read_bytes()
    event.write_bytes(data[: len(data) // 2])
    watching, told, clock = watch([tmp_path / "run"])
    watching.look()
    event.write_bytes(data)
    clock.now += 60
    watching.look()
    assert f"epoch {whole.epochs['epoch'][-1]}" in "".join(told.lines)
    with pytest.raises(UsageError, match="without event files"):
        watch([tmp_path / "late"])


def test_a_log_that_cannot_be_read_does_not_stop_the_others(
    tmp_path: Path, sample_logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    watching, told, clock = watch([tmp_path / "pipe", tmp_path / "train.log"])
    data = (sample_logs / "keras-2.2.4/fit.log").read_bytes()
    play(data, tmp_path / "train.log", watching, clock, 2)
    assert "not a regular file" in capsys.readouterr().err
    assert any("epoch 3/3" in line for line in told.lines)
    assert len(watching.failed) == 1


def test_what_cannot_be_followed() -> None:
    for path in ("-", "s3://bucket/train.log"):
        with pytest.raises(SourceError, match="only files on disk"):
            check_sources([path])


def test_a_command_gets_the_finding_and_runs_none_of_it(tmp_path: Path, sample_logs: Path) -> None:
    evil = tmp_path / "$(touch pwned); `touch pwned`.log"
    code = (
        "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if 'LOGP' in k}))"
    )
    script = tmp_path / "hook.py"
    script.write_text(f"{code.replace('print(', 'open(os.environ[chr(79)], chr(97)).write(')}")
    os.environ["O"] = str(tmp_path / "told")
    runner = Runner(f"'{sys.executable}' '{script}' '$LOGPARSE_CODE'")
    watching, _, clock = watch([evil], runner=runner)
    play((sample_logs / "tf-2.0.4/nan.log").read_bytes(), evil, watching, clock, 3)
    runner.finish(60)
    del os.environ["O"]
    told = (tmp_path / "told").read_text()
    assert '"LOGPARSE_CODE": "LP301"' in told
    assert '"LOGPARSE_METRIC": "loss"' in told
    assert "touch pwned" in told
    assert not list(tmp_path.glob("pwned*"))


def test_control_characters_do_not_reach_a_command(tmp_path: Path) -> None:
    script = tmp_path / "hook.py"
    script.write_text(
        f"import os; open({str(tmp_path / 'told')!r}, 'w').write(os.environ['LOGPARSE_MESSAGE'])"
    )
    runner = Runner(f"{sys.executable} {script}")
    assert runner.start({"message": "a\x1b[2J\0b\n", "epoch": None}) is None
    runner.finish(60)
    assert (tmp_path / "told").read_text() == r"a\x1b[2J\x00b\n"


def test_a_command_that_is_not_there_is_said() -> None:
    assert "no such file" in str(Runner("nonexistent-command").start({}))
    for command in ("", "'open"):
        with pytest.raises(UsageError, match="--exec"):
            Runner(command)


def row(**given: Any) -> dict[str, Any]:
    base: dict[str, Any] = dict.fromkeys(("seconds", "step_seconds", "late_step_seconds"), None) | {
        "run": 1,
        "epoch": 1,
        "steps": 100,
        "of": 100,
        "complete": True,
    }
    return base | given


@pytest.mark.parametrize(
    ("epochs", "of", "measured", "left"),
    [
        ([row(seconds=10.0)], 5, [], 40.0),
        ([row(seconds=10.0), row(epoch=2, steps=50, complete=False)], 5, [], 35.0),
        ([row(steps=25, complete=False, step_seconds=0.2)], 2, [], 35.0),
        ([row(complete=False, steps=50)], 3, [(0.0, 0.0), (60.0, 0.5)], 300.0),
        ([row(seconds=10.0)], None, [], None),
        ([row(complete=False)], 3, [], None),
        ([row(epoch=7, seconds=10.0)], 1, [], None),
    ],
)
def test_time_left(
    epochs: list[dict[str, Any]], of: int | None, measured: Any, left: float | None
) -> None:
    assert time_left(epochs, of, measured) == (None if left is None else pytest.approx(left))


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "logparse", "watch", *map(str, args)]


def write_slowly(data: bytes, path: Path, pieces: int = 12) -> threading.Thread:
    def write() -> None:
        size = -(-len(data) // pieces)
        for at in range(0, len(data), size):
            with path.open("ab") as file:
                file.write(data[at : at + size])
            time.sleep(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_piped_output_is_plain_lines(tmp_path: Path, sample_logs: Path) -> None:
    data = (sample_logs / "keras-3.12.0/multi.log").read_bytes()
    writer = write_slowly(data, tmp_path / "train.log")
    found = subprocess.run(
        command(tmp_path / "train.log", "--until-end"),
        capture_output=True,
        timeout=120,
        check=False,
    )
    writer.join()
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"\x1b" not in found.stdout
    assert b"\r" not in found.stdout
    lines = found.stdout.decode().splitlines()
    assert lines[-1].endswith("the training has ended")
    assert sum(" done" in line for line in lines) >= 1


def test_a_terminal_has_a_line_that_is_redrawn(tmp_path: Path, sample_logs: Path) -> None:
    pty = pytest.importorskip("pty", reason="no terminals on this system")
    termios = pytest.importorskip("termios", reason="no terminals on this system")
    data = (sample_logs / "keras-3.12.0/multi.log").read_bytes()
    (tmp_path / "train.log").write_bytes(data[: len(data) // 3])
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    child = subprocess.Popen(
        command(tmp_path / "train.log", "--until-end"), stdout=theirs, close_fds=True
    )
    os.close(theirs)
    shown = b""
    writer = None
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        shown += piece
        if b"step" in shown and writer is None:
            writer = write_slowly(data[len(data) // 3 :], tmp_path / "train.log")
    os.close(ours)
    assert child.wait() == 0
    assert writer is not None
    writer.join()
    text = shown.decode()
    assert "\x1b[1F\x1b[J" in text  # the line is wiped and drawn again
    assert re.search(r"epoch 1/2, step [\d,]+/[\d,]+, cls_accuracy [01]", text)
    assert "the training has ended" in text
