"""The caller's side of one worker: start it, ask it, kill it.

A worker is a `subprocess` child that speaks length-prefixed JSON over its pipes. Nobody waits for
it without a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

START_SECONDS: Final = 30.0
"""How long a worker may take to start; it takes about one second on an idle machine."""
MAX_REPLY_BYTES: Final = 2**20
_HEADER_BYTES: Final = 4


class WorkerError(Exception):
    """A worker gave no answer; the message says why."""


class HandoverError(WorkerError):
    """The worker was gone before it had the request."""


class DeadlineError(WorkerError):
    """Nothing came within the time allowed."""


class HopelessError(WorkerError):
    """The request took all its time or memory; asked again it would do so again."""


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
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(memory_bytes), *import_path()],
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


def import_path() -> list[str]:
    """Return where a worker finds the modules that the caller can import, this package first."""
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
