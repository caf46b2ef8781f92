"""What may come out of a compressed file: sizes and ratios are checked while it comes, so that a bomb never gets far."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.settings import Settings

FREE = 1 << 20
"""Bytes that come out before the ratio counts: a small file of zeros does no harm."""
CHUNK = 1 << 20
ENTRY_BYTES = 300
"""Of the directory of a zip, for one file: it is read into memory as a whole."""


class Budget:
    """What one received file may still grow to, however deep its archives are nested."""

    def __init__(self, path: Path, name: str, settings: Settings) -> None:
        self.path, self.name, self.packed = path, name, max(1, path.stat().st_size)
        self.max_gb, self.max_ratio, self.max_files = settings.unpack_max_gb, settings.unpack_max_ratio, settings.unpack_max_files
        self.bytes = self.files = 0

    def spend(self, size: int) -> None:
        """Raises: SourceRefused once more came out than may."""
        self.bytes += size
        if self.bytes > self.max_gb * 1e9:
            self._refuse(f"unpacks to more than {self.max_gb:g} GB", "SOCLE_UNPACK_MAX_GB", f"plus de {self.max_gb:g} Go")
        if self.bytes > FREE and self.bytes > self.packed * self.max_ratio:
            what = f"unpacks to more than {self.max_ratio:g} times its size, as archives do that are made to fill disks"
            self._refuse(what, "SOCLE_UNPACK_MAX_RATIO", f"plus de {self.max_ratio:g} fois sa taille")

    def count(self, files: int = 1) -> None:
        self.files += files
        if self.files > self.max_files:
            self._refuse(f"holds more than {self.max_files} files", "SOCLE_UNPACK_MAX_FILES", f"plus de {self.max_files} fichiers")

    def _refuse(self, what: str, setting: str, french: str) -> None:
        raise SourceRefused(
            f"{self.name} {what}",
            where=str(self.path),
            hint=f"if it is right, raise {setting}",
            french=f"Le fichier {self.name} contient, une fois décompressé, {french} : il est refusé.",
        )


def open_zip(path: Path, name: str, budget: Budget) -> zipfile.ZipFile:
    """A zip whose entries do not lie upon each other, are not encrypted and not too many.

    Raises: SourceRefused.
    """
    from backports.zstd import zipfile as zips  # zipfile of Python 3.14: it knows zstd

    if directory_bytes(path) > budget.max_files * ENTRY_BYTES:
        budget.count(budget.max_files + 1)
    try:
        archive: Any = zips.ZipFile(path)
    except (zipfile.BadZipFile, zips.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise damaged(path, name, error) from None
    try:
        _check_entries(archive, path, name)
    except BaseException:
        archive.close()
        raise
    return archive  # type: ignore[no-any-return] # a class of its own, with the same methods


def directory_bytes(path: Path) -> int:
    """Of the directory of a zip, by what its end says: all of it is read into memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 70_000))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    wide = tail.rfind(b"PK\x06\x06")
    if directory == 0xFFFFFFFF and wide >= 0:
        directory = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    return directory


def _check_entries(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    entries = sorted(archive.infolist(), key=lambda e: e.header_offset)
    if secret := next((e for e in entries if e.flag_bits & 0x1), None):
        raise encrypted(path, f"{name}/{secret.filename}")
    for entry, after in pairwise(entries):
        if entry.header_offset + 30 + entry.compress_size > after.header_offset:
            raise SourceRefused(
                f"{name}: {entry.filename} and {after.filename} lie upon each other in the archive, as in one made to fill disks",
                where=str(path),
                french=f"L'archive {name} est piégée ou abîmée : deux fichiers s'y recouvrent.",
            )


def pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, name: str, budget: Budget) -> Iterator[bytes]:
    """What an entry of a zip holds, a piece at a time; at its end its CRC has been verified."""
    import lzma
    import zlib

    from backports.zstd import ZstdError
    from backports.zstd import zipfile as zips

    try:
        with archive.open(entry) as file:
            while piece := file.read(CHUNK):
                budget.spend(len(piece))
                yield piece
    except (zips.BadZipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError, ZstdError, EOFError, ValueError, OSError) as error:
        raise damaged(path, f"{name}/{entry.filename}", error) from None
    except (NotImplementedError, RuntimeError) as error:  # a compression nobody implements, or a password
        raise SourceRefused(
            f"{name}/{entry.filename} cannot be unpacked: {error}", where=str(path), hint="make the archive again with plain “deflate”"
        ) from None


class ZipPart:
    """One entry of a zip, as a file that can be read once, within the budget."""

    def __init__(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, name: str, budget: Budget) -> None:
        self.source, self.rest = pieces(archive, entry, path, name, budget), b""

    def read(self, size: int = -1) -> bytes:
        size = CHUNK if size < 0 else size
        if not self.rest:
            self.rest = next(self.source, b"")
        given, self.rest = self.rest[:size], self.rest[size:]
        return given


def damaged(path: Path, name: str, error: BaseException) -> SourceRefused:
    return SourceRefused(
        f"{name} is not whole: {' '.join(str(error).split())[:200] or type(error).__name__}",
        where=str(path),
        hint="fetch it again, or ask its producer",
        french=f"Le fichier {name} est abîmé ou incomplet.",
    )


def encrypted(path: Path, name: str) -> SourceRefused:
    return SourceRefused(
        f"{name} is encrypted: it cannot be read without its password",
        where=str(path),
        hint="ask for it without a password",
        french=f"Le fichier {name} est protégé par un mot de passe : déposez-le sans mot de passe.",
    )
