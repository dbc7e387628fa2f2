"""Logs behind URLs read as those on disk do, and what cannot be reached is said in a line."""

from __future__ import annotations

import functools
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from logparse import Analysis, analyze, analyze_many
from logparse.errors import SourceError
from logparse.reading import remote
from logparse.reading.paths import expand
from logparse.reading.source import open_sources

LOG = "seeds/003_outer_loop.log"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server of ``tmp_path``."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def test_a_remote_log_reads_as_the_one_on_disk(
    tmp_path: Path, sample_logs: Path, server: str
) -> None:
    (tmp_path / "a.log").write_bytes((sample_logs / LOG).read_bytes())
    here, there = analyze(sample_logs / LOG), analyze(f"{server}/a.log")
    assert there.metrics.equals(here.metrics)
    assert there.source.sha256 == here.source.sha256
    assert there.source.name == f"{server}/a.log"
    assert there.batches.equals(here.batches)


def test_event_files_on_the_web(tmp_path: Path, sample_logs: Path, server: str) -> None:
    """A page that lists the files of a run is its folder; one that lists runs has them all."""
    shutil.copytree(sample_logs / "tensorboard" / "two_fits", tmp_path / "runs" / "a")
    shutil.copytree(sample_logs / "tensorboard" / "two_fits", tmp_path / "runs" / "b" / "c")
    (tmp_path / "runs" / "b.log").write_bytes((sample_logs / LOG).read_bytes())
    here = analyze(sample_logs / "tensorboard" / "two_fits")
    for url in (f"{server}/runs/a", f"{server}/runs/a/"):
        there = analyze(url)
        assert there.metrics.equals(here.metrics)
        assert there.source.sha256 == here.source.sha256
    assert expand([f"{server}/runs"]) == [
        f"{server}/runs/a",
        f"{server}/runs/b.log",
        f"{server}/runs/b/c",
    ]


def test_a_log_on_the_web_is_fetched_once(
    tmp_path: Path, sample_logs: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.log").write_bytes((sample_logs / LOG).read_bytes())
    asked: list[str] = []

    def get(self: Any) -> None:
        asked.append(self.path)
        SimpleHTTPRequestHandler.do_GET(self)

    monkeypatch.setattr(_Quiet, "do_GET", get)
    (found,) = analyze_many([f"{server}/a.log"])
    assert isinstance(found, Analysis)
    assert asked == ["/a.log"]


def test_a_member_of_a_remote_archive(tmp_path: Path, sample_logs: Path, memory: Any) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(sample_logs / LOG, "run1/train.log")
    memory.pipe_file("/logs/a.zip", (tmp_path / "a.zip").read_bytes())
    found = analyze("memory://logs/a.zip::run1/train.log")
    assert found.epochs.equals(analyze(sample_logs / LOG).epochs)


def test_finds_what_lies_below_a_url(memory: Any) -> None:
    for name in ("/logs/b/x.log", "/logs/a.log", "/logs/.hidden/c.log", "/other/d.log"):
        memory.pipe_file(name, b"x" * 3)
    found = remote.find("memory://logs")
    assert [file.url for file in found] == ["memory:///logs/a.log", "memory:///logs/b/x.log"]
    assert [file.size for file in found] == [3, 3]
    assert expand(["memory://logs/a.log"]) == ["memory:///logs/a.log"]


def test_the_stamp_tells_another_version(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/a.log"
    (tmp_path / "a.log").write_bytes(b"one")
    (first,) = remote.find(url)
    (again,) = remote.find(url)
    (tmp_path / "a.log").write_bytes(b"two")
    (second,) = remote.find(url)
    assert first.stamp == again.stamp != second.stamp
    assert first.stamp


def test_a_web_page_leads_only_to_what_lies_below_it(tmp_path: Path, server: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "index.html").write_text(
        f'<a href="a.log">a</a> <a href="{server}/secret.log">s</a> <a href="/secret.log">t</a>'
    )
    (tmp_path / "secret.log").write_bytes(b"secret")
    (tmp_path / "logs" / "a.log").write_bytes(b"abc")
    assert [file.url for file in remote.find(f"{server}/logs/")] == [f"{server}/logs/a.log"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("memory://nowhere/a.log", "nothing is there; check the URL"),
        ("nosuch://host/a.log", "cannot be reached"),
        ("http://127.0.0.1:9/a.log", "cannot be reached: .*127.0.0.1"),
    ],
)
def test_says_why_it_cannot_be_reached(memory: Any, url: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        next(open_sources(url))
    assert "\n" not in str(caught.value)
    (failure,) = analyze_many([url])
    assert str(failure.error) == str(caught.value)  # type: ignore[union-attr]


def test_says_which_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(SourceError, match=r"pip install 'logparse\[s3\]'"):
        remote.find("s3://bucket/runs")


def test_an_error_while_reading_is_a_line(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/a.log", b"Epoch 1/2\n" * 9)

    class Broken:
        size = 90

        def read(self, n: int) -> bytes:
            raise ConnectionResetError("the other side hung up")

        def close(self) -> None:
            pass

    monkeypatch.setattr(type(memory), "open", lambda *args, **kwargs: Broken())
    with pytest.raises(SourceError, match=r"a\.log: cannot be read on: the other side hung up"):
        analyze("memory://a.log")


def test_a_file_on_disk_comes_before_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "x").mkdir(parents=True)
    (tmp_path / "s3:" / "x" / "a.log").write_bytes(b"x")
    assert not remote.is_url("s3://x/a.log")
    assert remote.is_url("s3://y/a.log")
    assert not remote.is_url("c:/logs")
