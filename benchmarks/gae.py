"""GAE beside the ways others compute it: parity first, then the time of all, on one thread.

Run: ``python benchmarks/gae.py [--quick] [--out FILE]``. The peers are written here from their
algorithms: the plain reversed loop of the PPO trainers of TRL and OpenRLHF, verl's loop that
carries over masked tokens, TorchRL's convolution with the powers of γλ (cut off below 1e-7) and
slime's chunks of 128 tokens; TorchRL itself is called too if it is installed. ``copy`` moves the
same bytes, two inputs to two outputs: nothing can be faster. No time is shown for a result that is
not that of the loop in float64.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from objective_timing import best_ms, one_thread
from torch import Tensor
from torch.nn import functional

from rlrewards.objectives.gae import gae
from rlrewards.objectives.returns import multi_gamma_gae

SHAPES = ((8, 512), (32, 2048), (64, 8192), (16, 32768))
GAMMA, LAM = 0.99, 0.95
STREAMS = (1.0, 0.99)
TOLERANCE = 1e-5  # of the largest value: some hundred float32 roundings, the loop's own error
SLOW_MS = 50.0  # who takes longer is timed twice only

COPY = "copy of the same bytes"

Pair = tuple[Tensor, Tensor]


def loop(rewards: Tensor, values: Tensor, lam: float | Tensor = LAM, gamma: float = GAMMA) -> Pair:
    width = rewards.shape[1]
    carried = torch.zeros(len(rewards), dtype=rewards.dtype)
    backwards = []
    for t in reversed(range(width)):
        next_values = values[:, t + 1] if t + 1 < width else 0.0
        delta = rewards[:, t] + gamma * next_values - values[:, t]
        carried = delta + gamma * lam * carried
        backwards.append(carried)
    advantages = torch.stack(backwards[::-1], dim=1)
    return advantages, advantages + values


def masked_loop(rewards: Tensor, values: Tensor, mask: Tensor) -> Pair:
    """verl's: value and advantage of the next valid token are carried over masked ones."""
    carried = next_values = torch.zeros(len(rewards), dtype=rewards.dtype)
    valid = mask.to(rewards.dtype)
    backwards = []
    for t in reversed(range(rewards.shape[1])):
        m = valid[:, t]
        delta = rewards[:, t] + GAMMA * next_values - values[:, t]
        carried = m * (delta + GAMMA * LAM * carried) + (1 - m) * carried
        next_values = m * values[:, t] + (1 - m) * next_values
        backwards.append(carried)
    advantages = torch.stack(backwards[::-1], dim=1)
    return advantages, advantages + values


def sum_of_streams(streams: Tensor, values: Tensor) -> Pair:
    parts = [loop(x, 0 * values, 1.0, gamma)[0] for x, gamma in zip(streams, STREAMS, strict=True)]
    returns = torch.stack(parts).sum(0)
    return returns - values, returns


def td_errors(rewards: Tensor, values: Tensor) -> Tensor:
    return rewards + GAMMA * functional.pad(values[:, 1:], (0, 1)) - values


def convolution(rewards: Tensor, values: Tensor) -> Pair:
    powers = (GAMMA * LAM) ** torch.arange(rewards.shape[1], dtype=torch.float64)
    powers = powers[powers >= 1e-7].to(rewards.dtype)
    delta = functional.pad(td_errors(rewards, values), (0, len(powers) - 1))
    advantages = functional.conv1d(delta.unsqueeze(1), powers.view(1, 1, -1)).squeeze(1)
    return advantages, advantages + values


def chunks(rewards: Tensor, values: Tensor, size: int = 128) -> Pair:
    rows, width = rewards.shape
    steps = torch.arange(size)
    ahead = steps.unsqueeze(1) - steps
    powers = torch.where(ahead < 0, 0.0, (GAMMA * LAM) ** ahead.clamp(min=0)).to(rewards.dtype)
    reach = ((GAMMA * LAM) ** (size - steps)).to(rewards.dtype)
    delta = functional.pad(td_errors(rewards, values), (0, -width % size))
    local = delta.view(rows, -1, size) @ powers
    carry = torch.zeros(rows, 1, dtype=rewards.dtype)
    parts = []
    for j in reversed(range(local.shape[1])):
        parts.append(local[:, j] + carry * reach)
        carry = parts[-1][:, :1]
    advantages = torch.cat(parts[::-1], 1)[:, :width]
    return advantages, advantages + values


def torchrl_itself() -> Callable[[Tensor, Tensor], Pair] | None:
    try:
        from torchrl.objectives.value.functional import vec_generalized_advantage_estimate
    except ImportError:
        return None

    def call(rewards: Tensor, values: Tensor) -> Pair:
        after = functional.pad(values[:, 1:], (0, 1)).unsqueeze(2)
        done = torch.zeros(*rewards.shape, 1, dtype=torch.bool)
        done[:, -1] = True
        found = vec_generalized_advantage_estimate(
            GAMMA, LAM, values.unsqueeze(2), after, rewards.unsqueeze(2), done, done
        )
        return found[0].squeeze(2), found[1].squeeze(2)

    return call


class Contender:
    """A way to compute GAE, and its largest error at valid tokens, over the largest advantage."""

    def __init__(self, name: str, call: Callable[[], Pair], truth: Pair, mask: Tensor):
        self.name, self.call, self.best = name, call, float("inf")
        error = (call()[0].double() - truth[0])[mask].abs().max()
        self.error = (error / truth[0][mask].abs().max()).item()


def contenders(rows: int, width: int) -> list[Contender]:
    torch.manual_seed(0)
    r, v = torch.randn(2, rows, width).unbind(0)
    full = torch.ones(rows, width, dtype=torch.bool)
    ragged = torch.arange(width) < torch.randint(width // 4, width + 1, (rows, 1))
    holes = ragged & (torch.rand(rows, width // 8) < 0.8).repeat_interleave(8, 1)
    lam = torch.linspace(0.9, 1.0, rows, dtype=torch.float64)
    streams = torch.stack([r, torch.randn(rows, width)])

    rd, vd = r.double(), v.double()
    truth = loop(rd, vd)
    padded, stepped = masked_loop(rd, vd, ragged), masked_loop(rd, vd, holes)
    summed = sum_of_streams(streams.double(), vd)
    ours = partial(gae, r, v, gamma=GAMMA)
    out = torch.empty_like(r), torch.empty_like(v)
    found = [
        Contender(COPY, lambda: (out[0].copy_(r), out[1].copy_(v)), (rd, vd), full),
        Contender("loop (TRL, OpenRLHF)", lambda: loop(r, v), truth, full),
        Contender("loop with mask (verl)", lambda: masked_loop(r, v, full), truth, full),
        Contender("convolution (TorchRL's way)", lambda: convolution(r, v), truth, full),
        Contender("chunks of 128 (slime's way)", lambda: chunks(r, v), truth, full),
        Contender("gae", lambda: ours(full, lam=LAM), truth, full),
        Contender("gae, right-padded", lambda: ours(ragged, lam=LAM), padded, ragged),
        Contender("gae, holes stepped over", lambda: ours(holes, lam=LAM), stepped, holes),
        Contender("gae, λ per row", lambda: ours(full, lam=lam), loop(rd, vd, lam), full),
        Contender(
            "two streams, γ 1 and .99, λ 1",
            lambda: multi_gamma_gae(streams, v, full, gammas=STREAMS),
            summed,
            full,
        ),
    ]
    if (torchrl := torchrl_itself()) is not None:
        found.append(Contender("torchrl", lambda: torchrl(r, v), truth, full))
    return found


def measure(found: list[Contender], rounds: int, seconds: float) -> None:
    for turn in range(rounds):
        for one in found:
            if turn < 2 or one.best < SLOW_MS:
                one.best = min(one.best, best_ms(one.call, seconds))


def table(rows: int, width: int, found: list[Contender]) -> list[str]:
    copy, plain = found[0].best, found[1].best
    lines = [f"{f'{rows}×{width}':<32} {'ms':>9} {'loop ÷':>8} {'÷ copy':>8} {'error':>8}"]
    for one in found:
        times = f"{one.best:>9.3f} {plain / one.best:>8.1f} {one.best / copy:>8.1f}"
        if one.error > TOLERANCE:
            times = f"{'no parity: no time':>27}"
        lines.append(f"  {one.name:<30} {times} {one.error:>8.1e}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small shapes, shorter")
    parser.add_argument("--out", help="a file for the table too")
    options = parser.parse_args()
    one_thread()
    lines = [f"torch {torch.__version__}, 1 thread, float32, γ {GAMMA}, λ {LAM}; the best, in ms"]
    print(lines[0])
    failed = False
    for rows, width in SHAPES[:2] if options.quick else SHAPES:
        found = contenders(rows, width)
        rounds, seconds = (3, 0.02) if options.quick else (20, 0.05)
        measure(found, rounds, seconds)
        part = ["", *table(rows, width, found)]
        print("\n".join(part), flush=True)
        lines += part
        failed |= any(one.error > TOLERANCE for one in found if one.name.startswith(("gae", "two")))
    if options.out:
        with open(options.out, "w") as file:
            file.write("\n".join(lines) + "\n")
    if failed:
        raise SystemExit("gae has no parity with the loop in float64")


if __name__ == "__main__":
    main()
