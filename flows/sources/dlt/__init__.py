"""Any resource of dlt (its connectors, or one of the project's own) as a source, in a process of its own.

dlt is asked for items only: it normalises nothing, loads nothing, and sends nothing about its use. Its process sees neither the
lake's keys nor other projects' credentials, and writes nowhere but in the work folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

import flows
from flows.errors import ConfigurationError, SocleError, SourceRefused, SystemFailure
from flows.lake.objects import Progress, sha256_file
from flows.lake.raw import RawFile
from flows.project.store_sources import DltSource
from flows.sources.base import Context, Source
from flows.sources.credentials import credential_pairs, hide

PASSED_ON: tuple[str, ...] = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
)
PASSED_ON += ("no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
KINDS: dict[str, type[SocleError]] = {"configuration": ConfigurationError, "system": SystemFailure, "refused": SourceRefused}
LOOK_S = 0.5  # between two looks at how far it is


class DltResource(Source):
    declared: DltSource

    def __init__(self, declared: DltSource, context: Context) -> None:
        super().__init__(declared, context)
        dataset = context.project.datasets.get(context.dataset)
        self.mode = dataset.mode if dataset else "replace"
        self.place = f"dlt:{declared.resource}" + (f" {declared.select}" if declared.select else "")

    def fetch(self, folder: Path, wanted: list[RawFile] | None = None, progress: Progress | None = None) -> list[RawFile]:
        if importlib.util.find_spec("dlt") is None:
            raise ConfigurationError(
                "dlt is not installed on this machine",
                where=self.place,
                hint="pip install 'socle[dlt]'",
                french="Ce jeu de données a besoin de dlt, qui n'est pas installé ici : prévenez l'équipe de la plateforme.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        secrets = self._secrets()
        answer = self._run(folder, secrets, progress)
        if not answer.get("ok"):
            kind = KINDS.get(str(answer.get("kind")), SystemFailure)
            where = hide(str(answer.get("where") or self.place), secrets.values())
            hint = hide(str(answer.get("hint") or ""), secrets.values())
            raise kind(hide(str(answer["message"]), secrets.values()), where=where, hint=hint)
        if answer["incremental"] and self.mode not in ("append", "upsert"):
            raise ConfigurationError(
                f"the resource gives only what is new, which mode: {self.mode} would take for the whole",
                where=self.place,
                hint="mode: append, or upsert with a key",
            )
        if not answer["rows"]:
            return self._nothing(answer["incremental"])
        self.next_state = {"dlt": answer["state"]} if answer["state"] else {}
        path = folder / answer["file"]
        name = f"{self.declared.select or self.declared.resource.partition(':')[2]}{path.suffix}"
        return [RawFile(sha256_file(path), name, path.stat().st_size, self.place, path)]

    def _nothing(self, incremental: bool) -> list[RawFile]:
        if incremental or self.mode in ("append", "upsert"):
            return []
        raise SourceRefused(
            "the resource gave no row",
            where=self.place,
            hint="check source.arguments; the version before is still served",
            french="La source n'a donné aucune ligne : la version précédente reste servie.",
        )

    def _secrets(self) -> dict[str, SecretStr]:
        if self.declared.credentials is None:
            return {}
        return credential_pairs(self.context.settings, self.context.project.name, self.declared.credentials)

    def _run(self, folder: Path, secrets: dict[str, SecretStr], progress: Progress | None) -> dict[str, Any]:
        """What the process says in the end. Secrets go to it through a pipe: not as arguments, and not in the environment."""
        settings = self.context.settings
        asked = {
            "project": str(self.context.project.folder),
            "resource": self.declared.resource,
            "select": self.declared.select,
            "arguments": self.declared.arguments,
            "secrets": {name: secret.get_secret_value() for name, secret in secrets.items()},
            "state": self.context.state.get("dlt", ""),
            "max_gb": settings.dlt_max_gb,
        }
        code, said, limit = self._wait(folder, json.dumps(asked, default=str).encode(), progress)
        try:
            answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
            return answer
        except (OSError, ValueError):
            pass
        if limit:
            raise SystemFailure(f"dlt took longer than {settings.dlt_timeout_s:g} s", where=self.place, hint="SOCLE_DLT_TIMEOUT_S")
        why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        last = hide(said, secrets.values()).strip().splitlines()[-1:]
        raise SystemFailure(f"the process of dlt ended early ({why}): {' '.join(last)[:300]}", where=self.place, hint="check its memory")

    def _wait(self, folder: Path, asked: bytes, progress: Progress | None) -> tuple[int, str, bool]:
        log, told, left = folder / "dlt.log", 0, self.context.settings.dlt_timeout_s
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.sources.dlt.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # whatever the project's code prints, secrets included
                stderr=out,
                cwd=folder,
                env=_environment(folder),
                start_new_session=True,
            )
        try:
            assert process.stdin
            try:
                process.stdin.write(asked)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it ended at once: its exit code says so
            while process.poll() is None and left > 0:
                try:
                    process.wait(min(LOOK_S, left))
                except subprocess.TimeoutExpired:
                    left -= LOOK_S
                size = sum(path.stat().st_size for path in folder.glob("rows.*"))
                if progress and size > told:
                    progress(size - told)
                    told = size
        finally:
            late = process.poll() is None
            if late:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return process.returncode, log.read_text(encoding="utf-8", errors="replace")[-2000:], late


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    found = [str(Path(flows.__file__).resolve().parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {name: str(folder) for name in ("HOME", "TMPDIR", "DLT_DATA_DIR", "DLT_PROJECT_DIR")}
    return (
        kept
        | own
        | {
            "PYTHONPATH": os.pathsep.join(found),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "ERROR",
            "DO_NOT_TRACK": "1",
            # One thing after the other: items that come in the order in which threads are done would be other bytes each time.
            "EXTRACT__WORKERS": "1",
            "EXTRACT__MAX_PARALLEL_ITEMS": "1",
        }
    )
