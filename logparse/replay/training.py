"""What a scenario trains with: Keras, its settings, its images, and the callbacks that record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from logparse.errors import LogparseError
from logparse.replay import images
from logparse.replay.recorder import BatchRecorder


class Training:
    """One run, inside the process that has TensorFlow.

    Attributes:
        keras, tf: the modules, Keras 3 or tf-keras.
        folder: where the run's files go while it is being made.
        recorder: keeps the truth.
        facts: what the scenario wants to have written down in ``meta.json``.
    """

    def __init__(
        self,
        keras: Any,
        tf: Any,
        settings: dict[str, Any],
        folder: Path,
        images_root: Path,
        say: Callable[[str], None],
    ) -> None:
        self.keras, self.tf, self.settings = keras, tf, settings
        self.folder, self._images_root, self.say = folder, images_root, say
        self.recorder = BatchRecorder(folder / "truth.parquet")
        self.facts: dict[str, Any] = {}
        self._epochs = 0
        self._callbacks: list[Any] | None = None
        keras.utils.set_random_seed(settings["seed"])

    def __getattr__(self, name: str) -> Any:
        """A setting, as an attribute."""
        try:
            return self.__dict__["settings"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def legacy(self) -> bool:
        """Whether this is tf-keras."""
        return bool(self.keras.__name__ == "tf_keras")

    def callbacks(self, of: int) -> list[Any]:
        """The callbacks of every fit; ``of`` is how many epochs the run has."""
        if self._callbacks is None:
            keras, folder = self.keras, self.folder
            self._callbacks = [
                self.recorder,
                keras.callbacks.CSVLogger(str(folder / "history.csv"), append=True),
                keras.callbacks.TensorBoard(
                    str(folder / "events"), write_graph=False, update_freq=1, profile_batch=0
                ),
                keras.callbacks.LambdaCallback(
                    on_epoch_end=lambda epoch, logs=None: self._progress(of)
                ),
            ]
        return self._callbacks

    def _progress(self, of: int) -> None:
        self._epochs += 1
        self.say(f"epoch {self._epochs} of {of}")
        # Keras's own callback comes after this one, and prints the last line.
        self.recorder.mark_end()

    def fit(self, model: Any, *data: Any, of: int | None = None, **options: Any) -> Any:
        """``model.fit``, recorded; ``of`` is how many epochs the run has in all."""
        epochs = options.get("epochs", 1)
        extra = options.pop("callbacks", [])
        callbacks = [*self.callbacks(of or epochs), *extra]
        return model.fit(*data, verbose=1, callbacks=callbacks, **options)

    def images(self, wanted: images.Images) -> Path:
        """Their folder, made on first use."""
        return images.make(wanted, self._images_root, self.say)

    def weights(self) -> str | None:
        """What keras.applications start from: None, or ``imagenet`` where it was asked for."""
        asked: str | None = self.settings["weights"]
        return asked

    def application(self, name: str, **options: Any) -> Any:
        """A network of keras.applications.

        Raises:
            LogparseError: its weights were asked for and cannot be downloaded.
        """
        make = getattr(self.keras.applications, name)
        try:
            model = make(weights=self.weights(), include_top=False, **options)
            if self.weights() is None:
                _keep_signal(model)
            return model
        except Exception as error:
            if self.weights() is None:
                raise
            raise LogparseError(
                f"the weights of {name} cannot be had: {error}; leave --weights out to start "
                "from random ones: the times are the same"
            ) from error


def _keep_signal(model: Any) -> None:
    """Scale random kernels so that layers with ReLU keep the size of what they get (He, 2015).

    Keras starts from smaller ones, and a deep network that is frozen then gives the same for every
    image: its head could learn nothing, as it can on trained weights.
    """
    for layer in model.layers:
        depthwise = "Depthwise" in type(layer).__name__
        if depthwise or hasattr(layer, "kernel"):
            kernel, *rest = layer.get_weights()
            inputs = np.prod(kernel.shape[:2] if depthwise else kernel.shape[:-1])
            layer.set_weights([kernel / kernel.std() * np.sqrt(2 / inputs), *rest])


def read_image(path: str, side: int) -> Any:
    """A JPEG as the network takes it: float32 from -1 to 1, shape (side, side, 3)."""
    from PIL import Image

    with Image.open(path) as file:
        if file.size != (side, side):
            file = file.resize((side, side))  # type: ignore[assignment]
        return np.asarray(file, np.float32) / 127.5 - 1


def load(folder: Path, side: int, order: Any = None) -> tuple[Any, Any]:
    """All images of a folder in memory, and their class numbers.

    In the order of their files, or so that the first is number ``order[0]`` of these, and so on.
    """
    paths, labels = images.files(folder)
    order = range(len(paths)) if order is None else order
    x = np.empty((len(paths), side, side, 3), np.float32)
    for row, i in zip(x, order, strict=True):
        row[:] = read_image(paths[i], side)
    return x, np.array([labels[i] for i in order])


def batches(x: Any, y: Any, size: int, order: Callable[[], Any]) -> Iterator[tuple[Any, Any]]:
    """Batches for ever, as a generator for ``fit``; ``order`` gives each pass's order."""
    while True:
        rows = order()
        for at in range(0, len(rows), size):
            some = rows[at : at + size]
            yield x[some], y[some]
