"""The process that times a network: a network as JSON on standard input, seconds as JSON out.

Run as ``python -m logparse.replay.measure``. The data is made once and held in memory, so that a
step is computing alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from logparse.replay.network import MOST_VALUES, CannotRebuildError
from logparse.replay.recorder import BatchRecorder

WARMUP = 2
"""Steps that are not counted: the first builds the graph."""

FEWEST = 3
"""Steps that are counted at least, however long they take."""

MOST = 2000
"""Steps that are counted at most."""


def main() -> None:
    """Answer one order: ``{"device", "keras", "network", "batch", "seconds", "training"}``."""
    order = json.load(sys.stdin)
    news = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from logparse.replay.child import start

    keras, tf, device = start(order)
    answer: dict[str, Any] = {"device": device}
    if device is not None:
        try:
            answer |= _measure(keras, tf, order)
        except CannotRebuildError as error:
            answer["cannot"] = str(error)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            answer["cannot"] = "it does not fit into memory here; give a smaller --batch-size"
    json.dump(answer, news)
    news.close()


def _measure(keras: Any, tf: Any, order: dict[str, Any]) -> dict[str, Any]:
    model = build(keras, order["network"])
    network, batch = order["network"], order["batch"]
    x, y, loss = _data(tf, network, batch)
    model.compile("sgd", loss)
    data = tf.data.Dataset.from_tensors((x, y)).repeat()
    _fit(model, data, WARMUP)
    steps = _fit(model, data, FEWEST)
    count = int(order["seconds"] / sorted(steps)[len(steps) // 2])
    if count > len(steps):
        steps = _fit(model, data, min(count, MOST))
    model.evaluate(data, steps=WARMUP, verbose=0)
    start = time.perf_counter()
    model.evaluate(data, steps=FEWEST, verbose=0)
    forward = (time.perf_counter() - start) / FEWEST
    return {"steps": steps, "forward": forward}


def _fit(model: Any, data: Any, count: int) -> list[float]:
    """Seconds of each step of a fit, its progress bar and what Keras does in between included."""
    recorder = BatchRecorder()
    model.fit(data, steps_per_epoch=count, epochs=1, verbose=1, callbacks=[recorder])
    truth = recorder.truth
    first = (truth["end"] - truth["start"]).head(1).to_list()
    return [float(one) for one in first + truth["end"].diff().drop_nulls().to_list()]


def build(keras: Any, network: dict[str, Any]) -> Any:
    """The Keras model of a network.

    Raises:
        CannotRebuildError: a layer has other parameters than in the log, or cannot be built.
    """
    if sum(layer["parameters"] or 0 for layer in network["layers"]) > MOST_VALUES:
        raise CannotRebuildError(f"it has more than {MOST_VALUES:,} parameters")
    model = keras.Sequential([keras.Input(tuple(network["shape"]))])
    last = len(network["layers"]) - 1
    for i, one in enumerate(network["layers"]):
        options = dict(one["options"])
        if one["kind"] == "Dense":
            many = network["outputs"] > 1
            options["activation"] = ("softmax" if many else "sigmoid") if i == last else "relu"
        elif one["kind"].startswith("Conv"):
            options["activation"] = "relu"
        layer = getattr(keras.layers, one["kind"])(**options)
        layer.trainable = one["trainable"]
        try:
            model.add(layer)
        except (ValueError, TypeError) as error:
            why = str(error).splitlines()[0]
            raise CannotRebuildError(f"layer {one['name']} cannot be built: {why}") from error
        count = layer.count_params()
        if one["parameters"] is not None and count != one["parameters"]:
            raise CannotRebuildError(
                f"layer {one['name']} has {one['parameters']:,} parameters in the log and "
                f"{count:,} when rebuilt: the network is not sequential, or its summary tells too "
                "little"
            )
    return model


def _data(tf: Any, network: dict[str, Any], batch: int) -> tuple[Any, Any, str]:
    """A batch in memory, and the loss that fits the outputs."""
    first, outputs = network["layers"][0], network["outputs"]
    if first["kind"] == "Embedding":
        most = first["options"]["input_dim"]
        x = tf.random.uniform((batch, *network["shape"]), 0, most, tf.int32)
    else:
        x = tf.random.normal((batch, *network["shape"]))
    if outputs == 1:
        return x, tf.cast(tf.random.uniform((batch, 1)) > 0.5, tf.float32), "binary_crossentropy"
    return x, tf.random.uniform((batch,), 0, outputs, tf.int32), "sparse_categorical_crossentropy"


if __name__ == "__main__":
    main()
