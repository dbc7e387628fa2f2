"""``logparse replay score -o``: the score as a file, with a figure of shown, rebuilt and true."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logparse import cli
from logparse.replay.scores import text
from logparse.replay.scoring import Part, Score
from tests.browser.tabs import OpenTab
from tests.replay.conftest import Replays

pytestmark = pytest.mark.xdist_group("replay")

RUNS = ("epoch-jump-ordinary", "epoch-jump-memorisable")


Command = Callable[[tuple[str, ...], Path], int]


@pytest.fixture
def command(replays: Replays, monkeypatch: pytest.MonkeyPatch) -> Command:
    """``logparse replay score RUN... -o OUTPUT``: its exit code."""

    def run(runs: tuple[str, ...], output: Path) -> int:
        folders = [str(replays.root / run) for run in runs]
        words = ["logparse", "replay", "score", *folders, "-o", str(output)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)

    return run


def test_the_table_fits_a_terminal_and_names_what_is_wrong() -> None:
    found = ("LP101", "LP102", "LP103", "LP401", "LP403")
    rows = [
        Score("a\x1b[2J", "log", law="mean", true_law="mean", bounds=Part(3, 3), band=Part(9, 10)),
        Score(
            "pipelines-imagedatagenerator",
            "log",
            law="mean of means, true end",
            true_law="mean",
            bounds=Part(1999, 2000),
            jumps=Part(1, 2),
            step_error=0.0123,
            wait=0.5,
            expected=("LP202",),
            found=found,
            missing=("LP202",),
            unexpected=("LP403",),
        ),
        Score("pipelines-imagedatagenerator", "events", error="no scalar in it"),
    ]
    lines = text(rows).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1] == "a\\x1b[2J"
    assert lines[2].split() == ["log", "mean", "100", "%", "90.0", "%"]
    assert lines[3:5] == ["          none", "pipelines-imagedatagenerator"]
    assert " 99.9 % " in lines[5]
    assert " ".join(" ".join(lines[6:8]).split()) == (
        f"{', '.join(found)} (the law is mean; missing LP202; unexpected LP403; wrong on 1 "
        "of 2 jumps)"
    )
    assert lines[8:10] == ["  events", "          no scalar in it"]
    assert "1 of 3 readings as they should be." in lines


def test_a_page_shows_each_run_with_its_score(command: Command, tmp_path: Path) -> None:
    page = tmp_path / "score.html"
    assert command(RUNS, page) == 0
    text = page.read_text()
    for run in RUNS:
        assert f"{run}/train.log" in text
    assert text.count("What logparse says of this run agrees with what really happened.") == 2 * 2
    assert text.count("Shown, rebuilt and true") == 2
    assert "true batches" in text


def test_the_page_draws_its_figures(command: Command, tmp_path: Path, tab: OpenTab) -> None:
    page = tmp_path / "score.html"
    assert command(RUNS, page) == 0
    opened = tab()
    shown = opened.open(page)
    shown.wait_for_selector(".chart .main-svg")
    assert opened.errors == []
    assert opened.requests == []
    assert opened.overflow() == 0
    legend = shown.locator("#log-1-truth-1 .legendtext").all_text_contents()
    assert {"true batches", "batches, rebuilt", "shown by Keras"} <= set(legend)


def test_the_score_is_json_too(command: Command, tmp_path: Path) -> None:
    output = tmp_path / "score.json"
    assert command(RUNS, output) == 0
    scores = json.loads(output.read_text())["scores"]
    assert [one["run"] for one in scores] == [run for run in RUNS for _ in range(2)]


def test_a_picture_is_of_one_run(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(RUNS, tmp_path / "x.png") == 2
    assert "a picture shows one run, and there are 2" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_drawn(command: Command, tmp_path: Path) -> None:
    if importlib.util.find_spec("kaleido") is None or shutil.which("chromium") is None:
        if os.environ.get("LOGPARSE_REQUIRE_BROWSER") == "1":
            pytest.fail("no kaleido or no chromium")
        pytest.skip("no kaleido or no chromium on this machine")
    from PIL import Image

    picture = tmp_path / "x.png"
    assert command(RUNS[:1], picture) == 0
    with Image.open(picture) as image:
        assert image.size == (1800, 840)
        assert len(image.convert("RGB").quantize(16).getcolors()) > 8


def test_without_kaleido_it_says_what_to_install(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "kaleido" else find(name)
    )
    assert command(RUNS[:1], tmp_path / "x.png") != 0
    assert "pip install 'logparse[replay]'" in capsys.readouterr().err


def test_another_suffix_is_refused(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(RUNS, tmp_path / "x.svg") == 2
    assert "name a file that ends in .txt, .json, .html, .png" in capsys.readouterr().err
