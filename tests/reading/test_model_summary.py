"""Every form of model.summary(), what ends one, and bounded work on garbage."""

# ruff: noqa: E501 - tables as printed

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reading import model_summary
from logparse.reading.keras_text import INTEREST
from logparse.reading.model_summary import Summary, SummaryReader
from logparse.tables import TABLES

KERAS_1 = """\
____________________________________________________________________________________________________
Layer (type)                     Output Shape          Param #     Connected to
====================================================================================================
conv2_1 (Convolution2D)          (None, 128, 112, 112) 73856       pool1[0][0]
____________________________________________________________________________________________________
merge_1 (Merge)                  (None, 4096)          0           a[0][0]
                                                                   b[0][0]
____________________________________________________________________________________________________
batchnormalization_1 (BatchNorma (None, 4096)          16384       fc7[0][0]
====================================================================================================
Total params: 90,240
Trainable params: 82,048
Non-trainable params: 8,192
____________________________________________________________________________________________________
"""
KERAS_1_LAYERS = [
    ("conv2_1", "Convolution2D", "(None, 128, 112, 112)", 73856, None, 4),
    ("merge_1", "Merge", "(None, 4096)", 0, None, 6),
    ("batchnormalization_1", "BatchNorma", "(None, 4096)", 16384, None, 9),
]

KERAS_2_3 = """\
Model: "sequential_1"
_________________________________________________________________
Layer (type)                 Output Shape              Param #
=================================================================
embedding_2 (Embedding)      (None, 20, 8)             80000
_________________________________________________________________
lambda (Lambda)              multiple                  0 (unused)
=================================================================
Total params: 80,000
Trainable params: 80,000
Non-trainable params: 0
_________________________________________________________________
"""
KERAS_2_3_LAYERS = [
    ("embedding_2", "Embedding", "(None, 20, 8)", 80000, None, 5),
    ("lambda", "Lambda", "multiple", 0, None, 7),
]

# cut one place later than 2.15 does, which moves the next column
KERAS_2_7 = """\
Model: "model"
_________________________________________________________________
 Layer (type)                Output Shape              Param #
=================================================================
 my_global_max_pooling_layer  (None, 2048)             0
  (GlobalMaxPooling2D)

 sequential_of_all_layers (S  (None, 7)                2049
 equential)

 dense (Dense)               (None, 1)                 8
=================================================================
Total params: 2,057
Trainable params: 2,057
Non-trainable params: 0
_________________________________________________________________
"""
KERAS_2_7_LAYERS = [
    ("my_global_max_pooling_layer", "GlobalMaxPooling2D", "(None, 2048)", 0, None, 5),
    ("sequential_of_all_layers", "Sequential", "(None, 7)", 2049, None, 8),
    ("dense", "Dense", "(None, 1)", 8, None, 11),
]

# wrapped cells, nested models, show_trainable
KERAS_2_15 = """\
Model: "outer"
_____________________________________________________________________________________________________________
 Layer (type)                Output Shape                 Param #   Connected to                  Trainable
=============================================================================================================
 input_2 (InputLayer)        [(None, 150, 150, 3)]        0         []                            Y

 a_very_long_name_for_a_lay  [(None, 16),                 2086148   ['input_2[0][0]',             N
 er (GlobalAveragePooling2D   (None, 150, 150, 2048)]     0          'input_2[1][0]']
 )

 inner (Functional)          (None, 4)                    0         ['x[0][0]']                   Y
|¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯|
| dense (Dense)              (None, 4)                    20        ['inner[0][0]']               Y         |
|                                                                                                           |
| deep (Sequential)          multiple                     0 (unus   ['dense[0][0]']               N         |
|                                                         ed)                                               |
||¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯||
|| d2 (Dense)                (None, 4)                    20        []                            N        ||
|¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯|
¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯

=============================================================================================================
Total params: 20861520 (79.58 MB)
Trainable params: 20 (80.00 Byte)
Non-trainable params: 20861500 (79.58 MB)
_____________________________________________________________________________________________________________
"""
KERAS_2_15_LAYERS = [
    ("input_2", "InputLayer", "[(None, 150, 150, 3)]", 0, True, 5),
    (
        "a_very_long_name_for_a_layer",
        "GlobalAveragePooling2D",
        "[(None, 16), (None, 150, 150, 2048)]",
        20861480,
        False,
        7,
    ),
    ("inner", "Functional", "(None, 4)", 0, True, 11),
    ("dense", "Dense", "(None, 4)", 20, True, 13),
    ("deep", "Sequential", "multiple", 0, False, 15),
    ("d2", "Dense", "(None, 4)", 20, False, 18),
]

KERAS_3 = """\
Model: "m"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┓
┃ Layer (type)                   ┃ Output Shape           ┃       Param # ┃ Trainable  ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━━┩
│ global_average_pooling2d       │ (None, 150, 150, 3)    │    20,861,480 │     Y      │
│ (GlobalAveragePooling2D)       │                        │               │            │
├────────────────────────────────┼────────────────────────┼───────────────┼────────────┤
│    └ dense (Dense)             │ ?                      │   0 (unbuilt) │     -      │
├────────────────────────────────┼────────────────────────┼───────────────┼────────────┤
│ out (Dense)                    │ (None, 1)              │            68 │     N      │
└────────────────────────────────┴────────────────────────┴───────────────┴────────────┘
 Total params: 20,861,690 (79.58 MB)
 Trainable params: 20,861,480 (79.58 MB)
 Non-trainable params: 68 (272.00 B)
 Optimizer params: 142 (568.00 B)
"""
KERAS_3_LAYERS = [
    (
        "global_average_pooling2d",
        "GlobalAveragePooling2D",
        "(None, 150, 150, 3)",
        20861480,
        True,
        5,
    ),
    ("dense", "Dense", "?", 0, None, 8),
    ("out", "Dense", "(None, 1)", 68, False, 10),
]


def read(text: str, reader: SummaryReader | None = None) -> tuple[SummaryReader, list[bool]]:
    """Feeds lines as the text reader does: also what INTEREST passes over, if a summary is open."""
    reader = reader or SummaryReader()
    taken = []
    at = 0
    for number, line in enumerate(text.splitlines(), 1):
        end = at + len(line) + 1
        wanted = reader.open or INTEREST.search(line.encode())
        taken.append(bool(wanted) and reader.feed(line, number, at, end))
        at = end
    reader.finish()
    return reader, taken


def layers(reader: SummaryReader) -> list[tuple[object, ...]]:
    return list(zip(*reader.layers.values(), strict=True))


def with_model(rows: list[tuple[object, ...]], model: int = 1) -> list[tuple[object, ...]]:
    return [(model, *row) for row in rows]


FORMS = {
    "keras 1": (KERAS_1, KERAS_1_LAYERS, (None, 90240, 82048, 8192, None)),
    "keras 2.3": (KERAS_2_3, KERAS_2_3_LAYERS, ("sequential_1", 80000, 80000, 0, None)),
    "keras 2.7": (KERAS_2_7, KERAS_2_7_LAYERS, ("model", 2057, 2057, 0, None)),
    "keras 2.15": (KERAS_2_15, KERAS_2_15_LAYERS, ("outer", 20861520, 20, 20861500, None)),
    "keras 3": (KERAS_3, KERAS_3_LAYERS, ("m", 20861690, 20861480, 68, 142)),
    "keras 3, ASCII box": (
        re.sub("[┏┳┓└┴┘]", "+", KERAS_3.replace("└ ", "? ")).translate(
            str.maketrans("━─┃│┡├╇┼┩┤", "--||||++||")
        ),
        KERAS_3_LAYERS,
        ("m", 20861690, 20861480, 68, 142),
    ),
    "keras 3, not encodable": (
        KERAS_3.encode("ascii", "replace").decode(),
        KERAS_3_LAYERS,
        ("m", 20861690, 20861480, 68, 142),
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("prefix", ["", "2020-01-01 12:00:00 INFO ", "# "])
@pytest.mark.parametrize("trimmed", [False, True])
def test_every_form(form: str, prefix: str, trimmed: bool) -> None:
    text, rows, (name, total, trainable, non_trainable, optimizer) = FORMS[form]
    lines = [prefix + (line.rstrip() if trimmed else line.ljust(60)) for line in text.splitlines()]
    reader, taken = read("\n".join(lines) + "\nTrain on 9 samples\n")
    assert layers(reader) == with_model(rows)
    (summary,) = reader.summaries
    counts = (summary.total, summary.trainable, summary.non_trainable, summary.optimizer)
    assert (summary.model, summary.name) == (1, name)
    assert counts == (total, trainable, non_trainable, optimizer)
    assert taken == [True] * len(lines) + [False]
    assert not reader.open


def test_a_real_log_with_wrapped_names(shared_logs: Path) -> None:
    reader, _ = read((shared_logs / "wild" / "026.log").read_text())
    assert [row[1:5] for row in layers(reader)] == [
        ("input_2", "InputLayer", "[(None, 150, 150, 3)]", 0),
        ("sequential", "Sequential", "(None, 150, 150, 3)", 0),
        ("rescaling", "Rescaling", "(None, 150, 150, 3)", 0),
        ("xception", "Functional", "(None, 5, 5, 2048)", 20861480),
        ("global_average_pooling2d", "GlobalAveragePooling2D", "(None, 2048)", 0),
        ("dropout", "Dropout", "(None, 2048)", 0),
        ("dense", "Dense", "(None, 1)", 2049),
    ]
    (summary,) = reader.summaries
    assert (summary.total, summary.trainable, summary.non_trainable) == (
        20863529,
        20809001,
        54528,
    )


def test_every_summary_of_the_shared_logs(shared_logs: Path) -> None:
    """The counts of the layers add up to the total, and nothing breaks a summary in two."""
    seen = 0
    logs = [*shared_logs.glob("eras/*/fit.*.log"), *shared_logs.glob("wild/*.log")]
    for path in [*logs, *shared_logs.glob("seeds/*.log")]:
        text = re.sub(r"\x1b\[[0-9;]*m", "", path.read_bytes().decode("utf-8", "replace"))
        reader, _ = read(text.replace("\r\n", "\n"))
        for summary in reader.summaries:
            model, parameters = reader.layers["model"], reader.layers["parameters"]
            counts = [n for m, n in zip(model, parameters, strict=True) if m == summary.model]
            assert sum(counts) == summary.total == summary.trainable + summary.non_trainable
            seen += 1
    assert seen >= 21


def test_where_a_summary_stands() -> None:
    reader, _ = read("a\n" + KERAS_2_3 + "b\n" + KERAS_2_3)
    assert [(s.model, s.line, s.byte, s.end) for s in reader.summaries] == [
        (1, 4, KERAS_2_3.index("Layer") + 2, len(KERAS_2_3) + 2),
        (2, 17, len(KERAS_2_3) + KERAS_2_3.index("Layer") + 4, 2 * len(KERAS_2_3) + 4),
    ]
    assert reader.layers["model"] == [1, 1, 2, 2]


def test_columns_are_those_of_the_table() -> None:
    assert list(SummaryReader().layers) == [column.name for column in TABLES["layers"]]


def test_blank_lines_lost_in_a_copy() -> None:
    lines = [line for line in KERAS_2_15.splitlines() if line.strip(" |¯")]
    reader, taken = read("\n".join(lines))
    assert [row[1:-1] for row in layers(reader)] == [row[:-1] for row in KERAS_2_15_LAYERS]
    assert all(taken)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "garbage",
    ["Epoch 1/3", "Train on 9 samples", "x", "| a | b |", "1/2 [==>...] - loss: 0.5", ")"],
)
def test_garbage_after_the_header_ends_it(form: str, garbage: str) -> None:
    """Rows before it stay, what follows is foreign until the counts, which stay too."""
    text, rows, _ = FORMS[form]
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if "Layer (type)" in line)
    reader, taken = read("\n".join([*lines[: at + 1], garbage, *lines[at + 1 :]]))
    assert layers(reader) == []
    assert not taken[at + 1]
    reader, taken = read("\n".join([*lines[: rows[-1][-1]], garbage, *lines[rows[-1][-1] :]]))
    assert layers(reader) == with_model(rows)
    assert not taken[rows[-1][-1]]


def test_counts_without_a_table() -> None:
    reader, taken = read("Total params: 80,161\nTrainable params: 80,161\nTrainable params: 1\n")
    assert reader.summaries == [Summary(1, None, 1, 0, 46, total=80161, trainable=80161)]
    assert taken == [True, True, False]


@pytest.mark.parametrize(
    "line",
    [
        "Trainable params: 5",
        "Total params: many",
        "Total params: " + "9" * 100_000,
        "Layer (type:depth-idx)                   Output Shape              Param #",
        "Layer (type)",
        "Layer (type) Param # Output Shape",
    ],
)
def test_no_summary(line: str) -> None:
    reader, taken = read(line + "\n")
    assert (taken, reader.summaries, reader.open) == ([False], [], False)


def test_a_count_of_100_000_digits_is_garbage() -> None:
    header, row = (
        KERAS_2_3.splitlines()[2:4],
        "a (Dense)                    (None, 1)                 ",
    )
    reader, taken = read("\n".join([*header, row + "9" * 100_000]))
    assert layers(reader) == []
    assert taken == [True, True, False]


def test_a_cell_without_end_is_garbage() -> None:
    lines = KERAS_3.splitlines()[:5]
    endless = lines[-1].replace("global_average_pooling2d", "x" * 24)
    _, taken = read("\n".join([*lines, *[endless] * 1000]))
    assert 50 < taken.count(True) < 200


def test_many_blank_lines_end_it() -> None:
    _, taken = read(KERAS_2_3.splitlines()[2] + "\n" * 10 + "x")
    assert taken == [True] + [True] * 3 + [False] * 7


def test_kept_layers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_summary, "LAYERS_KEPT", 3)
    monkeypatch.setattr(model_summary, "SUMMARIES_KEPT", 1)
    reader, taken = read(KERAS_2_3 * 3)
    assert (len(layers(reader)), len(reader.summaries), reader.dropped) == (3, 1, 5)
    assert all(taken)


def test_real_rich_boxes_of_any_width() -> None:
    """Drawn by rich, as Keras 3 does, so narrow that cells wrap and words are cut."""
    rich_table = pytest.importorskip("rich.table")
    from rich.console import Console

    rows = [
        ("global_average_pooling2d (GlobalAveragePooling2D)", "(None, 150, 150, 3)", "20,861,480"),
        ("out (Dense)", "((None, 1), (None, 22, 333))", "68"),
    ]
    for width in range(44, 100):
        console = Console(file=io.StringIO(), width=120, highlight=False)
        shares = [int(width * 0.45), int(width * 0.35), int(width * 0.2)]
        titles = ("Layer (type)", "Output Shape", "Param #")
        columns = [rich_table.Column(t, width=w) for t, w in zip(titles, shares, strict=True)]
        table = rich_table.Table(*columns, show_lines=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        reader, _ = read(console.file.getvalue())
        long, out = (row[1:5] for row in layers(reader))
        assert out == ("out", "Dense", rows[1][1], 68), width
        name, kind = "global_average_pooling2d", "GlobalAveragePooling2D"
        if shares[0] < len(f"({kind})"):  # words cut: as printed
            name, kind = name[: shares[0] - 1] + "…", kind[: shares[0] - 2] + "…"
        count = 20861480 if shares[2] >= 10 else None
        assert long == (name, kind, rows[0][1], count), width


LINES = st.one_of(
    st.sampled_from(
        [line for text, _, _ in FORMS.values() for line in text.splitlines()]
        + ["", "Epoch 1/3", "?" * 50, "|", "  |  "]
    ),
    st.text(st.characters(exclude_characters="\n\r"), max_size=90),
)


@given(st.lists(LINES, max_size=40))
def test_any_lines(lines: list[str]) -> None:
    reader = SummaryReader()
    for number, line in enumerate(lines, 1):
        reader.feed(line, number, number, number + 1)
    reader.finish()
    assert not reader.open
    assert len({len(column) for column in reader.layers.values()}) == 1
    for model, name, _, _, parameters, _, line in layers(reader):
        assert name.strip()
        assert parameters is None or parameters >= 0
        assert reader.summaries[model - 1].line <= line <= len(lines)
