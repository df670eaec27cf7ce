import math

import pytest

from rlrewards.metrics import wilson_interval

Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # Worked by hand from (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n):
        # n = 10, p = ½, z² = 3.8415: centre 0.69207, spread 1.95996·√(0.025 + 0.0096036) = 0.36459,
        # scale 1.38415.
        (5, 10, 0.236593, 0.763407),
        # Newcombe, Statistics in Medicine 17 (1998), Table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_known_intervals(successes, total, low, high):
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


def test_ends_are_exact_at_none_and_all():
    n = 7
    assert wilson_interval(0, n) == pytest.approx((0.0, Z**2 / (n + Z**2)))
    assert wilson_interval(0, n).low == 0.0
    assert wilson_interval(n, n).high == 1.0


@pytest.mark.parametrize(("successes", "total"), [(0, 1), (1, 1), (3, 11), (500, 1000)])
def test_laws(successes, total):
    low, high = wilson_interval(successes, total)
    assert 0 <= low <= successes / total <= high <= 1
    mirrored = wilson_interval(total - successes, total)
    assert mirrored == pytest.approx((1 - high, 1 - low))
    wider = wilson_interval(successes, total, confidence=0.99)
    assert wider.low <= low
    assert wider.high >= high


def test_it_narrows_like_one_over_the_root_of_n():
    few, many = (wilson_interval(n // 2, n) for n in (10_000, 1_000_000))
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "at least one trial"),
        ((5, 4), r"0\.\.4"),
        ((-1, 4), r"0\.\.4"),
        ((1, 4, 1.0), "between 0 and 1"),
        ((1, 4, math.nan), "between 0 and 1"),
    ],
)
def test_senseless_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        wilson_interval(*arguments)


def test_one_right_of_sixty_is_reported_with_what_it_may_be():
    # 1.7 % is one answer: between 0.3 % and 8.9 %. Worked by hand as above: p = 1/60, z²/n = 0.064024,
    # centre 0.048679, spread 1.95996·√(0.016389/60 + 3.8415/14400) = 0.045542, scale 1.064024.
    low, high = wilson_interval(1, 60)
    assert (low, high) == pytest.approx((0.002948, 0.088551), abs=2e-6)


@pytest.mark.parametrize("total", [10, 30, 100])
def test_coverage_counted_over_all_outcomes(total):
    def coverage(p):
        return sum(
            math.comb(total, x) * p**x * (1 - p) ** (total - x)
            for x in range(total + 1)
            if wilson_interval(x, total).low <= p <= wilson_interval(x, total).high
        )

    found = [coverage(p / 100) for p in range(1, 100)]
    assert 0.945 < sum(found) / len(found) < 0.96
    assert min(found) > 0.83


@pytest.mark.parametrize(("successes", "total"), [(1.0, 2), (True, 2), ("1", 2), (1, None)])
def test_counts_are_whole_numbers(successes, total):
    with pytest.raises(TypeError, match="whole number"):
        wilson_interval(successes, total)
