"""A URL -> the files below it, and each one open: everything that fsspec can reach."""

from __future__ import annotations

import os
import re
from typing import Any, BinaryIO, NamedTuple, cast

from logparse.errors import SourceError
from logparse.lockstep import aside
from logparse.reading.archives import printable
from logparse.reading.event_names import is_event_file

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "http": "http", "https": "http"}
"""Extra of logparse that brings what a protocol needs."""
_MARKS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "mtime", "updated", "modified")
"""Keys under which file systems tell a version of a file; size alone would miss a rewrite."""


class Remote(NamedTuple):
    """A file behind a URL.

    ``stamp`` changes when the file does; empty where the server tells no version.
    """

    url: str
    stamp: str
    size: int


def is_url(path: str) -> bool:
    """Whether a path names something that fsspec opens; a file of that very name comes first."""
    return _URL.match(path) is not None and not os.path.lexists(path)


def find(url: str) -> list[Remote]:
    """The files below a URL, or the one it names, by name; hidden ones are passed over.

    Raises:
        SourceError: it cannot be reached, or holds nothing.
    """
    fs, root = _filesystem(url)
    try:
        with aside():
            below = fs.find(root, detail=True) if _is_listing(fs, root) else {}
            below = below or {root: fs.info(root)}
    except FileNotFoundError as error:
        raise _missing(url, error) from error
    except Exception as error:  # each file system raises its own
        raise _unreachable(url, error) from error
    found = []
    for path, info in sorted(below.items()):
        inner = path.removeprefix(root)
        hidden = any(part.startswith(".") for part in inner.split("/"))
        # The links of a web page may lead anywhere.
        if path.startswith(root) and not hidden and info.get("type", "file") == "file":
            found.append(Remote(fs.unstrip_protocol(path), _stamp(info), int(info["size"] or 0)))
    if not found:
        raise SourceError(f"{printable(url)}: no file to read there")
    return found


def whole(url: str) -> str:
    """The URL as ``find`` begins those of the files below it.

    Raises:
        SourceError: its protocol needs a library.
    """
    fs, root = _filesystem(url)
    return str(fs.unstrip_protocol(root)).rstrip("/")


def is_folder(url: str) -> bool:
    """Whether it is a folder and no file; a page of the web is one if it lists event files.

    Raises:
        SourceError: it cannot be reached.
    """
    fs, root = _filesystem(url)
    try:
        with aside():
            if _is_web(fs):
                return _is_listing(fs, root) and any(map(is_event_file, fs.find(root)))
            return bool(not fs.isfile(root) and fs.isdir(root))
    except Exception as error:  # each file system raises its own
        raise _unreachable(url, error) from error


def open_url(url: str) -> BinaryIO:
    """The file behind a URL.

    Raises:
        SourceError: it is missing, may not be read, or the protocol needs a library.
    """
    fs, path = _filesystem(url)
    try:
        with aside():
            return cast("BinaryIO", Checked(fs.open(path, "rb")))
    except FileNotFoundError as error:
        raise _missing(url, error) from error
    except Exception as error:  # each file system raises its own
        raise _unreachable(url, error) from error


class Checked:
    """A remote file whose errors are all ``OSError``, as those of a file on disk."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.size: int | None = getattr(file, "size", None)

    def read(self, n: int = -1) -> bytes:
        """As of any file."""
        try:
            with aside():
                return bytes(self._file.read(n))
        except Exception as error:
            raise OSError(str(error) or type(error).__name__) from error

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """As of any file."""
        return int(self._file.tell())

    def seekable(self) -> bool:
        """As of any file."""
        return bool(self._file.seekable())

    def __enter__(self) -> Checked:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """As of any file."""
        self._file.close()


def _is_web(fs: Any) -> bool:
    protocols = fs.protocol if isinstance(fs.protocol, tuple | list) else (fs.protocol,)
    return "http" in protocols


def _is_listing(fs: Any, root: str) -> bool:
    """Whether a path has others below it; of a log on the web, only its head is asked for."""
    if _is_web(fs) and "html" not in str(fs.info(root).get("mimetype", "html")):
        return False
    return bool(fs.isdir(root))


def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        return cast("tuple[Any, str]", fsspec.core.url_to_fs(url))
    except ImportError as error:
        protocol = url.partition("://")[0].lower()
        extra = _EXTRAS.get(protocol)
        advice = f"pip install 'logparse[{extra}]'" if extra else str(error)
        raise SourceError(f"{printable(url)}: {protocol} needs a library: {advice}") from error
    except Exception as error:
        raise _unreachable(url, error) from error


def _missing(url: str, error: FileNotFoundError) -> SourceError:
    if error.__cause__:  # some file systems say so of all that goes wrong
        return _unreachable(url, error.__cause__)
    return SourceError(f"{printable(url)}: nothing is there; check the URL")


def _unreachable(url: str, error: BaseException) -> SourceError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return SourceError(f"{printable(url)}: cannot be reached: {printable(reason)}")


def _stamp(info: dict[str, Any]) -> str:
    marks = [f"{key}={info[key]}" for key in _MARKS if info.get(key)]
    return " ".join([f"size={info.get('size')}", *marks]) if marks else ""
