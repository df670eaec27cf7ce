"""How long a completion is, in tokens.

The token ids of a sample say so when it has them. Without them a reward is told how to count by
`length=`: `"words"`, `"tokenizer:PATH"`, or a function of the text. Characters are never counted,
since a limit meant for tokens is then off by a factor of about four.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlrewards.core import Sample

TOKENIZER = "tokenizer:"
_ALLOWED = f'"words", "{TOKENIZER}PATH", or a function of the text that returns a whole number'


def lengths_tokens(
    batch: Sequence[Sample], length: str | Callable[[str], int] | None, owner: str
) -> list[int]:
    """Return the length of each completion in tokens.

    Args:
        batch: The samples; the token ids of a sample win over `length`.
        length: How to count a completion without token ids.
        owner: Name of the reward, for the error.

    Raises:
        ValueError: a sample has no token ids and `length` is None, or the tokenizer cannot be
            loaded.
        TypeError: the function given as `length` returned no whole number.

    >>> from rlrewards import Sample
    >>> lengths_tokens([Sample("a b c"), Sample("a b c", token_ids=[7])], "words", "Example")
    [3, 1]
    """
    count = None if length is None else _counter(length)
    return [_length_tokens(sample, index, count, owner) for index, sample in enumerate(batch)]


def _length_tokens(
    sample: Sample, index: int, count: Callable[[str], int] | None, owner: str
) -> int:
    if sample.token_ids is not None:
        return len(sample.token_ids)
    if count is None:
        raise ValueError(
            f"{owner} counts tokens, and sample {index} of the batch has no token_ids; give the "
            f"samples token_ids, or {owner} a length=: {_ALLOWED}"
        )
    found = count(sample.completion)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise TypeError(f"{owner}: length= must return a whole number >= 0, got {found!r}")
    return found


def _counter(length: str | Callable[[str], int]) -> Callable[[str], int]:
    if callable(length):
        return length
    return count_words if length == "words" else _tokenizer(length.removeprefix(TOKENIZER))


def count_words(text: str) -> int:
    """Return the number of words, as white space separates them.

    >>> count_words("two  words")
    2
    """
    return len(text.split())


# ---------------------------------------------------------------------------------------------
# Tokenizers


@lru_cache(maxsize=8)
def _tokenizer(path: str) -> Callable[[str], int]:
    """Return what counts the tokens of a text, special tokens left out."""
    place = Path(path).expanduser()
    file = place / "tokenizer.json" if place.is_dir() else place
    encode = _from_file(file) if file.is_file() else _from_transformers(path)
    # Tokenizers take no lone surrogates, which a completion may hold.
    return lambda text: len(encode(text.encode("utf-8", "replace").decode("utf-8")))


def _from_file(file: Path) -> Callable[[str], Sequence[int]]:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise _missing_package(str(file), "tokenizers") from None
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exceptions
        raise ValueError(f'length="{TOKENIZER}{file}" is not a tokenizer file: {error}') from None
    tokenizer.no_truncation()  # a file may carry both, and either makes the count wrong
    tokenizer.no_padding()

    def encode(text: str) -> Sequence[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    return encode


def _from_transformers(path: str) -> Callable[[str], Sequence[int]]:
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise _missing_package(path, "transformers") from None
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError) as error:
        first_line = str(error).strip().split("\n")[0]
        raise ValueError(
            f'length="{TOKENIZER}{path}": no tokenizer there ({first_line}); give a tokenizer.json '
            "file, a folder that holds one, or the name of a model that is already downloaded"
        ) from None
    tokenizer.model_max_length = 2**62  # no warning about a long text

    def encode(text: str) -> Sequence[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
        return ids

    return encode


def _missing_package(path: str, package: str) -> ImportError:
    return ImportError(
        f'length="{TOKENIZER}{path}" needs the package {package}: pip install "rlrewards[trl]"'
    )


# ---------------------------------------------------------------------------------------------
# What constructors check


def require_length(reward: object, length: object) -> None:
    """Raise unless `length` is one of the ways to count tokens, or None.

    Raises:
        ValueError: it is a string that names no way to count.
        TypeError: it is neither a string nor a function.
    """
    if length is None or length == "words" or callable(length):
        return
    if isinstance(length, str):
        if length.startswith(TOKENIZER) and length != TOKENIZER:
            return
        raise ValueError(f"{_name(reward)}: length={length!r}; allowed: {_ALLOWED}")
    raise TypeError(f"{_name(reward)}: length={length!r}; allowed: {_ALLOWED}")


def _name(reward: object) -> str:
    return type(reward).__name__
