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
import hashlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

DEFAULT_MEMORY_BYTES: Final = 512 * 2**20
DEFAULT_POOL_SIZE: Final = min(2, os.cpu_count() or 1)
START_SECONDS: Final = 30.0
"""How long a worker may take to start; it takes about one second on an idle machine."""
QUEUE_SECONDS: Final = 60.0
"""How long a call waits for a worker to be free; its own budget does not run meanwhile."""
HOPELESS_SECONDS: Final = 60.0
"""How long a request that no worker could answer is not asked again."""
MAX_HOPELESS: Final = 256
MAX_REPLY_BYTES: Final = 2**20
_HEADER_BYTES: Final = 4
_HANDOVERS: Final = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a call: a result, or why there is none. Exactly one of the two is set.

    `seconds` is the time from the hand-over to the reply: what a budget is charged.
    """

    result: Mapping[str, Any] | None = None
    failure: str | None = None
    seconds: float = field(default=0.0, compare=False)


class WorkerError(Exception):
    """A worker gave no answer; the message says why."""


class HandoverError(WorkerError):
    """The worker was gone before it had the request."""


class DeadlineError(WorkerError):
    """Nothing came within the time allowed."""


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


class HopelessError(WorkerError):
    """The request took all its time or memory; asked again it would do so again."""


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
        self._hopeless = _Hopeless()

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


class _Hopeless:
    """The latest requests that no worker could answer, for a minute; shared by threads."""

    def __init__(self) -> None:
        self._items: OrderedDict[bytes, tuple[float, float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def why(self, request: Mapping[str, Any], budget_seconds: float, memory: int) -> str | None:
        """Return why a request is not asked again; None where it is new, or has more time now."""
        if not self._items:
            return None
        with self._lock:
            until, budget, why = self._items.get(_digest(request, memory), (0.0, 0.0, ""))
        if time.monotonic() > until or budget_seconds > budget:
            return None
        return f"{why} when last asked"

    def remember(
        self, request: Mapping[str, Any], budget_seconds: float, memory: int, why: str
    ) -> None:
        with self._lock:
            until = time.monotonic() + HOPELESS_SECONDS
            self._items[_digest(request, memory)] = until, budget_seconds, why
            while len(self._items) > MAX_HOPELESS:
                self._items.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._items.clear()


def _digest(request: Mapping[str, Any], memory: int) -> bytes:
    return hashlib.sha256(json.dumps([request, memory], sort_keys=True).encode()).digest()


class Worker:
    """One worker process, the two pipes to it, and a leash.

    The leash is a third pipe, on which nothing is ever said: it tells the worker's kernel that the
    caller is gone, see `worker`.
    """

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.ready = False
        self._started = time.monotonic()
        if not sys.executable:
            raise WorkerError("sys.executable is not set, so there is no Python to start")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(memory_bytes), *_import_path()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # the leash
                bufsize=0,
                start_new_session=True,  # Ctrl-C in the terminal is for the host program
            )
        except OSError as error:
            raise WorkerError(f"{type(error).__name__}: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._leash = self._process.stderr
        self._stdin = self._process.stdin
        self._stdout = self._process.stdout
        if _CAN_POLL:
            os.set_blocking(self._stdin.fileno(), False)
            os.set_blocking(self._stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Return once the worker has said that it can take requests; raise if it is gone."""
        if self.ready:
            if not self.alive():
                raise WorkerError(self._how_it_died())
            return
        try:
            hello = self._receive(self._started + START_SECONDS)
        except DeadlineError:
            raise WorkerError(f"no sign of life within {START_SECONDS:g} s") from None
        if "failure" in hello:
            raise WorkerError(str(hello["failure"]))
        if not hello.get("memory_limited", True):
            _warn_once_about_memory()
        self.ready = True

    def ask(self, request: Mapping[str, Any], budget_seconds: float) -> dict[str, Any]:
        """Return the worker's reply to `request`, or raise `WorkerError` with the reason."""
        deadline = time.monotonic() + budget_seconds
        message = json.dumps({"budget_seconds": budget_seconds, "request": request}).encode()
        try:
            self._send(message, deadline)
            return self._receive(deadline)
        except DeadlineError:
            raise HopelessError(f"deadline of {budget_seconds:g} s passed") from None

    def stop(self) -> None:
        """Kill and reap the process; may be called twice."""
        with contextlib.suppress(OSError):
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5.0)

    def kill(self) -> None:
        """Kill and reap the process, and close the pipes; may be called twice."""
        self.stop()
        self._close_pipes()

    def disown(self) -> None:
        """Forget a worker that belongs to the parent of this forked process."""
        self._close_pipes()
        self._process.returncode = 0  # so that nobody here polls or waits for it

    def _close_pipes(self) -> None:
        for pipe in (self._stdin, self._stdout, self._leash):
            with contextlib.suppress(OSError):
                pipe.close()

    def _send(self, payload: bytes, deadline: float) -> None:
        data = memoryview(len(payload).to_bytes(_HEADER_BYTES, "big") + payload)
        try:
            while data:
                _wait_for(self._stdin.fileno(), writing=True, deadline=deadline)
                data = data[self._stdin.write(data) or 0 :]
        except (OSError, ValueError) as error:
            raise HandoverError(self._how_it_died()) from error

    def _receive(self, deadline: float) -> dict[str, Any]:
        size = int.from_bytes(self._read_exactly(_HEADER_BYTES, deadline), "big")
        if size > MAX_REPLY_BYTES:
            raise WorkerError(f"worker's reply of {size} bytes is over {MAX_REPLY_BYTES}")
        try:
            reply = json.loads(self._read_exactly(size, deadline))
        except ValueError as error:
            raise WorkerError("worker's reply is not JSON") from error
        if not isinstance(reply, dict):
            raise WorkerError("worker's reply is not an object")
        return reply

    def _read_exactly(self, size: int, deadline: float) -> bytes:
        data = b""
        while len(data) < size:
            try:
                chunk = _read_some(self._stdout, size - len(data), deadline)
            except (OSError, ValueError) as error:
                raise WorkerError(self._how_it_died()) from error
            if not chunk:
                raise WorkerError(self._how_it_died())
            data += chunk
        return data

    def _how_it_died(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0)
        code = self._process.returncode
        if code is None:
            return "worker died"
        return f"worker died (signal {-code})" if code < 0 else f"worker died (exit status {code})"


# The worker sees the modules of the standard library first, then those that the caller can import,
# its working directory last: a `random.py` next to the user's script must not break the worker.
# -I and -S keep environment variables, the working directory and start-up hooks out of it.
_BOOTSTRAP: Final = """\
import sys
sys.path += [entry for entry in sys.argv[2:] if entry not in sys.path]
from rlrewards.verify.worker import main
main(memory_bytes=int(sys.argv[1]))
"""


def _import_path() -> list[str]:
    own = str(Path(__file__).absolute().parents[2])
    here = os.path.realpath(os.curdir)
    entries = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
    entries.sort(key=lambda entry: os.path.realpath(entry) == here)  # stable
    return list(dict.fromkeys([own, *entries]))


_CAN_POLL: Final = hasattr(select, "poll") and os.name == "posix"


def _wait_for(descriptor: int, *, writing: bool, deadline: float) -> None:
    """Return once the pipe is ready (or its other end is gone); raise when the deadline passes."""
    if not _CAN_POLL:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if writing else select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000.0):
        raise DeadlineError


def _read_some(pipe: Any, size: int, deadline: float) -> bytes:
    if _CAN_POLL:
        _wait_for(pipe.fileno(), writing=False, deadline=deadline)
        return pipe.read(size) or b""
    return _within(lambda: pipe.read(size) or b"", deadline)


def _within(read: Callable[[], bytes], deadline: float) -> bytes:
    """Return `read()`, which may block, or raise when the deadline passes."""
    chunks: list[bytes] = []

    def run() -> None:
        with contextlib.suppress(OSError, ValueError):  # the pipe was closed by `kill`
            chunks.append(read())

    thread = threading.Thread(target=run, daemon=True, name="rlrewards-isolate-read")
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if thread.is_alive():
        raise DeadlineError
    return chunks[0] if chunks else b""


_warned_about_memory = False


def _warn_once_about_memory() -> None:
    global _warned_about_memory
    if not _warned_about_memory:
        _warned_about_memory = True
        warnings.warn(
            "this platform cannot limit the memory of a process, so the symbolic tier runs with "
            "its deadline alone",
            RuntimeWarning,
            stacklevel=2,
        )


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
