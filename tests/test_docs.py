"""The guides in docs/: the commands they show are commands of logparse with options it has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from logparse.cli import with_command
from logparse.commands import commands
from logparse.options import parse

ROOT = Path(__file__).parents[1]
GUIDES = ("compare.md", "ci.md", "settings.md")
SHOWN = re.compile(
    r"(?:^    (?:LOGPARSE_\S+ )?|^ +- (?:run: )?|^ {10})(logparse [^`|#\n]+)", re.MULTILINE
)


def shown(guide: str) -> list[str]:
    """The commands of a guide, without what a shell does with their output."""
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    return [re.split(r" >>? | 2>| \|", command)[0].strip() for command in SHOWN.findall(text)]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_commands_of_a_guide_can_be_given(guide: str) -> None:
    known = commands()
    found = shown(guide)
    assert len(found) >= 3
    for command in found:
        words = with_command(shlex.split(command)[1:])
        parse(words[0], known[words[0]], words[1:])


@pytest.mark.parametrize("guide", GUIDES)
def test_the_links_of_a_guide_lead_somewhere(guide: str) -> None:
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert [
        link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()
    ] == []


def test_the_pre_commit_hook_is_a_command() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (entry,) = re.findall(r"entry: (.*)", text)
    words = shlex.split(entry)
    given = parse(words[1], commands()[words[1]], [*words[2:], "a.log", "b.log"])
    assert (given.arguments, given.fail_on) == (["a.log", "b.log"], "error")
