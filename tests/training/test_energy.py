"""What a training takes of electricity: figures of CodeCarbon, without a network, a file or a log."""

from __future__ import annotations

import logging
import socket
import sys
import time

import pytest

from flows.training.energy import Meter

HOSTILE = {
    "CODECARBON_OUTPUT_METHODS": "csv,api,prometheus",
    "CODECARBON_SAVE_TO_API": "true",
    "CODECARBON_EMISSIONS_ENDPOINT": "http://127.0.0.1:9/",
    "CODECARBON_CO2_SIGNAL_API_TOKEN": "secret-of-a-test",
    "CODECARBON_ELECTRICITYMAPS_API_TOKEN": "secret-of-a-test",
    "CODECARBON_LOG_LEVEL": "debug",
    "CODECARBON_CLOUD_PROVIDER": "gcp",
}


def _work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(10_000))


@pytest.fixture
def no_network(monkeypatch):
    calls = []

    def refuse(*arguments, **named):
        calls.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return calls


def test_work_takes_energy_and_emits_what_the_french_mix_does(no_network, monkeypatch, tmp_path, capfd, caplog):
    """Also where CodeCarbon was configured to send, write and tell everything."""
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    with Meter() as meter:
        assert meter.works
        _work(2.5)
        before = meter.kwh()
        assert before > 0, "it is known during the training, too"
    assert meter.kwh() > before and 2.4 < meter.seconds < 6
    watts = meter.kwh() / meter.seconds * 3_600_000
    assert 1 < watts < 2_000
    assert 0.02 < meter.kg_per_kwh() < 0.12, "kg of CO2e a kWh: France, not a cloud of somewhere else"
    assert no_network == [] and list(tmp_path.iterdir()) == []
    out, err = capfd.readouterr()
    assert "codecarbon" not in (out + err).lower() and not [r for r in caplog.records if r.name.startswith("codecarbon")]
    assert meter.how() in ("measured", "estimated")


def test_more_work_takes_more():
    with Meter() as one:
        _work(1)
    with Meter() as three:
        _work(3)
    assert three.kwh() > 1.5 * one.kwh()


def test_a_known_power_of_the_processor_counts(monkeypatch):
    monkeypatch.setenv("CODECARBON_PUE", "10")
    with Meter() as tenfold:
        _work(1.2)
    monkeypatch.delenv("CODECARBON_PUE")
    with Meter() as plain:
        _work(1.2)
    assert tenfold.kwh() > 4 * plain.kwh()


def test_a_training_does_not_fail_where_nothing_can_be_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with Meter() as meter:
        _work(0.01)
    assert not meter.works and meter.kwh() == meter.co2_kg() == meter.kg_per_kwh() == 0
    monkeypatch.undo()
    import codecarbon

    monkeypatch.setattr(codecarbon.OfflineEmissionsTracker, "start", lambda self: 1 / 0)
    with Meter() as meter:
        _work(0.01)
    assert not meter.works


def test_a_budget_of_energy_that_cannot_be_measured_is_said(root, edit, monkeypatch):
    from flows.steps import open_run
    from flows.steps.finetune import finetune_model
    from flows.steps.ingest import load_dataset

    monkeypatch.setitem(sys.modules, "codecarbon", None)
    edit("candidates: [tfidf]", "candidates: [tfidf]\n    budget: {max_kwh: 1}")
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        version = finetune_model(run, "theme").versions[0]
    assert "energy_kwh" not in version.cost and "energy_kwh" not in version.training["took"]
    assert len(version.training["notices"]) == 1 and "ne peut pas être mesurée" in version.training["notices"][0]


def test_a_budget_of_energy_ends_a_training_by_what_was_measured(examples, job_of, model, one_thread):
    from flows.project import Budget
    from flows.training import trainer
    from flows.training.tasks import task_of

    job = job_of(examples(), epochs=5_000)
    with Meter(every_seconds=0.5) as meter:
        job.energy, job.budget = meter.kwh, Budget(max_kwh=meter.kwh() + 2e-6)
        facts = trainer.train(task_of(model()), job).facts
    assert facts["stopped"] == "max_kwh" and meter.kwh() > 2e-6


def test_energy_of_runs_before_counts(examples, job_of, model):
    from flows.steps.finetune import _energy
    from flows.training.tasks.base import Trained

    with Meter() as meter:
        _work(0.3)
    found = _energy(meter, Trained(None, 1, 1, {"kwh_before": 1.0}))
    assert found["energy_kwh"] == pytest.approx(1 + meter.kwh()) and found["co2_kg"] == pytest.approx(
        found["energy_kwh"] * meter.kg_per_kwh()
    )
