"""A bucket on any S3 service, through the minio client."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from flows.errors import ConfigurationError, NotFound, StorageError
from flows.lake.objects import UNKNOWN, ObjectInfo, Progress, require_key
from flows.lake.s3_requests import Http, reason, stream
from flows.lake.touched import note_deleted
from flows.settings import Settings

NOT_S3 = "the S3 service gave an answer that is not S3's"
ONE_PART = 5 << 20  # bytes: up to this size the client uploads in one request
PAGE = 1000  # keys in one LIST, the most that S3 gives
AT_ONCE = 4  # requests for many little objects, of one caller
ABSENT = {"NoSuchKey", "NoSuchObject"}
EXPLAINED = {
    "InvalidAccessKeyId": ("the S3 service does not know this access key", "check SOCLE_S3_ACCESS_KEY"),
    "SignatureDoesNotMatch": ("the S3 service refuses the secret key", "check SOCLE_S3_SECRET_KEY"),
    "AccessDenied": ("the S3 service refuses access to this bucket", "check the key's rights on the bucket"),
    "NoSuchBucket": ("the bucket does not exist", "socle doctor --create"),
    "RequestTimeTooSkewed": ("this machine's clock is too far from the S3 service's", "set the clock (NTP)"),
    "QuotaExceeded": ("the bucket's quota is used up", "raise the quota, or free some space"),
}


def make_client(settings: Settings, http: Http) -> Minio:
    parts = urlsplit(settings.s3_endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ConfigurationError("SOCLE_S3_ENDPOINT is not of the form http(s)://host:port", where="the environment")
    if not settings.s3_access_key.get_secret_value() or not settings.s3_secret_key.get_secret_value():
        # Only projects have keys (SOCLE_S3_KEYS_FOLDER), and this is for none of them. Without any, requests would be anonymous.
        names = "SOCLE_S3_ACCESS_KEY, SOCLE_S3_SECRET_KEY (or ..._FILE)"
        raise ConfigurationError("what is not for one project needs S3 keys of its own", where=names, hint="set them")
    return Minio(
        parts.netloc,
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
        region=settings.s3_region,
        secure=parts.scheme == "https",
        http_client=http,
    )


def bucket_names(client: Minio, endpoint: str) -> list[str]:
    with S3Objects(client, "", endpoint)._errors():
        return [bucket.name for bucket in client.list_buckets()]


class S3Objects:
    def __init__(self, client: Minio, name: str, endpoint: str) -> None:
        self.client, self._name, self.endpoint = client, name, endpoint

    @property
    def name(self) -> str:
        return self._name

    def ensure(self) -> bool:
        with self._errors():
            if self.client.bucket_exists(self._name):
                return False
            try:
                self.client.make_bucket(self._name)
            except S3Error as error:
                if error.code != "BucketAlreadyOwnedByYou":
                    raise
            return True

    def bucket_exists(self) -> bool:
        """Asked with a LIST: the answer to a HEAD has no body, so a wrong key could not be told from missing rights."""
        with self._errors():
            try:
                next(self._pages(page=1), None)
            except S3Error as error:
                if error.code == "NoSuchBucket":
                    return False
                raise
            return True

    def versioning_is_off(self) -> bool:
        """`create` is only safe in an unversioned bucket: Ceph RGW 16 ignores If-None-Match in others."""
        with self._errors():
            return self.client.get_bucket_versioning(self._name).status not in ("Enabled", "Suspended")

    def policy(self) -> str | None:
        """The bucket's policy document; None if it has none."""
        with self._errors():
            try:
                return self.client.get_bucket_policy(self._name)
            except S3Error as error:
                if error.code == "NoSuchBucketPolicy":
                    return None
                raise

    def set_policy(self, document: str) -> None:
        with self._errors():
            self.client.set_bucket_policy(self._name, document)

    def put(self, key: str, data: bytes) -> None:
        require_key(key)
        with self._errors(key):
            answer = self.client.put_object(self._name, key, io.BytesIO(data), len(data))
            if len(data) <= ONE_PART:  # the client keeps no ETag of an upload in parts
                self._check(answer.etag, key)

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        require_key(key)
        with self._errors(key):
            size = path.stat().st_size
            try:
                answer = self.client.fput_object(self._name, key, str(path), progress=_Meter(progress) if progress else None)
            except S3Error as error:
                # The answer to the last request of an upload in parts was lost, and it was sent again.
                if error.code == "NoSuchUpload" and self.client.stat_object(self._name, key).size == size:
                    return
                raise
            if size <= ONE_PART:
                self._check(answer.etag, key)

    def adopt(self, key: str, path: Path, progress: Progress | None = None) -> None:
        self.put_file(key, path, progress)

    def create(self, key: str, data: bytes) -> bool:
        require_key(key)
        # put_object(metadata=...) would send If-None-Match as user metadata and overwrite: it has to be a header.
        with self._errors(key):
            for attempt in range(8):
                try:
                    answer = self.client._put_object(self._name, key, data, headers={"If-None-Match": "*"})
                    self._check(answer.etag, key)
                    return True
                except S3Error as error:
                    if error.code == "PreconditionFailed":
                        return False
                    if error.code not in ("ConditionalRequestConflict", "OperationAborted"):
                        raise
                    time.sleep(0.05 * 2**attempt)  # two creates at the same instant: ask again who won
            raise StorageError(f"the S3 service did not decide who creates {key!r}", where=self._place(key))

    def put_all(self, files: Sequence[tuple[str, Path]], *, given: bool = False) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda file: self.put_file(*file), files))

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> list[bool]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda each: self.create(*each), objects))

    def get(self, key: str) -> bytes:
        return b"".join(self.stream(key))

    def stream(self, key: str) -> Iterator[bytes]:
        """What was cut goes on where it ended."""
        require_key(key)
        first: str | None = None

        def same(etag: str) -> None:
            nonlocal first
            self._check(etag, key)
            if first not in (None, etag):
                raise StorageError(f"{key!r} changed while it was read", where=self._place(key), hint="run again")
            first = etag

        with self._errors(key):
            yield from stream(self.client, self._name, key, same)

    def fetch(self, key: str, path: Path, progress: Progress | None = None) -> None:
        require_key(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(".tmp-" + uuid.uuid4().hex)
        try:
            with partial.open("wb") as out:
                for piece in self.stream(key):
                    out.write(piece)
                    if progress:
                        progress(len(piece))
            partial.replace(path)
        except OSError as error:
            hint = "free some space, then run again"
            raise StorageError(f"cannot write a download: {error.strerror}", where=str(path), hint=hint) from None
        finally:
            partial.unlink(missing_ok=True)

    def stat(self, key: str) -> ObjectInfo | None:
        require_key(key)
        try:
            with self._errors(key):
                found = self.client.stat_object(self._name, key)
                self._check(found.etag, key)
        except NotFound:
            return None
        return ObjectInfo(key, found.size or 0, found.etag or "", found.last_modified or UNKNOWN)

    def list(self, prefix: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        if limit == 0:
            return
        with self._errors():
            for count, item in enumerate(self._pages(prefix, min(limit or PAGE, PAGE)), 1):
                yield ObjectInfo(str(item.object_name), item.size or 0, item.etag or "", item.last_modified or UNKNOWN)
                if count == limit:
                    return

    def _pages(self, prefix: str = "", page: int = PAGE) -> Iterator[Any]:
        """Every object below `prefix`, in requests of `page` keys, which the client's public method fixes at 1000."""
        return self.client._list_objects(self._name, prefix=prefix, max_keys=page, encoding_type="url")

    def delete(self, key: str) -> None:
        require_key(key)
        with self._errors(key):
            self.client.remove_object(self._name, key)
        note_deleted()

    def _check(self, etag: str | None, key: str) -> None:
        """Every S3 service gives an ETag; the sign-in page of a network, which answers 200 to everything, gives none."""
        if not etag:
            raise StorageError(NOT_S3, where=self._place(key), hint="check SOCLE_S3_ENDPOINT, then socle doctor")

    def _place(self, key: str = "") -> str:
        return f"{self.endpoint}/{self._name}" + (f"/{key}" if key else "")

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        """minio's and urllib3's errors -> ours. Their texts can hold signed headers, so they are never passed on."""
        try:
            yield
        except S3Error as error:
            if error.code in ABSENT:
                raise NotFound(f"there is no object {key!r} in the lake", where=self._place(key)) from None
            message, hint = EXPLAINED.get(error.code or "", (f"the S3 service answered {error.code}", "socle doctor"))
            raise StorageError(message, where=self._place(key), hint=hint) from None
        except urllib3.exceptions.HTTPError as error:
            raise StorageError(
                f"the S3 service cannot be reached: {reason(error)}",
                where=self._place(key),
                hint="check SOCLE_S3_ENDPOINT, then socle doctor",
            ) from None
        except (InvalidResponseError, ServerError, MinioException, ValueError):  # ValueError: XML that is not S3's
            raise StorageError(
                NOT_S3,
                where=self._place(key),
                hint="check SOCLE_S3_ENDPOINT, then socle doctor",
            ) from None


class _Meter:
    """minio's progress protocol -> a function of bytes."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def set_meta(self, object_name: str, total_length: int) -> None: ...

    def update(self, length: int) -> None:
        self.progress(length)
