"""Every form of the progress line, letter by letter, against its fields."""

from __future__ import annotations

from typing import Any

import pytest

from logparse.reading import keras_bar
from logparse.reading.bar_columns import slow_row
from logparse.reading.prefixes import Prefix
from logparse.reading.records import EXPONENT, WHOLE, Form
from tests.checks import read, slow_path

NAN = float("nan")
E = int(EXPONENT)
HEAVY = "\x1b[32m" + "━" * 12 + "\x1b[0m\x1b[37m" + "━" * 8 + "\x1b[0m"

Shown = dict[str, tuple[float, int]]


def bar(
    step: int, of: int, form: Form, metrics: Shown, *, last: bool = False, **times: float
) -> dict[str, Any]:
    """The fields of one line; times that are not given are not printed."""
    return {"step": step, "of": of, "form": form, "last": last, "times": times, "metrics": metrics}


def m(**values: float) -> Shown:
    """Metrics with four decimals."""
    return {name: (value, 4) for name, value in values.items()}


MS, US = 1e-3, 1e-6
B, BS, BP = Form.BAR, Form.BAR_STEP, Form.BAR_SAMPLE
FULL = "[==============================]"

LINES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    # Era A: Keras 0.1 to 2.0.8
    "A": (
        "192/500 [==========>...................] - ETA: 0s - loss: 1.1380 - acc: 0.6042",
        [bar(192, 500, B, m(loss=1.138, acc=0.6042), eta=0)],
    ),
    "A, plain seconds left": (
        "  64/60000 [..............................] - ETA: 11726s - loss: 2.3026",
        [bar(64, 60000, B, m(loss=2.3026), eta=11726)],
    ),
    "A, last": (
        f"500/500 {FULL} - 0s - loss: 1.1396 - acc: 0.3500 - val_loss: 0.3333 - val_acc: 0.7500",
        [
            bar(
                500,
                500,
                B,
                m(loss=1.1396, acc=0.35, val_loss=0.3333, val_acc=0.75),
                last=True,
                elapsed=0,
            )
        ],
    ),
    "A, hours in seconds": (
        f"500/500 {FULL} - 10798s - loss: 1.1396",
        [bar(500, 500, B, m(loss=1.1396), last=True, elapsed=10798)],
    ),
    "A, double blank before the bar": (
        f"500/500  {FULL} - 1s - loss: 1.1396",
        [bar(500, 500, B, m(loss=1.1396), last=True, elapsed=1)],
    ),
    "A, overflow of fit_generator": (
        f"13017/12856 {FULL} - 181s - loss: 1.9424 - acc: 0.4239",
        [bar(13017, 12856, B, m(loss=1.9424, acc=0.4239), last=True, elapsed=181)],
    ),
    # Era B: Keras 2.0.9 to 2.3.1
    "B": (
        " 64/500 [==>...........................] - ETA: 0s - loss: 1.0396 - acc: 0.0156",
        [bar(64, 500, B, m(loss=1.0396, acc=0.0156), eta=0)],
    ),
    "B, hours left": (
        "1/10 [==>...........................] - ETA: 2:15:00 - loss: 1.0396",
        [bar(1, 10, B, m(loss=1.0396), eta=8100)],
    ),
    "B, exactly an hour": (
        "1/10 [==>...........................] - ETA: 60:00 - loss: 1.0396",
        [bar(1, 10, B, m(loss=1.0396), eta=3600)],
    ),
    "B, minutes left": (
        "1/10 [==>...........................] - ETA: 1:05 - loss: 1.0396",
        [bar(1, 10, B, m(loss=1.0396), eta=65)],
    ),
    "B, last, counting samples": (
        f"60000/60000 {FULL} - 10s 167us/step - loss: 0.2735",
        [
            bar(
                60000,
                60000,
                BS,
                m(loss=0.2735),
                last=True,
                elapsed=10,
                per_step=167 * US,
                per_step_unit=US,
            )
        ],
    ),
    "B, last, slow": (
        f"10/10 {FULL} - 9100s 910s/step - loss: 0.5000",
        [bar(10, 10, BS, m(loss=0.5), last=True, elapsed=9100, per_step=910, per_step_unit=1)],
    ),
    # Era C: TF 1.15 to 2.1
    "C": (
        f"500/500 {FULL} - 1s 2ms/sample - loss: 1.1396",
        [
            bar(
                500,
                500,
                BP,
                m(loss=1.1396),
                last=True,
                elapsed=1,
                per_step=2 * MS,
                per_step_unit=MS,
            )
        ],
    ),
    "C, unknown length": (
        "     59/Unknown - 1s 3ms/step - loss: 0.9230 - accuracy: 0.6817",
        [
            bar(
                59,
                0,
                BS,
                m(loss=0.923, accuracy=0.6817),
                elapsed=1,
                per_step=3 * MS,
                per_step_unit=MS,
            )
        ],
    ),
    # Eras D to F: TF 2.2 to Keras 2.15
    "D, N/N before the last line": (
        f"8/8 {FULL} - ETA: 0s - loss: 1.1396 - acc: 0.3500",
        [bar(8, 8, B, m(loss=1.1396, acc=0.35), eta=0)],
    ),
    "D, last, with the rate": (
        f"8/8 {FULL} - 5s 663ms/step - loss: 1.1396 - val_acc: 0.7500 - lr: 1.0000e-03",
        [
            bar(
                8,
                8,
                BS,
                m(loss=1.1396, val_acc=0.75) | {"lr": (0.001, E)},
                last=True,
                elapsed=5,
                per_step=663 * MS,
                per_step_unit=MS,
            )
        ],
    ),
    "F, a step of no time": (
        f"8/8 {FULL} - 0s 0s/step - loss: 1.1396",
        [bar(8, 8, BS, m(loss=1.1396), last=True, elapsed=0, per_step=0, per_step_unit=1)],
    ),
    "left-over character": (
        f"8/8 {FULL} - 5s 663ms/steps - loss: 1.1396",
        [bar(8, 8, BS, m(loss=1.1396), last=True, elapsed=5, per_step=663 * MS, per_step_unit=MS)],
    ),
    "blanks of a longer line before": (
        f"8/8 {FULL} - 5s 663ms/step - loss: 1.1396          ",
        [bar(8, 8, BS, m(loss=1.1396), last=True, elapsed=5, per_step=663 * MS, per_step_unit=MS)],
    ),
    "train_v1 shows batch and size": (
        "1/4 [======>.......................] - ETA: 0s - batch: 0.0000e+00 - size: 32.0000"
        " - loss: 0.5000",
        [bar(1, 4, B, {"batch": (0.0, E), "size": (32.0, 4), "loss": (0.5, 4)}, eta=0)],
    ),
    "evaluate, no metrics": (
        f"7/7 {FULL} - 0s 1ms/step",
        [bar(7, 7, BS, {}, last=True, elapsed=0, per_step=MS, per_step_unit=MS)],
    ),
    "download": (
        f"11493376/11490434 {FULL} - 0s 0us/step",
        [bar(11493376, 11490434, BS, {}, last=True, elapsed=0, per_step=0, per_step_unit=US)],
    ),
    # Era G: Keras 3
    "G": (
        f"\x1b[1m 2/32\x1b[0m {HEAVY} \x1b[1m2s\x1b[0m 73ms/step - accuracy: 0.3125 - loss: 1.4923",
        [
            bar(
                2,
                32,
                Form.HEAVY,
                m(accuracy=0.3125, loss=1.4923),
                eta=2,
                per_step=73 * MS,
                per_step_unit=MS,
            )
        ],
    ),
    "G, no green part": (
        "\x1b[1m  1/200\x1b[0m \x1b[37m"
        + "━" * 20
        + "\x1b[0m \x1b[1m1:05\x1b[0m 330ms/step - loss: 1.4923",
        [bar(1, 200, Form.HEAVY, m(loss=1.4923), eta=65, per_step=330 * MS, per_step_unit=MS)],
    ),
    "G, hours left": (
        "  1/200 " + "━" * 20 + " 1:00:05 18s/step - loss: 1.4923",
        [bar(1, 200, Form.HEAVY, m(loss=1.4923), eta=3605, per_step=18, per_step_unit=1)],
    ),
    "G, without colour": (
        "61/61 " + "━" * 20 + " 4s 58ms/step - accuracy: 0.5551 - learning_rate: 1.0000e-03",
        [
            bar(
                61,
                61,
                Form.HEAVY,
                m(accuracy=0.5551) | {"learning_rate": (0.001, E)},
                eta=4,
                per_step=58 * MS,
                per_step_unit=MS,
            )
        ],
    ),
    "G, a stream without the character": (
        "61/61 " + "?" * 20 + " 4s 58ms/step - loss: 0.5551",
        [bar(61, 61, Form.HEAVY, m(loss=0.5551), eta=4, per_step=58 * MS, per_step_unit=MS)],
    ),
    "G, the character left out": (
        "61/61  4s 58ms/step - loss: 0.5551",
        [bar(61, 61, Form.HEAVY, m(loss=0.5551), eta=4, per_step=58 * MS, per_step_unit=MS)],
    ),
    "G, the bar in JSON": (
        "61/61 " + "\\u2501" * 20 + " 4s 58ms/step - loss: 0.5551",
        [bar(61, 61, Form.HEAVY, m(loss=0.5551), eta=4, per_step=58 * MS, per_step_unit=MS)],
    ),
    "G, unknown length": (
        "      3/Unknown \x1b[1m1s\x1b[0m 58ms/step - loss: 0.5551",
        [bar(3, 0, Form.HEAVY, m(loss=0.5551), elapsed=1, per_step=58 * MS, per_step_unit=MS)],
    ),
    # verbose=2
    "A, quiet": (
        "0s - loss: 0.3490 - acc: 0.8812",
        [bar(0, 0, Form.QUIET, m(loss=0.349, acc=0.8812), last=True, elapsed=0)],
    ),
    "B, quiet": (
        " - 1s - loss: 0.3490",
        [bar(0, 0, Form.QUIET, m(loss=0.349), last=True, elapsed=1)],
    ),
    "C to E, quiet": (
        "500/500 - 1s - loss: 0.3490",
        [bar(500, 500, Form.QUIET_COUNT, m(loss=0.349), last=True, elapsed=1)],
    ),
    "F, quiet": (
        "14/14 - 0s - loss: 0.6261 - acc: 0.6094 - 130ms/epoch - 9ms/step",
        [
            bar(
                14,
                14,
                Form.QUIET_EPOCH,
                m(loss=0.6261, acc=0.6094),
                last=True,
                elapsed=0,
                per_step=9 * MS,
                per_step_unit=MS,
                per_epoch=130 * MS,
                per_epoch_unit=MS,
            )
        ],
    ),
    "F, quiet, evaluate": (
        "7/7 - 2s - loss: 0.6261 - 2s/epoch - 251ms/step",
        [
            bar(
                7,
                7,
                Form.QUIET_EPOCH,
                m(loss=0.6261),
                last=True,
                elapsed=2,
                per_step=251 * MS,
                per_step_unit=MS,
                per_epoch=2,
                per_epoch_unit=1,
            )
        ],
    ),
    "G, quiet": (
        "32/32 - 3s - 106ms/step - accuracy: 0.3125 - loss: 1.4923",
        [
            bar(
                32,
                32,
                Form.QUIET_STEP,
                m(accuracy=0.3125, loss=1.4923),
                last=True,
                elapsed=3,
                per_step=106 * MS,
                per_step_unit=MS,
            )
        ],
    ),
    "TF 2.0, evaluate, quiet": (
        "11005/1 - 1s - loss: 0.3490",
        [bar(11005, 1, Form.QUIET_COUNT, m(loss=0.349), last=True, elapsed=1)],
    ),
    # Numbers
    "numbers": (
        "1/4 [>...] - ETA: 0s - a: 0.0000e+00 - b: 1.0000e-03 - c: -5.0000e+00 - d: nan - e: inf"
        " - f: -inf - g: 123456.7891 - h: 8.8428e-04 - i: -0.5000 - j: 9.9999e+37",
        [
            bar(
                1,
                4,
                B,
                {
                    "a": (0.0, E),
                    "b": (0.001, E),
                    "c": (-5.0, E),
                    "d": (NAN, 4),
                    "e": (float("inf"), 4),
                    "f": (-float("inf"), 4),
                    "g": (123456.7891, 4),
                    "h": (8.8428e-04, E),
                    "i": (-0.5, 4),
                    "j": (9.9999e37, E),
                },
                eta=0,
            )
        ],
    ),
    "stateful metrics of 2.1.4 in full": (
        "1/4 [>...] - ETA: 0s - loss: 0.5000 - true_positives: 127 - recall: 0.8123456789012345",
        [
            bar(
                1,
                4,
                B,
                {
                    "loss": (0.5, 4),
                    "true_positives": (127.0, WHOLE),
                    "recall": (0.8123456789012345, 16),
                },
                eta=0,
            )
        ],
    ),
    "names": (
        "1/4 [>...] - ETA: 0s - top_5=acc.1: 0.5000 - f1-score: 0.2500 - précision: 0.1250"
        " - 2/3: 0.7500",
        [
            bar(
                1,
                4,
                B,
                {
                    "top_5=acc.1": (0.5, 4),
                    "f1-score": (0.25, 4),
                    "précision": (0.125, 4),
                    "2/3": (0.75, 4),
                },
                eta=0,
            )
        ],
    ),
    # Traps
    "glued to a date": (
        "     59/Unknown - 1s 3ms/step - loss: 0.9230 - accuracy: 0.68172022-02-20 15:30:50",
        [
            bar(
                59,
                0,
                BS,
                m(loss=0.923, accuracy=0.6817),
                elapsed=1,
                per_step=3 * MS,
                per_step_unit=MS,
            )
        ],
    ),
    "glued to the next update": (
        "110/157 [===>..] - ETA: 1s - loss: 2.7131111/157 [===>..] - ETA: 0s - loss: 2.7000",
        [bar(110, 157, B, m(loss=2.7131), eta=1), bar(111, 157, B, m(loss=2.7), eta=0)],
    ),
    "glued to a warning": (
        "1404/1407 [===>.] - ETA: 0s - loss: 4.0493 - accuracy: 0.1598INFO:tensorflow:Assets",
        [bar(1404, 1407, B, m(loss=4.0493, accuracy=0.1598), eta=0)],
    ),
    "glued to what a callback prints": (
        "5/60 [=>..] - ETA: 0s - loss: nanmf",
        [bar(5, 60, B, {"loss": (NAN, 4)}, eta=0)],
    ),
    "a date is no count": ("saved on 12/31 at 10:00, 3/4 of the disk is used", []),
    "a path is no count": ("see logs/12/34 [old] and 1.5/20 [====] - 1s", []),
    "a GAN's print is no bar": ("Epoch 3/10 step 12/100 d_loss: 0.5000 g_loss: 1.2000", []),
    "an epoch's number is no count of steps": ("Epoch 1/10 - 1835s 4s/step - loss: 0.4112", []),
    "tqdm is no bar": (" 47%|####7     | 47/100 [00:12<00:13,  3.85it/s]", []),
}


def plainly(line: dict[str, Any]) -> dict[str, Any]:
    """Printed times only, numbers as text that tells nan from nan and -0 from 0."""
    times = {name: repr(float(v)) for name, v in line["times"].items() if v == v}
    metrics = {name: (repr(float(v)), d) for name, (v, d) in line["metrics"].items()}
    return line | {"times": times, "metrics": metrics, "form": int(line["form"])}


@pytest.mark.parametrize("name", LINES)
def test_parse(name: str) -> None:
    shown, want = LINES[name]
    raw = keras_bar.CONTROL.sub(b"", shown.encode())
    got = [plainly(slow_row(line, Prefix(), raw)) for line in keras_bar.parse(raw)]
    assert got == [plainly(line) for line in want]


@pytest.mark.parametrize("copies", [1, 9])
@pytest.mark.parametrize("name", LINES)
def test_through_the_reader(name: str, copies: int) -> None:
    """One line takes the slow path, nine alike the fast one: the same fields."""
    from logparse.reading.records import TIMES

    shown, want = LINES[name]
    data = (shown + "\n").encode() * copies
    found = read(data)
    got = [
        {
            "step": row.step,
            "of": row.of,
            "form": row.form,
            "last": row.last,
            "times": {
                time: repr(float.fromhex(value))
                for time, value in zip(TIMES, row.times, strict=True)
                if value != "nan"
            },
            "metrics": {n: (repr(float.fromhex(v)), d) for n, v, d in row.metrics},
        }
        for row in found.rows
    ]
    clockless = [{**line, "times": dict(line["times"])} for line in got]
    for line in clockless:
        line["times"].pop("clock", None)
    assert clockless == [plainly(line) for line in want] * copies
    assert all(row.ended for row in found.rows[-1:])
    with slow_path():
        assert read(data) == found


@pytest.mark.parametrize(
    ("cut", "metrics"),
    [
        ("8/8 [===>] - ETA: 0s - loss: 0.1234", {"loss": 0.1234}),
        ("8/8 [===>] - ETA: 0s - loss: 0.123", {}),
        ("8/8 [===>] - ETA: 0s - loss: 0.", {}),
        ("8/8 [===>] - ETA: 0s - loss: ", {}),
        ("8/8 [===>] - ETA: 0s - lo", {}),
        # One digit other than 0 may be the mantissa of %.4e.
        ("8/8 [===>] - ETA: 0s - loss: 8.8428", {}),
        ("8/8 [===>] - ETA: 0s - loss: 8.8428e-0", {}),
        ("8/8 [===>] - ETA: 0s - loss: 8.8428e-04", {"loss": 8.8428e-04}),
        ("8/8 [===>] - ETA: 0s - loss: 12.8428", {"loss": 12.8428}),
        ("8/8 [===>] - ETA: 0s - loss: nan", {"loss": NAN}),
        ("8/8 [===>] - ETA: 0s - loss: na", {}),
        ("8/8 [===>] - ETA: 0s - loss: 0.5000 - acc: 0.2", {"loss": 0.5}),
        ("8/8 [===>] - ETA: 0s", {}),
    ],
)
def test_a_cut_line_shows_nothing_that_was_not_printed(cut: str, metrics: dict[str, float]) -> None:
    (line,) = keras_bar.parse(cut.encode(), ended=False)
    found = slow_row(line, Prefix(), cut.encode())
    assert {k: repr(v) for k, (v, _) in found["metrics"].items()} == {
        k: repr(v) for k, v in metrics.items()
    }


@pytest.mark.parametrize("cut", ["8/8 [===>] - ETA: 1:0", "8/8 [===>] - ETA: 1:05"])
def test_a_cut_time_left_is_left_out(cut: str) -> None:
    (line,) = keras_bar.parse(cut.encode(), ended=False)
    assert line.eta == ()


def test_a_metric_known_to_be_far_from_an_exponent_is_whole() -> None:
    cut = b"8/8 [===>] - ETA: 0s - loss: 8.8428"
    (line,) = keras_bar.parse(cut, ended=False, whole={"loss"})
    assert [name for name, _ in line.metrics] == ["loss"]


@pytest.mark.parametrize("shown", ["0", "0.", "0.8", "0.882", "12", "8.8428e-0", "na"])
def test_even_then_a_half_number_is_not_shown(shown: str) -> None:
    cut = f"8/8 [===>] - ETA: 0s - loss: {shown}".encode()
    (line,) = keras_bar.parse(cut, ended=False, whole={"loss"})
    assert line.metrics == []
