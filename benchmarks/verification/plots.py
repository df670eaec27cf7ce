"""The latency curves of both libraries, sorted, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from verification.graders import Timed

OURS, PEER = "#0b6e4f", "#c1440e"


def latency_curves(runs: Mapping[str, tuple[Timed, Timed | None]], target: Path) -> bool:
    """Draw one panel a corpus; False where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = min(4, len(runs))
    rows = -(-len(runs) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.4 * columns, 2.9 * rows), sharey=True, squeeze=False
    )
    for axis, (name, (own, peer)) in zip(axes.flat, runs.items(), strict=False):
        for timed, colour, label in ((own, OURS, "rlrewards"), (peer, PEER, "Math-Verify")):
            if timed is not None and timed.seconds:
                _curve(axis, timed, colour, label)
        axis.set_title(name, fontsize=10)
        axis.set_yscale("log")
        axis.grid(alpha=0.25, which="major")
        axis.set_xlabel("share of the pairs, %", fontsize=8)
    for axis in axes.flat[len(runs) :]:
        axis.set_visible(False)
    for row in axes:
        row[0].set_ylabel("time for a pair, ms", fontsize=8)
    axes.flat[0].legend(fontsize=8, loc="upper left")
    figure.tight_layout()
    figure.savefig(target, dpi=130)
    plt.close(figure)
    return True


def _curve(axis, timed: Timed, colour: str, label: str) -> None:  # type: ignore[no-untyped-def]
    ordered = [1e3 * seconds for seconds in sorted(timed.seconds)]
    shares = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
    axis.plot(shares, ordered, color=colour, label=label, linewidth=1.6)
