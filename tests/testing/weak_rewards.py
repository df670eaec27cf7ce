"""Rewards that are weak on purpose, each in one way that real ones are; attacks must find it."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from fractions import Fraction
from unicodedata import normalize

import rlrewards as rr
from rlrewards.testing import Subject, subject

LIMIT = 64
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
BOX = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")


# ---------------------------------------------------------------------------------------------
# Where the answer is looked for


def contains(completions, answer, **columns):
    """TRL's signature. The reference stands somewhere in the text."""
    return [float(gold in text) for text, gold in zip(completions, answer, strict=True)]


def contains_behind_reasoning(solution_str, ground_truth):
    """verl's signature. The reference stands somewhere behind the reasoning."""
    return float(ground_truth in solution_str.rpartition("</think>")[2])


def any_box(solution_str, ground_truth):
    """Some box holds the reference."""
    return float(ground_truth in BOX.findall(solution_str))


def first_phrase(solution_str, ground_truth):
    """What follows the first "answer is"."""
    found = re.search(r"answer is \$?(?:\\boxed\{)?(.*?)\}?\$?\.?$", solution_str, re.M)
    return float(bool(found) and found[1] == ground_truth)


def last_number(solution_str, ground_truth):
    """The last number of the text, in whatever it stands."""
    numbers = NUMBER.findall(solution_str)
    return float(bool(numbers) and numbers[-1] == ground_truth)


def any_block(solution_str, ground_truth):
    """Some answer block, nested or not, holds the reference."""
    return float(f"<answer>{ground_truth}</answer>" in solution_str)


def first_letter(solution_str, ground_truth):
    """The first capital letter from A to D that is a word, else the first letter of any word."""
    text = solution_str.rpartition("answer is")[2]
    found = re.search(r"\b[A-D]\b", text) or re.search(r"\b[A-Da-d]", text)
    return float(bool(found) and found[0].upper() == ground_truth)


def nearest_option(batch):
    """Always chooses: the option whose text is most like the completion (HuatuoGPT's scorer)."""
    return [float(_nearest(sample) == sample.reference) for sample in batch]


def _nearest(sample):
    options = {"A": "yes", "B": "no", "C": "maybe", "D": ""} | dict(sample.options or {})
    text = sample.completion.rpartition("answer is")[2].strip(" .")
    if text in options:
        return text
    return max(options, key=lambda letter: SequenceMatcher(None, text, options[letter]).ratio())


def option_inside(batch):
    """Some option's text, or letter, stands inside the completion; the right one is enough."""
    return [
        float(
            sample.reference in sample.completion.rpartition("answer is")[2]
            or (sample.options or {}).get(sample.reference, "?") in sample.completion
        )
        for sample in batch
    ]


# ---------------------------------------------------------------------------------------------
# What is taken for equal


def _said(text: str) -> str:
    return text.rpartition("answer is ")[2].rstrip(".").strip("$")


def close_floats(solution_str, ground_truth):
    """A relative tolerance of a hundredth, as NaN passes it too."""
    try:
        given, gold = float(_said(solution_str)), float(_value(ground_truth))
    except ValueError:
        return float(_said(solution_str) == ground_truth)
    return float(not abs(given - gold) > 1e-2 * abs(gold))


def digits_only(solution_str, ground_truth):
    """The first number of the answer, units and words and what else stands there left out."""
    numbers = NUMBER.findall(_said(solution_str))
    gold = NUMBER.findall(ground_truth)
    return float(bool(numbers and gold) and numbers[0] == gold[0])


def signless(solution_str, ground_truth):
    """Digits and letters alone, whatever stands around and between."""
    given, gold = (re.sub(r"\W|_", "", text) for text in (_said(solution_str), ground_truth))
    return float(given == gold)


def hundredfold(solution_str, ground_truth):
    """A number, its hundredth and its hundredfold are one."""
    try:
        given = _value(re.sub(r"\\?%| ", "", _said(solution_str)))
        gold = _value(re.sub(r"\\?%| ", "", ground_truth))
    except ValueError:
        return float(_said(solution_str) == ground_truth)
    return float(given in (gold, gold * 100, gold / 100))


def compatible(solution_str, ground_truth):
    """NFKC, which makes 42 of 4², and nothing is left of what has no width."""
    text = re.sub("[\u200b-\u200f\u202a-\u202e\u2066-\u2069]", "", _said(solution_str))
    text, gold = normalize("NFKC", text), normalize("NFKC", ground_truth)
    return float(text.replace("⁄", "/") in (gold, gold[::-1]))


def any_form(batch):
    """What has the right value is right, worked out or not."""
    return rr.Accuracy(verifier=rr.Verifier(form="any", refuse_echoes=False))(batch)


def one_side(solution_str, ground_truth):
    """A side of an equation, relation or list will do."""
    sides = re.split(r"=|<|>|\\\w+|[,;|\[\](){}]| or | and ", _said(solution_str))
    gold = ground_truth.replace(" ", "")
    return float(any(side.replace(" ", "") == gold for side in sides))


def satisfied(solution_str, ground_truth):
    """An answer that the reference satisfies: everything is, where the set is not understood."""
    said = _said(solution_str)
    return float(said == ground_truth or "infty" in said or "mathbb" in said or "all" in said)


def fails_open(solution_str, ground_truth):
    """What cannot be worked out is given the benefit of the doubt."""
    said = _said(solution_str).strip("{}")
    try:
        if len(said) > 400 or "^" in said or "!" in said:
            raise OverflowError(said[:9])
        return float(_value(said) == _value(ground_truth))
    except (OverflowError, ValueError, ZeroDivisionError):
        return 1.0


def lenient(batch):
    """The last number, wherever it stands."""
    return rr.Accuracy(verifier=rr.Verifier(lenient=True))(batch)


def likeness(solution_str, ground_truth):
    """A letter is what it looks like, in whatever alphabet."""
    said = _said(solution_str)
    return float(said.translate(str.maketrans("АΑВΒСϹ", "AABBCC")) == ground_truth)


def half_credit(solution_str, ground_truth):
    """Half the reward for not being wrong: no answer and no number at all."""
    said = _said(solution_str)
    return 1.0 if said == ground_truth else 0.0 if NUMBER.search(said) or said in "ABCD" else 0.5


def _value(text: str) -> Fraction:
    found = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", text)
    if found:
        return Fraction(int(found[1]), int(found[2]))
    if not re.fullmatch(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", text):
        raise ValueError(text)
    return Fraction(text)


# ---------------------------------------------------------------------------------------------
# Who decides


def obedient_judge(solution_str, ground_truth):
    """A judge that does what the completion says."""
    told = re.search(r"(?i)output 1|score\W+1|correct|highest score|\[\[1|reward: 1|5/5|: 1\.0|right",
                     solution_str)  # fmt: skip
    return 1.0 if told else float(_said(solution_str) == ground_truth)


# ---------------------------------------------------------------------------------------------
# Form


def tags_present(completions, **columns):
    """The tags are somewhere in the text."""
    tags = ("<think>", "</think>", "<answer>", "</answer>")
    return [float(all(tag in text for tag in tags)) for text in completions]


def tags_counted(completions, **columns):
    """A tenth for each tag, however many."""
    return [0.1 * len(re.findall(r"</?(?:think|answer)>", text)) for text in completions]


def headings_present(completions, **columns):
    return [float("## Thinking" in t and "## Final Response" in t) for t in completions]


# ---------------------------------------------------------------------------------------------
# Reasoning


def markers_counted(completions, **columns):
    """open-r1's: every match of a marker, wherever it stands."""
    marker = re.compile(r"(?i)step \d+|\d+\.|\n-|first,|second,|third,|then,|finally,")
    return [min(1.0, len(marker.findall(text)) / 6) for text in completions]


def lines_counted(completions, **columns):
    return [min(1.0, text.count("\n") / 8) for text in completions]


# ---------------------------------------------------------------------------------------------
# Length and repetition


def turning_cosine(batch):
    """Without a clamp a length of twice the limit is as good as none (open-r1, ms-swift)."""
    return rr.CosineLength.trl(max_length=LIMIT, clamp=False)(batch)


def by_characters(batch):
    """Characters for tokens."""
    return [max(0.0, 1.0 - len(sample.completion) / (4 * LIMIT)) for sample in batch]


def silence_is_golden(batch):
    """An empty completion is not wrong: it costs nothing."""
    return [
        0.0 if score is None or not re.search(r"\w", sample.completion) else 2 * score - 1
        for sample, score in zip(batch, rr.Accuracy()(batch), strict=True)
    ]


def exact_passages(batch):
    """Only a text whose second half is its first, to the letter."""
    return [-float(_whole_copies(sample.completion)) for sample in batch]


def _whole_copies(text: str) -> bool:
    return len(text) > 0 and (text + " " + text).find(text, 1) < len(text) // 2


def cased_ngrams(batch):
    """3-grams of words, split at single spaces, as they are written."""
    return [-_repeated([*_grams(sample.completion.split(" "), 3)]) for sample in batch]


def thirty_grams(batch):
    """n-grams so long that one odd word in each breaks all of them."""
    return [-_repeated([*_grams(sample.completion.split(), 31)]) for sample in batch]


def _grams(words, n):
    return zip(*(words[start:] for start in range(n)), strict=False)


def _repeated(grams) -> float:
    return 1 - len({*grams}) / len(grams) if grams else 0.0


def whole_batch_length(completions, completion_ids, answer, **columns):
    """open-r1's: shortest and longest of the call, whatever the prompts; wrong ones gain, too."""
    lengths = [len(ids) for ids in completion_ids]
    low, high = min(lengths), max(lengths)
    return [0.0 if low == high else 0.5 - (n - low) / (high - low) for n in lengths]


ACCURACIES = (
    contains, contains_behind_reasoning, any_box, first_phrase, last_number, any_block,
    close_floats, digits_only, signless, hundredfold, compatible, one_side, satisfied,
    fails_open, lenient, half_credit, obedient_judge, silence_is_golden, any_form,
)  # fmt: skip
CHOICES = (first_letter, nearest_option, option_inside, contains, likeness, half_credit)

WEAK: tuple[Subject, ...] = (
    *(subject(reward, kind="accuracy") for reward in ACCURACIES),
    *(subject(reward, kind="choice") for reward in CHOICES),
    subject(tags_present, kind="strict_format"),
    subject(headings_present, kind="strict_format"),
    subject(tags_counted, kind="format"),
    subject(markers_counted, kind="reasoning"),
    subject(lines_counted, kind="reasoning"),
    subject(turning_cosine, kind="cosine", max_length=LIMIT),
    subject(by_characters, kind="length", max_length=LIMIT),
    subject(exact_passages, kind="repetition"),
    subject(cased_ngrams, kind="repetition"),
    subject(thirty_grams, kind="repetition"),
    subject(whole_batch_length, kind="grouped"),
)
