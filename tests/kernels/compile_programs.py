"""Compile for an H100, without one, what the launchers of the Triton programs would launch.

    python compile_programs.py gae|surrogate|selective_logprob quick|every

The launchers run as they do on a GPU; only the launch itself is left out. Prints the name of each
program that was compiled.
"""

# ruff: noqa: N806  (names as in the formulas: B, T, V)
import math
import sys
from itertools import product

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


class AbsentDevice:
    """What the launch of a program asks for: compiled for sm_90, not run."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compile_only(program: JITFunction, grid: tuple[int, ...]):
    def launch(*args: object, **settings: object) -> None:
        compiled = program.run(*args, grid=grid, warmup=True, **settings)
        assert compiled.asm["cubin"]
        print(program.__name__, flush=True)

    return launch


def floats(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, dtype=torch.bool)


def gae(effort: str) -> None:
    from rlrewards.kernels.programs import gae as programs

    programs.machine = lambda x: programs.Machine(processors=132, tokens=2048)
    quick = (
        # streams, rows, tokens, a value for each stream, a rate for each row, bootstrap, carry, whiten
        (1, 512, 2048, True, False, False, True, False, torch.bfloat16),
        (1, 4096, 100, True, False, False, False, True, torch.float32),
        (1, 16, 32768, True, True, True, False, True, torch.float16),
        (3, 16, 8192, False, False, True, True, False, torch.float32),
        (3, 16, 8192, True, True, False, True, False, torch.bfloat16),
    )
    every = (
        (streams, *shape, *flags, torch.bfloat16)
        for streams, shape, *flags in product(
            (1, 2), ((512, 2048), (16, 32768)), *[(True, False)] * 5
        )
        if _is_asked_for(streams, *flags)
    )
    for streams, B, T, alone, by_row, bootstrap, carry, whiten, dtype in (
        quick if effort == "quick" else every
    ):
        first = () if streams == 1 else (streams,)
        programs.gae(
            floats(*first, B, T, dtype=dtype), floats(*(first if alone else ()), B, T, dtype=dtype),
            ones(B, T), gammas=[0.9] * streams, lam=floats(B) if by_row else 0.5, carry=carry,
            bootstrap=floats(*first, B) if bootstrap else None, whiten=whiten,
        )  # fmt: skip


def _is_asked_for(
    streams: int, alone: bool, by_row: bool, bootstrap: bool, carry: bool, whiten: bool
) -> bool:
    """By a public function: one stream has its own values, several carry and are not whitened."""
    return alone if streams == 1 else carry and not whiten and (alone or not by_row)


def surrogate(effort: str) -> None:
    from rlrewards.kernels.programs import surrogate as programs

    kinds = ("clipped", "cispo", "sapo", "reinforce", "sequence")
    penalties = ("", "k1", "k2", "k3", "k_abs", "k3_straight_through", "corrected_k3")
    quick = (
        ("clipped", "", False, torch.float32),
        ("clipped", "k3", True, torch.bfloat16),
        ("cispo", "corrected_k3", True, torch.float32),
        ("sapo", "k2", False, torch.float16),
        ("reinforce", "k1", True, torch.float32),
        ("sequence", "k_abs", True, torch.bfloat16),
        ("sequence", "k3_straight_through", False, torch.float32),
    )
    every = product(kinds, penalties, (False, True), (torch.bfloat16,))
    for kind, penalty, full, dtype in quick if effort == "quick" else every:
        if penalty == "corrected_k3" and kind == "reinforce":
            continue  # no ratio to correct with
        B, T = 64, 8192
        x = floats(B, T, dtype=dtype)
        advantages = floats(B, T) if full and kind != "sequence" else floats(B)
        weight = floats(B, dtype=torch.float64)
        optional = (x if penalty else None, ones(B, T) if full else None, x if full else None)
        tokens = (x, None if kind == "reinforce" else x, advantages, ones(B, T), weight, *optional)
        settings = (kind, penalty, 0.8, 1.2, math.inf, 0.1)
        programs.forward(tokens, settings, wanted=True, metrics=full)
        programs.backward(x, floats(), floats(), tokens, settings, fresh=full)


def selective_logprob(effort: str) -> None:
    from rlrewards.kernels.programs import selective_logprob as programs

    quick = ((False, False, torch.bfloat16), (True, True, torch.bfloat16))
    for masked, full, dtype in (
        quick if effort == "quick" else product(*[(False, True)] * 2, DTYPES)
    ):
        n, V = 64, 32000
        logits, labels = floats(n, V, dtype=dtype), torch.zeros(n, dtype=torch.int64)
        mask, row = ones(n) if masked else None, floats(n)
        settings = {"temperature": 0.7, "softcap": 30.0 if full else None}
        programs.statistics(logits, labels, mask, wanted=full, **settings)
        programs.gradient(
            logits, labels, mask, row, row, row, row if full else None, logits, elsewhere=full,
            **settings,
        )  # fmt: skip


def main() -> None:
    name, effort = sys.argv[1:]
    driver.set_active(AbsentDevice())
    JITFunction.__getitem__ = compile_only
    {"gae": gae, "surrogate": surrogate, "selective_logprob": selective_logprob}[name](effort)


if __name__ == "__main__":
    main()
