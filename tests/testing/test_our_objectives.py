"""Every public objective, recipe and kernel keeps the laws of its kind.

The table is in `our_objectives`; what is public and not there fails. Few cases here; many in the
slow tests.
"""

import inspect

import pytest
from our_objectives import KERNELS, NOT_TENSOR_FUNCTIONS, PIECES, RECIPES, rows

from rlrewards import objectives as rl
from rlrewards.kernels.registry import kernels
from rlrewards.testing import OBJECTIVE_LAWS, Outcome, check_objective

ROWS = rows()
every_row = pytest.mark.parametrize("name", ROWS)


def test_every_public_objective_is_in_the_table():
    assert {*rl.__all__} == {*PIECES} | NOT_TENSOR_FUNCTIONS
    assert not {*PIECES} & NOT_TENSOR_FUNCTIONS
    for name in NOT_TENSOR_FUNCTIONS - {"recipes"}:
        item = getattr(rl, name)
        assert isinstance(item, type) or "Tensor" not in str(inspect.signature(item)), name


def test_every_recipe_is_in_the_table():
    assert {*rl.recipes.__all__} == {*RECIPES}
    for name, row in RECIPES.items():
        assert row.function is getattr(rl.recipes, name)


def test_every_kernel_is_in_the_table():
    assert {kernel.name for kernel in kernels()} == {*KERNELS}


def report(name, **more):
    kind, function, how = ROWS[name]
    return check_objective(function, kind, name=name, **how | more)


@every_row
def test_laws(name):
    report(name, examples=3).raise_for_failures()


@pytest.mark.slow
@every_row
def test_laws_with_many_cases(name):
    report(name, examples=100, seed=1).raise_for_failures()


WAIVED = [(name, law) for name, row in ROWS.items() for law in row.how.get("waive", ())]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "law"), WAIVED)
def test_what_is_waived_does_not_hold(name, law):
    """Or there is nothing to waive."""
    laws = [item for item in OBJECTIVE_LAWS if item.name == law]
    [finding] = report(name, laws=laws, waive={}, examples=300)
    assert finding.outcome is Outcome.FAILED
