# ruff: noqa: N806  (names as in the formulas: A)
import itertools
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import distributed_worker as worker
import pytest
import torch

from rlrewards.objectives.distributed import (
    OptimizerStep,
    accelerate_scale,
    global_denominator,
    global_moments,
    optimizer_step,
    rank_scale,
)

NAN, INF = math.nan, math.inf
WORLDS = (1, 2, 4)
WRAPPERS = ("plain", "ddp", "accelerate")
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
MASKS = torch.tensor([[1, 1, 1], [1, 0, 0]]), torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.0]])


def launch(folder):
    """What each rank of each group wrote: ``{size: [one dict per rank]}``."""
    finished = subprocess.run(
        [sys.executable, worker.__file__, str(folder), *map(str, WORLDS)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=8 * worker.TIMEOUT_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return {
        world: [torch.load(Path(folder, f"{world}-{rank}.pt")) for rank in range(world)]
        for world in WORLDS
    }


def whole_gradient(name, dtype):
    """One process, all rows at once, denominators counted on them by default."""
    policy = worker.Policy(dtype)
    worker.loss(policy, worker.whole_batch(dtype), name).backward()
    return worker.gradient(policy)


def relative_error(x, want):
    """Of the largest entry: small entries are sums in which digits cancel."""
    return ((x - want).abs().max() / want.abs().max()).item()


@pytest.mark.parametrize("cuts", [worker.CUTS, worker.EVEN_CUTS])
@pytest.mark.parametrize("world", WORLDS)
def test_the_cuts_below_are_hard_ones(cuts, world):
    rows = [row for rank in cuts[world] for piece in rank for row in piece]
    tokens = worker.whole_batch(torch.float64)["mask"].sum(1)
    assert sorted(rows) == list(range(12))
    assert any(not tokens[piece].any() for rank in cuts[world] for piece in rank)
    if world > 1:
        assert any(all(not tokens[piece].any() for piece in rank) for rank in cuts[world])


@pytest.mark.skipif(sys.platform != "linux", reason="the ranks are forked")
def test_ranks_and_micro_batches_give_the_gradient_of_the_whole_batch(tmp_path):
    """In groups of 1, 2 and 4: uneven shares, a micro-batch and a rank without a token.

    One test and one launch, since importing torch costs more than all that is computed.
    """
    pytest.importorskip("accelerate")
    groups = launch(tmp_path)
    wrong = [
        (world, rank, wrapper, name, kind, error)
        for wrapper, name, kind in itertools.product(WRAPPERS, worker.RECIPES, TOLERANCE)
        for world, rank, error in errors(groups, (wrapper, name, kind))
        if not error < TOLERANCE[kind]
    ]
    assert not wrong
    for world, ranks in groups.items():
        for found in ranks:
            check_what_the_factors_are_for(world, found)
            check_counts(world, found)
            assert torch.equal(found["moments"], ranks[0]["moments"])
    for rank, found in enumerate(groups[4]):
        check_pairs(rank, found)


def errors(groups, case):
    """Of each rank of each group, against one process with all rows and no denominator given."""
    want = whole_gradient(case[1], worker.DTYPES[case[2]])
    for world, ranks in groups.items():
        for rank, found in enumerate(ranks):
            yield world, rank, relative_error(found[case], want)


def check_what_the_factors_are_for(world, found):
    """Without the factor the gradient is too small; with local counts it is another one."""
    want = whole_gradient("dapo", torch.float32)
    assert relative_error(found["unscaled"] * world, want) < TOLERANCE["float32"]
    assert relative_error(found["local means"], want) > 0.05


def check_counts(world, found):
    """By hand, of lengths 1 9 4 1 0 0 0 7 2 2 9 3; and at most one collective for each."""
    A = worker.whole_batch(torch.float64)["advantages"].tolist()
    mean = math.fsum(A) / 12
    stats = [12, mean, math.fsum((a - mean) ** 2 for a in A)]
    assert found["step"].tolist() == [38, 12, 9]
    assert found["step"].dtype == torch.float64
    assert found["filled"].item() == 9
    assert found["loss_scale"] == world
    assert found["moments"].tolist() == pytest.approx(stats, rel=1e-12)
    assert found["step_collectives"] == ["all_reduce"] * (world > 1)
    assert found["moments_collectives"] == ["all_gather"] * (world > 1)


def check_pairs(rank, found):
    """Groups of ranks 0, 1 (rows 0, 4, 5, 6) and 2, 3 (the others)."""
    assert found["pair"].tolist() == ([1, 4, 1], [37, 8, 8])[rank // 2]
    assert found["pair_scale"] == 2
    assert found["pair_moments"][0].item() == (4, 8)[rank // 2]
    assert "this rank is not in process_group" in found["outsider"]


def test_counts_by_hand_without_ranks():
    step = optimizer_step(MASKS)
    assert (step.tokens.item(), step.sequences.item(), step.filled.item()) == (5, 5, 3)
    assert all(x.shape == () and x.dtype == torch.float64 for x in step[:3])
    assert step.loss_scale == 1
    for count, want in (("tokens", 5), ("sequences", 5), ("filled", 3)):
        assert global_denominator(MASKS, count=count).item() == want
        assert global_denominator(MASKS[0], count=count, accumulation=MASKS[1:]).item() == want
    assert global_denominator(MASKS[0]).item() == 4


def test_one_mask_is_one_micro_batch():
    for got, want in zip(optimizer_step(MASKS[0]), optimizer_step(MASKS[:1]), strict=True):
        assert got == want


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (3, 4)])
def test_nothing_valid(shape):
    step = optimizer_step(torch.zeros(shape))
    assert [x.item() for x in step[:3]] == [0, shape[0], 0]


def test_a_step_scales_what_goes_backward():
    x = torch.tensor(3.0, requires_grad=True)
    step = optimizer_step(MASKS, loss_scale=rank_scale(accumulation_steps=4))
    step.backward(x**2)  # 4 · 2x
    assert x.grad.item() == 24
    assert step.scale(torch.tensor(0.5)).item() == 2


def test_a_step_is_made_by_hand_where_counts_are_known():
    one = torch.tensor(1.0)
    assert OptimizerStep(one, one, one).scale(torch.tensor(7.0)).item() == 7


def test_factors_by_hand():
    assert rank_scale() == 1
    assert rank_scale(accumulation_steps=6) == 6
    assert accelerate_scale(SimpleNamespace(gradient_accumulation_steps=8)) == 8


def test_accelerate_still_divides_by_its_steps():
    """The fact that ``accelerate_scale`` undoes."""
    Accelerator = pytest.importorskip("accelerate").Accelerator
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=4)
    x = torch.tensor(1.0, requires_grad=True)
    accelerator.backward(8 * x)
    assert x.grad.item() == 2
    assert accelerate_scale(accelerator) == 4


def test_moments_of_micro_batches_by_hand():
    x = (torch.tensor([1.0, 2.0]), torch.tensor([[6.0, NAN], [INF, NAN]]), torch.tensor([NAN]))
    mask = torch.ones(2), torch.tensor([[1, 0], [0, 0]]), torch.zeros(1)
    count, mean, variance_sum = global_moments(x, mask)  # of 1, 2, 6
    assert (count.item(), mean.item(), variance_sum.item()) == (3, 3, 4 + 1 + 9)


def test_a_valid_nan_shows_in_the_moments():
    assert global_moments(torch.tensor([1.0, NAN]), torch.ones(2)).mean.isnan()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizer_step(torch.ones(3)), r"mask has shape \[3\], expected \[B, T\]"),
        (lambda: optimizer_step([]), "masks is empty, expected one tensor per micro-batch"),
        (lambda: optimizer_step(MASKS, loss_scale=0), "loss_scale is 0, expected a finite factor"),
        (lambda: optimizer_step(MASKS, loss_scale=NAN), "loss_scale is nan"),
        (lambda: optimizer_step(MASKS, loss_scale=INF), "loss_scale is inf"),
        (lambda: global_denominator(MASKS, count="rows"), "count is 'rows', expected \"tokens\""),
        (lambda: global_denominator([]), "mask is empty"),
        (lambda: global_moments(MASKS, MASKS[0]), "2 micro-batches of x but 1 of mask"),
        (lambda: global_moments([], []), "x is empty"),
        (lambda: rank_scale(accumulation_steps=0), "accumulation_steps is 0, expected ≥ 1"),
    ],
)
def test_errors_name_the_culprit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_mask_that_is_no_tensor():
    with pytest.raises(TypeError, match="mask is a list: pass a"):
        optimizer_step([[1, 0]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_nccl_counts_on_the_gpu(tmp_path):
    """NCCL refuses a second rank on one GPU, so the collective is called here, on one rank."""
    from unittest import mock

    from torch import distributed as dist

    from rlrewards.objectives import distributed

    dist.init_process_group("nccl", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        with mock.patch.object(distributed, "_world_size", return_value=2):
            step = optimizer_step([mask.cuda() for mask in MASKS])
    finally:
        dist.destroy_process_group()
    assert [x.item() for x in step[:3]] == [5, 5, 3]
    assert step.tokens.is_cuda
