"""Epoch times in, the log that Keras (TF 2.x, one last line an epoch) prints of them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def made_log(
    seconds: Sequence[float],
    *,
    steps: int = 1833,
    losses: Sequence[float] | None = None,
    first_epoch: int = 1,
) -> str:
    """A log of these epochs, times printed in whole seconds."""
    lines = []
    for i, time in enumerate(seconds):
        step = time / steps
        per = f"{step:.0f}s" if step >= 1 else f"{1e3 * step:.0f}ms"
        loss = losses[i] if losses is not None else 2.0 / (i + 2)
        lines += [
            f"Epoch {first_epoch + i}/{first_epoch + len(seconds) - 1}",
            f"{steps}/{steps} [{30 * '='}] - {time:.0f}s {per}/step - loss: {loss:.4f}",
        ]
    return "\n".join(lines) + "\n"


def write_log(path: Path, seconds: Sequence[float], **changes: object) -> Path:
    """The same in a file."""
    path.write_text(made_log(seconds, **changes))  # type: ignore[arg-type]
    return path
