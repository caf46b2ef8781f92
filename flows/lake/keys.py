"""Every key of the lake is built here and nowhere else. See docs/lake.md for the layout as a reader sees it."""

from __future__ import annotations

from datetime import UTC, date, datetime

COMMON = "commun"
AUDIT = "audit"
MAX_BUCKET = 63
ALIAS_TOP = 9_999_999_999  # alias moves count down from here, so that the newest is first in a listing
REFUSAL_TOP = 9_999_999_999_999


def bucket(prefix: str, project: str) -> str:
    return f"{prefix}-{project}"


def raw(dataset: str, sha256: str) -> str:
    return f"raw/{dataset}/{sha256}"


def raw_folder(dataset: str) -> str:
    return f"raw/{dataset}/"


def raw_sidecar(dataset: str, sha256: str) -> str:
    return f"raw/{dataset}/{sha256}.json"


def raw_pins(dataset: str) -> str:
    return f"raw/{dataset}/pins/"


def raw_pin(dataset: str, pin: str) -> str:
    """Which bytes an immutable source address gave; `pin` is a hash of that address."""
    return f"{raw_pins(dataset)}{pin}.json"


def table(dataset: str) -> str:
    return f"tables/{dataset}"


def data_file_name(token: str, number: int) -> str:
    """Relative to the table. `token`: of one attempt to commit, so that no attempt writes over the files of another."""
    return f"part-{number:05}-{token}.parquet"


def data_file(dataset: str, name: str) -> str:
    return f"{table(dataset)}/{name}"


def table_checkpoint(dataset: str) -> str:
    """What every reader of a Delta table asks for first."""
    return f"{table(dataset)}/_delta_log/_last_checkpoint"


def quarantine(dataset: str) -> str:
    return f"quarantine/{dataset}"


def delta_log(table: str) -> str:
    return f"{table}/_delta_log/"


def delta_commit(table: str, version: int) -> str:
    return f"{delta_log(table)}{version:020d}.json"


def last_checkpoint(table: str) -> str:
    return f"{delta_log(table)}_last_checkpoint"


def commit_number(key: str) -> int | None:
    """The version that a key of a log commits; None for checkpoints and other things."""
    stem, _, kind = key.rpartition("/")[2].partition(".")
    return int(stem) if kind == "json" and len(stem) == 20 and stem.isdigit() else None


def checks(dataset: str) -> str:
    return f"checks/{dataset}/"


def check_result(dataset: str, load_id: str) -> str:
    return f"checks/{dataset}/{load_id}/result.json"


def check_trend(dataset: str, load_id: str) -> str:
    """How each expectation did over the versions up to this load."""
    return f"checks/{dataset}/{load_id}/trend.json"


def check_docs(dataset: str, load_id: str) -> str:
    return f"checks/{dataset}/{load_id}/index.html"


def refusals(dataset: str) -> str:
    return f"{checks(dataset)}refused/"


def refusal(dataset: str, at: datetime, load_id: str) -> str:
    """That a load was refused. Its name says all; milliseconds count down, so that the newest is first in a listing."""
    return f"{refusals(dataset)}{REFUSAL_TOP - round(at.timestamp() * 1000):013d}-{load_id}.json"


def refused_load(key: str) -> tuple[datetime, str]:
    """(when, load_id) of a key that refusal() made."""
    number, _, load_id = key.rpartition("/")[2].removesuffix(".json").partition("-")
    return datetime.fromtimestamp((REFUSAL_TOP - int(number)) / 1000, UTC), load_id


def load_of_check(dataset: str, key: str) -> str:
    """load_id of what lies under checks()."""
    return refused_load(key)[1] if key.startswith(refusals(dataset)) else key.split("/")[2]


MODELS = "models/"


def uploads(model: str) -> str:
    return f"{MODELS}{model}/files/"


def model_files(model: str, upload_id: str) -> str:
    return f"models/{model}/files/{upload_id}/"


def model_versions(model: str) -> str:
    return f"models/{model}/versions/"


def model_version(model: str, number: int) -> str:
    return f"{model_versions(model)}{number}.json"


def checkpoints(model: str) -> str:
    return f"{MODELS}{model}/checkpoints/"


def checkpoints_of(model: str, fingerprint: str) -> str:
    """Of one candidate's training, while it is not committed."""
    return f"{checkpoints(model)}{fingerprint}/"


def checkpoint_manifests(model: str, fingerprint: str) -> str:
    return f"{checkpoints_of(model, fingerprint)}whole/"


def checkpoint(model: str, fingerprint: str, name: str) -> str:
    """Says that a checkpoint is whole, and which files it has."""
    return f"{checkpoint_manifests(model, fingerprint)}{name}.json"


def checkpoint_files(model: str, fingerprint: str, name: str) -> str:
    return f"{checkpoints_of(model, fingerprint)}files/{name}/"


def aliases(model: str) -> str:
    return f"models/{model}/aliases/"


def alias_move(model: str, number: int) -> str:
    return f"{aliases(model)}{ALIAS_TOP - number:010d}.json"


def corrections(dataset: str) -> str:
    return f"corrections/{dataset}/"


def corrections_of(dataset: str, sha256: str) -> str:
    """Of the rows of one raw file."""
    return f"{corrections(dataset)}{sha256}/"


def correction(dataset: str, sha256: str, number: int) -> str:
    return f"{corrections_of(dataset, sha256)}{number:06d}.json"


ERASURES = "erasures/"


def erasure_salt(dataset: str) -> str:
    return f"{ERASURES}{dataset}/salt"


def erased_subjects(dataset: str) -> str:
    return f"{ERASURES}{dataset}/subjects/"


def erased_subject(dataset: str, digest: str) -> str:
    """One person who is left out of every later load; `digest` is a salted hash."""
    return f"{erased_subjects(dataset)}{digest}.json"


def erasure_proof(dataset: str, time: str, token: str) -> str:
    return f"{ERASURES}{dataset}/proofs/{time}-{token}.json"


BASE_MODELS = "base-models/"
BASE_MODEL_MANIFEST = "manifest.json"


def base_model(name: str, revision: str) -> str:
    """In the common bucket."""
    return f"{BASE_MODELS}{name}/{revision}/"


def base_model_files(name: str, revision: str, upload_id: str) -> str:
    return f"{base_model(name, revision)}{upload_id}/"


def base_model_manifest(name: str, revision: str) -> str:
    """The commit of a base model: created after its files."""
    return f"{base_model(name, revision)}{BASE_MODEL_MANIFEST}"


def audit(day: date) -> str:
    """Records of what started on a day (UTC)."""
    return f"{AUDIT}/{day.isoformat()}/"


def audit_record(started: datetime, run_id: str, part: str) -> str:
    """`part`: started or ended. Both have the time of the start, so that they lie side by side."""
    started = started.astimezone(UTC)
    return f"{audit(started.date())}{started:%H%M%S.%f}-{run_id}.{part}.json"


def probe(token: str) -> str:
    """Where `socle doctor` tries what the storage can do."""
    return f".probe/{token}"
