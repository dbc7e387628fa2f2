"""Debian's Chromium for the tests of report and app: what it asks for is recorded and stays in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

LOCAL = ("localhost", "127.0.0.1", "::1")


def _lacks(reason: str) -> None:
    """Skip, or fail where the browser tests are mandatory."""
    if os.environ.get("LOGPARSE_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for all tests."""
    program = shutil.which("chromium")
    if program is None:
        _lacks("no chromium on this machine")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _lacks("no playwright in this environment")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page in its own profile, and what it did."""

    page: Page
    requests: list[str] = field(default_factory=list)
    """Addresses asked for that are neither a file nor of this machine; all were refused."""
    errors: list[str] = field(default_factory=list)
    """Errors on the console, and exceptions."""
    dialogs: list[str] = field(default_factory=list)

    def open(self, target: str | Path) -> Page:
        """Go to a file or an address."""
        self.page.goto(Path(target).as_uri() if isinstance(target, Path) else target)
        return self.page

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(
            self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def axe(self) -> list[str]:
        """Serious and critical accessibility faults that axe-core finds, with where they are."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{fault['id']}: {node['target']} {node['failureSummary']}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"][:5]
        ]


OpenTab = Callable[..., Tab]


@pytest.fixture
def tab(chromium: Browser) -> Iterator[OpenTab]:
    """Makes tabs: ``tab(width=1400, height=900, scheme="light")``; each is a visitor of its own."""
    contexts = []

    def make(width: int = 1400, height: int = 900, scheme: Any = "light", **options: Any) -> Tab:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        made = Tab(context.new_page())

        def gate(route: Route) -> None:
            address = urlsplit(route.request.url)
            if address.scheme in ("file", "data", "blob") or address.hostname in LOCAL:
                route.continue_()
            else:
                made.requests.append(route.request.url)
                route.abort()

        def refuse(dialog: Any) -> None:
            made.dialogs.append(dialog.message)
            dialog.dismiss()

        context.route("**/*", gate)
        context.route_web_socket(
            lambda url: urlsplit(url).hostname not in LOCAL,
            lambda socket: made.requests.append(socket.url),
        )
        made.page.on("dialog", refuse)
        made.page.on("pageerror", lambda error: made.errors.append(str(error)))
        made.page.on(
            "console",
            lambda message: made.errors.append(message.text) if message.type == "error" else None,
        )
        return made

    yield make
    for context in contexts:
        context.close()
