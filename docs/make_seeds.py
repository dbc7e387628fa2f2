"""Numbers that questions posted without a log in, logs that show them out: sample_logs/seeds/.

``python docs/make_seeds.py`` writes them; a test fails while they differ. What the questions say
stands beside ``SEEDS``: times, and nothing else. Loss and accuracy are made up, so that the lines
are whole, and so are the counts marked as such. The lines have the form of the Keras that was used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parents[1] / "sample_logs" / "seeds"
WIDTH = 30


@dataclass(frozen=True)
class Training:
    """What one log shows."""

    name: str
    seconds: tuple[float, ...]
    """Time of each epoch, all its steps alike."""
    steps: int
    of: int
    """Epochs announced."""
    head: str = ""
    samples: int | None = None
    """Where the bar counts samples."""


def bar(done: int, of: int) -> str:
    """``[=====>....]`` as Progbar of all versions before Keras 3 draws it."""
    filled = int(WIDTH * done / of)
    text = "=" * max(filled - 1, 0) + (">" if filled and done < of else "=" if filled else "")
    return f"[{text}{'.' * (WIDTH - filled)}]"


def clock(seconds: float) -> str:
    """A time left from Keras 2.0.9 on."""
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if seconds > 60 else f"{whole}s"


def per_step(seconds: float) -> str:
    """A time a step from Keras 2.0.9 on."""
    return f"{seconds:.0f}s/step" if seconds >= 1 else f"{1000 * seconds:.0f}ms/step"


def metrics(epoch: int, steps: int, accuracy: str) -> list[str]:
    """Made up: running means, step by step, of batches that scatter about a falling loss."""
    scatter = Random(epoch)  # noqa: S311 - the same numbers each time
    total, shown = 0.0, []
    for k in range(steps):
        level = 2.0 - 0.1 * (epoch + k / steps)
        total += level * (1 + 0.2 * scatter.gauss(0, 1))
        mean = total / (k + 1)
        shown.append(f" - loss: {mean:.4f} - {accuracy}: {1 - mean / 3:.4f}")
    return shown


def keras_110(training: Training) -> str:
    """Last lines, as a copy of a terminal keeps them: Keras 1.1.0 draws over all others."""
    text = training.head
    n = training.samples or training.steps
    for epoch, seconds in enumerate(training.seconds):
        shown = metrics(epoch, training.steps, "acc")[-1]
        text += f"Epoch {epoch + 1}/{training.of}\n{n}/{n} {bar(n, n)} - {int(seconds)}s{shown}\n"
    return text


def keras_224(training: Training) -> str:
    """Every update on a line of its own: Keras 2.2.4 with its output sent to a file."""
    text, k = training.head, training.steps
    width = len(str(k))
    for epoch, seconds in enumerate(training.seconds):
        text += f"Epoch {epoch + 1}/{training.of}\n"
        each, shown = seconds / k, metrics(epoch, k, "acc")
        for step in range(1, k + 1):
            left = f"ETA: {clock(each * (k - step))}"
            spent = left if step < k else f"{seconds:.0f}s {per_step(each)}"
            text += f"\n{step:{width}d}/{k} {bar(step, k)} - {spent}{shown[step - 1]}"
        text += "\n"
    return text


def tf_23(training: Training) -> str:
    """Backspaces and a carriage return before each update (TensorFlow 2.3); a few are kept."""
    text, k = training.head, training.steps
    for epoch, seconds in enumerate(training.seconds):
        text += f"Epoch {epoch + 1}/{training.of}\n"
        each, before, shown = seconds / (k - 1), 0, metrics(epoch, k, "accuracy")
        for step, last in kept(k):
            # The bar is made after the first batch, and divides by all steps.
            rate = each * (step - 1) / step
            spent = f"ETA: {clock(rate * (k - step))}"
            if last:
                spent = f"{seconds:.0f}s {per_step(rate)}"
            line = f"{step:4d}/{k} {bar(step, k)} - {spent}{shown[step - 1]}"
            text += "\b" * before + "\r" + line
            before = len(line)
        text += "\n"
    return text


def kept(steps: int) -> Iterator[tuple[int, bool]]:
    """Steps whose updates are kept, and whether it is the last line: ends, and every tenth."""
    inner = {1, 2, 3, *(steps * i // 10 for i in range(1, 10)), steps - 1, steps}
    yield from ((step, False) for step in sorted(inner))
    yield steps, True


COCO = 117_266
COCO_STEPS = -(-COCO // 32)
CIFAR = (
    "X_train shape: (50000, 3, 32, 32)\n50000 train samples\n10000 test samples\n"
    "Using real-time data augmentation.\n"
)
CIFAR_STEPS = -(-50_000 // 32)

SEEDS: dict[Callable[[Training], str], Iterable[Training]] = {
    # "first epoch took 29s per step and then other steps took approximately 530ms per step", 30
    # epochs. Made up: 64 steps an epoch, and that the log ends after five.
    keras_224: [Training("000_slow_first_epoch", (29.0 * 64, *(0.53 * 64,) * 4), 64, 30)],
    # "approximately 58 minutes ... for each epoch", "approximately 23 minutes", "around 42 minutes"
    # then "14 minutes for each epoch", 117,266 images. Made up: batches of 32, five epochs.
    tf_23: [
        Training("001_image_data_generator", (58 * 60.0,) * 5, COCO_STEPS, 5),
        Training("001_tf_data", (23 * 60.0,) * 5, COCO_STEPS, 5),
        Training("001_tf_data_file_cache", (42 * 60.0, *(14 * 60.0,) * 4), COCO_STEPS, 5),
    ],
    # One epoch of the CIFAR-10 example with batches of 32: 22 s as it is, 28 s without
    # apply_transform, 25 s without the three matrices.
    keras_110: [
        Training("002_generator", (22.0,), CIFAR_STEPS, 200, CIFAR, 50_000),
        Training("002_without_apply_transform", (28.0,), CIFAR_STEPS, 200, CIFAR, 50_000),
        Training("002_without_matrices", (25.0,), CIFAR_STEPS, 200, CIFAR, 50_000),
    ],
}


def logs() -> dict[str, bytes]:
    """File names in sample_logs/seeds/ and their bytes."""
    return {
        f"{training.name}.log": write(training).encode()
        for write, trainings in SEEDS.items()
        for training in trainings
    }


if __name__ == "__main__":
    for name, data in logs().items():
        (FOLDER / name).write_bytes(data)
