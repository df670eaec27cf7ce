"""Grade real and generated pairs with rlrewards and with Math-Verify: speed, then accuracy.

    python benchmarks/verify.py [--quick] [--list] [--corpus NAME …] [--out runs/verify]

Speed first: one process, caches cold, nothing remembered from pair to pair. Ours runs on every
pair, Math-Verify on a random subset (it needs minutes for all), and the ratio is between both on
that subset. Then the accuracy tables: authors' labels, references against themselves and against
each other, rewritings, echoes of the question; between them a pool with a power tower in a hundred
pairs.

Real data is read from the folder that `RLREWARDS_DATA` names; without it only the corpus that ships
here is graded. Everything printed goes to `report.txt` in the output folder too, beside the lists
of what to look at and the latency curves.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from verification import accuracy, corpora, plots, pool
from verification.accuracy import Finding
from verification.corpora import Case
from verification.graders import Grader, Timed, math_verify, ours, timed, timed_by_turns

SEED = 20261101
TIERS = ("string", "exact", "numeric", "symbolic", "text", "choice", "none")
COMPLETIONS = ("gsm8k_completions", "math_completions")


@dataclass(frozen=True)
class Plan:
    """How much of everything is done."""

    peer_pairs: int = 300
    peer_completions: int = 6000
    peer_rewritten: int = 1000
    cross_pairs: int = 200_000
    cross_seconds: float = 600.0
    peer_echo_rows: int = 340
    pool_pairs: int = 4000
    pool_peer_pairs: int = 200
    ours_most: int | None = None
    self_most: int | None = None


QUICK = Plan(
    peer_pairs=25, peer_completions=200, peer_rewritten=60, cross_pairs=5000, cross_seconds=5.0,
    peer_echo_rows=10, pool_pairs=2000, pool_peer_pairs=0, ours_most=1500, self_most=300,
)  # fmt: skip


@dataclass
class Report:
    """Prints, and keeps what was printed."""

    folder: Path
    show_all: bool = False
    lines: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    def say(self, line: str = "") -> None:
        """Print a line and keep it."""
        print(line, flush=True)
        self.lines.append(line)

    def head(self, title: str) -> None:
        """Print a title below an empty line."""
        self.say()
        self.say(title)

    def listed(self, name: str, findings: Sequence[Finding], show: int = 8) -> None:
        """Write all findings to a file and show the first, or all with `--list`."""
        self.figures[name] = len(findings)
        (self.folder / f"{name}.txt").write_text("\n".join(map(str, findings)), encoding="utf-8")
        shown = findings if self.show_all else findings[:show]
        for finding in shown:
            self.say(f"    {finding}")
        if len(findings) > len(shown):
            self.say(f"    … {len(findings) - len(shown)} more in {self.folder / name}.txt")

    def save(self) -> None:
        """Write the report and its figures."""
        (self.folder / "report.txt").write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        figures = json.dumps(self.figures, indent=1, ensure_ascii=False)
        (self.folder / "figures.json").write_text(figures + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Run:
    """One corpus graded by both."""

    name: str
    cases: list[Case]
    own: Timed
    places: list[int]
    peer: Timed | None
    ratio: float


def graded(name: str, cases: list[Case], plan: Plan, peer: Grader | None) -> Run:
    """Grade a corpus with both libraries."""
    most = plan.peer_pairs
    if name in COMPLETIONS:
        most = plan.peer_completions
    elif name == "rewritten":
        most = plan.peer_rewritten
    if plan.ours_most and len(cases) > plan.ours_most:
        cases = [cases[place] for place in corpora.sampled(cases, plan.ours_most, SEED)]
    places = corpora.sampled(cases, most, SEED)
    own = timed(ours(), cases, forget=True)
    part = [cases[i] for i in places]
    other, ratio = timed_by_turns(ours(), peer, part) if peer else (None, 0.0)
    return Run(name, cases, own, places, other, ratio)


def speed_table(report: Report, runs: Iterable[Run]) -> None:
    """Print pairs a second and latencies, ours and Math-Verify's."""
    report.head("Speed: pairs a second, latency in ms; ours on all pairs, Math-Verify on a subset,")
    report.say(
        "the ratio on that subset, by turns. One process; nothing is remembered from pair to pair."
    )
    latency = f"{'pairs/s':>9} {'p50':>7} {'p95':>7} {'p99':>7} {'max':>8}"
    report.say(f"{'corpus':20} {'pairs':>6} {latency} | {'subset':>6} {latency} | {'ratio':>6}")
    for run in runs:
        line = f"{run.name:20} {len(run.cases):>6} {_latency(run.own)} | "
        if run.peer is None:
            report.say(line + f"{'-':>6}")
            continue
        report.say(line + f"{len(run.places):>6} {_latency(run.peer)} | {run.ratio:>5.0f}×")
        report.figures[f"speed {run.name}"] = {
            "pairs/s": run.own.rate, "p99 ms": run.own.milliseconds(0.99), "ratio": run.ratio,
        }  # fmt: skip


def _latency(run: Timed) -> str:
    quantiles = (run.milliseconds(share) for share in (0.5, 0.95, 0.99, 1.0))
    return f"{run.rate:>9,.0f} " + " ".join(
        f"{value:>{width}.2f}" for value, width in zip(quantiles, (7, 7, 7, 8), strict=True)
    )


def tier_table(report: Report, runs: Iterable[Run]) -> None:
    """Print which tier decided, in percent."""
    report.head("Decided by tier, % of the pairs; UNDECIDED and NO_ANSWER by status")
    heads = "".join(f"{tier:>9}" for tier in TIERS)
    report.say(f"{'corpus':20} {heads} | {'UNDECIDED':>9} {'NO_ANSWER':>9}")
    for run in runs:
        tiers, statuses = run.own.share("tier"), run.own.share("status")
        row = "".join(f"{tiers.get(tier, 0):>9.2f}" for tier in TIERS)
        ends = (statuses.get(status, 0) for status in ("UNDECIDED", "NO_ANSWER"))
        report.say(f"{run.name:20} {row} | " + " ".join(f"{share:>9.2f}" for share in ends))


def label_table(report: Report, runs: Sequence[Run]) -> None:
    """Print the errors against the authors' labels."""
    for run in runs:
        if run.name != "gsm8k_completions":
            continue
        report.head("Labels of gsm8k_completions")
        report.say(f"{'grader':12} {'pairs':>6} {'false accepts':>14} {'false rejects':>14}")
        sub = [run.cases[i] for i in run.places]
        for who, cases, result in (
            ("rlrewards", run.cases, run.own),
            ("Math-Verify", sub, run.peer),
        ):
            if result is not None:
                wrong = accuracy.mistakes(cases, result.outcomes)
                accepts = sum(finding.what == "wrong" for finding in wrong)
                report.say(f"{who:12} {len(cases):>6} {accepts:>14} {len(wrong) - accepts:>14}")
                report.listed(f"labels {who}", wrong if who == "rlrewards" else [])


def disagreements(report: Report, run: Run) -> None:
    """Print where the two graders differ on unlabelled completions."""
    if run.peer is None:
        return
    found = [
        Finding(f"row {i}", run.cases[i].text[-100:], run.cases[i].reference, own.status)
        for i, peer in zip(run.places, run.peer.outcomes, strict=True)
        if ((own := run.own.outcomes[i]).status == "EQUAL") != (peer.status == "EQUAL")
    ]
    report.head(f"{run.name}: {len(found)} disagreements with Math-Verify in {len(run.places)}")
    report.listed(f"disagreements {run.name}", found)


def self_table(report: Report, references: Sequence[str], plan: Plan) -> None:
    """Print how many references are not EQUAL to themselves, by form."""
    if plan.self_most and len(references) > plan.self_most:
        references = random.Random(SEED).sample(list(references), plan.self_most)
    tried, failed = accuracy.self_equality(references)
    report.head("References against themselves: not EQUAL, of those tried")
    for form, count in tried.items():
        report.say(f"    {form:10} {sum(f.what == form for f in failed):>5} of {count}")
    report.listed("self", failed)


def cross_table(report: Report, by_set: dict[str, list[str]], plan: Plan) -> None:
    """Print the references of one data set that are EQUAL to another."""
    done, equal, found = accuracy.cross_equality(by_set, plan.cross_pairs, SEED, plan.cross_seconds)
    report.head(f"Different references of one data set: {done} pairs, {equal} EQUAL,")
    report.say(f"{len(found)} of them not the same by the benchmark's own reading; to be judged:")
    report.listed("cross", found, show=40)


def rewriting_table(report: Report, run: Run) -> None:
    """Print wrong decisions by family of rewriting, UNDECIDED beside them."""
    report.head(f"{run.name}: wrong decisions by family (a family `wrong: …` must be refused)")
    report.say(f"{'family':30} {'pairs':>6} {'wrong':>6} {'undec.':>6} | {'Math-Verify':>12}")
    own = accuracy.by_family(run.cases, run.own.outcomes)
    sub = [run.cases[i] for i in run.places]
    peer = accuracy.by_family(sub, run.peer.outcomes) if run.peer else {}
    for name, (pairs, wrong, undecided) in sorted(own.items()):
        theirs = f"{peer[name][1]:>5} of {peer[name][0]:<4}" if name in peer else ""
        report.say(f"{name:30} {pairs:>6} {wrong:>6} {undecided:>6} | {theirs:>12}")
    for label, kind in ((True, "right ones refused"), (False, "wrong ones accepted")):
        cases = [i for i, case in enumerate(run.cases) if case.label is label]
        line = f"{kind:30} {len(cases):>6} "
        line += f"{sum(row[1] for name, row in own.items() if _is_right(name) is label):>6} "
        line += f"{sum(row[2] for name, row in own.items() if _is_right(name) is label):>6} | "
        theirs = [row for name, row in peer.items() if _is_right(name) is label]
        report.say(line + f"{sum(r[1] for r in theirs):>5} of {sum(r[0] for r in theirs)}")
    report.listed(f"{run.name} mistakes", accuracy.mistakes(run.cases, run.own.outcomes))


def _is_right(family: str) -> bool:
    return not family.startswith("wrong: ")


def echo_table(
    report: Report, by_set: dict[str, list[corpora.Row]], plan: Plan, peer: Grader | None
) -> None:
    """Print how many formulas of the questions are accepted as answers."""
    rows = [row for group in by_set.values() for row in group]
    if plan.ours_most:
        rows = rows[: plan.ours_most // 4]
    cases = accuracy.echo_cases(rows)
    found = accuracy.echoes(cases, accuracy.prompted())
    report.head(f"Echoes: {len(found)} of {len(cases)} formulas of the questions are accepted")
    report.say("though they are not the reference letter by letter; to be judged:")
    report.listed("echoes", found, show=20)
    if peer and "college_math" in by_set:
        most = by_set["college_math"][: plan.peer_echo_rows]
        theirs = accuracy.echoes(accuracy.echo_cases(most), peer)
        rows_hit = len({(f.reference, f.said) for f in theirs})
        report.say(f"Math-Verify: {rows_hit} of the first {len(most)} rows of college_math")
        report.listed("echoes Math-Verify", theirs, show=3)


def pool_table(report: Report, cases: list[Case], plan: Plan) -> None:
    """Print what one power tower in a hundred pairs costs."""
    report.head("Poisoned pool: one power tower in a hundred pairs, two processes, pairs a second")
    chosen = [cases[i] for i in corpora.sampled(cases, plan.pool_pairs, SEED)]
    chosen *= -(-plan.pool_pairs // len(chosen))
    for name, (clean, spoilt) in pool.rates(
        chosen[: plan.pool_pairs], plan.pool_peer_pairs
    ).items():
        report.say(f"{name:26} {clean:>8,.0f} → {spoilt:>8,.0f}   {spoilt / clean:.2f}")
        report.figures[f"pool {name}"] = spoilt / clean


def benchmark(report: Report, plan: Plan, only: Sequence[str]) -> None:
    """Run everything, or the speed and accuracy of the corpora that were named."""
    peer = math_verify()
    version = metadata.version("math-verify") if peer else "not installed: pip install math-verify"
    report.say(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    report.say(f"Math-Verify {version}; seed {SEED}")
    by_set = corpora.real_references()
    if not by_set:
        folder = corpora.data_folder()
        report.say(
            f"no real data in {folder}: the shipped corpus only (RLREWARDS_DATA names another)"
        )
    chosen = {n: c for n, c in corpora.corpora(SEED).items() if not only or n in only}
    runs = [graded(name, cases, plan, peer) for name, cases in chosen.items()]
    speed_table(report, runs)
    tier_table(report, runs)
    curves = {run.name: (run.own, run.peer) for run in runs}
    if plots.latency_curves(curves, report.folder / "latency.png"):
        report.say(f"latency curves: {report.folder / 'latency.png'}")
    label_table(report, runs)
    for run in runs:
        if run.name == "math_completions":
            disagreements(report, run)
        if "rewritten" in run.name:
            rewriting_table(report, run)
    if only:
        return
    pool_table(report, next((r.cases for r in runs if r.name in COMPLETIONS), runs[0].cases), plan)
    texts = {name: [row["reference"] for row in group] for name, group in by_set.items()}
    texts = texts or {"shipped": corpora.shipped_references()}
    self_table(report, [text for group in texts.values() for text in group], plan)
    cross_table(report, texts, plan)
    if by_set:
        echo_table(report, by_set, plan, peer)


def main() -> None:
    """Read the options, run, and save the report."""
    parser = argparse.ArgumentParser(description="rlrewards beside Math-Verify")
    parser.add_argument("--quick", action="store_true", help="small samples: under a minute")
    parser.add_argument("--list", action="store_true", help="print every finding")
    parser.add_argument("--corpus", nargs="+", default=[], metavar="NAME", help="only these")
    parser.add_argument("--out", type=Path, default=Path("runs/verify"), help="output folder")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = Report(arguments.out, arguments.list)
    benchmark(report, QUICK if arguments.quick else Plan(), arguments.corpus)
    report.save()


if __name__ == "__main__":
    main()
