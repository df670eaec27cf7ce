"""The recipe MR-DeepSeek: its PPO against formulas written out, and the whole of it, tiny."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rlrewards as rr

torch = pytest.importorskip("torch")
for needed in ("transformers", "trl", "peft", "accelerate", "matplotlib"):
    pytest.importorskip(needed)

from examples.common import models, records, settings  # noqa: E402
from examples.common.commands import Run, main  # noqa: E402
from examples.common.preflight import PreflightError  # noqa: E402
from examples.mr_deepseek_ppo import (  # noqa: E402
    checkpoints,
    learnt_verifier,
    preparation,
    prompts,
    reward,
    rollout,
)
from examples.mr_deepseek_ppo.evaluation import grade  # noqa: E402
from examples.mr_deepseek_ppo.own_settings import OWN, steps_of  # noqa: E402
from examples.mr_deepseek_ppo.policy import Policy, without_dropout  # noqa: E402
from examples.mr_deepseek_ppo.ppo import Ppo, look, ppo_step, targets  # noqa: E402
from examples.mr_deepseek_ppo.recipe import RECIPE  # noqa: E402
from examples.mr_deepseek_ppo.rollout import Rollout  # noqa: E402
from examples.mr_deepseek_ppo.training import make_training  # noqa: E402

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "mr_deepseek_ppo"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def plain_and_small() -> Iterator[None]:
    """Kernels as they are without a GPU, not in Triton's interpreter; one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TRITON_INTERPRET", raising=False)
        yield
    torch.set_num_threads(threads)


def tiny(**changes: Any) -> settings.Settings:
    found = settings.read(FOLDER / "tiny.toml", own=OWN)
    return dataclasses.replace(found, **changes)


def accelerator() -> Any:
    from accelerate import Accelerator

    return Accelerator(cpu=True)


# ---------------------------------------------------------------------------------------------
# Sampling


def test_every_question_is_asked_once_an_epoch() -> None:
    def asked(steps: range, seed: int = 5) -> list[int]:
        each = [rollout.questions_of(s, count=10, rows=4, seed=seed) for s in steps]
        return [index for step in each for index in step]

    found = asked(range(1, 6))  # 20 rows: two epochs of ten
    assert sorted(found[:10]) == sorted(found[10:]) == list(range(10))
    assert found[:10] != found[10:]
    assert found == asked(range(1, 6))
    assert found != asked(range(1, 6), seed=6)


def test_the_numbers_that_draw_follow_from_seed_and_step() -> None:
    first = rollout.uniforms_of(3, rows=4, tokens=5, seed=1)
    assert torch.equal(first, rollout.uniforms_of(3, rows=4, tokens=5, seed=1))
    assert not torch.equal(first, rollout.uniforms_of(4, rows=4, tokens=5, seed=1))
    assert not torch.equal(first, rollout.uniforms_of(3, rows=4, tokens=5, seed=2))
    assert first.min() >= 0
    assert first.max() < 1


def test_a_drawn_number_points_at_the_token_of_its_quantile() -> None:
    probabilities = torch.tensor([[0.0, 0.5, 0.0, 0.2, 0.3, 0.0]])
    points = {0.0: 1, 0.499: 1, 0.501: 3, 0.699: 3, 0.701: 4, 1 - 2**-53: 4}
    for number, token in points.items():
        draw = rollout.Drawn(
            torch.tensor([[number]], dtype=torch.float64), temperature=1.0, prompt_width=3
        )
        scores = draw(torch.zeros(1, 3, dtype=torch.long), probabilities.log())
        assert scores.argmax().item() == token, number
        assert scores.isfinite().sum() == 1


def test_the_temperature_sharpens_what_is_drawn() -> None:
    # at T = 1/2 probabilities 1 : 3 become 1 : 9, so the first ends at 0.1
    scores = torch.tensor([[1.0, 3.0]]).log()
    for number, token in {0.09: 0, 0.11: 1}.items():
        draw = rollout.Drawn(
            torch.tensor([[number]], dtype=torch.float64), temperature=0.5, prompt_width=0
        )
        assert draw(torch.zeros(1, 0, dtype=torch.long), scores).argmax().item() == token


def sampled(policy: Policy, tokenizer: Any, texts: list[str], tokens: int = 6) -> Rollout:
    uniforms = rollout.uniforms_of(1, rows=len(texts), tokens=tokens, seed=0)
    policy.eval()
    found = rollout.sample(policy.language_model, tokenizer, texts, uniforms, temperature=1.0)
    policy.train()
    return Rollout(*found, torch.arange(len(texts)) / len(texts))


@pytest.fixture
def policy() -> Policy:
    """Return a model of random weights in double precision, so that comparisons are sharp."""
    torch.manual_seed(0)
    model, _ = models.load(tiny().model)
    made = Policy(model.double(), temperature=0.7).double()
    torch.nn.init.normal_(made.value_head.weight, std=0.1)
    return made


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return models.load_tokenizer(tiny().model)


TEXTS = ["<|user|> add 1 + 2 =\n<|assistant|>", "<|user|> add\n<|assistant|>", "so", "7 + 5"]


def test_the_mask_ends_with_the_first_end_token_whatever_was_drawn_before(
    policy: Policy, tokenizer: Any
) -> None:
    pad, end, word = tokenizer.pad_token_id, tokenizer.eos_token_id, 9
    script = torch.tensor([[pad, word, end, word], [end] * 4, [word] * 4])

    class Scripted:
        generation_config = policy.base.generation_config

        def parameters(self) -> Any:
            return iter([torch.zeros(1)])

        def generate(self, input_ids: Any, **_: Any) -> Any:
            return torch.cat([input_ids, script], 1)

    uniforms = torch.zeros(3, 4, dtype=torch.float64)
    *_, completions, mask = rollout.sample(
        Scripted(), tokenizer, TEXTS[:3], uniforms, temperature=1.0
    )
    assert torch.equal(completions, script)
    assert mask.sum(1).tolist() == [3, 1, 4]
    assert mask.dtype == torch.bool


def test_samples_of_several_widths_are_joined_at_the_place_where_answers_begin() -> None:
    one = torch.ones(1, 1, dtype=torch.long)
    parts = [
        (7 * one, one, 8 * one, one.bool()),
        (
            torch.tensor([[1, 2, 3]]),
            torch.ones(1, 3).long(),
            torch.tensor([[4, 5]]),
            torch.ones(1, 2).bool(),
        ),
    ]
    ids, prompt_mask, completions, mask = rollout.joined(parts, pad=0)
    assert ids.tolist() == [[0, 0, 7], [1, 2, 3]]
    assert prompt_mask.tolist() == [[0, 0, 1], [1, 1, 1]]
    assert completions.tolist() == [[8, 0], [4, 5]]
    assert mask.tolist() == [[True, False], [True, True]]


# ---------------------------------------------------------------------------------------------
# The policy


def test_log_probabilities_are_those_of_the_bare_model_at_the_temperature(
    policy: Policy, tokenizer: Any
) -> None:
    batch = sampled(policy, tokenizer, TEXTS)
    with torch.no_grad():
        seen = policy(batch)
        for row in range(len(TEXTS)):
            prompt = batch.prompts[row][batch.prompt_mask[row] == 1]
            drawn = batch.completions[row][batch.mask[row]]
            ids = torch.cat([prompt, drawn]).unsqueeze(0)
            out = policy.base(ids, output_hidden_states=True)
            logp = (out.logits[0] / 0.7).log_softmax(-1)
            for place, token in enumerate(drawn):
                before = len(prompt) + place - 1
                # the norms of the model are float32 whatever it is
                assert seen.logp[row, place] == pytest.approx(logp[before, token].item(), abs=1e-5)
                hidden, head = out.hidden_states[-1][0, before], policy.value_head
                value = hidden @ head.weight[0] + head.bias[0]
                assert seen.values[row, place] == pytest.approx(value.item(), abs=1e-5)


def test_the_values_start_at_zero() -> None:
    model, tokenizer = models.load(tiny().model)
    fresh = Policy(model)
    assert not fresh(sampled(fresh, tokenizer, TEXTS)).values.any()


def test_looking_some_rows_at_a_time_changes_nothing(policy: Policy, tokenizer: Any) -> None:
    batch = sampled(policy, tokenizer, TEXTS)
    whole = look(policy, batch, micro_batch=len(TEXTS))
    for size in (1, 3):
        for x, y in zip(look(policy, batch, micro_batch=size), whole, strict=True):
            torch.testing.assert_close(x[batch.mask], y[batch.mask], rtol=0, atol=1e-5)


def with_adapters(policy: Policy) -> Policy:
    from peft import LoraConfig, get_peft_model

    made = get_peft_model(
        policy.language_model, LoraConfig(r=4, lora_dropout=0.3, target_modules="all-linear")
    )
    without_dropout(made)
    return Policy(made.double(), temperature=0.7).double()


@pytest.mark.parametrize("adapters", [False, True])
def test_the_reference_is_the_policy_that_was_kept(
    policy: Policy, tokenizer: Any, adapters: bool
) -> None:
    made = with_adapters(policy) if adapters else policy
    if adapters:  # trained before, as by a supervised stage: the reference is not the bare model
        for name, weight in made.moving().items():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.2)
    batch = sampled(made, tokenizer, TEXTS)
    with pytest.raises(RuntimeError, match="call keep_as_reference"), made.as_reference():
        pass
    made.keep_as_reference()
    with torch.no_grad():
        start = made(batch).logp
        for weight in made.moving().values():
            weight.add_(0.05 * torch.randn_like(weight))
        moved = made(batch).logp
        assert (moved - start).abs().max() > 1e-3
        with made.as_reference():
            assert torch.equal(made(batch).logp, start)
        assert torch.equal(made(batch).logp, moved)
        if adapters:
            with made.language_model.disable_adapter():
                assert (made(batch).logp - start).abs().max() > 1e-3
    assert all(name.startswith(("value_head", "language_model")) for name in made.moving())


def test_dropout_is_off(policy: Policy, tokenizer: Any) -> None:
    made = with_adapters(policy).train()
    for name, weight in made.moving().items():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    batch = sampled(made, tokenizer, TEXTS)
    assert torch.equal(made(batch).logp, made(batch).logp)


# ---------------------------------------------------------------------------------------------
# The step


def written_out(policy: Policy, batch: Rollout, ppo: Ppo, reference: torch.Tensor) -> Any:
    """Return old log-probabilities, whitened advantages and returns, by loops over the tokens."""
    logp, values = (x.detach() for x in policy(batch))
    advantages, returns = torch.zeros_like(logp), torch.zeros_like(logp)
    for row, valid in enumerate(batch.mask):
        after = 0.0
        for t in reversed(range(int(valid.sum()))):
            last = t + 1 == int(valid.sum())
            got = -ppo.kl_coefficient * (logp[row, t] - reference[row, t])
            got += batch.rewards[row] if last else 0.0
            delta = got + (0.0 if last else ppo.gamma * values[row, t + 1]) - values[row, t]
            after = delta + ppo.gamma * ppo.lam * after
            advantages[row, t], returns[row, t] = after, after + values[row, t]
    every = advantages[batch.mask]
    whitened = (advantages - every.mean()) / (every.var() + 1e-8).sqrt()
    return logp, values, whitened, returns


def moved_away(policy: Policy) -> None:
    """Keep the present weights as the reference and move on."""
    policy.keep_as_reference()
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in policy.moving().values():
            weight.add_(0.02 * torch.randn_like(weight))


def test_rewards_penalty_and_advantages_are_those_of_the_formulas(
    policy: Policy, tokenizer: Any
) -> None:
    ppo = Ppo(micro_batch=4, kl_coefficient=0.3, gamma=0.9, lam=0.8)
    batch = sampled(policy, tokenizer, TEXTS)
    moved_away(policy)
    with policy.as_reference(), torch.no_grad():
        reference = policy(batch).logp
    expected = written_out(policy, batch, ppo, reference)
    found = targets(policy, batch, ppo)
    assert found.kl[batch.mask].abs().max() > 0.01
    for name, want in zip(
        ("old_logp", "old_values", "advantages", "returns"), expected, strict=True
    ):
        have = getattr(found, name)
        torch.testing.assert_close(have[batch.mask], want[batch.mask], rtol=0, atol=1e-5)


RATE = 0.002


@pytest.mark.parametrize(("low", "high"), [(0.02, 0.5), (0.5, 0.02)])
def test_a_step_is_that_of_the_loss_written_out(
    policy: Policy, tokenizer: Any, low: float, high: float
) -> None:
    """Two passes of plain gradient descent, so that ratios leave 1 and the clips bite."""
    ppo = Ppo(epochs=2, micro_batch=4, kl_coefficient=0.1, value_coefficient=0.5, value_clip=0.05,
              max_gradient_norm=1e9, clip_low=low, clip_high=high)  # fmt: skip
    batch = sampled(policy, tokenizer, TEXTS)
    moved_away(policy)
    start = {name: weight.detach().clone() for name, weight in policy.moving().items()}
    with policy.as_reference(), torch.no_grad():
        reference = policy(batch).logp
    old, old_values, advantages, returns = written_out(policy, batch, ppo, reference)

    descent = torch.optim.SGD(policy.parameters(), lr=RATE)
    clipped = 0
    for _ in range(ppo.epochs):
        logp, values = policy(batch)
        ratio = (logp - old).exp()
        bounded = ratio.clamp(1 - ppo.clip_low, 1 + ppo.clip_high)
        kept = ratio * advantages <= bounded * advantages
        clipped += int((~kept)[batch.mask].sum())
        apart = ((ratio - 1).abs() > 0.02) & ((ratio - 1).abs() < 0.5) & batch.mask
        surrogate = torch.minimum(ratio * advantages, bounded * advantages)[batch.mask].mean()
        near = old_values + (values - old_values).clamp(-ppo.value_clip, ppo.value_clip)
        errors = torch.maximum((values - returns) ** 2, (near - returns) ** 2)[batch.mask]
        descent.zero_grad()
        (-surrogate + ppo.value_coefficient * errors.mean() / 2).backward()
        descent.step()
    descent.zero_grad()
    assert clipped > 0
    assert (apart & (advantages > 0)).any()  # clipped by one of the two bounds, not by the other
    assert (apart & (advantages < 0)).any()
    expected = {name: weight.detach().clone() for name, weight in policy.moving().items()}
    change = max((expected[name] - start[name]).abs().max() for name in start)
    assert change > 1e-3

    for size in (4, 1, 3):  # however it is cut
        with torch.no_grad():
            for name, weight in policy.moving().items():
                weight.copy_(start[name])
        ppo_step(
            policy,
            torch.optim.SGD(policy.parameters(), lr=RATE),
            accelerator(),
            batch,
            dataclasses.replace(ppo, micro_batch=size),
            step=1,
        )
        for name, weight in policy.moving().items():
            # rewards, and the norms of the model, are float32
            torch.testing.assert_close(weight.detach(), expected[name], rtol=0, atol=1e-6)


def test_rows_without_an_opinion_teach_nothing(policy: Policy, tokenizer: Any) -> None:
    ppo = Ppo(epochs=1, micro_batch=2, kl_coefficient=0.0)
    batch = sampled(policy, tokenizer, TEXTS)
    start = {name: weight.detach().clone() for name, weight in policy.moving().items()}

    def step(taught: Rollout) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            for name, weight in policy.moving().items():
                weight.copy_(start[name])
        optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
        metrics = ppo_step(policy, optimizer, accelerator(), taught, ppo, step=1)
        assert all(math.isfinite(value) for value in metrics.values())
        return {name: weight.detach().clone() for name, weight in policy.moving().items()}

    mute = batch.mask.clone()
    mute[2:] = False
    rewards = batch.rewards.clone()
    rewards[2:] = torch.nan
    alone = step(Rollout(*(x[:2] for x in batch)))
    masked = step(batch._replace(mask=mute, rewards=rewards))
    for name, weight in masked.items():
        torch.testing.assert_close(weight, alone[name], rtol=0, atol=1e-6)
    assert any(not torch.equal(masked[name], start[name]) for name in start)


def test_mini_batches_are_steps_of_their_own(policy: Policy, tokenizer: Any) -> None:
    steps = []
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    ppo = Ppo(epochs=3, mini_batches=2, micro_batch=1, kl_coefficient=0.0)
    ppo_step(policy, optimizer, accelerator(), sampled(policy, tokenizer, TEXTS), ppo, step=1)
    assert len(steps) == 6


def test_the_critic_learns_the_returns(policy: Policy, tokenizer: Any) -> None:
    """Line 7 of the paper's algorithm is a minimum, whatever it prints."""
    batch = sampled(policy, tokenizer, TEXTS)
    ppo = Ppo(epochs=1, micro_batch=4, kl_coefficient=0.0, value_coefficient=1.0, lam=1.0)
    optimizer = torch.optim.Adam(policy.value_head.parameters(), lr=0.02)
    found = [ppo_step(policy, optimizer, accelerator(), batch, ppo, step=s) for s in range(1, 31)]
    assert found[-1]["value_loss"] < 0.3 * found[0]["value_loss"]
    assert found[-1]["explained_variance"] > found[0]["explained_variance"] + 0.3


# ---------------------------------------------------------------------------------------------
# Prompts, data, reward


def test_the_form_is_what_the_reward_asks_for() -> None:
    right, wrong = (prompts.response("so", f"The answer is {n} .") for n in (12, 13))
    samples = [rr.Sample(text, reference="12") for text in (right, wrong, "The answer is 12 .")]
    assert reward.stack()(samples) == [1.0, 0.1, 0.0]


def test_an_opened_think_is_taken_off_the_template(tokenizer: Any) -> None:
    class R1:
        chat_template = "{{ '<｜Assistant｜><think>\\n' }}"

    template = R1()
    prompts.without_opened_thinking(template)
    assert template.chat_template == "{{ '<｜Assistant｜>' }}"
    before = tokenizer.chat_template
    prompts.without_opened_thinking(tokenizer)
    assert tokenizer.chat_template == before


def test_a_demonstration_is_learnt_from_where_the_prompt_ends(tokenizer: Any) -> None:
    row = {"Question": "add 1 + 2 =", "Complex_CoT": "1 + 2 = 3", "Response": "The answer is 3 ."}
    [made] = preparation.tokenized([preparation.demonstration(row)], tokenizer)
    marks = zip(made["input_ids"], made["completion_mask"], strict=True)
    learnt = tokenizer.decode([token for token, mark in marks if mark])
    text = "## Thinking\n\n1 + 2 = 3\n\n## Final Response\n\nThe answer is 3 .<eos>"
    assert learnt == text
    whole = tokenizer.decode(made["input_ids"])
    assert whole == "<|user|> add 1 + 2 =\n<|assistant|>" + text


def test_a_template_whose_prompt_is_no_beginning_is_refused(tokenizer: Any) -> None:
    import copy

    other = copy.deepcopy(tokenizer)
    other.chat_template = (
        "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    )
    row = {"Question": "add", "Complex_CoT": "so", "Response": "3"}
    with pytest.raises(PreflightError, match="is the beginning of the answer"):
        preparation.tokenized([preparation.demonstration(row)], other)


def medical(tmp_path: Path) -> dict[str, Any]:
    """Write small files in the data sets' own columns; return settings that read them."""
    sft = [
        {
            "Question": f"What is sign {i}?",
            "Complex_CoT": f"Thought {i}.",
            "Response": f"It is {i}.",
        }
        for i in (1, 2, 3)
    ]
    sft += [{"Question": "what is  SIGN 1?", "Complex_CoT": "x", "Response": "y"}]  # a duplicate
    rl = [
        {"Open-ended Verifiable Question": "Which disease?", "Ground-True Answer": "Measles"},
        {"Open-ended Verifiable Question": "Which vitamin?", "Ground-True Answer": " "},
    ]
    question = {"question": "Which?", "options": {"A": "yes", "B": "no", "C": "maybe"}}
    benchmarks = {
        "MedQA_USLME_test": [question | {"answer_idx": "B", "answer": "no"}],
        "PubMedQA_test": [question | {"answer_idx": "C", "answer": "maybe"}] * 3,
    }
    records.write_jsonl(tmp_path / "sft.jsonl", sft)
    (tmp_path / "rl.json").write_text(json.dumps(rl))
    (tmp_path / "eval_data.json").write_text(json.dumps(benchmarks))
    pairs = {"MedQA": "MedQA_USLME_test", "PubMedQA": "PubMedQA_test"}
    sets = [
        {"name": name, "path": str(tmp_path / "eval_data.json"), "subset": subset}
        for name, subset in pairs.items()
    ]
    return {
        "recipe": "mr_deepseek_ppo",
        "data": {
            "sources": [
                {"name": "sft", "path": str(tmp_path / "sft.jsonl")},
                {"name": "rl", "path": str(tmp_path / "rl.json")},
            ]
        },
        "evaluation": {"sets": sets},
    }


def prepared(table: dict[str, Any], out: Path) -> Run:
    run = Run(settings.parse(table, own=OWN), out)
    RECIPE.stages["prepare"](run)
    return run


def test_data_sets_in_their_own_columns(tmp_path: Path) -> None:
    table = medical(tmp_path)
    table["evaluation"]["sets"][1]["take"] = 2
    run = prepared(table, tmp_path / "out")
    sft = records.read_jsonl(run.data / "sft.jsonl")
    assert len(sft) == 3
    assert sft[0] == {
        "prompt": [{"role": "user", "content": "What is sign 1?"}],
        "completion": [
            {
                "role": "assistant",
                "content": "## Thinking\n\nThought 1.\n\n## Final Response\n\nIt is 1.",
            }
        ],
    }
    assert records.read_jsonl(run.data / "rl.jsonl") == [
        {"prompt": [{"role": "user", "content": "Which disease?"}], "reference": "Measles"}
    ]
    [medqa] = records.read_jsonl(run.data / "evaluation_MedQA.jsonl")
    assert medqa["prompt"][0]["content"].endswith(
        "'The answer is A.'.\nWhich?\nA. yes\nB. no\nC. maybe"
    )
    assert medqa["reference"] == "B"
    assert len(records.read_jsonl(run.data / "evaluation_PubMedQA.jsonl")) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["data"]["sources"][0].update(path="nowhere.jsonl"), "nowhere.jsonl"),
        (lambda t: t["evaluation"]["sets"][0].update(path="no.json"), "take it from HuatuoGPT-o1's"),
        (lambda t: t["evaluation"]["sets"][0].update(subset="GPQA"), "there are MedQA_USLME_test"),
        (lambda t: t["data"]["sources"][0].update(path=t["data"]["sources"][1]["path"]),
         "no column 'Question', only Ground-True Answer, Open-ended"),
    ],
)  # fmt: skip
def test_data_that_is_not_there_is_told_in_a_line(
    tmp_path: Path, change: Any, message: str
) -> None:
    table = medical(tmp_path)
    change(table)
    with pytest.raises((PreflightError, OSError)) as caught:
        prepared(table, tmp_path / "out")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_final_response_is_what_the_learnt_verifier_reads() -> None:
    text = prompts.response("Fever.", "Measles, a viral disease.\n\nRest helps.")
    assert learnt_verifier.final_response(text) == "Measles, a viral disease.\n\nRest helps."
    assert learnt_verifier.final_response("Measles.") is None
    assert learnt_verifier.final_response("## Final Response\n\n ") is None


def test_a_learnt_verifier_gives_the_same_three_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    found = learnt_verifier.LearntVerifier("folder", threshold=0.4)
    asked: list[str] = []

    def probabilities(self: Any, texts: list[str]) -> list[float]:
        asked.extend(texts)
        return [0.41 if "heart attack" in text else 0.4 for text in texts]

    class Named:
        eos_token = "<end>"

    monkeypatch.setattr(learnt_verifier.LearntVerifier, "_right", probabilities)
    monkeypatch.setattr(learnt_verifier, "_classifier", lambda path: (None, Named))
    texts = [
        prompts.response("Pain.", "A heart attack."),
        prompts.response("Pain.", "Gout."),
        "Gout.",
    ]
    samples = [rr.Sample(text, reference="Myocardial infarction") for text in texts]
    assert reward.stack(found)(samples) == [1.0, 0.1, 0.0]
    assert len(asked) == 2  # without the form it is not asked
    assert asked[0].startswith("<Model Response>\nA heart attack.\n</Model Response>\n")
    assert "<Reference Answer>\nMyocardial infarction\n</Reference Answer>" in asked[0]
    assert asked[0].endswith('output "False" . <end>')
    assert reward.stack(found)([rr.Sample(texts[0])]) == [None]  # no reference: no opinion


def test_a_learnt_verifier_is_a_classifier_of_the_hub(tmp_path: Path, tokenizer: Any) -> None:
    from transformers import Qwen3ForSequenceClassification

    torch.manual_seed(0)
    config = models.load(tiny().model)[0].config
    config.num_labels = 2
    model = Qwen3ForSequenceClassification(config)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found = learnt_verifier.LearntVerifier(str(tmp_path), batch_size=1)
    texts = ["so 1 + 2 = 3 <eos>", "the answer is 12 <eos>"]
    for together in (found, dataclasses.replace(found, batch_size=2)):  # padding changes nothing
        for text, right in zip(texts, together._right(texts), strict=True):
            ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
            with torch.no_grad():
                expected = model.eval()(ids).logits.softmax(-1)[0, 1].item()
            assert right == pytest.approx(expected, abs=1e-5)
    learnt_verifier._classifier.cache_clear()


# ---------------------------------------------------------------------------------------------
# The command


def refused(argv: list[str], capsys: Any) -> str:
    with pytest.raises(SystemExit) as caught:
        main(RECIPE, argv)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return str(message)


def test_the_plan_of_the_full_size(capsys: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    argv = ["all", "--config", str(FOLDER / "full.toml"), "--dry-run", "--out", str(out)]
    assert main(RECIPE, argv) == 0
    printed = capsys.readouterr().out
    for line in (
        "8,030,261,248 weights in NF4",
        "41,943,040 weights",
        "2,500 of 8 examples",
        "157 of 128 questions",
        "3 passes of 1 optimizer steps; gamma 1, lambda 0.95; values: coefficient 0.1, clip 0.2",
        "verifier: FreedomIntelligence/medical_o1_verifier_3B; KL in it: 0.03",
        "100 questions of MedQA, k = 1 to 20",
        "rl/final/value_head.pt",
    ):
        assert line in printed, line
    assert not out.exists()


def changed(tmp_path: Path, **changes: str) -> str:
    """Write tiny.toml with some lines replaced."""
    text = (FOLDER / "tiny.toml").read_text()
    for old, new in changes.values() if isinstance(changes, list) else changes.items():
        name, _, _ = old.partition("__")
        lines = [new if line.startswith(f"{name} =") else line for line in text.splitlines()]
        assert lines != text.splitlines()
        text = "\n".join(lines)
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("rl", {"group_size": "group_size = 4"}, "rl.group_size is 4; PPO has a critic"),
        ("rl", {"loss": 'loss = "grpo"'}, "this recipe's is ppo_clip"),
        ("rl", {"mini_batches": "mini_batches = 99"}, "expected 1 to 48"),
        ("rl", {"gamma": "gama = 1.0"}, "unknown setting ppo.gama; known are gamma"),
        ("rl", {"beta": "beta = 0.1"}, "run the stage prepare first"),
        ("sft", {"lam": 'lam = "big"'}, "ppo.lam must be of type float, got 'big'"),
        ("evaluate", {"questions": "questions = 3"}, "run the stage prepare first"),
    ],
)
def test_what_cannot_run_is_told_in_a_line(
    tmp_path: Path, capsys: Any, stage: str, changes: dict[str, str], message: str
) -> None:
    config = changed(tmp_path, **changes)
    argv = [stage, "--config", config, "--out", str(tmp_path / "out")]
    assert message in refused(argv, capsys)


def test_prepare_and_evaluate_are_for_one_process(
    capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "stage evaluate is for one process" in refused(
        ["evaluate", "--out", str(tmp_path)], capsys
    )


def test_as_many_processes_as_devices(capsys: Any, tmp_path: Path) -> None:
    argv = ["rl", "--devices", "2", "--out", str(tmp_path)]
    argv += ["--config", changed(tmp_path, accumulation="accumulation = 4")]
    assert "for 2 devices, and processes there are 1" in refused(argv, capsys)


@pytest.mark.parametrize("name", ["FSDP", "DEEPSPEED"])
def test_launchers_that_cut_the_policy_are_refused(
    capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    assert "8_h100_ddp.yaml" in refused(["rl", "--out", str(tmp_path)], capsys)
    assert (ROOT / "examples" / "common" / "accelerate" / "8_h100_ddp.yaml").exists()


def test_steps_follow_from_the_epochs_unless_they_are_given() -> None:
    rl = settings.RlSettings(batch_size=2, accumulation=4, epochs=2.0)
    assert steps_of(rl, 80, 2) == 10
    assert steps_of(dataclasses.replace(rl, max_steps=7), 80, 2) == 7
    assert steps_of(rl, 1, 2) == 1


# ---------------------------------------------------------------------------------------------
# The whole, tiny


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepare and do the supervised stage once."""
    out = tmp_path_factory.mktemp("supervised")
    for stage in ("prepare", "sft"):
        assert main(RECIPE, [stage, "--out", str(out)]) == 0
    return out


def begun(supervised: Path, out: Path) -> Path:
    for name in ("data", "sft"):
        shutil.copytree(supervised / name, out / name)
    return out


@pytest.fixture(scope="module")
def trained(supervised: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Train from there with three seeds."""
    found = {}
    for seed in range(3):
        found[seed] = begun(supervised, tmp_path_factory.mktemp(f"seed{seed}"))
        assert main(RECIPE, ["rl", "--out", str(found[seed]), "--seed", str(seed)]) == 0
    return found


def history(out: Path) -> list[dict[str, Any]]:
    rows = records.read_jsonl(out / "rl" / "metrics.jsonl")
    assert all(row.pop("seconds") > 0 for row in rows)
    return rows


def difference(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> float:
    """Return the largest difference of two histories."""
    assert [row["step"] for row in first] == [row["step"] for row in second]
    pairs = [(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a]
    assert all((x is None) == (y is None) for x, y in pairs)
    return max(abs(x - y) for x, y in pairs if x is not None)


@pytest.mark.parametrize("seed", range(3))
def test_the_reward_rises(trained: dict[int, Path], seed: int) -> None:
    rows = history(trained[seed])
    assert [row["step"] for row in rows] == list(range(1, 31))
    assert records.ends([row["reward"] for row in rows])["rise_in_standard_errors"] > 2
    for row in rows:
        assert row["reward"] == pytest.approx(0.1 * row["format"] + 0.9 * row["verified"], abs=1e-6)
    assert rows[0]["kl"] == pytest.approx(0, abs=1e-6)  # the reference is where it began
    assert any(row["kl"] > 0.01 for row in rows)


def test_seeds_differ(trained: dict[int, Path]) -> None:
    assert difference(history(trained[0]), history(trained[1])) > 0.01


def test_what_a_run_leaves_behind(trained: dict[int, Path]) -> None:
    folder = trained[0] / "rl"
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert [step for step, _ in checkpoints.found(folder)] == [20, 30]
    head = torch.load(folder / "final" / "value_head.pt", weights_only=True)
    assert head["weight"].abs().max() > 0
    rows = records.read_jsonl(folder / "completions.jsonl")
    assert len(rows) == 30 * 48
    assert {row["verified"] for row in rows} == {0.0, 1.0}
    right = [row for row in rows if row["verified"] == 1]
    assert all("## Final Response\n\n" in row["completion"] for row in right)


def test_a_resumed_run_goes_on_as_it_would_have(
    trained: dict[int, Path], tmp_path: Path, capsys: Any
) -> None:
    whole = trained[1]
    out = tmp_path / "cut"
    shutil.copytree(whole, out)
    shutil.rmtree(out / "rl" / "checkpoint-30")
    shutil.rmtree(out / "rl" / "final")
    assert main(RECIPE, ["rl", "--out", str(out), "--seed", "1", "--resume"]) == 0
    assert "10 steps to go" in capsys.readouterr().out
    assert difference(history(out), history(whole)) < 1e-6
    completions = [records.read_jsonl(x / "rl" / "completions.jsonl") for x in (out, whole)]
    assert [r["completion"] for r in completions[0]] == [r["completion"] for r in completions[1]]
    assert main(RECIPE, ["rl", "--out", str(out), "--seed", "1", "--resume"]) == 0
    assert "finished before" in capsys.readouterr().out


def test_a_checkpoint_of_other_weights_is_refused(
    trained: dict[int, Path], tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "other"
    shutil.copytree(trained[0], out)
    shutil.rmtree(out / "rl" / "final")
    shutil.rmtree(out / "sft")  # then the stage begins with the bare model, of the settings' shape
    config = changed(tmp_path, hidden="hidden = 48")
    argv = ["rl", "--config", config, "--out", str(out), "--resume"]
    assert "holds the weights of another model" in refused(argv, capsys)


def test_the_evaluation_prints_its_table(trained: dict[int, Path], capsys: Any) -> None:
    out = trained[0]
    assert main(RECIPE, ["evaluate", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    for words in ("accuracy", "95 % interval", "characters", "MedMCQA, sft", "PubMedQA, rl"):
        assert words in printed
    assert "pass@20" in printed
    assert "MedQA, rl: " in printed
    assert "on the model before, 95 % interval" in printed
    folder = out / "evaluation"
    found = json.loads((folder / "results.json").read_text())
    assert (folder / "pass_at_k.png").read_bytes().startswith(b"\x89PNG")

    rows = records.read_jsonl(folder / "completions_MedQA_pass_at_k_rl.jsonl")
    assert len(rows) == 8 * 20
    right = [sum(r["right"] for r in rows if r["question"] == q) for q in range(8)]
    assert 0 < sum(right) < 160
    for k in range(1, 21):  # the subsets of k of 20 without a right one, counted
        missed = sum(math.comb(20 - c, k) / math.comb(20, k) for c in right) / 8
        value = found["MedQA pass@k, rl"]["pass_at"][str(k)]["value"]
        assert value == pytest.approx(1 - missed, abs=1e-12)
    characters = sum(len(r["completion"]) for r in rows) / len(rows)
    assert found["MedQA pass@k, rl"]["characters"]["value"] == pytest.approx(characters)
    for name in ("MedMCQA", "MedQA", "PubMedQA"):
        plain = records.read_jsonl(folder / f"completions_{name}_rl.jsonl")
        share = sum(r["right"] for r in plain) / len(plain)
        assert found[f"{name}, rl"]["accuracy"]["value"] == pytest.approx(share)


def test_what_is_graded_is_the_final_response() -> None:
    options = {"A": "yes", "B": "no", "C": "maybe"}
    texts = {
        prompts.response("Option A is tempting.", "The answer is B."): True,
        prompts.response("The answer is B.", "The answer is A."): False,
        "<think>\nThe answer is A.\n</think>\n\nThe answer is B.": True,
        "<think>\nThe answer is B.\n</think>\n\nI cannot say.": False,
        "": False,
    }
    for text, right in texts.items():
        assert grade(rr.Sample(text, reference="B", options=options)) is right, text


def test_four_bit_weights_stand_still_and_adapters_move(supervised: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    base = tiny()
    assert base.rl is not None
    model = dataclasses.replace(base.model, quantization="nf4", double_quantization=True)
    rl = dataclasses.replace(base.rl, max_steps=2, batch_size=4, save_steps=2)
    made = dataclasses.replace(
        base, model=model, rl=rl, adapter=settings.AdapterSettings(rank=4, dropout=0.1)
    )
    run = Run(made, tmp_path)
    brevity = rr.Stack({"brevity": rr.each(lambda sample: -len(sample.token_ids or ()) / 10)})
    training = make_training(run, records.read_jsonl(supervised / "data" / "rl.jsonl"), brevity)
    frozen = {n: w.clone() for n, w in training.policy.named_parameters() if not w.requires_grad}
    assert any(weight.dtype == torch.uint8 for weight in frozen.values())
    moving = {name: weight.detach().clone() for name, weight in training.policy.moving().items()}
    for step in (1, 2):
        row = training.step(step)
        assert math.isfinite(row["policy_loss"])
    training.save(2)
    for name, weight in training.policy.named_parameters():
        if name in frozen:
            assert torch.equal(weight, frozen[name])
    assert any(not torch.equal(w, moving[n]) for n, w in training.policy.moving().items())
    [(_, folder)] = checkpoints.found(run.stage("rl"))
    state = torch.load(folder / "state.pt", weights_only=True)
    assert state["weights"].keys() == moving.keys()
    assert all("lora_" in name or "value_head" in name for name in moving)


@pytest.mark.slow
def test_two_processes_train_as_one(supervised: Path, tmp_path: Path) -> None:
    """The same rows, the same numbers that draw, the same denominators: the same curve."""
    text = (FOLDER / "tiny.toml").read_text().replace("max_steps = 30", "max_steps = 3")
    text = text.replace("batch_size = 48\naccumulation = 1", "batch_size = 12\naccumulation = 4")
    config = tmp_path / "settings.toml"
    config.write_text(text)
    found = []
    for processes in (1, 2):
        out = begun(supervised, tmp_path / str(processes))
        launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        stage = ["-m", "examples.mr_deepseek_ppo", "rl", "--config", str(config), "--out", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", *launcher, *stage],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert "48 completions a step" in done.stdout
        found.append(history(out))
        assert len(records.read_jsonl(out / "rl" / "completions.jsonl")) == 3 * 48
        assert len(list((out / "rl" / "checkpoint-3").glob("random-*.pt"))) == processes
    # sums in another order; the norm of the gradients is the largest number
    assert difference(*found) < 1e-4
