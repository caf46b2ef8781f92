"""socle expectations from-schema, test: as they are typed."""

from __future__ import annotations

import json
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from tests.conftest import PROJECT, csv_text, write_project

SCHEMA = {
    "name": "essai",
    "fields": [
        {"name": "id", "type": "integer", "constraints": {"required": True, "minimum": 1}},
        {"name": "jour", "type": "date", "format": "%d/%m/%Y"},
        {"name": "prix", "type": "number", "decimalChar": ","},
        {"name": "gratuit", "type": "boolean", "trueValues": ["oui"], "falseValues": ["non"]},
        {"name": "code", "constraints": {"enum": ["a", "b"]}},
        {"name": "facultatif", "type": "integer"},
    ],
    "primaryKey": "id",
    "missingValues": ["", "NA"],
    "foreignKeys": [{"fields": "code", "reference": {"resource": "x", "fields": "y"}}],
}
GOOD = '"id";"jour";"prix";"gratuit";"code";"facultatif"\n"1";"31/01/2021";"1,5";"oui";"a";""\n"2";"NA";"";"";"NA";"3"\n'


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(SCHEMA), encoding="utf-8")
    return file


def data(folder: Path, name: str, text: str, encoding: str = "utf-8") -> str:
    (folder / name).write_text(text, encoding=encoding)
    return str(folder / name)


def test_a_schema_becomes_a_suite_that_is_tried(socle, schema: Path, tmp_path: Path) -> None:
    output = tmp_path / "expectations" / "essai" / "essai.json"
    done = socle("expectations", "from-schema", str(schema), "--output", str(output))
    assert done.code == 0 and f"wrote {output}" in done.out and "foreign key on code" in done.err
    tried = socle("expectations", "test", str(output), data(tmp_path, "bon.csv", GOOD))
    assert tried.code == 0 and "bon.csv: 2 row(s), 13 checks passed, 0 failed (passed)" in tried.out
    again = socle("expectations", "from-schema", str(schema), "--output", str(output))
    assert again.code == 2 and "exists already" in again.err
    assert socle("expectations", "from-schema", str(schema), "--output", str(output), "--force").code == 0


def test_a_suite_on_standard_output_is_json(socle, schema: Path) -> None:
    done = socle("expectations", "from-schema", str(schema))
    assert done.code == 0 and len(json.loads(done.out)["expectations"]) == 13
    found = socle("expectations", "from-schema", str(schema), "--json").json
    assert found["suite"] == json.loads(done.out) and "foreign key" in found["notes"][0] and found["output"] is None


def test_what_is_wrong_with_a_file(socle, schema: Path, tmp_path: Path) -> None:
    text = "jour;id;code;autre\n31/01/2021;1;a;été\n31/13/2021;;z;y\nx;y\n"
    done = socle("expectations", "test", str(schema), data(tmp_path, "mal.csv", text, "cp1252"))
    assert done.code == 1
    for said in (
        "(refused)",
        "« id » est toujours rempli. (1 of 2 rows)",
        "une date (JJ/MM/AAAA). (1 of 2 rows: 31/13/2021)",
        "liste a, b. (1 of 2 rows: z)",
        "(missing: prix, gratuit, facultatif)",
        "(found: ['autre'])",
        "record 3, line 4: csv:fields:expected 4, found 2",
        "3 check(s) left out",
        "foreign key on code",
    ):
        assert said in done.out
    [found] = socle("expectations", "test", str(schema), str(tmp_path / "mal.csv"), "--json").json
    assert found["verdict"] == "refused" and found["rows"] == 2 and found["bad"][0]["raw"] == "x;y"
    assert {r["severity"] for r in found["results"] if not r["success"]} == {"critical", "warning", "info"}
    hidden = socle("expectations", "test", str(schema), str(tmp_path / "mal.csv"), "--no-show-values")
    assert hidden.code == 1 and "31/13/2021" not in hidden.out and "(1 of 2 rows)" in hidden.out


def test_typed_cells_are_read_as_what_they_are(socle, schema: Path, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["id", "jour", "prix", "gratuit", "code", "facultatif"],
        [1, date(2021, 1, 31), 1.5, True, "a", None],
        [2, None, 2, False, "b", 3],
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    moments = openpyxl.Workbook()
    for row in (["jour", "moment"], [datetime(2021, 1, 31), date(2021, 1, 31)]):
        moments.active.append(row)
    moments.active["A2"].number_format, moments.active["B2"].number_format = "yyyy-mm-dd hh:mm", "yyyy-mm-dd"
    moments.save(tmp_path / "m.xlsx")
    (tmp_path / "m.json").write_text(json.dumps({"fields": [{"name": "jour", "type": "date"}, {"name": "moment", "type": "datetime"}]}))
    assert socle("expectations", "test", str(tmp_path / "m.json"), str(tmp_path / "m.xlsx")).code == 0
    columns = {
        "id": [1, 2],
        "jour": [date(2021, 1, 31), None],
        "prix": [1.5, 2.0],
        "gratuit": [True, None],
        "code": ["a", "b"],
        "facultatif": [3, None],
    }
    pl.DataFrame(columns).write_parquet(tmp_path / "a.parquet")
    record = {"id": 1, "jour": "2021-01-31", "prix": 1.5, "gratuit": True, "code": "a", "facultatif": None}
    (tmp_path / "a.json").write_text(json.dumps([record]))
    for name in ("a.xlsx", "a.parquet", "a.json"):
        done = socle("expectations", "test", str(schema), str(tmp_path / name))
        assert done.code == 0, done.out


def test_a_column_that_is_written_otherwise_is_named(socle, schema: Path, tmp_path: Path) -> None:
    done = socle("expectations", "test", str(schema), data(tmp_path, "a.csv", " ID ;jour\n1;\n"))
    assert done.code == 1 and "« id », obligatoire, est là. (the file has ' ID ')" in done.out


def test_personal_values_are_masked(socle, schema: Path, tmp_path: Path) -> None:
    done = socle("expectations", "test", str(schema), data(tmp_path, "a.csv", "id,code\n1,marie.durand@gmail.com\n"))
    assert done.code == 1 and "1 of 1 rows" in done.out and "durand" not in done.out


def test_any_suite_is_tried_on_the_types_that_are_proposed(socle, tmp_path: Path) -> None:
    suite = {
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "note", "min_value": 0, "max_value": 20},
                "severity": "warning",
            },
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": "recu_le", "min_value": "2025-01-01"}},
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "nom"}},
            {"type": "expect_row_count_to_stay_close_to_previous", "kwargs": {"max_drop": 0.1}},
        ]
    }
    (tmp_path / "suite.json").write_text(json.dumps(suite))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("a.csv", "Note;Reçu le;nom\n12,5;31/01/2025;x\n25;28/02/2025;y\n")
        archive.writestr("b.csv", "note;recu_le\n12;2025-01-31\n")
    done = socle("expectations", "test", str(tmp_path / "suite.json"), str(tmp_path / "d.zip"))
    assert done.code == 1
    assert "a.csv: 2 row(s), 3 checks passed, 1 failed (warned)" in done.out
    assert "the file has no column 'nom'" in done.out and "b.csv: 1 row(s), 3 checks passed, 1 failed (refused)" in done.out


def test_values_that_a_whole_column_should_not_have_are_no_rows(socle, tmp_path: Path) -> None:
    asked = {"type": "expect_column_distinct_values_to_be_in_set", "kwargs": {"column": "note", "value_set": [1]}}
    (tmp_path / "suite.json").write_text(json.dumps({"expectations": [asked]}))
    done = socle("expectations", "test", str(tmp_path / "suite.json"), data(tmp_path, "a.csv", "note\n1\n2\n2\n3\n"))
    assert done.code == 1 and "(2 value(s): 2, 3)" in done.out


def test_a_file_is_read_as_a_datasets(socle, root: Path, tmp_path: Path) -> None:
    write_project(root, text=PROJECT.replace("theme: string}", "theme: {type: string, source: Thème}}"))
    (tmp_path / "suite.json").write_text(
        json.dumps({"expectations": [{"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "theme", "value_set": ["paie"]}}]})
    )
    file = data(tmp_path, "a.csv", csv_text([("d1", "x", "paie"), ("d2", "y", "congé")]).replace("theme", "Thème", 1))
    done = socle("expectations", "test", str(tmp_path / "suite.json"), file, "--dataset", "essai/demandes")
    assert done.code == 1 and "1 of 2 rows: congé" in done.out
    assert socle("expectations", "test", str(tmp_path / "suite.json"), file, "--dataset", "essai/autre").code == 2


@pytest.mark.parametrize(
    ("suite", "file", "code", "said"),
    [
        ("absent.json", "a.csv", 2, "cannot be read"),
        ("schema.json", "absent.csv", 2, "does not exist"),
        ("schema.json", ".", 2, "is a folder"),
        ("schema.json", "vide.csv", 1, "no rows"),
        ("a.csv", "a.csv", 2, "cannot be read"),
        ("faux.json", "a.csv", 2, "1 problem(s)"),
    ],
)
def test_what_cannot_be_tried(socle, schema: Path, tmp_path: Path, suite: str, file: str, code: int, said: str) -> None:
    data(tmp_path, "a.csv", "id\n1\n")
    data(tmp_path, "vide.csv", "id,jour\n")
    data(tmp_path, "faux.json", '{"fields": [{"name": "a", "type": "x"}]}')
    done = socle("expectations", "test", str(tmp_path / suite), str(tmp_path / file))
    assert done.code == code and said in done.err


def test_a_suite_from_a_schema_is_the_gate_of_a_dataset(socle, root: Path, tmp_path: Path) -> None:
    """On typed columns; what does not meet it goes to quarantine with the rule."""
    from flows.quality import table_schema
    from flows.steps import open_run
    from flows.steps.ingest import load_dataset

    fields = [
        {"name": "id", "constraints": {"required": True}},
        {"name": "jour", "type": "date", "format": "%d/%m/%Y", "constraints": {"minimum": "01/01/2020"}},
        {"name": "note", "type": "number", "decimalChar": ",", "constraints": {"maximum": 20}},
    ]
    (tmp_path / "schema.json").write_text(json.dumps({"fields": fields, "primaryKey": "id"}))
    columns = "columns: {id: string, jour: {type: date, format: '%d/%m/%Y'}, note: {type: number, decimal: ','}}"
    text = PROJECT.partition("models:")[0].replace("columns: {id: string, texte: string, theme: string}", columns)
    folder = write_project(root, text=text.replace("on_failure: block", "on_failure: quarantine"))
    (folder / "data" / "demandes.csv").write_text("id;jour;note\na;01/02/2020;12,5\nb;31/12/2019;13\nc;;20,5\nd;;\n")
    output = root / "expectations" / "demandes.json"
    assert socle("expectations", "from-schema", str(tmp_path / "schema.json"), "--output", str(output), "--force").code == 0
    done = socle("validate", "essai")
    assert done.code == 0, done.out
    table_schema.register()
    with open_run("essai") as run:
        outcome = load_dataset(run, "demandes")
    assert outcome.report is not None and outcome.report.rows["kept"] == 2
    assert sorted(outcome.report.refused_by_rule.values()) == [1, 1]
