"""Names of files in, which are event files and to which run each belongs; no file is opened."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Literal, get_args

PARTS = ("train", "validation")
"""Folders that Keras makes below the folder of a run."""

FILE_KIND = "event file"
"""Kind of the message that names a file of the run."""

CUT_KIND = "record not complete"
"""Kind of the message about a last record that the end of the file cuts off."""

Restarts = Literal["keep", "segment", "preempt"]
"""What to do where steps begin again, as in a second fit.

``keep`` every row, ``segment`` counting the files of a part. ``segment``: count a new segment for
a tag wherever its step does not grow, so that (part, tag, segment, step) is a key; every file is
a run of its own. ``preempt``: drop what a later row of the tag overtakes, as TensorBoard does, and
epochs that a later fit did again.
"""

RESTARTS: tuple[Restarts, ...] = get_args(Restarts)

_EMPTY_PROFILE = ".profile-empty"


def is_event_file(name: str) -> bool:
    """Whether a file of this name is taken for an event file."""
    base = name.rsplit("/", 1)[-1]
    return "tfevents" in base and not base.endswith(_EMPTY_PROFILE)


def events_in(folder: str) -> list[str]:
    """Paths of the event files of the run in a folder and its parts, by name.

    Raises:
        OSError: it cannot be listed.
    """
    found = []
    for part in ("", *PARTS):
        inner = os.path.join(folder, part) if part else folder
        if os.path.isdir(inner):
            found += [
                os.path.join(inner, name)
                for name in sorted(os.listdir(inner))
                if is_event_file(name) and not name.startswith(".")
            ]
    return found


def is_empty_profile(name: str) -> bool:
    """Whether a file of this name only marks that a profile lies beside it."""
    return name.endswith(_EMPTY_PROFILE)


def run_of(name: str, own_name: str = "") -> tuple[str, str]:
    """The run and the part of an event file.

    >>> run_of("lr-0.1/train/events.out.tfevents.1"), run_of("events.out.tfevents.1", "train")
    (('lr-0.1', 'train'), ('.', 'train'))

    Args:
        name: path below a folder, with ``/``.
        own_name: name of that folder.

    Returns:
        Folder of the run below that folder, ``.`` for itself; ``train``, ``validation`` or empty.
    """
    folder = PurePosixPath(name).parent
    part = folder.name or (own_name if folder == PurePosixPath(".") else "")
    if part not in PARTS:
        return str(folder), ""
    return str(folder.parent), part
