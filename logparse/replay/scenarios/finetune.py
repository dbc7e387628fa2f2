"""finetune (seed 004): VGG16, its last two dense layers trained; why does an epoch take two hours?

The question: 1,120 images of 19 classes, 747 to validate on, two layers to train, and 7,354 s an
epoch. The frozen layers turn each image into the same numbers in every epoch, and that is nearly
all the work. ``features`` is the cure: run them once, keep their output, train the head on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logparse.replay.images import Images
from logparse.replay.scenario import Scenario, Settings, Variant, held
from logparse.replay.training import Training, load

CLASSES = 19
TRAINING, VALIDATION = 1120, 747
"""Images, as in the seed."""


def _images(settings: Settings) -> Images:
    count = settings["training"] + settings["validation"]
    return Images(count, CLASSES, settings["side"], strength=0.6, seed=settings["seed"])


def _head(run: Training, shape: tuple[int, ...]) -> Any:
    """What trains: fc7, batch normalisation and fc8."""
    layers = run.keras.layers
    return [
        run.keras.Input(shape),
        layers.Dense(run.dense, activation="relu", name="fc7"),
        layers.BatchNormalization(),
        layers.Dense(CLASSES, activation="softmax", name="fc8"),
    ]


def _frozen(run: Training) -> Any:
    """VGG16 up to fc6."""
    keras = run.keras
    base = run.application("VGG16", input_shape=(run.side, run.side, 3))
    flat = keras.layers.Flatten(name="flatten")(base.output)
    out = keras.layers.Dense(run.dense, activation="relu", name="fc6")(flat)
    frozen = keras.Model(base.input, out)
    frozen.trainable = False
    return frozen


def train(run: Training) -> None:
    """One fit: of the whole network, or of its head on features that are computed once."""
    wanted = _images(run.settings)
    mixed = np.random.default_rng(run.seed).permutation(wanted.count)
    x, y = load(run.images(wanted), run.side, mixed)
    frozen = _frozen(run)
    if run.once:
        print("computing the features once", flush=True)
        x = frozen.predict(x, batch_size=run.batch, verbose=1)
        model = run.keras.Sequential(_head(run, x.shape[1:]))
    else:
        layers = _head(run, frozen.output.shape[1:])[1:]
        out = frozen.output
        for layer in layers:
            out = layer(out)
        model = run.keras.Model(frozen.input, out)
    model.compile(
        run.keras.optimizers.SGD(run.rate, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    print("Image shape: ", (run.side, run.side, 3))
    print("Number of classes: ", CLASSES)
    model.summary()
    n = run.training
    run.fit(
        model,
        x[:n],
        y[:n],
        batch_size=run.batch,
        epochs=run.epochs,
        validation_data=(x[n:], y[n:]),
    )


SCENARIO = Scenario(
    name="finetune",
    seed="004",
    question="1,120 images, two layers to train, two hours an epoch: why?",
    answer="Every epoch runs every image through thirteen frozen layers again, forward only, with "
    "the same result. Computed once, an epoch is the head alone.",
    variants={
        "recomputed": Variant(
            "the whole network in every epoch, as in the seed",
            {"once": False},
            {"*": ("LP403",)},
            allowed=("LP106", "LP202", "LP206", "LP304", "LP306", "LP307", "LP401"),
        ),
        "features": Variant(
            "the cure: the frozen layers once, then the head alone",
            {"once": True},
            allowed=("LP106", "LP202", "LP304", "LP306", "LP307"),
        ),
    },
    scales={
        "smoke": {
            "side": 32,
            "dense": 64,
            "training": 112,
            "validation": 76,
            "batch": 16,
            "epochs": 4,
            "rate": 1e-2,
        },
        "small": {
            "side": 48,
            "dense": 512,
            "training": TRAINING,
            "validation": VALIDATION,
            "batch": 32,
            "epochs": 4,
            "rate": 1e-2,
        },
        "full": {
            "side": 224,
            "dense": 4096,
            "training": TRAINING,
            "validation": VALIDATION,
            "batch": 32,
            "epochs": 20,
            "rate": 1e-3,
        },
    },
    seconds={"smoke": 12, "small": 180, "full": 7200},
    train=train,
    need=lambda settings: held(_images(settings)),
)
