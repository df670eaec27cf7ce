"""What the strategies draw is what they say, and shrinks to what one expects to read."""

import subprocess
import sys
from fractions import Fraction
from random import Random

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import rlrewards as rr
from rlrewards.testing import strategies
from rlrewards.testing.strategies import choices as choice_module
from rlrewards.testing.strategies import completions as completion_module
from rlrewards.testing.strategies import mathematics
from rlrewards.testing.strategies.completions import FAULTS, HEADING_FAULTS
from rlrewards.testing.strategies.mathematics import Interval, Polynomial, Root, forms, root_value

few = settings(max_examples=50, deadline=None, database=None,
               suppress_health_check=[*HealthCheck])  # fmt: skip
many = settings(few, max_examples=2000)
VERIFIER = rr.Verifier(form="any", budget_seconds=5.0)
# `strategies.choices` and `.completions` are functions; the modules of the same names are not lost.
assert callable(choice_module)
assert callable(completion_module)


def find(strategy, condition):
    """The smallest case, the same in every run."""
    how = settings(few, max_examples=2000, phases=(Phase.generate, Phase.shrink))
    return hypothesis.find(strategy, condition, settings=how, random=Random(0))


def anything(_):
    return True


def test_all_names_are_there():
    assert sorted(strategies.__all__) == [*strategies.__all__]
    for name in strategies.__all__:
        assert getattr(strategies, name).__doc__


def test_importing_them_loads_no_torch():
    code = (
        "import sys, rlrewards.testing as t\n"
        "assert 'hypothesis' not in sys.modules\n"
        "t.strategies.token_batches()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# ------------------------------------------------------------------------------------ completions


@few
@given(strategies.well_formed())
def test_well_formed_completions_have_the_form(completion):
    assert completion.well_formed
    assert rr.ThinkAnswerFormat(mode="strict")([rr.Sample(completion.text)]) == [1.0]
    assert completion.answer in completion.text
    assert completion.reasoning in completion.text


@few
@given(strategies.ill_formed())
def test_ill_formed_completions_have_not(completion):
    assert completion.fault in FAULTS
    assert not completion.well_formed
    assert rr.ThinkAnswerFormat(mode="strict")([rr.Sample(completion.text)]) == [0.0]


def test_every_fault_is_drawn():
    for fault in FAULTS:
        found = find(strategies.ill_formed(), lambda it, fault=fault: it.fault == fault)
        assert found.reasoning == "We add."
        assert found.answer == "4"


@few
@given(strategies.headed(), strategies.headed(faults=True))
def test_headings(good, bad):
    assert rr.HuatuoFormat()([rr.Sample(good.text), rr.Sample(bad.text)]) == [1.0, 0.0]
    assert bad.fault in HEADING_FAULTS


@few
@given(strategies.reasoning_texts(min_lines=2, max_lines=3))
def test_reasoning_has_lines_and_no_tags(text):
    assert 1 <= text.count("\n") <= 2
    assert not {"<", "#", "\\"} & {*text.replace("3 < 5", "")}


def test_minimal_completions():
    assert find(strategies.well_formed(), anything).text == (
        "<think>We add.</think><answer>4</answer>"
    )
    assert find(strategies.completions(), lambda text: "</think>" in text) == "</think>"
    assert find(strategies.reasoning_texts(), lambda text: "\n" in text) == "We add.\nWe add."
    one = find(strategies.well_formed(st.just("7")), lambda it: ">\n<" in it.text)
    assert one.text == "<think>We add.</think>\n<answer>7</answer>"


# ------------------------------------------------------------------------------------ mathematics


def number(value):
    """The size of a value, worked out apart from its writing."""
    return float(value) if isinstance(value, Fraction) else value.sign * float(value.square) ** 0.5


@few
@given(st.one_of(strategies.rationals(), strategies.roots()), st.data())
def test_plain_notation_of_a_number_has_its_value(value, data):
    form = data.draw(st.sampled_from(forms(value)))
    text = form.plain
    if form.form == "mixed number":
        whole, part = text.split()
        text = f"{whole}{'-' if whole.startswith('-') else '+'}{part}"
    if form.form == "percentage":
        text = text.replace("%", "/100")
    arithmetic = text.replace("sqrt(", "1*(1)*(").replace("^", "**")
    if "sqrt" in text:
        inside = text[text.index("(") + 1 : text.index(")")]
        arithmetic = arithmetic.replace(f"({inside})", f"({inside})**0.5")
    assert eval(arithmetic) == pytest.approx(number(value))


def test_forms_by_hand():
    assert [form.latex for form in forms(Fraction(-3, 2))] == [
        r"-\frac{3}{2}",
        r"-\frac{6}{4}",
        r"-\frac{9}{6}",
        "-1.5",
        "-1.500",
        r"-1\frac{1}{2}",
        r"-150\%",
    ]
    assert [form.unicode for form in forms(root_value(2, 3))] == ["2√3", "√12"]
    assert [form.plain for form in forms(root_value(-1, 8))] == ["-2*sqrt(2)", "-sqrt(8)"]
    assert [form.plain for form in forms(Polynomial((-1, 0, 2)))] == ["2x^2-1", "-1+2x^2"]
    assert forms(Polynomial((-1, 0, 2)))[0].unicode == "2x²−1"
    assert [form.latex for form in forms(Interval(-1, 2, True, False))] == [
        "[-1, 2)",
        r"-1 \le x < 2",
    ]
    assert [form.plain for form in forms(frozenset({Fraction(1), Fraction(1, 2)}))] == [
        "{1/2, 1}",
        "{1, 1/2}",
        "{1/2, 1, 1/2}",
    ]
    assert "percentage" not in {form.form for form in forms(Fraction(1, 2), percent=False)}
    with pytest.raises(TypeError, match="no value"):
        forms("1/2")


def test_values_are_equal_when_they_are():
    assert root_value(2, 3) == root_value(1, 12) == Root(Fraction(12), 1)
    assert root_value(-3, 4) == Fraction(-6)
    assert root_value(-1, 2) != root_value(1, 2)


def agree(pair):
    verdict = VERIFIER.verify(pair.left, pair.right)
    return (verdict.status is rr.Status.EQUAL) == pair.equal


@few
@given(strategies.equal_pairs())
def test_equal_pairs_are_equal(pair):
    assert pair.equal
    assert pair.left != pair.right
    assert agree(pair), pair


@few
@given(strategies.unequal_pairs())
def test_unequal_pairs_are_not(pair):
    assert not pair.equal
    assert agree(pair), pair


@pytest.mark.slow
@many
@given(st.one_of(strategies.equal_pairs(), strategies.unequal_pairs()))
def test_many_pairs(pair):
    assert agree(pair), pair


@pytest.mark.parametrize("kind", [Fraction, Root, Polynomial, Interval, frozenset])
def test_every_kind_of_value_is_drawn(kind):
    found = find(strategies.expressions(), lambda it: isinstance(it.value, kind))
    assert found.plain == {
        Fraction: "0",
        Root: "sqrt(2)",
        Polynomial: "x",
        Interval: "(0, 1)",
        frozenset: "{0, 1}",
    }[kind]  # fmt: skip


def test_minimal_pairs():
    found = find(strategies.unequal_pairs(), lambda pair: "[" in pair.left)
    assert (found.left, found.right, found.reason) == ("[0, 1)", "(0, 1)", "other left end")
    assert find(strategies.equal_pairs(), lambda pair: "%" in pair.right).equal
    assert mathematics.NOTATIONS == ("latex", "plain", "unicode")


# ---------------------------------------------------------------------------------------- choices


@few
@given(strategies.choices(right=True), strategies.choices(right=False))
def test_choices_name_their_letter(right, wrong):
    assert right.right
    assert not wrong.right
    reward = rr.ChoiceAccuracy()
    assert reward([right.sample, wrong.sample]) == [1.0, 0.0], (right, wrong)
    assert rr.extract(wrong.completion, options=wrong.question.options) is not None


@few
@given(strategies.abstentions())
def test_abstentions_name_none(choice):
    assert choice.letter is None
    assert rr.ChoiceAccuracy()([choice.sample]) == [0.0], choice
    for letter in choice.question.options:  # whichever is right: they never guess
        sample = choice.question._replace(right=letter).sample(choice.completion)
        assert rr.ChoiceAccuracy()([sample]) == [0.0], choice


@few
@given(strategies.questions(min_options=3, max_options=4))
def test_questions_show_their_options(question):
    assert 3 <= len(question.options) <= 4
    assert question.right in question.options
    for letter, text in question.options.items():
        assert f"{letter}. {text}" in question.prompt
    assert len({*question.options.values()}) == len(question.options)


def test_minimal_choices():
    assert find(strategies.choices(), anything).completion == "\\boxed{A}"
    found = find(strategies.abstentions(), lambda it: it.how == "two letters")
    assert found.completion == "The answer is A or B."


# ------------------------------------------------------------------------------------- repetition


def share_of(units, n):
    grams = [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]
    return Fraction(len(grams) - len({*grams}), len(grams)) if grams else Fraction(0)


@settings(few, max_examples=200)
@given(st.integers(1, 4).flatmap(strategies.repetitive))
def test_the_share_of_repetitions(found):
    assert found.share == share_of(found.units, found.n) == share_of(found.text.split(), found.n)


@few
@given(st.fractions(0, Fraction(19, 20), max_denominator=20), st.integers(1, 4), st.data())
def test_a_chosen_share(share, n, data):
    found = data.draw(strategies.at_share(share, n))
    assert found.share == share == share_of(found.units, n)


@pytest.mark.parametrize("share", [1, -0.1, 1.5, 1 / 2**0.5])
def test_a_share_that_cannot_be(share):
    with pytest.raises(ValueError, match="share is"):
        strategies.at_share(share)


def test_minimal_repetitions():
    assert find(strategies.repetitive(2), lambda it: it.share > 0).text == "a a a"
    assert find(strategies.at_share(0.5, 2), anything).text == "a a a"
    assert find(strategies.repetitive(1), lambda it: len(it.units) > 27).units[-1] >= 0


# ----------------------------------------------------------------------------------------- groups


@few
@given(strategies.sums())
def test_sums_say_what_is_right(batch):
    scores = rr.Accuracy()(batch)
    assert scores == [float(sample.extra["right"]) for sample in batch]
    assert all(sample.group == sample.prompt for sample in batch)


def test_minimal_groups():
    batch = find(strategies.sums(), lambda batch: any(s.extra["right"] for s in batch))
    assert [(s.prompt, s.completion) for s in batch] == [("0 + 2 = ?", "The answer is \\boxed{2}.")]
