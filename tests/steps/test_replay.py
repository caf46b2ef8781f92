"""Refused rows come in once, when the rule, the transform or the rows were put right; what cannot come in stays, with its rules."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.errors import Refused
from flows.lake.datasets import Dataset
from flows.steps import open_run
from flows.steps.correct import ID, Corrected, correct, export
from flows.steps.ingest import LoadOutcome
from flows.steps.quarantine import Survey, survey
from flows.steps.replay import NOTHING_OPEN, SAME_RULES, Replayed, replay
from flows.texts import replay_summary
from tests.conftest import csv_text

GOOD = [("d1", "un", "paie"), ("d2", "deux", "paie")]
BAD = [("d3", "", "paie"), ("d4", "", "contrat")]


@pytest.fixture(autouse=True)
def _quarantines(edit: Callable[[str, str], None]) -> None:
    edit("on_failure: block", "on_failure: quarantine")
    edit("texte: string", "texte: {type: string, required: true}")


@pytest.fixture
def again(root: Path) -> Callable[..., Replayed]:
    def replayed(**chosen: str) -> Replayed:
        with open_run("essai") as run:
            return replay(run, "demandes", **chosen)

    return replayed


@pytest.fixture
def looked(root: Path) -> Callable[[], Survey]:
    def look() -> Survey:
        with open_run("essai") as run:
            return survey(run, "demandes")

    return look


@pytest.fixture
def corrected(root: Path, tmp_path: Path) -> Callable[..., Corrected]:
    """Export, change cells as a person does, read back. `changes`: id of the row in the data -> column -> text."""

    def change(changes: dict[str, dict[str, str]]) -> Corrected:
        path = tmp_path / f"export-{len(list(tmp_path.glob('export-*')))}.csv"
        with open_run("essai") as run:
            export(run, "demandes", path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = csv.reader(file, delimiter=";")
        for line in lines:
            for column, text in changes.get(line[header.index("id")], {}).items():
                line[header.index(column)] = text
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, *lines])
        with open_run("essai") as run:
            return correct(run, "demandes", path)

    return change


def said(done: Replayed) -> str:
    with open_run("essai") as run:
        return replay_summary.text(run, done)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def record(number: int) -> Any:
    with open_run("essai") as run:
        return next(v.load for v in Dataset(run.lake, "essai", "demandes").history() if v.number == number)


# ---- replace -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchecked")
def test_corrected_rows_of_a_replaced_table_come_in_once(data, load, again, looked, corrected, served, history) -> None:
    data(csv_text(GOOD + BAD))
    first = load()
    assert first.report.rows == {"read": 4, "kept": 2, "refused": 2, "total": 2}
    assert corrected({"d3": {"texte": "trois"}}).unchanged == 1
    done = again()
    assert (done.tried, done.let_in, done.refused) == (2, 1, 1)
    assert ids(served()) == ["d1", "d2", "d3"]
    assert looked().counts == {"open": 1, "held": 0, "let in": 1, "closed": 1, "expired": 0}
    assert record(2).replayed["rows"] == 2
    assert "**2 lignes reprises** : 1 entrée, 1 écartée de nouveau.\n\nLa version 2 est servie." in said(done)
    assert again().reasons == [SAME_RULES] and "personne ne les a corrigées" in said(again())
    assert load().action == "nothing"  # the same bytes: neither lost nor doubled
    assert history() == [2, 1]


@pytest.mark.usefixtures("unchecked")
def test_a_correction_holds_when_the_same_bytes_are_loaded_again(data, load, again, corrected, served, edit) -> None:
    data(csv_text(GOOD + BAD))
    load()
    corrected({"d3": {"texte": "trois"}, "d4": {"texte": "quatre"}})
    again()
    edit("theme: string", "theme: {type: string, required: true}")
    assert load().action == "loaded"
    assert ids(served()) == ["d1", "d2", "d3", "d4"]
    data(csv_text([*GOOD, ("d3", "", "paie")]))  # other bytes: whoever sent them has to be corrected again
    load()
    assert ids(served()) == ["d1", "d2"]


@pytest.mark.usefixtures("unchecked")
def test_a_correction_without_a_replay_comes_in_with_the_next_load(data, load, looked, corrected, served) -> None:
    data(csv_text(GOOD + BAD))
    load()
    corrected({"d3": {"texte": "trois"}, "d4": {"texte": "quatre"}})
    assert load().reasons == ["corrections changed"]
    assert ids(served()) == ["d1", "d2", "d3", "d4"]
    assert looked().counts["open"] == 0


def test_a_rule_that_was_put_right_lets_its_rows_in(data, load, again, suite, served, looked) -> None:
    suite(("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["paie"]}))
    data(csv_text([*GOOD, ("d3", "trois", "contrat")]))
    load()
    assert [row.rules for row in looked().open()] == [["expect_column_values_to_be_in_set:theme"]]
    suite(("expect_column_values_to_be_in_set", {"column": "theme", "value_set": ["paie", "contrat"]}))
    assert again().let_in == 1
    assert ids(served()) == ["d1", "d2", "d3"]
    assert load().action == "nothing"


@pytest.mark.usefixtures("unchecked")
def test_a_part_of_the_rows_of_a_replaced_table_is_added_to_it(data, load, again, corrected, served, looked) -> None:
    data(csv_text([*GOOD, ("d3", "", "paie"), ("", "sans identifiant", "paie")]))
    load()
    corrected({"d3": {"texte": "trois"}, "": {"id": "d4"}})
    done = again(rule="required:texte")
    assert (done.tried, done.let_in) == (1, 1)
    assert ids(served()) == ["d1", "d2", "d3"]
    assert [row.rules for row in looked().open()] == [["required:id"]]
    assert load().action == "loaded"  # made again, with all corrections
    assert ids(served()) == ["d1", "d2", "d3", "d4"]


@pytest.mark.usefixtures("unchecked")
def test_rows_of_bytes_that_were_replaced_are_closed(data, load, again, looked, corrected) -> None:
    data(csv_text(GOOD + BAD))
    load()
    data(csv_text(GOOD))
    load()
    assert looked().counts == {"open": 0, "held": 0, "let in": 0, "closed": 2, "expired": 0}
    assert again().reasons == [NOTHING_OPEN]


# ---- append --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("append", "unchecked")
def test_corrected_rows_are_appended_once(data, load, again, looked, corrected, served, history) -> None:
    data(csv_text(GOOD + BAD))
    load()
    data(csv_text([("d5", "cinq", "paie"), ("d6", "", "paie")]), "b.csv")
    load()
    corrected({"d3": {"texte": "trois"}, "d6": {"texte": "six"}})
    done = again()
    assert (done.tried, done.let_in, done.refused) == (2, 2, 0)  # what nothing has changed for is not tried
    assert ids(served()) == ["d1", "d2", "d3", "d5", "d6"]
    assert record(3).rows == {"read": 2, "kept": 2, "refused": 0, "total": 5}
    assert record(3).raw == {}
    assert looked().counts == {"open": 1, "held": 0, "let in": 2, "closed": 0, "expired": 0}
    assert again().reasons == [SAME_RULES]
    assert load().action == "nothing"
    assert history() == [3, 2, 1]


@pytest.mark.usefixtures("append", "unchecked")
def test_rows_that_fail_again_stay_with_their_new_rules(data, load, again, looked, corrected, served) -> None:
    data(csv_text(GOOD + BAD))
    load()
    corrected({"d3": {"texte": "trois"}, "d4": {"texte": "quatre", "id": "d1"}})
    done = again()
    assert (done.let_in, done.refused) == (1, 1)
    (row,) = looked().open()
    assert row.rules == ["key:id:twice in this load", "key:id:already in the table"]
    assert again().reasons == [SAME_RULES]
    corrected({"d1": {"id": "d4"}})
    assert again().let_in == 1
    assert [(r["id"], r["texte"]) for r in served()][2:] == [("d3", "trois"), ("d4", "quatre")]
    assert looked().counts == {"open": 0, "held": 0, "let in": 2, "closed": 0, "expired": 0}


@pytest.mark.usefixtures("append", "unchecked")
def test_rows_that_all_fail_again_make_no_version(data, load, again, looked, corrected, history) -> None:
    data(csv_text(GOOD + BAD))
    load()
    corrected({"d3": {"id": "d1", "texte": "trois"}})
    done = again()
    assert (done.exit_code, done.let_in, done.refused) == (1, 0, 1)
    assert history() == [1]
    assert sorted(row.rules[-1] for row in looked().open()) == ["key:id:already in the table", "required:texte"]
    assert again().reasons == [SAME_RULES]


@pytest.mark.usefixtures("append", "unchecked")
def test_one_load_or_one_rule_is_replayed_alone(data, load, again, looked, corrected, served) -> None:
    data(csv_text(GOOD + BAD))
    load()
    data(csv_text([("d6", "", "paie"), ("d5", "cinq", "paie")]), "b.csv")
    load()
    corrected({"d3": {"texte": "trois"}, "d6": {"texte": "six"}})
    newest = looked().loads[-1].load_id
    assert again(load=newest[:8]).let_in == 1
    assert ids(served()) == ["d1", "d2", "d5", "d6"]


@pytest.mark.usefixtures("append", "unchecked")
def test_a_rollback_before_a_replay_opens_its_rows_again(data, load, again, looked, corrected, served) -> None:
    from flows.lake.references import parse
    from flows.steps.rollback import rollback

    data(csv_text(GOOD + BAD))
    load()
    corrected({"d3": {"texte": "trois"}, "d4": {"texte": "quatre"}})
    again()
    with open_run("essai") as run:
        rollback(run, parse("essai/demandes@1"), "essai")
    assert looked().counts["open"] == 2
    assert again().let_in == 2
    assert ids(served()) == ["d1", "d2", "d3", "d4"]


@pytest.mark.usefixtures("append", "unchecked")
def test_a_transform_that_was_put_right_lets_its_rows_in(data, root, edit, load, again, served) -> None:
    transform = root / "projects" / "essai" / "transform.py"
    transform.write_text("def rows(records):\n    for r in records:\n        yield r | {'texte': r['texte'][:3]}\n", encoding="utf-8")
    edit("key: [id]", "key: [id]\n    transform: transform.py:rows")
    edit("theme: string", "theme: integer")
    data(csv_text([("d1", "un", "1"), ("d2", "deux", "2 %")]))
    load()
    transform.write_text(
        "def rows(records):\n    for r in records:\n        yield r | {'theme': r['theme'].rstrip(' %')}\n", encoding="utf-8"
    )
    assert again().let_in == 1
    assert [(r["id"], r["theme"]) for r in served()] == [("d1", 1), ("d2", 2)]


@pytest.mark.usefixtures("append", "unchecked")
def test_rows_that_cannot_be_told_any_more_are_not_guessed(data, root, edit, load, again, history) -> None:
    transform = root / "projects" / "essai" / "transform.py"
    transform.write_text("def rows(records):\n    yield from records\n", encoding="utf-8")
    edit("key: [id]", "key: [id]\n    transform: transform.py:rows")
    data(csv_text(GOOD + BAD))
    load()
    transform.write_text("def rows(records):\n    for r in records:\n        if r['id'] != 'd1':\n            yield r\n", encoding="utf-8")
    with pytest.raises(Refused, match="cannot be told"):
        again()
    assert history() == [1]


# ---- upsert --------------------------------------------------------------------------------------------------------


@pytest.fixture
def upsert(edit: Callable[[str, str], None]) -> None:
    edit("key: [id]", "key: [id]\n    mode: upsert")


@pytest.mark.usefixtures("upsert", "unchecked")
def test_corrected_rows_are_merged(data, load, again, corrected, served) -> None:
    data(csv_text(GOOD))
    load()
    data(csv_text([("d1", "", "contrat"), ("d3", "", "paie")]))
    data(csv_text([("d2", "deux bis", "paie"), ("d1", "", "contrat"), ("d3", "", "paie")]))
    load()
    corrected({"d1": {"texte": "un bis"}, "d3": {"texte": "trois"}})
    assert again().let_in == 2
    assert [(r["id"], r["texte"]) for r in served()] == [("d1", "un bis"), ("d2", "deux bis"), ("d3", "trois")]
    assert load().action == "nothing"


@pytest.mark.usefixtures("upsert", "unchecked")
def test_an_old_row_is_not_merged_over_a_newer_one(data, load, again, looked, corrected, served) -> None:
    data(csv_text([*GOOD, ("d3", "", "paie")]))
    load()
    data(csv_text([*GOOD, ("d3", "trois, plus tard", "paie")]).replace("trois, plus tard", '"trois, plus tard"'))
    load()
    corrected({"d3": {"texte": "trois, avant"}})
    assert again().let_in == 0
    assert [r["texte"] for r in served() if r["id"] == "d3"] == ["trois, plus tard"]
    assert [row.rules for row in looked().open()] == [["key:id:changed by a later load"]]


@pytest.mark.usefixtures("upsert", "unchecked")
def test_a_row_whose_key_its_own_load_had_before_it_stays_refused(data, load, again, looked, corrected, served) -> None:
    data(csv_text([*GOOD, ("d1", "", "contrat")]))
    load()
    corrected({"d1": {"texte": "un autre"}})
    assert again().let_in == 0
    assert [r["texte"] for r in served()] == ["un", "deux"]
    assert [row.rules for row in looked().open()] == [["key:id:twice in this load"]]


# ---- a load that was refused as a whole ----------------------------------------------------------------------------


@pytest.mark.usefixtures("unchecked")
def test_rows_of_a_refused_load_come_in_with_all_of_it(data, edit, load, again, looked, corrected, served) -> None:
    edit("on_failure: quarantine", "on_failure: block")
    data(csv_text(GOOD + BAD))
    assert load().refused
    assert looked().counts == {"open": 0, "held": 2, "let in": 0, "closed": 0, "expired": 0}
    assert again().exit_code == 1
    corrected({"d3": {"texte": "trois"}, "d4": {"texte": "quatre"}})
    done = again()
    assert done.outcomes[0].action == "loaded"
    assert ids(served()) == ["d1", "d2", "d3", "d4"]
    assert looked().counts["held"] == 0
    assert again().reasons == [NOTHING_OPEN]


# ---- once, whatever happens ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("append", "unchecked")
@pytest.mark.parametrize("at", ["add", "put", "commit"])
def test_a_replay_that_is_cut_is_done_by_the_next(at, data, load, again, looked, corrected, served, history, monkeypatch) -> None:
    from flows.lake.local import LocalObjects
    from flows.lake.quarantine import Quarantine

    data(csv_text(GOOD + BAD))
    load()
    corrected({"d3": {"texte": "trois"}, "d4": {"texte": "quatre"}})

    class Killed(BaseException):
        pass

    target = {"add": (Quarantine, "add"), "put": (LocalObjects, "put"), "commit": (Dataset, "commit")}[at]
    with monkeypatch.context() as patch:
        done = getattr(*target)

        def cut(*args: Any, **kwargs: Any) -> Any:
            if at != "commit" and not str(args[1:2]).count("raw/"):
                done(*args, **kwargs)
                raise Killed
            if at == "commit":
                raise Killed
            return done(*args, **kwargs)

        patch.setattr(*target, cut)
        with pytest.raises(Killed):
            again()
    assert history() == [1]
    assert looked().counts["open"] == 2
    assert again().let_in == 2
    assert again().reasons == [NOTHING_OPEN]
    assert ids(served()) == ["d1", "d2", "d3", "d4"]


@pytest.mark.usefixtures("append", "unchecked")
def test_a_replay_that_meets_another_load_looks_again(data, load, again, corrected, served, monkeypatch) -> None:
    import flows.steps.replay as module

    data(csv_text(GOOD + BAD))
    load()
    corrected({"d3": {"texte": "trois"}})
    publish, calls = module.publish, []

    def late(*args: Any) -> LoadOutcome:
        calls.append(1)
        if len(calls) == 1:
            data(csv_text([("d9", "neuf", "paie")]), "b.csv")
            assert load().action == "loaded"
        return publish(*args)

    monkeypatch.setattr(module, "publish", late)
    assert again().let_in == 1
    assert ids(served()) == ["d1", "d2", "d3", "d9"]


@pytest.mark.usefixtures("append", "unchecked")
def test_rows_whose_bytes_were_withdrawn_come_from_the_quarantine(data, load, again, corrected, served) -> None:
    from flows.steps.purge import purge

    data(csv_text(GOOD + BAD))
    load()
    with open_run("essai") as run:
        purge(run, "demandes", {"id": "d2"})
    corrected({"d3": {"texte": "trois"}})
    assert again().let_in == 1
    assert ids(served()) == ["d1", "d3"]


@pytest.mark.usefixtures("append", "unchecked")
def test_export_and_back_give_each_id_once(root, data, load, tmp_path) -> None:
    data(csv_text(GOOD + BAD))
    load()
    with open_run("essai") as run:
        assert export(run, "demandes", tmp_path / "a.csv") == 2
    text = (tmp_path / "a.csv").read_text(encoding="utf-8-sig")
    assert text.startswith(ID)
    assert json.dumps(text).count("required") == 0  # in French
