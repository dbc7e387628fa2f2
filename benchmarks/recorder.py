"""Trains with and without a BatchRecorder in turn, and prints what the recorder costs a step.

    python -m benchmarks.recorder [--pairs 30] [--steps 200] [--step-ms 5]

The network is small; a callback sleeps for the rest of the step, so that other work on the machine
disturbs the time less than it would a computation. Each pair is two fits of one epoch, one with the
recorder; the order alternates, so that a machine that becomes slower favours neither. Printed are
medians over the pairs with 95 % intervals (bootstrap), of the clock's and the processor's time, all
as a part of the step by the clock. A last row is two fits without a recorder, which differ by
chance alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

FEATURES, BATCH = 256, 32


def train(name: str, pairs: int, steps: int, step_ms: float) -> dict[str, Any]:
    """Seconds a step of each pair: without, with, without again; wall and CPU."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras = __import__(name)
    from logparse.replay import BatchRecorder

    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH * steps, FEATURES)).astype("f4")
    y = rng.integers(0, 10, BATCH * steps)

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rest = 0.0
    pace = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: time.sleep(rest)
    )

    def fit(callbacks: list[Any]) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        network.fit(x, y, batch_size=BATCH, shuffle=False, callbacks=[pace, *callbacks])
        return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps

    fit([])
    rest = max(1e-3 * step_ms - fit([])[0], 0.0)
    recorder = BatchRecorder()
    fit([recorder])
    plain, recorded, again = [], [], []
    for i in range(pairs):
        recorder.clear()
        order = [(plain, []), (recorded, [recorder]), (again, [])]
        for into, callbacks in order if i % 2 else order[::-1]:
            into.append(fit(callbacks))
    return {"plain": plain, "recorded": recorded, "again": again}


def row(first: list[tuple[float, float]], second: list[tuple[float, float]], of: int) -> str:
    """Cost of ``second`` over ``first``: microseconds and percent, with its interval."""
    a, b = np.array(first)[:, of], np.array(second)[:, of]
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(a), (4000, len(a)))
    found = [np.median(b - a), *np.quantile(np.median((b - a)[picks], axis=1), [0.025, 0.975])]
    base = np.median(np.array(first)[:, 0])
    return " | ".join(
        [
            f"{1e3 * np.median(a):.2f} ms",
            f"{1e6 * found[0]:+.0f} µs",
            f"{100 * found[0] / base:+.1f} % ({100 * found[1] / base:+.1f} to "
            f"{100 * found[2] / base:+.1f})",
        ]
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--step-ms", type=float, default=5.0)
    parser.add_argument("--keras", choices=("keras", "tf_keras"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.keras:
        found = os.fdopen(os.dup(1), "w")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        json.dump(train(given.keras, given.pairs, given.steps, given.step_ms), found)
        found.close()
        return
    print("| Keras | time | a step | the recorder takes | of the step |")
    print("|---|---|---|---|---|")
    for name in ("keras", "tf_keras"):
        command = [sys.executable, "-m", "benchmarks.recorder", "--keras", name]
        for option in ("pairs", "steps", "step-ms"):
            command += [f"--{option}", str(getattr(given, option.replace("-", "_")))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times = json.loads(done.stdout)
        for i, what in enumerate(("wall", "CPU")):
            print(f"| {name} | {what} | {row(times['plain'], times['recorded'], i)} |")
        print(f"| {name} | CPU, neither | {row(times['plain'], times['again'], 1)} |", flush=True)


if __name__ == "__main__":
    main()
