"""Everything logparse writes goes through here: a file is whole and on disk, or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO

from logparse.errors import LogparseError, UsageError

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be deleted there, so no lock is needed
    fcntl = None  # type: ignore[assignment]

_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES)
"""What a file system says that cannot flush a folder or lock a file."""

_PREFIX, _SUFFIX = ".logparse-", ".tmp"
"""Of the hidden files that are not yet whole."""


@contextlib.contextmanager
def write_atomic(
    path: str | os.PathLike[str], *, force: bool = False, clean: bool = True
) -> Iterator[BinaryIO]:
    """A binary file that takes the name ``path`` when the ``with`` block ends without error.

    The bytes go to a hidden file beside the target, which is flushed to disk and renamed; the
    folder is flushed too. After an error nothing is left and an older file stays as it was.
    What a killed process left behind is removed by the next write of the same name. Of several
    processes writing one name at once, one wins whole; without ``force`` the others fail.

    With ``force`` a link is replaced, and the file it points to is not touched. An older file's
    permissions are kept. Whoever writes thousands of files to one folder calls ``remove_stale``
    once and gives ``clean=False``: to look for what was left costs time with each file there.

    Raises:
        UsageError: the file exists and ``force`` is not given, or it is no regular file, or its
            folder does not exist.
        LogparseError: the system refused, as when the disk is full.
    """
    target = os.fspath(path)
    folder = os.path.dirname(target) or "."
    with clear_errors(target):
        mode = _check_target(target, folder, force)
        prefix = _temp_prefix(target)
        if clean:
            remove_stale(folder, prefix)
        temp, file = _create(folder, prefix)
    try:
        with clear_errors(target):
            yield file
            file.flush()
            if mode is not None:
                os.chmod(temp, mode)
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()
            _rename(temp, target, force)
    finally:
        with contextlib.suppress(OSError):  # after a full disk closing fails once more
            file.close()
        with contextlib.suppress(OSError):
            os.unlink(temp)
    with clear_errors(target):
        _flush_folder(folder)


def _check_target(target: str, folder: str, force: bool) -> int | None:
    """Refuses what must not be replaced; the permissions of the file that will be.

    Raises:
        UsageError: see ``write_atomic``.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"{target}: there is no folder {folder}; make it first")
    try:
        kind = os.stat(target).st_mode
    except FileNotFoundError:
        kind = None
    if kind is not None and stat.S_ISDIR(kind):
        raise UsageError(f"{target}: is a folder; name a file in it")
    if kind is not None and not stat.S_ISREG(kind):
        raise UsageError(f"{target}: is not a regular file; for standard output give -")
    if os.path.lexists(target) and not force:
        raise _exists(target)
    return None if kind is None else stat.S_IMODE(kind)


def _exists(target: str) -> UsageError:
    return UsageError(f"{target}: exists; give --force to replace it")


def _temp_prefix(target: str) -> str:
    """Same for every write of this name; a digest, as the name itself may be as long as allowed."""
    digest = hashlib.sha256(os.fsencode(os.path.basename(target))).hexdigest()[:16]
    return f"{_PREFIX}{digest}-"


def _create(folder: str, prefix: str) -> tuple[str, BinaryIO]:
    """A new file under a name of its own, locked so that no other process takes it for stale."""
    while True:
        temp = os.path.join(folder, f"{prefix}{secrets.token_hex(8)}{_SUFFIX}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(temp, flags, 0o666), "w+b")
        try:
            _lock(file, wait=True)
            # between creating and locking another process may have found it unlocked
            if os.path.exists(temp):
                return temp, file
        except OSError:
            os.unlink(temp)
            raise
        file.close()


def remove_stale(folder: str, prefix: str = _PREFIX) -> None:
    """Removes what killed processes left, of one name or of all: files that nobody holds locked."""
    try:
        names = os.listdir(folder)
    except PermissionError:  # a folder may be open for writing alone
        return
    for name in names:
        if not (name.startswith(prefix) and name.endswith(_SUFFIX)):
            continue
        stale = os.path.join(folder, name)
        with contextlib.suppress(OSError):  # gone already, or another user's
            if fcntl is None:
                os.unlink(stale)
                continue
            with open(stale, "rb") as file:
                if _lock(file, wait=False):
                    os.unlink(stale)


def _lock(file: BinaryIO, *, wait: bool) -> bool:
    """Locks a file until it is closed; False if another process holds it or it cannot be locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (*_UNSUPPORTED, errno.ENOLCK):
            return False
        raise
    return True


@contextlib.contextmanager
def locked(path: str) -> Iterator[bool]:
    """Holds a lock file while the block runs; False if another process holds it.

    The system lets go of it when the process ends, however it ends. Where files cannot be locked
    everyone is let in.

    Raises:
        LogparseError: the file cannot be made.
    """
    with clear_errors(path):
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        file = os.fdopen(os.open(path, flags, 0o666), "r+b")
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError as error:
                if error.errno not in (*_UNSUPPORTED, errno.ENOLCK):
                    raise
        yield True


def _rename(temp: str, target: str, force: bool) -> None:
    """Gives the file its name; without ``force`` only if no other process took it meanwhile."""
    if force:
        os.replace(temp, target)
        return
    try:
        os.link(temp, target)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        if error.errno not in (*_UNSUPPORTED, errno.EPERM, errno.EMLINK):
            raise
        # a file system without hard links: the check and the rename are two steps
        if os.path.lexists(target):
            raise _exists(target) from error
        os.replace(temp, target)


def _flush_folder(folder: str) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


@contextlib.contextmanager
def clear_errors(target: str) -> Iterator[None]:
    """Turns what the system says, to Python or through polars, into one line for the user."""
    try:
        yield
    except BrokenPipeError:  # of another stream: this one is a file
        raise
    except OSError as error:
        raise _refused(target, error) from error
    except Exception as error:
        code = re.search(r"\(os error (\d+)\)", str(error))  # how Rust's errors end
        if code is None:
            raise
        raise _refused(target, OSError(int(code[1]), os.strerror(int(code[1])))) from error


def _refused(target: str, error: OSError) -> LogparseError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        advice = "; free some space or name another folder"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "; name a folder you may write to"
    else:
        advice = ""
    reason = (error.strerror or str(error)).lower()
    return LogparseError(f"{target}: cannot be written: {reason}{advice}")
