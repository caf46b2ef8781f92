"""Look for values inside an object, whatever it is: text in the usual encodings, Parquet by cells, archives and compressed files
opened. What is found is a mention: the value as a word of its own, which says nothing of what it stands for.
"""

from __future__ import annotations

import bz2
import gzip
import html
import json
import lzma
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flows.lake.objects import CHUNK

if TYPE_CHECKING:
    import polars as pl

DEPTH = 4  # archives in archives
ROWS = 20_000  # of a Parquet file at a time
WORD = "0-9A-Za-z_"


class Needle:
    """The values of one key. All of them have to be in an object (in a row, where it has rows)."""

    def __init__(self, values: list[str]) -> None:
        self.values = values
        self._patterns = [_pattern(value) for value in values]
        self._overlap = max(len(v.encode("utf-16-le")) for v in values) * 6 + 2  # a character is 6 bytes when JSON escapes it

    def in_file(self, path: Path, work: Path, depth: int = 0) -> bool:
        """`work`: folder for what is taken out of archives."""
        with path.open("rb") as file:
            head = file.read(512)
        if head[:4] == b"PAR1":
            return self._in_parquet(path)
        if depth < DEPTH and _is_packed(head):
            intact = False
            for inner in _inside(path, head, work / f"inside-{depth}"):
                if inner is None:
                    intact = True
                    continue
                name, member = inner
                if self.in_text(name) or self.in_file(member, work, depth + 1):
                    return True
            if intact:  # packed bytes say nothing beside what was in them
                return False
        with path.open("rb") as file:
            return self.in_stream(file)

    def in_stream(self, file: IO[bytes]) -> bool:
        missing, before = list(self._patterns), b""
        while missing and (piece := file.read(CHUNK)):
            text = before + piece
            missing = [p for p in missing if not p.search(text)]
            before = text[-self._overlap :]
        return not missing

    def in_text(self, text: str) -> bool:
        return all(p.search(text.encode()) for p in self._patterns)

    def blank(self, text: str) -> str:
        """The text without the values."""
        data = text.encode()
        for pattern in self._patterns:
            data = pattern.sub("[effacé]".encode(), data)
        return data.decode(errors="replace")

    def _in_parquet(self, path: Path) -> bool:
        import polars as pl

        try:
            rows = pl.scan_parquet(path)
            schema = rows.collect_schema()
            height = rows.select(pl.len()).collect().item()
        except (pl.exceptions.PolarsError, OSError):  # damaged, or not Parquet at all: as bytes
            with path.open("rb") as file:
                return self.in_stream(file)
        cells = [_text(name, kind) for name, kind in schema.items()]
        here = [pl.any_horizontal([c.str.contains(_regex(v)).fill_null(False) for c in cells]) for v in self.values]
        for start in range(0, height if cells else 0, ROWS):
            if rows.slice(start, ROWS).select(pl.all_horizontal(here).any()).collect().item():
                return True
        return False


def _pattern(value: str) -> re.Pattern[bytes]:
    written = {value, json.dumps(value)[1:-1], html.escape(value), value.replace('"', '""')}
    forms = {form.encode(code) for form in written for code in ("utf-8", "utf-16-le") if _encodes(form, code)}
    forms |= {value.encode("cp1252")} if _encodes(value, "cp1252") else set()
    words = b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.compile(b"(?<![" + WORD.encode() + b"])(?:" + words + b")(?![" + WORD.encode() + b"])")


def _encodes(text: str, code: str) -> bool:
    with suppress(UnicodeEncodeError):
        text.encode(code)
        return True
    return False


def _regex(value: str) -> str:
    """For Polars; a cell can be JSON."""
    forms = {value, json.dumps(value, ensure_ascii=False)[1:-1]}
    escaped = (re.sub(r"([^0-9A-Za-z ])", lambda m: f"\\x{{{ord(m[1]):x}}}", form) for form in sorted(forms))
    return f"(?:^|[^{WORD}])(?:{'|'.join(escaped)})(?:$|[^{WORD}])"


def _text(name: str, kind: object) -> pl.Expr:
    import polars as pl

    if isinstance(kind, pl.List | pl.Struct | pl.Array):
        return pl.struct(pl.col(name).alias("_")).struct.json_encode()
    return pl.col(name).cast(pl.String, strict=False)


# ---- archives ------------------------------------------------------------------------------------------------------


def _is_packed(head: bytes) -> bool:
    return (
        head[:2] == b"\x1f\x8b"
        or head[:3] == b"BZh"
        or head[:6] == b"\xfd7zXZ\x00"
        or head[:4] == b"PK\x03\x04"
        or head[257:262] == b"ustar"
    )


def _inside(path: Path, head: bytes, folder: Path) -> Iterator[tuple[str, Path] | None]:
    """(name, content) of what a compressed file or an archive holds, one after the other; None at the end, if it was intact."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile):
        for name, source in _members(path, head):
            target = folder / "member"
            with source, target.open("wb") as out:
                shutil.copyfileobj(source, out, CHUNK)
            yield name, target
        yield None


def _members(path: Path, head: bytes) -> Iterator[tuple[str, Any]]:
    if head[:2] == b"\x1f\x8b":
        yield "", gzip.GzipFile(path)
    elif head[:3] == b"BZh":
        yield "", bz2.BZ2File(path)
    elif head[:6] == b"\xfd7zXZ\x00":
        yield "", lzma.LZMAFile(path)  # noqa: SIM115 - _inside closes it
    elif head[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, archive.open(name)
    else:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isfile() and (source := archive.extractfile(member)) is not None:
                    yield member.name, source
