"""Requests to an S3 service, the lake's or a source's: how often they are tried, how a download goes on, what an error says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import urllib3
from minio import Minio

from flows.lake import BACKOFF_S
from flows.lake.objects import CHUNK
from flows.settings import Settings

BUSY = [500, 502, 503, 504]
MANY = 10_000  # attempts: time ends them
CUTS = 4  # of one download, with not a byte in between


class Http(urllib3.PoolManager):
    """Requests with a timeout that are tried again: a few times as long as the service has never answered (a wrong address should
    be said at once), and for `s3_patience_s` from then on, so that a run outlives a restart of the service."""

    answered = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        timeout = urllib3.Timeout(connect=settings.s3_connect_timeout_s, read=settings.s3_read_timeout_s)
        super().__init__(timeout=timeout, maxsize=16)

    def urlopen(self, method: str, url: str, *arguments: Any, **more: Any) -> Any:
        patience = self.settings.s3_patience_s if self.answered else 0.0
        more["retries"] = _Retries(
            total=MANY if patience else self.settings.s3_retries,
            backoff_factor=0.2,
            backoff_max=BACKOFF_S,
            retry_after_max=int(BACKOFF_S),
            status_forcelist=BUSY,
            allowed_methods=None,  # each of our requests may be sent twice, POST as well: it only begins or ends an upload
        ).until(time.monotonic() + patience if patience else None)
        answer = super().urlopen(method, url, *arguments, **more)
        self.answered = True
        return answer


class _Retries(urllib3.Retry):
    """Ends at a moment, not only after a number of attempts."""

    _end: float | None = None

    def until(self, end: float | None) -> _Retries:
        self._end = end
        return self

    def new(self, **more: Any) -> _Retries:
        return super().new(**more).until(self._end)

    def increment(self, *arguments: Any, **more: Any) -> Any:
        if self._end is not None and time.monotonic() > self._end:
            self.total = 0
        return super().increment(*arguments, **more)


def stream(client: Minio, bucket: str, key: str, same: Callable[[str], None], size: int | None = None) -> Iterator[bytes]:
    """The bytes of an object; what was cut goes on where it ended. `same` is asked about the ETag of each answer, and raises if the
    object is another one by then: If-Match would say so, too, but not every service understands it. `size`: its bytes, if known.

    Raises: what minio and urllib3 raise.
    """
    done, cuts = 0, 0
    while size is None or done < size or not size:
        response = client.get_object(bucket, key, offset=done)
        try:
            same(response.headers.get("etag") or "")
            for piece in response.stream(CHUNK):
                yield piece
                done, cuts = done + len(piece), 0
            return
        except (urllib3.exceptions.ProtocolError, urllib3.exceptions.ReadTimeoutError):
            cuts += 1
            if cuts > CUTS:
                raise
        finally:
            response.close()
            response.release_conn()


def reason(error: BaseException) -> str:
    """Why a request failed, in words. The texts of urllib3 and minio can hold signed headers: they are never passed on."""
    cause = getattr(error, "reason", None) or error
    return {
        "NewConnectionError": "connection refused",
        "ConnectTimeoutError": "no answer in time",
        "ReadTimeoutError": "no answer in time",
        "NameResolutionError": "the host's name is unknown",
        "SSLError": "the TLS certificate is not accepted",
        **dict.fromkeys(("InvalidResponseError", "ServerError", "ValueError"), "its answer is not S3's"),
        "ResponseError": "it keeps answering with errors (5xx)",
        "ProtocolError": "the connection was cut",
        "IncompleteRead": "the connection was cut",
    }.get(type(cause).__name__, type(cause).__name__)
