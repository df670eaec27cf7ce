# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
import math
from functools import partial

import pytest
import torch

from rlrewards import objectives as rl
from rlrewards.objectives.surrogate import is_clipped

NAN, INF = math.nan, math.inf


def logs(*ratios):
    return torch.tensor([ratios], dtype=torch.float64).log()


def by_definition(r, A, low, high, ceiling=INF):
    """−min(min(r, c)·A, clip(r)·A) in plain floats."""
    clip = min(max(r, 1 - low), 1 + high)
    return -min(min(r, ceiling) * A, clip * A)


@pytest.mark.parametrize(
    ("r", "A", "want"),
    [
        (1.0, 2.0, -2.0),
        (1.1, 1.0, -1.1),  # inside
        (1.5, 1.0, -1.28),  # clipped high
        (1.5, -1.0, 1.5),  # too likely and bad: not clipped
        (0.5, 1.0, -0.5),  # too unlikely and good: not clipped
        (0.5, -1.0, 0.8),  # clipped low
        (9.0, -1.0, 3.0),  # the ceiling
        (9.0, 0.0, 0.0),
    ],
)
def test_cases_by_hand(r, A, want):
    loss = rl.clipped(logs(r), logs(1.0), torch.tensor([A]), low=0.2, high=0.28, ceiling=3.0)
    assert loss.item() == pytest.approx(want, abs=1e-12)


def test_matches_the_definition_on_a_grid():
    ratios = [0.01, 0.5, 0.79, 0.81, 1.0, 1.19, 1.21, 2.9, 3.1, 50.0]
    for A in (-2.0, -0.3, 0.0, 0.7, 5.0):
        for low, high, ceiling in ((0.2, 0.2, None), (0.1, 0.3, 3.0), (1.0, 1.0, 2.0)):
            bounds = {"low": low, "high": high, "ceiling": ceiling}
            advantages = torch.tensor([A], dtype=torch.float64)
            got = rl.clipped(logs(*ratios), logs(*[1.0] * 10), advantages, **bounds)
            c = INF if ceiling is None else ceiling
            want = [by_definition(r, A, low, high, c) for r in ratios]
            assert got[0].tolist() == pytest.approx(want, abs=1e-12)


def test_gradient_is_minus_ratio_times_advantage_inside_and_zero_outside():
    logp = logs(1.1, 1.5, 1.5, 0.5, 0.5, 9.0).requires_grad_()
    A = torch.tensor([[2.0, 1.0, -1.0, 1.0, -1.0, -1.0]], dtype=torch.float64)
    rl.clipped(logp, logs(*[1.0] * 6), A, ceiling=3.0).sum().backward()
    assert logp.grad[0].tolist() == pytest.approx([-2.2, 0, 1.5, -0.5, 0, 0])


def test_dual_clip_and_two_sided_delta_are_one_function():
    """For c ≥ 1 + high: dual clip bounds A < 0 at c·A, two-sided cuts the ratio itself."""
    torch.manual_seed(0)
    x, A = torch.randn(50, 40, dtype=torch.float64), torch.randn(50, 40, dtype=torch.float64)
    r, c = x.exp(), 1.5
    clip = r.clamp(0.8, 1.2)
    dual = torch.where(A < 0, torch.maximum(torch.minimum(r * A, clip * A), c * A), 0)
    dual = torch.where(A < 0, dual, torch.minimum(r * A, clip * A))
    two_sided = torch.minimum(r.clamp(max=c) * A, clip * A)
    got = rl.clipped(x, torch.zeros_like(x), A, ceiling=c)
    torch.testing.assert_close(got, -dual)
    torch.testing.assert_close(got, -two_sided)


def test_ratio_one_gives_the_policy_gradient():
    logp = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    A = torch.randn(3, dtype=torch.float64)
    rl.clipped(
        logp, logp, A
    ).sum().backward()  # old_logp is a constant even if it is the same tensor
    torch.testing.assert_close(logp.grad, -A.unsqueeze(1).expand(3, 4))


def test_unbounded_is_importance_weighted_reinforce():
    torch.manual_seed(0)
    logp, old = torch.randn(2, 3, 4, dtype=torch.float64)
    A = torch.randn(3, 4, dtype=torch.float64)
    got = rl.clipped(logp, old, A, low=INF, high=INF)
    torch.testing.assert_close(got, -(logp - old).exp() * A)


def test_advantages_per_sequence_and_per_token_agree():
    logp, old = torch.randn(2, 3, 4)
    A = torch.randn(3)
    spread = A.unsqueeze(1).expand(3, 4)
    assert torch.equal(rl.clipped(logp, old, A), rl.clipped(logp, old, spread))


@pytest.mark.parametrize("ceiling", [None, 3.0])
def test_gradcheck(ceiling):
    torch.manual_seed(0)
    old = torch.zeros(3, 5, dtype=torch.float64)
    # away from the kinks at ln .8, ln 1.2 and ln 3
    logp = torch.randn(3, 5, dtype=torch.float64)
    for kink in (math.log(0.8), math.log(1.2), math.log(3.0)):
        logp = torch.where((logp - kink).abs() < 0.02, kink + 0.05, logp)
    logp.requires_grad_()
    A = torch.randn(3, 5, dtype=torch.float64)

    def f(x):
        return rl.clipped(x, old, A, ceiling=ceiling)

    assert torch.autograd.gradcheck(f, logp)
    assert torch.autograd.gradgradcheck(f, logp)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("gap", [100.0, 1e4, INF])
def test_overflowing_ratios_stay_finite(dtype, gap):
    logp = torch.tensor([[0.0, -gap, 0.0, -gap]]).to(dtype).requires_grad_()
    old = torch.tensor([[-gap, 0.0, -gap, 0.0]]).to(dtype)
    loss = rl.clipped(logp, old, torch.tensor([[1.0, 1.0, -1.0, -1.0]]))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logp.grad.isfinite().all()
    assert loss[0, 0].item() == pytest.approx(-1.2)
    assert loss[0, 2].item() == pytest.approx(math.exp(20))


def test_bfloat16_is_computed_in_float32():
    torch.manual_seed(0)
    logp, old = torch.randn(2, 4, 9).bfloat16()
    A = torch.randn(4)
    got = rl.clipped(logp, old, A)
    assert got.dtype == torch.float32
    assert torch.equal(got, rl.clipped(logp.float(), old.float(), A))


def test_float64_advantages_do_not_widen_a_float32_loss():
    logp = torch.zeros(2, 3)
    assert rl.clipped(logp, logp, torch.ones(2, dtype=torch.float64)).dtype == torch.float32


@pytest.mark.parametrize("where", ["logp", "old_logp", "advantages"])
@pytest.mark.parametrize("junk", [NAN, INF, -INF])
def test_junk_in_a_masked_cell_leaves_no_trace(where, junk):
    torch.manual_seed(0)
    cells = {name: torch.randn(2, 4) for name in ("logp", "old_logp", "advantages")}
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]).bool()

    def run(values):
        logp = values["logp"].clone().requires_grad_()
        s = rl.clipped(logp, values["old_logp"], values["advantages"])
        loss = rl.token_mean(s, mask)
        return loss, torch.autograd.grad(loss, logp)[0]

    loss, gradient = run(cells)
    cells[where] = cells[where].masked_fill(~mask, junk)
    dirty_loss, dirty_gradient = run(cells)
    assert torch.equal(loss, dirty_loss)
    assert torch.equal(gradient, dirty_gradient)
    assert not dirty_gradient[~mask].any()


@pytest.mark.parametrize("where", ["logp", "old_logp", "advantages"])
def test_nan_at_a_valid_token_reaches_the_loss_and_the_gradient(where):
    cells = {name: torch.zeros(2, 3) for name in ("logp", "old_logp", "advantages")}
    cells["advantages"] += 1
    cells[where][1, 1] = NAN
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    logp = cells["logp"].requires_grad_()
    loss = rl.token_mean(rl.clipped(logp, cells["old_logp"], cells["advantages"]), mask)
    loss.backward()
    assert loss.isnan()
    assert logp.grad[0].isnan().all()
    assert logp.grad[1, 2] == 0


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty(shape):
    x = torch.zeros(shape)
    assert rl.clipped(x, x, torch.zeros(shape[0])).shape == shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logp": torch.zeros(3)}, r"logp has shape \[3\], expected \[B, T\]"),
        ({"old_logp": torch.zeros(2, 4)}, r"old_logp has shape \[2, 4\] but logp has \[2, 3\]"),
        ({"advantages": torch.zeros(3)}, r"advantages has shape \[3\], expected \[B\] = \[2\] or"),
        ({"logp": torch.zeros(2, 3).long()}, "logp has dtype torch.int64"),
        ({"low": -0.1}, "low is -0.1, expected ≥ 0"),
        ({"high": NAN}, "high is nan"),
        ({"ceiling": 1.1}, "ceiling is 1.1, expected ≥ 1.2"),
    ],
)
def test_errors_name_the_culprit(change, message):
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=message):
        rl.clipped(**{"logp": x, "old_logp": x, "advantages": torch.zeros(2), **change})


def test_reinforce_by_hand():
    logp = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]], dtype=torch.float64, requires_grad=True)
    A, weight = (
        torch.tensor([2.0, -1.0]),
        torch.tensor([[1.0, 0.5], [0.0, 3.0]], requires_grad=True),
    )
    assert rl.reinforce(logp, A).tolist() == [[2, 4], [-3, -4]]
    loss = rl.reinforce(logp, A, weight=weight)
    assert loss.tolist() == [[2, 2], [0, -12]]
    loss.sum().backward()
    assert logp.grad.tolist() == [[-2, -1], [0, 3]]
    assert weight.grad is None


def test_reinforce_names_a_weight_of_another_shape():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"weight has shape \[2\] but logp has \[2, 3\]"):
        rl.reinforce(x, torch.zeros(2), weight=torch.zeros(2))


def test_is_clipped_by_hand():
    logp = logs(1.3, 1.3, 0.7, 0.7, 1.0, NAN)
    A = torch.tensor([[1.0, -1.0, 1.0, -1.0, 0.0, 1.0]])
    got = is_clipped(logp, logs(*[1.0] * 6), A)
    assert got.int().tolist() == [[1, 0, 0, 1, 0, 0]]


# The laws of every surrogate, as f(logp, old_logp, advantages [B], mask) -> [B, T].


def _reinforce(logp, old, A, mask):
    return rl.reinforce(logp, A, weight=rl.truncated_importance(logp, old, mask, cap=4.0))


def _unified(logp, old, A, mask):
    return rl.cispo(logp, old, A, unified_clip=(0.2, 0.3))


LAWS = {
    "clipped": lambda logp, old, A, mask: rl.clipped(logp, old, A, high=0.28, ceiling=3.0),
    "reinforce": _reinforce,
    "cispo": lambda logp, old, A, mask: rl.cispo(logp, old, A),
    "cispo unified": _unified,
    "sapo": lambda logp, old, A, mask: rl.sapo(logp, old, A),
    "dppo_tv": lambda logp, old, A, mask: rl.dppo_tv(logp, old, A),
    "dppo_kl": lambda logp, old, A, mask: rl.dppo_kl(logp, old, A),
    "gspo": partial(rl.gspo, low=0.2, high=0.28),
    "gspo_token": partial(rl.gspo_token, low=0.2, high=0.28),
    "vespo": rl.vespo,
    "gmpo": rl.gmpo,
    "clip_cov": partial(rl.clip_cov, share=0.1, cov_low=0.05, cov_high=0.6),
    "kl_cov": partial(rl.kl_cov, share=0.1),
}
BY_ROW = ["gspo", "vespo", "gmpo"]
MASKED = ["gspo", "gspo_token", "vespo", "gmpo", "clip_cov", "kl_cov"]
every_surrogate = pytest.mark.parametrize("name", LAWS)


def law_case(dtype=torch.float64, B=5, T=7):
    torch.manual_seed(3)
    logp = -torch.rand(B, T, dtype=dtype) - 0.5
    old = logp + 0.3 * torch.randn(B, T, dtype=dtype)
    mask = torch.rand(B, T) < 0.7
    mask[-1] = False
    return logp, old, torch.randn(B, dtype=dtype), mask


def step(name, logp, old, A, mask, aggregate=rl.token_mean):
    logp = logp.clone().requires_grad_()
    loss = aggregate(LAWS[name](logp, old, A, mask), mask)
    return loss.detach(), torch.autograd.grad(loss, logp)[0]


@every_surrogate
@pytest.mark.parametrize("aggregate", [rl.token_mean, rl.sequence_mean])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_law_padding_leaves_no_trace(name, aggregate, dtype):
    logp, old, A, mask = law_case(dtype)
    loss, gradient = step(name, logp, old, A, mask, aggregate)
    assert not gradient[~mask].any()
    wide_mask = torch.nn.functional.pad(mask, (0, 4))
    for junk in (NAN, INF, -INF, 1e30):
        wide = [
            torch.nn.functional.pad(x.masked_fill(~mask, junk), (0, 4), value=junk)
            for x in (logp, old)
        ]
        rows = A.masked_fill(~mask.any(1), junk)
        tokens = torch.where(wide_mask, A.unsqueeze(1), junk)
        for advantages in (rows,) if name in BY_ROW else (rows, tokens):
            dirty_loss, dirty = step(name, *wide, advantages, wide_mask, aggregate)
            assert torch.equal(loss, dirty_loss)
            assert torch.equal(gradient, dirty[:, :7])
            assert not dirty[:, 7:].any()


@every_surrogate
@pytest.mark.parametrize("where", ["logp", "old_logp", "advantages"])
def test_law_nan_at_a_valid_token_is_never_hidden(name, where):
    logp, old, A, mask = law_case()
    mask[1, 2] = True
    taught = step(name, logp, old, A, mask)[1] != 0
    {"logp": logp, "old_logp": old, "advantages": A.unsqueeze(1)}[where][
        1, 0 if where == "advantages" else 2
    ] = NAN
    loss, gradient = step(name, logp, old, A, mask)
    assert loss.isnan()
    taught[1] = False
    assert taught.sum() > 8
    assert gradient[taught].isnan().all()
    assert not gradient[~mask].any()


@every_surrogate
def test_law_nothing_valid_is_nothing(name):
    for logp, old, A in (law_case()[:3], [torch.full((5, 7), NAN)] * 2 + [torch.full((5,), NAN)]):
        for aggregate in (rl.token_mean, rl.sequence_mean, rl.sequence_sum):
            loss, gradient = step(name, logp, old, A, torch.zeros(5, 7), aggregate)
            assert loss == 0
            assert not gradient.any()


@every_surrogate
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_law_empty(name, shape):
    x = torch.zeros(shape)
    loss, gradient = step(name, x, x, torch.zeros(shape[0]), x)
    assert loss == 0
    assert gradient.shape == shape


@pytest.mark.parametrize("name", MASKED)
def test_law_masked_cells_are_zero(name):
    logp, old, A, mask = law_case()
    cells = LAWS[name](logp.masked_fill(~mask, NAN), old, A, mask)
    assert not cells[~mask].any()
    assert cells[mask].isfinite().all()


@every_surrogate
def test_law_on_policy_it_is_the_policy_gradient(name):
    """Of the sum over the cells: for losses of rows n cells hold what has 1/n of each token."""
    logp, _, A, mask = law_case()
    if name == "clip_cov":  # nothing to take out
        cells = rl.clip_cov(logp.requires_grad_(), logp, A, mask, cov_low=9.0, cov_high=10.0)
    else:
        cells = LAWS[name](logp.requires_grad_(), logp, A, mask)
    got = torch.autograd.grad(torch.where(mask, cells, 0.0).sum(), logp)[0]
    torch.testing.assert_close(got, torch.where(mask, -A.unsqueeze(1), 0.0))


def coefficient(name, r, A, p, q, s, n, w, product):
    """Of FORMULAS: ∂(Σ cells)/∂ℓ = −coef·A, in plain floats (rows: n times their s/n)."""
    cut = (A > 0 and r > 1.28) or (A < 0 and (r < 0.8 or r > 3.0))
    kl = q * math.log(q / p) + (1 - q) * math.log((1 - q + 1e-8) / (1 - p + 1e-8))
    tau = 1.0 if A > 0 else 1.05
    k, lam = (2, 3) if A >= 0 else (3, 2)
    row_cut = (A > 0 and s > 1.28) or (A < 0 and s < 0.8)
    clipped_here = math.log(r) > 0.4 if A > 0 else math.log(r) < -0.4
    return {
        "clipped": 0 if cut else r,
        "reinforce": min(r, 4.0),
        "cispo": min(r, 5.0),
        "cispo unified": 0 if (A > 0 and r > 1.3) or (A < 0 and r < 0.8) else min(r, 5.0),
        "sapo": r / math.cosh(tau * (r - 1) / 2) ** 2,
        "dppo_tv": min(r, 10.0) * (p - q <= 0.15 if A > 0 else p - q >= -0.15),
        "dppo_kl": min(r, 10.0) * ((kl <= 0.05 or p <= q) if A > 0 else (kl <= 0.05 or p >= q)),
        "gspo": 0 if row_cut else s,
        "gspo_token": 0 if row_cut else s,
        "vespo": product**k * math.exp(lam * (1 - product)),
        "gmpo": 0 if clipped_here else w,
    }[name]


@pytest.mark.parametrize("name", [name for name in LAWS if "_cov" not in name])
def test_law_coefficients(name):
    logp, old, A, mask = law_case()
    old = old.clamp(max=-0.01)
    logp.requires_grad_()
    got = torch.autograd.grad(torch.where(mask, LAWS[name](logp, old, A, mask), 0.0).sum(), logp)[0]
    for i, a in enumerate(A.tolist()):
        valid = [t for t in range(7) if mask[i, t]]
        gaps = {t: (logp[i, t] - old[i, t]).item() for t in valid}
        n = len(valid)
        if not n:
            continue
        s, product = math.exp(sum(gaps.values()) / n), math.exp(sum(gaps.values()))
        bounded = [min(x, 0.4) if a > 0 else max(x, -0.4) for x in gaps.values()]
        w = math.exp(sum(bounded) / n)
        for t in valid:
            p, q = math.exp(logp[i, t].item()), math.exp(old[i, t].item())
            want = -a * coefficient(name, math.exp(gaps[t]), a, p, q, s, n, w, product)
            assert got[i, t].item() == pytest.approx(want, rel=1e-9, abs=1e-12)


@every_surrogate
def test_law_old_log_probs_and_advantages_are_constants(name):
    logp, old, A, mask = law_case()
    given = [logp.requires_grad_(), old.requires_grad_(), A.requires_grad_()]
    before = [x.detach().clone() for x in given]
    cells = LAWS[name](*given, mask)
    gradients = torch.autograd.grad(cells.sum(), given, allow_unused=True)
    assert gradients[0] is not None
    assert gradients[1:] == (None, None)
    assert all(torch.equal(x, y) for x, y in zip(given, before, strict=True))


@every_surrogate
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_law_half_precision_is_computed_in_float32(name, half):
    logp, old, A, mask = law_case(torch.float32)
    logp, old = logp.to(half), old.to(half)
    got = LAWS[name](logp, old, A, mask)
    assert got.dtype == torch.float32
    assert torch.equal(got, LAWS[name](logp.float(), old.float(), A, mask))
    assert LAWS[name](logp.float(), old.float(), A.double(), mask).dtype == torch.float32
    assert LAWS[name](logp.double(), old.double(), A, mask).dtype == torch.float64


@every_surrogate
@pytest.mark.parametrize("gap", [100.0, 1e4])
def test_law_far_ratios_stay_finite(name, gap):
    logp = torch.tensor([[0.0, -gap, 0.0], [-gap, 0.0, -gap]], requires_grad=True)
    old = torch.tensor([[-gap, 0.0, -gap], [0.0, -gap, 0.0]])
    for A in ([1.0, 1.0], [-1.0, -1.0]):
        cells = LAWS[name](logp, old, torch.tensor(A), torch.ones(2, 3))
        assert cells.isfinite().all()
        assert torch.autograd.grad(cells.sum(), logp)[0].isfinite().all()


def _selected(f, z):
    return lambda logp, old, A, mask: f(logp, old, A, mask, selected=z)


@pytest.mark.parametrize("name", ["sapo", "gspo", "gmpo", "clip_cov", "kl_cov"])
def test_law_gradcheck(name):
    """Of those whose gradient is that of their value: no weight in them is held constant."""
    logp, old, A, mask = law_case(B=4, T=3)
    mask[0] = True
    f = LAWS[name]
    if "_cov" in name:
        f = _selected({"clip_cov": rl.clip_cov, "kl_cov": rl.kl_cov}[name], torch.eye(4)[:, :3])
    logp.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: f(x, old, A, mask), logp)
    assert torch.autograd.gradgradcheck(lambda x: f(x, old, A, mask), logp)


@every_surrogate
def test_law_advantages_per_token_agree(name):
    logp, old, A, mask = law_case()
    spread = A.unsqueeze(1).expand_as(logp)
    if name in BY_ROW:
        with pytest.raises(
            ValueError, match=r"advantages has shape \[5, 7\], expected \[B\] = \[5\]"
        ):
            LAWS[name](logp, old, spread, mask)
    else:
        assert torch.equal(LAWS[name](logp, old, spread, mask), LAWS[name](logp, old, A, mask))


@every_surrogate
def test_law_errors_name_the_culprit(name):
    x, rows = torch.zeros(2, 3), torch.zeros(2)
    f = LAWS[name]
    with pytest.raises(ValueError, match=r"advantages has shape \[3\], expected \[B\] = \[2\]"):
        f(x, x, torch.zeros(3), x)
    with pytest.raises(ValueError, match="logp has dtype torch.int64"):
        f(x.long(), x, rows, x)
    if name != "reinforce":
        with pytest.raises(ValueError, match=r"old_logp has shape \[2, 4\] but logp has \[2, 3\]"):
            f(x, torch.zeros(2, 4), rows, x)
    if name in MASKED:
        with pytest.raises(ValueError, match=r"mask has shape \[2\] but logp has \[2, 3\]"):
            f(x, x, rows, rows)


@every_surrogate
def test_law_traces_into_one_graph(name):
    logp, old, A, mask = law_case(torch.float32)
    torch.compiler.reset()
    compiled = torch.compile(LAWS[name], backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(logp, old, A, mask), LAWS[name](logp, old, A, mask))


def test_a_list_is_named():
    with pytest.raises(TypeError, match="logp is a list: pass a torch.Tensor"):
        rl.is_clipped([[0.0]], torch.zeros(1, 1), torch.zeros(1))
