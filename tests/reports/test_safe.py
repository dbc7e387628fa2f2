from __future__ import annotations

import csv
import io
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reports import safe

# Judged by Unicode's own categories, not by the pattern under test.
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def steers(text: str) -> bool:
    return any(unicodedata.category(char) in STEERING for char in text)


@given(st.text(st.characters(categories=None)))
def test_visible_leaves_no_character_that_steers(text: str) -> None:
    assert not steers(safe.visible(text))


def test_visible_knows_every_character_that_steers() -> None:
    every = "".join(char for char in map(chr, range(0x110000)) if steers(char))
    assert not steers(safe.visible(every))


@given(st.text(st.characters(exclude_categories=sorted(STEERING | {"Cn", "Mn", "Lo"}))))
def test_visible_leaves_ordinary_text_alone(text: str) -> None:
    assert safe.visible(text) == text


def test_visible_spells_out_what_it_takes_away() -> None:
    text = "a\x1b[2J\n\t\x9b\u202eb\U000e0041é日"
    assert safe.visible(text) == r"a\x1b[2J\n\t\x9b\u202eb\U000e0041é日"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝", " =", "\n="])
def test_a_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(sign: str) -> None:
    assert safe.cell(f"{sign}1+1").startswith("'")


@pytest.mark.parametrize("text", ["loss", "", "0.5", "a=b", "1-2", "日本"])
def test_other_text_gets_none(text: str) -> None:
    assert safe.cell(text) == text


def test_a_cell_stays_one_cell(hostile: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([safe.cell(hostile), "next"])
    rows = list(csv.reader(io.StringIO(file.getvalue())))
    assert rows == [[safe.cell(hostile), "next"]]
    assert not steers(file.getvalue().replace("\r\n", ""))


@given(st.text(st.characters(categories=None)))
def test_json_text_keeps_the_value(text: str) -> None:
    dumped = safe.json_text(json.dumps(text, ensure_ascii=False))
    assert json.loads(dumped) == text
    assert not steers(dumped)
    dumped.encode()


def test_shorten_stays_within_its_limit(hostile: str) -> None:
    assert len(safe.shorten(hostile, 20)) <= 20
    assert safe.shorten("y" * 21, 20) == "y" * 17 + "..."
    assert safe.shorten("y" * 20, 20) == "y" * 20


def test_markdown_has_no_live_markup(hostile: str) -> None:
    text = safe.markdown(hostile)
    assert "\n" not in text
    # Every character that opens markup, HTML or a link stands behind a backslash.
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|~&$#@]", text.replace("\\\\", ""))
    assert "http://" not in text


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("é±µ", 3), ("日本", 4), ("e\u0301", 1), ("", 0)]
)
def test_width_is_what_a_terminal_needs(text: str, columns: int) -> None:
    assert safe.width(text) == columns
