"""The real projects on the published files. They are outside the repository: without them, these tests are skipped."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from flows.lake import keys
from flows.lake.datasets import Dataset
from flows.quality.results import CheckReport
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.plan import plan_project
from flows.steps.quarantine import survey, values
from flows.training.evaluation import ranking
from tests.conftest import REPOSITORY
from tests.projects.as_on_pandas import same_answers_as_on_pandas
from tests.projects.conftest import load_all, root_of, table

DATA = REPOSITORY.parent / "shared" / "data"
FOOD, EQUALITY = "controles-alimentaires", "egalite-professionnelle"
FILES = {FOOD: DATA / "controles-alimentaires", EQUALITY: DATA / "egapro"}

pytestmark = pytest.mark.skipif(
    not all(list(folder.glob("*.csv")) for folder in FILES.values()), reason=f"the published files are not in {DATA}"
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = root_of(tmp_path_factory.mktemp("reels"), FOOD, EQUALITY, whole=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOCLE_ROOT", str(root))
        for project in (FOOD, EQUALITY):
            for path in FILES[project].glob("*.csv"):
                (root / "projects" / project / "data" / path.name).symlink_to(path)
            assert {o.action for o in load_all(project).values()} == {"loaded"}
    return root


@pytest.fixture(autouse=True)
def _root(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCLE_ROOT", str(loaded))


def versions(project: str, name: str):
    with open_run(project) as run:
        return list(reversed(Dataset(run.lake, project, name).history()))


def test_each_snapshot_is_a_version_and_its_rows_add_up():
    found = versions(FOOD, "inspections")
    assert [list(v.load.raw) for v in found] == [[f"data/instantane_2017-{day}.csv"] for day in ("04-20", "06-29", "08-22")]
    rows = [v.load.rows for v in found]
    assert [r["read"] for r in rows] == [3567, 11650, 19053]
    assert [r["refused"] for r in rows] == [2, 0, 1]
    assert all(r["read"] == r["kept"] + r["refused"] for r in rows)
    assert [table(str(v)).height for v in found] == [3565, 11650, 19052]


def test_rows_are_refused_for_a_double_number_and_for_an_invented_siret():
    with open_run(FOOD) as run:
        found = survey(run, "inspections")
        assert found.delta_version is not None
        known = values(run, "inspections", found.rows, found.delta_version)
    assert Counter(rule for row in found.rows for rule in row.rules) == {
        "key:numero_inspection:twice in this load": 2,
        "expect_column_values_to_match_regex:siret": 1,
    }
    said = {(row.file[-14:-4], known[row.id].first["numero_inspection"], known[row.id].first["siret"]) for row in found.rows}
    assert said == {
        ("2017-04-20", "17-029473-1", "50985607600021"),
        ("2017-04-20", "17-012900-1", "77738184900010"),
        ("2017-08-22", "17-074928-1", "ADFMORGANISATION001"),
    }


def test_columns_mean_the_same_in_every_snapshot():
    first, last = table(f"{FOOD}/inspections@1"), table(f"{FOOD}/inspections@3")
    assert first.schema == last.schema
    both = first.join(last, on="numero_inspection")
    changed = {c: both.filter(pl.col(c).ne_missing(pl.col(f"{c}_right"))).height for c in ("adresse", "commune", "date_inspection")}
    assert both.height == 3290 and changed["date_inspection"] == 0 and max(changed.values()) < 60, changed
    assert last["adresse_complete"].null_count() == last["localite"].null_count() == last.height
    jumbo = first.row(by_predicate=pl.col("numero_inspection") == "17-013221-1", named=True)
    assert (jumbo["adresse"], jumbo["adresse_complete"]) == ("BP 459", "BP 459 RN1 / HAMAHA BP 459")
    assert (jumbo["siret"], jumbo["latitude"], jumbo["longitude"]) == ("02404912400142", -12.790089, 45.192697)
    assert jumbo["date_inspection"].isoformat() == "2017-03-01T00:00:00+00:00"
    assert last["commune"].null_count() == 47 and last["latitude"].null_count() == 820


def test_results_that_were_taken_down_are_gone_and_earlier_versions_still_have_them():
    one, two = table(f"{FOOD}/inspections@1"), table(f"{FOOD}/inspections@2")
    gone = one.join(two, on="numero_inspection", how="anti")
    assert gone.height == 185
    assert dict(gone["evaluation"].value_counts().iter_rows())["A améliorer"] == 96


def test_declarations_are_joined_without_losing_or_doubling_one():
    counts = {name: table(f"{EQUALITY}/{name}@1").height for name in ("declarations", "entreprises", "naf", "declarations-enrichies")}
    assert counts == {"declarations": 12339, "entreprises": 7361, "naf": 732, "declarations-enrichies": 12339}
    rows = table(f"{EQUALITY}/declarations-enrichies@1")
    assert dict(rows["sous_le_seuil"].value_counts().iter_rows()) == {True: 1575, False: 9143, None: 1621}
    unmatched = rows.filter(~pl.col("activite_connue")).select("siren", "entreprise_connue", "activite_principale")
    assert sorted(unmatched.iter_rows()) == [("379777972", True, "15.1C"), ("820131035", False, None)]
    adobe = rows.row(by_predicate=(pl.col("siren") == "350381968") & (pl.col("annee") == 2018), named=True)
    assert (adobe["note"], adobe["section"], adobe["libelle_section"]) == (84, "J", "Information et communication")


def report(run, version) -> CheckReport:
    return CheckReport.from_json(run.lake.bucket(version.project).get(keys.check_result(version.dataset, version.load.load_id)))


def test_unmatched_rows_are_counted_by_the_checks():
    with open_run(EQUALITY) as run:
        found = report(run, Dataset(run.lake, EQUALITY, "declarations-enrichies").latest())
    counted = {r.arguments["column"]: r.unexpected for r in found.results if r.arguments.get("column", "").endswith("_connue")}
    assert counted == {"entreprise_connue": 1, "activite_connue": 2} and found.verdict == "passed"


def test_every_check_of_every_version_was_met():
    for project in (FOOD, EQUALITY):
        with open_run(project) as run:
            for name in run.project.datasets:
                for version in Dataset(run.lake, project, name).history():
                    found = report(run, version)
                    assert found.results and [r.text for r in found.failed] == []


def test_nobody_is_shown_where_there_is_personal_data():
    with open_run(FOOD) as run:
        for version in Dataset(run.lake, FOOD, "inspections").history():
            shown = [e for r in report(run, version).results for e in r.examples]
            assert not [e for e in shown if re.search(r"\w\w", e)], "not one word of a value"


def test_companies_at_risk_come_first_and_no_score_is_read():
    """What is promised is what chance does not give, on the year after: not that boosting wins."""
    with open_run(EQUALITY) as run:
        model = run.project.models["risque"]
        assert not {"note", "note_precedente", "sous_le_seuil", "deja_notee", "siren", "raison_sociale", "annee"} & set(model.inputs)
        outcome = finetune_model(run, "risque")
        assert [v.candidate["kind"] for v in outcome.versions] == ["linear", "boosting"] and outcome.decision.promoted
        for version in outcome.versions:
            assert version.dataset["rows"] == {"train": 4216, "validation": 1091, "test": 5411}
            assert version.dataset["left_out"] == {"without_label": 1621}
            found = version.metrics["test"]["ranking"]
            assert found["positives"] == 551 and found["base_rate"]["value"] == pytest.approx(551 / 5411)
            assert found["average_precision"]["low"] > 1.3 * 551 / 5411 and found["lift_at_10pct"]["low"] > 1.4
            counts = {i["input"] for i in version.fitted["importance"]["inputs"][:3]}
            assert counts & {"activite_principale", "division", "section"}


def test_a_company_noted_in_2018_is_ranked_better_by_that_score_than_by_the_model():
    """What README.md of the project says, so that nobody takes the model for more than it is."""
    rows = table(f"{EQUALITY}/declarations-enrichies@1").filter(
        pl.col("note").is_not_null() & (pl.col("annee") == 2019) & pl.col("deja_notee")
    )
    truth = rows["sous_le_seuil"].cast(pl.Int8).to_numpy()
    by_score = ranking.evaluate(truth, -rows["note_precedente"].cast(pl.Float64).to_numpy())
    assert by_score["average_precision"]["value"] == pytest.approx(0.334, abs=0.001)


def test_nothing_is_left_to_do():
    for project in (FOOD, EQUALITY):
        with open_run(project) as run:
            if run.project.models:
                finetune_model(run, "risque")
            assert plan_project(run).is_empty


@pytest.mark.parametrize("project", [FOOD, EQUALITY])
def test_suites_answer_as_on_pandas(loaded: Path, project: str) -> None:
    """Every suite of these projects, on the tables that they have, by Great Expectations on Polars and on pandas."""
    from flows.steps.plan import suites_of

    with open_run(project) as run:
        for name in run.project.datasets:
            rows = Dataset(run.lake, project, name).scan(versions(project, name)[-1].number).collect()
            same_answers_as_on_pandas(rows, suites_of(run, name))
