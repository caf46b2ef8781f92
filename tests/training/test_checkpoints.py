"""Checkpoints in the lake: whole or not at all, few, never a pickle that runs, gone when the version is there."""

from __future__ import annotations

import json
import os
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from flows.errors import StorageError
from flows.lake import Lake
from flows.lake.local import LocalObjects
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset
from flows.steps.maintain import maintain_models
from flows.steps.plan import plan_model
from flows.steps.retention import Cutoffs
from flows.training import trainer
from flows.training.checkpoints import KEPT, Checkpoints
from flows.training.tasks import task_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.services)])
def objects(request, tmp_path):
    """An empty bucket: a folder, and under `-m services` also one of a real S3 server."""
    local = request.param == "local"
    made = LocalObjects(tmp_path / "bucket") if local else Lake(request.getfixturevalue("s3_settings")()).bucket("essai")
    made.ensure()
    return made


@pytest.fixture
def checkpoints(objects):
    return Checkpoints(objects, "theme", "f" * 24, 0)


@pytest.fixture
def state(tmp_path):
    """A folder with something in it."""

    def made(text: str):
        folder = tmp_path / f"state-{text}"
        (folder / "inside").mkdir(parents=True)
        (folder / "a.txt").write_text(text)
        (folder / "inside" / "b.txt").write_text(text * 2)
        return folder

    return made


def test_what_is_saved_comes_back(checkpoints, state, tmp_path):
    assert checkpoints.latest(tmp_path / "out") is None
    for step in (5, 40):
        checkpoints.save(state(str(step)), step)
    found = checkpoints.latest(tmp_path / "out")
    assert (found.step, found.damaged) == (40, [])
    assert (found.folder / "inside" / "b.txt").read_text() == "4040"


def test_only_the_newest_stay(checkpoints, objects, state):
    for step in (1, 2, 10, 100):
        checkpoints.save(state(str(step)), step)
    assert len(list(objects.list("models/theme/checkpoints/"))) == KEPT * 3
    checkpoints.remove()
    assert not list(objects.list())


def test_files_without_a_list_count_for_nothing(checkpoints, objects, state, tmp_path, monkeypatch):
    checkpoints.save(state("1"), 1)
    monkeypatch.setattr(objects, "create", lambda key, data: (_ for _ in ()).throw(StorageError("no answer")))
    with pytest.raises(StorageError):
        checkpoints.save(state("2"), 2)
    assert checkpoints.latest(tmp_path / "out").step == 1
    checkpoints.remove()
    assert not list(objects.list()), "nor do they stay"


def test_those_of_another_candidate_are_not_seen(checkpoints, objects, state, tmp_path):
    checkpoints.save(state("1"), 1)
    assert Checkpoints(objects, "theme", "e" * 24).latest(tmp_path / "out") is None
    assert Checkpoints(objects, "autre", "f" * 24).latest(tmp_path / "out") is None


@pytest.mark.parametrize("name", ["../../outside", "/etc/outside", ""])
def test_a_list_that_names_a_file_elsewhere_is_damaged(checkpoints, objects, state, tmp_path, name):
    checkpoints.save(state("1"), 1)
    item = checkpoints._manifests()[0]
    manifest = json.loads(objects.get(item.key))
    objects.put(item.key, json.dumps(manifest | {"files": {name: {"sha256": "0" * 64}}}).encode())
    assert checkpoints.latest(tmp_path / "out") is None


class Code:
    def __reduce__(self):
        return (os.mkdir, (os.environ["TEST_PICKLE_RAN"],))


@pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_pickle_with_code_is_never_run(checkpoints, examples, job_of, model, tmp_path, monkeypatch, file):
    """Somebody who can write to the lake can make hashes that fit."""
    monkeypatch.setenv("TEST_PICKLE_RAN", str(tmp_path / "ran"))
    saved = []
    monkeypatch.setattr(Checkpoints, "save", _at_step_3(Checkpoints.save, saved))
    task, found = task_of(model()), examples()
    trainer.train(task, job_of(found, "first", job={"checkpoints": checkpoints}))
    assert saved == [3]
    there = checkpoints.latest(tmp_path / "copy").folder
    assert not list(there.rglob("*training_args*"))
    (there / file).write_bytes(pickle.dumps(Code()))
    monkeypatch.undo()
    monkeypatch.setenv("TEST_PICKLE_RAN", str(tmp_path / "ran"))
    checkpoints.remove()
    checkpoints.save(there, 3)
    notices = []
    facts = trainer.train(task, job_of(found, "second", job={"checkpoints": checkpoints, "notice": notices.append})).facts
    assert not (tmp_path / "ran").exists()
    assert facts["resumed_from"] is None and len(facts["damaged_checkpoints"]) == 1 and "recommence" in notices[0]


def _at_step_3(save, saved):
    def only(self, folder, step):
        if step == 3:
            saved.append(step)
            save(self, folder, step)

    return only


def test_training_goes_on_when_the_storage_does_not_take_a_checkpoint(checkpoints, objects, examples, job_of, model, monkeypatch):
    monkeypatch.setattr(objects, "put_all", lambda files, given=False: (_ for _ in ()).throw(StorageError("disque plein")))
    notices = []
    facts = trainer.train(task_of(model()), job_of(examples(), job={"checkpoints": checkpoints, "notice": notices.append})).facts
    assert facts["stopped"] is None and notices and "disque plein" in notices[0]


def test_a_run_goes_on_from_them_and_removes_them_after_its_commit(root, edit, tiny_base, monkeypatch):
    monkeypatch.setenv("SOCLE_CHECKPOINT_MINUTES", "0")
    edit("candidates: [tfidf]", f"candidates: [{{base_model: 'path:{tiny_base.folder}', epochs: 2, max_length: 32}}]")
    own = trainer.Watch.on_save
    seen = []

    def ended(self, args, state, control, **more):
        own(self, args, state, control, **more)
        seen.append(state.global_step)
        if seen == [1, 2, 3]:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.Watch, "on_save", ended)
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        with pytest.raises(KeyboardInterrupt):
            finetune_model(run, "theme")
    with open_run("essai") as run:
        fingerprint = plan_model(run, "theme").candidates[1].fingerprint
        place = f"models/theme/checkpoints/{fingerprint}/"
        objects = run.lake.bucket("essai")
        assert list(objects.list(place))
        outcome = finetune_model(run, "theme")
        assert not list(objects.list("models/theme/checkpoints/"))
    training = outcome.versions[1].training
    assert training["resumed_from"] == 3 and seen[3:] == list(range(4, training["steps"] + 1))


def test_those_that_nobody_goes_on_with_are_found_by_maintain(root, checkpoints, state):
    with open_run("essai") as run:
        objects = run.lake.bucket("essai")
        objects.ensure()
        Checkpoints(objects, "theme", "f" * 24).save(state("1"), 1)
        now = datetime.now(UTC)
        assert not [u for plan in maintain_models(run, True, Cutoffs.of(run, now)) for u in plan.uploads]
        later = Cutoffs.of(run, now + timedelta(days=31))
        assert [list(plan.uploads) for plan in maintain_models(run, False, later)] == [["f" * 24]]
        assert not list(objects.list("models/"))
