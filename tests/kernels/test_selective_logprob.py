# ruff: noqa: N806
import math
import sys

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from rlrewards.kernels.selective_logprob import LogProbs, eager_logprob, rows, selective_logprob

module = sys.modules[selective_logprob.__module__]  # the package has the function by that name
NAN, INF = float("nan"), float("inf")
SETTINGS = [{}, {"temperature": 0.7}, {"temperature": 1.3, "softcap": 4.0}]
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 3e-3}
# Triton's interpreter computes with numpy, which warns where a NaN is meant.
numpy_may_warn = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(params=["plain", "programs"])
def way(request, monkeypatch):
    """Plain torch in blocks of two rows or so, or Triton's interpreter in chunks of 128."""
    monkeypatch.setattr(module, "BLOCK", 400)
    if request.param == "plain":
        monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    else:
        monkeypatch.setenv("TRITON_INTERPRET", "1")
        monkeypatch.setattr(the_programs(), "BLOCK", 128)
    return request.param


def the_programs():
    pytest.importorskip("triton")
    from rlrewards.kernels.programs import selective_logprob as programs

    return programs


def made(shape=(5, 131), dtype=torch.float32, seed=0, hostile=True):
    """Logits with a banned token in the first row; where there are several, the second row is
    masked and holds NaN and no label."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator, dtype=torch.float64).mul(3).to(dtype)
    labels = torch.randint(shape[-1], shape[:-1], generator=generator)
    mask = torch.ones(shape[:-1], dtype=torch.bool)
    if hostile and mask.numel() > 1:
        logits.view(-1, shape[-1])[1], labels.view(-1)[1], mask.view(-1)[1] = NAN, -100, False
    if hostile and mask.numel() and shape[-1] > 1:
        logits.view(-1, shape[-1])[0, labels.view(-1)[0] - 1] = -INF
    return logits, labels, mask


def weighted(result, seed=1):
    """A scalar with another weight for every result."""
    generator = torch.Generator().manual_seed(seed)
    return sum(
        (x * torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.dtype)).sum()
        for x in result
        if x is not None
    )


def with_gradient(function, logits, *args, **settings):
    logits = logits.detach().clone().requires_grad_()
    result = function(logits, *args, **settings)
    (gradient,) = torch.autograd.grad(weighted(result), logits)
    return [x.detach() for x in (*result, gradient) if x is not None]


def error(found, exact):
    return float((found.double() - exact).norm() / exact.norm().clamp(min=1e-3))


def by_hand(row, label, temperature=1.0, softcap=None):
    """Log-prob, entropy and the gradient of each, in plain Python."""
    slope = [1 / temperature] * len(row)
    if softcap:
        slope = [s / math.cosh(x / softcap) ** 2 for x, s in zip(row, slope, strict=True)]
        row = [softcap * math.tanh(x / softcap) for x in row]
    weight = [math.exp(x / temperature) for x in row]
    p = [w / sum(weight) for w in weight]
    H = -sum(q * math.log(q) for q in p)
    by_logp = [s * ((j == label) - q) for j, (q, s) in enumerate(zip(p, slope, strict=True))]
    by_entropy = [-s * q * (math.log(q) + H) for q, s in zip(p, slope, strict=True)]
    return math.log(p[label]), H, by_logp, by_entropy


class TestValues:
    def test_one_in_four(self, way):
        logits = torch.tensor([[0.0, math.log(3.0)]], requires_grad=True)
        logp, H = selective_logprob(logits, torch.tensor([1]), entropy=True)
        assert logp.item() == pytest.approx(math.log(0.75))
        assert H.item() == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))
        (gradient,) = torch.autograd.grad(logp.sum(), logits)
        assert gradient.tolist()[0] == pytest.approx([-0.25, 0.25])

    @pytest.mark.parametrize("settings", SETTINGS)
    @pytest.mark.parametrize("function", [selective_logprob, eager_logprob])
    def test_by_hand(self, way, function, settings):
        row, label = [0.5, -2.0, 7.0, 3.25, 6.5], 3
        logits = torch.tensor([row], requires_grad=True)
        found = function(logits, torch.tensor([label]), entropy=True, **settings)
        logp, H, by_logp, by_entropy = by_hand(row, label, **settings)
        assert found.logp.item() == pytest.approx(logp, rel=1e-5)
        assert found.entropy.item() == pytest.approx(H, rel=1e-5)
        (gradient,) = torch.autograd.grad(found.logp.sum(), logits, retain_graph=True)
        assert gradient.tolist()[0] == pytest.approx(by_logp, abs=1e-6)
        (gradient,) = torch.autograd.grad(found.entropy.sum(), logits)
        assert gradient.tolist()[0] == pytest.approx(by_entropy, abs=1e-6)

    def test_uniform_logits_have_the_largest_entropy_and_it_is_flat_there(self, way):
        logits = torch.full((1, 300), 2.0, requires_grad=True)
        logp, H = selective_logprob(logits, torch.tensor([299]), entropy=True)
        assert logp.item() == pytest.approx(-math.log(300), rel=1e-6)
        assert H.item() == pytest.approx(math.log(300), rel=1e-6)
        (gradient,) = torch.autograd.grad(H.sum(), logits)
        assert gradient.abs().max() < 1e-8

    def test_one_token_is_certain(self, way):
        logits, labels = torch.tensor([[5.0]], requires_grad=True), torch.tensor([0])
        logp, H = selective_logprob(logits, labels, entropy=True)
        assert (logp.item(), H.item()) == (0.0, 0.0)
        assert torch.autograd.grad((logp + H).sum(), logits)[0].item() == 0.0

    @pytest.mark.parametrize("slope", [-40.0, -1.0, 1.0, 40.0])
    def test_the_maximum_comes_first_or_last(self, way, slope):
        """A running maximum changes in every block, or never again."""
        row = torch.linspace(0.0, slope, 300)
        logp, H = selective_logprob(row[None], torch.tensor([170]), entropy=True)
        wanted = by_hand(row.tolist(), 170)
        assert logp.item() == pytest.approx(wanted[0], rel=1e-5)
        assert H.item() == pytest.approx(wanted[1], rel=1e-5)

    def test_entropy_is_none_unless_asked_for(self, way):
        logits, labels, _ = made(hostile=False)
        assert selective_logprob(logits, labels).entropy is None
        assert isinstance(selective_logprob(logits, labels), LogProbs)


class TestParity:
    @pytest.mark.parametrize("settings", [*SETTINGS, {"entropy": False}])
    @pytest.mark.parametrize(
        ("shape", "dtype"),
        [
            *(((2, 2, 131), dtype) for dtype in TOLERANCES),
            *((shape, torch.float32) for shape in [(1, 7), (3, 1), (3, 261)]),
        ],
    )
    def test_as_the_oracle_in_float64(self, way, poisoned, shape, settings, dtype):
        logits, labels, mask = made(shape, dtype)
        settings = {"mask": mask, "entropy": True, **settings}
        found = with_gradient(selective_logprob, logits, labels, **settings)
        exact = with_gradient(eager_logprob, logits.double(), labels, **settings)
        eager = with_gradient(eager_logprob, logits, labels, **settings)
        kinds = [torch.float32] * (len(found) - 1) + [dtype]  # the gradient is stored as the logits
        for x, y, z, kind in zip(found, exact, eager, kinds, strict=True):
            assert x.dtype == kind
            assert x.shape == y.shape
            assert error(x, y) <= max(error(z, y), TOLERANCES[kind])

    @pytest.mark.parametrize("settings", SETTINGS)
    def test_in_float64_the_derivatives_are_those_of_the_function(self, way, settings):
        logits, labels, mask = made((3, 5), torch.float64, hostile=False)
        mask[1] = False
        torch.autograd.gradcheck(
            lambda x: tuple(selective_logprob(x, labels, entropy=True, mask=mask, **settings)),
            logits.requires_grad_(),
        )

    @pytest.mark.parametrize("settings", SETTINGS)
    def test_both_ways_agree(self, monkeypatch, settings):
        the_programs()
        logits, labels, mask = made((3, 4099))
        results = []
        for interpreted in "01":
            monkeypatch.setenv("TRITON_INTERPRET", interpreted)
            results.append(
                with_gradient(
                    selective_logprob, logits, labels, mask=mask, entropy=True, **settings
                )
            )
        for x, y in zip(*results, strict=True):
            torch.testing.assert_close(x, y, rtol=2e-5, atol=1e-6)

    def test_the_oracle_is_differentiable_twice(self):
        logits, labels, mask = made((3, 5), torch.float64, hostile=False)
        torch.autograd.gradgradcheck(
            lambda x: tuple(eager_logprob(x, labels, entropy=True, mask=mask, softcap=4.0)),
            logits.requires_grad_(),
        )

    @pytest.mark.parametrize("shift", [-1e4, 1e4])
    def test_only_differences_of_logits_count(self, way, shift):
        """Multiples of 1/64 keep their differences exactly, next to 10⁴ as well."""
        logits, labels, _ = made((2, 300), hostile=False)
        logits = (logits * 64).round() / 64
        here = selective_logprob(logits, labels, entropy=True)
        there = selective_logprob(logits + shift, labels, entropy=True)
        for x, y in zip(here, there, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("used", ["logp", "entropy"])
    def test_one_of_the_results_is_used(self, way, used):
        logits, labels, mask = made()

        def gradient(function):
            x = logits.clone().requires_grad_()
            getattr(function(x, labels, entropy=True, mask=mask), used).sum().backward()
            return x.grad

        torch.testing.assert_close(gradient(selective_logprob), gradient(eager_logprob))

    @pytest.mark.parametrize("shape", [(0, 7), (2, 0, 7), (7,)])
    def test_no_rows_and_no_leading_dimensions(self, way, shape):
        logits, labels, mask = made(shape)
        found = with_gradient(selective_logprob, logits, labels, entropy=True, mask=mask)
        want = with_gradient(eager_logprob, logits, labels, entropy=True, mask=mask)
        torch.testing.assert_close(found, want)


class TestInfinities:
    def test_a_banned_token_adds_nothing_and_takes_no_gradient(self, way):
        logits = torch.tensor([[1.0, -INF, 2.0]])
        labels = torch.tensor([0])
        logp, H, gradient = with_gradient(selective_logprob, logits, labels, entropy=True)
        fewer = with_gradient(selective_logprob, torch.tensor([[1.0, 2.0]]), labels, entropy=True)
        assert (logp, H) == (fewer[0], fewer[1])
        assert gradient[0, 1] == 0
        assert torch.equal(gradient[:, ::2], fewer[2])

    @numpy_may_warn
    @pytest.mark.parametrize("banned", [-INF, torch.finfo(torch.float32).min])
    @pytest.mark.parametrize("temperature", [0.5, 1.0])
    def test_whole_blocks_are_banned(self, way, banned, temperature):
        logits = torch.full((2, 400), banned)
        logits[0, -3:], logits[1, :3] = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([3.0, 1.0, 0])
        labels, settings = torch.tensor([398, 1]), {"entropy": True, "temperature": temperature}
        found = with_gradient(selective_logprob, logits, labels, **settings)
        want = with_gradient(eager_logprob, logits.double(), labels, **settings)
        for x, y in zip(found, want, strict=True):
            torch.testing.assert_close(x.double(), y, rtol=1e-5, atol=1e-6)

    def test_a_banned_label(self, way):
        logits, labels = torch.tensor([[1.0, -INF, 2.0]]), torch.tensor([1])
        found = with_gradient(selective_logprob, logits, labels)
        assert found[0].item() == -INF
        torch.testing.assert_close(found, with_gradient(eager_logprob, logits, labels))

    def test_a_soft_cap_makes_them_finite(self, way):
        logits, labels = torch.tensor([[1.0, -INF, INF]]), torch.tensor([1])
        settings = {"softcap": 2.0, "entropy": True}
        found = with_gradient(selective_logprob, logits, labels, **settings)
        torch.testing.assert_close(found, with_gradient(eager_logprob, logits, labels, **settings))

    @numpy_may_warn
    @pytest.mark.parametrize("where", [0, 200, 299, slice(None)])
    @pytest.mark.parametrize("value", [NAN, INF, -INF])
    def test_a_row_that_is_none(self, way, value, where):
        if value == -INF and where != slice(None):
            return
        logits, labels, _ = made((3, 300), hostile=False)
        clean = with_gradient(selective_logprob, logits, labels, entropy=True)
        logits[1, where] = value
        spoilt = with_gradient(selective_logprob, logits, labels, entropy=True)
        for x, y in zip(spoilt, clean, strict=True):
            assert x[1].isnan().all()
            assert torch.equal(x[::2], y[::2])

    @numpy_may_warn
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
    def test_the_largest_logits(self, way, dtype):
        big = torch.finfo(dtype).max
        logits = torch.tensor([[big, -big, big], [-big, 0.0, -big]], dtype=dtype)
        labels = torch.tensor([0, 1])
        logp, H, gradient = with_gradient(selective_logprob, logits, labels, entropy=True)
        assert logp.tolist() == pytest.approx([-math.log(2), 0.0])
        assert H.tolist() == pytest.approx([math.log(2), 0.0])
        assert gradient.isfinite().all()


class TestMask:
    @pytest.mark.parametrize(
        ("content", "label"), [(NAN, -100), (INF, 10**12), (-INF, 3), (0.0, -1)]
    )
    def test_no_bit_depends_on_a_masked_row(self, way, poisoned, content, label):
        logits, labels, mask = made((4, 200))
        want = with_gradient(selective_logprob, logits, labels, entropy=True, mask=mask)
        logits[1], labels[1] = content, label
        found = with_gradient(selective_logprob, logits, labels, entropy=True, mask=mask)
        for x, y in zip(found, want, strict=True):
            assert torch.equal(x, y)
            assert not x[1].any()

    @pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float32])
    def test_any_number_but_zero_is_valid(self, way, dtype):
        logits, labels, mask = made()
        want = selective_logprob(logits, labels, mask=mask)
        assert torch.equal(selective_logprob(logits, labels, mask=mask.to(dtype))[0], want[0])

    def test_nothing_is_valid(self, way, poisoned):
        logits, labels = torch.full((3, 200), NAN), torch.full((3,), -100)
        mask = torch.zeros(3)
        for x in with_gradient(selective_logprob, logits, labels, entropy=True, mask=mask):
            assert torch.equal(x, torch.zeros_like(x))

    def test_upstream_at_a_masked_row_may_be_nan(self, way):
        logits, labels, mask = made((4, 200))
        logits.requires_grad_()
        logp, H = selective_logprob(logits, labels, entropy=True, mask=mask)
        upstream = torch.tensor([1.0, NAN, 1.0, 1.0])
        (gradient,) = torch.autograd.grad((logp, H), logits, (upstream, upstream))
        assert gradient.isfinite().all()
        assert not gradient[1].any()

    def test_a_nan_upstream_of_a_valid_row_is_not_hidden(self, way):
        logits, labels, mask = made((4, 200))
        logp, _ = selective_logprob(logits.requires_grad_(), labels, mask=mask)
        upstream = torch.tensor([1.0, 1.0, NAN, 1.0])
        (gradient,) = torch.autograd.grad(logp, logits, upstream)
        assert gradient[2].isnan().all()
        assert gradient[[0, 1, 3]].isfinite().all()


class TestInPlace:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
    @pytest.mark.parametrize("settings", SETTINGS)
    def test_the_gradient_lies_where_the_logits_were(self, way, poisoned, settings, dtype):
        logits, labels, mask = made((2, 2, 300), dtype)
        settings = {"entropy": True, "mask": mask, **settings}
        *want, gradient = with_gradient(selective_logprob, logits, labels, **settings)
        x = logits.clone().requires_grad_() * 1
        result = selective_logprob(x, labels, in_place=True, **settings)
        (found,) = torch.autograd.grad(weighted(result), x)
        for y, z in zip(result, want, strict=True):
            assert torch.equal(y, z)
        assert torch.equal(found, gradient)
        assert found.data_ptr() == x.data_ptr()

    def test_a_leaf_or_a_view_of_one_is_refused(self):
        logits, labels, _ = made((2, 2, 7), hostile=False)
        leaf = logits.requires_grad_()
        with pytest.raises(ValueError, match="logits is a leaf .* in_place=False"):
            selective_logprob(leaf, labels, in_place=True)
        with pytest.raises(ValueError, match="a view of one"):
            selective_logprob(leaf.view(4, 7), labels.view(4), in_place=True)
        want = selective_logprob(leaf, labels).logp
        assert torch.equal(selective_logprob(leaf.detach(), labels, in_place=True).logp, want)

    def test_who_saved_the_logits_notices(self, way):
        logits, labels, _ = made(hostile=False)
        x = logits.requires_grad_() * 1
        square = (x**2).sum()
        selective_logprob(x, labels, in_place=True).logp.sum().backward(retain_graph=True)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            square.backward()

    def test_a_second_backward_is_refused(self, way):
        logits, labels, _ = made(hostile=False)
        total = selective_logprob(logits.requires_grad_() * 1, labels, in_place=True).logp.sum()
        total.backward(retain_graph=True)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            total.backward()


class TestErrors:
    logits, labels, mask = made((2, 3, 7), hostile=False)

    @pytest.mark.parametrize(
        ("change", "kind", "says"),
        [
            ({"logits": [[1.0]]}, TypeError, "logits is a list"),
            ({"logits": logits.long()}, TypeError, "logits is torch.int64"),
            ({"logits": torch.tensor(1.0)}, ValueError, r"logits has shape \[\], .*\[\.\.\., V\]"),
            ({"logits": logits[..., :0]}, ValueError, r"logits has shape \[2, 3, 0\]"),
            ({"logits": logits[:, :-1]}, ValueError, r"pass logits\.contiguous\(\)"),
            ({"logits": logits.mT.contiguous().mT}, ValueError, "logits has strides"),
            ({"labels": labels.int()}, TypeError, "labels is torch.int32, expected one of int64"),
            ({"labels": labels[0]}, ValueError, r"labels has shape \[3\], .* = \[2, 3\]"),
            ({"labels": labels.T.contiguous().T}, ValueError, r"pass labels\.contiguous\(\)"),
            ({"labels": labels.to("meta")}, ValueError, "labels is on meta, expected cpu"),
            ({"mask": [1]}, TypeError, "mask is a list"),
            ({"mask": mask[:1]}, ValueError, r"mask has shape \[1, 3\]"),
            ({"mask": mask.T.contiguous().T}, ValueError, r"pass mask\.contiguous\(\)"),
            ({"mask": mask.to("meta")}, ValueError, "mask is on meta, expected cpu"),
            ({"temperature": 0.0}, ValueError, "temperature is 0.0, expected a positive number"),
            ({"temperature": NAN}, ValueError, "temperature is nan"),
            ({"temperature": INF}, ValueError, "temperature is inf"),
            ({"softcap": 0.0}, ValueError, "softcap is 0.0, .* None for no cap"),
        ],
    )
    def test_what_cannot_be_read(self, way, change, kind, says):
        arguments = {"logits": self.logits, "labels": self.labels, "mask": self.mask, **change}
        with pytest.raises(kind, match=says):
            selective_logprob(**arguments)

    @pytest.mark.parametrize("label", [-1, 7, -100])
    @pytest.mark.parametrize("mask", [None, mask])
    def test_a_valid_label_outside_the_vocabulary(self, way, label, mask):
        labels = self.labels.clone()
        labels[1, 0] = labels[1, 2] = label
        with pytest.raises(
            ValueError, match=rf"labels .* has {label} at 3, expected 0 to 6: .*mask"
        ):
            selective_logprob(self.logits, labels, mask=mask)

    def test_the_second_derivative(self, way):
        logits, labels, _ = made(hostile=False)
        for in_place in (False, True):
            x = logits.clone().requires_grad_()
            total = selective_logprob(x * 1, labels, in_place=in_place).logp.sum()
            with pytest.raises(RuntimeError, match="differentiated once only.*eager_logprob"):
                torch.autograd.grad(total, x, create_graph=True)[0].sum().backward()


class TestInTorch:
    @pytest.mark.parametrize("in_place", [False, True])
    @pytest.mark.parametrize("dynamic", [False, True])
    def test_compiled_it_is_one_graph(self, way, in_place, dynamic):
        logits, labels, mask = made((2, 2, 131))

        def function(x, labels, mask):
            return selective_logprob(
                x * 2, labels, temperature=0.7, entropy=True, mask=mask, in_place=in_place
            )

        torch.compiler.reset()
        compiled = torch.compile(function, backend="aot_eager", fullgraph=True, dynamic=dynamic)
        found = with_gradient(compiled, logits, labels, mask)
        want = with_gradient(function, logits, labels, mask)
        torch.testing.assert_close(found, want, rtol=0.0, atol=0.0)

    @pytest.mark.parametrize("masked", [False, True])
    @pytest.mark.parametrize("entropy", [False, True])
    def test_the_operators_keep_torch_s_rules(self, way, masked, entropy):
        logits, labels, mask = made((2, 3, 7), hostile=False)
        mask = mask if masked else None
        operators = torch.ops.rlrewards
        forward = (logits.clone().requires_grad_(), labels, mask, 0.7, 4.0, entropy, False)
        torch.library.opcheck(operators.selective_logprob.default, forward)
        logp, H, lse = operators.selective_logprob(*forward)
        assert not lse.requires_grad  # nothing would flow through it
        g = torch.ones_like(logp)
        settings = (labels, mask, lse.detach(), H.detach(), g, g if entropy else None, 0.7, 4.0)
        torch.library.opcheck(operators.selective_logprob_backward.default, (logits, *settings))
        torch.library.opcheck(operators.selective_logprob_backward_.default, (logits, *settings))

    @pytest.mark.parametrize("reentrant", [False, True])
    def test_checkpointed(self, way, reentrant):
        logits, labels, mask = made()

        def function(x):
            return tuple(selective_logprob(x * 2, labels, entropy=True, mask=mask, in_place=True))

        found = with_gradient_of_sum(
            lambda x: checkpoint(function, x, use_reentrant=reentrant), logits
        )
        assert torch.equal(found, with_gradient_of_sum(function, logits))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_autocast_changes_nothing(self, way, dtype):
        logits, labels, mask = made(dtype=dtype)
        want = with_gradient(selective_logprob, logits, labels, entropy=True, mask=mask)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = with_gradient(selective_logprob, logits, labels, entropy=True, mask=mask)
        for x, y in zip(found, want, strict=True):
            assert x.dtype == y.dtype
            assert torch.equal(x, y)

    def test_logits_that_are_a_part_of_a_buffer(self, way):
        logits, labels, _ = made((4, 9), hostile=False)
        buffer = torch.zeros(100)
        buffer[5:41] = logits.flatten()
        buffer.requires_grad_()
        selective_logprob(buffer[5:41].view(4, 9), labels).logp.sum().backward()
        *_, want = with_gradient(lambda x: (eager_logprob(x, labels).logp.sum(),), logits)
        weight = weighted((torch.ones(()),))
        torch.testing.assert_close(buffer.grad[5:41].view(4, 9) * weight, want)
        assert not buffer.grad[:5].any()
        assert not buffer.grad[41:].any()

    def test_the_forward_keeps_and_allocates_nothing_as_large_as_the_logits(self, plain):
        logits, labels, _ = made((400, 2000), hostile=False)
        logits.requires_grad_()
        saved = []
        with (
            torch.profiler.profile(profile_memory=True) as profile,
            torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x),
        ):
            result = selective_logprob(logits, labels, entropy=True)
        largest = max(
            event.cpu_memory_usage for event in profile.events() if event.name == "aten::empty"
        )
        assert 0 < largest <= 2 * module.BLOCK * 4 * max(1, torch.get_num_threads())
        assert sum(x.numel() for x in saved if x.data_ptr() != logits.data_ptr()) <= 4 * len(labels)
        assert result.logp.requires_grad


def with_gradient_of_sum(function, logits):
    logits = logits.detach().clone().requires_grad_()
    sum(x.sum() for x in function(logits)).backward()
    return logits.grad


class TestLaunchers:
    """What the kernel that makes its own logits calls on a chunk of them."""

    @pytest.fixture
    def programs(self, monkeypatch):
        programs = the_programs()
        monkeypatch.setenv("TRITON_INTERPRET", "1")
        monkeypatch.setattr(programs, "BLOCK", 128)
        return programs

    @pytest.mark.parametrize("softcap", [None, 4.0])
    @pytest.mark.parametrize("size", [(1, 7), (3, 131), (2, 300), (0, 7)])
    def test_statistics(self, programs, poisoned, size, softcap):
        logits, labels, _ = made(size, hostile=False)
        found = programs.row_statistics(logits, labels, temperature=0.7, softcap=softcap)
        want = eager_logprob(logits, labels, temperature=0.7, softcap=softcap, entropy=True)
        z = logits if softcap is None else softcap * torch.tanh(logits / softcap)
        for x, y in zip(found, (*want, (z / 0.7).logsumexp(-1)), strict=True):
            torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("softcap", [None, 4.0])
    @pytest.mark.parametrize("with_entropy", [False, True])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, None])
    def test_gradient(self, programs, poisoned, dtype, with_entropy, softcap):
        logits, labels, _ = made((3, 131), hostile=False)
        settings = {"temperature": 0.7, "softcap": softcap}
        x = logits.double().requires_grad_()
        g, h = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.5, 0.0, 3.0])
        exact = eager_logprob(x, labels, entropy=True, **settings)
        total = (g * exact.logp).sum() + (h * exact.entropy).sum() * with_entropy
        (want,) = torch.autograd.grad(total, x)
        _, entropy, lse = programs.row_statistics(logits, labels, **settings)
        out = logits if dtype is None else torch.empty_like(logits, dtype=dtype)
        given = h if with_entropy else None
        programs.write_gradient(logits, labels, lse, entropy, g, given, out, **settings)
        assert error(out, want) <= TOLERANCES[dtype or torch.float32]

    @numpy_may_warn
    def test_a_label_outside_the_vocabulary_spoils_its_row_alone(self, programs):
        logits, labels, _ = made((3, 131), hostile=False)
        labels[1] = 131
        settings = {"temperature": 1.0, "softcap": None}
        logp, entropy, lse = programs.row_statistics(logits, labels, **settings)
        assert logp.isnan().tolist() == [False, True, False]
        out = torch.empty_like(logits)
        programs.write_gradient(logits, labels, lse, entropy, torch.ones(3), None, out, **settings)
        assert out.isnan().all(1).tolist() == [False, True, False]
        assert not out[::2].isnan().any()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_the_registry_row(row):
    inputs = row.make((6, 31), torch.bfloat16, "cpu", 0)
    assert not inputs["mask"][-1]
    assert torch.equal(row.make((6, 31), torch.bfloat16, "cpu", 0)["logits"], inputs["logits"])
    results = row.fused(**inputs)
    assert len(results) == 1 + inputs["entropy"]
    assert all(x.requires_grad for x in results)  # else no gradient would be compared
    torch.testing.assert_close(results, row.oracle(**inputs), rtol=1e-5, atol=1e-5)
    assert row.bytes_moved(inputs) == (2 * int(inputs["mask"].sum()) + 6) * 31 * 2
