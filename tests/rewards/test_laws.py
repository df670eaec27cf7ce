"""Every reward and preset of the library keeps every law of `rlrewards.testing`.

A new reward is a new line of `our_rewards`.
"""

from __future__ import annotations

import pytest
from our_rewards import PRESETS, REWARDS, STACKS

import rlrewards as rr
from rlrewards import presets
from rlrewards.testing import LAWS, check_reward

FEW, MANY = 8, 100
each_subject = pytest.mark.parametrize(
    "reward",
    [*map(pytest.param, REWARDS + STACKS), *(pytest.param(v, id=k) for k, v in PRESETS.items())],
    ids=repr,
)


def test_every_public_reward_is_in_the_table():
    known = {type(reward) for reward in REWARDS + STACKS}
    public = {value for name in rr._MODULE_OF if isinstance(value := getattr(rr, name), type)}
    assert {kind for kind in public if issubclass(kind, rr.stack.Composable)} <= known


def test_every_preset_is_in_the_table():
    assert {*PRESETS} == {*presets.__all__}


def test_every_law_is_about_some_reward():
    from rlrewards.testing.subject import subject

    ours = [subject(reward) for reward in (*REWARDS, *STACKS)]
    for law in LAWS:
        assert any(law.applies_to(one) for one in ours) or law.kinds == {"verifier"}, law.name


@each_subject
def test_it_keeps_every_law(reward):
    check_reward(reward, examples=FEW, isolate=False).raise_for_failures()


@pytest.mark.slow
@each_subject
def test_it_keeps_every_law_with_many_cases(reward):
    check_reward(reward, examples=MANY, seed=1, isolate=False).raise_for_failures()
