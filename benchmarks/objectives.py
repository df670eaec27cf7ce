"""GAE against the loop over time: parity first, then the time of both, on one thread.

Run: ``python benchmarks/objectives.py``. The peer is the plain reversed Python loop that the PPO
trainers of TRL and OpenRLHF use, written here. A speed-up is printed only for a shape on which the
results agree.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from rlrewards import objectives as rl

SHAPES = ((8, 512), (32, 2048), (64, 8192))
GAMMA, LAM = 0.99, 0.95
TOLERANCE = 1e-5  # of the largest advantage: some hundred float32 roundings, the loop's own error


def loop(rewards: Tensor, values: Tensor, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    width = rewards.shape[1]
    carried = torch.zeros(len(rewards), dtype=rewards.dtype)
    reversed_advantages = []
    for t in reversed(range(width)):
        next_values = values[:, t + 1] if t + 1 < width else 0.0
        delta = rewards[:, t] + gamma * next_values - values[:, t]
        carried = delta + gamma * lam * carried
        reversed_advantages.append(carried)
    advantages = torch.stack(reversed_advantages[::-1], dim=1)
    return advantages, advantages + values


def best_ms(call: Callable[[], object], repeats: int) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    torch.set_num_threads(1)
    torch.zeros(4_000_000).add_(1)  # a warm allocator, as inside a training process
    print(f"torch {torch.__version__}, 1 thread, float32, gamma {GAMMA}, lambda {LAM}; best, in ms")
    print(f"{'shape':>10} {'error':>9} {'loop error':>10} {'loop':>9} {'gae':>8} {'ratio':>7}")
    for rows, width in SHAPES:
        torch.manual_seed(0)
        rewards, values = torch.randn(2, rows, width).unbind(0)
        mask = torch.ones(rows, width, dtype=torch.bool)
        truth, _ = loop(rewards.double(), values.double(), GAMMA, LAM)
        ours = rl.gae(rewards, values, mask, gamma=GAMMA, lam=LAM)
        errors = [
            ((found - truth).abs().max() / truth.abs().max()).item()
            for found in (ours.advantages, loop(rewards, values, GAMMA, LAM)[0])
        ]
        line = f"{rows:>5}×{width:<5}{errors[0]:>9.1e} {errors[1]:>10.1e}"
        if errors[0] > TOLERANCE:
            raise SystemExit(f"{line}  no parity: no times")
        repeats = max(3, 2_000_000 // (rows * width))
        slow = best_ms(lambda r=rewards, v=values: loop(r, v, GAMMA, LAM), min(repeats, 10))
        fast = best_ms(
            lambda r=rewards, v=values, m=mask: rl.gae(r, v, m, gamma=GAMMA, lam=LAM),
            10 * repeats,
        )
        print(f"{line} {slow:>9.1f} {fast:>8.3f} {slow / fast:>6.0f}×")


if __name__ == "__main__":
    main()
