"""The app as a server of its own for the tests, and what a visitor does on its pages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from logparse.app.server import HOST, ports, running

expect.set_options(timeout=30_000)  # other work on the machine must not make a test fail

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(*paths: Path | str, home: Path | None = None) -> Iterator[str]:
    """``logparse app`` with the paths, on a free port; its address. Ends as with Ctrl-C.

    ``home`` stands for the user's folder, the folder of temporary files and the current one.
    """
    command = [sys.executable, "-m", "logparse", "app", "--no-browser", *map(str, paths)]
    with _running(command, home) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    assert process.returncode == 0


@contextmanager
def serving_script(script: Path, *args: str) -> Iterator[str]:
    """Another script under the settings of the app; its address."""
    for port in ports(None):
        with running(script, port, args, {}) as child:
            if child is not None:
                yield f"http://{HOST}:{port}"
                return


@contextmanager
def _running(command: list[str], home: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    if home:
        env |= dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(home))
    with subprocess.Popen(
        command,
        cwd=home or ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    assert err == "", err
    assert "Traceback" not in out


def settled(page: Page) -> Page:
    """The page, once the script that draws it has ended."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_function("!document.querySelector('[data-stale=true]')")
    return page


def upload(page: Page, *files: Path | dict[str, object]) -> Page:
    """Put files where a newcomer would; more come in through the sidebar."""
    settled(page)
    inside = page.get_by_test_id("stSidebar").get_by_text("Add logs")
    if inside.count() and not page.locator("input[type=file]").count():
        inside.click()
    page.locator("input[type=file]").first.set_input_files(list(files))  # type: ignore[arg-type]
    expect(page.get_by_text("Logs", exact=True).first).to_be_visible(timeout=30_000)
    return settled(page)


def open_tab(page: Page, name: str) -> Page:
    """One of the tabs of a log's page."""
    tab = page.get_by_role("tab", name=name, exact=True)
    tab.click()
    page.wait_for_timeout(300)
    if tab.get_attribute("aria-selected") != "true":
        # Streamlit draws the page anew while it works; a click in that moment is lost.
        settled(page)
        tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
    return settled(page)


def choose(page: Page, label: str, option: str) -> Page:
    """Choose from a box as with the keyboard."""
    box = page.get_by_role("combobox", name=label)
    box.fill(option)
    expect(page.get_by_role("option", name=option, exact=True)).to_be_visible()
    box.press("Enter")
    return settled(page)
