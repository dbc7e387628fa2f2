"""Closed epochs in, the law that wrote their averages out, with its reason and the runner-up."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from logparse.reading.records import Form
from logparse.training.counts import CountEvidence
from logparse.training.epochs import Epochs

MEAN = "mean"
BLEND = "mean+blend"
DOUBLE = "mean of means"
DOUBLE_TRUE = "mean of means, true end"
CUMULATIVE = "cumulative"
AS_IS = "as is"
LAST_ONLY = "last only"

LAWS = (MEAN, BLEND, DOUBLE, DOUBLE_TRUE, CUMULATIVE, AS_IS, LAST_ONLY)
"""Every law, by its name in the tables; docs/averages.md says what each shows."""

SURE = 10.0
"""Nats by which a law must win: the log e^10 times more probable than under the runner-up."""

EVIDENCE_EPOCHS = 12
"""Epochs of a run that are weighed; on real logs one or two decide."""

CREDIT = 50.0
"""Most that one epoch may count for a law: one odd epoch must not decide against many."""

Kind = Literal["average", "cumulative", "as is"]

_CUMULATIVE = re.compile(
    r"(^|_)(auc|pr_?auc|roc_?auc|precision|recall|f1(_score)?|fbeta(_score)?|f_?score|iou|mean_?iou"
    r"|tp|fp|tn|fn|(true|false)_(positives?|negatives?)|sensitivity(_at_\w+)?"
    r"|specificity(_at_\w+)?|precision_at_\w+|recall_at_\w+|cohen_kappa|r2(_score)?"
    r"|matthews_\w+|root_mean_squared_error|rmse)(_\d+)?$",
    re.IGNORECASE,
)
_AS_IS = re.compile(r"^(val_.*|lr|learning_rate)$")


def kind_of_metric(name: str) -> Kind:
    """Whether a metric is an average, a ratio of running counts, or shown as it is.

    >>> kind_of_metric("val_loss"), kind_of_metric("auc_1"), kind_of_metric("reg_mae")
    ('as is', 'cumulative', 'average')
    """
    if _AS_IS.match(name):
        return "as is"
    return "cumulative" if _CUMULATIVE.search(name) else "average"


def law_of_metric(name: str, law: str | None) -> str | None:
    """The law of one metric in a run whose averages follow ``law``."""
    kind = kind_of_metric(name)
    if kind == "average":
        return law
    return AS_IS if kind == "as is" else CUMULATIVE


@dataclass(frozen=True, slots=True)
class Law:
    """The law of a run's averages."""

    name: str | None
    """None: the log cannot decide."""
    reason: str
    runner_up: str | None = None
    keras: str | None = None
    """Versions that the text and the law allow, as in the table ``runs``."""
    readings: tuple[str, ...] = ()
    """Laws that the log allows, most probable first; one if it is decided."""
    batch_size: int | None = None
    """Samples in a full batch, where the bar counts them or accuracies tell."""
    last_size: int | None = None
    """Samples in the last batch of an epoch, where the bar counts steps and accuracies tell."""

    late_end: bool = False
    """A last line without step K before it may hold the true mean in place of batch K's.

    TF 1.15 to 2.1, counting the steps of a data set: (v_1 + ... + v_(K-1) + E) / K.
    """

    first: str | None = None
    """Law of the run's first epoch, where it is another: the first fit of a model under TF 2.4."""

    unknown_length: bool = False
    """Keras did not know the number of steps, see ``rebuild.lost_end``."""

    @property
    def inverse(self) -> str | None:
        """The law to invert by. The blend is in the last line only, within its bounds."""
        if set(self.readings) == {MEAN, BLEND}:
            return BLEND
        return self.name


_VERSIONS = {
    (Form.BAR, True): "0.1-2.0.8",
    (Form.BAR, False): "2.0.0-2.0.8",
    (Form.BAR_STEP, True): "2.0.9-2.3.1",
    (Form.BAR_SAMPLE, True): "TF 1.15-2.1",
    (Form.BAR_SAMPLE, False): "TF 1.15-2.1",
    (Form.QUIET, False): "0.1-2.3.1",
    (Form.QUIET_COUNT, False): "TF 1.15-2.6",
    (Form.QUIET_EPOCH, False): "2.7-2.15",
    (Form.QUIET_STEP, False): "3.0 and later",
}
_VERSIONS_OF_LAW = {
    (Form.HEAVY, MEAN): "3.15 and later",
    (Form.HEAVY, DOUBLE): "3.0-3.10",
    (Form.HEAVY, DOUBLE_TRUE): "3.11-3.14",
    (Form.BAR_STEP, DOUBLE): "TF 2.4",
    (Form.BAR_STEP, BLEND): "2.0.9-2.3.1",
}
_REASONS = {
    MEAN: "the shown values behave like plain running means",
    DOUBLE: "the shown values are averaged twice, the last line too",
    DOUBLE_TRUE: "the shown values are averaged twice, and the last line is the true mean",
}


@dataclass(slots=True)
class LawEvidence:
    """What one run says about its law. Small sums only: feed it epoch by epoch, in order."""

    forms: dict[int, int] = field(default_factory=dict)
    """Rows by ``records.Form``."""
    counts_samples: bool = False
    several: bool = False
    """Some epoch has more than its last line."""
    train_on: bool = False
    """A ``Train on`` header: Keras up to 2.3.1 or TF up to 2.1."""
    train_for: bool = False
    """A ``Train for`` header: TF 1.15 to 2.1, whose last line is the plain mean."""
    rate_shown: bool = False
    """The learning rate is among the metrics, as from TF 2.2 on."""
    unknown_length: bool = False
    """A line tells no number of steps: tf.keras or Keras 3."""
    keras3_from: int = 0
    """Lowest Keras 3 minor version that a message allows."""
    pairs: int = 0
    """Epochs that show step K before the last line."""
    pairs_differ: int = 0
    """Of those, epochs whose last line shows another number."""
    pairs_due: int = 0
    """Epochs that do not, though step K was due to be drawn by the pace of the lines before."""
    headers: int = 0
    """Headers like ``Epoch 1/3``."""
    single_headers: int = 0
    """Headers like ``Epoch 1/1``, which TF 1.15 and later do not print."""
    epochs: int = 0
    counts: CountEvidence = field(default_factory=CountEvidence)
    weighed: int = 0
    """Epochs whose likelihood was counted."""
    loglik: dict[str, float] = field(default_factory=dict)
    """Sum of the log likelihoods by law."""
    first: dict[str, float] = field(default_factory=dict)
    """The first epoch's part of ``loglik``."""

    def note(self, text: str) -> None:
        """A header or message of the run: some narrow the version."""
        header = re.match(r"Epoch \d+/(\d+)\s*$", text)
        if header:
            self.headers += 1
            self.single_headers += header[1] == "1"
        self.train_on |= text.startswith("Train on ")
        self.train_for |= text.startswith("Train for ")
        if "improved from None to" in text:
            self.keras3_from = max(self.keras3_from, 11)
        if "finished saving model to" in text:
            self.keras3_from = max(self.keras3_from, 13)

    def possible(self, epochs: Epochs) -> tuple[str, ...]:
        """Laws that the form of these lines allows: the ones to summarise under.

        Once enough epochs are weighed and one law is far ahead, only that one.
        """
        form = int(np.bincount(epochs.form).argmax())
        self.several |= bool((np.diff(epochs.starts) > 1).any())
        laws = self._by_text(form, self.counts_samples or _counts_samples(epochs))
        if len(laws) > 1 and self.weighed >= EVIDENCE_EPOCHS:
            ranked = self._ranked(laws)
            best = self.loglik.get(ranked[0], 0.0)
            return tuple(law for law in ranked if best - self.loglik.get(law, 0.0) <= SURE)
        return laws

    def _by_text(self, form: int, samples: bool) -> tuple[str, ...]:
        if form >= Form.QUIET:
            return (LAST_ONLY,)
        if form == Form.EVENTS:
            return (MEAN,) if self.several else (LAST_ONLY,)
        if samples or form == Form.BAR_SAMPLE:
            return (MEAN,)
        if form == Form.BAR:
            return (BLEND,) if self.several else (LAST_ONLY,)
        if form == Form.BAR_STEP:
            # Of those that average twice, TF 2.4 alone draws this bar, and prints no such header.
            older = self.train_on or self.train_for or self.single_headers
            return (MEAN, BLEND) if older else (MEAN, BLEND, DOUBLE)
        if self.keras3_from >= 11:
            return (MEAN, DOUBLE_TRUE)
        return (MEAN, DOUBLE, DOUBLE_TRUE)

    def add(self, epochs: Epochs) -> None:
        """Look at what the text of further closed epochs says, in the order of the run."""
        for form, count in enumerate(np.bincount(epochs.form)):
            if count:
                self.forms[form] = self.forms.get(form, 0) + int(count)
        self.counts.add(epochs)
        self.counts_samples |= _counts_samples(epochs)
        self.rate_shown |= "lr" in epochs.values
        self.several |= bool((np.diff(epochs.starts) > 1).any())
        self._add_pairs(epochs)

    def weigh(self, loglik: Mapping[str, np.ndarray]) -> None:
        """Weigh epochs, in the order of the run.

        Args:
            loglik: [e] by law, ``Summary.loglik``.
        """
        if not loglik:
            return
        names = list(loglik)
        table = np.stack([loglik[name] for name in names])
        useful = np.isfinite(table).any(0) & (table.max(0) > table.min(0))
        for i in np.flatnonzero(useful)[: EVIDENCE_EPOCHS - self.weighed]:
            column = np.maximum(table[:, i], table[:, i].max() - CREDIT)
            for name, value in zip(names, column - column.max(), strict=True):
                self.loglik[name] = self.loglik.get(name, 0.0) + float(value)
            if i == 0 and not self.weighed:
                self.first = dict(self.loglik)
            self.weighed += 1

    def _add_pairs(self, epochs: Epochs) -> None:
        last = epochs.starts[1:] - 1
        before = np.maximum(last - 1, epochs.starts[:-1])
        closed = epochs.final[last] & (before < last)
        # Where no length was known, the last line follows a line of its own step in every version.
        drawn = ~np.isfinite(epochs.elapsed[before])
        pair = closed & (epochs.step[before] == epochs.step[last]) & drawn
        self.pairs += int(pair.sum())
        differ = np.zeros(len(epochs), np.bool_)
        for name, values in epochs.values.items():
            if kind_of_metric(name) == "average":
                both = np.isfinite(values[last]) & np.isfinite(values[before])
                differ |= pair & both & (values[last] != values[before])
        self.pairs_differ += int(differ.sum())
        step = epochs.step
        gap = np.diff(step, prepend=0)
        inner = np.ones(len(step), np.bool_)
        inner[epochs.starts[:-1]] = False
        inner[last] = False
        longest = np.maximum.reduceat(np.where(inner, gap, 0), epochs.starts[:-1])
        due = closed & ~pair & (longest > 0) & (step[last] - step[before] >= longest)
        self.pairs_due += int(due.sum())
        self.epochs += len(epochs)

    def _form(self) -> int:
        """The form that most rows have, of several the lowest number."""
        return max(sorted(self.forms), key=lambda form: self.forms[form], default=0)

    def _ranked(self, laws: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(laws, key=lambda law: -self.loglik.get(law, 0.0)))

    def decide(self) -> Law:
        """The law, its reason and the runner-up; no name where the log cannot tell."""
        law = self._decide()
        size = self.counts.batch_size(double=law.name in (DOUBLE, DOUBLE_TRUE))
        tells = law.inverse in (MEAN, BLEND, DOUBLE_TRUE)
        last = self.counts.last_size(size) if tells else None
        bar_step = self._form() == Form.BAR_STEP
        late = bar_step and law.name in (MEAN, None) and not self.counts_samples and not law.first
        return replace(law, batch_size=size, last_size=last, late_end=late)

    def _decide(self) -> Law:
        if not self.forms:
            return Law(None, "no line shows an average", readings=())
        form = self._form()
        # The blend differs from the mean in the last line only, below what noise can show.
        laws = tuple(law for law in self._by_text(form, self.counts_samples)
                     if law != BLEND or form == Form.BAR)  # fmt: skip
        if len(laws) == 1 and form == Form.BAR_STEP and not self.counts_samples:
            return self._plain_steps("the bar counts steps", BLEND)
        if len(laws) == 1:
            return self._from_text(form, laws[0])
        if form == Form.BAR_STEP and self._first_differs():
            reason = (
                "the shown values behave like plain running means, but those of the first epoch "
                "are averaged twice, as in the first fit of a model under TF 2.4"
            )
            return Law(MEAN, reason, DOUBLE, "TF 2.4", (MEAN,), first=DOUBLE)
        ranked = self._ranked(laws)
        best, second = ranked[:2]
        lead = self.loglik.get(best, 0.0) - self.loglik.get(second, 0.0)
        if lead < SURE:
            return self._without_likelihood(form, ranked, lead)
        reason = (
            f"{_REASONS[best]}: over {self.weighed} epoch{'s' if self.weighed > 1 else ''} the "
            f"odds against '{second}' are {_odds(lead)}"
        )
        if best == MEAN and form == Form.BAR_STEP:
            return self._plain_steps(reason, second)
        return Law(best, reason, second, _VERSIONS_OF_LAW.get((Form(form), best)), (best,))

    def _first_differs(self) -> bool:
        """The first epoch is surely averaged twice, the others surely once."""
        first = self.first.get(DOUBLE, -math.inf) - self.first.get(MEAN, 0.0)
        whole = self.loglik.get(DOUBLE, -math.inf) - self.loglik.get(MEAN, 0.0)
        return first >= SURE and whole - first <= -SURE

    def _from_text(self, form: int, law: str) -> Law:
        reasons = {
            MEAN: "the bar counts samples: a running mean weighted by batch size",
            BLEND: "the bar counts steps and its form is that of Keras 2.0 to 2.3.1",
            LAST_ONLY: "one line an epoch",
        }
        keras = _VERSIONS.get((Form(form), self.counts_samples or law == LAST_ONLY))
        keras = keras or _VERSIONS.get((Form(form), self.counts_samples))
        if form == Form.EVENTS:
            row = "events hold the running mean" if law == MEAN else "one row an epoch"
            return Law(law, row, None, None, (law,))
        return Law(law, reasons[law], None, keras, (law,))

    def _plain_steps(self, reason: str, second: str) -> Law:
        """A plain mean in steps: TF shows step K once more, Keras up to 2.3.1 blends its last."""
        if self.pairs:
            return Law(MEAN, reason + "; step K is shown before the last line", second,
                       "TF 2.2-2.3, 2.5-2.15", (MEAN,))  # fmt: skip
        if self.unknown_length:
            # See ``late_end``: the loss of TF 2.0 from the second epoch on.
            why = "; Keras up to 2.3.1 does not train without a number of steps"
            return Law(MEAN, reason + why, second, "TF 1.15-2.3, 2.5-2.15", (MEAN, BLEND))
        if self.train_for or self.rate_shown:
            why = "; TF prints " + ("the steps above" if self.train_for else "the learning rate")
            tf = "TF 1.15-2.1" if self.train_for else "TF 2.2-2.3, 2.5-2.15"
            return Law(MEAN, reason + why, second, tf, (MEAN,))
        if self.train_on or self.single_headers:
            why = "; only Keras up to 2.3.1 prints such headers"
            return Law(BLEND, reason + why, MEAN, "2.0.9-2.3.1", (BLEND,))
        if not self.headers and self.epochs > 1:
            why = "; Keras up to 2.3.1 would print a header for each epoch"
            return Law(MEAN, reason + why, BLEND, "TF 1.15-2.15", (MEAN,))
        why = "; whether the last line is the true mean or Keras 2's blend cannot be told"
        keras = "2.0.9-2.3.1, TF 1.15-2.1" if self.pairs_due > 1 else None
        return Law(None, reason + why, BLEND, keras, (MEAN, BLEND))

    def _without_likelihood(self, form: int, ranked: tuple[str, ...], lead: float) -> Law:
        if form == Form.BAR_STEP and self.pairs and not self.pairs_differ and self.weighed:
            why = "step K and the last line agree"
            return self._plain_steps(why, DOUBLE) if ranked[0] == MEAN else self._open(ranked)
        return self._open(ranked, lead)

    def _open(self, ranked: tuple[str, ...], lead: float = 0.0) -> Law:
        if not self.weighed:
            why = "too few updates are shown to tell the laws apart"
        else:
            why = (
                f"the odds for '{ranked[0]}' against '{ranked[1]}' are only {_odds(lead)}; "
                f"{_odds(SURE)} is asked for"
            )
        return Law(None, why, ranked[1], None, ranked)


def _odds(lead: float) -> str:
    """Odds in words, from the difference of two log likelihoods."""
    if lead > math.log(1e6):
        return "more than a million to one"
    return f"{math.exp(lead):,.{0 if lead > 1 else 1}f} to one"


def _counts_samples(epochs: Epochs) -> bool:
    return bool((epochs.seen != epochs.step).any())
