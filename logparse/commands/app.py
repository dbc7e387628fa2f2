"""``logparse app``: logs in, pages in a browser out."""

from __future__ import annotations

from argparse import Namespace

from logparse.commands.common import FINE, count
from logparse.options import Arguments, Command, Parser


def _options(parser: Parser) -> None:
    parser.option(
        "--port", metavar="N", type=count, help="Where to listen; a free port, if left out."
    )
    parser.option(
        "--max-upload", metavar="MB", type=count, help="Largest file to upload. Default: 200."
    )
    parser.option("--no-browser", action="store_true", help="Open no browser; print the address.")


COMMAND = Command(
    "Look at logs in a browser; nothing leaves this computer.",
    "logparse app runs/",
    Arguments("PATH...", "Logs to show at once, and to follow while they grow."),
    _options,
)


def run(given: Namespace) -> int:
    """Serve the app until Ctrl-C."""
    from logparse.app.server import serve

    serve(
        given.arguments,
        port=given.port,
        browser=not given.no_browser,
        upload_mb=given.max_upload,
        say=lambda url: print(f"{url}\nCtrl-C ends the app.", flush=True),
    )
    return FINE
