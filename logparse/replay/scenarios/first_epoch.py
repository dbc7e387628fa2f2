"""first-epoch (seed 000): InceptionV3, fed by a generator; why is the first epoch so slow?

The question: 29 s a step in the first epoch, 530 ms in the others, on a notebook in the cloud; is
something remembered? Three things can be slow once: building the graph (its first step), files that
are not in the page cache or lie on slow storage (the first read of each), and a generator that
keeps what it decoded. The variants have them one by one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from logparse.replay import images
from logparse.replay.images import Images
from logparse.replay.scenario import RECORDS, Need, Scenario, Settings, Variant
from logparse.replay.training import Training, read_image

CLASSES = 8

TRAINABLE = 50
"""Layers at the end of the network that train, as in the seed, and all batch normalisation."""


def _images(settings: Settings) -> Images:
    count = (settings["steps"] + settings["validation_steps"]) * settings["batch"]
    return Images(count, CLASSES, settings["file_side"], strength=0.6, seed=settings["seed"])


def _need(settings: Settings) -> Need:
    wanted = _images(settings)
    kept = wanted.decoded(settings["side"]) if settings["cache"] else 0
    return Need(RECORDS, wanted, memory=kept)


class Reader:
    """Reads images from files one by one, as cv2.imread in a loop; may remember what it read."""

    def __init__(self, side: int, *, cache: bool, delay: float) -> None:
        self.side, self.cache, self.delay = side, cache, delay
        self._kept: dict[str, Any] = {}
        self._seen: set[str] = set()

    def __call__(self, path: str) -> Any:
        """The image; the first time it comes, slow storage takes ``delay`` seconds."""
        if path in self._kept:
            return self._kept[path]
        if self.delay and path not in self._seen:
            self._seen.add(path)
            time.sleep(self.delay)
        image = read_image(path, self.side)
        if self.cache:
            self._kept[path] = image
        return image


def generator(
    paths: list[str], labels: list[int], read: Reader, batch: int
) -> Iterator[tuple[Any, Any]]:
    """As in the seed: files in one order, batch by batch, for ever."""
    while True:
        for at in range(0, len(paths) - batch + 1, batch):
            x = np.stack([read(path) for path in paths[at : at + batch]])
            yield x, np.array(labels[at : at + batch])


def _network(run: Training) -> Any:
    keras = run.keras
    base = run.application(run.network, input_shape=(run.side, run.side, 3), **run.network_options)
    for layer in base.layers[:-TRAINABLE]:
        layer.trainable = isinstance(layer, keras.layers.BatchNormalization)
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    out = keras.layers.Dense(CLASSES, activation="softmax")(pooled)
    model = keras.Model(base.input, out)
    model.compile(
        keras.optimizers.Adamax(run.rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def train(run: Training) -> None:
    """``fit`` over the generator, with validation over another."""
    folder = run.images(_images(run.settings))
    paths, labels = images.files(folder)
    order = np.random.default_rng(run.seed).permutation(len(paths))
    paths, labels = [paths[i] for i in order], [labels[i] for i in order]
    held = run.validation_steps * run.batch
    model = _network(run)
    if run.files == "cold":
        run.facts["page_cache_dropped"] = images.forget(folder)
    else:
        for path in paths:
            with open(path, "rb") as file:
                file.read()

    def data(rows: slice) -> Iterator[tuple[Any, Any]]:
        read = Reader(run.side, cache=run.cache, delay=run.delay if run.files == "slow" else 0.0)
        return generator(paths[rows], labels[rows], read, run.batch)

    run.fit(
        model,
        data(slice(held, None)),
        steps_per_epoch=run.steps,
        epochs=run.epochs,
        validation_data=data(slice(held)),
        validation_steps=run.validation_steps,
    )


SCENARIO = Scenario(
    name="first-epoch",
    seed="000",
    question="29 s a step in the first epoch, 530 ms in the others: is something remembered?",
    answer="Yes, but not by Keras: files stay in the page cache or on the local disk after the "
    "first read, and a generator may keep what it decoded. The first step alone also builds the "
    "graph.",
    variants={
        "warm": Variant(
            "files in the page cache: what is slow is the first step, which builds the graph",
            {"files": "warm", "cache": False},
            {"small": ("LP202",), "full": ("LP202",)},
            allowed=("LP202", "LP304", "LP401"),
        ),
        "cold": Variant(
            "files dropped from the page cache before the start",
            {"files": "cold", "cache": False},
            {"small": ("LP202",), "full": ("LP202",)},
            allowed=("LP202", "LP304", "LP401"),
        ),
        "generator-cache": Variant(
            "a generator that keeps what it decoded in the first epoch",
            {"files": "warm", "cache": True},
            {"small": ("LP202",), "full": ("LP202",)},
            allowed=("LP202", "LP304", "LP401", "LP402"),
        ),
        "slow-storage": Variant(
            "the first read of each file takes a stated delay, as from a network drive; later "
            "reads do not",
            {"files": "slow", "cache": False},
            {"*": ("LP202",)},
            allowed=("LP304", "LP401", "LP402"),
        ),
    },
    scales={
        # Building the graph of InceptionV3 alone takes half a minute on two cores.
        "smoke": {
            "network": "MobileNet",
            "network_options": {"alpha": 0.25},
            "side": 32,
            "file_side": 64,
            "batch": 8,
            "steps": 12,
            "validation_steps": 2,
            "epochs": 5,
            "rate": 2e-3,
            "delay": 0.06,
        },
        "small": {
            "network": "InceptionV3",
            "network_options": {},
            "side": 96,
            "file_side": 512,
            "batch": 8,
            "steps": 40,
            "validation_steps": 4,
            "epochs": 5,
            "rate": 2e-3,
            "delay": 0.3,
        },
        "full": {
            "network": "InceptionV3",
            "network_options": {},
            "side": 299,
            "file_side": 512,
            "batch": 32,
            "steps": 200,
            "validation_steps": 40,
            "epochs": 30,
            "rate": 1e-2,
            "delay": 0.9,
        },
    },
    seconds={"smoke": 10, "small": 120, "full": 36_000},
    train=train,
    need=_need,
)
