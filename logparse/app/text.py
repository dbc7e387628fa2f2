"""Text from a log in, text out that Streamlit's markdown shows as it is."""

from __future__ import annotations

import re

from logparse.reports.safe import markdown, shorten

JOINER = "\u2060"
"""A word joiner: drawn as nothing. ``visible`` spells out those that a log holds."""

# What Streamlit looks for after the escapes of markdown are gone: emoji and colours (`:red`),
# links and addresses without brackets, arrows.
_LATER = re.compile(
    r":(?=[\w+-])|(?<=[a-z])(?=\\?:/)|(?<=www)(?=\\?\.)|(?<=@)|(?<=-)(?=-|\\?>)|(?<=<)(?=-|=)"
    r"|(?<=~)(?==)|(?<=>)(?==)",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"^(\s*)([-+=]|\d+[.)])")


def plain(text: str, limit: int = 200) -> str:
    """The text as markdown that shows it: no markup, link, picture, formula, icon or colour.

    For titles and labels, which Streamlit reads as markdown; all else goes through ``st.text``.
    """
    escaped = markdown(shorten(text, limit))
    # A list or a heading begins a line: what could be its sign is escaped.
    escaped = _BLOCK.sub(lambda m: f"{m[1]}{m[2][:-1]}\\{m[2][-1]}", escaped)
    # Nothing between two marks of ours would make a line of them.
    return _LATER.sub(lambda m: m[0] + JOINER, escaped) if escaped.strip() else JOINER


def file_name(name: str, suffix: str) -> str:
    """A name for a download: the letters and digits of a log's name, then what it is."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name.rsplit("/", 1)[-1]).strip("-.")[:60]
    return f"{stem or 'log'}{suffix}"
