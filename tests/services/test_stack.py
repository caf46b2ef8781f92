"""The stack of docker-compose.yml as plain processes: the login proxy, who triggered, what is refused, and a lost API server."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.platform import SOCLE
from tests.proxy import MACHINES, PEOPLE, Proxy
from tests.stack import Stack, created_by

pytestmark = pytest.mark.services

CAMILLE, DOMINIQUE = PEOPLE
NOBODY = (None, None)
IDENTITY = "50c1e000-0000-4000-8000-10617050c1e0"
FORGED = {
    "Prefect-Automation-Id": str(uuid.uuid4()),
    "Prefect-Automation-Name": base64.b64encode(b"quelqu'un d'autre").decode(),
    "X-Forwarded-User": "admin",
    "X-Auth-Request-Email": "admin@example.gouv.fr",
}
ANY = "00000000-0000-4000-8000-000000000000"
REFUSED = [
    ("GET", "/api/admin/storage"),
    ("PUT", "/api/admin/storage"),
    ("POST", "/api/work_pools/"),
    ("PATCH", "/api/work_pools/socle"),
    ("DELETE", "/api/work_pools/socle"),
    ("POST", "/api/work_pools/socle/get_scheduled_flow_runs"),
    ("GET", "/api/work_pools/socle/../../admin/storage"),
    ("POST", "/api/block_documents/"),
    ("GET", f"/api/block_documents/{ANY}?include_secrets=true"),
    ("GET", "/api/block_types/slug/secret/block_documents"),
    ("POST", "/api/deployments/"),
    ("PATCH", f"/api/deployments/{ANY}"),
    ("DELETE", f"/api/deployments/{ANY}"),
    ("POST", "/api/deployments/bulk_delete"),
    ("POST", f"/api/deployments/{ANY}/schedules"),
    ("POST", "/api/flow_runs/"),
    ("PATCH", f"/api/flow_runs/{ANY}"),
    ("DELETE", f"/api/flow_runs/{ANY}"),
    ("POST", "/api/flow_runs/bulk_delete"),
    ("POST", "/api/automations/"),
    ("PUT", f"/api/automations/{ANY}"),
    ("GET", "/api/variables/name/x"),
    ("POST", "/api/variables/"),
    ("POST", "/api/events"),
    ("POST", "/api/v2/concurrency_limits/increment"),
    ("POST", "/api/logs/"),
    ("GET", "/api/docs"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/%61dmin/storage"),
    ("POST", "/api/flows/filter/%2e%2e/%2e%2e/work_pools/"),
    ("POST", "/"),
    ("DELETE", "/docs/"),
]


def deployment(stack: Stack, name: str = "ingest/essai") -> str:
    return str(stack.platform.api(f"deployments/name/{name}")["id"])


@pytest.mark.parametrize("path", ["/", "/v2/", "/ui-settings", "/api/health", "/api/admin/settings", "/docs/", "/docs/essai"])
def test_nothing_without_the_right_password(stack: Stack, path: str) -> None:
    for user, password in (
        (None, None),
        (CAMILLE, "faux"),
        ("inconnu", "faux"),
        (CAMILLE, PEOPLE[DOMINIQUE]),
        ("worker-essai", MACHINES["worker-essai"]),
    ):
        with stack.proxy.client(user, password) as client:
            answer = client.get(path)
            assert answer.status_code == 401, (user, path)
            assert "essai" not in answer.text and "api_url" not in answer.text
    with stack.proxy.client(CAMILLE) as client:
        assert client.get(path).status_code == 200


def test_plain_http_leads_to_tls_and_old_tls_is_refused(stack: Stack) -> None:
    with stack.proxy.client(base=f"http://localhost:{stack.proxy.http_port}") as client:
        answer = client.get("/runs?x=1")
        assert (answer.status_code, answer.headers["location"]) == (308, "https://localhost/runs?x=1")
    old = ssl.create_default_context(cafile=str(stack.proxy.certificate))
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with stack.proxy.client() as client, pytest.raises(Exception, match=r"(?i)ssl|tls"):
        client._transport._pool._ssl_context = old  # type: ignore[attr-defined]
        client.get("/")


def test_the_person_is_named_in_the_run_whatever_the_request_says(stack: Stack) -> None:
    with stack.proxy.client(CAMILLE, headers=FORGED) as client:
        answer = client.post(f"/api/deployments/{deployment(stack)}/create_flow_run", json={"parameters": {"project": "essai"}})
    assert answer.status_code == 201
    run = stack.platform.api(f"flow_runs/{answer.json()['id']}")
    assert (created_by(run), run["created_by"]["id"]) == (CAMILLE, IDENTITY)
    assert stack.platform.wait(run["id"])["state_name"] == "Completed"
    command = [str(SOCLE), "audit", "essai", "--json"]
    trail = subprocess.run(command, env=stack.children.environment, capture_output=True, text=True, timeout=120, check=True).stdout
    assert CAMILLE in trail, "and the audit trail of the lake has the name"


def test_who_did_what_is_logged_without_passwords_and_parameters(stack: Stack) -> None:
    with stack.proxy.client(DOMINIQUE) as client:
        client.post(f"/api/flow_runs/{ANY}/set_state?token=secret", json={"state": {"type": "CANCELLED"}})
    lines = [json.loads(line) for line in stack.proxy.log(about=f"{ANY}/set_state").splitlines()]
    (line,) = [one for one in lines if one["path"] == f"/api/flow_runs/{ANY}/set_state"]
    assert (line["who"], line["method"]) == (DOMINIQUE, "POST")
    assert "secret" not in stack.proxy.log() and PEOPLE[DOMINIQUE] not in stack.proxy.log()


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_what_people_may_not_do(stack: Stack, method: str, path: str) -> None:
    """Sent as it is: httpx would tidy the address up."""
    assert raw_status(stack.proxy, method, path, CAMILLE) == 403
    assert raw_status(stack.proxy, method, path, None) in (401, 403)


def raw_status(proxy: Proxy, method: str, path: str, user: str | None) -> int:
    import http.client

    context = ssl.create_default_context(cafile=str(proxy.certificate))
    connection = http.client.HTTPSConnection("localhost", proxy.people_port, timeout=30, context=context)
    headers = {"content-type": "application/json"}
    if user:
        headers["Authorization"] = basic(user, PEOPLE[user])
    connection.request(method, path, body="{}" if method != "GET" else None, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_no_block_is_shown(stack: Stack) -> None:
    (name, password), body = next(iter(MACHINES.items())), {"include_secrets": True}
    with stack.proxy.client(name, password, base=stack.proxy.machines) as client:
        assert client.post("/api/block_documents/filter", json=body).json() != []
    with stack.proxy.client(CAMILLE) as client:
        assert client.post("/api/block_documents/filter", json=body).json() == []
    with stack.proxy.client() as client:
        assert client.post("/api/block_documents/filter", json=body).status_code == 401


def test_connections_that_the_server_ends_are_not_used_again(stack: Stack) -> None:
    """uvicorn ends them after 5 s of rest."""
    with stack.proxy.client(CAMILLE) as client:
        for pause in (0.0, 4.9, 5.0, 5.1):
            time.sleep(pause)
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(lambda _: client.get("/ui-settings").status_code, range(24))) == {200}


def test_a_page_of_another_site_cannot_use_the_login(stack: Stack) -> None:
    target = f"/api/deployments/{deployment(stack)}/create_flow_run"
    with stack.proxy.client(CAMILLE) as client:
        for origin in ("https://evil.example", "null", f"http://localhost:{stack.proxy.people_port}"):
            assert client.post(target, json={}, headers={"Origin": origin}).status_code == 403
        assert client.post(target, json={}, headers={"Origin": stack.proxy.people}).status_code != 403
        answer = client.get("/api/health", headers={"Origin": stack.proxy.people})
        assert "access-control-allow-origin" not in answer.headers


def test_large_bodies_are_refused(stack: Stack) -> None:
    with stack.proxy.client(CAMILLE) as client:
        assert client.post("/api/flow_runs/filter", content=b"x" * (3 << 20)).status_code == 413


def test_headers_and_policy(stack: Stack) -> None:
    with stack.proxy.client(CAMILLE) as client:
        page, docs, api = client.get("/v2/"), client.get("/docs/essai"), client.get("/api/health")
    for answer in (page, docs, api):
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["server"] == "nginx"
    assert "connect-src 'self';" in page.headers["content-security-policy"]
    assert docs.headers.get_list("content-security-policy") == [docs.headers["content-security-policy"]]
    assert "script-src" not in docs.headers["content-security-policy"] and "default-src 'none'" in docs.headers["content-security-policy"]


def test_docs_are_behind_the_same_login_with_addresses_that_lead_somewhere(stack: Stack) -> None:
    stack.platform.wait(stack.platform.trigger("pipeline/essai", {"project": "essai"}))
    with stack.proxy.client(CAMILLE, follow_redirects=True) as client:
        home = client.get("/docs").text
        assert '<a href="/docs/essai">' in home
        page = client.get("/docs/essai").text
        report, versions = sorted({part.split('"')[0] for part in page.split('href="')[1:] if "/donnees/" in part}, key=len, reverse=True)
        assert client.get(report).status_code == 200
        assert f'href="{report}"' in client.get(versions).text
        assert client.get("/docs/nulle-part").status_code == 404


@pytest.mark.parametrize("path", ["/api/events/out", "/api/logs/out"])
def test_websockets_of_the_ui(stack: Stack, path: str) -> None:
    async def opened(path: str, headers: dict[str, str], origin: str | None) -> int:
        context = ssl.create_default_context(cafile=str(stack.proxy.certificate))
        url = f"wss://localhost:{stack.proxy.people_port}{path}"
        try:
            async with connect(
                url, ssl=context, subprotocols=["prefect"], additional_headers=headers, origin=origin, open_timeout=30
            ) as socket:  # type: ignore[arg-type,list-item]
                await socket.send(json.dumps({"type": "auth", "token": None}))
                return 101 if json.loads(await asyncio.wait_for(socket.recv(), 30))["type"] == "auth_success" else 0
        except InvalidStatus as error:
            return error.response.status_code

    def status(path: str, headers: dict[str, str], origin: str | None = None) -> int:
        """Not with the library's blocking client: it reads and writes TLS in two threads, and one request in a hundred was never sent."""
        return asyncio.run(opened(path, headers, origin))

    right = {"Authorization": basic(CAMILLE, PEOPLE[CAMILLE])}
    assert status(path, right, stack.proxy.people) == 101
    assert status(path, right, "https://evil.example") == 403
    assert status(path, {"Authorization": basic(CAMILLE, "faux")}) == 401
    assert status(path, {}) == 401
    assert status("/api/events/in", right) == 403, "a person cannot invent events"
    assert status("/api/work_pools/socle/workers/connect", right) != 101


def test_machines_have_their_own_door(stack: Stack) -> None:
    (name, password), base = next(iter(MACHINES.items())), stack.proxy.machines
    with stack.proxy.client(name, password, base=base) as client:
        assert client.get("/api/health").status_code == 200
        assert client.post("/api/block_documents/filter", json={}).status_code == 200
        assert client.get("/api/admin/settings").status_code == 403
        assert client.delete("/api/admin/storage").status_code == 403
        assert client.get("/v2/").status_code == 404
    with stack.proxy.client(CAMILLE, base=base) as client:
        assert client.get("/api/health").status_code == 401
    log = [json.loads(line) for line in stack.proxy.log(about="/workers/heartbeat").splitlines()]
    # The worker of this stack comes through here.
    assert {line["who"] for line in log if line["path"].endswith("/workers/heartbeat")} == {name}, (
        "the worker of this stack comes through here"
    )


def test_events_of_runs_travel_through_the_machines_door(stack: Stack) -> None:
    """A websocket is logged when it ends: by a run's process, at its end."""
    stack.platform.wait(stack.platform.trigger("ingest/essai", {"project": "essai"}))
    log = [json.loads(line) for line in stack.proxy.log(about="/api/events/in").splitlines()]
    assert [line for line in log if line["path"] == "/api/events/in" and line["status"] == 101]


def test_redis_may_be_lost_with_all_it_holds(stack: Stack) -> None:
    stack.kill("redis")
    stack.start_redis()
    with stack.proxy.client(DOMINIQUE) as client:
        for _ in range(2):
            run = client.post(f"/api/deployments/{deployment(stack)}/create_flow_run", json={"parameters": {"project": "essai"}}).json()[
                "id"
            ]
            assert stack.platform.wait(run)["state_name"] == "Completed"


def test_a_lost_api_server_is_not_noticed(stack: Stack) -> None:
    """The last test of this file: one of the two stays dead."""
    target = f"/api/deployments/{deployment(stack)}/create_flow_run"
    stack.kill("prefect-2")
    with stack.proxy.client(DOMINIQUE) as client:
        for _ in range(6):
            assert client.get("/api/ready").status_code == 200
        run = client.post(target, json={"parameters": {"project": "essai"}}).json()["id"]
    assert stack.platform.wait(run)["state_name"] == "Completed"
