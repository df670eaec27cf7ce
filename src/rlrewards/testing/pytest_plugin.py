"""The pytest plugin: a fixture for each check, and a marker. Without a use of them nothing happens.

def test_my_reward(check_reward):
    check_reward(my_reward, kind="accuracy")

A failure shows the smallest cases, without a traceback. Effort is said, from the most particular to
the most general, in the call, by `@pytest.mark.rlrewards(examples=100, seed=1)`, or by
`--rlrewards-examples` and `--rlrewards-seed`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

MARKER = "rlrewards"
EFFORT = ("examples", "seed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("rlrewards")
    group.addoption(
        "--rlrewards-examples",
        type=_at_least(1),
        metavar="N",
        help="cases that check_reward and check_objective draw for each law",
    )
    group.addoption(
        "--rlrewards-seed",
        type=_at_least(0),
        metavar="N",
        help="seed of these cases; the same seed gives the same report",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(examples, seed): how hard the fixtures of rlrewards.testing try",
    )


@pytest.fixture
def check_reward(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`rlrewards.testing.check_reward`, which fails the test when a law is broken."""
    return _checker(request, "check_reward")


@pytest.fixture
def check_objective(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`rlrewards.testing.check_objective`, which fails the test when a law is broken."""
    return _checker(request, "check_objective")


def _checker(request: pytest.FixtureRequest, name: str) -> Callable[..., Any]:
    """Return a check with the effort that marker and options say."""
    effort = _effort(request)

    def check(subject: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        if find_spec("hypothesis") is None:
            pytest.fail(f'{name} needs Hypothesis: pip install "rlrewards[testing]"', pytrace=False)
        import rlrewards.testing as testing

        report = getattr(testing, name)(subject, **(effort | options))
        if not report.ok:
            pytest.fail(str(report), pytrace=False)
        return report

    return check


def _effort(request: pytest.FixtureRequest) -> dict[str, int]:
    marker = request.node.get_closest_marker(MARKER)
    said = {name: request.config.getoption(f"--rlrewards-{name}") for name in EFFORT}
    if marker is not None:
        if marker.args or {*marker.kwargs} - {*EFFORT}:
            pytest.fail(
                f"@pytest.mark.{MARKER} takes examples= and seed=, "
                f"got {marker.args or ''}{marker.kwargs or ''}",
                pytrace=False,
            )
        said |= marker.kwargs
    return {name: value for name, value in said.items() if value is not None}


def _at_least(low: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < low:
            raise ValueError
        return value

    number.__name__ = f"whole number of at least {low}"  # pytest says "invalid … value"
    return number
