"""The app in a real browser: what a visitor does, what leaves the machine, what others see."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

if os.environ.get("LOGPARSE_REQUIRE_BROWSER") != "1":
    pytest.importorskip("streamlit")
    pytest.importorskip("playwright")

from playwright.sync_api import Page, expect

import logparse
from logparse.comparison.compare import compare
from logparse.reading.source import Upload
from logparse.reports import comparison
from logparse.reports.view import view
from tests.browser.app_server import choose, open_tab, serving, serving_script, settled, upload
from tests.browser.tabs import OpenTab, Tab

LOGS = ("keras-1.2.2/outer.log", "tf-2.3.4/messages.log", "keras-3.12.0/multi.log")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app that was started without any log, and that writes nothing to disk."""
    home = tmp_path_factory.mktemp("home")
    with serving(home=home) as address:
        yield address
    assert list(home.rglob("*")) == []


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, sample_logs: Path) -> Path:
    """A zip of the events of one training."""
    folder = sample_logs / "keras-3.12.0" / "tensorboard"
    path = tmp_path_factory.mktemp("archive") / "events.zip"
    with zipfile.ZipFile(path, "w") as file:
        for one in sorted(folder.rglob("*tfevents*")):
            file.write(one, f"run/{one.relative_to(folder)}")
    return path


def verdict(path: Path) -> str:
    """What the command says first about a log."""
    return view(logparse.analyze(path), full=True).verdict[0]


def clean(visit: Tab) -> None:
    """Nothing left the machine, nothing ran that should not, nothing sticks out of the page."""
    assert visit.requests == []
    assert visit.errors == []
    assert visit.dialogs == []
    assert visit.overflow() == 0


def chart(page: Page, text: str) -> None:
    """A figure with this text in it is drawn."""
    drawn = page.locator("[data-testid=stPlotlyChart] .main-svg")
    expect(drawn.filter(has_text=text).first).to_be_visible(timeout=20_000)


def test_logs_of_three_eras_and_events(
    app: str, tab: OpenTab, sample_logs: Path, archive: Path
) -> None:
    visit = tab()
    page = visit.open(app)
    expect(page.get_by_role("heading", name="What did your training really do?")).to_be_visible()
    upload(page, *(sample_logs / name for name in LOGS), archive)
    verdicts = {Path(name).name: verdict(sample_logs / name) for name in LOGS}
    verdicts["events.zip/run"] = verdict(sample_logs / "keras-3.12.0" / "tensorboard")
    for name, said in verdicts.items():
        page.get_by_test_id("stSidebar").get_by_text(name).click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        expect(page.get_by_test_id("stMain").get_by_text(said)).to_be_visible()
        open_tab(settled(page), "Curves")
        chart(page, "shown by Keras")
        open_tab(page, "Findings")
    page.get_by_test_id("stTopNavLink").filter(has_text="Compare").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    for align in ("by batch", "by epoch"):
        choose(settled(page), "Align by", align)
        chart(page, "multi.log")
    assert "align=" not in page.url  # the first choice needs no word in the address
    # What the command says of the same two logs.
    two = [Upload(Path(name).name, (sample_logs / name).read_bytes()) for name in LOGS[:2]]
    expected = comparison.view(compare(*logparse.analyze_many(two)), full=True).verdicts[0].text
    expect(page.get_by_text(expected)).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_text("multi.log").click()
    expect(page.get_by_role("heading", name="multi.log")).to_be_visible()
    clean(visit)


def test_a_finding_leads_to_the_curve_and_to_the_log(
    app: str, tab: OpenTab, sample_logs: Path
) -> None:
    visit = tab()
    page = upload(visit.open(app), sample_logs / "keras-2.3.1" / "slowfirst.log")
    card = page.locator(".st-key-card-LP201")
    card.get_by_role("button", name="Show where").first.click()
    expect(card.locator(".main-svg").first).to_be_visible()
    expect(card.locator("code")).to_contain_text("> ")
    assert "finding=LP201.1" in page.url
    clean(visit)


def test_a_report_is_saved_and_opens_from_disk(
    app: str, tab: OpenTab, sample_logs: Path, tmp_path: Path
) -> None:
    visit = tab()
    page = upload(visit.open(app), sample_logs / "seeds" / "003_outer_loop.log")
    said = page.locator(".st-key-verdict").inner_text()
    page.get_by_role("button", name="Report").click()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Web page").click()
    path = tmp_path / saving.value.suggested_filename
    saving.value.save_as(path)
    assert path.name == "003_outer_loop.log.html"
    report = tab()
    opened = report.open(path)
    expect(opened.get_by_text(said)).to_be_visible()
    assert report.requests == []
    clean(visit)


def test_a_log_is_followed_while_it_grows(tab: OpenTab, sample_logs: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    whole = (sample_logs / "keras-2.3.1" / "slowfirst.log").read_bytes()
    third = whole.index(b"Epoch 4/8")
    path.write_bytes(whole[:third])
    with serving(path) as address:
        visit = tab()
        page = visit.open(address)
        expect(page.get_by_text("3 of 8 announced epochs")).to_be_visible(timeout=20_000)
        settled(page).get_by_text("Follow this log").click()
        expect(page.get_by_text("last written at")).to_be_visible()
        with path.open("ab") as file:
            file.write(whole[third:])
        expect(page.get_by_text("One training run: 8 epochs")).to_be_visible(timeout=20_000)
        path.write_bytes(whole[:third])  # cut short, as by a training that starts anew
        expect(page.get_by_text("3 of 8 announced epochs")).to_be_visible(timeout=20_000)
        # What was not named at the start is out of reach: there is no way to ask for it.
        other = tab()
        other.open(f"{address}/?log=/etc/passwd&path=/etc/passwd")
        settled(other.page)
        assert "root:" not in other.page.content()
        clean(visit)


def test_event_files_are_followed_while_they_grow(
    tab: OpenTab, sample_logs: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(sample_logs / "tensorboard" / "two_fits", whole)
    run = tmp_path / "run"
    (run / "train").mkdir(parents=True)
    first, second = sorted((whole / "train").glob("*tfevents*"))
    data = first.read_bytes()
    (run / "train" / first.name).write_bytes(data[: data.index(b"epoch_loss") + 2000])
    with serving(run) as address:
        visit = tab()
        page = visit.open(address)
        expect(page.get_by_text("One training run: 1 epoch of")).to_be_visible(timeout=20_000)
        settled(page).get_by_text("Follow this log").click()
        expect(page.get_by_text("last written at")).to_be_visible()
        (run / "train" / first.name).write_bytes(data)
        expect(page.get_by_text("One training run: 3 epochs")).to_be_visible(timeout=20_000)
        shutil.copy(second, run / "train" / second.name)
        expect(page.get_by_text("One training run: 5 epochs")).to_be_visible(timeout=20_000)
        clean(visit)


def test_two_visitors_never_see_each_others_logs(
    app: str, tab: OpenTab, sample_logs: Path, tmp_path: Path
) -> None:
    visits = [tab(), tab()]
    names = ["private-of-anna.log", "private-of-bert.log"]
    for name, log in zip(names, ("keras-2.2.4/fit.log", "keras-2.2.4/fit.log"), strict=True):
        shutil.copy(sample_logs / log, tmp_path / name)
    for visit in visits:
        visit.open(app)
    for visit, name in zip(visits, names, strict=True):
        upload(visit.page, tmp_path / name)
    for visit, own, other in zip(visits, names, reversed(names), strict=True):
        page = settled(visit.page)
        expect(page.get_by_role("heading", name=own)).to_be_visible()
        assert other not in page.content()
        clean(visit)
    # Nor does who takes over the address of another.
    third = tab()
    third.open(visits[0].page.url)
    expect(third.page.get_by_role("heading", name="What did your training")).to_be_visible()
    assert "private-of" not in third.page.content()


def test_long_work_shows_progress_and_can_be_stopped(tab: OpenTab) -> None:
    with serving_script(Path(__file__).parent / "slow_app.py") as address:
        visit = tab()
        page = settled(visit.open(address))
        page.locator("input[type=file]").first.set_input_files(
            {"name": "long.log", "mimeType": "text/plain", "buffer": b"Epoch 1/1"}
        )
        expect(page.get_by_text("Reading long.log, ")).to_be_visible(timeout=20_000)
        bar = page.get_by_role("progressbar")
        expect(bar).not_to_have_attribute("aria-valuenow", "0")
        page.get_by_role("button", name="Stop reading").click()
        expect(page.get_by_text("long.log: you stopped the reading")).to_be_visible()
        expect(bar).to_have_count(0)
        clean(visit)


def test_what_cannot_be_read_is_said(app: str, tab: OpenTab) -> None:
    visit = tab()
    page = settled(visit.open(app))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("picture.png", b"\x89PNG")
    for name, data in (("notes.txt", b"milk, eggs"), ("cut.zip", packed.getvalue()[:-9])):
        if page.get_by_text("Add logs").count() and not page.locator("input[type=file]").count():
            page.get_by_text("Add logs").click()
        page.locator("input[type=file]").first.set_input_files(
            {"name": name, "mimeType": "text/plain", "buffer": data}
        )
        expect(page.get_by_text(f"{name}: ")).to_be_visible()
        settled(page)
    clean(visit)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 420)])
def test_axe_finds_no_serious_fault(
    app: str, tab: OpenTab, sample_logs: Path, scheme: str, width: int
) -> None:
    visit = tab(width=width, scheme=scheme)
    page = settled(visit.open(app))
    assert visit.axe() == []
    clean(visit)
    logs = ("keras-2.3.1/slowfirst.log", "seeds/003_outer_loop.log")
    upload(page, *(sample_logs / name for name in logs))
    for name in ("Findings", "Curves", "Time", "Tables", "Reading"):
        open_tab(page, name)
        assert visit.axe() == [], name
        clean(visit)
    to_compare = page.get_by_test_id("stTopNavLink").filter(has_text="Compare")
    if not to_compare.count():  # a narrow window has its pages in the folded bar
        page.get_by_test_id("stExpandSidebarButton").click()
        to_compare = page.get_by_test_id("stSidebarNavLink").filter(has_text="Compare")
    to_compare.click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    chart(settled(page), "slowfirst.log")
    assert visit.axe() == [], "Compare"
    clean(visit)
