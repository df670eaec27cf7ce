"""`check_objective`: the laws of losses, surrogates, advantages and returns, in one call.

An `Objective` is any function of tensors, called by the names of its parameters: `logp`,
`old_logp`, `advantages`, `mask` and so on, or the names that TRL and verl have for them. What else
it takes is given with `settings=`, and what it calls differently with `names=`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rlrewards.testing.findings import Finding, Outcome, Report
from rlrewards.testing.law import Effort, Law
from rlrewards.testing.running import run
from rlrewards.testing.strategies.tensors import LAYOUTS, TokenBatch, token_batches
from rlrewards.testing.subject import Broken

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from torch import Tensor

OBJECTIVE_KINDS: dict[str, str] = {
    "loss": "a scalar to call backward on, of log-probabilities or another tensor of tokens",
    "aggregation": "a loss that is linear in one tensor `x`: means and sums of tokens",
    "surrogate": "a loss for each token or row, before it is aggregated; its padding is not read",
    "kl": "a surrogate that compares two policies, 0 where they are the same",
    "advantage": "how much better a completion was than others; a constant",
    "returns": "what follows each token: returns, GAE; a constant",
    "weight": "a weight, a mask or a selection for each token; a constant",
    "statistic": "one or more numbers about a batch; constants",
}
DIFFERENTIABLE = frozenset({"loss", "surrogate"})
IMPLIED = {"aggregation": "loss", "kl": "surrogate"}
LEAVES = ("logp", "x", "values")
DENOMINATORS = ("denominator", "num_items_in_batch", "normalizer", "loss_denominator")
# Not `ref_logp` for surrogates: an estimator of a KL may be differentiated in both.
CONSTANTS = {
    "loss": ("old_logp", "ref_logp", "sampler_logp", "advantages", "weight", "returns",
             "old_values"),
    "surrogate": ("old_logp", "sampler_logp", "advantages", "weight", "returns", "old_values"),
}  # fmt: skip
ALIASES: dict[str, str] = {
    **{name: name for name in LAYOUTS},
    **dict.fromkeys(
        ("logps", "logprobs", "log_prob", "log_probs", "new_logp", "new_logps", "policy_logp",
         "per_token_logps", "new_log_probs", "action_log_probs"), "logp"),
    **dict.fromkeys(
        ("old_logps", "old_logprobs", "old_log_prob", "old_log_probs", "old_per_token_logps",
         "old_action_log_probs"), "old_logp"),
    **dict.fromkeys(
        ("ref_logps", "ref_logprobs", "ref_log_prob", "ref_log_probs", "ref_per_token_logps",
         "reference_logp"), "ref_logp"),
    **dict.fromkeys(
        ("sampling_per_token_logps", "rollout_log_probs", "rollout_log_prob"), "sampler_logp"),
    **dict.fromkeys(("advantage", "adv"), "advantages"),
    **dict.fromkeys(
        ("completion_mask", "response_mask", "loss_mask", "action_mask", "token_mask"), "mask"),
    **dict.fromkeys(("reward", "scores"), "rewards"),
    **dict.fromkeys(("groups", "group_ids", "prompt_ids", "uid"), "group"),
}  # fmt: skip


@dataclass(frozen=True)
class Objective:
    """A function of tensors under test.

    Attributes:
        function: As it was given.
        name: How reports call it.
        kinds: Which laws apply; see `OBJECTIVE_KINDS`.
        parameters: Its parameters, and which tensor goes to each.
        layouts: Shapes other than the usual.
        settings: What else it is called with.
        denominators: Its parameters that take a count over the whole optimizer step.
        constants: Tensors into which no gradient may flow.
        leaf: The tensor whose gradient is looked at; None for constants.
        empty_is_nan: Whether it is said to give NaN where there is nothing valid.
        dtype: What its tensors are drawn in, but for laws about one dtype.
        facts: Nothing; checks of rewards have them.
        watch: Not called: there is no batch of samples to tell of.
    """

    function: Callable[..., Any]
    name: str
    kinds: frozenset[str]
    parameters: Mapping[str, str]
    layouts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    denominators: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    leaf: str | None = None
    empty_is_nan: bool = False
    dtype: str = "float64"
    facts: Mapping[str, Any] = field(default_factory=dict)
    watch: Any = field(default=None, repr=False)

    @property
    def inputs(self) -> frozenset[str]:
        """The tensors that it takes."""
        return frozenset(self.parameters.values())

    def draw(self, **options: Any) -> SearchStrategy[TokenBatch]:
        """Draw a batch that it can be asked about; the options are those of `token_batches`."""
        names = sorted(self.inputs, key=[*LAYOUTS].index)
        options = {"dtype": self.dtype, **options}
        drawn = token_batches(names, layouts=self.layouts, **options)
        return drawn.filter(lambda batch: bool(batch["mask"].any())) if self.empty_is_nan else drawn

    def __call__(self, batch: TokenBatch, *, denominator: float | None = None) -> list[Tensor]:
        """Return the tensors that it gives for a batch, the loss first and alone.

        Raises:
            Broken: it raised, or returned something else than tensors.
        """
        given = {parameter: batch[name] for parameter, name in self.parameters.items()}
        if denominator is not None:
            given |= dict.fromkeys(self.denominators, denominator)
        try:
            result = self.function(**given, **self.settings)
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise Broken(f"raised {type(error).__name__}: {text}", case=str(batch)) from error
        outputs = _tensors(result)
        if not outputs:
            raise Broken(f"returned {type(result).__name__}, expected a tensor", case=str(batch))
        if "loss" not in self.kinds:
            return outputs
        if outputs[0].numel() != 1:
            shape = [*outputs[0].shape]
            raise Broken(f"returned shape {shape}, expected a scalar", case=str(batch))
        return outputs[:1]


def _tensors(result: Any) -> list[Tensor]:
    """Return the tensors of a result: it may be one, a tuple, a mapping, or have a `loss`."""
    import torch

    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, Mapping):
        result = [result["loss"]] if "loss" in result else [*result.values()]
    elif hasattr(result, "loss"):
        result = [result.loss]
    if not isinstance(result, tuple | list):
        return []
    return [tensor for item in result for tensor in _tensors(item)]


def _tensors_taken(
    function: Callable[..., Any],
    known: Mapping[str, str],
    inputs: frozenset[str],
    settings: Mapping[str, Any],
) -> tuple[dict[str, str], list[str]]:
    """Return which tensor each parameter of a function is, and its denominators."""
    parameters: dict[str, str] = {}
    denominators: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if variadic or parameter.name in settings:
            continue
        meaning = known.get(parameter.name)
        needed = parameter.default is parameter.empty
        if parameter.name in DENOMINATORS:
            denominators.append(parameter.name)
        elif meaning is not None and (needed or meaning in inputs):
            parameters[parameter.name] = meaning
        elif needed:
            raise TypeError(
                f"the parameter {parameter.name!r} is no tensor that is known here: say which one "
                f"it is, names={{{parameter.name!r}: 'logp'}}, or its value, "
                f"settings={{{parameter.name!r}: …}}"
            )
    unknown = (inputs - {*parameters.values()}) | ({*parameters.values()} - {*LAYOUTS})
    if unknown:
        raise ValueError(f"it takes no tensor called {', '.join(sorted(unknown))}")
    return parameters, denominators


def objective(
    function: Callable[..., Any],
    *,
    kind: str = "loss",
    inputs: Iterable[str] = (),
    names: Mapping[str, str] | None = None,
    layouts: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    denominators: Iterable[str] | None = None,
    constants: Iterable[str] | None = None,
    leaf: str | None = None,
    empty_is_nan: bool = False,
    dtype: str = "float64",
    name: str | None = None,
) -> Objective:
    """Return a function as the laws of objectives call it; `check_objective` says what is what.

    Raises:
        TypeError: it cannot be called, or takes something that nobody has named.
        ValueError: the kind, or the name of a tensor, is unknown.

    >>> def loss(log_prob, old_log_prob, advantages, response_mask): ...
    >>> objective(loss).parameters["log_prob"]
    'logp'
    """
    if not callable(function):
        raise TypeError(f"expected a function of tensors, got {function!r}")
    if kind not in OBJECTIVE_KINDS:
        allowed = ", ".join(OBJECTIVE_KINDS)
        raise ValueError(f"no kind of objective is called {kind!r}; there are {allowed}")
    kinds = frozenset({kind, IMPLIED.get(kind, kind)})
    given = dict(settings or {})
    parameters, found_denominators = _tensors_taken(
        function, {**ALIASES, **(names or {})}, frozenset(inputs), given
    )
    usual = {"rewards": "BT"} if kind == "returns" else {}
    if leaf is None and kinds & DIFFERENTIABLE:
        leaf = next((name for name in LEAVES if name in parameters.values()), None)
        if leaf is None:
            raise ValueError(f"nothing to differentiate: say leaf=, one of {', '.join(LAYOUTS)}")
    if constants is None:
        constants = next((CONSTANTS[kind] for kind in kinds if kind in CONSTANTS), ())
    return Objective(
        function,
        str(name or getattr(function, "__name__", type(function).__name__)),
        kinds,
        parameters,
        {**usual, **(layouts or {})},
        given,
        tuple(found_denominators if denominators is None else denominators),
        tuple(item for item in constants if item in parameters.values() and item != leaf),
        leaf,
        empty_is_nan,
        dtype,
    )


def check_objective(
    function: Callable[..., Any],
    kind: str = "loss",
    *,
    laws: Iterable[Law] | None = None,
    inputs: Iterable[str] = (),
    names: Mapping[str, str] | None = None,
    layouts: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    denominators: Iterable[str] | None = None,
    constants: Iterable[str] | None = None,
    leaf: str | None = None,
    empty_is_nan: bool = False,
    dtype: str = "float64",
    waive: Mapping[str, str] | None = None,
    name: str | None = None,
    examples: int = 20,
    seed: int = 0,
    isolate: bool = False,
) -> Report:
    """Try every law that applies to a function of tensors, and return what was found.

    Args:
        function: Of tensors by keyword: `logp`, `old_logp`, `ref_logp`, `advantages`, `mask`,
            `rewards`, `group`, `values`, `x` … or what TRL and verl call them. It returns a tensor,
            a tuple of tensors, or something with a `loss`.
        kind: One of `OBJECTIVE_KINDS`.
        laws: Which laws; all that apply by default.
        inputs: Optional parameters that are to be given tensors, too: `("ref_logp", "weight")`.
        names: Which tensor a parameter is, where its name does not tell: `{"lp": "logp"}`.
        layouts: Shapes other than the usual, `"B"` or `"BT"`: `{"advantages": "BT"}`.
        settings: Values of further parameters: `{"beta": 0.1}`.
        denominators: Parameters that take a count over the whole optimizer step; `denominator` and
            TRL's `num_items_in_batch` are known.
        constants: Tensors into which no gradient may flow; the usual ones by default.
        leaf: The tensor to differentiate by: `logp`, `x` or `values` by default.
        empty_is_nan: Whether it says that nothing valid gives NaN.
        dtype: What tensors are drawn in, where a law does not say: `"float32"` for what has a path
            of its own for it. Results are then compared to 1e-5.
        waive: Names of laws that it breaks by design, each with the reason; they are skipped.
        name: How the report calls it.
        examples: Cases drawn for each law.
        seed: The same seed gives the same report.
        isolate: Whether in a child process that can be killed. Off by default: PyTorch's threads do
            not survive a fork.

    Raises:
        TypeError: it cannot be called, or takes something that nobody has named.
        ValueError: a kind, the name of a tensor or of a waived law is unknown.

    >>> from rlrewards import objectives as rl
    >>> from rlrewards.testing.laws.objectives import OBJECTIVE_LAWS
    >>> check_objective(rl.recipes.dapo, laws=OBJECTIVE_LAWS[:2], examples=3).ok
    True
    """
    from rlrewards.testing.laws.objectives import OBJECTIVE_LAWS

    found = objective(
        function,
        kind=kind,
        inputs=tuple(inputs),
        names=names,
        layouts=layouts,
        settings=settings,
        denominators=denominators,
        constants=constants,
        leaf=leaf,
        empty_is_nan=empty_is_nan,
        dtype=dtype,
        name=name,
    )
    waived = dict(waive or {})
    if unknown := {*waived} - {law.name for law in OBJECTIVE_LAWS}:
        raise ValueError(f"no law is called {', '.join(map(repr, sorted(unknown)))}")
    chosen = [
        law
        for law in (OBJECTIVE_LAWS if laws is None else laws)
        if law.applies_to(found)  # type: ignore[arg-type]
    ]
    skipped = [
        Finding(law.name, law.group, found.name, law.statement, Outcome.SKIPPED, waived[law.name])
        for law in chosen
        if law.name in waived
    ]
    jobs: list[Any] = [(found, law) for law in chosen if law.name not in waived]
    effort = Effort(examples=examples, seed=seed)
    findings = [*run(jobs, effort, isolate=isolate)]
    return Report(found.name, (*findings, *skipped), seed)
