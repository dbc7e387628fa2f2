"""Which law wrote a log: kinds of metrics, text evidence, likelihood, batch sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made import made_epochs, training

import logparse
from logparse.reading.records import Form
from logparse.training.batch_values import batches
from logparse.training.epochs import Epochs, joined
from logparse.training.laws import (
    BLEND,
    DOUBLE,
    DOUBLE_TRUE,
    LAST_ONLY,
    MEAN,
    Law,
    LawEvidence,
    kind_of_metric,
    law_of_metric,
)
from logparse.training.rebuild import metric_columns, summarise


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("loss", "average"),
        ("accuracy", "average"),
        ("reg_mae", "average"),
        ("mean_squared_error", "average"),
        ("auc", "cumulative"),
        ("auc_1", "cumulative"),
        ("precision_2", "cumulative"),
        ("head_recall", "cumulative"),
        ("f1_score", "cumulative"),
        ("true_positives", "cumulative"),
        ("launch", "average"),
        ("val_loss", "as is"),
        ("val_auc", "as is"),
        ("lr", "as is"),
        ("learning_rate", "as is"),
    ],
)
def test_kind_of_metric(name: str, kind: str) -> None:
    assert kind_of_metric(name) == kind
    assert law_of_metric(name, MEAN) == {"average": MEAN}.get(kind, kind)


def decide(epochs: Epochs, *texts: str) -> Law:
    """The law of one run given all at once."""
    evidence = LawEvidence()
    for text in texts:
        evidence.note(text)
    part = summarise(epochs, evidence.possible(epochs))
    evidence.add(epochs)
    evidence.weigh(part.loglik)
    return evidence.decide()


@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
@pytest.mark.parametrize(("steps", "every", "again"), [(60, 1, True), (400, 9, False)])
def test_likelihood_finds_the_law(law: str, steps: int, every: int, again: bool) -> None:
    values = training(np.random.default_rng(1), 4, steps)
    pick = np.arange(1, steps + 1 if again else steps, every)
    found = decide(made_epochs({"loss": values}, law, pick=pick, repeat_last=again))
    assert found.name == law
    assert found.readings == (law,)
    assert found.runner_up != law
    assert found.keras in ("3.15 and later", "3.0-3.10", "3.11-3.14")


@pytest.mark.parametrize("law", [MEAN, DOUBLE, DOUBLE_TRUE])
def test_feeding_epoch_by_epoch_changes_nothing(law: str) -> None:
    values = training(np.random.default_rng(2), 5, 40)
    whole = made_epochs({"loss": values}, law)
    evidence = LawEvidence()
    for i in range(5):
        one = made_epochs({"loss": values[i : i + 1]}, law)
        one.epoch[:] = i + 1
        part = summarise(one, evidence.possible(one))
        evidence.add(one)
        evidence.weigh(part.loglik)
    together = LawEvidence()
    part = summarise(whole, together.possible(whole))
    together.add(whole)
    together.weigh(part.loglik)
    assert evidence.decide() == together.decide()
    assert evidence.loglik == together.loglik


def test_the_text_decides_alone() -> None:
    values = {"loss": training(np.random.default_rng(3), 2, 30)}
    assert decide(made_epochs(values, MEAN, form=Form.BAR, samples=True)).name == MEAN
    assert decide(made_epochs(values, MEAN, form=Form.BAR_SAMPLE, samples=True)).name == MEAN
    assert decide(made_epochs(values, BLEND, form=Form.BAR)).name == BLEND
    quiet = made_epochs(values, MEAN, form=Form.QUIET, pick=np.zeros(0, np.int64))
    assert decide(quiet).name == LAST_ONLY


def test_plain_steps_need_a_hint_for_the_last_line() -> None:
    values = {"loss": training(np.random.default_rng(4), 3, 30)}
    hidden = made_epochs(values, MEAN, form=Form.BAR_STEP)
    unsure = decide(hidden, "Epoch 1/3")
    assert unsure.name is None
    assert unsure.readings == (MEAN, BLEND)
    assert unsure.inverse == BLEND
    assert decide(hidden, "Epoch 1/1").readings == (BLEND,)
    assert decide(hidden, "Train for 30 steps").name == MEAN
    evidence = LawEvidence(unknown_length=True)
    evidence.note("Epoch 1/3")
    evidence.add(hidden)
    evidence.weigh(summarise(hidden, evidence.possible(hidden)).loglik)
    told = evidence.decide()
    assert (told.name, told.keras) == (MEAN, "TF 1.15-2.3, 2.5-2.15")
    # Its last line may be off by a batch's part of the mean: the bounds allow for it.
    assert told.readings == (MEAN, BLEND)
    assert "does not train without a number of steps" in told.reason
    shown = made_epochs(values, MEAN, form=Form.BAR_STEP, repeat_last=True)
    assert decide(shown, "Epoch 1/3").name == MEAN
    assert decide(made_epochs(values, DOUBLE, form=Form.BAR_STEP, repeat_last=True)).name == DOUBLE


def test_too_little_is_undecided() -> None:
    values = {"loss": training(np.random.default_rng(5), 1, 2)}
    found = decide(made_epochs(values, DOUBLE))
    assert found.name is None
    assert set(found.readings) == {MEAN, DOUBLE, DOUBLE_TRUE}
    assert "too few" in found.reason
    assert LawEvidence().decide().name is None


def test_a_checkpoint_message_rules_out_older_keras() -> None:
    evidence = LawEvidence()
    evidence.note("Epoch 1: val_loss improved from None to 0.74205, saving model to m.keras")
    values = {"loss": training(np.random.default_rng(5), 1, 2)}
    assert evidence.possible(made_epochs(values, MEAN)) == (MEAN, DOUBLE_TRUE)


@pytest.mark.parametrize(("size", "last"), [(32, 13), (32, 32), (10, 3), (7, 7)])
def test_accuracies_tell_the_batch_size(size: int, last: int) -> None:
    rng = np.random.default_rng(6)
    sizes = np.full(40, 1.0)
    sizes[-1] = last / size
    count = rng.binomial((sizes * size).round().astype(int), 0.6, (5, 40))
    accuracy = count / (sizes * size).round()
    found = decide(
        made_epochs({"accuracy": accuracy}, MEAN, form=Form.BAR_STEP, sizes=sizes, repeat_last=True)
    )
    assert found.name == MEAN
    assert found.batch_size == size
    assert found.last_size in (last, None)


def test_accuracies_of_unequal_weights_tell_nothing() -> None:
    accuracy = np.random.default_rng(7).uniform(0, 1, (5, 40))
    found = decide(made_epochs({"accuracy": accuracy}, MEAN, form=Form.BAR_STEP))
    assert found.batch_size is None
    assert found.last_size is None


ERAS = {
    "keras-1.2.2": {MEAN},
    "keras-2.2.4": {MEAN, BLEND},
    "keras-2.3.1": {MEAN, BLEND},
    "keras-3.0.5": {DOUBLE},
    "keras-3.12.0": {DOUBLE_TRUE},
    "keras-3.15.1": {MEAN},
    "tf-2.0.4": {MEAN},
    "tf-2.3.4": {MEAN},
    "tf-2.15.1": {MEAN},
}


@pytest.mark.parametrize("version", ERAS)
def test_law_of_real_logs(shared_logs: Path, version: str) -> None:
    decided = 0
    for kind in (
        "fit.pipe",
        "throttled.tty",
        "outer.pipe",
        "messages.pipe",
        "nan.pipe",
        "unknown.pipe",
    ):
        log = shared_logs / "eras" / version / f"{kind}.log"
        if not log.exists():  # Keras 2 knows no data of unknown length
            continue
        found = logparse.analyze(str(log)).runs["law"].to_list()
        assert set(found) <= ERAS[version] | {None}, (version, kind, found)
        assert None not in found or kind != "unknown.pipe", version
        decided += None not in found
    assert decided >= 4


def test_the_first_fit_of_tf_2_4_is_averaged_twice_the_others_once() -> None:
    values = training(np.random.default_rng(5), 4, 60)
    first = made_epochs({"loss": values[:1]}, DOUBLE, form=Form.BAR_STEP)
    rest = made_epochs({"loss": values[1:]}, MEAN, form=Form.BAR_STEP)
    rest.epoch += 1
    epochs = joined([first, rest])
    evidence = LawEvidence()
    evidence.add(epochs)
    laws = evidence.possible(epochs)
    summary = summarise(epochs, laws)
    evidence.weigh(summary.loglik)
    law = evidence.decide()
    assert (law.name, law.first, law.keras) == (MEAN, DOUBLE, "TF 2.4")
    columns = metric_columns([summary], law.readings, law.first)
    assert columns["mean"][0] == pytest.approx(values[0].mean(), abs=0.005)
    assert abs(columns["shown"][0] - values[0].mean()) > 0.02
    np.testing.assert_allclose(columns["mean"][1:], values[1:].mean(1), atol=6e-5)


def test_the_loss_of_keras_3_0_over_a_data_set_of_unknown_length_has_no_true_last_line() -> None:
    steps = 40
    values = {"loss": training(np.random.default_rng(6), 3, steps)}
    values["accuracy"] = 1 / (1 + values["loss"])
    epochs = made_epochs(values, DOUBLE, repeat_last=True)
    # (T_K + S_K / (K + 1)) / (K + 1) where (T_K + S_K / K) / (K + 1) should stand.
    last = epochs.starts[1:] - 1
    lost = values["loss"].mean(1) / (steps + 1) ** 2
    epochs.values["loss"][last] = np.round(epochs.values["loss"][last] - lost, 4)
    evidence = LawEvidence()
    evidence.add(epochs)
    summary = summarise(epochs, evidence.possible(epochs), unknown_length=True)
    evidence.weigh(summary.loglik)
    assert evidence.decide().name == DOUBLE
    found = batches(epochs, DOUBLE, unknown_length=True)
    true = np.stack([values[name] for name in ("loss", "accuracy")], 1).reshape(-1)
    known = np.isfinite(found["low"])
    assert ((found["low"] <= true) & (true <= found["high"]))[known].all()
    unknown = [(found["metric"][i], found["step"][i]) for i in np.flatnonzero(~known)]
    assert unknown == [("loss", steps)] * 3


def test_batches_without_errors_do_not_tell_their_size() -> None:
    # Sixteen samples; the few errors come in pairs by chance, as they may with batches of eight.
    accuracy = np.ones((3, 60))
    accuracy[:, [4, 9]] = 1 - 2 / 16
    found = decide(made_epochs({"accuracy": accuracy}, MEAN, form=Form.BAR_STEP))
    assert found.batch_size in (None, 16)
    assert found.last_size is None
