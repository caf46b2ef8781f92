"""Each kill starts from a copy of a prepared tree, and is compared with what an unkilled run made of the same tree."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.events import points
from tests.faults.world import Reader, add_rows, declare
from tests.faults.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@dataclass(frozen=True)
class Prepared:
    """A tree before the run that is to be killed, and what that run comes to if nobody kills it."""

    tree: Path
    labels: list[str]
    points: dict[str, list[int]]
    exit_code: int
    state: dict[str, Any]
    before: tuple[int, int]
    """Dataset version and champion that were there."""


@pytest.fixture(scope="session")
def prepared(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Prepared]:
    known: dict[tuple[str, str], Prepared] = {}

    def prepare(mode: str, scenario: str) -> Prepared:
        if (mode, scenario) not in known:
            known[mode, scenario] = _prepare(zygote, tmp_path_factory.mktemp(f"{mode}-{scenario}"), mode, scenario)
        return known[mode, scenario]

    return prepare


def _prepare(zygote: Zygote, folder: Path, mode: str, scenario: str) -> Prepared:
    tree, unkilled = folder / "tree", folder / "unkilled"
    tree.mkdir()
    declare(tree, mode)
    if scenario != "first":
        assert zygote.run(tree)["runs"][0]["exit_code"] == 0
        add_rows(tree, mode, scenario)
    before = Reader(tree).look()
    shutil.copytree(tree, unkilled, ignore=shutil.ignore_patterns("killed"))
    traced = zygote.run(unkilled, trace=True)
    return Prepared(tree, traced["labels"], points(traced["labels"]), traced["runs"][0]["exit_code"], Reader(unkilled).state(), before)


@dataclass
class Victim:
    """One copy of a prepared tree."""

    zygote: Zygote
    prepared: Prepared
    root: Path

    def __post_init__(self) -> None:
        self.reader = Reader(self.root)
        self.seen = self.prepared.before

    def kill(self, **how: Any) -> dict[str, Any]:
        """Run until it is killed, then look at what readers have."""
        answer = self.zygote.run(self.root, **how)
        self.look()
        return answer

    def look(self) -> None:
        """Whole, never back behind what was seen before, and each version's rows are those that an unkilled run gives it."""
        now = self.reader.look()
        assert now[0] >= self.seen[0] and now[1] >= self.seen[1]
        assert self.reader.rows(now[0]) == self.prepared.state["rows"].get(now[0], [])
        self.seen = now

    def recover(self) -> None:
        """The rerun ends where an unkilled run ends; one more does nothing; nothing lies about in the work folder."""
        rerun = self.zygote.run(self.root)["runs"][0]
        assert rerun["exit_code"] == self.prepared.exit_code, rerun
        self.look()
        assert self.reader.state() == self.prepared.state
        assert list((self.root / ".socle" / "work").iterdir()) == []
        again = self.zygote.run(self.root)["runs"][0]
        assert again["exit_code"] == self.prepared.exit_code, again
        assert again["did_nothing"] or self.prepared.exit_code == 1
        assert self.reader.state() == self.prepared.state


@pytest.fixture
def victim(zygote: Zygote, prepared: Callable[[str, str], Prepared], tmp_path: Path) -> Callable[..., Victim]:
    def copy(mode: str, scenario: str) -> Victim:
        found = prepared(mode, scenario)
        root = tmp_path / f"{mode}-{scenario}-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(found.tree, root, ignore=shutil.ignore_patterns("killed"))
        return Victim(zygote, found, root)

    return copy
