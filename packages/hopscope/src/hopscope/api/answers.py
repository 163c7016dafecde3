"""Answers kept until something is committed: many browsers ask for the same first page. Bounded in bytes and in age.

Only answers that depend on the database and the address alone are kept; age bounds what depends on the time of day.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_S = 2.0
BYTES = 8 * 1024 * 1024  # of all bodies together
BODY_BYTES = 512 * 1024  # of one body; a larger one is not kept

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

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.body) + len(self.packed or b"")


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    reading: Reading
    at_s: float


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
        self._bytes += answer.size
        self._shrink()

    def improve(self, key: Key, answer: Answer) -> None:
        """Keep the same answer with its body in gzip besides, as old as it was."""
        kept = self._kept.get(key)
        if kept is not None and kept.answer is not answer and kept.answer.body is answer.body:
            self._kept[key] = _Kept(answer, kept.reading, kept.at_s)
            self._bytes += answer.size - kept.answer.size
            self._shrink()

    def _shrink(self) -> None:
        while self._bytes > BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: Key) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= old.answer.size
