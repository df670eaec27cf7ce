"""The hostile list in every place a comparison can run: time, memory, left-overs, no exception.

The normal run takes a slice of all pairs in each place; `slow` takes every pair.
"""

from __future__ import annotations

import ast
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from hostile import (
    HOSTILE,
    Pair,
    Trial,
    forget_peak,
    grade_trial,
    pairs,
    peak_megabytes,
    slice_of_pairs,
    trial,
)

import rlrewards as rr
from rlrewards.verify import isolate

BUDGET_SECONDS = 1.0
SLACK_SECONDS = 0.5
"""For a machine that does other things; a worker that must start has its own 2 s."""
START_SECONDS = 2.0
QUICK_SECONDS = 0.05
QUICK_SHARE = 0.95
MORE_MEGABYTES = 200
STATUSES = {status.value for status in rr.Status}

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def check(trials: list[Trial]) -> None:
    """Assert what must hold for every trial, naming those for which it does not."""
    failed = [item for item in trials if item.outcome not in STATUSES]
    assert not failed, f"exceptions: {failed[:5]}"
    most = (BUDGET_SECONDS + SLACK_SECONDS + START_SECONDS) * _load()
    late = [item for item in trials if item.seconds > most]
    assert not late, f"later than {most:.1f} s: {late[:5]}"
    slow = sorted((t for t in trials if t.work_seconds > QUICK_SECONDS), key=lambda t: -t.seconds)
    assert len(slow) <= (1 - QUICK_SHARE) * len(trials) + 1, f"{len(slow)} slow: {slow[:8]}"
    hard = [item for item in trials if item.work_seconds > BUDGET_SECONDS]
    assert not hard, f"too much work for the caller: {hard[:5]}"


def _load() -> float:
    """How much longer than on an idle machine everything takes."""
    runnable = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1.0, runnable / (os.cpu_count() or 1))


def wrong_by_the_way(trials: list[Trial]) -> list[Trial]:
    """Return texts that are not themselves plus one, and yet pass for it (or are not themselves)."""
    return [
        t for t in trials
        if (t.name.endswith("/ itself + 1") and t.outcome == "EQUAL" and "infinit" not in t.name)
        or (t.name.endswith("/ itself") and t.outcome == "DIFFERENT")
    ]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def warm() -> Iterator[None]:
    """Start the workers and load what is loaded lazily, which belongs to no trial."""
    check([trial(Pair("warm", r"\int_0^x t\,dt", r"\frac{x^2}{2}")), trial(Pair("warm", "5", "5"))])
    yield
    isolate.shutdown()


def in_main_thread(work: list[Pair]) -> list[Trial]:
    return [trial(pair) for pair in work]


def in_worker_threads(work: list[Pair]) -> list[Trial]:
    with ThreadPoolExecutor(2) as threads:
        return [*threads.map(trial, work)]


def in_processes(method: str) -> Callable[[list[Pair]], list[Trial]]:
    def run(work: list[Pair]) -> list[Trial]:
        context = multiprocessing.get_context(method)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            with ProcessPoolExecutor(1, mp_context=context) as processes:
                processes.submit(trial, Pair("warm", "x+x", "2x")).result()
                return [*processes.map(trial, work, chunksize=50)]

    return run


def in_event_loop(work: list[Pair]) -> list[Trial]:
    async def main() -> list[Trial]:
        loop = asyncio.get_running_loop()
        aside = await asyncio.gather(*(loop.run_in_executor(None, trial, p) for p in work[::2]))
        return [*aside, *(trial(pair) for pair in work[1::2])]  # and on the loop itself

    return asyncio.run(main())


PLACES = [
    pytest.param(in_main_thread, id="main-thread"),
    pytest.param(in_worker_threads, id="worker-threads"),
    pytest.param(in_processes("fork"), id="fork", marks=needs_fork),
    pytest.param(in_processes("spawn"), id="spawn"),
    pytest.param(in_event_loop, id="event-loop"),
]


def test_the_list_is_long_and_covers_what_it_should():
    assert len(HOSTILE) >= 150
    assert sum(len(text) >= 50_000 for text in HOSTILE.values()) >= 20


@needs_proc
@pytest.mark.parametrize("place", PLACES)
def test_a_slice(place):
    forget_peak()
    before = peak_megabytes()
    start = [item.id for item in PLACES].index(
        next(item.id for item in PLACES if item.values[0] is place)
    )
    check(place(slice_of_pairs(step=29, start=start)))
    assert peak_megabytes() - before < MORE_MEGABYTES


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_every_pair(place):
    forget_peak()
    before = peak_megabytes()
    trials = place([*pairs()])
    check(trials)
    assert not wrong_by_the_way(trials)
    assert peak_megabytes() - before < MORE_MEGABYTES


def test_a_slice_of_completions():
    check([grade_trial(pair) for pair in slice_of_pairs(step=29)])


@pytest.mark.slow
def test_every_completion():
    check([grade_trial(pair) for pair in pairs()])


def test_sound_on_a_slice():
    work = [p for p in slice_of_pairs(step=1) if p.name.endswith(("itself", "itself + 1"))]
    assert not wrong_by_the_way([trial(pair) for pair in work[::4]])


@needs_proc
def test_no_worker_is_left_over():
    hard = [Pair("hard", HOSTILE[name], "x^2+1") for name in ("hard integral", "hard sum")]
    check([trial(pair) for pair in hard])
    assert len(_worker_pids()) <= isolate.DEFAULT_POOL_SIZE + 1
    isolate.shutdown()
    assert _worker_pids() == []


def _worker_pids() -> list[int]:
    """Return the processes, children and their children, that `isolate` started."""
    found, parents = [], {os.getpid()}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda f: int(f.name)):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) in parents and fields[0] != "Z" and b"rlrewards.verify.worker" in command:
            found.append(int(folder.name))
            parents.add(int(folder.name))
    return found


# ---------------------------------------------------------------------------------------------
# No text of a model is evaluated, and nobody imports `signal`

AUDIT = textwrap.dedent(
    """
    import json, sys
    EVENTS = []

    def watch(event, arguments):
        if event == "compile":
            source, filename = arguments
            if isinstance(source, bytes):
                source = source.decode("utf-8", "replace")
            if source is not None and not str(filename).endswith((".py", ".pyc")):
                EVENTS.append([str(source)[:300], str(filename)])
        elif event in ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen"):
            EVENTS.append([event, ""])
    """
)

CALLER = AUDIT + textwrap.dedent(
    """
    import importlib, pkgutil
    import rlrewards as rr
    from hostile import slice_of_pairs, trial, Pair, grade_trial
    from rlrewards.verify import isolate
    import rlrewards.verify as package

    WORKER_ONLY = ("sympy", "worker", "latex_fallback")
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith(WORKER_ONLY):
            importlib.import_module(f"rlrewards.verify.{module.name}")
    isolate.call = lambda request, *, budget_seconds: isolate.Reply(failure="not asked")
    warm = [trial(pair) for pair in slice_of_pairs(step=101)]
    sys.addaudithook(watch)
    trials = [trial(pair) for pair in slice_of_pairs(step=STEP)]
    trials += [grade_trial(pair) for pair in slice_of_pairs(step=STEP, start=1)]
    ours = [name for name in sys.modules if name.startswith("rlrewards")]
    signals = [n for n in ours if "signal" in vars(sys.modules[n])]
    print(json.dumps({"events": EVENTS, "signals": signals, "trials": len(trials)}))
    """
)


def run(script: str) -> dict:
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n" + script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("step", [41, pytest.param(1, marks=pytest.mark.slow)])
def test_the_caller_compiles_no_text(step):
    found = run(CALLER.replace("STEP", str(step)))
    assert found["trials"] > 100
    assert found["events"] == []
    assert found["signals"] == []


# What the worker computes, in a process that only watches: SymPy itself may compile code of its
# own, but none with a text of ours in it.
WORKER = AUDIT + textwrap.dedent(
    """
    from concurrent.futures import ThreadPoolExecutor
    from hostile import HOSTILE
    from rlrewards.verify.worker import load

    compare = load()
    sys.addaudithook(watch)
    MARKED = ["__import__('os')", "mark91(7)", r"\\\\operatorname{mark91}(7)", "mark91", "x+mark91",
              "(lambda: mark91)()", r"\\\\int_0^1 mark91 dx", "mark91_{91}", r"\\\\text{mark91}",
              "91mark91", "f(mark91)", "0x91", "9.1e-91", "91.91", "x.mark91", "mark91=91"]
    for text in MARKED:
        for answer, reference in ((text, "x^2+91"), ("x^2+91", text), (text, text)):
            try:
                compare(answer=answer, reference=reference)
            except (RecursionError, MemoryError, ValueError, TypeError):
                pass
    print(json.dumps({"events": [e for e in EVENTS if "91" in e[0] or "__import__" in e[0]]}))
    """
)


def test_the_worker_compiles_no_text():
    assert run(WORKER)["events"] == []


FORBIDDEN = {"eval", "exec", "sympify", "parse_expr"}


@pytest.mark.parametrize(
    "path", sorted(Path(isolate.__file__).parents[1].rglob("*.py")), ids=lambda path: path.stem
)
def test_no_source_evaluates_text_or_imports_signal(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {"signal", "_signal"} & {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module not in {"signal", "_signal"}
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", None)  # `torch.exec` and the like are not ours to judge
            assert name not in FORBIDDEN
            assert getattr(node.func, "attr", "") not in {"sympify", "parse_expr"}
