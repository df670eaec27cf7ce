"""hidden @ lm_head to log-probs, entropy, loss and gradients: parity first, then time and memory.

    python benchmarks/linear.py [--quick] [--repeats N] [--out FILE]

The objective is GRPO's clipped surrogate with ratio 1, a token mean; every contender returns the
loss, the log-probabilities and the entropies, and the gradients of hidden states and lm_head. Each
runs in a process of its own, so that its peak is its own: the resident memory above that with the
inputs alone on a CPU, torch's own record on a GPU. The contenders:

- full logits: one product, ``log_softmax``, autograd.
- TRL: the ``ChunkedLogProbFunction`` that its trainers use since 1.16, entropy asked for.
- Liger: its fused linear GRPO loss, which gives no entropies.
- linear_logprob: ours for any objective; the backward computes the logits again.
- linear_loss: ours for objectives that are sums over tokens.
- three products: what any of them does at least, with nothing in between.

Times are medians, after a first call. Without CUDA the shapes are those of a CPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

warnings.filterwarnings("ignore")

CPU_SHAPES = ((2048, 512, 32000), (1024, 512, 151936))
GPU_SHAPES = ((8192, 4096, 151936), (8192, 2048, 32000))
QUICK_SHAPES = ((256, 64, 4000),)
MIB = 1 << 20


class Case(NamedTuple):
    """One batch, ``[1, N]`` tokens."""

    hidden: Tensor
    lm_head: Tensor
    labels: Tensor
    advantages: Tensor
    mask: Tensor


class Result(NamedTuple):
    """What a contender gave."""

    loss: Tensor
    logp: Tensor
    entropy: Tensor | None


Contender = Callable[[Case], Result]


def make_case(shape: tuple[int, int, int], device: str) -> Case:
    tokens, size, vocabulary = shape
    torch.manual_seed(0)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    hidden = torch.empty(1, tokens, size, device=device, dtype=dtype).normal_()
    lm_head = torch.empty(vocabulary, size, device=device, dtype=dtype).normal_(std=size**-0.5)
    labels = torch.randint(vocabulary, (1, tokens), device=device)
    advantages = torch.randn(1, tokens, device=device)
    mask = torch.ones(1, tokens, dtype=torch.bool, device=device)
    return Case(hidden.requires_grad_(), lm_head.requires_grad_(), labels, advantages, mask)


def surrogate(case: Case, logp: Tensor) -> Tensor:
    """At ratio 1."""
    ratio = (logp - logp.detach()).exp()
    cut = ratio.clamp(0.8, 1.2)
    return -torch.min(ratio * case.advantages, cut * case.advantages).mean()


def full_logits(case: Case) -> Result:
    logits = case.hidden @ case.lm_head.t()
    all_logp = torch.log_softmax(logits.float(), -1)
    logp = all_logp.gather(-1, case.labels.unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        entropy = -(all_logp.exp() * all_logp).sum(-1)
    return Result(surrogate(case, logp), logp, entropy)


def trl(case: Case) -> Result:
    from trl.kernels.chunked_logprob import ChunkedLogProbFunction

    logp, entropy, *_ = ChunkedLogProbFunction.apply(
        case.hidden[0], case.lm_head, None, case.labels[0], 1.0, TRL_CHUNK, None, 1.0, ("entropy",)
    )
    return Result(surrogate(case, logp.unsqueeze(0)), logp.unsqueeze(0), entropy.detach()[None])


TRL_CHUNK = 32768
"""What its trainers take."""


def liger(case: Case) -> Result:
    from liger_kernel.chunked_loss import LigerFusedLinearGRPOLoss

    loss = LigerFusedLinearGRPOLoss(beta=0.0, loss_type="bnpo", use_ref_model=False)
    value = loss(case.hidden, case.lm_head, case.labels, case.mask.long(), case.advantages)[0]
    return Result(value, torch.empty(0), None)


def two_phase(case: Case) -> Result:
    from rlrewards.kernels.linear_logprob import linear_logprob

    logp, entropy = linear_logprob(case.hidden, case.lm_head, case.labels, entropy=True)
    assert entropy is not None
    return Result(surrogate(case, logp), logp, entropy.detach())


def one_pass(case: Case) -> Result:
    from rlrewards.kernels.linear_logprob import linear_loss
    from rlrewards.kernels.objective import PolicyObjective
    from rlrewards.objectives import recipes

    objective = PolicyObjective(recipes.dapo, case.advantages, case.mask, settings={"high": 0.2})
    out = linear_loss(case.hidden, case.lm_head, case.labels, objective, entropy=True)
    return Result(out.loss, out.logp, out.entropy)


def three_products(case: Case) -> Result:
    """Logits, and both gradients from an array of the same shape, some tokens at a time."""
    hidden, lm_head = case.hidden.detach()[0], case.lm_head.detach()
    into = torch.zeros_like(lm_head)
    step = 2048 if hidden.is_cuda else 256
    for start in range(0, len(hidden), step):
        part = hidden[start : start + step]
        logits = part @ lm_head.t()
        logits @ lm_head
        into.addmm_(logits.t(), part)
    return Result(torch.zeros(()), torch.empty(0), None)


CONTENDERS: dict[str, Contender] = {
    "full logits": full_logits,
    "TRL": trl,
    "Liger": liger,
    "linear_logprob": two_phase,
    "linear_loss": one_pass,
    "three products": three_products,
}


def resident() -> float:
    """Return the highest resident memory so far, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def reset_peak() -> None:
    """Forget the highest resident memory, where the system allows it."""
    Path("/proc/self/clear_refs").write_text("5")


def measured(name: str, shape: tuple[int, int, int], device: str, repeats: int) -> dict[str, Any]:
    """Run one contender; what it gave goes into a file, for the comparison."""
    case, contender = make_case(shape, device), CONTENDERS[name]
    if device == "cpu":
        reset_peak()
        before = resident()
    else:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / MIB

    def step() -> Result:
        case.hidden.grad = case.lm_head.grad = None
        result = contender(case)
        if result.loss.requires_grad:
            result.loss.backward()  # type: ignore[no-untyped-call]
        return result

    result = step()
    peak = (resident() if device == "cpu" else torch.cuda.max_memory_allocated() / MIB) - before
    times = [timed(step, device) for _ in range(repeats)]
    kept = {"loss": result.loss.detach(), "logp": result.logp.detach(), "entropy": result.entropy}
    if case.hidden.grad is not None:
        kept |= {"d hidden": case.hidden.grad[0, :64], "d lm_head": case.lm_head.grad[:4096]}
    for part, x in kept.items():
        kept[part] = None if x is None else x.double().cpu()
    return {"ms": 1e3 * statistics.median(times), "MiB": peak, "kept": kept}


def timed(step: Callable[[], object], device: str) -> float:
    if device == "cpu":
        start = time.perf_counter()
        step()
        return time.perf_counter() - start
    start_event, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start_event.record()
    step()
    end.record()
    end.synchronize()
    return start_event.elapsed_time(end) / 1e3


def in_a_process(
    name: str, shape: tuple[int, int, int], device: str, repeats: int, folder: Path
) -> dict[str, Any] | str:
    """Return what ``measured`` does, or why it could not be."""
    target = folder / f"{name.replace(' ', '_')}.pt"
    call = [sys.executable, __file__, "--one", name, "--shape", json.dumps(shape)]
    call += ["--device", device, "--repeats", str(repeats), "--target", str(target)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"status {done.returncode}"
    found: dict[str, Any] = torch.load(target)
    target.unlink()
    return found


def errors(found: dict[str, Tensor | None], truth: dict[str, Tensor | None]) -> dict[str, float]:
    """Relative errors, and that of the log-probabilities absolute and at worst."""
    out = {}
    for part, x in found.items():
        want = truth[part]
        if x is None or want is None or x.numel() != want.numel() or not x.numel():
            continue
        if part == "logp":
            out[part] = float((x - want).abs().max())
        elif part != "loss":
            out[part] = float((x - want).norm() / want.norm())
    return out


def table(shape: tuple[int, int, int], device: str, repeats: int, folder: Path) -> list[str]:
    tokens, size, vocabulary = shape
    operations = 6 * tokens * size * vocabulary
    lines = [
        f"N {tokens}, H {size}, V {vocabulary}, {'bfloat16' if device == 'cuda' else 'float32'}",
        f"{'':16}{'ms':>10}{'/full':>7}{'/3 products':>13}{'TFLOP/s':>9}{'MiB':>8}"
        f"{'|Δlogp|':>9}{'entropy':>9}{'d hidden':>9}{'d lm_head':>10}",
    ]
    runs = {name: in_a_process(name, shape, device, repeats, folder) for name in CONTENDERS}
    truth = runs["full logits"]
    for name, run in runs.items():
        if isinstance(run, str):
            lines.append(f"{name:16} left out: {run[:90]}")
            continue
        ratios = []
        for other in ("full logits", "three products"):
            peer = runs[other]
            ratios.append(f"{run['ms'] / peer['ms']:.2f}" if isinstance(peer, dict) else "-")
        off = errors(run["kept"], truth["kept"]) if isinstance(truth, dict) else {}
        shown = "".join(
            f"{off[part]:>{width}.0e}" if part in off else f"{'':>{width}}"
            for part, width in (("logp", 9), ("entropy", 9), ("d hidden", 9), ("d lm_head", 10))
        )
        lines.append(
            f"{name:16}{run['ms']:>10,.1f}{ratios[0]:>7}{ratios[1]:>13}"
            f"{operations / run['ms'] / 1e9:>9.2f}{run['MiB']:>8,.0f}{shown}"
        )
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small shape")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for hidden in ("--one", "--shape", "--target"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        shape = tuple(json.loads(args.shape))
        torch.save(measured(args.one, shape, args.device, args.repeats), args.target)
        return
    if args.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device: nothing to measure")
        return
    shapes = GPU_SHAPES if args.device == "cuda" else CPU_SHAPES
    where = torch.cuda.get_device_name() if args.device == "cuda" else "CPU"
    lines = [
        f"torch {torch.__version__}, {where}, {torch.get_num_threads()} thread(s); medians",
        "",
    ]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for shape in QUICK_SHAPES if args.quick else shapes:
            new = table(shape, args.device, args.repeats, Path(folder))
            print("\n".join(new), flush=True)
            lines += new
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
