"""What the laws of objectives share: cases, values with their gradient, and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor

from rlrewards.testing.law import Effort, Law, NotApplicable
from rlrewards.testing.objective import Objective
from rlrewards.testing.strategies.tensors import TokenBatch, rows_of, shown
from rlrewards.testing.subject import Broken

EXACT = 1e-10  # of the largest number, in float64
ROUNDED = 1e-5  # in float32
Body = Callable[[Objective, TokenBatch], None]


def objective_law(
    statement: str,
    *,
    kinds: str | Iterable[str] = (),
    not_kinds: Iterable[str] = (),
    takes: Iterable[str] = (),
    extras: dict[str, st.SearchStrategy[Any]] | None = None,
    **options: Any,
) -> Callable[[Body], Law]:
    """Make a law of `body(objective, batch)`; a decorator.

    Args:
        statement: What holds, in one sentence.
        kinds: It is about these kinds of objectives; about all when empty.
        not_kinds: It is not about these.
        takes: Tensors without which it cannot be tried.
        extras: Further things to draw; they stand in the batch under these names.
        options: Of `token_batches`.
    """
    named = [kinds] if isinstance(kinds, str) else [*kinds]
    takes = tuple(takes)

    def cases(objective: Objective) -> st.SearchStrategy[TokenBatch]:
        if missing := [name for name in takes if name not in objective.inputs]:
            raise NotApplicable(f"it takes no {', '.join(missing)}")
        more = st.fixed_dictionaries(extras or {})
        return st.builds(TokenBatch.__or__, objective.draw(**options), more).map(TokenBatch)

    def decorate(body: Body) -> Law:
        def told(objective: Objective, batch: TokenBatch) -> None:
            try:
                body(objective, batch)
            except Broken as broken:
                raise BrokenBy(broken.why, batch) from broken
            except Exception as error:
                text = " ".join(str(error).split())[:200]
                raise BrokenBy(f"raised {type(error).__name__}: {text}", batch) from error

        return ObjectiveLaw(
            body.__name__.strip("_").replace("_", " "),
            statement,
            told,
            frozenset(named),
            (),
            cases,  # type: ignore[arg-type]
            frozenset(not_kinds),
            least=(options.get("rows", (1, 1))[0], options.get("columns", (1, 1))[0]),
        )

    return decorate


class BrokenBy(Broken):
    """A law that a batch breaks; `batch` is kept, so that it can be made smaller."""

    def __init__(self, why: str, batch: TokenBatch) -> None:
        super().__init__(why, case=str(batch))
        self.batch = batch


@dataclass(frozen=True)
class ObjectiveLaw(Law):
    """A law whose counterexample loses the rows and columns that it does not need.

    Hypothesis makes cells small but seldom finds that a whole row, whose cells are spread over all
    tensors, can go.
    """

    least: tuple[int, int] = (1, 1)

    def check(self, subject: Any, effort: Effort = Effort()) -> None:  # noqa: B008
        """Try to break the law."""
        try:
            super().check(subject, effort)
        except BrokenBy as broken:
            raise self._smaller(subject, broken) from broken

    def _smaller(self, objective: Objective, broken: BrokenBy) -> BrokenBy:
        for cut, extent, least in (
            (rows_of, len, self.least[0]),
            (columns_of, lambda mask: mask.shape[1], self.least[1]),
        ):
            at = 0
            while at < extent(broken.batch["mask"]) > least:
                kept = [index for index in range(extent(broken.batch["mask"])) if index != at]
                try:
                    self.body(objective, cut(broken.batch, kept))
                    at += 1
                except BrokenBy as smaller:
                    broken = smaller
        return broken


def columns_of(batch: TokenBatch, kept: list[int]) -> TokenBatch:
    """Return some columns of every tensor that has one value for each token."""
    shape = batch["mask"].shape
    return TokenBatch(
        {
            name: x[:, kept] if isinstance(x, Tensor) and x.shape == shape else x
            for name, x in batch.items()
        }
    )


class Measured(NamedTuple):
    """What an objective gives for a batch: its outputs, and the gradient of their valid sum."""

    outputs: list[Tensor]
    gradient: Tensor | None


def measure(
    objective: Objective, batch: TokenBatch, *, denominator: float | None = None
) -> Measured:
    """Return the outputs and, of what is differentiable, the gradient in its leaf.

    What is given for each token is summed over the valid ones, so that padding reaches the gradient
    only through a function that lets it.
    """
    if objective.leaf is None:
        return Measured([x.detach() for x in objective(batch, denominator=denominator)], None)
    leaf = batch[objective.leaf].detach().clone().requires_grad_()
    outputs = objective(batch.but(**{objective.leaf: leaf}), denominator=denominator)
    total = valid_sum(outputs, batch["mask"])
    gradient = None
    if total is not None:
        gradient = torch.autograd.grad(total, leaf, allow_unused=True)[0]
    return Measured([x.detach() for x in outputs], gradient)


def valid_sum(outputs: Sequence[Tensor], mask: Tensor) -> Tensor | None:
    """Return the sum of all valid cells that have a gradient; None where none has."""
    found = [inside(x, mask).sum() for x in outputs if x.requires_grad]
    return torch.stack(found).sum() if found else None


def inside(x: Tensor, mask: Tensor) -> Tensor:
    """Return a tensor with 0 at masked tokens, and at rows without a valid one."""
    if x.shape == mask.shape:
        return torch.where(mask, x, torch.zeros_like(x))
    if x.shape == mask.shape[:1]:
        return torch.where(mask.any(1), x, torch.zeros_like(x))
    return x


def same(
    found: Tensor | None,
    expected: Tensor | None,
    what: str,
    *,
    tolerance: float = EXACT,
    least: float = 1.0,
) -> None:
    """Raise Broken unless two tensors are alike within a part of the largest number.

    `least`: the largest number is taken to be at least this.
    """
    if found is None or expected is None:
        if found is not expected:
            raise Broken(f"{what} is {_brief(found)}, expected {_brief(expected)}")
        return
    if found.shape != expected.shape:
        raise Broken(f"{what} has shape {[*found.shape]}, expected {[*expected.shape]}")
    if tolerance == EXACT and expected.dtype != torch.float64:
        tolerance = ROUNDED
    one, two = found.double(), expected.double()
    finite = two.isfinite()
    scale = max(least, float(two[finite].abs().max()) if finite.any() else 0.0)
    equal = (one == two) | (one.isnan() & two.isnan()) | ((one - two).abs() <= tolerance * scale)
    if not equal.all():
        raise Broken(f"{what} is {_brief(found)}, expected {_brief(expected)}")


def same_all(
    found: Sequence[Tensor],
    expected: Sequence[Tensor],
    what: str = "the result",
    *,
    tolerance: float = EXACT,
) -> None:
    """Raise Broken unless two lists of tensors are alike."""
    if len(found) != len(expected):
        raise Broken(f"{what} has {len(found)} tensors, expected {len(expected)}")
    for one, two in zip(found, expected, strict=True):
        same(one, two, what, tolerance=tolerance)


def _brief(x: Tensor | None) -> str:
    if x is None:
        return "none"
    text = shown(x)
    return text if len(text) < 120 else f"{text[:120]} …"


def cast(batch: TokenBatch, dtype: torch.dtype) -> TokenBatch:
    """Return a batch with its floating-point tensors in another type."""
    return TokenBatch(
        {
            name: x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x
            for name, x in batch.items()
        }
    )
