"""The laws, by the kind of reward they are about; `LAWS` is all of them."""

from rlrewards.testing.law import Law
from rlrewards.testing.laws import (
    accuracy,
    configuration,
    edges,
    every,
    execution,
    forms,
    lengths,
    reasoning,
    relations,
    repetition,
    stacks,
    verifier,
)

LAWS: tuple[Law, ...] = (
    *every.LAWS,
    *execution.LAWS,
    *configuration.LAWS,
    *edges.LAWS,
    *accuracy.LAWS,
    *verifier.LAWS,
    *relations.LAWS,
    *lengths.LAWS,
    *repetition.LAWS,
    *forms.LAWS,
    *reasoning.LAWS,
    *stacks.LAWS,
)
