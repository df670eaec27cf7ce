"""The process that `isolate` starts: reads requests, compares, replies, until its pipe closes.

It limits its own memory, then imports SymPy, then says that it is ready. Each message is four
bytes of length and a JSON object. Whatever else prints, prints to nowhere.

A worker whose caller died ends, even in the middle of a computation that holds the interpreter's
lock (an integer of a billion digits): the standard error it was given is a leash, a pipe that the
caller never reads. Once the caller's end is closed, by whatever death, Linux sends SIGIO to a
process that asked for it, which ends the process. Elsewhere a thread that waits for the pipe of
requests to close does that, and, where the lock is held, a limit on processor time that is raised
for each request.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

fcntl: Any
resource: Any
try:
    import fcntl
    import resource
except ImportError:  # Windows
    fcntl = resource = None

CPU_GRACE_SECONDS = 2
RECURSION_LIMIT = 3_000
RETIRE_AT_FRACTION = 0.5
"""A worker whose memory ever peaked above this part of its limit asks to be replaced."""
STACK_BYTES = 64 * 2**20


def main(*, memory_bytes: int) -> None:
    """Serve requests from standard input until it closes."""
    incoming, outgoing = _claim_pipes()
    limited = _limit_memory(memory_bytes)
    sys.setrecursionlimit(RECURSION_LIMIT)
    sys.set_int_max_str_digits(100_000)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    reader = threading.Thread(target=_read_requests, args=(incoming, requests), daemon=True)
    reader.start()
    try:
        compare = load()
    except BaseException as error:
        _send(outgoing, {"failure": f"{type(error).__name__}: {error}"[:500]})
        return
    _send(outgoing, {"memory_limited": limited})
    # In a thread because a thread's stack can be made large enough for the recursion limit.
    threading.stack_size(STACK_BYTES)
    server = threading.Thread(
        target=_serve, args=(requests, outgoing, compare, memory_bytes), daemon=True
    )
    server.start()
    server.join()


def load() -> Callable[..., dict[str, Any]]:
    """Import SymPy, which takes most of a second, and return what answers the requests."""
    from rlrewards.verify.sympy_bridge import compare, warm_up

    warm_up()
    return compare


def _serve(
    requests: queue.SimpleQueue[dict[str, Any]], outgoing: BinaryIO, compare: Any, limit: int
) -> None:
    while True:
        message = requests.get()
        _limit_processor_time(message["budget_seconds"])
        try:
            reply = compare(**message["request"])
        except MemoryError:
            why = f"memory limit of {limit // 2**20} MiB"
            reply = {"failure": why, "retire": True, "hopeless": True}
        except RecursionError:
            reply = {"failure": "too deeply nested"}
        except Exception as error:
            reply = {"failure": f"{type(error).__name__}: {error}"[:500]}
        if _peak_memory_bytes() > RETIRE_AT_FRACTION * limit:
            reply["retire"] = True
        _send(outgoing, reply)


def _read_requests(incoming: BinaryIO, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Queue what arrives; end the process, whatever it is doing, when the pipe closes."""
    try:
        while header := incoming.read(4):
            requests.put(json.loads(incoming.read(int.from_bytes(header, "big"))))
    finally:
        os._exit(0)


def _send(outgoing: BinaryIO, reply: dict[str, Any]) -> None:
    payload = json.dumps(reply).encode()
    try:
        outgoing.write(len(payload).to_bytes(4, "big") + payload)
        outgoing.flush()
    except OSError:
        os._exit(0)


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the two pipes, and point the standard streams at nothing: a print is no message."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    _put_on_leash(os.dup(2))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    return incoming, outgoing


def _put_on_leash(descriptor: int) -> None:
    """Ask the system to end this process when the other end of a pipe is closed."""
    if fcntl is None or not hasattr(os, "O_ASYNC"):
        return
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)


def _limit_memory(memory_bytes: int) -> bool:
    """Limit the address space, which bounds resident memory; return whether that was possible."""
    if resource is None:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    except (OSError, ValueError):
        return False
    return sys.platform != "darwin"  # accepted there, and ignored


def _limit_processor_time(budget_seconds: float) -> None:
    """Let the system end this process soon after the budget, should nobody be left to do it."""
    if resource is None:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(usage.ru_utime + usage.ru_stime + budget_seconds) + CPU_GRACE_SECONDS
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or seconds < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _peak_memory_bytes() -> int:
    """Return the largest resident memory of this process so far.

    Linux counts `ru_maxrss` on from the process that was forked, so a worker of a trainer would
    seem as large as the trainer.
    """
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if resource is None:
        return 0
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024
