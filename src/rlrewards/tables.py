"""Rows out of a file: JSON lines, CSV, TSV or Parquet, one dict each, read as a stream.

`open_table` looks at the name and the first bytes and gives a `Table`; iterating over it gives
`Row`s. A row that cannot be read carries its `problem` instead of stopping the file, so that the
caller decides what a broken row means; a file that is no table at all is a `ValueError`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from rlrewards.messages import kind_of

STDIN = "-"
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
CSV_DELIMITERS = {".csv": ",", ".tsv": "\t"}
KNOWN_SUFFIXES = (*JSON_SUFFIXES, *CSV_DELIMITERS, ".parquet")
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_UTF8_BOM = b"\xef\xbb\xbf"
_PEEK_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        number: Line of the file that the row starts on, from 1 (in Parquet: row, from 1).
        values: The row's fields by column; empty when it is broken.
        problem: What is wrong with the row; empty when nothing is.
    """

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Table(Protocol):
    """Rows that can be iterated over once.

    Attributes:
        name: What to call the table in messages.
        unit: What `Row.number` counts: "line" or "row".
        text_cells: Whether every field is text (CSV), so that lists stand in it as JSON.
        size: Whole amount of work, in the unit of `position()`; None when unknown.
    """

    name: str
    unit: str
    text_cells: bool
    size: int | None

    def __iter__(self) -> Iterator[Row]: ...

    def position(self) -> int:
        """Return how much of `size` was read."""
        ...


@contextmanager
def open_table(path: str) -> Iterator[Table]:
    """Open a table by its suffix and its first bytes; "-" is JSON lines on standard input.

    Gzipped text is recognised by its first bytes, whatever its suffix.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the suffix is unknown, the content is not what the suffix says, or standard
            input is closed.
    """
    if path == STDIN:
        if sys.stdin is None:
            raise ValueError("standard input is closed; give a file")
        yield JsonLines("standard input", sys.stdin.buffer)
        return
    if Path(path).is_dir():
        raise ValueError(f"{path}: is a folder; give a file")
    suffix = table_suffix(path)
    with Path(path).open("rb") as stream:
        yield _table(path, stream, suffix)


def _table(path: str, stream: BinaryIO, suffix: str) -> Table:
    if suffix == ".parquet":
        return ParquetRows(path, stream)
    if suffix in CSV_DELIMITERS:
        return CsvRows(path, stream, CSV_DELIMITERS[suffix])
    return JsonLines(path, stream)


def table_suffix(path: str) -> str:
    """Return the suffix that names the format of a table, that of gzip aside.

    >>> table_suffix("runs/scored.jsonl.gz")
    '.jsonl'

    Raises:
        ValueError: the suffix is none that is known; a name without one is JSON lines.
    """
    name = Path(path).name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix or JSON_SUFFIXES[0]
    if suffix not in KNOWN_SUFFIXES:
        raise ValueError(
            f"{path}: unknown suffix {suffix!r}; known: {' '.join(KNOWN_SUFFIXES)}, "
            "and .gz behind those of text"
        )
    return suffix


class _TextTable:
    """What the two text formats share: a byte stream, unpacked, checked and measured."""

    unit = "line"
    text_cells = False

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self.name = name
        self.size = _size_of(stream)
        self._file = stream
        self._stream = _unpacked(stream)
        self._require_text()

    def position(self) -> int:
        """Return how many bytes of the file were read."""
        return self._file.tell() if self.size is not None else 0

    def _require_text(self) -> None:
        head = self._guarded(lambda: self._stream.peek(_PEEK_BYTES)[:_PEEK_BYTES])
        if b"\0" in head:
            raise ValueError(f"{self.name}: not UTF-8 text; give JSON lines, CSV or Parquet")

    def _lines(self) -> Iterator[bytes]:
        while line := self._guarded(self._stream.readline):
            yield line

    def _guarded(self, read: Any) -> bytes:
        """Return what `read()` gives, with damaged gzip data told in one line."""
        try:
            return cast(bytes, read())
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{self.name}: the gzip data is damaged ({error})") from None


class JsonLines(_TextTable):
    """One JSON object a line, in UTF-8; blank lines are passed over."""

    def __iter__(self) -> Iterator[Row]:
        for number, line in enumerate(self._lines(), start=1):
            text = line.removeprefix(_UTF8_BOM) if number == 1 else line
            if number == 1 and text.lstrip().startswith(b"["):
                raise ValueError(
                    f"{self.name}: holds one JSON array; write one object a line "
                    "(for example with: jq -c '.[]')"
                )
            if text.strip():
                yield _json_row(number, text)


def _json_row(number: int, line: bytes) -> Row:
    try:
        values = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return Row(number, problem="not UTF-8")
    except json.JSONDecodeError as error:
        return Row(number, problem=f"not JSON: {error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:  # a number of too many digits, too deep a nest
        return Row(number, problem=f"not JSON that can be read: {error}")
    if not isinstance(values, dict):
        return Row(number, problem=f"not a JSON object but {kind_of(values)}")
    return Row(number, values)


class CsvRows(_TextTable):
    """Comma- or tab-separated values with a header line, in UTF-8; every field is text."""

    text_cells = True

    def __init__(self, name: str, stream: BinaryIO, delimiter: str) -> None:
        super().__init__(name, stream)
        self._delimiter = delimiter

    def __iter__(self) -> Iterator[Row]:
        csv.field_size_limit(2**31 - 1)  # the default refuses fields above 128 KB
        reader = csv.reader(self._text_lines(), delimiter=self._delimiter, strict=True)
        header = self._header(reader)
        while True:
            number = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(number, problem=f"not CSV: {error}")
                continue
            if fields:
                yield _csv_row(number, header, fields)

    def _text_lines(self) -> Iterator[str]:
        for number, line in enumerate(self._lines()):
            text = line if number else line.removeprefix(_UTF8_BOM)
            # What is not UTF-8 becomes lone surrogates, so that one bad field costs one row.
            yield text.decode("utf-8", "surrogateescape")

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            header = next(reader, [])
        except csv.Error as error:
            raise ValueError(f"{self.name}: the header is not CSV: {error}") from None
        for name in header:
            if header.count(name) > 1:
                raise ValueError(f"{self.name}: two columns are named {name!r}; rename one")
        return header


def _csv_row(number: int, header: list[str], fields: list[str]) -> Row:
    if len(fields) != len(header):
        return Row(number, problem=f"{len(fields)} fields where the header has {len(header)}")
    if any(not _is_unicode(text) for text in fields):
        return Row(number, problem="not UTF-8")
    return Row(number, dict(zip(header, fields, strict=True)))


class ParquetRows:
    """A Parquet file, read by row groups; needs pyarrow."""

    unit = "row"
    text_cells = False
    _batch_rows = 512

    def __init__(self, name: str, stream: BinaryIO) -> None:
        if stream.read(len(_PARQUET_MAGIC)) != _PARQUET_MAGIC:
            raise ValueError(f"{name}: not a Parquet file")
        parquet = require_pyarrow().parquet
        self.name = name
        self._read = 0
        try:
            self._file = parquet.ParquetFile(stream)
        except (ValueError, OSError) as error:
            raise ValueError(f"{name}: cannot be read as Parquet: {error}") from None
        self.size: int | None = self._file.metadata.num_rows

    def position(self) -> int:
        """Return how many rows were read."""
        return self._read

    def __iter__(self) -> Iterator[Row]:
        try:
            for batch in self._file.iter_batches(batch_size=self._batch_rows):
                for values in _values(batch):
                    self._read += 1
                    broken = isinstance(values, str)
                    yield Row(self._read, problem=values) if broken else Row(self._read, values)
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.name}: cannot be read as Parquet: {error}") from None


def _values(batch: Any) -> list[Any]:
    """Return the rows of a batch as dicts; one that Python has no values for as its problem."""
    try:
        return cast(list[Any], batch.to_pylist())
    except (ValueError, OverflowError) as error:  # such as a time in nanoseconds, or the year 20000
        if batch.num_rows == 1:
            return [f"a value cannot be read: {error}"]
        return [row for n in range(batch.num_rows) for row in _values(batch.slice(n, 1))]


def require_pyarrow() -> Any:
    """Return the module pyarrow, with its submodule parquet.

    Raises:
        ValueError: it is not installed; the message says what to install.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ValueError('Parquet needs pyarrow: pip install "rlrewards[parquet]"') from None
    return pyarrow


def _unpacked(stream: Any) -> Any:
    """Return the stream, buffered, and unpacked when it starts as gzip data does."""
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
    if buffered.peek(len(_GZIP_MAGIC))[: len(_GZIP_MAGIC)] != _GZIP_MAGIC:
        return buffered
    return io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=buffered)))


def _size_of(stream: BinaryIO) -> int | None:
    if stream is getattr(sys.stdin, "buffer", None) or not stream.seekable():
        return None
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
