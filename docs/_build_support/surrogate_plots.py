"""Draw the surrogates and their gradients for the documentation, from the library's own functions.

    python docs/_build_support/surrogate_plots.py            # write docs/objectives/img/*.svg
    python docs/_build_support/surrogate_plots.py --check    # have the curves changed since?

Every curve starts from one number a point: the coefficient c in ``∂loss/∂ℓ = −c·A`` at the ratio r,
by autograd. The loss that is drawn is what following that gradient adds up to from r = 1 on,
``−A · ∫ c dr/r``: some surrogates hold their ratio constant, and their own value says nothing.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from rlrewards import objectives as rl

HERE = Path(__file__).parent
IMAGES = HERE.parent / "objectives" / "img"
CURVES = HERE / "surrogate_curves.json"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by colour-blind readers
STYLES = ("-", "--", "-.", ":")
WIDTHS = (2.6, 2.0, 1.4, 1.4)  # lines that lie on each other all show
POINTS = 1200
KEPT = 60
"""``--check`` compares every 60th point."""

Surrogate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of ``logp, old_logp, advantages``, one token a row, to ``[B, 1]``."""


def of_rows(surrogate: Callable[..., Tensor], **settings: object) -> Surrogate:
    """A surrogate of whole rows, on rows of one token."""
    return lambda logp, old, a: surrogate(logp, old, a, torch.ones_like(logp), **settings)


def selected(surrogate: Callable[..., Tensor], **settings: object) -> Surrogate:
    """Clip-Cov or KL-Cov at a token that was chosen."""

    def chosen(logp: Tensor, old: Tensor, a: Tensor) -> Tensor:
        here = torch.ones_like(logp, dtype=torch.bool)
        return surrogate(logp, old, a, here, selected=here, **settings)

    return chosen


def not_selected(surrogate: Callable[..., Tensor], **settings: object) -> Surrogate:
    """Clip-Cov or KL-Cov at any other token."""

    def other(logp: Tensor, old: Tensor, a: Tensor) -> Tensor:
        here = torch.ones_like(logp, dtype=torch.bool)
        return surrogate(logp, old, a, here, selected=~here, **settings)

    return other


def with_probability(q: float, surrogate: Surrogate) -> Surrogate:
    """The surrogate at a token whose old probability is ``q``."""
    return lambda logp, old, a: surrogate(logp + math.log(q), old + math.log(q), a)


# By file: the range of r, and the curves in it.
FIGURES: dict[str, tuple[tuple[float, float], dict[str, Surrogate]]] = {
    "clipped": (
        (0.0, 4.0),
        {
            "PPO: low = high = .2": rl.clipped,
            "clip-higher: high = .28": partial(rl.clipped, high=0.28),
            "dual clip: ceiling = 3": partial(rl.clipped, ceiling=3.0),
        },
    ),
    "sequence": (
        (0.996, 1.004),
        {
            "GSPO: 3e-4, 4e-4": of_rows(rl.gspo),
            "LUSPO: 2e-3, 2.5e-3": of_rows(rl.gspo, low=2e-3, high=2.5e-3),
        },
    ),
    "whole_row": (
        (0.0, 4.0),
        {"GMPO": of_rows(rl.gmpo), "VESPO": of_rows(rl.vespo)},
    ),
    "weighted": (
        (0.0, 6.0),
        {
            "CISPO: high = 4": rl.cispo,
            "CISPO as verl: .2, .28": partial(rl.cispo, low=0.2, high=0.28),
            "SAPO": rl.sapo,
            "REINFORCE": lambda logp, old, a: rl.reinforce(logp, a),
        },
    ),
    "dppo": (
        (0.0, 4.0),
        {
            "TV, q = .1": with_probability(0.1, rl.dppo_tv),
            "TV, q = .25": with_probability(0.25, rl.dppo_tv),
            "KL, q = .1": with_probability(0.1, rl.dppo_kl),
            "KL, q = .25": with_probability(0.25, rl.dppo_kl),
        },
    ),
    "covariance": (
        (0.0, 4.0),
        {
            "Clip-Cov, not chosen": not_selected(rl.clip_cov),
            "Clip-Cov, chosen": selected(rl.clip_cov),
            "KL-Cov, not chosen": not_selected(rl.kl_cov),
            "KL-Cov, chosen": selected(rl.kl_cov),
        },
    ),
}
ESTIMATORS = {"k1": rl.k1, "k2": rl.k2, "k3": rl.k3, "k_abs": rl.k_abs}


def ratios(bounds: tuple[float, float]) -> Tensor:
    """Points inside the range, r = 1 not among them."""
    low, high = bounds
    step = (high - low) / POINTS
    return torch.linspace(low + step / 2, high - step / 2, POINTS, dtype=torch.float64)


def coefficient(surrogate: Surrogate, r: Tensor, advantage: float) -> Tensor:
    """``c`` of ``∂loss/∂ℓ = −c·A``, by autograd."""
    logp = r.log().unsqueeze(1).requires_grad_()
    loss = surrogate(logp, torch.zeros_like(logp), torch.full_like(r, advantage))
    return -torch.autograd.grad(loss.sum(), logp)[0].squeeze(1) / advantage


def followed(c: Tensor, r: Tensor, advantage: float) -> Tensor:
    """What the gradient adds up to from r = 1: ``−A · ∫ c dr/r``."""
    sums = torch.cat([c.new_zeros(1), torch.cumulative_trapezoid(c / r, r)])
    start = sums[int((r - 1).abs().argmin())]
    return -advantage * (sums - start)


def curves() -> dict[str, dict[str, list[float]]]:
    """A few points of every coefficient, rounded: what ``--check`` compares."""
    return {
        file: {
            f"{label}, A = {advantage:+.0f}": [
                round(x, 9) for x in coefficient(f, ratios(bounds), advantage)[::KEPT].tolist()
            ]
            for label, f in lines.items()
            for advantage in (1.0, -1.0)
        }
        for file, (bounds, lines) in FIGURES.items()
    }


def draw() -> None:
    """Write the figures."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "rlrewards", "svg.fonttype": "none", "font.size": 8})
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    IMAGES.mkdir(exist_ok=True)
    for file, (bounds, lines) in FIGURES.items():
        figure, axes = plt.subplots(2, 2, figsize=(6.6, 4.2), sharex=True, layout="constrained")
        r = ratios(bounds)
        for (left, right), advantage in zip(axes, (1.0, -1.0), strict=True):
            looks = zip(lines.items(), COLOURS, STYLES, WIDTHS, strict=False)
            for (label, f), colour, style, width in looks:
                c = coefficient(f, r, advantage)
                look = {"color": colour, "linestyle": style, "linewidth": width}
                name = label if advantage > 0 else None
                left.plot(r, followed(c, r, advantage), label=name, **look)
                right.plot(r, c, **look)
            sign = "A = +1" if advantage > 0 else "A = −1"
            left.set_title(f"loss, {sign}")
            right.set_title(f"coefficient c, {sign}")
            left.set_ylim(*_limits(left))
        for axis in axes.flat:
            axis.axvline(1, color="0.8", linewidth=0.8, zorder=0)
            axis.axhline(0, color="0.8", linewidth=0.8, zorder=0)
            axis.ticklabel_format(useOffset=False)
        for axis in axes[1]:
            axis.set_xlabel("ratio r")
        figure.legend(loc="outside lower center", ncols=2 if len(lines) > 3 else 3, frameon=False)
        save(figure, file)
    draw_estimators(plt)


def _limits(axis: object) -> tuple[float, float]:
    """The range of the loss, without the tail towards r = 0 of a logarithm."""
    low, high = axis.get_ylim()  # type: ignore[attr-defined]
    return max(low, -4.5), min(high, 4.5)


def draw_estimators(plt: object) -> None:
    """The KL estimators: their value and their gradient against ``Δ = ℓ − ℓ_ref``."""
    figure, (left, right) = plt.subplots(  # type: ignore[attr-defined]
        1, 2, figsize=(6.6, 2.6), sharex=True, layout="constrained"
    )
    for (label, f), colour, style in zip(ESTIMATORS.items(), COLOURS, STYLES, strict=True):
        delta = torch.linspace(-2, 2, 400, dtype=torch.float64).unsqueeze(1).requires_grad_()
        value = f(delta, torch.zeros_like(delta))
        slope = torch.autograd.grad(value.sum(), delta)[0]
        left.plot(delta.detach(), value.detach(), style, color=colour, label=label)
        right.plot(delta.detach(), slope, style, color=colour)
    left.set_title("value")
    right.set_title("gradient as a loss, ∂/∂ℓ")
    for axis in (left, right):
        axis.set_xlabel("Δ = ℓ − ℓ_ref")
        axis.set_ylim(-3, 4)
        axis.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    save(figure, "kl")


def save(figure: object, file: str) -> None:
    """Write one figure, the same bytes every time."""
    figure.savefig(IMAGES / f"{file}.svg", metadata={"Date": None})  # type: ignore[attr-defined]


def main() -> None:
    """Draw, or compare with what was drawn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the stored curves")
    found = curves()
    if not parser.parse_args().check:
        draw()
        CURVES.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
        return
    stored = json.loads(CURVES.read_text(encoding="utf-8"))
    same = {
        (file, label): torch.allclose(torch.tensor(stored[file][label]), torch.tensor(points))
        for file, lines in found.items()
        for label, points in lines.items()
        if label in stored.get(file, {})
    }
    changed = [key for key, ok in same.items() if not ok]
    if changed or len(same) != sum(map(len, stored.values())):
        raise SystemExit(f"the figures are not those of the library any more: {changed}")


if __name__ == "__main__":
    main()
