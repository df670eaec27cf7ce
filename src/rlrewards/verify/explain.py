"""A verdict in words, for the person who wonders why a completion got its reward."""

from __future__ import annotations

from collections.abc import Sequence

from rlrewards.verify.verdict import Status, Tier, Verdict

MAX_QUOTED = 80
MAX_WHY = 300
MAX_REFERENCES = 3

_COMPARED = {
    Tier.STRING: "as texts, without regard to spacing and layout",
    Tier.EXACT: "as exact values",
    Tier.NUMERIC: "as numbers, computed with proven error bounds",
    Tier.SYMBOLIC: "by computer algebra",
    Tier.TEXT: "as words",
    Tier.CHOICE: "as options of a multiple-choice question",
    Tier.JUDGE: "by the judge that was configured",
}
_OUTCOME = {
    Status.EQUAL: "and they are equal, so the answer is right",
    Status.DIFFERENT: "and they differ, so the answer is wrong",
    Status.NO_ANSWER: "but the answer does not name anything that could be right or wrong",
    Status.UNDECIDED: "but that did not settle whether they are equal",
}
_UNSETTLED = (
    "UNDECIDED is no opinion: the answer may be right or wrong, and no reward should count it as "
    "either. A reference in plainer notation often helps, and so does a larger budget_seconds "
    "where time ran out."
)
_NO_ANSWER = (
    "NO_ANSWER counts against the completion. Ask the model to end with its answer alone in "
    r"\boxed{…} or <answer>…</answer>; prefilled_think, reasoning_tags and lenient tell the "
    "verifier how its completions are written."
)
_NO_REFERENCE = (
    "NO_REFERENCE says nothing about the completion: the reference is missing, blank or NaN. Check "
    "the column that the references come from."
)
_ECHO = (
    "It is worth the same as the reference but only repeats a formula of the question, so it "
    "counts as wrong; refuse_echoes=False accepts it."
)


def explain(verdict: Verdict) -> str:
    r"""Return a paragraph that says what was compared, what decided, and what it means.

    Long texts are shortened and unprintable characters written out, so that any verdict can be
    shown anywhere.

    >>> from rlrewards.verify.verifier import grade
    >>> told = explain(grade("A: 0.5", r"\frac{1}{2}"))
    >>> print(told.partition(". ")[0])
    The reference is “\frac{1}{2}” and the answer “0.5”
    >>> print(told.partition(". ")[2])
    They were compared as exact values, and they are equal, so the answer is right (both are 1/2).
    """
    if verdict.status is Status.NO_REFERENCE:
        given = "" if verdict.answer is None else f" the answer {_quoted(verdict.answer)} with"
        return f"There is no reference to compare{given or ' with'}. {_NO_REFERENCE}"
    if verdict.answer is None:
        why = _why(verdict.why) or "none was given"
        return f"The reference is {_references(verdict.reference)}. No answer: {why}. {_NO_ANSWER}"
    return " ".join(filter(None, (_sides(verdict), _comparison(verdict), _advice(verdict))))


def _sides(verdict: Verdict) -> str:
    reference = _references(verdict.reference)
    return f"The reference is {reference} and the answer {_quoted(verdict.answer)}."


def _comparison(verdict: Verdict) -> str:
    if verdict.why == "echo":
        return _ECHO
    how = "" if verdict.tier is None else f" {_COMPARED[verdict.tier]}"
    why = _why(verdict.why)
    outcome = _OUTCOME.get(verdict.status, "")
    return f"They were compared{how}, {outcome}{f' ({why})' if why else ''}."


def _advice(verdict: Verdict) -> str:
    if verdict.status is Status.UNDECIDED:
        return _UNSETTLED
    return _NO_ANSWER if verdict.status is Status.NO_ANSWER else ""


def _references(reference: str | Sequence[str] | None) -> str:
    if reference is None or isinstance(reference, str):
        return "missing" if reference is None else _quoted(reference)
    shown = [_quoted(item) for item in reference[:MAX_REFERENCES]]
    if len(reference) > MAX_REFERENCES:
        shown.append(f"or {len(reference) - MAX_REFERENCES} more")
    return shown[0] if len(shown) == 1 else f"any of {', '.join(shown)}"


def _quoted(text: object) -> str:
    return f"“{_printable(str(text), MAX_QUOTED)}”"


def _why(text: str) -> str:
    return _printable(text, MAX_WHY).rstrip(".")


def _printable(text: str, limit: int) -> str:
    """Return a text on one line, cut to a limit, with escapes for what cannot be shown."""
    start = " ".join(text[: 4 * limit].split())
    cut = len(text) > 4 * limit or len(start) > limit
    shown = "".join(map(_escaped, start[:limit]))
    return f"{shown}… ({len(text):,} characters)" if cut else shown


def _escaped(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
