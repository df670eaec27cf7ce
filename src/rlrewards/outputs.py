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
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from rlrewards import core
from rlrewards.tables import require_pyarrow, table_suffix

Record = dict[str, Any]
RECORD_COLUMNS = ("line", *core.RECORD_COLUMNS, "fingerprint")
_TEXT_COLUMNS = set(RECORD_COLUMNS) - {"line", "total"}
_PARQUET_ROWS = 8192


class PartialFile:
    """The records of a run, on disk: kept while it lasts, finished at its end.

        output = PartialFile("scored.parquet", source="completions.jsonl")
        with output.opened({"step": 0}) as done:  # how many records an earlier run left
            output.append(records)
            output.finish()

    Making one looks at what is there and writes nothing.

    Args:
        out: Where the finished file will stand; the suffix says in which format.
        source: The file that is scored; a run over something else (standard input) cannot be
            resumed.
        resume: Whether to go on with the partial file of an earlier run, where there is one.
        overwrite: Whether to replace the finished file, and the partial one, of an earlier run.

    Raises:
        ValueError: the format cannot be written, `out` is the source or a folder, or it or its
            partial file is there and neither `resume` nor `overwrite` says what to do.
    """

    def __init__(
        self, out: str | Path, *, source: str, resume: bool = False, overwrite: bool = False
    ) -> None:
        self.out = Path(out)
        self._format = _output_format(self.out)
        self.path = self.out.with_name(self.out.name + ".partial")
        self._whole = self.out.with_name(self.out.name + ".tmp")
        self._source = Path(source)
        self._overwrite = overwrite
        self._file: BinaryIO | None = None
        self._count = 0
        self._require_use(resume)
        if self._format == ".parquet":
            require_pyarrow()

    def _require_use(self, resume: bool) -> None:
        """Check that the files which are there may be used as asked."""
        if resume and self._overwrite:
            raise ValueError("--resume and --overwrite exclude each other")
        if resume and not self.resumable:
            raise ValueError("--resume needs a file to read again, not a stream")
        for path in (self.out, self.path, self._whole):
            if path.is_dir():
                raise ValueError(f"{path}: is a folder; give --out another name")
        if self.out.exists() and self._source.exists() and self.out.samefile(self._source):
            raise ValueError(f"{self.out}: is the input; give --out another name")
        if self._overwrite or (resume and self.path.exists()):
            return
        if self.path.exists():
            onward = "go on with --resume, or start again" if self.resumable else "start again"
            raise ValueError(f"{self.path}: holds an interrupted run; {onward} with --overwrite")
        if self.out.exists():
            raise ValueError(
                f"{self.out}: is finished, nothing to resume; score again with --overwrite"
                if resume
                else f"{self.out}: exists; replace it with --overwrite, or give another --out"
            )

    @property
    def resumable(self) -> bool:
        """Whether what is scored can be read again."""
        return self._source.is_file()

    @property
    def kept(self) -> bool:
        """Whether there are records to go on from."""
        return self._count > 0

    @contextmanager
    def opened(self, identity: dict[str, Any]) -> Iterator[int]:
        """Open the partial file, new or old, and give the number of records that it holds.

        In the end it is closed and left for another run to resume, unless it holds no record.

        Args:
            identity: What, beside the content of the source, makes two runs the same.

        Raises:
            ValueError: the partial file that is there is damaged or belongs to another run.
        """
        digest = digest_of(self._source) if self.resumable else None
        identity = {"input file": digest} | identity
        if self._overwrite:
            self.path.unlink(missing_ok=True)
        if self.path.exists():
            self._go_on(identity)
        else:
            self._file = self.path.open("xb")
            self._write([identity])
        try:
            yield self._count
        finally:
            self._close()

    def _go_on(self, identity: dict[str, Any]) -> None:
        """Go on with the partial file that is there; a last line that was cut short is dropped."""
        with self.path.open("rb") as file:
            self._require_same_run(file.readline(), identity)
            file.seek(0)
            whole, lines = _whole_lines(file)
        self._file = self.path.open("r+b")
        self._file.truncate(whole)
        self._file.seek(whole)
        self._count = lines - 1

    def _require_same_run(self, first_line: bytes, identity: dict[str, Any]) -> None:
        found = _parsed(first_line) if first_line.endswith(b"\n") else None
        if found is None:
            raise self.damaged(1)
        for what, value in identity.items():
            if found.get(what) != value:
                raise ValueError(
                    f"{self.path}: was written with another {what}; go on with the same, or use "
                    "--overwrite"
                )

    def append(self, records: Sequence[Record]) -> None:
        """Add records, and hand them to the operating system at once."""
        self._write(records)
        self._count += len(records)

    def records(self) -> Iterator[Record]:
        """Read the records back, in order.

        Raises:
            ValueError: a line is damaged; the message says which.
        """
        columns = None
        with self.path.open("rb") as file:
            for number, line in enumerate(islice(file, 1, None), start=2):
                record = _parsed(line)
                if record is None or not _is_record(record, columns):
                    raise self.damaged(number)
                columns = columns or record.keys()
                yield record

    def damaged(self, line: int) -> ValueError:
        """Return the error for a line of the partial file that cannot be used, counted from 1."""
        return ValueError(f"{self.path}: line {line} is damaged; use --overwrite")

    def finish(self) -> None:
        """Turn the partial file into the finished one."""
        self._close()
        try:
            if self._format == ".parquet":
                _write_parquet(self.records(), self._whole)
            else:
                _write_json_lines(self.path, self._whole, zipped=self.out.suffix == ".gz")
            os.replace(self._whole, self.out)
        finally:
            self._whole.unlink(missing_ok=True)
        self.path.unlink()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            if not self._count:
                self.path.unlink()

    def _write(self, records: Sequence[Record]) -> None:
        assert self._file is not None
        self._file.write(b"".join(map(_json_line, records)))
        self._file.flush()


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_writable(path: Path | None) -> None:
    """Raise unless a file can stand there, so that a long run does not end in vain.

    Raises:
        ValueError: it is a folder, or in none.
    """
    if path is not None and path.is_dir():
        raise ValueError(f"{path}: is a folder")
    if path is not None and not path.resolve().parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.resolve().parent}")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON to be read by people, too."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=True) + "\n", encoding="utf-8")


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


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object on a line, or None when there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_record(record: Record, columns: Collection[str] | None) -> bool:
    """Whether an object is a record, with these columns where they are known."""
    if record.keys() != columns if columns else not record.keys() >= set(RECORD_COLUMNS):
        return False
    return all(
        value is None or isinstance(value, str if name in _TEXT_COLUMNS else int | float)
        for name, value in record.items()
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
    types = {name: pa.string() if name in _TEXT_COLUMNS else pa.float64() for name in first}
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
