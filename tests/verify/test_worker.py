"""The worker's own functions, in this process: what it reads, what it answers, when it retires."""

from __future__ import annotations

import io
import json
import queue
import sys
import threading
import time

import pytest

from rlrewards.verify import worker

MEGABYTE = 2**20


def framed(message: dict) -> bytes:
    payload = json.dumps(message).encode()
    return len(payload).to_bytes(4, "big") + payload


def messages_in(stream: io.BytesIO) -> list[dict]:
    data, found = stream.getvalue(), []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(json.loads(data[4 : 4 + size]))
        data = data[4 + size :]
    return found


def eventually(condition) -> bool:
    for _ in range(400):
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def unlimited(monkeypatch):
    """Keep the worker from limiting the process that runs the tests."""
    monkeypatch.setattr(worker, "_limit_processor_time", lambda budget: None)
    monkeypatch.setattr(worker, "_limit_memory", lambda limit: True)


def served(compare, limit=10**15):
    requests, outgoing = queue.SimpleQueue(), io.BytesIO()
    arguments = (requests, outgoing, compare, limit)
    threading.Thread(target=worker._serve, args=arguments, daemon=True).start()
    requests.put({"budget_seconds": 1.0, "request": {"answer": "1", "reference": "1"}})
    assert eventually(lambda: messages_in(outgoing) != [])
    return messages_in(outgoing)[0]


def failing(error):
    def compare(**request):
        raise error

    return compare


@pytest.mark.usefixtures("unlimited")
class TestServing:
    def test_replies_with_what_the_comparison_returns(self):
        assert served(lambda **request: {"status": "EQUAL", "why": "x"})["status"] == "EQUAL"

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (MemoryError(), "memory limit of"),
            (RecursionError(), "too deeply nested"),
            (ValueError("odd"), "ValueError: odd"),
        ],
    )
    def test_a_failure_is_a_reply(self, error, reason):
        assert reason in served(failing(error))["failure"]

    def test_a_worker_that_grew_asks_to_be_replaced(self):
        assert served(lambda **request: {"status": "EQUAL"}, limit=MEGABYTE)["retire"]

    def test_main_warms_up_says_hello_and_serves(self, monkeypatch):
        incoming = io.BytesIO(
            framed({"budget_seconds": 5.0, "request": {"answer": "x+x", "reference": "2x"}})
        )
        outgoing, exits = io.BytesIO(), []
        monkeypatch.setattr(worker, "_claim_pipes", lambda: (incoming, outgoing))
        monkeypatch.setattr(worker.os, "_exit", exits.append)
        depth, digits = sys.getrecursionlimit(), sys.get_int_max_str_digits()
        stack = threading.stack_size()
        try:
            run = {"memory_bytes": 10**15}
            threading.Thread(target=worker.main, kwargs=run, daemon=True).start()
            assert eventually(lambda: len(messages_in(outgoing)) == 2)
        finally:
            sys.setrecursionlimit(depth)
            sys.set_int_max_str_digits(digits)
            threading.stack_size(stack)
        hello, reply = messages_in(outgoing)
        assert hello == {"memory_limited": True}
        assert reply["status"] == "EQUAL"
        assert exits == [0]  # its pipe had ended


def test_a_pipe_that_is_gone_ends_the_worker(monkeypatch):
    class Gone(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError

    exits = []
    monkeypatch.setattr(worker.os, "_exit", exits.append)
    worker._send(Gone(), {})
    assert exits == [0]


def test_memory_is_measured_in_bytes():
    assert MEGABYTE < worker._peak_memory_bytes() < 2**42


def test_limits_are_asked_of_the_system(monkeypatch):
    class System:
        RLIMIT_CORE, RLIMIT_AS, RLIMIT_CPU, RUSAGE_SELF, RLIM_INFINITY = range(5)

        def __init__(self):
            self.limits = {}

        def setrlimit(self, which, limits):
            self.limits[which] = limits

        def getrlimit(self, which):
            return 0, self.RLIM_INFINITY

        def getrusage(self, who):
            class Usage:
                ru_utime, ru_stime = 2.0, 1.0

            return Usage

    system = System()
    monkeypatch.setattr(worker, "resource", system)
    assert worker._limit_memory(7 * MEGABYTE) is (sys.platform != "darwin")
    worker._limit_processor_time(4.0)
    assert system.limits[system.RLIMIT_AS] == (7 * MEGABYTE, 7 * MEGABYTE)
    assert system.limits[system.RLIMIT_CPU][0] == 2 + 1 + 4 + worker.CPU_GRACE_SECONDS


def test_without_limits_nothing_is_limited(monkeypatch):
    monkeypatch.setattr(worker, "resource", None)
    assert worker._limit_memory(MEGABYTE) is False
    worker._limit_processor_time(1.0)
