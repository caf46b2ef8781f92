"""Bad input: a clear error that names the thing, the exit code of DESIGN.md, the previous version still served, and a next run
that goes through."""

from __future__ import annotations

import json

import pytest

from flows.errors import ConfigurationError, NotFound, Refused, SocleError, SystemFailure
from flows.steps import open_run
from flows.steps.pipeline import run_plain
from tests.conftest import csv_text, rows

FORMATS = {
    "jsonl": [
        b'{"id": "a", "texte": "un", "theme": "paie"}\n{"id": "b", "tex',
        b"\x00\x01\x02\n",
        b"[1, 2]\n",
        b"[" * 100_000,
        b'{"id": ' + b"1" * 5000 + b"}",
        b'{"id": "\\ud800", "texte": "un", "theme": "paie"}',
    ],
    "json": [
        b'[{"id": "a", "texte": "un", "theme": "paie"}, {"id": "b"',
        b"",
        b"null",
        b'"texte"',
        b"[1]",
        b"[" * 100_000,
    ],
    "csv": [
        b"id,texte,theme\na,\xff\xfe,paie\n",
        b'id,texte,theme\na,"un,paie\n',
        b"id,texte,theme\na,un\n",
        b"id,texte,theme\na,un,paie,trop\n",
        b"id,id,theme\na,un,paie\n",
        b"id,,theme\na,un,paie\n",
        b"\x00\x00\x00",
    ],
    "parquet": [b"", b"PAR1", b"PAR1" + b"\x00" * 100 + b"PAR1", b"id,texte\na,b\n"],
}


@pytest.mark.parametrize(("kind", "data"), [(kind, data) for kind, many in FORMATS.items() for data in many], ids=range(23))
def test_corrupt_bytes_are_refused_and_the_previous_version_is_served(
    unchecked, load, edit, root, history, served, quarantined_rows, kind, data
):
    load()
    good = root / "projects" / "essai" / "data" / "demandes.csv"
    other = root / "projects" / "essai" / "data" / f"demandes.{kind}"
    other.write_bytes(data)
    if kind != "csv":
        edit("path: data/*.csv", f"path: data/*.{kind}")
        edit("{type: csv}", f"{{type: {kind}}}")
    try:
        outcome = load()  # some of its records are no rows
    except Refused as refused:  # the whole file is not what it should be
        assert refused.exit_code == 1
        assert other.name in str(refused)
    else:
        assert outcome.refused and outcome.report.rows["refused"] > 0, outcome.report.rows
        assert other.name in {r["file"].rpartition("/")[2] for r in quarantined_rows(outcome.report)}
    assert history() == [1] and len(served()) == 90
    if kind != "csv":
        edit(f"{{type: {kind}}}", "{type: csv}")
        edit(f"path: data/*.{kind}", "path: data/*.csv")
    good.write_text(csv_text(rows(30)), encoding="utf-8")
    assert load().action == "loaded"


@pytest.fixture
def transform(edit, root):
    """Write transform.py with this body of `demandes(records)`."""
    edit("key: [id]", "transform: transform.py:demandes\n    key: [id]")

    def write(text):
        (root / "projects" / "essai" / "transform.py").write_text(text, encoding="utf-8")

    return write


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        ("def demandes(records):\n    for r in records:\n        yield {'id': r['identifiant']}\n", "KeyError", 3),
        ("def demandes(records):\n    return list(records)[1000]\n", "IndexError", 2),
        ("def demandes(batch):\n    import polars as pl\n    return batch.select(pl.col('absent'))\n", "ColumnNotFoundError", 3),
        ("limite = 1 / 0\n\n\ndef demandes(records):\n    return records\n", "ZeroDivisionError", 1),
        ("import paquet_absent\n\n\ndef demandes(records):\n    return records\n", "ModuleNotFoundError", 1),
        ("def demandes(records):\n    def nom(r):\n        return r['x']\n\n    return map(nom, records)\n", "KeyError", 3),
    ],
)
def test_a_transform_that_raises_is_named_with_its_line(transform, load, history, text, error, line):
    transform(text)
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert caught.value.exit_code == 2
    for word in ("transform.py:demandes", error, f"line {line}"):
        assert word in str(caught.value)
    assert history() == []


@pytest.mark.parametrize(
    "text",
    [
        "def demandes(records):\n    return 3\n",
        "def demandes(records):\n    return None\n",
        "def demandes(records):\n    yield 'une ligne'\n",
        "def demandes(batch):\n    return None\n",
        "def demandes(records):\n    yield {1: 'a', 'id': 'b'}\n",
        "import sys\n\n\ndef demandes(records):\n    sys.exit(0)\n",
    ],
)
def test_a_transform_that_gives_no_rows_of_data_is_a_configuration_error(transform, load, text):
    transform(text)
    with pytest.raises(ConfigurationError, match=r"transform\.py:demandes"):
        load()


@pytest.mark.parametrize("argument", ["records", "batch"])
def test_a_transform_that_drops_every_row(transform, load, argument):
    transform(
        f"def demandes({argument}):\n    return {argument}.clear()\n"
        if argument == "batch"
        else "def demandes(records):\n    yield from ()\n"
    )
    with pytest.raises(Refused, match="no row"):
        load()


def test_a_missing_column_is_refused_with_the_likely_new_name(load, data):
    data(csv_text(rows(3), header="id,texte,themes"))
    with pytest.raises(Refused, match=r"'theme' is missing \(renamed to 'themes'\? the names are alike\)"):
        load()


@pytest.mark.parametrize("text", ["id,texte,theme\n", "", "\n\n"])
def test_a_source_without_rows_is_refused(load, data, history, text):
    load()
    data(text)
    with pytest.raises(Refused) as caught:
        load()
    assert "no row" in str(caught.value) and "demandes.csv" in str(caught.value)
    assert history() == [1]


@pytest.mark.parametrize("on_failure", ["block", "quarantine"])
def test_a_dataset_that_is_empty_after_checks_is_refused(load, data, edit, history, suite, on_failure):
    edit("on_failure: block", f"on_failure: {on_failure}")
    suite(("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["congé", "paie", "contrat"]}))
    load()
    data(csv_text([("a", "un", "autre"), ("b", "deux", "autre")]))
    outcome = load()
    assert outcome.refused and history() == [1]
    assert any("no row is left" in reason for reason in outcome.reasons)
    assert outcome.report.rows["refused"] == 2


def test_a_missing_file_says_where_it_was_looked_for(load, data, history):
    load()
    path = data(None)
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert caught.value.exit_code == 2
    assert str(path.parent) in str(caught.value)
    assert history() == [1]


def test_a_file_that_cannot_be_read_is_a_system_failure(load, data, monkeypatch):
    from flows.sources import file

    def refuses(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file, "sha256_file", refuses)
    with pytest.raises(SystemFailure, match=r"demandes\.csv") as caught:
        load()
    assert caught.value.exit_code == 3


def test_a_label_with_one_class_is_refused(load, train, data):
    data(csv_text([(f"d{i}", f"texte numéro {i}", "paie") for i in range(60)]))
    load()
    with pytest.raises(Refused, match="fewer than two") as caught:
        train()
    assert "theme" in str(caught.value) and caught.value.exit_code == 1


@pytest.mark.parametrize("texts", [["a", "b", "c"], ["!", "?", "."]])
def test_texts_without_a_word_are_refused(load, train, data, texts):
    data(csv_text([(f"d{i}", texts[i % 3], ["paie", "congé"][i % 2]) for i in range(60)]))
    load()
    with pytest.raises(Refused):
        train()


def test_no_dataset_yet(root, train):
    with pytest.raises(NotFound) as caught:
        train()
    assert caught.value.exit_code == 2 and "socle run essai" in caught.value.hint


def test_a_broken_suite_is_a_configuration_error(root, load):
    (root / "expectations" / "demandes.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"demandes\.json"):
        load()


def test_an_expectation_that_cannot_be_evaluated_refuses_the_load(load, suite, edit):
    edit("on_failure: block", "on_failure: quarantine")
    suite(("expect_column_values_to_match_regex", {"column": "texte", "regex": "("}))
    outcome = load()
    assert outcome.refused
    assert any("could not be evaluated" in reason for reason in outcome.reasons)


# ---- exit codes of a whole run ------------------------------------------------------------------------------------


def whole_run():
    with open_run("essai") as run:
        return run_plain(run)


def test_exit_code_0_done_and_nothing_to_do(root):
    first, again = whole_run(), whole_run()
    assert (first.exit_code, first.error(), first.did_nothing) == (0, None, False)
    assert (again.exit_code, again.did_nothing) == (0, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [("id,texte,theme\na,,paie\n", 1), ("id,texte\na,un\n", 1), (None, 2)],
    ids=["refused by a check", "drift", "no file"],
)
def test_exit_codes_and_the_error_that_stands_for_the_run(data, root, text, code):
    data(text)
    try:
        result = whole_run()
    except SocleError as error:
        assert error.exit_code == code
        return
    assert result.exit_code == code
    assert result.error().exit_code == code
    assert "demandes" in str(result.error())


def test_a_refused_dataset_does_not_stop_the_model_that_has_a_version(root, data):
    whole_run()
    data("id,texte,theme\na,,paie\n")
    result = whole_run()
    assert result.exit_code == 1
    assert [m.action for m in result.models] == ["nothing"]
    assert json.loads(result.datasets[0].report.to_json())["verdict"] == "refused"


def test_refused_rows_behind_a_transform_of_batches_keep_their_place(unchecked, load, edit, root, quarantined_rows):
    """Rows that the transform takes out move no number; a transform that gives no numbers gives no places."""
    edit("columns: {id: string, texte: string, theme: string}", "columns: {id: string, texte: string, theme: string, n: integer}")
    edit("format: {type: csv}", "format: {type: csv}\n    transform: transform.py:sans_titres")
    edit("on_failure: block", "on_failure: quarantine")
    folder = root / "projects" / "essai"
    lines = [f"d{i},un,paie,{i}" for i in range(20)]
    lines[3], lines[10] = "titre,,,", "d10,un,paie,dix"
    (folder / "data" / "demandes.csv").write_text("id,texte,theme,n\n" + "\n".join(lines) + "\n")
    (folder / "transform.py").write_text("def sans_titres(batch):\n    return batch.filter(batch['id'] != 'titre')\n")
    [row] = quarantined_rows(load().report)
    assert (row["row_number"], row["line"], row["raw"]) == (11, 12, "d10,un,paie,dix")
    (folder / "transform.py").write_text("def sans_titres(batch):\n    return batch.filter(batch['id'] != 'titre').drop('__row')\n")
    [row] = quarantined_rows(load().report)
    assert (row["line"], row["raw"]) == (None, None)
