"""Environment variables and a settings file in, the options that were not given as flags out.

Any option of a command can be set, under its long name without the dashes: in ``[tool.logparse]``
of pyproject.toml or at the top of logparse.toml for all commands that have it, in a table named
after a command for that one, or as ``LOGPARSE_NAME`` in the environment. A flag wins over the
environment, that over the file, and that over the default. Thresholds of rules stand in tables
``rules.CODE``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from logparse.errors import UsageError
from logparse.options import Parser, command_parser, nearest

FILE = "logparse.toml"
PROJECT = "pyproject.toml"
TABLE = b"[tool.logparse"
"""What a pyproject.toml with settings holds."""

PREFIX = "LOGPARSE_"
NAMED_FILE = PREFIX + "SETTINGS"
"""Variable that names the settings file; empty for none."""

NOT_SETTINGS = ("help", "show_settings", "output", "force", "table", "all")
"""Options that belong to one call of a command: what is written where, and over what."""

NOT_IN_FILES = ("exec", "scheduler", "weights")
"""Options that start a program, send work to another machine or fetch something. A settings file
comes with a folder that somebody else may have made: it must not decide on these."""

RULES = "rules"
"""Table of a file with the thresholds of rules, a table each."""

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Setting(NamedTuple):
    """One option's value and where it was set."""

    key: str
    value: Any
    source: str
    """A file, a variable or the command line; empty for the default."""


class File(NamedTuple):
    """A settings file: its path, and its keys and tables of commands."""

    path: str
    held: dict[str, Any]


def keys(parser: Parser) -> dict[str, argparse.Action]:
    """What can be set of a command: its options by long name."""
    return {
        option.option_strings[-1].lstrip("-"): option
        for option in parser.options
        if option.dest not in NOT_SETTINGS
    }


def variable(key: str) -> str:
    """``LOGPARSE_FAIL_ON`` for ``fail-on``."""
    return PREFIX + key.upper().replace("-", "_")


def find_file(
    environment: Mapping[str, str] = os.environ, folder: Path | None = None
) -> File | None:
    """The settings file: the named one, or the nearest in this folder and those above.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    named = environment.get(NAMED_FILE)
    if named is not None:
        return _load(Path(named)) if named else None
    here = folder or Path.cwd()
    for place in (here, *here.parents):
        if (place / FILE).is_file():
            return _load(place / FILE)
        project = place / PROJECT
        if project.is_file() and TABLE in _bytes(project):
            return _load(project)
    return None


def settings_of(
    name: str,
    parser: Parser,
    environment: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> dict[str, Setting]:
    """What is set of a command, by the option's ``dest``; an option that is not set is not there.

    Raises:
        UsageError: a key that no command has, or a value that the option does not take.
    """
    known = keys(parser)
    found: dict[str, Setting] = {}
    file = find_file(environment, folder)
    if file is not None:
        for key, value in _keys_for(name, file, known):
            value = _converted(known[key], value, f"{file.path}: {key}")
            found[known[key].dest] = Setting(key, value, file.path)
    for key, option in known.items():
        if text := environment.get(variable(key)):
            value = _converted(option, text, variable(key))
            found[option.dest] = Setting(key, value, variable(key))
    return found


def blame(message: str, used: Mapping[str, Setting]) -> str:
    """The message of a mistake with the place where the value it quotes was set."""
    for setting in used.values():
        values = setting.value if isinstance(setting.value, list) else [setting.value]
        for text in (part.strip() for value in values for part in str(value).split(",")):
            if text and text.lower() in message.lower():
                return f"{message} ({setting.key} is set in {setting.source})"
    return message


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that begin like settings and are none, each with the nearest that is one."""
    known = {variable(key) for parser in _parsers().values() for key in keys(parser)}
    texts = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in {*known, NAMED_FILE}:
            meant = nearest(name, known)
            texts.append(f"{name}{f'; did you mean {meant}?' if meant else ''}")
    return texts


def all_settings(
    environment: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Iterator[tuple[str, Setting]]:
    """Every command's every setting, those at their default too.

    Raises:
        UsageError: as ``settings_of``.
    """
    for name, parser in _parsers().items():
        found = settings_of(name, parser, environment, folder)
        for key, option in keys(parser).items():
            yield name, found.get(option.dest) or Setting(key, option.default, "")


def settings_with(name: str, parser: Parser, args: Sequence[str]) -> Iterator[Setting]:
    """A command's every setting where it is called with ``args``, at its default too.

    Raises:
        UsageError: as ``settings_of``, or an option does not take what is given.
    """
    found = settings_of(name, parser)
    defaults = {key: option.default for key, option in keys(parser).items()}
    for option in parser.options:
        option.default, option.required = argparse.SUPPRESS, False  # there only if it was given
    given, _ = parser.parse_known_args(args)
    for key, option in keys(parser).items():
        if hasattr(given, option.dest):
            yield Setting(key, getattr(given, option.dest), "the command line")
        else:
            yield found.get(option.dest) or Setting(key, defaults[key], "")


def _parsers() -> dict[str, Parser]:
    from logparse.commands import commands

    return {name: command_parser(name, command) for name, command in commands().items()}


def _keys_for(
    name: str, file: File, known: dict[str, argparse.Action]
) -> Iterator[tuple[str, Any]]:
    """Keys of the file that concern a command: those for all commands, then its own table's.

    Raises:
        UsageError: a key that no command has, or a table that is no command's.
    """
    own: dict[str, Any] = {}
    for key, value in file.held.items():
        if key == RULES:
            texts = list(_thresholds(value, file))
            if texts and "threshold" in known:
                yield "threshold", texts
        elif isinstance(value, dict):
            _check_table(key, value, file)
            own = value if key == name else own
        elif key not in known:
            _check_key(key, file, "")
        else:
            _check_safe(key, file)
            yield key, value
    yield from own.items()


def _thresholds(rules: Any, file: File) -> Iterator[str]:
    """The tables of thresholds as the option ``--threshold`` takes them."""
    from logparse.findings.thresholds import checked

    for code, numbers in rules.items() if isinstance(rules, dict) else ((RULES, rules),):
        if not isinstance(numbers, dict):
            raise UsageError(f"{file.path}: {code} is no table of thresholds, like [rules.LP201]")
        for name, number in numbers.items():
            try:
                checked(code, name, number)
            except UsageError as error:
                raise UsageError(f"{file.path}: {error}") from None
            yield f"{code}.{name}={number!r}"


def _check_table(key: str, table: dict[str, Any], file: File) -> None:
    """Refuse a table that is no command's, or a key in it that the command has not."""
    parsers = _parsers()
    if key not in parsers:
        raise UsageError(f"{file.path}: no command {key}{_meant(key, parsers)}")
    for one in table:
        _check_key(one, file, key)


def _check_key(key: str, file: File, command: str) -> None:
    """Refuse a key that the command, or no command at all, has as an option."""
    parsers = _parsers()
    chosen = [parsers[command]] if command else list(parsers.values())
    known = {one for parser in chosen for one in keys(parser)}
    if key not in known:
        where = f"[{command}] " if command else ""
        raise UsageError(f"{file.path}: {where}no setting {key}{_meant(key, known)}")
    _check_safe(key, file)


def _check_safe(key: str, file: File) -> None:
    if key in NOT_IN_FILES:
        raise UsageError(
            f"{file.path}: {key} cannot be set in a file; give --{key} or {variable(key)}"
        )


def _meant(word: str, known: Any) -> str:
    meant = nearest(word, known)
    return f"; did you mean {meant}?" if meant else "; see logparse settings"


def _converted(option: argparse.Action, value: Any, where: str) -> Any:
    """A value as the option's flag would give it.

    Raises:
        UsageError: the option does not take it.
    """
    if option.nargs == 0:
        return _flag(value, where)
    if isinstance(option, argparse._AppendAction):
        return [
            _one(option, item, where) for item in (value if isinstance(value, list) else [value])
        ]
    return _one(option, value, where)


def _flag(value: Any, where: str) -> bool:
    text = str(value).lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise UsageError(f"{where}: {value!r} is neither true nor false")


def _one(option: argparse.Action, value: Any, where: str) -> Any:
    if isinstance(value, bool | dict | list) or value is None:
        raise UsageError(f"{where}: {value!r} is not a text or a number")
    text = str(value)
    try:
        converted = option.type(text) if callable(option.type) else text
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from error
    if option.choices is not None and converted not in option.choices:
        choices = list(map(str, option.choices))
        meant = nearest(text, choices)
        hint = f"did you mean {meant}?" if meant else f"choose from {', '.join(choices)}"
        raise UsageError(f"{where}: no {value!r}; {hint}")
    return converted


def _load(path: Path) -> File:
    import tomllib

    try:
        held = tomllib.loads(_bytes(path).decode("utf-8"))
    except ValueError as error:  # of TOML or of UTF-8
        raise UsageError(f"{path}: {error}") from error
    if path.name == PROJECT:
        held = held.get("tool", {}).get("logparse", {})
        if not isinstance(held, dict):
            raise UsageError(f"{path}: tool.logparse is not a table")
    return File(str(path), held)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: cannot be read: {reason}") from error
