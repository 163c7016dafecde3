"""Decode, verify and decrypt MeshCore radio frames.

    >>> import meshwire
    >>> packet = meshwire.decode(bytes.fromhex("0D04B891647EBB40BA70"))
    >>> packet.route.name, packet.payload_type.name, packet.payload.crc.hex()
    ('FLOOD', 'ACK', 'bb40ba70')

`decode` gives a Packet or raises DecodeError; `Packet.to_dict()` is its JSON form; a KeyRing holds the keys that open
messages. `meshwire.encode` builds frames. Nothing here does I/O except the command line.
"""

from meshwire.crypto import channel_hash, hashtag_key, packet_hash, region_key
from meshwire.enums import PayloadType, Role, Route, TextType
from meshwire.errors import DecodeError
from meshwire.header import Path
from meshwire.keys import EMPTY_KEYS, PUBLIC_KEY, Channel, KeyPair, KeyRing, Region
from meshwire.packet import Packet, Payload, decode
from meshwire.payloads.ack import Ack
from meshwire.payloads.advert import Advert
from meshwire.payloads.anon_request import AnonPlain, AnonRequest
from meshwire.payloads.control import Control, DiscoverRequest, DiscoverResponse
from meshwire.payloads.direct_text import DirectMessage, DirectText
from meshwire.payloads.group_data import ChannelData, GroupData
from meshwire.payloads.group_text import GroupMessage, GroupText
from meshwire.payloads.multipart import Multipart
from meshwire.payloads.opaque import Opaque
from meshwire.payloads.path_return import PathPlain, PathReturn
from meshwire.payloads.raw_custom import RawCustom
from meshwire.payloads.request import Request, RequestPlain, RequestType
from meshwire.payloads.response import Response, ResponsePlain
from meshwire.payloads.trace import Trace
from meshwire.reader import Span
from meshwire.text import clean_name, clean_text

__all__ = [
    "EMPTY_KEYS",
    "PUBLIC_KEY",
    "Ack",
    "Advert",
    "AnonPlain",
    "AnonRequest",
    "Channel",
    "ChannelData",
    "Control",
    "DecodeError",
    "DirectMessage",
    "DirectText",
    "DiscoverRequest",
    "DiscoverResponse",
    "GroupData",
    "GroupMessage",
    "GroupText",
    "KeyPair",
    "KeyRing",
    "Multipart",
    "Opaque",
    "Packet",
    "Path",
    "PathPlain",
    "PathReturn",
    "Payload",
    "PayloadType",
    "RawCustom",
    "Region",
    "Request",
    "RequestPlain",
    "RequestType",
    "Response",
    "ResponsePlain",
    "Role",
    "Route",
    "Span",
    "TextType",
    "Trace",
    "channel_hash",
    "clean_name",
    "clean_text",
    "decode",
    "hashtag_key",
    "packet_hash",
    "region_key",
]
