"""A file of 300 MiB into the lake on S3, by `adopt` (as data files go) against minio's own `fput_object`, on one real gateway (Ceph RGW on
loopback), in turns. Goal: at least 80 % of its rate. Without Debian's Ceph packages there is nothing to measure."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minio import Minio

from benchmarks.measure import interleaved, show
from benchmarks.servers import gateway
from flows.lake.s3 import Http, S3Objects, make_client
from flows.settings import Settings

MIB = 300
ROUNDS = 7
BUCKET = "mesure"
OURS, PLAIN = "the lake's adopt", "minio's fput_object"


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("SOCLE_BENCH_FOLDER")) as name, gateway(Path(name) / "s3") as server:
        if server is not None:
            _measure(Path(name), server)


def _measure(folder: Path, server: Any) -> None:
    user = server.users["socle"]
    settings = Settings(
        root=folder, storage="s3://mesure", s3_endpoint=server.endpoint, s3_access_key=user.access_key, s3_secret_key=user.secret_key
    )
    ours = S3Objects(make_client(settings, Http(settings)), BUCKET, server.endpoint)
    place = urlsplit(server.endpoint).netloc
    plain = Minio(place, access_key=user.access_key, secret_key=user.secret_key, region=settings.s3_region, secure=False)
    ours.ensure()
    path = folder / "file"
    with path.open("wb") as out:
        for _ in range(MIB):
            out.write(os.urandom(1 << 20))
    # One name each, written again each time: the gateway keeps its data in memory.
    contenders = {OURS: lambda: ours.adopt("ours", path), PLAIN: lambda: plain.fput_object(BUCKET, "plain", str(path))}
    for upload in contenders.values():
        upload()
    show(interleaved(contenders, ROUNDS), PLAIN, units=MIB, what="MiB/s")
