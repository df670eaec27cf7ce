# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
"""The policy-loss kernel against the recipes, which define it."""

import math
from functools import partial
from importlib.util import find_spec

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from rlrewards.kernels import surrogate
from rlrewards.kernels.surrogate import policy_loss
from rlrewards.objectives import kl, recipes
from rlrewards.objectives.metrics import LossOutput, MetricInputs

NAN, INF = math.nan, math.inf

# Triton's interpreter runs the programs where there is no GPU.
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
on_the_cpu = pytest.mark.skipif(DEVICE != "cpu", reason="about CPU tensors")
in_triton = pytest.mark.skipif(not find_spec("triton"), reason="about the program in Triton")

RECIPES = {
    "grpo": {"low": 0.1, "high": 0.2},
    "dr_grpo": {"length": 50, "ceiling": 1.3, "low": INF, "denominator": 7},
    "bnpo": {"high": INF},
    "dapo": {"denominator": torch.tensor(20.0, device=DEVICE), "ceiling": 3.0},
    "ppo_clip": {},
    "vapo": {"ceiling": 1.4, "high": 0.1},
    "cispo": {"low": 0.2, "high": 0.3},
    "sapo": {"positive_temperature": 3.0, "negative_temperature": 0.5},
    "reinforce": {"denominator": 5.0},
    "gpg": {},
    "gspo": {"low": 0.03, "high": 0.04, "denominator": 3},
    "luspo": {"low": 0.02, "high": 0.05, "ceiling": 1.06},
}
PENALTIES = {penalty.__name__: penalty for penalty in surrogate.PENALTIES}
BARE = ("reinforce", "gpg")
PER_ROW = ("gspo", "luspo")


def batch(B=3, T=37, *, seed=0, dtype=torch.float32, per_token=False, spread=0.3):
    """Ratios on either side of the clip; a mask with holes and an empty row; NaN in the padding."""
    generator = torch.Generator(DEVICE).manual_seed(seed)
    draw = partial(torch.randn, generator=generator, device=DEVICE)
    uniform = partial(torch.rand, generator=generator, device=DEVICE)
    logp = draw(B, T) - 1
    tokens = {
        "logp": logp,
        "old_logp": logp + spread * draw(B, T),
        "ref_logp": logp + spread * draw(B, T),
        "weight": 2 * uniform(B, T),
    }
    ends = T * (0.5 + 0.6 * uniform(B, 1))
    mask = (torch.arange(T, device=DEVICE) < ends) & (uniform(B, T) < 0.9)
    if B > 1:
        mask[B // 2] = False
    tokens = {name: x.to(dtype).masked_fill(~mask, NAN) for name, x in tokens.items()}
    A = draw(B, T).masked_fill(~mask, NAN) if per_token else draw(B)
    keep = uniform(B, T) < 0.8
    return {**tokens, "advantages": A, "mask": mask, "keep": keep}


def pick(x, name, *terms):
    """The arguments of a recipe: the tokens, and of the other terms only those named."""
    settings = dict(RECIPES[name])
    if "ref_logp" in terms:
        settings["beta"] = 0.3
    settings |= {term: x[term] for term in terms}
    return {**{k: x[k] for k in ("logp", "old_logp", "advantages", "mask")}, **settings}


def fused(name, arguments, *, upstream=1.0, **more):
    arguments = {**arguments, **more}
    logp = arguments["logp"].detach().clone().requires_grad_()
    out = policy_loss(getattr(recipes, name), **{**arguments, "logp": logp})
    (gradient,) = torch.autograd.grad(out.loss * upstream, logp)
    assert gradient.dtype == logp.dtype
    return out.loss.detach(), gradient, out.metrics


def oracle(name, arguments, *, upstream=1.0, wide=True, **more):
    """The recipe in float64; with narrow inputs where its own errors do not matter."""
    arguments = {**arguments, **more}
    if name in BARE:
        del arguments["old_logp"]
    if wide:
        arguments = {
            k: v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v
            for k, v in arguments.items()
        }
    logp = arguments["logp"].detach().clone().requires_grad_()
    out = getattr(recipes, name)(**{**arguments, "logp": logp})
    (gradient,) = torch.autograd.grad(out.loss * upstream, logp)
    return out.loss.detach(), gradient, out.metrics


def assert_close(found, expected, *, rtol=2e-6, grad_rtol=None):
    loss, gradient, metrics = found
    wide_loss, wide_gradient, wide_metrics = expected
    # The scale of a loss is that of its terms, which may cancel.
    torch.testing.assert_close(loss.double(), wide_loss.double(), rtol=rtol, atol=rtol)
    bound = rtol if grad_rtol is None else grad_rtol
    torch.testing.assert_close(
        gradient.double(), wide_gradient.double(), rtol=bound, atol=bound * 1e-2, equal_nan=True
    )
    assert list(metrics) == list(wide_metrics)
    for key, value in metrics.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(
            value.double(),
            wide_metrics[key].double(),
            rtol=rtol,
            atol=rtol,
            equal_nan=True,
            msg=key,
        )


@in_triton
@pytest.mark.usefixtures("poisoned")
class TestTheRecipes:
    @pytest.mark.parametrize("name", RECIPES)
    def test_loss_and_gradient(self, name):
        arguments = pick(batch(), name)
        assert_close(fused(name, arguments), oracle(name, arguments))

    @pytest.mark.parametrize("name", RECIPES)
    def test_all_terms_and_metrics(self, name):
        x = batch(seed=1)
        arguments = pick(x, name, "keep", "weight", "ref_logp") | {"metrics": True}
        assert_close(fused(name, arguments), oracle(name, arguments))

    @pytest.mark.parametrize("name", [name for name in RECIPES if name not in PER_ROW])
    def test_advantages_per_token(self, name):
        arguments = pick(batch(seed=2, per_token=True), name)
        assert_close(fused(name, arguments), oracle(name, arguments))

    @pytest.mark.parametrize("penalty", PENALTIES)
    @pytest.mark.parametrize("name", ["grpo", "reinforce", "gspo"])
    def test_penalties(self, name, penalty):
        arguments = pick(batch(seed=3, spread=1.0), name, "ref_logp")
        arguments["kl"] = PENALTIES[penalty]
        assert_close(fused(name, arguments), oracle(name, arguments))

    @pytest.mark.parametrize("name", ["cispo", "gspo"])
    def test_a_penalty_corrected_by_the_same_ratio(self, name):
        arguments = pick(batch(seed=4), name, "ref_logp")
        arguments["kl"] = partial(kl.corrected_k3, old_logp=arguments["old_logp"])
        wide = partial(kl.corrected_k3, old_logp=arguments["old_logp"].double())
        assert surrogate.penalty_name(
            surrogate.Call(
                surrogate.FORMS[getattr(recipes, name)],
                arguments["logp"],
                arguments["old_logp"],
                arguments["ref_logp"],
                arguments,
            )
        )
        assert_close(fused(name, arguments), oracle(name, {**arguments, "kl": wide}))

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("name", ["grpo", "cispo", "sapo", "gspo"])
    def test_half_precision_is_computed_in_float32(self, name, dtype):
        arguments = pick(batch(seed=5, dtype=dtype), name, "ref_logp") | {"metrics": True}
        # of rounding the gradient; to bfloat16 the interpreter cuts off instead
        half = 2.0**-7 if dtype == torch.bfloat16 else 2.0**-11
        assert_close(fused(name, arguments), oracle(name, arguments), grad_rtol=half)

    @pytest.mark.parametrize("name", ["grpo", "gspo"])
    @pytest.mark.parametrize(("B", "T"), [(1, 1), (1, 16), (1, 17), (2, 1025), (3, 4097)])
    def test_sizes(self, name, B, T):
        if T > 4000 and name != "gspo":
            T = 2050
        arguments = pick(batch(B, T, seed=6), name) | {"metrics": True}
        assert_close(fused(name, arguments), oracle(name, arguments))

    @pytest.mark.parametrize(("B", "T"), [(0, 4), (3, 0), (0, 0)])
    def test_no_tokens(self, B, T):
        x = torch.zeros(B, T, device=DEVICE, requires_grad=True)
        loss = policy_loss(recipes.grpo, x, x, x.new_zeros(B), torch.ones_like(x)).loss
        loss.backward()
        assert loss == 0
        assert x.grad.shape == (B, T)

    def test_by_hand(self):
        # r = 1.5, 1.5, .5, 2 with A = 1, 1, −2, −2, clipped at .8 and 1.2; two rows of two tokens:
        # losses −1.2 (cut), −1.2 (cut), 1.6 (cut) and 4, each times 1/4.
        r = torch.tensor([[1.5, 1.5], [0.5, 2.0]], device=DEVICE)
        x = {"logp": r.log(), "old_logp": 0 * r, "mask": r, "advantages": r.new_tensor([1.0, -2.0])}
        loss, gradient, _ = fused("grpo", x)
        assert loss.item() == pytest.approx((-1.2 - 1.2 + 1.6 + 4) / 4)
        assert gradient.tolist() == [[0, 0], [0, pytest.approx(1.0)]]

    def test_a_partial_is_its_recipe(self):
        arguments = pick(batch(), "grpo")
        settings = {k: arguments.pop(k) for k in RECIPES["grpo"]}
        out = policy_loss(partial(recipes.grpo, **settings), **arguments)
        assert out.loss == fused("grpo", arguments, **settings)[0]
        wider = policy_loss(partial(recipes.grpo, **settings), **arguments, high=9.0)
        assert wider.loss == fused("grpo", arguments, **settings | {"high": 9.0})[0]

    def test_masks_of_any_dtype(self):
        arguments = pick(batch(), "grpo", "keep")
        expected = fused("grpo", arguments)
        ints = {"mask": arguments["mask"].int() * 3, "keep": arguments["keep"].float()}
        assert_close(fused("grpo", arguments | ints), expected, rtol=0)


@in_triton
@pytest.mark.usefixtures("poisoned")
class TestHostileNumbers:
    @pytest.mark.parametrize("name", RECIPES)
    def test_log_ratios_past_their_bounds(self, name):
        shift = [[-99.0, -20.0, -19.0, 0.0], [19.0, 20.0, 20.5, 1e30]]
        shift = torch.tensor(shift, device=DEVICE)
        x = {"logp": torch.full_like(shift, -1.0), "mask": torch.ones_like(shift)}
        x["old_logp"] = x["logp"] - shift
        x["ref_logp"] = x["logp"] + shift.flip(1)
        for A in ([1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]):
            arguments = pick({**x, "advantages": shift.new_tensor(A)}, name, "ref_logp")
            # e^20 − (−19) and the like: single precision has its limits, in the recipe too
            assert_close(fused(name, arguments), oracle(name, arguments), rtol=1e-5)

    @pytest.mark.parametrize("penalty", [*PENALTIES, "corrected_k3"])
    def test_penalties_past_their_bounds(self, penalty):
        for cells in ([-0.6, -0.4, -1e-4, 0, 1e-4, 0.4, 0.6, 3.0], [-99, -20, 20, 99, 1e10]):
            delta = torch.tensor([cells], device=DEVICE)
            logp, A = torch.full_like(delta, -1.0), delta.new_zeros(1)
            x = {"logp": logp, "old_logp": logp, "ref_logp": logp - delta, "advantages": A}
            x["mask"] = torch.ones_like(delta)
            arguments = pick(x, "grpo", "ref_logp") | {"metrics": True}
            here = there = PENALTIES.get(penalty)
            if penalty == "corrected_k3":
                here = partial(kl.corrected_k3, old_logp=logp)
                there = partial(kl.corrected_k3, old_logp=logp.double())
            assert_close(fused("grpo", arguments, kl=here), oracle("grpo", arguments, kl=there))

    @pytest.mark.parametrize("field", ["logp", "old_logp", "advantages", "ref_logp", "weight"])
    @pytest.mark.parametrize("value", [NAN, -INF])
    @pytest.mark.parametrize("name", ["dapo", "cispo", "sapo", "reinforce", "gspo"])
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, under the interpreter
    def test_what_is_not_finite_at_a_valid_token(self, name, value, field):
        x = batch(2, 5, seed=7)
        x["mask"][0, :3] = True
        x["logp"][0, :3], x["old_logp"][0, :3] = -1.0, -1.1
        x["ref_logp"][0, :3], x["weight"][0, :3] = -1.2, 0.5
        x["advantages"][0] = -2.0  # not cut, so the token teaches
        x["keep"][0, :2] = True
        x[field][(0,) if field == "advantages" else (0, 1)] = value
        bare = field not in ("ref_logp", "weight") and name == "gspo"
        for terms in [("ref_logp", "weight", "keep"), ()][: 1 + bare]:
            arguments = pick(x, name, *terms)
            loss, gradient, _ = fused(name, arguments)
            expected, wide, _ = oracle(name, arguments, wide=False)
            torch.testing.assert_close(loss, expected, equal_nan=True)
            torch.testing.assert_close(gradient, wide, equal_nan=True, rtol=1e-5, atol=1e-7)
            if math.isnan(value) and (field != "old_logp" or name not in BARE):
                assert loss.isnan()
            assert (gradient[~x["mask"]] == 0).all()

    @pytest.mark.parametrize("name", RECIPES)
    def test_a_batch_of_padding(self, name):
        nan = torch.full((2, 3), NAN, device=DEVICE)
        x = dict.fromkeys(("logp", "old_logp", "ref_logp", "weight", "keep"), nan)
        x |= {"advantages": nan[:, 0], "mask": torch.zeros_like(nan)}
        arguments = pick(x, name, "keep", "weight", "ref_logp") | {"metrics": True}
        found = fused(name, arguments)
        assert_close(found, oracle(name, arguments))
        assert found[0] == 0
        assert (found[1] == 0).all()

    @pytest.mark.parametrize("name", ["dapo", "gspo"])
    def test_padding_does_not_matter_to_the_bit(self, name):
        arguments = pick(batch(seed=8), name, "ref_logp")
        narrow = fused(name, arguments)
        wide = {
            k: torch.nn.functional.pad(v, (0, 5), value=0 if k == "mask" else INF)
            for k, v in arguments.items()
            if isinstance(v, torch.Tensor) and v.ndim == 2
        }
        loss, gradient, _ = fused(name, arguments | wide)
        assert loss == narrow[0]
        assert torch.equal(gradient[:, :-5], narrow[1])
        assert (gradient[:, -5:] == 0).all()

    def test_metrics_of_nan(self):
        x = batch(2, 9, seed=9)
        x["logp"][0, 0], x["mask"][0, 0] = NAN, True
        for name in ("grpo", "gspo"):
            arguments = pick(x, name)
            found = policy_loss(getattr(recipes, name), **arguments, metrics=True).metrics
            expected = getattr(recipes, name)(**arguments, metrics=True).metrics
            for key, value in expected.items():
                torch.testing.assert_close(found[key], value, equal_nan=True, msg=key)


@in_triton
@pytest.mark.usefixtures("poisoned")
class TestBackward:
    @pytest.mark.parametrize("name", ["grpo", "cispo", "gspo"])
    @pytest.mark.parametrize("upstream", [1.0, -2.5, 0.0])
    def test_what_comes_back_scales(self, name, upstream):
        arguments = pick(batch(seed=10), name, "ref_logp")
        found = fused(name, arguments, upstream=upstream)
        assert_close(found, oracle(name, arguments, upstream=upstream))

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    @pytest.mark.parametrize("upstream", [NAN, INF])
    def test_padding_stays_0_whatever_comes_back(self, upstream):
        arguments = pick(batch(seed=10), "grpo")
        gradient = fused("grpo", arguments, upstream=upstream)[1]
        assert (gradient[~arguments["mask"]] == 0).all()
        wide = oracle("grpo", arguments, upstream=upstream)[1]
        assert torch.equal(gradient.isfinite(), wide.isfinite())

    def test_a_loss_scale_reaches_float16_before_it_is_rounded(self):
        # 1/D is 6e-9, a tenth of the least float16; times 2^16 it is a gradient like any other.
        arguments = pick(batch(seed=11, dtype=torch.float16), "dapo") | {"denominator": 1.6e8}
        assert (fused("dapo", arguments)[1] == 0).all()
        found = fused("dapo", arguments, upstream=2.0**16)[1].double()
        expected = oracle("dapo", arguments, upstream=2.0**16)[1]
        torch.testing.assert_close(found, expected, rtol=2.0**-11, atol=2.0**-24)

    @pytest.mark.parametrize("factors", [(1.0, 1.0), (2.0, 3.0), (1.0, 2.0)])
    def test_several_backwards_through_one_graph(self, factors):
        arguments = pick(batch(seed=12), "grpo")
        expected = fused("grpo", arguments)[1]
        x = arguments["logp"].requires_grad_()
        loss = policy_loss(recipes.grpo, **arguments).loss
        found = [
            torch.autograd.grad(loss, x, loss.new_tensor(f), retain_graph=True)[0] for f in factors
        ]
        for gradient, factor in zip(found, factors, strict=True):
            torch.testing.assert_close(gradient, expected * factor)
        assert found[0].data_ptr() != found[1].data_ptr()

    def test_the_stored_gradient_is_given_away_once(self):
        x = batch()["logp"].nan_to_num().requires_grad_()
        loss = policy_loss(recipes.grpo, x, x.detach(), x.new_ones(3), torch.ones_like(x)).loss
        loss.backward(retain_graph=True)
        once = x.grad.clone()
        x.grad.zero_()  # what the caller holds is the caller's
        loss.backward()
        assert torch.equal(x.grad, once)

    def test_second_derivatives_say_what_to_do(self):
        arguments = pick(batch(seed=12), "grpo")
        x = arguments["logp"].requires_grad_()
        (gradient,) = torch.autograd.grad(
            policy_loss(recipes.grpo, **arguments).loss, x, create_graph=True
        )
        with pytest.raises(RuntimeError, match="differentiated once only.*call the recipe"):
            gradient.nan_to_num().sum().backward()

    def test_only_logp_has_a_gradient(self):
        arguments = pick(batch(seed=13), "grpo", "ref_logp", "weight")
        for name in ("old_logp", "ref_logp", "weight", "advantages"):
            arguments[name] = arguments[name].requires_grad_()
        assert not policy_loss(recipes.grpo, **arguments).loss.requires_grad
        arguments["logp"] = arguments["logp"].requires_grad_()
        policy_loss(recipes.grpo, **arguments, metrics=True).loss.backward()
        assert arguments["logp"].grad is not None
        assert all(arguments[k].grad is None for k in ("old_logp", "ref_logp", "weight"))

    def test_without_gradients(self):
        arguments = pick(batch(seed=13), "grpo")
        expected = fused("grpo", arguments)[0]
        with torch.no_grad():
            out = policy_loss(
                recipes.grpo, **arguments | {"logp": arguments["logp"].requires_grad_()}
            )
        assert not out.loss.requires_grad
        assert out.loss == expected

    def test_checkpoint_and_autocast(self):
        arguments = pick(batch(seed=14), "grpo", "ref_logp")
        expected = fused("grpo", arguments)
        x = arguments.pop("logp").requires_grad_()

        def loss(logp):
            return policy_loss(recipes.grpo, logp * 1.0, **arguments).loss

        with torch.autocast(DEVICE, torch.bfloat16):
            found = checkpoint(loss, x, use_reentrant=False)
        found.backward()
        assert_close((found.detach(), x.grad, {}), expected, rtol=0)

    def test_inputs_that_change_before_the_backward(self):
        arguments = pick(batch(seed=14), "grpo")
        arguments["logp"].requires_grad_()
        loss = policy_loss(recipes.grpo, **arguments).loss
        arguments["old_logp"].zero_()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


@in_triton
class TestMetrics:
    def test_what_the_caller_gives(self):
        inputs = MetricInputs(
            entropy=torch.rand(3, 37, device=DEVICE),
            rewards=torch.tensor([1.0, 1.0, 0.0], device=DEVICE),
            group=["a", "a", "b"],
            truncated=torch.tensor([True, False, True], device=DEVICE),
        )
        for name in ("grpo", "reinforce", "sapo"):
            arguments = pick(batch(seed=15), name) | {"metrics": inputs}
            assert_close(fused(name, arguments), oracle(name, arguments, wide=False))

    def test_reference_without_penalty(self):
        arguments = pick(batch(seed=15), "grpo") | {"ref_logp": batch(seed=15)["ref_logp"]}
        found = fused("grpo", arguments, metrics=True)
        assert "kl_ref" in found[2]
        assert_close(found, oracle("grpo", arguments, metrics=True))
        assert fused("grpo", arguments)[2] == {}

    def test_small_kl_keeps_its_digits(self):
        # r − 1 − ln r at x = 1e-4 is x²/2 + x³/6; the difference of its terms would be noise.
        x = torch.full((1, 8), 1e-4, device=DEVICE)
        ones = torch.ones_like(x)
        out = policy_loss(recipes.grpo, x, 0 * x, ones[:, 0], ones, metrics=True)
        assert out.metrics["approx_kl"].item() == pytest.approx(5e-9 + 1e-12 / 6, rel=1e-6)


class TestByTheRecipe:
    def test_float64_is_differentiable_twice(self):
        x = torch.full((1, 2), 0.1, dtype=torch.float64, requires_grad=True)
        settings = {"advantages": torch.ones(1), "mask": torch.ones(1, 2)}
        out = policy_loss(recipes.grpo, x, x.detach(), **settings)
        (first,) = torch.autograd.grad(out.loss, x, create_graph=True)
        assert torch.autograd.grad(first.sum(), x)[0].abs().sum() > 0
        assert out.loss.dtype == torch.float64

    @pytest.mark.parametrize(
        ("recipe", "settings"),
        [
            (recipes.gmpo, {}),
            (recipes.vespo, {}),
            (recipes.vapo, {"correct": torch.tensor([1, 0, 1], device=DEVICE)}),
            (recipes.grpo, {"beta": 0.1, "kl": lambda logp, ref_logp: logp - ref_logp}),
        ],
    )
    def test_what_does_not_fit(self, recipe, settings, monkeypatch):
        x = batch(seed=16)
        if "beta" in settings:
            settings = {**settings, "ref_logp": x["ref_logp"]}
        tokens = [x[k] for k in ("logp", "old_logp", "advantages", "mask")]
        monkeypatch.setattr(surrogate.operators, "POLICY_LOSS", None)
        found = policy_loss(recipe, *tokens, metrics=True, **settings)
        expected = recipe(*tokens, metrics=True, **settings)
        assert found.loss == expected.loss
        assert list(found.metrics) == list(expected.metrics)

    def test_a_recipe_of_ones_own(self):
        def own(logp, old_logp, advantages, mask, *, metrics, weight):
            return LossOutput(weight * logp.sum(), {})

        ones = torch.ones(1, 2)
        assert policy_loss(own, ones, ones, ones, ones, weight=0.5).loss == 1

    @on_the_cpu
    @pytest.mark.usefixtures("plain")
    @pytest.mark.parametrize("name", RECIPES)
    def test_the_cpu_without_the_interpreter(self, name, monkeypatch):
        monkeypatch.setattr(surrogate.operators, "POLICY_LOSS", None)
        arguments = pick(batch(seed=17), name) | {"metrics": True}
        found, expected = fused(name, arguments), oracle(name, arguments, wide=False)
        assert found[0] == expected[0]
        assert torch.equal(found[1], expected[1])

    @on_the_cpu
    @pytest.mark.usefixtures("plain")
    def test_the_operator_needs_a_device(self):
        with pytest.raises(RuntimeError, match=r"runs on CUDA, not on cpu: call policy_loss"):
            torch.ops.rlrewards.policy_loss(*operands())

    @pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own
    def test_torch_func_and_forward_mode(self):
        x = batch(seed=18)
        mask, A = x["mask"], x["advantages"]
        logp, old = x["logp"].masked_fill(~mask, 0), x["old_logp"].masked_fill(~mask, 0)

        def loss(logp):
            return policy_loss(recipes.grpo, logp, old, A, mask).loss

        expected = torch.func.grad(loss)(logp)
        torch.testing.assert_close(expected, fused("grpo", dict(zip(
            ("logp", "old_logp", "advantages", "mask"), (logp, old, A, mask), strict=True
        )))[1])  # fmt: skip
        _, tangent = torch.func.jvp(loss, (logp,), (torch.ones_like(logp),))
        torch.testing.assert_close(tangent, expected.sum())


def operands(*, wanted=True, metrics=True, kept=True, seed=19):
    x = batch(2, 5, seed=seed)
    logp, old, ref, weight = (x[k].nan_to_num() for k in ("logp", "old_logp", "ref_logp", "weight"))
    w = torch.full((2,), 0.1, dtype=torch.float64, device=DEVICE)
    tokens = (logp.requires_grad_(), old, x["advantages"], x["mask"], w, ref, x["keep"], weight)
    return (*tokens, "clipped", "k3", 0.8, 1.2, INF, 0.1, wanted, metrics, kept)


@in_triton
class TestTheOperators:
    def test_forward(self):
        torch.library.opcheck(torch.ops.rlrewards.policy_loss, operands())
        torch.library.opcheck(
            torch.ops.rlrewards.policy_loss, operands(wanted=False, metrics=False),
            test_utils=("test_schema", "test_faketensor"),
        )  # fmt: skip

    @pytest.mark.parametrize("kept", [True, False])
    def test_the_gradient_is_the_callers_if_kept(self, kept):
        loss, gradient, _ = torch.ops.rlrewards.policy_loss(*operands(kept=kept))
        before = gradient.clone()
        (2 * loss).backward()
        assert torch.equal(gradient, before if kept else 2 * before)

    @pytest.mark.usefixtures("poisoned")
    def test_sums_that_a_kind_has_no_use_for_are_0(self):
        *tokens, _, _, low, high, ceiling, beta, wanted, metrics, kept = operands()
        tokens[1] = tokens[5] = None
        settings = ("reinforce", "", low, high, ceiling, beta, wanted, metrics, kept)
        sums = torch.ops.rlrewards.policy_loss(*tokens, *settings)[2]
        assert sums[1] == tokens[3].sum()
        assert (sums[2:] == 0).all()

    def test_backward(self):
        *tokens, _, _, _ = operands()
        tokens[0] = tokens[0].detach()
        scalars = torch.tensor([0.5, 2.0], device=DEVICE).unbind()
        torch.library.opcheck(
            torch.ops.rlrewards.policy_loss_backward,
            (torch.zeros_like(tokens[0]), *scalars, *tokens, True),
        )

    @pytest.mark.parametrize("name", ["dr_grpo", "cispo", "gspo"])
    def test_compile(self, name):
        torch._dynamo.reset()
        arguments = pick(batch(2, 5, seed=20), name, "weight", "ref_logp")
        expected = fused(name, arguments, upstream=2.0)
        x = arguments.pop("logp").requires_grad_()

        @partial(torch.compile, backend="aot_eager", fullgraph=True)
        def loss(logp):
            return 2 * policy_loss(getattr(recipes, name), logp, **arguments, metrics=True).loss

        found = loss(x)
        found.backward()
        assert_close((found.detach() / 2, x.grad, {}), expected, rtol=1e-7)


class TestErrors:
    @pytest.fixture
    def arguments(self):
        return pick(batch(), "grpo", "ref_logp", "keep", "weight")

    @pytest.fixture(params=["programs", "plain"], autouse=True)
    def path(self, request):
        """What a GPU refuses, the CPU does too."""
        if request.param == "plain":
            request.getfixturevalue("plain")

    @pytest.mark.parametrize("name", ["logp", "old_logp", "mask", "ref_logp", "keep", "weight"])
    def test_tensors(self, arguments, name):
        x = arguments[name]
        for bad, error, message in (
            ("x", TypeError, "pass a torch.Tensor"),
            (x.to(torch.complex64), TypeError, "complex64, expected one of"),
            (x[:, :-1].contiguous(), ValueError, "has shape"),
            (x[0], ValueError, "has shape"),
            (x.t().contiguous().t(), ValueError, rf"pass {name}.contiguous\(\)"),
            (x.to("meta"), ValueError, "is on"),
        ):
            with pytest.raises(error, match=message) as caught:
                policy_loss(recipes.grpo, **{**arguments, name: bad})
            if name != "logp":
                assert str(caught.value).startswith(name)

    def test_advantages(self, arguments):
        for shape in ((4,), (3, 36), ()):
            bad = torch.zeros(shape, device=DEVICE)
            with pytest.raises(ValueError, match="advantages has shape"):
                policy_loss(recipes.grpo, **{**arguments, "advantages": bad})
        with pytest.raises(ValueError, match=r"expected \[B\]"):
            policy_loss(
                recipes.gspo, **{**arguments, "advantages": torch.zeros(3, 37, device=DEVICE)}
            )
        spread = arguments["advantages"].unsqueeze(1).expand(3, 37)
        torch.testing.assert_close(
            policy_loss(recipes.grpo, **{**arguments, "advantages": spread}).loss,
            policy_loss(recipes.grpo, **arguments).loss,
        )

    def test_settings(self, arguments):
        for bad, error, message in (
            ({"low": -0.1}, ValueError, "low is -0.1"),
            ({"high": NAN}, ValueError, "high is nan"),
            ({"ceiling": 1.1}, ValueError, "ceiling is 1.1"),
            ({"beta": -1.0}, ValueError, "beta is -1.0"),
            ({"ref_logp": None}, ValueError, "but ref_logp is None"),
            ({"metrics": "all"}, TypeError, "metrics is 'all'"),
            ({"lengths": 3}, TypeError, "grpo has no setting 'lengths': low, high, ceiling"),
            ({"old_logp": None}, TypeError, "old_logp is None: grpo needs it"),
        ):
            with pytest.raises(error, match=message):
                policy_loss(recipes.grpo, **{**arguments, **bad})
        tokens = {k: arguments[k] for k in ("logp", "old_logp", "advantages", "mask")}
        with pytest.raises(TypeError, match="dr_grpo has no default for length: pass length=…"):
            policy_loss(recipes.dr_grpo, **tokens)
        with pytest.raises(ValueError, match="positive_temperature is 0"):
            policy_loss(recipes.sapo, **tokens, positive_temperature=0)
        with pytest.raises(ValueError, match="imitation is -1"):
            policy_loss(recipes.vapo, **tokens, imitation=-1)
