# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
"""The fused clipped loss against the eager pieces, which define it."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad

from rlrewards.objectives import aggregate, fused
from rlrewards.objectives.fused import applies, clipped_loss
from rlrewards.objectives.kl import k3
from rlrewards.objectives.surrogate import clipped

NAN, INF = math.nan, math.inf
LENGTH = 100
AGGREGATES = {
    "token_mean": aggregate.token_mean,
    "sequence_mean": aggregate.sequence_mean,
    "sequence_sum": aggregate.sequence_sum,
    "constant": partial(aggregate.constant, length=LENGTH),
}


def weights(kind, mask):
    """1/D, 1/(D·nᵢ), 1/D and 1/(D·L), from the formulas in plain Python."""
    lengths = [sum(1 for cell in row if cell) for row in mask.tolist()]
    D = {"token_mean": max(sum(lengths), 1)}.get(kind, max(len(lengths), 1))
    one = {"sequence_mean": lambda n: 1 / (D * max(n, 1)), "constant": lambda n: 1 / (D * LENGTH)}
    one = one.get(kind, lambda n: 1 / D)
    return torch.tensor([one(n) for n in lengths], dtype=torch.float64)


def batch(B, T, *, seed=0, dtype=torch.float32, per_token=False, spread=0.5):
    """Values with ratios on either side of the clip, and a mask with holes and an empty row."""
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=generator)
    logp = draw(B, T) - 1
    old, ref = logp + spread * draw(B, T), logp + spread * draw(B, T)
    A = draw(B, T) if per_token else draw(B)
    mask = (torch.arange(T) < torch.randint(0, T + 1, (B, 1), generator=generator)) & (
        torch.rand(B, T, generator=generator) < 0.9
    )
    return logp.to(dtype), old.to(dtype), A, mask, ref.to(dtype)


def fused_loss(kind, logp, old, A, mask, ref=None, **kw):
    x = logp.detach().clone().requires_grad_()
    loss = clipped_loss(x, old, A, mask, weights(kind, mask), ref_logp=ref, **kw)
    return loss.detach(), torch.autograd.grad(loss, x)[0]


def eager_loss(kind, logp, old, A, mask, ref=None, *, beta=0.0, **bounds):
    x = logp.detach().clone().requires_grad_()
    tokens = clipped(x, old, A, **bounds)
    if beta:
        tokens = tokens + beta * k3(x, ref)
    loss = AGGREGATES[kind](tokens, mask)
    return loss.detach(), torch.autograd.grad(loss, x)[0]


def assert_same(ours, theirs):
    """A few float32 roundings: of the weight, of the product, and of each sum."""
    assert ours[0].dtype == theirs[0].dtype
    assert ours[1].dtype == theirs[1].dtype
    scale = theirs[1].nan_to_num(0, 0, 0).abs().max().item() if theirs[1].numel() else 0.0
    torch.testing.assert_close(ours[0], theirs[0], rtol=2e-6, atol=1e-6, equal_nan=True)
    torch.testing.assert_close(ours[1], theirs[1], rtol=2e-6, atol=1e-6 * scale, equal_nan=True)


@pytest.fixture(params=[None, 7], ids=["one block", "blocks of 7"])
def blocks(request, monkeypatch):
    """Also in blocks that fit no shape: cut between rows, and within them."""
    if request.param:
        monkeypatch.setattr(fused, "BLOCK", request.param)


def test_by_hand():
    ratios = [[1.1, 1.5, 0.5], [1.5, 0.5, 9.0]]
    logp = torch.tensor(ratios, dtype=torch.float64).log().requires_grad_()
    old, A = torch.zeros(2, 3, dtype=torch.float64), torch.tensor([2.0, -1.0])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    w = torch.tensor([0.5, 0.25])
    loss = clipped_loss(logp, old, A, mask, w, low=0.2, high=0.28, ceiling=3.0)
    # row 0: −2·1.1, −2·1.28 (cut); row 1: 1.5, .8 (cut), 3 (cut)
    assert loss.item() == pytest.approx(0.5 * -(2.2 + 2.56) + 0.25 * (1.5 + 0.8 + 3.0))
    loss.backward()
    want = [[-1.1, 0, 0], [0.375, 0, 0]]  # −w·A·r where nothing was cut
    assert logp.grad.tolist() == [pytest.approx(row) for row in want]


def test_penalty_by_hand():
    logp = torch.tensor([[-1.0, -1.0]], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([[-1.5, -1.0]], dtype=torch.float64)
    loss = clipped_loss(
        logp, logp, torch.zeros(1), torch.ones(1, 2), torch.tensor(1.0), beta=0.1, ref_logp=ref
    )
    assert loss.item() == pytest.approx(0.1 * (math.exp(-0.5) - 1 + 0.5))
    loss.backward()
    assert logp.grad[0].tolist() == pytest.approx([0.1 * (1 - math.exp(-0.5)), 0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (3, 7), (16, 33), (2, 1000), (129, 65)])
@pytest.mark.parametrize("kind", AGGREGATES)
@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.usefixtures("blocks")
def test_loss_and_gradient_of_the_eager_pieces(shape, kind, per_token, beta):
    logp, old, A, mask, ref = batch(*shape, per_token=per_token)
    ours = fused_loss(kind, logp, old, A, mask, ref, beta=beta)
    assert_same(ours, eager_loss(kind, logp, old, A, mask, ref, beta=beta))
    assert not ours[1][~mask].any()


@pytest.mark.parametrize("low", [0.0, 0.2, 1.0, 3.0, INF])
@pytest.mark.parametrize(
    ("high", "ceiling"),
    [(0.0, None), (0.0, 1.0), (0.28, None), (0.28, 3.0), (0.2, 1e30), (1e30, None), (INF, None)],
)
@pytest.mark.parametrize("per_token", [False, True])
def test_every_bound(low, high, ceiling, per_token):
    logp, old, A, mask, ref = batch(7, 19, per_token=per_token, spread=1.0)
    bounds = {"low": low, "high": high, "ceiling": ceiling}
    ours = fused_loss("token_mean", logp, old, A, mask, ref, beta=0.1, **bounds)
    assert_same(ours, eager_loss("token_mean", logp, old, A, mask, ref, beta=0.1, **bounds))


@pytest.mark.parametrize("sign", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("bounds", [{"low": 0.0, "high": 0.0}, {"low": INF, "high": INF}])
def test_ties_at_the_bounds_pass_the_gradient(sign, bounds):
    """Ratio 1 lies on a bound of width 0, and a log-ratio of ±20 on that of the log-ratio."""
    near = torch.tensor([20.0, -20.0, 0.0])
    gaps = torch.stack([near, torch.nextafter(near, near * 2), torch.nextafter(near, near / 2)])
    logp, old = gaps, torch.zeros(3, 3)
    A, mask = torch.full((3,), sign), torch.ones(3, 3)
    for beta in (0.0, 0.5):
        ours = fused_loss("token_mean", logp, old, A, mask, old, beta=beta, **bounds)
        theirs = eager_loss("token_mean", logp, old, A, mask, old, beta=beta, **bounds)
        assert_same(ours, theirs)
        assert torch.equal(ours[1] == 0, theirs[1] == 0)


@pytest.mark.parametrize("gap", [25.0, 89.0, 1e3, 1e30, INF])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("per_token", [False, True])
def test_extreme_ratios(gap, dtype, beta, per_token):
    logp = torch.tensor([[0.0, -gap, -1.0], [-gap, 0.0, -1.0]], dtype=dtype)
    old, ref = logp.flip(0), logp.flip(0)
    A, mask = torch.tensor([1.0, -1.0]), torch.ones(2, 3)
    if per_token:
        A = A.unsqueeze(1).expand(2, 3)
    ours = fused_loss("sequence_mean", logp, old, A, mask, ref, beta=beta)
    theirs = eager_loss("sequence_mean", logp, old, A, mask, ref, beta=beta)
    assert_same(ours, theirs)
    assert torch.equal(ours[1] == 0, theirs[1] == 0)
    if gap < INF or not beta:
        assert ours[0].isfinite()


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 6), st.integers(0, 9)),
    seed=st.integers(0, 2**31),
    spread=st.sampled_from([0.0, 0.1, 3.0, 30.0]),
    kind=st.sampled_from(sorted(AGGREGATES)),
    per_token=st.booleans(),
    beta=st.sampled_from([0.0, 0.04, 1.0]),
    ceiling=st.sampled_from([None, 1.28, 3.0]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    junk=st.sampled_from([0.0, NAN, INF, -INF, 1e30]),
    size=st.sampled_from([1, 3, 8, 65_536]),
)
def test_any_batch(shape, seed, spread, kind, per_token, beta, ceiling, dtype, junk, size):
    logp, old, A, mask, ref = batch(
        *shape, seed=seed, dtype=dtype, per_token=per_token, spread=spread
    )
    logp, old, ref = (torch.where(mask, x, junk) for x in (logp, old, ref))
    kw = {"beta": beta, "ceiling": ceiling, "high": 0.28}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused, "BLOCK", size)
        ours = fused_loss(kind, logp, old, A, mask, ref, **kw)
    assert_same(ours, eager_loss(kind, logp, old, A, mask, ref, **kw))


@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("junk", [NAN, INF, -INF, 3e38])
@pytest.mark.parametrize("where", ["logp", "old_logp", "advantages", "ref_logp", "all"])
@pytest.mark.usefixtures("blocks")
def test_padding_leaves_no_trace_to_the_bit(beta, per_token, junk, where):
    logp, old, A, mask, ref = batch(9, 31, per_token=per_token)
    clean = fused_loss("sequence_mean", logp, old, A, mask, ref, beta=beta)
    assert clean[0].isfinite()

    def spoil(name, x, valid):
        return x.masked_fill(~valid, junk) if where in (name, "all") else x

    dirty = fused_loss(
        "sequence_mean",
        spoil("logp", logp, mask),
        spoil("old_logp", old, mask),
        spoil("advantages", A, mask if per_token else mask.any(1)),
        mask,
        spoil("ref_logp", ref, mask),
        beta=beta,
    )
    assert torch.equal(dirty[0], clean[0])
    assert torch.equal(dirty[1], clean[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("columns", [1, 5, 64])
def test_more_masked_columns_on_either_side_change_no_bit(dtype, columns):
    for seed in range(20):
        logp, old, A, mask, ref = batch(9, 31, seed=seed, dtype=dtype)
        clean = fused_loss("token_mean", logp, old, A, mask, ref, beta=0.04)
        for side in ((0, columns), (columns, 0), (columns, columns)):
            wide = [torch.nn.functional.pad(x, side, value=9.0) for x in (logp, old, ref)]
            more = torch.nn.functional.pad(mask, side)
            got = fused_loss("token_mean", wide[0], wide[1], A, more, wide[2], beta=0.04)
            assert torch.equal(got[0], clean[0])
            assert torch.equal(got[1][:, side[0] : side[0] + 31], clean[1])


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("where", ["logp", "old_logp", "advantages", "ref_logp"])
@pytest.mark.parametrize("per_token", [False, True])
def test_a_valid_token_that_is_not_finite_is_never_hidden(bad, where, per_token):
    logp, old, A, _, ref = batch(4, 6, per_token=per_token)
    mask = torch.arange(6) < torch.tensor([[6], [3], [0], [5]])
    values = {"logp": logp, "old_logp": old, "advantages": A, "ref_logp": ref}
    at = (1, 2) if values[where].ndim == 2 else 1
    values[where][at] = bad
    args = (*list(values.values())[:3], mask, ref)
    ours = fused_loss("sequence_mean", *args, beta=0.04)
    theirs = eager_loss("sequence_mean", *args, beta=0.04)
    assert_same(ours, theirs)
    assert torch.equal(ours[1].isnan(), theirs[1].isnan())
    assert not ours[1][~mask].any()
    if bad != bad:
        assert ours[0].isnan()
        assert ours[1][mask].isnan().any()


def test_a_weight_past_float32_stays_out_of_padding_and_clipped_tokens():
    """3e38 · 2 overflows: what is valid and not clipped shows it, and nothing else."""
    logp = torch.tensor([[-1.0, -0.5, -1.0], [-1.0, -1.0, -1.0]], requires_grad=True)
    old, mask = torch.full((2, 3), -1.0), torch.tensor([[1, 0, 0], [0, 0, 0]])
    for A, expected in (([1.0, 3e38], -2.0), ([3e38, 1.0], -INF)):
        loss = clipped_loss(logp, old, torch.tensor(A), mask, torch.tensor(2.0))
        assert loss == expected
        (gradient,) = torch.autograd.grad(loss, logp)
        assert gradient.tolist() == [[expected, 0, 0], [0, 0, 0]]


def test_the_default_device_is_not_where_it_works():
    args = batch(3, 7)
    plain = fused_loss("token_mean", *args, beta=0.04)
    fused._edges.cache_clear()
    rows = weights("token_mean", args[3])
    with torch.device("meta"):
        x = args[0].clone().requires_grad_()
        loss = clipped_loss(x, *args[1:4], rows, ref_logp=args[4], beta=0.04)
        (gradient,) = torch.autograd.grad(loss, x)
    assert torch.equal(loss, plain[0])
    assert torch.equal(gradient, plain[1])


def test_a_batch_of_nothing_is_zero():
    logp, old, A, mask, ref = batch(4, 6)
    loss, gradient = fused_loss("token_mean", logp * NAN, old, A, mask & False, ref, beta=0.1)
    assert loss.item() == 0
    assert math.copysign(1, loss.item()) == 1
    assert torch.equal(gradient, torch.zeros(4, 6))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("per_token", [False, True])
def test_empty_tensors(shape, per_token):
    logp, old, A, mask, ref = batch(*shape, per_token=per_token)
    loss, gradient = fused_loss("token_mean", logp, old, A, mask, ref, beta=0.1)
    assert loss.item() == 0
    assert gradient.shape == shape


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.uint8, torch.float32])
def test_any_mask_dtype(dtype):
    logp, old, A, mask, _ = batch(5, 8)
    ours = fused_loss("token_mean", logp, old, A, mask.to(dtype) * 3)
    assert torch.equal(ours[1], fused_loss("token_mean", logp, old, A, mask)[1])


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(half):
    logp, old, A, mask, ref = batch(5, 40, dtype=half)
    loss, gradient = fused_loss("token_mean", logp, old, A, mask, ref, beta=0.1)
    full = fused_loss("token_mean", *(x.float() for x in (logp, old, A)), mask, ref, beta=0.1)
    assert torch.equal(loss, full[0])
    assert torch.equal(gradient, full[1].to(half))


def test_a_scale_reaches_the_gradient_before_it_is_rounded_to_half():
    """Weights of 1e-8 vanish in float16; those of a scaled loss must not."""
    logp = torch.zeros(1, 3, dtype=torch.float16, requires_grad=True)
    old, mask = torch.zeros(1, 3), torch.ones(1, 3)
    loss = clipped_loss(logp, old, -torch.ones(1), mask, torch.tensor(1e-8))
    (loss * 65536).backward()
    assert logp.grad[0].tolist() == pytest.approx([65536e-8] * 3, rel=1e-3)


def test_mixed_dtypes_are_promoted_as_by_the_eager_pieces():
    logp, old, A, mask, ref = batch(5, 8)
    ours = fused_loss("token_mean", logp, old.double(), A, mask, ref, beta=0.1)
    assert ours[0].dtype == torch.float64
    assert_same(ours, eager_loss("token_mean", logp, old.double(), A, mask, ref, beta=0.1))


def test_not_contiguous():
    logp, old, A, mask, ref = batch(6, 9, per_token=True)
    want = fused_loss("token_mean", logp, old, A, mask, ref, beta=0.1)
    turned = [x.T.contiguous().T for x in (old, A, mask, ref)]
    x = torch.stack([logp, logp], dim=2).requires_grad_()
    loss = clipped_loss(
        x[..., 0], *turned[:3], weights("token_mean", mask), beta=0.1, ref_logp=turned[3]
    )
    loss.backward()
    assert torch.equal(loss, want[0])
    assert torch.equal(x.grad[..., 0], want[1])
    assert not x.grad[..., 1].any()


def test_broadcast_views_as_inputs():
    one = torch.tensor(-1.0)
    got = clipped_loss(
        one.expand(3, 4), one.expand(3, 4), one.expand(3), torch.tensor(True).expand(3, 4), one * -1
    )
    assert got.item() == 12


def test_nothing_given_is_written_to():
    given_, w = batch(5, 8), torch.ones(5)
    before = [x.clone() for x in (*given_, w)]
    logp, old, A, mask, ref = given_
    logp.requires_grad_()
    clipped_loss(logp, old, A, mask, w, beta=0.1, ref_logp=ref).backward()
    for x, y in zip((*given_, w), before, strict=True):
        assert torch.equal(x, y)
        assert x._version == 0


def test_without_gradient_the_loss_is_the_same_and_nothing_is_kept():
    logp, old, A, mask, ref = batch(5, 8)
    w = weights("token_mean", mask)
    for beta in (0.0, 0.1):
        want = fused_loss("token_mean", logp, old, A, mask, ref, beta=beta)[0]
        plain = clipped_loss(logp, old, A, mask, w, beta=beta, ref_logp=ref)
        with torch.no_grad():
            silent = clipped_loss(
                logp.clone().requires_grad_(), old, A, mask, w, beta=beta, ref_logp=ref
            )
        assert torch.equal(plain, want)
        assert torch.equal(silent, want)
        assert not plain.requires_grad
        assert not silent.requires_grad


def test_all_but_the_policy_are_constants():
    logp, old, A, mask, ref = batch(3, 4)
    w = torch.ones(3)
    for x in (old, A, ref, w):
        x.requires_grad_()
    assert not clipped_loss(logp, old, A, mask, w, beta=0.1, ref_logp=ref).requires_grad
    logp.requires_grad_()
    clipped_loss(logp, old, A, mask, w, beta=0.1, ref_logp=ref).backward()
    assert all(x.grad is None for x in (old, A, ref, w))


def test_the_policy_may_be_its_own_old_and_reference():
    """On the first step all three are one tensor: the gradient is that of the policy, −w·A."""
    logp, _, A, mask, _ = batch(5, 8)
    logp.requires_grad_()
    w = weights("sequence_mean", mask)
    clipped_loss(logp, logp, A, mask, w, beta=0.1, ref_logp=logp).backward()
    want = torch.where(mask, -(w * A).unsqueeze(1), 0.0).float()
    torch.testing.assert_close(logp.grad, want)


@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize("ceiling", [None, 2.0])
@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.usefixtures("blocks")
def test_gradcheck(beta, ceiling, per_token):
    logp, old, A, mask, ref = batch(3, 5, dtype=torch.float64, per_token=per_token)
    for kink in (math.log(0.8), math.log(1.2), math.log(2.0)):
        logp = torch.where((logp - old - kink).abs() < 0.02, old + kink + 0.05, logp)
    w = weights("sequence_mean", mask)

    def f(x):
        return clipped_loss(x, old, A, mask, w, ceiling=ceiling, beta=beta, ref_logp=ref)

    assert torch.autograd.gradcheck(f, logp.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_second_derivative_is_refused(dtype):
    logp, old, A, mask, _ = batch(3, 5, dtype=dtype)
    logp.requires_grad_()
    loss = clipped_loss(logp, old, A, mask, weights("token_mean", mask))
    (gradient,) = torch.autograd.grad(loss, logp, create_graph=True)
    want = fused_loss("token_mean", logp, old, A, mask)[1]
    assert torch.equal(gradient, want)  # made, and usable as a number
    with pytest.raises(RuntimeError, match="differentiated once only.*eager pieces"):
        torch.autograd.grad(gradient.square().sum(), logp)


def test_backward_twice_and_what_is_done_to_the_first_gradient():
    logp, old, A, mask, _ = batch(4, 6)
    want = fused_loss("token_mean", logp, old, A, mask)[1]
    logp.requires_grad_()
    loss = clipped_loss(logp, old, A, mask, weights("token_mean", mask))
    for _ in range(3):
        (gradient,) = torch.autograd.grad(loss, logp, retain_graph=True)
        assert torch.equal(gradient, want)
        gradient.zero_()
    loss.backward(retain_graph=True)
    loss.backward()
    assert torch.equal(logp.grad, want + want)


def test_scaled_losses_accumulate():
    logp, old, A, mask, _ = batch(4, 6)
    want = fused_loss("token_mean", logp, old, A, mask)[1]
    logp.requires_grad_()
    for scale in (0.5, 4.0):
        (scale * clipped_loss(logp, old, A, mask, weights("token_mean", mask))).backward()
    torch.testing.assert_close(logp.grad, 4.5 * want)


@pytest.mark.parametrize("scale", [NAN, INF])
def test_a_scale_that_is_not_finite_stays_out_of_padding(scale):
    logp, old, A, mask, _ = batch(4, 6)
    logp.requires_grad_()
    (scale * clipped_loss(logp, old, A, mask, weights("token_mean", mask))).backward()
    assert not logp.grad[~mask].any()
    assert not logp.grad[mask].isfinite().all()


def test_the_graph_keeps_what_was_given_and_no_copy():
    logp, old, A, mask, ref = batch(16, 32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        clipped_loss(logp.requires_grad_(), old, A, mask, torch.tensor(1.0), beta=0.1, ref_logp=ref)
    given_ = {x.data_ptr() for x in (logp, old, mask, ref)}
    assert {x.data_ptr() for x in kept if x.numel() == 16 * 32} == given_


def test_a_graph_is_used_up_and_notices_that_its_inputs_changed():
    logp, old, A, mask, _ = batch(4, 6)
    logp.requires_grad_()
    loss = clipped_loss(logp, old, A, mask, torch.tensor(1.0))
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()
    loss = clipped_loss(logp, old, A, mask, torch.tensor(1.0))
    loss.backward(retain_graph=True)
    old.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.usefixtures("blocks")
def test_no_cell_of_a_new_tensor_is_read_before_it_is_written(beta):
    logp, old, A, mask, ref = batch(6, 9)
    want = fused_loss("token_mean", logp, old, A, mask, ref, beta=beta)
    torch.use_deterministic_algorithms(True)  # fills what torch.empty returns with NaN
    try:
        assert torch.empty(3).isnan().all()
        got = fused_loss("token_mean", logp, old, A, mask, ref, beta=beta)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(got[0], want[0])
    assert torch.equal(got[1], want[1])


@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_the_error_is_no_larger_than_that_of_the_eager_pieces(beta):
    logp, old, A, mask, ref = batch(32, 257)
    wide = [x.double() for x in (logp, old, A)]
    truth = eager_loss("token_mean", *wide, mask, ref.double(), beta=beta)
    ours = fused_loss("token_mean", logp, old, A, mask, ref, beta=beta)
    theirs = eager_loss("token_mean", logp, old, A, mask, ref, beta=beta)

    def error(found):
        return ((found[1].double() - truth[1]).norm() / truth[1].norm()).item()

    # in norm; 5 % for the order of the products −A, r and w
    assert error(ours) <= 1.05 * error(theirs)
    assert (ours[0] - truth[0]).abs() <= 2e-7 * truth[0].abs()


def test_two_threads():
    logp, old, A, mask, ref = batch(40, 5000)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = fused_loss("token_mean", logp, old, A, mask, ref, beta=0.04)
        torch.set_num_threads(2)
        two = fused_loss("token_mean", logp, old, A, mask, ref, beta=0.04)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one[0], two[0])
    torch.testing.assert_close(one[1], two[1], rtol=1e-6, atol=1e-12)


def test_applies():
    x, mask = torch.zeros(2, 3), torch.ones(2, 3)
    assert applies(x, mask)
    assert applies(x.bfloat16(), mask.bool())
    assert applies(torch.nn.Parameter(x), mask)
    assert not applies(x.double(), mask)
    assert not applies(x.long(), mask)
    assert not applies(x.to("meta"), mask)
    assert not applies(x, mask.to("meta"))
    assert not applies([0.0], mask)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch's own jvp
def test_does_not_apply_where_something_must_look_inside():
    x, mask = torch.zeros(2, 3), torch.ones(2, 3)
    seen = []

    def note(y):
        seen.append(applies(y, mask))
        return y.sum()

    torch.func.grad(note)(x)
    torch.func.vmap(note)(torch.zeros(4, 2, 3))
    torch.func.jvp(note, (x,), (x,))
    with forward_ad.dual_level():
        note(forward_ad.make_dual(x, x))
    torch.compile(note, backend="eager")(x)
    assert seen == [False] * 5


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"logp": torch.zeros(3)}, r"logp has shape \[3\], expected \[B, T\]"),
        ({"logp": torch.zeros(2, 3, dtype=torch.int64)}, "logp has dtype torch.int64"),
        ({"logp": torch.zeros(2, 3, device="meta")}, "logp is on meta, expected the CPU"),
        ({"old_logp": torch.zeros(2, 4)}, r"old_logp has shape \[2, 4\] but logp has \[2, 3\]"),
        ({"advantages": torch.zeros(3)}, r"advantages has shape \[3\], expected"),
        ({"mask": torch.ones(2)}, r"mask has shape \[2\] but logp has \[2, 3\]"),
        ({"row_weight": torch.ones(2, 3)}, r"row_weight has shape \[2, 3\], expected \[B\]"),
        ({"row_weight": torch.ones(2).long()}, "row_weight has dtype torch.int64"),
        ({"low": -0.1}, "low is -0.1, expected ≥ 0"),
        ({"high": NAN}, "high is nan, expected ≥ 0"),
        ({"ceiling": 1.1}, r"ceiling is 1.1, expected ≥ 1.2"),
        ({"beta": -1.0}, "beta is -1.0, expected ≥ 0"),
        ({"beta": 0.1}, "beta is 0.1 but ref_logp is None"),
        ({"beta": 0.1, "ref_logp": torch.zeros(2, 4)}, r"ref_logp has shape \[2, 4\] but logp"),
    ],
)
def test_what_is_refused(change, match):
    x = torch.zeros(2, 3)
    given_ = {
        "logp": x,
        "old_logp": x,
        "advantages": x[:, 0],
        "mask": x == 0,
        "row_weight": torch.ones(2),
    }
    with pytest.raises(ValueError, match=match):
        clipped_loss(**{**given_, **change})


def test_a_reference_without_beta_is_not_read():
    logp, old, A, mask, _ = batch(3, 4)
    assert clipped_loss(logp, old, A, mask, torch.tensor(1.0), ref_logp=logp * NAN).isfinite()
