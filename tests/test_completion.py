"""Completion scripts -> what real shells offer: bash, and zsh and fish where there are any."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from logparse.commands import NAMES, commands
from logparse.completion import SHELLS, script
from logparse.findings import registry
from logparse.options import command_parser


def need(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} here")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    (tmp_path / "train one.log").write_text("")
    (tmp_path / "$(touch owned).log").write_text("")
    for shell in SHELLS:
        (tmp_path / f"script.{shell}").write_text(script(shell))
    return tmp_path


def bash(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    code = """
source ./script.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }  # it only works while a real terminal completes
_logparse
printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        [need("bash"), "--norc", "-c", code, "bash", *words],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    assert done.stderr == ""
    assert not (folder / "owned").exists()
    return [line for line in done.stdout.splitlines() if line]


FILES = {"runs", "train one.log", "$(touch owned).log", *(f"script.{shell}" for shell in SHELLS)}


def test_bash_offers_commands_and_logs_first(folder: Path) -> None:
    assert set(bash(folder, "logparse", "")) == {*NAMES, *FILES}
    assert bash(folder, "logparse", "co") == ["compare", "completion"]
    assert set(bash(folder, "logparse", "--")) == {"--help", "--version", "--debug"}
    assert bash(folder, "logparse", "--debug", "comp") == ["compare", "completion"]


@pytest.mark.parametrize("name", NAMES)
def test_bash_offers_every_option_of_a_command(folder: Path, name: str) -> None:
    options = command_parser(name, commands()[name]).known()
    assert sorted(bash(folder, "logparse", name, "-")) == sorted(options)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["analyze", "--fail-on", ""], ["never", "info", "warning", "error"]),
        (["train.log", "--fail-on", "w"], ["warning"]),
        (["analyze", "--color", "=", "al"], ["always"]),
        (["analyze", "--color", "="], ["auto", "always", "never"]),
        (["export", "--table", "ep"], ["epochs"]),
        (["analyze", "--batch-size", ""], []),
        (["schema", "comp"], ["comparison"]),
        (["completion", "z"], ["zsh"]),
        (["analyze", "--output", "train"], ["train one.log"]),
        (["analyze", "-o", "train"], ["train one.log"]),
        (["compare", "ru"], ["runs"]),
    ],
)
def test_bash_offers_what_an_option_takes(
    folder: Path, words: list[str], offered: list[str]
) -> None:
    assert bash(folder, "logparse", *words) == offered


def test_bash_offers_the_codes_of_findings(folder: Path) -> None:
    assert bash(folder, "logparse", "explain", "LP5") == ["LP501", "LP502"]
    assert bash(folder, "logparse", "x.log", "--select", "LP") == sorted(registry.load())


def test_bash_knows_the_command_by_its_name(folder: Path) -> None:
    done = subprocess.run(
        [need("bash"), "--norc", "-c", "source ./script.bash && complete -p logparse"],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    assert done.stdout == "complete -F _logparse logparse\n"


def zsh(folder: Path, *words: str) -> list[str]:
    """What the script hands to zsh's own functions for the last of the words."""
    code = """
compdef() { :; }
compadd() { shift; print -rl -- "${(@M)@:#${PREFIX}*}"; }
compset() { PREFIX=${PREFIX#*=}; }
_describe() { print -rl -- "${(@)${(@P)2}%%:*}" | grep -e "^$PREFIX"; }
_files() { print FILES; }
source ./script.zsh
words=("$@"); CURRENT=$#; PREFIX="${words[CURRENT]}"
_logparse
"""
    done = subprocess.run(
        [need("zsh"), "-f", "-c", code, "zsh", *words],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_zsh_offers_the_same(folder: Path) -> None:
    assert zsh(folder, "logparse", "comp") == ["compare", "completion", "FILES"]
    assert zsh(folder, "logparse", "analyze", "--fail-on", "w") == ["warning"]
    assert zsh(folder, "logparse", "x.log", "--color=al") == ["always"]
    assert zsh(folder, "logparse", "explain", "LP5") == ["LP501", "LP502", "FILES"]
    options = command_parser("compare", commands()["compare"]).known()
    assert sorted(zsh(folder, "logparse", "compare", "-")) == sorted(options)
    assert zsh(folder, "logparse", "analyze", "-o", "") == ["FILES"]


def fish(folder: Path, line: str) -> list[str]:
    """What fish offers at the end of a command line."""
    done = subprocess.run(
        [need("fish"), "--no-config", "-c", f"source ./script.fish; complete -C'{line}'"],
        capture_output=True, text=True, check=True, cwd=folder,
        env=os.environ | {"HOME": str(folder)},
    )  # fmt: skip
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def test_fish_offers_the_same(folder: Path) -> None:
    assert fish(folder, "logparse comp") == ["compare", "completion"]
    assert fish(folder, "logparse analyze --fail-on w") == ["warning"]
    assert fish(folder, "logparse x.log --color=al") == ["--color=always"]
    assert fish(folder, "logparse explain LP5") == ["LP501", "LP502"]
    options = command_parser("compare", commands()["compare"]).known()
    offered = fish(folder, "logparse compare --")
    assert set(offered) == {option for option in options if option.startswith("--")}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(shell: str) -> None:
    run = f"import sys; sys.argv = ['logparse', 'completion', {shell!r}]\n"
    run += "from logparse.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    assert done.stdout == script(shell)


def test_another_shell_is_a_mistake() -> None:
    run = "import sys; sys.argv = ['logparse', 'completion', 'bsh']\n"
    run += "from logparse.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False)
    expected = "logparse: no shell 'bsh'; did you mean bash?\n"
    assert (done.returncode, done.stderr) == (2, expected)
