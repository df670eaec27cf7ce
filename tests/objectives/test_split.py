# ruff: noqa: N806  (names as in the formulas: A, B, T)
"""Every recipe: one gradient however a batch is cut, deaf to padding, 0 where nothing is valid.

The recipes are found in ``rl.recipes``; each must have its row in ``ROWS``. Pieces with statistics
of the batch are in ``SHARED``, with the statistics that make them independent of the cut.
"""

import inspect
import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from rlrewards import objectives as rl
from rlrewards.objectives.distributed import global_moments, optimizer_step

NAN, INF = math.nan, math.inf
B, T = 12, 9
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


class Row(NamedTuple):
    """How to call a recipe: what its denominator counts, its settings, its inputs by name."""

    counts: str | None  # a field of OptimizerStep; None where it takes no denominator
    settings: dict = {}
    inputs: tuple = ()  # optional tensors of ``batch`` beside weight, keep and ref_logp
    further: dict = {}  # a further denominator: the mask whose tokens it counts


def right_tokens(tensors):
    return tensors["mask"] & tensors["correct"].unsqueeze(1)


ROWS = {
    "grpo": Row("sequences"),
    "dr_grpo": Row("sequences", {"length": 16}),
    "bnpo": Row(None),
    "dapo": Row("tokens"),
    "ppo_clip": Row("tokens"),
    "gspo": Row("sequences"),
    "cispo": Row("tokens"),
    "sapo": Row("sequences"),
    "luspo": Row("sequences"),
    "vespo": Row("tokens", inputs=("log_weight",)),
    "gmpo": Row("sequences"),
    "reinforce": Row("tokens"),
    "gpg": Row("tokens"),
    "vapo": Row("tokens", inputs=("correct",), further={"correct_tokens": right_tokens}),
}


def found_recipes():
    """Public functions of ``rl.recipes`` that make a loss of log-probs."""
    return {
        name: f
        for name, f in inspect.getmembers(rl.recipes, inspect.isfunction)
        if not name.startswith("_")
        and inspect.get_annotations(f, eval_str=True).get("return") is rl.LossOutput
    }


RECIPES = found_recipes()
every_recipe = pytest.mark.parametrize("name", sorted(RECIPES))
every_call = pytest.mark.parametrize("plain", [True, False], ids=["plain", "full"])
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


def batch(dtype=torch.float64, seed=0):
    """Every tensor that a recipe may ask for, with ragged rows, holes and two rows of nothing."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    logp = -2 * normal(B, T).abs()
    mask = torch.arange(T) < torch.randint(1, T + 1, (B, 1), generator=generator)
    mask[[1, 7], 2] = False
    mask[[4, 9]] = False
    return {
        "logp": logp,
        "old_logp": logp + 0.2 * normal(B, T),
        "ref_logp": logp + 0.2 * normal(B, T),
        "advantages": normal(B),
        "mask": mask,
        "log_weight": 0.2 * normal(B, T),
        "weight": normal(B, T).abs(),
        "keep": torch.rand(B, T, generator=generator) < 0.8,
        "correct": torch.rand(B, generator=generator) < 0.5,
    }


def denominators(name, pieces):
    """What the recipe divides by, counted over all pieces."""
    row = ROWS[name]
    if row.counts is None:
        return {}
    counts = {"denominator": getattr(optimizer_step([p["mask"] for p in pieces]), row.counts)}
    for parameter, mask in row.further.items():
        counts[parameter] = optimizer_step([mask(p) for p in pieces]).tokens
    return counts


def call(name, tensors, *, plain=False, **given):
    """The recipe's loss of these rows, with all that it can take, or plainly: a fused pass."""
    recipe, row = RECIPES[name], ROWS[name]
    parameters = inspect.signature(recipe).parameters
    needed = {n for n, p in parameters.items() if p.default is p.empty and n in tensors}
    optional = {"ref_logp"} if plain else {"ref_logp", "weight", "keep", *row.inputs}
    names = needed | (optional & parameters.keys())
    given = {n: tensors[n] for n in names} | row.settings | given
    if "beta" in parameters:
        given["beta"] = 0.1
    return recipe(**given).loss


def gradient(name, tensors, cuts, *, plain, **given):
    """What the micro-batches leave in ``logp.grad``."""
    logp = tensors["logp"].clone().requires_grad_()
    for piece in pieces_of(tensors | {"logp": logp}, cuts):
        call(name, piece, plain=plain, **given).backward()
    return logp.grad


def pieces_of(tensors, cuts):
    return [{n: x[rows] for n, x in tensors.items()} for rows in cuts]


def random_cuts(seed, group=None):
    """All rows in micro-batches of random sizes and in a random order, but groups in one piece."""
    group = torch.arange(B) if group is None else group
    n = int(group.max()) + 1
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n, generator=generator)
    borders = 1 + torch.randperm(n - 1, generator=generator)[: 1 + seed % (n - 1)]
    pieces = torch.tensor_split(order, borders.sort().values)
    return [torch.cat([(group == g).nonzero()[:, 0] for g in piece]) for piece in pieces]


def test_every_recipe_has_a_row():
    assert RECIPES, "no recipe found"
    assert sorted(RECIPES) == sorted(ROWS), "give each recipe of rl.recipes a row in ROWS"


@every_recipe
def test_a_row_says_truly_whether_there_is_a_denominator(name):
    assert ("denominator" in inspect.signature(RECIPES[name]).parameters) == bool(ROWS[name].counts)


@every_recipe
@every_dtype
@every_call
def test_the_same_gradient_however_a_batch_is_cut(name, dtype, plain):
    tensors = batch(dtype)
    whole = gradient(name, tensors, [torch.arange(B)], plain=plain)
    assert whole.any()
    errors = []
    for seed in range(20):
        cuts = random_cuts(seed)
        given = denominators(name, pieces_of(tensors, cuts))
        parts = gradient(name, tensors, cuts, plain=plain, **given)
        if not given:
            parts /= len(cuts)
        errors.append(((parts - whole).abs().max() / whole.abs().max()).item())
    if ROWS[name].counts:
        assert max(errors) < TOLERANCE[dtype]
    else:
        assert min(errors) > 0.01  # why it is not the default of anything


@every_recipe
def test_the_denominator_that_a_row_names_is_the_default(name):
    tensors = batch()
    counted = call(name, tensors, **denominators(name, [tensors])).item()
    assert counted == pytest.approx(call(name, tensors).item(), rel=1e-14)


def test_a_local_token_mean_depends_on_the_cut():
    """Four rows of 1, 1, 2 and 4 tokens, with losses 4, 0, −1 and −1, whole, in two and in four."""
    mask = torch.arange(4) < torch.tensor([1, 1, 2, 4]).unsqueeze(1)
    logp, A = torch.zeros(4, 4), torch.tensor([-4.0, 0.0, 1.0, 1.0])

    def bnpo(size):
        cuts = zip(logp.split(size), A.split(size), mask.split(size), strict=True)
        losses = [rl.recipes.bnpo(x, x, a, m).loss.item() for x, a, m in cuts]
        return sum(losses) / len(losses)

    assert bnpo(4) == pytest.approx((4 + 0 - 2 - 4) / 8)
    assert bnpo(2) == pytest.approx((4 / 2 - 6 / 6) / 2)
    assert bnpo(1) == pytest.approx((4 + 0 - 1 - 1) / 4)


def dirty(x, mask, junk, width):
    """``x`` with junk in its masked cells and ``width`` more columns of it; ``[B]`` stays."""
    if x.ndim == 1:
        return x
    if not x.is_floating_point():
        return torch.nn.functional.pad(x, (0, width), value=x is not mask)
    return torch.nn.functional.pad(x.masked_fill(~mask, junk), (0, width), value=junk)


@every_recipe
@every_dtype
@every_call
@pytest.mark.parametrize("junk", [NAN, INF, -INF, 3.0])
def test_padding_changes_no_bit(name, dtype, junk, plain):
    for width in (0, 1, 23):
        tensors = batch(dtype, seed=width)
        padded = {n: dirty(x, tensors["mask"], junk, width) for n, x in tensors.items()}
        results = []
        for given in (tensors, padded):
            logp = given["logp"].clone().requires_grad_()
            loss = call(name, given | {"logp": logp}, plain=plain)
            results.append((loss, torch.autograd.grad(loss, logp)[0]))
        (loss, clean), (padded_loss, gradient) = results
        assert loss.isfinite()
        assert torch.equal(loss, padded_loss)
        assert torch.equal(gradient[:, :T], clean)
        assert not gradient[~padded["mask"]].any()


@every_recipe
@every_dtype
@every_call
@pytest.mark.parametrize("shape", [(B, T), (0, T), (B, 0)])
def test_nothing_valid_gives_zero_with_zero_gradients(name, dtype, shape, plain):
    rows, columns = shape
    tensors = {
        n: (x[:rows] if x.ndim == 1 else x[:rows, :columns]) for n, x in batch(dtype).items()
    }
    tensors["mask"] = torch.zeros(shape, dtype=torch.bool)
    tensors = {n: dirty(x, tensors["mask"], NAN, 0) for n, x in tensors.items()}
    for given in ({}, denominators(name, [tensors])):
        logp = tensors["logp"].clone().requires_grad_()
        loss = call(name, tensors | {"logp": logp}, plain=plain, **given)
        loss.backward()
        assert loss.item() == 0
        assert logp.grad.shape == shape
        assert not logp.grad.any()


@every_recipe
@every_call
def test_a_valid_nan_is_not_hidden(name, plain):
    tensors = batch()
    row, column = tensors["mask"].nonzero()[5]
    tensors["keep"][row, column] = True
    tensors["logp"][row, column] = NAN
    assert call(name, tensors, plain=plain).isnan()


class Shared(NamedTuple):
    """A piece of the whole batch, of a part that knows what all parts share, and what that is."""

    whole: Callable  # of the tensors
    part: Callable  # of the tensors of a part, with the statistics as keywords
    statistics: Callable = lambda parts: {}  # of all parts


def statistics_batch(dtype):
    """Rows of five groups of one to four, one reward NaN; selections of the whole batch."""
    tensors = batch(dtype)
    generator = torch.Generator().manual_seed(1)
    rewards = torch.randint(3, (B, 2), generator=generator).to(dtype)
    rewards[3, 0] = NAN
    cov, mask = covariances(tensors), tensors["mask"]
    return tensors | {
        "rewards": rewards[:, 0],
        "both": rewards,
        "group": torch.tensor([0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 4]),
        "entropy": torch.rand(B, T, generator=generator).to(dtype),
        "clip_selected": rl.clip_cov_selection(cov, mask, share=0.2, low=0.0, high=9.0),
        "kl_selected": rl.kl_cov_selection(cov, mask, share=0.2),
    }


def covariances(t, **kw):
    return rl.covariances(t["logp"], t["advantages"], t["mask"], **kw)


def policy(t):
    return t["logp"], t["old_logp"], t["advantages"], t["mask"]


def moments_of(values, known):
    """``moments=`` from a value and a mask of each part."""

    def statistics(parts):
        return {"moments": global_moments([values(t) for t in parts], [known(t) for t in parts])}

    return statistics


def known_reward(t):
    return ~t["rewards"].isnan()


def known_tokens(t):
    return t["mask"] & known_reward(t).unsqueeze(1)


def informative_share(parts):
    known = torch.cat([known_reward(t) for t in parts])
    useful = torch.cat([rl.informative(t["rewards"], t["group"]) for t in parts])
    return {"informative_share": useful[known].double().mean()}


def mean_weight(parts):
    return {"mean": global_moments([t["weight"] for t in parts], [t["mask"] for t in parts]).mean}


def covariance_means(parts):
    def mean(name):
        values = [t[name].reshape(len(t[name]), -1).expand(-1, T) for t in parts]
        return global_moments(values, [t["mask"] for t in parts]).mean

    return {"means": (mean("advantages"), mean("logp"))}


def threshold(parts):
    entropy, mask = (torch.cat([t[n] for t in parts]) for n in ("entropy", "mask"))
    return {"threshold": rl.entropy_threshold(entropy, mask)}


def shared(piece, statistics):
    """Of a piece that takes what is shared as keywords."""
    return Shared(piece, piece, statistics)


def group_relative(t, **kw):
    return rl.group_relative(t["rewards"], t["group"], scale="batch", **kw)


def gdpo(t, **kw):
    return rl.normalize_then_sum(t["both"], t["group"], **kw)


def reinforce_pp(t, **kw):
    return rl.reinforce_pp(t["rewards"], t["mask"], kl=t["weight"], beta=0.1, **kw)


def reinforce_pp_baseline(t, **kw):
    return rl.reinforce_pp_baseline(t["rewards"], t["group"], t["mask"], **kw)


SHARED = {
    "whiten": shared(
        lambda t, **kw: rl.whiten(t["logp"], t["mask"], **kw),
        moments_of(lambda t: t["logp"], lambda t: t["mask"]),
    ),
    "group_relative": shared(group_relative, moments_of(lambda t: t["rewards"], known_reward)),
    "gpg": shared(lambda t, **kw: rl.gpg(t["rewards"], t["group"], **kw), informative_share),
    "normalize_then_sum": shared(
        gdpo,
        moments_of(lambda t: gdpo(t, whitened=False), lambda t: ~t["both"].isnan().all(1)),
    ),
    "reinforce_pp": shared(
        reinforce_pp, moments_of(lambda t: reinforce_pp(t, whitened=False), known_tokens)
    ),
    "reinforce_pp_baseline": shared(
        reinforce_pp_baseline,
        moments_of(lambda t: reinforce_pp_baseline(t, whitened=False), known_tokens),
    ),
    "normalized_weights": shared(
        lambda t, **kw: rl.normalized_weights(t["weight"], t["mask"], **kw), mean_weight
    ),
    "covariances": shared(covariances, covariance_means),
    "top_entropy_mask": shared(
        lambda t, **kw: rl.top_entropy_mask(t["entropy"], t["mask"], **kw).double(), threshold
    ),
    "clip_cov": Shared(
        lambda t: rl.clip_cov(*policy(t), share=0.2, cov_low=0.0, cov_high=9.0),
        lambda t: rl.clip_cov(*policy(t), selected=t["clip_selected"]),
    ),
    "kl_cov": Shared(
        lambda t: rl.kl_cov(*policy(t), share=0.2),
        lambda t: rl.kl_cov(*policy(t), selected=t["kl_selected"]),
    ),
}


@pytest.mark.parametrize("name", SHARED)
@every_dtype
def test_a_part_given_the_statistics_of_all_is_a_part_of_the_whole(name, dtype):
    """Cut between groups: the rows of a group are compared with each other."""
    tensors = statistics_batch(dtype)
    piece = SHARED[name]
    whole = piece.whole(tensors)
    assert whole.isfinite().all()
    for seed in range(10):
        cuts = random_cuts(seed, tensors["group"])
        parts = pieces_of(tensors, cuts)
        given = piece.statistics(parts)
        got = torch.cat([piece.part(t, **given) for t in parts])
        want = whole[torch.cat(cuts)]
        torch.testing.assert_close(got, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        alone = torch.cat([piece.whole(t) for t in parts])
        assert (alone - want).abs().max() > 0.01  # or there is nothing to share
