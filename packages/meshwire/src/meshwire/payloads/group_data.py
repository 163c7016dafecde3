"""GRP_DATA: application data to a channel, readable by whoever has the channel's key."""

from dataclasses import dataclass, field

from meshwire.keys import KeyRing
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout


@dataclass(frozen=True, slots=True)
class ChannelData:
    """Decrypted data. channel, key: whose key opened it. data_type: who allocated it (0xFF00 and up: development)."""

    channel: str
    key: bytes = field(repr=False)
    data_type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class GroupData:
    """channel_hash: first byte of SHA-256 of the channel's key. mac: 2 bytes. message: None when no known key fits."""

    channel_hash: int
    mac: bytes
    ciphertext: bytes
    message: ChannelData | None

    def to_dict(self) -> dict[str, object]:
        group: dict[str, object] = {
            "channel_hash": f"{self.channel_hash:02X}",
            "mac": self.mac.hex().upper(),
            "ciphertext_len": len(self.ciphertext),
        }
        if self.message is not None:
            group |= {
                "channel": self.message.channel,
                "key": self.message.key.hex(),
                "data_type": self.message.data_type,
                "data_len": len(self.message.data),
                "data": self.message.data.hex(),
            }
        return {"group": group}


def read(raw: bytes, byte_map: ByteMap | None, _frame: bytes, keys: KeyRing, *_: object) -> GroupData:
    channel, mac, ciphertext = _LAYOUT.read(raw, byte_map)
    return _group_data(channel, mac, ciphertext, _open(keys, channel, mac, ciphertext) if keys.channels else None)


_group_data = quick(GroupData)
_LAYOUT = Layout(("channel hash", "B"), ("MAC", "2s"), tail="ciphertext", tail_min=1)


def _open(keys: KeyRing, channel_hash: int, mac: bytes, ciphertext: bytes) -> ChannelData | None:
    for channel, plain in keys.open_channel(channel_hash, mac, ciphertext):
        data_type, size, data = _DATA.read(plain)
        # A length beyond the plaintext means that the two MAC bytes fitted by chance; firmware drops it as well.
        if size <= len(data):
            return ChannelData(channel.name, channel.key, data_type, data[:size])
    return None


_DATA = Layout(("data type", "H"), ("data length", "B"), tail="data")
