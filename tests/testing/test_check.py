"""`check_reward`: what it takes, what it tries, and that it says the same each time."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from functools import partial

import pytest

import rlrewards as rr
from rlrewards.testing import check_reward
from rlrewards.testing.findings import Outcome
from rlrewards.testing.laws import LAWS
from rlrewards.testing.laws.every import (
    finite_or_none,
    length_in_is_length_out,
    pickles,
    same_in_an_event_loop,
    same_in_another_process,
    splitting_changes_nothing,
)

TWO = (length_in_is_length_out, splitting_changes_nothing)


def ours(batch):
    return [float(sample.completion == sample.reference) for sample in batch]


def trl_text(completions, answer, **columns):
    return [float(text == gold) for text, gold in zip(completions, answer, strict=True)]


def trl_messages(prompts, completions, solution, **columns):
    texts = [messages[0]["content"] for messages in completions]
    return [float(text == gold) for text, gold in zip(texts, solution, strict=True)]


def trl_either(completions, **columns):
    """Takes messages without an error, and never finds a word in them."""
    return [float("please" in completion) for completion in completions]


def verl(data_source, solution_str, ground_truth, extra_info=None):
    return {"score": float(solution_str == ground_truth), "acc": True}


def verl_tuple(model_output, ground_truth):
    return float(model_output == ground_truth), "extracted"


def trl_ids(completion_ids, **columns):
    """As TRL's own penalty for overlong completions."""
    return [-len(ids) / 100 + 0.0 for ids in completion_ids]


async def trl_async(completions, **columns):
    return [float(len(text)) for text in completions]


async def verl_async(data_source, solution_str, ground_truth, extra_info=None):
    return float(solution_str == ground_truth)


def verl_by_place(data_source, solution_str, ground_truth, extra_info=None, /):
    return float(solution_str == ground_truth)


def trl_shortest(prompts, completions, **columns):
    """Compares the completions of a prompt."""
    least = {}
    for prompt, text in zip(prompts, completions, strict=True):
        least[prompt] = min(len(text), least.get(prompt, len(text)))
    pairs = zip(prompts, completions, strict=True)
    return [float(len(text) == least[prompt]) for prompt, text in pairs]


async def ours_async(batch):
    return [0.0 for _ in batch]


def verifier(answer, reference):
    return answer == reference


def by_batch(batch):
    return [float(len(batch)) for _ in batch]


@pytest.mark.parametrize(
    "reward",
    [ours, trl_text, trl_messages, trl_either, trl_ids, trl_async,
     verl, verl_tuple, verl_async, verl_by_place, rr.Accuracy()],
)  # fmt: skip
def test_each_signature_is_told_by_its_parameters(reward):
    report = check_reward(reward, laws=(*TWO, finite_or_none), examples=10)
    assert report.ok, str(report)
    assert len(report) == 3


def test_a_function_that_takes_text_is_given_text():
    from rlrewards.core import Sample
    from rlrewards.testing.subject import subject

    assert subject(trl_either)([Sample("please", "4")]) == [1.0]
    assert subject(trl_messages)([Sample("4", "4")]) == [1.0]


def test_the_signature_can_be_said():
    def unclear(*arguments, **columns):
        assert not arguments
        return [0.0 for _ in columns["completions"]]

    assert check_reward(unclear, signature="trl", laws=TWO, examples=5).ok
    with pytest.raises(ValueError, match="signature='tlr'; allowed: rlrewards, trl"):
        check_reward(unclear, signature="tlr")


def test_an_asynchronous_function_works_in_an_event_loop_too():
    report = check_reward(trl_async, laws=[same_in_an_event_loop])
    assert report.ok, str(report)


def test_an_asynchronous_function_of_samples_is_told_what_to_do():
    (finding,) = check_reward(ours_async, laws=TWO[:1], examples=1)
    assert finding.why == "is asynchronous; wrap it in rlrewards.reward"
    assert check_reward(rr.reward(ours_async), laws=TWO[:1], examples=1).ok


def test_a_grouped_function_of_trl_is_given_prompts_that_differ():
    report = check_reward(trl_shortest, kind="grouped", laws=TWO)
    assert report.ok, str(report)
    assert not check_reward(trl_shortest, laws=TWO).ok


@pytest.mark.parametrize("effort", [{"examples": 0}, {"patience_seconds": 0}])
def test_an_effort_that_makes_no_sense_is_refused(effort):
    with pytest.raises(ValueError, match=next(iter(effort))):
        check_reward(ours, **effort)


def test_a_reward_that_ends_the_process_is_told_by_the_smallest_batch():
    (finding,) = check_reward(exits, laws=TWO[:1])
    assert finding.outcome is Outcome.FAILED
    assert (finding.why, len(finding.samples)) == ("raised SystemExit: 3", 1)


def exits(batch):
    if batch:
        sys.exit(3)
    return []


def test_a_report_names_no_addresses():
    local = lambda batch: [0.0 for _ in batch]  # noqa: E731
    (finding,) = check_reward(local, laws=[pickles])
    assert "<lambda>" in finding.why
    assert "0x" not in finding.why


def test_the_worker_of_a_pool_starts_no_process():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        outcome = pool.apply(_outcome_in_another_process)
    assert outcome is Outcome.SKIPPED


def _outcome_in_another_process():
    (finding,) = check_reward(ours, laws=[same_in_another_process])
    return finding.outcome


def test_a_verifier_is_a_kind():
    report = check_reward(verifier, kind="verifier", laws=LAWS[:2], examples=5)
    assert report.subject == "verifier"


def test_the_same_seed_gives_the_same_report():
    reports = [check_reward(by_batch, laws=TWO, seed=seed, examples=20) for seed in (3, 3)]
    assert reports[0] == reports[1]
    assert not reports[0].ok
    assert reports[0].seed == 3


def test_the_same_in_another_process():
    code = (
        "from test_check import by_batch, TWO\n"
        "from rlrewards.testing import check_reward\n"
        "print(check_reward(by_batch, laws=TWO, seed=3, examples=20))\n"
    )
    here = str(check_reward(by_batch, laws=TWO, seed=3, examples=20))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=__file__.rsplit("/", 1)[0]
    )
    assert done.stdout == here + "\n", done.stderr


def test_isolated_or_not_the_report_is_the_same():
    reports = [check_reward(by_batch, laws=TWO, isolate=isolate) for isolate in (True, False)]
    assert reports[0] == reports[1]


def test_only_laws_that_apply_are_tried():
    report = check_reward(ours, laws=LAWS, isolate=False, examples=1)
    assert {finding.check for finding in report} == {
        law.name for law in LAWS if not law.kinds - {"pointwise"} or "pointwise" in law.kinds
    }


@pytest.mark.parametrize("reward", [3, None, rr.Accuracy, "Accuracy"])
def test_what_is_no_reward_is_refused(reward):
    with pytest.raises(TypeError, match="expected a reward"):
        check_reward(reward)


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no kind of reward is called 'acuracy'"):
        check_reward(ours, kind="acuracy")


def test_a_reward_that_hangs_is_stopped():
    report = check_reward(hangs, laws=TWO, patience_seconds=1.0)
    assert [finding.outcome for finding in report] == [Outcome.STOPPED] * 2
    assert report.failures[0].samples


def hangs(batch):
    while any("a" in sample.completion for sample in batch) or len(batch) > 2:
        time.sleep(0.01)
    return [0.0 for _ in batch]


def test_a_script_without_a_guard_ends():
    code = (
        "import rlrewards as rr\n"
        "from rlrewards.testing import check_reward\n"
        "from rlrewards.testing.laws.every import same_in_another_process as law\n"
        "print(check_reward(rr.ThinkFormat(), laws=[law]))\n"
    )
    guarded = code.replace("print(", "if __name__ == '__main__': print(")
    for text, skipped in ((code, 1), (guarded, 0)):
        done = run_script(text)
        assert done.returncode == 0, done.stderr
        assert f"{1 - skipped} checks, 0 failed, {skipped} skipped" in done.stdout


def run_script(text):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "script.py")
        path.write_text(text)
        return subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, timeout=120
        )


def test_the_law_of_other_processes_knows_an_unguarded_script_from_a_fault():
    report = check_reward(partial(ours), laws=[same_in_another_process], name="partial")
    assert [finding.outcome for finding in report] == [Outcome.PASSED]
