"""socle ls, show, diff, promote, on a project that ran twice; and `socle run` when there is nothing to do."""

from __future__ import annotations

import pytest

from tests.conftest import csv_text, rows


def test_ls_has_every_version_and_who_is_champion(socle, lake):
    found = socle("ls", "essai", "--json").json
    assert [v["number"] for v in found["datasets"]["demandes"]] == [2, 1]
    assert [v["load"]["rows"]["total"] for v in found["datasets"]["demandes"]] == [120, 90]
    theme = found["models"]["theme"]
    assert [v["number"] for v in theme["versions"]] == [4, 3, 2, 1]
    assert theme["state"]["aliases"] == {"candidate": 3, "champion": 3}
    text = socle("ls", "essai").out
    assert "120 rows" in text and text.count("[champion]") == 1


def test_ls_before_the_first_run(socle, root):
    assert socle("ls", "essai").out.count("no version yet") == 2


def test_show_a_dataset(socle, lake):
    found = socle("show", "essai/demandes@1", "--rows", "3", "--json").json
    assert found["version"]["number"] == 1
    assert len(found["rows"]) == 3 and set(found["rows"][0]) == {"id", "texte", "theme"}
    assert found["docs"].endswith("index.html")
    assert socle("show", "essai/demandes", "--json").json["version"]["number"] == 2


def test_show_a_model(socle, lake):
    found = socle("show", "essai/theme@champion", "--json").json
    assert (found["number"], found["dataset"]["reference"]) == (3, "essai/demandes@2")
    text = socle("show", "essai/theme@3").out
    assert "essai/demandes@2" in text and "README.md" in text and "macro_f1" in text


def test_diff_counts_rows_by_key(socle, lake):
    found = socle("diff", "essai/demandes@1", "essai/demandes@2", "--json").json
    assert [found[f"rows {what}"] for what in ("added", "removed", "changed")] == [30, 0, 0]
    assert found["made differently"] == ["raw"]


def test_diff_of_models_names_what_changed(socle, lake):
    found = socle("diff", "essai/theme@1", "essai/theme@3", "--json").json
    assert found["made differently"] == ["dataset"] and found["dataset"] == ["essai/demandes@1", "essai/demandes@2"]
    assert found["settings"] == found["model"] == found["code and machine"] == []
    assert {name for name, *_ in found["data"]} == {"load", "train rows", "validation rows", "test rows"}
    found = socle("diff", "essai/theme@3", "essai/theme@4", "--json").json
    assert found["made differently"] == ["candidate"] and found["data"] == []
    assert ["max_features", 60000, 1] in found["settings"]


def test_diff_of_models_compares_them_on_the_rows_that_both_answered(socle, lake):
    found = socle("diff", "essai/theme@3", "essai/theme@4", "--json").json
    same, scores = found["same rows"], found["scores"]["test"]["macro_f1"]
    assert same["rows"] == same["of"][0] == same["of"][1] and same["metric"] == "macro_f1"
    assert [same["champion"], same["challenger"]] == pytest.approx([s["value"] for s in scores])
    assert same["high"] < 0, "one word tells less than all"
    older = socle("diff", "essai/theme@1", "essai/theme@3", "--json").json["same rows"]
    assert older["rows"] == older["of"][0] < older["of"][1], "a row never changes side"
    text = socle("diff", "essai/theme@3", "essai/theme@4").out
    assert "more than chance" in text and "max_features: 60000 -> 1" in text and f"on the same {same['rows']} test rows" in text


def test_promote_moves_the_champion_and_keeps_the_history(socle, lake):
    move = socle("promote", "essai/theme@4", "--reason", "essai à la main", "--json").json
    assert (move["number"], move["aliases"]["champion"], move["reason"]) == (3, 4, "essai à la main")
    assert socle("show", "essai/theme@champion", "--json").json["number"] == 4
    assert "essai à la main" in socle("show", "essai/theme@4").out


def test_promote_the_champion_again_is_no_move(socle, lake):
    assert socle("promote", "essai/theme@3", "--json").json["number"] == 2


def test_a_promotion_by_hand_stands_when_nothing_changes(socle, lake):
    socle("promote", "essai/theme@4")
    done = socle("run", "essai")
    assert done.code == 0 and "essai/theme@4" in done.out
    assert socle("show", "essai/theme@champion", "--json").json["number"] == 4


def test_an_unchanged_run_does_nothing_and_imports_nothing_heavy(modules, lake):
    done, imported = modules("run", "essai")
    assert done.code == 0
    assert "Nothing changed" in done.out and "essai/demandes@2" in done.out and "essai/theme@3" in done.out
    assert not {"prefect", "torch", "transformers", "great_expectations", "sklearn"} & imported


def test_a_dry_run_says_why_and_does_nothing(socle, lake):
    (lake / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text(rows(130)), encoding="utf-8")
    plan = socle("run", "essai", "--dry-run", "--json").json
    assert [(p["name"], p["action"], p["reasons"]) for p in plan] == [
        ("demandes", "load", ["raw changed"]),
        ("theme", "wait", ["after demandes"]),
    ]
    assert "raw changed" in socle("run", "essai", "--dry-run").out
    assert len(socle("ls", "essai", "--json").json["datasets"]["demandes"]) == 2


def test_a_dry_run_of_one_flow(socle, lake):
    project = lake / "projects" / "essai" / "project.yaml"
    project.write_text(project.read_text(encoding="utf-8").replace("max_features: 1,", "max_features: 2,"), encoding="utf-8")
    plan = socle("run", "essai", "--flow", "finetune", "--dry-run", "--json").json
    assert [(p["name"], p["action"]) for p in plan] == [("theme", "train")]
    assert plan[0]["reasons"] == ["tfidf (2): candidate changed"]
    assert [p["action"] for p in socle("run", "essai", "--flow", "ingest", "--dry-run", "--json").json] == ["nothing"]


def test_a_dry_run_with_a_parameter_still_says_what_it_would_do(socle, lake):
    (lake / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text(rows(130)), encoding="utf-8")
    plan = socle("run", "essai", "--flow", "ingest", "--set", "dataset=demandes", "--dry-run", "--json").json
    assert [(p["name"], p["action"]) for p in plan] == [("demandes", "load")]


def test_a_refusal_is_repeated_without_prefect(socle, lake):
    """The refusal itself is made by the plain rooms; the command then only has to repeat it."""
    from flows.steps import open_run
    from flows.steps.ingest import load_dataset

    (lake / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text([("a", "", "paie")]), encoding="utf-8")
    with open_run("essai") as run:
        assert load_dataset(run, "demandes").refused
    done = socle("run", "essai", "--json")
    assert done.code == done.json["exit_code"] == 1
    assert done.json["result"]["datasets"][0]["action"] == "refused"
    text = socle("run", "essai")
    assert text.code == 1 and "refused" in text.out
    assert socle("show", "essai/demandes", "--json").json["version"]["number"] == 2
