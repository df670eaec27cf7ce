"""Tensors for objectives: shapes, masks, values exact in every dtype, junk in padding."""

import math
from random import Random

import hypothesis
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings

from rlrewards.testing import strategies
from rlrewards.testing.strategies import tensors
from rlrewards.testing.strategies.tensors import LAYOUTS, TokenBatch, shown

few = settings(max_examples=50, deadline=None, database=None,
               suppress_health_check=[*HealthCheck])  # fmt: skip


def find(strategy, condition):
    """The smallest case, the same in every run."""
    how = settings(few, max_examples=2000, phases=(Phase.generate, Phase.shrink))
    return hypothesis.find(strategy, condition, settings=how, random=Random(0))


def anything(_):
    return True


@few
@given(strategies.token_batches(LAYOUTS))
def test_shapes_are_those_of_the_layouts(batch):
    B, T = batch["mask"].shape  # noqa: N806
    assert (batch.rows, batch.columns) == (B, T)
    assert {*batch} == {*LAYOUTS}
    for name, x in batch.items():
        assert [*x.shape] == ([B, T] if LAYOUTS[name] == "BT" else [B]), name
    assert batch["mask"].dtype == torch.bool


@few
@given(strategies.token_batches(LAYOUTS))
def test_values_are_the_same_in_every_dtype(batch):
    for name, x in batch.items():
        if x.is_floating_point():
            for dtype in (torch.float32, torch.bfloat16, torch.float16):
                assert torch.equal(x.to(dtype).double(), x), name


@few
@given(strategies.token_batches(("logp", "old_logp", "ref_logp")))
def test_no_ratio_is_one(batch):
    for other in ("old_logp", "ref_logp"):
        assert ((batch["logp"] - batch[other]) * 16 % 2 == 1).all()


@few
@given(strategies.masks(3, 4, empty_rows=False, holes=False))
def test_masks_without_holes_are_prefixes(mask):
    assert mask.any(1).all()
    assert (mask[:, 1:] <= mask[:, :-1]).all()


def test_masks_have_holes_and_empty_rows():
    holes = find(strategies.masks(1, 3), lambda mask: bool((mask[:, 1:] > mask[:, :-1]).any()))
    assert holes.int().tolist() == [[1, 0, 1]]
    assert find(strategies.masks(2, 2), lambda mask: not mask.any(1).all()).tolist() == [
        [True, True],
        [False, False],
    ]


def test_extreme_ratios_and_missing_rewards():
    batch = find(
        strategies.token_batches(extreme=True),
        lambda it: bool(((it["logp"] - it["old_logp"]) > 500).any()),
    )
    assert (batch["logp"] - batch["old_logp"]).tolist() == [[1000.0]]
    batch = find(
        strategies.token_batches(("rewards", "group"), missing=True),
        lambda it: bool(it["rewards"].isnan().any()),
    )
    assert str(batch) == "mask = [[1]]\nrewards = [nan]\ngroup = [0]"


def test_the_minimal_batch_is_readable():
    batch = find(
        strategies.token_batches(("logp", "advantages"), layouts={"advantages": "BT"}),
        lambda it: it.rows == 2 and bool((it["advantages"] < 0).any()),
    )
    assert str(batch) == ("mask = [[1], [1]]\nlogp = [[0], [0]]\nadvantages = [[0], [-0.125]]")


def test_unknown_names_and_layouts():
    with pytest.raises(ValueError, match="no tensor is called 'lgop'; there are logp"):
        strategies.token_batches(("lgop",))
    with pytest.raises(ValueError, match="layout of logp is 'TB'"):
        strategies.token_batches(layouts={"logp": "TB"})


def test_dtypes():
    assert find(strategies.dtypes(), anything) == torch.float32
    assert find(strategies.dtypes("float16"), anything) == torch.float16
    assert find(strategies.padding(), math.isnan)


def test_padding_is_filled_and_added():
    batch = TokenBatch(
        mask=torch.tensor([[True, False]]),
        x=torch.ones(1, 2),
        keep=torch.tensor([[True, True]]),
        rewards=torch.ones(2, 1, 2),
        advantages=torch.ones(1),
    )
    wide = strategies.with_padding(batch, math.inf, width=1)
    assert str(wide) == (
        "mask = [[1, 0, 0]]\nx = [[1, inf, inf]]\nkeep = [[1, 1, 0]]\n"
        "rewards = [[[1, inf, inf]], [[1, inf, inf]]]\nadvantages = [1]"
    )
    assert batch["x"].tolist() == [[1, 1]]


def test_rows_are_taken_of_every_tensor():
    batch = TokenBatch(mask=torch.ones(2, 1).bool(), rewards=torch.arange(6.0).reshape(3, 2, 1),
                       group=torch.tensor([4, 5]), denominator=torch.tensor(3.0))  # fmt: skip
    part = strategies.rows_of(batch, [1])
    assert str(part) == (
        "mask = [[1]]\nrewards = [[[1]], [[3]], [[5]]]\ngroup = [5]\ndenominator = 3"
    )


def test_shown():
    assert shown(torch.tensor(1.0, dtype=torch.bfloat16)) == "1 (bfloat16)"
    assert shown(torch.zeros(0, 3)) == "empty, shape [0, 3]"
    assert shown("a") == "'a'"


def test_grids_and_groups_shrink_to_zero():
    assert tensors.grids((2, 1), -3, 3).example is not None
    assert find(strategies.grids((2, 1), -3, 3), anything).tolist() == [[0], [0]]
    assert find(strategies.groups(3), lambda ids: len({*ids.tolist()}) == 2).tolist() == [0, 0, 1]
    assert find(strategies.reward_rows(2), lambda x: bool(x[0] != x[1])).tolist() == [0, 1]
    assert find(strategies.shapes(), anything) == (1, 1)
