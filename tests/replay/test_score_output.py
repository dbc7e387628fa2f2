"""``logparse replay score -o``: the score as a file, with a figure of shown, rebuilt and true."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path

import pytest

from logparse.cli import main
from tests.browser.conftest import OpenTab, chromium, tab  # noqa: F401
from tests.replay.conftest import Replays

pytestmark = pytest.mark.xdist_group("replay")

RUNS = ("epoch-jump-ordinary", "epoch-jump-memorisable")


def _score(root: Path, output: Path, *options: str) -> int:
    return main(
        ["replay", "score", *(str(root / run) for run in RUNS), "-o", str(output), *options]
    )


def test_a_page_shows_each_run_with_its_score(replays: Replays, tmp_path: Path) -> None:
    page = tmp_path / "score.html"
    assert _score(replays.root, page) == 0
    text = page.read_text()
    for run in RUNS:
        assert f"{run}/train.log" in text
    assert text.count("What logparse says of this run agrees with what really happened.") == 2 * 2
    assert text.count("Shown, rebuilt and true") == 2
    assert "true batches" in text


def test_the_page_draws_its_figures(
    replays: Replays,
    tmp_path: Path,
    tab: OpenTab,  # noqa: F811
) -> None:
    page = tmp_path / "score.html"
    assert _score(replays.root, page) == 0
    opened = tab()
    shown = opened.open(page)
    shown.wait_for_selector(".chart .main-svg")
    assert opened.errors == []
    assert opened.requests == []
    assert opened.overflow() == 0
    legend = shown.locator("#log-1-truth-1 .legendtext").all_inner_texts()
    assert {"true batches", "batches, rebuilt", "shown by Keras"} <= set(legend)


def test_the_score_is_json_too(replays: Replays, tmp_path: Path) -> None:
    output = tmp_path / "score.json"
    assert _score(replays.root, output) == 0
    scores = json.loads(output.read_text())["scores"]
    assert [one["run"] for one in scores] == [run for run in RUNS for _ in range(2)]


def test_a_picture_is_of_one_run(
    replays: Replays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _score(replays.root, tmp_path / "x.png") == 2
    assert "a picture shows one run, and there are 2" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_drawn(replays: Replays, tmp_path: Path) -> None:
    if importlib.util.find_spec("kaleido") is None or shutil.which("chromium") is None:
        if os.environ.get("LOGPARSE_REQUIRE_BROWSER") == "1":
            pytest.fail("no kaleido or no chromium")
        pytest.skip("no kaleido or no chromium on this machine")
    from PIL import Image

    picture = tmp_path / "x.png"
    run = str(replays.root / RUNS[0])
    assert main(["replay", "score", run, "-o", str(picture)]) == 0
    with Image.open(picture) as image:
        assert image.size == (1800, 840)
        assert len(image.convert("RGB").quantize(16).getcolors()) > 8


def test_without_kaleido_it_says_what_to_install(
    replays: Replays,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "kaleido" else find(name)
    )
    run = str(replays.root / RUNS[0])
    assert main(["replay", "score", run, "-o", str(tmp_path / "x.png")]) != 0
    assert "pip install 'logparse[replay]'" in capsys.readouterr().err


def test_another_suffix_is_refused(
    replays: Replays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _score(replays.root, tmp_path / "x.svg") == 2
    assert "name a file that ends in .txt, .json, .html, .png" in capsys.readouterr().err
