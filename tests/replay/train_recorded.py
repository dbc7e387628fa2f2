"""Trains small models with and without a BatchRecorder, for test_recorder.

Run: python train_recorded.py keras|tf_keras FOLDER KIND...; writes KIND.json and KIND.parquet.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np

from logparse.replay import BatchRecorder

keras: Any = import_module(sys.argv[1])
LEGACY = sys.argv[1] == "tf_keras"
FOLDER = Path(sys.argv[2])
rng = np.random.default_rng(0)
X = rng.normal(size=(500, 16)).astype("float32")
Y = rng.integers(0, 4, 500)
Z = rng.normal(size=500).astype("float32")


def build(kind: str) -> Any:
    """A compiled model; the same weights each time."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16,))
    hidden = keras.layers.Dense(32, activation="relu", kernel_regularizer="l2")(inputs)
    out = keras.layers.Dense(4, activation="softmax", name="a")(hidden)
    loss: Any = "sparse_categorical_crossentropy"
    options: dict[str, Any] = {"metrics": ["accuracy"]}
    if kind == "two outputs":
        out = [out, keras.layers.Dense(1, name="b")(hidden)]
        loss = {"a": loss, "b": "mse"}
        options = {"metrics": {"a": ["accuracy"], "b": ["mae"]}}
    if kind == "auc":
        out = keras.layers.Dense(1, activation="sigmoid", name="a")(hidden)
        loss = "binary_crossentropy"
        options = {"metrics": [keras.metrics.AUC(name="auc")]}
    if kind == "several steps":
        options["steps_per_execution"] = 4
    if kind == "eager":
        options["run_eagerly"] = True
    options["jit_compile"] = kind == "jit"
    model = keras.Model(inputs, out)
    model.compile("adam", loss, **options)
    return model


def data(kind: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of fit."""
    if kind == "unknown length":

        def endless() -> Any:
            while True:
                for at in range(0, 500, 32):
                    yield X[at : at + 32], Y[at : at + 32]

        return (endless(),), {"steps_per_epoch": 16}
    y = {"a": Y, "b": Z} if kind == "two outputs" else (Y > 1) if kind == "auc" else Y
    return (X, y), {"batch_size": 32, "shuffle": False, "validation_data": (X, y)}


def fit(kind: str, recorder: BatchRecorder | None, extra: Any = None) -> dict[str, Any]:
    """One training, and all that it showed."""
    model = build(kind)
    logs: list[Any] = []

    def note(batch: int, logs_: Any) -> None:
        logs.append([batch, {name: float(value) for name, value in logs_.items()}])

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: note(batch, logs))
    args, options = data(kind)
    callbacks = [one for one in (recorder, watch, extra and extra(model)) if one is not None]
    history = model.fit(*args, epochs=2, verbose=0, callbacks=callbacks, **options).history
    left = [name for name in ("compute_loss", "compute_metrics") if name in vars(model)]
    return {
        "logs": logs,
        "history": {name: [float(v) for v in values] for name, values in history.items()},
        "weights": [weight.tobytes().hex() for weight in model.get_weights()],
        "left": left,
    }


def alone(kind: str) -> dict[str, list[float]]:
    """Loss and metric of each batch from the weights before it, with plain numpy."""
    found: dict[str, list[float]] = {"loss": [], "accuracy": [], "auc": []}

    class Before(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            w1, b1, w2, b2 = self.model.get_weights()
            x, y = X[batch * 32 : batch * 32 + 32], Y[batch * 32 : batch * 32 + 32]
            hidden = np.maximum(x @ w1 + b1, 0)
            scores = hidden @ w2 + b2
            if kind == "auc":
                metric = keras.metrics.AUC()
                metric.update_state(y > 1, 1 / (1 + np.exp(-scores[:, 0])))
                found["auc"].append(float(metric.result()))
                return
            p = np.exp(scores - scores.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            cross = -np.log(p[np.arange(len(y)), y]).mean()
            found["loss"].append(float(cross + 0.01 * (w1**2).sum()))
            found["accuracy"].append(float((p.argmax(1) == y).mean()))

    fit(kind, None, extra=lambda model: Before())
    return found


def slow() -> None:
    """Waiting for input: a generator that takes far longer for a batch than the model does."""

    def sleepy() -> Any:
        while True:
            time.sleep(0.1)
            yield X[:32], Y[:32]

    recorder = BatchRecorder(FOLDER / "slow.parquet")
    build("plain").fit(sleepy(), steps_per_epoch=10, verbose=0, callbacks=[recorder])


def outer() -> None:
    """One recorder through three fits of one epoch."""
    recorder, model = BatchRecorder(FOLDER / "outer.parquet"), build("plain")
    graphs = []
    for _ in range(3):
        model.fit(X, Y, batch_size=32, verbose=0, callbacks=[recorder])
        (probe,) = recorder._probes.values()
        graphs.append(probe._step.experimental_get_tracing_count())
    (FOLDER / "outer.json").write_text(json.dumps({"graphs": graphs}))


def forms() -> None:
    """Sizes of batches: of several inputs, of a generator's own sizes, by one replica."""
    import tensorflow as tf

    found = {}
    inputs = {name: keras.Input((16,), name=name) for name in ("b", "a")}
    both = keras.layers.Concatenate()([inputs["b"], inputs["a"]])
    model = keras.Model(inputs, keras.layers.Dense(1)(both))
    model.compile("sgd", "mse")
    uneven = (({"b": X[:k], "a": X[:k]}, Y[:k]) for k in (5, 3, 9))
    for name, args, options in (
        ("two inputs", ({"b": X, "a": X}, Y), {"batch_size": 200}),
        ("generator", (uneven,), {}),
    ):
        recorder = BatchRecorder()
        model.fit(*args, verbose=0, callbacks=[recorder], **options)
        found[name] = recorder.truth["size"].to_list()
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        replica = build("plain")
    recorder = BatchRecorder()
    replica.fit(X, Y, batch_size=200, verbose=0, callbacks=[recorder])
    found["one replica"] = recorder.truth["size"].to_list()
    (FOLDER / "forms.json").write_text(json.dumps(found))


def own_step() -> None:
    """A model whose train_step is its author's own."""

    class Own(keras.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> dict[str, Any]:
            return {"nothing": 1.0}

    inputs = keras.Input((16,))
    model = Own(inputs, keras.layers.Dense(4)(inputs))
    model.compile("sgd", "mse")
    recorder = BatchRecorder()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, verbose=0, callbacks=[recorder])
    said = [str(one.message) for one in caught if "BatchRecorder" in str(one.message)]
    found = {"columns": recorder.truth.columns, "warnings": said}
    (FOLDER / "own step.json").write_text(json.dumps(found))


for each in sys.argv[3:]:
    without = fit(each, None)
    recorded = fit(each, BatchRecorder(FOLDER / f"{each}.parquet"))
    found: dict[str, Any] = {"without": without, "with": recorded, "left": recorded["left"]}
    if each in ("plain", "auc"):
        found["alone"] = alone(each)
    (FOLDER / f"{each}.json").write_text(json.dumps(found))
slow()
outer()
forms()
own_step()
