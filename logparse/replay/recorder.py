"""A Keras callback: one line in ``fit``, and each batch's own loss, metrics and times are kept.

The progress line and the callbacks of Keras show averages since the epoch began. This shows what
they are averages of, measured apart from them (see ``probe``), without changing what Keras prints.
"""

from __future__ import annotations

import os
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from logparse.errors import UsageError
from logparse.replay.probe import Batch, Probe

if TYPE_CHECKING:
    import polars as pl

COLUMNS = {
    "epoch": "number of the epoch, from 1, counting on through several fits",
    "step": "number of the batch in its epoch, from 1",
    "size": "samples in the batch; null if the data does not tell",
    "start": "when training asked for the batch, seconds since training began",
    "end": "when its results were known, seconds since training began",
    "wait": "seconds of that spent waiting for input; the rest is computing",
}
"""Columns of the truth; between ``size`` and ``start`` stands one for the loss and each metric."""

SHARE = 0.02
"""Of the training's time at most this part goes into writing the file, beside the last writing."""


class _Hooks:
    """What both Keras expect of a callback; neither is imported, since either may be in use."""

    _supports_tf_logs = True  # so that tf-keras does not turn logs into numbers for us
    model: Any = None
    params: Any = None

    def set_params(self, params: Any) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def _implements_train_batch_hooks(self) -> bool:
        return False

    _implements_test_batch_hooks = _implements_train_batch_hooks
    _implements_predict_batch_hooks = _implements_train_batch_hooks

    def _nothing(self, *args: Any, **kwargs: Any) -> None:
        """No hook of a batch does anything here: the train function itself is measured."""

    on_batch_begin = on_batch_end = on_train_batch_begin = on_train_batch_end = _nothing
    on_test_batch_begin = on_test_batch_end = on_test_begin = on_test_end = _nothing
    on_predict_batch_begin = on_predict_batch_end = on_predict_begin = on_predict_end = _nothing


class BatchRecorder(_Hooks):
    """Keeps the true values and times of every batch of ``model.fit``.

    Works with Keras 3 on TensorFlow and with tf-keras, on one device. Given to several fits, it
    counts epochs on. Waiting for input is the time that ``fit`` waits for the next batch; on a GPU
    every batch is waited for, as the progress bar does too.

    Args:
        path: file for the truth, a ``.parquet``; replaced if it is there. It is written at the end
            of training and between epochs, whole each time. None keeps it in memory alone.

    Raises:
        UsageError: when training begins, if the model cannot be measured: Keras runs on another
            backend, or the model trains on several devices.

    Example:
        recorder = logparse.replay.BatchRecorder("truth.parquet")
        model.fit(x, y, callbacks=[recorder])
        recorder.truth  # epoch, step, size, loss, accuracy, start, end, wait
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path is not None and not os.fspath(path).endswith(".parquet"):
            raise UsageError(f"{os.fspath(path)}: give the file a name that ends in .parquet")
        self.path = path
        self.names: tuple[str, ...] = ()
        self.epochs: list[dict[str, Any]] = []
        """Of each epoch: epoch, begin, trained, end (seconds since training began) and logs."""
        self._rows: list[tuple[int, int, Batch]] = []
        self._step = 0
        self._began: float | None = None
        self._probes: weakref.WeakKeyDictionary[Any, Probe] = weakref.WeakKeyDictionary()
        self._written = 0.0
        self._cost = 0.0

    @property
    def truth(self) -> pl.DataFrame:
        """Every batch so far: the columns of ``COLUMNS``, and one for the loss and each metric."""
        import numpy as np
        import polars as pl

        began = self._began or 0.0
        batches = [batch for _, _, batch in self._rows]
        values = np.array([batch.values for batch in batches], float)
        values = values.reshape(len(batches), len(self.names))
        columns = {
            "epoch": pl.Series([epoch for epoch, _, _ in self._rows], dtype=pl.Int64),
            "step": pl.Series([step for _, step, _ in self._rows], dtype=pl.Int64),
            "size": pl.Series([batch.size for batch in batches], dtype=pl.Int64),
        }
        columns |= {name: pl.Series(values[:, i]) for i, name in enumerate(self.names)}
        return pl.DataFrame(
            columns
            | {
                "start": pl.Series([batch.start - began for batch in batches], dtype=pl.Float64),
                "end": pl.Series([batch.end - began for batch in batches], dtype=pl.Float64),
                "wait": pl.Series(
                    [batch.received - batch.start for batch in batches], dtype=pl.Float64
                ),
            }
        )

    def clear(self) -> None:
        """Forget all batches: after a fit that was there to warm up. Models stay measured."""
        self._rows, self.epochs, self._began = [], [], None

    def on_train_begin(self, logs: Any = None) -> None:
        """Put the probe into the model."""
        if self._began is None:
            self._began = time.perf_counter()
        model = self.model
        probe = self._probes.get(model)
        if probe is None or model.train_function is not probe.original:
            # compiled anew, or seen for the first time
            probe = self._probes[model] = Probe(model)
        self._probe = probe
        probe.install(self._take)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count the epoch; write what is there if it is time to."""
        if self.path is not None and self._rows:
            now = time.perf_counter()
            if self._cost <= SHARE * (now - self._written):
                self.write()
        self._step = 0
        self.epochs.append({"epoch": len(self.epochs) + 1, "begin": self._now()})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Note when the epoch ended, and what its true values are."""
        found = {name: float(value) for name, value in (logs or {}).items()}
        self.epochs[-1] |= {"end": self._now(), "logs": found}

    def mark_end(self) -> None:
        """The epoch ends now: for who knows of callbacks that take time after this one."""
        self.epochs[-1]["end"] = self._now()

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the model as it was, and write the truth."""
        self._probe.uninstall()
        if not self.names and self._rows:
            warnings.warn(
                "BatchRecorder could not measure loss and metrics: this model's train_step calls "
                "neither compute_loss nor compute_metrics. Times are recorded.",
                stacklevel=2,
            )
        if self.path is not None:
            self.write()

    def write(self) -> None:
        """Write the truth to ``path``, whole or not at all.

        Raises:
            LogparseError: the system refused, as when the disk is full.
        """
        from logparse.files import write_atomic

        start = time.perf_counter()
        assert self.path is not None
        with write_atomic(self.path, force=True) as file:
            self.truth.write_parquet(file)
        self._written = time.perf_counter()
        self._cost = self._written - start

    def _now(self) -> float:
        return time.perf_counter() - (self._began or 0.0)

    def _take(self, batch: Batch) -> None:
        self._step += 1
        self.names = self._probe.names
        self._rows.append((len(self.epochs), self._step, batch))
        self.epochs[-1]["trained"] = batch.end - (self._began or 0.0)
