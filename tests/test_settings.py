"""Settings files, variables and flags -> what a command runs with, and what a mistake names."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from logparse import cli
from logparse.commands import commands
from logparse.options import command_parser
from logparse.settings import keys, settings_of
from tests.comparison.logs import write_log

LOG = """\
Epoch 1/2
1/3 [=========>....................] - ETA: 20s - loss: 0.9000
3/3 [==============================] - 30s - loss: 0.7000
Epoch 2/2
1/3 [=========>....................] - ETA: 20s - loss: 0.5000
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command, run in an empty folder with a log that ends inside an epoch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cut.log").write_text(LOG)

    def call(*args: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["logparse", *args])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Result(int(end.value.code or 0), *capsys.readouterr())

    return call


def pyproject(text: str) -> None:
    Path("pyproject.toml").write_text(f"[project]\nname = 'x'\n[tool.logparse]\n{text}")


def test_a_flag_wins_over_a_variable_over_a_file_over_the_default(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("cut.log").code == 0
    pyproject("fail-on = 'warning'")
    assert run("cut.log").code == 1
    monkeypatch.setenv("LOGPARSE_FAIL_ON", "error")
    assert run("cut.log").code == 0
    assert run("cut.log", "--fail-on", "info").code == 1
    monkeypatch.setenv("LOGPARSE_FAIL_ON", "")
    assert run("cut.log").code == 1


def test_a_flag_replaces_a_list(run: Run) -> None:
    Path("logparse.toml").write_text("fail-on = 'info'\nselect = ['LP2', 'LP3']\n")
    assert run("cut.log").code == 0
    assert run("cut.log", "--select", "LP0").code == 1


def test_logparse_toml_wins_beside_pyproject_and_the_nearest_folder_over_those_above(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyproject("fail-on = 'info'")
    Path("logparse.toml").write_text("fail-on = 'never'\n")
    assert run("cut.log").code == 0
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert run(str(tmp_path / "cut.log")).code == 0
    pyproject("fail-on = 'info'")
    assert run(str(tmp_path / "cut.log")).code == 1
    Path("pyproject.toml").write_text("[project]\nname = 'no settings here'\n")
    assert run(str(tmp_path / "cut.log")).code == 0


def test_the_file_can_be_named(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pyproject("fail-on = 'info'")
    monkeypatch.setenv("LOGPARSE_SETTINGS", "")
    assert run("cut.log").code == 0
    other = tmp_path / "other.toml"
    other.write_text("fail-on = 'warning'\n")
    monkeypatch.setenv("LOGPARSE_SETTINGS", str(other))
    assert run("cut.log").code == 1
    other.unlink()
    assert run("cut.log") == Result(
        2, "", f"logparse: {other}: cannot be read: no such file or directory\n"
    )


def test_a_commands_own_table_wins(run: Run) -> None:
    Path("logparse.toml").write_text("format = 'json'\n[analyze]\nformat = 'csv'\n")
    assert run("cut.log").out.startswith("path,run,epoch")
    assert run("cut.log", "--format", "md").out.startswith("## cut.log")


@pytest.mark.parametrize("value", ["true", "'yes'", "1", "'on'"])
def test_a_switch_is_true_or_false(run: Run, value: str) -> None:
    pyproject(f"exit-zero = {value}\nfail-on = 'info'")
    assert run("cut.log").code == 0
    pyproject("exit-zero = false\nfail-on = 'info'")
    assert run("cut.log").code == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fail-onn = 'info'", "no setting fail-onn; did you mean fail-on?"),
        ("fail-on = 'warnings'", "fail-on: no 'warnings'; did you mean warning?"),
        ("fail-on = 'zzz'", "fail-on: no 'zzz'; choose from never, info, warning, error"),
        ("fail-on = true", "fail-on: True is not a text or a number"),
        ("batch-size = 0", "batch-size: '0' is not a whole number from 1 to 999999999"),
        ("full = 'maybe'", "full: 'maybe' is neither true nor false"),
        ("output = 'x.json'", "no setting output"),
        ("[tool.logparse.analyse]\nfull = true", "no command analyse; did you mean analyze?"),
        ("[tool.logparse.analyze]\nful = true", "[analyze] no setting ful; did you mean full?"),
        ("[tool.logparse.compare]\njobs = 2", "[compare] no setting jobs"),
        ("select = ['LP9x']", "no finding has the code LP9X"),
        ("law = 'meen'", "no law is called 'meen'"),
        ("x = ", "Invalid value"),
        ("exec = 'touch owned'", "exec cannot be set in a file; give --exec or LOGPARSE_EXEC"),
        ("[tool.logparse.watch]\nexec = 'touch owned'", "exec cannot be set in a file"),
        ("[tool.logparse.report]\nscheduler = 'tcp://x'", "scheduler cannot be set in a file"),
    ],
)
def test_a_mistake_names_the_file_and_the_nearest(run: Run, text: str, message: str) -> None:
    pyproject(text)
    found = run("cut.log")
    assert (found.code, found.out) == (2, "")
    assert "pyproject.toml" in found.err
    assert message in found.err
    assert found.err.count("\n") == 1


def test_a_mistake_names_the_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGPARSE_FAIL_ON", "warnings")
    expected = "logparse: LOGPARSE_FAIL_ON: no 'warnings'; did you mean warning?\n"
    assert run("cut.log") == Result(2, "", expected)
    assert run("analyze", "--help").code == 0
    monkeypatch.setenv("LOGPARSE_FAIL_ON", "never")
    monkeypatch.setenv("LOGPARSE_SELECT", "LP1,LP7")
    assert run("cut.log").err.endswith("(select is set in LOGPARSE_SELECT)\n")


def test_what_another_command_has_is_no_mistake(run: Run) -> None:
    pyproject("fail-if-slower = '5%'\n[tool.logparse.compare]\nby = 'step'")
    assert run("cut.log").code == 0


def test_a_table_that_is_none_or_not_utf8_is_a_mistake(run: Run) -> None:
    Path("pyproject.toml").write_text("# [tool.logparse]\n[tool]\nlogparse = 3\n")
    assert "tool.logparse is not a table" in run("cut.log").err
    Path("pyproject.toml").write_bytes(b"[tool.logparse]\n# \xff\n")
    assert run("cut.log").code == 2


def test_settings_shows_where_each_is_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOGPARSE_")]:
        monkeypatch.delenv(name)
    assert run("settings").out == (
        "Settings file: none found\nEvery setting is at its default; --all shows them.\n"
    )
    Path("logparse.toml").write_text(
        "ignore = ['LP205', 'LP1']\nfail-on = 'info'\n[compare]\nfail-if-slower = '5%'\n"
    )
    monkeypatch.setenv("LOGPARSE_FAIL_ON", "warning")
    monkeypatch.setenv("LOGPARSE_FAILON", "x")
    lines = run("settings").out.splitlines()
    here = Path("logparse.toml").absolute()
    assert lines[0] == f"Settings file: {here}"
    table = {line.split()[0]: line for line in lines[2:]}
    assert "warning" in table["fail-on"]
    assert "LOGPARSE_FAIL_ON" in table["fail-on"]
    assert "analyze" in table["fail-on"]
    assert "LP205, LP1" in table["ignore"]
    assert str(here) in table["ignore"]
    assert table["fail-if-slower"].endswith("compare")
    assert lines[-1] == "Not a setting: LOGPARSE_FAILON; did you mean LOGPARSE_FAIL_ON?"
    assert "fail-on" not in "".join(lines[2:]).replace(table["fail-on"], "")
    everything = run("settings", "--all").out
    assert "default" in everything
    for name, command in commands().items():
        for key in keys(command_parser(name, command)):
            assert f"\n{key} " in everything


def test_a_call_shows_its_settings_and_where_each_is_from(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("logparse.toml").write_text("ignore = ['LP205']\nquiet = true\n")
    monkeypatch.setenv("LOGPARSE_COLOR", "never")
    shown = run("cut.log", "--select", "LP1", "--ignore=LP2", "--show-settings")
    assert shown.code == 0
    here = Path("logparse.toml").absolute()
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in shown.out.splitlines()[2:]}
    assert rows["select"] == ["LP1", "the command line"]
    assert rows["ignore"] == ["LP2", "the command line"]
    assert rows["quiet"] == ["true", str(here)]
    assert rows["color"] == ["never", "LOGPARSE_COLOR"]
    assert rows["law"] == ["-", "default"]
    assert set(rows) == set(keys(command_parser("analyze", commands()["analyze"])))


@pytest.mark.parametrize("name", commands())
def test_every_command_shows_its_settings_whatever_it_lacks(run: Run, name: str) -> None:
    assert run(name, "--show-settings").code == 0


def test_after_two_dashes_it_is_a_name(run: Run) -> None:
    assert "no such file" in run("analyze", "--", "--show-settings").err.lower()


def test_names_of_settings_steer_no_terminal(run: Run) -> None:
    Path("logparse.toml").write_text('select = ["\\u001b[2J"]\n')
    assert "\x1b" not in run("settings").out
    assert "\x1b" not in run("cut.log").err


def test_tomllib_is_loaded_only_for_a_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from logparse.cli import main\n"
        "sys.argv = ['logparse', 'formats']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('tomllib' in sys.modules)"
    )
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")

    def loaded() -> bool:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        return done.stdout.splitlines()[-1] == "True"

    assert not loaded()
    (tmp_path / "logparse.toml").write_text("quiet = true\n")
    assert loaded()


def test_every_setting_has_a_variable_of_its_own() -> None:
    parser = command_parser("analyze", commands()["analyze"])
    environment = {"LOGPARSE_BATCH_SIZE": "32", "LOGPARSE_SELECT": "LP1", "LOGPARSE_FULL": "1"}
    found = settings_of("analyze", parser, environment, Path("/"))
    assert {key: one.value for key, one in found.items()} == {
        "batch_size": 32,
        "select": ["LP1"],
        "full": True,
    }


def test_a_limit_in_the_file_fails_a_comparison(run: Run) -> None:
    write_log(Path("old.log"), [30, 20, 21, 20, 21, 20, 21])
    write_log(Path("new.log"), [30, 28, 29, 28, 29, 28, 29])
    Path("logparse.toml").write_text("[compare]\nfail-if-slower = '5%'\n")
    assert run("compare", "old.log", "new.log").code == 1
    assert run("compare", "old.log", "new.log", "--fail-if-slower", "80%").code == 0
    Path("logparse.toml").write_text("[compare]\nfail-if-slower = 5\n")
    assert "fail-if-slower: '5' is not a percentage like 5%" in run("compare", "a", "b").err


def slow(run: Run, *args: str) -> list[dict[str, float]]:
    """Findings of a log whose sixth epoch took 40 s, the others 20."""
    write_log(Path("slow.log"), [20, 20, 20, 20, 20, 40, 20, 20])
    told = json.loads(run("slow.log", "--select", "LP201", "--format", "json", *args).out)
    return [log_finding for log in told["logs"] for log_finding in log["findings"]]


def test_thresholds_of_a_rule_are_raised_in_a_file_or_by_a_flag(run: Run) -> None:
    (found,) = slow(run)
    assert found["threshold"] < 30
    pyproject("[tool.logparse.rules.LP201]\nmin-ratio = 1.9\nmin-seconds = 5\n")
    (found,) = slow(run)
    assert found["threshold"] == pytest.approx(1.9 * found["baseline"])
    pyproject("[tool.logparse.rules.LP201]\nmin-ratio = 3\n")
    assert slow(run) == []
    assert len(slow(run, "--threshold", "LP201.min-seconds=15")) == 1
    assert "LP201.min-ratio=3" in run("settings").out
    assert "min-ratio = 1.05 (times its baseline)" in run("explain", "LP201").out


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[tool.logparse.rules]\nLP201 = 2\n", "LP201 is no table of thresholds"),
        ("[tool.logparse.rules.LP299]\nx = 2\n", "no finding has the code LP299"),
        ("[tool.logparse.rules.LP201]\nfactor = 2\n", "LP201 has no threshold factor; it has min-"),
        ("[tool.logparse.rules.LP101]\nfactor = 2\n", "LP101 has no threshold factor; it has none"),
        ("[tool.logparse.rules.LP201]\nmin-ratio = 1\n", "LP201.min-ratio: 1 is below 1.05"),
        ("[tool.logparse.rules.LP201]\nmin-ratio = nan\n", "nan is no finite number"),
        ("[tool.logparse.rules.LP201]\nmin-ratio = true\n", "True is not a number"),
        ("rules = 3\n", "rules is no table of thresholds"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_named_with_its_file(
    run: Run, table: str, message: str
) -> None:
    pyproject(table)
    result = run("cut.log")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("logparse: ")
    assert "pyproject.toml: " in result.err
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("text", ["LP201", "LP201.min-ratio", "min-ratio=2", "LP201.min-ratio=x"])
def test_a_threshold_that_is_none_is_refused(run: Run, text: str) -> None:
    result = run("cut.log", "--threshold", text)
    assert (result.code, result.err.count("\n")) == (2, 1)
