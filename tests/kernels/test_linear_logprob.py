from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from rlrewards.kernels import projection
from rlrewards.kernels.device_projection import DeviceHead
from rlrewards.kernels.linear_logprob import (
    eager_linear_logprob,
    linear_logprob,
    linear_loss,
)
from rlrewards.kernels.objective import PolicyObjective
from rlrewards.kernels.projection import VocabShard
from rlrewards.objectives import kl, recipes

NAN = float("nan")


@pytest.fixture(params=["tiles", "programs"])
def way(request, monkeypatch):
    """Plain torch in tiles, smaller than the vocabularies here, or Triton's interpreter."""
    if request.param == "tiles":
        monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    else:
        pytest.importorskip("triton", reason="its interpreter runs the programs")
        monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(projection, "TILE", 16)
    monkeypatch.setattr(projection.Head, "tokens", 5)
    monkeypatch.setattr(DeviceHead, "tokens", 5)
    return request.param


@pytest.fixture
def tiles(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(projection, "TILE", 16)
    monkeypatch.setattr(projection.Head, "tokens", 5)


def made(rows=2, width=6, size=7, vocabulary=37, dtype=torch.float32, bias=True, seed=0):
    """Arguments with a ragged mask and NaN wherever it is zero; the second row is empty."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, size, generator=generator, dtype=torch.float64)
    lm_head = torch.randn(vocabulary, size, generator=generator, dtype=torch.float64)
    labels = torch.randint(vocabulary, (rows, width), generator=generator)
    mask = torch.arange(width) < torch.tensor([width - 2, 0, width, 1][:rows]).unsqueeze(1)
    hidden[~mask], labels[~mask] = NAN, -100
    offset = torch.randn(vocabulary, generator=generator, dtype=torch.float64) if bias else None
    return {
        "hidden": hidden.to(dtype).requires_grad_(),
        "lm_head": lm_head.to(dtype).requires_grad_(),
        "labels": labels,
        "bias": None if offset is None else offset.to(dtype).requires_grad_(),
        "mask": mask,
    }


def wide(inputs):
    """The same in float64."""
    return {
        name: x.detach().double().requires_grad_() if x is not None and x.requires_grad else x
        for name, x in inputs.items()
    }


def gradients(inputs, loss):
    leaves = [inputs[name] for name in ("hidden", "lm_head", "bias") if inputs[name] is not None]
    return torch.autograd.grad(loss, leaves)


def close(found, want, tolerance):
    assert found.isfinite().all()
    assert (found.double() - want).norm() <= tolerance * want.norm().clamp(min=1e-3)


TOLERANCES = [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 3e-3)]


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.7, "softcap": 3.0}])
@pytest.mark.parametrize("bias", [False, True])
def test_values_and_gradients_are_those_of_the_full_logits(way, dtype, tolerance, settings, bias):
    inputs = made(rows=3, dtype=dtype, bias=bias)
    exact = wide(inputs)
    got = linear_logprob(**inputs, entropy=True, **settings)
    want = eager_linear_logprob(**exact, entropy=True, **settings)
    assert got.logp.dtype == torch.float32
    assert got.logp.shape == (3, 6)
    close(got.logp, want.logp, 1e-5)  # rounding of the inputs is in both
    close(got.entropy, want.entropy, 1e-5)
    weights = torch.linspace(-1, 2, 18).view(3, 6)
    ours = gradients(inputs, (got.logp * weights).sum() + (got.entropy * weights.flip(1)).sum())
    theirs = gradients(exact, (want.logp * weights).sum() + (want.entropy * weights.flip(1)).sum())
    for found, expected in zip(ours, theirs, strict=True):
        assert found.dtype == dtype
        close(found, expected, tolerance)
    assert (ours[0][~inputs["mask"]] == 0).all()


@pytest.mark.parametrize("vocabulary", [1, 2, 16, 17, 48])
def test_any_vocabulary(way, vocabulary):
    inputs = made(vocabulary=vocabulary)
    close(
        linear_logprob(**inputs).logp.detach() + 1,
        eager_linear_logprob(**wide(inputs)).logp.detach() + 1,
        1e-5,
    )


def test_by_hand(way):
    hidden, lm_head = torch.tensor([[1.0]]), torch.tensor([[0.0], [0.0], [0.0], [0.0]])
    found = linear_logprob(hidden, lm_head, torch.tensor([2]), entropy=True)
    log_4 = torch.tensor([4.0]).log()
    torch.testing.assert_close(found.logp, -log_4)
    torch.testing.assert_close(found.entropy, log_4)


def test_logits_that_overflow_when_exponentiated(way):
    hidden = torch.tensor([[1000.0], [-1000.0]])
    lm_head = torch.tensor([[1.0], [-1.0], [0.5]])
    found = linear_logprob(hidden, lm_head, torch.tensor([2, 1]), entropy=True)
    torch.testing.assert_close(found.logp, torch.tensor([-500.0, 0.0]))
    torch.testing.assert_close(found.entropy, torch.zeros(2))


def test_banned_tokens(way):
    """A bias of −inf: probability 0, which adds nothing to the entropy."""
    hidden = torch.randn(3, 4, requires_grad=True)
    lm_head, bias = torch.randn(40, 4), torch.zeros(40)
    bias[5:25] = -torch.inf
    labels = torch.tensor([0, 30, 10])
    found = linear_logprob(hidden, lm_head, labels, bias=bias, entropy=True)
    left = torch.cat([lm_head[:5], lm_head[25:]])
    want = eager_linear_logprob(hidden, left, torch.tensor([0, 10, 0]), entropy=True)
    torch.testing.assert_close(found.logp[:2], want.logp[:2])
    assert found.logp[2] == -torch.inf
    torch.testing.assert_close(found.entropy, want.entropy)
    (ours,) = torch.autograd.grad(found.entropy.sum() + found.logp[:2].sum(), hidden)
    (theirs,) = torch.autograd.grad(want.entropy.sum() + want.logp[:2].sum(), hidden)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_gradcheck(tiles):
    inputs = made(rows=1, width=4, size=3, vocabulary=20, dtype=torch.float64)
    leaves = tuple(inputs[name] for name in ("hidden", "lm_head", "bias"))
    leaves[0].data.nan_to_num_(0.3)

    def both(hidden, lm_head, bias):
        return linear_logprob(
            hidden, lm_head, inputs["labels"].clamp(min=0), bias=bias, entropy=True,
            temperature=1.3, softcap=2.0,
        )  # fmt: skip

    assert torch.autograd.gradcheck(both, leaves)


def test_a_certain_token_is_not_above_certainty(way):
    """The label's logit is that of the softmax, to the bit."""
    hidden, lm_head = torch.randn(20, 64), 1000 * torch.randn(1, 64)
    assert (linear_logprob(hidden, lm_head, torch.zeros(20).long()).logp == 0).all()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own
def test_differentiable_once_in_reverse(tiles):
    inputs = made()
    loss = linear_logprob(**inputs).logp.square().sum()
    gradient, *_ = torch.autograd.grad(loss, inputs["hidden"], create_graph=True)
    with pytest.raises(RuntimeError, match="once only"):
        gradient.nansum().backward()
    with forward_ad.dual_level():
        inputs["hidden"] = forward_ad.make_dual(inputs["hidden"].detach(), torch.ones(2, 6, 7))
        with pytest.raises(RuntimeError, match="forward-mode"):
            linear_logprob(**inputs)


def test_no_width(tiles):
    found = linear_logprob(torch.zeros(2, 3, 0), torch.zeros(4, 0), torch.zeros(2, 3).long())
    torch.testing.assert_close(found.logp, torch.full((2, 3), -torch.tensor(4.0).log().item()))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)], ids=["no rows", "no tokens"])
def test_nothing(way, shape):
    hidden = torch.zeros(*shape, 4, requires_grad=True)
    lm_head = torch.randn(9, 4, requires_grad=True)
    labels = torch.zeros(shape, dtype=torch.int64)
    found = linear_logprob(hidden, lm_head, labels, entropy=True)
    assert found.logp.shape == found.entropy.shape == shape
    found.logp.sum().backward()
    assert (lm_head.grad == 0).all()


def test_a_fully_masked_batch(way):
    inputs = made(rows=2)
    inputs["mask"] = torch.zeros_like(inputs["mask"])
    loss = linear_logprob(**inputs, entropy=True)
    assert (loss.logp == 0).all()
    for gradient in gradients(inputs, loss.logp.sum() + loss.entropy.sum()):
        assert (gradient == 0).all()


def test_nothing_is_left_unwritten(way, poisoned):
    inputs = made(rows=3)
    got = linear_logprob(**inputs, entropy=True)
    for gradient in gradients(inputs, got.logp.sum() + got.entropy.sum()):
        assert gradient.isfinite().all()
    objective = PolicyObjective(recipes.dapo, torch.ones(3), inputs["mask"])
    loss = linear_loss(**inputs, objective=objective).loss
    for gradient in gradients(inputs, loss):
        assert gradient.isfinite().all()


def test_a_frozen_head_costs_no_product(way, monkeypatch):
    """LoRA: the gradient of the hidden states alone."""
    inputs = made(bias=False)
    inputs["lm_head"] = inputs["lm_head"].detach()
    loss = linear_logprob(**inputs).logp.sum()
    monkeypatch.setattr(torch.Tensor, "addmm_", None)
    monkeypatch.setattr(torch, "addmm", None)
    loss.backward()
    assert inputs["hidden"].grad.isfinite().all()
    assert inputs["lm_head"].grad is None


# ---------------------------------------------------------------------------------------------
# Objectives

ROWS, WIDTH = 3, 6


def batch(seed=1):
    generator = torch.Generator().manual_seed(seed)
    old, ref = (-3 - torch.rand(ROWS, WIDTH, generator=generator) for _ in range(2))
    return {
        "old": old,
        "ref": ref,
        "weight": torch.rand(ROWS, WIDTH, generator=generator),
        "keep": torch.rand(ROWS, WIDTH, generator=generator) > 0.3,
        "rows": torch.randn(ROWS, generator=generator),
        "tokens": torch.randn(ROWS, WIDTH, generator=generator),
    }


OBJECTIVES = {
    "grpo": (recipes.grpo, {}),
    "grpo with k3": (recipes.grpo, {"beta": 0.1, "ref_logp": "ref", "denominator": 7}),
    "grpo with corrected k3": (
        recipes.grpo,
        {"beta": 0.1, "ref_logp": "ref", "kl": kl.corrected_k3},
    ),
    "cispo with straight-through k3": (
        recipes.cispo,
        {"beta": 0.1, "ref_logp": "ref", "kl": kl.k3_straight_through},
    ),
    "reinforce with corrected k3": (
        recipes.reinforce,
        {"beta": 0.1, "ref_logp": "ref", "kl": kl.corrected_k3},
    ),
    "grpo, tensor denominator": (recipes.grpo, {"denominator": torch.tensor(5.0)}),
    "dr_grpo": (recipes.dr_grpo, {"length": 10}),
    "bnpo": (recipes.bnpo, {"ceiling": 3.0}),
    "dapo, weighted": (recipes.dapo, {"keep": "keep", "weight": "weight"}),
    "ppo_clip": (recipes.ppo_clip, {}),
    "cispo": (recipes.cispo, {}),
    "sapo": (recipes.sapo, {}),
    "reinforce": (recipes.reinforce, {"weight": "weight"}),
    "gpg": (recipes.gpg, {}),
    "gspo": (recipes.gspo, {}),
    "vespo": (recipes.vespo, {}),
    "partial reinforce": (partial(recipes.reinforce, denominator=4), {}),
    "partial gspo": (partial(recipes.gspo, low=0.1), {"high": 0.2}),
}


def objective_of(name, mask, advantages="rows", on_policy=False):
    recipe, settings = OBJECTIVES[name]
    given = batch()
    settings = {k: given[v] if isinstance(v, str) else v for k, v in settings.items()}
    old = None if on_policy else given["old"]
    return PolicyObjective(recipe, given[advantages], mask, old, settings)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("on_policy", [False, True])
def test_a_loss_is_that_of_its_recipe(way, name, on_policy):
    inputs = made(rows=ROWS, width=WIDTH)
    per_token = "tokens" if name in ("ppo_clip", "cispo") else "rows"
    objective = objective_of(name, inputs["mask"], per_token, on_policy)
    assert objective.is_token_level == (name not in ("gspo", "vespo", "partial gspo"))
    found = linear_loss(**inputs, objective=objective, entropy=True)
    exact = wide(inputs)
    full = eager_linear_logprob(**exact, entropy=True)
    want = objective(full.logp).loss
    torch.testing.assert_close(found.loss.double(), want, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.logp.double(), full.logp.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.entropy.double(), full.entropy.detach(), rtol=1e-4, atol=1e-5)
    scaled = gradients(inputs, 3.0 * found.loss)
    for got, expected in zip(scaled, gradients(exact, 3.0 * want), strict=True):
        close(got, expected, 2e-4)


@pytest.mark.parametrize("on_policy", [False, True])
def test_a_penalty_is_corrected_by_the_old_log_probabilities_of_the_objective(on_policy):
    logp = (-2 - torch.rand(ROWS, WIDTH)).requires_grad_()
    given, mask = batch(), torch.ones(ROWS, WIDTH)
    settings = {"beta": 0.1, "ref_logp": given["ref"]}
    old = None if on_policy else given["old"]
    ratio_to = logp.detach() if on_policy else old
    bound = partial(kl.corrected_k3, old_logp=ratio_to)
    want = recipes.grpo(logp, ratio_to, given["rows"], mask, **settings, kl=bound).loss
    found = PolicyObjective(
        recipes.grpo, given["rows"], mask, old, {**settings, "kl": kl.corrected_k3}
    )
    assert torch.equal(found(logp).loss, want)
    gradient, expected = (torch.autograd.grad(x, logp)[0] for x in (found(logp).loss, want))
    assert torch.equal(gradient, expected)
    assert torch.equal(found.penalty(logp)(logp, given["ref"]), bound(logp, given["ref"]))


def test_which_penalties_take_one_pass():
    given, mask = batch(), torch.ones(ROWS, WIDTH)

    def one_pass(penalty):
        settings = {"beta": 0.1, "ref_logp": given["ref"], "kl": penalty}
        objective = PolicyObjective(recipes.grpo, given["rows"], mask, given["old"], settings)
        return objective.is_token_level

    assert one_pass(partial(kl.corrected_k3, old_logp=given["old"]))
    assert not one_pass(partial(kl.corrected_k3, old_logp=given["ref"]))
    assert not one_pass(lambda logp, ref_logp: logp - ref_logp)


def test_metrics_come_with_the_loss(tiles):
    inputs = made(rows=ROWS, width=WIDTH)
    objective = objective_of("grpo", inputs["mask"])
    objective.settings["metrics"] = True
    found = linear_loss(**inputs, objective=objective)
    want = objective(found.logp).metrics
    assert set(found.metrics) == set(want)
    assert all(torch.equal(found.metrics[name], want[name]) for name in want)


def test_without_gradients_there_is_one_product(tiles, monkeypatch):
    inputs = {k: None if v is None else v.detach() for k, v in made(rows=ROWS).items()}
    objective = objective_of("dapo, weighted", inputs["mask"])
    with_gradients = made(rows=ROWS)
    want = linear_loss(**with_gradients, objective=objective).loss
    monkeypatch.setattr(projection.Head, "add_gradient", None)
    found = linear_loss(**inputs, objective=objective)
    assert not found.loss.requires_grad
    torch.testing.assert_close(found.loss, want.detach())


@pytest.mark.parametrize("name", ["grpo", "bnpo", "reinforce"])
def test_tokens_that_only_the_objective_leaves_out(way, name):
    """They have a log-probability, and no gradient, whatever the old ones hold."""
    inputs = made(rows=ROWS, width=WIDTH)
    counted = inputs["mask"] & (torch.arange(WIDTH) % 2 == 0)
    objective = objective_of(name, counted)
    objective.old_logp[~counted] = NAN
    found = linear_loss(**inputs, objective=objective)
    exact = wide(inputs)
    want = objective(eager_linear_logprob(**exact).logp).loss
    assert (found.logp[inputs["mask"]] < 0).all()
    ours, theirs = gradients(inputs, found.loss), gradients(exact, want)
    for got, expected in zip(ours, theirs, strict=True):
        close(got, expected, 2e-4)
    assert (ours[0][~counted] == 0).all()


@pytest.mark.parametrize("where", ["old_logp", "advantages", "hidden"])
def test_a_nan_spoils_every_valid_token(way, where):
    """Those of other passes too; padding keeps its zeros."""
    inputs = made(rows=ROWS, width=WIDTH)
    objective = objective_of("grpo", inputs["mask"], "tokens")
    with torch.no_grad():
        (inputs["hidden"] if where == "hidden" else getattr(objective, where))[2, 5] = NAN
    loss = linear_loss(**inputs, objective=objective).loss
    assert loss.isnan()
    hidden, lm_head, bias = gradients(inputs, loss)
    assert hidden[inputs["mask"]].isnan().all()
    assert (hidden[~inputs["mask"]] == 0).all()
    assert lm_head.isnan().all()
    assert bias.isnan().all()


def test_padding_keeps_its_zeros_under_an_infinite_scale(way):
    inputs = made(rows=ROWS, width=WIDTH)
    loss = linear_loss(**inputs, objective=objective_of("grpo", inputs["mask"])).loss
    hidden, *_ = gradients(inputs, loss * torch.inf)
    assert (hidden[~inputs["mask"]] == 0).all()


@pytest.mark.parametrize("scale", [2.0**10, 2.0**17])
def test_a_loss_scale_keeps_float16_from_underflow(way, scale):
    inputs = made(rows=ROWS, width=WIDTH, dtype=torch.float16)
    objective = objective_of("dapo, weighted", inputs["mask"])
    objective.settings["denominator"] = 1e6
    exact = wide(inputs)
    loss = linear_loss(**inputs, objective=objective).loss
    want = objective(eager_linear_logprob(**exact).logp).loss
    expected = gradients(exact, want * scale)
    for got, wanted in zip(gradients(inputs, loss * scale), expected, strict=True):
        assert got.dtype == torch.float16
        close(got, wanted, 3e-3)


def test_a_factor_is_not_rounded_before_the_gradient(tiles):
    """257/256 is 1 in bfloat16."""
    inputs = made(rows=ROWS, width=WIDTH, dtype=torch.bfloat16)
    objective = objective_of("dapo, weighted", inputs["mask"])
    once, more = (
        gradients(inputs, factor * linear_loss(**inputs, objective=objective).loss)
        for factor in (1.0, 257 / 256)
    )
    assert not torch.equal(once[1], more[1])


def test_a_denominator_of_zero_is_seen(tiles):
    """Where a token has a gradient; what has none keeps its 0."""
    inputs = made(rows=ROWS, width=WIDTH)
    objective = objective_of("reinforce", inputs["mask"])
    objective.settings.update(denominator=0, keep=batch()["keep"])
    weights = objective.token_weights()
    slopes = objective.slopes(torch.full((18,), -3.0), torch.arange(18), weights).view(3, 6)
    used = inputs["mask"] & batch()["keep"]
    assert slopes[used].isinf().all()
    assert (slopes[~used] == 0).all()


def test_old_log_probabilities_in_float64(tiles):
    inputs = made(rows=ROWS, width=WIDTH)
    objective = objective_of("grpo", inputs["mask"])
    object.__setattr__(objective, "old_logp", objective.old_logp.double())
    assert linear_loss(**inputs, objective=objective).loss.dtype == torch.float32


@pytest.mark.parametrize("name", ["grpo", "sapo", "reinforce"])
def test_a_dispatch_mode_changes_nothing(tiles, name):
    inputs = made(rows=ROWS, width=WIDTH)
    objective = objective_of(name, inputs["mask"])
    want = linear_loss(**inputs, objective=objective).loss
    with FlopCounterMode(display=False):
        found = linear_loss(**inputs, objective=objective).loss
        ours = gradients(inputs, found)
    for got, expected in zip(ours, gradients(inputs, want), strict=True):
        assert torch.equal(got, expected)


def test_any_function_of_the_log_probabilities(tiles):
    inputs = made(rows=ROWS)
    found = linear_loss(**inputs, objective=lambda logp: logp.square().sum())
    want = eager_linear_logprob(**inputs).logp.square().sum()
    torch.testing.assert_close(found.loss, want)
    assert found.metrics == {}


def test_a_graph_is_used_once(tiles):
    inputs = made(rows=ROWS, width=WIDTH)
    objective = objective_of("grpo", inputs["mask"])
    loss = linear_loss(**inputs, objective=objective).loss
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="used already"):
        loss.backward()
    loss = linear_loss(**inputs, objective=objective).loss
    with pytest.raises(RuntimeError, match="once only"):
        torch.autograd.grad(loss, inputs["hidden"], create_graph=True)


# ---------------------------------------------------------------------------------------------
# What surrounds a kernel


class Ranks:
    """Two threads that stand for two ranks, and what sums and maxima over them are."""

    def __init__(self):
        self.barrier, self.shared = Barrier(2, timeout=60), {}

    def reduce(self, combine, rank):
        def over_ranks(x):
            self.shared[rank] = x.clone()
            self.barrier.wait()
            out = combine(self.shared[0], self.shared[1])
            self.barrier.wait()
            return out

        return over_ranks

    def shard(self, start, rank):
        return VocabShard(start, self.reduce(torch.maximum, rank), self.reduce(torch.add, rank))

    def run(self, work):
        with ThreadPoolExecutor(2) as pool:
            return [*pool.map(work, range(2))]


BANDS = (slice(0, 17), slice(17, 40))


def test_a_vocabulary_over_ranks(tiles):
    inputs = made(rows=3, vocabulary=40)
    want = linear_logprob(**inputs, entropy=True)
    weights = torch.linspace(-1, 2, 18).view(3, 6)
    expected = gradients(inputs, (want.logp * weights + want.entropy * weights.flip(1)).sum())
    ranks = Ranks()

    def work(rank):
        mine = made(rows=3, vocabulary=40)
        for name in ("lm_head", "bias"):
            mine[name] = mine[name].detach()[BANDS[rank]].contiguous().requires_grad_()
        shard = ranks.shard(BANDS[rank].start, rank)
        got = linear_logprob(**mine, entropy=True, shard=shard)
        loss = (got.logp * weights + got.entropy * weights.flip(1)).sum()
        return got, gradients(mine, loss)

    found = ranks.run(work)
    for got, (hidden, *_) in found:
        torch.testing.assert_close(got.logp, want.logp)
        torch.testing.assert_close(got.entropy, want.entropy)
        torch.testing.assert_close(hidden, expected[0])
    for place in (1, 2):
        whole = torch.cat([gradient[place] for _, gradient in found])
        torch.testing.assert_close(whole, expected[place])


def test_statistics_over_ranks_on_a_device():
    logits, labels = torch.randn(5, 40), torch.tensor([0, 16, 17, 39, 20])
    all_logp = logits.log_softmax(1)
    want = all_logp.gather(1, labels.unsqueeze(1)).squeeze(1), -(all_logp.exp() * all_logp).sum(1)
    ranks = Ranks()

    def work(rank):
        part = logits[:, BANDS[rank]]
        places = labels - BANDS[rank].start
        mine = (places >= 0) & (places < part.shape[1])
        logp = part.log_softmax(1)
        chosen = logp.gather(1, torch.where(mine, places, 0).unsqueeze(1)).squeeze(1)
        local = chosen, -(logp.exp() * logp).sum(1), part.logsumexp(1)
        return DeviceHead._over_ranks(*local, mine, ranks.shard(BANDS[rank].start, rank))

    for logp, entropy, lse in ranks.run(work):
        torch.testing.assert_close(logp, want[0])
        torch.testing.assert_close(entropy, want[1])
        torch.testing.assert_close(lse, logits.logsumexp(1))


def test_gradients_of_a_shard_on_a_device(monkeypatch):
    """A label that stands in another shard adds nothing here, and spoils nothing."""
    pytest.importorskip("triton", reason="its interpreter runs the programs")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    hidden, lm_head, labels = (
        torch.randn(5, 4),
        torch.randn(40, 4),
        torch.tensor([0, 16, 17, 39, 3]),
    )
    upstream, of_entropy = torch.randn(5), torch.randn(5)
    known, _ = DeviceHead(lm_head).statistics(hidden, labels, entropy=True)

    def gradients_of(part, shard):
        into = projection.Gradients(True, torch.zeros_like(part), None)
        head = DeviceHead(part, shard=shard)
        states = head.add_recomputed(hidden, labels, known, upstream, of_entropy, into)
        return states, into.weight

    states, whole = gradients_of(lm_head, None)
    parts = [
        gradients_of(lm_head[band].contiguous(), VocabShard(band.start, lambda x: x, lambda x: x))
        for band in BANDS
    ]
    torch.testing.assert_close(sum(part[0] for part in parts), states)
    torch.testing.assert_close(torch.cat([part[1] for part in parts]), whole)


@pytest.mark.parametrize("name", ["grpo with k3", "grpo with corrected k3", "sapo", "cispo"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_torch_compile_sees_one_operator(tiles, name, dtype):
    inputs = made(rows=ROWS, width=WIDTH, dtype=dtype)
    objective = objective_of(name, inputs["mask"])

    def losses(hidden, lm_head, bias):
        arguments = dict(inputs, hidden=hidden, lm_head=lm_head, bias=bias)
        out = linear_logprob(**arguments, entropy=True)
        return out.logp.sum() + out.entropy.sum()

    def whole(hidden, lm_head, bias):
        arguments = dict(inputs, hidden=hidden, lm_head=lm_head, bias=bias)
        return linear_loss(**arguments, objective=objective).loss

    for function in (losses, whole):
        torch.compiler.reset()
        compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
        leaves = [inputs[name] for name in ("hidden", "lm_head", "bias")]
        got, want = compiled(*leaves), function(*leaves)
        torch.testing.assert_close(got, want)
        for found, expected in zip(gradients(inputs, got), gradients(inputs, want), strict=True):
            torch.testing.assert_close(found, expected)


def test_operators_are_what_torch_expects(tiles):
    inputs = made(rows=2)
    flat = (
        inputs["hidden"].detach().nan_to_num().flatten(0, 1).requires_grad_(),
        inputs["lm_head"],
        inputs["bias"],
        inputs["labels"].flatten(),
        inputs["mask"].flatten(),
    )
    torch.library.opcheck(torch.ops.rlrewards.linear_logprob.default, (*flat, 0.7, 2.0, True))
    constants = [x.detach() for x in flat]
    batch_of = torch.randn(2), inputs["mask"], None, None, None, None, None
    names = "grpo", "k3", ["low"], [0.1], 0.7, 2.0, True, True, True, False
    torch.library.opcheck(torch.ops.rlrewards.linear_loss.default, (*constants, *batch_of, *names))
    scaled = torch.tensor(1.0), *flat[:3], *(torch.ones_like(x) for x in constants[:3]), flat[4]
    torch.library.opcheck(torch.ops.rlrewards.linear_loss_scaled.default, scaled)


def test_autocast_casts_as_a_linear_layer_does(way):
    inputs = made(bias=False)
    with torch.autocast("cpu", torch.bfloat16):
        found = linear_logprob(**inputs).logp
        layer = torch.nn.functional.linear(inputs["hidden"], inputs["lm_head"])
    assert layer.dtype == torch.bfloat16
    low = {k: v.bfloat16() if k in ("hidden", "lm_head") else v for k, v in inputs.items()}
    assert torch.equal(found, linear_logprob(**low).logp)
    found.sum().backward()
    assert inputs["lm_head"].grad.dtype == torch.float32


def test_checkpointing(tiles):
    inputs = made(bias=False)
    want = linear_logprob(**inputs).logp
    expected = torch.autograd.grad(want.sum(), [inputs["hidden"], inputs["lm_head"]])

    def forward(hidden, lm_head):
        return linear_logprob(**dict(inputs, hidden=hidden, lm_head=lm_head)).logp

    leaves = [inputs["hidden"], inputs["lm_head"]]
    got = checkpoint(forward, *leaves, use_reentrant=False)
    for found, wanted in zip(torch.autograd.grad(got.sum(), leaves), expected, strict=True):
        assert torch.equal(found, wanted)


def test_a_head_that_is_a_view_of_a_flat_parameter(tiles):
    """As FSDP keeps them."""
    inputs = made(bias=False)
    flat = torch.nn.Parameter(torch.cat([torch.zeros(3), inputs["lm_head"].detach().flatten()]))
    inputs["lm_head"] = flat[3:].view(37, 7)
    linear_logprob(**inputs).logp.sum().backward()
    assert (flat.grad[:3] == 0).all()
    assert flat.grad[3:].abs().sum() > 0


def test_the_head_of_a_token_that_never_comes_gets_its_gradient_from_the_softmax(tiles):
    """One token, label 0: the gradient of every row of the head is p less the label's 1."""
    hidden = torch.tensor([[2.0]])
    lm_head = torch.zeros(4, 1, requires_grad=True)
    linear_logprob(hidden, lm_head, torch.tensor([0])).logp.sum().backward()
    assert lm_head.grad.squeeze(1).tolist() == [1.5, -0.5, -0.5, -0.5]


BAD = {
    "a list for hidden": ({"hidden": [1.0]}, TypeError, "hidden is a list"),
    "integers": ({"hidden": torch.ones(2, 6, 7, dtype=torch.int64)}, TypeError, "hidden is"),
    "one dimension": ({"hidden": torch.ones(7)}, ValueError, "hidden has shape"),
    "another width": ({"lm_head": torch.ones(37, 8)}, ValueError, "lm_head has shape"),
    "no vocabulary": ({"lm_head": torch.ones(0, 7)}, ValueError, "lm_head has no rows"),
    "another dtype": ({"lm_head": torch.ones(37, 7).half()}, TypeError, "lm_head is torch.float16"),
    "a transposed head": ({"lm_head": torch.ones(7, 37).t()}, ValueError, "lm_head has strides"),
    "another device": ({"lm_head": torch.ones(37, 7, device="meta")}, ValueError, "lm_head is on"),
    "labels of floats": ({"labels": torch.ones(2, 6)}, TypeError, "labels is torch.float32"),
    "too few labels": ({"labels": torch.ones(2, 5).long()}, ValueError, "labels has shape"),
    "a label too large": ({"labels": torch.full((2, 6), 37)}, ValueError, "labels has 37 at"),
    "a negative label": ({"mask": None}, ValueError, "labels has -100 at"),
    "a short bias": ({"bias": torch.ones(5)}, ValueError, "bias has shape"),
    "a mask of another shape": ({"mask": torch.ones(2, 5)}, ValueError, "mask has shape"),
    "a list for a mask": ({"mask": [1]}, TypeError, "mask is a list"),
    "no temperature": ({"temperature": 0.0}, ValueError, "temperature is 0.0"),
    "NaN for a temperature": ({"temperature": NAN}, ValueError, "temperature is nan"),
    "a negative cap": ({"softcap": -1.0}, ValueError, "softcap is -1.0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(tiles, name):
    change, error, message = BAD[name]
    with pytest.raises(error, match=message):
        linear_logprob(**made() | change)


def test_labels_of_another_shape_than_the_objective(tiles):
    inputs = made(rows=2)
    objective = PolicyObjective(recipes.dapo, torch.ones(3), torch.ones(3, 6))
    with pytest.raises(ValueError, match="labels has shape"):
        linear_loss(**inputs, objective=objective)


BAD_OBJECTIVES = {
    "a list of advantages": ({"advantages": [1.0]}, TypeError, "advantages is a list"),
    "too few advantages": ({"advantages": torch.ones(2)}, ValueError, "advantages has shape"),
    "a column": ({"advantages": torch.ones(3, 1)}, ValueError, "advantages has shape"),
    "a list for a mask": ({"mask": [1]}, TypeError, "mask is a list"),
    "short old ones": ({"old_logp": torch.ones(3, 5)}, ValueError, "old_logp has shape"),
    "old ones elsewhere": (
        {"old_logp": torch.ones(3, 6, device="meta")}, ValueError, "old_logp is on meta",
    ),
    "a number for a weight": ({"weight": 2.0}, TypeError, "weight is a float"),
    "short keep": ({"keep": torch.ones(3, 5)}, ValueError, "keep has shape"),
    "no reference": ({"beta": 0.1}, ValueError, "ref_logp is None"),
    "a word for a number": ({"low": "x"}, TypeError, "low is 'x'"),
    "None for a number": ({"low": None}, TypeError, "low is None"),
    "two numbers for one": ({"low": torch.ones(2)}, ValueError, r"low has shape \[2\]"),
    "an unknown setting": ({"lo": 0.1}, TypeError, "'lo'"),
    "no length": ({"recipe": recipes.dr_grpo}, TypeError, "no default for length"),
    "a negative denominator": ({"denominator": -1}, ValueError, "denominator is -1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_OBJECTIVES)
def test_bad_objectives_are_named(tiles, name):
    settings, error, message = BAD_OBJECTIVES[name]
    inputs = made(rows=ROWS, width=WIDTH)
    given = {"recipe": recipes.grpo, "advantages": torch.ones(3), "mask": inputs["mask"]}
    settings = dict(settings)
    given |= {key: settings.pop(key) for key in (*given, "old_logp") if key in settings}
    with pytest.raises(error, match=message):
        linear_loss(**inputs, objective=PolicyObjective(**given, settings=settings))
