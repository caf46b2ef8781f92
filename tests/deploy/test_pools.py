"""Job templates, rendered by Prefect's own workers and checked against Docker's and Kubernetes' own definitions."""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from flows.cli.worker import On, _for_containers
from flows.deploy.pools import OF_RUNS, PASSED, POOLS, SECRETS, job_variables, template
from flows.errors import ConfigurationError
from flows.project import Execution
from flows.settings import Settings

IMAGE = "registry.example.gouv.fr/socle@sha256:" + "0" * 64
HTTP = {"http_allowed": ".intra.example", "http_proxy": "http://PX-MARKED:secret@proxy:3128", "http_ca_file": "/etc/ssl/ministere.pem"}
NOT_OF_RUNS = re.compile(
    r"root|s3_(access_key|secret_key|keys_folder|\w*principal)|http_(proxy|ca_file|per_minute)|npm_per_minute|credentials_folder|image|docker_\w+"
    r"|secrets_folder|kubernetes_\w+|projects|worker_runs|gpus|postgres_folder|(notify|metrics|ui|runbook)_\w+|docs_(host|port)|\w+_min"
    r"|(runs|events)_kept_days|mlflow_(uri|token)|\w+_file"
)
S3 = {"storage": "s3://socle", "s3_endpoint": "https://s3.example.gouv.fr", "s3_access_key": "AK-MARKED", "s3_secret_key": "SK-MARKED"}
BIG = Execution(on="kubernetes", cpus=4, memory_gb=16, gpus=1)


@pytest.fixture
def worker_environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    given = _for_containers(Settings(**S3, **HTTP, sql_max_gb=7, docs_url="https://socle.example.gouv.fr/docs"), On.kubernetes)  # type: ignore[arg-type]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def rendered(kind: Any, on: str, variables: dict[str, Any]) -> Any:
    """The job of one run, as a worker makes it from the pool's template and the deployment's variables."""
    from prefect.client.schemas.objects import Flow, FlowRun

    base = template(on, [IMAGE])
    jsonschema.validate(variables, base["variables"])
    flow = Flow(name="pipeline")
    run = FlowRun(id=uuid.uuid4(), name="essai", flow_id=flow.id)
    configuration = asyncio.run(kind.from_template_and_values(base, variables, client=SimpleNamespace()))  # nothing to ask a server
    configuration.prepare_for_flow_run(run, None, flow, None, "worker")
    return configuration


def kubernetes_job(variables: dict[str, Any]) -> dict[str, Any]:
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    return dict(rendered(KubernetesWorkerJobConfiguration, "kubernetes", variables).job_manifest)


def docker_arguments(variables: dict[str, Any]) -> dict[str, Any]:
    """What the Docker client would send to the engine to make the container."""
    from docker.models.containers import _create_container_args
    from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration

    configuration = rendered(DockerWorkerJobConfiguration, "docker", variables)
    unnamed, engine = SimpleNamespace(), SimpleNamespace(version=lambda: {"Version": "27.0.0"})
    settings = DockerWorker._build_container_settings(unnamed, engine, configuration)  # type: ignore[arg-type]
    settings |= {"version": "1.47", "environment": configuration.env}
    return dict(_create_container_args(settings))


@pytest.mark.parametrize("version", ["1.31", "1.34"])
def test_a_kubernetes_job_is_valid_and_has_what_the_project_says(worker_environment: dict[str, str], version: str) -> None:
    job = kubernetes_job(job_variables(BIG, IMAGE, trains=True))
    pod = job["spec"]["template"]["spec"]
    assert (pod.pop("parallelism"), pod.pop("completions")) == (1, 1)  # what only prefect-kubernetes wants there
    kubernetes_validate.validate(job, version, strict=True)
    assert job["metadata"]["namespace"] == "socle"
    container = pod["containers"][0]
    assert container["image"] == IMAGE
    assert container["resources"]["limits"] == {"cpu": "4000m", "memory": "16384Mi", "nvidia.com/gpu": 1}
    assert pod["volumes"][0]["secret"]["secretName"] == "socle-s3"
    assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
    environment = {e["name"]: e.get("value") for e in container["env"]}
    assert environment["SOCLE_STORAGE"] == "s3://socle"
    assert environment["SOCLE_S3_SECRET_KEY_FILE"] == f"{SECRETS}/s3_secret_key"


def test_a_flow_that_does_not_train_gets_no_gpu(worker_environment: dict[str, str]) -> None:
    job = kubernetes_job(job_variables(BIG, IMAGE, trains=False))
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 0
    container = docker_arguments(job_variables(Execution(on="docker", gpus=2), IMAGE, trains=False))
    assert container["host_config"].get("DeviceRequests", []) == []


def test_a_docker_container_has_what_the_project_says(worker_environment: dict[str, str]) -> None:
    arguments = docker_arguments(job_variables(Execution(on="docker", cpus=1.5, memory_gb=2, gpus=2), IMAGE, trains=True))
    host = arguments["host_config"]
    assert arguments["image"] == IMAGE and arguments["user"] == "10001"
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (1_500_000_000, 2 << 30, 2 << 30)
    assert host["DeviceRequests"][0] | {"Options": {}} == {
        "Driver": "nvidia",
        "Count": 2,
        "DeviceIDs": [],
        "Capabilities": [["gpu"]],
        "Options": {},
    }
    assert host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges"] and not host.get("Privileged")
    assert host["Binds"] == [f"/run/secrets/socle:{SECRETS}:ro"]
    assert arguments["environment"]["SOCLE_STORAGE"] == "s3://socle"


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_a_run_has_the_settings_of_its_worker_and_secrets_as_files(worker_environment: dict[str, str], on: str, monkeypatch: Any) -> None:
    """What a run makes of its environment is what the worker has; where its credentials are is told, and not what they say."""
    found = environment_of(on)
    assert found["SOCLE_HTTP_PROXY_FILE"] == f"{SECRETS}/http_proxy" and found["SOCLE_HTTP_CA_FILE"] == f"{SECRETS}/http_ca.pem"
    for name, value in found.items():
        if name.startswith("SOCLE_") and not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("SOCLE_HTTP_PROXY_FILE")  # the file is in the container
    inside = Settings(s3_access_key="of-the-file", s3_secret_key="of-the-file")  # type: ignore[arg-type]
    assert (inside.http_allowed, inside.sql_max_gb, inside.credentials_folder) == (".intra.example", 7, Path(SECRETS))


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_a_worker_of_the_chart_need_not_know_every_setting(on: str, monkeypatch: Any) -> None:
    for name, value in S3.items():
        monkeypatch.setenv(f"SOCLE_{name.upper()}", value)
    monkeypatch.setenv("SOCLE_SECRETS_FOLDER", "/run/secrets/socle")
    for name, value in environment_of(on).items():
        if name.startswith("SOCLE_") and not name.endswith("_KEY_FILE"):
            monkeypatch.setenv(name, value)
    assert Settings().sql_max_gb == Settings.model_fields["sql_max_gb"].default


@pytest.mark.parametrize("name", Settings.model_fields)
def test_of_every_setting_it_is_decided_whether_runs_get_it(name: str) -> None:
    assert bool(OF_RUNS.fullmatch(name)) != bool(NOT_OF_RUNS.fullmatch(name))
    assert "Secret" not in str(Settings.model_fields[name].annotation) or f"SOCLE_{name.upper()}" not in PASSED


def environment_of(on: str) -> dict[str, str]:
    made = job_variables(Execution(on=on), IMAGE, trains=False)  # type: ignore[arg-type]
    if on == "docker":
        return dict(docker_arguments(made)["environment"])
    container = kubernetes_job(made)["spec"]["template"]["spec"]["containers"][0]
    return {e["name"]: str(e.get("value") or "") for e in container["env"]}


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_no_key_is_in_a_job(worker_environment: dict[str, str], on: str) -> None:
    make = kubernetes_job if on == "kubernetes" else docker_arguments
    text = str(make(job_variables(Execution(on=on), IMAGE, trains=True))) + str(worker_environment)  # type: ignore[arg-type]
    assert "MARKED" not in text


@pytest.mark.parametrize(
    ("on", "name", "value"),
    [
        ("process", "command", "sh -c id"),
        ("process", "env", {"LD_PRELOAD": "/tmp/x.so"}),
        ("docker", "image", "somebody/else"),
        ("docker", "volumes", ["/:/host"]),
        ("docker", "nano_cpus", 10**12),
        ("docker", "device_requests", [{"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}]),
        ("docker", "image", "{{ $SOCLE_S3_SECRET_KEY }}"),
        ("kubernetes", "image", "{{ prefect.blocks.secret.x }}"),
        ("kubernetes", "gpus", 64),
        ("kubernetes", "$SOCLE_KUBERNETES_NAMESPACE", "another-ministry"),
        ("docker", "$SOCLE_SECRETS_FOLDER", "/"),
        ("kubernetes", "namespace", "another-ministry"),
        ("kubernetes", "memory_mib", "1Gi', hostNetwork: true"),
    ],
)
def test_whoever_starts_a_run_cannot_change_how_it_executes(on: str, name: str, value: Any) -> None:
    schema = template(on, [IMAGE])["variables"]
    good = job_variables(Execution(on=on), IMAGE, trains=True)  # type: ignore[arg-type]
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | {name: value}, schema)


def test_a_pool_for_each_way_to_execute() -> None:
    assert set(POOLS) == {on.value for on in On}
    assert all(template(on, [IMAGE])["variables"]["additionalProperties"] is False for on in POOLS)


def test_a_container_worker_needs_storage_that_containers_reach() -> None:
    with pytest.raises(ConfigurationError, match="containers do not see"):
        _for_containers(Settings(), On.docker)
