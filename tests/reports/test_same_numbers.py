"""Terminal, JSON and HTML say the same numbers of the same log."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import logparse
from logparse.analysis import Analysis
from logparse.reports import words
from logparse.reports.html import page
from logparse.reports.terminal import Page, TextReport

LOGS = (
    "seeds/003_outer_loop.log",
    "seeds/004_vgg16_finetune.log",
    "keras-2.2.4/fit.log",
    "keras-2.3.1/slowfirst.log",
    "keras-3.0.5/outer.log",
    "tf-2.0.4/nan.log",
    "tf-2.3.4/messages.log",
)


class Tables(HTMLParser):
    """Tables of a page by caption, as rows of cells; and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, list[list[str]]] = {}
        self.text: list[str] = []
        self._rows: list[list[str]] = []
        self._part = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._part = tag if tag != "bdi" else self._part
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._part not in ("script", "style"):
            self.text.append(data)
        if self._part == "caption" and data.strip():
            self.found[data] = self._rows
        elif self._part in ("td", "th"):
            self._rows[-1][-1] += data.strip("\n")

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(params=LOGS)
def log(request: pytest.FixtureRequest, sample_logs: Path) -> Analysis:
    return logparse.analyze(sample_logs / request.param)


@pytest.fixture
def said(log: Analysis) -> dict[str, Any]:
    """The JSON report of the log."""
    found: dict[str, Any] = json.loads(log.to_json())["logs"][0]
    return found


@pytest.fixture
def html(log: Analysis) -> Tables:
    return Tables(page(log, full=True))


@pytest.fixture
def terminal(log: Analysis) -> str:
    """The whole report, each paragraph on one line."""
    return "".join(TextReport(Page(columns=1_000_000, full=True)).log(log))


def number(row: dict[str, Any], key: str) -> float | None:
    """A number of a JSON row; one that is not finite is named apart."""
    value = row.get("not_finite", {}).get(key, row[key])
    return None if value is None else float(value)


def test_epochs(said: dict[str, Any], html: Tables, terminal: str) -> None:
    metrics: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in said["metrics"]:
        metrics.setdefault((row["run"], row["epoch"]), []).append(row)
    table = html.found["Epochs"]
    rows = [row for row in table if row and row[0].strip(" *").isdigit()]
    assert len(rows) == len(said["epochs"])
    for epoch, cells in zip(said["epochs"], rows, strict=True):
        assert cells[0].strip(" *") == str(epoch["epoch"])
        wanted = []
        if epoch["seconds"] is not None:
            bounds = (number(epoch, "seconds_low"), number(epoch, "seconds_high"))
            wanted.append(words.duration(epoch["seconds"], *bounds))
        for metric in metrics[epoch["run"], epoch["epoch"]]:
            wanted.append(words.shown(number(metric, "shown")))
            low, high = number(metric, "end_low"), number(metric, "end_high")
            if low is not None and high is not None and high > low:
                wanted.append(words.estimate(number(metric, "end"), low, high))
        assert set(wanted) <= set(cells)
        # The row of the terminal has the cells of the page, in the same order.
        line = next(
            line
            for line in terminal.splitlines()
            if line.split()[:1] == [cells[0].strip()] and wanted[0] in line
        )
        place = 0
        for cell in cells:
            place = line.index(cell.strip(), place) + len(cell.strip())


def test_findings(said: dict[str, Any], html: Tables, terminal: str) -> None:
    flat = " ".join(terminal.split())
    for finding in said["findings"]:
        arithmetic = [
            f"{key} {words.number(number(finding, key) or 0.0)}"
            for key in ("value", "baseline", "threshold")
            if number(finding, key) is not None
        ]
        if finding["n"] is not None:
            arithmetic.append(f"n {finding['n']:,}")
        message = " ".join(finding["message"].split())
        for text in (message, ", ".join(arithmetic), finding["code"], finding["advice"]):
            assert text in html.words
            assert text in flat


def test_bytes(said: dict[str, Any], html: Tables, terminal: str) -> None:
    sizes = said["bytes"]
    rows = {row[0]: row[1:] for row in html.found["Where each byte went"][1:]}
    wanted = {"read": sizes["read"], "rejected": sizes["rejected"], "pending": sizes["pending"]}
    wanted |= {f"ignored: {name}": size for name, size in sizes["ignored"].items()}
    wanted["in all"] = sizes["size"]
    assert {name: int(cells[0].replace(",", "")) for name, cells in rows.items()} == wanted
    assert sum(wanted.values()) == 2 * sizes["size"]
    for size in wanted.values():
        if size != sizes["read"]:
            assert f"{size:,}" in terminal
    assert f"read {words.share(sizes['read'], sizes['size'])}" in terminal
    assert rows["read"][1] == words.share(sizes["read"], sizes["size"])


def test_runs(said: dict[str, Any], html: Tables, terminal: str) -> None:
    for run in said["runs"]:
        assert f"{run['law']}: {run['law_reason']}" in html.words
        assert f"{run['law']}: {run['law_reason']}" in " ".join(terminal.split())
