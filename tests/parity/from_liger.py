"""Liger's loss after its log-probabilities; runs where Liger is installed (it needs no Triton).

``ppo_loss_fn`` is plain torch, and called here as the fused layer calls it on each of its chunks.
"""

import math
from collections.abc import Iterator

import torch
from liger_kernel.chunked_loss.grpo_loss import LigerFusedLinearGRPOFunction
from parity_inputs import loss_and_gradient, row, tensors, write

X = tensors()
LENGTH = 16
EVERY = ["grpo", "dr_grpo", "bnpo", "dapo", "luspo", "cispo", "sapo", "vespo"]


def rows() -> Iterator[dict]:
    for loss_type in EVERY:
        high = {"epsilon_high": 5.0} if loss_type == "cispo" else {}
        for mask in ("ragged", "holes", "empty"):
            yield loss(loss_type=loss_type, mask=mask, beta=0.0, **high)
        yield loss(loss_type=loss_type, **high)  # beta is .04 unless told
        yield loss(loss_type=loss_type, use_bias_correction_kl=True, **high)
        yield loss(loss_type=loss_type, beta=0.0, vllm_is_ratio="token", **high)
    for loss_type in EVERY[:5]:
        yield loss(loss_type=loss_type, beta=0.0, epsilon_high=0.28)
        yield loss(loss_type=loss_type, beta=0.0, delta=2.0)
    for loss_type in ("grpo", "luspo"):
        for mask in ("ragged", "holes"):
            yield loss(
                loss_type=loss_type, beta=0.0, mask=mask, importance_sampling_level="sequence"
            )
    yield loss(loss_type="cispo", beta=0.0, epsilon_high=1.2)
    yield loss(loss_type="sapo", beta=0.0, sapo_temperature_pos=2.0, sapo_temperature_neg=3.0)
    yield row("nan_padding", {"loss": compute(nan_padded(), X, loss_type="grpo", beta=0.0)[0]})
    yield row("luspo_padding", {"loss": luspo(0), "padded": luspo(5)})


def loss(mask: str = "ragged", **settings) -> dict:
    metrics = []
    given = {**settings}
    if given.get("vllm_is_ratio"):
        w = (X["old_logp"] - X["sampler_logp"]).exp().clamp(max=1.2)
        given["vllm_is_ratio"] = torch.where(
            X[mask] != 0, w, 1.0
        )  # 1 in padding, as TRL hands over

    def call(logp: torch.Tensor) -> torch.Tensor:
        value, metrics[:] = compute(logp, X, mask=mask, **given)
        return value

    found = loss_and_gradient(call, X["logp"])
    names = ["kl", "clip"] if settings.get("beta") != 0.0 else ["clip"]
    scalars = dict(zip(names, metrics, strict=True))
    return row("loss", {**found, "metrics": scalars}, mask=mask, **settings)


def compute(logp: torch.Tensor, x: dict, mask: str = "ragged", **settings) -> tuple:
    return LigerFusedLinearGRPOFunction.ppo_loss_fn(
        logp,
        x[mask],
        x["advantages"],
        x[mask],
        ref_per_token_logps=x["ref_logp"],
        old_per_token_logps=x["old_logp"],
        max_completion_length=LENGTH,
        **settings,
    )


def nan_padded() -> torch.Tensor:
    return X["logp"].masked_fill(X["ragged"] == 0, math.nan)


def luspo(columns: int) -> torch.Tensor:
    """With so many masked columns added."""
    more = {
        k: torch.nn.functional.pad(X[k], (0, columns)) for k in ("logp", "old_logp", "ref_logp")
    }
    more["ragged"] = torch.nn.functional.pad(X["ragged"], (0, columns))
    more["advantages"] = X["advantages"]
    return compute(more["logp"], more, loss_type="luspo", beta=0.0)[0]


if __name__ == "__main__":
    write("liger-kernel", rows())
