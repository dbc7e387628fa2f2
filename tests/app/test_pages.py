"""The pages, run by Streamlit itself without a browser."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

import logparse
from logparse.app.text import plain
from logparse.reports.epochs import epochs_table
from logparse.reports.view import view
from logparse.samples import SAMPLES
from logparse.tables import TABLES

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr("sys.argv", ["app.py"])
    return run(AppTest.from_file(str(ROOT / "app.py"), default_timeout=60))


def run(app: AppTest, *acted: object) -> AppTest:
    """Draw the page again, after what ``acted`` did to its widgets."""
    app.run()
    assert not app.exception, app.exception
    return app


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, data, "text/plain") for name, data in files])
    return run(app)


def sample(name: str) -> tuple[str, bytes]:
    return name.replace("/", "-"), (ROOT / "sample_logs" / name).read_bytes()


def texts(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in app.text)


def tab(app: AppTest, name: str) -> AppTest:
    app.session_state["tab"] = name
    return run(app)


def test_a_newcomer_is_told_what_to_do(app: AppTest) -> None:
    assert [title.value for title in app.title] == ["What did your training really do?"]
    assert [button.label for button in app.button] == ["Open this log"] * len(SAMPLES)
    assert "200 MB a file" in app.caption[0].value
    assert not app.sidebar.radio


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_every_sample_opens_with_its_verdict(app: AppTest, number: int) -> None:
    run(app, app.button[number].click())
    expected = view(logparse.analyze(SAMPLES[number].path), full=True)
    assert all(paragraph in texts(app) for paragraph in expected.verdict)
    for group in expected.groups:
        assert group.message(0) in texts(app)
        assert group.advice in texts(app)


def test_the_same_numbers_as_the_report(app: AppTest) -> None:
    upload(app, sample("seeds/003_outer_loop.log"))
    table = epochs_table(logparse.analyze(ROOT / "sample_logs/seeds/003_outer_loop.log"), None)
    cells = {(column.group, column.head): column.cells[-1] for column in table.columns}
    cards = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert cards == {
        f"{name}, last epoch": (
            plain(cells[name, "really at end"]),
            f"shown as {cells[name, 'shown']}",
        )
        for name in ("loss", "acc")
    }
    tab(app, "Tables")
    shown = app.dataframe[0].value
    assert [list(shown[name]) for name in shown.columns] == [c.cells for c in table.columns]


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_every_tab_of_every_sample(app: AppTest, number: int) -> None:
    run(app, app.button[number].click())
    for name in ("Curves", "Time", "Tables", "Reading", "Findings"):
        tab(app, name)


def test_every_table(app: AppTest) -> None:
    upload(app, sample("tf-2.3.4/messages.log"))
    tab(app, "Tables")
    analysis = logparse.analyze(ROOT / "sample_logs/tf-2.3.4/messages.log")
    for table in TABLES:
        run(app, app.selectbox(key="table").set_value(table))
        assert len(app.dataframe[0].value) == analysis.table(table).height


def test_what_cannot_be_read_says_which_what_and_why(app: AppTest) -> None:
    upload(app, ("notes.txt", b"milk, eggs"))
    assert app.title[0].value == "No training log could be read"
    assert "notes.txt: not a training log that logparse knows" in texts(app)
    upload(app, sample("keras-3.15.1/fit.log"))
    assert app.header[0].value == plain("keras-3.15.1-fit.log")
    assert "notes.txt: not a training log that logparse knows" in texts(app)


def test_the_log_and_the_finding_are_in_the_url(app: AppTest) -> None:
    upload(app, sample("keras-2.3.1/slowfirst.log"), sample("tf-2.3.4/messages.log"))
    logs = app.session_state["store"].logs()
    for log in (logs[1], logs[0]):
        run(app, app.sidebar.radio[0].set_value(log.id))
        assert app.query_params["log"] == log.id
    run(app, app.button(key="show-LP201.1").click())
    assert app.query_params["finding"] == "LP201.1"
    assert app.session_state["finding"] == "LP201.1"


def test_a_finding_leads_to_the_lines_of_the_log(app: AppTest) -> None:
    upload(app, sample("keras-2.3.1/slowfirst.log"))
    code = app.code[0].value
    assert "> 23 | 640/640 [==============================] - 4s 6ms/step" in code
    assert code.splitlines()[0].startswith("  19 | 512/640")


def test_reading_it_another_way(app: AppTest) -> None:
    upload(app, sample("keras-3.15.1/fit.log"))
    tab(app, "Reading")
    app.text_input[0].set_value("3.10")
    run(app, app.button(key="FormSubmitter:options-Read again").click())
    assert "Keras 3.10 was asked for" in texts(app)
    app.text_input[0].set_value("three")
    run(app, app.button(key="FormSubmitter:options-Read again").click())
    assert "three" in texts(app)
    assert "Keras 3.10 was asked for" in texts(app)


def test_files_are_removed(app: AppTest) -> None:
    upload(app, sample("keras-2.3.1/slowfirst.log"), sample("tf-2.3.4/messages.log"))
    store = app.session_state["store"]
    run(app, app.multiselect(key="remove").set_value([next(iter(store.files))]))
    run(app, next(b for b in app.button if b.label == "Remove these").click())
    assert [file.name for file in store.files.values()] == ["tf-2.3.4-messages.log"]
    run(app, next(b for b in app.button if b.label == "Remove all").click())
    assert app.title[0].value == "What did your training really do?"


def test_many_logs_go_into_a_box(app: AppTest) -> None:
    name, data = sample("keras-3.15.1/quiet.log")
    upload(app, *((f"{i}-{name}", data + b"\n" * i) for i in range(15)))
    assert len(app.sidebar.selectbox[0].options) == 15


def test_paths_of_the_command_line_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "sample_logs" / "keras-2.3.1" / "slowfirst.log"
    monkeypatch.setattr("sys.argv", ["app.py", str(path)])
    app = run(AppTest.from_file(str(ROOT / "app.py"), default_timeout=60))
    assert app.header[0].value == plain("keras-2.3.1/slowfirst.log")
    assert [toggle.label for toggle in app.toggle] == ["Follow this log as it grows"]


def test_uploads_cannot_be_followed(app: AppTest) -> None:
    upload(app, sample("keras-2.3.1/slowfirst.log"))
    assert "Follow this log as it grows" not in [toggle.label for toggle in app.toggle]
