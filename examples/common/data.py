r"""Reading data sets and cleaning them: sources, answers in solutions, duplicates, samples.

A source is a file (`.jsonl`, `.json`, `.parquet`, `.csv`), a folder of such files, or the id of a
data set on the hub. What comes out are plain dicts.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from examples.common.preflight import PreflightError, first_line, require_columns, require_file
from examples.common.records import read_jsonl
from examples.common.settings import SourceSettings
from rlrewards.verify.boxes import boxes_in

Row = dict[str, Any]
T = TypeVar("T")
ENDINGS = (".jsonl", ".json", ".parquet", ".csv")


def read(source: SourceSettings, columns: Iterable[str] = ()) -> list[Row]:
    """Return the rows of a source, with our names for its columns.

    Args:
        source: Which, and what is kept of it; `take` is left to `sample`.
        columns: Names, ours, that every row must have.
    """
    theirs = source.columns
    rows = [
        row | {ours: row[name] for ours, name in theirs.items() if name in row}
        for row in _rows(source)
        if all(str(row.get(name)) == value for name, value in source.where.items())
    ]
    require_columns(rows, columns, f"{source.name} ({source.path})")
    return rows


def _rows(source: SourceSettings) -> Iterable[Row]:
    path = Path(source.path).expanduser()
    is_local = path.exists() or path.suffix in ENDINGS or source.path.startswith((".", "/", "~"))
    if is_local:
        return [row for file in _files(path) for row in _file(file)]
    import datasets

    try:
        return datasets.load_dataset(source.path, source.subset, split=source.split)
    except (OSError, ValueError) as error:
        raise PreflightError(
            f"cannot load {source.path} from the hub ({first_line(error)}); with no network, "
            "download it elsewhere and give its folder as the path"
        ) from error


def _file(file: Path) -> list[Row]:
    if file.suffix == ".jsonl":
        return read_jsonl(file)
    if file.suffix == ".json":
        return list(json.loads(file.read_text("utf-8")))
    if file.suffix == ".csv":
        with open(file, encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    from pyarrow import parquet

    return parquet.read_table(file).to_pylist()


def _files(path: Path) -> list[Path]:
    """Return the files of a path, all of one kind."""
    require_file(path, "look at the path of the source in the settings")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [file for file in files if file.suffix in ENDINGS and file.is_file()]
    if not files:
        raise PreflightError(
            f"{path} has no data files; expected {', '.join(ENDINGS)}, or the id of a hub data set"
        )
    return files


def last_boxed(solution: str) -> str | None:
    r"""Return what the last `\boxed{…}` holds, brackets matched; None without one that is closed.

    >>> last_boxed(r"First \boxed{1}, so \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    boxes = list(boxes_in(solution, 0, len(solution)))
    if not boxes or boxes[-1] is None:
        return None
    _, (start, stop) = boxes[-1]
    return solution[start:stop].strip() or None


def before_last_box(solution: str) -> str | None:
    r"""Return the text before the last `\boxed{…}`, without the `$` that opens its formula.

    >>> before_last_box(r"Two and two, so $\boxed{4}$.")
    'Two and two, so'
    """
    boxes = list(boxes_in(solution, 0, len(solution)))
    if not boxes or boxes[-1] is None:
        return None
    (start, _), _ = boxes[-1]
    before = re.sub(r"(?:\$+|\\\(|\\\[)\s*\Z", "", solution[:start])
    return before.strip() or None


def after_hashes(solution: str) -> str | None:
    r"""Return what stands after the last `\n####`, as GSM8K writes its answers.

    >>> after_hashes("9 + 9 = 18\n#### 18")
    '18'
    """
    _, mark, answer = solution.rpartition("\n####")
    return (answer.strip() or None) if mark else None


def without_duplicates(rows: Iterable[Row], key: str = "question") -> list[Row]:
    """Return the first of the rows whose texts are the same but for case and white space.

    >>> [r["question"] for r in without_duplicates([{"question": "Is 2"}, {"question": "is  2 "}])]
    ['Is 2']
    """
    seen: dict[str, Row] = {}
    for row in rows:
        seen.setdefault(re.sub(r"\s+", " ", str(row[key])).strip().casefold(), row)
    return list(seen.values())


def sample(
    rows: Sequence[T],
    count: int | None,
    rng: random.Random,
    *,
    by: Callable[[T], str] | None = None,
) -> list[T]:
    """Return `count` rows at random, in their order; fewer where there are fewer.

    With `by` the strata keep their shares, rounded by the largest remainder, so that the counts
    add up: of 4125 rows, 3000 are `3000 · |stratum| / 4125` of each stratum.
    """
    if count is None or count >= len(rows):
        return list(rows)
    strata: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        strata[by(row) if by else ""].append(index)
    quotas = shares({name: len(members) for name, members in strata.items()}, count)
    chosen = [
        index for name, members in strata.items() for index in rng.sample(members, quotas[name])
    ]
    return [rows[index] for index in sorted(chosen)]


def shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """Return how many of each stratum make `count`, in proportion, by the largest remainder.

    >>> shares({"a": 5, "b": 3, "c": 2}, 4)
    {'a': 2, 'b': 1, 'c': 1}
    """
    total = sum(sizes.values())
    whole = {name: count * size // total for name, size in sizes.items()}
    remainders = {name: count * size % total for name, size in sizes.items()}
    # Of equal remainders the first in the order of names: the same every time.
    largest = sorted(sizes, key=lambda name: (-remainders[name], name))
    for name in largest[: count - sum(whole.values())]:
        whole[name] += 1
    return whole
