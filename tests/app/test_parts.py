"""What the app is made of, without a browser: safe text, settings, what a visitor holds, lines."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from logparse import limits, samples
from logparse.analysis import Analysis, Failure, analyze
from logparse.app import server
from logparse.app.settings import SETTINGS, flags, themes
from logparse.app.store import Store, packed
from logparse.app.text import JOINER, file_name, plain
from logparse.app.work import Job
from logparse.errors import LogparseError, SourceError, UsageError
from logparse.reading.excerpt import Line, excerpt
from logparse.reading.source import Upload
from logparse.reports import output

ROOT = Path(__file__).parents[2]
LOG = b"Epoch 1/1\n1/3 [=>.] - ETA: 1s - loss: 0.5000\n3/3 [===] - 1s - loss: 0.4000\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("loss: 0.1", "loss: 0.1"),
        ("**b** _i_ `c` [x](y) ![p](q)", r"\*\*b\*\* \_i\_ \`c\` \[x\](y) !\[p\](q)"),
        (":red[x] :smile:", rf":{JOINER}red\[x\] :{JOINER}smile:"),
        ("http://a.b www.a.b a@b.c", rf"http{JOINER}\://a.b www{JOINER}\.a.b a\@{JOINER}b.c"),
        ("$x$ <b> &lt;", r"\$x\$ \<b\> \&lt;"),
        ("# head\n- list", r"\# head\\n-" + f"{JOINER}"[:0] + " list"),
        ("- list", r"\- list"),
        ("12. list", r"12\. list"),
        ("a -> b -- c", rf"a -{JOINER}\> b -{JOINER}- c"),
        ("\u202eevil\x1b[31m", r"\\u202eevil\\x1b\[31m"),
        ("x" * 500, "x" * 197 + "..."),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("runs/a b.log", "a-b.log.json"),
        ("../../etc/passwd", "passwd.json"),
        ("\u202egpj.exe", "gpj.exe.json"),
        ("...", "log.json"),
        ("x" * 300, "x" * 60 + ".json"),
        ('a"; filename="b.html', "a-filename-b.html.json"),
    ],
)
def test_file_name(name: str, saved: str) -> None:
    assert file_name(name, ".json") == saved


def test_every_way_to_start_has_the_same_settings() -> None:
    file = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())

    def flat(table: dict[str, object], prefix: str = "") -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in table.items():
            if isinstance(value, dict):
                found |= flat(value, f"{prefix}{name}.")
            else:
                found[prefix + name] = value
        return found

    assert flat(file) == SETTINGS | themes()


def test_both_scripts_are_the_same() -> None:
    assert (ROOT / "app.py").read_text() == server.SCRIPT.read_text()


def test_flags() -> None:
    assert flags({"a.b": False, "c": ["x", "y"], "d": 3}) == [
        "--a.b", "false", "--c", "x", "--c", "y", "--d", "3",
    ]  # fmt: skip


def test_streamlit_knows_every_setting() -> None:
    config = pytest.importorskip("streamlit.config")
    known = config.get_config_options()
    assert [name for name in SETTINGS | themes() if name not in known] == []


def test_samples_are_there() -> None:
    for sample in samples.SAMPLES:
        assert sample.files(), sample.file


def test_samples_are_part_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["sample_logs"] == "logparse/sample_logs"


def read(store: Store) -> None:
    """Do the work as the page does."""
    job = Job(store.pending())
    job.start()
    assert job.wait(60)
    for key, results in job.results.items():
        store.put(key, results)


def test_a_visitor_loads_and_removes() -> None:
    store = Store()
    store.upload("a.log", LOG)
    store.upload("b.gz", gzip.compress(LOG))
    store.upload("c.txt", b"milk, eggs")
    store.upload("again.log", LOG)
    read(store)
    assert store.pending() == []
    assert [log.name for log in store.logs()] == ["a.log", "b.gz"]
    assert len({log.id for log in store.logs()}) == 2
    ((file, failure),) = store.failures()
    assert (file.name, failure.name) == ("c.txt", "c.txt")
    assert store.notices == ["again.log: the same as a.log, which is loaded"]
    store.remove(store.logs()[0].file.id)
    assert [log.name for log in store.logs()] == ["b.gz"]


def test_two_visitors_share_nothing() -> None:
    one, other = Store(), Store()
    one.upload("secret.log", LOG)
    other.upload("other.log", LOG)
    read(one)
    read(other)
    assert [log.name for log in other.logs()] == ["other.log"]
    assert one.logs()[0].analysis is not other.logs()[0].analysis


def test_the_events_of_a_folder_are_one_log(sample_logs: Path) -> None:
    root = sample_logs / "keras-3.12.0" / "tensorboard"
    files = [
        (f"tensorboard/{path.relative_to(root)}", path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    ]
    notes = ("tensorboard/notes.txt", b"milk, eggs")
    taken = packed([*files, notes])
    assert [name for name, _ in taken] == ["tensorboard/notes.txt", "tensorboard"]
    assert taken == packed([*files, notes])  # the same again is the same file
    store = Store()
    for name, data in taken:
        store.upload(name, data, among=True)
    read(store)
    (log,) = store.logs()
    expected = analyze(root)
    assert log.analysis.metrics.equals(expected.metrics, null_equal=True)
    ((_, failure),) = store.failures()
    assert failure.skipped


def test_only_so_much_is_held() -> None:
    store = Store(most_bytes=2 * len(LOG))
    for i in range(3):
        store.upload(f"{i}.log", LOG[:-1] + str(i).encode())
    assert [file.name for file in store.files.values()] == ["0.log", "1.log"]
    assert store.notices[0].startswith("2.log: not taken, it would make more than")


def test_another_reading_replaces_the_first() -> None:
    store = Store()
    store.upload("a.log", LOG)
    read(store)
    (log,) = store.logs()
    store.read_as(log.file.id, (("law", "mean of means"),))
    read(store)
    (other,) = store.logs()
    assert other.id == log.id
    assert other.analysis.runs["law"].to_list() == ["mean of means"]
    assert len(store._results) == 1


def test_a_mistake_in_the_options_is_said() -> None:
    store = Store()
    store.upload("a.log", LOG)
    store.read_as(next(iter(store.files)), (("law", "nonsense"),))
    read(store)
    assert [str(one.error)[:28] for _, one in store.failures()] == ["no law is called 'nonsense';"]


def test_a_fault_in_one_log_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from logparse.app import work

    real = work.analyze_many

    def broken(specs, **options):  # type: ignore[no-untyped-def]
        if specs[0].name == "bad.log":
            raise RuntimeError("a fault")
        return real(specs, **options)

    monkeypatch.setattr(work, "analyze_many", broken)
    store = Store()
    store.upload("bad.log", LOG + b"\n")
    store.upload("good.log", LOG)
    read(store)
    assert [log.name for log in store.logs()] == ["good.log"]
    assert [str(one.error) for _, one in store.failures()] == ["a fault of logparse itself"]


def test_work_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK_BYTES", 1000)
    store = Store()
    store.upload("long.log", LOG * 5000)
    job = Job(store.pending())
    job.cancel()
    job.start()
    assert job.wait(60)
    assert job.results == {}
    (key, file) = store.pending()[0]
    store.cancelled(key, file)
    assert [str(one.error) for _, one in store.failures()] == ["long.log: you stopped the reading"]
    store.again(file)
    assert [file.name for _, file in store.pending()] == ["long.log"]


def test_the_same_reports_as_the_command() -> None:
    from logparse.app import downloads

    store = Store()
    store.sample(samples.SAMPLES[1])
    read(store)
    (log,) = store.logs()
    for form in downloads.NAMES:
        report = output.make_report(form, None, color="never", full=False)
        whole = "".join([*report.start(), *report.log(log.analysis), *report.end()])
        assert downloads._report(log, form).decode() == whole


LINES = b"".join(b"line %d\n" % i for i in range(1, 101))


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize(("first", "last"), [(1, 3), (40, 44), (98, 120), (200, 210)])
def test_excerpt(block: int, first: int, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK_BYTES", block)
    found = excerpt(Upload("a", LINES), "a", first, last)
    numbers = range(first, min(last, 100) + 1)
    assert found == [Line(i, [f"line {i}"], 0) for i in numbers]


def test_excerpt_of_a_line_that_was_redrawn() -> None:
    log = b"Epoch 1\n" + b"".join(b"\r\x1b[32m%d/9\x1b[0m" % i for i in range(1, 10)) + b"\nend"
    assert excerpt(Upload("a", log), "a", 1, 9) == [
        Line(1, ["Epoch 1"], 0),
        Line(2, ["1/9", "9/9"], 7),
        Line(3, ["end"], 0),
    ]


def test_excerpt_agrees_with_the_lines_of_the_findings(sample_logs: Path) -> None:
    import logparse

    path = sample_logs / "tf-2.3.4" / "messages.log"
    for row in logparse.analyze(path).messages.rows(named=True)[:20]:
        (line,) = excerpt(str(path), str(path), row["line"], row["line"])
        assert row["text"].strip() in line.texts[-1] + line.texts[0]


@pytest.mark.parametrize("kept", [10, 1_000_000])
def test_a_log_that_grows_has_all_tables(
    kept: int, tmp_path: Path, sample_logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from logparse.again import text_again
    from logparse.live import Live
    from logparse.pipeline import Options

    monkeypatch.setattr("logparse.again.KEPT_ROWS", kept)  # few: they are read again
    whole = (sample_logs / "tf-2.3.4" / "messages.log").read_bytes()
    path = tmp_path / "train.log"
    live = Live(str(path), Options(), lambda: text_again(str(path), str(path), Options()))
    for end in (len(whole) // 3, len(whole) * 2 // 3, len(whole)):
        before = path.stat().st_size if path.exists() else 0
        live.feed(whole[before:end])
        path.write_bytes(whole[:end])
        found = live.analysis()
        expected = analyze(path)
        assert found is not None
        for name in ("epochs", "metrics", "findings", "updates", "batches"):
            # Times are sums; where one part ends and the next begins moves their last digit.
            assert_frame_equal(found.table(name), expected.table(name), abs_tol=1e-12)


def test_excerpt_of_a_member_of_an_archive(tmp_path: Path) -> None:
    from tests.reading.source_help import make_zip

    path = make_zip(tmp_path, {"a.log": LOG, "b.log": LINES})
    assert excerpt(path, f"{path}::b.log", 5, 5) == [Line(5, ["line 5"], 0)]
    assert excerpt(path, "no such", 5, 5) == []


def serve(*paths: str, **options: object) -> None:
    given = {"port": None, "browser": False, "upload_mb": None, "say": print} | options
    server.serve(paths, **given)  # type: ignore[arg-type]


def test_no_streamlit_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"the app needs Streamlit: pip install 'logparse\[app\]'"):
        serve()


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        serve(str(tmp_path / "nothing.log"))


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
@pytest.mark.parametrize("how", ["Ctrl-C in a terminal", "SIGTERM"])
def test_the_server_ends_without_a_trace(how: str) -> None:
    """A terminal's Ctrl-C reaches the server as well; a signal to the command does not."""
    pytest.importorskip("streamlit")
    command = [sys.executable, "-m", "logparse", "app", "--no-browser"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if how == "SIGTERM":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    with pytest.raises(OSError, match="refused"), urllib.request.urlopen(address, timeout=5):
        pass


def test_a_port_that_is_taken() -> None:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        with pytest.raises(LogparseError, match=f"port {port} is taken"):
            serve(port=port)
        assert port not in list(server.ports(None))


def test_a_port_that_another_takes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    pytest.importorskip("streamlit")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        taken = one.getsockname()[1]
        with server.running(server.SCRIPT, taken, [], {}) as child:
            assert child is None
    with (
        pytest.raises(server.ServerError, match="did not start"),
        server.running(ROOT / "no such script.py", taken, [], {}),
    ):
        pass


def test_failures_keep_their_kind() -> None:
    store = Store()
    store.upload("a.log", LOG)
    read(store)
    kinds = [type(one) for _, one in store.results()]
    assert kinds == [Analysis]
    assert not [one for _, one in store.results() if isinstance(one, Failure)]
