"""The common object storage: one bucket a project, opened from the settings.

lake = Lake(load_settings())
lake.bucket("code-du-travail").get(key)
Datasets(lake, "code-du-travail") ...        (datasets.py)
Models(lake, "code-du-travail", "partie") ... (models.py)
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError
from flows.lake import keys
from flows.lake.local import LocalObjects
from flows.lake.objects import Objects
from flows.settings import Settings

if TYPE_CHECKING:
    from minio import Minio

    from flows.lake.s3_requests import Http

LOCAL_PREFIX = "socle"
BACKOFF_S = 10.0  # longest pause between two attempts of a request


class Lake:
    """Where everything is kept. Cheap to make: the S3 client is only imported and built when it is first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def is_local(self) -> bool:
        return self.settings.s3_prefix is None

    @property
    def place(self) -> str:
        """For people."""
        return str(self.settings.lake_folder) if self.is_local else f"{self.settings.storage} ({self.settings.s3_endpoint})"

    def bucket_name(self, project: str) -> str:
        name = keys.bucket(self.settings.s3_prefix or LOCAL_PREFIX, project)
        if len(name) > keys.MAX_BUCKET:
            raise ConfigurationError(f"the bucket name {name!r} is over {keys.MAX_BUCKET} characters", hint="shorten the project's name")
        if name.endswith("-"):
            raise ConfigurationError(f"the bucket name {name!r} ends with a dash, which S3 refuses", hint="rename the project")
        return name

    def bucket(self, project: str) -> Objects:
        """A local bucket is made on first use; one on S3 is made by `socle doctor --create`, so that rights stay separate."""
        name = self.bucket_name(project)
        if self.is_local:
            local = LocalObjects(self.settings.lake_folder / name)
            local.ensure()
            return local
        from flows.lake.s3 import S3Objects

        return S3Objects(self._client, name, self.settings.s3_endpoint)

    def projects(self) -> list[str]:
        """Whose buckets are there, declared or not; on S3 those of the key's own user, which need not be all."""
        start = keys.bucket(self.settings.s3_prefix or LOCAL_PREFIX, "")
        if self.is_local:
            folder = self.settings.lake_folder
            names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        else:
            from flows.lake.s3 import bucket_names

            names = bucket_names(self._client, self.settings.s3_endpoint)
        return sorted(name.removeprefix(start) for name in names if name.startswith(start))

    def table_uri(self, project: str, key: str) -> str:
        name = self.bucket_name(project)
        return str(self.settings.lake_folder / name / key) if self.is_local else f"s3://{name}/{key}"

    @property
    def storage_options(self) -> dict[str, str] | None:
        """What deltalake needs to reach the tables."""
        if self.is_local:
            return None
        s = self.settings
        return {
            "aws_endpoint_url": s.s3_endpoint,
            "aws_access_key_id": s.s3_access_key.get_secret_value(),
            "aws_secret_access_key": s.s3_secret_key.get_secret_value(),
            "aws_region": s.s3_region,
            "aws_allow_http": "true" if s.s3_endpoint.startswith("http://") else "false",
            "aws_virtual_hosted_style_request": "false",
            "aws_conditional_put": "etag",
            "connect_timeout": f"{s.s3_connect_timeout_s}s",
            "timeout": f"{s.s3_read_timeout_s}s",
            **self._retries(),
        }

    def _retries(self) -> dict[str, str]:
        """As Http in s3.py does it, in the words of the `object_store` library."""
        s = self.settings
        if not (self._http.answered and s.s3_patience_s):
            return {"max_retries": str(s.s3_retries)}
        return {"max_retries": "1000", "retry_timeout": f"{s.s3_patience_s:g}s", "backoff_config.max_backoff": f"{BACKOFF_S:g}s"}

    @property
    def reader_options(self) -> dict[str, Any] | None:
        """The same for Polars, which reads the data files itself, in its own words."""
        if (options := self.storage_options) is None:
            return None
        service = {k: v for k, v in options.items() if k.startswith("aws_") and k != "aws_conditional_put"}
        retries: dict[str, Any] = {"max_retries": int(options["max_retries"])}
        if "retry_timeout" in options:
            retries |= {"retry_timeout_ms": int(self.settings.s3_patience_s * 1000), "retry_max_backoff_ms": int(BACKOFF_S * 1000)}
        return service | retries

    @cached_property
    def _http(self) -> Http:
        from flows.lake.s3_requests import Http

        return Http(self.settings)

    @cached_property
    def _client(self) -> Minio:
        from flows.lake.s3 import make_client

        return make_client(self.settings, self._http)

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}


__all__ = ["Lake"]
