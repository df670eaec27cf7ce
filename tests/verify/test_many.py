"""Batches: order, progress, bad pairs, and processes that leave nothing behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import rlrewards as rr
from rlrewards.verify import many

PAIRS = [("A: 1", "1"), ("A: 2", "1"), ("?", "1"), (r"\boxed{x+x}", "2x"), ("A: 5", None)] * 60
PAIRS += [("A: \ud83d\ude00 x", "y"), ("A: \ud800", ["\ud800", "2"]), ("A: 4", 4.0)]


@pytest.fixture
def at_once(monkeypatch):
    """Start processes for the first pair on."""
    monkeypatch.setattr(many, "ALONE_SECONDS", -1.0)


def graded_in_a_process(_=None):
    many.ALONE_SECONDS = -1.0
    return [v.status.value for v in rr.Verifier().grade_many(PAIRS[:9], workers=2)]


class TestTogether:
    def test_the_verdicts_are_those_of_one_after_the_other(self, at_once):
        verifier = rr.Verifier(lenient=True)
        one_by_one = [verifier.grade(*pair) for pair in PAIRS]
        assert verifier.grade_many(PAIRS, workers=2) == one_by_one
        assert verifier.grade_many(PAIRS, workers=1) == one_by_one

    def test_no_process_is_started_for_a_batch_that_is_soon_done(self, monkeypatch):
        monkeypatch.setattr(many, "_Grader", None)
        assert len(rr.Verifier().grade_many(PAIRS[:5], workers=4)) == 5

    def test_tells_its_progress_in_order(self, at_once):
        seen = []
        rr.Verifier().grade_many(PAIRS, workers=2, progress=seen.append)
        assert seen == [*range(1, len(PAIRS) + 1)]

    def test_reads_an_iterator_as_it_is_worked_off(self, at_once):
        read = done = lead = 0

        def pairs():
            nonlocal read
            for read in range(1, 4_001):  # noqa: B007
                yield "A: 1", "1"

        def progress(count):
            nonlocal done, lead
            done, lead = count, max(lead, read - count)

        rr.Verifier().grade_many(pairs(), workers=2, progress=progress)
        assert done == 4_000
        assert lead <= 2 * (many.CHUNKS_AHEAD + 1) * many.CHUNK

    def test_a_process_that_dies_is_made_up_for(self, at_once, monkeypatch):
        monkeypatch.setattr(many, "_BOOTSTRAP", "raise SystemExit(3)")
        verdicts = rr.Verifier().grade_many(PAIRS, workers=2)
        assert verdicts == [rr.Verifier().grade(*pair) for pair in PAIRS]

    def test_a_verifier_that_cannot_be_sent_grades_here(self, at_once):
        class Own(rr.Verifier):
            pass

        with pytest.raises((AttributeError, pickle.PicklingError)):
            pickle.dumps(Own())
        assert len(Own().grade_many(PAIRS, workers=2)) == len(PAIRS)

    def test_what_progress_raises_ends_the_processes(self, at_once, monkeypatch):
        started = []
        begin = many._Grader.__init__

        def remembered(self, verifier):
            begin(self, verifier)
            started.append(self)

        monkeypatch.setattr(many._Grader, "__init__", remembered)

        def stop(count):
            if count > 200:
                raise KeyError("enough")

        with pytest.raises(KeyError, match="enough"):
            rr.Verifier().grade_many(PAIRS * 20, workers=2, progress=stop)
        assert started
        assert all(grader._process.poll() is not None for grader in started)


class TestAnywhere:
    EXPECTED = ("EQUAL", "DIFFERENT", "NO_ANSWER", "EQUAL", "NO_REFERENCE") * 2

    def test_threads(self, at_once):
        with ThreadPoolExecutor(2) as pool:
            for statuses in pool.map(graded_in_a_process, range(2)):
                assert tuple(statuses) == self.EXPECTED[:9]

    def test_a_daemonic_process(self):
        import multiprocessing

        with multiprocessing.get_context("spawn").Pool(1) as pool:  # its workers are daemonic
            assert tuple(pool.apply(graded_in_a_process)) == self.EXPECTED[:9]

    def test_a_process_pool(self):
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            statuses = pool.submit(graded_in_a_process).result(timeout=120)
        assert tuple(statuses) == self.EXPECTED[:9]

    def test_a_script_without_a_main_guard(self, tmp_path):
        script = tmp_path / "train.py"
        script.write_text(
            textwrap.dedent("""
                import rlrewards as rr
                from rlrewards.verify import many
                many.ALONE_SECONDS = -1.0
                print("imported")
                print(len(rr.Verifier().grade_many([("A: 1", "1")] * 300, workers=2)))
            """)
        )
        done = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, timeout=120, check=True
        )
        assert done.stdout.split() == ["imported", "300"]

    @pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads /proc")
    def test_no_orphan_is_left_by_a_killed_caller(self, tmp_path):
        script = tmp_path / "killed.py"
        script.write_text(
            textwrap.dedent("""
                import itertools, time
                import rlrewards as rr
                from rlrewards.verify import many
                many.ALONE_SECONDS = -1.0
                def show(count):
                    if count == 500:
                        pids = [g._process.pid for g in graders]
                        print(*pids, flush=True)
                        time.sleep(60)
                graders = []
                begin = many._Grader.__init__
                def remembered(self, verifier):
                    begin(self, verifier)
                    graders.append(self)
                many._Grader.__init__ = remembered
                pairs = itertools.repeat(("A: 1", "1"))
                rr.Verifier().grade_many(pairs, workers=2, progress=show)
            """)
        )
        caller = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
        with caller:
            pids = [int(pid) for pid in caller.stdout.readline().split()]
            caller.send_signal(signal.SIGKILL)
        assert pids
        end = time.monotonic() + 20
        while time.monotonic() < end and any(map(_is_running, pids)):
            time.sleep(0.05)
        assert not any(map(_is_running, pids))


def _is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestBadInput:
    @pytest.mark.parametrize(
        ("pair", "message"),
        [
            (("A: 1",), "pair 1: expected \\(completion, reference\\)"),
            ("ab", "pair 1: expected"),
            ((None, "1"), "pair 1: expected .* got \\(None, '1'\\)"),
            (("A: 1", object()), "pair 1: a reference is text, a number"),
            (("x" * 10_000, 1, 2), "pair 1: expected"),
        ],
    )
    def test_a_bad_pair_is_named_by_its_index(self, pair, message):
        with pytest.raises(TypeError, match=message) as caught:
            rr.Verifier().grade_many([("A: 1", "1"), pair])
        assert len(str(caught.value)) < 300

    def test_needs_a_worker(self):
        with pytest.raises(ValueError, match="at least 1, got 0"):
            rr.Verifier().grade_many([], workers=0)
        with pytest.raises(TypeError, match=r"whole number >= 1, got 1\.5"):
            rr.Verifier().grade_many([], workers=1.5)

    def test_nothing_is_graded_to_nothing(self):
        assert rr.Verifier().grade_many([], workers=4) == []
