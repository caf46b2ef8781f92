"""Erasure: after it, the person's values are in no object of the bucket, everybody else's rows are as before, and nobody comes back."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError, NotFound
from flows.lake import keys
from flows.lake.contents import Needle
from flows.lake.datasets import Dataset
from flows.lake.erasures import Erasures
from flows.lake.local import LocalObjects
from flows.lake.quarantine import Quarantine
from flows.lake.references import Reference
from flows.steps import open_run
from flows.steps.identity import LeftOut, person
from flows.steps.purge import purge
from tests.conftest import csv_text, rows
from tests.sources.test_npm import CLIENT, archive, integrity

PERSON = "d00003"
SECRETS = (PERSON, "zzz-secret-3", "question 3 sur")
"""The key, the largest value of a column, and the text: all are the person's."""


def with_person(count: int, start: int = 0) -> str:
    """Rows of which the person's has the largest `texte`, so that statistics would repeat it."""
    lines = [(i, "zzz-secret-3 question 3 sur moi" if i == PERSON else t, theme) for i, t, theme in rows(count, start)]
    return csv_text(lines)


def without_person(count: int) -> list[dict[str, str]]:
    return [dict(zip(("id", "texte", "theme"), row, strict=True)) for row in rows(count) if row[0] != PERSON]


@pytest.fixture
def erase(root):
    def run(given=None, **more):
        with open_run("essai") as opened:
            return purge(opened, "demandes", given or {"id": PERSON}, **more)

    return run


@pytest.fixture
def leaks(root):
    """Keys of objects in which a value of the person can be found, by means of our own: not those that purge uses."""

    def found(values=SECRETS) -> list[str]:
        with open_run("essai") as run:
            objects = run.lake.bucket("essai")
            return [o.key for o in objects.list() if any(v in _everything(objects.get(o.key)) for v in values)]

    return found


def _everything(data: bytes) -> str:
    if data[:4] == b"PAR1":
        frame = pl.read_parquet(io.BytesIO(data))
        return json.dumps(frame.to_dicts(), default=str, ensure_ascii=False) + data.decode("latin-1")
    return data.decode("utf-8", errors="replace")


@pytest.fixture
def old_table(monkeypatch):
    """Tables as other programs write them: the log repeats the largest values."""
    from flows.lake import datasets

    plain = datasets.upload

    def with_values(objects, dataset, files):
        largest = [pl.read_parquet(file.path)["texte"].max() for file in files]
        actions = plain(objects, dataset, files)
        return [replace(a, stats=json.dumps({"maxValues": {"texte": v}})) for a, v in zip(actions, largest, strict=True)]

    monkeypatch.setattr(datasets, "TABLE_CONFIGURATION", {"delta.enableExpiredLogCleanup": "false"})
    monkeypatch.setattr(datasets, "upload", with_values)


def test_a_person_is_gone_from_every_object_and_the_others_are_as_before(load, data, unchecked, old_table, erase, leaks, served, history):
    for count in (10, 20):
        data(with_person(count))
        load()
    places = {key.split("/")[0] for key in leaks()}
    assert places == {"raw", "tables"}
    assert any("_delta_log" in key for key in leaks()), "the log repeats the smallest and largest values"
    done = erase(reason="demande 2026-17")
    assert leaks() == []
    assert done.is_clean and done.verification["mentions"] == []
    assert (done.rows, done.versions_expired, done.version) == (1, ["essai/demandes@1", "essai/demandes@2"], "essai/demandes@3")
    assert len(done.raw) == 2
    assert served() == without_person(20)
    assert history() == [3, 2, 1]


def test_the_proof_says_all_and_names_nobody(load, data, unchecked, erase, root):
    data(with_person(10))
    load()
    done = erase(reason="demande 2026-17")
    with open_run("essai") as run:
        proof = json.loads(run.lake.bucket("essai").get(done.proof))
    assert proof["reason"] == "demande 2026-17" and proof["columns"] == ["id"] and proof["rows"] == 1
    assert proof["versions_expired"] == ["essai/demandes@1"] and proof["version"] == "essai/demandes@2"
    assert proof["verification"]["objects_read"] > 3 and proof["verification"]["rows_left"] == []
    assert proof["searched"] == {"data files": 1, "raw files": 1}
    assert proof["started"] <= proof["finished"]
    assert not any(value in json.dumps(proof) for value in SECRETS)


def test_versions_that_held_the_person_are_known_as_erased(load, data, unchecked, erase, root, served):
    data(csv_text(rows(3)))  # before the person came
    load()
    data(with_person(10))
    load()
    erase()
    assert len(served(1)) == 3
    with open_run("essai") as run, pytest.raises(NotFound) as gone:
        Dataset(run.lake, "essai", "demandes").resolve(Reference("essai", "demandes", 2))
    assert "effacée le" in gone.value.french and "Versions gardées : 3, 1" in gone.value.french


def test_the_source_does_not_bring_the_person_back(load, data, unchecked, erase, leaks, served):
    data(with_person(10))
    load()
    erase()
    assert load().action == "nothing", "the source is as it was"
    data(with_person(30))
    outcome = load()
    assert outcome.report.rows == {"read": 30, "kept": 29, "refused": 0, "total": 29, "erased": 1}
    assert served() == without_person(30)
    assert leaks() == [], "neither in the table nor in the bytes that came"
    assert load().action == "nothing"


def test_bytes_without_the_person_are_kept_as_ever(load, data, append, unchecked, erase, leaks, root):
    data(with_person(10))
    load()
    erase()
    data(csv_text(rows(10, 10)), "suite.csv")
    outcome = load()
    with open_run("essai") as run:
        (sha,) = outcome.version.load.raw.values()
        assert run.lake.bucket("essai").stat(keys.raw("demandes", sha)) is not None
    assert outcome.report.rows["total"] == 19 and leaks() == []


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_in_every_mode_the_person_stays_out(load, data, edit, unchecked, erase, served, leaks, mode):
    edit("key: [id]", f"key: [id]\n    mode: {mode}")
    data(with_person(10))
    load()
    data(with_person(5) if mode == "upsert" else csv_text(rows(10, 10)), "suite.csv" if mode == "append" else "demandes.csv")
    load()
    erase()
    assert leaks() == []
    assert load().action == "nothing"
    data(with_person(8), "encore.csv")
    load()
    assert PERSON not in {r["id"] for r in served()} and leaks() == []


def test_refused_rows_and_samples_of_the_person_go(load, data, edit, suite, erase, leaks, root):
    edit("on_failure: block", "on_failure: quarantine")
    suite(("expect_column_values_to_not_match_regex", {"column": "texte", "regex": "secret"}))
    data(with_person(10))
    first = load()
    assert first.report.rows["refused"] == 1
    assert {k.split("/")[0] for k in leaks()} == {"checks", "quarantine", "raw"}
    done = erase()
    assert leaks() == []
    assert (done.rows, done.refused_rows, done.quarantine_files) == (0, 1, 1)
    with open_run("essai") as run:
        assert Quarantine(run.lake, "essai", "demandes").rows(first.report.load_id) == []


def test_samples_in_reports_and_pages_go(load, data, edit, suite, erase, leaks, root):
    edit("on_failure: block", "on_failure: warn")
    suite(("expect_column_values_to_not_match_regex", {"column": "texte", "regex": "secret"}))
    data(with_person(10))
    first = load()
    assert sum(key.startswith("checks/") for key in leaks()) == 2
    done = erase()
    assert leaks() == [] and done.checks == 1
    with open_run("essai") as run:
        page = run.lake.bucket("essai").get(keys.check_docs("demandes", first.report.load_id))
    assert page.rstrip().endswith(b"</html>")


def test_a_model_that_learnt_from_the_person_is_named_and_trained_again(load, train, data, unchecked, erase):
    data(with_person(90))
    load()
    train()
    done = erase()
    assert done.models == ["essai/theme@1"]
    assert train().trained == [2], "the new version is other data"


def test_again_finds_nothing_and_says_so(load, data, unchecked, erase, history):
    data(with_person(10))
    load()
    first, again = erase(), erase()
    assert not again.found_anything and again.is_clean
    assert again.versions_expired == first.versions_expired, "the proof of the second run is whole, too"
    assert again.subject == first.subject
    assert history() == [2, 1]


def test_a_dry_run_changes_nothing(load, data, unchecked, erase, leaks, root):
    data(with_person(10))
    load()
    with open_run("essai") as run:
        before = {o.key: o.tag for o in run.lake.bucket("essai").list()}
    done = erase(dry_run=True)
    assert (done.rows, done.versions_expired, len(done.raw)) == (1, ["essai/demandes@1"], 1)
    with open_run("essai") as run:
        assert {o.key: o.tag for o in run.lake.bucket("essai").list()} == before


def test_somebody_unknown_is_left_out_from_now_on(load, data, unchecked, erase, served):
    data(csv_text(rows(3)))
    load()
    assert not erase().found_anything
    data(with_person(10))
    load()
    assert served() == without_person(10)


def test_a_key_of_several_columns(load, data, edit, unchecked, erase, served):
    edit("key: [id]", "key: [id, theme]")
    data("id,texte,theme\n7,un,paie\n7,deux,contrat\n8,trois,paie\n")
    load()
    done = erase({"id": "7", "theme": "paie"})
    assert done.is_clean
    assert [(r["id"], r["theme"]) for r in served()] == [("7", "contrat"), ("8", "paie")]
    data("id,texte,theme\n7,un,paie\n7,deux,contrat\n9,trois,paie\n")
    load()
    assert [(r["id"], r["theme"]) for r in served()] == [("7", "contrat"), ("9", "paie")]


def test_any_column_may_name_the_person_and_types_are_those_of_the_contract(load, data, edit, unchecked, erase, served):
    edit("id: string", "id: string, numero: integer")
    data("id,numero,texte,theme\na,007,un,paie\nb,7,deux,contrat\nc,70,trois 7,paie\n")
    load()
    done = erase({"numero": "7"})
    assert done.rows == 2 and done.is_clean
    assert [r["id"] for r in served()] == ["c"]


def test_a_short_value_in_the_text_of_others_is_only_a_mention(load, data, unchecked, erase, served, root):
    data("id,texte,theme\n7,un,paie\n8,le 7 rue de la Paix,contrat\n")
    load()
    done = erase({"id": "7"})
    assert done.is_clean and [r["id"] for r in served()] == ["8"]
    assert any(key.startswith("tables/") for key in done.verification["mentions"])


@pytest.mark.parametrize(("given", "said"), [({"nom": "x"}, "no column nom"), ({"id": " "}, "has no value"), ({"id": ""}, "has no value")])
def test_what_cannot_be_a_key_is_refused(erase, given, said):
    with pytest.raises(ConfigurationError, match=said):
        erase(given)


def test_a_reason_with_the_value_is_refused_without_repeating_it(erase):
    with pytest.raises(ConfigurationError) as refused:
        erase(reason=f"demande de {PERSON}")
    assert PERSON not in str(refused.value)


def test_a_load_that_began_before_and_commits_after_is_done_again(load, data, unchecked, erase, leaks, served, monkeypatch):
    from flows.steps import ingest

    data(csv_text(rows(3)))
    load()
    data(with_person(10))
    real = ingest.publish

    def late(*arguments):
        monkeypatch.setattr(ingest, "publish", real)
        erase()
        return real(*arguments)

    monkeypatch.setattr(ingest, "publish", late)
    load()
    if leaks():  # nothing of the person was there yet, so that nothing was committed: the same command finds it
        assert erase().found_anything
    assert leaks() == []
    assert served() == without_person(10)


# ---- looking inside objects ----------------------------------------------------------------------------------------


def _zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("autre.txt", "rien")
        archive.writestr("dossier/é.csv", data)
    return out.getvalue()


def _tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("dossier/donnees.csv")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _parquet(data: bytes) -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"n": [1, 2], "x": [["rien"], [data.decode()]]}).write_parquet(out)
    return out.getvalue()


PACKINGS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zip": _zip,
    "tar": _tar,
    "tar.gz": lambda d: gzip.compress(_tar(d)),
    "parquet": _parquet,
}
VALUES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES, packing=st.sampled_from(sorted(PACKINGS)))
def test_a_value_is_found_in_whatever_it_is_packed(value, packing, tmp_path):
    path = tmp_path / "object"
    path.write_bytes(PACKINGS[packing](f"avant {value} après".encode()))
    assert Needle([value]).in_file(path, tmp_path / "work")
    packed = PACKINGS[packing](f"avant x{value}y9 après".encode())
    path.write_bytes(packed)
    by_chance = packing != "plain" and value.encode() in packed  # a letter or two among compressed bytes, which are searched as well
    if value.isascii() and value.isalnum() and not by_chance:
        assert not Needle([value]).in_file(path, tmp_path / "work"), "a part of a longer word is something else"


def test_a_value_across_two_pieces_and_several_encodings(tmp_path):
    path = tmp_path / "object"
    path.write_bytes(b"." * ((1 << 20) - 4) + b" NIR-1234567 ")
    assert Needle(["NIR-1234567"]).in_file(path, tmp_path)
    for written in ("é-dupont".encode("cp1252"), "é-dupont".encode("utf-16-le"), json.dumps("é-dupont").encode()):
        path.write_bytes(b"; " + written + b" ;")
        assert Needle(["é-dupont"]).in_file(path, tmp_path)


def test_all_values_of_a_key_have_to_be_in_one_row(tmp_path):
    path = tmp_path / "object"
    pl.DataFrame({"a": ["x1", "x2"], "b": ["y1", "y2"]}).write_parquet(path)
    assert Needle(["x1", "y1"]).in_file(path, tmp_path)
    assert not Needle(["x1", "y2"]).in_file(path, tmp_path)


# ---- a package, whose bytes are asked of the network once ----------------------------------------------------------


def test_a_package_that_holds_the_person_is_fetched_when_it_is_needed_and_not_kept(
    load, data, edit, unchecked, erase, leaks, served, npm, suite
):
    """Its archive is gone from the lake, yet a run with nothing to do asks the registry for nothing."""
    fake = npm(with_person(10))
    edit("{type: file, path: data/*.csv}", '{type: npm, package: "essai", version: 1.0.0, member: data/demandes.csv}')
    load()
    assert leaks()
    assert erase().is_clean and leaks() == []
    asked = len(fake.calls())
    assert load().action == "nothing" and len(fake.calls()) == asked
    suite(("expect_column_values_to_not_be_null", {"column": "texte"}))
    assert load().report.rows["erased"] == 1 and len(fake.calls()) > asked
    assert served() == without_person(10) and leaks() == []
    assert load().action == "nothing"


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An npm client that knows one package."""

    def ready(text: str) -> SimpleNamespace:
        state, bin_ = tmp_path / "npm", tmp_path / "bin"
        state.mkdir()
        bin_.mkdir()
        (bin_ / "npm").write_text(CLIENT.format(python=sys.executable, state=str(state)))
        (bin_ / "npm").chmod(0o755)
        package = archive({"package/package.json": b"{}", "package/data/demandes.csv": text.encode()})
        (state / "package.tgz").write_bytes(package)
        packed = json.dumps([{"filename": "legi-data-1.0.0.tgz"}])
        answers = {"view": {"stdout": json.dumps(integrity(package))}, "pack": {"stdout": packed}}
        (state / "answers.json").write_text(json.dumps(answers))
        monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
        return SimpleNamespace(calls=lambda: (state / "calls").read_text().splitlines())

    return ready


# ---- who is who ----------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(everybody=st.lists(WORDS, min_size=1, max_size=6), kind=st.sampled_from(["string", "integer", "number"]), picked=st.integers(0, 5))
def test_loads_leave_out_exactly_the_rows_that_were_erased(everybody, kind, picked, root, tmp_path_factory, edit):
    """Whatever the values are: what an erasure finds in a table is what later loads leave out, and nobody else."""
    with open_run("essai") as run:
        declared = run.project.datasets["demandes"]
        declared = declared.model_copy(
            update={"columns": declared.columns | {"id": declared.columns["id"].model_copy(update={"type": kind})}}
        )
        value = everybody[picked % len(everybody)]
        assume(value.strip())
        objects = LocalObjects(tmp_path_factory.mktemp("objects"))
        objects.ensure()
        erasures, who = Erasures(objects, "demandes"), person(declared, {"id": value})
        erasures.add(erasures.digest(who.columns, who.values), who.columns)
        batch = pl.DataFrame({"id": everybody, "n": range(len(everybody))})
        rest = LeftOut(erasures, declared).without(batch)
        assert value not in rest["id"].to_list()
        assert who.in_rows(batch.lazy()) == batch.height - rest.height
        assert who.in_rows(rest.lazy()) == 0
        others = [e for e in everybody if e.strip() != value.strip()]
        assert kind != "string" or rest["id"].to_list() == others
        assert sum(who.in_records([json.dumps({"id": e}) for e in everybody])) == batch.height - rest.height
