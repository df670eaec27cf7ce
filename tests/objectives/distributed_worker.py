"""The launch of ``test_distributed.py``: gloo groups, each rank with its share of the rows.

``python distributed_worker.py FOLDER 1 2 4`` imports torch once and forks groups of those sizes,
one after the other. Each rank writes ``FOLDER/SIZE-RANK.pt``: what it counted, and the gradient
that its optimizer would see, by case.
"""

# ruff: noqa: N806  (names as in the formulas: B, T)
import os
import sys
from contextlib import nullcontext
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from rlrewards.objectives import distributed, recipes

SYMBOLS = 7
LENGTH = 16
CUTS = {  # rows of each micro-batch of each rank; rows 4, 5 and 6 have no valid token
    1: [[[3], [0, 1, 2, 4], [5, 6], [7, 8, 9, 10, 11]]],
    2: [[[11, 2], [4, 5], [0, 1, 3, 7, 8, 9, 10]], [[6]]],
    4: [[[0]], [[4, 5], [], [6]], [[1, 2, 3, 7, 11], [8]], [[9], [10]]],
}
EVEN_CUTS = {  # three micro-batches a rank, as Accelerate's own accumulation wants
    1: [[[4, 5, 6], [0, 1, 2, 3], [7, 8, 9, 10, 11]]],
    2: [[[11, 2], [7], [0, 1, 3, 8, 9, 10]], [[6], [4], [5]]],
    4: [[[0], [1, 2], [3]], [[4], [5], [6]], [[7], [], [11]], [[8], [9], [10]]],
}
RECIPES = {
    "dapo": ("tokens", {}),
    "grpo": ("sequences", {"beta": 0.1}),
    "dr_grpo": ("sequences", {"length": LENGTH}),
}
DTYPES = {"float64": torch.float64, "float32": torch.float32}
TIMEOUT_SECONDS = 30


class Policy(torch.nn.Module):
    """A bigram model: log-probs of the tokens after the first."""

    def __init__(self, dtype):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.embedding = torch.nn.Embedding(SYMBOLS, 5, dtype=dtype)
            self.head = torch.nn.Linear(5, SYMBOLS, dtype=dtype)

    def forward(self, tokens):
        logp = self.head(self.embedding(tokens[:, :-1])).log_softmax(-1)
        return logp.gather(2, tokens[:, 1:].unsqueeze(2)).squeeze(2)


def whole_batch(dtype):
    """Twelve rows of very different lengths, three of them without a token; hostile padding."""
    generator = torch.Generator().manual_seed(0)
    B, T = 12, 9
    old, ref = -3 * torch.rand(2, B, T, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([1, 9, 4, 1, 0, 0, 0, 7, 2, 2, 9, 3])
    mask = torch.arange(T) < lengths.unsqueeze(1)
    return {
        "tokens": torch.randint(SYMBOLS, (B, T + 1), generator=generator),
        "old": old.masked_fill(~mask, torch.nan).to(dtype),
        "ref": ref.masked_fill(~mask, torch.inf).to(dtype),
        "advantages": torch.randn(B, generator=generator, dtype=torch.float64).to(dtype),
        "mask": mask,
    }


def loss(policy, batch, name, **given):
    """The recipe's loss of these rows."""
    return getattr(recipes, name)(
        policy(batch["tokens"]),
        batch["old"],
        batch["advantages"],
        batch["mask"],
        ref_logp=batch["ref"],
        **RECIPES[name][1],
        **given,
    ).loss


def gradient(policy):
    """All of it, as one vector."""
    return torch.cat([p.grad.flatten() for p in policy.parameters()])


def cut(batch, rows_of_each):
    """The micro-batches of one rank."""
    return [{k: x[rows] for k, x in batch.items()} for rows in rows_of_each]


def run_plain(name, pieces):
    """No wrapper: every rank adds up its gradients, which are then summed over the ranks."""
    policy = Policy(pieces[0]["old"].dtype)
    step = distributed.optimizer_step([p["mask"] for p in pieces], loss_scale=1.0)
    for piece in pieces:
        step.backward(loss(policy, piece, name, denominator=getattr(step, RECIPES[name][0])))
    total = gradient(policy)
    dist.all_reduce(total)
    return total


def run_ddp(name, pieces, *, scaled=True):
    """DDP averages over the ranks, in the last backward pass only."""
    policy = DistributedDataParallel(Policy(pieces[0]["old"].dtype))
    step = distributed.optimizer_step([p["mask"] for p in pieces])
    if not scaled:
        step = step._replace(loss_scale=1.0)
    for i, piece in enumerate(pieces):
        with nullcontext() if i + 1 == len(pieces) else policy.no_sync():
            step.backward(loss(policy, piece, name, denominator=getattr(step, RECIPES[name][0])))
    return gradient(policy)


def run_local_means(name, pieces):
    """Each micro-batch divided by its own count, and averaged: what the denominators are for."""
    policy = DistributedDataParallel(Policy(pieces[0]["old"].dtype))
    for i, piece in enumerate(pieces):
        with nullcontext() if i + 1 == len(pieces) else policy.no_sync():
            (loss(policy, piece, name) / len(pieces)).backward()
    return gradient(policy)


def run_accelerate(accelerator, name, pieces):
    """Accelerate divides by its accumulation steps and averages over the ranks."""
    policy = accelerator.prepare(Policy(pieces[0]["old"].dtype))
    step = distributed.optimizer_step(
        [p["mask"] for p in pieces], loss_scale=distributed.accelerate_scale(accelerator)
    )
    for piece in pieces:
        with accelerator.accumulate(policy):
            out = loss(policy, piece, name, denominator=getattr(step, RECIPES[name][0]))
            accelerator.backward(step.scale(out))
    return gradient(policy)


def count_collectives(call):
    """What ``call`` returns, and the names of the collectives that it ran."""
    seen, kept = [], (dist.all_reduce, dist.all_gather)

    def watched(collective):
        return lambda *args, **kw: (seen.append(collective.__name__), collective(*args, **kw))[1]

    dist.all_reduce, dist.all_gather = (watched(one) for one in kept)
    try:
        return call(), seen
    finally:
        dist.all_reduce, dist.all_gather = kept


def counts(world, rank):
    """Everything that is counted, by name."""
    pieces = cut(whole_batch(torch.float64), CUTS[world][rank])
    masks = [p["mask"] for p in pieces]
    step, step_collectives = count_collectives(lambda: distributed.optimizer_step(masks))
    A = [p["advantages"] for p in pieces]
    known = [torch.ones_like(a) for a in A]
    stats, stats_collectives = count_collectives(lambda: distributed.global_moments(A, known))
    found = {
        "step": torch.stack(step[:3]),
        "loss_scale": step.loss_scale,
        "step_collectives": step_collectives,
        "moments": torch.stack(stats),
        "moments_collectives": stats_collectives,
        "filled": distributed.global_denominator(masks[0], count="filled", accumulation=masks[1:]),
    }
    if world == 4:  # two pairs of ranks that share nothing
        pairs = [dist.new_group([0, 1]), dist.new_group([2, 3])]
        group = pairs[rank // 2]
        found["pair"] = torch.stack(distributed.optimizer_step(masks, process_group=group)[:3])
        found["pair_scale"] = distributed.rank_scale(process_group=group)
        found["pair_moments"] = torch.stack(
            distributed.global_moments(A, known, process_group=group)
        )
        try:
            distributed.optimizer_step(masks, process_group=pairs[1 - rank // 2])
        except ValueError as error:
            found["outsider"] = str(error)
    return found


def gradients(world, rank):
    """The gradient of every case."""
    from accelerate import Accelerator  # as a trainer does: torch.distributed is up already

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=3)
    found = {}
    for kind, dtype in DTYPES.items():
        ragged = cut(whole_batch(dtype), CUTS[world][rank])
        even = cut(whole_batch(dtype), EVEN_CUTS[world][rank])
        for name in RECIPES:
            found["plain", name, kind] = run_plain(name, ragged)
            found["ddp", name, kind] = run_ddp(name, ragged)
            found["accelerate", name, kind] = run_accelerate(accelerator, name, even)
    found["unscaled"] = run_ddp("dapo", ragged, scaled=False)
    found["local means"] = run_local_means("dapo", ragged)
    return found


def main(rank, world, folder):
    """A rank's life."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}  # never dialled
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet-{world}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=TIMEOUT_SECONDS),
    )
    torch.save(counts(world, rank) | gradients(world, rank), Path(folder, f"{world}-{rank}.pt"))
    dist.barrier()
    dist.destroy_process_group()


def launch(world, folder):
    """Fork the ranks of a group and wait for them; whether all went well."""
    context = get_context("fork")
    ranks = [
        context.Process(target=main, args=(rank, world, folder), daemon=True)
        for rank in range(world)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(2 * TIMEOUT_SECONDS)
    return all(process.exitcode == 0 for process in ranks)


if __name__ == "__main__":
    # What DDP and a trainer import, once, before the fork.
    import accelerate  # noqa: F401
    import torch._dynamo

    folder, *worlds = sys.argv[1:]
    sys.exit(not all(launch(int(world), folder) for world in worlds))
