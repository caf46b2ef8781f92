"""Environment variables -> typed settings. Every limit has its unit in its name.

`SOCLE_S3_ACCESS_KEY`, `SOCLE_S3_SECRET_KEY`, `SOCLE_S3_ENDPOINT` and `SOCLE_S3_REGION` are also read from the file that
the same name with `_FILE` gives. What describes one project does not belong here: see project.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from flows.errors import ConfigurationError

FROM_FILE = ("s3_endpoint", "s3_access_key", "s3_secret_key", "s3_region")


class Settings(BaseSettings):
    """What the environment says. Build it with `load_settings()`, which turns mistakes into one clear error."""

    model_config = SettingsConfigDict(env_prefix="SOCLE_", extra="ignore", hide_input_in_errors=True)

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
    """Attempts after the first, with exponential back-off from 0.2 s."""

    npm_timeout_s: float = Field(300.0, gt=0)
    """Longest time for one call of the npm client."""
    max_record_mb: int = Field(512, gt=0)
    """Largest source file that may be read as one single JSON document (no `records` path)."""
    batch_rows: int = Field(20_000, gt=0)
    """Rows in one batch between parsing and the spilled Parquet file."""

    image: str = ""
    """Image of containers in which runs execute, for projects that name none. It holds the code and projects/."""
    docker_network: str = "socle"
    """Docker network of those containers: the Prefect server and the S3 service have to be reachable from it."""
    secrets_folder: str = "/run/secrets/socle"
    """On the machine of a Docker worker: folder of the files `s3_access_key` and `s3_secret_key`, which containers see read-only."""
    kubernetes_namespace: str = "socle"
    kubernetes_secret: str = "socle-s3"  # noqa: S105 - its name
    """Of a Kubernetes worker: where its jobs go, and the Secret with `s3_access_key` and `s3_secret_key` that they see as files."""

    gpus: int = Field(1, ge=1)
    """Trainings on a GPU at the same time, on all workers together."""
    npm_per_minute: int = Field(30, gt=0)
    """Packages that all runs together may ask the npm registry for, in a minute."""

    postgres_folder: Path | None = None
    """Data of the database of `socle up --profile team`; `.socle/postgres` unless given."""

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
            missing = [n for n in ("s3_endpoint", "s3_access_key", "s3_secret_key") if not _plain(getattr(self, n))]
            if missing:
                names = ", ".join(f"SOCLE_{n.upper()}" for n in missing)
                raise ValueError(f"SOCLE_STORAGE is {self.storage} but {names} (or ..._FILE) is not set")
            return self
        raise ValueError(f"SOCLE_STORAGE: {self.storage!r} is neither s3://<prefix> nor file:///<absolute folder>")

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
