"""augmentation (seed 002): a network of the cifar10 example; does a transform slow training down?

The question: Keras's ImageDataGenerator takes 22 s an epoch, a plain generator that does nothing
but hand out images 28 s, and without the transform ImageDataGenerator is slower, too. The variants
train the same network on the same arrays with the transform, without it, from a plain
generator, and with other workers and queues.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logparse.replay.images import Images
from logparse.replay.scenario import Scenario, Settings, Variant, held
from logparse.replay.training import Training, batches, load

CLASSES = 10

TRANSFORM = {"width_shift_range": 0.1, "height_shift_range": 0.1, "horizontal_flip": True}
"""As in the cifar10 example of Keras 1.1."""


def _images(settings: Settings) -> Images:
    return Images(settings["images"], CLASSES, 32, strength=0.5, seed=settings["seed"])


def _network(run: Training) -> Any:
    """The cifar10 example of Keras 1.1, with fewer filters at smaller scales."""
    keras, f = run.keras, run.filters
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(f, 3, padding="same", activation="relu"),
            layers.Conv2D(f, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Conv2D(2 * f, 3, padding="same", activation="relu"),
            layers.Conv2D(2 * f, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(16 * f, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(run.rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    return model


def _data(run: Training, x: Any, y: Any) -> Any:
    rng = np.random.default_rng(run.seed)
    if run.source == "plain":
        return batches(x, y, run.batch, lambda: rng.permutation(len(x)))
    if run.source == "prefetch":
        data = run.tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x))
        return data.batch(run.batch).prefetch(run.tf.data.AUTOTUNE)
    if run.legacy:
        from tf_keras.preprocessing.image import ImageDataGenerator
    else:
        from keras.src.legacy.preprocessing.image import ImageDataGenerator
    flow = ImageDataGenerator(**TRANSFORM if run.source == "transform" else {}).flow(
        x, y, batch_size=run.batch, seed=run.seed
    )
    if not run.legacy:
        flow.workers, flow.max_queue_size = run.workers, run.queue
    return flow


def train(run: Training) -> None:
    """One fit over the chosen source."""
    x, y = load(run.images(_images(run.settings)), 32)
    model = _network(run)
    steps = len(x) // run.batch
    options: dict[str, Any] = {} if run.source == "prefetch" else {"steps_per_epoch": steps}
    if run.legacy:  # Keras 3 has them on the data
        options |= {"workers": run.workers, "max_queue_size": run.queue}
    run.fit(model, _data(run, x, y), epochs=run.epochs, **options)


_ALLOWED = ("LP101", "LP202", "LP401", "LP404")

SCENARIO = Scenario(
    name="augmentation",
    seed="002",
    question="22 s an epoch with a random transform, 28 s without: can doing less be slower?",
    answer="The transform runs in threads beside the training and is free while they keep up; "
    "past that it is the limit. Two epochs' times differ for many reasons: look at their spread.",
    variants={
        "transform": Variant(
            "ImageDataGenerator with shifts and flips",
            {"source": "transform", "workers": 1, "queue": 10},
            allowed=_ALLOWED,
        ),
        "no-transform": Variant(
            "ImageDataGenerator that transforms nothing",
            {"source": "no transform", "workers": 1, "queue": 10},
            allowed=_ALLOWED,
        ),
        "plain": Variant(
            "a plain generator that hands out batches",
            {"source": "plain", "workers": 1, "queue": 10},
            allowed=_ALLOWED,
        ),
        "four-workers": Variant(
            "the transform in four threads with a long queue",
            {"source": "transform", "workers": 4, "queue": 40},
            allowed=_ALLOWED,
        ),
        "prefetch": Variant(
            "tf.data with prefetch, no transform",
            {"source": "prefetch", "workers": 1, "queue": 10},
            allowed=_ALLOWED,
        ),
    },
    scales={
        "smoke": {"images": 1600, "batch": 32, "filters": 4, "epochs": 4, "rate": 1e-3},
        "small": {"images": 6400, "batch": 32, "filters": 16, "epochs": 5, "rate": 1e-3},
        "full": {"images": 50_000, "batch": 32, "filters": 32, "epochs": 20, "rate": 1e-3},
    },
    seconds={"smoke": 6, "small": 60, "full": 1800},
    train=train,
    need=lambda settings: held(_images(settings)),
)
