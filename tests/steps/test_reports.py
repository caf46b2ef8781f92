"""Reports in the lake: a trend goes from each version to the next, whatever is done in between."""

from __future__ import annotations

import pytest

from flows.lake import keys
from flows.lake.datasets import Dataset
from flows.lake.references import parse_own
from flows.quality.results import CheckReport
from flows.steps import open_run
from flows.steps.check import check_dataset
from flows.steps.reports import kept_trend, trend_of
from flows.steps.rollback import rollback
from tests.conftest import csv_text, rows

NOT_NULL = ("expect_column_values_to_not_be_null", {"column": "texte"})


@pytest.fixture
def loads(load, data, suite):
    """Load so many rows, one version each."""
    suite(NOT_NULL, ("expect_table_row_count_to_be_between", {"min_value": 3}))

    def loaded(*counts: int):
        outcome = None
        for count in counts:
            data(csv_text(rows(count)))
            outcome = load()
        return outcome

    return loaded


def points(load_id: str) -> list[int]:
    with open_run("essai") as run:
        return [p.total for p in kept_trend(run, "demandes", load_id).points]


def test_each_version_has_one_point_more(loads):
    assert points(loads(10, 20, 30).report.load_id) == [10, 20, 30]


def test_a_refused_load_sees_the_trend_and_is_in_no_other(loads):
    loads(10)
    refused = loads(2)
    assert refused.refused and points(refused.report.load_id) == [10, 2]
    assert points(loads(30).report.load_id) == [10, 30]


def test_it_reads_one_object_whatever_there_was_before(loads, monkeypatch):
    loads(10, 20, 30)
    from flows.lake.local import LocalObjects

    read, get = [], LocalObjects.get
    monkeypatch.setattr(LocalObjects, "get", lambda self, key: read.append(key) or get(self, key))
    assert points(loads(40).report.load_id) == [10, 20, 30, 40]
    assert len([key for key in read if key.startswith("checks/") and key.endswith("trend.json")]) == 2, "one to write, one by this test"
    assert not [key for key in read if key.endswith("index.html")]


def test_so_many_versions_as_the_setting_says(loads, monkeypatch):
    monkeypatch.setenv("SOCLE_TREND_VERSIONS", "2")
    assert points(loads(10, 20, 30).report.load_id) == [20, 30]


def test_without_trends_the_reports_before_are_read_once(loads):
    last = loads(10, 20, 30)
    with open_run("essai") as run:
        objects = run.lake.bucket("essai")
        for item in list(objects.list("checks/")):
            if item.key.endswith("trend.json"):
                objects.delete(item.key)
        assert [p.total for p in trend_of(run, "demandes", last.version).points] == [10, 20, 30]
    assert points(loads(40).report.load_id) == [10, 20, 30, 40]


def test_after_a_rollback_the_trend_is_that_of_what_is_served(loads):
    loads(10, 20)
    with open_run("essai") as run:
        rollback(run, parse_own("demandes@1", "essai"), "essai de retour")
    assert points(loads(30).report.load_id) == [10, 30]


def test_a_check_of_a_published_version_adds_to_its_own(loads):
    loads(10, 20)
    with open_run("essai") as run:
        _, found = check_dataset(run, "demandes")
    assert points(found.load_id) == [10, 20, 20]
    with open_run("essai") as run:
        version = Dataset(run.lake, "essai", "demandes").latest()
        result = CheckReport.from_json(run.lake.bucket("essai").get(keys.check_result("demandes", version.load.load_id)))
        assert result.passed == 2
