"""What is taken at a glance is what a close look would have taken, with nothing more to say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import contract
from flows.project.columns import Column
from tests.contract.support import dataset, sample


@pytest.mark.parametrize(
    ("kind", "kept", "texts", "expected"),
    [
        ("integer", {}, ["1", "-2", None], True),
        ("integer", {}, ["1 234"], False),
        ("integer", {}, ["x"], False),
        ("number", {"decimal": ","}, ["1,5", "2", ""], True),
        ("number", {"decimal": ","}, ["1.5"], False),
        ("number", {}, ["1"], False),
        ("number", {"decimal": ".", "missing": ["NA"]}, ["1.5", "NA"], True),
        ("number", {"decimal": "."}, ["1.5", "NA"], False),
        ("date", {"format": "%d/%m/%Y"}, ["03/04/2024"], True),
        ("date", {"format": "%d/%m/%Y"}, ["04/13/2024"], False),
        ("date", {"iso": True}, ["2024-04-13"], True),
        ("date", {}, ["2024-04-13"], False),
        ("boolean", {}, ["oui", "non"], True),
        ("boolean", {}, ["x"], False),
        ("string", {}, ["NA", "1,5"], True),
    ],
)
def test_values_that_leave_nothing_open(kind, kept, texts, expected):
    assert contract.familiar(dataset({"c": kind}), {"c": kept} if kept else {}, sample(c=texts)) is expected


CELLS = st.sampled_from(
    [
        "",
        None,
        "1",
        "12",
        "1,5",
        "1.5",
        "1 234",
        "1.234",
        "1,234.5",
        "NA",
        "-",
        "x",
        "oui",
        "2024-04-13",
        "13/04/2024",
        "04/13/2024",
        "03/04/2024",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["integer", "number", "date", "boolean", "datetime"]),
    st.lists(CELLS, min_size=1, max_size=6),
    st.lists(CELLS, min_size=1, max_size=4),
)
def test_a_close_look_would_find_no_more(kind, before, texts):
    declared = dataset({"c": Column(type=kind)})
    kept, _, _ = contract.find_conventions(declared, sample(c=before))
    if not contract.familiar(declared, kept, sample(c=texts)):
        return
    assert contract.conflicts(declared, kept, sample(c=texts)) is None
    found, _, findings = contract.find_conventions(declared, sample(c=texts))
    assert {"missing"} >= set(found.get("c", {})) - set(kept.get("c", {})) - {"format", "iso"}
    assert contract.merged(kept, found).get("c", {}).get("decimal") == kept.get("c", {}).get("decimal")
    assert [f for f in findings if "do not fit" in f.text and not kept] == []
