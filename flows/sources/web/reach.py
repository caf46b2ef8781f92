"""Which machines a source may reach: public ones, and those that SOCLE_HTTP_ALLOWED names.

A name is resolved once, at the moment of connecting; what it resolves to is checked, and the checked address is connected to,
so that a name that changes between a check and its use (DNS rebinding) gains nothing. Every redirect connects anew, or uses a
connection that was checked.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore

from flows.errors import ConfigurationError, SystemFailure

Address = IPv4Address | IPv6Address
MAPPED = ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96")  # an IPv4 address in IPv6: that one counts
TUNNELS = ip_network("2002::/16"), ip_network("2001::/32"), ip_network("::/96")  # 6to4, Teredo, IPv4-compatible: out of use
ALSO = ip_network("192.88.99.0/24"), ip_network("168.63.129.16/32")  # 6to4 relays; the inside of a cloud's machines
RESOLVE_S = 30.0  # the longest wait for a name


class Allowed:
    """What SOCLE_HTTP_ALLOWED says: hosts (`host`, `host:port`, `.domain` for all below it), addresses and networks."""

    def __init__(self, text: str) -> None:
        self.hosts, self.networks = set[str](), []
        for entry in (e.strip().lower() for e in text.split(",")):
            try:
                self.networks.append(ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                if entry:
                    self.hosts.add(entry.removeprefix("*"))

    def host(self, host: str, port: int) -> bool:
        host = host.lower().rstrip(".")
        above = {host[at:] for at, character in enumerate(host) if character == "."}
        return bool(self.hosts & ({host, f"{host}:{port}"} | above)) or (_literal(host) is not None and self.address(_literal(host)))

    def address(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks if network.version == address.version)


def special(address: Address) -> str | None:
    """Why it is not an ordinary public address; None if it is one."""
    if isinstance(address, IPv6Address):
        if any(address in network for network in TUNNELS) and not address.is_loopback and not address.is_unspecified:
            return "a tunnel"
        if address.is_site_local:
            return "private"
    kinds = {
        "unspecified": address.is_unspecified,
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "multicast": address.is_multicast,
        "private": address.is_private,
        "reserved": address.is_reserved or any(address in network for network in ALSO),
        "not public": not address.is_global,
    }
    return next((kind for kind, is_so in kinds.items() if is_so), None)


def plain(address: Address) -> Address:
    """The IPv4 address in an IPv6 one that only carries it."""
    if isinstance(address, IPv6Address) and any(address in network for network in MAPPED):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def check_host(host: str, port: int, allowed: Allowed, *, resolve: bool = True) -> list[str]:
    """The addresses to connect to, all of them checked. `resolve`: whether the name has to be known here (not behind a proxy).

    Raises: ConfigurationError if one of them may not be reached, SystemFailure if there is none.
    """
    try:
        found = _resolve(host, port)
    except UnknownHost:
        if resolve:
            raise
        return []
    if not allowed.host(host, port):
        for address in found:
            inner = plain(address)
            why = special(inner)
            if why and not (allowed.address(address) or allowed.address(inner)):
                raise ConfigurationError(
                    f"the address of {host} is {why} ({address}): sources reach public machines only",
                    where=f"{host}:{port}",
                    hint=f"if it may be reached, whoever runs this machine sets SOCLE_HTTP_ALLOWED={host}",
                    french=f"La source « {host} » est une adresse interne, que cette machine n'a pas le droit de contacter.",
                )
    return [str(address) for address in found]


class UnknownHost(SystemFailure):
    """A name that resolves to nothing. `again`: the resolver did not answer, so that another try may."""

    again = False


def _resolve(host: str, port: int) -> list[Address]:
    if (literal := _literal(host)) is not None:
        return [literal]
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:  # getaddrinfo takes no timeout
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=RESOLVE_S)
    except queue.Empty:
        answer = socket.gaierror(socket.EAI_AGAIN, f"no answer in {RESOLVE_S:.0f} s")
    if isinstance(answer, Exception) or not answer:
        error = UnknownHost(
            f"the name {host} is not known", where="DNS", hint="check the address, and the network and resolver of this machine"
        )
        error.again = getattr(answer, "errno", None) == socket.EAI_AGAIN
        raise error
    return list(dict.fromkeys(ip_address(found[4][0]) for found in answer))


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


class Network(httpcore.NetworkBackend):
    """Connects to checked addresses only, and lets nothing take longer than until `ends` (time.monotonic())."""

    def __init__(self, allowed: Allowed | None) -> None:
        self.allowed, self.plain, self.ends = allowed, httpcore.SyncBackend(), float("inf")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = [host] if self.allowed is None else check_host(host, port, self.allowed)  # None: the proxy
        for number, address in enumerate(addresses, 1):
            try:
                stream = self.plain.connect_tcp(address, port, self.left(timeout), local_address, socket_options)
                return _Stream(stream, self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise AssertionError("a name has an address")

    def left(self, timeout: float | None) -> float:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the total time is over")
        return min(left, timeout if timeout is not None else left)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends with the total time: each single byte of a slow server would begin a wait anew."""

    def __init__(self, stream: httpcore.NetworkStream, network: Network) -> None:
        self.stream, self.network = stream, network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, self.network.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self.network.left(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> httpcore.NetworkStream:
        return _Stream(self.stream.start_tls(ssl_context, server_hostname, self.network.left(timeout)), self.network)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)
