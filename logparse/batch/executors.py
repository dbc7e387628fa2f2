"""Processes here or a cluster elsewhere -> one ``concurrent.futures`` executor."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, NamedTuple, TypeVar

from logparse.errors import LogparseError, UsageError

T = TypeVar("T")

AHEAD = 4
"""Tasks a processor has before it: none waits, and results do not pile up."""

CONNECT_SECONDS = 15
"""Time that a scheduler has to answer."""


class Workers(NamedTuple):
    """What runs tasks, and how many should be under way at once."""

    executor: Executor
    window: int


class WorkerDiedError(LogparseError):
    """The process that read a log was killed, also when it read nothing else."""


def usable_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def workers(jobs: int | None = None, scheduler: str | None = None) -> Iterator[Workers]:
    """An executor: a Dask cluster's, ``jobs`` processes, or for one job this very process.

    Raises:
        UsageError: the scheduler does not answer, or Dask is not installed.
    """
    if scheduler is not None:
        with _cluster(scheduler) as found:
            yield found
        return
    jobs = jobs or usable_cpus()
    if jobs == 1:
        yield Workers(Here(), 1)
        return
    pool = Processes(jobs)
    try:
        yield Workers(pool, AHEAD * jobs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _cluster(address: str) -> Iterator[Workers]:
    try:
        import distributed
    except ImportError as error:
        raise UsageError("--scheduler needs Dask: pip install 'logparse[dask]'") from error
    try:
        make: Any = distributed.Client
        client = make(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # what Dask raises for a bad address
        raise UsageError(
            f"no Dask scheduler answers at {address}; start one with: dask scheduler"
        ) from error
    try:
        threads = sum(client.nthreads().values())
        yield Workers(client.get_executor(), max(64, AHEAD * threads))
    finally:
        client.close()


class Here(Executor):
    """Runs each task at once, in this process."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run it; a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes(Executor):
    """Processes of this machine, started afresh: a forked one would share locks with its parent.

    If one is killed, as by the system when memory is short, every task under way is tried once
    more on its own, so that only the one at fault fails.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._closed = False
        self._pool = _pool(jobs)
        self._alone: ProcessPoolExecutor | None = None

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run it in one of the processes."""
        future: Future[T] = Future()

        def over(inner: Future[T]) -> None:
            if inner.cancelled():
                future.cancel()
            elif isinstance(inner.exception(), BrokenProcessPool):
                threading.Thread(target=self._again, args=(future, fn, args, kwargs)).start()
            elif error := inner.exception():
                future.set_exception(error)
            else:
                future.set_result(inner.result())

        self._start(fn, args, kwargs).add_done_callback(over)
        return future

    def _start(self, fn: Callable[..., T], args: Any, kwargs: Any) -> Future[T]:
        with self._lock:
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except BrokenProcessPool:
                self._pool.shutdown(wait=False)
                self._pool = _pool(self._jobs)
                return self._pool.submit(fn, *args, **kwargs)

    def _again(self, future: Future[T], fn: Callable[..., T], args: Any, kwargs: Any) -> None:
        """One task in a process of its own."""
        try:
            with self._lock:
                if self._closed:
                    future.cancel()
                    return
                self._alone = self._alone or _pool(1)
                try:
                    result = self._alone.submit(fn, *args, **kwargs).result()
                except BrokenProcessPool:
                    self._alone = None
                    raise WorkerDiedError(
                        "the process that read it was killed; its memory may not have sufficed"
                    ) from None
            future.set_result(result)
        except Exception as error:
            future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        with self._lock:
            self._closed = True
        for pool in (self._pool, self._alone):
            if pool is not None:
                pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _pool(jobs: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)


def _begin() -> None:
    """A worker leaves Ctrl-C to its parent, and ends when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
