"""Objects of a bucket on any S3 service that is not the lake's. An object is brought once, and again when it changed.

The listing says what changed: key, ETag and size. What was loaded is remembered in the commit of the load; what was only brought
(its load was refused, say) under the pin of its address, so that its bytes come from the lake the next time.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from flows.errors import ConfigurationError, SocleError, SourceRefused, SystemFailure
from flows.lake.objects import Progress
from flows.lake.raw import RawFile
from flows.project.store_sources import S3Source
from flows.sources.base import Context, Source
from flows.sources.credentials import credential_pairs

if TYPE_CHECKING:
    from minio import Minio

GB = 1 << 30
AT_ONCE = 8  # downloads
PAIR = ("access_key", "secret_key", "session_token")
REFUSED = {
    "InvalidAccessKeyId": "it does not know this access key",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "AccessDenied": "it gives these credentials no access",
    "ExpiredToken": "the credentials have ended",
    "AllAccessDisabled": "it gives no access to this bucket",
    "AuthorizationHeaderMalformed": "the region is wrong",
    "PermanentRedirect": "the bucket is in another region, or at another endpoint",
}


@dataclass(frozen=True)
class Listed:
    """An object as a listing has it."""

    key: str
    etag: str
    size: int

    @property
    def mark(self) -> str:
        """Of these bytes under this key, in 12 characters."""
        return base64.urlsafe_b64encode(hashlib.sha256(f"{self.key}\0{self.etag}\0{self.size}".encode()).digest()[:9]).decode()


class S3Objects(Source):
    declared: S3Source

    def __init__(self, declared: S3Source, context: Context) -> None:
        super().__init__(declared, context)
        dataset = context.project.datasets.get(context.dataset)
        self.mode = dataset.mode if dataset else "replace"
        self.loaded: dict[str, str] = dict(context.state.get("objects", {}))
        """Mark -> sha256 of every object that the last load that was published knew."""
        self.matches = glob_pattern(declared.key)
        self._listed: list[Listed] | None = None

    @property
    def address(self) -> str:
        return f"{self.declared.endpoint}/{self.declared.bucket}"

    def identify(self) -> list[RawFile] | None:
        """Known where every object of the listing was brought before."""
        files = [self._known(item) for item in self._present()]
        return [file for file in files if file] if all(files) else None

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        """All objects where they are the whole content (replace, snapshot); those that were not loaded yet where rows are added."""
        present = self._present()
        folder.mkdir(parents=True, exist_ok=True)
        if wanted is not None:
            by_key = {item.key: item for item in present}
            chosen = [by_key[file.name] for file in wanted if file.name in by_key]
            if len(chosen) < len(wanted):
                raise SystemFailure("an object went away while the source was read", where=self.address, hint="run again")
        elif self.mode in ("append", "upsert"):
            chosen = [item for item in present if item.mark not in self.loaded]
        else:
            chosen = present
        client = self._client()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = _Told(progress)
            jobs = [pool.submit(self._bring, client, item, folder / f"{number:06}-{item.mark}", told) for number, item in enumerate(chosen)]
            try:
                files = [job.result() for job in jobs]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        brought = {item.mark: file.sha256 for item, file in zip(chosen, files, strict=True)}
        self.next_state = {
            "objects": {
                item.mark: brought.get(item.mark) or self.loaded[item.mark]
                for item in present
                if item.mark in brought or item.mark in self.loaded
            }
        }
        return files

    # ---- what there is ----

    def _present(self) -> list[Listed]:
        """In the order of their keys.

        Raises: ConfigurationError if there is none and never was; SourceRefused for one that is too large.
        """
        if self._listed is None:
            self._listed = list(self._list())
        if not self._listed and not self.loaded:
            raise ConfigurationError(
                f"no object matches {self.declared.key!r}",
                where=self.address,
                hint="check source.bucket and source.key in project.yaml",
                french=f"Il n'y a aucun fichier « {self.declared.key} » dans l'espace de stockage « {self.declared.bucket} ».",
            )
        if not self._listed and self.mode not in ("append", "upsert"):
            raise SourceRefused(
                f"no object matches {self.declared.key!r} any more",
                where=self.address,
                hint="put them back; the version before is still served",
                french=f"Il n'y a plus aucun fichier « {self.declared.key} » dans l'espace de stockage « {self.declared.bucket} ».",
            )
        return self._listed

    def _list(self) -> Iterator[Listed]:
        limit, largest, found = self.context.settings.s3_source_objects, self.context.settings.s3_source_max_gb * GB, 0
        with self._explained():
            prefix = literal_prefix(self.declared.key)
            for item in self._client().list_objects(self.declared.bucket, prefix=prefix or None, recursive=True):
                key, size = str(item.object_name), int(item.size or 0)
                if key.endswith("/") or not self.matches.fullmatch(key):  # a folder, to some programs, is an empty object
                    continue
                found += 1
                if found > limit:
                    raise SourceRefused(
                        f"more than {limit} objects match {self.declared.key!r}",
                        where=self.address,
                        hint="a narrower key, or SOCLE_S3_SOURCE_OBJECTS",
                    )
                if size > largest:
                    raise SourceRefused(
                        f"{key!r} has {size / GB:.1f} GB, more than may be brought", where=self.address, hint="SOCLE_S3_SOURCE_MAX_GB"
                    )
                yield Listed(key, (item.etag or "").strip('"'), size)

    def _known(self, item: Listed) -> RawFile | None:
        """What is known of an object that was brought before. The pin is asked only for what no load has."""
        if item.mark in self.loaded:
            return RawFile(self.loaded[item.mark], item.key, item.size, self._source(item))
        return self._pinned(item)

    def _pinned(self, item: Listed) -> RawFile | None:
        found = self.context.raw.pinned(self._pin(item)) if self.context.raw else None
        return RawFile(found.sha256, item.key, item.size, self._source(item)) if found and found.size == item.size else None

    def _source(self, item: Listed) -> str:
        return f"s3:{self.address}/{item.key}"

    def _pin(self, item: Listed) -> str:
        return f"{self._source(item)}#{item.etag}#{item.size}"

    # ---- bringing it ----

    def _bring(self, client: Minio, item: Listed, path: Path, told: _Told) -> RawFile:
        raw = self.context.raw
        known = self._known(item) if raw else None
        if known is not None and raw.has_bytes(known.sha256):
            return RawFile(known.sha256, item.key, item.size, known.source, raw.fetch(known, path.parent, told))
        hashed, size = hashlib.sha256(), 0
        try:
            with path.open("wb") as out:
                for piece in self._stream(client, item):
                    hashed.update(piece)
                    size += len(piece)
                    out.write(piece)
                    told(len(piece))
        except OSError as error:
            if isinstance(error, SocleError):
                raise
            raise SystemFailure(
                f"cannot keep {item.key!r}: {error.strerror}", where=str(path), hint="free some space, then run again"
            ) from None
        if size != item.size:
            raise self._changed(item)
        file = RawFile(hashed.hexdigest(), item.key, size, self._source(item), path)
        if raw:
            raw.pin(self._pin(item), file)  # counts once the bytes are kept, which whoever asked for them does
        return file

    def _stream(self, client: Minio, item: Listed) -> Iterator[bytes]:
        from flows.lake.s3_requests import stream

        def same(etag: str) -> None:
            if etag.strip('"') != item.etag:
                raise self._changed(item)

        done = 0
        with self._explained(item.key):
            for piece in stream(client, self.declared.bucket, item.key, same, item.size):
                done += len(piece)
                if done > item.size:
                    raise self._changed(item)
                yield piece

    def _changed(self, item: Listed) -> SystemFailure:
        return SystemFailure(f"{item.key!r} changed while it was read", where=self.address, hint="run again")

    # ---- the service ----

    def _client(self) -> Minio:
        from minio import Minio

        from flows.lake.s3_requests import Http

        parts, keys = urlsplit(self.declared.endpoint), dict[str, SecretStr]()
        if self.declared.credentials:
            needed = ["access_key", "secret_key"]
            keys = credential_pairs(self.context.settings, self.context.project.name, self.declared.credentials, needed)
        access, secret, token = (keys[name].get_secret_value() if name in keys else None for name in PAIR)
        return Minio(
            parts.netloc,
            access_key=access,
            secret_key=secret,
            session_token=token,
            secure=parts.scheme == "https",
            region=self.declared.region,
            http_client=Http(self.context.settings),
        )

    @contextmanager
    def _explained(self, key: str = "") -> Iterator[None]:
        """The texts of minio and urllib3 can hold signed headers: only codes are passed on."""
        import urllib3
        from minio.error import MinioException, S3Error

        from flows.lake.s3_requests import reason

        where = f"{self.address}/{key}" if key else self.address
        try:
            yield
        except SocleError:
            raise
        except S3Error as error:
            raise self._refused(str(error.code), where) from None
        except (urllib3.exceptions.HTTPError, MinioException, ValueError) as error:
            raise SystemFailure(
                f"the S3 service of the source cannot be used: {reason(error)}",
                where=where,
                hint="check source.endpoint and the network, then run again",
                french="L'espace de stockage de la source ne répond pas. Relancez plus tard ; si cela dure, prévenez son équipe.",
            ) from None

    def _refused(self, code: str, where: str) -> SocleError:
        named = self.declared.credentials
        if code == "NoSuchBucket":
            return ConfigurationError(f"there is no bucket {self.declared.bucket!r}", where=where, hint="check source.bucket")
        if code in ("NoSuchKey", "NoSuchObject"):
            return SystemFailure("an object went away while the source was read", where=where, hint="run again")
        if code == "InvalidObjectState":
            return SourceRefused("an object is in an archive", where=where, hint="have it restored, or leave it out of source.key")
        if code in REFUSED:
            return ConfigurationError(
                f"the S3 service of the source refuses us: {REFUSED[code]} ({code})",
                where=where + (f", credentials {named!r}" if named else ", no credentials"),
                hint="check source and the credentials (docs/sources.md)",
                french="L'espace de stockage de la source refuse l'accès : les identifiants ou les droits ne sont pas les bons.",
            )
        return SystemFailure(f"the S3 service of the source answered {code}", where=where, hint="run again; if it stays, ask who runs it")


class _Told:
    """One progress for several downloads."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.lock = progress, threading.Lock()

    def __call__(self, moved: int) -> None:
        if self.progress:
            with self.lock:
                self.progress(moved)


# ---- globs -------------------------------------------------------------------------------------------------------------


def literal_prefix(glob: str) -> str:
    """What every key that fits begins with."""
    return re.split(r"[*?\[]", glob, maxsplit=1)[0]


def glob_pattern(glob: str) -> re.Pattern[str]:
    """`**/`: any folders, or none. `**`: anything. `*`, `?`, `[abc]`, `[!abc]`: within one folder."""
    out, at = "", 0
    while at < len(glob):
        piece = re.compile(r"\*\*/|\*\*|\*|\?|\[(!?)([^\]/]+)\]|.", re.DOTALL).match(glob, at)
        assert piece is not None
        text, at = piece[0], piece.end()
        simple: dict[str, Any] = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        if text in simple:
            out += simple[text]
        elif piece[2] is not None:
            members = re.sub(r"([\\\]\[^&~|])", r"\\\1", piece[2])
            out += f"(?![/])[{'^' if piece[1] else ''}{members}]"
        else:
            out += re.escape(text)
    return re.compile(out, re.DOTALL)
