"""The values that travel between the layers: what was received, and what of it is stored. All frozen.

Knows no database, no clock and no wire format. Every `_at` is milliseconds since 1970-01-01 UTC by the server's clock,
unless its comment says otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Reason(StrEnum):
    """Why a record was not used. The words are stored and shown, so they stay."""

    # refused: counted, and the newest of each kept in the quarantine
    TOO_LARGE = "too_large"  # more than 10 kB of JSON
    BAD_JSON = "bad_json"  # not JSON, nested too deeply, or not an object
    NO_OBSERVER = "no_observer"  # neither the topic nor the record says who heard it
    BAD_OBSERVER = "bad_observer"  # the observer's key is neither 64 hex digits nor a plain word
    ORIGIN_MISMATCH = "origin_mismatch"  # origin_id is another key than the topic's
    BLOCKED_OBSERVER = "blocked_observer"  # the operator refuses this observer
    NO_FRAME = "no_frame"  # none of raw, packet, payload, data holds text
    NOT_HEX = "not_hex"  # the frame is not whole bytes in hex
    FRAME_TOO_LONG = "frame_too_long"  # more than 510 hex digits; a frame on the air has at most 255 bytes
    STALE_TX = "stale_tx"  # a tx record whose frame is not the one its len and packet_type speak of
    BAD_FRAME = "bad_frame"  # the frame breaks a rule of the protocol
    UNSTORABLE = "unstorable"  # the database refused it, alone and again
    UNEXPECTED = "unexpected"  # a defect of ours; the log has the trace
    # passed over on purpose: counted, not kept
    UNUSED_TOPIC = "unused_topic"  # a kind of topic that holds no reception and no status
    OTHER_REGION = "other_region"  # the source is configured to keep other regions
    RETAINED = "retained"  # an old record kept by the broker that does not say how old it is


class Direction(IntEnum):
    """Whether the observer heard the frame or sent it."""

    HEARD = 0
    SENT = 1


@dataclass(frozen=True, slots=True)
class Message:
    """One record as a source delivered it. `ack` is called once, after the commit; None: nobody waits for it."""

    source: str
    topic: str
    payload: bytes
    received_at_ms: int
    ack: Callable[[], None] | None = None
    redelivered: bool = False  # the broker says that it has sent this one before
    retained: bool = False  # the broker kept it for new subscribers; its age is unknown


@dataclass(frozen=True, slots=True)
class Reception:
    """One observer heard (or sent) one frame."""

    source: str
    observer: str  # 64 upper-case hex digits, or the word of a bridge without a key
    observer_name: str | None
    iata: str | None  # upper case
    heard_at: int
    published_at: int | None  # the publisher's own clock, UTC assumed; part of the reception's identity
    clock_naive: bool  # that timestamp had no zone
    frame: bytes
    snr: float | None  # dB
    rssi: int | None  # dBm
    score: int | None  # firmware score x1000
    direction: Direction = Direction.HEARD
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class Info:
    """What an observer says it is; None: not said in this record."""

    model: str | None = None
    firmware: str | None = None
    client_version: str | None = None
    radio: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """What an observer measured; counters are cumulative since its boot. None: not reported."""

    battery_mv: int | None = None
    uptime_s: int | None = None
    noise_floor: float | None = None  # dBm
    tx_air_s: int | None = None
    rx_air_s: int | None = None
    recv_errors: int | None = None
    packets_sent: int | None = None
    packets_received: int | None = None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """An observer spoke about itself."""

    source: str
    observer: str
    observer_name: str | None
    iata: str | None
    at: int  # receive time; for a retained record its own time, when that is earlier
    published_at: int | None
    clock_naive: bool
    status: str | None  # online | offline
    info: Info | None  # None: nothing of it was said
    stats: Stats | None
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be used, with what was received."""

    source: str
    at: int
    reason: Reason
    detail: str  # one sentence
    topic: str
    record: bytes
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """A record that is not meant for us. Only its reason is counted."""

    source: str
    at: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class AdvertFacts:
    """What a verified advert says about its sender."""

    pubkey: bytes  # 32
    advert_at: int  # the sender's own clock, ms
    name: str | None
    role: int  # 0-15
    lat_e6: int | None  # 1e-6 degree; None: no plausible location
    lon_e6: int | None


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """The channel of a group text."""

    name: str  # "Public", "#test", or "enc_11" when no key opens it
    hash: int  # the channel hash byte
    encrypted: bool


@dataclass(frozen=True, slots=True)
class PacketFacts:
    """What is stored of a decoded frame. The part up to `payload_at` differs per reception, the rest per packet."""

    hash: bytes  # 8
    type: int
    route: int
    version: int
    frame: bytes
    head: bytes  # header byte and transport codes
    path_len: int  # the encoded byte
    path: bytes
    payload_at: int
    hop_count: int  # for TRACE the number of SNR bytes
    hash_size: int | None  # 1-3; None: a TRACE, whose path holds no hashes
    region: str | None  # "#name"; '': scoped, region unknown; None: not scoped
    advert: AdvertFacts | None = None  # None: another type, or its signature does not verify
    channel: ChannelFacts | None = None  # None: another type

    @property
    def hops(self) -> frozenset[bytes]:
        """The different hop hashes of the path; none for a TRACE."""
        size = self.hash_size
        if size is None:
            return frozenset()
        return frozenset(self.path[at : at + size] for at in range(0, len(self.path), size))


@dataclass(frozen=True, slots=True)
class Heard:
    """A reception together with what its frame holds."""

    reception: Reception
    packet: PacketFacts


Record = Heard | StatusReport | Rejected | Ignored


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source does, as readers are shown it."""

    name: str
    connected: bool
    connected_at: int | None
    disconnected_at: int | None
    connects: int
    disconnects: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class TurnStats:
    """Waiting for and holding the write lock, per component; milliseconds over the newest turns."""

    component: str
    turns: int
    rows: int
    failures: int
    wait_p50: float
    wait_p95: float
    wait_max: float
    hold_p50: float
    hold_p95: float
    hold_max: float
