from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from logparse import cli
from logparse.commands import commands

LOG = """\
Epoch 1/2
1/3 [=========>....................] - ETA: 20s - loss: 0.9000 - acc: 0.5000
2/3 [===================>..........] - ETA: 10s - loss: 0.8000 - acc: 0.6000
3/3 [==============================] - 30s - loss: 0.7000 - acc: 0.7000
Epoch 2/2
1/3 [=========>....................] - ETA: 20s - loss: 0.5000 - acc: 0.8000
2/3 [===================>..........] - ETA: 10s - loss: 0.4500 - acc: 0.8500
3/3 [==============================] - 30s - loss: 0.4000 - acc: 0.9000
"""
CUT = LOG[: LOG.rindex("3/3")]


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process; ``stdin`` feeds it."""

    def call(*args: str | Path, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["logparse", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return Result(int(end.value.code or 0), out, err)

    return call


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "train.log"
    path.write_text(LOG)
    return path


def test_a_path_alone_is_analyze(run: Run, log: Path) -> None:
    short = run(log)
    assert short.code == 0
    assert short == run("analyze", log)
    assert "One training run: 2 epochs" in short.out
    assert short.err == ""


def test_dash_is_standard_input(run: Run, log: Path) -> None:
    found = run("-", "--format", "json", stdin=LOG)
    assert found.code == 0
    expected = json.loads(run(log, "--format", "json").out)["logs"][0]["metrics"]
    assert json.loads(found.out)["logs"][0]["metrics"] == expected


def test_one_reading_writes_many_reports(run: Run, log: Path, tmp_path: Path) -> None:
    targets = [tmp_path / f"r.{suffix}" for suffix in ("json", "ndjson", "csv", "md", "txt")]
    args = [arg for target in targets for arg in ("-o", str(target))]
    found = run(log, *args, "-o", "-")
    assert found.code == 0
    assert found.out == targets[-1].read_text()
    assert json.loads(targets[0].read_text())["logs"][0]["path"] == str(log)
    assert all(target.stat().st_size for target in targets)


def test_a_file_is_replaced_only_with_force(run: Run, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    target.write_text("old")
    found = run(log, "-o", target)
    assert (found.code, target.read_text()) == (2, "old")
    assert "--force" in found.err
    assert run(log, "-o", target, "--force").code == 0
    assert json.loads(target.read_text())["logs"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([], 0),
        (["--fail-on", "never"], 0),
        (["--fail-on", "error"], 0),
        (["--fail-on", "warning"], 1),
        (["--fail-on", "info"], 1),
        (["--fail-on", "warning", "--exit-zero"], 0),
        (["--fail-on", "warning", "--ignore", "LP0"], 0),
        (["--fail-on", "warning", "--select", "LP1,LP2"], 0),
        (["--fail-on", "warning", "--select", "lp002"], 1),
    ],
)
def test_a_finding_decides_the_exit_code(
    run: Run, tmp_path: Path, args: list[str], code: int
) -> None:
    path = tmp_path / "cut.log"
    path.write_text(CUT)
    assert run(path, *args).code == code


def test_nothing_that_can_be_read_is_3_and_leaves_no_file(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    path = tmp_path / "empty.log"
    path.write_text("")
    found = run(path, "-o", target)
    assert found.code == 3
    assert found.err.startswith("logparse: ")
    assert found.err.count("\n") == 1
    assert str(path) in found.err
    assert not target.exists()


def test_one_bad_log_of_several_is_4_and_stops_nothing(run: Run, log: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.log"
    found = run(missing, log, "--format", "json")
    assert found.code == 4
    result = json.loads(found.out)
    assert [one["path"] for one in result["logs"]] == [str(log)]
    assert [one["path"] for one in result["failures"]] == [str(missing)]
    assert "no such file" in found.err
    assert run(missing, missing).code == 3


def test_a_mistyped_name_gets_the_nearest(run: Run, log: Path) -> None:
    assert "did you mean" in run(log.with_name("trian.log")).err
    assert "logparse analyze" in run("analyse").err
    found = run(log, "--formt", "json")
    assert found.code == 2
    assert "--format" in found.err


@pytest.mark.parametrize(
    "args",
    [
        ["{log}", "-o", "x.pdf"],
        ["{log}", "--format", "pdf"],
        ["{log}", "--law", "no such law"],
        ["{log}", "--reader", "nonsense"],
        ["{log}", "--select", "LP999"],
        ["{log}", "--batch-size", "0"],
        ["export", "{log}", "--table", "epoch", "-o", "x.csv"],
        ["export", "{log}", "--table", "epochs", "-o", "x"],
        ["export", "{log}", "--table", "epochs", "-o", "-"],
        ["explain"],
        ["explain", "LP999"],
        ["analyze"],
    ],
)
def test_wrong_usage_is_2_and_leaves_no_file(
    run: Run, log: Path, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(log.parent)
    found = run(*(arg.format(log=log) for arg in args))
    assert found.code == 2
    assert found.out == ""
    assert found.err
    assert "Traceback" not in found.err
    assert [path.name for path in log.parent.iterdir()] == ["train.log"]


def test_debug_shows_where_anywhere_on_the_line(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["logparse", "explain", "LP999", "--debug"])
    with pytest.raises(Exception, match="LP999"):
        cli.main()


def test_a_fault_of_logparse_is_told_in_two_lines(
    run: Run, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("\x1b[2J")

    monkeypatch.setattr("logparse.analysis.analyze_many", fail)
    found = run(log)
    assert found.code == 3
    assert found.err == (
        "logparse: a fault of logparse itself: ZeroDivisionError('\\x1b[2J')\n"
        "  Run it again with --debug, and please report what that shows.\n"
    )
    monkeypatch.setattr(sys, "argv", ["logparse", "--debug", str(log)])
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "json", "ndjson"])
def test_export_writes_a_table(run: Run, log: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"updates.{form}"
    assert run("export", log, "--table", "updates", "-o", target).code == 0
    readers: dict[str, Callable[[], pl.DataFrame]] = {
        "csv": lambda: pl.read_csv(target),
        "tsv": lambda: pl.read_csv(target, separator="\t"),
        "parquet": lambda: pl.read_parquet(target),
        "json": lambda: pl.read_json(target),
        "ndjson": lambda: pl.read_ndjson(target),
    }
    table = readers[form]()
    assert table["loss"].to_list() == [0.9, 0.8, 0.7, 0.5, 0.45, 0.4]
    assert table["step"].to_list() == [1, 2, 3] * 2


def test_explain_tells_every_code(run: Run) -> None:
    found = run("explain", "--all")
    codes = re.findall(r"^(LP\d{3}) ", found.out, re.MULTILINE)
    assert {"LP001", "LP002", "LP003", "LP101", "LP103", "LP104", "LP201", "LP202"} <= set(codes)
    assert run("explain", "lp101").out.startswith("LP101 ")


def test_formats_lists_the_readers_and_scores_a_log(run: Run, log: Path) -> None:
    names = run("formats").out
    scored = run("formats", log)
    assert scored.code == 0
    for line in names.splitlines():
        assert line.split()[0] in scored.out
    assert run("formats", log.with_name("none")).code == 3


def test_schema_is_the_schema(run: Run) -> None:
    from logparse.reports.schema import result_schema

    assert json.loads(run("schema").out) == result_schema()


def test_version_and_help(run: Run) -> None:
    assert re.fullmatch(r"logparse \d+\.\d+\.\d+\S*\n", run("--version").out)
    for command in ((), *((name,) for name in commands())):
        found = run(*command, "--help")
        assert found.code == 0
        assert found.out.startswith("Usage: logparse")
        assert max(map(len, found.out.splitlines())) <= 80
        assert f"Example: {commands()[command[0]].example}\n" in found.out if command else True
    assert all(f"\n  {code} " in run("-h").out for code in (0, 1, 2, 3, 4, 130, 141))


def test_options_stand_anywhere_and_paths_may_begin_with_a_dash(
    run: Run, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(log.parent)
    Path("-x").write_text(LOG)
    found = run("train.log", "--format", "json", "./-x", "-q", "--", "-x")
    assert (found.code, found.err) == (0, "")
    assert [one["path"] for one in json.loads(found.out)["logs"]] == ["train.log", "./-x", "-x"]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ([], "give a log or a command; see logparse --help"),
        (["x", "--formt", "json"], "no option --formt; did you mean --format?"),
        (["x", "--nonsense=1"], "no option --nonsense=1; see logparse analyze --help"),
        (["x", "--form", "json"], "no option --form; did you mean --format?"),
        (["analyze"], "PATH is missing; see logparse analyze --help"),
        (["formats", "a", "b", "c"], "too many words: b c; see logparse formats --help"),
        (["schema", "report", "\x1b[2J"], "too many words: \\x1b[2J; see logparse schema --help"),
        (["x", "-o"], "argument -o/--output: expected one argument; see logparse analyze --help"),
        (
            ["x", "--batch-size", "1e3"],
            "argument --batch-size: '1e3' is not a whole number from 1 to 999999999; "
            "see logparse analyze --help",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(run: Run, args: list[str], error: str) -> None:
    assert run(*args) == Result(2, "", f"logparse: {error}\n")


def test_hostile_names_and_text_never_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\u202e.log"
    path.write_text(LOG.replace("acc", "a\x9b31m\u202ec") + "\x1b]0;owned\x07 not a line\n")
    for args in ([path], [path, "--full"], [path, "--format", "md"], [path, "--format", "json"]):
        found = run(*args)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", found.out + found.err)
    gone = run(path.with_name("gone\x1b[2J"))
    assert gone.code == 3
    assert "\x1b" not in gone.err


def command(*args: str) -> list[str]:
    return [sys.executable, "-c", "from logparse.cli import main; main()", *args]


def modules_after(*args: str) -> set[str]:
    """What a process has imported once ``logparse ARGS`` is done."""
    code = (
        "import sys; from logparse.cli import main; sys.argv = ['logparse', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*sys.modules)"
    )
    run = [sys.executable, "-c", code, *args]
    found = subprocess.run(run, capture_output=True, text=True, check=True)
    return set(found.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("analyze", "--help")])
def test_help_imports_neither_polars_nor_numpy(args: tuple[str, ...]) -> None:
    heavy = {"polars", "numpy", "scipy", "pandas", "pyarrow", "rich", "typer", "pydantic"}
    assert not heavy & modules_after(*args)


def test_analyze_imports_only_what_a_plain_log_needs(log: Path) -> None:
    code = "import sys, polars, numpy; polars.DataFrame({'a': numpy.zeros(1)}); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    more = modules_after("analyze", str(log)) - set(found.stdout.split())
    assert "logparse.analysis" in more
    heavy = ("scipy", "pandas", "pyarrow", "typer", "pydantic", "rich", "email", "zipfile")
    heavy += ("tarfile", "zstandard", "multiprocessing", "asyncio", "xml", "http", "urllib")
    heavy += ("plotly", "jinja2", "tsdownsample")
    assert {name for name in more if name.partition(".")[0] in heavy} == set()


@pytest.mark.parametrize("args", [["{log}"], ["--help"], ["schema"]])
def test_a_closed_pipe_is_141_without_a_word(log: Path, args: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    found = subprocess.run(
        command(*(arg.format(log=log) for arg in args)),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (found.returncode, found.stderr) == (141, "")


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
def test_ctrl_c_is_130_without_a_traceback() -> None:
    with subprocess.Popen(
        command("-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(LOG.encode())
        process.stdin.flush()
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_output_is_plain_without_a_terminal_and_coloured_when_asked(log: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    outs = [
        subprocess.run(
            command(str(log), *args), capture_output=True, env=environment | more, check=True
        ).stdout
        for args, more in (
            ([], {}),
            (["--color", "always"], {}),
            ([], {"FORCE_COLOR": "1"}),
            (["--color", "never"], {"FORCE_COLOR": "1"}),
        )
    ]
    assert outs[0] == outs[3]
    assert outs[1] == outs[2]
    assert b"\x1b[" not in outs[0]
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", outs[1]) == outs[0]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["train.log", "--full"], ["analyze", "train.log", "--full"]),
        (["analyze", "x"], ["analyze", "x"]),
        (["--format", "json", "x"], ["analyze", "--format", "json", "x"]),
        (["--version"], ["--version"]),
        (["x", "--debug"], ["--debug", "analyze", "x"]),
        (["analyze", "--", "--debug"], ["analyze", "--", "--debug"]),
        ([], []),
    ],
)
def test_analyze_is_put_in_where_no_command_is_named(args: list[str], expected: list[str]) -> None:
    assert cli.with_command(args) == expected
