"""Checks that hang, crash or die, and what is told of them."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from rlrewards.core import Sample
from rlrewards.testing import running
from rlrewards.testing.findings import Outcome
from rlrewards.testing.law import Effort, NotApplicable
from rlrewards.testing.running import LoadError, Planned, finding_of, run, run_loaded
from rlrewards.testing.subject import Broken, subject

pytestmark = pytest.mark.skipif(os.name == "nt", reason="tests fork")
QUICK = Effort(examples=3, patience_seconds=4.0)
BAD = "a" * 40 + "!"


def plain(batch):
    return [1.0 for _ in batch]


def hanging(batch):
    return [float(bool(re.match(r"(a+)+$", sample.completion))) for sample in batch]


def exiting(batch):
    if any(sample.completion == "die" for sample in batch):
        os._exit(7)
    return [1.0 for _ in batch]


def system_exiting(batch):
    raise SystemExit(3)


@dataclass(frozen=True)
class Ask:
    """A check that scores some completions."""

    texts: tuple[str, ...] = ("a",)
    name: str = "ask"
    statement: str = "It answers."
    group: str = field(default="law", init=False)

    def applies_to(self, subject):
        return True

    def check(self, subject, effort):
        for text in self.texts:
            subject([Sample(text)])


@dataclass(frozen=True)
class Raises(Ask):
    error: Exception = field(default_factory=lambda: Broken("no"))

    def check(self, subject, effort):
        raise self.error


@dataclass(frozen=True)
class Says(Ask):
    def check(self, subject, effort):
        return f"process {os.getpid()}"


@dataclass(frozen=True)
class Sleeps(Ask):
    seconds: float = 60.0

    def check(self, subject, effort):
        time.sleep(self.seconds)


def outcomes(findings):
    return [str(finding.outcome) for finding in findings]


def test_a_hang_in_a_regular_expression_is_killed_and_told_with_its_input():
    one = subject(hanging)
    begun = time.monotonic()
    found = [*run([(one, Ask()), (one, Ask(("b", BAD, "c"))), (one, Ask(name="next"))], QUICK)]
    assert outcomes(found) == ["passed", "stopped", "passed"]
    assert found[1].why == "no answer within 4 s"
    assert [sample.completion for sample in found[1].samples] == [BAD]
    assert found[1].broken
    assert found[2].check == "next"
    assert time.monotonic() - begun < 60


def test_a_hang_inside_one_check_leaves_no_process_behind():
    one = subject(plain)
    [*run([(one, Sleeps())], Effort(patience_seconds=0.5))]
    assert not multiprocessing.active_children()


def test_a_process_that_ends_itself_is_told_and_the_next_check_goes_on():
    one = subject(exiting)
    found = [*run([(one, Ask(("a", "die"))), (subject(plain), Ask())], QUICK)]
    assert outcomes(found) == ["stopped", "passed"]
    assert found[0].why == "the process died (exit code 7)"
    assert found[0].samples[-1].completion in ("a", "die")


def test_a_system_exit_is_an_error_like_others():
    (finding,) = run([(subject(system_exiting), Ask())], QUICK)
    assert (finding.outcome, finding.why) == ("failed", "raised SystemExit: 3")


def test_a_death_is_seen_at_once_though_what_it_started_holds_the_pipe():
    begun = time.monotonic()
    found = [*run([(subject(leaving_a_child), Ask())], Effort(patience_seconds=50.0))]
    assert found[0].why == "the process died (exit code 9)"
    assert time.monotonic() - begun < 40


def leaving_a_child(batch):
    if os.fork() == 0:
        time.sleep(120)
        os._exit(0)
    os._exit(9)


def test_what_a_killed_child_started_dies_with_it(tmp_path):
    path = tmp_path / "pid"
    [*run([(subject(partial(starting_a_sleep, str(path)), name="s"), Ask())], QUICK)]
    pid = int(path.read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the process that the reward started lives on")


def starting_a_sleep(path, batch):
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    Path(path).write_text(str(started.pid))
    time.sleep(300)


def test_every_way_a_check_ends():
    one = subject(plain)
    jobs = [
        (one, Ask()),
        (one, Says()),
        (one, Raises(error=Broken("no", [Sample("x")], [0.5]))),
        (one, Raises(error=NotApplicable("say n="))),
        (one, Raises(error=KeyError("oops"))),
    ]
    found = [*run(jobs, QUICK)]
    assert outcomes(found) == ["passed", "passed", "failed", "skipped", "failed"]
    assert (found[2].why, found[2].samples, found[2].scores) == ("no", (Sample("x"),), (0.5,))
    assert [finding.why for finding in found[3:]] == ["say n=", "KeyError: 'oops'"]


def test_checks_run_in_another_process_unless_told():
    here = f"process {os.getpid()}"
    job = (subject(plain), Says())
    assert [finding.why for finding in run([job], QUICK, isolate=False)] == [here]
    for isolate in (None, True):
        (found,) = run([job], QUICK, isolate=isolate)
        assert found.why.startswith("process ")
        assert found.why != here


def test_no_jobs():
    assert [*run([], QUICK)] == []


def spawn_only(monkeypatch):
    monkeypatch.setattr(running.multiprocessing, "get_all_start_methods", lambda: ["spawn"])


def test_without_fork_what_pickles_runs_in_a_spawned_process(monkeypatch):
    spawn_only(monkeypatch)
    effort = Effort(patience_seconds=60.0)  # a spawned process imports all again
    found = [*run([(subject(plain), Says())], effort)]
    assert found[0].outcome is Outcome.PASSED
    assert found[0].why != f"process {os.getpid()}"


def test_without_fork_what_does_not_pickle_runs_here(monkeypatch):
    spawn_only(monkeypatch)
    jobs = [(subject(lambda batch: [0.0] * len(batch), name="lambda"), Says())]
    assert [finding.why for finding in run(jobs, QUICK)] == [f"process {os.getpid()}"]
    with pytest.raises(ValueError, match="isolate=True needs a system that forks"):
        [*run(jobs, QUICK, isolate=True)]


def test_the_worker_of_a_pool_which_may_have_no_children_checks_in_itself():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pid, why = pool.apply(checked_in_a_pool)
    assert why == f"process {pid}"


def checked_in_a_pool():
    (found,) = run([(subject(plain), Says())], QUICK)
    return os.getpid(), found.why


# ---------------------------------------------------------------------------------------------
# Rewards that are loaded in the child


def three_jobs(middle):
    return [(subject(plain), Ask()), (subject(plain), middle), (subject(plain), Says(name="says"))]


def test_loading_happens_in_the_child_and_the_plan_is_told_first():
    heard = []
    found = run_loaded(partial(three_jobs, Ask()), QUICK, on_plan=heard.append)
    assert heard == []
    first = next(found)
    assert heard == [
        [
            Planned("plain", "ask", "law", "It answers."),
            Planned("plain", "ask", "law", "It answers."),
            Planned("plain", "says", "law", "It answers."),
        ]
    ]
    rest = [*found]
    assert outcomes([first, *rest]) == ["passed"] * 3
    assert rest[-1].why != f"process {os.getpid()}"


def test_behind_a_hang_all_is_loaded_again():
    found = [*run_loaded(partial(three_jobs, Sleeps(name="sleeps")), Effort(patience_seconds=1.0))]
    assert outcomes(found) == ["passed", "stopped", "passed"]


def test_the_time_for_all_checks_is_kept_and_what_was_not_reached_is_told():
    begun = time.monotonic()
    found = [*run_loaded(partial(three_jobs, Sleeps(name="sleeps")), Effort(), seconds=6.0)]
    assert time.monotonic() - begun < 30
    assert outcomes(found) == ["passed", "not reached", "not reached"]
    assert not any(finding.broken for finding in found)
    assert found[1].why == "still running after the 6 s for all checks"
    assert found[2].why == "the 6 s for all checks were over"


def test_what_the_child_prints_goes_nowhere(capfd):
    assert outcomes(run_loaded(printing, QUICK)) == ["passed"]
    assert capfd.readouterr() == ("", "")


def printing():
    print("on standard output")
    os.write(2, b"on descriptor 2")
    return [(subject(plain), Ask())]


def failing():
    raise RuntimeError("no such thing")


def failing_in_words():
    raise LoadError("write it so")


def dying():
    os._exit(4)


def never():
    time.sleep(60)


@pytest.mark.parametrize(
    ("load", "why"),
    [
        (failing, "RuntimeError: no such thing"),
        (failing_in_words, "write it so"),
        (dying, r"the process died \(exit code 4\)"),
        (never, "no answer within 1 s"),
    ],
)
def test_what_cannot_be_loaded_is_told(load, why):
    with pytest.raises(LoadError, match=f"^{why}$"):
        [*run_loaded(load, QUICK, load_seconds=1.0)]


def test_loading_may_take_all_the_time():
    with pytest.raises(LoadError, match="loading it took all the time there was"):
        [*run_loaded(never, QUICK, seconds=0.5)]


def test_loading_must_give_the_same_each_time(tmp_path):
    with pytest.raises(LoadError, match="gave different rewards"):
        [*run_loaded(partial(fickle, str(tmp_path / "seen")), QUICK)]


def fickle(path):
    again = os.path.exists(path)
    Path(path).touch()
    name = "second" if again else "first"
    return [(subject(exiting), Ask(("die",), name=name)), (subject(plain), Ask())]


def test_closing_the_findings_early_kills_the_child():
    found = run_loaded(partial(three_jobs, Sleeps()), QUICK)
    next(found)
    found.close()
    assert not multiprocessing.active_children()


def test_finding_of_measures_time():
    assert finding_of(subject(plain), Sleeps(seconds=0.05), QUICK).seconds >= 0.05
