"""model.summary() as a log prints it -> the same network, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

import logparse
from logparse.replay.network import CannotRebuildError, Network, rebuild

ROOT = Path(__file__).resolve().parents[2]


def _network(log: Path, model: int = 1) -> Network:
    analysis = logparse.analyze(log)
    rows = [row for row in analysis.layers.iter_rows(named=True) if row["model"] == model]
    return rebuild(rows, analysis.table("models")["trainable"].to_list()[0])


def _rows(*rows: tuple[str, str, int]) -> list[dict[str, object]]:
    return [
        {"layer": f"l{i}", "type": kind, "shape": shape, "parameters": count, "trainable": None}
        for i, (kind, shape, count) in enumerate(rows)
    ]


def test_vgg16_of_the_seed_is_rebuilt_with_what_trained() -> None:
    found = _network(ROOT / "sample_logs" / "seeds" / "004_vgg16_finetune.log")
    assert found.shape == (224, 224, 3)
    assert found.outputs == 19
    kinds = [layer.kind for layer in found.layers]
    assert kinds.count("Conv2D") == 13
    assert kinds.count("MaxPooling2D") == 5
    first = found.layers[0]
    assert first.options == {
        "filters": 64,
        "kernel_size": 3,
        "use_bias": True,
        "strides": 1,
        "padding": "same",
    }
    trains = [layer.name for layer in found.layers if layer.trainable]
    assert trains == ["fc7", "batchnormalization_1", "fc8"]
    assert any("channels first" in guess for guess in found.guesses)
    assert any("16,867,347 parameters train: the layers from fc7 on" in g for g in found.guesses)


@pytest.mark.parametrize(
    ("row", "before", "options"),
    [
        (("Conv2D", "(None, 14, 14, 8)", 584), "(None, 28, 28, 8)", {"strides": 2}),
        (("Conv2D", "(None, 26, 26, 8)", 584), "(None, 28, 28, 8)", {"padding": "valid"}),
        (("Conv2D", "(None, 28, 28, 8)", 72), "(None, 28, 28, 8)", {"kernel_size": 1}),
        (("Conv2D", "(None, 28, 28, 8)", 64), "(None, 28, 28, 8)", {"use_bias": False}),
        (("MaxPooling2D", "(None, 14, 14, 8)", 0), "(None, 28, 28, 8)", {"pool_size": 2}),
        (("MaxPooling2D", "(None, 13, 13, 8)", 0), "(None, 27, 27, 8)", {"pool_size": 2}),
        (("MaxPooling2D", "(None, 14, 14, 8)", 0), "(None, 27, 27, 8)", {"padding": "same"}),
        (
            ("ZeroPadding2D", "(None, 30, 30, 8)", 0),
            "(None, 28, 28, 8)",
            {"padding": ((1, 1),) * 2},
        ),
        (("LSTM", "(None, 16)", 1600), "(None, 7, 8)", {"return_sequences": False}),
        (("Dense", "(None, 5)", 40), "(None, 8)", {"units": 5, "use_bias": False}),
        (("BatchNorma", "(None, 8)", 32), "(None, 8)", {}),
    ],
)
def test_arguments_follow_from_shapes_and_parameters(
    row: tuple[str, str, int], before: str, options: dict[str, object]
) -> None:
    found = rebuild(_rows(("InputLayer", before, 0), row), None).layers[0]
    assert options.items() <= found.options.items()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "the log holds no model.summary() with layers"),
        ([("Add", "(None, 8)", 0)], "layer l0 is a Add, of which a summary says too little"),
        ([("Sequential", "(None, 8)", 9)], "layer l0 is a Sequential"),
        ([("Dense", "multiple", 9)], "layer l0 has the output shape multiple"),
        ([("InputLayer", "(None, None, None, 3)", 0), ("Flatten", "(None, 9)", 0)], "no fixed"),
        (
            [("InputLayer", "(None, 28, 28, 8)", 0), ("Conv2D", "(None, 28, 28, 8)", 71)],
            "no square kernel has 71 parameters",
        ),
        (
            [("InputLayer", "(None, 28, 28, 8)", 0), ("Conv2D", "(None, 40, 40, 8)", 584)],
            "no stride leads from 28 x 28 x 8 to 40 x 40 x 8",
        ),
        ([("InputLayer", "(None, 8)", 0), ("Dropout", "(None, 9)", 0)], "is not its output"),
    ],
)
def test_what_cannot_be_rebuilt_says_why(rows: list[tuple[str, str, int]], reason: str) -> None:
    with pytest.raises(CannotRebuildError) as caught:
        rebuild(_rows(*rows), None)
    assert reason in str(caught.value)


def test_an_input_that_is_not_printed_is_found() -> None:
    conv = rebuild(_rows(("Conv2D", "(None, 32, 32, 16)", 448)), None)
    assert conv.shape == (32, 32, 3)
    valid = rebuild(_rows(("Conv2D", "(None, 26, 26, 32)", 320)), None)
    assert valid.shape == (28, 28, 1)
    assert valid.layers[0].options["padding"] == "valid"
