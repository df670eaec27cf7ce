# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
import math

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def dr_grpo(*args, **kw):
    return rl.recipes.dr_grpo(*args, length=16, **kw)


RECIPES = {
    "grpo": rl.recipes.grpo,
    "dr_grpo": dr_grpo,
    "bnpo": rl.recipes.bnpo,
    "dapo": rl.recipes.dapo,
    "ppo_clip": rl.recipes.ppo_clip,
}
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


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


@every_recipe
@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_a_recipe_is_its_pieces(recipe, beta):
    logp, old, A, mask, ref = batch()
    s = rl.clipped(logp, old, A, high=0.28 if recipe is rl.recipes.dapo else 0.2)
    x = s + beta * rl.k3(logp, ref)
    want = {
        "grpo": rl.sequence_mean(x, mask),
        "dr_grpo": rl.constant(x, mask, length=16),
    }.get(recipe.__name__, rl.token_mean(x, mask))
    assert torch.equal(recipe(logp, old, A, mask, beta=beta, ref_logp=ref).loss, want)


@every_recipe
@pytest.mark.parametrize("junk", [NAN, INF, -INF, 3.0])
def test_padding_changes_no_bit_of_loss_gradient_and_metrics(recipe, junk):
    for dtype in (torch.float32, torch.float64):
        logp, old, A, mask, ref = batch(dtype=dtype)

        def run(logp, old, mask, ref, A=A):
            logp = logp.clone().requires_grad_()
            out = recipe(logp, old, A, mask, beta=0.1, ref_logp=ref, metrics=True, entropy=-old)
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
            assert torch.equal(value, dirty_out.metrics[name]), name


@every_recipe
def test_fully_masked_gives_zero_with_zero_gradients(recipe):
    logp = torch.full((2, 3), NAN, requires_grad=True)
    junk, mask = torch.full((2, 3), INF), torch.zeros(2, 3)
    out = recipe(logp, junk, torch.full((2,), NAN), mask, beta=0.1, ref_logp=junk, metrics=True)
    out.loss.backward()
    assert out.loss.item() == 0
    assert not logp.grad.any()
    assert all(value.isnan() for value in out.metrics.values())  # no number is made up


@every_recipe
@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_empty_batches(recipe, shape):
    x = torch.zeros(shape, requires_grad=True)
    out = recipe(x, x, torch.zeros(shape[0]), torch.ones(shape), metrics=True)
    out.loss.backward()
    assert out.loss.item() == 0


DENOMINATORS = {"grpo": "rows", "dr_grpo": "rows", "dapo": "tokens", "ppo_clip": "tokens"}


@pytest.mark.parametrize("name", DENOMINATORS)
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_the_same_gradient_however_a_batch_is_cut(name, dtype, rtol):
    logp, old, A, mask, ref = batch(B=12, dtype=dtype)
    logp.requires_grad_()
    D = mask.sum() if DENOMINATORS[name] == "tokens" else len(mask)

    def gradient(pieces):
        kw = {"beta": 0.1, "denominator": D}
        for p in pieces:
            RECIPES[name](logp[p], old[p], A[p], mask[p], ref_logp=ref[p], **kw).loss.backward()
        grad, logp.grad = logp.grad, None
        return grad

    whole = gradient([slice(0, 12)])
    torch.testing.assert_close(
        gradient([slice(i, i + 1) for i in range(12)]), whole, rtol=rtol, atol=0
    )
    torch.testing.assert_close(gradient([slice(0, 5), slice(5, 12)]), whole, rtol=rtol, atol=0)


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


@every_recipe
def test_gradcheck(recipe):
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


def test_metrics_by_hand():
    logp = torch.tensor([[1.5, 0.5, 1.0], [0.5, 4.0, NAN]], dtype=torch.float64).log()
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    A = torch.tensor([1.0, -1.0])
    entropy = torch.tensor([[1.0, 2, 3], [4, 5, NAN]])
    scalars = rl.recipes.ppo_clip(
        logp, torch.zeros(2, 3), A, mask, ceiling=3.0, metrics=True, entropy=entropy
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
        "entropy": 3.0,
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
