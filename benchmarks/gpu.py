"""Parity of the objectives on a GPU with the CPU, and their times there.

    python benchmarks/gpu.py

Says so and ends with status 0 where there is no CUDA device.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

import torch

from rlrewards import objectives as rl

Batch = dict[str, torch.Tensor]
TOLERANCE = 1e-5  # float32 arithmetic in another order; reductions accumulate in float64


def inputs(rows: int, columns: int, device: str) -> Batch:
    """Return random inputs of one batch with ragged masks, the same on every device."""
    generator = torch.Generator().manual_seed(rows * columns)
    ends = torch.randint(1, columns + 1, (rows, 1), generator=generator)
    logp = -torch.rand(rows, columns, generator=generator)
    made = {
        "logp": logp,
        "old_logp": logp + 0.1 * torch.randn(rows, columns, generator=generator),
        "advantages": torch.randn(rows, generator=generator),
        "rewards": torch.randn(rows, columns, generator=generator),
        "values": torch.randn(rows, columns, generator=generator),
        "mask": torch.arange(columns) < ends,
    }
    return {name: tensor.to(device) for name, tensor in made.items()}


WITHOUT_RATIO = ("reinforce", "gpg")


def gradient_of(name: str) -> Callable[[Batch], torch.Tensor]:
    """Return a function of a batch that gives the gradient of a recipe's loss."""
    recipe = getattr(rl.recipes, name)
    settings = {"length": 4096} if name == "dr_grpo" else {}
    names = ("advantages", "mask") if name in WITHOUT_RATIO else ("old_logp", "advantages", "mask")

    def gradient(batch: Batch) -> torch.Tensor:
        logp = batch["logp"].clone().requires_grad_(True)
        loss = recipe(logp, *(batch[name] for name in names), **settings).loss
        return torch.autograd.grad(loss, logp)[0]

    return gradient


def advantages(batch: Batch, lam: float | torch.Tensor = 0.95) -> torch.Tensor:
    """Return GAE advantages."""
    return rl.gae(batch["rewards"], batch["values"], batch["mask"], gamma=0.99, lam=lam)[0]


def adaptive(batch: Batch) -> torch.Tensor:
    """Return GAE advantages with a λ for each row."""
    return advantages(batch, rl.length_adaptive_lambda(batch["mask"]))


def grouped(batch: Batch) -> torch.Tensor:
    """Return GRPO's advantages, by groups of four."""
    rewards = batch["rewards"][:, 0]
    return rl.group_relative(rewards, torch.arange(len(rewards), device=rewards.device) // 4)


def whitened(batch: Batch) -> torch.Tensor:
    """Return whitened rewards."""
    return rl.whiten(batch["rewards"], batch["mask"])


CASES: dict[str, Callable[[Batch], torch.Tensor]] = {
    **{f"{name}, forward + backward": gradient_of(name) for name in rl.recipes.__all__},
    "gae": advantages,
    "gae, a lambda for each row": adaptive,
    "group_relative": grouped,
    "whiten": whitened,
}


def milliseconds(run: Callable[[], object], repeats: int = 50) -> float:
    """Return the median time of a call on the device."""
    for _ in range(5):
        run()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def main() -> int:
    if not torch.cuda.is_available():
        print("no CUDA device: nothing to compare")
        return 0
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(f"{'case':30} {'shape':>12} {'error':>9} {'ms':>8}")
    worst = 0.0
    for name, case in CASES.items():
        for rows, columns in ((8, 512), (64, 8192), (16, 32768)):
            batch = inputs(rows, columns, "cuda")
            expected = case(inputs(rows, columns, "cpu"))
            error = (case(batch).cpu() - expected).norm() / expected.norm()
            worst = max(worst, float(error))
            time = milliseconds(lambda case=case, batch=batch: case(batch))
            print(f"{name:30} {rows:>5}×{columns:<6} {float(error):9.1e} {time:8.3f}")
    if not worst <= TOLERANCE:
        print(f"parity FAILED: relative error {worst:.1e} above {TOLERANCE:.0e}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
