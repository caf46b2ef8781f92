"""The real S3 server that `services` tests talk to: one Ceph RADOS Gateway a session (infra/s3_server.py)."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flows.settings import Settings

SCRIPT = Path(__file__).resolve().parent.parent / "infra" / "s3_server.py"
Settle = Callable[..., Settings]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`.endpoint` and `.users[name].access_key`, `.secret_key`. Without Debian's packages: a failure in CI, a skip elsewhere."""
    script = _script()
    folder = tmp_path_factory.mktemp("s3-server")
    try:
        server = script.start(folder, 0)
    except script.MissingPackages as error:
        reason = f"the S3 tests need a real server: {error}"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    try:
        yield server
    finally:
        script.stop(folder)


@pytest.fixture
def s3_settings(s3_server: Any, tmp_path: Path) -> Settle:
    """Settings of a lake on that server, each time with a bucket prefix of its own; anything can be overridden."""

    def make(**overrides: Any) -> Settings:
        user = s3_server.users["socle"]
        values = {
            "root": tmp_path,
            "storage": f"s3://t{uuid.uuid4().hex[:10]}",
            "s3_endpoint": s3_server.endpoint,
            "s3_access_key": user.access_key,
            "s3_secret_key": user.secret_key,
            "s3_retries": 1,
            "s3_patience_s": 0,
        }
        return Settings(**(values | overrides))

    return make


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("s3_server", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
