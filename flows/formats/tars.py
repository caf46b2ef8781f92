"""tar: its entries, without those that could harm. It is a plain file by then: what compressed it is gone."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.formats.unpacking import Budget, damaged

LARGEST_HEADER = 64 << 10
"""Bytes of an extended header. tarfile reads it into memory whatever its size, and some versions take very long to parse it."""
EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class _CarefulInfo(tarfile.TarInfo):
    def _proc_member(self, archive: Any) -> Any:
        if self.type in EXTENDED and not 0 <= self.size <= LARGEST_HEADER:
            raise tarfile.ReadError("it has a header of too many bytes")
        if self.size < 0:
            raise tarfile.ReadError("it has an entry of negative size")
        return super()._proc_member(archive)  # type: ignore[misc]


def open_tar(path: Path, name: str) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:", tarinfo=_CarefulInfo)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise damaged(path, name, error) from None


def tar_files(archive: tarfile.TarFile, path: Path, name: str, budget: Budget) -> Iterator[tarfile.TarInfo]:
    """Raises: SourceRefused for links, devices and sparse files, and where the archive is cut off."""
    from flows.formats.archives import links_refused

    seen, end, size = 0, 0, path.stat().st_size
    try:
        for entry in archive:
            seen += 1
            if seen > budget.max_files:
                budget.count(seen)
            end = entry.offset_data + entry.size
            if entry.isdir():
                continue
            if not entry.isreg() or entry.issparse():
                raise links_refused(path, f"{name}/{entry.name}")
            yield entry
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise damaged(path, name, error) from None
    if end > size:
        raise damaged(path, name, ValueError("its last file is cut off"))
    with path.open("rb") as file:
        file.seek((end + 511) // 512 * 512)
        if file.read(512).strip(b"\0"):
            raise SourceRefused(f"{name} is not whole: there is no entry where one should be", where=str(path))
