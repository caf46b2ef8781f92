"""The command line as a whole: help, exit codes, `--json` everywhere, and what is not imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "great_expectations", "prefect", "polars", "pydantic_settings"}
COMMANDS = ("new", "validate", "run", "ls", "show", "diff", "promote", "up", "deploy", "doctor", "worker", "audit")


def test_help_lists_every_command_and_imports_nothing_heavy(modules):
    done, imported = modules("--help")
    assert done.code == 0
    assert not HEAVY & imported
    assert all(any(line.split()[:1] == [name] for line in done.out.splitlines()) for name in COMMANDS), done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_has_json(socle, command):
    done = socle(command, "--help")
    assert done.code == 0
    assert "--json" in done.out


def test_the_console_script_is_this_program():
    script = Path(sys.executable).parent / "socle"
    assert "from flows.cli import main" in script.read_text(encoding="utf-8")


WRONG = {
    "unknown project": (("ls", "essay"), 2, "essay"),
    "not a reference": (("show", "ESSAI/demandes"), 2, "ESSAI/demandes"),
    "no project in the reference": (("show", "demandes"), 2, "demandes"),
    "unknown name": (("show", "essai/demande"), 2, "demandes"),
    "unknown version": (("show", "essai/demandes@9"), 2, "essai/demandes@9"),
    "unknown model version": (("show", "essai/theme@9"), 2, "essai/theme@9"),
    "unknown alias": (("show", "essai/theme@best"), 2, "best"),
    "alias of a dataset": (("show", "essai/demandes@champion"), 2, "champion"),
    "two kinds": (("diff", "essai/demandes", "essai/theme"), 2, "kind"),
    "promote a dataset": (("promote", "essai/demandes"), 2, "only models"),
    "promote nothing": (("promote", "essai/theme@9"), 2, "essai/theme@9"),
    "new: wrong name": (("new", "Mon Projet"), 2, "Mon Projet"),
    "new: reserved": (("new", "commun"), 2, "commun"),
    "new: taken": (("new", "essai"), 2, "essai"),
    "run: no project": (("run", "essay"), 2, "essay"),
    "run: not key=value": (("run", "essai", "--set", "dataset"), 2, "key=value"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_have_an_exit_code_and_name_the_thing(socle, lake, case):
    arguments, code, named = WRONG[case]
    done = socle(*arguments)
    assert (done.code, done.out) == (code, "")
    assert named in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_json_too(socle, lake, case):
    arguments, code, named = WRONG[case]
    done = socle(*arguments, "--json")
    assert done.code == code
    error = done.json["error"]
    assert set(error) == {"kind", "message", "where", "hint", "exit_code"}
    assert error["exit_code"] == code
    assert named in " ".join(map(str, error.values()))


@pytest.mark.parametrize(
    "arguments",
    [("ls",), ("nothing",), ("ls", "essai", "--unknown"), ("show", "essai/theme", "--rows", "x"), ("run", "essai", "--flow", "x")],
)
def test_usage_errors_exit_2_and_are_json_too(socle, lake, arguments):
    assert socle(*arguments).code == 2
    done = socle(*arguments, "--json")
    assert done.code == 2
    assert done.json["error"]["exit_code"] == 2


RIGHT = {
    "validate": ("validate",),
    "validate one": ("validate", "essai"),
    "schema": ("validate", "--schema"),
    "new": ("new", "autre"),
    "ls": ("ls", "essai"),
    "show a dataset": ("show", "essai/demandes"),
    "show a model": ("show", "essai/theme@champion"),
    "diff datasets": ("diff", "essai/demandes@1", "essai/demandes@2"),
    "diff models": ("diff", "essai/theme@1", "essai/theme@3"),
    "promote": ("promote", "essai/theme@1"),
    "run": ("run", "essai"),
    "dry run": ("run", "essai", "--dry-run"),
    "doctor": ("doctor",),
    "audit": ("audit", "essai"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_json_is_the_whole_of_standard_output(socle, lake, case):
    done = socle(*RIGHT[case], "--json")
    assert done.code == 0, done
    assert done.json
    assert done.err == ""


@pytest.mark.parametrize("case", RIGHT)
def test_every_command_has_a_text_for_people(socle, lake, case):
    done = socle(*RIGHT[case])
    assert done.code == 0, done
    assert done.out.strip()


def test_a_wrong_setting_is_a_configuration_error(socle, lake, monkeypatch):
    monkeypatch.setenv("SOCLE_STORAGE", "ftp://ailleurs")
    done = socle("ls", "essai", "--json")
    assert done.code == 2
    assert "SOCLE_STORAGE" in done.json["error"]["message"]


def test_a_storage_that_cannot_be_reached_is_a_system_failure(socle, lake, monkeypatch):
    for name, value in {
        "STORAGE": "s3://socle",
        "S3_ENDPOINT": "http://127.0.0.1:9",
        "S3_ACCESS_KEY": "a",
        "S3_SECRET_KEY": "tres-secret",
    }.items():
        monkeypatch.setenv(f"SOCLE_{name}", value)
    monkeypatch.setenv("SOCLE_S3_RETRIES", "0")
    done = socle("ls", "essai", "--json")
    assert done.code == 3
    assert "127.0.0.1:9" in done.json["error"]["where"]
    assert "tres-secret" not in done.out + done.err
