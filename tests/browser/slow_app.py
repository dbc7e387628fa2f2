"""The app over a reader that never ends by itself; run by test_app.py to stop it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from logparse.app import main, work


def endless(specs: list[Any], *, progress: Any, **options: Any) -> Iterator[Any]:
    """Tells of more and more bytes."""
    for i in count():
        progress(specs[0].name, i * 1_000_000, 1_000_000_000)
        time.sleep(0.02)
    yield from ()


work.analyze_many = endless
main()
