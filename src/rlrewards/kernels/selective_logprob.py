"""The log-prob of each sampled token, and the entropy, from logits that are already there.

``log_softmax`` and ``gather`` write an array as large as the logits, keep it for the backward, and
write two more there, to use one number a row. Here the forward reads the logits once and keeps two
numbers a row; the backward writes the gradient and nothing else, over the logits if asked to.

Where the logits are not there yet, ``linear_logprob`` never makes them.
"""

import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from rlrewards.kernels import launch, library

if TYPE_CHECKING:
    from rlrewards.kernels.registry import Inputs, Kernel

BLOCK = 131_072
"""Logits that a thread of the plain path works on at a time, in whole rows: its scratch is two or
three times as much."""

FLOOR = -1e4
"""e to this is 0, also in float64: stands for −∞ where 0·(−∞) should be 0."""


class LogProbs(NamedTuple):
    """``logp, entropy = selective_logprob(...)``, each shaped as the labels."""

    logp: Tensor
    entropy: Tensor | None


def eager_logprob(
    logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    mask: Tensor | None = None,
) -> LogProbs:
    """The oracle of ``selective_logprob``: ``log_softmax(z)[label]`` and ``−Σ p·log p``.

    Plain torch on whole arrays, in at least float32, differentiable as often as needed. Same
    arguments and results; a label outside the vocabulary is an error of ``gather``.

    >>> eager_logprob(torch.tensor([[0.0, 0.0]]), torch.tensor([1]), entropy=True)
    LogProbs(logp=tensor([-0.6931]), entropy=tensor([0.6931]))
    """
    x = logits if logits.dtype == torch.float64 else logits.float()
    if mask is not None:
        mask = mask != 0
        x = torch.where(mask.unsqueeze(-1), x, 0.0)
        labels = torch.where(mask, labels, 0)
    if softcap is not None:
        x = softcap * torch.tanh(x / softcap)
    log_p = torch.log_softmax(x / temperature, -1)
    logp = log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    h = None
    if entropy:
        possible = torch.where(log_p == -math.inf, 0.0, log_p)  # 0·log 0 is 0
        h = -(log_p.exp() * possible).sum(-1)
    if mask is None:
        return LogProbs(logp, h)
    return LogProbs(torch.where(mask, logp, 0.0), h if h is None else torch.where(mask, h, 0.0))


def selective_logprob(
    logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    mask: Tensor | None = None,
    in_place: bool = False,
) -> LogProbs:
    """Log-prob ``z[label] − log Σ e^z`` of each label and the entropy ``H = −Σ p·log p``.

    ``z = x/temperature``, or ``z = softcap·tanh(x/softcap)/temperature`` for models that cap their
    logits, arXiv 2408.00118, section 2; ``p = softmax(z)``. Differentiable once in the logits,
    through both results: ``∂z = ∂logp·(1[label] − p) − ∂H·p·(log p + H)``.

    Rows where ``mask`` is 0 give 0 and take no gradient, whatever logits and label they hold, and
    cost no reading. So in place of ``logits[:, :-1]``, which is not contiguous, pass all logits,
    the labels shifted, and a mask that ends in 0.

    A logit of −∞, a token that is banned, has probability 0 and adds 0 to the entropy; as a label
    it gives −∞. NaN in a row, +∞, or nothing but −∞ gives NaN. (A soft cap makes both infinities
    finite before that.)

    The forward allocates nothing the size of the logits; the backward allocates their gradient.
    With ``in_place`` it does not: it overwrites the logits with the gradient. Then nothing else may
    read them after the forward, which autograd notices only where it saved them; a second backward
    raises ``RuntimeError``.

    Shapes: ``logits`` ``[..., V]``, contiguous, float32, bfloat16 or float16, computed in float32,
    or float64, which runs in plain torch on every device; ``labels`` ``[...]``, int64, in [0, V)
    where valid; ``mask`` ``[...]`` → ``LogProbs`` of ``[...]``, float32 (float64 for float64);
    ``entropy`` is None unless asked for. Raises ``TypeError`` for other dtypes; ``ValueError`` for
    other shapes, strides or devices, a temperature or cap that is not positive, ``in_place`` on a
    leaf that requires a gradient, and a valid label outside [0, V). On a GPU, which is not waited
    for, such a label gives NaN instead, and NaN gradients in its row.

    >>> logits = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])
    >>> labels, mask = torch.tensor([0, 1, -100]), torch.tensor([1, 1, 0])
    >>> selective_logprob(logits, labels, mask=mask, entropy=True)
    LogProbs(logp=tensor([-0.6931, -0.6931,  0.0000]), entropy=tensor([0.6931, 0.6931, 0.0000]))
    """
    mask = _checked(logits, labels, mask, temperature, softcap, in_place)
    logp, h, _ = _OPERATOR(
        logits, labels, mask, float(temperature), float(softcap or 0.0), entropy, in_place
    )
    return LogProbs(logp, h if entropy else None)


def _checked(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    temperature: float,
    softcap: float | None,
    in_place: bool,
) -> Tensor | None:
    """The mask as booleans; or an error."""
    launch.require("logits", logits)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"logits has shape {list(logits.shape)}, expected [..., V] with V ≥ 1")
    launch.require("labels", labels, dtypes=(torch.int64,), like=logits)
    rows = logits.shape[:-1]
    if labels.shape != rows:
        launch.require_shape("labels", labels, rows, "logits.shape[:-1]")
    if not 0.0 < temperature < math.inf:
        raise ValueError(f"temperature is {temperature}, expected a positive number")
    if softcap is not None and not 0.0 < softcap < math.inf:
        raise ValueError(f"softcap is {softcap}, expected a positive number, or None for no cap")
    if in_place and logits.requires_grad:
        owner = logits if logits._base is None else logits._base
        if owner.is_leaf and owner.requires_grad:
            raise ValueError(
                "logits is a leaf that requires a gradient, or a view of one, and in_place would "
                "overwrite it: pass in_place=False"
            )
    if mask is None:
        return None
    if isinstance(mask, Tensor) and mask.dtype != torch.bool:
        mask = mask != 0
    launch.require("mask", mask, dtypes=(torch.bool,), like=logits)
    if mask.shape != rows:
        launch.require_shape("mask", mask, rows, "logits.shape[:-1]")
    return mask


# The operators -----------------------------------------------------------------------------------


def _programs(logits: Tensor) -> Any:
    """The Triton programs for these logits, or None where plain torch serves them."""
    if logits.dtype == torch.float64 or not launch.runs_triton(logits):
        return None
    from rlrewards.kernels.programs import selective_logprob as programs

    return programs


def _compute(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    temperature: float,
    softcap: float,
    entropy: bool,
    in_place: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    shape = labels.shape
    x, labels = logits.view(-1, logits.shape[-1]), labels.view(-1)
    mask = None if mask is None else mask.view(-1)
    if x.device.type == "cpu":
        _require_labels(labels, mask, x.shape[1])
    statistics = _statistics if (programs := _programs(x)) is None else programs.statistics
    logp, h, lse = statistics(
        x, labels, mask, temperature=temperature, softcap=softcap, wanted=entropy
    )
    return logp.view(shape), h.view(shape) if entropy else h, lse.view(shape)


def _require_labels(labels: Tensor, mask: Tensor | None, width: int) -> None:
    bad = (labels < 0) | (labels >= width)
    if mask is not None:
        bad &= mask
    if bad.any():
        row = int(bad.nonzero()[0])
        raise ValueError(
            f"labels (flattened) has {int(labels[row])} at {row}, expected 0 to {width - 1}: "
            "pass a mask that is 0 where there is no label"
        )


def _fake(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    temperature: float,
    softcap: float,
    entropy: bool,
    in_place: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    dtype = torch.promote_types(logits.dtype, torch.float32)
    logp, h, lse = (
        logits.new_empty(shape, dtype=dtype)
        for shape in (labels.shape, labels.shape if entropy else (0,), labels.shape)
    )
    return logp, h, lse


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, mask, ctx.temperature, ctx.softcap, ctx.entropy, ctx.in_place = inputs
    _, entropy, lse = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(lse)
    ctx.save_for_backward(logits, labels, mask, lse, entropy)


def _backward(
    ctx: Any, grad_logp: Tensor | None, grad_entropy: Tensor | None, _: Tensor | None
) -> tuple[Tensor | None, ...]:
    nothing = (None,) * 6
    grad_entropy = grad_entropy if ctx.entropy else None
    if grad_logp is None and grad_entropy is None:
        return None, *nothing
    logits, labels, mask, lse, entropy = ctx.saved_tensors
    grads = (None if g is None else g.contiguous() for g in (grad_logp, grad_entropy))
    arguments = (logits, labels, mask, lse, entropy, *grads, ctx.temperature, ctx.softcap)
    if not ctx.in_place:
        return _GRADIENT(*arguments), *nothing
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        raise RuntimeError(_ONCE)
    with torch.no_grad():
        _GRADIENT_IN_PLACE(*arguments)
    return logits.detach(), *nothing


def _write(
    out: Tensor,
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    lse: Tensor,
    entropy: Tensor,
    grad_logp: Tensor | None,
    grad_entropy: Tensor | None,
    temperature: float,
    softcap: float,
) -> None:
    width = logits.shape[-1]
    grad_logp = torch.zeros_like(lse) if grad_logp is None else grad_logp
    gradient = _gradient if (programs := _programs(logits)) is None else programs.gradient
    gradient(
        logits.view(-1, width),
        labels.view(-1),
        None if mask is None else mask.view(-1),
        lse.view(-1),
        entropy.view(-1),
        grad_logp.view(-1),
        None if grad_entropy is None else grad_entropy.view(-1),
        out.view(-1, width),
        temperature=temperature,
        softcap=softcap,
    )


def _compute_gradient(logits: Tensor, *arguments: Any) -> Tensor:
    out = torch.empty_like(logits)
    _write(out, logits, *arguments)
    return out


def _compute_gradient_in_place(logits: Tensor, *arguments: Any) -> None:
    _write(logits, logits, *arguments)
    torch.autograd.graph.increment_version(logits)  # a Triton program writes unseen by autograd


_ONCE = (
    "selective_logprob can be differentiated once only: for second derivatives use eager_logprob"
)


def _once(ctx: Any, upstream: Tensor) -> tuple[None, ...]:
    raise RuntimeError(_ONCE)


_OPERATOR = library.register(
    "selective_logprob(Tensor logits, Tensor labels, Tensor? mask, float temperature, "
    "float softcap, bool entropy, bool in_place) -> (Tensor, Tensor, Tensor)",
    _compute,
    _fake,
    backward=_backward,
    save=_save,
)
_GRADIENT_ARGUMENTS = (
    "Tensor labels, Tensor? mask, Tensor lse, Tensor entropy, Tensor? grad_logp, "
    "Tensor? grad_entropy, float temperature, float softcap"
)
_GRADIENT = library.register(
    f"selective_logprob_backward(Tensor logits, {_GRADIENT_ARGUMENTS}) -> Tensor",
    _compute_gradient,
    lambda logits, *_: torch.empty_like(logits),
    backward=_once,
    save=lambda ctx, inputs, output: None,
)
_GRADIENT_IN_PLACE = library.register(
    f"selective_logprob_backward_(Tensor(a!) logits, {_GRADIENT_ARGUMENTS}) -> ()",
    _compute_gradient_in_place,
    lambda *_: None,
)


# Plain torch -------------------------------------------------------------------------------------


def _statistics(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    *,
    temperature: float,
    softcap: float,
    wanted: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    n, width = logits.shape
    inside, labels = _within(labels, width)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    top, chosen, total, moment = logits.new_zeros(4, n, dtype=dtype)
    for band, live, (z, e, _) in _blocks(logits, mask):
        if not live:
            continue
        x = _capped(logits[band], softcap, out=z)
        m = torch.amax(x, 1, keepdim=True)
        top[band] = m.squeeze(1)
        chosen[band] = (x.gather(1, labels[band]) - m).squeeze(1)
        torch.sub(x, m, out=z).mul_(1 / (temperature * math.log(2)))
        if wanted:
            torch.exp2(z.clamp_(min=FLOOR), out=e)
            torch.sum(z.mul_(e), 1, out=moment[band])
        else:
            e = z.exp2_()
        torch.sum(e, 1, out=total[band])
    size = total.log()
    logp = torch.where(inside, chosen / temperature - size, math.nan)
    h = size - moment * math.log(2) / total if wanted else moment[:0].clone()
    lse = top / temperature + size
    if mask is None:
        return logp, h, lse
    logp, lse = (torch.where(mask, x, 0.0) for x in (logp, lse))
    return logp, torch.where(mask, h, 0.0) if wanted else h, lse


def _gradient(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    lse: Tensor,
    entropy: Tensor,
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    out: Tensor,
    *,
    temperature: float,
    softcap: float,
) -> None:
    inside, labels = _within(labels, logits.shape[1])
    g = torch.where(inside, grad_logp, math.nan).unsqueeze(1) / temperature
    h = constant = None
    if grad_entropy is not None:  # g + h·(log p + H), with log₂ p
        constant = g + (grad_entropy * entropy).unsqueeze(1) / temperature
        h = grad_entropy.unsqueeze(1) * (math.log(2) / temperature)
    shift = (lse * temperature).unsqueeze(1)
    for band, live, (z, e, capped) in _blocks(logits, mask):
        d = out[band]
        if not live:
            d.zero_()
            continue
        x = _capped(logits[band], softcap, out=capped)
        p = d if d.dtype == e.dtype else e
        log_p = p if h is None else z
        torch.sub(x, shift[band], out=log_p).mul_(1 / (temperature * math.log(2)))
        torch.exp2(log_p, out=p)
        if h is None or constant is None:
            p.mul_(-g[band])
        else:
            p.mul_(log_p.clamp_(min=FLOOR).mul_(-h[band]).sub_(constant[band]))
        p.scatter_add_(1, labels[band], g[band])
        if softcap:
            p.mul_(capped.div_(softcap).square_().neg_().add_(1.0))
        if mask is not None:
            p.masked_fill_(~mask[band].unsqueeze(1), 0.0)
        if p is not d:
            d.copy_(p)


def _within(labels: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Which labels are in the vocabulary, and labels ``[n, 1]`` that all are."""
    inside = (labels >= 0) & (labels < width)
    return inside, torch.where(inside, labels, 0).unsqueeze(1)


def _blocks(x: Tensor, mask: Tensor | None) -> Iterator[tuple[slice, bool, list[Tensor]]]:
    """Some rows at a time, whether any of them is valid, and three scratch arrays for them."""
    n, width = x.shape
    height = max(1, min(n, BLOCK * max(2, torch.get_num_threads()) // width))
    dtype = torch.promote_types(x.dtype, torch.float32)
    scratch = [x.new_empty(height, width, dtype=dtype) for _ in range(3)]
    for i in range(0, n, height):
        band = slice(i, min(i + height, n))
        # A GPU is not asked: that would wait for it.
        live = mask is None or mask.is_cuda or bool(mask[band].any())
        yield band, live, [s[: band.stop - i] for s in scratch]


def _capped(x: Tensor, softcap: float, *, out: Tensor) -> Tensor:
    """The logits in the working dtype: themselves if they are, else in ``out``."""
    if softcap:
        return out.copy_(x).div_(softcap).tanh_().mul_(softcap)
    return x if x.dtype == out.dtype else out.copy_(x)


# The registry ------------------------------------------------------------------------------------


def _both(function: Any, **inputs: Any) -> tuple[Tensor, ...]:
    """The results that were asked for."""
    return tuple(x for x in function(**inputs) if x is not None)


def _make(
    shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int, *, entropy: bool
) -> "Inputs":
    n, width = shape
    generator = torch.Generator(device).manual_seed(seed)
    logits = torch.empty(shape, dtype=dtype, device=device).normal_(0.0, 3.0, generator=generator)
    labels = torch.randint(width, (n,), device=device, generator=generator)
    mask = torch.arange(n, device=device) % 8 != 7
    mask[-1:] = n == 1  # an empty row among several, and never nothing else
    return {
        "logits": logits.requires_grad_(),
        "labels": torch.where(mask, labels, -100),
        "mask": mask,
        "temperature": 0.8,
        "entropy": entropy,
    }


def _bytes_moved(inputs: "Inputs") -> int:
    """Valid logits read twice, every gradient written once."""
    logits, mask = inputs["logits"], inputs["mask"]
    read, written = 2 * int(mask.sum()), len(mask)
    return (read + written) * int(logits.shape[1]) * int(logits.element_size())


def rows() -> "tuple[Kernel, ...]":
    """What tests and benchmarks walk."""
    from rlrewards.kernels.registry import Kernel

    return tuple(
        Kernel(
            name="selective_logprob with entropy" if entropy else "selective_logprob",
            fused=functools.partial(_both, selective_logprob),
            oracle=functools.partial(_both, eager_logprob),
            make=functools.partial(_make, entropy=entropy),
            operators=(
                "selective_logprob",
                "selective_logprob_backward",
                "selective_logprob_backward_",
            ),
            gradients=("logits",),
            bytes_moved=_bytes_moved,
            shapes=((1, 7), (3, 1), (5, 131), (3, 4099), (0, 13)),
            bench_cpu=((512, 32_000),),
            bench_cuda=((2048, 151_936), (8192, 32_000)),
        )
        for entropy in (False, True)
    )
