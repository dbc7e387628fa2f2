"""Whatever runs the work, the result is the same; a worker that dies costs one log at most."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from logparse.batch import executors
from logparse.batch.executors import Here, Processes, WorkerDiedError, Workers, workers
from logparse.batch.run import report
from logparse.errors import UsageError
from tests.batch.help import REAL, contents, make_tree, run

COPIES = 4


def double(n: int) -> int:
    if n < 0:
        raise ValueError(f"{n} is negative")
    return 2 * n


def kills_itself(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, sample_logs: Path) -> Path:
    """Some logs, each in several places, and one in each place that fails."""
    tree = tmp_path_factory.mktemp("tree")
    for copy in range(COPIES):
        make_tree(tree / f"copy{copy}", sample_logs, REAL)
        (tree / f"copy{copy}" / "broken.log").write_bytes(b"")
    return tree


@pytest.fixture(scope="module")
def local(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The report of one process."""
    out = tmp_path_factory.mktemp("local")
    run(tree, out / "out")
    return contents(out / "out")


@pytest.mark.parametrize("make", [Here, lambda: Processes(2)])
def test_executors_give_what_a_function_gives_or_raises(make: Any) -> None:
    with make() as executor:
        futures = [executor.submit(double, n) for n in (3, -1, 5)]
        assert (futures[0].result(), futures[2].result()) == (6, 10)
        with pytest.raises(ValueError, match="-1 is negative"):
            futures[1].result()


def test_a_worker_that_is_killed_fails_the_task_that_kills_it_alone() -> None:
    with Processes(2) as executor:
        futures = [executor.submit(kills_itself, n) for n in range(8)]
        for n, future in enumerate(futures):
            if n == 3:
                with pytest.raises(WorkerDiedError, match="was killed"):
                    future.result()
            else:
                assert future.result() == n
        assert executor.submit(kills_itself, 9).result() == 9


def test_processes_give_the_same_report(
    tree: Path, tmp_path: Path, local: dict[str, bytes]
) -> None:
    summary = run(tree, tmp_path / "out", jobs=2)
    assert summary.failed == COPIES
    assert contents(tmp_path / "out") == local


def test_a_log_that_kills_its_worker_is_a_failure(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(Here):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if any(task.name.endswith("copy2/seeds/003_outer_loop.log") for task in args[0]):
                future: Future[Any] = Future()
                future.set_exception(WorkerDiedError("the process that read it was killed"))
                return future
            return super().submit(fn, *args, **kwargs)

    summary = report(str(tree), str(tmp_path / "out"), Workers(Dying(), 4))
    assert ("copy2/seeds/003_outer_loop.log", "the process that read it was killed") in (
        summary.failures
    )
    assert summary.read == COPIES * len(REAL) - 1
    # It is tried again.
    assert run(tree, tmp_path / "out").read == COPIES * len(REAL)


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "from logparse.batch.executors import Processes\n"
        "if __name__ == '__main__':\n"
        "    pool = Processes(2)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "main.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "main.py")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not _alive(worker):
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker lived on")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_one_job_is_this_process_and_more_are_others() -> None:
    with workers(1) as found:
        assert found.executor.submit(os.getpid).result() == os.getpid()
    with workers(2) as found:
        assert found.executor.submit(os.getpid).result() != os.getpid()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Dask cluster of two worker processes behind TCP."""
    import distributed

    make: Any = distributed.LocalCluster
    with make(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        yield cluster


def test_a_cluster_gives_the_same_report(
    tree: Path, tmp_path: Path, local: dict[str, bytes], cluster: Any
) -> None:
    assert cluster.scheduler_address.startswith("tcp://")
    run(tree, tmp_path / "out", scheduler=cluster.scheduler_address)
    assert contents(tmp_path / "out") == local


def test_a_worker_of_the_cluster_is_killed_midway(
    tree: Path, tmp_path: Path, local: dict[str, bytes], cluster: Any
) -> None:
    import distributed

    make: Any = distributed.Client
    with make(cluster.scheduler_address, set_as_default=False) as client:
        victims = list(client.run(os.getpid).values())
    pages = tmp_path / "out" / "runs"
    done: list[int] = []

    def kill() -> None:
        # In the middle of the work: some pages are written, many are not.
        while not pages.is_dir() or len(os.listdir(pages)) < 5:
            time.sleep(0.001)
        done.append(len(os.listdir(pages)))
        os.kill(victims[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    summary = run(tree, tmp_path / "out", scheduler=cluster.scheduler_address)
    killer.join()
    assert done[0] < COPIES * len(REAL)
    assert (summary.new, summary.read, summary.failed) == (
        COPIES * (len(REAL) + 1),
        COPIES * len(REAL),
        COPIES,
    )
    assert contents(tmp_path / "out") == local


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere:1", "bogus://x:1", "x"])
def test_says_that_no_scheduler_answers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 1)
    with (
        pytest.raises(UsageError, match="no Dask scheduler answers at"),
        workers(scheduler=address),
    ):
        pass


def test_says_that_dask_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(UsageError, match=r"pip install 'logparse\[dask\]'"),
        workers(scheduler="tcp://127.0.0.1:8786"),
    ):
        pass
