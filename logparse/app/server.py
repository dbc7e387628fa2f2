"""Paths and a port in, a running server and a page in the browser out, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from logparse.app.settings import SETTINGS, flags, themes
from logparse.errors import LogparseError, SourceError, UsageError

SCRIPT = Path(__file__).parent / "script" / "app.py"
HOST = "127.0.0.1"
PORT = 8501
"""Where the app is if nothing else is."""

TRIES = 20
"""Ports from there on that are tried."""

STARTED = "URL: "
"""What Streamlit prints once it listens."""

TAKEN = "is not available"
"""What it says of a port that another took in between."""

PATIENCE = 10.0
"""Seconds a server gets to end by itself."""


class ServerError(LogparseError):
    """The server did not start, or ended by itself."""


def serve(
    paths: Sequence[str],
    *,
    port: int | None,
    browser: bool,
    upload_mb: int | None,
    say: Callable[[str], None],
) -> None:
    """Run the app until it is interrupted.

    Args:
        paths: logs that visitors see and can follow; nothing else on the disk is.
        port: where to listen; by default the first free one from ``PORT`` on.
        browser: open the page in a browser, too.
        upload_mb: largest file that can be uploaded, in MB.
        say: told where the page is, once it is there.

    Raises:
        UsageError: Streamlit is not installed, or the port is taken.
        SourceError: a path is not there.
        ServerError: the server did not start, or ended by itself.
    """
    if find_spec("streamlit") is None:
        raise UsageError("the app needs Streamlit: pip install 'logparse[app]'")
    found = [os.path.abspath(path) for path in paths]
    for given, path in zip(paths, found, strict=True):
        if not os.path.exists(path):
            raise SourceError(f"{given}: no such file or folder")
    more: dict[str, object] = {} if upload_mb is None else {"server.maxUploadSize": upload_mb}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for one in ports(port):
            with running(SCRIPT, one, found, more) as child:
                if child is None:
                    continue
                url = f"http://{HOST}:{one}"
                say(url)
                if browser:
                    webbrowser.open(url)
                if code := child.wait():
                    raise ServerError(f"the server ended by itself with code {code}")
                return
    except KeyboardInterrupt:
        return
    if port is not None:
        raise UsageError(f"port {port} is taken or not allowed; without --port a free one is taken")
    raise UsageError(f"ports {PORT} to {PORT + TRIES - 1} are all taken; name one with --port")


def ports(port: int | None) -> Iterator[int]:
    """The port asked for, or those from ``PORT`` on, as far as they are free now."""
    for one in [port] if port is not None else range(PORT, PORT + TRIES):
        with socket.socket() as probe:
            # As the server does: a port that was in use a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, one))
            except OSError:
                continue
        yield one


@contextmanager
def running(
    script: Path, port: int, args: Sequence[str], more: dict[str, object]
) -> Iterator[subprocess.Popen[str] | None]:
    """A server that listens, or None if another took the port; it ends with the block.

    Raises:
        ServerError: it did not start.
    """
    settings = SETTINGS | themes() | {"server.headless": True, "logger.level": "error"} | more
    settings["server.port"] = port
    command = [sys.executable, "-m", "streamlit", "run", str(script), *flags(settings), "--", *args]
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            if any(STARTED in line for line in child.stdout):
                for stream, to in ((child.stdout, None), (child.stderr, sys.stderr)):
                    threading.Thread(target=_pass_on, args=(stream, to), daemon=True).start()
                yield child
            elif TAKEN in (said := child.stderr.read()):
                yield None
            else:
                last = said.strip().rsplit("\n", 1)[-1]
                raise ServerError(f"the server did not start: {last}")
        finally:
            _end(child)


def _pass_on(stream: IO[str], to: IO[str] | None) -> None:
    """Lines as they come: one who reads nothing would stop the one who writes."""
    for line in stream:
        if to:
            to.write(line)
            to.flush()


def _end(child: subprocess.Popen[str]) -> None:
    """End the server and wait for it."""
    for end in (child.terminate, child.kill):
        if child.poll() is None:
            end()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            continue
        return
