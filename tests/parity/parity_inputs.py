"""What every library is given, and how its answers are written down. Needs torch and nothing else.

The numbers are drawn by Python's own generator and rounded, then stored beside the answers: a test
that reads them needs neither this file nor a generator.
"""

import json
import platform
import random
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version

import torch

B, T = 6, 9
LENGTHS = [9, 5, 1, 7, 9, 3]
HOLES = [(0, 3), (0, 4), (3, 2)]
SEED = 10431
"""Of the first draw in which every bound of every row is passed by some token and some sequence."""


def inputs() -> dict[str, list]:
    """Log-probabilities, masks, advantages, rewards and values of six completions."""
    draw = random.Random(SEED)

    def cells(one: Callable[[], float]) -> list[list[float]]:
        return [[round(one(), 6) for _ in range(T)] for _ in range(B)]

    def near(centre: list[list[float]], spread: float) -> list[list[float]]:
        return [
            [round(min(-0.01, x + draw.gauss(0, spread)), 6) for x in row]  # a log-probability: < 0
            for row in centre
        ]

    logp = cells(lambda: -draw.expovariate(1.0) - 0.02)
    old = near(logp, 0.5)
    ragged = [[int(t < n) for t in range(T)] for n in LENGTHS]
    holes = [
        [int(m and (i, t) not in HOLES) for t, m in enumerate(r)] for i, r in enumerate(ragged)
    ]
    return {
        "logp": logp,
        "old_logp": old,
        "ref_logp": near(logp, 0.5),
        "sampler_logp": near(old, 0.25),
        "entropy": cells(lambda: draw.uniform(0, 2)),
        "ragged": ragged,
        "holes": holes,
        "empty": [row if i != 2 else [0] * T for i, row in enumerate(ragged)],
        "advantages": [1.25, -0.5, 0.75, -1.5, 0.3, -0.9],
        "token_advantages": cells(lambda: draw.gauss(0, 1)),
        "rewards": [1.0, 0.0, 0.35, 0.7, -0.2, 0.9],
        "idle_rewards": [1.0, 0.0, 0.35, 0.7, 0.7, 0.7],
        "missing_rewards": [1.0, "nan", 0.35, 0.7, -0.2, 0.9],
        "several_rewards": [[1, 0.2], [0, 0.9], [1, 0.4], [0, 0.1], [1, 0.5], [1, 0.8]],
        "several_missing": [[1, "nan"], [0, 0.9], ["nan", "nan"], [0, 0.1], ["nan", 0.5], [1, 0.8]],
        "greedy_rewards": [0.5, 0.1, 1.0, 0.0, 0.4, 0.6],
        "group": [0, 0, 0, 1, 1, 1],
        "uneven_group": [0, 1, 0, 0, 1, 0],
        "lone_group": [0, 0, 0, 1, 1, 2],
        "token_rewards": cells(lambda: draw.gauss(0, 1)),
        "values": cells(lambda: draw.gauss(0, 1)),
        "old_values": cells(lambda: draw.gauss(0, 1)),
        "returns": cells(lambda: draw.gauss(0, 1)),
    }


def tensor(x: list) -> torch.Tensor:
    """Masks and groups stay integers; the rest is float64, with NaN written ``"nan"``."""
    flat = [cell for row in x for cell in (row if isinstance(row, list) else [row])]
    if all(isinstance(cell, int) for cell in flat):
        return torch.tensor(x)
    rows = [[float(c) for c in row] if isinstance(row, list) else float(row) for row in x]
    return torch.tensor(rows, dtype=torch.float64)


def tensors() -> dict[str, torch.Tensor]:
    return {name: tensor(x) for name, x in inputs().items()}


def row(call: str, outputs: dict, **settings: object) -> dict:
    """One comparison: what was called, what differs from the defaults, and what came out."""
    return {
        "call": call,
        "settings": settings,
        "outputs": {k: plain(v) for k, v in outputs.items()},
    }


def plain(x: object) -> object:
    """As JSON holds it: numbers that it has not are strings."""
    if isinstance(x, torch.Tensor):
        return plain(x.detach().tolist())
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [plain(y) for y in x]
    if isinstance(x, float) and (x != x or abs(x) == float("inf")):
        return str(x)
    return x


def loss_and_gradient(
    call: Callable[[torch.Tensor], torch.Tensor], logp: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Of a scalar, with respect to the log-probabilities it is called with."""
    logp = logp.clone().requires_grad_()
    loss = call(logp)
    return {"loss": loss.detach(), "gradient": torch.autograd.grad(loss, logp)[0]}


def largest_leak(advantages: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
    """The largest advantage that a group of identical float32 rewards, |r| ≤ 10, is given.

    ``advantages`` maps rewards ``[prompts, samples]`` to advantages.
    """
    found = (0.0, 0.0, 0)
    rewards = torch.arange(1, 1001).unsqueeze(1) / 100
    for size in range(2, 17):
        leak = advantages(rewards.repeat(1, size)).view(len(rewards), size).abs().amax(1)
        found = max(found, (leak.max().item(), rewards[leak.argmax()].item(), size))
    return dict(zip(("leak", "reward", "size"), found, strict=True))


def write(package: str, rows: Iterable[dict], note: str = "") -> None:
    """The file of one library to standard output."""
    made_with = {
        package: version(package),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    lines = [json.dumps(r, allow_nan=False) for r in rows]
    head = {"made_with": made_with, "note": note, "inputs": inputs()}
    text = json.dumps(head, allow_nan=False)[:-1] + ',\n"rows": [\n' + ",\n".join(lines) + "\n]}\n"
    sys.stdout.write(text)
