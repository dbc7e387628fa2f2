"""docs/figures.md: its pictures and links are there, and its code runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import logparse
from logparse.reports import figures

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")


def test_pictures_and_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    pictures = sorted(path.name for path in (ROOT / "docs" / "figures").glob("*.png"))
    assert sorted(link[8:] for link in links if link.endswith(".png")) == pictures
    assert all("://" in link or (ROOT / "docs" / link).exists() for link in links)
    sizes = [(ROOT / "docs" / "figures" / name).stat().st_size for name in pictures]
    assert max(sizes) < 60_000


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_logs").symlink_to(ROOT / "sample_logs")
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    blocks += re.findall(r"^    (analysis\.plot.*)$", PAGE, re.MULTILINE)
    log = logparse.analyze("sample_logs/keras-2.2.4/fit.log")
    space: dict[str, object] = {"a": log, "b": log, "figures": figures}
    for block in blocks:
        exec(block, space)
    assert (tmp_path / "report.html").exists()
    assert len(blocks) >= 4
