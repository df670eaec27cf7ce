"""The worker pool: deadlines, memory, death of either side, and every place a call can come from.

The tests run the real worker, so they ask it real comparisons.
"""

import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from rlrewards.verify import hopeless, isolate, worker_process
from rlrewards.verify.hopeless import Hopeless
from rlrewards.verify.isolate import Reply, WorkerPool, call
from rlrewards.verify.worker_process import Worker, WorkerError

QUESTION = {"answer": "x+x", "reference": "2x"}
ENDLESS = {"answer": "x^2+1", "reference": r"\sum_{k=1}^{1000000000}k!"}
SLACK_SECONDS = 1.5
START_SECONDS = 25.0

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(scope="module")
def pool():
    pool = WorkerPool(size=2)
    assert pool.call(QUESTION, budget_seconds=10).result
    yield pool
    pool.close()


@pytest.fixture
def fresh():
    with WorkerPool(size=1) as pool:
        yield pool


def timed(function):
    start = time.monotonic()
    result = function()
    return result, time.monotonic() - start


def status_of(question=QUESTION):
    reply = call(question, budget_seconds=10)
    return reply.failure or reply.result["status"]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def resident_megabytes(pid="self"):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def kill(pid):
    """Kill a child and wait until all its threads are gone, without reaping it."""
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def wait_until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def ask_after_a_while(queue):
    queue.put(status_of())


@pytest.fixture(autouse=True)
def ask_again(request):
    """Each test finds every request new."""
    if "pool" in request.fixturenames:
        request.getfixturevalue("pool").forget_hopeless()
    isolate.forget_hopeless()


class TestReply:
    def test_result(self, pool):
        reply = pool.call(QUESTION, budget_seconds=10)
        assert reply.failure is None
        assert reply.result["status"] == "EQUAL"

    def test_worker_is_reused(self, pool):
        before = pool.worker_pids()
        pool.call(QUESTION, budget_seconds=10)
        assert sorted(pool.worker_pids()) == sorted(before)

    def test_error_in_the_worker_is_a_failure(self, pool):
        reply = pool.call({"answer": 3}, budget_seconds=10)
        assert reply.result is None
        assert "TypeError" in reply.failure

    @pytest.mark.parametrize("text", ["\ud800", "\udfff\ud800", "\0", "é√∞", "\u202e"])
    def test_any_text_crosses_the_pipe(self, pool, text):
        assert pool.call({"answer": text, "reference": "5"}, budget_seconds=10).failure is None

    def test_request_larger_than_a_pipe(self, pool):
        reply = pool.call({"answer": "x" * 300_000, "reference": "5"}, budget_seconds=10)
        assert reply.failure is None

    @pytest.mark.parametrize("budget", [0, -1, float("nan")])
    def test_budget_must_be_positive(self, budget):
        with pytest.raises(ValueError, match="budget_seconds must be positive"):
            call(QUESTION, budget_seconds=budget)

    def test_size_must_be_positive(self):
        with pytest.raises(ValueError, match="size must be at least 1"):
            WorkerPool(size=0)


class TestDeadline:
    def test_deadline_and_recovery(self, pool):
        reply, seconds = timed(lambda: pool.call(ENDLESS, budget_seconds=0.3))
        assert reply == Reply(failure="deadline of 0.3 s passed")
        assert seconds < 0.3 + SLACK_SECONDS
        assert pool.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"

    @needs_proc
    def test_killed_workers_are_reaped(self, pool):
        pids = set()
        for _ in range(2):
            pool.call(QUESTION, budget_seconds=10)
            pids |= set(pool.worker_pids())
            pool.forget_hopeless()
            pool.call(ENDLESS, budget_seconds=0.2)
        gone = pids - set(pool.worker_pids())
        assert gone
        assert not any(Path(f"/proc/{pid}").exists() for pid in gone)

    @pytest.mark.slow
    def test_start_is_not_part_of_the_budget(self, fresh):
        reply = fresh.call({"answer": "5", "reference": "5"}, budget_seconds=0.3)
        assert reply.failure is None

    @pytest.mark.slow
    def test_reading_thread_where_poll_is_missing(self, monkeypatch, fresh):
        monkeypatch.setattr(worker_process, "_CAN_POLL", False)
        assert fresh.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"
        assert fresh.call(ENDLESS, budget_seconds=0.3).failure == "deadline of 0.3 s passed"
        assert fresh.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"


class TestHopeless:
    def test_what_was_hopeless_is_not_asked_again(self, pool):
        pool.call(ENDLESS, budget_seconds=0.3)
        reply, seconds = timed(lambda: pool.call(ENDLESS, budget_seconds=0.2))
        assert reply == Reply(failure="deadline of 0.3 s passed when last asked")
        assert seconds < 0.1

    def test_but_with_more_time_it_is(self, pool):
        pool.call(ENDLESS, budget_seconds=0.2)
        reply = pool.call(ENDLESS, budget_seconds=0.3)
        assert reply.failure == "deadline of 0.3 s passed"

    def test_and_after_a_while(self, pool, monkeypatch):
        monkeypatch.setattr(hopeless, "HOPELESS_SECONDS", 0.0)
        pool.call(ENDLESS, budget_seconds=0.2)
        assert pool.call(ENDLESS, budget_seconds=0.2).failure == "deadline of 0.2 s passed"

    def test_memory_of_it_is_bounded(self):
        memory = Hopeless()
        for index in range(2 * hopeless.MAX_HOPELESS):
            memory.remember({"answer": str(index)}, 1.0, 0, "why")
        assert len(memory._items) == hopeless.MAX_HOPELESS
        assert memory.why({"answer": "0"}, 1.0, 0) is None
        assert memory.why({"answer": str(index)}, 1.0, 0) == "why when last asked"

    def test_a_death_from_outside_is_not_the_request_s_fault(self, pool):
        pool.call(QUESTION, budget_seconds=10)
        killer = threading.Timer(0.2, lambda: [os.kill(pid, 9) for pid in pool.worker_pids()])
        killer.start()
        assert "signal 9" in pool.call(ENDLESS, budget_seconds=10).failure
        killer.join()
        assert pool.call(ENDLESS, budget_seconds=0.2).failure == "deadline of 0.2 s passed"

    def test_no_call_waits_for_a_start_while_another_is_hopeless(self, fresh):
        """From the first kill on there is a worker in reserve."""
        fresh.call(QUESTION, budget_seconds=10)
        fresh.call(ENDLESS, budget_seconds=0.2)
        assert wait_until(lambda: len(fresh.worker_pids()) == 2)
        time.sleep(4.0)  # both have started
        for text in ("1", "2"):
            fresh.call({**ENDLESS, "answer": rf"\binom{{10^9+x}}{{{text}}}"}, budget_seconds=0.2)
            reply, seconds = timed(lambda: fresh.call(QUESTION, budget_seconds=10))
            assert reply.result["status"] == "EQUAL"
            if text == "1":
                assert seconds < 0.5
        assert len(fresh.worker_pids()) == 2


class TestDeath:
    def test_worker_killed_from_outside_while_idle(self, pool):
        pool.call(QUESTION, budget_seconds=10)
        for pid in pool.worker_pids():
            kill(pid)
        assert pool.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"

    def test_worker_killed_from_outside_while_busy(self, pool):
        pool.call(QUESTION, budget_seconds=10)
        killers = [threading.Timer(0.3, os.kill, (pid, 9)) for pid in pool.worker_pids()]
        for killer in killers:
            killer.start()
        reply = pool.call(ENDLESS, budget_seconds=10)
        assert reply.failure == "worker died (signal 9)"
        assert pool.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"

    def test_worker_that_cannot_start(self, monkeypatch, fresh):
        monkeypatch.setattr(sys, "executable", "/nonexistent/python")
        reply = fresh.call(QUESTION, budget_seconds=1)
        assert reply.failure.startswith("could not start: FileNotFoundError")

    def test_worker_that_dies_at_its_start(self, monkeypatch, fresh):
        monkeypatch.setattr(worker_process, "_BOOTSTRAP", "import sys; sys.exit(3)")
        for _ in range(2):  # and it does not loop
            reply = fresh.call(QUESTION, budget_seconds=1)
            assert reply.failure == "could not start: worker died (exit status 3)"

    def test_worker_that_never_says_it_is_ready(self, monkeypatch, fresh):
        monkeypatch.setattr(worker_process, "_BOOTSTRAP", "import time; time.sleep(60)")
        monkeypatch.setattr(worker_process, "START_SECONDS", 0.3)
        reply = fresh.call(QUESTION, budget_seconds=1)
        assert reply.failure == "could not start: no sign of life within 0.3 s"

    @pytest.mark.parametrize(
        ("payload", "why"),
        [
            (b"\xff\xff\xff\xff", "is over"),
            (b"\0\0\0\2[]", "not an object"),
            (b"\0\0\0\2{x", "not JSON"),
            (b"\0\0", "worker died"),
        ],
    )
    def test_worker_that_talks_nonsense(self, monkeypatch, payload, why):
        code = f"import sys; sys.stdout.buffer.write({payload!r}); sys.stdout.flush()"
        monkeypatch.setattr(worker_process, "_BOOTSTRAP", code)
        worker = Worker(2**30)
        with pytest.raises(WorkerError, match=why):
            worker.wait_until_ready()
        worker.kill()

    def test_closed_pool(self, fresh):
        fresh.close()
        reply = fresh.call(QUESTION, budget_seconds=1)
        assert reply.failure == "could not start: the pool is closed"

    @needs_proc
    @pytest.mark.slow
    def test_shutdown_leaves_no_worker(self):
        call(QUESTION, budget_seconds=10)
        pids = isolate._shared_pool().worker_pids()
        isolate.shutdown()
        assert pids
        assert not any(is_alive(pid) for pid in pids)
        assert status_of() == "EQUAL"


@needs_proc
class TestOrphans:
    @pytest.mark.parametrize("busy", [False, True])
    def test_parent_killed(self, busy):
        script = textwrap.dedent(
            f"""
            import sys, threading, time
            from rlrewards.verify import isolate
            isolate.call({QUESTION!r}, budget_seconds=20)
            if {busy}:
                ask = lambda: isolate.call({ENDLESS!r}, budget_seconds=3)
                threading.Thread(target=ask, daemon=True).start()
                time.sleep(0.3)
            print(*isolate._pool.worker_pids(), flush=True)
            time.sleep(60)
            """
        )
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids
        assert all(is_alive(pid) for pid in pids)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        assert wait_until(lambda: not any(is_alive(pid) for pid in pids), 3)

    @pytest.mark.skipif(sys.platform != "linux", reason="needs SIGIO on pipes")
    def test_parent_killed_while_the_lock_is_held(self):
        """An integer of a billion digits in the making runs no other thread of the worker."""
        bomb = (
            "import rlrewards.verify.worker as w\n"
            "load = w.load\n"
            "w.load = lambda: (load(), lambda **_: {'status': str(9**(9**9))[:1]})[1]\n"
            "main("
        )
        script = textwrap.dedent(
            f"""
            import threading, time
            from rlrewards.verify import isolate, worker_process as p
            p._BOOTSTRAP = p._BOOTSTRAP.replace("main(", {bomb!r})
            ask = lambda: isolate.call({QUESTION!r}, budget_seconds=50)
            threading.Thread(target=ask, daemon=True).start()
            while not (isolate._pool and isolate._pool.worker_pids()):
                time.sleep(0.05)
            time.sleep(3)
            print(*isolate._pool.worker_pids(), flush=True)
            time.sleep(60)
            """
        )
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(is_alive(pid) for pid in pids)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        assert wait_until(lambda: not any(is_alive(pid) for pid in pids), 2)

    def test_parent_exits_normally_and_silently(self):
        script = textwrap.dedent(
            f"""
            from rlrewards.verify import isolate
            isolate.call({QUESTION!r}, budget_seconds=20)
            print(*isolate._pool.worker_pids(), flush=True)
            """
        )
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        assert not any(is_alive(int(pid)) for pid in done.stdout.split())


class TestCallers:
    def test_worker_thread(self):
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(status_of).result() == "EQUAL"

    def test_event_loop(self):
        async def main():
            return status_of(), await asyncio.to_thread(status_of)

        assert asyncio.run(main()) == ("EQUAL", "EQUAL")

    @pytest.mark.parametrize(
        "method", [pytest.param("fork", marks=[needs_fork, pytest.mark.slow]), "spawn"]
    )
    def test_process_pool(self, method):
        status_of()  # the parent has workers of its own before it forks
        context = multiprocessing.get_context(method)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            with ProcessPoolExecutor(1, mp_context=context) as processes:
                reply = processes.submit(partial(call, QUESTION, budget_seconds=10)).result()
        assert reply.result["status"] == "EQUAL"

    @needs_fork
    def test_daemonic_process(self):
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            process = context.Process(target=ask_after_a_while, args=(queue,), daemon=True)
            process.start()
        assert queue.get() == "EQUAL"
        process.join(10)
        assert process.exitcode == 0

    @needs_fork
    def test_fork_after_use(self):
        """The child starts workers of its own; the parent's go on undisturbed."""
        status_of()
        pool = isolate._shared_pool()
        pids = pool.worker_pids()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = status_of()
            own = isolate._shared_pool().worker_pids()
            isolate.shutdown()
            gc.collect()
            os._exit(0 if status == "EQUAL" and own and not set(own) & set(pids) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert isolate._shared_pool() is pool
        assert pool.worker_pids() == pids
        assert status_of() == "EQUAL"

    @needs_fork
    @pytest.mark.slow
    def test_fork_while_another_thread_waits(self):
        """Locks that were held at the fork do not block the child."""
        status_of()
        waiting = threading.Thread(target=call, args=(ENDLESS,), kwargs={"budget_seconds": 1.0})
        waiting.start()
        time.sleep(0.1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            child = os.fork()
        if child == 0:
            ok = status_of() == "EQUAL"
            isolate.shutdown()
            os._exit(0 if ok else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        waiting.join()

    def test_eight_threads(self, pool):
        """More callers than workers, some with endless requests: each gets its own answer."""
        requests = [
            ENDLESS if index % 10 == 4 else {"answer": f"{index}+x", "reference": f"x+{index % 3}"}
            for index in range(15)
        ]
        with ThreadPoolExecutor(8) as threads:
            ask = partial(pool.call, budget_seconds=1.0)
            replies = list(threads.map(ask, requests))
        for index, reply in enumerate(replies):
            if index % 10 == 4:
                assert reply.failure == "deadline of 1 s passed"
            else:
                expected = "EQUAL" if index == index % 3 else "DIFFERENT"
                assert reply.result["status"] == expected
        assert len(pool.worker_pids()) <= pool.size + 1  # one in reserve

    @pytest.mark.slow
    def test_no_free_worker(self, monkeypatch, fresh):
        monkeypatch.setattr(isolate, "QUEUE_SECONDS", 0.1)
        fresh.call(QUESTION, budget_seconds=10)
        busy = threading.Thread(target=fresh.call, args=(ENDLESS,), kwargs={"budget_seconds": 1.0})
        busy.start()
        time.sleep(0.1)
        reply = fresh.call(QUESTION, budget_seconds=1)
        busy.join()
        assert reply.failure == "no worker was free within 0.1 s"

    def test_working_directory_does_not_shadow_modules(self, tmp_path, monkeypatch, fresh):
        for name in ("random", "json", "queue", "site"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.syspath_prepend(str(tmp_path))
        reply = fresh.call(QUESTION, budget_seconds=10)
        assert reply.failure is None


@needs_proc
class TestMemory:
    def test_memory_bomb_is_contained(self, fresh):
        """A value of 3 GB in the making: the worker says so or dies, and the caller does not grow."""
        before = resident_megabytes()
        code = worker_process._BOOTSTRAP.replace(
            "main(",
            "import rlrewards.verify.worker as w\n"
            "compare = w.load()\n"
            "def bomb(answer, reference):\n"
            "    return {'status': str(len(bytearray(3 * 10**9)))} if answer == 'bomb' "
            "else compare(answer, reference)\n"
            "w.load = lambda: bomb\n"
            "main(",
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker_process, "_BOOTSTRAP", code)
            reply = fresh.call({"answer": "bomb", "reference": ""}, budget_seconds=10)
            assert reply.failure == "memory limit of 512 MiB"
            assert fresh.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"
        assert resident_megabytes() - before < 200

    def test_worker_fits_its_limit(self, pool):
        pool.call(QUESTION, budget_seconds=10)
        assert all(resident_megabytes(pid) < 256 for pid in pool.worker_pids())

    @pytest.mark.slow
    def test_other_limit_gets_another_worker(self, fresh):
        fresh.call(QUESTION, budget_seconds=10)
        (first,) = fresh.worker_pids()
        reply = fresh.call(QUESTION, budget_seconds=10, memory_bytes=2**30)
        (second,) = fresh.worker_pids()
        assert reply.result["status"] == "EQUAL"
        assert first != second

    def test_limit_too_small_to_start(self, fresh):
        reply = fresh.call(QUESTION, budget_seconds=10, memory_bytes=40 * 2**20)
        assert reply.failure.startswith("could not start: ")

    @pytest.mark.slow
    def test_warns_once_where_memory_cannot_be_limited(self, monkeypatch, fresh):
        monkeypatch.setattr(worker_process, "_warned_about_memory", False)
        code = worker_process._BOOTSTRAP.replace(
            "main(", "import rlrewards.verify.worker as w\nw.resource = None\nmain("
        )
        monkeypatch.setattr(worker_process, "_BOOTSTRAP", code)
        with pytest.warns(RuntimeWarning, match="cannot limit the memory"):
            assert fresh.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"
        kill(fresh.worker_pids()[0])
        assert fresh.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"  # silently


def test_prints_do_not_reach_the_protocol(fresh):
    code = worker_process._BOOTSTRAP.replace(
        "main(",
        "import rlrewards.verify.worker as w\n"
        "import os\n"
        "compare = w.load()\n"
        "def noisy(answer, reference):\n"
        "    print('noise', flush=True)\n"
        "    os.write(1, b'noise')\n"
        "    os.read(0, 1)\n"
        "    return compare(answer, reference)\n"
        "w.load = lambda: noisy\n"
        "main(",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_process, "_BOOTSTRAP", code)
        assert fresh.call(QUESTION, budget_seconds=10).result["status"] == "EQUAL"


def test_module_uses_no_signals_and_no_multiprocessing():
    for module in ("isolate", "worker", "worker_process", "hopeless", "symbolic"):
        source = Path(isolate.__file__).with_name(f"{module}.py").read_text()
        assert "import signal" not in source
        assert "import multiprocessing" not in source
        assert "pickle.load" not in source


@needs_proc
def test_a_large_caller_does_not_make_its_workers_seem_large():
    code = textwrap.dedent(
        """
        ballast = bytearray(b"x") * (400 * 2**20)
        from rlrewards.verify.isolate import WorkerPool
        with WorkerPool(size=1) as pool:
            pids = []
            for _ in range(3):
                assert pool.call({"answer": "x+x", "reference": "2x"}, budget_seconds=10).result
                pids += pool.worker_pids()
            print(len(set(pids)))
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
