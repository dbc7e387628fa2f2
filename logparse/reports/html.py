"""Analysis in, one self-contained HTML page out, readable without logparse and offline.

Text from a log is escaped by the template engine, and reaches scripts only as JSON that cannot end
its element. The page's own policy forbids every connection, and every script but its own.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from logparse.reports.drawing.series import POINTS
from logparse.reports.html_table import table_html
from logparse.reports.safe import csp_hash, in_script, visible
from logparse.reports.sections import FEW_POINTS, Section, charts, log_tables, page_epochs
from logparse.reports.view import NOT_JUDGED, Group, account_table, tables, view

if TYPE_CHECKING:
    import jinja2

    from logparse.analysis import Analysis, Failure
    from logparse.reports.epochs import Table

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
    points = POINTS if script == "inline" else FEW_POINTS
    return "".join(_pages([_log(analysis, 1, full=full, points=points)], [], script, home))


def page_with(logs: Iterable[tuple[Analysis, list[str], list[Section], Table]]) -> Iterator[str]:
    """One page of logs that more is known of than they tell.

    Args:
        logs: of each its analysis, what to say first, charts in place of its own, and a table that
            is open at first.
    """
    shown: list[Json] = []
    for analysis, said, sections, table in logs:
        log = _log(analysis, len(shown) + 1, full=False, sections=sections)
        log["verdict"] = [*said, *log["verdict"]]
        first = table_html(table, f"{log['id']}-table-0")
        log["tables"] = [{"title": table.title, "open": True, "table": first}, *log["tables"]]
        shown.append(log)
    yield from _pages(shown, [], "inline")


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
            tables=[table_html(table) for table in tables(analysis, SUMMARY_ROWS)],
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


@cache
def _styles() -> list[str]:
    """Names of the style elements that plotly's script would add, which the page's policy refuses.

    Where the page has them already, the script leaves them alone: one is for rules that it sets
    one by one, the others are for maps.
    """
    return ["plotly.js-style-global", *re.findall(_STYLE_OF_MAPS, script_text())]


_STYLE_OF_MAPS = re.compile(r'getElementById\("([0-9a-f]{64})"\)')


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
    environment = _environment()
    # Constant texts of this package, checked by their hashes; nothing of a log is in them.
    if script == "inline":
        scripts = [f'<script type="text/plain" id="plotly">{_packed()}</script>']
    else:
        scripts = [str(Markup('<script src="{}"></script>').format(script))]
    scripts.append(f'<script type="application/json" id="settings">{_settings()}</script>')
    scripts.append(f"<script>{_source('page.js')}</script>")
    names = [log["name"] for log in logs]
    title = names[0] if len(names) == 1 else f"{len(names)} logs"
    yield environment.get_template("page.html.jinja").render(
        logs=logs,
        failures=failures,
        title=f"{title} - logparse",
        version=_version(),
        home=home,
        policy=_policy(shared=script != "inline"),
        style=Markup(_source("page.css")),  # noqa: S704
        styles=_styles(),
        scripts=Markup("\n".join(scripts)),  # noqa: S704
    )


@cache
def _policy(*, shared: bool) -> str:
    """What a page may do: run its own scripts, style itself, make pictures of its charts."""
    allowed = [csp_hash(_source("page.js"))]
    allowed += ["'self'", "file:"] if shared else [csp_hash(script_text())]
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(allowed)}",
            # Plotly sets style attributes on what it draws.
            f"style-src-elem {csp_hash(_source('page.css'))} {csp_hash('')}",
            "style-src-attr 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("logparse.reports", "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _source(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


@cache
def _settings() -> str:
    """What the page's script knows: how charts look, and the colours of the dark theme."""
    from logparse.reports.palette import recolored, template

    settings = {"dark": recolored("dark"), "template": template("light")}
    return Markup(in_script(json.dumps(settings)))  # noqa: S704 - it has no markup any more


@cache
def _version() -> str:
    return version("logparse")


def _log(
    analysis: Analysis,
    number: int,
    *,
    full: bool,
    points: int = POINTS,
    sections: list[Section] | None = None,
) -> Json:
    """What the template shows of one log; all text is visible, none escaped yet."""
    shown = view(analysis, full=full)
    epochs = page_epochs(analysis, full=full)
    id = f"log-{number}"
    return {
        "id": id,
        "name": shown.name,
        "verdict": shown.verdict,
        "groups": [_group(group, None if full else PLACES) for group in shown.groups],
        "charts": [_section(one, id) for one in sections or charts(analysis, epochs, points)],
        "tables": [
            {"title": table.title, "open": open, "table": table_html(table, f"{id}-table-{i}")}
            for i, (table, open) in enumerate(log_tables(analysis, epochs, full=full), start=1)
        ],
        "notes": [note for note in shown.notes if note[0] != NOT_JUDGED],
        "silent": [text for name, text in shown.notes if name == NOT_JUDGED],
        "account": table_html(account_table(analysis), f"{id}-account"),
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
    charts = [(f"{log}-{section.id}-{i}", chart) for i, chart in enumerate(section.charts, start=1)]
    return {
        "id": section.id,
        "title": section.title,
        "how": section.how,
        "more": section.more,
        "charts": [
            {
                "id": id,
                "title": chart.title,
                "alt": chart.alt,
                "figure": Markup(chart.figure.text()),  # noqa: S704 - it has no markup
                "table": table_html(chart.table, f"{id}-table"),
            }
            for id, chart in charts
        ],
    }
