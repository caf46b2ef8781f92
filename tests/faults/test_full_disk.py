"""A disk that fills up: a clear error, exit code 3, the previous version still served, and the next run goes through."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.world import Reader, add_rows, declare
from tests.faults.zygote import Zygote

BLOCK = 4096
SIZE_KB = 4096
LEFT_KB = [0, 4, 8, 16, 24, 40, 60, 90, 120]  # from nothing to nearly enough: each stops somewhere else
FEW = (0, 16)


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], Path]]:
    """Mounts a disk of SIZE_KB at a folder."""
    mounted: list[Path] = []

    def mount(folder: Path) -> Path:
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"mounting a tmpfs is not permitted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left_kb: int) -> Path:
    """A file that takes all the space of the disk but so much."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out, pytest.raises(OSError, match="No space left"):
        while True:
            out.write(b"\0" * BLOCK)
    size = filler.stat().st_size
    with filler.open("r+b") as out:
        out.truncate(size - left_kb * 1024)
    return filler


def levels() -> list[object]:
    return [pytest.param(kb, marks=() if kb in FEW else pytest.mark.faults, id=f"{kb} KB left") for kb in LEFT_KB]


def unkilled(zygote: Zygote, root: Path) -> dict[str, object]:
    """The state that the same two runs come to on a disk that is large enough."""
    declare(root, "append")
    zygote.run(root)
    add_rows(root, "append", "second")
    assert zygote.run(root)["runs"][0]["exit_code"] == 0
    return Reader(root).state()


@pytest.fixture
def fills_up(zygote: Zygote, tmp_path: Path) -> Callable[[Path, Path, int, str], None]:
    def check(root: Path, disk: Path, left_kb: int, storage: str) -> None:
        """`disk` is full to `left_kb` while the second run of the project works."""
        reader, env = Reader(root, storage), {"SOCLE_STORAGE": storage}
        assert zygote.run(root, env=env)["runs"][0]["exit_code"] == 0
        before, rows = reader.look(), reader.rows(1)
        add_rows(root, "append", "second")
        filler = fill(disk, left_kb)
        full = zygote.run(root, env=env)["runs"][0]
        now = reader.look()
        if left_kb == 0 or full["exit_code"]:
            assert full["exit_code"] == 3, full
            assert "No space left" in full["error"] or "is full" in full["error"], full
            assert str(disk) in full["error"], full  # which disk
            assert "Next: " in full["error"] and "space" in full["error"].split("Next: ")[1], full
        if now[0] == before[0]:
            assert reader.rows(now[0]) == rows
        filler.unlink()
        freed = zygote.run(root, env=env)["runs"][0]
        assert freed["exit_code"] == 0, freed
        (tmp_path / "enough").mkdir()
        assert reader.state() == unkilled(zygote, tmp_path / "enough")

    return check


@pytest.mark.parametrize("left_kb", levels())
def test_the_disk_of_the_lake_fills_up(fills_up, small_disk, tmp_path, left_kb):
    disk = small_disk(tmp_path / "disk")
    declare(tmp_path / "root", "append")
    fills_up(tmp_path / "root", disk, left_kb, (disk / "lake").as_uri())


@pytest.mark.parametrize("left_kb", levels())
def test_the_disk_of_the_work_folder_fills_up(fills_up, small_disk, tmp_path, left_kb):
    """Rows are spilled there before they are checked; the lake is on another disk."""
    disk = small_disk(tmp_path / "root" / ".socle")
    declare(tmp_path / "root", "append")
    fills_up(tmp_path / "root", disk, left_kb, (tmp_path / "lake").as_uri())
