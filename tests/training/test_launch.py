"""Two processes train as one does, whatever the launcher."""

from __future__ import annotations

import pytest

from flows.errors import ConfigurationError
from flows.project import Budget, Execution
from flows.training import launch, trainer
from flows.training.checkpoints import Checkpoints
from flows.training.launch import accelerate_config, shared, torchrun
from flows.training.tasks import task_of
from tests.training import tiny

TOLERANCE = 1e-4  # relative, of a loss: sums of two halves are rounded otherwise than a sum of all


def test_the_rows_of_a_step_are_shared():
    assert shared(16, 1, 1) == (16, 1) and shared(16, 2, 4) == (4, 2) and shared(1, 8, 2) == (1, 4)
    with pytest.raises(ConfigurationError, match="3 processes"):
        shared(16, 1, 3)


@pytest.mark.parametrize("gpus", [0, 1, 4])
def test_what_launchers_are_told(gpus, tmp_path):
    import yaml
    from accelerate.commands.config.config_args import load_config_from_file

    config = accelerate_config(Execution.model_validate({"on": "kubernetes", "gpus": gpus}))
    path = tmp_path / "accelerate.yaml"
    path.write_text(yaml.safe_dump(config))
    read = load_config_from_file(str(path))
    assert read.num_processes == max(gpus, 1) and read.use_cpu == (gpus == 0)
    assert str(read.distributed_type).endswith("MULTI_GPU" if gpus > 1 else "NO")


def test_torchrun_understands_its_arguments():
    from torch.distributed.run import config_from_args, get_args_parser

    read = get_args_parser().parse_args([*torchrun(2), "-m", launch.MODULE, "job.json"])
    config, _, arguments = config_from_args(read)
    assert (config.max_nodes, config.nproc_per_node, config.max_restarts) == (1, 2, 0)
    assert arguments[-2:] == [launch.MODULE, "job.json"]


@pytest.fixture
def without_dropout(tmp_path):
    from flows.training.base_models import BaseModel, weights_sha256

    folder = tiny.make(tmp_path / "calm")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('_dropout_prob": 0.1', '_dropout_prob": 0.0'))
    return BaseModel("path:calm", folder, weights_sha256(folder))


@pytest.mark.services
@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_have_the_curve_of_one(examples, job_of, model, without_dropout, tmp_path, accumulate):
    """gloo on the processor, dropout 0, the same rows a step. The rows fill every step: two processes would repeat some otherwise."""
    found = examples()
    frame = found.read("train").head(80)
    frame.write_parquet(found.path("train"))
    curves, shares = {}, []
    for processes in (1, 2):
        points = {}
        more = {"log": lambda step, values, points=points: points.setdefault(step, {}).update(values)} | (
            {"advance": shares.append, "checkpoints": _kept(tmp_path)} if processes == 2 else {}
        )
        settings = {"epochs": 2, "patience": 5, "accumulate": accumulate, "batch_size": 8 // accumulate}
        job = job_of(found, f"p{processes}", base=without_dropout, job=more | {"processes": processes}, **settings)
        trained = trainer.train(task_of(model()), job)
        curves[processes] = points
        assert trained.facts["processes"] == processes and trained.facts["steps"] == 20
        assert trained.predictor.predict(["salaire"]).shape == (1, 3)
    assert set(curves[1]) == set(curves[2]) == set(range(1, 21))
    for step, values in curves[1].items():
        assert curves[2][step]["loss"] == pytest.approx(values["loss"], rel=TOLERANCE)
        assert curves[2][step]["learning_rate"] == values["learning_rate"]
    assert sum(shares) == pytest.approx(1)
    assert [v.get("validation") for v in curves[1].values()] == pytest.approx([v.get("validation") for v in curves[2].values()])


def _kept(tmp_path):
    from flows.lake.local import LocalObjects

    objects = LocalObjects(tmp_path / "bucket")
    objects.ensure()
    return Checkpoints(objects, "theme", "f" * 24, 0)


@pytest.mark.services
def test_what_goes_wrong_in_a_process_is_said(examples, job_of, model):
    with pytest.raises(ConfigurationError, match="reads 64 tokens"):
        trainer.train(task_of(model()), job_of(examples(), max_length=128, job={"processes": 2}))


@pytest.mark.services
@pytest.mark.parametrize("budget", [{"max_minutes": 0.01}, {"max_kwh": 0.005}])
def test_both_stop_when_a_budget_is_spent(examples, job_of, model, budget):
    notices, used = [], iter(range(10_000))
    more = {"processes": 2, "budget": Budget(**budget), "notice": notices.append, "energy": lambda: next(used) / 1000}
    facts = trainer.train(task_of(model()), job_of(examples(), epochs=50, job=more)).facts
    assert facts["stopped"] == next(iter(budget)) and 0 < facts["steps"] < 500 and len(notices) == 1


@pytest.mark.services
def test_none_of_them_is_left_when_the_job_ends_the_training(examples, job_of, model):
    """As a search does with a trial that is worse than the others."""
    import psutil

    def ended(step, values):
        raise InterruptedError

    job = job_of(examples(), epochs=500, job={"processes": 2, "log": ended})
    with pytest.raises(InterruptedError):
        trainer.train(task_of(model()), job)
    assert not [p.pid for p in psutil.process_iter(["cmdline"]) if str(job.work / "job.json") in (p.info["cmdline"] or [])]


def test_the_command_prints_what_launchers_are_told(root, edit):
    import json

    from typer.testing import CliRunner

    from flows.cli import app

    edit("models:", "execution: {on: kubernetes, gpus: 4, image: socle}\nmodels:")
    done = CliRunner().invoke(app, ["deploy", "essai", "--launch-config"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert "--nproc-per-node=4" in told["torchrun"] and told["accelerate"]["num_processes"] == 4
    assert told["kubernetes"]["gpus"] == 4 and told["kubernetes"]["image"] == "socle"
