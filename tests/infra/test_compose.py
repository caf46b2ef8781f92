"""docker-compose.yml: valid, bounded, closed; and everything that it names is there. No engine runs here: its processes are those of
tests/services/test_stack.py."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import pytest
from ruamel.yaml import YAML

from flows.settings import Settings
from flows.validation import project_names
from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe").load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", TEXT))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"migrate", "lake", "deploy", "backup", "s3-folder"}
SECRET = re.compile(r"password|secret|token|key", re.IGNORECASE)
each = pytest.mark.parametrize("name", sorted(SERVICES))


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_it_is_a_compose_file() -> None:
    parsed = compose_spec.PyCompose.from_json(json.dumps({k: v for k, v in plain(COMPOSE).items() if not k.startswith("x-")}))
    parsed.validate()
    assert set(parsed.service_names()) == set(SERVICES)


def test_no_variable_is_needed_to_read_it() -> None:
    assert re.findall(r"(?<!\$)\$\{\w+\}", TEXT) == [], "each has a default"


@each
def test_every_service_is_bounded_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    health = service["healthcheck"]
    if name in ONE_SHOT:
        assert health == {"disable": True} and service["restart"] in ("no", "on-failure")
    else:
        assert health["test"][0] in ("CMD", "CMD-SHELL") and {"interval", "timeout", "retries"} <= set(health)
        assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@each
def test_every_service_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"] and service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "devices", "userns_mode"} & set(service)
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    if name == "s3-folder":
        assert (service["user"], service["cap_add"], service["network_mode"]) == ("0:0", ["CHOWN"], "none")
    else:
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]) and "cap_add" not in service
        assert service["networks"], "no service is in the default network"


def test_where_programs_of_our_image_write_is_writable() -> None:
    """The root is read-only, the home folder with it: without another place for its cache, npm fails."""
    dockerfile = (REPOSITORY / "infra" / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ENV .*\bnpm_config_cache=/tmp/", dockerfile, re.MULTILINE)
    for name, service in SERVICES.items():
        if service["image"].startswith("socle:"):
            assert any(mount.startswith("/tmp:") for mount in service["tmpfs"]), name


@each
def test_every_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)?(@sha256:[0-9a-f]{64})?", SERVICES[name]["image"])


@each
def test_no_secret_is_in_the_environment_or_in_a_command(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            assert variable.endswith("_FILE") and str(value).startswith("/run/secrets/"), variable
    for word in [*SERVICES[name].get("command", []), *SERVICES[name].get("environment", {}).values()]:
        assert not re.search(r"://[^/\s:]+:[^/\s@]+@", str(word)), "an address with a password"


def used_secrets(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for secret in service.get("secrets", []):
        yield (secret["source"], secret["target"]) if isinstance(secret, dict) else (secret, secret)


@each
def test_every_secret_that_is_named_is_given(name: str) -> None:
    given = dict(used_secrets(SERVICES[name]))
    assert set(given) <= set(COMPOSE["secrets"])
    texts = json.dumps(plain(SERVICES[name])) + (mounted(SERVICES[name]) if name in ("proxy", "oauth2-proxy") else "")
    named = set(re.findall(r"/run/secrets/([\w.-]+\w)", texts)) - {"oidc_emails"}
    assert named <= set(given.values()), "the proxy's files name some as well"


def mounted(service: dict[str, Any]) -> str:
    paths = [REPOSITORY / str(v).partition(":")[0] for v in service["volumes"]]
    return "\n".join(f.read_text() for p in paths for f in ([p] if p.is_file() else sorted(p.rglob("*.conf"))))


@each
def test_every_file_that_is_mounted_is_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = str(volume).partition(":")
        if source.startswith("./"):
            if name != "backup":
                assert (REPOSITORY / source).exists(), source
                assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", ()))


def test_networks_separate() -> None:
    assert all(COMPOSE["networks"][name] == {"internal": True} for name in ("api", "data", "lake", "watch"))
    of = {net: {name for name in SERVICES if net in networks(name)} for net in COMPOSE["networks"]}
    assert of["data"] == {"postgres", "redis", "migrate", "prefect-1", "prefect-2", "prefect-services", "backup", "metrics"}
    assert "proxy" not in of["lake"] | of["data"]
    assert not of["outside"] & of["data"]
    assert {name for name in SERVICES if "ports" in SERVICES[name]} == {"proxy"}


def test_only_people_s_door_is_open_to_all() -> None:
    assert SERVICES["proxy"]["ports"] == ["80:8080", "443:8443", "127.0.0.1:9443:9443"]


def test_there_is_a_worker_for_every_project_with_its_own_keys() -> None:
    projects = project_names(REPOSITORY)
    assert {f"worker-{p}" for p in projects} == {name for name in SERVICES if name.startswith("worker-")}
    for project in projects:
        service = SERVICES[f"worker-{project}"]
        assert service["command"][:3] == ["socle", "worker", project]
        keys = {f"s3_{project}_{kind}": f"s3_{kind}" for kind in ("access_key", "secret_key")}
        assert dict(used_secrets(service)) == keys
        assert f"work-{project}:/srv/socle/.socle" in service["volumes"]


def test_every_setting_of_socle_is_one() -> None:
    settings = {f"SOCLE_{name.upper()}" for name in Settings.model_fields}
    for name, service in SERVICES.items():
        assert {v for v in service.get("environment", {}) if v.startswith("SOCLE_")} <= settings, name


def test_every_setting_of_prefect_is_one() -> None:
    from prefect.settings import Settings as PrefectSettings
    from prefect.settings.legacy import _get_valid_setting_names

    valid = {*_get_valid_setting_names(PrefectSettings), "PREFECT_REDIS_MESSAGING_URL"}
    for name, service in SERVICES.items():
        named = {v for v in service.get("environment", {}) if v.startswith("PREFECT_")}
        named |= {str(w).partition("=")[0] for w in service.get("command", []) if str(w).startswith("PREFECT_")}
        assert named <= valid, name


def test_the_server_operates_as_that_of_socle_up() -> None:
    from flows.cli.prefect_server import server_environment

    apart = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"}  # the public host, and Redis
    wanted = {name: value for name, value in server_environment(Settings(), 4200).items() if name not in apart}
    for name in ("prefect-1", "prefect-2", "prefect-services"):
        assert wanted.items() <= SERVICES[name]["environment"].items()
        assert apart <= set(SERVICES[name]["environment"])


def secrets(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = REPOSITORY / "infra" / "secrets.sh"
    return subprocess.run(
        [str(script), *arguments], env=os.environ | {"SOCLE_SECRETS": str(folder)}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_script_makes_every_secret_once_and_shows_none(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    done = secrets(folder)
    assert done.returncode == 0, done.stderr
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert {Path(s["file"]).name for s in COMPOSE["secrets"].values()} <= set(made)
    assert all(Path(s["file"]).parent == Path("infra/secrets") for s in COMPOSE["secrets"].values())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    hidden = {text.strip() for name, text in made.items() if "password" in name or "key" in name}
    assert not any(text and text in done.stdout + done.stderr for text in hidden)
    assert len(hidden) == len([n for n in made if "password" in n or "key" in n]), "no two are the same"
    assert made["postgres_password"].strip() in made["database_url"] and made["redis_password"].strip() in made["redis_url"]
    secrets(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made, "nothing is changed"


def test_keys_of_a_project_open_its_own_bucket(tmp_path: Path) -> None:
    secrets(tmp_path)
    users = {one["name"]: one["actions"] for one in json.loads((tmp_path / "s3_identities").read_text())["identities"]}
    assert set(users) == {"admin", "reader", *project_names(REPOSITORY)}
    assert users["exemple"] == ["Read:socle-exemple", "Write:socle-exemple", "List:socle-exemple", "Read:socle-commun", "List:socle-commun"]
    assert users["reader"] == ["Read", "List"]


def test_logins_are_hashes_and_printed_once(tmp_path: Path) -> None:
    done = secrets(tmp_path, "person", "camille@example.gouv.fr")
    name, password = done.stdout.split()
    (line,) = (tmp_path / "people.htpasswd").read_text().splitlines()
    assert line.startswith(f"{name}:$6$") and password not in line
    assert secrets(tmp_path, "person", name).returncode == 2, "not twice"
    assert secrets(tmp_path, "person", "a:b").returncode == 2
    assert secrets(tmp_path, "machine", "worker-2").returncode == 0
    assert len((tmp_path / "people.htpasswd").read_text().splitlines()) == 1
    assert secrets(tmp_path, "nothing").returncode == 2


def test_the_wrapper_reads_secrets_and_says_which_is_missing(tmp_path: Path) -> None:
    wrapper = str(REPOSITORY / "infra" / "with-secrets.sh")
    (tmp_path / "url").write_text("postgresql://x:été@y/z?a=b c\n", encoding="utf-8")
    done = subprocess.run(
        [wrapper, f"DATABASE={tmp_path}/url", "--", "printenv", "DATABASE"], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "postgresql://x:été@y/z?a=b c\n"
    missing = subprocess.run([wrapper, f"DATABASE={tmp_path}/none", "--", "true"], capture_output=True, text=True, timeout=30, check=False)
    assert missing.returncode == 2 and f"{tmp_path}/none" in missing.stderr
