"""Each law of objectives catches a mistake, and sound functions with any names keep them all."""

import math
import pickle

import pytest
import torch
from broken_objectives import MISTAKES, mean_over_padding, missing_spoils, wrong_sign

from rlrewards import objectives as rl
from rlrewards.testing import (
    OBJECTIVE_LAWS,
    Objective,
    Outcome,
    check_objective,
    strategies,
)
from rlrewards.testing.laws.objectives.measuring import same
from rlrewards.testing.objective import OBJECTIVE_KINDS, objective
from rlrewards.testing.subject import Broken


def laws(*names):
    return [law for law in OBJECTIVE_LAWS if law.name in names]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda it: f"{it.function.__name__}: {it.law}")
def test_a_mistake_is_caught(mistake):
    report = check_objective(
        mistake.function, mistake.kind, laws=laws(mistake.law), examples=100, **mistake.how
    )
    [finding] = report
    assert finding.outcome is Outcome.FAILED
    assert "mask = " in finding.case


def test_every_law_catches_a_mistake():
    assert {law.name for law in OBJECTIVE_LAWS} == {mistake.law for mistake in MISTAKES}


def test_names_and_statements_are_distinct():
    assert len({law.name for law in OBJECTIVE_LAWS}) == len(OBJECTIVE_LAWS)
    for law in OBJECTIVE_LAWS:
        assert law.statement.endswith(".")
        assert law.kinds <= {*OBJECTIVE_KINDS}


def grpo_of_trl(per_token_logps, old_per_token_logps, ref_per_token_logps, advantages,
                completion_mask, num_items_in_batch=None, beta=0.1):  # fmt: skip
    return rl.recipes.dapo(
        per_token_logps, old_per_token_logps, advantages, completion_mask,
        ref_logp=ref_per_token_logps, beta=beta, denominator=num_items_in_batch,
    ).loss  # fmt: skip


def ppo_of_verl(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode):
    assert loss_agg_mode == "seq-mean-token-mean"
    loss = rl.recipes.grpo(log_prob, old_log_prob, advantages, response_mask).loss
    return loss, {"clip": 0.0}


def test_sound_functions_with_other_names():
    report = check_objective(grpo_of_trl, examples=5)
    assert report.ok, report
    report = check_objective(
        ppo_of_verl, settings={"loss_agg_mode": "seq-mean-token-mean"}, examples=5
    )
    assert report.ok, report
    assert len(report) == len([*report]) > 10


def test_a_mapping_is_a_loss_too():
    def loss(logp, advantages, mask):
        return {"loss": rl.recipes.reinforce(logp, advantages, mask).loss, "n": 3}

    assert check_objective(loss, laws=laws("finite", "repeatable"), examples=3).ok


def test_a_named_parameter():
    def of_lp(lp, A, m):  # noqa: N803
        return rl.recipes.reinforce(lp, A, m).loss

    names = {"lp": "logp", "A": "advantages", "m": "mask"}
    assert check_objective(of_lp, names=names, laws=laws("policy gradient"), examples=5).ok


def test_the_smallest_case_is_readable():
    [finding] = check_objective(wrong_sign, laws=laws("policy gradient"), examples=50)
    assert finding.case == "mask = [[1]]\nlogp = [[0]]\nold_logp = [[0.0625]]\nadvantages = [0.125]"
    assert str(finding) == (
        "wrong_sign: law “policy gradient” failed: the gradient is [[0.125]] for advantages "
        "[[0.125]]\n"
        "  On policy the gradient is the policy gradient: it raises the log-probability of each "
        "token of a completion with a positive advantage and lowers it with a negative one.\n"
        "  mask = [[1]]\n  logp = [[0]]\n  old_logp = [[0.0625]]\n  advantages = [0.125]"
    )
    assert finding.to_dict()["case"] == finding.case
    assert pickle.loads(pickle.dumps(finding)) == finding
    [finding] = check_objective(
        missing_spoils, "advantage", laws=laws("missing rewards"), examples=50
    )
    assert finding.case == "mask = [[1]]\nrewards = [nan]\ngroup = [0]"


def test_the_same_seed_gives_the_same_report():
    chosen = laws("width is not read", "repeatable")
    reports = [check_objective(mean_over_padding, laws=chosen, seed=3) for _ in range(2)]
    assert reports[0] == reports[1]
    assert not reports[0].ok
    with pytest.raises(AssertionError, match="width is not read"):
        reports[0].raise_for_failures()


def test_waived_laws_are_skipped_with_the_reason():
    report = check_objective(
        wrong_sign, laws=laws("policy gradient"), waive={"policy gradient": "for a reason"}
    )
    [finding] = report
    assert (report.ok, finding.outcome, finding.why) == (True, Outcome.SKIPPED, "for a reason")
    with pytest.raises(ValueError, match="no law is called 'policy'"):
        check_objective(wrong_sign, waive={"policy": ""})


def test_a_law_without_its_tensors_is_skipped():
    [finding] = check_objective(rl.token_mean, "aggregation", laws=laws("policy gradient"))
    assert finding.outcome is Outcome.SKIPPED
    assert finding.why == "it takes no logp, advantages"


def fails(logp, mask):
    raise RuntimeError("no\nway")


def returns_text(logp, mask):
    return "3"


def returns_rows(logp, mask):
    return logp.sum(1)


def returns_a_number(logp, mask):
    return logp.sum().item()


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (fails, "raised RuntimeError: no way"),
        (returns_text, "returned str, expected a tensor"),
        (returns_a_number, "returned float, expected a tensor"),
        (returns_rows, "returned shape [2], expected a scalar"),
    ],
)
def test_what_is_no_loss(function, why):
    [finding] = check_objective(function, laws=laws("finite"), examples=30)
    assert finding.outcome is Outcome.FAILED
    assert finding.why == why


@pytest.mark.parametrize(
    ("function", "how", "error", "message"),
    [
        (3, {}, TypeError, "expected a function"),
        (wrong_sign, {"kind": "losses"}, ValueError, "called 'losses'; there are loss"),
        (wrong_sign, {"inputs": ["ref_logp"]}, ValueError, "no tensor called ref_logp"),
        (wrong_sign, {"names": {"mask": "m"}}, ValueError, "no tensor called m"),
        (ppo_of_verl, {}, TypeError, "the parameter 'loss_agg_mode' is no tensor that is known"),
        (rl.group_relative, {}, ValueError, "nothing to differentiate"),
    ],
)
def test_what_cannot_be_called(function, how, error, message):
    with pytest.raises(error, match=message):
        objective(function, **how)


def test_what_an_objective_knows():
    found = objective(rl.recipes.vapo, inputs=("correct",), name="mine")
    assert isinstance(found, Objective)
    assert found.name == "mine"
    assert found.inputs == {"logp", "old_logp", "advantages", "mask", "correct"}
    assert (found.denominators, found.constants, found.leaf) == (
        ("denominator",),
        ("old_logp", "advantages"),
        "logp",
    )
    assert objective(rl.k1, kind="kl").kinds == {"kl", "surrogate"}
    assert objective(rl.gae, kind="returns").layouts == {"rewards": "BT"}
    assert objective(rl.gae, kind="returns").leaf is None


def test_float32_reaches_the_function():
    seen = set()

    def loss(logp, advantages, mask):
        seen.add(logp.dtype)
        return rl.recipes.reinforce(logp, advantages, mask).loss

    check_objective(loss, laws=laws("padding is not read"), examples=2, dtype="float32")
    assert seen == {torch.float32}


def test_empty_is_nan():
    draw = objective(rl.masked_mean, kind="aggregation", settings={"dim": None}, empty_is_nan=True)
    seen = []

    @strategies_given(draw.draw())
    def look(batch):
        seen.append(bool(batch["mask"].any()))

    look()
    assert all(seen)


def strategies_given(strategy):
    from hypothesis import given, settings

    return lambda body: settings(max_examples=30, database=None, deadline=None)(
        given(strategy)(body)
    )


@pytest.mark.parametrize(
    ("found", "expected", "alike"),
    [
        ([1.0], [1.0 + 1e-11], True),
        ([1.0], [1.0 + 1e-9], False),
        ([1e6], [1e6 + 1e-5], True),
        ([math.nan], [math.nan], True),
        ([math.nan], [1.0], False),
        ([1.0], [math.nan], False),
        ([math.inf], [math.inf], True),
        ([math.inf], [-math.inf], False),
        ([1.0, 2.0], [1.0], False),
        (None, None, True),
        (None, [0.0], False),
        ([0.0], None, False),
    ],
)
def test_same(found, expected, alike):
    one, two = (
        None if x is None else torch.tensor(x, dtype=torch.float64) for x in (found, expected)
    )
    if alike:
        same(one, two, "x")
    else:
        with pytest.raises(Broken, match="x (is|has shape)"):
            same(one, two, "x")


def test_same_in_float32_allows_its_rounding():
    same(torch.tensor([1.0 + 1e-6]), torch.tensor([1.0]), "x")
    with pytest.raises(Broken):
        same(torch.tensor([1.0 + 1e-4]), torch.tensor([1.0]), "x")
    with pytest.raises(Broken):
        same(torch.tensor([1.0 + 1e-6]), torch.tensor([1.0]), "x", tolerance=0.0)


def test_a_child_process_may_be_asked_for():
    report = check_objective(rl.group_relative, "advantage", laws=laws("repeatable"), examples=2,
                             isolate=False)  # fmt: skip
    assert report.ok
    assert strategies.__all__


def reads_the_second_column(logp, advantages, mask):
    loss = rl.recipes.reinforce(logp, advantages, mask).loss
    return loss + logp[:, 1:].nan_to_num(nan=1.0).sum().detach()


def test_a_case_loses_the_rows_and_columns_that_it_does_not_need():
    [finding] = check_objective(reads_the_second_column, laws=laws("nothing valid"), examples=50)
    assert finding.case.splitlines()[:2] == ["mask = [[1, 1]]", "logp = [[0, -0.125]]"]
    [finding] = check_objective(reads_the_second_column, laws=laws("padding is not read"))
    assert finding.case.splitlines()[0] == "mask = [[1, 0]]"
    mistakes = {mistake.function.__name__: mistake for mistake in MISTAKES}
    [finding] = check_objective(mistakes["forwards"].function, "returns",
                                laws=laws("later than the token"))  # fmt: skip
    assert finding.case.splitlines()[0] == "mask = [[1, 1]]"  # the law needs two columns
