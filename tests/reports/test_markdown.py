from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from logparse.reports.markdown import MarkdownReport


def test_markdown_holds_the_verdict_the_findings_and_the_table(seed: Any) -> None:
    text = "".join(MarkdownReport(full=True).log(seed))
    assert text.startswith("## train.log\n\nOne training run: 3 epochs of 406 steps")
    assert "**LP101** info" in text
    assert "\n- epoch 2, acc, line 21: acc jumps" in text
    assert text.count("acc jumps from") == 5
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert len({row.count("|") for row in rows}) == 1
    assert "| 1  | 3 h 00 min | 26.6 s | 0.3539 | 0.21 ±0.03 | 0.8918 | 0.942 ±0.012 |" in rows


def test_hostile_text_is_only_text(poisoned: Any) -> None:
    report = MarkdownReport(full=True)
    failure: Any = SimpleNamespace(name=poisoned.source.name, error=poisoned.source.name)
    text = "".join([*report.log(poisoned), *report.failure(failure)])
    for line in text.splitlines():
        bare = re.sub(r"\\.", "", line)
        assert not re.search(r"[<>`\[\]~]|://|\x1b", bare)
    widths = {
        len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
        for line in text.splitlines()
        if line.startswith("|")
    }
    assert len(widths) <= 2
