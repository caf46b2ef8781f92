"""socle learning-curve and label-problems, as they are typed."""

from __future__ import annotations

import pytest

from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import csv_text, rows


@pytest.fixture
def loaded(root):
    """One of 150 rows has the label of another theme."""
    lines = [(key, text, "paie" if key == "d00002" else theme) for key, text, theme in rows(150)]
    assert rows(3)[2][2] == "contrat"
    (root / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text(lines), encoding="utf-8")
    with open_run("essai") as run:
        load_dataset(run, "demandes")


@pytest.mark.usefixtures("loaded")
def test_a_learning_curve_as_a_table_and_as_json(socle):
    shown = socle("learning-curve", "essai/theme")
    assert shown.code == 0 and "essai/demandes@1; macro_f1 on the validation side" in shown.out
    found = socle("learning-curve", "essai/theme", "--candidate", "tfidf", "--json")
    points = found.json["points"]
    assert found.code == 0 and len(points) == 4 and points[-1]["share"] == 1.0
    for p in points:
        assert f"{p['share']:.0%}" in shown.out and (p["value"] is None or f"{p['value']:.3f}" in shown.out)
    last = f"The last step ({points[-2]['rows']} to {points[-1]['rows']} rows) changed macro_f1 by {found.json['gain']:+.3f}"
    assert last in " ".join(shown.out.split())


@pytest.mark.usefixtures("loaded")
def test_labels_that_look_wrong_as_a_table_as_json_and_as_a_file(socle, tmp_path):
    file = tmp_path / "labels.csv"
    shown = socle("label-problems", "essai/theme", "--output", str(file))
    found = socle("label-problems", "essai/theme", "--json").json
    assert shown.code == 0 and [(s["key"], s["given"], s["suggested"]) for s in found["suspects"]] == [
        ({"id": "d00002"}, "paie", "contrat")
    ]
    assert "1 of 150 labels look wrong" in shown.out and "d00002" in shown.out
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "id;given;suggested;margin;text" and lines[1].startswith("d00002;paie;contrat;") and len(lines) == 2
    again = socle("label-problems", "essai/theme", "--output", str(file))
    assert again.code == 2 and "exists already" in again.err


def test_what_is_asked_wrong_is_said(socle, root):
    for command in ("learning-curve", "label-problems"):
        assert socle(command, "essai/theme@3").code == 2
        assert socle(command, "essai/absent").code == 2
        done = socle(command, "essai/theme")
        assert done.code == 2, "no dataset yet"
