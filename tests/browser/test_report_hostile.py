"""Hostile text in every field of the HTML report, in a real browser: it stays text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("playwright")

from logparse.reports import figures
from logparse.reports.html import HtmlReport
from logparse.reports.safe import shorten
from tests.browser.payloads import PAYLOADS, in_every_field
from tests.browser.tabs import OpenTab, Tab
from tests.reports.conftest import SEED, build

MADE = """() => {
    // Elements that no report has, and that markup in a text would make.
    const names = 'a:not([href^="#"], .modebar-btn), img, iframe, video, object, embed, form, '
        + 'input, link, base, meta[http-equiv=refresh], math, svg a, svg image[href*="evil"], hr, '
        + 'blockquote, [onerror], [onload], [ontoggle]';
    return [...document.querySelectorAll(names)].map((node) => node.outerHTML.slice(0, 200));
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on two logs with every payload in every text field."""
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    made = HtmlReport(full=True)
    for _ in range(2):
        list(made.log(in_every_field()))
    path.write_text("".join(made.end()), encoding="utf-8")
    return path


def squeezed(text: str) -> str:
    return "".join(text.split())


def harmless(visit: Tab) -> None:
    """No script ran, nothing was asked for, nothing was made of the text, nothing sticks out."""
    assert visit.dialogs == []
    assert visit.requests == []
    assert visit.errors == []
    assert visit.page.evaluate(MADE) == []
    assert visit.overflow() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_no_payload_does_anything_in_any_field(
    report: Path, tab: OpenTab, width: int, scheme: str
) -> None:
    visit = tab(width=width, scheme=scheme)
    page = visit.open(report)
    harmless(visit)
    page.wait_for_function("typeof Plotly !== 'undefined'")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".chart:not(:has(.main-svg))").count() == 0
    harmless(visit)
    text = page.locator("body").inner_text()
    assert [c for c in "\u202e\u2066\u200b\ufeff\x1b\x00\x08" if c in text] == []
    every = squeezed(text)
    missing = [p for p in PAYLOADS if squeezed(shorten(p, 60).removesuffix("...")) not in every]
    assert missing == []


def test_names_in_a_figure_are_shown_as_they_are(report: Path, tab: OpenTab) -> None:
    logs = [build(SEED) for _ in PAYLOADS]
    figure = figures.compared(logs, "loss", names=PAYLOADS)
    figure.update_layout(height=60 * len(PAYLOADS), legend_orientation="v")
    visit = tab()
    page = visit.open(report)
    page.wait_for_function("typeof Plotly !== 'undefined'")
    page.evaluate(
        """figure => {
            const place = document.createElement("div");
            place.id = "compared";
            document.body.prepend(place);
            return Plotly.newPlot(place, figure.data, figure.layout);
        }""",
        json.loads(figure.to_json()),
    )
    names = page.locator("#compared .legendtext").evaluate_all(
        "nodes => nodes.map((node) => node.textContent)"
    )
    tails = [p if len(p) <= 40 else f"...{p[-37:]}" for p in PAYLOADS]
    wanted = [squeezed(f"{shorten(tail, 40)} (as shown)") for tail in tails]
    assert [squeezed(name) for name in names] == wanted
    harmless(visit)
