"""A compiled Keras model -> a train function that also tells each batch's own values and times.

``fit`` calls ``model.train_function`` once a batch; ``make_train_function`` documents that it may
be replaced. The one here does the same work in the same order, in one graph as Keras does: take a
batch, run ``train_step``. It differs in that the graph reads the clock before and after it takes
the batch, so that waiting for input and computing are known apart, and in that it has one more
output: what the loss and the metrics are for this batch alone. One array brings all numbers out,
since each array that Python reads costs more than what is in it.

A metric's own value is found with the metric's own arithmetic: its state is put aside and emptied,
the batch is added, the result read, and the state put back, bit for bit, before Keras adds the
batch to it. So nothing that Keras shows or keeps is changed, and no running average takes part.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from logparse.errors import UsageError


class Batch(NamedTuple):
    """What happened in one batch; times are seconds of ``time.perf_counter``."""

    size: int | None
    start: float
    """When the training asked for the batch."""
    received: float
    """When it had the batch: what lies between is waiting for input."""
    end: float
    """When its results were known."""
    values: list[float]
    """Its own loss and metrics in the order of ``Probe.names``."""


class Probe:
    """Measures the training of one compiled model.

    Attributes:
        names: loss and metrics that are measured, once the first batch ran.
        original: the train function that Keras made.
    """

    def __init__(self, model: Any) -> None:
        import tensorflow as tf

        _check(model, tf)
        self.names: tuple[str, ...] = ()
        self.original = model.train_function
        self._model, self._tf = model, tf
        self._own: dict[str, Any] | None = None
        """Values of the batch whose graph is being built; None outside of that."""
        self._take: Callable[[Batch], None] | None = None
        self._step = self._compile()
        self._steps = 1

    def install(self, take: Callable[[Batch], None]) -> None:
        """Put the measuring function in; ``take`` gets every batch."""
        self._take, self._steps = take, _steps(self._model)
        self._set("train_function", self._run)
        self._set("compute_loss", self._compute_loss)
        self._set("compute_metrics", self._compute_metrics)

    def uninstall(self) -> None:
        """Leave the model as it was."""
        self._take = self._last = None
        self._set("train_function", self.original)
        for name in ("compute_loss", "compute_metrics"):
            if name in vars(self._model):
                object.__delattr__(self._model, name)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self._model, name, value)  # nothing that Keras should track

    def _compile(self) -> Callable[[Any], Any]:
        """What does a batch of an iterator, as Keras compiles it: a graph, its step by XLA if so.

        It gives Keras's logs, and as float64: seconds of waiting for the batch, its size, its own
        values.
        """
        model, tf = self._model, self._tf
        legacy, graph = hasattr(model, "_train_counter"), not model.run_eagerly
        step: Callable[[Any], Any] = self._traced
        if not (legacy and graph):
            # tf-keras turns Python's if and for into graph, Keras 3 does not
            step = tf.autograph.experimental.do_not_convert(step)
        if model.jit_compile and graph:
            step = tf.function(step, jit_compile=True, reduce_retracing=True)
        if hasattr(model, "_autoconvert_optionals"):
            step = model._autoconvert_optionals(step)

        def batch(iterator: Any) -> Any:
            asked = tf.timestamp()
            with tf.control_dependencies([asked]):
                data = iterator.get_next()
            with tf.control_dependencies(tf.nest.flatten(data, expand_composites=True)):
                wait = tf.timestamp() - asked
            with tf.control_dependencies([wait]):
                logs, own = model.distribute_strategy.run(step, args=(data,))
            facts = tf.stack([wait, tf.cast(_size(data, tf), tf.float64)])
            return logs, tf.concat([facts, tf.cast(own, tf.float64)], 0)

        if not graph:
            return batch
        found: Callable[[Any], Any] = tf.function(batch, reduce_retracing=True, autograph=legacy)
        return found

    def _run(self, iterator: Any) -> Any:
        """What ``fit`` calls: one batch, or as many as ``steps_per_execution`` says.

        Raises:
            StopIteration: the data has ended.
        """
        logs = None
        for _ in range(self._steps):
            start = time.perf_counter()
            try:
                logs, numbers = self._step(iterator)
            except (StopIteration, self._tf.errors.OutOfRangeError):
                if logs is None:
                    raise StopIteration from None
                break
            wait, size, *values = numbers.numpy().tolist()  # waits until the device is done
            end = time.perf_counter()
            if self._take is not None:
                self._take(Batch(None if size < 0 else int(size), start, start + wait, end, values))
        return logs

    def _traced(self, data: Any) -> Any:
        """One step in the graph: what Keras logs, and the batch's own values."""
        self._begin()
        logs = self._model.train_step(data)
        return logs, self._end(logs)

    def _begin(self) -> None:
        self._own = {}

    def _end(self, logs: Any) -> Any:
        tf, own = self._tf, self._own or {}
        self._own = None
        counter = getattr(self._model, "_train_counter", None)
        if counter is not None:  # tf-keras counts steps for its TensorBoard callback
            counter.assign_add(1)
        scalars = {k: v for k, v in own.items() if k in logs and tf.convert_to_tensor(v).ndim == 0}
        self.names = tuple(name for name in logs if name in scalars)
        if not scalars:
            return tf.zeros([0])
        return tf.stack([tf.cast(scalars[name], tf.float32) for name in self.names])

    def _compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """As the model's own; while the graph of a step is built, also keeps the batch's loss."""
        compute = type(self._model).compute_loss.__get__(self._model)
        loss = compute(*args, **kwargs)
        if self._own is not None:
            self._own["loss"] = loss
            parts = _loss_means(self._model)
            if len(parts) > 1:  # of several outputs, each with a loss that is averaged, too
                self._own |= self._alone(lambda: compute(*args, **kwargs), parts)
        return loss

    def _compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """As the model's own; while the graph of a step is built, also for the batch alone."""
        compute = type(self._model).compute_metrics.__get__(self._model)
        if self._own is not None:
            compiled = _compiled_metrics(self._model)
            if not getattr(compiled, "built", True):
                # Keras makes the metrics' states when it first sees data
                compute(x, y, y_pred, sample_weight)
                compiled.reset_state()
            averaged = [*_loss_means(self._model), getattr(self._model, "_loss_tracker", None)]
            others = [m for m in self._model.metrics if all(m is not one for one in averaged)]
            self._own |= self._alone(lambda: compute(x, y, y_pred, sample_weight), others)
        return compute(x, y, y_pred, sample_weight)

    def _alone(self, add: Callable[[], Any], metrics: list[Any]) -> dict[str, Any]:
        """What metrics are when ``add`` adds to nothing; their states stay as they were."""
        states = [state for metric in metrics for state in metric.variables]
        saved = [self._tf.identity(self._tf.convert_to_tensor(state)) for state in states]
        for metric in metrics:
            metric.reset_state()
        add()
        found: dict[str, Any] = {}
        for metric in metrics:
            result = metric.result()
            found |= result if isinstance(result, dict) else {metric.name: result}
        for state, value in zip(states, saved, strict=True):
            state.assign(value)
        return found


def _check(model: Any, tf: Any) -> None:
    """Refuse what cannot be measured.

    Raises:
        UsageError: Keras runs on something else than TensorFlow, or on several devices.
    """
    backend = getattr(__import__("sys").modules.get("keras"), "backend", None)
    legacy = type(model).__module__.startswith("tf_keras") or hasattr(model, "_train_counter")
    if not legacy and backend is not None and backend.backend() != "tensorflow":
        raise UsageError(
            f"BatchRecorder measures Keras on TensorFlow, and this Keras runs on "
            f"{backend.backend()}; set KERAS_BACKEND=tensorflow, or leave it out"
        )
    if model.distribute_strategy.num_replicas_in_sync > 1:
        raise UsageError(
            "BatchRecorder measures training on one device, and this model trains on "
            f"{model.distribute_strategy.num_replicas_in_sync}; leave it out there"
        )


def _size(data: Any, tf: Any) -> Any:
    """Samples in a batch, in the graph: the length of its first array; -1 where that has none."""
    first = tf.nest.flatten(data)[0]
    if isinstance(first, tf.SparseTensor):
        return first.dense_shape[0]
    if isinstance(first, tf.RaggedTensor):
        return first.nrows()
    return tf.shape(first)[0] if tf.is_tensor(first) and first.shape.rank != 0 else -1


def _steps(model: Any) -> int:
    """Batches that one call of the train function does."""
    count: Any = getattr(model, "_steps_per_execution", None)
    if count is None:
        count = getattr(model, "steps_per_execution", 1)
    return int(count.numpy()) if hasattr(count, "numpy") else int(count or 1)


def _loss_means(model: Any) -> list[Any]:
    """The means that Keras keeps of parts of the loss: one an output, if there are several."""
    whole = getattr(model, "_compile_loss", None) or getattr(model, "compiled_loss", None)
    return list(getattr(whole, "metrics", ()))


def _compiled_metrics(model: Any) -> Any:
    """What holds the metrics that the model was compiled with, if any."""
    found = getattr(model, "_compile_metrics", None)
    return found if found is not None else getattr(model, "compiled_metrics", None)
