"""Credentials by name: where they are looked for, whose they are, and that they are never shown."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from flows.errors import ConfigurationError
from flows.project import NAME
from flows.settings import Settings
from flows.sources.credentials import credential, credential_pairs, environment_name, hide

SECRET = "s3cr3t-jeton-très-long"
names = st.from_regex(NAME, fullmatch=True).map(str.strip)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "essai").mkdir()
    return Settings(root=tmp_path, credentials_folder=tmp_path)


def put(settings: Settings, text: str | bytes, project: str = "essai", name: str = "base") -> None:
    path = settings.credentials_folder / project / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def refused(call, *arguments, **named) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        call(*arguments, **named)
    error = caught.value
    shown = f"{error}{error!r}{error.__dict__}{error.__cause__!r}{pickle.dumps(error)!r}"
    assert SECRET not in shown and SECRET.encode() not in pickle.dumps(error)
    assert error.french and error.exit_code == 2
    return error


def test_from_a_file_of_the_project(settings):
    put(settings, f"\ufeff{SECRET}\r\n")
    found = credential(settings, "essai", "base")
    assert found.get_secret_value() == SECRET and SECRET not in f"{found}{found!r}"


def test_the_environment_comes_first(settings, monkeypatch):
    put(settings, "autre")
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_BASE", SECRET)
    assert credential(settings, "essai", "base").get_secret_value() == SECRET
    assert credential(Settings(root=settings.root), "essai", "base").get_secret_value() == SECRET, "without a folder, too"


def test_a_file_of_a_kubernetes_secret_has_its_project_in_its_name(settings):
    (settings.credentials_folder / "essai.base").write_text(SECRET)
    (settings.credentials_folder / "autre.base").write_text("autre")
    assert credential(settings, "essai", "base").get_secret_value() == SECRET
    put(settings, "plus-précis")
    assert credential(settings, "essai", "base").get_secret_value() == "plus-précis"


def test_nowhere_says_where_it_was_looked_for(settings):
    error = refused(credential, settings, "essai", "base")
    assert "SOCLE_CREDENTIAL_ESSAI_BASE" in error.where and str(settings.credentials_folder / "essai" / "base") in error.where
    assert "SOCLE_CREDENTIALS_FOLDER is not set" in refused(credential, Settings(root=settings.root), "essai", "base").where


def test_another_project_has_none_of_it(settings):
    put(settings, SECRET, project="autre")
    refused(credential, settings, "essai", "base")


@pytest.mark.parametrize("name", ["../autre/base", "/etc/passwd", "..", "", "Base", "a/b", "base\n"])
def test_a_name_is_no_path(settings, name):
    put(settings, SECRET, project="autre")
    with pytest.raises(ConfigurationError):
        credential(settings, "essai", name)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00" + SECRET.encode(), (SECRET * 4000).encode()], ids=len)
def test_a_file_that_holds_none(settings, content):
    put(settings, content)
    refused(credential, settings, "essai", "base")


def test_a_folder_in_its_place(settings):
    (settings.credentials_folder / "essai" / "base").mkdir()
    assert "directory" in refused(credential, settings, "essai", "base").message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read(settings):
    put(settings, SECRET)
    (settings.credentials_folder / "essai" / "base").chmod(0)
    assert "Permission" in refused(credential, settings, "essai", "base").message


def test_pairs(settings):
    put(settings, f"# de la base\n\n User = lecteur \npassword={SECRET}=\n")
    found = credential_pairs(settings, "essai", "base", ["user", "password"])
    assert {k: v.get_secret_value() for k, v in found.items()} == {"user": "lecteur", "password": SECRET + "="}
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"), [(SECRET, "line 1"), (f"a=1\n{SECRET}", "line 2"), (f"a=1\nA={SECRET}", "second"), ("a=\nb=2", "lack a")]
)
def test_pairs_that_are_none(settings, text, said):
    put(settings, text)
    assert said in refused(credential_pairs, settings, "essai", "base", ["a"]).message


@given(names, names, names, names)
def test_a_variable_is_of_one_name_of_one_project(project, name, other_project, other_name):
    same = environment_name(project, name) == environment_name(other_project, other_name)
    assert same == ((project, name) == (other_project, other_name))


def test_messages_of_others_are_hidden():
    secrets = [SecretStr("pass word/é"), SecretStr("user=x\npassword=abcdef"), SecretStr("abc")]
    text = hide("pass word/é pass%20word/%C3%A9 pass%20word%2F%C3%A9 pass+word%2F%C3%A9 password=abcdef abcdef abc", secrets)
    assert text == "*** *** *** *** *** *** abc"
