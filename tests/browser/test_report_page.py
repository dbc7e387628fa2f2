"""The HTML report in a real browser: what runs, what it asks for, how it looks and reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import logparse
from logparse.analysis import Analysis
from tests.browser.tabs import OpenTab, Tab


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, sample_logs: Path) -> Path:
    """The report on three logs of different eras."""
    from logparse.reports.html import HtmlReport

    made = HtmlReport(full=False)
    for name in ("keras-2.2.4/fit.log", "seeds/003_outer_loop.log", "tf-2.0.4/nan.log"):
        list(made.log(logparse.analyze(sample_logs / name)))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text("".join(made.end()), encoding="utf-8")
    return path


def drawn(tab: Tab) -> int:
    """Charts drawn, after each has come into view."""
    charts = tab.page.locator(".chart").all()
    for chart in charts:
        # Playwright would wait until it stands still, and a busy machine draws few frames.
        chart.evaluate("one => one.scrollIntoView()")
        chart.locator(".main-svg").first.wait_for(state="attached")
    tab.page.evaluate("window.scrollTo(0, 0)")
    return len(charts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_the_report_opens_draws_its_charts_and_asks_for_nothing(
    report: Path, tab: OpenTab, scheme: str, width: int
) -> None:
    visit = tab(width=width, scheme=scheme)
    page = visit.open(report)
    assert drawn(visit) > 0
    charts = page.locator(".chart")
    assert page.locator(".chart:has(.main-svg)").count() == charts.count() >= 10
    assert page.locator("#log-1").get_by_text("One training run: 3 epochs of 61 steps").is_visible()
    assert visit.overflow() == 0
    assert visit.requests == []
    assert visit.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_axe_finds_no_serious_fault(report: Path, tab: OpenTab, scheme: str, width: int) -> None:
    visit = tab(width=width, scheme=scheme)
    page = visit.open(report)
    drawn(visit)
    assert visit.axe() == []
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert visit.axe() == []


def test_the_theme_can_be_changed_and_the_charts_follow(report: Path, tab: OpenTab) -> None:
    visit = tab()
    page = visit.open(report)
    drawn(visit)
    paper = page.locator(".chart .main-svg").first
    background = "node => getComputedStyle(node).backgroundColor"
    assert paper.evaluate(background) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Switch to dark colours").click()
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.chart .main-svg')).backgroundColor"
        " === 'rgb(20, 24, 29)'"
    )
    assert page.locator("html").evaluate(background) == "rgb(20, 24, 29)"
    assert visit.axe() == []
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.locator("html").evaluate(background) == "rgb(255, 255, 255)"


def test_a_finding_in_the_verdict_leads_to_its_arithmetic_by_keyboard(
    report: Path, tab: OpenTab
) -> None:
    page = tab().open(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    link = page.get_by_role("link", name=re.compile("LP103")).first
    link.focus()
    page.keyboard.press("Enter")
    place = page.locator(link.get_attribute("href") or "none")
    assert place.is_visible()
    place.get_by_text("How LP103 is computed").click()
    assert place.get_by_text("When it is wrong:").is_visible()


def test_print_shows_every_table_and_chart_in_light(report: Path, tab: OpenTab) -> None:
    visit = tab(scheme="dark")
    page = visit.open(report)
    page.wait_for_function("typeof Plotly !== 'undefined'")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    charts = page.locator(".chart").count()
    assert page.locator(".chart:has(.main-svg)").count() == charts
    assert page.locator("html").evaluate("node => node.dataset.theme") == "light"
    widths = page.locator(".chart .main-svg").evaluate_all("nodes => nodes.map(n => n.clientWidth)")
    assert set(widths) == {670}
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    assert page.locator("html").evaluate("node => node.dataset.theme || ''") == ""


def test_without_javascript_everything_but_the_charts_is_there(report: Path, tab: OpenTab) -> None:
    page = tab(java_script_enabled=False).open(report)
    assert page.locator("#log-1").get_by_text("One training run: 3 epochs of 61 steps").is_visible()
    page.get_by_text("The numbers of this chart: loss").first.click()
    assert page.locator("#log-1-curves-1-table").is_visible()
    assert page.get_by_text("This chart is drawn by JavaScript").first.is_visible()
    assert not page.get_by_role("button", name="Print").is_visible()


def test_pages_that_share_the_script_draw_too(
    keras2: Analysis, tab: OpenTab, tmp_path: Path
) -> None:
    from logparse.reports.html import page as html
    from logparse.reports.html import script_text

    (tmp_path / "plotly.min.js").write_text(script_text(), encoding="utf-8")
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "a.html").write_text(html(keras2, script="../plotly.min.js"), encoding="utf-8")
    visit = tab()
    visit.open(folder / "a.html")
    assert drawn(visit) > 0
    assert visit.requests == []


@pytest.fixture(scope="module")
def keras2(sample_logs: Path) -> Analysis:
    return logparse.analyze(sample_logs / "keras-2.2.4" / "fit.log")
