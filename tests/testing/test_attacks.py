"""Every attack beats its bound on some weak reward, and on none of this library's."""

from __future__ import annotations

import pickle
import time

import pytest
from sound_rewards import SOUND
from weak_rewards import WEAK

import rlrewards as rr
from rlrewards.testing import ATTACKS, Effort, NotApplicable, Outcome, Trial, attack, subject
from rlrewards.testing.attack import NotAnswers, Twins, TwinTexts, WrongFor, filled, pair
from rlrewards.testing.envelopes import ENVELOPES, TOKEN_IDS, Envelope, best_envelope, best_form
from rlrewards.testing.parts import attack_facts, attack_kinds, with_parts
from rlrewards.testing.problems import CHOICES, PROBLEMS, Problem, problems_for
from rlrewards.testing.running import run
from rlrewards.testing.subject import Broken

BY_NAME = {attack.name: attack for attack in ATTACKS}
ECHO = BY_NAME["the question echoed"]


def paid(attacking, reward):
    """Return what an attack earned too much; nothing where it cannot be tried."""
    if not attacking.applies_to(reward):
        return []
    try:
        attacking.check(reward)
    except NotApplicable:
        return []
    except Broken as broken:
        return [broken]
    return []


# ---------------------------------------------------------------------------------------------
# What the whole is for


def test_there_are_some_forty_families_with_names_of_their_own():
    assert len(ATTACKS) >= 40
    assert len(BY_NAME) == len(ATTACKS)
    assert len({attack.statement for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attacking", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_beats_its_bound_on_a_weak_reward(attacking):
    found = (broken for weak in WEAK for broken in paid(attacking, weak))
    broken = next(found, None)
    assert broken is not None
    assert broken.why.startswith("earned")  # and not because the weak reward raised
    assert broken.scores[0] >= broken.scores[1]


@pytest.mark.parametrize("weak", WEAK, ids=lambda weak: f"{weak.name} {min(weak.kinds)}")
def test_every_weak_reward_is_beaten(weak):
    assert any(broken.why.startswith("earned") for a in ATTACKS for broken in paid(a, weak))


@pytest.mark.parametrize("sound", SOUND, ids=lambda sound: sound.name)
def test_no_attack_beats_a_reward_of_ours(sound):
    begun = time.process_time()
    attacks = [a for a in ATTACKS if not (sound.signature == "verl" and a is ECHO)]
    found = {a.name: paid(a, sound) for a in attacks}
    assert {name: str(broken[0]) for name, broken in found.items() if broken} == {}
    assert time.process_time() - begun < 10


def test_an_echo_pays_where_the_question_is_not_passed_on():
    (verl,) = (sound for sound in SOUND if sound.signature == "verl")
    assert paid(ECHO, verl)


@pytest.mark.parametrize("reward", [rr.Accuracy(), rr.ChoiceAccuracy()], ids=["accuracy", "choice"])
def test_no_bound_is_a_right_answer(reward):
    sound = subject(reward)
    for attacking in ATTACKS:
        if not attacking.applies_to(sound) or attacking.kinds & {"pointwise"}:
            continue
        for trial in attacking.trials(sound):
            score = sound.score(trial.honest)
            assert score is None or score == 0.0, (attacking.name, trial.honest)


@pytest.mark.parametrize("signature", ["trl", "verl"])
def test_attacks_on_answers_can_be_tried_on_every_signature(signature):
    (sound,) = (s for s in SOUND if s.signature == signature)
    ours = subject(rr.Accuracy())
    assert [a.name for a in ATTACKS if a.applies_to(sound)] == [
        a.name for a in ATTACKS if a.applies_to(ours)
    ]


def test_attacks_travel_to_other_processes():
    for attacking in ATTACKS:
        if isinstance(attacking.trials, Twins | TwinTexts | NotAnswers | WrongFor):
            assert pickle.loads(pickle.dumps(attacking)) == attacking


def test_the_trials_are_the_same_every_time():
    sound = subject(rr.Accuracy())
    for attacking in ATTACKS:
        if attacking.applies_to(sound):
            assert [*attacking.trials(sound)] == [*attacking.trials(sound)]


# ---------------------------------------------------------------------------------------------
# Attack


def shortest_wins(batch):
    return [1.0 / (1 + len(sample.completion)) for sample in batch]


def hangs(solution_str, ground_truth):
    if "9^" in solution_str:
        time.sleep(60)
    return 0.0


class TestAttack:
    def test_the_shortest_completion_that_pays_is_reported(self):
        @attack("Long ones.", kinds="pointwise")
        def _long_ones(found):
            for text in ("aaa", "a", "aa"):
                yield Trial(rr.Sample(text), rr.Sample("aaaaa"))

        with pytest.raises(Broken) as caught:
            _long_ones.check(subject(shortest_wins))
        assert [sample.completion for sample in caught.value.samples] == ["a", "aaaaa"]
        assert caught.value.scores == (0.5, pytest.approx(1 / 6))
        assert _long_ones.name == "long ones"

    def test_equal_scores_pass_unless_less_is_owed(self):
        def trials(strictly):
            return attack("Same.", kinds="pointwise")(
                lambda found: [Trial(rr.Sample("a"), rr.Sample("b"), strictly)]
            )

        trials(False).check(subject(shortest_wins))
        with pytest.raises(Broken, match="less than"):
            trials(True).check(subject(shortest_wins))

    def test_no_opinion_is_no_reward(self):
        nothing = subject(rr.each(lambda sample: None if sample.completion == "a" else 0.0))
        for texts in ("ab", "ba"):
            found = attack("None.", kinds="pointwise")(
                lambda found, texts=texts: [Trial(*map(rr.Sample, texts), strictly=True)]
            )
            found.check(nothing)

    def test_company_stands_behind_each_of_the_two(self):
        seen = []

        def counts(batch):
            seen.append([sample.completion for sample in batch])
            return [0.0] * len(batch)

        a, b, c, d = map(rr.Sample, "abcd")
        for trial in (Trial(a, b, company=(c,)), Trial(a, b, company=(c,), beside=(d,))):
            attack("Company.", kinds="pointwise")(lambda found, it=trial: [it]).check(
                subject(counts)
            )
        assert seen == [["a", "c"], ["b", "c"], ["a", "c"], ["b", "d"]]

    def test_it_asks_for_the_facts_that_it_needs(self):
        found = subject(shortest_wins, kind="length")
        with pytest.raises(NotApplicable, match="max_length="):
            BY_NAME["padding beyond the limit"].check(found)

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(ValueError, match="no kind"):
            attack("?", kinds="exactness")

    def test_one_that_never_ends_is_stopped(self):
        job = (subject(hangs, kind="accuracy"), BY_NAME["numbers too large to work out"])
        (finding,) = run([job], Effort(patience_seconds=1.0), isolate=True)
        assert finding.outcome is Outcome.STOPPED
        assert finding.group == "attack"


class TestTrials:
    def test_a_template_is_filled_twice(self):
        problem = Problem("6 times 7?", "42", ("36", "48", "13"))
        assert filled("{wrong}, {other}, \\boxed{{right}}", problem) == (
            "36, 48, \\boxed{42}",
            "36, 48, \\boxed{13}",
        )

    def test_twins_are_of_one_length(self):
        for trial in Twins(("{right} or {wrong}",))(subject(rr.Accuracy())):
            assert trial.attack.token_ids == trial.honest.token_ids == TOKEN_IDS
            assert len(trial.attack.completion) == len(trial.honest.completion)
            assert trial.attack.completion != trial.honest.completion

    def test_a_grouped_reward_has_something_to_compare_with(self):
        problem = PROBLEMS[0]
        assert not pair(subject(rr.Accuracy()), problem, "a", "b").company
        kimi = subject(rr.presets.kimi_k15())
        (sibling,) = pair(kimi, problem, "a", "b").company
        assert sibling.group == problem.prompt
        assert len(sibling.token_ids) > len(TOKEN_IDS)

    def test_answers_bring_their_own_box(self):
        sound = subject(rr.Accuracy() + rr.ThinkFormat())
        (trial, *_) = Twins(("$\\boxed{{right}}$",), boxed=False)(sound)
        assert trial.attack.completion.count("boxed") == 1
        assert sound.score(trial.attack) == 2.0

    def test_not_answers_ask_as_many_questions_as_told(self):
        sound = subject(rr.Accuracy())
        assert len([*NotAnswers(("?",))(sound)]) == len(PROBLEMS)
        assert len([*NotAnswers(("?",), questions=1)(sound)]) == 1


# ---------------------------------------------------------------------------------------------
# Envelopes and problems


class TestEnvelopes:
    def test_braces_around_the_answer_stay(self):
        form = Envelope("boxed", "{reasoning}: \\boxed{{answer}}")
        assert form.wrap("\\frac{1}{2}", "{answer}") == "{answer}: \\boxed{\\frac{1}{2}}"
        assert Envelope("bare", "{answer}").wrap("4", "never said") == "4"

    @pytest.mark.parametrize("form", ENVELOPES, ids=lambda form: form.name)
    def test_the_verifier_reads_every_form_but_the_bare_one(self, form):
        for problem in PROBLEMS:
            right = rr.grade(form.wrap(problem.right), problem.right)
            assert bool(right) == (form.name != "bare")
            assert not rr.grade(form.wrap(problem.wrong[0]), problem.right)

    def test_a_form_without_its_box(self):
        for form in ENVELOPES:
            assert "boxed" not in form.unboxed().template
            assert form.unboxed().wrap("$\\boxed{4}$") == form.wrap("4") or "boxed" not in (
                form.template
            )

    def test_marks_are_tags_and_headings_in_order(self):
        marks = {form.name: form.marks for form in ENVELOPES}
        assert marks["sentence"] == ()
        assert marks["think, answer"] == ("<think>", "</think>", "<answer>", "</answer>")
        assert marks["headings"] == ("## Thinking", "## Final Response")

    @pytest.mark.parametrize(
        ("reward", "name"),
        [
            (rr.Accuracy(), "sentence"),
            (rr.Accuracy() + rr.ThinkAnswerFormat(), "think, answer"),
            (rr.HuatuoFormat(), "headings"),
            (rr.presets.open_r1(), "think, answer"),
            (rr.presets.gazal_r1(max_length=100), "clinical"),
            (rr.ThinkFormat(prefilled_think=True), "prefilled"),
            (rr.presets.dapo(max_length=60, buffer=40), "sentence"),  # whatever their lengths
        ],
    )
    def test_the_best_form_is_what_a_right_answer_earns_most_in(self, reward, name):
        assert best_envelope(subject(reward)).name == name

    def test_a_closed_form_is_taken_where_it_earns_as_much(self):
        assert best_envelope(subject(rr.Accuracy()), closed=True).name == "boxed"
        hashes = subject(rr.each(lambda sample: float("####" in sample.completion)))
        assert best_envelope(hashes, closed=True).name == "hashes"

    def test_without_an_opinion_it_is_the_first(self):
        assert best_envelope(subject(rr.each(lambda sample: None))) is ENVELOPES[0]

    def test_a_form_for_letters_comes_with_a_question_for_letters(self):
        problem, form = best_form(subject(rr.GazalFormat()))
        assert (problem.options != (), form.name) == (True, "clinical")


class TestProblems:
    @pytest.mark.parametrize("problem", [*PROBLEMS, *CHOICES], ids=lambda p: p.prompt)
    def test_the_right_answer_is_right_and_the_others_are_not(self, problem):
        options = dict(problem.options) or None
        answers = [problem.right, *problem.wrong]
        verdicts = [rr.verify(answer, problem.right, options=options) for answer in answers]
        assert [*map(bool, verdicts)] == [True] + [False] * len(problem.wrong)
        assert len({*answers}) == len(answers) >= 4
        assert len(problem.wrong[-1]) == len(problem.right)

    def test_every_letter_is_right_once(self):
        assert sorted(problem.right for problem in CHOICES) == ["A", "B", "C", "D"]

    def test_letters_are_asked_of_what_reads_letters(self):
        choice = rr.ChoiceAccuracy()
        cosine = rr.CosineLength(max_length=100, verifier=choice.verifier)
        for reward in (choice, cosine, choice + rr.ThinkFormat()):
            assert problems_for(subject(reward)) is CHOICES
        assert problems_for(subject(rr.Accuracy())) is PROBLEMS


# ---------------------------------------------------------------------------------------------
# Parts


class TestParts:
    def test_a_stack_is_of_the_kinds_of_its_parts(self):
        stack = rr.Accuracy() + rr.SoftOverlong(max_length=9, buffer=3)
        found = subject(stack)
        assert found.kinds == {"stack", "pointwise"}  # as laws see it
        assert attack_kinds(found) == {"stack", "pointwise", "accuracy", "overlong", "length"}

    def test_parts_that_weigh_nothing_do_not_count(self):
        stack = rr.Accuracy() + 0.0 * rr.ThinkFormat() + -1.0 * rr.TagCount()
        assert "format" not in attack_kinds(subject(stack))
        assert len(with_parts(subject(stack))) == 2

    def test_two_formats_are_attacked_one_by_one(self):
        both = subject(rr.ThinkAnswerFormat() + rr.ThinkFormat())
        assert "strict_format" not in attack_kinds(both)
        assert "form" not in attack_facts(both)
        assert "strict_format" in attack_kinds(with_parts(both)[2])

    def test_formats_beside_reasoning_too(self):
        found = attack_kinds(subject(rr.ThinkFormat() + rr.ChainOfDraft()))
        assert found & {"format", "strict_format", "reasoning"} == {"reasoning"}

    def test_a_gate_hides_nothing(self):
        gated = rr.Accuracy().when(rr.ThinkFormat())
        assert "accuracy" in attack_kinds(subject(gated))

    def test_nested_stacks_are_opened(self):
        stack = rr.Accuracy() + rr.presets.open_r1().named("inner")
        names = [found.name for found in with_parts(subject(stack, name="s"))]
        assert names[:3] == ["s", "s.accuracy", "s.inner"]
        assert "s.inner.tag_count" in names

    def test_the_largest_limit_is_the_limit(self):
        limits = (rr.SoftOverlong(max_length=n, buffer=3).named(f"to {n}") for n in (9, 30, 20))
        assert attack_facts(subject(sum(limits)))["max_length"] == 30
        assert attack_facts(subject(shortest_wins, max_length=5))["max_length"] == 5
