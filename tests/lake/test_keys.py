"""Names of buckets and the order of keys; the layout itself is a promise to other tools, so it is spelled out here."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ConfigurationError
from flows.lake import Lake, keys
from flows.project import NAME
from flows.settings import Settings

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # AWS, "Bucket naming rules"


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_newest_alias_move_is_listed_first(a: int, b: int) -> None:
    assert (a < b) == (keys.alias_move("theme", a) > keys.alias_move("theme", b))


@given(st.datetimes(datetime(2024, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_the_name_of_a_refusal_says_when_and_which_load_and_the_newest_is_listed_first(at: datetime) -> None:
    key, later = keys.refusal("demandes", at, "ab12"), keys.refusal("demandes", at + timedelta(milliseconds=2), "ab12")
    when, load_id = keys.refused_load(key)
    assert load_id == "ab12" == keys.load_of_check("demandes", key) and abs(when - at) < timedelta(milliseconds=1)
    assert later < key


def test_layout() -> None:
    assert keys.table("demandes") == "tables/demandes"
    assert keys.quarantine("demandes") == "quarantine/demandes"
    assert keys.raw("demandes", "ab12") == "raw/demandes/ab12"
    assert keys.raw_sidecar("demandes", "ab12") == "raw/demandes/ab12.json"
    assert keys.check_result("demandes", "load-1") == "checks/demandes/load-1/result.json"
    assert keys.refusals("demandes") == "checks/demandes/refused/"
    assert keys.load_of_check("demandes", "checks/demandes/load-1/result.json") == "load-1"
    assert keys.model_files("theme", "u1") == "models/theme/files/u1/"
    assert keys.model_version("theme", 12) == "models/theme/versions/12.json"
    assert keys.alias_move("theme", 1) == "models/theme/aliases/9999999998.json"
    assert keys.base_model("minilm", "r1") == "base-models/minilm/r1/"


@given(st.from_regex(NAME.replace("*", "{0,70}"), fullmatch=True))
def test_a_project_name_gives_a_name_that_s3_accepts_for_a_bucket_or_a_clear_error(project: str) -> None:
    lake = Lake(Settings(storage="s3://socle", s3_endpoint="http://127.0.0.1:1", s3_access_key="a", s3_secret_key="b"))
    try:
        name = lake.bucket_name(project)
    except ConfigurationError as error:
        assert repr(f"socle-{project}") in error.message
    else:
        assert name == f"socle-{project}"
        assert BUCKET.fullmatch(name)


def test_a_bucket_name_of_63_characters_is_the_longest(local: Lake) -> None:
    assert len(local.bucket_name("p" * 57)) == 63
    with pytest.raises(ConfigurationError, match="63"):
        local.bucket_name("p" * 58)


def test_a_lake_travels_to_another_process_after_it_was_used(lake: Lake) -> None:
    lake.bucket("essai").put("a", b"1")
    assert pickle.loads(pickle.dumps(lake)).bucket("essai").get("a") == b"1"


def test_making_a_lake_loads_neither_minio_nor_deltalake_nor_polars() -> None:
    import subprocess
    import sys

    code = "import sys, flows.lake.datasets, flows.lake.models, flows.lake.quarantine; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"minio", "deltalake", "polars", "pyarrow"}.isdisjoint(loaded)
