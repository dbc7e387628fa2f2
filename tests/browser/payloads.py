"""Texts that must stay text wherever the app shows them, and an analysis full of them."""

from __future__ import annotations

from typing import Any

from logparse.analysis import Analysis
from logparse.reading.archives import printable
from logparse.tables import TABLES
from tests.reports.conftest import HOSTILE_STRINGS, RUN, build, epoch, finding, metric

MARKDOWN = [
    "![p](http://evil.example/p.png)",
    "![p](//evil.example/p.png)",
    "![][r]\n\n[r]: http://evil.example/r",
    "[l](http://evil.example)",
    "[l](javascript:alert(1))",
    "<http://evil.example>",
    "http://evil.example",
    "https://evil.example/a?b=c#d",
    "www.evil.example",
    "evil@evil.example",
    "mailto:evil@evil.example",
    "ftp://evil.example",
    "//evil.example",
    "[x]: http://evil.example",
    "[^1]\n\n[^1]: note",
    "# head",
    "## head",
    "- item",
    "* item",
    "+ item",
    "1. item",
    "12) item",
    "> quote",
    "---",
    "***",
    "===",
    "**bold**",
    "__bold__",
    "*it*",
    "_it_",
    "~~gone~~",
    "`code`",
    "```\ncode\n```",
    "~~~\ncode\n~~~",
    "    indented",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "- [ ] task",
    "\\*",
    "a\\\nb",
    "a  \nb",
    "&amp;",
    "&#60;b&#62;",
    "&copy;",
    "\\<b>",
    "<!-- c -->",
    "<?php ?>",
    "<![CDATA[x]]>",
]
STREAMLIT = [
    ":red[red]",
    ":red-background[r]",
    ":rainbow[r]",
    ":small[s]",
    ":blue-badge[b]",
    ":color[x]{foreground=red}",
    ":material/delete:",
    ":streamlit:",
    ":smile:",
    ":+1:",
    ":shortcode",
    "$x^2$",
    "$$\\int$$",
    "\\(x\\)",
    "\\[x\\]",
    "$\\href{http://evil.example}{x}$",
    "$\\includegraphics{http://evil.example/x.png}$",
    "-> <- <-> -- >= <= ~=",
    "%{x}",
    "%{customdata}",
    "<b>plotly</b>",
    "<a href='http://evil.example'>p</a>",
    '<a href="javascript:alert(1)">p</a>',
    "<br>",
    "<sup>x</sup>",
]
SCRIPTS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<iframe src=http://evil.example></iframe>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=http://evil.example>",
    "<form action=http://evil.example><input name=q>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video src=http://evil.example/v>",
    "<object data=http://evil.example>",
    "<math><mi xlink:href='javascript:alert(1)'>",
    "'\"><img src=x onerror=alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "<%= 7*7 %>",
    "#{7*7}",
    "data:text/html,<script>alert(1)</script>",
    "\\u003cscript\\u003ealert(1)",
    "\u202e\u2066gpj.\u2069",
    "\u200b" * 50,
    "Z" + "\u0300" * 200,
    "\U0001f3f4\U000e0067\U000e0062",
    "x" * 10_000,
    "ﷺ" * 300,
    '=HYPERLINK("http://evil.example")',
    "@import url(http://evil.example)",
]

PAYLOADS = list(
    dict.fromkeys(
        text.replace("\ud800", "?") for text in HOSTILE_STRINGS + MARKDOWN + STREAMLIT + SCRIPTS
    )
)
"""Over a hundred, each once."""


NAME = " ".join(PAYLOADS[40:80])
"""A name of a log."""

LINES = "\n".join(text.replace("\n", " ") for text in PAYLOADS).encode()
"""A log with a payload on each line."""


def in_every_field() -> Analysis:
    """An analysis with every payload in every text column, each in a row of its own."""
    texts = {
        name: [column.name for column in columns if column.kind == "str"]
        for name, columns in TABLES.items()
    }
    patterns: dict[str, Any] = {
        "runs": RUN,
        "epochs": epoch(1, 12.0),
        "metrics": metric(1, "m", 0.5, (0.4, 0.1)),
        "findings": finding(),
        "messages": {"kind": "k", "line": 1, "text": "t"},
        "rejects": {"line": 1, "start": 0, "end": 4, "kind": "k", "excerpt": "e"},
        "layers": {"model": 1, "layer": "l", "type": "t", "line": 1},
    }
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, pattern in patterns.items():
        keep = {"severity", "channel"}
        rows[name] = [
            pattern | {text: payload for text in texts[name] if text not in keep}
            for payload in (PAYLOADS if name != "runs" else PAYLOADS[:1])
        ]
    for i, row in enumerate(rows["epochs"], start=1):
        row["epoch"] = i
    for i, row in enumerate(rows["findings"], start=1):
        row |= {"line": i, "severity": ("error", "warning", "info")[i % 3]}
    rows["updates"] = [
        {"run": 1, "epoch": 1, "step": 1, "final": False, "line": 1, "byte": 0}
        | dict.fromkeys(PAYLOADS, 1.5)
    ]
    about = dict.fromkeys(("reader", "reader_reason", "damage"), "\n".join(PAYLOADS[:60]))
    counts = dict.fromkeys(PAYLOADS, 3)
    made: Any = build(rows, **about, name=printable(NAME), ignored=counts, not_kept=counts)
    return Analysis(made.source, made.tables, made)
