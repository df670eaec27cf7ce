"""The attacks, by the trick they try; `ATTACKS` is all of them."""

from rlrewards.testing.attack import Attack
from rlrewards.testing.attacks import (
    boxes,
    choices,
    echo,
    equations,
    filler,
    groups,
    hedging,
    injection,
    lengths,
    numbers,
    reasoning,
    resources,
    tags,
    unicode,
)

ATTACKS: tuple[Attack, ...] = (
    *hedging.ATTACKS,
    *boxes.ATTACKS,
    *equations.ATTACKS,
    *echo.ATTACKS,
    *numbers.ATTACKS,
    *choices.ATTACKS,
    *tags.ATTACKS,
    *reasoning.ATTACKS,
    *filler.ATTACKS,
    *unicode.ATTACKS,
    *injection.ATTACKS,
    *lengths.ATTACKS,
    *groups.ATTACKS,
    *resources.ATTACKS,
)
