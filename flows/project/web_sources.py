"""Sources that speak HTTP. No address here holds a password, and no header a secret: `credentials: NAME` says which ones."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from flows.project.base import Name, Strict
from flows.project.store_sources import DURATION, SECONDS

SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "apikey", "x-auth-token", "private-token"}
OURS = {"host", "range", "if-range", "if-none-match", "if-modified-since", "accept-encoding", "content-length", "connection", "te"}
TOKEN = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"  # noqa: S105 - what a header's name is made of


def _address(value: str) -> str:
    if re.search(r"[\s\x00-\x20\x7f\\]", value):
        raise ValueError("an address has no spaces or control characters in it (a space is written %20)")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{value!r} is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("an address begins with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise ValueError("an address holds no user or password: use `credentials: NAME`")
    if parts.fragment:
        raise ValueError("an address has no part after #: a server never sees it")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not re.match(TOKEN, name) or not re.fullmatch(r"[\t\x20-\x7e]*", text):
            raise ValueError(f"{name!r} is no header, or its value holds more than ASCII")
        if name.lower() in SECRET_HEADERS:
            raise ValueError(f"{name}: secrets are never in a project file: use `credentials: NAME` (and `header: {name}`)")
        if name.lower() in OURS:
            raise ValueError(f"{name} is set by Socle")
    return value


Address = Annotated[str, AfterValidator(_address)]
HeaderName = Annotated[str, Field(pattern=TOKEN, max_length=100)]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Web(Strict):
    credentials: Name | None = Field(
        None, description="Name of a token, or of `user=` and `password=`, that the server wants (docs/sources.md)."
    )
    header: HeaderName = Field("Authorization", description="The header that the credentials go into.")
    headers: Headers = Field(default_factory=dict, description="Other headers, such as Accept. Never a secret.")


class HttpSource(_Web):
    """Files at addresses. They are asked for only if they changed, as far as the server tells."""

    type: Literal["http"]
    url: Address | Annotated[list[Address], Field(min_length=1, max_length=10_000)] = Field(description="An address, or a list of them.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="The bytes have to have this hash; once they are kept, nothing is asked of the network again."
    )

    @property
    def urls(self) -> list[str]:
        return [self.url] if isinstance(self.url, str) else self.url

    @model_validator(mode="after")
    def _one_pin(self) -> HttpSource:
        if len(set(self.urls)) != len(self.urls):
            raise ValueError("url: an address is there twice")
        if self.sha256 and len(self.urls) > 1:
            raise ValueError("sha256 is of one address: make a dataset of each, or leave it out")
        return self


class DataGouvSource(Strict):
    """Resources of a data.gouv.fr dataset. What is declared has to leave exactly one, unless `pick` says otherwise."""

    type: Literal["datagouv"]
    dataset: (
        Annotated[str, Field(pattern=r"^[\w-]+$", max_length=200, description="Its id, or its slug: the end of its page's address.")] | None
    ) = None
    resource: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="A resource's id.")] | None = None
    format: Text | None = Field(None, description="As data.gouv.fr shows it: csv, xlsx, json ...")
    title: Text | None = Field(None, description="Title of the resource, as a glob: `*2024*`.")
    pick: Literal["one", "latest", "all"] = Field("one", description="Of several that fit: refuse, the one that changed last, or all.")
    verify: bool = Field(True, description="Refuse bytes that have not the checksum that data.gouv.fr publishes.")
    credentials: Name | None = Field(None, description="Name of an API key, for datasets that are private.")

    @model_validator(mode="after")
    def _something(self) -> DataGouvSource:
        if not self.dataset and not self.resource:
            raise ValueError("datagouv needs a dataset or a resource")
        if self.resource and (self.format or self.title or self.pick != "one"):
            raise ValueError("resource names one: format, title and pick have nothing to choose")
        return self


class NextPages(Strict):
    """The body holds the next page's address."""

    by: Literal["next"]
    path: Text = Field(description="Where in the body, with dots: `links.next`.")


class LinkPages(Strict):
    """The header `Link` holds the next page's address, as `rel="next"`."""

    by: Literal["link"]


class NumberedPages(Strict):
    """Pages have numbers; one without records is after the last."""

    by: Literal["page"]
    parameter: Text = "page"
    start: Annotated[int, Field(ge=0, le=1)] = 1
    size_parameter: Text | None = None
    size: Annotated[int, Field(ge=1, le=100_000)] | None = None


class OffsetPages(Strict):
    """Each page says how many records come before it; one without records is after the last."""

    by: Literal["offset"]
    parameter: Text = "offset"
    size_parameter: Text | None = "limit"
    size: Annotated[int, Field(ge=1, le=100_000)] = 100


class CursorPages(Strict):
    """The body holds what asks for the next page."""

    by: Literal["cursor"]
    path: Text = Field(description="Where in the body, with dots: `meta.next_cursor`.")
    parameter: Text = "cursor"


Pages = Annotated[NextPages | LinkPages | NumberedPages | OffsetPages | CursorPages, Field(discriminator="by")]


def seconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+) ?(\w+)", duration).groups()  # type: ignore[union-attr]
    return int(number) * SECONDS[unit]


class Since(Strict):
    """Only what is new: the greatest value of a column that was loaded, as a parameter."""

    parameter: Text
    column: Text = Field(description="Of the records, with dots: numbers, dates or times.")
    start: str | None = Field(None, description="The value for the first load; empty: the parameter is left out then.")
    lag: Annotated[str, Field(pattern=DURATION)] | Annotated[int, Field(ge=0)] | None = Field(
        None, description="How far before the greatest value is asked for again, for rows that appear late: `15 min`, `2 h`, or a number."
    )

    @property
    def lag_value(self) -> int | None:
        """Seconds for a duration, otherwise the number itself."""
        return seconds(self.lag) if isinstance(self.lag, str) else self.lag


class RestSource(_Web):
    """Records of a JSON API, page by page, kept as one JSON Lines file."""

    type: Literal["rest"]
    url: Address
    params: dict[str, str | int | float | bool] = Field(default_factory=dict, description="Of the query of every page but linked ones.")
    records: str = Field("", description="Where the records are in the body, with dots (`data.items`); empty: the body is a list.")
    pages: Pages | None = Field(None, description="How to come to the next page; empty: there is one.")
    total: Text | None = Field(None, description="Where the body says how many records there are; then exactly so many have to come.")
    since: Since | None = None
    per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = Field(None, description="Requests that the service allows.")

    @property
    def incremental(self) -> bool:
        return self.since is not None

    @model_validator(mode="before")
    @classmethod
    def _sizes(cls, values: Any) -> Any:
        pages = values.get("pages") if isinstance(values, dict) else None
        if isinstance(pages, dict) and pages.get("by") == "page" and ("size" in pages) != ("size_parameter" in pages):
            raise ValueError("pages: size and size_parameter belong together")
        return values

    @model_validator(mode="after")
    def _parameters_are_ours(self) -> RestSource:
        used = [getattr(self.pages, name, None) for name in ("parameter", "size_parameter")]
        used.append(self.since.parameter if self.since else None)
        for name in used:
            if name and name in self.params:
                raise ValueError(f"params: {name!r} is set by pages or since")
        return self
