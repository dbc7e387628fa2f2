"""The logs that come with logparse: which there are, what each shows, where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    """One log worth a look; ``file``, or a folder of events, is in the folder of samples."""

    file: str
    question: str
    shows: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return folder() / self.file

    def files(self) -> list[tuple[str, bytes]]:
        """Its files, each with its name from the sample's own folder on."""
        path = self.path
        found = sorted(one for one in path.rglob("*") if one.is_file()) or [path]
        return [
            ("/".join(one.relative_to(path.parents[1]).parts), one.read_bytes()) for one in found
        ]


SAMPLES = (
    Sample(
        "seeds/003_outer_loop.log",
        "Why does accuracy jump from 89\u00a0% to 94\u00a0%?",
        "Keras 2.0, a question on Stack Overflow",
    ),
    Sample(
        "keras-2.3.1/slowfirst.log",
        "Why was the first epoch slow, and what happened in epoch 6?",
        "Keras 2.3, a real training that stalls",
    ),
    Sample(
        "keras-3.0.5/outer.log",
        "Is the number at the end of the line right?",
        "Keras 3.0, averages of averages",
    ),
    Sample(
        "tf-2.0.4/nan.log",
        "Where did the loss become nan?",
        "TensorFlow 2.0, a training that breaks",
    ),
    Sample(
        "keras-3.12.0/tensorboard",
        "What is behind the curves of TensorBoard?",
        "Keras 3.12, event files of training and validation",
    ),
    Sample(
        "seeds/004_vgg16_finetune.log",
        "Why does an epoch take two hours?",
        "Keras 1, fine-tuning VGG-16",
    ),
)
"""Logs that the app offers to a newcomer."""


def folder() -> Path:
    """The folder of sample logs: in the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    inside = here / "sample_logs"
    return inside if inside.is_dir() else here.parent / "sample_logs"
