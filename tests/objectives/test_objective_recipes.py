# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
import math
from functools import partial

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def dr_grpo(*args, **kw):
    return rl.recipes.dr_grpo(*args, length=16, **kw)


def without_ratio(recipe):
    return lambda logp, old_logp, A, mask, **kw: recipe(logp, A, mask, **kw)


CLIPPED = {
    "grpo": rl.recipes.grpo,
    "dr_grpo": dr_grpo,
    "bnpo": rl.recipes.bnpo,
    "dapo": rl.recipes.dapo,
    "ppo_clip": rl.recipes.ppo_clip,
    "vapo": rl.recipes.vapo,
}
RECIPES = {
    **CLIPPED,
    **{name: getattr(rl.recipes, name) for name in ("gspo", "luspo", "gmpo", "vespo")},
    **{name: getattr(rl.recipes, name) for name in ("cispo", "sapo")},
    **{name: without_ratio(getattr(rl.recipes, name)) for name in ("reinforce", "gpg")},
}
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def test_every_recipe_is_tested():
    assert set(RECIPES) == set(rl.recipes.__all__)


def batch(B=6, T=9, dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    logp, old, ref = (-torch.rand(3, B, T, dtype=dtype) * 2).unbind(0)
    mask = torch.arange(T) < torch.randint(1, T + 1, (B, 1))
    mask[1, 2] = False  # a hole
    return logp, old, torch.randn(B, dtype=dtype), mask, ref


@pytest.mark.parametrize(
    ("recipe", "want"),
    [
        # tokens: -1.2 (r 1.5 clipped), -1, -1 | 2 (r 1, A -2); the dapo clip is 1.28
        (rl.recipes.grpo, (-3.2 / 3 + 2) / 2),
        (dr_grpo, -1.2 / 32),
        (rl.recipes.bnpo, -1.2 / 4),
        (rl.recipes.dapo, -1.28 / 4),
        (rl.recipes.ppo_clip, -1.2 / 4),
    ],
)
def test_values_by_hand(recipe, want):
    logp = torch.tensor([[math.log(1.5), 0.0, 0.0], [0.0, NAN, NAN]])
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    out = recipe(logp, torch.zeros(2, 3), torch.tensor([1.0, -2.0]), mask)
    assert out.loss.item() == pytest.approx(want, rel=1e-6)
    assert out.metrics == {}


PIECES = {
    "grpo": lambda *a: (rl.clipped(*a[:3]), rl.sequence_mean),
    "dr_grpo": lambda *a: (rl.clipped(*a[:3]), partial(rl.constant, length=16)),
    "bnpo": lambda *a: (rl.clipped(*a[:3]), rl.token_mean),
    "dapo": lambda *a: (rl.clipped(*a[:3], high=0.28), rl.token_mean),
    "ppo_clip": lambda *a: (rl.clipped(*a[:3]), rl.token_mean),
    "vapo": lambda *a: (rl.clipped(*a[:3], high=0.28), rl.token_mean),
    "gspo": lambda *a: (rl.gspo(*a, low=3e-4, high=4e-4), rl.sequence_mean),
    "luspo": lambda *a: (rl.gspo(*a, low=2e-3, high=2.5e-3), rl.sequence_sum),
    "gmpo": lambda *a: (rl.gmpo(*a), rl.sequence_mean),
    "vespo": lambda *a: (rl.vespo(*a), rl.token_mean),
    "cispo": lambda *a: (rl.cispo(*a[:3]), rl.token_mean),
    "sapo": lambda *a: (rl.sapo(*a[:3]), rl.sequence_mean),
    "reinforce": lambda *a: (rl.reinforce(a[0], a[2]), rl.token_mean),
    "gpg": lambda *a: (rl.reinforce(a[0], a[2]), rl.token_mean),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_a_recipe_is_its_pieces(name, beta):
    logp, old, A, mask, ref = batch()
    x, aggregate = PIECES[name](logp, old, A, mask)
    want = aggregate(x + beta * rl.k3(logp, ref), mask)
    found = RECIPES[name](logp, old, A, mask, beta=beta, ref_logp=ref).loss
    torch.testing.assert_close(found, want, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", RECIPES)
def test_selection_and_weight_come_before_the_penalty_and_spare_it(name):
    """The order of TRL, verl and NeMo; the denominator still counts what is left out."""
    logp, old, A, mask, ref = batch()
    keep, weight = torch.rand_like(logp) < 0.7, torch.rand_like(logp) * 2
    x, aggregate = PIECES[name](logp, old, A, mask)
    want = aggregate(x * keep * weight + 0.1 * rl.k2(logp, ref), mask)
    found = RECIPES[name](
        logp, old, A, mask, keep=keep, weight=weight, beta=0.1, ref_logp=ref, kl=rl.k2
    ).loss
    torch.testing.assert_close(found, want, rtol=1e-14, atol=0)
    dirty = weight.masked_fill(~mask, NAN)
    again = RECIPES[name](
        logp, old, A, mask, keep=keep, weight=dirty, beta=0.1, ref_logp=ref, kl=rl.k2
    ).loss
    assert torch.equal(again, found)


@pytest.mark.parametrize("name", CLIPPED)
@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_fused_pass_of_low_precision_is_the_pieces(name, beta, dtype):
    logp, old, A, mask, ref = batch(B=7, T=33, dtype=torch.float32)
    logp, old, ref = logp.to(dtype), old.to(dtype), ref.to(dtype)

    def gradient(loss):
        return torch.autograd.grad(loss, leaf)[0]

    leaf = logp.clone().requires_grad_()
    fused = CLIPPED[name](leaf, old, A, mask, beta=beta, ref_logp=ref).loss
    x, aggregate = PIECES[name](leaf, old, A, mask)
    want = aggregate(x + beta * rl.k3(leaf, ref), mask)
    torch.testing.assert_close(fused, want, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(
        gradient(fused), gradient(want), rtol=1e-5 if dtype == torch.float32 else 1e-2, atol=1e-8
    )


def test_vapo_imitates_what_is_right():
    logp = torch.tensor([[-1.0, -2.0], [-4.0, NAN]], dtype=torch.float64, requires_grad=True)
    mask, A = torch.tensor([[1, 1], [1, 0]]), torch.zeros(2, dtype=torch.float64)
    right = torch.tensor([True, False])
    kw = {"correct": right, "imitation": 0.5}
    out = rl.recipes.vapo(logp, logp.detach(), A, mask, **kw)
    assert out.loss.item() == pytest.approx(0.5 * 3 / 2)
    (gradient,) = torch.autograd.grad(out.loss, logp)
    assert gradient.tolist() == [[-0.25, -0.25], [0, 0]]
    whole = rl.recipes.vapo(logp, logp.detach(), A, mask, correct_tokens=6, **kw)
    assert whole.loss.item() == pytest.approx(0.5 * 3 / 6)
    none = rl.recipes.vapo(logp, logp.detach(), A, mask, correct=torch.zeros_like(right))
    assert none.loss.item() == 0
    with pytest.raises(ValueError, match="correct has shape"):
        rl.recipes.vapo(logp, logp, A, mask, correct=right[:1])


@every_recipe
@pytest.mark.parametrize("junk", [NAN, INF, -INF, 3.0])
def test_padding_changes_no_bit_of_loss_gradient_and_metrics(recipe, junk):
    for dtype in (torch.float32, torch.float64):
        logp, old, A, mask, ref = batch(dtype=dtype)

        def run(logp, old, mask, ref, A=A):
            logp = logp.clone().requires_grad_()
            out = recipe(
                logp, old, A, mask, beta=0.1, ref_logp=ref, metrics=rl.MetricInputs(entropy=-old)
            )
            return out, torch.autograd.grad(out.loss, logp)[0]

        out, gradient = run(logp, old, mask, ref)
        fill = torch.full((len(logp), 5), junk, dtype=dtype)

        def dirty(x, mask=mask, fill=fill):
            return torch.cat([x.masked_fill(~mask, junk), fill], 1)

        wider = torch.cat([mask, torch.zeros_like(fill).bool()], 1)
        dirty_out, dirty_gradient = run(dirty(logp), dirty(old), wider, dirty(ref))
        assert torch.equal(out.loss, dirty_out.loss)
        torch.testing.assert_close(dirty_gradient[:, :9], gradient, rtol=0, atol=0)
        assert not dirty_gradient[~wider].any()
        for name, value in out.metrics.items():
            if name == "masked":  # which tells how much padding there is
                continue
            assert torch.equal(value, dirty_out.metrics[name]), name


@every_recipe
def test_fully_masked_gives_zero_with_zero_gradients(recipe):
    logp = torch.full((2, 3), NAN, requires_grad=True)
    junk, mask = torch.full((2, 3), INF), torch.zeros(2, 3)
    out = recipe(logp, junk, torch.full((2,), NAN), mask, beta=0.1, ref_logp=junk, metrics=True)
    out.loss.backward()
    assert out.loss.item() == 0
    assert not logp.grad.any()
    masked = out.metrics.pop("masked")
    assert masked.item() == 1
    assert all(value.isnan() for value in out.metrics.values())  # no number is made up


@every_recipe
@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_empty_batches(recipe, shape):
    x = torch.zeros(shape, requires_grad=True)
    out = recipe(x, x, torch.zeros(shape[0]), torch.ones(shape), metrics=True)
    out.loss.backward()
    assert out.loss.item() == 0


def test_bnpo_alone_depends_on_the_cut():
    """Micro-batches of 4 and 1 tokens, averaged as its trainer does: the reason for dapo."""
    loss = torch.tensor([[-1.0, -1, -1, -1], [5, 0, 0, 0]])
    old, A = torch.zeros(2, 4), -loss[:, :1].expand(2, 4)
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0]])

    def bnpo(rows):
        return rl.recipes.bnpo(old[rows], old[rows], A[rows], mask[rows]).loss.item()

    assert bnpo(slice(0, 2)) == pytest.approx((-4 + 5) / 5)
    assert (bnpo(slice(0, 1)) + bnpo(slice(1, 2))) / 2 == pytest.approx((-1 + 5) / 2)
    with pytest.raises(TypeError, match="denominator"):
        rl.recipes.bnpo(old, old, A, mask, denominator=5)


@pytest.mark.parametrize("name", sorted({*RECIPES} - {"cispo", "vespo"}))
def test_gradcheck(name):
    """Where no factor stops the gradient, as the weights of CISPO and VESPO do."""
    recipe = RECIPES[name]
    logp, old, A, mask, ref = batch(B=3, T=4)
    logp.requires_grad_()

    def f(x):
        return recipe(x, old, A, mask, beta=0.1, ref_logp=ref).loss

    assert torch.autograd.gradcheck(f, logp)
    assert torch.autograd.gradgradcheck(f, logp)


def test_beta_without_a_reference_and_a_reference_without_beta():
    logp, old, A, mask, ref = batch()
    with pytest.raises(ValueError, match=r"beta is 0.1 but ref_logp is None"):
        rl.recipes.grpo(logp, old, A, mask, beta=0.1)
    with pytest.raises(ValueError, match="beta is -1"):
        rl.recipes.grpo(logp, old, A, mask, beta=-1, ref_logp=ref)
    unread = rl.recipes.grpo(logp, old, A, mask, ref_logp=torch.full_like(ref, NAN)).loss
    assert torch.equal(unread, rl.recipes.grpo(logp, old, A, mask).loss)


def test_a_fused_recipe_says_that_it_is_differentiated_once():
    logp, old, A, mask, _ = batch(dtype=torch.float32)
    logp.requires_grad_()
    loss = rl.recipes.dapo(logp, old, A, mask).loss
    with pytest.raises(RuntimeError, match="once"):
        torch.autograd.grad(
            torch.autograd.grad(loss, logp, create_graph=True)[0].square().sum(), logp
        )


def test_metrics_by_hand():
    logp = torch.tensor([[1.5, 0.5, 1.0], [0.5, 4.0, NAN]], dtype=torch.float64).log()
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    A = torch.tensor([1.0, -1.0])
    entropy = torch.tensor([[1.0, 2, 3], [4, 5, NAN]])
    scalars = rl.recipes.ppo_clip(
        logp,
        torch.zeros(2, 3),
        A,
        mask,
        ceiling=3.0,
        metrics=rl.MetricInputs(
            entropy=entropy,
            rewards=torch.tensor([1.0, 1.0]),
            group=["a", "b"],
            truncated=torch.tensor([False, True]),
        ),
    ).metrics
    ratios = [1.5, 0.5, 1.0, 0.5, 4.0]
    want = {
        "clip_low": 1 / 5,  # .5 with A = -1
        "clip_high": 1 / 5,  # 1.5 with A = 1
        "clip_ceiling": 1 / 5,  # 4 with A = -1
        "approx_kl": sum(r - 1 - math.log(r) for r in ratios) / 5,
        "ratio_min": 0.5,
        "ratio_mean": 1.5,
        "ratio_max": 4.0,
        "effective_sample_size": 7.5**2 / (5 * (2.25 + 0.25 + 1 + 0.25 + 16)),
        "masked": 1 / 6,
        "entropy": 3.0,
        "zero_variance_groups": 1.0,
        "truncated": 2 / 5,
    }
    assert {k: v.item() for k, v in scalars.items()} == pytest.approx(want)
    assert not any(v.requires_grad for v in scalars.values())


def test_kl_to_the_reference_is_reported_when_there_is_one():
    logp, old, A, mask, ref = batch()
    scalars = rl.recipes.grpo(logp, old, A, mask, beta=0.1, ref_logp=ref, metrics=True).metrics
    want = rl.masked_mean(rl.k3(logp, ref), mask)
    torch.testing.assert_close(scalars["kl_ref"], want)
    assert "entropy" not in scalars
    assert "clip_ceiling" not in scalars


def test_learning_a_bandit():
    """A softmax policy over four arms, grouped rewards, DAPO: the good arm wins."""
    torch.manual_seed(0)
    logits = torch.zeros(4, requires_grad=True)
    for _ in range(40):
        actions = torch.multinomial(logits.softmax(0).detach(), 16, replacement=True)
        A = rl.group_relative((actions == 2).float(), [0] * 16)
        old = logits.log_softmax(0)[actions].detach().unsqueeze(1)
        for _ in range(2):
            logp = logits.log_softmax(0)[actions].unsqueeze(1)
            loss = rl.recipes.dapo(logp, old, A, torch.ones(16, 1)).loss
            logits.data -= 0.5 * torch.autograd.grad(loss, logits)[0]
    assert logits.softmax(0)[2] > 0.9


def test_metrics_of_a_sequence_ratio():
    """Row ratios: exp((ln 4 + ln 1)/2) = 2 with A > 0, and 1/2 with A < 0; tokens weigh alike."""
    logp = torch.tensor([[4.0, 1.0, 9.0], [0.5, 9.0, 9.0]], dtype=torch.float64).log()
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    scalars = rl.recipes.gspo(
        logp, torch.zeros(2, 3), torch.tensor([1.0, -1.0]), mask, metrics=True
    ).metrics
    want = {"clip_low": 1 / 3, "clip_high": 2 / 3, "ratio_min": 0.5, "ratio_mean": 1.5}
    want |= {"ratio_max": 2.0, "effective_sample_size": 5.5**2 / (3 * 17.25), "masked": 0.5}
    approx_kl = sum(r - 1 - math.log(r) for r in (4, 1, 0.5)) / 3
    found = {k: v.item() for k, v in scalars.items()}
    assert found == pytest.approx({**want, "approx_kl": approx_kl})


@pytest.mark.parametrize(("name", "clips"), [("cispo", True), ("sapo", False), ("vespo", False)])
def test_what_does_not_clip_reports_no_clipping(name, clips):
    logp, old, A, mask, _ = batch()
    found = RECIPES[name](logp, old, A, mask, metrics=True).metrics
    assert ("clip_high" in found) is clips
    assert "ratio_mean" in found


def test_without_a_ratio_none_is_reported():
    logp, _, A, mask, ref = batch()
    found = rl.recipes.reinforce(logp, A, mask, beta=0.1, ref_logp=ref, metrics=True).metrics
    assert set(found) == {"kl_ref", "masked"}


@pytest.mark.parametrize(
    ("aggregate", "want"),
    [
        (rl.token_mean, [1 / 3, 1 / 3, 1 / 3]),
        (rl.token_sum, [1, 1, 1]),
        (rl.sequence_sum, [1 / 3, 1 / 3, 1 / 3]),
        (rl.sequence_mean, [1 / 6, 1 / 3, 1 / 3]),
        (partial(rl.constant, length=10), [1 / 30, 1 / 30, 1 / 30]),
    ],
)
def test_row_weights(aggregate, want):
    mask = torch.tensor([[1, 1], [1, 0], [0, 0]])
    assert rl.row_weights(aggregate, mask).tolist() == pytest.approx(want)
    x = torch.randn(3, 2, dtype=torch.float64)
    by_row = (rl.row_weights(aggregate, mask, 7) * (x * mask).sum(1)).sum()
    torch.testing.assert_close(by_row, aggregate(x, mask, denominator=7))


def test_row_weights_of_something_else():
    with pytest.raises(TypeError, match="no aggregation"):
        rl.row_weights(torch.mean, torch.ones(2, 2))


def test_row_weights_take_the_denominator_of_a_partial():
    mask = torch.ones(2, 2)
    for D, want in ((None, 1 / 5), (8, 1 / 8)):
        found = rl.row_weights(partial(rl.token_mean, denominator=5), mask, D)
        assert found.tolist() == [want] * 2


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        (rl.constant, r"constant has no length here: pass partial\(constant, length="),
        (partial(rl.token_mean, torch.ones(2, 2)), "sets more than a length and a denominator"),
        (partial(rl.token_mean, dim=1), "sets more than a length and a denominator"),
    ],
)
def test_row_weights_of_half_an_aggregation(aggregate, message):
    with pytest.raises(TypeError, match=message):
        rl.row_weights(aggregate, torch.ones(2, 2))


@every_recipe
def test_a_penalty_of_another_shape_does_not_broadcast(recipe):
    """One number per row would pass for one per column where B = T."""
    logp, old, A, mask, ref = batch(B=4, T=4)
    for keepdim in (False, True):

        def by_row(x, y, keepdim=keepdim):
            return (x - y).mean(1, keepdim=keepdim)

        with pytest.raises(ValueError, match=r"kl\(logp, ref_logp\) has shape \[4.* but logp has"):
            recipe(logp, old, A, mask, beta=0.1, ref_logp=ref, kl=by_row)


@every_recipe
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_given_wrongly_is_named(recipe, dtype):
    logp, old, A, mask, ref = batch(B=4, T=4, dtype=dtype)
    for wrong in (mask[0], mask[:1], mask[:, :1]):
        with pytest.raises(ValueError, match=r"mask has shape .* but logp has \[4, 4\]"):
            recipe(logp, old, A, wrong)
    for kl in (rl.k2, rl.k3):
        with pytest.raises(TypeError, match="ref_logp is a list"):
            recipe(logp, old, A, mask, beta=0.1, ref_logp=ref.tolist(), kl=kl)
    for metrics in (None, 1, {}):
        with pytest.raises(TypeError, match="metrics is .*: pass True, False or MetricInputs"):
            recipe(logp, old, A, mask, metrics=metrics)


def test_vapo_takes_no_unknown_or_wrong_completion_for_right():
    logp, mask = torch.full((3, 1), -2.0), torch.ones(3, 1)
    correct = torch.tensor([1.0, NAN, -1.0])
    out = rl.recipes.vapo(logp, logp, torch.zeros(3), mask, correct=correct, imitation=0.5)
    assert out.loss.item() == pytest.approx(0.5 * 2)


def test_gmpo_reports_on_a_bound_past_any_ratio():
    logp, old, A, mask, _ = batch()
    found = rl.recipes.gmpo(logp, old, A, mask, low=1e3, high=1e3, metrics=True).metrics
    assert found["clip_low"] == found["clip_high"] == 0
