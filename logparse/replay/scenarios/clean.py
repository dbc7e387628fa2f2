"""clean: a training with nothing wrong, on which every rule must stay silent.

It goes on where an earlier fit ended, slowly, so that nothing it shows needs explaining:

- One epoch moves the loss far less than one batch differs from the next: averaging makes no jump.
- It learns to its end: no epoch is for nothing.
- Each epoch mixes its images anew: no batch is the first of every epoch, or the last.
- The bar shows enough of each epoch to know where the network stood at both its ends: a first batch
  that is off is known to be one batch.
- The images it trains on it knows a little better than others: validation does not look better.
- Graphs are built before, and the steps keep a pace: the first epoch takes no longer.
- One iterator serves all epochs, and none has the autotuner of tf.data: at the end of one that has,
  training waits until the autotuner wakes, now and then for seconds (seen with TensorFlow 2.21).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from logparse.replay.images import Images
from logparse.replay.scenario import Scenario, Settings, Variant, held
from logparse.replay.training import Training, batches, load

CLASSES = 4


def _images(settings: Settings) -> Images:
    count = settings["training"] + settings["validation"]
    # The same images for every seed: twenty seeds are twenty trainings, not twenty data sets.
    return Images(count, CLASSES, 16, strength=0.3, seed=0)


def _network(run: Training) -> Any:
    keras = run.keras
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
    return model


def train(run: Training) -> None:
    """One fit over a generator, after another that ends the learning."""
    wanted = _images(run.settings)
    mixed = np.random.default_rng(run.seed).permutation(wanted.count)
    x, y = load(run.images(wanted), wanted.side, mixed)
    n, size = run.training, run.batch

    def data(fit: int) -> Iterator[tuple[Any, Any]]:
        rng = np.random.default_rng([run.seed, fit])
        return batches(x[:n], y[:n], size, lambda: rng.permutation(n))

    still = run.tf.data.Options()
    still.autotune.enabled = False
    others = run.tf.data.Dataset.from_tensor_slices((x[n:], y[n:])).batch(size).with_options(still)
    model = _network(run)
    model.fit(x[:n], y[:n], batch_size=64, epochs=run.before, verbose=0)
    options = {"steps_per_epoch": n // size, "validation_data": others}
    model.fit(data(1), verbose=0, callbacks=[run.recorder], **options)
    run.recorder.clear()
    model.optimizer.learning_rate.assign(run.rate)
    pace = run.keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: time.sleep(run.pause)
    )
    run.fit(model, data(2), epochs=run.epochs, callbacks=[pace], **options)


SCENARIO = Scenario(
    name="clean",
    seed=None,
    question="what does logparse say when nothing is wrong?",
    answer="Nothing.",
    variants={"clean": Variant("the last, slow epochs on images in memory", silent=True)},
    scales={
        "smoke": {
            "training": 3200,
            "validation": 800,
            "filters": 8,
            "before": 10,
            "epochs": 4,
            "batch": 32,
            "rate": 2e-5,
            "pause": 0.02,
        },
        "small": {
            "training": 6400,
            "validation": 1600,
            "filters": 16,
            "before": 4,
            "epochs": 8,
            "batch": 32,
            "rate": 3e-4,
            "pause": 0.02,
        },
        "full": {
            "training": 40_000,
            "validation": 8000,
            "filters": 32,
            "before": 2,
            "epochs": 10,
            "batch": 32,
            "rate": 1e-4,
            "pause": 0.0,
        },
    },
    seconds={"smoke": 15, "small": 75, "full": 240},
    train=train,
    need=lambda settings: held(_images(settings)),
)
