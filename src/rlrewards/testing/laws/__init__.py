"""The laws, by the kind of reward they are about; `LAWS` is all of them."""

from rlrewards.testing.law import Law
from rlrewards.testing.laws import every

LAWS: tuple[Law, ...] = (*every.LAWS,)
