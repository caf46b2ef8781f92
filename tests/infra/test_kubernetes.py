"""infra/kubernetes: our manifests against Kubernetes' own definitions and its `restricted` rules; values of the charts for what we rely on.
No cluster runs here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tests.conftest import REPOSITORY
from tests.infra.test_compose import SERVICES

FOLDER = REPOSITORY / "infra" / "kubernetes"
PART = "socle.gouv.fr/part"
RUNS = {"app.kubernetes.io/part-of": "socle"}  # flows/deploy/pools.py
OF_CHARTS = {"prefect-api", "prefect-services", "worker"}


def manifests() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        if not path.name.endswith("-values.yaml"):
            documents = YAML(typ="safe").load_all(path.read_text(encoding="utf-8"))
            found += [(f"{path.stem}-{d['kind']}-{d['metadata']['name']}", d) for d in documents]
    return found


MANIFESTS = manifests()
every = pytest.mark.parametrize("manifest", [pytest.param(m, id=name) for name, m in MANIFESTS])


def values(name: str) -> dict[str, Any]:
    return dict(YAML(typ="safe").load((FOLDER / f"{name}-values.yaml").read_text(encoding="utf-8")))


def pod_of(manifest: dict[str, Any]) -> dict[str, Any] | None:
    spec = manifest.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec.get("template") if manifest["kind"] in ("Deployment", "Job", "CronJob") else None


def pods() -> Iterator[Any]:
    for name, manifest in MANIFESTS:
        if pod := pod_of(manifest):
            yield pytest.param(pod, id=name)


every_pod = pytest.mark.parametrize("pod", list(pods()))


@every
@pytest.mark.parametrize("version", ["1.30", "1.33"])
def test_it_is_what_kubernetes_takes(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)
    assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "socle"


@every_pod
def test_pods_are_restricted_and_bounded(pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} == set(container["resources"]["limits"])
        assert re.search(r":v?\d+\.\d+\.\d+(-[a-z0-9]+)?$", container["image"])
        if "restartPolicy" not in spec:
            assert {"readinessProbe", "livenessProbe"} <= set(container)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert not any("hostPath" in volume for volume in spec["volumes"])


@every_pod
def test_secrets_are_files_and_all_are_made(pod: dict[str, Any]) -> None:
    made = set(re.findall(r"^secret (\S+)", (FOLDER / "install.sh").read_text(), re.MULTILINE)) | {"socle-s3-admin", "socle-s3-reader"}
    for volume in pod["spec"]["volumes"]:
        if "secret" in volume:
            assert volume["secret"]["secretName"] in made and volume["secret"]["defaultMode"] == 0o440
    mounts = [m["name"] for c in pod["spec"]["containers"] for m in c["volumeMounts"]]
    assert set(mounts) == {v["name"] for v in pod["spec"]["volumes"]}
    for variable in [e for c in pod["spec"]["containers"] for e in c.get("env", [])]:
        assert "valueFrom" not in variable
        if variable["name"] != "SOCLE_DOCS_HOST":  # a name, no secret
            assert variable["value"].startswith("/run/secrets/") and variable["name"].endswith("_FILE")


def test_every_policy_selects_something_and_every_pod_has_one() -> None:
    parts = {pod.values[0]["metadata"]["labels"][PART] for pod in pods()} | OF_CHARTS
    policies = {m["metadata"]["name"]: m["spec"] for _, m in MANIFESTS if m["kind"] == "NetworkPolicy"}
    assert policies["closed"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    selected: set[str] = set()
    for name, spec in policies.items():
        labels = spec["podSelector"].get("matchLabels", {})
        if labels and labels != RUNS:
            assert labels[PART] == name
            selected.add(labels[PART])
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            for peer in [*rule.get("from", []), *rule.get("to", [])]:
                wanted = peer.get("podSelector", {}).get("matchLabels", RUNS)
                assert wanted == RUNS or wanted[PART] in parts, wanted
    assert selected == parts
    reached = {r["to"][0]["podSelector"]["matchLabels"][PART] for s in policies.values() for r in s.get("egress", []) if "to" in r}
    assert {"redis", "prefect-api", "docs", "notify"} == reached
    assert not any("redis" in str(s) for n, s in policies.items() if n not in ("redis", "prefect-api", "prefect-services"))


def test_ports_of_services_are_those_of_their_pods() -> None:
    deployments = {m["metadata"]["name"]: pod_of(m) for _, m in MANIFESTS if m["kind"] == "Deployment"}
    for _, manifest in MANIFESTS:
        if manifest["kind"] == "Service":
            pod = deployments[manifest["metadata"]["name"]]
            assert pod is not None and pod["metadata"]["labels"] == manifest["spec"]["selector"]
            names = {port["name"] for c in pod["spec"]["containers"] for port in c["ports"]}
            assert {port["targetPort"] for port in manifest["spec"]["ports"]} <= names


def test_the_server_chart_runs_two_apis_and_services_apart_with_nothing_bundled() -> None:
    server = values("server")
    assert server["server"]["replicaCount"] == 2 and server["backgroundServices"]["runAsSeparateDeployment"] is True
    assert not any(server[name]["enabled"] for name in ("postgresql", "redis", "sqlite", "ingress"))
    assert server["secret"] == {"create": False, "name": "socle-database"}
    for part in (server["server"], server["backgroundServices"]):
        assert part["containerSecurityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert part["containerSecurityContext"]["readOnlyRootFilesystem"] is True
        assert part["extraEnvVarsSecret"] == "socle-redis" and part["resources"]["limits"]
    compose = SERVICES["prefect-1"]["environment"]
    given = {e["name"]: e["value"] for e in server["global"]["prefect"]["env"]}
    shared = set(given) & set(compose) - {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS"}
    assert {name: given[name] for name in shared} == {name: compose[name] for name in shared} and len(shared) >= 5
    assert "password" not in str(server).lower()


def test_the_worker_chart_serves_our_pool() -> None:
    from flows.cli.worker import On, _for_containers
    from flows.deploy.pools import POOLS
    from flows.settings import Settings

    worker = values("worker")["worker"]
    assert (worker["config"]["workPool"], worker["config"]["type"]) == (POOLS["kubernetes"], "kubernetes")
    s3 = {"storage": "s3://socle", "s3_endpoint": "https://s3", "s3_access_key": "a", "s3_secret_key": "b"}
    given = _for_containers(Settings(**s3), On.kubernetes)  # type: ignore[arg-type]
    (shared,) = (m["data"] for name, m in MANIFESTS if name == "services-ConfigMap-socle")
    script = set(re.findall(r"(SOCLE_KUBERNETES_\w+)=", (FOLDER / "install.sh").read_text()))
    needed = {
        "SOCLE_STORAGE",
        "SOCLE_S3_ENDPOINT",
        "SOCLE_S3_REGION",
        "SOCLE_DOCS_URL",
        "SOCLE_KUBERNETES_NAMESPACE",
        "SOCLE_KUBERNETES_SECRET",
    }
    assert needed <= set(given) and needed <= set(shared) | script


def test_the_script_is_one() -> None:
    subprocess.run(["bash", "-n", str(FOLDER / "install.sh")], check=True, timeout=30)
    text = (FOLDER / "install.sh").read_text()
    named = set(re.findall(r"\$here/((?:\.\./)*[\w./-]+)", text))
    assert {name for name in named if not (FOLDER / name).exists()} <= {"../secrets"}
    assert {path.name for path in FOLDER.glob("*.yaml")} <= {name for name in named if name.endswith(".yaml")}


def test_its_nginx_site_has_the_same_files() -> None:
    names = {path.name for path in (REPOSITORY / "infra" / "nginx" / "site-kubernetes").iterdir()}
    assert names == {path.name for path in (REPOSITORY / "infra" / "nginx" / "site-debian").iterdir()}
