"""What is looked at before a process starts, so that what must be changed is said in a sentence, not in a trace."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

SQLITE_MAGIC = b"SQLite format 3\0"  # the first bytes of every SQLite file
BACKLOG = 2048  # connections that wait to be accepted, as uvicorn's own
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class CannotStart(Exception):
    """Something that must be changed before the process can run; str() says what."""


def check_database(database: str) -> None:
    """Raise CannotStart when the file is no SQLite file, or cannot be written or made. The store checks its content."""
    path = Path(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise CannotStart(f"HOPSCOPE_DATABASE: {database} is a directory; give the path of a file")
        if path.exists():
            with path.open("r+b") as file:
                start = file.read(len(SQLITE_MAGIC))
            if start not in (b"", SQLITE_MAGIC):
                raise CannotStart(f"HOPSCOPE_DATABASE: {database} is not a database; give the path of another file")
        elif not os.access(path.parent, os.W_OK):
            raise CannotStart(f"HOPSCOPE_DATABASE: {path.parent} is not writable for this user")
    except OSError as exc:
        raise CannotStart(f"HOPSCOPE_DATABASE: {database}: {exc.strerror}") from exc


def check_listen(host: str, port: int) -> None:
    """Raise CannotStart when the address cannot be listened on."""
    for listener in listeners(host, port):
        listener.close()


def listeners(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of this name (localhost has two). Raises CannotStart when there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        raise CannotStart(f"HOPSCOPE_LISTEN: {host} is no address of this machine ({exc.strerror})") from exc
    made: list[socket.socket] = []
    absent: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            made.append(_listener(family, kind, protocol, address))
        except OSError as exc:
            if exc.errno not in ABSENT:
                _close(made)
                raise CannotStart(_why_not(host, port, exc)) from exc
            absent = exc  # as ::1 of localhost, on a machine without IPv6
    if not made and absent is not None:
        raise CannotStart(_why_not(host, port, absent)) from absent
    return made


def _listener(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _why_not(host: str, port: int, exc: OSError) -> str:
    where = f"{host}:{port}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; choose another: HOPSCOPE_LISTEN={host}:{port + 1}"
    if exc.errno == errno.EACCES:
        return f"{where} is not allowed for this user; ports below 1024 need more rights, use a reverse proxy"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"HOPSCOPE_LISTEN: {host} is no address of this machine"
    return f"{where} cannot be listened on: {os.strerror(exc.errno or 0)}"
