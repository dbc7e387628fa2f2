"""``logparse compare`` and ``baseline`` as a user runs them: outputs, files, exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jsonschema
import polars as pl
import pytest

import logparse
from logparse import cli
from logparse.reports.comparison import markdown_report, text_report
from logparse.reports.comparison_json import baseline_schema, comparison_schema
from logparse.reports.terminal import Page
from tests.comparison.logs import made_log, write_log
from tests.reports.conftest import HOSTILE_STRINGS


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*args: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["logparse", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Result(int(end.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_log(tmp_path / "old.log", [30, 20, 21, 20, 21, 20, 21])


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return write_log(tmp_path / "new.log", [30, 28, 29, 28, 29, 28, 29])


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([], 0),
        (["--fail-if-slower", "5%"], 1),
        (["--fail-if-slower", "5 %"], 1),
        (["--fail-if-slower=0%"], 1),
        (["--fail-if-slower", "60%"], 0),
    ],
)
def test_the_limit_decides_the_exit_code(
    run: Run, old: Path, new: Path, args: list[str], code: int
) -> None:
    assert run("compare", old, new, *args).code == code
    assert run("compare", new, old, *args).code == 0


@pytest.mark.parametrize("value", ["5", "-5%", "nan%", "x%", "%", "1e9%", ""])
def test_a_limit_is_a_percentage(run: Run, old: Path, new: Path, value: str) -> None:
    found = run("compare", old, new, f"--fail-if-slower={value}")
    assert found.code == 2
    assert "is not a percentage like 5%" in found.err
    assert found.err.count("\n") == 1


def test_the_same_numbers_in_every_form(run: Run, old: Path, new: Path, tmp_path: Path) -> None:
    targets = [tmp_path / f"c.{suffix}" for suffix in ("json", "csv", "md", "txt")]
    outputs = [word for target in targets for word in ("-o", target)]
    found = run("compare", old, new, *outputs, "-o", "-")
    assert (found.code, found.err) == (0, "")
    assert found.out == targets[3].read_text()
    document = json.loads(targets[0].read_text())
    jsonschema.Draft202012Validator(comparison_schema()).validate(document)
    (ratio,) = document["ratios"]
    csv = pl.read_csv(targets[1])
    assert csv["name"].to_list() == [str(old), str(new)]
    assert csv["ratio"].to_list() == [None, ratio["ratio"]]
    for text in (found.out, targets[2].read_text()):
        assert f"{ratio['ratio']:.3f}" in text
        assert "LP501" in text
    assert targets[2].read_text() == logparse.compare(old, new).to_markdown()


def test_plain_text_fits_eighty_columns(run: Run, old: Path, new: Path) -> None:
    lines = [line for line in run("compare", old, new).out.splitlines() if "/" not in line]
    assert max(map(len, lines)) <= 80


def test_a_file_is_replaced_only_with_force(run: Run, old: Path, new: Path, tmp_path: Path) -> None:
    target = tmp_path / "c.json"
    target.write_text("mine")
    assert run("compare", old, new, "-o", target).code == 2
    assert target.read_text() == "mine"
    assert run("compare", old, new, "-o", target, "--force").code == 0
    assert json.loads(target.read_text())["sides"]


def test_a_saved_baseline_is_a_side(run: Run, old: Path, new: Path, tmp_path: Path) -> None:
    saved = tmp_path / "perf.json"
    assert run("baseline", old, "-o", saved) == Result(0, "", "")
    jsonschema.Draft202012Validator(baseline_schema()).validate(json.loads(saved.read_text()))
    assert run("baseline", old, "-o", saved).code == 2
    assert run("baseline", old, "-o", "-").out == saved.read_text()
    old.unlink()
    found = run("compare", saved, new, "--fail-if-slower", "5%")
    assert found.code == 1
    assert "LP501" in found.out


def test_what_cannot_be_read_has_its_exit_code(run: Run, old: Path, tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    write_log(group / "a.log", [10, 10, 10])
    (group / "b.log.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    found = run("compare", old, group)
    assert found.code == 4
    assert found.err.count("\n") == 1
    assert run("baseline", group, "-o", tmp_path / "b.json").code == 4
    missing = run("compare", old, tmp_path / "none.log")
    assert (missing.code, missing.out, missing.err.count("\n")) == (3, "", 1)
    assert run("compare", old).code == 2


def test_schemas_are_printed(run: Run) -> None:
    assert json.loads(run("schema", "comparison").out) == comparison_schema()
    assert json.loads(run("schema", "baseline").out) == baseline_schema()
    wrong = run("schema", "comparisons")
    assert (wrong.code, "did you mean comparison?" in wrong.err) == (2, True)


def test_names_from_files_and_logs_steer_nothing(tmp_path: Path) -> None:
    names = [text for text in HOSTILE_STRINGS if "/" not in text and "\x00" not in text][:25]
    for i, name in enumerate(names):
        folder = tmp_path / str(i)
        folder.mkdir()
        try:
            log = write_log(folder / (name + ".log"), [9, 9, 9])
        except (OSError, UnicodeEncodeError):
            continue
        log.write_text(made_log([9, 9, 9]).replace("loss", f"x{name}y".replace("\n", "")))
        found = logparse.compare(log, log)
        shown = "".join([*text_report(found, Page()), *markdown_report(found)])
        assert not set(shown.replace("\n", "")) & set(map(chr, [*range(32), *range(127, 160)]))
        assert "\u202e" not in shown
        json.loads(found.to_json())


def test_help_and_other_commands_load_nothing_of_it() -> None:
    code = (
        "import sys; from logparse.cli import main\n"
        "sys.argv = ['logparse', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('scipy', 'numpy', 'polars') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
