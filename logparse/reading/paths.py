"""Paths as a user gives them -> the files to read, each opened with a clear word if it fails."""

from __future__ import annotations

import difflib
import glob
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

from logparse import limits
from logparse.errors import SourceError
from logparse.reading import remote
from logparse.reading.archives import printable
from logparse.reading.event_names import is_empty_profile, is_event_file, run_of
from logparse.reading.remote import Checked, is_url, open_url

STDIN = "-"
STDIN_NAME = "<stdin>"
"""How a log from standard input is called."""
MEMBER_SIGN = "::"


def expand(paths: Iterable[str]) -> list[str]:
    """Files and specs as given, globs, folders and URLs replaced by the logs in them, by name.

    A log is a file, or the folder of a run of TensorBoard event files. In a folder hidden files
    and folders are passed over, and further links to the same file. What does not exist is kept:
    ``open_sources`` says what is wrong with it.

    Raises:
        SourceError: a folder holds no file, or a glob matches none.
    """
    files: list[str] = []
    for path in paths:
        if path != STDIN and os.path.isdir(path):
            own_name = os.path.basename(os.path.abspath(path))
            found = [name for name in _walk(path) if not is_empty_profile(name)]
            inner = [os.path.relpath(name, path).replace(os.sep, "/") for name in found]
            found = _runs_joined(path, own_name, dict(zip(inner, found, strict=True)))
            if not found:
                raise SourceError(f"{printable(path)}: no file to read in this folder")
            files += found
        elif is_url(path) and MEMBER_SIGN not in path:
            files += logs_at(path, [file.url for file in remote.find(path)])
        elif glob.has_magic(path) and not os.path.lexists(path) and MEMBER_SIGN not in path:
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise SourceError(f"{printable(path)}: no file matches")
            files += _once([match for match in matches if not os.path.isdir(match)])
        else:
            files.append(path)
    return files


def logs_at(url: str, found: list[str]) -> list[str]:
    """The logs at a URL where these files were found: itself, or those below it."""
    root = remote.whole(url)
    if found == [root]:
        return found
    files = {file.removeprefix(f"{root}/"): file for file in found if not is_empty_profile(file)}
    return _runs_joined(root, root.rpartition("/")[2], files)


def _runs_joined(folder: str, own_name: str, files: dict[str, str]) -> list[str]:
    """Files, the event files of each run replaced by its folder.

    Args:
        folder: what the files are in.
        own_name: its name.
        files: by their paths below the folder, with ``/``.
    """
    found: dict[str, None] = {}
    for name, path in files.items():
        if is_event_file(name) and not is_text(path):
            run = run_of(name, own_name)[0]
            found[folder if run == "." else f"{folder.rstrip('/')}/{run}"] = None
        else:
            found[path] = None
    return list(found)


def is_text(path: str) -> bool:
    """Whether a file is no event file in spite of its name, like ``tfevents.log``."""
    if os.path.basename(path).startswith("events.out.tfevents") or is_url(path):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_TEXT_BYTES)
    except OSError:
        return False
    return bool(head) and b"\0" not in head


_TEXT_BYTES = 1 << 12
"""First bytes that tell text from records, which have NUL bytes in every header."""


def is_folder(spec: str) -> bool:
    """Whether a spec is a folder, on disk or at a URL.

    Raises:
        SourceError: the URL cannot be looked at.
    """
    if is_url(spec):
        return MEMBER_SIGN not in spec and remote.is_folder(spec)
    return spec != STDIN and os.path.isdir(spec)


def _walk(folder: str) -> list[str]:
    """Candidate logs below a folder; a folder that may not be listed is given as it is."""
    files: list[str] = []
    links: list[str] = []
    closed: list[str] = []
    for base, folders, names in os.walk(
        folder, onerror=lambda error: closed.append(error.filename)
    ):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(base, name)
            if name.startswith(".") or not os.path.isfile(path):
                continue
            (links if os.path.islink(path) else files).append(path)
    return sorted(_once(files + links) + closed, key=lambda path: path.split(os.sep))


def _once(paths: list[str]) -> list[str]:
    """Without further paths to the same file: links, and loops of links that ``**`` follows."""
    by_file: dict[str, str] = {}
    for path in paths:
        by_file.setdefault(os.path.realpath(path), path)
    return list(by_file.values())


def split_spec(spec: str) -> tuple[str, str | None]:
    """Path and member; a file whose own name holds ``::`` is a file."""
    if MEMBER_SIGN not in spec or os.path.lexists(spec):
        return spec, None
    path, _, member = spec.partition(MEMBER_SIGN)
    return path, member


def open_file(path: str, stdin: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    """The file of that name, or stdin, which stays open.

    Raises:
        SourceError: it is missing, a folder, or may not be read.
    """
    if path == STDIN:
        stream = stdin or getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise SourceError("-: there is no standard input; name a file")
        return nullcontext(stream)
    if is_url(path):
        return open_url(path)
    name = printable(path)
    try:
        if os.path.isdir(path):
            raise SourceError(f"{name}: {_why_not(path)}")
        return open(path, "rb")
    except FileNotFoundError as error:
        if os.path.islink(path):
            raise SourceError(f"{name}: a link to a file that does not exist") from error
        raise SourceError(f"{name}: no such file{_nearest_file(path)}") from error
    except PermissionError as error:
        raise SourceError(
            f"{name}: no permission to read it; ls -l shows who may, chmod changes it"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{name}: cannot be opened: {reason}") from error


def _why_not(folder: str) -> str:
    if not os.access(folder, os.R_OK | os.X_OK):
        return "no permission to look into this folder"
    return "a folder, not a log; name the files in it"


def _nearest_file(path: str) -> str:
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return f"; nor is there a folder {printable(folder)}"
    return nearest(name, names) or "; check the name"


def nearest(name: str, names: list[str]) -> str:
    """A hint at the name that was probably meant, or nothing."""
    close = difflib.get_close_matches(name, names[: limits.ARCHIVE_MEMBERS], n=1)
    return f"; did you mean {printable(close[0])}?" if close else ""


def regular_size(file: BinaryIO) -> int | None:
    """Size of a regular or remote file; None for a pipe, a device or any other stream."""
    if isinstance(file, Checked):
        return file.size
    try:
        status = os.fstat(file.fileno())
    except (OSError, AttributeError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
