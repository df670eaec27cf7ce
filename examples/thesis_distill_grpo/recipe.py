"""The stages of the thesis: prepare, sft, rl, evaluate."""

from __future__ import annotations

import random
from collections.abc import Sequence

from examples.common import (
    commands,
    evaluation,
    grpo,
    plan,
    preflight,
    prepared,
    records,
    sft,
    tasks,
)
from examples.common.commands import Run
from examples.common.data import Row
from examples.thesis_distill_grpo import judges, preparation, prompts, triplets
from examples.thesis_distill_grpo.own_settings import OWN
from examples.thesis_distill_grpo.reward import hybrid

CARELESS_SHARE = 0.4  # of the generated demonstrations, which forget the second pair of tags


def prepare(run: Run) -> None:
    """Write the question bank, and the examples of each stage that are drawn from it."""
    rng = random.Random(f"thesis {run.seed}")
    bank = preparation.bank(_questions(run, rng))
    records.write_jsonl(run.data / "bank.jsonl", [_public(row) for row in bank])
    print(f"   {len(bank):,} questions: {_counts(bank)}")
    if run.settings.own["teacher"].kind == "sums":
        examples, used = _sums_examples(run), []
    else:
        examples, used = _distilled(run, bank, rng)
    records.write_jsonl(prepared.path(run, "sft"), examples)
    chosen = preparation.draw(bank, run.settings.data.rl, rng, without=used)
    template = run.settings.own["prompts"].solve
    records.write_jsonl(prepared.path(run, "rl"), [_asked(row, template) for row in chosen])
    print(f"   {len(examples):,} supervised examples, {len(chosen):,} questions of the RL stage")
    for name, rows in _evaluation_sets(run, rng).items():
        count = records.write_jsonl(prepared.path(run, f"evaluation_{name}"), rows)
        print(f"   {count:,} questions of {name}")


def _questions(run: Run, rng: random.Random) -> list[Row]:
    sources = run.settings.data.sources
    if sources:
        return [row for source in sources for row in preparation.read(source, rng)]
    return [
        row | {"metadata": {"source": "sums"}, "reasoning": row["sum"]}
        for row in tasks.sums(largest=run.settings.data.largest)
    ]


def _distilled(run: Run, bank: list[Row], rng: random.Random) -> tuple[list[Row], list[Row]]:
    """Ask the teacher, keep what is perfect, draw from it; return examples and their questions."""
    teacher, template = run.settings.own["teacher"], run.settings.own["prompts"].solve
    questions = preparation.draw(bank, teacher.questions, rng)
    records.write_jsonl(
        run.data / "questions.jsonl",
        [{"id": row["id"], "prompt": triplets.teacher_prompt(row)} for row in questions],
    )
    answered = triplets.gather(teacher, questions)
    judge = judges.find(run.settings.own["judge"].quality)
    kept = triplets.keep_perfect(answered, judge)
    records.write_jsonl(run.data / "triplets.jsonl", kept)
    print(f"   {len(questions):,} asked, {len(answered):,} answered, {len(kept):,} perfect")
    if not kept:
        raise preflight.PreflightError(
            f"no triplet is left of {len(answered)}; look at data/questions.jsonl and the judge"
        )
    used = preparation.draw(kept, run.settings.data.sft, rng)
    return [triplets.example(row, template) for row in used], used


def _sums_examples(run: Run) -> list[Row]:
    settings, template = run.settings.data, run.settings.own["prompts"].solve
    drawn = tasks.demonstrations(
        tasks.sums(largest=settings.largest),
        lambda question, answer: f"<think> {question['sum']} </think> <answer> {answer} </answer>",
        count=settings.sft or 0,
        seed=run.seed,
        sloppiness=settings.sloppiness,
        careless=lambda question, answer: f"<think> {question['sum']} </think> {answer}",
        careless_share=CARELESS_SHARE,
    )
    return [
        {
            "prompt": prompts.ask(template, question["question"]),
            "completion": [{"role": "assistant", "content": completion}],
        }
        for question, completion in drawn
    ]


def _evaluation_sets(run: Run, rng: random.Random) -> dict[str, list[Row]]:
    template = run.settings.own["prompts"].evaluate
    if not run.settings.evaluation.sets:
        rows = preparation.bank(_questions(run, rng))
        chosen = preparation.draw(rows, run.settings.data.evaluation, rng)
        return {"generated": [_asked(row, template) for row in chosen]}
    return {
        source.name: [
            _asked(row, template) for row in preparation.bank(preparation.read(source, rng))
        ]
        for source in run.settings.evaluation.sets
    }


def _asked(row: Row, template: str) -> Row:
    return {
        "id": row["id"],
        "prompt": prompts.ask(template, row["question"]),
        "reference": preparation.references(row),
        "question": row["question"],
        "source": preparation.source_of(row),
    }


def _public(row: Row) -> Row:
    return {name: row[name] for name in ("id", "question", "final_answer", "metadata")}


def _counts(rows: Sequence[Row]) -> str:
    names = [preparation.source_of(row) for row in rows]
    return ", ".join(f"{name} {names.count(name):,}" for name in dict.fromkeys(names))


def run_sft(run: Run) -> None:
    """Distil: QLoRA on the teacher's reasoning."""
    sft.train(run, prepared.rows(run, "sft", ("prompt", "completion")))


def run_rl(run: Run) -> None:
    """GRPO with the hybrid reward."""
    stack = hybrid(judges.find(run.settings.own["judge"].reward))
    grpo.train(run, prepared.rows(run, "rl", ("prompt", "reference")), stack)


def run_evaluation(run: Run) -> None:
    """Ask every question twice, of the model before, after SFT and after GRPO."""
    asked = prepared.benchmarks(run, ["generated"])
    evaluation.evaluate_run(run, [evaluation.Benchmark(name, rows) for name, rows in asked.items()])


def check(run: Run, stages: Sequence[str]) -> None:
    """Look at what the stages need before the first begins."""
    plan.check(run, stages)
    own = run.settings.own
    for spec in (own["judge"].quality, own["judge"].reward, own["teacher"].function):
        judges.find(spec)


def describe(run: Run, stages: Sequence[str]) -> str:
    """Return the plan."""
    judge = run.settings.own["judge"].reward
    rest = judge or "nobody: no opinion"
    lines = {
        "prepare": [f"teacher  {run.settings.own['teacher'].kind}"],
        "rl": [f"reward   0.8 correctness + 0.2 format; rules decide, where they cannot {rest}"],
    }
    return plan.describe(run, stages, lines=lines, files={"prepare": _prepare_files(run)})


def _prepare_files(run: Run) -> list[str]:
    distils = run.settings.own["teacher"].kind != "sums"
    more = ["data/questions.jsonl", "data/triplets.jsonl"] if distils else []
    return ["data/bank.jsonl", *more, *plan.prepare_files(run.settings)]


RECIPE = commands.Recipe(
    name="thesis_distill_grpo",
    description="Distillation by QLoRA, then GRPO with a hybrid reward, after a bachelor thesis.",
    stages={"prepare": prepare, "sft": run_sft, "rl": run_rl, "evaluate": run_evaluation},
    plan=describe,
    check=check,
    own=OWN,
)
