"""pipelines (seed 001): MobileNet frozen under a new head; which input pipeline is faster?

The question: an epoch over COCO takes 58 minutes with ImageDataGenerator, 23 with tf.data, 14 with
tf.data and a cache in a file (42 while it is filled); a cache in memory crashes; and 18 GB of
images become a cache of 90 GB. The variants are these pipelines. The sizes are written down in
``meta.json``: JPEG files are compressed, a cache holds decoded float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from logparse.replay import images
from logparse.replay.images import Images
from logparse.replay.scenario import RECORDS, Need, Scenario, Settings, Variant
from logparse.replay.training import Training


def _images(settings: Settings) -> Images:
    return Images(
        settings["images"],
        settings["classes"],
        settings["file_side"],
        strength=0.6,
        seed=settings["seed"],
    )


def _need(settings: Settings) -> Need:
    wanted, kept = _images(settings), settings["pipeline"]
    size = wanted.decoded(settings["side"])
    return Need(
        RECORDS + (size if kept == "cache file" else 0),
        wanted,
        memory=size if kept == "cache memory" else 0,
    )


def _generator(run: Training, folder: Path) -> Any:
    """Keras's ImageDataGenerator, as it is read from a folder."""
    if run.legacy:
        from tf_keras.preprocessing.image import ImageDataGenerator
    else:
        from keras.src.legacy.preprocessing.image import ImageDataGenerator
    return ImageDataGenerator(rescale=1 / 127.5).flow_from_directory(
        str(folder),
        target_size=(run.side, run.side),
        batch_size=run.batch,
        class_mode="sparse",
        seed=run.seed,
    )


def _dataset(run: Training, folder: Path) -> Any:
    """tf.data: list, decode in parallel, keep if asked to, shuffle, batch, prefetch."""
    tf = run.tf
    paths, labels = images.files(folder)
    order = np.random.default_rng(run.seed).permutation(len(paths))

    def decode(path: Any, label: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        image = tf.image.resize(image, [run.side, run.side])
        return image / 127.5 - 1.0, label

    data = tf.data.Dataset.from_tensor_slices(
        ([paths[i] for i in order], [labels[i] for i in order])
    )
    data = data.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    if run.pipeline == "cache memory":
        data = data.cache()
    elif run.pipeline == "cache file":
        data = data.cache(str(run.folder / "cache" / "images"))
    return data.shuffle(8 * run.batch).batch(run.batch).prefetch(tf.data.AUTOTUNE)


def train(run: Training) -> None:
    """One fit with the pipeline, then the sizes."""
    wanted = _images(run.settings)
    folder = run.images(wanted)
    keras = run.keras
    base = run.application("MobileNet", input_shape=(run.side, run.side, 3), alpha=run.alpha)
    base.trainable = False
    model = keras.Sequential(
        [
            base,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(run.classes, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(run.rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    cache = run.folder / "cache"
    cache.mkdir()
    data = _generator(run, folder) if run.pipeline == "generator" else _dataset(run, folder)
    run.fit(model, data, epochs=run.epochs)
    jpeg = images.size_on_disk(folder)
    run.facts |= {"jpeg_bytes": jpeg, "decoded_bytes": wanted.decoded(run.side)}
    if run.pipeline == "cache file":
        run.facts["cache_file_bytes"] = images.size_on_disk(cache)
        run.facts["cache_to_jpeg"] = run.facts["cache_file_bytes"] / jpeg
    for file in cache.iterdir():
        file.unlink()  # large, and of no use to who reads the log
    cache.rmdir()


SCENARIO = Scenario(
    name="pipelines",
    seed="001",
    question="ImageDataGenerator 58 min an epoch, tf.data 23, with a cache 14: is that so, and why "
    "do 18 GB become 90?",
    answer="A pipeline that decodes JPEG in one Python thread is the limit; a cache pays from the "
    "epoch in which what it saved exceeds what filling it cost. It holds float32 pixels: "
    "4 bytes a colour, nothing compressed.",
    variants={
        "imagedatagenerator": Variant(
            "Keras's ImageDataGenerator.flow_from_directory",
            {"pipeline": "generator"},
            {"small": ("LP401",)},
            allowed=("LP202", "LP401", "LP403"),
        ),
        "tfdata": Variant(
            "tf.data, decoding in parallel, nothing kept",
            {"pipeline": "none"},
            allowed=("LP202", "LP401", "LP403"),
        ),
        "cache-memory": Variant(
            "tf.data, decoded images kept in memory",
            {"pipeline": "cache memory"},
            {"small": ("LP202",)},
            allowed=("LP202", "LP401", "LP402", "LP403"),
        ),
        "cache-file": Variant(
            "tf.data, decoded images kept in a file",
            {"pipeline": "cache file"},
            {"small": ("LP202",)},
            allowed=("LP202", "LP401", "LP402", "LP403"),
        ),
    },
    scales={
        "smoke": {
            "images": 240,
            "classes": 8,
            "file_side": 128,
            "side": 48,
            "alpha": 0.25,
            "batch": 16,
            "epochs": 4,
            "rate": 1e-2,
        },
        "small": {
            "images": 960,
            "classes": 8,
            "file_side": 640,
            "side": 128,
            "alpha": 0.25,
            "batch": 16,
            "epochs": 5,
            "rate": 1e-2,
        },
        # 117,266 images of 256 x 256 x 3 float32 are the 90 GB of the seed.
        "full": {
            "images": 117_266,
            "classes": 80,
            "file_side": 640,
            "side": 256,
            "alpha": 1.0,
            "batch": 64,
            "epochs": 5,
            "rate": 1e-3,
        },
    },
    seconds={"smoke": 8, "small": 90, "full": 9000},
    train=train,
    need=_need,
)
