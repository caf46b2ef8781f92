"""Files at http(s) addresses. A run with nothing new moves no bytes where the server says so (ETag, Last-Modified)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.lake.objects import Progress
from flows.lake.raw import RawFile
from flows.project.web_sources import HttpSource
from flows.sources.base import Context, Source
from flows.sources.web import Auth, RemoteFile, RemoteFiles, Web


class HttpFiles(Source):
    def __init__(self, declared: HttpSource, context: Context) -> None:
        super().__init__(declared, context)
        kind = "\n".join([declared.credentials or "", declared.header, *(f"{k}: {v}" for k, v in sorted(declared.headers.items()))])
        checksum = ("sha256", declared.sha256) if declared.sha256 else None
        self.files = [RemoteFile(url, url, f"{url}\n{kind}", checksum) for url in declared.urls]

    @property
    def address(self) -> str:
        """Of a file that never changes: its bytes are not to be asked for again. Empty: it may change."""
        return self.files[0].key if self.declared.sha256 else ""

    def identify(self) -> list[RawFile] | None:
        """The known files, if none of them changed; None as soon as one did, or as nothing would tell."""
        raw = self.context.raw
        if self.declared.sha256:
            known = raw.recall(self.files[0].key)
            return [known[0]] if known and known[0].sha256 == self.declared.sha256 else None
        if any(raw.recall(file.key) is None for file in self.files):
            return None
        found = []
        with self._remote() as remote:
            for file in self.files:
                if (unchanged := remote.unchanged(file)) is None:
                    return None
                found.append(unchanged)
        return found

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        folder.mkdir(parents=True, exist_ok=True)
        sources = None if wanted is None else {f.source for f in wanted}
        taken = set[str]()
        with self._remote() as remote:
            chosen = [(n, file) for n, file in enumerate(self.files) if sources is None or file.source in sources]
            return [remote.bring(file, folder, number, taken, progress) for number, file in chosen]

    @contextmanager
    def _remote(self) -> Iterator[RemoteFiles]:
        declared, context = self.declared, self.context
        auths = [
            Auth.of(context.settings, context.project.name, declared.credentials, file.address, declared.header) for file in self.files
        ]
        with Web(context.settings, declared.headers, auths) as web:
            yield RemoteFiles(web, context.raw)
