"""The laws of weighted sums: linear in the weights, and None is never 0."""

from __future__ import annotations

import ast
import asyncio
import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from rlrewards.core import Sample, bounds_of, is_grouped
from rlrewards.rewards.format import ThinkFormat
from rlrewards.rewards.repetition import DenseRepetition, RepetitionPenalty
from rlrewards.scoring import Missing, verifies
from rlrewards.stack import Stack, each, reward
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.laws.every import BATCH
from rlrewards.testing.strategies.batches import batches
from rlrewards.testing.subject import Broken, Subject

Batch = list[Sample]
STEPS = (0, 1, 7, 1000)
MISSING: tuple[Missing, ...] = ("abstain", "renormalize", "zero")


def silent(batch: Sequence[Sample]) -> list[float | None]:
    """Return no opinion on any sample."""
    return [None] * len(batch)


def moody(batch: Sequence[Sample]) -> list[float | None]:
    """Return no opinion on some samples, and 2.0 on the rest."""
    return [None if len(sample.completion) % 3 == 1 else 2.0 for sample in batch]


def one(batch: Sequence[Sample]) -> list[float | None]:
    """Return 1 for each sample."""
    return [1.0] * len(batch)


def _long(sample: Sample) -> float | None:
    """A gate with all three answers."""
    words = len(sample.completion.split())
    return None if words == 2 else float(words > 3) - (words == 0)


GATE = each(_long)


def _stack(subject: Subject) -> Stack:
    if not isinstance(subject.reward, Stack):
        raise NotApplicable("it is no Stack of this library")
    return subject.reward


def _weights(stack: Stack, step: int) -> list[float]:
    return [
        float(part.weight(step) if callable(part.weight) else part.weight) for part in stack.parts
    ]


def _expected(stack: Stack, batch: Batch, step: int) -> list[float | None]:
    """Return the totals, one sample at a time and in so many words."""
    weights = _weights(stack, step)
    columns = [_inner(part.reward, batch, step) for part in stack.parts]
    totals: list[float | None] = []
    for row in range(len(batch)):
        terms = [(w, column[row]) for w, column in zip(weights, columns, strict=True) if w != 0]
        known = [(w, score) for w, score in terms if score is not None]
        if stack.missing == "zero" or len(known) == len(terms):
            totals.append(sum(w * score for w, score in known))
        elif stack.missing == "abstain" or not known:
            totals.append(None)
        else:
            whole, present = (sum(abs(w) for w, _ in part) for part in (terms, known))
            totals.append(sum(w * score for w, score in known) * whole / present)
    return totals


def _inner(part: Any, batch: Batch, step: int) -> list[float | None]:
    if isinstance(part, Stack):
        return _expected(part, batch, step)
    return [None if score is None else float(score) for score in part(batch)]


def _close(found: Sequence[float | None], expected: Sequence[float | None]) -> bool:
    return len(found) == len(expected) and all(
        (a is None) == (b is None)
        and (a is None or b is None or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9))
        for a, b in zip(found, expected, strict=True)
    )


def _compare(what: str, found: Any, expected: Any, batch: Sequence[Sample]) -> None:
    ensure(_close(found, expected), f"{what}: {found}, expected {expected}", batch, found)


def _with_others(stack: Stack) -> list[Stack]:
    """Return stacks with this one in them: further parts, the three ways with a missing opinion."""
    others: dict[str, Any] = {
        "silent": (0.5, reward(silent)),
        "moody": (-0.25, reward(moody)),
        "nothing": (0.0, reward(silent)),
        "inner": (2.0, stack),
    }
    made = [stack]
    for missing in MISSING:
        made.append(Stack({part.name: (part.weight, part.reward) for part in stack.parts}
                          | {"moody": others["moody"]}, missing=missing))  # fmt: skip
        for left, right in itertools.combinations(others, 2):
            made.append(Stack({left: others[left], right: others[right]}, missing=missing))
    return made


@dataclass(frozen=True)
class Case:
    """A batch, a step, and which of the stacks around the subject."""

    batch: Batch
    step: int
    place: int

    def stack(self, subject: Subject) -> Stack:
        """Return the stack."""
        made = _with_others(_stack(subject))
        return made[self.place % len(made)]


def _cases(subject: Subject) -> st.SearchStrategy[Case]:
    return st.builds(Case, batches(subject), st.sampled_from(STEPS), st.integers(0, 18))


@law(
    "The total is the sum of weight times score, at each step; what is missing abstains, is left "
    "out of the weights, or is 0, as the stack says.",
    kinds="stack",
    cases=_cases,
    name="the weighted sum",
)
def _is_the_sum(subject: Subject, case: Case) -> None:
    stack = case.stack(subject)
    found = stack.score(case.batch, step=case.step)
    expected = _expected(stack, case.batch, case.step)
    _compare(f"{stack} at step {case.step}", found.totals(), expected, case.batch)
    _compare(f"{stack}", stack(case.batch), _expected(stack, case.batch, 0), case.batch)


@law(
    "Scores show the raw columns, the weights of the step, and contributions that make the total.",
    kinds="stack",
    cases=_cases,
    name="scores add up",
)
def _adds_up(subject: Subject, case: Case) -> None:
    stack, batch, step = case.stack(subject), case.batch, case.step
    scores = stack.score(batch, step=step)
    names = [part.name for part in stack.parts]
    ensure([*scores.columns] == [*scores.contributions] == [*scores.weights] == names,
           f"columns {[*scores.columns]} of parts {names}", batch)  # fmt: skip
    _compare("weights", [*scores.weights.values()], _weights(stack, step), batch)
    for part in stack.parts:
        column = [None if math.isnan(x) else x for x in scores.columns[part.name].tolist()]
        _compare(f"column {part.name}", column, _inner(part.reward, batch, step), batch)
    rows = zip(*(scores.contributions[name].tolist() for name in names), strict=True)
    sums = [None if any(map(math.isnan, row)) else math.fsum(row) for row in rows]
    if names:
        _compare("contributions", sums, scores.totals(), batch)
    ensure(scores.step == step and scores.fingerprint == stack.fingerprint(),
           "the scores name another step or configuration", batch)  # fmt: skip
    ensure([*stack.children()] == [part.reward for part in stack.parts], "children out of order")
    ensure(len(scores.to_records()) == len(scores) == len(batch), "a record for each", batch)
    ensure({*scores.nested} == {p.name for p in stack.parts if isinstance(p.reward, Stack)},
           f"nested scores of {[*scores.nested]}", batch)  # fmt: skip
    asked = any(verdict is not None for verdict in scores.verdicts)
    ensure(asked <= verifies(stack), f"verdicts {scores.verdicts}", batch)


@law(
    "Stacks scale, add and nest as sums do.",
    kinds="stack",
    cases=batches,
    name="the algebra of sums",
)
def _algebra(subject: Subject, batch: Batch) -> None:
    stack = _stack(subject)
    plain = stack(batch)

    def scaled(factor: float) -> list[float | None]:
        return [None if score is None else factor * score for score in plain]

    for factor in (2.0, -0.5, 0.0):
        product = [0.0 if factor == 0 else score for score in scaled(factor)]
        _compare(f"{factor} times", (factor * stack)(batch), product, batch)
        _compare(f"times {factor}", (stack * factor)(batch), product, batch)
    _compare("minus", (-stack)(batch), scaled(-1.0), batch)
    _compare("named", stack.named("inner")(batch), plain, batch)
    _compare("sum", sum([stack])(batch), plain, batch)  # type: ignore[operator]
    form = ThinkFormat()
    plus = [
        None if score is None else score + (extra or 0.0)
        for score, extra in zip(plain, form(batch), strict=True)
    ]
    inner = stack.named("inner")
    _compare("plus", (inner + form)(batch), plus, batch)
    _compare("plus", (form + inner)(batch), plus, batch)
    minus = [
        None if score is None else score - (extra or 0.0)
        for score, extra in zip(plain, form(batch), strict=True)
    ]
    _compare("difference", (inner - form.named("form"))(batch), minus, batch)
    ones = form.named("form") * (lambda step: 1.0 / (step + 1))
    _compare("a schedule", ones.score(batch, step=1).totals(),
             [None if score is None else score / 2 for score in form(batch)], batch)  # fmt: skip
    halved = Stack({"inner": (lambda step: 0.5 if step else 1.0, stack)})
    _compare("schedule", halved.score(batch, step=3).totals(), scaled(0.5), batch)
    if all(not callable(part.weight) and part.weight == 1 for part in stack.parts):
        falling = stack * (lambda step: 1.0 / (step + 1))
        _compare("scheduled", falling.score(batch, step=1).totals(), scaled(0.5), batch)


@law(
    "A part of weight zero changes nothing, whatever it says.",
    kinds="stack",
    cases=batches,
    name="weight zero is absent",
)
def _weight_zero(subject: Subject, batch: Batch) -> None:
    stack = _stack(subject)
    for missing in MISSING:
        parts: dict[str, Any] = {part.name: (part.weight, part.reward) for part in stack.parts}
        without = Stack(parts, missing=missing)
        beside = Stack(
            parts | {"zero": (0.0, reward(silent, bounds=(-5.0, 5.0)))},
            missing=missing,
        )
        _compare(f"missing={missing}", beside(batch), without(batch), batch)
        ensure(beside.bounds == without.bounds, f"bounds {beside.bounds}, {without.bounds} without")


@law("Totals lie within `bounds`, which are those of the parts, weighted.", kinds="stack",
     cases=_cases, name="bounds of the sum")  # fmt: skip
def _bounds(subject: Subject, case: Case) -> None:
    for made in (_stack(subject), case.stack(subject)):
        low, high = made.bounds
        for score in made(case.batch):
            within = score is None or low - 1e-9 <= score <= high + 1e-9
            ensure(within, f"scored {score}, outside of ({low:g}, {high:g}): {made}", case.batch)
    pair = Stack({"up": (2.0, reward(one, bounds=(-1.0, 3.0))),
                  "down": (-1.0, reward(one, name="two", bounds=(0.0, 1.0)))})  # fmt: skip
    ensure(pair.bounds == (-3.0, 6.0), f"bounds of 2·[−1, 3] − [0, 1] are {pair.bounds}")
    zero = Stack({p.name: (p.weight, p.reward) for p in pair.parts}, missing="zero")
    ensure(zero.bounds == (-3.0, 6.0), f"with zeros {zero.bounds}")
    ups = Stack({"up": (2.0, reward(one, bounds=(1.0, 3.0)))}, missing="zero")
    ensure(ups.bounds == (0.0, 6.0), f"with zeros 2·[1, 3] is {ups.bounds}")
    shared = Stack({p.name: (p.weight, p.reward) for p in pair.parts}, missing="renormalize")
    ensure(shared.bounds == (-3.0, 9.0), f"renormalized {shared.bounds}")
    timed = Stack({"up": (lambda step: 1.0, reward(one, bounds=(0.0, 1.0)))})
    ensure(timed.bounds == (-math.inf, math.inf), f"bounds of a schedule are {timed.bounds}")


@law(
    "Behind a gate a reward counts where the gate is above zero; elsewhere it is 0, and None where "
    "the gate has no opinion.",
    kinds="stack",
    cases=batches,
    name="gates",
)
def _gates(subject: Subject, batch: Batch) -> None:
    stack = _stack(subject)
    gates = GATE(batch)
    for bounds in ((1.0, 2.0), (-2.0, -1.0)):
        shut = reward(one, bounds=bounds).when(GATE)
        expected_bounds = (min(0.0, bounds[0]), max(0.0, bounds[1]))
        ensure(shut.bounds == expected_bounds, f"behind a gate {bounds} is {shut.bounds}")
    timed = Stack({"form": (lambda step: step + 1.0, reward(one))})
    ensure(timed.when(reward(one))(batch) == [1.0] * len(batch), "not at step 0", batch)
    parts: list[Any] = [item.reward for item in stack.parts]
    for part in (*parts, DenseRepetition(n=1), stack):
        shut = part.when(GATE)
        inner = _inner(part, batch, 0)
        expected = [
            None if gate is None else score if gate > 0 else 0.0
            for gate, score in zip(gates, inner, strict=True)
        ]
        _compare(f"{shut}", shut(batch), expected, batch)
        low, high = bounds_of(shut)
        ensure(low <= 0 <= high and low <= bounds_of(part)[0] and bounds_of(part)[1] <= high,
               f"bounds {shut.bounds} of {shut}")  # fmt: skip
        ensure(is_grouped(shut) == is_grouped(part), f"{shut} is grouped: {is_grouped(shut)}")
        ensure(is_grouped(ThinkFormat().when(part)) == is_grouped(part), "a grouped gate")
        ensure(shut.name == getattr(part, "name", ""), f"{shut} is named {shut.name!r}")


@law(
    "Per-token streams come through sums and gates: as they are, or as zeros where shut.",
    kinds="stack",
    cases=batches,
    name="streams come through",
)
def _streams(subject: Subject, batch: Batch) -> None:
    dense = DenseRepetition(n=1, gamma=0.5)
    inner = Stack({"deep": dense})
    made = Stack({"repetition": dense, "gated": dense.when(GATE), "outer": inner,
                  "form": ThinkFormat()})  # fmt: skip
    scores = made.score(batch)
    names = {"repetition", "gated", "outer.deep"}
    ensure({*scores.dense} == {*scores.gammas} == names, f"streams {[*scores.dense]}", batch)
    ensure({*scores.gammas.values()} == {0.5}, f"discounts {scores.gammas}", batch)
    expected = [stream.tolist() for stream in dense.dense(batch) if stream is not None]
    for row, gate in enumerate(GATE(batch)):
        for name in ("repetition", "outer.deep"):
            stream = scores.dense[name][row]
            found = None if stream is None else stream.tolist()
            ensure(found == expected[row], f"{name} is {found}, expected {expected[row]}", batch)
        shut = scores.dense["gated"][row]
        zeros = [0.0] * len(expected[row])
        wanted = None if gate is None else expected[row] if gate > 0 else zeros
        found = None if shut is None else shut.tolist()
        ensure(found == wanted, f"behind {gate} it is {found}, expected {wanted}", batch)


@law("Awaited, a stack scores as it does at once.", kinds="stack", name="the same awaited")
def _awaited(subject: Subject) -> None:
    stack, batch = _stack(subject), copy.deepcopy([*BATCH])

    async def slow(samples: Sequence[Sample]) -> list[float | None]:
        await asyncio.sleep(0)
        return moody(samples)

    waiting = Stack({"inner": (0.5, stack), "slow": (2.0, reward(slow)),
                     "gated": reward(slow, name="g").when(GATE),
                     "gate": ThinkFormat().when(reward(slow, name="h"))})  # fmt: skip
    at_once = Stack({"inner": (0.5, stack), "slow": (2.0, reward(moody)),
                     "gated": reward(moody, name="g").when(GATE),
                     "gate": ThinkFormat().when(reward(moody, name="h"))})  # fmt: skip
    expected = at_once(batch)
    ensure(waiting.waits and not at_once.waits, "a stack waits when some part does")
    _compare("ascore", asyncio.run(stack.ascore(batch)).totals(), stack(batch), batch)
    _compare("acall", asyncio.run(waiting.acall(batch)), expected, batch)
    _compare("called", waiting(batch), expected, batch)
    nested = Stack({"nested": waiting})
    _compare("nested", nested(batch), expected, batch)

    async def inside() -> list[float | None]:
        return waiting(batch)

    _compare("in a loop", asyncio.run(inside()), expected, batch)
    for gated in (p.reward for p in waiting.parts if p.name in ("gated", "gate")):
        _compare("gate", asyncio.run(gated.acall(batch)), gated(batch), batch)  # type: ignore[attr-defined]


@law(
    "Its TOML reads back as the same stack with the same fingerprint, and a changed weight changes "
    "the fingerprint.",
    kinds="stack",
    name="configuration reads back",
)
def _reads_back(subject: Subject) -> None:
    stack = _stack(subject)
    try:
        text = stack.to_toml()
    except ValueError as error:
        raise NotApplicable(str(error)) from error
    again = Stack.from_toml_text(text)
    ensure(again == stack, f"{again!r} was read for {stack!r}")
    ensure(again.fingerprint() == stack.fingerprint(), "its fingerprint changed")
    ensure((2 * stack).fingerprint() != stack.fingerprint() or not any(_weights(stack, 0)),
           "twice the stack has the same fingerprint")  # fmt: skip
    for missing in MISSING:
        made = Stack({"inner": (0.5, stack), "gated": (2, RepetitionPenalty().when(ThinkFormat()))},
                     missing=missing)  # fmt: skip
        read = Stack.from_toml_text(made.to_toml())
        ensure(read == made, f"{read!r} was read for {made!r}")
        ast.parse(repr(made), mode="eval")
        ensure(repr(made).endswith(f"missing={missing!r})") == (missing != "abstain"), repr(made))
        for part in made.parts:
            ensure(f"{part.name!r}: ({part.weight!r}, {part.reward!r})" in repr(made), repr(made))
    single = ThinkFormat().named("form")
    ensure(single.name == "form" and made.name == "stack", f"{single.name}, {made.name}")
    ensure(Stack.from_table({"rewards": {"form": {"type": "ThinkFormat"}}}) == single,
           "weight 1 and missing=abstain are the defaults of TOML")  # fmt: skip
    _refused("an unknown key", lambda: Stack.from_table({"reward": {}}))
    _refused("an unknown reward", lambda: Stack.from_table({"rewards": {"a": {"type": "B"}}}))


@law("Parts that make no sense are refused.", kinds="stack", name="nonsense is refused")
def _nonsense(subject: Subject) -> None:
    stack, form = _stack(subject), ThinkFormat()
    wrong: list[tuple[str, Any]] = [
        ("a NaN weight", lambda: Stack({"a": (math.nan, form)})),
        ("an infinite weight", lambda: Stack({"a": (math.inf, form)})),
        ("a weight of text", lambda: Stack({"a": ("1", form)})),  # type: ignore[dict-item]
        ("a dotted name", lambda: Stack({"a.b": form})),
        ("the name total", lambda: Stack({"total": form})),
        ("an empty name", lambda: Stack({"": form})),
        ("a name that is no text", lambda: Stack({1: form})),  # type: ignore[dict-item]
        ("one name twice", lambda: form.named("a") + form.named("a")),
        ("a class", lambda: Stack({"a": ThinkFormat})),  # type: ignore[dict-item]
        ("what cannot be called", lambda: Stack({"a": (1.0, 7)})),  # type: ignore[dict-item]
        ("a triple", lambda: Stack({"a": (1.0, form, 2)})),  # type: ignore[dict-item]
        ("a list of parts", lambda: Stack([form])),  # type: ignore[arg-type]
        ("an unknown missing", lambda: Stack({"a": form}, missing="x")),  # type: ignore[arg-type]
        ("two ways with missing", lambda: Stack({"a": form}, missing="zero") + stack.named("b")),
        ("a schedule on weights", lambda: Stack({"a": (2.0, form)}) * (lambda step: 1.0)),
        ("a schedule on schedules", lambda: Stack({"a": (abs, form)}) * (lambda step: 1.0)),
        ("adding 1", lambda: stack + 1),
        ("adding text", lambda: stack + "x"),  # type: ignore[operator]
        ("times text", lambda: stack * "x"),  # type: ignore[operator]
        ("no sample", lambda: stack.score(["text"])),  # type: ignore[list-item]
    ]
    for what, make in wrong:
        _refused(what, make)


def _refused(what: str, make: Any) -> None:
    try:
        made = make()
    except (ValueError, TypeError) as error:
        ensure(bool(str(error)), f"{what} is refused without a word")
        return
    raise Broken(f"{what} was taken: {made!r}")


@law(
    "Completions that are equal have totals that are equal to the last bit, so that a group of "
    "them has no advantage.",
    kinds="stack",
    cases=lambda subject: st.tuples(batches(subject, max_size=3), st.integers(2, 5)),
    name="no advantage over equals",
)
def _no_advantage(subject: Subject, case: tuple[Batch, int]) -> None:
    batch, copies = case
    for sample in batch:
        totals = subject(copy.deepcopy([sample] * copies))
        ensure(len({*totals}) == 1, f"equal completions scored {totals}", [sample], totals)


LAWS = (
    _is_the_sum,
    _adds_up,
    _algebra,
    _weight_zero,
    _bounds,
    _gates,
    _streams,
    _awaited,
    _reads_back,
    _nonsense,
    _no_advantage,
)
