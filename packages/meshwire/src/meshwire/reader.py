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
    """Fields that follow one another, each a (name, struct code): B, b, H, I, i or 32s; little-endian.

    tail: name of what may follow up to the end, at least `tail_min` bytes of it; read by `read_all`. Without a name it
    leaves no span: then the caller marks its parts.
    """

    __slots__ = ("fields", "need", "size", "tail", "tail_min", "unpack")

    def __init__(self, *fields: tuple[str, str], tail: str = "", tail_min: int = 0) -> None:
        whole = Struct("<" + "".join(code for _, code in fields))
        self.size = whole.size
        self.unpack = whole.unpack_from
        self.tail, self.tail_min, self.need = tail, tail_min, whole.size + tail_min
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

    def rest(self, name: str) -> bytes:  # noqa: ARG002 - the recording reader uses it
        """Everything up to the end, possibly nothing."""
        at = self.at
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

    def read_all(self, layout: Layout) -> tuple[Any, ...]:
        """The layout's values and, as the last one, its tail: everything up to the end."""
        at = self.at
        end = self.end
        if at + layout.need > end:
            raise _short_field(layout, at, end)
        self.at = end
        return layout.unpack(self.data, at) + (self.data[at + layout.size : end],)  # noqa: RUF005 - twice as fast as unpacking

    def note(self, value: int | float | str | bytes, field: str) -> None:
        """Say what a field that was read means. Nothing happens unless recording, or when it was not read."""

    def mark(self, name: str, start: int, end: int, value: int | float | str | bytes) -> None:
        """Leave a span for bytes that were read in another way. Nothing happens unless recording."""


class SpanReader(ByteReader):
    """A ByteReader whose every read leaves a Span."""

    __slots__ = ("_spans",)

    recording = True

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._spans: list[Span] = []

    @property
    def spans(self) -> tuple[Span, ...]:  # type: ignore[override]  # the plain reader's is always empty
        return tuple(sorted(self._spans, key=lambda span: span.start))

    def u8(self, name: str) -> int:
        value = super().u8(name)
        self.mark(name, self.at - 1, self.at, value)
        return value

    def take(self, size: int, name: str) -> bytes:
        piece = super().take(size, name)
        if size:
            self.mark(name, self.at - size, self.at, piece)
        return piece

    def rest(self, name: str) -> bytes:
        start = self.at
        piece = super().rest(name)
        if piece:
            self.mark(name, start, self.at, piece)
        return piece

    def read(self, layout: Layout) -> tuple[Any, ...]:
        start = self.at
        values = super().read(layout)
        for (name, size), value in zip(layout.fields, values, strict=True):
            if size:
                self.mark(name, start, start + size, value)
            start += size
        return values

    def read_all(self, layout: Layout) -> tuple[Any, ...]:
        start = self.at
        values = super().read_all(layout)
        for (name, size), value in zip(layout.fields, values, strict=False):
            if size:
                self.mark(name, start, start + size, value)
            start += size
        if start < self.at and layout.tail:
            self.mark(layout.tail, start, self.at, values[-1])
        return values

    def note(self, value: int | float | str | bytes, field: str) -> None:
        for number, span in enumerate(self._spans):
            if span.name == field:
                self._spans[number] = Span(field, span.start, span.end, value)

    def mark(self, name: str, start: int, end: int, value: int | float | str | bytes) -> None:
        self._spans.append(Span(name, start, end, value))


def _short_field(layout: Layout, at: int, end: int) -> DecodeError:
    for name, size in layout.fields:
        if at + size > end:
            return _short(name, size, at, end)
        at += size
    return _short(layout.tail, layout.tail_min, at, end)


def _short(name: str, size: int, at: int, end: int) -> DecodeError:
    return DecodeError(f"{name} needs {size} byte{'' if size == 1 else 's'}, {end - at} left", at=at)


def split(raw: bytes, size: int) -> tuple[bytes, ...]:
    """Pieces of `size` bytes (1, 2, 3, 4 or 8), up to 255 of them; a shorter last piece when it does not come out even.

    Struct("2s2s2s") does it at a third of the cost of a slice per piece.
    """
    count, left = divmod(len(raw), size)
    pieces = _PIECES[size][count].unpack_from(raw)
    return (*pieces, raw[-left:]) if left else pieces


def decibels(raw: bytes) -> tuple[float, ...]:
    """SNR bytes, each an int8 in quarters of a dB, in dB."""
    return tuple(map(_DECIBELS.__getitem__, raw))


_PIECES = {size: [Struct(f"{size}s" * count) for count in range(256)] for size in (1, 2, 3, 4, 8)}
_DECIBELS = tuple((byte - 256 if byte > 127 else byte) / 4 for byte in range(256))
