"""Scored rows into a file, so that a run that is stopped loses nothing and can go on.

While a run lasts, its records are appended to `OUT.partial`: a line that says what is being scored
with what, then one JSON object a line, flushed after every batch. At the end they become OUT (JSON
lines, gzipped or not, or Parquet) in one rename, and the partial file goes. A killed run therefore
leaves either the partial file or the finished one, and never half of a file under the final name.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from rlrewards.tables import require_pyarrow, table_suffix

Record = dict[str, Any]
RECORD_COLUMNS = (
    "line",
    "total",
    "verdict_status",
    "verdict_tier",
    "verdict_answer",
    "verdict_why",
    "fingerprint",
)
_PARQUET_ROWS = 8192


class PartialFile:
    """The records of a run so far, on disk.

    Args:
        out: Where the finished file will stand; the suffix says in which format.

    Raises:
        ValueError: the suffix is not that of a format that can be written.
    """

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        self.path = self.out.with_name(self.out.name + ".partial")
        self._file: BinaryIO | None = None
        self._count = 0
        self._format = _output_format(self.out)
        if self._format == ".parquet":
            require_pyarrow()

    @property
    def kept(self) -> bool:
        """Whether there are records to go on from."""
        return self._count > 0

    def start(self, identity: dict[str, Any]) -> None:
        """Begin an empty partial file for the run that `identity` describes.

        Raises:
            FileExistsError: there is one already.
        """
        self._file = self.path.open("xb")
        self._write([identity])

    def resume(self, identity: dict[str, Any]) -> int:
        """Go on with the partial file that is there; return how many records it holds.

        A last line that was cut short is dropped.

        Raises:
            ValueError: it belongs to another run; the message says what differs.
        """
        with self.path.open("rb") as file:
            _require_same_run(self.path, file.readline(), identity)
            file.seek(0)
            whole, lines = _whole_lines(file)
        self._file = self.path.open("r+b")
        self._file.truncate(whole)
        self._file.seek(whole)
        self._count = lines - 1
        return self._count

    def append(self, records: Sequence[Record]) -> None:
        """Add records, and hand them to the operating system at once."""
        self._write(records)
        self._count += len(records)

    def records(self) -> Iterator[Record]:
        """Read the records back, in order."""
        with self.path.open("rb") as file:
            for line in islice(file, 1, None):
                yield json.loads(line)

    def close(self) -> None:
        """Close the partial file and leave it for `resume`, unless it holds no record."""
        if self._file is not None:
            self._file.close()
            self._file = None
            if not self._count:
                self.path.unlink()

    def finish(self) -> None:
        """Turn the partial file into the finished one."""
        self.close()
        whole = self.out.with_name(self.out.name + ".tmp")
        if self._format == ".parquet":
            _write_parquet(self.records(), whole)
        else:
            _write_json_lines(self.path, whole, zipped=self.out.suffix == ".gz")
        os.replace(whole, self.out)
        self.path.unlink()

    def _write(self, records: Sequence[Record]) -> None:
        assert self._file is not None
        self._file.write(b"".join(map(_json_line, records)))
        self._file.flush()


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _output_format(out: Path) -> str:
    suffix = table_suffix(out.name) if out.suffix else ""
    if suffix not in (".jsonl", ".ndjson", ".parquet") or out.name.endswith(".parquet.gz"):
        raise ValueError(f"{out}: --out must end in .jsonl, .jsonl.gz or .parquet")
    return suffix


def _json_line(record: Record) -> bytes:
    try:
        return (json.dumps(record, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can hold
        return (json.dumps(record) + "\n").encode()


def _whole_lines(file: BinaryIO) -> tuple[int, int]:
    """Return the length in bytes of all complete lines, and their number."""
    length = count = 0
    for line in file:
        if line.endswith(b"\n"):
            length += len(line)
            count += 1
    return length, count


def _require_same_run(path: Path, first_line: bytes, identity: dict[str, Any]) -> None:
    try:
        found = json.loads(first_line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: not the partial file of a run; remove it or use --overwrite")
    for what, value in identity.items():
        if found.get(what) != value:
            raise ValueError(
                f"{path}: was written with another {what}; go on with the same, or use --overwrite"
            )


def _write_json_lines(partial: Path, target: Path, *, zipped: bool) -> None:
    with partial.open("rb") as source, target.open("wb") as raw:
        source.readline()
        # No name and no time in the gzip header: equal records give equal files.
        sink = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if zipped else raw
        while block := source.read(1 << 20):
            sink.write(block)
        if zipped:
            sink.close()


def _write_parquet(records: Iterator[Record], target: Path) -> None:
    """Write records with a float column for each reward and text columns for the verdict."""
    pa = require_pyarrow()
    first = next(records)
    text = set(RECORD_COLUMNS) - {"line", "total"}
    types = {name: pa.string() if name in text else pa.float64() for name in first}
    schema = pa.schema(list((types | {"line": pa.int64()}).items()))
    with pa.parquet.ParquetWriter(target, schema) as writer:
        block = [first, *islice(records, _PARQUET_ROWS - 1)]
        while block:
            rows = [{name: _utf8(value) for name, value in row.items()} for row in block]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            block = list(islice(records, _PARQUET_ROWS))


def _utf8(value: Any) -> Any:
    """Return the value with lone surrogates, which Parquet cannot hold, as question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
