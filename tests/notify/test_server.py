"""The notifier over HTTP: who may say what to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from flows.notify import targets
from flows.notify.__main__ import MOST, make_app
from flows.settings import load_settings
from tests.notify.receivers import SECRETS, all_of_them
from tests.notify.test_messages import ALERT, FAILED
from tests.platform import free_port

JSON = {"content-type": "application/json"}


@pytest.fixture
def client(root: Path, monkeypatch: pytest.MonkeyPatch):
    (root / "urls").write_text("* = json://127.0.0.1\n")
    monkeypatch.setenv("SOCLE_NOTIFY_URLS_FILE", str(root / "urls"))
    monkeypatch.setenv("SOCLE_NOTIFY_QUEUE", "3")
    monkeypatch.setattr(targets, "send", lambda target, message: True)
    with TestClient(make_app(load_settings()), base_url="http://127.0.0.1") as found:
        yield found


def test_it_takes_what_prefect_and_alertmanager_say(client: TestClient) -> None:
    assert client.post("/prefect", json=FAILED).status_code == 202
    assert client.post("/alertmanager", json={"alerts": [ALERT, ALERT | {"status": "resolved"}]}).json() == {"taken": 2}
    assert client.get("/health").json()["taken"] == 3
    assert 'socle_notify_messages_total{result="taken"} 3' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b"{", JSON, 400),
        (b'{"kind": "autre"}', JSON, 400),
        (b"[]", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b" " * (MOST + 1), JSON, 413),
        (b"{}", JSON | {"host": "ailleurs.example"}, 400),
    ],
)
def test_nothing_else_is_taken(client: TestClient, content: bytes, headers: dict[str, str], status: int) -> None:
    assert client.post("/prefect", content=content, headers=headers).status_code == status
    assert client.get("/health").json()["taken"] == 0


def test_a_browser_may_not_send_to_it(client: TestClient) -> None:
    asked = client.options("/prefect", headers={"origin": "https://ailleurs.example", "access-control-request-method": "POST"})
    assert "access-control-allow-origin" not in asked.headers
    assert client.get("/prefect").status_code == 405


def test_too_much_at_once_is_to_come_again(client: TestClient) -> None:
    alerts = [ALERT | {"labels": {"alertname": f"A{number}"}} for number in range(10)]
    answer = client.post("/alertmanager", json={"alerts": alerts})
    assert answer.status_code == 503 and answer.headers["retry-after"] == "60"


def test_as_a_process_from_the_first_message_to_the_last(root: Path) -> None:
    """What Alertmanager sends arrives by every way, what was folded is told at SIGTERM, and no log has an address in it."""
    with all_of_them() as receivers:
        (root / "urls").write_text(receivers.lines("essai"))
        port = free_port()
        environment = {**os.environ, "SOCLE_ROOT": str(root), "SOCLE_NOTIFY_PORT": str(port), "SOCLE_NOTIFY_URLS_FILE": str(root / "urls")}
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.notify"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            address = f"http://127.0.0.1:{port}"
            retrying = httpx.HTTPTransport(retries=12)  # with growing pauses: it starts
            with httpx.Client(transport=retrying, timeout=30) as http:
                assert http.post(f"{address}/alertmanager", json={"alerts": [ALERT]}).status_code == 202
                for inbox in (receivers.mattermost, receivers.matrix, receivers.mail):
                    inbox.wait_for("Alerte : demandes n'a pas changé depuis 3 jours.*À faire : vérifier la source")
                http.post(f"{address}/alertmanager", json={"alerts": [ALERT]})
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[0]
        finally:
            process.kill()
        receivers.mail.wait_for(r"\(1 autre\)")
        assert "told (matrix of line 4)" in said and not any(secret in said for secret in SECRETS)


def test_a_file_of_addresses_that_cannot_be_used_is_exit_code_2(root: Path) -> None:
    (root / "urls").write_text(f"* = {SECRETS[0]}\n")
    environment = {**os.environ, "SOCLE_ROOT": str(root), "SOCLE_NOTIFY_URLS_FILE": str(root / "urls")}
    done = subprocess.run([sys.executable, "-m", "flows.notify"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "line 1" in done.stderr and SECRETS[0] not in done.stderr
