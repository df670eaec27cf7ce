"""Advantages and λ-returns on a GPU in one pass over the tokens, masks, truncation and all.

The eager functions gather the valid tokens, sum them block by block and scatter them back: a dozen
passes over arrays of ``[B, T]``. Here rewards, values and mask are read once and both results
written once; whitening, which needs the statistics of all advantages, costs one pass more, and
several streams of reward are summed where they are found. On the CPU the eager functions serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rlrewards.kernels import launch, library
from rlrewards.objectives import _checks
from rlrewards.objectives.gae import GAE, Holes
from rlrewards.objectives.gae import gae as eager_gae
from rlrewards.objectives.moments import whiten as eager_whiten
from rlrewards.objectives.returns import multi_gamma_gae as eager_multi_gamma_gae
from rlrewards.objectives.scan import on_host, unit_rate

if TYPE_CHECKING:
    from rlrewards.kernels.registry import Inputs, Kernel


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gamma: float = 1.0,
    lam: float | Tensor = 0.95,
    bootstrap: Tensor | None = None,
    holes: Holes = "carry",
    whiten: bool = False,
) -> GAE:
    """Advantages ``Â_t = R_t + γ·V_next − V_t + γλ·Â_next`` and λ-returns ``Ĝ_t = Â_t + V_t``.

    What ``rlrewards.objectives.gae.gae`` computes, arXiv 1506.02438, with the same masks, ``holes``
    and ``bootstrap``. With ``whiten`` the advantages come with mean 0 and variance 1 over all valid
    tokens, as from ``whiten(advantages, mask)``: ``(Â − μ) · (v + 1e-8)^−½``.

    Shapes: ``rewards``, ``values``, ``mask`` ``[B, T]``; ``lam`` a float, or ``[B]``, one per row;
    ``bootstrap`` ``[B]`` → two ``[B, T]``, 0 at masked tokens, constants (no gradient flows). All
    contiguous and on one device. float32, bfloat16 and float16 are computed in float32, which the
    results are; float64 goes through the eager function on every device. Raises ``TypeError`` for
    other dtypes, ``ValueError`` for other shapes, strides or devices, and γ, λ outside [0, 1]; for
    a ``lam`` on a GPU, which is not waited for, such a row is NaN instead.

    >>> rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.5, 0.5]])
    >>> gae(rewards, values, torch.ones(1, 3), lam=0.5)
    GAE(advantages=tensor([[0.1250, 0.2500, 0.5000]]), returns=tensor([[0.6250, 0.7500, 1.0000]]))
    >>> gae(rewards, values, torch.ones(1, 3), lam=0.5, whiten=True).advantages
    tensor([[-0.8729, -0.2182,  1.0911]])
    """
    _checks.at_least("gamma", gamma, 0.0, 1.0)
    if holes not in ("carry", "discount"):
        raise ValueError(f'holes is {holes!r}, expected "carry" or "discount"')
    launch.require("rewards", rewards, ndim=2)
    launch.require("values", values, like=rewards)
    _require_shape("values", values, rewards.shape, "that of rewards")
    mask = _mask(mask, rewards)
    rate, rates = _rates(lam, mask)
    _require_bootstrap(bootstrap, rewards)
    with torch.no_grad():
        results = _OPERATOR(
            rewards, values, mask, [float(gamma)], rate, rates, bootstrap, holes == "carry", whiten
        )
    return GAE(*results)


def multi_gamma_gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gammas: Sequence[float],
    lam: float | Tensor = 1.0,
    bootstrap: Tensor | None = None,
) -> GAE:
    """Advantages of several streams of reward: ``Â_t = Σ_k Â_{k,t}``, each with its own γ.

    What ``rlrewards.objectives.multi_gamma_gae`` computes, arXiv 2502.03373, section 4.6, all
    streams in one launch.

    Shapes: ``rewards`` ``[K, B, T]``, one γ for each stream, ``mask`` ``[B, T]``, ``bootstrap``
    ``[K, B]``; ``values`` ``[B, T]``, with λ = 1 only, or ``[K, B, T]`` → advantages ``[B, T]`` and
    returns like ``values``. Otherwise as for ``gae``.

    >>> rewards = torch.tensor([[[0.0, 0.0, 1.0]], [[0.0, -4.0, 0.0]]])
    >>> values = torch.full((1, 3), 0.5)
    >>> multi_gamma_gae(rewards, values, torch.ones(1, 3), gammas=(1.0, 0.5)).advantages
    tensor([[-1.5000, -3.5000,  0.5000]])
    """
    launch.require("rewards", rewards, ndim=3)
    if not len(rewards) == len(gammas) > 0:
        raise ValueError(
            f"rewards has shape {list(rewards.shape)} and gammas {len(gammas)} values, expected "
            "[K, B, T] and one γ for each of the K ≥ 1 streams"
        )
    for k, gamma in enumerate(gammas):
        _checks.at_least(f"gammas[{k}]", gamma, 0.0, 1.0)
    mask = _mask(mask, rewards[0])
    launch.require("values", values, ndim=(2, 3), like=rewards)
    rate, rates = _rates(lam, mask)
    if values.ndim == 3:
        _require_shape("values", values, rewards.shape, "that of rewards")
    else:
        _require_shape("values", values, mask.shape, "that of mask")
        if rates is not None or rate != 1:
            raise ValueError(
                f"lam is {lam} and values has shape {list(values.shape)}, one for all streams: "
                f"pass lam=1.0, or one value per stream, {list(rewards.shape)}"
            )
    _require_bootstrap(bootstrap, rewards)
    with torch.no_grad():
        results = _OPERATOR(
            rewards, values, mask, [float(g) for g in gammas], rate, rates, bootstrap, True, False
        )
    return GAE(*results)


def _require_shape(name: str, x: Tensor, shape: torch.Size, meaning: str) -> None:
    if x.shape != shape:  # rarely: the message costs more than the rest of the check
        launch.require_shape(name, x, shape, meaning)


def _mask(mask: Tensor, like: Tensor) -> Tensor:
    """``mask`` ``[B, T]`` as booleans; or an error."""
    if isinstance(mask, Tensor) and mask.dtype != torch.bool:
        mask = mask != 0
    launch.require("mask", mask, dtypes=(torch.bool,), like=like)
    _require_shape("mask", mask, like.shape, "[B, T]")
    return mask


def _rates(lam: float | Tensor, mask: Tensor) -> tuple[float, Tensor | None]:
    """λ of all rows, or λ by row; looked at where that costs nothing."""
    if not isinstance(lam, Tensor):
        _checks.at_least("lam", lam, 0.0, 1.0)
        return float(lam), None
    launch.require("lam", lam, like=mask)
    _require_shape("lam", lam, mask.shape[:1], "[B]")
    if on_host(lam):
        unit_rate("lam", lam, like=mask)
    return 0.0, lam


def _require_bootstrap(bootstrap: Tensor | None, rewards: Tensor) -> None:
    if bootstrap is not None:
        launch.require("bootstrap", bootstrap, like=rewards)
        _require_shape("bootstrap", bootstrap, rewards.shape[:-1], "that of rewards without T")


# The operator ------------------------------------------------------------------------------------


def _dtype(rewards: Tensor, values: Tensor) -> torch.dtype:
    return torch.promote_types(torch.promote_types(rewards.dtype, values.dtype), torch.float32)


def _compute(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    gammas: list[float],
    lam: float,
    lam_rows: Tensor | None,
    bootstrap: Tensor | None,
    carry: bool,
    whiten: bool,
) -> tuple[Tensor, Tensor]:
    rate = lam if lam_rows is None else lam_rows
    if _dtype(rewards, values) == torch.float64 or not launch.runs_triton(rewards):
        holes: Holes = "carry" if carry else "discount"
        return _eager(rewards, values, mask, gammas, rate, bootstrap, holes, whiten)
    from rlrewards.kernels.programs import gae as programs

    result: tuple[Tensor, Tensor] = programs.gae(
        rewards,
        values,
        mask,
        gammas=gammas,
        lam=rate,
        bootstrap=bootstrap,
        carry=carry,
        whiten=whiten,
    )
    return result


def _eager(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    gammas: list[float],
    lam: float | Tensor,
    bootstrap: Tensor | None,
    holes: Holes,
    whiten: bool,
) -> tuple[Tensor, Tensor]:
    if rewards.ndim == 3:
        return eager_multi_gamma_gae(
            rewards, values, mask, gammas=gammas, lam=lam, bootstrap=bootstrap
        )
    (gamma,) = gammas
    found = eager_gae(rewards, values, mask, gamma=gamma, lam=lam, bootstrap=bootstrap, holes=holes)
    return found._replace(advantages=eager_whiten(found.advantages, mask)) if whiten else found


def _fake(
    rewards: Tensor, values: Tensor, mask: Tensor, *settings: object
) -> tuple[Tensor, Tensor]:
    dtype = _dtype(rewards, values)
    advantages = torch.empty_like(mask, dtype=dtype)
    return advantages, torch.empty_like(values, dtype=dtype)


_OPERATOR = library.register(
    "gae(Tensor rewards, Tensor values, Tensor mask, float[] gammas, float lam, Tensor? lam_rows, "
    "Tensor? bootstrap, bool carry, bool whiten) -> (Tensor, Tensor)",
    _compute,
    _fake,
)


# The rows of the registry ------------------------------------------------------------------------

STREAMS = 3


def rows() -> tuple[Kernel, ...]:
    """What tests and benchmarks see of these kernels."""
    from rlrewards.kernels.registry import Kernel

    common: dict[str, Any] = {
        "operators": ("gae",),
        "bytes_moved": _bytes_moved,
        "shapes": ((1, 1), (3, 0), (0, 5), (5, 7), (3, 37), (2, 71)),
        "bench_cpu": ((64, 8192), (16, 32768)),
        "bench_cuda": (
            (8, 512), (512, 2048), (4096, 2048), (64, 8192), (16, 32768), (1, 131072),
        ),
        # Whatever the inputs are stored in, results are float32: some roundings of it.
        "tolerance": dict.fromkeys((torch.float32, torch.bfloat16, torch.float16), 1e-5),
    }  # fmt: skip
    return (
        Kernel(name="gae", fused=gae, oracle=eager_gae, make=_make, **common),
        Kernel(
            name="gae, whitened",
            fused=gae,
            oracle=_whitened,
            make=lambda *where: {**_make(*where), "whiten": True},
            **common,
        ),
        Kernel(
            name="gae, K streams",
            fused=multi_gamma_gae,
            oracle=eager_multi_gamma_gae,
            make=_make_streams,
            **common,
        ),
    )


def _whitened(
    rewards: Tensor, values: Tensor, mask: Tensor, *, whiten: bool, **settings: Any
) -> GAE:
    found = eager_gae(rewards, values, mask, **settings)
    return found._replace(advantages=eager_whiten(found.advantages, mask))


def _make(shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int) -> Inputs:
    rows, width = shape
    generator = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, rows, width, generator=generator).to(device, dtype).unbind()
    lengths = torch.randint(width // 2 + 1, width + 2, (rows, 1), generator=generator)
    if rows > 1:
        lengths[rows // 2] = 0
    return {
        "rewards": rewards,
        "values": values,
        "mask": (torch.arange(width) < lengths).to(device),
        "gamma": 0.99,
        "lam": 0.95,
        "bootstrap": torch.randn(rows, generator=generator).to(device, dtype),
    }


def _make_streams(shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int) -> Inputs:
    one = _make(shape, dtype, device, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    rewards = torch.randn(STREAMS, *shape, generator=generator).to(device, dtype)
    kept = {name: one[name] for name in ("values", "mask")}
    return {"rewards": rewards, **kept, "gammas": (1.0, 0.99, 0.9)}


def _bytes_moved(inputs: Inputs) -> int:
    from rlrewards.kernels.registry import size_of

    rewards, values, mask = (inputs[name] for name in ("rewards", "values", "mask"))
    written: int = _dtype(rewards, values).itemsize * (mask.numel() + values.numel())
    return size_of(rewards, values, mask) + written
