"""What `socle up` and `socle worker` do when one of their processes ends by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import processes
from flows.cli.processes import Processes
from flows.errors import SystemFailure


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    monkeypatch.setattr(processes, "PAUSE_S", 0.0)
    made = Processes(tmp_path, {"NAME": "essai"})
    yield made
    made.stop()


def test_one_that_ends_is_started_again_with_what_it_was_given(children: Processes) -> None:
    children.start("essai", [sys.executable, "-c", "import os, sys, time; print(os.environ['NAME'], sys.argv[1]); time.sleep(60)", "mot"])
    children.start("autre", [sys.executable, "-c", "import time; time.sleep(60)"])
    first, other = children.started["essai"], children.started["autre"]
    first.kill()
    first.wait()
    said: list[str] = []
    children.revive(said.append)
    second = children.started["essai"]
    assert second.poll() is None and second.pid != first.pid and second.args == first.args
    assert children.started["autre"] is other and other.poll() is None
    assert len(said) == 1 and said[0].startswith("essai ended (exit code -9) and is started again")
    children.revive(said.append)
    assert len(said) == 1, "nothing to do"


def test_its_log_goes_on(children: Processes, tmp_path: Path) -> None:
    children.start("essai", [sys.executable, "-c", "print('une ligne')"])
    for _ in range(2):
        children.started["essai"].wait()
        children.revive(lambda text: None)
    children.started["essai"].wait()
    assert (tmp_path / "essai.log").read_text() == "une ligne\n" * 3


def test_one_that_does_not_last_is_given_up_with_its_reason(children: Processes) -> None:
    children.start("essai", [sys.executable, "-c", "raise SystemExit('pas de base de données')"])
    said: list[str] = []
    with pytest.raises(SystemFailure, match=r"(?s)essai ended 7 times within 10 minutes \(exit code 1\):.*pas de base de données"):
        for _ in range(processes.RESTARTS + 1):
            children.started["essai"].wait()
            children.revive(said.append)
    assert len(said) == processes.RESTARTS
