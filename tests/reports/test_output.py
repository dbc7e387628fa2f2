from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from logparse.errors import UsageError
from logparse.reports.output import (
    FORMATS,
    Outputs,
    TableOutput,
    Target,
    make_report,
    table_target,
    targets,
)


@pytest.mark.parametrize(
    ("outputs", "form", "expected"),
    [
        ([], None, [Target("-", "text")]),
        ([], "json", [Target("-", "json")]),
        (["a.json", "-"], None, [Target("a.json", "json"), Target("-", "text")]),
        (["a.txt", "b.MD", "c.jsonl"], None, ["text", "md", "ndjson"]),
        (["report"], "csv", [Target("report", "csv")]),
    ],
)
def test_a_suffix_names_the_form(outputs: list[str], form: str | None, expected: Any) -> None:
    found = targets(outputs, form)
    assert (found if isinstance((expected or [""])[0], Target) else [t.format for t in found]) == (
        expected
    )


@pytest.mark.parametrize(
    ("outputs", "form", "words"),
    [
        (["a.pdf"], None, "cannot tell the format of 'a.pdf'"),
        ([], "pdf", "choose from text, json"),
        (["a.md", "a.md"], None, "given twice"),
    ],
)
def test_a_form_that_is_not_there_is_refused(
    outputs: list[str], form: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        targets(outputs, form)


def test_export_needs_a_form_for_stdout_and_a_file_for_parquet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert table_target("x.parquet", None) == Target("x.parquet", "parquet")
    assert table_target("-", "csv") == Target("-", "csv")
    with pytest.raises(UsageError, match="needs --format"):
        table_target("-", None)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(UsageError, match="-o FILE"):
        table_target("-", "parquet")


def test_every_format_makes_a_report_of_a_log(seed: Any) -> None:
    for form in FORMATS:
        report = make_report(form, None, color="auto", full=True)
        assert "".join([*report.start(), *report.log(seed), *report.end()])


def test_outputs_are_written_side_by_side(
    seed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    wanted = targets([str(tmp_path / "a.json"), "-", str(tmp_path / "b.csv")], "md")
    with Outputs(wanted, force=False) as outputs:
        outputs.start()
        outputs.log(seed)
        outputs.end()
    assert out.getvalue().startswith("## train.log")
    assert (tmp_path / "a.json").read_text().startswith('{"schema_version"')
    assert (tmp_path / "b.csv").read_text().startswith("path,run,epoch")


def test_an_error_leaves_no_file_and_an_old_one_stays(seed: Any, tmp_path: Path) -> None:
    old, new = tmp_path / "old.md", tmp_path / "new.md"
    old.write_text("old")

    def interrupted() -> None:
        with Outputs(targets([str(old), str(new)], None), force=True) as outputs:
            outputs.log(seed)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.md"]


def test_a_file_that_exists_is_refused_before_any_work(tmp_path: Path) -> None:
    old = tmp_path / "old.md"
    old.write_text("old")
    with (
        pytest.raises(UsageError, match="--force"),
        Outputs(targets([str(old)], None), force=False),
    ):
        pass
    assert old.read_text() == "old"


def test_a_table_is_whole_or_not_there(seed: Any, tmp_path: Path) -> None:
    target = Target(str(tmp_path / "epochs.csv"), "csv")

    def interrupted() -> None:
        with TableOutput(target, force=False) as out:
            out.write(seed.table("epochs"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    with TableOutput(target, force=False) as out:
        out.write(seed.table("epochs"))
    assert len((tmp_path / "epochs.csv").read_text().splitlines()) == 4
