"""Is the server of a connection one whose backends we may signal and pin? Only a proof counts."""

from __future__ import annotations

import os
import socket
import struct

import psycopg

from harness.db.supervisor import children


def is_local(connection: psycopg.Connection) -> bool:
    """True when the connection is a unix socket, its listener is the parent of our backend, and we may signal that.

    The listener's pid comes from the kernel (SO_PEERCRED, unix(7)), translated into our pid namespace; so a server in
    a container that shares only its socket, or a pooler in between, is not taken for local. Linux only: elsewhere
    False.
    """
    if not connection.info.host.startswith("/") or not hasattr(socket, "SO_PEERCRED"):
        return False
    with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    listener, _, _ = struct.unpack("3i", credentials)
    backend = connection.info.backend_pid
    if backend not in children(listener):
        return False
    try:
        os.kill(backend, 0)
    except PermissionError:
        return False
    return True
