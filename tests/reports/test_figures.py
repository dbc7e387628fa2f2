from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import logparse
from logparse.analysis import Analysis
from logparse.errors import UsageError
from logparse.findings.jumps import all_jumps
from logparse.reports import figures
from logparse.reports.palette import COLORS, RUNS, recolored


@pytest.fixture(scope="module")
def keras2(sample_logs: Path) -> Analysis:
    return logparse.analyze(sample_logs / "keras-2.2.4" / "fit.log")


@pytest.fixture(scope="module")
def outer(sample_logs: Path) -> Analysis:
    return logparse.analyze(sample_logs / "seeds" / "003_outer_loop.log")


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}


def finite(values: Any) -> np.ndarray:
    numbers = np.asarray(values, dtype=float)
    return numbers[np.isfinite(numbers)]


def test_a_curve_shows_every_number_of_the_log_and_what_lies_behind_it(keras2: Analysis) -> None:
    shown = traces(figures.curves(keras2, "loss"))
    assert list(shown)[:5] == [
        "batches, rebuilt: bounds",
        "batches, rebuilt",
        "shown by Keras",
        "where the network stood",
        "validation, as shown",
    ]
    assert finite(shown["shown by Keras"].y).tolist() == keras2.updates["loss"].to_list()
    batches = keras2.batches.filter(pl.col("metric") == "loss").sort("epoch", "step")
    # Each value is drawn over the whole interval that it is the mean of.
    assert finite(shown["batches, rebuilt"].y)[::2].tolist() == batches["estimate"].to_list()
    rows = keras2.metrics.filter(pl.col("metric") == "loss")
    levels = rows.select("start", "end").to_numpy().ravel()
    assert finite(shown["where the network stood"].y).tolist() == levels.tolist()
    val = keras2.metrics.filter(pl.col("metric") == "val_loss")["shown"]
    assert list(shown["validation, as shown"].y) == val.to_list()


@pytest.mark.parametrize(("align", "end"), [("epoch", 3.0), ("step", 183.0), ("relative", 10.0)])
def test_every_axis_goes_from_the_start_to_the_end_of_the_run(
    keras2: Analysis, align: figures.Align, end: float
) -> None:
    figure = figures.curves(keras2, "loss", align=align)
    x = finite(traces(figure)["where the network stood"].x)
    assert x[0] == 0
    assert x[-1] == pytest.approx(end, rel=0.1)
    assert (np.diff(x) >= 0).all()
    assert figure.layout.xaxis.title.text


def test_an_axis_that_the_log_does_not_tell_is_refused(keras2: Analysis) -> None:
    assert figures.alignments(keras2) == ["epoch", "step", "relative"]
    with pytest.raises(UsageError, match="does not tell the time"):
        figures.curves(keras2, "loss", align="wall")


def test_jumps_are_marked_with_their_verdict_at_their_boundary(outer: Analysis) -> None:
    jumps = [jump for group in all_jumps(outer.judged) for jump in group if jump.metric == "acc"]
    marked = {
        trace.name[:5]: list(zip(trace.x, trace.y, strict=True))
        for trace in figures.curves(outer, "acc").data
        if trace.mode == "markers" and trace.name.startswith("LP10")
    }
    codes = {"averaging": "LP101", "real": "LP102", "undecided": "LP103"}
    wanted: dict[str, list[tuple[float, float]]] = {}
    for jump in jumps:
        if jump.verdict in codes:
            place = (jump.epoch - 1.0, jump.first)
            wanted.setdefault(codes[jump.verdict], []).append(place)
    assert marked == wanted
    assert marked


def test_times_add_up_to_the_epochs(keras2: Analysis) -> None:
    figure = figures.times(keras2)
    total = np.sum([trace.y for trace in figure.data], axis=0)
    assert total.tolist() == pytest.approx(keras2.epochs["seconds"].to_list())
    assert figure.layout.yaxis.title.text == "time (s)"


def test_a_metric_or_run_that_is_not_there_is_named(keras2: Analysis) -> None:
    with pytest.raises(UsageError, match="no metric 'los'"):
        figures.curves(keras2, "los")
    for draw in (figures.times, figures.steps):
        with pytest.raises(UsageError, match="no run 7"):
            draw(keras2, run=7)


def test_compared_draws_a_line_a_run(keras2: Analysis, outer: Analysis) -> None:
    figure = figures.compared([keras2, outer], "loss", names=["a", "b"], align="relative")
    assert [trace.name for trace in figure.data if trace.showlegend is not False] == ["a", "b"]
    # One unit for all: the longest run takes hours.
    assert figure.layout.xaxis.title.text == "time since the start (h)"
    with pytest.raises(UsageError, match="no run has the metric"):
        figures.compared([keras2], "nothing")


def test_compared_calls_logs_by_where_their_names_differ(
    keras2: Analysis, outer: Analysis, sample_logs: Path
) -> None:
    figure = figures.compared([keras2, outer], "loss")
    shown = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert shown == ["keras-2.2.4/fit.log", "seeds/003_outer_loop.log"]
    figure = figures.compared([keras2, keras2], "loss")
    assert len({trace.legendgroup for trace in figure.data}) == 2


def test_smoothing_averages_so_many_batches(keras2: Analysis) -> None:
    rough = figures.compared([keras2], "loss", smoothing=1).data[0]
    values = keras2.batches.filter(pl.col("metric") == "loss").sort("epoch", "step")["estimate"]
    assert list(rough.y) == values.to_list()
    smooth = figures.compared([keras2], "loss", smoothing=61).data[0]
    middle = np.abs(np.asarray(smooth.x) - 1.5).argmin()
    second = values.to_numpy()[61:122].mean()
    assert smooth.y[middle] == pytest.approx(second, abs=0.02)
    assert np.std(np.diff(smooth.y)) < np.std(np.diff(rough.y)) / 10


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_axis_has_a_title_and_every_figure_is_json(
    keras2: Analysis, theme: figures.Theme
) -> None:
    for figure in (
        figures.curves(keras2, "acc", theme=theme),
        figures.times(keras2, theme=theme),
        figures.steps(keras2, theme=theme),
        figures.compared([keras2, keras2], "acc", theme=theme),
    ):
        assert figure.layout.xaxis.title.text
        assert figure.layout.yaxis.title.text
        json.loads(figure.to_json())


def test_a_figure_can_change_its_theme_by_its_colours() -> None:
    for theme in ("light", "dark"):
        assert set(COLORS[theme]) == set(COLORS["light"])
        mapped = recolored(theme)
        assert all(mapped[COLORS["light"][name]] == color for name, color in COLORS[theme].items())
        assert [mapped[color] for color in RUNS["light"]] == list(RUNS[theme])


def test_plot_is_the_same_figures(keras2: Analysis) -> None:
    assert keras2.plot() == figures.curves(keras2, "loss")
    assert keras2.plot("curves", metric="acc") == figures.curves(keras2, "acc")
    assert keras2.plot("times") == figures.times(keras2)
    assert keras2.plot("steps", theme="dark") == figures.steps(keras2, theme="dark")
    with pytest.raises(UsageError, match="no figure"):
        keras2.plot("pie")  # type: ignore[arg-type]


def test_a_metric_that_never_changes_has_an_axis_of_its_own_size(sample_logs: Path) -> None:
    analysis = logparse.analyze(sample_logs / "tensorboard" / "two_fits")
    (rate,) = set(analysis.metrics.filter(pl.col("metric") == "learning_rate")["shown"].to_list())
    figure = figures.curves(analysis, "learning_rate")
    assert figure.layout.yaxis.range == (0, pytest.approx(2 * rate))
