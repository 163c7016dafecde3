"""ADVERT: a node says who and where it is, signed with its key."""

from collections.abc import Callable
from dataclasses import dataclass

from meshwire.enums import Role
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout
from meshwire.text import clean_name

MAX_ADVERT_DATA = 32  # MAX_ADVERT_DATA_SIZE: firmware neither reads nor signs what lies beyond
_HAS_LOCATION, _HAS_FEAT1, _HAS_FEAT2, _HAS_NAME = 0x10, 0x20, 0x40, 0x80
_ROLES = tuple(Role(n) for n in range(16))


@dataclass(frozen=True, slots=True)
class Advert:
    """A node's announcement.

    pubkey: 32 bytes. timestamp: Unix seconds by the node's own clock. signature: 64 bytes. signature_valid: None when
    not checked. flags: first appdata byte, 0 when there is no appdata. lat, lon: degrees as sent, also when they make
    no sense (see `location`); lat_e6, lon_e6: the integers on the air. feat1, feat2: reserved feature words.
    name: cleaned for display; name_raw: its bytes. appdata: everything after the signature; firmware considers only
    its first 32 bytes. A field the advert does not carry is None.
    """

    pubkey: bytes
    timestamp: int
    signature: bytes
    flags: int
    role: Role
    lat: float | None
    lon: float | None
    lat_e6: int | None
    lon_e6: int | None
    feat1: int | None
    feat2: int | None
    name: str | None
    name_raw: bytes | None
    signature_valid: bool | None
    appdata: bytes

    @property
    def location(self) -> tuple[float, float] | None:
        """(lat, lon) in degrees when usable: 0,0 and coordinates off the globe mean that the node has none."""
        if self.lat is None or self.lon is None or (self.lat_e6 == 0 and self.lon_e6 == 0):
            return None
        return (self.lat, self.lon) if abs(self.lat) <= 90 and abs(self.lon) <= 180 else None

    def to_dict(self) -> dict[str, object]:
        optional = {
            "lat": self.lat,
            "lon": self.lon,
            "feat1": self.feat1,
            "feat2": self.feat2,
            "name": self.name,
            "signature_valid": self.signature_valid,
        }
        return {
            "advert": {
                "pubkey": self.pubkey.hex(),
                "timestamp": self.timestamp,
                "flags": self.flags,
                "role": self.role.name,
                **{key: value for key, value in optional.items() if value is not None},
                "appdata_len": len(self.appdata),
            }
        }


def read(
    raw: bytes,
    byte_map: ByteMap | None,
    _frame: bytes,
    _keys: object,
    verify: Callable[[bytes, bytes, bytes], bool] | None,
) -> Advert:
    # Firmware sees no more than 32 bytes of appdata, neither when it verifies nor when it reads.
    seen = raw if len(raw) <= _SEEN else raw[:_SEEN]
    flags = raw[_HEAD_SIZE] if len(raw) > _HEAD_SIZE else 0
    layout, shown = _LAYOUTS[flags >> 4], flags
    # All or nothing, as firmware does it: when a field that the flags promise is cut off, none is believed.
    if layout.size > len(seen):
        layout, shown = _BARE, 0
    pubkey, timestamp, signature, _, lat_e6, lon_e6, feat1, feat2, tail = layout.read(seen, byte_map)
    if shown & _HAS_LOCATION:
        lat, lon = lat_e6 / 1e6, lon_e6 / 1e6
    else:
        lat_e6 = lon_e6 = lat = lon = None
    if not shown & _HAS_FEAT1:
        feat1 = None
    if not shown & _HAS_FEAT2:
        feat2 = None
    name, name_raw = (clean_name(tail), tail) if shown & _HAS_NAME else (None, None)
    valid = verify(pubkey, signature, seen[:36] + seen[_HEAD_SIZE:]) if verify else None
    role, appdata = _ROLES[flags & 15], raw[_HEAD_SIZE:]
    if byte_map is not None:
        _annotate(
            byte_map, raw, {"flags": f"{role.name} 0x{flags:02X}", "latitude": lat, "longitude": lon, "name": name}
        )
    return _advert(
        pubkey,
        timestamp,
        signature,
        flags,
        role,
        lat,
        lon,
        lat_e6,
        lon_e6,
        feat1,
        feat2,
        name,
        name_raw,
        valid,
        appdata,
    )


def _annotate(byte_map: ByteMap, raw: bytes, meanings: dict[str, str | float | None]) -> None:
    byte_map.mark("ignored", _SEEN, len(raw), raw[_SEEN:])
    for name, value in meanings.items():
        if value is not None:
            byte_map.note(name, value)


def _layout(flags: int) -> Layout:
    """Every layout gives the same nine values; a field that is not there is read as no bytes ("0s")."""
    return Layout(
        *_HEAD,
        ("flags", "B"),
        ("latitude", "i" if flags & _HAS_LOCATION else "0s"),
        ("longitude", "i" if flags & _HAS_LOCATION else "0s"),
        ("feature 1", "H" if flags & _HAS_FEAT1 else "0s"),
        ("feature 2", "H" if flags & _HAS_FEAT2 else "0s"),
        tail="name" if flags & _HAS_NAME else "ignored",
    )


_advert = quick(Advert)
_HEAD = (("public key", "32s"), ("timestamp", "I"), ("signature", "64s"))
_HEAD_SIZE = 100
_SEEN = _HEAD_SIZE + MAX_ADVERT_DATA
_LAYOUTS = tuple(_layout(nibble << 4) for nibble in range(16))
_BARE = Layout(*_HEAD, *[("", "0s")] * 5, tail="ignored")
