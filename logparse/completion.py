"""The option tables in, a completion script for bash, zsh or fish out.

A script knows all commands, their options and what these take; it does not call logparse, so it
answers at once. It is made anew with each version.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple

from logparse.options import Command, Parser, command_parser

PLAIN = re.compile(r"[\w.+%:-]+")
"""Words that no shell takes apart; others are not offered."""

FILES = ("output", "scheduler")
"""Options that take a file or something else that a shell completes by itself."""


class Completed(NamedTuple):
    """What can follow a command."""

    summary: str
    options: dict[str, str]
    """Help of each option, by name."""
    values: dict[str, list[str]]
    """What an option takes, by name; empty if it takes something else; none if it takes nothing."""
    words: list[str]
    """Arguments beside files."""


def script(shell: str) -> str:
    """The completion script of a shell, one of ``SHELLS``."""
    return SHELLS[shell](_tables())


def _tables() -> dict[str, Completed]:
    from logparse.commands import commands

    return {name: _table(name, command) for name, command in commands().items()}


def _table(name: str, command: Command) -> Completed:
    parser = command_parser(name, command)
    values = {
        flag: _values(option)
        for option in parser.options
        if option.nargs != 0
        for flag in option.option_strings
    }
    return Completed(command.summary, _helps(parser), values, _words(name))


def _helps(parser: Parser) -> dict[str, str]:
    return {
        flag: re.sub(r"%%", "%", option.help or "")
        for option in parser.options
        for flag in option.option_strings
    }


def _values(option: argparse.Action) -> list[str]:
    """What an option takes, as far as it is a list of plain words."""
    if option.choices is not None:
        found = [str(choice) for choice in option.choices]
    elif option.dest == "table":
        from logparse.tables import TABLES

        found = list(TABLES)
    elif option.dest == "reader":
        from logparse.reading.detect import READERS

        found = list(READERS)
    elif option.dest in ("select", "ignore"):
        found = _codes()
    else:
        found = []
    return [word for word in found if PLAIN.fullmatch(word)]


def _words(command: str) -> list[str]:
    """Arguments of a command that are no files."""
    if command == "explain":
        return _codes()
    if command == "schema":
        from logparse.commands.schema import SCHEMAS

        return list(SCHEMAS)
    return list(SHELLS) if command == "completion" else []


def _codes() -> list[str]:
    from logparse.findings import registry

    return sorted(registry.load())


def _cases(tables: dict[str, Completed]) -> Iterator[tuple[str, list[str]]]:
    """``command option`` and what the option takes; a file where the list is empty."""
    for name, table in tables.items():
        for flag, values in table.values.items():
            yield f"{name} {flag}", values


def _bash(tables: dict[str, Completed]) -> str:
    cases = "".join(
        f'    "{case}") words="{" ".join(values)}"; files={_files(case, values)} ;;\n'
        for case, values in _cases(tables)
    )
    commands = "".join(
        f'    {name}) words="{" ".join(table.words)}"; options="{" ".join(table.options)}" ;;\n'
        for name, table in tables.items()
    )
    return f"""\
# Completion of logparse for bash: source it, or put it where bash-completion looks,
#   logparse completion bash > ~/.local/share/bash-completion/completions/logparse
_logparse() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="" command="" word="" words="" options=""
  local files=1 i
  ((COMP_CWORD > 0)) && previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  # bash makes three words of --option=value
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]] && ((COMP_CWORD > 1)); then
    previous="${{COMP_WORDS[COMP_CWORD-2]}}"
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${{COMP_WORDS[i]}} == --debug ]] && continue
    case "${{COMP_WORDS[i]}}" in
      {"|".join(tables)}) command="${{COMP_WORDS[i]}}" ;;
      *) command=analyze ;;
    esac
    break
  done
  case "$command" in
    "") words="{" ".join(tables)}"; options="--help --version --debug" ;;
{commands}  esac
  case "$command $previous" in
{cases}    *) [[ $current == -* ]] && {{ words="$options"; files=0; }} ;;
  esac
  COMPREPLY=()
  while IFS= read -r word; do
    [[ -n $word ]] && COMPREPLY+=("$word")
  done < <(compgen -W "$words" -- "$current"; ((files)) && compgen -f -- "$current")
  if ((files)); then
    compopt -o filenames 2>/dev/null
  fi
}}
complete -F _logparse logparse
"""


def _zsh(tables: dict[str, Completed]) -> str:
    cases = "".join(
        f'    "{case}") {_zsh_values(case, values)}return ;;\n' for case, values in _cases(tables)
    )
    commands = "".join(
        f"    {name}) plain=({' '.join(table.words)}); "
        f"offered=({' '.join(_described(table.options))}) ;;\n"
        for name, table in tables.items()
    )
    summaries = " ".join(_described({name: table.summary for name, table in tables.items()}))
    return f"""\
#compdef logparse
# Completion of logparse for zsh: put it into a folder of $fpath, or source it after compinit,
#   logparse completion zsh > ~/.zfunc/_logparse
_logparse() {{
  local command="" previous="${{words[CURRENT-1]}}" word
  local -a plain offered
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    [[ $word == --debug ]] && continue
    case $word in
      {"|".join(tables)}) command=$word ;;
      *) command=analyze ;;
    esac
    break
  done
  if [[ $PREFIX == --*=* ]]; then
    previous=${{PREFIX%%=*}}
    compset -P '*='
  fi
  case $command in
    "")
      if [[ $PREFIX == -* ]]; then
        compadd -- --help --version --debug
      else
        offered=({summaries})
        _describe command offered
        _files
      fi
      return ;;
{commands}  esac
  case "$command $previous" in
{cases}  esac
  if [[ $PREFIX == -* ]]; then
    _describe option offered
  else
    (($#plain)) && compadd -- $plain
    _files
  fi
}}
if [[ $funcstack[1] == _logparse ]]; then
  _logparse "$@"
else
  compdef _logparse logparse
fi
"""


def _fish(tables: dict[str, Completed]) -> str:
    names = " ".join(tables)
    lines = [
        "# Completion of logparse for fish:",
        "#   logparse completion fish > ~/.config/fish/completions/logparse.fish",
        "function __logparse_command",
        "    for word in (commandline -opc)[2..-1]",
        '        test "$word" = --debug; and continue',
        f"        contains -- $word {names}; and echo $word; or echo analyze",
        "        return",
        "    end",
        "end",
        "function __logparse_is",
        "    set -l command (__logparse_command)",
        '    test "$command" = "$argv[1]"',
        "end",
    ]
    first = "complete -c logparse -n '__logparse_is \"\"'"
    lines += [
        f"{first} -a {name} -d {shlex.quote(table.summary)}" for name, table in tables.items()
    ]
    lines += [f"{first} -l {name}" for name in ("help", "version", "debug")]
    for name, table in tables.items():
        start = f"complete -c logparse -n '__logparse_is {name}'"
        if table.words:
            lines.append(f"{start} -f -a {shlex.quote(' '.join(table.words))}")
        for flag, text in table.options.items():
            kind = "-l" if flag.startswith("--") else "-s"
            line = f"{start} {kind} {flag.lstrip('-')} -d {shlex.quote(text)}"
            if flag in table.values:
                values = table.values[flag]
                line += f" -x -a {shlex.quote(' '.join(values))}" if values else " -r"
            lines.append(line)
    return "\n".join(lines) + "\n"


def _files(case: str, values: list[str]) -> int:
    """1 if an option's value may be a file."""
    return int(not values and _option(case) in FILES)


def _zsh_values(case: str, values: list[str]) -> str:
    if values:
        return f"compadd -- {' '.join(values)}; "
    return "_files; " if _files(case, values) else ""


def _option(case: str) -> str:
    flag = case.split()[1]
    return "output" if flag == "-o" else flag.lstrip("-")


def _described(texts: dict[str, str]) -> list[str]:
    """``'--option:what it does'``, as zsh's ``_describe`` takes them."""
    return [shlex.quote(f"{name}:{text}".replace("\\", "\\\\")) for name, text in texts.items()]


SHELLS: dict[str, Callable[[dict[str, Completed]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
"""What makes the script of each shell."""
