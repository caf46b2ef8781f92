"""Environment -> settings: every mistake is named by its variable, and no value is ever shown."""

from __future__ import annotations

import pytest

from flows.errors import ConfigurationError
from flows.settings import load_settings

S3 = {
    "SOCLE_STORAGE": "s3://socle",
    "SOCLE_S3_ENDPOINT": "http://127.0.0.1:9000",
    "SOCLE_S3_ACCESS_KEY": "cle-publique",
    "SOCLE_S3_SECRET_KEY": "tres-secret",
}


@pytest.fixture
def setenv(monkeypatch):
    def put(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


def refused() -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_default_lake_is_under_the_root_wherever_the_command_is_typed(setenv, tmp_path, monkeypatch):
    setenv(SOCLE_ROOT=str(tmp_path))
    monkeypatch.chdir("/")
    settings = load_settings()
    assert settings.lake_folder == tmp_path / ".socle" / "lake"
    assert settings.s3_prefix is None


def test_folders_with_spaces_and_accents(setenv, tmp_path):
    folder = tmp_path / "données du lac"
    setenv(SOCLE_STORAGE=folder.as_uri())
    assert load_settings().lake_folder == folder
    setenv(SOCLE_STORAGE=f"file://{folder}")
    assert load_settings().lake_folder == folder


@pytest.mark.parametrize(
    "storage", ["lake", "/tmp/lake", "file://ailleurs/lake", "file:lake", "s3://", "s3://socle/sous/dossier", "http://socle", "s3:socle"]
)
def test_a_storage_that_is_neither(setenv, storage):
    setenv(**S3 | {"SOCLE_STORAGE": storage})
    assert "SOCLE_STORAGE" in refused()


def test_s3(setenv):
    setenv(**S3)
    settings = load_settings()
    assert settings.s3_prefix == "socle"
    assert settings.s3_secret_key.get_secret_value() == "tres-secret"
    assert "tres-secret" not in repr(settings) and "cle-publique" not in repr(settings)


@pytest.mark.parametrize("missing", ["SOCLE_S3_ENDPOINT", "SOCLE_S3_ACCESS_KEY", "SOCLE_S3_SECRET_KEY"])
def test_what_s3_lacks_is_named(setenv, missing):
    setenv(**{k: v for k, v in S3.items() if k != missing})
    text = refused()
    assert missing in text
    assert all(other not in text for other in ("tres-secret", "cle-publique"))
    assert [n for n in S3 if n in text and n != "SOCLE_STORAGE"] == [missing]


def test_an_empty_variable_is_as_none(setenv):
    setenv(SOCLE_SQL_MAX_GB="", SOCLE_HTTP_CA_FILE="", SOCLE_STORAGE="")
    assert (load_settings().sql_max_gb, load_settings().http_ca_file) == (50, None)


def test_secrets_from_files(setenv, tmp_path):
    (tmp_path / "secret").write_text("du-fichier\n")
    setenv(**{k: v for k, v in S3.items() if "SECRET" not in k}, SOCLE_S3_SECRET_KEY_FILE=str(tmp_path / "secret"))
    assert load_settings().s3_secret_key.get_secret_value() == "du-fichier"


@pytest.mark.parametrize("name", ["ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "REGION"])
def test_a_value_and_its_file_are_one_too_many(setenv, tmp_path, name):
    (tmp_path / "valeur").write_text("du-fichier")
    setenv(**S3 | {f"SOCLE_S3_{name}": "tres-secret", f"SOCLE_S3_{name}_FILE": str(tmp_path / "valeur")})
    text = refused()
    assert f"SOCLE_S3_{name}_FILE" in text
    assert "tres-secret" not in text and "du-fichier" not in text


def test_a_file_that_is_not_there_is_named(setenv, tmp_path):
    setenv(**{k: v for k, v in S3.items() if "SECRET" not in k}, SOCLE_S3_SECRET_KEY_FILE=str(tmp_path / "absent"))
    text = refused()
    assert "SOCLE_S3_SECRET_KEY_FILE" in text and str(tmp_path / "absent") in text


@pytest.mark.parametrize("content", [b"\xff\xfe", b""])
def test_a_file_without_a_secret_in_it(setenv, tmp_path, content):
    (tmp_path / "secret").write_bytes(content)
    setenv(**{k: v for k, v in S3.items() if "SECRET" not in k}, SOCLE_S3_SECRET_KEY_FILE=str(tmp_path / "secret"))
    assert "SOCLE_S3_SECRET_KEY" in refused()


@pytest.mark.parametrize(
    ("name", "value"),
    [("SOCLE_BATCH_ROWS", "0"), ("SOCLE_NPM_TIMEOUT_S", "vite"), ("SOCLE_DOCS_PORT", "70000"), ("SOCLE_S3_RETRIES", "-1")],
)
def test_limits_out_of_range_are_named(setenv, name, value):
    setenv(**{name: value})
    assert name in refused()


def test_every_mistake_in_one_report(setenv):
    setenv(SOCLE_BATCH_ROWS="0", SOCLE_DOCS_PORT="70000")
    text = refused()
    assert "SOCLE_BATCH_ROWS" in text and "SOCLE_DOCS_PORT" in text


def test_the_address_of_the_docs(setenv):
    assert load_settings().public_docs_url == "http://127.0.0.1:4201"
    setenv(SOCLE_DOCS_URL="https://socle.example.gouv.fr/docs/")
    assert load_settings().public_docs_url == "https://socle.example.gouv.fr/docs"


def test_a_principal_that_is_the_same_for_all_is_refused(setenv):
    setenv(**S3, SOCLE_S3_PRINCIPAL="arn:aws:iam:::user/socle")
    assert "SOCLE_S3_PRINCIPAL" in refused()


@pytest.fixture
def project_keys(setenv, tmp_path):
    """`essai` has keys of its own; what is for no project has none."""
    (tmp_path / "essai").mkdir()
    (tmp_path / "essai" / "access_key").write_text("cle-essai\n")
    (tmp_path / "essai" / "secret_key").write_text("secret-essai\n")
    setenv(**{k: v for k, v in S3.items() if "KEY" not in k}, SOCLE_S3_KEYS_FOLDER=str(tmp_path))
    return tmp_path


def test_each_project_has_its_own_keys(project_keys):
    settings = load_settings()
    own = settings.for_project("essai")
    assert (own.s3_access_key.get_secret_value(), own.s3_secret_key.get_secret_value()) == ("cle-essai", "secret-essai")
    assert own.model_copy(update={"s3_access_key": settings.s3_access_key, "s3_secret_key": settings.s3_secret_key}) == settings
    assert "secret-essai" not in repr(own)


@pytest.mark.parametrize("damage", ["absent", "empty", "not text", "a folder"])
def test_a_project_without_its_keys_uses_nobody_elses(setenv, project_keys, damage):
    setenv(SOCLE_S3_ACCESS_KEY="cle-publique", SOCLE_S3_SECRET_KEY="tres-secret")
    key = project_keys / "essai" / "secret_key"
    key.unlink()
    if damage == "a folder":
        key.mkdir()
    elif damage != "absent":
        key.write_bytes({"empty": b"\n", "not text": b"\xff"}[damage])
    with pytest.raises(ConfigurationError) as caught:
        load_settings().for_project("essai")
    assert str(key) in str(caught.value) and "tres-secret" not in str(caught.value)


def test_without_keys_of_its_own_nothing_is_asked_anonymously(project_keys):
    from flows.lake import Lake

    with pytest.raises(ConfigurationError, match="keys of its own"):
        Lake(load_settings()).bucket("essai")


def test_a_folder_lake_needs_no_keys(setenv, tmp_path):
    setenv(SOCLE_STORAGE=tmp_path.as_uri(), SOCLE_S3_KEYS_FOLDER=str(tmp_path / "absent"))
    assert load_settings().for_project("essai") == load_settings()
