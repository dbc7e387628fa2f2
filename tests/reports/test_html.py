from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import logparse
from logparse.analysis import Analysis
from logparse.errors import UsageError
from logparse.reports import sections
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.html import HtmlReport, page, script_text, summary
from logparse.reports.markdown import MarkdownReport
from logparse.reports.output import targets


class Page(HTMLParser):
    """Elements, their text and attributes, and what each script holds."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._in.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._in and self._in[-1] == "script":
            self.scripts.append(data)
        elif self._in and self._in[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def keras2(sample_logs: Path) -> Analysis:
    return logparse.analyze(sample_logs / "keras-2.2.4" / "fit.log")


def test_the_page_holds_what_the_other_reports_say(keras2: Analysis) -> None:
    words = Page(page(keras2)).words
    plain = re.sub(r"\\(.)", r"\1", "".join(MarkdownReport(full=True).log(keras2)))
    said = [line for line in plain.splitlines() if line and not line.startswith("|")]
    for line in said:
        text = re.sub(r"^(## |- |\*\*LP\d+\*\* \w+: |Advice: )", "", line).strip()
        text = text.removeprefix("- ").partition(": ")[2] if line.startswith("- ") else text
        assert text in words


def test_the_page_is_one_file_that_asks_for_nothing(keras2: Analysis) -> None:
    text = page(keras2)
    found = Page(text)
    packed = re.findall(r'<script type="text/plain" id="plotly">(.*?)</script>', text)
    assert gzip.decompress(base64.b64decode(packed[0])).decode() == script_text()
    assert len(text) < 2_500_000
    links = {(tag, name, value) for tag, name, value in found.attributes if name in ("src", "href")}
    assert {tag for tag, _, _ in links} == {"a"}
    assert all(value.startswith("#") for _, _, value in links)
    ids = {value for _, name, value in found.attributes if name == "id"}
    assert {value[1:] for _, _, value in links} <= ids
    policy = next(value for _, _, value in found.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
    assert "http" not in policy


def test_pages_can_share_the_script(keras2: Analysis) -> None:
    text = page(keras2, script="../plotly.min.js")
    assert ("script", "src", "../plotly.min.js") in Page(text).attributes
    assert len(text) < 300_000


def test_the_same_log_gives_the_same_page(sample_logs: Path) -> None:
    path = sample_logs / "keras-2.2.4" / "fit.log"
    assert page(logparse.analyze(path)) == page(logparse.analyze(path))


def test_a_table_stands_under_each_chart(keras2: Analysis) -> None:
    text = page(keras2, script="x.js")
    charts = re.findall(r'<div class="chart" id="([^"]+)" role="group" aria-label="[^"]+">', text)
    assert charts == ["log-1-curves-1", "log-1-curves-2", "log-1-time-1", "log-1-time-2"]
    for chart in charts:
        assert f'data-chart="{chart}"' in text
        assert f'id="{chart}-table"' in text


def test_numbers_that_are_not_finite_are_nothing_in_the_json_of_a_figure() -> None:
    sheet = Sheet([{"y": [1.0, float("nan"), np.float64("inf")], "z": np.array([np.nan])}], {})
    (trace,) = json.loads(sheet.text())["data"]
    assert trace["y"] == [1.0, None, None]
    assert set(trace["z"]) == {"dtype", "bdata"}


def numbers_of(packed: dict[str, str]) -> list[float]:
    """An array as the page's script reads it."""
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()


def test_a_text_that_looks_like_an_array_in_a_figure_stays_text() -> None:
    name = '"bdata":"0" </script>&'
    trace = {"name": name, "x": np.array([1, 2]), "y": np.array([0.5, 1e300])[::-1], "text": [name]}
    text = Sheet([trace], {"title": name}).text()
    assert not set("<>&") & set(text)
    found = json.loads(text)
    assert found["layout"]["title"] == name
    (read,) = found["data"]
    assert (read["name"], read["text"]) == (name, [name])
    assert numbers_of(read["x"]) == [1, 2]
    # Too large for single precision.
    assert numbers_of(read["y"]) == [1e300, 0.5]


def test_the_charts_of_a_log_of_nan_are_strict_json(sample_logs: Path) -> None:
    text = page(logparse.analyze(sample_logs / "tf-2.0.4" / "nan.log"), script="x.js")
    charts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    assert len(charts) >= 4
    for chart in charts:
        json.loads(chart, parse_constant=refuse)


def test_several_logs_have_an_index(sample_logs: Path) -> None:
    report = HtmlReport(full=False)
    logs = [logparse.analyze(path) for path in sorted(sample_logs.glob("seeds/*.log"))]
    for log in logs:
        assert list(report.log(log)) == []
    failure: Any = SimpleNamespace(name="bad.log", error="it is no log", skipped=False)
    skipped: Any = SimpleNamespace(name="link", error="a link", skipped=True)
    assert [*report.start(), *report.failure(failure), *report.failure(skipped)] == []
    found = Page("".join(report.end()))
    assert found.tags.index("nav") < found.tags.index("article")
    assert "bad.log Not read: it is no log" in found.words
    assert "a link" not in found.words
    for i, log in enumerate(logs, start=1):
        assert ("article", "id", f"log-{i}") in found.attributes
        assert found.words.count(log.source.name) >= 2


def test_a_log_without_training_is_said_to_have_none(make: Any) -> None:
    found = Page(page(make.analysis(), script="x.js"))
    assert "No training was found in this log." in found.words


def test_hostile_text_is_only_text(poisoned: Any, make: Any) -> None:
    clean = Page(page(make.filled("plain"), script="x.js"))
    text = page(poisoned, script="x.js")
    found = Page(text)
    # No other elements and attributes than those of a plain text, and data that is still JSON.
    assert set(found.tags) <= set(clean.tags)
    assert {(tag, name) for tag, name, _ in found.attributes} <= {
        (tag, name) for tag, name, _ in clean.attributes
    }
    for script in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text):
        json.loads(script)
    own = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(own) == 1
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b\x9b]", text)


def test_html_does_not_go_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(UsageError, match=r"-o FILE\.html"):
        targets([], "html")


def test_to_html_writes_the_page(keras2: Analysis, tmp_path: Path) -> None:
    keras2.to_html(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == page(keras2)
    with pytest.raises(UsageError, match="--force"):
        keras2.to_html(tmp_path / "r.html")


def test_a_notebook_shows_the_verdict_and_the_epochs(keras2: Analysis) -> None:
    found = Page(keras2._repr_html_())
    assert "One training run: 3 epochs of 61 steps" in found.words
    assert "LP106" in found.words
    assert found.tags.count("tr") == 5
    assert "script" not in found.tags
    assert summary(keras2) == keras2._repr_html_()


def test_every_run_has_its_charts_and_what_is_left_out_is_counted(
    sample_logs: Path, tmp_path: Path
) -> None:
    one = (sample_logs / "keras-2.2.4" / "fit.log").read_bytes()
    (tmp_path / "two.log").write_bytes(one + one)
    log = logparse.analyze(tmp_path / "two.log")
    runs = log.epochs["run"].unique().to_list()
    assert len(runs) > 1
    text = page(log, script="x.js")
    for run in runs:
        assert f"(run {run} of {len(runs)})" in text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "CHARTS", 2)
        words = Page(page(log, script="x.js")).words
    pairs = log.metrics.filter(~log.metrics["metric"].str.starts_with("val_"))
    hidden = pairs.select("run", "metric").unique().height - 2
    assert f"{hidden} more chart" in words
    assert f"{len(runs) - 1} more run" in words


def test_a_chart_without_anything_to_draw_is_left_out(sample_logs: Path) -> None:
    log = sample_logs / "seeds" / "004_vgg16_finetune.log"
    assert not logparse.analyze(log).epochs["step_seconds"].count()
    assert 'id="log-1-time-1"' in (text := page(logparse.analyze(log), script="x.js"))
    assert 'id="log-1-time-2"' not in text
