"""Folders of replays in, the pictures of docs/replay.md out (PNG, through headless Chromium).

Run: python docs/replay_pictures.py FOLDER, FOLDER holding what ``logparse replay run`` made.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from logparse.replay.figures import time_figure, truth_figure

WIDTH, HEIGHT = 860, 380


def figures(root: Path) -> Iterator[tuple[str, Any]]:
    """Name and figure of each picture."""
    yield "replay-jump", truth_figure(root / "epoch-jump-ordinary", "accuracy")
    yield "replay-by-heart", truth_figure(root / "epoch-jump-memorisable", "loss")
    for scenario in ("first-epoch", "pipelines", "augmentation", "finetune"):
        folders = sorted(path.parent for path in root.glob(f"{scenario}-*/meta.json"))
        if folders:
            yield f"replay-{scenario}", time_figure(folders)


def main(root: Path, out: Path) -> None:
    """Draw them."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        chromium = shutil.which("chromium")
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for name, figure in figures(root):
            figure.update_layout(width=WIDTH, height=HEIGHT)
            drawn = Path(folder, "figure.html")
            figure.write_html(drawn, include_plotlyjs=True)
            page.goto(drawn.as_uri())
            page.wait_for_selector(".main-svg")
            page.locator(".plot-container").screenshot(path=str(out / f"{name}.png"))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
