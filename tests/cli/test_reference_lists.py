"""socle reference-lists as it is typed; a refresh of a list whose source is a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.quality.french import lists
from flows.steps import reference_lists


def test_lists_are_shown(socle) -> None:
    done = socle("reference-lists")
    assert done.code == 0 and all(name in done.out for name in lists.manifest())
    found = socle("reference-lists", "naf", "--json").json
    assert list(found) == ["naf"] and found["naf"]["rows"] == lists.table("naf").height


def test_a_list_that_there_is_not(socle) -> None:
    done = socle("reference-lists", "nav")
    assert done.code == 2 and "postal_codes" in done.err
    assert socle("reference-lists", "nav", "--refresh").code == 2


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with departments, from which a list is made in a folder of its own."""
    folder, file = tmp_path / "reference", tmp_path / "departements.json"
    folder.mkdir()
    entry = {"title": "Départements", "sources": [{"type": "file", "path": str(file)}]}
    (folder / lists.MANIFEST).write_text(json.dumps({"departments": entry}), encoding="utf-8")
    monkeypatch.setattr(reference_lists.refresh, "__defaults__", (folder,))
    file.write_text(json.dumps([{"code": code, "zone": "metro"} for code in ("01", "02", "2A")]), encoding="utf-8")
    return file


def test_a_refresh_says_what_changed(socle, source: Path) -> None:
    done = socle("reference-lists", "--refresh")
    assert done.code == 0 and "departments: 4 rows, 0 before" in done.out and "new: 01, 02, 20, 2A" in done.out and "git diff" in done.out
    again = socle("reference-lists", "--refresh", "--json").json
    assert again == {"changes": [{"name": "departments", "before": 4, "after": 4, "added": [], "removed": [], "altered": []}], "stayed": []}
    assert "the same codes" in socle("reference-lists", "--refresh", "departments").out
    source.write_text(
        json.dumps([{"code": code, "zone": "com" if code == "02" else "metro"} for code in ("01", "02", "2A")]), encoding="utf-8"
    )
    done = socle("reference-lists", "--refresh")
    assert "changed: 02" in done.out and "the same codes" not in done.out and "git diff" in done.out


def test_a_refresh_that_is_refused_ends_with_1(socle, source: Path) -> None:
    socle("reference-lists", "--refresh")
    source.write_text(json.dumps([{"code": "01", "zone": "metro"}]), encoding="utf-8")
    done = socle("reference-lists", "--refresh")
    assert (
        done.code == 1
        and "departments: stays as it was" in done.out
        and "would shrink from 4 to 2 rows" in done.err
        and "SOCLE_REFERENCE_SHRINK_PERCENT" in done.err
    )
    assert [one["name"] for one in socle("reference-lists", "--refresh", "--json").json["stayed"]] == ["departments"]
