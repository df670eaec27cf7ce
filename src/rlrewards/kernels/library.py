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
    if backward is not None:
        torch.library.register_autograd(
            f"rlrewards::{name}", backward, setup_context=save, lib=LIBRARY
        )
    OPERATORS.append(name)
    operator: Callable[..., Any] = getattr(torch.ops.rlrewards, name).default
    return operator
