"""Every kernel of the registry: parity first, then time, memory and what share of the limit.

    python benchmarks/kernels.py [--quick] [--only NAME …] [--out FOLDER]

On a GPU where there is one, on the CPU otherwise. A kernel whose error against its oracle in
float64 is above its tolerance, on small and odd shapes or on the shape that is timed, gets no time
and makes the status 1. Beside each kernel its eager oracle in the same dtype, ``torch.compile`` of
that, and peers that are installed: TRL's and Liger's functions of the same meaning. ``error`` is
how far the results of each are from that oracle at valid tokens, ``‖x − oracle‖ / ‖oracle‖``. The
time is that of the forward and, where there are gradients, the backward: the median of many, by
CUDA events or the clock; memory is the peak above the inputs. GB/s count the bytes that have to be
read and written at least, against a copy; TFLOP/s those of the matrix products, against one large
product; both limits are measured in the same run. ``call`` is the time a call of an empty size
takes in Python, launch included.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rlrewards.kernels import parity
from rlrewards.kernels.registry import Inputs, Kernel, kernels

warnings.filterwarnings("ignore")

MIB = 1 << 20
SECONDS = 0.4
"""How long a time is measured."""


class Clock:
    """Times and peaks, on one device."""

    def __init__(self, device: str) -> None:
        self.device = device

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def once(self, call: Callable[[], object]) -> float:
        """Return the milliseconds of a call."""
        if self.device == "cpu":
            start = time.perf_counter()
            call()
            return 1e3 * (time.perf_counter() - start)
        start_event, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start_event.record()
        call()
        end.record()
        end.synchronize()
        return start_event.elapsed_time(end)

    def median(self, call: Callable[[], object]) -> float:
        """Return the median milliseconds of calls, after two that are not counted."""
        call()
        first = self.once(call)
        count = max(3, min(200, int(1e3 * SECONDS / max(first, 1e-3))))
        return statistics.median(self.once(call) for _ in range(count))

    def peak(self, call: Callable[[], object]) -> float | None:
        """Return the MiB a call needs beyond what is there; None where torch does not count."""
        if self.device == "cpu":
            return None
        self.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        self.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / MIB


class Limits(NamedTuple):
    """What this device does at best, measured."""

    gigabytes: float  # a second, read and written, by a copy
    teraflops: float  # by one large product


def limits(clock: Clock) -> Limits:
    size = 1 << (28 if clock.device == "cuda" else 24)
    source = torch.empty(size, device=clock.device).normal_()
    target = torch.empty_like(source)
    copied = clock.median(lambda: target.copy_(source))
    side, dtype = (8192, torch.bfloat16) if clock.device == "cuda" else (1024, torch.float32)
    a, b = (torch.empty(side, side, device=clock.device, dtype=dtype).normal_() for _ in range(2))
    product = clock.median(lambda: a @ b)
    return Limits(8 * size / copied / 1e6, 2 * side**3 / product / 1e9)


def step(function: Callable[..., Any], inputs: Inputs, gradients: tuple[str, ...]) -> None:
    """The forward and, where something is trained, the backward."""
    out = function(**inputs)
    outputs = [out] if isinstance(out, torch.Tensor) else [x for x in out if x is not None]
    trained = [x for x in outputs if x.requires_grad]
    leaves = [inputs[name] for name in gradients if isinstance(inputs.get(name), torch.Tensor)]
    if trained and leaves:
        torch.autograd.grad(trained, leaves, [torch.ones_like(x) for x in trained])


# ---------------------------------------------------------------------------------------------
# Peers


def trl_selective(
    logits: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, temperature: float, **_: Any
) -> torch.Tensor:
    """It gathers at every label, also at the −100 of a masked token."""
    from trl.trainer.utils import selective_log_softmax

    return selective_log_softmax(logits, labels.clamp(min=0), temperature, mask)


def trl_linear(**inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    from trl.kernels.chunked_logprob import ChunkedLogProbFunction

    found = ChunkedLogProbFunction.apply(
        inputs["hidden"][0], inputs["lm_head"], inputs["bias"], inputs["labels"][0].clamp(min=0),
        1.0, 32768, None, 1.0, ("entropy",),
    )  # fmt: skip
    return found[0], found[1]


def liger_policy(**inputs: Any) -> torch.Tensor:
    from liger_kernel.chunked_loss.grpo_loss import LigerFusedLinearGRPOFunction

    floats = inputs["mask"].float()
    return LigerFusedLinearGRPOFunction.ppo_loss_fn(
        inputs["logp"], floats, inputs["advantages"], floats,
        old_per_token_logps=inputs["old_logp"], epsilon_low=0.2, epsilon_high=0.2, beta=0.0,
        loss_type="grpo",
    )[0]  # fmt: skip


PEERS: dict[str, dict[str, Callable[..., Any]]] = {
    "selective_logprob": {"TRL": trl_selective},
    "linear_logprob with entropy": {"TRL": trl_linear},
    "policy_loss, grpo": {"Liger": liger_policy},
}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    torch.compiler.reset()
    return torch.compile(function, dynamic=False)


def contenders(kernel: Kernel, *, compile_too: bool) -> Iterator[tuple[str, Callable[..., Any]]]:
    yield "ours", kernel.fused
    yield "eager oracle", kernel.oracle
    if compile_too:
        yield "torch.compile", compiled(kernel.oracle)
    yield from PEERS.get(kernel.name, {}).items()


# ---------------------------------------------------------------------------------------------
# The table


class Line(NamedTuple):
    """A row of the table, and of the JSON file."""

    kernel: str
    shape: tuple[int, ...]
    who: str
    ms: float | None
    mib: float | None
    gigabytes: float | None
    teraflops: float | None
    error: float | None = None
    note: str = ""


def gate(kernel: Kernel, shape: tuple[int, ...], device: str, dtype: torch.dtype) -> float:
    """Return the largest error, over its tolerance: 1 at most is good."""
    inputs = kernel.make(shape, dtype, device, 11)
    found = parity.errors(kernel, inputs)
    return max(found.values(), default=0.0) / kernel.tolerance[dtype]


def small_gates(kernel: Kernel, device: str) -> float:
    worst = 0.0
    for dtype in kernel.dtypes:
        for shape in kernel.shapes:
            worst = max(worst, gate(kernel, shape, device, dtype))
    return worst


def measure(kernel: Kernel, shape: tuple[int, ...], clock: Clock) -> Iterator[Line]:
    """Yield a line for each contender, or one that says why there is none."""
    dtype = torch.bfloat16 if kernel.operations is not None and _multiplies(kernel) else None
    dtype = dtype if dtype is not None and clock.device == "cuda" else torch.float32
    try:
        over = gate(kernel, shape, clock.device, dtype)
    except torch.OutOfMemoryError:
        over = 0.0  # the oracle in float64 does not fit; the small shapes have passed
    if not over <= 1.0:
        yield nothing(kernel, shape, "ours", f"error {over:.1f}× too large")
        return
    inputs = kernel.make(shape, dtype, clock.device, 12)
    try:
        truth = outputs(kernel.oracle, inputs)
    except torch.OutOfMemoryError:
        truth = []
    for who, function in contenders(kernel, compile_too=clock.device == "cuda"):
        call = _bound(function, inputs, kernel.gradients)
        try:
            error = difference(outputs(function, inputs), truth)
            peak = clock.peak(call)
            ms = clock.median(call)
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            yield nothing(kernel, shape, who, reason[0][:60])
            continue
        bytes_moved, operations = kernel.bytes_moved(inputs), kernel.operations(inputs)
        yield Line(
            kernel.name, shape, who, ms, peak, bytes_moved / ms / 1e6,
            operations / ms / 1e9 if operations else None, error,
        )  # fmt: skip


def nothing(kernel: Kernel, shape: tuple[int, ...], who: str, why: str) -> Line:
    return Line(kernel.name, shape, who, None, None, None, None, note=why)


@torch.no_grad()
def outputs(function: Callable[..., Any], inputs: Inputs) -> list[torch.Tensor]:
    """Return what a function computes, of arrays over tokens the valid ones alone."""
    out, valid = function(**inputs), inputs["mask"].flatten() != 0
    found = [out] if isinstance(out, torch.Tensor) else [x for x in out if x is not None]
    return [x.flatten()[valid] if x.numel() == len(valid) else x.flatten() for x in found]


def difference(found: list[torch.Tensor], truth: list[torch.Tensor]) -> float | None:
    """Return the largest relative error of what both have; None without a truth."""
    pairs = [(x.double(), y.double()) for x, y in zip(found, truth, strict=False)]
    return max((float((x - y).norm() / y.norm()) for x, y in pairs), default=None)


def _multiplies(kernel: Kernel) -> bool:
    return kernel.operations(kernel.make(kernel.shapes[-1], torch.float32, "cpu", 0)) > 0


def _bound(
    function: Callable[..., Any], inputs: Inputs, gradients: tuple[str, ...]
) -> Callable[[], None]:
    return lambda: step(function, inputs, gradients)


def call_overhead(kernel: Kernel, device: str) -> float:
    """Return the µs a call takes in Python, on a shape with hardly anything to do."""
    inputs = kernel.make(kernel.shapes[0], torch.float32, device, 0)
    with torch.no_grad():
        for _ in range(20):
            kernel.fused(**inputs)
        times = []
        for _ in range(300):
            start = time.perf_counter()
            kernel.fused(**inputs)
            times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def shown(line: Line, best: Limits) -> str:
    shape = "×".join(map(str, line.shape))
    head = f"{'':4}{shape:>18} {line.who:14}"
    if line.ms is None:
        return f"{head} {line.note}"
    rate = f"{line.gigabytes:>9,.1f}{100 * line.gigabytes / best.gigabytes:>6.0f}%"
    if line.teraflops is not None:
        rate += f"{line.teraflops:>9.2f}{100 * line.teraflops / best.teraflops:>6.0f}%"
    else:
        rate += " " * 16
    peak = "" if line.mib is None else f"{line.mib:,.0f}"
    error = "" if line.error is None else f"{line.error:.0e}"
    return f"{head}{line.ms:>10.3f}{peak:>9} {rate}{error:>8}"


def plot(lines: list[Line], path: Path) -> None:
    """Time against the size of the input, a panel for each kernel; memory where it is known."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = sorted({line.kernel for line in lines})
    figure, axes = plt.subplots(len(names), 2, figsize=(10, 2.6 * len(names)), squeeze=False)
    for name, (left, right) in zip(names, axes, strict=True):
        mine = [line for line in lines if line.kernel == name and line.ms is not None]
        for who in dict.fromkeys(line.who for line in mine):
            points = sorted(
                (torch.Size(line.shape).numel(), line.ms, line.mib)
                for line in mine
                if line.who == who
            )
            sizes, times, peaks = zip(*points, strict=True)
            left.plot(sizes, times, "o-", label=who)
            if None not in peaks:
                right.plot(sizes, peaks, "o-", label=who)
        for axis, what in ((left, "ms"), (right, "MiB")):
            axis.set(xscale="log", yscale="log", title=name, ylabel=what)
        left.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the first shape of each kernel")
    parser.add_argument("--only", nargs="*", help="kernels whose name contains one of these")
    parser.add_argument("--out", type=Path, help="folder for the table, figures.json and a picture")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device: nothing to measure")
        return 0
    clock = Clock(args.device)
    best = limits(clock)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        print(text, flush=True)

    where = torch.cuda.get_device_name() if clock.device == "cuda" else platform.machine()
    say(f"{where}, torch {torch.__version__}, {datetime.date.today()}, commit {commit()}")
    say(f"copy {best.gigabytes:,.0f} GB/s, product {best.teraflops:,.2f} TFLOP/s, both measured\n")
    say(
        f"{'':4}{'shape':>18} {'':14}{'ms':>10}{'MiB':>9} {'GB/s':>9}{'':7}"
        f"{'TFLOP/s':>9}{'':7}{'error':>8}"
    )
    failed, lines = False, []
    for kernel in kernels():
        if args.only and not any(part in kernel.name for part in args.only):
            continue
        over = small_gates(kernel, clock.device)
        failed |= not over <= 1.0
        verdict = "parity" if over <= 1.0 else "NO PARITY"
        overhead = call_overhead(kernel, clock.device)
        say(f"{kernel.name}: {verdict}, error {over:.2f} of the tolerance; call {overhead:.0f} µs")
        if not over <= 1.0:
            continue
        shapes = kernel.bench_cuda if clock.device == "cuda" else kernel.bench_cpu
        for shape in shapes[:1] if args.quick else shapes:
            for line in measure(kernel, shape, clock):
                failed |= line.note.startswith("error")
                lines.append(line)
                say(shown(line, best))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "kernels.txt").write_text("\n".join(said) + "\n")
        figures = {"device": where, "torch": torch.__version__, "limits": best._asdict()}
        figures["lines"] = [line._asdict() for line in lines]
        (args.out / "kernels.json").write_text(json.dumps(figures, indent=1))
        try:
            plot(lines, args.out / "kernels.png")
        except ImportError:
            say("no picture: matplotlib is not installed")
    return int(failed)


def commit() -> str:
    """Return the commit that is measured, where git knows."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
