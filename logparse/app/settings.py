"""The settings of Streamlit that make the app safe and quiet: one table, for every way to start.

``.streamlit/config.toml`` holds the same for ``streamlit run app.py``; a test compares the two.
"""

from __future__ import annotations

UPLOAD_MB = 200
"""Largest file that can be uploaded; it is held in memory."""

SETTINGS: dict[str, object] = {
    "browser.gatherUsageStats": False,
    "client.disableDataExport": True,  # its CSV would let a spreadsheet compute a log's text
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "viewer",
    "runner.magicEnabled": False,
    "server.address": "127.0.0.1",
    "server.allowedHosts": ["localhost", "127.0.0.1"],
    "server.enableCORS": True,
    "server.enableStaticServing": False,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": UPLOAD_MB,
    "server.runOnSave": False,
    "server.showEmailPrompt": False,
}


SURFACES = {"light": "#f3f5f7", "dark": "#1e242b"}
"""Colours of the sidebar and of what can be typed into."""


def themes() -> dict[str, object]:
    """The colours of the page: those of the figures on it."""
    from logparse.reports.palette import COLORS

    found: dict[str, object] = {}
    for theme, color in COLORS.items():
        found[f"theme.{theme}.backgroundColor"] = color["page"]
        found[f"theme.{theme}.textColor"] = color["text"]
        found[f"theme.{theme}.primaryColor"] = color["training"]
        found[f"theme.{theme}.secondaryBackgroundColor"] = SURFACES[theme]
    return found


def flags(settings: dict[str, object]) -> list[str]:
    """The settings as options of ``streamlit run``."""
    found: list[str] = []
    for name, value in settings.items():
        for one in value if isinstance(value, list) else [value]:
            found += [f"--{name}", str(one).lower() if isinstance(one, bool) else str(one)]
    return found
