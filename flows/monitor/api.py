"""The few questions that are asked of Prefect's API, each answered in pages, with a timeout and an end.

Over plain HTTP, as its own client keeps asking for minutes when a server does not answer, and takes a hundred megabytes.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import httpx

from flows.errors import ConfigurationError, SystemFailure

PAGE = 200  # what the server gives at most
MAX_PAGES = 100
TIMEOUT_S = 20.0

Json = dict[str, Any]


class PrefectApi:
    """The server of PREFECT_API_URL, with the credentials that Prefect's own clients would use."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url + "/", headers=_headers(), timeout=TIMEOUT_S, transport=transport)

    @classmethod
    def from_environment(cls) -> PrefectApi:
        url = os.environ.get("PREFECT_API_URL", "")
        if not url:
            raise ConfigurationError(
                "there is no Prefect server to look at", where="PREFECT_API_URL", hint="set it to http://<host>:4200/api, or use socle up"
            )
        return cls(url)

    def answers(self) -> bool:
        try:
            return self._client.get("health", timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    def pages(self, path: str, body: Json | None = None) -> Iterator[Json]:
        """Everything that matches.

        Raises: SystemFailure if the server does not answer well, or has more than MAX_PAGES pages.
        """
        for number in range(MAX_PAGES):
            found = self.ask(path, (body or {}) | {"limit": PAGE, "offset": number * PAGE})
            yield from found
            if len(found) < PAGE:
                return
        raise SystemFailure(
            f"more than {MAX_PAGES * PAGE} answers", where=f"{self.url}/{path}", hint="a shorter SOCLE_METRICS_WINDOW_HOURS"
        )

    def count(self, path: str) -> int:
        return int(self._post(path, {}))

    def ask(self, path: str, body: Json) -> list[Json]:
        """One page."""
        return list(self._post(path, body))

    def _post(self, path: str, body: Json) -> Any:
        """Raises: SystemFailure if the server does not answer well."""
        try:
            answer = self._client.post(path, json=body)
            answer.raise_for_status()
            return answer.json()
        except httpx.HTTPStatusError as error:
            raise SystemFailure(
                f"Prefect answered {error.response.status_code}", where=f"{self.url}/{path}", hint="its log; PREFECT_API_AUTH_STRING if 401"
            ) from None
        except (httpx.HTTPError, ValueError) as error:
            raise SystemFailure(f"Prefect does not answer ({type(error).__name__})", where=f"{self.url}/{path}", hint="its log") from None


def _headers() -> dict[str, str]:
    """Raises: ConfigurationError for headers that are not a JSON mapping."""
    headers: dict[str, str] = {}
    if custom := os.environ.get("PREFECT_CLIENT_CUSTOM_HEADERS"):
        try:
            headers |= {str(name): str(value) for name, value in json.loads(custom).items()}
        except (ValueError, AttributeError):
            raise ConfigurationError("PREFECT_CLIENT_CUSTOM_HEADERS is not a JSON mapping", where="the environment") from None
    if credentials := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    elif key := os.environ.get("PREFECT_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    return headers
