"""Hypothesis strategies for what rewards and objectives are given; they shrink to readable cases.

`batches` for any reward; completions with and without faults of form; mathematical answers of known
value; multiple-choice questions; texts with a known share of repetition; batches of several
prompts; tensors for objectives.

>>> from hypothesis import find
>>> from rlrewards.testing import strategies
>>> find(strategies.unequal_pairs(), lambda pair: pair.reason == "without the root").right
'2'
"""

from rlrewards.testing.strategies.batches import batches, samples
from rlrewards.testing.strategies.choices import (
    Choice,
    Question,
    abstentions,
    choices,
    questions,
)
from rlrewards.testing.strategies.completions import (
    Completion,
    completions,
    headed,
    ill_formed,
    reasoning_texts,
    well_formed,
)
from rlrewards.testing.strategies.groups import sums
from rlrewards.testing.strategies.mathematics import (
    Expression,
    Interval,
    Pair,
    Polynomial,
    Root,
    equal_pairs,
    expressions,
    intervals,
    polynomials,
    rationals,
    roots,
    sets,
    unequal_pairs,
    values,
)
from rlrewards.testing.strategies.repetition import Repetitive, at_share, repetitive
from rlrewards.testing.strategies.tensors import (
    TokenBatch,
    dtypes,
    grids,
    groups,
    masks,
    padding,
    reward_rows,
    rows_of,
    shapes,
    token_batches,
    with_padding,
)

__all__ = [
    "Choice",
    "Completion",
    "Expression",
    "Interval",
    "Pair",
    "Polynomial",
    "Question",
    "Repetitive",
    "Root",
    "TokenBatch",
    "abstentions",
    "at_share",
    "batches",
    "choices",
    "completions",
    "dtypes",
    "equal_pairs",
    "expressions",
    "grids",
    "groups",
    "headed",
    "ill_formed",
    "intervals",
    "masks",
    "padding",
    "polynomials",
    "questions",
    "rationals",
    "reasoning_texts",
    "repetitive",
    "reward_rows",
    "roots",
    "rows_of",
    "samples",
    "sets",
    "shapes",
    "sums",
    "token_batches",
    "unequal_pairs",
    "values",
    "well_formed",
    "with_padding",
]
