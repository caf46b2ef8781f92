"""socle purge as people type it: what it says, what it returns, and that no value of anybody is repeated anywhere."""

from __future__ import annotations

import json

import pytest

from tests.conftest import csv_text, rows

PERSON = "d00003"


@pytest.fixture
def loaded(root, socle):
    (root / "expectations" / "demandes.json").write_text('{"name": "demandes", "expectations": []}', encoding="utf-8")
    from flows.steps import open_run
    from flows.steps.ingest import load_dataset

    (root / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text(rows(10)), encoding="utf-8")
    with open_run("essai") as run:
        load_dataset(run, "demandes")
    return root


def test_a_dry_run_says_what_would_go(loaded, socle):
    done = socle("purge", "essai/demandes", "--key", f"id={PERSON}", "--dry-run")
    assert done.code == 0
    assert "Would erase from essai/demandes (1 data files, 1 raw files):" in done.out
    assert "essai/demandes@1 would expire" in done.out


def test_it_erases_verifies_and_names_the_proof_but_nobody(loaded, socle):
    done = socle("purge", "essai/demandes", "--key", f"id={PERSON}", "--reason", "demande 2026-17")
    assert done.code == 0, done.err
    assert "essai/demandes@2 is served without them" in done.out and "0 with rows left" in done.out
    assert "Proof: erasures/demandes/proofs/" in done.out
    listed = socle("ls", "essai")
    assert "[expired " in listed.out and "erasure]" in listed.out
    shown = socle("show", "essai/demandes@1")
    assert shown.code == 2 and "a person's rows were erased from it" in shown.err
    again = socle("purge", "essai/demandes", "--key", f"id={PERSON}")
    assert again.code == 0 and "rows of the latest version: 1; essai/demandes@2" in again.out
    record = socle("audit", "essai", "--json").out
    assert "purge" in record and "demande 2026-17" in record
    for said in (done.out, done.err, again.out, record, listed.out):
        assert PERSON not in said
    assert [p for p in (loaded / ".socle").rglob("*") if p.is_file() and PERSON.encode() in p.read_bytes()] == []


def test_json_is_the_proof(loaded, socle):
    done = socle("purge", "essai/demandes", "--key", f"id={PERSON}", "--json")
    proof = json.loads(done.out)
    assert proof["rows"] == 1 and proof["verification"]["rows_left"] == [] and len(proof["subject"]) == 64
    assert PERSON not in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["essai/demandes", "--key", "secret-de-quelqu-un"], "--key number 1 is not of the form COLUMN=VALUE"),
        (["essai/demandes", "--key", "id=secret-1", "--key", "id=secret-2"], "id is given twice"),
        (["essai/demandes@1", "--key", "id=secret-1"], "from all versions"),
        (["essai/autre", "--key", "id=secret-1"], "no dataset 'autre'"),
        (["essai/demandes", "--key", "nom=secret-1"], "has no column nom"),
        (["essai/demandes", "--key", "id=secret-1", "--reason", "pour secret-1"], "--reason holds the value"),
    ],
)
def test_bad_usage_is_said_without_the_value(loaded, socle, words, said):
    done = socle("purge", *words)
    assert done.code == 2
    assert said in done.err and "secret-" not in done.err + done.out


def test_a_cleanup_in_the_terminal(loaded, socle):
    shown = socle("run", "essai", "--flow", "maintain", "--set", "dry_run=peut-etre")
    assert shown.code == 2
    assert "dry_run" in shown.err
