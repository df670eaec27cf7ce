"""Checks before anything heavy is loaded: each failure is one line with its remedy."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

GIB = 2**30
# Module to what installs it.
PACKAGES = {
    "torch": "pip install 'rlrewards[trl]'",
    "transformers": "pip install 'rlrewards[trl]'",
    "trl": "pip install 'rlrewards[trl]'",
    "peft": "pip install 'rlrewards[trl]'",
    "datasets": "pip install 'rlrewards[trl]'",
    "accelerate": "pip install 'rlrewards[trl]'",
    "matplotlib": "pip install 'rlrewards[report]'",
    "bitsandbytes": "pip install 'rlrewards[qlora]'",
    "gguf": "pip install 'rlrewards[qlora]'",
    "pytorch_optimizer": "pip install 'rlrewards[qlora]'",
    "vllm": "pip install vllm",
}


class PreflightError(RuntimeError):
    """Something that a run needs is missing; the message is one line and says the remedy."""


def require_packages(names: Iterable[str]) -> None:
    """Refuse where a package is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise PreflightError(f"package {name} is missing; install it with: {PACKAGES[name]}")


def packages_for(settings: Any) -> list[str]:
    """Return the packages that a run with these settings imports."""
    names = ["torch", "transformers", "trl", "peft", "datasets", "accelerate", "matplotlib"]
    stages = [stage for stage in (settings.sft, settings.rl) if stage is not None]
    optimizers = [stage.optimizer for stage in stages]
    if settings.model.quantization == "nf4" or any("8bit" in name for name in optimizers):
        names.append("bitsandbytes")
    if "exadam" in optimizers:
        names.append("pytorch_optimizer")
    if settings.rl is not None and settings.rl.vllm in ("colocate", "server"):
        names.append("vllm")
    return names


def require_device(needed_bytes: int, *, allow_cpu: bool) -> None:
    """Refuse where there is no GPU, or not enough memory.

    Args:
        needed_bytes: What the plan estimates for the fullest device.
        allow_cpu: Whether the run makes sense without a GPU.
    """
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        what, remedy = "GPU", "lower batch_size or completion_tokens, or quantize to nf4"
    elif allow_cpu:
        free = total = memory_available()
        what, remedy = "main", "close other programs, or take --model tiny"
    else:
        raise PreflightError(
            f"no GPU found, and this size needs one with {needed_bytes / GIB:.0f} GiB; "
            "run it on a machine with CUDA, or take tiny.toml"
        )
    if needed_bytes > free:
        raise PreflightError(
            f"too little {what} memory: about {needed_bytes / GIB:.1f} GiB needed, "
            f"{free / GIB:.1f} of {total / GIB:.1f} GiB free; {remedy}"
        )


def memory_available() -> int:
    """Return the bytes of main memory that a program may still take."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        import os

        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    [line] = [line for line in lines if line.startswith("MemAvailable:")]
    return int(line.split()[1]) * 1024


def require_columns(rows: Sequence[dict[str, Any]], columns: Iterable[str], where: str) -> None:
    """Refuse a data set that is empty or lacks a column."""
    if not rows:
        raise PreflightError(f"{where} has no rows; look at the path, the split and the filters")
    for name in columns:
        if name not in rows[0]:
            raise PreflightError(
                f"{where} has no column {name!r}, only {', '.join(sorted(rows[0]))}; "
                f'name it in the settings: columns = {{ {name} = "THEIR NAME" }}'
            )


def require_file(path: Path, remedy: str) -> None:
    """Refuse where a file of an earlier stage, or of the user's, is not there."""
    if not path.exists():
        raise PreflightError(f"{path} is missing; {remedy}")


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def require_chat_template(tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer that cannot write a conversation down."""
    if not getattr(tokenizer, "chat_template", None):
        raise PreflightError(
            f"the tokenizer of {name} has no chat template; take the model's instruct variant, "
            "or save a template with it (tokenizer.chat_template = ...)"
        )


def require_space(folder: Path, needed_bytes: int) -> None:
    """Refuse where the disk has no room for what will be written."""
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    if needed_bytes > free:
        raise PreflightError(
            f"too little room in {folder}: about {needed_bytes / GIB:.1f} GiB needed, "
            f"{free / GIB:.1f} free; choose another --out"
        )
