"""The sample logs in, the pictures of docs/figures.md out (PNG), through headless Chromium.

``python docs/figures.py`` writes docs/figures/*.png; it needs the packages playwright and pillow,
and a Chromium.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

import logparse
from logparse.reports import figures
from logparse.reports.html import script_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "figures"
SIZE = {"width": 900, "height": 400}
COLORS = 255
"""Colours of a picture: enough for lines on one ground, and half the size."""


def all_figures() -> dict[str, go.Figure]:
    """The figures by the name of their picture."""
    logs = {
        name: logparse.analyze(ROOT / "sample_logs" / path)
        for name, path in {
            "keras2": "keras-2.2.4/fit.log",
            "keras3": "keras-3.0.5/outer.log",
            "late": "keras-3.15.1/fit.log",
            "seed": "seeds/003_outer_loop.log",
            "slow": "keras-2.3.1/slowfirst.log",
        }.items()
    }
    return {
        "curves": figures.curves(logs["keras3"], "loss"),
        "jumps": figures.curves(logs["seed"], "acc"),
        "times": figures.times(logs["slow"]),
        "steps": figures.steps(logs["slow"]),
        "compared": figures.compared(
            [logs["keras2"], logs["late"]], "loss", names=["Keras 2.2.4", "Keras 3.15.1"]
        ),
        "dark": figures.curves(logs["keras2"], "loss", theme="dark"),
    }


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.set_content("<body style='margin:0'><div id='figure'></div></body>")
        page.add_script_tag(content=script_text())
        for name, figure in all_figures().items():
            figure.update_layout(**SIZE)
            page.evaluate(
                "f => Plotly.newPlot('figure', f.data, f.layout, {displayModeBar: false})",
                json.loads(figure.to_json()),
            )
            picture = Image.open(io.BytesIO(page.screenshot()))
            picture = picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
            picture.save(FOLDER / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
