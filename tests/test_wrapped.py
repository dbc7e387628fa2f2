"""Logs as notebooks, containers and clusters keep them: each line wrapped, the same training."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

import logparse

LOGS = (
    "keras-2.3.1/slowfirst.log",
    "tf-2.3.4/messages.log",
    "keras-3.12.0/multi.log",
    "keras-3.15.1/fit.log",
)
WHERE_AND_WHEN = ["elapsed", "elapsed_low", "elapsed_high", "line", "byte"]
STAMP = "2024-01-01T00:00:{:02d}.123456789Z"


def each(wrap: Callable[[int, str], str]) -> Callable[[list[str]], str]:
    """Every line wrapped by itself; gets its number and its text."""
    return lambda lines: "".join(wrap(i, line) + "\n" for i, line in enumerate(lines))


def notebook(lines: list[str]) -> str:
    """A Jupyter notebook whose only cell printed the lines."""
    output = {"output_type": "stream", "name": "stdout", "text": [line + "\n" for line in lines]}
    cell = {"cell_type": "code", "metadata": {}, "source": ["model.fit(x, y)"], "outputs": [output]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}, indent=1)


def controls(text: str) -> str:
    """Control characters as rsyslog writes them."""
    return "".join(c if c >= " " else f"#{ord(c):03o}" for c in text)


WRAPPED: dict[str, Callable[[list[str]], str]] = {
    "notebook": notebook,
    "web page": lambda lines: f"<pre>{html.escape(chr(10).join(lines))}</pre>",
    "docker json-file": each(
        lambda i, line: json.dumps(
            {"log": line + "\n", "stream": "stdout", "time": STAMP.format(i % 60)}
        )
    ),
    "kubernetes": each(lambda i, line: f"{STAMP.format(i % 60)} stdout F {line}"),
    "kaggle": each(
        lambda i, line: (
            "," + json.dumps({"stream_name": "stdout", "time": i / 2, "data": line + "\n"})
        )
    ),
    "structured": each(lambda i, line: json.dumps({"message": line, "level": "INFO"})),
    "syslog": each(lambda i, line: f"Jan  1 00:00:{i % 60:02d} host train[123]: {controls(line)}"),
    "mpirun": each(lambda _, line: f"[1,0]<stdout>:{line}"),
    "sagemaker": each(lambda _, line: f"\x1b[34m{line}\x1b[0m"),
    "ray": each(lambda _, line: f"(train pid=1234, ip=10.0.0.1) {line}"),
    "srun": each(lambda _, line: f"0: {line}"),
}


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("form", WRAPPED)
def test_a_wrapped_log_tells_the_same(
    sample_logs: Path, tmp_path: Path, form: str, name: str
) -> None:
    plain = sample_logs / name
    path = tmp_path / "wrapped.log"
    text = WRAPPED[form](plain.read_bytes().decode().split("\n"))
    path.write_bytes(text.encode())
    want, got = logparse.analyze(plain), logparse.analyze(path)
    keys = ["run", "epoch", "metric", "shown"]
    assert_frame_equal(got.metrics.select(keys), want.metrics.select(keys))
    # A stamp on each line is a clock more, and the place of a line is another.
    assert_frame_equal(got.updates.drop(WHERE_AND_WHEN), want.updates.drop(WHERE_AND_WHEN))
    assert got.rejects.height == want.rejects.height
