"""What is looked at before a process starts, so that what must be changed is said in a sentence, not in a trace."""

import errno
import os
import socket
from pathlib import Path

SQLITE_MAGIC = b"SQLite format 3\0"  # the first bytes of every SQLite file


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
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as exc:
        raise CannotStart(f"HOPSCOPE_LISTEN: {host} is no address of this machine ({exc.strerror})") from exc
    except OSError as exc:
        raise CannotStart(_why_not(host, port, exc)) from exc


def _why_not(host: str, port: int, exc: OSError) -> str:
    where = f"{host}:{port}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; choose another: HOPSCOPE_LISTEN={host}:{port + 1}"
    if exc.errno == errno.EACCES:
        return f"{where} is not allowed for this user; ports below 1024 need more rights, use a reverse proxy"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"HOPSCOPE_LISTEN: {host} is no address of this machine"
    return f"{where} cannot be listened on: {os.strerror(exc.errno or 0)}"
