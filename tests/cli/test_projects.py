"""socle validate, new, doctor."""

from __future__ import annotations

import json

import pytest

from tests.conftest import PROJECT, write_project


@pytest.fixture
def wrong(root):
    """Problems in two projects: a misspelt key, a label that is no column, a suite that is not there; a file that is not YAML."""
    text = PROJECT.replace("ministry:", "ministery:").replace("label: theme", "label: themes").replace("demandes.json", "demande.json")
    (root / "projects" / "essai" / "project.yaml").write_text(text, encoding="utf-8")
    (root / "projects" / "autre").mkdir()
    (root / "projects" / "autre" / "project.yaml").write_text("title: [\n", encoding="utf-8")
    return text.splitlines()


def test_validate_reports_every_problem_of_every_file(socle, wrong):
    done = socle("validate")
    assert done.code == 2
    line = {what: next(i for i, text in enumerate(wrong, 1) if what in text) for what in ("ministery", "label: themes", "demande.json")}
    for words in (
        (f"projects/essai/project.yaml:{line['ministery']}: ", "unknown key", "did you mean 'ministry'?"),
        ("projects/essai/project.yaml:", "ministry: is missing"),
        (f"projects/essai/project.yaml:{line['label: themes']}: ", "'themes'", "did you mean 'theme'?"),
        (f"projects/essai/project.yaml:{line['demande.json']}: ", "demande.json does not exist", "did you mean 'demandes.json'?"),
        ("projects/autre/project.yaml:", "not valid YAML"),
    ):
        assert any(all(word in text for word in words) for text in done.out.splitlines()), (words, done.out)
    assert "2 project(s), 5 problem(s)" in done.out


def test_validate_as_json(socle, wrong):
    done = socle("validate", "--json")
    assert done.code == 2
    assert done.json["projects"] == ["autre", "essai"]
    assert len(done.json["problems"]) == 5
    assert all(set(p) == {"file", "line", "message", "hint"} and p["line"] >= 1 for p in done.json["problems"])


def test_validate_one_project_looks_at_no_other(socle, wrong):
    done = socle("validate", "autre", "--json")
    assert done.code == 2
    assert {p["file"] for p in done.json["problems"]} == {"projects/autre/project.yaml"}


def test_validate_says_what_is_right(socle, root):
    done = socle("validate")
    assert done.code == 0 and "1 project(s), 0 problem(s)" in done.out


def test_validate_a_project_that_is_not_there(socle, root):
    done = socle("validate", "essay")
    assert done.code == 2 and "did you mean 'essai'?" in done.out


def test_validate_without_any_project(socle, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_ROOT", str(tmp_path))
    done = socle("validate")
    assert done.code == 2 and str(tmp_path / "projects") in done.out


def test_a_wrong_project_does_not_run_and_lists_its_problems(socle, wrong):
    done = socle("run", "essai")
    assert done.code == 2
    assert "ministery" in done.err and "themes" in done.err and "socle validate essai" in done.err


def test_new_writes_a_project_that_validates_and_is_planned(socle, root):
    made = socle("new", "mon-projet", "--json")
    assert made.code == 0
    assert {"project.yaml", "README.md", "messages.csv", "messages.json"} == {path.rsplit("/", 1)[-1] for path in made.json["files"]}
    assert socle("validate", "mon-projet").code == 0
    plan = socle("run", "mon-projet", "--dry-run", "--json").json
    assert [(p["name"], p["action"]) for p in plan] == [("messages", "load"), ("theme", "wait")]


def test_new_writes_a_project_that_runs(root, socle):
    from flows.steps import open_run
    from flows.steps.pipeline import run_plain

    socle("new", "mon-projet")
    with open_run("mon-projet") as run:
        result = run_plain(run)
    assert result.exit_code == 0, result.error()
    assert result.models[0].state.aliases["champion"] == 1


def test_new_never_writes_over_a_project(socle, root):
    before = (root / "projects" / "essai" / "project.yaml").read_text(encoding="utf-8")
    assert socle("new", "essai").code == 2
    assert (root / "projects" / "essai" / "project.yaml").read_text(encoding="utf-8") == before


def test_doctor_tries_the_storage_of_every_project(socle, root):
    done = socle("doctor", "--create", "--json")
    assert done.code == 0
    found = {f["what"]: f["state"] for f in done.json}
    assert found["project essai"] == found["bucket socle-essai"] == found["bucket socle-commun"] == "ok"
    assert not list((root / ".socle" / "lake").rglob(".probe/*"))


def test_doctor_finds_a_storage_that_cannot_be_written(socle, root):
    lake = root / ".socle" / "lake"
    lake.parent.mkdir()
    lake.write_text("a file, where the folder should be", encoding="utf-8")
    done = socle("doctor", "--json")
    assert done.code == 3
    assert {f["state"] for f in done.json if f["what"].startswith("bucket")} == {"error"}
    assert all(f["hint"] for f in done.json if f["state"] == "error")


def test_doctor_names_the_wrong_project(socle, wrong):
    done = socle("doctor", "--json")
    assert done.code == 2
    assert {f["what"]: f["hint"] for f in done.json if f["state"] == "error"} == {
        "project autre": "socle validate autre",
        "project essai": "socle validate essai",
    }


def test_doctor_warns_when_npm_is_missing(socle, root, monkeypatch):
    monkeypatch.setenv("PATH", str(root))
    done = socle("doctor", "--json")
    assert done.code == 0
    assert next(f for f in done.json if f["what"] == "npm client")["state"] == "warning"


def test_problems_and_notes_of_suites_have_lines(socle, root):
    write_project(root)
    entries = [
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "id", "regex": "^(?!x)"}},
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "id", "regexp": "a"}},
    ]
    (root / "expectations" / "demandes.json").write_text(json.dumps({"expectations": entries}, indent=1), encoding="utf-8")
    done = socle("validate", "essai")
    assert done.code == 2 and "demandes.json:14: " in done.out and "did you mean 'regex'?" in done.out
    assert "demandes.json:7: note: " in done.out and "look-around" in done.out and "1 problem(s)" in done.out
    found = socle("validate", "essai", "--json").json
    assert len(found["problems"]) == 1 and [n["line"] for n in found["notes"]] == [7]
    (root / "expectations" / "demandes.json").write_text(json.dumps({"expectations": entries[:1]}), encoding="utf-8")
    assert socle("validate", "essai").code == 0


def test_validating_what_did_not_change_does_not_import_great_expectations(root, modules):
    write_project(root)
    first, _ = modules("validate", "essai")
    again, imported = modules("validate", "essai")
    assert first.code == again.code == 0 and "great_expectations" not in imported
