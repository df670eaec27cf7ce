"""From the data sets' own columns to prompts, demonstrations and references.

- SFT: `Question`, `Complex_CoT`, `Response` (FreedomIntelligence/medical-o1-reasoning-SFT).
- RL: `Open-ended Verifiable Question`, `Ground-True Answer` (…/medical-o1-verifiable-problem).
- Evaluation: `question`, `options` (letter to text), `answer_idx`, as in HuatuoGPT-o1's
  eval_data.json, which holds a list for each benchmark: `subset` names one.

Without sources the examples are generated sums, of the same columns.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from examples.common import data, tasks
from examples.common.generation import render
from examples.common.preflight import PreflightError
from examples.common.settings import Settings, SourceSettings
from examples.mr_deepseek_ppo import prompts

Row = dict[str, Any]
SFT_COLUMNS = ("Question", "Complex_CoT", "Response")
RL_COLUMNS = ("Open-ended Verifiable Question", "Ground-True Answer")
CHOICE_COLUMNS = ("question", "options", "answer_idx")


def asked(question: str) -> list[dict[str, str]]:
    """Return the question as a conversation."""
    return [{"role": "user", "content": question}]


def demonstration(row: Row) -> Row:
    """Return what the supervised stage imitates: a prompt and a completion in the form."""
    text = prompts.response(row["Complex_CoT"], row["Response"])
    completion = [{"role": "assistant", "content": text}]
    return {"prompt": asked(row["Question"]), "completion": completion}


def tokenized(rows: Iterable[Row], tokenizer: Any) -> list[Row]:
    """Return the tokens of demonstrations, and which of them are the completion's.

    Prompt and completion are cut where the prompt of the RL stage ends, so that the model learns to
    begin there: a template that opens `<think>` for the assistant must not.
    """
    prompts.without_opened_thinking(tokenizer)
    found = []
    for row in rows:
        prompt = render(tokenizer, row["prompt"])
        whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        if not whole.startswith(prompt):
            raise PreflightError(
                "the chat template writes a prompt otherwise once it is answered; save a template "
                "with the tokenizer whose generation prompt is the beginning of the answer"
            )
        before, after = (
            tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (prompt, whole.removeprefix(prompt))
        )
        mask = [0] * len(before) + [1] * len(after)
        found.append({"input_ids": before + after, "completion_mask": mask})
    return found


def problem(row: Row) -> Row:
    """Return a question of the RL stage and its reference."""
    question, answer = (str(row[name]).strip() for name in RL_COLUMNS)
    return {"prompt": asked(question), "reference": answer}


def choice(row: Row, template: str) -> Row:
    """Return a multiple-choice question of the evaluation; the reference is its letter."""
    options = row["options"]
    options = json.loads(options) if isinstance(options, str) else options
    options = {letter: text for letter, text in options.items() if text is not None}
    question = prompts.choice(template, row["question"], options)
    return {"prompt": asked(question), "reference": row["answer_idx"], "options": options}


def complete(rows: Iterable[Row], columns: Iterable[str]) -> list[Row]:
    """Return the rows that have something in every column, as HuatuoGPT-o1's script does."""
    names = tuple(columns)
    return [row for row in rows if all(str(row[name] or "").strip() for name in names)]


def examples(settings: Settings, name: str, columns: tuple[str, ...]) -> list[Row]:
    """Return the rows of the source of that name, cleaned and drawn."""
    source = next((source for source in settings.data.sources if source.name == name), None)
    if source is None:
        return generated(settings, name)
    rows = complete(data.read(source, columns), columns)
    rows = data.without_duplicates(rows, columns[0])
    rng = random.Random(f"{name} {settings.seed}")
    count = getattr(settings.data, name) if source.take is None else source.take
    return data.sample(rows, count, rng, by=None)


def benchmark(source: SourceSettings, *, seed: int) -> list[Row]:
    """Return the rows of a benchmark; `subset` names one of a file that holds several."""
    path = Path(source.path).expanduser()
    if source.subset is None or path.suffix != ".json":
        rows = data.read(source, CHOICE_COLUMNS)
    else:
        if not path.exists():
            raise PreflightError(
                f"{path} is missing; take it from HuatuoGPT-o1's repository, evaluation/data, "
                "or name other files under [[evaluation.sets]]"
            )
        several = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(several, dict) or source.subset not in several:
            known = ", ".join(several) if isinstance(several, dict) else "none: it is a list"
            raise PreflightError(f"{path} has no benchmark {source.subset!r}; there are {known}")
        rows = several[source.subset]
        data.require_columns(rows, CHOICE_COLUMNS, f"{source.name} ({source.path})")
    return data.sample(rows, source.take, random.Random(f"{source.name} {seed}"), by=None)


# ---------------------------------------------------------------------------------------------
# Generated sums


def generated(settings: Settings, name: str) -> list[Row]:
    """Return generated rows in the columns of the data set that they stand for."""
    rows = tasks.sums(largest=settings.data.largest)
    if name == "rl":
        return [
            dict(zip(RL_COLUMNS, (r["question"], r["final_answer"]), strict=True)) for r in rows
        ]
    sloppy = tasks.demonstrations(
        rows,
        lambda question, answer: json.dumps([f"{question['sum']} = {answer}", answer]),
        count=settings.data.sft or 1000,
        seed=settings.seed,
        sloppiness=settings.data.sloppiness,
    )
    return [_sum_demonstration(question, *json.loads(drawn)) for question, drawn in sloppy]


def _sum_demonstration(question: Row, thinking: str, answer: str) -> Row:
    texts = (question["question"], thinking, f"The answer is {answer} .")
    return dict(zip(SFT_COLUMNS, texts, strict=True))


def generated_benchmarks(settings: Settings) -> dict[str, list[Row]]:
    """Return sums in the shape of the three benchmarks.

    Four options for MedQA and MedMCQA, three for PubMedQA. The tiny model reads no options: it is
    asked the sum, and the verifier finds the option that it answered with.
    """
    shapes = {"MedMCQA": "ABCD", "MedQA": "ABCD", "PubMedQA": "ABC"}
    found = {}
    for index, (name, letters) in enumerate(shapes.items()):
        rows = tasks.choices(largest=settings.data.largest, seed=index, letters=letters)
        found[name] = [
            {
                "question": f"add {row['sum']} =",
                "options": row["options"],
                "answer_idx": row["final_answer"],
            }
            for row in rows[: settings.data.evaluation]
        ]
    return found
