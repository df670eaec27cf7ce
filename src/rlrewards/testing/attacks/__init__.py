"""The attacks, by the trick they try; `ATTACKS` is all of them."""

from rlrewards.testing.attack import Attack

ATTACKS: tuple[Attack, ...] = ()
