"""Many pairs at once: in order, and in processes when the batch is worth their start.

Pairs are graded here until half a second is gone, since most batches are done by then. Only then
do processes start, as plain `subprocess` children, so that they work below daemonic workers and
never import the user's `__main__` again; each ends when its pipe closes, also when the caller was
killed. What they send back is data, never pickle: a process that read hostile text is not trusted.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import math
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

from rlrewards.verify.verdict import Status, Tier, Verdict
from rlrewards.verify.worker_process import import_path

if TYPE_CHECKING:
    from rlrewards.verify.verifier import Verifier

ALONE_SECONDS: Final = 0.5
"""Time after which processes are started; a start takes about as long."""
CHUNK: Final = 128
CHUNKS_AHEAD: Final = 3
"""Chunks per process that wait or are worked on, so that an endless iterator is read slowly."""

Shown: TypeAlias = str | tuple[str, ...] | None
Pair: TypeAlias = tuple[str, Shown]


def grade_many(
    verifier: Verifier,
    pairs: Iterable[Any],
    *,
    workers: int,
    progress: Callable[[int], object] | None,
) -> list[Verdict]:
    """Return the verdict on each pair, in order: see `Verifier.grade_many`."""
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"workers must be a whole number >= 1, got {workers!r}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    checked = _checked(pairs)
    verdicts: list[Verdict] = []

    def take(stream: Iterable[Verdict]) -> None:
        for verdict in stream:
            verdicts.append(verdict)
            if progress is not None:
                progress(len(verdicts))

    take(_alone(verifier, checked, math.inf if workers == 1 else ALONE_SECONDS))
    if workers > 1:
        with contextlib.closing(_together(verifier, checked, workers)) as rest:
            take(rest)
    return verdicts


def _checked(pairs: Iterable[Any]) -> Iterator[Pair]:
    """Yield the pairs, references as text; raise with its index for one that is none."""
    from rlrewards.verify.verifier import as_text

    for index, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(
                f"pair {index}: expected (completion, reference), the completion as text, "
                f"got {_shown(pair)}"
            )
        try:
            yield pair[0], as_text(pair[1])
        except TypeError as error:
            raise TypeError(f"pair {index}: {error}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _alone(verifier: Verifier, pairs: Iterator[Pair], seconds: float) -> Iterator[Verdict]:
    """Grade here until the time is up or the pairs are done."""
    end = time.monotonic() + seconds
    for pair in pairs:
        yield verifier.grade(*pair)
        if time.monotonic() > end:
            return


def _together(
    verifier: Verifier, pairs: Iterator[Pair], workers: int
) -> Generator[Verdict, None, None]:
    """Grade in processes, a chunk each at a time; start none when no pair is left."""
    chunks = iter(lambda: [*itertools.islice(pairs, CHUNK)], [])
    ahead: deque[Future[list[Verdict]]] = deque()
    first = next(chunks, None)
    if first is None:
        return
    with _Crew(verifier, workers) as crew:
        for chunk in itertools.chain([first], chunks):
            ahead.append(crew.submit(chunk))
            if len(ahead) >= CHUNKS_AHEAD * workers:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


class _Crew:
    """Graders, as many as are busy at once, and a thread to wait for each."""

    def __init__(self, verifier: Verifier, size: int) -> None:
        self._verifier = verifier
        self._idle: queue.SimpleQueue[_Grader | None] = queue.SimpleQueue()
        for _ in range(size):
            self._idle.put(None)
        self._all: list[_Grader] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="rlrewards-grade-many")

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._kill()  # so that no thread waits for one
        self._threads.shutdown(wait=True)
        self._kill()  # one that a thread was starting

    def _kill(self) -> None:
        for grader in [*self._all]:
            grader.kill()

    def submit(self, chunk: list[Pair]) -> Future[list[Verdict]]:
        """Have a chunk graded by the first process that is free."""
        return self._threads.submit(self._grade, chunk)

    def _grade(self, chunk: list[Pair]) -> list[Verdict]:
        grader = self._idle.get()
        try:
            if grader is None:
                grader = _Grader(self._verifier)
                self._all.append(grader)
            return grader.grade(chunk)
        except (OSError, ValueError, pickle.PicklingError, AttributeError, TypeError):
            # No process, or one that died, or a verifier that it cannot be sent: grade here.
            if grader is not None:
                grader.kill()
                grader = None
            return [] if self._closed else [self._verifier.grade(*pair) for pair in chunk]
        finally:
            self._idle.put(grader)


_BOOTSTRAP: Final = """\
import sys
sys.path += [entry for entry in sys.argv[1:] if entry not in sys.path]
from rlrewards.verify.many import serve
serve()
"""


class _Grader:
    """A process that grades, and the pipes to it."""

    def __init__(self, verifier: Verifier) -> None:
        if not sys.executable:
            raise OSError("sys.executable is not set, so there is no Python to start")
        configuration = base64.b64encode(pickle.dumps(verifier)).decode()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, *import_path()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the host program
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        try:
            _send(self._stdin, configuration)
        except OSError:  # it died at once
            self.kill()
            raise

    def grade(self, chunk: list[Pair]) -> list[Verdict]:
        """Return the verdicts; raise `OSError` or `ValueError` when the process gives none."""
        _send(self._stdin, chunk)
        replies = _receive(self._stdout)
        if not isinstance(replies, list) or len(replies) != len(chunk):
            raise ValueError("not a reply to this chunk")
        return [
            Verdict(Status(status), None if tier is None else Tier(tier), why, answer, shown)
            for (status, tier, why, answer), (_, shown) in zip(replies, chunk, strict=True)
        ]

    def kill(self) -> None:
        """End the process; its pipes too, so that nobody waits for it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


# Text may hold lone surrogates, which JSON's own escapes would join to one character.


def _send(pipe: BinaryIO | Any, message: Any) -> None:
    payload = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    pipe.write(len(payload).to_bytes(8, "big") + payload)
    pipe.flush()


def _receive(pipe: BinaryIO | Any) -> Any:
    size = int.from_bytes(_exactly(pipe, 8), "big")
    return json.loads(_exactly(pipe, size).decode("utf-8", "surrogatepass"))


def _exactly(pipe: BinaryIO | Any, size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise ConnectionError("the pipe is closed")
    return bytes(data)


# ---------------------------------------------------------------------------------------------
# In the process


def serve() -> None:
    """Grade what arrives on standard input until it closes."""
    incoming, outgoing = _claim_pipes()
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(incoming, messages), daemon=True).start()
    verifier = pickle.loads(base64.b64decode(messages.get()))  # from the process that started us
    while True:
        verdicts = (verifier.grade(completion, gold) for completion, gold in messages.get())
        _send(outgoing, [[v.status, v.tier, v.why, v.answer] for v in verdicts])


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the two pipes, and point the standard streams at nothing: a print is no message."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    return incoming, outgoing


def _read(incoming: BinaryIO, messages: queue.SimpleQueue[Any]) -> None:
    """Queue what arrives; end the process, whatever it is doing, when the pipe closes."""
    try:
        while True:
            messages.put(_receive(incoming))
    finally:
        os._exit(0)
