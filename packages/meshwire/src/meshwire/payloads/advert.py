"""ADVERT: a node says who and where it is, signed with its key."""

from collections.abc import Callable
from dataclasses import dataclass

from meshwire.enums import Role
from meshwire.quick import quick
from meshwire.reader import ByteReader, Layout
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


def read(r: ByteReader, _path: bytes, _keys: object, verify: Callable[[bytes, bytes, bytes], bool] | None) -> Advert:
    at = r.at
    pubkey, timestamp, signature = r.read(_HEAD)
    appdata = r.data[r.at : r.end]
    used = min(len(appdata), MAX_ADVERT_DATA)
    valid = verify(pubkey, signature, r.data[at : at + _SIGNED_HEAD] + appdata[:used]) if verify else None
    flags = r.u8("flags") if appdata else 0
    role = _ROLES[flags & 15]
    if r.recording and appdata:
        r.note(f"{role.name} 0x{flags:02X}")
    lat_e6 = lon_e6 = lat = lon = feat1 = feat2 = name_raw = name = None
    # All or nothing, as firmware does it: when a field that the flags promise is cut off, none is believed.
    if _NEEDED[flags >> 4] <= used:
        if flags & _HAS_LOCATION:
            lat_e6, lon_e6 = r.read(_LOCATION)
            lat, lon = lat_e6 / 1e6, lon_e6 / 1e6
            if r.recording:
                r.note(lat, back=2)
                r.note(lon)
        if flags & _HAS_FEAT1:
            (feat1,) = r.read(_FEAT1)
        if flags & _HAS_FEAT2:
            (feat2,) = r.read(_FEAT2)
        if flags & _HAS_NAME:
            name_raw = r.take(at + _HEAD.size + used - r.at, "name")
            name = clean_name(name_raw)
            if r.recording and name_raw:
                r.note(name)
    if r.left:
        r.rest("ignored")
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


_advert = quick(Advert)
_HEAD = Layout(("public key", "32s"), ("timestamp", "I"), ("signature", "64s"))
_SIGNED_HEAD = 36  # public key and timestamp; appdata follows in what is signed
_LOCATION = Layout(("latitude", "i"), ("longitude", "i"))
_FEAT1 = Layout(("feature 1", "H"))
_FEAT2 = Layout(("feature 2", "H"))
# Bytes that appdata must have, by the upper nibble of its flags.
_NEEDED = tuple(1 + 8 * (n & 1) + 2 * (n >> 1 & 1) + 2 * (n >> 2 & 1) for n in range(16))
