"""Environment variables -> typed settings. Every limit has its unit in its name.

What FROM_FILE names is also read from the file that the same name with `_FILE` gives. An empty variable is as none. What describes
one project does not belong here: see project.py.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from flows.errors import ConfigurationError

FROM_FILE = (
    "s3_endpoint",
    "s3_access_key",
    "s3_secret_key",
    "s3_region",
    "http_proxy",
    "mlflow_uri",
    "mlflow_token",
    "metrics_database_url",
)


class Settings(BaseSettings):
    """What the environment says. Build it with `load_settings()`, which turns mistakes into one clear error."""

    model_config = SettingsConfigDict(env_prefix="SOCLE_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    root: Path = Path(__file__).resolve().parent.parent
    """Folder that holds `projects/` and `expectations/`."""
    storage: str = ""
    """`s3://<prefix>`, `file:///<folder>`, or empty for `.socle/lake` under `root`."""

    s3_endpoint: str = ""
    """`http(s)://host:port` of the S3 service."""
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    s3_region: str = "us-east-1"
    s3_endpoint_file: Path | None = None
    s3_access_key_file: Path | None = None
    s3_secret_key_file: Path | None = None
    s3_region_file: Path | None = None
    s3_connect_timeout_s: float = Field(5.0, gt=0)
    s3_read_timeout_s: float = Field(60.0, gt=0)
    s3_retries: int = Field(4, ge=0)
    """Attempts after the first while the service has never answered, with exponential back-off from 0.2 s."""
    s3_patience_s: float = Field(120.0, ge=0)
    """How long a request is tried again once the service has answered; 0: `s3_retries` attempts then, too."""
    s3_keys_folder: Path | None = None
    """Holds `<project>/access_key` and `<project>/secret_key`: what runs of that project use in place of the keys above."""
    s3_principal: str = ""
    """Who a project's keys belong to, in the words of storage policies, with `{project}`; empty: no policies, one key for all."""
    s3_admin_principal: str = ""
    """Whose keys `socle doctor --create` has: may do everything in every bucket."""
    s3_reader_principal: str = ""
    """Whose keys the docs server, metrics and backups have: reads every bucket."""

    audit_patience_s: float = Field(60.0, ge=0)
    """How long a run that has done its work waits for the storage to take the record of its end."""

    s3_source_objects: int = Field(100_000, ge=1)
    """Objects that the glob of an S3 source may match."""
    s3_source_max_gb: float = Field(100.0, gt=0)
    """Largest object that an S3 source takes."""
    sql_connect_timeout_s: float = Field(10.0, ge=2)
    sql_statement_timeout_s: float = Field(3600.0, gt=0)
    """Of a source that is a database: longest time for one statement, reading all its rows included."""
    sql_boundary_rows: int = Field(10_000, ge=1)
    """Rows at the end of what was read that an incremental source remembers, to tell them from those that come later."""
    sql_max_gb: float = Field(50.0, gt=0)
    """Largest file that is made of the rows of a database."""
    dlt_timeout_s: float = Field(14_400.0, gt=0)
    """Longest time for one dlt resource."""
    dlt_max_gb: float = Field(50.0, gt=0)
    """Largest file that is made of what a dlt resource gives."""

    credentials_folder: Path | None = None
    """Holds `<project>/<name>` or `<project>.<name>`: what `credentials: <name>` of a source means (flows/sources/credentials.py)."""

    http_allowed: str = ""
    """Hosts (`host`, `host:port`, `.domain`) and networks, separated by commas, that HTTP sources may reach besides public ones."""
    http_proxy: SecretStr = SecretStr("")
    """`http://[user:password@]host:port` that HTTP sources go through, those of `http_allowed` apart. HTTP_PROXY is not read."""
    http_proxy_file: Path | None = None
    http_ca_file: Path | None = None
    """PEM file of authorities that HTTP sources trust besides the usual ones."""
    http_connect_timeout_s: float = Field(10.0, gt=0)
    http_read_timeout_s: float = Field(60.0, gt=0)
    http_total_timeout_s: float = Field(14_400.0, gt=0)
    """For one file, with every try and pause."""
    http_retries: int = Field(4, ge=0, le=100)
    """Attempts after the first, with exponential back-off; one that brought at least a megabyte of a file does not count."""
    http_backoff_s: float = Field(0.5, gt=0)
    """The first pause."""
    http_retry_after_s: float = Field(300.0, ge=0)
    """Longest pause that a server may ask for; beyond it, the run fails."""
    http_max_redirects: int = Field(8, ge=0, le=50)
    http_max_gb: float = Field(20.0, gt=0)
    """Largest file that HTTP sources take, as sent and as decoded."""
    http_page_mb: int = Field(32, gt=0)
    """Largest page of an API."""
    rest_max_pages: int = Field(10_000, gt=0)
    rest_max_rows: int = Field(10_000_000, gt=0)
    """Most pages and rows of one load of a paginated API: beyond them the load is refused, never cut."""
    datagouv_url: str = "https://www.data.gouv.fr"
    """Where the API of data.gouv.fr is."""

    npm_timeout_s: float = Field(300.0, gt=0)
    """Longest time for one call of the npm client."""
    reference_shrink_percent: float = Field(2.0, ge=0, le=100)
    """How much a reference list may lose of its rows when it is brought up to date (`socle reference-lists --refresh`)."""
    max_record_mb: int = Field(512, gt=0)
    """Largest source file that may be read as one single JSON document (no `records` path)."""
    unpack_max_gb: float = Field(50.0, gt=0)
    """What one received archive or workbook may unpack to."""
    unpack_max_ratio: float = Field(1000.0, gt=1)
    """How many times its own size that may be."""
    unpack_max_files: int = Field(100_000, gt=0)
    """Files in one archive, those in archives inside it counted."""
    workbook_timeout_s: float = Field(1800.0, gt=0)
    """Longest time for one look through a workbook, from its opening to its last row: few bytes can say that there are many cells."""
    csv_max_record_mb: float = Field(64.0, gt=0)
    """Longest record of a CSV file; a longer one is refused, and so is a quote that is not closed within as much."""
    batch_rows: int = Field(20_000, gt=0)
    """Rows in one batch between parsing and the spilled Parquet file."""
    retyped_percent: float = Field(50.0, gt=0, le=100)
    """Of a file's values that do not fit a column's type, from which the column counts as drifted."""

    trend_versions: int = Field(50, ge=2, le=1000)
    """Versions of a dataset that the trend of each check goes back."""

    check_memory_mb: int = Field(256, ge=16)
    """What a search for equal values may take, in MB (10^6 bytes); with less, a column is read more often."""
    privacy_rows: int = Field(5_000, ge=1)
    """Rows of a load, spread over it, in which names and postal addresses are looked for."""
    privacy_values: int = Field(20_000, ge=1)
    """Values of a column that may be an e-mail, a phone, an IBAN ... which are verified one by one; of more, the others are estimated."""
    privacy_chars: int = Field(4_000, ge=100)
    """Characters of one value in which names and postal addresses are looked for."""
    privacy_model: str = ""
    """Token-classification model that finds more names: `path:`, `package:` or `lake:name@revision`; empty: rules alone."""
    privacy_model_rows: int = Field(200, ge=1)
    """Rows of a load that this model reads."""

    licences_allowed: str = ""
    """Licences that base models may have, as the hub writes them (`apache-2.0`), separated by commas; empty: any."""

    image: str = ""
    """Image of containers in which runs execute, for projects that name none. It holds the code and projects/."""
    docker_network: str = "socle"
    """Docker network of those containers: the Prefect server and the S3 service have to be reachable from it."""
    secrets_folder: str = "/run/secrets/socle"
    """On the machine of a Docker worker: folder of the files `s3_access_key` and `s3_secret_key`, and of the credentials of sources, which
    containers see read-only."""
    kubernetes_namespace: str = "socle"
    kubernetes_secret: str = "socle-s3"  # noqa: S105 - its name
    """Of a Kubernetes worker: where its jobs go, and the Secret that they see as such a folder."""

    projects: str = ""
    """Names of the projects that this Prefect server has, separated by commas; empty: all of `projects/`."""
    worker_runs: int = Field(0, ge=0)
    """Runs of one worker at the same time; 0: four a core, and not more than one for each GB of memory."""

    checkpoint_minutes: float = Field(10.0, ge=0)
    """Between two checkpoints of a training, in the lake; 0: one after each step."""
    training_cache_gb: float = Field(10.0, gt=0)
    """What this machine keeps between runs of tokens, and of embeddings: so much of each."""
    training_runs_kept: int = Field(50, ge=1)
    """Trainings of a model whose curves this machine keeps as TensorBoard files."""
    mlflow_uri: SecretStr = SecretStr("")
    """`http(s)://[user:password@]host:port` of the MLflow server that trainings are tracked on; empty: TensorBoard files."""
    mlflow_token: SecretStr = SecretStr("")
    """Bearer token for it, in place of a password."""
    mlflow_uri_file: Path | None = None
    mlflow_token_file: Path | None = None
    mlflow_ca_file: Path | None = None
    """PEM file of the authorities that it is trusted by."""
    mlflow_timeout_s: float = Field(10.0, ge=1)
    """Of one request to it."""

    gpus: int = Field(1, ge=1)
    """Trainings on a GPU at the same time, on all workers together."""
    http_per_minute: int = Field(120, gt=0)
    """Loads from http, from datagouv and from rest sources (each) that all runs together may begin in a minute."""
    npm_per_minute: int = Field(30, gt=0)
    """Packages that all runs together may ask the npm registry for, in a minute."""

    postgres_folder: Path | None = None
    """Data of the database of `socle up --profile team`; `.socle/postgres` unless given."""

    ui_url: str = ""
    """Public address of the Prefect UI, for links in messages; empty: that of PREFECT_API_URL."""
    runbook_url: str = ""
    """Where docs/ops/ is published, for links in messages; empty: messages name the file."""
    late_after_min: float = Field(15, ge=0.2, le=1440)
    """Minutes that a run may wait beyond its time before somebody is told."""
    lost_after_min: float = Field(10, ge=1, le=1440)
    """Minutes without a sign of life after which a run is closed as crashed."""
    drain_min: float = Field(30, ge=0, le=1440)
    """Minutes that a worker which is asked to end gives its runs to finish; what is left then is handed back."""
    runs_kept_days: float = Field(400, ge=1)
    """Days after which Prefect forgets runs that have ended, with their logs."""
    events_kept_days: float = Field(30, ge=1)
    """The same of its events."""

    notify_host: str = "127.0.0.1"
    notify_port: int = Field(4203, ge=0, le=65535)
    """Where `python -m flows.notify` takes what Prefect's automations and Alertmanager say."""
    notify_url: str = ""
    """Address at which they reach it; empty: made from host and port."""
    notify_urls_file: Path | None = None
    """Lines `project = address` or `* = address`: whom it tells. Addresses hold secrets, so they are only here."""
    notify_tries: int = Field(6, ge=1, le=20)
    """Tries to deliver a message, with growing pauses from 5 s."""
    notify_fold_min: float = Field(10, ge=0, le=1440)
    """Minutes in which further messages of one kind about one flow of a project are counted and told as one."""
    notify_queue: int = Field(1000, ge=1)
    """Messages that may wait to be delivered; beyond that, senders are told to come again."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(4202, ge=0, le=65535)
    """Where `python -m flows.metrics` answers Prometheus."""
    metrics_runs_s: float = Field(30.0, ge=5)
    """Seconds between two looks at Prefect's runs; those at other places are in minutes."""
    metrics_lake_minutes: float = Field(5.0, gt=0)
    metrics_sizes_minutes: float = Field(60.0, gt=0)
    """Between two listings of every object of the lake, for its size."""
    metrics_window_hours: float = Field(24.0, gt=0, le=744)
    """How far back runs that ended are counted."""
    metrics_database_url: SecretStr = SecretStr("")
    metrics_database_url_file: Path | None = None
    """Of Prefect's database, for its size; empty: the server's own, if the environment has it."""
    metrics_certificates: str = ""
    """Addresses `host:port`, separated by commas, whose certificates are watched; empty: those of S3 and of the docs, if https."""

    docs_host: str = "127.0.0.1"
    docs_port: int = Field(4201, ge=0, le=65535)
    """Where `socle up` serves data docs and model cards, read-only."""
    docs_url: str = ""
    """Public address of that service; empty: made from host and port."""

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in FROM_FILE:
            path = values.get(f"{name}_file")
            if not path:
                continue
            if values.get(name):
                raise ValueError(f"SOCLE_{name.upper()} and SOCLE_{name.upper()}_FILE are both set: keep one")
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(f"SOCLE_{name.upper()}_FILE: {path}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ValueError(f"SOCLE_{name.upper()}_FILE: {path} is not UTF-8 text") from None
        return values

    @model_validator(mode="after")
    def _check_storage(self) -> Settings:
        if not self.storage:
            self.storage = (self.root / ".socle" / "lake").as_uri()
        parts = urlsplit(self.storage)
        if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
            return self
        if parts.scheme == "s3" and parts.netloc and not parts.path.strip("/"):
            needed = ("s3_endpoint",) if self.s3_keys_folder else ("s3_endpoint", "s3_access_key", "s3_secret_key")
            missing = [n for n in needed if not _plain(getattr(self, n))]
            if missing:
                names = ", ".join(f"SOCLE_{n.upper()}" for n in missing)
                raise ValueError(f"SOCLE_STORAGE is {self.storage} but {names} (or ..._FILE) is not set")
            return self
        raise ValueError(f"SOCLE_STORAGE: {self.storage!r} is neither s3://<prefix> nor file:///<absolute folder>")

    @field_validator("http_allowed")
    @classmethod
    def _check_allowed(cls, value: str) -> str:
        for entry in (e.strip() for e in value.split(",") if e.strip()):
            if "/" in entry:
                ip_network(entry, strict=False)  # its ValueError says what is wrong
            elif not re.fullmatch(r"(\*?\.)?[\w-]+(\.[\w-]+)*(:\d+)?|[\[\]0-9a-fA-F:.]+", entry):
                raise ValueError(f"{entry!r} is neither a host, .domain, address nor network")
        return value

    @field_validator("privacy_model")
    @classmethod
    def _check_model(cls, value: str) -> str:
        if value and not re.fullmatch(r"(path|package|lake):.+", value):
            raise ValueError("not of the form path:..., package:... or lake:name@revision")
        return value

    @field_validator("http_proxy")
    @classmethod
    def _check_proxy(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if value.get_secret_value() and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("not of the form http://host:port")
        return value

    @field_validator("mlflow_uri")
    @classmethod
    def _check_mlflow(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if value.get_secret_value() and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("not of the form http(s)://host:port")
        return value

    @model_validator(mode="after")
    def _check_principal(self) -> Settings:
        if self.s3_principal and "{project}" not in self.s3_principal:
            raise ValueError("SOCLE_S3_PRINCIPAL has no {project} in it: every project would have the rights of every other")
        return self

    def for_project(self, name: str) -> Settings:
        """With the keys of that project, if each has its own.

        Raises: ConfigurationError if its keys are not there: no other's are used in their place.
        """
        if self.s3_prefix is None or self.s3_keys_folder is None:
            return self
        keys = {}
        for key in ("access_key", "secret_key"):
            path = self.s3_keys_folder / name / key
            try:
                value, reason = path.read_text(encoding="utf-8").strip(), "the file is empty"
            except (OSError, UnicodeDecodeError) as error:
                value, reason = "", (error.strerror if isinstance(error, OSError) else None) or "not UTF-8 text"
            keys[f"s3_{key}"] = SecretStr(value)
            if not value:
                raise ConfigurationError(
                    f"the S3 keys of the project {name!r} cannot be read: {reason}",
                    where=f"{path} (SOCLE_S3_KEYS_FOLDER)",
                    hint=f"put {name}/access_key and {name}/secret_key there",
                ) from None
        return self.model_copy(update=keys)

    @property
    def deployed(self) -> list[str] | None:
        """Names of the projects that are deployed, or None for all."""
        return sorted({name.strip() for name in self.projects.split(",")} - {""}) or None

    @property
    def s3_prefix(self) -> str | None:
        """Bucket prefix, or None when the lake is a local folder."""
        parts = urlsplit(self.storage)
        return parts.netloc if parts.scheme == "s3" else None

    @property
    def lake_folder(self) -> Path:
        return Path(unquote(urlsplit(self.storage).path))

    @property
    def state_folder(self) -> Path:
        """Prefect's database, work folders and other things of this machine; never the lake itself."""
        return self.root / ".socle"

    @property
    def mlflow_host(self) -> str:
        """host:port, which may be shown."""
        return urlsplit(self.mlflow_uri.get_secret_value()).netloc.rpartition("@")[2]

    @property
    def notifier(self) -> str:
        return (self.notify_url or f"http://{self.notify_host}:{self.notify_port}").rstrip("/")

    @property
    def public_docs_url(self) -> str:
        return (self.docs_url or f"http://{self.docs_host}:{self.docs_port}").rstrip("/")


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def load_settings() -> Settings:
    """Read the environment.

    Raises: ConfigurationError naming every variable that is wrong (never its value).
    """
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as error:
        lines = [
            "SOCLE_" + str(e["loc"][0]).upper() + ": " + e["msg"] if e["loc"] else e["msg"].removeprefix("Value error, ")
            for e in error.errors(include_input=False, include_context=False)
        ]
        raise ConfigurationError("; ".join(lines), where="the environment", hint="docs/ml-engineers.md, “Settings”") from None
