"""Made epochs with known batch values: what the tests of laws, rebuilding and rules start from."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from logparse.findings.registry import Finding, Tables, load
from logparse.reading.records import Form
from logparse.tables import frame, schema
from logparse.training.epochs import Epochs
from logparse.training.laws import BLEND, DOUBLE, DOUBLE_TRUE

Array = NDArray[np.float64]


def shown_means(values: Array, law: str, sizes: Array | None = None) -> tuple[Array, Array]:
    """Exact displayed values for batch values [e, K]: at every step, and on the last line.

    Written from keras-logs.md, section 2, without any code of the project.
    """
    k = values.shape[1]
    n = np.ones(k) if sizes is None else sizes
    steps = np.arange(1, k + 1)
    running = np.cumsum(values * n, 1) / np.cumsum(n)
    true = running[:, -1]
    if law in (DOUBLE, DOUBLE_TRUE):
        inner = np.cumsum(running, 1) / steps
        last = true if law == DOUBLE_TRUE else (inner[:, -1] * k + true) / (k + 1)
        return inner, last
    if law == BLEND:
        plain = np.cumsum(values, 1) / steps
        return plain, (values.sum(1) + true) / (k + 1)
    return running, true


def made_epochs(
    values: dict[str, Array],
    law: str,
    *,
    pick: NDArray[np.int64] | None = None,
    decimals: int = 4,
    form: Form = Form.HEAVY,
    sizes: Array | None = None,
    samples: bool = False,
    repeat_last: bool = False,
    complete: bool = True,
) -> Epochs:
    """Epochs as ``runs`` would give them: ``pick`` are the steps shown besides the last line.

    Args:
        values: [e, K] batch values of each metric.
        law: how they are averaged.
        pick: steps shown before the last line; all but K by default.
        decimals: printed.
        form: of all lines.
        sizes: [K] samples in each batch, as a multiple of the first.
        samples: the bar counts samples, 32 in the first batch.
        repeat_last: step K is shown before the last line, too.
        complete: the last line is there.
    """
    e, k = next(iter(values.values())).shape
    steps = np.arange(1, k + (1 if repeat_last else 0)) if pick is None else pick
    inner = np.asarray(steps, np.int64)
    step = np.append(inner, k) if complete else inner
    m = len(step)
    table, places = {}, {}
    for name, batch in values.items():
        every, last = shown_means(batch, law, sizes)
        rows = every[:, inner - 1]
        rows = np.column_stack([rows, last]) if complete else rows
        table[name] = np.round(rows, decimals).ravel()
        places[name] = np.full(e * m, decimals, np.int8)
    seen = step
    if samples:
        seen = np.cumsum(32 * (np.ones(k) if sizes is None else sizes)).astype(np.int64)[step - 1]
    final = np.zeros((e, m), np.bool_)
    final[:, -1] = complete
    none = np.full(e * m, np.nan)
    return Epochs(
        starts=np.arange(e + 1) * m,
        epoch=np.arange(1, e + 1),
        of=np.full(e, k),
        total=np.full(e, int(seen.max()) if complete else k),
        complete=np.full(e, complete),
        step=np.tile(step, e),
        seen=np.tile(seen, e),
        final=final.ravel(),
        form=np.full(e * m, int(form), np.int8),
        eta=none, elapsed=none, per_step=none, per_step_unit=none,
        per_epoch=none, per_epoch_unit=none, clock=none,
        values=table,
        decimals=places,
    )  # fmt: skip


def training(
    rng: np.random.Generator, epochs: int, steps: int, *, noise: float = 0.1, drop: float = 0.0
) -> Array:
    """Batch values [e, K] of a training that goes on across epochs, and ``drop`` at each."""
    k = np.arange(epochs * steps).reshape(epochs, steps)
    level = 0.5 + 1.5 * np.exp(-k / (2 * steps)) - drop * noise * np.arange(epochs)[:, None]
    out: Array = level + rng.normal(0, noise, k.shape)
    return out


def tables(**rows: dict[str, object]) -> Tables:
    """The small tables from the columns given; columns and tables not given are null or empty."""
    made = {}
    for name in Tables.__dataclass_fields__:
        given = rows.get(name, {})
        n = max((len(values) for values in given.values()), default=0)  # type: ignore[arg-type]
        made[name] = frame(name, {key: [None] * n for key in schema(name)} | given)
    return Tables(**made)


def learning_tables(
    curves: dict[str, Array], *, seconds: float | None = None, **rows: dict[str, object]
) -> Tables:
    """Tables of one run whose epochs end with these values; its lines are 10 an epoch."""
    n = max(map(len, curves.values()))
    epoch = np.arange(1, n + 1)
    epochs: dict[str, object] = {"run": [1] * n, "epoch": epoch, "complete": [True] * n}
    epochs |= {"first_line": 10 * epoch, "last_line": 10 * epoch + 9, "seconds": [seconds] * n}
    metrics: dict[str, object] = {
        "run": [1] * (n * len(curves)),
        "epoch": np.repeat(epoch, len(curves)),
        "metric": list(curves) * n,
        "shown": pl.Series(np.column_stack(list(curves.values())).ravel()),
    }
    given = {"runs": {"run": [1]}, "epochs": epochs, "metrics": metrics}
    return tables(**{name: given.get(name, {}) | rows.get(name, {}) for name in given | rows})


def checked(tables: Tables, codes: list[str]) -> list[Finding]:
    """What the rules with these codes find, in the order of the codes."""
    checks = [load()[code].check for code in codes]
    return [finding for check in checks if check is not None for finding in check(tables)]
