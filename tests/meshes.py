"""A small mesh for tests: frames made by meshwire.encode, stored as ingest would store them. Everything is seeded."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from hopscope.model import Heard, Info, Reason, Reception, Record, Rejected, SourceState, Stats, StatusReport
from hopscope.store import schema
from hopscope.store.connection import open_writer
from hopscope.store.facts import facts_of
from hopscope.store.writing import Writer
from meshwire import PUBLIC_KEY, KeyRing, decode, encode

T0 = 1_790_000_000_000  # 2026-09-21T14:13:20Z, ms
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

FLOOD, DIRECT = 1, 2
ACK, ADVERT, GRP_TXT, TRACE, CONTROL, ANON_REQ = 3, 4, 5, 9, 11, 7
COMPANION, REPEATER, ROOM, SENSOR = 1, 2, 3, 4

NORTH, SOUTH = "A1" * 32, "B2" * 32  # observers
NAMES = {NORTH: ("North <b>tower</b>", "SEA"), SOUTH: ("South", "PDX")}


def seed(number: int) -> bytes:
    """The signing key of a node."""
    return number.to_bytes(32, "big")


def pubkey(number: int) -> bytes:
    """The public key of a node."""
    return encode.key_pair(seed(number)).public


class Mesh:
    """Fills one database. The clock stands at T0 unless a call says otherwise."""

    def __init__(
        self, path: Path, *, sources: Sequence[tuple[str, str]] = (("demo", "demo"), ("old", "import"))
    ) -> None:
        self.path = path
        self.db = open_writer(str(path))
        schema.prepare(self.db)
        self.writer = Writer(self.db)
        for name, kind in (("demo", "demo"), ("old", "import")):
            self.writer.register_source(name, kind=kind, address=None)
        self.keys = KeyRing.of(channels={"Public": PUBLIC_KEY})
        self._ticks = itertools.count(1)

    def close(self) -> None:
        self.db.close()

    def store(self, *records: Record) -> None:
        """One batch, one commit."""
        self.writer.record(records)

    def heard(
        self, frame: bytes, *, at: int = T0, by: str = NORTH, source: str = "demo", snr: float | None = 7.25
    ) -> Heard:
        """A reception of a frame; its publisher's clock differs each time, so that none is taken for a repeat."""
        name, iata = NAMES.get(by, (None, None))
        packet = decode(frame, keys=self.keys)
        verified = getattr(packet.payload, "signature_valid", None) is True
        reception = Reception(
            source=source,
            observer=by,
            observer_name=name,
            iata=iata,
            heard_at=at,
            published_at=at + next(self._ticks),
            clock_naive=False,
            frame=frame,
            snr=snr,
            rssi=-80,
            score=None,
        )
        return Heard(reception, facts_of(packet, verified=verified))

    def hear(
        self, frame: bytes, *, at: int = T0, by: str = NORTH, source: str = "demo", snr: float | None = 7.25
    ) -> str:
        """Store one reception; the packet's hash in hex."""
        record = self.heard(frame, at=at, by=by, source=source, snr=snr)
        self.store(record)
        return record.packet.hash.hex()

    def advert(
        self,
        number: int,
        *,
        name: str = "node",
        role: int = REPEATER,
        lat: float | None = None,
        lon: float | None = None,
        at: int = T0,
        path: Sequence[bytes] = (),
        by: str = NORTH,
    ) -> str:
        """Store an advert of the node; its packet hash."""
        payload = encode.advert(seed(number), at // 1000, role, name=name, lat=lat, lon=lon)
        return self.hear(encode.frame(FLOOD, ADVERT, payload, path=path), at=at, by=by)

    def say(self, text: str, *, sender: str | None = "Ann", at: int = T0, by: str = NORTH, source: str = "demo") -> str:
        """Store a message on Public; its packet hash."""
        payload = encode.group_text(PUBLIC_KEY, at // 1000, sender, text)
        return self.hear(encode.frame(FLOOD, GRP_TXT, payload), at=at, by=by, source=source)

    def ack(self, number: int, *, at: int = T0, by: str = NORTH, path: Sequence[bytes] = (), route: int = FLOOD) -> str:
        """Store an acknowledgement with this number as checksum; its packet hash."""
        frame = encode.frame(route, ACK, encode.ack(number.to_bytes(4, "little")), path=path)
        return self.hear(frame, at=at, by=by)

    def status(self, *, by: str = NORTH, at: int = T0, noise_floor: float = -112.0) -> None:
        """Store what an observer says about itself."""
        name, iata = NAMES[by]
        self.store(
            StatusReport(
                source="demo",
                observer=by,
                observer_name=name,
                iata=iata,
                at=at,
                published_at=at,
                clock_naive=False,
                status="online",
                info=Info(model="Heltec V3", firmware="1.15", radio="869.6,62.5,8,8"),
                stats=Stats(battery_mv=4100, uptime_s=3600, noise_floor=noise_floor, packets_received=9),
            )
        )

    def refuse(self, text: bytes, *, reason: Reason = Reason.BAD_JSON, at: int = T0) -> None:
        """Store a record that cannot be used."""
        self.store(Rejected("demo", at, reason, "it is not JSON", "meshcore/SEA/x/packets", text))

    def source_connected(self, name: str = "demo", *, at: int = T0) -> None:
        """Say that a source is connected."""
        self.writer.save_status([SourceState(name, True, at, None, 1, 0, None)], [], now_ms=at)
