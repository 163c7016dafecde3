"""GRP_TXT: a message to a channel, readable by whoever has the channel's key."""

from dataclasses import dataclass, field

from meshwire.keys import KeyRing
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout
from meshwire.text import clean_text, read_text


@dataclass(frozen=True, slots=True)
class GroupMessage:
    """A decrypted channel message.

    channel, key: whose key opened it. timestamp: Unix seconds by the sender's clock. text: everything, cleaned for
    display; text_raw: its bytes. sender, message: text split at the first ": "; the sender is free text that anybody
    can claim, None when there is no such split (message is then all of text).
    """

    channel: str
    key: bytes = field(repr=False)
    timestamp: int
    txt_type: int
    attempt: int
    text: str
    text_raw: bytes
    sender: str | None
    message: str


@dataclass(frozen=True, slots=True)
class GroupText:
    """channel_hash: first byte of SHA-256 of the channel's key. mac: 2 bytes. message: None when no known key fits."""

    channel_hash: int
    mac: bytes
    ciphertext: bytes
    message: GroupMessage | None

    def to_dict(self) -> dict[str, object]:
        group: dict[str, object] = {
            "channel_hash": f"{self.channel_hash:02X}",
            "mac": self.mac.hex().upper(),
            "ciphertext_len": len(self.ciphertext),
        }
        if self.message is not None:
            group |= _message_dict(self.message)
        return {"group": group}


def read(raw: bytes, byte_map: ByteMap | None, _frame: bytes, keys: KeyRing, *_: object) -> GroupText:
    channel, mac, ciphertext = _LAYOUT.read(raw, byte_map)
    return _group_text(channel, mac, ciphertext, _open(keys, channel, mac, ciphertext) if keys.channels else None)


_group_text = quick(GroupText)
_LAYOUT = Layout(("channel hash", "B"), ("MAC", "2s"), tail="ciphertext", tail_min=1)


def _open(keys: KeyRing, channel_hash: int, mac: bytes, ciphertext: bytes) -> GroupMessage | None:
    for channel, plain in keys.open_channel(channel_hash, mac, ciphertext):
        body = read_text(plain)
        if body is not None:
            text = clean_text(body.raw)
            sender, colon, message = text.partition(": ")
            return GroupMessage(
                channel.name,
                channel.key,
                body.timestamp,
                body.txt_type,
                body.attempt,
                text,
                body.raw,
                sender if colon else None,
                message if colon else text,
            )
    return None


def _message_dict(message: GroupMessage) -> dict[str, object]:
    return {
        "channel": message.channel,
        "key": message.key.hex(),
        "timestamp": message.timestamp,
        "txt_type": message.txt_type,
        "attempt": message.attempt,
        "text": message.text,
        "sender": message.sender,
        "message": message.message,
    }
