"""The composition of `serve` and `demo`: which children run, with which arguments, and what is checked beforehand."""

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable

from hopscope import log
from hopscope.app.child import stop_on_signals
from hopscope.app.restart import PERMANENT
from hopscope.app.stop import StopToken
from hopscope.app.supervise import ChildSpec, Supervisor
from hopscope.config.settings import Settings

INGEST_GRACE_S = 30.0  # drains what was received
API_GRACE_S = 10.0  # ends streams and answers what it has begun


class CannotServe(Exception):
    """Something that must be changed before `serve` can run; str() says what."""


def run(settings: Settings, options: tuple[str, ...], *, announce: Callable[[str], None]) -> int:
    """Run both processes until a signal; return the exit code.

    `options` go before the children's command, so that they read the same configuration. `announce` is called once,
    with the address, when the page can be reached. Raises CannotServe.
    """
    check_listen(settings.host, settings.port)
    stop, hurry = StopToken(), threading.Event()
    stop_on_signals(stop, again=hurry)
    ready = _Announcement(settings, announce)
    code = Supervisor(children(options), stop=stop, hurry=hurry, on_look=ready.look).run()
    if code == PERMANENT:
        log.error("serve.ended", reason=stop.reason, hint="the message above says what to change")
    return code


def children(options: tuple[str, ...]) -> tuple[ChildSpec, ...]:
    """The writer first: what it has received must reach the disk before a grace period of systemd or Docker ends,
    and while it drains, readers still see the last packets.
    """
    # -P: a directory named hopscope in the working directory must not be taken for this package
    start = (sys.executable, "-P", "-m", "hopscope", *options)
    return (
        ChildSpec("ingest", (*start, "ingest", "--with-parent"), INGEST_GRACE_S),
        ChildSpec("api", (*start, "api", "--with-parent"), API_GRACE_S),
    )


def check_listen(host: str, port: int) -> None:
    """Raise CannotServe when the address cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as exc:
        raise CannotServe(f"HOPSCOPE_LISTEN: {host} is no address of this machine ({exc.strerror})") from exc
    except OSError as exc:
        raise CannotServe(_why_not(host, port, exc)) from exc


def _why_not(host: str, port: int, exc: OSError) -> str:
    where = f"{host}:{port}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; choose another: HOPSCOPE_LISTEN={host}:{port + 1}"
    if exc.errno == errno.EACCES:
        return f"{where} is not allowed for this user; ports below 1024 need more rights, use a reverse proxy"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"HOPSCOPE_LISTEN: {host} is no address of this machine"
    return f"{where} cannot be listened on: {os.strerror(exc.errno or 0)}"


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.port}"


class _Announcement:
    """Says once where the page is, as soon as it answers."""

    def __init__(self, settings: Settings, announce: Callable[[str], None]) -> None:
        self._settings, self._announce, self._done = settings, announce, False

    def look(self) -> None:
        if not self._done and self._answers():
            self._done = True
            self._announce(address(self._settings))

    def _answers(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._settings.host, self._settings.host)
        try:
            with socket.create_connection((host, self._settings.port), timeout=0.2):
                return True
        except OSError:
            return False
