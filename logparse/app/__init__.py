"""Logs in, their analysis as pages in a browser out: Streamlit over Analysis, views and figures.

Nothing is computed here that another report would not show as well.
"""

from __future__ import annotations


def main() -> None:
    """Draw the app once, as Streamlit asks for; its arguments are paths that visitors may see."""
    from logparse.app.frame import draw

    draw()
