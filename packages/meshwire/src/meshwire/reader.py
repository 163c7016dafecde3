"""Read bytes with bounds checks; the recording reader also remembers what it read.

The only module that unpacks bytes. Knows no MeshCore field by itself.
"""

from dataclasses import dataclass
from struct import Struct

from meshwire.errors import DecodeError

_U16 = Struct("<H").unpack_from
_U32 = Struct("<I").unpack_from
_I32 = Struct("<i").unpack_from


@dataclass(frozen=True, slots=True)
class Span:
    """One field of the byte map: `frame[start:end]` is `name` and means `value`."""

    name: str
    start: int
    end: int
    value: int | float | str | bytes


class ByteReader:
    """Little-endian reads from `data[at:end]`; a read past the end raises DecodeError with its position."""

    __slots__ = ("at", "data", "end")

    recording = False

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.end = len(data)

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self.end - self.at

    @property
    def spans(self) -> tuple[Span, ...]:
        """What was read so far; empty unless recording."""
        return ()

    def take(self, size: int, name: str) -> bytes:
        at = self.at
        end = at + size
        if end > self.end:
            self.short(size, name)
        self.at = end
        return self.data[at:end]

    def rest(self, name: str) -> bytes:
        """Everything up to the end, possibly nothing."""
        return self.take(self.end - self.at, name)

    def u8(self, name: str) -> int:
        at = self.at
        if at >= self.end:
            self.short(1, name)
        self.at = at + 1
        return self.data[at]

    def u16(self, name: str) -> int:
        at = self.at
        if at + 2 > self.end:
            self.short(2, name)
        self.at = at + 2
        value: int = _U16(self.data, at)[0]
        return value

    def u32(self, name: str) -> int:
        at = self.at
        if at + 4 > self.end:
            self.short(4, name)
        self.at = at + 4
        value: int = _U32(self.data, at)[0]
        return value

    def i8(self, name: str) -> int:
        value = self.u8(name)
        return value - 256 if value > 127 else value

    def quarter_db(self, name: str) -> float:
        """An SNR byte: int8 in quarters of a dB, returned in dB."""
        return self.i8(name) / 4

    def i32(self, name: str) -> int:
        at = self.at
        if at + 4 > self.end:
            self.short(4, name)
        self.at = at + 4
        value: int = _I32(self.data, at)[0]
        return value

    def note(self, value: int | float | str | bytes) -> None:
        """Say what the bytes read last mean, for the byte map. Nothing happens unless recording."""

    def short(self, size: int, name: str) -> None:
        raise DecodeError(f"{name} needs {size} byte{'s' if size != 1 else ''}, {self.end - self.at} left", at=self.at)


class SpanReader(ByteReader):
    """A ByteReader whose every read leaves a Span."""

    __slots__ = ("_spans",)

    recording = True

    def __init__(self, data: bytes, at: int = 0) -> None:
        super().__init__(data, at)
        self._spans: list[Span] = []

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple(self._spans)

    def take(self, size: int, name: str) -> bytes:
        piece = super().take(size, name)
        if size:
            self._keep(name, size, piece)
        return piece

    def u8(self, name: str) -> int:
        return self._keep_int(name, 1, super().u8(name))

    def u16(self, name: str) -> int:
        return self._keep_int(name, 2, super().u16(name))

    def u32(self, name: str) -> int:
        return self._keep_int(name, 4, super().u32(name))

    def i8(self, name: str) -> int:
        value = super().i8(name)
        self.note(value)
        return value

    def quarter_db(self, name: str) -> float:
        value = super().quarter_db(name)
        self.note(value)
        return value

    def i32(self, name: str) -> int:
        return self._keep_int(name, 4, super().i32(name))

    def note(self, value: int | float | str | bytes) -> None:
        last = self._spans[-1]
        self._spans[-1] = Span(last.name, last.start, last.end, value)

    def _keep(self, name: str, size: int, value: int | float | str | bytes) -> None:
        self._spans.append(Span(name, self.at - size, self.at, value))

    def _keep_int(self, name: str, size: int, value: int) -> int:
        self._keep(name, size, value)
        return value
