"""A network that misbehaves between a run and the S3 server: down, slow, answering 503, cutting uploads half-way.

An HTTP proxy of our own on loopback, in a process of its own: deltalake holds the interpreter's lock during some requests. What it
does is set while connections are open, and counts say that it was really done. Nothing heavy is imported here.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

PIECE = 1 << 16
BUSY = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'


class Network:
    """What happens to requests from now on, as a test says it. `address` is what a client is given in place of the server's."""

    def __init__(self, commands: Connection) -> None:
        self._commands = commands
        self._lock = threading.Lock()  # a timer may bring the network back
        self.address: str = self._ask("up")

    def down(self) -> None:
        """Connections that are open are cut, new ones are refused."""
        self._ask("down")

    def up(self) -> None:
        self._ask("up")

    def set(self, **faults: float) -> None:
        """Fields of `Faults`."""
        self._ask("set", faults)

    def calm(self) -> None:
        """As a network should be, and nothing counted."""
        self._ask("set", vars(Faults()))
        self._ask("up")

    @property
    def done(self) -> Counter[str]:
        """How often each fault came, and `requests`."""
        return Counter(self._ask("done"))

    def _ask(self, what: str, arguments: Any = None) -> Any:
        with self._lock:
            self._commands.send((what, arguments))
            return self._commands.recv()


@dataclass
class Faults:
    wait_s: float = 0.0
    """Before each request is passed on."""
    bytes_per_s: float = 0.0
    """Of bodies, in both directions, for each connection; 0: as fast as it goes."""
    busy_one_in: int = 0
    """Every so many requests, one is answered 503 and not passed on."""
    cut_uploads: int = 0
    """So many bodies of PUT and POST are cut half-way; only those of `cut_over` bytes or more."""
    cut_over: int = 1
    lost_answers: int = 0
    """So many PUT and POST are passed on and never answered: the connection is closed."""
    done: Counter[str] = field(default_factory=Counter)


@contextmanager
def network(endpoint: str) -> Iterator[Network]:
    """A calm one before the server at `endpoint`."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, urlsplit(endpoint).netloc), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Network(ours)
    finally:
        ours.close()  # ends it
        process.join(10)


# -- in the other process


def _serve(commands: Connection, upstream: str) -> None:
    asyncio.run(_follow(commands, _Proxy(*upstream.split(":"))))


async def _follow(commands: Connection, proxy: _Proxy) -> None:
    while True:
        try:
            what, arguments = await asyncio.to_thread(commands.recv)
        except EOFError:
            return
        commands.send(await getattr(proxy, what)(arguments))


class _Proxy:
    def __init__(self, host: str, port: str) -> None:
        self.host, self.port, self.own_port = host, int(port), 0
        self.faults = Faults()
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def up(self, _: Any) -> str:
        if self.server is None:
            self.server = await asyncio.start_server(self._connection, "127.0.0.1", self.own_port, reuse_address=True)
            self.own_port = self.server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{self.own_port}"

    async def down(self, _: Any) -> None:
        server, self.server = self.server, None
        if server is not None:
            server.close()
        for writer in list(self.writers):
            writer.transport.abort()

    async def set(self, faults: dict[str, Any]) -> None:
        vars(self.faults).update(faults)

    async def done(self, _: Any) -> dict[str, int]:
        return dict(self.faults.done)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
            while await self._request(reader, writer, answers, upstream):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        except asyncio.CancelledError:  # the test is over
            pass
        finally:
            self.writers.discard(writer)
            for each in (writer, upstream):
                if each is not None:
                    each.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: asyncio.StreamReader, upstream: asyncio.StreamWriter
    ) -> bool:
        """One request and its answer; whether the connection goes on."""
        faults = self.faults
        head, headers = await _head(reader)
        if not head:
            return False
        method = head.split(b" ", 1)[0]
        faults.done["requests"] += 1
        length = int(headers.get(b"content-length", 0))
        await asyncio.sleep(faults.wait_s)
        if faults.busy_one_in and faults.done["requests"] % faults.busy_one_in == 0:
            await self._pass(reader, None, length)
            faults.done["busy"] += 1
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n" % len(BUSY))
            writer.write(b"" if method == b"HEAD" else BUSY)
            await writer.drain()
            return True
        changes = method in (b"PUT", b"POST")
        upstream.write(head)
        if changes and faults.cut_uploads and length >= faults.cut_over:
            faults.cut_uploads -= 1
            faults.done["cut"] += 1
            await self._pass(reader, upstream, length // 2)
            raise ConnectionResetError
        await self._pass(reader, upstream, length)
        answer, said = await _head(answers)
        if not answer:
            raise ConnectionResetError
        if changes and faults.lost_answers:
            faults.lost_answers -= 1
            faults.done["lost"] += 1
            raise ConnectionResetError
        writer.write(answer)
        if method != b"HEAD" and answer.split(b" ", 2)[1] not in (b"204", b"304"):
            await self._body(answers, writer, said)
        await writer.drain()
        return said.get(b"connection", b"").lower() != b"close"

    async def _body(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter, said: dict[bytes, bytes]) -> None:
        if said.get(b"transfer-encoding", b"").lower() != b"chunked":
            await self._pass(answers, writer, int(said.get(b"content-length", 0)))
            return
        while True:
            line = await answers.readline()
            writer.write(line)
            size = int(line.split(b";")[0], 16)
            await self._pass(answers, writer, size + 2)
            if size == 0:
                return

    async def _pass(self, source: asyncio.StreamReader, to: asyncio.StreamWriter | None, length: int) -> None:
        while length:
            piece = await source.read(min(length, PIECE))
            if not piece:
                raise ConnectionResetError
            length -= len(piece)
            if to is not None:
                to.write(piece)
                await to.drain()
            if self.faults.bytes_per_s:
                await asyncio.sleep(len(piece) / self.faults.bytes_per_s)


async def _head(reader: asyncio.StreamReader) -> tuple[bytes, dict[bytes, bytes]]:
    """The first lines of a request or an answer, as they came and by name; empty at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b"", {}
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return head, {name.strip().lower(): value.strip() for name, _, value in lines}
