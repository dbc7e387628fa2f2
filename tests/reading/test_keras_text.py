"""Every wording of every version, look-alikes, and properties of the search."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reading.keras_text import INTEREST, KINDS, Found, find

INF = math.inf


def check(monitor, best, value, path, epoch, action):
    return {
        "epoch": epoch,
        "action": action,
        "monitor": monitor,
        "best": best,
        "value": value,
        "path": path,
    }


def train(samples=None, steps=None, validation_samples=None, validation_steps=None):
    return {
        "samples": samples,
        "steps": steps,
        "validation_samples": validation_samples,
        "validation_steps": validation_steps,
    }


# text, kind, data: the whole text is the message.
WORDINGS = [
    ("Epoch 1/3", "header", {"epoch": 1, "epochs": 3}),
    ("Epoch 100/100", "header", {"epoch": 100, "epochs": 100}),
    ("Train on 1933 samples", "train on", train(samples=1933)),
    (
        "Train on 80010 samples, validate on 19994 samples",
        "train on",
        train(samples=80010, validation_samples=19994),
    ),
    ("Train for 300 steps", "train on", train(steps=300)),
    (
        "Train for 300 steps, validate for 75 steps",
        "train on",
        train(steps=300, validation_steps=75),
    ),
    (
        "Train on 300 steps, validate on 75 steps",
        "train on",
        train(steps=300, validation_steps=75),
    ),
    (
        "Train for 300 steps, validate on 75 samples",
        "train on",
        train(steps=300, validation_samples=75),
    ),
    ("Train on None steps", "train on", train()),
    # ModelCheckpoint 1.x to 2.1 (zero-based), 2.0.9 to 2.7, 2.8 to 3.10, 3.11, 3.13
    (
        "Epoch 00000: val_loss improved from inf to 0.11112, saving model to mnist.hdf5",
        "checkpoint",
        check("val_loss", INF, 0.11112, "mnist.hdf5", 0, "improved"),
    ),
    (
        "Epoch 00003: val_acc improved from -inf to 0.91000, saving model to a b/c.h5",
        "checkpoint",
        check("val_acc", -INF, 0.91, "a b/c.h5", 3, "improved"),
    ),
    (
        r"Epoch 1: val_loss improved from inf to 0.01860, saving model to models\gru.h5",
        "checkpoint",
        check("val_loss", INF, 0.0186, r"models\gru.h5", 1, "improved"),
    ),
    (
        "Epoch 1: val_loss improved from None to 0.74205, saving model to ckpt/m.keras",
        "checkpoint",
        check("val_loss", None, 0.74205, "ckpt/m.keras", 1, "improved"),
    ),
    (
        "Epoch 1: finished saving model to ckpt/m.keras",
        "checkpoint",
        check(None, None, None, "ckpt/m.keras", 1, "finished"),
    ),
    (
        "Epoch 1: saving model to ./data/model-01-0.20.hdf5",
        "checkpoint",
        check(None, None, None, "./data/model-01-0.20.hdf5", 1, "saving"),
    ),
    (
        "Epoch 00004: val_loss did not improve",
        "checkpoint",
        check("val_loss", None, None, None, 4, "did not improve"),
    ),
    (
        "Epoch 2: val_loss did not improve from 0.01860",
        "checkpoint",
        check("val_loss", 0.0186, None, None, 2, "did not improve"),
    ),
    # ReduceLROnPlateau 1.x, 2.x, 2.8, 3.15 with several optimizers
    ("Epoch 00009: reducing learning rate to 0.01.", "plateau", {"epoch": 9, "rate": 0.01}),
    (
        "Epoch 00009: ReduceLROnPlateau reducing learning rate to 0.002152336062863469.",
        "plateau",
        {"epoch": 9, "rate": 0.002152336062863469},
    ),
    (
        "Epoch 4: ReduceLROnPlateau reducing learning rate to 1.9999999494757503e-05.",
        "plateau",
        {"epoch": 4, "rate": 1.9999999494757503e-05},
    ),
    (
        "Epoch 4: ReduceLROnPlateau reducing adam_1 learning rate to 1e-05.",
        "plateau",
        {"epoch": 4, "rate": 1e-05},
    ),
    # LearningRateScheduler 2.1, 2.3, TF with a tensor, 3.15 with several optimizers
    (
        "Epoch 00002: LearningRateScheduler reducing learning rate to 0.009000000000000001.",
        "schedule",
        {"epoch": 2, "rate": 0.009000000000000001},
    ),
    (
        "Epoch 2: LearningRateScheduler setting learning rate to 0.01.",
        "schedule",
        {"epoch": 2, "rate": 0.01},
    ),
    (
        "Epoch 2: LearningRateScheduler setting learning rate to 1.",
        "schedule",
        {"epoch": 2, "rate": 1.0},
    ),
    (
        "Epoch 00002: LearningRateScheduler reducing learning rate to "
        "tf.Tensor(0.0009, shape=(), dtype=float32).",
        "schedule",
        {"epoch": 2, "rate": 0.0009},
    ),
    (
        "Epoch 2: LearningRateScheduler setting adam learning rate to 0.01.",
        "schedule",
        {"epoch": 2, "rate": 0.01},
    ),
    ("Epoch 00049: early stopping", "early stopping", {"epoch": 49}),
    ("Epoch 13: early stopping", "early stopping", {"epoch": 13}),
    (
        "Restoring model weights from the end of the best epoch",
        "restored weights",
        {"best_epoch": None},
    ),
    (
        "Restoring model weights from the end of the best epoch.",
        "restored weights",
        {"best_epoch": None},
    ),
    (
        "Restoring model weights from the end of the best epoch: 8.",
        "restored weights",
        {"best_epoch": 8},
    ),
    ("Batch 1: Invalid loss, terminating training", "terminated", {"batch": 1}),
    ("Early stopping requires val_acc available!", "metric missing", {"monitor": "val_acc"}),
    (
        "Early stopping conditioned on metric `val_acc` which is not available. "
        "Available metrics are: loss,accuracy",
        "metric missing",
        {"monitor": "val_acc"},
    ),
    (
        "Learning Rate Plateau Reducing requires val_acc available!",
        "metric missing",
        {"monitor": "val_acc"},
    ),
    (
        "Reduce LR on plateau conditioned on metric `val_acc` which is not available. "
        "Available metrics are: loss",
        "metric missing",
        {"monitor": "val_acc"},
    ),
    (
        "Learning rate reduction is conditioned on metric `val_acc` which is not available. "
        "Available metrics are: loss.",
        "metric missing",
        {"monitor": "val_acc"},
    ),
    (
        "Can save best model only with val_acc available, skipping.",
        "metric missing",
        {"monitor": "val_acc"},
    ),
    (
        "Can save best model only with val_acc available.",
        "metric missing",
        {"monitor": "val_acc"},
    ),
    (
        "Callback method `on_train_batch_end` is slow compared to the batch time (batch time: "
        "0.0083s vs `on_train_batch_end` time: 0.0158s). Check your callbacks.",
        "slow callback",
        {"method": "on_train_batch_end", "batch_seconds": 0.0083, "callback_seconds": 0.0158},
    ),
    (
        "Callbacks method `on_train_batch_end` is slow compared to the batch time (batch time: "
        "0.0083s vs `on_train_batch_end` time: 0.0158s). Check your callbacks.",
        "slow callback",
        {"method": "on_train_batch_end", "batch_seconds": 0.0083, "callback_seconds": 0.0158},
    ),
    (
        "Method (on_train_batch_end) is slow compared to the batch update (0.123456). "
        "Check your callbacks.",
        "slow callback",
        {"method": "on_train_batch_end", "batch_seconds": None, "callback_seconds": 0.123456},
    ),
    (
        "Method on_batch_end() is slow compared to the batch update (0.123456). "
        "Check your callbacks.",
        "slow callback",
        {"method": "on_batch_end", "batch_seconds": None, "callback_seconds": 0.123456},
    ),
    (
        "Your input ran out of data; interrupting training. Make sure that your dataset or "
        "generator can generate at least `steps_per_epoch * epochs` batches.",
        "out of data",
        {},
    ),
    ("Your dataset ran out of data; interrupting training.", "out of data", {}),
    ("Your dataset iterator ran out of data; interrupting training.", "out of data", {}),
    (
        "Epoch comprised more than `samples_per_epoch` samples, which might affect learning "
        "results. Set `samples_per_epoch` correctly to avoid this warning.",
        "epoch overflow",
        {},
    ),
    (
        "The calling iterator did not fully read the dataset being cached. In order to avoid "
        "unexpected truncation of the dataset, the partially cached contents will be discarded.",
        "cache not filled",
        {},
    ),
    (
        "Filling up shuffle buffer (this may take a while): 143 of 1000",
        "shuffle buffer",
        {"filled": 143, "size": 1000},
    ),
    ("Shuffle buffer filled.", "shuffle buffer", {"filled": None, "size": None}),
    (
        "5 out of the last 7 calls to <function f at 0x7f> triggered tf.function retracing. "
        "Tracing is expensive and the excessive number of tracings could be due to (1)",
        "retracing",
        {"calls": 5},
    ),
    ("OOM when allocating tensor with shape[64,512] and type float", "out of memory", {}),
    ("Allocator (GPU_0_bfc) ran out of memory trying to allocate 2.25GiB", "out of memory", {}),
    ("CUDA_ERROR_OUT_OF_MEMORY: out of memory", "out of memory", {}),
    ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes.", "out of memory", {}),
    (
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating x",
        "out of memory",
        {},
    ),
    ("jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out", "out of memory", {}),
    ("MemoryError", "out of memory", {}),
    ("KeyboardInterrupt", "interrupted", {}),
    ("KeyboardInterrupt:", "interrupted", {}),
    ("ValueError: Shapes (None, 1) and (None, 10) are incompatible", "exception",
     {"name": "ValueError"}),
    ("keras.src.utils.SomeException:", "exception", {"name": "keras.src.utils.SomeException"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "data"), WORDINGS)
def test_every_wording(text: str, kind: str, data: dict[str, object]) -> None:
    assert find(text) == [Found(kind, 0, len(text), data)]
    assert INTEREST.search(text.encode())


def test_every_kind_has_a_wording() -> None:
    assert {kind for _, kind, _ in WORDINGS} == set(KINDS)


# An exception is known by its place at the start of a line, the rest anywhere in it.
EXCEPTIONS = [w for w in WORDINGS if re.match(r"[\w.]*(Error|Exception|KeyboardInterrupt)\b", w[0])]
ANYWHERE = [w for w in WORDINGS if w not in EXCEPTIONS]


@pytest.mark.parametrize(
    ("prefix", "wordings"),
    [
        ("2020-01-01 12:00:00,123 INFO ", ANYWHERE),
        ("# ", ANYWHERE),
        ("loss: nan", ANYWHERE),
        ("[1,0]<stdout>:", WORDINGS),
        ("    ", WORDINGS),
    ],
)
def test_a_prefix_does_no_harm(prefix: str, wordings: list[tuple[str, str, object]]) -> None:
    n = len(prefix)
    for text, kind, data in wordings:
        assert find(prefix + text) == [Found(kind, n, n + len(text), data)]


@pytest.mark.parametrize(("text", "kind", "data"), ANYWHERE)
def test_a_header_glued_after_a_message(text: str, kind: str, data: dict[str, object]) -> None:
    n = len(text)
    assert find(text + "Epoch 2/3") == [
        Found(kind, 0, n, data),
        Found("header", n, n + 9, {"epoch": 2, "epochs": 3}),
    ]


@pytest.mark.parametrize(
    ("text", "start", "epoch", "epochs"),
    [
        ("acc: 0.50Epoch 1/30", 9, 1, 30),
        (" - loss: nanEpoch 2/3", 12, 2, 3),
        (" - loss: 0.5 Epoch 2/3", 13, 2, 3),
        ("[1,0]<stdout>:Epoch 1/12", 14, 1, 12),
        ("2020-01-01T00:00:00Z stdout F Epoch 1/12", 30, 1, 12),
        ("trainer_1  | Epoch 1/12  ", 13, 1, 12),
        ("Epoch 1/52022-02-20 15:30:50.428921: I tensorflow/core", 0, 1, 5),
        ("Epoch 1/5 WARNING:tensorflow:Layers in a Sequential model", 0, 1, 5),
        ('{"log":"Epoch 1/12\\n","stream":"stdout"}', 8, 1, 12),
        ("Epoch 1/12<br>", 0, 1, 12),
    ],
)
def test_headers_among_junk(text: str, start: int, epoch: int, epochs: int) -> None:
    end = start + len(f"Epoch {epoch}/{epochs}")
    assert find(text) == [Found("header", start, end, {"epoch": epoch, "epochs": epochs})]


@pytest.mark.parametrize(
    "text",
    [
        "train_model:: starting epoch 1/3",
        "starting Epoch 1/3",
        "Training Epoch 1/3",
        "epoch 1/3",
        "EPOCH 1/3",
        "Epoch: 1/3",
        "Epoch 1 / 3",
        "Epoch 5/10 done",
        "Epoch 3/10, loss: 0.5",
        "Epoch 3/10 - loss: 0.5",
        "Epoch 1/5: 100%|####| 10/10",
        "[Epoch 1/3]",
        "=== Epoch 1/3 ===",
        "Epoch 0/24",
        "Epoch 01/10",
        "Epoch 4/3",
        "Epoch ١/٣",
        "Epoch 1/3٣",
        "Epoch 1" + "0" * 100_000 + "/1" + "0" * 100_000,
        "Epoch 1/1" + "0" * 100_000,
        "Epoch " + "1" * 100_000 + ": early stopping",
        "Running epoch: 0",
        "Epoch 00001: saving optimizaer to ./data/model-01-0.20.pkl",
        "Epoch 00001:",
        "Epoch 2: val_loss improved from inf to 0.1",
        "Epoch 2: LearningRateScheduler setting learning rate to 0.0",
        "Train on all samples",
        "Training samples: 60000",
        "Batch 12: loss 0.3",
        "  warnings.warn('Epoch comprised more than '",
        "  warnings.warn('Early stopping requires %s available!' %",
        "Restoring model weights from a file",
        "Test loss: 0.3",
        "MeanSquaredError: 0.25",
        "Error: 3",
        "WARNING:tensorflow:Layers in a Sequential model should only have a single input tensor",
        "",
    ],
)
def test_foreign_text(text: str) -> None:
    assert find(text) == []


def test_messages_of_one_lost_line_break_each() -> None:
    text = (
        "Train on 9 samples, validate on 2 samples Epoch 1/2 "
        "Epoch 00001: val_loss improved from inf to 0.50000, saving model to a/Epoch 1.h5 "
        "Epoch 00001: val_loss did not improve from 0.50000Epoch 2/2"
    )
    assert [(f.kind, text[f.start : f.end]) for f in find(text)] == [
        ("train on", "Train on 9 samples, validate on 2 samples"),
        ("header", "Epoch 1/2"),
        (
            "checkpoint",
            "Epoch 00001: val_loss improved from inf to 0.50000, saving model to a/Epoch 1.h5",
        ),
        ("checkpoint", "Epoch 00001: val_loss did not improve from 0.50000"),
        ("header", "Epoch 2/2"),
    ]


def test_several_notes_on_one_line() -> None:
    note = "I tensorflow/core/kernels/data/shuffle_dataset_op.cc:175] "
    text = f"{note}Filling up shuffle buffer (this may take a while): 143 of 1000 " * 2
    assert [f.data for f in find(text)] == [{"filled": 143, "size": 1000}] * 2


def test_a_path_is_bounded() -> None:
    (found,) = find("Epoch 1: saving model to " + "x" * 100_000)
    assert len(found.data["path"]) == 4096
    assert found.end - found.start == 25 + 4096


def test_every_message_of_the_shared_logs(shared_logs) -> None:
    """Each ``Epoch`` line of real logs is a message, bar the look-alikes of a user."""
    wanted = re.compile(r"(?m)^.*?(Epoch [0-9].*?|Restoring model.*?|Train on .*?)\s*$")
    known = 0
    for path in sorted(shared_logs.glob("eras/*/*.log")) + sorted(shared_logs.glob("wild/*.log")):
        raw = path.read_bytes().decode("utf-8", "replace")
        for segment in re.split(r"[\r\n\b]+", re.sub(r"\x1b\[[0-9;]*m", "", raw)):
            match = wanted.match(segment)
            if match is None or "saving optimizaer" in segment or "fit operations" in segment:
                continue
            found = find(segment)
            assert [(f.start, f.end) for f in found] == [match.span(1)], (path, segment)
            assert INTEREST.search(segment.encode()), (path, segment)
            known += 1
    assert known > 1000


PIECES = st.sampled_from(
    [text for text, _, _ in WORDINGS]
    + ["Epoch ", "Epoch 1", ": ", "/", "9" * 40, " improved from ", "saving model to ", "٣"]
    + ["Tracing is expensive", " out of the last ", "Error", ":", "\x00", "\ud7ff", "loss: 0.5"]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=8).map("".join)


@given(TEXTS)
def test_spans_are_ordered_disjoint_and_stable(text: str) -> None:
    found = find(text)
    at = 0
    for f in found:
        assert at <= f.start < f.end <= len(text)
        assert f.kind in KINDS
        at = f.end
    if found:
        assert INTEREST.search(text.encode())


@given(st.sampled_from(WORDINGS), st.data())
def test_a_cut_message_never_gets_other_numbers(wording, data) -> None:
    """Cut anywhere, a message is absent or keeps its kind and the fields before the cut."""
    text, kind, fields = wording
    cut = data.draw(st.integers(0, len(text)))
    for f in find(text[:cut]):
        assert f.kind == kind or {f.kind, kind} <= {"exception", "out of memory"}
        assert {k: f.data[k] for k in ("monitor", "best") if f.data.get(k)} == {
            k: fields[k] for k in ("monitor", "best") if f.data.get(k)
        }


@pytest.mark.parametrize(
    "piece",
    [
        "Epoch 1: ",
        "Epoch 1: saving model to ",
        "Epoch 1: a improved from ",
        "Tracing is expensive",
        " out of the last Tracing is expensive",
        "Can save best model only with ",
        "Aa.",
        "Epoch 1/" + "1" * 100,
        " ",
        "(",
    ],
)
def test_a_long_line_of_half_messages_is_read_once(piece: str, monkeypatch) -> None:
    """A line of 1 MiB is searched in a bounded number of looks, one for each start in it."""
    from logparse.reading import keras_text

    looks = 0
    read = keras_text._read

    def counted(text: str, start: int, before: int) -> Found | None:
        nonlocal looks
        looks += 1
        return read(text, start, before)

    monkeypatch.setattr(keras_text, "_read", counted)
    repeats = (1 << 20) // len(piece)
    find(piece * repeats)
    assert looks <= 2 * repeats
