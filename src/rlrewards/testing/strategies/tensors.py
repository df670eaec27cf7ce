"""Tensors as an objective is given them: ragged masks, extreme ratios, junk in padding.

`token_batches` draws the tensors of a batch by name. Their cells are multiples of 1/8 or 1/16,
small and exact in every floating-point type, so that a case is read at a glance and the same in all
of them. Log-probability differences are odd multiples of 1/16: none stands on the kink of a clip.
PyTorch is imported when a strategy is drawn from, not before.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PER_TOKEN = "BT"  # one value for each token, [B, T]
PER_ROW = "B"  # one value for each completion, [B]

LAYOUTS: dict[str, str] = {
    "logp": PER_TOKEN,
    "old_logp": PER_TOKEN,
    "ref_logp": PER_TOKEN,
    "sampler_logp": PER_TOKEN,
    "advantages": PER_ROW,
    "mask": PER_TOKEN,
    "known": PER_TOKEN,
    "keep": PER_TOKEN,
    "weight": PER_TOKEN,
    "log_weight": PER_TOKEN,
    "entropy": PER_TOKEN,
    "kl": PER_TOKEN,
    "cov": PER_TOKEN,
    "x": PER_TOKEN,
    "values": PER_TOKEN,
    "old_values": PER_TOKEN,
    "returns": PER_TOKEN,
    "rewards": PER_ROW,
    "greedy_rewards": PER_ROW,
    "group": PER_ROW,
    "lengths": PER_ROW,
    "bootstrap": PER_ROW,
    "truncated": PER_ROW,
    "correct": PER_ROW,
}
"""What `token_batches` can draw, and the usual shape of each."""

LOGPS = ("logp", "old_logp", "ref_logp", "sampler_logp")
BOOLEANS = ("mask", "known", "keep", "truncated", "correct")
JUNK = (0.0, math.nan, math.inf, -math.inf, 1e30)
EXTREME = (0.0, -0.5, -30.0, -1000.0)


class TokenBatch(dict[str, Any]):
    """Tensors by name; prints as one readable line each."""

    @property
    def rows(self) -> int:
        """Number of completions."""
        return len(self["mask"])

    @property
    def columns(self) -> int:
        """Number of tokens, padding included."""
        return int(self["mask"].shape[1])

    def but(self, **changed: Any) -> TokenBatch:
        """Return it with some tensors replaced."""
        return TokenBatch({**self, **changed})

    def __str__(self) -> str:
        return "\n".join(f"{name} = {shown(value)}" for name, value in self.items())


def shown(value: Any) -> str:
    """Return a tensor as a short text: 0 and 1 for booleans, no trailing zeros.

    >>> import torch
    >>> shown(torch.tensor([[1.0, float("nan")], [-0.5, 0.0]]))
    '[[1, nan], [-0.5, 0]]'
    """
    tolist = getattr(value, "tolist", None)
    if tolist is None:
        return repr(value)
    dtype = str(value.dtype).removeprefix("torch.")
    suffix = "" if dtype in ("float32", "float64", "bool", "int64") else f" ({dtype})"
    if value.numel() == 0:
        return f"empty, shape {[*value.shape]}{suffix}"
    return _listed(tolist()) + suffix


def _listed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_listed, value))}]"
    return str(int(value)) if isinstance(value, bool) else f"{value:.10g}"


def dtypes(*names: str) -> st.SearchStrategy[torch.dtype]:
    """Draw a floating-point type; of all four, or of those named."""

    def found(name: str) -> torch.dtype:
        import torch

        kind: torch.dtype = getattr(torch, name)
        return kind

    return st.sampled_from(names or ("float32", "float64", "bfloat16", "float16")).map(found)


def padding() -> st.SearchStrategy[float]:
    """Draw what may stand in padding: 0, NaN, ±inf, or a large number."""
    return st.sampled_from(JUNK)


def shapes(
    *, rows: tuple[int, int] = (1, 4), columns: tuple[int, int] = (1, 4)
) -> st.SearchStrategy[tuple[int, int]]:
    """Draw a number of completions and of tokens."""
    return _shapes(rows, columns)


@functools.lru_cache(maxsize=1000)
def _shapes(rows: tuple[int, int], columns: tuple[int, int]) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(*rows), st.integers(*columns))


def grids(
    shape: Sequence[int], low: int, high: int, *, over: int = 8, dtype: str = "float64"
) -> st.SearchStrategy[Tensor]:
    """Draw a tensor of numbers `k/over`, `low ≤ k ≤ high`.

    >>> from hypothesis import find
    >>> find(grids((2,), -8, 8), lambda x: bool((x < 0).any())).tolist()
    [0.0, -0.125]
    """
    return _grid(tuple(shape), low, high, over, dtype)


@functools.lru_cache(maxsize=1000)  # Hypothesis checks a new strategy, which takes longer than it
def _grid(
    shape: tuple[int, ...], low: int, high: int, over: int, dtype: str
) -> st.SearchStrategy[Tensor]:
    size = math.prod(shape)

    def build(cells: list[int]) -> Tensor:
        import torch

        numbers = [cell / over for cell in cells]
        return torch.tensor(numbers, dtype=torch.float64).reshape([*shape]).to(_dtype(dtype))

    return st.lists(st.integers(low, high), min_size=size, max_size=size).map(build)


def masks(
    rows: int, columns: int, *, empty_rows: bool = True, holes: bool = True
) -> st.SearchStrategy[Tensor]:
    """Draw masks `[rows, columns]`: each row valid up to its length, some with holes in it.

    They shrink to a full mask.

    >>> from hypothesis import find
    >>> find(masks(2, 3), lambda mask: not mask.all()).int().tolist()
    [[1, 1, 1], [1, 1, 0]]
    """
    return _masks(rows, columns, 0 if empty_rows else min(1, columns), holes)


@functools.lru_cache(maxsize=1000)
def _masks(rows: int, columns: int, shortest: int, holes: bool) -> st.SearchStrategy[Tensor]:

    def build(hole: list[int], missing: list[int]) -> Tensor:
        import torch

        lengths = [columns - some for some in missing]
        mask = torch.arange(columns) < torch.tensor(lengths, dtype=torch.int64).reshape(rows, 1)
        for row, at in enumerate(hole):
            if holes and 0 < at < lengths[row]:  # the first token stays
                mask[row, at] = False
        return mask

    missing = st.lists(st.integers(0, columns - shortest), min_size=rows, max_size=rows)
    hole = st.lists(st.sampled_from((0, *range(1, columns))), min_size=rows, max_size=rows)
    return st.builds(build, hole, missing)


def groups(rows: int, *, most: int = 3) -> st.SearchStrategy[Tensor]:
    """Draw group ids `[rows]`: ragged, in any order, some alone in theirs."""

    def build(ids: list[int]) -> Tensor:
        import torch

        return torch.tensor(ids, dtype=torch.int64)

    return st.lists(st.integers(0, most - 1), min_size=rows, max_size=rows).map(build)


def reward_rows(
    rows: int, *, missing: bool = False, dtype: str = "float64"
) -> st.SearchStrategy[Tensor]:
    """Draw rewards `[rows]`, with few values, so that groups of equal ones are common.

    With `missing` some are NaN: no opinion.
    """
    return _picked((rows,), (0.0, 1.0, 0.5, -1.0, 0.25) + (math.nan,) * missing, dtype)


def with_padding(batch: TokenBatch, junk: float, *, width: int = 0) -> TokenBatch:
    """Return a batch with `junk` in every masked cell and in `width` columns more of padding.

    Booleans and integers keep what they have; the added columns of the mask are False.

    >>> import torch
    >>> batch = TokenBatch(x=torch.ones(1, 2), mask=torch.tensor([[True, False]]))
    >>> print(with_padding(batch, float("nan"), width=1))
    x = [[1, nan, nan]]
    mask = [[1, 0, 0]]
    """
    import torch

    mask = batch["mask"]

    def padded(name: str, x: Any) -> Any:
        if not _is_per_token(x, mask):
            return x
        if x.is_floating_point():
            x = x.masked_fill(~mask, junk)
            return torch.nn.functional.pad(x, (0, width), value=junk)
        return torch.nn.functional.pad(x, (0, width), value=0)

    return TokenBatch({name: padded(name, x) for name, x in batch.items()})


def _is_per_token(x: Any, mask: Any) -> bool:
    return getattr(x, "ndim", 0) >= 2 and x.shape[-2:] == mask.shape


def rows_of(batch: TokenBatch, rows: Any) -> TokenBatch:
    """Return some rows of every tensor, by an index or a boolean mask over rows."""
    count = batch.rows
    mask = batch["mask"]

    def taken(x: Any) -> Any:
        shape: tuple[int, ...] = tuple(getattr(x, "shape", ()))
        if _is_per_token(x, mask) and x.ndim > 2:
            return x[..., rows, :]
        return x[rows] if shape and shape[0] == count else x

    return TokenBatch({name: taken(x) for name, x in batch.items()})


def token_batches(
    names: Iterable[str] = ("logp", "old_logp", "advantages", "mask"),
    *,
    rows: tuple[int, int] = (1, 4),
    columns: tuple[int, int] = (1, 4),
    layouts: Mapping[str, str] | None = None,
    dtype: str = "float64",
    extreme: bool = False,
    missing: bool = False,
    empty_rows: bool = True,
    holes: bool = True,
) -> st.SearchStrategy[TokenBatch]:
    """Draw the tensors of a batch by name, one of `LAYOUTS` each; `mask` is always among them.

    Args:
        names: Which tensors.
        rows: Fewest and most completions.
        columns: Fewest and most tokens.
        layouts: Other shapes than those of `LAYOUTS`: `{"advantages": "BT"}`.
        dtype: Of the floating-point ones.
        extreme: Whether log-probabilities may differ by ±1000.
        missing: Whether rewards may be NaN.
        empty_rows: Whether rows may be without a valid token.
        holes: Whether masked tokens may stand between valid ones.

    Raises:
        ValueError: a name or layout is unknown.

    >>> from hypothesis import find
    >>> print(find(token_batches(), lambda batch: not batch["mask"].all()))
    mask = [[0]]
    logp = [[0]]
    old_logp = [[0.0625]]
    advantages = [0]
    """
    wanted = {name: (layouts or {}).get(name) or _layout(name) for name in names}
    for name, layout in wanted.items():
        if layout not in (PER_TOKEN, PER_ROW):
            raise ValueError(f"layout of {name} is {layout!r}, expected 'B' or 'BT'")

    @st.composite
    def draw(draw: st.DrawFn) -> TokenBatch:
        height, width = draw(shapes(rows=rows, columns=columns))
        mask = draw(masks(height, width, empty_rows=empty_rows, holes=holes))
        batch = TokenBatch(mask=mask)
        for name, layout in wanted.items():
            if name != "mask":
                shape = (height, width) if layout == PER_TOKEN else (height,)
                batch[name] = draw(_cells(name, shape, batch, dtype, extreme, missing))
        return batch

    return draw()


def _layout(name: str) -> str:
    if name not in LAYOUTS:
        raise ValueError(f"no tensor is called {name!r}; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def _cells(
    name: str,
    shape: tuple[int, ...],
    batch: TokenBatch,
    dtype: str,
    extreme: bool,
    missing: bool,
) -> st.SearchStrategy[Any]:
    """Draw one tensor, given those before it."""
    if name in LOGPS and extreme:
        return _picked(shape, EXTREME, dtype)
    if name in LOGPS and name != "logp":
        near = batch.get("logp")
        offset = grids(shape, -8, 7).map(lambda x: x + 1 / 16)
        if near is None:
            return offset.map(lambda x: (x - 1).to(_dtype(dtype)))
        return offset.map(lambda x: (near.double() + x).to(_dtype(dtype)))
    if name in ("logp", "x") or name in LOGPS:
        return grids(shape, -24, 0, dtype=dtype)
    if name in BOOLEANS:
        return grids(shape, 0, 1, over=1).map(lambda x: x == 0)
    if name in ("weight", "entropy"):
        return grids(shape, 0, 16, dtype=dtype)
    if name == "group":
        return groups(shape[0])
    if name == "lengths":
        return grids(shape, 0, 9, over=1).map(lambda x: x.long())
    if name in ("rewards", "greedy_rewards") and len(shape) == 1:
        return reward_rows(shape[0], missing=missing and name == "rewards", dtype=dtype)
    if name in ("old_values", "returns"):
        return grids(shape, -8, 8, dtype="float64").map(lambda x: (x + 1 / 16).to(_dtype(dtype)))
    return grids(shape, -16, 16, dtype=dtype)


@functools.lru_cache(maxsize=1000)
def _picked(
    shape: tuple[int, ...], choices: tuple[float, ...], dtype: str
) -> st.SearchStrategy[Tensor]:
    size = math.prod(shape)

    def build(cells: list[float]) -> Tensor:
        import torch

        return torch.tensor(cells, dtype=torch.float64).reshape([*shape]).to(_dtype(dtype))

    return st.lists(st.sampled_from(choices), min_size=size, max_size=size).map(build)


def _dtype(name: str) -> torch.dtype:
    import torch

    kind: torch.dtype = getattr(torch, name)
    return kind
