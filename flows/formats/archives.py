"""zip, gzip, zstd, bz2, xz and tar around files of any format: what is in them, one file after the other.

Names inside archives are shown and matched, and never used as paths: what is unpacked gets a name of our own. Sizes, ratios and
numbers of files are limited (unpacking.py). A workbook (xlsx, ods) is a zip, too, but no archive here.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, Refused, SourceRefused, SystemFailure
from flows.findings import Finding
from flows.formats.base import Member
from flows.formats.recognise import ARCHIVES, by_marks
from flows.formats.tars import open_tar, tar_files
from flows.formats.unpacking import CHUNK, Budget, damaged, open_zip, pieces
from flows.settings import Settings

MAX_DEPTH = 2
"""Archives in archives: a zip in a zip is opened, a zip in that one is not. What only compresses one tar (tar.gz) counts with it."""
XZ_MEMORY = 256 << 20
COMPRESSED = {"gzip": (".gz", ".gzip"), "bz2": (".bz2",), "xz": (".xz", ".lzma"), "zstd": (".zst", ".zstd")}
TARRED = {".tgz": ".tar", ".tbz": ".tar", ".tbz2": ".tar", ".txz": ".tar", ".tzst": ".tar"}
ABOUT = re.compile(
    r"(?:readme|lisez[-_ ]?moi|a[-_ ]?lire|licen[cs]e|copying|notice|mentions?|changelog|changes|metadata|métadonnées|metadonnees)",
    re.IGNORECASE,
)
PROSE = {"", ".txt", ".md", ".rst", ".pdf", ".html", ".htm", ".doc", ".docx", ".odt", ".rtf"}
NO_DATA = {
    ".pdf",
    ".doc",
    ".docx",
    ".odt",
    ".rtf",
    ".md",
    ".rst",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".svg",
    ".xsd",
    ".xsl",
    ".dtd",
    ".sha256",
    ".md5",
    ".yaml",
    ".yml",
}
LEFTOVERS = {"thumbs.db", "desktop.ini"}
DESCRIPTIONS = {"datapackage.json", "dataresource.json", "schema.json", "tableschema.json"}


def open_members(path: Path, name: str, member_glob: str | None, folder: Path, settings: Settings) -> Members:
    """The files of an archive that match, each unpacked in `folder` when it is its turn, and left there; for any other file, itself.

    Iterating raises: SourceRefused if the archive is damaged, encrypted, too deep or made to harm; ConfigurationError if nothing
    matches; Refused if there is no data in it.
    """
    return Members(path, name, member_glob, folder, settings)


@dataclass
class Members:
    """An iterator of Member. `left_out` is whole once it has ended."""

    path: Path
    name: str
    member_glob: str | None
    folder: Path
    settings: Settings
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """(name, why): hidden files, READMEs, pictures ..., and what does not match."""

    def __post_init__(self) -> None:
        self._budget, self._numbers = Budget(self.path, self.name, self.settings), itertools.count()
        self._members = self._all()

    def __iter__(self) -> Iterator[Member]:
        return self

    def __next__(self) -> Member:
        return next(self._members)

    def _all(self) -> Iterator[Member]:
        found = 0
        if _kind(self.path, self.name) is None:
            yield Member(self.name, self.path)
            return
        for member in self._open(self.path, self.name, "", 0):
            found += 1
            yield member
        if found:
            return
        there = ", ".join(f"{n} ({why})" for n, why in self.left_out[:8]) or "nothing"
        if self.member_glob:
            raise ConfigurationError(
                f"no file in {self.name} matches {self.member_glob!r}",
                where="format.member",
                hint=f"there is: {there}",
                french=f"L'archive {self.name} ne contient aucun fichier « {self.member_glob} ».",
            )
        raise Refused(
            f"{self.name} holds no data file: {there}",
            where=str(self.path),
            french=f"L'archive {self.name} ne contient aucun fichier de données.",
        )

    def findings(self) -> list[Finding]:
        """What was left out, and why; once the iteration has ended."""
        if not self.left_out:
            return []
        names = ", ".join(f"{n} ({why})" for n, why in self.left_out[:10]) + (" ..." if len(self.left_out) > 10 else "")
        return [
            Finding(
                "note",
                f"{self.name}: {len(self.left_out)} files of the archive are not read: {names}",
                f"{self.name} : dans l'archive, {len(self.left_out)} fichiers sont laissés de côté : "
                + ", ".join(n for n, _ in self.left_out[:10]),
            )
        ]

    # -- one archive

    def _open(self, path: Path, shown: str, inner: str, depth: int) -> Iterator[Member]:
        """`inner`: its name inside the archives around it, which `member_glob` is compared with."""
        kind = _kind(path, shown)
        if kind is None:
            yield Member(shown, path)
            return
        if kind in COMPRESSED:
            name = _bare(shown.rsplit("/", 1)[-1], kind)
            content = self._unpack(lambda: _decompressed(path, shown, kind, self._budget), shown)
            if _kind(content, name) == "tar":
                yield from self._open(content, shown, inner, depth)
                content.unlink()
            else:
                yield from self._inside(content, shown, f"{inner}/{name}" if inner else name, name, depth + 1)
        elif kind == "zip":
            with open_zip(path, shown, self._budget) as archive:
                for file, entry in self._chosen([(e.filename, e) for e in _zip_files(archive, path, shown)], shown, inner):
                    content = self._unpack(lambda entry=entry: pieces(archive, entry, path, shown, self._budget), f"{shown}/{file}")  # type: ignore[misc]
                    yield from self._inside(content, shown, f"{inner}/{file}" if inner else file, file, depth + 1)
        else:
            with open_tar(path, shown) as archive:
                entries = [(e.name, e) for e in tar_files(archive, path, shown, self._budget)]
                for file, entry in self._chosen(entries, shown, inner):
                    content = self._unpack(lambda entry=entry: _tarred(archive, entry, path, shown, self._budget), f"{shown}/{file}")  # type: ignore[misc]
                    yield from self._inside(content, shown, f"{inner}/{file}" if inner else file, file, depth + 1)

    def _inside(self, content: Path, shown: str, inner: str, file: str, depth: int) -> Iterator[Member]:
        """A file that came out: itself, or what is in it if it is an archive."""
        name = f"{shown}/{file}"
        kind = _kind(content, name)
        if kind is None:
            if self._matches(inner, name):
                self._refuse_unknown(content, name)
                yield Member(name, content)
            else:
                content.unlink()
            return
        if depth >= MAX_DEPTH:
            raise SourceRefused(
                f"{name} is an archive in {MAX_DEPTH} others: it is not opened",
                where=str(self.path),
                hint="send the inner archive, or declare format.member",
                french=f"L'archive {self.name} contient des archives imbriquées trop profondément.",
            )
        yield from self._open(content, name, inner, depth)
        content.unlink()

    def _chosen(self, entries: list[tuple[str, Any]], shown: str, inner: str) -> Iterator[tuple[str, Any]]:
        """Those worth unpacking, by name: in the order of names, which does not depend on who made the archive."""
        self._budget.count(len(entries))
        names = [n for n, _ in entries]
        if double := next((n for n in names if names.count(n) > 1), None) if len(set(names)) < len(names) else None:
            raise SourceRefused(
                f"{shown} holds two files named {double!r}: which of them counts cannot be told",
                where=str(self.path),
                french=f"L'archive {shown} contient deux fichiers du même nom (« {double} »).",
            )
        for file, entry in sorted(entries, key=lambda e: e[0]):
            why = _no_data(file)
            whole = f"{inner}/{file}" if inner else file
            declared = self.member_glob is not None and _glob(whole, self.member_glob)
            if why and not declared:
                self.left_out.append((f"{shown}/{file}", why))
            elif self.member_glob is None or declared or _may_be_archive(file):
                yield file, entry
            else:
                self.left_out.append((f"{shown}/{file}", f"does not match {self.member_glob!r}"))

    def _matches(self, inner: str, name: str) -> bool:
        if self.member_glob is None or _glob(inner, self.member_glob):
            return True
        self.left_out.append((name, f"does not match {self.member_glob!r}"))
        return False

    def _refuse_unknown(self, content: Path, name: str) -> None:
        from flows.formats.recognise import recognise

        try:
            recognise(content, name)
        except SourceRefused as error:
            hint = "say which files are data: format.member, for instance '*.csv'"
            raise SourceRefused(error.message, where=str(self.path), hint=hint, french=error.french) from None

    def _unpack(self, source: Callable[[], Iterator[bytes]], shown: str) -> Path:
        """Written under a number: no name of an archive is ever a path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"unpacked-{zlib.crc32(str(self.path).encode()):08x}-{next(self._numbers)}"
        try:
            with target.open("wb") as out:
                for piece in source():
                    try:
                        out.write(piece)
                    except OSError as error:
                        raise SystemFailure(
                            f"cannot unpack {shown}: {error.strerror}", where=str(target), hint="free space, then run again"
                        ) from None
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target


# ---- names ----------------------------------------------------------------------------------------------------------


def _kind(path: Path, name: str) -> str | None:
    """Of an archive; None for any other file, whatever it is: refusing it is recognise's business."""
    try:
        kind = by_marks(path, name)
    except SourceRefused:
        return None
    return kind if kind in (*ARCHIVES.values(), "tar") else None


def _bare(name: str, kind: str) -> str:
    """`data.csv` of `data.csv.gz`."""
    path = Path(name)
    suffix = path.suffix.lower()
    if suffix in TARRED:
        return f"{path.stem}{TARRED[suffix]}"
    return path.stem if suffix in COMPRESSED[kind] and path.stem else name


def _no_data(name: str) -> str:
    """Why a file of an archive is none of its data; empty if it may be."""
    parts = [p for p in name.replace("\\", "/").split("/") if p]
    last = parts[-1] if parts else ""
    suffix = Path(last).suffix.lower()
    if "__MACOSX" in parts or any(p.startswith(".") and p not in (".", "..") for p in parts) or last.lower() in LEFTOVERS:
        return "hidden"
    if (ABOUT.match(last) and suffix in PROSE) or last.lower() in DESCRIPTIONS:
        return "about the data"
    return f"{suffix} holds no data" if suffix in NO_DATA else ""


def _may_be_archive(name: str) -> bool:
    suffixes = {".zip", ".tar", *TARRED, *(s for many in COMPRESSED.values() for s in many)}
    return Path(name).suffix.lower() in suffixes


def _glob(name: str, pattern: str) -> bool:
    """The pattern fits the whole name inside the archive, or the name of the file without its folders."""
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name.rsplit("/", 1)[-1], pattern)


# ---- bytes ----------------------------------------------------------------------------------------------------------


def _zip_files(archive: zipfile.ZipFile, path: Path, name: str) -> Iterator[zipfile.ZipInfo]:
    for entry in archive.infolist():
        mode = entry.external_attr >> 16
        if entry.is_dir():
            continue
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG) and entry.create_system == 3:
            raise links_refused(path, f"{name}/{entry.filename}")
        yield entry


def links_refused(path: Path, name: str) -> SourceRefused:
    return SourceRefused(
        f"{name} is a link or a device, not a file: archives of data hold none",
        where=str(path),
        hint="make the archive again with the files themselves",
        french=f"L'archive contient un lien au lieu d'un fichier ({name}).",
    )


def _tarred(archive: Any, entry: Any, path: Path, name: str, budget: Budget) -> Iterator[bytes]:
    import tarfile

    left = entry.size
    try:
        file = archive.extractfile(entry)
        while left and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            budget.spend(len(piece))
            yield piece
    except (tarfile.TarError, EOFError, OSError) as error:
        raise damaged(path, f"{name}/{entry.name}", error) from None
    if left:
        raise damaged(path, f"{name}/{entry.name}", ValueError("it ends too early"))


def _decompressed(path: Path, name: str, kind: str, budget: Budget) -> Iterator[bytes]:
    """Raises: SourceRefused if it is cut off, has a wrong sum, or something else behind it."""
    import lzma

    from backports.zstd import ZstdError

    budget.count()
    try:
        for piece in _decompressor(path, kind):
            budget.spend(len(piece))
            yield piece
    except (EOFError, OSError, zlib.error, lzma.LZMAError, ZstdError, ValueError, MemoryError) as error:
        raise damaged(path, name, error) from None


def _decompressor(path: Path, kind: str) -> Iterator[bytes]:
    if kind == "xz":
        yield from _xz(path)
        return
    import bz2
    import gzip

    from backports import zstd

    openers: dict[str, Callable[[Path], Any]] = {"gzip": gzip.open, "bz2": bz2.open, "zstd": zstd.open}
    with openers[kind](path) as file:
        while piece := file.read(CHUNK):
            yield piece


def _xz(path: Path) -> Iterator[bytes]:
    """Its header says how much memory it takes, up to 4 GB: within a limit."""
    import lzma

    with path.open("rb") as file:
        decompressor, data = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY), file.read(CHUNK)
        while data or not decompressor.eof:
            if decompressor.eof:  # another stream follows, or zeros that fill up
                data = data.lstrip(b"\x00") or file.read(CHUNK)
                if not data.strip(b"\x00"):
                    data = data and file.read(CHUNK)
                    continue
                decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
            piece = decompressor.decompress(data, CHUNK)
            data = decompressor.unused_data if decompressor.eof else b""
            if piece:
                yield piece
            if not decompressor.eof and decompressor.needs_input:
                data = file.read(CHUNK)
                if not data:
                    raise EOFError("it ends within the compressed data")
            elif decompressor.eof and not data:
                data = file.read(CHUNK)
