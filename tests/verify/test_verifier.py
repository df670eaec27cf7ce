"""The configured verifier: statuses, memory, pickling, echoes, and any thread or process."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import fields, replace

import pytest

import rlrewards as rr
from rlrewards import Status
from rlrewards.config import fingerprint, parse_stack
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.verifier import default_verifier

SAMPLES = [
    rr.Sample(r"<think>1</think> \boxed{\frac12}", reference="0.5"),
    rr.Sample("The answer is 7.", reference="8"),
    rr.Sample("no idea", reference="8"),
    rr.Sample("#### 5", reference=None),
    rr.Sample("The answer is (B).", reference="B", options={"A": "x", "B": "y"}),
    rr.Sample(r"\boxed{9^{9^{9^9}}}", reference="81"),
]
# Values other than the defaults, where `not default` is none.
OTHERS = {
    "rel_tol": 0.01, "significant": 3, "reference_digits": None, "answer_digits": 6, "form": "any",
    "units": "required", "log_base": "e",
}  # fmt: skip
EXPECTED = ["EQUAL", "DIFFERENT", "NO_ANSWER", "NO_REFERENCE", "EQUAL"]


def statuses(_=None):
    """Grade in whatever thread or process this is called in."""
    verdicts = rr.Verifier(budget_seconds=1.0).verdicts([replace(s) for s in SAMPLES])
    return [verdict.status.value for verdict in verdicts]


class TestStatus:
    @pytest.mark.parametrize("reference", [None, "", "  ", [], [""], ()])
    def test_only_an_empty_reference_is_no_reference(self, reference):
        assert rr.verify("5", reference).status is Status.NO_REFERENCE
        assert rr.grade("5", reference).status is Status.NO_REFERENCE

    @pytest.mark.parametrize("answer", [None, "", " \n"])
    def test_an_empty_answer_is_no_answer(self, answer):
        assert rr.verify(answer, "5").status is Status.NO_ANSWER

    def test_several_references_and_the_most_hopeful_verdict(self):
        assert rr.verify("5", ["4", "5"]).status is Status.EQUAL
        assert rr.verify("6", ["4", "5"]).status is Status.DIFFERENT
        assert rr.verify("dog", ["5", "cat"]).status is Status.UNDECIDED

    def test_a_remembered_verdict_shows_the_reference_that_was_given(self):
        assert rr.verify("5", "5").reference == "5"
        assert rr.verify("5", ["", "5"]).reference == ("", "5")
        assert rr.verify("5", ("5",)).reference == ("5",)

    def test_numbers_are_references_too_and_nan_is_none(self):
        assert rr.grade("A: 4", 4)
        assert rr.grade("A: 2.5", [2.5, 3])
        assert rr.verify("4", float("nan")).status is Status.NO_REFERENCE
        for nonsense in (b"4", {"a": 1}, object(), True):
            with pytest.raises(TypeError, match="text, a number"):
                rr.verify("4", nonsense)

    def test_options_may_be_numbers_and_empty_options_are_none(self):
        assert rr.grade("The answer is (B).", "B", options={"A": 3, "B": 4})
        assert rr.grade("The answer is 4.", "4", options={})
        assert rr.Verifier(letters="AB").grade("The answer is (B).", "B", options={})

    def test_a_verdict_is_true_when_equal(self):
        assert bool(rr.verify("5", "5")) is True
        assert bool(rr.verify("6", "5")) is False

    def test_a_verdict_as_plain_data(self):
        assert rr.verify("5", ("5", "6")).to_dict() == {
            "status": "EQUAL", "tier": "string", "why": "the same text", "answer": "5",
            "reference": ["5", "6"],
        }  # fmt: skip


class TestConfiguration:
    def test_is_a_value(self):
        assert rr.Verifier() == rr.Verifier()
        assert hash(rr.Verifier()) == hash(rr.Verifier())
        assert rr.Verifier(lenient=True) != rr.Verifier()

    def test_shows_what_differs_from_the_defaults_and_can_be_pasted_back(self):
        assert repr(rr.Verifier()) == "Verifier()"
        verifier = rr.Verifier(lenient=True, form="any", reasoning_tags=("[", "]"), fuzzy=95)
        assert repr(verifier).startswith("Verifier(form='any', reasoning_tags=('[', ']')")
        assert eval(repr(verifier), {"Verifier": rr.Verifier}) == verifier

    @pytest.mark.parametrize("name", [item.name for item in fields(Conventions)])
    def test_every_convention_is_a_keyword_that_reaches_the_ladder(self, name):
        default = getattr(rr.Verifier(), name)
        other = OTHERS.get(name, not default)
        verifier = rr.Verifier(**{name: other})
        assert getattr(verifier._terms(None).conventions, name) == other != default
        assert verifier != rr.Verifier()
        assert hash(verifier) == hash(rr.Verifier(**{name: other}))
        assert pickle.loads(pickle.dumps(verifier))._terms(None).conventions == (
            verifier._terms(None).conventions
        )
        assert replace(verifier, **{name: default}) == rr.Verifier()
        assert fingerprint(verifier) != fingerprint(rr.Verifier())
        stack = rr.Stack({"a": rr.Accuracy(verifier=verifier)})
        assert parse_stack(stack.to_toml(), rr.Stack) == stack

    @pytest.mark.parametrize("name", [item.name for item in fields(rr.Verifier) if item.init])
    def test_every_keyword_is_explained(self, name):
        assert f"\n        {name}: " in rr.Verifier.__doc__

    def test_pickles_without_its_cache(self):
        verifier = rr.Verifier(rel_tol=0.5)
        verifier.grade("A: 5", "5")
        copy = pickle.loads(pickle.dumps(verifier))
        assert copy == verifier
        assert copy.grade("A: 5", "5")

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"budget_seconds": 0}, "budget_seconds must be a finite number >= 0.001, got 0"),
            ({"budget_seconds": float("nan")}, "budget_seconds must be a finite number"),
            ({"rel_tol": -0.1}, "rel_tol must be a finite number >= 0 <= 0.5, got -0.1"),
            ({"significant": 0}, "significant must be a whole number >= 1, got 0"),
            ({"cache_size": -1}, "cache_size must be a whole number >= 0, got -1"),
            ({"reasoning_tags": ("", "</think>")}, "two non-empty strings"),
            ({"form": "all"}, "form must be 'numeral' or 'any', got 'all'"),
            ({"units": ""}, "units must be 'optional' or 'required', got ''"),
            ({"log_base": "2"}, "log_base must be '10' or 'e', got '2'"),
            ({"answer_digits": 0}, "answer_digits must be a whole number >= 1, got 0"),
            ({"reference_digits": -3}, "reference_digits must be a whole number >= 1"),
            ({"fuzzy": 0}, "fuzzy must be a finite number >= 50 <= 101, got 0"),
        ],
    )
    def test_nonsense_says_what_is_allowed(self, parameters, message):
        with pytest.raises(ValueError, match=message):
            rr.Verifier(**parameters)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"prefilled_think": "no"}, "prefilled_think must be True or False, got 'no'"),
            ({"lenient": 1}, "lenient must be True or False"),
            ({"percent": 1}, "percent must be True or False, got 1"),
            ({"refuse_echoes": None}, "refuse_echoes must be True or False, got None"),
            ({"log_base": 10}, "log_base must be '10' or 'e', got 10"),
            ({"form": ["any"]}, r"form must be 'numeral' or 'any', got \['any'\]"),
            ({"significant": 2.0}, "significant must be a whole number >= 1, got 2.0"),
            ({"letters": 3}, "letters must be a str, got 3"),
            ({"cache_size": 1.5}, "cache_size must be a whole number"),
            ({"reasoning_tags": "ab"}, "reasoning_tags must be a sequence"),
        ],
    )
    def test_a_wrong_type_says_what_is_allowed(self, parameters, message):
        with pytest.raises(TypeError, match=message):
            rr.Verifier(**parameters)

    def test_lists_become_tuples(self):
        verifier = rr.Verifier(reasoning_tags=["[R]", "[/R]"])
        assert verifier == rr.Verifier(reasoning_tags=("[R]", "[/R]"))
        assert hash(verifier)

    def test_lenient_letters_and_prefilled(self):
        assert rr.Verifier(lenient=True).grade("it comes to 5", "5")
        assert rr.Verifier(letters="ABC").grade("The answer is (C).", "C").tier is rr.Tier.CHOICE
        assert rr.Verifier(prefilled_think=True).grade("A: 5", "5").status is Status.NO_ANSWER


class TestCache:
    def test_is_bounded_and_can_be_cleared(self):
        verifier = rr.Verifier(cache_size=2)
        for answer in ("1/2", "1/3", "1/4", "1/6"):
            verifier.verify(answer, "1/5")
        assert len(verifier._cache._items) == 2
        verifier.clear_cache()
        assert not verifier._cache._items

    def test_a_hit_gives_the_same_verdict(self):
        verifier = rr.Verifier()
        assert verifier.verify("1/2", "0.5") is verifier.verify("1/2", "0.5")

    def test_undecided_is_not_remembered(self):
        verifier = rr.Verifier()
        verifier.verify("dog", "cat")
        assert not verifier._cache._items

    def test_can_be_switched_off(self):
        verifier = rr.Verifier(cache_size=0)
        assert verifier.verify("1/2", "2/4")
        assert not verifier._cache._items

    def test_plain_numbers_take_no_place_in_it(self):
        verifier = rr.Verifier()
        assert verifier.verify("5.0", "5")
        assert not verifier._cache._items

    def test_the_default_verifier_is_shared(self):
        assert rr.Accuracy().verifier is default_verifier()


class TestEcho:
    PROMPT = r"Simplify $\frac{6}{8}+x$. Then evaluate $2^{10}$ if n=3."

    def test_a_formula_of_the_prompt_is_no_answer(self):
        assert rr.verify("n=3", "3", prompt=self.PROMPT).status is Status.DIFFERENT
        verdict = rr.verify("2^{10}", "1024", prompt=self.PROMPT)
        assert (verdict.status, verdict.why) == (Status.DIFFERENT, "echo")

    def test_unless_it_is_the_reference_itself(self):
        assert rr.verify("n=3", "n=3", prompt=self.PROMPT)

    def test_a_number_is_never_an_echo(self):
        assert rr.verify("1/2", "0.5", prompt="Is $1/2$ more than 0.4?")


class TestGradeMany:
    PAIRS = [("A: 1", "1"), ("A: 2", "1"), ("?", "1")] * 5

    @pytest.mark.parametrize("workers", [1, 4])
    def test_keeps_the_order_and_tells_its_progress(self, workers):
        seen = []
        verdicts = rr.Verifier().grade_many(self.PAIRS, workers=workers, progress=seen.append)
        assert [v.status.value for v in verdicts] == ["EQUAL", "DIFFERENT", "NO_ANSWER"] * 5
        assert seen == list(range(1, 16))

    def test_needs_a_worker(self):
        with pytest.raises(ValueError, match="at least 1, got 0"):
            rr.Verifier().grade_many([], workers=0)


class TestAnywhere:
    """The same verdicts in every kind of thread and process, the tower within its budget."""

    def test_main_thread(self):
        assert statuses()[:5] == EXPECTED
        assert statuses()[5] in ("DIFFERENT", "UNDECIDED")

    def test_worker_thread(self):
        with ThreadPoolExecutor(2) as pool:
            assert [*pool.map(statuses, range(2))] == [statuses()] * 2

    def test_event_loop(self):
        async def direct():
            return statuses()

        assert asyncio.run(direct()) == statuses()
        assert asyncio.run(asyncio.to_thread(statuses)) == statuses()

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_process_pool(self, method):
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(statuses).result(timeout=60) == statuses()
