"""``logparse completion``: the name of a shell in, its completion script out."""

from __future__ import annotations

from argparse import Namespace

from logparse.commands.common import FINE
from logparse.errors import UsageError
from logparse.options import Arguments, Command, hint

COMMAND = Command(
    "Print what makes a shell complete commands and options.",
    "logparse completion bash",
    Arguments("SHELL", "One of bash, zsh and fish.", least=1, most=1),
)


def run(given: Namespace) -> int:
    """Print the script; its first lines say where it goes."""
    from logparse.completion import SHELLS, script

    (shell,) = given.arguments
    if shell not in SHELLS:
        raise UsageError(f"no shell {shell!r}{hint(shell, SHELLS)}")
    print(script(shell), end="")
    return FINE
