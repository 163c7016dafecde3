"""The composition of `serve` and `demo`: which children run, with which arguments, and what is checked beforehand."""

import socket
import sys
import threading
from collections.abc import Callable

from hopscope import log
from hopscope.app import preflight
from hopscope.app.child import stop_on_signals
from hopscope.app.exit_codes import REFUSED
from hopscope.app.stop import StopToken
from hopscope.app.supervise import ChildSpec, Supervisor
from hopscope.config.settings import Settings

INGEST_GRACE_S = 30.0  # drains what was received
API_GRACE_S = 10.0  # ends streams and answers what it has begun


def run(settings: Settings, options: tuple[str, ...], *, announce: Callable[[str], None]) -> int:
    """Run both processes until a signal; return the exit code.

    `options` go before the children's command, so that they read the same configuration. `announce` is called once,
    with the address, when the page can be reached. Raises preflight.CannotStart.
    """
    preflight.check_listen(settings.host, settings.port)
    preflight.check_database(settings.database)
    stop, hurry = StopToken(), threading.Event()
    stop_on_signals(stop, again=hurry)
    ready = _Announcement(settings, announce)
    code = Supervisor(children(options), stop=stop, hurry=hurry, on_look=ready.look).run()
    if code == REFUSED:
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
