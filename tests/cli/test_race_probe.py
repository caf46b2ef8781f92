"""`socle doctor` refuses a storage that tells a second writer "no" only when it comes later."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.cli import diagnosis
from flows.cli.diagnosis import diagnose
from flows.lake import Lake
from flows.lake.local import LocalObjects
from flows.settings import Settings, load_settings


def looks_first(self: LocalObjects, key: str, data: bytes) -> bool:
    """As a gateway to a file system may do it."""
    if self.stat(key) is not None:
        return False
    time.sleep(0.05)
    self.put(key, data)
    return True


def test_a_storage_that_looks_first_and_writes_afterwards_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalObjects, "create", looks_first)
    found = [f for f in diagnose(load_settings(), create=True) if f.state == "error"]
    assert found and all("at the same time" in f.found for f in found if "bucket" in f.what or "essai" in f.what)
    assert any("overwrite each other" in f.found for f in found)


def test_a_sound_storage_has_one_winner_and_keeps_no_probe(root: Path) -> None:
    assert not [f for f in diagnose(load_settings(), create=True) if f.state == "error"]
    objects = LocalObjects(load_settings().lake_folder / "socle-essai")
    assert diagnosis._creates_that_won(objects) == 1
    assert list(objects.list(".probe")) == []


@pytest.mark.services
def test_ceph_has_one_winner(s3_settings: Callable[..., Settings]) -> None:
    bucket = Lake(s3_settings()).bucket("essai")
    bucket.ensure()
    assert diagnosis._creates_that_won(bucket) == 1
    assert list(bucket.list(".probe")) == []
