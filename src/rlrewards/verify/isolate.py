"""Compute in a process that can be killed: the one place with processes and time limits.

SymPy on a model's text can run for hours, take all memory, and hold the interpreter's lock so that
no thread of the same process can stop it. So it runs in a worker process with a deadline and a
memory limit, and what comes back is a value: a result, or the reason why there is none.

    reply = call({"answer": "x+x", "reference": "2x"}, budget_seconds=1.0)
    reply.result or reply.failure

It works the same in a main thread, a worker thread, a daemonic process, a forked child and an event
loop, because it needs nothing from any of them: no alarm, no `multiprocessing`, no thread of its
own. The workers are plain `subprocess` children that speak length-prefixed JSON over their pipes
(never pickle: a worker that read hostile text is not trusted). The caller waits in `poll()`; a
reader thread would make every later `os.fork()` of the host program a fork of a multi-threaded
process. Only Windows, which has neither `poll` on pipes nor `fork`, reads in a short-lived thread.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rlrewards.verify.hopeless import Hopeless
from rlrewards.verify.worker_process import (
    HandoverError,
    HopelessError,
    Worker,
    WorkerError,
)

DEFAULT_MEMORY_BYTES: Final = 512 * 2**20
DEFAULT_POOL_SIZE: Final = min(2, os.cpu_count() or 1)
QUEUE_SECONDS: Final = 60.0
"""How long a call waits for a worker to be free; its own budget does not run meanwhile."""
_HANDOVERS: Final = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a call: a result, or why there is none. Exactly one of the two is set.

    `seconds` is the time from the hand-over to the reply: what a budget is charged.
    """

    result: Mapping[str, Any] | None = None
    failure: str | None = None
    seconds: float = field(default=0.0, compare=False)


def call(
    request: Mapping[str, Any],
    *,
    budget_seconds: float,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Reply:
    """Compute `request` in a worker of the shared pool; never raises for what the worker does.

    Args:
        request: What to compute, JSON-serialisable (lone surrogates in strings are fine).
        budget_seconds: Time from the hand-over to a ready worker until the reply. Starting a
            worker and waiting for a free one are not part of it.
        memory_bytes: Address space that the worker may use. Workers of the shared pool that have
            another limit are replaced.
    """
    if not budget_seconds > 0:
        raise ValueError(f"budget_seconds must be positive, got {budget_seconds}")
    return _shared_pool().call(request, budget_seconds=budget_seconds, memory_bytes=memory_bytes)


class WorkerPool:
    """At most `size` workers at work, started when first needed, reused, replaced once killed.

    From the first kill on one more is kept in reserve, so that no call waits for a start while
    another call is hopeless. What was hopeless is not asked again for a minute: a policy that has
    learnt one endless answer gives it in every completion.

    Safe to share between threads. A pool belongs to the process that made it, and is closed by
    `close` or at the end of a `with`.
    """

    def __init__(self, size: int = DEFAULT_POOL_SIZE) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.size = size
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._most_busy = 0
        self._closed = False
        self._hopeless = Hopeless()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(
        self,
        request: Mapping[str, Any],
        *,
        budget_seconds: float,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> Reply:
        """Compute `request` in one of the workers: see `rlrewards.verify.isolate.call`."""
        known = self._hopeless.why(request, budget_seconds, memory_bytes)
        if known is not None:
            return Reply(failure=known)
        if not self._free.acquire(timeout=QUEUE_SECONDS):
            return Reply(failure=f"no worker was free within {QUEUE_SECONDS:g} s")
        try:
            for _ in range(_HANDOVERS):
                try:
                    worker = self._take(memory_bytes)
                except WorkerError as failure:
                    return Reply(failure=f"could not start: {failure}")
                with contextlib.suppress(HandoverError):
                    return self._ask(worker, request, budget_seconds)
            return Reply(failure="workers die before they read the request")
        finally:
            self._free.release()

    def close(self) -> None:
        """Kill the workers; the pool can no longer be used."""
        with self._lock:
            self._closed = True
            idle, busy = self._idle, [*self._busy]
            self._idle = []
        for worker in idle:
            worker.kill()
        for worker in busy:
            worker.stop()  # its pipes are in use by the thread that waits for it

    def forget_hopeless(self) -> None:
        """Ask again what no worker could answer."""
        self._hopeless.clear()

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers, idle and busy."""
        with self._lock:
            return [worker.pid for worker in (*self._idle, *self._busy)]

    def _take(self, memory_bytes: int) -> Worker:
        """Return a ready worker, marked busy."""
        while True:
            with self._lock:
                if self._closed:
                    raise WorkerError("the pool is closed")
                is_new = not self._idle
                worker = Worker(memory_bytes) if is_new else self._idle.pop()
                self._busy.add(worker)
                self._most_busy = max(self._most_busy, len(self._busy))
            if worker.memory_bytes == memory_bytes:
                try:
                    worker.wait_until_ready()
                    return worker
                except WorkerError:
                    if is_new:
                        self._discard(worker)
                        raise
                except BaseException:
                    self._discard(worker)
                    raise
            self._discard(worker)  # it has another limit, or died while idle: take the next

    def _ask(self, worker: Worker, request: Mapping[str, Any], budget_seconds: float) -> Reply:
        begun = time.monotonic()
        try:
            reply = worker.ask(request, budget_seconds)
        except HandoverError:
            self._discard(worker)
            raise
        except WorkerError as failure:
            self._replace(worker)
            if isinstance(failure, HopelessError):
                self._hopeless.remember(request, budget_seconds, worker.memory_bytes, str(failure))
            return Reply(failure=str(failure), seconds=time.monotonic() - begun)
        except BaseException:
            self._replace(worker)  # interrupted between request and reply: no longer in step
            raise
        seconds = time.monotonic() - begun
        if reply.get("retire"):
            self._replace(worker)
        else:
            with self._lock:
                self._busy.discard(worker)
                self._idle.append(worker)
        if reply.get("hopeless"):
            why = str(reply["failure"])
            self._hopeless.remember(request, budget_seconds, worker.memory_bytes, why)
        if "failure" in reply:
            return Reply(failure=str(reply["failure"]), seconds=seconds)
        return Reply(result=reply, seconds=seconds)

    def _replace(self, worker: Worker) -> None:
        """Kill a worker; start the next one, and one in reserve, without waiting for them."""
        self._discard(worker)
        with self._lock, contextlib.suppress(WorkerError):
            while not self._closed and len(self._idle) + len(self._busy) <= self._most_busy:
                self._idle.insert(0, Worker(worker.memory_bytes))

    def _discard(self, worker: Worker) -> None:
        worker.kill()
        with self._lock:
            self._busy.discard(worker)


_pool: WorkerPool | None = None
_pool_pid = 0
_pool_lock = threading.Lock()


def _shared_pool() -> WorkerPool:
    global _pool, _pool_pid
    if _pool_pid != os.getpid():
        _forget_after_fork()  # forked without Python's knowledge
    with _pool_lock:
        if _pool is None:
            _pool, _pool_pid = WorkerPool(), os.getpid()
        return _pool


def forget_hopeless() -> None:
    """Ask the shared pool again what no worker could answer within the last minute."""
    _shared_pool().forget_hopeless()


def shutdown() -> None:
    """Kill the workers of the shared pool; the next call starts new ones."""
    global _pool
    with _pool_lock:
        pool, _pool = _pool, None
    if pool is not None and _pool_pid == os.getpid():
        pool.close()


def _forget_after_fork() -> None:
    """In a forked child: the parent's workers are not ours, and its locks may be held."""
    global _pool, _pool_pid, _pool_lock
    inherited, _pool, _pool_pid, _pool_lock = _pool, None, os.getpid(), threading.Lock()
    if inherited is not None:
        for worker in (*inherited._idle, *inherited._busy):
            worker.disown()


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
