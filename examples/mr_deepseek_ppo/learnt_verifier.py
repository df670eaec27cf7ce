"""A verifier that was learnt: a classifier that reads an answer beside the reference.

HuatuoGPT-o1 trained one of 3B on medical answers, FreedomIntelligence/medical_o1_verifier_3B; its
second class is "right". Any sequence classifier of two classes will do, with a template of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import rlrewards as rr
from examples.mr_deepseek_ppo.prompts import REASONING_TAGS

# What HuatuoGPT-o1's verifier was trained to read, and so has to be shown.
TEMPLATE = """<Model Response>
{response}
</Model Response>

<Reference Answer>
{reference}
</Reference Answer>

Your task is to evaluate the model response by comparing it to the reference answer. \
If the model response is correct and aligns with the reference answer, output "True" . \
If it is incorrect or fails to select the correct option (if options are provided), \
output "False" . {end}"""


@dataclass(frozen=True)
class LearntVerifier:
    """1 where the classifier holds the final response for right, 0 where not; None without one.

    Args:
        path: Folder or hub id of the classifier.
        threshold: Probability from which an answer counts as right; HuatuoGPT-o1 takes 0.4.
        batch_size: Answers that are read together.
        max_tokens: Longer texts are cut.
    """

    path: str
    threshold: float = 0.4
    batch_size: int = 16
    max_tokens: int = 4000

    name = "verified"
    bounds = (0.0, 1.0)

    def __call__(self, batch: Sequence[rr.Sample], /) -> list[float | None]:
        """Return one score a sample."""
        texts = {index: self._text(sample) for index, sample in enumerate(batch)}
        shown = {index: text for index, text in texts.items() if text is not None}
        found: list[float | None] = [None] * len(batch)
        for index, right in zip(shown, self._right(list(shown.values())), strict=True):
            found[index] = float(right > self.threshold)
        return found

    def _text(self, sample: rr.Sample) -> str | None:
        response = final_response(sample.completion)
        reference = sample.reference
        if response is None or reference is None:
            return None
        reference = reference if isinstance(reference, str) else " or ".join(reference)
        end = _classifier(self.path)[1].eos_token or ""
        shown = TEMPLATE.replace("{end}", end).replace("{reference}", reference)
        return shown.replace("{response}", response)

    def _right(self, texts: list[str]) -> list[float]:
        """Return the probability of the class "right" of each text."""
        import torch

        found: list[float] = []
        for start in range(0, len(texts), self.batch_size):
            model, tokenizer = _classifier(self.path)
            inputs = tokenizer(
                texts[start : start + self.batch_size],
                return_tensors="pt",
                add_special_tokens=False,
                padding=True,
                padding_side="right",
                truncation=True,
                max_length=self.max_tokens,
            )
            with torch.no_grad():
                logits = model(
                    input_ids=inputs["input_ids"].to(model.device),
                    attention_mask=inputs["attention_mask"].to(model.device),
                ).logits
            found += logits.float().softmax(-1)[:, 1].tolist()
        return found


def final_response(completion: str) -> str | None:
    r"""Return what stands after the last `## Final Response`, or None without one.

    >>> final_response("## Thinking\n\nRash.\n\n## Final Response\n\nMeasles.\n")
    'Measles.'
    """
    _, mark, text = completion.rpartition(REASONING_TAGS[1])
    return (text.strip() or None) if mark else None


@lru_cache(maxsize=1)
def _classifier(path: str) -> tuple[Any, Any]:
    """Return the classifier and its tokenizer; loaded once a process."""
    import os

    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    on_gpu = torch.cuda.is_available()
    model = AutoModelForSequenceClassification.from_pretrained(
        path,
        num_labels=2,
        dtype=torch.bfloat16 if on_gpu else torch.float32,
        device_map={"": int(os.environ.get("LOCAL_RANK", "0"))} if on_gpu else None,
    )
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.eval(), tokenizer
