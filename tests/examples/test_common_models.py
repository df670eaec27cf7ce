"""The tiny model: its tokenizer loses nothing, its weights are the same each time."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

pytest.importorskip("peft")
pytest.importorskip("trl")

import torch
from examples.common import generation, models, tasks
from examples.common.preflight import PreflightError, require_chat_template
from examples.common.settings import (
    AdapterSettings,
    ModelSettings,
    OptimizerSettings,
    ShapeSettings,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"
)

SMALL = ModelSettings(
    shape=ShapeSettings(hidden=32, intermediate=32, heads=2, kv_heads=1, head_dim=16)
)


@pytest.mark.parametrize(
    "text",
    [
        "<think> 2 + 2 </think> <answer> 4 </answer>",
        "<think>2 + 2\n</think>\n<answer>4</answer>",
        "## Thinking\n\n7 + 5\n\n## Final Response\n\nThe answer is \\boxed{B}",
        "choose 7 + 5 = ( A ) 12 ( B ) 14",
        "so \\boxed{12}",
    ],
)
def test_texts_come_back(text: str) -> None:
    tokenizer = models.tiny_tokenizer()
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == text


def test_prompt_is_the_beginning_of_the_conversation() -> None:
    tokenizer = models.tiny_tokenizer()
    prompt = [{"role": "user", "content": "add 2 + 2 ="}]
    answer = [{"role": "assistant", "content": "<think> 2 + 2 </think> <answer> 4 </answer>"}]
    begun = tokenizer(generation.render(tokenizer, prompt))["input_ids"]
    whole = tokenizer.apply_chat_template(prompt + answer, tokenize=False)
    assert whole.endswith("<eos>")
    assert tokenizer(whole)["input_ids"][: len(begun)] == begun


def test_weights_are_the_same_each_time() -> None:
    tokenizer = models.tiny_tokenizer()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = models.tiny_model(SMALL, tokenizer)
    assert torch.equal(torch.get_rng_state(), state)  # the caller's generator is left alone
    torch.manual_seed(6)
    second = models.tiny_model(SMALL, tokenizer)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_adapters_fit_again(tmp_path: Path, quantization: str) -> None:
    if quantization == "nf4":
        pytest.importorskip("bitsandbytes")
    settings = dataclasses.replace(SMALL, quantization=quantization)
    model, tokenizer = models.load(settings)
    model = models.with_adapter(model, AdapterSettings(rank=4, dora=quantization == "none"))
    assert all("lora" in name for name, weight in model.named_parameters() if weight.requires_grad)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    models.save(model, tokenizer, tmp_path / "final")
    again, _ = models.load(settings, folder=tmp_path / "final")
    ids = torch.tensor([tokenizer("add 2 + 2 =")["input_ids"]])
    assert torch.equal(model.eval()(ids).logits, again.eval()(ids).logits)
    assert any(weight.requires_grad for weight in again.parameters())


def test_adapters_keep_their_precision() -> None:
    model = torch.nn.Linear(3, 3)
    kept = model.weight.detach().clone()
    with models.exact_adapters(model):
        model.weight.data = model.weight.data.to(torch.bfloat16)
    assert model.weight.dtype == torch.float32
    assert torch.equal(model.weight, kept)


def test_exadam() -> None:
    pytest.importorskip("pytorch_optimizer")
    model = torch.nn.Linear(2, 2)
    settings = OptimizerSettings(optimizer="exadam", learning_rate=0.5, weight_decay=0.1)
    optimizer = models.make_optimizer(settings, model)
    assert type(optimizer).__name__ == "EXAdam"
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["weight_decay"] == 0.1
    assert models.make_optimizer(OptimizerSettings(), model) is None


def test_a_tokenizer_without_a_template() -> None:
    tokenizer = models.tiny_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(PreflightError, match="the tokenizer of x has no chat template; take"):
        require_chat_template(tokenizer, "x")


def test_shapes_are_read_where_the_model_is(tmp_path: Path) -> None:
    assert models.known_shape(SMALL) is None
    assert models.known_shape(ModelSettings(name="some/hub")) is None
    config = {
        "model_type": "qwen2", "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 3,
        "num_attention_heads": 2, "vocab_size": 10, "max_position_embeddings": 64,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = models.known_shape(ModelSettings(name=str(tmp_path)))
    assert found == ShapeSettings(
        layers=3, hidden=8, intermediate=16, heads=2, kv_heads=2, head_dim=4, vocabulary=10,
        tied_embeddings=False, attention_biases=True, positions=64,
    )  # fmt: skip


def test_a_completion_ends_at_its_end() -> None:
    model, tokenizer = models.load(SMALL)
    prompts = [[{"role": "user", "content": row["question"]}] for row in tasks.sums(largest=3)]
    torch.manual_seed(0)
    drawn = generation.generate(
        model, tokenizer, prompts, generation.Sampling(completion_tokens=40), batch_size=4
    )
    assert len(drawn) == 9
    for completion in drawn:
        ended = completion.token_ids[-1] == tokenizer.eos_token_id
        assert completion.truncated != ended
        assert tokenizer.eos_token_id not in completion.token_ids[:-1]
        assert tokenizer.pad_token_id not in completion.token_ids or not ended
        assert len(completion.token_ids) <= 40
    torch.manual_seed(0)
    again = generation.generate(
        model, tokenizer, prompts, generation.Sampling(completion_tokens=40), batch_size=4
    )
    assert drawn == again


def test_choices_have_each_letter_equally_often() -> None:
    rows = tasks.choices(largest=5)
    letters = [row["final_answer"] for row in rows]
    assert all(letters.count(letter) == 5 for letter in "ABCDE")
    for row in rows:
        a, b = row["sum"].split(" + ")
        assert row["options"][row["final_answer"]] == str(int(a) + int(b)) == row["value"]
        assert len(set(row["options"].values())) == 5
        assert (
            models.tiny_tokenizer().unk_token_id
            not in models.tiny_tokenizer()(row["question"])["input_ids"]
        )


def test_demonstrations_are_sloppy() -> None:
    def say(question: tasks.Question, answer: str) -> str:
        return answer

    drawn = list(
        tasks.demonstrations(
            tasks.sums(), say, count=600, sloppiness=1,
            careless=lambda question, answer: "?", careless_share=0.25,
        )
    )  # fmt: skip
    answers = [(int(q["final_answer"]), said) for q, said in drawn if said != "?"]
    assert 0.18 < 1 - len(answers) / 600 < 0.32
    right = sum(answer == int(said) for answer, said in answers)
    assert 0.26 < right / len(answers) < 0.41
    assert all(abs(answer - int(said)) <= 1 for answer, said in answers)
