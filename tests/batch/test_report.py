"""A report holds what single analyses say, costs nothing twice, and survives its worst log."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import logparse
from logparse.batch import run as run_module
from logparse.batch import work as work_module
from logparse.batch.run import StrictError
from logparse.batch.work import page_name
from logparse.errors import LogparseError, SourceError, UsageError
from logparse.reports.export import safe_cells
from tests.batch.help import (
    BROKEN,
    REAL,
    TABLES,
    age,
    contents,
    data,
    make_broken,
    make_tree,
    run,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sample_logs: Path) -> Path:
    """A tree and its report, which no test changes."""
    folder = tmp_path_factory.mktemp("made")
    make_tree(folder / "tree", sample_logs)
    (folder / "tree" / "notes.txt").write_text("Learning rates to try: 0.1, 0.01\n")
    run(folder / "tree", folder / "out")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    shutil.copytree(made, tmp_path / "place", dirs_exist_ok=True)
    run(tmp_path / "place" / "tree", tmp_path / "place" / "out")
    age(tmp_path / "place")
    return tmp_path / "place"


def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are analysed from now on."""
    names: list[str] = []
    real = work_module._logs

    def logs(task: Any, watch: Any) -> Any:
        names.append(task.name)
        return real(task, watch)

    monkeypatch.setattr(work_module, "_logs", logs)
    return names


def test_the_data_set_holds_what_single_analyses_say(made: Path) -> None:
    tables = data(made / "out")
    for name in REAL:
        single = logparse.analyze(made / "tree" / name)
        for table in TABLES[1:]:
            rows = tables[table].filter(pl.col("log") == name).drop("log")
            assert rows.equals(safe_cells(single.table(table))), (name, table)
    logs = {row["log"]: row for row in tables["logs"].rows(named=True)}
    assert set(logs) == {*REAL, "notes.txt"}
    for name in REAL:
        source = logparse.analyze(made / "tree" / name).source
        row = logs[name]
        assert row["status"] == "read"
        assert row["sha256"] == source.sha256
        assert row["bytes"] == (made / "tree" / name).stat().st_size
        account = row["read"] + row["ignored"] + row["rejected"] + row["pending"]
        assert account == row["bytes"]
        assert (made / "out" / "runs" / row["page"]).is_file()
    assert logs["notes.txt"]["status"] == "skipped"
    assert "not a training log" in logs["notes.txt"]["reason"]


def test_the_script_is_there_once(made: Path) -> None:
    out = contents(made / "out")
    scripts = [name for name in out if name.endswith(".js")]
    assert scripts == ["plotly.min.js"]
    pages = [text for name, text in out.items() if name.startswith("runs/")]
    assert len(pages) == len(REAL)
    assert all(b'src="../plotly.min.js"' in page for page in pages)
    assert all(b'<a href="../index.html">All logs</a>' in page for page in pages)


def test_the_index_leads_to_every_page_worst_first(made: Path) -> None:
    text = contents(made / "out")["index.html"].decode()
    links = re.findall(r'<a href="(runs/[^"]+)">([^<]+)</a>', text)
    assert {name for _, name in links} == set(REAL)
    assert all((made / "out" / page).is_file() for page, _ in links)
    states = re.findall(r"<tr class=(\w)>", text)
    assert states == sorted(states, key="xewio".index)
    assert states[0] == "e"  # the log with nan
    assert "http:" not in text
    assert "https:" not in text


def test_what_is_known_is_not_read_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(place / "out")
    # New times: everything is hashed, nothing is analysed.
    names = read_files(monkeypatch)
    summary = run(place / "tree", place / "out")
    assert (names, summary.new, summary.read) == ([], 0, len(REAL))
    # Then not even hashed.
    monkeypatch.setattr(
        run_module, "work_all", lambda tasks: pytest.fail(f"{tasks[0].name} was opened")
    )
    run(place / "tree", place / "out")
    assert contents(place / "out") == before


def test_what_changed_is_read_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(place / "tree" / REAL[1], place / "tree" / REAL[0])
    (place / "tree" / REAL[2]).touch()
    names = read_files(monkeypatch)
    run(place / "tree", place / "out")
    assert names == [REAL[0]]
    tables = data(place / "out")
    for table in TABLES[1:]:
        one, two = (tables[table].filter(pl.col("log") == name).drop("log") for name in REAL[:2])
        assert one.equals(two)


def test_removed_logs_leave(place: Path) -> None:
    pages = {row["log"]: row["page"] for row in data(place / "out")["logs"].rows(named=True)}
    (place / "tree" / REAL[3]).unlink()
    summary = run(place / "tree", place / "out")
    assert (summary.removed, summary.new, summary.read) == (1, 0, len(REAL) - 1)
    assert not (place / "out" / "runs" / pages[REAL[3]]).exists()
    assert REAL[3] not in (place / "out" / "index.html").read_text()
    assert all(REAL[3] not in frame["log"].to_list() for frame in data(place / "out").values())


def test_a_page_that_was_removed_is_made_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(place / "out")
    page = next(name for name in before if name.startswith("runs/"))
    for name in (page, "index.html", "plotly.min.js", "data/epochs/all.parquet"):
        (place / "out" / name).unlink()
    names = read_files(monkeypatch)
    run(place / "tree", place / "out")
    assert len(names) == 1
    assert contents(place / "out") == before


@pytest.mark.parametrize(
    "options", [{"select": ("LP3",)}, {"ignore": ("LP1",)}, {"keras": "3.10"}, {"batch_size": 4}]
)
def test_other_options_read_again(place: Path, options: dict[str, Any]) -> None:
    summary = run(place / "tree", place / "out", options=options)
    assert summary.new == len(REAL) + 1
    single = logparse.analyze(place / "tree" / REAL[0], **options)
    found = data(place / "out")["findings"].filter(pl.col("log") == REAL[0]).drop("log")
    assert found.equals(safe_cells(single.findings))
    assert run(place / "tree", place / "out", options=options).new == 0


def test_another_logparse_reads_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run_module, work_module):
        monkeypatch.setattr(module, "code_version", lambda: "9.9.9 other")
    assert run(place / "tree", place / "out").new == len(REAL) + 1


def test_a_worker_with_another_logparse_is_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "code_version", lambda: "9.9.9 other")
    with pytest.raises(UsageError, match="install the same on all machines"):
        run(place / "tree", tmp_path / "new")


def test_an_interrupted_report_goes_on(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = work_module.work, 0

    def work(task: Any) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return real(task)

    monkeypatch.setattr(work_module, "work", work)
    monkeypatch.setattr(run_module, "TOGETHER", 1)
    with pytest.raises(KeyboardInterrupt):
        run(made / "tree", tmp_path / "out")
    assert not (tmp_path / "out" / "index.html").exists()
    count = 99
    assert run(made / "tree", tmp_path / "out").new == len(REAL) + 1 - 3
    assert contents(tmp_path / "out") == contents(made / "out")


def test_broken_logs_are_listed_first_and_stop_nothing(
    tmp_path: Path, sample_logs: Path, made: Path
) -> None:
    make_tree(tmp_path / "tree", sample_logs)
    names = make_broken(tmp_path / "tree" / "broken", (sample_logs / REAL[1]).read_bytes())
    summary = run(tmp_path / "tree", tmp_path / "out")
    assert [name for name, _ in summary.failures] == [f"broken/{name}" for name in names]
    assert all(reason and "\n" not in reason for _, reason in summary.failures)
    assert (summary.read, summary.failed) == (len(REAL), len(BROKEN))
    text = (tmp_path / "out" / "index.html").read_text()
    assert re.findall(r"<tr class=(\w)>", text)[: len(BROKEN)] == ["x"] * len(BROKEN)
    before, after = data(made / "out"), data(tmp_path / "out")
    for table in TABLES[1:]:
        assert after[table].equals(before[table])
    failed = after["logs"].filter(pl.col("status") == "failed")
    assert failed["reason"].null_count() == 0


def test_a_broken_log_that_is_mended_is_read(tmp_path: Path, sample_logs: Path) -> None:
    tree = make_tree(tmp_path / "tree", sample_logs, REAL[:1])
    (tree / "late.log").write_bytes(b"")
    assert run(tree, tmp_path / "out").failed == 1
    shutil.copy(sample_logs / REAL[1], tree / "late.log")
    summary = run(tree, tmp_path / "out")
    assert (summary.read, summary.failed) == (2, 0)


def test_strict_stops_at_a_broken_log(tmp_path: Path, sample_logs: Path) -> None:
    tree = make_tree(tmp_path / "tree", sample_logs, REAL[:2])
    (tree / "a.log").write_bytes(b"")
    for _ in range(2):  # also where it is known to be broken
        with pytest.raises(StrictError, match=r"a\.log: nothing to read"):
            run(tree, tmp_path / "out", strict=True)
        age(tree)
    (tree / "a.log").unlink()
    assert run(tree, tmp_path / "out", strict=True).read == 2


def test_members_of_an_archive_are_logs(tmp_path: Path, sample_logs: Path) -> None:
    (tmp_path / "tree").mkdir()
    folder = tmp_path / "pack"
    make_tree(folder, sample_logs, REAL[:2])
    shutil.make_archive(str(tmp_path / "tree" / "logs"), "zip", folder)
    assert run(tmp_path / "tree", tmp_path / "out").read == 2
    logs = data(tmp_path / "out")["logs"]["log"].to_list()
    assert logs == [f"logs.zip::{name}" for name in REAL[:2]]


def test_says_that_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        run(tmp_path / "nowhere", tmp_path / "out", strict=True)
    (tmp_path / "tree").mkdir()
    with pytest.raises(SourceError, match="no file to read"):
        run(tmp_path / "tree", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_report_does_not_read_itself(place: Path) -> None:
    run(place / "tree", place / "tree" / "report")
    summary = run(place / "tree", place / "tree" / "report")
    assert (summary.new, summary.skipped) == (0, 1)


def test_foreign_files_are_not_replaced(made: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("mine")
    with pytest.raises(UsageError, match=r"did not write; .*--force"):
        run(made / "tree", tmp_path / "out")
    assert contents(tmp_path / "out") == {"index.html": b"mine"}
    run(made / "tree", tmp_path / "out", force=True)
    assert contents(tmp_path / "out") == contents(made / "out")


@pytest.mark.parametrize("name", ["runs", "data", ".logparse"])
def test_links_to_elsewhere_are_not_followed(made: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is no folder"):
        run(made / "tree", tmp_path / "out", force=True)
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_link_in_place_of_a_page_is_replaced(place: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    page = next((place / "out" / "runs").iterdir())
    page.unlink()
    page.symlink_to(tmp_path / "secret")
    run(place / "tree", place / "out")
    assert (tmp_path / "secret").read_text() == "secret"
    assert not page.is_symlink()


HOSTILE = (
    "../../etc/passwd",
    "..\\..\\x",
    "/etc/passwd",
    "\\\\host\\share\\x",
    "C:\\x",
    "CON",
    "nul.log",
    "a" * 300,
    "x\0y",
    "．．／x",
    "<script>alert(1)</script>",
    "a\u202eb\x1b[2J",
    ".",
    "..",
    "",
    "-rf",
    "日本語",
)


def test_names_never_become_paths() -> None:
    pages = {page_name(name, name.replace("\0", "0")) for name in HOSTILE}
    assert len(pages) == len(HOSTILE)
    for page in pages:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}-[0-9a-f]{12}\.html", page), page
    # Names that look the same, of different files, have pages of their own.
    assert page_name("a", "a1") != page_name("a", "a2")
    assert page_name("A", "A") != page_name("a", "a")


def test_hostile_names_of_files_and_members(tmp_path: Path, sample_logs: Path) -> None:
    import tarfile

    log = sample_logs / REAL[0]
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("<img src=x onerror=alert(1)>.log", "a\nb.log", "=1+1.log", "\udcff.log"):
        shutil.copy(log, tree / name)
    with tarfile.open(tree / "evil.tar", "w") as archive:
        for member in ("../../escape.log", "/abs.log", "..\\back.log"):
            archive.add(log, member)
    summary = run(tree, tmp_path / "out")
    assert (summary.read, summary.failed, summary.skipped) == (6, 0, 1)
    out = contents(tmp_path / "out")
    assert not list(tmp_path.rglob("*escape*.log"))
    assert "<img" not in out["index.html"].decode()
    assert sum(name.startswith("runs/") for name in out) == 6
    names = data(tmp_path / "out")["logs"]["log"].to_list()
    assert {"'=1+1.log", r"a\nb.log", r"evil.tar::..\back.log"} < set(names)


def test_notes_that_are_damaged_are_made_anew(place: Path) -> None:
    before = contents(place / "out")
    (place / "out" / ".logparse" / "state.sqlite").write_bytes(b"no database at all" * 100)
    assert run(place / "tree", place / "out").new == len(REAL) + 1
    assert contents(place / "out") == before


def test_one_report_at_a_time(place: Path) -> None:
    from logparse.batch.folder import Folder

    held = Folder(str(place / "out"), force=False)
    try:
        with pytest.raises(LogparseError, match="another logparse is writing there"):
            run(place / "tree", place / "out")
    finally:
        held.close()
    run(place / "tree", place / "out")


def test_many_logs_are_spread_over_parts(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = data(place / "out")
    monkeypatch.setattr("logparse.batch.dataset.LOGS_IN_PART", 2)
    run(place / "tree", tmp_path / "out")
    parts = sorted(path.name for path in (tmp_path / "out" / "data" / "runs").iterdir())
    assert parts == [f"part-{i:x}.parquet" for i in range(16)]
    after = data(tmp_path / "out")
    assert all(after[table].equals(before[table]) for table in TABLES)
    # Back to one part when there are few again.
    monkeypatch.undo()
    run(place / "tree", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(place / "out")


def test_a_change_writes_its_part_only(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logparse.batch.dataset.LOGS_IN_PART", 2)
    run(place / "tree", place / "out")
    age(place / "out" / "data")
    (place / "tree" / REAL[0]).unlink()
    run(place / "tree", place / "out")
    new = [p for p in (place / "out" / "data" / "runs").iterdir() if p.stat().st_mtime > 1e9]
    assert len(new) == 1
    assert REAL[0] not in data(place / "out")["runs"]["log"].to_list()


def test_a_folder_of_events_is_a_log(tmp_path: Path, shared_logs: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(shared_logs / "tensorboard" / "keras3", tree / "a")
    shutil.copytree(shared_logs / "tensorboard" / "tf_keras", tree / "b")
    shutil.copy(next((tree / "a").rglob("*tfevents*")), tree)
    age(tree)
    singles = list(logparse.analyze_many([tree]))
    assert run(tree, tmp_path / "out").read == len(singles) >= 3
    tables = data(tmp_path / "out")
    names = tables["logs"]["log"].to_list()
    for single in singles:
        assert isinstance(single, logparse.Analysis)
        name = os.path.relpath(single.source.name, tree)
        name = "tree" if name == "." else name
        assert name in names
        rows = tables["metrics"].filter(pl.col("log") == name).drop("log")
        assert rows.equals(safe_cells(single.metrics))
    assert run(tree, tmp_path / "out").new == 0
    event = next((tree / "b").rglob("*tfevents*"))
    event.write_bytes(event.read_bytes()[:-40])
    assert run(tree, tmp_path / "out").new == 1


def test_a_tree_behind_a_url(made: Path, tmp_path: Path) -> None:
    url = f"file://{made}/tree"
    summary = run(url, tmp_path / "out")
    assert (summary.read, summary.failed, summary.skipped) == (len(REAL), 0, 1)
    there, here = data(tmp_path / "out"), data(made / "out")
    assert all(there[table].equals(here[table]) for table in TABLES)
    assert run(url, tmp_path / "out").new == 0


def documented() -> dict[str, str]:
    """The queries of docs/batch.md, by language."""
    text = (Path(__file__).parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
    return dict(re.findall(r"```(sql|python)\n(.*?)```", text, re.DOTALL))


def test_the_query_for_duckdb_runs(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    monkeypatch.chdir(made)
    rows = duckdb.sql(documented()["sql"].replace("report/", "out/")).fetchall()
    metrics = data(made / "out")["metrics"].filter(pl.col("metric") == "val_loss")
    best = metrics.group_by("log").agg(pl.col("shown").min()).sort("shown")
    assert [(log, value) for log, _, value in rows] == best.head(10).rows()
    assert rows


def test_the_query_for_polars_runs(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    names: dict[str, Any] = {}
    exec(documented()["python"].replace("report/", "out/"), names)
    slow = data(made / "out")["findings"].filter(pl.col("code") == "LP201")
    assert names["slow"]["log"].to_list() == slow["log"].unique(maintain_order=True).to_list()
    assert names["slow"].height >= 1
