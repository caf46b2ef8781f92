"""Where parameters and curves go: TensorBoard files, an MLflow server, and what happens when that is away."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.errors import ConfigurationError
from flows.settings import Settings, load_settings
from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset
from flows.training import tracking
from flows.training.tracking import Training, tracked

TRAINING = Training("essai", "theme", "tiny LoRA", {"epochs": "3", "lora.r": "8"}, {"dataset": "essai/demandes@1"})
PASSWORD, TOKEN = "motdepasse-de-test", "jeton-de-test"


def _read(root, project="essai", model="theme"):
    """run -> (name -> [(step, value)], text) of TensorBoard files."""
    found = {}
    for folder in sorted((root / ".socle" / "training" / "runs" / project / model).iterdir()):
        curves, texts = {}, []
        for file in folder.glob("events.out.tfevents.*"):
            for event in _events(file.read_bytes()):
                for value in event.summary.value:
                    if value.HasField("tensor"):
                        texts += [s.decode() for s in value.tensor.string_val]
                    else:
                        curves.setdefault(value.tag, []).append((event.step, value.simple_value))
        found[folder.name] = curves, "\n".join(texts)
    return found


def _events(data):
    """TFRecord: length (8 bytes), its check (4), the message, its check (4)."""
    from tensorboardX.proto.event_pb2 import Event

    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += length + 16


@pytest.fixture
def settings(tmp_path):
    def made(**changes):
        return Settings(root=tmp_path, **changes)

    return made


def test_without_a_server_curves_are_tensorboard_files(settings, tmp_path):
    notices = []
    with tracked(settings(), TRAINING, notices.append) as found:
        for step in range(1, 6):
            found.log(step, {"loss": 1 / step, "learning_rate": 1e-3})
        found.log(5, {"validation": 0.75, "grad_norm": float("nan")})
        found.scores({"test/macro_f1": 0.7})
    (name, (curves, text)), *others = _read(tmp_path).items()
    assert not others and "tiny-lora" in name and found.where == {"tracker": "tensorboard", "run": f"essai/theme/{name}"}
    assert [step for step, _ in curves["loss"]] == [1, 2, 3, 4, 5] and curves["loss"][3][1] == pytest.approx(0.25)
    assert curves["validation"] == [(5, 0.75)] and curves["test/macro_f1"][0][0] == 5 and "grad_norm" not in curves
    assert "| lora.r | 8 |" in text and "essai/demandes@1" in text and notices == []


def test_a_long_curve_gets_fewer_points(settings, tmp_path):
    with tracked(settings(), TRAINING, print) as found:
        for step in range(1, 100_001):
            found.log(step, {"loss": 0.5})
    (curves, _) = next(iter(_read(tmp_path).values()))
    steps = [step for step, _ in curves["loss"]]
    assert steps[:2_000] == list(range(1, 2_001)) and 8_000 < len(steps) < 12_000 and steps[-1] > 99_900


def test_the_newest_trainings_of_each_model_stay(settings, tmp_path):
    other = Training("essai", "autre", "x", {})
    for training in (other, TRAINING, TRAINING, TRAINING):
        with tracked(settings(training_runs_kept=2), training, print) as found:
            found.log(1, {"loss": 1.0})
        time.sleep(1.01)  # names have whole seconds
    assert len(_read(tmp_path)) == 2 and len(_read(tmp_path, model="autre")) == 1
    assert found.where["run"].rpartition("/")[2] in _read(tmp_path)


def test_a_training_that_fails_leaves_its_curve_and_its_error(settings, tmp_path):
    with pytest.raises(ZeroDivisionError), tracked(settings(), TRAINING, print) as found:
        found.log(1, {"loss": 1.0})
        raise ZeroDivisionError
    assert next(iter(_read(tmp_path).values()))[0]["loss"] == [(1, 1.0)]


def test_a_folder_that_cannot_be_written_fails_no_training(settings, tmp_path):
    (tmp_path / ".socle" / "training").mkdir(parents=True)
    (tmp_path / ".socle" / "training" / "runs").write_text("a file")
    notices = []
    with tracked(settings(), TRAINING, notices.append) as found:
        found.log(1, {"loss": 1.0})
    assert found.where["tracker"] == "none" and len(notices) == 1 and "dossier des courbes" in notices[0]


# ---- a server that is away -----------------------------------------------------------------------------------------


class Broken:
    """Answers `answers` requests as a tracking server does, then none any more; it remembers what was asked."""

    def __init__(self, answers=10**9, wait_s=0.0):
        broken = self
        self.asked, self.headers, self.answers, self.wait_s = [], [], answers, wait_s

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer()

            def do_POST(self):
                self._answer()

            def _answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
                broken.headers.append(dict(self.headers))
                if len(broken.asked) >= broken.answers:
                    time.sleep(broken.wait_s)
                    with suppress(BrokenPipeError):  # the client has gone
                        self.send_error(500, "no")
                    return
                broken.asked.append((path, json.loads(body) if body else {}))
                run = {"run": {"info": {"run_id": "r1", "run_uuid": "r1", "experiment_id": "7"}, "data": {}}}
                known = {"experiments/get-by-name": {"experiment": {"experiment_id": "7", "name": "n"}}, "runs/create": run}
                data = json.dumps(known.get(path, {})).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.uri = f"http://equipe:{PASSWORD}@127.0.0.1:{self.server.server_port}"

    def sent(self, name):
        return [m for path, body in self.asked if path == "runs/log-batch" for m in body.get("metrics", []) if m["key"] == name]


@pytest.fixture
def server(monkeypatch):
    made = []

    def start(*arguments, **named):
        made.append(Broken(*arguments, **named))
        return made[-1]

    yield start
    for broken in made:
        broken.server.shutdown()
        broken.server.server_close()


def test_the_password_is_in_the_header_alone(settings, server, tmp_path):
    mlflow = server()
    with tracked(settings(mlflow_uri=mlflow.uri), TRAINING, print) as found:
        found.log(1, {"loss": 1.0})
    assert found.where == {"tracker": "mlflow", "run": "r1", "experiment": "essai/theme"}
    assert all(h["Authorization"].startswith("Basic ") for h in mlflow.headers) and mlflow.headers
    assert PASSWORD not in json.dumps(mlflow.asked) and [m["value"] for m in mlflow.sent("loss")] == [1.0]
    assert not (tmp_path / ".socle").exists()
    mlflow = server()
    with tracked(settings(mlflow_uri=f"http://127.0.0.1:{mlflow.server.server_port}/", mlflow_token=TOKEN), TRAINING, print):
        pass
    assert {h["Authorization"] for h in mlflow.headers} == {f"Bearer {TOKEN}"}


def test_a_server_that_was_never_there(settings, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    notices, start = [], time.monotonic()
    with tracked(settings(mlflow_uri=f"http://u:{PASSWORD}@127.0.0.1:9", mlflow_token=TOKEN), TRAINING, notices.append) as found:
        found.log(1, {"loss": 1.0})
    assert time.monotonic() - start < 30
    assert len(notices) == 1 and "127.0.0.1:9" in notices[0] and found.where["tracker"] == "tensorboard"
    assert next(iter(_read(tmp_path).values()))[0]["loss"] == [(1, 1.0)]
    assert len([r for r in caplog.records if r.name == "socle.tracking"]) == 1
    everything = caplog.text + "".join(notices) + "".join(capfd.readouterr())
    assert PASSWORD not in everything and TOKEN not in everything


def test_a_server_that_goes_away_meanwhile(settings, server, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "SEND_EVERY_S", 0.0)
    mlflow, notices = server(answers=4), []  # experiment, run, parameters, one batch of points
    with tracked(settings(mlflow_uri=mlflow.uri), TRAINING, notices.append) as found:
        for step in range(1, 6):
            found.log(step, {"loss": float(step)})
        found.scores({"test/macro_f1": 0.5})
    assert [m["step"] for m in mlflow.sent("loss")] == [1] and len(notices) == 1
    curves = next(iter(_read(tmp_path).values()))[0]
    assert curves["loss"] == [(n, float(n)) for n in range(1, 6)] and curves["test/macro_f1"]
    assert found.where["tracker"] == "tensorboard"


def test_a_server_that_comes_back_gets_the_rest(settings, server, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "SEND_EVERY_S", 0.0)
    mlflow, notices = server(answers=4), []
    with tracked(settings(mlflow_uri=mlflow.uri), TRAINING, notices.append) as found:
        for step in range(1, 6):
            found.log(step, {"loss": float(step)})
        mlflow.answers = 10**9
    assert [m["step"] for m in mlflow.sent("loss")] == [1, 2, 3, 4, 5] and not (tmp_path / ".socle").exists()
    assert found.where["tracker"] == "mlflow" and mlflow.asked[-1][0] == "runs/update"


def test_a_server_that_does_not_answer_holds_a_training_up_once(settings, server, monkeypatch):
    monkeypatch.setattr(tracking, "SEND_EVERY_S", 0.0)
    mlflow, notices = server(answers=3, wait_s=4), []
    start = time.monotonic()
    with tracked(settings(mlflow_uri=mlflow.uri, mlflow_timeout_s=1), TRAINING, notices.append) as found:
        for step in range(1, 200):
            found.log(step, {"loss": 1.0})
        within = time.monotonic() - start
    assert within < 12 and len(notices) == 1


@pytest.mark.parametrize("uri", ["ftp://x", "mlflow.example", f"u:{PASSWORD}@host"])
def test_an_address_that_is_none_is_refused_without_showing_it(monkeypatch, uri):
    monkeypatch.setenv("SOCLE_MLFLOW_URI", uri)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "mlflow_uri" in str(caught.value).lower() and PASSWORD not in str(caught.value)


# ---- in a run ------------------------------------------------------------------------------------------------------


def test_a_run_with_a_server_that_is_away_ends_well_and_says_so(root, monkeypatch):
    from flows.texts import summary

    monkeypatch.setenv("SOCLE_MLFLOW_URI", f"http://u:{PASSWORD}@127.0.0.1:9")
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        outcome = finetune_model(run, "theme")
        text = summary.model_text(run, outcome)
    version = outcome.versions[0]
    assert version.training["notices"] and "MLflow (127.0.0.1:9)" in version.training["notices"][0]
    assert "MLflow" in text and PASSWORD not in text + json.dumps(version.training)
    curves, parameters = next(iter(_read(root).values()))
    assert curves["test/macro_f1"][0][1] == pytest.approx(version.metrics["test"]["macro_f1"]["value"])
    assert "max_features" in parameters and version.training["tracking"]["tracker"] == "tensorboard"
    assert curves["took/energy_kwh"][0][1] > 0
