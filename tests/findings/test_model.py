"""Made summaries and curves with a known answer, and the fine-tuning question -> LP306 to LP403."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import logparse
from logparse.findings.networks import arithmetic, networks
from logparse.findings.registry import Finding, Tables
from tests.made import Array, checked, learning_tables

CODES = ["LP306", "LP307", "LP403"]

Row = tuple[str, str, str, int]

STACK: list[Row] = [
    ("image", "InputLayer", "[(None, 32, 32, 3)]", 0),
    ("conv", "Conv2D", "(None, 32, 32, 64)", 1792),
    ("pool", "MaxPooling2D", "(None, 16, 16, 64)", 0),
    ("flat", "Flatten", "(None, 16384)", 0),
    ("norm", "BatchNormalization", "(None, 16384)", 65536),
    ("scores", "Dense", "(None, 10)", 163850),
]


def made(
    layers: list[Row],
    trainable: int | None,
    curves: dict[str, Array],
    *,
    trained: list[bool] | None = None,
    **run: object,
) -> Tables:
    """One run after one summary, whose total is that of its layers."""
    total = sum(parameters for _, _, _, parameters in layers)
    names, kinds, shapes, counts = zip(*layers, strict=True) if layers else ((), (), (), ())
    n = len(layers)
    table: dict[str, object] = {"model": [1] * n, "layer": names, "type": kinds, "shape": shapes}
    table |= {"parameters": counts, "line": range(3, n + 3), "trainable": trained or [None] * n}
    rest = None if trainable is None else total - trainable
    model = {"model": [1], "total": [total], "line": [2]}
    model |= {"trainable": [trainable], "non_trainable": [rest]}
    runs = {"run": [1], "first_line": [9]} | {key: [value] for key, value in run.items()}
    return learning_tables(
        curves, seconds=100.0, runs=runs, layers=table, models=model if n else {}
    )


def found(tables: Tables) -> list[Finding]:
    return checked(tables, CODES)


def codes(tables: Tables) -> list[str]:
    return [finding.code for finding in found(tables)]


GUESSING = {"loss": np.full(5, 2.3031), "acc": np.array([0.099, 0.101, 0.1, 0.102, 0.098])}
LEARNING = {"loss": np.array([2.3, 2.0, 1.7, 1.4, 1.2]), "acc": np.array([0.1, 0.2, 0.4, 0.5, 0.6])}


def test_guessing_in_full() -> None:
    (finding,) = found(made(STACK, 231178, GUESSING, samples=50_000))
    assert finding == Finding(
        "LP306",
        "warning",
        "acc 0.0980 and loss 2.3031 are those of guessing among 10 classes (1/10 = 0.1000, ln 10 "
        "= 2.3026), in each of the last 5 epochs. The number of classes is told by the summary.",
        "Look at labels and their order, the last activation and the loss, the scale of the "
        "inputs; then lower the learning rate. First try to learn ten samples by heart.",
        run=1,
        epoch=1,
        metric="acc",
        line=10,
        value=0.098,
        baseline=0.1,
        threshold=finding.threshold,
        n=5,
    )


def test_without_a_summary_the_loss_tells_the_classes() -> None:
    (finding,) = found(made([], None, GUESSING))
    assert "guessing among 10 classes" in finding.message
    assert finding.message.endswith("told by the loss.")
    two = {"loss": np.full(4, 0.6932), "accuracy": np.full(4, 0.503)}
    assert codes(made([], None, two)) == ["LP306"]


def test_a_dead_output_is_guessing_only_with_a_summary() -> None:
    dead = {"loss": np.full(5, 7.97), "acc": np.full(5, 0.5)}
    one = [*STACK[:-1], ("score", "Dense", "(None, 1)", 16385)]
    assert codes(made(one, 100_000, dead, samples=2000)) == ["LP306"]
    assert codes(made([], None, dead)) == []


@pytest.mark.parametrize(
    "curves",
    [
        LEARNING,
        {"loss": np.full(2, 2.3031), "acc": np.full(2, 0.1)},  # too few
        {"loss": np.full(5, 1.9), "acc": np.full(5, 0.1)},  # the loss knows more than a guess
        {"loss": np.full(5, 2.3031), "acc": np.full(5, 0.2)},  # better than a guess
        {"loss": np.full(5, 1.34), "accuracy": np.full(5, 0.0034)},  # not that kind of accuracy
        {"loss": np.full(5, 0.0001), "accuracy": np.full(5, 0.0)},  # a regression
        {"loss": np.full(5, 2.3031), "val_acc": np.full(5, 0.1)},  # no training accuracy
    ],
)
def test_what_is_no_guessing(curves: dict[str, Array]) -> None:
    assert codes(made([], None, curves)) == []


def test_outputs_are_judged_with_their_own_loss() -> None:
    curves = {
        "a_accuracy": np.full(4, 0.25), "a_loss": np.full(4, math.log(4)),
        "b_accuracy": np.full(4, 0.9), "b_loss": np.full(4, 0.2), "loss": np.full(4, 1.6),
    }  # fmt: skip
    (finding,) = found(made([], None, curves))
    assert (finding.code, finding.metric) == ("LP306", "a_accuracy")


def test_far_more_parameters_than_samples() -> None:
    (finding,) = found(made(STACK[-1:], 163850, LEARNING, samples=100))
    assert (finding.code, finding.severity, finding.n) == ("LP307", "info", 100)
    assert finding.value == 1638.5
    behind = LEARNING | {"val_acc": np.array([0.1, 0.2, 0.25, 0.25, 0.25])}
    (finding,) = found(made(STACK[-1:], 163850, behind, samples=100))
    assert finding.severity == "warning"
    assert finding.message == (
        "The network trains 163,850 parameters on 100 samples: 1,600 for each. It can learn all "
        "samples by heart. Training is ahead of validation by 0.2500 (acc against val_acc)."
    )
    assert codes(made(STACK[-1:], 163850, LEARNING, samples=200)) == []
    assert codes(made(STACK[-1:], 163850, LEARNING)) == []  # samples unknown
    assert codes(made(STACK[-1:], 163850, LEARNING, steps_per_epoch=10, batch_size=10)) == ["LP307"]


def test_frozen_layers_are_found_from_the_counts() -> None:
    # Batch normalisation trains half of its parameters.
    tables = made(STACK, 163850 + 32768, LEARNING, samples=1000)
    network = networks(tables)[1]
    assert [layer.name for layer in network.frozen()] == ["image", "conv", "pool", "flat"]
    assert arithmetic(network.frozen()) == 1792 * 32 * 32
    (finding,) = found(tables)
    assert finding.code == "LP403"
    assert finding.message == (
        "1 layer at the beginning (conv) is frozen, with 88.9 % of the 2.06 million "
        "multiply-adds a sample, and computed anew in each of the 5 epochs with the same result. "
        "An epoch takes 100 s, 100 ms a training sample."
    )


def test_frozen_layers_are_found_from_the_column() -> None:
    marked = [False, False, False, False, True, True]
    assert codes(made(STACK, None, LEARNING, trained=marked)) == ["LP403"]
    middle = [True, True, False, False, False, True]
    assert codes(made(STACK, None, LEARNING, trained=middle)) == []


@pytest.mark.parametrize(
    "trainable",
    [
        231178,  # everything
        163850 + 32768 + 1792,  # nothing but running averages is not trained
        150_000,  # no layers add up to this: which are frozen is not known
        None,
        0,
    ],
)
def test_what_is_not_called_frozen(trainable: int | None) -> None:
    assert codes(made(STACK, trainable, LEARNING, samples=1000)) == []


def test_a_frozen_nested_model_counts_by_its_parameters() -> None:
    nested: list[Row] = [
        ("input", "InputLayer", "[(None, 150, 150, 3)]", 0),
        ("xception", "Functional", "(None, 5, 5, 2048)", 20861480),
        ("dense", "Dense", "(None, 1)", 2049),
    ]
    (finding,) = found(made(nested, 2049, LEARNING, samples=18000))
    assert "(xception) is frozen, with 100.0 % of the parameters" in finding.message


def test_channels_first_and_last_need_the_same_arithmetic() -> None:
    curves = {"loss": np.ones(2)}
    for shape in ("(None, 64, 224, 224)", "(None, 224, 224, 64)"):
        tables = made([("conv", "Convolution2D", shape, 1792)], 1792, curves)
        assert arithmetic(networks(tables)[1].layers) == 1792 * 224 * 224


def test_a_summary_after_the_training_is_not_its_own() -> None:
    tables = made(STACK, 163850 + 32768, LEARNING, samples=100)
    later = tables.models.with_columns(line=50)
    assert codes(Tables(**{**_parts(tables), "models": later})) == []


def _parts(tables: Tables) -> dict[str, object]:
    return {name: getattr(tables, name) for name in Tables.__dataclass_fields__}


def test_the_fine_tuning_question(shared_logs: Path) -> None:
    findings = logparse.analyze(
        shared_logs / "seeds" / "004_vgg16_finetune.log", select=CODES
    ).findings
    assert findings["code"].to_list() == ["LP307", "LP403"]
    assert findings["message"].to_list() == [
        "The network trains 16,867,347 parameters on 1,120 samples: 15,000 for each. It can learn "
        "all samples by heart. Training is ahead of validation by 0.1444 (acc against val_acc).",
        "14 layers at the beginning (conv1_1 to fc6) are frozen, with 99.9 % of the 15.5 "
        "billion multiply-adds a sample, and computed anew in each of the 20 epochs with the same "
        "result. An epoch takes 2.1 h, 6.6 s a training sample.",
    ]


def test_no_finding_on_other_real_logs(shared_logs: Path) -> None:
    logs = sorted(shared_logs.glob("wild/*.log")) + sorted(shared_logs.glob("eras/*/fit.pipe.log"))
    for log in logs:
        assert logparse.analyze(log, select=CODES).findings.rows() == [], log
