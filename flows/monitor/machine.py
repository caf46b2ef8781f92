"""The machine and what answers on it: disks, Prefect's database, services, certificates."""

from __future__ import annotations

import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from flows.errors import SystemFailure
from flows.lake import Lake, keys
from flows.monitor import Samples
from flows.settings import Settings

TIMEOUT_S = 5.0
LARGEST = 10  # tables


class Machine:
    def __init__(self, settings: Settings, lake: Lake, database_url: str, prefect_answers: Callable[[], bool]) -> None:
        self.settings, self.lake, self.prefect_answers = settings, lake, prefect_answers
        self.database_url = database_url

    def collect(self) -> Samples:
        samples = Samples()
        for place, folder in self._places().items():
            samples.attempt(f"disk of {place}", lambda: _disk(samples, place, folder))  # noqa: B023 - called at once
        samples.attempt("database", lambda: self._database(samples))
        samples.add("socle_reachable", self.prefect_answers(), service="prefect")
        samples.add("socle_reachable", self._docs_answers(), service="docs")
        stored = samples.attempt("storage", lambda: self.lake.bucket(keys.COMMON).bucket_exists())
        samples.add("socle_reachable", stored, service="storage")
        for address in self._addresses():
            samples.attempt(f"certificate of {address}", lambda: _certificate(samples, address))  # noqa: B023
        return samples

    # -- disks and database

    def _places(self) -> dict[str, Path]:
        """Folders of this machine. What is elsewhere is watched there."""
        state = self.settings.state_folder
        found = {"work": state if state.is_dir() else self.settings.root}
        if self.lake.is_local:
            found["lake"] = self.settings.lake_folder
        postgres = self.settings.postgres_folder or state / "postgres"
        database = postgres if postgres.is_dir() else self._sqlite()
        if database is not None and database.exists():
            found["database"] = database
        return {place: folder for place, folder in found.items() if folder.exists()}

    def _sqlite(self) -> Path | None:
        parts = urlsplit(self.database_url)
        return Path(unquote(parts.path).removeprefix("/")) if parts.scheme.startswith("sqlite") else None

    def _database(self, samples: Samples) -> None:
        if (file := self._sqlite()) is not None:
            parts = [file, file.with_name(file.name + "-wal")]
            if file.exists():
                samples.add("socle_database_bytes", sum(p.stat().st_size for p in parts if p.exists()))
        elif self.database_url:
            import asyncio

            size, tables = asyncio.run(_ask_postgres(self.database_url))
            samples.add("socle_database_bytes", size)
            for table, bytes_ in tables:
                samples.add("socle_database_table_bytes", bytes_, table=table)

    # -- services and certificates

    def _docs_answers(self) -> bool:
        """Asked where it listens: the public address may need a login. Any answer will do, also that it does not know us."""
        try:
            urllib.request.urlopen(f"http://{self.settings.docs_host}:{self.settings.docs_port}/", timeout=TIMEOUT_S).close()
        except urllib.error.HTTPError as error:
            return error.code < 500
        except (OSError, ValueError):
            return False
        return True

    def _addresses(self) -> list[str]:
        """host:port of everything that shows a certificate."""
        if given := [a.strip() for a in self.settings.metrics_certificates.split(",") if a.strip()]:
            return sorted(set(given))
        found = []
        for url in (self.settings.docs_url, self.settings.s3_endpoint):
            parts = urlsplit(url)
            if parts.scheme == "https" and parts.hostname:
                found.append(f"{parts.hostname}:{parts.port or 443}")
        return sorted(set(found))


def _disk(samples: Samples, place: str, folder: Path) -> None:
    usage = shutil.disk_usage(folder)
    samples.add("socle_disk_free_bytes", usage.free, place=place)
    samples.add("socle_disk_size_bytes", usage.total, place=place)


async def _ask_postgres(url: str) -> tuple[int, list[tuple[str, int]]]:
    """Raises: SystemFailure; its text has no address, which would hold the password."""
    import asyncpg

    plain = url.replace("postgresql+asyncpg://", "postgresql://", 1)
    try:
        connection = await asyncpg.connect(plain, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SystemFailure(f"PostgreSQL does not let us in ({type(error).__name__})", hint="SOCLE_METRICS_DATABASE_URL") from None
    try:
        size = await connection.fetchval("SELECT pg_database_size(current_database())")
        largest = await connection.fetch(
            "SELECT relname, pg_total_relation_size(relid) AS size FROM pg_catalog.pg_statio_user_tables ORDER BY size DESC LIMIT $1",
            LARGEST,
        )
    finally:
        await connection.close()
    return size, [(row["relname"], row["size"]) for row in largest]


def _certificate(samples: Samples, address: str) -> None:
    """What the server really shows, whoever signed it: that it will end is all that is asked.

    Raises: SystemFailure if there is no such server.
    """
    import socket

    from cryptography import x509

    host, _, port = address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except (OSError, ValueError) as error:
        raise SystemFailure(f"it shows none ({type(error).__name__})", where=address, hint="SOCLE_METRICS_CERTIFICATES") from None
    assert shown is not None
    ends = x509.load_der_x509_certificate(shown).not_valid_after_utc
    samples.add("socle_certificate_expiry_timestamp_seconds", ends.timestamp(), address=address)
