import math
from functools import partial

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf
W = [[4.0, 0.5, 1.0, 7.0], [0.25, 2.5, 1.0, 1.0], [6.0, 1.0, 9.0, 9.0]]
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0]])
# products 2 and .625, geometric means 2^⅓ and .625^⅓


def pair(ratios=W, dtype=torch.float64):
    old = torch.tensor(ratios, dtype=dtype).log() - 1
    return old, torch.full_like(old, -1.0)


def same(got, want):
    assert got.flatten().tolist() == pytest.approx([x for row in want for x in row], rel=1e-12)


def test_log_ratio_is_bounded_and_constant():
    old = torch.tensor([[0.0, 0.0, -INF]], requires_grad=True)
    sampler = torch.tensor([[-0.5, -99.0, 0.0]], requires_grad=True)
    got = rl.sampler_log_ratio(old, sampler)
    assert got.tolist() == [[0.5, 20.0, -20.0]]
    assert not got.requires_grad


def test_truncated_by_token():
    got = rl.truncated_importance(*pair(), MASK)
    same(got, [[2, 0.5, 1, 1], [0.25, 2, 1, 1], [1, 1, 1, 1]])
    got = rl.truncated_importance(*pair(), MASK, cap=3.0, floor=0.4)
    same(got, [[3, 0.5, 1, 1], [0.4, 2.5, 1, 1], [1, 1, 1, 1]])


def test_truncated_by_sequence():
    got = rl.truncated_importance(*pair(), MASK, level="sequence")
    same(got, [[2, 2, 2, 1], [0.625, 0.625, 1, 0.625], [1, 1, 1, 1]])
    got = rl.truncated_importance(*pair(), MASK, level="sequence", cap=1.5, floor=0.7)
    same(got, [[1.5, 1.5, 1.5, 1], [0.7, 0.7, 1, 0.7], [1, 1, 1, 1]])


def test_masked_by_token():
    got = rl.masked_importance(*pair(), MASK)
    same(got, [[0, 0.5, 1, 1], [0.25, 2.5, 1, 1], [1, 1, 1, 1]])
    got = rl.masked_importance(*pair(), MASK, low=0.3, high=INF)
    same(got, [[4, 0.5, 1, 1], [0, 2.5, 1, 1], [1, 1, 1, 1]])


def test_masked_by_sequence():
    got = rl.masked_importance(*pair(), MASK, level="sequence")
    same(got, [[2, 2, 2, 1], [0.625, 0.625, 1, 0.625], [1, 1, 1, 1]])
    got = rl.masked_importance(*pair(), MASK, level="sequence", low=0.7, high=3.0)
    same(got, [[2, 2, 2, 1], [0, 0, 1, 0], [1, 1, 1, 1]])


def test_icepop_by_hand():
    ratios = [[4.9, 0.51, 1.0, 7.0], [0.49, 5.1, 9.0, 1.0], [9.0, 9.0, 9.0, 9.0]]
    got = rl.icepop(*pair(ratios), MASK)
    same(got, [[4.9, 0.51, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]])


def test_sequence_mask_tis_by_hand():
    """Geometric means 1.2599 and .8550; kept rows show their tokens' raw weights."""
    got = rl.sequence_mask_tis(*pair(), MASK, low=0.85, high=1.25)
    same(got, [[0, 0, 0, 1], [0.25, 2.5, 1, 1], [1, 1, 1, 1]])
    got = rl.sequence_mask_tis(*pair(), MASK)
    same(got, [[0, 0, 0, 1], [0, 0, 1, 0], [1, 1, 1, 1]])


def test_a_bound_belongs_to_what_is_kept():
    old, sampler = torch.zeros(1, 1), torch.zeros(1, 1)
    for low, high in ((1.0, 2.0), (0.5, 1.0)):
        assert rl.masked_importance(old, sampler, torch.ones(1, 1), low=low, high=high).item() == 1


TOKEN = [rl.truncated_importance, rl.masked_importance, rl.icepop, rl.sequence_mask_tis]
ALL = [
    *TOKEN,
    partial(rl.truncated_importance, level="sequence"),
    partial(rl.masked_importance, level="sequence"),
]


@pytest.mark.parametrize("f", ALL)
@pytest.mark.parametrize("junk", [NAN, INF, -INF])
def test_padding_leaves_no_trace(f, junk):
    clean = f(*pair(), MASK)
    dirty = [x.masked_fill(MASK == 0, junk) for x in pair()]
    dirty = [torch.nn.functional.pad(x, (0, 3), value=junk) for x in dirty]
    got = f(*dirty, torch.nn.functional.pad(MASK, (0, 3)))
    assert torch.equal(got, torch.nn.functional.pad(clean, (0, 3), value=1.0))


@pytest.mark.parametrize("f", ALL)
def test_a_nan_at_a_valid_token_shows(f):
    for which in (0, 1):
        given = list(pair())
        given[which] = given[which].index_put(
            (torch.tensor(1), torch.tensor(3)), torch.tensor(NAN).double()
        )
        weights = f(*given, MASK)
        assert weights[1, 3].isnan()
        assert weights[MASK == 0].eq(1).all()
        assert weights[0].isfinite().all()


@pytest.mark.parametrize("f", TOKEN)
def test_tokens_unknown_to_the_sampler_weigh_one(f):
    """And count for nothing in what their row is judged by."""
    old, sampler = pair([[1.001, 1.0, 7.0, 1.0]])
    sampler[0, 2] = NAN
    mask = torch.ones(1, 4)
    got = f(old, sampler, mask, known=~sampler.isnan())
    same(got, [[1.001, 1, 1, 1]])


def test_unknown_tokens_are_left_out_of_the_product_and_carry_its_weight():
    old, sampler = pair([[1.5, 1.2, 7.0]])
    known = torch.tensor([[1, 1, 0]])
    for f in (rl.truncated_importance, rl.masked_importance):
        same(f(old, sampler, torch.ones(1, 3), level="sequence", known=known), [[1.8] * 3])
    got = rl.sequence_mask_tis(old, sampler, torch.ones(1, 3), known=known)
    same(got, [[0, 0, 0]])  # a row that is dropped is dropped whole


@pytest.mark.parametrize("f", ALL)
def test_constants_dtypes_and_empty(f):
    old, sampler = (x.requires_grad_() for x in pair())
    assert not f(old, sampler, MASK).requires_grad
    half = torch.zeros(2, 3).bfloat16()
    assert f(half, half, torch.ones(2, 3)).dtype == torch.float32
    for shape in ((0, 0), (0, 3), (3, 0)):
        x = torch.zeros(shape)
        assert f(x, x, x).shape == shape


@pytest.mark.parametrize("f", ALL)
def test_long_rows_do_not_overflow(f):
    old, sampler = torch.zeros(2, 50), torch.full((2, 50), -30.0)
    sampler[1] = 30.0
    assert f(old, sampler, torch.ones(2, 50)).isfinite().all()


def test_products_of_rows_are_bounded_like_ratios():
    old, sampler = torch.zeros(2, 50), torch.tensor([[-1.0], [1.0]]).expand(2, 50)
    unbounded = partial(rl.masked_importance, low=0.0, high=INF, level="sequence")
    weights = unbounded(old, sampler, torch.ones(2, 50))
    assert weights[:, 7].tolist() == pytest.approx([math.exp(20), math.exp(-20)])


# k1 of (sampler, old) is −ln w: −1.39, .69, 0 and 1.39, −.92, 0
@pytest.mark.parametrize(
    ("settings", "want"),
    [
        # token: k1 in [−1, 1]
        ({"estimator": rl.k1, "low": -1.0, "high": 1.0}, [[0, 1, 1, 0], [0, 1, 0, 1]]),
        # k2 = ½ ln² w: .96, .24, 0 and .96, .42, 0
        ({"estimator": rl.k2, "high": 0.5}, [[0, 1, 1, 0], [0, 1, 0, 1]]),
        # k3 = w − 1 − ln w: 1.61, .19, 0 and .64, .58, 0
        ({"estimator": rl.k3, "high": 0.6}, [[0, 1, 1, 0], [0, 1, 0, 1]]),
        # rows by k1: sums −.69 and .47
        ({"estimator": rl.k1, "low": -0.5, "high": 0.5, "level": "sum"}, [[0] * 4, [1, 1, 0, 1]]),
        ({"estimator": rl.k1, "low": -0.7, "high": 0.4, "level": "sum"}, [[1, 1, 1, 0], [0] * 4]),
        # means −.23 and .16
        ({"estimator": rl.k1, "low": -0.2, "high": 0.5, "level": "mean"}, [[0] * 4, [1, 1, 0, 1]]),
        # largest k3: 1.61 and .64
        ({"estimator": rl.k3, "high": 0.7, "level": "max"}, [[0] * 4, [1, 1, 0, 1]]),
        ({"estimator": rl.k3, "high": 1.7, "level": "max"}, [[1, 1, 1, 0], [1, 1, 0, 1]]),
    ],
)
def test_rejection_by_hand(settings, want):
    mask = rl.rejection_mask(MASK, *pair(), **settings)
    assert mask.dtype == torch.bool
    assert mask.int().tolist() == [*want, [0] * 4]
    junk = [torch.where(MASK == 0, NAN, x) for x in pair()]
    assert torch.equal(rl.rejection_mask(MASK, *junk, **settings), mask)


@pytest.mark.parametrize("level", ["token", "sum", "mean", "max"])
def test_rejection_keeps_what_it_cannot_judge(level):
    old, sampler = pair([[1.0, 1.0], [50.0, 50.0]])
    sampler[0, 0] = NAN
    reject = partial(rl.rejection_mask, torch.ones(2, 2), estimator=rl.k2, high=0.5, level=level)
    assert reject(old, sampler).tolist() == [[True, True], [False, False]]
    known = torch.tensor([[1, 1], [0, 0]])
    assert reject(old, sampler, known=known).all()
    for shape in ((0, 0), (0, 3), (3, 0)):
        x = torch.zeros(shape)
        assert rl.rejection_mask(x, x, x, estimator=rl.k1, high=1.0, level=level).shape == shape


def test_rejected_tokens_leave_the_denominator_and_masked_ones_do_not():
    old, sampler = pair([[9.0, 1.0]])
    x, mask = torch.tensor([[1.0, 1.0]]), torch.ones(1, 2)
    weights = rl.masked_importance(old, sampler, mask).float()
    kept = rl.rejection_mask(mask, old, sampler, estimator=rl.k2, high=0.5)
    assert rl.token_mean(x * weights, mask).item() == 0.5
    assert rl.token_mean(x, kept).item() == 1.0


def test_normalized_weights():
    weights = torch.tensor([[1.0, 3.0, NAN], [5.0, INF, NAN]], dtype=torch.float64)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    same(rl.normalized_weights(weights, mask), [[1 / 3, 1, 1], [5 / 3, 1, 1]])
    same(rl.normalized_weights(weights, mask, mean=2.0), [[0.5, 1.5, 1], [2.5, 1, 1]])
    tensor = rl.normalized_weights(weights, mask, mean=torch.tensor(2.0))
    same(tensor, [[0.5, 1.5, 1], [2.5, 1, 1]])
    assert rl.normalized_weights(torch.zeros(2, 3), mask).tolist() == [[0, 0, 1], [0, 1, 1]]
    assert rl.normalized_weights(weights, torch.zeros(2, 3)).eq(1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: rl.truncated_importance(x, x, x, level="row"),
            "level is 'row', expected 'token' or",
        ),
        (
            lambda x: rl.truncated_importance(x, x, x, cap=0.5, floor=0.7),
            r"cap is 0.5, expected ≥ 0.7",
        ),
        (lambda x: rl.truncated_importance(x, x, x, floor=-1.0), "floor is -1.0, expected ≥ 0"),
        (lambda x: rl.masked_importance(x, x, x, high=NAN), "high is nan"),
        (
            lambda x: rl.masked_importance(x, x[:1], x),
            r"sampler_logp has shape \[1, 3\] but old_logp",
        ),
        (lambda x: rl.masked_importance(x, x, x[0]), r"mask has shape \[3\] but old_logp has"),
        (lambda x: rl.icepop(x, x, x, known=x[0]), r"known has shape \[3\] but old_logp has"),
        (
            lambda x: rl.rejection_mask(x, x, x, estimator=rl.k1, high=1.0, level="sequence"),
            "level is 'seq",
        ),
        (
            lambda x: rl.rejection_mask(x, x, x, estimator=rl.k1, high=0.0, low=1.0),
            "high is 0.0, expected ≥ 1",
        ),
        (lambda x: rl.icepop(x.long(), x, x), "old_logp has dtype torch.int64"),
        (lambda x: rl.icepop(x, x.long(), x), "sampler_logp has dtype torch.int64"),
        (
            lambda x: rl.rejection_mask(x[0], x[0], x[0], estimator=rl.k1, high=1.0),
            r"old_logp has shape \[3\], expected \[B, T\]",
        ),
        (
            lambda x: rl.normalized_weights(x, x, mean=torch.ones(3)),
            r"mean has shape \[3\], expected a scalar",
        ),
        (lambda x: rl.normalized_weights(x, x[0]), r"mask has shape \[3\] but weights has"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 3))


@pytest.mark.parametrize("name", ["old_logp", "sampler_logp"])
def test_a_list_is_named(name):
    x = torch.zeros(1, 1)
    given = {"old_logp": x, "sampler_logp": x, "mask": x, name: [[0.0]]}
    with pytest.raises(TypeError, match=f"{name} is a list: pass a torch.Tensor"):
        rl.truncated_importance(**given)
    with pytest.raises(TypeError, match=f"{name} is a list: pass a torch.Tensor"):
        rl.rejection_mask(**given, estimator=rl.k1, high=1.0)
