"""socle audit, over what commands have put on record."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.lake import Lake
from flows.lake.trail import Entry, Trail
from flows.settings import load_settings


def records(socle, *arguments):
    done = socle("audit", *arguments, "--json")
    assert done.code == 0, done
    return done.json["entries"]


def test_commands_are_on_record(socle, lake):
    assert records(socle) == []
    assert socle("run", "essai").code == 0
    assert socle("promote", "essai/theme@1", "--reason", "meilleur ailleurs").code == 0
    assert socle("rollback", "essai/demandes", "--reason", "données fausses").code == 0
    assert socle("rollback", "essai/demandes@9").code == 2
    missing, back, promoted, ran = records(socle, "essai")
    assert (ran["what"], ran["outcome"], ran["trigger"]) == ("pipeline", "nothing", "command")
    assert (promoted["what"], promoted["moved"], promoted["reason"]) == ("promote", {"essai/theme@champion": 1}, "meilleur ailleurs")
    assert (back["what"], back["wrote"], back["reason"]) == ("rollback", ["essai/demandes@3"], "données fausses")
    assert back["parameters"] == {"reference": "essai/demandes"}
    assert (missing["outcome"], missing["wrote"]) == ("failed", [])
    assert "no dataset version" in missing["message"]


def test_a_run_that_is_refused_again_is_on_record(socle, lake, monkeypatch):
    from flows.steps import open_run
    from flows.steps.pipeline import run_plain
    from tests.conftest import csv_text

    (lake / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text([("a", "", "paie")]), encoding="utf-8")
    with open_run("essai") as run:
        assert run_plain(run).exit_code == 1
    assert socle("run", "essai", "--flow", "ingest").code == 1
    (refused,) = records(socle)
    assert (refused["what"], refused["outcome"]) == ("ingest", "refused")
    assert "texte" in refused["message"]


def test_a_run_that_cannot_be_planned_is_on_record(socle, lake):
    (lake / "projects" / "essai" / "data" / "demandes.csv").unlink()
    assert socle("run", "essai").code != 0
    (failed,) = records(socle)
    assert (failed["outcome"], failed["wrote"]) == ("failed", [])
    assert failed["message"]


def test_a_dry_run_is_not(socle, lake):
    assert socle("run", "essai", "--dry-run").code == 0
    assert records(socle) == []


def test_who_made_a_version_and_who_read_it(socle, lake):
    assert socle("rollback", "essai/demandes", "--reason", "données fausses").code == 0
    assert socle("promote", "essai/theme@1").code == 0
    assert [e["what"] for e in records(socle, "--version", "essai/demandes@3")] == ["rollback"]
    assert [e["what"] for e in records(socle, "essai", "--version", "theme@1")] == ["promote"]
    assert [e["what"] for e in records(socle, "essai", "--version", "demandes")] == ["rollback"]
    assert records(socle, "--version", "essai/demandes@1") == []


def test_an_old_version_is_looked_for_since_it_was_made(socle, lake):
    """Beyond the days that are shown without --version: these are what a version's own date says."""
    trail = Trail(Lake(load_settings()), "essai")
    old = datetime.now(UTC) - timedelta(days=2)
    entry = Entry(
        "r", "essai", "pipeline", "Ada", "login", "ici", started=old.isoformat(timespec="microseconds"), wrote=["essai/demandes@1"]
    )
    trail.start(entry)
    assert [e["who"] for e in records(socle, "--version", "essai/demandes@1")] == ["Ada"]
    assert records(socle, "--since", "1d") == []
    assert [e["who"] for e in records(socle, "--since", old.date().isoformat())] == ["Ada"]


def test_the_newest_are_shown_and_it_is_said_that_there_are_more(socle, lake):
    trail = Trail(Lake(load_settings()), "essai")
    for number in range(7):
        at = datetime.now(UTC) - timedelta(minutes=number)
        trail.start(Entry(f"r{number}", "essai", "ingest", "Ada", "login", "ici", started=at.isoformat(timespec="microseconds")))
    done = socle("audit", "--limit", "3", "--json")
    assert [e["id"] for e in done.json["entries"]] == ["r0", "r1", "r2"]
    assert done.json["more"] is True
    text = socle("audit", "--limit", "3").out
    assert text.count("no end on record") == 3 and "--limit 12" in text


def test_what_somebody_sent_does_not_steer_the_terminal(socle, lake):
    trail = Trail(Lake(load_settings()), "essai")
    trail.start(Entry("r", "essai", "ingest", "[red]\x1b[2J", "login", "ici", parameters={"dataset": "\x1b]0;x\x07"}, reason="a\nb"))
    out = socle("audit").out
    assert "\x1b" not in out and "\x07" not in out
    assert "[red]" in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("essay",), "essay"),
        (("--since", "hier"), "hier"),
        (("--since", "99999999999d"), "99999999999d"),
        (("--version", "demandes@1"), "names no project"),
        (("--version", "essai/theme@champion"), "by number"),
        (("--version", "essai/demandes@99"), "essai/demandes@99"),
    ],
)
def test_bad_usage(socle, lake, arguments, named):
    done = socle("audit", *arguments)
    assert done.code == 2
    assert named in done.err


def test_a_project_that_never_ran_has_nothing_on_record(socle, root: Path):
    done = socle("audit")
    assert done.code == 0
    assert "Nothing on record" in done.out


def test_a_project_whose_file_is_gone_keeps_its_trail(socle, lake):
    assert socle("promote", "essai/theme@1").code == 0
    shutil.rmtree(lake / "projects" / "essai")
    assert [e["what"] for e in records(socle, "essai")] == ["promote"]
    assert [e["what"] for e in records(socle)] == ["promote"]
    assert socle("audit", "parti").code == 2


def test_neither_prefect_nor_polars_is_imported(modules, lake):
    done, imported = modules("audit", "--json")
    assert done.code == 0
    assert not {"prefect", "polars", "torch"} & imported
    done, imported = modules("run", "essai", "--json")
    assert done.code == 0
    assert "prefect" not in imported
