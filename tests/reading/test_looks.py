"""A look that was learned once serves all lines of it, and no other."""

from __future__ import annotations

import pytest

from logparse.reading import looks
from logparse.reading.looks import template_of

LINE = b"32/782 [>.............................] - ETA: 12s - dense_1_loss: 0.6931 - acc: 0.5000"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_known", {})


def test_lines_of_one_look_share_a_template() -> None:
    template = template_of(LINE)
    assert template is not None
    later = (
        LINE.replace(b"32/", b"64/").replace(b"[>.....", b"[====>.").replace(b"0.6931", b"0.1234")
    )
    assert template_of(later) is template
    assert template_of(LINE) is template


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"dense_1_loss", b"dense_2_loss"),  # the digit belongs to a name
        (b"acc:", b"auc:"),
        (b" - ETA: 12s", b" - ETA: 1:2"),
        (b"0.6931", b"=.6931"),
    ],
)
def test_another_look_has_a_template_of_its_own(old: bytes, new: bytes) -> None:
    template, line = template_of(LINE), LINE.replace(old, new)
    assert template is not None
    assert line != LINE
    other = template_of(line)
    assert other is not template
    assert (other is None) == (looks._learn(line) is None)


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "KEPT", 2)
    for name in (b"acc", b"accu", b"accur"):
        assert template_of(LINE.replace(b"acc", name)) is not None
    assert len(looks._known) == 1
