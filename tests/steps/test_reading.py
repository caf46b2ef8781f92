"""How files are read is decided once: a later file is read the same, or refused; a person decides otherwise in project.yaml."""

from __future__ import annotations

import pytest

from flows.errors import Refused
from flows.lake.datasets import Dataset
from flows.steps import open_run

HEADER = ("id", "texte", "theme", "montant", "recu")


@pytest.fixture
def found(root, edit, unchecked):
    """Nothing of the format is declared; two columns are written in ways that have to be found."""
    edit("    format: {type: csv}\n", "")
    edit("theme: string}", "theme: string, montant: number, recu: date}")


def lines(delimiter: str = ";", decimal: str = ",", date: str = "{d:02}/03/2024", first: int = 0) -> str:
    rows = [(f"d{i}", f"été n° {i}", "paie", f"1 2{i % 100:02}{decimal}5", date.format(d=i % 28 + 1)) for i in range(first, first + 60)]
    return "\n".join(delimiter.join(row) for row in [HEADER, *rows]) + "\n"


def write(root, text: str, encoding: str = "cp1252", name: str = "demandes.csv") -> None:
    (root / "projects" / "essai" / "data" / name).write_bytes(text.encode(encoding))


def kept() -> dict:
    with open_run("essai") as run:
        return Dataset(run.lake, "essai", "demandes").latest().load.reading


def test_what_was_found_travels_in_the_commit(root, load, found, served):
    write(root, lines())
    assert load().action == "loaded"
    reading = kept()
    assert (reading["format"]["type"], reading["format"]["encoding"], reading["format"]["delimiter"]) == ("csv", "cp1252", ";")
    assert reading["columns"]["montant"] == {"decimal": ","} and reading["columns"]["recu"]["format"] == "%d/%m/%Y"
    first = served()[0]
    assert (first["texte"], first["montant"], first["recu"].isoformat()) == ("été n° 0", 1200.5, "2024-03-01")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (lines(delimiter="\t"), "tab"),
        (lines(decimal="."), "montant"),
        (lines(date="{d:02}-2024-03"), "recu"),
        (lines(date="03/{d:02}/2024"), "recu"),
    ],
    ids=["delimiter", "decimals", "another format", "order of dates"],
)
def test_a_file_that_reads_otherwise_is_refused_and_nothing_moves(root, load, found, history, other, why):
    write(root, lines())
    load()
    write(root, other)
    with pytest.raises(Refused, match=why) as caught:
        load()
    assert caught.value.french and history() == [1]


def test_a_person_who_declares_the_new_way_is_followed(root, load, found, edit, served, history):
    write(root, lines())
    load()
    write(root, lines(delimiter="\t", decimal="."), "utf-8")
    edit("    key: [id]", '    format: {type: csv, delimiter: "\\t", encoding: utf-8}\n    key: [id]')
    edit("montant: number", 'montant: {type: number, decimal: "."}')
    assert load().action == "loaded" and history() == [2, 1]
    assert served()[0]["montant"] == 1200.5 and kept()["format"]["delimiter"] == "\t"


def test_what_only_a_later_file_shows_comes_beside_what_is_kept(root, load, found, edit, served):
    """The first file has whole numbers only; the decimal comma of the second is no surprise."""
    edit("key: [id]", "key: [id]\n    mode: append")
    write(root, lines().replace(",5;", ";"))
    load()
    write(root, lines(first=100), name="suite.csv")
    load()
    assert kept()["columns"]["montant"] == {"decimal": ","}
    assert {r["montant"] for r in served() if r["id"] in ("d0", "d100")} == {1200.0, 1200.5}


def test_an_upsert_from_files_takes_out_what_they_mark_as_gone(root, load, edit, served):
    """The suite wants a text in every row: not of rows that only say that their key is gone."""
    edit("key: [id]", "key: [id]\n    mode: upsert\n    deletes: {column: theme, values: [supprimé]}")
    load()
    (root / "projects" / "essai" / "data" / "suite.csv").write_text("id,texte,theme\nd00000,,supprimé\nd00001,autre texte,paie\n")
    outcome = load()
    assert outcome.version.load.rows == {"read": 2, "kept": 2, "refused": 0, "total": 89}
    rows = {r["id"]: r["texte"] for r in served()}
    assert len(rows) == 89 and "d00000" not in rows and rows["d00001"] == "autre texte"


def test_a_row_that_is_wrong_behind_one_that_is_gone_is_the_one_that_is_refused(root, load, edit, quarantined):
    edit("key: [id]", "key: [id]\n    mode: upsert\n    deletes: {column: theme, values: [supprimé]}")
    edit("on_failure: block", "on_failure: quarantine")
    load()
    (root / "projects" / "essai" / "data" / "suite.csv").write_text(
        "id,texte,theme\nd00000,,supprimé\nd00001,,paie\nd00002,un texte,paie\n"
    )
    report = load().report
    assert list(quarantined(report)) == [2] and report.rows == {"read": 3, "kept": 2, "refused": 1, "total": 89}
