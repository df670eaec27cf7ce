"""The laws, by the kind of reward they are about; `LAWS` is all of them."""

from rlrewards.testing.law import Law
from rlrewards.testing.laws import (
    accuracy,
    every,
    forms,
    lengths,
    parameters,
    reasoning,
    repetition,
    stacks,
    verifier,
)

LAWS: tuple[Law, ...] = (
    *every.LAWS,
    *parameters.LAWS,
    *accuracy.LAWS,
    *verifier.LAWS,
    *lengths.LAWS,
    *repetition.LAWS,
    *forms.LAWS,
    *reasoning.LAWS,
    *stacks.LAWS,
)
