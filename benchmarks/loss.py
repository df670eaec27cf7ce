"""The clipped loss on the CPU, forward and backward: parity first, then time and memory.

Run: ``python benchmarks/loss.py [--quick] [--threads N] [--out FILE]``. The objective is GRPO's, a
sequence mean of the clipped surrogate plus β·k3, in float32. The peers:

- TRL: the lines of the formula in ``GRPOTrainer._compute_loss``, written out here without the
  trainer's metrics; where TRL is installed, its own method is checked against them, and timed too
  (with its metrics).
- Liger: ``ppo_loss_fn`` of its chunked GRPO loss, the part that follows the log-probs.
- verl: its vanilla policy loss and k3 written out here: log-ratios cut to ±20, dual clip at 3, the
  penalty cut to ±10.
- ``torch.compile`` of TRL's lines; the first call, which compiles, is timed apart.
- The copy: the time ``copy_`` takes for as many bytes as one pass reads and writes.

Times are the median and the best of interleaved runs, in ms. Memory is the highest sum of live
allocations that the profiler's record of the allocator shows during one step, beyond what was there
before it, in arrays of B·T·4 bytes; the gradient itself is one of them.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler speaks of every start and stop

import torch
from objective_timing import best_ms
from torch import Tensor

from rlrewards import objectives as rl
from rlrewards.objectives import aggregate, fused, kl, surrogate

warnings.filterwarnings("ignore", message="dynamo_pgo force disabled")

SHAPES = ((16, 4096), (64, 8192))
BETAS = (0.0, 0.04)
LOW, HIGH = 0.2, 0.28
TOLERANCE = 1e-5  # of the largest gradient: some float32 roundings, the peers' own included


class Case(NamedTuple):
    """One batch; the mask also as the numbers and the integers that the peers take."""

    logp: Tensor
    old_logp: Tensor
    ref_logp: Tensor
    advantages: Tensor
    mask: Tensor
    floats: Tensor
    beta: float


Loss = Callable[[Case], Tensor]
TRL = "TRL's formula"


def make_case(rows: int, width: int, beta: float) -> Case:
    """Prefix masks of random lengths, and ratios of which one in twenty is clipped."""
    torch.manual_seed(0)
    logp = -2 * torch.rand(rows, width)
    old, ref = (logp + 0.1 * torch.randn(rows, width) for _ in range(2))
    mask = torch.arange(width) < torch.randint(width // 4, width + 1, (rows, 1))
    return Case(logp.requires_grad_(), old, ref, torch.randn(rows), mask, mask.float(), beta)


def sequence_mean(x: Tensor, mask: Tensor) -> Tensor:
    return ((x * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)).mean()


def trl_formula(case: Case) -> Tensor:
    advantages = case.advantages.unsqueeze(1)
    ratio = torch.exp(case.logp - case.old_logp)
    clip = torch.clamp(ratio, 1 - LOW, 1 + HIGH)
    x = -torch.min(ratio * advantages, clip * advantages)
    if case.beta:
        penalty = torch.exp(case.ref_logp - case.logp) - (case.ref_logp - case.logp) - 1
        x = x + case.beta * penalty
    return sequence_mean(x, case.floats)


def verl_formula(case: Case) -> Tensor:
    advantages = case.advantages.unsqueeze(1)
    ratio = torch.exp(torch.clamp(case.logp - case.old_logp, min=-20.0, max=20.0))
    x = -advantages * ratio
    cut = torch.maximum(x, -advantages * torch.clamp(ratio, 1 - LOW, 1 + HIGH))
    dual = torch.min(-advantages * 3.0, cut)
    x = torch.where(advantages < 0, dual, cut)
    if case.beta:
        delta = torch.clamp(case.ref_logp - case.logp, min=-20.0, max=20.0)
        x = x + case.beta * torch.clamp(torch.exp(delta) - delta - 1, min=-10.0, max=10.0)
    return sequence_mean(x, case.floats)


def eager_pieces(case: Case) -> Tensor:
    x = surrogate.clipped(case.logp, case.old_logp, case.advantages, low=LOW, high=HIGH)
    if case.beta:
        x = x + case.beta * kl.k3(case.logp, case.ref_logp)
    return aggregate.sequence_mean(x, case.mask)


def recipe(case: Case) -> Tensor:
    return rl.recipes.grpo(
        case.logp,
        case.old_logp,
        case.advantages,
        case.mask,
        low=LOW,
        high=HIGH,
        beta=case.beta,
        ref_logp=case.ref_logp,
    ).loss


def fused_with(weights: Tensor) -> Loss:
    """The call alone; the weights, which a recipe counts, are there already."""
    return lambda case: fused.clipped_loss(
        case.logp,
        case.old_logp,
        case.advantages,
        case.mask,
        weights,
        low=LOW,
        high=HIGH,
        beta=case.beta,
        ref_logp=case.ref_logp,
    )


def trl_method() -> Loss | str:
    """TRL's own method on a trainer that is reduced to what the loss reads, or why not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from trl.trainer.grpo_trainer import GRPOTrainer
    except ImportError as error:
        return f"not installed ({error})"
    compute: Any = getattr(GRPOTrainer, "_compute_loss", None)
    if compute is None:
        return "this version has no GRPOTrainer._compute_loss"
    accelerator = SimpleNamespace(
        num_processes=1,
        sync_gradients=True,
        gather=lambda x: x,
        gather_for_metrics=lambda x: x,
        reduce=lambda x, reduction: x,
    )

    def loss(case: Case) -> Tensor:
        ids = torch.zeros_like(case.mask, dtype=torch.long)
        trainer = SimpleNamespace(
            loss_type="grpo",
            epsilon_low=LOW,
            epsilon_high=HIGH,
            beta=case.beta,
            args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
            _get_per_token_logps_and_entropies=lambda *_, **__: (case.logp, case.floats, None),
            _entropy_bonus_enabled=False,
            _metrics={"train": defaultdict(list)},
            accelerator=accelerator,
            aux_loss_enabled=False,
            current_gradient_accumulation_steps=1,
            importance_sampling_level="token",
            max_completion_length=case.mask.shape[1],
            model=SimpleNamespace(training=True),
            off_policy_mask_threshold=None,
            top_entropy_quantile=1.0,
            use_vllm=False,
        )
        inputs = {
            "prompt_ids": ids[:, :1],
            "prompt_mask": ids[:, :1] + 1,
            "completion_ids": ids,
            "completion_mask": case.floats,
            "advantages": case.advantages,
            "old_per_token_logps": case.old_logp,
            "ref_per_token_logps": case.ref_logp,
            "num_items_in_batch": case.mask.sum(),
        }
        found: Tensor = compute(trainer, None, inputs)
        return found

    return loss


def liger_method() -> Loss | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from liger_kernel.chunked_loss.grpo_loss import LigerFusedLinearGRPOFunction
    except ImportError as error:
        return f"not installed ({error})"

    def loss(case: Case) -> Tensor:
        found: Tensor = LigerFusedLinearGRPOFunction.ppo_loss_fn(
            case.logp,
            case.floats,
            case.advantages,
            case.floats,
            ref_per_token_logps=case.ref_logp,
            old_per_token_logps=case.old_logp,
            epsilon_low=LOW,
            epsilon_high=HIGH,
            beta=case.beta,
            loss_type="grpo",
        )[0]
        return found

    return loss


def compiled() -> Loss | str:
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "there is no C++ compiler here"
    torch._dynamo.reset()
    torch.compiler.config.force_disable_caches = True  # the first call of a fresh machine
    loss: Loss = torch.compile(trl_formula, dynamic=False)
    return loss


def step(loss: Loss, case: Case) -> tuple[Tensor, Tensor]:
    case.logp.grad = None
    value = loss(case)
    value.backward()  # type: ignore[no-untyped-call]
    assert case.logp.grad is not None
    return value.detach(), case.logp.grad


def error(found: tuple[Tensor, Tensor], want: tuple[Tensor, Tensor]) -> float:
    """The larger of the errors of the loss and, against its largest element, of the gradient."""
    of_loss = (found[0] - want[0]).abs() / want[0].abs().clamp(min=1e-3)
    of_gradient = (found[1] - want[1]).abs().max() / want[1].abs().max()
    return max(of_loss.item(), of_gradient.item())


def peak_arrays(loss: Loss, case: Case) -> float:
    case.logp.grad = None
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        step(loss, case)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        profile.export_chrome_trace(file.name)
        events = json.loads(Path(file.name).read_text())["traceEvents"]
    events = sorted((e for e in events if e.get("name") == "[memory]"), key=lambda e: e["ts"])
    live = highest = 0
    for event in events:
        live += event["args"]["Bytes"]
        highest = max(highest, live)
    return highest / (4 * case.logp.numel())


def interleaved_ms(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Each round in another order: whoever comes first finds colder caches."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = random.Random(0)
    for _ in range(rounds):
        for name, call in order.sample([*calls.items()], len(calls)):
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return times


def copy_ms(case: Case) -> float:
    """A copy reads and writes each byte; one pass reads 2 or 3 arrays and a mask, and writes 1."""
    arrays = (2 + bool(case.beta) + 0.25 + 1) / 2
    source = torch.zeros(int(arrays * case.logp.numel()))
    target = torch.empty_like(source)
    return best_ms(lambda: target.copy_(source))


def contenders(case: Case) -> tuple[dict[str, Loss], list[str]]:
    rows = case.mask.sum(1).double().clamp(min=1) * len(case.mask)
    candidates: dict[str, Loss | str] = {
        TRL: trl_formula,
        "TRL's method, with metrics": trl_method(),
        "Liger": liger_method(),
        "verl's formula": verl_formula,
        "torch.compile of TRL's": compiled(),
        "our eager pieces": eager_pieces,
        "our recipe": recipe,
        "our fused loss": fused_with(1 / rows),
    }
    found = {name: f for name, f in candidates.items() if not isinstance(f, str)}
    return found, [f"{name}: left out, {f}" for name, f in candidates.items() if isinstance(f, str)]


def table(rows: int, width: int, beta: float, rounds: int) -> list[str]:
    case = make_case(rows, width, beta)
    wide = Case(*(x.detach().double() for x in case[:4]), case.mask, case.floats.double(), beta)
    wide.logp.requires_grad_()
    truth = step(trl_formula, wide)
    losses, notes = contenders(case)
    lines = [
        f"{rows}×{width}, β = {beta}",
        f"{'':>28}{'error':>9}{'median':>9}{'TRL/it':>8}{'best':>9}{'TRL/it':>8}{'peak':>7}",
    ]
    errors = {}
    for name, loss in losses.items():
        start = time.perf_counter()
        errors[name] = error(step(loss, case), truth)
        if "compile" in name:
            notes.append(f"{name}: first call {time.perf_counter() - start:.1f} s")
    times = interleaved_ms({n: lambda f=f: step(f, case) for n, f in losses.items()}, rounds)
    columns = [{n: of(t) for n, t in times.items()} for of in (statistics.median, min)]
    for name, loss in losses.items():
        if not errors[name] <= TOLERANCE:
            lines.append(f"{name:>28}{errors[name]:>9.0e}  no parity: no time")
            continue
        shown = "".join(f"{ms[name]:>9.2f}{ms[TRL] / ms[name]:>8.1f}" for ms in columns)
        lines.append(f"{name:>28}{errors[name]:>9.0e}{shown}{peak_arrays(loss, case):>7.1f}")
    lines.append(f"{'copy of the same bytes':>28}{'':>26}{copy_ms(case):>9.2f}")
    return [*lines, *(f"  {note}" for note in notes), ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the small shape, few rounds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.zeros(16_000_000).add_(1)  # a warm allocator, as inside a training process
    lines = [f"torch {torch.__version__}, {args.threads} thread(s), float32; in ms", ""]
    print(lines[0], "\n", flush=True)
    for rows, width in SHAPES[:1] if args.quick else SHAPES:
        for beta in BETAS:
            new = table(rows, width, beta, 10 if args.quick else 60)
            print("\n".join(new), flush=True)
            lines += new
    if args.out:
        args.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
