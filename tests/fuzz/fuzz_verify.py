"""Fuzz the verifier: coverage-guided with atheris, or at random where that is missing.

    python tests/fuzz/fuzz_verify.py --runs 1000000 --seconds 3600
    python tests/fuzz/fuzz_verify.py build/fuzz/crash-0123          # try one case again

A case that breaks a law is written to `build/fuzz`, and the run ends with status 77 (or 1). What
was learnt stays in `build/fuzz/corpus`, so that the next run goes on from there.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import pkgutil
import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEEDS = HERE / "seeds"
OUTPUT = ROOT / "build" / "fuzz"
SLOWEST_CASE_SECONDS = 20

# Modules that only the worker process imports: not fuzzed here, and slow to instrument.
WORKER_ONLY = ("sympy", "worker", "latex_fallback")


def load_verifier() -> None:
    """Import all that a verdict needs, so that an instrumented import sees each module."""
    package = importlib.import_module("rlrewards.verify")
    for module in pkgutil.walk_packages(package.__path__, "rlrewards.verify."):
        if not module.name.removeprefix("rlrewards.verify.").startswith(WORKER_ONLY):
            importlib.import_module(module.name)


def with_atheris(arguments: argparse.Namespace) -> None:
    """Fuzz under libFuzzer; does not return."""
    import atheris

    with atheris.instrument_imports(include=["rlrewards.verify"]):
        load_verifier()
    from laws import check, without_workers
    from mutator import decode, mutate

    if not arguments.workers:
        without_workers()

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.25:
            return bytes(atheris.Mutate(data, max_size))
        changed = mutate(data, chance)
        return changed if len(changed) <= max_size else data

    def one(data: bytes) -> None:
        check(decode(data), arguments.target)

    corpus = arguments.corpus or OUTPUT / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={arguments.runs}",
        f"-max_total_time={arguments.seconds}",
        f"-timeout={SLOWEST_CASE_SECONDS}",
        f"-seed={arguments.seed}",
        f"-artifact_prefix={OUTPUT}/",
        "-max_len=2048",
        "-rss_limit_mb=1536",  # instrumented modules take one gigabyte of it
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus), str(SEEDS)], one, custom_mutator=mutator)
    atheris.Fuzz()


def at_random(runs: int, seconds: float, seed: int, target: str = "all") -> int:
    """Fuzz without coverage: changes on changes of the seeds. Returns the number of cases."""
    from laws import check
    from mutator import decode, mutate

    chance = random.Random(seed)
    pool = seed_cases()
    end = time.monotonic() + seconds
    for done in range(runs):
        if time.monotonic() > end:
            return done
        data = mutate(chance.choice(pool), chance)
        try:
            check(decode(data), target)
        except BaseException:
            keep(data)
            raise
        if chance.random() < 0.2:
            pool[chance.randrange(len(pool))] = data
        if chance.random() < 0.01:
            pool = seed_cases()
    return runs


def seed_cases() -> list[bytes]:
    """Return the cases that ship with the harness."""
    return [path.read_bytes() for path in sorted(SEEDS.iterdir())]


def keep(data: bytes) -> None:
    """Write a case that broke a law to where libFuzzer writes its own."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / f"crash-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)


def parse_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="fuzz the verifier")
    parser.add_argument("cases", nargs="*", type=Path, help="cases to try again")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=3_600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", default="all", help="parse, verify, extract, grade or all")
    parser.add_argument("--workers", action="store_true", help="ask the symbolic tier too")
    parser.add_argument("--corpus", type=Path, help="default: build/fuzz/corpus")
    parser.add_argument("--random", action="store_true", help="without coverage")
    return parser.parse_args()


def main() -> None:
    """Fuzz, or try cases again."""
    arguments = parse_arguments()
    has_atheris = importlib.util.find_spec("atheris") is not None
    if not (arguments.cases or arguments.random) and has_atheris:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        with_atheris(arguments)
        return
    from laws import check, without_workers
    from mutator import decode

    if not arguments.workers:
        without_workers()
    for path in arguments.cases:
        print(path, decode(path.read_bytes()))
        check(decode(path.read_bytes()), arguments.target)
    if not arguments.cases:
        start = time.monotonic()
        done = at_random(arguments.runs, arguments.seconds, arguments.seed, arguments.target)
        print(f"{done} cases, {done / (time.monotonic() - start):,.0f} a second, no law broken")


if __name__ == "__main__":
    main()
