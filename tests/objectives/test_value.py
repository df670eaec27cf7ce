import math

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def test_by_hand():
    values, returns = torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]])
    assert rl.value_loss(values, returns).tolist() == [[0.5, 2.0]]
    # V is clipped to 1.5 ± .2 = 1.3 (worse than 1) and to 1 ± .2 = 1.2 (better: the max keeps 3)
    got = rl.value_loss(values, returns, old_values=torch.tensor([[1.5, 1.0]]), clip=0.2)
    assert got[0].tolist() == pytest.approx([0.5 * 1.69, 2.0])


def test_gradient_by_hand():
    values = torch.tensor([[1.0, 3.0]], requires_grad=True)
    returns, old = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.5, 1.0]])
    rl.value_loss(values, returns).sum().backward()
    assert values.grad.tolist() == [[1, 2]]
    values.grad = None
    rl.value_loss(values, returns, old_values=old).sum().backward()
    assert values.grad.tolist() == [[0, 2]]  # where the clipped error is larger nothing moves


def test_limits():
    torch.manual_seed(0)
    values, returns, old = torch.randn(3, 2, 5, dtype=torch.float64)
    plain = rl.value_loss(values, returns)
    assert torch.equal(rl.value_loss(values, returns, old_values=old, clip=INF), plain)
    assert (rl.value_loss(values, returns, old_values=old) >= plain).all()
    assert torch.equal(rl.value_loss(values, returns, old_values=values), plain)


@pytest.mark.parametrize("clipped", [False, True])
def test_gradcheck(clipped):
    torch.manual_seed(0)
    values, returns, old = torch.randn(3, 2, 5, dtype=torch.float64)
    values.requires_grad_()
    extra = {"old_values": old} if clipped else {}

    def f(values):
        return rl.value_loss(values, returns, **extra)

    assert torch.autograd.gradcheck(f, values)
    assert torch.autograd.gradgradcheck(f, values)


@pytest.mark.parametrize("junk", [NAN, INF, -INF])
@pytest.mark.parametrize("where", ["values", "returns", "old_values"])
def test_junk_in_a_masked_cell_leaves_no_trace(where, junk):
    cells = {k: torch.tensor([[0.5, 1.0]]) for k in ("values", "returns", "old_values")}
    cells["returns"] += 1
    cells[where][0, 1] = junk
    values = cells.pop("values").requires_grad_()
    for clipped in (False, True):
        values.grad = None
        old = {"old_values": cells["old_values"]} if clipped else {}
        loss = rl.token_mean(rl.value_loss(values, cells["returns"], **old), torch.tensor([[1, 0]]))
        loss.backward()
        assert loss.item() == 0.5
        assert values.grad.tolist() == [[-1, 0]]


@pytest.mark.parametrize("old", [None, 0.0, 3e38, -3e38])
def test_padding_whose_error_overflows_leaves_no_trace(old):
    """Both 3e38 − (−3e38) and twice 3e38, the derivative of its square, are infinite."""
    extra = {} if old is None else {"old_values": torch.tensor([[1.0, old, old]])}
    values = torch.tensor([[1.0, 3e38, 3e38]], requires_grad=True)
    returns = torch.tensor([[0.0, -3e38, 0.0]])
    rl.token_mean(rl.value_loss(values, returns, **extra), torch.tensor([[1, 0, 0]])).backward()
    assert values.grad.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("cells", [3, 7, 10, 49])
@pytest.mark.parametrize("level", [0.1, 0.3, 0.7, 1 / 3])
def test_returns_that_do_not_vary_leave_nothing_to_explain(cells, level):
    """Their mean, rounded, need not be one of them: 0.1 + 0.1 + 0.1 is not 3 · 0.1."""
    returns = torch.full((1, cells), level, dtype=torch.float64)
    values = torch.linspace(0, 1, cells, dtype=torch.float64)[None]
    assert rl.explained_variance(values, returns, torch.ones(1, cells)).isnan()
    assert rl.explained_variance(values[:0], returns[:0], torch.ones(0, cells)).isnan()


def test_explained_variance_by_hand():
    returns, mask = (
        torch.tensor([[0.0, 2.0, NAN], [4.0, NAN, NAN]]),
        torch.tensor([[1, 1, 0], [1, 0, 0]]),
    )
    perfect = returns.clone()
    assert rl.explained_variance(perfect, returns, mask) == 1
    assert (
        rl.explained_variance(perfect + 7, returns, mask) == 1
    )  # a constant offset is no variance
    assert rl.explained_variance(torch.full((2, 3), 2.0), returns, mask) == 0
    assert rl.explained_variance(-perfect, returns, mask) == -3
    assert rl.explained_variance(perfect, torch.full((2, 3), 0.1), mask).isnan()


def test_errors_name_the_culprit():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"returns has shape \[2, 1\] but values has \[2, 3\]"):
        rl.value_loss(x, x[:, :1])
    with pytest.raises(ValueError, match="clip is -1, expected ≥ 0"):
        rl.value_loss(x, x, old_values=x, clip=-1)
