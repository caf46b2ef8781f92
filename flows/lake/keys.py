"""Every key of the lake is built here and nowhere else. See docs/lake.md for the layout as a reader sees it."""

from __future__ import annotations

COMMON = "commun"
MAX_BUCKET = 63
ALIAS_TOP = 9_999_999_999  # alias moves count down from here, so that the newest is first in a listing


def bucket(prefix: str, project: str) -> str:
    return f"{prefix}-{project}"


def raw(dataset: str, sha256: str) -> str:
    return f"raw/{dataset}/{sha256}"


def raw_sidecar(dataset: str, sha256: str) -> str:
    return f"raw/{dataset}/{sha256}.json"


def raw_pin(dataset: str, pin: str) -> str:
    """Which bytes an immutable source address gave; `pin` is a hash of that address."""
    return f"raw/{dataset}/pins/{pin}.json"


def table(dataset: str) -> str:
    return f"tables/{dataset}"


def quarantine(dataset: str) -> str:
    return f"quarantine/{dataset}"


def check_result(dataset: str, load_id: str) -> str:
    return f"checks/{dataset}/{load_id}/result.json"


def check_docs(dataset: str, load_id: str) -> str:
    return f"checks/{dataset}/{load_id}/index.html"


def model_files(model: str, upload_id: str) -> str:
    return f"models/{model}/files/{upload_id}/"


def model_versions(model: str) -> str:
    return f"models/{model}/versions/"


def model_version(model: str, number: int) -> str:
    return f"{model_versions(model)}{number}.json"


def aliases(model: str) -> str:
    return f"models/{model}/aliases/"


def alias_move(model: str, number: int) -> str:
    return f"{aliases(model)}{ALIAS_TOP - number:010d}.json"


def base_model(name: str, revision: str) -> str:
    """In the common bucket."""
    return f"base-models/{name}/{revision}/"


def probe(token: str) -> str:
    """Where `socle doctor` tries what the storage can do."""
    return f".probe/{token}"
