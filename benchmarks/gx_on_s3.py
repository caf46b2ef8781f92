"""Stores of Great Expectations on S3, for comparison. Version 1.24 has none left (its TupleS3StoreBackend is gone); like that one, this one
reads and writes an object a key, and lists the objects below its prefix."""

from __future__ import annotations

import io
from typing import Any

from great_expectations.data_context.store.tuple_store_backend import TupleFilesystemStoreBackend
from great_expectations.exceptions import InvalidKeyError
from minio import Minio
from minio.error import S3Error


class TupleMinioStoreBackend(TupleFilesystemStoreBackend):
    """Keys become paths as on a file system; only where the bytes are is another."""

    def __init__(self, bucket: str, prefix: str, access: dict[str, Any], **options: Any) -> None:
        self.bucket, self.prefix, self.client = bucket, prefix, Minio(**access)
        super().__init__(**options | {"platform_specific_separator": False, "suppress_store_backend_id": True})
        self._config |= {"bucket": bucket, "prefix": prefix, "access": access}

    def _place(self, key: Any) -> str:
        return f"{self.prefix}/{self._convert_key_to_filepath(key if isinstance(key, tuple) else key.to_tuple())}"

    def _get(self, key: Any) -> str:
        try:
            answer = self.client.get_object(self.bucket, self._place(key))
        except S3Error as error:
            raise InvalidKeyError(str(error)) from error
        try:
            return str(answer.read().decode())
        finally:
            answer.close()
            answer.release_conn()

    def _set(self, key: Any, value: Any, content_type: str = "text/html", **_: Any) -> str:
        data = value.encode() if isinstance(value, str) else value
        self.client.put_object(self.bucket, self._place(key), io.BytesIO(data), len(data), content_type)
        return self._place(key)

    def _has_key(self, key: Any) -> bool:
        try:
            self.client.stat_object(self.bucket, self._place(key))
        except S3Error:
            return False
        return True

    def list_keys(self, prefix: tuple[str, ...] = ()) -> list[Any]:
        found = []
        for item in self.client.list_objects(self.bucket, "/".join((self.prefix, *prefix)) + "/", recursive=True):
            path = str(item.object_name).removeprefix(f"{self.prefix}/")
            if self._is_missing_prefix_or_suffix(filepath_prefix=self.filepath_prefix, filepath_suffix=self.filepath_suffix, key=path):
                continue
            if (key := self._convert_filepath_to_key(path)) and not self.is_ignored_key(key):
                found.append(key)
        return found

    def remove_key(self, key: Any) -> bool:
        self.client.remove_object(self.bucket, self._place(key))
        return True
