"""Compute the values of other libraries anew: ``python tests/parity/make.py trl|liger|verl|openrlhf|all``.

Each library runs in a virtual environment of its own, thrown away afterwards unless ``--envs`` names
a folder to keep them in; ``from_<library>.py`` is what runs there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
TORCH = "torch==2.13.0"


class Library(NamedTuple):
    """``package`` is installed without its dependencies: ``needs`` are those its losses import."""

    package: str
    needs: tuple[str, ...]


LIBRARIES = {
    "trl": Library(
        "trl==1.16.0", ("transformers", "accelerate", "datasets", "jinja2", "pandas", "psutil")
    ),
    "liger": Library("liger-kernel==0.8.5", ("numpy",)),
    "verl": Library(
        "verl==0.9.1",
        (
            "accelerate",
            "codetiming",
            "datasets",
            "dill",
            "hydra-core",
            "numpy",
            "pandas",
            "peft",
            "psutil",
            "pyarrow",
            "ray",
            "tensordict>=0.8,<=0.10,!=0.9.0",
            "transformers>=5.5.3,<5.11,!=5.6.0",
        ),
    ),
    "openrlhf": Library("openrlhf==0.11.2", ("numpy", "packaging")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=[*LIBRARIES, "all"])
    parser.add_argument("--envs", type=Path, help="keep the environments here, and use them again")
    given = parser.parse_args()
    for name in LIBRARIES if given.library == "all" else [given.library]:
        with tempfile.TemporaryDirectory() as folder:
            python = environment(name, (given.envs or Path(folder)) / name)
            made = subprocess.run(
                [python, HERE / f"from_{name}.py"], stdout=subprocess.PIPE, text=True, check=True
            )
        path = HERE / f"{name}.json"
        path.write_text(made.stdout)
        rows = json.loads(made.stdout)["rows"]
        print(f"{path.name}: {len(rows)} rows, {len(made.stdout) / 1000:.0f} kB", file=sys.stderr)


def environment(name: str, folder: Path) -> Path:
    """The interpreter of the library's environment, made if it is not there."""
    python = folder / "bin" / "python"
    if python.exists():
        return python
    library = LIBRARIES[name]
    venv.create(folder, with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir"]
    subprocess.run([*install, TORCH, *library.needs], check=True, stdout=sys.stderr)
    subprocess.run([*install, "--no-deps", library.package], check=True, stdout=sys.stderr)
    return python


if __name__ == "__main__":
    main()
