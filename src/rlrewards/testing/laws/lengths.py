"""The laws of rewards that depend on the length."""

from __future__ import annotations

import math
import tempfile
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from rlrewards.core import Sample, is_grouped
from rlrewards.testing import definitions
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.sized import answer_of, least_of, limit_of, problem_of, sized
from rlrewards.testing.subject import Broken, Subject

CLOSE = 1e-9


def _lengths(subject: Subject) -> st.SearchStrategy[int]:
    """Lengths of all kinds: short, around every joint, and far beyond the limit."""
    limit, least = limit_of(subject), least_of(subject)
    facts = subject.facts
    joints = [least, limit, limit - facts.get("margin_tokens", 0), limit - facts.get("buffer", 0)]
    near = [joint + step for joint in joints for step in (-1, 0, 1) if joint + step >= least]
    return (
        st.integers(least, max(least, limit))
        | st.sampled_from(sorted(set(near)))
        | st.sampled_from([max(least, k * limit) for k in (2, 3, 10)])
        | st.integers(max(least, limit), max(least, 4 * limit))
    )


def _two_lengths(subject: Subject) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(_lengths(subject), _lengths(subject)).map(lambda pair: (min(pair), max(pair)))


def _ends_early(subject: Subject) -> int | None:
    """Return the length from which the fact `exceed` takes over, or None."""
    if subject.facts.get("exceed") is None:
        return None
    return limit_of(subject) - int(subject.facts.get("margin_tokens", 0))


def _pair(subject: Subject, name: str) -> tuple[float, float] | None:
    pair = subject.facts.get(name)
    return None if pair is None else (float(pair[0]), float(pair[1]))


def _scores(subject: Subject, right: bool, *lengths: int) -> tuple[list[Sample], list[float]]:
    samples = [sized(subject, n, right=right) for n in lengths]
    scores = [subject.score(sample) for sample in samples]
    for sample, score in zip(samples, scores, strict=True):
        if score is None:
            raise Broken("has no opinion on an answer that can be read", [sample], [score])
    return samples, [float(score) for score in scores if score is not None]


@law(
    "A right completion never gains by being longer, at any length.",
    kinds="length",
    needs=["max_length"],
    cases=_two_lengths,
    name="a right one never gains by length",
)
def _right_never_gains(subject: Subject, lengths: tuple[int, int]) -> None:
    pair = _pair(subject, "correct")
    if pair is not None and pair[0] < pair[1]:
        raise NotApplicable("correct= rises with the length")
    early = _ends_early(subject)
    if early is not None and lengths[0] < early <= lengths[1]:
        return  # the exceed value may be anything
    samples, (short, long) = _scores(subject, True, *lengths)
    ensure(
        long <= short + CLOSE,
        f"scored {short:g} at length {lengths[0]} and {long:g} at length {lengths[1]}",
        samples,
        [short, long],
    )


@law(
    "A wrong completion never loses by being longer, up to the limit.",
    kinds="cosine",
    needs=["max_length"],
    cases=_two_lengths,
    name="a wrong one never loses by length",
)
def _wrong_never_loses(subject: Subject, lengths: tuple[int, int]) -> None:
    pair = _pair(subject, "wrong")
    if pair is not None and pair[0] > pair[1]:
        raise NotApplicable("wrong= falls with the length")
    early = _ends_early(subject)
    if early is not None and lengths[1] >= early:
        return
    samples, (short, long) = _scores(subject, False, *lengths)
    ensure(
        long >= short - CLOSE,
        f"scored {short:g} at length {lengths[0]} and {long:g} at length {lengths[1]}",
        samples,
        [short, long],
    )


def _beyond(subject: Subject) -> st.SearchStrategy[tuple[int, bool]]:
    limit = limit_of(subject)
    longer = st.integers(limit + 1, 5 * limit + 5) | st.sampled_from([2 * limit, 3 * limit])
    return st.tuples(longer, st.booleans())


@law(
    "Beyond the limit the length no longer matters.",
    kinds="length",
    needs=["max_length"],
    cases=_beyond,
    name="constant beyond the limit",
)
def _constant_beyond(subject: Subject, case: tuple[int, bool]) -> None:
    n, right = case
    at = limit_of(subject) + (subject.facts.get("buffer") == 0)  # a step comes behind the limit
    at = max(at, least_of(subject))
    samples, (limit_score, score) = _scores(subject, right, at, max(n, at))
    ensure(
        math.isclose(limit_score, score, abs_tol=CLOSE),
        f"scored {limit_score:g} at length {at} and {score:g} at length {n}",
        samples,
        [limit_score, score],
    )


@law(
    "A completion of length 0 and one at the limit have exactly the values they are given.",
    kinds="cosine",
    needs=["max_length", "correct", "wrong"],
    name="exact at both ends",
)
def _exact_ends(subject: Subject) -> None:
    limit, early = limit_of(subject), _ends_early(subject)
    for right, name in ((True, "correct"), (False, "wrong")):
        first, last = _pair(subject, name) or (0.0, 0.0)
        if early is not None:
            last = float(subject.facts["exceed"])
        expected = [(limit, last)]
        if least_of(subject) == 0 and (early is None or early > 0):
            expected.append((0, first))
        for n, value in expected:
            samples, (score,) = _scores(subject, right, n)
            ensure(score == value, f"scored {score!r} at length {n}, expected {value!r}",
                   samples, [score])  # fmt: skip


@law(
    "One token more or less changes the score by little: there is no jump but the documented ones.",
    kinds="length",
    needs=["max_length"],
    cases=_lengths,
    name="no jumps",
)
def _continuous(subject: Subject, n: int) -> None:
    step = _steepest(subject)
    if step is None:
        raise NotApplicable("a step function jumps, or the values are not known")
    early = _ends_early(subject)
    if early is not None and n < early <= n + 1:
        return
    for right in (True, False):
        samples, (here, there) = _scores(subject, right, n, n + 1)
        ensure(abs(here - there) <= step + CLOSE,
               f"jumped from {here:g} at length {n} to {there:g} at length {n + 1}",
               samples, [here, there])  # fmt: skip


def _steepest(subject: Subject) -> float | None:
    """Return by how much one token can change the score."""
    limit = limit_of(subject)
    if "cosine" in subject.kinds:
        pairs = [_pair(subject, name) for name in ("correct", "wrong")]
        if None in pairs:
            return None
        return max(abs(a - b) for a, b in filter(None, pairs)) * math.pi / 2 / limit
    buffer = subject.facts.get("buffer")
    return 1.0 / buffer if buffer else None


def _cosine_cases(subject: Subject) -> st.SearchStrategy[tuple[int, bool]]:
    return st.tuples(_lengths(subject), st.booleans())


@law(
    "The score is that of its definition: Yeo et al. 2025, App. C.1.",
    kinds="cosine",
    needs=["max_length", "correct", "wrong"],
    cases=_cosine_cases,
    name="the cosine of the paper",
)
def _is_the_cosine(subject: Subject, case: tuple[int, bool]) -> None:
    n, right = case
    if subject.facts.get("clamp") is False:
        raise NotApplicable("clamp=False is another reward")
    names = ("max_length", "correct", "wrong", "exceed", "margin_tokens")
    known: Any = {name: subject.facts[name] for name in names if name in subject.facts}
    samples, (score,) = _scores(subject, right, n)
    expected = definitions.cosine(n, right, **known)
    ensure(
        math.isclose(score, expected, abs_tol=CLOSE),
        f"scored {score!r} at length {n}, by definition {expected!r}",
        samples,
        [score],
    )


@law(
    "The score is that of its definition: DAPO, eq. 13, from 0 down to −1 and no lower.",
    kinds="overlong",
    needs=["max_length", "buffer"],
    cases=_cosine_cases,
    name="the penalty of the paper",
)
def _is_the_penalty(subject: Subject, case: tuple[int, bool]) -> None:
    n, right = case
    samples, (score,) = _scores(subject, right, n)
    expected = definitions.overlong(
        n, max_length=limit_of(subject), buffer=int(subject.facts["buffer"])
    )
    ensure(
        math.isclose(score, expected, abs_tol=CLOSE),
        f"scored {score!r} at length {n}, by definition {expected!r}",
        samples,
        [score],
    )


def _groups(subject: Subject) -> st.SearchStrategy[list[tuple[str, int, bool]]]:
    least = least_of(subject)
    member = st.tuples(st.sampled_from("pq"), st.integers(least, least + 12), st.booleans())
    return st.lists(member, min_size=1, max_size=7)


@law(
    "The score is that of its definition, within the group of each prompt: Kimi k1.5, §2.3.3.",
    kinds="group_length",
    cases=_groups,
    name="the length reward of the paper",
)
def _is_the_group_reward(subject: Subject, group: list[tuple[str, int, bool]]) -> None:
    batch = [sized(subject, n, right=right, group=prompt) for prompt, n, right in group]
    if not subject.takes_everything:  # other signatures know groups by their prompts
        batch = [
            Sample(s.completion, s.reference, f"{prompt}: {s.prompt}", s.token_ids, group=prompt)
            for s, (prompt, *_) in zip(batch, group, strict=True)
        ]
    scores = subject(batch)
    for prompt in {name for name, *_ in group}:
        rows = [i for i, (name, *_) in enumerate(group) if name == prompt]
        expected = definitions.group_length(
            [group[i][1] for i in rows], [group[i][2] for i in rows]
        )
        for row, value in zip(rows, expected, strict=True):
            score = scores[row]
            ensure(
                score is not None and value is not None and math.isclose(score, value,
                                                                         abs_tol=CLOSE),
                f"scored {score}, by definition {value:g}: lengths and right answers of its prompt "
                f"are {[group[i][1:] for i in rows]}",
                batch,
                scores,
            )  # fmt: skip


@law(
    "A group is the sample's `group`, or else its prompt; a sample with neither is refused, and so "
    "is a length that nobody told how to count.",
    kinds=["length", "group_length"],
    name="what is not known is asked for",
)
def _asks(subject: Subject) -> None:
    if not subject.takes_everything or not hasattr(subject.reward, "length"):
        raise NotApplicable("it is no length reward of this library")
    ids = (1, 2, 3)
    problem = problem_of(subject)
    answer = answer_of(problem, right=True)
    whole = Sample("well, " + answer, problem.right, "6 · 7", token_ids=ids, group="p")
    if "group_length" in subject.kinds:
        ensure(is_grouped(subject.reward), "it compares within a group and does not say so")
        shorter = replace(whole, token_ids=(1,), completion=answer)
        pair = [whole, shorter]
        by_prompt = [replace(sample, group=None) for sample in pair]
        apart = [by_prompt[0], replace(by_prompt[1], prompt="7 · 6")]
        ensure(subject(by_prompt) == subject(pair), "prompts are no groups to it", by_prompt)
        ensure(subject(apart) == [0.0, 0.0], "two prompts are one group to it", apart)
        named = [replace(whole, prompt=None), replace(shorter, group="q", prompt=None)]
        ensure(subject(named) == [0.0, 0.0], "two groups are one to it", named)
        _is_refused(subject, replace(whole, group=None, prompt=None), "neither group nor prompt")
    untold = replace(whole, token_ids=None)
    if subject.facts.get("length") is None:
        _is_refused(subject, untold, "no token ids")
    else:
        subject([untold])


def _is_refused(subject: Subject, sample: Sample, what: str) -> None:
    try:
        score = subject.reward([sample])
    except ValueError as error:
        ensure("sample 0" in str(error), f"{what}: refused without saying which: {error}")
        return
    raise Broken(f"{what}: scored {score} where a ValueError was due", [sample], score)


@law(
    "`length=` counts as it says: words by white space, or what a function returns, which must be "
    "a whole number of at least 0; token ids win over both.",
    kinds=["length", "group_length"],
    name="lengths are counted as told",
)
def _counted(subject: Subject) -> None:
    if not is_dataclass(subject.reward) or not hasattr(subject.reward, "length"):
        raise NotApplicable("it has no length=")
    reward: Any = subject.reward
    problem = problem_of(subject)
    answer = answer_of(problem, right=True)
    short, long = (
        Sample(text, problem.right, "6 · 7", token_ids=range(n), group="p")
        for n, text in ((1, answer), (4, f"well  well\nwell, {answer} "))
    )
    told = subject([short, long])
    plain = [replace(sample, token_ids=None) for sample in (short, long)]

    def counting(length: Any) -> Any:
        made: Any = replace(reward, length=length)
        return made

    for length in ("words", _words):
        scores = counting(length)(plain)
        ensure(scores == told, f"length={length} gives {scores}, token ids {told}", plain, scores)
    odd = counting(_one)([short, long])
    ensure(odd == told, "token ids do not win over length=", [short, long], odd)
    for wrong in (_negative, _broken_number, _truth):
        try:
            found = counting(wrong)(plain)
        except TypeError:
            continue
        raise Broken(f"length= returned {wrong('')!r}, and it scored {found}", plain, found)
    counting(_nothing)(plain)


@law(
    "`length='tokenizer:PATH'` counts the tokens of that tokenizer, whatever its file says of "
    "truncation, padding and special tokens; what is no tokenizer is refused by name.",
    kinds=["length", "group_length"],
    name="tokens are counted by the tokenizer as told",
)
def _counted_by_a_tokenizer(subject: Subject) -> None:
    if not is_dataclass(subject.reward) or not hasattr(subject.reward, "length"):
        raise NotApplicable("it has no length=")
    reward: Any = subject.reward
    problem = problem_of(subject)
    answer = answer_of(problem, right=True)
    told = [
        Sample(text, problem.right, "6 · 7", token_ids=range(n), group="p")
        for n, text in ((1, answer), (4, f"well well \ud800 {answer}"))
    ]
    plain = [replace(sample, token_ids=None) for sample in told]
    expected = subject(told)
    with tempfile.TemporaryDirectory() as folder:
        file = _tokenizer_of_words(Path(folder))
        for place in (folder, str(file)):
            counting: Any = replace(reward, length=f"tokenizer:{place}")
            scores = counting(plain)
            ensure(
                scores == expected,
                f"a tokenizer gives {scores}, as many token ids {expected}",
                plain,
                scores,
            )
        torn = Path(folder) / "torn.json"
        torn.write_text("{", encoding="utf-8")
        try:
            found: Any = replace(reward, length=f"tokenizer:{torn}")(plain)
        except ValueError as error:
            ensure("torn.json" in str(error), f"a broken file, refused without its name: {error}")
        else:
            raise Broken("counted with a file that is no tokenizer", plain, found)


def _tokenizer_of_words(folder: Path) -> Path:
    """Write a tokenizer that makes a token of each word, and carries all that must not count."""
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, processors
    except ImportError:
        raise NotApplicable("the package tokenizers is not installed") from None
    made = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A <s>", special_tokens=[("<s>", 1)]
    )
    made.enable_truncation(3)
    made.enable_padding(length=9)
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def _words(text: str) -> int:
    return len(text.split())


def _one(text: str) -> int:
    return 1


def _nothing(text: str) -> int:
    return 0


def _negative(text: str) -> int:
    return -1


def _broken_number(text: str) -> float:
    return 2.0


def _truth(text: str) -> bool:
    return True


LAWS = (
    _asks,
    _counted,
    _counted_by_a_tokenizer,
    _right_never_gains,
    _wrong_never_loses,
    _constant_beyond,
    _exact_ends,
    _continuous,
    _is_the_cosine,
    _is_the_penalty,
    _is_the_group_reward,
)
