# ruff: noqa: N803, N806  (names as in the formulas: A, B, T, N)
import math

import pytest
import torch

from rlrewards import objectives as rl
from rlrewards.objectives.surrogate import is_clipped

NAN, INF = math.nan, math.inf


def random_case(B=6, T=40, seed=0):
    torch.manual_seed(seed)
    logp, old = torch.randn(2, B, T, dtype=torch.float64)
    return logp, old, torch.randn(B, dtype=torch.float64), torch.rand(B, T) < 0.7


def test_covariances_by_hand():
    """Ā = (1 + 1 + 4)/3 = 2, ℓ̄ = −2: tokens weigh the same, rows do not."""
    logp = torch.tensor([[-1.0, -2.0, NAN], [-3.0, INF, INF]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    want = [[-1.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]
    assert rl.covariances(logp, torch.tensor([1.0, 4.0]), mask).tolist() == want
    given = rl.covariances(logp, torch.tensor([1.0, 4.0]), mask, means=(0.0, -1.0))
    assert given.tolist() == [[0.0, -1.0, 0.0], [-8.0, 0.0, 0.0]]


def test_means_of_the_whole_batch_make_its_parts_agree():
    logp, _, A, mask = random_case()
    spread = A.unsqueeze(1).expand_as(logp)
    means = rl.masked_mean(spread, mask), rl.masked_mean(logp, mask)
    parts = [
        rl.covariances(logp[i : i + 2], A[i : i + 2], mask[i : i + 2], means=means)
        for i in (0, 2, 4)
    ]
    assert torch.equal(torch.cat(parts), rl.covariances(logp, A, mask))


def test_covariances_carry_no_gradient():
    logp = torch.zeros(2, 3, requires_grad=True)
    assert not rl.covariances(logp, torch.zeros(2), torch.ones(2, 3)).requires_grad


def test_number_selected_is_the_floor_of_the_share_and_at_least_one():
    cov, mask = torch.linspace(1.1, 4.9, 100).view(5, 20), torch.ones(5, 20)
    for share, number in ((0.0, 1), (0.004, 1), (0.029, 2), (0.2, 20), (1.0, 100)):
        assert rl.clip_cov_selection(cov, mask, share=share).sum() == number
        assert rl.kl_cov_selection(cov, mask, share=share).sum() == number


def test_clip_cov_takes_candidates_only():
    cov = torch.tensor([[1.0, 1.5, 3.0, 4.0, 5.0, 2.0, NAN]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 1]])
    exclude = torch.tensor([[0, 0, 0, 1, 0, 0, 0]])
    got = rl.clip_cov_selection(cov, mask, share=1.0, exclude=exclude)
    assert got.int().tolist() == [[0, 1, 1, 0, 0, 0, 0]]
    assert not rl.clip_cov_selection(cov, mask, low=6.0, high=9.0).any()


def test_kl_cov_takes_the_highest():
    cov = torch.tensor([[0.5, -2.0, 9.0], [3.0, 3.0, 99.0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert rl.kl_cov_selection(cov, mask, share=0.4).int().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_the_choice_does_not_see_padding_or_the_order_of_rows():
    logp, _, A, mask = random_case()
    cov = rl.covariances(logp, A, mask)
    wide = torch.cat([cov, torch.full((6, 3), NAN)], 1)
    wide_mask = torch.cat([mask, torch.zeros(6, 3, dtype=torch.bool)], 1)
    order = torch.tensor([3, 1, 5, 0, 2, 4])

    def chances(cov, mask):
        seeded = torch.Generator().manual_seed(5)
        settings = {"share": 0.05, "low": -0.5, "high": 5.0}
        yield rl.clip_cov_selection(cov, mask, **settings)
        yield rl.clip_cov_selection(cov, mask, generator=seeded, **settings)
        yield rl.kl_cov_selection(cov, mask, share=0.05)

    for got, padded, moved in zip(
        chances(cov, mask), chances(wide, wide_mask), chances(cov[order], mask[order]), strict=True
    ):
        assert got.sum() == math.floor(0.05 * mask.sum())
        assert torch.equal(padded, torch.nn.functional.pad(got, (0, 3)))
        assert torch.equal(moved, got[order])


def test_the_choice_is_even_and_follows_its_generator():
    """5 of 50 candidates, 1,000 times: each is taken 100 ± 9.5 times (one σ)."""
    cov, mask = torch.linspace(1.1, 4.9, 50).view(5, 10), torch.ones(5, 10)
    generator = torch.Generator().manual_seed(0)
    state = torch.get_rng_state()
    taken = sum(
        rl.clip_cov_selection(cov, mask, share=0.1, generator=generator).int() for _ in range(1000)
    )
    assert taken.sum() == 5000
    assert (taken - 100).abs().max() < 5 * 9.5
    # χ² with 49 degrees of freedom, and draws without replacement vary a little less
    assert ((taken - 100) ** 2 / 100).sum() < 85
    pair = [
        rl.clip_cov_selection(cov, mask, share=0.1, generator=torch.Generator().manual_seed(9))
        for _ in range(2)
    ]
    assert torch.equal(*pair)
    assert torch.equal(torch.get_rng_state(), state)


def test_clip_cov_is_the_clipped_loss_without_the_selected():
    logp, old, A, mask = random_case()
    logp.requires_grad_()
    settings = {"share": 0.1, "cov_low": 0.1, "cov_high": 1.0, "low": 0.5, "high": 0.5}
    loss = rl.clip_cov(logp, old, A, mask, **settings)
    cut = is_clipped(logp, old, A, low=0.5, high=0.5)
    plain = rl.clipped(logp, old, A, low=0.5, high=0.5)
    z = mask & (loss == 0)
    assert z.sum() == math.floor(0.1 * mask.sum())
    cov = rl.covariances(logp, A, mask)
    assert (((cov > 0.1) & (cov < 1.0)) & ~cut)[z].all()
    assert torch.equal(loss[mask & ~z], plain[mask & ~z])
    got, want = (torch.autograd.grad(x.sum(), logp)[0] for x in (loss, plain))
    assert not got[z | ~mask].any()
    assert torch.equal(got[mask & ~z], want[mask & ~z])


def test_kl_cov_by_hand():
    """−rA + ½·z·|ln r|; nothing clips r = 8, and at r = 1 the penalty has no gradient."""
    logp = torch.tensor([[8.0, 0.5, 1.0, 2.0]], dtype=torch.float64).log().requires_grad_()
    selected = torch.tensor([[1, 1, 1, 0]])
    A, mask = torch.tensor([2.0], dtype=torch.float64), torch.ones(1, 4)
    loss = rl.kl_cov(logp, torch.zeros(1, 4), A, mask, weight=0.5, selected=selected)
    ln2 = math.log(2)
    want = [-16 + 1.5 * ln2, -1 + 0.5 * ln2, -2, -4]
    assert loss[0].tolist() == pytest.approx(want)
    gradient = torch.autograd.grad(loss.sum(), logp)[0]
    assert gradient[0].tolist() == pytest.approx([-15.5, -1.5, -2, -4])


def test_kl_cov_selects_by_itself_what_the_selection_says():
    logp, old, A, mask = random_case()
    z = rl.kl_cov_selection(rl.covariances(logp, A, mask), mask, share=0.05)
    got = rl.kl_cov(logp, old, A, mask, share=0.05)
    assert torch.equal(got, rl.kl_cov(logp, old, A, mask, selected=z))
    plain = torch.where(mask, -(logp - old).exp() * A.unsqueeze(1), 0.0)
    torch.testing.assert_close(got - plain, torch.where(z, (logp - old).abs(), 0.0).double())


@pytest.mark.parametrize("name", ["clip_cov", "kl_cov"])
def test_micro_batches_with_the_choice_of_the_whole_add_up(name):
    logp, old, A, mask = random_case()
    cov = rl.covariances(logp, A, mask)
    z = rl.kl_cov_selection(cov, mask, share=0.1)
    f = getattr(rl, name)
    whole = f(logp, old, A, mask, selected=z)
    parts = [f(logp[i], old[i], A[i], mask[i], selected=z[i]) for i in (slice(0, 2), slice(2, 6))]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("f", [rl.clip_cov, rl.kl_cov])
def test_a_nan_stays_even_where_it_is_selected(f):
    logp, mask = torch.tensor([[NAN, 0.0]]), torch.tensor([[1, 1]])
    loss = f(logp, torch.zeros(1, 2), torch.ones(1), mask, selected=torch.tensor([[1, 0]]))
    assert loss.isnan().tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rl.covariances(x, torch.zeros(3), x), r"advantages has shape \[3\]"),
        (lambda x: rl.clip_cov_selection(x, x, share=1.5), r"share is 1.5, expected in \[0, 1\]"),
        (lambda x: rl.kl_cov_selection(x, x, share=NAN), "share is nan"),
        (lambda x: rl.kl_cov_selection(x, torch.ones(2)), r"mask has shape \[2\] but cov has"),
        (lambda x: rl.clip_cov_selection(x, x, exclude=x[0]), r"exclude has shape \[3\] but cov"),
        (
            lambda x: rl.covariances(x, x, x, means=(torch.zeros(3), 0.0)),
            r"Ā of means has shape \[3\], expected a scalar",
        ),
        (lambda x: rl.clip_cov_selection(x, x, low=2.0, high=1.0), "high is 1.0, expected ≥ 2"),
        (lambda x: rl.clip_cov(x, x, x, x, cov_low=NAN), "cov_high is 5.0, expected ≥ nan"),
        (lambda x: rl.kl_cov(x, x, x, x, weight=-1.0), "weight is -1.0, expected ≥ 0"),
        (lambda x: rl.clip_cov(x, x, x, x, low=-1.0), "low is -1.0, expected ≥ 0"),
        (
            lambda x: rl.clip_cov(x, x, x, x, selected=x[:1]),
            r"selected has shape \[1, 3\] but logp",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 3))
