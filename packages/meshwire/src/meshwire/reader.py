"""Read bytes by layout: values with bounds checks, and, when asked for, the byte map from the same pass.

The only module that unpacks bytes. Knows no MeshCore field by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any

from meshwire.errors import DecodeError

MAX_FRAME = 255  # bytes; MAX_TRANS_UNIT, the largest frame on the air

Value = int | float | str | bytes
Unpack = Callable[[bytes], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Span:
    """One field of the byte map: `frame[start:end]` is `name` and means `value`."""

    name: str
    start: int
    end: int
    value: Value


class ByteMap:
    """Collects spans while a frame is read. `base`: where the bytes that are being read start in the frame."""

    def __init__(self) -> None:
        self.base = 0
        self.spans: list[Span] = []

    def mark(self, name: str, start: int, end: int, value: Value) -> None:
        """Bytes `start` to `end` (counted from base) are `name`; a field without bytes leaves no span."""
        if start < end:
            self.spans.append(Span(name, self.base + start, self.base + end, value))

    def note(self, name: str, value: Value) -> None:
        """Say what the field that was read under this name means, when the raw value does not."""
        self.spans = [Span(s.name, s.start, s.end, value) if s.name == name else s for s in self.spans]


class Layout:
    """Fields that follow one another from the first byte on, each a (name, struct code); little-endian.

    Codes: B b H I i, 32s for bytes, 0s for a field that is not there. tail: name of what may follow up to the end, at
    least tail_min bytes of it; a tail without a name is left to the caller to mark.
    """

    __slots__ = ("_unpack", "code", "fields", "need", "size", "tail", "tail_min")

    def __init__(self, *fields: tuple[str, str], tail: str = "", tail_min: int = 0) -> None:
        self.code = "<" + "".join(code for _, code in fields)
        self.size = Struct(self.code).size
        self.need = self.size + tail_min
        self.tail, self.tail_min = tail, tail_min
        self.fields = tuple((name, Struct("<" + code).size) for name, code in fields)
        self._unpack: list[Unpack | None] = [None] * (MAX_FRAME + 1)

    def read(self, raw: bytes, byte_map: ByteMap | None = None) -> tuple[Any, ...]:
        """The fields' values, and as the last one the tail. raw: at most MAX_FRAME bytes.

        Raises DecodeError, its position counted from raw's start, when raw is too short.
        """
        # One struct per length takes the tail as well: twice as fast as slicing it off and adding it to the values.
        values = (self._unpack[len(raw)] or self._for_length(len(raw)))(raw)
        if byte_map is not None:
            self._mark(byte_map, values, len(raw))
        return values

    def _for_length(self, length: int) -> Unpack:
        if length < self.need:
            raise self._short(length)
        unpack = Struct(f"{self.code}{length - self.size}s").unpack
        self._unpack[length] = unpack
        return unpack

    def _mark(self, byte_map: ByteMap, values: tuple[Any, ...], end: int) -> None:
        at = 0
        for (name, size), value in zip(self.fields, values, strict=False):
            byte_map.mark(name, at, at + size, value)
            at += size
        if self.tail:
            byte_map.mark(self.tail, at, end, values[-1])

    def _short(self, length: int) -> DecodeError:
        at = 0
        for name, size in (*self.fields, (self.tail, self.tail_min)):
            if at + size > length:
                return DecodeError(f"{name} needs {size} byte{'' if size == 1 else 's'}, {length - at} left", at=at)
            at += size
        raise AssertionError("nothing is missing")


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
