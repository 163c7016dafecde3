"""Answers kept until something is committed: many browsers ask for the same first page. Bounded in bytes and in age.

Only answers that depend on the database and the address alone are kept; age bounds what depends on the time of day.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_S = 2.0
BYTES = 8 * 1024 * 1024  # of everything that is kept
BODY_BYTES = 512 * 1024  # of one body; a larger one is not kept
ENTRY_BYTES = 1024  # what the objects around one kept answer take besides (0.5 kB without headers)

Key = tuple[str, bytes]  # path and query
Reading = tuple[int, int]  # of the store's clock
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 as it went out. `headers` are those of its content only; `packed` is its body in gzip, once asked for."""

    endpoint: str
    headers: Headers
    etag: bytes
    body: bytes
    packed: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    reading: Reading
    at_s: float


def _size(key: Key, answer: Answer) -> int:
    """Bytes that it takes, its address included: strangers choose that, and answers may be smaller than it."""
    return ENTRY_BYTES + len(key[0]) + len(key[1]) + len(answer.body) + len(answer.packed or b"")


class Answers:
    """The newest answers by address. One event loop uses it, so it has no lock."""

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: Key, reading: Reading | None) -> Answer | None:
        """The answer to this address, when nothing was committed since and it is not too old."""
        kept = self._kept.get(key)
        if kept is None or kept.reading != reading or self._now_s() - kept.at_s > LONGEST_S:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return kept.answer

    def keep(self, key: Key, reading: Reading | None, answer: Answer) -> None:
        """Keep an answer whose reading was taken before it was made."""
        if reading is None or len(answer.body) > BODY_BYTES:
            return
        self._forget(key)
        self._kept[key] = _Kept(answer, reading, self._now_s())
        self._bytes += _size(key, answer)
        self._shrink()

    def improve(self, key: Key, answer: Answer) -> None:
        """Keep the same answer with its body in gzip besides, as old as it was."""
        kept = self._kept.get(key)
        if kept is not None and kept.answer is not answer and kept.answer.body is answer.body:
            self._kept[key] = _Kept(answer, kept.reading, kept.at_s)
            self._bytes += len(answer.packed or b"") - len(kept.answer.packed or b"")
            self._shrink()

    def _shrink(self) -> None:
        while self._bytes > BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: Key) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= _size(key, old.answer)
