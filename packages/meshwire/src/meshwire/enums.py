"""The firmware's own names for routes, payload types, node roles and text types."""

from enum import IntEnum


class Route(IntEnum):
    """Bits 0-1 of the header: how the packet travels, and whether transport codes follow the header."""

    TRANSPORT_FLOOD = 0
    FLOOD = 1
    DIRECT = 2
    TRANSPORT_DIRECT = 3


class PayloadType(IntEnum):
    """Bits 2-5 of the header. 12 to 14 have no meaning yet; their payloads are `Opaque`."""

    REQ = 0
    RESPONSE = 1
    TXT_MSG = 2
    ACK = 3
    ADVERT = 4
    GRP_TXT = 5
    GRP_DATA = 6
    ANON_REQ = 7
    PATH = 8
    TRACE = 9
    MULTIPART = 10
    CONTROL = 11
    RESERVED_12 = 12
    RESERVED_13 = 13
    RESERVED_14 = 14
    RAW_CUSTOM = 15


class Role(IntEnum):
    """Low nibble of an advert's flags: what kind of node speaks. 5 to 15 are reserved for the future."""

    NONE = 0
    CHAT = 1
    REPEATER = 2
    ROOM = 3
    SENSOR = 4
    RESERVED_5 = 5
    RESERVED_6 = 6
    RESERVED_7 = 7
    RESERVED_8 = 8
    RESERVED_9 = 9
    RESERVED_10 = 10
    RESERVED_11 = 11
    RESERVED_12 = 12
    RESERVED_13 = 13
    RESERVED_14 = 14
    RESERVED_15 = 15


class TextType(IntEnum):
    """Upper six bits of a text's flags byte."""

    PLAIN = 0
    CLI_DATA = 1
    SIGNED_PLAIN = 2
