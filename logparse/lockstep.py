"""Several pieces of work in threads -> their alike steps done as one, so that each costs less.

Small logs spend their time on Python between numpy's calls, and the same calls could serve many.
Each piece of work runs in a thread of its own until it comes to a step that can be shared; when all
have come to one, or ended, the steps of one kind are done as one: of the kind that was met first,
so that those who are behind catch up. Results are those of working one by one.

The threads take turns: one at a time runs until it waits. Handing the interpreter's lock to and fro
at each call that frees it would cost a tenth of the whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

Merge = Callable[[list[Any]], list[Any]]
"""Arguments of several calls in, the result of each out."""

_own = threading.local()


@dataclass(slots=True)
class _Call:
    merge: Merge
    key: Hashable
    given: Any
    ready: threading.Condition
    done: bool = False
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Group:
    """The threads of one ``run_in_step``."""

    active: int
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held by the thread whose turn it is."""
    waiting: list[_Call] = field(default_factory=list)
    order: dict[Hashable, int] = field(default_factory=dict)
    """Kinds of steps, numbered as they were met."""

    def call(self, merge: Merge, key: Hashable, given: Any) -> Any:
        call = _Call(merge, key, given, threading.Condition(self.turn))
        self.order.setdefault((merge, key), len(self.order))
        self.waiting.append(call)
        self._work_if_all_wait()
        while not call.done:
            call.ready.wait()
        if call.error:
            raise call.error
        return call.result

    def leave(self) -> None:
        self.active -= 1
        self._work_if_all_wait()

    def _work_if_all_wait(self) -> None:
        """Do the calls of the kind that was met first."""
        if not self.waiting or len(self.waiting) < self.active:
            return
        kind = min(((call.merge, call.key) for call in self.waiting), key=self.order.__getitem__)
        alike = [call for call in self.waiting if (call.merge, call.key) == kind]
        self.waiting = [call for call in self.waiting if (call.merge, call.key) != kind]
        _do(alike)
        for call in alike:
            call.ready.notify()


def _do(calls: list[_Call]) -> None:
    try:
        results = calls[0].merge([call.given for call in calls])
        for call, result in zip(calls, results, strict=True):
            call.result = result
    except BaseException as error:  # handed on to the threads that asked
        for call in calls:
            call.error = error
    for call in calls:
        call.done = True


def shared() -> bool:
    """Whether this thread works together with others."""
    return getattr(_own, "group", None) is not None


def share(merge: Merge, key: Hashable, given: Any) -> Any:
    """Do a step together with those of other threads that have the same ``merge`` and ``key``.

    Alone, it is done at once.
    """
    group: _Group | None = getattr(_own, "group", None)
    return group.call(merge, key, given) if group else merge([given])[0]


@contextmanager
def aside() -> Iterator[None]:
    """Let the other threads go on while this one waits for something outside, as a network."""
    group: _Group | None = getattr(_own, "group", None)
    if group is None:
        yield
        return
    group.turn.release()
    try:
        yield
    finally:
        group.turn.acquire()


def run_in_step(work: Callable[[T], Any], items: Sequence[T]) -> list[Any]:
    """What ``work`` gives for each item, or the exception it raised."""
    if len(items) == 1:
        return [_outcome(work, items[0])]
    group = _Group(len(items))
    results: list[Any] = [None] * len(items)

    def run(i: int) -> None:
        _own.group = group
        with group.turn:
            try:
                results[i] = _outcome(work, items[i])
            finally:
                group.leave()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _outcome(work: Callable[[T], Any], item: T) -> Any:
    try:
        return work(item)
    except Exception as error:
        return error
