from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logparse.reports.epochs import Column, Table
from logparse.reports.layout import table_lines, wrap
from logparse.reports.safe import visible, width


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])), st.integers(10, 60))
def test_wrapped_lines_fit_and_hold_every_character(text: str, columns: int) -> None:
    text = visible(text)
    lines = wrap(text, columns, indent="  ", first="", cut=True)
    # A character of two columns may be all that is left for one column of room.
    assert all(width(line) <= max(columns, 4) for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_long_word_sticks_out_where_nothing_may_be_cut() -> None:
    assert wrap("a " + "b" * 90, 80) == ["a", "b" * 90]


def table() -> Table:
    wide = [Column("shown", ["0.5000", "0.4000"], name) for name in ("loss", "acc", "f1")]
    return Table("Epochs", [Column("Epoch", ["1", "9"]), *wide], gaps=[(1, "... 7 hidden")])


def test_columns_stand_under_their_heading() -> None:
    assert list(table_lines(table(), None, False)) == [
        "         loss     acc      f1",
        "Epoch   shown   shown   shown",
        "    1  0.5000  0.5000  0.5000",
        "... 7 hidden",
        "    9  0.4000  0.4000  0.4000",
    ]


def test_a_table_too_wide_goes_on_below_with_its_keys() -> None:
    assert list(table_lines(table(), 25, False)) == [
        "         loss     acc",
        "Epoch   shown   shown",
        "    1  0.5000  0.5000",
        "... 7 hidden",
        "    9  0.4000  0.4000",
        "",
        "           f1",
        "Epoch   shown",
        "    1  0.5000",
        "... 7 hidden",
        "    9  0.4000",
    ]


def test_what_a_short_table_leaves_out_is_named() -> None:
    lines = list(table_lines(table(), 20, False, most=2))
    assert lines[-1] == "... f1 hidden; --full shows all"


def test_colour_does_not_change_the_text() -> None:
    coloured = "\n".join(table_lines(table(), None, True))
    assert "\x1b[1m" in coloured
    plain = coloured.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert plain == "\n".join(table_lines(table(), None, False))
