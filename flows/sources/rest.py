"""Records of a JSON API, page by page, as one JSON Lines file: the same records give the same bytes, digits of numbers included.

A page is in memory, never more. What would lose records without a word is refused: pages that nobody declared, a service that
gives the same page for ever, another total than was announced, limits that are reached.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.lake.objects import Progress, sha256_file
from flows.lake.raw import RawFile
from flows.project.web_sources import NumberedPages, OffsetPages, RestSource
from flows.sources.base import Context, Source
from flows.sources.web import Auth, Web
from flows.sources.web.client import Missing, shown
from flows.sources.web.download import too_large
from flows.sources.web.names import safe
from flows.sources.web.pages import MISSING, ExactJson, Page, at, read_page
from flows.sources.web.paging import Pager
from flows.sources.web.since import Progressing


class RestPages(Source):
    def __init__(self, declared: RestSource, context: Context) -> None:
        super().__init__(declared, context)
        self.exact = ExactJson()

    def identify(self) -> list[RawFile] | None:
        """None, unless an incremental source has nothing new: then a run ends before anything heavy begins."""
        if (since := self._since()) is None:
            return None
        with self._web() as web:
            for records in self._pages(web, since.params):
                if any(since.is_new(record, line) for record, line in records):
                    return None
        return []

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        """One file; none if an incremental source has nothing new."""
        folder.mkdir(parents=True, exist_ok=True)
        since, path = self._since(), folder / "pages.jsonl"
        try:
            rows = self._write(path, since, progress)
        except OSError as error:
            raise SystemFailure(
                f"cannot write what was received: {error.strerror}", where=str(path), hint="free some space, then run again"
            ) from None
        if since is not None:
            if not rows:
                return []
            self.next_state = since.state()
        name = self._name(since.start if since else None)
        return [RawFile(sha256_file(path), name, path.stat().st_size, self.declared.url, path)]

    def _since(self) -> Progressing | None:
        if not self.declared.since:
            return None
        dataset = self.context.project.datasets.get(self.context.dataset)
        return Progressing(self.declared, self.exact, self.context.state, dataset is None or dataset.mode == "append")

    def _web(self) -> Web:
        settings, declared = self.context.settings, self.declared
        auth = Auth.of(settings, self.context.project.name, declared.credentials, declared.url, declared.header)
        return Web(settings, {"Accept": "application/json"} | declared.headers, [auth])

    def _write(self, path: Path, since: Progressing | None, progress: Progress | None) -> int:
        """Rows that were written."""
        rows, size, limit = 0, 0, int(self.context.settings.http_max_gb * 1e9)
        with self._web() as web, path.open("wb") as out:
            for records in self._pages(web, since.params if since else {}):
                for record, line in records:
                    if since is not None and not since.is_new(record, line):
                        continue
                    rows, size = rows + 1, size + len(line)
                    if size > limit:
                        raise too_large(self.declared.url, web)
                    out.write(line)
                    if progress:
                        progress(len(line))
        return rows

    def _pages(self, web: Web, params: dict[str, str]) -> Iterator[list[tuple[Any, bytes]]]:
        pager = Pager(self.declared, params)
        address: str | None = pager.first()
        count, total, settings = 0, None, self.context.settings
        for number in range(1, settings.rest_max_pages + 1):
            assert address is not None
            page = self._read(web, address, number)
            records = [(record, self.exact.line(record)) for record in self._records(page, count)]
            pager.require_new([line for _, line in records], page)
            if total is None:
                total = self._total(page)
            count += len(records)
            if count > settings.rest_max_rows:
                raise self._limit(f"{settings.rest_max_rows:,} rows", "SOCLE_REST_MAX_ROWS")
            yield records
            complete = total is not None and count >= total and isinstance(self.declared.pages, NumberedPages | OffsetPages)
            address = None if complete else pager.after(page, len(records))
            if address is None:
                self._require_total(count, total)
                return
        raise self._limit(f"{settings.rest_max_pages:,} pages", "SOCLE_REST_MAX_PAGES")

    def _read(self, web: Web, address: str, number: int) -> Page:
        """Politely: not more often than the service allows."""
        if self.declared.per_minute and number > 1:
            time.sleep(60 / self.declared.per_minute)
        try:
            return read_page(web, address, self.exact)
        except Missing as error:
            if number > 1:
                error.message = f"page {number} is not there, although the one before it did not say that it is the last"
                error.hint = "if the service has no page after the last, declare where it says how many records there are: `total`"
            raise

    def _records(self, page: Page, before: int) -> list[dict[str, Any]]:
        found, path = at(page.body, self.declared.records), self.declared.records
        if not isinstance(found, list):
            what = "there is nothing" if found is MISSING else f"there is no list, but {_kind(found)}"
            lists = ", ".join(_lists(page.body)) or "none"
            raise SourceRefused(
                f"{what} at {path!r} of the answer" if path else "the answer is no list",
                where=shown(page.address),
                hint=f"source.records says where the records are; lists there: {lists}",
                french="La réponse du service n'a pas la forme attendue : les enregistrements n'y sont pas.",
            )
        for number, record in enumerate(found, before + 1):
            if not isinstance(record, dict):
                raise SourceRefused(f"record {number} is no object, but {_kind(record)}", where=shown(page.address))
        return found

    def _total(self, page: Page) -> int | None:
        if not self.declared.total:
            return None
        found = at(page.body, self.declared.total)
        if isinstance(found, str) and found.isascii() and found.isdigit():
            found = int(found)
        if not isinstance(found, int) or isinstance(found, bool):
            raise ConfigurationError(
                f"there is no number at {self.declared.total!r} of the answer", where=shown(page.address), hint="check source.total"
            )
        return found

    def _require_total(self, count: int, total: int | None) -> None:
        if total is not None and count != total:
            raise SourceRefused(
                f"the service announced {total:,} records and gave {count:,}",
                where=shown(self.declared.url),
                hint="it may have changed while it was read: run again; if it stays, check `pages` and `records`",
                french=f"Le service annonce {total} enregistrements et en donne {count} : relancez, ou prévenez l'équipe.",
            )

    def _limit(self, what: str, setting: str) -> SourceRefused:
        return SourceRefused(
            f"the service has more than {what}",
            where=shown(self.declared.url),
            hint=f"narrow it by `params` or `since`, or raise {setting}",
            french=f"Le service a plus de données que la limite admise ({what}).",
        )

    def _name(self, start: str | None) -> str:
        last = unquote(urlsplit(self.declared.url).path.rstrip("/").rpartition("/")[2]).removesuffix(".json")
        return (safe(f"{last}-{start}" if start else last) or self.context.dataset) + ".jsonl"


def _lists(body: Any, above: str = "", depth: int = 4) -> Iterator[str]:
    if isinstance(body, dict) and depth:
        for key, value in body.items():
            if isinstance(value, list):
                yield f"{above}{key}"
            else:
                yield from _lists(value, f"{above}{key}.", depth - 1)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(type(value), "a number")
