# ruff: noqa: N803, N806  (names as in the formulas: A, B, T, K)
import math
from itertools import product

import pytest
import torch

from rlrewards.kernels.gae import _OPERATOR, gae, multi_gamma_gae, rows
from rlrewards.objectives.gae import gae as eager
from rlrewards.objectives.gae import length_adaptive_lambda
from rlrewards.objectives.moments import whiten
from rlrewards.objectives.returns import multi_gamma_gae as eager_streams

pytest.importorskip("triton")

from rlrewards.kernels.programs import gae as programs

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NAN, INF = math.nan, math.inf
TOLERANCE = 2e-6  # of the largest value: some thirty roundings of float32


def batch(B, T, *, seed=0, dtype=torch.float32, holes=0.4):
    """Rewards and values, a mask with holes, right-padded rows and an empty one, bootstraps."""
    g = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, B, T, generator=g).to(dtype).unbind()
    mask = torch.rand(B, T, generator=g) >= holes
    if B > 1:
        mask[0] = torch.arange(T) < T // 2 + 1
        mask[1] = False
    bootstrap = torch.randn(B, generator=g).to(dtype)
    return [x.to(DEVICE) for x in (rewards, values, mask, bootstrap)]


def spoil(mask, *tensors):
    """The same with NaN and infinities at masked tokens."""
    for x, junk in zip(tensors, (NAN, INF), strict=True):
        yield torch.where(mask, x, junk)


def close(found, wanted, tolerance=TOLERANCE):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        scale = b.abs().max().item() if b.numel() else 0.0
        torch.testing.assert_close(a.double(), b.double(), rtol=0, atol=tolerance * scale)


def double(*tensors):
    return [x.double() if isinstance(x, torch.Tensor) and x.dtype != torch.bool else x for x in tensors]  # fmt: skip


@pytest.fixture
def on(monkeypatch):
    """Cut launches to another machine."""
    return lambda *limits: monkeypatch.setattr(
        programs, "machine", lambda x: programs.Machine(*limits)
    )


class TestByHand:
    def test_a_truncated_row_with_a_hole(self):
        # gamma = lam = .5, bootstrap 2: delta_2 = 4 + .5*2 - 3 = 2; delta_1 = 2 + .5*3 - 2 = 1.5,
        # delta_0 = .5*2 - 1 = 0; A_2 = 2, A_1 = 1.5 + .25*2 = 2, A_0 = .25*2 = .5
        rewards = torch.tensor([[0.0, NAN, 2.0, 4.0, NAN]], device=DEVICE)
        values = torch.tensor([[1.0, INF, 2.0, 3.0, INF]], device=DEVICE)
        mask = torch.tensor([[1, 0, 1, 1, 0]], device=DEVICE)
        bootstrap = torch.tensor([2.0], device=DEVICE)
        A, R = gae(rewards, values, mask, gamma=0.5, lam=0.5, bootstrap=bootstrap)
        assert A.tolist() == [[0.5, 0.0, 2.0, 2.0, 0.0]]
        assert R.tolist() == [[1.5, 0.0, 4.0, 5.0, 0.0]]

    def test_a_hole_that_is_a_step(self):
        # The same with "discount": the hole has delta = .5*2 = 1 and A = 1 + .25*2 = 1.5; before it
        # delta_0 = 0 + .5*0 - 1 = -1 and A_0 = -1 + .25*1.5 = -.625. After the end no step counts.
        rewards = torch.tensor([[0.0, NAN, 2.0, 4.0, NAN]], device=DEVICE)
        values = torch.tensor([[1.0, INF, 2.0, 3.0, INF]], device=DEVICE)
        mask = torch.tensor([[1, 0, 1, 1, 0]], device=DEVICE)
        A, R = gae(
            rewards,
            values,
            mask,
            gamma=0.5,
            lam=0.5,
            bootstrap=torch.tensor([2.0], device=DEVICE),
            holes="discount",
        )
        assert A.tolist() == [[-0.625, 0.0, 2.0, 2.0, 0.0]]
        assert R.tolist() == [[0.375, 0.0, 4.0, 5.0, 0.0]]

    def test_whitened(self):
        # lam = 0, gamma = 0: A = R - V = (1, 3, 8): mean 4, variance (9 + 1 + 16)/2 = 13
        rewards = torch.tensor([[1.0, 3.0], [8.0, NAN]], device=DEVICE)
        values = torch.zeros(2, 2, device=DEVICE)
        mask = torch.tensor([[1, 1], [1, 0]], device=DEVICE)
        A, R = gae(rewards, values, mask, gamma=0.0, lam=0.0, whiten=True)
        want = torch.tensor([[-3.0, -1.0], [4.0, 0.0]], device=DEVICE) / math.sqrt(13)
        torch.testing.assert_close(A, want)
        assert R.tolist() == [[1.0, 3.0], [8.0, 0.0]]

    def test_an_undiscounted_outcome_reward_is_exact(self):
        T = 200
        rewards, values = torch.zeros(1, T, device=DEVICE), torch.randn(1, T, device=DEVICE)
        rewards[0, -1] = 0.3
        A, R = gae(rewards, values, torch.ones(1, T, device=DEVICE), lam=1.0)
        assert torch.equal(R, torch.full_like(R, 0.3))
        assert torch.equal(A, 0.3 - values)

    def test_two_streams(self):
        # 1 at the end of gamma 1 is worth 1 everywhere; -4 in the middle of gamma .5: -2, -4, 0
        rewards = torch.tensor([[[0.0, 0.0, 1.0]], [[0.0, -4.0, 0.0]]], device=DEVICE)
        values = torch.full((1, 3), 0.5, device=DEVICE)
        mask = torch.ones(1, 3, device=DEVICE)
        A, R = multi_gamma_gae(rewards, values, mask, gammas=(1.0, 0.5))
        assert R.tolist() == [[-1.0, -3.0, 1.0]]
        assert A.tolist() == [[-1.5, -3.5, 0.5]]


@pytest.mark.usefixtures("poisoned")
class TestOracle:
    @pytest.mark.parametrize("holes", ["carry", "discount"])
    @pytest.mark.parametrize(("B", "T"), [(1, 1), (5, 7), (3, 65), (2, 71)])
    def test_same_result(self, B, T, holes):
        rewards, values, mask, bootstrap = batch(B, T)
        dirty = list(spoil(mask, rewards, values))
        by_row = torch.linspace(0, 1, B, device=DEVICE)
        for lam, end in ((0.95, bootstrap), (by_row, bootstrap), (1.0, None), (0.0, bootstrap)):
            settings = {"gamma": 0.97, "lam": lam, "holes": holes}
            found = gae(*dirty, mask, bootstrap=end, **settings)
            r, v, end = double(rewards, values, end)
            close(found, eager(r, v, mask, bootstrap=end, **settings))
            assert all(x.dtype == torch.float32 for x in found)

    @pytest.mark.parametrize(("B", "T"), [(1, 1), (4, 9), (2, 71)])
    def test_whitened(self, B, T):
        rewards, values, mask, bootstrap = batch(B, T, seed=1)
        rewards += 30.0
        dirty = list(spoil(mask, rewards, values))
        A, R = gae(*dirty, mask, lam=0.9, bootstrap=bootstrap, whiten=True)
        r, v, end = double(rewards, values, bootstrap)
        want = eager(r, v, mask, lam=0.9, bootstrap=end)
        # A mean of thirty deviations magnifies its rounding as often.
        close([A], [whiten(want.advantages, mask)], 30 * TOLERANCE)
        close([R], [want.returns])

    @pytest.mark.parametrize(("K", "B", "T"), [(1, 3, 7), (2, 1, 40), (3, 3, 20)])
    def test_streams(self, K, B, T):
        rewards, values, mask, _ = batch(K * B, T, seed=2)
        rewards, values, mask = rewards.view(K, B, T), values.view(K, B, T), mask[-B:]
        bootstrap = torch.randn(K, B, device=DEVICE)
        gammas = (1.0, 0.9, 0.0)[:K]
        r = torch.where(mask, rewards, NAN)
        for v, lam, end in (
            (values[0], 1.0, bootstrap),
            (values[0], 1.0, None),
            (values, 0.9, bootstrap),
            (values, torch.linspace(0, 1, B, device=DEVICE), bootstrap),
        ):
            clean = torch.where(mask, v, 0.0)
            settings = {"gammas": gammas, "lam": lam}
            dirty = torch.where(mask, v, INF)
            found = multi_gamma_gae(r, dirty, mask, bootstrap=end, **settings)
            wide = double(torch.where(mask, rewards, 0.0), clean, mask)
            close(found, eager_streams(*wide, bootstrap=double(end)[0], **settings))

    @pytest.mark.parametrize(
        "dtypes",
        [(torch.bfloat16,) * 2, (torch.float16,) * 2, (torch.float32, torch.bfloat16)],
        ids=str,
    )
    def test_narrow_inputs_are_computed_in_float32(self, dtypes):
        rewards, values, mask, bootstrap = batch(3, 20)
        rewards, values, end = rewards.to(dtypes[0]), values.to(dtypes[1]), bootstrap.bfloat16()
        A, R = gae(rewards, values, mask, bootstrap=end)
        assert A.dtype == R.dtype == torch.float32
        r, v, end = double(rewards, values, end)
        close((A, R), eager(r, v, mask, bootstrap=end))

    def test_float64_is_the_oracle(self):
        rewards, values, mask, bootstrap = double(*batch(3, 20))
        for ours, theirs in (
            (gae(rewards, values, mask, bootstrap=bootstrap), eager(rewards, values, mask, bootstrap=bootstrap)),
            (gae(rewards.float(), values, mask), eager(rewards.float(), values, mask)),
        ):  # fmt: skip
            assert all(map(torch.equal, ours, theirs))
            assert ours.advantages.dtype == torch.float64

    @pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
    def test_nothing_to_do(self, shape):
        x, mask = torch.zeros(shape, device=DEVICE), torch.zeros(shape, device=DEVICE)
        for whitened in (False, True):
            assert [y.shape for y in gae(x, x, mask, whiten=whitened)] == [shape, shape]
        found = multi_gamma_gae(x.expand(2, *shape).contiguous(), x, mask, gammas=(1, 0.5))
        assert [y.shape for y in found] == [shape, shape]

    @pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
    def test_rows_of_the_registry(self, row):
        for dtype, shape in zip(row.dtypes * 2, row.shapes, strict=True):
            inputs = row.make(shape, dtype, DEVICE, 3)
            wide = {
                k: x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x
                for k, x in inputs.items()
            }
            close(row.fused(**inputs), row.oracle(**wide), row.tolerance[dtype])


class TestCuts:
    @pytest.mark.parametrize(
        ("rows", "streams", "T", "plan"),
        [
            (8, 1, 512, (8, 1, 512, 512, 1)),  # nothing to cut
            (512, 1, 2048, (512, 1, 2048, 2048, 1)),
            (64, 1, 8192, (64, 1, 1024, 2048, 4)),  # 264 programs wanted: 8 blocks into 4 parts
            (67, 1, 8192, (67, 1, 2048, 8192, 1)),  # more than half of the processors
            (1, 1, 131072, (1, 1, 1024, 1024, 128)),
            (8192, 1, 100, (1024, 8, 128, 100, 1)),  # 8192/(4·132) = 15 rows to spare: 8
            (4096, 3, 2048, (4096, 4, 512, 2048, 1)),
            (16, 3, 2048, (16, 4, 256, 256, 8)),
        ],
    )
    def test_plan(self, rows, streams, T, plan):
        assert tuple(programs.plan_of(rows, streams, T, programs.Machine(132, 2048))) == plan

    @pytest.mark.parametrize("holes", ["carry", "discount"])
    def test_every_cut_gives_the_same(self, on, holes):
        rewards, values, mask, bootstrap = batch(3, 70)
        mask[2, 10:50] = False  # parts without a step, and
        mask[2, 60:] = False  # the end in the middle of a part
        settings = {"lam": torch.tensor([0.9, 1.0, 0.99], device=DEVICE), "bootstrap": bootstrap}
        settings |= {"gamma": 0.98, "holes": holes, "whiten": True}
        found = []
        # whole rows; blocks in a loop; one block to a part; two to a part
        for limits, parts in (((1, 128), 1), ((1, 32), 1), ((64, 32), 5), ((6, 32), 3)):
            assert programs.plan_of(3, 1, 70, programs.Machine(*limits)).parts == parts
            on(*limits)
            found.append(gae(rewards, values, mask, **settings))
        for other in found[1:]:
            close(other, found[0])

    def test_several_rows_to_a_program(self, on):
        on(1, 128)
        rewards, values, mask, bootstrap = batch(13, 11)
        assert programs.plan_of(13, 1, 11, programs.Machine(1, 128)).lanes == 2
        lam = torch.linspace(0, 1, 13, device=DEVICE)
        found = gae(rewards, values, mask, lam=lam, bootstrap=bootstrap)
        close(found, eager(*double(rewards, values, mask), lam=lam, bootstrap=bootstrap))

    @pytest.mark.parametrize("heads", [1, 2])
    def test_streams_in_parts(self, on, heads):
        rewards, values, mask, _ = batch(4, 70)
        rewards, mask = rewards.view(2, 2, 70), mask[2:]
        values = values[:2] if heads == 1 else values.view(2, 2, 70)
        settings = {"gammas": (1.0, 0.9), "lam": 1.0}
        on(64, 64)
        found = multi_gamma_gae(rewards, values, mask, **settings)
        close(found, eager_streams(*double(rewards, values, mask), **settings))


class TestAccuracy:
    def errors(self, rewards, values, **settings):
        """Largest error of ours and of the eager function, in roundings of the largest return."""
        mask = torch.ones_like(rewards, dtype=torch.bool)
        want = eager(rewards.double(), values.double(), mask, **settings).returns
        ulp = 2.0**-23 * 2.0 ** math.floor(math.log2(want.abs().max().item()))
        found = (f(rewards, values, mask, **settings).returns for f in (gae, eager))
        return [((x.double() - want).abs().max() / ulp).item() for x in found]

    # A GPU's exp2 is off by up to 2 roundings, of which the powers of a decay take a few.
    @pytest.mark.parametrize(("lam", "more"), [(1.0, 3), (0.9999, 8)])
    def test_long_rows(self, lam, more):
        rewards, values = batch(1, 512)[:2]
        ours, theirs = self.errors(rewards, values, lam=lam)
        assert ours <= theirs + more

    def test_a_decay_near_one_by_row(self):
        # 1 − 1e-5 is off by 1.4e-8 in float32: 300 such steps would be off by 4e-6.
        T = 300
        rewards, values = torch.zeros(1, T, device=DEVICE), torch.zeros(1, T, device=DEVICE)
        rewards[0, -1] = 1.0
        lam = torch.tensor([1 - 1e-5], dtype=torch.float64, device=DEVICE)
        R = gae(rewards, values, torch.ones_like(rewards), lam=lam).returns
        assert abs(R[0, 0].item() - (1 - 1e-5) ** (T - 1)) < 1.5e-6

    def test_length_adaptive_lambda(self):
        rewards, values, mask, _ = batch(2, 100, holes=0.0)
        mask[1] = True
        lam = length_adaptive_lambda(mask, alpha=0.5)
        close(gae(rewards, values, mask, lam=lam), eager(*double(rewards, values, mask), lam=lam))


class TestLaws:
    def test_whitened_has_mean_0_and_variance_1(self):
        rewards, values, mask, _ = batch(4, 50)
        A = gae(rewards, values, mask, whiten=True).advantages[mask].double()
        assert abs(A.mean()) < 1e-6
        assert abs(A.var() - 1) < 1e-6

    def test_a_lone_value_and_no_value_whitened_are_0(self):
        x = torch.full((2, 3), 5.0, device=DEVICE)
        mask = torch.zeros(2, 3, dtype=torch.bool, device=DEVICE)
        assert not gae(x, x, mask, whiten=True).advantages.any()
        mask[1, 1] = True
        assert not gae(x, x, mask, gamma=0.5, whiten=True).advantages.any()

    @pytest.mark.parametrize("T", [6, 66])
    def test_nan_at_a_valid_token_shows(self, T):
        rewards, values, mask, _ = batch(3, T, holes=0.0)
        mask[1:] = True
        rewards[1, T - 1] = NAN
        A, R = gae(rewards, values, mask)
        assert A[1].isnan().all()
        assert R[1].isnan().all()
        assert A[[0, 2]].isfinite().all()
        assert gae(rewards, values, mask, whiten=True).advantages[mask].isnan().all()

    @pytest.mark.parametrize("bad", [NAN, 1.5, -0.1])
    def test_a_rate_that_is_none_is_nan_where_it_cannot_be_looked_at(self, bad):
        rewards, values, mask, _ = batch(3, 5, holes=0.0)
        mask[1:] = True
        lam = torch.tensor([0.9, bad, 0.9], device=DEVICE)
        for A in _OPERATOR(rewards, values, mask, [1.0], 0.0, lam, None, True, False):
            assert A[1].isnan().all()
            assert A[[0, 2]].isfinite().all()

    def test_the_same_bits_every_time_and_no_input_written(self):
        inputs = batch(2, 71)
        copies = [x.clone() for x in inputs]
        *tensors, bootstrap = inputs
        first, second = (gae(*tensors, bootstrap=bootstrap, whiten=True) for _ in range(2))
        assert all(map(torch.equal, first, second))
        assert all(map(torch.equal, inputs, copies))

    def test_views_of_a_flat_buffer(self):
        rewards, values, mask, _ = batch(3, 20)
        flat = torch.cat([torch.zeros(3, device=DEVICE), rewards.flatten(), values.flatten()])
        r, v = flat[3:63].view(3, 20), flat[63:].view(3, 20)
        assert all(map(torch.equal, gae(r, v, mask), gae(rewards, values, mask)))

    def test_results_are_constants(self):
        rewards, values, mask, bootstrap = batch(2, 5)
        found = gae(rewards, values.requires_grad_(), mask, bootstrap=bootstrap.requires_grad_())
        assert not any(x.requires_grad for x in found)
        heads = values.detach().expand(2, 2, 5).contiguous().requires_grad_()
        streams = multi_gamma_gae(rewards.expand(2, 2, 5).contiguous(), heads, mask, gammas=(1, 1))
        assert not any(x.requires_grad for x in streams)

    def test_any_number_is_a_mask(self):
        rewards, values, mask, _ = batch(2, 5)
        want = gae(rewards, values, mask)
        for other in (mask.long() * 3, mask.float(), mask.to(torch.uint8) * 128):
            assert all(map(torch.equal, gae(rewards, values, other), want))

    def test_plain_torch_on_the_cpu(self, plain):
        *tensors, bootstrap = (x.cpu() for x in batch(3, 40))
        lam = torch.tensor([0.5, 0.9, 1.0])
        for holes, rate in product(("carry", "discount"), (0.9, lam)):
            settings = {"lam": rate, "bootstrap": bootstrap, "holes": holes}
            want = eager(*tensors, **settings)
            assert all(map(torch.equal, gae(*tensors, **settings), want))
        whitened = gae(*tensors, whiten=True).advantages
        assert torch.equal(whitened, whiten(eager(*tensors).advantages, tensors[2]))
        rewards = tensors[0].expand(2, 3, 40).contiguous()
        streams = {"gammas": (1.0, 0.9), "lam": 1.0}
        want = eager_streams(rewards, *tensors[1:], **streams)
        assert all(map(torch.equal, multi_gamma_gae(rewards, *tensors[1:], **streams), want))


class TestTorch:
    def test_opcheck(self):
        rewards, values, mask, bootstrap = batch(1, 3)
        op, lam = _OPERATOR, torch.rand(1, device=DEVICE)
        heads = rewards.expand(2, 1, 3).contiguous()
        for args in (
            (rewards, values, mask, [0.9], 0.9, None, bootstrap, True, True),
            (rewards.bfloat16(), values.half(), mask, [0.9], 0.0, lam, None, False, False),
            (heads, values, mask, [0.9, 1.0], 1.0, None, None, True, False),
            (rewards[:, :0].clone(), values[:, :0].clone(), mask[:, :0].clone(), [1.0], 1.0, None, None, True, True),
        ):  # fmt: skip
            torch.library.opcheck(op, args)

    def test_compile(self):
        rewards, values, mask, bootstrap = batch(2, 6)
        heads = rewards.expand(2, 2, 6).contiguous()

        def f(rewards, values, mask, bootstrap, lam):
            one = gae(rewards, values * 2, mask, lam=lam, bootstrap=bootstrap, whiten=True)
            two = multi_gamma_gae(heads, values * 2, mask, gammas=(1.0, 0.5))
            return one.advantages + one.returns, two.advantages + two.returns

        compiled = torch.compile(f, backend="aot_eager", fullgraph=True)
        for lam in (0.9, torch.rand(2, device=DEVICE)):
            args = rewards, values, mask, bootstrap, lam
            assert all(map(torch.equal, compiled(*args), f(*args)))

    def test_autocast_and_checkpoint(self):
        rewards, values, mask, _ = batch(2, 6)
        want = gae(rewards, values, mask)
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            assert all(map(torch.equal, gae(rewards, values, mask), want))
        x = torch.randn(2, 6, device=DEVICE, requires_grad=True)

        def loss(x):
            return (x * gae(rewards, values * x, mask).advantages).sum()

        torch.utils.checkpoint.checkpoint(loss, x, use_reentrant=False).backward()
        torch.testing.assert_close(x.grad, gae(rewards, values * x, mask).advantages)


class TestErrors:
    @pytest.mark.parametrize(
        ("change", "error", "match"),
        [
            ({"rewards": [[0.0]]}, TypeError, "rewards is a list"),
            ({"rewards": torch.zeros(2, 3, dtype=torch.int64)}, TypeError, "rewards is torch.int64"),
            ({"rewards": torch.zeros(3)}, ValueError, r"rewards has shape \[3\], expected 2"),
            ({"rewards": torch.zeros(3, 2).T}, ValueError, r"rewards.contiguous\(\)"),
            ({"values": torch.zeros(2, 4)}, ValueError, r"values has shape \[2, 4\]"),
            ({"values": torch.zeros(3, 2).T}, ValueError, r"values.contiguous\(\)"),
            ({"values": torch.zeros(2, 3, device="meta")}, ValueError, "values is on meta"),
            ({"values": torch.zeros(2, 3, dtype=torch.complex64)}, TypeError, "values is torch.c"),
            ({"mask": torch.ones(3, 2).T}, ValueError, r"mask.contiguous\(\)"),
            ({"mask": torch.ones(2, 4)}, ValueError, r"mask has shape \[2, 4\]"),
            ({"mask": torch.ones(2, 3, device="meta")}, ValueError, "mask is on meta"),
            ({"mask": None}, TypeError, "mask is a NoneType"),
            ({"gamma": 1.5}, ValueError, "gamma is 1.5"),
            ({"lam": -0.5}, ValueError, "lam is -0.5"),
            ({"lam": NAN}, ValueError, "lam is nan"),
            ({"lam": torch.ones(3)}, ValueError, r"lam has shape \[3\], expected \[B\] = \[2\]"),
            ({"lam": torch.ones(2, device="meta")}, ValueError, "lam is on meta"),
            ({"lam": torch.ones(2, dtype=torch.int32)}, TypeError, "lam is torch.int32"),
            ({"bootstrap": torch.ones(3)}, ValueError, r"bootstrap has shape \[3\]"),
            ({"bootstrap": torch.ones(2, dtype=torch.int32)}, TypeError, "bootstrap is torch.int"),
            ({"bootstrap": torch.ones(2, device="meta")}, ValueError, "bootstrap is on meta"),
            ({"holes": "skip"}, ValueError, "holes is 'skip'"),
        ],
    )  # fmt: skip
    def test_gae(self, change, error, match):
        good = {name: torch.zeros(2, 3) for name in ("rewards", "values", "mask")}
        arguments = {
            k: x.to(DEVICE) if isinstance(x, torch.Tensor) and not x.is_meta else x
            for k, x in (good | change).items()
        }
        with pytest.raises(error, match=match):
            gae(**arguments)

    def test_a_rate_on_the_cpu_is_looked_at(self):
        x = torch.zeros(2, 3)
        with pytest.raises(ValueError, match=r"lam holds 1.5, expected values in \[0, 1\]"):
            gae(x, x, x, lam=torch.tensor([0.5, 1.5]))

    @pytest.mark.parametrize(
        ("change", "error", "match"),
        [
            ({"rewards": torch.zeros(2, 3)}, ValueError, "expected 3 dimensions"),
            ({"gammas": (1.0,)}, ValueError, "gammas 1 values"),
            ({"gammas": (1.0, 1.5)}, ValueError, r"gammas\[1\] is 1.5"),
            ({"values": torch.zeros(3)}, ValueError, r"values has shape \[3\]"),
            ({"values": torch.zeros(3, 2, 3)}, ValueError, "that of rewards"),
            ({"values": torch.zeros(2, 4)}, ValueError, "that of mask"),
            ({"mask": torch.zeros(2, 2, 3)}, ValueError, r"expected \[B, T\] = \[2, 3\]"),
            ({"lam": 0.5}, ValueError, r"pass lam=1.0, or one value per stream, \[2, 2, 3\]"),
            ({"lam": torch.ones(2)}, ValueError, "pass lam=1.0"),
            ({"bootstrap": torch.ones(2)}, ValueError, r"bootstrap has shape \[2\]"),
        ],
    )
    def test_streams(self, change, error, match):
        good = {"rewards": torch.zeros(2, 2, 3), "gammas": (1.0, 0.5)}
        good |= {name: torch.zeros(2, 3) for name in ("values", "mask")}
        arguments = {
            k: x.to(DEVICE) if isinstance(x, torch.Tensor) else x
            for k, x in (good | change).items()
        }
        with pytest.raises(error, match=match):
            multi_gamma_gae(**arguments)


def test_bytes_moved():
    # 2·3 cells: bf16 twice, a byte of mask, float32 out twice; with 3 streams of rewards, float32
    one, _, streams = rows()
    assert one.bytes_moved(one.make((2, 3), torch.bfloat16, "cpu", 0)) == 6 * (2 + 2 + 1 + 4 + 4)
    inputs = streams.make((2, 3), torch.float32, "cpu", 0)
    assert streams.bytes_moved(inputs) == 6 * (3 * 4 + 4 + 1 + 4 + 4)
