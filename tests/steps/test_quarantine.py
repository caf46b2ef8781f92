"""Refused rows out of the platform and back: whatever they are of, only the cells that a person changed change."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError, Refused
from flows.lake.loads import LoadRecord
from flows.steps import open_run, refused
from flows.steps.correct import ID, Corrected, correct, export
from flows.steps.ingest import load_dataset
from flows.steps.quarantine import cause, survey
from flows.steps.replay import replay
from flows.steps.spreadsheet import CELL, Sheet, guarded, unguarded, was_cut, write
from tests.conftest import csv_text

BAD = csv_text([("d1", "un", "paie"), ("d2", "", "paie"), ("d3", "", "contrat")])


@pytest.fixture(autouse=True)
def _quarantines(edit: Callable[[str, str], None], suite: Callable[..., None]) -> None:
    suite()
    edit("on_failure: block", "on_failure: quarantine")
    edit("texte: string", "texte: {type: string, required: true}")


@pytest.fixture
def out(root: Path, tmp_path: Path) -> Callable[[], tuple[Path, list[dict[str, str]]]]:
    """Export all; the file, and its rows as a spreadsheet shows them."""

    def exported() -> tuple[Path, list[dict[str, str]]]:
        path = tmp_path / f"out-{len(list(tmp_path.glob('out-*')))}.csv"
        with open_run("essai") as run:
            export(run, "demandes", path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return path, list(csv.DictReader(file, delimiter=";"))

    return exported


@pytest.fixture
def back(root: Path) -> Callable[..., Corrected]:
    def given_back(path: Path, rows: list[dict[str, str]], encoding: str = "utf-8-sig", delimiter: str = ";") -> Corrected:
        with path.open("w", encoding=encoding, errors="replace", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
        with open_run("essai") as run:
            return correct(run, "demandes", path)

    return given_back


def replayed(**chosen: str) -> Any:
    with open_run("essai") as run:
        return replay(run, "demandes", **chosen)


def counts() -> dict[str, int]:
    with open_run("essai") as run:
        return survey(run, "demandes").counts


# ---- what rows are of ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_record_that_is_no_row_is_filled_in(mode, data, edit, load, out, back, served) -> None:
    edit("key: [id]", f"key: [id]\n    mode: {mode}")
    data("id,texte,theme\nd1,un,paie\nd2,deux,paie,de trop\nd3,trois,paie\n")
    first = load()
    assert first.report.rows == {"read": 3, "kept": 2, "refused": 1, "total": 2}
    path, rows = out()
    assert [(r["id"], r["__texte"], r["__ligne"]) for r in rows] == [("", "d2,deux,paie,de trop", "3")]
    rows[0] |= {"id": "d2", "texte": "deux", "theme": "paie"}
    assert back(path, rows).unchanged == 0
    assert replayed().let_in == 1
    assert [r["texte"] for r in served()] == ["un", "deux", "trois"]
    assert counts()["open"] == 0 and counts()["let in"] == 1
    assert load().action == "nothing"


def test_a_record_can_be_corrected_a_second_time(data, load, out, back, served) -> None:
    data("id,texte,theme\nd1,un,paie\nd2,deux,paie,de trop\n")
    load()
    path, rows = out()
    back(path, [rows[0] | {"id": "d2"}])
    assert replayed().let_in == 0
    path, rows = out()
    assert rows[0]["id"] == "d2"
    back(path, [rows[0] | {"texte": "deux"}])
    assert replayed().let_in == 1
    assert [(r["id"], r["texte"], r["theme"]) for r in served()] == [("d1", "un", "paie"), ("d2", "deux", None)]


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_rows_of_a_file_in_an_archive(mode, data, edit, load, out, back, served) -> None:
    edit("key: [id]", f"key: [id]\n    mode: {mode}")
    edit("data/*.csv", "data/*.zip")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", BAD)
        archive.writestr("b.csv", csv_text([("e1", "un", "paie"), ("e2", "", "paie"), ("e3", "", "contrat")]))
    data(packed.getvalue(), "lot.zip")
    assert load().report.rows["refused"] == 4
    path, rows = out()
    back(path, [r | {"texte": f"corrigé {r['id']}"} for r in rows if r["id"] in ("d2", "e2")])
    assert replayed().let_in == 2
    assert {r["id"]: r["texte"] for r in served()} == {"d1": "un", "d2": "corrigé d2", "e1": "un", "e2": "corrigé e2"}


def test_rows_of_typed_columns(data, edit, load, out, back, served) -> None:
    edit("data/*.csv", "data/*.parquet")
    edit("format: {type: csv}", "format: {type: parquet}")
    edit("theme: string", "theme: number")
    frame = pl.DataFrame({"id": ["d1", "d2"], "texte": ["un", None], "theme": [1.5, 2.25]})
    target = io.BytesIO()
    frame.write_parquet(target)
    data(target.getvalue(), "a.parquet")
    load()
    path, rows = out()
    assert rows[0]["theme"] == "'2.25"
    back(path, [rows[0] | {"texte": "deux"}])
    assert replayed().let_in == 1
    assert [(r["texte"], r["theme"]) for r in served()] == [("un", 1.5), ("deux", 2.25)]


def test_columns_that_the_file_names_otherwise(data, edit, load, out, back, served) -> None:
    edit("texte: {type: string, required: true}", 'texte: {type: string, required: true, source: "Le texte"}')
    data(BAD.replace("id,texte", "id,Le texte"))
    load()
    path, rows = out()
    assert "Le texte" not in rows[0]
    back(path, [r | {"texte": "corrigé"} for r in rows])
    assert replayed().let_in == 2
    assert [r["texte"] for r in served()] == ["un", "corrigé", "corrigé"]


def test_columns_that_have_changed(data, edit, load, out, back, served) -> None:
    edit("on_failure: quarantine", "on_failure: quarantine\n    on_drift: quarantine\n    mode: append")
    data(csv_text([("d1", "un", "paie")]))
    load()
    data(csv_text([("d2", "deux", "paie", "x")], "id,texte,theme,neuf"), "b.csv")
    assert load().refused  # no row is left
    _, rows = out()
    assert rows[0]["neuf"] == "x" and "colonnes différentes" in rows[0]["__pourquoi_ecartee"]
    edit("theme: string", "theme: string, neuf: string")
    data(csv_text([("d1", "un", "paie")]))
    assert replayed().let_in == 1
    assert [(r["id"], r["neuf"]) for r in served()] == [("d1", None), ("d2", "x")]


def test_why_a_row_was_refused_says_what_is_wrong_and_not_what_should_be(data, root, load, out) -> None:
    """An expectation in its author's words."""
    kwargs, said = {"column": "theme", "value_set": ["paie"]}, "Le thème est celui de la paie."
    expectation = {"type": "expect_column_values_to_be_in_set", "kwargs": kwargs, "severity": "critical", "description": said}
    text = json.dumps({"name": "demandes", "expectations": [expectation]})
    (root / "expectations" / "demandes.json").write_text(text, encoding="utf-8")
    data(csv_text([("d1", "un", "paie"), ("d2", "", "contrat"), ("d3", "trois", "contrat")]))
    load()
    _, rows = out()
    assert [r["__pourquoi_ecartee"] for r in rows] == ["« texte » manque", f"non respecté : {said}"]


def test_a_file_that_an_earlier_socle_exported_is_read_back(data, load, out, back, served) -> None:
    data(BAD)
    load()
    path, rows = out()
    back(path, [{("__motifs" if c == "__pourquoi_ecartee" else c): v for c, v in (r | {"texte": "corrigé"}).items()} for r in rows])
    assert replayed().let_in == 2 and {r["texte"] for r in served()} == {"un", "corrigé"}


def test_many_records_that_are_no_rows_are_kept_in_few_files(data, load, monkeypatch) -> None:
    """Each in a file of its own, they took a millisecond each."""
    monkeypatch.setattr("flows.steps.parse.BAD_AT_ONCE", 100)
    written = []
    complete = refused.complete
    monkeypatch.setattr(refused, "complete", lambda rows: written.append(rows.height) or complete(rows))
    data("id,texte,theme\n" + "".join(f"d{i},un,paie\n" + "trop,de,champs,ici\n" * (i % 3) for i in range(300)))
    assert load().report.rows == {"read": 600, "kept": 300, "refused": 300, "total": 300}
    assert sum(written) == 300 and len(written) <= 4 and counts()["open"] == 300


# ---- what comes back -----------------------------------------------------------------------------------------------


def test_only_rows_that_are_open_are_taken_and_all_or_nothing(data, load, out, back) -> None:
    data(BAD)
    load()
    path, rows = out()
    fixed = [r | {"texte": "corrigé"} for r in rows]
    with pytest.raises(Refused, match=r"(?s)line 3: zz: no such row.*line 5: the row .* is on line 2, too"):
        back(path, [fixed[0], fixed[1] | {ID: "zz"}, fixed[1], fixed[0]])
    with open_run("essai") as run:
        assert not list(run.lake.bucket("essai").list("corrections/"))
    back(path, fixed)
    assert replayed().let_in == 2
    with pytest.raises(Refused, match=f"{rows[0][ID]} is in version 2 already"):
        back(path, fixed)


def test_a_file_that_was_never_exported_is_not_taken(data, load, out, back, tmp_path) -> None:
    data(BAD)
    load()
    path, rows = out()
    with pytest.raises(ConfigurationError, match="lacks the columns texte"):
        back(path, [{k: v for k, v in rows[0].items() if k != "texte"}])
    with pytest.raises(Refused, match="only shown"):
        back(path, [rows[0] | {"__texte": "autre"}])
    path.write_text(path.read_text(encoding="utf-8-sig") + "a;b\n", encoding="utf-8")
    with pytest.raises(Refused, match="2 cells in place of"), open_run("essai") as run:
        correct(run, "demandes", path)


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8", ";"), ("utf-8-sig", ","), ("cp1252", ";"), ("utf-8", "\t")])
def test_what_a_spreadsheet_saves_changes_nothing_by_itself(encoding, delimiter, data, load, out, back) -> None:
    """The code page of Windows has no Greek: what came back as question marks was not changed by anybody."""
    data('id,texte,theme\nd1,un,paie\nd2,,"αβγ é ; , ""mot"" =1+1"\nd3,,01234\nd4,,"ligne\nsuivante"\n')
    load()
    path, rows = out()
    rows = [r | {"theme": r["theme"].replace("\n", "\r\n")} for r in rows]
    assert back(path, rows, encoding, delimiter).corrected == []
    done = back(path, [rows[0] | {"texte": "corrigé"}, *rows[1:]], encoding, delimiter)
    assert (len(done.corrected), done.unchanged) == (1, 2)


def test_a_value_that_a_spreadsheet_cut_is_not_taken(data, load, out, back) -> None:
    data(f"id,texte,theme\nd1,un,paie\nd2,,{'x' * (CELL + 5)}\n")
    load()
    path, rows = out()
    with pytest.raises(Refused, match="the spreadsheet cut it"):
        back(path, [rows[0] | {"theme": "x" * CELL, "texte": "deux"}])


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=5))
def test_any_cells_come_back_as_they_were(rows: list[list[str]], tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.unlink(missing_ok=True)
    write(path, ["a", "b", "c"], [["x" + r[0], *r[1:]] for r in rows])
    assert [cells for _, cells in Sheet(path).rows()][1:] == [["x" + r[0], *r[1:]] for r in rows]


@given(st.text())
def test_a_guard_is_taken_away_again_and_nothing_else(text: str) -> None:
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize(
    "text", ["=1+1", "+33 6", "-1", "@SUM(A1)", "\t=1", "01234", "84400000000011", "1E5", "2024-01-31", "31/01", "mars 2024", "vrai"]
)
def test_what_a_spreadsheet_would_run_or_rewrite_is_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Paris", "75008", "12 rue de Paris", "d00001", "Marseille", "été", "e2", "mairie"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


def test_a_cut_is_only_what_a_spreadsheet_does() -> None:
    long = "a" * (CELL + 1)
    assert was_cut(long, long[:CELL])
    assert not was_cut(long, "b" * CELL)
    assert not was_cut("court", "cour")


# ---- accounts ------------------------------------------------------------------------------------------------------


def test_counts_that_do_not_add_up_are_not_committed() -> None:
    counts = {"read": 3, "kept": 1, "refused": 1, "total": 1}
    with pytest.raises(AssertionError, match="add up"):
        LoadRecord("l", "i", "c", "replace", "r", "w", "passed", rows=counts).to_metadata()
    LoadRecord("l", "i", "c", "replace", "r", "w", "passed", rows=counts | {"erased": 1}).to_metadata()


def test_the_summary_says_where_refused_rows_are_and_what_became_of_them(data, load, out, back) -> None:
    from flows.texts.summary import dataset_text

    data(BAD)
    outcome = load()
    with open_run("essai") as run:
        text = dataset_text(run, outcome)
    assert "« texte » manque : 2 lignes (`data/demandes.csv`, ligne 3 ; `data/demandes.csv`, ligne 4)" in text
    assert "Quarantaine : 2 lignes encore à reprendre" in text
    path, rows = out()
    back(path, [rows[0] | {"texte": "corrigé"}, rows[1]])
    outcome = load()
    with open_run("essai") as run:
        text = dataset_text(run, outcome)
    assert "1 ligne encore à reprendre" in text and "1 ligne entrée depuis" in text


def test_causes_are_what_rows_are_grouped_by() -> None:
    rules = [
        "csv:fields:expected 3, found 4",
        "json:lexical error",
        "type:n:integer",
        "key:a:twice in this load",
        "expect_x:n",
        "drift: x: y",
    ]
    assert [cause(rule) for rule in rules] == ["csv:fields", "json", *rules[2:]]


# ---- erasure and retention -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_an_erasure_takes_a_persons_record_and_correction_out(mode, root, data, edit, load, out, back, served) -> None:
    from flows.steps.purge import purge

    edit("key: [id]", f"key: [id]\n    mode: {mode}")
    data("id,texte,theme\nd1,un,paie\npersonne-7,deux,paie,de trop\nd3,,paie\npersonne-7,,paie\n")
    load()
    path, rows = out()
    assert len(rows) == 3
    back(path, [r | {"id": r["id"] or "personne-7", "texte": "corrigé secret", "theme": "paie"} for r in rows])
    with open_run("essai") as run:
        done = purge(run, "demandes", {"id": "personne-7"})
        assert (done.refused_rows, done.corrections) == (2, 2)
        assert done.is_clean, done.verification
    left = [p for p in (root / ".socle" / "lake").rglob("*") if p.is_file() and b"personne-7" in p.read_bytes()]
    assert left == []
    assert replayed().let_in == 1
    load()
    assert [r["id"] for r in served()] == ["d1", "d3"]


def test_somebody_who_was_erased_stays_out_of_files_that_name_columns_otherwise(data, edit, load, served) -> None:
    from flows.steps.purge import purge

    edit("columns: {id: string", 'columns: {id: {type: string, source: "Identifiant"}')
    text = csv_text([("d1", "un", "paie"), ("d2", "deux", "paie")], "Identifiant,texte,theme")
    data(text)
    load()
    with open_run("essai") as run:
        purge(run, "demandes", {"id": "d2"})
    data(text + "d3,trois,paie\n")
    load()
    assert [r["id"] for r in served()] == ["d1", "d3"]


def test_a_replays_lines_stay_while_the_rows_that_it_let_in_do(data, edit, load, out, back) -> None:
    """Without them a row that is in the table would be open again, and come in twice."""
    from dataclasses import replace as changed
    from datetime import UTC, datetime, timedelta

    from flows.lake.quarantine import Quarantine
    from flows.steps.retention import Cutoffs, _quarantine

    edit("key: [id]", "key: [id]\n    mode: append")
    data(BAD)
    load()
    path, rows = out()
    back(path, [rows[0] | {"texte": "corrigé"}])
    replayed()
    with open_run("essai") as run:
        first, second = Quarantine(run.lake, "essai", "demandes").written()
        cutoffs = changed(Cutoffs.of(run), quarantine=datetime.now(UTC) + timedelta(days=1))
        assert set(_quarantine(run, "demandes", {first}, cutoffs)[0]) == set()
        assert set(_quarantine(run, "demandes", set(), cutoffs)[0]) == {first, second}


def test_corrections_go_with_the_bytes_that_they_lie_over(data, load, out, back) -> None:
    from datetime import UTC, datetime, timedelta

    from flows.steps.maintain import maintain_dataset
    from flows.steps.retention import Cutoffs

    data(BAD)
    load()
    path, rows = out()
    back(path, [rows[0] | {"texte": "corrigé"}])
    replayed()
    later = datetime.now(UTC) + timedelta(days=1)
    with open_run("essai") as run:
        maintain_dataset(run, "demandes", False, Cutoffs(*[later] * 5))
        assert list(run.lake.bucket("essai").list("corrections/"))  # the version that is served was made with them
        data(csv_text([("d9", "neuf", "paie")]))
        load_dataset(run, "demandes")
        maintain_dataset(run, "demandes", False, Cutoffs(*[later] * 5))
        assert not list(run.lake.bucket("essai").list("corrections/"))
