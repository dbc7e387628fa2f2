"""Made runs with a known answer in, how often each rule fires on them out: docs/rules.md.

Run: ``python -m benchmarks.rules [RUNS] > docs/rules.md``. Each cell is the share of RUNS (1000
by default) made runs on which the rule fires, so a false alarm where nothing is wrong, and the
recall where the column says what is. All go through the rules as an analysis does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.possible import best_recall
from logparse.findings.registry import Tables, load
from logparse.tables import frame, schema

Array = NDArray[np.float64]
Maker = Callable[[np.random.Generator, int], Tables]

NOISE = 0.05
"""Standard deviation of an epoch's time, as a share of it."""

TIME = ("LP201", "LP202", "LP203", "LP204", "LP205", "LP207")
LEARNING = ("LP302", "LP303", "LP304", "LP305", "LP306")
EPOCHS = (3, 4, 5, 6, 8, 10, 15, 20, 30, 100, 1000)


def tables(**given: dict[str, object]) -> Tables:
    """The small tables, null or empty where nothing is given."""
    made = {}
    for name in Tables.__dataclass_fields__:
        columns = given.get(name, {})
        n = max((len(values) for values in columns.values()), default=0)  # type: ignore[arg-type]
        made[name] = frame(name, {key: [None] * n for key in schema(name)} | columns)
    return Tables(**made)


def epochs_of(n: int, **columns: object) -> dict[str, object]:
    """The table ``epochs`` of one run of n whole epochs."""
    number = np.arange(1, n + 1)
    told: dict[str, object] = {"run": [1] * n, "epoch": number, "complete": [True] * n}
    told |= {"steps": [100] * n, "of": [100] * n, "first_line": number, "last_line": number}
    return told | columns


def timed(seconds: Array, unit: float = 0.0, **columns: object) -> Tables:
    """One run whose epochs took these times, printed in units."""
    shown = np.floor(seconds / unit) * unit + unit / 2 if unit else seconds
    bounds = {"seconds_low": shown - unit / 2, "seconds_high": shown + unit / 2}
    told = epochs_of(len(shown), seconds=shown, **bounds, **columns)
    return tables(runs={"run": [1], "first_line": [1]}, epochs=told)


def flat(random: np.random.Generator, n: int, noise: float = NOISE) -> Array:
    """Times about 10 s."""
    return np.asarray(10 * (1 + noise * random.standard_normal(n)))


def heavy(random: np.random.Generator, n: int, noise: float = NOISE) -> Array:
    """The same with heavy tails: Student's t of 3 degrees."""
    return np.maximum(10 * (1 + noise * random.standard_t(3, n) / 3**0.5), 0.5)


def drawn_together(random: np.random.Generator, n: int) -> Array:
    """The same where neighbours are alike: autocorrelation 0.5."""
    noise = random.standard_normal(n + 50)
    for i in range(1, n + 50):
        noise[i] = 0.5 * noise[i - 1] + 0.75**0.5 * noise[i]
    return np.asarray(10 * (1 + NOISE * noise[50:]))


def changed(change: Callable[[np.random.Generator, Array], None], unit: float = 0.0) -> Maker:
    """Flat runs with something done to them."""

    def make(random: np.random.Generator, n: int) -> Tables:
        seconds = flat(random, n)
        change(random, seconds)
        return timed(seconds, unit)

    return make


def _outlier(random: np.random.Generator, seconds: Array) -> None:
    at = int(random.integers(1, len(seconds)))
    seconds[at] = 1.5 * np.median(np.delete(seconds, at))


def _own_noise(random: np.random.Generator, seconds: Array) -> None:
    seconds[random.integers(1, len(seconds))] *= 1.5


def _two(random: np.random.Generator, seconds: Array) -> None:
    at = random.choice(np.arange(1, len(seconds)), min(2, len(seconds) - 1), replace=False)
    seconds[at] = 1.5 * np.median(np.delete(seconds, at))


def _hidden(random: np.random.Generator, seconds: Array) -> None:
    at = random.choice(np.arange(1, len(seconds)), 2, replace=False)
    seconds[at] = np.array([3.0, 1.3]) * np.median(np.delete(seconds, at))


def _first(random: np.random.Generator, seconds: Array) -> None:
    seconds[0] *= 2


def _level(random: np.random.Generator, seconds: Array) -> None:
    seconds[random.integers(len(seconds) // 4, 3 * len(seconds) // 4 + 1) :] *= 1.25


def _stretch(random: np.random.Generator, seconds: Array) -> None:
    seconds[len(seconds) // 3 : len(seconds) // 3 + max(len(seconds) // 5, 3)] *= 1.25


def _drift(random: np.random.Generator, seconds: Array) -> None:
    seconds *= 1 + 0.3 * np.arange(len(seconds)) / len(seconds)


def _period(random: np.random.Generator, seconds: Array) -> None:
    seconds[int(random.integers(1, 6)) :: 5] *= 1.5


def gaps(size: float, one: float = 0.0) -> Maker:
    """Runs with stamped headers and gaps of this size after each epoch, one of another."""

    def make(random: np.random.Generator, n: int) -> Tables:
        seconds = flat(random, n)
        pause = np.abs(size * (1 + 0.2 * random.standard_normal(n)))
        if one and n > 2:
            pause[int(random.integers(n - 1))] = one
        began = 1.7e9 + np.concatenate([[0.0], np.cumsum(seconds + pause)[:-1]])
        return timed(seconds, 1.0, began=np.floor(began * 1000) / 1000)

    return make


TIMES: dict[str, Maker] = {
    "flat": lambda random, n: timed(flat(random, n)),
    "flat, whole seconds": lambda random, n: timed(flat(random, n), 1.0),
    "flat, 20 % noise": lambda random, n: timed(flat(random, n, 0.2)),
    "flat, neighbours alike": lambda random, n: timed(drawn_together(random, n)),
    "heavy tails": lambda random, n: timed(heavy(random, n)),
    "heavy tails, 10 %": lambda random, n: timed(heavy(random, n, 0.1)),
    "one epoch 1.5 times the median": changed(_outlier),
    "the same, whole seconds": changed(_outlier, 1.0),
    "one epoch 1.5 times its own time": changed(_own_noise),
    "two epochs 1.5 times the median": changed(_two),
    "one epoch 3 times, one 1.3 times the median": changed(_hidden),
    "first epoch twice": changed(_first),
    "level 25 % up": changed(_level),
    "a stretch 25 % up": changed(_stretch),
    "drift of 30 %": changed(_drift),
    "every fifth 1.5 times": changed(_period),
    "small gaps": gaps(0.3),
    "gaps of 4 s": gaps(4.0),
    "one gap of 60 s": gaps(0.3, 60.0),
}


def curves(shape: Callable[[Array], dict[str, Array]], noise: float) -> Maker:
    """Runs whose metrics are a shape of 0 (first epoch) to 1, with noise."""

    def make(random: np.random.Generator, n: int) -> Tables:
        clean = shape(np.arange(n) / max(n - 1, 1))
        shown = {name: y * (1 + noise * random.standard_normal(n)) for name, y in clean.items()}
        epochs = epochs_of(n)
        metrics: dict[str, object] = {
            "run": [1] * (n * len(shown)),
            "epoch": np.repeat(np.arange(1, n + 1), len(shown)),
            "metric": list(shown) * n,
            "shown": np.column_stack(list(shown.values())).ravel(),
        }
        runs = {"run": [1], "first_line": [1]}
        return tables(runs=runs, epochs=epochs, metrics=metrics)

    return make


def _falling(x: Array, rate: float = 2.5, end: float = 0.2) -> Array:
    return np.asarray(end + (1 - end) * np.exp(-rate * x))


def _healthy(x: Array) -> dict[str, Array]:
    return {"loss": _falling(x), "acc": 1 - 0.7 * _falling(x), "val_loss": _falling(x) + 0.1}


def _power(x: Array) -> dict[str, Array]:
    step = 1 + x * max(len(x) - 1, 1)
    return {"loss": step**-0.3, "val_loss": step**-0.25}


def _converged(x: Array) -> dict[str, Array]:
    return {"loss": _falling(x), "val_loss": _falling(x, 16.0, 0.3)}


def _overfit(x: Array) -> dict[str, Array]:
    return {"loss": _falling(x), "val_loss": _falling(x, 12.0, 0.5) + 0.3 * np.maximum(x - 0.3, 0)}


def _diverging(x: Array) -> dict[str, Array]:
    return {"loss": _falling(x, 8.0) + 4 * np.maximum(x - 0.5, 0)}


def _spike(x: Array) -> dict[str, Array]:
    loss = _falling(x)
    loss[2 * len(x) // 3] *= 3
    return {"loss": loss}


def _chance(x: Array) -> dict[str, Array]:
    return {"loss": np.full(len(x), np.log(10)), "acc": np.full(len(x), 0.1)}


CURVES: dict[str, tuple[Callable[[Array], dict[str, Array]], float]] = {
    "healthy, 1 % noise": (_healthy, 0.01),
    "healthy, 5 % noise": (_healthy, 0.05),
    "healthy, a power of the epoch": (_power, 0.02),
    "stands still after a fifth, 1 %": (_converged, 0.01),
    "overfits after a third, 1 %": (_overfit, 0.01),
    "overfits after a third, 5 %": (_overfit, 0.05),
    "diverges at half, 5 %": (_diverging, 0.05),
    "one epoch 3 times, 5 %": (_spike, 0.05),
    "guesses, 0.3 % noise": (_chance, 0.003),
}


def shares(make: Maker, n: int, codes: tuple[str, ...], runs: int) -> dict[str, float]:
    """Share of made runs on which each rule fires."""
    checks = {code: load()[code].check for code in codes}
    hits = dict.fromkeys(codes, 0)
    random = np.random.default_rng(n)
    for _ in range(runs):
        made = make(random, n)
        for code, check in checks.items():
            hits[code] += check is not None and any(True for _ in check(made))
    return {code: hit / runs for code, hit in hits.items()}


Found = dict[tuple[str, int], dict[str, float]]


def measure(makers: dict[str, Maker], codes: tuple[str, ...], runs: int) -> Found:
    """Shares by kind of run and number of epochs."""
    found: Found = {}
    for title, make in makers.items():
        for n in EPOCHS:
            found[title, n] = shares(make, n, codes, max(runs // 5, 1) if n > 500 else runs)
    return found


def false_alarms(found: Found, titles: tuple[str, ...], codes: tuple[str, ...]) -> None:
    """A row a kind of run: the mean over all lengths, and the worst of them."""
    print(f"\n| nothing is wrong | {' | '.join(codes)} |\n|---|{'---|' * len(codes)}")
    for title in titles:
        cells = []
        for code in codes:
            each = {n: found[title, n][code] for n in EPOCHS}
            worst = max(each, key=lambda n: each[n])
            mean = sum(each.values()) / len(each)
            cells.append(
                f"{_percent(mean)} ({_percent(each[worst])} at {worst:,})" if mean else "0"
            )
        print(f"| {title} | {' | '.join(cells)} |")


def recall(found: Found, wanted: dict[str, str]) -> None:
    """A row a length, a column a kind of run and the rule that should fire."""
    titles = " | ".join(f"{title}: {code}" for title, code in wanted.items())
    print(f"\n| epochs | {titles} |\n|---|{'---|' * len(wanted)}")
    for n in EPOCHS:
        cells = " | ".join(_percent(found[title, n][code]) for title, code in wanted.items())
        print(f"| {n:,} | {cells} |")


def besides(found: Found, wanted: dict[str, str], codes: tuple[str, ...]) -> None:
    """A row a kind of run: what else fires there, the worst length."""
    print("\n| what is wrong | rules that fire besides, at their worst length |\n|---|---|")
    for title, code in wanted.items():
        others = {}
        for other in codes:
            worst = max(EPOCHS, key=lambda n: found[title, n][other])
            if other != code and found[title, worst][other] >= 0.01:
                others[other] = f"{other} {_percent(found[title, worst][other])} at {worst:,}"
        print(f"| {title} | {', '.join(others.values()) or 'none in 1 %'} |")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") if share else "0"


def possible(found: Found) -> None:
    """A row a short run: what LP201 finds beside what the best test could."""
    print(
        "\nWhat any test could find of epochs 1.5 times their own time, with at most 1 % false\n"
        "alarms at Gaussian noise of 1 to 30 % (`benchmarks/possible.py`), beside what LP201\n"
        "finds: it has to bear heavy tails as well.\n"
    )
    print("| epochs | best possible | LP201 |\n|---|---|---|")
    for n in (3, 4, 5, 6, 8, 10):
        own = found["one epoch 1.5 times its own time", n]["LP201"]
        print(f"| {n} | {_percent(best_recall(n))} | {_percent(own)} |")


def speed() -> None:
    """CPU of all rules on one long run."""
    print("\n## Speed\n\n| run | CPU of all rules |\n|---|---|")
    load()
    for n in (10_000, 100_000):
        random = np.random.default_rng(1)
        shape = curves(_healthy, 0.01)(random, n)
        times = timed(flat(random, n), 1.0)
        parts = {name: getattr(times, name) for name in Tables.__dataclass_fields__}
        made = Tables(**(parts | {"metrics": shape.metrics}))
        before = time.process_time()
        for rule in load().values():
            list(rule.check(made) if rule.check else ())
        print(f"| {n:,} epochs, three metrics | {time.process_time() - before:.2f} s |")


HEAD = """# How often the rules err

Written by `python -m benchmarks.rules {runs} > docs/rules.md`. Each cell is the percentage of
{runs} made runs (a fifth as many of 1,000 epochs) on which a rule fires: a false alarm where
nothing is wrong, the recall where the title says what is. What each rule computes: `logparse
explain CODE`, docs/time.md and docs/learning.md.

Below its number of epochs a rule is silent. Heavy tails are Student's t of 3 degrees with a
standard deviation of 5 %, or 10 % where the title says so; neighbours that are alike (a shared
machine whose load comes and goes) have an autocorrelation of 0.5.

## Time

Epochs of about 10 s with {noise:.0f} % Gaussian noise unless the title says otherwise. "Whole
seconds" are printed as Keras prints them; of 10 s that is a tenth, of a minute it is nothing."""


HEALTHY = tuple(title for title in CURVES if title.startswith("healthy"))
FLAT = (*tuple(TIMES)[:6], "small gaps")

WANTED_TIME = {
    "one epoch 1.5 times the median": "LP201",
    "the same, whole seconds": "LP201",
    "one epoch 1.5 times its own time": "LP201",
    "two epochs 1.5 times the median": "LP201",
    "one epoch 3 times, one 1.3 times the median": "LP201",
    "first epoch twice": "LP202",
    "level 25 % up": "LP203",
    "a stretch 25 % up": "LP203",
    "drift of 30 %": "LP204",
    "every fifth 1.5 times": "LP205",
    "gaps of 4 s": "LP207",
    "one gap of 60 s": "LP207",
}
WANTED_LEARNING = {
    "stands still after a fifth, 1 %": "LP303",
    "overfits after a third, 1 %": "LP304",
    "overfits after a third, 5 %": "LP304",
    "diverges at half, 5 %": "LP302",
    "one epoch 3 times, 5 %": "LP305",
    "guesses, 0.3 % noise": "LP306",
}


def main(runs: int) -> None:
    """Print the page."""
    print(HEAD.format(runs=runs, noise=100 * NOISE))
    found = measure(TIMES, TIME, runs)
    false_alarms(found, FLAT, TIME)
    recall(found, WANTED_TIME)
    possible(found)
    besides(found, WANTED_TIME, TIME)
    print("\n## Learning\n\nLosses from 1 to about 0.2 with noise in percent of their value.")
    found = measure({title: curves(*given) for title, given in CURVES.items()}, LEARNING, runs)
    false_alarms(found, HEALTHY, LEARNING)
    recall(found, WANTED_LEARNING)
    besides(found, WANTED_LEARNING, LEARNING)
    speed()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
