"""How many mutants of the rewards and of the stack do the laws of `rlrewards.testing` kill?

    python benchmarks/mutation.py [--only FILE ...] [--every K] [--again RECORD] [--out FOLDER]

Each mutant is one small change to one source file (see `mutants.py`). It runs in a process of its
own, where the changed source stands in for the module, and every law that applies is tried on the
rewards that the module is about, our example-based tests on none. A mutant is killed when a law
breaks or hangs; one that cannot be imported counts for neither side. First and last each file is
tried unchanged, which must survive: a run whose folder goes away in the middle would kill all that
is left. What survives is printed with the explanation that `mutation_survivors.toml` gives, or with
none.

Once laws were added, `--again` with an earlier record (`mutation.json`) tries its survivors alone
and keeps the rest: what a law has killed, more laws kill.

The law that compares with another process is left out: the other process has the unchanged module.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import json
import multiprocessing
import os
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "rlrewards"
EXPLAINED = Path(__file__).with_name("mutation_survivors.toml")
# Which rewards a file is about, by the names of their classes.
ABOUT = {
    "rewards/accuracy.py": ("Accuracy",),
    "rewards/choice_accuracy.py": ("ChoiceAccuracy",),
    "rewards/correctness.py": ("Accuracy", "CosineLength", "GroupLength"),
    "rewards/cosine_length.py": ("CosineLength",),
    "rewards/format.py": (
        *("ThinkFormat", "ThinkAnswerFormat", "TagCount", "HuatuoFormat", "GazalFormat"),
    ),
    "rewards/group_length.py": ("GroupLength",),
    "rewards/lengths.py": ("SoftOverlong", "CosineLength", "GroupLength"),
    "rewards/reasoning.py": ("ReasoningSteps", "ChainOfDraft"),
    "rewards/repetition.py": ("RepetitionPenalty", "DenseRepetition"),
    "rewards/soft_overlong.py": ("SoftOverlong",),
    "stack.py": ("Stack",),
}
LEFT_OUT = ("same in another process",)
SECONDS = 90.0
HANGS = "it hangs"


class _Stand(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives one module another source; the import system compiles and runs it as any other."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name != self.name:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=f"mutant of {name}")

    def get_source(self, name: str) -> str:
        return self.source


def module_name(file: str) -> str:
    return "rlrewards." + file.removesuffix(".py").replace("/", ".")


def try_laws(file: str, source: str, examples: int, sender: Any) -> None:
    """In a child: put the mutant in place, and send which law it breaks, or that it survives."""
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    try:
        sys.meta_path.insert(0, _Stand(module_name(file), source))
        sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "rewards")]
        from our_rewards import REWARDS, STACKS

        from rlrewards.testing.law import Effort
        from rlrewards.testing.laws import LAWS
        from rlrewards.testing.running import finding_of
        from rlrewards.testing.subject import subject
    except Exception as error:
        sender.send(("not importable", f"{type(error).__name__}: {error}"))
        return
    about = [r for r in (*REWARDS, *STACKS) if type(r).__name__ in ABOUT[file]]
    effort = Effort(examples=examples)
    laws = [law for law in reversed(LAWS) if law.name not in LEFT_OUT]
    laws.sort(key=lambda law: "bounded" in law.name)
    for law in laws:
        for reward in about:
            told = subject(reward)
            if law.applies_to(told):
                finding = finding_of(told, law, effort)
                if finding.broken:
                    sender.send(("killed", law.name))
                    return
    sender.send(("survived", ""))


def judged(job: tuple[str, Mutant, int]) -> tuple[str, str]:
    """Run one mutant in a child; what hangs is killed, in both senses."""
    file, mutant, examples = job
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=try_laws, args=(file, mutant.source, examples, sender))
    child.start()
    sender.close()
    try:
        outcome: tuple[str, str] = receiver.recv() if receiver.poll(SECONDS) else ("killed", HANGS)
    except EOFError:
        outcome = ("killed", "the process died")
    child.kill()
    child.join()
    return outcome


def preload() -> None:
    """Load what every child needs, and nothing of the library."""
    for name in ("hypothesis.strategies", "numpy", "rapidfuzz"):
        importlib.import_module(name)
    assert not any(name.startswith("rlrewards") for name in sys.modules)


def chosen(
    files: Sequence[str], every: int, earlier: dict[str, Any] | None
) -> list[tuple[str, Mutant]]:
    """Return the mutants of the files, or of them the survivors of an earlier run."""
    found = [
        (file, mutant)
        for file in files
        for mutant in [*mutants((SOURCE / file).read_text(encoding="utf-8"))][::every]
    ]
    if earlier is None:
        return found
    survived = {(one["file"], one["line"], one["mutant"]) for one in earlier["survivors"]}
    again = [(f, m) for f, m in found if (f, str(m.line), m.key) in survived]
    if len(again) != len(earlier["survivors"]):
        raise SystemExit(
            f"{len(survived)} mutants survived in the record and {len(again)} of them are there: "
            "the sources have changed since, so run it anew"
        )
    return again


def run(
    chosen: Sequence[tuple[str, Mutant]], examples: int, workers: int
) -> Iterator[tuple[str, Mutant, str, str]]:
    """Yield each mutant with its outcome."""
    jobs = [(file, mutant, examples) for file, mutant in chosen]
    with ThreadPoolExecutor(workers) as pool:
        for (file, mutant, _), (outcome, law) in zip(jobs, pool.map(judged, jobs), strict=True):
            yield file, mutant, outcome, law


def unchanged(file: str) -> Mutant:
    """Return the file as it is, in the form of a mutant: the control, which must survive."""
    source = ast.unparse(ast.parse((SOURCE / file).read_text(encoding="utf-8")))
    return Mutant("", 0, "control", "", "", source)


def explained(known: dict[str, str], mutant: Mutant) -> str:
    """Return why a mutant survives: by its key, or by the function that it stands in."""
    return known.get(mutant.key) or known.get(mutant.function, "")


def explanations() -> dict[str, dict[str, str]]:
    """Return why a mutant survives, by file and key."""
    if not EXPLAINED.exists():
        return {}
    return tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))


def main() -> int:
    """Run the command line; return 1 where a survivor has no explanation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", default=[*ABOUT], choices=[*ABOUT], metavar="FILE")
    parser.add_argument("--every", type=int, default=1, help="take every K-th mutant only")
    parser.add_argument("--examples", type=int, default=30)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--again", type=Path, metavar="RECORD")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    preload()
    begun = time.monotonic()
    why = explanations()
    tally: dict[str, Counter[str]] = {file: Counter() for file in arguments.only}
    laws: Counter[str] = Counter()
    survivors: list[dict[str, str]] = []
    hung: list[dict[str, str]] = []
    earlier = None
    if arguments.again:
        earlier = json.loads(arguments.again.read_text(encoding="utf-8"))
        hung = earlier.get("hung", [])
        laws.update(earlier["laws"])
        for file, counts in earlier["files"].items():
            tally[file].update({name: n for name, n in counts.items() if name != "survived"})
    if control := not_surviving(arguments.only, arguments.examples):
        parser.error(f"{control}: no mutant would count")
    tried = chosen(arguments.only, arguments.every, earlier)
    for file, mutant, outcome, law in run(tried, arguments.examples, arguments.workers):
        tally[file][outcome] += 1
        if outcome == "killed":
            laws[law] += 1
            if law == HANGS:  # on a busy machine slowness may look like it: look at these
                hung.append({"file": file, "line": str(mutant.line), "mutant": mutant.key})
        if outcome == "survived":
            reason = explained(why.get(file, {}), mutant)
            survivors.append({"file": file, "line": str(mutant.line), "kind": mutant.kind,
                              "mutant": mutant.key, "why": reason})  # fmt: skip
            print(f"survived {file}:{mutant.line} [{mutant.kind}] {mutant.key}  {reason}",
                  flush=True)  # fmt: skip
    if control := not_surviving(arguments.only, arguments.examples):
        parser.error(f"{control} after the mutants: something else killed some of them, too")
    lines = table(tally, survivors, laws)
    lines.append(f"\n{time.monotonic() - begun:.0f} s")
    print("\n".join(lines))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "mutation.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (arguments.out / "mutation.json").write_text(
            json.dumps({"files": tally, "laws": laws, "survivors": survivors, "hung": hung},
                       indent=1,
                       ensure_ascii=False) + "\n", encoding="utf-8")  # fmt: skip
    unexplained = [one for one in survivors if not one["why"]]
    return int(bool(unexplained))


def not_surviving(files: Sequence[str], examples: int) -> str:
    """Return which file is killed unchanged, and by what; empty where all survive."""
    for file in files:
        outcome, law = judged((file, unchanged(file), examples))
        if outcome != "survived":
            return f"{file}, unchanged, is {outcome} by {law!r}"
    return ""


def table(
    tally: dict[str, Counter[str]], survivors: list[dict[str, str]], laws: Counter[str]
) -> list[str]:
    """Return the lines of the report."""
    total: Counter[str] = sum(tally.values(), Counter())
    lines = ["| file | mutants | killed | survived | share |", "|---|---|---|---|---|"]
    for file, found in [*tally.items(), ("all", total)]:
        tried = found["killed"] + found["survived"]
        share = f"{found['killed'] / tried:.1%}" if tried else "–"
        lines.append(f"| {file} | {tried} | {found['killed']} | {found['survived']} | {share} |")
    lines += [
        "",
        f"{total['not importable']} mutants could not be imported and are not counted.",
        "",
    ]
    lines += ["| law | mutants it was the first to kill |", "|---|---|"]
    lines += [f"| {law} | {count} |" for law, count in laws.most_common()]
    if survivors:
        lines += ["", "| survivor | kind | why |", "|---|---|---|"]
        lines += [
            f"| `{one['file']}` {one['mutant'].replace('|', '¦')} | {one['kind']} | "
            f"{one['why'] or 'not explained'} |"
            for one in survivors
        ]
    return lines


if __name__ == "__main__":
    sys.exit(main())
