"""Resources of data.gouv.fr, chosen through its API: https://guides.data.gouv.fr (API v2 of udata).

The API says what there is, when it changed and what its checksum is; the bytes come from where each resource lies. A published
checksum is verified. The name of the schema that a resource follows is kept with the load (`next_state`).
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flows.errors import ConfigurationError, SourceRefused
from flows.lake.objects import Progress
from flows.lake.raw import RawFile
from flows.project.web_sources import DataGouvSource
from flows.sources.base import Context, Source
from flows.sources.web import Auth, RemoteFile, RemoteFiles, Web
from flows.sources.web.client import Missing
from flows.sources.web.pages import read_page

PAGE = 100  # resources
SHOWN = 20  # resources in an error
HASHES = {"sha1": 40, "sha256": 64, "md5": 32}  # hex digits
SHA2 = {64: "sha256", 96: "sha384", 128: "sha512"}


@dataclass(frozen=True)
class Resource:
    """What the API says of one resource, as far as it counts here."""

    id: str
    title: str
    url: str
    format: str
    kind: str
    """main, documentation, update, api, code, other"""
    hosted: bool
    """On data.gouv.fr itself, whose metadata follow the file; elsewhere they may lag."""
    modified: str
    checksum: tuple[str, str] | None
    schema: dict[str, str]

    @classmethod
    def of(cls, said: Any) -> Resource:
        url = str(said.get("url") or "")
        return cls(
            id=str(said["id"]),
            title=unicodedata.normalize("NFC", str(said.get("title") or "")),
            url=url,
            format=str(said.get("format") or urlsplit(url).path.rpartition(".")[2]).strip(". ").casefold(),
            kind=str(said.get("type") or "main"),
            hosted=said.get("filetype") == "file",
            modified=str(said.get("last_modified") or ""),
            checksum=_checksum(said.get("checksum")),
            schema={k: str(v) for k, v in (said.get("schema") or {}).items() if k in ("name", "version", "url") and v},
        )

    def __str__(self) -> str:
        return f"{self.id} {self.format or '?'} {self.kind} {self.modified[:10]} {self.title!r}"


class DataGouv(Source):
    def __init__(self, declared: DataGouvSource, context: Context) -> None:
        super().__init__(declared, context)
        self.base = context.settings.datagouv_url.rstrip("/")

    def identify(self) -> list[RawFile] | None:
        found = []
        with self._remote() as remote:
            for resource in self._chosen(remote.web):
                known = self._unchanged(remote, resource)
                if known is None:
                    return None
                found.append(known)
        return found

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        folder.mkdir(parents=True, exist_ok=True)
        sources = None if wanted is None else {f.source for f in wanted}
        received, taken = [], set[str]()
        with self._remote() as remote:
            chosen = self._chosen(remote.web)
            for number, resource in enumerate(chosen):
                file = self._file(resource)
                if sources is not None and file.source not in sources:
                    continue
                try:
                    received.append(remote.bring(file, folder, number, taken, progress))
                except SourceRefused as error:
                    if file.checksum and "bytes do not have" in error.message and not resource.hosted:
                        error.hint += "; `verify: false` takes it as it is: data.gouv.fr only knows it from elsewhere"
                    raise
        self.next_state = {"resources": {r.id: self._kept(r) for r in chosen}}
        return received

    def _unchanged(self, remote: RemoteFiles, resource: Resource) -> RawFile | None:
        file = self._file(resource)
        recalled = remote.raw.recall(file.key)
        if recalled is None:
            return None
        same = recalled[1].get("published") == file.marks["published"]
        if resource.hosted:
            return recalled[0] if same else None
        if recalled[1].get("etag") or recalled[1].get("modified"):
            return remote.unchanged(file)
        return recalled[0] if same and resource.checksum else None

    def _file(self, resource: Resource) -> RemoteFile:
        checksum = resource.checksum if self.declared.verify else None
        published = [resource.modified, ":".join(resource.checksum or ())]
        return RemoteFile(
            address=resource.url,
            source=f"datagouv:{resource.id}",
            key=f"datagouv\n{resource.id}\n{resource.url}\n{self.declared.credentials or ''}",
            checksum=checksum,
            suffix=f".{resource.format}" if re.fullmatch(r"[a-z0-9]{2,8}", resource.format) else "",
            marks={"published": published, "schema": resource.schema},
        )

    def _kept(self, resource: Resource) -> dict[str, Any]:
        checksum = ":".join(resource.checksum or ())
        return {"title": resource.title, "last_modified": resource.modified, "checksum": checksum, "schema": resource.schema}

    def _chosen(self, web: Web) -> list[Resource]:
        """Raises: ConfigurationError, with what there is, if not what was declared remains."""
        declared = self.declared
        there = self._listed(web) if declared.dataset else [self._single(web)]
        left = [r for r in there if self._fits(r)]
        main = [r for r in left if r.kind == "main"]
        if not declared.resource and main:
            left = main  # documentation and the like only if nothing else fits
        if declared.pick == "latest" and left:
            left = [max(left, key=lambda r: _moment(r.modified))]
        if not left or (len(left) > 1 and declared.pick != "all"):
            raise self._unclear(left, there)
        for resource in left:
            if urlsplit(resource.url).scheme not in ("http", "https") or "@" in urlsplit(resource.url).netloc:
                raise SourceRefused(f"the resource {resource.id} lies at no address that can be asked", where=self._place)
        return left

    def _fits(self, resource: Resource) -> bool:
        declared = self.declared
        title = unicodedata.normalize("NFC", declared.title or "*").casefold()
        return (
            (not declared.resource or resource.id == declared.resource)
            and (not declared.format or resource.format == declared.format.strip(". ").casefold())
            and fnmatch.fnmatchcase(resource.title.casefold(), title)
        )

    def _unclear(self, left: list[Resource], there: list[Resource]) -> ConfigurationError:
        listed = left or there
        lines = "".join(f"\n  {resource}" for resource in listed[:SHOWN])
        more = f"\n  ... and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        count = f"{len(left)} resources fit" if left else "no resource fits"
        return ConfigurationError(
            f"{count} what is declared of {self._place}; {'they are' if left else 'there are'}:{lines}{more}",
            where=f"{self.base}/api/2/datasets/",
            hint="say which by `resource`, `format` or `title`" + (", or take several by `pick`" if left else ""),
            french="Sur data.gouv.fr, la ressource à charger n'est pas désignée assez précisément, ou n'existe plus.",
        )

    @property
    def _place(self) -> str:
        declared = self.declared
        return f"the dataset {declared.dataset!r}" if declared.dataset else f"the resource {declared.resource}"

    def _listed(self, web: Web) -> list[Resource]:
        """All of the dataset's. Its pages are asked for by number: the links in them are of the public site."""
        found: dict[str, Resource] = {}
        for page in range(1, self.context.settings.rest_max_pages + 1):
            body = self._ask(web, f"{quote(self.declared.dataset)}/resources/?page={page}&page_size={PAGE}")
            data = body.get("data") if isinstance(body, dict) else None
            if not isinstance(data, list) or not all(isinstance(r, dict) and r.get("id") for r in data):
                raise self._strange()
            new = {r["id"]: Resource.of(r) for r in data}
            if new.keys() & found.keys():
                raise SourceRefused("data.gouv.fr gives a resource twice: its list changed meanwhile", where=self._place, hint="run again")
            found |= new
            if not body.get("next_page") or not data:
                break
        return list(found.values())

    def _single(self, web: Web) -> Resource:
        body = self._ask(web, f"resources/{self.declared.resource}/")
        resource = body.get("resource") if isinstance(body, dict) else None
        if not isinstance(resource, dict) or not resource.get("id"):
            raise self._strange()
        return Resource.of(resource)

    def _ask(self, web: Web, path: str) -> Any:
        try:
            return read_page(web, f"{self.base}/api/2/datasets/{path}").body
        except Missing as error:
            raise ConfigurationError(
                f"data.gouv.fr does not know {self._place}, or it was deleted or is private",
                where=error.where,
                hint="the id and the slug of a dataset are in its page's address; a private one needs `credentials`",
                french="Sur data.gouv.fr, ce jeu de données ou cette ressource n'existe pas, ou plus.",
            ) from None

    def _strange(self) -> SourceRefused:
        return SourceRefused("data.gouv.fr answers in a form that is not that of its API", where=f"{self.base}, {self._place}")

    @contextmanager
    def _remote(self) -> Iterator[RemoteFiles]:
        """The API key goes to the API; where the files lie, nobody gets it."""
        settings, declared = self.context.settings, self.declared
        auth = Auth.of(settings, self.context.project.name, declared.credentials, self.base, "X-API-KEY")
        with Web(settings, auths=[auth]) as web:
            yield RemoteFiles(web, self.context.raw)


def _checksum(said: Any) -> tuple[str, str] | None:
    """As (algorithm, hex digest); None for what cannot be verified (crc, none, or something else)."""
    if not isinstance(said, dict):
        return None
    kind, value = str(said.get("type") or "").lower().replace("-", ""), str(said.get("value") or "").strip().lower()
    if kind == "sha2":
        kind = SHA2.get(len(value), "")
    length = HASHES.get(kind, {v: k for k, v in SHA2.items()}.get(kind))
    return (kind, value) if length == len(value) and re.fullmatch(r"[0-9a-f]+", value) else None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
