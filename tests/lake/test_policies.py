"""What the policies say, as documents; what a real server makes of them is in tests/services/test_isolation.py."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.lake import keys
from flows.lake.policies import Principals, common_bucket, own_bucket, same, text
from flows.project import Project

WHO = Principals("arn:aws:iam:::user/{project}", "arn:aws:iam:::user/admin", "arn:aws:iam:::user/reader")
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


def project(name: str, shared: dict[str, list[str]]) -> Project:
    dataset = {
        "title": "x",
        "source": {"type": "file", "path": "x"},
        "format": {"type": "csv"},
        "columns": {"a": "string"},
    }
    made = Project.model_validate(
        {
            "title": "x",
            "ministry": "x",
            "owner": {"team": "x", "email": "x@example.gouv.fr"},
            "datasets": {dataset_name: dataset | {"shared_with": others} for dataset_name, others in shared.items()},
        }
    )
    object.__setattr__(made, "_name", name)
    return made


def allowed(document: dict[str, Any], who: str, action: str, resource: str, prefix: str | None = None) -> bool:
    """What S3 makes of a policy, for the few things that ours use."""
    verdicts = set()
    for s in document["Statement"]:
        principal = f"arn:aws:iam:::user/{who}" in s["Principal"]["AWS"]
        condition = s.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        fits = condition is None or (prefix is not None and any(_like(pattern, prefix) for pattern in condition))
        if principal and fits and any(_like(a, action) for a in s["Action"]) and any(_like(r, resource) for r in s["Resource"]):
            verdicts.add(s["Effect"])
    return verdicts == {"Allow"}


def _like(pattern: str, value: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value) is not None


ARN = "arn:aws:s3:::p-essai"


@given(
    st.dictionaries(NAMES, st.lists(NAMES, max_size=4), min_size=1, max_size=5),
    NAMES,
    NAMES,
    st.sampled_from(["raw", "tables", "quarantine", "checks", "models", "audit", ".probe"]),
)
def test_nobody_reads_more_than_what_is_shared_with_them(shared, other, name, kind):
    if other in ("essai", "admin", "reader"):
        return
    document = own_bucket("p-essai", project("essai", shared), WHO)
    may_read = kind == "tables" and other in shared.get(name, [])
    assert allowed(document, other, "s3:GetObject", f"{ARN}/{kind}/{name}/part.parquet") == may_read
    assert allowed(document, other, "s3:ListBucket", ARN, f"{kind}/{name}/_delta_log/") == may_read
    for prefix in (None, "", "tables/", "tables", f"tables/{name}"):
        assert not allowed(document, other, "s3:ListBucket", ARN, prefix)
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:PutObjectAcl"):
        assert not allowed(document, other, action, f"{ARN}/{kind}/{name}/part.parquet")
    for action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:ListBucketMultipartUploads", "s3:PutBucketAcl"):
        assert not allowed(document, other, action, ARN)


def test_a_project_works_in_its_bucket_and_keeps_its_audit_trail():
    document = own_bucket("p-essai", project("essai", {"demandes": []}), WHO)
    for key in ("raw/demandes/x", "tables/demandes/x", "models/theme/x", "checks/x", "quarantine/x", ".probe/x"):
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
            assert allowed(document, "essai", action, f"{ARN}/{key}")
    assert allowed(document, "essai", "s3:ListBucket", ARN)
    assert allowed(document, "essai", "s3:PutObject", f"{ARN}/audit/2026-11-24/x.json")
    assert allowed(document, "essai", "s3:GetObject", f"{ARN}/audit/2026-11-24/x.json")
    assert not allowed(document, "essai", "s3:DeleteObject", f"{ARN}/audit/2026-11-24/x.json")
    assert not allowed(document, "essai", "s3:DeleteObject", f"{ARN}/{keys.erased_subject('demandes', 'ab')}")
    for action in ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketVersioning", "s3:GetBucketPolicy"):
        assert not allowed(document, "essai", action, ARN)
    assert not allowed(document, "essai", "s3:PutObjectAcl", f"{ARN}/raw/x")
    assert allowed(document, "admin", "s3:DeleteObject", f"{ARN}/audit/x")
    assert allowed(document, "reader", "s3:GetObject", f"{ARN}/raw/x") and not allowed(document, "reader", "s3:PutObject", f"{ARN}/raw/x")


def test_all_projects_read_what_is_common_and_none_writes_it():
    arn = "arn:aws:s3:::p-commun"
    document = common_bucket("p-commun", ["essai", "voisin"], WHO)
    for who in ("essai", "voisin"):
        assert allowed(document, who, "s3:ListBucket", arn) and allowed(document, who, "s3:GetObject", f"{arn}/base-models/x")
        assert not allowed(document, who, "s3:PutObject", f"{arn}/base-models/x")
    assert not allowed(document, "autre", "s3:GetObject", f"{arn}/base-models/x")


def test_the_common_policy_of_300_projects_is_within_what_services_take():
    names = [f"projet-de-ministere-{number:03}" for number in range(300)]
    assert len(text(common_bucket("socle-commun", names, WHO))) < 20 << 10


def test_the_same_projects_give_the_same_document_in_any_order():
    shared = {"b": ["voisin", "lointain"], "a": ["lointain"]}
    turned = {name: others[::-1] for name, others in reversed(shared.items())}
    assert text(own_bucket("b", project("essai", shared), WHO)) == text(own_bucket("b", project("essai", turned), WHO))
    names = ["a", "b", "c"]
    assert text(common_bucket("b", names, WHO)) == text(common_bucket("b", names[::-1], WHO))


def test_two_documents_are_the_same_however_a_service_writes_them():
    wanted = own_bucket("b", project("essai", {"a": ["voisin", "lointain"]}), WHO)
    again = json.loads(text(wanted))
    random.Random(1).shuffle(again["Statement"])
    for statement in again["Statement"]:
        for field in ("Action", "Resource"):
            statement[field] = statement[field][::-1] if len(statement[field]) > 1 else statement[field][0]
        if len(statement["Principal"]["AWS"]) == 1:
            statement["Principal"]["AWS"] = statement["Principal"]["AWS"][0]
    assert same(json.dumps(again), wanted)
    next(s for s in again["Statement"] if s["Sid"] == "OwnBucket")["Action"] = "s3:*"
    assert not same(json.dumps(again), wanted)
    assert not same(None, wanted) and not same("not json", wanted)


@pytest.mark.parametrize("shared", [{"demandes": ["essai"]}, {"demandes": []}])
def test_sharing_with_oneself_or_nobody_adds_nothing(shared):
    document = own_bucket("b", project("essai", shared), WHO)
    assert not [s for s in document["Statement"] if s["Sid"].startswith(("List", "Read1"))]
