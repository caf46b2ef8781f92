"""`python -m flows.notify`: over HTTP on SOCLE_NOTIFY_HOST and SOCLE_NOTIFY_PORT, for Prefect and Alertmanager only.

It has no password: it belongs on the loopback address or on a network of its own. Whoever reaches it can send messages, and
can read nothing but counts.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from flows.errors import ConfigurationError, SocleError
from flows.notify import messages
from flows.notify.delivery import Delivery
from flows.settings import Settings, load_settings

MOST = 1 << 20  # bytes of a request


def make_app(settings: Settings) -> Starlette:
    server = _Server(settings)
    hosts = {"127.0.0.1", "localhost", settings.notify_host, urlsplit(settings.notifier).hostname or "localhost"}
    return Starlette(
        routes=[
            Route("/prefect", server.prefect, methods=["POST"]),
            Route("/alertmanager", server.alertmanager, methods=["POST"]),
            Route("/health", server.health),
            Route("/metrics", server.metrics),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts))],  # no page of elsewhere reaches us by DNS tricks
        lifespan=server.lifespan,
    )


class _Server:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.delivery = app.state.delivery = Delivery(self.settings)
        yield
        await self.delivery.stop()

    async def prefect(self, request: Request) -> Response:
        return await self._take(request, lambda body: [messages.of_run(self.settings, body)])

    async def alertmanager(self, request: Request) -> Response:
        return await self._take(request, lambda body: messages.of_alerts(self.settings, body))

    async def _take(self, request: Request, read: Any) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return PlainTextResponse("application/json is wanted", 415)  # what a browser may not send from a page of elsewhere
        received = b""
        async for piece in request.stream():
            received += piece
            if len(received) > MOST:
                return PlainTextResponse(f"at most {MOST} bytes", 413)
        try:
            found = read(json.loads(received))
        except ValueError:
            return PlainTextResponse("not JSON", 400)
        except ConfigurationError as error:
            return PlainTextResponse(error.message, 400)
        taken = [self.delivery.take(message) for message in found]
        if not all(taken):
            return PlainTextResponse("too many messages wait already", 503, {"retry-after": "60"})
        return JSONResponse({"taken": len(found)}, 202)

    async def health(self, request: Request) -> Response:
        return JSONResponse({"targets": len(self.delivery.targets), "waiting": self.delivery.waiting, **self.delivery.counts})

    async def metrics(self, request: Request) -> Response:
        """For Prometheus, in its text format."""
        lines = [
            "# HELP socle_notify_messages_total Messages by what became of them.",
            "# TYPE socle_notify_messages_total counter",
            *(f'socle_notify_messages_total{{result="{name}"}} {count}' for name, count in sorted(self.delivery.counts.items())),
            "# HELP socle_notify_waiting Messages that wait to be delivered.",
            "# TYPE socle_notify_waiting gauge",
            f"socle_notify_waiting {self.delivery.waiting}",
        ]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def main() -> None:
    import uvicorn

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = load_settings()
        Delivery(settings)  # what is wrong with the file of addresses is said before anything listens
    except SocleError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
    uvicorn.run(make_app(settings), host=settings.notify_host, port=settings.notify_port, **options)


if __name__ == "__main__":
    main()
