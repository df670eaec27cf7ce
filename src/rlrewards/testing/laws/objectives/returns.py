"""Laws of returns: what follows a token, and nothing before it."""

from __future__ import annotations

from hypothesis import strategies as st

from rlrewards.testing.laws.objectives.measuring import measure, objective_law, same
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch


@objective_law(
    "What comes before a token has no part in its return.",
    kinds="returns",
    takes=("rewards",),
    columns=(2, 4),
    extras={"at": st.integers(0, 2)},
)
def later_than_the_token(objective: Objective, batch: TokenBatch) -> None:
    """A sum that runs forwards gives a token credit for what others did before it."""
    at = min(batch["at"], batch.columns - 2)
    changed = batch["rewards"].clone()
    changed[:, at] += 1
    found = measure(objective, batch.but(rewards=changed)).outputs
    for one, two in zip(found, measure(objective, batch).outputs, strict=True):
        same(one[:, at + 1 :], two[:, at + 1 :], f"the result after token {at}")


@objective_law(
    "The reward of a row's last token is in the return of every token before it.",
    kinds="returns",
    takes=("rewards",),
    holes=False,
    empty_rows=False,
)
def reward_reaches_back(objective: Objective, batch: TokenBatch) -> None:
    """Holds wherever γ and λ are above 0."""
    mask = batch["mask"]
    last = mask.sum(1) - 1
    changed = batch["rewards"].clone()
    changed[range(batch.rows), last] += 1
    more = measure(objective, batch.but(rewards=changed)).outputs[0]
    less = measure(objective, batch).outputs[0]
    same((more - less > 0).double(), mask.double(), "where the return rises")


LAWS = (later_than_the_token, reward_reaches_back)
