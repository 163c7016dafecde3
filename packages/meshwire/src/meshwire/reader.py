"""Read bytes with bounds checks; the recording reader also remembers what it read.

The only module that unpacks bytes. Knows no MeshCore field by itself.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Any

from meshwire.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Span:
    """One field of the byte map: `frame[start:end]` is `name` and means `value`."""

    name: str
    start: int
    end: int
    value: int | float | str | bytes


class Layout:
    """Fields that follow one another, each a (name, struct code): B, b, H, I, i or 32s; little-endian."""

    __slots__ = ("fields", "size", "unpack")

    def __init__(self, *fields: tuple[str, str]) -> None:
        whole = Struct("<" + "".join(code for _, code in fields))
        self.size = whole.size
        self.unpack = whole.unpack_from
        self.fields = tuple((name, Struct("<" + code).size) for name, code in fields)


class ByteReader:
    """Reads `data[at:end]` in order; a read past the end raises DecodeError with the position of the missing field."""

    __slots__ = ("at", "data", "end")

    recording = False
    spans: tuple[Span, ...] = ()

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self.end - self.at

    def u8(self, name: str) -> int:
        at = self.at
        if at >= self.end:
            raise _short(name, 1, at, self.end)
        self.at = at + 1
        return self.data[at]

    def take(self, size: int, name: str) -> bytes:
        at = self.at
        end = at + size
        if end > self.end:
            raise _short(name, size, at, self.end)
        self.at = end
        return self.data[at:end]

    def peek(self, name: str) -> int:
        """The next byte, without reading it."""
        if self.at >= self.end:
            raise _short(name, 1, self.at, self.end)
        return self.data[self.at]

    def rest(self, name: str, at_least: int = 0) -> bytes:
        """Everything up to the end."""
        at = self.at
        if self.end - at < at_least:
            raise _short(name, at_least, at, self.end)
        self.at = self.end
        return self.data[at : self.end]

    def read(self, layout: Layout) -> tuple[Any, ...]:
        """The layout's values, in order."""
        at = self.at
        end = at + layout.size
        if end > self.end:
            raise _short_field(layout, at, self.end)
        self.at = end
        return layout.unpack(self.data, at)

    def pieces(self, count: int, size: int, name: str) -> tuple[bytes, ...]:
        """`count` pieces (up to 255) of `size` bytes (1, 2, 3, 4 or 8); each is called name and its number."""
        at = self.at
        end = at + count * size
        if end > self.end:
            raise _short(name, size, at + (self.end - at) // size * size, self.end)
        self.at = end
        return _PIECES[size][count].unpack_from(self.data, at)

    def decibels(self, count: int, name: str) -> tuple[float, ...]:
        """`count` SNR bytes, int8 in quarters of a dB, in dB."""
        return tuple([_DECIBELS[byte] for byte in self.take(count, name)])

    def note(self, value: int | float | str | bytes, *, back: int = 1) -> None:
        """Say what a field means that was read last (or `back` fields ago). Nothing happens unless recording."""


class SpanReader(ByteReader):
    """A ByteReader whose every read leaves a Span."""

    __slots__ = ("_spans",)

    recording = True

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._spans: list[Span] = []

    @property
    def spans(self) -> tuple[Span, ...]:  # type: ignore[override]  # the plain reader's is always empty
        return tuple(self._spans)

    def u8(self, name: str) -> int:
        value = super().u8(name)
        self._keep(name, self.at - 1, 1, value)
        return value

    def take(self, size: int, name: str) -> bytes:
        piece = super().take(size, name)
        if size:
            self._keep(name, self.at - size, size, piece)
        return piece

    def rest(self, name: str, at_least: int = 0) -> bytes:
        start = self.at
        piece = super().rest(name, at_least)
        if piece:
            self._keep(name, start, len(piece), piece)
        return piece

    def read(self, layout: Layout) -> tuple[Any, ...]:
        start = self.at
        values = super().read(layout)
        for (name, size), value in zip(layout.fields, values, strict=True):
            self._keep(name, start, size, value)
            start += size
        return values

    def pieces(self, count: int, size: int, name: str) -> tuple[bytes, ...]:
        start = self.at
        found = super().pieces(count, size, name)
        for number, piece in enumerate(found):
            self._keep(f"{name} {number + 1}", start + number * size, size, piece)
        return found

    def decibels(self, count: int, name: str) -> tuple[float, ...]:
        start = self.at
        found = super().decibels(count, name)
        if count:
            self._spans.pop()
        for number, value in enumerate(found):
            self._keep(name if count == 1 else f"{name} {number + 1}", start + number, 1, value)
        return found

    def note(self, value: int | float | str | bytes, *, back: int = 1) -> None:
        last = self._spans[-back]
        self._spans[-back] = Span(last.name, last.start, last.end, value)

    def _keep(self, name: str, start: int, size: int, value: int | float | str | bytes) -> None:
        self._spans.append(Span(name, start, start + size, value))


def _short_field(layout: Layout, at: int, end: int) -> DecodeError:
    for name, size in layout.fields:
        if at + size > end:
            return _short(name, size, at, end)
        at += size
    raise AssertionError("the layout fits")


def _short(name: str, size: int, at: int, end: int) -> DecodeError:
    return DecodeError(f"{name} needs {size} byte{'' if size == 1 else 's'}, {end - at} left", at=at)


# Struct("2s2s2s") splits a path at a third of the cost of a slice per hop.
_PIECES = {size: [Struct(f"{size}s" * count) for count in range(256)] for size in (1, 2, 3, 4, 8)}
_DECIBELS = tuple((byte - 256 if byte > 127 else byte) / 4 for byte in range(256))
