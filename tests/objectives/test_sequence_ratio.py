# ruff: noqa: N803, N806  (names as in the formulas: A, B, T)
import math

import pytest
import torch

from rlrewards import objectives as rl

NAN, INF = math.nan, math.inf


def logs(*rows):
    return torch.tensor(rows, dtype=torch.float64).log()


def advantages(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_geometric_mean_by_hand():
    logp, old = logs([2.0, 8.0, 7.0], [0.5, 1.0, 1.0], [3.0, 3.0, 3.0]), torch.zeros(3, 3)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert rl.sequence_ratio(logp, old, mask).tolist() == pytest.approx([4.0, 0.5, 1.0])
    want = [2 * math.log(2), -math.log(2), 0.0]
    assert rl.sequence_log_ratio(logp, old, mask).tolist() == pytest.approx(want)


def test_gradient_of_the_mean_is_one_over_its_tokens():
    logp = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    rl.sequence_log_ratio(logp, torch.ones(3, 3), mask).sum().backward()
    assert logp.grad.tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]


def test_each_token_is_bounded_before_the_mean():
    """One broken token may not decide the row: 1000 counts as 20."""
    logp = torch.tensor([[1000.0, 0.0, -INF, 0.0]])
    mask = torch.tensor([[1, 1, 0, 0]])
    assert rl.sequence_log_ratio(logp, torch.zeros(1, 4), mask).item() == 10
    assert rl.sequence_log_ratio(logp, torch.zeros(1, 4), torch.ones(1, 4)).item() == 0


def test_gspo_by_hand():
    """s = 4, 1 and 1/2; bounds .8 and 1.3."""
    logp, old = logs([2.0, 8.0], [1.0, 9.0], [0.5, 0.5], [0.5, 0.5], [2.0, 8.0]), torch.zeros(5, 2)
    mask = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1], [1, 1]])
    A = advantages(2.0, -3.0, -1.0, 1.0, -1.0)
    got = rl.gspo(logp, old, A, mask, low=0.2, high=0.3)
    want = [-2.6, -2.6, 3.0, 0.0, 0.8, 0.8, -0.5, -0.5, 4.0, 4.0]
    assert got.flatten().tolist() == pytest.approx(want)
    ceiling = rl.gspo(logp, old, A, mask, low=0.2, high=0.3, ceiling=3.0)
    assert ceiling[4].tolist() == pytest.approx([3.0, 3.0])


def paper(logp, old, A, mask, low, high, *, weigh_by_length):
    """(1/B) Σᵢ [nᵢ ·] −min(sᵢ Aᵢ, clip(sᵢ) Aᵢ) in plain floats."""
    total = 0.0
    for x, y, a, m in zip(logp.tolist(), old.tolist(), A.tolist(), mask.tolist(), strict=True):
        gaps = [p - q for p, q, valid in zip(x, y, m, strict=True) if valid]
        s = math.exp(sum(gaps) / len(gaps))
        row = -min(s * a, min(max(s, 1 - low), 1 + high) * a)
        total += row * (len(gaps) if weigh_by_length else 1)
    return total / len(A)


@pytest.mark.parametrize(
    ("aggregate", "weigh_by_length"), [(rl.sequence_mean, False), (rl.sequence_sum, True)]
)
def test_aggregated_it_is_gspo_and_luspo(aggregate, weigh_by_length):
    torch.manual_seed(0)
    logp, old = torch.randn(2, 40, 7, dtype=torch.float64)
    A, mask = torch.randn(40, dtype=torch.float64), torch.rand(40, 7) < 0.6
    mask[:, 0] = True
    for low, high in ((0.2, 0.28), (3e-4, 4e-4), (1.0, INF)):
        want = paper(logp, old, A, mask, low, high, weigh_by_length=weigh_by_length)
        got = aggregate(rl.gspo(logp, old, A, mask, low=low, high=high), mask)
        assert got.item() == pytest.approx(want, rel=1e-12)


def test_defaults_are_the_papers():
    """s = e^±.0009 is outside [1 − 3e-4, 1 + 4e-4]."""
    A, mask = torch.tensor([1.0, -1.0]), torch.ones(2, 1)
    logp = torch.tensor([[9e-4], [-9e-4]], dtype=torch.float64)
    for f in (rl.gspo, rl.gspo_token):
        got = f(logp, torch.zeros(2, 1), A, mask)
        assert got.flatten().tolist() == pytest.approx([-1.0004, 0.9997], abs=1e-12)


@pytest.mark.parametrize("ceiling", [None, 1.6])
def test_token_form_equals_the_sequence_form_when_advantages_do_not_vary_in_a_row(ceiling):
    torch.manual_seed(0)
    logp, old = 0.5 * torch.randn(2, 30, 6, dtype=torch.float64)
    A, mask = torch.randn(30, dtype=torch.float64), torch.rand(30, 6) < 0.7

    def run(f, advantages):
        x = logp.clone().requires_grad_()
        cells = f(x, old, advantages, mask, low=0.2, high=0.3, ceiling=ceiling)
        loss = rl.sequence_mean(cells, mask)
        return loss, torch.autograd.grad(loss, x)[0]

    for spread in (A, A.unsqueeze(1).expand(30, 6)):
        for got, want in zip(run(rl.gspo_token, spread), run(rl.gspo, A), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-15)


def test_token_form_gives_each_token_its_own_advantage():
    logp = logs([2.0, 8.0, 5.0]).requires_grad_()  # s = 4
    A = advantages(1.0, -1.0, NAN).unsqueeze(0)
    mask = torch.tensor([[1, 1, 0]])
    loss = rl.gspo_token(logp, torch.zeros(1, 3), A, mask, low=0.2, high=0.2)
    assert loss[0].tolist() == pytest.approx([-1.2, 4.0, 0.0])
    loss.sum().backward()
    assert logp.grad[0].tolist() == pytest.approx([0.0, 4.0, 0.0])


def test_a_nan_spoils_its_whole_row_and_no_other():
    logp = torch.zeros(2, 3, dtype=torch.float64)
    logp[1, 0] = NAN
    logp.requires_grad_()
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    for f in (rl.gspo, rl.gspo_token):
        loss = f(logp, torch.zeros(2, 3), torch.ones(2), mask)
        assert loss.isnan().tolist() == [[False] * 3, [True, True, False]]
        gradient = torch.autograd.grad(loss.sum(), logp)[0]
        # nothing can come back through the NaN itself, but its row must not go on in silence
        assert gradient.isnan().tolist()[1][1:] == [True, False]
        assert gradient[0].tolist() == [-1, -1, -1]


def test_advantages_per_token_are_sent_to_the_token_form():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"advantages has shape \[2, 3\], .*use gspo_token"):
        rl.gspo(x, x, x, torch.ones(2, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"old_logp": torch.zeros(2, 4)}, r"old_logp has shape \[2, 4\] but logp has \[2, 3\]"),
        ({"mask": torch.ones(2)}, r"mask has shape \[2\] but logp has \[2, 3\]"),
        ({"advantages": torch.zeros(3)}, r"advantages has shape \[3\], expected \[B\] = \[2\]"),
        ({"low": -1.0}, "low is -1.0, expected ≥ 0"),
        ({"ceiling": 0.5}, "ceiling is 0.5, expected ≥ 1"),
    ],
)
@pytest.mark.parametrize("f", [rl.gspo, rl.gspo_token])
def test_errors(f, change, message):
    x = torch.zeros(2, 3)
    given = {"logp": x, "old_logp": x, "advantages": torch.zeros(2), "mask": x + 1, **change}
    with pytest.raises(ValueError, match=message):
        f(**given)
