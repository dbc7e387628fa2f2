"""Learning curves and ``model.summary()`` -> findings: LP306, LP307, LP403."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from logparse.findings.curves import Curve, all_curves
from logparse.findings.networks import Network, arithmetic, networks
from logparse.findings.registry import Finding, Tables, first_lines, once, rows_of, rule
from logparse.findings.thresholds import min_value
from logparse.findings.wording import count, duration, long_duration, number, rounded

FEWEST_AT_CHANCE = 3
"""Epochs at the end of a run, below which it is not called at chance."""

CHANCE_LOSS = 0.02
"""Fraction by which a loss may be below that of guessing."""

CHANCE_ACCURACY = 0.1
"""Fraction by which an accuracy may differ from that of guessing."""

FAR_MORE = 1000.0
"""Trainable parameters a sample from which they are far more: common networks have up to 700."""

GAP = 0.1
"""Accuracy by which training is ahead of validation where the surplus is called harmful."""

FEWEST_RECOMPUTED = 2
"""Epochs from which frozen layers are computed again."""

MOST_FROZEN = 0.5
"""Share of the arithmetic that frozen layers must have to be worth a finding."""

_LOSS_OF = re.compile(r"(?:^|(?<=_))(?:sparse_|categorical_|binary_|top_k_)*acc(?:uracy)?(_\d+)?$")


@dataclass(frozen=True, slots=True)
class _Guess:
    """How well guessing among classes does."""

    classes: int
    told_by: str

    @property
    def accuracy(self) -> float:
        return 1.0 / self.classes

    @property
    def loss(self) -> float:
        return math.log(self.classes)


@rule(
    "LP306",
    "at chance",
    severity="warning",
    summary="The network does not do better than guessing, and does not get better.",
    computed=(
        f"Needs {FEWEST_AT_CHANCE} epochs and an accuracy with its loss. Guessing among C classes "
        "gives an accuracy of 1/C and a cross-entropy of ln C. C is the width of the last layer of "
        "model.summary(), 2 for a single output; without a summary, the C for which the last loss "
        f"is ln C to {100 * CHANCE_LOSS:.0f} % and the accuracy 1/C. Fires where in each of the "
        f"last {FEWEST_AT_CHANCE} epochs or more the accuracy is within "
        f"{100 * CHANCE_ACCURACY:.0f} % of 1/C, or three standard errors of that many samples, and "
        f"the loss not below ln C by {100 * CHANCE_LOSS:.0f} %."
    ),
    wrong_when=(
        "Classes of very different size: guessing the most frequent one is better than 1/C, and "
        "such a failure is not seen here. The head of a slow start looks the same."
    ),
    advice=(
        "Look at the labels and their order beside the inputs, the last activation and the loss "
        "(softmax with categorical, sigmoid with binary cross-entropy), the scale of the inputs, "
        "then a learning rate ten times smaller. A network must be able to learn ten samples by "
        "heart: try that first."
    ),
    source="Karpathy, A Recipe for Training Neural Networks (2019): verify the loss at the start.",
)
def at_chance(tables: Tables) -> Iterator[Finding]:
    """LP306."""
    samples = dict(rows_of(tables.runs, "run", "samples"))
    for curve, loss in _with_losses(all_curves(tables)):
        guess = _guess(curve, loss, networks(tables).get(curve.run))
        if guess is None:
            continue
        p = guess.accuracy
        n = samples.get(curve.run)
        width = max(CHANCE_ACCURACY * p, 3 * (p * (1 - p) / n) ** 0.5 if n else 0.0)
        near = np.abs(curve.values - p) <= width
        near &= loss.values >= (1 - CHANCE_LOSS) * guess.loss
        if guess.told_by == "loss":
            near &= loss.values <= (1 + CHANCE_LOSS) * guess.loss
        ever = np.flatnonzero(~near)
        since = int(ever[-1]) + 1 if len(ever) else 0
        stuck = len(near) - since
        if stuck < FEWEST_AT_CHANCE:
            continue
        first = int(curve.epoch[since])
        yield Finding(
            "LP306",
            "warning",
            f"{curve.metric} {number(float(curve.values[-1]))} and {loss.metric} "
            f"{number(float(loss.values[-1]))} are those of guessing among {guess.classes} "
            f"classes (1/{guess.classes} = {number(p)}, ln {guess.classes} = "
            f"{number(guess.loss)}), in each of the last {count(stuck, 'epoch')}. The number of "
            f"classes is told by the {guess.told_by}.",
            "Look at labels and their order, the last activation and the loss, the scale of the "
            "inputs; then lower the learning rate. First try to learn ten samples by heart.",
            run=curve.run,
            epoch=first,
            metric=curve.metric,
            line=first_lines(tables).get((curve.run, first)),
            value=float(curve.values[-1]),
            baseline=p,
            threshold=p + width,
            n=stuck,
        )


def _with_losses(curves: dict[tuple[int, str], Curve]) -> Iterator[tuple[Curve, Curve]]:
    """Training accuracies with the loss of the same output, over the epochs that show both."""
    for (run, metric), curve in curves.items():
        if curve.validation or not curve.accuracy:
            continue
        stem = _LOSS_OF.sub("", metric)
        loss = curves.get((run, f"{stem}loss")) or curves.get((run, "loss"))
        if loss is None:
            continue
        _, mine, other = np.intersect1d(curve.epoch, loss.epoch, return_indices=True)
        yield (
            Curve(run, metric, curve.epoch[mine], curve.values[mine]),
            Curve(run, loss.metric, loss.epoch[other], loss.values[other]),
        )


def _guess(accuracy: Curve, loss: Curve, network: Network | None) -> _Guess | None:
    """The classes to guess among; None where neither the summary nor the loss tells them."""
    if len(loss.values) < FEWEST_AT_CHANCE:
        return None
    if network is not None and network.classes is not None and network.classes > 1:
        # Several sigmoid outputs are as many yes or no questions, each with its own chance.
        if "binary" in accuracy.metric and network.classes > 2:
            return None
        return _Guess(network.classes, "summary")
    last, share = float(loss.values[-1]), float(accuracy.values[-1])
    classes = round(1 / share) if 0 < share <= 0.6 else 0
    if classes < 2 or abs(last / math.log(classes) - 1) > CHANCE_LOSS:
        return None
    return _Guess(classes, "loss")


@rule(
    "LP307",
    "far more trainable parameters than samples",
    severity="warning",
    summary=(
        "The network has so many trainable parameters for each training sample that it can learn "
        "all of them by heart."
    ),
    computed=(
        "Trainable parameters of model.summary() over the number of training samples (`Train on N "
        "samples`, or a bar that counts samples, or steps times batch size). Fires from "
        f"{FAR_MORE:,.0f} parameters a sample on; a warning where in the last three epochs the "
        f"training accuracy is ahead of validation by {GAP}, else for information."
    ),
    wrong_when=(
        "Networks generalise with far more parameters than samples if something holds them back: "
        "trained weights to start from with a small learning rate, augmentation, weight decay, "
        "early stopping. The rule counts parameters, it does not see those."
    ),
    advice=(
        "Make the trained part smaller: global average pooling instead of Flatten before the first "
        "dense layer, a dense layer of 50 to 100 instead of thousands, more layers frozen. Or more "
        "samples, augmentation."
    ),
    source=(
        "Zhang et al., Understanding deep learning requires rethinking generalization, ICLR "
        "(2017): networks with more parameters than samples can learn random labels by heart."
    ),
    thresholds=(min_value("min-parameters", FAR_MORE, "trainable parameters a sample"),),
)
def too_many_parameters(tables: Tables) -> Iterator[Finding]:
    """LP307."""
    for run, network in networks(tables).items():
        samples = samples_of(tables, run)
        if not samples or not network.trainable or network.trainable < FAR_MORE * samples:
            continue
        share = network.trainable / samples
        gap = _gap(tables, run)
        text = (
            f" Training is ahead of validation by {number(gap[2])} ({gap[0]} against {gap[1]})."
            if gap
            else ""
        )
        yield Finding(
            "LP307",
            "warning" if gap else "info",
            f"The network trains {network.trainable:,} parameters on {samples:,} samples: "
            f"{rounded(share)} for each. It can learn all samples by heart.{text}",
            "Make the trained part smaller: global average pooling instead of Flatten, dense "
            "layers of 50 to 100 instead of thousands; or more samples, augmentation.",
            run=run,
            line=network.line,
            value=share,
            baseline=None,
            threshold=FAR_MORE,
            n=samples,
        )


def samples_of(tables: Tables, run: int) -> int | None:
    """Training samples of a run: told, or steps times batch size."""
    return _samples(tables)[run]


@once
def _samples(tables: Tables) -> dict[int, int | None]:
    rows = rows_of(tables.runs, "run", "samples", "steps_per_epoch", "batch_size")
    return {
        run: int(samples) if samples else int(steps * size) if steps and size else None
        for run, samples, steps, size in rows
    }


def _gap(tables: Tables, run: int) -> tuple[str, str, float] | None:
    """Accuracy of training and its validation where training is far ahead at the end."""
    curves = all_curves(tables)
    for (number_of_run, metric), curve in curves.items():
        other = curves.get((run, f"val_{metric}"))
        if number_of_run != run or other is None or not curve.accuracy:
            continue
        ahead = float(np.median(curve.values[-3:]) - np.median(other.values[-3:]))
        if ahead >= GAP:
            return metric, other.metric, ahead
    return None


@rule(
    "LP403",
    "frozen layers computed anew in each epoch",
    severity="warning",
    summary=(
        "The first layers are frozen, so they give the same output for a sample in every epoch, "
        "and that output is computed again and again."
    ),
    computed=(
        f"Needs {FEWEST_RECOMPUTED} epochs and a model.summary() with frozen layers at its "
        "beginning: those that its column Trainable marks, or those before the last layers whose "
        "parameters add up to exactly the trainable ones counted (batch normalisation counts "
        "half). Their share of the multiply-adds a sample is parameters times places of the "
        f"output, and must be {100 * MOST_FROZEN:.0f} %; where a nested model hides its layers, "
        "their share of the parameters. A training step costs three passes through trained "
        "layers, one through frozen ones."
    ),
    wrong_when=(
        "Random augmentation gives each epoch other inputs: the frozen output then differs, and "
        "computing it once means giving up augmentation or storing several versions. Layers that "
        "are frozen for a few epochs only."
    ),
    advice=(
        "Run the frozen part once over all samples (model.predict), store its output, and train "
        "the rest on that. With the same samples in each epoch the result is the same."
    ),
    source="Chollet, The Keras blog, Building powerful models using very little data (2016).",
)
def frozen_layers(tables: Tables) -> Iterator[Finding]:
    """LP403."""
    for run, network in networks(tables).items():
        frozen = network.frozen()
        epochs = tables.epochs.filter((pl.col("run") == run) & pl.col("complete"))
        if not frozen or epochs.height < FEWEST_RECOMPUTED:
            continue
        held = sum(layer.parameters for layer in frozen)
        all_of_it = sum(layer.parameters for layer in network.layers)
        whole, part = arithmetic(network.layers), arithmetic(frozen)
        share = part / whole if part and whole else held / all_of_it
        if share < MOST_FROZEN:
            continue
        names = [layer.name for layer in frozen if layer.parameters]
        these = f"{names[0]} to {names[-1]}" if len(names) > 1 else names[0]
        work = (
            f"{100 * share:.1f} % of the {rounded(whole)} multiply-adds a sample"
            if part and whole
            else f"{100 * share:.1f} % of the parameters"
        )
        yield Finding(
            "LP403",
            "warning",
            f"{count(len(names), 'layer')} at the beginning ({these}) "
            f"{'are' if len(names) > 1 else 'is'} frozen, with {work}, and "
            f"computed anew in each of the {epochs.height} epochs with the same result. "
            + _cost(tables, run, epochs),
            "Run the frozen layers once over all samples (model.predict), store what they give, "
            f"and train the rest on that{_gain(epochs, part, whole)}. Not if each epoch augments "
            "at random. To confirm: `logparse replay run finetune` trains both ways.",
            run=run,
            line=network.line,
            value=share,
            baseline=None,
            threshold=MOST_FROZEN,
            n=epochs.height,
        )


def _cost(tables: Tables, run: int, epochs: pl.DataFrame) -> str:
    """What an epoch takes, and a sample of it."""
    seconds, samples = epochs["seconds"].drop_nulls(), samples_of(tables, run)
    if not len(seconds):
        return ""
    typical = float(np.median(seconds.to_numpy()))
    each = f", {duration(typical / samples)} a training sample" if samples else ""
    return f"An epoch takes {long_duration(typical)}{each}."


def _gain(epochs: pl.DataFrame, part: int | None, whole: int | None) -> str:
    """What is left of the training where the frozen part is computed once, by its arithmetic."""
    if not part or not whole:
        return ""
    rest = 3 * (whole - part)
    share = rest / (part + rest)
    text = f": an epoch then needs {100 * share:.2g} % of the arithmetic"
    total, n = float(epochs["seconds"].sum()), epochs.height
    if total > 0:
        left = total * (1 + (n - 1) * share) / n
        text += f", and the {long_duration(total)} of this log might have been "
        text += long_duration(left)
    return text
