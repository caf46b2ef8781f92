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

LOCAL_PREFIX = "socle"


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
            "max_retries": str(s.s3_retries),
        }

    @property
    def reader_options(self) -> dict[str, str] | None:
        """The same for Polars, which reads the data files itself and takes no other keys than the service's."""
        options = self.storage_options
        return {k: v for k, v in options.items() if k.startswith("aws_") and k != "aws_conditional_put"} if options else None

    @cached_property
    def _client(self) -> Minio:
        from flows.lake.s3 import make_client

        return make_client(self.settings)

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}


__all__ = ["Lake"]
