"""clean: a training with nothing wrong, on which every rule must stay silent.

It goes on where an earlier fit ended, slowly, so that nothing it shows needs explaining:

- One epoch moves the loss far less than one batch differs from the next: averaging makes no jump.
- The bar shows enough of each epoch to know where the network stood at both its ends: a first batch
  that is off is known to be one batch.
- The images it trains on it knows a little better than others: validation does not look better.
- Graphs are built before, and the steps keep a pace: the first epoch takes no longer.
"""

from __future__ import annotations

import time

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
        keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    data = {"x": x[:n], "y": y[:n], "validation_data": (x[n:], y[n:])}
    model.fit(**data, batch_size=64, epochs=run.before, verbose=0, callbacks=[run.recorder])
    run.recorder.clear()
    model.optimizer.learning_rate.assign(run.rate)
    pace = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: time.sleep(run.pause)
    )
    run.fit(model, **data, batch_size=run.batch, epochs=run.epochs, callbacks=[pace])


SCENARIO = Scenario(
    name="clean",
    seed=None,
    question="what does logparse say when nothing is wrong?",
    answer="Nothing.",
    variants={"clean": Variant("the last, slow epochs on arrays in memory", silent=True)},
    scales={
        "smoke": {
            "training": 1600,
            "validation": 400,
            "filters": 8,
            "before": 20,
            "epochs": 4,
            "batch": 16,
            "rate": 2e-5,
            "pause": 0.02,
        },
        "small": {
            "training": 6400,
            "validation": 1600,
            "filters": 16,
            "before": 20,
            "epochs": 8,
            "batch": 32,
            "rate": 1e-5,
            "pause": 0.02,
        },
        "full": {
            "training": 40_000,
            "validation": 8000,
            "filters": 32,
            "before": 20,
            "epochs": 20,
            "batch": 32,
            "rate": 5e-6,
            "pause": 0.0,
        },
    },
    seconds={"smoke": 15, "small": 75, "full": 600},
    train=train,
    need=lambda settings: Need(2_000_000, _images(settings)),
)
