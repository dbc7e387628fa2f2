"""clean: a training with nothing wrong, on which every rule must stay silent.

The data is in memory and mixed anew in every epoch, the network small and its rate low, so that it
learns evenly; an epoch is long enough that one batch says little about the others.
"""

from __future__ import annotations

import numpy as np

from logparse.replay.images import Images
from logparse.replay.scenario import Need, Scenario, Settings, Variant
from logparse.replay.training import Training, load

CLASSES = 4


def _images(settings: Settings) -> Images:
    count = settings["training"] + settings["validation"]
    # The same images for every seed: twenty seeds are twenty trainings, not twenty data sets.
    return Images(count, CLASSES, 16, strength=0.3, seed=0)


def train(run: Training) -> None:
    """One fit on arrays."""
    x, y = load(run.images(_images(run.settings)), 16)
    mixed = np.random.default_rng(run.seed).permutation(len(x))
    x, y = x[mixed], y[mixed]
    keras, n = run.keras, run.training
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(run.filters, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(run.rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    # As when a training goes on from saved weights: the fast beginning is behind it.
    model.fit(x[:n], y[:n], batch_size=32, epochs=run.before, verbose=0)
    run.fit(
        model,
        x[:n],
        y[:n],
        batch_size=32,
        epochs=run.epochs,
        validation_data=(x[n:], y[n:]),
    )


SCENARIO = Scenario(
    name="clean",
    seed=None,
    question="what does logparse say when nothing is wrong?",
    answer="Nothing.",
    variants={"clean": Variant("arrays in memory, mixed in every epoch", silent=True)},
    scales={
        "smoke": {
            "training": 1600,
            "validation": 400,
            "filters": 8,
            "epochs": 5,
            "rate": 1e-4,
            "before": 6,
        },
        "small": {
            "training": 8000,
            "validation": 2000,
            "filters": 32,
            "epochs": 8,
            "rate": 5e-5,
            "before": 4,
        },
        "full": {
            "training": 40_000,
            "validation": 8000,
            "filters": 64,
            "epochs": 20,
            "rate": 2e-5,
            "before": 4,
        },
    },
    seconds={"smoke": 5, "small": 60, "full": 600},
    train=train,
    need=lambda settings: Need(2_000_000, _images(settings)),
)
