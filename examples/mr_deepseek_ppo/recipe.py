"""The recipe by its parts, for the command line: stages, the plan of --dry-run, the checks."""

from __future__ import annotations

import os
from collections.abc import Sequence

from examples.common import plan
from examples.common.commands import Recipe, Run
from examples.common.preflight import PreflightError
from examples.common.settings import Settings
from examples.mr_deepseek_ppo import stages
from examples.mr_deepseek_ppo.own_settings import OWN
from examples.mr_deepseek_ppo.reward import RULES

VERIFIER_BYTES = 2 * 3.2e9  # HuatuoGPT-o1's, in bfloat16


def memories(settings: Settings) -> dict[str, plan.Memory]:
    """Return the estimate for the RL stage: the common one, less what is not so here, and more.

    Some rows are sampled together, not all of a step; the value head is float32; a verifier that
    was learnt stands beside the policy.
    """
    rl, own = settings.rl, settings.own
    if rl is None:
        return {}
    hidden, length = settings.model.shape.hidden, rl.prompt_tokens + rl.completion_tokens
    together = min(own["ppo"].rollout_batch_size, rl.batch_size * rl.accumulation)
    parts = plan.memory(settings, rl).parts | {
        "value head": 16.0 * (hidden + 1),
        "KV cache": plan.cache_bytes(settings.model, together, length),
        "verifier": 0.0 if own["grading"].verifier == RULES else VERIFIER_BYTES,
    }
    return {"rl": plan.Memory(parts)}


def describe(run: Run, chosen: Sequence[str]) -> str:
    """Return what --dry-run prints."""
    settings, rl, own = run.settings, run.settings.rl, run.settings.own
    ppo, passes, grading = own["ppo"], own["passes"], own["grading"]
    lines: dict[str, list[str]] = {}
    if rl is not None:
        head_rate = rl.learning_rate if ppo.value_learning_rate is None else ppo.value_learning_rate
        lines["rl"] = [
            f"PPO      {rl.iterations} passes of {ppo.mini_batches} optimizer steps; gamma "
            f"{ppo.gamma:g}, lambda {ppo.lam:g}; values: coefficient {ppo.value_coefficient:g}, "
            f"clip {ppo.value_clip:g}, rate of the head {head_rate:g}",
            f"reward   1.0 / 0.1 / 0; verifier: {grading.verifier}; KL in it: {rl.beta:g}",
        ]
    if passes.set is not None:
        lines["evaluate"] = [
            f"pass@k   {passes.questions} questions of {passes.set}, k = 1 to {passes.samples}"
        ]
    files = {
        "evaluate": [*plan.FILES["evaluate"](settings), "evaluation/pass_at_k.png"],
        "rl": [*plan.FILES["rl"](settings), "rl/final/value_head.pt"],
    }
    names = [source.name for source in settings.evaluation.sets] or stages.GENERATED
    files["prepare"] = [
        "data/sft.jsonl", "data/rl.jsonl", *(f"data/evaluation_{name}.jsonl" for name in names)
    ]  # fmt: skip
    return plan.describe(run, chosen, memories=memories(settings), lines=lines, files=files)


def check(run: Run, chosen: Sequence[str]) -> None:
    """Refuse what would fail later, before anything is loaded."""
    settings, rl = run.settings, run.settings.rl
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if "rl" in chosen:
        sharded = [
            name
            for name in ("FSDP", "DEEPSPEED")
            if os.environ.get(f"ACCELERATE_USE_{name}") == "true"
        ]
        if sharded:
            raise PreflightError(
                f"this loop keeps the whole policy on each GPU, {sharded[0]} cuts it; take "
                "examples/common/accelerate/8_h100_ddp.yaml"
            )
        if processes != settings.devices:
            raise PreflightError(
                f"the settings are for {settings.devices} devices, and processes there are "
                f"{processes}; start it through accelerate launch, or with --devices {processes}"
            )
        if rl is None:
            raise PreflightError("the settings have no [rl]; add it, or leave the stage out")
        if rl.group_size != 1:
            raise PreflightError(
                f"rl.group_size is {rl.group_size}; PPO has a critic and answers a question once: "
                "set it to 1"
            )
        if rl.loss != "ppo_clip":
            raise PreflightError(f"rl.loss is {rl.loss!r}; this recipe's is ppo_clip")
        rows = rl.batch_size * rl.accumulation
        if not 1 <= settings.own["ppo"].mini_batches <= rows:
            raise PreflightError(
                f"ppo.mini_batches is {settings.own['ppo'].mini_batches}; expected 1 to {rows}, "
                "the completions of a step (batch_size × accumulation)"
            )
        if rl.temperature <= 0:
            raise PreflightError(f"rl.temperature is {rl.temperature:g}; expected above 0")
    plan.check(run, chosen, memories=memories(settings))


RECIPE = Recipe(
    name="mr_deepseek_ppo",
    description="SFT, then PPO with a value head, on medical questions (MR-DeepSeek).",
    stages={
        "prepare": stages.prepare,
        "sft": stages.sft,
        "rl": stages.rl,
        "evaluate": stages.evaluate,
    },
    plan=describe,
    check=check,
    own=OWN,
)
