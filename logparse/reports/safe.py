"""Text from a log in, text out that steers no terminal, spreadsheet, markdown or figure."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata

CONTROLS = (
    r"\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: escape sequences, line breaks, backspaces
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"  # drawn as nothing
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi controls
    r"\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"  # selectors, marks, tags
    r"\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"  # signs before numbers
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # controls of scripts
    r"\ud800-\udfff"  # halves of a pair: cannot be written as UTF-8
)
"""Characters that move the cursor, reorder text or hide it, as the inside of a regex class."""

FORMULA = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
"""A cell that starts with one of these is computed by spreadsheets (OWASP, CSV injection);
the last four are the full-width forms that some of them also accept."""

_CONTROL = re.compile(f"[{CONTROLS}]")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|~&$#@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str) -> str:
    r"""The text on one line, control and direction characters spelled out.

    >>> visible("\x1b[2Jloss\u202e")
    '\\x1b[2Jloss\\u202e'
    """
    return _CONTROL.sub(_escape, text)


def shorten(text: str, limit: int) -> str:
    """The text, made visible, at most ``limit`` characters, with ``...`` where it was cut."""
    # Long names from a log must not cost more than what is shown of them.
    text = visible(text[: limit + 1])
    return text if len(text) <= limit else text[: max(limit - 3, 0)] + "..."


def cell(text: str) -> str:
    """The text as a spreadsheet cell that stays text: visible, and never a formula.

    A text that begins with a character of ``FORMULA`` gets a leading apostrophe. Numbers must
    not pass here.
    """
    # Judged before the controls are spelled out: what a program strips must not hide the sign.
    dangerous = text.lstrip()[:1] in FORMULA or text[:1] in FORMULA
    text = visible(text)
    return f"'{text}" if text and dangerous else text


def markdown(text: str) -> str:
    """The text for markdown, shown as it is: no markup, no link, no HTML, no mention."""
    return _MARKDOWN.sub(r"\\\g<0>", visible(text))


def figure(text: str, limit: int = 60) -> str:
    """The text for a plotly figure: no tag, entity, formula (``$``) or template (``%{``) is seen.

    At most ``limit`` characters of it, since a title or legend has no room for more.
    """
    return _FIGURE.sub(lambda match: f"&#{ord(match.group())};", shorten(text, limit))


_FIGURE = re.compile(r"[&<>$%{}\\]")


def json_text(dumped: str) -> str:
    r"""A JSON document with control and direction characters as ``\uXXXX``; its value stays."""
    return _JSON_CONTROL.sub(_json_escape, dumped)


# A document's own line breaks are the only control characters that ``json.dumps`` leaves.
_JSON_CONTROL = re.compile(f"(?!\n)[{CONTROLS}]")


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def in_script(json: str) -> str:
    r"""JSON that cannot end the script element it stands in; its value stays.

    >>> in_script('"</script>"')
    '"\\u003c/script\\u003e"'
    """
    for char in "<>&'":
        json = json.replace(char, f"\\u{ord(char):04x}")
    return json


def narrow(text: str) -> bool:
    """Every character takes one column for sure: none is beyond the Latin ones."""
    return text.isascii() or max(text) < "\u0300"


def width(text: str) -> int:
    """Columns that a terminal needs for a visible text."""
    if text.isascii() or narrow(text):
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def csp_hash(text: str) -> str:
    """A script or style as a page's content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
