"""epoch-jump (seed 003): an outer loop of one-epoch fits; does accuracy jump between epochs?

The question: 406 steps an epoch end with ``acc: 0.8918``, and the next epoch's first line says
0.9424. The variants differ in the order of the data alone, but for ``memorisable``, where labels
are drawn by lot, so that nothing can be learnt but each image by heart.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from logparse.replay.images import Images
from logparse.replay.scenario import Scenario, Settings, Variant, held
from logparse.replay.training import Training, batches, load

CLASSES = 8


def _images(settings: Settings) -> Images:
    return Images(
        count=settings["steps"] * settings["batch"],
        classes=CLASSES,
        side=settings["side"],
        strength=settings["strength"],
        grain=settings["grain"],
        seed=settings["seed"],
    )


def _network(run: Training) -> Any:
    """A small network of convolutions; for ``memorisable`` one layer, wide enough to learn all."""
    keras = run.keras
    layers, shape = keras.layers, (run.side, run.side, 3)
    if run.order == "by heart":
        model = keras.Sequential(
            [keras.Input(shape), layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]
        )
        # One step on an image moves its own score by about 4: it is known from then on.
        rate = 4 * run.batch / (run.side**2 * 3 * 0.1)
        optimizer = keras.optimizers.SGD(rate)
    else:
        model = keras.Sequential(
            [
                keras.Input(shape),
                layers.Conv2D(run.filters, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(2 * run.filters, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(4 * run.filters, activation="relu"),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        # A high rate without memory follows sorted data from class to class.
        adam = run.order != "sorted"
        optimizer = keras.optimizers.Adam(run.rate) if adam else keras.optimizers.SGD(0.03)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(run: Training) -> None:
    """As in the seed: ``for i in range(epochs)``: print, then ``fit`` for one epoch."""
    x, y = load(run.images(_images(run.settings)), run.side)
    rng = np.random.default_rng(run.seed)
    mixed = rng.permutation(len(x))
    if run.order == "by heart":
        y = rng.permutation(y)
    orders = {
        "fixed": lambda: mixed,
        "by heart": lambda: mixed,
        "shuffled": lambda: rng.permutation(len(x)),
        "sorted": lambda: np.argsort(y, kind="stable"),
    }
    data = batches(x, y, run.batch, orders[run.order])
    model = _network(run)
    # Keras draws a line each 50 ms: on a fast machine the small scale would show next to none.
    pace = run.keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: time.sleep(run.pause)
    )
    options = {"steps_per_epoch": run.steps, "epochs": 1, "callbacks": [pace]}
    for i in range(run.epochs):
        print(f"train_model:: starting epoch {i + 1}/{run.epochs}", flush=True)
        run.fit(model, data, of=run.epochs, **options)


SCENARIO = Scenario(
    name="epoch-jump",
    seed="003",
    question="accuracy ends an epoch at 0.8918 and starts the next at 0.9424: what happened there?",
    answer="Nothing: one number is the average of an epoch, the other a batch. With data that can "
    "be learnt by heart, or sorted data, the network itself does change there.",
    variants={
        "ordinary": Variant(
            "mixed once, then the same order in every epoch, as in the seed",
            {"order": "fixed"},
            {"*": ("LP101",)},
        ),
        "shuffled": Variant(
            "mixed anew before every epoch", {"order": "shuffled"}, {"*": ("LP101",)}
        ),
        "sorted": Variant(
            "one class after the other: the loss is a saw with a tooth a class, and each epoch "
            "starts with a class long unseen",
            {"order": "sorted"},
            allowed=("LP305",),
        ),
        "memorisable": Variant(
            "labels by lot: the second time an image comes, the network knows it by heart",
            # Fewer images than pixels, at every scale: else one layer cannot know them all.
            {"order": "by heart", "strength": 0.0, "grain": 1.0, "side": 64, "batch": 4},
            {"*": ("LP102",)},
        ),
    },
    scales={
        "smoke": {
            "steps": 100,
            "pause": 0.02,
            "batch": 32,
            "side": 24,
            "epochs": 3,
            "filters": 8,
            "rate": 1e-3,
            "strength": 0.5,
            "grain": 0.3,
        },
        "small": {
            "steps": 406,
            "pause": 0.0,
            # Large, and the images clear: the jump stands out from the chance of one batch.
            "batch": 64,
            "side": 32,
            "epochs": 3,
            "filters": 16,
            "rate": 3e-4,
            "strength": 0.35,
            "grain": 0.3,
        },
        "full": {
            "steps": 406,
            "pause": 0.0,
            "batch": 128,
            "side": 64,
            "epochs": 3,
            "filters": 64,
            "rate": 5e-4,
            "strength": 0.3,
            "grain": 0.3,
        },
    },
    seconds={"smoke": 8, "small": 60, "full": 600},
    train=train,
    need=lambda settings: held(_images(settings)),
)
