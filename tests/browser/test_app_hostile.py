"""Hostile text in every field of the app, in a real browser: it stays text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.environ.get("LOGPARSE_REQUIRE_BROWSER") != "1":
    pytest.importorskip("streamlit")
    pytest.importorskip("playwright")

from playwright.sync_api import Page, expect

from logparse.reports.safe import shorten, visible
from tests.browser.app_server import choose, open_tab, serving_script, settled
from tests.browser.payloads import PAYLOADS
from tests.browser.tabs import OpenTab, Tab

SCRIPT = Path(__file__).parent / "hostile_app.py"

MADE = """() => {
    // Elements that no page of the app has, and that markdown, HTML or LaTeX would make.
    const names = 'a[href*="evil"], a[href^="javascript"], a[href^="mailto"], img[src*="evil"], '
        + 'iframe, script[src*="evil"], video, object, form[action], .katex, blockquote, hr, '
        + '[data-testid=stMain] table:not([role=grid]), [data-testid=stText] :not(span)';
    return [...document.querySelectorAll(names)].map((node) => node.outerHTML.slice(0, 200));
}"""


def harmless(visit: Tab) -> None:
    """No script ran, nothing was asked for, nothing was made of the text, nothing sticks out."""
    assert visit.dialogs == []
    assert visit.requests == []
    assert visit.errors == []
    assert visit.page.evaluate(MADE) == []
    assert visit.overflow() == 0
    text = visit.page.locator("[data-testid=stMain]").inner_text()
    hidden = [c for c in "\u202e\u2066\u200b\ufeff\x1b\x00\x08" if c in text]
    assert hidden == []


def test_there_are_more_than_a_hundred() -> None:
    assert len(PAYLOADS) >= 100


def test_no_payload_does_anything_in_any_field(tab: OpenTab) -> None:
    with serving_script(SCRIPT) as address:
        visit = tab()
        page = settled(visit.open(address))
        expect(page.get_by_role("tab", name="Findings")).to_be_visible(timeout=30_000)
        settled(page)
        shown = "\n".join(page.get_by_test_id("stText").all_inner_texts())
        missing = [p for p in PAYLOADS if squeezed(visible(p)[:60]) not in squeezed(shown)]
        assert missing == []
        harmless(visit)
        for name in ("Curves", "Time", "Tables", "Reading"):
            open_tab(page, name)
            harmless(visit)
        every_table(page, visit)
        page.get_by_test_id("stTopNavLink").filter(has_text="Compare").click()
        expect(page.get_by_role("heading", name="Compare")).to_be_visible()
        settled(page)
        harmless(visit)
        page.get_by_role("combobox", name="Metric").click()
        harmless(visit)


def every_table(page: Page, visit: Tab) -> None:
    """Each table in turn, as the page draws it."""
    open_tab(page, "Tables")
    for name in ("updates", "metrics", "findings", "messages", "rejects", "layers"):
        choose(page, "Table", name)
        harmless(visit)


def test_labels_show_every_payload_as_it_is(tab: OpenTab) -> None:
    with serving_script(SCRIPT, "labels") as address:
        visit = tab()
        page = settled(visit.open(address))
        heads = page.get_by_role("heading", level=2)
        expect(heads).to_have_count(len(PAYLOADS))
        shown = [squeezed(text) for text in heads.all_inner_texts()]
        assert shown == [squeezed(shorten(payload, 200)) for payload in PAYLOADS]
        harmless(visit)
        assert page.locator("h2 *:not(span):not(div)").count() == 0


def squeezed(text: str) -> str:
    """Without what browsers join, and without the joiners that keep marks apart."""
    return "".join(text.replace("\u2060", "").split())
