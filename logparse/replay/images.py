"""A seed and a count -> JPEG files whose classes a network can learn, the same on every machine.

Each class has a smooth pattern of its own. An image is its class's pattern, shifted, under noise
that is smooth too (so that JPEG keeps it), at a strength that says how hard learning is. Files lie
in one folder a class; a folder of images is whole or absent, and is used again if it is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

MARK = "images.json"
"""Written last: says that a folder is whole, and what is in it."""

BYTES_A_PIXEL = 0.4
"""Size of such a JPEG of 100 by 100 pixels and more, measured; smaller ones add their head."""

HEAD = 650
"""Bytes of a JPEG file before its picture."""

SECONDS, SECONDS_A_PIXEL = 0.0005, 1.6e-7
"""What making an image takes on one core: at least, and for each pixel; measured, rounded up."""

FLOAT = 4
"""Bytes of a float32: of a colour of a pixel as a network takes it."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Images:
    """Which images: how many, of how many classes, their side in pixels.

    ``strength`` is the share of the class's pattern in an image: 1 is no noise, 0 teaches nothing.
    ``grain`` is the part of the noise that differs from pixel to pixel; the rest is smooth.
    """

    count: int
    classes: int
    side: int
    strength: float = 0.5
    grain: float = 0.3
    seed: int = 0

    @property
    def bytes(self) -> int:
        """About how much room the files take on disk."""
        return int(self.count * (HEAD + BYTES_A_PIXEL * self.side**2))

    @property
    def seconds(self) -> float:
        """About how long making them takes."""
        return self.count * (SECONDS + SECONDS_A_PIXEL * self.side**2)

    def decoded(self, side: int) -> int:
        """Bytes of all images as float32 in memory, at ``side`` pixels a side."""
        return self.count * side**2 * 3 * FLOAT

    def folder(self, root: Path) -> Path:
        """Where these images lie below ``root``."""
        text = json.dumps(asdict(self), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return root / f"{self.count}x{self.side}px-{self.classes}classes-{digest}"


def make(images: Images, root: Path, say: Callable[[str], None] = lambda text: None) -> Path:
    """The folder of these images, made if it is not there; ``class_00/00000.jpg`` and so on.

    Raises:
        OSError: the system refused, as when the disk is full; nothing half made is used later.
    """
    from PIL import Image

    folder = images.folder(root)
    if (folder / MARK).is_file():
        return folder
    say(f"making {images.count:,} images")
    making = folder.with_name(folder.name + ".partial")
    shutil.rmtree(making, ignore_errors=True)  # of a killed run
    names = [f"class_{c:02}" for c in range(images.classes)]
    for name in names:
        (making / name).mkdir(parents=True)
    patterns = [_pattern(images.side, [images.seed, 1, c]) for c in range(images.classes)]
    for i in range(images.count):
        c = i % images.classes
        pixels = _image(patterns[c], images, i)
        path = making / names[c] / f"{i // images.classes:06}.jpg"
        Image.fromarray(pixels).save(path, quality=90)
        if (i + 1) % max(1000, images.count // 10) == 0:
            say(f"{i + 1:,} of {images.count:,} images made")
    (making / MARK).write_text(json.dumps(asdict(images)))
    os.rename(making, folder)
    return folder


def files(folder: Path) -> tuple[list[str], list[int]]:
    """Paths and class numbers of a folder's images, as a listing gives them: class after class."""
    paths, labels = [], []
    for label, name in enumerate(sorted(p for p in os.listdir(folder) if p.startswith("class_"))):
        found = sorted(os.listdir(folder / name))
        paths += [str(folder / name / one) for one in found]
        labels += [label] * len(found)
    return paths, labels


def size_on_disk(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def forget(folder: Path) -> bool:
    """Ask the system to drop a folder's files from its page cache; False where it cannot."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in folder.rglob("*.jpg"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # only what is on disk can be dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    return True


def _pattern(side: int, seed: list[int]) -> Floats:
    """A smooth colour picture, mean 0, standard deviation 1; shape (side, side, 3)."""
    coarse = np.random.default_rng(seed).standard_normal((6, 6, 3))
    at = np.linspace(0, 5, side)
    low = np.minimum(at.astype(int), 4)
    part = (at - low)[:, None]
    rows = coarse[low] * (1 - part[..., None]) + coarse[low + 1] * part[..., None]
    both = rows[:, low] * (1 - part[None]) + rows[:, low + 1] * part[None]
    return np.asarray((both - both.mean()) / both.std())


def _image(pattern: Floats, images: Images, number: int) -> Any:
    """One image of a class as bytes, shape (side, side, 3)."""
    rng = np.random.default_rng([images.seed, 2, number])
    side, grain = images.side, images.grain
    noise = grain * rng.standard_normal((side, side, 1))
    if grain < 1:
        noise = noise + (1 - grain) * _pattern(side, [images.seed, 3, number])
    shift = tuple(rng.integers(-side // 8, side // 8 + 1, 2))
    mixed = images.strength * np.roll(pattern, shift, (0, 1)) + (1 - images.strength) * noise
    return np.clip(128 + 60 * mixed, 0, 255).astype(np.uint8)
