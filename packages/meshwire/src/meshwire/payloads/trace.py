"""TRACE: a probe along a given route that collects how well each hop heard the one before."""

from dataclasses import dataclass

from meshwire.header import path_bytes
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout, decibels, split


@dataclass(frozen=True, slots=True)
class Trace:
    """tag: chosen by the sender, the same at every hop. flags: its low two bits give hash_size, 1, 2, 4 or 8 bytes.

    route: leading bytes of each node's key, in order; a last piece shorter than hash_size is a cut one. snr_db: what
    the hops done so far measured, in dB; it stands in the frame's path field.
    """

    tag: int
    auth_code: int
    flags: int
    hash_size: int
    route: tuple[bytes, ...]
    snr_db: tuple[float, ...]

    @property
    def complete(self) -> bool:
        """Whether every node of the route has been visited."""
        return len(self.snr_db) >= len(self.route)

    def to_dict(self) -> dict[str, object]:
        return {
            "trace": {
                "tag": self.tag,
                "auth_code": self.auth_code,
                "flags": self.flags,
                "trace_hash_size": self.hash_size,
                "trace_path": [node.hex().upper() for node in self.route],
                "snr_db": list(self.snr_db),
            }
        }


def read(raw: bytes, byte_map: ByteMap | None, frame: bytes, *_: object) -> Trace:
    tag, auth_code, flags, hashes = _LAYOUT.read(raw, byte_map)
    size = 1 << (flags & 3)
    route = split(hashes, size)
    if byte_map is not None:
        for n, node in enumerate(route):
            at = _LAYOUT.size + n * size
            byte_map.mark(f"route {n + 1}", at, at + len(node), node)
    return _trace(tag, auth_code, flags, size, route, decibels(path_bytes(frame)))


_trace = quick(Trace)
_LAYOUT = Layout(("tag", "I"), ("auth code", "I"), ("flags", "B"))
