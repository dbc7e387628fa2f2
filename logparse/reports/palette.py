"""A theme in, the colours and the plotly template of figures out.

The hues are those of Okabe and Ito (2008), which people with any common colour blindness tell
apart; darkened or lightened until lines stand out from the page by 3 to 1 or more.
"""

from __future__ import annotations

from typing import Any, Literal

Theme = Literal["light", "dark"]

COLORS: dict[Theme, dict[str, str]] = {
    "light": {
        "page": "#ffffff",
        "text": "#1b1f24",
        "muted": "#5b6470",
        "grid": "#e6e9ed",
        "mark": "#b4bcc6",
        "shown": "#c65102",
        "rebuilt": "#3f8fc4",
        "band": "rgba(0,114,178,0.20)",
        "level": "#004d80",
        "validation": "#007f5f",
        "verdict": "#8a2d6b",
        "first step": "#c77700",
        "training": "#0072b2",
        "check": "#00946e",
        "gap": "#b5588f",
        "unknown": "#8b95a1",
    },
    "dark": {
        "page": "#14181d",
        "text": "#e6e9ec",
        "muted": "#a3adb8",
        "grid": "#2b3139",
        "mark": "#59636f",
        "shown": "#f28e3c",
        "rebuilt": "#4a9fd8",
        "band": "rgba(86,180,233,0.26)",
        "level": "#a8dcff",
        "validation": "#35c99b",
        "verdict": "#e59ccb",
        "first step": "#e69f00",
        "training": "#56b4e9",
        "check": "#2fc393",
        "gap": "#d98bbb",
        "unknown": "#76828f",
    },
}
"""What each colour of a theme is for."""

RUNS: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072b2", "#c65102", "#007f5f", "#a63d80", "#8a6d00", "#2f7fb5", "#5b6470"),
    "dark": ("#56b4e9", "#f28e3c", "#35c99b", "#e08fc2", "#f0e442", "#9cc9ff", "#a3adb8"),
}
"""Runs that are compared, one after the other; then the dashes change."""

DASHES = ("solid", "dash", "dot", "dashdot")


def template(theme: Theme) -> dict[str, Any]:
    """A plotly template: plain, the same in a report, an app and a notebook."""
    color = COLORS[theme]
    axis = {
        "gridcolor": color["grid"],
        "linecolor": color["mark"],
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": color["mark"],
        "title": {"standoff": 8},
        "automargin": True,
    }
    return {
        "layout": {
            "paper_bgcolor": color["page"],
            "plot_bgcolor": color["page"],
            "font": {
                "family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
                "size": 13,
                "color": color["text"],
            },
            "title": {"x": 0, "xref": "container", "pad": {"l": 12}, "font": {"size": 16}},
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": color["page"],
                "bordercolor": color["mark"],
                "font": {"color": color["text"]},
                "align": "left",
            },
            "legend": {"bgcolor": "rgba(0,0,0,0)"},
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": color["muted"],
                "activecolor": color["text"],
            },
        }
    }


def recolored(theme: Theme) -> dict[str, str]:
    """Every colour of the light theme and the one that stands for it in ``theme``.

    Colours of one theme differ, so that a drawn figure can change its theme in the browser.
    """
    pairs = {COLORS["light"][name]: COLORS[theme][name] for name in COLORS["light"]}
    return pairs | dict(zip(RUNS["light"], RUNS[theme], strict=True))
