"""The operators behind the kernels, as torch sees them: ``torch.ops.rlrewards.*``.

An operator that is defined in a library, with a fake implementation for its shapes, is one node to
``torch.compile`` and costs a few µs a call; the ``custom_op`` decorator costs several times that.
"""

from collections.abc import Callable
from typing import Any

import torch

LIBRARY = torch.library.Library("rlrewards", "DEF")  # type: ignore[no-untyped-call]

OPERATORS: list[str] = []
"""Names of all that were registered; the registry has a row for each."""


def register(
    schema: str,
    compute: Callable[..., Any],
    fake: Callable[..., Any],
    *,
    backward: Callable[..., Any] | None = None,
    save: Callable[..., None] | None = None,
) -> Callable[..., Any]:
    """Define an operator and return it.

    Args:
        schema: Name, arguments and results, as ``torch.library`` writes them.
        compute: Does the work, for CPU and CUDA tensors, without gradients.
        fake: Returns empty tensors of the right shapes.
        backward: Gradients from ``ctx`` and the upstream ones; without it there are none.
        save: ``setup_context(ctx, inputs, output)`` for ``backward``.
    """
    name = schema.partition("(")[0]
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]
    for key in ("CPU", "CUDA"):
        LIBRARY.impl(name, compute, key)  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"rlrewards::{name}", fake, lib=LIBRARY)
    operator = getattr(torch.ops.rlrewards, name).default
    if backward is not None:
        assert save is not None
        differentiable = _differentiable(operator, backward, save)
        LIBRARY.impl(name, differentiable, "Autograd", with_keyset=True)  # type: ignore[no-untyped-call]
    OPERATORS.append(name)
    found: Callable[..., Any] = operator
    return found


def _differentiable(
    operator: Any, backward: Callable[..., Any], save: Callable[..., None]
) -> Callable[..., Any]:
    """What ``torch.library.register_autograd`` makes, which asks the schema about every argument.

    In each call, for their defaults: a third of the time of ``policy_loss``. Ours have none.
    """

    class Node(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> Any:
            *inputs, below = arguments
            with torch._C._AutoDispatchBelowAutograd():
                output = operator.redispatch(below, *inputs)
            save(ctx, tuple(inputs), output)
            return output

        @staticmethod
        def backward(ctx: Any, *upstreams: Any) -> tuple[Any, ...]:
            return *backward(ctx, *upstreams), None

    Node.__name__ = f"{operator._opname}_node"

    def call(keys: torch._C.DispatchKeySet, *inputs: Any) -> Any:
        below = keys & torch._C._after_autograd_keyset
        if torch.is_grad_enabled() and torch._C._any_requires_grad(*inputs):
            return Node.apply(*inputs, below)  # type: ignore[no-untyped-call]
        with torch._C._AutoDispatchBelowAutograd():
            return operator.redispatch(below, *inputs)

    return call
