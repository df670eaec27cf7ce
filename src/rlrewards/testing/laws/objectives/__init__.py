"""The laws of losses, surrogates, advantages and returns; `OBJECTIVE_LAWS` is all of them."""

from rlrewards.testing.law import Law
from rlrewards.testing.laws.objectives import (
    advantages,
    calls,
    gradients,
    numbers,
    padding,
    returns,
    rows,
)

OBJECTIVE_LAWS: tuple[Law, ...] = (
    *numbers.LAWS,
    *padding.LAWS,
    *gradients.LAWS,
    *rows.LAWS,
    *advantages.LAWS,
    *returns.LAWS,
    *calls.LAWS,
)
