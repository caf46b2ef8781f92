"""Work pools: where runs execute. Everything that decides how is in the pool's template, and nothing is left to the run form.

Whoever may start a run may also send `job_variables` with it. A template that declares none makes the server refuse them; the
templates of containers declare only what project.yaml says (`execution`), bounded, and images only by name. What a worker knows
(namespace, where the secrets are) it fills in itself from its environment: `{{ $NAME }}`.
"""

from __future__ import annotations

import math
import re
from typing import Any

from flows.project import Execution
from flows.settings import Settings

POOLS = {"process": "socle", "docker": "socle-docker", "kubernetes": "socle-kubernetes"}
"""`execution: on` -> name of the pool, which is also a worker type of Prefect. All deployments in them are Socle's."""
LAUNCH = "socle-launch"  # the console script that starts a run: flows/worker/launch.py
SECRETS = "/run/secrets/socle"  # in a container
USER = 10001  # of the image (infra/Dockerfile)
MAX_GPUS = 8
OF_RUNS = re.compile(
    r"storage|s3_(endpoint|region|connect_timeout_s|read_timeout_s|retries|patience_s)|audit_\w+|docs_url"
    r"|(s3_source|sql|dlt|rest|unpack|workbook|csv|privacy)_\w+|http_(?!proxy|ca_file|per_minute)\w+|datagouv_url|npm_timeout_s"
    r"|max_record_mb|batch_rows|retyped_percent|reference_\w+|trend_\w+|check_\w+"
    r"|licences_allowed|checkpoint_minutes|training_\w+|mlflow_timeout_s"
)
"""Settings that decide how a run goes: a container gets them as its worker has them. None of them is a secret."""
PASSED = [f"SOCLE_{name.upper()}" for name in Settings.model_fields if OF_RUNS.fullmatch(name)]
FILES = {
    "SOCLE_HTTP_PROXY_FILE": f"{SECRETS}/http_proxy",
    "SOCLE_HTTP_CA_FILE": f"{SECRETS}/http_ca.pem",
    "SOCLE_MLFLOW_URI_FILE": f"{SECRETS}/mlflow_uri",
    "SOCLE_MLFLOW_TOKEN_FILE": f"{SECRETS}/mlflow_token",
    "SOCLE_MLFLOW_CA_FILE": f"{SECRETS}/mlflow_ca.pem",
}
"""Where a container finds what its worker has, if it has it (flows/cli/worker.py)."""
ENVIRONMENT = {name: f"{{{{ ${name} }}}}" for name in [*PASSED, *FILES]} | {
    "SOCLE_S3_ACCESS_KEY_FILE": f"{SECRETS}/s3_access_key",
    "SOCLE_S3_SECRET_KEY_FILE": f"{SECRETS}/s3_secret_key",
    "SOCLE_CREDENTIALS_FOLDER": SECRETS,  # there as `<project>.<name>` or `<project>/<name>`
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds, as in flows/cli/worker.py
}
"""Of a run in a container. Keys come as files, never as values: those would be in the job's description for all to read."""
FROM_WORKER = {"type": "null", "description": "Filled in by the worker from its environment."}


def template(on: str, images: list[str]) -> dict[str, Any]:
    """Base job template (https://docs.prefect.io/v3/concepts/work-pools) of a pool; `images` that its containers may be made from."""
    return {"process": _process, "docker": _docker, "kubernetes": _kubernetes}[on](images)


def job_variables(execution: Execution, image: str, trains: bool) -> dict[str, Any]:
    """What a deployment fills into its pool's template."""
    gpus = execution.gpus if trains else 0
    memory = {"image": image, "memory_mib": math.ceil(execution.memory_gb * 1024)}
    if execution.on == "docker":
        return memory | {"nano_cpus": int(execution.cpus * 1e9), "device_requests": _devices(gpus)}
    if execution.on == "kubernetes":
        return memory | {"cpu_milli": int(execution.cpus * 1000), "gpus": gpus}
    return {}


def _process(images: list[str]) -> dict[str, Any]:
    return {
        "job_configuration": {"command": LAUNCH, "env": {}, "labels": {}, "stream_output": True},
        "variables": {"type": "object", "properties": {}, "additionalProperties": False},
    }


def _declared(configuration: dict[str, Any], images: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    """A template with the variables of its configuration. The server wants `$NAME` declared as well: no value is accepted for it."""
    given = {
        "image": {"type": "string", "enum": images},
        "memory_mib": {"type": "integer", "minimum": 256, "maximum": 1 << 20},
    } | properties
    filled = dict.fromkeys(sorted(set(re.findall(r"{{ (\$\w+) }}", str(configuration)))), FROM_WORKER)
    variables = {"type": "object", "properties": given | filled, "required": list(given), "additionalProperties": False}
    return {"job_configuration": configuration, "variables": variables}


def _devices(gpus: int) -> list[dict[str, Any]]:
    return [{"driver": "nvidia", "count": gpus, "capabilities": [["gpu"]]}] if gpus else []


def _docker(images: list[str]) -> dict[str, Any]:
    configuration = {
        "image": "{{ image }}",
        "image_pull_policy": "IfNotPresent",
        "env": ENVIRONMENT,
        "labels": {},
        "auto_remove": True,
        "stream_output": True,
        "networks": ["{{ $SOCLE_DOCKER_NETWORK }}"],
        "volumes": [f"{{{{ $SOCLE_SECRETS_FOLDER }}}}:{SECRETS}:ro"],
        "mem_limit": "{{ memory_mib }}m",
        "memswap_limit": "{{ memory_mib }}m",  # no swap: a run that needs more is ended at once, not after an hour
        "privileged": False,
        "container_create_kwargs": {
            "nano_cpus": "{{ nano_cpus }}",
            "device_requests": "{{ device_requests }}",
            "user": str(USER),
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": 4096,
            "shm_size": "1g",  # what PyTorch's data loaders share
            "init": True,
        },
    }
    return _declared(
        configuration,
        images,
        nano_cpus={"type": "integer", "minimum": 100_000_000, "maximum": 64_000_000_000},
        device_requests={"enum": [_devices(count) for count in range(MAX_GPUS + 1)]},
    )


def _kubernetes(images: list[str]) -> dict[str, Any]:
    limits = {"cpu": "{{ cpu_milli }}m", "memory": "{{ memory_mib }}Mi", "nvidia.com/gpu": "{{ gpus }}"}
    container = {
        "name": "prefect-job",  # prefect-kubernetes looks for it
        "image": "{{ image }}",
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": value} for name, value in ENVIRONMENT.items()],
        "resources": {"requests": limits, "limits": limits},
        "securityContext": {"allowPrivilegeEscalation": False, "privileged": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
            {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 - what PyTorch's data loaders share
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "parallelism": 1,  # these two belong to the job, where Kubernetes takes 1 for granted; prefect-kubernetes 0.8.0 insists on
        "completions": 1,  # finding them here, where Kubernetes passes over them
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "secrets", "secret": {"secretName": "{{ $SOCLE_KUBERNETES_SECRET }}", "defaultMode": 0o440}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        ],
    }
    labels = {"app.kubernetes.io/part-of": "socle"}
    configuration = {
        "env": {},
        "labels": {},
        "namespace": "{{ $SOCLE_KUBERNETES_NAMESPACE }}",
        "stream_output": True,
        "pod_watch_timeout_seconds": 120,
        "job_manifest": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"namespace": "{{ $SOCLE_KUBERNETES_NAMESPACE }}", "labels": labels},
            "spec": {
                "backoffLimit": 0,  # another try is a run of its own, that somebody sees
                "ttlSecondsAfterFinished": 3600,
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    }
    return _declared(
        configuration,
        images,
        cpu_milli={"type": "integer", "minimum": 100, "maximum": 64_000},
        gpus={"type": "integer", "minimum": 0, "maximum": MAX_GPUS},
    )
