"""The laws of rewards for the form of a text."""

from __future__ import annotations

from hypothesis import strategies as st

from rlrewards.core import Sample
from rlrewards.testing import definitions
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.subject import Subject

# Well-formed completions, cut where an edit may come.
FORMS = (
    ("<think>", "2 + 2", "</think>", "\n", "4"),
    ("<think>", "2 + 2", "</think>", "\n", "<answer>", "4", "</answer>"),
    ("<answer>", "4", "</answer>"),
    ("## Thinking", "\n\n", "2 + 2", "\n\n", "## Final Response", "\n\n", "4"),
    ("<think>", "\n", "2 + 2", "\n", "</think>", "\n", "<answer>", "\n", "4", "\n", "</answer>"),
    ("<reasoning>", "\n", "2 + 2", "\n", "</reasoning>", "\n",
     "<answer>", "\n", "4", "\n", "</answer>"),
    (
        "<think>", "2 + 2", "</think>", "\n", "### Assessment", "\n", "fever", "\n",
        "### Final Answer", "\n", "\\boxed{B}",
    ),
    (
        "<think>", "2 + 2", "</think>", "\n", "**Assessment:**", "\n", "fever", "\n\n",
        "__FINAL ANSWER__", "\n", "so ", "$\\boxed{E}$.",
    ),
)  # fmt: skip
INSERTED = (
    *("<think>", "</think>", "<answer>", "</answer>", "## Thinking", "## Final Response"),
    *("### Assessment", "### Final Answer", "\\boxed{B}", "\\boxed{F}", "\\boxed{A}."),
    *(
        "x",
        " ",
        "\n",
        "\n\n",
        "\r\n",
        "word",
        "```",
        "assessment",
        "```\n<think>",
        "## Final Response\n",
    ),
)
JUNK = ("x", " and so on", "\nPS: more", "<think>", "</answer>", "\\boxed{A}", "\n\n## Thinking\n")


# The form that a reward asks for -> its well-formed completions among those above.
OWN_FORMS = {
    "think": FORMS[:2],
    "think_answer": FORMS[1:3],
    "think_answer_strict": FORMS[1:2],
    "huatuo": FORMS[3:4],
    "gazal": FORMS[6:],
}
# Not well-formed for one reason only, which an edit of the others seldom meets.
NEAR_MISSES = {
    "gazal": (
        ("<think>", "2 + 2", "</think>", "\n", "### Assessment", "\n", " ", "\n",
         "### Final Answer", "\n", "\\boxed{B}"),
        ("<think>", "2 + 2", "</think>", "\n", "### Assessment", "\n", "fever", "\n",
         "so \\boxed{B}", "\n", "### Final Answer", "\n"),
    ),
}  # fmt: skip


@st.composite
def texts(draw: st.DrawFn, form: object = None) -> str:
    """A well-formed completion, of a certain form where one is named, edited in few places."""
    own = (*OWN_FORMS.get(str(form), FORMS), *NEAR_MISSES.get(str(form), ()))
    pieces = [*draw(st.sampled_from(own) | st.sampled_from(FORMS))]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(pieces)))
        kind = draw(st.sampled_from(["drop", "repeat", "swap", "insert"]))
        if kind == "insert" or not pieces:
            pieces.insert(at, draw(st.sampled_from(INSERTED)))
        elif kind == "drop":
            del pieces[min(at, len(pieces) - 1)]
        elif kind == "repeat":
            pieces.insert(at, pieces[min(at, len(pieces) - 1)])
        else:
            other = draw(st.integers(0, len(pieces) - 1))
            at = min(at, len(pieces) - 1)
            pieces[at], pieces[other] = pieces[other], pieces[at]
    return "".join(pieces)


def _texts(subject: Subject) -> st.SearchStrategy[str]:
    return texts(subject.facts.get("form"))


def _sample(text: str) -> Sample:
    return Sample(text, "4", "2 + 2", token_ids=(1, 2), group="p")


def _as_defined(subject: Subject, text: str) -> float:
    facts = subject.facts
    text = "<think>" + text if facts.get("prefilled_think") else text
    match facts["form"]:
        case "tags":
            return definitions.tag_count(text, facts["tags"])
        case "gazal":
            return definitions.gazal(text, facts["parts"])
        case form if form in definitions.FORMS:
            return definitions.FORMS[form](text)
    raise NotApplicable(f"no form is called {facts['form']!r}; there are "
                        f"{', '.join([*definitions.FORMS, 'tags', 'gazal'])}")  # fmt: skip


@law(
    "The score is that of the form's definition.",
    kinds="format",
    needs=["form"],
    cases=_texts,
    name="the form as defined",
    times=10,
)
def _is_defined(subject: Subject, text: str) -> None:
    sample = _sample(text)
    score, expected = subject.score(sample), _as_defined(subject, text)
    ensure(score == expected, f"scored {score}, by definition {expected:g}", [sample], [score])


@law(
    "A strict form is kept or not: there are no two scores between which a text could stand.",
    kinds="strict_format",
    cases=_texts,
    name="kept or not",
)
def _two_values(subject: Subject, text: str) -> None:
    sample = _sample(text)
    score = subject.score(sample)
    broken = subject.score(_sample("no form at all"))
    whole = {subject.score(_sample(_prefilled(subject, "".join(form)))) for form in FORMS}
    ensure(score == broken or score in whole,
           f"scored {score}, neither {broken} for no form nor {whole} for a whole one",
           [sample], [score])  # fmt: skip


def _prefilled(subject: Subject, text: str) -> str:
    return text.removeprefix("<think>") if subject.facts.get("prefilled_think") else text


@law(
    "Some well-formed text earns more than no form at all; the fact `well_formed` is one of a form "
    "of your own.",
    kinds="format",
    name="form pays",
)
def _form_pays(subject: Subject) -> None:
    none = subject.score(_sample("no form at all"))
    own = [(str(subject.facts["well_formed"]),)] if "well_formed" in subject.facts else []
    samples = [_sample(_prefilled(subject, "".join(form))) for form in (*own, *FORMS)]
    scores = [subject.score(sample) for sample in samples]
    hint = "" if own else "; if it asks for another, say well_formed= with such a text"
    ensure(
        none is not None and any(score is not None and score > none for score in scores),
        f"every form scores {scores}, no form {none}{hint}",
        samples,
        scores,
    )


@law(
    "Appended junk never raises the score of a strict form.",
    kinds="strict_format",
    cases=lambda subject: st.tuples(_texts(subject), st.sampled_from(JUNK)),
    name="junk never raises a strict score",
)
def _junk(subject: Subject, case: tuple[str, str]) -> None:
    text, junk = case
    if _as_defined_or_none(subject, text) == 0 and _as_defined_or_none(subject, text + junk) == 1:
        return  # the junk is what the form lacked
    clean, longer = _sample(text), _sample(text + junk)
    before, after = subject.score(clean), subject.score(longer)
    if before is not None and after is not None:
        ensure(after <= before, f"scored {before:g}, with {junk!r} behind it {after:g}",
               [clean, longer], [before, after])  # fmt: skip


def _as_defined_or_none(subject: Subject, text: str) -> float | None:
    return _as_defined(subject, text) if "form" in subject.facts else None


@law(
    "Line ends may be \\r\\n, and white space before and behind the text does not matter.",
    kinds="format",
    cases=_texts,
    name="white space around does not matter",
)
def _white_space(subject: Subject, text: str) -> None:
    text = text.replace("\r", "")
    lead = "" if subject.facts.get("prefilled_think") else "\n "
    texts = (text, text.replace("\n", "\r\n"), f"{lead}{text.lstrip()}", f"{text.rstrip()}\n \n")
    if "huatuo" in str(subject.facts.get("form")) and text.rstrip().endswith("Response"):
        return  # its blank line is part of the form
    if not text.strip() or (lead and text != text.lstrip()):
        return
    samples = [_sample(one) for one in texts]
    scores = subject(samples)
    ensure(len({*scores}) == 1, f"scored {scores}", samples, scores)


@law(
    "The form alone counts: reference, prompt and token ids do not.",
    kinds="format",
    cases=_texts,
    name="nothing else matters",
)
def _text_alone(subject: Subject, text: str) -> None:
    samples = [
        _sample(text),
        Sample(text, "17", "What?", token_ids=(7,) * 9, group="q"),
    ]
    scores = subject(samples)
    ensure(scores[0] == scores[1], f"scored {scores}", samples, scores)


LAWS = (_is_defined, _two_values, _form_pays, _junk, _white_space, _text_alone)
