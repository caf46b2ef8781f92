"""How to come from one page of an API to the next, and what shows that a service leads round in circles or that pages are missed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import httpx

from flows.errors import ConfigurationError, SourceRefused
from flows.project.web_sources import CursorPages, LinkPages, NextPages, NumberedPages, OffsetPages, RestSource
from flows.sources.web.client import origin, shown
from flows.sources.web.pages import MISSING, Page, at

NEXT = re.compile(r"^(@odata\.)?next_?(page|cursor|token|link|url|href|page_?token)?$|^(page_?)?suivante?$", re.IGNORECASE)


class Pager:
    """The address of each page. `after` is asked once a page, with how many records that page has and how many came in all."""

    def __init__(self, declared: RestSource, params: dict[str, Any]) -> None:
        self.declared, self.how = declared, declared.pages
        self.params = {name: _text(value) for name, value in (declared.params | params).items()}
        self.number = self.how.start if isinstance(self.how, NumberedPages) else 1
        self.offset = 0
        self.asked = set[str]()
        self.seen = set[bytes]()
        self.origins = {origin(declared.url)}

    def first(self) -> str:
        sized = getattr(self.how, "size_parameter", None)
        if sized:
            self.params[sized] = str(self.how.size)  # type: ignore[union-attr]
        if isinstance(self.how, NumberedPages | OffsetPages):
            self.params[self.how.parameter] = str(self.number if isinstance(self.how, NumberedPages) else 0)
        return self._address()

    def after(self, page: Page, records: int) -> str | None:
        """The next address; None after the last page.

        Raises: SourceRefused if it is one that was asked for already, or leads to another host
        """
        self.origins.add(origin(page.address))
        match self.how:
            case None:
                self._overlooked(page)
                return None
            case NextPages():
                return self._link(page, self._found(page, self.how.path))
            case LinkPages():
                return self._link(page, _linked(page.headers))
            case CursorPages():
                return self._cursor(self._found(page, self.how.path), records)
            case NumberedPages() | OffsetPages() if records == 0:
                return None
            case NumberedPages():
                self.number += 1
                self.params[self.how.parameter] = str(self.number)
            case OffsetPages():
                self.offset += records  # not the size that was asked for: services give fewer
                self.params[self.how.parameter] = str(self.offset)
        return self._address()

    def require_new(self, lines: list[bytes], page: Page) -> None:
        """Raises: SourceRefused if these records came before, all of them: the service does not do what it is asked."""
        digest = hashlib.sha256(b"".join(lines)).digest()
        if lines and digest in self.seen:
            raise SourceRefused(
                "the service gives the same page again",
                where=shown(page.address),
                hint="check `pages` in project.yaml; where the last page is repeated for ever, `total` says when to end",
                french="Le service renvoie deux fois la même page : la pagination déclarée ne convient pas.",
            )
        self.seen.add(digest)

    def _address(self) -> str:
        return str(httpx.URL(self.declared.url).copy_merge_params(self.params))

    def _found(self, page: Page, path: str) -> Any:
        found = at(page.body, path)
        if found is MISSING:
            self._overlooked(page)
        return found

    def _link(self, page: Page, link: Any) -> str | None:
        if isinstance(link, dict):
            link = link.get("href")
        if link is MISSING or not link:
            return None
        try:
            target = httpx.URL(page.address).join(link) if isinstance(link, str) else None
        except (httpx.InvalidURL, ValueError):
            target = None
        if target is None or target.scheme not in ("http", "https") or target.userinfo:
            raise SourceRefused("the address of the next page is none", where=shown(page.address), hint="check pages.path in project.yaml")
        here = httpx.URL(page.address)
        if target.scheme == "http" and here.scheme == "https" and target.host == here.host:
            target = target.copy_with(scheme="https", port=here.port)  # services behind a proxy do not know how they are reached
        address = str(target.copy_with(fragment=None))
        if origin(address) not in self.origins:
            raise SourceRefused(
                f"the next page is on another host: {target.host}",
                where=shown(page.address),
                hint="declare the address that the service itself uses, or pages by number, offset or cursor",
            )
        if address in self.asked or address == page.address:
            raise _circle(page.address)
        self.asked.add(address)
        return address

    def _cursor(self, cursor: Any, records: int) -> str | None:
        assert isinstance(self.how, CursorPages)
        if cursor is MISSING or cursor in (None, "", False):
            return None
        if not isinstance(cursor, str | int):
            raise SourceRefused(f"what is at {self.how.path!r} asks for no page", where=shown(self.declared.url))
        if str(cursor) in self.asked:
            if records == 0:
                return None  # nothing more: some services then give the last cursor again
            raise _circle(self.declared.url)
        self.asked.add(str(cursor))
        self.params[self.how.parameter] = str(cursor)
        return self._address()

    def _overlooked(self, page: Page) -> None:
        """A service that has more pages says so somewhere. What nobody declared would be lost without a word."""
        places = [place for place, _ in _nexts(page.body)]
        if _linked(page.headers):
            places.append("the header Link")
        if places:
            raise ConfigurationError(
                f"there are more pages than were declared: see {', '.join(places)} of the answer",
                where=shown(page.address),
                hint="declare `pages` (by: next, link, page, offset or cursor), with the right path",
                french="Le service a d'autres pages que celles qui sont déclarées : une partie des données manquerait.",
            )


def _nexts(body: Any, above: str = "", depth: int = 3) -> Iterator[tuple[str, Any]]:
    if isinstance(body, dict) and depth:
        for key, value in body.items():
            href = value.get("href") if isinstance(value, dict) else value
            if NEXT.match(key) and isinstance(href, str | int) and href and not isinstance(href, bool):
                yield f"{above}{key}", value
            elif isinstance(value, dict):
                yield from _nexts(value, f"{above}{key}.", depth - 1)


def _linked(headers: httpx.Headers) -> str:
    """The address that the header Link calls `next` (RFC 8288)."""
    for target, parameters in re.findall(r"<([^>]*)>([^<]*)", headers.get("link", "")):
        relation = re.search(r";\s*rel\s*=\s*(\"[^\"]*\"|[^\s;,]+)", parameters, re.IGNORECASE)
        if relation and "next" in relation[1].strip('"').lower().split():
            return str(target)
    return ""


def _circle(address: str) -> SourceRefused:
    return SourceRefused(
        "the service leads back to a page that came already",
        where=shown(address),
        hint="check `pages` in project.yaml",
        french="Le service renvoie sans fin aux mêmes pages.",
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
