"""Paths and a port in, a running server and a page in the browser out, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path

from logparse.app.settings import SETTINGS, flags, themes
from logparse.errors import LogparseError, SourceError, UsageError

SCRIPT = Path(__file__).parent / "script" / "app.py"
HOST = "127.0.0.1"
PORT = 8501
"""Where the app is if nothing else is."""

TRIES = 20
"""Ports after it that are tried."""

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
        ServerError: the server did not start.
    """
    if find_spec("streamlit") is None:
        raise UsageError("the app needs Streamlit: pip install 'logparse[app]'")
    found = [os.path.abspath(path) for path in paths]
    for given, path in zip(paths, found, strict=True):
        if not os.path.exists(path):
            raise SourceError(f"{given}: no such file or folder")
    settings = SETTINGS | themes() | {"server.headless": True, "logger.level": "error"}
    settings["server.port"] = chosen = free_port(port)
    if upload_mb is not None:
        settings["server.maxUploadSize"] = upload_mb
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), *flags(settings)]
    child = subprocess.Popen([*command, "--", *found], stdout=subprocess.DEVNULL)  # noqa: S603
    url = f"http://{HOST}:{chosen}"
    threading.Thread(target=_announce, args=(child, chosen, url, browser, say), daemon=True).start()
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        code = child.wait()
    except KeyboardInterrupt:
        return
    finally:
        _end(child)
    if code:
        raise ServerError(f"the server ended by itself with code {code}")


def _announce(
    child: subprocess.Popen[bytes], port: int, url: str, browser: bool, say: Callable[[str], None]
) -> None:
    """Say where the page is as soon as it can be opened."""
    while child.poll() is None:
        if answers(port):
            say(url)
            if browser:
                webbrowser.open(url)
            return


def answers(port: int) -> bool:
    """Whether the server is there; waits a little if it is not."""
    try:
        connection = HTTPConnection(HOST, port, timeout=1)
        connection.request("GET", "/_stcore/health")
        connection.getresponse().read()
    except (OSError, HTTPException):
        time.sleep(0.1)
        return False
    return True


def free_port(port: int | None) -> int:
    """The port asked for, or the first free one from ``PORT`` on.

    Raises:
        UsageError: it is taken, or all are.
    """
    wanted = [port] if port is not None else range(PORT, PORT + TRIES)
    for one in wanted:
        with socket.socket() as probe:
            # As the server does: a port that was in use a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, one))
            except OSError:
                continue
            return one
    if port is not None:
        raise UsageError(f"port {port} is taken or not allowed; without --port a free one is taken")
    raise UsageError(f"ports {PORT} to {PORT + TRIES - 1} are all taken; name one with --port")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the server and wait for it."""
    for end in (child.terminate, child.kill):
        if child.poll() is None:
            end()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            continue
        return
