"""Each law about rewards is broken by the reward made to break it, and told why."""

from __future__ import annotations

import multiprocessing
import random
from functools import partial

import broken_rewards as broken
import pytest
from broken_rewards import ByLength, ByText, of_words, stack_with

import rlrewards as rr
from rlrewards.testing.findings import Outcome
from rlrewards.testing.law import Effort
from rlrewards.testing.laws import LAWS
from rlrewards.testing.laws.stacks import moody
from rlrewards.testing.running import finding_of, run
from rlrewards.testing.subject import subject

COSINE = {"max_length": 20, "correct": (1.0, 0.5), "wrong": (-1.0, -0.5)}
OVERLONG = {"max_length": 20, "buffer": 10}
WORDS = {"kind": "repetition", "n": 3, "max_penalty": -1.0, "unit": "words"}
A_STEP = dict(OVERLONG, buffer=10)


def a_form(function, **facts):
    return subject(function, kind="format", **facts)


def by_length(score, kind, facts):
    return subject(ByLength(score, facts), kind=kind, **facts)


CASES = {
    "length in is length out": subject(broken.too_short),
    "finite or none": subject(broken.minus_zero),
    "inside bounds": subject(ByText(lambda sample: 2.0, bounds=(0.0, 1.0))),
    "order does not matter": subject(broken.beside_the_first),
    "splitting changes nothing": subject(broken.mean_of_batch),
    "equal samples equal scores": subject(broken.counts_up),
    "pickles": subject(broken.HoldsALock()),
    "same in another process": subject(broken.by_hash),
    "same in a thread": subject(broken.by_thread),
    "same in an event loop": subject(broken.runs_a_loop),
    "mutates nothing": subject(broken.writes_down),
    "touches nothing": subject(broken.prints),
    "parameters are refused or work": subject(broken.TakesAnything()),
    "parameters up to their edges": subject(
        broken.renamed(broken.NoLimits, "SoftOverlong")(max_length=20, buffer=10)
    ),
    "defaults as documented": subject(broken.OtherDefault()),
    "bounds as documented": subject(broken.NarrowBounds(), kind="strict_format"),
    "equal parameters, equal rewards": subject(broken.NeverEqual()),
    "being right pays": subject(broken.never, kind="accuracy"),
    "silence never scores": subject(broken.silence_is_gold, kind="accuracy"),
    "an opinion on every usual reference": subject(broken.numbers_only, kind="accuracy"),
    "the values as given": subject(broken.HalfRight(), kind="accuracy", correct=1.0, wrong=0.0),
    "what a verdict means": subject(
        broken.UndecidedIsWrong(), kind="accuracy", correct=1.0, wrong=0.0,
        verifier=rr.Verifier(),
    ),
    "letters are names": subject(broken.always_b, kind="choice"),
    "abstaining is no answer": subject(broken.any_letter, kind="choice"),
    "the letters as given": subject(
        broken.FourLetters(letters="ABCDEFGH"), kind="choice", letters="ABCDEFGH"
    ),
    "an answer equals itself": subject(broken.never_equal, kind="verifier"),
    "order of the two does not matter": subject(broken.at_most, kind="verifier"),
    "a false equation is no answer": subject(broken.last_part, kind="verifier"),
    "relations compare alike both ways": subject(broken.is_inside, kind="verifier"),
    "what is not known is asked for": subject(
        broken.OneForAll(), kind="group_length"
    ),
    "lengths are counted as told": subject(
        broken.ByCharacters(max_length=20, buffer=10), kind="overlong", length=None
    ),
    "tokens are counted by the tokenizer as told": subject(
        broken.CountsSpecialTokens(max_length=6, buffer=6), kind="overlong", length=None
    ),
    "words by any white space": subject(broken.ByBlanks(n=1), **WORDS),
    "a right one never gains by length": by_length(broken.longer_is_better, "length",
                                                   {"max_length": 20}),
    "a wrong one never loses by length": by_length(broken.wrong_is_short, "cosine", COSINE),
    "constant beyond the limit": by_length(broken.unclamped, "cosine", COSINE),
    "exact at both ends": by_length(broken.ends_missed, "cosine", COSINE),
    "no jumps": by_length(broken.overlong_step, "overlong", A_STEP),
    "the cosine of the paper": by_length(broken.straight, "cosine", COSINE),
    "the penalty of the paper": by_length(broken.overlong_late, "overlong", OVERLONG),
    "the length reward of the paper": subject(broken.whole_batch_group, kind="group_length"),
    "the share of repeated n-grams": subject(of_words(broken.by_letters), **WORDS),
    "long texts too": subject(of_words(broken.forgives_long_texts), **WORDS),
    "ids in any sequence": subject(broken.TuplesOnly(n=2), kind="dense_repetition"),
    "the function is the reward": subject(broken.AnotherDefault(), kind="dense_repetition"),
    "each repeated token once": subject(
        broken.LateStream(n=2), kind="dense_repetition", n=2, penalty=-0.05
    ),
    "nothing for nothing": subject(of_words(lambda units: -len(units)), **WORDS),
    "names do not matter": subject(of_words(broken.by_letters), **WORDS),
    "twice is no better than once": subject(of_words(broken.forgives_length), **WORDS),
    "case and spaces do not matter": subject(broken.with_case, **WORDS),
    "the form as defined": a_form(broken.includes_think, form="think"),
    "kept or not": subject(broken.graded_think, kind="strict_format"),
    "form pays": a_form(broken.never),
    "junk never raises a strict score": subject(broken.ends_in_junk, kind="strict_format"),
    "white space around does not matter": a_form(broken.starts_at_once),
    "nothing else matters": a_form(broken.likes_references),
    "distinct steps over the target": subject(broken.counts_markers, kind="reasoning", target=3),
    "short lines of many": subject(
        broken.counts_lines, kind="reasoning", min_steps=8, max_words=10
    ),
    "the weighted sum": subject(stack_with(score=broken._score_doubled), kind="stack"),
    "scores add up": subject(stack_with(score=broken._score_without_step), kind="stack"),
    "the algebra of sums": subject(
        stack_with(__neg__=lambda self: self * 1.0), kind="stack"
    ),
    "weight zero is absent": None,
    "bounds of the sum": subject(
        stack_with(bounds=property(lambda self: (0.0, 0.1))), kind="stack"
    ),
    "gates": subject(stack_with(when=lambda self, gate: rr.ThinkFormat().when(gate)),
                     kind="stack"),
    "streams come through": None,
    "the same awaited": subject(stack_with(ascore=broken._silent_wait), kind="stack"),
    "configuration reads back": subject(
        stack_with(to_toml=lambda self: rr.ThinkFormat().named("x").to_toml()), kind="stack"
    ),
    "nonsense is refused": subject(
        stack_with(__add__=lambda self, other: self), kind="stack"
    ),
    "no advantage over equals": subject(broken.counts_up, kind="stack"),
}  # fmt: skip
# These build stacks of their own; `benchmarks/mutation.py` shows that they break.
OWN_STACKS = {name for name, case in CASES.items() if case is None}
# These wait, or run what a completion says: see below and `test_laws_of_misuse`.
ELSEWHERE = {
    "bounded time",
    "bounded time in a thread",
    "compared in bounded time",
    "a completion is never executed",
    "refused when it is made",
}
LAW = {law.name: law for law in LAWS}
FORKS = "fork" in multiprocessing.get_all_start_methods()


def test_every_law_has_a_reward_that_breaks_it():
    assert {*CASES} | ELSEWHERE == {*LAW}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case is not None])
def test_it_is_broken(name):
    finding = finding_of(CASES[name], LAW[name], Effort(examples=100, seconds=60))
    assert finding.outcome is Outcome.FAILED, finding
    assert finding.why
    assert not finding.why.startswith(("KeyError", "AttributeError", "TypeError", "IndexError")), (
        finding.why
    )


@pytest.mark.skipif(not FORKS, reason="functions of a test go to a child by fork")
@pytest.mark.parametrize(
    ("name", "reward"),
    [
        ("bounded time", subject(broken.backtracks)),
        ("bounded time in a thread", subject(broken.sleeps_in_threads)),
        ("compared in bounded time", subject(broken.hangs_on_bombs, kind="verifier")),
    ],
)
def test_what_hangs_is_stopped(name, reward):
    (finding,) = run([(reward, LAW[name])], Effort(patience_seconds=3), isolate=True)
    assert finding.outcome is Outcome.STOPPED
    assert finding.samples


@pytest.mark.parametrize(
    ("reward", "why"),
    [
        (broken.zero_over_zero, "nan"),
        (broken.minus_zero, "−0.0"),
        (lambda batch: ["a"] * len(batch), "'a'"),
        (lambda batch: ["1.0"] * len(batch), "'1.0'"),
        (lambda batch: [10**400] * len(batch), "expected a number"),
        (lambda batch: 1.0, "float"),
        (lambda batch: {"a": 1.0}, "dict"),
        (lambda batch: [1 / 0 for _ in batch], "ZeroDivisionError"),
    ],
)
def test_finite_or_none_says_what_came(reward, why):
    finding = finding_of(subject(reward), LAW["finite or none"], Effort())
    assert finding.outcome is Outcome.FAILED
    assert why in finding.why


@pytest.mark.parametrize(
    "reward",
    [broken.draws, broken.seeds, broken.prints, broken.reads_a_file, broken.reads_a_path],
)
def test_touches_nothing_sees_each_way(reward):
    state = random.getstate()
    finding = finding_of(subject(reward), LAW["touches nothing"], Effort())
    assert finding.outcome is Outcome.FAILED
    assert len(finding.samples) == 1
    assert (random.getstate() == state) == (reward not in (broken.draws, broken.seeds))


@pytest.mark.parametrize("reward", [broken.empties_its_column, broken.edits_its_messages])
def test_mutates_nothing_sees_the_columns_of_trl(reward):
    finding = finding_of(subject(reward), LAW["mutates nothing"], Effort())
    assert finding.why == "changed completions"
    assert len(finding.samples) == 1


@pytest.mark.parametrize(
    "reward", [broken.NoEquality(), broken.NoEquality().scores, partial(broken.words_of, least=1)]
)
def test_identity_need_not_survive_pickle(reward):
    finding = finding_of(subject(reward), LAW["pickles"], Effort())
    assert finding.outcome is Outcome.PASSED, finding.why


def test_only_the_samples_whose_scores_differ_are_shown():
    finding = finding_of(subject(broken.by_thread_if_empty), LAW["same in a thread"], Effort())
    assert [sample.completion for sample in finding.samples] == [""]
    assert finding.why == "scored [1.0] in a thread, [0.0] in the main one"


@pytest.mark.parametrize("pattern", [broken.ON_LINES, broken.REASONING_TAGS])
def test_a_form_of_whole_lines_pays(pattern):
    told = subject(broken.Matches(pattern), kind="strict_format")
    for name in ("form pays", "kept or not"):
        finding = finding_of(told, LAW[name], Effort())
        assert finding.outcome is Outcome.PASSED, str(finding)


def test_a_form_of_ones_own_pays_where_it_is_shown():
    reward = broken.Matches(r"<plan>.*</plan>")
    finding = finding_of(subject(reward, kind="format"), LAW["form pays"], Effort())
    assert "say well_formed=" in finding.why
    told = subject(reward, kind="format", well_formed="<plan>a</plan>")
    assert finding_of(told, LAW["form pays"], Effort()).outcome is Outcome.PASSED


def test_a_penalty_without_a_floor():
    told = by_length(broken.no_floor, "overlong", OVERLONG)
    for name in ("constant beyond the limit", "the penalty of the paper"):
        assert finding_of(told, LAW[name], Effort()).outcome is Outcome.FAILED


def test_dividing_by_the_number_of_ngrams():
    told = subject(broken.divides_by_zero, **WORDS)
    finding = finding_of(told, LAW["the share of repeated n-grams"], Effort())
    assert "ZeroDivisionError" in finding.why
    assert len(finding.samples[0].completion.split()) < 3


def test_the_smallest_case_is_shown():
    told = by_length(broken.unclamped, "cosine", COSINE)
    finding = finding_of(told, LAW["constant beyond the limit"], Effort())
    assert [len(sample.token_ids) for sample in finding.samples] == [20, 21]


def test_moody_and_silent_are_what_the_stack_laws_need():
    batch = [rr.Sample("a"), rr.Sample("ab"), rr.Sample("abc")]
    assert moody(batch) == [None, 2.0, 2.0]
