"""Analysis in, one self-contained HTML page out, readable without logparse and offline.

Text from a log is escaped by the template engine, and reaches scripts only as JSON that cannot end
its element. The page's own policy forbids every connection, and every script but its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from itertools import groupby
from typing import TYPE_CHECKING, Any

from logparse.reports.epochs import Table
from logparse.reports.safe import visible
from logparse.reports.sections import Section, charts, log_tables, page_epochs
from logparse.reports.view import Group, account_table, tables, view

if TYPE_CHECKING:
    import jinja2

    from logparse.analysis import Analysis, Failure

PLACES = 20
"""Findings of one rule that a page lists unless all are asked for."""

SUMMARY_ROWS = 10
"""Epochs in a notebook's summary."""

Json = dict[str, Any]


def page(analysis: Analysis, script: str = "inline", *, full: bool = False, home: str = "") -> str:
    """The page of one log.

    Args:
        analysis: the analysis.
        script: ``inline`` puts plotly's script (4.8 MB, packed 1.9) into the page; else where it
            lies, relative to the page: pages that share it put ``script_text()`` there once.
        full: with every row of every table.
        home: address of the page that lists this one among others, relative to it.
    """
    return "".join(_pages([_log(analysis, 1, full=full)], [], script, home))


def summary(analysis: Analysis) -> str:
    """Verdict, findings and the table of epochs as a piece of HTML, for a notebook."""
    shown = view(analysis, full=False)
    return (
        _environment()
        .get_template("summary.html.jinja")
        .render(
            name=shown.name,
            verdict=shown.verdict,
            groups=[_group(group, 1) for group in shown.groups],
            tables=[_table(table) for table in tables(analysis, SUMMARY_ROWS)],
        )
    )


def script_text() -> str:
    """Plotly's script, for pages that share it."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _packed() -> str:
    """Plotly's script as gzip in base64; the same bytes every time."""
    return base64.b64encode(gzip.compress(script_text().encode(), mtime=0)).decode()


class HtmlReport:
    """All logs on one page, an index at its top."""

    def __init__(self, *, full: bool) -> None:
        self.full = full
        self._logs: list[Json] = []
        self._failures: list[dict[str, str]] = []

    def start(self) -> Iterator[str]:
        """The index comes first, and needs all logs."""
        yield from ()

    def log(self, analysis: Analysis) -> Iterator[str]:
        """Keep what the page shows of a log."""
        self._logs.append(_log(analysis, len(self._logs) + 1, full=self.full))
        yield from ()

    def failure(self, failure: Failure) -> Iterator[str]:
        """Keep the name of a log that could not be read, and why."""
        if not failure.skipped:
            reason = visible(str(failure.error))
            self._failures.append({"name": visible(failure.name), "reason": reason})
        yield from ()

    def end(self) -> Iterator[str]:
        """The whole page."""
        yield from _pages(self._logs, self._failures, "inline")


def _pages(
    logs: list[Json], failures: list[dict[str, str]], script: str, home: str = ""
) -> Iterator[str]:
    from markupsafe import Markup

    environment = _environment()
    # Constant texts of this package, checked by their hashes; nothing of a log is in them.
    style = _source("page.css")
    own = _source("page.js")
    settings = _tojson({"dark": _dark()})
    inline = [script_text()] if script == "inline" else []
    if inline:
        scripts = [f'<script type="text/plain" id="plotly">{_packed()}</script>']
    else:
        scripts = [str(Markup('<script src="{}"></script>').format(script))]
    scripts.append(f'<script type="application/json" id="settings">{settings}</script>')
    scripts.append(f"<script>{own}</script>")
    names = [log["name"] for log in logs]
    title = names[0] if len(names) == 1 else f"{len(names)} logs"
    yield environment.get_template("page.html.jinja").render(
        logs=logs,
        failures=failures,
        title=f"{title} - logparse",
        version=version("logparse"),
        home=home,
        policy=_policy(style, [*inline, own], shared=script != "inline"),
        style=Markup(style),  # noqa: S704
        scripts=Markup("\n".join(scripts)),  # noqa: S704
    )


def _policy(style: str, scripts: Sequence[str], *, shared: bool) -> str:
    """What the page may do: run its own scripts, style itself, make pictures of its charts."""
    allowed = [_hash(text) for text in scripts] + (["'self'", "file:"] if shared else [])
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(allowed)}",
            # Plotly sets style attributes on what it draws.
            f"style-src-elem {_hash(style)} {_hash('')}",
            "style-src-attr 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("logparse.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Browsers read no NaN: better no page than one whose charts are silently empty.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False}
    return environment


@cache
def _source(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _tojson(value: Json) -> str:
    import jinja2

    return str(jinja2.utils.htmlsafe_json_dumps(value, sort_keys=True))


def _dark() -> dict[str, str]:
    from logparse.reports.palette import recolored

    return recolored("dark")


def _log(analysis: Analysis, number: int, *, full: bool) -> Json:
    """What the template shows of one log; all text is visible, none escaped yet."""
    shown = view(analysis, full=full)
    epochs = page_epochs(analysis, full=full)
    id = f"log-{number}"
    return {
        "id": id,
        "name": shown.name,
        "verdict": shown.verdict,
        "groups": [_group(group, None if full else PLACES) for group in shown.groups],
        "charts": [_section(section, id) for section in charts(analysis, epochs)],
        "tables": [
            {"title": table.title, "open": open, "table": _table(table)}
            for table, open in log_tables(analysis, epochs, full=full)
        ],
        "notes": shown.notes,
        "account": _table(account_table(analysis)),
    }


def _group(group: Group, most: int | None) -> Json:
    end = len(group) if most is None else min(most, len(group))
    return {
        "id": group.code if re.fullmatch(r"LP\d+", group.code) else "finding",
        "code": group.code,
        "severity": group.severity,
        "title": group.title,
        "places": group.others(0),
        "advice": group.advice,
        "rows": [
            {
                "where": group.where(i),
                "message": group.message(i),
                "arithmetic": group.arithmetic(i),
            }
            for i in range(end)
        ],
        "others": group.others(end) if end < len(group) else "",
        "rule": group.rule,
    }


def _section(section: Section, log: str) -> Json:
    return {
        "id": section.id,
        "title": section.title,
        "how": section.how,
        "more": section.more,
        "charts": [
            {
                "id": f"{log}-{section.id}-{i}",
                "title": chart.title,
                "alt": chart.alt,
                "figure": chart.figure.json(),
                "table": _table(chart.table),
            }
            for i, chart in enumerate(section.charts, start=1)
        ],
    }


def _table(table: Table) -> Json:
    """A table by rows, with what was left out between them."""
    gaps = dict(table.gaps)
    rows: list[Json] = []
    cells = zip(*(column.cells for column in table.columns), strict=True)
    n = len(table.columns[0].cells) if table.columns else 0
    for i, row in enumerate(cells):
        if i in gaps:
            rows.append({"gap": gaps[i]})
        rows.append({"gap": "", "cells": row})
    if n in gaps:
        rows.append({"gap": gaps[n]})
    groups = [
        {"name": name, "span": len(list(columns))}
        for name, columns in groupby(table.columns, key=lambda column: column.group)
    ]
    return {
        "title": table.title,
        "columns": [{"head": column.head, "left": column.left} for column in table.columns],
        "groups": groups if any(group["name"] for group in groups) else [],
        "rows": rows,
        "named": table.keys,
        "legend": table.legend,
    }
