"""What `launch` and the warm process say to each other over a Unix socket. Only the standard library: `launch` starts in milliseconds.

One connection a run. launch -> warm: a length, a JSON request, and its standard output and error as file descriptors.
warm -> launch: the process id, then the wait status, each as 8 bytes. A connection that closes early means that its other side died.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from pathlib import Path

SOCKET_VARIABLE = "SOCLE_WARM_SOCKET"
NUMBER = struct.Struct("!q")
LIMIT = 8 << 20  # bytes of one request, most of them environment variables
REQUEST_S = 10.0  # seconds that a peer has to say what it wants


def request(connection: socket.socket) -> None:
    """Ask for a run with this process's environment, folder, output and errors."""
    body = json.dumps({"environment": dict(os.environ), "folder": str(Path.cwd())}).encode(errors="surrogateescape")
    descriptors = array.array("i", [1, 2])
    connection.sendmsg([NUMBER.pack(len(body))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    connection.sendall(body)


def accept(connection: socket.socket) -> tuple[dict[str, str], Path, list[int]]:
    """Environment, folder, and the two descriptors of a request.

    Raises: ValueError if the other side is another user, or sends something else; OSError if it is too slow.
    """
    connection.settimeout(REQUEST_S)
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", credentials)[1] != os.getuid():
        raise ValueError("another user")
    head, descriptors, _, _ = socket.recv_fds(connection, NUMBER.size, 2)
    try:
        size = NUMBER.unpack(head)[0] if len(head) == NUMBER.size else -1
        if len(descriptors) != 2 or not 0 < size <= LIMIT:
            raise ValueError("not a request")
        body = bytearray()
        while len(body) < size:
            piece = connection.recv(size - len(body))
            if not piece:
                raise ValueError("a request cut short")
            body += piece
        said = json.loads(body.decode(errors="surrogateescape"))
        return said["environment"], Path(said["folder"]), list(descriptors)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def read_number(connection: socket.socket) -> int | None:
    """The next number, or None if the other side is gone."""
    got = b""
    while len(got) < NUMBER.size:
        try:
            piece = connection.recv(NUMBER.size - len(got))
        except ConnectionResetError:
            return None
        if not piece:
            return None
        got += piece
    return NUMBER.unpack(got)[0]  # type: ignore[no-any-return]
