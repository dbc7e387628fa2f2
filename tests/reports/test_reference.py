from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generate: Any) -> dict[str, str]:
    found: dict[str, str] = generate.pages()
    return found


def test_the_reference_is_up_to_date(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == text, f"{name} is old: run python docs/generate.py"


def test_every_command_and_option_is_in_the_reference(pages: dict[str, str]) -> None:
    from logparse.commands import commands
    from logparse.options import command_parser

    for name, command in commands().items():
        _, _, section = pages["commands.md"].partition(f"\n## {name}\n")
        section = section.partition("\n## ")[0]
        assert command.summary in section
        assert f"    {command.example}\n" in section
        if command.arguments.metavar:
            assert command.arguments.help
            assert f"`{command.arguments.usage()}`" in section
        for option in command_parser(name, command).options:
            assert option.help, f"{name} {option.dest} has no help"
            for word in option.option_strings:
                assert f"`{word}`" in section


def test_every_finding_is_in_the_reference(pages: dict[str, str]) -> None:
    from logparse.findings import registry

    for code in registry.load():
        assert f"\n## {code} " in pages["findings.md"]


def test_json_page_links_to_what_is_there() -> None:
    folder = ROOT / "docs" / "reference"
    text = (folder / "json.md").read_text()
    for name in ("logparse-1.0.schema.json", "tables.md"):
        assert f"({name})" in text
        assert (folder / name).exists()


def test_the_readme_quotes_what_logparse_says(generate: Any) -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8") == generate.readme(), (
        "README.md is old: run python docs/generate.py"
    )


def test_the_readme_links_to_what_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert "docs/terminal.svg" in links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    (logparse .*)$", text, re.MULTILINE)
    commands = [shlex.split(re.split(r"  +", line)[0])[1:] for line in lines]
    assert len(commands) >= 7
    (tmp_path / "runs").mkdir()
    log = (ROOT / "sample_logs/seeds/003_outer_loop.log").read_bytes()
    for name in ("train.log", "runs/a.log"):
        (tmp_path / name).write_bytes(log)
    monkeypatch.chdir(tmp_path)
    for args in commands:
        run = (
            f"import sys; sys.argv = {['logparse', *args]!r}; from logparse.cli import main; main()"
        )
        found = subprocess.run([sys.executable, "-c", run], capture_output=True, check=False)
        assert (found.returncode, found.stderr) == (0, b""), args


def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(code, names)
    assert len(names["updates"]) == 18
