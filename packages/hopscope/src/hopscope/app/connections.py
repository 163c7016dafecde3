"""What one connection to the API may cost: a request must arrive in time and be of a sensible size, an answer be read.

Without it, a client that sends a byte now and then, or headers without end, holds a connection and memory for ever.
"""

import asyncio
import resource

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_S = 20.0  # from the beginning of a connection or a request until the request is whole, its body included
HEAD_MAX = 64 * 1024  # bytes of request line and headers
STALL_S = 30.0  # a client that takes no byte of an answer for so long is gone
OTHER_FILES = 100  # descriptors besides connections: database, log, modules

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: 46\r\n"
    b'connection: close\r\n\r\n{"error":"the request\'s headers are too long"}'
)


class Connection(HttpToolsProtocol):
    """One connection of uvicorn's, with bounds."""

    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The request has to begin soon."""
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """No timer outlives its connection."""
        self._cancel_deadline()
        self._cancel_stalled()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse headers without end."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX and not self.transport.is_closing():
                self.transport.write(TOO_LARGE)
                self.transport.close()
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_request()  # bytes between two requests, which ended the wait for the next one

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._expect_request()

    def on_headers_complete(self) -> None:
        """From here on the body counts, which the application bounds."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._cancel_deadline()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """What follows is not HTTP."""
        self._in_head = False
        super().handle_websocket_upgrade()
        self._cancel_deadline()

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """It caught up."""
        self._cancel_stalled()
        super().resume_writing()

    def _expect_request(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(REQUEST_S, self.transport.close)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch_stall(self) -> None:
        self._cancel_stalled()
        waiting = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(STALL_S, self._end_if_stalled, waiting)

    def _end_if_stalled(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() >= waited:
            self.transport.abort()
        else:
            self._watch_stall()

    def _cancel_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def allow_descriptors(connections: int) -> int:
    """Raise this process's limit of open files for so many connections, as far as the system lets us; the limit now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):  # a sandbox that forbids it
        return soft
    return allowed
